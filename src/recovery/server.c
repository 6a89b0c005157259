#include "recovery/server.h"

#include "core/mem.h"

#include <string.h>
#include <strings.h>

enum { UUID, UID, HOSTNAME, PORT, DATADIR, VARIABLES };
static const char *const names[VARIABLES] = {"server_uuid", "server_uid", "hostname", "port", "datadir"};

enum err_code server_read(struct db_conn *c, struct arena *arena, struct server_mark *out, struct err *err)
{
    const char *values[VARIABLES] = {NULL};
    struct db_rows *rows;
    *out = (struct server_mark){.target = arena_strdup(arena, db_target(c))};
    enum err_code code = db_query(c,
                                  "SHOW GLOBAL VARIABLES WHERE Variable_name IN"
                                  " ('server_uuid', 'server_uid', 'hostname', 'port', 'datadir')",
                                  &rows, err);
    if (code != ERR_OK)
        return code;
    for (const char *const *row; (row = db_row(rows)) != NULL;)
        for (unsigned i = 0; i < VARIABLES; i++)
            if (strcasecmp(row[0], names[i]) == 0 && row[1] && *row[1])
                values[i] = arena_strdup(arena, row[1]);
    db_rows_free(rows);
    if (values[UUID])
        out->identity = values[UUID];
    else if (values[HOSTNAME])
        out->identity = arena_printf(arena, "%s:%s %s %s", values[HOSTNAME], values[PORT] ? values[PORT] : "",
                                     values[DATADIR] ? values[DATADIR] : "", values[UID] ? values[UID] : "");
    return ERR_OK;
}

/* The endpoint of "user@name.id.region.rds.amazonaws.com:3306", or NULL. */
static const char *endpoint_of(const char *target)
{
    const char *at = strrchr(target, '@'), *host = at ? at + 1 : target;
    return strstr(host, ".rds.amazonaws.com") && !strchr(host, '/') ? host : NULL;
}

bool server_differs(const struct server_mark *a, const struct server_mark *b)
{
    if (!a->identity || !b->identity || strcmp(a->identity, b->identity) == 0)
        return false;
    const char *here = a->target ? endpoint_of(a->target) : NULL,
               *there = b->target ? endpoint_of(b->target) : NULL;
    return !here || !there || strcasecmp(here, there) != 0;
}
