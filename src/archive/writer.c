#include "archive/writer.h"

#include "archive/digest.h"
#include "archive/index.h"
#include "archive/reader.h"
#include "archive/tar.h"
#include "core/mem.h"

#include <inttypes.h>
#include <stdlib.h>

struct archive_writer {
    struct tar_out *tar;
    struct manifest *manifest;
    int64_t mtime;
};

enum err_code archive_writer_new(struct sink *sink, struct manifest *manifest, int64_t mtime,
                                 struct archive_writer **out, struct err *err)
{
    struct archive_writer *w = xcalloc(1, sizeof *w);
    *out = NULL;
    w->manifest = manifest;
    w->mtime = mtime;
    enum err_code rc = tar_out_new(sink, mtime, &w->tar, err);
    if (rc != ERR_OK) {
        free(w);
        return rc;
    }
    *out = w;
    return ERR_OK;
}

void archive_writer_free(struct archive_writer *w)
{
    if (w == NULL)
        return;
    tar_out_free(w->tar);
    free(w);
}

uint64_t archive_writer_bytes(const struct archive_writer *w)
{
    return tar_out_bytes(w->tar);
}

enum err_code archive_writer_add(struct archive_writer *w, struct manifest_member *member,
                                 const void *content, size_t bytes, struct err *err)
{
    if (bytes > MEMBER_MAX_BYTES)
        return err_set(err, ERR_INTERNAL, "member %s has %zu bytes: more than any reader takes", member->path,
                       bytes);
    member->offset = tar_out_bytes(w->tar) + TAR_BLOCK;
    member->length = bytes;
    digest_of(content, bytes, member->sha256);
    enum err_code rc = tar_out_add(w->tar, member->path, content, bytes, err);
    if (rc == ERR_OK)
        manifest_add_member(w->manifest, member);
    return rc;
}

/* An archive that no reader would take must not be committed. */
static enum err_code check(const struct archive_writer *w, struct err *err)
{
    if (w->manifest->started_ms / 1000 != w->mtime)
        return err_set(err, ERR_INTERNAL, "the members' time %" PRId64 " is not the start in the manifest",
                       w->mtime);
    struct err why;
    if (manifest_check(w->manifest, &why) != ERR_OK)
        return err_set(err, ERR_INTERNAL, "the manifest contradicts itself: %s", why.text);
    return ERR_OK;
}

enum err_code archive_writer_finish(struct archive_writer *w, struct err *err)
{
    struct buf json;
    char text[INDEX_BYTES];
    struct archive_index index = {.offset = tar_out_bytes(w->tar) + TAR_BLOCK};
    buf_init(&json, MANIFEST_MAX_BYTES);
    enum err_code rc = check(w, err);
    if (rc == ERR_OK)
        rc = manifest_write(w->manifest, &json, err);
    if (rc == ERR_OK) {
        index.length = json.len;
        digest_of(json.data, json.len, index.sha256);
        index_format(&index, text);
        rc = tar_out_add(w->tar, MANIFEST_PATH, json.data, json.len, err);
    }
    if (rc == ERR_OK)
        rc = tar_out_add(w->tar, INDEX_PATH, text, INDEX_BYTES, err);
    if (rc == ERR_OK)
        rc = tar_out_end(w->tar, err);
    buf_free(&json);
    return rc;
}
