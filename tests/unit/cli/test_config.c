#include "support/test.h"

#include "cli/config.h"

#include <string.h>
#include <sys/stat.h>

struct fixture {
    char *dir;
    char path[256];
    struct options *options;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = tmpdir_make();
    f->options = options_new();
    snprintf(f->path, sizeof f->path, "%s/dbsafe.conf", f->dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    options_free(f->options);
    tmpdir_remove(f->dir);
    free(f);
    return 0;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static const char *const whole = "# comment\n"
                                 "threads = 2\n"
                                 "  label = weekly\n"
                                 "exclude = a, b\n"
                                 "[dbsafe]\n"
                                 "\tcompress-level = 5 ; five\n"
                                 "exclude = c\n"
                                 "[profile fast]\n"
                                 "compress-level = 9\n"
                                 "verify = no\n"
                                 "[profile slow]\n"
                                 "compress-level = 19\n";

static void reads_keys_and_the_chosen_profile(void **state)
{
    struct fixture *f = *state;
    struct err err;
    unsigned count;
    write_file(f->path, whole);
    assert_ok(config_read_file(f->options, f->path, "fast", &err), &err);
    assert_int_equal(options_number(f->options, OPTION_THREADS), 2);
    assert_string_equal(options_text(f->options, OPTION_LABEL), "weekly");
    assert_int_equal(options_number(f->options, OPTION_COMPRESS_LEVEL), 9);
    assert_false(options_flag(f->options, OPTION_VERIFY));
    const char *const *items = options_items(f->options, OPTION_EXCLUDE, &count);
    assert_int_equal(count, 3);
    assert_string_equal(items[1], "b");
}

static void leaves_other_profiles_alone(void **state)
{
    struct fixture *f = *state;
    struct err err;
    write_file(f->path, whole);
    assert_ok(config_read_file(f->options, f->path, NULL, &err), &err);
    assert_int_equal(options_number(f->options, OPTION_COMPRESS_LEVEL), 5);
    assert_true(options_flag(f->options, OPTION_VERIFY));
}

/* The whole ladder: each step is read first once, and loses to the one above. */
static void argument_environment_profile_file_default(void **state)
{
    struct fixture *f = *state;
    struct err err;
    char *const environment[] = {"DBSAFE_THREADS=4", "DBSAFE_COMPRESS_LEVEL=4", NULL};
    char *const argv[] = {"dbsafe", "dump", "x", "--threads=5"};
    write_file(f->path, "threads=2\ncompress-level=2\nlock-timeout=2\nconnect-timeout=2\n"
                        "[profile p]\nthreads=3\ncompress-level=3\nlock-timeout=3\n");
    assert_ok(options_parse(f->options, 4, argv, &err), &err);
    assert_ok(options_read_environment(f->options, environment, &err), &err);
    assert_ok(config_read_file(f->options, f->path, "p", &err), &err);
    assert_int_equal(options_number(f->options, OPTION_THREADS), 5);
    assert_int_equal(options_number(f->options, OPTION_COMPRESS_LEVEL), 4);
    assert_int_equal(options_number(f->options, OPTION_LOCK_TIMEOUT), 3);
    assert_int_equal(options_number(f->options, OPTION_CONNECT_TIMEOUT), 2);
    assert_int_equal(options_number(f->options, OPTION_UPLOADERS), 4);
}

static void names_file_line_and_key(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"threads = 2\n\ncolour = red\n", "dbsafe.conf:3: unknown key 'colour'"},
        {"threads = many\n", "dbsafe.conf:1: threads: 'many' is not a number from 1 to 64"},
        {"[profile other]\n\nthreads = many\n", "dbsafe.conf:3: threads: 'many'"},
        {"[profile other]\ncolour = red\n", "dbsafe.conf:2: unknown key 'colour'"},
        {"[client]\nuser = me\n", "dbsafe.conf:2: unknown section [client]"},
        {"[profile ]\nthreads = 1\n", "unknown section [profile"},
        {"user = me\n", "dbsafe.conf:1: 'user' belongs into a MariaDB option file"},
        {"password = me\n", "dbsafe.conf:1: 'password' belongs into a MariaDB option file"},
        {"yes = yes\n", "dbsafe.conf:1: 'yes' can be given on the command line only"},
        {"threads\n", "dbsafe.conf:1: neither '[section]' nor 'key = value'"},
        {"threads = 1\n[profile x\n", "dbsafe.conf:2: neither"},
        {"threads =\n", "dbsafe.conf:1: threads: the value is empty"},
        {"verify = maybe\n", "dbsafe.conf:1: verify: 'maybe' is neither yes nor no"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err;
        write_file(f->path, cases[i].text);
        assert_err(config_read_file(f->options, f->path, NULL, &err), ERR_CONFIG, &err);
        if (!strstr(err.text, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].says);
    }
}

static void refuses_long_lines(void **state)
{
    struct fixture *f = *state;
    struct err err;
    char text[1024] = "threads = 1\nstore = /";
    size_t n = strlen(text);
    memset(text + n, 'x', 700);
    strcpy(text + n + 700, "\n");
    write_file(f->path, text);
    assert_err(config_read_file(f->options, f->path, NULL, &err), ERR_CONFIG, &err);
    assert_non_null(strstr(err.text, "dbsafe.conf:2: the line is longer than"));
}

static void demands_the_named_profile_and_file(void **state)
{
    struct fixture *f = *state;
    struct err err;
    write_file(f->path, whole);
    assert_err(config_read_file(f->options, f->path, "absent", &err), ERR_CONFIG, &err);
    assert_non_null(strstr(err.text, "no section [profile absent]"));
    assert_err(config_read_file(f->options, "/nonexistent/dbsafe.conf", NULL, &err), ERR_CONFIG, &err);
}

static void finds_the_users_file(void **state)
{
    struct fixture *f = *state;
    struct err err;
    char path[512], home[512], xdg[512];
    snprintf(home, sizeof home, "HOME=%s", f->dir);
    snprintf(xdg, sizeof xdg, "XDG_CONFIG_HOME=%s/xdg", f->dir);
    snprintf(path, sizeof path, "%s/.config", f->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    strcat(path, "/dbsafe");
    assert_int_equal(mkdir(path, 0700), 0);
    strcat(path, "/dbsafe.conf");
    write_file(path, "threads = 11\n");
    char *const with_xdg[] = {home, xdg, NULL};
    char *const with_home[] = {home, NULL};
    if (access("/etc/dbsafe.conf", F_OK) != 0) {
        assert_ok(config_read(f->options, with_xdg, &err), &err);
        assert_int_equal(options_number(f->options, OPTION_THREADS), 0);
    }
    assert_ok(config_read(f->options, with_home, &err), &err);
    assert_int_equal(options_number(f->options, OPTION_THREADS), 11);
}

static void takes_the_named_file(void **state)
{
    struct fixture *f = *state;
    struct err err;
    char *const environment[] = {NULL};
    write_file(f->path, "threads = 12\n");
    assert_ok(options_set(f->options, OPTION_CONFIG, ORIGIN_ARGUMENT, "--config", f->path, &err), &err);
    assert_ok(config_read(f->options, environment, &err), &err);
    assert_int_equal(options_number(f->options, OPTION_THREADS), 12);
}

/* Every key of the example is one, with the value it would have to be useful, and every key is in it. */
static void the_example_is_right(void **state)
{
    struct fixture *f = *state;
    struct err err;
    char line[512];
    bool seen[OPTION_TOTAL] = {false};
    FILE *example = fopen("docs/dbsafe.conf.example", "re"), *active = fopen(f->path, "we");
    assert_non_null(example);
    assert_non_null(active);
    while (fgets(line, sizeof line, example)) {
        char key[64];
        bool setting = sscanf(line, "# %63[a-z-] =", key) == 1 && option_find(key) != OPTION_TOTAL;
        if (setting)
            seen[option_find(key)] = true;
        fputs(setting || strncmp(line, "# [", 3) == 0 ? line + 2 : line, active);
    }
    fclose(example);
    assert_int_equal(fclose(active), 0);
    assert_ok(config_read_file(f->options, f->path, "production", &err), &err);
    for (enum option_id id = 0; id < OPTION_TOTAL; id++)
        if (seen[id] != ((option_spec(id)->from & FROM_FILE) != 0))
            fail_msg("docs/dbsafe.conf.example: '%s'", option_spec(id)->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_keys_and_the_chosen_profile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leaves_other_profiles_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(argument_environment_profile_file_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_file_line_and_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_long_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(demands_the_named_profile_and_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_the_users_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_the_named_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_example_is_right, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("cli/config", tests, NULL, NULL);
}
