#include "db/catalog_objects.h"

#include "db/quote.h"

#include <stdlib.h>
#include <string.h>

#define QUERY_MAX_BYTES ((size_t)1 << 20)

/* Runs "select WHERE column='value' tail".  Names of databases that differ in case or accents are equal to
 * some of these tables, but not to the server. */
static enum err_code query_where(struct db_conn *c, const char *select, const char *column, const char *value,
                                 const char *tail, struct db_rows **rows, struct err *err)
{
    struct buf sql;
    buf_init(&sql, QUERY_MAX_BYTES);
    buf_putf(&sql, "%s WHERE %s=", select, column);
    db_quote_text(&sql, value);
    buf_putf(&sql, " AND CAST(%s AS BINARY)=", column);
    db_quote_text(&sql, value);
    buf_put(&sql, tail);
    enum err_code code = db_query(c, buf_cstr(&sql), rows, err);
    buf_free(&sql);
    return code;
}

static const char *copy(struct arena *arena, const char *value)
{
    return arena_strdup(arena, value ? value : "");
}

static struct catalog_object *make_list(struct db_rows *rows, struct arena *arena, unsigned *count)
{
    *count = 0;
    return arena_calloc(arena, db_row_count(rows) + 1, sizeof(struct catalog_object));
}

enum err_code catalog_views(struct db_conn *c, struct arena *arena, const char *schema,
                            struct catalog_object **out, unsigned *count, struct err *err)
{
    struct db_rows *rows;
    enum err_code code =
        query_where(c, "SELECT TABLE_NAME, DEFINER, VIEW_DEFINITION FROM information_schema.VIEWS",
                    "TABLE_SCHEMA", schema, " ORDER BY TABLE_NAME", &rows, err);
    if (code != ERR_OK)
        return code;
    *out = make_list(rows, arena, count);
    const char *const *row;
    while ((row = db_row(rows)))
        (*out)[(*count)++] = (struct catalog_object){.schema = schema,
                                                     .name = copy(arena, row[0]),
                                                     .kind = CATALOG_VIEW,
                                                     .definer = copy(arena, row[1]),
                                                     .query = copy(arena, row[2])};
    db_rows_free(rows);
    return ERR_OK;
}

static enum catalog_kind routine_kind(const char *type)
{
    if (strcmp(type, "PACKAGE") == 0)
        return CATALOG_PACKAGE;
    if (strcmp(type, "PACKAGE BODY") == 0)
        return CATALOG_PACKAGE_BODY;
    return strcmp(type, "FUNCTION") == 0 ? CATALOG_FUNCTION : CATALOG_PROCEDURE;
}

enum err_code catalog_routines(struct db_conn *c, struct arena *arena, const char *schema,
                               struct catalog_object **out, unsigned *count, struct err *err)
{
    struct db_rows *rows;
    enum err_code code = query_where(
        c, "SELECT ROUTINE_NAME, ROUTINE_TYPE, DEFINER, ROUTINE_COMMENT FROM information_schema.ROUTINES",
        "ROUTINE_SCHEMA", schema, " ORDER BY ROUTINE_NAME, ROUTINE_TYPE", &rows, err);
    if (code != ERR_OK)
        return code;
    *out = make_list(rows, arena, count);
    const char *const *row;
    while ((row = db_row(rows)))
        (*out)[(*count)++] = (struct catalog_object){.schema = schema,
                                                     .name = copy(arena, row[0]),
                                                     .kind = routine_kind(row[1]),
                                                     .definer = copy(arena, row[2]),
                                                     .comment = copy(arena, row[3])};
    db_rows_free(rows);
    return ERR_OK;
}

enum err_code catalog_events(struct db_conn *c, struct arena *arena, const char *schema,
                             struct catalog_object **out, unsigned *count, struct err *err)
{
    struct db_rows *rows;
    enum err_code code =
        query_where(c, "SELECT EVENT_NAME, DEFINER, EVENT_COMMENT, STATUS FROM information_schema.EVENTS",
                    "EVENT_SCHEMA", schema, " ORDER BY EVENT_NAME", &rows, err);
    if (code != ERR_OK)
        return code;
    *out = make_list(rows, arena, count);
    const char *const *row;
    while ((row = db_row(rows)))
        (*out)[(*count)++] = (struct catalog_object){.schema = schema,
                                                     .name = copy(arena, row[0]),
                                                     .kind = CATALOG_EVENT,
                                                     .definer = copy(arena, row[1]),
                                                     .comment = copy(arena, row[2]),
                                                     .status = copy(arena, row[3])};
    db_rows_free(rows);
    return ERR_OK;
}

enum err_code catalog_table_triggers(struct db_conn *c, struct arena *arena, const char *schema,
                                     const char *table, struct catalog_object **out, unsigned *count,
                                     struct err *err)
{
    struct db_rows *rows;
    struct buf tail;
    buf_init(&tail, QUERY_MAX_BYTES);
    if (table) {
        buf_put(&tail, " AND EVENT_OBJECT_TABLE=");
        db_quote_text(&tail, table);
    }
    buf_put(&tail, " ORDER BY EVENT_OBJECT_TABLE, EVENT_MANIPULATION, ACTION_TIMING, ACTION_ORDER");
    enum err_code code = query_where(
        c,
        "SELECT TRIGGER_NAME, DEFINER, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER, EVENT_OBJECT_TABLE"
        " FROM information_schema.TRIGGERS",
        "EVENT_OBJECT_SCHEMA", schema, buf_cstr(&tail), &rows, err);
    buf_free(&tail);
    if (code != ERR_OK)
        return code;
    *out = make_list(rows, arena, count);
    const char *const *row;
    while ((row = db_row(rows)))
        (*out)[(*count)++] = (struct catalog_object){.schema = schema,
                                                     .name = copy(arena, row[0]),
                                                     .kind = CATALOG_TRIGGER,
                                                     .definer = copy(arena, row[1]),
                                                     .table = copy(arena, row[5]),
                                                     .timing = copy(arena, row[2]),
                                                     .action = copy(arena, row[3]),
                                                     .order = (unsigned)strtoul(row[4], NULL, 10)};
    db_rows_free(rows);
    return ERR_OK;
}

enum err_code catalog_sequence(struct db_conn *c, struct arena *arena, const char *schema, const char *name,
                               struct catalog_sequence *out, struct err *err)
{
    struct db_rows *rows;
    struct buf sql;
    buf_init(&sql, QUERY_MAX_BYTES);
    buf_put(&sql,
            "SELECT next_not_cached_value, minimum_value, maximum_value, start_value, increment, cache_size,"
            " cycle_option, cycle_count FROM ");
    db_quote_pair(&sql, schema, name);
    enum err_code code = db_query(c, buf_cstr(&sql), &rows, err);
    buf_free(&sql);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    if (!row)
        code = err_set(err, ERR_DB, "read the sequence %s.%s: it has no row", schema, name);
    else
        *out = (struct catalog_sequence){copy(arena, row[0]), copy(arena, row[1]), copy(arena, row[2]),
                                         copy(arena, row[3]), copy(arena, row[4]), copy(arena, row[5]),
                                         copy(arena, row[6]), copy(arena, row[7])};
    db_rows_free(rows);
    return code;
}
