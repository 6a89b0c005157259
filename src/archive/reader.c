/*
 * Reading by position.  libarchive's reader is not used: it takes headers with changed bytes, skips what it
 * does not know and never looks at padding, while here every byte must count.  So what dbsafe writes is made
 * again and compared.
 */
#include "archive/reader.h"

#include "archive/digest.h"
#include "archive/index.h"
#include "archive/tar.h"

#include <inttypes.h>
#include <string.h>

static enum err_code read_index(struct source *src, struct archive_index *index, char tail[INDEX_TAIL_BYTES],
                                struct err *err)
{
    if (src->size < INDEX_TAIL_BYTES || src->size % TAR_BLOCK != 0)
        return err_set(err, ERR_DAMAGED, "%s ends early or is not a dbsafe archive: %" PRIu64 " bytes",
                       src->name, src->size);
    enum err_code rc = source_read_full(src, src->size - INDEX_TAIL_BYTES, tail, INDEX_TAIL_BYTES, err);
    if (rc == ERR_OK && !index_parse(tail + TAR_BLOCK, index))
        rc = err_set(err, ERR_DAMAGED,
                     "%s ends early or is not a dbsafe archive: its index is not at the end", src->name);
    return rc;
}

/* Reads the manifest with its header in front and its padding behind it; checks that with index and trailer
 * it reaches exactly to the end, and its SHA-256. */
static enum err_code read_manifest_bytes(struct source *src, const struct archive_index *index,
                                         struct buf *out, struct err *err)
{
    char sha256[SHA256_HEX_BYTES];
    if (index->length == 0 || index->length > MANIFEST_MAX_BYTES || index->offset < TAR_BLOCK ||
        index->offset > src->size ||
        index->offset + tar_padded(index->length) + INDEX_TAIL_BYTES != src->size)
        return err_set(err, ERR_DAMAGED, "the index of %s points to a wrong place", src->name);
    size_t bytes = TAR_BLOCK + (size_t)tar_padded(index->length);
    buf_clear(out);
    enum err_code rc = buf_reserve(out, bytes, err);
    if (rc == ERR_OK)
        rc = source_read_full(src, index->offset - TAR_BLOCK, out->data, bytes, err);
    if (rc != ERR_OK)
        return rc;
    out->len = bytes;
    digest_of(out->data + TAR_BLOCK, (size_t)index->length, sha256);
    if (strcmp(sha256, index->sha256) != 0)
        return err_set(err, ERR_DAMAGED, "%s: its SHA-256 is not the one in the index", MANIFEST_PATH);
    return ERR_OK;
}

enum err_code archive_read_manifest(struct source *src, struct manifest **out, struct err *err)
{
    struct archive_index index;
    char tail[INDEX_TAIL_BYTES];
    struct buf bytes;
    *out = NULL;
    buf_init(&bytes, MANIFEST_MAX_BYTES + (size_t)2 * TAR_BLOCK);
    enum err_code rc = read_index(src, &index, tail, err);
    if (rc == ERR_OK)
        rc = read_manifest_bytes(src, &index, &bytes, err);
    if (rc == ERR_OK)
        rc = manifest_read(bytes.data + TAR_BLOCK, (size_t)index.length, out, err);
    if (rc == ERR_OK && manifest_members_end(*out) + TAR_BLOCK != index.offset) {
        rc = err_set(err, ERR_DAMAGED, "%s does not follow the last member it lists", MANIFEST_PATH);
        manifest_free(*out);
        *out = NULL;
    }
    buf_free(&bytes);
    return rc;
}

/* bytes holds header, content and padding of a member. */
static enum err_code check_frame(const char *bytes, const char *path, uint64_t length, int64_t mtime,
                                 struct err *err)
{
    enum err_code rc = tar_check(bytes, path, length, mtime, err);
    if (rc == ERR_OK && !tar_is_zero(bytes + TAR_BLOCK + length, (size_t)(tar_padded(length) - length)))
        rc = err_set(err, ERR_DAMAGED, "the padding behind it was changed");
    return rc == ERR_OK ? rc : err_wrap(err, "%s", path);
}

enum err_code archive_read_member(struct source *src, const struct manifest *m,
                                  const struct manifest_member *member, struct buf *out, struct err *err)
{
    char sha256[SHA256_HEX_BYTES];
    size_t length = (size_t)member->length, bytes = TAR_BLOCK + (size_t)tar_padded(length);
    buf_clear(out);
    /* one read, as each is a request to S3; the header is moved out of the way afterwards */
    enum err_code rc = buf_reserve(out, bytes, err);
    if (rc == ERR_OK)
        rc = source_read_full(src, member->offset - TAR_BLOCK, out->data, bytes, err);
    if (rc != ERR_OK)
        return err_wrap(err, "%s", member->path);
    rc = check_frame(out->data, member->path, length, m->started_ms / 1000, err);
    if (rc != ERR_OK)
        return rc;
    digest_of(out->data + TAR_BLOCK, length, sha256);
    if (strcmp(sha256, member->sha256) != 0)
        return err_set(err, ERR_DAMAGED, "%s: its SHA-256 is not the one in the manifest", member->path);
    memmove(out->data, out->data + TAR_BLOCK, length);
    out->len = length;
    return ERR_OK;
}

enum err_code archive_check_tail(struct source *src, const struct manifest *m, struct err *err)
{
    struct archive_index index;
    char tail[INDEX_TAIL_BYTES];
    struct buf bytes;
    int64_t mtime = m->started_ms / 1000;
    buf_init(&bytes, MANIFEST_MAX_BYTES + (size_t)2 * TAR_BLOCK);
    enum err_code rc = read_index(src, &index, tail, err);
    if (rc == ERR_OK && index.offset != manifest_members_end(m) + TAR_BLOCK)
        rc = err_set(err, ERR_DAMAGED, "%s does not follow the last member it lists", MANIFEST_PATH);
    if (rc == ERR_OK)
        rc = read_manifest_bytes(src, &index, &bytes, err);
    if (rc == ERR_OK)
        rc = check_frame(bytes.data, MANIFEST_PATH, index.length, mtime, err);
    if (rc == ERR_OK)
        rc = check_frame(tail, INDEX_PATH, INDEX_BYTES, mtime, err);
    if (rc == ERR_OK && !tar_is_zero(tail + TAR_BLOCK + INDEX_BYTES, TAR_TRAILER_BYTES))
        rc = err_set(err, ERR_DAMAGED, "the trailer of %s was changed", src->name);
    buf_free(&bytes);
    return rc;
}
