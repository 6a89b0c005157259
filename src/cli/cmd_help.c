/* dbsafe help [COMMAND | exit-codes | config | completion]. */
#include "cli/command.h"
#include "cli/help.h"
#include "cli/output.h"

#include <string.h>
#include <unistd.h>

#define HELP_MAX_BYTES ((size_t)1 << 20)

static const struct {
    const char *name;
    void (*put)(struct buf *out);
} topics[] = {
    {"exit-codes", help_exit_codes},
    {"config", help_config},
    {"completion", help_completion},
    {"manual", help_manual}, /* for scripts/check-docs */
};

static enum err_code put_topic(const char *topic, struct buf *out, struct err *err)
{
    const struct command *command = command_find(topic);
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
        if (strcmp(topics[i].name, topic) == 0) {
            topics[i].put(out);
            return ERR_OK;
        }
    if (command)
        help_command(command->id, out);
    else if (command_is_later(topic))
        return err_set(err, ERR_USAGE, "'%s' is not in this version", topic);
    else
        return err_set(err, ERR_USAGE, "there is no help on '%s'; see 'dbsafe help'", topic);
    return ERR_OK;
}

static enum err_code run_help(struct cli *cli, struct err *err)
{
    unsigned count;
    const char *const *operands = options_operands(cli->options, &count);
    enum err_code code = ERR_OK;
    struct buf out;
    buf_init(&out, HELP_MAX_BYTES);
    if (count == 0)
        help_overview(&out);
    else
        code = put_topic(operands[0], &out, err);
    if (code == ERR_OK)
        code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    return code;
}

const struct command command_help = {
    .id = COMMAND_HELP,
    .name = "help",
    .operands = "[COMMAND | exit-codes | config | completion]",
    .summary = "this, or more on one topic",
    .description =
        "Shows the commands, or the options of one; 'completion' prints a completion script for bash.",
    .max_operands = 1,
    .plain = true,
    .run = run_help,
};
