#include "db/blockers.h"

#include "db/flavour.h"

#include <stdlib.h>

#define SQL_MAX_BYTES ((size_t)32 << 20)
#define NAMED         5

/* How a source names what a lock is on, and in which modes it forbids no reading lock. */
struct source {
    const char *schema, *name, *is_table, *is_server, *is_reader;
};

/* MariaDB with its METADATA_LOCK_INFO plugin.  It names the modes in its own words. */
static const struct source PLUGIN = {
    "m.TABLE_SCHEMA", "m.TABLE_NAME", "m.LOCK_TYPE='Table metadata lock'",
    "m.LOCK_TYPE IN ('Backup lock', 'Global read lock')",
    "m.LOCK_MODE IN ('MDL_SHARED', 'MDL_SHARED_HIGH_PRIO', 'MDL_SHARED_READ', 'MDL_SHARED_READ_ONLY')"};
/* MySQL, where the instrument is on by default; MariaDB where someone switched it on. */
static const struct source PERFORMANCE = {
    "m.OBJECT_SCHEMA", "m.OBJECT_NAME", "m.OBJECT_TYPE='TABLE'",
    "m.OBJECT_TYPE IN ('BACKUP', 'GLOBAL', 'COMMIT')",
    "m.LOCK_TYPE IN ('SHARED', 'SHARED_HIGH_PRIO', 'SHARED_READ', 'SHARED_READ_ONLY')"};

static void put_locks(struct buf *sql, const struct source *from, const struct blocker_table *tables,
                      unsigned count, bool writers_only)
{
    if (count == 0) {
        buf_putf(sql, " AND %s", from->is_server);
        return;
    }
    if (writers_only)
        buf_putf(sql, " AND NOT (%s)", from->is_reader);
    buf_putf(sql, " AND %s AND (0", from->is_table);
    for (unsigned i = 0; i < count; i++) {
        buf_putf(sql, " OR (%s=", from->schema);
        db_quote_text(sql, tables[i].schema);
        buf_putf(sql, " AND %s=", from->name);
        db_quote_text(sql, tables[i].name);
        buf_put(sql, ")");
    }
    buf_put(sql, ")");
}

static void put_plugin_query(struct buf *sql, const struct blocker_table *tables, unsigned count,
                             bool writers_only)
{
    buf_put(
        sql,
        "SELECT DISTINCT p.ID, p.USER, p.HOST, IFNULL(TIMESTAMPDIFF(SECOND, t.trx_started, NOW()), p.TIME)"
        " FROM information_schema.METADATA_LOCK_INFO m"
        " JOIN information_schema.PROCESSLIST p ON p.ID = m.THREAD_ID"
        " LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID"
        " WHERE p.ID <> CONNECTION_ID()");
    put_locks(sql, &PLUGIN, tables, count, writers_only);
    buf_put(sql, " ORDER BY 4 DESC");
}

static void put_performance_query(struct buf *sql, const struct blocker_table *tables, unsigned count,
                                  bool writers_only)
{
    buf_put(sql,
            "SELECT DISTINCT p.PROCESSLIST_ID, p.PROCESSLIST_USER, p.PROCESSLIST_HOST, p.PROCESSLIST_TIME"
            " FROM performance_schema.metadata_locks m"
            " JOIN performance_schema.threads p ON p.THREAD_ID = m.OWNER_THREAD_ID"
            " WHERE m.LOCK_STATUS='GRANTED' AND p.PROCESSLIST_ID <> CONNECTION_ID()");
    put_locks(sql, &PERFORMANCE, tables, count, writers_only);
    buf_put(sql, " ORDER BY 4 DESC");
}

static const char TRANSACTIONS[] = "SELECT p.ID, p.USER, p.HOST, TIMESTAMPDIFF(SECOND, t.trx_started, NOW())"
                                   " FROM information_schema.INNODB_TRX t JOIN "
                                   "information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id"
                                   " WHERE p.ID <> CONNECTION_ID() ORDER BY 4 DESC";

/* Whether the query could be asked and gave somebody. */
static bool take(struct db_conn *c, const char *sql, struct arena *arena, struct blockers *out)
{
    struct db_rows *rows;
    if (db_query(c, sql, &rows, NULL) != ERR_OK)
        return false;
    out->items = arena_calloc(arena, db_row_count(rows) + 1, sizeof *out->items);
    out->count = 0;
    const char *const *row;
    while ((row = db_row(rows)))
        out->items[out->count++] = (struct blocker){
            row[0] ? strtoul(row[0], NULL, 10) : 0, arena_strdup(arena, row[1] ? row[1] : "?"),
            arena_strdup(arena, row[2] ? row[2] : "?"), arena_strdup(arena, row[3] ? row[3] : "?")};
    db_rows_free(rows);
    out->visible |= out->count > 0 || !out->exact;
    return out->count > 0;
}

void blockers_find(struct db_conn *c, const struct blocker_table *tables, unsigned count, bool writers_only,
                   struct arena *arena, struct blockers *out)
{
    *out = (struct blockers){.exact = true};
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    db_exec(c, "SET SESSION time_zone='SYSTEM'", NULL); /* trx_started is in the server's own */
    bool found = false;
    if (flavour_of(db_version(c)).mariadb) {
        put_plugin_query(&sql, tables, count, writers_only);
        found = take(c, buf_cstr(&sql), arena, out);
        buf_clear(&sql);
    }
    if (!found) {
        put_performance_query(&sql, tables, count, writers_only);
        found = take(c, buf_cstr(&sql), arena, out);
    }
    if (!found) {
        out->exact = false;
        take(c, TRANSACTIONS, arena, out);
    }
    db_exec(c, "SET SESSION time_zone='+00:00'", NULL);
    buf_free(&sql);
}

void blockers_describe(const struct blockers *b, struct buf *out)
{
    if (b->count == 0) {
        buf_put(out,
                b->visible ? "nobody visible now" : "not visible to this account: PROCESS would show them");
        return;
    }
    if (!b->exact)
        buf_put(out, "one of the open transactions: ");
    for (unsigned i = 0; i < b->count && i < NAMED; i++)
        buf_putf(out, "%sconnection %lu (%s@%s, %s s)", i ? ", " : "", b->items[i].id, b->items[i].user,
                 b->items[i].host, b->items[i].seconds);
    if (b->count > NAMED)
        buf_putf(out, " and %u more", b->count - NAMED);
}
