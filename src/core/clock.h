/*
 * Time as an argument: production code gets clock_system(), tests pass their own.
 */
#ifndef DBSAFE_CORE_CLOCK_H
#define DBSAFE_CORE_CLOCK_H

#include "core/cancel.h"
#include "core/err.h"

#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(void *self);      /* milliseconds since 1970-01-01 UTC */
    int64_t (*monotonic_ms)(void *self); /* milliseconds, never goes back */
    void *self;
};

const struct clock *clock_system(void);
int64_t clock_wall_ms(const struct clock *c);
int64_t clock_monotonic_ms(const struct clock *c);

/* "2026-11-23T19:04:05Z" (21 bytes with NUL) and the compact "20261123T190405Z" (17). */
#define CLOCK_ISO_BYTES     21
#define CLOCK_COMPACT_BYTES 17
void clock_format_iso(int64_t wall_ms, char out[CLOCK_ISO_BYTES]);
void clock_format_compact(int64_t wall_ms, char out[CLOCK_COMPACT_BYTES]);
/* Reads the ISO form; false when malformed. */
bool clock_parse_iso(const char *text, int64_t *wall_ms);

/* Waits for ms milliseconds or until the token fires (then its error): for retry backoff. */
enum err_code clock_backoff(int64_t ms, struct cancel *cancel, struct err *err);

#endif
