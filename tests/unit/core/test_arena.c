#include "support/test.h"

#include "core/arena.h"

#include <string.h>

static void allocations_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    enum { COUNT = 2000 };
    unsigned char *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        size_t bytes = i % 300 == 299 ? 40000 : i % 100;
        blocks[i] = arena_alloc(a, bytes);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < bytes; k++)
            assert_int_equal(blocks[i][k], 0);
        memset(blocks[i], (int)(i % 251) + 1, bytes);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < (i % 300 == 299 ? 40000 : i % 100); k++)
            assert_int_equal(blocks[i][k], i % 251 + 1);
    arena_free(a);
    arena_free(NULL);
}

static void strings(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    char *s = arena_strdup(a, "table");
    assert_string_equal(s, "table");
    assert_string_equal(arena_strndup(a, "table", 3), "tab");
    assert_string_equal(arena_strndup(a, "ab\0cd", 5), "ab");
    assert_string_equal(arena_printf(a, "%s.%d", s, 5), "table.5");
    assert_int_equal(strlen(arena_printf(a, "%100000d", 1)), 100000);
    int *numbers = arena_calloc(a, 50000, sizeof *numbers);
    assert_int_equal(numbers[49999], 0);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_zeroed_aligned_and_apart),
        cmocka_unit_test(strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
