/*
 * The plan of an operation: looks at the live side, refuses what cannot be done safely (all reasons at once),
 * notes what stands there for undo, and writes down the steps in their order.
 *
 * Made twice for a restore: before anything is loaded, to refuse early (and for --dry-run), and right before
 * the swap, since hours may have passed.
 */
#ifndef DBSAFE_RESTORE_SWAP_PLAN_H
#define DBSAFE_RESTORE_SWAP_PLAN_H

#include "core/arena.h"
#include "core/findings.h"
#include "db/conn.h"
#include "db/ddl.h"
#include "restore/operation.h"

struct swap_plan_options {
    bool include_referencing; /* point keys of tables that are not exchanged to the new ones */
    bool assume_no_outside_fks;
    /* Of an undo: the operation that it undoes; NULL: none.  Keys that were pointed away by it are pointed
     * back without being asked for again. */
    const struct operation *undone;
    /* Definitions of the incoming tables by exchange, while they are not on the server yet; NULL: they are.
     */
    const struct ddl *const *incoming;
    bool changes_nothing; /* a dry run: nothing is tried on the server either */
    /* Takes the reasons to refuse, which are no error of swap_plan_make then; NULL: they are ERR_REFUSED. */
    struct findings *found;
};

/* Fills in what operation.h calls the plan's, in the place of an earlier plan: op->exchanges, op->made,
 * op->schema_changes and, of op->keys, the KEY_JOIN were there before.  maker: a connection for objects
 * (definition.h). ERR_REFUSED. */
enum err_code swap_plan_make(const struct run *run, struct db_conn *control, struct db_conn *maker,
                             struct arena *arena, struct operation *op,
                             const struct swap_plan_options *options, struct err *err);
/* Tells all steps in plain words. */
void swap_plan_tell(const struct run *run, const struct operation *op);

#endif
