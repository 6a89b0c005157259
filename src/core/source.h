/*
 * A source gives the bytes of one archive.  read_at may be called by several threads when
 * seekable; a stream (standard input) is read by one thread, in order.
 */
#ifndef DBSAFE_CORE_SOURCE_H
#define DBSAFE_CORE_SOURCE_H

#include "core/cancel.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source;

struct source_ops {
    /* Up to bytes from offset; *got is 0 at the end only. */
    enum err_code (*read_at)(struct source *s, uint64_t offset, void *data, size_t bytes, size_t *got,
                             struct err *err);
    void (*free)(struct source *s);
};

/* Implementations embed this as their first member. */
struct source {
    const struct source_ops *ops;
    bool seekable;
    unsigned lanes; /* it is read fastest by so many reads at once; 0: no matter (local) */
    uint64_t size;  /* bytes; only where seekable */
    char *name;     /* for messages; owned by the implementation */
};

/* Reads exactly bytes; ERR_DAMAGED when the source ends before. */
enum err_code source_read_full(struct source *s, uint64_t offset, void *data, size_t bytes, struct err *err);
/* Reads up to bytes, in a loop until full or end; *got says how many. */
enum err_code source_read(struct source *s, uint64_t offset, void *data, size_t bytes, size_t *got,
                          struct err *err);
void source_free(struct source *s);

/* A regular file by path (ERR_NOT_FOUND when missing), and a stream over a descriptor that stays the
 * caller's. For a stream, reads must have ascending offsets without gaps; cancel ends a blocked read. */
enum err_code source_file_open(const char *path, struct source **out, struct err *err);
struct source *source_fd_new(int fd, const char *name, struct cancel *cancel);

#endif
