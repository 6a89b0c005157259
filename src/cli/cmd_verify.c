/* dbsafe verify: every byte of an archive, or the tables of a database, against its manifest. */
#include "archive/reader.h"
#include "cli/command.h"
#include "cli/locate.h"
#include "cli/login.h"
#include "cli/output.h"
#include "cli/proof.h"
#include "cli/settings.h"
#include "verify/verify.h"

#include <unistd.h>

static enum err_code print_problems(const struct verify_result *r, struct err *err)
{
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    for (unsigned i = 0; i < r->problem_count; i++)
        output_line(&out, "%s: %s", r->problems[i].where, r->problems[i].what);
    enum err_code code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    return code;
}

/* The result object; why (NULL: all is well) goes into it, as the one object there is. */
static enum err_code answer(struct cli *cli, const struct located *archive, const struct verify_result *r,
                            const struct err *why, struct err *err)
{
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_bool(&j, "ok", !why);
    json_out_string(&j, "archive", archive->path);
    json_out_bool(&j, "live", options_flag(cli->options, OPTION_LIVE));
    json_out_uint(&j, "members", r->members);
    json_out_uint(&j, "bytes", r->bytes);
    json_out_uint(&j, "tables", r->tables);
    json_out_uint(&j, "rows", r->rows);
    json_out_fixed3(&j, "seconds", output_elapsed_ms(cli));
    json_out_array_open(&j, "problems");
    for (unsigned i = 0; i < r->problem_count; i++) {
        json_out_object_open(&j, NULL);
        json_out_string(&j, "where", r->problems[i].where);
        json_out_string(&j, "what", r->problems[i].what);
        json_out_object_close(&j);
    }
    json_out_array_close(&j);
    if (why)
        output_json_error(&j, why);
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

static void log_summary(const struct cli *cli, const struct located *archive, const struct verify_result *r)
{
    char bytes[FIGURE_BYTES], rows[FIGURE_BYTES], seconds[FIGURE_BYTES], count[FIGURE_BYTES];
    figure_of(r->rows, "row", rows);
    figure_seconds(output_elapsed_ms(cli), seconds);
    if (options_flag(cli->options, OPTION_LIVE))
        log_info(cli->run->log, "the database is as dumped in %s: %s, %s, %s", archive->name,
                 figure_of(r->tables, "table", count), rows, seconds);
    else
        log_info(cli->run->log, "%s is sound: %s, %s, %s, %s", archive->name,
                 figure_of(r->members, "member", count), figure_bytes(r->bytes, bytes), rows, seconds);
}

/* Sound bytes of the whole archive are a proof to keep; damage takes every older proof back. */
static void record_proof(const struct cli *cli, const struct located *archive, const struct manifest *m,
                         enum err_code found)
{
    struct err err;
    unsigned tables;
    enum err_code code = ERR_OK;
    options_items(cli->options, OPTION_TABLES, &tables);
    if (!archive->store || options_flag(cli->options, OPTION_LIVE))
        return;
    if (found == ERR_OK && tables == 0 && m)
        code = proof_write(archive->store, archive->name, m->run_id, archive->source->size, PROOF_BYTES,
                           clock_wall_ms(cli->run->clock), &err);
    else if (found == ERR_DAMAGED)
        code = proof_remove(archive->store, archive->name, &err);
    if (code != ERR_OK)
        log_warn(cli->run->log, "the proof of this verification is not recorded: %s", err.text);
}

/* The live tables against the manifest; a stream is checked whole on the way to its manifest. */
static enum err_code check_live(struct cli *cli, const struct located *archive,
                                const struct verify_options *options, struct verify_result *result,
                                struct err *err)
{
    struct manifest *m = NULL;
    struct login login;
    enum err_code code = login_read(cli, &login, err);
    if (code != ERR_OK)
        return code;
    struct ticker *ticker = settings_ticker(cli);
    if (archive->source->seekable)
        code = archive_read_manifest(archive->source, &m, err);
    else
        code = verify_archive(cli->run, archive->source,
                              &(struct verify_options){.threads = options->threads}, result, &m, err);
    if (code == ERR_OK) {
        verify_result_free(result);
        *result = (struct verify_result){0};
        code = verify_live(cli->run, &login.params, m, options, result, err);
    }
    ticker_stop(ticker);
    login_wipe(&login);
    manifest_free(m);
    return code;
}

static enum err_code check_archive(struct cli *cli, const struct located *archive,
                                   const struct verify_options *options, struct verify_result *result,
                                   struct err *err)
{
    struct manifest *m = NULL;
    struct ticker *ticker = settings_ticker(cli);
    enum err_code code = verify_archive(cli->run, archive->source, options, result, &m, err);
    ticker_stop(ticker);
    record_proof(cli, archive, m, code);
    manifest_free(m);
    return code;
}

/* Shows the outcome of a check that came to one; code is what it came to. */
static enum err_code show(struct cli *cli, const struct located *archive, const struct verify_result *r,
                          enum err_code code, struct err *err)
{
    bool judged = code == ERR_OK || code == ERR_DAMAGED || code == ERR_DIFFERS;
    struct err shown = {0};
    enum err_code printed = ERR_OK;
    if (!judged)
        return code;
    if (options_flag(cli->options, OPTION_JSON))
        printed = answer(cli, archive, r, code == ERR_OK ? NULL : err, &shown);
    else
        printed = print_problems(r, &shown);
    if (code == ERR_OK && printed != ERR_OK)
        return err_copy(err, &shown);
    if (code == ERR_OK)
        log_summary(cli, archive, r);
    return code;
}

static enum err_code run_verify(struct cli *cli, struct err *err)
{
    unsigned count;
    const char *argument = options_operands(cli->options, &count)[0];
    struct verify_options options = {.threads = settings_threads(cli->options)};
    struct verify_result result = {0};
    struct located archive;
    options.tables = options_items(cli->options, OPTION_TABLES, &options.table_count);
    enum err_code code = locate_archive(cli, argument, options.tables, options.table_count, &archive, err);
    if (code == ERR_OK) {
        if (options_flag(cli->options, OPTION_LIVE))
            code = check_live(cli, &archive, &options, &result, err);
        else
            code = check_archive(cli, &archive, &options, &result, err);
        code = show(cli, &archive, &result, code, err);
    }
    verify_result_free(&result);
    located_free(&archive);
    return code;
}

const struct command command_verify = {
    .id = COMMAND_VERIFY,
    .name = "verify",
    .operands = "ARCHIVE",
    .summary = "every byte; --live: against the database",
    .description = "Reads every byte of the archive and compares it with the manifest; each problem is a "
                   "line on standard output."
                   " With --live it compares the rows of the database with the archive's content checksums "
                   "instead and names"
                   " every table that differs.",
    .min_operands = 1,
    .max_operands = 1,
    .run = run_verify,
};
