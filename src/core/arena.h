/*
 * An arena: many small allocations, released together.  Used for catalogues, plans and manifests.
 * Not thread-safe.  Strings are NUL-terminated.  Allocation never returns NULL.
 */
#ifndef DBSAFE_CORE_ARENA_H
#define DBSAFE_CORE_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);
/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *a, size_t bytes);
void *arena_calloc(struct arena *a, size_t count, size_t bytes);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t bytes);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
