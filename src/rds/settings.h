/*
 * The settings of an instance, a cluster or a member of one that RDS forgets when it restores: one table says
 * where DescribeDBInstances and DescribeDBClusters show each, and by which parameter a restore, the creation
 * of a member, or a modification takes it. Source: RDS API reference (RestoreDBInstanceFromDBSnapshot,
 * ModifyDBInstance, RestoreDBClusterFromSnapshot, ModifyDBCluster, CreateDBInstance).
 *
 * Pure functions over descriptions (rds_look.node); any thread.
 *
 * Left to AWS on purpose: the Availability Zone (one without free capacity would fail the restore), the
 * master password (the snapshot's; nobody can read it). The engine's version is the snapshot's: restore.h.
 */
#ifndef DBSAFE_RDS_SETTINGS_H
#define DBSAFE_RDS_SETTINGS_H

#include "aws/http.h"
#include "aws/xml.h"
#include "core/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum rds_role { RDS_ROLE_INSTANCE, RDS_ROLE_CLUSTER, RDS_ROLE_MEMBER };

/* What a restore makes of its own, whatever is passed: the source may have been upgraded or grown since. */
struct rds_made {
    const char *engine, *engine_version; /* "": the source's */
    uint64_t gib;                        /* 0: the source's */
};

/* Adds the parameters that a restore (of a member: CreateDBInstance) takes, the tags that are neither AWS's
 * nor ours included, numbered on from *tags, which counts those that are there. Groups of parameters and
 * options are left out where the major version is another, a storage's performance where the size is. */
void rds_settings_pass(enum rds_role role, const struct xml_node *source, const struct rds_made *made,
                       struct http_pairs *params, unsigned *tags);

/* Adds the parameters that make restored like source where it is not and a modification can do it; their
 * number.  group: 0 for all, else 1 to rds_settings_groups for just those that go together. */
unsigned rds_settings_mend(enum rds_role role, const struct xml_node *source, const struct xml_node *restored,
                           unsigned group, struct http_pairs *params);
unsigned rds_settings_groups(enum rds_role role);

/* Calls each for every setting that still differs; values as text, several parted by ", ". */
typedef void rds_difference_fn(void *arg, const char *name, const char *source, const char *restored);
unsigned rds_settings_compare(enum rds_role role, const struct xml_node *source,
                              const struct xml_node *restored, rds_difference_fn *each, void *arg);

/* Calls each for what the source has and nothing here can carry over: IAM roles, a domain's join, a password
 * that Secrets Manager keeps, read replicas. */
typedef void rds_notice_fn(void *arg, const char *text);
void rds_settings_notices(const struct xml_node *source, rds_notice_fn *each, void *arg);

#endif
