/* The manifest back from JSON. */
#include "archive/manifest.h"
#include "archive/reader.h"
#include "archive/text.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values are taken one by one; the first that is wrong is remembered, and all later calls give harmless
 * values, so that reading needs only one check at its end. */
struct reader {
    struct arena *arena;
    bool failed;
    struct err err;
    char where[64]; /* "tables[3]." */
};

static void fail(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct reader *r, const char *format, ...)
{
    char text[256];
    va_list args;
    if (r->failed)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err_set(&r->err, ERR_DAMAGED, "%s%s", r->where, text);
    r->failed = true;
}

static void at(struct reader *r, const char *list, size_t i)
{
    snprintf(r->where, sizeof r->where, "%s[%zu].", list, i);
}

static const char *text_or_null(struct reader *r, const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    if (json_is_string(v))
        return arena_strdup(r->arena, json_string_value(v));
    if (!json_is_null(v))
        fail(r, "%s is missing or no string", key);
    return NULL;
}

static const char *text(struct reader *r, const json_t *object, const char *key)
{
    const char *s = text_or_null(r, object, key);
    if (s == NULL)
        fail(r, "%s is missing or no string", key);
    return s != NULL ? s : "";
}

static const char *hex_digest(struct reader *r, const json_t *object, const char *key)
{
    const char *s = text(r, object, key);
    if (strlen(s) != SHA256_HEX_BYTES - 1 || strspn(s, "0123456789abcdef") != SHA256_HEX_BYTES - 1)
        fail(r, "%s is no SHA-256 in hexadecimal digits", key);
    return s;
}

static struct rowsum rowsum(struct reader *r, const json_t *object, const char *key)
{
    struct rowsum sum = {0};
    if (!rowsum_parse(text(r, object, key), &sum))
        fail(r, "%s is no content checksum", key);
    return sum;
}

static uint64_t number_value(struct reader *r, const json_t *v, const char *key, uint64_t max)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 || (uint64_t)json_integer_value(v) > max) {
        fail(r, "%s is missing or no number from 0 to %llu", key, (unsigned long long)max);
        return 0;
    }
    return (uint64_t)json_integer_value(v);
}

static uint64_t number(struct reader *r, const json_t *object, const char *key, uint64_t max)
{
    return number_value(r, json_object_get(object, key), key, max);
}

static bool flag(struct reader *r, const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    if (!json_is_boolean(v))
        fail(r, "%s is missing or neither true nor false", key);
    return json_is_true(v);
}

/* The element count of an array is at most max. */
static size_t list(struct reader *r, const json_t *object, const char *key, size_t max, const json_t **out)
{
    *out = json_object_get(object, key);
    if (!json_is_array(*out) || json_array_size(*out) > max) {
        fail(r, "%s is missing or no array of at most %zu", key, max);
        return 0;
    }
    return json_array_size(*out);
}

static const json_t *object_in(struct reader *r, const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    if (!json_is_object(v))
        fail(r, "%s is missing or no object", key);
    return v;
}

#define NUMBER_MAX ((uint64_t)INT64_MAX)
#define LIST_MAX   ((size_t)10000000)

static uint64_t auto_increment(struct reader *r, const json_t *object)
{
    char again[24];
    const char *s = text(r, object, "auto_increment");
    unsigned long long n = strtoull(s, NULL, 10);
    snprintf(again, sizeof again, "%llu", n);
    if (strcmp(s, again) != 0)
        fail(r, "auto_increment is no number in a string");
    return n;
}

static void read_columns(struct reader *r, const json_t *o, struct manifest_table *t)
{
    const json_t *a;
    t->column_count = (unsigned)list(r, o, "columns", 65535, &a);
    struct manifest_column *columns = arena_calloc(r->arena, t->column_count, sizeof *columns);
    t->columns = columns;
    for (unsigned i = 0; i < t->column_count; i++) {
        const json_t *c = json_array_get(a, i);
        columns[i] = (struct manifest_column){
            .name = text(r, c, "name"),
            .type = text(r, c, "type"),
            .charset = text_or_null(r, c, "charset"),
            .select_expr = text(r, c, "select"),
            .load_expr = text_or_null(r, c, "load"),
            .plain = flag(r, c, "plain"),
            .nullable = flag(r, c, "nullable"),
        };
    }
}

static void read_key(struct reader *r, const json_t *o, struct manifest_table *t)
{
    const json_t *k = json_object_get(o, "key"), *a;
    if (json_is_null(k))
        return;
    t->key.name = text(r, k, "name");
    t->key.column_count = (unsigned)list(r, k, "columns", t->column_count, &a);
    t->key.nullable = flag(r, k, "nullable");
    unsigned *columns = arena_calloc(r->arena, t->key.column_count, sizeof *columns);
    t->key.columns = columns;
    if (t->key.column_count == 0 || t->column_count == 0)
        fail(r, "key has no columns");
    for (unsigned i = 0; i < t->key.column_count; i++)
        columns[i] = (unsigned)number_value(r, json_array_get(a, i), "key.columns", t->column_count - 1);
}

static void read_triggers(struct reader *r, const json_t *o, struct manifest_table *t)
{
    const json_t *a;
    t->trigger_count = (unsigned)list(r, o, "triggers", LIST_MAX, &a);
    const char **triggers = arena_calloc(r->arena, t->trigger_count, sizeof *triggers);
    t->triggers = triggers;
    for (unsigned i = 0; i < t->trigger_count; i++) {
        const json_t *name = json_array_get(a, i);
        if (!json_is_string(name))
            fail(r, "triggers holds something that is no string");
        else
            triggers[i] = arena_strdup(r->arena, json_string_value(name));
    }
}

static void read_table_head(struct reader *r, const json_t *o, struct manifest_table *t)
{
    *t = (struct manifest_table){
        .number = (unsigned)number(r, o, "number", LIST_MAX),
        .schema = text(r, o, "schema"),
        .name = text(r, o, "name"),
        .dir = text(r, o, "dir"),
        .engine = text(r, o, "engine"),
        .transactional = flag(r, o, "transactional"),
        .system_versioned = flag(r, o, "system_versioned"),
        .ddl_sha256 = hex_digest(r, o, "ddl_sha256"),
        .auto_increment = auto_increment(r, o),
    };
    /* dir becomes part of paths */
    if (t->number == 0 || strcmp(t->dir, archive_slug(r->arena, t->number, t->name)) != 0)
        fail(r, "dir does not follow from number and name");
    read_columns(r, o, t);
    read_key(r, o, t);
    read_triggers(r, o, t);
}

static void read_tables(struct reader *r, const json_t *root, struct manifest *m)
{
    const json_t *a;
    m->table_count = (unsigned)list(r, root, "tables", LIST_MAX, &a);
    m->tables = arena_calloc(r->arena, m->table_count, sizeof *m->tables);
    for (unsigned i = 0; i < m->table_count; i++) {
        const json_t *o = json_array_get(a, i);
        struct manifest_table *t = &m->tables[i];
        at(r, "tables", i);
        read_table_head(r, o, t);
        t->rows = number(r, o, "rows", NUMBER_MAX);
        t->plain_bytes = number(r, o, "plain_bytes", NUMBER_MAX);
        t->stored_bytes = number(r, o, "stored_bytes", NUMBER_MAX);
        t->checksum = rowsum(r, o, "checksum");
        t->counted = flag(r, o, "counted");
    }
    r->where[0] = '\0';
}

/* The kind follows from the path; manifest_check then demands exactly the path that belongs there. */
static enum member_kind kind_of(const char *path, unsigned table)
{
    size_t n = strlen(path);
    if (strncmp(path, "data/", 5) == 0)
        return MEMBER_DATA;
    if (strncmp(path, "schema/", 7) != 0)
        return strcmp(path, "README.txt") == 0 ? MEMBER_README : MEMBER_SCRIPT;
    if (table == 0)
        return MEMBER_SCHEMA;
    return n > 9 && strcmp(path + n - 9, ".load.sql") == 0 ? MEMBER_LOAD : MEMBER_TABLE_DDL;
}

static void read_member(struct reader *r, const json_t *o, struct manifest *m)
{
    struct manifest_member member = {
        .path = text(r, o, "path"),
        .table = (unsigned)number(r, o, "table", m->table_count),
        .offset = number(r, o, "offset", NUMBER_MAX),
        .length = number(r, o, "length", MEMBER_MAX_BYTES),
    };
    member.kind = kind_of(member.path, member.table);
    snprintf(member.sha256, sizeof member.sha256, "%s", hex_digest(r, o, "sha256"));
    if (member.kind == MEMBER_DATA) {
        member.plain_length = number(r, o, "plain_length", NUMBER_MAX);
        member.rows = number(r, o, "rows", NUMBER_MAX);
        member.checksum = rowsum(r, o, "checksum");
        member.load_warnings = number(r, o, "load_warnings", NUMBER_MAX);
        member.key_first = text_or_null(r, o, "key_first");
        member.key_last = text_or_null(r, o, "key_last");
    }
    manifest_add_member(m, &member);
}

static void read_server(struct reader *r, const json_t *root, struct manifest_server *s)
{
    const json_t *o = object_in(r, root, "server");
    snprintf(r->where, sizeof r->where, "server.");
    *s = (struct manifest_server){
        .version = text(r, o, "version"),
        .flavour = text(r, o, "flavour"),
        .sql_mode = text(r, o, "sql_mode"),
        .time_zone = text(r, o, "time_zone"),
        .charset = text(r, o, "charset"),
        .collation = text(r, o, "collation"),
    };
    r->where[0] = '\0';
}

static void read_consistency(struct reader *r, const json_t *root, struct manifest_consistency *c)
{
    const json_t *o = object_in(r, root, "consistency"), *a;
    snprintf(r->where, sizeof r->where, "consistency.");
    *c = (struct manifest_consistency){
        .method = text(r, o, "method"),
        .proof = text(r, o, "proof"),
        .tries = (unsigned)number(r, o, "tries", UINT32_MAX),
        .gtid = text_or_null(r, o, "gtid"),
        .trx_before = number(r, o, "trx_before", NUMBER_MAX),
        .trx_after = number(r, o, "trx_after", NUMBER_MAX),
        .worker_count = (unsigned)list(r, o, "workers", LIST_MAX, &a),
    };
    struct manifest_worker *workers = arena_calloc(r->arena, c->worker_count, sizeof *workers);
    c->workers = workers;
    for (unsigned i = 0; i < c->worker_count; i++) {
        const json_t *w = json_array_get(a, i);
        at(r, "consistency.workers", i);
        workers[i].binlog_file = text(r, w, "binlog_file");
        workers[i].binlog_position = number(r, w, "binlog_position", NUMBER_MAX);
    }
    r->where[0] = '\0';
}

static void read_schemas(struct reader *r, const json_t *root, struct manifest *m)
{
    const json_t *a;
    m->schema_count = (unsigned)list(r, root, "schemas", LIST_MAX, &a);
    m->schemas = arena_calloc(r->arena, m->schema_count, sizeof *m->schemas);
    for (unsigned i = 0; i < m->schema_count; i++) {
        const json_t *o = json_array_get(a, i);
        at(r, "schemas", i);
        m->schemas[i] = (struct manifest_schema){.name = text(r, o, "name"),
                                                 .charset = text(r, o, "charset"),
                                                 .collation = text(r, o, "collation")};
    }
    r->where[0] = '\0';
}

static void read_warnings(struct reader *r, const json_t *root, struct manifest *m)
{
    const json_t *a;
    size_t n = list(r, root, "warnings", LIST_MAX, &a);
    for (size_t i = 0; i < n; i++) {
        at(r, "warnings", i);
        manifest_add_warning(m, text(r, json_array_get(a, i), "object"),
                             text(r, json_array_get(a, i), "text"));
    }
    r->where[0] = '\0';
}

static void read_members(struct reader *r, const json_t *root, struct manifest *m)
{
    const json_t *a;
    size_t n = list(r, root, "members", LIST_MAX, &a);
    for (size_t i = 0; i < n; i++) {
        at(r, "members", i);
        read_member(r, json_array_get(a, i), m);
    }
    r->where[0] = '\0';
}

static void read_root(struct reader *r, const json_t *root, struct manifest *m)
{
    m->tool_version = text(r, root, "tool_version");
    m->label = text(r, root, "label");
    m->run_id = text(r, root, "run_id");
    m->started_ms = (int64_t)number(r, root, "started_ms", NUMBER_MAX);
    m->finished_ms = (int64_t)number(r, root, "finished_ms", NUMBER_MAX);
    m->snapshot_ms = (int64_t)number(r, root, "snapshot_ms", NUMBER_MAX);
    m->rows = number(r, root, "rows", NUMBER_MAX);
    m->plain_bytes = number(r, root, "plain_bytes", NUMBER_MAX);
    read_server(r, root, &m->server);
    read_consistency(r, root, &m->consistency);
    read_schemas(r, root, m);
    read_tables(r, root, m);
    read_warnings(r, root, m);
    read_members(r, root, m);
}

/* Before anything else is looked at: a newer format may have changed all of it. */
static enum err_code check_format(const json_t *root, struct err *err)
{
    const json_t *v = json_object_get(root, "format");
    if (!json_is_integer(v) || json_integer_value(v) < 1)
        return err_set(err, ERR_DAMAGED, "format is missing or no number from 1");
    if (json_integer_value(v) > MANIFEST_FORMAT)
        return err_set(
            err, ERR_REFUSED,
            "the archive has format %lld, and this dbsafe reads formats up to %d: use a newer dbsafe",
            (long long)json_integer_value(v), MANIFEST_FORMAT);
    return ERR_OK;
}

static enum err_code parse(const char *data, size_t bytes, json_t **root, struct err *err)
{
    json_error_t why;
    *root = json_loadb(data, bytes, JSON_REJECT_DUPLICATES, &why);
    if (*root == NULL)
        return err_set(err, ERR_DAMAGED, "it is no valid JSON: line %d: %s", why.line, why.text);
    return ERR_OK;
}

enum err_code manifest_read(const char *data, size_t bytes, struct manifest **out, struct err *err)
{
    json_t *root = NULL;
    struct manifest *m = manifest_new();
    struct reader r = {.arena = m->arena};
    *out = NULL;
    enum err_code rc = parse(data, bytes, &root, err);
    if (rc == ERR_OK)
        rc = check_format(root, err);
    if (rc == ERR_OK) {
        m->format = (unsigned)json_integer_value(json_object_get(root, "format"));
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

enum err_code manifest_table_read(const char *data, size_t bytes, struct arena *arena,
                                  struct manifest_table *out, struct err *err)
{
    json_t *root = NULL;
    struct reader r = {.arena = arena};
    enum err_code rc = parse(data, bytes, &root, err);
    if (rc == ERR_OK) {
        read_table_head(&r, root, out);
        if (r.failed)
            rc = err_copy(err, &r.err);
    }
    json_decref(root);
    return rc;
}
