#include "db/facts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int compare_names(const void *a, const void *b)
{
    return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

bool name_list_has(const struct name_list *l, const char *name)
{
    return l->count && bsearch(&name, l->names, l->count, sizeof *l->names, compare_names) != NULL;
}

static enum err_code read_names(struct db_conn *c, struct arena *arena, const char *sql,
                                struct name_list *out, struct err *err)
{
    struct db_rows *rows;
    enum err_code code = db_query(c, sql, &rows, err);
    if (code != ERR_OK)
        return code;
    out->count = 0;
    out->names = arena_calloc(arena, db_row_count(rows) + 1, sizeof *out->names);
    const char *const *row;
    while ((row = db_row(rows)))
        if (row[0])
            out->names[out->count++] = arena_strdup(arena, row[0]);
    db_rows_free(rows);
    qsort(out->names, out->count, sizeof *out->names, compare_names);
    return ERR_OK;
}

static enum err_code read_variables(struct db_conn *c, struct arena *arena, struct server_facts *out,
                                    struct err *err)
{
    struct db_rows *rows;
    enum err_code code =
        db_query(c,
                 "SELECT @@global.sql_mode, @@datadir, @@hostname, @@global.local_infile, @@global.read_only,"
                 " @@global.max_allowed_packet, @@lower_case_table_names",
                 &rows, err);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    for (unsigned i = 0; row && i < 7; i++)
        if (!row[i]) {
            db_rows_free(rows);
            return err_set(err, ERR_DB, "ask the server for its settings: the answer has a NULL");
        }
    if (row) {
        out->sql_mode = arena_strdup(arena, row[0]);
        out->datadir = arena_strdup(arena, row[1]);
        out->hostname = arena_strdup(arena, row[2]);
        out->local_infile = strcmp(row[3], "1") == 0;
        out->read_only = strcmp(row[4], "0") != 0;
        out->max_allowed_packet = strtoull(row[5], NULL, 10);
        out->lower_case_table_names = (unsigned)strtoul(row[6], NULL, 10);
    }
    db_rows_free(rows);
    return row ? ERR_OK : err_set(err, ERR_DB, "ask the server for its settings: no answer");
}

enum err_code facts_read(struct db_conn *c, struct arena *arena, struct server_facts *out, struct err *err)
{
    *out = (struct server_facts){.flavour = flavour_read(c), .version = arena_strdup(arena, db_version(c))};
    enum err_code code = read_variables(c, arena, out, err);
    if (code == ERR_OK)
        code = read_names(c, arena, flavour_collations_statement(out->flavour), &out->collations, err);
    if (code == ERR_OK)
        code = read_names(c, arena, "SELECT CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS",
                          &out->charsets, err);
    if (code == ERR_OK)
        code = read_names(c, arena,
                          "SELECT ENGINE FROM information_schema.ENGINES WHERE SUPPORT IN ('YES', 'DEFAULT')",
                          &out->engines, err);
    if (code == ERR_OK)
        code = read_names(c, arena,
                          "SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_STATUS='ACTIVE'",
                          &out->plugins, err);
    struct name_list keys = {0};
    if (code == ERR_OK && out->flavour.mariadb)
        code = read_names(c, arena,
                          "SELECT DISTINCT PLUGIN_TYPE FROM information_schema.PLUGINS WHERE "
                          "PLUGIN_STATUS='ACTIVE' AND PLUGIN_TYPE='ENCRYPTION'",
                          &keys, err);
    out->has_keys = keys.count > 0;
    return code;
}
