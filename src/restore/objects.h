/*
 * Which objects of an archive come back with the chosen tables, as they are to be made: with the live names,
 * and the definers that were asked for.  What stands inside of a body is never changed.
 */
#ifndef DBSAFE_RESTORE_OBJECTS_H
#define DBSAFE_RESTORE_OBJECTS_H

#include "db/conn.h"
#include "restore/operation.h"
#include "restore/refusals.h"
#include "restore/target.h"

/* Fills in op->made and op->server: the triggers of the chosen tables; with the whole archive all other
 * objects but sequences too.  Warns of objects in other databases that name the old one. */
enum err_code objects_choose(const struct run *run, struct db_conn *c, const struct input *in,
                             const struct targets *t, const struct restore_options *options,
                             struct operation *op, struct err *err);
/* Fills in op->schema_changes: databases that are missing are made as they were; with the whole archive those
 * that are there get their defaults back. */
void objects_choose_schemas(const struct manifest *m, const struct targets *t,
                            const struct restore_options *options, struct operation *op);
/* With the whole archive: tells what is in the target databases and not in it, and stays. */
enum err_code objects_tell_others(const struct run *run, struct db_conn *c, const struct manifest *m,
                                  const struct targets *t, struct err *err);

#endif
