#include "db/flavour.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct flavour flavour_of(const char *version)
{
    struct flavour f = {.mariadb = strstr(version, "MariaDB") != NULL};
    /* Replication-safe prefix that older MariaDB servers put in front of their version. */
    if (f.mariadb && strncmp(version, "5.5.5-", 6) == 0)
        version += 6;
    unsigned major = 0, minor = 0, patch = 0;
    sscanf(version, "%u.%u.%u", &major, &minor, &patch);
    f.version = major * 10000 + minor * 100 + patch;
    if (strstr(version, "aurora"))
        f.service = SERVICE_AURORA;
    return f;
}

/* RDS puts programs and data into folders of its own, and MariaDB there says who manages it. */
static void look_at_variable(struct flavour *f, const char *name, const char *value)
{
    bool rds = strncmp(value, "/rdsdbbin/", 10) == 0 || strncmp(value, "/rdsdbdata/", 11) == 0 ||
               strstr(value, "aws.amazon.com/rds");
    if (strcasecmp(name, "aurora_version") == 0)
        f->service = SERVICE_AURORA;
    else if (rds && f->service == SERVICE_NONE)
        f->service = SERVICE_RDS;
}

/* The service's own administrator, or its procedures for what an account's owner may not do by statement. */
static const char RDS_TRACES[] =
    "SELECT EXISTS (SELECT 1 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA='mysql' AND ROUTINE_NAME "
    "LIKE 'rds\\_%')"
    " OR EXISTS (SELECT 1 FROM information_schema.PROCESSLIST WHERE USER='rdsadmin')";

struct flavour flavour_read(struct db_conn *c)
{
    struct flavour f = flavour_of(db_version(c));
    struct db_rows *rows;
    if (db_query(c,
                 "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('aurora_version', 'basedir', 'datadir', "
                 "'version_comment')",
                 &rows, NULL) == ERR_OK) {
        const char *const *row;
        while ((row = db_row(rows)))
            if (row[0] && row[1])
                look_at_variable(&f, row[0], row[1]);
        db_rows_free(rows);
    }
    if (f.service == SERVICE_NONE && db_query(c, RDS_TRACES, &rows, NULL) == ERR_OK) {
        const char *const *row = db_row(rows);
        if (row && row[0] && strcmp(row[0], "1") == 0)
            f.service = SERVICE_RDS;
        db_rows_free(rows);
    }
    return f;
}

const char *flavour_name(struct flavour f)
{
    return f.mariadb ? "MariaDB" : "MySQL";
}

const char *flavour_description(struct flavour f)
{
    switch (f.service) {
    case SERVICE_RDS:
        return f.mariadb ? "MariaDB on RDS" : "MySQL on RDS";
    case SERVICE_AURORA:
        return "MySQL on Aurora";
    default:
        return flavour_name(f);
    }
}

bool flavour_parse(const char *description, bool *mariadb)
{
    size_t word = strcspn(description, " ");
    *mariadb = word == 7 && strncmp(description, "MariaDB", 7) == 0;
    return *mariadb || (word == 5 && strncmp(description, "MySQL", 5) == 0);
}

const char *flavour_isolation_variable(struct flavour f)
{
    /* MySQL has the new name since 5.7.20 and only that since 8.0.3; MariaDB since 11.1, and keeps the old
     * one. */
    return f.mariadb || f.version < 50720 ? "tx_isolation" : "transaction_isolation";
}

const char *flavour_float_format(struct flavour f)
{
    return f.mariadb ? "CAST(%s AS DOUBLE)" : "%s*1e0";
}

bool flavour_loads_history(struct flavour f)
{
    return f.mariadb && f.version >= 101100;
}

bool flavour_has_snapshot_positions(struct flavour f)
{
    return f.mariadb;
}

bool flavour_counts_commits(struct flavour f)
{
    /* Since MariaDB 10.3 inserts too leave undo that is purged by number. */
    return f.mariadb && f.version >= 100300;
}

bool flavour_has_backup_stage(struct flavour f)
{
    return f.mariadb && f.version >= 100401;
}

bool flavour_has_instance_lock(struct flavour f)
{
    return !f.mariadb && f.version >= 80000;
}

bool flavour_locks_without_waiting(struct flavour f)
{
    return f.mariadb && f.version >= 100300;
}

const char *flavour_position_statement(struct flavour f)
{
    return !f.mariadb && f.version >= 80200 ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS";
}

bool flavour_has_show_routine(struct flavour f)
{
    return f.mariadb ? f.version >= 110300 : f.version >= 80020;
}

const char *flavour_definer_privilege(struct flavour f)
{
    if (f.mariadb)
        return "SET USER";
    return f.version >= 80200 ? "SET_ANY_DEFINER" : f.version >= 80000 ? "SET_USER_ID" : "SUPER";
}

const char *flavour_foreign_keys_table(struct flavour f)
{
    return !f.mariadb && f.version >= 80000 ? "INNODB_FOREIGN" : "INNODB_SYS_FOREIGN";
}

const char *flavour_innodb_tables_table(struct flavour f)
{
    return !f.mariadb && f.version >= 80000 ? "INNODB_TABLES" : "INNODB_SYS_TABLES";
}

const char *flavour_ignored_key_expression(struct flavour f)
{
    if (f.mariadb)
        return f.version >= 100600 ? "IGNORED" : "'NO'";
    return f.version >= 80000 ? "IF(IS_VISIBLE='YES', 'NO', 'YES')" : "'NO'";
}

const char *flavour_generated_expression(struct flavour f)
{
    return f.mariadb ? "IS_GENERATED='ALWAYS'" : "GENERATION_EXPRESSION<>''";
}

const char *flavour_period_expression(struct flavour f)
{
    return f.mariadb ? "GENERATION_EXPRESSION IN ('ROW START','ROW END')" : "0";
}

const char *flavour_collations_statement(struct flavour f)
{
    /* Since 10.10 a collation of MariaDB can belong to several character sets. */
    if (f.mariadb && f.version >= 101001)
        return "SELECT FULL_COLLATION_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY";
    return "SELECT COLLATION_NAME FROM information_schema.COLLATIONS";
}

bool flavour_has_atomic_rename(struct flavour f)
{
    return f.mariadb ? f.version >= 100601 : f.version >= 80000;
}
