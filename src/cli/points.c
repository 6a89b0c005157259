#include "cli/points.h"

#include "cli/locate.h"
#include "cli/output.h"
#include "cli/point_snapshots.h"
#include "cli/settings.h"
#include "core/environment.h"
#include "core/mem.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum err_code open_again(void *arg, struct store **out, struct err *err)
{
    const struct points *p = arg;
    return locate_store_at(p->cli, p->url, true, out, err);
}

enum err_code points_open(const struct cli *cli, bool make, struct points *out, struct err *err)
{
    *out = (struct points){.cli = cli};
    out->stores = (struct point_stores){
        .open_points = open_again, .arg = out, .stale_after_ms = settings_stale_after_ms(cli->options)};
    out->snapshots = point_snapshots_new(cli);
    enum err_code code = locate_store(cli, make, &out->stores.archives, err);
    bool named = options_origin(cli->options, OPTION_STORE) != ORIGIN_NONE;
    if (code == ERR_NOT_FOUND && !named) /* nothing was ever kept in the default store */
        return ERR_OK;
    if (code != ERR_OK)
        return code;
    out->url = xasprintf("%s/points", out->stores.archives->url);
    code = locate_store_at(cli, out->url, make, &out->stores.points, err);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

void points_close(struct points *p)
{
    store_free(p->stores.points);
    store_free(p->stores.archives);
    free(p->url);
    point_snapshots_free(p->snapshots);
}

enum err_code points_open_for(const struct cli *cli, const char *name, struct points *out, struct err *err)
{
    enum err_code code = points_open(cli, false, out, err);
    if (code == ERR_OK)
        code = point_check_name(name, err);
    if (code == ERR_OK && !out->stores.points)
        code = err_set(err, ERR_NOT_FOUND, "there is no recovery point '%s': there is none at all%s%s", name,
                       out->url ? " in " : "", out->url ? out->url : "");
    return code;
}

char *points_person(const struct cli *cli)
{
    char host[256] = "";
    const char *sudo = geteuid() == 0 ? environment_get(cli->environment, "SUDO_USER") : NULL;
    const struct passwd *p = getpwuid(geteuid());
    gethostname(host, sizeof host - 1);
    if (sudo || p)
        return xasprintf("%s@%s", sudo ? sudo : p->pw_name, host);
    return xasprintf("uid %lu@%s", (unsigned long)geteuid(), host);
}

/* ---- text ---- */

static void put(struct buf *out, const char *what, const char *value)
{
    output_line(out, "%-12s %s", what, value);
}

static void put_time(struct buf *out, const char *what, int64_t wall_ms)
{
    char text[CLOCK_ISO_BYTES];
    clock_format_iso(wall_ms, text);
    put(out, what, wall_ms ? text : "not yet");
}

static void put_coordinates(struct buf *out, const char *what, const struct coordinates *c)
{
    char at[CLOCK_ISO_BYTES];
    clock_format_iso(c->at_ms, at);
    if (!c->at_ms)
        put(out, what, "not yet");
    else if (*c->file)
        output_line(out, "%-12s %s, binlog %s:%" PRIu64 "%s%s", what, at, c->file, c->position,
                    c->gtid ? ", gtid " : "", c->gtid ? c->gtid : "");
    else
        output_line(out, "%-12s %s, no binlog position", what, at);
}

static void put_archive(struct buf *out, const struct point *p, const char *archive)
{
    char tables[FIGURE_BYTES], rows[FIGURE_BYTES], bytes[FIGURE_BYTES];
    if (!p->archive.name) {
        put(out, "archive", "not yet");
        return;
    }
    put(out, "archive", archive ? archive : p->archive.name);
    if (!p->archive.done) {
        put(out, "content", "not finished");
        return;
    }
    output_line(out, "%-12s %s, %s, %s", "content", figure_of(p->archive.tables, "table", tables),
                figure_of(p->archive.rows, "row", rows), figure_bytes(p->archive.bytes, bytes));
    put_coordinates(out, "as of", &p->archive.at);
    put_time(out, "verified", p->archive.verified_ms);
}

static void put_drill(struct buf *out, const struct point_drill *d)
{
    char at[CLOCK_ISO_BYTES], seconds[FIGURE_BYTES];
    clock_format_iso(d->passed_ms, at);
    if (d->passed_ms)
        output_line(out, "%-12s passed %s with %s, %s", "drill", at,
                    d->server_version ? d->server_version : "?", figure_seconds(d->took_ms, seconds));
    else
        output_line(out, "%-12s %s%s", "drill", d->skipped ? "none: " : "not yet",
                    d->skipped ? d->skipped : "");
}

static void put_snapshot(struct buf *out, const struct point_snapshot *s)
{
    char at[CLOCK_ISO_BYTES], created[CLOCK_ISO_BYTES];
    clock_format_iso(s->available_ms, at);
    clock_format_iso(s->created_ms, created);
    if (!s->instance)
        put(out, "snapshot", "none: the point is of the archive alone");
    else
        output_line(out, "%-12s %s of %s %s, %s%s%s%s", "snapshot", s->id ? s->id : "not yet begun",
                    s->cluster ? "the cluster of" : "the instance", s->instance,
                    s->created_ms ? "as of " : "", s->created_ms ? created : "",
                    s->available_ms ? ", available " : "not available yet", s->available_ms ? at : "");
}

void points_put_instance_time(struct buf *out, const struct point *p)
{
    const struct point_snapshot *s = &p->snapshot;
    char made[FIGURE_BYTES], likely[FIGURE_BYTES], most[FIGURE_BYTES];
    buf_put(out, "AWS does not tell how long it takes to make an instance of the snapshot");
    if (s->available_ms && s->available_ms >= s->requested_ms) /* both were noted in whole seconds */
        buf_putf(out, ", which took at most %s to make",
                 figure_duration((uint64_t)(s->available_ms - s->requested_ms) / 1000 + 1, made));
    if (s->gib)
        buf_putf(out, " (storage of %" PRIu64 " GiB)", s->gib);
    if (p->estimate.known)
        buf_putf(out, "; loading the archive adds %s, at most %s",
                 figure_duration((uint64_t)p->estimate.likely_ms / 1000, likely),
                 figure_duration((uint64_t)p->estimate.most_ms / 1000, most));
}

static void put_instance_time(struct buf *out, const struct point *p)
{
    struct buf text;
    if (!p->snapshot.available_ms)
        return;
    buf_init(&text, OUTPUT_MAX_BYTES);
    points_put_instance_time(&text, p);
    put(out, "by instance", buf_cstr(&text));
    buf_free(&text);
}

static void put_git(struct buf *out, const struct point_git *g)
{
    struct buf text;
    if (!g->commit)
        return;
    buf_init(&text, OUTPUT_MAX_BYTES);
    buf_put(&text, g->commit);
    if (g->branch)
        buf_putf(&text, ", branch %s", g->branch);
    for (unsigned i = 0; i < g->tag_count; i++)
        buf_putf(&text, "%s%s", i ? ", " : ", tags ", g->tags[i]);
    put(out, "git", buf_cstr(&text));
    buf_free(&text);
}

static void put_estimate(struct buf *out, const struct point_estimate *e)
{
    char likely[FIGURE_BYTES], most[FIGURE_BYTES], rto[FIGURE_BYTES];
    if (e->known)
        output_line(out, "%-12s %s, at most %s; the RTO is %s", "a restore",
                    figure_duration((uint64_t)e->likely_ms / 1000, likely),
                    figure_duration((uint64_t)e->most_ms / 1000, most),
                    figure_duration((uint64_t)e->rto_ms / 1000, rto));
    else
        output_line(out, "%-12s not estimated%s%s", "a restore", e->unknown_why ? ": " : " yet",
                    e->unknown_why ? e->unknown_why : "");
}

static void put_names(struct buf *out, const struct point *p)
{
    struct buf text;
    buf_init(&text, OUTPUT_MAX_BYTES);
    for (unsigned i = 0; i < p->name_count; i++)
        buf_putf(&text, "%s%s", i ? " " : "", p->names[i]);
    for (unsigned i = 0; i < p->exclude_count; i++)
        buf_putf(&text, "%s%s", i ? " " : ", without ", p->excludes[i]);
    put(out, "tables", buf_cstr(&text));
    buf_free(&text);
}

void points_put_text(struct buf *out, const struct point *p, const char *archive)
{
    put(out, "point", p->name);
    put(out, "state", point_state_text(p->state));
    put_time(out, "created", p->created_ms);
    if (p->keep)
        put(out, "expires", "never (--keep)");
    else
        put_time(out, "expires", p->expires_ms);
    put(out, "operator", p->person ? p->person : "?");
    put(out, "server", p->target ? p->target : "?");
    put_names(out, p);
    put_coordinates(out, "before", &p->before);
    put_archive(out, p, archive);
    put_coordinates(out, "after", &p->after);
    put_drill(out, &p->drill);
    put_snapshot(out, &p->snapshot);
    put_git(out, &p->git);
    put_estimate(out, &p->estimate);
    put_instance_time(out, p);
    for (unsigned i = 0; i < p->obstacle_count; i++)
        put(out, "obstacle", p->obstacles[i]);
}
