#include "verify/verify.h"

#include "archive/digest.h"
#include "archive/select.h"
#include "core/mem.h"
#include "db/catalog.h"
#include "db/ddl.h"
#include "db/snapshot.h"
#include "rows/scan.h"
#include "verify/live_objects.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES    ((size_t)256 << 10)
#define BIG_ROW_BYTES  ((size_t)16 << 20)
#define TEXT_MAX_BYTES ((size_t)32 << 20)

struct live {
    const struct run *run;
    const struct db_params *db;
    const struct manifest *manifest;
    const struct verify_options *options;
    struct verify_result *result;
    struct db_conn *control;
    struct arena *arena;
    struct scan_table *tables; /* those that can be read */
    unsigned count;
    struct snapshot_table *snapshot_tables; /* the same as db/snapshot.h wants them */
};

static void add_problem(struct live *l, const struct manifest_table *t, const char *what)
{
    char *where = xasprintf("%s.%s", t->schema, t->name);
    verify_add_problem(l->result, where, "%s", what);
    free(where);
}

static const char *column_missing(struct live *l, const struct manifest_table *t, struct err *err,
                                  enum err_code *code)
{
    struct catalog_column *columns;
    unsigned count;
    *code = catalog_columns(l->control, l->arena, t->schema, t->name, &columns, &count, err);
    for (unsigned i = 0; *code == ERR_OK && i < t->column_count; i++) {
        bool found = t->system_versioned && strncmp(t->columns[i].name, "row_", 4) == 0;
        for (unsigned k = 0; k < count; k++)
            found |= strcmp(columns[k].name, t->columns[i].name) == 0;
        if (!found)
            return t->columns[i].name;
    }
    return NULL;
}

static bool key_is_there(struct live *l, const struct manifest_table *t)
{
    struct catalog_key *keys;
    unsigned count;
    if (!t->key.name ||
        catalog_unique_keys(l->control, l->arena, t->schema, t->name, &keys, &count, NULL) != ERR_OK)
        return false;
    for (unsigned i = 0; i < count; i++) {
        bool same = strcmp(keys[i].name, t->key.name) == 0 && keys[i].ordered &&
                    keys[i].column_count == t->key.column_count;
        for (unsigned k = 0; same && k < keys[i].column_count; k++)
            same = strcmp(keys[i].columns[k], t->columns[t->key.columns[k]].name) == 0;
        if (same)
            return true;
    }
    return false;
}

/* Reads a table even when its definition changed, as long as the columns are there: the rows may still be the
 * same. */
static void add_readable(struct live *l, const struct manifest_table *t, const struct catalog_table *found)
{
    const struct manifest_table *readable = t;
    if (t->key.name && !key_is_there(l, t)) {
        struct manifest_table *copy = arena_alloc(l->arena, sizeof *copy);
        *copy = *t;
        copy->key = (struct manifest_key){0};
        readable = copy;
    }
    struct buf from;
    buf_init(&from, 1024);
    db_quote_pair(&from, t->schema, t->name);
    l->snapshot_tables[l->count] =
        (struct snapshot_table){t->schema, t->name, catalog_engine_is_transactional(found->engine)};
    l->tables[l->count++] = (struct scan_table){.table = readable,
                                                .from = arena_strdup(l->arena, buf_cstr(&from)),
                                                .rows_estimate = found->rows_estimate,
                                                .bytes_estimate = found->data_bytes};
    buf_free(&from);
}

static enum err_code compare_definition(struct live *l, const struct manifest_table *t, struct err *err)
{
    struct buf text, plain;
    char hex[SHA256_HEX_BYTES];
    buf_init(&text, TEXT_MAX_BYTES);
    buf_init(&plain, TEXT_MAX_BYTES);
    enum err_code code = catalog_ddl(l->control, t->schema, t->name, &text, err);
    if (code == ERR_OK) {
        ddl_without_auto_increment(buf_cstr(&text), &plain);
        digest_of(plain.data, plain.len, hex);
        if (strcmp(hex, t->ddl_sha256) != 0)
            add_problem(l, t, "its definition (SHOW CREATE TABLE) is not the one that was dumped");
    }
    buf_free(&text);
    buf_free(&plain);
    return code;
}

static enum err_code look_at_table(struct live *l, const struct manifest_table *t, struct err *err)
{
    struct catalog_table *found;
    unsigned count;
    enum err_code code = catalog_tables(l->control, l->arena, t->schema, t->name, &found, &count, err);
    if (code != ERR_OK)
        return code;
    l->result->tables++;
    if (count == 0 || found[0].kind != CATALOG_TABLE) {
        char *what = xasprintf("the table is missing (%" PRIu64 " rows were dumped)", t->rows);
        add_problem(l, t, what);
        free(what);
        return ERR_OK;
    }
    code = compare_definition(l, t, err);
    if (code != ERR_OK)
        return code;
    const char *missing = column_missing(l, t, err, &code);
    if (code != ERR_OK)
        return code;
    if (missing) {
        char *what = xasprintf("column %s is missing: its rows cannot be compared", missing);
        add_problem(l, t, what);
        free(what);
    } else {
        add_readable(l, t, &found[0]);
    }
    return ERR_OK;
}

static enum err_code look_at_tables(struct live *l, struct err *err)
{
    bool *chosen;
    enum err_code code =
        archive_select(l->manifest, l->options->tables, l->options->table_count, &chosen, err);
    if (code != ERR_OK)
        return code;
    l->tables = arena_calloc(l->arena, l->manifest->table_count + 1, sizeof *l->tables);
    l->snapshot_tables = arena_calloc(l->arena, l->manifest->table_count + 1, sizeof *l->snapshot_tables);
    for (unsigned i = 0; code == ERR_OK && i < l->manifest->table_count; i++)
        if (chosen[i])
            code = look_at_table(l, &l->manifest->tables[i], err);
    if (code == ERR_OK)
        code = verify_live_objects(l->control, l->manifest, l->options->table_count ? chosen : NULL,
                                   l->result, err);
    free(chosen);
    return code;
}

static void compare_rows(struct live *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        const struct scan_table *read = &l->tables[i];
        const struct manifest_table *t = read->table;
        l->result->rows += read->rows;
        l->result->bytes += read->plain_bytes;
        if (read->rows == t->rows && rowsum_equal(read->checksum, t->checksum))
            continue;
        char *what =
            read->rows == t->rows
                ? xasprintf("%" PRIu64 " rows as dumped, but not the same ones (content checksum differs)",
                            t->rows)
                : xasprintf("%" PRIu64 " rows now, %" PRIu64 " were dumped", read->rows, t->rows);
        add_problem(l, t, what);
        free(what);
    }
}

static enum err_code read_rows(struct live *l, struct err *err)
{
    const struct snapshot_options snapshot_options = {.threads = l->options->threads,
                                                      .consistency = "auto",
                                                      .tables = l->snapshot_tables,
                                                      .table_count = l->count,
                                                      .allow_inconsistent = true,
                                                      .gentle = true};
    const struct scan_options scan_options = {.chunk_bytes = CHUNK_BYTES, .big_row_bytes = BIG_ROW_BYTES};
    const struct scan_consumer nowhere = {0};
    struct snapshot *snapshot;
    uint64_t rows = 0;
    for (unsigned i = 0; i < l->count; i++)
        rows += l->tables[i].rows_estimate;
    progress_phase(l->run->progress, "verifying", rows);
    enum err_code code = snapshot_open(l->run, l->db, l->control, &snapshot_options, &snapshot, err);
    if (code != ERR_OK)
        return code;
    code =
        scan_run(l->run, snapshot->conns, snapshot->count, l->tables, l->count, &scan_options, &nowhere, err);
    snapshot_free(snapshot);
    return code;
}

enum err_code verify_live(const struct run *run, const struct db_params *db, const struct manifest *m,
                          const struct verify_options *options, struct verify_result *result, struct err *err)
{
    struct live l = {
        .run = run, .db = db, .manifest = m, .options = options, .result = result, .arena = arena_new()};
    *result = (struct verify_result){0};
    enum err_code code = db_connect(db, run->cancel, &l.control, err);
    if (code == ERR_OK)
        code = look_at_tables(&l, err);
    if (code == ERR_OK && l.count)
        code = read_rows(&l, err);
    if (code == ERR_OK)
        compare_rows(&l);
    if (code == ERR_OK && result->problem_count)
        code = err_set(err, ERR_DIFFERS, "verify against the live tables: %u differences, first %s: %s",
                       result->problem_count, result->problems[0].where, result->problems[0].what);
    db_close(l.control);
    arena_free(l.arena);
    return code;
}
