/*
 * THE place that signs, sends, retries and classifies requests to AWS and to what speaks its protocols.
 *
 * A struct aws_session is what all threads of a command share: configuration, credentials, the offset of the
 * server's clock, the regions that servers corrected.  A struct aws_client belongs to one thread: it keeps a
 * connection.
 *
 *   aws_session_open(&settings, &session, err);
 *   aws_client_new(session, "s3", cancel, &client, err);         one per thread
 *   struct aws_call call;  aws_call_init(&call, "GET");          fill in call.request
 *   struct aws_answer answer;  aws_answer_init(&answer, max);
 *   rc = aws_client_send(client, &call, &answer, err);           any number of times
 *   aws_answer_free(&answer); aws_call_end(&call); aws_client_free(client); aws_session_free(session);
 */
#ifndef DBSAFE_AWS_CLIENT_H
#define DBSAFE_AWS_CLIENT_H

#include "aws/credentials.h"
#include "aws/sigv4.h"
#include "aws/xml.h"

/* ---- session: any thread ---- */

struct aws_session;

/* Loads the configuration (ERR_CONFIG); keys are looked for at the first request.  settings is borrowed. */
enum err_code aws_session_open(const struct aws_settings *settings, struct aws_session **out,
                               struct err *err);
/* One over an existing configuration and chain, both borrowed; chain NULL: requests are not signed. */
struct aws_session *aws_session_over(struct aws_config *config, struct aws_credentials_chain *chain);
void aws_session_free(struct aws_session *s); /* after its clients */

struct aws_config *aws_session_config(struct aws_session *s);
struct aws_credentials_chain *aws_session_credentials(struct aws_session *s);
/* Server's clock minus ours, as far as a server complained; 0 otherwise. */
int64_t aws_session_clock_offset_ms(struct aws_session *s);
/* The region that a request with this region_key (a bucket, or NULL) would use: as corrected by a server,
 * else aws_config_region, else "us-east-1".  Copied to out.  Errors: the token's. */
enum err_code aws_session_region(struct aws_session *s, const char *region_key, struct cancel *cancel,
                                 struct buf *out, struct err *err);

/* ---- client: one thread at a time ---- */

struct aws_client;

/* service: the signing name, a literal: "s3", "sts", "rds".  cancel may be NULL (cleaning up after a
 * cancelled run). */
enum err_code aws_client_new(struct aws_session *session, const char *service, struct cancel *cancel,
                             struct aws_client **out, struct err *err);
void aws_client_free(struct aws_client *c);

struct aws_call {
    /* As for http_send, but without the signer's headers.  host may hold {region} and {suffix}: they are
     * filled in for each try, because a server may correct the region. */
    struct http_request request;
    const char *region_key;   /* what a corrected region is remembered for: the bucket; NULL: the session */
    const char *payload_hash; /* SHA-256 of the body in hex when the caller has it, or SIGV4_UNSIGNED_PAYLOAD
                                (then TLS is demanded: ERR_INTERNAL without); NULL: computed.  Borrowed */
    bool
        wants_xml; /* a 2xx answer must be well-formed XML whose root is not <Error>; anything else is retried
                      as if it were InternalError (an <Error> by its own code).  answer.xml is the tree */
    bool wants_length;  /* with request.into: a 2xx answer that gave less than into_bytes is retried as cut
                           short */
    unsigned max_tries; /* 0: the settings'; 1: none but the corrections of clock, region and keys */
};
void aws_call_init(struct aws_call *c, const char *method);
void aws_call_end(struct aws_call *c);

/* About the last try.  Also filled in when the call failed, so that a caller may decide by status and code.
 */
struct aws_answer {
    struct http_response http; /* .status 0: no answer */
    struct xml *xml;           /* of a 2xx with wants_xml; owned */
    char code[128];     /* <Code> of an error answer, e.g. "NoSuchUpload"; "" without (HEAD has no body) */
    char message[1024]; /* <Message>; may be empty */
    char request_id[128];
    unsigned tries;
    /* A try ended without an answer, with a server's or gateway's error (500, 502, 504), or with an answer
     * that cannot be read: it may have taken effect. */
    bool ambiguous;
};
/* max_body: as for http_response_init; 0 is right where no 2xx body is expected (errors have room always). */
void aws_answer_init(struct aws_answer *a, size_t max_body);
void aws_answer_free(struct aws_answer *a);

/*
 * ERR_OK for a 2xx.  Repeats (full jitter, Retry-After up to a minute) after: a lost connection, 408, 429,
 * 500, 502, 503, 504; SlowDown, InternalError, RequestTimeout, Throttling*, BadDigest, OperationAborted and
 * the like.  Once each, without waiting: the clock offset after RequestTimeTooSkewed, the region after a
 * redirect or AuthorizationHeaderMalformed, keys after ExpiredToken. Errors, with the server's code and words
 * in the message: ERR_CONFIG     keys unknown, wrong or expired (InvalidAccessKeyId, SignatureDoesNotMatch,
 * ...), a certificate that does not verify ERR_NOT_FOUND  404 but for NoSuchBucket and NoSuchUpload
 *   ERR_STORAGE    s3: everything else (AccessDenied, NoSuchBucket, 412, tries used up); ERR_NOSPACE
 * QuotaExceeded ERR_AWS        other services: everything else the token's    cancelled, also while waiting
 * A HEAD's 403 has no body, so that wrong keys look like AccessDenied: ask with GET first.
 */
enum err_code aws_client_send(struct aws_client *c, const struct aws_call *call, struct aws_answer *answer,
                              struct err *err);

/* The session's, for callers that have just the client. */
struct aws_session *aws_client_session(struct aws_client *c);

/* ---- Query protocol (STS, RDS) ---- */

/*
 * POST to the service's endpoint with Action, Version and params as a form body, in their order; the answer
 * is XML (its root is <ActionResponse>).  params may be NULL.
 */
enum err_code aws_query(struct aws_client *c, const char *action, const char *version,
                        const struct http_pairs *params, struct aws_answer *answer, struct err *err);

#endif
