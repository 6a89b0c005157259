#include "restore/steps.h"

#include "core/fault.h"
#include "core/mem.h"
#include "db/catalog.h"
#include "db/quote.h"
#include "db/session.h"
#include "restore/check.h"
#include "restore/definition.h"
#include "restore/foreign_keys.h"
#include "restore/journal_plan.h"
#include "restore/owner.h"
#include "restore/patience.h"
#include "restore/schemas.h"
#include "restore/sequences.h"
#include "restore/swap.h"
#include "restore/triggers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX_BYTES ((size_t)1 << 20)
/* The guard makes writers of other tables wait: no longer than this, whatever else waits. */
#define GUARD_MAX_MS 5000
/* Behind a signal.  ECS gives 30 seconds. */
#define CANCELLED_TIMEOUT_S 10

void work_begin(struct work *w, const struct run *run, const struct db_params *params,
                struct db_conn *control, struct operation *op, const struct swap_options *options)
{
    *w = (struct work){.run = run,
                       .params = params,
                       .control = control,
                       .op = op,
                       .options = options,
                       .cancel = run->cancel};
}

static void drop_guard(struct work *w)
{
    db_close(w->guard);
    w->guard = NULL;
}

void work_end(struct work *w)
{
    drop_guard(w);
    db_close(w->maker);
    w->maker = NULL;
}

/* innodb_lock_wait_timeout: foreign keys are changed and renamed under InnoDB's own locks. */
static enum err_code set_up(struct db_conn *c, struct err *err)
{
    enum err_code code = session_lock_wait(c, PATIENCE_TRY_S, err);
    return code == ERR_OK
               ? db_execf(c, err, "SET SESSION foreign_key_checks=0, SESSION innodb_lock_wait_timeout=%d",
                          PATIENCE_TRY_S)
               : code;
}

enum err_code work_maker(struct work *w, bool journalled, struct db_conn **out, struct err *err)
{
    *out = w->maker;
    if (w->maker)
        return ERR_OK;
    enum err_code code = db_connect(w->params, w->cancel, &w->maker, err);
    if (code == ERR_OK && journalled)
        code = owner_add_connection(w->control, w->op, db_id(w->maker), err);
    if (code == ERR_OK)
        code = set_up(w->maker, err);
    if (code != ERR_OK) {
        db_close(w->maker);
        w->maker = NULL;
    }
    *out = w->maker;
    return code;
}

/* ---- moving parked tables ---- */

/* Renames a table unless it is not there (any more). */
static enum err_code move(struct db_conn *c, const char *schema, const char *name, const char *to_schema,
                          const char *to_name, struct err *err)
{
    bool found;
    enum err_code code = catalog_exists(c, schema, name, &found, err);
    if (code != ERR_OK || !found)
        return code;
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_put(&sql, "RENAME TABLE ");
    db_quote_pair(&sql, schema, name);
    buf_put(&sql, " TO ");
    db_quote_pair(&sql, to_schema, to_name);
    code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}

static enum err_code park(struct db_conn *c, const struct operation *op, unsigned i, bool back,
                          struct err *err)
{
    const struct exchange *x = &op->exchanges[i];
    char own[OWN_NAME_BYTES];
    operation_own_name(op, "new", i, own);
    return back ? move(c, x->schema, own, x->incoming_schema, x->name, err)
                : move(c, x->incoming_schema, x->name, x->schema, own, err);
}

static enum err_code move_out(struct db_conn *c, const struct operation *op, unsigned i, struct err *err)
{
    const struct exchange *x = &op->exchanges[i];
    char own[OWN_NAME_BYTES];
    operation_own_name(op, "old", i, own);
    return move(c, x->schema, exchange_is_late(x) ? x->name : own, x->outgoing_schema, x->name, err);
}

/* No statement makes a view that refers to what is not there: one that was broken already is left out. */
static enum err_code make_object(struct work *w, struct db_conn *maker, unsigned made, struct err *err)
{
    const struct definition *d = &w->op->made[made];
    struct buf notes, name;
    buf_init(&notes, SQL_MAX_BYTES);
    buf_init(&name, 1024);
    definition_describe(d, &name);
    enum err_code code = definition_create(maker, d, NULL, &notes, err);
    if (code == ERR_OK && notes.len) {
        notes.len--;
        log_warn(w->run->log, "%s: the server notes: %s", buf_cstr(&name), buf_cstr(&notes));
    } else if (code == ERR_DB && d->object.broken) {
        log_warn(
            w->run->log,
            "%s is left out, it refers to what is not there: %s; its definition is in `dbsafe_%s`.object",
            buf_cstr(&name), err->text, w->op->id);
        code = ERR_OK;
    }
    buf_free(&notes);
    buf_free(&name);
    return code;
}

/* ---- one step ---- */

static enum err_code run_step(struct work *w, const struct step *s, struct err *err)
{
    const struct operation *op = w->op;
    struct db_conn *maker;
    enum err_code code = work_maker(w, true, &maker, err);
    if (code == ERR_OK)
        code = definition_plain(maker, err);
    if (code != ERR_OK)
        return code;
    switch (s->kind) {
    case STEP_MAKE_SCHEMA:
        return schemas_make(maker, &op->schema_changes[s->subject], err);
    case STEP_RENAME_KEYS:
        return keys_rename_away(maker, op, s->subject, err);
    case STEP_PARK:
        return park(maker, op, s->subject, false, err);
    case STEP_MAKE_TRIGGERS:
        return triggers_make(maker, op, s->subject, err);
    case STEP_MAKE_OBJECT:
    case STEP_REPLACE_OBJECT:
        return make_object(w, maker, s->subject, err);
    case STEP_LEAVE_PARENTS:
        return keys_leave_parents(maker, op, s->subject, err);
    case STEP_JOIN_PARENTS:
        return keys_join_parents(maker, op, s->subject, err);
    case STEP_MOVE_CHILD:
        return keys_move_child(maker, op, s->subject, err);
    case STEP_DROP_TRIGGERS:
        return triggers_drop(maker, op, s->subject, false, err);
    case STEP_NAME_TRIGGERS:
        return triggers_name(maker, op, s->subject, err);
    case STEP_MOVE_OUT:
        return move_out(maker, op, s->subject, err);
    case STEP_NAME_KEYS:
        return keys_rename_back(maker, op, s->subject, false, err);
    case STEP_DROP_OBJECT:
        return definition_drop(maker, &op->made[s->subject], err);
    case STEP_SET_SCHEMA:
        return schemas_set(w->run, maker, &op->schema_changes[s->subject], err);
    case STEP_CHECK:
        return check_made(w->run, maker, op, err);
    case STEP_SWAP: /* in its own way */
    case STEP_KINDS:
        break;
    }
    return err_set(err, ERR_INTERNAL, "a step of kind %d", (int)s->kind);
}

static enum err_code fault_at(enum step_kind kind, struct err *err)
{
    char point[64];
    snprintf(point, sizeof point, "step_%s", step_kind_name(kind));
    enum err_code code = fault_point("step", ERR_DB, err);
    return code == ERR_OK ? fault_point(point, ERR_DB, err) : code;
}

/* What a signal did not end is not put off by the first lock that is held, nor for long. */
static struct patience patience_of(struct work *w)
{
    bool hurries = !w->cancel && cancel_fired(w->run->cancel);
    struct patience p = {.run = w->run,
                         .op = w->op,
                         .control = w->control,
                         .cancel = w->cancel,
                         .timeout_s = hurries && w->options->lock_timeout_s > CANCELLED_TIMEOUT_S
                                          ? CANCELLED_TIMEOUT_S
                                          : w->options->lock_timeout_s,
                         .kill_blockers = w->options->kill_blockers};
    patience_begin(&p);
    return p;
}

/* The locks on the databases go with the control connection: a step that nobody guards is not begun. */
static enum err_code run_guarded(struct work *w, const struct step *s, struct err *err)
{
    enum err_code code = db_exec(w->control, "DO 0", err);
    return code == ERR_OK ? run_step(w, s, err) : code;
}

/* Tries a step until others let go of what it needs. */
static enum err_code run_patiently(struct work *w, unsigned i, struct err *err)
{
    struct patience p = patience_of(w);
    int64_t begun_ms = clock_monotonic_ms(w->run->clock);
    const struct step *s = &w->op->steps[i];
    log_debug(w->run->log, "step %u of %u: %s", i + 1, w->op->step_count, s->what);
    enum err_code code = fault_at(s->kind, err);
    while (code == ERR_OK) {
        code = run_guarded(w, s, err);
        if (code != ERR_DB_RETRY)
            break;
        if (w->guard && clock_monotonic_ms(w->run->clock) - begun_ms > GUARD_MAX_MS) {
            log_warn(w->run->log, "writers of the parent tables are let go on before this is done: %s",
                     s->what);
            drop_guard(w);
        }
        code = patience_wait(&p, s->what, err);
    }
    return code == ERR_OK ? journal_step_done(w->control, w->op, i, err) : code;
}

/* ---- the swap ---- */

/* The guard is taken for each try anew: between tries its tables are free too. */
static enum err_code try_swap(struct work *w, struct err *err)
{
    enum err_code code = swap_guard(w->run, w->params, w->control, w->op, &w->guard, err);
    if (code == ERR_OK)
        code = swap_rename(w->run, w->params, w->control, w->op, err);
    if (code != ERR_OK)
        drop_guard(w);
    return code;
}

static enum err_code swap(struct work *w, unsigned i, struct err *err)
{
    struct patience p = patience_of(w);
    progress_phase(w->run->progress, "swapping", 0);
    log_debug(w->run->log, "step %u of %u: %s", i + 1, w->op->step_count, w->op->steps[i].what);
    enum err_code code = fault_at(STEP_SWAP, err);
    if (code == ERR_OK)
        code = set_up(w->control, err);
    while (code == ERR_OK) {
        code = try_swap(w, err);
        if (code != ERR_DB_RETRY)
            break;
        code = patience_wait(&p, "the swap", err);
    }
    if (code == ERR_TIMEOUT)
        err_hint(err, "; nothing was exchanged");
    return code;
}

static unsigned place_of_swap(const struct operation *op)
{
    unsigned i = 0;
    while (i < op->step_count && op->steps[i].kind != STEP_SWAP)
        i++;
    return i;
}

enum err_code steps_swap(struct work *w, struct err *err)
{
    unsigned swap_at = place_of_swap(w->op);
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < swap_at; i++)
        if (!w->op->steps[i].done)
            code = run_patiently(w, i, err);
    if (code == ERR_OK)
        code = swap(w, swap_at, err);
    if (code == ERR_OK || w->op->unknown)
        return code;
    struct err late;
    if (code != ERR_DB_LOST && !cancel_fired(w->run->cancel) && steps_take_back(w, &late) != ERR_OK)
        log_warn(w->run->log, "what was prepared for the swap could not be taken back: %s", late.text);
    return code;
}

/* ---- behind it ---- */

static bool moves_tables(enum step_kind kind)
{
    return kind == STEP_LEAVE_PARENTS || kind == STEP_DROP_TRIGGERS || kind == STEP_NAME_TRIGGERS ||
           kind == STEP_MOVE_OUT || kind == STEP_NAME_KEYS;
}

/* Before tables are exchanged back, keys get their places and names too; where that fails they do without. */
static bool moves_keys(enum step_kind kind)
{
    return kind == STEP_JOIN_PARENTS || kind == STEP_MOVE_CHILD;
}

/* A database that lent its collation to an object when the process died gets it back: what undoes the
 * operation would take it for the database's own. */
static bool returns_collation(const struct operation *op, const struct step *s)
{
    if (s->kind != STEP_SET_SCHEMA)
        return false;
    const struct schema_change *change = &op->schema_changes[s->subject];
    return change->before.charset && schemas_equal(&change->before, &change->after);
}

/* Everything there is after this error would fail, or wait, in the same way. */
static bool ends_all(enum err_code code)
{
    return code == ERR_DB_LOST || code == ERR_TIMEOUT || code == ERR_LOCKED || code == ERR_SIGINT ||
           code == ERR_SIGTERM;
}

struct failures {
    unsigned count;
    struct err first;
    bool *waits; /* by exchange: one of its steps failed, and later ones must not overtake it */
};

/* The exchange whose steps stand in an order, or -1. */
static int exchange_of(const struct step *s)
{
    return moves_tables(s->kind) || s->kind == STEP_JOIN_PARENTS ? (int)s->subject : -1;
}

static bool must_wait(const struct failures *f, const struct step *s)
{
    int exchange = exchange_of(s);
    /* There is nothing to compare before all is done. */
    return exchange >= 0 ? f->waits[exchange] : s->kind == STEP_CHECK && f->count > 0;
}

static void note_failure(struct failures *f, const struct step *s, const struct err *err)
{
    if (f->count++ == 0)
        err_copy(&f->first, err);
    if (exchange_of(s) >= 0)
        f->waits[exchange_of(s)] = true;
}

/* *done: how many steps this pass did. */
static enum err_code pass(struct work *w, bool tables_only, struct failures *f, unsigned *done)
{
    f->count = 0;
    *done = 0;
    memset(f->waits, 0, w->op->exchange_count * sizeof *f->waits);
    for (unsigned i = place_of_swap(w->op); i < w->op->step_count; i++) {
        struct step *s = &w->op->steps[i];
        struct err err;
        if (s->kind == STEP_SWAP || s->done || must_wait(f, s) ||
            (tables_only && !moves_tables(s->kind) && !moves_keys(s->kind) && !returns_collation(w->op, s)))
            continue;
        /* The guard is for the steps right behind the swap alone. */
        if (s->kind != STEP_LEAVE_PARENTS && s->kind != STEP_JOIN_PARENTS)
            drop_guard(w);
        enum err_code code = run_patiently(w, i, &err);
        *done += code == ERR_OK;
        if (code == ERR_OK)
            continue;
        if (tables_only && moves_keys(s->kind) && !ends_all(code)) {
            log_warn(w->run->log, "%s: %s", s->what, err.text);
            continue;
        }
        note_failure(f, s, &err);
        if (ends_all(code))
            return code;
    }
    return ERR_OK;
}

/* A view may need another one that comes later: as long as something succeeds, the rest is tried again. */
enum err_code steps_finish(struct work *w, bool tables_only, struct err *err)
{
    struct failures f = {.waits = xcalloc(w->op->exchange_count + 1, sizeof *f.waits)};
    unsigned done;
    enum err_code code;
    do
        code = pass(w, tables_only, &f, &done);
    while (code == ERR_OK && f.count && done);
    drop_guard(w);
    free(f.waits);
    if (f.count == 0)
        return ERR_OK;
    err_copy(err, &f.first);
    return f.count > 1 ? err_hint(err, " (and %u more of its last steps failed)", f.count - 1) : err->code;
}

/* ---- back ---- */

static enum err_code take_back_step(struct work *w, struct db_conn *maker, const struct step *s,
                                    struct err *err)
{
    const struct operation *op = w->op;
    enum err_code code = definition_plain(maker, err);
    if (code != ERR_OK)
        return code;
    switch (s->kind) {
    case STEP_MAKE_OBJECT:
        return check_and_drop(w->run, maker, &op->made[s->subject], err);
    case STEP_MAKE_TRIGGERS:
        return triggers_drop(maker, op, s->subject, true, err);
    case STEP_PARK:
        return park(maker, op, s->subject, true, err);
    case STEP_RENAME_KEYS:
        return keys_rename_back(maker, op, s->subject, true, err);
    default:
        return ERR_OK;
    }
}

static enum err_code take_back_patiently(struct work *w, struct db_conn *maker, const struct step *s,
                                         struct err *err)
{
    struct patience p = patience_of(w);
    enum err_code code;
    while ((code = take_back_step(w, maker, s, err)) == ERR_DB_RETRY)
        if ((code = patience_wait(&p, "taking back what was prepared", err)) != ERR_OK)
            break;
    return code;
}

enum err_code steps_take_back(struct work *w, struct err *err)
{
    struct operation *op = w->op;
    struct db_conn *maker;
    enum err_code code = work_maker(w, true, &maker, err);
    if (code == ERR_OK)
        code = fault_point("take_back", ERR_DB, err);
    for (unsigned i = place_of_swap(op); code == ERR_OK && i-- > 0;)
        code = take_back_patiently(w, maker, &op->steps[i], err);
    if (code == ERR_OK)
        code = definition_plain(maker, err);
    for (unsigned i = 0; code == ERR_OK && i < op->schema_change_count; i++)
        if (op->schema_changes[i].before.charset)
            code = schemas_take_back(w->run, maker, &op->schema_changes[i], err);
    return code;
}

enum err_code steps_clear(struct work *w, struct err *err)
{
    struct operation *op = w->op;
    struct db_conn *maker;
    enum err_code code = steps_take_back(w, err);
    if (code == ERR_OK)
        code = work_maker(w, true, &maker, err);
    if (code == ERR_OK)
        code = definition_plain(maker, err);
    for (unsigned i = 0; code == ERR_OK && i < op->exchange_count; i++)
        code = sequences_drop_placeholder(maker, op, i, err);
    for (unsigned i = 0; code == ERR_OK && i < op->schema_change_count; i++)
        if (!op->schema_changes[i].before.charset)
            code = schemas_take_back(w->run, maker, &op->schema_changes[i], err);
    return code;
}
