/*
 * A cancellation token: one per command.  The first error of any thread, or a signal,
 * fires it; everything that can block registers a hook that wakes it.
 *
 * All functions may be called from any thread; hooks run in the firing thread, outside of
 * signal handlers, and must not block nor add or remove hooks.
 */
#ifndef DBSAFE_CORE_CANCEL_H
#define DBSAFE_CORE_CANCEL_H

#include "core/err.h"

#include <stdbool.h>

struct cancel;

/* A hook is owned by its caller, who removes it before releasing it. */
struct cancel_hook {
    void (*wake)(void *arg);
    void *arg;
    struct cancel_hook *prev, *next; /* the token's own */
};

struct cancel *cancel_new(void);
/* A token that fires, with the same error, when parent (borrowed, may be NULL) does, and can be fired on its
 * own: for work that may fail without ending the command. */
struct cancel *cancel_new_under(struct cancel *parent);
void cancel_free(struct cancel *c);

/* Fires with the error why; only the first call counts and runs the hooks. */
void cancel_fire(struct cancel *c, const struct err *why);
bool cancel_fired(const struct cancel *c); /* an atomic load; false for NULL */
/* ERR_OK, or the error the token was fired with (copied to err).  c may be NULL: ERR_OK. */
enum err_code cancel_check(struct cancel *c, struct err *err);
/* Of an error whose words count even behind a signal: it gets the signal's code where one fired the token,
 * and keeps its text.  Gives err->code. */
enum err_code cancel_mark(struct cancel *c, struct err *err);

/* Adds a hook; when the token has fired already the hook is run at once.  c may be NULL. */
void cancel_add_hook(struct cancel *c, struct cancel_hook *hook);
/* Removes it; when it returns the hook is not running and will not run. */
void cancel_remove_hook(struct cancel *c, struct cancel_hook *hook);

#endif
