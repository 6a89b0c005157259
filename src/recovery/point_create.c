#include "recovery/point_create.h"

#include "archive/identity.h"
#include "archive/name.h"
#include "archive/reader.h"
#include "core/fault.h"
#include "core/mem.h"
#include "recovery/coordinates.h"
#include "recovery/point_claim.h"
#include "restore/restore.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct creating {
    const struct run *run;
    const struct db_params *db;
    const struct point_stores *stores;
    const struct point_request *request;
    struct point_created *out;
    struct point *point;
    struct source *source; /* the archive */
};

static enum err_code record(struct creating *c, const char *fault, struct err *err)
{
    (void)fault; /* in a release build */
    enum err_code code = point_put(c->stores->points, c->point, false, err);
    return code == ERR_OK ? fault_point(fault, ERR_STORAGE, err) : code;
}

/* ---- the server ---- */

/* The record has whole seconds. */
static int64_t now_ms(const struct creating *c)
{
    return clock_wall_ms(c->run->clock) / 1000 * 1000;
}

static bool is_fresh(const struct creating *c, int64_t at_ms)
{
    return clock_wall_ms(c->run->clock) - at_ms < POINT_FRESH_MS && fault_errno("point_stale") == 0;
}

static enum err_code take_coordinates(struct creating *c, struct coordinates *out, struct err *err)
{
    struct db_conn *conn;
    enum err_code code = db_connect(c->db, c->run->cancel, &conn, err);
    if (code != ERR_OK)
        return code;
    code = coordinates_take(c->run, conn, c->point->arena, out, err);
    c->point->target = arena_strdup(c->point->arena, db_target(conn));
    db_close(conn);
    return code;
}

/* What is taken from now on is the point: its protection begins here, whenever a first run was. */
static enum err_code coordinates_before(struct creating *c, struct err *err)
{
    c->point->created_ms = now_ms(c);
    c->point->after = (struct coordinates){.at_ms = 0};
    if (c->point->snapshot.id && c->point->before.at_ms) /* before the snapshot, too */
        return ERR_OK;
    enum err_code code = take_coordinates(c, &c->point->before, err);
    return code == ERR_OK ? record(c, "point_before", err) : code;
}

/* ---- the archive ---- */

/* Opens the recorded archive and demands that it is that very one. */
static enum err_code open_archive(struct creating *c, struct err *err)
{
    const struct point_archive *a = &c->point->archive;
    char identity[SHA256_HEX_BYTES];
    enum err_code code = store_open(c->stores->archives, a->name, &c->source, err);
    if (code == ERR_OK)
        code = archive_read_manifest(c->source, &c->out->manifest, err);
    if (code == ERR_OK)
        code = archive_identity(c->source, identity, err);
    if (code == ERR_OK && a->done && strcmp(identity, a->manifest_sha256) != 0)
        code = err_set(err, ERR_DAMAGED, "%s is not the archive that the point '%s' was made with", a->name,
                       c->point->name);
    return code;
}

static void note_archive(struct creating *c, const char *identity)
{
    struct point_archive *a = &c->point->archive;
    const struct manifest *m = c->out->manifest;
    struct arena *arena = c->point->arena;
    const struct manifest_worker *w = m->consistency.worker_count ? &m->consistency.workers[0] : NULL;
    a->done = true;
    a->run_id = arena_strdup(arena, m->run_id);
    a->manifest_sha256 = arena_strdup(arena, identity);
    a->method = arena_strdup(arena, m->consistency.method);
    a->bytes = c->source->size;
    a->plain_bytes = m->plain_bytes;
    a->tables = m->table_count;
    a->rows = m->rows;
    a->at =
        (struct coordinates){.at_ms = m->snapshot_ms,
                             .file = arena_strdup(arena, w ? w->binlog_file : ""),
                             .position = w ? w->binlog_position : 0,
                             .gtid = m->consistency.gtid ? arena_strdup(arena, m->consistency.gtid) : NULL};
    a->verified_ms = 0;
    c->point->server_version = arena_strdup(arena, m->server.version);
}

static void close_archive(struct creating *c)
{
    source_free(c->source);
    c->source = NULL;
    manifest_free(c->out->manifest);
    c->out->manifest = NULL;
}

/* The archive that a dead run finished, if it is young enough; else it stays in the store as an ordinary one.
 * *usable: it is open. */
static enum err_code look_for_archive(struct creating *c, bool *usable, struct err *err)
{
    struct point_archive *a = &c->point->archive;
    char identity[SHA256_HEX_BYTES];
    *usable = false;
    if (!a->name)
        return ERR_OK;
    if (a->unusable) {
        log_info(c->run->log, "the archive %s of an earlier run was found to be unusable: another is taken",
                 a->name);
        return ERR_OK;
    }
    enum err_code code = open_archive(c, err);
    if (code == ERR_NOT_FOUND)
        return ERR_OK;
    if (code == ERR_OK && is_fresh(c, c->out->manifest->snapshot_ms)) {
        log_info(c->run->log, "going on with the archive %s, which an earlier run finished", a->name);
        *usable = true;
        if (a->done)
            return ERR_OK;
        code = archive_identity(c->source, identity, err);
        if (code == ERR_OK)
            note_archive(c, identity);
        return code;
    }
    if (code != ERR_OK && code != ERR_DAMAGED)
        return code;
    log_info(c->run->log, "the archive %s of an earlier run is %s: another is taken", a->name,
             code == ERR_OK ? "too old" : "damaged");
    close_archive(c);
    return ERR_OK;
}

static enum err_code open_sink(void *arg, uint64_t most_bytes, struct sink **out, struct err *err)
{
    const struct creating *c = arg;
    unsigned removed = 0;
    enum err_code code = store_sweep(c->stores->archives, c->stores->stale_after_ms, false, &removed, err);
    if (code == ERR_OK && removed > 0)
        log_info(c->run->log, "removed %u leftovers of runs that died", removed);
    return code == ERR_OK ? store_create(c->stores->archives, c->point->archive.name, most_bytes, out, err)
                          : code;
}

/* The record names the archive before it can exist. */
static enum err_code take_archive(struct creating *c, struct err *err)
{
    char name[ARCHIVE_NAME_BYTES], identity[SHA256_HEX_BYTES];
    struct dump_result dumped;
    archive_name_format(clock_wall_ms(c->run->clock), c->request->dump.label, c->run->run_id, name);
    c->point->archive = (struct point_archive){.name = arena_strdup(c->point->arena, name)};
    c->point->drill = (struct point_drill){.passed_ms = 0};
    c->point->estimate = (struct point_estimate){.known = false};
    enum err_code code = record(c, "point_archive_named", err);
    if (code == ERR_OK)
        code = dump_run(c->run, c->db, &c->request->dump, open_sink, c, &dumped, err);
    if (code != ERR_OK)
        return code;
    for (unsigned i = 0; i < dumped.manifest->warning_count; i++)
        log_warn(c->run->log, "%s: %s", dumped.manifest->warnings[i].object,
                 dumped.manifest->warnings[i].text);
    manifest_free(dumped.manifest);
    code = fault_point("point_dumped", ERR_STORAGE, err);
    if (code == ERR_OK)
        code = open_archive(c, err); /* what is used from now on is what was stored */
    if (code == ERR_OK)
        code = archive_identity(c->source, identity, err);
    if (code == ERR_OK)
        note_archive(c, identity);
    return code;
}

static enum err_code archive(struct creating *c, bool usable, struct err *err)
{
    enum err_code code = ERR_OK;
    steps_next(&c->out->steps, "archiving the tables");
    if (!usable)
        code = take_archive(c, err);
    /* With a snapshot they are taken again when that is done. */
    if (code == ERR_OK && !c->point->after.at_ms)
        code = take_coordinates(c, &c->point->after, err);
    return code == ERR_OK ? record(c, "point_archived", err) : code;
}

/* ---- what is proved of it ---- */

/* Damage, or rows that came back differently, found by whatever looked at the archive: what was proved of it
 * before is proved no more, and the same command shall not go on with it. */
static enum err_code judge(struct creating *c, enum err_code code)
{
    struct point *p = c->point;
    struct err err;
    if ((code != ERR_DAMAGED && code != ERR_DIFFERS) || !p->archive.done)
        return code;
    p->archive.unusable = true;
    p->archive.verified_ms = 0;
    p->drill = (struct point_drill){.passed_ms = 0};
    if (point_put(c->stores->points, p, false, &err) != ERR_OK)
        log_warn(c->run->log, "%s", err.text);
    return code;
}

static enum err_code verify_bytes(struct creating *c, struct err *err)
{
    const struct verify_options options = {.threads = c->request->dump.threads};
    struct verify_result result = {0};
    struct manifest *m = NULL;
    if (c->point->archive.verified_ms)
        return ERR_OK;
    steps_next(&c->out->steps, "verifying every byte");
    enum err_code code = verify_archive(c->run, c->source, &options, &result, &m, err);
    for (unsigned i = 0; i < result.problem_count; i++)
        log_error(c->run->log, "%s: %s", result.problems[i].where, result.problems[i].what);
    verify_result_free(&result);
    manifest_free(m);
    if (code != ERR_OK)
        return judge(c, code);
    c->point->archive.verified_ms = clock_wall_ms(c->run->clock);
    return record(c, "point_verified", err);
}

static enum err_code drill(struct creating *c, struct err *err)
{
    struct point *p = c->point;
    struct drill_result *result = &c->out->drill;
    struct err unwritten;
    if (p->drill.passed_ms)
        return ERR_OK;
    if (!c->request->drill) {
        p->drill.skipped = arena_strdup(p->arena, c->request->drill_skipped);
        return ERR_OK;
    }
    struct drill_options options = *c->request->drill;
    options.archive_name = p->archive.name;
    steps_next(&c->out->steps, "restore drill");
    enum err_code code = drill_run(c->run, c->source, c->out->manifest, &options, result, err);
    steps_resume(&c->out->steps);
    judge(c, code);
    if (result->begun && drill_is_verdict(code) &&
        drill_attest(c->run, c->stores->archives, p->archive.name, c->source, c->out->manifest, result,
                     code == ERR_OK ? NULL : err, &unwritten) != ERR_OK)
        log_warn(c->run->log, "the drill is not attested: %s", unwritten.text);
    if (code != ERR_OK)
        return drill_is_verdict(code) ? code : err_hint(err, "; --no-drill makes the point without one");
    p->drill = (struct point_drill){.passed_ms = clock_wall_ms(c->run->clock),
                                    .took_ms = steps_total_ms(&result->steps),
                                    .server_version = arena_strdup(p->arena, result->server_version)};
    return record(c, "point_drilled", err);
}

/* What a rollback would be refused for, if it were tried now by this account.  A point is made to be gone
 * back to; but another account may be meant for that, so it is told, not refused. */
static enum err_code look_ahead(struct creating *c, struct err *err)
{
    const struct restore_options options = {.if_exists = IF_EXISTS_SWAP,
                                            .verify = true,
                                            .threads = c->request->dump.threads,
                                            .archive_name = c->point->archive.name};
    struct findings found = {.count = 0};
    struct point *p = c->point;
    steps_next(&c->out->steps, "looking at the way back");
    enum err_code code = restore_preflight(c->run, c->db, c->source, &options, &found, err);
    if (code == ERR_DB ||
        code == ERR_DB_DENIED) { /* what kept it from looking would keep a rollback from beginning */
        findings_add(&found, FINDING_REFUSAL, "rollback", NULL, "%s", err->text);
        code = ERR_OK;
    }
    const char **texts = arena_calloc(p->arena, found.count + 1, sizeof *texts);
    p->obstacle_count = 0;
    for (unsigned i = 0; code == ERR_OK && i < found.count; i++) {
        const struct finding *f = &found.items[i];
        if (f->level != FINDING_REFUSAL)
            continue;
        const char *text =
            arena_printf(p->arena, "%s%s%s", f->text, f->remedy ? ": " : "", f->remedy ? f->remedy : "");
        log_warn(c->run->log, "a rollback by this account would be refused now: %s", text);
        texts[p->obstacle_count++] = text;
    }
    p->obstacles = texts;
    findings_free(&found);
    return code;
}

/* An estimate of an earlier run holds for its archive; it is judged anew, by this run's limits. */
static enum err_code estimate(struct creating *c, struct err *err)
{
    const struct estimate_options options = {.threads = c->request->dump.threads};
    struct point_estimate *kept = &c->point->estimate;
    struct estimate *e = &c->out->estimate;
    enum err_code code = ERR_OK;
    *e = (struct estimate){.known = kept->known, .likely_ms = kept->likely_ms, .most_ms = kept->most_ms};
    if (!kept->known) {
        steps_next(&c->out->steps, "timing a restore");
        code = estimate_run(c->run, c->db, c->source, c->out->manifest, &options, e, err);
    }
    if (code != ERR_OK)
        return code;
    *kept = (struct point_estimate){.known = e->known,
                                    .likely_ms = e->likely_ms,
                                    .most_ms = e->most_ms,
                                    .unknown_why = e->known ? NULL : arena_strdup(c->point->arena, e->why),
                                    .rto_ms = c->request->rto_ms};
    code = record(c, "point_estimated", err);
    return code == ERR_OK ? estimate_judge(c->run, e, c->request->rto_ms, c->request->rto_required, err)
                          : code;
}

/* ---- the snapshot ---- */

/* One that an earlier run began is gone on with while it is young, and while it is still being made, which
 * may take longer than it stays young.  Else it is forgotten, and another is made; it stays at AWS, where
 * nothing is removed without being asked for. */
static enum err_code look_for_snapshot(struct creating *c, struct err *err)
{
    struct recovery_snapshots *s = c->request->snapshots;
    struct point_snapshot *p = &c->point->snapshot;
    struct snapshot_state state;
    if (!p->id)
        return ERR_OK;
    enum err_code code = s->ops->describe(s, p->id, p->cluster, &state, err);
    bool there = code == ERR_OK, fresh = is_fresh(c, p->requested_ms);
    if (!there && code != ERR_NOT_FOUND)
        return code;
    bool failed = there && state.status == SNAPSHOT_FAILED;
    if (there ? state.status == SNAPSHOT_PENDING || (fresh && !failed) : fresh && !p->available_ms)
        return ERR_OK;
    log_warn(c->run->log, "the snapshot %s, which an earlier run began for this point, %s: another is made%s",
             p->id,
             failed  ? "failed"
             : there ? "is too old"
                     : "is gone",
             there ? ", and that one stays until you delete it" : "");
    p->id = p->arn = NULL;
    p->available_ms = p->created_ms = 0;
    return ERR_OK;
}

static enum err_code begin_snapshot(struct creating *c, struct err *err)
{
    struct recovery_snapshots *s = c->request->snapshots;
    struct point_snapshot *p = &c->point->snapshot;
    char id[SNAPSHOT_ID_BYTES];
    if (!p->instance)
        return ERR_OK;
    if (p->id)
        return s->ops->create(s, p->instance, p->cluster, p->id, c->point->name, err);
    steps_next(&c->out->steps, "beginning the snapshot");
    /* Identifiers have seconds: another one than that of a snapshot that failed at once. */
    int64_t at_ms = now_ms(c) > p->requested_ms ? now_ms(c) : p->requested_ms + 1000;
    enum err_code code = s->ops->check(s, p->instance, c->point->target, &p->cluster, err);
    if (code == ERR_OK)
        code = s->ops->make_id(s, c->point->name, at_ms, id, err);
    if (code != ERR_OK)
        return code;
    p->id = arena_strdup(c->point->arena, id);
    p->requested_ms = now_ms(c);
    code = record(c, "point_snapshot_named", err);
    if (code == ERR_OK)
        code = s->ops->create(s, p->instance, p->cluster, p->id, c->point->name, err);
    return code == ERR_OK ? fault_point("point_snapshot_begun", ERR_AWS, err) : code;
}

static enum err_code finish_snapshot(struct creating *c, struct err *err)
{
    struct point_snapshot *p = &c->point->snapshot;
    struct snapshot_state state;
    if (!p->instance || p->available_ms)
        return ERR_OK;
    steps_next(&c->out->steps, "waiting for the snapshot");
    struct recovery_snapshots *s = c->request->snapshots;
    enum err_code code = s->ops->wait(s, p->id, p->cluster, &state, err);
    if (code != ERR_OK)
        return code;
    p->arn = *state.arn ? arena_strdup(c->point->arena, state.arn) : NULL;
    p->created_ms = state.created_ms;
    p->gib = state.gib;
    p->available_ms = clock_wall_ms(c->run->clock);
    code = take_coordinates(c, &c->point->after, err);
    return code == ERR_OK ? record(c, "point_snapshot_available", err) : code;
}

/* ---- all of it ---- */

static enum err_code complete(struct creating *c, struct err *err)
{
    struct point *p = c->point;
    p->completed_ms = now_ms(c);
    p->expires_ms = p->keep ? 0 : p->completed_ms + c->request->expires_after_ms;
    p->state = POINT_COMPLETE;
    p->owner = NULL;
    return record(c, "point_completed", err);
}

/* A point that is there already is as good as its archive; --keep may be added later. */
static enum err_code confirm_existing(struct creating *c, struct err *err)
{
    struct point *p = c->point;
    enum err_code code = open_archive(c, err);
    if (code != ERR_OK)
        return err_wrap(err, "the point '%s' exists, but its archive", p->name);
    if (c->request->keep && !p->keep) {
        p->keep = true;
        p->expires_ms = 0;
        code = point_put(c->stores->points, p, false, err);
    }
    return code;
}

static enum err_code make(struct creating *c, struct err *err)
{
    bool usable = false;
    enum err_code code = fault_point("point_claimed", ERR_STORAGE, err);
    if (code == ERR_OK)
        code = look_for_archive(c, &usable, err);
    if (code == ERR_OK)
        code = look_for_snapshot(c, err);
    if (code == ERR_OK && !usable)
        code = coordinates_before(c, err);
    if (code == ERR_OK)
        code = begin_snapshot(c, err);
    if (code == ERR_OK)
        code = archive(c, usable, err);
    if (code == ERR_OK)
        code = verify_bytes(c, err);
    if (code == ERR_OK)
        code = drill(c, err);
    if (code == ERR_OK)
        code = look_ahead(c, err);
    if (code == ERR_OK)
        code = estimate(c, err);
    if (code == ERR_DAMAGED) /* a sample that came back differently may be the server's doing */
        judge(c, code);
    if (code == ERR_OK)
        code = finish_snapshot(c, err);
    if (code == ERR_OK) /* a signal during the last step is no complete point */
        code = cancel_check(c->run->cancel, err);
    return code == ERR_OK ? complete(c, err) : code;
}

/* A point of which there is nothing but its record is forgotten; else the reader is told how to go on. */
static void after_failure(struct creating *c, struct err *err)
{
    const struct point *p = c->point;
    struct source *found = NULL;
    if (!p->snapshot.id && p->archive.name &&
        store_open(c->stores->archives, p->archive.name, &found, NULL) == ERR_NOT_FOUND)
        point_forget(c->stores->points, p->name, NULL);
    else if (!p->snapshot.id && !p->archive.name)
        point_forget(c->stores->points, p->name, NULL);
    else if (p->archive.unusable)
        err_hint(err, "; the same command takes another archive, 'point delete %s' clears this one away",
                 p->name);
    else
        err_hint(err, "; the same command goes on from here, 'point delete %s' clears it away", p->name);
    source_free(found);
}

static enum err_code read_server(const struct run *run, const struct db_params *db, struct arena *arena,
                                 struct server_mark *out, struct err *err)
{
    struct db_conn *c;
    enum err_code code = db_connect(db, run->cancel, &c, err);
    if (code != ERR_OK)
        return code;
    code = server_read(c, arena, out, err);
    db_close(c);
    return code;
}

/* Which server it is, and whether the names mean tables there, before anything is recorded or begun. */
static enum err_code plan(const struct run *run, const struct db_params *db,
                          const struct point_request *request, struct arena *arena, struct server_mark *here,
                          struct manifest **out, struct err *err)
{
    struct dump_options options = request->dump;
    struct dump_result planned = {.manifest = NULL};
    options.dry_run = true;
    enum err_code code = read_server(run, db, arena, here, err);
    if (code == ERR_OK)
        code = dump_run(run, db, &options, NULL, NULL, &planned, err);
    *out = planned.manifest;
    return code;
}

static enum err_code check_request(const struct point_request *r, struct err *err)
{
    if (r->instance && !r->snapshots)
        return err_set(err, ERR_USAGE, "RDS snapshots are not in this version: leave --instance away");
    return point_check_name(r->name, err);
}

enum err_code point_create(const struct run *run, const struct db_params *db,
                           const struct point_stores *stores, const struct point_request *request,
                           struct point_created *out, struct err *err)
{
    struct creating c = {.run = run, .db = db, .stores = stores, .request = request, .out = out};
    struct arena *arena = arena_new();
    struct server_mark here = {NULL, NULL};
    struct manifest *planned = NULL;
    struct err own;
    err = err ? err : &own;
    *out = (struct point_created){.point = NULL};
    steps_begin(&out->steps, run);
    steps_next(&out->steps, "preparing");
    enum err_code code = check_request(request, err);
    if (code == ERR_OK)
        code = plan(run, db, request, arena, &here, &planned, err);
    manifest_free(planned);
    if (code == ERR_OK)
        code = point_claim(run, stores, request, &here, &c.point, &out->existed, &out->resumed, err);
    if (code == ERR_OK && out->existed)
        code = confirm_existing(&c, err);
    else if (code == ERR_OK)
        code = make(&c, err);
    if (code != ERR_OK && c.point && !out->existed)
        after_failure(&c, err);
    steps_end(&out->steps);
    source_free(c.source);
    arena_free(arena);
    out->point = c.point;
    return code;
}

void point_created_free(struct point_created *c)
{
    point_free(c->point);
    manifest_free(c->manifest);
    drill_result_free(&c->drill);
}

enum err_code point_plan(const struct run *run, const struct db_params *db, const struct point_stores *stores,
                         const struct point_request *request, struct manifest **out, struct err *err)
{
    struct arena *arena = arena_new();
    struct server_mark here = {NULL, NULL};
    struct point *there = NULL;
    bool cluster;
    *out = NULL;
    enum err_code code = check_request(request, err);
    if (code == ERR_OK)
        code = plan(run, db, request, arena, &here, out, err);
    if (code == ERR_OK && stores->points) {
        code = point_get(stores->points, request->name, &there, err);
        code = code == ERR_OK          ? point_claim_check(run, there, request, &here, err)
               : code == ERR_NOT_FOUND ? ERR_OK
                                       : code;
    }
    if (code == ERR_OK && request->instance)
        code =
            request->snapshots->ops->check(request->snapshots, request->instance, here.target, &cluster, err);
    arena_free(arena);
    point_free(there);
    return code;
}
