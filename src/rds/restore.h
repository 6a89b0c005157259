/*
 * Restoring into a new instance or cluster, with the settings of one that exists (settings.h).  The source is
 * never touched.  Threads and ownership as in rds.h.
 */
#ifndef DBSAFE_RDS_RESTORE_H
#define DBSAFE_RDS_RESTORE_H

#include "rds/rds.h"
#include "rds/settings.h"

#include <stddef.h>

struct rds_restore {
    const struct rds_snapshot *snapshot; /* NULL: to a point in time of source */
    const struct rds_database *source;   /* for a point in time */
    const char *time;                    /* ISO 8601; NULL: the latest restorable time */
    const char *to;                      /* legal identifier of what is made */
    const struct rds_database *like;     /* whose settings it gets; NULL: RDS's defaults (no cluster) */
    const char *point;                   /* for the tag dbsafe:point; NULL: none */
};

struct rds_difference {
    char *where; /* identifier of the instance or cluster */
    char *name, *source, *restored;
};

struct rds_restored {
    struct rds_database database;       /* as it is at the end */
    bool resumed;                       /* an earlier call had begun it */
    struct rds_difference *differences; /* settings that are not as those of like, in spite of all */
    size_t difference_count;
    char **notices; /* what cannot be carried over */
    size_t notice_count;
};
void rds_restored_free(struct rds_restored *r); /* also after a failure */

/*
 * Begins the restore with every setting it takes, waits, of a cluster creates as many members as like has,
 * modifies what only a modification can set, waits, and compares. Called again with the same arguments it
 * goes on where it is, which is logged; what was restored to the latest moment only while that is under way
 * (else ERR_REFUSED). Errors: ERR_AWS with AWS's words (DBInstanceAlreadyExists when the name is in use by
 * something else, InstanceQuotaExceeded, ...) or when it failed ("incompatible-restore"), ERR_NOT_FOUND,
 * ERR_REFUSED for what is not supported, ERR_TIMEOUT; a signal leaves AWS to go on, and the message says how
 * to.
 */
enum err_code rds_restore_run(struct rds *r, const struct rds_restore *request, struct rds_restored *out,
                              struct err *err);

/* The identifier of a restored cluster's member: like_member of like with the cluster's name exchanged, else
 * to-instance-<number>. */
void rds_member_id(const char *like, const char *like_member, const char *to, unsigned number,
                   char out[RDS_ID_BYTES]);

#endif
