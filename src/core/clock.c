#include "core/clock.h"

#include "core/lock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The first and last moment that four digits of year can show. */
#define FIRST_SECOND (-62167219200LL) /* 0000-01-01T00:00:00Z */
#define LAST_SECOND  253402300799LL   /* 9999-12-31T23:59:59Z */

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_wall_ms(void *self)
{
    (void)self;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_monotonic_ms(void *self)
{
    (void)self;
    return read_clock(CLOCK_MONOTONIC);
}

const struct clock *clock_system(void)
{
    static const struct clock system = {system_wall_ms, system_monotonic_ms, NULL};
    return &system;
}

int64_t clock_wall_ms(const struct clock *c)
{
    return c->wall_ms(c->self);
}

int64_t clock_monotonic_ms(const struct clock *c)
{
    return c->monotonic_ms(c->self);
}

static struct tm split_time(int64_t wall_ms)
{
    int64_t seconds = wall_ms / 1000 - (wall_ms % 1000 < 0 ? 1 : 0);
    if (seconds < FIRST_SECOND)
        seconds = FIRST_SECOND;
    if (seconds > LAST_SECOND)
        seconds = LAST_SECOND;
    time_t t = (time_t)seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    return tm;
}

/* Not strftime: its year has no leading zeros.  The remainders tell the compiler that all fits. */
void clock_format_iso(int64_t wall_ms, char out[CLOCK_ISO_BYTES])
{
    struct tm tm = split_time(wall_ms);
    snprintf(out, CLOCK_ISO_BYTES, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)(tm.tm_year + 1900) % 10000,
             (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
             (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

/* The ISO form without its separators. */
void clock_format_compact(int64_t wall_ms, char out[CLOCK_COMPACT_BYTES])
{
    char iso[CLOCK_ISO_BYTES];
    clock_format_iso(wall_ms, iso);
    for (const char *s = iso; *s != '\0'; s++)
        if (*s != '-' && *s != ':')
            *out++ = *s;
    *out = '\0';
}

/* timegm accepts the 31st of February: only a text that formats back to itself is right. */
bool clock_parse_iso(const char *text, int64_t *wall_ms)
{
    struct tm tm = {0};
    if (strlen(text) != CLOCK_ISO_BYTES - 1 ||
        sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec) != 6)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t ms = (int64_t)timegm(&tm) * 1000;
    char again[CLOCK_ISO_BYTES];
    clock_format_iso(ms, again);
    if (strcmp(text, again) != 0)
        return false;
    *wall_ms = ms;
    return true;
}

static void wake(void *arg)
{
    struct lock *l = arg;
    lock_take(l);
    lock_wake_all(l);
    lock_drop(l);
}

enum err_code clock_backoff(int64_t ms, struct cancel *cancel, struct err *err)
{
    struct lock *l = lock_new();
    struct cancel_hook hook = {.wake = wake, .arg = l};
    cancel_add_hook(cancel, &hook);
    int64_t start = read_clock(CLOCK_MONOTONIC);
    int64_t passed = 0;
    lock_take(l);
    while (passed < ms && !cancel_fired(cancel)) {
        lock_wait(l, ms - passed);
        passed = read_clock(CLOCK_MONOTONIC) - start;
    }
    lock_drop(l);
    cancel_remove_hook(cancel, &hook);
    lock_free(l);
    return cancel_check(cancel, err);
}
