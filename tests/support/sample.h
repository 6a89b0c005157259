/*
 * A small, real archive: what it holds can be loaded into a server.  Four tables in two databases, among them
 * an empty one, one with history, and one whose names hold all that breaks naive quoting; and an object of each
 * kind (sample_objects.h).
 */
#ifndef DBSAFE_TESTS_SUPPORT_SAMPLE_H
#define DBSAFE_TESTS_SUPPORT_SAMPLE_H

#include "archive/digest.h"
#include "archive/member.h"
#include "archive/rowtext.h"
#include "archive/text.h"
#include "archive/writer.h"
#include "db/ddl.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE_STARTED_MS INT64_C(1700000000123)

/* 64 characters: quotes, a newline that would end a comment, slashes, a pattern, letters of two and three
 * bytes. */
#define SAMPLE_WEIRD_TABLE                                                                                   \
    "a`b\"c'd\\e;f\n-- g/../h %s $(i) *?#\xC3\xA9\xE2\x82\xAC\t{j} <k> |l&m~ nopqrstuvwxyzZ"
#define SAMPLE_WEIRD_SCHEMA "d\xC3\xA9 `b` 'x'; \"y\"/%"

#include "support/sample_objects.h"

struct sample_table {
    const char *schema, *name, *ddl;
    bool system_versioned;
    const struct manifest_column *columns;
    unsigned column_count;
    const char *texts[3]; /* of the data members; NULL: no more */
    uint64_t warnings;    /* that loading the first of them raises */
};

static const struct manifest_column sample_orders_columns[] = {
    {"id", "int(11)", NULL, "`id`", NULL, true, false},
    {"note", "text", "utf8mb4", "`note`", NULL, false, true},
    {"state", "enum('new','paid')", "utf8mb4", "`state`+0", "CAST(@v AS UNSIGNED)", true, true},
};
static const struct manifest_column sample_weird_columns[] = {
    {"k`e\ny", "bigint(20) unsigned", NULL, "`k``e\ny`", NULL, true, false},
    {"u", "uuid", NULL, "`u`", "CONVERT(@v USING ascii)", true, true},
    {"@v", "float", NULL, "CAST(`@v` AS DOUBLE)", NULL, true, true},
};
static const struct manifest_column sample_id_column[] = {
    {"id", "int(11)", NULL, "`id`", NULL, true, false},
    {"of", "int(11)", NULL, "`of`", NULL, true, true},
};
static const struct manifest_foreign_key sample_foreign_keys[] = {{"empty_of", "shop", "orders"}};
static const struct manifest_name sample_sequences[] = {{"shop", "numbers"}};
static const char *const sample_triggers[] = {"audit"};
static const struct manifest_column sample_history_columns[] = {
    {"id", "int(11)", NULL, "`id`", NULL, true, false},
    {"a", "timestamp(6)", NULL, "`a`", NULL, true, false},
    {"b", "timestamp(6)", NULL, "`b`", NULL, true, false},
};

static const struct sample_table sample_tables[] = {
    {"shop",
     "orders",
     "CREATE TABLE `orders` (\n"
     "  `id` int(11) NOT NULL AUTO_INCREMENT,\n"
     "  `note` text DEFAULT NULL COMMENT 'Bemerkung f\xC3\xBCr ''innen''',\n"
     "  `state` enum('new','paid') DEFAULT NULL,\n"
     "  PRIMARY KEY (`id`)\n"
     ") ENGINE=InnoDB AUTO_INCREMENT=8 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci",
     false,
     sample_orders_columns,
     3,
     {"1\thello\\tworld\t1\n2\tline\\nbreak\t0\n", "3\t\\N\t\\N\n4\t\t2\n5\t\xF0\x9F\x98\x80 \\\\\t2\n",
      "7\tlast\t1\n"},
     1},
    {SAMPLE_WEIRD_SCHEMA,
     SAMPLE_WEIRD_TABLE,
     "CREATE TABLE `a``b\"c'd\\e;f\n-- g/../h %s $(i) *?#\xC3\xA9\xE2\x82\xAC\t{j} <k> |l&m~ nopqrstuvwxyzZ` "
     "(\n"
     "  `k``e\ny` bigint(20) unsigned NOT NULL,\n"
     "  `u` uuid DEFAULT NULL,\n"
     "  `@v` float DEFAULT NULL,\n"
     "  PRIMARY KEY (`k``e\ny`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci",
     false,
     sample_weird_columns,
     3,
     {"18446744073709551615\t123e4567-e89b-12d3-a456-426614174000\t0.10000000149011612\n"},
     0},
    {"shop",
     "empty",
     "CREATE TABLE `empty` (\n"
     "  `id` int(11) NOT NULL DEFAULT nextval(`shop`.`numbers`),\n"
     "  `of` int(11) DEFAULT NULL,\n"
     "  KEY `empty_of` (`of`),\n"
     "  CONSTRAINT `empty_of` FOREIGN KEY (`of`) REFERENCES `orders` (`id`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci",
     false,
     sample_id_column,
     2,
     {NULL},
     0},
    {"shop",
     "history",
     "CREATE TABLE `history` (\n"
     "  `id` int(11) NOT NULL,\n"
     "  `a` timestamp(6) GENERATED ALWAYS AS ROW START,\n"
     "  `b` timestamp(6) GENERATED ALWAYS AS ROW END,\n"
     "  PRIMARY KEY (`id`,`b`),\n"
     "  PERIOD FOR SYSTEM_TIME (`a`, `b`)\n"
     ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci WITH SYSTEM VERSIONING",
     true,
     sample_history_columns,
     3,
     {"1\t2020-01-01 00:00:00.000000\t2021-01-01 00:00:00.000000\n"
      "1\t2021-01-01 00:00:00.000000\t2038-01-19 03:14:07.999999\n"},
     0},
};
#define SAMPLE_TABLES 4

/* The digest as src/dump takes it: without the AUTO_INCREMENT value. */
static inline const char *sample_ddl_digest(struct manifest *m, const char *ddl)
{
    char sha256[SHA256_HEX_BYTES];
    struct buf plain;
    buf_init(&plain, 10000);
    ddl_without_auto_increment(ddl, &plain);
    digest_of(plain.data, plain.len, sha256);
    buf_free(&plain);
    return arena_strdup(m->arena, sha256);
}

static inline void sample_describe(struct manifest *m)
{
    static const struct manifest_worker workers[2] = {{"bin.000007", 4711}, {"bin.000007", 4711}};
    static const unsigned key_columns[2] = {0, 2};
    m->tool_version = "0.1.0";
    m->label = "sample";
    m->run_id = "0123456789ab";
    m->started_ms = SAMPLE_STARTED_MS;
    m->snapshot_ms = SAMPLE_STARTED_MS + 500;
    m->finished_ms = SAMPLE_STARTED_MS + 2000;
    m->server =
        (struct manifest_server){"10.11.6-MariaDB", "MariaDB", "", "UTC", "utf8mb4", "utf8mb4_general_ci"};
    m->consistency = (struct manifest_consistency){.method = "binlog-position",
                                                   .proof = "both workers saw the same position",
                                                   .tries = 1,
                                                   .gtid = "0-1-42",
                                                   .worker_count = 2,
                                                   .workers = workers,
                                                   .trx_before = 99,
                                                   .trx_after = 99};
    m->schema_count = 2;
    m->schemas = arena_calloc(m->arena, 2, sizeof *m->schemas);
    m->schemas[0] = (struct manifest_schema){"shop", "utf8mb4", "utf8mb4_general_ci", "it's \\ a\nshop"};
    m->schemas[1] = (struct manifest_schema){SAMPLE_WEIRD_SCHEMA, "latin1", "latin1_swedish_ci", ""};
    m->table_count = SAMPLE_TABLES;
    m->tables = arena_calloc(m->arena, SAMPLE_TABLES, sizeof *m->tables);
    for (unsigned i = 0; i < SAMPLE_TABLES; i++) {
        const struct sample_table *from = &sample_tables[i];
        struct manifest_table *t = &m->tables[i];
        *t = (struct manifest_table){.number = i + 1,
                                     .schema = from->schema,
                                     .name = from->name,
                                     .dir = archive_slug(m->arena, i + 1, from->name),
                                     .engine = "InnoDB",
                                     .transactional = true,
                                     .system_versioned = from->system_versioned,
                                     .ddl_sha256 = sample_ddl_digest(m, from->ddl),
                                     .auto_increment = i == 0 ? 8 : 0,
                                     .column_count = from->column_count,
                                     .columns = from->columns,
                                     .counted = true};
        if (strstr(from->ddl, "PRIMARY KEY") != NULL)
            t->key = (struct manifest_key){
                .name = "PRIMARY", .column_count = from->system_versioned ? 2 : 1, .columns = key_columns};
    }
    m->tables[0].triggers = sample_triggers;
    m->tables[0].trigger_count = 1;
    m->tables[2].foreign_keys = sample_foreign_keys;
    m->tables[2].foreign_key_count = 1;
    m->tables[2].sequences = sample_sequences;
    m->tables[2].sequence_count = 1;
    sample_describe_objects(m);
    manifest_add_warning(m, "shop.orders.note", "something to look at");
}

/* Adds a member of content and demands success. */
static inline void sample_add(struct archive_writer *w, enum member_kind kind, unsigned table,
                              struct buf *path, const struct buf *content)
{
    struct err err;
    struct manifest_member member = {.path = buf_cstr(path), .kind = kind, .table = table};
    if (archive_writer_add(w, &member, content->data, content->len, &err) != ERR_OK)
        abort();
}

static inline void sample_write_head(struct archive_writer *w, const struct manifest *m)
{
    struct err err;
    struct buf path, text;
    buf_init(&path, 1000);
    buf_init(&text, 1000000);
    buf_put(&path, "README.txt");
    archive_readme(m, &text);
    sample_add(w, MEMBER_README, 0, &path, &text);
    buf_clear(&path);
    buf_clear(&text);
    buf_put(&path, "restore.sh");
    archive_restore_script(&text);
    sample_add(w, MEMBER_SCRIPT, 0, &path, &text);
    for (unsigned i = 0; i < m->schema_count; i++) {
        buf_clear(&path);
        buf_clear(&text);
        archive_schema_path(i + 1, &m->schemas[i], &path);
        if (archive_schema_sql(&m->schemas[i], &text, &err) != ERR_OK)
            abort();
        sample_add(w, MEMBER_SCHEMA, 0, &path, &text);
    }
    for (unsigned i = 0; i < m->table_count; i++) {
        buf_clear(&path);
        buf_clear(&text);
        archive_ddl_path(&m->tables[i], &path);
        buf_putf(&text, "%s;\n", sample_tables[i % SAMPLE_TABLES].ddl);
        sample_add(w, MEMBER_TABLE_DDL, i + 1, &path, &text);
        buf_clear(&path);
        buf_clear(&text);
        archive_load_path(&m->tables[i], &path);
        if (archive_load_sql(&m->tables[i], m->format, &text, &err) != ERR_OK)
            abort();
        sample_add(w, MEMBER_LOAD, i + 1, &path, &text);
    }
    sample_write_objects(w, m);
    buf_free(&path);
    buf_free(&text);
}

/* Adds the n-th data member of a table and its figures to the table's. */
static inline void sample_add_data(struct archive_writer *w, struct manifest *m, unsigned table, unsigned n,
                                   const char *text, uint64_t warnings)
{
    struct err err;
    struct buf path, stored;
    struct manifest_table *t = &m->tables[table - 1];
    struct packer *packer = packer_new(1);
    struct rowtext *rows = rowtext_new();
    buf_init(&path, 1000);
    buf_init(&stored, (size_t)1 << 30);
    archive_data_path(t, n, &path);
    struct manifest_member member = {.path = buf_cstr(&path),
                                     .kind = MEMBER_DATA,
                                     .table = table,
                                     .plain_length = strlen(text),
                                     .load_warnings = warnings,
                                     .key_first = "1",
                                     .key_last = n == 1 ? "X'22C3A9'" : NULL};
    rowtext_add(rows, text, strlen(text));
    if (!rowtext_end(rows, &member.rows, &member.checksum) ||
        packer_pack(packer, text, strlen(text), &stored, &err) != ERR_OK ||
        archive_writer_add(w, &member, stored.data, stored.len, &err) != ERR_OK)
        abort();
    t->rows += member.rows;
    t->plain_bytes += member.plain_length;
    t->stored_bytes += member.length;
    rowsum_add(&t->checksum, member.checksum);
    m->rows += member.rows;
    m->plain_bytes += member.plain_length;
    buf_free(&path);
    buf_free(&stored);
    rowtext_free(rows);
    packer_free(packer);
}

/* The whole archive into the sink, which is not committed.  The caller frees the manifest. */
static inline struct manifest *sample_write(struct sink *sink)
{
    struct err err;
    struct archive_writer *w;
    struct manifest *m = manifest_new();
    sample_describe(m);
    if (archive_writer_new(sink, m, m->started_ms / 1000, &w, &err) != ERR_OK)
        abort();
    sample_write_head(w, m);
    for (unsigned n = 0; n < 3; n++)
        for (unsigned i = 0; i < SAMPLE_TABLES; i++)
            if (sample_tables[i].texts[n] != NULL)
                sample_add_data(w, m, i + 1, n + 1, sample_tables[i].texts[n],
                                n == 0 ? sample_tables[i].warnings : 0);
    if (archive_writer_finish(w, &err) != ERR_OK)
        abort();
    archive_writer_free(w);
    return m;
}

#endif
