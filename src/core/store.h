/*
 * A store keeps archives (and small companions such as proofs) under flat names: at most 200 bytes,
 * without '/', not starting with '.' (else ERR_USAGE).
 * An object exists whole or not at all; an unfinished one is never listed nor readable.
 * Used by one thread at a time; sinks and sources it opened live on their own.
 */
#ifndef DBSAFE_CORE_STORE_H
#define DBSAFE_CORE_STORE_H

#include "core/buf.h"
#include "core/sink.h"
#include "core/source.h"

#include <stdint.h>

struct store;

struct store_entry {
    const char *name; /* valid during the call */
    uint64_t bytes;
    int64_t modified_ms; /* wall clock */
};

typedef enum err_code store_list_fn(void *arg, const struct store_entry *entry, struct err *err);

struct store_ops {
    /* exact: most_bytes is the size.  replace: an object of that name gives way to the new one at commit;
     * else it is refused. */
    enum err_code (*create)(struct store *s, const char *name, uint64_t most_bytes, bool exact, bool replace,
                            struct sink **out, struct err *err);
    enum err_code (*open)(struct store *s, const char *name, struct source **out, struct err *err);
    enum err_code (*list)(struct store *s, store_list_fn *fn, void *arg, struct err *err);
    enum err_code (*remove)(struct store *s, const char *name, struct err *err);
    enum err_code (*sweep)(struct store *s, int64_t stale_after_ms, bool dry_run, unsigned *removed,
                           struct err *err);
    enum err_code (*lock)(struct store *s, struct err *err);
    void (*free)(struct store *s);
};

/* Implementations embed this as their first member. */
struct store {
    const struct store_ops *ops;
    char *url; /* owned by the implementation; no trailing slash */
};

/* What people are told of an object, or with name NULL of the store itself: the absolute path in a folder,
 * else the URL.  Caller frees. */
char *store_location(const struct store *s, const char *name);

/* A sink whose commit makes name appear; ERR_REFUSED when name exists already (checked again at commit).
 * most_bytes: an upper bound of what will be written, as far as anyone knows; 0: unknown.  It sizes buffers
 * and limits nothing. */
enum err_code store_create(struct store *s, const char *name, uint64_t most_bytes, struct sink **out,
                           struct err *err);
/* The same for an object whose size is known: it takes no more memory than that must. */
enum err_code store_create_sized(struct store *s, const char *name, uint64_t bytes, struct sink **out,
                                 struct err *err);
/* ERR_NOT_FOUND when there is no such object. */
enum err_code store_open(struct store *s, const char *name, struct source **out, struct err *err);
/* Calls fn for each object in ascending byte order of name; stops at its first error. */
enum err_code store_list(struct store *s, store_list_fn *fn, void *arg, struct err *err);
enum err_code store_remove(struct store *s, const char *name, struct err *err);
/* Removes what dead runs left unfinished; never what a live run is writing.  Where it cannot be known whether
 * a run lives (another host's upload) its leftovers count as dead once nothing was added to them for
 * stale_after_ms. dry_run: only counts. */
#define STORE_STALE_AFTER_MS ((int64_t)24 * 3600 * 1000)
enum err_code store_sweep(struct store *s, int64_t stale_after_ms, bool dry_run, unsigned *removed,
                          struct err *err);
/* Keeps every other store_lock of the same place out until store_free; ERR_LOCKED says who holds it.  Writers
 * are not kept out. */
enum err_code store_lock(struct store *s, struct err *err);
void store_free(struct store *s);

/* Reads a whole small object (at most max bytes) into out; writes one, replacing an older one. */
enum err_code store_get_small(struct store *s, const char *name, struct buf *out, struct err *err);
enum err_code store_put_small(struct store *s, const char *name, const void *data, size_t bytes,
                              struct err *err);

/* The folder store (store_folder.c).  The folder and its parents are made, mode 0700, when missing
 * and make is true.  While written, an archive is ".<name>.<random>.tmp" under flock; commit is fsync, a
 * rename to the final name that never overwrites, fsync of the folder. */
enum err_code store_folder_open(const char *path, bool make, struct store **out, struct err *err);
/* A sink for one path outside any store (dump -o FILE), with the same guarantees. */
enum err_code sink_file_create(const char *path, struct sink **out, struct err *err);

#endif
