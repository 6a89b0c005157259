/*
 * The rungs of the ladder that src/db/snapshot.c climbs, and what they share.  Private to src/db.
 *
 * A rung says why it cannot be used here (NULL: it can be tried) before anything is done, and then tries.
 * That it was refused, or met no good moment, is no error: *done stays false, a note says why, and the next
 * rung is tried.
 */
#ifndef DBSAFE_DB_RUNG_H
#define DBSAFE_DB_RUNG_H

#include "db/flavour.h"
#include "db/grants.h"
#include "db/snapshot.h"

/* What the server and the account allow, found out once. */
struct ground {
    struct flavour flavour;
    struct grants *grants;
    bool binlog;        /* the binlog is written */
    bool binlog_proves; /* every commit of a logged transaction moves the position */
    bool counter;       /* InnoDB's transaction counter can be read, and every commit moves it */
};

struct climb {
    const struct run *run;
    const struct db_params *params;
    struct db_conn *control;
    const struct snapshot_options *options;
    struct ground ground;
    struct snapshot *snap;
    bool still;       /* the position did not move while the snapshots started */
    struct buf notes; /* why the rungs that were tried did not hold: "method: reason; ..." */
};

typedef const char *rung_obstacle_fn(const struct climb *c);
typedef enum err_code rung_try_fn(struct climb *c, bool *done, struct err *err);

rung_obstacle_fn rung_positions_obstacle, rung_counter_obstacle, rung_stage_obstacle, rung_global_obstacle,
    rung_tables_obstacle, rung_single_obstacle;
rung_try_fn rung_positions, rung_counter, rung_stage, rung_global, rung_tables, rung_single;

/* ---- shared ---- */

/* Connections in reading sessions: exactly count. */
enum err_code rung_open_readers(struct climb *c, unsigned count, struct err *err);
/* The same statement on every reader at the same moment. */
enum err_code rung_on_all(struct climb *c, const char *sql, struct err *err);
/* Starts all snapshots and asks for their positions, where each can tell its own. */
enum err_code rung_start_all(struct climb *c, struct err *err);
/* All readers stand at the same, known position. */
bool rung_positions_equal(const struct climb *c);
/* The same, and where snapshots cannot tell theirs, the server's position if it was the same before and
 * after. */
enum err_code rung_start_at_position(struct climb *c, struct err *err);

/* A session for a lock that others wait for: the server ends it by itself if this process stops answering. */
enum err_code rung_open_lock(struct climb *c, unsigned lock_wait_s, struct db_conn **out, struct err *err);
/* Takes a lock with the statements of take (NULL-terminated), starts all snapshots, and releases it with the
 * statement release: only a lock that could be released was held until then.  Up to tries times; a denial
 * ends it at once.  *done: all start under the lock, which others waited for at most snap->held_ms. refused:
 * what the server said last when not. */
struct rung_lock {
    const char *const *take;
    const char *release;
    unsigned tries, backoff_ms; /* the longest pause between them */
    int64_t until_ms;           /* monotonic clock: no try after it; 0: no limit */
};
enum err_code rung_start_locked(struct climb *c, struct db_conn *lock, const struct rung_lock *how,
                                bool *done, struct err *refused, struct err *err);
/* "LOCK TABLES `s`.`t` READ, ..." of the tables with, or those without transactions; how many. */
unsigned rung_put_lock(const struct snapshot_options *o, bool transactional, struct buf *sql);
/* Whether err says that the server would not, rather than that it is gone or the command was cancelled. */
bool rung_is_refusal(const struct err *err);
void rung_note(struct climb *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define REFUSAL_MAX_BYTES 16384
/* What a lock is on. */
enum rung_locks { RUNG_LOCKS_SERVER, RUNG_LOCKS_TRANSACTIONAL, RUNG_LOCKS_OTHERS };
/* Appends what the server said to a lock that it did not give, and who was in the way if it was waited for.
 */
void rung_describe_refusal(struct climb *c, enum rung_locks what, const struct err *refused, struct buf *out);
/* The same as a note of a method. */
void rung_note_refusal(struct climb *c, const char *method, enum rung_locks what, const struct err *refused);
/* Waits between tries: a little, not always the same. */
enum err_code rung_backoff(struct climb *c, unsigned max_ms, struct err *err);

#endif
