#include "rows/insert.h"

#include "core/mem.h"
#include "db/quote.h"

#include <stdlib.h>
#include <string.h>

/* A statement is cut behind the row that passes one of these: longer ones are not faster. */
#define GOOD_BYTES ((size_t)1 << 20)
#define GOOD_ROWS  1000
#define HEAD_BYTES ((size_t)1 << 20)

struct insert_writer {
    const struct manifest_table *table;
    size_t packet_bytes;
    insert_fn *fn;
    void *arg;
    char *into;
    char **before, **behind; /* per column: what stands around its literal */
    bool supported;
    struct buf sql;
    size_t head_bytes; /* "INSERT INTO ... VALUES " */
    size_t row_start;  /* of the row that was written last */
    uint64_t rows;     /* whole ones in sql */
    struct buf line;   /* the start of a row whose end has not come yet */
};

/* Parts a column's expression at its field. */
static bool split_expression(const char *expr, char **before, char **behind)
{
    const char *at = strstr(expr, "@v");
    if (!at || strstr(at + 2, "@v"))
        return false;
    *before = xstrndup(expr, (size_t)(at - expr));
    *behind = xstrdup(at + 2);
    return true;
}

static void put_head(struct insert_writer *w)
{
    buf_putf(&w->sql, "INSERT INTO %s (", w->into);
    for (unsigned i = 0; i < w->table->column_count; i++) {
        buf_put(&w->sql, i ? ", " : "");
        db_quote_name(&w->sql, w->table->columns[i].name);
    }
    buf_put(&w->sql, ") VALUES ");
    w->head_bytes = w->sql.len;
}

struct insert_writer *insert_writer_new(const struct manifest_table *t, const char *into, size_t packet_bytes,
                                        insert_fn *fn, void *arg)
{
    struct insert_writer *w = xcalloc(1, sizeof *w);
    w->table = t;
    w->packet_bytes = packet_bytes;
    w->fn = fn;
    w->arg = arg;
    w->into = xstrdup(into);
    w->before = xcalloc(t->column_count + 1, sizeof *w->before);
    w->behind = xcalloc(t->column_count + 1, sizeof *w->behind);
    w->supported = true;
    for (unsigned i = 0; i < t->column_count; i++)
        if (t->columns[i].load_expr)
            w->supported &= split_expression(t->columns[i].load_expr, &w->before[i], &w->behind[i]);
    /* One statement, and one row that turns out not to fit behind others. */
    buf_init(&w->sql, packet_bytes + GOOD_BYTES + HEAD_BYTES);
    buf_init(&w->line, packet_bytes);
    put_head(w);
    return w;
}

void insert_writer_free(struct insert_writer *w)
{
    if (!w)
        return;
    for (unsigned i = 0; i < w->table->column_count; i++) {
        free(w->before[i]);
        free(w->behind[i]);
    }
    free(w->before);
    free(w->behind);
    free(w->into);
    buf_free(&w->sql);
    buf_free(&w->line);
    free(w);
}

static enum err_code too_large(const struct insert_writer *w, struct err *err)
{
    return err_set(err, ERR_REFUSED,
                   "insert into %s: a row needs a statement longer than %zu bytes, the server's "
                   "max_allowed_packet; raise it, or"
                   " allow LOAD DATA LOCAL (local_infile=ON), which has no such limit",
                   w->into, w->packet_bytes);
}

static enum err_code put(struct insert_writer *w, const char *text, size_t bytes, struct err *err)
{
    return buf_add(&w->sql, text, bytes, NULL) == ERR_OK ? ERR_OK : too_large(w, err);
}

/* Sends all rows up to end, where the separator before the next one begins. */
static enum err_code send(struct insert_writer *w, size_t end, struct err *err)
{
    return end > w->packet_bytes ? too_large(w, err) : w->fn(w->arg, w->sql.data, end, w->rows, err);
}

static enum err_code flush(struct insert_writer *w, struct err *err)
{
    enum err_code code = w->rows ? send(w, w->sql.len, err) : ERR_OK;
    w->sql.len = w->head_bytes;
    w->rows = 0;
    return code;
}

/* The same without the row that was written last, which becomes the first of the next statement. */
static enum err_code flush_before(struct insert_writer *w, struct err *err)
{
    size_t row = w->sql.len - w->row_start;
    enum err_code code = w->rows ? send(w, w->row_start - 2, err) : ERR_OK;
    memmove(w->sql.data + w->head_bytes, w->sql.data + w->row_start, row);
    w->sql.len = w->head_bytes + row;
    w->rows = 0;
    return code == ERR_OK && w->sql.len > w->packet_bytes ? too_large(w, err) : code;
}

static enum err_code damaged(const struct insert_writer *w, const char *what, struct err *err)
{
    return err_set(err, ERR_DAMAGED, "read the rows of %s.%s: %s", w->table->schema, w->table->name, what);
}

/* The escapes of a field are those of a literal too, where only the quote is one more. */
static enum err_code put_literal(struct insert_writer *w, const char *field, size_t bytes, struct err *err)
{
    const char *from = field, *end = field + bytes;
    enum err_code code = put(w, "'", 1, err);
    for (const char *p = field; code == ERR_OK && p < end; p++) {
        if (*p == '\\' && ++p == end)
            return damaged(w, "a field ends in the middle of an escape", err);
        if (*p != '\'')
            continue;
        code = put(w, from, (size_t)(p - from), err);
        if (code == ERR_OK)
            code = put(w, "\\", 1, err);
        from = p;
    }
    if (code == ERR_OK)
        code = put(w, from, (size_t)(end - from), err);
    return code == ERR_OK ? put(w, "'", 1, err) : code;
}

static enum err_code put_field(struct insert_writer *w, unsigned column, const char *field, size_t bytes,
                               struct err *err)
{
    const char *before = w->before[column], *behind = w->behind[column];
    enum err_code code = put(w, column ? ", " : "(", column ? 2 : 1, err);
    if (code == ERR_OK && before)
        code = put(w, before, strlen(before), err);
    if (code == ERR_OK && bytes == 2 && memcmp(field, "\\N", 2) == 0)
        code = put(w, "NULL", 4, err);
    else if (code == ERR_OK)
        code = put_literal(w, field, bytes, err);
    return code == ERR_OK && behind ? put(w, behind, strlen(behind), err) : code;
}

/* A tab within a value is escaped: each one parts two fields. */
static enum err_code put_row(struct insert_writer *w, const char *line, size_t bytes, struct err *err)
{
    const char *p = line, *end = line + bytes;
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < w->table->column_count; i++) {
        bool last = i + 1 == w->table->column_count;
        const char *tab = memchr(p, '\t', (size_t)(end - p));
        if (last != (tab == NULL))
            return damaged(w, "a row has not as many fields as the table has columns", err);
        code = put_field(w, i, p, (size_t)((tab ? tab : end) - p), err);
        p = tab ? tab + 1 : end;
    }
    return code == ERR_OK ? put(w, ")", 1, err) : code;
}

/* A row that makes the statement too long waits for the next one. */
static enum err_code add_row(struct insert_writer *w, const char *line, size_t bytes, struct err *err)
{
    enum err_code code = w->rows ? put(w, ", ", 2, err) : ERR_OK;
    w->row_start = w->sql.len;
    if (code == ERR_OK)
        code = put_row(w, line, bytes, err);
    if (code == ERR_OK && w->sql.len > w->packet_bytes)
        code = flush_before(w, err);
    w->rows++;
    bool full = w->sql.len >= GOOD_BYTES || w->sql.len >= w->packet_bytes / 2 || w->rows >= GOOD_ROWS;
    return code == ERR_OK && full ? flush(w, err) : code;
}

enum err_code insert_writer_add(struct insert_writer *w, const char *text, size_t bytes, struct err *err)
{
    if (!w->supported)
        return err_set(err, ERR_REFUSED,
                       "insert into %s: a column is loaded in a way that only LOAD DATA has; allow it"
                       " (local_infile=ON)",
                       w->into);
    enum err_code code = ERR_OK;
    for (const char *p = text, *end = text + bytes; code == ERR_OK && p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((newline ? newline : end) - p);
        if (!newline || w->line.len)
            code = buf_add(&w->line, p, n, NULL) == ERR_OK ? ERR_OK : too_large(w, err);
        if (code == ERR_OK && newline) {
            code = w->line.len ? add_row(w, w->line.data, w->line.len, err) : add_row(w, p, n, err);
            buf_clear(&w->line);
        }
        p += n + (newline != NULL);
    }
    return code;
}

enum err_code insert_writer_end(struct insert_writer *w, struct err *err)
{
    if (w->line.len)
        return damaged(w, "the text does not end with a whole row", err);
    return flush(w, err);
}
