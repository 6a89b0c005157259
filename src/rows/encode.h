/*
 * The canonical text of a row: the fields of LOAD DATA (tab between, newline behind; \N for NULL; backslash
 * before backslash, and \t \n \0 for those bytes), and its checksum, XXH3-128 of the text without the
 * newline.
 *
 * The same text is what an archive stores, what is loaded, and what is compared.
 */
#ifndef DBSAFE_ROWS_ENCODE_H
#define DBSAFE_ROWS_ENCODE_H

#include "archive/manifest.h"
#include "core/buf.h"

/* What the encoder knows of a table's columns. */
struct encoder {
    unsigned column_count;
    bool *plain;      /* per column: copy without looking */
    bool *enumerated; /* per column: ENUM, whose value 0 warns when it is loaded */
};

void encoder_init(struct encoder *e, const struct manifest_table *t);
void encoder_free(struct encoder *e);

/* A row as Connector/C gives it: values[i] of lengths[i] bytes, NULL for SQL NULL. */
struct row {
    char *const *values;
    const unsigned long *lengths;
};

/* Sum of the values' lengths in bytes. */
uint64_t row_bytes(const struct encoder *e, const struct row *row);
/* Appends text and newline; returns the row's checksum. ERR_NOMEM when out is full. */
enum err_code row_encode(const struct encoder *e, const struct row *row, struct buf *out, struct rowsum *sum,
                         struct err *err);
/* Fields with an ENUM index of 0. */
uint64_t row_load_warnings(const struct encoder *e, const struct row *row);

/* For rows too large to hold twice: the exact length of the text with its newline, and the text in pieces of
 * at most ROW_PIECE_BYTES. */
#define ROW_PIECE_BYTES ((size_t)1 << 20)
uint64_t row_text_bytes(const struct encoder *e, const struct row *row);
typedef enum err_code row_piece_fn(void *arg, const char *text, size_t bytes, struct err *err);
enum err_code row_encode_pieces(const struct encoder *e, const struct row *row, row_piece_fn *piece,
                                void *arg, struct rowsum *sum, struct err *err);

#endif
