/*
 * Memory helpers: allocation that ends the process when the system has no memory
 * (the one place outside src/cli that may exit), and overflow-checked sizes.
 */
#ifndef DBSAFE_CORE_MEM_H
#define DBSAFE_CORE_MEM_H

#include <stdbool.h>
#include <stddef.h>

void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes);
void *xrealloc(void *p, size_t bytes);
/* xrealloc(p, count * bytes) with an overflow check. */
void *xreallocarray(void *p, size_t count, size_t bytes);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t bytes);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* free for a string that is a secret: its bytes are wiped before.  NULL is accepted. */
void secret_free(char *s);

/* *sum = a + b, *product = a * b; false on overflow. */
bool size_add(size_t a, size_t b, size_t *sum);
bool size_mul(size_t a, size_t b, size_t *product);

#endif
