/*
 * What an answer means: its error code and words, and what is to be done about it.  Inside src/aws only; pure
 * functions. Source: S3 API reference, "Error responses"; common errors of the Query APIs; retry tables of
 * botocore.
 */
#ifndef DBSAFE_AWS_ANSWER_H
#define DBSAFE_AWS_ANSWER_H

#include "aws/client.h"

enum aws_verdict {
    VERDICT_DONE,
    VERDICT_TRANSIENT, /* again, after a wait */
    VERDICT_THROTTLED, /* again, after a longer wait */
    VERDICT_CLOCK,     /* again with the server's time */
    VERDICT_REGION,    /* again in another region */
    VERDICT_EXPIRED,   /* again with fresh keys */
    VERDICT_KEYS,      /* the keys are wrong */
    VERDICT_MISSING,   /* what was asked for does not exist */
    VERDICT_FULL,      /* a quota or the space is used up */
    VERDICT_FAILED     /* anything else; repeating does not help */
};

/* What the server said besides. */
struct aws_hints {
    char region[64]; /* "": none */
    bool has_server_time;
    int64_t server_ms;      /* wall clock of the server */
    int64_t retry_after_ms; /* 0: none; at most a minute */
};

/* Judges the answer in a->http, fills in a->code, message, request_id and xml.  now_ms: the server's clock as
 * we think, when the answer had come (sending may have taken minutes); region: the one that was used. */
enum aws_verdict answer_judge(const struct aws_call *call, struct aws_answer *a, int64_t now_ms,
                              const char *region, struct aws_hints *hints);

#endif
