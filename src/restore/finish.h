/*
 * What the loaded staging tables still need before they may take the live ones' place: their keys, the proof
 * that their definitions are what they were, and that their rows are what was dumped.
 */
#ifndef DBSAFE_RESTORE_FINISH_H
#define DBSAFE_RESTORE_FINISH_H

#include "restore/operation.h"
#include "restore/target.h"

/* Adds the deferred keys, and checks that each definition is what it was. */
enum err_code finish_tables(const struct run *run, const struct db_params *params, struct db_conn *control,
                            const struct operation *op, const struct input *in, struct targets *t,
                            unsigned threads, struct err *err);
/* Re-reads every staging table and compares row counts and content checksums; ERR_DIFFERS names the tables.
 */
enum err_code finish_verify(const struct run *run, const struct db_params *params, struct db_conn *control,
                            const struct operation *op, const struct targets *t, unsigned threads,
                            struct err *err);

#endif
