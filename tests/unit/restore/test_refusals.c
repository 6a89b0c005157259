#include "support/test.h"

#include "restore/refusals.h"

#include <string.h>

static void reasons_are_kept_once(void **state)
{
    (void)state;
    struct findings f = {0};
    struct err err;
    refuse(&f, "%s is a view", "shop.t");
    refuse(&f, "%d others", 3);
    refuse(&f, "%s is a view", "shop.t");
    refuse(&f, "%s is a", "shop.t");
    refuse(&f, "%s", "x\ny"); /* names may hold line feeds */
    refuse(&f, "%s", "x");
    assert_int_equal(findings_count(&f, FINDING_REFUSAL), 5);
    assert_err(findings_check(&f, "restore", &err), ERR_REFUSED, &err);
    assert_string_equal(err.text, "restore: refused, nothing was changed:\n  shop.t is a view\n  3 others\n"
                                  "  shop.t is a\n  x\ny\n  x");
    findings_free(&f);
}

static void long_reasons_do_not_burst(void **state)
{
    (void)state;
    struct findings f = {0};
    struct err err;
    char name[3000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 2000; i++)
        refuse(&f, "%d %s is in the way", i, name);
    assert_int_equal(findings_count(&f, FINDING_REFUSAL), 2000);
    assert_err(findings_check(&f, "undo", &err), ERR_REFUSED, &err);
    assert_non_null(strstr(err.text, " more"));
    findings_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_are_kept_once),
        cmocka_unit_test(long_reasons_do_not_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
