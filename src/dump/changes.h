/*
 * What happens to tables while a dump runs and can be seen neither in their definition nor by the server
 * itself: they are emptied, rebuilt, or swapped for others.  One thread.
 */
#ifndef DBSAFE_DUMP_CHANGES_H
#define DBSAFE_DUMP_CHANGES_H

#include "archive/manifest.h"
#include "db/conn.h"
#include "rows/scan.h"

struct changes {
    bool identified; /* the server has a list of them that could be read, though it may be empty */
    struct innodb_table *before; /* one a table of the manifest, as they were before the snapshot */
    bool *had_rows; /* of those without an identity: right before the snapshot, and right behind it */
};

/* Before the snapshot. */
enum err_code changes_begin(struct changes *x, struct db_conn *c, const struct manifest *m,
                            const struct scan_table *tables, struct err *err);
/* Right after the snapshot's start; reader is one of its connections.  Tables of which the server tells no
 * identity are looked into once more.  Partitioned ones among them stay open, so that nobody exchanges
 * partitions until the snapshot ends. ERR_SNAPSHOT: that was done already. */
enum err_code changes_look(const struct changes *x, struct db_conn *c, struct db_conn *reader,
                           const struct manifest *m, const struct scan_table *tables, const char *const *ddl,
                           struct err *err);
/* After all is read.  ERR_SNAPSHOT naming the first table of which the rows may not be the snapshot's. */
enum err_code changes_check(const struct changes *x, struct db_conn *c, const struct manifest *m,
                            const struct scan_table *tables, struct err *err);

#endif
