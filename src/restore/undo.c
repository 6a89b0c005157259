#include "restore/undoing.h"

#include "core/fault.h"
#include "db/catalog.h"
#include "db/quote.h"
#include "db/session.h"
#include "restore/foreign_keys.h"
#include "restore/journal.h"
#include "restore/journal_plan.h"
#include "restore/owner.h"
#include "restore/schemas.h"
#include "restore/sequences.h"
#include "restore/steps.h"
#include "restore/swap.h"
#include "restore/swap_plan.h"
#include "restore/takeover.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what there is ---- */

/* Nothing here may wait behind other sessions' locks for as long as the server allows, which can be a day. */
static enum err_code connect_control(struct undo *u, struct cancel *cancel, struct err *err)
{
    enum err_code code = db_connect(u->params, cancel, &u->control, err);
    return code == ERR_OK ? session_lock_wait(u->control, UNDO_LOCK_WAIT_S, err) : code;
}

enum err_code undoing_open(struct undo *u, const struct run *run, const struct db_params *db,
                           const struct undo_options *options, struct err *err)
{
    *u = (struct undo){.run = run, .params = db, .options = options, .arena = arena_new()};
    if (options)
        u->given = (struct remains_given){options->staging_schema, options->undo_schema};
    enum err_code code = connect_control(u, run->cancel, err);
    return code == ERR_OK ? journal_list(u->control, u->arena, &u->ops, &u->op_count, err) : code;
}

void undoing_close(struct undo *u)
{
    db_close(u->control);
    arena_free(u->arena);
}

static bool is_swapped(const struct operation *op)
{
    return op->swapped && op->state != OPERATION_UNDONE;
}

bool undoing_was_undone(const struct undo *u, const struct operation *op)
{
    for (unsigned i = 0; i < u->op_count; i++)
        if (u->ops[i].swapped && u->ops[i].undoes && strcmp(u->ops[i].undoes, op->id) == 0)
            return true;
    return op->state == OPERATION_UNDONE;
}

enum err_code undoing_find(struct undo *u, const char *id, struct operation **out, struct err *err)
{
    for (unsigned i = u->op_count; i-- > 0;) {
        struct operation *op = &u->ops[i];
        bool wanted = id ? strcmp(op->id, id) == 0 : is_swapped(op) && !undoing_was_undone(u, op);
        if (!wanted)
            continue;
        *out = op;
        return ERR_OK;
    }
    if (id)
        return err_set(err, ERR_NOT_FOUND,
                       "undo %s: %s knows no such restore; `dbsafe undo --list` shows them", id,
                       db_target(u->control));
    return err_set(err, ERR_NOT_FOUND, "undo: there is nothing to put back on %s that this account can see",
                   db_target(u->control));
}

/* A new control connection after a cancellation or loss. */
static enum err_code reconnect(struct undo *u, struct err *err)
{
    db_close(u->control);
    u->control = NULL;
    return connect_control(u, NULL, err);
}

/* With the connection the locks were lost: the work goes on with them, or not at all. */
static enum err_code come_back(struct undo *u, struct operation *op, struct err *err)
{
    enum err_code code = reconnect(u, err);
    return code == ERR_OK ? takeover(u->control, u->arena, op, UNDO_LOCK_WAIT_S, err) : code;
}

static struct swap_options swap_options_of(const struct undo *u)
{
    return (struct swap_options){u->options->lock_timeout_s, u->options->kill_blockers};
}

/* ---- the opposite operation ---- */

/* The undo schema of the new operation for one target schema. */
static const char *outgoing_schema(struct undo *u, struct operation *op, const char *target_schema,
                                   unsigned *n)
{
    for (unsigned i = 0; i < op->exchange_count; i++)
        if (strcmp(op->exchanges[i].schema, target_schema) == 0 && op->exchanges[i].outgoing_schema &&
            !op->exchanges[i].placeholder)
            return op->exchanges[i].outgoing_schema;
    const char *name = *n == 0 ? arena_printf(u->arena, "dbsafe_undo_%s", op->id)
                               : arena_printf(u->arena, "dbsafe_undo_%s_%u", op->id, *n + 1);
    op->schemas[(*n)++] = name;
    op->schema_count = *n;
    return name;
}

/* What stands live goes out, what went out comes in. */
static enum err_code turn_exchange(struct undo *u, const struct operation *old, unsigned i,
                                   struct operation *op, unsigned *n, struct err *err)
{
    const struct exchange *x = &old->exchanges[i];
    bool live = false, kept = false, keeps = x->outgoing_schema && !x->placeholder;
    enum err_code code = catalog_exists(u->control, x->schema, x->name, &live, err);
    if (code == ERR_OK && keeps)
        code = catalog_exists(u->control, x->outgoing_schema, x->name, &kept, err);
    if (code == ERR_OK && keeps && !kept)
        code = err_set(err, ERR_REFUSED,
                       "undo %s: the kept table %s.%s is not there any more (was it undone already?)",
                       old->id, x->outgoing_schema, x->name);
    if (code != ERR_OK || (!live && !kept))
        return code;
    struct exchange back = {.kind = x->kind,
                            .schema = x->schema,
                            .name = x->name,
                            .incoming_schema = kept ? x->outgoing_schema : NULL};
    if (live)
        back.outgoing_schema = outgoing_schema(u, op, x->schema, n);
    /* Until it is back, tables whose defaults name it could not be changed. */
    back.placeholder = kept && !live && x->kind == EXCHANGE_SEQUENCE;
    if (back.placeholder)
        back.outgoing_schema = arena_printf(u->arena, "dbsafe_stage_%s", op->id);
    op->exchanges[op->exchange_count++] = back;
    return ERR_OK;
}

/* The exchange that brings a table back, or -1. */
static int find_incoming(const struct operation *op, const char *schema, const char *table)
{
    int found = operation_find(op, schema, table);
    return found >= 0 && op->exchanges[found].incoming_schema ? found : -1;
}

/* Views to be put behind those that they use. */
struct view_order {
    unsigned count, placed;
    const struct definition **views;
    const char **names; /* quoted */
    bool *seen;
    struct definition *ordered;
};

/* A text that has the other's name in quotes may mean something else by it, which does no harm. */
static void place_view(struct view_order *o, unsigned i)
{
    o->seen[i] = true;
    for (unsigned k = 0; k < o->count; k++)
        if (!o->seen[k] && strstr(o->views[i]->text, o->names[k]))
            place_view(o, k);
    o->ordered[o->placed++] = *o->views[i];
}

static bool is_made_view(const struct definition *d)
{
    return d->object.kind == OBJECT_VIEW && d->text;
}

/* They were noted in the archive's order.  A view keeps what those that it is made of were like when it was
 * made (whether it can be written through): it is made behind them. */
static void order_views(struct undo *u, struct operation *op)
{
    struct view_order o = {.views = arena_calloc(u->arena, op->made_count + 1, sizeof *o.views),
                           .names = arena_calloc(u->arena, op->made_count + 1, sizeof *o.names),
                           .seen = arena_calloc(u->arena, op->made_count + 1, sizeof *o.seen),
                           .ordered = arena_calloc(u->arena, op->made_count + 1, sizeof *o.ordered)};
    for (unsigned i = 0; i < op->made_count; i++)
        if (is_made_view(&op->made[i])) {
            o.names[o.count] = db_quoted_name(u->arena, op->made[i].object.name);
            o.views[o.count++] = &op->made[i];
        }
    for (unsigned i = 0; i < o.count; i++)
        if (!o.seen[i])
            place_view(&o, i);
    for (unsigned i = 0, n = 0; i < op->made_count; i++)
        if (is_made_view(&op->made[i]))
            op->made[i] = o.ordered[n++];
}

static void turn_objects(struct undo *u, const struct operation *old, struct operation *op)
{
    op->made = arena_calloc(u->arena, old->kept_count + 1, sizeof *op->made);
    for (unsigned i = 0; i < old->kept_count; i++) {
        const struct manifest_object *o = &old->kept[i].object;
        if (o->kind != OBJECT_TRIGGER || find_incoming(op, o->schema, o->table) >= 0)
            op->made[op->made_count++] = old->kept[i];
    }
    order_views(u, op);
}

/* The keys that a table lost when it went out come back with it. */
static void turn_keys(struct undo *u, const struct operation *old, struct operation *op)
{
    for (unsigned i = 0; i < old->key_count; i++) {
        struct foreign_key k = old->keys[i];
        const struct exchange *x = &old->exchanges[k.exchange];
        int exchange = k.role == KEY_LEAVE ? find_incoming(op, x->schema, x->name) : -1;
        if (exchange < 0)
            continue;
        k.role = KEY_JOIN;
        k.exchange = (unsigned)exchange;
        k.temporary = NULL;
        keys_add(op, u->arena, &k);
    }
}

static enum err_code turn_schemas(struct undo *u, const struct operation *old, struct operation *op,
                                  struct err *err)
{
    enum err_code code = ERR_OK;
    op->schema_changes = arena_calloc(u->arena, old->schema_change_count + 1, sizeof *op->schema_changes);
    for (unsigned i = 0; code == ERR_OK && i < old->schema_change_count; i++) {
        const struct schema_change *was = &old->schema_changes[i];
        struct schema_change *s = &op->schema_changes[op->schema_change_count++];
        *s = (struct schema_change){.schema = was->schema, .after = was->before};
        s->keeps = schemas_equal(&was->before, &was->after);
        code = schemas_read(u->control, u->arena, s->schema, &s->before, err);
    }
    return code;
}

static enum err_code plan_back(struct undo *u, const struct operation *old, struct operation *op,
                               struct err *err)
{
    operation_make_id(u->run, op->id);
    op->is_undo = true;
    op->undoes = old->id;
    op->archive = old->archive;
    op->state = OPERATION_VERIFIED;
    op->exchanges = arena_calloc(u->arena, old->exchange_count + 1, sizeof *op->exchanges);
    op->schemas = arena_calloc(u->arena, old->exchange_count + 2, sizeof *op->schemas);
    unsigned n = 0;
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < old->exchange_count; i++)
        code = turn_exchange(u, old, i, op, &n, err);
    if (code != ERR_OK)
        return code;
    for (unsigned i = 0; i < op->exchange_count && n == op->schema_count; i++)
        if (op->exchanges[i].placeholder)
            op->schemas[op->schema_count++] = op->exchanges[i].outgoing_schema;
    turn_objects(u, old, op);
    turn_keys(u, old, op);
    return turn_schemas(u, old, op, err);
}

static enum err_code plan_steps_back(struct undo *u, const struct operation *old, struct operation *op,
                                     struct err *err)
{
    const struct swap_plan_options options = {.include_referencing = u->options->include_referencing,
                                              .assume_no_outside_fks = u->options->assume_no_outside_fks,
                                              .undone = old,
                                              .changes_nothing = u->options->dry_run};
    const struct swap_options swapping = swap_options_of(u);
    struct work w;
    struct db_conn *maker;
    work_begin(&w, u->run, u->params, u->control, op, &swapping);
    enum err_code code = work_maker(&w, false, &maker, err);
    if (code == ERR_OK)
        code = swap_plan_make(u->run, u->control, maker, u->arena, op, &options, err);
    work_end(&w);
    return code;
}

/* ---- operations whose process died ---- */

/* Becomes its owner, and reads what it was about; op->swapped tells how far it came. */
static enum err_code take_over(struct undo *u, struct operation *op, struct err *err)
{
    enum err_code code = journal_read_plan(u->control, u->arena, op, err);
    if (code == ERR_OK)
        code = takeover(u->control, u->arena, op, UNDO_LOCK_WAIT_S, err);
    if (code == ERR_OK) /* read again: now nobody changes it */
        code = journal_is_done(u->control, op, &op->swapped, err);
    return code == ERR_OK ? journal_read_plan(u->control, u->arena, op, err) : code;
}

/* Takes back what was prepared, and drops all that is left. */
static enum err_code clear(struct undo *u, struct operation *op, struct err *err)
{
    const struct swap_options options = swap_options_of(u);
    struct work w;
    work_begin(&w, u->run, u->params, u->control, op, &options);
    w.cancel = NULL;
    enum err_code code = steps_clear(&w, err);
    work_end(&w);
    return code == ERR_OK ? remains_drop(u->control, op, &u->given, err) : code;
}

static enum err_code finish_steps(struct undo *u, struct operation *op, bool tables_only, bool cancelled,
                                  struct err *err)
{
    const struct swap_options options = swap_options_of(u);
    struct work w;
    work_begin(&w, u->run, u->params, u->control, op, &options);
    if (cancelled)
        w.cancel = NULL;
    enum err_code code = steps_finish(&w, tables_only, err);
    work_end(&w);
    return code;
}

/* A restore that was never swapped is cleared away: live tables were not touched. */
static enum err_code clear_unswapped(struct undo *u, struct operation *op, struct restore_result *result,
                                     struct err *err)
{
    if (owner_is_alive(op))
        return err_set(err, ERR_LOCKED, "undo %s: it is still running on this host", op->id);
    if (u->options->dry_run) {
        log_info(u->run->log, "%s %s was never swapped: would remove its staging",
                 op->is_undo ? "undo" : "restore", op->id);
        return ERR_OK;
    }
    snprintf(result->restore_id, sizeof result->restore_id, "%s", op->id);
    enum err_code code = take_over(u, op, err);
    if (code == ERR_OK && op->swapped)
        return err_set(err, ERR_LOCKED, "undo %s: it was swapped at this very moment; run undo again",
                       op->id);
    if (code == ERR_OK)
        code = clear(u, op, err);
    if (code == ERR_OK)
        log_info(u->run->log, "%s %s was never swapped: its staging is removed, live tables are as they were",
                 op->is_undo ? "undo" : "restore", op->id);
    return code;
}

/* What is to be undone has its tables where its journal says, though its process may have died on the way. */
static enum err_code settle_old(struct undo *u, struct operation *old, struct err *err)
{
    enum err_code code;
    bool settled = old->state >= OPERATION_SWAPPED;
    if (!settled && owner_is_alive(old))
        return err_set(err, ERR_LOCKED, "undo %s: it is still running on this host", old->id);
    if (settled || u->options->dry_run) {
        code = journal_read_plan(u->control, u->arena, old, err);
        return code == ERR_OK ? takeover_lock(u->control, old, UNDO_LOCK_WAIT_S, err) : code;
    }
    code = take_over(u, old, err);
    if (code != ERR_OK)
        return code;
    log_info(u->run->log, "what is behind the swap of %s was not all done: its tables are settled first",
             old->id);
    return finish_steps(u, old, true, false, err);
}

/* ---- the way back ---- */

/* The state comes last: until then the next undo takes it up.  old is NULL when its journal is gone already.
 * *only_remains: what failed leaves no more than something of ours that is in nobody's way. */
static enum err_code drop_old(struct undo *u, struct operation *old, const struct operation *op,
                              bool *only_remains, struct err *err)
{
    enum err_code code = fault_point("undo_swapped", ERR_DB, err);
    if (old)
        old->state = OPERATION_UNDONE; /* it keeps nothing any more */
    if (code == ERR_OK && old)
        code = remains_drop(u->control, old, &u->given, err);
    if (code == ERR_OK)
        code = remains_drop_staging(u->control, op, err);
    *only_remains = code != ERR_OK;
    if (code == ERR_OK)
        code = journal_set_state(u->control, op, OPERATION_SWAPPED, clock_wall_ms(u->run->clock), err);
    return code;
}

/* The last of all, with a new connection where the first was lost. */
static enum err_code remove_remains(struct undo *u, struct operation *old, struct operation *op,
                                    struct err *err)
{
    bool only_remains;
    enum err_code code = drop_old(u, old, op, &only_remains, err);
    if (code != ERR_OK && (cancel_fired(u->run->cancel) || code == ERR_DB_LOST)) {
        only_remains = false;
        code = come_back(u, op, err);
        if (code == ERR_OK)
            code = drop_old(u, old, op, &only_remains, err);
    }
    if (code == ERR_OK || !only_remains)
        return code;
    op->unfinished = true;
    log_warn(u->run->log, "undo %s is done, but the remains of %s could not be removed: %s", op->id,
             op->undoes, err->text);
    return ERR_OK;
}

/* Everything behind the swap. code: of the steps that are there already.  A cancelled or lost connection is
 * no reason to leave work undone: the swap was done. */
static enum err_code finish_swapped(struct undo *u, struct operation *old, struct operation *op,
                                    enum err_code code, struct err *err)
{
    if (cancel_fired(u->run->cancel) || code == ERR_DB_LOST) {
        code = come_back(u, op, err);
        if (code == ERR_OK)
            code = finish_steps(u, op, false, true, err);
    }
    if (code == ERR_OK)
        code = remove_remains(u, old, op, err);
    if (code == ERR_OK)
        return ERR_OK;
    err_wrap(err, "undo %s is swapped, but not all that is behind the swap is done", op->id);
    err_hint(err, "; `dbsafe undo` again goes on there");
    return cancel_mark(u->run->cancel, err);
}

static enum err_code begin(struct undo *u, struct operation *op, struct err *err)
{
    enum err_code code = owner_identify(u->control, u->arena, op, err);
    return code == ERR_OK ? journal_create(u->control, op, err) : code;
}

static enum err_code prepare_swap(struct undo *u, struct operation *op, struct err *err)
{
    enum err_code code = owner_add_connection(u->control, op, db_id(u->control), err);
    if (code == ERR_OK)
        code = swap_make_schemas(u->control, op, err);
    if (code == ERR_OK)
        code = sequences_make_placeholders(u->control, op, err);
    if (code == ERR_OK)
        code = journal_write_plan(u->control, op, err);
    return code == ERR_OK ? fault_point("undo_begin", ERR_DB, err) : code;
}

static void clear_failed(struct undo *u, struct operation *op)
{
    struct err failed;
    enum err_code code = come_back(u, op, &failed);
    if (code == ERR_OK)
        code = clear(u, op, &failed);
    if (code != ERR_OK)
        log_warn(u->run->log,
                 "what was prepared for undo %s could not be removed: %s; the next undo clears it", op->id,
                 failed.text);
}

/* One that was not written to its end; if that fails, the next run sweeps it. */
static void drop_journal(struct undo *u, const struct operation *op)
{
    struct err failed;
    if (reconnect(u, &failed) == ERR_OK)
        remains_drop(u->control, op, &u->given, &failed);
}

static enum err_code swap_back(struct undo *u, struct operation *old, struct operation *op, struct err *err)
{
    const struct swap_options options = swap_options_of(u);
    struct work w;
    enum err_code code = begin(u, op, err), late;
    if (code != ERR_OK) {
        drop_journal(u, op);
        return code;
    }
    code = prepare_swap(u, op, err);
    work_begin(&w, u->run, u->params, u->control, op, &options);
    if (code == ERR_OK)
        code = steps_swap(&w, err);
    late = code == ERR_OK ? steps_finish(&w, false, err) : code;
    work_end(&w);
    if (code == ERR_OK)
        return finish_swapped(u, old, op, late, err);
    if (op->unknown)
        return err_hint(err, "; the same undo again finds out, and finishes");
    clear_failed(u, op);
    return code;
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
    enum err_code code = take_over(u, op, err);
    if (code != ERR_OK)
        return code;
    log_info(u->run->log, "undo %s was never finished: %s", op->id,
             op->swapped ? "it had been swapped, the rest is done now" : "it is cleared away");
    if (!op->swapped)
        return clear(u, op, err);
    code = finish_steps(u, op, false, false, err);
    return finish_swapped(u, find_id(u, op->undoes), op, code, err);
}

/* Whether that was all that was asked for. */
static bool answers(const struct undo *u, const struct operation *op, const char *id)
{
    if (!id)
        return op->swapped && op == newest_swapped(u);
    return strcmp(id, op->swapped ? op->undoes : op->id) == 0;
}

static void report(const struct operation *op, struct restore_result *result)
{
    snprintf(result->restore_id, sizeof result->restore_id, "%s", op->id);
    for (unsigned i = 0; i < op->exchange_count; i++) {
        result->tables += op->exchanges[i].kind == EXCHANGE_TABLE;
        result->objects += op->exchanges[i].kind == EXCHANGE_SEQUENCE;
    }
    result->objects += op->made_count;
    result->swapped = op->swapped;
    result->unfinished = op->unfinished;
}

static enum err_code settle_dead_undos(struct undo *u, const char *id, struct restore_result *result,
                                       bool *finished, struct err *err)
{
    for (unsigned i = 0; i < u->op_count; i++) {
        struct operation *op = &u->ops[i];
        if (!op->is_undo || !op->undoes || op->state >= OPERATION_SWAPPED || owner_is_alive(op))
            continue;
        enum err_code code = settle(u, op, err);
        if (code == ERR_LOCKED)
            continue;
        if (code != ERR_OK)
            return code;
        if (!answers(u, op, id))
            continue;
        *finished = true;
        *result = (struct restore_result){0};
        report(op, result);
    }
    return ERR_OK;
}

/* What is newer and was never swapped is not what is undone, though it may be what the person has in mind. */
static void put_newer(const struct undo *u, const struct operation *old, struct buf *text)
{
    const struct operation *newest = &u->ops[u->op_count - 1];
    if (newest != old && !newest->swapped && !newest->is_undo)
        buf_putf(text, "; the newer restore %s was never swapped, `dbsafe undo %s` clears it away",
                 newest->id, newest->id);
}

/* Says what is undone, and asks when the person has not named it. */
static enum err_code announce(struct undo *u, const struct operation *old, struct err *err)
{
    const struct undo_options *o = u->options;
    char swapped_at[CLOCK_ISO_BYTES] = "at an unknown time";
    struct buf text;
    buf_init(&text, ERR_TEXT_BYTES);
    if (old->swapped_ms)
        clock_format_iso(old->swapped_ms, swapped_at);
    buf_putf(&text, "%s %s %s%s%s, swapped %s: ", o->dry_run ? "would undo" : "undoing",
             old->is_undo ? "undo" : "restore", old->id, *old->archive ? " of " : "", old->archive,
             swapped_at);
    operation_name_tables(old, false, &text);
    if (operation_count_tables(old, false) == 0)
        buf_putf(&text, "no tables, %u other objects", old->made_count);
    if (!o->restore_id)
        put_newer(u, old, &text);
    log_info(u->run->log, "%s", buf_cstr(&text));
    enum err_code code = o->restore_id || o->dry_run || !o->confirm
                             ? ERR_OK
                             : o->confirm(o->confirm_arg, buf_cstr(&text), err);
    buf_free(&text);
    return code;
}

static void tell_plan(const struct undo *u, const struct operation *op)
{
    for (unsigned i = 0; i < op->exchange_count; i++) {
        const struct exchange *x = &op->exchanges[i];
        log_info(u->run->log, "would %s %s.%s%s", x->incoming_schema ? "put back" : "remove", x->schema,
                 x->name, x->outgoing_schema ? ", keeping what is there now for another undo" : "");
    }
    swap_plan_tell(u->run, op);
}

static enum err_code undo_found(struct undo *u, struct operation *old, struct restore_result *result,
                                struct err *err)
{
    struct operation op = {0};
    if (!old->swapped)
        return clear_unswapped(u, old, result, err);
    enum err_code code = settle_old(u, old, err);
    if (code == ERR_OK)
        code = plan_back(u, old, &op, err);
    if (code == ERR_OK)
        code = plan_steps_back(u, old, &op, err);
    if (code == ERR_OK)
        code = announce(u, old, err);
    if (code != ERR_OK)
        return code;
    if (u->options->dry_run)
        tell_plan(u, &op);
    else
        code = swap_back(u, old, &op, err);
    report(&op, result);
    if (u->options->dry_run)
        result->restore_id[0] = '\0';
    return code;
}

enum err_code undo_run(const struct run *run, const struct db_params *db, const struct undo_options *options,
                       struct restore_result *result, struct err *err)
{
    struct undo u;
    struct operation *old = NULL;
    *result = (struct restore_result){0};
    bool finished = false;
    struct err blind;
    enum err_code code = undoing_open(&u, run, db, options, err);
    if (code == ERR_OK && !options->dry_run)
        code = remains_sweep(u.control, err);
    if (code == ERR_OK && !options->dry_run)
        code = settle_dead_undos(&u, options->restore_id, result, &finished, err);
    if (code == ERR_OK && !finished)
        code = undoing_find(&u, options->restore_id, &old, err);
    if (code == ERR_NOT_FOUND && undoing_check_sight(&u, &blind) == ERR_DB_DENIED)
        code = err_copy(err, &blind);
    if (code == ERR_OK && !finished)
        code = undo_found(&u, old, result, err);
    undoing_close(&u);
    return code;
}
