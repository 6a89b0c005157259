/*
 * A fake of db/conn.h that plays recorded answers instead of asking a server, because no MySQL server and no
 * managed one is available to these tests.  The recordings in tests/fixtures/recorded were written from the
 * servers' documentation and source, not taken from a server; only mariadb-10.11.txt was.
 *
 * A test program that includes this is linked with these functions in place of src/db/conn.c.  A statement
 * that has no answer fails the test.  Everything that was sent is kept, with the number of its connection
 * (from 1), in fake_db.log.
 */
#ifndef DBSAFE_TESTS_SUPPORT_FAKE_DB_H
#define DBSAFE_TESTS_SUPPORT_FAKE_DB_H

#include "support/test.h"

#include "core/arena.h"
#include "core/mem.h"
#include "db/conn.h"
#include "db/sqlerror.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define FAKE_ANSWERS 256

/* A statement, with "..." at its start or end for any text there, and what it gives: rows as lines of fields
 * parted by tabs
 * (\N for NULL; \t, \n and \\ escaped), nothing, or "!1227 the server's words". */
struct fake_answer {
    const char *statement, *rows;
    int left; /* times it is given; -1: always */
};

static struct {
    struct arena *arena;
    const char *version;
    struct fake_answer answers[FAKE_ANSWERS]; /* the last one that fits is given */
    unsigned count, connections;
    struct buf log;
} fake_db;

struct db_conn {
    unsigned number, last_errno;
    struct cancel *cancel;
    char *pending; /* sent, not reaped */
};

struct db_rows {
    char *text; /* owned; values point into it */
    const char **values;
    unsigned long *lengths;
    uint64_t rows;
    unsigned columns;
    uint64_t next;
};

static inline void fake_db_begin(const char *version)
{
    arena_free(fake_db.arena);
    buf_free(&fake_db.log);
    memset(&fake_db, 0, sizeof fake_db);
    fake_db.arena = arena_new();
    fake_db.version = arena_strdup(fake_db.arena, version);
    buf_init(&fake_db.log, (size_t)1 << 20);
}

static inline void fake_db_end(void)
{
    arena_free(fake_db.arena);
    buf_free(&fake_db.log);
    memset(&fake_db, 0, sizeof fake_db);
}

static inline void fake_db_add(const char *statement, const char *rows, int left)
{
    assert_true(fake_db.count < FAKE_ANSWERS);
    fake_db.answers[fake_db.count++] =
        (struct fake_answer){arena_strdup(fake_db.arena, statement), arena_strdup(fake_db.arena, rows), left};
}

static inline void fake_db_answer(const char *statement, const char *rows)
{
    fake_db_add(statement, rows, -1);
}

/* For the next time only; of several the one added last comes first. */
static inline void fake_db_once(const char *statement, const char *rows)
{
    fake_db_add(statement, rows, 1);
}

/* Plays a file: "version 8.0.36" in its first line, then "> statement" with its rows in the lines below; "#"
 * comments. */
static inline void fake_db_play(const char *file)
{
    char path[512];
    snprintf(path, sizeof path, "tests/fixtures/recorded/%s.txt", file);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        fail_msg("%s: run from the project's folder", path);
    char *line = NULL;
    size_t cap = 0;
    struct buf statement, rows;
    buf_init(&statement, 1 << 16);
    buf_init(&rows, 1 << 20);
    fake_db_begin("");
    for (ssize_t n; (n = getline(&line, &cap, f)) > 0;) {
        if (line[0] == '#' || (line[0] == '\n' && statement.len == 0))
            continue;
        if (strncmp(line, "version ", 8) == 0) {
            line[strcspn(line, "\n")] = '\0';
            fake_db.version = arena_strdup(fake_db.arena, line + 8);
        } else if (strncmp(line, "> ", 2) == 0) {
            if (statement.len)
                fake_db_answer(buf_cstr(&statement), buf_cstr(&rows));
            buf_clear(&statement);
            buf_clear(&rows);
            buf_putn(&statement, line + 2, strcspn(line + 2, "\n"));
        } else if (line[0] != '\n') {
            buf_putn(&rows, line, (size_t)n);
        }
    }
    if (statement.len)
        fake_db_answer(buf_cstr(&statement), buf_cstr(&rows));
    free(line);
    buf_free(&statement);
    buf_free(&rows);
    fclose(f);
}

/* Whether texts occur in this order in what was sent. */
static inline bool fake_db_sent(const char *const *texts)
{
    const char *at = buf_cstr(&fake_db.log);
    for (; *texts; texts++) {
        at = strstr(at, *texts);
        if (at == NULL)
            return false;
        at += strlen(*texts);
    }
    return true;
}

static inline bool fake_fits(const char *pattern, const char *sql)
{
    size_t n = strlen(pattern);
    bool from = strncmp(pattern, "...", 3) == 0, to = n > 3 && strcmp(pattern + n - 3, "...") == 0;
    if (from && to) {
        char middle[512];
        snprintf(middle, sizeof middle, "%.*s", (int)(n - 6), pattern + 3);
        return strstr(sql, middle) != NULL;
    }
    if (from)
        return strlen(sql) >= n - 3 && strcmp(sql + strlen(sql) - (n - 3), pattern + 3) == 0;
    return to ? strncmp(sql, pattern, n - 3) == 0 : strcmp(sql, pattern) == 0;
}

/* Statements that any server takes from anybody and that give nothing. */
static inline bool fake_is_common(const char *sql)
{
    static const char *const common[] = {"SET ",  "START TRANSACTION", "ROLLBACK", "COMMIT",
                                         "BEGIN", "UNLOCK TABLES",     "DO 1"};
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        if (strncmp(sql, common[i], strlen(common[i])) == 0)
            return true;
    return false;
}

static inline const char *fake_find(const char *sql)
{
    for (unsigned i = fake_db.count; i-- > 0;) {
        struct fake_answer *a = &fake_db.answers[i];
        if (a->left == 0 || !fake_fits(a->statement, sql))
            continue;
        a->left -= a->left > 0;
        return a->rows;
    }
    if (!fake_is_common(sql))
        fail_msg("no answer is recorded for: %s", sql);
    return "";
}

/* What the statement gives, or NULL after the error it gives. */
static inline const char *fake_run(struct db_conn *c, const char *sql, struct err *err)
{
    if (cancel_check(c->cancel, err) != ERR_OK)
        return NULL;
    buf_putf(&fake_db.log, "%u: %s\n", c->number, sql);
    const char *rows = fake_find(sql);
    c->last_errno = 0;
    if (rows[0] != '!')
        return rows;
    c->last_errno = (unsigned)strtoul(rows + 1, NULL, 10);
    const char *words = strchr(rows, ' ');
    err_set(err, sql_error_code(c->last_errno), "%.44s on fake: error %u: %.*s", sql, c->last_errno,
            words ? (int)strcspn(words + 1, "\n") : 0, words ? words + 1 : "");
    return NULL;
}

static inline enum err_code fake_code(const struct db_conn *c, const struct err *err)
{
    return c->last_errno ? sql_error_code(c->last_errno) : err ? err->code : ERR_SIGINT;
}

/* Field by field; escapes are undone in place. */
static inline struct db_rows *fake_parse(const char *text)
{
    struct db_rows *r = xcalloc(1, sizeof *r);
    r->text = xstrdup(text);
    r->values = xcalloc(strlen(text) + 2, sizeof *r->values);
    r->lengths = xcalloc(strlen(text) + 2, sizeof *r->lengths);
    size_t n = 0;
    for (char *p = r->text; *p;) {
        char *w = p;
        const char *start = p;
        bool null = p[0] == '\\' && p[1] == 'N';
        while (*p != '\t' && *p != '\n' && *p != '\0') {
            if (*p == '\\' && p[1]) {
                p++;
                *w++ = *p == 't' ? '\t' : *p == 'n' ? '\n' : *p == '0' ? '\0' : *p;
                p++;
            } else {
                *w++ = *p++;
            }
        }
        char end = *p;
        p += end != '\0';
        r->lengths[n] = null ? 0 : (unsigned long)(w - start);
        r->values[n++] = null ? NULL : start;
        *w = '\0';
        if (end != '\t') {
            r->rows++;
            r->columns = r->columns ? r->columns : (unsigned)n;
            assert_int_equal(n, r->rows * r->columns);
        }
    }
    return r;
}

/* ---- what stands in for src/db/conn.c ---- */

enum err_code db_connect(const struct db_params *params, struct cancel *cancel, struct db_conn **out,
                         struct err *err)
{
    (void)params;
    *out = NULL;
    enum err_code code = cancel_check(cancel, err);
    if (code != ERR_OK)
        return code;
    *out = xcalloc(1, sizeof **out);
    (*out)->number = ++fake_db.connections;
    (*out)->cancel = cancel;
    return ERR_OK;
}

void db_close(struct db_conn *c)
{
    if (!c)
        return;
    buf_putf(&fake_db.log, "%u: closed\n", c->number);
    free(c->pending);
    free(c);
}

unsigned long db_id(const struct db_conn *c)
{
    return c->number;
}

const char *db_version(const struct db_conn *c)
{
    (void)c;
    return fake_db.version;
}

const char *db_target(const struct db_conn *c)
{
    (void)c;
    return "fake";
}

unsigned db_errno(const struct db_conn *c)
{
    return c->last_errno;
}

void *db_handle(struct db_conn *c)
{
    (void)c;
    fail_msg("the fake has no handle of Connector/C");
    return NULL;
}

enum err_code db_error(struct db_conn *c, struct err *err, const char *format, ...)
{
    (void)format;
    return err_set(err, sql_error_code(c->last_errno), "error %u", c->last_errno);
}

enum err_code db_exec(struct db_conn *c, const char *sql, struct err *err)
{
    struct err own;
    err = err ? err : &own;
    return fake_run(c, sql, err) ? ERR_OK : fake_code(c, err);
}

enum err_code db_execn(struct db_conn *c, const char *sql, size_t bytes, struct err *err)
{
    char *text = xstrndup(sql, bytes);
    enum err_code code = db_exec(c, text, err);
    free(text);
    return code;
}

void db_changes(const struct db_conn *c, uint64_t *rows, uint64_t *warnings)
{
    (void)c;
    *rows = *warnings = 0;
}

static inline char *fake_format(const char *format, va_list args)
{
    char *sql;
    if (vasprintf(&sql, format, args) < 0)
        abort();
    return sql;
}

enum err_code db_execf(struct db_conn *c, struct err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sql = fake_format(format, args);
    va_end(args);
    enum err_code code = db_exec(c, sql, err);
    free(sql);
    return code;
}

enum err_code db_send(struct db_conn *c, const char *sql, struct err *err)
{
    (void)err;
    free(c->pending);
    c->pending = xstrdup(sql);
    return ERR_OK;
}

enum err_code db_reap(struct db_conn *c, struct err *err)
{
    char *sql = c->pending;
    c->pending = NULL;
    assert_non_null(sql);
    enum err_code code = db_exec(c, sql, err);
    free(sql);
    return code;
}

enum err_code db_query(struct db_conn *c, const char *sql, struct db_rows **out, struct err *err)
{
    struct err own;
    err = err ? err : &own;
    const char *rows = fake_run(c, sql, err);
    *out = rows ? fake_parse(rows) : NULL;
    return rows ? ERR_OK : fake_code(c, err);
}

enum err_code db_queryf(struct db_conn *c, struct db_rows **out, struct err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sql = fake_format(format, args);
    va_end(args);
    enum err_code code = db_query(c, sql, out, err);
    free(sql);
    return code;
}

const char *const *db_row(struct db_rows *rows)
{
    return rows->next < rows->rows ? &rows->values[rows->next++ * rows->columns] : NULL;
}

const unsigned long *db_row_lengths(struct db_rows *rows)
{
    return &rows->lengths[(rows->next - 1) * rows->columns];
}

uint64_t db_row_count(const struct db_rows *rows)
{
    return rows->rows;
}

void db_rows_free(struct db_rows *rows)
{
    if (!rows)
        return;
    free(rows->values);
    free(rows->lengths);
    free(rows->text);
    free(rows);
}

enum err_code db_scalar(struct db_conn *c, const char *sql, struct buf *out, bool *found, struct err *err)
{
    struct db_rows *rows;
    buf_clear(out);
    enum err_code code = db_query(c, sql, &rows, err);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    if (found)
        *found = row != NULL;
    if (row && row[0])
        code = buf_add(out, row[0], db_row_lengths(rows)[0], err);
    db_rows_free(rows);
    return code;
}

enum err_code db_load(struct db_conn *c, const char *sql, db_load_fn *next, void *arg, struct err *err)
{
    (void)next, (void)arg;
    return db_exec(c, sql, err);
}

const char *db_load_info(const struct db_conn *c)
{
    (void)c;
    return "";
}

enum err_code db_kill(struct db_conn *c, unsigned long id, struct err *err)
{
    return db_execf(c, err, "KILL %lu", id);
}

#endif
