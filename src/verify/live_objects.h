/*
 * The objects of a database that are no tables against the manifest of an archive (the second half of
 * verify_live).
 */
#ifndef DBSAFE_VERIFY_LIVE_OBJECTS_H
#define DBSAFE_VERIFY_LIVE_OBJECTS_H

#include "verify/verify.h"

/* Compares definitions and the settings that go with them; of sequences not where they stand, as they go on.
 * A broken view may be missing, and a trigger of one of the tables that is not in the archive is a difference
 * too. chosen (per table of the manifest) limits it to the triggers of these tables;
 * NULL: every object.  Adds a problem for each that differs or is missing. */
enum err_code verify_live_objects(struct db_conn *c, const struct manifest *m, const bool *chosen,
                                  struct verify_result *result, struct err *err);

#endif
