/*
 * Multipart uploads that exist: listing and aborting them (inside src/s3 only).
 */
#ifndef DBSAFE_S3_UPLOADS_H
#define DBSAFE_S3_UPLOADS_H

#include "s3/answers.h"
#include "s3/bucket.h"

/* How hard to try: a cancelled run must end within seconds. */
struct s3_patience {
    unsigned max_tries;  /* of one request; 0: the settings' */
    int64_t timeout_ms;  /* of one request; 0: none */
    int64_t deadline_ms; /* monotonic; 0: none */
};
/* For cleaning up: short when the run was cancelled. */
struct s3_patience s3_patience_now(const struct s3_bucket *b);

/* All uploads whose key starts with prefix, from all pages.  *denied (may be NULL): it failed because this
 * account may not list uploads, or the server cannot. */
enum err_code s3_uploads_list(struct s3_bucket *b, struct aws_client *client, const char *prefix,
                              struct arena *arena, struct s3_upload_page *out, bool *denied, struct err *err);

/* Aborts it, again and again until no part is left: parts on their way may arrive after an abort.  One that
 * is gone is no error. */
enum err_code s3_upload_abort(struct s3_bucket *b, struct aws_client *client, const char *key, const char *id,
                              const struct s3_patience *patience, struct err *err);
/* A single abort, for an upload that never got a part. */
enum err_code s3_upload_abort_empty(struct s3_bucket *b, struct aws_client *client, const char *key,
                                    const char *id, const struct s3_patience *patience, struct err *err);

/* When the newest part came; INT64_MIN without one. */
enum err_code s3_upload_newest_part(struct s3_bucket *b, struct aws_client *client, const char *key,
                                    const char *id, int64_t *newest_ms, struct err *err);

#endif
