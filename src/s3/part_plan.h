/*
 * How large each part of an upload is.  Pure functions.
 *
 * S3 takes 10,000 parts of 5 MiB to 5 GiB, and how much will be written is known badly: the catalogue's sizes
 * are wrong by twice, compression is unknown.  So parts have one size as long as that reaches: it is chosen
 * from the upper bound, and is 32 MiB at most for bounds of up to 2 TiB, so that an archive of up to 256 GiB
 * needs no larger ones then.  From part 8,193 on they grow by a step that makes the first 9,700 hold
 * the bound; the last 300 grow by one that lets all reach twice as far.  Where the size is known, or the
 * server wants parts of one size, nothing grows. Source of the limits: Amazon S3 User Guide, "Multipart
 * upload limits".
 */
#ifndef DBSAFE_S3_PART_PLAN_H
#define DBSAFE_S3_PART_PLAN_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

#define S3_PARTS_MAX 10000
#define S3_PART_MIN  ((uint64_t)5 << 20)
#define S3_PART_MAX  ((uint64_t)5 << 30)

struct part_plan {
    uint64_t first_bytes;     /* size of the parts up to S3_PARTS_EVEN */
    uint64_t step_bytes;      /* by which each of the next is larger, up to S3_PARTS_BOUND */
    uint64_t last_step_bytes; /* and each of the others; 0, both: one size */
};
#define S3_PARTS_EVEN  8192
#define S3_PARTS_BOUND 9700

/* most_bytes: upper bound of the object, 0: unknown.  fixed_bytes: the one size that is asked for, or 0.
 * one_size: the server demands it, or most_bytes is the size.  ERR_REFUSED when fixed_bytes x 10,000 is less
 * than most_bytes; ERR_USAGE when it is no size for a part. */
enum err_code part_plan_make(uint64_t most_bytes, uint64_t fixed_bytes, bool one_size, struct part_plan *out,
                             struct err *err);
/* How many parts are in memory at a time, the one that is filled included: of the uploaders' and this one, as
 * many as fit in S3_PARTS_MEMORY, and three at least. */
#define S3_PARTS_MEMORY ((uint64_t)96 << 20)
unsigned part_plan_at_once(const struct part_plan *p, unsigned uploaders);
/* Bytes of part number (from 1). */
uint64_t part_plan_size(const struct part_plan *p, unsigned number);
/* Bytes that fit in the first count. */
uint64_t part_plan_held(const struct part_plan *p, unsigned count);
/* The largest part of an object of so many bytes. */
uint64_t part_plan_largest(const struct part_plan *p, uint64_t bytes);

#endif
