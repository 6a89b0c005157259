#include "s3/part_plan.h"

#include <inttypes.h>

#define MIB ((uint64_t)1 << 20)
/* Smaller parts cost requests, larger ones memory. */
#define AUTO_MIN (8 * MIB)
#define AUTO_MAX (32 * MIB)
/* One size, and nothing known: 468 GiB. */
#define ONE_SIZE_UNKNOWN (48 * MIB)
/* Of a bound beyond that the even parts hold a part: growing alone would not reach far enough. */
#define BOUND_SHARE ((uint64_t)16)
/* How far growing reaches, if 5 GiB a part allow it: so many times the bound, and so many times what the even
 * parts hold. */
#define BEYOND_BOUND ((uint64_t)2)
#define BEYOND_EVEN  ((uint64_t)8)
#define GROWING      ((uint64_t)(S3_PARTS_MAX - S3_PARTS_EVEN))

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* bytes spread over parts, in whole MiB. */
static uint64_t spread(uint64_t bytes, uint64_t parts)
{
    return divide_up(divide_up(bytes, parts), MIB) * MIB;
}

static enum err_code check_fixed(uint64_t most_bytes, uint64_t fixed_bytes, struct err *err)
{
    if (fixed_bytes < S3_PART_MIN || fixed_bytes > S3_PART_MAX)
        return err_set(err, ERR_USAGE, "a part of %" PRIu64 " bytes: S3 takes 5 MiB to 5 GiB", fixed_bytes);
    if (divide_up(most_bytes, fixed_bytes) > S3_PARTS_MAX)
        return err_set(err, ERR_REFUSED,
                       "the archive may become %" PRIu64 " MiB large: more than %d parts of %" PRIu64
                       " MiB, and S3 takes no more; use --part-size %" PRIu64 "M or larger, or leave it out",
                       most_bytes / MIB, S3_PARTS_MAX, fixed_bytes / MIB,
                       spread(most_bytes, S3_PARTS_MAX) / MIB);
    return ERR_OK;
}

/* The sum of the growing parts is GROWING x first + step x GROWING^2 / 2, as long as none is cut to 5 GiB. */
static void let_grow(struct part_plan *p, uint64_t most_bytes)
{
    uint64_t even = p->first_bytes * S3_PARTS_EVEN, reach = BEYOND_EVEN * even;
    uint64_t bound = most_bytes < UINT64_MAX / BEYOND_BOUND ? BEYOND_BOUND * most_bytes : UINT64_MAX;
    if (bound > reach)
        reach = bound;
    p->step_bytes = divide_up(divide_up(reach - even, GROWING * GROWING / 2), 64 << 10) * (64 << 10);
    while (part_plan_capacity(p) < reach && p->step_bytes < S3_PART_MAX)
        p->step_bytes += p->step_bytes / 4;
}

enum err_code part_plan_make(uint64_t most_bytes, uint64_t fixed_bytes, bool one_size, struct part_plan *out,
                             struct err *err)
{
    *out = (struct part_plan){.first_bytes = fixed_bytes};
    if (fixed_bytes != 0)
        return check_fixed(most_bytes, fixed_bytes, err);
    if (one_size) {
        out->first_bytes = most_bytes == 0 ? ONE_SIZE_UNKNOWN
                                           : clamp(spread(most_bytes, S3_PARTS_MAX), AUTO_MIN, S3_PART_MAX);
        return ERR_OK;
    }
    uint64_t share = spread(most_bytes / BOUND_SHARE, S3_PARTS_EVEN);
    out->first_bytes =
        most_bytes == 0 ? AUTO_MAX : clamp(spread(most_bytes, S3_PARTS_EVEN), AUTO_MIN, AUTO_MAX);
    if (share > AUTO_MAX)
        out->first_bytes = clamp(share, AUTO_MAX, S3_PART_MAX);
    let_grow(out, most_bytes);
    return ERR_OK;
}

uint64_t part_plan_size(const struct part_plan *p, unsigned number)
{
    if (number <= S3_PARTS_EVEN)
        return p->first_bytes;
    return clamp(p->first_bytes + (number - S3_PARTS_EVEN) * p->step_bytes, S3_PART_MIN, S3_PART_MAX);
}

uint64_t part_plan_capacity(const struct part_plan *p)
{
    uint64_t sum = 0;
    for (unsigned n = 1; n <= S3_PARTS_MAX; n++)
        sum += part_plan_size(p, n);
    return sum;
}

uint64_t part_plan_largest(const struct part_plan *p, uint64_t bytes)
{
    uint64_t sum = 0;
    unsigned n = 0;
    while (n < S3_PARTS_MAX && (sum < bytes || n == 0))
        sum += part_plan_size(p, ++n);
    return part_plan_size(p, n);
}
