#include "restore/takeover.h"

#include "db/quote.h"
#include "restore/journal.h"
#include "restore/owner.h"

#include <stdio.h>
#include <string.h>

#define SQL_MAX_BYTES ((size_t)4096)

/* ---- locks ---- */

/* *failed: the database whose lock another has. */
static enum err_code lock_all(struct db_conn *c, const struct operation *op, unsigned wait_s,
                              const char **failed, struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < op->exchange_count; i++) {
        *failed = op->exchanges[i].schema;
        if (i == 0 || strcmp(*failed, op->exchanges[i - 1].schema) != 0)
            code = owner_lock_schema(c, *failed, wait_s, err);
    }
    for (unsigned i = 0; code == ERR_OK && i < op->schema_change_count; i++) {
        *failed = op->schema_changes[i].schema;
        code = owner_lock_schema(c, *failed, wait_s, err);
    }
    return code;
}

enum err_code takeover_lock(struct db_conn *c, const struct operation *op, unsigned wait_s, struct err *err)
{
    const char *failed;
    return lock_all(c, op, wait_s, &failed, err);
}

/* *ours: nobody has the lock any more, or a connection that the journal notes. */
static enum err_code is_held_for(struct db_conn *c, const struct operation *op, const char *schema,
                                 bool *ours, struct err *err)
{
    struct buf name, sql, answer;
    buf_init(&name, SQL_MAX_BYTES);
    buf_init(&sql, SQL_MAX_BYTES);
    buf_init(&answer, 64);
    buf_put(&name, "IS_USED_LOCK(CONCAT('dbsafe:', MD5(");
    db_quote_text(&name, schema);
    buf_put(&name, ")))");
    buf_putf(&sql, "SELECT %s IS NULL OR EXISTS (SELECT 1 FROM `dbsafe_%s`.connection WHERE id = %s)",
             buf_cstr(&name), op->id, buf_cstr(&name));
    enum err_code code = db_scalar(c, buf_cstr(&sql), &answer, NULL, err);
    *ours = code == ERR_OK && strcmp(buf_cstr(&answer), "1") == 0;
    buf_free(&name);
    buf_free(&sql);
    buf_free(&answer);
    return code;
}

/* ---- the owner ---- */

enum err_code takeover_check(struct db_conn *c, const struct operation *op, struct err *err)
{
    struct buf now;
    char sql[128];
    buf_init(&now, SQL_MAX_BYTES);
    snprintf(sql, sizeof sql, "SELECT MAX(v) FROM `dbsafe_%s`.meta WHERE k = 'owner'", op->id);
    enum err_code code = db_scalar(c, sql, &now, NULL, err);
    if (code == ERR_OK && strcmp(buf_cstr(&now), op->owner ? op->owner : "") != 0)
        code = err_set(err, ERR_LOCKED, "%s %s: another dbsafe has taken it over",
                       op->is_undo ? "undo" : "restore", op->id);
    buf_free(&now);
    return code;
}

/* Ends what works for op, unless that is somebody else by now. */
static enum err_code end_connections(struct db_conn *c, const struct operation *op, struct err *err)
{
    enum err_code code = takeover_check(c, op, err);
    return code == ERR_OK ? owner_end_connections(c, op, err) : code;
}

/* A dead process's connection can hold the lock until the server notices; it is ended, but no other. */
static enum err_code lock_after_dead(struct db_conn *c, const struct operation *op, unsigned wait_s,
                                     struct err *err)
{
    const char *failed;
    bool ours;
    enum err_code code = lock_all(c, op, 0, &failed, err);
    if (code != ERR_LOCKED)
        return code;
    struct err locked = *err;
    code = is_held_for(c, op, failed, &ours, err);
    if (code == ERR_OK && !ours)
        return err_copy(err, &locked);
    /* Only the lock tells whether a process that cannot be seen from here is alive. */
    if (code == ERR_OK && !owner_is_elsewhere(op))
        code = end_connections(c, op, err);
    return code == ERR_OK ? takeover_lock(c, op, wait_s, err) : code;
}

enum err_code takeover(struct db_conn *c, struct arena *arena, struct operation *op, unsigned wait_s,
                       struct err *err)
{
    enum err_code code = lock_after_dead(c, op, wait_s, err);
    if (code == ERR_OK)
        code = end_connections(c, op, err);
    if (code == ERR_OK)
        code = owner_identify(c, arena, op, err);
    return code == ERR_OK ? journal_set_owner(c, op, err) : code;
}
