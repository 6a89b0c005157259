#include "rds/snapshot.h"

#include "core/fault.h"
#include "core/mem.h"
#include "rds/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOTS_MAX 100000
/* How often an instance that became busy again is waited for. */
#define BUSY_TRIES 5
/* Looks at something that is said to exist, until it is seen. */
#define UNSEEN_LOOKS 5

/* The names of actions and parameters for both kinds. */
static const struct names {
    const char *describe, *create, *copy, *delete;
    const char *id, *source, *list, *item;
    const char *copy_from, *copy_to;
    const char *exists, *busy;
    enum rds_kind of;
} kinds[] = {
    [RDS_SNAPSHOT] = {.describe = "DescribeDBSnapshots",
                      .create = "CreateDBSnapshot",
                      .copy = "CopyDBSnapshot",
                      .delete = "DeleteDBSnapshot",
                      .id = "DBSnapshotIdentifier",
                      .source = "DBInstanceIdentifier",
                      .list = "DBSnapshots",
                      .item = "DBSnapshot",
                      .copy_from = "SourceDBSnapshotIdentifier",
                      .copy_to = "TargetDBSnapshotIdentifier",
                      .exists = "DBSnapshotAlreadyExists",
                      .busy = "InvalidDBInstanceState",
                      .of = RDS_INSTANCE},
    [RDS_CLUSTER_SNAPSHOT] = {.describe = "DescribeDBClusterSnapshots",
                              .create = "CreateDBClusterSnapshot",
                              .copy = "CopyDBClusterSnapshot",
                              .delete = "DeleteDBClusterSnapshot",
                              .id = "DBClusterSnapshotIdentifier",
                              .source = "DBClusterIdentifier",
                              .list = "DBClusterSnapshots",
                              .item = "DBClusterSnapshot",
                              .copy_from = "SourceDBClusterSnapshotIdentifier",
                              .copy_to = "TargetDBClusterSnapshotIdentifier",
                              .exists = "DBClusterSnapshotAlreadyExistsFault",
                              .busy = "InvalidDBClusterStateFault",
                              .of = RDS_CLUSTER},
};

static enum rds_kind snapshot_kind(enum rds_kind source)
{
    return source == RDS_CLUSTER ? RDS_CLUSTER_SNAPSHOT : RDS_SNAPSHOT;
}

/* ---- finding ---- */

/* Appends the page's snapshots; *marker (owned by the caller, may become NULL) is where the next one begins.
 */
static enum err_code take_page(const struct xml_node *root, enum rds_kind kind, struct rds_snapshots *out,
                               char **marker, struct err *err)
{
    const struct xml_node *list = xml_find(root, kinds[kind].list);
    for (const struct xml_node *n = xml_child(list, kinds[kind].item); n != NULL; n = xml_again(n)) {
        if (out->count == SNAPSHOTS_MAX)
            return err_set(err, ERR_NOMEM, "there are more than %d snapshots", SNAPSHOTS_MAX);
        out->items = xreallocarray(out->items, out->count + 1, sizeof *out->items);
        rds_snapshot_read(n, kind, &out->items[out->count++]);
    }
    const struct xml_node *next = xml_find(root, "Marker");
    free(*marker);
    *marker = next != NULL && *next->text != '\0' ? xstrdup(next->text) : NULL;
    return ERR_OK;
}

/* Appends all snapshots of a kind that one more parameter (name NULL: none) selects. */
static enum err_code collect(struct rds *r, enum rds_kind kind, const char *name, const char *value,
                             struct rds_snapshots *out, struct err *err)
{
    char *marker = NULL;
    enum err_code rc;
    do {
        struct aws_answer answer;
        struct http_pairs params = {0};
        aws_answer_init(&answer, RDS_ANSWER_BYTES);
        if (name != NULL)
            http_pairs_add(&params, name, value);
        if (marker != NULL)
            http_pairs_add(&params, "Marker", marker);
        rc = rds_call(r, kinds[kind].describe, &params, &answer, err);
        if (rc == ERR_OK)
            rc = take_page(xml_root(answer.xml), kind, out, &marker, err);
        http_pairs_clear(&params);
        aws_answer_free(&answer);
    } while (rc == ERR_OK && marker != NULL);
    free(marker);
    return rc;
}

static int by_age(const void *a, const void *b)
{
    const struct rds_snapshot *left = a, *right = b;
    if (left->created_ms != right->created_ms) /* one without a time has just been begun */
        return left->created_ms == 0                  ? 1
               : right->created_ms == 0               ? -1
               : left->created_ms < right->created_ms ? -1
                                                      : 1;
    return strcmp(left->id, right->id);
}

static void sort_and_unite(struct rds_snapshots *s)
{
    size_t kept = 0;
    if (s->count > 0)
        qsort(s->items, s->count, sizeof *s->items, by_age);
    for (size_t i = 0; i < s->count; i++)
        if (kept == 0 || strcmp(s->items[kept - 1].arn, s->items[i].arn) != 0)
            s->items[kept++] = s->items[i];
    s->count = kept;
}

enum err_code rds_snapshot_list(struct rds *r, struct rds_snapshots *out, struct err *err)
{
    *out = (struct rds_snapshots){0};
    enum err_code rc = collect(r, RDS_SNAPSHOT, NULL, NULL, out, err);
    if (rc == ERR_OK)
        rc = collect(r, RDS_CLUSTER_SNAPSHOT, NULL, NULL, out, err);
    sort_and_unite(out);
    return rc;
}

enum err_code rds_snapshot_list_of(struct rds *r, enum rds_kind kind, const char *id, const char *resource_id,
                                   struct rds_snapshots *out, struct err *err)
{
    enum rds_kind of = snapshot_kind(kind);
    *out = (struct rds_snapshots){0};
    enum err_code rc = collect(r, of, kinds[of].source, id, out, err);
    if (rc == ERR_OK && of == RDS_SNAPSHOT && resource_id != NULL && *resource_id != '\0')
        rc = collect(r, of, "DbiResourceId", resource_id, out, err);
    sort_and_unite(out);
    return rc;
}

void rds_snapshots_free(struct rds_snapshots *s)
{
    free(s->items);
    *s = (struct rds_snapshots){0};
}

enum err_code rds_snapshot_describe(struct rds *r, enum rds_kind kind, const char *id,
                                    struct rds_snapshot *out, struct err *err)
{
    struct rds_snapshots found = {0};
    enum err_code rc = collect(r, kind, kinds[kind].id, id, &found, err);
    if (rc == ERR_OK && found.count == 0)
        rc = err_set(err, ERR_NOT_FOUND, "there is no %s %s", rds_kind_name(kind), id);
    if (rc == ERR_OK)
        *out = found.items[0];
    rds_snapshots_free(&found);
    return rc;
}

enum err_code rds_snapshot_find(struct rds *r, const char *name, struct rds_snapshot *out, struct err *err)
{
    char id[RDS_ID_BYTES];
    const char *type;
    struct rds_snapshot other;
    enum err_code rc = rds_ident_refer(name, id, &type, err);
    if (rc != ERR_OK)
        return rc;
    if (type != NULL && strcmp(type, "snapshot") != 0 && strcmp(type, "cluster-snapshot") != 0)
        return err_set(err, ERR_USAGE, "%s names no snapshot", name);
    if (type != NULL) {
        rc = rds_snapshot_describe(r, strcmp(type, "snapshot") == 0 ? RDS_SNAPSHOT : RDS_CLUSTER_SNAPSHOT, id,
                                   out, err);
        return rc == ERR_OK && !rds_ident_is_meant(name, out->arn)
                   ? err_set(err, ERR_NOT_FOUND,
                             "there is no %s: what is called so in this account and region is %s", name,
                             out->arn)
                   : rc;
    }
    rc = rds_snapshot_describe(r, RDS_SNAPSHOT, id, out, err);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND)
        return rc;
    enum err_code second = rds_snapshot_describe(r, RDS_CLUSTER_SNAPSHOT, id, &other, err);
    if (second != ERR_OK && second != ERR_NOT_FOUND)
        return second;
    if (rc == ERR_OK && second == ERR_OK)
        return err_set(err, ERR_USAGE, "two snapshots are called %s; name it as %s or %s", id, out->arn,
                       other.arn);
    if (second == ERR_OK)
        *out = other;
    return rc == ERR_OK || second == ERR_OK ? ERR_OK
                                            : err_set(err, ERR_NOT_FOUND, "no snapshot is called %s", id);
}

/* ---- beginning ---- */

/* What is noted on a snapshot that is begun; NULL where there is nothing to note. */
struct marks {
    char created[CLOCK_ISO_BYTES];
    const char *point, *copy_of, *kms_key;
    const char *source; /* not a tag: the instance or cluster */
};

static void put_marks(const struct marks *m, struct http_pairs *params)
{
    unsigned count = 1;
    rds_add_tag(params, 1, RDS_TAG_CREATED, m->created);
    if (m->point != NULL && *m->point != '\0')
        rds_add_tag(params, ++count, RDS_TAG_POINT, m->point);
    if (m->copy_of != NULL)
        rds_add_tag(params, ++count, RDS_TAG_COPY_OF, m->copy_of);
    if (m->kms_key != NULL)
        rds_add_tag(params, ++count, RDS_TAG_KMS_KEY, m->kms_key);
}

static bool is_same(const char *tag, const char *mark)
{
    return strcmp(tag, mark != NULL ? mark : "") == 0;
}

/* Whether what has the name already is what this call was to begin: an answer may have been lost on its way,
 * and an earlier run may have been killed.  A copy is the same when it is of the same with the same key, and
 * one of a point when it is of the same point. */
static bool is_ours(const struct rds_snapshot *found, const struct marks *m)
{
    const struct rds_tags *t = &found->tags;
    if (t->created[0] == '\0' || strcmp(found->source, m->source) != 0 || !is_same(t->copy_of, m->copy_of) ||
        !is_same(t->kms_key, m->kms_key))
        return false;
    if (m->copy_of != NULL || (m->point != NULL && *m->point != '\0' && strcmp(t->point, m->point) == 0))
        return true;
    return strcmp(t->created, m->created) == 0 || rds_phase_of(found->kind, found->status) == RDS_PENDING;
}

/* What has the name.  It may be so new that RDS does not show it yet. */
static enum err_code look_at_existing(struct rds *r, enum rds_kind kind, const char *id, bool exists,
                                      struct rds_snapshot *out)
{
    enum err_code rc = rds_snapshot_describe(r, kind, id, out, NULL);
    for (unsigned i = 1; exists && i < UNSEEN_LOOKS && rc == ERR_NOT_FOUND; i++) {
        rc = rds_pause(r, kind, NULL);
        if (rc == ERR_OK)
            rc = rds_snapshot_describe(r, kind, id, out, NULL);
    }
    return rc;
}

/* One try to begin it; *busy: the source cannot just now. */
static enum err_code begin(struct rds *r, enum rds_kind kind, const char *action,
                           const struct http_pairs *params, const char *id, const struct marks *marks,
                           struct rds_snapshot *out, bool *resumed, bool *busy, struct err *err)
{
    struct aws_answer answer;
    aws_answer_init(&answer, RDS_ANSWER_BYTES);
    enum err_code rc = rds_call(r, action, params, &answer, err);
    bool exists = rc == ERR_AWS && strcmp(answer.code, kinds[kind].exists) == 0;
    *busy = rc == ERR_AWS && strcmp(answer.code, kinds[kind].busy) == 0;
    if (rc == ERR_OK)
        rds_snapshot_read(xml_find(xml_root(answer.xml), kinds[kind].item), kind, out);
    /* What makes it busy may be this very snapshot. */
    if ((exists || *busy) && look_at_existing(r, kind, id, exists, out) == ERR_OK && is_ours(out, marks)) {
        *resumed = true;
        *busy = false;
        rc = ERR_OK;
    }
    if ((rc == ERR_SIGINT || rc == ERR_SIGTERM) && answer.tries > 0)
        err_hint(err, "; whether AWS began with it is not known: 'dbsafe snapshot wait %s' tells", id);
    aws_answer_free(&answer);
    return rc;
}

enum err_code rds_snapshot_create(struct rds *r, const struct rds_database *source, const char *id,
                                  const char *point, struct rds_snapshot *out, bool *resumed, struct err *err)
{
    enum rds_kind kind = snapshot_kind(source->kind);
    struct http_pairs params = {0};
    bool old = false, busy = false;
    struct marks marks = {.point = point, .source = source->id};
    clock_format_iso(clock_wall_ms(r->run->clock), marks.created);
    http_pairs_add(&params, kinds[kind].source, source->id);
    http_pairs_add(&params, kinds[kind].id, id);
    put_marks(&marks, &params);
    enum err_code rc = fault_point("rds_snapshot", ERR_AWS, err);
    for (unsigned try = 0; rc == ERR_OK; try++) {
        struct rds_database seen;
        rc = begin(r, kind, kinds[kind].create, &params, id, &marks, out, &old, &busy, err);
        if (!busy || try == BUSY_TRIES)
            break;
        log_info(r->run->log, "the %s %s is busy: waiting until it can be copied",
                 rds_kind_name(source->kind), source->id);
        rc = rds_wait_renamed(r, source->kind, source->resource_id, source->id, &seen, err);
    }
    if (resumed != NULL)
        *resumed = old;
    http_pairs_clear(&params);
    return rc;
}

/* The snapshot and its moment, by which another one of its name is told from it; of a name that is too long
 * for a tag, the end. */
static const char *identity_of(const struct rds_snapshot *s, char out[RDS_TAG_BYTES])
{
    char created[CLOCK_ISO_BYTES], text[RDS_ARN_BYTES + CLOCK_ISO_BYTES + 1];
    clock_format_iso(s->created_ms, created);
    size_t n = (size_t)snprintf(text, sizeof text, "%s@%s", s->arn, created);
    snprintf(out, RDS_TAG_BYTES, "%s", text + (n >= RDS_TAG_BYTES ? n - RDS_TAG_BYTES + 1 : 0));
    return out;
}

enum err_code rds_snapshot_copy(struct rds *r, const struct rds_snapshot *source, const char *id,
                                const char *kms_key, struct rds_snapshot *out, bool *resumed, struct err *err)
{
    enum rds_kind kind = source->kind;
    struct http_pairs params = {0};
    bool old = false, busy;
    char of[RDS_TAG_BYTES];
    struct marks marks = {.point = source->tags.point,
                          .copy_of = identity_of(source, of),
                          .kms_key = kms_key,
                          .source = source->source};
    clock_format_iso(clock_wall_ms(r->run->clock), marks.created);
    http_pairs_add(&params, kinds[kind].copy_from, source->arn[0] != '\0' ? source->arn : source->id);
    http_pairs_add(&params, kinds[kind].copy_to, id);
    if (kms_key != NULL)
        http_pairs_add(&params, "KmsKeyId", kms_key);
    put_marks(&marks, &params);
    enum err_code rc = begin(r, kind, kinds[kind].copy, &params, id, &marks, out, &old, &busy, err);
    if (resumed != NULL)
        *resumed = old;
    http_pairs_clear(&params);
    return rc;
}

/* ---- deleting ---- */

enum err_code rds_snapshot_check_delete(struct rds *r, const struct rds_snapshot *snapshot, struct err *err)
{
    int64_t age = clock_wall_ms(r->run->clock) - snapshot->created_ms;
    if (rds_phase_of(snapshot->kind, snapshot->status) == RDS_FAILED)
        return ERR_OK;
    if (snapshot->created_ms == 0 || age < RDS_PROTECTED_MS)
        return err_set(err, ERR_REFUSED, "the %s %s is younger than 48 hours", rds_kind_name(snapshot->kind),
                       snapshot->id);
    struct rds_snapshots all;
    unsigned others = 0;
    enum err_code rc = rds_snapshot_list_of(r, kinds[snapshot->kind].of, snapshot->source,
                                            snapshot->source_resource_id, &all, err);
    for (size_t i = 0; i < all.count; i++)
        others += strcmp(all.items[i].arn, snapshot->arn) != 0 && strcmp(all.items[i].type, "manual") == 0 &&
                  rds_phase_of(all.items[i].kind, all.items[i].status) == RDS_READY;
    rds_snapshots_free(&all);
    if (rc == ERR_OK && others == 0)
        return err_set(err, ERR_REFUSED, "the %s %s is the only one of %s that is kept",
                       rds_kind_name(snapshot->kind), snapshot->id, snapshot->source);
    return rc;
}

enum err_code rds_snapshot_delete(struct rds *r, const struct rds_snapshot *snapshot, const char *word,
                                  struct err *err)
{
    struct http_pairs params = {0};
    struct aws_answer answer;
    if (strcmp(word, snapshot->id) != 0 && strcmp(word, snapshot->arn) != 0)
        return err_set(err, ERR_REFUSED, "deleting the snapshot %s needs its exact name", snapshot->id);
    if (strcmp(snapshot->status, "deleting") == 0) /* by an earlier run */
        return ERR_OK;
    aws_answer_init(&answer, RDS_ANSWER_BYTES);
    http_pairs_add(&params, kinds[snapshot->kind].id, snapshot->id);
    enum err_code rc = rds_call(r, kinds[snapshot->kind].delete, &params, &answer, err);
    if (rc == ERR_NOT_FOUND) /* gone since it was looked at, perhaps by this call, whose answer got lost */
        rc = ERR_OK;
    aws_answer_free(&answer);
    http_pairs_clear(&params);
    return rc;
}
