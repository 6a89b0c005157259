#include "core/source.h"

#include "core/fault.h"
#include "core/fd_wait.h"
#include "core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum err_code source_read(struct source *s, uint64_t offset, void *data, size_t bytes, size_t *got,
                          struct err *err)
{
    size_t done = 0;
    enum err_code rc = ERR_OK;
    while (done < bytes && rc == ERR_OK) {
        size_t n = 0;
        rc = s->ops->read_at(s, offset + done, (char *)data + done, bytes - done, &n, err);
        if (rc == ERR_OK && n == 0)
            break;
        done += n;
    }
    *got = done;
    return rc;
}

enum err_code source_read_full(struct source *s, uint64_t offset, void *data, size_t bytes, struct err *err)
{
    size_t got;
    enum err_code rc = source_read(s, offset, data, bytes, &got, err);
    if (rc == ERR_OK && got < bytes)
        rc = err_set(err, ERR_DAMAGED,
                     "%s ends too early: %zu bytes were expected at offset %" PRIu64 ", %zu are there",
                     s->name, bytes, offset, got);
    return rc;
}

void source_free(struct source *s)
{
    if (s != NULL)
        s->ops->free(s);
}

/* A regular file. */

struct file_source {
    struct source base;
    int fd; /* owned */
};

static enum err_code file_read_at(struct source *base, uint64_t offset, void *data, size_t bytes, size_t *got,
                                  struct err *err)
{
    struct file_source *s = (struct file_source *)base;
    *got = 0;
    if (offset >= base->size)
        return ERR_OK;
    ssize_t n;
    do {
        n = pread(s->fd, data, bytes, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    int errnum = n < 0 ? errno : fault_errno("source_read");
    if (errnum != 0)
        return err_set_errno(err, ERR_STORAGE, errnum, "cannot read %s at offset %" PRIu64, base->name,
                             offset);
    *got = (size_t)n;
    return ERR_OK;
}

static void file_free(struct source *base)
{
    struct file_source *s = (struct file_source *)base;
    close(s->fd); /* only read from: nothing can be lost */
    free(base->name);
    free(s);
}

enum err_code source_file_open(const char *path, struct source **out, struct err *err)
{
    static const struct source_ops ops = {file_read_at, file_free};
    /* O_NONBLOCK: opening a FIFO must not wait for a writer; regular files don't mind. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_STORAGE, errno, "cannot open %s",
                             path);
    struct stat st;
    enum err_code rc = ERR_OK;
    if (fstat(fd, &st) != 0)
        rc = err_set_errno(err, ERR_STORAGE, errno, "cannot stat %s", path);
    else if (!S_ISREG(st.st_mode))
        rc = err_set(err, ERR_STORAGE, "cannot read %s: it is not a regular file", path);
    if (rc != ERR_OK) {
        close(fd);
        return rc;
    }
    struct file_source *s = xcalloc(1, sizeof *s);
    s->base =
        (struct source){.ops = &ops, .seekable = true, .size = (uint64_t)st.st_size, .name = xstrdup(path)};
    s->fd = fd;
    *out = &s->base;
    return ERR_OK;
}

/* A stream over a descriptor. */

struct fd_source {
    struct source base;
    int fd;      /* borrowed */
    uint64_t at; /* bytes read so far */
    struct fd_wait wait;
};

static enum err_code fd_read_at(struct source *base, uint64_t offset, void *data, size_t bytes, size_t *got,
                                struct err *err)
{
    struct fd_source *s = (struct fd_source *)base;
    *got = 0;
    if (offset != s->at)
        return err_set(err, ERR_INTERNAL, "the stream %s is at offset %" PRIu64 ", not at %" PRIu64,
                       base->name, s->at, offset);
    for (;;) {
        enum err_code rc = fd_wait_for(&s->wait, s->fd, POLLIN, base->name, err);
        if (rc != ERR_OK)
            return rc;
        ssize_t n = read(s->fd, data, bytes);
        if (n >= 0) {
            s->at += (uint64_t)n;
            *got = (size_t)n;
            return ERR_OK;
        }
        if (errno != EINTR && errno != EAGAIN)
            return err_set_errno(err, ERR_STORAGE, errno, "cannot read %s", base->name);
    }
}

static void fd_free(struct source *base)
{
    struct fd_source *s = (struct fd_source *)base;
    fd_wait_end(&s->wait);
    free(base->name);
    free(s);
}

struct source *source_fd_new(int fd, const char *name, struct cancel *cancel)
{
    static const struct source_ops ops = {fd_read_at, fd_free};
    struct fd_source *s = xcalloc(1, sizeof *s);
    s->base = (struct source){.ops = &ops, .name = xstrdup(name)};
    s->fd = fd;
    fd_wait_init(&s->wait, cancel);
    return &s->base;
}
