/* dbsafe dump: options, the place where the archive goes, and what is said about it. */
#include "archive/name.h"
#include "cli/command.h"
#include "cli/dump_settings.h"
#include "cli/locate.h"
#include "cli/login.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/settings.h"
#include "core/mem.h"
#include "dump/dump.h"
#include "s3/url.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the archive goes; the sink is opened when the plan is known. */
struct target {
    struct cli *cli;
    const char *file; /* -o, or NULL: the store */
    char name[ARCHIVE_NAME_BYTES];
    struct store *store;
    char *path; /* what is told: an absolute path, or "-" */
};

static bool to_stdout(const char *file)
{
    return file && strcmp(file, "-") == 0;
}

static enum err_code check_usage(const struct options *o, struct err *err)
{
    unsigned count;
    const char *label = options_text(o, OPTION_LABEL), *file = options_text(o, OPTION_OUTPUT);
    options_operands(o, &count);
    if (count == 0 && !options_flag(o, OPTION_ALL_DATABASES))
        return err_set(err, ERR_USAGE,
                       "'dump' needs the names of databases or tables, or --all-databases; see"
                       " 'dbsafe help dump'");
    if (count > 0 && options_flag(o, OPTION_ALL_DATABASES))
        return err_set(err, ERR_USAGE,
                       "--all-databases and names exclude each other; --exclude leaves databases out");
    enum err_code code = dump_settings_check_label(label, err);
    if (code == ERR_OK)
        code = dump_settings_check_rate(o, err);
    if (code != ERR_OK)
        return code;
    if (file && options_origin(o, OPTION_STORE) == ORIGIN_ARGUMENT)
        return err_set(err, ERR_USAGE, "--output and --store exclude each other");
    if (to_stdout(file) && options_flag(o, OPTION_JSON))
        return err_set(err, ERR_USAGE,
                       "'--output -' puts the archive on standard output, where --json would put its result");
    if (to_stdout(file) && isatty(STDOUT_FILENO))
        return err_set(err, ERR_USAGE, "standard output is a terminal: send the archive to a file or a pipe");
    return ERR_OK;
}

static struct dump_options read_options(const struct options *o, const char *label)
{
    struct dump_options d = dump_settings_read(o);
    d.all_databases = options_flag(o, OPTION_ALL_DATABASES);
    d.label = label;
    d.dry_run = options_flag(o, OPTION_DRY_RUN);
    d.names = options_operands(o, &d.name_count);
    d.excludes = options_items(o, OPTION_EXCLUDE, &d.exclude_count);
    return d;
}

/* The object that --output or the archive's name in the store means; name is set. */
static enum err_code open_store(struct target *t, char **name, struct err *err)
{
    if (t->file)
        return locate_s3_object(t->cli, t->file, &t->store, name, err);
    *name = xstrdup(t->name);
    return locate_store(t->cli, true, &t->store, err);
}

static enum err_code open_in_store(struct target *t, uint64_t most_bytes, struct sink **out, struct err *err)
{
    unsigned removed = 0;
    char figure[FIGURE_BYTES], *name = NULL;
    enum err_code code = open_store(t, &name, err);
    if (code == ERR_OK)
        code = store_sweep(t->store, settings_stale_after_ms(t->cli->options), false, &removed, err);
    if (removed > 0)
        log_info(t->cli->run->log, "removed %s of runs that died", figure_of(removed, "leftover", figure));
    if (code == ERR_OK) {
        t->path = store_location(t->store, name);
        code = store_create(t->store, name, most_bytes, out, err);
    }
    free(name);
    return code;
}

/* The absolute path of a file that may not exist yet. */
static char *absolute_path(const char *file)
{
    const char *slash = strrchr(file, '/');
    char *folder = slash ? xstrndup(file, slash == file ? 1 : (size_t)(slash - file)) : xstrdup(".");
    char *real = realpath(folder, NULL);
    char *path = real ? xasprintf("%s/%s", strcmp(real, "/") == 0 ? "" : real, slash ? slash + 1 : file)
                      : xstrdup(file);
    free(real);
    free(folder);
    return path;
}

static enum err_code open_sink(void *arg, uint64_t most_bytes, struct sink **out, struct err *err)
{
    struct target *t = arg;
    if (!t->file || s3_url_is(t->file))
        return open_in_store(t, most_bytes, out, err);
    if (to_stdout(t->file)) {
        t->path = xstrdup("-");
        *out = sink_fd_new(STDOUT_FILENO, "standard output", t->cli->run->cancel);
        return ERR_OK;
    }
    t->path = absolute_path(t->file);
    return sink_file_create(t->file, out, err);
}

static void log_warnings(struct log *log, const struct manifest *m)
{
    for (unsigned i = 0; i < m->warning_count; i++)
        log_warn(log, "%s: %s", m->warnings[i].object, m->warnings[i].text);
}

static void log_summary(const struct cli *cli, const struct target *t, const struct dump_result *r)
{
    const struct manifest *m = r->manifest;
    struct log *log = cli->run->log;
    char tables[FIGURE_BYTES], rows[FIGURE_BYTES], plain[FIGURE_BYTES], stored[FIGURE_BYTES];
    char seconds[FIGURE_BYTES], objects[FIGURE_BYTES];
    log_info(log, "archive: %s", to_stdout(t->path) ? "standard output" : t->path);
    log_info(log, "%s, %s, %s, %s of text in %s, %s", figure_of(m->table_count, "table", tables),
             figure_of(m->rows, "row", rows), figure_of(m->object_count, "other object", objects),
             figure_bytes(m->plain_bytes, plain), figure_bytes(r->archive_bytes, stored),
             figure_seconds(output_elapsed_ms(cli), seconds));
    log_info(log, "consistency: %s: %s", m->consistency.method, m->consistency.proof);
}

static void put_consistency(struct json_out *j, const struct manifest_consistency *c)
{
    json_out_object_open(j, "consistency");
    json_out_string(j, "method", c->method);
    json_out_string(j, "proof", c->proof);
    json_out_uint(j, "tries", c->tries);
    json_out_object_close(j);
}

static void put_warnings(struct json_out *j, const struct manifest *m)
{
    json_out_array_open(j, "warnings");
    for (unsigned i = 0; i < m->warning_count; i++) {
        json_out_object_open(j, NULL);
        json_out_string(j, "object", m->warnings[i].object);
        json_out_string(j, "text", m->warnings[i].text);
        json_out_object_close(j);
    }
    json_out_array_close(j);
}

static enum err_code answer(struct cli *cli, const struct target *t, const struct dump_result *r,
                            struct err *err)
{
    const struct manifest *m = r->manifest;
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_string(&j, "archive", t->path);
    json_out_uint(&j, "tables", m->table_count);
    json_out_uint(&j, "objects", m->object_count);
    json_out_uint(&j, "rows", m->rows);
    json_out_uint(&j, "plain_bytes", m->plain_bytes);
    json_out_uint(&j, "archive_bytes", r->archive_bytes);
    json_out_fixed3(&j, "seconds", output_elapsed_ms(cli));
    put_consistency(&j, &m->consistency);
    put_warnings(&j, m);
    json_out_bool(&j, "dry_run", options_flag(cli->options, OPTION_DRY_RUN));
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

/* What a dry run found: the tables, then the objects with their kind, on standard output. */
static enum err_code show_plan(const struct manifest *m, struct err *err)
{
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    for (unsigned i = 0; i < m->table_count; i++)
        output_line(&out, "%s.%s", m->tables[i].schema, m->tables[i].name);
    for (unsigned i = 0; i < m->object_count; i++)
        output_line(&out, "%s %s.%s", object_kind_name(m->objects[i].kind), m->objects[i].schema,
                    m->objects[i].name);
    enum err_code code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    return code;
}

static enum err_code show(struct cli *cli, const struct target *t, const struct dump_result *r,
                          struct err *err)
{
    bool dry = options_flag(cli->options, OPTION_DRY_RUN);
    char tables[FIGURE_BYTES], objects[FIGURE_BYTES];
    log_warnings(cli->run->log, r->manifest);
    if (dry)
        log_info(cli->run->log, "dry run: %s and %s would be dumped",
                 figure_of(r->manifest->table_count, "table", tables),
                 figure_of(r->manifest->object_count, "other object", objects));
    else
        log_summary(cli, t, r);
    if (options_flag(cli->options, OPTION_JSON))
        return answer(cli, t, r, err);
    return dry && !to_stdout(t->file) ? show_plan(r->manifest, err) : ERR_OK;
}

static enum err_code run_dump(struct cli *cli, struct err *err)
{
    const struct options *o = cli->options;
    unsigned count;
    const char *const *names = options_operands(o, &count);
    const char *label = options_text(o, OPTION_LABEL);
    char made[LABEL_BYTES];
    struct login login;
    struct dump_result result = {0};
    struct target target = {.cli = cli, .file = options_text(o, OPTION_OUTPUT)};
    enum err_code code = check_usage(o, err);
    if (code != ERR_OK)
        return code;
    label_from_name(count ? names[0] : "all", made);
    struct dump_options options = read_options(o, label ? label : made);
    archive_name_format(clock_wall_ms(cli->run->clock), options.label, cli->run->run_id, target.name);
    code = login_read(cli, &login, err);
    if (code != ERR_OK)
        return code;
    struct ticker *ticker = settings_ticker(cli);
    code = dump_run(cli->run, &login.params, &options, open_sink, &target, &result, err);
    ticker_stop(ticker);
    login_wipe(&login);
    if (code == ERR_OK)
        code = show(cli, &target, &result, err);
    manifest_free(result.manifest);
    store_free(target.store);
    free(target.path);
    return code;
}

const struct command command_dump = {
    .id = COMMAND_DUMP,
    .name = "dump",
    .operands = "DB | DB.TABLE ... | --all-databases",
    .summary = "take a consistent archive",
    .description =
        "Reads the named databases and tables as they are at one moment, without stopping those who use "
        "them, into"
        " one archive. A database brings all that it holds: tables, views, sequences, routines, packages, "
        "triggers and events;"
        " DB.NAME brings that table, view or sequence, and with a table its triggers and the sequences that "
        "it takes"
        " defaults from. Names may be patterns with * and ?. The archive exists whole or not at all.",
    .max_operands = OPERANDS_ANY,
    .run = run_dump,
};
