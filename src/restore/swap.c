#include "restore/swap.h"

#include "core/fault.h"
#include "db/flavour.h"
#include "db/quote.h"
#include "db/session.h"
#include "restore/foreign_keys.h"
#include "restore/journal.h"
#include "restore/owner.h"
#include "restore/patience.h"
#include "restore/takeover.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX_BYTES ((size_t)32 << 20)
/* How long a server that went away in mid-swap is asked what became of it. */
#define ASK_AGAIN_MS 15000
/* Tables that lose their keys in the statement of the exchange: some milliseconds each. */
#define LEAVE_AT_ONCE 100

/* Everything leaves before anything comes: names of foreign keys may have moved between tables. */
static void rename_statement(const struct operation *op, struct buf *sql)
{
    char journal[64];
    snprintf(journal, sizeof journal, "dbsafe_%s", op->id);
    buf_put(sql, "RENAME TABLE ");
    for (unsigned i = 0; i < op->exchange_count; i++) {
        if (!op->exchanges[i].outgoing_schema || exchange_is_late(&op->exchanges[i]))
            continue;
        db_quote_pair(sql, op->exchanges[i].schema, op->exchanges[i].name);
        buf_put(sql, " TO ");
        operation_outgoing(op, i, sql);
        buf_put(sql, ", ");
    }
    for (unsigned i = 0; i < op->exchange_count; i++) {
        if (!op->exchanges[i].incoming_schema)
            continue;
        operation_incoming(op, i, sql);
        buf_put(sql, " TO ");
        db_quote_pair(sql, op->exchanges[i].schema, op->exchanges[i].name);
        buf_put(sql, ", ");
    }
    db_quote_pair(sql, journal, "pending");
    buf_put(sql, " TO ");
    db_quote_pair(sql, journal, "done");
}

/* Behind the exchange the replaced tables still have their keys to parents that are not exchanged, and a
 * delete there could cascade into them: the server drops these in the same statement, which it finishes
 * whatever becomes of this process.  What it cannot drop there, for somebody's lock, is left to the step
 * behind; and so are those of very many tables, for the guard is not to be held that long: nothing waits for
 * a lock there. */
static void exchange_statement(const struct operation *op, bool compound, struct buf *sql)
{
    struct buf drops;
    buf_init(&drops, SQL_MAX_BYTES);
    for (unsigned i = 0, tables = 0; compound && i < op->exchange_count && tables < LEAVE_AT_ONCE; i++) {
        if (!op->exchanges[i].outgoing_schema)
            continue;
        size_t before = drops.len;
        keys_write_leave_parents(op, i, &drops);
        if (drops.len > before) {
            buf_put(&drops, "; ");
            tables++;
        }
    }
    if (drops.len)
        buf_put(sql, "BEGIN NOT ATOMIC ");
    rename_statement(op, sql);
    if (drops.len)
        buf_putf(sql,
                 "; BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; "
                 "SET SESSION lock_wait_timeout=0, SESSION innodb_lock_wait_timeout=0; %s"
                 "SET SESSION lock_wait_timeout=%d, SESSION innodb_lock_wait_timeout=%d; END; END",
                 buf_cstr(&drops), PATIENCE_TRY_S, PATIENCE_TRY_S);
    buf_free(&drops);
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
            code = takeover_check(c, op, err);
        if (code == ERR_OK)
            code = owner_end_connections(c, op, err);
        if (code == ERR_OK)
            code = journal_is_done(c, op, &op->swapped, err);
        db_close(c);
        if (code == ERR_OK)
            return op->swapped ? ERR_OK : err_copy(err, &lost);
        if (code == ERR_LOCKED) {
            op->unknown = true;
            return err_wrap(err, "the connection ended in mid-swap");
        }
        if (clock_monotonic_ms(run->clock) >= deadline || clock_backoff(200, run->cancel, NULL) != ERR_OK)
            break;
    }
    op->unknown = true;
    return err_set(err, ERR_DB_LOST,
                   "swap %s: the connection ended in mid-swap and the server cannot be asked (%s); the "
                   "tables are all old or all new",
                   op->id, lost.text);
}

static enum err_code try_rename(const struct run *run, const struct db_params *params, struct db_conn *c,
                                struct operation *op, const char *sql, struct err *err)
{
    enum err_code code = fault_point("swap_rename", ERR_DB, err);
    if (code == ERR_OK)
        code = db_exec(c, sql, err);
    if (code == ERR_OK)
        code = fault_point("swap_answer", ERR_DB, err);
    if (code == ERR_OK)
        code = fault_point("swap_renamed", ERR_DB_LOST, err);
    if (code == ERR_OK) {
        op->swapped = true;
        return code;
    }
    /* The statement is more than the RENAME: an error does not tell that nothing was exchanged. */
    bool answers = code != ERR_DB_LOST && !cancel_fired(run->cancel);
    if (answers && journal_is_done(c, op, &op->swapped, NULL) == ERR_OK)
        return op->swapped ? ERR_OK : code;
    return ask_marker(run, params, op, err);
}

enum err_code swap_rename(const struct run *run, const struct db_params *params, struct db_conn *c,
                          struct operation *op, struct err *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    exchange_statement(op, flavour_of(db_version(c)).mariadb, &sql);
    enum err_code code = try_rename(run, params, c, op, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}

/* ---- the guard ---- */

/* Each parent once: LOCK TABLES takes no table twice. */
static bool named_before(const struct operation *op, unsigned key)
{
    const struct foreign_key *k = &op->keys[key];
    for (unsigned i = 0; i < key; i++)
        if ((op->keys[i].role == KEY_JOIN || op->keys[i].role == KEY_LEAVE) &&
            strcmp(op->keys[i].parent_name, k->parent_name) == 0 &&
            strcmp(op->keys[i].parent_schema, k->parent_schema) == 0)
            return true;
    return false;
}

static void lock_statement(const struct operation *op, struct buf *sql)
{
    for (unsigned i = 0; i < op->key_count; i++) {
        const struct foreign_key *k = &op->keys[i];
        if ((k->role != KEY_JOIN && k->role != KEY_LEAVE) || k->parent_missing || named_before(op, i))
            continue;
        buf_put(sql, sql->len ? ", " : "LOCK TABLES ");
        db_quote_pair(sql, k->parent_schema, k->parent_name);
        buf_put(sql, " READ");
    }
}

static enum err_code lock_parents(const struct run *run, const struct db_params *params,
                                  struct db_conn *control, const struct operation *op, const char *sql,
                                  struct db_conn **guard, struct err *err)
{
    enum err_code code = db_connect(params, run->cancel, guard, err);
    if (code == ERR_OK)
        code = owner_add_connection(control, op, db_id(*guard), err);
    if (code == ERR_OK)
        code = session_lock_wait(*guard, PATIENCE_TRY_S, err);
    if (code == ERR_OK)
        code = db_exec(*guard, sql, err);
    if (code != ERR_OK) {
        db_close(*guard);
        *guard = NULL;
    }
    return code;
}

enum err_code swap_guard(const struct run *run, const struct db_params *params, struct db_conn *control,
                         const struct operation *op, struct db_conn **guard, struct err *err)
{
    struct buf sql;
    enum err_code code = ERR_OK;
    *guard = NULL;
    buf_init(&sql, SQL_MAX_BYTES);
    lock_statement(op, &sql);
    if (sql.len)
        code = lock_parents(run, params, control, op, buf_cstr(&sql), guard, err);
    buf_free(&sql);
    return code;
}
