#include "support/test.h"

#include "s3/part_plan.h"

#include <string.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

static void sizes_follow_from_the_bound(void **state)
{
    (void)state;
    static const struct {
        uint64_t most, fixed;
        bool one_size;
        uint64_t first, part_8192, part_8193, part_10000; /* 0: not looked at */
    } cases[] = {
        /* nothing known */
        {0, 0, false, 32 * MIB, 32 * MIB, 0, 0},
        {0, 0, true, 48 * MIB, 48 * MIB, 48 * MIB, 48 * MIB},
        /* small ones */
        {1, 0, false, 8 * MIB, 8 * MIB, 0, 0},
        {9700 * 8 * MIB, 0, false, 8 * MIB, 8 * MIB, 8 * MIB, 0},
        {9700 * 8 * MIB + 1, 0, false, 9 * MIB, 9 * MIB, 9 * MIB, 0},
        /* at the size up to which memory is promised, and beyond it */
        {256 * GIB, 0, false, 28 * MIB, 28 * MIB, 28 * MIB, 0},
        {9700 * 32 * MIB, 0, false, 32 * MIB, 32 * MIB, 32 * MIB, 0},
        {2 * TIB, 0, false, 32 * MIB, 32 * MIB, 0, 0},
        {4 * TIB, 0, false, 64 * MIB, 64 * MIB, 0, 0},
        {48 * TIB, 0, false, 5120 * MIB, 5120 * MIB, 5120 * MIB, S3_PART_MAX},
        {UINT64_MAX, 0, false, S3_PART_MAX, S3_PART_MAX, S3_PART_MAX, S3_PART_MAX},
        /* one size because the server wants it */
        {1, 0, true, 8 * MIB, 8 * MIB, 8 * MIB, 8 * MIB},
        {100 * GIB, 0, true, 11 * MIB, 11 * MIB, 11 * MIB, 11 * MIB},
        {48 * TIB, 0, true, 5034 * MIB, 0, 0, 5034 * MIB},
        {60 * TIB, 0, true, S3_PART_MAX, 0, 0, S3_PART_MAX},
        /* one size because someone asked for it */
        {0, 5 * MIB, false, 5 * MIB, 5 * MIB, 5 * MIB, 5 * MIB},
        {50000 * MIB, 5 * MIB, false, 5 * MIB, 5 * MIB, 5 * MIB, 5 * MIB},
        {1, 5 * GIB, true, 5 * GIB, 5 * GIB, 5 * GIB, 5 * GIB},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct part_plan p;
        struct err err;
        assert_ok(part_plan_make(cases[i].most, cases[i].fixed, cases[i].one_size, &p, &err), &err);
        assert_int_equal(part_plan_size(&p, 1), cases[i].first);
        if (cases[i].part_8192)
            assert_int_equal(part_plan_size(&p, 8192), cases[i].part_8192);
        if (cases[i].part_8193)
            assert_int_equal(part_plan_size(&p, 8193), cases[i].part_8193);
        if (cases[i].part_10000)
            assert_int_equal(part_plan_size(&p, 10000), cases[i].part_10000);
        for (unsigned n = 1; n <= S3_PARTS_MAX; n++) {
            assert_in_range(part_plan_size(&p, n), S3_PART_MIN, S3_PART_MAX);
            assert_true(n == 1 || part_plan_size(&p, n) >= part_plan_size(&p, n - 1));
        }
    }
}

/* The catalogue is wrong by twice; growing parts forgive that and more. */
static void what_was_bounded_fits_and_twice_of_it_too(void **state)
{
    (void)state;
    for (uint64_t most = 1; most < 100 * TIB; most = most * 3 + 7) {
        struct part_plan p;
        struct err err;
        assert_ok(part_plan_make(most, 0, false, &p, &err), &err);
        /* the most that growing gives */
        uint64_t held = part_plan_held(&p, S3_PARTS_MAX);
        assert_true(held >= (most < 768 * GIB  ? 2 * most - 1
                             : most < 45 * TIB ? most + 768 * GIB
                                               : 48 * TIB));
        assert_true(part_plan_held(&p, S3_PARTS_BOUND) >= (most < 45 * TIB ? most : 45 * TIB));
        assert_true(held >= 512 * GIB);
        assert_ok(part_plan_make(most, 0, true, &p, &err), &err);
        assert_true(part_plan_held(&p, S3_PARTS_MAX) >= (most < 48 * TIB ? most : 48 * TIB));
    }
}

/* The promise of the manual page: five parts at once for up to 256 GiB need 160 MiB at most. */
static void archives_of_256_gib_need_little_memory(void **state)
{
    (void)state;
    static const uint64_t bounds[] = {0, 1, 10 * GIB, 256 * GIB, TIB, 2 * TIB};
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        struct part_plan p;
        struct err err;
        uint64_t bytes = bounds[i] && bounds[i] < 256 * GIB ? bounds[i] : 256 * GIB;
        assert_ok(part_plan_make(bounds[i], 0, false, &p, &err), &err);
        assert_true(5 * part_plan_largest(&p, bytes) <= 160 * MIB);
    }
    struct part_plan p;
    struct err err;
    assert_ok(part_plan_make(3 * TIB, 0, false, &p, &err), &err);
    assert_true(5 * part_plan_largest(&p, 256 * GIB) <= 256 * MIB);
}

/* Growing costs no more than it must, and not at all where one size reaches. */
static void archives_of_their_bound_need_what_they_must(void **state)
{
    (void)state;
    static const struct {
        uint64_t bound, most_mib; /* of five parts */
    } cases[] = {{64 * GIB, 40}, {303 * GIB, 160}, {400 * GIB, 830}, {512 * GIB, 1700}, {TIB, 5200}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct part_plan p;
        struct err err;
        assert_ok(part_plan_make(cases[i].bound, 0, false, &p, &err), &err);
        assert_in_range(5 * part_plan_largest(&p, cases[i].bound), 1, cases[i].most_mib * MIB);
        /* and a part is never much larger than the one before */
        for (unsigned n = 2; n <= S3_PARTS_MAX; n++)
            assert_true(part_plan_size(&p, n) - part_plan_size(&p, n - 1) <= S3_PART_MAX / 300);
        /* known to the byte: one size */
        assert_ok(part_plan_make(cases[i].bound, 0, true, &p, &err), &err);
        assert_true(part_plan_size(&p, S3_PARTS_MAX) <= cases[i].bound / S3_PARTS_MAX + 8 * MIB);
    }
}

static void the_largest_part_is_that_of_the_last_bytes(void **state)
{
    (void)state;
    struct part_plan p;
    struct err err;
    assert_ok(part_plan_make(0, 5 * MIB, false, &p, &err), &err);
    assert_int_equal(part_plan_largest(&p, 0), 5 * MIB);
    assert_int_equal(part_plan_largest(&p, 100 * GIB), 5 * MIB);
    assert_ok(part_plan_make(75 * GIB, 0, false, &p, &err), &err);
    assert_int_equal(part_plan_largest(&p, 75 * GIB), 8 * MIB);
    assert_true(part_plan_largest(&p, 77 * GIB) > 8 * MIB);
    assert_int_equal(part_plan_largest(&p, UINT64_MAX), part_plan_size(&p, S3_PARTS_MAX));
}

static void too_many_parts_are_refused_before_the_start(void **state)
{
    (void)state;
    struct part_plan p;
    struct err err;
    assert_err(part_plan_make(50000 * MIB + 1, 5 * MIB, false, &p, &err), ERR_REFUSED, &err);
    assert_non_null(strstr(err.text, "--part-size 6M"));
    assert_ok(part_plan_make(50000 * MIB + 1, 6 * MIB, false, &p, &err), &err);
    assert_err(part_plan_make(UINT64_MAX, 5 * GIB, false, &p, &err), ERR_REFUSED, &err);
    assert_err(part_plan_make(1, 5 * MIB - 1, false, &p, &err), ERR_USAGE, &err);
    assert_err(part_plan_make(1, 5 * GIB + 1, false, &p, &err), ERR_USAGE, &err);
}

static void large_parts_are_fewer_at_once(void **state)
{
    (void)state;
    static const struct {
        uint64_t part_mib;
        unsigned uploaders, at_once;
    } cases[] = {{8, 4, 5},  {16, 4, 5},   {20, 4, 4},   {32, 4, 3},
                 {64, 4, 3}, {5120, 4, 3}, {5120, 1, 2}, {8, 64, 12}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct part_plan p = {.first_bytes = cases[i].part_mib << 20};
        assert_int_equal(part_plan_at_once(&p, cases[i].uploaders), cases[i].at_once);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_follow_from_the_bound),
        cmocka_unit_test(what_was_bounded_fits_and_twice_of_it_too),
        cmocka_unit_test(archives_of_256_gib_need_little_memory),
        cmocka_unit_test(archives_of_their_bound_need_what_they_must),
        cmocka_unit_test(the_largest_part_is_that_of_the_last_bytes),
        cmocka_unit_test(too_many_parts_are_refused_before_the_start),
        cmocka_unit_test(large_parts_are_fewer_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
