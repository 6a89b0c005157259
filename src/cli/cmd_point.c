/* dbsafe point: recovery points. */
#include "cli/cmd_point.h"
#include "cli/output.h"
#include "cli/points.h"
#include "cli/prompt.h"
#include "core/mem.h"
#include "recovery/point_delete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- list ---- */

static enum err_code answer_list(struct cli *cli, const struct point_list *l, unsigned unreadable,
                                 struct err *err)
{
    struct buf out;
    struct json_out j;
    int64_t now_ms = clock_wall_ms(cli->run->clock);
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_array_open(&j, "points");
    for (size_t i = 0; i < l->count; i++) {
        json_out_object_open(&j, NULL);
        point_put_json(l->items[i], &j);
        json_out_bool(&j, "protected", point_is_protected(l->items[i], now_ms));
        json_out_bool(&j, "expired", point_is_expired(l->items[i], now_ms));
        json_out_object_close(&j);
    }
    json_out_array_close(&j);
    json_out_uint(&j, "unreadable", unreadable);
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

struct cells {
    char created[CLOCK_ISO_BYTES], expires[CLOCK_ISO_BYTES], tables[FIGURE_BYTES], rows[FIGURE_BYTES],
        bytes[FIGURE_BYTES];
};

static const char *proof_word(const struct point *p)
{
    return p->drill.passed_ms ? "restored" : p->archive.verified_ms ? "bytes" : "none";
}

static enum err_code print_list(const struct point_list *l, struct err *err)
{
    enum { COLUMNS = 9 };
    static const char *const heading[COLUMNS] = {"CREATED", "NAME", "STATE", "KIND",   "TABLES",
                                                 "ROWS",    "SIZE", "PROOF", "EXPIRES"};
    const char **cells = xcalloc((l->count + 1) * COLUMNS, sizeof *cells);
    struct cells *made = xcalloc(l->count + 1, sizeof *made);
    memcpy(cells, heading, sizeof heading);
    for (size_t i = 0; i < l->count; i++) {
        const struct point *p = l->items[i];
        struct cells *c = &made[i];
        clock_format_iso(p->created_ms, c->created);
        clock_format_iso(p->expires_ms, c->expires);
        const char *row[COLUMNS] = {c->created,
                                    p->name,
                                    point_state_text(p->state),
                                    point_kind_text(p),
                                    figure_count(p->archive.tables, c->tables),
                                    figure_count(p->archive.rows, c->rows),
                                    figure_bytes(p->archive.bytes, c->bytes),
                                    proof_word(p),
                                    p->keep         ? "never"
                                    : p->expires_ms ? c->expires
                                                    : "-"};
        memcpy(cells + (i + 1) * COLUMNS, row, sizeof row);
    }
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    output_columns(&out, cells, l->count + 1, COLUMNS, 7u << 4);
    enum err_code code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    free(made);
    free(cells);
    return code;
}

static enum err_code run_list(struct cli *cli, const char *const *operands, unsigned count, struct err *err)
{
    struct points points;
    struct point_list list = {0};
    unsigned unreadable = 0;
    if (count > 0)
        return err_set(err, ERR_USAGE, "'point list' takes no name: '%s'", operands[0]);
    enum err_code code = points_open(cli, false, &points, err);
    if (code == ERR_OK && points.stores.points)
        code = point_list(points.stores.points, &list, &unreadable, err);
    if (code == ERR_OK && unreadable)
        log_warn(cli->run->log, "%u records of points cannot be read", unreadable);
    if (code == ERR_OK && options_flag(cli->options, OPTION_JSON))
        code = answer_list(cli, &list, unreadable, err);
    else if (code == ERR_OK && list.count == 0)
        log_info(cli->run->log, "there is no recovery point yet");
    else if (code == ERR_OK)
        code = print_list(&list, err);
    point_list_free(&list);
    points_close(&points);
    return code;
}

/* ---- show ---- */

static enum err_code answer_point(struct cli *cli, const struct point *p, const char *archive,
                                  struct err *err)
{
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_object_open(&j, "point");
    point_put_json(p, &j);
    json_out_object_close(&j);
    json_out_string(&j, "archive", archive);
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

static enum err_code run_show(struct cli *cli, const char *const *operands, unsigned count, struct err *err)
{
    struct points points;
    struct point *p = NULL;
    if (count != 1)
        return err_set(err, ERR_USAGE, "'point show' needs one name");
    enum err_code code = points_open_for(cli, operands[0], &points, err);
    if (code == ERR_OK)
        code = point_get(points.stores.points, operands[0], &p, err);
    if (code == ERR_OK) {
        char *archive = p->archive.name ? store_location(points.stores.archives, p->archive.name) : NULL;
        struct buf out;
        buf_init(&out, OUTPUT_MAX_BYTES);
        points_put_text(&out, p, archive);
        code = options_flag(cli->options, OPTION_JSON) ? answer_point(cli, p, archive, err)
                                                       : output_write(STDOUT_FILENO, &out, err);
        buf_free(&out);
        free(archive);
    }
    point_free(p);
    points_close(&points);
    return code;
}

/* ---- delete ---- */

/* The name itself is typed: "y" is too quick for what cannot come back. */
static enum err_code confirm(void *arg, const struct point *p, struct err *err)
{
    const struct cli *cli = arg;
    char question[512], answer[POINT_NAME_MAX + 2];
    if (options_flag(cli->options, OPTION_YES))
        return ERR_OK;
    if (!isatty(STDIN_FILENO))
        return err_set(err, ERR_REFUSED,
                       "this deletes the point '%s' (%s%s%s): not confirmed, and there is no terminal to ask "
                       "on; give --yes",
                       p->name, point_kind_text(p), p->snapshot.id ? " " : "",
                       p->snapshot.id ? p->snapshot.id : "");
    snprintf(question, sizeof question,
             "This deletes the point '%s' (%s%s%.256s) without a way back. Type its name to go on: ", p->name,
             point_kind_text(p), p->snapshot.id ? " " : "", p->snapshot.id ? p->snapshot.id : "");
    enum err_code code = prompt_line(cli->run->cancel, question, false, answer, sizeof answer, err);
    if (code == ERR_OK && strcmp(answer, p->name) != 0)
        code = err_set(err, ERR_REFUSED, "the point '%s' is not deleted: not confirmed", p->name);
    return code;
}

static enum err_code answer_delete(struct cli *cli, const struct point *p, bool dry, struct err *err)
{
    struct buf out;
    struct json_out j;
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_string(&j, "deleted", p->name);
    json_out_string(&j, "archive", p->archive.name);
    json_out_string(&j, "snapshot", p->snapshot.id);
    json_out_bool(&j, "dry_run", dry);
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    return code;
}

static enum err_code run_delete(struct cli *cli, const char *const *operands, unsigned count, struct err *err)
{
    struct points points;
    struct point *p = NULL;
    bool dry = options_flag(cli->options, OPTION_DRY_RUN);
    struct point_delete_options options = {
        .force = options_flag(cli->options, OPTION_FORCE), .dry_run = dry, .confirm = confirm, .arg = cli};
    if (count != 1)
        return err_set(err, ERR_USAGE, "'point delete' needs one name");
    enum err_code code = points_open_for(cli, operands[0], &points, err);
    options.snapshots = points.snapshots;
    if (code == ERR_OK)
        code = point_delete(cli->run, &points.stores, operands[0], &options, &p, err);
    if (code == ERR_OK)
        log_info(cli->run->log, "%s the point '%s' (%s%s%s)", dry ? "dry run: would delete" : "deleted",
                 p->name, point_kind_text(p), p->snapshot.id ? " " : "",
                 p->snapshot.id ? p->snapshot.id : "");
    if (code == ERR_OK && options_flag(cli->options, OPTION_JSON))
        code = answer_delete(cli, p, dry, err);
    point_free(p);
    points_close(&points);
    return code;
}

/* ---- which ---- */

static const struct {
    const char *name;
    enum err_code (*run)(struct cli *cli, const char *const *operands, unsigned count, struct err *err);
} actions[] = {{"create", point_create_run}, {"list", run_list}, {"show", run_show}, {"delete", run_delete}};

static enum err_code run_point(struct cli *cli, struct err *err)
{
    unsigned count;
    const char *const *operands = options_operands(cli->options, &count);
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(operands[0], actions[i].name) == 0)
            return actions[i].run(cli, operands + 1, count - 1, err);
    return err_set(err, ERR_USAGE,
                   "'point %s': the words are create, list, show and delete; see 'dbsafe help point'",
                   operands[0]);
}

static bool wants_keeper(const struct options *o)
{
    unsigned count;
    const char *const *operands = options_operands(o, &count);
    bool declined = options_origin(o, OPTION_DRILL) != ORIGIN_NONE && !options_flag(o, OPTION_DRILL);
    return count > 0 && strcmp(operands[0], "create") == 0 && !declined && !options_flag(o, OPTION_DRY_RUN);
}

const struct command command_point = {
    .id = COMMAND_POINT,
    .name = "point",
    .operands = "create NAME DB... | list | show NAME | delete NAME",
    .summary = "recovery points: what a rollback goes back to",
    .description = "A recovery point binds under one name an archive of the tables, verified and restored in "
                   "a drill, an RDS "
                   "snapshot where one is asked for, the server's coordinates before and after, and how long "
                   "a restore will take. "
                   "'create' is complete only when all of that is; the same command again goes on where it "
                   "was interrupted. A "
                   "point is protected for 48 hours and removed by prune after it expired.",
    .min_operands = 1,
    .max_operands = OPERANDS_ANY,
    .wants_keeper = wants_keeper,
    .run = run_point,
};
