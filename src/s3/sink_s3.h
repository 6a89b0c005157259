/*
 * The sink of an S3 object (inside src/s3 only).  Bytes are gathered into parts, which uploader threads of
 * its own send; what fits into one part is one PUT at commit.  At most uploaders + 1 parts are in memory.
 */
#ifndef DBSAFE_S3_SINK_S3_H
#define DBSAFE_S3_SINK_S3_H

#include "core/sink.h"
#include "s3/bucket.h"

/* Refuses an object that exists (unless replace) and more than 10,000 parts; asks the server, so that wrong
 * keys and a missing bucket show before anything is read; a missing right to write does where there may be
 * more than one part.  most_bytes and exact as for store_ops. */
enum err_code sink_s3_new(struct s3_bucket *b, const char *name, uint64_t most_bytes, bool exact,
                          bool replace, struct sink **out, struct err *err);

#endif
