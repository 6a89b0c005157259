#include "db/catalog.h"

#include "db/flavour.h"

#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define QUERY_MAX_BYTES ((size_t)1 << 20)

bool catalog_engine_is_transactional(const char *engine)
{
    /* Others may keep transactions too, but what proves one moment (the counter, the snapshot) is InnoDB's.
     */
    return strcasecmp(engine, "InnoDB") == 0;
}

static uint64_t to_number(const char *text)
{
    return text ? strtoull(text, NULL, 10) : 0;
}

/* Adds "schema_column='..' AND table_column='..'". */
static void where_table(struct buf *sql, const char *schema_column, const char *schema,
                        const char *table_column, const char *table)
{
    buf_putf(sql, " WHERE %s=", schema_column);
    db_quote_text(sql, schema);
    if (table) {
        buf_putf(sql, " AND %s=", table_column);
        db_quote_text(sql, table);
    }
}

static enum err_code query_table(struct db_conn *c, const char *select, const char *schema_column,
                                 const char *schema, const char *table_column, const char *table,
                                 const char *tail, struct db_rows **rows, struct err *err)
{
    struct buf sql;
    buf_init(&sql, QUERY_MAX_BYTES);
    buf_put(&sql, select);
    where_table(&sql, schema_column, schema, table_column, table);
    buf_put(&sql, tail);
    enum err_code code = db_query(c, buf_cstr(&sql), rows, err);
    buf_free(&sql);
    return code;
}

bool catalog_hides_schema(const char *name)
{
    static const char *const own[] = {"information_schema", "performance_schema", "mysql", "sys"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(name, own[i]) == 0)
            return true;
    return strncmp(name, "dbsafe_", 7) == 0;
}

enum err_code catalog_schemas(struct db_conn *c, struct arena *arena, struct catalog_schema **out,
                              unsigned *count, struct err *err)
{
    struct db_rows *rows;
    enum err_code code =
        db_queryf(c, &rows, err,
                  "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME, %s"
                  " FROM information_schema.SCHEMATA WHERE CAST(SCHEMA_NAME AS BINARY) NOT IN"
                  " ('information_schema', 'performance_schema', 'mysql', 'sys')"
                  " AND CAST(SCHEMA_NAME AS BINARY) NOT LIKE 'dbsafe\\\\_%%' ORDER BY SCHEMA_NAME",
                  flavour_of(db_version(c)).mariadb ? "SCHEMA_COMMENT" : "''");
    if (code != ERR_OK)
        return code;
    *out = arena_calloc(arena, db_row_count(rows) + 1, sizeof **out);
    *count = 0;
    const char *const *row;
    while ((row = db_row(rows)))
        (*out)[(*count)++] = (struct catalog_schema){
            arena_strdup(arena, row[0]), arena_strdup(arena, row[1] ? row[1] : ""),
            arena_strdup(arena, row[2] ? row[2] : ""), arena_strdup(arena, row[3] ? row[3] : "")};
    db_rows_free(rows);
    return ERR_OK;
}

static enum catalog_kind kind_of(const char *table_type)
{
    if (strstr(table_type, "VIEW"))
        return CATALOG_VIEW;
    return strcmp(table_type, "SEQUENCE") == 0 ? CATALOG_SEQUENCE : CATALOG_TABLE;
}

enum err_code catalog_tables(struct db_conn *c, struct arena *arena, const char *schema, const char *name,
                             struct catalog_table **out, unsigned *count, struct err *err)
{
    struct db_rows *rows;
    enum err_code code =
        query_table(c,
                    "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, DATA_LENGTH, AUTO_INCREMENT,"
                    " CREATE_TIME, TABLE_COMMENT FROM information_schema.TABLES",
                    "TABLE_SCHEMA", schema, "TABLE_NAME", name,
                    " AND TABLE_TYPE NOT LIKE '%TEMPORARY%' ORDER BY TABLE_NAME", &rows, err);
    if (code != ERR_OK)
        return code;
    *out = arena_calloc(arena, db_row_count(rows) + 1, sizeof **out);
    *count = 0;
    const char *const *row;
    while ((row = db_row(rows))) {
        struct catalog_table *t = &(*out)[(*count)++];
        t->schema = arena_strdup(arena, schema);
        t->name = arena_strdup(arena, row[0]);
        t->kind = kind_of(row[1]);
        t->engine = arena_strdup(arena, row[2] ? row[2] : "");
        t->system_versioned = strcmp(row[1], "SYSTEM VERSIONED") == 0;
        t->rows_estimate = to_number(row[3]);
        t->data_bytes = to_number(row[4]);
        t->auto_increment = to_number(row[5]);
        t->created = arena_strdup(arena, row[6] ? row[6] : "");
        /* the comment of a view that cannot be opened is the error */
        if (t->kind == CATALOG_VIEW && row[7] && row[7][0] && strcmp(row[7], "VIEW") != 0)
            t->broken = arena_strdup(arena, row[7]);
    }
    db_rows_free(rows);
    return ERR_OK;
}

enum err_code catalog_exists(struct db_conn *c, const char *schema, const char *name, bool *exists,
                             struct err *err)
{
    struct arena *arena = arena_new();
    struct catalog_table *found;
    unsigned count = 0;
    enum err_code code = catalog_tables(c, arena, schema, name, &found, &count, err);
    *exists = code == ERR_OK && count > 0;
    arena_free(arena);
    return code;
}

enum err_code catalog_columns(struct db_conn *c, struct arena *arena, const char *schema, const char *table,
                              struct catalog_column **out, unsigned *count, struct err *err)
{
    struct flavour f = flavour_of(db_version(c));
    char select[512];
    snprintf(select, sizeof select,
             "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, IS_NULLABLE, %s, %s,"
             " EXTRA FROM information_schema.COLUMNS",
             flavour_generated_expression(f), flavour_period_expression(f));
    struct db_rows *rows;
    enum err_code code = query_table(c, select, "TABLE_SCHEMA", schema, "TABLE_NAME", table,
                                     " ORDER BY ORDINAL_POSITION", &rows, err);
    if (code != ERR_OK)
        return code;
    *out = arena_calloc(arena, db_row_count(rows) + 1, sizeof **out);
    *count = 0;
    const char *const *row;
    while ((row = db_row(rows))) {
        struct catalog_column *col = &(*out)[(*count)++];
        col->name = arena_strdup(arena, row[0]);
        col->data_type = arena_strdup(arena, row[1]);
        col->column_type = arena_strdup(arena, row[2]);
        col->charset = row[3] ? arena_strdup(arena, row[3]) : NULL;
        col->nullable = strcmp(row[4], "YES") == 0;
        col->period = row[6] && row[6][0] == '1';
        col->auto_increment = row[7] && strstr(row[7], "auto_increment");
        col->generated = row[5] && row[5][0] == '1' && !col->period;
    }
    db_rows_free(rows);
    return ERR_OK;
}

/* One row of information_schema.STATISTICS for a unique key. */
static void add_key_part(struct catalog_key *key, struct arena *arena, const char *const *row)
{
    bool whole = row[2] == NULL, ascending = row[3] && row[3][0] == 'A',
         btree = row[4] && strcmp(row[4], "BTREE") == 0;
    bool named = row[1] != NULL;                         /* a functional part has no column */
    bool ignored = row[6] && strcmp(row[6], "YES") == 0; /* MySQL: invisible */
    key->columns[key->column_count++] = arena_strdup(arena, named ? row[1] : "");
    key->ordered = key->ordered && whole && ascending && btree && named && !ignored;
    key->nullable = key->nullable || (row[5] && strcmp(row[5], "YES") == 0);
}

enum err_code catalog_unique_keys(struct db_conn *c, struct arena *arena, const char *schema,
                                  const char *table, struct catalog_key **out, unsigned *count,
                                  struct err *err)
{
    char select[512];
    snprintf(select, sizeof select,
             "SELECT INDEX_NAME, COLUMN_NAME, SUB_PART, COLLATION, INDEX_TYPE, NULLABLE, %s"
             " FROM information_schema.STATISTICS",
             flavour_ignored_key_expression(flavour_of(db_version(c))));
    struct db_rows *rows;
    enum err_code code =
        query_table(c, select, "TABLE_SCHEMA", schema, "TABLE_NAME", table,
                    " AND NON_UNIQUE=0 ORDER BY INDEX_NAME<>'PRIMARY', INDEX_NAME, SEQ_IN_INDEX", &rows, err);
    if (code != ERR_OK)
        return code;
    uint64_t parts = db_row_count(rows);
    *out = arena_calloc(arena, parts + 1, sizeof **out);
    *count = 0;
    const char *const *row;
    while ((row = db_row(rows))) {
        struct catalog_key *key = *count ? &(*out)[*count - 1] : NULL;
        if (!key || strcmp(key->name, row[0]) != 0) {
            key = &(*out)[(*count)++];
            key->name = arena_strdup(arena, row[0]);
            key->columns = arena_calloc(arena, parts, sizeof *key->columns);
            key->ordered = true;
        }
        add_key_part(key, arena, row);
    }
    db_rows_free(rows);
    return ERR_OK;
}

static void take_names(struct db_rows *rows, struct arena *arena, const char ***out, unsigned *count)
{
    *out = arena_calloc(arena, db_row_count(rows) + 1, sizeof **out);
    *count = 0;
    const char *const *row;
    while ((row = db_row(rows)))
        (*out)[(*count)++] = arena_strdup(arena, row[0]);
    db_rows_free(rows);
}

enum err_code catalog_triggers(struct db_conn *c, struct arena *arena, const char *schema, const char *table,
                               const char ***out, unsigned *count, struct err *err)
{
    struct db_rows *rows;
    enum err_code code = query_table(c, "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS",
                                     "EVENT_OBJECT_SCHEMA", schema, "EVENT_OBJECT_TABLE", table,
                                     " ORDER BY EVENT_MANIPULATION, ACTION_TIMING, ACTION_ORDER", &rows, err);
    if (code == ERR_OK)
        take_names(rows, arena, out, count);
    return code;
}

enum err_code catalog_created(struct db_conn *c, const char *schema, const char *table, struct buf *out,
                              struct err *err)
{
    struct buf sql;
    buf_init(&sql, QUERY_MAX_BYTES);
    buf_put(&sql, "SELECT CREATE_TIME FROM information_schema.TABLES");
    where_table(&sql, "TABLE_SCHEMA", schema, "TABLE_NAME", table);
    enum err_code code = db_scalar(c, buf_cstr(&sql), out, NULL, err);
    buf_free(&sql);
    return code;
}

enum err_code catalog_ddl(struct db_conn *c, const char *schema, const char *table, struct buf *out,
                          struct err *err)
{
    struct buf sql;
    buf_init(&sql, QUERY_MAX_BYTES);
    buf_put(&sql, "SHOW CREATE TABLE ");
    db_quote_pair(&sql, schema, table);
    struct db_rows *rows;
    enum err_code code = db_query(c, buf_cstr(&sql), &rows, err);
    buf_free(&sql);
    bool gone = code == ERR_DB && (db_errno(c) == ER_NO_SUCH_TABLE || db_errno(c) == ER_BAD_DB_ERROR);
    if (gone && err)
        err->code = ERR_NOT_FOUND;
    if (code != ERR_OK)
        return gone ? ERR_NOT_FOUND : code;
    const char *const *row = db_row(rows);
    buf_clear(out);
    if (row && row[1])
        code = buf_add(out, row[1], db_row_lengths(rows)[1], err);
    else
        code = err_set(err, ERR_DB, "read the definition of %s.%s: the server gave none", schema, table);
    db_rows_free(rows);
    return code;
}
