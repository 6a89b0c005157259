#include "rds/instance.h"

#include "rds/session.h"

#include <string.h>

/* How long a rename is asked for while it is refused for reasons that pass: a restart, a backup. */
#define RENAME_PATIENCE_MS ((int64_t)20 * 60 * 1000)
/* How long something may be unknown: in the middle of another rename RDS may find it under neither name. */
#define UNSEEN_MS 120000

static const struct {
    const char *modify, *id, *new_id, *delete;
    const char *exists, *busy;
} kinds[] = {
    [RDS_INSTANCE] = {"ModifyDBInstance", "DBInstanceIdentifier", "NewDBInstanceIdentifier",
                      "DeleteDBInstance", "DBInstanceAlreadyExists", "InvalidDBInstanceState"},
    [RDS_CLUSTER] = {"ModifyDBCluster", "DBClusterIdentifier", "NewDBClusterIdentifier", "DeleteDBCluster",
                     "DBClusterAlreadyExistsFault", "InvalidDBClusterStateFault"},
};

/* ---- rename ---- */

/* Whether it is called so once what is under way has ended. */
static bool is_named(const struct rds_database *d, const char *name)
{
    return strcmp(d->new_id[0] != '\0' ? d->new_id : d->id, name) == 0;
}

/* Asks for it once.  *again: it was refused, but may not be the next time. */
static enum err_code ask_rename(struct rds *r, const struct rds_database *d, const char *to, bool *again,
                                struct err *err)
{
    struct http_pairs params = {0};
    struct aws_answer answer;
    struct rds_database now;
    struct err ignored;
    aws_answer_init(&answer, RDS_ANSWER_BYTES);
    http_pairs_add(&params, kinds[d->kind].id, d->id);
    http_pairs_add(&params, kinds[d->kind].new_id, to);
    http_pairs_add(&params, "ApplyImmediately", "true");
    enum err_code rc = rds_call(r, kinds[d->kind].modify, &params, &answer, err);
    bool exists = rc == ERR_AWS && strcmp(answer.code, kinds[d->kind].exists) == 0;
    bool busy = rc == ERR_AWS && strcmp(answer.code, kinds[d->kind].busy) == 0;
    /* A name is free only a while after it was given up. */
    bool unused = exists && rds_describe(r, d->kind, to, &now, &ignored) == ERR_NOT_FOUND;
    /* An answer that got lost may have been a yes: then the second try is refused for having worked. */
    if (rc != ERR_OK && rds_describe_resource(r, d->kind, d->resource_id, &now, &ignored) == ERR_OK &&
        is_named(&now, to))
        rc = ERR_OK;
    *again = rc != ERR_OK && (busy || unused);
    aws_answer_free(&answer);
    http_pairs_clear(&params);
    return rc;
}

static enum err_code find_it(struct rds *r, enum rds_kind kind, const char *resource_id,
                             struct rds_database *out, struct err *err)
{
    int64_t began_ms = clock_monotonic_ms(r->run->clock);
    for (;;) {
        enum err_code rc = rds_describe_resource(r, kind, resource_id, out, err);
        if (rc != ERR_NOT_FOUND || clock_monotonic_ms(r->run->clock) - began_ms >= UNSEEN_MS)
            return rc;
        rc = rds_pause(r, kind, err);
        if (rc != ERR_OK)
            return rc;
    }
}

enum err_code rds_begin_rename(struct rds *r, enum rds_kind kind, const char *resource_id, const char *to,
                               struct err *err)
{
    struct rds_database d;
    bool again = true;
    int64_t began_ms = clock_monotonic_ms(r->run->clock);
    enum err_code rc = find_it(r, kind, resource_id, &d, err);
    while (rc == ERR_OK && !is_named(&d, to)) {
        bool elsewhere = d.new_id[0] != '\0';
        rc = elsewhere ? err_set(err, ERR_AWS, "it is just being renamed to %s", d.new_id)
                       : ask_rename(r, &d, to, &again, err);
        if (rc == ERR_OK)
            break;
        bool patient = clock_monotonic_ms(r->run->clock) - began_ms < RENAME_PATIENCE_MS;
        if ((!elsewhere && !again) || !patient)
            return err_wrap(err, "rename %s to %s", d.id, to);
        log_info(r->run->log, "%s cannot be renamed yet: %s", d.id, err->text);
        rc = rds_pause(r, kind, err);
        if (rc == ERR_OK)
            rc = find_it(r, kind, resource_id, &d, err);
    }
    return rc;
}

/* ---- delete ---- */

/* One call that begins a deletion; one that is under way already, or over, is as good. */
static enum err_code begin_delete(struct rds *r, enum rds_kind kind, const char *id,
                                  const char *final_snapshot, struct err *err)
{
    struct http_pairs params = {0};
    struct aws_answer answer;
    struct rds_database now;
    struct err ignored;
    aws_answer_init(&answer, RDS_ANSWER_BYTES);
    http_pairs_add(&params, kinds[kind].id, id);
    if (final_snapshot != NULL) {
        http_pairs_add(&params, "SkipFinalSnapshot", "false");
        http_pairs_add(&params, "FinalDBSnapshotIdentifier", final_snapshot);
    }
    enum err_code rc = rds_call(r, kinds[kind].delete, &params, &answer, err);
    if (rc == ERR_NOT_FOUND)
        rc = ERR_OK;
    else if (rc == ERR_AWS && rds_describe(r, kind, id, &now, &ignored) == ERR_OK &&
             strcmp(now.status, "deleting") == 0)
        rc = ERR_OK;
    aws_answer_free(&answer);
    http_pairs_clear(&params);
    return rc;
}

enum err_code rds_delete(struct rds *r, const struct rds_database *database, const char *word,
                         const char *final_snapshot, struct err *err)
{
    if (strcmp(word, database->id) != 0)
        return err_set(err, ERR_REFUSED, "deleting %s needs its exact name", database->id);
    if (!rds_ident_is_legal(final_snapshot, RDS_SNAPSHOT_ID_MAX))
        return err_set(err, ERR_REFUSED,
                       "%s is not deleted without a final snapshot: '%s' is no identifier for one",
                       database->id, final_snapshot);
    if (database->cluster_id[0] != '\0')
        return err_set(err, ERR_REFUSED, "%s is a member of the cluster %s", database->id,
                       database->cluster_id);
    if (database->deletion_protection)
        return err_set(err, ERR_REFUSED, "%s is protected against deletion; take that protection off first",
                       database->id);
    enum err_code rc = ERR_OK;
    for (unsigned i = 0; i < database->member_count && rc == ERR_OK; i++)
        rc = begin_delete(r, RDS_INSTANCE, database->members[i].id, NULL, err);
    if (rc == ERR_OK)
        rc = begin_delete(r, database->kind, database->id, final_snapshot, err);
    return rc;
}
