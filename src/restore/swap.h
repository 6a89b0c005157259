/*
 * The exchange itself: one RENAME TABLE that moves the old tables and sequences out, the new ones in, and the
 * journal's marker from pending to done.  Readers see the old rows or the new ones, nothing between.
 */
#ifndef DBSAFE_RESTORE_SWAP_H
#define DBSAFE_RESTORE_SWAP_H

#include "db/conn.h"
#include "restore/operation.h"

/* Tries the RENAME once, on a connection whose lock_wait_timeout is short and whose foreign_key_checks are 0.
 * ERR_OK: done, as the marker says. ERR_DB_RETRY: others have the tables locked. ERR_DB_LOST: the connection
 * ended and nothing was exchanged; or, with op->unknown, the server could not be asked again: nobody knows.
 * params: for asking the marker on a new connection. */
enum err_code swap_rename(const struct run *run, const struct db_params *params, struct db_conn *c,
                          struct operation *op, struct err *err);

/* Creates the schemas of our own that the operation uses and that do not exist. */
enum err_code swap_make_schemas(struct db_conn *c, const struct operation *op, struct err *err);

/* Keeps writers away from the parents that are not exchanged, while for a moment tables of both sides have
 * foreign keys to them: opens a connection that holds LOCK TABLES ... READ.  ERR_DB_RETRY: not given in a
 * second; *guard is NULL unless ERR_OK, and also when there are none.  db_close releases it. */
enum err_code swap_guard(const struct run *run, const struct db_params *params, struct db_conn *control,
                         const struct operation *op, struct db_conn **guard, struct err *err);

#endif
