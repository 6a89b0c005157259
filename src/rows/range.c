#include "rows/range.h"

#include "core/mem.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SQL_MAX_BYTES ((size_t)8 << 20)
/* A half smaller than this is not worth a query of its own. */
#define MAX_BISECTIONS 24

void key_tuple_free(struct key_tuple *k)
{
    if (!k)
        return;
    for (unsigned i = 0; i < k->count; i++)
        free(k->literals[i]);
    free(k->literals);
    free(k);
}

struct key_tuple *key_tuple_copy(const struct key_tuple *k)
{
    if (!k)
        return NULL;
    struct key_tuple *copy = xcalloc(1, sizeof *copy);
    copy->count = k->count;
    copy->literals = xcalloc(k->count, sizeof *copy->literals);
    for (unsigned i = 0; i < k->count; i++)
        copy->literals[i] = xstrdup(k->literals[i]);
    return copy;
}

static bool type_is(const struct manifest_column *col, const char *type)
{
    size_t n = strlen(type);
    return strncasecmp(col->type, type, n) == 0 && !isalnum((unsigned char)col->type[n]);
}

static bool is_integer(const struct manifest_column *col)
{
    return type_is(col, "tinyint") || type_is(col, "smallint") || type_is(col, "mediumint") ||
           type_is(col, "int") || type_is(col, "bigint");
}

/* A literal that the server compares with the column exactly and by its index (each form measured). */
static char *literal(const struct manifest_column *col, const char *value, size_t bytes)
{
    struct buf out;
    buf_init(&out, SQL_MAX_BYTES);
    if (is_integer(col) || type_is(col, "decimal") || type_is(col, "year")) {
        buf_putn(&out, value, bytes);
    } else if (type_is(col, "float") || type_is(col, "double")) {
        buf_putn(&out, value, bytes);
        if (!memchr(value, 'e', bytes)) /* without an exponent it would be a DECIMAL literal */
            buf_put(&out, "e0");
    } else if (type_is(col, "uuid") || type_is(col, "inet4") || type_is(col, "inet6")) {
        buf_put(&out, "_utf8mb4'"); /* as binary they match nothing */
        buf_putn(&out, value, bytes);
        buf_put(&out, "'");
    } else if (col->plain) { /* dates and times */
        buf_put(&out, "'");
        buf_putn(&out, value, bytes);
        buf_put(&out, "'");
    } else if (bytes == 0) {
        buf_put(&out, "''");
    } else {
        if (col->charset)
            buf_putf(&out, "_%s ", col->charset);
        buf_put(&out, "0x");
        for (size_t i = 0; i < bytes; i++)
            buf_putf(&out, "%02x", (unsigned char)value[i]);
    }
    char *text = xstrdup(buf_cstr(&out));
    buf_free(&out);
    return text;
}

static struct key_tuple *make_tuple(const struct manifest_table *t, const struct row *row, bool key_row)
{
    struct key_tuple *k = xcalloc(1, sizeof *k);
    k->count = t->key.column_count;
    k->literals = xcalloc(k->count, sizeof *k->literals);
    for (unsigned i = 0; i < k->count; i++) {
        unsigned column = t->key.columns[i], at = key_row ? i : column;
        k->literals[i] = literal(&t->columns[column], row->values[at], row->lengths[at]);
    }
    return k;
}

struct key_tuple *key_tuple_of_row(const struct manifest_table *t, const struct row *row)
{
    return make_tuple(t, row, false);
}

struct key_tuple *key_tuple_of_key_row(const struct manifest_table *t, const struct row *row)
{
    return make_tuple(t, row, true);
}

void key_tuple_print(const struct key_tuple *k, struct buf *out)
{
    buf_put(out, "(");
    for (unsigned i = 0; i < k->count; i++)
        buf_putf(out, "%s%s", i ? ", " : "", k->literals[i]);
    buf_put(out, ")");
}

struct range *range_new(unsigned table, enum range_kind kind, uint64_t rows_estimate)
{
    struct range *r = xcalloc(1, sizeof *r);
    r->table = table;
    r->kind = kind;
    r->rows_estimate = rows_estimate;
    return r;
}

void range_free(struct range *r)
{
    if (!r)
        return;
    key_tuple_free(r->low);
    key_tuple_free(r->high);
    free(r);
}

static void put_key_column(const struct manifest_table *t, unsigned i, struct buf *sql)
{
    db_quote_name(sql, t->columns[t->key.columns[i]].name);
}

/* The tuple comparison "key columns from i on OP bound", strict but for the last column when included. */
static void put_bound(const struct manifest_table *t, const struct key_tuple *bound, char op, bool included,
                      struct buf *sql)
{
    unsigned last = bound->count - 1;
    if (last > 0) { /* the part that the range optimizer uses */
        put_key_column(t, 0, sql);
        buf_putf(sql, "%c=%s AND ", op, bound->literals[0]);
    }
    for (unsigned i = 0; i < last; i++) {
        buf_put(sql, "(");
        put_key_column(t, i, sql);
        buf_putf(sql, "%c%s OR (", op, bound->literals[i]);
        put_key_column(t, i, sql);
        buf_putf(sql, "=%s AND ", bound->literals[i]);
    }
    put_key_column(t, last, sql);
    buf_putf(sql, "%c%s%s", op, included ? "=" : "", bound->literals[last]);
    for (unsigned i = 0; i < last; i++)
        buf_put(sql, "))");
}

void range_where(const struct manifest_table *t, const struct range *r, struct buf *sql)
{
    const char *glue = " WHERE ";
    if (r->kind == RANGE_WHOLE)
        return;
    if (r->kind == RANGE_NULLS || t->key.nullable) {
        buf_put(sql, glue);
        put_key_column(t, 0, sql);
        buf_put(sql, r->kind == RANGE_NULLS ? " IS NULL" : " IS NOT NULL");
        glue = " AND ";
    }
    if (r->low) {
        buf_put(sql, glue);
        put_bound(t, r->low, '>', r->low_included, sql);
        glue = " AND ";
    }
    if (r->high) {
        buf_put(sql, glue);
        put_bound(t, r->high, '<', false, sql);
    }
}

void range_from(const struct manifest_table *t, const char *from, const struct range *r, struct buf *sql)
{
    buf_put(sql, from);
    if (t->system_versioned)
        buf_put(sql, " FOR SYSTEM_TIME ALL");
    if (r->kind != RANGE_WHOLE) {
        buf_put(sql, " FORCE INDEX (");
        db_quote_name(sql, t->key.name);
        buf_put(sql, ")");
    }
}

static void put_order(const struct manifest_table *t, const struct range *r, struct buf *sql)
{
    if (r->kind != RANGE_KEYS)
        return;
    for (unsigned i = 0; i < t->key.column_count; i++) {
        buf_put(sql, i ? ", " : " ORDER BY ");
        put_key_column(t, i, sql);
    }
}

void range_select(const struct manifest_table *t, const char *from, const struct range *r, uint64_t limit,
                  struct buf *sql)
{
    for (unsigned i = 0; i < t->column_count; i++)
        buf_putf(sql, "%s%s", i ? ", " : "SELECT ", t->columns[i].select_expr);
    buf_put(sql, " FROM ");
    range_from(t, from, r, sql);
    range_where(t, r, sql);
    put_order(t, r, sql);
    if (limit)
        buf_putf(sql, " LIMIT %" PRIu64, limit);
}

/* The optimizer's estimate of the rows of a range (an index dive, no reading). */
static enum err_code estimate(struct db_conn *c, const struct manifest_table *t, const char *from,
                              const struct range *r, uint64_t *rows, struct err *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_put(&sql, "EXPLAIN FORMAT=JSON SELECT 1 FROM ");
    range_from(t, from, r, &sql);
    range_where(t, r, &sql);
    struct db_rows *result;
    enum err_code code = db_query(c, buf_cstr(&sql), &result, err);
    buf_free(&sql);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(result);
    const char *at = row && row[0] ? strstr(row[0], "\"rows\":") : NULL;
    if (!at && row && row[0])
        at = strstr(row[0], "\"rows_examined_per_scan\":");
    *rows = at ? strtoull(strchr(at, ':') + 1, NULL, 10) : 0;
    db_rows_free(result);
    return ERR_OK;
}

/* The key that stands offset rows behind the range's start; NULL when there is none. */
static enum err_code dive(struct db_conn *c, const struct manifest_table *t, const char *from,
                          const struct range *r, uint64_t offset, struct key_tuple **key, struct err *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    for (unsigned i = 0; i < t->key.column_count; i++)
        buf_putf(&sql, "%s%s", i ? ", " : "SELECT ", t->columns[t->key.columns[i]].select_expr);
    buf_put(&sql, " FROM ");
    range_from(t, from, r, &sql);
    range_where(t, r, &sql);
    put_order(t, r, &sql);
    buf_putf(&sql, " LIMIT 1 OFFSET %" PRIu64, offset);
    struct db_rows *result;
    *key = NULL;
    enum err_code code = db_query(c, buf_cstr(&sql), &result, err);
    buf_free(&sql);
    if (code != ERR_OK)
        return code;
    const char *const *values = db_row(result);
    if (values) {
        struct row row = {(char *const *)values, db_row_lengths(result)};
        *key = key_tuple_of_key_row(t, &row);
    }
    db_rows_free(result);
    return ERR_OK;
}

static struct range *copy_range(const struct range *r)
{
    struct range *copy = range_new(r->table, r->kind, r->rows_estimate);
    copy->low = key_tuple_copy(r->low);
    copy->low_included = r->low_included;
    copy->high = key_tuple_copy(r->high);
    return copy;
}

/* Leading key values as signed integers wide enough for BIGINT UNSIGNED. */
__extension__ typedef __int128 wide;

static wide to_wide(const char *text)
{
    return *text == '-' ? (wide)strtoll(text, NULL, 10) : (wide)strtoull(text, NULL, 10);
}

/* A bound on the leading column alone: the shorter tuple compares as a prefix. */
static void set_low(struct range *r, wide value)
{
    key_tuple_free(r->low);
    char *text = value < 0 ? xasprintf("%" PRId64, (int64_t)value) : xasprintf("%" PRIu64, (uint64_t)value);
    r->low = xcalloc(1, sizeof *r->low);
    r->low->count = 1;
    r->low->literals = xcalloc(1, sizeof *r->low->literals);
    r->low->literals[0] = text;
    r->low_included = true;
}

/* First and last leading value of the range; *any is false for an empty one. */
static enum err_code leading_ends(struct db_conn *c, const struct manifest_table *t, const char *from,
                                  const struct range *r, wide *low, wide *high, bool *any, struct err *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_put(&sql, "SELECT MIN(");
    put_key_column(t, 0, &sql);
    buf_put(&sql, "), MAX(");
    put_key_column(t, 0, &sql);
    buf_put(&sql, ") FROM ");
    range_from(t, from, r, &sql);
    /* Only the leading column's bounds, so that the server answers from the two ends of the index. */
    struct range lead = *r;
    struct key_tuple low_lead, high_lead;
    lead.low = lead.high = NULL;
    if (r->low) {
        low_lead = (struct key_tuple){1, r->low->literals};
        lead.low = &low_lead;
        lead.low_included = true;
    }
    range_where(t, &lead, &sql);
    if (r->high) {
        high_lead = (struct key_tuple){1, r->high->literals};
        buf_put(&sql, r->low || t->key.nullable ? " AND " : " WHERE ");
        put_bound(t, &high_lead, '<', true, &sql);
    }
    struct db_rows *result;
    enum err_code code = db_query(c, buf_cstr(&sql), &result, err);
    buf_free(&sql);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(result);
    *any = row && row[0] && row[1];
    if (*any) {
        *low = to_wide(row[0]);
        *high = to_wide(row[1]);
    }
    db_rows_free(result);
    return ERR_OK;
}

/* Integers: bisects the leading value by the optimizer's estimates of both halves. */
static enum err_code bisect(struct db_conn *c, const struct manifest_table *t, const char *from,
                            const struct range *r, struct key_tuple **key, struct err *err)
{
    wide low = 0, high = 0;
    bool any;
    *key = NULL;
    enum err_code code = leading_ends(c, t, from, r, &low, &high, &any, err);
    if (code != ERR_OK || !any)
        return code;
    struct range *upper = copy_range(r);
    bool parted =
        low < high; /* the middle is then above the lowest value, so the key found is in the range */
    for (int i = 0; code == ERR_OK && i < MAX_BISECTIONS && low < high; i++) {
        wide middle = low + (high - low + 1) / 2;
        set_low(upper, middle);
        struct range below = *r;
        below.high = upper->low;
        uint64_t rows_above = 0, rows_below = 0;
        code = estimate(c, t, from, upper, &rows_above, err);
        if (code == ERR_OK)
            code = estimate(c, t, from, &below, &rows_below, err);
        if (code != ERR_OK)
            break;
        if (rows_above > 2 * rows_below && middle > low)
            low = middle;
        else if (rows_below > 2 * rows_above && middle < high)
            high = middle;
        else
            break;
    }
    if (code == ERR_OK && parted)
        code = dive(c, t, from, upper, 0, key, err);
    range_free(upper);
    return code;
}

/* Any other type: the key that stands half-way by count; the server walks there without sending rows. */
static enum err_code walk(struct db_conn *c, const struct manifest_table *t, const char *from,
                          const struct range *r, uint64_t rows, uint64_t min_rows, struct key_tuple **key,
                          struct err *err)
{
    enum err_code code = ERR_OK;
    *key = NULL;
    for (uint64_t offset = rows / 2; code == ERR_OK && !*key && offset >= min_rows; offset /= 4)
        code = dive(c, t, from, r, offset, key, err);
    return code;
}

enum err_code range_split(struct db_conn *c, const struct manifest_table *t, const char *from,
                          struct range *r, uint64_t min_rows, struct range **upper, struct err *err)
{
    *upper = NULL;
    if (r->kind != RANGE_KEYS)
        return ERR_OK;
    uint64_t rows;
    struct key_tuple *key = NULL;
    enum err_code code = estimate(c, t, from, r, &rows, err);
    if (code != ERR_OK)
        return code;
    if (rows < 2 * min_rows)
        return ERR_OK;
    if (is_integer(&t->columns[t->key.columns[0]]))
        code = bisect(c, t, from, r, &key, err);
    if (code == ERR_OK && !key)
        code = walk(c, t, from, r, rows, min_rows, &key, err);
    if (code != ERR_OK || !key)
        return code;
    *upper = copy_range(r);
    key_tuple_free((*upper)->low);
    (*upper)->low = key;
    (*upper)->low_included = true;
    (*upper)->rows_estimate = rows / 2;
    key_tuple_free(r->high);
    r->high = key_tuple_copy(key);
    r->rows_estimate = rows / 2;
    return ERR_OK;
}
