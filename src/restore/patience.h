/*
 * Trying again what needs locks that others hold.  Whoever waits for a table's lock makes all others wait
 * behind him, so each try waits a second at most, and lets them pass before the next.
 */
#ifndef DBSAFE_RESTORE_PATIENCE_H
#define DBSAFE_RESTORE_PATIENCE_H

#include "core/buf.h"
#include "db/conn.h"
#include "restore/operation.h"

/* lock_wait_timeout of one try, in seconds. */
#define PATIENCE_TRY_S 1

struct patience {
    const struct run *run;
    const struct operation *op;
    struct db_conn *control; /* asks who is in the way */
    struct cancel *cancel;   /* ends the waiting; NULL: only time does */
    unsigned timeout_s;      /* of all tries together */
    bool kill_blockers;
    /* its own: */
    int64_t deadline_ms, pause_ms; /* monotonic */
    bool told;
};

/* Begins to count the time; what stands above "its own" was filled in. */
void patience_begin(struct patience *p);
/* After a try that ended with ERR_DB_RETRY: tells who is in the way, ends them if that was asked for, and
 * waits. ERR_OK: try again. ERR_TIMEOUT: the time is over; the message names them. what: "swap", "lock
 * shop.orders".
 */
enum err_code patience_wait(struct patience *p, const char *what, struct err *err);

#endif
