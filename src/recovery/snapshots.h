/*
 * What recovery points want of RDS snapshots: the seam between src/recovery, which says when, and src/rds,
 * which says how.  A test puts its own behind it.
 *
 * An implementation embeds struct recovery_snapshots as its first member; it is used by one thread.  Errors:
 * ERR_NOT_FOUND for an instance or snapshot that is not there, ERR_AWS, ERR_CONFIG.
 */
#ifndef DBSAFE_RECOVERY_SNAPSHOTS_H
#define DBSAFE_RECOVERY_SNAPSHOTS_H

#include "core/run.h"

#include <stdbool.h>
#include <stdint.h>

#define SNAPSHOT_ID_BYTES 256

struct recovery_snapshots;

enum snapshot_status {
    SNAPSHOT_PENDING,   /* it is being made, or in a state that this version does not know */
    SNAPSHOT_AVAILABLE, /* it can be restored */
    SNAPSHOT_FAILED     /* it never will be */
};

struct snapshot_state {
    enum snapshot_status status;
    char word[64];      /* the service's own, for people */
    unsigned percent;   /* done; 0 when not known */
    char arn[512];      /* "" when not known */
    int64_t created_ms; /* its moment by the service's clock; 0: not known */
    uint64_t gib;       /* of storage that a new instance of it has; 0: not known */
};

struct recovery_snapshots_ops {
    /* Whether the instance is there and can be snapshotted now; *cluster: it is a member of one, which is
     * what will be snapshotted. target ("user@host:port"; NULL: not known): the server that is archived; that
     * it does not look like one of the instance's endpoints is a warning. */
    enum err_code (*check)(struct recovery_snapshots *s, const char *instance, const char *target,
                           bool *cluster, struct err *err);
    /* A legal identifier for a snapshot of a point of that name, begun at that time; the same for the same.
     */
    enum err_code (*make_id)(struct recovery_snapshots *s, const char *point, int64_t wall_ms,
                             char out[SNAPSHOT_ID_BYTES], struct err *err);
    /* Begins it and returns; tags it with the point's name.  One of that id that the same point has begun
     * already is fine. */
    enum err_code (*create)(struct recovery_snapshots *s, const char *instance, bool cluster, const char *id,
                            const char *point, struct err *err);
    enum err_code (*describe)(struct recovery_snapshots *s, const char *id, bool cluster,
                              struct snapshot_state *out, struct err *err);
    /* Waits until it is available to stay, telling how far it is.  ERR_AWS when it failed, ERR_TIMEOUT, the
     * token's own; the snapshot goes on being made all the same. */
    enum err_code (*wait)(struct recovery_snapshots *s, const char *id, bool cluster,
                          struct snapshot_state *out, struct err *err);
    /* Whether removing it is safe: ERR_REFUSED when it is young, or the only one of its source.  ERR_OK when
     * it is gone already. */
    enum err_code (*check_remove)(struct recovery_snapshots *s, const char *id, bool cluster,
                                  struct err *err);
    /* ERR_NOT_FOUND when it is gone already. */
    enum err_code (*remove)(struct recovery_snapshots *s, const char *id, bool cluster, struct err *err);
};

struct recovery_snapshots {
    const struct recovery_snapshots_ops *ops;
};

#endif
