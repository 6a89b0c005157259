/* Numbers that are the same in every run: SplitMix64 (Steele, Lea, Flood 2014). */
#ifndef DBSAFE_TESTS_SUPPORT_RANDOM_H
#define DBSAFE_TESTS_SUPPORT_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state; /* the seed */
};

static inline uint64_t random_next(struct random *r)
{
    uint64_t z = (r->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* 0 to n - 1. */
static inline unsigned random_below(struct random *r, unsigned n)
{
    return (unsigned)(random_next(r) % n);
}

#endif
