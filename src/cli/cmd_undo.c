/* dbsafe undo: put back what a swap replaced, show what can be undone, drop old undo data. */
#include "cli/command.h"
#include "cli/login.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "cli/settings.h"
#include "core/mem.h"
#include "restore/restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *restore_id_of(const struct cli *cli)
{
    unsigned count;
    const char *const *operands = options_operands(cli->options, &count);
    return count ? operands[0] : NULL;
}

/* "a.b, a.c and 57 more"; the caller frees. */
static char *join_names(char *const *names, unsigned count)
{
    enum { TOLD = 3 };
    struct buf text;
    buf_init(&text, OUTPUT_MAX_BYTES);
    unsigned told = count <= TOLD + 1 ? count : TOLD;
    for (unsigned i = 0; i < told; i++)
        buf_putf(&text, "%s%s", i ? ", " : "", names[i]);
    if (told < count)
        buf_putf(&text, " and %u more", count - told);
    char *joined = xstrdup(count ? buf_cstr(&text) : "-");
    buf_free(&text);
    return joined;
}

static enum err_code print_entries(const struct undo_entry *entries, unsigned count, struct err *err)
{
    enum { COLUMNS = 8 };
    const char **cells = xcalloc(((size_t)count + 1) * COLUMNS, sizeof *cells);
    char(*sizes)[FIGURE_BYTES] = xcalloc(count + 1, sizeof *sizes);
    char **names = xcalloc(2 * (size_t)count + 1, sizeof *names);
    static const char *const heading[COLUMNS] = {"RESTORE-ID", "KIND",   "STATE",   "SWAPPED",
                                                 "UNDO-DATA",  "TABLES", "OBJECTS", "FROM"};
    memcpy(cells, heading, sizeof heading);
    for (unsigned i = 0; i < count; i++) {
        const struct undo_entry *e = &entries[i];
        names[2 * i] = join_names(e->tables, e->table_count);
        names[2 * i + 1] = join_names(e->objects, e->object_count);
        const char *row[COLUMNS] = {e->restore_id,
                                    e->kind,
                                    e->unfinished ? "unfinished" : e->state,
                                    *e->swapped_at ? e->swapped_at : "-",
                                    figure_bytes(e->undo_bytes, sizes[i]),
                                    names[2 * i],
                                    names[2 * i + 1],
                                    e->archive ? e->archive : "-"};
        memcpy(cells + (i + 1) * COLUMNS, row, sizeof row);
    }
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    output_columns(&out, cells, (size_t)count + 1, COLUMNS, 1u << 4);
    enum err_code code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    for (unsigned i = 0; i < 2 * count; i++)
        free(names[i]);
    free(names);
    free(sizes);
    free(cells);
    return code;
}

static void put_names(struct json_out *j, const char *key, char *const *names, unsigned count)
{
    json_out_array_open(j, key);
    for (unsigned i = 0; i < count; i++)
        json_out_string(j, NULL, names[i]);
    json_out_array_close(j);
}

static enum err_code answer_entries(struct cli *cli, const struct undo_entry *entries, unsigned count,
                                    struct err *err)
{
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_array_open(&j, "restores");
    for (unsigned i = 0; i < count; i++) {
        const struct undo_entry *e = &entries[i];
        json_out_object_open(&j, NULL);
        json_out_string(&j, "restore_id", e->restore_id);
        json_out_string(&j, "kind", e->kind);
        json_out_string(&j, "state", e->state);
        json_out_string(&j, "swapped_at", *e->swapped_at ? e->swapped_at : NULL);
        json_out_string(&j, "archive", e->archive);
        json_out_uint(&j, "tables", e->table_count);
        put_names(&j, "table_names", e->tables, e->table_count);
        json_out_uint(&j, "objects", e->object_count);
        put_names(&j, "object_names", e->objects, e->object_count);
        json_out_bool(&j, "unfinished", e->unfinished);
        json_out_uint(&j, "undo_bytes", e->undo_bytes);
        json_out_bool(&j, "purgeable", e->purgeable);
        json_out_object_close(&j);
    }
    json_out_array_close(&j);
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

static enum err_code list_entries(struct cli *cli, const struct login *login, struct err *err)
{
    struct undo_entry *entries = NULL;
    unsigned count = 0;
    enum err_code code = undo_list(cli->run, &login->params, &entries, &count, err);
    if (code == ERR_OK && count == 0)
        code = undo_check_sight(cli->run, &login->params, err);
    if (code == ERR_OK && options_flag(cli->options, OPTION_JSON))
        code = answer_entries(cli, entries, count, err);
    else if (code == ERR_OK && count == 0)
        log_info(cli->run->log, "there is nothing to undo that this account can see");
    else if (code == ERR_OK)
        code = print_entries(entries, count, err);
    undo_list_free(entries, count);
    return code;
}

static enum err_code answer_purge(struct cli *cli, unsigned purged, struct err *err)
{
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_uint(&j, "purged", purged);
    json_out_bool(&j, "dry_run", options_flag(cli->options, OPTION_DRY_RUN));
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

static struct undo_options undo_options_of(const struct cli *cli)
{
    const struct options *o = cli->options;
    return (struct undo_options){
        .restore_id = restore_id_of(cli),
        .staging_schema = options_text(o, OPTION_STAGING_SCHEMA),
        .undo_schema = options_text(o, OPTION_UNDO_SCHEMA),
        .lock_timeout_s = (unsigned)options_number(o, OPTION_LOCK_TIMEOUT),
        .kill_blockers = options_flag(o, OPTION_KILL_BLOCKERS),
        .assume_no_outside_fks = options_flag(o, OPTION_ASSUME_NO_OUTSIDE_FKS),
        .include_referencing = options_flag(o, OPTION_INCLUDE_REFERENCING),
        .dry_run = options_flag(o, OPTION_DRY_RUN),
    };
}

/* Looks what there is to purge, tells it, and asks; *any: there is something. */
static enum err_code confirm_purge(struct cli *cli, const struct login *login, bool *any, struct err *err)
{
    struct undo_options options = undo_options_of(cli);
    unsigned count = 0;
    char what[256], figure[FIGURE_BYTES];
    options.dry_run = true;
    enum err_code code = undo_purge(cli->run, &login->params, &options, &count, err);
    *any = count > 0;
    if (code != ERR_OK || count == 0)
        return code;
    snprintf(what, sizeof what, "--purge drops the undo data of %s, without a way back",
             figure_of(count, "restore", figure));
    return prompt_confirm(cli, what, err);
}

static enum err_code purge(struct cli *cli, const struct login *login, struct err *err)
{
    const struct undo_options options = undo_options_of(cli);
    unsigned purged = 0;
    bool any = true;
    char figure[FIGURE_BYTES];
    enum err_code code = ERR_OK;
    if (!options.dry_run && !options_flag(cli->options, OPTION_YES))
        code = confirm_purge(cli, login, &any, err);
    if (code == ERR_OK && any)
        code = undo_purge(cli->run, &login->params, &options, &purged, err);
    if (code != ERR_OK)
        return code;
    figure_of(purged, "restore", figure);
    if (options.dry_run)
        log_info(cli->run->log, "dry run: the undo data of %s would be dropped", figure);
    else
        log_info(cli->run->log, "dropped the undo data of %s", figure);
    return options_flag(cli->options, OPTION_JSON) ? answer_purge(cli, purged, err) : ERR_OK;
}

static enum err_code answer_undo(struct cli *cli, const struct restore_result *r, struct err *err)
{
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_string(&j, "restore_id", *r->restore_id ? r->restore_id : NULL);
    json_out_uint(&j, "tables", r->tables);
    json_out_uint(&j, "objects", r->objects);
    json_out_fixed3(&j, "seconds", output_elapsed_ms(cli));
    json_out_bool(&j, "swapped", r->swapped);
    json_out_bool(&j, "unfinished", r->unfinished);
    json_out_bool(&j, "dry_run", options_flag(cli->options, OPTION_DRY_RUN));
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

/* Only where a person can answer: scripts go on as they did. */
static enum err_code ask(void *arg, const char *what, struct err *err)
{
    return isatty(STDIN_FILENO) ? prompt_ask(arg, what, err) : ERR_OK;
}

static enum err_code undo(struct cli *cli, const struct login *login, struct err *err)
{
    const struct options *o = cli->options;
    struct restore_result result = {.tables = 0};
    char figure[FIGURE_BYTES], objects[FIGURE_BYTES];
    struct undo_options options = undo_options_of(cli);
    struct prompt_asker asker = {cli, settings_ticker(cli)};
    options.confirm = ask;
    options.confirm_arg = &asker;
    enum err_code code = undo_run(cli->run, &login->params, &options, &result, err);
    ticker_stop(asker.ticker);
    if (code != ERR_OK)
        return code;
    figure_of(result.tables, "table", figure);
    figure_of(result.objects, "other object", objects);
    if (options.dry_run)
        log_info(cli->run->log, "dry run: %s and %s would be put back; nothing was changed", figure, objects);
    else if (result.swapped)
        log_info(cli->run->log, "put back %s and %s; to undo this: dbsafe undo %s", figure, objects,
                 result.restore_id);
    return options_flag(o, OPTION_JSON) ? answer_undo(cli, &result, err) : ERR_OK;
}

static enum err_code run_undo(struct cli *cli, struct err *err)
{
    bool listing = options_flag(cli->options, OPTION_LIST),
         purging = options_flag(cli->options, OPTION_PURGE);
    struct login login;
    if (listing && purging)
        return err_set(err, ERR_USAGE, "--list and --purge exclude each other");
    if (listing && restore_id_of(cli))
        return err_set(err, ERR_USAGE, "--list shows all: it takes no RESTORE-ID");
    enum err_code code = login_read(cli, &login, err);
    if (code != ERR_OK)
        return code;
    code = listing   ? list_entries(cli, &login, err)
           : purging ? purge(cli, &login, err)
                     : undo(cli, &login, err);
    login_wipe(&login);
    return code;
}

const struct command command_undo = {
    .id = COMMAND_UNDO,
    .name = "undo",
    .operands = "[RESTORE-ID]",
    .summary = "put back what the last swap replaced; --list, --purge",
    .description = "Puts the tables that a restore replaced back in place with one atomic rename: those of "
                   "RESTORE-ID, or of the"
                   " newest restore. What it replaces is kept, so an undo can be undone too. It says what it "
                   "undoes; without RESTORE-ID it asks before, when standard input is a terminal.",
    .max_operands = 1,
    .run = run_undo,
};
