#include "restore/remains.h"

#include "restore/owner.h"

#include <stdio.h>
#include <string.h>

/* ---- removing ---- */

static bool is_own(const char *schema)
{
    return strncmp(schema, "dbsafe_", 7) == 0;
}

/* The names come from tables on the server: whoever may write those must not choose what is dropped here. */
static enum err_code drop_schema(struct db_conn *c, const char *schema, struct err *err)
{
    if (!is_own(schema))
        return err_set(err, ERR_REFUSED,
                       "drop database %s: a journal says that dbsafe made it, but its own begin with dbsafe_",
                       schema);
    struct buf sql;
    buf_init(&sql, 1024);
    buf_put(&sql, "DROP DATABASE IF EXISTS ");
    db_quote_name(&sql, schema);
    enum err_code code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}

/* The tables that are dropped may refer to each other. */
static enum err_code without_key_checks(struct db_conn *c, struct err *err)
{
    return db_exec(c, "SET SESSION foreign_key_checks=0", err);
}

static bool is_staging(const char *schema)
{
    return strncmp(schema, "dbsafe_stage_", 13) == 0;
}

static bool was_made(const struct operation *op, const char *schema)
{
    for (unsigned i = 0; i < op->schema_count; i++)
        if (strcmp(op->schemas[i], schema) == 0)
            return true;
    return false;
}

/* Placeholders that were exchanged stand beside the staging tables, also in a schema of the user's, under a
 * name that only this operation gives. */
static enum err_code drop_placeholders(struct db_conn *c, const struct operation *op, struct err *err)
{
    struct buf sql;
    buf_init(&sql, 4096);
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && op->swapped && i < op->exchange_count; i++) {
        const struct exchange *x = &op->exchanges[i];
        if (!x->placeholder || was_made(op, x->outgoing_schema))
            continue;
        buf_clear(&sql);
        buf_put(&sql, "DROP SEQUENCE IF EXISTS ");
        operation_outgoing(op, i, &sql);
        code = db_exec(c, buf_cstr(&sql), err);
    }
    buf_free(&sql);
    return code;
}

enum err_code remains_drop_staging(struct db_conn *c, const struct operation *op, struct err *err)
{
    enum err_code code = without_key_checks(c, err);
    if (code == ERR_OK)
        code = drop_placeholders(c, op, err);
    for (unsigned i = 0; code == ERR_OK && i < op->schema_count; i++)
        if (is_staging(op->schemas[i]))
            code = drop_schema(c, op->schemas[i], err);
    return code;
}

/* A table that stands in a schema which the user named (--staging-schema, --undo-schema): only the table is
 * ours. */
static enum err_code drop_tables_in_given(struct db_conn *c, const struct operation *op,
                                          const struct remains_given *given, struct err *err)
{
    struct buf sql;
    buf_init(&sql, 4096);
    const char *named = op->swapped ? given->undo_schema : given->staging_schema;
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && op->state != OPERATION_UNDONE && i < op->exchange_count; i++) {
        const struct exchange *x = &op->exchanges[i];
        const char *schema = op->swapped ? x->outgoing_schema : op->is_undo ? NULL : x->incoming_schema;
        /* What an undo brings in is the undo data of the operation before: not its own. */
        if (!schema || was_made(op, schema) || (op->swapped && x->placeholder))
            continue;
        if (!is_own(schema) && (!named || strcmp(named, schema) != 0)) {
            code = err_set(
                err, ERR_REFUSED,
                "drop %s.%s: the journal of %s says that it is dbsafe's, but that database is not; if it"
                " is the one you named for it, say so again: --%s-schema %s",
                schema, x->name, op->id, op->swapped ? "undo" : "staging", schema);
            break;
        }
        buf_clear(&sql);
        buf_put(&sql, "DROP TABLE IF EXISTS ");
        db_quote_pair(&sql, schema, x->name);
        code = db_exec(c, buf_cstr(&sql), err);
    }
    buf_free(&sql);
    return code;
}

enum err_code remains_drop(struct db_conn *c, const struct operation *op, const struct remains_given *given,
                           struct err *err)
{
    char name[64];
    snprintf(name, sizeof name, "dbsafe_%s", op->id);
    enum err_code code = without_key_checks(c, err);
    if (code == ERR_OK)
        code = drop_placeholders(c, op, err);
    if (code == ERR_OK)
        code = drop_tables_in_given(c, op, given, err);
    for (unsigned i = 0; code == ERR_OK && i < op->schema_count; i++)
        code = drop_schema(c, op->schemas[i], err);
    /* The marker goes first: a server that dies in DROP DATABASE may leave any part of the rest. */
    if (code == ERR_OK)
        code = db_execf(c, err, "DROP TABLE IF EXISTS `%s`.pending, `%s`.done", name, name);
    return code == ERR_OK ? drop_schema(c, name, err) : code;
}

/* The ids of schemas of our form that hold no marker. */
static enum err_code query_markerless(struct db_conn *c, struct db_rows **rows, struct err *err)
{
    return db_query(
        c,
        "SELECT SUBSTRING(SCHEMA_NAME, 8) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME REGEXP"
        " '^dbsafe_[0-9]{8}t[0-9]{9}_[0-9a-f]{4}$' AND SCHEMA_NAME NOT IN"
        " (SELECT TABLE_SCHEMA FROM information_schema.TABLES WHERE TABLE_NAME IN ('pending', 'done'))",
        rows, err);
}

static enum err_code is_markerless(struct db_conn *c, const char *id, bool *is, struct err *err)
{
    struct db_rows *rows;
    enum err_code code = query_markerless(c, &rows, err);
    *is = false;
    if (code != ERR_OK)
        return code;
    const char *const *row;
    while ((row = db_row(rows)))
        *is |= strcmp(row[0], id) == 0;
    db_rows_free(rows);
    return ERR_OK;
}

/* The list may be older than the marker of a run that is just beginning: under its lock it is asked again. */
static enum err_code sweep_one(struct db_conn *c, const char *id, struct err *err)
{
    bool got, is = false;
    char name[64];
    snprintf(name, sizeof name, "dbsafe_%s", id);
    enum err_code code = owner_lock_journal(c, id, &got, err);
    if (code != ERR_OK || !got)
        return code;
    code = is_markerless(c, id, &is, err);
    if (code == ERR_OK && is)
        code = drop_schema(c, name, err);
    if (code == ERR_OK)
        code = db_execf(c, err, "DO RELEASE_LOCK('dbsafe:journal:%s')", id);
    return code;
}

enum err_code remains_sweep(struct db_conn *c, struct err *err)
{
    struct db_rows *rows;
    enum err_code code = query_markerless(c, &rows, err);
    if (code != ERR_OK)
        return code;
    const char *const *row;
    while (code == ERR_OK && (row = db_row(rows)))
        code = sweep_one(c, row[0], err);
    db_rows_free(rows);
    return code;
}
