/*
 * Loads members into staging tables: LOAD DATA LOCAL through our own stream, or multi-row INSERT where the
 * server allows none (local_infile=OFF); one transaction a member.
 *
 * LOAD DATA LOCAL turns errors into warnings and an aborted one keeps what it had, so a member counts as
 * loaded only when records == rows sent, nothing was skipped or deleted, and the warnings are those that the
 * archive expects.
 */
#ifndef DBSAFE_RESTORE_LOADER_H
#define DBSAFE_RESTORE_LOADER_H

#include "archive/manifest.h"
#include "core/run.h"
#include "db/conn.h"

struct loader;

/* What loading one member did. */
struct load_figures {
    uint64_t rows, bytes, warnings;
    struct rowsum checksum; /* of the text as it was sent */
};

/* A connection of its own; run and params are borrowed. */
enum err_code loader_open(const struct run *run, const struct db_params *params, struct loader **out,
                          struct err *err);
void loader_close(struct loader *l);
unsigned long loader_connection_id(const struct loader *l);

/* Sends the stored bytes of one member of t into the table `into` (quoted).  plain_bytes: as unpacker_begin.
 * Deadlocks and lock timeouts are retried by the whole transaction. ERR_DAMAGED for what cannot be unpacked.
 */
enum err_code loader_load(struct loader *l, const struct manifest_table *t, const char *into,
                          const void *stored, size_t bytes, uint64_t plain_bytes,
                          struct load_figures *figures, struct err *err);
/* Runs one statement in the loading session (deferred keys). */
enum err_code loader_exec(struct loader *l, const struct manifest_table *t, const char *sql, struct err *err);

#endif
