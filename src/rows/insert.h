/*
 * Rows as multi-row INSERT statements, for servers that take no LOAD DATA LOCAL: the same text that an
 * archive keeps becomes string literals with the same bytes, assigned by the same expressions, in a session
 * with the same settings.
 *
 * The text may come in pieces of any size.  Belongs to one thread.
 */
#ifndef DBSAFE_ROWS_INSERT_H
#define DBSAFE_ROWS_INSERT_H

#include "archive/manifest.h"

struct insert_writer;

/* Takes a finished statement of so many rows. */
typedef enum err_code insert_fn(void *arg, const char *sql, size_t bytes, uint64_t rows, struct err *err);

/* into: quoted "`schema`.`table`".  packet_bytes: no statement is longer (the server's max_allowed_packet).
 */
struct insert_writer *insert_writer_new(const struct manifest_table *t, const char *into, size_t packet_bytes,
                                        insert_fn *fn, void *arg);
void insert_writer_free(struct insert_writer *w);

/* ERR_DAMAGED: not the text of this table's rows.  ERR_REFUSED: a row does not fit into a packet, or a column
 * is loaded in a way that only LOAD DATA has. */
enum err_code insert_writer_add(struct insert_writer *w, const char *text, size_t bytes, struct err *err);
/* The last statement. ERR_DAMAGED when the text does not end with a whole row. */
enum err_code insert_writer_end(struct insert_writer *w, struct err *err);

#endif
