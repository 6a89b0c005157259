#include "s3/sweep.h"

#include "core/mem.h"
#include "s3/uploads.h"

#include <stdlib.h>
#include <string.h>

struct sweep {
    struct s3_bucket *bucket;
    struct aws_client *client;
    int64_t stale_before_ms; /* the server's wall clock */
    bool dry_run;
    struct arena *arena;
    struct s3_found_marks marks;
};

/* Uploads of exactly this key. */
static enum err_code uploads_of(struct sweep *s, const char *key, struct s3_upload_page *out, struct err *err)
{
    enum err_code rc = s3_uploads_list(s->bucket, s->client, key, s->arena, out, NULL, err);
    size_t kept = 0;
    for (size_t i = 0; rc == ERR_OK && i < out->count; i++)
        if (strcmp(out->items[i].key, key) == 0)
            out->items[kept++] = out->items[i];
    out->count = kept;
    return rc;
}

/* Whether something was added to the upload since it would be stale. */
static enum err_code is_growing(struct sweep *s, const struct s3_upload *u, bool *growing, struct err *err)
{
    int64_t newest_ms;
    *growing = u->begun_ms > s->stale_before_ms;
    if (*growing)
        return ERR_OK;
    enum err_code rc = s3_upload_newest_part(s->bucket, s->client, u->key, u->id, &newest_ms, err);
    *growing = rc == ERR_OK && newest_ms > s->stale_before_ms;
    return rc;
}

/* Whether the run that set the mark is over.  Of other machines' that shows only by what they do not do. */
static enum err_code is_over(struct sweep *s, const struct s3_found_mark *m,
                             const struct s3_upload_page *uploads, bool *over, struct err *err)
{
    *over = m->life == PROCESS_DEAD;
    if (m->life != PROCESS_ELSEWHERE || m->begun_ms > s->stale_before_ms)
        return ERR_OK;
    bool growing = false;
    enum err_code rc = ERR_OK;
    for (size_t i = 0; rc == ERR_OK && !growing && i < uploads->count; i++)
        rc = is_growing(s, &uploads->items[i], &growing, err);
    *over = rc == ERR_OK && !growing;
    return rc;
}

/* A run that may live and writes an object of the same name. */
static bool has_living_twin(const struct sweep *s, const struct s3_found_mark *m)
{
    for (size_t i = 0; i < s->marks.count; i++) {
        const struct s3_found_mark *other = &s->marks.items[i];
        if (other != m && other->kind == MARK_UPLOAD && other->life != PROCESS_DEAD &&
            other->begun_ms > s->stale_before_ms && strcmp(other->name, m->name) == 0)
            return true;
    }
    return false;
}

static enum err_code remove_mark(struct sweep *s, const struct s3_found_mark *m,
                                 const struct s3_upload_page *uploads, struct err *err)
{
    enum err_code rc = ERR_OK;
    for (size_t i = 0; rc == ERR_OK && i < uploads->count; i++)
        rc = s3_upload_abort(s->bucket, s->client, uploads->items[i].key, uploads->items[i].id, err);
    if (rc == ERR_OK)
        rc = s3_upload_abort_empty(s->bucket, s->client, m->key, m->upload_id, err);
    if (rc == ERR_OK)
        log_debug(s->bucket->run.log, "removed what process %ld of %s left of %s", m->owner.pid,
                  m->owner.host, m->name);
    return rc;
}

static enum err_code sweep_mark(struct sweep *s, const struct s3_found_mark *m, unsigned *removed,
                                struct err *err)
{
    struct s3_upload_page uploads = {0};
    bool over = false;
    if (m->life == PROCESS_ALIVE)
        return ERR_OK;
    char *key = s3_bucket_key(s->bucket, m->name);
    enum err_code rc = m->kind == MARK_UPLOAD ? uploads_of(s, key, &uploads, err) : ERR_OK;
    if (rc == ERR_OK)
        rc = is_over(s, m, &uploads, &over, err);
    if (rc == ERR_OK && over && m->kind == MARK_UPLOAD && has_living_twin(s, m))
        uploads.count = 0; /* whose they are cannot be told: only the mark goes */
    if (rc == ERR_OK && over && !s->dry_run)
        rc = remove_mark(s, m, &uploads, err);
    if (rc == ERR_OK && over && m->kind == MARK_UPLOAD)
        ++*removed;
    free(key);
    return rc;
}

enum err_code s3_sweep_uploads(struct s3_bucket *b, struct aws_client *client, int64_t stale_after_ms,
                               bool dry_run, unsigned *removed, struct err *err)
{
    int64_t now_ms = clock_wall_ms(b->run.clock) + aws_session_clock_offset_ms(b->session);
    struct sweep s = {.bucket = b,
                      .client = client,
                      .stale_before_ms = now_ms - stale_after_ms,
                      .dry_run = dry_run,
                      .arena = arena_new()};
    bool denied = false;
    enum err_code rc = s3_marks_read(b, client, s.arena, &s.marks, &denied, err);
    for (size_t i = 0; rc == ERR_OK && i < s.marks.count; i++)
        rc = sweep_mark(&s, &s.marks.items[i], removed, err);
    if (rc != ERR_OK && denied) {
        log_warn(b->run.log, "what dead runs left is not looked for: %s", err->text);
        rc = ERR_OK;
    }
    arena_free(s.arena);
    return rc;
}

/* ---- the lock ---- */

enum err_code s3_lock_store(struct s3_bucket *b, struct aws_client *client, struct s3_mark *lock,
                            struct err *err)
{
    struct arena *arena = arena_new();
    struct s3_found_marks marks = {0};
    int64_t now_ms = clock_wall_ms(b->run.clock) + aws_session_clock_offset_ms(b->session);
    enum err_code rc = s3_mark_set(b, client, MARK_LOCK, "store", lock, err);
    if (rc == ERR_OK)
        rc = s3_marks_read(b, client, arena, &marks, NULL, err);
    for (size_t i = 0; rc == ERR_OK && i < marks.count; i++) {
        const struct s3_found_mark *m = &marks.items[i];
        bool ours = lock->upload_id && strcmp(m->upload_id, lock->upload_id) == 0;
        bool stale = m->life == PROCESS_ELSEWHERE && m->begun_ms < now_ms - STORE_STALE_AFTER_MS;
        if (m->kind == MARK_LOCK && !ours && m->life != PROCESS_DEAD && !stale)
            rc = err_set(err, ERR_LOCKED, "process %ld of %s holds the lock of s3://%s/%s", m->owner.pid,
                         m->owner.host, b->url.bucket, b->url.prefix);
    }
    struct err ignored;
    if (rc != ERR_OK) {
        (void)s3_mark_clear(b, client, lock, &ignored); /* one that stays is a dead run's */
        s3_mark_forget(lock);
    }
    arena_free(arena);
    return rc;
}
