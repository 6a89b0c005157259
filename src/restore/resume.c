/* Unfinished business of a restore that died. */
#include "restore/restoring.h"

#include "restore/journal.h"
#include "restore/journal_plan.h"
#include "restore/owner.h"
#include "restore/takeover.h"

#include <string.h>

static enum err_code take_over(struct restore *r, struct operation *op, struct err *err)
{
    enum err_code code = journal_read_plan(r->control, r->arena, op, err);
    if (code == ERR_OK)
        code = takeover(r->control, r->arena, op, LOCK_WAIT_S, err);
    if (code == ERR_OK) /* read again: now nobody changes it */
        code = journal_is_done(r->control, op, &op->swapped, err);
    return code == ERR_OK ? journal_read_plan(r->control, r->arena, op, err) : code;
}

static enum err_code check_same(struct restore *r, const struct operation *op, struct err *err)
{
    const char *name = r->options->archive_name ? r->options->archive_name : "";
    if (owner_is_alive(op))
        return err_set(err, ERR_LOCKED, "resume restore %s: it is still running on this host", op->id);
    if (op->archive[0] && strcmp(op->archive, name) != 0)
        return err_set(err, ERR_REFUSED,
                       "resume restore %s: it was begun from %s; name that archive, or clear it away with"
                       " `dbsafe undo %s`",
                       op->id, op->archive, op->id);
    if (op->wishes && strcmp(op->wishes, restoring_wishes(r)) != 0)
        return err_set(
            err, ERR_REFUSED,
            "resume restore %s: it was begun with %s, and this command line says %s; repeat the first one,"
            " or clear it away with `dbsafe undo %s`",
            op->id, op->wishes, restoring_wishes(r), op->id);
    return ERR_OK;
}

static enum err_code take_back(struct restore *r, struct operation *op, struct err *err)
{
    const struct swap_options options = restoring_swap_options(r);
    struct work w;
    work_begin(&w, r->run, r->params, r->control, op, &options);
    enum err_code code = steps_take_back(&w, err);
    work_end(&w);
    return code;
}

static void tell_what_it_would_do(struct restore *r, const struct operation *op)
{
    log_info(r->run->log, "would %s restore %s of %s%s",
             op->swapped                       ? "finish what is behind the swap of"
             : op->state == OPERATION_VERIFIED ? "compare the staged rows of"
                                               : "clear away",
             op->id, op->archive,
             op->swapped                       ? ""
             : op->state == OPERATION_VERIFIED ? " again, and swap"
                                               : ", and start anew");
}

/* Finishes or clears what an earlier run left. *finished: the restore is done by that. */
static enum err_code resume(struct restore *r, struct operation *op, bool *finished, struct err *err)
{
    *finished = r->options->dry_run;
    enum err_code code = check_same(r, op, err);
    if (code == ERR_OK && r->options->dry_run) {
        tell_what_it_would_do(r, op);
        return ERR_OK;
    }
    if (code == ERR_OK)
        code = take_over(r, op, err);
    if (code != ERR_OK)
        return code;
    if (op->swapped) {
        log_info(r->run->log, "restore %s had been swapped already: finishing what is behind that", op->id);
        *finished = true;
        return restoring_finish(r, op, err);
    }
    if (op->state == OPERATION_VERIFIED) {
        log_info(r->run->log, "restore %s had been loaded and verified already: swapping", op->id);
        *finished = true;
        code = take_back(r, op, err);
        return code == ERR_OK ? restoring_swap(r, op, err) : code;
    }
    log_info(r->run->log, "restore %s had not been loaded completely: starting anew", op->id);
    return restoring_clear(r, op, err);
}

static void tell(struct restore *r, const struct operation *op)
{
    if (op->swapped)
        log_warn(r->run->log,
                 "restore %s of %s is swapped, but not all that is behind the swap was done: --resume"
                 " finishes it",
                 op->id, op->archive);
    else
        log_warn(r->run->log,
                 "restore %s of %s was never finished: --resume finishes it, `dbsafe undo %s` clears it away",
                 op->id, op->archive, op->id);
}

enum err_code resume_look(struct restore *r, bool *finished, struct restore_result *result, struct err *err)
{
    struct operation *ops;
    unsigned count;
    *finished = false;
    enum err_code code = journal_list(r->control, r->arena, &ops, &count, err);
    for (unsigned i = count; code == ERR_OK && i-- > 0;) {
        struct operation *op = &ops[i];
        if (op->is_undo || op->state > OPERATION_VERIFIED || owner_is_alive(op))
            continue;
        if (!r->options->resume) {
            tell(r, op);
            continue;
        }
        code = resume(r, op, finished, err);
        if (code == ERR_OK && *finished)
            restoring_report(op, result);
        result->swapped &= !r->options->dry_run;
        return code;
    }
    if (code == ERR_OK && r->options->resume)
        log_info(r->run->log, "there is no unfinished restore: starting anew");
    return code;
}
