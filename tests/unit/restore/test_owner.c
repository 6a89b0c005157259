#include "support/test.h"

#include "restore/owner.h"

#include <signal.h>
#include <string.h>

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

static void this_process_is_alive_and_here(void **state)
{
    (void)state;
    char owner[OWNER_BYTES];
    owner_describe((long)getpid(), owner);
    assert_true(is_alive(owner));
    assert_false(is_elsewhere(owner));
}

static int wait_for_the_end(void *arg)
{
    (void)arg;
    pause();
    return 0;
}

static void a_killed_process_is_not(void **state)
{
    (void)state;
    char owner[OWNER_BYTES];
    pid_t pid = child_start(wait_for_the_end, NULL);
    owner_describe((long)pid, owner);
    assert_true(is_alive(owner));
    assert_int_equal(kill(pid, SIGKILL), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_false(is_alive(owner)); /* ended, though nobody has asked how */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(is_alive(owner));
    assert_false(is_elsewhere(owner));
}

/* The same number, given to a process that started at another time, or before the machine did. */
static void a_reused_number_is_another_process(void **state)
{
    (void)state;
    char owner[OWNER_BYTES], other[2 * OWNER_BYTES], host[OWNER_BYTES], boot[OWNER_BYTES];
    long pid;
    owner_describe((long)getpid(), owner);
    assert_int_equal(sscanf(owner, "%255s %255s %ld", host, boot, &pid), 3);
    assert_int_equal(pid, getpid());
    snprintf(other, sizeof other, "%s1", owner);
    assert_false(is_alive(other));
    assert_false(is_elsewhere(other));
    snprintf(other, sizeof other, "%s 00000000-0000-0000-0000-000000000000 %ld 1", host, pid);
    assert_false(is_alive(other));
    assert_true(is_elsewhere(other));
    snprintf(other, sizeof other, "x%s", owner);
    assert_false(is_alive(other));
    assert_true(is_elsewhere(other));
}

static void an_unreadable_owner_is_not_alive(void **state)
{
    (void)state;
    static const char *const owners[] = {
        NULL, "", "host", "host boot", "host boot x y", "host boot 0 0", "host boot -1 5"};
    for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++)
        assert_false(is_alive(owners[i]));
    assert_false(is_elsewhere(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_process_is_alive_and_here),
        cmocka_unit_test(a_killed_process_is_not),
        cmocka_unit_test(a_reused_number_is_another_process),
        cmocka_unit_test(an_unreadable_owner_is_not_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
