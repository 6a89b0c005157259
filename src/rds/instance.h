/*
 * Changing and removing instances and clusters that exist: rename, swap names, delete.  Threads and ownership
 * as in rds.h.  Everything is asked for by name but recognised by its resource id, which stays: so every call
 * can be repeated after it was cut off anywhere.
 */
#ifndef DBSAFE_RDS_INSTANCE_H
#define DBSAFE_RDS_INSTANCE_H

#include "rds/rds.h"

/* Asks that the instance or cluster with this resource id gets the name to, until RDS has taken it up;
 * rds_wait_renamed waits until it is available under it.  The endpoint's name goes with it (within minutes,
 * as DNS does), and the instance restarts.  Nothing is done when it is called so already.  Errors: ERR_AWS
 * (DBInstanceAlreadyExists when another one has the name), ERR_NOT_FOUND, ERR_TIMEOUT, the token's own. */
enum err_code rds_begin_rename(struct rds *r, enum rds_kind kind, const char *resource_id, const char *to,
                               struct err *err);

/*
 * A cut-over: what bears the name is called old_name from then on, and the replacement bears it.  The caller
 * keeps this in its journal before the first step; the resource ids say all that is needed to go on.
 */
struct rds_cutover {
    enum rds_kind kind;
    char name[RDS_ID_BYTES];              /* that clients use */
    char old_name[RDS_ID_BYTES];          /* for what bears it now */
    char old_resource_id[RDS_WORD_BYTES]; /* what bears it now */
    char new_resource_id[RDS_WORD_BYTES]; /* the replacement */
    char new_name[RDS_ID_BYTES];          /* what the replacement is called now */
};
enum rds_cutover_state {
    RDS_CUTOVER_BEFORE,  /* the old one bears the name */
    RDS_CUTOVER_BETWEEN, /* nobody does: clients find no server */
    RDS_CUTOVER_DONE,    /* the new one does */
    RDS_CUTOVER_FOREIGN  /* someone else does */
};

/* Both databases are of one kind, exist and are available; old_name is derived from name and the time. */
enum err_code rds_cutover_plan(struct rds *r, const struct rds_database *live,
                               const struct rds_database *replacement, struct rds_cutover *out,
                               struct err *err);
/* Where it stands. */
enum err_code rds_cutover_look(struct rds *r, const struct rds_cutover *c, enum rds_cutover_state *out,
                               struct err *err);
/* Goes on from wherever it stands until the replacement bears the name and is available; how the old one
 * fares once it has given up the name does not matter. When the replacement cannot get the name, the old one
 * gets it back; the error then says whether that succeeded, and if not, how to do it by hand. A signal is
 * obeyed only where someone bears the name. *bearer, on failure too: the replacement once it bears the name;
 * else its id is "". */
enum err_code rds_cutover_run(struct rds *r, const struct rds_cutover *c, struct rds_database *bearer,
                              struct err *err);
/* The way back: the replacement gets its own name again, the old one its. From any state. *bearer: the old
 * one, likewise. */
enum err_code rds_cutover_undo(struct rds *r, const struct rds_cutover *c, struct rds_database *bearer,
                               struct err *err);

/*
 * Deletes an instance or a cluster with its members, never without a final snapshot (its identifier, a legal
 * one). word must be the exact identifier (ERR_REFUSED); deletion protection is not lifted (ERR_REFUSED).
 * Does not wait.
 */
enum err_code rds_delete(struct rds *r, const struct rds_database *database, const char *word,
                         const char *final_snapshot, struct err *err);

#endif
