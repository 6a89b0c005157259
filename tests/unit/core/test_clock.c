#include "support/test.h"

#include "core/clock.h"
#include "core/group.h"

#include <stdatomic.h>

static void formats_known_moments(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *iso, *compact;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z", "19700101T000000Z"},
        {999, "1970-01-01T00:00:00Z", "19700101T000000Z"},
        {-1, "1969-12-31T23:59:59Z", "19691231T235959Z"},
        {951782400000, "2000-02-29T00:00:00Z", "20000229T000000Z"},
        {1795460645123, "2026-11-23T19:04:05Z", "20261123T190405Z"},
        {-62167219200000, "0000-01-01T00:00:00Z", "00000101T000000Z"},
        {253402300799999, "9999-12-31T23:59:59Z", "99991231T235959Z"},
        {INT64_MAX, "9999-12-31T23:59:59Z", "99991231T235959Z"},
        {INT64_MIN, "0000-01-01T00:00:00Z", "00000101T000000Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char iso[CLOCK_ISO_BYTES], compact[CLOCK_COMPACT_BYTES];
        clock_format_iso(cases[i].ms, iso);
        clock_format_compact(cases[i].ms, compact);
        assert_string_equal(iso, cases[i].iso);
        assert_string_equal(compact, cases[i].compact);
    }
}

static void what_is_formatted_is_read_back(void **state)
{
    (void)state;
    for (int64_t ms = -62167219200000; ms < 253402300799999; ms += 86399 * 1000LL * 977) {
        char iso[CLOCK_ISO_BYTES];
        int64_t again = -1;
        clock_format_iso(ms, iso);
        assert_true(clock_parse_iso(iso, &again));
        assert_true(again == ms);
    }
}

static void malformed_times_are_not_read(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026-11-23",
        "2026-11-23T19:04:05",
        "2026-11-23T19:04:05+",
        "2026-11-23 19:04:05Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T19:60:05Z",
        "2026-11-23T19:04:61Z",
        "2026-11-23T19:04:5 Z",
        "2026-11-23T19: 4:05Z",
        "+026-11-23T19:04:05Z",
        "2026-11-23T19:04:05ZZ",
        "2026-1x-23T19:04:05Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = 42;
        if (clock_parse_iso(bad[i], &ms))
            fail_msg("'%s' was read as a time", bad[i]);
        assert_int_equal(ms, 42);
    }
}

static int64_t seven(void *self)
{
    return *(int64_t *)self;
}

static void a_clock_can_be_replaced(void **state)
{
    (void)state;
    int64_t now = 7;
    struct clock fake = {seven, seven, &now};
    assert_int_equal(clock_wall_ms(&fake), 7);
    assert_int_equal(clock_monotonic_ms(&fake), 7);
    assert_true(clock_wall_ms(clock_system()) > 1600000000000);
    int64_t a = clock_monotonic_ms(clock_system());
    assert_true(clock_monotonic_ms(clock_system()) >= a);
}

struct waiter {
    struct cancel *cancel;
    atomic_int tid;
    enum err_code rc;
    struct err err;
};

static enum err_code back_off(void *arg, struct err *err)
{
    struct waiter *w = arg;
    (void)err;
    atomic_store(&w->tid, thread_id());
    w->rc = clock_backoff(INT64_MAX / 2000000, w->cancel, &w->err);
    return ERR_OK;
}

static void backoff_ends_with_the_token(void **state)
{
    (void)state;
    struct cancel *own = cancel_new();
    struct group *g = group_new(own);
    struct waiter w = {.cancel = cancel_new()};
    struct err err;
    assert_ok(group_spawn(g, "back off", back_off, &w, &err), &err);
    while (atomic_load(&w.tid) == 0)
        sched_yield();
    thread_wait_blocked(atomic_load(&w.tid));
    err_set(&err, ERR_SIGINT, "enough");
    cancel_fire(w.cancel, &err);
    assert_ok(group_join(g, &err), &err);
    assert_err(w.rc, ERR_SIGINT, &w.err);
    assert_err(clock_backoff(1000000, w.cancel, &err), ERR_SIGINT, &err); /* at once */
    group_free(g);
    cancel_free(w.cancel);
    cancel_free(own);
}

static void backoff_lasts_as_long_as_asked(void **state)
{
    (void)state;
    struct err err;
    int64_t start = clock_monotonic_ms(clock_system());
    assert_ok(clock_backoff(10, NULL, &err), &err);
    assert_true(clock_monotonic_ms(clock_system()) - start >= 10);
    assert_ok(clock_backoff(0, NULL, &err), &err);
    assert_ok(clock_backoff(-5, NULL, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_known_moments),        cmocka_unit_test(what_is_formatted_is_read_back),
        cmocka_unit_test(malformed_times_are_not_read), cmocka_unit_test(a_clock_can_be_replaced),
        cmocka_unit_test(backoff_ends_with_the_token),  cmocka_unit_test(backoff_lasts_as_long_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
