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

#define MANIFEST_FORMAT    2
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

/* A table, view or sequence: they share one namespace. */
struct manifest_name {
    const char *schema, *name;
};

struct manifest_foreign_key {
    const char *name;
    const char *parent_schema, *parent_table; /* always qualified; the parent need not be in the archive */
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
    unsigned trigger_count; /* names, in the order of their objects; format 1: without definitions */
    const char *const *triggers;
    unsigned foreign_key_count; /* the definitions stand in the table's */
    const struct manifest_foreign_key *foreign_keys;
    unsigned sequence_count; /* that its columns take defaults from, each once */
    const struct manifest_name *sequences;
    /* known at the end of the dump: */
    uint64_t rows, plain_bytes, stored_bytes; /* sums of its data members' rows, plain_length, length */
    struct rowsum checksum;
    bool counted; /* rows was equal to an independent COUNT(*) in the same snapshot */
};

struct manifest_schema {
    const char *name, *charset, *collation;
    const char *comment; /* "" (or NULL): none */
};

/* In the order in which objects are created; sequences before the tables, all others behind their rows. */
enum object_kind {
    OBJECT_SEQUENCE,
    OBJECT_PACKAGE,
    OBJECT_PACKAGE_BODY,
    OBJECT_FUNCTION,
    OBJECT_PROCEDURE,
    OBJECT_VIEW,
    OBJECT_TRIGGER,
    OBJECT_EVENT,
    OBJECT_KINDS
};
/* "package_body"; and back, OBJECT_KINDS for a word that means none. */
const char *object_kind_name(enum object_kind kind);
enum object_kind object_kind_parse(const char *name);

enum event_state { EVENT_ENABLED, EVENT_DISABLED, EVENT_REPLICA_DISABLED, EVENT_STATES };

/* Where a sequence stands.  Numbers in decimal digits, as the server printed them: some servers have unsigned
 * ones. */
struct manifest_sequence {
    const char *next; /* next_not_cached_value: nothing from here on was given away */
    const char *minimum, *maximum, *start, *increment, *cache;
    bool cycle;
    const char *cycle_count;
};

/* What is neither a schema nor a table.  A field that its kind does not have is NULL. */
struct manifest_object {
    unsigned number; /* from 1, in archive order: by kind, and within a kind as they can be created */
    enum object_kind kind;
    const char *schema, *name;
    const char *dir;        /* "<number>-<slug>", the beginning of its member's name */
    const char *ddl_sha256; /* of its definition, byte for byte */
    const char *definer;    /* "user@host" as the catalogue has it; NULL: sequences */
    const char *sql_mode;   /* of the session that made it; NULL: sequences and views */
    /* of the session that made it: character_set_client, which is also the definition's, and
     * collation_connection; NULL: sequences, whose definition is in utf8mb4 */
    const char *charset, *collation;
    const char *db_collation;    /* its database's at that time; NULL: sequences and views */
    const char *time_zone;       /* events */
    const char *table;           /* triggers: in the same schema */
    const char *timing, *action; /* triggers: "BEFORE" or "AFTER"; "INSERT", "UPDATE" or "DELETE" */
    unsigned order; /* triggers: place among those of the same table, timing and action, from 1; else 0 */
    enum event_state state;
    struct manifest_sequence sequence;
    bool broken;        /* views: it refers to what is not there, and cannot be selected from */
    unsigned use_count; /* views: the tables, views and sequences in its definition */
    const struct manifest_name *uses;
};

enum member_kind {
    MEMBER_README,
    MEMBER_SCRIPT,
    MEMBER_SCHEMA,
    MEMBER_TABLE_DDL,
    MEMBER_LOAD,
    MEMBER_OBJECT,
    MEMBER_DATA
};

struct manifest_member {
    const char *path;
    enum member_kind kind;
    unsigned table;          /* table number; 0: none */
    unsigned object;         /* object number; 0: none */
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
    const char *method; /* as in db/snapshot.h: "binlog-position", ..., "single-reader" */
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
    unsigned object_count;
    struct manifest_object *objects; /* objects[i].number == i + 1 */
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

/* One line of JSON each, so that a pipe can be restored before its manifest comes: the static part of one
 * table (everything known before its data is read) is the first line of its .load.sql; an object's that of
 * its .sql; and a schema's, together with the format of the archive, that of its .sql (in format 1 it has
 * none). format is the archive's: what it does not have is neither written nor demanded. */
enum err_code manifest_table_write(const struct manifest_table *t, unsigned format, struct buf *out,
                                   struct err *err);
enum err_code manifest_table_read(const char *data, size_t bytes, unsigned format, struct arena *arena,
                                  struct manifest_table *out, struct err *err);
enum err_code manifest_object_write(const struct manifest_object *o, struct buf *out, struct err *err);
enum err_code manifest_object_read(const char *data, size_t bytes, struct arena *arena,
                                   struct manifest_object *out, struct err *err);
enum err_code manifest_schema_write(const struct manifest_schema *s, unsigned format, struct buf *out,
                                    struct err *err);
/* ERR_REFUSED for a format newer than MANIFEST_FORMAT. */
enum err_code manifest_schema_read(const char *data, size_t bytes, struct arena *arena,
                                   struct manifest_schema *out, unsigned *format, struct err *err);

/* NULL when there is no such table. */
struct manifest_table *manifest_find_table(const struct manifest *m, const char *schema, const char *name);
/* NULL when there is no such object. */
struct manifest_object *manifest_find_object(const struct manifest *m, enum object_kind kind,
                                             const char *schema, const char *name);

#endif
