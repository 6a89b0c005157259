/*
 * Waiting until a borrowed descriptor (standard input or output, which may be a pipe that nobody serves)
 * can be read or written, or the token fires.  Embedded in its user; used by one thread at a time.
 */
#ifndef DBSAFE_CORE_FD_WAIT_H
#define DBSAFE_CORE_FD_WAIT_H

#include "core/cancel.h"

#include <stdint.h>

struct fd_wait {
    int wake_fd;    /* readable once the token fired; -1 without a token */
    int wake_errno; /* why there is none although there is a token */
    struct cancel *cancel;
    struct cancel_hook hook;
};

/* cancel may be NULL: then only the descriptor ends a wait. */
void fd_wait_init(struct fd_wait *w, struct cancel *cancel);
void fd_wait_end(struct fd_wait *w);
/* ERR_OK once fd has one of events (of poll(2), errors included); the token's error when it fired.  name is
 * for messages. */
enum err_code fd_wait_for(struct fd_wait *w, int fd, short events, const char *name, struct err *err);
/* The same, with ERR_TIMEOUT after that time. */
enum err_code fd_wait_until(struct fd_wait *w, int fd, short events, int64_t timeout_ms, const char *name,
                            struct err *err);

#endif
