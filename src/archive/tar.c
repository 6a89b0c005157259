#include "archive/tar.h"

#include "core/mem.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Where the fields of a ustar header stand (POSIX.1-2008, pax, "ustar Interchange Format"). */
enum { FIELD_SIZE = 124, FIELD_MTIME = 136, NUMBER_DIGITS = 11 };

uint64_t tar_padded(uint64_t bytes)
{
    return (bytes + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

bool tar_is_zero(const char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (data[i] != '\0')
            return false;
    return true;
}

static bool path_fits(const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < n; i++)
        if (path[i] <= ' ' || path[i] > '~')
            return false;
    return n > 0 && n <= TAR_PATH_MAX;
}

/* What a ustar header can hold, without splitting the path over two fields. */
static enum err_code check_entry(const char *path, uint64_t size, int64_t mtime, struct err *err)
{
    if (!path_fits(path))
        return err_set(err, ERR_INTERNAL, "the member path '%s' is not 1 to %d printable ASCII characters",
                       path, TAR_PATH_MAX);
    if (size > TAR_SIZE_MAX)
        return err_set(err, ERR_INTERNAL, "member %s: %" PRIu64 " bytes are more than a tar header holds",
                       path, size);
    if (mtime < 0 || (uint64_t)mtime > TAR_SIZE_MAX)
        return err_set(err, ERR_INTERNAL, "member %s: a tar header cannot hold the time %" PRId64, path,
                       mtime);
    return ERR_OK;
}

static struct archive_entry *entry_new(const char *path, uint64_t size, int64_t mtime)
{
    struct archive_entry *e = archive_entry_new();
    if (e == NULL)
        abort(); /* out of memory, as in xmalloc */
    archive_entry_set_pathname(e, path);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, strcmp(path, "restore.sh") == 0 ? 0755 : 0644);
    archive_entry_set_size(e, (la_int64_t)size);
    archive_entry_set_mtime(e, (time_t)mtime, 0);
    archive_entry_set_uid(e, 0);
    archive_entry_set_gid(e, 0);
    archive_entry_set_uname(e, "root");
    archive_entry_set_gname(e, "root");
    return e;
}

/* A tar writer that hands every piece to write as it comes: no record of 20 blocks, neither on the way nor at
 * the end. */
static struct archive *writer_open(void *arg, archive_write_callback *write, struct err *err)
{
    struct archive *a = archive_write_new();
    if (a == NULL)
        abort(); /* out of memory, as in xmalloc */
    if (archive_write_set_format_ustar(a) == ARCHIVE_OK &&
        archive_write_set_bytes_per_block(a, 0) == ARCHIVE_OK &&
        archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK &&
        archive_write_open2(a, arg, NULL, write, NULL, NULL) == ARCHIVE_OK)
        return a;
    err_set(err, ERR_INTERNAL, "libarchive cannot start a tar: %s", archive_error_string(a));
    archive_write_free(a);
    return NULL;
}

/* Ends a writer in mid-entry.  libarchive's close writes a trailer that makes a cut archive look whole, so
 * the callback must drop all it gets by now.  Failing the writer first keeps close from filling the entry up
 * to its size; it would also keep free from calling close, which alone releases what open allocated (3.6.2).
 */
static void writer_drop(struct archive *a)
{
    archive_write_fail(a);
    archive_write_close(a);
    archive_write_free(a);
}

struct header_out {
    char *data;
    size_t bytes;
    bool dropping;
};

static la_ssize_t write_header(struct archive *a, void *arg, const void *data, size_t bytes)
{
    struct header_out *h = arg;
    if (h->dropping)
        return (la_ssize_t)bytes;
    if (bytes > TAR_BLOCK - h->bytes) {
        archive_set_error(a, EFBIG, "more than one header block");
        return -1;
    }
    memcpy(h->data + h->bytes, data, bytes);
    h->bytes += bytes;
    return (la_ssize_t)bytes;
}

enum err_code tar_header(const char *path, uint64_t size, int64_t mtime, char out[TAR_BLOCK], struct err *err)
{
    struct header_out h = {.data = out};
    enum err_code rc = check_entry(path, size, mtime, err);
    if (rc != ERR_OK)
        return rc;
    struct archive *a = writer_open(&h, write_header, err);
    if (a == NULL)
        return ERR_INTERNAL;
    struct archive_entry *e = entry_new(path, size, mtime);
    if (archive_write_header(a, e) != ARCHIVE_OK || h.bytes != TAR_BLOCK)
        rc = err_set(err, ERR_INTERNAL, "libarchive makes no plain header for %s: %s", path,
                     archive_error_string(a));
    archive_entry_free(e);
    h.dropping = true;
    writer_drop(a);
    return rc;
}

static bool parse_octal(const char *field, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < NUMBER_DIGITS; i++) {
        if (field[i] < '0' || field[i] > '7')
            return false;
        *value = *value * 8 + (uint64_t)(field[i] - '0');
    }
    return true;
}

bool tar_parse(const char header[TAR_BLOCK], char path[TAR_PATH_MAX + 1], uint64_t *size, int64_t *mtime)
{
    uint64_t time = 0;
    memcpy(path, header, TAR_PATH_MAX);
    path[TAR_PATH_MAX] = '\0';
    if (!path_fits(path) || !parse_octal(header + FIELD_SIZE, size) ||
        !parse_octal(header + FIELD_MTIME, &time))
        return false;
    *mtime = (int64_t)time;
    return true;
}

enum err_code tar_check(const char header[TAR_BLOCK], const char *path, uint64_t size, int64_t mtime,
                        struct err *err)
{
    char expected[TAR_BLOCK];
    /* values that no header can hold were never written */
    if (tar_header(path, size, mtime, expected, NULL) == ERR_OK && memcmp(header, expected, TAR_BLOCK) == 0)
        return ERR_OK;
    return err_set(err, ERR_DAMAGED, "its tar header was changed");
}

struct tar_out {
    struct archive *a;
    struct sink *sink;
    int64_t mtime;
    uint64_t bytes;
    bool ended, dropping;
    struct err sink_err;
};

static la_ssize_t write_sink(struct archive *a, void *arg, const void *data, size_t bytes)
{
    struct tar_out *t = arg;
    if (t->dropping)
        return (la_ssize_t)bytes;
    if (sink_write(t->sink, data, bytes, &t->sink_err) != ERR_OK) {
        archive_set_error(a, EIO, "the sink failed");
        return -1;
    }
    t->bytes += bytes;
    return (la_ssize_t)bytes;
}

enum err_code tar_out_new(struct sink *sink, int64_t mtime, struct tar_out **out, struct err *err)
{
    struct tar_out *t = xcalloc(1, sizeof *t);
    *out = NULL;
    t->sink = sink;
    t->mtime = mtime;
    t->a = writer_open(t, write_sink, err);
    if (t->a == NULL) {
        free(t);
        return ERR_INTERNAL;
    }
    *out = t;
    return ERR_OK;
}

void tar_out_free(struct tar_out *t)
{
    if (t == NULL)
        return;
    t->dropping = true;
    if (t->ended)
        archive_write_free(t->a);
    else
        writer_drop(t->a);
    free(t);
}

/* What went wrong in libarchive: mostly the sink's error underneath. */
static enum err_code failed(struct tar_out *t, const char *path, struct err *err)
{
    if (t->sink_err.code != ERR_OK) {
        err_copy(err, &t->sink_err);
        return err_wrap(err, "cannot write %s of the archive", path);
    }
    const char *why = archive_error_string(t->a);
    return err_set(err, ERR_INTERNAL, "libarchive cannot write %s: %s", path,
                   why != NULL ? why : "no reason given");
}

enum err_code tar_out_add(struct tar_out *t, const char *path, const void *content, size_t bytes,
                          struct err *err)
{
    uint64_t start = t->bytes;
    enum err_code rc = check_entry(path, bytes, t->mtime, err);
    if (rc != ERR_OK)
        return rc;
    struct archive_entry *e = entry_new(path, bytes, t->mtime);
    /* libarchive reports OK for content that is cut or padded to the declared size: count for ourselves. */
    if (archive_write_header(t->a, e) != ARCHIVE_OK || t->bytes - start != TAR_BLOCK ||
        archive_write_data(t->a, content, bytes) != (la_ssize_t)bytes ||
        archive_write_finish_entry(t->a) != ARCHIVE_OK || t->bytes - start != TAR_BLOCK + tar_padded(bytes))
        rc = failed(t, path, err);
    archive_entry_free(e);
    return rc;
}

enum err_code tar_out_end(struct tar_out *t, struct err *err)
{
    uint64_t start = t->bytes;
    if (archive_write_close(t->a) != ARCHIVE_OK || t->bytes - start != TAR_TRAILER_BYTES)
        return failed(t, "the end", err);
    t->ended = true;
    return ERR_OK;
}

uint64_t tar_out_bytes(const struct tar_out *t)
{
    return t->bytes;
}
