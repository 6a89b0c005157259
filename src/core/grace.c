#include "core/grace.h"

#include "core/clock.h"
#include "core/group.h"
#include "core/lock.h"
#include "core/mem.h"

#include <stdlib.h>

struct grace {
    struct cancel *command; /* borrowed; may be NULL */
    struct cancel_hook hook;
    int64_t ms;
    struct cancel *token; /* owned */
    struct cancel *own;   /* owned; the group's, which is never fired */
    struct group *group;
    struct lock *lock;
    struct {
        bool done;
    } locked;
};

static void wake(void *arg)
{
    struct grace *g = arg;
    lock_take(g->lock);
    lock_wake_all(g->lock);
    lock_drop(g->lock);
}

static void end(struct grace *g)
{
    struct err why;
    err_set(&why, ERR_TIMEOUT, "there was no more time to clean up");
    cancel_fire(g->token, &why);
}

/* Under the lock; whether the time passed before the grace was no longer needed. */
static bool wait_over(struct grace *g)
{
    while (!g->locked.done && !cancel_fired(g->command))
        lock_wait(g->lock, 0);
    int64_t end_ms = clock_monotonic_ms(clock_system()) + g->ms, left = g->ms;
    while (!g->locked.done && left > 0) {
        lock_wait(g->lock, left);
        left = end_ms - clock_monotonic_ms(clock_system());
    }
    return !g->locked.done;
}

static enum err_code watch(void *arg, struct err *err)
{
    (void)err;
    struct grace *g = arg;
    lock_take(g->lock);
    bool over = wait_over(g);
    lock_drop(g->lock);
    if (over)
        end(g);
    return ERR_OK;
}

struct grace *grace_new(struct cancel *command, int64_t ms)
{
    struct grace *g = xcalloc(1, sizeof *g);
    g->command = command;
    g->ms = ms;
    g->token = cancel_new();
    g->own = cancel_new();
    g->group = group_new(g->own);
    g->lock = lock_new();
    g->hook = (struct cancel_hook){.wake = wake, .arg = g};
    cancel_add_hook(command, &g->hook);
    if (group_spawn(g->group, "grace", watch, g, NULL) != ERR_OK && cancel_fired(command))
        end(g);
    return g;
}

struct cancel *grace_cancel(struct grace *g)
{
    return g->token;
}

void grace_free(struct grace *g)
{
    if (g == NULL)
        return;
    lock_take(g->lock);
    g->locked.done = true;
    lock_wake_all(g->lock);
    lock_drop(g->lock);
    group_free(g->group);
    cancel_remove_hook(g->command, &g->hook);
    cancel_free(g->own);
    cancel_free(g->token);
    lock_free(g->lock);
    free(g);
}
