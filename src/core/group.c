#include "core/group.h"

#include "core/fault.h"
#include "core/mem.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_BYTES 16 /* the kernel's limit, with NUL */

struct member {
    pthread_t thread;
    struct cancel *cancel; /* the group's */
    group_fn *fn;
    void *arg;
    char name[NAME_BYTES];
};

struct group {
    struct cancel *cancel;
    struct member **members; /* each owned, at a fixed address: its thread reads it */
    size_t count;
};

struct group *group_new(struct cancel *cancel)
{
    struct group *g = xcalloc(1, sizeof *g);
    g->cancel = cancel;
    return g;
}

/* Firing keeps the first error only; that is how the group's error is the one that came first. */
static void *run_member(void *arg)
{
    struct member *m = arg;
    struct err err = {.code = ERR_OK};
    pthread_setname_np(pthread_self(), m->name); /* for people only: may fail */
    enum err_code rc = m->fn(m->arg, &err);
    if (rc == ERR_OK)
        return NULL;
    if (err.code != rc)
        err_set(&err, rc, "thread %s failed without a message: %s", m->name, err_summary(rc));
    cancel_fire(m->cancel, &err);
    return NULL;
}

/* A new thread inherits the signal mask, so it is set around the creation. */
static int create_with_signals_blocked(struct member *m)
{
    sigset_t all, before;
    sigfillset(&all);
    int rc = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (rc != 0)
        return rc;
    rc = pthread_create(&m->thread, NULL, run_member, m);
    int restored = pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (restored != 0)
        abort(); /* only an invalid argument can do that */
    return rc;
}

enum err_code group_spawn(struct group *g, const char *name, group_fn *fn, void *arg, struct err *err)
{
    struct member *m = xcalloc(1, sizeof *m);
    m->cancel = g->cancel;
    m->fn = fn;
    m->arg = arg;
    snprintf(m->name, sizeof m->name, "%.15s", name);
    int errnum = fault_errno("group_spawn");
    if (errnum == 0)
        errnum = create_with_signals_blocked(m);
    if (errnum != 0) {
        struct err why;
        free(m);
        err_set_errno(&why, ERR_NOMEM, errnum, "cannot start thread %s", name);
        cancel_fire(g->cancel, &why);
        return err_copy(err, &why);
    }
    g->members = xreallocarray(g->members, g->count + 1, sizeof *g->members);
    g->members[g->count++] = m;
    return ERR_OK;
}

enum err_code group_join(struct group *g, struct err *err)
{
    for (size_t i = 0; i < g->count; i++) {
        if (pthread_join(g->members[i]->thread, NULL) != 0)
            abort(); /* only an invalid thread can do that */
        free(g->members[i]);
    }
    g->count = 0;
    return cancel_check(g->cancel, err);
}

void group_free(struct group *g)
{
    if (g == NULL)
        return;
    group_join(g, NULL); /* its error was returned by group_join, or is in the token */
    free(g->members);
    free(g);
}
