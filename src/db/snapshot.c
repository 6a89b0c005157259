#include "db/snapshot.h"

#include "core/mem.h"
#include "db/flavour.h"
#include "db/innodb_status.h"
#include "db/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_FOR_MS   2000
#define BACKOFF_MIN_MS 1
#define BACKOFF_MAX_MS 50
#define LOCK_TRIES     5
#define LOCK_WAIT_S    2

static const char START[] = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

/* What the server and the account allow, found out once. */
struct ground {
    struct flavour flavour;
    bool binlog;        /* the binlog is written */
    bool binlog_proves; /* every commit of a logged transaction moves the position */
    bool counter;       /* InnoDB's transaction counter can be read */
    bool reload;
};

struct attempt {
    const struct run *run;
    const struct db_params *params;
    struct db_conn *control;
    const struct snapshot_options *options;
    struct ground ground;
    struct snapshot *snap;
};

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->count; i++)
        db_close(s->conns[i]);
    db_close(s->guard);
    free(s->conns);
    free(s->positions);
    free(s);
}

enum err_code snapshot_check(struct snapshot *s, struct err *err)
{
    struct err why;
    if (!s->guard || db_exec(s->guard, "DO 1", &why) == ERR_OK)
        return ERR_OK;
    return err_set(err, why.code, "keep the tables that have no transactions locked while they are read: %s",
                   why.text);
}

/* False when the account may not (it takes PROCESS). */
static bool read_innodb(struct db_conn *c, struct innodb_status *out)
{
    struct db_rows *rows;
    if (db_query(c, "SHOW ENGINE INNODB STATUS", &rows, NULL) != ERR_OK)
        return false;
    const char *const *row = db_row(rows);
    bool ok = row && row[2] && innodb_status_parse(row[2], out);
    db_rows_free(rows);
    return ok;
}

static enum err_code read_position(struct db_conn *c, struct snapshot_position *out, struct err *err)
{
    *out = (struct snapshot_position){0};
    struct db_rows *rows;
    enum err_code code = db_query(c, "SHOW STATUS LIKE 'binlog_snapshot_%'", &rows, err);
    if (code != ERR_OK)
        return code;
    const char *const *row;
    while ((row = db_row(rows))) {
        if (strcasecmp(row[0], "Binlog_snapshot_file") == 0)
            snprintf(out->file, sizeof out->file, "%s", row[1] ? row[1] : "");
        else if (strcasecmp(row[0], "Binlog_snapshot_position") == 0)
            out->position = row[1] ? strtoull(row[1], NULL, 10) : 0;
    }
    db_rows_free(rows);
    return ERR_OK;
}

/* A filtered binlog misses commits; whether one is filtered takes BINLOG MONITOR to know. */
static bool binlog_is_unfiltered(struct db_conn *c)
{
    struct db_rows *rows;
    if (db_query(c, "SHOW MASTER STATUS", &rows, NULL) != ERR_OK)
        return false;
    const char *const *row = db_row(rows);
    bool ok = row && row[0] && row[0][0] && (!row[2] || !row[2][0]) && (!row[3] || !row[3][0]);
    db_rows_free(rows);
    return ok;
}

/* A replica that does not log what it replays commits without moving its own binlog. */
static bool is_unlogged_replica(struct db_conn *c)
{
    struct buf value;
    buf_init(&value, 4096);
    bool logs = db_scalar(c, "SELECT @@log_slave_updates", &value, NULL, NULL) == ERR_OK &&
                strcmp(buf_cstr(&value), "1") == 0;
    bool idle = false;
    struct db_rows *rows;
    if (!logs && db_query(c, "SHOW GLOBAL STATUS LIKE 'Slaves_running'", &rows, NULL) == ERR_OK) {
        const char *const *row = db_row(rows);
        idle = row && row[1] && strcmp(row[1], "0") == 0;
        db_rows_free(rows);
    }
    buf_free(&value);
    return !logs && !idle;
}

static enum err_code survey(struct attempt *a, struct err *err)
{
    struct session_grants grants;
    enum err_code code = session_grants(a->control, &grants, err);
    if (code != ERR_OK)
        return code;
    struct ground *g = &a->ground;
    g->flavour = flavour_of(db_version(a->control));
    g->reload = grants.reload && g->flavour.mariadb && g->flavour.version >= 100401;
    struct innodb_status innodb;
    g->counter = read_innodb(a->control, &innodb);
    struct buf value;
    buf_init(&value, 4096);
    code = db_scalar(a->control, "SELECT @@log_bin", &value, NULL, err);
    if (code == ERR_OK) {
        g->binlog = g->flavour.mariadb && strcmp(buf_cstr(&value), "1") == 0;
        g->binlog_proves = g->binlog && binlog_is_unfiltered(a->control) && !is_unlogged_replica(a->control);
    }
    buf_free(&value);
    return code;
}

static enum err_code open_readers(struct attempt *a, unsigned count, struct err *err)
{
    struct snapshot *s = a->snap;
    enum err_code code = ERR_OK;
    while (s->count > count)
        db_close(s->conns[--s->count]);
    while (code == ERR_OK && s->count < count) {
        code = db_connect(a->params, a->run->cancel, &s->conns[s->count], err);
        if (code == ERR_OK)
            code = session_for_reading(s->conns[s->count++], err);
    }
    return code;
}

/* The same statement on every reader at the same moment. */
static enum err_code on_all(struct snapshot *s, const char *sql, struct err *err)
{
    enum err_code code = ERR_OK;
    unsigned sent = 0;
    while (code == ERR_OK && sent < s->count) {
        code = db_send(s->conns[sent], sql, err);
        if (code == ERR_OK)
            sent++;
    }
    for (unsigned i = 0; i < sent; i++) {
        enum err_code one = db_reap(s->conns[i], code == ERR_OK ? err : NULL);
        if (code == ERR_OK)
            code = one;
    }
    return code;
}

/* Starts all snapshots and reads their positions. */
static enum err_code start_all(struct attempt *a, struct err *err)
{
    struct snapshot *s = a->snap;
    s->tries++;
    s->taken_ms = clock_wall_ms(a->run->clock);
    enum err_code code = on_all(s, START, err);
    for (unsigned i = 0; code == ERR_OK && i < s->count; i++)
        code = read_position(s->conns[i], &s->positions[i], err);
    return code;
}

static bool positions_equal(const struct snapshot *s)
{
    if (s->positions[0].file[0] == '\0')
        return false;
    for (unsigned i = 1; i < s->count; i++)
        if (strcmp(s->positions[i].file, s->positions[0].file) != 0 ||
            s->positions[i].position != s->positions[0].position)
            return false;
    return true;
}

static enum err_code backoff(struct attempt *a, struct err *err)
{
    int64_t span = BACKOFF_MIN_MS + (int64_t)(a->snap->tries % BACKOFF_MAX_MS);
    return clock_backoff(span, a->run->cancel, err);
}

/* One try of the lock-free methods. *proved tells whether it held. */
static enum err_code try_unlocked(struct attempt *a, bool by_position, bool *proved, struct err *err)
{
    struct snapshot *s = a->snap;
    struct innodb_status before = {0}, after = {0};
    bool counter = a->ground.counter && read_innodb(a->control, &before);
    *proved = false;
    if (counter && !before.settled) { /* a commit that has its number may become visible between the starts */
        s->tries++;
        return ERR_OK;
    }
    enum err_code code = start_all(a, err);
    if (code != ERR_OK)
        return code;
    counter = counter && read_innodb(a->control, &after);
    s->trx_before = counter ? before.trx_counter : 0;
    s->trx_after = counter ? after.trx_counter : 0;
    bool still = counter && s->trx_before == s->trx_after;
    *proved = a->ground.counter ? still : by_position;
    if (by_position)
        *proved = *proved && positions_equal(s);
    return *proved ? ERR_OK : on_all(s, "ROLLBACK", err);
}

/* Rungs A and A2: no lock at all; repeated until a quiet moment is met. */
static enum err_code without_lock(struct attempt *a, bool by_position, bool *done, struct err *err)
{
    struct snapshot *s = a->snap;
    *done = false;
    int64_t deadline = clock_monotonic_ms(a->run->clock) + RETRY_FOR_MS;
    enum err_code code = open_readers(a, a->options->threads, err);
    s->tries = 0;
    while (code == ERR_OK && !*done && clock_monotonic_ms(a->run->clock) < deadline) {
        code = try_unlocked(a, by_position, done, err);
        if (code == ERR_OK && !*done)
            code = backoff(a, err);
    }
    if (code != ERR_OK || !*done)
        return code;
    if (by_position) {
        s->method = "binlog-position";
        snprintf(s->proof, sizeof s->proof, "%u snapshots at one binlog position%s", s->count,
                 a->ground.counter
                     ? ", and InnoDB's transaction counter did not move meanwhile"
                     : " (logged transactions only: without PROCESS unlogged commits cannot be seen)");
    } else {
        s->method = "trx-counter";
        snprintf(s->proof, sizeof s->proof,
                 "%u snapshots started while InnoDB's transaction counter did not move", s->count);
    }
    return ERR_OK;
}

/* Rung B: commits are blocked for the moment in which the snapshots start. */
static enum err_code under_backup_stage(struct attempt *a, bool *done, struct err *err)
{
    struct snapshot *s = a->snap;
    struct db_conn *lock = NULL;
    *done = false;
    enum err_code code = open_readers(a, a->options->threads, err);
    if (code == ERR_OK)
        code = db_connect(a->params, a->run->cancel, &lock, err);
    if (code == ERR_OK)
        code = session_lock_wait(lock, LOCK_WAIT_S, err);
    s->tries = 0;
    for (unsigned i = 0; code == ERR_OK && i < LOCK_TRIES && !*done; i++) {
        struct err refused;
        enum err_code blocked = db_exec(lock, "BACKUP STAGE START", &refused);
        if (blocked == ERR_OK)
            blocked = db_exec(lock, "BACKUP STAGE BLOCK_COMMIT", &refused);
        if (blocked == ERR_OK) {
            code = start_all(a, err);
            *done = code == ERR_OK;
        } else {
            log_debug(a->run->log, "%s", refused.text);
        }
        db_exec(lock, "BACKUP STAGE END", NULL);
        if (code == ERR_OK && !*done)
            code = backoff(a, err);
    }
    db_close(lock);
    if (!*done)
        return code;
    s->trx_before = s->trx_after = 0;
    s->method = "backup-stage";
    snprintf(s->proof, sizeof s->proof,
             "%u snapshots started while BACKUP STAGE BLOCK_COMMIT held back every commit", s->count);
    if (s->positions[0].file[0] && !positions_equal(s))
        return err_set(err, ERR_SNAPSHOT,
                       "start snapshots under BACKUP STAGE BLOCK_COMMIT: their binlog positions differ");
    return ERR_OK;
}

/* Rung E. */
static enum err_code by_one_reader(struct attempt *a, struct err *err)
{
    struct snapshot *s = a->snap;
    enum err_code code = open_readers(a, 1, err);
    s->tries = 0;
    s->trx_before = s->trx_after = 0;
    if (code == ERR_OK)
        code = start_all(a, err);
    s->method = "single-reader";
    snprintf(s->proof, sizeof s->proof, "one connection reads everything in one transaction");
    return code;
}

static bool wants(const struct attempt *a, const char *method)
{
    return strcmp(a->options->consistency, "auto") == 0 || strcmp(a->options->consistency, method) == 0;
}

static enum err_code none_possible(struct attempt *a, struct err *err)
{
    const struct ground *g = &a->ground;
    return err_set(
        err, ERR_SNAPSHOT,
        "start a consistent snapshot by %s: not possible here (binlog %s, PROCESS %s, RELOAD %s, %u tries);"
        " use --consistency auto, or single-reader, which needs no privilege",
        a->options->consistency,
        g->binlog ? (g->binlog_proves ? "on" : "on, but filtered or not readable") : "off",
        g->counter ? "held" : "missing", g->reload ? "held" : "missing", a->snap->tries);
}

static enum err_code climb(struct attempt *a, struct err *err)
{
    const struct ground *g = &a->ground;
    bool automatic = strcmp(a->options->consistency, "auto") == 0;
    bool done = false;
    enum err_code code = ERR_OK;
    if (automatic && a->options->threads == 1)
        return by_one_reader(a, err);
    if (wants(a, "binlog-position") && g->binlog_proves)
        code = without_lock(a, true, &done, err);
    else if (wants(a, "trx-counter") && g->counter)
        code = without_lock(a, false, &done, err);
    if (code == ERR_OK && !done && wants(a, "backup-stage") && g->reload)
        code = under_backup_stage(a, &done, err);
    if (code != ERR_OK || done)
        return code;
    if (!wants(a, "single-reader"))
        return none_possible(a, err);
    if (automatic)
        log_warn(a->run->log,
                 "one reader only: %u snapshots at the same moment could not be proved"
                 " (a busy server; PROCESS or RELOAD would help)",
                 a->options->threads);
    return by_one_reader(a, err);
}

/* Where the lock was refused: on without it, if that is allowed.  A cancelled or lost connection is neither.
 */
static enum err_code go_on_unlocked(struct attempt *a, const struct err *refused, struct err *err)
{
    bool waited = refused->code == ERR_DB_RETRY;
    if (refused->code != ERR_DB && !waited)
        return err_copy(err, refused);
    if (!a->options->allow_inconsistent)
        return err_set(err, waited ? ERR_TIMEOUT : ERR_SNAPSHOT,
                       "lock the tables that have no transactions (%.400s): %s; %s, convert them to InnoDB,"
                       " or accept it with --allow-inconsistent",
                       a->options->locked_tables, refused->text,
                       waited ? "end the sessions that use them" : "grant LOCK TABLES");
    log_warn(a->run->log, "tables without transactions are read unlocked and may be inconsistent: %s",
             refused->text);
    db_close(a->snap->guard);
    a->snap->guard = NULL;
    return ERR_OK;
}

/* Tables without transactions are held still by a read lock from before the snapshot to the end. */
static enum err_code lock_tables(struct attempt *a, struct err *err)
{
    struct snapshot *s = a->snap;
    struct buf sql;
    buf_init(&sql, (size_t)16 << 20);
    buf_putf(&sql, "LOCK TABLES %s", a->options->locked_tables);
    enum err_code code = db_connect(a->params, a->run->cancel, &s->guard, err);
    if (code == ERR_OK)
        code = session_lock_wait(s->guard, 5 * LOCK_WAIT_S, err);
    struct err refused;
    if (code == ERR_OK && db_exec(s->guard, buf_cstr(&sql), &refused) != ERR_OK)
        code = go_on_unlocked(a, &refused, err);
    buf_free(&sql);
    return code;
}

/* The GTID of the binlog position, for point-in-time recovery; "" when the server does not tell. */
static void read_gtid(struct attempt *a)
{
    struct snapshot *s = a->snap;
    struct buf sql, value;
    buf_init(&sql, 4096);
    buf_init(&value, sizeof s->gtid - 1);
    if (a->ground.flavour.mariadb && s->positions[0].file[0]) {
        buf_put(&sql, "SELECT BINLOG_GTID_POS(");
        db_quote_text(&sql, s->positions[0].file);
        buf_putf(&sql, ", %lu)", s->positions[0].position);
        if (db_scalar(a->control, buf_cstr(&sql), &value, NULL, NULL) == ERR_OK)
            snprintf(s->gtid, sizeof s->gtid, "%s", buf_cstr(&value));
    }
    buf_free(&sql);
    buf_free(&value);
}

enum err_code snapshot_open(const struct run *run, const struct db_params *params, struct db_conn *control,
                            const struct snapshot_options *options, struct snapshot **out, struct err *err)
{
    *out = NULL;
    struct attempt a = {.run = run, .params = params, .control = control, .options = options};
    a.snap = xcalloc(1, sizeof *a.snap);
    a.snap->conns = xcalloc(options->threads, sizeof *a.snap->conns);
    a.snap->positions = xcalloc(options->threads, sizeof *a.snap->positions);
    enum err_code code = survey(&a, err);
    if (code == ERR_OK && options->locked_tables)
        code = lock_tables(&a, err);
    if (code == ERR_OK)
        code = climb(&a, err);
    if (code != ERR_OK) {
        snapshot_free(a.snap);
        return code;
    }
    read_gtid(&a);
    *out = a.snap;
    return ERR_OK;
}
