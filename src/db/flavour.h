/*
 * What differs between server families, versions and managed services, in one place: everything else asks
 * here.
 *
 * MariaDB 10.11 is what this was run against.  What it says of MySQL comes from its documentation and source.
 */
#ifndef DBSAFE_DB_FLAVOUR_H
#define DBSAFE_DB_FLAVOUR_H

#include "db/conn.h"

#include <stdbool.h>

/* Who runs the server: it decides which statements nobody may use, whatever was granted. */
enum flavour_service { SERVICE_NONE, SERVICE_RDS, SERVICE_AURORA };

struct flavour {
    bool mariadb;     /* else MySQL */
    unsigned version; /* 101106 for 10.11.6 */
    enum flavour_service service;
};

/* From the server's version text ("10.11.6-MariaDB-log", "5.5.5-10.6.12-MariaDB", "8.0.36"), which does not
 * tell the service. */
struct flavour flavour_of(const char *version);
/* The same with the service, from what the server's variables, users and procedures give away.  What cannot
 * be asked counts as not there. */
struct flavour flavour_read(struct db_conn *c);
/* "MariaDB" or "MySQL"; and with the service: "MariaDB on RDS", "MySQL on Aurora". */
const char *flavour_name(struct flavour f);
const char *flavour_description(struct flavour f);
/* The family that a description names; false for none. */
bool flavour_parse(const char *description, bool *mariadb);

/* ---- sessions ---- */

/* The system variable of the isolation level. */
const char *flavour_isolation_variable(struct flavour f);

/* ---- values ---- */

/* Exact text of a FLOAT or DOUBLE column, whatever its display width; %s is the quoted column. */
const char *flavour_float_format(struct flavour f);
/* Rows of the past can be loaded into system-versioned tables (system_versioning_insert_history). */
bool flavour_loads_history(struct flavour f);

/* ---- one moment ---- */

/* Each connection can ask at which binlog position its snapshot stands. */
bool flavour_has_snapshot_positions(struct flavour f);
/* Each commit takes a number from InnoDB's transaction counter.  Not in MySQL, where a transaction that only
 * inserted rows commits without. */
bool flavour_counts_commits(struct flavour f);
bool flavour_has_backup_stage(struct flavour f);
/* LOCK INSTANCE FOR BACKUP. */
bool flavour_has_instance_lock(struct flavour f);
/* lock_wait_timeout may be 0: a lock is given at once or not at all. */
bool flavour_locks_without_waiting(struct flavour f);
/* Gives one row: binlog file, position, do-db, ignore-db[, GTIDs executed]; none with the binlog off. */
const char *flavour_position_statement(struct flavour f);

/* ---- catalogue ---- */

/* There is a privilege that shows the text of other accounts' routines (MariaDB: on a database, MySQL: on
 * everything); before that it takes SELECT on mysql.proc. */
bool flavour_has_show_routine(struct flavour f);
/* The privilege to make objects for other definers, as GRANT has it. */
const char *flavour_definer_privilege(struct flavour f);
/* The table of information_schema with InnoDB's own view of foreign keys; it takes PROCESS. */
const char *flavour_foreign_keys_table(struct flavour f);
/* The one with InnoDB's numbers of tables; it takes PROCESS. */
const char *flavour_innodb_tables_table(struct flavour f);
/* Expression over information_schema.STATISTICS: 'YES' for an index that the optimizer does not use. */
const char *flavour_ignored_key_expression(struct flavour f);
/* Expressions over information_schema.COLUMNS: whether a column is generated; whether it is a period of
 * system versioning. */
const char *flavour_generated_expression(struct flavour f);
const char *flavour_period_expression(struct flavour f);
/* Gives the names of all collations as definitions have them, with their character set. */
const char *flavour_collations_statement(struct flavour f);
/* RENAME TABLE of several tables is atomic across a crash. */
bool flavour_has_atomic_rename(struct flavour f);

#endif
