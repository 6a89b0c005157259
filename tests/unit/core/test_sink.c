#include "support/test.h"

#include "core/group.h"
#include "core/sink.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MUCH (1 << 20) /* bytes: more than a pipe holds */

static enum err_code read_all(void *arg, struct err *err)
{
    int fd = *(int *)arg;
    size_t total = 0;
    for (;;) {
        unsigned char data[5000];
        ssize_t n = read(fd, data, sizeof data);
        if (n == 0)
            break;
        if (n < 0)
            return err_set(err, ERR_INTERNAL, "read failed");
        for (ssize_t i = 0; i < n; i++, total++)
            if (data[i] != total % 251)
                return err_set(err, ERR_INTERNAL, "byte %zu is %d", total, data[i]);
    }
    return total == MUCH ? ERR_OK : err_set(err, ERR_INTERNAL, "%zu bytes came", total);
}

/* A pipe takes less than is written at once, and a non-blocking one refuses in between. */
static void write_through_pipe(int flags)
{
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    struct err err;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, flags), 0);
    assert_ok(group_spawn(g, "read", read_all, &fds[0], &err), &err);
    unsigned char *data = malloc(MUCH);
    for (size_t i = 0; i < MUCH; i++)
        data[i] = (unsigned char)(i % 251);
    struct sink *s = sink_fd_new(fds[1], "pipe", c);
    assert_ok(sink_write(s, data, 0, &err), &err);
    assert_ok(sink_write(s, data, MUCH, &err), &err);
    assert_ok(sink_commit(s, &err), &err);
    sink_free(s);
    assert_int_equal(close(fds[1]), 0); /* still the caller's */
    assert_ok(group_join(g, &err), &err);
    close(fds[0]);
    free(data);
    group_free(g);
    cancel_free(c);
}

static void everything_arrives_through_a_pipe(void **state)
{
    (void)state;
    write_through_pipe(0);
    write_through_pipe(O_NONBLOCK);
}

static void a_reader_that_went_away_is_an_error(void **state)
{
    (void)state;
    int fds[2];
    struct err err;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    close(fds[0]);
    struct sink *s = sink_fd_new(fds[1], "standard output", NULL);
    assert_err(sink_write(s, "x", 1, &err), ERR_STORAGE, &err);
    assert_string_equal(err.text, "cannot write standard output: Broken pipe");
    sink_free(s);
    close(fds[1]);
}

static enum err_code write_much(void *arg, struct err *err)
{
    char *data = calloc(1, MUCH);
    enum err_code rc = sink_write(arg, data, MUCH, err);
    free(data);
    return rc;
}

/* The reader is there but does not read: only the token ends the wait, whatever the pipe still takes. */
static void a_reader_that_does_not_read_is_waited_for_until_cancelled(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    struct err err, why;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    struct sink *s = sink_fd_new(fds[1], "standard output", c);
    assert_ok(group_spawn(g, "write", write_much, s, &err), &err);
    struct pollfd filled = {.fd = fds[0], .events = POLLIN};
    assert_int_equal(poll(&filled, 1, 10000), 1);
    err_set(&why, ERR_SIGTERM, "cancelled");
    cancel_fire(c, &why);
    assert_err(group_join(g, &err), ERR_SIGTERM, &err);
    sink_free(s);
    close(fds[0]);
    close(fds[1]);
    group_free(g);
    cancel_free(c);
}

static void a_full_disk_is_said_with_what_to_do(void **state)
{
    (void)state;
    struct err err;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    struct sink *s = sink_fd_new(fd, "archive", NULL);
    assert_err(sink_write(s, "x", 1, &err), ERR_NOSPACE, &err);
    assert_non_null(strstr(err.text, "cannot write archive: No space left on device; make room"));
    sink_free(s);
    sink_free(NULL);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_arrives_through_a_pipe),
        cmocka_unit_test(a_reader_that_went_away_is_an_error),
        cmocka_unit_test(a_reader_that_does_not_read_is_waited_for_until_cancelled),
        cmocka_unit_test(a_full_disk_is_said_with_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
