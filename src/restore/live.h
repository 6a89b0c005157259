/*
 * The live side of a restore: what of its targets is there, and what of it stands in the way by its kind.
 */
#ifndef DBSAFE_RESTORE_LIVE_H
#define DBSAFE_RESTORE_LIVE_H

#include "db/conn.h"
#include "restore/refusals.h"
#include "restore/target.h"

/* Fills in what exists; refuses views and sequences where tables are to come (and the like), tables that are
 * there with --if-exists fail, and sequences that nothing brings. */
enum err_code live_look(struct db_conn *c, struct targets *t, const struct restore_options *options,
                        struct findings *refusals, struct err *err);

#endif
