#include "restore/loader.h"

#include "archive/member.h"
#include "archive/rowtext.h"
#include "archive/text.h"
#include "core/fault.h"
#include "core/mem.h"
#include "rows/insert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES         5
#define SQL_MAX_BYTES ((size_t)1 << 20)

struct loader {
    const struct run *run;
    struct db_conn *conn;
    struct unpacker *unpacker;
    struct rowtext *rowtext;
    const char *session; /* the settings that the session has now */
    uint64_t sent_bytes; /* text of the member being loaded */
    bool by_insert;      /* LOAD DATA LOCAL is not allowed */
    size_t packet_bytes; /* the server's max_allowed_packet, as of this session */
    uint64_t inserted, insert_warnings;
};

#define PIECE_BYTES ((size_t)256 << 10)

static enum err_code read_server(struct loader *l, struct err *err)
{
    struct db_rows *rows;
    enum err_code code =
        db_query(l->conn, "SELECT @@global.local_infile, @@session.max_allowed_packet", &rows, err);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    l->by_insert = row && row[0] && strcmp(row[0], "0") == 0;
    l->packet_bytes = row && row[1] ? (size_t)strtoull(row[1], NULL, 10) : 1 << 20;
    db_rows_free(rows);
    return ERR_OK;
}

enum err_code loader_open(const struct run *run, const struct db_params *params, struct loader **out,
                          struct err *err)
{
    struct loader *l = xcalloc(1, sizeof *l);
    l->run = run;
    enum err_code code = db_connect(params, run->cancel, &l->conn, err);
    if (code == ERR_OK)
        code = read_server(l, err);
    if (code != ERR_OK) {
        db_close(l->conn);
        free(l);
        return code;
    }
    l->unpacker = unpacker_new();
    l->rowtext = rowtext_new();
    *out = l;
    return ERR_OK;
}

void loader_close(struct loader *l)
{
    if (!l)
        return;
    db_close(l->conn);
    unpacker_free(l->unpacker);
    rowtext_free(l->rowtext);
    free(l);
}

unsigned long loader_connection_id(const struct loader *l)
{
    return db_id(l->conn);
}

/* The settings are a list of statements, each ended by ";\n". */
static enum err_code set_up(struct loader *l, const struct manifest_table *t, struct err *err)
{
    const char *settings = archive_load_session(t);
    if (settings == l->session)
        return ERR_OK;
    enum err_code code = ERR_OK;
    for (const char *p = settings, *end; code == ERR_OK && (end = strstr(p, ";\n")); p = end + 2)
        code = db_execf(l->conn, err, "%.*s", (int)(end - p), p);
    if (code == ERR_OK)
        l->session = settings;
    return code;
}

/* Called by the connection whenever it wants more of the file. */
static enum err_code next_text(void *arg, void *text, size_t max, size_t *got, struct err *err)
{
    struct loader *l = arg;
    enum err_code code = fault_point("load_read", ERR_DAMAGED, err);
    if (code == ERR_OK)
        code = unpacker_read(l->unpacker, text, max, got, err);
    if (code == ERR_OK && *got > 0) {
        rowtext_add(l->rowtext, text, *got);
        l->sent_bytes += *got;
        atomic_fetch_add(&l->run->progress->plain_bytes, *got);
    }
    return code;
}

static enum err_code insert_rows(void *arg, const char *sql, size_t bytes, uint64_t rows, struct err *err)
{
    struct loader *l = arg;
    uint64_t changed = 0, warnings = 0;
    enum err_code code = db_execn(l->conn, sql, bytes, err);
    if (code != ERR_OK)
        return code;
    db_changes(l->conn, &changed, &warnings);
    l->inserted += changed;
    l->insert_warnings += warnings;
    return changed == rows
               ? ERR_OK
               : err_set(err, ERR_DB, "insert %" PRIu64 " rows: the server took %" PRIu64, rows, changed);
}

/* The whole member by INSERT. */
static enum err_code insert_member(struct loader *l, const struct manifest_table *t, const char *into,
                                   struct err *err)
{
    struct insert_writer *w = insert_writer_new(t, into, l->packet_bytes, insert_rows, l);
    char *piece = xmalloc(PIECE_BYTES);
    size_t got = 1;
    enum err_code code = ERR_OK;
    l->inserted = l->insert_warnings = 0;
    while (code == ERR_OK && got > 0) {
        code = next_text(l, piece, PIECE_BYTES, &got, err);
        if (code == ERR_OK)
            code = got ? insert_writer_add(w, piece, got, err) : insert_writer_end(w, err);
    }
    free(piece);
    insert_writer_free(w);
    return code;
}

static enum err_code check_inserted(struct loader *l, const char *into, struct load_figures *figures,
                                    struct err *err)
{
    figures->warnings = l->insert_warnings;
    if (l->inserted == figures->rows)
        return ERR_OK;
    return err_set(err, ERR_DB, "insert into %s: %" PRIu64 " rows were sent, the server took %" PRIu64, into,
                   figures->rows, l->inserted);
}

static enum err_code check_result(struct loader *l, const char *into, struct load_figures *figures,
                                  struct err *err)
{
    uint64_t records = 0, deleted = 0, skipped = 0, warnings = 0;
    const char *info = db_load_info(l->conn);
    if (!info ||
        sscanf(info, "Records: %" SCNu64 " Deleted: %" SCNu64 " Skipped: %" SCNu64 " Warnings: %" SCNu64,
               &records, &deleted, &skipped, &warnings) != 4)
        return err_set(err, ERR_DB, "load into %s: the server did not say how many rows it took", into);
    figures->warnings = warnings;
    if (records == figures->rows && deleted == 0 && skipped == 0)
        return ERR_OK;
    struct buf first;
    buf_init(&first, 4096);
    struct db_rows *rows;
    if (db_query(l->conn, "SHOW WARNINGS LIMIT 1", &rows, NULL) == ERR_OK) {
        const char *const *row = db_row(rows);
        if (row && row[2])
            buf_put(&first, row[2]);
        db_rows_free(rows);
    }
    enum err_code code = err_set(err, ERR_DB,
                                 "load into %s: %" PRIu64 " rows were sent, the server took %" PRIu64
                                 " (%" PRIu64 " skipped, %" PRIu64 " replaced); its first warning: %s",
                                 into, figures->rows, records, skipped, deleted, buf_cstr(&first));
    buf_free(&first);
    return code;
}

/* Text that the server refused may be what damage made of it, which shows at the end of its frame. */
static enum err_code read_to_the_end(struct loader *l, enum err_code code, struct err *err)
{
    char text[16384];
    size_t got = 1;
    struct err damage;
    while (code == ERR_DB && got > 0)
        if (unpacker_read(l->unpacker, text, sizeof text, &got, &damage) != ERR_OK)
            code = err_copy(err, &damage);
    return code;
}

static enum err_code try_load(struct loader *l, const struct manifest_table *t, const char *into,
                              const char *sql, const void *stored, size_t bytes, uint64_t plain_bytes,
                              struct load_figures *figures, struct err *err)
{
    *figures = (struct load_figures){0};
    enum err_code code = unpacker_begin(l->unpacker, stored, bytes, plain_bytes, err);
    if (code == ERR_OK)
        code = db_exec(l->conn, "BEGIN", err);
    if (code != ERR_OK)
        return code;
    struct rowsum dropped;
    rowtext_end(l->rowtext, &figures->rows, &dropped); /* what a failed try left */
    l->sent_bytes = 0;
    code = l->by_insert ? insert_member(l, t, into, err) : db_load(l->conn, sql, next_text, l, err);
    code = read_to_the_end(l, code, err);
    if (code != ERR_OK)
        err_wrap(err, "load %s.%s", t->schema, t->name);
    if (code == ERR_OK && !rowtext_end(l->rowtext, &figures->rows, &figures->checksum))
        code = err_set(err, ERR_DAMAGED, "load %s.%s: the text of a member does not end with a whole row",
                       t->schema, t->name);
    figures->bytes = l->sent_bytes;
    if (code == ERR_OK)
        code = l->by_insert ? check_inserted(l, into, figures, err) : check_result(l, into, figures, err);
    if (code == ERR_OK)
        code = db_exec(l->conn, "COMMIT", err);
    else
        db_exec(l->conn, "ROLLBACK", NULL);
    return code;
}

enum err_code loader_load(struct loader *l, const struct manifest_table *t, const char *into,
                          const void *stored, size_t bytes, uint64_t plain_bytes,
                          struct load_figures *figures, struct err *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    archive_load_statement(t, "dbsafe", into, &sql);
    enum err_code code = set_up(l, t, err);
    for (unsigned i = 0; code == ERR_OK; i++) {
        code = try_load(l, t, into, buf_cstr(&sql), stored, bytes, plain_bytes, figures, err);
        /* Without transactions the rolled-back rows would still be there. */
        if (code != ERR_DB_RETRY || i + 1 == TRIES || !t->transactional)
            break;
        code = clock_backoff(50 << i, l->run->cancel, err);
    }
    buf_free(&sql);
    if (code == ERR_OK)
        atomic_fetch_add(&l->run->progress->rows, figures->rows);
    return code;
}

enum err_code loader_exec(struct loader *l, const struct manifest_table *t, const char *sql, struct err *err)
{
    enum err_code code = set_up(l, t, err);
    return code == ERR_OK ? db_exec(l->conn, sql, err) : code;
}
