#include "recovery/estimate.h"

#include "archive/reader.h"
#include "core/fault.h"
#include "core/group.h"
#include "core/mem.h"
#include "db/ddl.h"
#include "db/engine.h"
#include "db/session.h"
#include "restore/loader.h"
#include "rows/scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX_BYTES ((size_t)32 << 20)
#define CHUNK_BYTES   ((size_t)256 << 10)
#define BIG_ROW_BYTES ((size_t)16 << 20)
/* Of the sample, where a test wants one that is not the whole archive. */
#define SMALL_BYTES ((uint64_t)200 << 10)
/* A pair of the swap's rename, and what comes before and after it. */
#define SWAP_PAIR_MS  2
#define SWAP_FIXED_MS 2000
/* Keys of larger tables cost more per row, buffers are fuller, others work too. */
#define MARGIN_WHOLE   15 /* tenths; all of it was loaded */
#define MARGIN_SAMPLED 20

/* A table of the sample. */
struct sampled {
    const struct manifest_table *table;
    struct manifest_table copy; /* with the figures of the members that are loaded */
    const char *into;           /* quoted "`schema`.`t<number>`" */
    struct ddl ddl;
    bool *skip; /* items that are not created with the table: keys that are added, and foreign keys */
};

struct sampling {
    const struct run *run;
    const struct db_params *db;
    struct source *src;
    const struct manifest *manifest;
    struct arena *arena;
    unsigned threads;
    char schema[64];
    struct db_conn *control;
    unsigned count;
    struct sampled *tables;
    unsigned *sampled_of; /* per table of the manifest: index + 1, 0: not in the sample */
    size_t member_count;
    const struct manifest_member **members;
    uint64_t bytes;
    _Atomic size_t next; /* member, or table */
    struct loader **loaders;
};

/* ---- which members ---- */

static int compare_sizes(const void *a, const void *b)
{
    const struct manifest_table *x = *(const struct manifest_table *const *)a,
                                *y = *(const struct manifest_table *const *)b;
    if (x->plain_bytes != y->plain_bytes)
        return x->plain_bytes < y->plain_bytes ? 1 : -1;
    return x->number < y->number ? -1 : 1;
}

/* The largest tables, each with its share of the budget; not those whose copy would write elsewhere. */
static void choose_tables(struct sampling *s)
{
    const struct manifest *m = s->manifest;
    const struct manifest_table **sorted = arena_calloc(s->arena, m->table_count + 1, sizeof *sorted);
    for (unsigned i = 0; i < m->table_count; i++)
        sorted[i] = &m->tables[i];
    qsort(sorted, m->table_count, sizeof *sorted, compare_sizes);
    s->tables = arena_calloc(s->arena, ESTIMATE_TABLES, sizeof *s->tables);
    s->sampled_of = arena_calloc(s->arena, m->table_count + 1, sizeof *s->sampled_of);
    for (unsigned i = 0; i < m->table_count && s->count < ESTIMATE_TABLES; i++) {
        if (engine_writes_elsewhere(sorted[i]->engine))
            continue;
        struct sampled *t = &s->tables[s->count++];
        t->table = sorted[i];
        t->copy = *sorted[i];
        t->copy.rows = t->copy.plain_bytes = 0;
        t->copy.checksum = (struct rowsum){0, 0};
        s->sampled_of[sorted[i]->number - 1] = s->count;
    }
}

static uint64_t share_of(const struct manifest_table *t, uint64_t total, uint64_t budget)
{
    if (total <= budget)
        return UINT64_MAX;
    return (uint64_t)((double)t->plain_bytes / (double)total * (double)budget);
}

/* The first members of each table until its share is reached: at least one. */
static void choose_members(struct sampling *s, uint64_t budget)
{
    const struct manifest *m = s->manifest;
    s->members = arena_calloc(s->arena, m->member_count + 1, sizeof *s->members);
    for (size_t i = 0; i < m->member_count; i++) {
        const struct manifest_member *member = &m->members[i];
        unsigned index = member->kind == MEMBER_DATA ? s->sampled_of[member->table - 1] : 0;
        struct sampled *t = index ? &s->tables[index - 1] : NULL;
        if (!t || t->copy.plain_bytes >= share_of(t->table, m->plain_bytes, budget))
            continue;
        s->members[s->member_count++] = member;
        t->copy.rows += member->rows;
        t->copy.plain_bytes += member->plain_length;
        rowsum_add(&t->copy.checksum, member->checksum);
        s->bytes += member->plain_length;
    }
}

/* ---- definitions ---- */

static bool can_wait(enum ddl_kind kind)
{
    return kind == DDL_UNIQUE || kind == DDL_KEY || kind == DDL_FULLTEXT || kind == DDL_SPATIAL;
}

/* As a restore does it, but for foreign keys, which are left out: other tables are none of ours. */
static void choose_keys(struct sampling *s, struct sampled *t)
{
    const char *counter = NULL, *primary = NULL;
    t->skip = arena_calloc(s->arena, t->ddl.item_count + 1, sizeof *t->skip);
    for (unsigned i = 0; i < t->ddl.item_count; i++) {
        const struct ddl_item *item = &t->ddl.items[i];
        if (item->kind == DDL_COLUMN && item->auto_increment)
            counter = item->name;
        if (item->kind == DDL_PRIMARY)
            primary = item->first_column;
    }
    bool keep = t->table->system_versioned || (counter && (!primary || strcmp(primary, counter) != 0));
    for (unsigned i = 0; i < t->ddl.item_count; i++)
        t->skip[i] = t->ddl.items[i].kind == DDL_FOREIGN || (!keep && can_wait(t->ddl.items[i].kind));
}

static enum err_code read_definition(struct sampling *s, struct sampled *t, struct err *err)
{
    struct buf text;
    buf_init(&text, SQL_MAX_BYTES);
    enum err_code code =
        err_set(err, ERR_DAMAGED, "the archive has no definition of %s.%s", t->table->schema, t->table->name);
    for (size_t i = 0; i < s->manifest->member_count; i++) {
        const struct manifest_member *member = &s->manifest->members[i];
        if (member->kind != MEMBER_TABLE_DDL || member->table != t->table->number)
            continue;
        code = archive_read_member(s->src, s->manifest, member, &text, err);
        break;
    }
    while (text.len && strchr(";\n", text.data[text.len - 1]))
        text.len--;
    if (code == ERR_OK)
        code = ddl_parse(arena_strdup(s->arena, buf_cstr(&text)), s->arena, &t->ddl, err);
    if (code == ERR_OK)
        choose_keys(s, t);
    t->into = arena_printf(s->arena, "`%s`.`t%u`", s->schema, t->table->number);
    buf_free(&text);
    return code;
}

/* ---- the schema ---- */

/* Removes what killed runs left: their schemas, whose lock nobody holds. */
static enum err_code sweep(struct sampling *s, struct err *err)
{
    struct db_rows *rows;
    enum err_code code =
        db_query(s->control,
                 "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME REGEXP"
                 " '^" ESTIMATE_SCHEMA "[0-9a-f]{12}$' AND IS_FREE_LOCK(SCHEMA_NAME)",
                 &rows, err);
    if (code != ERR_OK)
        return code;
    for (const char *const *row; code == ERR_OK && (row = db_row(rows)) != NULL;)
        code = db_execf(s->control, err, "DROP DATABASE IF EXISTS `%s`", row[0]);
    db_rows_free(rows);
    return code;
}

static enum err_code create(struct sampling *s, struct err *err)
{
    struct buf sql;
    struct db_rows *rows;
    enum err_code code = db_queryf(s->control, &rows, err, "SELECT GET_LOCK('%s', 0)", s->schema);
    if (code == ERR_OK)
        db_rows_free(rows);
    if (code == ERR_OK)
        code = db_execf(s->control, err, "CREATE DATABASE `%s`", s->schema);
    if (code == ERR_OK)
        code = fault_point("estimate_created", ERR_STORAGE, err);
    if (code == ERR_OK)
        code = db_exec(s->control, "SET foreign_key_checks=0, SESSION innodb_strict_mode=0", err);
    buf_init(&sql, SQL_MAX_BYTES);
    for (unsigned i = 0; code == ERR_OK && i < s->count; i++) {
        code = read_definition(s, &s->tables[i], err);
        buf_clear(&sql);
        if (code == ERR_OK) {
            ddl_create(&s->tables[i].ddl, s->tables[i].into, s->tables[i].skip, &sql);
            code = db_exec(s->control, buf_cstr(&sql), err);
        }
    }
    buf_free(&sql);
    return code;
}

/* On a connection of its own: the token may have fired. */
static void drop(struct sampling *s)
{
    struct db_conn *c;
    struct err err;
    enum err_code code = db_connect(s->db, NULL, &c, &err);
    if (code == ERR_OK) {
        code = db_execf(c, &err, "DROP DATABASE IF EXISTS `%s`", s->schema);
        db_close(c);
    }
    if (code != ERR_OK)
        log_warn(s->run->log,
                 "the sample in the schema %s could not be removed: %s; the next estimate does it", s->schema,
                 err.text);
}

/* ---- loading, in threads ---- */

struct worker {
    struct sampling *sampling;
    struct loader *loader;
    struct db_conn *reader;
};

static enum err_code load_members(void *arg, struct err *err)
{
    struct worker *w = arg;
    struct sampling *s = w->sampling;
    struct buf stored;
    enum err_code code = ERR_OK;
    buf_init(&stored, (size_t)MEMBER_MAX_BYTES);
    for (size_t i; code == ERR_OK && (i = atomic_fetch_add(&s->next, 1)) < s->member_count;) {
        const struct manifest_member *member = s->members[i];
        struct sampled *t = &s->tables[s->sampled_of[member->table - 1] - 1];
        struct load_figures figures;
        code = archive_read_member(s->src, s->manifest, member, &stored, err);
        if (code == ERR_OK)
            code = loader_load(w->loader, t->table, t->into, stored.data, stored.len, member->plain_length,
                               &figures, err);
    }
    buf_free(&stored);
    return code;
}

static enum err_code add_keys(struct worker *w, const struct sampled *t, struct err *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_putf(&sql, "ALTER TABLE %s", t->into);
    size_t start = sql.len;
    enum err_code code = ERR_OK;
    for (unsigned i = 0; i < t->ddl.item_count; i++)
        if (t->skip[i] && can_wait(t->ddl.items[i].kind) && t->ddl.items[i].kind != DDL_FULLTEXT)
            buf_putf(&sql, "%s ADD %s", sql.len > start ? "," : "", t->ddl.items[i].text);
    if (sql.len > start)
        code = loader_exec(w->loader, t->table, buf_cstr(&sql), err);
    for (unsigned i = 0; code == ERR_OK && i < t->ddl.item_count; i++) {
        if (!t->skip[i] || t->ddl.items[i].kind != DDL_FULLTEXT)
            continue;
        sql.len = start;
        buf_putf(&sql, " ADD %s", t->ddl.items[i].text);
        code = loader_exec(w->loader, t->table, buf_cstr(&sql), err);
    }
    buf_free(&sql);
    return code;
}

static enum err_code key_tables(void *arg, struct err *err)
{
    struct worker *w = arg;
    enum err_code code = ERR_OK;
    for (size_t i; code == ERR_OK && (i = atomic_fetch_add(&w->sampling->next, 1)) < w->sampling->count;)
        code = add_keys(w, &w->sampling->tables[i], err);
    return code;
}

static enum err_code in_threads(struct sampling *s, struct worker *workers, group_fn *fn, struct err *err)
{
    struct group *group = group_new(s->run->cancel);
    enum err_code code = ERR_OK;
    atomic_store(&s->next, 0);
    for (unsigned i = 0; code == ERR_OK && i < s->threads; i++)
        code = group_spawn(group, "estimate", fn, &workers[i], err);
    enum err_code joined = group_join(group, code == ERR_OK ? err : NULL);
    group_free(group);
    return code == ERR_OK ? joined : code;
}

/* ---- reading back ---- */

static enum err_code compare(const struct sampling *s, const struct scan_table *read, struct err *err)
{
    for (unsigned i = 0; i < s->count; i++)
        if (read[i].rows != read[i].table->rows || !rowsum_equal(read[i].checksum, read[i].table->checksum))
            return err_set(err, ERR_DIFFERS,
                           "a sample of %s.%s was loaded into the server and came back differently (%" PRIu64
                           " rows of %" PRIu64 ")",
                           read[i].table->schema, read[i].table->name, read[i].rows, read[i].table->rows);
    return ERR_OK;
}

static enum err_code read_back(struct sampling *s, struct worker *workers, struct err *err)
{
    struct scan_table *read = arena_calloc(s->arena, s->count + 1, sizeof *read);
    struct db_conn **conns = arena_calloc(s->arena, s->threads, sizeof *conns);
    const struct scan_options options = {.chunk_bytes = CHUNK_BYTES, .big_row_bytes = BIG_ROW_BYTES};
    const struct scan_consumer nowhere = {0};
    enum err_code code = ERR_OK;
    for (unsigned i = 0; i < s->count; i++) {
        struct sampled *t = &s->tables[i];
        read[i] = (struct scan_table){.table = &t->copy,
                                      .from = t->into,
                                      .rows_estimate = t->copy.rows,
                                      .bytes_estimate = t->copy.plain_bytes};
    }
    for (unsigned i = 0; code == ERR_OK && i < s->threads; i++) {
        code = db_connect(s->db, s->run->cancel, &workers[i].reader, err);
        conns[i] = workers[i].reader;
        if (code == ERR_OK)
            code = session_for_reading(conns[i], err);
    }
    if (code == ERR_OK)
        code = scan_run(s->run, conns, s->threads, read, s->count, &options, &nowhere, err);
    return code == ERR_OK ? compare(s, read, err) : code;
}

static enum err_code measure(struct sampling *s, struct worker *workers, struct estimate_sample *out,
                             struct err *err)
{
    const struct clock *clock = s->run->clock;
    int64_t begin = clock_monotonic_ms(clock);
    enum err_code code = create(s, err);
    int64_t created = clock_monotonic_ms(clock), loaded = created, keyed = created;
    for (unsigned i = 0; code == ERR_OK && i < s->threads; i++)
        code = loader_open(s->run, s->db, &workers[i].loader, err);
    if (code == ERR_OK)
        code = in_threads(s, workers, load_members, err);
    if (code == ERR_OK)
        code = fault_point("estimate_loaded", ERR_STORAGE, err);
    loaded = clock_monotonic_ms(clock);
    if (code == ERR_OK)
        code = in_threads(s, workers, key_tables, err);
    keyed = clock_monotonic_ms(clock);
    if (code == ERR_OK)
        code = read_back(s, workers, err);
    *out = (struct estimate_sample){.tables = s->count,
                                    .bytes = s->bytes,
                                    .create_ms = created - begin,
                                    .load_ms = loaded - created,
                                    .keys_ms = keyed - loaded,
                                    .verify_ms = clock_monotonic_ms(clock) - keyed};
    return code;
}

/* ---- arithmetic ---- */

void estimate_scale(const struct estimate_sample *sample, const struct manifest *m, struct estimate *out)
{
    double tables = sample->tables ? (double)m->table_count / sample->tables : 0;
    double rows = sample->bytes ? (double)m->plain_bytes / (double)sample->bytes : 0;
    bool whole = sample->bytes >= m->plain_bytes && sample->tables >= m->table_count;
    double likely = (double)sample->create_ms * tables +
                    (double)(sample->load_ms + sample->keys_ms + sample->verify_ms) * rows +
                    (double)SWAP_PAIR_MS * m->table_count + SWAP_FIXED_MS;
    out->known = true;
    out->likely_ms = (int64_t)likely;
    out->most_ms = (int64_t)(likely * (whole ? MARGIN_WHOLE : MARGIN_SAMPLED) / 10);
    out->sample_tables = sample->tables;
    out->sample_bytes = sample->bytes;
    out->sample_ms = sample->create_ms + sample->load_ms + sample->keys_ms + sample->verify_ms;
}

bool estimate_fits(const struct estimate *e, int64_t rto_ms)
{
    return e->known && e->most_ms <= rto_ms;
}

enum err_code estimate_judge(const struct run *run, const struct estimate *e, int64_t rto_ms, bool required,
                             struct err *err)
{
    if (estimate_fits(e, rto_ms))
        return ERR_OK;
    struct err what;
    if (e->known)
        err_set(&what, ERR_REFUSED,
                "a restore is estimated at %.1f minutes, up to %.1f: longer than the RTO of %.0f minutes",
                (double)e->likely_ms / 60000, (double)e->most_ms / 60000, (double)rto_ms / 60000);
    else
        err_set(&what, ERR_REFUSED, "how long a restore takes could not be estimated: %s", e->why);
    if (required)
        return err_copy(err, &what);
    log_warn(run->log, "%s", what.text);
    return ERR_OK;
}

/* What the server would not let us do: then there is no estimate, and the command goes on. */
static bool is_refusal(const struct run *run, enum err_code code)
{
    return (code == ERR_DB || code == ERR_DB_DENIED || code == ERR_REFUSED) && !cancel_fired(run->cancel);
}

enum err_code estimate_run(const struct run *run, const struct db_params *db, struct source *src,
                           const struct manifest *m, const struct estimate_options *options,
                           struct estimate *out, struct err *err)
{
    /* A token of its own: threads that are refused fire it, and the command goes on. */
    struct run own = *run;
    own.cancel = cancel_new_under(run->cancel);
    struct sampling s = {
        .run = &own, .db = db, .src = src, .manifest = m, .arena = arena_new(), .threads = options->threads};
    struct worker *workers = xcalloc(s.threads, sizeof *workers);
    struct estimate_sample sample;
    struct err mine;
    err = err ? err : &mine;
    *out = (struct estimate){.known = false};
    snprintf(s.schema, sizeof s.schema, ESTIMATE_SCHEMA "%s", run->run_id);
    for (unsigned i = 0; i < s.threads; i++)
        workers[i].sampling = &s;
    choose_tables(&s);
    uint64_t budget = options->text_bytes ? options->text_bytes : ESTIMATE_TEXT_BYTES;
    if (fault_errno("estimate_small"))
        budget = SMALL_BYTES;
    choose_members(&s, budget);
    enum err_code code = db_connect(db, own.cancel, &s.control, err);
    if (code == ERR_OK)
        code = sweep(&s, err);
    if (code == ERR_OK) {
        code = measure(&s, workers, &sample, err);
        drop(&s);
    }
    if (code == ERR_OK) {
        estimate_scale(&sample, m, out);
        out->most_ms += fault_errno("estimate_slow") ? 3600 * 1000 : 0;
    } else if (is_refusal(run, code)) {
        snprintf(out->why, sizeof out->why, "%.500s", err->text);
        code = ERR_OK;
    }
    for (unsigned i = 0; i < s.threads; i++) {
        loader_close(workers[i].loader);
        db_close(workers[i].reader);
    }
    db_close(s.control);
    free(workers);
    arena_free(s.arena);
    cancel_free(own.cancel);
    return code == ERR_OK ? ERR_OK : err_wrap(err, "estimate the time of a restore");
}
