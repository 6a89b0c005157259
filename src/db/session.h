/*
 * Session set-up, always read back: a setting that did not take is an error, not a surprise in the data.
 */
#ifndef DBSAFE_DB_SESSION_H
#define DBSAFE_DB_SESSION_H

#include "db/conn.h"

/* For reading rows exactly: results in the columns' own bytes, UTC, no sql_mode, REPEATABLE READ. */
enum err_code session_for_reading(struct db_conn *c, struct err *err);
/* For creating tables as they were: no check of foreign keys or row formats that would be refused today, no
 * other engine in place of a missing one. */
enum err_code session_for_creating(struct db_conn *c, struct err *err);
/* lock_wait_timeout of this session, in whole seconds. */
enum err_code session_lock_wait(struct db_conn *c, unsigned seconds, struct err *err);

#endif
