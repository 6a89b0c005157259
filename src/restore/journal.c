#include "restore/journal.h"

#include "core/fault.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SQL_MAX_BYTES ((size_t)32 << 20)
/* How long killed connections may take to end, and how often that is looked at. */
#define END_WAIT_MS 10000
#define END_POLL_MS 20
/* Error numbers of the server. */
#define NO_SUCH_TABLE  1146
#define NO_SUCH_SCHEMA 1049

static const char *const STATES[] = {"loading", "verified", "swapped", "undone"};

const char *operation_state_name(enum operation_state s)
{
    return STATES[s];
}

void operation_make_id(const struct run *run, char out[OPERATION_ID_BYTES])
{
    char compact[CLOCK_COMPACT_BYTES];
    int64_t now_ms = clock_wall_ms(run->clock);
    clock_format_compact(now_ms, compact);
    /* Lower case: schema names may be folded by the server. */
    snprintf(out, OPERATION_ID_BYTES, "%.8st%.6s%03d_%.4s", compact, compact + 9, (int)(now_ms % 1000),
             run->run_id);
}

/* ---- who wrote it ---- */

static void read_line(const char *path, char *out, size_t bytes)
{
    out[0] = '\0';
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    if (!fgets(out, (int)bytes, f))
        out[0] = '\0';
    fclose(f);
    out[strcspn(out, "\n")] = '\0';
}

/* Field 22 of /proc/PID/stat (proc(5)): start time since boot; "" when there is no such process. */
static void process_start(long pid, char out[32])
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    read_line(path, line, sizeof line);
    out[0] = '\0';
    const char *p = strrchr(line, ')');  /* the name before it may hold spaces */
    if (p && p[1] == ' ' && p[2] == 'Z') /* ended, and nobody has asked how */
        p = NULL;
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    if (p)
        snprintf(out, 32, "%.*s", (int)strcspn(p + 1, " "), p + 1);
}

void journal_describe_owner(long pid, char out[OWNER_BYTES])
{
    char host[128] = "?", boot[64], start[32];
    gethostname(host, sizeof host - 1);
    read_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    process_start(pid, start);
    snprintf(out, OWNER_BYTES, "%s %s %ld %s", host, boot, pid, start);
}

bool journal_owner_is_elsewhere(const struct operation *op)
{
    char here[OWNER_BYTES];
    journal_describe_owner((long)getpid(), here);
    size_t host_and_boot = strcspn(here, " ") + 1;
    host_and_boot += strcspn(here + host_and_boot, " ") + 1;
    return op->owner && strncmp(here, op->owner, host_and_boot) != 0;
}

bool journal_owner_is_alive(const struct operation *op)
{
    char host[128], boot[64], now[OWNER_BYTES];
    long pid;
    if (!op->owner || sscanf(op->owner, "%127s %63s %ld", host, boot, &pid) != 3)
        return false;
    journal_describe_owner(pid, now);
    return strcmp(now, op->owner) == 0;
}

enum err_code journal_identify(struct db_conn *c, struct arena *arena, struct operation *op, struct err *err)
{
    char owner[OWNER_BYTES];
    journal_describe_owner((long)getpid(), owner);
    op->owner = arena_strdup(arena, owner);
    struct db_rows *rows;
    enum err_code code = db_query(c, "SHOW GLOBAL STATUS LIKE 'Uptime'", &rows, err);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    int64_t uptime = row && row[1] ? strtoll(row[1], NULL, 10) : 0;
    db_rows_free(rows);
    /* By the server's clock: this host's may be set in between. */
    struct buf now;
    buf_init(&now, 64);
    code = db_scalar(c, "SELECT UNIX_TIMESTAMP()", &now, NULL, err);
    op->server_start = arena_printf(arena, "%" PRId64, (int64_t)strtoll(buf_cstr(&now), NULL, 10) - uptime);
    buf_free(&now);
    return code;
}

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
        buf_put(sql, ")");
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

/* SELECT GET_LOCK(...): *got tells. */
static enum err_code lock_journal(struct db_conn *c, const char *id, bool *got, struct err *err)
{
    struct db_rows *rows;
    enum err_code code = db_queryf(c, &rows, err, "SELECT GET_LOCK('dbsafe:journal:%s', 0)", id);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    *got = row && row[0] && row[0][0] == '1';
    db_rows_free(rows);
    return ERR_OK;
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
        " incoming_schema VARCHAR(64), outgoing_schema VARCHAR(64)) ENGINE=InnoDB CHARACTER SET utf8mb4 "
        "COLLATE utf8mb4_bin",
        "CREATE TABLE `dbsafe_%s`.made (name VARCHAR(64) PRIMARY KEY) ENGINE=InnoDB CHARACTER SET utf8mb4 "
        "COLLATE utf8mb4_bin",
        "CREATE TABLE `dbsafe_%s`.connection (id BIGINT UNSIGNED PRIMARY KEY) ENGINE=InnoDB"};
    bool got;
    enum err_code code = lock_journal(c, op->id, &got, err);
    char sql[512];
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
    return code == ERR_OK ? set_meta(c, op, "verified", op->verified ? "1" : "0", err) : code;
}

enum err_code journal_add_connection(struct db_conn *c, const struct operation *op, unsigned long id,
                                     struct err *err)
{
    return db_execf(c, err, "REPLACE INTO `dbsafe_%s`.connection VALUES (%lu)", op->id, id);
}

/* A server that was restarted since has given the numbers to others. */
static enum err_code same_server_life(struct db_conn *c, const struct operation *op, bool *same,
                                      struct err *err)
{
    struct operation now = {0};
    struct arena *arena = arena_new();
    enum err_code code = journal_identify(c, arena, &now, err);
    *same = code == ERR_OK && op->server_start &&
            llabs(strtoll(now.server_start, NULL, 10) - strtoll(op->server_start, NULL, 10)) <= 3;
    arena_free(arena);
    return code;
}

/* *left: how many were still there. */
static enum err_code kill_connections(struct db_conn *c, const struct operation *op, uint64_t *left,
                                      struct err *err)
{
    struct db_rows *rows;
    enum err_code code = db_queryf(
        c, &rows, err,
        "SELECT c.id FROM `dbsafe_%s`.connection c JOIN information_schema.PROCESSLIST p ON p.ID = c.id"
        " WHERE p.USER = LEFT(USER(), CHAR_LENGTH(USER()) - LOCATE('@', REVERSE(USER()))) AND p.ID <> "
        "CONNECTION_ID()",
        op->id);
    if (code != ERR_OK)
        return code;
    *left = db_row_count(rows);
    const char *const *row;
    while (code == ERR_OK && (row = db_row(rows)))
        code = db_kill(c, strtoul(row[0], NULL, 10), err);
    db_rows_free(rows);
    return code;
}

enum err_code journal_end_connections(struct db_conn *c, const struct operation *op, struct err *err)
{
    bool same;
    enum err_code code = same_server_life(c, op, &same, err);
    if (code != ERR_OK || !same)
        return code;
    int64_t deadline = clock_monotonic_ms(clock_system()) + END_WAIT_MS;
    for (;;) {
        uint64_t left;
        code = kill_connections(c, op, &left, err);
        if (code != ERR_OK || left == 0)
            return code;
        if (clock_monotonic_ms(clock_system()) >= deadline)
            return err_set(err, ERR_TIMEOUT,
                           "end the connections of %s: %" PRIu64 " still work %d s after they were killed",
                           op->id, left, END_WAIT_MS / 1000);
        clock_backoff(END_POLL_MS, NULL, NULL);
    }
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
        for (unsigned i = 0; i < sizeof STATES / sizeof STATES[0]; i++)
            if (strcmp(STATES[i], value) == 0)
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
    enum err_code code = db_queryf(c, &rows, err,
                                   "SELECT target_schema, target_name, incoming_schema, outgoing_schema"
                                   " FROM `dbsafe_%s`.exchange ORDER BY n",
                                   op->id);
    if (code != ERR_OK)
        return code;
    op->exchanges = arena_calloc(arena, db_row_count(rows) + 1, sizeof *op->exchanges);
    const char *const *row;
    while ((row = db_row(rows)))
        op->exchanges[op->exchange_count++] =
            (struct exchange){arena_strdup(arena, row[0]), arena_strdup(arena, row[1]),
                              copy_or_null(arena, row[2]), copy_or_null(arena, row[3])};
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

/* ---- removing ---- */

static bool is_own(const char *schema)
{
    return strncmp(schema, "dbsafe_", 7) == 0;
}

/* The names come from tables on the server: whoever may write those must not choose what is dropped here. */
static enum err_code drop_schema(struct db_conn *c, const char *schema, struct err *err)
{
    if (!is_own(schema))
        return err_set(err, ERR_REFUSED,
                       "drop database %s: a journal says that dbsafe made it, but its own begin with dbsafe_",
                       schema);
    struct buf sql;
    buf_init(&sql, 1024);
    buf_put(&sql, "DROP DATABASE IF EXISTS ");
    db_quote_name(&sql, schema);
    enum err_code code = db_exec(c, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}

/* The tables that are dropped may refer to each other. */
static enum err_code without_key_checks(struct db_conn *c, struct err *err)
{
    return db_exec(c, "SET SESSION foreign_key_checks=0", err);
}

static bool is_staging(const char *schema)
{
    return strncmp(schema, "dbsafe_stage_", 13) == 0;
}

static bool was_made(const struct operation *op, const char *schema)
{
    for (unsigned i = 0; i < op->schema_count; i++)
        if (strcmp(op->schemas[i], schema) == 0)
            return true;
    return false;
}

enum err_code journal_drop_staging(struct db_conn *c, const struct operation *op, struct err *err)
{
    enum err_code code = without_key_checks(c, err);
    for (unsigned i = 0; code == ERR_OK && i < op->schema_count; i++)
        if (is_staging(op->schemas[i]))
            code = drop_schema(c, op->schemas[i], err);
    return code;
}

/* A table that stands in a schema which the user named (--staging-schema, --undo-schema): only the table is
 * ours. */
static enum err_code drop_tables_in_given(struct db_conn *c, const struct operation *op,
                                          const struct journal_given *given, struct err *err)
{
    struct buf sql;
    buf_init(&sql, 4096);
    const char *named = op->swapped ? given->undo_schema : given->staging_schema;
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && op->state != OPERATION_UNDONE && i < op->exchange_count; i++) {
        const struct exchange *x = &op->exchanges[i];
        const char *schema = op->swapped ? x->outgoing_schema : op->is_undo ? NULL : x->incoming_schema;
        /* What an undo brings in is the undo data of the operation before: not its own. */
        if (!schema || was_made(op, schema))
            continue;
        if (!is_own(schema) && (!named || strcmp(named, schema) != 0)) {
            code = err_set(
                err, ERR_REFUSED,
                "drop %s.%s: the journal of %s says that it is dbsafe's, but that database is not; if it"
                " is the one you named for it, say so again: --%s-schema %s",
                schema, x->name, op->id, op->swapped ? "undo" : "staging", schema);
            break;
        }
        buf_clear(&sql);
        buf_put(&sql, "DROP TABLE IF EXISTS ");
        db_quote_pair(&sql, schema, x->name);
        code = db_exec(c, buf_cstr(&sql), err);
    }
    buf_free(&sql);
    return code;
}

enum err_code journal_drop(struct db_conn *c, const struct operation *op, const struct journal_given *given,
                           struct err *err)
{
    char name[64];
    snprintf(name, sizeof name, "dbsafe_%s", op->id);
    enum err_code code = without_key_checks(c, err);
    if (code == ERR_OK)
        code = drop_tables_in_given(c, op, given, err);
    for (unsigned i = 0; code == ERR_OK && i < op->schema_count; i++)
        code = drop_schema(c, op->schemas[i], err);
    /* The marker goes first: a server that dies in DROP DATABASE may leave any part of the rest. */
    if (code == ERR_OK)
        code = db_execf(c, err, "DROP TABLE IF EXISTS `%s`.pending, `%s`.done", name, name);
    return code == ERR_OK ? drop_schema(c, name, err) : code;
}

/* The ids of schemas of our form that hold no marker. */
static enum err_code query_markerless(struct db_conn *c, struct db_rows **rows, struct err *err)
{
    return db_query(
        c,
        "SELECT SUBSTRING(SCHEMA_NAME, 8) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME REGEXP"
        " '^dbsafe_[0-9]{8}t[0-9]{9}_[0-9a-f]{4}$' AND SCHEMA_NAME NOT IN"
        " (SELECT TABLE_SCHEMA FROM information_schema.TABLES WHERE TABLE_NAME IN ('pending', 'done'))",
        rows, err);
}

static enum err_code is_markerless(struct db_conn *c, const char *id, bool *is, struct err *err)
{
    struct db_rows *rows;
    enum err_code code = query_markerless(c, &rows, err);
    *is = false;
    if (code != ERR_OK)
        return code;
    const char *const *row;
    while ((row = db_row(rows)))
        *is |= strcmp(row[0], id) == 0;
    db_rows_free(rows);
    return ERR_OK;
}

/* The list may be older than the marker of a run that is just beginning: under its lock it is asked again. */
static enum err_code sweep_one(struct db_conn *c, const char *id, struct err *err)
{
    bool got, is = false;
    char name[64];
    snprintf(name, sizeof name, "dbsafe_%s", id);
    enum err_code code = lock_journal(c, id, &got, err);
    if (code != ERR_OK || !got)
        return code;
    code = is_markerless(c, id, &is, err);
    if (code == ERR_OK && is)
        code = drop_schema(c, name, err);
    if (code == ERR_OK)
        code = db_execf(c, err, "DO RELEASE_LOCK('dbsafe:journal:%s')", id);
    return code;
}

enum err_code journal_sweep(struct db_conn *c, struct err *err)
{
    struct db_rows *rows;
    enum err_code code = query_markerless(c, &rows, err);
    if (code != ERR_OK)
        return code;
    const char *const *row;
    while (code == ERR_OK && (row = db_row(rows)))
        code = sweep_one(c, row[0], err);
    db_rows_free(rows);
    return code;
}

enum err_code journal_lock_schema(struct db_conn *c, const char *schema, unsigned wait_s, struct err *err)
{
    struct buf sql;
    buf_init(&sql, 4096);
    buf_put(&sql, "SELECT GET_LOCK(CONCAT('dbsafe:', MD5(");
    db_quote_text(&sql, schema);
    buf_putf(&sql, ")), %u), IS_USED_LOCK(CONCAT('dbsafe:', MD5(", wait_s);
    db_quote_text(&sql, schema);
    buf_put(&sql, ")))");
    struct db_rows *rows;
    enum err_code code = db_query(c, buf_cstr(&sql), &rows, err);
    buf_free(&sql);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    if (!row || !row[0] || strcmp(row[0], "1") != 0)
        code = err_set(err, ERR_LOCKED,
                       "lock database %s for a swap: another dbsafe holds it (connection %s of the server)",
                       schema, row && row[1] ? row[1] : "?");
    db_rows_free(rows);
    return code;
}
