/*
 * How large each part of an upload is.  Pure functions.
 *
 * S3 takes 10,000 parts of 5 MiB to 5 GiB, and how much will be written is known badly: the catalogue's sizes
 * are wrong by twice, compression is unknown.  So parts have one size, chosen from the upper bound, up to
 * part 8,192; from there on they grow by a fixed step that lets the rest reach far beyond the bound.  An
 * archive of up to 256 GiB thus never needs parts of more than 32 MiB, unless the bound is
 * beyond 4 TiB.  Where all parts must have one size
 * nothing grows. Source of the limits: Amazon S3 User Guide, "Multipart upload limits".
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
    uint64_t first_bytes; /* size of the first parts */
    uint64_t step_bytes;  /* by which each part from S3_PARTS_EVEN + 1 on is larger; 0: one size */
};
#define S3_PARTS_EVEN 8192

/* most_bytes: upper bound of the object, 0: unknown.  fixed_bytes: the one size that is asked for, or 0.
 * one_size: the server demands it.  ERR_REFUSED when fixed_bytes x 10,000 is less than most_bytes; ERR_USAGE
 * when it is no size for a part. */
enum err_code part_plan_make(uint64_t most_bytes, uint64_t fixed_bytes, bool one_size, struct part_plan *out,
                             struct err *err);
/* Bytes of part number (from 1). */
uint64_t part_plan_size(const struct part_plan *p, unsigned number);
/* Bytes that fit in all. */
uint64_t part_plan_capacity(const struct part_plan *p);
/* The largest part of an object of so many bytes. */
uint64_t part_plan_largest(const struct part_plan *p, uint64_t bytes);

#endif
