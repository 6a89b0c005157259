/*
 * The parts of planning (used by swap_plan*.c only): what they share, and in which order they are called.
 */
#ifndef DBSAFE_RESTORE_SWAP_PLAN_PARTS_H
#define DBSAFE_RESTORE_SWAP_PLAN_PARTS_H

#include "db/grants.h"
#include "restore/definition.h"
#include "restore/refusals.h"
#include "restore/swap_plan.h"

struct planner {
    const struct run *run;
    struct db_conn *control, *maker;
    struct arena *arena;
    struct operation *op;
    const struct swap_plan_options *options;
    struct grants *grants;   /* owned by swap_plan_make */
    struct definitions *now; /* what is there */
    struct findings *refusals;
    /* by exchange; without items where there is nothing */
    struct ddl *incoming, *outgoing;
    unsigned kept_cap, step_cap;
    bool *replaces;     /* by made: something of the name is there now, and is not the same */
    bool *makes;        /* by made: nothing is there */
    bool *drops;        /* by made: it is there, and is to go */
    const char *unseen; /* why something that is there could not be read by this account; NULL: all could */
};

/* Reads definitions and triggers of both sides; decides which tables park. */
enum err_code swap_plan_tables(struct planner *p, struct err *err);
/* Finds the keys that need steps. */
enum err_code swap_plan_keys(struct planner *p, struct err *err);
/* ... and those that come while their name is taken, or never can. */
enum err_code swap_plan_key_names(struct planner *p, struct err *err);
const char *swap_plan_temporary_name(struct planner *p, unsigned number);
/* Where the incoming tables are on the server: no row of theirs, or of the children, is without its parent.
 */
enum err_code swap_plan_check_rows(struct planner *p, struct err *err);
/* Compares programs, views and events with what is there. */
enum err_code swap_plan_objects(struct planner *p, struct err *err);
enum err_code swap_plan_schemas(struct planner *p, struct err *err);
/* Whether this account may do all of it. */
enum err_code swap_plan_privileges(struct planner *p, struct err *err);
/* Writes down the steps. */
void swap_plan_steps(struct planner *p);

/* Whether objects of a changed schema are made under another collation than it has. */
bool swap_plan_lends_collation(const struct planner *p, unsigned schema_change);
/* Notes that err, an ERR_DB_DENIED, kept the plan from reading what is there: swap_plan_privileges refuses,
 * with all else that this account may not. */
enum err_code swap_plan_unseen(struct planner *p, const struct err *err);
void swap_plan_keep(struct planner *p, const struct definition *d);

#endif
