/* Where a server stands in its binlog right now, as far as the account may know. */
#ifndef DBSAFE_RECOVERY_COORDINATES_H
#define DBSAFE_RECOVERY_COORDINATES_H

#include "core/run.h"
#include "db/conn.h"
#include "recovery/point.h"

/* Fills in at_ms always, the rest as far as the server tells (strings in arena).  Fails only when the
 * connection does. */
enum err_code coordinates_take(const struct run *run, struct db_conn *c, struct arena *arena,
                               struct coordinates *out, struct err *err);

#endif
