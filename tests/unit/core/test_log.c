#include "support/test.h"

#include "core/group.h"
#include "core/log.h"

#include <fcntl.h>
#include <string.h>

static int64_t fixed_time(void *self)
{
    (void)self;
    return 1795460645123;
}

static const struct clock test_clock = {fixed_time, fixed_time, NULL};

struct fixture {
    int fds[2];
    struct log *log;
    char text[65536]; /* the last that was read */
};

static void open_log(struct fixture *f, enum log_level level, enum log_format format)
{
    assert_int_equal(pipe2(f->fds, O_CLOEXEC | O_NONBLOCK), 0);
    f->log = log_new(f->fds[1], level, format, &test_clock);
}

static void close_log(struct fixture *f)
{
    log_free(f->log);
    close(f->fds[0]);
    close(f->fds[1]);
}

static const char *written(struct fixture *f)
{
    ssize_t n = read(f->fds[0], f->text, sizeof f->text - 1);
    f->text[n < 0 ? 0 : n] = '\0';
    return f->text;
}

static void text_lines(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, LOG_DEBUG, LOG_TEXT);
    log_error(f.log, "no %s", "table");
    log_warn(f.log, "slow");
    log_info(f.log, "%d rows", 5);
    log_debug(f.log, "detail");
    assert_string_equal(written(&f), "dbsafe: error: no table\ndbsafe: warning: slow\ndbsafe: 5 rows\n"
                                     "dbsafe: debug: detail\n");
    close_log(&f);
}

static void json_lines(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, LOG_INFO, LOG_JSON);
    log_warn(f.log, "a \"name\"\n\xFF");
    log_info(f.log, "fine");
    log_debug(f.log, "not wanted");
    log_status(f.log, "not for machines");
    assert_string_equal(written(&f),
                        "{\"time\":\"2026-11-23T19:04:05Z\",\"level\":\"warning\","
                        "\"message\":\"a \\\"name\\\"\\n\xEF\xBF\xBD\"}\n"
                        "{\"time\":\"2026-11-23T19:04:05Z\",\"level\":\"info\",\"message\":\"fine\"}\n");
    close_log(&f);
}

static void only_the_wanted_levels(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, LOG_WARN, LOG_TEXT);
    log_info(f.log, "not wanted");
    log_warn(f.log, "wanted");
    assert_string_equal(written(&f), "dbsafe: warning: wanted\n");
    assert_true(log_wants(f.log, LOG_ERROR));
    assert_false(log_wants(f.log, LOG_INFO));
    close_log(&f);
    log_error(NULL, "nobody listens");
    log_status(NULL, "nobody looks");
    assert_false(log_wants(NULL, LOG_ERROR));
    log_free(NULL);
}

static void the_status_line_stays_at_the_bottom(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, LOG_INFO, LOG_TEXT);
    log_status(f.log, "");
    assert_string_equal(written(&f), "");
    log_status(f.log, "10%");
    assert_string_equal(written(&f), "\r10%\033[K");
    log_info(f.log, "table done");
    assert_string_equal(written(&f), "\r\033[Kdbsafe: table done\n10%");
    log_status(f.log, "20%");
    assert_string_equal(written(&f), "\r20%\033[K");
    log_status(f.log, "");
    assert_string_equal(written(&f), "\r\033[K");
    log_info(f.log, "end");
    assert_string_equal(written(&f), "dbsafe: end\n");
    close_log(&f);
}

static void names_cannot_forge_lines_or_control_the_terminal(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f, LOG_INFO, LOG_TEXT);
    log_info(f.log, "table %s", "a\ndbsafe: error: b\033[2J\t\x7f");
    assert_string_equal(written(&f), "dbsafe: table a\n  dbsafe: error: b?[2J??\n");
    close_log(&f);
}

static void very_long_messages_are_cut(void **state)
{
    (void)state;
    struct fixture f;
    char *text = calloc(1, 20001);
    memset(text, '\n', 20000); /* what grows most, with the longest status line */
    open_log(&f, LOG_INFO, LOG_TEXT);
    log_status(f.log, text);
    log_info(f.log, "%s", text);
    const char *line = written(&f);
    assert_true(strlen(line) > 8000 && strlen(line) < 65000);
    close_log(&f);
    memset(text, 1, 20000);
    open_log(&f, LOG_INFO, LOG_JSON);
    log_info(f.log, "%s", text);
    line = written(&f);
    assert_true(strlen(line) > 8000 && line[strlen(line) - 1] == '\n');
    close_log(&f);
    free(text);
}

static enum err_code log_much(void *arg, struct err *err)
{
    (void)err;
    for (int i = 0; i < 200; i++)
        log_info(arg, "%0100d", i);
    return ERR_OK;
}

static void lines_of_many_threads_do_not_mix(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    FILE *file = tmpfile();
    struct log *log = log_new(fileno(file), LOG_INFO, LOG_TEXT, &test_clock);
    struct err err;
    for (int i = 0; i < 4; i++)
        assert_ok(group_spawn(g, "log", log_much, log, &err), &err);
    assert_ok(group_join(g, &err), &err);
    char line[300];
    int lines = 0;
    rewind(file);
    for (; fgets(line, sizeof line, file) != NULL; lines++) {
        assert_int_equal(strlen(line), strlen("dbsafe: ") + 100 + 1);
        assert_memory_equal(line, "dbsafe: 0", 9);
    }
    assert_int_equal(lines, 800);
    fclose(file);
    log_free(log);
    group_free(g);
    cancel_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(only_the_wanted_levels),
        cmocka_unit_test(the_status_line_stays_at_the_bottom),
        cmocka_unit_test(names_cannot_forge_lines_or_control_the_terminal),
        cmocka_unit_test(very_long_messages_are_cut),
        cmocka_unit_test(lines_of_many_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
