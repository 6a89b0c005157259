/* dbsafe point create: options, the stores, and what is said of the new point. */
#include "archive/name.h"
#include "cli/cmd_point.h"
#include "cli/drill_settings.h"
#include "cli/dump_settings.h"
#include "cli/login.h"
#include "cli/output.h"
#include "cli/points.h"
#include "cli/proof.h"
#include "cli/settings.h"
#include "core/mem.h"
#include "recovery/point_create.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The request with what it points into. */
struct asked {
    struct point_request request;
    struct drill_settings drill;
    char label[LABEL_BYTES];
    char *person;
};

/* With a server here a point is drilled, unless that is declined; a drill that was asked for needs one. */
static enum err_code ask_drill(const struct cli *cli, struct asked *a, struct err *err)
{
    const struct options *o = cli->options;
    bool said = options_origin(o, OPTION_DRILL) != ORIGIN_NONE;
    if (said && !options_flag(o, OPTION_DRILL)) {
        a->request.drill_skipped = "declined with --no-drill";
        return ERR_OK;
    }
    enum err_code code = drill_settings_read(cli, &a->drill, err);
    if (code == ERR_OK)
        a->request.drill = &a->drill.options;
    if (code != ERR_NOT_FOUND || said || options_text(o, OPTION_MARIADBD))
        return code;
    a->request.drill_skipped = "there is no mariadbd on this machine";
    return ERR_OK;
}

static enum err_code ask(const struct cli *cli, const char *const *operands, unsigned count, struct asked *a,
                         struct err *err)
{
    const struct options *o = cli->options;
    const char *label = options_text(o, OPTION_LABEL);
    *a = (struct asked){.request = {.name = operands[0],
                                    .dump = dump_settings_read(o),
                                    .instance = options_text(o, OPTION_INSTANCE),
                                    .git_folder = options_text(o, OPTION_GIT),
                                    .keep = options_flag(o, OPTION_KEEP),
                                    .expires_after_ms = (int64_t)options_number(o, OPTION_EXPIRES) * DAY_MS,
                                    .rto_ms = (int64_t)options_number(o, OPTION_RTO) * 60000,
                                    .rto_required = options_flag(o, OPTION_REQUIRE_RTO),
                                    .take_over = options_flag(o, OPTION_RESUME)}};
    struct dump_options *d = &a->request.dump;
    enum err_code code = point_check_name(operands[0], err);
    if (code == ERR_OK)
        code = dump_settings_check_label(label, err);
    if (code == ERR_OK)
        code = dump_settings_check_rate(o, err);
    if (code != ERR_OK)
        return code;
    label_from_name(operands[0], a->label);
    d->label = label ? label : label_is_valid(operands[0]) ? operands[0] : a->label;
    d->names = operands + 1;
    d->name_count = count - 1;
    d->excludes = options_items(o, OPTION_EXCLUDE, &d->exclude_count);
    a->person = points_person(cli);
    a->request.person = a->person;
    return ask_drill(cli, a, err);
}

static void release(struct asked *a)
{
    drill_settings_free(&a->drill);
    free(a->person);
}

/* ---- a dry run ---- */

static enum err_code answer_plan(struct cli *cli, const struct asked *a, const struct manifest *m,
                                 struct err *err)
{
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_null(&j, "point");
    json_out_uint(&j, "tables", m->table_count);
    json_out_string(&j, "drill_skipped", a->request.drill_skipped);
    json_out_bool(&j, "dry_run", true);
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

static enum err_code print_plan(const struct manifest *m, struct err *err)
{
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    for (unsigned i = 0; i < m->table_count; i++)
        output_line(&out, "%s.%s", m->tables[i].schema, m->tables[i].name);
    enum err_code code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    return code;
}

static enum err_code show_plan(struct cli *cli, struct asked *a, const struct login *login, struct err *err)
{
    struct points points;
    struct manifest *m = NULL;
    char tables[FIGURE_BYTES];
    enum err_code code = points_open(cli, false, &points, err);
    a->request.snapshots = points.snapshots;
    if (code == ERR_OK || code == ERR_NOT_FOUND) /* the store would be made */
        code = point_plan(cli->run, &login->params, &points.stores, &a->request, &m, err);
    if (code == ERR_OK) {
        log_info(cli->run->log, "dry run: the point '%s' would hold %s, %s; %s%s", a->request.name,
                 figure_of(m->table_count, "table", tables),
                 a->request.instance ? "and a snapshot" : "of the archive alone",
                 a->request.drill ? "with a drill" : "without a drill: ",
                 a->request.drill ? "" : a->request.drill_skipped);
        code = options_flag(cli->options, OPTION_JSON) ? answer_plan(cli, a, m, err) : print_plan(m, err);
    }
    manifest_free(m);
    points_close(&points);
    return code;
}

/* ---- the real one ---- */

/* The archive's proof, for 'list': what was found out in this run or an earlier one of the same point.  Of a
 * point that was complete before nothing is: since then its proof may have been taken back. */
static void record_proof(const struct cli *cli, const struct points *points, const struct point_created *c,
                         enum err_code found)
{
    struct err err;
    enum err_code code = ERR_OK;
    const struct point_archive *a = c->point ? &c->point->archive : NULL;
    if (!a || !a->done)
        return;
    if (found == ERR_DIFFERS || found == ERR_DAMAGED)
        code = proof_remove(points->stores.archives, a->name, &err);
    else if (c->existed)
        return;
    else if (c->point->drill.passed_ms)
        code = proof_write(points->stores.archives, a->name, a->run_id, a->bytes, PROOF_RESTORED,
                           c->point->drill.passed_ms, &err);
    else if (a->verified_ms)
        code = proof_write(points->stores.archives, a->name, a->run_id, a->bytes, PROOF_BYTES, a->verified_ms,
                           &err);
    if (code != ERR_OK)
        log_warn(cli->run->log, "the proof of the archive is not recorded: %s", err.text);
}

static enum err_code answer(struct cli *cli, const struct point_created *c, const char *archive,
                            struct err *err)
{
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_object_open(&j, "point");
    point_put_json(c->point, &j);
    json_out_object_close(&j);
    json_out_string(&j, "archive", archive);
    json_out_bool(&j, "existed", c->existed);
    json_out_bool(&j, "resumed", c->resumed);
    steps_put_json(&c->steps, &j);
    json_out_fixed3(&j, "seconds", output_elapsed_ms(cli));
    json_out_bool(&j, "dry_run", false);
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

static enum err_code print(const struct point_created *c, const char *archive, struct err *err)
{
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    points_put_text(&out, c->point, archive);
    enum err_code code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    return code;
}

static enum err_code show(struct cli *cli, const struct points *points, const struct point_created *c,
                          struct err *err)
{
    const struct point *p = c->point;
    char *archive = store_location(points->stores.archives, p->archive.name);
    char seconds[FIGURE_BYTES];
    if (!p->snapshot.instance)
        log_warn(cli->run->log,
                 "the point '%s' is of the archive alone: no RDS snapshot was asked for (--instance)",
                 p->name);
    if (c->existed)
        log_info(cli->run->log, "the point '%s' is there already, and complete", p->name);
    else
        log_info(cli->run->log, "OK: the point '%s' is complete: %s, every byte verified%s, %s", p->name,
                 point_kind_text(p), p->drill.passed_ms ? ", restored in a drill" : "",
                 figure_seconds(output_elapsed_ms(cli), seconds));
    if (!p->drill.passed_ms)
        log_warn(cli->run->log, "the archive was not restored in a drill: %s",
                 p->drill.skipped ? p->drill.skipped : "not known why");
    enum err_code code =
        options_flag(cli->options, OPTION_JSON) ? answer(cli, c, archive, err) : print(c, archive, err);
    free(archive);
    return code;
}

static enum err_code create(struct cli *cli, struct asked *a, const struct login *login, struct err *err)
{
    struct points points;
    struct point_created created = {.point = NULL};
    enum err_code code = points_open(cli, true, &points, err);
    a->request.snapshots = points.snapshots;
    if (code == ERR_OK) {
        struct ticker *ticker = settings_ticker(cli);
        code = point_create(cli->run, &login->params, &points.stores, &a->request, &created, err);
        ticker_stop(ticker);
        record_proof(cli, &points, &created, code);
    }
    if (code == ERR_OK)
        code = show(cli, &points, &created, err);
    point_created_free(&created);
    points_close(&points);
    return code;
}

enum err_code point_create_run(struct cli *cli, const char *const *operands, unsigned count, struct err *err)
{
    struct asked a;
    struct login login;
    if (count < 2)
        return err_set(err, ERR_USAGE,
                       "'point create' needs a name and the databases or tables: NAME DB | DB.TABLE ...");
    enum err_code code = ask(cli, operands, count, &a, err);
    if (code == ERR_OK)
        code = login_read(cli, &login, err);
    if (code == ERR_OK) {
        code = options_flag(cli->options, OPTION_DRY_RUN) ? show_plan(cli, &a, &login, err)
                                                          : create(cli, &a, &login, err);
        login_wipe(&login);
    }
    release(&a);
    return code;
}
