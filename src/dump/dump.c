#include "dump/dump.h"

#include "archive/member.h"
#include "archive/text.h"
#include "archive/writer.h"
#include "core/chan.h"
#include "core/fault.h"
#include "core/group.h"
#include "core/mem.h"
#include "db/session.h"
#include "db/snapshot.h"
#include "dump/changes.h"
#include "dump/plan.h"
#include "rows/table_error.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BIG_ROW_BYTES    ((size_t)16 << 20)
#define STORED_MAX_BYTES ((size_t)3 << 30)
/* With --count-check auto, tables up to this many rows are counted: it costs little there. */
#define COUNT_AUTO_ROWS 250000
/* Members that wait for the tar writer; each may have 16 MiB. */
#define MEMBERS_WAITING 2
/* What an archive and a table in it take besides rows. */
#define ARCHIVE_SPARE_BYTES ((uint64_t)1 << 20)
#define TABLE_SPARE_BYTES   ((uint64_t)64 << 10)
/* How often a dump is planned at most, when tables come into being meanwhile. */
#define PLANS 3
/* How long the catalogue is waited for while the snapshot stands. */
#define CONTROL_WAIT_S 5

/* A finished member on its way to the tar writer. */
struct packed {
    struct manifest_member member; /* key texts owned */
    char *path;
    struct buf stored;
};

struct dump {
    const struct run *run;
    const struct dump_options *options;
    struct manifest *manifest;
    struct plan plan;
    struct changes changes;
    struct snapshot *snapshot;
    struct sink *sink;
    struct archive_writer *writer;
    struct chan *members;
    _Atomic uint64_t *next_member; /* per table */
};

/* One reader's side of the pipeline: text in, packed members out. */
struct packing {
    struct dump *dump;
    struct packer *packer;
    struct packed *big; /* the member that is filled in pieces */
};

static void packed_free(void *item)
{
    struct packed *p = item;
    if (!p)
        return;
    buf_free(&p->stored);
    free((char *)p->member.key_first);
    free((char *)p->member.key_last);
    free(p->path);
    free(p);
}

static struct packed *packed_new(struct dump *d, unsigned table)
{
    struct packed *p = xcalloc(1, sizeof *p);
    buf_init(&p->stored, STORED_MAX_BYTES);
    struct buf path;
    buf_init(&path, 256);
    uint64_t n = atomic_fetch_add(&d->next_member[table], 1) + 1;
    archive_data_path(&d->manifest->tables[table], n, &path);
    p->path = xstrdup(buf_cstr(&path));
    buf_free(&path);
    p->member.path = p->path;
    p->member.kind = MEMBER_DATA;
    p->member.table = table + 1;
    return p;
}

static enum err_code send_packed(struct packing *w, struct packed *p, const struct scan_chunk *chunk,
                                 struct err *err)
{
    p->member.plain_length = chunk->bytes;
    p->member.rows = chunk->rows;
    p->member.checksum = chunk->checksum;
    p->member.load_warnings = chunk->load_warnings;
    p->member.key_first = chunk->key_first ? xstrdup(chunk->key_first) : NULL;
    p->member.key_last = chunk->key_last ? xstrdup(chunk->key_last) : NULL;
    enum err_code code = chan_send(w->dump->members, p, err);
    if (code != ERR_OK)
        packed_free(p);
    return code;
}

static enum err_code pack_chunk(void *arg, const struct scan_chunk *chunk, struct err *err)
{
    struct packing *w = arg;
    enum err_code code = fault_point("dump_pack", ERR_INTERNAL, err);
    if (code != ERR_OK)
        return code;
    struct packed *p = packed_new(w->dump, chunk->table);
    code = packer_pack(w->packer, chunk->text, chunk->bytes, &p->stored, err);
    if (code != ERR_OK) {
        packed_free(p);
        return code;
    }
    return send_packed(w, p, chunk, err);
}

static enum err_code big_begin(void *arg, unsigned table, uint64_t bytes, struct err *err)
{
    struct packing *w = arg;
    packed_free(w->big);
    w->big = packed_new(w->dump, table);
    return packer_begin(w->packer, bytes, &w->big->stored, err);
}

static enum err_code big_add(void *arg, const char *text, size_t bytes, struct err *err)
{
    struct packing *w = arg;
    return packer_add(w->packer, text, bytes, err);
}

static enum err_code big_end(void *arg, const struct scan_chunk *chunk, struct err *err)
{
    struct packing *w = arg;
    enum err_code code = packer_end(w->packer, err);
    if (code != ERR_OK)
        return code;
    struct packed *p = w->big;
    w->big = NULL;
    return send_packed(w, p, chunk, err);
}

/* ---- the tar writer ---- */

/* Waits until the average rate since start is at most max_rate. */
static enum err_code keep_rate(struct dump *d, int64_t started_ms, struct err *err)
{
    if (d->options->max_rate == 0)
        return ERR_OK;
    int64_t due = started_ms + (int64_t)(archive_writer_bytes(d->writer) * 1000 / d->options->max_rate);
    int64_t now = clock_monotonic_ms(d->run->clock);
    return due > now ? clock_backoff(due - now, d->run->cancel, err) : ERR_OK;
}

static enum err_code write_members(void *arg, struct err *err)
{
    struct dump *d = arg;
    int64_t started_ms = clock_monotonic_ms(d->run->clock);
    for (;;) {
        void *item;
        enum err_code code = chan_recv(d->members, &item, err);
        if (code != ERR_OK || !item)
            return code;
        struct packed *p = item;
        struct manifest_table *t = &d->manifest->tables[p->member.table - 1];
        code = archive_writer_add(d->writer, &p->member, p->stored.data, p->stored.len, err);
        t->stored_bytes += p->stored.len;
        packed_free(p);
        atomic_store(&d->run->progress->out_bytes, archive_writer_bytes(d->writer));
        if (code == ERR_OK)
            code = keep_rate(d, started_ms, err);
        if (code != ERR_OK)
            return code;
    }
}

/* ---- stages ---- */

static enum err_code add_text(struct dump *d, enum member_kind kind, unsigned table, struct buf *path,
                              struct buf *text, struct err *err)
{
    struct manifest_member member = {.path = buf_cstr(path), .kind = kind, .table = table};
    enum err_code code = archive_writer_add(d->writer, &member, text->data, text->len, err);
    buf_clear(path);
    buf_clear(text);
    return code;
}

static enum err_code write_table_texts(struct dump *d, unsigned i, struct buf *path, struct buf *text,
                                       struct err *err)
{
    const struct manifest_table *t = &d->manifest->tables[i];
    archive_ddl_path(t, path);
    buf_put(text, d->plan.ddl[i]);
    buf_put(text, ";\n");
    enum err_code code = add_text(d, MEMBER_TABLE_DDL, t->number, path, text, err);
    if (code != ERR_OK)
        return code;
    archive_load_path(t, path);
    code = archive_load_sql(t, d->manifest->format, text, err);
    return code == ERR_OK ? add_text(d, MEMBER_LOAD, t->number, path, text, err) : code;
}

static enum err_code write_object_text(struct dump *d, unsigned i, struct buf *path, struct buf *text,
                                       struct err *err)
{
    const struct manifest *m = d->manifest;
    const struct manifest_object *o = &m->objects[i];
    const struct catalog_definition *definition = &d->plan.objects.definitions[i];
    const char *collation = NULL;
    for (unsigned k = 0; k < m->schema_count; k++)
        if (strcmp(m->schemas[k].name, o->schema) == 0)
            collation = m->schemas[k].collation;
    archive_object_path(o, path);
    enum err_code code = archive_object_sql(o, collation, definition->text, definition->bytes, text, err);
    if (code != ERR_OK)
        return code;
    struct manifest_member member = {.path = buf_cstr(path), .kind = MEMBER_OBJECT, .object = o->number};
    code = archive_writer_add(d->writer, &member, text->data, text->len, err);
    buf_clear(path);
    buf_clear(text);
    return code;
}

static enum err_code write_texts(struct dump *d, struct err *err)
{
    struct buf path, text;
    buf_init(&path, 256);
    buf_init(&text, (size_t)32 << 20);
    buf_put(&path, "README.txt");
    archive_readme(d->manifest, &text);
    enum err_code code = add_text(d, MEMBER_README, 0, &path, &text, err);
    if (code == ERR_OK) {
        buf_put(&path, "restore.sh");
        archive_restore_script(&text);
        code = add_text(d, MEMBER_SCRIPT, 0, &path, &text, err);
    }
    for (unsigned i = 0; code == ERR_OK && i < d->manifest->schema_count; i++) {
        archive_schema_path(i + 1, &d->manifest->schemas[i], &path);
        code = archive_schema_sql(&d->manifest->schemas[i], &text, err);
        if (code == ERR_OK)
            code = add_text(d, MEMBER_SCHEMA, 0, &path, &text, err);
    }
    for (unsigned i = 0; code == ERR_OK && i < d->manifest->table_count; i++)
        code = write_table_texts(d, i, &path, &text, err);
    for (unsigned i = 0; code == ERR_OK && i < d->manifest->object_count; i++)
        code = write_object_text(d, i, &path, &text, err);
    buf_free(&path);
    buf_free(&text);
    return code;
}

static uint64_t count_check_rows(const struct dump_options *o)
{
    switch (o->count_check) {
    case COUNT_ALWAYS:
        return UINT64_MAX;
    case COUNT_NEVER:
        return 0;
    default:
        return COUNT_AUTO_ROWS;
    }
}

static uint64_t rows_expected(const struct plan *p, unsigned count)
{
    uint64_t rows = 0;
    for (unsigned i = 0; i < count; i++)
        rows += p->tables[i].rows_estimate;
    return rows;
}

/* The catalogue's sizes are wrong by up to twice, and the text of a row may be twice as long as the row
 * (small integers and times are); what is then left of it after compression is not counted on. */
static uint64_t most_bytes(const struct plan *p, unsigned count)
{
    uint64_t bytes = ARCHIVE_SPARE_BYTES;
    for (unsigned i = 0; i < count; i++)
        bytes += 4 * p->tables[i].bytes_estimate + TABLE_SPARE_BYTES;
    return bytes;
}

/* Readers and the tar writer, until all rows are in the archive. */
static enum err_code pump(struct dump *d, struct err *err)
{
    unsigned readers = d->snapshot->count;
    d->members = chan_new(readers < MEMBERS_WAITING ? readers : MEMBERS_WAITING, d->run->cancel, packed_free);
    d->next_member = xcalloc(d->manifest->table_count + 1, sizeof *d->next_member);
    struct packing *packings = xcalloc(readers, sizeof *packings);
    void **workers = xcalloc(readers, sizeof *workers);
    for (unsigned i = 0; i < readers; i++) {
        packings[i] = (struct packing){d, packer_new(d->options->compress_level), NULL};
        workers[i] = &packings[i];
    }
    const struct scan_consumer consumer = {pack_chunk, big_begin, big_add, big_end, workers};
    const struct scan_options options = {d->options->chunk_bytes, BIG_ROW_BYTES,
                                         count_check_rows(d->options)};
    struct group *writer = group_new(d->run->cancel);
    enum err_code code = group_spawn(writer, "tar-writer", write_members, d, err);
    if (code == ERR_OK)
        code = scan_run(d->run, d->snapshot->conns, readers, d->plan.tables, d->manifest->table_count,
                        &options, &consumer, err);
    if (code == ERR_OK)
        chan_close(d->members);
    else
        cancel_fire(d->run->cancel, err);
    enum err_code written = group_join(writer, err);
    group_free(writer);
    for (unsigned i = 0; i < readers; i++) {
        packer_free(packings[i].packer);
        packed_free(packings[i].big);
    }
    free(workers);
    free(packings);
    free(d->next_member);
    chan_free(d->members);
    return code != ERR_OK ? code : written;
}

static void record_consistency(struct dump *d)
{
    struct manifest_consistency *c = &d->manifest->consistency;
    const struct snapshot *s = d->snapshot;
    struct arena *arena = d->manifest->arena;
    c->method = s->method;
    c->proof = arena_strdup(arena, s->proof);
    c->tries = s->tries;
    c->gtid = s->gtid ? arena_strdup(arena, s->gtid) : NULL;
    c->worker_count = s->count;
    struct manifest_worker *workers = arena_calloc(arena, s->count, sizeof *workers);
    for (unsigned i = 0; i < s->count; i++)
        workers[i] =
            (struct manifest_worker){arena_strdup(arena, s->positions[i].file), s->positions[i].position};
    c->workers = workers;
    c->trx_before = s->trx_before;
    c->trx_after = s->trx_after;
    d->manifest->snapshot_ms = s->taken_ms;
}

/* What is known of tables whose engine gives no snapshot.  A dry run says what would be tried. */
static void warn_of_engines(struct dump *d, bool locked)
{
    struct manifest *m = d->manifest;
    for (unsigned i = 0; i < m->table_count; i++) {
        const struct manifest_table *t = &m->tables[i];
        if (t->transactional)
            continue;
        d->plan.tables[i].moving = !locked;
        manifest_add_warning(m, arena_printf(m->arena, "%s.%s", t->schema, t->name),
                             arena_printf(m->arena, "engine %s has no transactions: it is read %s", t->engine,
                                          locked ? "under a lock" : "unlocked and may be inconsistent"));
    }
}

static void record_tables(struct dump *d)
{
    struct manifest *m = d->manifest;
    for (unsigned i = 0; i < m->table_count; i++) {
        const struct scan_table *from = &d->plan.tables[i];
        struct manifest_table *t = &m->tables[i];
        t->rows = from->rows;
        t->plain_bytes = from->plain_bytes;
        t->checksum = from->checksum;
        t->counted = from->counted;
        m->rows += t->rows;
        m->plain_bytes += t->plain_bytes;
        if (!t->key.name && t->plain_bytes > ((uint64_t)256 << 20))
            manifest_add_warning(m, arena_printf(m->arena, "%s.%s", t->schema, t->name),
                                 "has no unique key that can be read in order: one connection read it");
    }
}

/* From the snapshot on, DDL may wait for a table that a reader has open and keep another one locked: to wait
 * for that one would be to wait for ourselves. */
static enum err_code as_changed(enum err_code code, struct err *err)
{
    return code == ERR_DB_RETRY ? rows_lock_error(err) : code;
}

static enum err_code take_snapshot(struct dump *d, const struct db_params *db, struct db_conn *control,
                                   struct err *err)
{
    const struct snapshot_options options = {.threads = d->options->threads,
                                             .consistency = d->options->consistency,
                                             .tables = d->plan.snapshot_tables,
                                             .table_count = d->manifest->table_count,
                                             .allow_inconsistent = d->options->allow_inconsistent};
    progress_phase(d->run->progress, "starting the snapshot", 0);
    enum err_code code = changes_begin(&d->changes, control, d->manifest, d->plan.tables, err);
    if (code == ERR_OK)
        code = session_lock_wait(control, CONTROL_WAIT_S, err);
    if (code == ERR_OK)
        code = snapshot_open(d->run, db, control, &options, &d->snapshot, err);
    if (code == ERR_OK)
        code = changes_look(&d->changes, control, d->snapshot->conns[0], d->manifest, d->plan.tables,
                            d->plan.ddl, err);
    if (code != ERR_OK)
        return as_changed(code, err);
    record_consistency(d);
    warn_of_engines(d, d->snapshot->guard != NULL);
    log_debug(d->run->log, "consistent snapshot by %s after %u tries: %s", d->snapshot->method,
              d->snapshot->tries, d->snapshot->proof);
    return fault_point("dump_snapshot_taken", ERR_DB, err);
}

static enum err_code write_archive(struct dump *d, struct db_conn *control, struct err *err)
{
    enum err_code code = objects_read_sequences(&d->plan.objects, control, d->manifest, err);
    if (code == ERR_OK)
        code = archive_writer_new(d->sink, d->manifest, d->manifest->started_ms / 1000, &d->writer, err);
    if (code == ERR_OK)
        code = write_texts(d, err);
    if (code != ERR_OK)
        return code;
    progress_phase(d->run->progress, "dumping", rows_expected(&d->plan, d->manifest->table_count));
    code = pump(d, err);
    if (code == ERR_OK)
        code = snapshot_check(d->snapshot, err);
    if (code == ERR_OK)
        code = plan_check_ddl(&d->plan, control, d->manifest, err);
    if (code == ERR_OK)
        code = changes_check(&d->changes, control, d->manifest, d->plan.tables, err);
    if (code != ERR_OK)
        return code;
    record_tables(d);
    d->manifest->finished_ms = clock_wall_ms(d->run->clock);
    code = archive_writer_finish(d->writer, err);
    if (code == ERR_OK)
        code = cancel_check(d->run->cancel, err);
    return code == ERR_OK ? sink_commit(d->sink, err) : code;
}

static void start_manifest(struct dump *d)
{
    d->manifest = manifest_new();
    d->manifest->tool_version = DBSAFE_VERSION;
    d->manifest->label = arena_strdup(d->manifest->arena, d->options->label);
    d->manifest->run_id = arena_strdup(d->manifest->arena, d->run->run_id);
    d->manifest->started_ms = clock_wall_ms(d->run->clock);
}

/* What came into being between plan and snapshot may hold rows that a planned table has lost: then all begins
 * again. */
static enum err_code plan_and_snapshot(struct dump *d, const struct db_params *db, struct db_conn *control,
                                       dump_open_sink_fn *open_sink, void *arg, struct err *err)
{
    const char *name = NULL;
    for (unsigned n = 0; n < PLANS; n++) {
        if (n > 0) {
            log_debug(d->run->log, "%s came into being while the dump was planned: it is planned anew", name);
            snapshot_free(d->snapshot);
            d->snapshot = NULL;
            plan_free(&d->plan);
            manifest_free(d->manifest);
            start_manifest(d);
        }
        progress_phase(d->run->progress, "reading the catalogue", 0);
        enum err_code code = plan_make(d->run, control, d->options, d->manifest, &d->plan, err);
        if (code == ERR_OK && !d->sink)
            code = open_sink(arg, most_bytes(&d->plan, d->manifest->table_count), &d->sink, err);
        if (code == ERR_OK)
            code = take_snapshot(d, db, control, err);
        if (code == ERR_OK)
            code = as_changed(plan_look_again(&d->plan, d->run, control, d->options, d->manifest, &name, err),
                              err);
        if (code != ERR_OK || !name)
            return code;
    }
    return err_set(err, ERR_SNAPSHOT,
                   "dump %s: it came into being while the dump was planned (DDL), and others before it: run "
                   "it again, or leave"
                   " such tables out with --exclude",
                   name);
}

enum err_code dump_run(const struct run *run, const struct db_params *db, const struct dump_options *options,
                       dump_open_sink_fn *open_sink, void *arg, struct dump_result *result, struct err *err)
{
    struct dump d = {.run = run, .options = options};
    struct db_conn *control = NULL;
    *result = (struct dump_result){0};
    start_manifest(&d);
    enum err_code code = db_connect(db, run->cancel, &control, err);
    if (code == ERR_OK && options->dry_run) {
        progress_phase(run->progress, "reading the catalogue", 0);
        code = plan_make(run, control, options, d.manifest, &d.plan, err);
        if (code == ERR_OK)
            warn_of_engines(&d, true);
    } else if (code == ERR_OK) {
        code = plan_and_snapshot(&d, db, control, open_sink, arg, err);
        if (code == ERR_OK)
            code = as_changed(write_archive(&d, control, err), err);
    }
    result->archive_bytes = d.writer ? archive_writer_bytes(d.writer) : 0;
    archive_writer_free(d.writer);
    sink_free(d.sink);
    snapshot_free(d.snapshot);
    plan_free(&d.plan);
    db_close(control);
    if (code == ERR_OK)
        result->manifest = d.manifest;
    else
        manifest_free(d.manifest);
    return code;
}
