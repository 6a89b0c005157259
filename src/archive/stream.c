/*
 * Reading in order.  Only sizes and times are taken from the headers on trust; then each header is made again
 * from them and compared (see reader.c).  That contents are right shows only at the end, by the manifest.
 */
#include "archive/digest.h"
#include "archive/index.h"
#include "archive/reader.h"
#include "archive/tar.h"
#include "core/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct seen {
    char path[TAR_PATH_MAX + 1];
    uint64_t offset, length;
    char sha256[SHA256_HEX_BYTES];
};

struct archive_stream {
    struct source *src; /* borrowed */
    uint64_t at;        /* bytes read */
    int64_t mtime;      /* of the first member; all others have the same */
    struct seen *seen;  /* owned; members that passed */
    size_t count, cap;
    struct manifest *manifest; /* owned; set at the end */
};

struct archive_stream *archive_stream_new(struct source *src)
{
    struct archive_stream *s = xcalloc(1, sizeof *s);
    s->src = src;
    s->mtime = -1;
    return s;
}

void archive_stream_free(struct archive_stream *s)
{
    if (s == NULL)
        return;
    manifest_free(s->manifest);
    free(s->seen);
    free(s);
}

struct manifest *archive_stream_manifest(struct archive_stream *s)
{
    return s->manifest;
}

uint64_t archive_stream_bytes(const struct archive_stream *s)
{
    return s->at;
}

struct manifest *archive_stream_take_manifest(struct archive_stream *s)
{
    struct manifest *m = s->manifest;
    s->manifest = NULL;
    return m;
}

static enum err_code read_bytes(struct archive_stream *s, void *data, size_t bytes, struct err *err)
{
    enum err_code rc = source_read_full(s->src, s->at, data, bytes, err);
    if (rc == ERR_OK)
        s->at += bytes;
    return rc;
}

static enum err_code read_header(struct archive_stream *s, struct seen *out, struct err *err)
{
    char header[TAR_BLOCK];
    int64_t mtime;
    enum err_code rc = read_bytes(s, header, sizeof header, err);
    if (rc != ERR_OK)
        return rc;
    if (!tar_parse(header, out->path, &out->length, &mtime))
        return err_set(err, ERR_DAMAGED,
                       "%s is damaged or not a dbsafe archive: there is no member at %" PRIu64, s->src->name,
                       s->at - TAR_BLOCK);
    if (s->mtime < 0 && strcmp(out->path, "README.txt") != 0)
        return err_set(err, ERR_DAMAGED, "%s is not a dbsafe archive: it starts with %s", s->src->name,
                       out->path);
    if (s->mtime < 0)
        s->mtime = mtime;
    rc = tar_check(header, out->path, out->length, s->mtime, err);
    if (rc == ERR_OK && out->length > MEMBER_MAX_BYTES)
        rc = err_set(err, ERR_DAMAGED, "it is too long: %" PRIu64 " bytes", out->length);
    out->offset = s->at;
    return rc == ERR_OK ? rc : err_wrap(err, "%s", out->path);
}

static enum err_code read_content(struct archive_stream *s, struct seen *member, struct buf *out,
                                  struct err *err)
{
    size_t length = (size_t)member->length, padded = (size_t)tar_padded(length);
    buf_clear(out);
    enum err_code rc = buf_reserve(out, padded, err);
    if (rc == ERR_OK)
        rc = read_bytes(s, out->data, padded, err);
    if (rc == ERR_OK && !tar_is_zero(out->data + length, padded - length))
        rc = err_set(err, ERR_DAMAGED, "the padding behind it was changed");
    if (rc != ERR_OK)
        return err_wrap(err, "%s", member->path);
    out->len = length;
    digest_of(out->data, length, member->sha256);
    return ERR_OK;
}

static void remember(struct archive_stream *s, const struct seen *member)
{
    if (s->count == s->cap) {
        s->cap = s->cap > 0 ? 2 * s->cap : 64;
        s->seen = xreallocarray(s->seen, s->cap, sizeof *s->seen);
    }
    s->seen[s->count++] = *member;
}

/* Index and trailer must be what follows from the manifest, and then the stream must end. */
static enum err_code read_tail(struct archive_stream *s, const struct seen *manifest, struct err *err)
{
    char tail[INDEX_TAIL_BYTES], expected[INDEX_BYTES], more;
    size_t got = 0;
    struct archive_index index = {.offset = manifest->offset, .length = manifest->length};
    memcpy(index.sha256, manifest->sha256, sizeof index.sha256);
    index_format(&index, expected);
    enum err_code rc = read_bytes(s, tail, sizeof tail, err);
    if (rc == ERR_OK)
        rc = tar_check(tail, INDEX_PATH, INDEX_BYTES, s->mtime, err);
    if (rc == ERR_OK && memcmp(tail + TAR_BLOCK, expected, INDEX_BYTES) != 0)
        rc = err_set(err, ERR_DAMAGED, "it does not fit the manifest");
    if (rc != ERR_OK)
        return err_wrap(err, "%s", INDEX_PATH);
    if (!tar_is_zero(tail + TAR_BLOCK + INDEX_BYTES, TAR_TRAILER_BYTES))
        return err_set(err, ERR_DAMAGED, "the trailer of %s was changed", s->src->name);
    rc = source_read(s->src, s->at, &more, 1, &got, err);
    if (rc == ERR_OK && got > 0)
        rc = err_set(err, ERR_DAMAGED, "%s goes on behind its end", s->src->name);
    return rc;
}

static enum err_code read_end(struct archive_stream *s, struct seen *manifest, struct err *err)
{
    struct buf json;
    buf_init(&json, MANIFEST_MAX_BYTES + (size_t)TAR_BLOCK);
    enum err_code rc = manifest->length > MANIFEST_MAX_BYTES
                           ? err_set(err, ERR_DAMAGED, "%s is too long", MANIFEST_PATH)
                           : read_content(s, manifest, &json, err);
    if (rc == ERR_OK)
        rc = read_tail(s, manifest, err);
    if (rc == ERR_OK)
        rc = manifest_read(json.data, json.len, &s->manifest, err);
    if (rc == ERR_OK && s->manifest->started_ms / 1000 != s->mtime)
        rc = err_set(err, ERR_DAMAGED,
                     "the members' time in the tar headers is not the start in the manifest");
    buf_free(&json);
    return rc;
}

enum err_code archive_stream_next(struct archive_stream *s, const char **path, struct buf *out,
                                  char sha256[SHA256_HEX_BYTES], struct err *err)
{
    struct seen member;
    *path = NULL;
    enum err_code rc = read_header(s, &member, err);
    if (rc != ERR_OK)
        return rc;
    if (strcmp(member.path, MANIFEST_PATH) == 0)
        return read_end(s, &member, err);
    rc = read_content(s, &member, out, err);
    if (rc != ERR_OK)
        return rc;
    remember(s, &member);
    *path = s->seen[s->count - 1].path;
    memcpy(sha256, member.sha256, sizeof member.sha256);
    return ERR_OK;
}

static bool is_same(const struct seen *seen, const struct manifest_member *member)
{
    return strcmp(seen->path, member->path) == 0 && seen->offset == member->offset &&
           seen->length == member->length && strcmp(seen->sha256, member->sha256) == 0;
}

enum err_code archive_stream_matches(struct archive_stream *s, struct err *err)
{
    const struct manifest *m = s->manifest;
    if (m == NULL)
        return err_set(err, ERR_INTERNAL, "the stream was not read to its end");
    for (size_t i = 0; i < s->count && i < m->member_count; i++)
        if (!is_same(&s->seen[i], &m->members[i]))
            return err_set(err, ERR_DAMAGED,
                           "%s: path, place, length or SHA-256 is not the one in the manifest",
                           s->seen[i].path);
    if (s->count != m->member_count)
        return err_set(err, ERR_DAMAGED, "%zu members came, and the manifest lists %zu", s->count,
                       m->member_count);
    return ERR_OK;
}
