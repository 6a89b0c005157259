/* The state of a struct rds; inside src/rds only. */
#ifndef DBSAFE_RDS_SESSION_H
#define DBSAFE_RDS_SESSION_H

#include "rds/rds.h"

struct rds {
    const struct run *run;
    struct rds_api api;
    const struct rds_options *options;
    struct aws_session *session; /* owned; NULL over another API */
    struct aws_client *client;   /* cancellable */
    struct aws_client *steady_client;
    bool steady;    /* a signal is not obeyed just now: see cutover.c */
    bool transient; /* the last call failed in a way that may pass: no answer, 5xx, throttled */
};

/* The token that ends calls and waits now; NULL while nothing may. */
struct cancel *rds_cancel(const struct rds *r);
/* The wait between two looks at something of that kind. */
enum err_code rds_pause(struct rds *r, enum rds_kind kind, struct err *err);

#endif
