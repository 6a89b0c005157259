/* The arithmetic; the sample itself is loaded into real servers in tests/e2e/test_estimate.py. */
#include "support/test.h"

#include "recovery/estimate.h"

#include <string.h>

static void a_sample_is_scaled(void **state)
{
    (void)state;
    struct manifest m = {.table_count = 100, .plain_bytes = UINT64_C(10) << 30};
    const struct estimate_sample sample = {.tables = 10,
                                           .bytes = UINT64_C(1) << 30,
                                           .create_ms = 500,
                                           .load_ms = 20000,
                                           .keys_ms = 10000,
                                           .verify_ms = 5000};
    struct estimate e = {.known = false};
    estimate_scale(&sample, &m, &e);
    assert_true(e.known);
    /* 10 times the tables, 10 times the rows, 100 pairs, and the swap's own */
    assert_int_equal(e.likely_ms, 5000 + 350000 + 200 + 2000);
    assert_int_equal(e.most_ms, 2 * e.likely_ms);
    assert_int_equal(e.sample_ms, 35500);
    m = (struct manifest){.table_count = 10, .plain_bytes = UINT64_C(1) << 30};
    estimate_scale(&sample, &m, &e); /* all of it was loaded: a smaller margin */
    assert_int_equal(e.likely_ms, 35500 + 20 + 2000);
    assert_int_equal(e.most_ms, e.likely_ms * 3 / 2);
}

static void nothing_to_restore(void **state)
{
    (void)state;
    struct manifest m = {.table_count = 0};
    struct estimate e = {.known = false};
    estimate_scale(&(struct estimate_sample){.tables = 0}, &m, &e);
    assert_true(e.known);
    assert_true(e.likely_ms > 0 && e.most_ms < 10000);
}

static void judged_by_the_upper_end(void **state)
{
    (void)state;
    struct err err;
    const struct run run = {.log = NULL};
    struct estimate e = {.known = true, .likely_ms = 20 * 60000, .most_ms = 40 * 60000};
    assert_ok(estimate_judge(&run, &e, 40 * 60000, true, &err), &err);
    assert_ok(estimate_judge(&run, &e, 30 * 60000, false, &err), &err);
    assert_err(estimate_judge(&run, &e, 30 * 60000, true, &err), ERR_REFUSED, &err);
    assert_non_null(strstr(err.text, "20.0 minutes, up to 40.0"));
    e = (struct estimate){.known = false, .why = "no grant"};
    assert_ok(estimate_judge(&run, &e, 30 * 60000, false, &err), &err);
    assert_err(estimate_judge(&run, &e, 30 * 60000, true, &err), ERR_REFUSED, &err);
    assert_non_null(strstr(err.text, "no grant"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_is_scaled),
        cmocka_unit_test(nothing_to_restore),
        cmocka_unit_test(judged_by_the_upper_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
