/* How snapshots and restored instances are shown: tables for people, JSON for programs. Main thread only. */
#ifndef DBSAFE_CLI_SNAPSHOT_ANSWER_H
#define DBSAFE_CLI_SNAPSHOT_ANSWER_H

#include "cli/command.h"
#include "core/json_out.h"
#include "rds/restore.h"
#include "rds/snapshot.h"

/* The keys of one snapshot, into the object that is open. */
void snapshot_put_json(struct json_out *j, const struct rds_snapshot *s);
/* What create, copy, wait and delete answer with --json, and the identifier alone on standard output without
 * it. deleted: the key is given, with this value, unless it is NULL. */
enum err_code snapshot_answer(struct cli *cli, const struct rds_snapshot *s, const bool *resumed,
                              const bool *deleted, struct err *err);
enum err_code snapshot_answer_list(struct cli *cli, const struct rds_snapshots *list, struct err *err);
enum err_code snapshot_answer_restore(struct cli *cli, const char *from, const struct rds_restored *r,
                                      struct err *err);

#endif
