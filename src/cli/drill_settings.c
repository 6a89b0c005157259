#include "cli/drill_settings.h"

#include "cli/settings.h"
#include "core/environment.h"

#include <stdlib.h>
#include <unistd.h>

/* The private folder may become large: /tmp is memory on many machines. */
static const char *folder_of(const struct cli *cli)
{
    const char *given = options_text(cli->options, OPTION_DRILL_DIR);
    const char *tmpdir = environment_get(cli->environment, "TMPDIR");
    if (given)
        return given;
    if (tmpdir && *tmpdir == '/')
        return tmpdir;
    return access("/var/tmp", W_OK | X_OK) == 0 ? "/var/tmp" : "/tmp";
}

enum err_code drill_settings_read(const struct cli *cli, struct drill_settings *out, struct err *err)
{
    const struct options *o = cli->options;
    *out = (struct drill_settings){
        .options = {.server = {.keeper = cli->keeper,
                               .memory_bytes = options_number(o, OPTION_DRILL_MEMORY),
                               .timeout_ms = (int64_t)options_number(o, OPTION_DRILL_TIMEOUT) * 60000},
                    .threads = settings_threads(o)}};
    struct throwaway_options *server = &out->options.server;
    server->extra = options_items(o, OPTION_DRILL_OPTION, &server->extra_count);
    enum err_code code = throwaway_find(options_text(o, OPTION_MARIADBD),
                                        environment_get(cli->environment, "PATH"), &out->mariadbd, err);
    server->mariadbd = out->mariadbd;
    server->parent = folder_of(cli);
    return code;
}

void drill_settings_free(struct drill_settings *s)
{
    free(s->mariadbd);
}
