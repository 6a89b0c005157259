#include "s3/uploads.h"

#include "core/mem.h"

#include <string.h>

#define ABORT_ROUNDS  6
#define ABORT_WAIT_MS 200
/* ---- listing ---- */

static enum err_code read_page(struct s3_bucket *b, struct aws_client *client, const char *prefix,
                               struct arena *arena, struct s3_upload_page *page, bool *denied,
                               struct err *err)
{
    struct s3_call c;
    s3_call_init(&c, b, "GET", NULL);
    s3_call_query(&c, "uploads", "");
    /* without encoding-type: radosgw would encode the keys and not say so */
    s3_call_query(&c, "prefix", prefix);
    if (page->next_key) {
        s3_call_query(&c, "key-marker", page->next_key);
        s3_call_query(&c, "upload-id-marker", page->next_id);
    }
    c.call.wants_xml = true;
    enum err_code rc = s3_call_send(&c, client, err);
    *denied = rc != ERR_OK && (s3_call_failed_with(&c, "AccessDenied") || c.answer.http.status == 501);
    if (rc == ERR_OK)
        rc = s3_read_uploads(c.answer.xml, arena, page, err);
    s3_call_end(&c);
    return rc;
}

static void append(struct s3_upload_page *all, const struct s3_upload_page *page, struct arena *arena)
{
    struct s3_upload *items = arena_calloc(arena, all->count + page->count + 1, sizeof *items);
    if (all->count > 0)
        memcpy(items, all->items, all->count * sizeof *items);
    if (page->count > 0)
        memcpy(items + all->count, page->items, page->count * sizeof *items);
    all->items = items;
    all->count += page->count;
}

enum err_code s3_uploads_list(struct s3_bucket *b, struct aws_client *client, const char *prefix,
                              struct arena *arena, struct s3_upload_page *out, bool *denied, struct err *err)
{
    struct s3_upload_page page = {0};
    enum err_code rc;
    bool no;
    *out = (struct s3_upload_page){0};
    do {
        rc = read_page(b, client, prefix, arena, &page, denied ? denied : &no, err);
        if (rc == ERR_OK)
            append(out, &page, arena);
    } while (rc == ERR_OK && page.next_key);
    return rc == ERR_OK ? rc
                        : err_wrap(err, "list the unfinished uploads of s3://%s/%s", b->url.bucket, prefix);
}

/* ---- aborting ---- */

static enum err_code abort_once(struct s3_bucket *b, struct aws_client *client, const char *key,
                                const char *id, struct err *err)
{
    struct s3_call c;
    s3_call_init(&c, b, "DELETE", key);
    s3_call_query(&c, "uploadId", id);
    enum err_code rc = s3_call_send(&c, client, err);
    if (rc != ERR_OK && c.answer.http.status == 404)
        rc = ERR_OK;
    s3_call_end(&c);
    return rc;
}

enum err_code s3_upload_abort_empty(struct s3_bucket *b, struct aws_client *client, const char *key,
                                    const char *id, struct err *err)
{
    enum err_code rc = abort_once(b, client, key, id, err);
    return rc == ERR_OK ? rc : err_wrap(err, "abort the upload of s3://%s/%s", b->url.bucket, key);
}

/* One page of the parts; *gone when there is no such upload any more, or no right to look. */
static enum err_code read_parts(struct s3_bucket *b, struct aws_client *client, const char *key,
                                const char *id, struct arena *arena, struct s3_part_page *page, bool *gone,
                                struct err *err)
{
    struct s3_call c;
    s3_call_init(&c, b, "GET", key);
    s3_call_query(&c, "uploadId", id);
    if (page->next)
        s3_call_query(&c, "part-number-marker", page->next);
    c.call.wants_xml = true;
    enum err_code rc = s3_call_send(&c, client, err);
    *gone = rc != ERR_OK && (c.answer.http.status == 404 || c.answer.http.status == 403);
    if (rc == ERR_OK)
        rc = s3_read_parts(c.answer.xml, arena, page, err);
    else if (*gone) {
        *page = (struct s3_part_page){.newest_ms = INT64_MIN};
        rc = ERR_OK;
    }
    s3_call_end(&c);
    return rc;
}

/* Whether nothing is left of it, as far as can be known. */
static enum err_code is_empty(struct s3_bucket *b, struct aws_client *client, const char *key, const char *id,
                              bool *empty, struct err *err)
{
    struct arena *arena = arena_new();
    struct s3_part_page page = {0};
    bool gone;
    enum err_code rc = read_parts(b, client, key, id, arena, &page, &gone, err);
    *empty = rc == ERR_OK && page.count == 0;
    arena_free(arena);
    return rc;
}

enum err_code s3_upload_abort(struct s3_bucket *b, struct aws_client *client, const char *key, const char *id,
                              struct err *err)
{
    bool empty = false;
    enum err_code rc = ERR_OK;
    for (int round = 0; round < ABORT_ROUNDS && rc == ERR_OK && !empty; round++) {
        if (round > 0)
            rc = clock_backoff(ABORT_WAIT_MS * round, NULL, err);
        if (rc == ERR_OK)
            rc = abort_once(b, client, key, id, err);
        if (rc == ERR_OK)
            rc = is_empty(b, client, key, id, &empty, err);
    }
    if (rc == ERR_OK && !empty)
        rc = err_set(err, ERR_STORAGE, "parts of it keep coming");
    return rc == ERR_OK ? rc : err_wrap(err, "abort the upload of s3://%s/%s", b->url.bucket, key);
}

enum err_code s3_upload_newest_part(struct s3_bucket *b, struct aws_client *client, const char *key,
                                    const char *id, int64_t *newest_ms, struct err *err)
{
    struct arena *arena = arena_new();
    struct s3_part_page page = {0};
    bool gone;
    enum err_code rc;
    *newest_ms = INT64_MIN;
    do {
        rc = read_parts(b, client, key, id, arena, &page, &gone, err);
        if (rc == ERR_OK && page.newest_ms > *newest_ms)
            *newest_ms = page.newest_ms;
    } while (rc == ERR_OK && page.next);
    arena_free(arena);
    return rc == ERR_OK ? rc : err_wrap(err, "list the parts of s3://%s/%s", b->url.bucket, key);
}
