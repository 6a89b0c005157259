#include "restore/swap.h"

#include "core/fault.h"
#include "db/flavour.h"
#include "db/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX_BYTES    ((size_t)32 << 20)
#define TRY_WAIT_S       1
#define BACKOFF_FIRST_MS 250
#define BACKOFF_LAST_MS  4000
#define BLOCKERS_NAMED   5
/* How long a server that went away in mid-swap is asked what became of it. */
#define ASK_AGAIN_MS 15000

static void put_rename(struct buf *sql, const char *from_schema, const char *from, const char *to_schema,
                       const char *to)
{
    db_quote_pair(sql, from_schema, from);
    buf_put(sql, " TO ");
    db_quote_pair(sql, to_schema, to);
}

static void rename_statement(const struct operation *op, struct buf *sql)
{
    char journal[64];
    snprintf(journal, sizeof journal, "dbsafe_%s", op->id);
    buf_put(sql, "RENAME TABLE ");
    for (unsigned i = 0; i < op->exchange_count; i++) {
        const struct exchange *x = &op->exchanges[i];
        if (x->outgoing_schema) {
            put_rename(sql, x->schema, x->name, x->outgoing_schema, x->name);
            buf_put(sql, ", ");
        }
        if (x->incoming_schema) {
            put_rename(sql, x->incoming_schema, x->name, x->schema, x->name);
            buf_put(sql, ", ");
        }
    }
    put_rename(sql, journal, "pending", journal, "done");
}

enum err_code swap_make_schemas(struct db_conn *c, const struct operation *op, struct err *err)
{
    struct buf sql;
    buf_init(&sql, 1024);
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < op->schema_count; i++) {
        buf_clear(&sql);
        buf_put(&sql, "CREATE DATABASE IF NOT EXISTS ");
        db_quote_name(&sql, op->schemas[i]);
        code = db_exec(c, buf_cstr(&sql), err);
    }
    buf_free(&sql);
    if (code == ERR_DB)
        err_hint(err, "; one grant is enough for all that dbsafe keeps on the server: GRANT ALL ON "
                      "`dbsafe\\_%%`.* TO ...");
    return code;
}

/* ---- who is in the way ---- */

/* Exact, where the server has the METADATA_LOCK_INFO plugin: holders of locks on the tables that go out. */
static void holders_query(const struct operation *op, struct buf *sql)
{
    buf_put(
        sql,
        "SELECT DISTINCT p.ID, p.USER, p.HOST, IFNULL(TIMESTAMPDIFF(SECOND, t.trx_started, NOW()), p.TIME)"
        " FROM information_schema.METADATA_LOCK_INFO m"
        " JOIN information_schema.PROCESSLIST p ON p.ID = m.THREAD_ID"
        " LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID"
        " WHERE p.ID <> CONNECTION_ID() AND (0");
    for (unsigned i = 0; i < op->exchange_count; i++) {
        buf_put(sql, " OR (m.TABLE_SCHEMA=");
        db_quote_text(sql, op->exchanges[i].schema);
        buf_put(sql, " AND m.TABLE_NAME=");
        db_quote_text(sql, op->exchanges[i].name);
        buf_put(sql, ")");
    }
    buf_put(sql, ") ORDER BY 4 DESC");
}

/* Else every open transaction is suspect, the oldest first. */
static const char TRANSACTIONS_QUERY[] =
    "SELECT p.ID, p.USER, p.HOST, TIMESTAMPDIFF(SECOND, t.trx_started, NOW())"
    " FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p ON p.ID = "
    "t.trx_mysql_thread_id"
    " WHERE p.ID <> CONNECTION_ID() ORDER BY 4 DESC";

static enum err_code find_blockers(struct db_conn *c, const struct operation *op, struct db_rows **rows,
                                   bool *exact)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    holders_query(op, &sql);
    /* trx_started is in the server's own time zone. */
    db_exec(c, "SET SESSION time_zone='SYSTEM'", NULL);
    enum err_code code = db_query(c, buf_cstr(&sql), rows, NULL);
    *exact = code == ERR_OK;
    if (code != ERR_OK)
        code = db_query(c, TRANSACTIONS_QUERY, rows, NULL);
    db_exec(c, "SET SESSION time_zone='+00:00'", NULL);
    buf_free(&sql);
    return code;
}

/* Fills names with "connection 12 (app@10.0.0.5, open for 63 s), ..."; ends them when told so: where nobody
 * knows which of the open transactions it is, one a try, the oldest first. */
static void look_for_blockers(const struct run *run, struct db_conn *c, const struct operation *op,
                              bool end_them, struct buf *names)
{
    struct db_rows *rows;
    bool exact;
    buf_clear(names);
    if (find_blockers(c, op, &rows, &exact) != ERR_OK) {
        buf_put(names, "not visible to this account: PROCESS would show them");
        return;
    }
    const char *const *row;
    for (unsigned n = 0; (row = db_row(rows)); n++) {
        if (n < BLOCKERS_NAMED)
            buf_putf(names, "%sconnection %s (%s@%s, open for %s s)",
                     n       ? ", "
                     : exact ? ""
                             : "one of the open transactions: ",
                     row[0], row[1], row[2], row[3] ? row[3] : "?");
        if (!end_them || (n > 0 && !exact))
            continue;
        struct err err;
        if (db_kill(c, strtoul(row[0], NULL, 10), &err) == ERR_OK)
            log_warn(run->log, "ended connection %s (%s@%s), which held a lock for %s s", row[0], row[1],
                     row[2], row[3] ? row[3] : "?");
        else
            log_warn(run->log, "%s", err.text);
    }
    if (names->len == 0)
        buf_put(names, "none visible now");
    db_rows_free(rows);
}

/* ---- the exchange ---- */

/* After a lost connection only the marker knows, and only once that connection is gone from the server: its
 * RENAME, waiting for locks or not even read from the network, would be done after we asked. */
static enum err_code ask_marker(const struct run *run, const struct db_params *params, struct operation *op,
                                struct err *err)
{
    int64_t deadline = clock_monotonic_ms(run->clock) + ASK_AGAIN_MS;
    struct err lost = *err;
    for (;;) {
        struct db_conn *c = NULL;
        enum err_code code = db_connect(params, NULL, &c, err);
        if (code == ERR_OK)
            code = journal_end_connections(c, op, err);
        if (code == ERR_OK)
            code = journal_is_done(c, op, &op->swapped, err);
        db_close(c);
        if (code == ERR_OK)
            return op->swapped ? ERR_OK : err_copy(err, &lost);
        if (clock_monotonic_ms(run->clock) >= deadline || clock_backoff(200, run->cancel, NULL) != ERR_OK)
            break;
    }
    op->unknown = true;
    return err_set(err, ERR_DB_LOST,
                   "swap %s: the connection ended in mid-swap and the server cannot be asked (%s); the "
                   "tables are all old or all"
                   " new: run the restore again with --resume, it finds out and finishes",
                   op->id, lost.text);
}

static enum err_code try_rename(const struct run *run, const struct db_params *params, struct db_conn *c,
                                struct operation *op, const char *sql, struct err *err)
{
    enum err_code code = fault_point("swap_rename", ERR_DB, err);
    if (code == ERR_OK)
        code = db_exec(c, sql, err);
    if (code == ERR_OK)
        code = fault_point("swap_renamed", ERR_DB_LOST, err);
    if (code == ERR_OK)
        op->swapped = true;
    else if (code == ERR_DB_LOST || cancel_fired(run->cancel))
        code = ask_marker(run, params, op, err);
    return code;
}

static enum err_code wait_in_turns(const struct run *run, const struct db_params *params, struct db_conn *c,
                                   struct operation *op, const struct swap_options *options, const char *sql,
                                   struct buf *blockers, struct err *err)
{
    int64_t deadline = clock_monotonic_ms(run->clock) + (int64_t)options->lock_timeout_s * 1000;
    int64_t pause = BACKOFF_FIRST_MS;
    for (bool told = false;; told = true) {
        enum err_code code = try_rename(run, params, c, op, sql, err);
        if (code != ERR_DB_RETRY)
            return code;
        look_for_blockers(run, c, op, options->kill_blockers, blockers);
        if (!told)
            log_warn(run->log, "the swap waits for a lock on the live tables; in the way: %s",
                     buf_cstr(blockers));
        if (clock_monotonic_ms(run->clock) + pause >= deadline)
            return err_set(err, ERR_TIMEOUT,
                           "swap %s: others kept locks on the live tables for %u s, nothing was exchanged; "
                           "in the way: %s",
                           op->id, options->lock_timeout_s, buf_cstr(blockers));
        code = clock_backoff(options->kill_blockers ? BACKOFF_FIRST_MS : pause, run->cancel, err);
        if (code != ERR_OK)
            return code;
        pause = pause * 2 > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : pause * 2;
    }
}

enum err_code swap_run(const struct run *run, const struct db_params *params, struct db_conn *c,
                       struct operation *op, const struct swap_options *options, struct err *err)
{
    struct buf sql, blockers;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_init(&blockers, SQL_MAX_BYTES);
    progress_phase(run->progress, "swapping", 0);
    log_debug(run->log, "swap of %u tables, about %u ms", op->exchange_count, 4 * op->exchange_count);
    rename_statement(op, &sql);
    enum err_code code = session_lock_wait(c, TRY_WAIT_S, err);
    if (code == ERR_OK)
        code = db_exec(c, "SET SESSION foreign_key_checks=0", err);
    if (code == ERR_OK)
        code = wait_in_turns(run, params, c, op, options, buf_cstr(&sql), &blockers, err);
    buf_free(&sql);
    buf_free(&blockers);
    return code;
}
