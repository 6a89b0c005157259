#include "cli/command.h"

#include "cli/config.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "recovery/keeper.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define RUN_ID_BYTES 13 /* 12 hex digits and NUL */

static const struct command *const commands[COMMAND_COUNT] = {
    [COMMAND_DUMP] = &command_dump,         [COMMAND_RESTORE] = &command_restore,
    [COMMAND_UNDO] = &command_undo,         [COMMAND_VERIFY] = &command_verify,
    [COMMAND_LIST] = &command_list,         [COMMAND_SHOW] = &command_show,
    [COMMAND_PRUNE] = &command_prune,       [COMMAND_COPY] = &command_copy,
    [COMMAND_SNAPSHOT] = &command_snapshot, [COMMAND_POINT] = &command_point,
    [COMMAND_ROLLBACK] = &command_rollback, [COMMAND_DOCTOR] = &command_doctor,
    [COMMAND_HELP] = &command_help,         [COMMAND_VERSION] = &command_version,
};

const struct command *command_get(enum command_id id)
{
    return commands[id];
}

const struct command *command_find(const char *name)
{
    for (enum command_id id = 0; id < COMMAND_COUNT; id++)
        if (strcmp(commands[id]->name, name) == 0)
            return commands[id];
    return NULL;
}

bool command_is_later(const char *name)
{
    static const char *const later[] = {"schedule", "status", "report", "keygen"};
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        if (strcmp(later[i], name) == 0)
            return true;
    return false;
}

static enum err_code make_run_id(char out[RUN_ID_BYTES], struct err *err)
{
    unsigned char bytes[6];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_set(err, ERR_INTERNAL, "the system gives no random bytes");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return ERR_OK;
}

/* The more specific of -q and -v wins; -q when both are. */
static enum log_level level_of(const struct options *o)
{
    bool quiet = options_flag(o, OPTION_QUIET), verbose = options_flag(o, OPTION_VERBOSE);
    if (quiet && verbose)
        quiet = options_origin(o, OPTION_QUIET) >= options_origin(o, OPTION_VERBOSE);
    return quiet ? LOG_WARN : verbose ? LOG_DEBUG : LOG_INFO;
}

static bool json_log(const struct options *o)
{
    return strcmp(options_text(o, OPTION_LOG_FORMAT), "json") == 0;
}

/* A signal makes all that runs fail in its own way: what counts is the signal.  An error that is one already
 * may say more, such as how to go on. */
static enum err_code prefer_signal(struct cancel *cancel, enum err_code code, struct err *err)
{
    struct err why = {0};
    enum err_code fired = cancel_check(cancel, &why);
    if (code == ERR_OK || code == fired || (fired != ERR_SIGINT && fired != ERR_SIGTERM))
        return code;
    return err_copy(err, &why);
}

/* Gives the command its log, token and signals, and runs it. */
static enum err_code run_working(struct cli *cli, struct log *log, struct err *err)
{
    const struct command *command = command_get(options_command(cli->options));
    const struct clock *clock = clock_system();
    struct progress progress = {.phase = NULL};
    struct signals *signals = NULL;
    char run_id[RUN_ID_BYTES];
    enum err_code code = make_run_id(run_id, err);
    if (code != ERR_OK)
        return code;
    struct run run = {
        .log = log, .cancel = cancel_new(), .clock = clock, .progress = &progress, .run_id = run_id};
    cli->run = &run;
    cli->started_ms = clock_monotonic_ms(clock);
    if (command->wants_keeper && command->wants_keeper(cli->options))
        code = keeper_start(&cli->keeper, err);
    if (code == ERR_OK)
        code = signals_start(&run, &signals, err);
    if (code == ERR_OK)
        code = command->run(cli, err);
    signals_stop(signals);
    keeper_free(cli->keeper);
    code = prefer_signal(run.cancel, code, err);
    cancel_free(run.cancel);
    cli->run = NULL;
    return code;
}

/* Says what went wrong, once: on the log, and as the JSON object when one was asked for and not given yet. */
static void report(const struct cli *cli, struct log *log, const struct err *err)
{
    log_error(log, "%s", err->text);
    if (!options_flag(cli->options, OPTION_JSON) || cli->answered)
        return;
    struct buf out;
    struct json_out j;
    struct err ignored;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    output_json_error(&j, err);
    json_out_object_close(&j);
    if (json_out_end(&j, &ignored) == ERR_OK) {
        buf_put(&out, "\n");
        output_write(STDOUT_FILENO, &out, &ignored); /* the exit status still tells */
    }
    buf_free(&out);
}

int command_main(int argc, char *const *argv, char *const *environment)
{
    struct err err = {0};
    struct options *o = options_new();
    struct cli cli = {.options = o, .environment = environment};
    enum err_code code = options_parse(o, argc, argv, &err);
    const struct command *command = command_get(options_command(o));
    if (code == ERR_OK && !command->plain)
        code = options_read_environment(o, environment, &err);
    if (code == ERR_OK && !command->plain)
        code = config_read(o, environment, &err);
    struct log *log = log_new(STDERR_FILENO, level_of(o), json_log(o) ? LOG_JSON : LOG_TEXT, clock_system());
    if (code == ERR_OK)
        code = command->plain ? command->run(&cli, &err) : run_working(&cli, log, &err);
    if (code != ERR_OK)
        report(&cli, log, &err);
    log_free(log);
    options_free(o);
    return err_exit_status(code);
}
