/*
 * Who holds the locks that a statement could not get: named from information_schema or performance_schema, as
 * far as the account may look.  Used by one thread; nothing is kept.
 */
#ifndef DBSAFE_DB_BLOCKERS_H
#define DBSAFE_DB_BLOCKERS_H

#include "core/arena.h"
#include "db/conn.h"

struct blocker_table {
    const char *schema, *name;
};

struct blocker {
    unsigned long id; /* of the connection */
    const char *user, *host;
    const char *seconds; /* since its transaction began, or it has been in this state; "?" unknown */
};

struct blockers {
    unsigned count;
    struct blocker *items; /* the longest first; in the arena */
    bool exact;   /* they hold locks on these tables; else they are all that have a transaction open */
    bool visible; /* the account may see others at all */
};

/* Sessions but this one that hold locks on one of the tables (with writers_only such as forbid reading
 * locks); without tables (count 0) such as keep a statement waiting that locks the whole server.  Never
 * fails: what cannot be asked is not visible. */
void blockers_find(struct db_conn *c, const struct blocker_table *tables, unsigned count, bool writers_only,
                   struct arena *arena, struct blockers *out);
/* Appends "connection 12 (app@10.0.0.5, 63 s), ...", or why nobody is named. */
void blockers_describe(const struct blockers *b, struct buf *out);

#endif
