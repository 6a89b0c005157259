/*
 * Which server this is, so that a point of one is not taken for a point of another: what a server says of
 * itself, without any privilege.  No state.
 */
#ifndef DBSAFE_RECOVERY_SERVER_H
#define DBSAFE_RECOVERY_SERVER_H

#include "core/arena.h"
#include "db/conn.h"

struct server_mark {
    const char *identity; /* NULL: not known */
    const char *target;   /* how it was reached: "user@host:port"; NULL: not known */
};

/* Strings in arena.  MySQL has an identifier in its data folder.  MariaDB has none that outlives the machine:
 * it is told by host name, port, data folder and server_uid (a digest of network address and port). */
enum err_code server_read(struct db_conn *c, struct arena *arena, struct server_mark *out, struct err *err);

/* Whether two marks are of different servers.  Not when one of them is not known.  An endpoint of RDS is one
 * server whatever it says of itself: after a failover the machine behind it is another. */
bool server_differs(const struct server_mark *a, const struct server_mark *b);

#endif
