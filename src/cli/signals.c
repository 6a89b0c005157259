#include "cli/signals.h"

#include "core/group.h"
#include "core/mem.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* Sent to ourselves to end the waiting thread: sigwait has no other way out. */
#define STOP_SIGNAL SIGUSR1

struct signals {
    const struct run *run;
    struct group *group;
    struct cancel *own; /* the group's; the command's token must not be fired by joining */
    atomic_bool stopping;
};

static const struct {
    int number;
    const char *name;
    enum err_code code;
} watched[] = {
    {SIGINT, "SIGINT", ERR_SIGINT},
    {SIGTERM, "SIGTERM", ERR_SIGTERM},
    {SIGHUP, "SIGHUP", ERR_SIGTERM},
};

#define WATCHED_COUNT (sizeof watched / sizeof watched[0])

static void make_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, STOP_SIGNAL);
    for (size_t i = 0; i < WATCHED_COUNT; i++) {
        struct sigaction now;
        if (sigaction(watched[i].number, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(set, watched[i].number);
    }
}

void signals_block(void)
{
    sigset_t set;
    make_set(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    /* A reader that goes away is an error of write, not the end of the process. */
    signal(SIGPIPE, SIG_IGN);
}

static void cancel_by(struct signals *s, int number)
{
    for (size_t i = 0; i < WATCHED_COUNT; i++) {
        if (watched[i].number != number)
            continue;
        struct err why;
        err_set(&why, watched[i].code, "cancelled by %s", watched[i].name);
        cancel_fire(s->run->cancel, &why);
    }
}

static enum err_code wait_for_signals(void *arg, struct err *err)
{
    struct signals *s = arg;
    sigset_t set;
    make_set(&set);
    while (!atomic_load(&s->stopping)) {
        int number;
        int failed = sigwait(&set, &number);
        if (failed)
            return err_set_errno(err, ERR_INTERNAL, failed, "wait for signals");
        cancel_by(s, number);
    }
    return ERR_OK;
}

enum err_code signals_start(const struct run *run, struct signals **out, struct err *err)
{
    struct signals *s = xcalloc(1, sizeof *s);
    s->run = run;
    s->own = cancel_new();
    s->group = group_new(s->own);
    enum err_code code = group_spawn(s->group, "signals", wait_for_signals, s, err);
    if (code != ERR_OK) {
        group_free(s->group);
        cancel_free(s->own);
        free(s);
        s = NULL;
    }
    *out = s;
    return code;
}

void signals_stop(struct signals *s)
{
    if (!s)
        return;
    atomic_store(&s->stopping, true);
    kill(getpid(), STOP_SIGNAL);
    group_join(s->group, NULL);
    group_free(s->group);
    cancel_free(s->own);
    free(s);
}
