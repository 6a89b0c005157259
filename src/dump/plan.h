/*
 * What a dump will hold: the names of the command line resolved against the catalogue, each table described.
 */
#ifndef DBSAFE_DUMP_PLAN_H
#define DBSAFE_DUMP_PLAN_H

#include "archive/manifest.h"
#include "db/snapshot.h"
#include "dump/dump.h"
#include "dump/objects.h"
#include "rows/scan.h"

struct plan {
    struct arena *arena;       /* the manifest's */
    struct scan_table *tables; /* one for each of the manifest's, same order; largest need not be first */
    const char **ddl;          /* SHOW CREATE TABLE of each */
    const char **created;      /* when each was made or got its name, as the server tells it */
    struct objects objects;
    struct snapshot_table *snapshot_tables; /* the same tables for db/snapshot.h */
};

/* Fills manifest->server, schemas, tables, objects and warnings, and out.  A whole database brings all that
 * it holds; a name within one brings tables, views and sequences, and with a table what belongs to it: its
 * triggers and the sequences from which its columns take defaults.  ERR_NOT_FOUND for a name that matches
 * nothing, ERR_REFUSED for one of which --exclude leaves nothing, and when nothing at all can be seen.
 * ERR_DB_DENIED: all is there but the definitions that this account may not see (objects.h) and the warnings
 * about tables and objects. */
enum err_code plan_make(const struct run *run, struct db_conn *c, const struct dump_options *options,
                        struct manifest *manifest, struct plan *out, struct err *err);
void plan_free(struct plan *p);
/* Right after the snapshot's start: resolves the names once more.  *name tells, in m's arena, what came into
 * being since the plan was made and is in the snapshot perhaps, or NULL: with it rows may have left a table
 * that is in the plan. */
enum err_code plan_look_again(const struct plan *p, const struct run *run, struct db_conn *c,
                              const struct dump_options *options, struct manifest *m, const char **name,
                              struct err *err);
/* ERR_SNAPSHOT naming the first table or object whose definition is not what it was when the plan was made,
 * or whose name another table has taken. */
enum err_code plan_check_ddl(const struct plan *p, struct db_conn *c, const struct manifest *m,
                             struct err *err);

#endif
