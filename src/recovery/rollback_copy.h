/*
 * Tables of the new instance into the live one, by one archive in the store of points (used by
 * rollback_instance.c only): the point's tables and further ones, exchanged in one rename.
 */
#ifndef DBSAFE_RECOVERY_ROLLBACK_COPY_H
#define DBSAFE_RECOVERY_ROLLBACK_COPY_H

#include "recovery/rollback_shared.h"

/* A rollback by way of an instance on its way. */
struct by_instance {
    struct rollback *r;
    struct rds *rds;
    struct rollback_journal *journal; /* in the result */
    char seen[PROCESS_TEXT_BYTES];    /* whose it was */
    struct rds_database live;
    struct rds_snapshot snapshot;
    struct db_params there; /* connects to the new one */
    bool blind;             /* the live one could not be compared with the point */
};

/* The journal as it is now, and a place where a test may end the run. */
enum err_code by_instance_record(struct by_instance *b, const char *fault, struct err *err);

/* Whether the list of further tables can be journalled: ERR_USAGE. */
enum err_code rollback_copy_check(const struct rollback_request *q, struct err *err);
/* All of it; what a dead run did is gone on with.  ERR_REFUSED when that run has begun to load other tables.
 */
enum err_code rollback_copy_tables(struct by_instance *b, struct err *err);
/* Removes the copy, which is of other tables or another instance, or done with. */
enum err_code rollback_copy_forget(struct by_instance *b, struct err *err);

#endif
