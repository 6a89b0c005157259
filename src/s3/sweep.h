/*
 * Leftovers of dead runs, and the store's lock (inside src/s3 only).  Both are told by marks (s3/mark.h).
 */
#ifndef DBSAFE_S3_SWEEP_H
#define DBSAFE_S3_SWEEP_H

#include "s3/mark.h"

/* As store_sweep.  *removed counts dead runs.  Without the right to list uploads it warns and does nothing.
 */
enum err_code s3_sweep_uploads(struct s3_bucket *b, struct aws_client *client, int64_t stale_after_ms,
                               bool dry_run, unsigned *removed, struct err *err);

/* As store_lock: *lock is set while it is held.  Who finds another's mark beside its own gives way, so two
 * that come at the same moment may both be refused, but never both succeed. */
enum err_code s3_lock_store(struct s3_bucket *b, struct aws_client *client, struct s3_mark *lock,
                            struct err *err);

#endif
