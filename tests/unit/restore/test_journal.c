#include "support/test.h"

#include "restore/journal.h"

#include <signal.h>
#include <string.h>

static int64_t fixed_ms(void *self)
{
    return *(int64_t *)self;
}

static void make_id(int64_t wall_ms, const char *run_id, char out[OPERATION_ID_BYTES])
{
    const struct clock clock = {fixed_ms, fixed_ms, &wall_ms};
    const struct run run = {.clock = &clock, .run_id = run_id};
    operation_make_id(&run, out);
}

static void ids_have_a_form_that_schema_names_can_take(void **state)
{
    (void)state;
    char id[OPERATION_ID_BYTES];
    make_id(INT64_C(1700000000123), "0123456789ab", id);
    assert_string_equal(id, "20231114t221320123_0123");
    make_id(0, "ffffffffffff", id);
    assert_string_equal(id, "19700101t000000000_ffff");
    assert_true(strlen("dbsafe_stage_") + strlen(id) + strlen("_100000") <= 64);
}

static void ids_sort_by_time(void **state)
{
    (void)state;
    static const int64_t later_by[] = {1, 9, 990, 1000, 59000, 86400000, INT64_C(31622400000)};
    char before[OPERATION_ID_BYTES], after[OPERATION_ID_BYTES];
    int64_t now = INT64_C(1703980799000); /* shortly before a year ends */
    for (int round = 0; round < 200; round++) {
        make_id(now, "ffff", before);
        now += later_by[(size_t)round % (sizeof later_by / sizeof later_by[0])];
        make_id(now, "0000", after);
        assert_true(strcmp(before, after) < 0);
    }
}

static void ids_of_the_same_moment_differ_by_run(void **state)
{
    (void)state;
    char a[OPERATION_ID_BYTES], b[OPERATION_ID_BYTES];
    make_id(5, "0a1b00000000", a);
    make_id(5, "0a1c00000000", b);
    assert_string_not_equal(a, b);
}

static void states_have_names(void **state)
{
    (void)state;
    assert_string_equal(operation_state_name(OPERATION_LOADING), "loading");
    assert_string_equal(operation_state_name(OPERATION_VERIFIED), "verified");
    assert_string_equal(operation_state_name(OPERATION_SWAPPED), "swapped");
    assert_string_equal(operation_state_name(OPERATION_UNDONE), "undone");
}

static bool is_alive(const char *owner)
{
    const struct operation op = {.owner = owner};
    return journal_owner_is_alive(&op);
}

static bool is_elsewhere(const char *owner)
{
    const struct operation op = {.owner = owner};
    return journal_owner_is_elsewhere(&op);
}

static void this_process_is_alive_and_here(void **state)
{
    (void)state;
    char owner[OWNER_BYTES];
    journal_describe_owner((long)getpid(), owner);
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
    journal_describe_owner((long)pid, owner);
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
    journal_describe_owner((long)getpid(), owner);
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
        cmocka_unit_test(ids_have_a_form_that_schema_names_can_take),
        cmocka_unit_test(ids_sort_by_time),
        cmocka_unit_test(ids_of_the_same_moment_differ_by_run),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(this_process_is_alive_and_here),
        cmocka_unit_test(a_killed_process_is_not),
        cmocka_unit_test(a_reused_number_is_another_process),
        cmocka_unit_test(an_unreadable_owner_is_not_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
