#include "db/snapshot.h"

#include "core/mem.h"
#include "db/innodb_status.h"
#include "db/rung.h"
#include "db/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX_BYTES   ((size_t)32 << 20)
#define NOTES_MAX_BYTES ((size_t)64 << 10)
/* How long the lock on tables without transactions is waited for. */
#define GUARD_WAIT_S 10

/* In the order of the ladder. */
static const struct {
    const char *method;
    rung_obstacle_fn *obstacle;
    rung_try_fn *try;
} RUNGS[] = {
    {"binlog-position", rung_positions_obstacle, rung_positions},
    {"trx-counter", rung_counter_obstacle, rung_counter},
    {"backup-stage", rung_stage_obstacle, rung_stage},
    {"global-read-lock", rung_global_obstacle, rung_global},
    {"table-locks", rung_tables_obstacle, rung_tables},
    {"single-reader", rung_single_obstacle, rung_single},
};
#define RUNG_COUNT (sizeof RUNGS / sizeof RUNGS[0])

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->count; i++)
        db_close(s->conns[i]);
    db_close(s->guard);
    db_close(s->instance);
    free(s->conns);
    free(s->positions);
    free(s->gtid);
    free(s);
}

enum err_code snapshot_check(struct snapshot *s, struct err *err)
{
    struct err why;
    if (s->guard && db_exec(s->guard, "DO 1", &why) != ERR_OK)
        return err_set(err, why.code,
                       "keep the tables that have no transactions locked while they are read: %s", why.text);
    if (s->instance && db_exec(s->instance, "DO 1", &why) != ERR_OK)
        return err_set(err, why.code, "keep LOCK INSTANCE FOR BACKUP until all is read: %s", why.text);
    return ERR_OK;
}

/* ---- what there is to stand on ---- */

/* A filtered binlog misses commits; whether one is filtered takes BINLOG MONITOR to know. */
static bool binlog_is_unfiltered(struct db_conn *c, struct flavour f)
{
    struct db_rows *rows;
    if (db_query(c, flavour_position_statement(f), &rows, NULL) != ERR_OK)
        return false;
    const char *const *row = db_row(rows);
    bool ok = row && row[0] && row[0][0] && (!row[2] || !row[2][0]) && (!row[3] || !row[3][0]);
    db_rows_free(rows);
    return ok;
}

static bool answers(struct db_conn *c, const char *sql, const char *wanted)
{
    struct buf value;
    buf_init(&value, 4096);
    bool is = db_scalar(c, sql, &value, NULL, NULL) == ERR_OK && strcmp(buf_cstr(&value), wanted) == 0;
    buf_free(&value);
    return is;
}

/* A replica that does not log what it replays commits without moving its own binlog; so does a node of a
 * Galera cluster with what the others wrote. */
static bool is_unlogged_replica(struct db_conn *c)
{
    struct db_rows *rows;
    bool idle = false;
    if (answers(c, "SELECT @@log_slave_updates", "1"))
        return false;
    if (answers(c, "SELECT @@wsrep_on", "1"))
        return true;
    if (db_query(c, "SHOW GLOBAL STATUS LIKE 'Slaves_running'", &rows, NULL) == ERR_OK) {
        const char *const *row = db_row(rows);
        idle = row && row[1] && strcmp(row[1], "0") == 0;
        db_rows_free(rows);
    }
    return !idle;
}

static enum err_code survey(struct climb *c, struct err *err)
{
    struct ground *g = &c->ground;
    enum err_code code = grants_read(c->control, &g->grants, err);
    if (code != ERR_OK)
        return code;
    g->flavour = flavour_of(db_version(c->control));
    struct innodb_status innodb;
    g->counter = flavour_counts_commits(g->flavour) && innodb_status_read(c->control, &innodb);
    if (!flavour_has_snapshot_positions(g->flavour))
        return ERR_OK;
    struct buf value;
    buf_init(&value, 4096);
    code = db_scalar(c->control, "SELECT @@log_bin", &value, NULL, err);
    g->binlog = code == ERR_OK && strcmp(buf_cstr(&value), "1") == 0;
    g->binlog_proves =
        g->binlog && binlog_is_unfiltered(c->control, g->flavour) && !is_unlogged_replica(c->control);
    buf_free(&value);
    return code;
}

/* ---- the ladder ---- */

/* Why a method that could be used is not, where it is chosen by itself: the counter is part of the positions'
 * proof, and who may BACKUP STAGE needs no lock that costs more. */
static const char *unwanted(const struct climb *c, size_t rung)
{
    rung_try_fn *try = RUNGS[rung].try;
    if (try == rung_counter && rung_positions_obstacle(c) == NULL)
        return "binlog-position does more";
    if (try == rung_global && flavour_has_backup_stage(c->ground.flavour))
        return "backup-stage costs less";
    if (c->options->gentle && (try == rung_global || try == rung_tables))
        return "a lock is not worth it";
    return NULL;
}

static enum err_code try_rung(struct climb *c, size_t rung, bool *done, struct err *err)
{
    struct snapshot *s = c->snap;
    s->trx_before = s->trx_after = 0;
    s->held_ms = 0;
    enum err_code code = RUNGS[rung].try(c, done, err);
    s->method = RUNGS[rung].method;
    return code;
}

static enum err_code climb_by_name(struct climb *c, struct err *err)
{
    const char *method = c->options->consistency, *obstacle = "there is no such method";
    bool done = false;
    for (size_t i = 0; i < RUNG_COUNT; i++) {
        if (strcmp(RUNGS[i].method, method) != 0)
            continue;
        obstacle = RUNGS[i].obstacle(c);
        enum err_code code = obstacle ? ERR_OK : try_rung(c, i, &done, err);
        if (code != ERR_OK || done)
            return code;
    }
    return err_set(err, ERR_SNAPSHOT,
                   "start a consistent snapshot by %s: not possible here (%s); use --consistency auto, or "
                   "single-reader, which"
                   " needs no privilege",
                   method, obstacle ? obstacle : buf_cstr(&c->notes));
}

static enum err_code climb(struct climb *c, struct err *err)
{
    bool done = false;
    enum err_code code = ERR_OK;
    if (strcmp(c->options->consistency, "auto") != 0)
        return climb_by_name(c, err);
    for (size_t i = c->options->threads == 1 ? RUNG_COUNT - 1 : 0; code == ERR_OK && !done && i < RUNG_COUNT;
         i++) {
        const char *obstacle = unwanted(c, i);
        obstacle = obstacle ? obstacle : RUNGS[i].obstacle(c);
        if (obstacle)
            log_debug(c->run->log, "%s: not here: %s", RUNGS[i].method, obstacle);
        else
            code = try_rung(c, i, &done, err);
    }
    if (code == ERR_OK && c->options->threads > 1 && RUNGS[RUNG_COUNT - 1].method == c->snap->method)
        log_warn(c->run->log, "one reader only: %u snapshots at the same moment could not be proved (%s)",
                 c->options->threads,
                 c->notes.len ? buf_cstr(&c->notes) : "PROCESS, RELOAD or LOCK TABLES would help");
    return code;
}

/* ---- tables without transactions ---- */

/* Where the lock was refused: on without it, if that is allowed.  A cancelled or lost connection is neither.
 */
static enum err_code go_on_unlocked(struct climb *c, const char *sql, const struct err *refused,
                                    struct err *err)
{
    bool waited = refused->code == ERR_DB_RETRY;
    if (!rung_is_refusal(refused))
        return err_copy(err, refused);
    struct buf why;
    buf_init(&why, REFUSAL_MAX_BYTES);
    rung_describe_refusal(c, RUNG_LOCKS_OTHERS, refused, &why);
    enum err_code code = ERR_OK;
    if (c->options->allow_inconsistent) {
        log_warn(c->run->log, "tables without transactions are read unlocked and may be inconsistent: %s",
                 buf_cstr(&why));
        db_close(c->snap->guard);
        c->snap->guard = NULL;
    } else {
        code = err_set(err, waited ? ERR_TIMEOUT : ERR_SNAPSHOT,
                       "lock the tables that have no transactions (%.400s): %s; %s, convert them to InnoDB,"
                       " or accept it with --allow-inconsistent",
                       sql, buf_cstr(&why), waited ? "end the sessions that use them" : "grant LOCK TABLES");
    }
    buf_free(&why);
    return code;
}

/* They are held still by a read lock from before the snapshot to the end. */
static enum err_code lock_tables(struct climb *c, struct err *err)
{
    struct snapshot *s = c->snap;
    struct buf sql;
    struct err refused;
    buf_init(&sql, SQL_MAX_BYTES);
    enum err_code code = ERR_OK;
    if (rung_put_lock(c->options, false, &sql) > 0) {
        code = db_connect(c->params, c->run->cancel, &s->guard, err);
        if (code == ERR_OK)
            code = session_lock_wait(s->guard, GUARD_WAIT_S, err);
        if (code == ERR_OK && db_exec(s->guard, buf_cstr(&sql), &refused) != ERR_OK)
            code = go_on_unlocked(c, buf_cstr(&sql), &refused, err);
    }
    buf_free(&sql);
    return code;
}

/* ---- */

/* MariaDB's GTID of the binlog position, for point-in-time recovery; NULL when the server does not tell. */
static void read_gtid(struct climb *c)
{
    struct snapshot *s = c->snap;
    struct buf sql, value;
    if (!c->ground.flavour.mariadb || !s->positions[0].file[0])
        return;
    buf_init(&sql, 4096);
    buf_init(&value, SQL_MAX_BYTES);
    buf_put(&sql, "SELECT BINLOG_GTID_POS(");
    db_quote_text(&sql, s->positions[0].file);
    buf_putf(&sql, ", %" PRIu64 ")", s->positions[0].position);
    if (db_scalar(c->control, buf_cstr(&sql), &value, NULL, NULL) == ERR_OK && value.len)
        s->gtid = xstrdup(buf_cstr(&value));
    buf_free(&sql);
    buf_free(&value);
}

enum err_code snapshot_open(const struct run *run, const struct db_params *params, struct db_conn *control,
                            const struct snapshot_options *options, struct snapshot **out, struct err *err)
{
    *out = NULL;
    struct climb c = {.run = run, .params = params, .control = control, .options = options};
    c.snap = xcalloc(1, sizeof *c.snap);
    c.snap->conns = xcalloc(options->threads, sizeof *c.snap->conns);
    c.snap->positions = xcalloc(options->threads, sizeof *c.snap->positions);
    buf_init(&c.notes, NOTES_MAX_BYTES);
    enum err_code code = survey(&c, err);
    if (code == ERR_OK)
        code = lock_tables(&c, err);
    if (code == ERR_OK)
        code = climb(&c, err);
    if (code == ERR_OK) {
        read_gtid(&c);
        *out = c.snap;
    } else {
        snapshot_free(c.snap);
    }
    grants_free(c.ground.grants);
    buf_free(&c.notes);
    return code;
}

enum err_code snapshot_explain(struct db_conn *control, const struct snapshot_options *options,
                               snapshot_method_fn *fn, void *arg, struct err *err)
{
    struct climb c = {.control = control, .options = options};
    bool automatic = strcmp(options->consistency, "auto") == 0;
    enum err_code code = survey(&c, err);
    for (size_t i = automatic && options->threads == 1 ? RUNG_COUNT - 1 : 0; code == ERR_OK && i < RUNG_COUNT;
         i++) {
        const char *obstacle = automatic ? unwanted(&c, i) : NULL;
        if (automatic || strcmp(options->consistency, RUNGS[i].method) == 0)
            fn(arg, RUNGS[i].method, obstacle ? obstacle : RUNGS[i].obstacle(&c));
    }
    grants_free(c.ground.grants);
    return code;
}
