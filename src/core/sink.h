/*
 * A sink takes the bytes of one archive, in order, and makes it exist whole (commit) or not at
 * all (abort).  Used by one thread at a time.
 */
#ifndef DBSAFE_CORE_SINK_H
#define DBSAFE_CORE_SINK_H

#include "core/cancel.h"

#include <stddef.h>

struct sink;

struct sink_ops {
    enum err_code (*write)(struct sink *s, const void *data, size_t bytes, struct err *err);
    enum err_code (*commit)(struct sink *s, struct err *err); /* durable and visible when it returns OK */
    void (*free)(struct sink *s);                             /* aborts what was not committed */
};

/* Implementations embed this as their first member. */
struct sink {
    const struct sink_ops *ops;
};

enum err_code sink_write(struct sink *s, const void *data, size_t bytes, struct err *err);
enum err_code sink_commit(struct sink *s, struct err *err);
/* Without a commit before it nothing of the archive remains.  NULL is accepted. */
void sink_free(struct sink *s);

/* Writes to a descriptor (standard output), which stays the caller's; abort cannot take bytes back.  A pipe
 * that nobody reads is waited for until the token fires; cancel may be NULL. */
struct sink *sink_fd_new(int fd, const char *name, struct cancel *cancel);

#endif
