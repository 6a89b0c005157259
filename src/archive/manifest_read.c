/* The manifest back from JSON. */
#include "archive/manifest_parts.h"
#include "archive/reader.h"
#include "archive/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t auto_increment(struct json_in *r, const json_t *object)
{
    char again[24];
    const char *s = json_in_text(r, object, "auto_increment");
    unsigned long long n = strtoull(s, NULL, 10);
    snprintf(again, sizeof again, "%llu", n);
    if (strcmp(s, again) != 0)
        json_in_fail(r, "auto_increment is no number in a string");
    return n;
}

static void read_columns(struct json_in *r, const json_t *o, struct manifest_table *t)
{
    const json_t *a;
    t->column_count = (unsigned)json_in_list(r, o, "columns", 65535, &a);
    struct manifest_column *columns = arena_calloc(r->arena, t->column_count, sizeof *columns);
    t->columns = columns;
    for (unsigned i = 0; i < t->column_count; i++) {
        const json_t *c = json_array_get(a, i);
        columns[i] = (struct manifest_column){
            .name = json_in_text(r, c, "name"),
            .type = json_in_text(r, c, "type"),
            .charset = json_in_text_or_null(r, c, "charset"),
            .select_expr = json_in_text(r, c, "select"),
            .load_expr = json_in_text_or_null(r, c, "load"),
            .plain = json_in_flag(r, c, "plain"),
            .nullable = json_in_flag(r, c, "nullable"),
        };
    }
}

static void read_key(struct json_in *r, const json_t *o, struct manifest_table *t)
{
    const json_t *k = json_object_get(o, "key"), *a;
    if (json_is_null(k))
        return;
    t->key.name = json_in_text(r, k, "name");
    t->key.column_count = (unsigned)json_in_list(r, k, "columns", t->column_count, &a);
    t->key.nullable = json_in_flag(r, k, "nullable");
    unsigned *columns = arena_calloc(r->arena, t->key.column_count, sizeof *columns);
    t->key.columns = columns;
    if (t->key.column_count == 0 || t->column_count == 0)
        json_in_fail(r, "key has no columns");
    for (unsigned i = 0; i < t->key.column_count; i++)
        columns[i] =
            (unsigned)json_in_number_value(r, json_array_get(a, i), "key.columns", t->column_count - 1);
}

static void read_triggers(struct json_in *r, const json_t *o, struct manifest_table *t)
{
    const json_t *a;
    t->trigger_count = (unsigned)json_in_list(r, o, "triggers", JSON_IN_LIST_MAX, &a);
    const char **triggers = arena_calloc(r->arena, t->trigger_count, sizeof *triggers);
    t->triggers = triggers;
    for (unsigned i = 0; i < t->trigger_count; i++) {
        const json_t *name = json_array_get(a, i);
        if (!json_is_string(name))
            json_in_fail(r, "triggers holds something that is no string");
        else
            triggers[i] = arena_strdup(r->arena, json_string_value(name));
    }
}

static void read_foreign_keys(struct json_in *r, const json_t *o, struct manifest_table *t)
{
    const json_t *a;
    t->foreign_key_count = (unsigned)json_in_list(r, o, "foreign_keys", JSON_IN_LIST_MAX, &a);
    struct manifest_foreign_key *keys = arena_calloc(r->arena, t->foreign_key_count, sizeof *keys);
    t->foreign_keys = keys;
    for (unsigned i = 0; i < t->foreign_key_count; i++) {
        const json_t *k = json_array_get(a, i);
        keys[i] =
            (struct manifest_foreign_key){json_in_text(r, k, "name"), json_in_text(r, k, "parent_schema"),
                                          json_in_text(r, k, "parent_table")};
    }
}

static void read_table_head(struct json_in *r, const json_t *o, unsigned format, struct manifest_table *t)
{
    *t = (struct manifest_table){
        .number = (unsigned)json_in_number(r, o, "number", JSON_IN_LIST_MAX),
        .schema = json_in_text(r, o, "schema"),
        .name = json_in_text(r, o, "name"),
        .dir = json_in_text(r, o, "dir"),
        .engine = json_in_text(r, o, "engine"),
        .transactional = json_in_flag(r, o, "transactional"),
        .system_versioned = json_in_flag(r, o, "system_versioned"),
        .ddl_sha256 = json_in_hex_digest(r, o, "ddl_sha256"),
        .auto_increment = auto_increment(r, o),
    };
    /* dir becomes part of paths */
    if (t->number == 0 || strcmp(t->dir, archive_slug(r->arena, t->number, t->name)) != 0)
        json_in_fail(r, "dir does not follow from number and name");
    read_columns(r, o, t);
    read_key(r, o, t);
    read_triggers(r, o, t);
    if (format < 2)
        return;
    read_foreign_keys(r, o, t);
    t->sequences = manifest_take_names(r, o, "sequences", &t->sequence_count);
}

static void read_tables(struct json_in *r, const json_t *root, struct manifest *m)
{
    const json_t *a;
    m->table_count = (unsigned)json_in_list(r, root, "tables", JSON_IN_LIST_MAX, &a);
    m->tables = arena_calloc(r->arena, m->table_count, sizeof *m->tables);
    for (unsigned i = 0; i < m->table_count; i++) {
        const json_t *o = json_array_get(a, i);
        struct manifest_table *t = &m->tables[i];
        json_in_at(r, "tables", i);
        read_table_head(r, o, m->format, t);
        t->rows = json_in_number(r, o, "rows", JSON_IN_NUMBER_MAX);
        t->plain_bytes = json_in_number(r, o, "plain_bytes", JSON_IN_NUMBER_MAX);
        t->stored_bytes = json_in_number(r, o, "stored_bytes", JSON_IN_NUMBER_MAX);
        t->checksum = json_in_rowsum(r, o, "checksum");
        t->counted = json_in_flag(r, o, "counted");
    }
    json_in_at(r, NULL, 0);
}

/* The kind follows from the path; manifest_check then demands exactly the path that belongs there. */
static enum member_kind kind_of(const char *path, unsigned table)
{
    size_t n = strlen(path);
    if (strncmp(path, "data/", 5) == 0)
        return MEMBER_DATA;
    if (strncmp(path, "schema/", 7) != 0)
        return strcmp(path, "README.txt") == 0 ? MEMBER_README : MEMBER_SCRIPT;
    if (strncmp(path, "schema/database-", 16) == 0) /* others begin with a number */
        return MEMBER_SCHEMA;
    if (table == 0)
        return MEMBER_OBJECT;
    return n > 9 && strcmp(path + n - 9, ".load.sql") == 0 ? MEMBER_LOAD : MEMBER_TABLE_DDL;
}

static void read_member(struct json_in *r, const json_t *o, struct manifest *m)
{
    struct manifest_member member = {
        .path = json_in_text(r, o, "path"),
        .table = (unsigned)json_in_number(r, o, "table", m->table_count),
        .offset = json_in_number(r, o, "offset", JSON_IN_NUMBER_MAX),
        .length = json_in_number(r, o, "length", MEMBER_MAX_BYTES),
    };
    member.kind = kind_of(member.path, member.table);
    snprintf(member.sha256, sizeof member.sha256, "%s", json_in_hex_digest(r, o, "sha256"));
    if (member.kind == MEMBER_OBJECT)
        member.object = (unsigned)json_in_number(r, o, "object", m->object_count);
    if (member.kind == MEMBER_DATA) {
        member.plain_length = json_in_number(r, o, "plain_length", JSON_IN_NUMBER_MAX);
        member.rows = json_in_number(r, o, "rows", JSON_IN_NUMBER_MAX);
        member.checksum = json_in_rowsum(r, o, "checksum");
        member.load_warnings = json_in_number(r, o, "load_warnings", JSON_IN_NUMBER_MAX);
        member.key_first = json_in_text_or_null(r, o, "key_first");
        member.key_last = json_in_text_or_null(r, o, "key_last");
    }
    manifest_add_member(m, &member);
}

static void read_server(struct json_in *r, const json_t *root, struct manifest_server *s)
{
    const json_t *o = json_in_object_in(r, root, "server");
    snprintf(r->where, sizeof r->where, "server.");
    *s = (struct manifest_server){
        .version = json_in_text(r, o, "version"),
        .flavour = json_in_text(r, o, "flavour"),
        .sql_mode = json_in_text(r, o, "sql_mode"),
        .time_zone = json_in_text(r, o, "time_zone"),
        .charset = json_in_text(r, o, "charset"),
        .collation = json_in_text(r, o, "collation"),
    };
    json_in_at(r, NULL, 0);
}

static void read_consistency(struct json_in *r, const json_t *root, struct manifest_consistency *c)
{
    const json_t *o = json_in_object_in(r, root, "consistency"), *a;
    snprintf(r->where, sizeof r->where, "consistency.");
    *c = (struct manifest_consistency){
        .method = json_in_text(r, o, "method"),
        .proof = json_in_text(r, o, "proof"),
        .tries = (unsigned)json_in_number(r, o, "tries", UINT32_MAX),
        .gtid = json_in_text_or_null(r, o, "gtid"),
        .trx_before = json_in_number(r, o, "trx_before", JSON_IN_NUMBER_MAX),
        .trx_after = json_in_number(r, o, "trx_after", JSON_IN_NUMBER_MAX),
        .worker_count = (unsigned)json_in_list(r, o, "workers", JSON_IN_LIST_MAX, &a),
    };
    struct manifest_worker *workers = arena_calloc(r->arena, c->worker_count, sizeof *workers);
    c->workers = workers;
    for (unsigned i = 0; i < c->worker_count; i++) {
        const json_t *w = json_array_get(a, i);
        json_in_at(r, "consistency.workers", i);
        workers[i].binlog_file = json_in_text(r, w, "binlog_file");
        workers[i].binlog_position = json_in_number(r, w, "binlog_position", JSON_IN_NUMBER_MAX);
    }
    json_in_at(r, NULL, 0);
}

static void read_schemas(struct json_in *r, const json_t *root, struct manifest *m)
{
    const json_t *a;
    m->schema_count = (unsigned)json_in_list(r, root, "schemas", JSON_IN_LIST_MAX, &a);
    m->schemas = arena_calloc(r->arena, m->schema_count, sizeof *m->schemas);
    for (unsigned i = 0; i < m->schema_count; i++) {
        const json_t *o = json_array_get(a, i);
        json_in_at(r, "schemas", i);
        manifest_take_schema(r, o, m->format, &m->schemas[i]);
    }
    json_in_at(r, NULL, 0);
}

static void read_objects(struct json_in *r, const json_t *root, struct manifest *m)
{
    const json_t *a;
    m->object_count = (unsigned)json_in_list(r, root, "objects", JSON_IN_LIST_MAX, &a);
    m->objects = arena_calloc(r->arena, m->object_count, sizeof *m->objects);
    for (unsigned i = 0; i < m->object_count; i++) {
        json_in_at(r, "objects", i);
        manifest_take_object(r, json_array_get(a, i), &m->objects[i]);
    }
    json_in_at(r, NULL, 0);
}

static void read_warnings(struct json_in *r, const json_t *root, struct manifest *m)
{
    const json_t *a;
    size_t n = json_in_list(r, root, "warnings", JSON_IN_LIST_MAX, &a);
    for (size_t i = 0; i < n; i++) {
        json_in_at(r, "warnings", i);
        manifest_add_warning(m, json_in_text(r, json_array_get(a, i), "object"),
                             json_in_text(r, json_array_get(a, i), "text"));
    }
    json_in_at(r, NULL, 0);
}

static void read_members(struct json_in *r, const json_t *root, struct manifest *m)
{
    const json_t *a;
    size_t n = json_in_list(r, root, "members", JSON_IN_LIST_MAX, &a);
    for (size_t i = 0; i < n; i++) {
        json_in_at(r, "members", i);
        read_member(r, json_array_get(a, i), m);
    }
    json_in_at(r, NULL, 0);
}

static void read_root(struct json_in *r, const json_t *root, struct manifest *m)
{
    m->tool_version = json_in_text(r, root, "tool_version");
    m->label = json_in_text(r, root, "label");
    m->run_id = json_in_text(r, root, "run_id");
    m->started_ms = (int64_t)json_in_number(r, root, "started_ms", JSON_IN_NUMBER_MAX);
    m->finished_ms = (int64_t)json_in_number(r, root, "finished_ms", JSON_IN_NUMBER_MAX);
    m->snapshot_ms = (int64_t)json_in_number(r, root, "snapshot_ms", JSON_IN_NUMBER_MAX);
    m->rows = json_in_number(r, root, "rows", JSON_IN_NUMBER_MAX);
    m->plain_bytes = json_in_number(r, root, "plain_bytes", JSON_IN_NUMBER_MAX);
    read_server(r, root, &m->server);
    read_consistency(r, root, &m->consistency);
    read_schemas(r, root, m);
    read_tables(r, root, m);
    if (m->format >= 2)
        read_objects(r, root, m);
    read_warnings(r, root, m);
    read_members(r, root, m);
}

enum err_code manifest_read(const char *data, size_t bytes, struct manifest **out, struct err *err)
{
    json_t *root = NULL;
    struct manifest *m = manifest_new();
    struct json_in r = {.arena = m->arena};
    *out = NULL;
    enum err_code rc = json_in_parse(data, bytes, &root, err);
    if (rc == ERR_OK)
        rc = manifest_check_format(root, &m->format, err);
    if (rc == ERR_OK) {
        read_root(&r, root, m);
        rc = r.failed ? err_copy(err, &r.err) : manifest_check(m, err);
    }
    json_decref(root);
    if (rc != ERR_OK) {
        manifest_free(m);
        return rc == ERR_DAMAGED ? err_wrap(err, "manifest.json") : rc;
    }
    *out = m;
    return ERR_OK;
}

enum err_code manifest_table_read(const char *data, size_t bytes, unsigned format, struct arena *arena,
                                  struct manifest_table *out, struct err *err)
{
    json_t *root = NULL;
    struct json_in r = {.arena = arena};
    enum err_code rc = json_in_parse(data, bytes, &root, err);
    if (rc == ERR_OK) {
        read_table_head(&r, root, format, out);
        if (r.failed)
            rc = err_copy(err, &r.err);
    }
    json_decref(root);
    return rc;
}
