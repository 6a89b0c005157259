/* The manifest as JSON.  docs/dbsafe-archive.5 describes every key; restore.sh relies on one key a line, in
 * this order. */
#include "archive/manifest.h"
#include "archive/manifest_parts.h"
#include "core/json_out.h"

#include <stdio.h>

static const char *or_empty(const char *s)
{
    return s != NULL ? s : "";
}

static void write_rowsum(struct json_out *j, const char *key, struct rowsum sum)
{
    char hex[ROWSUM_HEX_BYTES];
    rowsum_format(sum, hex);
    json_out_string(j, key, hex);
}

static void write_columns(struct json_out *j, const struct manifest_table *t)
{
    json_out_array_open(j, "columns");
    for (unsigned i = 0; i < t->column_count; i++) {
        const struct manifest_column *c = &t->columns[i];
        json_out_object_open(j, NULL);
        json_out_string(j, "name", c->name);
        json_out_string(j, "type", c->type);
        json_out_string(j, "charset", c->charset);
        json_out_string(j, "select", c->select_expr);
        json_out_string(j, "load", c->load_expr);
        json_out_bool(j, "plain", c->plain);
        json_out_bool(j, "nullable", c->nullable);
        json_out_object_close(j);
    }
    json_out_array_close(j);
}

static void write_key(struct json_out *j, const struct manifest_key *key)
{
    if (key->name == NULL) {
        json_out_null(j, "key");
        return;
    }
    json_out_object_open(j, "key");
    json_out_string(j, "name", key->name);
    json_out_array_open(j, "columns");
    for (unsigned i = 0; i < key->column_count; i++)
        json_out_uint(j, NULL, key->columns[i]);
    json_out_array_close(j);
    json_out_bool(j, "nullable", key->nullable);
    json_out_object_close(j);
}

static void write_foreign_keys(struct json_out *j, const struct manifest_table *t)
{
    json_out_array_open(j, "foreign_keys");
    for (unsigned i = 0; i < t->foreign_key_count; i++) {
        json_out_object_open(j, NULL);
        json_out_string(j, "name", t->foreign_keys[i].name);
        json_out_string(j, "parent_schema", t->foreign_keys[i].parent_schema);
        json_out_string(j, "parent_table", t->foreign_keys[i].parent_table);
        json_out_object_close(j);
    }
    json_out_array_close(j);
}

/* What is known before the table's data is read: all that .load.sql repeats. */
static void write_table_head(struct json_out *j, const struct manifest_table *t, unsigned format)
{
    char next[24];
    json_out_uint(j, "number", t->number);
    json_out_string(j, "schema", t->schema);
    json_out_string(j, "name", t->name);
    json_out_string(j, "dir", t->dir);
    json_out_string(j, "engine", or_empty(t->engine));
    json_out_bool(j, "transactional", t->transactional);
    json_out_bool(j, "system_versioned", t->system_versioned);
    json_out_string(j, "ddl_sha256", t->ddl_sha256);
    /* a string: BIGINT UNSIGNED goes beyond what JSON readers take for an integer */
    snprintf(next, sizeof next, "%llu", (unsigned long long)t->auto_increment);
    json_out_string(j, "auto_increment", next);
    write_columns(j, t);
    write_key(j, &t->key);
    json_out_array_open(j, "triggers");
    for (unsigned i = 0; i < t->trigger_count; i++)
        json_out_string(j, NULL, t->triggers[i]);
    json_out_array_close(j);
    if (format < 2)
        return;
    write_foreign_keys(j, t);
    manifest_put_names(j, "sequences", t->sequences, t->sequence_count);
}

static void write_tables(struct json_out *j, const struct manifest *m)
{
    json_out_array_open(j, "tables");
    for (unsigned i = 0; i < m->table_count; i++) {
        const struct manifest_table *t = &m->tables[i];
        json_out_object_open(j, NULL);
        write_table_head(j, t, m->format);
        json_out_uint(j, "rows", t->rows);
        json_out_uint(j, "plain_bytes", t->plain_bytes);
        json_out_uint(j, "stored_bytes", t->stored_bytes);
        write_rowsum(j, "checksum", t->checksum);
        json_out_bool(j, "counted", t->counted);
        json_out_object_close(j);
    }
    json_out_array_close(j);
}

static void write_member(struct json_out *j, const struct manifest_member *member)
{
    json_out_object_open(j, NULL);
    json_out_string(j, "path", member->path);
    json_out_uint(j, "table", member->table);
    json_out_uint(j, "offset", member->offset);
    json_out_uint(j, "length", member->length);
    json_out_string(j, "sha256", member->sha256);
    if (member->kind == MEMBER_OBJECT)
        json_out_uint(j, "object", member->object);
    if (member->kind == MEMBER_DATA) {
        json_out_uint(j, "plain_length", member->plain_length);
        json_out_uint(j, "rows", member->rows);
        write_rowsum(j, "checksum", member->checksum);
        json_out_uint(j, "load_warnings", member->load_warnings);
        json_out_string(j, "key_first", member->key_first);
        json_out_string(j, "key_last", member->key_last);
    }
    json_out_object_close(j);
}

static void write_server(struct json_out *j, const struct manifest_server *s)
{
    json_out_object_open(j, "server");
    json_out_string(j, "version", or_empty(s->version));
    json_out_string(j, "flavour", or_empty(s->flavour));
    json_out_string(j, "sql_mode", or_empty(s->sql_mode));
    json_out_string(j, "time_zone", or_empty(s->time_zone));
    json_out_string(j, "charset", or_empty(s->charset));
    json_out_string(j, "collation", or_empty(s->collation));
    json_out_object_close(j);
}

static void write_consistency(struct json_out *j, const struct manifest_consistency *c)
{
    json_out_object_open(j, "consistency");
    json_out_string(j, "method", or_empty(c->method));
    json_out_string(j, "proof", or_empty(c->proof));
    json_out_uint(j, "tries", c->tries);
    json_out_string(j, "gtid", c->gtid);
    json_out_array_open(j, "workers");
    for (unsigned i = 0; i < c->worker_count; i++) {
        json_out_object_open(j, NULL);
        json_out_string(j, "binlog_file", or_empty(c->workers[i].binlog_file));
        json_out_uint(j, "binlog_position", c->workers[i].binlog_position);
        json_out_object_close(j);
    }
    json_out_array_close(j);
    json_out_uint(j, "trx_before", c->trx_before);
    json_out_uint(j, "trx_after", c->trx_after);
    json_out_object_close(j);
}

static void write_objects(struct json_out *j, const struct manifest *m)
{
    json_out_array_open(j, "objects");
    for (unsigned i = 0; i < m->object_count; i++) {
        json_out_object_open(j, NULL);
        manifest_put_object(j, &m->objects[i]);
        json_out_object_close(j);
    }
    json_out_array_close(j);
}

static void write_lists(struct json_out *j, const struct manifest *m)
{
    json_out_array_open(j, "schemas");
    for (unsigned i = 0; i < m->schema_count; i++) {
        json_out_object_open(j, NULL);
        manifest_put_schema(j, &m->schemas[i], m->format);
        json_out_object_close(j);
    }
    json_out_array_close(j);
    write_tables(j, m);
    if (m->format >= 2)
        write_objects(j, m);
    json_out_array_open(j, "warnings");
    for (unsigned i = 0; i < m->warning_count; i++) {
        json_out_object_open(j, NULL);
        json_out_string(j, "object", or_empty(m->warnings[i].object));
        json_out_string(j, "text", or_empty(m->warnings[i].text));
        json_out_object_close(j);
    }
    json_out_array_close(j);
    json_out_array_open(j, "members");
    for (size_t i = 0; i < m->member_count; i++)
        write_member(j, &m->members[i]);
    json_out_array_close(j);
}

enum err_code manifest_write(const struct manifest *m, struct buf *out, struct err *err)
{
    struct json_out j;
    json_out_begin(&j, out, 1);
    json_out_object_open(&j, NULL);
    json_out_uint(&j, "format", m->format);
    json_out_string(&j, "tool_version", or_empty(m->tool_version));
    json_out_string(&j, "label", or_empty(m->label));
    json_out_string(&j, "run_id", or_empty(m->run_id));
    json_out_int(&j, "started_ms", m->started_ms);
    json_out_int(&j, "finished_ms", m->finished_ms);
    json_out_int(&j, "snapshot_ms", m->snapshot_ms);
    write_server(&j, &m->server);
    write_consistency(&j, &m->consistency);
    json_out_uint(&j, "rows", m->rows);
    json_out_uint(&j, "plain_bytes", m->plain_bytes);
    write_lists(&j, m);
    json_out_object_close(&j);
    enum err_code rc = json_out_end(&j, err);
    return rc == ERR_OK ? buf_addc(out, '\n', err) : rc;
}

enum err_code manifest_table_write(const struct manifest_table *t, unsigned format, struct buf *out,
                                   struct err *err)
{
    struct json_out j;
    json_out_begin(&j, out, 0);
    json_out_object_open(&j, NULL);
    write_table_head(&j, t, format);
    json_out_object_close(&j);
    return json_out_end(&j, err);
}
