/*
 * What the server's last error on a connection means for a table that is being read.  Any thread, with a
 * connection of its own.
 */
#ifndef DBSAFE_ROWS_TABLE_ERROR_H
#define DBSAFE_ROWS_TABLE_ERROR_H

#include "archive/manifest.h"
#include "db/conn.h"

/* ERR_SNAPSHOT when DDL came in between, else as db_error says. */
enum err_code rows_table_error(struct db_conn *c, const struct manifest_table *t, struct err *err);
/* The same for a statement that db_query has already described, with code, without the table. */
enum err_code rows_query_error(struct db_conn *c, const struct manifest_table *t, enum err_code code,
                               struct err *err);
/* A lock was not given in time: ERR_SNAPSHOT for an error that says ERR_DB_RETRY. */
enum err_code rows_lock_error(struct err *err);

#endif
