/*
 * What the statuses of RDS mean to someone who waits.  Pure functions, any thread.  Source: "Viewing DB
 * instance status", "Viewing DB cluster status" and the waiters of the SDKs; snapshots: DescribeDBSnapshots.
 */
#ifndef DBSAFE_RDS_STATE_H
#define DBSAFE_RDS_STATE_H

#include <stdbool.h>
#include <stdint.h>

enum rds_kind { RDS_INSTANCE, RDS_CLUSTER, RDS_SNAPSHOT, RDS_CLUSTER_SNAPSHOT };

/* "instance", "cluster", "snapshot", "cluster snapshot". */
const char *rds_kind_name(enum rds_kind kind);

enum rds_phase {
    RDS_PENDING, /* on its way; also every status that nobody has heard of */
    RDS_READY,
    RDS_FAILED /* it does not become ready by itself */
};
enum rds_phase rds_phase_of(enum rds_kind kind, const char *status);

/*
 * The end of a wait.  An instance or a cluster that has just become available often leaves that state again
 * (backing-up, modifying): it counts when it was seen twice in a row. A snapshot stays.
 */
struct rds_settle {
    enum rds_kind kind;
    unsigned ready_seen;
};
enum rds_phase rds_settle_feed(struct rds_settle *s, const char *status);

/* Milliseconds that are left, from how far something is after elapsed_ms; -1 when nobody can tell yet. */
int64_t rds_remaining_ms(unsigned percent, int64_t elapsed_ms);

#endif
