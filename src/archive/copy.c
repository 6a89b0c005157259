#include "archive/copy.h"

#include "archive/index.h"
#include "archive/reader.h"
#include "core/source_ahead.h"

#include <string.h>

/* Read at once from a source that is far away. */
#define PIECE_BYTES ((size_t)8 << 20)

/* A stream that puts what is read through it into the sink too: what was checked is what was copied. */
struct tee {
    struct source base;
    struct source *src; /* borrowed */
    struct sink *sink;  /* borrowed; may be NULL */
    const struct run *run;
};

static enum err_code tee_read_at(struct source *base, uint64_t offset, void *data, size_t bytes, size_t *got,
                                 struct err *err)
{
    struct tee *t = (struct tee *)base;
    enum err_code rc = cancel_check(t->run->cancel, err);
    *got = 0;
    if (rc == ERR_OK)
        rc = t->src->ops->read_at(t->src, offset, data, bytes, got, err);
    if (rc == ERR_OK && *got > 0 && t->sink != NULL)
        rc = sink_write(t->sink, data, *got, err);
    if (rc == ERR_OK)
        atomic_fetch_add(&t->run->progress->plain_bytes, *got);
    return rc;
}

static enum err_code read_through(struct source *tee, struct archive_copied *copied, struct err *err)
{
    struct archive_stream *stream = archive_stream_new(tee);
    struct buf content;
    char sha256[SHA256_HEX_BYTES];
    const char *path = "";
    buf_init(&content, MEMBER_MAX_BYTES);
    enum err_code rc = ERR_OK;
    while (rc == ERR_OK && path != NULL) {
        rc = archive_stream_next(stream, &path, &content, sha256, err);
        copied->members += rc == ERR_OK && path != NULL;
    }
    if (rc == ERR_OK)
        rc = archive_stream_matches(stream, err);
    copied->bytes = archive_stream_bytes(stream);
    buf_free(&content);
    archive_stream_free(stream);
    return rc;
}

enum err_code archive_copy(const struct run *run, struct source *src, struct sink *sink,
                           struct archive_copied *copied, struct err *err)
{
    static const struct source_ops ops = {.read_at = tee_read_at};
    struct source *ahead = src->lanes > 1 ? source_ahead_new(src, PIECE_BYTES, run->cancel) : NULL;
    struct tee tee = {
        .base = {.ops = &ops, .name = src->name}, .src = ahead ? ahead : src, .sink = sink, .run = run};
    *copied = (struct archive_copied){0};
    enum err_code rc = read_through(&tee.base, copied, err);
    source_free(ahead);
    if (rc == ERR_OK && copied->bytes != src->size)
        rc = err_set(err, ERR_INTERNAL, "%s was not read to its end", src->name);
    return rc;
}

enum err_code archive_is_same(struct source *src, struct source *other, bool *same, struct err *err)
{
    char tail[INDEX_TAIL_BYTES], other_tail[INDEX_TAIL_BYTES];
    *same = false;
    if (src->size != other->size || src->size < sizeof tail)
        return ERR_OK;
    enum err_code rc = source_read_full(src, src->size - sizeof tail, tail, sizeof tail, err);
    if (rc == ERR_OK)
        rc = source_read_full(other, other->size - sizeof tail, other_tail, sizeof tail, err);
    if (rc == ERR_OK)
        *same = memcmp(tail, other_tail, sizeof tail) == 0;
    return rc;
}
