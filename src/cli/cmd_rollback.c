/* dbsafe rollback: what will be lost, the question, the way back, and the report. */
#include "archive/name.h"
#include "cli/command.h"
#include "cli/dump_settings.h"
#include "cli/login.h"
#include "cli/output.h"
#include "cli/points.h"
#include "cli/prompt.h"
#include "cli/proof.h"
#include "cli/rds_settings.h"
#include "cli/settings.h"
#include "core/fault.h"
#include "recovery/report.h"
#include "recovery/rollback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum err_code check_usage(const struct options *o, struct err *err)
{
    const char *report = options_text(o, OPTION_REPORT), *cutover = options_text(o, OPTION_CUTOVER);
    bool by_instance = strcmp(options_text(o, OPTION_VIA), "instance") == 0;
    unsigned tables;
    options_items(o, OPTION_COPY_TABLES, &tables);
    if (!options_text(o, OPTION_POINT))
        return err_set(err, ERR_USAGE, "'rollback' needs --point NAME; 'dbsafe point list' shows them");
    if (!by_instance && (cutover || options_text(o, OPTION_TO) || tables > 0))
        return err_set(err, ERR_USAGE, "--cutover, --copy-tables and --to go with --via instance");
    if (cutover && tables > 0)
        return err_set(err, ERR_USAGE,
                       "either --cutover or --copy-tables: the one makes the new instance the live one, the"
                       " other leaves the live one in its place");
    if (cutover && strcmp(cutover, "back") == 0 && options_text(o, OPTION_EXPORT_CHANGES))
        return err_set(err, ERR_USAGE, "--cutover back compares no tables: there are no changes to export");
    if (report && access(report, F_OK) == 0)
        return err_set(err, ERR_REFUSED, "%s exists already and is never overwritten", report);
    return ERR_OK;
}

/* ---- before ---- */

static void tell_changes(const struct cli *cli, const struct rollback_result *r)
{
    struct log *log = cli->run->log;
    char when[CLOCK_ISO_BYTES], tables[FIGURE_BYTES];
    clock_format_iso(r->point->archive.at.at_ms, when);
    log_info(log, "%s changed since %s%s", figure_of(r->tables_changed, "table", tables), when,
             r->tables_changed == 0 ? ""
             : r->instance.then == ROLLBACK_KEEP && r->via == ROLLBACK_INSTANCE
                 ? ":"
                 : "; what is new in it will be lost:");
    for (unsigned i = 0; i < r->changes.problem_count; i++)
        log_info(log, "  %s: %s", r->changes.problems[i].where, r->changes.problems[i].what);
    for (unsigned i = 0; i < r->stranger_count; i++)
        log_info(log, "  %s was made since, and stays", r->strangers[i]);
}

/* RDS gives a name's endpoints with the name; those of members belong to the members. */
static const char *member_notice(const struct rollback_journal *j)
{
    return j->cluster
               ? "; clients that use the endpoint of a member, and not the cluster's, go on with the old"
                 " cluster: they have to be told"
               : "";
}

/* While a question stands on the terminal no progress is drawn over it. */
struct session {
    struct cli *cli;
    struct ticker *ticker;
};

static void describe_tables(const struct rollback_result *r, char *what, size_t bytes)
{
    char when[CLOCK_ISO_BYTES], tables[FIGURE_BYTES];
    clock_format_iso(r->point->archive.at.at_ms, when);
    snprintf(what, bytes, "this puts %s on %.300s back to %s%s%.300s",
             figure_of(r->manifest->table_count, "table", tables), r->target, when,
             r->other_server ? "; THE POINT IS OF ANOTHER SERVER: " : "",
             r->other_server ? r->point->target : "");
}

static void describe_instance(const struct rollback_result *r, char *what, size_t bytes)
{
    const struct rollback_journal *j = &r->instance.journal;
    const char *kind = j->cluster ? "cluster" : "instance";
    if (r->instance.then == ROLLBACK_BACK) {
        snprintf(what, bytes,
                 "this gives the name %s back to what is called %s now; what was written since is then in %s",
                 j->name, j->old_name, j->to);
        return;
    }
    int used =
        snprintf(what, bytes, "this makes the new %s %s of the snapshot %s, with the point's archive in it",
                 kind, j->to, j->snapshot);
    if (used < 0 || (size_t)used >= bytes)
        return;
    if (r->instance.then == ROLLBACK_RENAME)
        snprintf(what + used, bytes - (size_t)used,
                 ", and then gives it the name %s: ALL of %s, not only the point's tables, is as it was then;"
                 " what was written since stays in the old %s, renamed to %s-old-<time>; between the two"
                 " renames clients find no server%s",
                 j->name, j->name, kind, j->name, member_notice(j));
    else if (r->instance.then == ROLLBACK_COPY)
        snprintf(what + used, bytes - (size_t)used,
                 ", and then exchanges the point's tables and the further ones in %s with those of it",
                 j->name);
    else
        snprintf(what + used, bytes - (size_t)used, "; %s is not touched", j->name);
}

static void tell_time(const struct cli *cli, const struct point *p)
{
    struct buf text;
    buf_init(&text, OUTPUT_MAX_BYTES);
    points_put_instance_time(&text, p);
    log_info(cli->run->log, "%s", buf_cstr(&text));
    buf_free(&text);
}

/* --yes was meant for the server that the point is of. */
static enum err_code check_server(const struct cli *cli, const struct rollback_result *r, struct err *err)
{
    bool changes_it = r->via == ROLLBACK_TABLES || r->instance.then == ROLLBACK_COPY;
    if (!r->other_server || !changes_it || !options_flag(cli->options, OPTION_YES) ||
        options_flag(cli->options, OPTION_OTHER_SERVER))
        return ERR_OK;
    return err_set(err, ERR_REFUSED,
                   "the point '%s' was made of %s, and %s is another server: if it took that one's place, say"
                   " --other-server",
                   r->point->name, r->point->target, r->target);
}

static enum err_code confirm(void *arg, const struct rollback_result *r, struct err *err)
{
    struct session *session = arg;
    const struct cli *cli = session->cli;
    char what[2000];
    enum err_code code = check_server(cli, r, err);
    if (code != ERR_OK)
        return code;
    tell_changes(cli, r);
    if (r->via == ROLLBACK_INSTANCE && r->instance.then != ROLLBACK_BACK)
        tell_time(cli, r->point);
    if (r->via == ROLLBACK_INSTANCE)
        describe_instance(r, what, sizeof what);
    else
        describe_tables(r, what, sizeof what);
    ticker_stop(session->ticker);
    code = prompt_confirm(cli, what, err);
    session->ticker = settings_ticker(cli);
    return code;
}

/* ---- after ---- */

static enum err_code write_page(const struct cli *cli, const struct rollback_result *r, struct err *err)
{
    const char *file = options_text(cli->options, OPTION_REPORT);
    struct buf page;
    struct sink *sink = NULL;
    if (!file)
        return ERR_OK;
    buf_init(&page, REPORT_MAX_BYTES);
    enum err_code code = report_html(r, &page, err);
    if (code == ERR_OK)
        code = sink_file_create(file, &sink, err);
    if (code == ERR_OK)
        code = sink_write(sink, page.data, page.len, err);
    if (code == ERR_OK)
        code = sink_commit(sink, err);
    sink_free(sink);
    buf_free(&page);
    return code;
}

/* Reports are no part of the way back: one that cannot be kept is told.  A rollback that found nothing to do
 * keeps none. */
static void keep_reports(const struct cli *cli, const struct points *points, const struct rollback_result *r,
                         char **html, char **json)
{
    struct err err;
    *html = *json = NULL;
    if (r->point && r->needed && !r->dry_run) {
        enum err_code code = report_store(r, points->stores.points, html, json, &err);
        if (code == ERR_OK)
            code = fault_point("rollback_reported", ERR_STORAGE, &err);
        if (code != ERR_OK)
            log_warn(cli->run->log, "the report is not kept: %s", err.text);
    }
    if (write_page(cli, r, &err) != ERR_OK)
        log_warn(cli->run->log, "the report is not written: %s", err.text);
}

/* As after a restore: the strongest proof of the archive. */
static void record_proof(const struct cli *cli, const struct points *points, const struct rollback_result *r)
{
    struct err err;
    const struct point_archive *a = r->point ? &r->point->archive : NULL;
    if (r->restore.swapped && r->restore.proves &&
        proof_write(points->stores.archives, a->name, a->run_id, a->bytes, PROOF_RESTORED,
                    clock_wall_ms(cli->run->clock), &err) != ERR_OK)
        log_warn(cli->run->log, "the proof of this restore is not recorded: %s", err.text);
}

static enum err_code answer(struct cli *cli, const struct rollback_result *r, const char *html,
                            const char *json, struct err *err)
{
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    report_put_json(r, &j);
    json_out_object_open(&j, "report");
    json_out_string(&j, "html", html);
    json_out_string(&j, "json", json);
    json_out_object_close(&j);
    if (r->failed.code != ERR_OK)
        output_json_error(&j, &r->failed);
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

static enum err_code print_steps(const struct rollback_result *r, struct err *err)
{
    struct buf out;
    char seconds[FIGURE_BYTES];
    buf_init(&out, OUTPUT_MAX_BYTES);
    for (unsigned i = 0; i < r->steps.count; i++) {
        const struct timed_step *s = &r->steps.items[i];
        output_line(&out, "%*s%-*s %10s", (int)s->level * 2, "", 30 - (int)s->level * 2, s->name,
                    figure_seconds(s->end_ms - s->begin_ms, seconds));
    }
    enum err_code code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    return code;
}

static void log_instance(const struct cli *cli, const struct rollback_result *r)
{
    struct log *log = cli->run->log;
    const struct rollback_instance *i = &r->instance;
    const struct rds_database *d = &i->restored.database;
    char seconds[FIGURE_BYTES], tables[FIGURE_BYTES];
    figure_seconds(rollback_counted_ms(r), seconds);
    for (size_t k = 0; k < i->restored.difference_count; k++)
        log_warn(log, "%s: %s is %s, that of the source is %s", i->restored.differences[k].where,
                 i->restored.differences[k].name, i->restored.differences[k].restored,
                 i->restored.differences[k].source);
    for (size_t k = 0; k < i->restored.notice_count; k++)
        log_warn(log, "%s", i->restored.notices[k]);
    if (i->then == ROLLBACK_BACK)
        log_info(log, "%s is again what it was before the rollback, %s; the other one is %s", i->journal.name,
                 seconds, i->journal.to);
    else if (i->cut_over)
        log_info(
            log,
            "%s at %s:%u is the new one now, with the point's tables as in the archive, %s; the old one is"
            " called %s and stays until you delete it%s; to take this back: dbsafe rollback --point %s --via"
            " instance --cutover back",
            i->journal.name, d->address, d->port, seconds, i->journal.old_name, member_notice(&i->journal),
            r->point->name);
    else if (i->then == ROLLBACK_COPY)
        log_info(
            log,
            "%s of %s were put into %s, every content checksum compared, %s; %s stays until you delete it",
            figure_of(i->copied.tables, "table", tables), i->journal.to, i->journal.name, seconds,
            i->journal.to);
    else
        log_info(log, "%s is at %s:%u, with the point's tables as in the archive, %s; %s was not touched",
                 i->journal.to, d->address, d->port, seconds, i->journal.name);
    if (*i->copied.restore_id)
        log_info(log, "to undo this: dbsafe undo %s", i->copied.restore_id);
}

static void log_summary(const struct cli *cli, const struct rollback_result *r, const char *html)
{
    struct log *log = cli->run->log;
    char tables[FIGURE_BYTES], rows[FIGURE_BYTES], seconds[FIGURE_BYTES], when[CLOCK_ISO_BYTES];
    int64_t counted_ms = rollback_counted_ms(r);
    clock_format_iso(r->point->archive.at.at_ms, when);
    if (!r->needed) {
        log_info(log, "nothing to do: %s %s",
                 r->via == ROLLBACK_INSTANCE ? "that was done; the point is of"
                                             : "the tables are as they were at",
                 when);
        return;
    }
    figure_of(r->restore.tables, "table", tables);
    if (r->dry_run) {
        tell_changes(cli, r);
        if (r->via == ROLLBACK_INSTANCE) {
            char what[2000];
            describe_instance(r, what, sizeof what);
            log_info(log, "dry run, nothing was changed: %s", what);
            return;
        }
        log_info(log, "dry run: %s would be put back; nothing was changed", tables);
        return;
    }
    if (r->via == ROLLBACK_INSTANCE)
        log_instance(cli, r);
    else
        log_info(log, "%s, %s are as they were at %s, every content checksum compared, %s", tables,
                 figure_of(r->restore.rows, "row", rows), when, figure_seconds(counted_ms, seconds));
    if (counted_ms > r->rto_ms)
        log_warn(log, "that is longer than the RTO of %lld minutes", (long long)r->rto_ms / 60000);
    if (r->export.file)
        log_info(log, "the tables as they were before: %s", r->export.file);
    if (html)
        log_info(log, "report: %s", html);
    if (r->via == ROLLBACK_TABLES)
        log_info(log, "to undo this: dbsafe undo %s", r->restore.restore_id);
}

static enum err_code show(struct cli *cli, const struct rollback_result *r, const char *html,
                          const char *json, enum err_code code, struct err *err)
{
    struct err shown;
    bool as_json = options_flag(cli->options, OPTION_JSON);
    if (code != ERR_OK) {
        if (html)
            log_info(cli->run->log, "report: %s", html);
        if (as_json && r->point)
            answer(cli, r, html, json, &shown); /* the exit status still tells */
        return code;
    }
    log_summary(cli, r, html);
    return as_json ? answer(cli, r, html, json, err) : r->needed ? print_steps(r, err) : ERR_OK;
}

static void read_instance(const struct options *o, struct rollback_request *q)
{
    const char *cutover = options_text(o, OPTION_CUTOVER);
    if (strcmp(options_text(o, OPTION_VIA), "instance") != 0)
        return;
    q->via = ROLLBACK_INSTANCE;
    q->to = options_text(o, OPTION_TO);
    q->copy_tables = options_items(o, OPTION_COPY_TABLES, &q->copy_table_count);
    q->take_over = options_flag(o, OPTION_RESUME);
    q->then = q->copy_table_count > 0 ? ROLLBACK_COPY : ROLLBACK_KEEP;
    if (cutover)
        q->then = strcmp(cutover, "back") == 0 ? ROLLBACK_BACK : ROLLBACK_RENAME;
}

static struct rollback_request read_request(struct session *session)
{
    const struct options *o = session->cli->options;
    struct rollback_request q = {
        .name = options_text(o, OPTION_POINT),
        .threads = settings_threads(o),
        .lock_timeout_s = (unsigned)options_number(o, OPTION_LOCK_TIMEOUT),
        .kill_blockers = options_flag(o, OPTION_KILL_BLOCKERS),
        .assume_no_outside_fks = options_flag(o, OPTION_ASSUME_NO_OUTSIDE_FKS),
        .staging_schema = options_text(o, OPTION_STAGING_SCHEMA),
        .undo_schema = options_text(o, OPTION_UNDO_SCHEMA),
        .export_file = options_text(o, OPTION_EXPORT_CHANGES),
        .export_dump = dump_settings_read(o),
        .rto_ms = (int64_t)options_number(o, OPTION_RTO) * 60000,
        .dry_run = options_flag(o, OPTION_DRY_RUN),
        .confirm = confirm,
        .arg = session,
    };
    q.export_dump.label = "changes";
    read_instance(o, &q);
    return q;
}

static enum err_code go_back(struct cli *cli, const struct login *login, struct err *err)
{
    struct points points;
    struct rollback_result result = {.rto_ms = 0};
    struct session session = {.cli = cli};
    struct rollback_request request = read_request(&session);
    struct rds_cli rds = {.rds = NULL};
    char *html = NULL, *json = NULL;
    enum err_code code = points_open_for(cli, request.name, &points, err);
    if (code == ERR_OK && request.via == ROLLBACK_INSTANCE)
        code = rds_settings_open(cli, &rds, err);
    request.rds = rds.rds;
    if (code == ERR_OK) {
        session.ticker = settings_ticker(cli);
        code = rollback_run(cli->run, &login->params, &points.stores, &request, &result, err);
        ticker_stop(session.ticker);
        record_proof(cli, &points, &result);
        keep_reports(cli, &points, &result, &html, &json);
        code = show(cli, &result, html, json, code, err);
    }
    rollback_result_free(&result);
    if (rds.rds)
        rds_settings_close(&rds);
    points_close(&points);
    free(html);
    free(json);
    return code;
}

static enum err_code run_rollback(struct cli *cli, struct err *err)
{
    struct login login;
    enum err_code code = check_usage(cli->options, err);
    if (code == ERR_OK)
        code = login_read(cli, &login, err);
    if (code == ERR_OK) {
        code = go_back(cli, &login, err);
        login_wipe(&login);
    }
    return code;
}

const struct command command_rollback = {
    .id = COMMAND_ROLLBACK,
    .name = "rollback",
    .operands = "--point NAME",
    .summary = "put the tables back to a recovery point",
    .description =
        "Compares the live tables with the point, shows what will be lost, asks, and then puts "
        "all of the point's tables "
        "back from its archive: staged, every row compared, exchanged in one rename, with undo. With "
        "--via instance "
        "the point's snapshot becomes a new instance, which gets the archive's tables, and with --cutover "
        "rename the "
        "live one's name; or with --copy-tables it gives further tables to the live one, in the place of "
        "those there. "
        "Each step is timed and "
        "held against the RTO; a report is kept beside the point. The same command again finishes "
        "what was interrupted.",
    .run = run_rollback,
};
