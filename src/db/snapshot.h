/*
 * Several connections that read one moment in time.  The ladder of methods is tried from the one that costs
 * the server least; what was reached and how it was proved is reported, never silently less.
 *
 *   binlog-position  every connection's snapshot stands at one binlog position (MariaDB), and where the
 *                    account has PROCESS, InnoDB's transaction counter did not move meanwhile
 *   trx-counter      the counter alone
 *   backup-stage     commits were blocked by BACKUP STAGE BLOCK_COMMIT while the snapshots started (needs
 *                    RELOAD)
 *   single-reader    one connection: one snapshot
 */
#ifndef DBSAFE_DB_SNAPSHOT_H
#define DBSAFE_DB_SNAPSHOT_H

#include "core/run.h"
#include "db/conn.h"

struct snapshot_position {
    char file[256]; /* "" when the server writes no binlog */
    uint64_t position;
};

struct snapshot_options {
    unsigned threads;
    const char *consistency;   /* "auto" or one method */
    const char *locked_tables; /* "`s`.`t` READ, ..." for tables without transactions; NULL: none */
    bool allow_inconsistent;   /* go on when those cannot be locked */
};

struct snapshot {
    unsigned count; /* connections; fewer than asked for with single-reader */
    struct db_conn **conns;
    struct db_conn *guard; /* holds LOCK TABLES; may be NULL */
    const char *method;
    char proof[256];
    unsigned tries;
    struct snapshot_position *positions; /* one a connection */
    uint64_t trx_before, trx_after;      /* 0: not read */
    char gtid[256];                      /* of the position; "" when unknown */
    int64_t taken_ms;                    /* wall clock */
};

/* control: a connection for questions. ERR_SNAPSHOT when no allowed method works. */
enum err_code snapshot_open(const struct run *run, const struct db_params *params, struct db_conn *control,
                            const struct snapshot_options *options, struct snapshot **out, struct err *err);
/* After the reading: whether what held the tables still was there to the end.  ERR_DB_LOST when not. */
enum err_code snapshot_check(struct snapshot *s, struct err *err);
void snapshot_free(struct snapshot *s);

#endif
