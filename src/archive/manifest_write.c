/* The manifest as JSON.  docs/dbsafe-archive.5 describes every key; restore.sh relies on one key a line, in
 * this order. */
#include "archive/manifest.h"
#include "core/json_out.h"

#include <stdio.h>

static const char *or_empty(const char *s)
{
    return s != NULL ? s : "";
}

static void write_rowsum(struct json *j, const char *key, struct rowsum sum)
{
    char hex[ROWSUM_HEX_BYTES];
    rowsum_format(sum, hex);
    json_string(j, key, hex);
}

static void write_columns(struct json *j, const struct manifest_table *t)
{
    json_array_open(j, "columns");
    for (unsigned i = 0; i < t->column_count; i++) {
        const struct manifest_column *c = &t->columns[i];
        json_object_open(j, NULL);
        json_string(j, "name", c->name);
        json_string(j, "type", c->type);
        json_string(j, "charset", c->charset);
        json_string(j, "select", c->select_expr);
        json_string(j, "load", c->load_expr);
        json_bool(j, "plain", c->plain);
        json_bool(j, "nullable", c->nullable);
        json_object_close(j);
    }
    json_array_close(j);
}

static void write_key(struct json *j, const struct manifest_key *key)
{
    if (key->name == NULL) {
        json_null(j, "key");
        return;
    }
    json_object_open(j, "key");
    json_string(j, "name", key->name);
    json_array_open(j, "columns");
    for (unsigned i = 0; i < key->column_count; i++)
        json_uint(j, NULL, key->columns[i]);
    json_array_close(j);
    json_bool(j, "nullable", key->nullable);
    json_object_close(j);
}

/* What is known before the table's data is read: all that .load.sql repeats. */
static void write_table_head(struct json *j, const struct manifest_table *t)
{
    char next[24];
    json_uint(j, "number", t->number);
    json_string(j, "schema", t->schema);
    json_string(j, "name", t->name);
    json_string(j, "dir", t->dir);
    json_string(j, "engine", or_empty(t->engine));
    json_bool(j, "transactional", t->transactional);
    json_bool(j, "system_versioned", t->system_versioned);
    json_string(j, "ddl_sha256", t->ddl_sha256);
    /* a string: BIGINT UNSIGNED goes beyond what JSON readers take for an integer */
    snprintf(next, sizeof next, "%llu", (unsigned long long)t->auto_increment);
    json_string(j, "auto_increment", next);
    write_columns(j, t);
    write_key(j, &t->key);
    json_array_open(j, "triggers");
    for (unsigned i = 0; i < t->trigger_count; i++)
        json_string(j, NULL, t->triggers[i]);
    json_array_close(j);
}

static void write_tables(struct json *j, const struct manifest *m)
{
    json_array_open(j, "tables");
    for (unsigned i = 0; i < m->table_count; i++) {
        const struct manifest_table *t = &m->tables[i];
        json_object_open(j, NULL);
        write_table_head(j, t);
        json_uint(j, "rows", t->rows);
        json_uint(j, "plain_bytes", t->plain_bytes);
        json_uint(j, "stored_bytes", t->stored_bytes);
        write_rowsum(j, "checksum", t->checksum);
        json_bool(j, "counted", t->counted);
        json_object_close(j);
    }
    json_array_close(j);
}

static void write_member(struct json *j, const struct manifest_member *member)
{
    json_object_open(j, NULL);
    json_string(j, "path", member->path);
    json_uint(j, "table", member->table);
    json_uint(j, "offset", member->offset);
    json_uint(j, "length", member->length);
    json_string(j, "sha256", member->sha256);
    if (member->kind == MEMBER_DATA) {
        json_uint(j, "plain_length", member->plain_length);
        json_uint(j, "rows", member->rows);
        write_rowsum(j, "checksum", member->checksum);
        json_uint(j, "load_warnings", member->load_warnings);
        json_string(j, "key_first", member->key_first);
        json_string(j, "key_last", member->key_last);
    }
    json_object_close(j);
}

static void write_server(struct json *j, const struct manifest_server *s)
{
    json_object_open(j, "server");
    json_string(j, "version", or_empty(s->version));
    json_string(j, "flavour", or_empty(s->flavour));
    json_string(j, "sql_mode", or_empty(s->sql_mode));
    json_string(j, "time_zone", or_empty(s->time_zone));
    json_string(j, "charset", or_empty(s->charset));
    json_string(j, "collation", or_empty(s->collation));
    json_object_close(j);
}

static void write_consistency(struct json *j, const struct manifest_consistency *c)
{
    json_object_open(j, "consistency");
    json_string(j, "method", or_empty(c->method));
    json_string(j, "proof", or_empty(c->proof));
    json_uint(j, "tries", c->tries);
    json_string(j, "gtid", c->gtid);
    json_array_open(j, "workers");
    for (unsigned i = 0; i < c->worker_count; i++) {
        json_object_open(j, NULL);
        json_string(j, "binlog_file", or_empty(c->workers[i].binlog_file));
        json_uint(j, "binlog_position", c->workers[i].binlog_position);
        json_object_close(j);
    }
    json_array_close(j);
    json_uint(j, "trx_before", c->trx_before);
    json_uint(j, "trx_after", c->trx_after);
    json_object_close(j);
}

static void write_lists(struct json *j, const struct manifest *m)
{
    json_array_open(j, "schemas");
    for (unsigned i = 0; i < m->schema_count; i++) {
        json_object_open(j, NULL);
        json_string(j, "name", m->schemas[i].name);
        json_string(j, "charset", m->schemas[i].charset);
        json_string(j, "collation", m->schemas[i].collation);
        json_object_close(j);
    }
    json_array_close(j);
    write_tables(j, m);
    json_array_open(j, "warnings");
    for (unsigned i = 0; i < m->warning_count; i++) {
        json_object_open(j, NULL);
        json_string(j, "object", or_empty(m->warnings[i].object));
        json_string(j, "text", or_empty(m->warnings[i].text));
        json_object_close(j);
    }
    json_array_close(j);
    json_array_open(j, "members");
    for (size_t i = 0; i < m->member_count; i++)
        write_member(j, &m->members[i]);
    json_array_close(j);
}

enum err_code manifest_write(const struct manifest *m, struct buf *out, struct err *err)
{
    struct json j;
    json_begin(&j, out, 1);
    json_object_open(&j, NULL);
    json_uint(&j, "format", m->format);
    json_string(&j, "tool_version", or_empty(m->tool_version));
    json_string(&j, "label", or_empty(m->label));
    json_string(&j, "run_id", or_empty(m->run_id));
    json_int(&j, "started_ms", m->started_ms);
    json_int(&j, "finished_ms", m->finished_ms);
    json_int(&j, "snapshot_ms", m->snapshot_ms);
    write_server(&j, &m->server);
    write_consistency(&j, &m->consistency);
    json_uint(&j, "rows", m->rows);
    json_uint(&j, "plain_bytes", m->plain_bytes);
    write_lists(&j, m);
    json_object_close(&j);
    enum err_code rc = json_end(&j, err);
    return rc == ERR_OK ? buf_addc(out, '\n', err) : rc;
}

enum err_code manifest_table_write(const struct manifest_table *t, struct buf *out, struct err *err)
{
    struct json j;
    json_begin(&j, out, 0);
    json_object_open(&j, NULL);
    write_table_head(&j, t);
    json_object_close(&j);
    return json_end(&j, err);
}
