#include "s3/upload.h"

#include "core/fault.h"
#include "core/mem.h"
#include "s3/digest.h"
#include "s3/mark.h"
#include "s3/uploads.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define DAY_MS ((int64_t)24 * 3600 * 1000)
/* Tries of CompleteMultipartUpload, with a look whether it took effect after each. */
#define COMPLETE_ROUNDS   8
#define COMPLETE_TRIES    2
#define COMPLETE_WAIT_MS  200
#define COMPLETE_WAIT_MAX 10000
#define GONE_ROUNDS       3
/* Of a request whose answer makes no sense. */
#define STRANGE_TRIES      3
#define COMPLETE_PART_TEXT 256

enum err_code s3_making_init(struct s3_making *m, struct s3_bucket *b, const char *name, bool replace,
                             struct err *err)
{
    unsigned char raw[16];
    *m = (struct s3_making){.bucket = b, .replace = replace};
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return err_set_errno(err, ERR_INTERNAL, errno, "cannot get random bytes");
    for (size_t i = 0; i < sizeof raw; i++)
        snprintf(m->token + 2 * i, 3, "%02x", raw[i]);
    m->key = s3_bucket_key(b, name);
    m->place = s3_bucket_place(b, m->key);
    return ERR_OK;
}

void s3_making_clear(struct s3_making *m)
{
    free(m->key);
    free(m->place);
    free(m->upload_id);
    *m = (struct s3_making){0};
}

/* ---- what an object is given ---- */

static void add_lock(struct s3_call *c, const struct s3_bucket *b)
{
    char until[CLOCK_ISO_BYTES];
    if (b->options.lock_mode == NULL)
        return;
    clock_format_iso(clock_wall_ms(b->run.clock) + (int64_t)b->options.lock_days * DAY_MS, until);
    s3_call_header(c, "x-amz-object-lock-mode", b->options.lock_mode);
    s3_call_header(c, "x-amz-object-lock-retain-until-date", until);
}

/* "KEY=VALUE" items as a query string. */
static void add_tags(struct s3_call *c, const struct s3_options *o)
{
    struct buf text;
    buf_init(&text, 64 << 10);
    for (unsigned i = 0; i < o->tag_count; i++) {
        const char *equals = strchr(o->tags[i], '=');
        char *name = xstrndup(o->tags[i], equals ? (size_t)(equals - o->tags[i]) : strlen(o->tags[i]));
        buf_put(&text, i > 0 ? "&" : "");
        http_encode(&text, name, false);
        buf_put(&text, "=");
        http_encode(&text, equals ? equals + 1 : "", false);
        free(name);
    }
    if (text.len > 0)
        s3_call_header(c, "x-amz-tagging", buf_cstr(&text));
    buf_free(&text);
}

static void add_attributes(struct s3_call *c, const struct s3_making *m)
{
    const struct s3_options *o = &m->bucket->options;
    s3_call_header(c, "Content-Type", m->replace ? "application/json" : "application/x-tar");
    s3_call_header(c, S3_TOKEN_HEADER, m->token);
    s3_call_encrypt(c);
    if (m->replace)
        return;
    s3_call_header(c, "x-amz-storage-class", o->storage_class);
    add_lock(c, m->bucket);
    add_tags(c, o);
}

/* Body and the digests it is checked by. */
static enum err_code add_body(struct s3_call *c, const void *data, size_t bytes, struct s3_digest *digest,
                              struct err *err)
{
    const struct s3_bucket *b = c->bucket;
    enum err_code rc = s3_digest_of(data, bytes, b->with_md5, digest, err);
    c->call.request.body = data;
    c->call.request.body_bytes = bytes;
    c->call.payload_hash = digest->sha256_hex;
    if (b->with_md5)
        s3_call_header(c, "Content-MD5", digest->md5_base64);
    if (b->with_sha256)
        s3_call_header(c, "x-amz-checksum-sha256", digest->sha256_base64);
    return rc;
}

static enum err_code refuse_existing(const struct s3_making *m, struct err *err)
{
    return err_set(err, ERR_REFUSED, "%s exists already and is never overwritten", m->place);
}

/* Whether the server refused because it does not know the condition: then an older state of the object must
 * be looked for instead. */
static bool is_unknown_condition(const struct s3_call *c)
{
    int status = c->answer.http.status;
    return status == 501 || (status == 400 && (s3_call_failed_with(c, "NotImplemented") ||
                                               s3_call_failed_with(c, "InvalidArgument") ||
                                               s3_call_failed_with(c, "InvalidRequest")));
}

static bool is_ours(const struct s3_making *m, const struct s3_stat *s)
{
    return s->exists && s->has_token && strcmp(s->token, m->token) == 0;
}

/* ---- one PUT ---- */

static enum err_code put_once(struct s3_making *m, struct aws_client *client, const void *data, size_t bytes,
                              bool conditional, bool *unknown, struct s3_call *c, struct err *err)
{
    struct s3_digest digest;
    s3_call_init(c, m->bucket, "PUT", m->key);
    add_attributes(c, m);
    if (conditional)
        s3_call_header(c, "If-None-Match", "*");
    enum err_code rc = add_body(c, data, bytes, &digest, err);
    if (rc == ERR_OK)
        rc = s3_call_send(c, client, err);
    *unknown = rc != ERR_OK && conditional && is_unknown_condition(c);
    c->call.payload_hash = NULL; /* it was on this stack */
    return rc;
}

/* A PUT failed: it may still be done (its answer was lost, and the condition refused the repetition). */
static enum err_code judge_put(struct s3_making *m, struct aws_client *client, size_t bytes,
                               const struct s3_call *c, enum err_code rc, struct err *err)
{
    struct s3_stat s;
    struct err why;
    int status = c->answer.http.status;
    bool exists = status == 412 || status == 409;
    if (!exists && !c->answer.ambiguous)
        return rc;
    if (s3_bucket_stat(m->bucket, client, m->key, &s, &why) != ERR_OK)
        return rc;
    if (is_ours(m, &s) && s.bytes == bytes)
        return ERR_OK;
    return exists && s.exists ? refuse_existing(m, err) : rc;
}

/* Servers that ignore or do not know the condition are asked before.  Who may not look relies on it. */
static enum err_code check_absent(struct s3_making *m, struct aws_client *client, bool conditional,
                                  struct err *err)
{
    struct s3_stat s;
    if (m->replace)
        return ERR_OK;
    enum err_code rc = s3_bucket_find(m->bucket, client, m->key, &s, err);
    if (rc != ERR_OK)
        return s.denied && conditional ? ERR_OK : rc;
    return s.exists ? refuse_existing(m, err) : ERR_OK;
}

enum err_code s3_making_put(struct s3_making *m, struct aws_client *client, const void *data, size_t bytes,
                            struct err *err)
{
    struct s3_call c;
    enum err_code rc = fault_point("s3_put", ERR_STORAGE, err);
    for (int round = 0; rc == ERR_OK && round < 2; round++) {
        bool unknown, conditional = !m->replace && !atomic_load(&m->bucket->no_conditional_put);
        rc = check_absent(m, client, conditional, err);
        if (rc != ERR_OK)
            break;
        rc = put_once(m, client, data, bytes, conditional, &unknown, &c, err);
        if (rc != ERR_OK && !unknown)
            rc = judge_put(m, client, bytes, &c, rc, err);
        s3_call_end(&c);
        if (!unknown)
            break;
        atomic_store(&m->bucket->no_conditional_put, true);
        rc = ERR_OK; /* and once more, without the condition */
    }
    return rc == ERR_OK || rc == ERR_REFUSED ? rc : err_wrap(err, "write %s", m->place);
}

/* ---- parts ---- */

/* An upload of the same key that another living run may be writing (a copy of the same archive) is not taken
 * for one of ours. */
static enum err_code others_write(struct s3_making *m, struct aws_client *client, struct arena *arena,
                                  bool *others, struct err *err)
{
    struct s3_found_marks marks;
    unsigned alive = 0;
    enum err_code rc = s3_marks_read(m->bucket, client, arena, &marks, NULL, err);
    for (size_t i = 0; rc == ERR_OK && i < marks.count; i++) {
        char *key = s3_bucket_key(m->bucket, marks.items[i].name);
        alive += marks.items[i].kind == MARK_UPLOAD && marks.items[i].life != PROCESS_DEAD &&
                 strcmp(key, m->key) == 0;
        free(key);
    }
    *others = alive > 1; /* one is our own */
    return rc;
}

/* An answer to the beginning was lost, so it was repeated, and an upload may exist that nobody knows the id
 * of. */
enum err_code s3_making_abort_lost(struct s3_making *m, struct aws_client *client, struct err *err)
{
    if (!m->lost_begin)
        return ERR_OK;
    struct arena *arena = arena_new();
    struct s3_upload_page all = {0};
    bool others = false;
    enum err_code rc = others_write(m, client, arena, &others, err);
    if (rc == ERR_OK && !others)
        rc = s3_uploads_list(m->bucket, client, m->key, arena, &all, NULL, err);
    for (size_t i = 0; rc == ERR_OK && i < all.count; i++) {
        const struct s3_upload *u = &all.items[i];
        bool own = m->upload_id != NULL && strcmp(u->id, m->upload_id) == 0;
        if (strcmp(u->key, m->key) == 0 && !own)
            rc = s3_upload_abort_empty(m->bucket, client, u->key, u->id, err);
    }
    arena_free(arena);
    return rc;
}

enum err_code s3_making_begin(struct s3_making *m, struct aws_client *client, struct err *err)
{
    struct s3_call c;
    bool found = false;
    enum err_code rc = fault_point("s3_create", ERR_STORAGE, err);
    if (rc != ERR_OK)
        return rc;
    s3_call_init(&c, m->bucket, "POST", m->key);
    s3_call_query(&c, "uploads", "");
    add_attributes(&c, m);
    if (m->bucket->with_sha256)
        s3_call_header(&c, "x-amz-checksum-algorithm", "SHA256");
    c.call.wants_xml = true;
    rc = s3_call_send(&c, client, err);
    const char *id = rc == ERR_OK ? xml_text(xml_root(c.answer.xml), "UploadId", &found) : "";
    if (rc == ERR_OK && (!found || !*id))
        rc = err_set(err, ERR_STORAGE, "the server gave no upload id");
    if (rc == ERR_OK)
        m->upload_id = xstrdup(id);
    m->lost_begin = c.answer.ambiguous || (c.answer.tries > 0 && c.answer.http.status == 0);
    s3_call_end(&c);
    return rc == ERR_OK ? rc : err_wrap(err, "begin the upload of %s", m->place);
}

/* One answer; *strange: it says that all is well, and lacks what goes with that. */
static enum err_code part_once(const struct s3_making *m, struct aws_client *client, unsigned number,
                               const void *data, size_t bytes, struct s3_made_part *out, bool *strange,
                               struct err *err)
{
    struct s3_call c;
    struct s3_digest digest;
    char text[16];
    s3_call_init(&c, m->bucket, "PUT", m->key);
    snprintf(text, sizeof text, "%u", number);
    s3_call_query(&c, "partNumber", text);
    s3_call_query(&c, "uploadId", m->upload_id);
    enum err_code rc = add_body(&c, data, bytes, &digest, err);
    if (rc == ERR_OK)
        rc = s3_call_send(&c, client, err);
    const char *etag = rc == ERR_OK ? http_pairs_get(&c.answer.http.headers, "ETag") : NULL;
    *strange = rc == ERR_OK && (etag == NULL || !*etag);
    if (*strange)
        rc = err_set(err, ERR_STORAGE, "the server gave no ETag");
    if (rc == ERR_OK) {
        out->etag = xstrdup(etag);
        if (m->bucket->with_sha256)
            memcpy(out->sha256_base64, digest.sha256_base64, sizeof out->sha256_base64);
    }
    s3_call_end(&c);
    return rc;
}

enum err_code s3_making_part(const struct s3_making *m, struct aws_client *client, unsigned number,
                             const void *data, size_t bytes, struct s3_made_part *out, struct err *err)
{
    bool strange = true;
    *out = (struct s3_made_part){0};
    enum err_code rc = fault_point("s3_part", ERR_STORAGE, err);
    if (rc != ERR_OK)
        return rc;
    for (int i = 0; i < STRANGE_TRIES && strange; i++)
        rc = part_once(m, client, number, data, bytes, out, &strange, err);
    if (rc == ERR_OK)
        rc = fault_point("s3_part_done", ERR_STORAGE, err);
    return rc == ERR_OK ? rc : err_wrap(err, "write part %u of %s", number, m->place);
}

/* ---- complete ---- */

static void put_xml_text(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++)
        switch (*p) {
        case '&':
            buf_put(out, "&amp;");
            break;
        case '<':
            buf_put(out, "&lt;");
            break;
        case '"':
            buf_put(out, "&quot;");
            break;
        default:
            buf_putn(out, p, 1);
        }
}

static void put_parts(struct buf *out, const struct s3_made_part *parts, unsigned count)
{
    buf_put(out, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (unsigned i = 0; i < count; i++) {
        buf_putf(out, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
        put_xml_text(out, parts[i].etag);
        buf_put(out, "</ETag>");
        if (parts[i].sha256_base64[0])
            buf_putf(out, "<ChecksumSHA256>%s</ChecksumSHA256>", parts[i].sha256_base64);
        buf_put(out, "</Part>");
    }
    buf_put(out, "</CompleteMultipartUpload>");
}

/* What one try came to. */
enum complete_outcome {
    COMPLETE_DONE,
    COMPLETE_AGAIN,         /* it may not have taken effect, and may be repeated */
    COMPLETE_UNCONDITIONAL, /* the server does not know the condition */
    COMPLETE_EXISTS,        /* the condition failed */
    COMPLETE_GONE,          /* there is no such upload (any more) */
    COMPLETE_FAILED
};

static enum complete_outcome judge_complete(const struct s3_call *c, enum err_code rc, bool conditional)
{
    int status = c->answer.http.status;
    if (rc == ERR_OK)
        return COMPLETE_DONE;
    if (conditional && is_unknown_condition(c))
        return COMPLETE_UNCONDITIONAL;
    if (status == 412 || s3_call_failed_with(c, "ConditionalRequestConflict"))
        return COMPLETE_EXISTS;
    /* no answer, the server's trouble (an <Error> in a 200 too), or a first try that worked: all may be
     * different next time */
    if (status == 404)
        return COMPLETE_GONE;
    if (status == 0 || status >= 500 || status == 200 || status == 408 || status == 429)
        return COMPLETE_AGAIN;
    return rc == ERR_STORAGE && c->answer.ambiguous ? COMPLETE_AGAIN : COMPLETE_FAILED;
}

/* *named: the answer has the new object's ETag, as it should. */
static enum complete_outcome complete_once(struct s3_making *m, struct aws_client *client,
                                           const struct buf *body, bool conditional, bool *named,
                                           enum err_code *rc, struct err *err)
{
    struct s3_call c;
    s3_call_init(&c, m->bucket, "POST", m->key);
    s3_call_query(&c, "uploadId", m->upload_id);
    s3_call_header(&c, "Content-Type", "application/xml");
    if (conditional)
        s3_call_header(&c, "If-None-Match", "*");
    c.call.request.body = body->data;
    c.call.request.body_bytes = body->len;
    c.call.wants_xml = true;
    c.call.max_tries = COMPLETE_TRIES;
    *rc = s3_call_send(&c, client, err);
    enum complete_outcome outcome = judge_complete(&c, *rc, conditional);
    *named = *rc == ERR_OK && *xml_text(xml_root(c.answer.xml), "ETag", NULL);
    s3_call_end(&c);
    return outcome;
}

/* What the bucket holds under the key. */
enum finding {
    FOUND_NOTHING,
    FOUND_OURS,    /* whole */
    FOUND_BROKEN,  /* ours, with another size */
    FOUND_OTHER,   /* another object */
    FOUND_UNKNOWN, /* an object, and no right to read whose it is */
};

static enum err_code look(struct s3_making *m, struct aws_client *client, uint64_t bytes, enum finding *out,
                          struct err *err)
{
    struct s3_stat s;
    enum err_code rc = s3_bucket_stat(m->bucket, client, m->key, &s, err);
    if (rc != ERR_OK)
        return rc;
    if (!s.exists)
        *out = FOUND_NOTHING;
    else if (!s.has_token)
        *out = s.bytes == bytes ? FOUND_UNKNOWN : FOUND_OTHER;
    else if (!is_ours(m, &s))
        *out = FOUND_OTHER;
    else
        *out = s.bytes == bytes ? FOUND_OURS : FOUND_BROKEN;
    return ERR_OK;
}

/* The server said that it is done.  Without the right to read the token its word and the size must do. */
static enum err_code confirm(struct s3_making *m, struct aws_client *client, uint64_t bytes, bool named,
                             struct err *err)
{
    static const char *const words[] = {[FOUND_NOTHING] = "there is no such object",
                                        [FOUND_BROKEN] = "the object has another size than was written",
                                        [FOUND_OTHER] = "another object is there"};
    enum finding found;
    enum err_code rc = fault_point("s3_completed", ERR_STORAGE, err);
    if (rc != ERR_OK || named)
        return rc;
    rc = look(m, client, bytes, &found, err);
    if (rc != ERR_OK || found == FOUND_OURS || found == FOUND_UNKNOWN)
        return rc;
    return err_set(err, ERR_STORAGE, "the server says that it completed it, but %s", words[found]);
}

/* After a try without success: ERR_OK with *over when that settles it. */
static enum err_code look_after(struct s3_making *m, struct aws_client *client, uint64_t bytes,
                                enum complete_outcome outcome, bool *over, struct err *err)
{
    enum finding found = FOUND_NOTHING;
    struct err why;
    *over = true;
    if (look(m, client, bytes, &found, &why) != ERR_OK)
        found = FOUND_NOTHING; /* the next round sees */
    if (found == FOUND_OURS)
        return ERR_OK;
    if (found == FOUND_OTHER || (found == FOUND_UNKNOWN && outcome == COMPLETE_EXISTS))
        return refuse_existing(m, err);
    if (found == FOUND_UNKNOWN)
        return err_hint(err,
                        "an object of that name and size is there, but without the right s3:GetObject it "
                        "cannot be told whether it is this one");
    if (found == FOUND_BROKEN)
        return err_set(err, ERR_STORAGE, "the object has another size than was written");
    *over = false;
    return ERR_OK;
}

/* Waits before the next round, longer each time. */
static enum err_code wait_round(const struct s3_making *m, int round, struct err *err)
{
    int64_t ms = (int64_t)COMPLETE_WAIT_MS << round;
    return clock_backoff(ms < COMPLETE_WAIT_MAX ? ms : COMPLETE_WAIT_MAX, m->bucket->run.cancel, err);
}

static enum err_code complete_rounds(struct s3_making *m, struct aws_client *client, const struct buf *body,
                                     uint64_t bytes, struct err *err)
{
    enum err_code rc = ERR_OK;
    int gone = 0;
    for (int round = 0; round < COMPLETE_ROUNDS && gone < GONE_ROUNDS; round++) {
        bool over, named, conditional = !m->replace && !atomic_load(&m->bucket->no_conditional_complete);
        enum complete_outcome outcome = complete_once(m, client, body, conditional, &named, &rc, err);
        if (outcome == COMPLETE_DONE)
            return confirm(m, client, bytes, named, err);
        if (outcome == COMPLETE_FAILED)
            return rc;
        if (outcome == COMPLETE_UNCONDITIONAL) {
            atomic_store(&m->bucket->no_conditional_complete, true);
            rc = check_absent(m, client, false, err);
            if (rc != ERR_OK)
                return rc;
            continue;
        }
        enum err_code settled = look_after(m, client, bytes, outcome, &over, err);
        if (over)
            return settled;
        gone += outcome == COMPLETE_GONE;
        struct err waited;
        if (wait_round(m, round, &waited) != ERR_OK)
            return err_copy(err, &waited);
    }
    return rc;
}

enum err_code s3_making_complete(struct s3_making *m, struct aws_client *client,
                                 const struct s3_made_part *parts, unsigned count, uint64_t bytes,
                                 struct err *err)
{
    struct buf body;
    buf_init(&body, (size_t)count * COMPLETE_PART_TEXT + 4096);
    enum err_code rc = fault_point("s3_complete", ERR_STORAGE, err);
    if (rc == ERR_OK)
        rc = check_absent(m, client, !atomic_load(&m->bucket->no_conditional_complete), err);
    if (rc == ERR_OK) {
        put_parts(&body, parts, count);
        rc = complete_rounds(m, client, &body, bytes, err);
    }
    buf_free(&body);
    return rc == ERR_OK || rc == ERR_REFUSED ? rc : err_wrap(err, "complete the upload of %s", m->place);
}

enum err_code s3_making_abort(struct s3_making *m, struct aws_client *client, struct err *err)
{
    enum err_code rc = ERR_OK;
    if (m->upload_id != NULL)
        rc = s3_upload_abort(m->bucket, client, m->key, m->upload_id, err);
    return rc == ERR_OK ? s3_making_abort_lost(m, client, err) : rc;
}

static enum err_code remove_broken(struct s3_making *m, struct aws_client *client, struct err *err)
{
    struct s3_call c;
    s3_call_init(&c, m->bucket, "DELETE", m->key);
    enum err_code rc = s3_call_send(&c, client, err);
    s3_call_end(&c);
    return rc == ERR_OK ? rc : err_wrap(err, "remove %s, which is not whole", m->place);
}

enum err_code s3_making_settle(struct s3_making *m, struct aws_client *client, uint64_t bytes, bool *made,
                               struct err *err)
{
    enum finding found;
    *made = false;
    enum err_code rc = look(m, client, bytes, &found, err);
    if (rc != ERR_OK)
        return rc;
    *made = found == FOUND_OURS;
    return found == FOUND_BROKEN ? remove_broken(m, client, err) : ERR_OK;
}
