/* The subcommands of dbsafe point that have a file of their own. */
#ifndef DBSAFE_CLI_CMD_POINT_H
#define DBSAFE_CLI_CMD_POINT_H

#include "cli/command.h"

/* 'point create NAME DB...': operands from NAME on. */
enum err_code point_create_run(struct cli *cli, const char *const *operands, unsigned count, struct err *err);

#endif
