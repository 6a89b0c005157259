/*
 * The settings of an instance, a cluster or a member of one that RDS forgets when it restores: one table says
 * where DescribeDBInstances and DescribeDBClusters show each, and by which parameter a restore, the creation
 * of a member, or a modification takes it. Source: RDS API reference (RestoreDBInstanceFromDBSnapshot,
 * ModifyDBInstance, RestoreDBClusterFromSnapshot, ModifyDBCluster, CreateDBInstance).
 *
 * Pure functions over descriptions (rds_look.node); any thread.
 *
 * Left to AWS on purpose: the Availability Zone (one without free capacity would fail the restore), the
 * engine's version (the snapshot's), the master password (the snapshot's; nobody can read it).
 */
#ifndef DBSAFE_RDS_SETTINGS_H
#define DBSAFE_RDS_SETTINGS_H

#include "aws/http.h"
#include "aws/xml.h"
#include "core/buf.h"

enum rds_role { RDS_ROLE_INSTANCE, RDS_ROLE_CLUSTER, RDS_ROLE_MEMBER };

/* Adds the parameters that a restore (of a member: CreateDBInstance) takes, the tags that are neither AWS's
 * nor ours included, numbered on from *tags, which counts those that are there. */
void rds_settings_pass(enum rds_role role, const struct xml_node *source, struct http_pairs *params,
                       unsigned *tags);

/* Adds the parameters that make restored like source where it is not and a modification can do it; their
 * number. */
unsigned rds_settings_mend(enum rds_role role, const struct xml_node *source, const struct xml_node *restored,
                           struct http_pairs *params);

/* Calls each for every setting that still differs; values as text, several parted by ", ". */
typedef void rds_difference_fn(void *arg, const char *name, const char *source, const char *restored);
unsigned rds_settings_compare(enum rds_role role, const struct xml_node *source,
                              const struct xml_node *restored, rds_difference_fn *each, void *arg);

/* Calls each for what the source has and nothing here can carry over: IAM roles, a domain's join, a password
 * that Secrets Manager keeps, read replicas. */
typedef void rds_notice_fn(void *arg, const char *text);
void rds_settings_notices(const struct xml_node *source, rds_notice_fn *each, void *arg);

#endif
