#include "core/fault.h"
#include "core/mem.h"
#include "db/catalog.h"
#include "db/session.h"
#include "restore/journal.h"
#include "restore/restore.h"
#include "restore/swap.h"
#include "restore/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Undo data is never deleted before this. */
#define PROTECTED_MS    ((int64_t)48 * 3600 * 1000)
#define NAMES_MAX_BYTES ((size_t)1 << 20)
#define LOCK_WAIT_S     5

struct undo {
    const struct run *run;
    const struct db_params *params;
    struct journal_given given;
    struct db_conn *control;
    struct arena *arena;
    struct operation *ops;
    unsigned op_count;
};

/* Nothing here may wait behind other sessions' locks for as long as the server allows, which can be a day. */
static enum err_code connect_control(struct undo *u, struct cancel *cancel, struct err *err)
{
    enum err_code code = db_connect(u->params, cancel, &u->control, err);
    return code == ERR_OK ? session_lock_wait(u->control, LOCK_WAIT_S, err) : code;
}

static enum err_code open_undo(struct undo *u, const struct run *run, const struct db_params *db,
                               struct err *err)
{
    *u = (struct undo){.run = run, .params = db, .arena = arena_new()};
    enum err_code code = connect_control(u, run->cancel, err);
    return code == ERR_OK ? journal_list(u->control, u->arena, &u->ops, &u->op_count, err) : code;
}

static void close_undo(struct undo *u)
{
    db_close(u->control);
    arena_free(u->arena);
}

static bool is_swapped(const struct operation *op)
{
    return op->swapped && op->state != OPERATION_UNDONE;
}

/* Whether a later operation put this one back, though the process died before it could say so in the journal.
 */
static bool was_undone(const struct undo *u, const struct operation *op)
{
    for (unsigned i = 0; i < u->op_count; i++)
        if (u->ops[i].swapped && u->ops[i].undoes && strcmp(u->ops[i].undoes, op->id) == 0)
            return true;
    return op->state == OPERATION_UNDONE;
}

static enum err_code find_operation(struct undo *u, const char *id, struct operation **out, struct err *err)
{
    for (unsigned i = u->op_count; i-- > 0;) {
        struct operation *op = &u->ops[i];
        bool wanted = id ? strcmp(op->id, id) == 0 : is_swapped(op) && !was_undone(u, op);
        if (!wanted)
            continue;
        *out = op;
        return ERR_OK;
    }
    if (id)
        return err_set(err, ERR_NOT_FOUND,
                       "undo %s: %s knows no such restore; `dbsafe undo --list` shows them", id,
                       db_target(u->control));
    return err_set(err, ERR_NOT_FOUND, "undo: there is nothing to put back on %s", db_target(u->control));
}

static enum err_code lock_schemas(struct undo *u, const struct operation *op, struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < op->exchange_count; i++)
        if (i == 0 || strcmp(op->exchanges[i].schema, op->exchanges[i - 1].schema) != 0)
            code = journal_lock_schema(u->control, op->exchanges[i].schema, LOCK_WAIT_S, err);
    return code;
}

/* The undo schema of the new operation for one target schema. */
static const char *outgoing_schema(struct undo *u, struct operation *op, const char *target_schema,
                                   unsigned *n)
{
    for (unsigned i = 0; i < op->exchange_count; i++)
        if (strcmp(op->exchanges[i].schema, target_schema) == 0 && op->exchanges[i].outgoing_schema)
            return op->exchanges[i].outgoing_schema;
    const char *name = *n == 0 ? arena_printf(u->arena, "dbsafe_undo_%s", op->id)
                               : arena_printf(u->arena, "dbsafe_undo_%s_%u", op->id, *n + 1);
    op->schemas[(*n)++] = name;
    op->schema_count = *n;
    return name;
}

static enum err_code table_exists(struct undo *u, const char *schema, const char *name, bool *exists,
                                  struct err *err)
{
    struct catalog_table *found;
    unsigned count = 0;
    enum err_code code = catalog_tables(u->control, u->arena, schema, name, &found, &count, err);
    *exists = code == ERR_OK && count > 0;
    return code;
}

/* The opposite exchange: what stands live goes out, what went out comes in. */
static enum err_code plan_back(struct undo *u, const struct operation *old, struct operation *op,
                               struct err *err)
{
    operation_make_id(u->run, op->id);
    op->is_undo = true;
    op->undoes = old->id;
    op->archive = old->archive;
    op->state = OPERATION_VERIFIED;
    op->exchanges = arena_calloc(u->arena, old->exchange_count + 1, sizeof *op->exchanges);
    op->schemas = arena_calloc(u->arena, old->exchange_count + 1, sizeof *op->schemas);
    unsigned n = 0;
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < old->exchange_count; i++) {
        const struct exchange *x = &old->exchanges[i];
        bool live = false, kept = false;
        code = table_exists(u, x->schema, x->name, &live, err);
        if (code == ERR_OK && x->outgoing_schema)
            code = table_exists(u, x->outgoing_schema, x->name, &kept, err);
        if (code == ERR_OK && x->outgoing_schema && !kept)
            code = err_set(err, ERR_REFUSED,
                           "undo %s: the kept table %s.%s is not there any more (was it undone already?)",
                           old->id, x->outgoing_schema, x->name);
        if (code != ERR_OK || (!live && !kept))
            continue;
        struct exchange back = {x->schema, x->name, kept ? x->outgoing_schema : NULL, NULL};
        if (live)
            back.outgoing_schema = outgoing_schema(u, op, x->schema, &n);
        op->exchanges[op->exchange_count++] = back;
    }
    return code;
}

static enum err_code check_back(struct undo *u, const struct operation *op,
                                const struct undo_options *options, struct err *err)
{
    struct refusals r;
    refusals_begin(&r);
    enum err_code code = check_live_tables(u->control, op->exchanges, op->exchange_count,
                                           options->assume_no_outside_fks, &r, err);
    enum err_code refused = refusals_end(&r, "undo", code == ERR_OK ? err : NULL);
    return code != ERR_OK ? code : refused;
}

/* A restore that was never swapped is cleared away: live tables were not touched. */
static enum err_code clear_unswapped(struct undo *u, const struct operation *op,
                                     const struct undo_options *options, struct restore_result *result,
                                     struct err *err)
{
    if (journal_owner_is_alive(op))
        return err_set(err, ERR_LOCKED, "undo %s: it is still running on this host", op->id);
    snprintf(result->restore_id, sizeof result->restore_id, "%s", op->id);
    if (options->dry_run)
        return ERR_OK;
    enum err_code code = journal_owner_is_elsewhere(op) ? lock_schemas(u, op, err) : ERR_OK;
    if (code == ERR_OK)
        code = journal_end_connections(u->control, op, err);
    if (code == ERR_OK)
        code = lock_schemas(u, op, err);
    bool done = false;
    if (code == ERR_OK)
        code = journal_is_done(u->control, op, &done, err);
    if (code == ERR_OK && done)
        return err_set(err, ERR_LOCKED, "undo %s: it was swapped at this very moment; run undo again",
                       op->id);
    if (code == ERR_OK)
        code = journal_drop(u->control, op, &u->given, err);
    if (code == ERR_OK)
        log_info(u->run->log, "%s %s was never swapped: its staging is removed, live tables are as they were",
                 op->is_undo ? "undo" : "restore", op->id);
    return code;
}

/* A new control connection after a cancellation or loss. */
static enum err_code reconnect(struct undo *u, struct err *err)
{
    db_close(u->control);
    u->control = NULL;
    return connect_control(u, NULL, err);
}

/* The state comes last: until then the next undo takes it up.  old is NULL when its journal is gone already.
 */
static enum err_code after_swap_back(struct undo *u, struct operation *old, const struct operation *op,
                                     struct err *err)
{
    enum err_code code = fault_point("undo_swapped", ERR_DB, err);
    if (old)
        old->state = OPERATION_UNDONE; /* it keeps nothing any more */
    if (code == ERR_OK && old)
        code = journal_drop(u->control, old, &u->given, err);
    if (code == ERR_OK)
        code = journal_set_state(u->control, op, OPERATION_SWAPPED, clock_wall_ms(u->run->clock), err);
    return code;
}

static enum err_code swap_back(struct undo *u, struct operation *old, struct operation *op,
                               const struct undo_options *options, struct err *err)
{
    const struct swap_options swapping = {options->lock_timeout_s, options->kill_blockers};
    enum err_code code = journal_identify(u->control, u->arena, op, err);
    if (code == ERR_OK)
        code = journal_create(u->control, op, err);
    if (code == ERR_OK)
        code = journal_add_connection(u->control, op, db_id(u->control), err);
    if (code == ERR_OK)
        code = swap_make_schemas(u->control, op, err);
    if (code == ERR_OK)
        code = fault_point("undo_begin", ERR_DB, err);
    if (code == ERR_OK)
        code = swap_run(u->run, u->params, u->control, op, &swapping, err);
    if (code != ERR_OK) {
        struct db_conn *c = NULL;
        if (!op->unknown && db_connect(u->params, NULL, &c, NULL) == ERR_OK)
            journal_drop(c, op, &u->given, NULL);
        db_close(c);
        return code;
    }
    struct err late;
    code = after_swap_back(u, old, op, &late);
    /* A cancelled or lost connection is no reason to leave remains: the swap was done. */
    if (cancel_fired(u->run->cancel) || code == ERR_DB_LOST) {
        code = reconnect(u, &late);
        if (code == ERR_OK)
            code = after_swap_back(u, old, op, &late);
    }
    if (code != ERR_OK)
        log_warn(u->run->log, "undo %s is done, but the remains of %s could not be removed: %s", op->id,
                 old->id, late.text);
    return ERR_OK;
}

/* ---- undos of processes that died ---- */

static const struct operation *newest_swapped(const struct undo *u)
{
    const struct operation *newest = NULL;
    for (unsigned i = 0; i < u->op_count; i++)
        if (u->ops[i].swapped)
            newest = &u->ops[i];
    return newest;
}

static struct operation *find_id(struct undo *u, const char *id)
{
    for (unsigned i = 0; i < u->op_count; i++)
        if (strcmp(u->ops[i].id, id) == 0)
            return &u->ops[i];
    return NULL;
}

/* Before its swap it is cleared away, behind it its work is finished; op->swapped tells. */
static enum err_code settle(struct undo *u, struct operation *op, struct err *err)
{
    /* Where it still runs it holds the locks. */
    enum err_code code = lock_schemas(u, op, err);
    if (code == ERR_OK)
        code = journal_is_done(u->control, op, &op->swapped, err);
    if (code != ERR_OK)
        return code;
    log_info(u->run->log, "undo %s was never finished: %s", op->id,
             op->swapped ? "it had been swapped, its remains are removed" : "it is cleared away");
    return op->swapped ? after_swap_back(u, find_id(u, op->undoes), op, err)
                       : journal_drop(u->control, op, &u->given, err);
}

/* Whether that was all that was asked for. */
static bool answers(const struct undo *u, const struct operation *op, const char *id)
{
    if (!id)
        return op->swapped && op == newest_swapped(u);
    return strcmp(id, op->swapped ? op->undoes : op->id) == 0;
}

static enum err_code settle_dead_undos(struct undo *u, const char *id, struct restore_result *result,
                                       bool *finished, struct err *err)
{
    for (unsigned i = 0; i < u->op_count; i++) {
        struct operation *op = &u->ops[i];
        if (!op->is_undo || !op->undoes || op->state >= OPERATION_SWAPPED || journal_owner_is_alive(op))
            continue;
        enum err_code code = settle(u, op, err);
        if (code == ERR_LOCKED)
            continue;
        if (code != ERR_OK)
            return code;
        if (!answers(u, op, id))
            continue;
        *finished = true;
        snprintf(result->restore_id, sizeof result->restore_id, "%s", op->id);
        result->tables = op->exchange_count;
        result->swapped = op->swapped;
    }
    return ERR_OK;
}

static void tell_plan(const struct undo *u, const struct operation *op)
{
    for (unsigned i = 0; i < op->exchange_count; i++) {
        const struct exchange *x = &op->exchanges[i];
        log_info(u->run->log, "would %s %s.%s%s", x->incoming_schema ? "put back" : "remove", x->schema,
                 x->name, x->outgoing_schema ? ", keeping the table that is there now for another undo" : "");
    }
}

enum err_code undo_run(const struct run *run, const struct db_params *db, const struct undo_options *options,
                       struct restore_result *result, struct err *err)
{
    struct undo u;
    struct operation *old = NULL, op = {0};
    *result = (struct restore_result){0};
    bool finished = false;
    enum err_code code = open_undo(&u, run, db, err);
    u.given = (struct journal_given){options->staging_schema, options->undo_schema};
    if (code == ERR_OK && !options->dry_run)
        code = journal_sweep(u.control, err);
    if (code == ERR_OK && !options->dry_run)
        code = settle_dead_undos(&u, options->restore_id, result, &finished, err);
    if (code == ERR_OK && !finished)
        code = find_operation(&u, options->restore_id, &old, err);
    if (code != ERR_OK || finished)
        goto out;
    if (!old->swapped) {
        code = clear_unswapped(&u, old, options, result, err);
        goto out;
    }
    code = lock_schemas(&u, old, err);
    if (code == ERR_OK)
        code = plan_back(&u, old, &op, err);
    if (code == ERR_OK)
        code = check_back(&u, &op, options, err);
    if (code != ERR_OK)
        goto out;
    if (options->dry_run)
        tell_plan(&u, &op);
    else
        code = swap_back(&u, old, &op, options, err);
    snprintf(result->restore_id, sizeof result->restore_id, "%s", op.id);
    result->tables = op.exchange_count;
    result->swapped = op.swapped;
out:
    close_undo(&u);
    return code;
}

/* ---- list and purge ---- */

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

static bool is_purgeable(const struct undo *u, const struct operation *op)
{
    return op->swapped && op->swapped_ms > 0 && clock_wall_ms(u->run->clock) - op->swapped_ms >= PROTECTED_MS;
}

static void fill_entry(struct undo *u, const struct operation *op, struct undo_entry *e)
{
    struct buf names;
    buf_init(&names, NAMES_MAX_BYTES);
    for (unsigned i = 0; i < op->exchange_count; i++)
        buf_addf(&names, NULL, "%s%s.%s", i ? ", " : "", op->exchanges[i].schema, op->exchanges[i].name);
    snprintf(e->restore_id, sizeof e->restore_id, "%s", op->id);
    snprintf(e->kind, sizeof e->kind, "%s", op->is_undo ? "undo" : "restore");
    enum operation_state state = was_undone(u, op) ? OPERATION_UNDONE
                                 : op->swapped     ? OPERATION_SWAPPED
                                                   : op->state;
    snprintf(e->state, sizeof e->state, "%s", operation_state_name(state));
    if (op->swapped_ms)
        clock_format_iso(op->swapped_ms, e->swapped_at);
    e->archive = xstrdup(op->archive);
    e->tables = xstrdup(buf_cstr(&names));
    e->table_count = op->exchange_count;
    e->undo_bytes = kept_bytes(u, op);
    e->purgeable = is_purgeable(u, op);
    buf_free(&names);
}

enum err_code undo_list(const struct run *run, const struct db_params *db, struct undo_entry **entries,
                        unsigned *count, struct err *err)
{
    struct undo u;
    *entries = NULL;
    *count = 0;
    enum err_code code = open_undo(&u, run, db, err);
    if (code == ERR_OK) {
        *entries = xcalloc(u.op_count + 1, sizeof **entries);
        for (unsigned i = u.op_count; i-- > 0;)
            fill_entry(&u, &u.ops[i], &(*entries)[(*count)++]);
    }
    close_undo(&u);
    return code;
}

void undo_list_free(struct undo_entry *entries, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        free(entries[i].archive);
        free(entries[i].tables);
    }
    free(entries);
}

static enum err_code purge_one(struct undo *u, struct operation *op, bool dry_run, struct err *err)
{
    log_info(u->run->log, "%s the undo data of %s %s (%u tables)", dry_run ? "would drop" : "dropping",
             op->is_undo ? "undo" : "restore", op->id, op->exchange_count);
    if (dry_run)
        return ERR_OK;
    if (was_undone(u, op))
        op->state = OPERATION_UNDONE;
    enum err_code code = lock_schemas(u, op, err);
    if (code == ERR_OK)
        code = journal_drop(u->control, op, &u->given, err);
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
    enum err_code code = find_operation(u, restore_id, &op, err);
    if (code == ERR_OK && !is_purgeable(u, op))
        code =
            err_set(err, ERR_REFUSED, "purge %s: undo data is kept for 48 hours after the swap%s", restore_id,
                    op->swapped ? "" : "; this one was never swapped: `dbsafe undo ID` clears it away");
    return code;
}

enum err_code undo_purge(const struct run *run, const struct db_params *db,
                         const struct undo_options *options, unsigned *purged, struct err *err)
{
    struct undo u;
    const char *id = options->restore_id;
    *purged = 0;
    enum err_code code = open_undo(&u, run, db, err), refused = ERR_OK;
    u.given = (struct journal_given){options->staging_schema, options->undo_schema};
    if (code == ERR_OK && id)
        code = check_purge(&u, id, err);
    for (unsigned i = 0; code == ERR_OK && i < u.op_count; i++) {
        struct operation *op = &u.ops[i];
        if ((id && strcmp(op->id, id) != 0) || !is_purgeable(&u, op))
            continue;
        code = purge_one(&u, op, options->dry_run, err);
        *purged += code == ERR_OK;
        if (code == ERR_REFUSED) {
            refused = code;
            code = ERR_OK;
        }
    }
    close_undo(&u);
    return code != ERR_OK ? code : refused;
}
