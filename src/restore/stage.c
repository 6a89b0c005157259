#include "restore/stage.h"

#include "archive/digest.h"
#include "archive/select.h"
#include "archive/text.h"
#include "core/chan.h"
#include "core/fault.h"
#include "core/group.h"
#include "core/lock.h"
#include "core/mem.h"
#include "db/catalog.h"
#include "db/session.h"
#include "restore/loader.h"
#include "rows/scan.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX_BYTES     ((size_t)32 << 20)
#define VERIFY_CHUNK_BYTES ((size_t)256 << 10)
#define BIG_ROW_BYTES      ((size_t)16 << 20)

/* ---- reading what stands before the data ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

/* Takes a definition in the form that the server printed: in the archive it ends like a statement. */
static const char *keep_ddl(struct arena *arena, const struct buf *text)
{
    size_t bytes = text->len;
    while (bytes && (text->data[bytes - 1] == '\n' || text->data[bytes - 1] == ';'))
        bytes--;
    return arena_strndup(arena, text->data, bytes);
}

/* Every text member is read, chosen or not: they are small, and damage must show before anything is done. */
static enum err_code read_texts(struct stage_input *in, struct err *err)
{
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES);
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < in->manifest->member_count; i++) {
        const struct manifest_member *member = &in->manifest->members[i];
        if (member->kind == MEMBER_DATA)
            continue;
        code = archive_read_member(in->src, in->manifest, member, &text, err);
        if (code == ERR_OK && member->kind == MEMBER_TABLE_DDL)
            in->ddl_texts[member->table - 1] = keep_ddl(in->manifest->arena, &text);
    }
    buf_free(&text);
    return code == ERR_OK ? archive_check_tail(in->src, in->manifest, err) : code;
}

/* The server is given no definition but the one that was dumped. */
static enum err_code check_ddl(const struct manifest_table *t, const char *ddl, struct err *err)
{
    struct buf plain;
    char hex[SHA256_HEX_BYTES];
    buf_init(&plain, TEXT_MAX_BYTES);
    ddl_without_auto_increment(ddl ? ddl : "", &plain);
    digest_of(plain.data, plain.len, hex);
    buf_free(&plain);
    if (strcmp(hex, t->ddl_sha256) == 0)
        return ERR_OK;
    return err_set(err, ERR_DAMAGED, "read the archive: the definition of %s.%s is %s", t->schema, t->name,
                   ddl ? "not the one that was dumped" : "missing");
}

static enum err_code choose(struct stage_input *in, const struct restore_options *options, struct err *err)
{
    enum err_code code =
        archive_select(in->manifest, options->tables, options->table_count, &in->chosen, err);
    for (unsigned i = 0; code == ERR_OK && i < in->manifest->table_count; i++)
        if (in->chosen[i])
            code = check_ddl(&in->manifest->tables[i], in->ddl_texts[i], err);
    return code;
}

static enum err_code open_seekable(struct stage_input *in, struct err *err)
{
    enum err_code code = archive_read_manifest(in->src, &in->manifest, err);
    if (code != ERR_OK)
        return code;
    in->ddl_texts = xcalloc(in->manifest->table_count + 1, sizeof *in->ddl_texts);
    return read_texts(in, err);
}

/* A .load.sql says nearly everything twice, as JSON and as statements. */
static bool is_as_written(const struct manifest_table *t, unsigned format, const struct buf *text)
{
    struct buf again;
    buf_init(&again, (size_t)MEMBER_MAX_BYTES);
    bool same = archive_load_sql(t, format, &again, NULL) == ERR_OK && again.len == text->len &&
                memcmp(again.data, text->data, text->len) == 0;
    buf_free(&again);
    return same;
}

/* One .load.sql of a pipe: a table as far as it is known before its data. */
static enum err_code add_streamed_table(struct stage_input *in, const struct buf *text, unsigned *cap,
                                        const char **ddl, struct err *err)
{
    struct manifest *m = in->manifest;
    if (m->table_count == *cap) {
        *cap = *cap ? 2 * *cap : 64;
        m->tables = xreallocarray(m->tables, *cap, sizeof *m->tables);
        in->ddl_texts = xreallocarray(in->ddl_texts, *cap, sizeof *in->ddl_texts);
    }
    struct manifest_table *t = &m->tables[m->table_count];
    memset(t, 0, sizeof *t);
    enum err_code code = archive_load_sql_parse(text->data, text->len, m->format, m->arena, t, err);
    if (code == ERR_OK && t->number != m->table_count + 1)
        code = err_set(err, ERR_DAMAGED, "read the archive: table %u stands where %u is expected", t->number,
                       m->table_count + 1);
    in->is_odd |= code == ERR_OK && !is_as_written(t, m->format, text);
    in->ddl_texts[m->table_count] = *ddl;
    *ddl = NULL;
    if (code == ERR_OK)
        m->table_count++;
    return code;
}

/* "data/<dir>/..." belongs to the table with that folder; the number stands before the first dash. */
static enum err_code table_of(const struct stage_input *in, const char *path, unsigned *number,
                              struct err *err)
{
    unsigned long n = strncmp(path, "data/", 5) == 0 ? strtoul(path + 5, NULL, 10) : 0;
    if (n == 0 || n > in->manifest->table_count)
        return err_set(err, ERR_DAMAGED, "read the archive: member %s belongs to no table", path);
    *number = (unsigned)n;
    return ERR_OK;
}

/* A database's file: from it a pipe tells the format of the archive. */
static enum err_code read_format(struct stage_input *in, const struct buf *text, struct err *err)
{
    struct manifest *m = in->manifest;
    struct manifest_schema schema;
    return archive_schema_sql_parse(text->data, text->len, m->arena, &schema, &m->format, err);
}

static enum err_code open_stream(struct stage_input *in, struct err *err)
{
    struct buf text;
    buf_init(&text, (size_t)MEMBER_MAX_BYTES);
    in->manifest = manifest_new();
    in->stream = archive_stream_new(in->src);
    const char *ddl = NULL;
    unsigned cap = 0;
    enum err_code code = ERR_OK;
    while (code == ERR_OK) {
        const char *path;
        char sha256[SHA256_HEX_BYTES];
        code = archive_stream_next(in->stream, &path, &text, sha256, err);
        if (code != ERR_OK || !path)
            break;
        if (strncmp(path, "data/", 5) == 0) {
            unsigned first;
            code = table_of(in, path, &first, err);
            in->first_path = xstrdup(path);
            in->first = text; /* ownership moves */
            buf_init(&text, 1);
            break;
        }
        if (strncmp(path, "schema/database-", 16) == 0)
            code = read_format(in, &text, err);
        else if (ends_with(path, ".load.sql"))
            code = add_streamed_table(in, &text, &cap, &ddl, err);
        else if (ends_with(path, ".sql"))
            ddl = keep_ddl(in->manifest->arena, &text);
    }
    buf_free(&text);
    if (code == ERR_OK && !in->ddl_texts)
        in->ddl_texts = xcalloc(1, sizeof *in->ddl_texts);
    /* The array was grown with realloc; the manifest owns an arena. */
    struct manifest_table *grown = in->manifest->tables;
    in->manifest->tables = arena_calloc(in->manifest->arena, in->manifest->table_count + 1, sizeof *grown);
    if (grown)
        memcpy(in->manifest->tables, grown, in->manifest->table_count * sizeof *grown);
    free(grown);
    return code;
}

enum err_code stage_open(struct source *src, const struct restore_options *options, struct stage_input *in,
                         struct err *err)
{
    *in = (struct stage_input){.src = src};
    enum err_code code = src->seekable ? open_seekable(in, err) : open_stream(in, err);
    return code == ERR_OK ? choose(in, options, err) : code;
}

void stage_close(struct stage_input *in)
{
    if (in->stream && in->manifest == archive_stream_manifest(in->stream))
        in->manifest = NULL; /* the stream's own */
    manifest_free(in->manifest);
    archive_stream_free(in->stream);
    free(in->chosen);
    free(in->ddl_texts);
    free(in->first_path);
    buf_free(&in->first);
}

enum err_code stage_explain(const struct stage_input *in, enum err_code code, struct err *err)
{
    bool by_content = code == ERR_DB || code == ERR_REFUSED || code == ERR_NOT_FOUND;
    if (!by_content || !in->is_odd)
        return code;
    err_hint(err, "; the archive is damaged: a .load.sql in it contradicts itself");
    return err->code = ERR_DAMAGED;
}

/* ---- tables ---- */

enum err_code stage_create(struct db_conn *c, const struct targets *t, struct err *err)
{
    struct buf sql;
    buf_init(&sql, TEXT_MAX_BYTES);
    enum err_code code = session_for_creating(c, err);
    for (unsigned i = 0; code == ERR_OK && i < t->count; i++) {
        buf_clear(&sql);
        ddl_create(&t->items[i].ddl, t->items[i].staging, t->items[i].deferred, &sql);
        code = db_exec(c, buf_cstr(&sql), err);
        if (code != ERR_OK)
            err_wrap(err, "create the staging table of %s.%s", t->items[i].table->schema,
                     t->items[i].table->name);
    }
    buf_free(&sql);
    return code;
}

/* ---- loading ---- */

struct job {
    unsigned target;
    size_t order;                         /* among the chosen data members */
    const struct manifest_member *member; /* seekable: read by the loader */
    struct buf stored;                    /* pipe: read already */
};

struct seen {
    uint64_t rows, warnings;
    struct rowsum checksum;
    unsigned target;
};

struct loading {
    const struct run *run;
    const struct db_params *params;
    struct stage_input *in;
    struct targets *targets;
    struct chan *jobs;
    struct lock *lock;
    struct {
        struct seen *seen; /* by order; of a pipe, until its manifest comes */
        size_t seen_cap;
    } locked;
    size_t sent; /* jobs */
};

struct load_worker {
    struct loading *loading;
    struct loader *loader;
};

static void job_free(void *item)
{
    struct job *j = item;
    buf_free(&j->stored);
    free(j);
}

static enum err_code compare_member(const struct manifest_member *m, const struct seen *s, struct err *err)
{
    if (m->rows == s->rows && rowsum_equal(m->checksum, s->checksum) && m->load_warnings == s->warnings)
        return ERR_OK;
    if (m->rows == s->rows && rowsum_equal(m->checksum, s->checksum))
        return err_set(err, ERR_DB,
                       "load %s: the server warned %" PRIu64 " times where %" PRIu64
                       " warnings were expected",
                       m->path, s->warnings, m->load_warnings);
    return err_set(err, ERR_DAMAGED,
                   "load %s: it holds %" PRIu64 " rows where the manifest says %" PRIu64 ", or other rows",
                   m->path, s->rows, m->rows);
}

static void remember(struct loading *l, const struct job *j, const struct seen *s)
{
    lock_take(l->lock);
    while (j->order >= l->locked.seen_cap) {
        size_t cap = l->locked.seen_cap ? 2 * l->locked.seen_cap : 256;
        l->locked.seen = xreallocarray(l->locked.seen, cap, sizeof *l->locked.seen);
        memset(l->locked.seen + l->locked.seen_cap, 0, (cap - l->locked.seen_cap) * sizeof *l->locked.seen);
        l->locked.seen_cap = cap;
    }
    l->locked.seen[j->order] = *s;
    l->targets->items[j->target].rows += s->rows;
    lock_drop(l->lock);
}

static enum err_code load_job(struct load_worker *w, struct job *j, struct buf *stored, struct err *err)
{
    struct loading *l = w->loading;
    const struct target *t = &l->targets->items[j->target];
    const struct buf *content = &j->stored;
    enum err_code code = ERR_OK;
    if (j->member) {
        code = archive_read_member(l->in->src, l->in->manifest, j->member, stored, err);
        content = stored;
    }
    struct load_figures figures;
    if (code == ERR_OK)
        code = loader_load(w->loader, t->table, t->staging, content->data, content->len,
                           j->member ? j->member->plain_length : UINT64_MAX, &figures, err);
    if (code != ERR_OK)
        return code;
    const struct seen seen = {figures.rows, figures.warnings, figures.checksum, j->target};
    remember(l, j, &seen);
    return j->member ? compare_member(j->member, &seen, err) : ERR_OK;
}

static enum err_code load_jobs(void *arg, struct err *err)
{
    struct load_worker *w = arg;
    struct buf stored;
    buf_init(&stored, (size_t)MEMBER_MAX_BYTES);
    enum err_code code;
    for (;;) {
        void *item;
        code = chan_recv(w->loading->jobs, &item, err);
        if (code != ERR_OK || !item)
            break;
        code = load_job(w, item, &stored, err);
        job_free(item);
        if (code != ERR_OK)
            break;
    }
    buf_free(&stored);
    return code;
}

static enum err_code send_job(struct loading *l, unsigned target, const struct manifest_member *member,
                              struct buf *stored, struct err *err)
{
    struct job *j = xcalloc(1, sizeof *j);
    j->target = target;
    j->order = l->sent++;
    j->member = member;
    if (stored) {
        j->stored = *stored;
        buf_init(stored, (size_t)MEMBER_MAX_BYTES);
    }
    enum err_code code = chan_send(l->jobs, j, err);
    if (code != ERR_OK)
        job_free(j);
    return code;
}

/* The target of a table number of the archive; -1 when it was not chosen. */
/* The target of a table's number, or -1; targets are in ascending order of it. */
static int target_of(const struct targets *t, unsigned table)
{
    unsigned low = 0, high = t->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (t->items[middle].table->number < table)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->count && t->items[low].table->number == table ? (int)low : -1;
}

static int *map_targets(const struct targets *t, unsigned table_count)
{
    int *map = xcalloc(table_count + 1, sizeof *map);
    for (unsigned i = 0; i <= table_count; i++)
        map[i] = -1;
    for (unsigned i = 0; i < t->count; i++)
        map[t->items[i].table->number] = (int)i;
    return map;
}

static enum err_code feed_seekable(struct loading *l, struct err *err)
{
    const struct manifest *m = l->in->manifest;
    int *map = map_targets(l->targets, m->table_count);
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < m->member_count; i++)
        if (m->members[i].kind == MEMBER_DATA && map[m->members[i].table] >= 0)
            code = send_job(l, (unsigned)map[m->members[i].table], &m->members[i], NULL, err);
    free(map);
    return code;
}

static enum err_code feed_member(struct loading *l, const char *path, struct buf *stored, struct err *err)
{
    unsigned number;
    enum err_code code = table_of(l->in, path, &number, err);
    int target = code == ERR_OK ? target_of(l->targets, number) : -1;
    return target < 0 ? code : send_job(l, (unsigned)target, NULL, stored, err);
}

static enum err_code feed_stream(struct loading *l, struct err *err)
{
    struct stage_input *in = l->in;
    struct buf stored;
    buf_init(&stored, (size_t)MEMBER_MAX_BYTES);
    enum err_code code = in->first_path ? feed_member(l, in->first_path, &in->first, err) : ERR_OK;
    while (code == ERR_OK && in->first_path) {
        const char *path;
        char sha256[SHA256_HEX_BYTES];
        code = archive_stream_next(in->stream, &path, &stored, sha256, err);
        if (code != ERR_OK || !path)
            break;
        code = feed_member(l, path, &stored, err);
    }
    buf_free(&stored);
    return code;
}

/* The manifest of a pipe has come: it must describe the tables as their .load.sql did, and the members as
 * they passed. */
static enum err_code adopt_manifest(struct loading *l, struct err *err)
{
    struct stage_input *in = l->in;
    struct manifest *m = archive_stream_manifest(in->stream), *early = in->manifest;
    enum err_code code = archive_stream_matches(in->stream, err);
    if (code == ERR_OK && m->table_count != early->table_count)
        code = err_set(err, ERR_DAMAGED, "read the archive: its manifest has %u tables, %u came before it",
                       m->table_count, early->table_count);
    for (unsigned i = 0; code == ERR_OK && i < m->table_count; i++) {
        struct buf a, b;
        buf_init(&a, TEXT_MAX_BYTES);
        buf_init(&b, TEXT_MAX_BYTES);
        code = manifest_table_write(&m->tables[i], m->format, &a, err);
        if (code == ERR_OK)
            code = manifest_table_write(&early->tables[i], m->format, &b, err);
        if (code == ERR_OK && (a.len != b.len || memcmp(a.data, b.data, a.len) != 0))
            code = err_set(err, ERR_DAMAGED,
                           "read the archive: manifest and .load.sql describe %s.%s differently",
                           m->tables[i].schema, m->tables[i].name);
        buf_free(&a);
        buf_free(&b);
    }
    return code;
}

static enum err_code compare_stream(struct loading *l, struct err *err)
{
    enum err_code code = adopt_manifest(l, err);
    if (code != ERR_OK)
        return code;
    const struct manifest *m = archive_stream_manifest(l->in->stream);
    size_t order = 0;
    for (size_t i = 0; code == ERR_OK && i < m->member_count; i++) {
        int target = m->members[i].kind == MEMBER_DATA ? target_of(l->targets, m->members[i].table) : -1;
        if (target >= 0)
            code = compare_member(&m->members[i], &l->locked.seen[order++], err);
    }
    /* From here on the figures of the real manifest count. */
    for (unsigned i = 0; code == ERR_OK && i < l->targets->count; i++)
        l->targets->items[i].table = &m->tables[l->targets->items[i].table->number - 1];
    return code;
}

static uint64_t rows_to_load(const struct targets *t)
{
    uint64_t rows = 0;
    for (unsigned i = 0; i < t->count; i++)
        rows += t->items[i].table->rows;
    return rows;
}

static enum err_code check_counts(const struct targets *t, struct err *err)
{
    for (unsigned i = 0; i < t->count; i++)
        if (t->items[i].rows != t->items[i].table->rows)
            return err_set(err, ERR_DAMAGED, "load %s.%s: %" PRIu64 " rows came, the manifest says %" PRIu64,
                           t->items[i].table->schema, t->items[i].table->name, t->items[i].rows,
                           t->items[i].table->rows);
    return ERR_OK;
}

static enum err_code open_loaders(struct loading *l, struct load_worker *workers, unsigned threads,
                                  struct db_conn *control, const struct operation *op, struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < threads; i++) {
        workers[i].loading = l;
        code = loader_open(l->run, l->params, &workers[i].loader, err);
        if (code == ERR_OK)
            code = journal_add_connection(control, op, loader_connection_id(workers[i].loader), err);
    }
    return code;
}

static enum err_code run_loading(struct loading *l, struct load_worker *workers, unsigned threads,
                                 struct err *err)
{
    struct group *group = group_new(l->run->cancel);
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < threads; i++)
        code = group_spawn(group, "loader", load_jobs, &workers[i], err);
    if (code == ERR_OK)
        code = l->in->stream ? feed_stream(l, err) : feed_seekable(l, err);
    if (code == ERR_OK)
        chan_close(l->jobs);
    else
        cancel_fire(l->run->cancel, err);
    enum err_code joined = group_join(group, err);
    group_free(group);
    return joined != ERR_OK ? joined : code;
}

enum err_code stage_load(const struct run *run, const struct db_params *params, struct db_conn *control,
                         const struct operation *op, struct stage_input *in, struct targets *t,
                         unsigned threads, struct err *err)
{
    struct loading l = {.run = run, .params = params, .in = in, .targets = t};
    struct load_worker *workers = xcalloc(threads, sizeof *workers);
    l.lock = lock_new();
    l.jobs = chan_new(threads, run->cancel, job_free);
    progress_phase(run->progress, "loading", rows_to_load(t));
    enum err_code code = open_loaders(&l, workers, threads, control, op, err);
    if (code == ERR_OK)
        code = run_loading(&l, workers, threads, err);
    if (code == ERR_OK && in->stream)
        code = compare_stream(&l, err);
    if (code == ERR_OK)
        code = check_counts(t, err);
    for (unsigned i = 0; i < threads; i++)
        loader_close(workers[i].loader);
    free(workers);
    free(l.locked.seen);
    chan_free(l.jobs);
    lock_free(l.lock);
    return code;
}

/* ---- keys ---- */

struct keying {
    struct targets *targets;
    _Atomic unsigned next;
};

struct key_worker {
    struct keying *keying;
    struct loader *loader;
};

static enum err_code alter(struct loader *l, const struct target *t, struct buf *sql, struct err *err)
{
    enum err_code code = fault_point("stage_alter", ERR_DB, err);
    if (code == ERR_OK)
        code = loader_exec(l, t->table, buf_cstr(sql), err);
    if (code != ERR_OK)
        err_wrap(err, "add the keys of %s.%s", t->table->schema, t->table->name);
    return code;
}

/* One ALTER for all ordinary keys, and one for each FULLTEXT key, which the server adds one at a time. */
static enum err_code add_keys(struct loader *l, const struct target *t, struct err *err)
{
    struct buf sql;
    buf_init(&sql, TEXT_MAX_BYTES);
    buf_putf(&sql, "ALTER TABLE %s", t->staging);
    size_t start = sql.len;
    enum err_code code = ERR_OK;
    for (unsigned i = 0; i < t->ddl.item_count; i++)
        if (t->deferred[i] && t->ddl.items[i].kind != DDL_FULLTEXT)
            buf_putf(&sql, "%s ADD %s", sql.len > start ? "," : "", t->ddl.items[i].text);
    if (sql.len > start)
        code = alter(l, t, &sql, err);
    for (unsigned i = 0; code == ERR_OK && i < t->ddl.item_count; i++) {
        if (!t->deferred[i] || t->ddl.items[i].kind != DDL_FULLTEXT)
            continue;
        sql.len = start;
        buf_putf(&sql, " ADD %s", t->ddl.items[i].text);
        code = alter(l, t, &sql, err);
    }
    buf_free(&sql);
    return code;
}

static enum err_code key_tables(void *arg, struct err *err)
{
    struct key_worker *w = arg;
    enum err_code code = ERR_OK;
    for (;;) {
        unsigned i = atomic_fetch_add(&w->keying->next, 1);
        if (code != ERR_OK || i >= w->keying->targets->count)
            return code;
        if (w->keying->targets->items[i].deferred_count)
            code = add_keys(w->loader, &w->keying->targets->items[i], err);
    }
}

static void definition_digest(const char *text, struct buf *plain, char hex[SHA256_HEX_BYTES])
{
    buf_clear(plain);
    ddl_without_auto_increment(text, plain);
    digest_of(plain->data, plain->len, hex);
}

static enum err_code check_definition(struct db_conn *c, const struct target *t, struct err *err)
{
    struct buf plain;
    buf_init(&plain, TEXT_MAX_BYTES);
    char hex[SHA256_HEX_BYTES], wanted[SHA256_HEX_BYTES];
    definition_digest(t->ddl_text, &plain, wanted);
    struct db_rows *rows;
    enum err_code code = db_queryf(c, &rows, err, "SHOW CREATE TABLE %s", t->staging);
    if (code == ERR_OK) {
        const char *const *row = db_row(rows);
        definition_digest(row && row[1] ? row[1] : "", &plain, hex);
        db_rows_free(rows);
        if (strcmp(hex, wanted) != 0)
            code = err_set(err, ERR_DIFFERS, "restore %s.%s: its definition came back differently: %.1000s",
                           t->table->schema, t->table->name, buf_cstr(&plain));
    }
    buf_free(&plain);
    return code;
}

/* Another server version may print the same table in other words: then it is told, not refused. */
static enum err_code check_definitions(const struct run *run, struct db_conn *c, const struct stage_input *in,
                                       const struct targets *t, struct err *err)
{
    const struct manifest *m = in->stream ? archive_stream_manifest(in->stream) : in->manifest;
    bool same_server = strcmp(m->server.version, db_version(c)) == 0;
    for (unsigned i = 0; i < t->count; i++) {
        enum err_code code = check_definition(c, &t->items[i], err);
        if (code == ERR_DIFFERS && !same_server)
            log_warn(run->log, "%s (this server is %s, the archive's was %s)", err->text, db_version(c),
                     m->server.version);
        else if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

enum err_code stage_finish_tables(const struct run *run, const struct db_params *params,
                                  struct db_conn *control, const struct operation *op,
                                  const struct stage_input *in, struct targets *t, unsigned threads,
                                  struct err *err)
{
    struct keying keying = {.targets = t};
    struct key_worker *workers = xcalloc(threads, sizeof *workers);
    struct group *group = group_new(run->cancel);
    progress_phase(run->progress, "adding keys", 0);
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < threads; i++) {
        workers[i].keying = &keying;
        code = loader_open(run, params, &workers[i].loader, err);
        if (code == ERR_OK)
            code = journal_add_connection(control, op, loader_connection_id(workers[i].loader), err);
    }
    for (unsigned i = 0; code == ERR_OK && i < threads; i++)
        code = group_spawn(group, "keys", key_tables, &workers[i], err);
    if (code != ERR_OK)
        cancel_fire(run->cancel, err);
    enum err_code joined = group_join(group, err);
    group_free(group);
    for (unsigned i = 0; i < threads; i++)
        loader_close(workers[i].loader);
    free(workers);
    if (code == ERR_OK)
        code = joined;
    return code == ERR_OK ? check_definitions(run, control, in, t, err) : code;
}

/* ---- verification ---- */

static enum err_code compare_tables(const struct scan_table *read, unsigned count, struct err *err)
{
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES);
    unsigned differing = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct manifest_table *t = read[i].table;
        if (read[i].rows == t->rows && rowsum_equal(read[i].checksum, t->checksum))
            continue;
        differing++;
        buf_addf(&text, NULL, "%s%s.%s (%" PRIu64 " rows restored, %" PRIu64 " dumped)",
                 differing > 1 ? ", " : "", t->schema, t->name, read[i].rows, t->rows);
    }
    enum err_code code = ERR_OK;
    if (differing)
        code = err_set(err, ERR_DIFFERS, "verify the restored rows: %u tables are not what was dumped: %s",
                       differing, buf_cstr(&text));
    buf_free(&text);
    return code;
}

enum err_code stage_verify(const struct run *run, const struct db_params *params, const struct targets *t,
                           unsigned threads, struct err *err)
{
    struct scan_table *read = xcalloc(t->count + 1, sizeof *read);
    struct db_conn **conns = xcalloc(threads, sizeof *conns);
    for (unsigned i = 0; i < t->count; i++)
        read[i] = (struct scan_table){.table = t->items[i].table,
                                      .from = t->items[i].staging,
                                      .rows_estimate = t->items[i].table->rows,
                                      .bytes_estimate = t->items[i].table->plain_bytes};
    progress_phase(run->progress, "verifying", rows_to_load(t));
    enum err_code code = fault_point("stage_verify", ERR_DIFFERS, err);
    for (unsigned i = 0; code == ERR_OK && i < threads; i++) {
        code = db_connect(params, run->cancel, &conns[i], err);
        if (code == ERR_OK)
            code = session_for_reading(conns[i], err);
    }
    const struct scan_options options = {.chunk_bytes = VERIFY_CHUNK_BYTES, .big_row_bytes = BIG_ROW_BYTES};
    const struct scan_consumer nowhere = {0};
    if (code == ERR_OK)
        code = scan_run(run, conns, threads, read, t->count, &options, &nowhere, err);
    if (code == ERR_OK)
        code = compare_tables(read, t->count, err);
    for (unsigned i = 0; i < threads; i++)
        db_close(conns[i]);
    free(conns);
    free(read);
    return code;
}
