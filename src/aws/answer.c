#include "aws/answer.h"

#include "aws/aws_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER_MAX_MS 60000
#define BODY_MIN_BYTES     (64 * 1024) /* room for an error's words, whatever the caller expects */
/* Servers accept 15 minutes of difference (S3) or 5 (others). */
#define SKEW_MS 240000

static const struct {
    const char *code;
    enum aws_verdict verdict;
} codes[] = {
    {"SlowDown", VERDICT_THROTTLED},
    {"ServiceUnavailable", VERDICT_THROTTLED},
    {"Throttling", VERDICT_THROTTLED},
    {"ThrottlingException", VERDICT_THROTTLED},
    {"ThrottledException", VERDICT_THROTTLED},
    {"RequestThrottled", VERDICT_THROTTLED},
    {"RequestThrottledException", VERDICT_THROTTLED},
    {"TooManyRequests", VERDICT_THROTTLED},
    {"TooManyRequestsException", VERDICT_THROTTLED},
    {"RequestLimitExceeded", VERDICT_THROTTLED},
    {"BandwidthLimitExceeded", VERDICT_THROTTLED},
    {"PriorRequestNotComplete", VERDICT_THROTTLED},
    {"InternalError", VERDICT_TRANSIENT},
    {"InternalFailure", VERDICT_TRANSIENT},
    {"InternalServerError", VERDICT_TRANSIENT},
    {"RequestTimeout", VERDICT_TRANSIENT},
    {"RequestTimeoutException", VERDICT_TRANSIENT},
    {"BadDigest", VERDICT_TRANSIENT},
    {"XAmzContentSHA256Mismatch", VERDICT_TRANSIENT},
    {"IncompleteBody", VERDICT_TRANSIENT},
    {"OperationAborted", VERDICT_TRANSIENT},
    {"IDPCommunicationError", VERDICT_TRANSIENT},
    {"RequestTimeTooSkewed", VERDICT_CLOCK},
    {"RequestExpired", VERDICT_CLOCK},
    {"RequestInTheFuture", VERDICT_CLOCK},
    {"AuthorizationHeaderMalformed", VERDICT_REGION},
    {"PermanentRedirect", VERDICT_REGION},
    {"TemporaryRedirect", VERDICT_REGION},
    {"IllegalLocationConstraintException", VERDICT_REGION},
    {"IncorrectEndpoint", VERDICT_REGION},
    {"ExpiredToken", VERDICT_EXPIRED},
    {"ExpiredTokenException", VERDICT_EXPIRED},
    {"TokenRefreshRequired", VERDICT_EXPIRED},
    {"InvalidAccessKeyId", VERDICT_KEYS},
    {"SignatureDoesNotMatch", VERDICT_KEYS},
    {"InvalidSignatureException", VERDICT_KEYS},
    {"IncompleteSignature", VERDICT_KEYS},
    {"InvalidClientTokenId", VERDICT_KEYS},
    {"UnrecognizedClientException", VERDICT_KEYS},
    {"InvalidToken", VERDICT_KEYS},
    {"InvalidSecurity", VERDICT_KEYS},
    {"InvalidIdentityToken", VERDICT_KEYS},
    {"MissingAuthenticationToken", VERDICT_KEYS},
    {"AuthFailure", VERDICT_KEYS},
    {"NotSignedUp", VERDICT_KEYS},
    {"OptInRequired", VERDICT_KEYS},
    {"QuotaExceeded", VERDICT_FULL},
    {"InsufficientStorage", VERDICT_FULL},
    {"XMinioStorageFull", VERDICT_FULL},
    {"NoSuchBucket", VERDICT_FAILED},
    {"NoSuchUpload", VERDICT_FAILED},
};

/* For answers without a code that is known. */
static enum aws_verdict by_status(int status)
{
    switch (status) {
    case 301:
    case 302:
    case 307:
    case 308:
        return VERDICT_REGION;
    case 404:
        return VERDICT_MISSING;
    case 429:
    case 503:
        return VERDICT_THROTTLED;
    case 408:
    case 500:
    case 502:
    case 504:
        return VERDICT_TRANSIENT;
    case 507:
        return VERDICT_FULL;
    default:
        return VERDICT_FAILED;
    }
}

static enum aws_verdict by_code(const char *code, int status)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(codes[i].code, code) == 0)
            return codes[i].verdict;
    return by_status(status);
}

/* The server's words, cut where they are too long.  They go to terminals and logs: no control characters. */
static void copy_words(char *out, size_t room, const char *text)
{
    size_t n = strnlen(text, room - 1);
    memcpy(out, text, n);
    out[n] = '\0';
    for (char *c = out; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = ' ';
}

static void take_request_id(struct aws_answer *a, const char *in_body)
{
    const char *id = *in_body != '\0' ? in_body : http_pairs_get(&a->http.headers, "x-amz-request-id");
    if (id == NULL)
        id = http_pairs_get(&a->http.headers, "x-amzn-requestid");
    copy_words(a->request_id, sizeof a->request_id, id != NULL ? id : "");
}

/* An <Error>, alone (S3) or inside <ErrorResponse> (Query protocol). */
static void take_error(struct aws_answer *a, const struct xml_node *root, struct aws_hints *hints)
{
    const struct xml_node *error = strcmp(root->name, "Error") == 0 ? root : xml_find(root, "Error");
    const char *id = xml_text(error, "RequestId", NULL);
    copy_words(a->code, sizeof a->code, xml_text(error, "Code", NULL));
    copy_words(a->message, sizeof a->message, xml_text(error, "Message", NULL));
    take_request_id(a, *id != '\0' ? id : xml_text(root, "RequestId", NULL));
    const char *region = xml_text(error, "Region", NULL);
    if (hints->region[0] == '\0' && aws_region_is_sane(region))
        snprintf(hints->region, sizeof hints->region, "%s", region);
    if (aws_time_parse(xml_text(error, "ServerTime", NULL), &hints->server_ms))
        hints->has_server_time = true;
}

static void take_retry_after(const char *text, struct aws_hints *hints)
{
    int64_t at, ms = 0;
    char *end;
    long seconds = strtol(text, &end, 10);
    if (*end == '\0' && seconds > 0 && seconds < 86400)
        ms = seconds * 1000;
    else if (*end != '\0' && hints->has_server_time && aws_time_parse_http(text, &at))
        ms = at - hints->server_ms;
    hints->retry_after_ms = ms < 0 ? 0 : ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : ms;
}

static void take_headers(const struct aws_answer *a, struct aws_hints *hints)
{
    const char *date = http_pairs_get(&a->http.headers, "date");
    const char *region = http_pairs_get(&a->http.headers, "x-amz-bucket-region");
    const char *after = http_pairs_get(&a->http.headers, "retry-after");
    if (date != NULL && aws_time_parse_http(date, &hints->server_ms))
        hints->has_server_time = true;
    if (region != NULL && aws_region_is_sane(region))
        snprintf(hints->region, sizeof hints->region, "%s", region);
    if (after != NULL)
        take_retry_after(after, hints);
}

/* Other services and HEAD say it less clearly: refused, and the server's clock is far from ours. */
static bool is_skewed(const struct aws_answer *a, int64_t now_ms, const struct aws_hints *hints)
{
    int64_t skew = hints->server_ms > now_ms ? hints->server_ms - now_ms : now_ms - hints->server_ms;
    return hints->has_server_time && skew > SKEW_MS && (a->http.status == 403 || a->http.status == 400);
}

static enum aws_verdict judge_error(struct aws_answer *a, int64_t now_ms, const char *region,
                                    const struct aws_hints *hints)
{
    enum aws_verdict verdict = by_code(a->code, a->http.status);
    bool elsewhere = hints->region[0] != '\0' && strcmp(hints->region, region) != 0;
    if ((verdict == VERDICT_KEYS || verdict == VERDICT_FAILED) && is_skewed(a, now_ms, hints))
        return VERDICT_CLOCK;
    if (verdict == VERDICT_CLOCK && !hints->has_server_time)
        return VERDICT_FAILED;
    /* A HEAD in the wrong region is a 400 that names the right one in a header alone. */
    if (verdict == VERDICT_FAILED && a->http.status == 400 && a->code[0] == '\0' && elsewhere)
        return VERDICT_REGION;
    /* A bucket that is new answers 307 for a while. */
    if (verdict == VERDICT_REGION && !elsewhere)
        return a->http.status == 307 ? VERDICT_TRANSIENT : VERDICT_FAILED;
    return verdict;
}

static enum aws_verdict judge_success(const struct aws_call *call, struct aws_answer *a, int64_t now_ms,
                                      const char *region, struct aws_hints *hints)
{
    struct err err;
    if (call->wants_length && a->http.into_got < call->request.into_bytes) {
        snprintf(a->message, sizeof a->message, "the answer has %zu of the %zu bytes that were asked for",
                 a->http.into_got, call->request.into_bytes);
        return VERDICT_TRANSIENT;
    }
    if (!call->wants_xml)
        return VERDICT_DONE;
    if (xml_parse(a->http.body.data, a->http.body.len, &a->xml, &err) != ERR_OK) {
        copy_words(a->message, sizeof a->message, err.text);
        return VERDICT_TRANSIENT;
    }
    if (strcmp(xml_root(a->xml)->name, "Error") != 0)
        return VERDICT_DONE;
    take_error(a, xml_root(a->xml), hints);
    xml_free(a->xml);
    a->xml = NULL;
    return judge_error(a, now_ms, region, hints);
}

enum aws_verdict answer_judge(const struct aws_call *call, struct aws_answer *a, int64_t now_ms,
                              const char *region, struct aws_hints *hints)
{
    struct xml *body = NULL;
    *hints = (struct aws_hints){0};
    take_headers(a, hints);
    take_request_id(a, "");
    if (a->http.status / 100 == 2)
        return judge_success(call, a, now_ms, region, hints);
    /* Proxies and gateways answer in HTML or not at all: then the status alone counts. */
    if (a->http.body.len > 0 && xml_parse(a->http.body.data, a->http.body.len, &body, NULL) == ERR_OK)
        take_error(a, xml_root(body), hints);
    xml_free(body);
    return judge_error(a, now_ms, region, hints);
}

void aws_answer_init(struct aws_answer *a, size_t max_body)
{
    *a = (struct aws_answer){0};
    http_response_init(&a->http, max_body > BODY_MIN_BYTES ? max_body : BODY_MIN_BYTES);
}

void aws_answer_free(struct aws_answer *a)
{
    http_response_free(&a->http);
    xml_free(a->xml);
    a->xml = NULL;
}
