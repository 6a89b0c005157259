/*
 * A bucket with a prefix, and requests to it (inside src/s3 only).
 *
 * A struct s3_bucket is shared by a store and all sinks and sources it opened, whichever is freed last: each
 * holds a reference.  It is read-only but for what servers taught it, so any thread may use it; clients
 * belong to one thread.
 */
#ifndef DBSAFE_S3_BUCKET_H
#define DBSAFE_S3_BUCKET_H

#include "aws/client.h"
#include "core/grace.h"
#include "s3/store_s3.h"
#include "s3/url.h"

#include <stdatomic.h>

/* Longest answer that is kept in memory: a page of 1,000 keys of 1,024 bytes, each byte escaped. */
#define S3_ANSWER_MAX ((size_t)16 << 20)

struct s3_bucket {
    atomic_uint references;
    struct s3_options options;
    struct run run; /* what it points to is borrowed */
    struct s3_url url;
    struct aws_session *session;
    struct aws_endpoint endpoint;
    char *host;           /* with the bucket in front where it is addressed by host */
    char *root;           /* path in front of a key, ends with a slash */
    bool uploaders_given; /* else fewer of them send large parts */
    bool one_size;        /* the server wants parts of one size */
    bool with_md5;        /* Content-MD5 goes with bodies */
    bool with_sha256;     /* x-amz-checksum-sha256 does */
    /* What the server does not know: If-None-Match with PUT and with CompleteMultipartUpload. */
    atomic_bool no_conditional_put, no_conditional_complete;
};

/* ERR_USAGE, ERR_CONFIG. */
enum err_code s3_bucket_new(const char *url, const struct s3_options *options, const struct run *run,
                            struct s3_bucket **out, struct err *err);
struct s3_bucket *s3_bucket_hold(struct s3_bucket *b);
void s3_bucket_release(struct s3_bucket *b); /* NULL is accepted */

/* "prefix/name", or "name" without a prefix.  Caller frees. */
char *s3_bucket_key(const struct s3_bucket *b, const char *name);
/* "s3://bucket/key", for messages.  Caller frees. */
char *s3_bucket_place(const struct s3_bucket *b, const char *key);

/* A client for cleaning up: it goes on for some seconds after the run was cancelled. */
struct s3_cleaner {
    struct grace *grace;
    struct aws_client *client;
};
enum err_code s3_cleaner_open(struct s3_bucket *b, struct s3_cleaner *out, struct err *err);
void s3_cleaner_close(struct s3_cleaner *c); /* also after an open that failed */

/* A request, and room for its answer. */
struct s3_call {
    struct s3_bucket *bucket; /* borrowed */
    struct aws_call call;
    struct aws_answer answer;
    char *path; /* owned */
};

/* key NULL: of the bucket itself.  method is a literal. */
void s3_call_init(struct s3_call *c, struct s3_bucket *b, const char *method, const char *key);
void s3_call_end(struct s3_call *c);
void s3_call_query(struct s3_call *c, const char *name, const char *value);
void s3_call_header(struct s3_call *c, const char *name, const char *value); /* value NULL: not sent */
/* What the options say of encryption: buckets may refuse all that is written without it. */
void s3_call_encrypt(struct s3_call *c);
enum err_code s3_call_send(struct s3_call *c, struct aws_client *client, struct err *err);
/* Whether the answer's error code is this one. */
bool s3_call_failed_with(const struct s3_call *c, const char *code);

/* What the server says of an object. */
struct s3_stat {
    bool exists;
    bool denied; /* with an error: this account may not look */
    uint64_t bytes;
    char etag[256];
    bool has_token; /* false: it may not be read with these rights, only listed */
    char token[64]; /* x-amz-meta-dbsafe-upload-id; "" without */
};
#define S3_TOKEN_HEADER "x-amz-meta-dbsafe-upload-id"

/* By GET of the list, so that a wrong key or a missing bucket comes with the server's words; without the
 * right to list, by HEAD. */
enum err_code s3_bucket_find(struct s3_bucket *b, struct aws_client *client, const char *key,
                             struct s3_stat *out, struct err *err);
/* By HEAD; without the right to read, by the list. */
enum err_code s3_bucket_stat(struct s3_bucket *b, struct aws_client *client, const char *key,
                             struct s3_stat *out, struct err *err);

#endif
