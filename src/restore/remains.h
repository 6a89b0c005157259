/*
 * Removing what operations keep on the server: staging, undo data, journals.
 */
#ifndef DBSAFE_RESTORE_REMAINS_H
#define DBSAFE_RESTORE_REMAINS_H

#include "db/conn.h"
#include "restore/operation.h"

/* Drops what a run left that died while it wrote (or dropped) its journal: it holds nothing of value. */
enum err_code remains_sweep(struct db_conn *c, struct err *err);
/* Schemas that the user named on this command line (--staging-schema, --undo-schema); NULL: none. */
struct remains_given {
    const char *staging_schema, *undo_schema;
};
/* Drops the schemas that the operation made (undo data and staging included), then the journal.  Of tables in
 * schemas that are not dbsafe's own only those in given are dropped: a journal is a table, and whoever may
 * write it must not choose what is dropped elsewhere.  ERR_REFUSED names the first that is missing there. */
enum err_code remains_drop(struct db_conn *c, const struct operation *op, const struct remains_given *given,
                           struct err *err);
/* Drops the operation's staging schemas only. */
enum err_code remains_drop_staging(struct db_conn *c, const struct operation *op, struct err *err);

#endif
