/*
 * What recovery points want of RDS (recovery/snapshots.h), done by src/rds.  AWS's settings are read when the
 * first call comes: points without a snapshot need none.  Main thread only.
 */
#ifndef DBSAFE_CLI_POINT_SNAPSHOTS_H
#define DBSAFE_CLI_POINT_SNAPSHOTS_H

#include "cli/command.h"
#include "recovery/snapshots.h"

/* cli is borrowed. */
struct recovery_snapshots *point_snapshots_new(const struct cli *cli);
void point_snapshots_free(struct recovery_snapshots *s);

#endif
