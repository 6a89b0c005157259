/* Unfinished business of a restore that died. */
#include "restore/restoring.h"

#include "db/quote.h"
#include "restore/finish.h"
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

/* ---- the archive ---- */

/* *same: it is the one that the operation was begun from, which may have had the same name. */
static enum err_code is_same_archive(struct restore *r, const struct operation *op, bool *same,
                                     struct err *err)
{
    struct manifest *m = NULL;
    const struct manifest *known = r->input.manifest ? input_manifest(&r->input) : NULL;
    enum err_code code = known ? ERR_OK : archive_read_manifest(r->input.src, &m, err);
    *same = code == ERR_OK && op->archive_run && strcmp(op->archive_run, (known ? known : m)->run_id) == 0;
    manifest_free(m);
    return code;
}

static enum err_code check_archive(struct restore *r, const struct operation *op, struct err *err)
{
    bool same;
    enum err_code code = is_same_archive(r, op, &same, err);
    if (code != ERR_OK || same)
        return code;
    return err_set(err, ERR_REFUSED,
                   "resume restore %s: %s is not the archive that it was begun from, but another one of that"
                   " name; clear it away with `dbsafe undo %s`, and restore without --resume",
                   op->id, op->archive[0] ? op->archive : "what comes from standard input", op->id);
}

/* A pipe tells at its end which archive it is. */
static enum err_code open_archive(struct restore *r, const struct operation *op, struct err *err)
{
    enum err_code code = input_open(r->input.src, r->options, &r->input, err);
    if (code == ERR_OK && r->input.stream)
        code = input_skip_data(&r->input, err);
    return code == ERR_OK ? check_archive(r, op, err) : code;
}

/* Which staging table is to be compared with which of the archive's. */
static enum err_code find_staging(struct restore *r, const struct operation *op, struct err *err)
{
    enum err_code code = targets_make(&r->input, r->options, r->arena, &r->targets, err);
    for (unsigned i = 0; code == ERR_OK && i < r->targets.count; i++) {
        struct target *t = &r->targets.items[i];
        int found = operation_find(op, t->schema, t->name);
        if (found < 0 || !op->exchanges[found].incoming_schema)
            return err_set(err, ERR_REFUSED, "resume restore %s: its journal does not know table %s.%s",
                           op->id, t->schema, t->name);
        t->staging = db_quoted_pair(r->arena, op->exchanges[found].incoming_schema, t->name);
        t->table = &input_manifest(&r->input)->tables[t->table->number - 1];
    }
    return code;
}

/* They were right when they were loaded; but a server that died since may have lost what is not InnoDB's, and
 * others may have been at them. */
static enum err_code verify_again(struct restore *r, struct operation *op, struct err *err)
{
    enum err_code code = find_staging(r, op, err);
    if (code == ERR_OK && r->options->verify)
        code = finish_verify(r->run, r->params, r->control, op, &r->targets, r->options->threads, err);
    if (code != ERR_DIFFERS)
        return code;
    struct err late;
    err_wrap(err, "resume restore %s: its staging tables changed since they were verified", op->id);
    if (restoring_clear(r, op, &late) != ERR_OK)
        log_warn(r->run->log, "staging of restore %s could not be removed: %s", op->id, late.text);
    return err_hint(err, "; its staging is removed, live tables are unchanged: %s",
                    r->options->go_on ? r->options->go_on : "restore without --resume");
}

/* ---- going on ---- */

/* The swap of what is staged. */
static enum err_code resume_swap(struct restore *r, struct operation *op, struct err *err)
{
    log_info(r->run->log,
             "restore %s had been loaded and verified already: comparing the rows again, and swapping",
             op->id);
    enum err_code code = restoring_take_back(r, op, false, err);
    if (code == ERR_OK)
        code = verify_again(r, op, err);
    if (code == ERR_DIFFERS)
        return code;
    if (code == ERR_OK)
        code = restoring_swap(r, op, err);
    if (code != ERR_OK && !op->swapped && !op->unknown)
        restoring_keep(r, op, code, err);
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
static enum err_code resume(struct restore *r, struct operation *op, bool *finished, bool *was_swapped,
                            struct err *err)
{
    bool staged = !op->swapped && op->state == OPERATION_VERIFIED;
    *was_swapped = false;
    *finished = r->options->dry_run;
    enum err_code code = check_same(r, op, err);
    if (code == ERR_OK && staged)
        code = open_archive(r, op, err);
    if (code == ERR_OK && r->options->dry_run) {
        tell_what_it_would_do(r, op);
        return ERR_OK;
    }
    if (code == ERR_OK)
        code = take_over(r, op, err);
    if (code != ERR_OK)
        return code;
    *finished = op->swapped || staged;
    if (op->swapped) {
        log_info(r->run->log, "restore %s had been swapped already: finishing what is behind that", op->id);
        *was_swapped = true;
        return restoring_finish(r, op, err);
    }
    if (staged)
        return resume_swap(r, op, err);
    log_info(r->run->log, "restore %s had not been loaded completely: starting anew", op->id);
    return restoring_clear(r, op, err);
}

static void report(struct restore *r, const struct operation *op, struct restore_result *result)
{
    bool same = false;
    restoring_report(op, result);
    result->swapped &= !r->options->dry_run;
    /* What was swapped is finished in any case, but the proof is that of the archive which it was. */
    if (op->verified && (r->input.manifest || r->input.src->seekable))
        is_same_archive(r, op, &same, NULL);
    result->proves = same && result->swapped;
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
        code = resume(r, op, finished, &result->was_swapped, err);
        if (*finished && (code == ERR_OK || op->swapped || op->unknown))
            report(r, op, result);
        return code;
    }
    if (code == ERR_OK && r->options->resume)
        log_info(r->run->log, "there is no unfinished restore: starting anew");
    return code;
}
