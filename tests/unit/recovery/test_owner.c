#include "support/test.h"

#include "recovery/owner.h"

#include <string.h>

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void alive_dead_or_elsewhere(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const char *self = owner_self(arena);
    assert_int_equal(owner_life(self), OWNER_ALIVE);
    assert_int_equal(owner_life(NULL), OWNER_DEAD);
    assert_int_equal(owner_life("nonsense"), OWNER_ELSEWHERE);
    /* "host boot": the same, of a process that has ended, and of this one's number started at another time */
    size_t n = strcspn(self, " ") + 1;
    n += strcspn(self + n, " ") + 1;
    pid_t ended = child_start(nothing, NULL);
    int status;
    assert_int_equal(waitpid(ended, &status, 0), ended);
    assert_int_equal(owner_life(arena_printf(arena, "%.*s%ld 99", (int)n, self, (long)ended)), OWNER_DEAD);
    assert_int_equal(owner_life(arena_printf(arena, "%.*s%ld 1", (int)n, self, (long)getpid())), OWNER_DEAD);
    assert_int_equal(owner_life("otherhost 11111111-2222-3333-4444-555555555555 1 1"), OWNER_ELSEWHERE);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(alive_dead_or_elsewhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
