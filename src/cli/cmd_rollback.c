#include "cli/command.h"
static enum err_code run_rollback(struct cli *cli, struct err *err)
{
    (void)cli;
    return err_set(err, ERR_USAGE, "not yet");
}
const struct command command_rollback = {.id = COMMAND_ROLLBACK,
                                         .name = "rollback",
                                         .operands = "--point NAME",
                                         .summary = "x",
                                         .description = "y.",
                                         .run = run_rollback};
