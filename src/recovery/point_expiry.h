/*
 * Retention of recovery points: which have expired, or were being deleted by a run that died, and which
 * archives retention must leave alone because a point goes back to them.  One thread; the caller holds the
 * lock of the store of archives.
 */
#ifndef DBSAFE_RECOVERY_POINT_EXPIRY_H
#define DBSAFE_RECOVERY_POINT_EXPIRY_H

#include "core/run.h"
#include "recovery/point.h"
#include "recovery/prune.h"
#include "recovery/snapshots.h"

struct point_expiry {
    struct point_list all;  /* owned */
    struct point **expired; /* into all; to be removed, the oldest first */
    size_t expired_count;
    const char **archives; /* theirs */
    size_t archive_count;
    const char **pinned; /* archives of the others */
    size_t pinned_count;
};

/* The newest complete point never expires, nor does the newest one with a snapshot of an instance.  Points
 * with a snapshot expire only where it can be deleted (snapshots is not NULL) and may be (it is neither young
 * nor the only one); else they are told and kept.  So is one with a rollback that is not finished, and
 * unfinished points of a day ago are told.  A record that cannot be read is an error: nobody knows
 * what it pins. Release with point_expiry_free, on failure too. */
enum err_code point_expiry_plan(const struct run *run, struct store *points,
                                struct recovery_snapshots *snapshots, struct point_expiry *out,
                                struct err *err);
/* Deletes the expired ones with all they bind, but for archives that the plan for these spares; what is gone
 * meanwhile is no error. */
enum err_code point_expiry_apply(const struct run *run, const struct point_stores *stores,
                                 struct recovery_snapshots *snapshots, const struct point_expiry *plan,
                                 const struct prune_plan *archives, struct err *err);
void point_expiry_free(struct point_expiry *e);

#endif
