/*
 * verify_archive.  One thread finds the members and sends each as a job through a bounded channel; workers
 * read (by position) or get (from a stream) its bytes, unpack them and take the figures of the text.  What is
 * damaged becomes the job's problem and stops nothing; only errors of another kind end the run.
 */
#include "verify/verify.h"

#include "archive/member.h"
#include "archive/reader.h"
#include "archive/rowtext.h"
#include "archive/select.h"
#include "core/chan.h"
#include "core/group.h"
#include "core/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES   ((size_t)256 * 1024)
#define HEADER_BYTES ((uint64_t)512)

struct figures {
    uint64_t rows, plain_bytes;
    struct rowsum checksum;
};

/* One member on its way.  The feeder makes it, one worker fills in the rest, the caller looks at it after the
 * join. */
struct job {
    const struct manifest_member *member; /* NULL in a stream: its manifest comes last */
    char *path;
    bool is_data;
    struct buf content; /* what a stream gave; empty otherwise and once the job is done */
    uint64_t length;    /* of the content */
    struct figures figures;
    char *problem; /* NULL: none found */
};

struct check {
    const struct run *run;
    struct source *src;
    const struct manifest *manifest; /* NULL in a stream */
    const bool *chosen;              /* by table; NULL in a stream */
    struct chan *todo;
    struct job **jobs; /* in archive order; owned; the feeder alone adds */
    size_t job_count, job_cap;
    struct archive_stream *stream;
    struct err stream_end; /* why the stream could not be followed to its end, or ERR_OK */
};

/* What a worker uses again and again. */
struct tools {
    struct unpacker *unpacker;
    struct rowtext *rowtext;
    struct buf content;
    char *text;
};

static struct job *job_add(struct check *c, const char *path)
{
    struct job *job = xcalloc(1, sizeof *job);
    job->path = xstrdup(path);
    buf_init(&job->content, MEMBER_MAX_BYTES + 2 * HEADER_BYTES);
    if (c->job_count == c->job_cap) {
        c->job_cap = c->job_cap > 0 ? 2 * c->job_cap : 64;
        c->jobs = xreallocarray(c->jobs, c->job_cap, sizeof *c->jobs);
    }
    c->jobs[c->job_count++] = job;
    return job;
}

static void jobs_free(struct check *c)
{
    for (size_t i = 0; i < c->job_count; i++) {
        free(c->jobs[i]->path);
        free(c->jobs[i]->problem);
        buf_free(&c->jobs[i]->content);
        free(c->jobs[i]);
    }
    free(c->jobs);
}

/* Messages of src/archive start with the member's path, which a problem names already. */
static const char *without_path(const char *text, const char *path)
{
    size_t n = strlen(path);
    return strncmp(text, path, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

/* Takes the figures of a data member's text; ERR_DAMAGED when it cannot be unpacked or ends within a row. */
static enum err_code measure(struct tools *t, const struct run *run, const struct buf *stored,
                             struct figures *out, struct err *err)
{
    size_t got = 0;
    enum err_code rc = unpacker_begin(t->unpacker, stored->data, stored->len, UINT64_MAX, err);
    *out = (struct figures){0};
    while (rc == ERR_OK) {
        rc = unpacker_read(t->unpacker, t->text, TEXT_BYTES, &got, err);
        if (rc != ERR_OK || got == 0)
            break;
        rowtext_add(t->rowtext, t->text, got);
        out->plain_bytes += got;
        atomic_fetch_add(&run->progress->plain_bytes, got);
    }
    bool whole = rowtext_end(t->rowtext, &out->rows, &out->checksum);
    atomic_fetch_add(&run->progress->rows, out->rows);
    if (rc == ERR_OK && !whole)
        rc = err_set(err, ERR_DAMAGED, "its text does not end with a whole row");
    return rc;
}

static enum err_code compare(const struct manifest_member *member, const struct figures *f, struct err *err)
{
    if (f->plain_bytes != member->plain_length)
        return err_set(err, ERR_DAMAGED, "it holds %" PRIu64 " bytes of text; the manifest says %" PRIu64,
                       f->plain_bytes, member->plain_length);
    if (f->rows != member->rows)
        return err_set(err, ERR_DAMAGED, "it holds %" PRIu64 " rows; the manifest says %" PRIu64, f->rows,
                       member->rows);
    if (!rowsum_equal(f->checksum, member->checksum))
        return err_set(err, ERR_DAMAGED, "the content checksum of its rows is not the one in the manifest");
    return ERR_OK;
}

static enum err_code examine(const struct check *c, struct tools *t, struct job *job, struct err *err)
{
    const struct buf *content = &job->content;
    enum err_code rc = ERR_OK;
    if (job->member != NULL) {
        rc = archive_read_member(c->src, c->manifest, job->member, &t->content, err);
        content = &t->content;
    }
    if (rc == ERR_OK && job->is_data)
        rc = measure(t, c->run, content, &job->figures, err);
    if (rc == ERR_OK && job->is_data && job->member != NULL)
        rc = compare(job->member, &job->figures, err);
    return rc;
}

static enum err_code work(struct check *c, struct tools *t, struct err *err)
{
    for (;;) {
        void *item = NULL;
        enum err_code rc = chan_recv(c->todo, &item, err);
        if (rc != ERR_OK || item == NULL)
            return rc;
        struct job *job = item;
        rc = examine(c, t, job, err);
        buf_free(&job->content);
        if (rc == ERR_DAMAGED)
            job->problem = xstrdup(without_path(err->text, job->path));
        else if (rc != ERR_OK)
            return rc;
    }
}

static enum err_code worker(void *arg, struct err *err)
{
    struct tools t = {.unpacker = unpacker_new(), .rowtext = rowtext_new(), .text = xmalloc(TEXT_BYTES)};
    buf_init(&t.content, MEMBER_MAX_BYTES + 2 * HEADER_BYTES);
    enum err_code rc = work(arg, &t, err);
    buf_free(&t.content);
    free(t.text);
    rowtext_free(t.rowtext);
    unpacker_free(t.unpacker);
    return rc;
}

static bool is_wanted(const struct check *c, const struct manifest_member *member)
{
    return member->table == 0 || c->chosen[member->table - 1];
}

static enum err_code feed_members(struct check *c, struct err *err)
{
    enum err_code rc = ERR_OK;
    for (size_t i = 0; rc == ERR_OK && i < c->manifest->member_count; i++) {
        const struct manifest_member *member = &c->manifest->members[i];
        if (!is_wanted(c, member))
            continue;
        struct job *job = job_add(c, member->path);
        job->member = member;
        job->is_data = member->kind == MEMBER_DATA;
        job->length = member->length;
        rc = chan_send(c->todo, job, err);
    }
    return rc;
}

static enum err_code feed_stream(struct check *c, struct err *err)
{
    struct buf content;
    enum err_code rc = ERR_OK;
    buf_init(&content, MEMBER_MAX_BYTES + 2 * HEADER_BYTES);
    while (rc == ERR_OK) {
        const char *path;
        char sha256[SHA256_HEX_BYTES]; /* archive_stream_matches compares it */
        rc = archive_stream_next(c->stream, &path, &content, sha256, err);
        if (rc != ERR_OK || path == NULL)
            break;
        struct job *job = job_add(c, path);
        job->is_data = strncmp(path, "data/", 5) == 0;
        job->length = content.len;
        job->content = content;
        buf_init(&content, content.max);
        rc = chan_send(c->todo, job, err);
    }
    buf_free(&content);
    if (rc == ERR_DAMAGED) {
        c->stream_end = *err;
        rc = ERR_OK; /* the members before it are still checked */
    }
    return rc;
}

static enum err_code feeder(void *arg, struct err *err)
{
    struct check *c = arg;
    enum err_code rc = c->stream != NULL ? feed_stream(c, err) : feed_members(c, err);
    if (rc == ERR_OK)
        chan_close(c->todo);
    return rc;
}

static enum err_code run_threads(struct check *c, unsigned threads, struct err *err)
{
    struct group *group = group_new(c->run->cancel);
    threads = threads > 0 ? threads : 1;
    c->todo = chan_new(threads, c->run->cancel, NULL); /* jobs belong to c->jobs, not to the channel */
    enum err_code rc = group_spawn(group, "verify-feed", feeder, c, err);
    for (unsigned i = 0; rc == ERR_OK && i < threads; i++)
        rc = group_spawn(group, "verify", worker, c, err);
    if (rc == ERR_OK)
        rc = group_join(group, err);
    else
        cancel_fire(c->run->cancel, err); /* wakes the threads that did start */
    group_free(group);
    chan_free(c->todo);
    return rc;
}

static void count(const struct check *c, struct verify_result *result)
{
    for (size_t i = 0; i < c->job_count; i++) {
        const struct job *job = c->jobs[i];
        result->members++;
        result->bytes += HEADER_BYTES + (job->length + HEADER_BYTES - 1) / HEADER_BYTES * HEADER_BYTES;
        result->rows += job->figures.rows;
        if (job->problem != NULL)
            verify_add_problem(result, job->path, "%s", job->problem);
    }
}

static enum err_code summary(const struct verify_result *result, struct err *err)
{
    if (result->problem_count == 0)
        return ERR_OK;
    const struct verify_problem *first = &result->problems[0];
    if (result->problem_count == 1)
        return err_set(err, ERR_DAMAGED, "the archive is damaged: %s: %s", first->where, first->what);
    return err_set(err, ERR_DAMAGED, "the archive is damaged in %u places; the first: %s: %s",
                   result->problem_count, first->where, first->what);
}

static unsigned count_chosen(const struct manifest *m, const bool *chosen)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->table_count; i++)
        n += chosen[i];
    return n;
}

static uint64_t rows_chosen(const struct manifest *m, const bool *chosen)
{
    uint64_t rows = 0;
    for (unsigned i = 0; i < m->table_count; i++)
        rows += chosen[i] ? m->tables[i].rows : 0;
    return rows;
}

static enum err_code check_by_position(struct check *c, const struct verify_options *options,
                                       struct verify_result *result, struct manifest **manifest,
                                       struct err *err)
{
    bool *chosen = NULL;
    enum err_code rc = archive_read_manifest(c->src, manifest, err);
    if (rc == ERR_DAMAGED)
        verify_add_problem(result, MANIFEST_PATH, "%s", without_path(err->text, MANIFEST_PATH));
    if (rc != ERR_OK)
        return rc == ERR_DAMAGED ? ERR_OK : rc;
    rc = archive_select(*manifest, options->tables, options->table_count, &chosen, err);
    if (rc != ERR_OK)
        return rc;
    c->manifest = *manifest;
    c->chosen = chosen;
    result->tables = count_chosen(*manifest, chosen);
    progress_phase(c->run->progress, "verifying", rows_chosen(*manifest, chosen));
    rc = run_threads(c, options->threads, err);
    count(c, result);
    if (rc == ERR_OK)
        rc = archive_check_tail(c->src, *manifest, err);
    if (rc == ERR_DAMAGED) {
        verify_add_problem(result, "trailer", "%s", err->text);
        rc = ERR_OK;
    }
    result->bytes += c->src->size - manifest_members_end(*manifest);
    free(chosen);
    return rc;
}

/* The manifest came last: now each member is compared with it. */
static void compare_stream(struct check *c, const struct manifest *m)
{
    struct err err;
    for (size_t i = 0; i < c->job_count && i < m->member_count; i++) {
        struct job *job = c->jobs[i];
        if (job->problem == NULL && job->is_data && strcmp(job->path, m->members[i].path) == 0 &&
            compare(&m->members[i], &job->figures, &err) != ERR_OK)
            job->problem = xstrdup(err.text);
    }
}

static enum err_code check_stream(struct check *c, const struct verify_options *options,
                                  struct verify_result *result, struct manifest **manifest, struct err *err)
{
    bool *chosen = NULL;
    c->stream = archive_stream_new(c->src);
    progress_phase(c->run->progress, "verifying", 0);
    enum err_code rc = run_threads(c, options->threads, err);
    const struct manifest *m = archive_stream_manifest(c->stream);
    if (rc == ERR_OK && m != NULL)
        compare_stream(c, m);
    count(c, result);
    result->bytes = archive_stream_bytes(c->stream);
    if (c->stream_end.code != ERR_OK)
        verify_add_problem(result, c->src->name, "%s", c->stream_end.text);
    if (rc == ERR_OK && m != NULL) {
        if (archive_stream_matches(c->stream, err) == ERR_DAMAGED)
            verify_add_problem(result, MANIFEST_PATH, "%s", err->text);
        rc = archive_select(m, options->tables, options->table_count, &chosen, err);
        result->tables = m->table_count; /* all were read, whichever were asked for */
    }
    *manifest = archive_stream_take_manifest(c->stream);
    archive_stream_free(c->stream);
    free(chosen);
    return rc;
}

enum err_code verify_archive(const struct run *run, struct source *src, const struct verify_options *options,
                             struct verify_result *result, struct manifest **manifest, struct err *err)
{
    struct check c = {.run = run, .src = src};
    *result = (struct verify_result){0};
    *manifest = NULL;
    enum err_code rc = src->seekable ? check_by_position(&c, options, result, manifest, err)
                                     : check_stream(&c, options, result, manifest, err);
    jobs_free(&c);
    return rc == ERR_OK ? summary(result, err) : rc;
}
