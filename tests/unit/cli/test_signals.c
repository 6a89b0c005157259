#include "support/test.h"

#include "cli/signals.h"
#include "core/lock.h"

#include <signal.h>
#include <string.h>

/* Signals are of the whole process: every case has a child of its own. */

struct waiter {
    struct lock *lock;
    bool fired;
};

static void note_fired(void *arg)
{
    struct waiter *w = arg;
    lock_take(w->lock);
    w->fired = true;
    lock_wake_all(w->lock);
    lock_drop(w->lock);
}

/* Sends the signal to this process and gives the code that the token was fired with. */
static int fired_by(int number, bool wait)
{
    struct err err = {0};
    struct signals *signals;
    struct run run = {.cancel = cancel_new(), .clock = clock_system()};
    struct waiter w = {.lock = lock_new()};
    struct cancel_hook hook = {.wake = note_fired, .arg = &w};
    signals_block();
    cancel_add_hook(run.cancel, &hook);
    if (signals_start(&run, &signals, &err) != ERR_OK)
        return 99;
    kill(getpid(), number);
    lock_take(w.lock);
    while (wait && !w.fired)
        lock_wait(w.lock, 0);
    lock_drop(w.lock);
    signals_stop(signals);
    int code = (int)cancel_check(run.cancel, &err);
    cancel_remove_hook(run.cancel, &hook);
    cancel_free(run.cancel);
    lock_free(w.lock);
    return code;
}

static int by_sigint(void *arg)
{
    (void)arg;
    return fired_by(SIGINT, true);
}

static int by_sigterm(void *arg)
{
    (void)arg;
    return fired_by(SIGTERM, true);
}

static int by_sighup(void *arg)
{
    (void)arg;
    return fired_by(SIGHUP, true);
}

static int by_ignored_sighup(void *arg)
{
    (void)arg;
    signal(SIGHUP, SIG_IGN); /* as nohup does */
    return fired_by(SIGHUP, false);
}

static int by_sigpipe(void *arg)
{
    (void)arg;
    return fired_by(SIGPIPE, false);
}

/* Only what this process sends itself ends the thread. */
static int by_stop_signal_of_others(void *arg)
{
    (void)arg;
    struct err err;
    struct signals *signals;
    struct run run = {.cancel = cancel_new(), .clock = clock_system()};
    signals_block();
    if (signals_start(&run, &signals, &err) != ERR_OK)
        return 99;
    for (int i = 0; i < 3; i++)
        kill(getpid(), SIGUSR1);
    signals_stop(signals);
    int code = (int)cancel_check(run.cancel, &err);
    cancel_free(run.cancel);
    return code;
}

static void signals_fire_the_token(void **state)
{
    (void)state;
    assert_true(child_exited(child_run(by_sigint, NULL), ERR_SIGINT));
    assert_true(child_exited(child_run(by_sigterm, NULL), ERR_SIGTERM));
    assert_true(child_exited(child_run(by_sighup, NULL), ERR_SIGTERM));
}

static void others_do_not(void **state)
{
    (void)state;
    assert_true(child_exited(child_run(by_ignored_sighup, NULL), ERR_OK));
    assert_true(child_exited(child_run(by_sigpipe, NULL), ERR_OK));
    assert_true(child_exited(child_run(by_stop_signal_of_others, NULL), ERR_OK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_fire_the_token),
        cmocka_unit_test(others_do_not),
    };
    return cmocka_run_group_tests_name("cli/signals", tests, NULL, NULL);
}
