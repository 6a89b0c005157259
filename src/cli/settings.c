#include "cli/settings.h"

#include "cli/option_table.h"
#include "core/mem.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_DEFAULT_MAX 4
#define NAME_CHARACTERS     64

unsigned settings_threads(const struct options *o)
{
    cpu_set_t set;
    unsigned given = (unsigned)options_number(o, OPTION_THREADS);
    if (given)
        return given;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    unsigned processors = (unsigned)CPU_COUNT(&set);
    return processors < THREADS_DEFAULT_MAX ? processors : THREADS_DEFAULT_MAX;
}

int64_t settings_stale_after_ms(const struct options *o)
{
    return (int64_t)options_number(o, OPTION_STALE_AFTER) * 3600 * 1000;
}

struct ticker *settings_ticker(const struct cli *cli)
{
    const char *setting = options_text(cli->options, OPTION_PROGRESS);
    bool json_log = strcmp(options_text(cli->options, OPTION_LOG_FORMAT), "json") == 0;
    bool always = strcmp(setting, "always") == 0;
    if (!log_wants(cli->run->log, LOG_INFO) && !always)
        return NULL;
    return ticker_start(cli->run, progress_mode_of(setting, isatty(STDERR_FILENO), json_log));
}

enum err_code settings_check_needs(const struct options *o, enum option_id flag, const enum option_id *ids,
                                   unsigned count, struct err *err)
{
    for (unsigned i = 0; !options_flag(o, flag) && i < count; i++)
        if (options_origin(o, ids[i]) == ORIGIN_ARGUMENT)
            return err_set(err, ERR_USAGE, "--%s does nothing without --%s", option_spec(ids[i])->name,
                           option_spec(flag)->name);
    return ERR_OK;
}

/* Bytes of the pointers and of all strings behind them: one block for the caller to free. */
static size_t block_bytes(const char *const *items, unsigned count)
{
    size_t bytes = 2 * count * sizeof(char *);
    for (unsigned i = 0; i < count; i++)
        bytes += strlen(items[i]) + 1;
    return bytes;
}

/* Servers count characters, not bytes. */
static bool is_too_long(const char *name)
{
    size_t characters = 0;
    for (; *name; name++)
        characters += ((unsigned char)*name & 0xC0) != 0x80;
    return characters > NAME_CHARACTERS;
}

static enum err_code check_pair(const char *const *pairs, unsigned index, unsigned count, struct err *err)
{
    const char *old = pairs[2 * index], *new = pairs[2 * index + 1];
    if (!old && count > 1)
        return err_set(err, ERR_USAGE, "--into: '%s' is not OLD=NEW; one database alone, or only pairs", new);
    if (!*new || (old && !*old))
        return err_set(err, ERR_USAGE, "--into: '%s=%s' lacks a name", old ? old : "", new);
    if (is_too_long(new))
        return err_set(err, ERR_USAGE, "--into: '%s' is longer than the %d characters that a server allows",
                       new, NAME_CHARACTERS);
    for (unsigned i = 0; i < index; i++)
        if (old && strcmp(pairs[2 * i], old) == 0)
            return err_set(err, ERR_USAGE, "--into: '%s' is given twice", old);
    return ERR_OK;
}

enum err_code settings_into(const char *const *items, unsigned count, const char ***pairs, struct err *err)
{
    const char **out = xcalloc(1, block_bytes(items, count) + 1);
    char *text = (char *)(out + 2 * (size_t)count);
    enum err_code code = ERR_OK;
    for (unsigned i = 0; i < count && code == ERR_OK; i++) {
        size_t bytes = strlen(items[i]) + 1;
        memcpy(text, items[i], bytes);
        char *equals = strchr(text, '=');
        if (equals)
            *equals = '\0';
        out[2 * i] = equals ? text : NULL;
        out[2 * i + 1] = equals ? equals + 1 : text;
        text += bytes;
        code = check_pair(out, i, count, err);
    }
    *pairs = out;
    return code;
}
