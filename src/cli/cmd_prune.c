/* dbsafe prune: retention in a store, and what dead runs left there. */
#include "cli/command.h"
#include "cli/locate.h"
#include "cli/output.h"
#include "cli/points.h"
#include "cli/prompt.h"
#include "cli/settings.h"
#include "recovery/point_expiry.h"
#include "recovery/prune.h"

#include <stdlib.h>
#include <unistd.h>

static enum err_code confirm(const struct cli *cli, const struct prune_plan *p, const struct point_expiry *e,
                             struct err *err)
{
    struct buf what;
    char archives[FIGURE_BYTES], bytes[FIGURE_BYTES], points[FIGURE_BYTES];
    unsigned snapshots = 0;
    if (p->removals == 0 && e->expired_count == 0)
        return ERR_OK;
    buf_init(&what, OUTPUT_MAX_BYTES);
    buf_putf(&what, "this removes %s (%s) and %s that have expired, with their archives",
             figure_of(p->removals, "archive", archives), figure_bytes(p->bytes, bytes),
             figure_of(e->expired_count, "point", points));
    for (size_t i = 0; i < e->expired_count; i++)
        if (e->expired[i]->snapshot.id)
            buf_putf(&what, "%s %s", snapshots++ ? "," : " and RDS snapshots:", e->expired[i]->snapshot.id);
    buf_put(&what, ", without a way back");
    enum err_code code = prompt_confirm(cli, buf_cstr(&what), err);
    buf_free(&what);
    return code;
}

static void log_result(const struct cli *cli, const struct prune_plan *p, const struct point_expiry *e,
                       unsigned leftovers)
{
    struct log *log = cli->run->log;
    bool dry = options_flag(cli->options, OPTION_DRY_RUN);
    char archives[FIGURE_BYTES], bytes[FIGURE_BYTES], left[FIGURE_BYTES], points[FIGURE_BYTES];
    for (size_t i = 0; i < p->count; i++)
        if (p->archives[i].fate == PRUNE_UNREADABLE)
            log_warn(log, "%s cannot be read: it is kept, and not counted as one of the newest",
                     p->archives[i].name);
        else if (p->archives[i].fate == PRUNE_EMPTY)
            log_warn(log, "%s holds nothing: it is kept, and not counted as one of the newest",
                     p->archives[i].name);
    for (size_t i = 0; i < p->count; i++)
        if (p->archives[i].fate == PRUNE_PINNED)
            log_info(log, "%s is kept: a recovery point goes back to it", p->archives[i].name);
        else if (p->archives[i].fate == PRUNE_SPARED)
            log_info(log, "%s stays when its point goes: no other of its label can be read",
                     p->archives[i].name);
    for (size_t i = 0; i < p->companion_count; i++)
        log_info(log, "%s%s%s", dry ? "" : "removed ", p->companions[i], dry ? " would be removed" : "");
    for (size_t i = 0; i < e->expired_count; i++) {
        const char *snapshot = e->expired[i]->snapshot.id;
        log_info(log, "%sthe point '%s'%s%s", dry ? "dry run: would remove " : "removed ",
                 e->expired[i]->name, snapshot ? " and the RDS snapshot " : "", snapshot ? snapshot : "");
    }
    log_info(log, "%s%s (%s), %s and %s of runs that died%s", dry ? "dry run: " : "removed ",
             figure_of(p->removals, "archive", archives), figure_bytes(p->bytes, bytes),
             figure_of(e->expired_count, "point", points), figure_of(leftovers, "leftover", left),
             dry ? " would be removed" : "");
}

static void put_removed(struct json_out *j, const struct prune_plan *p)
{
    char created[CLOCK_ISO_BYTES];
    json_out_array_open(j, "removed");
    for (size_t i = 0; i < p->count; i++) {
        const struct prune_archive *a = &p->archives[i];
        if (a->fate != PRUNE_REMOVE)
            continue;
        clock_format_iso(a->created_ms, created);
        json_out_object_open(j, NULL);
        json_out_string(j, "name", a->name);
        json_out_string(j, "label", a->label);
        json_out_string(j, "created", created);
        json_out_uint(j, "bytes", a->bytes);
        json_out_object_close(j);
    }
    json_out_array_close(j);
}

static void put_points(struct json_out *j, const struct point_expiry *e)
{
    json_out_array_open(j, "points");
    for (size_t i = 0; i < e->expired_count; i++)
        json_out_string(j, NULL, e->expired[i]->name);
    json_out_array_close(j);
    json_out_array_open(j, "snapshots");
    for (size_t i = 0; i < e->expired_count; i++)
        if (e->expired[i]->snapshot.id)
            json_out_string(j, NULL, e->expired[i]->snapshot.id);
    json_out_array_close(j);
}

static enum err_code answer(struct cli *cli, const struct store *store, const struct prune_plan *p,
                            const struct point_expiry *e, unsigned leftovers, struct err *err)
{
    struct buf out;
    struct json_out j;
    char *place = store_location(store, NULL);
    buf_init(&out, OUTPUT_MAX_BYTES);
    json_out_begin(&j, &out, 0);
    json_out_object_open(&j, NULL);
    json_out_string(&j, "store", place);
    put_removed(&j, p);
    put_points(&j, e);
    json_out_uint(&j, "removed_bytes", p->bytes);
    json_out_uint(&j, "kept", p->kept);
    json_out_uint(&j, "companions", p->companion_count);
    json_out_uint(&j, "leftovers", leftovers);
    json_out_fixed3(&j, "seconds", output_elapsed_ms(cli));
    json_out_bool(&j, "dry_run", options_flag(cli->options, OPTION_DRY_RUN));
    enum err_code code = output_answer(cli, &j, &out, err);
    buf_free(&out);
    free(place);
    return code;
}

static enum err_code print_names(const struct prune_plan *p, struct err *err)
{
    struct buf out;
    buf_init(&out, OUTPUT_MAX_BYTES);
    for (size_t i = 0; i < p->count; i++)
        if (p->archives[i].fate == PRUNE_REMOVE)
            output_line(&out, "%s", p->archives[i].name);
    enum err_code code = output_write(STDOUT_FILENO, &out, err);
    buf_free(&out);
    return code;
}

/* What dead runs left, among the points too. */
static enum err_code sweep(const struct cli *cli, const struct point_stores *s, bool dry, unsigned *leftovers,
                           struct err *err)
{
    unsigned among_points = 0;
    enum err_code code = store_sweep(s->archives, settings_stale_after_ms(cli->options), dry, leftovers, err);
    if (code == ERR_OK && s->points)
        code = store_sweep(s->points, settings_stale_after_ms(cli->options), dry, &among_points, err);
    *leftovers += among_points;
    return code;
}

static enum err_code prune_store(struct cli *cli, const struct points *points, struct prune_options *options,
                                 struct prune_plan *plan, struct point_expiry *expiry, struct err *err)
{
    struct store *store = points->stores.archives;
    bool dry = options_flag(cli->options, OPTION_DRY_RUN);
    unsigned leftovers = 0;
    enum err_code code = dry ? ERR_OK : store_lock(store, err);
    if (code == ERR_OK)
        code = sweep(cli, &points->stores, dry, &leftovers, err);
    if (code == ERR_OK)
        code = point_expiry_plan(cli->run, points->stores.points, points->snapshots, expiry, err);
    if (code != ERR_OK)
        return code;
    options->pinned = expiry->pinned;
    options->pinned_count = expiry->pinned_count;
    options->expiring = expiry->archives;
    options->expiring_count = expiry->archive_count;
    code = prune_plan_make(cli->run, store, options, plan, err);
    if (code == ERR_OK && !dry)
        code = confirm(cli, plan, expiry, err);
    if (code == ERR_OK && !dry)
        code = point_expiry_apply(cli->run, &points->stores, points->snapshots, expiry, plan, err);
    if (code == ERR_OK && !dry)
        code = prune_plan_apply(cli->run, store, plan, err);
    if (code != ERR_OK)
        return code;
    log_result(cli, plan, expiry, leftovers);
    if (options_flag(cli->options, OPTION_JSON))
        return answer(cli, store, plan, expiry, leftovers, err);
    return print_names(plan, err);
}

static enum err_code run_prune(struct cli *cli, struct err *err)
{
    const struct options *o = cli->options;
    struct prune_options options = {.keep_last = (unsigned)options_number(o, OPTION_KEEP_LAST),
                                    .label = options_text(o, OPTION_LABEL)};
    struct prune_plan plan = {0};
    struct point_expiry expiry = {.expired_count = 0};
    struct points points;
    if (options.label && !label_is_valid(options.label))
        return err_set(err, ERR_USAGE, "'%s' is not a label: letters, digits, _ and -, at most 40",
                       options.label);
    enum err_code code = points_open(cli, false, &points, err);
    if (code == ERR_OK && !points.stores.archives) /* nothing was ever kept in the default store */
        code = locate_store(cli, false, &points.stores.archives, err);
    if (code == ERR_OK)
        code = prune_store(cli, &points, &options, &plan, &expiry, err);
    prune_plan_free(&plan);
    point_expiry_free(&expiry);
    points_close(&points);
    return code;
}

const struct command command_prune = {
    .id = COMMAND_PRUNE,
    .name = "prune",
    .operands = "",
    .summary = "remove old archives and what dead runs left",
    .description =
        "Removes what dead runs left unfinished in the store and, with --keep-last, the older "
        "archives of each "
        "label with their"
        " proofs, and recovery points that have expired, with their archives and RDS snapshots; it asks "
        "before. The newest archive of a "
        "label that can be read is never "
        "removed. The names of the "
        "removed archives go to standard output.",
    .run = run_prune,
};
