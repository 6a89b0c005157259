/*
 * What the server has: schemas, tables, columns, keys, definitions.  Results live in the caller's arena.
 * Names are compared by the server; texts are utf8mb4.
 */
#ifndef DBSAFE_DB_CATALOG_H
#define DBSAFE_DB_CATALOG_H

#include "core/arena.h"
#include "core/buf.h"
#include "db/conn.h"

#include <stdbool.h>
#include <stdint.h>

enum catalog_kind {
    CATALOG_TABLE,
    CATALOG_VIEW,
    CATALOG_SEQUENCE,
    /* catalog_objects.h: */
    CATALOG_PACKAGE,
    CATALOG_PACKAGE_BODY,
    CATALOG_FUNCTION,
    CATALOG_PROCEDURE,
    CATALOG_TRIGGER,
    CATALOG_EVENT
};

struct catalog_schema {
    const char *name, *charset, *collation;
    const char *comment; /* "" where the server has none */
};

struct catalog_table {
    const char *schema, *name;
    enum catalog_kind kind;
    const char *engine; /* "" for views and broken tables */
    bool system_versioned;
    uint64_t rows_estimate, data_bytes; /* the engine's guesses */
    const char *created;                /* CREATE_TIME; it moves when a table is renamed; "" unknown */
    uint64_t auto_increment;            /* next value; 0: none */
    const char *broken; /* views: why they cannot be selected from, by the server; else NULL */
};

struct catalog_column {
    const char *name;
    const char *data_type;   /* "varchar" */
    const char *column_type; /* "varchar(40)" */
    const char *charset;     /* NULL for types without */
    bool nullable;
    bool generated; /* VIRTUAL or STORED */
    bool period;    /* ROW START or ROW END of system versioning */
    bool auto_increment;
};

struct catalog_key {
    const char *name;
    unsigned column_count;
    const char **columns;
    bool ordered;  /* a B-tree over whole columns, all ascending, not ignored: usable for reading in order */
    bool nullable; /* some column may be NULL */
};

/* Whether catalog_schemas leaves it out. */
bool catalog_hides_schema(const char *name);
/* Every schema but the server's own and those named dbsafe_%. */
enum err_code catalog_schemas(struct db_conn *c, struct arena *arena, struct catalog_schema **out,
                              unsigned *count, struct err *err);
/* Tables, views and sequences of a schema in order of name; only the one called name unless that is NULL. */
enum err_code catalog_tables(struct db_conn *c, struct arena *arena, const char *schema, const char *name,
                             struct catalog_table **out, unsigned *count, struct err *err);
/* Whether there is a table, view or sequence of that name; false with an error. */
enum err_code catalog_exists(struct db_conn *c, const char *schema, const char *name, bool *exists,
                             struct err *err);
enum err_code catalog_columns(struct db_conn *c, struct arena *arena, const char *schema, const char *table,
                              struct catalog_column **out, unsigned *count, struct err *err);
/* Unique keys, PRIMARY first. */
enum err_code catalog_unique_keys(struct db_conn *c, struct arena *arena, const char *schema,
                                  const char *table, struct catalog_key **out, unsigned *count,
                                  struct err *err);
/* Names of the triggers of a table, by action and timing, and in the order in which they fire. */
enum err_code catalog_triggers(struct db_conn *c, struct arena *arena, const char *schema, const char *table,
                               const char ***out, unsigned *count, struct err *err);
/* SHOW CREATE TABLE.  ERR_NOT_FOUND when there is no such table (any more). */
enum err_code catalog_ddl(struct db_conn *c, const char *schema, const char *table, struct buf *out,
                          struct err *err);
/* CREATE_TIME, which a rename changes too; "" when the server does not know it, or the table is gone. */
enum err_code catalog_created(struct db_conn *c, const char *schema, const char *table, struct buf *out,
                              struct err *err);
/* Whether the engine keeps transactions (rows of a snapshot stay as they were). */
bool catalog_engine_is_transactional(const char *engine);

#endif
