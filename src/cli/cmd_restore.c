/* dbsafe restore: options, the archive, and what is said afterwards. */
#include "archive/reader.h"
#include "cli/command.h"
#include "cli/locate.h"
#include "cli/login.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "cli/proof.h"
#include "cli/restore_settings.h"
#include "cli/settings.h"
#include "restore/restore.h"

/* A restore that compared every row of the whole archive is the strongest proof of it.  Without a place for
 * it the restore is as good. */
static void record_proof(const struct cli *cli, const struct located *archive,
                         const struct restore_options *options, const struct restore_result *result)
{
    struct manifest *m = NULL;
    struct err err;
    if (!archive->store || !result->proves || options->table_count > 0 || options->dry_run)
        return;
    enum err_code code = archive_read_manifest(archive->source, &m, &err);
    if (code == ERR_OK)
        code = proof_write(archive->store, archive->name, m->run_id, archive->source->size, PROOF_RESTORED,
                           clock_wall_ms(cli->run->clock), &err);
    if (code != ERR_OK)
        log_warn(cli->run->log, "the proof of this restore is not recorded: %s", err.text);
    manifest_free(m);
}

static void log_summary(const struct cli *cli, const struct restore_options *options,
                        const struct restore_result *r)
{
    struct log *log = cli->run->log;
    char tables[FIGURE_BYTES], objects[FIGURE_BYTES], rows[FIGURE_BYTES], seconds[FIGURE_BYTES];
    figure_of(r->tables, "table", tables);
    figure_of(r->objects, "other object", objects);
    figure_of(r->rows, "row", rows);
    figure_seconds(output_elapsed_ms(cli), seconds);
    if (options->dry_run) {
        log_info(log, "dry run: %s and %s would be restored; nothing was changed", tables, objects);
        return;
    }
    log_info(log, "restored %s, %s, %s, %s; %s", tables, rows, objects, seconds,
             r->verified ? "every content checksum was compared" : "the content was not compared");
    if (!r->swapped)
        log_info(log, "all was there as it is in the archive: nothing was changed");
    else if (options->if_exists == IF_EXISTS_DROP)
        log_info(log, "the tables that were replaced are dropped: this cannot be undone");
    else
        log_info(log, "to undo this: dbsafe undo %s", r->restore_id);
}

static enum err_code answer(struct cli *cli, const struct located *archive, const struct restore_result *r,
                            struct err *err)
{
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_string(&j, "restore_id", *r->restore_id ? r->restore_id : NULL);
    json_out_string(&j, "archive", archive->path);
    json_out_uint(&j, "tables", r->tables);
    json_out_uint(&j, "objects", r->objects);
    json_out_uint(&j, "rows", r->rows);
    json_out_fixed3(&j, "seconds", output_elapsed_ms(cli));
    json_out_bool(&j, "verified", r->verified);
    json_out_bool(&j, "swapped", r->swapped);
    json_out_bool(&j, "unfinished", r->unfinished);
    json_out_bool(&j, "dry_run", options_flag(cli->options, OPTION_DRY_RUN));
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

/* Everything behind the settings; the login is open. */
static enum err_code restore_located(struct cli *cli, const struct login *login,
                                     const struct located *archive, struct restore_options *options,
                                     struct err *err)
{
    struct restore_result result = {.tables = 0};
    enum err_code code = ERR_OK;
    if (options->if_exists == IF_EXISTS_DROP && options->resume &&
        !options->dry_run) /* what is dropped stands in its journal */
        code = prompt_confirm(
            cli, "--if-exists drop removes the tables that are there now, without a way back", err);
    struct prompt_asker asker = {.cli = cli};
    if (!options->resume) {
        options->confirm = prompt_ask;
        options->confirm_arg = &asker;
    }
    if (code == ERR_OK) {
        asker.ticker = settings_ticker(cli);
        code = restore_run(cli->run, &login->params, archive->source, options, &result, err);
        ticker_stop(asker.ticker);
    }
    if (code == ERR_OK) {
        record_proof(cli, archive, options, &result);
        log_summary(cli, options, &result);
    }
    if (code == ERR_OK && options_flag(cli->options, OPTION_JSON))
        code = answer(cli, archive, &result, err);
    return code;
}

static enum err_code run_restore(struct cli *cli, struct err *err)
{
    unsigned count, tables;
    const char *argument = options_operands(cli->options, &count)[0];
    const char *const *patterns = options_items(cli->options, OPTION_TABLES, &tables);
    struct located archive;
    struct login login;
    struct restore_settings settings = {0};
    enum err_code code = locate_archive(cli, argument, patterns, tables, &archive, err);
    if (code == ERR_OK)
        code = restore_settings_read(cli->options, archive.name, &settings, err);
    if (code == ERR_OK)
        code = login_read(cli, &login, err);
    if (code == ERR_OK) {
        code = restore_located(cli, &login, &archive, &settings.options, err);
        login_wipe(&login);
    }
    restore_settings_free(&settings);
    located_free(&archive);
    return code;
}

const struct command command_restore = {
    .id = COMMAND_RESTORE,
    .name = "restore",
    .operands = "ARCHIVE",
    .summary = "stage, verify, swap",
    .description = "Loads the archive into a staging database, re-reads the rows and compares their content "
                   "checksums with the"
                   " dumped ones, and then puts the tables in place with one atomic rename. The tables that "
                   "were there are kept"
                   " for 'dbsafe undo'. Until the rename no live table changes.",
    .min_operands = 1,
    .max_operands = 1,
    .run = run_restore,
};
