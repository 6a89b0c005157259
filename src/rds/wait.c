/* Waiting for RDS; see rds.h. */
#include "rds/session.h"
#include "rds/snapshot.h"

#include <stdio.h>
#include <string.h>

#define SNAPSHOT_POLL_MS 15000
#define INSTANCE_POLL_MS 30000
/* How long something that was just begun may be unknown. */
#define GRACE_MS 120000
/* Looks that may fail one after another, each after its own tries. */
#define FAILURES_MAX 5
/* Looks at something available whose modifications stay pending: some wait for the maintenance window. */
#define CHANGING_MAX 20

/* One look at what is waited for. */
struct sight {
    char id[RDS_ID_BYTES], status[RDS_WORD_BYTES];
    int percent;
    bool changing;
};

struct watch {
    enum rds_kind kind;
    const char *id;          /* for messages, and to ask by */
    const char *resource_id; /* to ask by instead; NULL */
    bool fresh;
    bool only_name;                /* it is enough that it is called id */
    struct rds_snapshot *snapshot; /* of a snapshot: what was seen last */
    struct rds_database *database; /* of the others */
    /* The rest is the loop's. */
    struct rds_settle settle;
    int64_t began_ms, seen_ms;
    unsigned failures, changing_seen;
    char last_status[RDS_WORD_BYTES];
};

static bool is_snapshot(enum rds_kind kind)
{
    return kind == RDS_SNAPSHOT || kind == RDS_CLUSTER_SNAPSHOT;
}

static enum err_code look_snapshot(struct rds *r, const struct watch *w, struct sight *out, struct err *err)
{
    enum err_code rc = rds_snapshot_describe(r, w->kind, w->id, w->snapshot, err);
    if (rc != ERR_OK)
        return rc;
    snprintf(out->status, sizeof out->status, "%s", w->snapshot->status);
    out->percent = (int)w->snapshot->percent;
    return ERR_OK;
}

static enum err_code look_database(struct rds *r, const struct watch *w, struct sight *out, struct err *err)
{
    struct rds_database *d = w->database;
    enum err_code rc = w->resource_id != NULL ? rds_describe_resource(r, w->kind, w->resource_id, d, err)
                                              : rds_describe(r, w->kind, w->id, d, err);
    if (rc != ERR_OK)
        return rc;
    bool renaming = w->resource_id != NULL && strcmp(d->id, w->id) != 0;
    /* Of a renamed one only the rename counts: others of its changes may have been pending for long. */
    out->changing = w->resource_id != NULL ? renaming || d->new_id[0] != '\0' : d->changing;
    snprintf(out->status, sizeof out->status, "%s", renaming ? "renaming" : d->status);
    return ERR_OK;
}

/* A look that failed although the next one may succeed.  In the middle of a rename RDS may find it under
 * neither name. */
static bool tolerates(struct rds *r, struct watch *w, enum err_code rc, const struct err *err)
{
    if (rc == ERR_NOT_FOUND)
        return (w->fresh || w->resource_id != NULL) &&
               clock_monotonic_ms(r->run->clock) - w->seen_ms < GRACE_MS;
    if (!r->transient || ++w->failures > FAILURES_MAX)
        return false;
    log_warn(r->run->log, "%s; asking again", err->text);
    return true;
}

static void report(struct rds *r, struct watch *w, const struct sight *s)
{
    int64_t elapsed = clock_monotonic_ms(r->run->clock) - w->began_ms;
    struct rds_news news = {
        .kind = w->kind,
        .id = w->id,
        .status = s->status,
        .percent = s->percent,
        .elapsed_ms = elapsed,
        .remaining_ms = s->percent < 0 ? -1 : rds_remaining_ms((unsigned)s->percent, elapsed),
        .changed = strcmp(w->last_status, s->status) != 0,
    };
    if (r->options->report != NULL)
        r->options->report(r->options->report_arg, &news);
    memcpy(w->last_status, s->status, sizeof w->last_status);
}

static enum err_code failed(const struct watch *w, const struct sight *s, struct err *err)
{
    static const struct {
        const char *status, *hint;
    } hints[] = {
        {"incompatible-restore",
         "RDS could not restore with these settings, and it stays so: see its events in RDS"},
        {"incompatible-parameters", "a value of its parameter group does not fit this class or version"},
        {"incompatible-network", "its subnets have no free addresses, or its VPC is not as it was"},
        {"storage-full", "give it more storage"},
        {"stopped", "start it"},
    };
    enum err_code rc = err_set(err, ERR_AWS, "the %s %s does not become available: it is '%s'",
                               rds_kind_name(w->kind), w->id, s->status);
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (strcmp(hints[i].status, s->status) == 0)
            err_hint(err, "%s", hints[i].hint);
    return rc;
}

/* RDS_PENDING, and the other two ends of the wait. */
static enum rds_phase judge(struct watch *w, const struct sight *s)
{
    bool ready = rds_phase_of(w->kind, s->status) == RDS_READY;
    if (ready && s->changing && ++w->changing_seen <= CHANGING_MAX) {
        w->settle.ready_seen = 0;
        return RDS_PENDING;
    }
    return rds_settle_feed(&w->settle, s->status);
}

static enum rds_phase judge_name(const struct sight *s)
{
    return s->changing ? RDS_PENDING : RDS_READY;
}

enum err_code rds_pause(struct rds *r, enum rds_kind kind, struct err *err)
{
    const struct rds_options *o = r->options;
    int64_t ms = is_snapshot(kind) ? o->snapshot_poll_ms : o->instance_poll_ms;
    if (ms == 0)
        ms = is_snapshot(kind) ? SNAPSHOT_POLL_MS : INSTANCE_POLL_MS;
    return o->wait != NULL ? o->wait(o->wait_arg, ms, rds_cancel(r), err)
                           : clock_backoff(ms, rds_cancel(r), err);
}

static enum err_code pause_watch(struct rds *r, const struct watch *w, struct err *err)
{
    int64_t elapsed = clock_monotonic_ms(r->run->clock) - w->began_ms, limit = r->options->limit_ms;
    if (limit > 0 && elapsed >= limit)
        return err_set(err, ERR_TIMEOUT, "the %s %s is still '%s' after %lld s; RDS goes on with it",
                       rds_kind_name(w->kind), w->id, w->last_status, (long long)(elapsed / 1000));
    return rds_pause(r, w->kind, err);
}

static enum err_code watch(struct rds *r, struct watch *w, struct err *err)
{
    w->settle.kind = w->kind;
    w->began_ms = w->seen_ms = clock_monotonic_ms(r->run->clock);
    for (;;) {
        struct sight s = {.percent = -1};
        enum err_code rc = is_snapshot(w->kind) ? look_snapshot(r, w, &s, err) : look_database(r, w, &s, err);
        if (rc == ERR_OK) {
            w->failures = 0;
            w->fresh = false;
            w->seen_ms = clock_monotonic_ms(r->run->clock);
            report(r, w, &s);
            enum rds_phase phase = w->only_name ? judge_name(&s) : judge(w, &s);
            if (phase == RDS_READY)
                return ERR_OK;
            if (phase == RDS_FAILED)
                return failed(w, &s, err);
        } else if (!tolerates(r, w, rc, err)) {
            return rc;
        }
        rc = pause_watch(r, w, err);
        if (rc != ERR_OK)
            return rc;
    }
}

enum err_code rds_wait_snapshot(struct rds *r, enum rds_kind kind, const char *id, bool fresh,
                                struct rds_snapshot *out, struct err *err)
{
    struct watch w = {.kind = kind, .id = id, .fresh = fresh, .snapshot = out};
    return watch(r, &w, err);
}

enum err_code rds_wait_database(struct rds *r, enum rds_kind kind, const char *id, bool fresh,
                                struct rds_database *out, struct err *err)
{
    struct watch w = {.kind = kind, .id = id, .fresh = fresh, .database = out};
    return watch(r, &w, err);
}

enum err_code rds_wait_renamed(struct rds *r, enum rds_kind kind, const char *resource_id, const char *id,
                               struct rds_database *out, struct err *err)
{
    struct watch w = {.kind = kind, .id = id, .resource_id = resource_id, .database = out};
    return watch(r, &w, err);
}

enum err_code rds_wait_named(struct rds *r, enum rds_kind kind, const char *resource_id, const char *id,
                             struct rds_database *out, struct err *err)
{
    struct watch w = {.kind = kind, .id = id, .resource_id = resource_id, .database = out, .only_name = true};
    return watch(r, &w, err);
}

/* One look at who bears the name; *left: not that resource.  It may have been told to leave but not begun. */
static enum err_code look_left(struct rds *r, struct watch *w, const char *resource_id, bool *left,
                               struct err *err)
{
    struct rds_database bearer;
    struct sight s = {.percent = -1};
    enum err_code rc = rds_describe(r, w->kind, w->id, &bearer, err);
    *left = rc == ERR_NOT_FOUND || (rc == ERR_OK && strcmp(bearer.resource_id, resource_id) != 0);
    if (*left)
        return ERR_OK;
    if (rc != ERR_OK)
        return tolerates(r, w, rc, err) ? ERR_OK : rc;
    w->failures = 0;
    bool leaving = bearer.new_id[0] != '\0' || strcmp(bearer.status, "renaming") == 0;
    snprintf(s.status, sizeof s.status, "%s", leaving ? "renaming" : bearer.status);
    report(r, w, &s);
    if (!leaving && ++w->changing_seen > CHANGING_MAX)
        return err_set(err, ERR_AWS, "the %s %s does not give up its name: it is '%s'",
                       rds_kind_name(w->kind), w->id, bearer.status);
    return ERR_OK;
}

enum err_code rds_wait_left(struct rds *r, enum rds_kind kind, const char *name, const char *resource_id,
                            struct err *err)
{
    struct watch w = {.kind = kind, .id = name, .began_ms = clock_monotonic_ms(r->run->clock)};
    bool left = false;
    for (;;) {
        enum err_code rc = look_left(r, &w, resource_id, &left, err);
        if (rc == ERR_OK && !left)
            rc = pause_watch(r, &w, err);
        if (rc != ERR_OK || left)
            return rc;
    }
}
