/* Whether a journal's process runs; what tells it is tested with core/process. */
#include "support/test.h"

#include "core/process.h"
#include "restore/owner.h"

static bool is_alive(const char *owner)
{
    const struct operation op = {.owner = owner};
    return owner_is_alive(&op);
}

static bool is_elsewhere(const char *owner)
{
    const struct operation op = {.owner = owner};
    return owner_is_elsewhere(&op);
}

static void alive_dead_or_elsewhere(void **state)
{
    (void)state;
    struct process p;
    char owner[PROCESS_TEXT_BYTES];
    process_put_self(owner);
    assert_true(is_alive(owner));
    assert_false(is_elsewhere(owner));
    process_self(&p);
    p.started++;
    process_format(&p, owner);
    assert_false(is_alive(owner));
    assert_false(is_elsewhere(owner));
    p.machine[0] = p.machine[0] == '0' ? '1' : '0';
    process_format(&p, owner);
    assert_false(is_alive(owner));
    assert_true(is_elsewhere(owner));
    assert_false(is_alive(NULL));
    assert_false(is_elsewhere(NULL));
    assert_false(is_alive("host boot 1 5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(alive_dead_or_elsewhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
