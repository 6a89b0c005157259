#include "rds/restore.h"

#include "core/fault.h"
#include "core/mem.h"
#include "rds/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 1000
/* How long a modification is asked for while it is refused for reasons that pass: a first backup. */
#define MEND_PATIENCE_MS ((int64_t)20 * 60 * 1000)
/* Looks at something that is said to exist, until it is seen. */
#define UNSEEN_LOOKS 5

void rds_restored_free(struct rds_restored *r)
{
    for (size_t i = 0; i < r->difference_count; i++) {
        free(r->differences[i].where);
        free(r->differences[i].name);
        free(r->differences[i].source);
        free(r->differences[i].restored);
    }
    for (size_t i = 0; i < r->notice_count; i++)
        free(r->notices[i]);
    free(r->differences);
    free(r->notices);
    *r = (struct rds_restored){0};
}

/* A restore on its way. */
struct restoring {
    struct rds *rds;
    const struct rds_restore *request;
    struct rds_restored *out;
    char tag[2 * RDS_ID_BYTES]; /* of dbsafe:snapshot: what this is restored from */
    bool begun;                 /* something exists at AWS */
    const char *where;          /* what is being compared */
};

static bool is_signal(enum err_code rc)
{
    return rc == ERR_SIGINT || rc == ERR_SIGTERM;
}

/* ---- parameters ---- */

static void add_tags(struct restoring *s, const struct xml_node *like, enum rds_role role,
                     struct http_pairs *params)
{
    const struct rds_snapshot *of = s->request->snapshot;
    const struct rds_made made = {.engine = of != NULL ? of->engine : "",
                                  .engine_version = of != NULL ? of->engine_version : "",
                                  .gib = of != NULL ? of->allocated_gib : 0};
    char now[CLOCK_ISO_BYTES];
    unsigned tags = 2;
    clock_format_iso(clock_wall_ms(rds_run(s->rds)->clock), now);
    rds_add_tag(params, 1, RDS_TAG_CREATED, now);
    rds_add_tag(params, 2, RDS_TAG_SNAPSHOT, s->tag);
    if (s->request->point != NULL && *s->request->point != '\0')
        rds_add_tag(params, ++tags, RDS_TAG_POINT, s->request->point);
    if (like != NULL)
        rds_settings_pass(role, like, &made, params, &tags);
}

static void add_time(const struct rds_restore *q, const char *name, struct http_pairs *params)
{
    if (q->time != NULL)
        http_pairs_add(params, name, q->time);
    else
        http_pairs_add(params, "UseLatestRestorableTime", "true");
}

static const char *instance_parameters(const struct rds_restore *q, struct http_pairs *params)
{
    if (q->snapshot != NULL) {
        http_pairs_add(params, "DBSnapshotIdentifier", q->snapshot->id);
        http_pairs_add(params, "DBInstanceIdentifier", q->to);
        return "RestoreDBInstanceFromDBSnapshot";
    }
    http_pairs_add(params, "SourceDBInstanceIdentifier", q->source->id);
    http_pairs_add(params, "TargetDBInstanceIdentifier", q->to);
    add_time(q, "RestoreTime", params);
    return "RestoreDBInstanceToPointInTime";
}

static const char *cluster_parameters(const struct rds_restore *q, struct http_pairs *params)
{
    http_pairs_add(params, "DBClusterIdentifier", q->to);
    if (q->snapshot != NULL) {
        http_pairs_add(params, "SnapshotIdentifier", q->snapshot->id);
        http_pairs_add(params, "Engine", q->snapshot->engine);
        if (q->snapshot->engine_version[0] != '\0') /* else it becomes the region's default */
            http_pairs_add(params, "EngineVersion", q->snapshot->engine_version);
        return "RestoreDBClusterFromSnapshot";
    }
    http_pairs_add(params, "SourceDBClusterIdentifier", q->source->id);
    add_time(q, "RestoreToTime", params);
    return "RestoreDBClusterToPointInTime";
}

/* ---- beginning ---- */

/* What has the name.  It may be so new that RDS does not show it yet. */
static enum err_code look_at_existing(struct restoring *s, enum rds_kind kind, const char *id,
                                      struct rds_database *found, struct err *err)
{
    enum err_code rc = rds_describe(s->rds, kind, id, found, err);
    for (unsigned i = 1; i < UNSEEN_LOOKS && rc == ERR_NOT_FOUND; i++) {
        rc = rds_pause(s->rds, kind, err);
        if (rc == ERR_OK)
            rc = rds_describe(s->rds, kind, id, found, err);
    }
    return rc;
}

/* "The latest moment" is another one each time: what an earlier call has finished is not it. */
static bool is_past(const struct restoring *s, const struct rds_database *found, const char *created)
{
    const struct rds_restore *q = s->request;
    return q->snapshot == NULL && q->time == NULL && strcmp(found->id, q->to) == 0 &&
           strcmp(found->tags.created, created) != 0 &&
           rds_phase_of(found->kind, found->status) == RDS_READY &&
           (q->like == NULL || found->member_count >= q->like->member_count);
}

/* Something has the name already: whether it was begun for the same, by this call or another. */
static enum err_code take_existing(struct restoring *s, enum rds_kind kind, const char *id,
                                   const char *created, struct err *err)
{
    struct rds_database found;
    struct err ignored, refused = *err;
    if (look_at_existing(s, kind, id, &found, &ignored) != ERR_OK || strcmp(found.tags.snapshot, s->tag) != 0)
        return err_copy(err, &refused);
    if (is_past(s, &found, created))
        return err_set(err, ERR_REFUSED,
                       "%s exists already, restored %s: it has not what is the latest now; give the new one"
                       " another name",
                       id, found.tags.created);
    if (strcmp(found.tags.created, created) != 0)
        log_info(rds_run(s->rds)->log, "%s exists already, restored of the same %s: going on with it", id,
                 found.tags.created);
    s->out->resumed = true;
    return ERR_OK;
}

/* Asks for it; what exists already under this name and was begun for the same is gone on with. */
static enum err_code begin(struct restoring *s, enum rds_kind kind, const char *action, const char *id,
                           const struct http_pairs *params, struct err *err)
{
    struct aws_answer answer;
    const char *exists = kind == RDS_CLUSTER ? "DBClusterAlreadyExistsFault" : "DBInstanceAlreadyExists";
    enum err_code rc = fault_point("rds_restore", ERR_AWS, err);
    if (rc != ERR_OK)
        return rc;
    aws_answer_init(&answer, RDS_ANSWER_BYTES);
    rc = rds_call(s->rds, action, params, &answer, err);
    if (rc == ERR_AWS && strcmp(answer.code, exists) == 0)
        rc = take_existing(s, kind, id, http_pairs_get(params, "Tags.Tag.1.Value"), err);
    s->begun |= rc == ERR_OK || (is_signal(rc) && answer.tries > 0);
    aws_answer_free(&answer);
    return rc;
}

/* ---- making it like its source ---- */

static const struct {
    const char *action, *id, *busy;
} modifications[] = {
    [RDS_INSTANCE] = {"ModifyDBInstance", "DBInstanceIdentifier", "InvalidDBInstanceState"},
    [RDS_CLUSTER] = {"ModifyDBCluster", "DBClusterIdentifier", "InvalidDBClusterStateFault"},
};

/* What is to be made like its source. */
struct mending {
    struct restoring *s;
    enum rds_kind kind;
    enum rds_role role;
    const char *id;
    const struct xml_node *like;
};

/* The parameters of one modification of what differs now, in all or in a group of settings; *count: of them.
 */
static enum err_code list_differing(const struct mending *m, unsigned group, struct http_pairs *params,
                                    unsigned *count, struct err *err)
{
    struct rds_look now;
    enum err_code rc = rds_look_at(m->s->rds, m->kind, m->id, &now, err);
    http_pairs_add(params, modifications[m->kind].id, m->id);
    http_pairs_add(params, "ApplyImmediately", "true");
    *count = rc == ERR_OK ? rds_settings_mend(m->role, m->like, now.node, group, params) : 0;
    rds_look_free(&now);
    return rc;
}

/* One modification, asked for once; *busy: it was refused, or its answer lost, but may work the next time. */
static enum err_code ask_modification(const struct mending *m, const struct http_pairs *params, bool *busy,
                                      struct err *err)
{
    struct aws_answer answer;
    aws_answer_init(&answer, RDS_ANSWER_BYTES);
    enum err_code rc = rds_call(m->s->rds, modifications[m->kind].action, params, &answer, err);
    *busy = rc == ERR_AWS && (m->s->rds->transient || strcmp(answer.code, modifications[m->kind].busy) == 0);
    aws_answer_free(&answer);
    return rc;
}

/* Until nothing of the group differs, or it is refused for good: *refused, the number of settings. An earlier
 * try may have worked though its answer was lost, so that each looks first. */
static enum err_code modify(const struct mending *m, unsigned group, unsigned *refused, struct err *err)
{
    struct rds_database found;
    const struct run *run = rds_run(m->s->rds);
    int64_t began_ms = clock_monotonic_ms(run->clock);
    *refused = 0;
    for (;;) {
        struct http_pairs params = {0};
        unsigned count;
        bool busy = false;
        enum err_code rc = list_differing(m, group, &params, &count, err);
        bool ask = rc == ERR_OK && count > 0;
        if (ask)
            rc = ask_modification(m, &params, &busy, err);
        http_pairs_clear(&params);
        if (!ask || (rc != ERR_OK && rc != ERR_AWS && rc != ERR_NOT_FOUND))
            return rc;
        bool again = busy && clock_monotonic_ms(run->clock) - began_ms < MEND_PATIENCE_MS;
        if (again)
            log_info(run->log, "%s cannot be modified yet: %s", m->id, err->text);
        else if (rc != ERR_OK) {
            log_warn(run->log, "%s", err->text);
            *refused = count;
        } else
            log_info(run->log, "%s: %u settings that a restore does not take are set by a modification",
                     m->id, count);
        bool over = !again;
        rc = rds_wait_database(m->s->rds, m->kind, m->id, false, &found, err);
        if (rc != ERR_OK || over)
            return rc;
    }
}

/* That a modification is refused is no reason to give up what was restored: what stays different is told at
 * the end. One refused setting is no reason to leave the others. */
static enum err_code mend(const struct mending *m, struct err *err)
{
    unsigned refused, ignored;
    enum err_code rc = modify(m, 0, &refused, err);
    if (rc == ERR_OK && refused > 1)
        for (unsigned group = 1; group <= rds_settings_groups(m->role) && rc == ERR_OK; group++)
            rc = modify(m, group, &ignored, err);
    return rc;
}

static void note_difference(void *arg, const char *name, const char *source, const char *restored)
{
    struct restoring *s = arg;
    struct rds_restored *out = s->out;
    if (out->difference_count == ITEMS_MAX)
        return;
    out->differences = xreallocarray(out->differences, out->difference_count + 1, sizeof *out->differences);
    out->differences[out->difference_count++] = (struct rds_difference){.where = xstrdup(s->where),
                                                                        .name = xstrdup(name),
                                                                        .source = xstrdup(source),
                                                                        .restored = xstrdup(restored)};
}

static void note_notice(void *arg, const char *text)
{
    struct rds_restored *out = ((struct restoring *)arg)->out;
    if (out->notice_count == ITEMS_MAX)
        return;
    out->notices = xreallocarray(out->notices, out->notice_count + 1, sizeof *out->notices);
    out->notices[out->notice_count++] = xstrdup(text);
}

static enum err_code compare(struct restoring *s, enum rds_kind kind, enum rds_role role, const char *id,
                             const struct xml_node *like, struct err *err)
{
    struct rds_look now;
    enum err_code rc = rds_look_at(s->rds, kind, id, &now, err);
    s->where = id;
    if (rc == ERR_OK)
        rds_settings_compare(role, like, now.node, note_difference, s);
    rds_look_free(&now);
    return rc;
}

static enum err_code finish(struct restoring *s, enum rds_kind kind, enum rds_role role, const char *id,
                            const struct xml_node *like, struct err *err)
{
    const struct mending m = {.s = s, .kind = kind, .role = role, .id = id, .like = like};
    enum err_code rc = mend(&m, err);
    if (rc == ERR_OK)
        rc = compare(s, kind, role, id, like, err);
    if (rc == ERR_OK)
        rds_settings_notices(like, note_notice, s);
    return rc;
}

/* As it is at the end. */
static enum err_code look_at_made(struct restoring *s, enum rds_kind kind, struct err *err)
{
    const struct rds_snapshot *of = s->request->snapshot;
    struct rds_database *made = &s->out->database;
    enum err_code rc = rds_describe(s->rds, kind, s->request->to, made, err);
    s->where = s->request->to;
    if (rc == ERR_OK && of != NULL && strcmp(of->engine_version, made->engine_version) != 0)
        note_difference(s, "engine version", of->engine_version, made->engine_version);
    return rc;
}

/* ---- an instance ---- */

static enum err_code restore_instance(struct restoring *s, const struct xml_node *like, struct err *err)
{
    const struct rds_restore *q = s->request;
    struct http_pairs params = {0};
    const char *action = instance_parameters(q, &params);
    add_tags(s, like, RDS_ROLE_INSTANCE, &params);
    enum err_code rc = begin(s, RDS_INSTANCE, action, q->to, &params, err);
    http_pairs_clear(&params);
    if (rc == ERR_OK)
        rc = rds_wait_database(s->rds, RDS_INSTANCE, q->to, true, &s->out->database, err);
    if (rc == ERR_OK && like != NULL)
        rc = finish(s, RDS_INSTANCE, RDS_ROLE_INSTANCE, q->to, like, err);
    return rc == ERR_OK ? look_at_made(s, RDS_INSTANCE, err) : rc;
}

/* ---- a cluster ---- */

void rds_member_id(const char *like, const char *like_member, const char *to, unsigned number,
                   char out[RDS_ID_BYTES])
{
    size_t n = strlen(like);
    int length = -1;
    if (strncmp(like_member, like, n) == 0 && like_member[n] == '-')
        length = snprintf(out, RDS_ID_BYTES, "%s%s", to, like_member + n);
    if (length < 0 || length > RDS_INSTANCE_ID_MAX)
        snprintf(out, RDS_ID_BYTES, "%.*s-instance-%u", RDS_INSTANCE_ID_MAX - 12, to, number % 100);
}

/* The place of a member in the order of their creation: the first one becomes the writer. */
static const struct rds_member *nth_member(const struct rds_database *cluster, unsigned n)
{
    unsigned writer = 0;
    for (unsigned i = 0; i < cluster->member_count; i++)
        if (cluster->members[i].writer)
            writer = i;
    if (n == 0)
        return &cluster->members[writer];
    return &cluster->members[n <= writer ? n - 1 : n];
}

/* What is done to each member in turn. */
typedef enum err_code member_fn(struct restoring *s, const char *id, const struct xml_node *like,
                                struct err *err);

static enum err_code create_member(struct restoring *s, const char *id, const struct xml_node *like,
                                   struct err *err)
{
    struct http_pairs params = {0};
    http_pairs_add(&params, "DBInstanceIdentifier", id);
    http_pairs_add(&params, "DBClusterIdentifier", s->request->to);
    http_pairs_add(&params, "Engine", xml_text(like, "Engine", NULL));
    add_tags(s, like, RDS_ROLE_MEMBER, &params);
    enum err_code rc = begin(s, RDS_INSTANCE, "CreateDBInstance", id, &params, err);
    http_pairs_clear(&params);
    return rc;
}

static enum err_code await_member(struct restoring *s, const char *id, const struct xml_node *like,
                                  struct err *err)
{
    struct rds_database member;
    (void)like;
    return rds_wait_database(s->rds, RDS_INSTANCE, id, true, &member, err);
}

static enum err_code finish_member(struct restoring *s, const char *id, const struct xml_node *like,
                                   struct err *err)
{
    return finish(s, RDS_INSTANCE, RDS_ROLE_MEMBER, id, like, err);
}

static enum err_code each_member(struct restoring *s, member_fn *act, struct err *err)
{
    const struct rds_database *like = s->request->like;
    enum err_code rc = ERR_OK;
    for (unsigned i = 0; i < like->member_count && rc == ERR_OK; i++) {
        char id[RDS_ID_BYTES];
        struct rds_look source;
        const struct rds_member *member = nth_member(like, i);
        rds_member_id(like->id, member->id, s->request->to, i + 1, id);
        rc = rds_look_at(s->rds, RDS_INSTANCE, member->id, &source, err);
        if (rc == ERR_OK)
            rc = act(s, id, source.node, err);
        rds_look_free(&source);
    }
    return rc;
}

static enum err_code restore_cluster(struct restoring *s, const struct xml_node *like, struct err *err)
{
    const struct rds_restore *q = s->request;
    struct http_pairs params = {0};
    const char *action = cluster_parameters(q, &params);
    add_tags(s, like, RDS_ROLE_CLUSTER, &params);
    enum err_code rc = begin(s, RDS_CLUSTER, action, q->to, &params, err);
    http_pairs_clear(&params);
    if (rc == ERR_OK)
        rc = rds_wait_database(s->rds, RDS_CLUSTER, q->to, true, &s->out->database, err);
    if (rc == ERR_OK)
        rc = each_member(s, create_member, err);
    if (rc == ERR_OK)
        rc = each_member(s, await_member, err);
    if (rc == ERR_OK)
        rc = finish(s, RDS_CLUSTER, RDS_ROLE_CLUSTER, q->to, like, err);
    if (rc == ERR_OK)
        rc = each_member(s, finish_member, err);
    return rc == ERR_OK ? look_at_made(s, RDS_CLUSTER, err) : rc;
}

/* ---- both ---- */

static enum err_code check(const struct rds_restore *q, bool cluster, const char *engine, struct err *err)
{
    if (!rds_ident_is_legal(q->to, RDS_INSTANCE_ID_MAX))
        return err_set(err, ERR_USAGE,
                       "'%s' is no identifier for an instance: a letter first, then letters, digits and"
                       " single hyphens, at most %d",
                       q->to, RDS_INSTANCE_ID_MAX);
    if (q->like != NULL && (q->like->kind == RDS_CLUSTER) != cluster)
        return err_set(err, ERR_USAGE, "%s is %s cluster, what is restored is %s", q->like->id,
                       cluster ? "no" : "a", cluster ? "one" : "none");
    if (cluster && strncmp(engine, "aurora", 6) != 0)
        return err_set(err, ERR_REFUSED,
                       "restoring a cluster of %s (a Multi-AZ DB cluster) is not supported, only Aurora",
                       engine);
    if (cluster && (q->like == NULL || q->like->member_count == 0))
        return err_set(err, ERR_REFUSED,
                       "the class of the instances in the new cluster is not known: no cluster with"
                       " members is named whose settings to take");
    return ERR_OK;
}

enum err_code rds_restore_run(struct rds *r, const struct rds_restore *q, struct rds_restored *out,
                              struct err *err)
{
    bool cluster =
        q->snapshot != NULL ? q->snapshot->kind == RDS_CLUSTER_SNAPSHOT : q->source->kind == RDS_CLUSTER;
    struct restoring s = {.rds = r, .request = q, .out = out};
    struct rds_look like = {.node = NULL};
    *out = (struct rds_restored){0};
    enum err_code rc = check(q, cluster, q->snapshot != NULL ? q->snapshot->engine : q->source->engine, err);
    if (rc != ERR_OK)
        return rc;
    if (q->snapshot != NULL)
        snprintf(s.tag, sizeof s.tag, "%s", q->snapshot->id);
    else
        snprintf(s.tag, sizeof s.tag, "%s@%s", q->source->id, q->time != NULL ? q->time : "latest");
    aws_answer_init(&like.answer, 0);
    if (q->like != NULL)
        rc = rds_look_at(r, q->like->kind, q->like->id, &like, err);
    if (rc == ERR_OK)
        rc = cluster ? restore_cluster(&s, like.node, err) : restore_instance(&s, like.node, err);
    rds_look_free(&like);
    if (s.begun && (is_signal(rc) || rc == ERR_TIMEOUT))
        err_hint(err, "; AWS goes on with restoring %s: the same command again goes on from there", q->to);
    return rc;
}
