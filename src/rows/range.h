/*
 * Key ranges of a table as SQL: bounds are tuples of literals, half-open, outer ends open.
 */
#ifndef DBSAFE_ROWS_RANGE_H
#define DBSAFE_ROWS_RANGE_H

#include "core/buf.h"
#include "db/conn.h"
#include "rows/encode.h"

/* A key tuple: one SQL literal a key column, owned. */
struct key_tuple {
    unsigned count;
    char **literals;
};

void key_tuple_free(struct key_tuple *k);
struct key_tuple *key_tuple_copy(const struct key_tuple *k);
/* From a row that was selected with the table's SELECT expressions. */
struct key_tuple *key_tuple_of_row(const struct manifest_table *t, const struct row *row);
/* From a row that holds the key columns only, in key order. */
struct key_tuple *key_tuple_of_key_row(const struct manifest_table *t, const struct row *row);
/* "(1, _utf8mb4 0x6162)" for people. */
void key_tuple_print(const struct key_tuple *k, struct buf *out);

enum range_kind {
    RANGE_WHOLE, /* the table in no order: it has no usable key */
    RANGE_KEYS,  /* low < key < high in key order, without NULLs */
    RANGE_NULLS  /* the rows whose (nullable) key is NULL */
};

struct range {
    unsigned table; /* index into the scan's tables */
    enum range_kind kind;
    struct key_tuple *low;  /* NULL: open */
    bool low_included;      /* the row of low itself belongs to the range */
    struct key_tuple *high; /* excluded; NULL: open */
    uint64_t rows_estimate;
};

struct range *range_new(unsigned table, enum range_kind kind, uint64_t rows_estimate);
void range_free(struct range *r);

/* " WHERE ..." of a range, or nothing. Composite bounds are written as a>=x AND (a>x OR (a=x AND b>y)), which
 * the server reads by the index; a row comparison would scan the table. */
void range_where(const struct manifest_table *t, const struct range *r, struct buf *sql);
/* "`s`.`t` [FOR SYSTEM_TIME ALL] FORCE INDEX (...)" */
void range_from(const struct manifest_table *t, const char *from, const struct range *r, struct buf *sql);
/* The whole query of the next at most limit rows of the range (0: no limit). */
void range_select(const struct manifest_table *t, const char *from, const struct range *r, uint64_t limit,
                  struct buf *sql);

/* Looks for a key that parts r in two halves of roughly the same number of rows, at least min_rows (> 0) each
 * by the optimizer's estimates, with one index dive.  *upper is the range from that key on, cut off r
 * (r->high is set to the key), or NULL when there is no good place. */
enum err_code range_split(struct db_conn *c, const struct manifest_table *t, const char *from,
                          struct range *r, uint64_t min_rows, struct range **upper, struct err *err);

#endif
