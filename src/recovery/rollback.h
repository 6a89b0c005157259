/*
 * Rollback level 3.  By way of the tables: the tables of a recovery point come back from its archive,
 * verified, staged and swapped in the live server.  By way of the instance: the point's snapshot becomes a
 * new instance (or cluster) beside the live one, the archive's tables are loaded into it; then it can get the
 * live one's name, or give tables to it.  What that will undo is found out and shown first; each step is
 * timed.
 *
 * The same call again finishes what a dead run began: restores are journalled on the server, the rest in the
 * store of points (rollback_journal.h).  One thread, the one that runs the command.
 */
#ifndef DBSAFE_RECOVERY_ROLLBACK_H
#define DBSAFE_RECOVERY_ROLLBACK_H

#include "dump/dump.h"
#include "rds/restore.h"
#include "recovery/point.h"
#include "recovery/rollback_journal.h"
#include "recovery/steps.h"
#include "restore/restore.h"
#include "verify/verify.h"

struct rollback_export {
    char *file;   /* NULL: nothing was exported */
    bool existed; /* an earlier run had written it, and it is as the tables still are */
    uint64_t bytes, tables, rows;
};

enum rollback_via { ROLLBACK_TABLES, ROLLBACK_INSTANCE };
enum rollback_then {
    ROLLBACK_KEEP,   /* the new instance stays beside the live one */
    ROLLBACK_RENAME, /* it gets the live one's name */
    ROLLBACK_BACK,   /* the names of an earlier run are exchanged back; nothing else is done */
    ROLLBACK_COPY    /* tables of it are loaded into the live one */
};

struct rollback_instance {
    enum rollback_then then;
    struct rollback_journal journal; /* names, and what was done */
    struct rds_restored restored;    /* the new one */
    struct verify_result between;    /* its tables against the archive: changed between the two moments */
    unsigned tables_between;
    bool cut_over;                /* it has the live one's name */
    struct restore_result copied; /* into the live one */
};

struct rollback_result {
    enum rollback_via via;
    struct rollback_instance instance;
    struct point *point;
    struct manifest *manifest;    /* of its archive */
    char *target;                 /* the server: "user@host:port" */
    bool other_server;            /* than that which the point was made of */
    struct verify_result changes; /* since the point: what will be lost */
    unsigned tables_changed;
    char **strangers; /* tables of databases that the point holds whole, made since: they stay */
    unsigned stranger_count;
    struct rollback_export export;
    struct restore_result restore;
    bool needed; /* something was to be done */
    bool done;   /* the tables are as they were at the point */
    bool dry_run;
    int64_t rto_ms;
    int64_t waited_ms; /* for the person's word: not counted against the RTO */
    struct steps steps;
    struct err failed; /* code ERR_OK: it did not */
};

struct rollback_request {
    const char *name; /* of the point */
    enum rollback_via via;
    enum rollback_then then;        /* by way of the instance */
    struct rds *rds;                /* by way of the instance */
    const char *to;                 /* name of the new instance; NULL: <live>-<point> */
    const char *const *copy_tables; /* patterns of further tables */
    unsigned copy_table_count;
    bool take_over; /* by way of the instance: from a run on another host, which is dead */
    unsigned threads;
    unsigned lock_timeout_s;
    bool kill_blockers, assume_no_outside_fks;
    const char *staging_schema, *undo_schema;
    const char *export_file;         /* NULL: none */
    struct dump_options export_dump; /* how */
    int64_t rto_ms;
    bool dry_run;
    /* Asked before anything is changed, when something is to be done. */
    enum err_code (*confirm)(void *arg, const struct rollback_result *r, struct err *err);
    void *arg;
};

/* ERR_NOT_FOUND: no such point, or its archive is gone.  ERR_REFUSED: it is not complete, not confirmed, or
 * what restore refuses.  ERR_DAMAGED: its archive is not the recorded one.  On an error the live tables are
 * as they were, unless out->restore says that they were swapped, or that this is unknown; in any case the
 * same call again goes on.  The result is filled in as far as it got, on failure too; release with
 * rollback_result_free.
 */
enum err_code rollback_run(const struct run *run, const struct db_params *db,
                           const struct point_stores *stores, const struct rollback_request *request,
                           struct rollback_result *out, struct err *err);
void rollback_result_free(struct rollback_result *r);

/* What counts against the RTO. */
int64_t rollback_counted_ms(const struct rollback_result *r);

#endif
