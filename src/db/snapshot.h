/*
 * Several connections that read one moment in time.  The ladder of methods is tried from the one that costs
 * the server least; what was reached and how it was proved is reported, never silently less.
 *
 *   binlog-position   every connection's snapshot stands at one binlog position (MariaDB), and where the
 *                     account has PROCESS, InnoDB's transaction counter did not move meanwhile
 *   trx-counter       the counter alone (MariaDB)
 *   backup-stage      commits were blocked by BACKUP STAGE BLOCK_COMMIT while the snapshots started (MariaDB,
 *                     needs RELOAD)
 *   global-read-lock  FLUSH TABLES WITH READ LOCK while the snapshots started; LOCK INSTANCE FOR BACKUP keeps
 *                     DDL away to the end where the account may (MySQL; needs RELOAD, and BACKUP_ADMIN)
 *   table-locks       LOCK TABLES ... READ on just the tables that are dumped while the snapshots started
 *                     (needs LOCK TABLES)
 *   single-reader     one connection: one snapshot
 */
#ifndef DBSAFE_DB_SNAPSHOT_H
#define DBSAFE_DB_SNAPSHOT_H

#include "core/run.h"
#include "db/conn.h"

struct snapshot_position {
    char file[256]; /* "" when the server writes no binlog, or does not tell */
    uint64_t position;
};

struct snapshot_table {
    const char *schema, *name;
    bool transactional;
};

struct snapshot_options {
    unsigned threads;
    const char *consistency;             /* "auto" or one method */
    const struct snapshot_table *tables; /* all that will be read */
    unsigned table_count;
    bool gentle; /* with "auto": rather one reader than a lock for which statements of others may fail */
    bool allow_inconsistent; /* go on when tables without transactions cannot be locked */
};

#define SNAPSHOT_PROOF_BYTES 640

struct snapshot {
    unsigned count; /* connections; fewer than asked for with single-reader */
    struct db_conn **conns;
    struct db_conn *guard;    /* holds LOCK TABLES on what has no transactions; may be NULL */
    struct db_conn *instance; /* holds LOCK INSTANCE FOR BACKUP; may be NULL */
    const char *method;
    char proof[SNAPSHOT_PROOF_BYTES];
    unsigned tries;
    struct snapshot_position *positions; /* one a connection */
    uint64_t trx_before, trx_after;      /* 0: not read */
    char *gtid;                          /* of the position; NULL when unknown; owned */
    int64_t taken_ms;                    /* wall clock */
    int64_t held_ms;                     /* how long others were kept from writing; 0: not at all, or less */
};

/* control: a connection for questions. ERR_SNAPSHOT when no allowed method works. */
enum err_code snapshot_open(const struct run *run, const struct db_params *params, struct db_conn *control,
                            const struct snapshot_options *options, struct snapshot **out, struct err *err);
/* Tells each method that options allow, in the order in which they would be tried, and what stands in its way
 * (NULL: it can be tried).  Locks nothing. */
typedef void snapshot_method_fn(void *arg, const char *method, const char *obstacle);
enum err_code snapshot_explain(struct db_conn *control, const struct snapshot_options *options,
                               snapshot_method_fn *fn, void *arg, struct err *err);
/* After the reading: whether what held the tables still was there to the end.  ERR_DB_LOST when not. */
enum err_code snapshot_check(struct snapshot *s, struct err *err);
void snapshot_free(struct snapshot *s);

#endif
