#include "aws/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static enum err_code read_all(int fd, const char *path, const char *what, struct buf *out, struct err *err)
{
    for (;;) {
        char piece[4096];
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, ERR_CONFIG, errno, "%s: read %s", what, path);
        if (n == 0)
            return ERR_OK;
        bool fits = buf_add(out, piece, (size_t)n, NULL) == ERR_OK;
        explicit_bzero(piece, sizeof piece);
        if (!fits)
            return err_set(err, ERR_CONFIG, "%s: %s is longer than %zu bytes", what, path, out->max);
    }
}

enum err_code secret_file_load(const char *path, const char *what, bool *exists, struct buf *out,
                               struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (exists != NULL) {
        *exists = fd >= 0;
        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
            return ERR_OK;
    }
    if (fd < 0)
        return err_set_errno(err, ERR_CONFIG, errno, "%s: open %s", what, path);
    enum err_code rc = read_all(fd, path, what, out, err);
    close(fd);
    return rc;
}

enum err_code secret_file_read(const char *path, const char *what, struct buf *out, struct err *err)
{
    size_t before = out->len;
    enum err_code rc = secret_file_load(path, what, NULL, out, err);
    if (rc != ERR_OK)
        return rc;
    while (out->len > before && strchr(" \t\r\n", out->data[out->len - 1]) != NULL)
        out->len--;
    return out->len > before ? ERR_OK : err_set(err, ERR_CONFIG, "%s: %s is empty", what, path);
}
