/*
 * Archives in memory at the sink and source seams: a sink that keeps (and on request refuses) what is
 * written, and a source, seekable or a stream, that gives its bytes in small pieces.
 */
#ifndef DBSAFE_TESTS_SUPPORT_MEMORY_H
#define DBSAFE_TESTS_SUPPORT_MEMORY_H

#include "core/buf.h"
#include "core/sink.h"
#include "core/source.h"

#include <stdlib.h>
#include <string.h>

struct memory_sink {
    struct sink base;
    struct buf data;
    int writes_left; /* the write after that many fails; negative: none does */
    bool committed;
};

static inline enum err_code memory_sink_write(struct sink *base, const void *data, size_t bytes,
                                              struct err *err)
{
    struct memory_sink *s = (struct memory_sink *)base;
    if (s->writes_left == 0)
        return err_set(err, ERR_NOSPACE, "the memory sink is full");
    if (s->writes_left > 0)
        s->writes_left--;
    return buf_add(&s->data, data, bytes, err);
}

static inline enum err_code memory_sink_commit(struct sink *base, struct err *err)
{
    (void)err;
    ((struct memory_sink *)base)->committed = true;
    return ERR_OK;
}

static inline void memory_sink_free(struct sink *base)
{
    buf_free(&((struct memory_sink *)base)->data);
}

/* Lives on the stack; sink_free(&s->base) releases its bytes. */
static inline void memory_sink_init(struct memory_sink *s)
{
    static const struct sink_ops ops = {memory_sink_write, memory_sink_commit, memory_sink_free};
    *s = (struct memory_sink){.base = {&ops}, .writes_left = -1};
    buf_init(&s->data, (size_t)1 << 30);
}

struct memory_source {
    struct source base;
    const char *data; /* borrowed */
    size_t bytes;
    size_t piece;        /* at most that many bytes a call */
    uint64_t at;         /* where a stream goes on */
    uint64_t fails_from; /* reads that reach this offset fail with ERR_STORAGE */
};

static inline enum err_code memory_source_read(struct source *base, uint64_t offset, void *data, size_t bytes,
                                               size_t *got, struct err *err)
{
    struct memory_source *s = (struct memory_source *)base;
    size_t left = offset < s->bytes ? s->bytes - (size_t)offset : 0;
    size_t n = bytes < s->piece ? bytes : s->piece;
    if (!base->seekable && offset != s->at)
        return err_set(err, ERR_INTERNAL, "the stream was not read in order");
    if (offset + n > s->fails_from)
        return err_set(err, ERR_STORAGE, "the memory source failed");
    *got = n < left ? n : left;
    if (*got > 0)
        memcpy(data, s->data + offset, *got);
    if (!base->seekable)
        s->at += *got;
    return ERR_OK;
}

static inline void memory_source_free(struct source *base)
{
    (void)base;
}

/* Lives on the stack and needs no release. */
static inline void memory_source_init(struct memory_source *s, const void *data, size_t bytes, bool seekable)
{
    static const struct source_ops ops = {memory_source_read, memory_source_free};
    *s = (struct memory_source){
        .base = {.ops = &ops, .seekable = seekable, .size = seekable ? bytes : 0, .name = (char *)"memory"},
        .data = data,
        .bytes = bytes,
        .piece = 7000,
        .fails_from = UINT64_MAX,
    };
}

#endif
