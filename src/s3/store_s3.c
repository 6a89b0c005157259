#include "s3/store_s3.h"

#include "core/mem.h"
#include "s3/mark.h"
#include "s3/sink_s3.h"
#include "s3/source_s3.h"
#include "s3/sweep.h"
#include "s3/uploads.h"

#include <stdlib.h>
#include <string.h>

struct s3_store {
    struct store base;
    struct s3_bucket *bucket;  /* a reference */
    struct aws_client *client; /* made when it is needed */
    struct s3_mark lock;
};

static enum err_code client_of(struct s3_store *s, struct err *err)
{
    return s->client ? ERR_OK
                     : aws_client_new(s->bucket->session, "s3", s->bucket->run.cancel, &s->client, err);
}

static enum err_code s3_create(struct store *base, const char *name, uint64_t most_bytes, bool exact,
                               bool replace, struct sink **out, struct err *err)
{
    struct s3_store *s = (struct s3_store *)base;
    return sink_s3_new(s->bucket, name, most_bytes, exact, replace, out, err);
}

static enum err_code s3_open(struct store *base, const char *name, struct source **out, struct err *err)
{
    struct s3_store *s = (struct s3_store *)base;
    return source_s3_open(s->bucket, name, out, err);
}

/* ---- list ---- */

static enum err_code read_page(struct s3_store *s, struct arena *arena, struct s3_object_page *page,
                               struct err *err)
{
    struct s3_call c;
    char *prefix = s3_bucket_key(s->bucket, "");
    s3_call_init(&c, s->bucket, "GET", NULL);
    s3_call_query(&c, "list-type", "2");
    s3_call_query(&c, "encoding-type", "url");
    s3_call_query(&c, "delimiter", "/");
    s3_call_query(&c, "prefix", prefix);
    if (page->next)
        s3_call_query(&c, "continuation-token", page->next);
    c.call.wants_xml = true;
    enum err_code rc = s3_call_send(&c, s->client, err);
    if (rc == ERR_OK)
        rc = s3_read_objects(c.answer.xml, arena, page, err);
    s3_call_end(&c);
    free(prefix);
    return rc == ERR_OK ? rc : err_wrap(err, "list %s", s->base.url);
}

static enum err_code tell_page(const struct s3_store *s, const struct s3_object_page *page, store_list_fn *fn,
                               void *arg, struct err *err)
{
    size_t prefix = s->bucket->url.prefix[0] ? strlen(s->bucket->url.prefix) + 1 : 0;
    enum err_code rc = ERR_OK;
    for (size_t i = 0; rc == ERR_OK && i < page->count; i++) {
        const struct s3_object *o = &page->items[i];
        /* "folders" that some tools make, and what a store does not keep */
        if (strlen(o->key) <= prefix || o->key[prefix] == '.' || strchr(o->key + prefix, '/') != NULL)
            continue;
        rc = fn(arg, &(struct store_entry){o->key + prefix, o->bytes, o->modified_ms}, err);
    }
    return rc;
}

/* The server's order is by bytes; objects may be removed meanwhile. */
static enum err_code s3_list(struct store *base, store_list_fn *fn, void *arg, struct err *err)
{
    struct s3_store *s = (struct s3_store *)base;
    struct arena *arena = arena_new();
    struct s3_object_page page = {0};
    enum err_code rc = client_of(s, err);
    do {
        if (rc == ERR_OK)
            rc = read_page(s, arena, &page, err);
        if (rc == ERR_OK)
            rc = tell_page(s, &page, fn, arg, err);
    } while (rc == ERR_OK && page.next);
    arena_free(arena);
    return rc;
}

/* ---- remove ---- */

/* A DELETE of nothing succeeds, so it is looked for first. */
static enum err_code s3_remove(struct store *base, const char *name, struct err *err)
{
    struct s3_store *s = (struct s3_store *)base;
    struct s3_stat stat;
    struct s3_call c;
    char *key = s3_bucket_key(s->bucket, name), *place = s3_bucket_place(s->bucket, key);
    enum err_code rc = client_of(s, err);
    if (rc == ERR_OK)
        rc = s3_bucket_find(s->bucket, s->client, key, &stat, err);
    if (rc == ERR_OK && !stat.exists)
        rc = ERR_NOT_FOUND;
    if (rc == ERR_OK) {
        s3_call_init(&c, s->bucket, "DELETE", key);
        rc = s3_call_send(&c, s->client, err);
        s3_call_end(&c);
    }
    if (rc != ERR_OK && rc != ERR_NOT_FOUND)
        err_wrap(err, "remove %s", place);
    if (rc == ERR_NOT_FOUND)
        err_set(err, rc, "remove %s: there is no such object", place);
    free(place);
    free(key);
    return rc;
}

/* ---- sweep and lock ---- */

static enum err_code s3_sweep(struct store *base, int64_t stale_after_ms, bool dry_run, unsigned *removed,
                              struct err *err)
{
    struct s3_store *s = (struct s3_store *)base;
    enum err_code rc = client_of(s, err);
    return rc == ERR_OK ? s3_sweep_uploads(s->bucket, s->client, stale_after_ms, dry_run, removed, err) : rc;
}

static enum err_code s3_lock(struct store *base, struct err *err)
{
    struct s3_store *s = (struct s3_store *)base;
    if (s->lock.key)
        return ERR_OK;
    enum err_code rc = client_of(s, err);
    return rc == ERR_OK ? s3_lock_store(s->bucket, s->client, &s->lock, err) : rc;
}

static void s3_store_free(struct store *base)
{
    struct s3_store *s = (struct s3_store *)base;
    if (s->lock.key) {
        struct s3_cleaner cleaner; /* the store's own client is of no use after a signal */
        struct err err;
        if (s3_cleaner_open(s->bucket, &cleaner, &err) != ERR_OK ||
            s3_mark_clear(s->bucket, cleaner.client, &s->lock, &err) != ERR_OK)
            log_warn(s->bucket->run.log, "the lock of %s stays until the next sweep: %s", base->url,
                     err.text);
        s3_cleaner_close(&cleaner);
        s3_mark_forget(&s->lock);
    }
    aws_client_free(s->client);
    s3_bucket_release(s->bucket);
    free(base->url);
    free(s);
}

enum err_code store_s3_open(const char *url, const struct s3_options *options, const struct run *run,
                            struct store **out, struct err *err)
{
    static const struct store_ops ops = {s3_create, s3_open, s3_list,      s3_remove,
                                         s3_sweep,  s3_lock, s3_store_free};
    struct s3_bucket *bucket;
    enum err_code rc = s3_bucket_new(url, options, run, &bucket, err);
    if (rc != ERR_OK)
        return rc;
    struct s3_store *s = xcalloc(1, sizeof *s);
    s->base.ops = &ops;
    s->base.url = bucket->url.prefix[0] ? xasprintf("s3://%s/%s", bucket->url.bucket, bucket->url.prefix)
                                        : xasprintf("s3://%s", bucket->url.bucket);
    s->bucket = bucket;
    *out = &s->base;
    return ERR_OK;
}
