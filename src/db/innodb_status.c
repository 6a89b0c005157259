#include "db/innodb_status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char LIST[] = "LIST OF TRANSACTIONS";
static const char ENTRY[] = "---TRANSACTION ";
/* The server cuts the middle out of a text of more than 1 MiB. */
static const char CUT[] = "... truncated...";

static bool line_has(const char *line, const char *word)
{
    const char *end = line + strcspn(line, "\n"), *at = strstr(line, word);
    return at && at < end;
}

/* The states of a commit, as lock_print_info and trx_print_low of InnoDB name them. */
static bool is_committing(const char *entry)
{
    return line_has(entry, "committing") || line_has(entry, "COMMITTED IN MEMORY");
}

bool innodb_status_parse(const char *text, struct innodb_status *out)
{
    const char *at = strstr(text, "Trx id counter ");
    *out = (struct innodb_status){0};
    if (!at || sscanf(at, "Trx id counter %" SCNu64, &out->trx_counter) != 1)
        return false;
    const char *list = strstr(at, LIST);
    out->settled = list && !strstr(text, CUT);
    for (const char *line = list; out->settled && line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, ENTRY, strlen(ENTRY)) == 0)
            out->settled = !is_committing(line);
    }
    return true;
}

bool innodb_status_read(struct db_conn *c, struct innodb_status *out)
{
    struct db_rows *rows;
    if (db_query(c, "SHOW ENGINE INNODB STATUS", &rows, NULL) != ERR_OK)
        return false;
    const char *const *row = db_row(rows);
    bool ok = row && row[2] && innodb_status_parse(row[2], out);
    db_rows_free(rows);
    return ok;
}
