/* dbsafe version. */
#include "archive/manifest.h"
#include "cli/command.h"
#include "cli/output.h"

#include <unistd.h>

static enum err_code run_version(struct cli *cli, struct err *err)
{
    struct buf out;
    struct json_out j;
    enum err_code code;
    buf_init(&out, OUTPUT_MAX_BYTES);
    if (options_flag(cli->options, OPTION_JSON)) {
        json_out_begin(&j, &out, 0);
        json_out_object_open(&j, NULL);
        json_out_string(&j, "version", DBSAFE_VERSION);
        json_out_uint(&j, "archive_format", MANIFEST_FORMAT);
        code = output_answer(cli, &j, &out, err);
    } else {
        buf_putf(&out, "dbsafe %s, archive format %d\n", DBSAFE_VERSION, MANIFEST_FORMAT);
        code = output_write(STDOUT_FILENO, &out, err);
    }
    buf_free(&out);
    return code;
}

const struct command command_version = {
    .id = COMMAND_VERSION,
    .name = "version",
    .operands = "",
    .summary = "the version of dbsafe and of its archive format",
    .description = "Prints the version of dbsafe and of the archive format it writes.",
    .plain = true,
    .run = run_version,
};
