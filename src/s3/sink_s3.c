#include "s3/sink_s3.h"

#include "core/chan.h"
#include "core/group.h"
#include "core/lock.h"
#include "core/mem.h"
#include "s3/mark.h"
#include "s3/part_plan.h"
#include "s3/upload.h"
#include "s3/uploads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)
/* What an archive of this size needs is no news (the promise of the manual page). */
#define QUIET_BYTES ((uint64_t)192 << 20)

/* A part on its way: filled by the writer, then one uploader's, then idle. */
struct part {
    unsigned number;
    size_t bytes, room;
    char *data; /* owned */
};

struct s3_sink {
    struct sink base;
    struct s3_bucket *bucket; /* a reference */
    char *name;
    struct cancel *cancel;     /* owned: a failed upload does not end the run by itself */
    struct aws_client *client; /* the writer's */
    struct part_plan plan;
    unsigned at_once; /* parts in memory; one of them is filled, the others are sent */
    struct s3_making making;
    struct s3_mark mark;
    struct part *filling; /* owned; NULL: none */
    unsigned parts_begun; /* numbers given out */
    unsigned parts_made;  /* struct part that exist */
    uint64_t bytes;
    struct group *group; /* NULL until the first part is sent */
    unsigned uploaders;
    struct chan *todo, *idle; /* of struct part */
    struct lock *lock;
    struct {
        struct s3_made_part *made; /* owned; by number - 1 */
        unsigned count;            /* parts that were given to the uploaders */
    } locked;
    bool failed, committed, cleaned;
};

static void part_free(void *item)
{
    struct part *p = item;
    if (p == NULL)
        return;
    free(p->data);
    free(p);
}

/* ---- uploaders ---- */

static enum err_code send_part(struct s3_sink *s, struct aws_client *client, struct part *p, struct err *err)
{
    struct s3_made_part made;
    enum err_code rc = s3_making_part(&s->making, client, p->number, p->data, p->bytes, &made, err);
    lock_take(s->lock);
    s->locked.made[p->number - 1] = made;
    lock_drop(s->lock);
    return rc;
}

static enum err_code upload_parts(struct s3_sink *s, struct aws_client *client, struct err *err)
{
    for (;;) {
        void *item;
        enum err_code rc = chan_recv(s->todo, &item, err);
        if (rc != ERR_OK || item == NULL)
            return rc;
        rc = send_part(s, client, item, err);
        if (rc == ERR_OK)
            rc = chan_send(s->idle, item, err);
        if (rc != ERR_OK) {
            part_free(item);
            return rc;
        }
    }
}

static enum err_code run_uploader(void *arg, struct err *err)
{
    struct s3_sink *s = arg;
    struct aws_client *client = NULL;
    enum err_code rc = aws_client_new(s->bucket->session, "s3", s->cancel, &client, err);
    if (rc == ERR_OK)
        rc = upload_parts(s, client, err);
    aws_client_free(client);
    return rc;
}

static enum err_code set_mark(struct s3_sink *s, struct err *err)
{
    return s->mark.key ? ERR_OK : s3_mark_set(s->bucket, s->client, MARK_UPLOAD, s->name, &s->mark, err);
}

/* The first part is full: from here on it is an upload in parts. */
static enum err_code begin_parts(struct s3_sink *s, struct err *err)
{
    enum err_code rc = set_mark(s, err);
    if (rc == ERR_OK)
        rc = s3_making_begin(&s->making, s->client, err);
    if (rc != ERR_OK)
        return rc;
    s->group = group_new(s->cancel);
    s->todo = chan_new(s->at_once, s->cancel, part_free);
    s->idle = chan_new(s->at_once, s->cancel, part_free);
    return ERR_OK;
}

/* Gives the part that was filled to the uploaders, of which there is one more with each until all run. */
static enum err_code send_filled(struct s3_sink *s, struct err *err)
{
    enum err_code rc = s->group == NULL ? begin_parts(s, err) : ERR_OK;
    if (rc != ERR_OK)
        return rc;
    lock_take(s->lock);
    s->locked.made = xreallocarray(s->locked.made, s->parts_begun, sizeof *s->locked.made);
    s->locked.made[s->locked.count++] = (struct s3_made_part){0};
    lock_drop(s->lock);
    if (s->uploaders < s->at_once - 1 && s->uploaders < s->parts_begun) {
        rc = group_spawn(s->group, "s3-upload", run_uploader, s, err);
        s->uploaders += rc == ERR_OK;
    }
    if (rc == ERR_OK)
        rc = chan_send(s->todo, s->filling, err);
    if (rc == ERR_OK)
        s->filling = NULL;
    return rc;
}

/* ---- the writer ---- */

/* A part to fill: a new one while there are few, else one that an uploader is done with. */
static enum err_code take_part(struct s3_sink *s, struct err *err)
{
    void *item = NULL;
    if (s->parts_begun == S3_PARTS_MAX)
        return err_set(err, ERR_STORAGE,
                       "%s: all %d parts that S3 takes are used after %" PRIu64
                       " MiB: the archive is larger than was to be expected; use a larger --part-size",
                       s->making.place, S3_PARTS_MAX, s->bytes / MIB);
    if (s->parts_made < s->at_once) {
        item = xcalloc(1, sizeof(struct part));
        s->parts_made++;
    } else {
        enum err_code rc = chan_recv(s->idle, &item, err);
        if (rc != ERR_OK)
            return rc;
    }
    s->filling = item;
    s->filling->number = ++s->parts_begun;
    s->filling->bytes = 0;
    return ERR_OK;
}

/* Small objects get small memory. */
static void make_room(struct part *p, size_t want, size_t size)
{
    if (p->room >= want)
        return;
    size_t room = p->room * 2 > MIB ? p->room * 2 : MIB;
    room = room < want ? want : room;
    p->room = room > size / 2 ? size : room;
    p->data = xrealloc(p->data, p->room);
}

static enum err_code write_some(struct s3_sink *s, const char *data, size_t bytes, size_t *taken,
                                struct err *err)
{
    enum err_code rc = s->filling == NULL ? take_part(s, err) : ERR_OK;
    if (rc != ERR_OK)
        return rc;
    struct part *p = s->filling;
    size_t size = (size_t)part_plan_size(&s->plan, p->number), left = size - p->bytes;
    *taken = bytes < left ? bytes : left;
    make_room(p, p->bytes + *taken, size);
    memcpy(p->data + p->bytes, data, *taken);
    p->bytes += *taken;
    s->bytes += *taken;
    return p->bytes == size ? send_filled(s, err) : ERR_OK;
}

static enum err_code s3_write(struct sink *base, const void *data, size_t bytes, struct err *err)
{
    struct s3_sink *s = (struct s3_sink *)base;
    const char *at = data;
    enum err_code rc = cancel_check(s->cancel, err);
    while (rc == ERR_OK && bytes > 0) {
        size_t taken = 0;
        rc = write_some(s, at, bytes, &taken, err);
        at += taken;
        bytes -= taken;
    }
    s->failed = s->failed || rc != ERR_OK;
    return rc;
}

static enum err_code finish_parts(struct s3_sink *s, struct err *err)
{
    enum err_code rc = s->filling != NULL ? send_filled(s, err) : ERR_OK;
    if (rc != ERR_OK)
        return rc;
    chan_close(s->todo);
    rc = group_join(s->group, err);
    if (rc == ERR_OK)
        rc = s3_making_complete(&s->making, s->client, s->locked.made, s->parts_begun, s->bytes, err);
    return rc;
}

static enum err_code finish(struct s3_sink *s, struct err *err)
{
    if (s->group != NULL)
        return finish_parts(s, err);
    return s3_making_put(&s->making, s->client, s->filling ? s->filling->data : "", (size_t)s->bytes, err);
}

/* Takes back what is at the server; with look, *made tells whether the object came to be. */
static enum err_code take_back(struct s3_sink *s, struct aws_client *client, bool look, bool *made,
                               struct err *err)
{
    enum err_code rc = s3_making_abort(&s->making, client, err);
    if (rc == ERR_OK && look)
        rc = s3_making_settle(&s->making, client, s->bytes, made, err);
    /* a mark whose upload stays or may still come is what the next run finds it by */
    bool may_come = s->making.lost_begin && !s->making.upload_id;
    if (rc == ERR_OK && !may_come)
        rc = s3_mark_clear(s->bucket, client, &s->mark, err);
    return rc;
}

/* Ends the threads and cleans up, which a signal cuts short. */
static void clean_up(struct s3_sink *s, bool look, bool *made)
{
    struct err err = {.code = ERR_OK}, ended;
    struct s3_cleaner cleaner;
    *made = false;
    err_set(&ended, ERR_STORAGE, "the upload was given up");
    cancel_fire(s->cancel, &ended);
    group_free(s->group);
    s->group = NULL;
    enum err_code rc = s3_cleaner_open(s->bucket, &cleaner, &err);
    if (rc == ERR_OK)
        rc = take_back(s, cleaner.client, look, made, &err);
    if (rc != ERR_OK)
        log_warn(s->bucket->run.log,
                 "%s: what was begun could not be taken back (the next run or prune will): %s",
                 s->making.place, err.text);
    s3_cleaner_close(&cleaner);
    s3_mark_forget(&s->mark);
    s->cleaned = true;
}

/* Behind a commit only the mark is left, and what a lost answer may have begun. */
static void tidy_up(struct s3_sink *s)
{
    struct err err;
    struct s3_cleaner cleaner;
    if (!s->mark.key)
        return;
    enum err_code rc = s3_cleaner_open(s->bucket, &cleaner, &err);
    if (rc == ERR_OK)
        rc = s3_making_abort_lost(&s->making, cleaner.client, &err);
    if (rc == ERR_OK)
        rc = s3_mark_clear(s->bucket, cleaner.client, &s->mark, &err);
    if (rc != ERR_OK)
        log_debug(s->bucket->run.log, "a mark stays until the next sweep: %s", err.text);
    s3_cleaner_close(&cleaner);
    s3_mark_forget(&s->mark);
}

static enum err_code s3_commit(struct sink *base, struct err *err)
{
    struct s3_sink *s = (struct s3_sink *)base;
    bool made;
    if (s->failed || s->committed)
        return err_set(err, ERR_INTERNAL, "%s is committed twice, or after a failed write", s->making.place);
    enum err_code rc = finish(s, err);
    s->committed = rc == ERR_OK;
    if (s->committed) {
        tidy_up(s);
        return ERR_OK;
    }
    s->failed = true;
    clean_up(s, rc != ERR_REFUSED, &made);
    s->committed = made;
    return made ? ERR_OK : rc;
}

static void s3_free(struct sink *base)
{
    struct s3_sink *s = (struct s3_sink *)base;
    bool made;
    if (!s->committed && !s->cleaned && (s->making.upload_id || s->making.lost_begin || s->mark.key))
        clean_up(s, false, &made);
    group_free(s->group);
    chan_free(s->todo);
    chan_free(s->idle);
    part_free(s->filling);
    for (unsigned i = 0; i < s->locked.count; i++)
        free(s->locked.made[i].etag);
    free(s->locked.made);
    lock_free(s->lock);
    s3_making_clear(&s->making);
    aws_client_free(s->client);
    cancel_free(s->cancel);
    s3_bucket_release(s->bucket);
    free(s->name);
    free(s);
}

/* ---- opening ---- */

static void tell_memory(const struct s3_sink *s, uint64_t most_bytes)
{
    uint64_t largest = part_plan_largest(&s->plan, most_bytes), need = s->at_once * largest;
    if (most_bytes != 0 && need > most_bytes)
        need = most_bytes;
    log_debug(s->bucket->run.log, "%s: parts of %" PRIu64 " MiB, up to %" PRIu64 " MiB of memory",
              s->making.place, s->plan.first_bytes / MIB, need / MIB + 1);
    if (need > QUIET_BYTES)
        log_info(s->bucket->run.log,
                 "the archive may become %" PRIu64 " GiB large; its upload then needs up to %" PRIu64
                 " MiB of memory (--part-size and --uploaders choose)",
                 (most_bytes >> 30) + 1, need / MIB);
}

static enum err_code prepare(struct s3_sink *s, uint64_t most_bytes, bool exact, struct err *err)
{
    struct s3_stat found = {.exists = false};
    enum err_code rc = part_plan_make(most_bytes, s->bucket->options.part_bytes, exact || s->bucket->one_size,
                                      &s->plan, err);
    if (rc == ERR_OK)
        s->at_once = s->bucket->uploaders_given ? s->bucket->options.uploaders + 1
                                                : part_plan_at_once(&s->plan, s->bucket->options.uploaders);
    if (rc == ERR_OK)
        rc = aws_client_new(s->bucket->session, "s3", s->cancel, &s->client, err);
    if (rc == ERR_OK && !s->making.replace)
        rc = s3_bucket_find(s->bucket, s->client, s->making.key, &found, err);
    if (rc != ERR_OK && found.denied) { /* a write-only account: the commit guards by If-None-Match */
        log_debug(s->bucket->run.log, "%s", err->text);
        rc = ERR_OK;
    }
    if (rc == ERR_OK && found.exists)
        rc = err_set(err, ERR_REFUSED, "%s exists already and is never overwritten", s->making.place);
    /* the mark also shows whether this account may write here */
    if (rc == ERR_OK && (most_bytes > s->plan.first_bytes || found.denied))
        rc = set_mark(s, err);
    return rc;
}

enum err_code sink_s3_new(struct s3_bucket *b, const char *name, uint64_t most_bytes, bool exact,
                          bool replace, struct sink **out, struct err *err)
{
    static const struct sink_ops ops = {s3_write, s3_commit, s3_free};
    struct s3_sink *s = xcalloc(1, sizeof *s);
    s->base.ops = &ops;
    s->bucket = s3_bucket_hold(b);
    s->name = xstrdup(name);
    s->cancel = cancel_new_under(b->run.cancel);
    s->lock = lock_new();
    enum err_code rc = s3_making_init(&s->making, b, name, replace, err);
    if (rc == ERR_OK)
        rc = prepare(s, most_bytes, exact, err);
    if (rc != ERR_OK) {
        s3_free(&s->base);
        return rc;
    }
    tell_memory(s, most_bytes);
    *out = &s->base;
    return ERR_OK;
}
