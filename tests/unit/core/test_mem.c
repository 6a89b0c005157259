#include "support/test.h"

#include "core/mem.h"

#include <string.h>

/* The sanitizers' allocators end the process themselves unless told to return NULL. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void secrets_may_be_null(void **state)
{
    (void)state;
    secret_free(NULL);
    secret_free(xstrdup("hunter2"));
}

static void sizes_are_checked(void **state)
{
    (void)state;
    size_t n = 7;
    assert_true(size_add(SIZE_MAX - 1, 1, &n));
    assert_true(n == SIZE_MAX);
    assert_false(size_add(SIZE_MAX, 1, &n));
    assert_true(size_mul(SIZE_MAX / 2, 2, &n));
    assert_true(n == SIZE_MAX - 1);
    assert_false(size_mul(SIZE_MAX / 2 + 1, 2, &n));
}

static void nothing_is_something(void **state)
{
    (void)state;
    void *a = xmalloc(0), *b = xcalloc(0, 8), *c = xrealloc(NULL, 0);
    assert_true(a != NULL && b != NULL && c != NULL);
    free(a);
    free(b);
    free(c);
}

static void strings(void **state)
{
    (void)state;
    char *a = xstrdup("dump"), *b = xstrndup("restore", 4), *c = xasprintf("%s-%d", a, 3);
    assert_string_equal(b, "rest");
    assert_string_equal(c, "dump-3");
    int *d = xreallocarray(NULL, 4, sizeof *d);
    d[3] = 9;
    d = xreallocarray(d, 400, sizeof *d);
    assert_int_equal(d[3], 9);
    free(a);
    free(b);
    free(c);
    free(d);
}

static int take_too_much(void *arg)
{
    close(STDERR_FILENO);
    volatile size_t bytes = SIZE_MAX / 4;
    if (arg == NULL)
        free(xmalloc(bytes));
    else
        free(xreallocarray(NULL, bytes, 8)); /* overflows to a small number */
    return 77;
}

static void no_memory_ends_the_process(void **state)
{
    (void)state;
    char overflow;
    assert_true(child_exited(child_run(take_too_much, NULL), 1));
    assert_true(child_exited(child_run(take_too_much, &overflow), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_may_be_null),        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(nothing_is_something),       cmocka_unit_test(strings),
        cmocka_unit_test(no_memory_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
