/*
 * Describes a table for the archive: which columns are read, by which expression each is selected and loaded
 * so that its value comes back exactly, and by which unique key the table can be read in order.
 */
#ifndef DBSAFE_ROWS_DESCRIBE_H
#define DBSAFE_ROWS_DESCRIBE_H

#include "archive/manifest.h"
#include "db/catalog.h"

/* Fills in names, engine, columns and key of out; the rest is left alone.
 * ERR_NOT_FOUND: it is gone by now.  ERR_REFUSED: its history cannot be loaded again. */
enum err_code rows_describe(struct db_conn *c, struct arena *arena, const struct catalog_table *table,
                            struct manifest_table *out, struct err *err);

#endif
