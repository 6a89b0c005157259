#include "support/test.h"

#include "core/findings.h"

#include <stdio.h>
#include <string.h>

static void nothing_found(void **state)
{
    (void)state;
    struct findings f = {0};
    struct err err;
    assert_ok(findings_check(&f, "restore", &err), &err);
    findings_add(&f, FINDING_WARNING, "space", NULL, "only %d bytes", 5);
    findings_add(&f, FINDING_OK, "server", NULL, "fine");
    assert_ok(findings_check(&f, "restore", &err), &err);
    assert_int_equal(findings_count(&f, FINDING_WARNING), 1);
    findings_free(&f);
    assert_int_equal(f.count, 0);
}

static void refusals_are_told_together(void **state)
{
    (void)state;
    struct findings f = {0};
    struct err err;
    for (int i = 0; i < 40; i++)
        findings_add(&f, FINDING_REFUSAL, "privileges", i ? NULL : "GRANT X", "missing %d", i);
    findings_add(&f, FINDING_REFUSAL, "privileges", NULL, "missing 3"); /* said already */
    findings_add(&f, FINDING_REFUSAL, "space", NULL, "missing 3");      /* about something else */
    findings_add(&f, FINDING_NOTE, "space", NULL, "a note");
    assert_int_equal(findings_count(&f, FINDING_REFUSAL), 41);
    assert_err(findings_check(&f, "restore", &err), ERR_REFUSED, &err);
    assert_non_null(
        strstr(err.text, "restore: refused, nothing was changed:\n  missing 0: GRANT X\n  missing 1\n"));
    assert_non_null(strstr(err.text, "\n  missing 39\n  missing 3"));
    assert_null(strstr(err.text, "a note"));
    findings_free(&f);
}

static void what_does_not_fit_is_counted(void **state)
{
    (void)state;
    struct findings f = {0};
    struct err err;
    for (int i = 0; i < 200; i++)
        findings_add(&f, FINDING_REFUSAL, "tables", NULL, "reason %03d %0*d", i, 80, 0);
    assert_err(findings_check(&f, "restore", &err), ERR_REFUSED, &err);
    unsigned told = 0, more = 0;
    for (const char *p = err.text; (p = strstr(p, "\n  reason ")); p++, told++)
        assert_int_equal(strspn(strchr(p + 10, ' ') + 1, "0"), 80); /* whole */
    assert_int_equal(sscanf(strrchr(err.text, '\n'), "\n  and %u more", &more), 1);
    assert_int_equal(told + more, 200);
    assert_true(told > 30);
    findings_free(&f);
}

static void levels_have_names(void **state)
{
    (void)state;
    assert_string_equal(finding_level_name(FINDING_OK), "ok");
    assert_string_equal(finding_level_name(FINDING_NOTE), "note");
    assert_string_equal(finding_level_name(FINDING_WARNING), "warning");
    assert_string_equal(finding_level_name(FINDING_REFUSAL), "refusal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_found),
        cmocka_unit_test(refusals_are_told_together),
        cmocka_unit_test(what_does_not_fit_is_counted),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
