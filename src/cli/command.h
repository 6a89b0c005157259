/*
 * The commands: one file cmd_<name>.c each, which exports a constant entry.
 *
 * A command reads its options, calls the layers below and shows their result.  Results people asked for
 * (lists, problems, JSON) go to standard output, everything else to the log.
 */
#ifndef DBSAFE_CLI_COMMAND_H
#define DBSAFE_CLI_COMMAND_H

#include "cli/options.h"
#include "core/run.h"

#include <limits.h>
#include <stdbool.h>

#define OPERANDS_ANY UINT_MAX

struct keeper;

struct cli {
    const struct run *run; /* NULL for commands that are plain */
    const struct options *options;
    char *const *environment;
    int64_t started_ms;    /* monotonic clock */
    bool answered;         /* the command printed its JSON object itself, though it failed */
    struct keeper *keeper; /* for a restore drill; NULL unless the command asked for one */
};

struct command {
    enum command_id id;
    const char *name;
    const char *operands;    /* for the usage line; "" for none */
    const char *summary;     /* a few words, for the list of commands */
    const char *description; /* a paragraph, for its help */
    unsigned min_operands, max_operands;
    bool plain; /* needs no settings, log or signals */
    /* Whether it will want a keeper, which must be started before any thread; NULL: never. */
    bool (*wants_keeper)(const struct options *o);
    enum err_code (*run)(struct cli *cli, struct err *err);
};

extern const struct command command_dump, command_restore, command_undo, command_verify, command_list,
    command_show, command_prune, command_copy, command_snapshot, command_point, command_rollback,
    command_doctor, command_help, command_version;

const struct command *command_get(enum command_id id);
/* NULL when there is none of that name. */
const struct command *command_find(const char *name);
/* A command that the documentation names but this version does not have. */
bool command_is_later(const char *name);

/* Runs the program but for what only a process may do (main.c) and returns its exit status. */
int command_main(int argc, char *const *argv, char *const *environment);

#endif
