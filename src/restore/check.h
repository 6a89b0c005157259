/*
 * What a swap made, compared with what it was to make: objects are read back, foreign keys looked for, and
 * the rows of tables whose keys were added without a check looked through again.
 */
#ifndef DBSAFE_RESTORE_CHECK_H
#define DBSAFE_RESTORE_CHECK_H

#include "db/conn.h"
#include "restore/operation.h"

/* ERR_DIFFERS names everything that is not as it was to be. */
enum err_code check_made(const struct run *run, struct db_conn *maker, const struct operation *op,
                         struct err *err);
/* Drops an object that this operation made, unless somebody has changed it since. */
enum err_code check_and_drop(const struct run *run, struct db_conn *maker, const struct definition *d,
                             struct err *err);

#endif
