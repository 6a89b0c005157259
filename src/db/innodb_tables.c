#include "db/innodb_tables.h"

#include "core/mem.h"
#include "db/flavour.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    const struct innodb_table *x = *(struct innodb_table *const *)a, *y = *(struct innodb_table *const *)b;
    int schemas = strcmp(x->schema, y->schema);
    return schemas ? schemas : strcmp(x->name, y->name);
}

/* The rows come in one order each time: by table, and its partitions by name. */
static void add_number(struct innodb_table *t, const char *number)
{
    t->identity = t->identity * UINT64_C(1099511628211) + strtoull(number, NULL, 10) + 1;
}

enum err_code innodb_tables_identify(struct db_conn *c, struct innodb_table *tables, unsigned count,
                                     struct err *err)
{
    struct db_rows *rows;
    for (unsigned i = 0; i < count; i++)
        tables[i].identity = 0;
    /* NAME is "database/table" or "database/table#P#partition", each name written as for a file. */
    enum err_code code = db_queryf(
        c, &rows, err,
        "SELECT CONVERT(CONVERT(CONVERT(SUBSTRING_INDEX(NAME, '/', 1) USING binary) USING filename) USING "
        "utf8mb4),"
        " CONVERT(CONVERT(CONVERT(SUBSTRING_INDEX(SUBSTRING_INDEX(NAME, '/', -1), '#', 1) USING binary) "
        "USING filename)"
        " USING utf8mb4), TABLE_ID FROM information_schema.%s WHERE NAME LIKE '%%/%%' ORDER BY NAME",
        flavour_innodb_tables_table(flavour_of(db_version(c))));
    if (code != ERR_OK)
        return code;
    struct innodb_table **sorted = xcalloc(count + 1, sizeof *sorted);
    for (unsigned i = 0; i < count; i++)
        sorted[i] = &tables[i];
    qsort(sorted, count, sizeof *sorted, by_name);
    const char *const *row;
    while ((row = db_row(rows))) {
        const struct innodb_table wanted = {.schema = row[0], .name = row[1]}, *key = &wanted;
        struct innodb_table **found =
            row[0] && row[1] && row[2] ? bsearch(&key, sorted, count, sizeof *sorted, by_name) : NULL;
        if (found)
            add_number(*found, row[2]);
    }
    db_rows_free(rows);
    free(sorted);
    return ERR_OK;
}
