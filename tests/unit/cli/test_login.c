#include "support/test.h"

#include "cli/login.h"
#include "cli/prompt.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

struct fixture {
    char *dir;
    char path[256], log_path[256];
    struct options *options;
    struct run run;
    struct progress progress;
    int log_fd;
    char *environment[1];
    struct cli cli;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = tmpdir_make();
    snprintf(f->path, sizeof f->path, "%s/password", f->dir);
    snprintf(f->log_path, sizeof f->log_path, "%s/log", f->dir);
    f->log_fd = open(f->log_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    f->options = options_new();
    f->run = (struct run){.log = log_new(f->log_fd, LOG_INFO, LOG_TEXT, clock_system()),
                          .cancel = cancel_new(),
                          .clock = clock_system(),
                          .progress = &f->progress};
    f->cli = (struct cli){.run = &f->run, .options = f->options, .environment = f->environment};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    log_free(f->run.log);
    cancel_free(f->run.cancel);
    options_free(f->options);
    close(f->log_fd);
    tmpdir_remove(f->dir);
    free(f);
    return 0;
}

static void write_password(struct fixture *f, const char *text, mode_t mode)
{
    FILE *file = fopen(f->path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(f->path, mode), 0);
    options_set(f->options, OPTION_PASSWORD_FILE, ORIGIN_ARGUMENT, "--password-file", f->path, NULL);
}

static off_t log_bytes(const struct fixture *f)
{
    struct stat st;
    assert_int_equal(fstat(f->log_fd, &st), 0);
    return st.st_size;
}

static void takes_settings_as_they_are(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct login login;
    static const struct {
        enum option_id id;
        const char *text;
    } given[] = {{OPTION_HOST, "db1"},   {OPTION_PORT, "3307"},    {OPTION_USER, "me"},
                 {OPTION_SSL_CA, "/ca"}, {OPTION_SKIP_SSL, "yes"}, {OPTION_CONNECT_TIMEOUT, "7"}};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        options_set(f->options, given[i].id, ORIGIN_ARGUMENT, "here", given[i].text, NULL);
    assert_ok(login_read(&f->cli, &login, &err), &err);
    assert_string_equal(login.params.host, "db1");
    assert_int_equal(login.params.port, 3307);
    assert_string_equal(login.params.user, "me");
    assert_string_equal(login.params.ssl_ca, "/ca");
    assert_true(login.params.ssl_off);
    assert_false(login.params.ssl_no_verify);
    assert_int_equal(login.params.connect_timeout_s, 7);
    assert_null(login.params.password);
    assert_null(login.params.socket);
    login_wipe(&login);
}

static void reads_the_first_line_of_the_file(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *password;
    } cases[] = {
        {"secret\n", "secret"}, {"secret", "secret"}, {"se cret\r\nmore\n", "se cret"}, {" x \n", " x "}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err;
        struct login login;
        write_password(f, cases[i].text, 0600);
        assert_ok(login_read(&f->cli, &login, &err), &err);
        assert_string_equal(login.params.password, cases[i].password);
        login_wipe(&login);
        for (size_t k = 0; k < sizeof login.secret; k++)
            assert_int_equal(login.secret[k], 0);
        assert_null(login.params.password);
    }
    assert_int_equal(log_bytes(f), 0);
}

static void warns_of_a_file_that_others_may_read(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct login login;
    write_password(f, "secret\n", 0640);
    assert_ok(login_read(&f->cli, &login, &err), &err);
    login_wipe(&login);
    assert_true(log_bytes(f) > 0);
}

static void refuses_files_without_a_password(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct login login;
    char longer[LOGIN_SECRET_BYTES + 10];
    write_password(f, "", 0600);
    assert_err(login_read(&f->cli, &login, &err), ERR_CONFIG, &err);
    write_password(f, "\nsecret\n", 0600);
    assert_err(login_read(&f->cli, &login, &err), ERR_CONFIG, &err);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    write_password(f, longer, 0600);
    assert_err(login_read(&f->cli, &login, &err), ERR_CONFIG, &err);
    assert_null(strstr(err.text, "xxx"));
    assert_int_equal(unlink(f->path), 0);
    assert_err(login_read(&f->cli, &login, &err), ERR_CONFIG, &err);
}

/* --- the terminal --- */

struct session {
    struct fixture *f;
    const char *tty;
    struct cancel *cancel;
};

/* The child's exit status: 0 when the answer is the expected one. */
static int answer_secret(void *arg)
{
    struct session *s = arg;
    struct err err = {0};
    struct login login;
    setsid();
    int tty = open(s->tty, O_RDWR);
    if (tty < 0 || ioctl(tty, TIOCSCTTY, 0) != 0)
        return 98;
    options_set(s->f->options, OPTION_PASSWORD, ORIGIN_ARGUMENT, "-p", "yes", NULL);
    enum err_code code = login_read(&s->f->cli, &login, &err);
    if (code != ERR_OK)
        return (int)code;
    return strcmp(login.params.password, "sesame") == 0 ? 0 : 97;
}

static int open_terminal(char name[128])
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    assert_int_equal(ptsname_r(master, name, 128), 0);
    return master;
}

/* Reads from the terminal until text appeared; what came is in seen. */
static void await(int master, const char *text, char seen[1024])
{
    size_t n = 0;
    seen[0] = '\0';
    while (!strstr(seen, text)) {
        ssize_t got = read(master, seen + n, 1023 - n);
        assert_true(got > 0);
        n += (size_t)got;
        seen[n] = '\0';
    }
}

static void asks_for_the_password_without_echo(void **state)
{
    struct session s = {.f = *state};
    char name[128], seen[1024];
    int master = open_terminal(name), status;
    s.tty = name;
    int slave = open(name, O_RDWR | O_NOCTTY); /* keeps the terminal while the child comes and goes */
    pid_t pid = child_start(answer_secret, &s);
    await(master, "Enter password: ", seen);
    struct termios quiet;
    assert_int_equal(tcgetattr(slave, &quiet), 0);
    assert_false(quiet.c_lflag & ECHO);
    assert_int_equal(write(master, "sesame\n", 7), 7);
    await(master, "\n", seen);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(child_exited(status, 0));
    assert_null(strstr(seen, "sesame"));
    assert_int_equal(tcgetattr(slave, &quiet), 0);
    assert_true(quiet.c_lflag & ECHO);
    close(slave);
    close(master);
}

static int without_terminal(void *arg)
{
    struct session *s = arg;
    struct err err = {0};
    struct login login;
    setsid();
    options_set(s->f->options, OPTION_PASSWORD, ORIGIN_ARGUMENT, "-p", "yes", NULL);
    enum err_code code = login_read(&s->f->cli, &login, &err);
    return strstr(err.text, "--password-file") ? (int)code : 97;
}

static void says_what_to_do_without_a_terminal(void **state)
{
    struct session s = {.f = *state};
    assert_true(child_exited(child_run(without_terminal, &s), ERR_CONFIG));
}

static int cancelled_while_asking(void *arg)
{
    struct session *s = arg;
    struct err why, err = {0};
    char answer[16];
    setsid();
    int tty = open(s->tty, O_RDWR);
    if (tty < 0 || ioctl(tty, TIOCSCTTY, 0) != 0)
        return 98;
    err_set(&why, ERR_SIGTERM, "cancelled");
    cancel_fire(s->f->run.cancel, &why);
    return (int)prompt_line(s->f->run.cancel, "? ", true, answer, sizeof answer, &err);
}

static void a_signal_ends_the_question(void **state)
{
    struct session s = {.f = *state};
    char name[128];
    int master = open_terminal(name);
    s.tty = name;
    assert_true(child_exited(child_run(cancelled_while_asking, &s), ERR_SIGTERM));
    close(master);
}

/* Answers a confirmation; gives ERR_OK or ERR_REFUSED. */
static int confirm(void *arg)
{
    struct session *s = arg;
    struct err err = {0};
    setsid();
    int tty = open(s->tty, O_RDWR);
    if (tty < 0 || ioctl(tty, TIOCSCTTY, 0) != 0 || dup2(tty, STDIN_FILENO) < 0)
        return 98;
    return (int)prompt_confirm(&s->f->cli, "this drops all", &err);
}

static void confirmation_wants_a_yes(void **state)
{
    static const struct {
        const char *answer;
        enum err_code code;
    } cases[] = {{"y\n", ERR_OK},
                 {"yes\n", ERR_OK},
                 {"n\n", ERR_REFUSED},
                 {"\n", ERR_REFUSED},
                 {"Yes!\n", ERR_REFUSED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct session s = {.f = *state};
        char name[128], seen[1024];
        int status, master = open_terminal(name);
        s.tty = name;
        int slave = open(name, O_RDWR | O_NOCTTY);
        pid_t pid = child_start(confirm, &s);
        await(master, "this drops all. Go on? [y/N] ", seen);
        assert_int_equal(write(master, cases[i].answer, strlen(cases[i].answer)),
                         (ssize_t)strlen(cases[i].answer));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(child_exited(status, (int)cases[i].code));
        close(slave);
        close(master);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_settings_as_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_the_first_line_of_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(warns_of_a_file_that_others_may_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_files_without_a_password, set_up, tear_down),
        cmocka_unit_test_setup_teardown(asks_for_the_password_without_echo, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_what_to_do_without_a_terminal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_signal_ends_the_question, set_up, tear_down),
        cmocka_unit_test_setup_teardown(confirmation_wants_a_yes, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("cli/login", tests, NULL, NULL);
}
