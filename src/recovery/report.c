#include "recovery/report.h"

#include "core/mem.h"
#include "recovery/html.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The live tables were exchanged, but what comes behind that failed; or nobody knows. */
static bool is_unfinished(const struct rollback_result *r)
{
    return r->via == ROLLBACK_TABLES && !r->done && r->restore.swapped;
}

static bool is_unknown(const struct rollback_result *r)
{
    return r->via == ROLLBACK_TABLES && !r->done && r->restore.unknown;
}

const char *report_verdict(const struct rollback_result *r)
{
    if (r->failed.code != ERR_OK)
        return r->done            ? "done, with an error after it"
               : is_unfinished(r) ? "unfinished"
               : is_unknown(r)    ? "unknown"
                                  : "failed";
    if (!r->needed)
        return "nothing to do";
    return r->dry_run ? "dry run" : "done";
}

/* ---- JSON ---- */

static void put_changes(struct json_out *j, const char *key, const struct verify_result *v)
{
    json_out_array_open(j, key);
    for (unsigned i = 0; i < v->problem_count; i++) {
        json_out_object_open(j, NULL);
        json_out_string(j, "where", v->problems[i].where);
        json_out_string(j, "what", v->problems[i].what);
        json_out_object_close(j);
    }
    json_out_array_close(j);
}

static void put_export(struct json_out *j, const struct rollback_export *e)
{
    if (!e->file) {
        json_out_null(j, "export");
        return;
    }
    json_out_object_open(j, "export");
    json_out_string(j, "file", e->file);
    json_out_bool(j, "existed", e->existed);
    json_out_uint(j, "bytes", e->bytes);
    json_out_uint(j, "tables", e->tables);
    json_out_uint(j, "rows", e->rows);
    json_out_object_close(j);
}

static const char *text_or_null(const char *text)
{
    return *text ? text : NULL;
}

static void put_instance(struct json_out *j, const struct rollback_result *r)
{
    static const char *const ways[] = {"keep", "rename", "back", "copy"};
    const struct rollback_instance *i = &r->instance;
    if (r->via != ROLLBACK_INSTANCE || !*i->journal.name) {
        json_out_null(j, "instance");
        return;
    }
    json_out_object_open(j, "instance");
    json_out_string(j, "then", ways[i->then]);
    json_out_string(j, "snapshot", i->journal.snapshot);
    json_out_bool(j, "cluster", i->journal.cluster);
    json_out_string(j, "name", i->journal.name);
    json_out_string(j, "new", i->journal.to);
    json_out_string(j, "address", text_or_null(i->restored.database.address));
    json_out_uint(j, "port", i->restored.database.port);
    put_changes(j, "changed_between", &i->between);
    json_out_bool(j, "loaded", i->journal.loaded);
    json_out_bool(j, "cut_over", i->cut_over);
    json_out_string(j, "old_name", text_or_null(i->journal.old_name));
    json_out_string(j, "copy_restore_id", text_or_null(i->copied.restore_id));
    json_out_uint(j, "copied_tables", i->copied.tables);
    json_out_object_close(j);
}

static void put_time(struct json_out *j, const char *key, int64_t wall_ms)
{
    char text[CLOCK_ISO_BYTES];
    clock_format_iso(wall_ms, text);
    json_out_string(j, key, text);
}

void report_put_json(const struct rollback_result *r, struct json_out *j)
{
    int64_t counted_ms = rollback_counted_ms(r);
    json_out_string(j, "verdict", report_verdict(r));
    json_out_string(j, "point", r->point ? r->point->name : NULL);
    json_out_string(j, "via", r->via == ROLLBACK_TABLES ? "tables" : "instance");
    json_out_string(j, "target", r->target);
    json_out_bool(j, "other_server", r->other_server);
    json_out_string(j, "archive", r->point ? r->point->archive.name : NULL);
    put_time(j, "started", r->steps.started_ms);
    put_time(j, "finished", r->steps.started_ms + steps_total_ms(&r->steps));
    json_out_uint(j, "tables_changed", r->tables_changed);
    put_changes(j, "changes", &r->changes);
    json_out_array_open(j, "made_since");
    for (unsigned i = 0; i < r->stranger_count; i++)
        json_out_string(j, NULL, r->strangers[i]);
    json_out_array_close(j);
    put_export(j, &r->export);
    put_instance(j, r);
    json_out_string(j, "restore_id", *r->restore.restore_id ? r->restore.restore_id : NULL);
    json_out_uint(j, "tables", r->restore.tables);
    json_out_uint(j, "rows", r->restore.rows);
    json_out_bool(j, "verified", r->restore.verified);
    json_out_bool(j, "swapped", r->restore.swapped);
    json_out_fixed3(j, "seconds", counted_ms);
    json_out_fixed3(j, "waited", r->waited_ms);
    json_out_fixed3(j, "rto", r->rto_ms);
    json_out_bool(j, "within_rto", counted_ms <= r->rto_ms);
    json_out_bool(j, "dry_run", r->dry_run);
    steps_put_json(&r->steps, j);
    json_out_string(j, "failure", r->failed.code != ERR_OK ? r->failed.text : NULL);
}

/* ---- HTML ---- */

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6577;--paper:#fff;--card:#f5f7fa;--line:#dde2ea;"
    "--good:#1a7f4b;--bad:#b3261e;--idle:#51607a;--bar:#2f6fde;--phase:#8fb4f5;--wait:#b9c0cc}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6eaf1;--soft:#9aa5b8;--paper:#14181f;--card:#1c222c;"
    "--line:#2e3642;--good:#4cc38a;--bad:#ff6b60;--idle:#93a1ba;--bar:#5b93f5;--phase:#33527f;--wait:#4a5361}"
    "}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}"
    "main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem 4rem}"
    "h1{font-size:1.5rem;margin:0 0 1rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:2.25rem 0 .75rem}"
    ".verdict{border-left:.4rem solid var(--idle);background:var(--card);padding:1rem "
    "1.25rem;border-radius:.25rem}"
    ".verdict.good{border-color:var(--good)}.verdict.bad{border-color:var(--bad)}"
    ".verdict b{font-size:1.15rem}.verdict p{margin:.35rem 0 0;overflow-wrap:anywhere}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.5rem;margin:0}"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.4rem .75rem "
    ".4rem 0;"
    "border-bottom:1px solid var(--line);overflow-wrap:anywhere}th{color:var(--soft);font-weight:600}"
    "td:first-child{width:40%}code{font:.92em ui-monospace,monospace}"
    ".rto{height:.9rem;background:var(--card);border:1px solid "
    "var(--line);border-radius:.25rem;overflow:hidden}"
    ".rto i{display:block;height:100%;background:var(--good)}.rto.over i{background:var(--bad)}.rto.idle "
    "i{background:var(--idle)}"
    ".time{display:grid;grid-template-columns:13rem 1fr 5.5rem;gap:.25rem .75rem;align-items:center}"
    ".time span:nth-child(3n){text-align:right;font-variant-numeric:tabular-nums}"
    ".time .phase{color:var(--soft);padding-left:1.25rem;font-size:.92em}"
    ".track{position:relative;height:1.1rem;background:var(--card);border-radius:.2rem}"
    ".track i{position:absolute;top:0;bottom:0;min-width:2px;background:var(--bar);border-radius:.2rem}"
    ".track.sub{height:.7rem}.track.sub i{background:var(--phase)}.track.idle i{background:var(--wait)}"
    ".note{color:var(--soft)}"
    "@media(max-width:40rem){.time{grid-template-columns:8rem 1fr 4.5rem}}"
    "@media print{main{padding:0}}";

static void fact(struct buf *out, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fact(struct buf *out, const char *name, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    html_put(out, "<dt>");
    html_text(out, name);
    html_put(out, "</dt><dd>");
    html_text(out, text);
    html_put(out, "</dd>\n");
}

static void time_fact(struct buf *out, const char *name, int64_t wall_ms)
{
    char text[CLOCK_ISO_BYTES];
    clock_format_iso(wall_ms, text);
    fact(out, name, "%s", text);
}

static const char *verdict_class(const struct rollback_result *r)
{
    if (r->failed.code != ERR_OK)
        return "bad";
    return r->done && r->needed ? "good" : "idle";
}

static const char *done_text(const struct rollback_result *r)
{
    static const char *const texts[] = {
        [ROLLBACK_KEEP] = "A new instance holds the point's tables. The live one was not touched.",
        [ROLLBACK_RENAME] =
            "The live name belongs to the new instance, whose tables are as they were at the point.",
        [ROLLBACK_BACK] = "The names are as they were before the rollback.",
        [ROLLBACK_COPY] = "The tables, and the further ones, are as they were at the point.",
    };
    return r->via == ROLLBACK_TABLES ? "The tables are as they were at the point." : texts[r->instance.then];
}

static void put_verdict(const struct rollback_result *r, struct buf *out)
{
    char text[600];
    html_put(out, "<div class=\"verdict ");
    html_put(out, verdict_class(r));
    html_put(out, "\"><b>");
    if (r->failed.code != ERR_OK && r->via == ROLLBACK_INSTANCE)
        html_text(out, "The rollback failed. The same command goes on with what it did.");
    else if (r->failed.code != ERR_OK && is_unfinished(r))
        html_text(out, "The tables were exchanged, but not all that comes after that is done. The same"
                       " command finishes it.");
    else if (r->failed.code != ERR_OK && is_unknown(r))
        html_text(out, "The server was lost while the tables were exchanged: whether they are is not known."
                       " The same command finds out, and finishes.");
    else if (r->failed.code != ERR_OK && !r->done)
        html_text(out, "The rollback failed. The live tables are as they were before it.");
    else if (r->failed.code != ERR_OK)
        html_text(out, "The tables are back. Something failed after that.");
    else if (!r->needed)
        html_text(out, "Nothing was to be done: the tables are as they were at the point.");
    else if (r->dry_run)
        html_text(out, "A dry run: nothing was changed.");
    else
        html_text(out, done_text(r));
    html_put(out, "</b>\n");
    if (r->failed.code != ERR_OK) {
        html_put(out, "<p>");
        html_text(out, r->failed.text);
        html_put(out, "</p>\n");
    } else if (r->needed && !r->dry_run && (r->via == ROLLBACK_TABLES || r->restore.swapped)) {
        snprintf(text, sizeof text, "%u tables, %" PRIu64 " rows. %s Then all were exchanged in one rename.",
                 r->restore.tables, r->restore.rows,
                 r->restore.verified ? "Every restored row was read back and its content checksum compared."
                                     : "The content was not compared.");
        html_put(out, "<p>");
        html_text(out, text);
        html_put(out, "</p>\n");
    }
    html_put(out, "</div>\n");
}

static void put_rto(const struct rollback_result *r, struct buf *out)
{
    int64_t counted_ms = rollback_counted_ms(r);
    bool over = counted_ms > r->rto_ms;
    char text[300], width[64];
    double percent = r->rto_ms ? (double)counted_ms * 100 / (double)r->rto_ms : 100;
    snprintf(text, sizeof text, "%.1f seconds of the %.0f minutes that the RTO allows (%.1f %%)%s",
             (double)counted_ms / 1000, (double)r->rto_ms / 60000, percent, over ? ": over it." : ".");
    snprintf(width, sizeof width, "width:%.2f%%", over ? 100 : percent < 0.3 ? 0.3 : percent);
    html_put(out, "<h2>Against the RTO</h2>\n<div class=\"rto");
    html_put(out, over ? " over" : r->done ? "" : " idle");
    html_put(out, "\"><i style=\"");
    html_put(out, width);
    html_put(out, "\"></i></div>\n<p class=\"note\">");
    html_text(out, text);
    if (r->waited_ms > 0) {
        snprintf(text, sizeof text,
                 " Another %.1f seconds went by until the rollback was confirmed; they are not counted.",
                 (double)r->waited_ms / 1000);
        html_text(out, text);
    }
    html_put(out, "</p>\n");
}

static void put_bar(const struct timed_step *s, int64_t total_ms, struct buf *out)
{
    char figure[64];
    bool phase = s->level > 0, idle = strstr(s->name, "waiting") != NULL;
    double scale = total_ms > 0 ? 100.0 / (double)total_ms : 0;
    int64_t end_ms = s->end_ms < 0 ? total_ms : s->end_ms;
    html_put(out, phase ? "<span class=\"phase\">" : "<span>");
    html_text(out, s->name);
    html_put(out, phase  ? "</span><span class=\"track sub\">"
                  : idle ? "</span><span class=\"track idle\">"
                         : "</span><span class=\"track\">");
    snprintf(figure, sizeof figure, "<i style=\"left:%.2f%%;width:%.2f%%\"></i>", (double)s->begin_ms * scale,
             (double)(end_ms - s->begin_ms) * scale);
    html_put(out, figure);
    snprintf(figure, sizeof figure, "</span><span>%.2f s</span>\n", (double)(end_ms - s->begin_ms) / 1000);
    html_put(out, figure);
}

static void put_timeline(const struct rollback_result *r, struct buf *out)
{
    int64_t total_ms = steps_total_ms(&r->steps);
    html_put(out, "<h2>Timeline</h2>\n<div class=\"time\">\n");
    for (unsigned i = 0; i < r->steps.count; i++)
        put_bar(&r->steps.items[i], total_ms, out);
    html_put(out, "</div>\n");
}

static void put_lost(const struct rollback_result *r, struct buf *out)
{
    const struct verify_result *v = &r->changes;
    html_put(out, r->done && r->failed.code == ERR_OK && !r->dry_run
                      ? "<h2>What was undone</h2>\n"
                      : "<h2>What differs from the point</h2>\n");
    if (v->problem_count == 0) {
        html_put(out, "<p class=\"note\">No table differed from the point.</p>\n");
        return;
    }
    html_put(out, "<table><tr><th>Table</th><th>Before the rollback, against the point</th></tr>\n");
    for (unsigned i = 0; i < v->problem_count; i++) {
        html_put(out, "<tr><td><code>");
        html_text(out, v->problems[i].where);
        html_put(out, "</code></td><td>");
        html_text(out, v->problems[i].what);
        html_put(out, "</td></tr>\n");
    }
    html_put(out, "</table>\n");
}

static void put_strangers(const struct rollback_result *r, struct buf *out)
{
    if (r->stranger_count == 0)
        return;
    html_put(out, "<h2>Made since the point, and left alone</h2>\n<p>");
    for (unsigned i = 0; i < r->stranger_count; i++) {
        html_put(out, i ? ", <code>" : "<code>");
        html_text(out, r->strangers[i]);
        html_put(out, "</code>");
    }
    html_put(out, "</p>\n");
}

static void put_git(const struct point_git *g, struct buf *out)
{
    if (g->commit && g->branch)
        fact(out, "Commit", "%s on %s%s%s", g->commit, g->branch, g->tag_count ? ", tag " : "",
             g->tag_count ? g->tags[0] : "");
    else if (g->commit)
        fact(out, "Commit", "%s%s%s", g->commit, g->tag_count ? ", tag " : "",
             g->tag_count ? g->tags[0] : "");
}

static void put_instance_facts(const struct rollback_result *r, struct buf *out)
{
    const struct rollback_instance *i = &r->instance;
    if (r->via != ROLLBACK_INSTANCE || !*i->journal.name)
        return;
    fact(out, i->journal.cluster ? "Cluster" : "Instance", "%s", i->journal.name);
    fact(out, "Made of the snapshot", "%s: %s%s%s", i->journal.snapshot, i->journal.to,
         *i->restored.database.address ? ", now at " : "", i->restored.database.address);
    fact(out, "Changed between snapshot and archive", "%u tables, which the archive won", i->tables_between);
    if (i->cut_over)
        fact(out, "What had the name before", "%s; it stays until you delete it", i->journal.old_name);
    if (i->cut_over)
        fact(out, "To take it back", "dbsafe rollback --point %s --via instance --cutover back",
             r->point->name);
    if (*i->copied.restore_id)
        fact(out, "To take it back", "dbsafe undo %s", i->copied.restore_id);
}

static void put_facts(const struct rollback_result *r, struct buf *out)
{
    const struct point *p = r->point;
    html_put(out, "<h2>What</h2>\n<dl>\n");
    fact(out, "Server", "%s", r->target ? r->target : "not reached");
    if (r->other_server)
        fact(out, "Which is another than the point's", "%s", p->target ? p->target : "not known");
    time_fact(out, "Started", r->steps.started_ms);
    if (p) {
        time_fact(out, "The point's moment", p->archive.at.at_ms);
        if (p->archive.at.file && *p->archive.at.file)
            fact(out, "Binlog position", "%s:%" PRIu64 "%s%s", p->archive.at.file, p->archive.at.position,
                 p->archive.at.gtid ? ", GTID " : "", p->archive.at.gtid ? p->archive.at.gtid : "");
        fact(out, "Made by", "%s", p->person ? p->person : "not known");
        fact(out, "Archive", "%s, %" PRIu64 " tables, %" PRIu64 " rows", p->archive.name, p->archive.tables,
             p->archive.rows);
        if (p->drill.passed_ms)
            time_fact(out, "Drill passed", p->drill.passed_ms);
        else
            fact(out, "Drill", "none: %s", p->drill.skipped ? p->drill.skipped : "not known why");
        put_git(&p->git, out);
    }
    if (r->export.file)
        fact(out, "Exported before", "%s, %" PRIu64 " tables, %" PRIu64 " rows", r->export.file,
             r->export.tables, r->export.rows);
    put_instance_facts(r, out);
    if (r->restore.swapped && r->via == ROLLBACK_TABLES)
        fact(out, "To take it back", "dbsafe undo %s", r->restore.restore_id);
    fact(out, "Written by", "dbsafe %s", DBSAFE_VERSION);
    html_put(out, "</dl>\n");
}

enum err_code report_html(const struct rollback_result *r, struct buf *out, struct err *err)
{
    html_begin(out, "dbsafe rollback", style);
    html_put(out, "<main>\n<h1>Rollback to the recovery point ");
    html_text(out, r->point ? r->point->name : "(not found)");
    html_put(out, "</h1>\n");
    put_verdict(r, out);
    put_rto(r, out);
    put_timeline(r, out);
    put_lost(r, out);
    put_strangers(r, out);
    put_facts(r, out);
    html_put(out, "</main>\n");
    return html_end(out, err);
}

/* ---- the store ---- */

static enum err_code store_one(struct store *points, const char *name, const struct buf *text, char **where,
                               struct err *err)
{
    enum err_code code = store_put_small(points, name, text->data, text->len, err);
    if (code == ERR_OK)
        *where = store_location(points, name);
    return code;
}

enum err_code report_store(const struct rollback_result *r, struct store *points, char **html, char **json,
                           struct err *err)
{
    char stamp[CLOCK_COMPACT_BYTES];
    struct buf text;
    struct json_out j;
    *html = *json = NULL;
    clock_format_compact(r->steps.started_ms, stamp);
    /* Two may begin within a second: "20260101T120000.042Z". */
    char *base = xasprintf("%s~rollback-%.*s.%03uZ", r->point->name, (int)strcspn(stamp, "Z"), stamp,
                           (unsigned)(r->steps.started_ms % 1000));
    char *page = xasprintf("%s.html", base), *object = xasprintf("%s.json", base);
    buf_init(&text, REPORT_MAX_BYTES);
    enum err_code code = report_html(r, &text, err);
    if (code == ERR_OK)
        code = store_one(points, page, &text, html, err);
    buf_clear(&text);
    json_out_begin(&j, &text, 1);
    json_out_object_open(&j, NULL);
    report_put_json(r, &j);
    json_out_object_close(&j);
    if (code == ERR_OK)
        code = json_out_end(&j, err);
    if (code == ERR_OK)
        code = store_one(points, object, &text, json, err);
    buf_free(&text);
    free(base);
    free(page);
    free(object);
    return code;
}
