/*
 * The journal of a swap: a schema `dbsafe_<id>` of our own on the target server that says what is to be
 * exchanged, and a marker table that the swap's RENAME itself turns from `pending` to `done`, so that data
 * and journal change together.
 *
 * A journal outlives the process that wrote it: --resume and undo read it back.
 */
#ifndef DBSAFE_RESTORE_JOURNAL_H
#define DBSAFE_RESTORE_JOURNAL_H

#include "core/arena.h"
#include "db/conn.h"
#include "restore/operation.h"

/* Creates `dbsafe_<id>` with everything that op says, and the marker `pending`. */
enum err_code journal_create(struct db_conn *c, const struct operation *op, struct err *err);
enum err_code journal_set_state(struct db_conn *c, const struct operation *op, enum operation_state state,
                                int64_t wall_ms, struct err *err);
/* Notes what is known once all is loaded: rows, whether they were verified, which archive it was. */
enum err_code journal_set_result(struct db_conn *c, const struct operation *op, struct err *err);

/* This process is the owner from now on (op->owner, op->server_start), and this connection the only one that
 * works for it. */
enum err_code journal_set_owner(struct db_conn *c, const struct operation *op, struct err *err);

/* All operations on the server, oldest first. */
enum err_code journal_list(struct db_conn *c, struct arena *arena, struct operation **out, unsigned *count,
                           struct err *err);
/* Reads the marker again. */
enum err_code journal_is_done(struct db_conn *c, const struct operation *op, bool *done, struct err *err);

#endif
