#include "core/buf.h"

#include "core/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_free(struct buf *b)
{
    if (b == NULL)
        return;
    if (b->secret && b->data != NULL)
        explicit_bzero(b->data, b->cap);
    free(b->data);
    *b = (struct buf){.max = b->max, .secret = b->secret};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
}

/* realloc would leave the old copy behind in the heap. */
static char *grow_secret(struct buf *b, size_t cap)
{
    char *data = xmalloc(cap);
    if (b->len > 0)
        memcpy(data, b->data, b->len);
    if (b->data != NULL)
        explicit_bzero(b->data, b->cap);
    free(b->data);
    return data;
}

/* cap is always one byte more than len may need: buf_cstr's NUL.  wanted is at most max. */
static void grow(struct buf *b, size_t wanted)
{
    if (wanted < b->cap)
        return;
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap <= wanted && size_add(cap, cap, &cap))
        ;
    if (cap <= wanted || cap > b->max)
        cap = b->max == SIZE_MAX ? SIZE_MAX : b->max + 1;
    b->data = b->secret ? grow_secret(b, cap) : xrealloc(b->data, cap);
    b->cap = cap;
}

enum err_code buf_reserve(struct buf *b, size_t more, struct err *err)
{
    size_t wanted;
    if (!size_add(b->len, more, &wanted) || wanted > b->max)
        return err_set(err, ERR_NOMEM, "a buffer of %zu bytes cannot take %zu more: its maximum is %zu",
                       b->len, more, b->max);
    grow(b, wanted);
    return ERR_OK;
}

enum err_code buf_add(struct buf *b, const void *data, size_t bytes, struct err *err)
{
    enum err_code rc = buf_reserve(b, bytes, err);
    if (rc != ERR_OK)
        return rc;
    if (bytes > 0)
        memcpy(b->data + b->len, data, bytes);
    b->len += bytes;
    return ERR_OK;
}

static enum err_code add_formatted(struct buf *b, struct err *err, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static enum err_code add_formatted(struct buf *b, struct err *err, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    enum err_code rc = n < 0 ? err_set(err, ERR_INTERNAL, "the text format '%s' fails", format)
                             : buf_reserve(b, (size_t)n, err);
    if (rc == ERR_OK) {
        vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return rc;
}

enum err_code buf_addf(struct buf *b, struct err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum err_code rc = add_formatted(b, err, format, args);
    va_end(args);
    return rc;
}

enum err_code buf_addc(struct buf *b, char c, struct err *err)
{
    return buf_add(b, &c, 1, err);
}

static void demand(enum err_code rc, const struct err *err)
{
    if (rc == ERR_OK)
        return;
    fprintf(stderr, "dbsafe: internal error: %s\n", err->text);
    abort();
}

void buf_put(struct buf *b, const char *s)
{
    buf_putn(b, s, strlen(s));
}

void buf_putn(struct buf *b, const void *data, size_t bytes)
{
    struct err err;
    demand(buf_add(b, data, bytes, &err), &err);
}

void buf_putf(struct buf *b, const char *format, ...)
{
    struct err err;
    va_list args;
    va_start(args, format);
    demand(add_formatted(b, &err, format, args), &err);
    va_end(args);
}

const char *buf_cstr(struct buf *b)
{
    grow(b, b->len);
    b->data[b->len] = '\0';
    return b->data;
}
