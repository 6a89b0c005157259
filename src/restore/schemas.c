#include "restore/schemas.h"

#include "db/catalog.h"
#include "db/grants.h"
#include "db/quote.h"

#include <string.h>

#define SQL_MAX_BYTES ((size_t)64 << 10)

enum err_code schemas_read(struct db_conn *c, struct arena *arena, const char *schema,
                           struct schema_defaults *out, struct err *err)
{
    struct catalog_schema *all;
    unsigned count = 0;
    *out = (struct schema_defaults){0};
    enum err_code code = catalog_schemas(c, arena, &all, &count, err);
    for (unsigned i = 0; i < count; i++)
        if (strcmp(all[i].name, schema) == 0)
            *out = (struct schema_defaults){all[i].charset, all[i].collation, all[i].comment};
    return code;
}

static bool same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

bool schemas_equal(const struct schema_defaults *a, const struct schema_defaults *b)
{
    return same(a->charset, b->charset) && same(a->collation, b->collation) && same(a->comment, b->comment);
}

/* The names come from an archive: as texts they cannot be anything else. */
static void put_defaults(struct buf *sql, const struct schema_defaults *d, bool comment)
{
    buf_put(sql, " CHARACTER SET ");
    db_quote_text(sql, d->charset);
    buf_put(sql, " COLLATE ");
    db_quote_text(sql, d->collation);
    if (!comment)
        return;
    buf_put(sql, " COMMENT ");
    db_quote_text(sql, d->comment ? d->comment : "");
}

enum err_code schemas_make(struct db_conn *c, const struct schema_change *change, struct err *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_put(&sql, "CREATE DATABASE IF NOT EXISTS ");
    db_quote_name(&sql, change->schema);
    if (change->after.charset)
        put_defaults(&sql, &change->after, change->after.comment && change->after.comment[0]);
    enum err_code code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}

/* Routines and events of others are invisible to an account without privileges on them. */
static enum err_code sees_all(struct db_conn *c, const char *schema, bool *all, struct err *err)
{
    static const enum privilege routines[] = {PRIV_EXECUTE, PRIV_ALTER_ROUTINE, PRIV_CREATE_ROUTINE};
    struct grants *g;
    *all = false;
    enum err_code code = grants_read(c, &g, err);
    if (code != ERR_OK)
        return code;
    bool sees_routines = grants_have(g, PRIV_SELECT, "mysql", "proc");
    for (size_t i = 0; i < sizeof routines / sizeof routines[0]; i++)
        sees_routines |= grants_have(g, routines[i], schema, NULL);
    *all = sees_routines && grants_have(g, PRIV_EVENT, schema, NULL);
    grants_free(g);
    return ERR_OK;
}

/* *empty: nothing is in it that this account can see. */
static enum err_code looks_empty(struct db_conn *c, const char *schema, bool *empty, struct err *err)
{
    struct buf sql, left;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_init(&left, 64);
    buf_put(&sql, "SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA=");
    db_quote_text(&sql, schema);
    buf_put(&sql, ") + (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA=");
    db_quote_text(&sql, schema);
    buf_put(&sql, ") + (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA=");
    db_quote_text(&sql, schema);
    buf_put(&sql, ")");
    enum err_code code = db_scalar(c, buf_cstr(&sql), &left, NULL, err);
    *empty = code == ERR_OK && strcmp(buf_cstr(&left), "0") == 0;
    buf_free(&sql);
    buf_free(&left);
    return code;
}

static enum err_code drop(struct db_conn *c, const char *schema, struct err *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_put(&sql, "DROP DATABASE IF EXISTS ");
    db_quote_name(&sql, schema);
    enum err_code code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}

/* What comes in between would be dropped too, so the schema must be one that this operation (or the one that
 * it undoes) made. */
static enum err_code drop_if_empty(const struct run *run, struct db_conn *c, const char *schema,
                                   struct err *err)
{
    struct arena *arena = arena_new();
    struct schema_defaults now;
    bool empty = false, all = false;
    enum err_code code = schemas_read(c, arena, schema, &now, err);
    bool is_there = code == ERR_OK && now.charset;
    arena_free(arena);
    if (is_there)
        code = looks_empty(c, schema, &empty, err);
    if (code == ERR_OK && empty)
        code = sees_all(c, schema, &all, err);
    if (code != ERR_OK || !empty)
        return code;
    if (all)
        return drop(c, schema, err);
    log_warn(run->log,
             "database %s, which dbsafe made, stays: it looks empty, but this account would not see the"
             " routines and events of others there (GRANT EXECUTE, EVENT ON `%s`.*)",
             schema, schema);
    return ERR_OK;
}

static enum err_code alter(struct db_conn *c, const char *schema, const struct schema_defaults *wanted,
                           struct err *err)
{
    struct arena *arena = arena_new();
    struct schema_defaults now;
    enum err_code code = schemas_read(c, arena, schema, &now, err);
    /* Without a name: what it was has not been read yet, so nothing was changed. */
    if (code == ERR_OK && wanted->charset[0] && now.charset && !schemas_equal(&now, wanted)) {
        struct buf sql;
        buf_init(&sql, SQL_MAX_BYTES);
        buf_put(&sql, "ALTER DATABASE ");
        db_quote_name(&sql, schema);
        put_defaults(&sql, wanted, !same(now.comment, wanted->comment));
        code = db_exec(c, buf_cstr(&sql), err);
        buf_free(&sql);
    }
    arena_free(arena);
    return code;
}

enum err_code schemas_set(const struct run *run, struct db_conn *c, const struct schema_change *change,
                          struct err *err)
{
    return change->after.charset ? alter(c, change->schema, &change->after, err)
                                 : drop_if_empty(run, c, change->schema, err);
}

enum err_code schemas_take_back(const struct run *run, struct db_conn *c, const struct schema_change *change,
                                struct err *err)
{
    return change->before.charset ? alter(c, change->schema, &change->before, err)
                                  : drop_if_empty(run, c, change->schema, err);
}
