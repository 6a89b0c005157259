/*
 * What a table refers to, read from its definition.
 */
#ifndef DBSAFE_DUMP_RELATIONS_H
#define DBSAFE_DUMP_RELATIONS_H

#include "archive/manifest.h"

/* Fills in t->foreign_keys and t->sequences from what SHOW CREATE TABLE printed; t->schema is set.  ERR_DB
 * for a text that is none. */
enum err_code relations_read(const char *ddl, struct arena *arena, struct manifest_table *t, struct err *err);

#endif
