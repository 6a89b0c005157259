/*
 * The requests that make one object (inside src/s3 only): a single PUT, or create, parts, complete.
 *
 * Each attempt has a random token, stored with the object (x-amz-meta-dbsafe-upload-id): whether an object is
 * ours is what decides when the answer to the last request was lost.  A struct s3_making is filled in by one
 * thread; s3_making_part may then be called by several, each with its own client.
 */
#ifndef DBSAFE_S3_UPLOAD_H
#define DBSAFE_S3_UPLOAD_H

#include "s3/bucket.h"

struct s3_making {
    struct s3_bucket *bucket; /* borrowed */
    char *key;                /* owned, as all below */
    char *place;              /* for messages */
    bool replace; /* an older object gives way; then it is a companion, which only gets encryption */
    char token[33];
    char *upload_id; /* NULL: not begun */
    bool lost_begin; /* an answer to the beginning was lost: there may be a second upload */
};

/* What the server confirmed of a part. */
struct s3_made_part {
    char *etag;             /* owned by the caller */
    char sha256_base64[45]; /* "" when the server was not told */
};

enum err_code s3_making_init(struct s3_making *m, struct s3_bucket *b, const char *name, bool replace,
                             struct err *err);
void s3_making_clear(struct s3_making *m);

/* The whole object at once. ERR_REFUSED when there is one already (unless replace). */
enum err_code s3_making_put(struct s3_making *m, struct aws_client *client, const void *data, size_t bytes,
                            struct err *err);

enum err_code s3_making_begin(struct s3_making *m, struct aws_client *client, struct err *err);
enum err_code s3_making_part(const struct s3_making *m, struct aws_client *client, unsigned number,
                             const void *data, size_t bytes, struct s3_made_part *out, struct err *err);
/* Parts 1 to count become the object of so many bytes.  ERR_OK only when the object was seen to be there,
 * whole and ours. */
enum err_code s3_making_complete(struct s3_making *m, struct aws_client *client,
                                 const struct s3_made_part *parts, unsigned count, uint64_t bytes,
                                 struct err *err);
/* Aborts the upload that a lost answer may have left, of which nobody knows the id: found by its key.  One
 * that the server only makes later is not found: while that can be (lost_begin and no upload_id) the mark
 * must stay. */
enum err_code s3_making_abort_lost(struct s3_making *m, struct aws_client *client, struct err *err);
/* Takes back what was begun; client works although the run may be cancelled. */
enum err_code s3_making_abort(struct s3_making *m, struct aws_client *client, struct err *err);
/* After a PUT or completion that failed, and the abort: *made when it took effect after all and the object of
 * so many bytes is there; one of another size is removed. */
enum err_code s3_making_settle(struct s3_making *m, struct aws_client *client, uint64_t bytes, bool *made,
                               struct err *err);

#endif
