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
/* Gives it these defaults; or, when it is to go, drops it if nothing is left in it. */
enum err_code schemas_set(struct db_conn *c, const struct schema_change *change, struct err *err);
/* As it was before: what this operation made goes if nothing is in it. */
enum err_code schemas_take_back(struct db_conn *c, const struct schema_change *change, struct err *err);

#endif
