/*
 * What the AWS modules are told from outside: environment, files, clock, randomness, endpoints.  Filled in by
 * src/cli (and by tests, with files and addresses of their own), read-only, and alive as long as any config,
 * credentials chain or session made from it.  Zero is the default everywhere but where a line says otherwise.
 */
#ifndef DBSAFE_AWS_SETTINGS_H
#define DBSAFE_AWS_SETTINGS_H

#include "core/cancel.h"
#include "core/clock.h"
#include "core/log.h"

#include <stdint.h>

/* Defaults are those of the SDKs' documentation: 10 tries, full jitter, at most 20 s between two. */
struct aws_retry {
    unsigned max_tries;       /* 0: 10 */
    int64_t base_ms;          /* first wait after a lost connection or a 5xx, 0: 50 */
    int64_t throttle_base_ms; /* first wait after throttling, 0: 500 */
    int64_t cap_ms;           /* 0: 20,000 */
    /* Waits between tries; NULL: clock_backoff. */
    enum err_code (*wait)(void *arg, int64_t ms, struct cancel *cancel, struct err *err);
    void *wait_arg;
};

struct http_request;

struct aws_settings {
    char *const *environment;  /* required: as of main(); AWS_*, HOME, the proxy variables */
    const struct clock *clock; /* required */
    struct log *log;           /* NULL: none */
    const char *profile;       /* --profile; NULL: AWS_PROFILE, AWS_DEFAULT_PROFILE, else "default" */
    const char *region;        /* --region; NULL: see aws_config_region */
    const char *endpoint_url;  /* --endpoint-url: for S3 only; NULL: see aws_config_endpoint */
    const char *ca_bundle;     /* NULL: AWS_CA_BUNDLE, the profile's ca_bundle, else the system's */
    struct aws_retry retry;
    /* 64 random bits, from any thread; NULL: the system's. */
    uint64_t (*random)(void *arg);
    void *random_arg;
    /* Called before each try of aws_client_send, from any thread; an error is taken for a lost connection
     * ("try" counts from 1).  NULL: none.  For tests. */
    enum err_code (*on_try)(void *arg, const struct http_request *request, unsigned try, struct err *err);
    void *on_try_arg;
    const char *imds_url;        /* NULL: AWS_EC2_METADATA_SERVICE_ENDPOINT, else http://169.254.169.254 */
    const char *ecs_url;         /* NULL: http://169.254.170.2, to which the relative URI is appended */
    int64_t metadata_timeout_ms; /* of one request, 0: 1,000 for EC2 and 2,000 for containers */
    int64_t connect_timeout_ms;  /* 0: 10,000 */
    int64_t stall_timeout_ms;    /* 0: 30,000 */
};

#endif
