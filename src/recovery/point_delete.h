/*
 * Deletes a recovery point with all that it binds: the RDS snapshot, the archive with its companions, then
 * the record. The record says so first, so that the same call again finishes what a dead run began.  One
 * thread.
 */
#ifndef DBSAFE_RECOVERY_POINT_DELETE_H
#define DBSAFE_RECOVERY_POINT_DELETE_H

#include "core/run.h"
#include "recovery/point.h"
#include "recovery/snapshots.h"

struct point_delete_options {
    bool force;                           /* although it is protected, kept, or the last one */
    bool keep_archive;                    /* it stays, as an ordinary one */
    bool dry_run;                         /* only says whether it would be refused */
    struct recovery_snapshots *snapshots; /* NULL: points with one are refused */
    /* Asked when nothing speaks against it; NULL: nobody is. */
    enum err_code (*confirm)(void *arg, const struct point *p, struct err *err);
    void *arg;
};

/* ERR_REFUSED, without force: protected (48 hours), kept, or the only complete one; its snapshot, young or
 * the only one of its source, in any state of the point. Also: not confirmed. ERR_LOCKED: a run is making it.
 * ERR_NOT_FOUND.  *out is the point as it was; the caller frees it. */
enum err_code point_delete(const struct run *run, const struct point_stores *stores, const char *name,
                           const struct point_delete_options *options, struct point **out, struct err *err);

#endif
