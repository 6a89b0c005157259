#include "core/cancel.h"

#include "core/lock.h"
#include "core/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

struct cancel {
    atomic_bool fired;
    struct err why; /* written once, before fired is set: read without the lock after it */
    struct lock *lock;
    struct cancel *parent; /* borrowed; may be NULL */
    struct cancel_hook up; /* in the parent */
    struct {
        struct cancel_hook hooks; /* head of a ring */
    } locked;
};

struct cancel *cancel_new(void)
{
    struct cancel *c = xcalloc(1, sizeof *c);
    c->lock = lock_new();
    c->locked.hooks.prev = c->locked.hooks.next = &c->locked.hooks;
    return c;
}

/* Runs in the thread that fires the parent, whose error stands already. */
static void follow_parent(void *arg)
{
    struct cancel *c = arg;
    struct err why;
    cancel_check(c->parent, &why);
    cancel_fire(c, &why);
}

struct cancel *cancel_new_under(struct cancel *parent)
{
    struct cancel *c = cancel_new();
    c->parent = parent;
    c->up = (struct cancel_hook){.wake = follow_parent, .arg = c};
    cancel_add_hook(parent, &c->up);
    return c;
}

void cancel_free(struct cancel *c)
{
    if (c == NULL)
        return;
    cancel_remove_hook(c->parent, &c->up);
    lock_free(c->lock);
    free(c);
}

/* Hooks run under the lock: that is how cancel_remove_hook knows that its hook is not running. */
void cancel_fire(struct cancel *c, const struct err *why)
{
    lock_take(c->lock);
    if (!atomic_load(&c->fired)) {
        err_copy(&c->why, why);
        atomic_store(&c->fired, true);
        struct cancel_hook *head = &c->locked.hooks;
        for (struct cancel_hook *h = head->next; h != head; h = h->next)
            h->wake(h->arg);
    }
    lock_drop(c->lock);
}

bool cancel_fired(const struct cancel *c)
{
    return c != NULL && atomic_load(&c->fired);
}

enum err_code cancel_check(struct cancel *c, struct err *err)
{
    return cancel_fired(c) ? err_copy(err, &c->why) : ERR_OK;
}

enum err_code cancel_mark(struct cancel *c, struct err *err)
{
    enum err_code fired = cancel_check(c, NULL);
    return fired == ERR_SIGINT || fired == ERR_SIGTERM ? err_recode(err, fired) : err->code;
}

void cancel_add_hook(struct cancel *c, struct cancel_hook *hook)
{
    if (c == NULL)
        return;
    lock_take(c->lock);
    struct cancel_hook *head = &c->locked.hooks;
    hook->prev = head->prev;
    hook->next = head;
    head->prev->next = hook;
    head->prev = hook;
    if (atomic_load(&c->fired))
        hook->wake(hook->arg);
    lock_drop(c->lock);
}

void cancel_remove_hook(struct cancel *c, struct cancel_hook *hook)
{
    if (c == NULL)
        return;
    lock_take(c->lock);
    hook->prev->next = hook->next;
    hook->next->prev = hook->prev;
    lock_drop(c->lock);
}
