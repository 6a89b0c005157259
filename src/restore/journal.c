#include "restore/journal.h"

#include "core/fault.h"
#include "restore/journal_plan.h"
#include "restore/owner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_MAX_BYTES ((size_t)32 << 20)
/* Error numbers of the server. */
#define NO_SUCH_TABLE  1146
#define NO_SUCH_SCHEMA 1049

/* ---- writing ---- */

static void put_text_or_null(struct buf *sql, const char *text)
{
    if (text)
        db_quote_text(sql, text);
    else
        buf_put(sql, "NULL");
}

static enum err_code set_meta(struct db_conn *c, const struct operation *op, const char *key,
                              const char *value, struct err *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_putf(&sql, "REPLACE INTO `dbsafe_%s`.meta VALUES (", op->id);
    db_quote_text(&sql, key);
    buf_put(&sql, ", ");
    put_text_or_null(&sql, value);
    buf_put(&sql, ")");
    enum err_code code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}

static void put_exchanges(const struct operation *op, struct buf *sql)
{
    buf_putf(sql, "INSERT INTO `dbsafe_%s`.exchange VALUES ", op->id);
    for (unsigned i = 0; i < op->exchange_count; i++) {
        const struct exchange *x = &op->exchanges[i];
        buf_putf(sql, "%s(%u, ", i ? ", " : "", i + 1);
        db_quote_text(sql, x->schema);
        buf_put(sql, ", ");
        db_quote_text(sql, x->name);
        buf_put(sql, ", ");
        put_text_or_null(sql, x->incoming_schema);
        buf_put(sql, ", ");
        put_text_or_null(sql, x->outgoing_schema);
        buf_putf(sql, ", %d, %d, %d, %d)", x->kind == EXCHANGE_SEQUENCE, x->placeholder, x->parks_in,
                 x->parks_out);
    }
}

static enum err_code insert_lists(struct db_conn *c, const struct operation *op, struct err *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    enum err_code code = ERR_OK;
    if (op->exchange_count) {
        put_exchanges(op, &sql);
        code = db_exec(c, buf_cstr(&sql), err);
    }
    for (unsigned i = 0; code == ERR_OK && i < op->schema_count; i++) {
        buf_clear(&sql);
        buf_putf(&sql, "INSERT INTO `dbsafe_%s`.made VALUES (", op->id);
        db_quote_text(&sql, op->schemas[i]);
        buf_put(&sql, ")");
        code = db_exec(c, buf_cstr(&sql), err);
    }
    buf_free(&sql);
    return code;
}

static enum err_code insert_meta(struct db_conn *c, const struct operation *op, struct err *err)
{
    const struct {
        const char *key, *value;
    } meta[] = {{"kind", op->is_undo ? "undo" : "restore"},
                {"undoes", op->undoes},
                {"archive", op->archive},
                {"server", op->server},
                {"owner", op->owner},
                {"server_start", op->server_start},
                {"drop_old", op->drop_old ? "1" : "0"},
                {"wishes", op->wishes},
                {"state", operation_state_name(op->state)}};
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < sizeof meta / sizeof meta[0]; i++)
        code = set_meta(c, op, meta[i].key, meta[i].value, err);
    return code;
}

/* The marker comes last: a schema without one is of a run that died while it wrote the journal, unless its
 * lock is held. */
enum err_code journal_create(struct db_conn *c, const struct operation *op, struct err *err)
{
    static const char *const statements[] = {
        "CREATE DATABASE `dbsafe_%s` CHARACTER SET utf8mb4",
        "CREATE TABLE `dbsafe_%s`.meta (k VARCHAR(64) CHARACTER SET ascii PRIMARY KEY, v LONGTEXT) "
        "ENGINE=InnoDB"
        " CHARACTER SET utf8mb4",
        "CREATE TABLE `dbsafe_%s`.exchange (n INT PRIMARY KEY, target_schema VARCHAR(64) NOT NULL, "
        "target_name VARCHAR(64) NOT NULL,"
        " incoming_schema VARCHAR(64), outgoing_schema VARCHAR(64), is_sequence BOOL NOT NULL, placeholder "
        "BOOL"
        " NOT NULL, parks_in BOOL NOT NULL, parks_out BOOL NOT NULL) ENGINE=InnoDB CHARACTER SET utf8mb4"
        " COLLATE utf8mb4_bin",
        "CREATE TABLE `dbsafe_%s`.made (name VARCHAR(64) PRIMARY KEY) ENGINE=InnoDB CHARACTER SET utf8mb4 "
        "COLLATE utf8mb4_bin",
        "CREATE TABLE `dbsafe_%s`.connection (id BIGINT UNSIGNED PRIMARY KEY) ENGINE=InnoDB"};
    bool got;
    enum err_code code = owner_lock_journal(c, op->id, &got, err);
    char sql[1024];
    if (code == ERR_OK && !got)
        code =
            err_set(err, ERR_LOCKED, "write the journal `dbsafe_%s`: another session holds its lock", op->id);
    for (size_t i = 0; code == ERR_OK && i < sizeof statements / sizeof statements[0]; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the formats stand right above */
        snprintf(sql, sizeof sql, statements[i], op->id);
#pragma GCC diagnostic pop
        code = db_exec(c, sql, err);
    }
    if (code == ERR_OK)
        code = insert_lists(c, op, err);
    if (code == ERR_OK)
        code = insert_meta(c, op, err);
    if (code == ERR_OK)
        code = journal_create_plan(c, op, err);
    if (code == ERR_OK)
        code = db_execf(c, err, "CREATE TABLE `dbsafe_%s`.pending (x INT PRIMARY KEY) ENGINE=InnoDB", op->id);
    if (code != ERR_OK)
        err_wrap(err, "write the journal `dbsafe_%s`", op->id);
    if (code == ERR_DB)
        err_hint(err, "; one grant is enough for all that dbsafe keeps on the server: GRANT ALL ON "
                      "`dbsafe\\_%%`.* TO ...");
    return code;
}

enum err_code journal_set_state(struct db_conn *c, const struct operation *op, enum operation_state state,
                                int64_t wall_ms, struct err *err)
{
    enum err_code code = ERR_OK;
    if (state == OPERATION_SWAPPED) {
        char text[32];
        snprintf(text, sizeof text, "%" PRId64, wall_ms);
        code = set_meta(c, op, "swapped_ms", text, err);
    }
    return code == ERR_OK ? set_meta(c, op, "state", operation_state_name(state), err) : code;
}

enum err_code journal_set_result(struct db_conn *c, const struct operation *op, struct err *err)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, op->rows);
    enum err_code code = set_meta(c, op, "rows", text, err);
    if (code == ERR_OK && op->server)
        code = set_meta(c, op, "server", op->server, err);
    if (code == ERR_OK && op->archive_run)
        code = set_meta(c, op, "archive_run", op->archive_run, err);
    return code == ERR_OK ? set_meta(c, op, "verified", op->verified ? "1" : "0", err) : code;
}

static enum err_code write_owner(struct db_conn *c, const struct operation *op, struct err *err)
{
    enum err_code code = set_meta(c, op, "owner", op->owner, err);
    if (code == ERR_OK)
        code = set_meta(c, op, "server_start", op->server_start, err);
    if (code == ERR_OK)
        code = db_execf(c, err, "DELETE FROM `dbsafe_%s`.connection", op->id);
    return code == ERR_OK ? owner_add_connection(c, op, db_id(c), err) : code;
}

/* At once: whoever finds the connection noted must find its process as the owner. */
enum err_code journal_set_owner(struct db_conn *c, const struct operation *op, struct err *err)
{
    enum err_code code = db_exec(c, "START TRANSACTION", err);
    if (code == ERR_OK)
        code = write_owner(c, op, err);
    if (code == ERR_OK)
        code = db_exec(c, "COMMIT", err);
    else
        db_exec(c, "ROLLBACK", NULL);
    return code == ERR_OK ? code : err_wrap(err, "become the owner of the journal `dbsafe_%s`", op->id);
}

/* ---- reading ---- */

static void take_meta(struct operation *op, struct arena *arena, const char *key, const char *value)
{
    if (!value)
        return;
    if (strcmp(key, "kind") == 0)
        op->is_undo = strcmp(value, "undo") == 0;
    else if (strcmp(key, "undoes") == 0)
        op->undoes = arena_strdup(arena, value);
    else if (strcmp(key, "archive") == 0)
        op->archive = arena_strdup(arena, value);
    else if (strcmp(key, "archive_run") == 0)
        op->archive_run = arena_strdup(arena, value);
    else if (strcmp(key, "server") == 0)
        op->server = arena_strdup(arena, value);
    else if (strcmp(key, "owner") == 0)
        op->owner = arena_strdup(arena, value);
    else if (strcmp(key, "server_start") == 0)
        op->server_start = arena_strdup(arena, value);
    else if (strcmp(key, "drop_old") == 0)
        op->drop_old = value[0] == '1';
    else if (strcmp(key, "wishes") == 0)
        op->wishes = arena_strdup(arena, value);
    else if (strcmp(key, "verified") == 0)
        op->verified = value[0] == '1';
    else if (strcmp(key, "rows") == 0)
        op->rows = strtoull(value, NULL, 10);
    else if (strcmp(key, "swapped_ms") == 0)
        op->swapped_ms = strtoll(value, NULL, 10);
    else if (strcmp(key, "state") == 0)
        for (unsigned i = 0; i < OPERATION_STATES; i++)
            if (strcmp(operation_state_name((enum operation_state)i), value) == 0)
                op->state = (enum operation_state)i;
}

static const char *copy_or_null(struct arena *arena, const char *text)
{
    return text ? arena_strdup(arena, text) : NULL;
}

static enum err_code read_exchanges(struct db_conn *c, struct arena *arena, struct operation *op,
                                    struct err *err)
{
    struct db_rows *rows;
    enum err_code code =
        db_queryf(c, &rows, err,
                  "SELECT target_schema, target_name, incoming_schema, outgoing_schema,"
                  " is_sequence, placeholder, parks_in, parks_out FROM `dbsafe_%s`.exchange ORDER BY n",
                  op->id);
    if (code != ERR_OK)
        return code;
    op->exchanges = arena_calloc(arena, db_row_count(rows) + 1, sizeof *op->exchanges);
    const char *const *row;
    while ((row = db_row(rows)))
        op->exchanges[op->exchange_count++] =
            (struct exchange){.kind = row[4][0] == '1' ? EXCHANGE_SEQUENCE : EXCHANGE_TABLE,
                              .schema = arena_strdup(arena, row[0]),
                              .name = arena_strdup(arena, row[1]),
                              .incoming_schema = copy_or_null(arena, row[2]),
                              .outgoing_schema = copy_or_null(arena, row[3]),
                              .placeholder = row[5][0] == '1',
                              .parks_in = row[6][0] == '1',
                              .parks_out = row[7][0] == '1'};
    db_rows_free(rows);
    return ERR_OK;
}

/* The time in an id: for an operation that died between its swap and noting when that was. */
static int64_t id_time(const char *id)
{
    char iso[CLOCK_ISO_BYTES];
    int64_t ms = 0;
    snprintf(iso, sizeof iso, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", id, id + 4, id + 6, id + 9, id + 11, id + 13);
    clock_parse_iso(iso, &ms);
    return ms;
}

static enum err_code read_operation(struct db_conn *c, struct arena *arena, struct operation *op,
                                    struct err *err)
{
    struct db_rows *rows;
    op->archive = "";
    enum err_code code = db_queryf(c, &rows, err, "SELECT k, v FROM `dbsafe_%s`.meta", op->id);
    if (code != ERR_OK)
        return code;
    const char *const *row;
    while ((row = db_row(rows)))
        take_meta(op, arena, row[0], row[1]);
    db_rows_free(rows);
    code = db_queryf(c, &rows, err, "SELECT name FROM `dbsafe_%s`.made", op->id);
    if (code != ERR_OK)
        return code;
    op->schemas = arena_calloc(arena, db_row_count(rows) + 1, sizeof *op->schemas);
    while ((row = db_row(rows)))
        op->schemas[op->schema_count++] = arena_strdup(arena, row[0]);
    db_rows_free(rows);
    code = read_exchanges(c, arena, op, err);
    if (code == ERR_OK)
        code = journal_is_done(c, op, &op->swapped, err);
    if (op->swapped && op->swapped_ms == 0)
        op->swapped_ms = id_time(op->id);
    return code;
}

enum err_code journal_is_done(struct db_conn *c, const struct operation *op, bool *done, struct err *err)
{
    struct db_rows *rows;
    enum err_code code =
        db_queryf(c, &rows, err,
                  "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA='dbsafe_%s'"
                  " AND TABLE_NAME IN ('pending', 'done')",
                  op->id);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    *done = row && strcmp(row[0], "done") == 0;
    db_rows_free(rows);
    return ERR_OK;
}

/* Schemas of our form that hold a marker; those without are remains of a journal that was never finished. */
enum err_code journal_list(struct db_conn *c, struct arena *arena, struct operation **out, unsigned *count,
                           struct err *err)
{
    struct db_rows *rows;
    *count = 0;
    enum err_code code =
        db_query(c,
                 "SELECT SUBSTRING(TABLE_SCHEMA, 8) FROM information_schema.TABLES WHERE TABLE_SCHEMA LIKE"
                 " 'dbsafe\\\\_%' AND TABLE_SCHEMA REGEXP '^dbsafe_[0-9]{8}t[0-9]{9}_[0-9a-f]{4}$'"
                 " AND TABLE_NAME IN ('pending', 'done') ORDER BY 1",
                 &rows, err);
    if (code != ERR_OK)
        return code;
    *out = arena_calloc(arena, db_row_count(rows) + 1, sizeof **out);
    const char *const *row;
    while (code == ERR_OK && (row = db_row(rows))) {
        struct operation *op = &(*out)[(*count)++];
        *op = (struct operation){0};
        snprintf(op->id, sizeof op->id, "%s", row[0]);
        code = read_operation(c, arena, op, err);
        if (code == ERR_DB && (db_errno(c) == NO_SUCH_TABLE || db_errno(c) == NO_SUCH_SCHEMA)) {
            (*count)--; /* another run is just removing it */
            code = ERR_OK;
        }
    }
    db_rows_free(rows);
    return code;
}
