/*
 * The settings of one run: values of the options table by where they came from, and the command's operands.
 *
 * A value is kept only when nothing of higher rank gave one already, so the sources may be read in any order.
 * Owned and used by the main thread until the command starts; constant afterwards.
 */
#ifndef DBSAFE_CLI_OPTIONS_H
#define DBSAFE_CLI_OPTIONS_H

#include "cli/option_table.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a value came from; a higher one wins. */
enum origin { ORIGIN_NONE, ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_PROFILE, ORIGIN_ENVIRONMENT, ORIGIN_ARGUMENT };

struct options;

/* With the table's defaults in place. */
struct options *options_new(void);
void options_free(struct options *o);

/* Reads argv (options and operands in any order; the first operand names the command).  ERR_USAGE says which
 * argument is wrong and where to read on.  Not thread-safe: getopt_long keeps its state in globals. */
enum err_code options_parse(struct options *o, int argc, char *const *argv, struct err *err);
/* Reads the DBSAFE_<OPTION> variables of environment (NULL-terminated "NAME=value"); an empty one counts as
 * unset. */
enum err_code options_read_environment(struct options *o, char *const *environment, struct err *err);
/* One value as text; where names it in messages ("--threads", "FILE:3: threads").  Errors are ERR_USAGE for
 * arguments and ERR_CONFIG for the rest. */
enum err_code options_set(struct options *o, enum option_id id, enum origin origin, const char *where,
                          const char *text, struct err *err);
/* Whether options_set would take the text; nothing is kept. */
enum err_code options_check(enum option_id id, enum origin origin, const char *where, const char *text,
                            struct err *err);

/* COMMAND_HELP with that command as operand when --help was given. */
enum command_id options_command(const struct options *o);
const char *const *options_operands(const struct options *o, unsigned *count);

/* Strings are NULL, numbers 0, flags false and lists empty when nothing set them. Valid until options_free.
 */
const char *options_text(const struct options *o, enum option_id id);
uint64_t options_number(const struct options *o, enum option_id id);
bool options_flag(const struct options *o, enum option_id id);
const char *const *options_items(const struct options *o, enum option_id id, unsigned *count);
enum origin options_origin(const struct options *o, enum option_id id);

/* A size in bytes: digits with an optional suffix K, M, G or T (powers of 1024; "MiB" and "MB" mean the
 * same). */
bool size_parse(const char *text, uint64_t *bytes);

#endif
