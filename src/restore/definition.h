/*
 * Views, routines, packages, triggers and events on the server: read as they are, made, compared, removed.
 *
 * All of it runs on a connection that is used for nothing else: its current database, character sets and
 * sql_mode change with every object.
 */
#ifndef DBSAFE_RESTORE_DEFINITION_H
#define DBSAFE_RESTORE_DEFINITION_H

#include "core/arena.h"
#include "db/conn.h"
#include "db/create.h"
#include "restore/operation.h"

/* What databases hold, read once a database: one is made for each look at the server.  Lives in arena. */
struct definitions;
struct definitions *definitions_new(struct db_conn *c, struct arena *arena);
/* Reads an object as it stands (a trigger, whatever its table); without a text when there is none. */
enum err_code definitions_read(struct definitions *all, enum object_kind kind, const char *schema,
                               const char *name, struct definition *out, struct err *err);
/* The triggers of a table in the order in which they have to be made. */
enum err_code definitions_of_table(struct definitions *all, const char *schema, const char *table,
                                   struct definition **out, unsigned *count, struct err *err);

/* Whether both make the same object, session included; the definer may be written in other quotes. */
bool definition_equal(const struct definition *a, const struct definition *b);
/* The pieces of its text's head. */
enum err_code definition_head(const struct definition *d, struct create_head *out, struct err *err);
/* Makes it, in the place of one of the same name (triggers have no such form).  text: instead of its own,
 * NULL. Notes of the server (a definer that does not exist, an event whose time is over) go to notes, one a
 * line. */
enum err_code definition_create(struct db_conn *c, const struct definition *d, const struct buf *text,
                                struct buf *notes, struct err *err);
/* ERR_OK too when there is none. */
enum err_code definition_drop(struct db_conn *c, const struct definition *d, struct err *err);

/* The session as all other statements need it, after whatever object was made: names in UTF-8, no sql_mode.
 */
enum err_code definition_plain(struct db_conn *c, struct err *err);
/* The same, and the schema is the current one. */
enum err_code definition_use(struct db_conn *c, const char *schema, struct err *err);
/* The session that makes d, settings but for the database. */
enum err_code definition_session(struct db_conn *c, const struct definition *d, struct err *err);
/* An object keeps the collation that its database has when it is made.  Gives the database the object's for
 * that time: *before is what to give back ("": nothing was changed). */
enum err_code definition_lend_collation(struct db_conn *c, const struct definition *d, char before[65],
                                        struct err *err);
enum err_code definition_return_collation(struct db_conn *c, const char *schema, const char *before,
                                          struct err *err);

#endif
