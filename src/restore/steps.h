/*
 * Carries out the plan of an operation whose journal holds it.  Every step may be done again, so whoever
 * continues after a crash just goes on: before the swap everything can be taken back, behind it everything
 * that is left is finished.
 */
#ifndef DBSAFE_RESTORE_STEPS_H
#define DBSAFE_RESTORE_STEPS_H

#include "db/conn.h"
#include "restore/operation.h"

struct swap_options {
    unsigned lock_timeout_s; /* how long each step is tried while others hold locks */
    bool kill_blockers;
};

struct work {
    const struct run *run;
    const struct db_params *params;
    struct db_conn *control; /* borrowed: the journal, the RENAME */
    struct operation *op;
    const struct swap_options *options;
    struct cancel *cancel; /* of connections that it opens; NULL: they finish whatever happens */
    /* its own */
    struct db_conn *maker; /* objects; the other statements that need locks */
    struct db_conn *guard; /* holds the parents that are not exchanged */
};

/* Fills in w; nothing is opened yet. */
void work_begin(struct work *w, const struct run *run, const struct db_params *params,
                struct db_conn *control, struct operation *op, const struct swap_options *options);
/* Closes what was opened. */
void work_end(struct work *w);
/* The connection on which objects are read and made; it is noted in the journal if op has one (journalled).
 */
enum err_code work_maker(struct work *w, bool journalled, struct db_conn **out, struct err *err);

/* All steps up to and with the swap.  ERR_OK: swapped.  Else what had been done is taken back, as far as the
 * server could be reached, unless op->unknown. */
enum err_code steps_swap(struct work *w, struct err *err);
/* All steps behind the swap that are not done. Those that fail do not keep others from being tried; the first
 * error is returned, and how many there were is in its message. tables_only: only those that move tables and
 * triggers, which another operation on the same tables needs to have behind it. */
enum err_code steps_finish(struct work *w, bool tables_only, struct err *err);
/* Undoes whatever steps before the swap have left in live schemas; may be called again.  A plan need not be
 * there.  What the staging tables need stays. */
enum err_code steps_take_back(struct work *w, struct err *err);
/* The same, and what the staging tables needed goes too: placeholders of sequences, schemas that were made.
 */
enum err_code steps_clear(struct work *w, struct err *err);

#endif
