/*
 * A growable byte buffer with a stated maximum.  The caller owns the struct; buf_free
 * releases its memory.  Not thread-safe.
 *
 * The content is not a C string unless buf_cstr was called last.
 */
#ifndef DBSAFE_CORE_BUF_H
#define DBSAFE_CORE_BUF_H

#include "core/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;  /* owned; NULL while cap is 0 */
    size_t len;  /* bytes in use */
    size_t cap;  /* bytes allocated */
    size_t max;  /* len never exceeds this */
    bool secret; /* set after buf_init: memory that is given back or outgrown is wiped first */
};

/* An empty buffer that may grow to max bytes. */
void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);
/* len = 0, memory kept. */
void buf_clear(struct buf *b);

/* Makes room for more bytes behind len; ERR_NOMEM when that would pass max. */
enum err_code buf_reserve(struct buf *b, size_t more, struct err *err);
enum err_code buf_add(struct buf *b, const void *data, size_t bytes, struct err *err);
enum err_code buf_addf(struct buf *b, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum err_code buf_addc(struct buf *b, char c, struct err *err);

/* For text built by the program itself whose size is small (SQL, messages): the same, but
 * reaching max is a bug and ends the process.  Return nothing, so that building reads as one flow. */
void buf_put(struct buf *b, const char *s);
void buf_putn(struct buf *b, const void *data, size_t bytes);
void buf_putf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* NUL-terminates (outside len) and returns data; never NULL. */
const char *buf_cstr(struct buf *b);

#endif
