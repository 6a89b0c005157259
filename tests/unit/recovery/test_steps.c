#include "support/test.h"

#include "recovery/steps.h"

static int64_t now_ms;

static int64_t fake_now(void *self)
{
    (void)self;
    return now_ms;
}

/* Time stands still but for what the tests say. */
static const struct clock clock_of_tests = {.wall_ms = fake_now, .monotonic_ms = fake_now};

static void steps_and_their_phases(void **state)
{
    (void)state;
    struct err err;
    struct progress progress = {.phase = NULL};
    const struct run run = {.clock = &clock_of_tests, .progress = &progress};
    struct steps s;
    now_ms = 1000;
    steps_begin(&s, &run);
    progress_phase(&progress, "before any step", 0);
    assert_int_equal(s.count, 0);
    steps_next(&s, "first");
    assert_string_equal(atomic_load(&progress.phase), "first");
    now_ms = 1500;
    progress_phase(&progress, "loading", 7);
    now_ms = 2500;
    progress_phase(&progress, "swapping", 0);
    now_ms = 3000;
    assert_int_equal(steps_total_ms(&s), 2000);
    steps_next(&s, "second");
    now_ms = 3250;
    steps_end(&s);
    progress_phase(&progress, "after the end", 0);
    now_ms = 9000;
    assert_int_equal(steps_total_ms(&s), 2250);
    struct buf out;
    struct json_out j;
    buf_init(&out, 10000);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    steps_put_json(&s, &j);
    json_out_object_close(&j);
    assert_ok(json_out_end(&j, &err), &err);
    assert_string_equal(buf_cstr(&out),
                        "{\"steps\":["
                        "{\"name\":\"first\",\"level\":0,\"begin\":0.000,\"seconds\":2.000},"
                        "{\"name\":\"loading\",\"level\":1,\"begin\":0.500,\"seconds\":1.000},"
                        "{\"name\":\"swapping\",\"level\":1,\"begin\":1.500,\"seconds\":0.500},"
                        "{\"name\":\"second\",\"level\":0,\"begin\":2.000,\"seconds\":0.250}]}");
    buf_free(&out);
}

static void too_many_are_left_out(void **state)
{
    (void)state;
    struct progress progress = {.phase = NULL};
    const struct run run = {.clock = &clock_of_tests, .progress = &progress};
    struct steps s;
    steps_begin(&s, &run);
    for (int i = 0; i < STEPS_MAX + 10; i++)
        steps_next(&s, "again");
    assert_int_equal(s.count, STEPS_MAX);
    steps_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_and_their_phases),
        cmocka_unit_test(too_many_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
