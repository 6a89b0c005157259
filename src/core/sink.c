#include "core/sink.h"

#include "core/fault.h"
#include "core/fd_wait.h"
#include "core/mem.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum err_code sink_write(struct sink *s, const void *data, size_t bytes, struct err *err)
{
    return s->ops->write(s, data, bytes, err);
}

enum err_code sink_commit(struct sink *s, struct err *err)
{
    return s->ops->commit(s, err);
}

void sink_free(struct sink *s)
{
    if (s != NULL)
        s->ops->free(s);
}

struct fd_sink {
    struct sink base;
    int fd; /* borrowed */
    char *name;
    size_t piece; /* what one write may take */
    struct fd_wait wait;
};

static enum err_code write_failed(const struct fd_sink *s, int errnum, struct err *err)
{
    enum err_code rc = err_set_errno(err, ERR_STORAGE, errnum, "cannot write %s", s->name);
    if (rc == ERR_NOSPACE)
        err_hint(err, "make room there, or write to another place");
    return rc;
}

/* write(2) with the fault point in front of it; a negative errno on failure. */
static ssize_t write_some(int fd, const char *data, size_t bytes)
{
    int injected = fault_errno("sink_write");
    if (injected != 0)
        return -injected;
    ssize_t n = write(fd, data, bytes);
    if (n == 0)
        return -EIO; /* never for a file or pipe; not to be repeated for ever */
    return n < 0 ? -errno : n;
}

static enum err_code fd_write(struct sink *base, const void *data, size_t bytes, struct err *err)
{
    struct fd_sink *s = (struct fd_sink *)base;
    const char *at = data;
    while (bytes > 0) {
        enum err_code rc = fd_wait_for(&s->wait, s->fd, POLLOUT, s->name, err);
        if (rc != ERR_OK)
            return rc;
        ssize_t n = write_some(s->fd, at, bytes < s->piece ? bytes : s->piece);
        if (n > 0) {
            at += n;
            bytes -= (size_t)n;
        } else if (n != -EINTR &&
                   n != -EAGAIN) { /* someone may have made a shared description non-blocking */
            return write_failed(s, (int)-n, err);
        }
    }
    return ERR_OK;
}

/* Pipes and terminals cannot be synced: fsync(2) says EINVAL (or EROFS), and there is nothing to do. */
static enum err_code fd_commit(struct sink *base, struct err *err)
{
    struct fd_sink *s = (struct fd_sink *)base;
    int errnum = fault_errno("sink_fsync");
    if (errnum == 0 && fsync(s->fd) != 0 && errno != EINVAL && errno != EROFS)
        errnum = errno;
    return errnum == 0 ? ERR_OK : write_failed(s, errnum, err);
}

static void fd_free(struct sink *base)
{
    struct fd_sink *s = (struct fd_sink *)base;
    fd_wait_end(&s->wait);
    free(s->name);
    free(s);
}

/* A write to a pipe or socket that has room blocks only for more than fits: PIPE_BUF always does (pipe(7)).
 */
static size_t largest_piece(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? SIZE_MAX : PIPE_BUF;
}

struct sink *sink_fd_new(int fd, const char *name, struct cancel *cancel)
{
    static const struct sink_ops ops = {fd_write, fd_commit, fd_free};
    struct fd_sink *s = xcalloc(1, sizeof *s);
    s->base.ops = &ops;
    s->fd = fd;
    s->name = xstrdup(name);
    s->piece = largest_piece(fd);
    fd_wait_init(&s->wait, cancel);
    return &s->base;
}
