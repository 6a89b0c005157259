/*
 * Sequences of a restore.  They are staged with their state and exchanged in the same RENAME as the tables.
 *
 * A default names its sequence with the live schema, and the server makes no table whose sequence does not
 * exist: so where the live one is missing, an empty one of ours stands there until the swap.
 */
#ifndef DBSAFE_RESTORE_SEQUENCES_H
#define DBSAFE_RESTORE_SEQUENCES_H

#include "db/conn.h"
#include "restore/operation.h"
#include "restore/target.h"

/* Makes the staging sequence where the archive's stood, and compares it with that. */
enum err_code sequences_stage(struct db_conn *c, const struct target_sequence *s, struct err *err);

/* Makes the placeholders of an operation, and before them their schemas where these are missing too. */
enum err_code sequences_make_placeholders(struct db_conn *c, const struct operation *op, struct err *err);
/* Drops the placeholder of an exchange, if it has one, and nothing else that may stand there. */
enum err_code sequences_drop_placeholder(struct db_conn *c, const struct operation *op, unsigned exchange,
                                         struct err *err);

#endif
