/* What can be undone, and dropping what is too old for it. */
#include "restore/undoing.h"

#include "core/mem.h"
#include "db/catalog.h"
#include "db/grants.h"
#include "restore/journal_plan.h"
#include "restore/takeover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Undo data is never deleted before this. */
#define PROTECTED_MS   ((int64_t)48 * 3600 * 1000)
#define NAME_MAX_BYTES 1024
/* Error numbers of the server. */
#define NO_SUCH_TABLE  1146
#define NO_SUCH_SCHEMA 1049

static uint64_t kept_bytes(struct undo *u, const struct operation *op)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < op->schema_count; i++) {
        struct catalog_table *tables;
        unsigned count = 0;
        if (catalog_tables(u->control, u->arena, op->schemas[i], NULL, &tables, &count, NULL) != ERR_OK)
            continue;
        for (unsigned k = 0; k < count; k++)
            bytes += tables[k].data_bytes;
    }
    return bytes;
}

/* Behind the swap something is left to do: old tables may still stand in the live database. */
static bool is_unfinished(const struct operation *op)
{
    bool behind = false, left = false;
    for (unsigned i = 0; i < op->step_count; i++) {
        left |= behind && !op->steps[i].done;
        behind |= op->steps[i].kind == STEP_SWAP;
    }
    return op->swapped && op->state < OPERATION_SWAPPED && left;
}

static bool is_old(const struct undo *u, const struct operation *op)
{
    return op->swapped && op->swapped_ms > 0 && clock_wall_ms(u->run->clock) - op->swapped_ms >= PROTECTED_MS;
}

/* op's plan was read. */
static bool is_purgeable(const struct undo *u, const struct operation *op)
{
    return is_old(u, op) && (!is_unfinished(op) || undoing_was_undone(u, op));
}

static void name_contents(const struct operation *op, struct undo_entry *e)
{
    e->tables = xcalloc(op->exchange_count + 1, sizeof *e->tables);
    e->objects = xcalloc((size_t)op->exchange_count + op->made_count + 1, sizeof *e->objects);
    for (unsigned i = 0; i < op->exchange_count; i++) {
        const struct exchange *x = &op->exchanges[i];
        if (x->kind == EXCHANGE_TABLE)
            e->tables[e->table_count++] = xasprintf("%s.%s", x->schema, x->name);
        else
            e->objects[e->object_count++] = xasprintf("sequence %s.%s", x->schema, x->name);
    }
    for (unsigned i = 0; i < op->made_count; i++) {
        struct buf name;
        buf_init(&name, NAME_MAX_BYTES);
        definition_describe(&op->made[i], &name);
        e->objects[e->object_count++] = xstrdup(buf_cstr(&name));
        buf_free(&name);
    }
}

static enum err_code fill_entry(struct undo *u, struct operation *op, struct undo_entry *e, struct err *err)
{
    enum err_code code = journal_read_plan(u->control, u->arena, op, err);
    if (code != ERR_OK)
        return code;
    name_contents(op, e);
    snprintf(e->restore_id, sizeof e->restore_id, "%s", op->id);
    snprintf(e->kind, sizeof e->kind, "%s", op->is_undo ? "undo" : "restore");
    enum operation_state state = undoing_was_undone(u, op) ? OPERATION_UNDONE
                                 : op->swapped             ? OPERATION_SWAPPED
                                                           : op->state;
    snprintf(e->state, sizeof e->state, "%s", operation_state_name(state));
    if (op->swapped_ms)
        clock_format_iso(op->swapped_ms, e->swapped_at);
    e->archive = xstrdup(op->archive);
    e->unfinished = is_unfinished(op) && state == OPERATION_SWAPPED;
    e->pending = !op->is_undo && op->state < OPERATION_SWAPPED && state != OPERATION_UNDONE;
    e->undo_bytes = kept_bytes(u, op);
    e->purgeable = is_purgeable(u, op);
    return ERR_OK;
}

enum err_code undoing_check_sight(struct undo *u, struct err *err)
{
    struct grants *grants = NULL;
    enum err_code code = grants_read(u->control, &grants, err);
    const char *account = code == ERR_OK ? grants_account(grants) : "";
    if (code == ERR_OK && !grants_have(grants, PRIV_SELECT, "dbsafe_undo_1", NULL))
        code = err_set(err, ERR_DB_DENIED,
                       "undo: what can be undone on %s is kept in databases named dbsafe_..., which this "
                       "account cannot see: GRANT ALL ON `dbsafe\\_%%`.* TO %s",
                       db_target(u->control), *account ? account : "...");
    grants_free(grants);
    return code;
}

enum err_code undo_check_sight(const struct run *run, const struct db_params *db, struct err *err)
{
    struct undo u;
    enum err_code code = undoing_open(&u, run, db, NULL, err);
    if (code == ERR_OK)
        code = undoing_check_sight(&u, err);
    undoing_close(&u);
    return code;
}

enum err_code undo_list(const struct run *run, const struct db_params *db, struct undo_entry **entries,
                        unsigned *count, struct err *err)
{
    struct undo u;
    *entries = NULL;
    *count = 0;
    enum err_code code = undoing_open(&u, run, db, NULL, err);
    if (code == ERR_OK) {
        *entries = xcalloc(u.op_count + 1, sizeof **entries);
        for (unsigned i = u.op_count; code == ERR_OK && i-- > 0;) {
            code = fill_entry(&u, &u.ops[i], &(*entries)[*count], err);
            *count += code == ERR_OK;
            if (code == ERR_DB &&
                (db_errno(u.control) == NO_SUCH_TABLE || db_errno(u.control) == NO_SUCH_SCHEMA))
                code = ERR_OK; /* another run is just removing it */
        }
    }
    undoing_close(&u);
    return code;
}

static void names_free(char **names, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

void undo_list_free(struct undo_entry *entries, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        free(entries[i].archive);
        names_free(entries[i].tables, entries[i].table_count);
        names_free(entries[i].objects, entries[i].object_count);
    }
    free(entries);
}

static enum err_code purge_one(struct undo *u, struct operation *op, bool dry_run, struct err *err)
{
    log_info(u->run->log, "%s the undo data of %s %s (%u tables and sequences, %u definitions)",
             dry_run ? "would drop" : "dropping", op->is_undo ? "undo" : "restore", op->id,
             op->exchange_count, op->kept_count);
    if (dry_run)
        return ERR_OK;
    if (undoing_was_undone(u, op))
        op->state = OPERATION_UNDONE;
    enum err_code code = takeover_lock(u->control, op, UNDO_LOCK_WAIT_S, err);
    if (code == ERR_OK)
        code = remains_drop(u->control, op, &u->given, err);
    if (code != ERR_DB_RETRY)
        return code;
    err->code = ERR_TIMEOUT;
    err_wrap(err, "purge %s", op->id);
    return err_hint(err, "; another session uses the kept tables (SHOW PROCESSLIST); end it, or purge later");
}

/* Whether the user may have this one purged. */
static enum err_code check_purge(struct undo *u, const char *restore_id, struct err *err)
{
    struct operation *op;
    enum err_code code = undoing_find(u, restore_id, &op, err);
    if (code == ERR_OK)
        code = journal_read_plan(u->control, u->arena, op, err);
    if (code == ERR_OK && !is_old(u, op))
        code =
            op->swapped
                ? err_set(err, ERR_REFUSED, "purge %s: undo data is kept for 48 hours after the swap",
                          restore_id)
                : err_set(
                      err, ERR_REFUSED,
                      "purge %s: it was never swapped, and undo data is kept for 48 hours; `dbsafe undo %s`"
                      " clears it away",
                      restore_id, restore_id);
    else if (code == ERR_OK && !is_purgeable(u, op))
        code = err_set(
            err, ERR_REFUSED,
            "purge %s: not all that is behind its swap was done, and old tables may still stand in the"
            " live database: `dbsafe %s` first",
            restore_id, op->is_undo ? "undo" : "restore --resume");
    return code;
}

enum err_code undo_purge(const struct run *run, const struct db_params *db,
                         const struct undo_options *options, unsigned *purged, struct err *err)
{
    struct undo u;
    const char *id = options->restore_id;
    *purged = 0;
    enum err_code code = undoing_open(&u, run, db, NULL, err), refused = ERR_OK;
    u.given = (struct remains_given){options->staging_schema, options->undo_schema};
    if (code == ERR_OK && id)
        code = check_purge(&u, id, err);
    for (unsigned i = 0; code == ERR_OK && i < u.op_count; i++) {
        struct operation *op = &u.ops[i];
        if ((id && strcmp(op->id, id) != 0) || !is_old(&u, op))
            continue;
        code = journal_read_plan(u.control, u.arena, op, err);
        if (code != ERR_OK || !is_purgeable(&u, op))
            continue;
        code = purge_one(&u, op, options->dry_run, err);
        *purged += code == ERR_OK;
        if (code == ERR_REFUSED) {
            refused = code;
            code = ERR_OK;
        }
    }
    undoing_close(&u);
    return code != ERR_OK ? code : refused;
}
