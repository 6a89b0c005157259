/*
 * InnoDB's own numbers of tables.  TRUNCATE, DROP and CREATE, RENAME, a rebuild and EXCHANGE PARTITION give a
 * name another number, even where the definition and the time of creation stay: a snapshot from before then
 * shows what is there now, or nothing, and the server does not always know to refuse it (MariaDB 10.11
 * forgets when it evicts the table from its cache).
 */
#ifndef DBSAFE_DB_INNODB_TABLES_H
#define DBSAFE_DB_INNODB_TABLES_H

#include "db/conn.h"

#include <stdbool.h>
#include <stdint.h>

struct innodb_table {
    const char *schema, *name;
    uint64_t identity; /* of the numbers of the table and all its partitions; 0: the server did not tell */
};

/* Fills the identities: all are 0 where the server does not tell, as to accounts without PROCESS.  ERR_DB: it
 * has no such list, or that could not be read. */
enum err_code innodb_tables_identify(struct db_conn *c, struct innodb_table *tables, unsigned count,
                                     struct err *err);

#endif
