#include "support/test.h"

#include "core/fd_wait.h"

#include <fcntl.h>
#include <poll.h>

static void waits_with_and_without_end(void **state)
{
    (void)state;
    struct fd_wait w;
    struct err err;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fd_wait_init(&w, NULL);
    assert_err(fd_wait_until(&w, ends[0], POLLIN, 0, "the pipe", &err), ERR_TIMEOUT, &err);
    assert_err(fd_wait_until(&w, ends[0], POLLIN, 5, "the pipe", &err), ERR_TIMEOUT, &err);
    assert_string_equal(err.text, "the pipe: timed out");
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_ok(fd_wait_until(&w, ends[0], POLLIN, 60000, "the pipe", &err), &err);
    assert_ok(fd_wait_for(&w, ends[0], POLLIN, "the pipe", &err), &err);
    fd_wait_end(&w);
    close(ends[0]);
    close(ends[1]);
}

static void the_token_ends_a_wait(void **state)
{
    (void)state;
    struct cancel *cancel = cancel_new();
    struct fd_wait w;
    struct err err;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fd_wait_init(&w, cancel);
    err_set(&err, ERR_SIGINT, "cancelled by the test");
    cancel_fire(cancel, &err);
    assert_err(fd_wait_until(&w, ends[0], POLLIN, 60000, "the pipe", &err), ERR_SIGINT, &err);
    assert_err(fd_wait_for(&w, ends[0], POLLIN, "the pipe", &err), ERR_SIGINT, &err);
    fd_wait_end(&w);
    cancel_free(cancel);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_with_and_without_end),
        cmocka_unit_test(the_token_ends_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
