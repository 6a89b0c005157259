/*
 * Who works for an operation: the process that wrote its journal, its connections on the server, and the
 * locks that keep others away.
 */
#ifndef DBSAFE_RESTORE_OWNER_H
#define DBSAFE_RESTORE_OWNER_H

#include "core/arena.h"
#include "db/conn.h"
#include "restore/operation.h"

/* Whether the process that wrote the journal is seen to be alive (core/process.h). */
bool owner_is_alive(const struct operation *op);
/* Whether that cannot be told here: only the locks on its schemas tell. */
bool owner_is_elsewhere(const struct operation *op);
/* This process and this server, for a new operation. */
enum err_code owner_identify(struct db_conn *c, struct arena *arena, struct operation *op, struct err *err);

/* Notes a connection that works for this operation, so that --resume can end it. */
enum err_code owner_add_connection(struct db_conn *c, const struct operation *op, unsigned long id,
                                   struct err *err);
/* Ends the noted connections that still exist, if the server was not restarted since, and waits until they
 * are gone: a killed one may still finish what it was doing. ERR_TIMEOUT after 10 s. */
enum err_code owner_end_connections(struct db_conn *c, const struct operation *op, struct err *err);

/* Takes the lock on a target schema for the life of the connection; ERR_LOCKED names the holder. wait_s: how
 * long to try. */
enum err_code owner_lock_schema(struct db_conn *c, const char *schema, unsigned wait_s, struct err *err);
/* The lock of whoever writes or drops a journal; *got tells. */
enum err_code owner_lock_journal(struct db_conn *c, const char *id, bool *got, struct err *err);

#endif
