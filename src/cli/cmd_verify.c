/* dbsafe verify: every byte of an archive, or the tables of a database, against its manifest. */
#include "archive/name.h"
#include "archive/reader.h"
#include "cli/command.h"
#include "cli/drill_settings.h"
#include "cli/locate.h"
#include "cli/login.h"
#include "cli/output.h"
#include "cli/proof.h"
#include "cli/settings.h"
#include "core/mem.h"
#include "verify/verify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether a drill was asked for by this command; --drill in a file or the environment is for whole archives.
 */
static bool drill_is_asked(const struct options *o)
{
    return options_flag(o, OPTION_DRILL) && options_origin(o, OPTION_DRILL) == ORIGIN_ARGUMENT;
}

static bool drill_is_wanted(const struct options *o)
{
    unsigned count, tables;
    const char *const *operands = options_operands(o, &count);
    options_items(o, OPTION_TABLES, &tables);
    return options_flag(o, OPTION_DRILL) && !options_flag(o, OPTION_LIVE) && tables == 0 && count == 1 &&
           strcmp(operands[0], "-") != 0;
}

/* What a drill found out, and where that is attested. */
struct drilled {
    bool done; /* it was begun */
    struct drill_result result;
    char *attestation; /* NULL: none is kept */
};

static enum err_code print_problems(const struct verify_result *r, const struct verify_result *drilled,
                                    struct err *err)
{
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    for (unsigned i = 0; i < r->problem_count; i++)
        output_line(&out, "%s: %s", r->problems[i].where, r->problems[i].what);
    for (unsigned i = 0; i < drilled->problem_count; i++)
        output_line(&out, "%s: %s", drilled->problems[i].where, drilled->problems[i].what);
    enum err_code code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    return code;
}

static void put_problems(struct json_out *j, const struct verify_result *r)
{
    json_out_array_open(j, "problems");
    for (unsigned i = 0; i < r->problem_count; i++) {
        json_out_object_open(j, NULL);
        json_out_string(j, "where", r->problems[i].where);
        json_out_string(j, "what", r->problems[i].what);
        json_out_object_close(j);
    }
    json_out_array_close(j);
}

static void put_drill(struct json_out *j, const struct drilled *d)
{
    if (!d->done) {
        json_out_null(j, "drill");
        return;
    }
    json_out_object_open(j, "drill");
    json_out_bool(j, "passed", d->result.passed);
    json_out_string(j, "server_version", d->result.server_version);
    json_out_uint(j, "tables", d->result.tables);
    json_out_uint(j, "rows", d->result.rows);
    json_out_fixed3(j, "seconds", steps_total_ms(&d->result.steps));
    json_out_string(j, "attestation", d->attestation);
    put_problems(j, &d->result.compared);
    steps_put_json(&d->result.steps, j);
    json_out_object_close(j);
}

/* The result object; why (NULL: all is well) goes into it, as the one object there is. */
static enum err_code answer(struct cli *cli, const struct located *archive, const struct verify_result *r,
                            const struct drilled *d, const struct err *why, struct err *err)
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
    put_problems(&j, r);
    put_drill(&j, d);
    if (why)
        output_json_error(&j, why);
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

static void log_summary(const struct cli *cli, const struct located *archive, const struct verify_result *r,
                        const struct drilled *d)
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
    if (d->done)
        log_info(
            cli->run->log, "restored in a drill with %s: %s, %s, every content checksum compared, %s%s%s",
            d->result.server_version, figure_of(d->result.tables, "table", count),
            figure_of(d->result.rows, "row", rows), figure_seconds(steps_total_ms(&d->result.steps), seconds),
            d->attestation ? "; attested in " : "", d->attestation ? d->attestation : "");
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

/* What a drill found out of the archive is attested beside it, and is the strongest proof of it, or takes
 * every older one back. */
static void record_drill(const struct cli *cli, const struct located *archive, const struct manifest *m,
                         struct drilled *d, enum err_code found, const struct err *why)
{
    struct err err;
    if (!d->result.begun || !drill_is_verdict(found))
        return;
    if (!archive->store) {
        log_info(cli->run->log, "no attestation is kept: %s has not a name that ends in " ARCHIVE_SUFFIX,
                 archive->name);
        return;
    }
    enum err_code code = drill_attest(cli->run, archive->store, archive->name, archive->source, m, &d->result,
                                      found == ERR_OK ? NULL : why, &err);
    if (code == ERR_OK) {
        char *object = xasprintf("%s" DRILL_SUFFIX, archive->name);
        d->attestation = store_location(archive->store, object);
        free(object);
        code = found == ERR_OK ? proof_write(archive->store, archive->name, m->run_id, archive->source->size,
                                             PROOF_RESTORED, clock_wall_ms(cli->run->clock), &err)
                               : proof_remove(archive->store, archive->name, &err);
    }
    if (code != ERR_OK)
        log_warn(cli->run->log, "the drill's result is not recorded: %s", err.text);
}

static enum err_code drill(struct cli *cli, const struct located *archive, const struct manifest *m,
                           struct drilled *d, struct err *err)
{
    struct drill_settings settings;
    enum err_code code = drill_settings_read(cli, &settings, err);
    settings.options.archive_name = archive->name;
    if (code == ERR_OK) {
        d->done = true;
        code = drill_run(cli->run, archive->source, m, &settings.options, &d->result, err);
        record_drill(cli, archive, m, d, code, err);
    }
    drill_settings_free(&settings);
    return code;
}

static enum err_code check_archive(struct cli *cli, const struct located *archive,
                                   const struct verify_options *options, struct verify_result *result,
                                   struct drilled *d, struct err *err)
{
    struct manifest *m = NULL;
    struct ticker *ticker = settings_ticker(cli);
    enum err_code code = verify_archive(cli->run, archive->source, options, result, &m, err);
    record_proof(cli, archive, m, code);
    if (code == ERR_OK && drill_is_wanted(cli->options))
        code = drill(cli, archive, m, d, err);
    ticker_stop(ticker);
    manifest_free(m);
    return code;
}

/* Shows the outcome of a check that came to one; code is what it came to. */
static enum err_code show(struct cli *cli, const struct located *archive, const struct verify_result *r,
                          const struct drilled *d, enum err_code code, struct err *err)
{
    bool judged = code == ERR_OK || code == ERR_DAMAGED || code == ERR_DIFFERS;
    struct err shown = {0};
    enum err_code printed = ERR_OK;
    if (!judged)
        return code;
    if (options_flag(cli->options, OPTION_JSON))
        printed = answer(cli, archive, r, d, code == ERR_OK ? NULL : err, &shown);
    else
        printed = print_problems(r, &d->result.compared, &shown);
    if (code == ERR_OK && printed != ERR_OK)
        return err_copy(err, &shown);
    if (code == ERR_OK)
        log_summary(cli, archive, r, d);
    return code;
}

static enum err_code check_usage(const struct cli *cli, const char *argument, struct err *err)
{
    unsigned tables;
    static const enum option_id drilling[] = {OPTION_MARIADBD, OPTION_DRILL_DIR, OPTION_DRILL_MEMORY,
                                              OPTION_DRILL_TIMEOUT, OPTION_DRILL_OPTION};
    enum err_code code = settings_check_needs(cli->options, OPTION_DRILL, drilling, 5, err);
    options_items(cli->options, OPTION_TABLES, &tables);
    if (code != ERR_OK || !drill_is_asked(cli->options))
        return code;
    if (options_flag(cli->options, OPTION_LIVE))
        return err_set(err, ERR_USAGE, "--drill and --live exclude each other");
    if (tables > 0)
        return err_set(err, ERR_USAGE, "--drill restores the whole archive: it takes no --tables");
    if (strcmp(argument, "-") == 0)
        return err_set(err, ERR_USAGE,
                       "a drill reads the archive more than once: write standard input to a file before");
    return ERR_OK;
}

static enum err_code run_verify(struct cli *cli, struct err *err)
{
    unsigned count;
    const char *argument = options_operands(cli->options, &count)[0];
    struct verify_options options = {.threads = settings_threads(cli->options)};
    struct verify_result result = {0};
    struct drilled drilled = {.done = false};
    struct located archive = {.source = NULL};
    options.tables = options_items(cli->options, OPTION_TABLES, &options.table_count);
    enum err_code code = check_usage(cli, argument, err);
    if (code == ERR_OK)
        code = locate_archive(cli, argument, options.tables, options.table_count, &archive, err);
    if (code == ERR_OK) {
        if (options_flag(cli->options, OPTION_LIVE))
            code = check_live(cli, &archive, &options, &result, err);
        else
            code = check_archive(cli, &archive, &options, &result, &drilled, err);
        code = show(cli, &archive, &result, &drilled, code, err);
    }
    verify_result_free(&result);
    drill_result_free(&drilled.result);
    free(drilled.attestation);
    located_free(&archive);
    return code;
}

const struct command command_verify = {
    .id = COMMAND_VERIFY,
    .name = "verify",
    .operands = "ARCHIVE",
    .summary = "every byte; --live: against the database; --drill: restored",
    .description =
        "Reads every byte of the archive and compares it with the manifest; each problem is a "
        "line on standard output."
        " With --live it compares the rows of the database with the archive's content checksums "
        "instead and names"
        " every table that differs. With --drill the whole archive is restored too, into a throw-away "
        "server of this machine, and every table is compared there.",
    .min_operands = 1,
    .max_operands = 1,
    .wants_keeper = drill_is_wanted,
    .run = run_verify,
};
