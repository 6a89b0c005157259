/*
 * Rung D: a guard session holds LOCK TABLES ... READ on just the tables that are dumped while the snapshots
 * start.
 *
 * Its lock is given when no transaction is open that changed one of them, and then keeps everybody from
 * changing them. What went on in other tables does not matter.  With autocommit off the server also takes
 * InnoDB's own table locks: a prepared XA transaction whose session ended holds nothing but those (seen on
 * MariaDB 10.11: without them its commit could come between two snapshots).
 *
 * Waiting for such a lock has a price: who holds one table and wants another is chosen as the victim of a
 * deadlock with the guard. So the lock is first taken only if it is free at once, again and again; waiting
 * comes last, and where the server cannot do without, at once.
 */
#include "db/rung.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX_BYTES   ((size_t)32 << 20)
#define FREE_FOR_MS     3000
#define FREE_BACKOFF_MS 12
#define WAIT_TRIES      6
#define WAIT_S          1
#define WAIT_BACKOFF_MS 400

const char *rung_tables_obstacle(const struct climb *c)
{
    const struct snapshot_options *o = c->options;
    const struct grants *g = c->ground.grants;
    for (unsigned i = 0; i < o->table_count; i++)
        if (o->tables[i].transactional && !grants_have(g, PRIV_LOCK_TABLES, o->tables[i].schema, NULL))
            return "LOCK TABLES missing on a database that is dumped";
    return NULL;
}

/* For as long as it takes to meet a moment in which nobody has changed these tables without having committed.
 */
static enum err_code lock_when_free(struct climb *c, struct db_conn *lock, const char *const *take,
                                    bool *done, struct err *refused, struct err *err)
{
    const struct rung_lock how = {take, "UNLOCK TABLES", UINT32_MAX, FREE_BACKOFF_MS,
                                  clock_monotonic_ms(c->run->clock) + FREE_FOR_MS};
    enum err_code code =
        db_exec(lock, "SET SESSION lock_wait_timeout=0, SESSION innodb_lock_wait_timeout=0", err);
    return code == ERR_OK ? rung_start_locked(c, lock, &how, done, refused, err) : code;
}

static enum err_code lock_patiently(struct climb *c, struct db_conn *lock, const char *const *take,
                                    bool *done, struct err *refused, struct err *err)
{
    const struct rung_lock how = {take, "UNLOCK TABLES", WAIT_TRIES, WAIT_BACKOFF_MS, 0};
    enum err_code code = db_execf(
        lock, err, "SET SESSION lock_wait_timeout=%d, SESSION innodb_lock_wait_timeout=%d", WAIT_S, WAIT_S);
    return code == ERR_OK ? rung_start_locked(c, lock, &how, done, refused, err) : code;
}

static enum err_code lock_all(struct climb *c, const char *sql, bool *done, struct err *err)
{
    const char *const take[] = {sql, NULL};
    bool free_first = flavour_locks_without_waiting(c->ground.flavour);
    bool asked_for = strcmp(c->options->consistency, "table-locks") == 0;
    struct db_conn *lock = NULL;
    struct err refused = {0};
    enum err_code code = rung_open_lock(c, WAIT_S, &lock, err);
    if (code == ERR_OK)
        code = db_exec(lock, "SET SESSION autocommit=0, SESSION innodb_table_locks=1", err);
    if (code == ERR_OK && free_first)
        code = lock_when_free(c, lock, take, done, &refused, err);
    if (code == ERR_OK && !*done && refused.code != ERR_DB_LOST &&
        (!free_first || (asked_for && refused.code == ERR_DB_RETRY)))
        code = lock_patiently(c, lock, take, done, &refused, err);
    db_close(lock);
    if (code == ERR_OK && !*done)
        rung_note_refusal(c, "table-locks", RUNG_LOCKS_TRANSACTIONAL, &refused);
    return code;
}

enum err_code rung_tables(struct climb *c, bool *done, struct err *err)
{
    struct snapshot *s = c->snap;
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    unsigned count = rung_put_lock(c->options, true, &sql);
    s->tries = 0;
    enum err_code code = rung_open_readers(c, c->options->threads, err);
    if (code == ERR_OK && count == 0 && !s->guard && c->options->table_count > 0) {
        rung_note(c, "table-locks: nothing holds the tables, which have no transactions");
    } else if (code == ERR_OK && count == 0) { /* the other guard holds them all */
        code = rung_start_at_position(c, err);
        *done = code == ERR_OK;
    } else if (code == ERR_OK) {
        code = lock_all(c, buf_cstr(&sql), done, err);
    }
    buf_free(&sql);
    snprintf(
        s->proof, sizeof s->proof,
        "%u snapshots started while LOCK TABLES held back every write to the %u tables, for at most %" PRId64
        " ms, and no transaction was open that had changed them%s",
        s->count, s->guard ? c->options->table_count : count, s->held_ms > 0 ? s->held_ms : 1,
        c->still ? "; nothing else was logged meanwhile either" : "");
    return code;
}
