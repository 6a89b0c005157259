/*
 * What SHOW ENGINE INNODB STATUS says of commits: enough to prove that none became visible in between.
 *
 * Each commit takes a number from InnoDB's transaction counter, and a little later its transaction leaves the
 * table of active ones, by which snapshots judge.  So an unmoved counter proves something only if no
 * transaction stood between these two steps when it was first read: such a one is listed as committing.
 */
#ifndef DBSAFE_DB_INNODB_STATUS_H
#define DBSAFE_DB_INNODB_STATUS_H

#include "db/conn.h"

#include <stdbool.h>
#include <stdint.h>

struct innodb_status {
    uint64_t trx_counter;
    bool settled; /* no transaction is in the middle of its commit, and the list of them is whole */
};

/* text: the third column of the statement's row.  False when it does not tell the counter. */
bool innodb_status_parse(const char *text, struct innodb_status *out);
/* Asks the server.  False when it does not tell: that takes PROCESS. */
bool innodb_status_read(struct db_conn *c, struct innodb_status *out);

#endif
