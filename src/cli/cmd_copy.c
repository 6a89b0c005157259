/* dbsafe copy: an archive into another store, every byte checked on the way. */
#include "archive/copy.h"
#include "archive/name.h"
#include "archive/reader.h"
#include "cli/command.h"
#include "cli/locate.h"
#include "cli/output.h"
#include "cli/proof.h"
#include "cli/settings.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

/* One copy on its way. */
struct copy {
    struct cli *cli;
    struct located from;
    struct manifest *manifest; /* of from */
    struct store *to;
    char name[ARCHIVE_NAME_BYTES + 256]; /* in the store */
    char *path;                          /* what is told of it */
    bool made;                           /* false: it was there already */
    struct archive_copied copied;
};

/* Its own name, when a store would list it under that, else the one it got when it was taken. */
static void choose_name(struct copy *c)
{
    if (archive_name_has_suffix(c->from.name) && strlen(c->from.name) < sizeof c->name)
        strcpy(c->name, c->from.name);
    else
        archive_name_format(c->manifest->started_ms, c->manifest->label, c->manifest->run_id, c->name);
}

static enum err_code open_both(struct copy *c, const char *argument, const char *to, struct err *err)
{
    unsigned removed = 0;
    char figure[FIGURE_BYTES];
    enum err_code code = locate_archive(c->cli, argument, NULL, 0, &c->from, err);
    if (code == ERR_OK)
        code = archive_read_manifest(c->from.source, &c->manifest, err);
    if (code != ERR_OK)
        return code;
    choose_name(c);
    code = locate_store_at(c->cli, to, true, &c->to, err);
    if (code == ERR_OK)
        code = store_sweep(c->to, settings_stale_after_ms(c->cli->options), false, &removed, err);
    if (removed > 0)
        log_info(c->cli->run->log, "removed %s of runs that died", figure_of(removed, "leftover", figure));
    if (code == ERR_OK)
        c->path = store_location(c->to, c->name);
    return code;
}

/* An object of that name is there: fine when it is this archive, whole. */
static enum err_code check_existing(struct copy *c, struct source *there, struct err *err)
{
    bool same;
    enum err_code code = archive_is_same(c->from.source, there, &same, err);
    if (code == ERR_OK && !same)
        return err_set(err, ERR_REFUSED, "%s exists already and is another archive: it is never overwritten",
                       c->path);
    if (code == ERR_OK)
        code = archive_copy(c->cli->run, there, NULL, &c->copied, err);
    if (code == ERR_DAMAGED) {
        struct err why = *err;
        return err_set(err, ERR_REFUSED,
                       "%s exists already, is damaged (%s), and is never overwritten: remove it first",
                       c->path, why.text);
    }
    return code;
}

static enum err_code copy_new(struct copy *c, struct err *err)
{
    struct sink *sink = NULL;
    enum err_code code = store_create_sized(c->to, c->name, c->from.source->size, &sink, err);
    if (code == ERR_OK)
        code = archive_copy(c->cli->run, c->from.source, sink, &c->copied, err);
    if (code == ERR_OK)
        code = cancel_check(c->cli->run->cancel, err);
    if (code == ERR_OK)
        code = sink_commit(sink, err);
    sink_free(sink);
    c->made = code == ERR_OK;
    return code;
}

static enum err_code transfer(struct copy *c, struct err *err)
{
    struct source *there = NULL;
    struct ticker *ticker = settings_ticker(c->cli);
    progress_phase(c->cli->run->progress, "copying", 0);
    enum err_code code = store_open(c->to, c->name, &there, err);
    if (code == ERR_OK)
        code = check_existing(c, there, err);
    else if (code == ERR_NOT_FOUND)
        code = copy_new(c, err);
    source_free(there);
    ticker_stop(ticker);
    return code;
}

/* Without its proof a copy is as good. */
static void carry_proof(const struct copy *c)
{
    struct err err;
    if (!c->from.store || !c->made)
        return;
    if (proof_copy(c->from.store, c->from.name, c->to, c->name, c->manifest->run_id, c->from.source->size,
                   &err) != ERR_OK)
        log_warn(c->cli->run->log, "the proof of the archive is not copied: %s", err.text);
}

static void log_summary(const struct copy *c)
{
    struct log *log = c->cli->run->log;
    char bytes[FIGURE_BYTES], members[FIGURE_BYTES], seconds[FIGURE_BYTES];
    log_info(log, "archive: %s", c->path);
    log_info(log, "%s: %s, %s, every byte compared with the manifest, %s",
             c->made ? "copied" : "it was there already", figure_bytes(c->copied.bytes, bytes),
             figure_of(c->copied.members, "member", members),
             figure_seconds(output_elapsed_ms(c->cli), seconds));
}

static enum err_code answer(const struct copy *c, struct err *err)
{
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_string(&j, "archive", c->path);
    json_out_string(&j, "from", c->from.path);
    json_out_uint(&j, "bytes", c->copied.bytes);
    json_out_uint(&j, "members", c->copied.members);
    json_out_bool(&j, "copied", c->made);
    json_out_bool(&j, "verified", true);
    json_out_fixed3(&j, "seconds", output_elapsed_ms(c->cli));
    enum err_code code = output_answer(c->cli, &j, &out, err);
    buf_free(&out);
    return code;
}

static enum err_code run_copy(struct cli *cli, struct err *err)
{
    unsigned count;
    const char *argument = options_operands(cli->options, &count)[0];
    const char *to = options_text(cli->options, OPTION_TO);
    struct copy c = {.cli = cli};
    if (!to)
        return err_set(err, ERR_USAGE, "'copy' needs --to, the store that the archive is copied to");
    if (strcmp(argument, "-") == 0)
        return err_set(err, ERR_USAGE,
                       "'copy' does not read standard input: the archive's name and size come first");
    enum err_code code = open_both(&c, argument, to, err);
    if (code == ERR_OK)
        code = transfer(&c, err);
    if (code == ERR_OK) {
        carry_proof(&c);
        log_summary(&c);
    }
    if (code == ERR_OK && options_flag(cli->options, OPTION_JSON))
        code = answer(&c, err);
    free(c.path);
    manifest_free(c.manifest);
    located_free(&c.from);
    store_free(c.to);
    return code;
}

const struct command command_copy = {
    .id = COMMAND_COPY,
    .name = "copy",
    .operands = "ARCHIVE",
    .summary = "to another store, verified",
    .description =
        "Copies an archive into the store --to and compares every byte on the way with the manifest: what "
        "arrives was verified. The copy exists whole or not at all. One that is there already is fine "
        "when it is the same archive; another of that name is never overwritten.",
    .min_operands = 1,
    .max_operands = 1,
    .run = run_copy,
};
