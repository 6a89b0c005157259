#include "recovery/drill.h"

#include "archive/identity.h"
#include "archive/name.h"
#include "core/fault.h"
#include "core/mem.h"
#include "db/flavour.h"
#include "restore/restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTESTATION_MAX_BYTES ((size_t)256 << 20)
#define SWAP_LIMIT_S          60

struct drill {
    const struct run *run;
    struct run
        inner; /* with the server's token, and a log only with -v: staging, swap and undo mean nothing here */
    const struct manifest *manifest;
    const struct drill_options *options;
    struct drill_result *result;
    struct throwaway *server;
};

static enum err_code check_flavour(const struct manifest *m, struct err *err)
{
    if (strcmp(m->server.flavour, "MariaDB") == 0)
        return ERR_OK;
    return err_set(err, ERR_REFUSED,
                   "the archive is of %s %s, and this version drills only with MariaDB, from MariaDB",
                   m->server.flavour, m->server.version);
}

/* "10.11" of 101106. */
static void put_series(struct flavour f, char out[24])
{
    snprintf(out, 24, "%u.%u", f.version / 10000, f.version / 100 % 100);
}

static void tell_versions(const struct drill *d)
{
    struct flavour archive = flavour_of(d->manifest->server.version),
                   here = flavour_of(d->result->server_version);
    char from[24], to[24];
    put_series(archive, from);
    put_series(here, to);
    log_info(d->run->log, "the drill's server is %s, the archive is of %s", d->result->server_version,
             d->manifest->server.version);
    if (here.version / 100 < archive.version / 100)
        log_warn(d->run->log,
                 "the drill's server is older (%s) than the archive's (%s): what only the newer one has"
                 " cannot be restored in it",
                 to, from);
}

/* What new tables, triggers and routines get where their definition does not say it.  A setting that this
 * server does not know is told, and changes no row. */
static void adopt_setting(const struct drill *d, struct db_conn *c, const char *name, const char *value)
{
    struct buf sql;
    struct err err;
    buf_init(&sql, 4096);
    buf_putf(&sql, "SET GLOBAL %s=", name);
    db_quote_text(&sql, value);
    if (db_exec(c, buf_cstr(&sql), &err) != ERR_OK)
        log_warn(d->run->log, "the drill's server does not take %s='%s' of the archive's: %s", name, value,
                 err.text);
    buf_free(&sql);
}

static enum err_code look_at_server(struct drill *d, struct err *err)
{
    struct db_conn *c;
    const struct manifest_server *from = &d->manifest->server;
    enum err_code code = db_connect(throwaway_params(d->server), throwaway_cancel(d->server), &c, err);
    if (code != ERR_OK)
        return code;
    snprintf(d->result->server_version, sizeof d->result->server_version, "%s", db_version(c));
    if (from->charset && from->collation) {
        adopt_setting(d, c, "character_set_server", from->charset);
        adopt_setting(d, c, "collation_server", from->collation);
    }
    if (from->sql_mode)
        adopt_setting(d, c, "sql_mode", from->sql_mode);
    db_close(c);
    d->result->begun = true;
    tell_versions(d);
    return ERR_OK;
}

static enum err_code start_server(struct drill *d, struct err *err)
{
    struct throwaway_options server = d->options->server;
    server.plain_bytes = d->manifest->plain_bytes;
    steps_next(&d->result->steps, "starting a server");
    enum err_code code = throwaway_start(d->run, &server, &d->server, err);
    if (code != ERR_OK)
        return code;
    d->inner = *d->run;
    d->inner.cancel = throwaway_cancel(d->server);
    if (!log_wants(d->run->log, LOG_DEBUG))
        d->inner.log = NULL;
    code = look_at_server(d, err);
    return code == ERR_OK ? fault_point("drill_started", ERR_DB, err) : code;
}

static enum err_code restore(struct drill *d, struct source *src, struct err *err)
{
    const struct restore_options options = {.if_exists = IF_EXISTS_FAIL,
                                            .verify = true,
                                            .threads = d->options->threads,
                                            .lock_timeout_s = SWAP_LIMIT_S,
                                            .assume_no_outside_fks = true,
                                            .archive_name = d->options->archive_name};
    struct restore_result restored;
    steps_next(&d->result->steps, "restoring");
    enum err_code code = restore_run(&d->inner, throwaway_params(d->server), src, &options, &restored, err);
    if (code == ERR_OK)
        code = fault_point("drill_restored", ERR_DB, err);
    if (code == ERR_OK && !restored.verified)
        code = err_set(err, ERR_INTERNAL, "the restored rows were not compared");
    return code;
}

/* Another series of the server prints some definitions in other words: with equal rows that is told, not a
 * failure. restore decides the same way. */
static bool only_words_differ(const struct drill *d)
{
    const struct verify_result *r = &d->result->compared;
    unsigned archive = flavour_of(d->manifest->server.version).version / 100;
    if (archive == flavour_of(d->result->server_version).version / 100)
        return false;
    for (unsigned i = 0; i < r->problem_count; i++)
        if (!strstr(r->problems[i].what, "SHOW CREATE "))
            return false;
    log_warn(
        d->run->log,
        "%u definitions are printed in other words by the drill's server, which is another version; rows are"
        " equal",
        r->problem_count);
    return true;
}

static enum err_code compare(struct drill *d, struct err *err)
{
    const struct verify_options options = {.threads = d->options->threads};
    struct drill_result *r = d->result;
    steps_next(&r->steps, "comparing");
    enum err_code code =
        verify_live(&d->inner, throwaway_params(d->server), d->manifest, &options, &r->compared, err);
    if (code == ERR_DIFFERS && only_words_differ(d))
        code = ERR_OK;
    if (code != ERR_OK)
        return code;
    r->tables = r->compared.tables;
    r->rows = r->compared.rows;
    if (r->tables != d->manifest->table_count || r->rows != d->manifest->rows)
        return err_set(err, ERR_INTERNAL, "the drill compared %llu tables and %llu rows of %u and %llu",
                       (unsigned long long)r->tables, (unsigned long long)r->rows, d->manifest->table_count,
                       (unsigned long long)d->manifest->rows);
    return fault_point("drill_compared", ERR_DB, err);
}

enum err_code drill_run(const struct run *run, struct source *src, const struct manifest *m,
                        const struct drill_options *options, struct drill_result *result, struct err *err)
{
    struct drill d = {.run = run, .manifest = m, .options = options, .result = result};
    struct err own, stopped;
    err = err ? err : &own;
    *result = (struct drill_result){.begun = false};
    steps_begin(&result->steps, run);
    enum err_code code = check_flavour(m, err);
    if (code == ERR_OK)
        code = start_server(&d, err);
    if (code == ERR_OK)
        code = restore(&d, src, err);
    if (code == ERR_OK)
        code = compare(&d, err);
    if (code != ERR_OK && d.server)
        code = throwaway_explain(d.server, code, err);
    steps_next(&result->steps, "removing the server");
    enum err_code removed = throwaway_stop(d.server, &stopped);
    if (removed != ERR_OK)
        log_warn(run->log, "%s", stopped.text);
    steps_end(&result->steps);
    result->passed = code == ERR_OK;
    return code == ERR_OK ? ERR_OK : err_wrap(err, "restore drill");
}

void drill_result_free(struct drill_result *r)
{
    verify_result_free(&r->compared);
}

/* ---- the attestation ---- */

bool drill_is_verdict(enum err_code code)
{
    return code == ERR_OK || code == ERR_DIFFERS || code == ERR_DAMAGED;
}

static void put_tables(struct json_out *j, const struct manifest *m)
{
    char sum[ROWSUM_HEX_BYTES];
    json_out_array_open(j, "tables");
    for (unsigned i = 0; i < m->table_count; i++) {
        const struct manifest_table *t = &m->tables[i];
        rowsum_format(t->checksum, sum);
        json_out_object_open(j, NULL);
        json_out_string(j, "schema", t->schema);
        json_out_string(j, "name", t->name);
        json_out_uint(j, "rows", t->rows);
        json_out_string(j, "checksum", sum);
        json_out_object_close(j);
    }
    json_out_array_close(j);
}

static void put_problems(struct json_out *j, const struct verify_result *r)
{
    json_out_array_open(j, "problems");
    for (unsigned i = 0; i < r->problem_count; i++) {
        json_out_object_open(j, NULL);
        json_out_string(j, "where", r->problems[i].where);
        json_out_string(j, "what", r->problems[i].what);
        json_out_object_close(j);
    }
    json_out_array_close(j);
}

static void put_time(struct json_out *j, const char *key, int64_t wall_ms)
{
    char text[CLOCK_ISO_BYTES];
    clock_format_iso(wall_ms, text);
    json_out_string(j, key, text);
}

static void put_attestation(struct json_out *j, const char *name, struct source *src, const char *identity,
                            const struct manifest *m, const struct drill_result *r, const struct err *why)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    json_out_object_open(j, NULL);
    json_out_uint(j, "dbsafe_drill", 1);
    json_out_bool(j, "passed", r->passed);
    json_out_string(j, "archive", name);
    json_out_string(j, "run_id", m->run_id);
    json_out_uint(j, "bytes", src->size);
    json_out_string(j, "manifest_sha256", identity);
    put_time(j, "started", r->steps.started_ms);
    put_time(j, "finished", r->steps.started_ms + steps_total_ms(&r->steps));
    json_out_string(j, "host", host);
    json_out_string(j, "tool_version", DBSAFE_VERSION);
    json_out_string(j, "server_version", r->server_version);
    json_out_string(j, "archive_server_version", m->server.version);
    json_out_string(j, "error", why ? why->text : NULL);
    put_problems(j, &r->compared);
    json_out_uint(j, "rows", r->rows);
    put_tables(j, m);
    steps_put_json(&r->steps, j);
    json_out_object_close(j);
}

enum err_code drill_attest(const struct run *run, struct store *store, const char *name, struct source *src,
                           const struct manifest *m, const struct drill_result *r, const struct err *why,
                           struct err *err)
{
    char identity[SHA256_HEX_BYTES];
    char *object = xasprintf("%s" DRILL_SUFFIX, name);
    struct buf text;
    struct json_out j;
    buf_init(&text, ATTESTATION_MAX_BYTES);
    enum err_code code = archive_identity(src, identity, err);
    json_out_begin(&j, &text, 1);
    if (code == ERR_OK)
        put_attestation(&j, name, src, identity, m, r, why);
    if (code == ERR_OK)
        code = json_out_end(&j, err);
    if (code == ERR_OK)
        code = buf_addc(&text, '\n', err);
    if (code == ERR_OK)
        code = fault_point("drill_attest", ERR_STORAGE, err);
    if (code == ERR_OK)
        code = store_put_small(store, object, text.data, text.len, err);
    if (code == ERR_OK)
        log_debug(run->log, "attested in %s", object);
    buf_free(&text);
    free(object);
    return code;
}
