#include "rows/describe.h"

#include "db/flavour.h"

#include <string.h>

#define EXPRESSION_MAX_BYTES 1024

/* How a type travels: %s in select is the quoted column; NULL means the column as is. */
struct travel {
    const char *type;
    const char *select;
    const char *load;
    bool plain;     /* text without bytes to escape */
    bool range_key; /* its text is a literal that finds the same row again */
};

static const struct travel TRAVELS[] = {
    {"tinyint", NULL, NULL, true, true},
    {"smallint", NULL, NULL, true, true},
    {"mediumint", NULL, NULL, true, true},
    {"int", NULL, NULL, true, true},
    {"bigint", NULL, NULL, true, true},
    {"decimal", NULL, NULL, true, true},
    {"double", NULL, NULL, true, true}, /* select: see flavour */
    {"float", NULL, NULL, true, true},  /* the same */
    {"year", NULL, NULL, true, true},
    {"date", NULL, NULL, true, true},
    {"time", NULL, NULL, true, true},
    {"datetime", NULL, NULL, true, true},
    {"timestamp", NULL, NULL, true, true},
    {"bit", "%s+0", "CAST(@v AS UNSIGNED)", true, false},
    {"enum", "%s+0", "CAST(@v AS UNSIGNED)", true, false},
    {"set", "CAST(%s AS UNSIGNED)", "CAST(@v AS UNSIGNED)", true, false},
    {"uuid", NULL, "CONVERT(@v USING ascii)", true, true},
    {"inet4", NULL, "CONVERT(@v USING ascii)", true, true},
    {"inet6", NULL, "CONVERT(@v USING ascii)", true, true},
    {"char", NULL, NULL, false, true},
    {"varchar", NULL, NULL, false, true},
    {"binary", NULL, NULL, false, true},
    {"varbinary", NULL, NULL, false, true},
    {"json", NULL, "CONVERT(@v USING utf8mb4)", false, false},
};

static const struct travel *find_travel(const char *data_type)
{
    static const struct travel as_is = {NULL, NULL, NULL, false, false};
    for (size_t i = 0; i < sizeof TRAVELS / sizeof TRAVELS[0]; i++)
        if (strcmp(TRAVELS[i].type, data_type) == 0)
            return &TRAVELS[i];
    return &as_is;
}

static const char *select_expression(struct arena *arena, const struct catalog_column *col,
                                     struct flavour flavour)
{
    const char *format = find_travel(col->data_type)->select;
    if (strcmp(col->data_type, "float") == 0 || strcmp(col->data_type, "double") == 0)
        format = flavour_float_format(flavour);
    struct buf quoted;
    buf_init(&quoted, EXPRESSION_MAX_BYTES);
    db_quote_name(&quoted, col->name);
    const char *text = buf_cstr(&quoted);
    const char *at = format ? strstr(format, "%s") : NULL;
    const char *result = at ? arena_printf(arena, "%.*s%s%s", (int)(at - format), format, text, at + 2)
                            : arena_strdup(arena, text);
    buf_free(&quoted);
    return result;
}

static struct manifest_column describe_column(struct arena *arena, const struct catalog_column *col,
                                              struct flavour flavour)
{
    const struct travel *travel = find_travel(col->data_type);
    return (struct manifest_column){.name = col->name,
                                    .type = col->column_type,
                                    .charset = col->charset,
                                    .select_expr = select_expression(arena, col, flavour),
                                    .load_expr = travel->load,
                                    .plain = travel->plain,
                                    .nullable = col->nullable};
}

/* Where LOAD DATA sets columns by expressions, MariaDB forgets that AUTO_INCREMENT's was given a value, and
 * puts the next one where that was 0: unless it is set by an expression too. */
static void load_counter(struct manifest_column *columns, unsigned count, const char *counter)
{
    bool expressions = false;
    for (unsigned i = 0; i < count; i++)
        expressions |= columns[i].load_expr != NULL;
    for (unsigned i = 0; expressions && counter && i < count; i++)
        if (strcmp(columns[i].name, counter) == 0 && columns[i].load_expr == NULL)
            columns[i].load_expr = "@v";
}

static void describe_columns(struct arena *arena, const struct catalog_table *table, struct flavour flavour,
                             const struct catalog_column *columns, unsigned count, struct manifest_table *out)
{
    static const struct catalog_column history[] = {
        {.name = "row_start", .data_type = "timestamp", .column_type = "timestamp(6)", .period = true},
        {.name = "row_end", .data_type = "timestamp", .column_type = "timestamp(6)", .period = true}};
    const char *counter = NULL;
    struct manifest_column *described = arena_calloc(arena, count + 2, sizeof *described);
    bool explicit_period = false;
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        explicit_period |= columns[i].period;
        counter = columns[i].auto_increment ? columns[i].name : counter;
        if (!columns[i].generated)
            described[n++] = describe_column(arena, &columns[i], flavour);
    }
    /* A table WITH SYSTEM VERSIONING alone has two hidden columns that the catalogue does not list. */
    if (table->system_versioned && !explicit_period)
        for (unsigned i = 0; i < 2; i++)
            described[n++] = describe_column(arena, &history[i], flavour);
    load_counter(described, n, counter);
    out->columns = described;
    out->column_count = n;
}

/* The index of a dumped column, or UINT_MAX. */
static unsigned find_column(const struct manifest_table *t, const char *name)
{
    for (unsigned i = 0; i < t->column_count; i++)
        if (strcmp(t->columns[i].name, name) == 0)
            return i;
    return (unsigned)-1;
}

/* DATA_TYPE is what stands before the first parenthesis or space of COLUMN_TYPE. */
static bool is_range_type(const char *column_type)
{
    char type[32] = "";
    size_t n = strcspn(column_type, "( ");
    if (n < sizeof type)
        memcpy(type, column_type, n);
    return find_travel(type)->range_key;
}

static bool use_key(struct arena *arena, const struct catalog_key *key, struct manifest_table *t)
{
    if (!key->ordered || (key->nullable && key->column_count > 1))
        return false;
    unsigned *columns = arena_calloc(arena, key->column_count, sizeof *columns);
    for (unsigned i = 0; i < key->column_count; i++) {
        columns[i] = find_column(t, key->columns[i]);
        if (columns[i] == (unsigned)-1 || !is_range_type(t->columns[columns[i]].type))
            return false;
    }
    t->key = (struct manifest_key){key->name, key->column_count, columns, key->nullable};
    return true;
}

/* PRIMARY if it can be used, else a unique key without NULLs, else one with. */
static void choose_key(struct arena *arena, const struct catalog_key *keys, unsigned count,
                       struct manifest_table *t)
{
    for (unsigned i = 0; i < count; i++)
        if (!keys[i].nullable && use_key(arena, &keys[i], t))
            return;
    for (unsigned i = 0; i < count; i++)
        if (keys[i].nullable && use_key(arena, &keys[i], t))
            return;
}

/* History by transaction numbers means something only with the server's own table of transactions. */
static bool has_transaction_history(const struct catalog_column *columns, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (columns[i].period && strcmp(columns[i].data_type, "bigint") == 0)
            return true;
    return false;
}

enum err_code rows_describe(struct db_conn *c, struct arena *arena, const struct catalog_table *table,
                            struct manifest_table *out, struct err *err)
{
    struct catalog_column *columns;
    struct catalog_key *keys = NULL;
    unsigned column_count, key_count = 0;
    out->schema = table->schema;
    out->name = table->name;
    out->engine = table->engine;
    out->transactional = catalog_engine_is_transactional(table->engine);
    out->system_versioned = table->system_versioned;
    out->auto_increment = table->auto_increment;
    enum err_code code = catalog_columns(c, arena, table->schema, table->name, &columns, &column_count, err);
    /* The rows of a versioned table share their keys with their history. */
    if (code == ERR_OK && !table->system_versioned)
        code = catalog_unique_keys(c, arena, table->schema, table->name, &keys, &key_count, err);
    if (code != ERR_OK)
        return code;
    describe_columns(arena, table, flavour_of(db_version(c)), columns, column_count, out);
    choose_key(arena, keys, key_count, out);
    if (table->system_versioned && has_transaction_history(columns, column_count))
        return err_set(
            err, ERR_REFUSED,
            "dump %s.%s: its system versioning goes by transaction numbers (ROW START is BIGINT), and the"
            " server lets nobody load such a history; leave it out with --exclude, or version it by"
            " time",
            table->schema, table->name);
    if (column_count == 0)
        return err_set(err, ERR_NOT_FOUND, "describe %s.%s: there is no such table any more", table->schema,
                       table->name);
    if (out->column_count == 0)
        return err_set(err, ERR_DB, "describe %s.%s: it has no column that holds data", table->schema,
                       table->name);
    return ERR_OK;
}
