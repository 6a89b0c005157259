#include "support/test.h"

#include "cli/restore_settings.h"

#include <string.h>

static struct options *parse(const char *const *argv)
{
    struct options *o = options_new();
    struct err err;
    int argc = 0;
    while (argv[argc])
        argc++;
    assert_ok(options_parse(o, argc, (char *const *)argv, &err), &err);
    return o;
}

static void what_restore_is_asked(void **state)
{
    (void)state;
    struct restore_settings s;
    struct err err;
    struct options *o = parse((const char *const[]){"dbsafe",
                                                    "restore",
                                                    "a.tar",
                                                    "--into",
                                                    "a=b,c=d",
                                                    "--if-exists",
                                                    "fail",
                                                    "--no-verify",
                                                    "--tables",
                                                    "x.*",
                                                    "--lock-timeout",
                                                    "7",
                                                    "--map-collation",
                                                    "a_b=a_c,a_d=a_e",
                                                    "--staging-schema",
                                                    "st",
                                                    "--undo-schema",
                                                    "un",
                                                    "--kill-blockers",
                                                    "--threads",
                                                    "3",
                                                    NULL});
    assert_ok(restore_settings_read(o, "a.tar", &s, &err), &err);
    assert_int_equal(s.options.into_count, 2);
    assert_string_equal(s.options.into[3], "d");
    assert_int_equal(s.options.if_exists, IF_EXISTS_FAIL);
    assert_false(s.options.verify);
    assert_true(s.options.kill_blockers);
    assert_false(s.options.assume_no_outside_fks || s.options.resume || s.options.dry_run);
    assert_int_equal(s.options.table_count, 1);
    assert_int_equal(s.options.lock_timeout_s, 7);
    assert_int_equal(s.options.threads, 3);
    assert_int_equal(s.options.map_collation_count, 2);
    assert_string_equal(s.options.map_collations[1], "a_d=a_e");
    assert_string_equal(s.options.staging_schema, "st");
    assert_string_equal(s.options.undo_schema, "un");
    assert_string_equal(s.options.archive_name, "a.tar");
    restore_settings_free(&s);
    options_free(o);
}

static void what_it_does_by_itself(void **state)
{
    (void)state;
    struct restore_settings s;
    struct err err;
    struct options *o = parse((const char *const[]){"dbsafe", "doctor", "a.tar", NULL});
    assert_ok(restore_settings_read(o, "a.tar", &s, &err), &err);
    assert_int_equal(s.options.if_exists, IF_EXISTS_SWAP);
    assert_true(s.options.verify);
    assert_int_equal(s.options.into_count, 0);
    assert_int_equal(s.options.map_collation_count, 0);
    restore_settings_free(&s);
    options_free(o);
}

static void what_is_refused(void **state)
{
    (void)state;
    struct restore_settings s;
    struct err err;
    struct options *o = parse((const char *const[]){"dbsafe", "restore", "a.tar", "--into", "a=b,c", NULL});
    assert_err(restore_settings_read(o, "a.tar", &s, &err), ERR_USAGE, &err);
    restore_settings_free(&s);
    options_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_restore_is_asked),
        cmocka_unit_test(what_it_does_by_itself),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
