#include "support/test.h"

#include "core/text.h"

static void texts_that_may_be_missing(void **state)
{
    (void)state;
    const char one[] = "a", other[] = "a";
    assert_true(text_equal(one, other));
    assert_true(text_equal(NULL, NULL));
    assert_false(text_equal("a", "A"));
    assert_false(text_equal(NULL, "a"));
    assert_false(text_equal("", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_may_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
