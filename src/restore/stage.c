#include "restore/stage.h"

#include "core/chan.h"
#include "core/fault.h"
#include "core/group.h"
#include "core/lock.h"
#include "core/mem.h"
#include "db/session.h"
#include "restore/loader.h"
#include "restore/owner.h"
#include "restore/sequences.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX_BYTES ((size_t)32 << 20)

/* ---- tables ---- */

static enum err_code create_table(struct db_conn *c, const struct target *t, struct err *err)
{
    struct buf sql;
    bool *left_out = xcalloc(t->ddl.item_count + 1, sizeof *left_out);
    buf_init(&sql, TEXT_MAX_BYTES);
    for (unsigned i = 0; i < t->ddl.item_count; i++)
        left_out[i] = t->deferred[i] || t->joins[i];
    ddl_create(&t->ddl, t->staging, left_out, &sql);
    enum err_code code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    free(left_out);
    return code == ERR_OK
               ? code
               : err_wrap(err, "create the staging table of %s.%s", t->table->schema, t->table->name);
}

enum err_code stage_create(struct db_conn *c, const struct operation *op, const struct targets *t,
                           struct err *err)
{
    enum err_code code = sequences_make_placeholders(c, op, err);
    for (unsigned i = 0; code == ERR_OK && i < t->sequence_count; i++)
        code = sequences_stage(c, &t->sequences[i], err);
    if (code == ERR_OK)
        code = session_for_creating(c, err);
    for (unsigned i = 0; code == ERR_OK && i < t->count; i++)
        code = create_table(c, &t->items[i], err);
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
};

struct loading {
    const struct run *run;
    const struct db_params *params;
    struct input *in;
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
    const struct seen seen = {figures.rows, figures.warnings, figures.checksum};
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

static enum err_code feed_seekable(struct loading *l, struct err *err)
{
    const struct manifest *m = l->in->manifest;
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < m->member_count; i++) {
        int target = m->members[i].kind == MEMBER_DATA ? target_of(l->targets, m->members[i].table) : -1;
        if (target >= 0)
            code = send_job(l, (unsigned)target, &m->members[i], NULL, err);
    }
    return code;
}

static enum err_code feed_member(struct loading *l, const char *path, struct buf *stored, struct err *err)
{
    unsigned number;
    enum err_code code = input_table_of(l->in, path, &number, err);
    int target = code == ERR_OK ? target_of(l->targets, number) : -1;
    return target < 0 ? code : send_job(l, (unsigned)target, NULL, stored, err);
}

static enum err_code feed_stream(struct loading *l, struct err *err)
{
    struct input *in = l->in;
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

static enum err_code compare_stream(struct loading *l, struct err *err)
{
    enum err_code code = input_compare_end(l->in, err);
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

uint64_t stage_rows(const struct targets *t)
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
            code = owner_add_connection(control, op, loader_connection_id(workers[i].loader), err);
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
                         const struct operation *op, struct input *in, struct targets *t, unsigned threads,
                         struct err *err)
{
    struct loading l = {.run = run, .params = params, .in = in, .targets = t};
    struct load_worker *workers = xcalloc(threads, sizeof *workers);
    l.lock = lock_new();
    l.jobs = chan_new(threads, run->cancel, job_free);
    progress_phase(run->progress, "loading", stage_rows(t));
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
