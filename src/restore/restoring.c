#include "restore/restoring.h"

#include "core/fault.h"
#include "db/session.h"
#include "restore/journal.h"
#include "restore/journal_plan.h"
#include "restore/schemas.h"
#include "restore/swap_plan.h"
#include "restore/takeover.h"

#include <stdio.h>

/* ---- connections ---- */

struct remains_given restoring_given(const struct restore *r)
{
    return (struct remains_given){r->options->staging_schema, r->options->undo_schema};
}

enum err_code restoring_reconnect(struct restore *r, struct err *err)
{
    db_close(r->control);
    r->control = NULL;
    enum err_code code = db_connect(r->params, NULL, &r->control, err);
    return code == ERR_OK ? session_lock_wait(r->control, LOCK_WAIT_S, err) : code;
}

enum err_code restoring_come_back(struct restore *r, struct operation *op, struct err *err)
{
    enum err_code code = restoring_reconnect(r, err);
    return code == ERR_OK ? takeover(r->control, r->arena, op, LOCK_WAIT_S, err) : code;
}

struct swap_options restoring_swap_options(const struct restore *r)
{
    return (struct swap_options){r->options->lock_timeout_s, r->options->kill_blockers};
}

enum err_code restoring_clear(struct restore *r, struct operation *op, struct err *err)
{
    const struct remains_given given = restoring_given(r);
    const struct swap_options options = restoring_swap_options(r);
    struct work w;
    work_begin(&w, r->run, r->params, r->control, op, &options);
    w.cancel = NULL;
    enum err_code code = steps_clear(&w, err);
    work_end(&w);
    return code == ERR_OK ? remains_drop(r->control, op, &given, err) : code;
}

enum err_code restoring_take_back(struct restore *r, struct operation *op, bool cancelled, struct err *err)
{
    const struct swap_options options = restoring_swap_options(r);
    struct work w;
    work_begin(&w, r->run, r->params, r->control, op, &options);
    if (cancelled)
        w.cancel = NULL;
    enum err_code code = steps_take_back(&w, err);
    work_end(&w);
    return code;
}

void restoring_keep(struct restore *r, struct operation *op, enum err_code why, struct err *err)
{
    struct err late;
    bool lost = why == ERR_DB_LOST || cancel_fired(r->run->cancel); /* else that was done already */
    if (lost &&
        (restoring_come_back(r, op, &late) != ERR_OK || restoring_take_back(r, op, true, &late) != ERR_OK))
        log_warn(r->run->log, "what was prepared for the swap could not be taken back: %s", late.text);
    err_hint(
        err,
        "; the verified tables are kept: %s tries only the swap again, `dbsafe undo %s` clears them away",
        restoring_go_on(r), op->id);
}

/* ---- behind the swap ---- */

/* Nothing that undo could put back: no table, object or database was there before or has come. */
static bool changed_nothing(const struct operation *op)
{
    bool nothing = op->exchange_count == 0 && op->kept_count == 0;
    for (unsigned i = 0; i < op->schema_change_count; i++)
        nothing &= schemas_equal(&op->schema_changes[i].before, &op->schema_changes[i].after);
    return nothing;
}

/* *only_remains: what failed leaves no more than something of ours that is in nobody's way.  With --if-exists
 * drop the old tables were to go, and a journal that cannot be written is believed wrongly later. */
static enum err_code remove_staging(struct restore *r, struct operation *op, bool *only_remains,
                                    struct err *err)
{
    const struct remains_given given = restoring_given(r);
    bool all = op->drop_old || changed_nothing(op); /* nothing is kept for undo */
    enum err_code code = fault_point("swap_finish", ERR_DB, err);
    if (code == ERR_OK)
        code = all ? remains_drop(r->control, op, &given, err) : remains_drop_staging(r->control, op, err);
    *only_remains = code != ERR_OK && !op->drop_old;
    /* The state comes last: until then --resume takes it up. */
    if (code == ERR_OK && !all)
        code = journal_set_state(r->control, op, OPERATION_SWAPPED, clock_wall_ms(r->run->clock), err);
    return code;
}

static enum err_code finish_steps(struct restore *r, struct operation *op, bool cancelled, struct err *err)
{
    const struct swap_options options = restoring_swap_options(r);
    struct work w;
    work_begin(&w, r->run, r->params, r->control, op, &options);
    if (cancelled)
        w.cancel = NULL;
    enum err_code code = steps_finish(&w, false, err);
    work_end(&w);
    return code;
}

const char *restoring_go_on(const struct restore *r)
{
    return r->options->go_on ? r->options->go_on : "the same command with --resume";
}

static enum err_code explain_unfinished(const struct restore *r, const struct operation *op, struct err *err)
{
    err_wrap(err, "restore %s is swapped, but not all that is behind the swap is done", op->id);
    err_hint(err, "; %s goes on there", restoring_go_on(r));
    if (!op->drop_old)
        err_hint(err, ", `dbsafe undo %s` puts everything back", op->id);
    return cancel_mark(r->run->cancel, err);
}

/* The last of all, with a new connection where the first was lost. */
static enum err_code remove_remains(struct restore *r, struct operation *op, struct err *err)
{
    bool only_remains;
    enum err_code code = remove_staging(r, op, &only_remains, err);
    if (code != ERR_OK && (cancel_fired(r->run->cancel) || code == ERR_DB_LOST)) {
        only_remains = false;
        code = restoring_come_back(r, op, err);
        if (code == ERR_OK)
            code = remove_staging(r, op, &only_remains, err);
    }
    if (code == ERR_OK || !only_remains)
        return code;
    op->unfinished = true;
    log_warn(r->run->log, "restore %s is done, but its remains could not be removed: %s", op->id, err->text);
    return ERR_OK;
}

/* A cancelled or lost connection is no reason to leave work undone: the swap was done. */
static enum err_code finish_swapped(struct restore *r, struct operation *op, enum err_code code,
                                    struct err *err)
{
    if (cancel_fired(r->run->cancel) || code == ERR_DB_LOST) {
        code = restoring_come_back(r, op, err);
        if (code == ERR_OK)
            code = finish_steps(r, op, true, err);
    }
    if (code == ERR_OK)
        code = remove_remains(r, op, err);
    return code == ERR_OK ? code : explain_unfinished(r, op, err);
}

enum err_code restoring_finish(struct restore *r, struct operation *op, struct err *err)
{
    return finish_swapped(r, op, finish_steps(r, op, false, err), err);
}

/* ---- the swap ---- */

/* The plan is made anew: it may be hours since the first one. */
static enum err_code plan_again(struct restore *r, struct work *w, struct err *err)
{
    const struct swap_plan_options options = {.include_referencing = r->options->include_referencing,
                                              .assume_no_outside_fks = r->options->assume_no_outside_fks};
    struct db_conn *maker;
    enum err_code code = work_maker(w, true, &maker, err);
    if (code == ERR_OK)
        code = swap_plan_make(r->run, r->control, maker, r->arena, w->op, &options, err);
    if (code == ERR_OK)
        code = fault_point("swap_planned", ERR_DB, err);
    return code == ERR_OK ? journal_write_plan(r->control, w->op, err) : code;
}

enum err_code restoring_swap(struct restore *r, struct operation *op, struct err *err)
{
    const struct swap_options options = restoring_swap_options(r);
    struct work w;
    enum err_code code = fault_point("swap_begin", ERR_DB, err);
    if (code != ERR_OK)
        return code;
    work_begin(&w, r->run, r->params, r->control, op, &options);
    code = plan_again(r, &w, err);
    if (code == ERR_OK)
        code = steps_swap(&w, err);
    enum err_code late = code == ERR_OK ? steps_finish(&w, false, err) : code;
    work_end(&w);
    if (op->unknown)
        err_hint(err, "; %s finds out, and finishes", restoring_go_on(r));
    return code == ERR_OK ? finish_swapped(r, op, late, err) : code;
}

void restoring_report(const struct operation *op, struct restore_result *result)
{
    bool nothing = changed_nothing(op);
    if (!nothing)
        snprintf(result->restore_id, sizeof result->restore_id, "%s", op->id);
    for (unsigned i = 0; i < op->exchange_count; i++) {
        result->tables += op->exchanges[i].kind == EXCHANGE_TABLE;
        result->objects += op->exchanges[i].kind == EXCHANGE_SEQUENCE;
    }
    for (unsigned i = 0; i < op->made_count; i++)
        result->objects += op->made[i].text != NULL;
    result->rows = op->rows;
    result->verified = op->verified;
    result->swapped = op->swapped && !nothing;
    result->unknown = op->unknown;
    result->unfinished = op->unfinished;
}
