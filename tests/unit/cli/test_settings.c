#include "support/test.h"

#include "cli/settings.h"

#include <string.h>

static void into_pairs(void **state)
{
    (void)state;
    struct err err;
    const char **pairs;
    const char *const one[] = {"scratch"};
    const char *const two[] = {"a=b", "c=d=e"};
    assert_ok(settings_into(one, 1, &pairs, &err), &err);
    assert_null(pairs[0]);
    assert_string_equal(pairs[1], "scratch");
    free(pairs);
    assert_ok(settings_into(two, 2, &pairs, &err), &err);
    assert_string_equal(pairs[0], "a");
    assert_string_equal(pairs[1], "b");
    assert_string_equal(pairs[2], "c");
    assert_string_equal(pairs[3], "d=e");
    free(pairs);
    assert_ok(settings_into(NULL, 0, &pairs, &err), &err);
    free(pairs);
}

/* 64 characters of two bytes each. */
#define EIGHT "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
#define LONG  EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT

static void into_counts_characters(void **state)
{
    (void)state;
    const char *const items[] = {LONG}, **pairs;
    struct err err;
    assert_ok(settings_into(items, 1, &pairs, &err), &err);
    free(pairs);
}

static void into_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *items[2];
        unsigned count;
        const char *says;
    } cases[] = {
        {{"a", "b"}, 2, "'a' is not OLD=NEW"},     {{"a=b", "c"}, 2, "'c' is not OLD=NEW"},
        {{"=b", NULL}, 1, "lacks a name"},         {{"a=", NULL}, 1, "lacks a name"},
        {{"a=b", "a=c"}, 2, "'a' is given twice"}, {{"a=" LONG "x", NULL}, 1, "longer than the 64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err;
        const char **pairs;
        assert_err(settings_into(cases[i].items, cases[i].count, &pairs, &err), ERR_USAGE, &err);
        if (!strstr(err.text, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].says);
        free(pairs);
    }
}

static void threads(void **state)
{
    (void)state;
    struct options *o = options_new();
    unsigned found = settings_threads(o);
    assert_true(found >= 1 && found <= 4);
    options_set(o, OPTION_THREADS, ORIGIN_ARGUMENT, "--threads", "9", NULL);
    assert_int_equal(settings_threads(o), 9);
    options_free(o);
}

/* Only what this command line says: a configuration file is for many commands. */
static void what_does_nothing_is_refused(void **state)
{
    (void)state;
    static const enum option_id ids[] = {OPTION_RTO, OPTION_REQUIRE_RTO};
    struct err err;
    struct options *o = options_new();
    assert_ok(settings_check_needs(o, OPTION_ESTIMATE, ids, 2, &err), &err);
    options_set(o, OPTION_RTO, ORIGIN_FILE, "rto", "5", NULL);
    assert_ok(settings_check_needs(o, OPTION_ESTIMATE, ids, 2, &err), &err);
    options_set(o, OPTION_RTO, ORIGIN_ARGUMENT, "--rto", "5", NULL);
    assert_err(settings_check_needs(o, OPTION_ESTIMATE, ids, 2, &err), ERR_USAGE, &err);
    assert_non_null(strstr(err.text, "--rto does nothing without --estimate"));
    options_set(o, OPTION_ESTIMATE, ORIGIN_ARGUMENT, "--estimate", "yes", NULL);
    assert_ok(settings_check_needs(o, OPTION_ESTIMATE, ids, 2, &err), &err);
    options_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(into_pairs),
        cmocka_unit_test(into_counts_characters),
        cmocka_unit_test(into_refuses),
        cmocka_unit_test(threads),
        cmocka_unit_test(what_does_nothing_is_refused),
    };
    return cmocka_run_group_tests_name("cli/settings", tests, NULL, NULL);
}
