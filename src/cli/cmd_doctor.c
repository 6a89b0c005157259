/* dbsafe doctor: whether a dump or a restore would work, without changing anything. */
#include "archive/reader.h"
#include "cli/command.h"
#include "cli/locate.h"
#include "cli/login.h"
#include "cli/output.h"
#include "cli/restore_settings.h"
#include "cli/settings.h"
#include "core/findings.h"
#include "core/mem.h"
#include "db/flavour.h"
#include "dump/preflight.h"
#include "recovery/estimate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

/* What looks like a path, an address or an archive's file is an archive, and so is "latest"; all else names
 * databases. */
static bool is_archive(const char *operand)
{
    size_t n = strlen(operand);
    return strchr(operand, '/') || strcmp(operand, "latest") == 0 || strcmp(operand, "-") == 0 ||
           (n > 4 && strcmp(operand + n - 4, ".tar") == 0);
}

/* ---- the server alone ---- */

static enum err_code look_at_server(const struct cli *cli, const struct login *login, struct findings *out,
                                    struct err *err)
{
    struct db_conn *c;
    enum err_code code = db_connect(&login->params, cli->run->cancel, &c, err);
    if (code != ERR_OK)
        return code;
    findings_add(out, FINDING_OK, "server", NULL, "%s is %s %s", db_target(c),
                 flavour_description(flavour_read(c)), db_version(c));
    db_close(c);
    return ERR_OK;
}

/* ---- the store ---- */

/* The deepest folder of the path that is there: where a missing one would be made. */
static char *existing_folder(const char *path)
{
    char *folder = xstrdup(path);
    while (access(folder, F_OK) != 0) {
        char *slash = strrchr(folder, '/');
        if (!slash || slash == folder) {
            strcpy(folder, slash ? "/" : ".");
            break;
        }
        *slash = '\0';
    }
    return folder;
}

static void look_at_folder(const char *path, uint64_t need, struct findings *out)
{
    struct statvfs fs;
    struct stat st;
    char *folder = existing_folder(path);
    uint64_t room = statvfs(folder, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;
    /* Compressed, rows take a third to a tenth of what they take in the engine. */
    bool too_small = room < MIB || need / 10 > room;
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode) || access(folder, W_OK | X_OK) != 0)
        findings_add(out, FINDING_REFUSAL, "store", NULL, "%s cannot be written by this user", folder);
    else
        findings_add(out,
                     too_small     ? FINDING_REFUSAL
                     : need > room ? FINDING_WARNING
                                   : FINDING_OK,
                     "store", NULL, "%s can be written; %" PRIu64 " MiB are free there%s", path, room / MIB,
                     room < MIB    ? ": no archive fits"
                     : too_small   ? ": less than a tenth of what the tables take in the database, which no "
                                     "archive of them fits into"
                     : need > room ? ", and the tables may need more"
                                   : "");
    free(folder);
}

static void look_at_store(const struct cli *cli, uint64_t need, struct findings *out)
{
    struct store *store = NULL;
    struct locate_names names = {0};
    struct err err;
    const char *url = options_text(cli->options, OPTION_STORE);
    char *fallback = url ? NULL : locate_default_store(cli->environment, geteuid() == 0);
    const char *place = url ? url : fallback;
    if (place && strncmp(place, "file://", 7) == 0)
        place += 7;
    if (!place || !strstr(place, "://")) {
        if (place)
            look_at_folder(place, need, out);
        else
            findings_add(out, FINDING_REFUSAL, "store", "--store URL", "there is no place for archives");
        free(fallback);
        return;
    }
    if (locate_store(cli, false, &store, &err) != ERR_OK || locate_names(store, &names, &err) != ERR_OK)
        findings_add(out, FINDING_REFUSAL, "store", NULL, "%s", err.text);
    else
        findings_add(
            out, FINDING_OK, "store", NULL,
            "%s can be read and holds %zu archives; whether it takes new ones shows when one is written",
            place, names.count);
    locate_names_free(&names);
    store_free(store);
    free(fallback);
}

/* ---- a dump, a restore ---- */

static enum err_code look_at_dump(const struct cli *cli, const struct login *login, struct findings *out,
                                  struct err *err)
{
    const struct options *o = cli->options;
    struct dump_estimate estimate = {0};
    struct dump_options d = {
        .all_databases = options_flag(o, OPTION_ALL_DATABASES),
        .label = "doctor",
        .threads = settings_threads(o),
        .consistency = options_text(o, OPTION_CONSISTENCY),
        .allow_inconsistent = options_flag(o, OPTION_ALLOW_INCONSISTENT),
        .dry_run = true,
    };
    d.names = options_operands(o, &d.name_count);
    d.excludes = options_items(o, OPTION_EXCLUDE, &d.exclude_count);
    enum err_code code = ERR_OK;
    if (d.name_count || d.all_databases)
        code = dump_preflight(cli->run, &login->params, &d, out, &estimate, err);
    else
        code = look_at_server(cli, login, out, err);
    if (code == ERR_OK)
        look_at_store(cli, estimate.data_bytes, out);
    return code;
}

/* The one check that writes: a sample is loaded into a database of its own. */
static enum err_code look_at_time(const struct cli *cli, const struct login *login, struct source *source,
                                  struct findings *out, bool *sampled, struct err *err)
{
    const struct estimate_options options = {.threads = settings_threads(cli->options)};
    const int64_t rto_ms = (int64_t)options_number(cli->options, OPTION_RTO) * 60000;
    struct manifest *m = NULL;
    struct estimate e = {.known = false};
    char likely[FIGURE_BYTES], most[FIGURE_BYTES], rto[FIGURE_BYTES];
    if (findings_count(out, FINDING_REFUSAL) > 0) {
        findings_add(out, FINDING_NOTE, "time", NULL,
                     "a restore is not timed while something stands in its way");
        return ERR_OK;
    }
    enum err_code code = archive_read_manifest(source, &m, err);
    if (code == ERR_OK)
        code = estimate_run(cli->run, &login->params, source, m, &options, &e, err);
    manifest_free(m);
    if (code != ERR_OK)
        return code;
    *sampled = e.known;
    enum finding_level bad =
        options_flag(cli->options, OPTION_REQUIRE_RTO) ? FINDING_REFUSAL : FINDING_WARNING;
    if (!e.known)
        findings_add(out, bad, "time", NULL, "how long a restore takes is not known: %s", e.why);
    else
        findings_add(out, estimate_fits(&e, rto_ms) ? FINDING_OK : bad, "time", NULL,
                     "a restore takes about %s, at most %s; the RTO is %s",
                     figure_duration((uint64_t)e.likely_ms / 1000, likely),
                     figure_duration((uint64_t)e.most_ms / 1000, most),
                     figure_duration((uint64_t)rto_ms / 1000, rto));
    return ERR_OK;
}

static enum err_code look_at_restore(const struct cli *cli, const struct login *login, const char *operand,
                                     struct findings *out, bool *sampled, struct err *err)
{
    unsigned tables;
    const char *const *patterns = options_items(cli->options, OPTION_TABLES, &tables);
    struct located archive;
    struct restore_settings settings = {0};
    enum err_code code = locate_archive(cli, operand, patterns, tables, &archive, err);
    if (code == ERR_OK)
        code = restore_settings_read(cli->options, archive.name, &settings, err);
    if (code == ERR_OK)
        code = restore_preflight(cli->run, &login->params, archive.source, &settings.options, out, err);
    if (code == ERR_OK && options_flag(cli->options, OPTION_ESTIMATE))
        code = look_at_time(cli, login, archive.source, out, sampled, err);
    restore_settings_free(&settings);
    located_free(&archive);
    return code;
}

/* ---- what is said ---- */

static enum err_code print(const struct findings *f, struct err *err)
{
    static const char *const marks[] = {[FINDING_OK] = "ok",
                                        [FINDING_NOTE] = "note",
                                        [FINDING_WARNING] = "WARNING",
                                        [FINDING_REFUSAL] = "REFUSED"};
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    for (unsigned i = 0; i < f->count; i++) {
        output_line(&out, "%-8s %-14s %s", marks[f->items[i].level], f->items[i].topic, f->items[i].text);
        if (f->items[i].remedy)
            output_line(&out, "%-23s -> %s", "", f->items[i].remedy);
    }
    enum err_code code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    return code;
}

static enum err_code answer(struct cli *cli, const struct findings *f, struct err *err)
{
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_bool(&j, "ok", findings_count(f, FINDING_REFUSAL) == 0);
    json_out_array_open(&j, "checks");
    for (unsigned i = 0; i < f->count; i++) {
        json_out_object_open(&j, NULL);
        json_out_string(&j, "level", finding_level_name(f->items[i].level));
        json_out_string(&j, "topic", f->items[i].topic);
        json_out_string(&j, "text", f->items[i].text);
        json_out_string(&j, "remedy", f->items[i].remedy);
        json_out_object_close(&j);
    }
    json_out_array_close(&j);
    json_out_fixed3(&j, "seconds", output_elapsed_ms(cli));
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

static enum err_code conclude(struct cli *cli, const struct findings *f, bool sampled, struct err *err)
{
    const char *changed =
        sampled ? "a sample was loaded and removed again, nothing else was changed" : "nothing was changed";
    unsigned refusals = findings_count(f, FINDING_REFUSAL), warnings = findings_count(f, FINDING_WARNING);
    enum err_code code = options_flag(cli->options, OPTION_JSON) ? answer(cli, f, err) : print(f, err);
    if (code != ERR_OK)
        return code;
    if (refusals)
        return err_set(err, ERR_REFUSED, "doctor: %u of %u findings stand in the way; %s", refusals, f->count,
                       changed);
    log_info(cli->run->log, "nothing stands in the way (%u warnings); %s", warnings, changed);
    return ERR_OK;
}

static enum err_code check_usage(const struct options *o, struct err *err)
{
    unsigned count;
    const char *const *names = options_operands(o, &count);
    for (unsigned i = 0; count > 1 && i < count; i++)
        if (is_archive(names[i]))
            return err_set(err, ERR_USAGE,
                           "'doctor' looks at one archive, or at databases and tables, not at both: '%s'",
                           names[i]);
    if (options_flag(o, OPTION_ESTIMATE) && (count != 1 || !is_archive(names[0])))
        return err_set(err, ERR_USAGE, "--estimate needs ARCHIVE, whose restore is to be timed");
    if (count > 0 && options_flag(o, OPTION_ALL_DATABASES))
        return err_set(err, ERR_USAGE, "--all-databases and names exclude each other");
    static const enum option_id timing[] = {OPTION_RTO, OPTION_REQUIRE_RTO};
    return settings_check_needs(o, OPTION_ESTIMATE, timing, 2, err);
}

static enum err_code run_doctor(struct cli *cli, struct err *err)
{
    unsigned count;
    const char *const *names = options_operands(cli->options, &count);
    struct login login;
    struct findings found = {0};
    bool sampled = false;
    enum err_code code = check_usage(cli->options, err);
    if (code == ERR_OK)
        code = login_read(cli, &login, err);
    if (code != ERR_OK)
        return code;
    if (count == 1 && is_archive(names[0]))
        code = look_at_restore(cli, &login, names[0], &found, &sampled, err);
    else
        code = look_at_dump(cli, &login, &found, err);
    login_wipe(&login);
    if (code == ERR_OK)
        code = conclude(cli, &found, sampled, err);
    findings_free(&found);
    return code;
}

const struct command command_doctor = {
    .id = COMMAND_DOCTOR,
    .name = "doctor",
    .operands = "[ARCHIVE | DB | DB.TABLE ...]",
    .summary = "would it work? changes nothing",
    .description = "Looks whether a dump of these databases and tables, or a restore of this archive, would "
                   "work here: server and"
                   " account, one moment for all readers, collations, engines, names, space, time; all "
                   "findings at once, with the GRANT"
                   " or option that would help. Without an operand it looks at the server and the store. It "
                   "changes nothing and locks"
                   " nothing; with --estimate alone it loads a sample of the archive, which it removes "
                   "again. It does not look at the account's rights at AWS. A path, an address, a name that "
                   "ends in .tar and 'latest' are archives.",
    .max_operands = OPERANDS_ANY,
    .run = run_doctor,
};
