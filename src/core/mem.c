#include "core/mem.h"

#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* _exit: other threads still run, so no exit handler may touch what they use. */
static void *demand(void *p)
{
    if (p != NULL)
        return p;
    static const char text[] = "dbsafe: error: the system has no memory left\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1); /* ending anyway */
    (void)ignored;
    _exit(err_exit_status(ERR_NOMEM));
}

/* malloc(0) may return NULL without being out of memory. */
static size_t at_least_one(size_t bytes)
{
    return bytes == 0 ? 1 : bytes;
}

void *xmalloc(size_t bytes)
{
    return demand(malloc(at_least_one(bytes)));
}

void *xcalloc(size_t count, size_t bytes)
{
    return demand(calloc(at_least_one(count), at_least_one(bytes)));
}

void *xrealloc(void *p, size_t bytes)
{
    return demand(realloc(p, at_least_one(bytes)));
}

void *xreallocarray(void *p, size_t count, size_t bytes)
{
    size_t total;
    return size_mul(count, bytes, &total) ? xrealloc(p, total) : demand(NULL);
}

char *xstrdup(const char *s)
{
    return demand(strdup(s));
}

char *xstrndup(const char *s, size_t bytes)
{
    return demand(strndup(s, bytes));
}

char *xasprintf(const char *format, ...)
{
    char *s = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&s, format, args);
    va_end(args);
    return demand(n < 0 ? NULL : s);
}

void secret_free(char *s)
{
    if (s != NULL)
        explicit_bzero(s, strlen(s));
    free(s);
}

bool size_add(size_t a, size_t b, size_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

bool size_mul(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}
