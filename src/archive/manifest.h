/*
 * The manifest: all that dbsafe knows of an archive.  Filled in by src/dump, written as manifest.json
 * (docs/dbsafe-archive.5 is the contract), read back by restore, verify, list and show.
 *
 * A manifest owns an arena; every pointer below points into it or to constant strings.  Filling it in is
 * one thread's work (src/dump guards the members with its own lock).  Names and SQL text are UTF-8.
 */
#ifndef DBSAFE_ARCHIVE_MANIFEST_H
#define DBSAFE_ARCHIVE_MANIFEST_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_FORMAT    1
#define SHA256_HEX_BYTES   65
#define MANIFEST_PATH      "manifest.json"
#define MANIFEST_MAX_BYTES ((size_t)1 << 30) /* of the JSON text */

/* Content checksum: sum mod 2^128 of XXH3-128 of each row's canonical text. 0/0 for no rows. */
struct rowsum {
    uint64_t low, high;
};
void rowsum_add(struct rowsum *sum, struct rowsum other);
bool rowsum_equal(struct rowsum a, struct rowsum b);
#define ROWSUM_HEX_BYTES 33
void rowsum_format(struct rowsum sum, char out[ROWSUM_HEX_BYTES]); /* 32 hex digits, high first */
bool rowsum_parse(const char *text, struct rowsum *out);

struct manifest_column {
    const char *name;
    const char *type;        /* COLUMN_TYPE as the server prints it */
    const char *charset;     /* NULL for types without one */
    const char *select_expr; /* what the dump selects, e.g. CAST(`f` AS DOUBLE) */
    const char *load_expr;   /* what LOAD DATA sets, with @v for the field; NULL: the field as is */
    bool plain;              /* the text never needs escaping (numbers, dates) */
    bool nullable;
};

/* The unique key by which the table is read in order; columns index manifest_table.columns. */
struct manifest_key {
    const char *name; /* "PRIMARY", or NULL: no usable key */
    unsigned column_count;
    const unsigned *columns;
    bool nullable; /* one column that may be NULL: the NULLs are a range of their own */
};

struct manifest_table {
    unsigned number; /* from 1, in archive order */
    const char *schema, *name;
    const char *dir;    /* "<number>-<slug>", the folder of its data members */
    const char *engine; /* as the server prints it */
    bool transactional;
    bool system_versioned;
    const char *ddl_sha256;  /* hex digest of SHOW CREATE TABLE without its AUTO_INCREMENT value */
    uint64_t auto_increment; /* next value; 0: none */
    unsigned column_count;   /* dumped columns only: generated ones are left out */
    const struct manifest_column *columns;
    struct manifest_key key;
    unsigned trigger_count; /* triggers are not in the archive yet: restore refuses such tables */
    const char *const *triggers;
    /* known at the end of the dump: */
    uint64_t rows, plain_bytes, stored_bytes; /* sums of its data members' rows, plain_length, length */
    struct rowsum checksum;
    bool counted; /* rows was equal to an independent COUNT(*) in the same snapshot */
};

struct manifest_schema {
    const char *name, *charset, *collation;
};

enum member_kind { MEMBER_README, MEMBER_SCRIPT, MEMBER_SCHEMA, MEMBER_TABLE_DDL, MEMBER_LOAD, MEMBER_DATA };

struct manifest_member {
    const char *path;
    enum member_kind kind;
    unsigned table;          /* table number; 0: none */
    uint64_t offset, length; /* of the content in the archive, bytes; the tar header stands right before */
    char sha256[SHA256_HEX_BYTES]; /* of the stored bytes */
    /* data members only: */
    uint64_t plain_length, rows;
    struct rowsum checksum;
    uint64_t load_warnings;           /* that a correct LOAD DATA raises (ENUM index 0: one each) */
    const char *key_first, *key_last; /* key tuples as SQL literals, for people; may be NULL */
};

struct manifest_server {
    const char *version, *flavour; /* "10.11.6-MariaDB", "MariaDB" or "MySQL" */
    const char *sql_mode, *time_zone, *charset, *collation;
};

struct manifest_worker {
    const char *binlog_file; /* "" when the binlog is off */
    uint64_t binlog_position;
};

struct manifest_consistency {
    const char *method; /* "binlog-position", "trx-counter", "backup-stage", "single-reader" */
    const char *proof;  /* one sentence */
    unsigned tries;
    const char *gtid; /* may be NULL */
    unsigned worker_count;
    const struct manifest_worker *workers;
    uint64_t trx_before, trx_after; /* 0: not read */
};

struct manifest_warning {
    const char *object, *text; /* "glpi_select.chatbot_users.score" */
};

struct manifest {
    struct arena *arena;
    unsigned format;
    const char *tool_version;
    const char *label, *run_id;
    int64_t started_ms, finished_ms, snapshot_ms; /* wall clock; members' mtime is started_ms / 1000 */
    struct manifest_server server;
    struct manifest_consistency consistency;
    unsigned schema_count;
    struct manifest_schema *schemas;
    unsigned table_count;
    struct manifest_table *tables; /* tables[i].number == i + 1 */
    size_t member_count, member_cap;
    struct manifest_member *members; /* in archive order, without manifest.json and index.dbsafe */
    unsigned warning_count;
    struct manifest_warning *warnings;
    uint64_t rows, plain_bytes; /* sums over the tables */
};

struct manifest *manifest_new(void);
void manifest_free(struct manifest *m);
/* Adds a member (strings are copied); a warning. */
void manifest_add_member(struct manifest *m, const struct manifest_member *member);
void manifest_add_warning(struct manifest *m, const char *object, const char *text);

/* The whole as JSON, and back.  Reading checks types, ranges, that numbers and references fit and that every
 * member stands behind the one before; ERR_DAMAGED otherwise, ERR_REFUSED for a format newer than
 * MANIFEST_FORMAT. */
enum err_code manifest_write(const struct manifest *m, struct buf *out, struct err *err);
enum err_code manifest_read(const char *data, size_t bytes, struct manifest **out, struct err *err);

/* What manifest_read checks, for manifests made in memory: tables numbered and named once, members in their
 * order and place, the figures of a table equal to the sums over its members.  ERR_DAMAGED otherwise. */
enum err_code manifest_check(const struct manifest *m, struct err *err);
/* Where the last member with its padding ends: there the header of manifest.json stands. */
uint64_t manifest_members_end(const struct manifest *m);

/* The static part of one table (everything known before its data is read) as one line of JSON: it is the
 * first line of the table's .load.sql behind "-- dbsafe-table ", so that a pipe can be restored before its
 * manifest comes. */
enum err_code manifest_table_write(const struct manifest_table *t, struct buf *out, struct err *err);
enum err_code manifest_table_read(const char *data, size_t bytes, struct arena *arena,
                                  struct manifest_table *out, struct err *err);

/* NULL when there is no such table. */
struct manifest_table *manifest_find_table(const struct manifest *m, const char *schema, const char *name);

#endif
