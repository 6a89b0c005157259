#include "support/test.h"

#include "cli/login.h"
#include "cli/option_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct fixture {
    char *dir;
    char path[256], log_path[256];
    int log_fd;
    struct log *log;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = tmpdir_make();
    snprintf(f->path, sizeof f->path, "%s/.my.cnf", f->dir);
    snprintf(f->log_path, sizeof f->log_path, "%s/log", f->dir);
    f->log_fd = open(f->log_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    f->log = log_new(f->log_fd, LOG_INFO, LOG_TEXT, clock_system());
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    log_free(f->log);
    close(f->log_fd);
    tmpdir_remove(f->dir);
    free(f);
    return 0;
}

static void write_file(const struct fixture *f, const char *text, mode_t mode)
{
    FILE *file = fopen(f->path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(f->path, mode), 0);
}

static off_t log_bytes(const struct fixture *f)
{
    struct stat st;
    assert_int_equal(fstat(f->log_fd, &st), 0);
    return st.st_size;
}

static void names_the_line_that_is_none(void **state)
{
    static const struct {
        const char *text, *where; /* NULL: good */
    } cases[] = {
        {"", NULL},
        {"\n# comment\n; another\n  [client]\nuser = root\npassword=s e c=r]et\n\tskip-ssl\nport=3306 # "
         "here\n"
         "!include /etc/none.cnf\n[mysqld]\nwhat ever this is\n",
         NULL},
        {"[dbsafe]\r\nuser=root\r\n", NULL},
        {"user=root\n", "line 1: a setting before any group"},
        {"nonsense line\n[client\nuser=root\n", "line 1: a setting before any group"},
        {"[client\nuser=root\n", "line 1: a group that has no ']'"},
        {"[client]\nuser=root\n[mysqldump\n", "line 3: a group that has no ']'"},
        {"[client]\nuser root\n", "line 2: neither a group nor a setting"},
        {"[dbsafe]\n\n= s3cret\n", "line 3: neither a group nor a setting"},
        {"[client]\n\"s3cret\n", "line 2: neither a group nor a setting"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {.code = ERR_OK};
        write_file(f, cases[i].text, 0600);
        enum err_code code = option_file_check(f->path, f->log, &err);
        if (!cases[i].where) {
            assert_ok(code, &err);
            continue;
        }
        assert_err(code, ERR_CONFIG, &err);
        assert_non_null(strstr(err.text, cases[i].where));
        assert_non_null(strstr(err.text, f->path));
        assert_null(strstr(err.text, "s3cret"));
        assert_err(option_file_check_standard(f->dir, f->log, &err), ERR_CONFIG, &err);
    }
    assert_int_equal(log_bytes(f), 0);
}

static void warns_of_a_password_that_others_may_read(void **state)
{
    struct fixture *f = *state;
    struct err err;
    write_file(f, "[client]\nuser=root\n[mysqld]\npassword=x\n", 0666);
    assert_ok(option_file_check(f->path, f->log, &err), &err);
    assert_int_equal(log_bytes(f), 0);
    write_file(f, "[client]\npassword = x\n", 0640);
    assert_ok(option_file_check(f->path, f->log, &err), &err);
    assert_true(log_bytes(f) > 0);
}

static void leaves_what_is_not_there_to_others(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_ok(option_file_check("/nonexistent/my.cnf", f->log, &err), &err);
    assert_ok(option_file_check(f->dir, f->log, &err), &err);
    assert_ok(option_file_check_standard(NULL, f->log, &err), &err);
}

/* Before anything is connected to. */
static void a_login_refuses_it(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct login login;
    struct progress progress = {.rows = 0};
    struct run run = {.log = f->log, .cancel = cancel_new(), .clock = clock_system(), .progress = &progress};
    char home[300];
    char *environment[] = {home, NULL};
    struct options *options = options_new();
    struct cli cli = {.run = &run, .options = options, .environment = environment};
    snprintf(home, sizeof home, "HOME=%s", f->dir);
    write_file(f, "[client\nuser=root\n", 0600);
    assert_err(login_read(&cli, &login, &err), ERR_CONFIG, &err);
    options_set(options, OPTION_DEFAULTS_FILE, ORIGIN_ARGUMENT, "--defaults-file", f->path, NULL);
    assert_err(login_read(&cli, &login, &err), ERR_CONFIG, &err);
    write_file(f, "[client]\nuser=root\n", 0600);
    assert_ok(login_read(&cli, &login, &err), &err);
    login_wipe(&login);
    options_free(options);
    cancel_free(run.cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_the_line_that_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(warns_of_a_password_that_others_may_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leaves_what_is_not_there_to_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_login_refuses_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
