/*
 * Definitions of the archive as they are made in staging: foreign keys between restored tables lead from
 * staging to staging, those to other tables are left out (and added behind the swap), and defaults name the
 * live sequences.
 */
#ifndef DBSAFE_RESTORE_ADAPT_H
#define DBSAFE_RESTORE_ADAPT_H

#include "restore/operation.h"
#include "restore/refusals.h"
#include "restore/target.h"

/* Changes the targets' ddl, whose staging schemas are known, and adds the KEY_JOIN to op, whose exchanges are
 * those of the targets in order.  What the archive's own definitions rule out is refused. */
enum err_code adapt_definitions(struct targets *t, struct operation *op, const struct manifest *m,
                                struct findings *refusals, struct err *err);

#endif
