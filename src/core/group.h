/*
 * A group of threads that work on one thing: the first one to fail fires the group's
 * cancellation token and its error is the group's.
 *
 * One thread owns the group: it spawns, joins and frees.  All signals are blocked in group threads.
 */
#ifndef DBSAFE_CORE_GROUP_H
#define DBSAFE_CORE_GROUP_H

#include "core/cancel.h"
#include "core/err.h"

struct group;

typedef enum err_code group_fn(void *arg, struct err *err);

/* cancel is borrowed and must outlive the group. */
struct group *group_new(struct cancel *cancel);
/* name: at most 15 bytes, shown by the system's tools.  When no thread can be started the token
 * is fired too. */
enum err_code group_spawn(struct group *g, const char *name, group_fn *fn, void *arg, struct err *err);
/* Waits for every thread; returns the error that came first (or that fired the token), or ERR_OK. */
enum err_code group_join(struct group *g, struct err *err);
/* Joins what was not joined, then releases.  An owner that fails fires the token before, or this waits
 * for threads that wait for the owner. */
void group_free(struct group *g);

#endif
