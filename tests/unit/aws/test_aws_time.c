#include "support/test.h"

#include "aws/aws_time.h"

#define MOMENT INT64_C(1792868645000) /* 2026-10-24T19:04:05Z */

static void iso_in_all_its_forms(void **state)
{
    (void)state;
    static const char *const texts[] = {"2026-10-24T19:04:05Z",      "2026-10-24T19:04:05.000Z",
                                        "2026-10-24T19:04:05.9Z",    "2026-10-24T19:04:05+00:00",
                                        "2026-10-24T21:04:05+02:00", "2026-10-24T14:34:05.123456-04:30",
                                        "2026-10-24T20:04:05+0100"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t ms = 0;
        if (!aws_time_parse(texts[i], &ms) || ms != MOMENT)
            fail_msg("%s: %lld", texts[i], (long long)ms);
    }
}

static void nonsense_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "now",
                                        "2026-10-24",
                                        "2026-10-24T19:04:05",
                                        "2026-02-30T19:04:05Z",
                                        "2026-10-24T19:04:05Zx",
                                        "2026-10-24T19:04:05+1",
                                        "2026-10-24T19:04:05+25:00",
                                        "2026-10-24T19:04:05+01:00x",
                                        "2026-10-24 19:04:05Z"};
    int64_t ms;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (aws_time_parse(texts[i], &ms))
            fail_msg("'%s' was taken for a time", texts[i]);
}

static void dates_of_http(void **state)
{
    (void)state;
    int64_t ms;
    assert_true(aws_time_parse_http("Sat, 24 Oct 2026 19:04:05 GMT", &ms));
    assert_true(ms == MOMENT);
    assert_false(aws_time_parse_http("tomorrow", &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso_in_all_its_forms),
        cmocka_unit_test(nonsense_is_none),
        cmocka_unit_test(dates_of_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
