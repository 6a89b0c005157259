/*
 * Staging: the archive's tables and sequences are created beside the live ones and loaded.  Nothing live is
 * touched here, but for placeholders of sequences (sequences.h).
 */
#ifndef DBSAFE_RESTORE_STAGE_H
#define DBSAFE_RESTORE_STAGE_H

#include "restore/operation.h"
#include "restore/target.h"

/* Creates the staging sequences and tables (their schemas exist). */
enum err_code stage_create(struct db_conn *c, const struct operation *op, const struct targets *t,
                           struct err *err);
/* Loads all chosen members with that many connections, which are noted in the journal. At the end of a
 * pipe what was loaded is compared with its manifest, and the targets refer to that. */
enum err_code stage_load(const struct run *run, const struct db_params *params, struct db_conn *control,
                         const struct operation *op, struct input *in, struct targets *t, unsigned threads,
                         struct err *err);
uint64_t stage_rows(const struct targets *t);

#endif
