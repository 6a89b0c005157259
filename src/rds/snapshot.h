/*
 * Snapshots of instances and clusters: list, begin, copy, delete.  Waiting is in rds.h.  Threads and
 * ownership as there.
 */
#ifndef DBSAFE_RDS_SNAPSHOT_H
#define DBSAFE_RDS_SNAPSHOT_H

#include "rds/rds.h"

#include <stddef.h>

/* Younger ones are not deleted without force. */
#define RDS_PROTECTED_MS ((int64_t)48 * 3600 * 1000)

/* By identifier.  ERR_NOT_FOUND. */
enum err_code rds_snapshot_describe(struct rds *r, enum rds_kind kind, const char *id,
                                    struct rds_snapshot *out, struct err *err);
/* What a person calls NAME: an identifier or an ARN.  ERR_NOT_FOUND; ERR_USAGE when both an instance's and a
 * cluster's snapshot are called so (the message names the ARNs) or it is no identifier. */
enum err_code rds_snapshot_find(struct rds *r, const char *name, struct rds_snapshot *out, struct err *err);

struct rds_snapshots {
    struct rds_snapshot *items; /* owned; the oldest first */
    size_t count;
};
/* All that the account has in the region, automated ones too. */
enum err_code rds_snapshot_list(struct rds *r, struct rds_snapshots *out, struct err *err);
/* Those of an instance or cluster: of that name, and of that resource id ("" or NULL: only by name), because
 * it may have been renamed.  It need not exist any more. */
enum err_code rds_snapshot_list_of(struct rds *r, enum rds_kind kind, const char *id, const char *resource_id,
                                   struct rds_snapshots *out, struct err *err);
void rds_snapshots_free(struct rds_snapshots *s); /* also after a failure */

/*
 * Begins a snapshot with the identifier id, tagged dbsafe:created and, with a point, dbsafe:point; does not
 * wait for it. An instance that is busy (backing-up, modifying) is waited for. When a snapshot of that name
 * and source, begun by dbsafe, is still being made, or was made by this very call whose answer got lost, that
 * is the one: *resumed (may be NULL) tells. Errors: ERR_AWS with AWS's words (DBSnapshotAlreadyExists,
 * SnapshotQuotaExceeded,
 * ...), ERR_NOT_FOUND.
 */
enum err_code rds_snapshot_create(struct rds *r, const struct rds_database *source, const char *id,
                                  const char *point, struct rds_snapshot *out, bool *resumed,
                                  struct err *err);

/* Begins a copy, tagged dbsafe:created, with the source's dbsafe:point, and with what it is a copy of and the
 * key that was asked for; kms_key: NULL for the source's encryption. One that has the name already is it when
 * these two are the same, finished or not: *resumed. */
enum err_code rds_snapshot_copy(struct rds *r, const struct rds_snapshot *source, const char *id,
                                const char *kms_key, struct rds_snapshot *out, bool *resumed,
                                struct err *err);

/* Whether deleting it is safe, which it is for one that failed: ERR_REFUSED when it is younger than
 * RDS_PROTECTED_MS, or the only one of its source that is manual and available. */
enum err_code rds_snapshot_check_delete(struct rds *r, const struct rds_snapshot *snapshot, struct err *err);
/* Deletes it; word is what the person typed or gave: it must be its identifier or ARN (ERR_REFUSED).  That it
 * is gone already is no error. */
enum err_code rds_snapshot_delete(struct rds *r, const struct rds_snapshot *snapshot, const char *word,
                                  struct err *err);

#endif
