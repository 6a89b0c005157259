#include "restore/restore.h"

#include "core/fault.h"
#include "core/mem.h"
#include "db/catalog.h"
#include "db/session.h"
#include "restore/journal.h"
#include "restore/preflight.h"
#include "restore/stage.h"
#include "restore/swap.h"
#include "restore/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX_BYTES ((size_t)1 << 20)
/* How long the connections of a run that died may take to end. */
#define LOCK_WAIT_S 10

struct restore {
    const struct run *run;
    const struct db_params *params;
    const struct restore_options *options;
    struct db_conn *control;
    struct stage_input input;
    struct arena *arena;
    struct targets targets;
    struct operation op;
    bool begun;      /* something of op may stand on the server */
    bool journalled; /* its journal is whole */
};

/* ---- the plan ---- */

/* The schema that takes what belongs to target schema i: the one the user named, or
 * "dbsafe_<kind>_<id>[_<i+1>]". */
static const char *own_schema(struct restore *r, const char *given, const char *kind, unsigned i)
{
    if (given)
        return given;
    if (i == 0)
        return arena_printf(r->arena, "dbsafe_%s_%s", kind, r->op.id);
    return arena_printf(r->arena, "dbsafe_%s_%s_%u", kind, r->op.id, i + 1);
}

static unsigned schema_index(const struct targets *t, const char *schema)
{
    unsigned i = 0;
    while (strcmp(t->schemas[i], schema) != 0)
        i++;
    return i;
}

static void plan_exchange(struct restore *r, unsigned i)
{
    const struct restore_options *o = r->options;
    struct target *t = &r->targets.items[i];
    unsigned schema = schema_index(&r->targets, t->schema);
    const char *staging = own_schema(r, o->staging_schema, "stage", schema);
    r->op.exchanges[i] = (struct exchange){t->schema, t->name, staging,
                                           t->exists ? own_schema(r, o->undo_schema, "undo", schema) : NULL};
    struct buf quoted;
    buf_init(&quoted, 1024);
    db_quote_pair(&quoted, staging, t->name);
    t->staging = arena_strdup(r->arena, buf_cstr(&quoted));
    buf_free(&quoted);
}

/* The schemas that the user names hold tables of one target schema, and are neither each other nor that one.
 */
static enum err_code check_given_names(const struct restore_options *o, const struct targets *t,
                                       struct err *err)
{
    const char *const names[] = {o->staging_schema, o->undo_schema, t->schema_count ? t->schemas[0] : NULL};
    if ((o->staging_schema || o->undo_schema) && t->schema_count > 1)
        return err_set(
            err, ERR_USAGE,
            "restore: --staging-schema and --undo-schema hold tables of one database, the archive has %u",
            t->schema_count);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = i + 1; names[i] && k < 3; k++)
            if (names[k] && strcmp(names[i], names[k]) == 0)
                return err_set(
                    err, ERR_USAGE,
                    "restore: --staging-schema, --undo-schema and the database that is restored are"
                    " three different ones, and %s was named twice",
                    names[i]);
    return ERR_OK;
}

/* What of the options decides which tables are exchanged and how: --resume must mean the same. */
static const char *wishes_of(struct restore *r)
{
    static const char *const if_exists[] = {"swap", "fail", "drop"};
    const struct restore_options *o = r->options;
    struct buf text;
    buf_init(&text, SQL_MAX_BYTES);
    for (unsigned i = 0; i < o->table_count; i++)
        buf_putf(&text, "%s%s", i ? "," : "--tables ", o->tables[i]);
    for (unsigned i = 0; i < o->into_count; i++)
        buf_putf(&text, "%s%s%s%s",
                 i          ? ","
                 : text.len ? " --into "
                            : "--into ",
                 o->into[2 * i] ? o->into[2 * i] : "", o->into[2 * i] ? "=" : "", o->into[2 * i + 1]);
    buf_putf(&text, "%s--if-exists %s%s", text.len ? " " : "", if_exists[o->if_exists],
             o->verify ? "" : " --no-verify");
    if (o->staging_schema)
        buf_putf(&text, " --staging-schema %s", o->staging_schema);
    if (o->undo_schema)
        buf_putf(&text, " --undo-schema %s", o->undo_schema);
    const char *wishes = arena_strdup(r->arena, buf_cstr(&text));
    buf_free(&text);
    return wishes;
}

static enum err_code plan_operation(struct restore *r, struct err *err)
{
    const struct restore_options *o = r->options;
    struct targets *t = &r->targets;
    enum err_code code = check_given_names(o, t, err);
    if (code != ERR_OK)
        return code;
    operation_make_id(r->run, r->op.id);
    r->op.archive = o->archive_name ? o->archive_name : "";
    r->op.drop_old = o->if_exists == IF_EXISTS_DROP;
    r->op.wishes = wishes_of(r);
    r->op.exchange_count = t->count;
    r->op.exchanges = arena_calloc(r->arena, t->count + 1, sizeof *r->op.exchanges);
    r->op.schemas = arena_calloc(r->arena, 2 * t->schema_count + 1, sizeof *r->op.schemas);
    for (unsigned i = 0; i < t->count; i++)
        plan_exchange(r, i);
    for (unsigned i = 0; i < t->schema_count; i++) {
        if (!o->staging_schema)
            r->op.schemas[r->op.schema_count++] = own_schema(r, NULL, "stage", i);
        if (!o->undo_schema)
            r->op.schemas[r->op.schema_count++] = own_schema(r, NULL, "undo", i);
    }
    return ERR_OK;
}

/* A schema that the user named must not hold tables of the same names: they would be taken for ours. */
static enum err_code check_given_schema(struct restore *r, const char *schema, struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; schema && code == ERR_OK && i < r->targets.count; i++) {
        struct catalog_table *found;
        unsigned count;
        code = catalog_tables(r->control, r->arena, schema, r->targets.items[i].name, &found, &count, err);
        if (code == ERR_OK && count)
            code = err_set(err, ERR_REFUSED,
                           "restore: %s.%s exists already; empty the schema, or leave the option away",
                           schema, r->targets.items[i].name);
    }
    return code;
}

static void tell_plan(struct restore *r)
{
    for (unsigned i = 0; i < r->targets.count; i++) {
        const struct target *t = &r->targets.items[i];
        log_info(r->run->log, "would restore %s.%s to %s.%s (%" PRIu64 " rows), %s", t->table->schema,
                 t->table->name, t->schema, t->name, t->table->rows,
                 !t->exists                                ? "which does not exist now"
                 : r->options->if_exists == IF_EXISTS_DROP ? "dropping the table that is there"
                                                           : "keeping the table that is there for undo");
    }
}

/* ---- unfinished business of a run that died ---- */

static enum err_code lock_targets(struct restore *r, const struct operation *op, unsigned wait_s,
                                  struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < op->exchange_count; i++)
        if (i == 0 || strcmp(op->exchanges[i].schema, op->exchanges[i - 1].schema) != 0)
            code = journal_lock_schema(r->control, op->exchanges[i].schema, wait_s, err);
    return code;
}

static struct journal_given given_schemas(const struct restore *r)
{
    return (struct journal_given){r->options->staging_schema, r->options->undo_schema};
}

static enum err_code after_swap(struct restore *r, struct operation *op, struct err *err)
{
    const struct journal_given given = given_schemas(r);
    enum err_code code = fault_point("swap_finish", ERR_DB, err);
    if (code == ERR_OK && (op->drop_old || op->exchange_count == 0)) /* nothing is kept for undo */
        return journal_drop(r->control, op, &given, err);
    if (code == ERR_OK)
        code = journal_drop_staging(r->control, op, err);
    /* The state comes last: until then --resume takes it up. */
    if (code == ERR_OK)
        code = journal_set_state(r->control, op, OPERATION_SWAPPED, clock_wall_ms(r->run->clock), err);
    return code;
}

/* Target schemas that are missing are made as the archive describes them. */
static enum err_code make_target_schemas(struct restore *r, struct err *err)
{
    const struct manifest *m = r->input.stream ? archive_stream_manifest(r->input.stream) : r->input.manifest;
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    enum err_code code = r->input.stream ? targets_add_schemas(&r->targets, m, r->options, err) : ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < r->targets.schema_count; i++) {
        if (r->targets.schema_exists[i])
            continue;
        buf_clear(&sql);
        buf_put(&sql, "CREATE DATABASE IF NOT EXISTS ");
        db_quote_name(&sql, r->targets.schemas[i]);
        for (unsigned k = 0; k < m->schema_count; k++)
            if (strcmp(m->schemas[k].name, r->targets.originals[i]) == 0)
                buf_putf(&sql, " CHARACTER SET %s COLLATE %s", m->schemas[k].charset,
                         collation_map_find(&r->targets.mapped, m->schemas[k].collation));
        code = db_exec(r->control, buf_cstr(&sql), err);
    }
    buf_free(&sql);
    return code;
}

/* A new control connection after a cancellation or loss: cleaning up must still be possible. */
static enum err_code reconnect(struct restore *r, struct err *err)
{
    db_close(r->control);
    r->control = NULL;
    enum err_code code = db_connect(r->params, NULL, &r->control, err);
    return code == ERR_OK ? session_lock_wait(r->control, LOCK_WAIT_S, err) : code;
}

/* Triggers and foreign keys may have come since the plan was made, which can be hours ago. */
static enum err_code check_again(struct restore *r, const struct operation *op, struct err *err)
{
    struct refusals found;
    refusals_begin(&found);
    enum err_code code = check_live_tables(r->control, op->exchanges, op->exchange_count,
                                           r->options->assume_no_outside_fks, &found, err);
    enum err_code refused = refusals_end(&found, "restore", code == ERR_OK ? err : NULL);
    return code != ERR_OK ? code : refused;
}

static enum err_code swap(struct restore *r, struct operation *op, struct err *err)
{
    const struct swap_options options = {r->options->lock_timeout_s, r->options->kill_blockers};
    enum err_code code = fault_point("swap_begin", ERR_DB, err);
    if (code == ERR_OK)
        code = check_again(r, op, err);
    if (code == ERR_OK)
        code = swap_run(r->run, r->params, r->control, op, &options, err);
    if (code != ERR_OK)
        return code;
    code = after_swap(r, op, err);
    /* A cancelled or lost connection is no reason to leave remains: the swap was done. */
    if (cancel_fired(r->run->cancel) || code == ERR_DB_LOST) {
        code = reconnect(r, err);
        if (code == ERR_OK)
            code = after_swap(r, op, err);
    }
    if (code != ERR_OK)
        log_warn(r->run->log, "restore %s is done, but its remains could not be removed: %s", op->id,
                 err->text);
    return ERR_OK;
}

static void report(const struct operation *op, struct restore_result *result)
{
    snprintf(result->restore_id, sizeof result->restore_id, "%s", op->id);
    result->tables = op->exchange_count;
    result->rows = op->rows;
    result->verified = op->verified;
    result->swapped = op->swapped;
}

/* Finishes or clears what an earlier run left. *finished: the restore is done by that. */
static enum err_code resume(struct restore *r, struct operation *op, bool *finished, struct err *err)
{
    *finished = false;
    if (journal_owner_is_alive(op))
        return err_set(err, ERR_LOCKED, "resume restore %s: it is still running on this host", op->id);
    if (op->archive[0] && strcmp(op->archive, r->options->archive_name ? r->options->archive_name : "") != 0)
        return err_set(err, ERR_REFUSED,
                       "resume restore %s: it was begun from %s; name that archive, or clear it away with"
                       " `dbsafe undo %s`",
                       op->id, op->archive, op->id);
    if (op->wishes && strcmp(op->wishes, wishes_of(r)) != 0)
        return err_set(
            err, ERR_REFUSED,
            "resume restore %s: it was begun with %s, and this command line says %s; repeat the first one,"
            " or clear it away with `dbsafe undo %s`",
            op->id, op->wishes, wishes_of(r), op->id);
    enum err_code code = journal_owner_is_elsewhere(op) ? lock_targets(r, op, LOCK_WAIT_S, err) : ERR_OK;
    if (code == ERR_OK)
        code = journal_end_connections(r->control, op, err);
    if (code == ERR_OK)
        code = lock_targets(r, op, LOCK_WAIT_S, err);
    if (code == ERR_OK) /* read again: now nobody changes it */
        code = journal_is_done(r->control, op, &op->swapped, err);
    if (code == ERR_OK)
        code = journal_add_connection(r->control, op, db_id(r->control), err);
    if (code != ERR_OK)
        return code;
    if (op->swapped) {
        log_info(r->run->log, "restore %s had been swapped already: clearing up", op->id);
        *finished = true;
        return after_swap(r, op, err);
    }
    if (op->state == OPERATION_VERIFIED) {
        log_info(r->run->log, "restore %s had been loaded and verified already: swapping", op->id);
        *finished = true;
        return swap(r, op, err);
    }
    log_info(r->run->log, "restore %s had not been loaded completely: starting anew", op->id);
    const struct journal_given given = given_schemas(r);
    return journal_drop(r->control, op, &given, err);
}

/* Looks for an unfinished restore: resumes it, or tells of it. */
static enum err_code look_for_unfinished(struct restore *r, bool *finished, struct restore_result *result,
                                         struct err *err)
{
    struct operation *ops;
    unsigned count;
    *finished = false;
    enum err_code code = journal_list(r->control, r->arena, &ops, &count, err);
    for (unsigned i = count; code == ERR_OK && i-- > 0;) {
        struct operation *op = &ops[i];
        if (op->is_undo || op->state > OPERATION_VERIFIED || journal_owner_is_alive(op))
            continue;
        if (!r->options->resume && op->swapped) {
            log_warn(r->run->log,
                     "restore %s of %s is done, but its remains were not removed: --resume removes them",
                     op->id, op->archive);
            continue;
        }
        if (!r->options->resume) {
            log_warn(
                r->run->log,
                "restore %s of %s was never finished: --resume finishes it, `dbsafe undo %s` clears it away",
                op->id, op->archive, op->id);
            continue;
        }
        code = resume(r, op, finished, err);
        if (code == ERR_OK && *finished)
            report(op, result);
        return code;
    }
    if (code == ERR_OK && r->options->resume)
        log_info(r->run->log, "there is no unfinished restore: starting anew");
    return code;
}

/* ---- the stages ---- */

/* Looks for all that could stop it later; needs what the targets' own check read of the live side. */
static enum err_code look_ahead(struct restore *r, struct findings *found, struct err *err)
{
    struct preflight p = {.run = r->run,
                          .conn = r->control,
                          .arena = r->arena,
                          .options = r->options,
                          .manifest = r->input.manifest,
                          .targets = &r->targets,
                          .mapped = &r->targets.mapped,
                          .out = found};
    return preflight_restore(&p, err);
}

/* Of two refusals all reasons are told. */
static enum err_code join_refusals(const struct findings *found, enum err_code code, struct err *err)
{
    struct err early;
    if (findings_check(found, "restore", &early) == ERR_OK || (code != ERR_OK && code != ERR_REFUSED))
        return code;
    if (code == ERR_REFUSED && strchr(err->text, '\n'))
        err_hint(&early, "%s", strchr(err->text, '\n'));
    return err_copy(err, &early);
}

static enum err_code look_at_all(struct restore *r, struct findings *found, struct err *err)
{
    enum err_code code = stage_open(r->input.src, r->options, &r->input, err);
    if (code == ERR_OK)
        code = targets_make(r->input.manifest, r->input.chosen, r->input.ddl_texts, r->options, r->arena,
                            &r->targets, err);
    if (code != ERR_OK)
        return code;
    code = targets_check(r->control, &r->targets, r->options, err);
    struct err asking;
    if (code != ERR_OK && code != ERR_REFUSED)
        return code;
    if (look_ahead(r, found, &asking) != ERR_OK)
        return err_copy(err, &asking);
    return code;
}

static void tell_findings(struct restore *r, const struct findings *found)
{
    for (unsigned i = 0; i < found->count; i++)
        if (found->items[i].level == FINDING_WARNING)
            log_warn(r->run->log, "%s", found->items[i].text);
        else
            log_debug(r->run->log, "%s: %s", found->items[i].topic, found->items[i].text);
}

static enum err_code prepare(struct restore *r, struct err *err)
{
    struct findings found = {0};
    enum err_code code = look_at_all(r, &found, err);
    code = join_refusals(&found, code, err);
    tell_findings(r, &found);
    findings_free(&found);
    if (code == ERR_OK)
        code = plan_operation(r, err);
    if (code == ERR_OK)
        code = check_given_schema(r, r->options->staging_schema, err);
    if (code == ERR_OK)
        code = check_given_schema(r, r->options->undo_schema, err);
    return code;
}

static enum err_code begin(struct restore *r, struct err *err)
{
    enum err_code code = lock_targets(r, &r->op, 0, err);
    if (code == ERR_OK)
        code = journal_identify(r->control, r->arena, &r->op, err);
    if (code == ERR_OK)
        code = journal_sweep(r->control, err);
    r->begun = code == ERR_OK;
    if (code == ERR_OK)
        code = journal_create(r->control, &r->op, err);
    r->journalled = code == ERR_OK;
    if (code == ERR_OK)
        code = journal_add_connection(r->control, &r->op, db_id(r->control), err);
    if (code == ERR_OK)
        code = swap_make_schemas(r->control, &r->op, err);
    if (code == ERR_OK)
        code = fault_point("restore_journalled", ERR_DB, err);
    return code == ERR_OK ? stage_create(r->control, &r->targets, err) : code;
}

static enum err_code fill(struct restore *r, struct err *err)
{
    const struct restore_options *o = r->options;
    enum err_code code =
        stage_load(r->run, r->params, r->control, &r->op, &r->input, &r->targets, o->threads, err);
    if (code == ERR_OK)
        code = fault_point("restore_loaded", ERR_DB, err);
    if (code == ERR_OK)
        code = stage_finish_tables(r->run, r->params, r->control, &r->op, &r->input, &r->targets, o->threads,
                                   err);
    if (code == ERR_OK && o->verify)
        code = stage_verify(r->run, r->params, &r->targets, o->threads, err);
    if (code != ERR_OK)
        return code;
    r->op.verified = o->verify;
    for (unsigned i = 0; i < r->targets.count; i++)
        r->op.rows += r->targets.items[i].table->rows;
    code = make_target_schemas(r, err);
    if (code == ERR_OK)
        code = journal_set_result(r->control, &r->op, err);
    if (code == ERR_OK)
        code = journal_set_state(r->control, &r->op, OPERATION_VERIFIED, 0, err);
    r->op.state = code == ERR_OK ? OPERATION_VERIFIED : r->op.state;
    return code == ERR_OK ? fault_point("restore_verified", ERR_DB, err) : code;
}

/* After a failure before the swap nothing of ours stays, except for a verified staging whose swap was only
 * kept waiting or lost its server. */
static void clean_up(struct restore *r, enum err_code why, struct err *err)
{
    if (!r->begun || r->op.swapped || r->op.unknown)
        return;
    if ((why == ERR_TIMEOUT || why == ERR_DB_LOST) && r->op.state == OPERATION_VERIFIED) {
        err_hint(err,
                 "; the verified tables are kept: the same command with --resume tries only the swap again, "
                 "`dbsafe undo %s`"
                 " clears them away",
                 r->op.id);
        return;
    }
    const struct journal_given given = given_schemas(r);
    struct err failed;
    enum err_code code = reconnect(r, &failed);
    if (code == ERR_OK && r->journalled)
        code = journal_end_connections(r->control, &r->op, &failed);
    if (code == ERR_OK)
        code = journal_drop(r->control, &r->op, &given, &failed);
    if (code != ERR_OK)
        log_warn(
            r->run->log,
            "staging of restore %s could not be removed (%s); live tables are unchanged; --resume starts anew"
            " from there, `dbsafe undo %s` clears it away",
            r->op.id, failed.text, r->op.id);
}

static enum err_code restore_fresh(struct restore *r, struct restore_result *result, struct err *err)
{
    enum err_code code = prepare(r, err);
    if (code == ERR_OK && r->options->dry_run) {
        tell_plan(r);
        result->tables = r->targets.count;
        for (unsigned i = 0; i < r->targets.count; i++)
            result->rows += r->targets.items[i].table->rows;
        return ERR_OK;
    }
    if (code == ERR_OK)
        code = begin(r, err);
    if (code == ERR_OK)
        code = fill(r, err);
    code = stage_explain(&r->input, code, err);
    if (code == ERR_OK)
        code = swap(r, &r->op, err);
    if (code == ERR_OK)
        report(&r->op, result);
    else
        clean_up(r, code, err);
    return code;
}

enum err_code restore_run(const struct run *run, const struct db_params *db, struct source *src,
                          const struct restore_options *options, struct restore_result *result,
                          struct err *err)
{
    struct restore r = {.run = run, .params = db, .options = options, .arena = arena_new()};
    struct err own;
    err = err ? err : &own;
    *result = (struct restore_result){0};
    r.input.src = src;
    progress_phase(run->progress, "reading the archive", 0);
    bool finished = false;
    enum err_code code = db_connect(db, run->cancel, &r.control, err);
    if (code == ERR_OK)
        code = look_for_unfinished(&r, &finished, result, err);
    if (code == ERR_OK && !finished)
        code = restore_fresh(&r, result, err);
    stage_close(&r.input);
    db_close(r.control);
    arena_free(r.arena);
    return code;
}

enum err_code restore_preflight(const struct run *run, const struct db_params *db, struct source *src,
                                const struct restore_options *options, struct findings *out, struct err *err)
{
    struct restore r = {.run = run, .params = db, .options = options, .arena = arena_new()};
    r.input.src = src;
    enum err_code code = db_connect(db, run->cancel, &r.control, err);
    if (code == ERR_OK)
        code = look_at_all(&r, out, err);
    if (code == ERR_REFUSED) { /* its reasons are lines */
        for (char *line = strchr(err->text, '\n'); line; line = strchr(line, '\n')) {
            line += strspn(line, "\n ");
            findings_add(out, FINDING_REFUSAL, "live tables", NULL, "%.*s", (int)strcspn(line, "\n"), line);
        }
        code = ERR_OK;
    }
    stage_close(&r.input);
    db_close(r.control);
    arena_free(r.arena);
    return code;
}
