#include "rds/rds.h"

#include "core/mem.h"
#include "rds/session.h"

#include <stdlib.h>
#include <string.h>

#define RDS_VERSION "2014-10-31"

static enum err_code query(void *self, const char *action, const struct http_pairs *params,
                           struct aws_answer *answer, struct err *err)
{
    struct rds *r = self;
    return aws_query(r->steady ? r->steady_client : r->client, action, RDS_VERSION, params, answer, err);
}

enum err_code rds_open(const struct run *run, const struct aws_settings *settings,
                       const struct rds_options *options, struct rds **out, struct err *err)
{
    struct rds_api api = {.query = query};
    struct rds *r = rds_over(run, &api, options);
    r->api.self = r;
    enum err_code rc = aws_session_open(settings, &r->session, err);
    if (rc == ERR_OK)
        rc = aws_client_new(r->session, "rds", run->cancel, &r->client, err);
    if (rc == ERR_OK)
        rc = aws_client_new(r->session, "rds", NULL, &r->steady_client, err);
    if (rc != ERR_OK) {
        rds_free(r);
        return rc;
    }
    *out = r;
    return ERR_OK;
}

struct rds *rds_over(const struct run *run, const struct rds_api *api, const struct rds_options *options)
{
    struct rds *r = xcalloc(1, sizeof *r);
    r->run = run;
    r->api = *api;
    r->options = options;
    return r;
}

void rds_free(struct rds *r)
{
    if (r == NULL)
        return;
    aws_client_free(r->steady_client);
    aws_client_free(r->client);
    aws_session_free(r->session);
    free(r);
}

const struct run *rds_run(const struct rds *r)
{
    return r->run;
}

struct cancel *rds_cancel(const struct rds *r)
{
    return r->steady ? NULL : r->run->cancel;
}

enum err_code rds_call(struct rds *r, const char *action, const struct http_pairs *params,
                       struct aws_answer *answer, struct err *err)
{
    enum err_code rc = cancel_check(rds_cancel(r), err);
    if (rc == ERR_OK)
        rc = r->api.query(r->api.self, action, params, answer, err);
    r->transient = rc == ERR_AWS && (answer->http.status == 0 || answer->http.status >= 500 ||
                                     strncmp(answer->code, "Throttl", 7) == 0);
    return rc;
}

void rds_add_tag(struct http_pairs *params, unsigned number, const char *key, const char *value)
{
    char *name = xasprintf("Tags.Tag.%u.Key", number);
    http_pairs_add(params, name, key);
    free(name);
    name = xasprintf("Tags.Tag.%u.Value", number);
    http_pairs_add(params, name, value);
    free(name);
}

/* ---- finding ---- */

static const struct {
    const char *action, *parameter, *list, *item, *filter;
} lookups[] = {
    [RDS_INSTANCE] = {"DescribeDBInstances", "DBInstanceIdentifier", "DBInstances", "DBInstance",
                      "dbi-resource-id"},
    [RDS_CLUSTER] = {"DescribeDBClusters", "DBClusterIdentifier", "DBClusters", "DBCluster",
                     "db-cluster-resource-id"},
};

static enum err_code look(struct rds *r, enum rds_kind kind, const struct http_pairs *params,
                          struct rds_look *out, struct err *err)
{
    aws_answer_init(&out->answer, RDS_ANSWER_BYTES);
    out->node = NULL;
    enum err_code rc = rds_call(r, lookups[kind].action, params, &out->answer, err);
    if (rc != ERR_OK)
        return rc;
    const struct xml_node *list = xml_find(xml_root(out->answer.xml), lookups[kind].list);
    out->node = xml_child(list, lookups[kind].item);
    return out->node != NULL ? ERR_OK : err_set(err, ERR_NOT_FOUND, "%s found nothing", lookups[kind].action);
}

enum err_code rds_look_at(struct rds *r, enum rds_kind kind, const char *id, struct rds_look *out,
                          struct err *err)
{
    struct http_pairs params = {0};
    http_pairs_add(&params, lookups[kind].parameter, id);
    enum err_code rc = look(r, kind, &params, out, err);
    http_pairs_clear(&params);
    return rc;
}

void rds_look_free(struct rds_look *l)
{
    aws_answer_free(&l->answer);
    l->node = NULL;
}

enum err_code rds_describe(struct rds *r, enum rds_kind kind, const char *id, struct rds_database *out,
                           struct err *err)
{
    struct rds_look found;
    enum err_code rc = rds_look_at(r, kind, id, &found, err);
    if (rc == ERR_OK)
        rds_database_read(found.node, kind, out);
    rds_look_free(&found);
    return rc;
}

enum err_code rds_describe_resource(struct rds *r, enum rds_kind kind, const char *resource_id,
                                    struct rds_database *out, struct err *err)
{
    struct rds_look found;
    struct http_pairs params = {0};
    http_pairs_add(&params, "Filters.Filter.1.Name", lookups[kind].filter);
    http_pairs_add(&params, "Filters.Filter.1.Values.Value.1", resource_id);
    enum err_code rc = look(r, kind, &params, &found, err);
    if (rc == ERR_OK)
        rds_database_read(found.node, kind, out);
    else if (rc == ERR_NOT_FOUND)
        err_set(err, rc, "there is no %s with the resource id %s", rds_kind_name(kind), resource_id);
    rds_look_free(&found);
    http_pairs_clear(&params);
    return rc;
}

static enum err_code another(const char *name, const char *found, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "there is no %s: what is called so in this account and region is %s",
                   name, found);
}

enum err_code rds_find(struct rds *r, const char *name, struct rds_database *out, struct err *err)
{
    char id[RDS_ID_BYTES];
    const char *type;
    enum err_code rc = rds_ident_refer(name, id, &type, err);
    if (rc != ERR_OK)
        return rc;
    if (type != NULL && strcmp(type, "db") != 0 && strcmp(type, "cluster") != 0)
        return err_set(err, ERR_USAGE, "%s names no instance and no cluster", name);
    if (type == NULL || strcmp(type, "db") == 0) {
        rc = rds_describe(r, RDS_INSTANCE, id, out, err);
        if (rc == ERR_OK && !rds_ident_is_meant(name, out->arn))
            return another(name, out->arn, err);
        if (rc == ERR_OK && out->cluster_id[0] != '\0') {
            memcpy(id, out->cluster_id, sizeof id);
            log_info(r->run->log, "%s is a member of the cluster %s, which is what is meant", name, id);
            return rds_describe(r, RDS_CLUSTER, id, out, err);
        }
        if (rc != ERR_NOT_FOUND || type != NULL)
            return rc;
    }
    rc = rds_describe(r, RDS_CLUSTER, id, out, err);
    if (rc == ERR_NOT_FOUND)
        return err_set(err, rc, "no instance and no cluster is called %s", id);
    return rc == ERR_OK && !rds_ident_is_meant(name, out->arn) ? another(name, out->arn, err) : rc;
}
