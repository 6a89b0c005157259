/* The way back by a new instance of the point's snapshot; see rollback.h. */
#include "core/fault.h"
#include "core/mem.h"
#include "core/process.h"
#include "rds/instance.h"
#include "rds/snapshot.h"
#include "recovery/rollback_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REACH_TRIES   30
#define REACH_WAIT_MS 1000

static enum rds_kind kind_of(const struct rollback_journal *j)
{
    return j->cluster ? RDS_CLUSTER : RDS_INSTANCE;
}

enum err_code by_instance_record(struct by_instance *b, const char *fault, struct err *err)
{
    (void)fault; /* in a release build */
    enum err_code code = rollback_journal_put(b->r->stores->points, b->r->out->point->name, b->journal, err);
    return code == ERR_OK ? fault_point(fault, ERR_STORAGE, err) : code;
}

/* ---- what is there ---- */

/* A run that died left its journal; one that lives works on the same instances.  take_over: a person knows
 * that one nobody here can tell of is dead. */
static enum err_code check_owner(const struct by_instance *b, const struct rollback_journal *j,
                                 bool take_over, struct err *err)
{
    return process_check_over(*j->owner ? j->owner : NULL, take_over, "rolling back to",
                              b->r->out->point->name, "--resume goes on with what it did", err);
}

static enum err_code read_journal(struct by_instance *b, bool *there, struct err *err)
{
    enum err_code code = rollback_journal_get(b->r->stores->points, b->r->out->point->name, b->journal, err);
    *there = code == ERR_OK;
    if (code == ERR_NOT_FOUND)
        return ERR_OK;
    memcpy(b->seen, b->journal->owner, sizeof b->seen);
    return code == ERR_OK ? check_owner(b, b->journal, b->r->request->take_over, err) : code;
}

/* Makes the journal this run's, under the lock of the store of points: of two that begin, one goes on. */
static enum err_code claim(struct by_instance *b, const char *fault, struct err *err)
{
    struct rollback_journal now;
    struct store *locked;
    enum err_code code = point_lock(b->r->run, b->r->stores, &locked, err);
    if (code != ERR_OK)
        return code;
    code = rollback_journal_get(b->r->stores->points, b->r->out->point->name, &now, err);
    if (code == ERR_OK)
        code = check_owner(b, &now, strcmp(now.owner, b->seen) == 0, err);
    if (code == ERR_OK || code == ERR_NOT_FOUND) {
        process_put_self(b->journal->owner);
        code = by_instance_record(b, fault, err);
    }
    store_free(locked);
    return code;
}

static struct rds_cutover cutover_of(const struct rollback_journal *j)
{
    struct rds_cutover c = {.kind = kind_of(j)};
    memcpy(c.name, j->name, sizeof c.name);
    memcpy(c.old_name, j->old_name, sizeof c.old_name);
    memcpy(c.old_resource_id, j->resource, sizeof c.old_resource_id);
    memcpy(c.new_resource_id, j->to_resource, sizeof c.new_resource_id);
    memcpy(c.new_name, j->to, sizeof c.new_name);
    return c;
}

/* The live one is what bears the name that the snapshot's source had.  Not what was named to the point: a
 * member keeps its name when its cluster is renamed, and is then one of the old cluster's. */
static enum err_code find_live(struct by_instance *b, bool journalled, struct err *err)
{
    const struct point *p = b->r->out->point;
    enum rds_kind kind = p->snapshot.cluster ? RDS_CLUSTER : RDS_INSTANCE;
    enum err_code code =
        rds_describe(b->rds, kind, journalled ? b->journal->name : b->snapshot.source, &b->live, err);
    if (code == ERR_NOT_FOUND)
        return err_hint(err,
                        "; without it nobody knows which settings the new one is to have: 'dbsafe snapshot"
                        " restore %s --to NAME --instance LIKE' makes it like another, 'dbsafe restore %s'"
                        " loads the archive into it",
                        p->snapshot.id, p->archive.name);
    if (code == ERR_OK && *b->live.cluster_id)
        return err_set(err, ERR_REFUSED,
                       "%s is a member of the cluster %s now, the snapshot %s is of an"
                       " instance",
                       b->live.id, b->live.cluster_id, p->snapshot.id);
    if (code == ERR_OK && b->r->request->then == ROLLBACK_RENAME &&
        rds_phase_of(b->live.kind, b->live.status) == RDS_FAILED)
        return err_set(err, ERR_REFUSED,
                       "%s is '%s', and names are exchanged only while both are available; without --cutover"
                       " the new one is made beside it",
                       b->live.id, b->live.status);
    return code;
}

static enum err_code check_snapshot(struct by_instance *b, struct err *err)
{
    const struct point *p = b->r->out->point;
    if (!p->snapshot.id)
        return err_set(err, ERR_REFUSED,
                       "the point '%s' is of the archive alone: there is no snapshot to make an instance of;"
                       " --via tables puts its tables back",
                       p->name);
    enum err_code code = rds_snapshot_describe(
        b->rds, p->snapshot.cluster ? RDS_CLUSTER_SNAPSHOT : RDS_SNAPSHOT, p->snapshot.id, &b->snapshot, err);
    return code == ERR_OK ? ERR_OK : err_wrap(err, "the snapshot of the point '%s'", p->name);
}

/* One that had the live one's name holds what was written then: it is no more what the snapshot was. */
static enum err_code check_unused(struct by_instance *b, struct err *err)
{
    struct rds_database found;
    const struct rollback_journal *j = b->journal;
    if (!*j->served)
        return ERR_OK;
    enum err_code code = rds_describe(b->rds, kind_of(j), j->to, &found, err);
    if (code == ERR_OK && strstr(j->served, found.resource_id))
        return err_set(err, ERR_REFUSED,
                       "%s had the name %s after an earlier cut-over, and holds what was written then: give"
                       " the new one another name with --to",
                       j->to, j->name);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

/* Names for what will be made; a run that died before any cut-over is gone on with. */
static enum err_code plan(struct by_instance *b, bool journalled, struct err *err)
{
    const struct rollback_request *q = b->r->request;
    struct rollback_journal *j = b->journal;
    char to[RDS_ID_BYTES];
    char *name = q->to ? xstrdup(q->to) : xasprintf("%s-%s", b->live.id, b->r->out->point->name);
    enum err_code code = rds_ident_make(name, RDS_INSTANCE_ID_MAX, clock_wall_ms(b->r->run->clock), to, err);
    free(name);
    if (code != ERR_OK)
        return code;
    bool same = journalled && strcmp(j->resource, b->live.resource_id) == 0 &&
                (!q->to || strcmp(j->to, to) == 0) && strcmp(j->snapshot, b->snapshot.id) == 0;
    if (!same) { /* all but what outlives one rollback: who served, and a copy that is to be removed */
        memcpy(j->snapshot, b->snapshot.id, sizeof j->snapshot);
        memcpy(j->name, b->live.id, sizeof j->name);
        memcpy(j->resource, b->live.resource_id, sizeof j->resource);
        memcpy(j->to, to, sizeof j->to);
        j->cluster = b->live.kind == RDS_CLUSTER;
        j->to_resource[0] = j->old_name[0] = '\0';
        j->loaded = j->finished = false;
    }
    return check_unused(b, err);
}

/* What the live tables lose is worth knowing, but a live server that cannot be asked is a reason to go this
 * way, not to give it up. */
static enum err_code compare(struct by_instance *b, struct err *err)
{
    struct rollback_result *out = b->r->out;
    enum err_code code = rollback_compare(b->r, err);
    if ((code == ERR_DB || code == ERR_DB_LOST || code == ERR_CONFIG) &&
        b->r->request->then != ROLLBACK_COPY) {
        log_warn(b->r->run->log, "what will be lost is not known: %s", err->text);
        b->blind = true;
        code = ERR_OK;
    }
    out->needed = true;
    return code;
}

/* ---- the new one ---- */

static void aim(struct by_instance *b, const struct rds_database *d)
{
    b->there = *b->r->db;
    b->there.host = d->address;
    b->there.port = d->port;
    b->there.socket = NULL;
}

static enum err_code make(struct by_instance *b, struct err *err)
{
    struct rds_restored *made = &b->r->out->instance.restored;
    const struct rds_restore request = {
        .snapshot = &b->snapshot, .like = &b->live, .to = b->journal->to, .point = b->r->out->point->name};
    steps_next(&b->r->out->steps, "restoring the snapshot");
    enum err_code code = rds_restore_run(b->rds, &request, made, err);
    if (code != ERR_OK)
        return code;
    aim(b, &made->database);
    if (strcmp(b->journal->to_resource, made->database.resource_id) != 0) { /* another than a dead run's */
        memcpy(b->journal->to_resource, made->database.resource_id, sizeof b->journal->to_resource);
        b->journal->loaded = false;
        code = rollback_copy_forget(b, err);
    }
    return code == ERR_OK ? by_instance_record(b, "rollback_instance_made", err) : code;
}

static enum err_code compare_new(struct by_instance *b, struct err *err)
{
    const struct verify_options options = {.threads = b->r->request->threads};
    struct rollback_instance *i = &b->r->out->instance;
    steps_next(&b->r->out->steps, "comparing the new instance with the archive");
    enum err_code code = verify_live(b->r->run, &b->there, b->r->out->manifest, &options, &i->between, err);
    i->tables_between = rollback_count_tables(&i->between);
    return code == ERR_DIFFERS ? ERR_OK : code;
}

/* For the point's tables the archive wins. */
static enum err_code load(struct by_instance *b, struct err *err)
{
    struct rollback *r = b->r;
    const char *archive = r->out->point->archive.name;
    bool pending = false;
    enum err_code code = compare_new(b, err);
    if (code == ERR_OK)
        code = rollback_look_for_pending(r->run, &b->there, archive, &pending, err);
    if (code == ERR_OK && (r->out->instance.tables_between > 0 || pending)) {
        const struct restore_options options = rollback_restore_options(r->request, archive, pending);
        for (unsigned k = 0; k < r->out->instance.between.problem_count; k++)
            log_info(r->run->log, "changed between snapshot and archive: %s: %s",
                     r->out->instance.between.problems[k].where, r->out->instance.between.problems[k].what);
        steps_next(&r->out->steps, "loading the archive into it");
        code = restore_run(r->run, &b->there, r->source, &options, &r->out->restore, err);
    }
    if (code != ERR_OK)
        return err_hint(err, "; the live one was not touched, the same rollback again goes on with %s",
                        b->journal->to);
    b->journal->loaded = true;
    return by_instance_record(b, "rollback_instance_loaded", err);
}

static enum err_code finish(struct by_instance *b, struct err *err)
{
    b->journal->owner[0] = '\0';
    b->journal->finished = true;
    enum err_code code = by_instance_record(b, "rollback_instance_finished", err);
    b->r->out->done = code == ERR_OK;
    if (code != ERR_OK && b->r->out->instance.cut_over)
        err_hint(err, "; %s is the new one already, what it was is called %s", b->journal->name,
                 b->journal->old_name);
    return code;
}

/* ---- its name ---- */

/* Clients find it by a name that DNS has to learn: it is told when that takes long. */
static void reach(struct by_instance *b, const struct rds_database *d)
{
    struct db_conn *c = NULL;
    struct err why = {.text = ""};
    steps_next(&b->r->out->steps, "reaching it by its name");
    aim(b, d);
    for (unsigned i = 0; i < REACH_TRIES; i++) {
        enum err_code code = db_connect(&b->there, b->r->run->cancel, &c, &why);
        db_close(c);
        if (code == ERR_OK || clock_backoff(REACH_WAIT_MS, b->r->run->cancel, NULL) != ERR_OK)
            return;
        c = NULL;
    }
    log_warn(b->r->run->log, "%s is not reached by its name yet, which DNS may take minutes for: %s", d->id,
             why.text);
}

/* The replacement has, or had, the live one's name. */
static void note_served(struct rollback_journal *j)
{
    size_t used = strlen(j->served);
    if (!strstr(j->served, j->to_resource) && used + strlen(j->to_resource) + 2 <= sizeof j->served)
        snprintf(j->served + used, sizeof j->served - used, "%s%s", used ? " " : "", j->to_resource);
}

/* From a journalled plan to the end. */
static enum err_code run_cutover(struct by_instance *b, struct err *err)
{
    const struct rds_cutover c = cutover_of(b->journal);
    struct rds_database now;
    steps_next(&b->r->out->steps, "exchanging the names");
    enum err_code code = rds_cutover_run(b->rds, &c, &now, err);
    if (*now.id) {
        b->r->out->instance.restored.database = now;
        b->r->out->instance.cut_over = true;
        note_served(b->journal);
    }
    if (code == ERR_OK)
        code = fault_point("rollback_cutover_done", ERR_AWS, err);
    if (code == ERR_OK)
        reach(b, &now);
    return code;
}

/* Both as they are now, hours after the first look at the live one, once they are available. */
static enum err_code await(struct by_instance *b, const char *resource, const char *name,
                           struct rds_database *out, struct err *err)
{
    enum err_code code = rds_describe_resource(b->rds, kind_of(b->journal), resource, out, err);
    if (code == ERR_OK && strcmp(out->id, name) != 0)
        return err_set(err, ERR_REFUSED, "%s is called %s now", name, out->id);
    return code == ERR_OK ? rds_wait_renamed(b->rds, kind_of(b->journal), resource, name, out, err) : code;
}

static enum err_code cut_over(struct by_instance *b, struct err *err)
{
    struct rollback_journal *j = b->journal;
    struct rds_database now;
    struct rds_cutover c;
    enum err_code code = await(b, j->to_resource, j->to, &now, err);
    if (code == ERR_OK)
        code = await(b, j->resource, j->name, &b->live, err);
    if (code == ERR_OK)
        code = rds_cutover_plan(b->rds, &b->live, &now, &c, err);
    if (code != ERR_OK)
        return code;
    memcpy(j->old_name, c.old_name, sizeof j->old_name);
    code = by_instance_record(b, "rollback_cutover_planned", err);
    return code == ERR_OK ? run_cutover(b, err) : code;
}

static enum err_code cut_back(struct by_instance *b, bool journalled, struct err *err)
{
    struct rollback_journal *j = b->journal;
    struct rollback_result *out = b->r->out;
    enum rds_cutover_state state;
    if (!journalled || !*j->old_name)
        return err_set(err, ERR_REFUSED, "no cut-over of a rollback to '%s' is recorded", out->point->name);
    const struct rds_cutover c = cutover_of(j);
    out->needed = true;
    if (b->r->request->dry_run)
        return ERR_OK;
    enum err_code code = rollback_ask(b->r, err);
    if (code == ERR_OK)
        code = rds_cutover_look(b->rds, &c, &state, err);
    if (code == ERR_OK && state == RDS_CUTOVER_DONE)
        note_served(j);
    if (code == ERR_OK)
        code = claim(b, "rollback_cut_back_begun", err);
    steps_next(&out->steps, "exchanging the names back");
    if (code == ERR_OK)
        code = rds_cutover_undo(b->rds, &c, &out->instance.restored.database, err);
    if (code != ERR_OK)
        return code;
    j->old_name[0] = '\0';
    return finish(b, err);
}

/* ---- all of it ---- */

/* A cut-over that a dead run began: it was confirmed then, and until it is over nobody may have the name.
 * *over: there is nothing else to do. */
static enum err_code finish_cutover(struct by_instance *b, bool *over, struct err *err)
{
    const struct rds_cutover c = cutover_of(b->journal);
    struct rollback_result *out = b->r->out;
    enum rds_cutover_state state;
    enum err_code code = rds_cutover_look(b->rds, &c, &state, err);
    *over = false;
    if (code != ERR_OK || (state == RDS_CUTOVER_BEFORE && b->r->request->then == ROLLBACK_RENAME))
        return code;                    /* it was given back, or not begun: all is asked again */
    if (state == RDS_CUTOVER_FOREIGN) { /* what was exchanged then is past: all is asked again */
        log_info(b->r->run->log, "%s is another one than an earlier rollback to this point knew", c.name);
        b->journal->resource[0] = '\0';
        return ERR_OK;
    }
    if (state == RDS_CUTOVER_DONE && b->journal->finished) {
        *over = b->r->request->then == ROLLBACK_RENAME;
        if (!*over) {
            log_warn(
                b->r->run->log,
                "names were exchanged by an earlier rollback to this point, and what %s was is called %s:"
                " once this one begins, --cutover back cannot exchange them back any more",
                c.name, c.old_name);
            return ERR_OK;
        }
        log_info(b->r->run->log, "%s is the new instance since an earlier run; what it was is called %s",
                 c.name, c.old_name);
        out->instance.cut_over = out->done = true;
        return rds_describe(b->rds, c.kind, c.name, &out->instance.restored.database, err);
    }
    if (b->r->request->then != ROLLBACK_RENAME)
        return err_set(err, ERR_REFUSED,
                       "a cut-over of %s was begun and is not finished: --cutover rename finishes it,"
                       " --cutover back takes it back",
                       c.name);
    if (b->r->request->dry_run)
        return err_set(err, ERR_REFUSED,
                       "a cut-over of %s was begun and is not finished; without --dry-run"
                       " this finishes it",
                       c.name);
    log_warn(b->r->run->log, "going on with the exchange of names that an earlier run began");
    out->needed = *over = true;
    code = claim(b, "rollback_cutover_resumed", err);
    if (code == ERR_OK)
        code = run_cutover(b, err);
    return code == ERR_OK ? finish(b, err) : code;
}

static enum err_code prepare(struct by_instance *b, bool journalled, struct err *err)
{
    steps_next(&b->r->out->steps, "looking at the snapshot");
    enum err_code code = check_snapshot(b, err);
    if (code == ERR_OK)
        code = find_live(b, journalled, err);
    if (code == ERR_OK)
        code = plan(b, journalled, err);
    if (code == ERR_OK)
        code = compare(b, err);
    return code;
}

static enum err_code act(struct by_instance *b, struct err *err)
{
    enum rollback_then then = b->r->request->then;
    enum err_code code = rollback_ask(b->r, err);
    /* Of a run that goes on behind the exchange nothing is left to export. */
    if (code == ERR_OK && (b->r->out->tables_changed > 0 || b->blind))
        code = rollback_export_changes(b->r, err);
    if (code != ERR_OK)
        return code;
    b->journal->finished = false;
    b->journal->old_name[0] = '\0';
    code = claim(b, "rollback_instance_planned", err);
    if (code == ERR_OK)
        code = make(b, err);
    if (code == ERR_OK)
        code = load(b, err);
    if (code == ERR_OK)
        code = cancel_check(b->r->run->cancel, err);
    if (code == ERR_OK && then == ROLLBACK_RENAME)
        code = cut_over(b, err);
    if (code == ERR_OK && then == ROLLBACK_COPY)
        code = rollback_copy_tables(b, err);
    return code == ERR_OK ? finish(b, err) : code;
}

enum err_code rollback_by_instance(struct rollback *r, struct err *err)
{
    struct by_instance b = {.r = r, .rds = r->request->rds, .journal = &r->out->instance.journal};
    bool journalled = false, over = false;
    enum err_code code = rollback_copy_check(r->request, err);
    if (code == ERR_OK)
        code = rollback_open_point(r, err);
    if (code == ERR_OK)
        code = read_journal(&b, &journalled, err);
    if (code == ERR_OK && r->request->then == ROLLBACK_BACK)
        return cut_back(&b, journalled, err);
    if (code == ERR_OK && journalled && *b.journal->old_name)
        code = finish_cutover(&b, &over, err);
    if (code != ERR_OK || over)
        return code;
    code = rollback_open_archive(r, err); /* exchanging names does without it */
    if (code == ERR_OK)
        code = prepare(&b, journalled, err);
    return code == ERR_OK && !r->request->dry_run ? act(&b, err) : code;
}
