#include "support/memory.h"
#include "support/sample.h"
#include "support/test.h"

#include <inttypes.h>

static struct manifest *sample_manifest(void)
{
    struct memory_sink sink;
    memory_sink_init(&sink);
    struct manifest *m = sample_write(&sink.base);
    sink_free(&sink.base);
    return m;
}

/* The JSON of a manifest; the caller frees it. */
static void to_json(const struct manifest *m, struct buf *out)
{
    struct err err;
    buf_init(out, MANIFEST_MAX_BYTES);
    assert_ok(manifest_write(m, out, &err), &err);
}

/* ---- checksums ---- */

static void checksums_add_with_carry_and_read_back(void **state)
{
    (void)state;
    char hex[ROWSUM_HEX_BYTES];
    struct rowsum sum = {.low = UINT64_MAX, .high = 1}, back;
    rowsum_add(&sum, (struct rowsum){.low = 2, .high = 5});
    assert_true(rowsum_equal(sum, (struct rowsum){.low = 1, .high = 7}));
    rowsum_add(&sum, (struct rowsum){.low = 0, .high = UINT64_MAX - 6});
    assert_true(rowsum_equal(sum, (struct rowsum){.low = 1, .high = 0})); /* mod 2^128 */
    assert_false(rowsum_equal(sum, (struct rowsum){.low = 1, .high = 1}));
    sum = (struct rowsum){.high = UINT64_C(0x0123456789abcdef), .low = UINT64_C(0xfedcba9876543210)};
    rowsum_format(sum, hex);
    assert_string_equal(hex, "0123456789abcdeffedcba9876543210");
    assert_true(rowsum_parse(hex, &back));
    assert_true(rowsum_equal(sum, back));
    static const char *const wrong[] = {"",
                                        "0123456789abcdeffedcba987654321",
                                        "0123456789abcdeffedcba98765432100",
                                        "0123456789ABCDEFfedcba9876543210",
                                        "0123456789abcdef fedcba987654321",
                                        "-123456789abcdeffedcba9876543210"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(rowsum_parse(wrong[i], &back));
}

/* ---- there and back ---- */

static void assert_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

static void assert_same_table(const struct manifest_table *a, const struct manifest_table *b)
{
    assert_int_equal(a->number, b->number);
    assert_text(a->schema, b->schema);
    assert_text(a->name, b->name);
    assert_text(a->dir, b->dir);
    assert_text(a->engine, b->engine);
    assert_int_equal(a->transactional, b->transactional);
    assert_int_equal(a->system_versioned, b->system_versioned);
    assert_text(a->ddl_sha256, b->ddl_sha256);
    assert_true(a->auto_increment == b->auto_increment);
    assert_int_equal(a->column_count, b->column_count);
    for (unsigned i = 0; i < a->column_count; i++) {
        assert_text(a->columns[i].name, b->columns[i].name);
        assert_text(a->columns[i].type, b->columns[i].type);
        assert_text(a->columns[i].charset, b->columns[i].charset);
        assert_text(a->columns[i].select_expr, b->columns[i].select_expr);
        assert_text(a->columns[i].load_expr, b->columns[i].load_expr);
        assert_int_equal(a->columns[i].plain, b->columns[i].plain);
        assert_int_equal(a->columns[i].nullable, b->columns[i].nullable);
    }
    assert_text(a->key.name, b->key.name);
    assert_int_equal(a->key.nullable, b->key.nullable);
    assert_int_equal(a->key.column_count, b->key.column_count);
    for (unsigned i = 0; i < a->key.column_count; i++)
        assert_int_equal(a->key.columns[i], b->key.columns[i]);
    assert_int_equal(a->trigger_count, b->trigger_count);
    for (unsigned i = 0; i < a->trigger_count; i++)
        assert_text(a->triggers[i], b->triggers[i]);
    assert_int_equal(a->foreign_key_count, b->foreign_key_count);
    for (unsigned i = 0; i < a->foreign_key_count; i++) {
        assert_text(a->foreign_keys[i].name, b->foreign_keys[i].name);
        assert_text(a->foreign_keys[i].parent_schema, b->foreign_keys[i].parent_schema);
        assert_text(a->foreign_keys[i].parent_table, b->foreign_keys[i].parent_table);
    }
    assert_int_equal(a->sequence_count, b->sequence_count);
    for (unsigned i = 0; i < a->sequence_count; i++) {
        assert_text(a->sequences[i].schema, b->sequences[i].schema);
        assert_text(a->sequences[i].name, b->sequences[i].name);
    }
}

static void assert_same_member(const struct manifest_member *a, const struct manifest_member *b)
{
    assert_text(a->path, b->path);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->table, b->table);
    assert_int_equal(a->object, b->object);
    assert_int_equal(a->offset, b->offset);
    assert_int_equal(a->length, b->length);
    assert_text(a->sha256, b->sha256);
    assert_int_equal(a->plain_length, b->plain_length);
    assert_int_equal(a->rows, b->rows);
    assert_true(rowsum_equal(a->checksum, b->checksum));
    assert_int_equal(a->load_warnings, b->load_warnings);
    assert_text(a->key_first, b->key_first);
    assert_text(a->key_last, b->key_last);
}

static void assert_same(const struct manifest *a, const struct manifest *b)
{
    assert_int_equal(a->format, b->format);
    assert_text(a->tool_version, b->tool_version);
    assert_text(a->label, b->label);
    assert_text(a->run_id, b->run_id);
    assert_int_equal(a->started_ms, b->started_ms);
    assert_int_equal(a->finished_ms, b->finished_ms);
    assert_int_equal(a->snapshot_ms, b->snapshot_ms);
    assert_text(a->server.version, b->server.version);
    assert_text(a->server.flavour, b->server.flavour);
    assert_text(a->server.sql_mode, b->server.sql_mode);
    assert_text(a->server.time_zone, b->server.time_zone);
    assert_text(a->server.charset, b->server.charset);
    assert_text(a->server.collation, b->server.collation);
    assert_text(a->consistency.method, b->consistency.method);
    assert_text(a->consistency.proof, b->consistency.proof);
    assert_text(a->consistency.gtid, b->consistency.gtid);
    assert_int_equal(a->consistency.tries, b->consistency.tries);
    assert_int_equal(a->consistency.trx_before, b->consistency.trx_before);
    assert_int_equal(a->consistency.trx_after, b->consistency.trx_after);
    assert_int_equal(a->consistency.worker_count, b->consistency.worker_count);
    for (unsigned i = 0; i < a->consistency.worker_count; i++) {
        assert_text(a->consistency.workers[i].binlog_file, b->consistency.workers[i].binlog_file);
        assert_int_equal(a->consistency.workers[i].binlog_position,
                         b->consistency.workers[i].binlog_position);
    }
    assert_int_equal(a->schema_count, b->schema_count);
    for (unsigned i = 0; i < a->schema_count; i++) {
        assert_text(a->schemas[i].name, b->schemas[i].name);
        assert_text(a->schemas[i].charset, b->schemas[i].charset);
        assert_text(a->schemas[i].collation, b->schemas[i].collation);
        assert_text(a->schemas[i].comment, b->schemas[i].comment);
    }
    assert_int_equal(a->table_count, b->table_count);
    for (unsigned i = 0; i < a->table_count; i++) {
        assert_same_table(&a->tables[i], &b->tables[i]);
        assert_int_equal(a->tables[i].rows, b->tables[i].rows);
        assert_int_equal(a->tables[i].plain_bytes, b->tables[i].plain_bytes);
        assert_int_equal(a->tables[i].stored_bytes, b->tables[i].stored_bytes);
        assert_true(rowsum_equal(a->tables[i].checksum, b->tables[i].checksum));
        assert_int_equal(a->tables[i].counted, b->tables[i].counted);
    }
    assert_int_equal(a->object_count, b->object_count);
    assert_int_equal(a->warning_count, b->warning_count);
    for (unsigned i = 0; i < a->warning_count; i++) {
        assert_text(a->warnings[i].object, b->warnings[i].object);
        assert_text(a->warnings[i].text, b->warnings[i].text);
    }
    assert_int_equal(a->member_count, b->member_count);
    for (size_t i = 0; i < a->member_count; i++)
        assert_same_member(&a->members[i], &b->members[i]);
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->plain_bytes, b->plain_bytes);
}

static void check_round_trip(const struct manifest *m)
{
    struct err err;
    struct buf json, again;
    struct manifest *back;
    to_json(m, &json);
    assert_ok(manifest_read(json.data, json.len, &back, &err), &err);
    assert_same(m, back);
    to_json(back, &again);
    assert_int_equal(json.len, again.len);
    assert_memory_equal(json.data, again.data, json.len);
    manifest_free(back);
    buf_free(&json);
    buf_free(&again);
}

static void the_sample_comes_back(void **state)
{
    (void)state;
    struct manifest *m = sample_manifest();
    check_round_trip(m);
    manifest_free(m);
}

/* Lists the members that must be there, and one data member of one row for each table, none longer than a
 * block: what the manifest of a real archive says, without the archive. */
static void add_members(struct manifest *m, unsigned data_per_table)
{
    struct buf path;
    struct manifest_member member = {.length = 1};
    uint64_t offset = 512;
    size_t head = 2 + m->schema_count + 2 * (size_t)m->table_count;
    size_t count = head + (size_t)m->table_count * data_per_table;
    buf_init(&path, 4096);
    memset(member.sha256, 'a', sizeof member.sha256 - 1);
    for (size_t i = 0; i < count; i++, offset += 1024) {
        size_t t = i >= head                  ? (i - head) % m->table_count
                   : i >= 2 + m->schema_count ? (i - 2 - m->schema_count) / 2
                                              : 0;
        struct manifest_table *table = &m->tables[t];
        buf_clear(&path);
        member.table = (unsigned)t + 1;
        if (i >= head) {
            archive_data_path(table, (i - head) / m->table_count + 1, &path);
            member.kind = MEMBER_DATA;
            member.rows = 1;
            member.plain_length = 2;
            member.checksum = (struct rowsum){.low = i, .high = UINT64_MAX - i};
            table->rows++;
            table->plain_bytes += 2;
            table->stored_bytes++;
            rowsum_add(&table->checksum, member.checksum);
            m->rows++;
            m->plain_bytes += 2;
        } else if (i >= 2 + m->schema_count) {
            bool load = (i - 2 - m->schema_count) % 2 == 1;
            member.kind = load ? MEMBER_LOAD : MEMBER_TABLE_DDL;
            (load ? archive_load_path : archive_ddl_path)(table, &path);
        } else {
            member.table = 0;
            member.kind = i == 0 ? MEMBER_README : i == 1 ? MEMBER_SCRIPT : MEMBER_SCHEMA;
            if (i < 2)
                buf_put(&path, i == 0 ? "README.txt" : "restore.sh");
            else
                archive_schema_path((unsigned)i - 1, &m->schemas[i - 2], &path);
        }
        member.path = buf_cstr(&path);
        member.offset = offset;
        manifest_add_member(m, &member);
    }
    buf_free(&path);
}

static const char *const hostile[] = {
    "`a`",
    "\"'\\`\"",
    "\xF0\x9F\x92\xBE\xF0\x9F\x98\x80",
    "\x01\x02\x1b[31m\x7f",
    "new\nline\ttab\rreturn",
    "../../etc/passwd",
    "/",
    "",
    " ",
    "data/0001-x/000001.tsv.zst",
    "1234567890123456789012345678901234567890123456789012345678901234",
    "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC",
    "%s%n%d{}[],:",
    "\\u0000",
    "--",
    ".",
    "\xEF\xBF\xBD",
    "null",
};
#define HOSTILE (sizeof hostile / sizeof hostile[0])

/* A table of every hostile name in a database of another one, and every other text hostile too. */
static struct manifest *hostile_manifest(void)
{
    struct manifest *m = manifest_new();
    m->tool_version = m->label = m->run_id = hostile[1];
    m->finished_ms = m->snapshot_ms = INT64_MAX;
    m->server =
        (struct manifest_server){hostile[0], hostile[1], hostile[2], hostile[3], hostile[4], hostile[5]};
    struct manifest_worker *workers = arena_calloc(m->arena, HOSTILE, sizeof *workers);
    m->consistency = (struct manifest_consistency){.method = hostile[1],
                                                   .proof = hostile[2],
                                                   .tries = UINT32_MAX,
                                                   .worker_count = HOSTILE,
                                                   .workers = workers,
                                                   .trx_before = INT64_MAX};
    m->schema_count = m->table_count = HOSTILE;
    m->schemas = arena_calloc(m->arena, HOSTILE, sizeof *m->schemas);
    m->tables = arena_calloc(m->arena, HOSTILE, sizeof *m->tables);
    for (unsigned i = 0; i < HOSTILE; i++) {
        struct manifest_column *column = arena_calloc(m->arena, 2, sizeof *column);
        unsigned *key = arena_calloc(m->arena, 2, sizeof *key);
        const char **triggers = arena_calloc(m->arena, 2, sizeof *triggers);
        const char *name = hostile[i];
        workers[i] = (struct manifest_worker){name, INT64_MAX - i};
        m->schemas[i] = (struct manifest_schema){hostile[HOSTILE - 1 - i], name, name, hostile[i]};
        column[0] = (struct manifest_column){name, name, name, name, name, true, false};
        column[1] = (struct manifest_column){name, name, NULL, name, NULL, false, true};
        key[0] = 1;
        triggers[0] = triggers[1] = name;
        struct manifest_foreign_key *foreign = arena_calloc(m->arena, 2, sizeof *foreign);
        foreign[0] = foreign[1] = (struct manifest_foreign_key){name, hostile[i / 2], name};
        struct manifest_name *sequence = arena_calloc(m->arena, 1, sizeof *sequence);
        *sequence = (struct manifest_name){hostile[i / 3], name};
        m->tables[i] = (struct manifest_table){.number = i + 1,
                                               .schema = hostile[(i + 1) % HOSTILE],
                                               .name = name,
                                               .dir = archive_slug(m->arena, i + 1, name),
                                               .engine = name,
                                               .transactional = i % 2 == 0,
                                               .system_versioned = i % 3 == 0,
                                               .ddl_sha256 = "0123456789abcdef0123456789abcdef"
                                                             "0123456789abcdef0123456789abcdef",
                                               .auto_increment = UINT64_MAX - i,
                                               .column_count = 2,
                                               .columns = column,
                                               .key = {name, 1 + i % 2, key, i % 2 == 1},
                                               .trigger_count = i % 3,
                                               .triggers = triggers,
                                               .foreign_key_count = i % 3,
                                               .foreign_keys = foreign,
                                               .sequence_count = i % 2,
                                               .sequences = sequence,
                                               .counted = i % 2 == 1};
        manifest_add_warning(m, name, name);
    }
    add_members(m, 1);
    for (unsigned i = 0; i < HOSTILE; i++) {
        struct manifest_member *data = &m->members[m->member_count - 1 - i];
        data->key_first = hostile[i];
        data->key_last = i % 2 == 0 ? hostile[i] : NULL;
        data->load_warnings = INT64_MAX;
    }
    return m;
}

static void hostile_names_come_back(void **state)
{
    (void)state;
    struct manifest *m = hostile_manifest();
    check_round_trip(m);
    manifest_free(m);
}

static void the_static_part_of_a_table_comes_back_from_one_line(void **state)
{
    (void)state;
    struct manifest *m = hostile_manifest();
    for (unsigned i = 0; i < m->table_count; i++) {
        struct err err;
        struct buf line;
        struct arena *arena = arena_new();
        struct manifest_table back;
        buf_init(&line, 100000);
        assert_ok(manifest_table_write(&m->tables[i], m->format, &line, &err), &err);
        assert_null(memchr(line.data, '\n', line.len));
        assert_ok(manifest_table_read(line.data, line.len, m->format, arena, &back, &err), &err);
        assert_same_table(&m->tables[i], &back);
        assert_int_equal(back.rows, 0);
        for (size_t n = 0; n < line.len; n++)
            assert_err(manifest_table_read(line.data, n, m->format, arena, &back, &err), ERR_DAMAGED, &err);
        buf_free(&line);
        arena_free(arena);
    }
    manifest_free(m);
}

static void what_was_not_set_is_empty_not_missing(void **state)
{
    (void)state;
    struct err err;
    struct buf json;
    struct manifest *m = manifest_new(), *back;
    add_members(m, 0);
    manifest_add_warning(m, NULL, NULL);
    to_json(m, &json);
    assert_ok(manifest_read(json.data, json.len, &back, &err), &err);
    assert_string_equal(back->label, "");
    assert_string_equal(back->server.version, "");
    assert_string_equal(back->consistency.method, "");
    assert_null(back->consistency.gtid);
    assert_string_equal(back->warnings[0].text, "");
    assert_int_equal(back->table_count, 0);
    assert_int_equal(back->member_count, 2);
    assert_null(manifest_find_table(back, "a", "b"));
    manifest_free(m);
    manifest_free(back);
    manifest_free(NULL);
    buf_free(&json);
}

static void tables_are_found_by_both_names(void **state)
{
    (void)state;
    struct manifest *m = sample_manifest();
    assert_ptr_equal(manifest_find_table(m, "shop", "history"), &m->tables[3]);
    assert_ptr_equal(manifest_find_table(m, SAMPLE_WEIRD_SCHEMA, SAMPLE_WEIRD_TABLE), &m->tables[1]);
    assert_null(manifest_find_table(m, "shop", SAMPLE_WEIRD_TABLE));
    assert_null(manifest_find_table(m, "Shop", "history"));
    manifest_free(m);
}

/* ---- malformed text ---- */

/* The sample's JSON with the first old replaced by new. */
static void replace(const struct buf *json, const char *old, const char *new, struct buf *out)
{
    const char *at = memmem(json->data, json->len, old, strlen(old));
    if (at == NULL)
        fail_msg("the sample has no %s", old);
    size_t before = (size_t)(at - json->data);
    buf_init(out, json->len + 10000);
    buf_putn(out, json->data, before);
    buf_put(out, new);
    buf_putn(out, at + strlen(old), json->len - before - strlen(old));
}

static void check_replaced(const struct buf *json, const char *old, const char *new, enum err_code want,
                           const char *message)
{
    struct err err = {0};
    struct buf changed;
    struct manifest *m;
    replace(json, old, new, &changed);
    enum err_code rc = manifest_read(changed.data, changed.len, &m, &err);
    if (rc != want || (want != ERR_OK && strstr(err.text, message) == NULL))
        fail_msg("%s -> %s: %s: %s", old, new, err_name(rc), err.text);
    if (rc == ERR_OK)
        manifest_free(m);
    else
        assert_null(m);
    buf_free(&changed);
}

static void the_format_is_looked_at_before_anything_else(void **state)
{
    (void)state;
    struct manifest *m = sample_manifest();
    struct buf json;
    to_json(m, &json);
    check_replaced(&json, "\"format\": 2,", "\"format\": 3,", ERR_REFUSED, "format 3");
    check_replaced(&json, "\"format\": 2,", "\"format\": 9223372036854775807,", ERR_REFUSED, "newer dbsafe");
    check_replaced(&json, "\"format\": 2,\n \"tool_version\"", "\"format\": 3,\n \"other\"", ERR_REFUSED,
                   "format");
    check_replaced(&json, "\"format\": 2,", "\"format\": 0,", ERR_DAMAGED, "manifest.json: format");
    check_replaced(&json, "\"format\": 2,", "\"format\": -1,", ERR_DAMAGED, "format");
    check_replaced(&json, "\"format\": 2,", "\"format\": \"1\",", ERR_DAMAGED, "format");
    check_replaced(&json, "\"format\": 2,", "\"format\": 1.0,", ERR_DAMAGED, "format");
    check_replaced(&json, "\"format\": 2,", "\"format\": null,", ERR_DAMAGED, "format");
    check_replaced(&json, "\"format\": 2,", "", ERR_DAMAGED, "format");
    check_replaced(&json, "\"format\": 2,", "\"format\": 9223372036854775808,", ERR_DAMAGED, "JSON");
    buf_free(&json);
    manifest_free(m);
}

static void malformed_ones_are_rejected(void **state)
{
    (void)state;
    static const struct {
        const char *old, *new, *message;
    } cases[] = {
        /* types */
        {"\"tool_version\": \"0.1.0\"", "\"tool_version\": 1", "tool_version"},
        {"\"label\": \"sample\"", "\"label\": null", "label"},
        {"\"label\": \"sample\"", "\"label\": [\"sample\"]", "label"},
        {"\"run_id\": ", "\"run_it\": ", "run_id"},
        {"\"started_ms\": 1", "\"started_ms\": \"1\", \"x\": 1", "started_ms"},
        {"\"started_ms\": 1", "\"started_ms\": -1", "started_ms"},
        {"\"started_ms\": 1700000000123", "\"started_ms\": 9223372036854775808", "JSON"},
        {"\"started_ms\": 1700000000123", "\"started_ms\": 1.5", "started_ms"},
        {"\"started_ms\": 1700000000123", "\"started_ms\": 1e3", "started_ms"},
        {"\"finished_ms\": 1", "\"finished_ms\": true, \"x\": 1", "finished_ms"},
        {"\"snapshot_ms\": ", "\"snap_ms\": ", "snapshot_ms"},
        {"\"server\": {", "\"server\": 7, \"x\": {", "server"},
        {"\"flavour\": \"MariaDB\"", "\"flavour\": false", "server.flavour"},
        {"\"time_zone\": \"UTC\",", "", "server.time_zone"},
        {"\"consistency\": {", "\"consistency\": [], \"x\": {", "consistency"},
        {"\"tries\": 1", "\"tries\": 4294967296", "consistency.tries"},
        {"\"gtid\": \"0-1-42\"", "\"gtid\": 42", "consistency.gtid"},
        {"\"gtid\": \"0-1-42\",", "", "consistency.gtid"},
        {"\"workers\": [", "\"workers\": {}, \"x\": [", "consistency.workers"},
        {"\"binlog_position\": 4711", "\"binlog_position\": -4711", "workers[0].binlog_position"},
        {"\"trx_after\": 99", "\"trx_after\": \"99\"", "consistency.trx_after"},
        {"\"schemas\": [", "\"schemas\": null, \"x\": [", "schemas"},
        {"\"schemas\": [", "\"schemas\": [1,", "schemas[0]"},
        {"\"collation\": \"latin1_swedish_ci\"", "\"collation\": 0", "schemas[1].collation"},
        {"\"tables\": [", "\"tables\": {}, \"x\": [", "tables"},
        {"\"tables\": [", "\"tables\": [[],", "tables[0]"},
        {"\"warnings\": [", "\"warnings\": [null,", "warnings[0]"},
        {"\"object\": \"shop.orders.note\"", "\"object\": 1", "warnings[0].object"},
        {"\"members\": [", "\"members\": {}, \"x\": [", "members"},
        {"\"members\": [", "\"members\": [true,", "members[0]"},
        /* tables */
        {"\"number\": 1,", "\"number\": 0,", "tables[0].dir"},
        {"\"number\": 1,", "\"number\": 2,", "tables[0].dir"},
        {"\"number\": 1,", "\"number\": 4294967297,", "tables[0].number"},
        {"\"dir\": \"0001-orders\"", "\"dir\": \"0001-Orders\"", "tables[0].dir"},
        {"\"dir\": \"0001-orders\"", "\"dir\": \"../orders\"", "tables[0].dir"},
        {"\"schema\": \"shop\"", "\"schema\": \"other\"", "schema 'other'"},
        {"\"transactional\": true", "\"transactional\": 1", "tables[0].transactional"},
        {"\"system_versioned\": false", "\"system_versioned\": null", "tables[0].system_versioned"},
        {"\"ddl_sha256\": \"", "\"ddl_sha256\": \"0", "tables[0].ddl_sha256"},
        {"\"ddl_sha256\": \"", "\"ddl_sha256\": \"\", \"x\": \"", "tables[0].ddl_sha256"},
        {"\"auto_increment\": \"8\"", "\"auto_increment\": 8", "auto_increment"},
        {"\"auto_increment\": \"8\"", "\"auto_increment\": \"\"", "auto_increment"},
        {"\"auto_increment\": \"8\"", "\"auto_increment\": \"08\"", "auto_increment"},
        {"\"auto_increment\": \"8\"", "\"auto_increment\": \"-8\"", "auto_increment"},
        {"\"auto_increment\": \"8\"", "\"auto_increment\": \"18446744073709551616\"", "auto_increment"},
        {"\"columns\": [", "\"columns\": 3, \"x\": [", "tables[0].columns"},
        {"\"columns\": [", "\"columns\": [\"id\",", "tables[0].name"},
        {"\"charset\": null,", "\"charset\": 0,", "tables[0].charset"},
        {"\"select\": \"`id`\"", "\"select\": null", "tables[0].select"},
        {"\"load\": null,", "", "tables[0].load"},
        {"\"plain\": true", "\"plain\": \"true\"", "tables[0].plain"},
        {"\"key\": {", "\"key\": 1, \"x\": {", "tables[0].name"},
        {"\"key\": {", "\"kez\": {", "tables[0].name"},
        {"\"columns\": [\n     0\n    ]", "\"columns\": []", "tables[0].key has no columns"},
        {"\"columns\": [\n     0\n    ]", "\"columns\": [3]", "tables[0].key.columns"},
        {"\"columns\": [\n     0\n    ]", "\"columns\": [-1]", "tables[0].key.columns"},
        {"\"columns\": [\n     0\n    ]", "\"columns\": [0, 1, 2, 0]", "tables[0].columns"},
        {"\"triggers\": []", "\"triggers\": [1]", "tables[1].triggers"},
        {"\"foreign_keys\": []", "\"foreign_keys\": [1]", "tables[0].name"},
        {"\"foreign_keys\": []", "\"foreign_kez\": []", "tables[0].foreign_keys"},
        {"\"sequences\": []", "\"sequences\": {}", "tables[0].sequences"},
        {"\"counted\": true", "\"counted\": \"yes\"", "tables[0].counted"},
        {"\"checksum\": \"", "\"checksum\": \"0", "tables[0].checksum"},
        {"\"checksum\": \"", "\"checksum\": 0, \"x\": \"", "tables[0].checksum"},
        /* members */
        {"\"path\": \"README.txt\"", "\"path\": 1", "members[0].path"},
        {"\"path\": \"README.txt\"", "\"path\": \"readme.txt\"", "member 1 is 'readme.txt'"},
        {"\"path\": \"schema/0001-orders.sql\"", "\"path\": \"schema/../orders.sql\"", "member 5"},
        {"\"path\": \"data/0001-orders/000002", "\"path\": \"data/0001-orders/2", "not named as data"},
        {"\"path\": \"data/0001-orders/000002", "\"path\": \"data/0001-orders/000000", "not named as data"},
        {"\"path\": \"data/0001-orders/000002", "\"path\": \"data/0001-orders/000001", "listed twice"},
        {"\"path\": \"data/0001-orders/000002", "\"path\": \"data/0003-empty/000002", "not named as data"},
        {"\"path\": \"data/0001-orders/000002", "\"path\": \"data/0001-orders/x/000002", "not named as data"},
        {"\"table\": 0", "\"table\": 5", "members[0].table"},
        {"\"table\": 0", "\"table\": 1", "member 1 is"},
        {"\"offset\": 512,", "\"offset\": 0,", "is at 0 instead of 512"},
        {"\"offset\": 512,", "\"offset\": 513,", "is at 513 instead of 512"},
        {"\"offset\": 512,", "\"offset\": 9223372036854775807,", "instead of 512"},
        {"\"length\": ", "\"length\": 3221225473, \"x\": ", "members[0].length"},
        {"\"length\": ", "\"length\": 3221225472, \"x\": ", "instead of"},
        {"\"sha256\": \"", "\"sha256\": \"G\", \"x\": \"", "members[0].sha256"},
        {"\"plain_length\": ", "\"plain_length\": 0, \"x\": ", "cannot have"},
        {"\"load_warnings\": 1", "\"load_warnings\": -1", "load_warnings"},
        {"\"load_warnings\": 1,", "", "load_warnings"},
        {"\"key_first\": \"1\"", "\"key_first\": 1", "key_first"},
        /* the whole */
        {"{\n", "[\n", "JSON"},
        {"{\n", "{\n \"label\": \"twice\",", "JSON"},
        {"\"sample\"", "\"sam\\u0000ple\"", "JSON"},
        {"\"sample\"", "\"sam\xFFple\"", "JSON"},
        {"\"sample\"", "'sample'", "JSON"},
        {"\"sample\",", "\"sample\"", "JSON"},
        {"\n}\n", "\n}\n{}\n", "JSON"},
    };
    struct manifest *m = sample_manifest();
    struct buf json;
    to_json(m, &json);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_replaced(&json, cases[i].old, cases[i].new, ERR_DAMAGED, cases[i].message);
    buf_free(&json);
    manifest_free(m);
}

static void unknown_keys_are_left_for_later_versions(void **state)
{
    (void)state;
    struct manifest *m = sample_manifest();
    struct buf json;
    to_json(m, &json);
    check_replaced(&json, "{\n", "{\n \"future\": [1, {\"a\": null}],", ERR_OK, "");
    check_replaced(&json, "\"server\": {", "\"server\": {\"future\": 1.5,", ERR_OK, "");
    check_replaced(&json, "\"path\": \"data/", "\"future\": true, \"path\": \"data/", ERR_OK, "");
    buf_free(&json);
    manifest_free(m);
}

/* ---- contradictions ---- */

static void equal_schemas(struct manifest *m)
{
    m->schemas[1].name = m->schemas[0].name;
    m->tables[1].schema = m->schemas[0].name;
}
static void equal_tables(struct manifest *m)
{
    m->tables[3].name = m->tables[2].name;
}
static void numbers_out_of_order(struct manifest *m)
{
    m->tables[0].number = 2;
    m->tables[1].number = 1;
}
static void rows_of_a_table(struct manifest *m)
{
    m->tables[0].rows++;
    m->rows++;
}
static void bytes_of_a_table(struct manifest *m)
{
    m->tables[0].plain_bytes++;
    m->plain_bytes++;
}
static void stored_bytes_of_a_table(struct manifest *m)
{
    m->tables[0].stored_bytes--;
}
static void checksum_of_a_table(struct manifest *m)
{
    m->tables[0].checksum.high ^= 1;
}
static void checksum_of_an_empty_table(struct manifest *m)
{
    m->tables[2].checksum.low = 1;
}
static void all_rows(struct manifest *m)
{
    m->rows--;
}
static void all_bytes(struct manifest *m)
{
    m->plain_bytes++;
}
static void a_missing_member(struct manifest *m)
{
    m->member_count--;
}
static void hardly_any_member(struct manifest *m)
{
    m->member_count = 11;
}
static void exchanged_members(struct manifest *m)
{
    struct manifest_member last = m->members[m->member_count - 1];
    m->members[m->member_count - 1] = m->members[m->member_count - 2];
    m->members[m->member_count - 2] = last;
}
static void a_gap(struct manifest *m)
{
    m->members[m->member_count - 1].offset += 512;
}
static void data_of_no_table(struct manifest *m)
{
    m->members[m->member_count - 1].table = 0;
}
static void data_of_a_table_beyond(struct manifest *m)
{
    m->members[m->member_count - 1].table = 5;
}
static void data_of_another_kind(struct manifest *m)
{
    m->members[m->member_count - 1].kind = MEMBER_SCHEMA;
}
static void data_without_rows(struct manifest *m)
{
    m->members[m->member_count - 1].rows = 0;
}
static void more_rows_than_bytes(struct manifest *m)
{
    m->members[m->member_count - 1].rows = m->members[m->member_count - 1].plain_length + 1;
}
static void data_without_bytes(struct manifest *m)
{
    m->members[m->member_count - 1].length = 0;
}
static void a_member_too_long(struct manifest *m)
{
    m->members[m->member_count - 1].length = ((uint64_t)3 << 30) + 1;
}

static void contradictions_are_found(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct manifest *m);
        const char *message;
    } cases[] = {
        {equal_schemas, "schema 'shop' is listed twice"},
        {equal_tables, "table 'shop'.'empty' is listed twice"},
        {numbers_out_of_order, "table 'orders' is number 2 instead of 1"},
        {rows_of_a_table, "figures of table 'shop'.'orders'"},
        {bytes_of_a_table, "figures of table 'shop'.'orders'"},
        {stored_bytes_of_a_table, "figures of table 'shop'.'orders'"},
        {checksum_of_a_table, "figures of table 'shop'.'orders'"},
        {checksum_of_an_empty_table, "figures of table 'shop'.'empty'"},
        {all_rows, "total of rows"},
        {all_bytes, "total of rows or bytes"},
        {a_missing_member, "figures of table 'shop'.'orders'"},
        {hardly_any_member, "11 members are too few"},
        {exchanged_members, "instead of"},
        {a_gap, "instead of"},
        {data_of_no_table, "belongs to no table"},
        {data_of_a_table_beyond, "belongs to no table"},
        {data_of_another_kind, "belongs to no table"},
        {data_without_rows, "cannot have 0 rows"},
        {more_rows_than_bytes, "cannot have"},
        {data_without_bytes, "cannot have"},
        {a_member_too_long, "is too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err;
        struct manifest *m = sample_manifest(), *back;
        struct buf json;
        assert_ok(manifest_check(m, &err), &err);
        cases[i].change(m);
        assert_err(manifest_check(m, &err), ERR_DAMAGED, &err);
        if (strstr(err.text, cases[i].message) == NULL)
            fail_msg("case %zu: %s", i, err.text);
        to_json(m, &json);
        assert_err(manifest_read(json.data, json.len, &back, &err), ERR_DAMAGED, &err);
        buf_free(&json);
        manifest_free(m);
    }
}

/* ---- any size ---- */

static struct manifest *large_manifest(unsigned tables, unsigned data_per_table)
{
    struct manifest *m = manifest_new();
    m->schema_count = 1;
    m->schemas = arena_calloc(m->arena, 1, sizeof *m->schemas);
    m->schemas[0] = (struct manifest_schema){"large", "utf8mb4", "utf8mb4_bin", ""};
    m->table_count = tables;
    m->tables = arena_calloc(m->arena, tables, sizeof *m->tables);
    for (unsigned i = 0; i < tables; i++) {
        char *name = arena_printf(m->arena, "t%u", i);
        m->tables[i] = (struct manifest_table){.number = i + 1,
                                               .schema = "large",
                                               .name = name,
                                               .dir = archive_slug(m->arena, i + 1, name),
                                               .ddl_sha256 = "0123456789abcdef0123456789abcdef"
                                                             "0123456789abcdef0123456789abcdef",
                                               .column_count = 1,
                                               .columns = sample_id_column};
    }
    add_members(m, data_per_table);
    return m;
}

static void every_cut_is_rejected_and_no_flipped_bit_does_harm(void **state)
{
    (void)state;
    struct manifest *m = large_manifest(1, 1), *back;
    struct buf json;
    struct err err;
    to_json(m, &json);
    for (size_t n = 0; n < json.len - 1; n++) /* the last byte is a newline behind the object */
        assert_err(manifest_read(json.data, n, &back, &err), ERR_DAMAGED, &err);
    for (size_t i = 0; i < json.len; i++) {
        json.data[i] ^= (char)(1 << (i % 8));
        enum err_code rc = manifest_read(json.data, json.len, &back, &err);
        assert_true(rc == ERR_OK || rc == ERR_DAMAGED || rc == ERR_REFUSED);
        manifest_free(back);
        json.data[i] ^= (char)(1 << (i % 8));
    }
    buf_free(&json);
    manifest_free(m);
}

static void a_hundred_thousand_members(void **state)
{
    (void)state;
    struct err err;
    struct manifest *m = large_manifest(2, 50000), *back;
    struct buf json;
    to_json(m, &json);
    assert_ok(manifest_read(json.data, json.len, &back, &err), &err);
    assert_int_equal(back->member_count, 100007);
    assert_int_equal(back->rows, 100000);
    assert_int_equal(manifest_members_end(back), manifest_members_end(m));
    assert_string_equal(back->members[100006].path, "data/0002-t1/050000.tsv.zst");
    manifest_free(back);
    manifest_free(m);
    buf_free(&json);
}

static void ten_thousand_tables(void **state)
{
    (void)state;
    struct err err;
    struct manifest *m = large_manifest(10000, 1), *back;
    struct buf json;
    to_json(m, &json);
    assert_ok(manifest_read(json.data, json.len, &back, &err), &err);
    assert_string_equal(back->tables[9999].dir, "10000-t9999");
    manifest_free(back);
    manifest_free(m);
    buf_free(&json);
}

static void a_manifest_does_not_pass_its_maximum(void **state)
{
    (void)state;
    struct err err;
    struct buf json;
    struct manifest *m = sample_manifest();
    buf_init(&json, 1000);
    assert_err(manifest_write(m, &json, &err), ERR_NOMEM, &err);
    buf_free(&json);
    manifest_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_add_with_carry_and_read_back),
        cmocka_unit_test(the_sample_comes_back),
        cmocka_unit_test(hostile_names_come_back),
        cmocka_unit_test(the_static_part_of_a_table_comes_back_from_one_line),
        cmocka_unit_test(what_was_not_set_is_empty_not_missing),
        cmocka_unit_test(tables_are_found_by_both_names),
        cmocka_unit_test(the_format_is_looked_at_before_anything_else),
        cmocka_unit_test(malformed_ones_are_rejected),
        cmocka_unit_test(unknown_keys_are_left_for_later_versions),
        cmocka_unit_test(every_cut_is_rejected_and_no_flipped_bit_does_harm),
        cmocka_unit_test(contradictions_are_found),
        cmocka_unit_test(a_hundred_thousand_members),
        cmocka_unit_test(ten_thousand_tables),
        cmocka_unit_test(a_manifest_does_not_pass_its_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
