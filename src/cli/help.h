/*
 * Texts made from the tables of commands and options: help, the manual page's option list, shell completion.
 * All append to out.
 */
#ifndef DBSAFE_CLI_HELP_H
#define DBSAFE_CLI_HELP_H

#include "cli/option_table.h"
#include "core/buf.h"

void help_overview(struct buf *out);
void help_command(enum command_id id, struct buf *out);
void help_exit_codes(struct buf *out);
void help_config(struct buf *out);
/* A script for bash: `source <(dbsafe help completion)`. */
void help_completion(struct buf *out);
/* The parts of docs/dbsafe.1 that are made from the tables, in mdoc(7). */
void help_manual(struct buf *out);

#endif
