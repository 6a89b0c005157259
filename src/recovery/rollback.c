#include "recovery/rollback.h"

#include "archive/identity.h"
#include "archive/reader.h"
#include "core/fault.h"
#include "core/mem.h"
#include "db/catalog.h"
#include "db/quote.h"
#include "dump/names.h"
#include "recovery/rollback_shared.h"
#include "recovery/server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the point ---- */

enum err_code rollback_open_point(struct rollback *r, struct err *err)
{
    steps_next(&r->out->steps, "opening the point");
    enum err_code code = point_check_name(r->request->name, err);
    if (code == ERR_OK)
        code = point_get(r->stores->points, r->request->name, &r->out->point, err);
    if (code == ERR_OK && r->out->point->state != POINT_COMPLETE)
        code = err_set(err, ERR_REFUSED, "the point '%s' is not complete (%s): there is no way back to it",
                       r->request->name, point_state_text(r->out->point->state));
    return code;
}

enum err_code rollback_open_archive(struct rollback *r, struct err *err)
{
    const struct point *p = r->out->point;
    char identity[SHA256_HEX_BYTES];
    enum err_code code = store_open(r->stores->archives, p->archive.name, &r->source, err);
    if (code == ERR_OK)
        code = archive_identity(r->source, identity, err);
    if (code == ERR_OK &&
        (strcmp(identity, p->archive.manifest_sha256) != 0 || r->source->size != p->archive.bytes))
        code = err_set(err, ERR_DAMAGED, "%s is not the archive that it was made with", p->archive.name);
    if (code == ERR_OK)
        code = archive_read_manifest(r->source, &r->out->manifest, err);
    if (code != ERR_OK)
        return err_wrap(err, "the archive of the point '%s'", p->name);
    return fault_point("rollback_opened", ERR_STORAGE, err);
}

/* ---- what will be lost ---- */

/* Differences of one table stand together. */
unsigned rollback_count_tables(const struct verify_result *v)
{
    unsigned count = 0;
    for (unsigned i = 0; i < v->problem_count; i++) {
        unsigned k = 0;
        while (strcmp(v->problems[k].where, v->problems[i].where) != 0)
            k++;
        count += k == i;
    }
    return count;
}

/* Whether the point was asked for all of a database. */
static bool holds_whole(struct rollback *r, const char *schema)
{
    const struct point *p = r->out->point;
    for (unsigned i = 0; i < p->name_count; i++) {
        struct name name;
        if (name_parse(p->names[i], r->arena, &name, NULL) == ERR_OK && !name.table.text &&
            name_part_matches(&name.schema, schema))
            return true;
    }
    return false;
}

static void add_stranger(struct rollback_result *out, const char *schema, const char *table)
{
    out->strangers = xreallocarray(out->strangers, out->stranger_count + 1, sizeof *out->strangers);
    out->strangers[out->stranger_count++] = xasprintf("%s.%s", schema, table);
}

/* Tables that came since: a rollback leaves them. */
static enum err_code look_for_strangers(struct rollback *r, struct db_conn *c, struct err *err)
{
    const struct manifest *m = r->out->manifest;
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < m->schema_count; i++) {
        struct catalog_table *tables;
        unsigned count = 0;
        if (!holds_whole(r, m->schemas[i].name))
            continue;
        code = catalog_tables(c, r->arena, m->schemas[i].name, NULL, &tables, &count, err);
        for (unsigned k = 0; code == ERR_OK && k < count; k++)
            if (tables[k].kind == CATALOG_TABLE && !manifest_find_table(m, tables[k].schema, tables[k].name))
                add_stranger(r->out, tables[k].schema, tables[k].name);
    }
    return code;
}

/* swapped: it only lacks what is behind the swap. */
static enum err_code look_for_pending(const struct run *run, const struct db_params *db,
                                      const char *archive_name, bool *pending, bool *swapped, struct err *err)
{
    struct undo_entry *entries = NULL;
    unsigned count = 0;
    *pending = *swapped = false;
    enum err_code code = undo_list(run, db, &entries, &count, err);
    for (unsigned i = 0; code == ERR_OK && !*pending && i < count; i++) {
        *pending = entries[i].pending && strcmp(entries[i].archive, archive_name) == 0;
        *swapped = *pending && strcmp(entries[i].state, "swapped") == 0;
    }
    undo_list_free(entries, count);
    return code;
}

enum err_code rollback_look_for_pending(const struct run *run, const struct db_params *db,
                                        const char *archive_name, bool *pending, struct err *err)
{
    bool swapped;
    return look_for_pending(run, db, archive_name, pending, &swapped, err);
}

/* The live tables against the point. */
static enum err_code compare_tables(struct rollback *r, struct verify_result *out, struct err *err)
{
    const struct verify_options options = {.threads = r->request->threads};
    enum err_code code = verify_live(r->run, r->db, r->out->manifest, &options, out, err);
    return code == ERR_DIFFERS ? ERR_OK : code;
}

/* A point of another server is told, and asked for; there are good reasons for it (the server was replaced).
 */
static enum err_code look_at_server(struct rollback *r, struct db_conn *c, struct err *err)
{
    const struct point *p = r->out->point;
    const struct server_mark there = {p->server_identity, p->target};
    struct server_mark here;
    enum err_code code = server_read(c, r->arena, &here, err);
    if (code != ERR_OK)
        return code;
    r->out->other_server = server_differs(&there, &here);
    if (r->out->other_server)
        log_warn(r->run->log, "the point '%s' is of another server, %s (%s), than %s (%s)", p->name,
                 p->target ? p->target : "", p->server_identity, r->out->target, here.identity);
    return ERR_OK;
}

enum err_code rollback_compare(struct rollback *r, struct err *err)
{
    struct db_conn *c;
    steps_next(&r->out->steps, "comparing with the point");
    enum err_code code = db_connect(r->db, r->run->cancel, &c, err);
    if (code != ERR_OK)
        return code;
    r->out->target = xstrdup(db_target(c));
    code = look_at_server(r, c, err);
    if (code == ERR_OK)
        code = look_for_strangers(r, c, err);
    db_close(c);
    if (code == ERR_OK)
        code =
            look_for_pending(r->run, r->db, r->out->point->archive.name, &r->pending, &r->was_swapped, err);
    if (code == ERR_OK)
        code = compare_tables(r, &r->out->changes, err);
    r->out->tables_changed = rollback_count_tables(&r->out->changes);
    r->out->needed = r->out->tables_changed > 0 || r->pending;
    return code == ERR_OK ? fault_point("rollback_compared", ERR_DB, err) : code;
}

enum err_code rollback_ask(struct rollback *r, struct err *err)
{
    int64_t begin_ms = clock_monotonic_ms(r->run->clock);
    steps_next(&r->out->steps, "waiting for confirmation");
    enum err_code code = r->request->confirm ? r->request->confirm(r->request->arg, r->out, err) : ERR_OK;
    r->out->waited_ms = clock_monotonic_ms(r->run->clock) - begin_ms;
    return code == ERR_OK ? fault_point("rollback_confirmed", ERR_DB, err) : code;
}

/* ---- the export of what will be lost ---- */

/* The point's tables that are there now. */
static enum err_code list_existing(struct rollback *r, const struct manifest_table ***tables,
                                   unsigned *table_count, struct err *err)
{
    const struct manifest *m = r->out->manifest;
    struct db_conn *c = NULL;
    *tables = arena_calloc(r->arena, m->table_count + 1, sizeof **tables);
    *table_count = 0;
    enum err_code code = db_connect(r->db, r->run->cancel, &c, err);
    for (unsigned i = 0; code == ERR_OK && i < m->table_count; i++) {
        struct catalog_table *found;
        unsigned count;
        code = catalog_tables(c, r->arena, m->tables[i].schema, m->tables[i].name, &found, &count, err);
        if (code == ERR_OK && count > 0 && found[0].kind == CATALOG_TABLE)
            (*tables)[(*table_count)++] = &m->tables[i];
    }
    db_close(c);
    return code;
}

static enum err_code open_export(void *arg, uint64_t most_bytes, struct sink **out, struct err *err)
{
    const struct rollback *r = arg;
    (void)most_bytes;
    return sink_file_create(r->request->export_file, out, err);
}

static void note_export(struct rollback *r, const struct manifest *m, uint64_t bytes, bool existed)
{
    r->out->export = (struct rollback_export){.file = xstrdup(r->request->export_file),
                                              .existed = existed,
                                              .bytes = bytes,
                                              .tables = m->table_count,
                                              .rows = m->rows};
}

/* A file that is there was written by an earlier run of this rollback, or is none of ours: it counts only if
 * the tables are still as it says. */
static enum err_code use_existing(struct rollback *r, const struct manifest_table *const *tables,
                                  unsigned table_count, struct err *err)
{
    const struct verify_options options = {.threads = r->request->threads};
    struct verify_result compared = {0};
    struct source *source = NULL;
    struct manifest *m = NULL;
    enum err_code code = source_file_open(r->request->export_file, &source, err);
    if (code == ERR_OK)
        code = archive_read_manifest(source, &m, err);
    if (code == ERR_OK && m->table_count != table_count)
        code = err_set(err, ERR_DIFFERS, "it holds %u tables, not %u", m->table_count, table_count);
    for (unsigned i = 0; code == ERR_OK && i < table_count; i++)
        if (!manifest_find_table(m, tables[i]->schema, tables[i]->name))
            code = err_set(err, ERR_DIFFERS, "it does not hold %s.%s", tables[i]->schema, tables[i]->name);
    if (code == ERR_OK)
        code = verify_live(r->run, r->db, m, &options, &compared, err);
    if (code == ERR_OK) {
        log_info(r->run->log, "%s is there already and holds the tables as they are",
                 r->request->export_file);
        note_export(r, m, source->size, true);
    } else if (code == ERR_DAMAGED || code == ERR_DIFFERS || code == ERR_REFUSED) {
        struct err why = *err;
        code = err_set(err, ERR_REFUSED,
                       "%s exists, and is no export of the tables as they are now (%.500s): name another",
                       r->request->export_file, why.text);
    }
    verify_result_free(&compared);
    manifest_free(m);
    source_free(source);
    return code;
}

enum err_code rollback_export_changes(struct rollback *r, struct err *err)
{
    struct dump_options options = r->request->export_dump;
    struct dump_result dumped;
    const struct manifest_table **tables;
    unsigned count;
    if (!r->request->export_file)
        return ERR_OK;
    steps_next(&r->out->steps, "exporting the changes");
    enum err_code code = list_existing(r, &tables, &count, err);
    if (code != ERR_OK)
        return code;
    if (count == 0) {
        log_warn(r->run->log, "none of the point's tables is there: nothing to export");
        return ERR_OK;
    }
    if (access(r->request->export_file, F_OK) == 0)
        return use_existing(r, tables, count, err);
    const char **names = arena_calloc(r->arena, count, sizeof *names);
    for (unsigned i = 0; i < count; i++)
        names[i] = db_quoted_pair(r->arena, tables[i]->schema, tables[i]->name);
    options.names = names;
    options.name_count = count;
    code = dump_run(r->run, r->db, &options, open_export, r, &dumped, err);
    if (code != ERR_OK)
        return err_wrap(err, "export the changes");
    note_export(r, dumped.manifest, dumped.archive_bytes, false);
    manifest_free(dumped.manifest);
    return fault_point("rollback_exported", ERR_STORAGE, err);
}

/* ---- the way back ---- */

struct restore_options rollback_restore_options(const struct rollback_request *q, const char *archive_name,
                                                bool pending)
{
    return (struct restore_options){.if_exists = IF_EXISTS_SWAP,
                                    .verify = true,
                                    .threads = q->threads,
                                    .lock_timeout_s = q->lock_timeout_s,
                                    .kill_blockers = q->kill_blockers,
                                    .assume_no_outside_fks = q->assume_no_outside_fks,
                                    .resume = pending && !q->dry_run,
                                    .dry_run = q->dry_run,
                                    .staging_schema = q->staging_schema,
                                    .undo_schema = q->undo_schema,
                                    .archive_name = archive_name,
                                    .go_on = "the same rollback again"};
}

static enum err_code restore(struct rollback *r, bool pending, struct err *err)
{
    const struct rollback_request *q = r->request;
    const struct restore_options options = rollback_restore_options(q, r->out->point->archive.name, pending);
    steps_next(&r->out->steps, "restoring");
    enum err_code code = restore_run(r->run, r->db, r->source, &options, &r->out->restore, err);
    r->out->done =
        code == ERR_OK && !q->dry_run; /* where there was nothing to put back, nothing was swapped */
    if (code == ERR_OK && !q->dry_run)
        code = fault_point("rollback_restored", ERR_DB, err);
    return code;
}

/* An earlier run had exchanged the tables, and nobody knows what was written since: *differ. */
static enum err_code compare_again(struct rollback *r, bool *differ, struct err *err)
{
    struct verify_result now = {0};
    steps_next(&r->out->steps, "comparing once more");
    enum err_code code = compare_tables(r, &now, err);
    *differ = now.problem_count > 0;
    if (code == ERR_OK && *differ)
        log_info(r->run->log,
                 "an earlier run of this rollback had exchanged the tables, and they were changed after that:"
                 " they are put back once more");
    verify_result_free(&now);
    return code;
}

static enum err_code put_back(struct rollback *r, struct err *err)
{
    bool differ = false;
    enum err_code code = restore(r, r->pending, err);
    if (code == ERR_OK && r->out->restore.was_swapped && r->out->tables_changed > 0) {
        r->out->done = false;
        code = compare_again(r, &differ, err);
        r->out->done = code == ERR_OK && !differ;
    }
    return differ && code == ERR_OK ? restore(r, false, err) : code;
}

static enum err_code by_tables(struct rollback *r, struct err *err)
{
    enum err_code code = rollback_open_point(r, err);
    if (code == ERR_OK)
        code = rollback_open_archive(r, err);
    if (code == ERR_OK)
        code = rollback_compare(r, err);
    if (code != ERR_OK)
        return code;
    if (!r->out->needed) {
        r->out->done = true;
        return ERR_OK;
    }
    /* Without changes, behind a swap, there are only a dead run's remains to clear away. */
    bool replaces = !r->request->dry_run && (r->out->tables_changed > 0 || !r->was_swapped);
    if (replaces)
        code = rollback_ask(r, err);
    if (code == ERR_OK && replaces)
        code = rollback_export_changes(r, err);
    return code == ERR_OK ? put_back(r, err) : code;
}

enum err_code rollback_run(const struct run *run, const struct db_params *db,
                           const struct point_stores *stores, const struct rollback_request *request,
                           struct rollback_result *out, struct err *err)
{
    struct rollback r = {
        .run = run, .db = db, .stores = stores, .request = request, .out = out, .arena = arena_new()};
    struct err own;
    err = err ? err : &own;
    *out = (struct rollback_result){.via = request->via,
                                    .instance.then = request->then,
                                    .rto_ms = request->rto_ms,
                                    .dry_run = request->dry_run};
    steps_begin(&out->steps, run);
    enum err_code code = request->via == ROLLBACK_TABLES ? by_tables(&r, err) : rollback_by_instance(&r, err);
    steps_end(&out->steps);
    out->waited_ms -= fault_errno("rollback_slow") ? 3600 * 1000 : 0; /* it took an hour longer */
    if (code != ERR_OK)
        out->failed = *err;
    source_free(r.source);
    arena_free(r.arena);
    return code;
}

void rollback_result_free(struct rollback_result *r)
{
    point_free(r->point);
    manifest_free(r->manifest);
    verify_result_free(&r->changes);
    for (unsigned i = 0; i < r->stranger_count; i++)
        free(r->strangers[i]);
    free(r->strangers);
    free(r->export.file);
    free(r->target);
    verify_result_free(&r->instance.between);
    rds_restored_free(&r->instance.restored);
}

int64_t rollback_counted_ms(const struct rollback_result *r)
{
    return steps_total_ms(&r->steps) - r->waited_ms;
}
