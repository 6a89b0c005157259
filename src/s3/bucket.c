#include "s3/bucket.h"

#include "core/mem.h"
#include "s3/answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define R2_SUFFIX ".r2.cloudflarestorage.com"

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The profile may say what the option leaves open (s3.addressing_style of AWS's own configuration). */
static bool by_path(const struct s3_bucket *b)
{
    struct aws_config *config = aws_session_config(b->session);
    enum s3_addressing choice = b->options.addressing;
    const char *style = aws_config_get(config, aws_config_profile(config, NULL), "s3.addressing_style");
    if (choice == S3_ADDRESSING_AUTO && style && strcmp(style, "path") == 0)
        choice = S3_ADDRESSING_PATH;
    if (choice == S3_ADDRESSING_AUTO && style && strcmp(style, "virtual") == 0)
        choice = S3_ADDRESSING_VIRTUAL;
    if (choice == S3_ADDRESSING_AUTO) /* a certificate for *.host does not cover a bucket with a dot */
        return b->endpoint.custom || strchr(b->url.bucket, '.') != NULL;
    return choice == S3_ADDRESSING_PATH;
}

static void choose_checksums(struct s3_bucket *b)
{
    enum s3_checksum choice = b->options.checksum;
    if (choice == S3_CHECKSUM_AUTO)
        choice = b->endpoint.custom ? S3_CHECKSUM_MD5 : S3_CHECKSUM_SHA256;
    b->with_md5 = choice == S3_CHECKSUM_MD5;
    b->with_sha256 = choice == S3_CHECKSUM_SHA256;
}

static enum err_code set_up(struct s3_bucket *b, const char *url, struct err *err)
{
    enum err_code rc = s3_url_parse(url, &b->url, err);
    if (rc == ERR_OK)
        rc = aws_session_open(&b->options.aws, &b->session, err);
    if (rc == ERR_OK)
        rc = aws_config_endpoint(aws_session_config(b->session), "s3", &b->endpoint, err);
    if (rc != ERR_OK)
        return rc;
    if (by_path(b)) {
        b->host = xstrdup(b->endpoint.host);
        b->root = xasprintf("%s/%s/", b->endpoint.path, b->url.bucket);
    } else {
        b->host = xasprintf("%s.%s", b->url.bucket, b->endpoint.host);
        b->root = xasprintf("%s/", b->endpoint.path);
    }
    b->one_size = ends_with(b->endpoint.host, R2_SUFFIX);
    choose_checksums(b);
    return ERR_OK;
}

enum err_code s3_bucket_new(const char *url, const struct s3_options *options, const struct run *run,
                            struct s3_bucket **out, struct err *err)
{
    struct s3_bucket *b = xcalloc(1, sizeof *b);
    atomic_init(&b->references, 1);
    b->options = *options;
    b->run = *run;
    b->uploaders_given = b->options.uploaders != 0;
    if (!b->uploaders_given)
        b->options.uploaders = S3_UPLOADERS_DEFAULT;
    enum err_code rc = set_up(b, url, err);
    if (rc != ERR_OK) {
        s3_bucket_release(b);
        b = NULL;
    }
    *out = b;
    return rc;
}

struct s3_bucket *s3_bucket_hold(struct s3_bucket *b)
{
    atomic_fetch_add(&b->references, 1);
    return b;
}

void s3_bucket_release(struct s3_bucket *b)
{
    if (b == NULL || atomic_fetch_sub(&b->references, 1) > 1)
        return;
    aws_session_free(b->session);
    aws_endpoint_clear(&b->endpoint);
    s3_url_clear(&b->url);
    free(b->host);
    free(b->root);
    free(b);
}

char *s3_bucket_key(const struct s3_bucket *b, const char *name)
{
    return b->url.prefix[0] ? xasprintf("%s/%s", b->url.prefix, name) : xstrdup(name);
}

char *s3_bucket_place(const struct s3_bucket *b, const char *key)
{
    return xasprintf("s3://%s/%s", b->url.bucket, key);
}

/* A cancelled run ends within ten seconds. */
#define CLEAN_UP_MS 6000

enum err_code s3_cleaner_open(struct s3_bucket *b, struct s3_cleaner *out, struct err *err)
{
    *out = (struct s3_cleaner){.grace = grace_new(b->run.cancel, CLEAN_UP_MS)};
    return aws_client_new(b->session, "s3", grace_cancel(out->grace), &out->client, err);
}

void s3_cleaner_close(struct s3_cleaner *c)
{
    aws_client_free(c->client);
    grace_free(c->grace);
}

/* ---- requests ---- */

void s3_call_init(struct s3_call *c, struct s3_bucket *b, const char *method, const char *key)
{
    *c = (struct s3_call){.bucket = b};
    c->path = xasprintf("%s%s", b->root, key ? key : "");
    if (key == NULL && strlen(c->path) > 1) /* "/bucket", but "/" alone stays */
        c->path[strlen(c->path) - 1] = '\0';
    aws_call_init(&c->call, method);
    aws_answer_init(&c->answer, S3_ANSWER_MAX);
    c->call.request.plain = b->endpoint.plain;
    c->call.request.host = b->host;
    c->call.request.port = b->endpoint.port;
    c->call.request.path = c->path;
    c->call.region_key = b->url.bucket;
    s3_call_header(c, "x-amz-expected-bucket-owner", b->options.expected_bucket_owner);
}

void s3_call_end(struct s3_call *c)
{
    aws_call_end(&c->call);
    aws_answer_free(&c->answer);
    free(c->path);
}

void s3_call_query(struct s3_call *c, const char *name, const char *value)
{
    http_pairs_add(&c->call.request.query, name, value);
}

void s3_call_header(struct s3_call *c, const char *name, const char *value)
{
    if (value != NULL)
        http_pairs_add(&c->call.request.headers, name, value);
}

void s3_call_encrypt(struct s3_call *c)
{
    const struct s3_options *o = &c->bucket->options;
    s3_call_header(c, "x-amz-server-side-encryption", o->sse);
    s3_call_header(c, "x-amz-server-side-encryption-aws-kms-key-id", o->sse_kms_key_id);
    if (o->bucket_key)
        s3_call_header(c, "x-amz-server-side-encryption-bucket-key-enabled", "true");
}

enum err_code s3_call_send(struct s3_call *c, struct aws_client *client, struct err *err)
{
    return aws_client_send(client, &c->call, &c->answer, err);
}

bool s3_call_failed_with(const struct s3_call *c, const char *code)
{
    return strcmp(c->answer.code, code) == 0;
}

/* ---- one object ---- */

static enum err_code find_in_list(struct s3_bucket *b, struct aws_client *client, const char *key,
                                  struct s3_stat *out, int *status, struct err *err)
{
    struct s3_call c;
    struct arena *arena = arena_new();
    struct s3_object_page page = {0};
    s3_call_init(&c, b, "GET", NULL);
    s3_call_query(&c, "list-type", "2");
    s3_call_query(&c, "encoding-type", "url");
    s3_call_query(&c, "max-keys", "1");
    s3_call_query(&c, "prefix", key);
    c.call.wants_xml = true;
    enum err_code rc = s3_call_send(&c, client, err);
    if (rc == ERR_OK)
        rc = s3_read_objects(c.answer.xml, arena, &page, err);
    *status = c.answer.http.status;
    *out = (struct s3_stat){0};
    /* a key stands before all that it is a prefix of */
    if (rc == ERR_OK && page.count > 0 && strcmp(page.items[0].key, key) == 0) {
        out->exists = true;
        out->bytes = page.items[0].bytes;
    }
    arena_free(arena);
    s3_call_end(&c);
    return rc;
}

static enum err_code read_stat(const struct http_pairs *headers, struct s3_stat *out, struct err *err)
{
    const char *length = http_pairs_get(headers, "Content-Length");
    const char *etag = http_pairs_get(headers, "ETag");
    const char *token = http_pairs_get(headers, S3_TOKEN_HEADER);
    if (length == NULL) /* an object is removed when it is not as long as it should be: no guesses */
        return err_set(err, ERR_STORAGE, "the server does not say how long the object is");
    out->exists = out->has_token = true;
    out->bytes = strtoull(length, NULL, 10);
    snprintf(out->etag, sizeof out->etag, "%s", etag ? etag : "");
    snprintf(out->token, sizeof out->token, "%s", token ? token : "");
    return ERR_OK;
}

static enum err_code find_by_head(struct s3_bucket *b, struct aws_client *client, const char *key,
                                  struct s3_stat *out, int *status, struct err *err)
{
    struct s3_call c;
    s3_call_init(&c, b, "HEAD", key);
    enum err_code rc = s3_call_send(&c, client, err);
    *status = c.answer.http.status;
    *out = (struct s3_stat){0};
    if (rc == ERR_OK)
        rc = read_stat(&c.answer.http.headers, out, err);
    else if (rc == ERR_NOT_FOUND)
        rc = ERR_OK;
    s3_call_end(&c);
    return rc;
}

enum err_code s3_bucket_find(struct s3_bucket *b, struct aws_client *client, const char *key,
                             struct s3_stat *out, struct err *err)
{
    int status;
    struct err why;
    enum err_code rc = find_in_list(b, client, key, out, &status, err);
    if (rc == ERR_STORAGE && status == 403) {
        if (find_by_head(b, client, key, out, &status, &why) == ERR_OK)
            return ERR_OK;
        out->denied = status == 403; /* the list's error stays: it has the server's words */
    }
    return rc == ERR_OK ? rc : err_wrap(err, "look for s3://%s/%s", b->url.bucket, key);
}

enum err_code s3_bucket_stat(struct s3_bucket *b, struct aws_client *client, const char *key,
                             struct s3_stat *out, struct err *err)
{
    int status;
    enum err_code rc = find_by_head(b, client, key, out, &status, err);
    return rc != ERR_OK && status == 403 ? find_in_list(b, client, key, out, &status, err) : rc;
}
