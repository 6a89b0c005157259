/*
 * Reads the text of SHOW CREATE TABLE as far as dbsafe needs it: the items between its parentheses, the keys
 * that can be added later, foreign keys, and the text without its AUTO_INCREMENT value.  Quotes, backticks,
 * comments and nesting are followed; nothing is interpreted beyond an item's first words.
 */
#ifndef DBSAFE_DB_DDL_H
#define DBSAFE_DB_DDL_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

enum ddl_kind {
    DDL_COLUMN,
    DDL_PRIMARY,
    DDL_UNIQUE,
    DDL_KEY,
    DDL_FULLTEXT,
    DDL_SPATIAL,
    DDL_FOREIGN,
    DDL_OTHER
};

struct ddl_item {
    enum ddl_kind kind;
    const char *text;          /* without surrounding white space and comma */
    const char *first_column;  /* keys and foreign keys: unquoted; NULL for expressions */
    const char *name;          /* keys, foreign keys and columns: unquoted; may be NULL */
    const char *parent_schema; /* foreign keys: NULL when unqualified */
    const char *parent_table;  /* foreign keys: never NULL there */
    bool auto_increment;       /* columns */
};

struct ddl {
    const char *head; /* "CREATE TABLE `t` (" */
    const char *tail; /* ") ENGINE=..." */
    unsigned item_count;
    struct ddl_item *items;
};

/* All strings live in arena. ERR_DB when the text has not the form of SHOW CREATE TABLE. */
enum err_code ddl_parse(const char *text, struct arena *arena, struct ddl *out, struct err *err);

/* A sequence from which a column takes its default. */
struct ddl_sequence {
    const char *schema, *name;
};
/* Those of all columns, each once, in their order; lives in arena. */
struct ddl_sequence *ddl_sequences(const struct ddl *d, struct arena *arena, unsigned *count);

/* Writes a statement that creates the table under into ("`schema`.`name`"), leaving out the items for which
 * skip is true (skip may be NULL). */
void ddl_create(const struct ddl *d, const char *into, const bool *skip, struct buf *out);

/* The text with " AUTO_INCREMENT=<n>" removed from the table options. */
void ddl_without_auto_increment(const char *text, struct buf *out);
/* Steps over one unit of a definition: a quoted piece or one byte. */
const char *ddl_step(const char *p);
/* Whether a table option stands in the tail, e.g. "DATA DIRECTORY". Quoted text is not searched. */
bool ddl_tail_has(const char *tail, const char *words);

#endif
