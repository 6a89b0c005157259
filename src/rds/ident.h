/*
 * Identifiers of RDS: a letter first, then letters, digits and single hyphens, none at the end; case does not
 * count, and RDS keeps lower case. Source: CreateDBSnapshot, CreateDBInstance and CreateDBCluster in the RDS
 * API reference.  Pure functions, any thread.
 */
#ifndef DBSAFE_RDS_IDENT_H
#define DBSAFE_RDS_IDENT_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RDS_SNAPSHOT_ID_MAX 255
#define RDS_INSTANCE_ID_MAX 63 /* of clusters, too */
#define RDS_ID_BYTES        (RDS_SNAPSHOT_ID_MAX + 1)

/* Whether RDS would take id for something new. */
bool rds_ident_is_legal(const char *id, size_t max);

/*
 * Makes an identifier of any name: conversions of strftime(3) stand for the moment wall_ms in UTC ("%%" for a
 * percent sign), upper case becomes lower, everything that is not allowed one hyphen, "db-" goes in front
 * where no letter is first, and a name that is too long ends in a digest of itself. The same name gives the
 * same identifier. ERR_USAGE for an empty name, or one that grows past a kilobyte.
 */
enum err_code rds_ident_make(const char *name, size_t max, int64_t wall_ms, char out[RDS_ID_BYTES],
                             struct err *err);

/* How something existing is named: an identifier of any kind ("rds:prod-2026-11-23-04-05" too) in lower case,
 * or the last part of an ARN, whose resource type (a literal: "db", "cluster", "snapshot",
 * "cluster-snapshot") goes to *type (NULL without an ARN).  ERR_USAGE when it is neither or too long. */
enum err_code rds_ident_refer(const char *text, char out[RDS_ID_BYTES], const char **type, struct err *err);

/* Whether found, an ARN that RDS says, is what text names, unless text is no ARN: the API is asked by name,
 * and finds what is called so in this account and region. */
bool rds_ident_is_meant(const char *text, const char *found);
/* The same of the region and account alone. */
bool rds_ident_is_here(const char *text, const char *found);

#endif
