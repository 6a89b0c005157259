#include "rows/encode.h"

#include "core/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The hash is a few nanoseconds a row: it must be inlined to stay nearly free. */
#define XXH_INLINE_ALL
#include <xxhash.h>

/* Escaping looks at blocks of this many bytes; GCC and clang turn the vector type into SIMD of the target. */
#define BLOCK_BYTES 16
typedef unsigned char block __attribute__((vector_size(BLOCK_BYTES)));

void encoder_init(struct encoder *e, const struct manifest_table *t)
{
    e->column_count = t->column_count;
    e->plain = xcalloc(t->column_count, sizeof *e->plain);
    e->enumerated = xcalloc(t->column_count, sizeof *e->enumerated);
    for (unsigned i = 0; i < t->column_count; i++) {
        e->plain[i] = t->columns[i].plain;
        e->enumerated[i] = strncasecmp(t->columns[i].type, "enum", 4) == 0;
    }
}

void encoder_free(struct encoder *e)
{
    free(e->plain);
    free(e->enumerated);
}

uint64_t row_bytes(const struct encoder *e, const struct row *row)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < e->column_count; i++)
        sum += row->lengths[i];
    return sum;
}

uint64_t row_load_warnings(const struct encoder *e, const struct row *row)
{
    uint64_t warnings = 0;
    for (unsigned i = 0; i < e->column_count; i++)
        warnings += e->enumerated[i] && row->values[i] && row->lengths[i] == 1 && row->values[i][0] == '0';
    return warnings;
}

/* The letter behind the backslash, or 0 for a byte that stands for itself. */
static inline char escape_letter(unsigned char c)
{
    switch (c) {
    case '\0':
        return '0';
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\\':
        return '\\';
    default:
        return 0;
    }
}

static inline bool block_is_clean(const char *p)
{
    block b;
    memcpy(&b, p, sizeof b);
    block hit = (block)(b == 0) | (block)(b == '\t') | (block)(b == '\n') | (block)(b == '\\');
    uint64_t halves[2];
    memcpy(halves, &hit, sizeof halves);
    return (halves[0] | halves[1]) == 0;
}

/* Escapes bytes from src into dst, which has room for twice as many; returns the end of what was written. */
static char *escape(char *dst, const char *src, size_t bytes)
{
    const char *end = src + bytes;
    for (;;) {
        while (end - src >= BLOCK_BYTES && block_is_clean(src)) {
            memcpy(dst, src, BLOCK_BYTES);
            dst += BLOCK_BYTES;
            src += BLOCK_BYTES;
        }
        if (src == end)
            return dst;
        /* A short rest, or a block with something to escape: byte by byte, then in blocks again. */
        const char *stop = end - src > BLOCK_BYTES ? src + BLOCK_BYTES : end;
        while (src < stop) {
            char letter = escape_letter((unsigned char)*src);
            if (letter)
                *dst++ = '\\';
            *dst++ = letter ? letter : *src;
            src++;
        }
    }
}

static inline char *encode_field(const struct encoder *e, const struct row *row, unsigned i, char *dst)
{
    const char *value = row->values[i];
    size_t bytes = row->lengths[i];
    if (!value) {
        dst[0] = '\\';
        dst[1] = 'N';
        return dst + 2;
    }
    if (e->plain[i]) {
        memcpy(dst, value, bytes);
        return dst + bytes;
    }
    return escape(dst, value, bytes);
}

enum err_code row_encode(const struct encoder *e, const struct row *row, struct buf *out, struct rowsum *sum,
                         struct err *err)
{
    uint64_t worst = 2 * row_bytes(e, row) + 3 * (uint64_t)e->column_count + 1;
    if (out->cap - out->len < worst) {
        enum err_code code = buf_reserve(out, worst, err);
        if (code != ERR_OK)
            return code;
    }
    char *start = out->data + out->len, *dst = start;
    for (unsigned i = 0; i < e->column_count; i++) {
        dst = encode_field(e, row, i, dst);
        *dst++ = '\t';
    }
    dst[-1] = '\n';
    XXH128_hash_t hash = XXH3_128bits(start, (size_t)(dst - 1 - start));
    *sum = (struct rowsum){hash.low64, hash.high64};
    out->len += (size_t)(dst - start);
    return ERR_OK;
}

uint64_t row_text_bytes(const struct encoder *e, const struct row *row)
{
    uint64_t total = e->column_count; /* a tab or the newline behind each field */
    for (unsigned i = 0; i < e->column_count; i++) {
        const char *value = row->values[i];
        total += value ? row->lengths[i] : 2;
        if (value && !e->plain[i])
            for (size_t k = 0; k < row->lengths[i]; k++)
                total += escape_letter((unsigned char)value[k]) != 0;
    }
    return total;
}

struct pieces {
    row_piece_fn *fn;
    void *arg;
    XXH3_state_t *state;
};

static enum err_code give(struct pieces *p, const char *text, size_t bytes, bool newline, struct err *err)
{
    XXH3_128bits_update(p->state, text, newline ? bytes - 1 : bytes);
    return p->fn(p->arg, text, bytes, err);
}

enum err_code row_encode_pieces(const struct encoder *e, const struct row *row, row_piece_fn *piece,
                                void *arg, struct rowsum *sum, struct err *err)
{
    char *out = xmalloc(ROW_PIECE_BYTES);
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_128bits_reset(&state);
    struct pieces p = {piece, arg, &state};
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < e->column_count; i++) {
        size_t offset = 0, bytes = row->values[i] ? row->lengths[i] : 0;
        char *dst = out;
        if (!row->values[i])
            dst = encode_field(e, row, i, dst);
        while (code == ERR_OK && offset < bytes) {
            size_t n = bytes - offset < ROW_PIECE_BYTES / 2 - 1 ? bytes - offset : ROW_PIECE_BYTES / 2 - 1;
            dst = escape(dst, row->values[i] + offset, n);
            offset += n;
            if (offset < bytes) {
                code = give(&p, out, (size_t)(dst - out), false, err);
                dst = out;
            }
        }
        bool last = i + 1 == e->column_count;
        *dst++ = last ? '\n' : '\t';
        if (code == ERR_OK)
            code = give(&p, out, (size_t)(dst - out), last, err);
    }
    XXH128_hash_t hash = XXH3_128bits_digest(&state);
    *sum = (struct rowsum){hash.low64, hash.high64};
    free(out);
    return code;
}
