#include "support/test.h"

#include "restore/refusals.h"

#include <string.h>

static void no_reason_is_no_refusal(void **state)
{
    (void)state;
    struct refusals r;
    struct err err = {.code = ERR_OK, .text = ""};
    refusals_begin(&r);
    assert_ok(refusals_end(&r, "restore", &err), &err);
}

static void all_reasons_come_at_once(void **state)
{
    (void)state;
    struct refusals r;
    struct err err;
    refusals_begin(&r);
    refuse(&r, "%s is a view", "shop.t");
    refuse(&r, "%d others", 3);
    refuse(&r, "%s is a view", "shop.t");
    refuse(&r, "%s is a", "shop.t");
    assert_err(refusals_end(&r, "restore", &err), ERR_REFUSED, &err);
    assert_string_equal(
        err.text, "restore: refused, nothing was changed:\n  shop.t is a view\n  3 others\n  shop.t is a");
    assert_int_equal(r.count, 3);
}

static void names_may_hold_line_feeds(void **state)
{
    (void)state;
    struct refusals r;
    struct err err;
    refusals_begin(&r);
    for (int i = 0; i < 2; i++) {
        refuse(&r, "%s", "x\ny");
        refuse(&r, "%s", "x\n");
        refuse(&r, "%s", "z");
    }
    assert_true(r.count >= 3);
    assert_err(refusals_end(&r, "undo", &err), ERR_REFUSED, &err);
}

static void long_reasons_do_not_burst(void **state)
{
    (void)state;
    struct refusals r;
    struct err err;
    char name[3000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    refusals_begin(&r);
    for (int i = 0; i < 2000; i++)
        refuse(&r, "%d %s is in the way", i, name);
    assert_int_equal(r.count, 2000);
    assert_err(refusals_end(&r, "undo", &err), ERR_REFUSED, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_reason_is_no_refusal),
        cmocka_unit_test(all_reasons_come_at_once),
        cmocka_unit_test(names_may_hold_line_feeds),
        cmocka_unit_test(long_reasons_do_not_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
