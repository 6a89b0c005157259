#include "s3/part_plan.h"

#include <inttypes.h>

#define MIB ((uint64_t)1 << 20)
/* Smaller parts cost requests, larger ones memory. */
#define AUTO_MIN (8 * MIB)
#define AUTO_MAX (32 * MIB)
/* One size, and nothing known: 468 GiB. */
#define ONE_SIZE_UNKNOWN (48 * MIB)
/* Nothing known, and parts may grow. */
#define UNKNOWN_BOUND ((uint64_t)1 << 40)
/* Of a bound beyond that the even parts hold a part: growing alone would not reach far enough. */
#define BOUND_SHARE ((uint64_t)8)
/* How far all parts together reach, if 5 GiB a part allow it: so many times the bound, and so far at least.
 */
#define BEYOND_BOUND ((uint64_t)2)
#define REACH_MIN    ((uint64_t)512 << 30)
/* Parts that grow towards the bound, and parts for what is beyond it. */
#define GROWING ((uint64_t)(S3_PARTS_BOUND - S3_PARTS_EVEN))
#define LAST    ((uint64_t)(S3_PARTS_MAX - S3_PARTS_BOUND))

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

/* The step that makes count parts hold so many bytes, the first of which is a step larger than size: they
 * hold count x size + step x count^2 / 2.  At most what ends at 5 GiB. */
static uint64_t step_for(uint64_t size, uint64_t count, uint64_t bytes)
{
    if (bytes <= count * size)
        return 0;
    uint64_t step = divide_up(2 * ((bytes - count * size) / count), count),
             most = (S3_PART_MAX - size) / count;
    return step < most ? step + 1 : most;
}

/* The smallest size of the even parts with which growing to 5 GiB reaches the bound. */
static uint64_t least_first(uint64_t most_bytes)
{
    uint64_t growing = GROWING * (S3_PART_MAX / 2);
    return most_bytes > growing ? spread(most_bytes - growing, S3_PARTS_EVEN + GROWING / 2) : 0;
}

static void let_grow(struct part_plan *p, uint64_t most_bytes)
{
    uint64_t even = p->first_bytes * S3_PARTS_EVEN;
    p->step_bytes = step_for(p->first_bytes, GROWING, most_bytes > even ? most_bytes - even : 0);
    uint64_t held = part_plan_held(p, S3_PARTS_BOUND);
    uint64_t reach = most_bytes < UINT64_MAX / BEYOND_BOUND ? BEYOND_BOUND * most_bytes : UINT64_MAX;
    reach = reach < REACH_MIN ? REACH_MIN : reach;
    p->last_step_bytes = step_for(part_plan_size(p, S3_PARTS_BOUND), LAST, reach > held ? reach - held : 0);
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
    most_bytes = most_bytes == 0 ? UNKNOWN_BOUND : most_bytes;
    uint64_t share = spread(most_bytes / BOUND_SHARE, S3_PARTS_EVEN), least = least_first(most_bytes);
    out->first_bytes = clamp(spread(most_bytes, S3_PARTS_BOUND), AUTO_MIN, AUTO_MAX);
    out->first_bytes = clamp(share > least ? share : least, out->first_bytes, S3_PART_MAX);
    let_grow(out, most_bytes);
    return ERR_OK;
}

uint64_t part_plan_size(const struct part_plan *p, unsigned number)
{
    uint64_t growing = number < S3_PARTS_EVEN    ? 0
                       : number < S3_PARTS_BOUND ? number - S3_PARTS_EVEN
                                                 : GROWING;
    uint64_t last = number < S3_PARTS_BOUND ? 0 : number - S3_PARTS_BOUND;
    return p->first_bytes + growing * p->step_bytes + last * p->last_step_bytes;
}

uint64_t part_plan_held(const struct part_plan *p, unsigned count)
{
    uint64_t sum = 0;
    for (unsigned n = 1; n <= count; n++)
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

unsigned part_plan_at_once(const struct part_plan *p, unsigned uploaders)
{
    uint64_t fit = S3_PARTS_MEMORY / p->first_bytes;
    uint64_t most = fit < 3 ? 3 : fit;
    return most < uploaders + 1 ? (unsigned)most : uploaders + 1;
}
