/*
 * The client of RDS: what snapshot.h, restore.h and instance.h stand on. It asks over the Query protocol
 * (aws/client.h), finds things by the names people use, and waits for them.
 *
 * A struct rds belongs to one thread. It borrows run, settings and options, and what they point to.
 *
 * AWS goes on by itself with what it was told: a wait that ends early (a signal, a limit) changes nothing
 * there, and every function that starts something can be called again with the same arguments and goes on
 * where it is.
 */
#ifndef DBSAFE_RDS_RDS_H
#define DBSAFE_RDS_RDS_H

#include "aws/client.h"
#include "core/run.h"
#include "rds/thing.h"

/* What a wait sees; strings are valid during the call. */
struct rds_news {
    enum rds_kind kind;
    const char *id, *status;
    int percent;          /* -1: RDS does not say */
    int64_t elapsed_ms;   /* since the wait began */
    int64_t remaining_ms; /* an estimate from percent; -1: none */
    bool changed;         /* the status is another one than before */
};

struct rds_options {
    int64_t snapshot_poll_ms;                               /* 0: 15,000 */
    int64_t instance_poll_ms;                               /* of instances and clusters, 0: 30,000 */
    int64_t limit_ms;                                       /* of each wait, 0: none */
    void (*report)(void *arg, const struct rds_news *news); /* after each look; NULL: none */
    void *report_arg;
    /* Waits between two looks; NULL: clock_backoff. */
    enum err_code (*wait)(void *arg, int64_t ms, struct cancel *cancel, struct err *err);
    void *wait_arg;
};

/* One call of the API: aws_query on a client, or what a test puts in its place. */
struct rds_api {
    enum err_code (*query)(void *self, const char *action, const struct http_pairs *params,
                           struct aws_answer *answer, struct err *err);
    void *self;
};

struct rds;

enum err_code rds_open(const struct run *run, const struct aws_settings *settings,
                       const struct rds_options *options, struct rds **out, struct err *err);
/* One over another API. */
struct rds *rds_over(const struct run *run, const struct rds_api *api, const struct rds_options *options);
void rds_free(struct rds *r);
const struct run *rds_run(const struct rds *r);

/* ERR_OK, or as aws_client_send says: ERR_NOT_FOUND for a 404, ERR_CONFIG for keys, ERR_AWS with AWS's words
 * for the rest, the token's own.  answer: from aws_answer_init; code and ambiguous tell more about an error.
 */
enum err_code rds_call(struct rds *r, const char *action, const struct http_pairs *params,
                       struct aws_answer *answer, struct err *err);
/* Largest answer that is taken: a page has at most 100 things. */
#define RDS_ANSWER_BYTES ((size_t)8 << 20)

/* Adds Tags.Tag.<number>.Key and .Value. */
void rds_add_tag(struct http_pairs *params, unsigned number, const char *key, const char *value);

/* ---- finding ---- */

/* A description with its XML: settings.h reads the node.  rds_look_free on success and failure. */
struct rds_look {
    struct aws_answer answer;
    const struct xml_node *node; /* DBInstance or DBCluster; NULL on failure */
};
enum err_code rds_look_at(struct rds *r, enum rds_kind kind, const char *id, struct rds_look *out,
                          struct err *err);
void rds_look_free(struct rds_look *l);

/* By identifier, or by what stays when that changes. ERR_NOT_FOUND. */
enum err_code rds_describe(struct rds *r, enum rds_kind kind, const char *id, struct rds_database *out,
                           struct err *err);
enum err_code rds_describe_resource(struct rds *r, enum rds_kind kind, const char *resource_id,
                                    struct rds_database *out, struct err *err);
/* What a person calls NAME: an instance; the cluster of an instance that is a member of one; else the cluster
 * of that name; an ARN only that very one. ERR_NOT_FOUND when there is none, ERR_USAGE when it is no
 * identifier. */
enum err_code rds_find(struct rds *r, const char *name, struct rds_database *out, struct err *err);

/* ---- waiting ---- */

/* Until the snapshot can be used.  fresh: it was just begun, so that not being found is no answer for the
 * first two minutes.  ERR_AWS when it failed, ERR_TIMEOUT, ERR_NOT_FOUND, the token's own. */
enum err_code rds_wait_snapshot(struct rds *r, enum rds_kind kind, const char *id, bool fresh,
                                struct rds_snapshot *out, struct err *err);
/* Until the instance or cluster is available to stay, and no modification is pending. */
enum err_code rds_wait_database(struct rds *r, enum rds_kind kind, const char *id, bool fresh,
                                struct rds_database *out, struct err *err);
/* Until that very instance or cluster is called id, and available. */
enum err_code rds_wait_renamed(struct rds *r, enum rds_kind kind, const char *resource_id, const char *id,
                               struct rds_database *out, struct err *err);
/* Until it is called so, available or not. */
enum err_code rds_wait_named(struct rds *r, enum rds_kind kind, const char *resource_id, const char *id,
                             struct rds_database *out, struct err *err);
/* Until the name is no more that resource's, but nobody's or another's; how it fares does not matter. ERR_AWS
 * when it keeps the name and nothing shows that it will be renamed. */
enum err_code rds_wait_left(struct rds *r, enum rds_kind kind, const char *name, const char *resource_id,
                            struct err *err);

#endif
