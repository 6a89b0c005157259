#include "db/rung.h"

#include "core/fault.h"
#include "core/mem.h"
#include "db/blockers.h"
#include "db/session.h"
#include "db/sqlerror.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Others wait while such a session holds its lock, which takes milliseconds: one that is silent for so long
 * belongs to a process that hangs or was stopped, and the server ends it. */
#define LOCK_IDLE_S 10

static const char START[] = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

enum err_code rung_open_readers(struct climb *c, unsigned count, struct err *err)
{
    struct snapshot *s = c->snap;
    enum err_code code = ERR_OK;
    while (s->count > count)
        db_close(s->conns[--s->count]);
    while (code == ERR_OK && s->count < count) {
        code = db_connect(c->params, c->run->cancel, &s->conns[s->count], err);
        if (code == ERR_OK)
            code = session_for_reading(s->conns[s->count++], err);
    }
    return code;
}

enum err_code rung_on_all(struct climb *c, const char *sql, struct err *err)
{
    struct snapshot *s = c->snap;
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

static enum err_code read_own_position(struct db_conn *conn, struct snapshot_position *out, struct err *err)
{
    struct db_rows *rows;
    enum err_code code = db_query(conn, "SHOW STATUS LIKE 'binlog_snapshot_%'", &rows, err);
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

enum err_code rung_start_all(struct climb *c, struct err *err)
{
    struct snapshot *s = c->snap;
    s->tries++;
    s->taken_ms = clock_wall_ms(c->run->clock);
    enum err_code code = rung_on_all(c, START, err);
    for (unsigned i = 0; code == ERR_OK && i < s->count; i++) {
        s->positions[i] = (struct snapshot_position){0};
        if (flavour_has_snapshot_positions(c->ground.flavour))
            code = read_own_position(s->conns[i], &s->positions[i], err);
    }
    return code;
}

bool rung_positions_equal(const struct climb *c)
{
    const struct snapshot *s = c->snap;
    if (s->positions[0].file[0] == '\0')
        return false;
    for (unsigned i = 1; i < s->count; i++)
        if (strcmp(s->positions[i].file, s->positions[0].file) != 0 ||
            s->positions[i].position != s->positions[0].position)
            return false;
    return true;
}

static void read_server_position(struct climb *c, struct snapshot_position *out, char **gtid)
{
    struct db_rows *rows;
    *out = (struct snapshot_position){0};
    if (db_query(c->control, flavour_position_statement(c->ground.flavour), &rows, NULL) != ERR_OK)
        return;
    const char *const *row = db_row(rows);
    if (row && row[0] && row[1]) {
        snprintf(out->file, sizeof out->file, "%s", row[0]);
        out->position = strtoull(row[1], NULL, 10);
        if (gtid && !c->ground.flavour.mariadb && row[4] && row[4][0] && !*gtid)
            *gtid = xstrdup(row[4]);
    }
    db_rows_free(rows);
}

static bool keep_position(struct climb *c, const struct snapshot_position *before,
                          const struct snapshot_position *after, char *gtid)
{
    struct snapshot *s = c->snap;
    bool same =
        before->file[0] && strcmp(before->file, after->file) == 0 && before->position == after->position;
    free(s->gtid);
    s->gtid = same ? gtid : NULL;
    if (!same)
        free(gtid);
    for (unsigned i = 0; same && i < s->count; i++)
        s->positions[i] = *before;
    return same;
}

enum err_code rung_open_lock(struct climb *c, unsigned lock_wait_s, struct db_conn **out, struct err *err)
{
    enum err_code code = db_connect(c->params, c->run->cancel, out, err);
    return code == ERR_OK ? db_execf(*out, err, "SET SESSION lock_wait_timeout=%u, SESSION wait_timeout=%u",
                                     lock_wait_s, LOCK_IDLE_S)
                          : code;
}

/* Starts all, and finds out at which position they stand. */
enum err_code rung_start_at_position(struct climb *c, struct err *err)
{
    struct snapshot_position before = {0}, after;
    bool own = flavour_has_snapshot_positions(c->ground.flavour);
    char *gtid = NULL;
    if (!own)
        read_server_position(c, &before, &gtid);
    enum err_code code = rung_start_all(c, err);
    if (own || code != ERR_OK) {
        c->still = own && code == ERR_OK && rung_positions_equal(c);
        free(gtid);
        return code;
    }
    read_server_position(c, &after, NULL);
    c->still = keep_position(c, &before, &after, gtid);
    return ERR_OK;
}

/* Starts all under the lock that was taken, at most since_ms ago, and gives it back. */
static enum err_code start_and_release(struct climb *c, struct db_conn *lock, const char *release,
                                       int64_t since_ms, bool *done, struct err *refused, struct err *err)
{
    enum err_code code = rung_start_at_position(c, err);
    if (code == ERR_OK)
        code = fault_point("snapshot_locked", ERR_DB, err);
    enum err_code released = db_exec(lock, release, refused);
    c->snap->held_ms = clock_monotonic_ms(c->run->clock) - since_ms;
    log_debug(c->run->log, "others waited for at most %" PRId64 " ms", c->snap->held_ms);
    if (code != ERR_OK)
        return code;
    *done = released == ERR_OK;
    return *done ? ERR_OK : rung_on_all(c, "ROLLBACK", err);
}

enum err_code rung_start_locked(struct climb *c, struct db_conn *lock, const struct rung_lock *how,
                                bool *done, struct err *refused, struct err *err)
{
    enum err_code code = ERR_OK;
    *done = false;
    for (unsigned i = 0; code == ERR_OK && i < how->tries; i++) {
        int64_t since = clock_monotonic_ms(c->run->clock);
        if (i > 0 && how->until_ms && since > how->until_ms)
            break;
        enum err_code taken = ERR_OK;
        for (const char *const *sql = how->take; taken == ERR_OK && *sql; sql++)
            taken = db_exec(lock, *sql, refused);
        if (taken == ERR_OK)
            code = start_and_release(c, lock, how->release, since, done, refused, err);
        else
            c->snap->tries++;
        if (code != ERR_OK || *done)
            break;
        /* A lost session cannot be asked again: it was ended because we were silent, or by somebody. */
        if (!rung_is_refusal(refused) || sql_error_is_denied(db_errno(lock)))
            return refused->code == ERR_DB_LOST || rung_is_refusal(refused) ? ERR_OK : err_copy(err, refused);
        if (taken != ERR_OK)
            db_exec(lock, how->release, NULL);
        code = rung_backoff(c, how->backoff_ms, err);
    }
    return code;
}

unsigned rung_put_lock(const struct snapshot_options *o, bool transactional, struct buf *sql)
{
    unsigned n = 0;
    buf_put(sql, "LOCK TABLES ");
    for (unsigned i = 0; i < o->table_count; i++) {
        if (o->tables[i].transactional != transactional)
            continue;
        buf_put(sql, n++ ? ", " : "");
        db_quote_pair(sql, o->tables[i].schema, o->tables[i].name);
        buf_put(sql, " READ");
    }
    return n;
}

bool rung_is_refusal(const struct err *err)
{
    return err->code == ERR_DB || err->code == ERR_DB_RETRY || err->code == ERR_CONFIG;
}

void rung_note(struct climb *c, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_debug(c->run->log, "%s", text);
    buf_addf(&c->notes, NULL, "%s%s", c->notes.len ? "; " : "", text);
}

void rung_describe_refusal(struct climb *c, enum rung_locks what, const struct err *refused, struct buf *out)
{
    const struct snapshot_options *o = c->options;
    buf_put(out, refused->text);
    if (refused->code != ERR_DB_RETRY)
        return;
    struct arena *arena = arena_new();
    struct blocker_table *tables = arena_calloc(arena, o->table_count + 1, sizeof *tables);
    unsigned count = 0;
    for (unsigned i = 0; what != RUNG_LOCKS_SERVER && i < o->table_count; i++)
        if (o->tables[i].transactional == (what == RUNG_LOCKS_TRANSACTIONAL))
            tables[count++] = (struct blocker_table){o->tables[i].schema, o->tables[i].name};
    struct blockers found;
    blockers_find(c->control, tables, count, true, arena, &found);
    buf_put(out, "; in the way: ");
    blockers_describe(&found, out);
    arena_free(arena);
}

void rung_note_refusal(struct climb *c, const char *method, enum rung_locks what, const struct err *refused)
{
    struct buf text;
    buf_init(&text, REFUSAL_MAX_BYTES);
    rung_describe_refusal(c, what, refused, &text);
    rung_note(c, "%s: %s", method, buf_cstr(&text));
    buf_free(&text);
}

enum err_code rung_backoff(struct climb *c, unsigned max_ms, struct err *err)
{
    return clock_backoff(1 + (int64_t)(c->snap->tries * 7 % max_ms), c->run->cancel, err);
}
