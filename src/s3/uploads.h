/*
 * Multipart uploads that exist: listing and aborting them (inside src/s3 only).
 */
#ifndef DBSAFE_S3_UPLOADS_H
#define DBSAFE_S3_UPLOADS_H

#include "s3/answers.h"
#include "s3/bucket.h"

/* All uploads whose key starts with prefix, from all pages.  *denied (may be NULL): it failed because this
 * account may not list uploads, or the server cannot. */
enum err_code s3_uploads_list(struct s3_bucket *b, struct aws_client *client, const char *prefix,
                              struct arena *arena, struct s3_upload_page *out, bool *denied, struct err *err);

/* Aborts it, again and again until no part is left: parts on their way may arrive after an abort.  One that
 * is gone is no error. */
enum err_code s3_upload_abort(struct s3_bucket *b, struct aws_client *client, const char *key, const char *id,
                              struct err *err);
/* A single abort, for an upload that never got a part. */
enum err_code s3_upload_abort_empty(struct s3_bucket *b, struct aws_client *client, const char *key,
                                    const char *id, struct err *err);

/* When the newest part came; INT64_MIN without one. */
enum err_code s3_upload_newest_part(struct s3_bucket *b, struct aws_client *client, const char *key,
                                    const char *id, int64_t *newest_ms, struct err *err);

#endif
