/*
 * Who may work on an operation that stands in a journal: the process that the journal names, as long as one
 * of its connections holds the locks of all databases that the operation changes.  A process that goes on
 * where another died becomes its owner, and one that lost its connection comes back as its owner or stops.
 */
#ifndef DBSAFE_RESTORE_TAKEOVER_H
#define DBSAFE_RESTORE_TAKEOVER_H

#include "core/arena.h"
#include "db/conn.h"
#include "restore/operation.h"

/* Takes the locks of all databases that op changes, for the life of the connection; ERR_LOCKED names the
 * holder. */
enum err_code takeover_lock(struct db_conn *c, const struct operation *op, unsigned wait_s, struct err *err);

/* ERR_LOCKED unless the journal names the owner that op has. */
enum err_code takeover_check(struct db_conn *c, const struct operation *op, struct err *err);

/* Makes this process the owner of an operation whose own process is dead, or is this one: takes the locks,
 * ends the connections that still work for it, and writes that into the journal.  A connection that has the
 * lock for a process that may be alive is left alone.  The plan was read: its databases are locked too.
 * op->owner and server_start are changed, in the arena. ERR_LOCKED: another one works on it, or did since op
 * was read. */
enum err_code takeover(struct db_conn *c, struct arena *arena, struct operation *op, unsigned wait_s,
                       struct err *err);

#endif
