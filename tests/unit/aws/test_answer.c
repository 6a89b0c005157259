#include "support/test.h"

#include "aws/answer.h"

#include <string.h>

#define NOW       INT64_C(1792868645000) /* 2026-10-24T19:04:05Z */
#define NOW_HTTP  "Sat, 24 Oct 2026 19:04:05 GMT"
#define HOUR_LATE "Sat, 24 Oct 2026 20:04:05 GMT"

struct case_ {
    int status;
    const char *header, *value; /* one header, or NULL */
    const char *body;
    enum aws_verdict verdict;
    const char *code; /* NULL: "" */
};

static enum aws_verdict judge(const struct aws_call *call, struct aws_answer *a, const struct case_ *c,
                              struct aws_hints *hints)
{
    struct err err;
    aws_answer_init(a, 0);
    a->http.status = c->status;
    if (c->header != NULL)
        http_pairs_add(&a->http.headers, c->header, c->value);
    if (c->body != NULL)
        assert_ok(buf_add(&a->http.body, c->body, strlen(c->body), &err), &err);
    return answer_judge(call, a, NOW, "us-east-1", hints);
}

#define ERROR_XML(code)                                                                                      \
    "<?xml version='1.0'?><Error><Code>" code "</Code><Message>words\nof it</Message></Error>"
#define QUERY_ERROR(code)                                                                                    \
    "<ErrorResponse xmlns='x'><Error><Type>Sender</Type><Code>" code "</Code></Error></ErrorResponse>"

static const struct case_ cases[] = {
    {200, NULL, NULL, NULL, VERDICT_DONE, NULL},
    {204, NULL, NULL, NULL, VERDICT_DONE, NULL},
    {206, NULL, NULL, "x", VERDICT_DONE, NULL},
    {304, NULL, NULL, NULL, VERDICT_FAILED, NULL},
    {400, NULL, NULL, NULL, VERDICT_FAILED, NULL},
    {400, NULL, NULL, ERROR_XML("RequestTimeout"), VERDICT_TRANSIENT, "RequestTimeout"},
    {400, NULL, NULL, ERROR_XML("BadDigest"), VERDICT_TRANSIENT, "BadDigest"},
    {400, NULL, NULL, ERROR_XML("MalformedXML"), VERDICT_FAILED, "MalformedXML"},
    {400, NULL, NULL, ERROR_XML("ExpiredToken"), VERDICT_EXPIRED, "ExpiredToken"},
    {403, NULL, NULL, QUERY_ERROR("ExpiredTokenException"), VERDICT_EXPIRED, "ExpiredTokenException"},
    {400, NULL, NULL, QUERY_ERROR("Throttling"), VERDICT_THROTTLED, "Throttling"},
    {403, NULL, NULL, ERROR_XML("AccessDenied"), VERDICT_FAILED, "AccessDenied"},
    {403, NULL, NULL, ERROR_XML("InvalidAccessKeyId"), VERDICT_KEYS, "InvalidAccessKeyId"},
    {403, NULL, NULL, ERROR_XML("SignatureDoesNotMatch"), VERDICT_KEYS, "SignatureDoesNotMatch"},
    {403, NULL, NULL, QUERY_ERROR("InvalidClientTokenId"), VERDICT_KEYS, "InvalidClientTokenId"},
    {403, NULL, NULL, ERROR_XML("QuotaExceeded"), VERDICT_FULL, "QuotaExceeded"},
    {403, NULL, NULL, NULL, VERDICT_FAILED, NULL},
    {404, NULL, NULL, NULL, VERDICT_MISSING, NULL},
    {404, NULL, NULL, ERROR_XML("NoSuchKey"), VERDICT_MISSING, "NoSuchKey"},
    {404, NULL, NULL, QUERY_ERROR("DBInstanceNotFound"), VERDICT_MISSING, "DBInstanceNotFound"},
    {404, NULL, NULL, ERROR_XML("NoSuchBucket"), VERDICT_FAILED, "NoSuchBucket"},
    {404, NULL, NULL, ERROR_XML("NoSuchUpload"), VERDICT_FAILED, "NoSuchUpload"},
    {408, NULL, NULL, NULL, VERDICT_TRANSIENT, NULL},
    {409, NULL, NULL, ERROR_XML("OperationAborted"), VERDICT_TRANSIENT, "OperationAborted"},
    {409, NULL, NULL, ERROR_XML("ConditionalRequestConflict"), VERDICT_FAILED, "ConditionalRequestConflict"},
    {412, NULL, NULL, ERROR_XML("PreconditionFailed"), VERDICT_FAILED, "PreconditionFailed"},
    {429, NULL, NULL, NULL, VERDICT_THROTTLED, NULL},
    {500, NULL, NULL, ERROR_XML("InternalError"), VERDICT_TRANSIENT, "InternalError"},
    {500, NULL, NULL, ERROR_XML("NeverHeardOf"), VERDICT_TRANSIENT, "NeverHeardOf"},
    {500, NULL, NULL, ERROR_XML("AccessDenied"), VERDICT_TRANSIENT, "AccessDenied"},
    {501, NULL, NULL, ERROR_XML("NotImplemented"), VERDICT_FAILED, "NotImplemented"},
    {502, NULL, NULL, "<html><p>Bad gateway<br></html>", VERDICT_TRANSIENT, NULL},
    {503, NULL, NULL, ERROR_XML("SlowDown"), VERDICT_THROTTLED, "SlowDown"},
    {503, NULL, NULL, NULL, VERDICT_THROTTLED, NULL},
    {504, NULL, NULL, NULL, VERDICT_TRANSIENT, NULL},
    {507, NULL, NULL, NULL, VERDICT_FULL, NULL},
    /* clocks */
    {403, NULL, NULL,
     "<Error><Code>RequestTimeTooSkewed</Code><ServerTime>2026-10-24T20:04:05Z</ServerTime></Error>",
     VERDICT_CLOCK, "RequestTimeTooSkewed"},
    {403, "Date", HOUR_LATE, ERROR_XML("RequestTimeTooSkewed"), VERDICT_CLOCK, "RequestTimeTooSkewed"},
    {403, NULL, NULL, ERROR_XML("RequestTimeTooSkewed"), VERDICT_FAILED, "RequestTimeTooSkewed"},
    {403, "Date", HOUR_LATE, NULL, VERDICT_CLOCK, NULL},
    {403, "Date", NOW_HTTP, NULL, VERDICT_FAILED, NULL},
    {403, "Date", HOUR_LATE, QUERY_ERROR("SignatureDoesNotMatch"), VERDICT_CLOCK, "SignatureDoesNotMatch"},
    {403, "Date", NOW_HTTP, QUERY_ERROR("SignatureDoesNotMatch"), VERDICT_KEYS, "SignatureDoesNotMatch"},
    {500, "Date", HOUR_LATE, NULL, VERDICT_TRANSIENT, NULL},
    /* regions */
    {301, "x-amz-bucket-region", "eu-west-1", NULL, VERDICT_REGION, NULL},
    {301, NULL, NULL, "<Error><Code>PermanentRedirect</Code><Region>eu-west-1</Region></Error>",
     VERDICT_REGION, "PermanentRedirect"},
    {301, NULL, NULL, ERROR_XML("PermanentRedirect"), VERDICT_FAILED, "PermanentRedirect"},
    {301, "x-amz-bucket-region", "us-east-1", NULL, VERDICT_FAILED, NULL},
    {301, "x-amz-bucket-region", "evil.example.com/", NULL, VERDICT_FAILED, NULL},
    {307, "x-amz-bucket-region", "eu-west-1", NULL, VERDICT_REGION, NULL},
    {307, NULL, NULL, NULL, VERDICT_TRANSIENT, NULL},
    {400, "x-amz-bucket-region", "eu-west-1", NULL, VERDICT_REGION, NULL},
    {400, "x-amz-bucket-region", "us-east-1", NULL, VERDICT_FAILED, NULL},
    {400, NULL, NULL, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>",
     VERDICT_REGION, "AuthorizationHeaderMalformed"},
    {400, NULL, NULL, ERROR_XML("AuthorizationHeaderMalformed"), VERDICT_FAILED,
     "AuthorizationHeaderMalformed"},
};

static void each_answer_has_its_verdict(void **state)
{
    (void)state;
    struct aws_call call;
    aws_call_init(&call, "GET");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct case_ *c = &cases[i];
        struct aws_answer a;
        struct aws_hints hints;
        enum aws_verdict got = judge(&call, &a, c, &hints);
        if (got != c->verdict || strcmp(a.code, c->code != NULL ? c->code : "") != 0)
            fail_msg("%d %s %s: verdict %d, not %d; code '%s'", c->status, c->value, c->body, got, c->verdict,
                     a.code);
        if (got == VERDICT_REGION)
            assert_string_equal(hints.region, "eu-west-1");
        if (got == VERDICT_CLOCK)
            assert_true(hints.server_ms == NOW + 3600000);
        aws_answer_free(&a);
    }
}

static void words_and_ids(void **state)
{
    (void)state;
    struct aws_call call;
    struct aws_answer a;
    struct aws_hints hints;
    aws_call_init(&call, "GET");
    struct case_ s3 = {
        .status = 400, .header = "X-Amz-Request-Id", .value = "HEADER", .body = ERROR_XML("Odd")};
    judge(&call, &a, &s3, &hints);
    assert_string_equal(a.message, "words of it");
    assert_string_equal(a.request_id, "HEADER");
    aws_answer_free(&a);
    struct case_ query = {.status = 400,
                          .body = "<R><Error><Code>C</Code></Error><RequestId>BODY</RequestId></R>"};
    judge(&call, &a, &query, &hints);
    assert_string_equal(a.request_id, "BODY");
    aws_answer_free(&a);
}

static void xml_is_demanded(void **state)
{
    (void)state;
    static const struct case_ demanding[] = {
        {200, NULL, NULL, "<Result/>", VERDICT_DONE, NULL},
        {200, NULL, NULL, "\n\n <Result/>", VERDICT_DONE, NULL},
        {200, NULL, NULL, NULL, VERDICT_TRANSIENT, NULL},
        {200, NULL, NULL, "<Result>", VERDICT_TRANSIENT, NULL},
        {200, NULL, NULL, ERROR_XML("InternalError"), VERDICT_TRANSIENT, "InternalError"},
        {200, NULL, NULL, ERROR_XML("SlowDown"), VERDICT_THROTTLED, "SlowDown"},
        {200, NULL, NULL, ERROR_XML("AccessDenied"), VERDICT_FAILED, "AccessDenied"},
        {200, NULL, NULL, ERROR_XML("NoSuchUpload"), VERDICT_FAILED, "NoSuchUpload"},
    };
    struct aws_call call;
    aws_call_init(&call, "POST");
    call.wants_xml = true;
    for (size_t i = 0; i < sizeof demanding / sizeof demanding[0]; i++) {
        struct aws_answer a;
        struct aws_hints hints;
        enum aws_verdict got = judge(&call, &a, &demanding[i], &hints);
        if (got != demanding[i].verdict)
            fail_msg("%s: verdict %d", demanding[i].body, got);
        assert_int_equal(a.xml != NULL, got == VERDICT_DONE);
        aws_answer_free(&a);
    }
}

static void the_length_is_demanded(void **state)
{
    (void)state;
    struct aws_call call;
    struct aws_answer a;
    struct aws_hints hints;
    struct case_ ranged = {.status = 206};
    char got[4];
    aws_call_init(&call, "GET");
    call.request.into = got;
    call.request.into_bytes = sizeof got;
    assert_int_equal(judge(&call, &a, &ranged, &hints), VERDICT_DONE);
    aws_answer_free(&a);
    call.wants_length = true;
    assert_int_equal(judge(&call, &a, &ranged, &hints), VERDICT_TRANSIENT);
    assert_string_equal(a.message, "the answer has 0 of the 4 bytes that were asked for");
    aws_answer_free(&a);
}

static void retry_after(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } values[] = {{"3", 3000}, {"0", 0}, {"-1", 0}, {"600", 60000}, {"soon", 0}, {"", 0}};
    struct aws_call call;
    struct aws_answer a;
    struct aws_hints hints;
    aws_call_init(&call, "GET");
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct case_ c = {.status = 503, .header = "Retry-After", .value = values[i].text};
        judge(&call, &a, &c, &hints);
        if (hints.retry_after_ms != values[i].ms)
            fail_msg("'%s': %lld ms", values[i].text, (long long)hints.retry_after_ms);
        aws_answer_free(&a);
    }
    /* A date counts from the server's own. */
    aws_answer_init(&a, 0);
    a.http.status = 503;
    http_pairs_add(&a.http.headers, "Date", HOUR_LATE);
    http_pairs_add(&a.http.headers, "Retry-After", "Sat, 24 Oct 2026 20:04:15 GMT");
    assert_int_equal(answer_judge(&call, &a, NOW, "us-east-1", &hints), VERDICT_THROTTLED);
    assert_int_equal(hints.retry_after_ms, 10000);
    aws_answer_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_has_its_verdict),
        cmocka_unit_test(words_and_ids),
        cmocka_unit_test(xml_is_demanded),
        cmocka_unit_test(the_length_is_demanded),
        cmocka_unit_test(retry_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
