/*
 * The source of an S3 object (inside src/s3 only): ranged reads, all of the very object that was opened (by
 * its ETag), by any number of threads at once.  Small reads are served from blocks that are read as a whole;
 * the end of the object, where an archive's index stands, is read with the first request.
 */
#ifndef DBSAFE_S3_SOURCE_S3_H
#define DBSAFE_S3_SOURCE_S3_H

#include "core/source.h"
#include "s3/bucket.h"

/* ERR_NOT_FOUND when there is no such object. */
enum err_code source_s3_open(struct s3_bucket *b, const char *name, struct source **out, struct err *err);

#endif
