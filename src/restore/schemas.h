/*
 * Live schemas themselves: their defaults, and whether they are there at all.
 */
#ifndef DBSAFE_RESTORE_SCHEMAS_H
#define DBSAFE_RESTORE_SCHEMAS_H

#include "core/arena.h"
#include "db/conn.h"
#include "restore/operation.h"

/* Without a charset: there is no such schema. */
enum err_code schemas_read(struct db_conn *c, struct arena *arena, const char *schema,
                           struct schema_defaults *out, struct err *err);
bool schemas_equal(const struct schema_defaults *a, const struct schema_defaults *b);

/* Steps; each may be done again. */

/* Creates the schema with the defaults that it shall have. */
enum err_code schemas_make(struct db_conn *c, const struct schema_change *change, struct err *err);
/* Gives it these defaults; or, when it is to go, drops it if nothing is left in it; it stays, and a
 * warning says so, where the account does not see all that could be. */
enum err_code schemas_set(const struct run *run, struct db_conn *c, const struct schema_change *change,
                          struct err *err);
/* As it was before: what this operation made goes if nothing is in it. */
enum err_code schemas_take_back(const struct run *run, struct db_conn *c, const struct schema_change *change,
                                struct err *err);

#endif
