#include "support/test.h"

#include "core/environment.h"

static void finds_whole_names_and_takes_empty_for_unset(void **state)
{
    (void)state;
    char *environment[] = {"AB=1", "A=2", "EMPTY=", "EQUALS=x=y", "NOVALUE", NULL};
    assert_string_equal(environment_get(environment, "A"), "2");
    assert_string_equal(environment_get(environment, "AB"), "1");
    assert_string_equal(environment_get(environment, "EQUALS"), "x=y");
    assert_null(environment_get(environment, "EMPTY"));
    assert_null(environment_get(environment, "NOVALUE"));
    assert_null(environment_get(environment, "ABC"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_whole_names_and_takes_empty_for_unset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
