#include "restore/patience.h"

#include "db/quote.h"

#include <stdlib.h>

#define SQL_MAX_BYTES    ((size_t)32 << 20)
#define BACKOFF_FIRST_MS 250
#define BACKOFF_LAST_MS  4000
#define BLOCKERS_NAMED   5

/* This process has several connections. */
static void but_our_own(const struct operation *op, struct buf *sql)
{
    buf_putf(sql, " AND p.ID NOT IN (SELECT id FROM `dbsafe_%s`.connection)", op->id);
}

static void put_table(struct buf *sql, const char *schema, const char *name)
{
    buf_put(sql, " OR (m.TABLE_SCHEMA=");
    db_quote_text(sql, schema);
    buf_put(sql, " AND m.TABLE_NAME=");
    db_quote_text(sql, name);
    buf_put(sql, ")");
}

/* Exact, where the server has the METADATA_LOCK_INFO plugin: holders of locks on the tables that the steps
 * touch. */
static void holders_query(const struct operation *op, struct buf *sql)
{
    buf_put(
        sql,
        "SELECT DISTINCT p.ID, p.USER, p.HOST, IFNULL(TIMESTAMPDIFF(SECOND, t.trx_started, NOW()), p.TIME)"
        " FROM information_schema.METADATA_LOCK_INFO m"
        " JOIN information_schema.PROCESSLIST p ON p.ID = m.THREAD_ID"
        " LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID"
        " WHERE p.ID <> CONNECTION_ID()");
    but_our_own(op, sql);
    buf_put(sql, " AND (0");
    for (unsigned i = 0; i < op->exchange_count; i++)
        put_table(sql, op->exchanges[i].schema, op->exchanges[i].name);
    for (unsigned i = 0; i < op->key_count; i++)
        if (op->keys[i].role == KEY_CHILD)
            put_table(sql, op->keys[i].schema, op->keys[i].name);
        else if (op->keys[i].role != KEY_INSIDE)
            put_table(sql, op->keys[i].parent_schema, op->keys[i].parent_name);
    buf_put(sql, ") ORDER BY 4 DESC");
}

/* Else every open transaction is suspect, the oldest first. */
static void transactions_query(const struct operation *op, struct buf *sql)
{
    buf_put(sql, "SELECT p.ID, p.USER, p.HOST, TIMESTAMPDIFF(SECOND, t.trx_started, NOW())"
                 " FROM information_schema.INNODB_TRX t"
                 " JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id"
                 " WHERE p.ID <> CONNECTION_ID()");
    but_our_own(op, sql);
    buf_put(sql, " ORDER BY 4 DESC");
}

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
    if (code != ERR_OK) {
        buf_clear(&sql);
        transactions_query(op, &sql);
        code = db_query(c, buf_cstr(&sql), rows, NULL);
    }
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

void patience_begin(struct patience *p)
{
    p->deadline_ms = clock_monotonic_ms(p->run->clock) + (int64_t)p->timeout_s * 1000;
    p->pause_ms = BACKOFF_FIRST_MS;
    p->told = false;
}

static enum err_code wait_on(struct patience *p, const char *what, struct buf *blockers, struct err *err)
{
    look_for_blockers(p->run, p->control, p->op, p->kill_blockers, blockers);
    if (!p->told)
        log_warn(p->run->log, "%s waits for a lock that others hold; in the way: %s", what,
                 buf_cstr(blockers));
    p->told = true;
    if (clock_monotonic_ms(p->run->clock) + p->pause_ms >= p->deadline_ms)
        return err_set(err, ERR_TIMEOUT, "%s: others kept their locks for %u s; in the way: %s", what,
                       p->timeout_s, buf_cstr(blockers));
    enum err_code code =
        clock_backoff((int)(p->kill_blockers ? BACKOFF_FIRST_MS : p->pause_ms), p->cancel, err);
    p->pause_ms = p->pause_ms * 2 > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : p->pause_ms * 2;
    return code;
}

enum err_code patience_wait(struct patience *p, const char *what, struct err *err)
{
    struct buf blockers;
    buf_init(&blockers, SQL_MAX_BYTES);
    enum err_code code = wait_on(p, what, &blockers, err);
    buf_free(&blockers);
    return code;
}
