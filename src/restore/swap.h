/*
 * The exchange itself: one RENAME TABLE that moves the old tables out, the new ones in, and the journal's
 * marker from pending to done.  Readers see the old rows or the new ones, nothing between.
 */
#ifndef DBSAFE_RESTORE_SWAP_H
#define DBSAFE_RESTORE_SWAP_H

#include "restore/journal.h"

struct swap_options {
    unsigned lock_timeout_s; /* how long it is tried */
    bool kill_blockers;
};

/* Runs the exchange of an operation whose journal exists, knows c as one of its connections, and whose
 * incoming tables are complete.  A waiting RENAME makes readers wait behind it, so each try waits at most a
 * second for locks, then lets them pass. ERR_OK: done, as the marker says.  ERR_TIMEOUT: others kept their
 * locks; the message names them. ERR_DB_LOST: the connection ended and nothing was exchanged; or, with
 * op->unknown, the server could not be asked again: nobody knows, and the message says how to go on.  params:
 * for asking the marker on a new connection. */
enum err_code swap_run(const struct run *run, const struct db_params *params, struct db_conn *c,
                       struct operation *op, const struct swap_options *options, struct err *err);

/* Creates the undo schemas that the exchanges name and that do not exist. */
enum err_code swap_make_schemas(struct db_conn *c, const struct operation *op, struct err *err);

#endif
