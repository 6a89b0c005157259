#include "recovery/rollback_copy.h"

#include "archive/reader.h"
#include "core/fault.h"
#include "db/quote.h"

#include <stdio.h>
#include <string.h>

enum err_code rollback_copy_forget(struct by_instance *b, struct err *err)
{
    enum err_code code = ERR_OK;
    if (*b->journal->copy)
        code = store_remove(b->r->stores->points, b->journal->copy, err);
    b->journal->copy[0] = '\0';
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static enum err_code open_copy(void *arg, uint64_t most_bytes, struct sink **out, struct err *err)
{
    struct by_instance *b = arg;
    const struct point_stores *stores = b->r->stores;
    unsigned removed;
    /* what a run left that died in the middle of its copy */
    enum err_code code = store_sweep(stores->points, stores->stale_after_ms, false, &removed, err);
    return code == ERR_OK ? store_create(stores->points, b->journal->copy, most_bytes, out, err) : code;
}

/* The list as it is journalled. */
static void join_copy_tables(const struct rollback_request *q, char out[ROLLBACK_COPY_TABLES_BYTES])
{
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < q->copy_table_count; i++) /* fits: rollback_copy_check */
        used += (size_t)snprintf(out + used, ROLLBACK_COPY_TABLES_BYTES - used, "%s%s", i ? "," : "",
                                 q->copy_tables[i]);
}

enum err_code rollback_copy_check(const struct rollback_request *q, struct err *err)
{
    size_t bytes = 1;
    for (unsigned i = 0; i < q->copy_table_count; i++)
        bytes += strlen(q->copy_tables[i]) + 1;
    if (bytes > ROLLBACK_COPY_TABLES_BYTES)
        return err_set(err, ERR_USAGE, "--copy-tables is longer than %d bytes: use patterns",
                       ROLLBACK_COPY_TABLES_BYTES);
    return ERR_OK;
}

/* A dead run's copy is of its list.  What that run had begun to load is finished with that list first. */
static enum err_code check_copy_list(struct by_instance *b, struct err *err)
{
    char list[ROLLBACK_COPY_TABLES_BYTES];
    bool pending = false;
    join_copy_tables(b->r->request, list);
    if (!*b->journal->copy || strcmp(list, b->journal->copy_tables) == 0)
        return ERR_OK;
    enum err_code code = rollback_look_for_pending(b->r->run, b->r->db, b->journal->copy, &pending, err);
    if (code == ERR_OK && pending)
        return err_set(err, ERR_REFUSED,
                       "an earlier run with --copy-tables %.500s is not finished: the same list finishes it",
                       b->journal->copy_tables);
    if (code == ERR_OK)
        log_info(b->r->run->log, "the copy of an earlier run is of other tables: another is made");
    return code == ERR_OK ? rollback_copy_forget(b, err) : code;
}

/* The point's tables and the further ones, in one archive: all are exchanged in one rename, foreign keys
 * between them included. */
static enum err_code dump_copy(struct by_instance *b, struct err *err)
{
    const struct rollback_request *q = b->r->request;
    const struct manifest *m = b->r->out->manifest;
    struct dump_options options = q->export_dump;
    struct dump_result dumped;
    char stamp[CLOCK_COMPACT_BYTES];
    const char **names = arena_calloc(b->r->arena, m->table_count + q->copy_table_count + 1, sizeof *names);
    for (unsigned i = 0; i < m->table_count; i++)
        names[options.name_count++] = db_quoted_pair(b->r->arena, m->tables[i].schema, m->tables[i].name);
    for (unsigned i = 0; i < q->copy_table_count; i++)
        names[options.name_count++] = q->copy_tables[i];
    options.names = names;
    options.label = "copy";
    steps_next(&b->r->out->steps, "reading the tables of the new instance");
    clock_format_compact(clock_wall_ms(b->r->run->clock), stamp);
    join_copy_tables(q, b->journal->copy_tables);
    snprintf(b->journal->copy, sizeof b->journal->copy, "%s~copy-%s-%s.dbsafe.tar", b->r->out->point->name,
             stamp, b->r->run->run_id);
    enum err_code code = by_instance_record(b, "rollback_copy_named", err); /* it may exist from here on */
    if (code == ERR_OK)
        code = dump_run(b->r->run, &b->there, &options, open_copy, b, &dumped, err);
    if (code != ERR_OK)
        return err_wrap(err, "copy tables of %s", b->journal->to);
    manifest_free(dumped.manifest);
    return fault_point("rollback_copy_read", ERR_STORAGE, err);
}

/* The new one's tables of the point must still be the archive's. */
static enum err_code check_copy(struct by_instance *b, const struct manifest *copy, struct err *err)
{
    const struct manifest *m = b->r->out->manifest;
    for (unsigned i = 0; i < m->table_count; i++) {
        const struct manifest_table *want = &m->tables[i],
                                    *have = manifest_find_table(copy, want->schema, want->name);
        if (!have || have->rows != want->rows || !rowsum_equal(have->checksum, want->checksum))
            return err_set(err, ERR_DIFFERS, "%s.%s of %s is not as in the archive", want->schema, want->name,
                           b->journal->to);
    }
    return ERR_OK;
}

static enum err_code open_copied(struct by_instance *b, struct source **source, struct manifest **m,
                                 struct err *err)
{
    enum err_code code = check_copy_list(b, err);
    if (code != ERR_OK)
        return code;
    code = ERR_NOT_FOUND;
    if (*b->journal->copy)
        code = store_open(b->r->stores->points, b->journal->copy, source, err);
    if (code == ERR_NOT_FOUND) { /* none was finished */
        code = dump_copy(b, err);
        if (code == ERR_OK)
            code = store_open(b->r->stores->points, b->journal->copy, source, err);
    }
    if (code == ERR_OK)
        code = archive_read_manifest(*source, m, err);
    return code == ERR_OK ? check_copy(b, *m, err) : code;
}

enum err_code rollback_copy_tables(struct by_instance *b, struct err *err)
{
    struct rollback *r = b->r;
    struct source *source = NULL;
    struct manifest *m = NULL;
    const struct verify_options compared = {.threads = r->request->threads};
    struct verify_result changes = {0};
    bool pending = false;
    enum err_code code = open_copied(b, &source, &m, err);
    if (code == ERR_OK)
        code = rollback_look_for_pending(r->run, r->db, b->journal->copy, &pending, err);
    if (code == ERR_OK) {
        steps_next(&r->out->steps, "comparing the live one with them");
        code = verify_live(r->run, r->db, m, &compared, &changes, err);
        verify_result_free(&changes);
    }
    bool differs = code == ERR_DIFFERS; /* else a dead run exchanged them */
    code = differs ? ERR_OK : code;
    if (code == ERR_OK && (differs || pending)) {
        const struct restore_options options =
            rollback_restore_options(r->request, b->journal->copy, pending);
        steps_next(&r->out->steps, "loading them into the live one");
        code = restore_run(r->run, r->db, source, &options, &r->out->instance.copied, err);
    }
    if (code == ERR_OK)
        code = fault_point("rollback_copied", ERR_DB, err);
    source_free(source);
    manifest_free(m);
    if (code != ERR_OK)
        return code;
    return rollback_copy_forget(b, err);
}
