/*
 * One run of undo, for the files that carry it out (undo.c, undo_list.c).
 */
#ifndef DBSAFE_RESTORE_UNDOING_H
#define DBSAFE_RESTORE_UNDOING_H

#include "core/arena.h"
#include "restore/operation.h"
#include "restore/remains.h"
#include "restore/restore.h"

struct undo {
    const struct run *run;
    const struct db_params *params;
    const struct undo_options *options;
    struct remains_given given;
    struct db_conn *control;
    struct arena *arena;
    struct operation *ops; /* of the server, oldest first */
    unsigned op_count;
};

enum err_code undoing_open(struct undo *u, const struct run *run, const struct db_params *db,
                           const struct undo_options *options, struct err *err);
void undoing_close(struct undo *u);
/* Whether a later operation put this one back, though the process died before it could say so in the journal.
 */
bool undoing_was_undone(const struct undo *u, const struct operation *op);
/* The one of this id; NULL: the newest that was swapped and not undone.  ERR_NOT_FOUND. */
enum err_code undoing_find(struct undo *u, const char *id, struct operation **out, struct err *err);
/* ERR_DB_DENIED, with the GRANT, when the account could not see any operation. */
enum err_code undoing_check_sight(struct undo *u, struct err *err);
/* How long the connections of a run that died may take to end. */
#define UNDO_LOCK_WAIT_S 5

#endif
