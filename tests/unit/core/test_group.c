#include "support/test.h"

#include "core/chan.h"
#include "core/group.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>

struct job {
    struct chan *ch;
    atomic_int done;
};

static enum err_code succeed(void *arg, struct err *err)
{
    struct job *j = arg;
    (void)err;
    atomic_fetch_add(&j->done, 1);
    return ERR_OK;
}

static enum err_code fail_for_db(void *arg, struct err *err)
{
    (void)arg;
    return err_set(err, ERR_DB, "the real reason");
}

static enum err_code fail_silently(void *arg, struct err *err)
{
    (void)arg;
    (void)err;
    return ERR_AWS;
}

/* Ends only when the token fires, with the token's error in other words. */
static enum err_code wait_for_cancel(void *arg, struct err *err)
{
    struct job *j = arg;
    void *item;
    enum err_code rc = chan_recv(j->ch, &item, err);
    return rc == ERR_OK ? rc : err_set(err, ERR_STORAGE, "a consequence");
}

static void all_succeed(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    struct job j = {0};
    struct err err;
    for (int i = 0; i < 8; i++)
        assert_ok(group_spawn(g, "a name that is too long", succeed, &j, &err), &err);
    assert_ok(group_join(g, &err), &err);
    assert_int_equal(j.done, 8);
    assert_ok(group_spawn(g, "again", succeed, &j, &err), &err);
    group_free(g); /* joins */
    assert_int_equal(j.done, 9);
    group_free(NULL);
    cancel_free(c);
}

static void the_first_error_ends_and_names_the_group(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    struct job j = {.ch = chan_new(1, c, NULL)};
    struct err err;
    for (int i = 0; i < 4; i++)
        assert_ok(group_spawn(g, "wait", wait_for_cancel, &j, &err), &err);
    assert_ok(group_spawn(g, "fail", fail_for_db, NULL, &err), &err);
    assert_err(group_join(g, &err), ERR_DB, &err);
    assert_string_equal(err.text, "the real reason");
    assert_true(cancel_fired(c));
    group_free(g);
    chan_free(j.ch);
    cancel_free(c);
}

static void an_error_without_message_gets_one(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    struct err err;
    assert_ok(group_spawn(g, "quiet", fail_silently, NULL, &err), &err);
    assert_err(group_join(g, &err), ERR_AWS, &err);
    assert_non_null(strstr(err.text, "quiet"));
    group_free(g);
    cancel_free(c);
}

static void a_token_fired_from_outside_is_the_result(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    struct job j = {0};
    struct err err;
    assert_ok(group_spawn(g, "fine", succeed, &j, &err), &err);
    err_set(&err, ERR_SIGINT, "interrupted");
    cancel_fire(c, &err);
    assert_err(group_join(g, &err), ERR_SIGINT, &err);
    group_free(g);
    cancel_free(c);
}

static enum err_code look_at_thread(void *arg, struct err *err)
{
    char name[32] = "";
    sigset_t blocked;
    (void)arg;
    prctl(PR_GET_NAME, name);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (strcmp(name, "worker 12345678") != 0)
        return err_set(err, ERR_INTERNAL, "the name is %s", name);
    if (!sigismember(&blocked, SIGINT) || !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGCHLD))
        return err_set(err, ERR_INTERNAL, "signals are not blocked");
    return ERR_OK;
}

static void threads_have_names_and_no_signals(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    struct err err;
    sigset_t mine;
    assert_ok(group_spawn(g, "worker 123456789", look_at_thread, NULL, &err), &err);
    assert_ok(group_join(g, &err), &err);
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    assert_false(sigismember(&mine, SIGINT));
    group_free(g);
    cancel_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_succeed),
        cmocka_unit_test(the_first_error_ends_and_names_the_group),
        cmocka_unit_test(an_error_without_message_gets_one),
        cmocka_unit_test(a_token_fired_from_outside_is_the_result),
        cmocka_unit_test(threads_have_names_and_no_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
