#include "s3/source_s3.h"

#include "core/fault.h"
#include "core/lock.h"
#include "core/mem.h"
#include "s3/answers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Read with the first request: index, trailer, and the manifest of an archive of few tables. */
#define TAIL_BYTES ((size_t)64 << 10)
/* A member may be a few hundred bytes, and the texts of all tables stand together: such reads get a block. */
#define BLOCK_BYTES ((size_t)128 << 10)
#define BLOCK_COUNT 16
/* Reads from this size on are requests of their own, of at most the other. */
#define LARGE_BYTES   ((size_t)64 << 10)
#define REQUEST_BYTES ((size_t)32 << 20)

/* Of a request whose answer makes no sense. */
#define STRANGE_TRIES 3

enum block_state { BLOCK_EMPTY, BLOCK_LOADING, BLOCK_READY };

struct block {
    enum block_state state;
    uint64_t number; /* it starts at number x BLOCK_BYTES */
    uint64_t used;   /* when it was used last, in uses */
    size_t bytes;
    char *data; /* owned; changed by who made it LOADING */
};

struct s3_source {
    struct source base;
    struct s3_bucket *bucket; /* a reference */
    char *key;
    char *etag; /* as the server gave it */
    char *tail; /* owned; the last tail_bytes */
    size_t tail_bytes;
    struct lock *lock;
    struct {
        struct aws_client **clients; /* idle ones, owned */
        size_t client_count, client_room;
        struct block blocks[BLOCK_COUNT];
        uint64_t uses;
    } locked;
};

/* ---- clients: as many as threads read at once ---- */

static enum err_code take_client(struct s3_source *s, struct aws_client **out, struct err *err)
{
    *out = NULL;
    lock_take(s->lock);
    if (s->locked.client_count > 0)
        *out = s->locked.clients[--s->locked.client_count];
    lock_drop(s->lock);
    return *out ? ERR_OK : aws_client_new(s->bucket->session, "s3", s->bucket->run.cancel, out, err);
}

static void give_client(struct s3_source *s, struct aws_client *client)
{
    lock_take(s->lock);
    if (s->locked.client_count == s->locked.client_room) {
        s->locked.client_room = s->locked.client_room ? 2 * s->locked.client_room : 8;
        s->locked.clients =
            xreallocarray(s->locked.clients, s->locked.client_room, sizeof *s->locked.clients);
    }
    s->locked.clients[s->locked.client_count++] = client;
    lock_drop(s->lock);
}

/* ---- requests ---- */

/* Whether the answer is of these bytes of an object of that size. */
static bool is_range(const struct s3_call *c, uint64_t offset, uint64_t bytes, uint64_t size)
{
    const char *text = http_pairs_get(&c->answer.http.headers, "Content-Range");
    uint64_t first, last, whole;
    if (c->answer.http.status != 206) /* a whole object may come without being called a range */
        return offset == 0 && bytes == size;
    return text && s3_read_content_range(text, &first, &last, &whole) && first == offset &&
           last == offset + bytes - 1 && whole == size;
}

/* An answer that makes no sense and that the client did not repeat: other bytes, or more than were asked for.
 */
static bool is_strange(const struct s3_call *c, enum err_code rc)
{
    int status = c->answer.http.status;
    return rc == ERR_STORAGE && (status / 100 == 2 || (status == 0 && c->answer.tries == 1));
}

static enum err_code get_once(struct s3_source *s, struct aws_client *client, uint64_t offset, void *data,
                              size_t bytes, bool *strange, struct err *err)
{
    struct s3_call c;
    char range[64];
    s3_call_init(&c, s->bucket, "GET", s->key);
    snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, offset, offset + bytes - 1);
    s3_call_header(&c, "Range", range);
    s3_call_header(&c, "If-Match", s->etag);
    c.call.request.into = data;
    c.call.request.into_bytes = bytes;
    c.call.wants_length = true;
    enum err_code rc = s3_call_send(&c, client, err);
    int status = c.answer.http.status;
    if (rc == ERR_OK && !is_range(&c, offset, bytes, s->base.size))
        rc = err_set(err, ERR_STORAGE, "the server gave other bytes than it was asked for");
    *strange = is_strange(&c, rc);
    if (rc != ERR_OK && (status == 412 || status == 404))
        rc = err_set(err, ERR_STORAGE, "it was replaced or removed while it was read");
    s3_call_end(&c);
    return rc;
}

/* Exactly these bytes of the object that was opened. */
static enum err_code get_range(struct s3_source *s, uint64_t offset, void *data, size_t bytes,
                               struct err *err)
{
    struct aws_client *client;
    bool strange = true;
    enum err_code rc = fault_point("s3_read", ERR_STORAGE, err);
    if (rc == ERR_OK)
        rc = take_client(s, &client, err);
    if (rc != ERR_OK)
        return rc;
    for (int i = 0; i < STRANGE_TRIES && strange; i++)
        rc = get_once(s, client, offset, data, bytes, &strange, err);
    give_client(s, client);
    return rc == ERR_OK ? rc : err_wrap(err, "read %s at offset %" PRIu64, s->base.name, offset);
}

/* ---- blocks ---- */

static struct block *find_block(struct s3_source *s, uint64_t number)
{
    for (size_t i = 0; i < BLOCK_COUNT; i++)
        if (s->locked.blocks[i].state != BLOCK_EMPTY && s->locked.blocks[i].number == number)
            return &s->locked.blocks[i];
    return NULL;
}

/* The one that was not used for the longest time; NULL when all are being read. */
static struct block *oldest_block(struct s3_source *s)
{
    struct block *oldest = NULL;
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        struct block *b = &s->locked.blocks[i];
        if (b->state == BLOCK_EMPTY)
            return b;
        if (b->state == BLOCK_READY && (oldest == NULL || b->used < oldest->used))
            oldest = b;
    }
    return oldest;
}

/* Under the lock, which is dropped meanwhile. */
static enum err_code load_block(struct s3_source *s, struct block *b, uint64_t number, struct err *err)
{
    uint64_t offset = number * BLOCK_BYTES, left = s->base.size - offset;
    b->state = BLOCK_LOADING;
    b->number = number;
    b->bytes = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
    lock_drop(s->lock);
    if (b->data == NULL)
        b->data = xmalloc(BLOCK_BYTES);
    enum err_code rc = get_range(s, offset, b->data, b->bytes, err);
    lock_take(s->lock);
    b->state = rc == ERR_OK ? BLOCK_READY : BLOCK_EMPTY;
    lock_wake_all(s->lock);
    return rc;
}

/* *got 0: there is no block for it now. */
static enum err_code read_from_block(struct s3_source *s, uint64_t offset, void *data, size_t bytes,
                                     size_t *got, struct err *err)
{
    uint64_t number = offset / BLOCK_BYTES;
    enum err_code rc = ERR_OK;
    struct block *b;
    lock_take(s->lock);
    while ((b = find_block(s, number)) != NULL && b->state == BLOCK_LOADING)
        lock_wait(s->lock, 0);
    if (b == NULL && (b = oldest_block(s)) != NULL)
        rc = load_block(s, b, number, err);
    if (b != NULL && rc == ERR_OK) {
        size_t from = (size_t)(offset % BLOCK_BYTES), left = b->bytes - from;
        *got = bytes < left ? bytes : left;
        memcpy(data, b->data + from, *got);
        b->used = ++s->locked.uses;
    }
    lock_drop(s->lock);
    return rc;
}

/* ---- the source ---- */

static enum err_code s3_read_at(struct source *base, uint64_t offset, void *data, size_t bytes, size_t *got,
                                struct err *err)
{
    struct s3_source *s = (struct s3_source *)base;
    *got = 0;
    if (offset >= base->size || bytes == 0)
        return ERR_OK;
    if (bytes > base->size - offset)
        bytes = (size_t)(base->size - offset);
    uint64_t tail = base->size - s->tail_bytes;
    if (offset >= tail) {
        memcpy(data, s->tail + (offset - tail), bytes);
        *got = bytes;
        return ERR_OK;
    }
    if (bytes < LARGE_BYTES) {
        enum err_code rc = read_from_block(s, offset, data, bytes, got, err);
        if (rc != ERR_OK || *got > 0)
            return rc;
    }
    size_t n = bytes < REQUEST_BYTES ? bytes : REQUEST_BYTES;
    enum err_code rc = get_range(s, offset, data, n, err);
    *got = rc == ERR_OK ? n : 0;
    return rc;
}

static void s3_free(struct source *base)
{
    struct s3_source *s = (struct s3_source *)base;
    for (size_t i = 0; i < s->locked.client_count; i++)
        aws_client_free(s->locked.clients[i]);
    for (size_t i = 0; i < BLOCK_COUNT; i++)
        free(s->locked.blocks[i].data);
    free(s->locked.clients);
    lock_free(s->lock);
    s3_bucket_release(s->bucket);
    free(s->tail);
    free(s->etag);
    free(s->key);
    free(base->name);
    free(s);
}

/* ---- opening ---- */

/* Size, ETag and the last bytes, if the answer is of these. */
static enum err_code take_answer(struct s3_source *s, const struct s3_call *c, struct err *err)
{
    const struct http_pairs *headers = &c->answer.http.headers;
    const char *range = http_pairs_get(headers, "Content-Range"), *etag = http_pairs_get(headers, "ETag");
    uint64_t first, last, got = c->answer.http.into_got, size = got;
    bool fits = c->answer.http.status != 206 || (range && s3_read_content_range(range, &first, &last, &size));
    uint64_t want = size < TAIL_BYTES ? size : TAIL_BYTES;
    if (!fits || got != want || !is_range(c, size - got, got, size))
        return err_set(err, ERR_STORAGE, "the server gave other bytes than the last ones");
    if (!etag || !*etag)
        return err_set(err, ERR_STORAGE, "the server gave no ETag");
    s->base.size = size;
    s->tail_bytes = (size_t)got;
    s->etag = xstrdup(etag);
    return ERR_OK;
}

/* An object without bytes has no range to give. */
static enum err_code open_empty(struct s3_source *s, struct aws_client *client, struct err *err)
{
    struct s3_stat stat;
    enum err_code rc = s3_bucket_stat(s->bucket, client, s->key, &stat, err);
    if (rc != ERR_OK)
        return rc;
    if (!stat.exists)
        return err_set(err, ERR_NOT_FOUND, "there is no such object");
    if (stat.bytes != 0)
        return err_set(err, ERR_STORAGE, "the server does not give its last bytes");
    s->etag = xstrdup(stat.etag);
    return ERR_OK;
}

static enum err_code read_tail_once(struct s3_source *s, struct aws_client *client, bool *strange,
                                    struct err *err)
{
    struct s3_call c;
    char range[32];
    s3_call_init(&c, s->bucket, "GET", s->key);
    snprintf(range, sizeof range, "bytes=-%zu", TAIL_BYTES);
    s3_call_header(&c, "Range", range);
    c.call.request.into = s->tail;
    c.call.request.into_bytes = TAIL_BYTES;
    enum err_code rc = s3_call_send(&c, client, err);
    if (rc == ERR_OK)
        rc = take_answer(s, &c, err);
    *strange = is_strange(&c, rc);
    if (rc != ERR_OK && c.answer.http.status == 416)
        rc = open_empty(s, client, err);
    if (rc != ERR_OK && s3_call_failed_with(&c, "InvalidObjectState"))
        err_hint(err, "it is in an archive tier: bring it back from there first (RestoreObject)");
    s3_call_end(&c);
    return rc;
}

static enum err_code read_tail(struct s3_source *s, struct err *err)
{
    struct aws_client *client;
    bool strange = true;
    enum err_code rc = take_client(s, &client, err);
    if (rc != ERR_OK)
        return rc;
    s->tail = xmalloc(TAIL_BYTES);
    for (int i = 0; i < STRANGE_TRIES && strange; i++)
        rc = read_tail_once(s, client, &strange, err);
    give_client(s, client);
    return rc;
}

enum err_code source_s3_open(struct s3_bucket *b, const char *name, struct source **out, struct err *err)
{
    static const struct source_ops ops = {s3_read_at, s3_free};
    struct s3_source *s = xcalloc(1, sizeof *s);
    s->bucket = s3_bucket_hold(b);
    s->key = s3_bucket_key(b, name);
    s->lock = lock_new();
    s->base = (struct source){
        .ops = &ops, .seekable = true, .lanes = b->options.uploaders, .name = s3_bucket_place(b, s->key)};
    enum err_code rc = read_tail(s, err);
    if (rc != ERR_OK) {
        err_wrap(err, "open %s", s->base.name);
        s3_free(&s->base);
        return rc;
    }
    *out = &s->base;
    return ERR_OK;
}
