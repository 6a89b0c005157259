/*
 * The S3 store: objects under s3://bucket/prefix/<name>.  An archive is one multipart upload (or one PUT when
 * it fits into a part), which S3 makes visible whole or not at all.
 *
 * store_s3_open sends nothing: the first call that needs the bucket tells what is wrong with it.  Sinks and
 * sources may outlive the store.  A source may be read by several threads.
 */
#ifndef DBSAFE_S3_STORE_S3_H
#define DBSAFE_S3_STORE_S3_H

#include "aws/settings.h"
#include "core/run.h"
#include "core/store.h"

#include <stdbool.h>
#include <stdint.h>

/* AUTO: by path at an endpoint of one's own and for bucket names with a dot, else by host. */
enum s3_addressing { S3_ADDRESSING_AUTO, S3_ADDRESSING_PATH, S3_ADDRESSING_VIRTUAL };

/* What the server is given to check a part by, besides the SHA-256 that every request is signed with.
 * AUTO: x-amz-checksum-sha256 at AWS, Content-MD5 elsewhere. */
enum s3_checksum { S3_CHECKSUM_AUTO, S3_CHECKSUM_SHA256, S3_CHECKSUM_MD5, S3_CHECKSUM_NONE };

#define S3_UPLOADERS_DEFAULT 4

/* Copied; all strings are borrowed until the store and all its sinks and sources are freed.  NULL and 0: not
 * sent. */
struct s3_options {
    struct aws_settings aws;
    enum s3_addressing addressing;
    enum s3_checksum checksum;
    unsigned uploaders;  /* connections that send parts or read ahead; 0: S3_UPLOADERS_DEFAULT, or fewer for
                            large parts */
    uint64_t part_bytes; /* every part but the last has this size; 0: chosen, see s3/part_plan.h */
    const char *storage_class;
    const char *sse; /* "AES256", "aws:kms", "aws:kms:dsse" */
    const char *sse_kms_key_id;
    bool bucket_key;
    const char *lock_mode; /* "GOVERNANCE", "COMPLIANCE"; with lock_days */
    unsigned lock_days;
    const char *const *tags; /* "KEY=VALUE" */
    unsigned tag_count;
    const char *expected_bucket_owner;
};

/* url: s3://bucket or s3://bucket/prefix.  ERR_USAGE when it is not; ERR_CONFIG from AWS's own configuration.
 */
enum err_code store_s3_open(const char *url, const struct s3_options *options, const struct run *run,
                            struct store **out, struct err *err);

#endif
