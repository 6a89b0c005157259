/*
 * A recovery point: what binds an archive, and an RDS snapshot where there is one, to one name.  Its record
 * is one JSON object, <name>.json, in a store of its own beside the archives: "points" below their store
 * (docs/decisions/0021).  docs/recovery.md describes the keys.
 *
 * A record is written before each thing that it speaks of is begun and after it is done, so that whoever
 * finds it knows what may exist.  Its strings live in its arena.
 */
#ifndef DBSAFE_RECOVERY_POINT_H
#define DBSAFE_RECOVERY_POINT_H

#include "archive/manifest.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/json_out.h"
#include "core/run.h"
#include "core/store.h"

#include <stdbool.h>
#include <stdint.h>

#define POINT_NAME_MAX     80 /* bytes */
#define POINT_SUFFIX       ".json"
#define POINT_RECORD       1 /* version of the form */
#define POINT_PROTECTED_MS ((int64_t)48 * 3600 * 1000)
#define DAY_MS             ((int64_t)24 * 3600 * 1000)

enum point_state {
    POINT_CREATING, /* not all of it is done; the same command goes on */
    POINT_COMPLETE, /* all of it is done and checked */
    POINT_DELETING  /* parts of it may be gone */
};

/* A place in the server's history. */
struct coordinates {
    int64_t at_ms;    /* wall clock; 0: not taken */
    const char *file; /* "" when the server writes no binlog, or does not tell */
    uint64_t position;
    const char *gtid; /* NULL: not known */
};

struct point_archive {
    const char *name; /* in the store of archives; NULL: none was begun */
    bool done;        /* it was committed; else it may exist or not */
    const char *run_id, *manifest_sha256, *method;
    uint64_t bytes, plain_bytes, tables, rows;
    struct coordinates at;
    int64_t verified_ms; /* every byte was; 0: not yet */
    bool unusable;       /* found damaged, or to come back differently: another is to be taken */
};

struct point_drill {
    int64_t passed_ms; /* 0: not yet */
    int64_t took_ms;
    const char *server_version;
    const char *skipped; /* why there was none; NULL */
};

struct point_snapshot {
    const char *instance; /* NULL: the point is of the archive alone */
    const char *id, *arn;
    bool cluster;
    int64_t requested_ms, available_ms; /* by our clock; available: seen so; 0: not yet */
    int64_t created_ms;                 /* its moment by AWS's clock; 0: not known */
    uint64_t gib;                       /* of storage; 0: not known */
};

struct point_git {
    const char *commit; /* NULL: none was asked for */
    const char *branch; /* NULL: detached */
    const char *const *tags;
    unsigned tag_count;
};

struct point_estimate {
    bool known;
    int64_t likely_ms, most_ms; /* how long a restore of the archive takes */
    const char *unknown_why;    /* NULL: it was not asked for */
    int64_t rto_ms;             /* what it was held against */
};

struct point {
    struct arena *arena;
    const char *name;
    enum point_state state;
    int64_t created_ms, completed_ms; /* 0: not complete */
    bool keep;                        /* never expires */
    int64_t expires_ms;               /* 0 with keep, and before it is complete */
    const char *person;               /* who made it: "user@host" */
    const char *owner; /* process that works on it, as restore's journals name one; NULL: none */
    const char *tool_version;
    const char *target, *server_version; /* the server: "user@host:port" */
    const char *server_identity;         /* recovery/server.h; NULL: not known */
    unsigned name_count;
    const char *const *names; /* what was to be archived, as it was given */
    unsigned exclude_count;
    const char *const *excludes; /* and what not */
    struct coordinates before, after;
    struct point_archive archive;
    struct point_drill drill;
    struct point_snapshot snapshot;
    struct point_git git;
    struct point_estimate estimate;
    unsigned obstacle_count;
    const char *const *obstacles; /* why a rollback would have been refused to this account, then */
};

struct point *point_new(const char *name);
void point_free(struct point *p);

/* Letters, digits, '.', '_' and '-'; at most POINT_NAME_MAX; not starting with '.' or '-'. ERR_USAGE. */
enum err_code point_check_name(const char *name, struct err *err);
const char *point_state_text(enum point_state s);
bool point_is_protected(const struct point *p, int64_t now_ms);
bool point_is_expired(const struct point *p, int64_t now_ms);
/* "archive", or "archive and snapshot". */
const char *point_kind_text(const struct point *p);

/* ---- the record (point_json.c) ---- */

/* The keys of the record into an object that is open. */
void point_put_json(const struct point *p, struct json_out *j);
/* ERR_DAMAGED; ERR_REFUSED for a newer form. */
enum err_code point_read_json(const char *data, size_t bytes, struct point **out, struct err *err);

/* ---- the store of points ---- */

struct point_stores {
    struct store *archives, *points;
    /* Opens the store of points once more, to lock it for a moment: a lock lasts as long as its store. */
    enum err_code (*open_points)(void *arg, struct store **out, struct err *err);
    void *arg;
    int64_t stale_after_ms; /* of store_sweep */
};

/* Keeps others from taking, changing or deleting points until the caller frees *locked; waits some seconds
 * for one who does. */
enum err_code point_lock(const struct run *run, const struct point_stores *stores, struct store **locked,
                         struct err *err);

/* ERR_NOT_FOUND when there is none of that name. */
enum err_code point_get(struct store *points, const char *name, struct point **out, struct err *err);
/* Replaces the record; with fresh it must not exist yet: ERR_REFUSED. */
enum err_code point_put(struct store *points, const struct point *p, bool fresh, struct err *err);
/* ERR_OK when there is none either. */
enum err_code point_forget(struct store *points, const char *name, struct err *err);

struct point_list {
    struct point **items;
    size_t count;
};
/* All records, the oldest first; one that cannot be read is an error that names it, unless unreadable (may be
 * NULL) counts those. Release with point_list_free, on failure too. */
enum err_code point_list(struct store *points, struct point_list *out, unsigned *unreadable, struct err *err);
void point_list_free(struct point_list *l);

#endif
