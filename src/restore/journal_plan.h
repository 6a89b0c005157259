/*
 * The part of a journal that says what happens besides the exchange of tables, and in which steps: objects,
 * foreign keys, defaults of schemas, steps.  People may read it too:
 *     SELECT n, kind, done, what FROM `dbsafe_<id>`.step ORDER BY n
 */
#ifndef DBSAFE_RESTORE_JOURNAL_PLAN_H
#define DBSAFE_RESTORE_JOURNAL_PLAN_H

#include "core/arena.h"
#include "db/conn.h"
#include "restore/operation.h"

/* Makes the tables, and notes what is known before the plan: op->made, op->keys, op->schema_changes. */
enum err_code journal_create_plan(struct db_conn *c, const struct operation *op, struct err *err);
/* Notes the plan in one transaction, in the place of an earlier one. */
enum err_code journal_write_plan(struct db_conn *c, const struct operation *op, struct err *err);
/* Reads all of it into op, whose other fields journal_list gave. */
enum err_code journal_read_plan(struct db_conn *c, struct arena *arena, struct operation *op,
                                struct err *err);
/* Notes that a step is done. */
enum err_code journal_step_done(struct db_conn *c, struct operation *op, unsigned step, struct err *err);

#endif
