/*
 * What people and scripts read: figures in words, aligned columns, and writing to standard output with every
 * byte checked. Any thread; no state.
 */
#ifndef DBSAFE_CLI_OUTPUT_H
#define DBSAFE_CLI_OUTPUT_H

#include "cli/command.h"
#include "core/buf.h"
#include "core/json_out.h"

#include <stddef.h>
#include <stdint.h>

/* Longest result that is printed: a manifest of a very large archive. */
#define OUTPUT_MAX_BYTES ((size_t)1 << 30)

#define FIGURE_BYTES 40
/* "1,234,567"; "85.3 MiB" ("812 bytes" below 1 KiB); "1:02:03" or "4:05" of whole seconds.  All return out.
 */
const char *figure_count(uint64_t n, char out[FIGURE_BYTES]);
const char *figure_bytes(uint64_t bytes, char out[FIGURE_BYTES]);
const char *figure_duration(uint64_t seconds, char out[FIGURE_BYTES]);
/* "1 table", "1,234 tables". */
const char *figure_of(uint64_t n, const char *word, char out[FIGURE_BYTES]);
/* "12.3 s" of milliseconds. */
const char *figure_seconds(int64_t ms, char out[FIGURE_BYTES]);

/* Appends one line of text.  Names in an archive or a database may hold anything: control characters, line
 * ends too, become
 * '?', here and in columns. */
void output_line(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Rows of cells as left-aligned columns; right names the columns (bits) whose cells stand right-aligned.
 * cells: rows * columns strings, the first row being the heading. */
void output_columns(struct buf *out, const char *const *cells, size_t rows, unsigned columns, unsigned right);
/* Writes all of out to fd. */
enum err_code output_write(int fd, const struct buf *out, struct err *err);

/* Ends the JSON object that j writes into out, prints it as one line on standard output and notes that the
 * command answered. */
enum err_code output_answer(struct cli *cli, struct json_out *j, struct buf *out, struct err *err);
/* The key "error" of a JSON result. */
void output_json_error(struct json_out *j, const struct err *err);
/* Milliseconds since the command started. */
int64_t output_elapsed_ms(const struct cli *cli);

#endif
