/*
 * Foreign keys that the exchange of tables must not tear: those to parents that are not exchanged (KEY_JOIN,
 * KEY_LEAVE), those of children that are not (KEY_CHILD), and those whose names are taken while two tables of
 * one name stand in one schema (KEY_INSIDE).
 *
 * A staging or undo table never has a key to a live table, through which live deletes would reach it.
 */
#ifndef DBSAFE_RESTORE_FOREIGN_KEYS_H
#define DBSAFE_RESTORE_FOREIGN_KEYS_H

#include "core/arena.h"
#include "db/conn.h"
#include "db/ddl.h"
#include "restore/operation.h"

/* SHOW CREATE TABLE, taken apart.  ERR_NOT_FOUND. */
enum err_code keys_read_ddl(struct db_conn *c, struct arena *arena, const char *schema, const char *name,
                            struct ddl *out, struct err *err);
/* Takes the foreign key of a table of a schema apart: name, columns, parent, actions.  False when the text
 * has not the form in which servers print it. */
bool key_parse(const struct ddl_item *item, const char *schema, struct arena *arena, struct foreign_key *out);
/* "FOREIGN KEY (...) REFERENCES `shop`.`people` (...) ON DELETE CASCADE". */
void key_write(const struct foreign_key *k, struct buf *out);
/* Appends a key to op->keys and gives it. */
struct foreign_key *keys_add(struct operation *op, struct arena *arena, const struct foreign_key *k);

/* Rows of child (quoted) whose parent is missing in parent (quoted): their number, and the values of some as
 * "(7), (9)" in examples.  The number is exact below 1000, where counting ends. */
enum err_code keys_count_orphans(struct db_conn *c, const struct foreign_key *k, const char *child,
                                 const char *parent, uint64_t *orphans, struct buf *examples,
                                 struct err *err);

/* Adds a KEY_JOIN to an empty copy of its table, at rest, for a moment.  *fits false: the server refuses it,
 * and err says why, though ERR_OK is returned. */
enum err_code keys_try(struct db_conn *c, const struct operation *op, const struct foreign_key *k, bool *fits,
                       struct err *err);

/* ---- steps; each may be done again.  c has foreign_key_checks=0 and a short lock_wait_timeout ---- */

/* The incoming table, at rest, gets temporary names for its KEY_INSIDE; and its own names again: there (when
 * the swap failed), or in the live schema. */
enum err_code keys_rename_away(struct db_conn *c, const struct operation *op, unsigned exchange,
                               struct err *err);
enum err_code keys_rename_back(struct db_conn *c, const struct operation *op, unsigned exchange, bool at_rest,
                               struct err *err);
/* The outgoing table, wherever it stands behind the swap, loses its KEY_LEAVE. */
enum err_code keys_leave_parents(struct db_conn *c, const struct operation *op, unsigned exchange,
                                 struct err *err);
/* The same as a statement, for a table that is known to have them all; nothing is written when it has none.
 */
void keys_write_leave_parents(const struct operation *op, unsigned exchange, struct buf *out);
/* The new live table gets its KEY_JOIN. */
enum err_code keys_join_parents(struct db_conn *c, const struct operation *op, unsigned exchange,
                                struct err *err);
/* A KEY_CHILD comes to refer to the new live parent. */
enum err_code keys_move_child(struct db_conn *c, const struct operation *op, unsigned key, struct err *err);

#endif
