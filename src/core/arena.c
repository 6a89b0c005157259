#include "core/arena.h"

#include "core/mem.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)32 * 1024)

struct block {
    struct block *next;
    size_t used;
    size_t size;
    alignas(max_align_t) char data[];
};

struct arena {
    struct block *blocks; /* the first one is being filled */
};

struct arena *arena_new(void)
{
    return xcalloc(1, sizeof(struct arena));
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    while (a->blocks != NULL) {
        struct block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    free(a);
}

static struct block *new_block(size_t bytes)
{
    size_t total;
    if (!size_add(bytes, sizeof(struct block), &total))
        total = SIZE_MAX; /* cannot be had: xcalloc ends the process */
    struct block *b = xcalloc(1, total);
    b->size = bytes;
    return b;
}

/* A large allocation gets a block of its own, behind the one being filled. */
static void *alloc_large(struct arena *a, size_t bytes)
{
    struct block *b = new_block(bytes);
    b->used = bytes;
    if (a->blocks == NULL) {
        a->blocks = b;
    } else {
        b->next = a->blocks->next;
        a->blocks->next = b;
    }
    return b->data;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    const size_t align = alignof(max_align_t);
    if (bytes > BLOCK_BYTES / 4)
        return alloc_large(a, bytes);
    bytes = bytes == 0 ? align : (bytes + align - 1) / align * align;
    if (a->blocks == NULL || a->blocks->size - a->blocks->used < bytes) {
        struct block *b = new_block(BLOCK_BYTES);
        b->next = a->blocks;
        a->blocks = b;
    }
    void *p = a->blocks->data + a->blocks->used;
    a->blocks->used += bytes;
    return p;
}

void *arena_calloc(struct arena *a, size_t count, size_t bytes)
{
    size_t total;
    return arena_alloc(a, size_mul(count, bytes, &total) ? total : SIZE_MAX);
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_strndup(struct arena *a, const char *s, size_t bytes)
{
    size_t len = strnlen(s, bytes);
    char *copy = arena_alloc(a, len + 1);
    memcpy(copy, s, len);
    return copy;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        abort(); /* only a broken format can do that */
    char *text = arena_alloc(a, (size_t)n + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}
