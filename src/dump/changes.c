#include "dump/changes.h"

#include "core/arena.h"
#include "db/innodb_tables.h"
#include "rows/table_error.h"

#include <string.h>

static struct innodb_table *list(const struct manifest *m, struct arena *arena)
{
    struct innodb_table *tables = arena_calloc(arena, m->table_count + 1, sizeof *tables);
    for (unsigned i = 0; i < m->table_count; i++)
        tables[i] = (struct innodb_table){.schema = m->tables[i].schema, .name = m->tables[i].name};
    return tables;
}

/* ---- without identities ---- */

static bool is_unknown(const struct changes *x, const struct manifest *m, unsigned i)
{
    return m->tables[i].transactional && x->before[i].identity == 0;
}

static enum err_code look_into(struct db_conn *c, const struct manifest_table *t, const char *from,
                               bool *has_rows, struct err *err)
{
    struct db_rows *rows;
    enum err_code code = db_queryf(c, &rows, err, "SELECT 1 FROM %s LIMIT 1", from);
    if (code != ERR_OK)
        return rows_query_error(c, t, code, err);
    *has_rows = db_row_count(rows) > 0;
    db_rows_free(rows);
    return ERR_OK;
}

enum err_code changes_begin(struct changes *x, struct db_conn *c, const struct manifest *m,
                            const struct scan_table *tables, struct err *err)
{
    x->before = list(m, m->arena);
    x->had_rows = arena_calloc(m->arena, m->table_count + 1, sizeof *x->had_rows);
    enum err_code code = innodb_tables_identify(c, x->before, m->table_count, err);
    x->identified = code == ERR_OK;
    if (code == ERR_DB || code == ERR_DB_DENIED) /* the account may not, or the server has no such list */
        code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < m->table_count; i++)
        if (is_unknown(x, m, i))
            code = look_into(c, &m->tables[i], tables[i].from, &x->had_rows[i], err);
    return code;
}

/* A table that is filled and emptied by statements all the time is seen without rows in one of the looks,
 * most likely; else the dump is to be run again. */
enum err_code changes_look(const struct changes *x, struct db_conn *c, struct db_conn *reader,
                           const struct manifest *m, const struct scan_table *tables, const char *const *ddl,
                           struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < m->table_count; i++) {
        bool in_parts = strstr(ddl[i], "PARTITION BY") != NULL, ignored;
        if (is_unknown(x, m, i) && x->had_rows[i])
            code = look_into(c, &m->tables[i], tables[i].from, &x->had_rows[i], err);
        if (code == ERR_OK && is_unknown(x, m, i) && in_parts)
            code = look_into(reader, &m->tables[i], tables[i].from, &ignored, err);
    }
    return code;
}

/* ---- */

enum err_code changes_check(const struct changes *x, struct db_conn *c, const struct manifest *m,
                            const struct scan_table *tables, struct err *err)
{
    struct arena *arena = arena_new();
    struct innodb_table *now = list(m, arena);
    enum err_code code = x->identified ? innodb_tables_identify(c, now, m->table_count, err) : ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < m->table_count; i++) {
        const struct manifest_table *t = &m->tables[i];
        if (x->before[i].identity != 0 && now[i].identity != x->before[i].identity)
            code = err_set(
                err, ERR_SNAPSHOT,
                "dump %s.%s: it was emptied, renamed or made anew, or its partitions were, while the dump ran"
                " (DDL): run it again",
                t->schema, t->name);
        else if (x->had_rows[i] && tables[i].rows == 0)
            code = err_set(
                err, ERR_SNAPSHOT,
                "dump %s.%s: its rows were gone when they were read, it was emptied while the dump ran (DDL):"
                " run it again",
                t->schema, t->name);
    }
    arena_free(arena);
    return code;
}
