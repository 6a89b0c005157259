/* Owners of marks as the keys of marks have them.  Marks themselves are tested by the conformance suite. */
#include "support/test.h"

#include "s3/mark.h"

#include <string.h>

static void owners_are_written_and_read_back(void **state)
{
    (void)state;
    struct process self, owner, real;
    char text[MARK_OWNER_BYTES];
    process_self(&real);
    mark_owner_self(&self);
    assert_int_equal(strlen(self.machine), 16);
    assert_true(strspn(self.machine, "0123456789abcdef") == 16);
    assert_string_equal(self.host, real.host);
    assert_int_equal(self.pid, getpid());
    mark_owner_format(&self, text);
    assert_true(mark_owner_parse(text, strlen(text), &owner));
    assert_string_equal(owner.host, self.host);
    assert_string_equal(owner.machine, self.machine);
    assert_int_equal(owner.pid, self.pid);
    assert_true(owner.started == self.started);
    assert_int_equal(process_life("/proc", &self, &owner), PROCESS_ALIVE);
    owner.started--;
    assert_int_equal(process_life("/proc", &self, &owner), PROCESS_DEAD);
}

static void other_keys_are_no_owners(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "h",        "h/m",      "h/m-1",
                                      "h/m-1-", "h/m-x-1",  "h/m-1-2x", "h/0123456789abcdef0-1-2",
                                      "/m-1-2", "h//m-1-2", "h/m--1-2", "h/m-01-2"};
    struct process owner;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (mark_owner_parse(bad[i], strlen(bad[i]), &owner))
            fail_msg("'%s'", bad[i]);
    char *long_text = malloc(1000);
    memset(long_text, 'h', 1000);
    assert_false(mark_owner_parse(long_text, 1000, &owner));
    free(long_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owners_are_written_and_read_back),
        cmocka_unit_test(other_keys_are_no_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
