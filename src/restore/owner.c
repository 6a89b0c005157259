#include "restore/owner.h"

#include "core/process.h"
#include "restore/operation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long killed connections may take to end, and how often that is looked at. */
#define END_WAIT_MS 10000
#define END_POLL_MS 20

/* ---- who wrote it ---- */

bool owner_is_alive(const struct operation *op)
{
    return process_life_of(op->owner) == PROCESS_ALIVE;
}

bool owner_is_elsewhere(const struct operation *op)
{
    return process_life_of(op->owner) == PROCESS_ELSEWHERE;
}

enum err_code owner_identify(struct db_conn *c, struct arena *arena, struct operation *op, struct err *err)
{
    char owner[PROCESS_TEXT_BYTES];
    process_put_self(owner);
    op->owner = arena_strdup(arena, owner);
    struct db_rows *rows;
    enum err_code code = db_query(c, "SHOW GLOBAL STATUS LIKE 'Uptime'", &rows, err);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    int64_t uptime = row && row[1] ? strtoll(row[1], NULL, 10) : 0;
    db_rows_free(rows);
    /* By the server's clock: this host's may be set in between. */
    struct buf now;
    buf_init(&now, 64);
    code = db_scalar(c, "SELECT UNIX_TIMESTAMP()", &now, NULL, err);
    op->server_start = arena_printf(arena, "%" PRId64, (int64_t)strtoll(buf_cstr(&now), NULL, 10) - uptime);
    buf_free(&now);
    return code;
}

/* ---- its connections ---- */

enum err_code owner_add_connection(struct db_conn *c, const struct operation *op, unsigned long id,
                                   struct err *err)
{
    return db_execf(c, err, "REPLACE INTO `dbsafe_%s`.connection VALUES (%lu)", op->id, id);
}

/* A server that was restarted since has given the numbers to others. */
static enum err_code same_server_life(struct db_conn *c, const struct operation *op, bool *same,
                                      struct err *err)
{
    struct operation now = {0};
    struct arena *arena = arena_new();
    enum err_code code = owner_identify(c, arena, &now, err);
    *same = code == ERR_OK && op->server_start &&
            llabs(strtoll(now.server_start, NULL, 10) - strtoll(op->server_start, NULL, 10)) <= 3;
    arena_free(arena);
    return code;
}

/* *left: how many were still there. */
static enum err_code kill_connections(struct db_conn *c, const struct operation *op, uint64_t *left,
                                      struct err *err)
{
    struct db_rows *rows;
    enum err_code code = db_queryf(
        c, &rows, err,
        "SELECT c.id FROM `dbsafe_%s`.connection c JOIN information_schema.PROCESSLIST p ON p.ID = c.id"
        " WHERE p.USER = LEFT(USER(), CHAR_LENGTH(USER()) - LOCATE('@', REVERSE(USER()))) AND p.ID <> "
        "CONNECTION_ID()",
        op->id);
    if (code != ERR_OK)
        return code;
    *left = db_row_count(rows);
    const char *const *row;
    while (code == ERR_OK && (row = db_row(rows)))
        code = db_kill(c, strtoul(row[0], NULL, 10), err);
    db_rows_free(rows);
    return code;
}

enum err_code owner_end_connections(struct db_conn *c, const struct operation *op, struct err *err)
{
    bool same;
    enum err_code code = same_server_life(c, op, &same, err);
    if (code != ERR_OK || !same)
        return code;
    int64_t deadline = clock_monotonic_ms(clock_system()) + END_WAIT_MS;
    for (;;) {
        uint64_t left;
        code = kill_connections(c, op, &left, err);
        if (code != ERR_OK || left == 0)
            return code;
        if (clock_monotonic_ms(clock_system()) >= deadline)
            return err_set(err, ERR_TIMEOUT,
                           "end the connections of %s: %" PRIu64 " still work %d s after they were killed",
                           op->id, left, END_WAIT_MS / 1000);
        clock_backoff(END_POLL_MS, NULL, NULL);
    }
}

/* ---- locks ---- */

enum err_code owner_lock_schema(struct db_conn *c, const char *schema, unsigned wait_s, struct err *err)
{
    struct buf sql;
    buf_init(&sql, 4096);
    buf_put(&sql, "SELECT GET_LOCK(CONCAT('dbsafe:', MD5(");
    db_quote_text(&sql, schema);
    buf_putf(&sql, ")), %u), IS_USED_LOCK(CONCAT('dbsafe:', MD5(", wait_s);
    db_quote_text(&sql, schema);
    buf_put(&sql, ")))");
    struct db_rows *rows;
    enum err_code code = db_query(c, buf_cstr(&sql), &rows, err);
    buf_free(&sql);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    if (!row || !row[0] || strcmp(row[0], "1") != 0)
        code = err_set(err, ERR_LOCKED,
                       "lock database %s for a swap: another dbsafe holds it (connection %s of the server)",
                       schema, row && row[1] ? row[1] : "?");
    db_rows_free(rows);
    return code;
}

/* SELECT GET_LOCK(...): *got tells. */
enum err_code owner_lock_journal(struct db_conn *c, const char *id, bool *got, struct err *err)
{
    struct db_rows *rows;
    enum err_code code = db_queryf(c, &rows, err, "SELECT GET_LOCK('dbsafe:journal:%s', 0)", id);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    *got = row && row[0] && row[0][0] == '1';
    db_rows_free(rows);
    return ERR_OK;
}
