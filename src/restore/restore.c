#include "restore/restoring.h"

#include "core/fault.h"
#include "db/catalog.h"
#include "db/session.h"
#include "restore/adapt.h"
#include "restore/finish.h"
#include "restore/journal.h"
#include "restore/journal_plan.h"
#include "restore/live.h"
#include "restore/objects.h"
#include "restore/owner.h"
#include "restore/preflight.h"
#include "restore/schemas.h"
#include "restore/stage.h"
#include "restore/swap.h"
#include "restore/swap_plan.h"
#include "restore/takeover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SQL_MAX_BYTES ((size_t)1 << 20)

/* ---- the operation ---- */

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

static const char *staging_of(struct restore *r, const char *schema)
{
    return own_schema(r, r->options->staging_schema, "stage", targets_schema_index(&r->targets, schema));
}

static const char *undo_of(struct restore *r, const char *schema)
{
    return own_schema(r, r->options->undo_schema, "undo", targets_schema_index(&r->targets, schema));
}

static void exchange_table(struct restore *r, struct target *t)
{
    t->staging_schema = staging_of(r, t->schema);
    r->op.exchanges[r->op.exchange_count++] =
        (struct exchange){.kind = EXCHANGE_TABLE,
                          .schema = t->schema,
                          .name = t->name,
                          .incoming_schema = t->staging_schema,
                          .outgoing_schema = t->exists ? undo_of(r, t->schema) : NULL};
    t->staging = db_quoted_pair(r->arena, t->staging_schema, t->name);
}

static void exchange_sequence(struct restore *r, struct target_sequence *s)
{
    bool placeholder = !s->exists && s->is_default;
    s->staging_schema = staging_of(r, s->schema);
    r->op.exchanges[r->op.exchange_count++] =
        (struct exchange){.kind = EXCHANGE_SEQUENCE,
                          .schema = s->schema,
                          .name = s->name,
                          .incoming_schema = s->staging_schema,
                          .outgoing_schema = s->exists     ? undo_of(r, s->schema)
                                             : placeholder ? s->staging_schema
                                                           : NULL,
                          .placeholder = placeholder};
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

static enum err_code check_given_exists(struct restore *r, const char *schema, const char *option,
                                        struct err *err)
{
    struct schema_defaults is = {.charset = NULL};
    enum err_code code = schema ? schemas_read(r->control, r->arena, schema, &is, err) : ERR_OK;
    if (schema && code == ERR_OK && !is.charset)
        code =
            err_set(err, ERR_NOT_FOUND,
                    "restore: %s names the database %s, and %s has none that this account can see; make it, "
                    "or leave the option away",
                    option, schema, db_target(r->control));
    return code;
}

static const char *definer_wish(const struct restore_options *o, struct restore *r)
{
    if (o->definer.choice == DEFINER_KEEP)
        return "";
    return o->definer.choice == DEFINER_CURRENT
               ? " --definer current"
               : arena_printf(r->arena, " --definer %s@%s", o->definer.user, o->definer.host);
}

const char *restoring_wishes(struct restore *r)
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
    buf_putf(&text, "%s--if-exists %s%s%s%s", text.len ? " " : "", if_exists[o->if_exists],
             o->verify ? "" : " --no-verify", o->include_referencing ? " --include-referencing" : "",
             definer_wish(o, r));
    if (o->staging_schema)
        buf_putf(&text, " --staging-schema %s", o->staging_schema);
    if (o->undo_schema)
        buf_putf(&text, " --undo-schema %s", o->undo_schema);
    const char *wishes = arena_strdup(r->arena, buf_cstr(&text));
    buf_free(&text);
    return wishes;
}

static enum err_code make_operation(struct restore *r, struct err *err)
{
    const struct restore_options *o = r->options;
    struct targets *t = &r->targets;
    enum err_code code = check_given_names(o, t, err);
    if (code == ERR_OK)
        code = check_given_exists(r, o->staging_schema, "--staging-schema", err);
    if (code == ERR_OK)
        code = check_given_exists(r, o->undo_schema, "--undo-schema", err);
    if (code != ERR_OK)
        return code;
    operation_make_id(r->run, r->op.id);
    r->op.archive = o->archive_name ? o->archive_name : "";
    r->op.drop_old = o->if_exists == IF_EXISTS_DROP;
    r->op.wishes = restoring_wishes(r);
    r->op.exchanges = arena_calloc(r->arena, t->count + t->sequence_count + 1, sizeof *r->op.exchanges);
    r->op.schemas = arena_calloc(r->arena, 2 * t->schema_count + 1, sizeof *r->op.schemas);
    for (unsigned i = 0; i < t->count; i++)
        exchange_table(r, &t->items[i]);
    for (unsigned i = 0; i < t->sequence_count; i++)
        exchange_sequence(r, &t->sequences[i]);
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
    for (unsigned i = 0; schema && code == ERR_OK && i < r->op.exchange_count; i++) {
        struct catalog_table *found;
        unsigned count;
        code = catalog_tables(r->control, r->arena, schema, r->op.exchanges[i].name, &found, &count, err);
        if (code == ERR_OK && count)
            code = err_set(err, ERR_REFUSED,
                           "restore: %s.%s exists already; empty the schema, or leave the option away",
                           schema, r->op.exchanges[i].name);
    }
    return code;
}

static void tell_tables(struct restore *r)
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

/* ---- the stages ---- */

/* Refuses what can be told before anything is loaded. */
static enum err_code check_early(struct restore *r, struct findings *found, struct err *err)
{
    const struct ddl **incoming = arena_calloc(r->arena, r->op.exchange_count + 1, sizeof *incoming);
    const struct swap_plan_options options = {.include_referencing = r->options->include_referencing,
                                              .assume_no_outside_fks = r->options->assume_no_outside_fks,
                                              .incoming = incoming,
                                              .found = found};
    const struct swap_options swapping = restoring_swap_options(r);
    struct work w;
    struct db_conn *maker;
    for (unsigned i = 0; i < r->targets.count; i++)
        incoming[i] = &r->targets.items[i].ddl;
    work_begin(&w, r->run, r->params, r->control, &r->op, &swapping);
    enum err_code code = work_maker(&w, false, &maker, err);
    if (code == ERR_OK)
        code = swap_plan_make(r->run, r->control, maker, r->arena, &r->op, &options, err);
    work_end(&w);
    return code;
}

static enum err_code check_targets(struct restore *r, struct findings *found, struct err *err)
{
    enum err_code code = live_look(r->control, &r->targets, r->options, found, err);
    if (code == ERR_OK)
        code = make_operation(r, err);
    return code == ERR_OK ? adapt_definitions(&r->targets, &r->op, r->input.manifest, found, err) : code;
}

static enum err_code check_plan(struct restore *r, struct findings *found, struct err *err)
{
    enum err_code code = objects_choose(r->run, r->control, &r->input, &r->targets, r->options, &r->op, err);
    if (code != ERR_OK)
        return code;
    objects_choose_schemas(r->input.manifest, &r->targets, r->options, &r->op);
    return check_early(r, found, err);
}

/* What the archive's objects and the live side say against it.  Targets that are refused need not make a
 * plan. */
static enum err_code check_all(struct restore *r, struct findings *found, struct err *err)
{
    struct err late;
    enum err_code code = check_targets(r, found, err);
    if (code != ERR_OK)
        return code;
    if (findings_count(found, FINDING_REFUSAL) == 0)
        return check_plan(r, found, err);
    check_plan(r, found, &late);
    return ERR_OK;
}

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

static enum err_code look_at_all(struct restore *r, struct findings *found, struct err *err)
{
    enum err_code code = input_open(r->input.src, r->options, &r->input, err);
    if (code == ERR_OK)
        code = targets_make(&r->input, r->options, r->arena, &r->targets, err);
    if (code != ERR_OK)
        return code;
    code = check_all(r, found, err);
    if (code == ERR_OK)
        code = look_ahead(r, found, err);
    return code == ERR_OK ? findings_check(found, "restore", err) : code;
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
    const struct restore_options *o = r->options;
    struct findings found = {0};
    enum err_code code = look_at_all(r, &found, err);
    tell_findings(r, &found);
    findings_free(&found);
    if (code == ERR_OK && o->table_count == 0)
        code = objects_tell_others(r->run, r->control, r->input.manifest, &r->targets, err);
    if (code == ERR_OK)
        code = check_given_schema(r, o->staging_schema, err);
    return code == ERR_OK ? check_given_schema(r, o->undo_schema, err) : code;
}

/* Dropping what is there has no way back: it is named first. */
static enum err_code confirm_drop(struct restore *r, struct err *err)
{
    const struct restore_options *o = r->options;
    unsigned count = operation_count_tables(&r->op, true);
    struct buf text;
    if (!o->confirm || !r->op.drop_old || count == 0)
        return ERR_OK;
    buf_init(&text, ERR_TEXT_BYTES);
    buf_putf(&text, "--if-exists drop removes %u table%s that %s on %s now, without a way back: ", count,
             count == 1 ? "" : "s", count == 1 ? "is" : "are", db_target(r->control));
    operation_name_tables(&r->op, true, &text);
    enum err_code code = o->confirm(o->confirm_arg, buf_cstr(&text), err);
    buf_free(&text);
    return code;
}

static enum err_code begin(struct restore *r, struct err *err)
{
    enum err_code code = takeover_lock(r->control, &r->op, 0, err);
    if (code == ERR_OK)
        code = owner_identify(r->control, r->arena, &r->op, err);
    if (code == ERR_OK)
        code = remains_sweep(r->control, err);
    r->begun = code == ERR_OK;
    if (code == ERR_OK)
        code = journal_create(r->control, &r->op, err);
    r->journalled = code == ERR_OK;
    if (code == ERR_OK)
        code = owner_add_connection(r->control, &r->op, db_id(r->control), err);
    if (code == ERR_OK)
        code = swap_make_schemas(r->control, &r->op, err);
    if (code == ERR_OK)
        code = fault_point("restore_journalled", ERR_DB, err);
    return code == ERR_OK ? stage_create(r->control, &r->op, &r->targets, err) : code;
}

/* What only the end of a pipe tells: the server, and (in format 1) databases. */
static enum err_code take_end(struct restore *r, struct err *err)
{
    const struct manifest *m = input_manifest(&r->input);
    enum err_code code = ERR_OK;
    r->op.server = m->server.version;
    r->op.archive_run = m->run_id;
    if (!r->input.stream || m->format >= 2)
        return ERR_OK;
    code = targets_add_schemas(&r->targets, m, r->options, err);
    if (code == ERR_OK) {
        objects_choose_schemas(m, &r->targets, r->options, &r->op);
        code = journal_write_plan(r->control, &r->op, err);
    }
    return code;
}

static enum err_code fill(struct restore *r, struct err *err)
{
    const struct restore_options *o = r->options;
    enum err_code code =
        stage_load(r->run, r->params, r->control, &r->op, &r->input, &r->targets, o->threads, err);
    if (code == ERR_OK)
        code = fault_point("restore_loaded", ERR_DB, err);
    if (code == ERR_OK)
        code = finish_tables(r->run, r->params, r->control, &r->op, &r->input, &r->targets, o->threads, err);
    if (code == ERR_OK && o->verify)
        code = finish_verify(r->run, r->params, r->control, &r->op, &r->targets, o->threads, err);
    if (code == ERR_OK)
        code = take_end(r, err);
    if (code != ERR_OK)
        return code;
    r->op.verified = o->verify;
    for (unsigned i = 0; i < r->targets.count; i++)
        r->op.rows += r->targets.items[i].table->rows;
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
    if (!r->begun)
        return;
    if ((why == ERR_TIMEOUT || why == ERR_DB_LOST) && r->op.state == OPERATION_VERIFIED) {
        restoring_keep(r, &r->op, why, err);
        return;
    }
    const struct remains_given given = restoring_given(r);
    struct err failed;
    enum err_code code =
        r->journalled ? restoring_come_back(r, &r->op, &failed) : restoring_reconnect(r, &failed);
    if (code == ERR_OK)
        code = r->journalled ? restoring_clear(r, &r->op, &failed)
                             : remains_drop(r->control, &r->op, &given, &failed);
    if (code != ERR_OK)
        log_warn(
            r->run->log,
            "staging of restore %s could not be removed (%s); live tables are unchanged; %s starts anew from"
            " there, `dbsafe undo %s` clears it away",
            r->op.id, failed.text, restoring_go_on(r), r->op.id);
}

static enum err_code tell_plan(struct restore *r, struct restore_result *result)
{
    tell_tables(r);
    swap_plan_tell(r->run, &r->op);
    restoring_report(&r->op, result);
    result->restore_id[0] = '\0';
    for (unsigned i = 0; i < r->targets.count; i++)
        result->rows += r->targets.items[i].table->rows;
    return ERR_OK;
}

static enum err_code restore_fresh(struct restore *r, struct restore_result *result, struct err *err)
{
    enum err_code code = prepare(r, err);
    if (code == ERR_OK && r->options->dry_run)
        return tell_plan(r, result);
    if (code == ERR_OK)
        code = confirm_drop(r, err);
    if (code == ERR_OK)
        code = begin(r, err);
    if (code == ERR_OK)
        code = fill(r, err);
    code = input_explain(&r->input, code, err);
    if (code == ERR_OK)
        code = restoring_swap(r, &r->op, err);
    if (code == ERR_OK || r->op.swapped || r->op.unknown)
        restoring_report(&r->op, result);
    else
        clean_up(r, code, err);
    result->proves = code == ERR_OK && result->verified;
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
        code = session_lock_wait(r.control, LOCK_WAIT_S, err);
    if (code == ERR_OK)
        code = resume_look(&r, &finished, result, err);
    if (code == ERR_OK && !finished)
        code = restore_fresh(&r, result, err);
    input_close(&r.input);
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
    if (code == ERR_REFUSED) {
        if (findings_count(out, FINDING_REFUSAL) == 0) /* it came no further than this */
            findings_add(out, FINDING_REFUSAL, "archive", NULL, "%s", err->text);
        code = ERR_OK;
    }
    input_close(&r.input);
    db_close(r.control);
    arena_free(r.arena);
    return code;
}
