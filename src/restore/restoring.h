/*
 * One run of restore, for the files that carry it out (restore.c, resume.c), and what both do (restoring.c).
 */
#ifndef DBSAFE_RESTORE_RESTORING_H
#define DBSAFE_RESTORE_RESTORING_H

#include "restore/operation.h"
#include "restore/remains.h"
#include "restore/steps.h"
#include "restore/target.h"

/* How long the connections of a run that died may take to end. */
#define LOCK_WAIT_S 10

struct restore {
    const struct run *run;
    const struct db_params *params;
    const struct restore_options *options;
    struct db_conn *control;
    struct input input;
    struct arena *arena;
    struct targets targets;
    struct operation op;
    bool begun;      /* something of op may stand on the server */
    bool journalled; /* its journal is whole */
};

/* What of the options decides which tables are exchanged and how: --resume must mean the same. */
const char *restoring_wishes(struct restore *r);
struct remains_given restoring_given(const struct restore *r);
struct swap_options restoring_swap_options(const struct restore *r);
/* A new control connection after a cancellation or loss: cleaning up must still be possible. */
enum err_code restoring_reconnect(struct restore *r, struct err *err);
/* The same for an operation that is in the journal: with the connection the locks were lost, and the work
 * goes on with them, or not at all (takeover.h). */
enum err_code restoring_come_back(struct restore *r, struct operation *op, struct err *err);
/* Plans and carries out the swap of a verified staging, and everything behind it. */
enum err_code restoring_swap(struct restore *r, struct operation *op, struct err *err);
/* Everything behind a swap that is done. */
enum err_code restoring_finish(struct restore *r, struct operation *op, struct err *err);
/* Removes all that an unswapped operation left, journal included. */
enum err_code restoring_clear(struct restore *r, struct operation *op, struct err *err);
/* Takes back what steps before the swap have done; the staging tables stay.  cancelled: also when the run
 * is. */
enum err_code restoring_take_back(struct restore *r, struct operation *op, bool cancelled, struct err *err);
/* After a swap that was not done: the staging tables stay for --resume, live databases are as they were. */
void restoring_keep(struct restore *r, struct operation *op, enum err_code why, struct err *err);
void restoring_report(const struct operation *op, struct restore_result *result);
/* "the same command with --resume", or what the caller calls it. */
const char *restoring_go_on(const struct restore *r);

/* Looks for unfinished restores: tells of them, or with --resume finishes the newest.  *finished: by that the
 * restore that was asked for is done. */
enum err_code resume_look(struct restore *r, bool *finished, struct restore_result *result, struct err *err);

#endif
