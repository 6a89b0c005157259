#include "restore/finish.h"

#include "archive/digest.h"
#include "core/fault.h"
#include "core/group.h"
#include "core/mem.h"
#include "db/session.h"
#include "restore/loader.h"
#include "restore/owner.h"
#include "restore/stage.h"
#include "rows/scan.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX_BYTES     ((size_t)32 << 20)
#define VERIFY_CHUNK_BYTES ((size_t)256 << 10)
#define BIG_ROW_BYTES      ((size_t)16 << 20)

/* ---- keys ---- */

struct keying {
    struct targets *targets;
    _Atomic unsigned next;
};

struct key_worker {
    struct keying *keying;
    struct loader *loader;
};

static enum err_code alter(struct loader *l, const struct target *t, struct buf *sql, struct err *err)
{
    enum err_code code = fault_point("stage_alter", ERR_DB, err);
    if (code == ERR_OK)
        code = loader_exec(l, t->table, buf_cstr(sql), err);
    if (code != ERR_OK)
        err_wrap(err, "add the keys of %s.%s", t->table->schema, t->table->name);
    return code;
}

/* One ALTER for all ordinary keys, and one for each FULLTEXT key, which the server adds one at a time. */
static enum err_code add_keys(struct loader *l, const struct target *t, struct err *err)
{
    struct buf sql;
    buf_init(&sql, TEXT_MAX_BYTES);
    buf_putf(&sql, "ALTER TABLE %s", t->staging);
    size_t start = sql.len;
    enum err_code code = ERR_OK;
    for (unsigned i = 0; i < t->ddl.item_count; i++)
        if (t->deferred[i] && t->ddl.items[i].kind != DDL_FULLTEXT)
            buf_putf(&sql, "%s ADD %s", sql.len > start ? "," : "", t->ddl.items[i].text);
    if (sql.len > start)
        code = alter(l, t, &sql, err);
    for (unsigned i = 0; code == ERR_OK && i < t->ddl.item_count; i++) {
        if (!t->deferred[i] || t->ddl.items[i].kind != DDL_FULLTEXT)
            continue;
        sql.len = start;
        buf_putf(&sql, " ADD %s", t->ddl.items[i].text);
        code = alter(l, t, &sql, err);
    }
    buf_free(&sql);
    return code;
}

static enum err_code key_tables(void *arg, struct err *err)
{
    struct key_worker *w = arg;
    enum err_code code = ERR_OK;
    for (;;) {
        unsigned i = atomic_fetch_add(&w->keying->next, 1);
        if (code != ERR_OK || i >= w->keying->targets->count)
            return code;
        if (w->keying->targets->items[i].deferred_count)
            code = add_keys(w->loader, &w->keying->targets->items[i], err);
    }
}

static enum err_code check_definition(struct db_conn *c, const struct target *t, struct err *err)
{
    struct buf plain;
    buf_init(&plain, TEXT_MAX_BYTES);
    char hex[SHA256_HEX_BYTES];
    struct db_rows *rows;
    enum err_code code = db_queryf(c, &rows, err, "SHOW CREATE TABLE %s", t->staging);
    if (code == ERR_OK) {
        const char *const *row = db_row(rows);
        ddl_without_auto_increment(row && row[1] ? row[1] : "", &plain);
        digest_of(plain.data, plain.len, hex);
        db_rows_free(rows);
        if (strcmp(hex, t->staged_sha256) != 0)
            code = err_set(err, ERR_DIFFERS, "restore %s.%s: its definition came back differently: %.1000s",
                           t->table->schema, t->table->name, buf_cstr(&plain));
    }
    buf_free(&plain);
    return code;
}

/* Another server version may print the same table in other words: then it is told, not refused. */
static enum err_code check_definitions(const struct run *run, struct db_conn *c, const struct input *in,
                                       const struct targets *t, struct err *err)
{
    const struct manifest *m = input_manifest(in);
    bool same_server = strcmp(m->server.version, db_version(c)) == 0;
    for (unsigned i = 0; i < t->count; i++) {
        enum err_code code = check_definition(c, &t->items[i], err);
        if (code == ERR_DIFFERS && !same_server)
            log_warn(run->log, "%s (this server is %s, the archive's was %s)", err->text, db_version(c),
                     m->server.version);
        else if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

enum err_code finish_tables(const struct run *run, const struct db_params *params, struct db_conn *control,
                            const struct operation *op, const struct input *in, struct targets *t,
                            unsigned threads, struct err *err)
{
    struct keying keying = {.targets = t};
    struct key_worker *workers = xcalloc(threads, sizeof *workers);
    struct group *group = group_new(run->cancel);
    progress_phase(run->progress, "adding keys", 0);
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < threads; i++) {
        workers[i].keying = &keying;
        code = loader_open(run, params, &workers[i].loader, err);
        if (code == ERR_OK)
            code = owner_add_connection(control, op, loader_connection_id(workers[i].loader), err);
    }
    for (unsigned i = 0; code == ERR_OK && i < threads; i++)
        code = group_spawn(group, "keys", key_tables, &workers[i], err);
    if (code != ERR_OK)
        cancel_fire(run->cancel, err);
    enum err_code joined = group_join(group, err);
    group_free(group);
    for (unsigned i = 0; i < threads; i++)
        loader_close(workers[i].loader);
    free(workers);
    code = joined != ERR_OK ? joined : code;
    return code == ERR_OK ? check_definitions(run, control, in, t, err) : code;
}

/* ---- verification ---- */

static enum err_code compare_tables(const struct scan_table *read, unsigned count, struct err *err)
{
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES);
    unsigned differing = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct manifest_table *t = read[i].table;
        if (read[i].rows == t->rows && rowsum_equal(read[i].checksum, t->checksum))
            continue;
        differing++;
        buf_addf(&text, NULL, "%s%s.%s (%" PRIu64 " rows restored, %" PRIu64 " dumped)",
                 differing > 1 ? ", " : "", t->schema, t->name, read[i].rows, t->rows);
    }
    enum err_code code = ERR_OK;
    if (differing)
        code = err_set(err, ERR_DIFFERS, "verify the restored rows: %u tables are not what was dumped: %s",
                       differing, buf_cstr(&text));
    buf_free(&text);
    return code;
}

enum err_code finish_verify(const struct run *run, const struct db_params *params, struct db_conn *control,
                            const struct operation *op, const struct targets *t, unsigned threads,
                            struct err *err)
{
    struct scan_table *read = xcalloc(t->count + 1, sizeof *read);
    struct db_conn **conns = xcalloc(threads, sizeof *conns);
    for (unsigned i = 0; i < t->count; i++)
        read[i] = (struct scan_table){.table = t->items[i].table,
                                      .from = t->items[i].staging,
                                      .rows_estimate = t->items[i].table->rows,
                                      .bytes_estimate = t->items[i].table->plain_bytes};
    progress_phase(run->progress, "verifying", stage_rows(t));
    enum err_code code = fault_point("stage_verify", ERR_DIFFERS, err);
    for (unsigned i = 0; code == ERR_OK && i < threads; i++) {
        code = db_connect(params, run->cancel, &conns[i], err);
        if (code == ERR_OK)
            code = owner_add_connection(control, op, db_id(conns[i]), err);
        if (code == ERR_OK)
            code = session_for_reading(conns[i], err);
    }
    const struct scan_options options = {.chunk_bytes = VERIFY_CHUNK_BYTES, .big_row_bytes = BIG_ROW_BYTES};
    const struct scan_consumer nowhere = {0};
    if (code == ERR_OK)
        code = scan_run(run, conns, threads, read, t->count, &options, &nowhere, err);
    if (code == ERR_OK)
        code = compare_tables(read, t->count, err);
    for (unsigned i = 0; i < threads; i++)
        db_close(conns[i]);
    free(conns);
    free(read);
    return code;
}
