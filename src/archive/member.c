#include "archive/member.h"

#include "core/mem.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <zstd.h>

struct packer {
    ZSTD_CCtx *ctx;
    struct buf *out;  /* of the frame that was begun */
    uint64_t missing; /* bytes of text that are still to be added to it */
};

static enum err_code zstd_failed(size_t code, const char *what, struct err *err)
{
    return err_set(err, ERR_INTERNAL, "zstd cannot %s: %s", what, ZSTD_getErrorName(code));
}

struct packer *packer_new(int level)
{
    struct packer *p = xcalloc(1, sizeof *p);
    p->ctx = ZSTD_createCCtx();
    if (p->ctx == NULL)
        abort(); /* out of memory, as in xmalloc */
    ZSTD_CCtx_setParameter(p->ctx, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(p->ctx, ZSTD_c_contentSizeFlag, 1);
    ZSTD_CCtx_setParameter(p->ctx, ZSTD_c_checksumFlag, 1);
    return p;
}

void packer_free(struct packer *p)
{
    if (p == NULL)
        return;
    ZSTD_freeCCtx(p->ctx);
    free(p);
}

static enum err_code refuse_empty(uint64_t bytes, struct err *err)
{
    return bytes > 0 ? ERR_OK : err_set(err, ERR_INTERNAL, "a data member without text was to be compressed");
}

enum err_code packer_pack(struct packer *p, const void *text, size_t bytes, struct buf *out, struct err *err)
{
    enum err_code rc = refuse_empty(bytes, err);
    if (rc != ERR_OK)
        return rc;
    buf_clear(out);
    size_t bound = ZSTD_compressBound(bytes);
    rc = ZSTD_isError(bound) ? zstd_failed(bound, "compress a member", err) : buf_reserve(out, bound, err);
    if (rc != ERR_OK)
        return rc;
    ZSTD_CCtx_reset(p->ctx, ZSTD_reset_session_only);
    size_t n = ZSTD_compress2(p->ctx, out->data, bound, text, bytes);
    if (ZSTD_isError(n))
        return zstd_failed(n, "compress a member", err);
    out->len = n;
    return ERR_OK;
}

enum err_code packer_begin(struct packer *p, uint64_t total_bytes, struct buf *out, struct err *err)
{
    enum err_code rc = refuse_empty(total_bytes, err);
    if (rc != ERR_OK)
        return rc;
    buf_clear(out);
    p->out = out;
    p->missing = total_bytes;
    ZSTD_CCtx_reset(p->ctx, ZSTD_reset_session_only);
    /* without it a streamed frame has no content size, and readers could not tell a cut one early */
    size_t n = ZSTD_CCtx_setPledgedSrcSize(p->ctx, total_bytes);
    return ZSTD_isError(n) ? zstd_failed(n, "begin a member", err) : ERR_OK;
}

/* Gives zstd the text until it has taken all of it or, at the end, until it has nothing left to write. */
static enum err_code stream(struct packer *p, ZSTD_inBuffer *in, ZSTD_EndDirective mode, struct err *err)
{
    for (;;) {
        enum err_code rc = buf_reserve(p->out, ZSTD_CStreamOutSize(), err);
        if (rc != ERR_OK)
            return rc;
        ZSTD_outBuffer out = {p->out->data + p->out->len, ZSTD_CStreamOutSize(), 0};
        size_t left = ZSTD_compressStream2(p->ctx, &out, in, mode);
        if (ZSTD_isError(left))
            return zstd_failed(left, "compress a member", err);
        p->out->len += out.pos;
        if (mode == ZSTD_e_end ? left == 0 : in->pos == in->size)
            return ERR_OK;
    }
}

enum err_code packer_add(struct packer *p, const void *text, size_t bytes, struct err *err)
{
    if (bytes > p->missing)
        return err_set(err, ERR_INTERNAL, "a member got more text than was announced");
    p->missing -= bytes;
    return stream(p, &(ZSTD_inBuffer){text, bytes, 0}, ZSTD_e_continue, err);
}

enum err_code packer_end(struct packer *p, struct err *err)
{
    if (p->missing > 0)
        return err_set(err, ERR_INTERNAL, "a member got %" PRIu64 " bytes of text less than were announced",
                       p->missing);
    return stream(p, &(ZSTD_inBuffer){NULL, 0, 0}, ZSTD_e_end, err);
}

struct unpacker {
    ZSTD_DCtx *ctx;
    ZSTD_inBuffer in;
    bool whole; /* the frame came to its end, its checksum was right */
};

struct unpacker *unpacker_new(void)
{
    struct unpacker *u = xcalloc(1, sizeof *u);
    u->ctx = ZSTD_createDCtx();
    if (u->ctx == NULL)
        abort(); /* out of memory, as in xmalloc */
    return u;
}

void unpacker_free(struct unpacker *u)
{
    if (u == NULL)
        return;
    ZSTD_freeDCtx(u->ctx);
    free(u);
}

/* The content checksum flag of the frame header descriptor (RFC 8878, section 3.1.1.1.1). */
static bool has_checksum(const unsigned char *frame, size_t bytes)
{
    return bytes > 4 && (frame[4] & 0x04) != 0;
}

enum err_code unpacker_begin(struct unpacker *u, const void *stored, size_t bytes, uint64_t plain_bytes,
                             struct err *err)
{
    unsigned long long size = ZSTD_getFrameContentSize(stored, bytes);
    u->whole = false;
    u->in = (ZSTD_inBuffer){stored, 0, 0};
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size == 0)
        return err_set(err, ERR_DAMAGED, "it is not a zstd frame that states the size of its content");
    if (!has_checksum(stored, bytes))
        return err_set(err, ERR_DAMAGED, "the zstd frame has no checksum");
    if (ZSTD_findFrameCompressedSize(stored, bytes) != bytes)
        return err_set(err, ERR_DAMAGED, "it is not exactly one zstd frame");
    if (plain_bytes != UINT64_MAX && plain_bytes != size)
        return err_set(err, ERR_DAMAGED, "it holds %llu bytes of text instead of %" PRIu64, size,
                       plain_bytes);
    u->in.size = bytes;
    ZSTD_DCtx_reset(u->ctx, ZSTD_reset_session_only);
    return ERR_OK;
}

enum err_code unpacker_read(struct unpacker *u, void *text, size_t max, size_t *got, struct err *err)
{
    ZSTD_outBuffer out = {text, max, 0};
    *got = 0;
    while (!u->whole && out.pos < out.size) {
        size_t before = out.pos;
        size_t left = ZSTD_decompressStream(u->ctx, &out, &u->in);
        if (ZSTD_isError(left))
            return err_set(err, ERR_DAMAGED, "it cannot be decompressed: %s", ZSTD_getErrorName(left));
        u->whole = left == 0;
        if (!u->whole && u->in.pos == u->in.size && out.pos == before)
            return err_set(err, ERR_DAMAGED, "it cannot be decompressed: it ends early");
    }
    *got = out.pos;
    return ERR_OK;
}
