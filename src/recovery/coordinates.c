#include "recovery/coordinates.h"

#include "db/flavour.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What a server refuses to tell is left out; a lost connection is an error. */
static enum err_code tolerate(enum err_code code, const struct err *refused, struct err *err)
{
    return code == ERR_DB ? ERR_OK : code == ERR_OK ? ERR_OK : err_copy(err, refused);
}

/* MariaDB tells everybody where a consistent snapshot stands. */
static enum err_code by_snapshot(struct db_conn *c, struct arena *arena, struct coordinates *out,
                                 struct err *err)
{
    struct db_rows *rows = NULL;
    struct err refused;
    enum err_code code = db_exec(c, "START TRANSACTION WITH CONSISTENT SNAPSHOT", &refused);
    if (code == ERR_OK)
        code = db_query(c, "SHOW STATUS LIKE 'binlog\\_snapshot\\_%'", &rows, &refused);
    for (const char *const *row; rows && (row = db_row(rows)) != NULL;) {
        if (strcasecmp(row[0], "binlog_snapshot_file") == 0 && row[1])
            out->file = arena_strdup(arena, row[1]);
        if (strcasecmp(row[0], "binlog_snapshot_position") == 0 && row[1])
            out->position = strtoull(row[1], NULL, 10);
    }
    db_rows_free(rows);
    if (code == ERR_OK)
        code = db_exec(c, "ROLLBACK", &refused);
    return tolerate(code, &refused, err);
}

/* Elsewhere it takes a privilege, and the statement's name has changed. */
static enum err_code by_status(struct db_conn *c, struct arena *arena, struct coordinates *out,
                               struct err *err)
{
    static const char *const statements[] = {"SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"};
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < 2 && !*out->file; i++) {
        struct db_rows *rows = NULL;
        struct err refused;
        code = db_query(c, statements[i], &rows, &refused);
        const char *const *row = rows ? db_row(rows) : NULL;
        if (row && row[0] && row[1]) {
            out->file = arena_strdup(arena, row[0]);
            out->position = strtoull(row[1], NULL, 10);
        }
        db_rows_free(rows);
        code = tolerate(code, &refused, err);
    }
    return code;
}

static enum err_code take_gtid(struct db_conn *c, struct arena *arena, struct coordinates *out,
                               struct err *err)
{
    struct buf sql, value;
    struct err refused;
    buf_init(&sql, 4096);
    buf_init(&value, 4096);
    buf_put(&sql, "SELECT BINLOG_GTID_POS(");
    db_quote_text(&sql, out->file);
    buf_putf(&sql, ", %" PRIu64 ")", out->position);
    enum err_code code = db_scalar(c, buf_cstr(&sql), &value, NULL, &refused);
    if (code == ERR_OK && value.len)
        out->gtid = arena_strndup(arena, value.data, value.len);
    buf_free(&sql);
    buf_free(&value);
    return tolerate(code, &refused, err);
}

enum err_code coordinates_take(const struct run *run, struct db_conn *c, struct arena *arena,
                               struct coordinates *out, struct err *err)
{
    bool mariadb = flavour_of(db_version(c)).mariadb;
    *out = (struct coordinates){.at_ms = clock_wall_ms(run->clock), .file = ""};
    enum err_code code = mariadb ? by_snapshot(c, arena, out, err) : by_status(c, arena, out, err);
    if (code == ERR_OK && mariadb && *out->file)
        code = take_gtid(c, arena, out, err);
    return code;
}
