/*
 * Triggers of exchanged tables.  The server renames no table with triggers into another schema, and to drop
 * and make them again would lose what fires in between.  So the new table gets its triggers under temporary
 * names while nobody knows it, takes the place of the old one in the RENAME, and only then, table by table
 * and under a lock that keeps writers out, each trigger is made under its real name and loses the temporary
 * one.
 *
 * Each step may be done again.  maker is a connection for objects (definition.h).
 */
#ifndef DBSAFE_RESTORE_TRIGGERS_H
#define DBSAFE_RESTORE_TRIGGERS_H

#include "db/conn.h"
#include "restore/operation.h"

/* Makes the triggers of an exchange's incoming table, which stands parked in the live schema. */
enum err_code triggers_make(struct db_conn *maker, const struct operation *op, unsigned exchange,
                            struct err *err);
/* Drops all triggers of a parked table: those of the incoming one, or those that the old one still has. */
enum err_code triggers_drop(struct db_conn *maker, const struct operation *op, unsigned exchange,
                            bool incoming, struct err *err);
/* Gives the triggers of a new live table their real names.  ERR_DB_RETRY when the table could not be locked.
 */
enum err_code triggers_name(struct db_conn *maker, const struct operation *op, unsigned exchange,
                            struct err *err);

#endif
