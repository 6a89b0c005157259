/*
 * Signing, sending, repeating.  The server is a fake that checks signatures and fails on demand
 * (tests/lib/aws_stub.py); against a real one src/s3 is tested.
 */
#include "support/aws_world.h"

#include "aws/client.h"
#include "core/group.h"

struct world {
    struct aws_world *w;
    struct aws_session *session;
    struct aws_client *client;
    struct aws_call call;
    struct aws_answer answer;
};

static void open_session(struct world *t, const char *service)
{
    struct err *err = &t->w->err;
    aws_client_free(t->client);
    aws_session_free(t->session);
    assert_ok(aws_session_open(&t->w->settings, &t->session, err), err);
    assert_ok(aws_client_new(t->session, service, NULL, &t->client, err), err);
}

static int set_up(void **state)
{
    struct world *t = calloc(1, sizeof *t);
    t->w = world_open();
    world_set(t->w, "AWS_ACCESS_KEY_ID=AKIAENV");
    world_set(t->w, "AWS_SECRET_ACCESS_KEY=env-secret");
    world_set(t->w, "AWS_REGION=us-east-1");
    stub_say(&t->w->stub, "keys AKIAENV env-secret");
    t->w->random = UINT64_MAX - 1;
    aws_call_init(&t->call, "GET");
    t->call.request.plain = true;
    t->call.request.host = "127.0.0.1";
    t->call.request.port = t->w->stub.port;
    t->call.request.path = "/bucket/a key+(\xC3\xA4)";
    aws_answer_init(&t->answer, 100000);
    open_session(t, "s3");
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct world *t = *state;
    aws_answer_free(&t->answer);
    aws_call_end(&t->call);
    aws_client_free(t->client);
    aws_session_free(t->session);
    world_close(t->w);
    free(t);
    return 0;
}

static enum err_code send_call(struct world *t)
{
    t->w->wait_count = 0;
    return aws_client_send(t->client, &t->call, &t->answer, &t->w->err);
}

static void works(struct world *t, unsigned tries)
{
    assert_ok(send_call(t), &t->w->err);
    assert_int_equal(t->answer.tries, tries);
}

static void fails(struct world *t, enum err_code want, unsigned tries, const char *words)
{
    assert_err(send_call(t), want, &t->w->err);
    if (strstr(t->w->err.text, words) == NULL)
        fail_msg("'%s' has no '%s'", t->w->err.text, words);
    assert_int_equal(t->answer.tries, tries);
}

static void plan(struct world *t, unsigned times, const char *fault)
{
    for (unsigned i = 0; i < times; i++)
        stub_say(&t->w->stub, "plan %s", fault);
}

/* ---- signing ---- */

static void signatures_are_accepted(void **state)
{
    struct world *t = *state;
    works(t, 1);
    http_pairs_add(&t->call.request.query, "prefix", "a/b c&d=+");
    http_pairs_add(&t->call.request.query, "list-type", "2");
    http_pairs_add(&t->call.request.query, "delimiter", NULL);
    http_pairs_add(&t->call.request.headers, "x-amz-meta-name", "  two   words ");
    http_pairs_add(&t->call.request.headers, "Content-Type", "text/plain");
    works(t, 1);
    t->call.request.method = "PUT";
    t->call.request.body = "a body";
    t->call.request.body_bytes = 6;
    works(t, 1);
    assert_string_equal(stub_say(&t->w->stub, "header x-amz-content-sha256"),
                        "771824de42287642fa0fbe0b568b80cc3290e29b7d3cd6efbc7b1b8eb1037b04");
    /* The caller's own hash is believed: here it is wrong, and the server says so. */
    t->call.payload_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    t->call.max_tries = 2;
    fails(t, ERR_STORAGE, 2, "XAmzContentSHA256Mismatch");
    t->call.payload_hash = SIGV4_UNSIGNED_PAYLOAD;
    fails(t, ERR_INTERNAL, 0, "without TLS");
}

static void session_tokens_are_signed(void **state)
{
    struct world *t = *state;
    world_set(t->w, "AWS_SESSION_TOKEN=env-token");
    stub_say(&t->w->stub, "keys AKIAENV env-secret env-token");
    open_session(t, "s3");
    works(t, 1);
    assert_string_equal(stub_say(&t->w->stub, "header x-amz-security-token"), "env-token");
}

static void wrong_keys(void **state)
{
    struct world *t = *state;
    stub_say(&t->w->stub, "keys AKIAENV another-secret");
    fails(t, ERR_CONFIG, 1, "403 SignatureDoesNotMatch: The request signature we calculated does not match");
    assert_string_equal(t->answer.code, "SignatureDoesNotMatch");
    assert_int_equal(t->answer.http.status, 403);
    assert_non_null(strstr(t->w->err.text, "the keys are those of: environment"));
    stub_say(&t->w->stub, "forget");
    stub_say(&t->w->stub, "keys AKIAOTHER another-secret");
    fails(t, ERR_CONFIG, 1, "403 InvalidAccessKeyId: no such key (request REQ1)");
    assert_int_equal(t->w->wait_count, 0);
}

static void no_keys_at_all(void **state)
{
    struct world *t = *state;
    world_set(t->w, "AWS_ACCESS_KEY_ID=");
    stub_say(&t->w->stub, "imds off");
    open_session(t, "s3");
    fails(t, ERR_CONFIG, 0, "no AWS credentials");
    assert_int_equal(stub_count(&t->w->stub, "/bucket"), 0);
}

/* ---- repeating ---- */

static void each_fault_once_is_survived(void **state)
{
    struct world *t = *state;
    static const char *const faults[] = {
        "reset-before",
        "reset-in",
        "reset-after",
        "close",
        "reset-answer",
        "truncated",
        "stall",
        "stall-answer",
        "garbage-http",
        "error 500 InternalError",
        "error 503 SlowDown",
        "error 400 RequestTimeout",
        "error 400 BadDigest",
        "error 400 Throttling",
        "status 408",
        "status 429",
        "status 500",
        "status 502",
        "status 503",
        "status 504",
        "html 502",
        "garbage",
        "error200 InternalError",
        "short",
        "long",
    };
    char *body = calloc(1, 200000);
    char got[1000];
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        const char *fault = faults[i];
        bool ranged = strcmp(fault, "short") == 0, too_long = strcmp(fault, "long") == 0;
        /* What was sent counts as movement for some seconds: the stalls follow a request that is short. */
        bool stalls = strncmp(fault, "stall", 5) == 0;
        bool upload = !ranged && !too_long && !stalls;
        t->w->settings.stall_timeout_ms = stalls ? 1000 : 0;
        open_session(t, "s3");
        t->call.request.method = upload ? "PUT" : "GET";
        t->call.request.path = upload ? "/bucket/x" : "/bytes/1000";
        t->call.request.body = upload ? body : NULL;
        t->call.request.body_bytes = upload ? 200000 : 0;
        t->call.request.into = ranged || too_long ? got : NULL;
        t->call.request.into_bytes = ranged || too_long ? sizeof got : 0;
        t->call.wants_length = ranged;
        t->call.wants_xml = upload;
        plan(t, 1, fault);
        enum err_code rc = send_call(t);
        if (rc != (too_long ? ERR_STORAGE : ERR_OK) || t->answer.tries != (too_long ? 1U : 2U))
            fail_msg("%s: %s after %u tries: %s", fault, err_name(rc), t->answer.tries, t->w->err.text);
        bool refused = (strncmp(fault, "error ", 6) == 0 && strncmp(fault, "error 500", 9) != 0) ||
                       strcmp(fault, "status 408") == 0 || strcmp(fault, "status 429") == 0 ||
                       strcmp(fault, "status 503") == 0 || too_long;
        if (t->answer.ambiguous == refused)
            fail_msg("%s: ambiguous %d", fault, t->answer.ambiguous);
        assert_int_equal(t->w->wait_count, too_long ? 0 : 1);
        stub_say(&t->w->stub, "forget");
    }
    free(body);
}

static void tries_are_limited_and_counted(void **state)
{
    struct world *t = *state;
    plan(t, 10, "error 503 SlowDown");
    fails(t, ERR_STORAGE, 10, "503 SlowDown: the words for SlowDown (request REQ1); gave up after 10 tries");
    assert_string_equal(t->answer.code, "SlowDown");
    assert_int_equal(stub_count(&t->w->stub, "GET /bucket"), 10);
    works(t, 1);
    t->call.max_tries = 1;
    plan(t, 1, "status 500");
    fails(t, ERR_STORAGE, 1, ": 500");
    assert_int_equal(t->w->wait_count, 0);
    t->call.max_tries = 0;
    t->w->settings.retry.max_tries = 3;
    plan(t, 3, "close");
    open_session(t, "s3");
    fails(t, ERR_STORAGE, 3, "gave up after 3 tries");
    assert_true(t->answer.ambiguous);
    assert_int_equal(t->answer.http.status, 0);
}

/* Full jitter: the random number chooses from nothing to the limit, which doubles up to the cap. */
static void waits_are_jittered(void **state)
{
    struct world *t = *state;
    static const int64_t lost[] = {50, 100, 200, 400, 800, 1600, 3200, 6400, 12800};
    static const int64_t throttled[] = {500, 1000, 2000, 4000, 8000, 16000, 20000, 20000, 20000};
    for (int throttle = 0; throttle <= 1; throttle++) {
        plan(t, 10, throttle ? "error 503 SlowDown" : "status 500");
        fails(t, ERR_STORAGE, 10, throttle ? "503" : "500");
        assert_int_equal(t->w->wait_count, 9);
        for (int i = 0; i < 9; i++) {
            uint64_t limit = (uint64_t)(throttle ? throttled[i] : lost[i]);
            assert_int_equal(t->w->waits[i], t->w->random % (limit + 1));
        }
    }
    plan(t, 10, "status 503");
    t->w->random = 0;
    fails(t, ERR_STORAGE, 10, "503");
    for (int i = 0; i < 9; i++)
        assert_int_equal(t->w->waits[i], 0);
    /* The system's own numbers: nine times less than a tenth of the limit is once in 10^9 runs. */
    t->w->settings.random = NULL;
    plan(t, 10, "status 503");
    fails(t, ERR_STORAGE, 10, "503");
    bool varied = false;
    for (int i = 0; i < 9; i++) {
        assert_in_range(t->w->waits[i], 0, throttled[i]);
        varied = varied || t->w->waits[i] * 10 >= throttled[i];
    }
    assert_true(varied);
}

static void retry_after_is_honoured(void **state)
{
    struct world *t = *state;
    plan(t, 1, "error 503 SlowDown Retry-After=7");
    plan(t, 1, "status 500 Retry-After=3600");
    t->w->random = 0;
    works(t, 3);
    assert_int_equal(t->w->waits[0], 7000);
    assert_int_equal(t->w->waits[1], 60000);
}

static void what_is_final_is_not_repeated(void **state)
{
    struct world *t = *state;
    static const struct {
        const char *fault, *words;
        enum err_code code;
    } cases[] = {
        {"error 403 AccessDenied", "403 AccessDenied: the words for AccessDenied", ERR_STORAGE},
        {"error 404 NoSuchBucket", "404 NoSuchBucket", ERR_STORAGE},
        {"error 404 NoSuchUpload", "404 NoSuchUpload", ERR_STORAGE},
        {"error 404 NoSuchKey", "404 NoSuchKey", ERR_NOT_FOUND},
        {"error 412 PreconditionFailed", "412 PreconditionFailed", ERR_STORAGE},
        {"error 403 QuotaExceeded", "403 QuotaExceeded", ERR_NOSPACE},
        {"error 501 NotImplemented", "501 NotImplemented", ERR_STORAGE},
        {"status 403", ": 403", ERR_STORAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        plan(t, 1, cases[i].fault);
        fails(t, cases[i].code, 1, cases[i].words);
        assert_false(t->answer.ambiguous);
    }
}

/* ---- corrections ---- */

static void the_clock_is_corrected(void **state)
{
    struct world *t = *state;
    stub_say(&t->w->stub, "clock 7200");
    works(t, 2);
    assert_int_equal(t->w->wait_count, 0);
    int64_t offset = aws_session_clock_offset_ms(t->session);
    assert_true(offset > 7190000 && offset < 7210000);
    /* From now on it is right at once, in other clients too. */
    works(t, 1);
    struct aws_client *other;
    assert_ok(aws_client_new(t->session, "s3", NULL, &other, &t->w->err), &t->w->err);
    assert_ok(aws_client_send(other, &t->call, &t->answer, &t->w->err), &t->w->err);
    assert_int_equal(t->answer.tries, 1);
    aws_client_free(other);
    /* Back again; and services that say it less clearly. */
    stub_say(&t->w->stub, "clock -7200");
    works(t, 2);
    open_session(t, "rds");
    works(t, 2);
    /* Without any answer to go by, an error. */
    plan(t, 2, "error 403 RequestTimeTooSkewed");
    open_session(t, "s3");
    fails(t, ERR_CONFIG, 2, "RequestTimeTooSkewed");
}

static void the_region_is_corrected(void **state)
{
    struct world *t = *state;
    struct buf region;
    buf_init(&region, 100);
    for (int i = 0; i < 2; i++) {
        open_session(t, "s3");
        stub_say(&t->w->stub, "region %s %d", i == 0 ? "eu-west-1" : "eu-west-2", i == 0 ? 400 : 301);
        t->call.region_key = "bucket";
        works(t, 2);
        assert_int_equal(t->w->wait_count, 0);
        works(t, 1);
        buf_clear(&region);
        assert_ok(aws_session_region(t->session, "bucket", NULL, &region, &t->w->err), &t->w->err);
        assert_string_equal(buf_cstr(&region), i == 0 ? "eu-west-1" : "eu-west-2");
        /* Another bucket is asked for where the configuration says. */
        t->call.region_key = "other";
        works(t, 2);
        buf_clear(&region);
        assert_ok(aws_session_region(t->session, NULL, NULL, &region, &t->w->err), &t->w->err);
        assert_string_equal(buf_cstr(&region), "us-east-1");
    }
    buf_free(&region);
    /* A server that sends us round and round. */
    stub_say(&t->w->stub, "forget");
    plan(t, 1, "status 301 x-amz-bucket-region=ap-south-1");
    plan(t, 1, "status 301 x-amz-bucket-region=ap-south-2");
    fails(t, ERR_STORAGE, 2, "it is in the region ap-south-2");
}

/* The host's name follows the region. */
static void hosts_are_patterns(void **state)
{
    struct world *t = *state;
    t->w->settings.retry.max_tries = 1;
    world_set(t->w, "http_proxy=%s", t->w->stub.url);
    open_session(t, "s3");
    t->call.request.host = "b.s3.{region}.{suffix}";
    t->call.request.port = 0;
    t->call.region_key = "b";
    stub_say(&t->w->stub, "forget");
    plan(t, 1, "status 301 x-amz-bucket-region=eu-west-3");
    works(t, 2);
    assert_int_equal(stub_count(&t->w->stub, "GET http://b.s3.us-east-1.amazonaws.com/bucket/"), 1);
    assert_int_equal(stub_count(&t->w->stub, "GET http://b.s3.eu-west-3.amazonaws.com/bucket/"), 1);
}

/* Nobody says where we are: the metadata service is asked, but not for a server of one's own. */
static void the_region_may_come_from_the_metadata_service(void **state)
{
    struct world *t = *state;
    struct buf region;
    buf_init(&region, 100);
    world_set(t->w, "AWS_REGION=");
    open_session(t, "s3");
    works(t, 1);
    assert_ok(aws_session_region(t->session, NULL, NULL, &region, &t->w->err), &t->w->err);
    assert_string_equal(buf_cstr(&region), "us-east-1");
    assert_int_equal(stub_count(&t->w->stub, "/latest/"), 0);
    stub_say(&t->w->stub, "forget"); /* the stub cannot check signatures of requests to a proxy */
    world_set(t->w, "AWS_ENDPOINT_URL=");
    world_set(t->w, "http_proxy=%s", t->w->stub.url);
    open_session(t, "s3");
    t->call.request.host = "s3.{region}.{suffix}";
    t->call.request.port = 0;
    works(t, 1);
    assert_int_equal(stub_count(&t->w->stub, "GET http://s3.eu-north-1.amazonaws.com/bucket/"), 1);
    buf_clear(&region);
    assert_ok(aws_session_region(t->session, "any", NULL, &region, &t->w->err), &t->w->err);
    assert_string_equal(buf_cstr(&region), "eu-north-1");
    assert_int_equal(stub_count(&t->w->stub, "placement/region"), 1);
    buf_free(&region);
}

static void expired_keys_are_renewed(void **state)
{
    struct world *t = *state;
    struct stub *stub = &t->w->stub;
    world_set(t->w, "AWS_ACCESS_KEY_ID=");
    world_set(t->w, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/container/x");
    stub_say(stub, "issue FIRST issued-secret issued-token1 3600");
    stub_say(stub, "keys FIRST issued-secret issued-token1");
    stub_say(stub, "keys SECOND issued-secret issued-token2");
    open_session(t, "s3");
    works(t, 1);
    stub_say(stub, "issue SECOND issued-secret issued-token2 3600");
    stub_say(stub, "expire issued-token1");
    works(t, 2);
    assert_int_equal(t->w->wait_count, 0);
    works(t, 1);
    /* The new ones are expired too: enough. */
    stub_say(stub, "expire issued-token2");
    fails(t, ERR_CONFIG, 2, "ExpiredToken: The provided token has expired.");
    assert_non_null(strstr(t->w->err.text, "the keys are those of: container credentials"));
}

static void corrections_and_faults_together(void **state)
{
    struct world *t = *state;
    stub_say(&t->w->stub, "clock 86400");
    stub_say(&t->w->stub, "region eu-west-1 301");
    plan(t, 1, "close");
    plan(t, 1, "ok"); /* its clock */
    plan(t, 1, "error 503 SlowDown");
    plan(t, 1, "ok"); /* its region */
    plan(t, 1, "status 500");
    works(t, 6);
    assert_int_equal(t->w->wait_count, 3);
}

/* ---- hooks, cancelling, other services ---- */

struct counting {
    unsigned fail_first;
    unsigned seen;
};

static enum err_code count_tries(void *arg, const struct http_request *request, unsigned try, struct err *err)
{
    struct counting *c = arg;
    assert_non_null(http_pairs_get(&request->headers, "Authorization"));
    assert_int_equal(try, ++c->seen);
    return c->seen <= c->fail_first ? err_set(err, ERR_AWS, "the hook says no") : ERR_OK;
}

static void hooks_stand_for_lost_connections(void **state)
{
    struct world *t = *state;
    struct counting c = {.fail_first = 3};
    t->w->settings.on_try = count_tries;
    t->w->settings.on_try_arg = &c;
    works(t, 4);
    assert_true(t->answer.ambiguous);
    assert_int_equal(stub_count(&t->w->stub, ""), 1);
    c = (struct counting){.fail_first = 100};
    fails(t, ERR_STORAGE, 10, "the hook says no; gave up after 10 tries");
    assert_non_null(strstr(world_log(t->w), "the hook says no; again in "));
}

/* A request takes ten minutes to be sent (clocks of both sides run on), and then is refused. */
static enum err_code ten_minutes_pass(void *arg, const struct http_request *request, unsigned try,
                                      struct err *err)
{
    struct world *t = arg;
    (void)request;
    (void)try;
    (void)err;
    t->w->ahead_ms += 600000;
    stub_say(&t->w->stub, "clock %d", (int)(t->w->ahead_ms / 1000));
    return ERR_OK;
}

static void a_slow_request_is_no_wrong_clock(void **state)
{
    struct world *t = *state;
    t->w->settings.on_try = ten_minutes_pass;
    t->w->settings.on_try_arg = t;
    plan(t, 1, "error 403 AccessDenied");
    fails(t, ERR_STORAGE, 1, "AccessDenied");
    assert_int_equal(aws_session_clock_offset_ms(t->session), 0);
}

/* A gateway gave up, or an answer arrived damaged: what the server did is not known. */
static void errors_of_gateways_are_ambiguous(void **state)
{
    struct world *t = *state;
    static const char *const unclear[] = {"status 500", "status 502", "status 504"}, *const clear[] = {
                                                                                         "error 503 SlowDown",
                                                                                         "status 429",
                                                                                         "status 408"};
    for (size_t i = 0; i < 3; i++) {
        plan(t, 1, unclear[i]);
        works(t, 2);
        assert_true(t->answer.ambiguous);
        plan(t, 1, clear[i]);
        works(t, 2);
        assert_false(t->answer.ambiguous);
    }
    t->call.wants_xml = true;
    t->call.max_tries = 2;
    t->call.request.path = "/bytes/10";
    fails(t, ERR_STORAGE, 2, "XML");
    assert_true(t->answer.ambiguous);
}

static enum err_code cancel_in_wait(void *arg, int64_t ms, struct cancel *cancel, struct err *err)
{
    struct err why;
    (void)arg;
    (void)ms;
    err_set(&why, ERR_SIGINT, "cancelled by the test");
    cancel_fire(cancel, &why);
    return clock_backoff(1000000, cancel, err);
}

static void cancelling_ends_the_wait(void **state)
{
    struct world *t = *state;
    struct cancel *cancel = cancel_new();
    struct aws_client *client;
    t->w->settings.retry.wait = cancel_in_wait;
    assert_ok(aws_client_new(t->session, "s3", cancel, &client, &t->w->err), &t->w->err);
    plan(t, 1, "status 500");
    assert_err(aws_client_send(client, &t->call, &t->answer, &t->w->err), ERR_SIGINT, &t->w->err);
    assert_int_equal(t->answer.tries, 1);
    /* Neither does another call begin. */
    assert_err(aws_client_send(client, &t->call, &t->answer, &t->w->err), ERR_SIGINT, &t->w->err);
    assert_int_equal(stub_count(&t->w->stub, ""), 1);
    aws_client_free(client);
    cancel_free(cancel);
    /* Cleaning up goes on without the token. */
    works(t, 1);
}

static void queries(void **state)
{
    struct world *t = *state;
    struct http_pairs params = {0};
    struct err *err = &t->w->err;
    open_session(t, "rds");
    http_pairs_add(&params, "DBInstanceIdentifier", "db 1");
    http_pairs_add(&params, "Tags.Tag.1.Key", "\xC3\xA4&=");
    assert_ok(aws_query(t->client, "DescribeDBInstances", "2014-10-31", &params, &t->answer, err), err);
    assert_string_equal(xml_text(xml_root(t->answer.xml), "Hello", NULL), "world");
    assert_string_equal(stub_say(&t->w->stub, "body"), "Action%3DDescribeDBInstances%26Version%3D2014-10-31%"
                                                       "26DBInstanceIdentifier%3Ddb%25201%26Tags.Tag.1.Key%3D"
                                                       "%25C3%25A4%2526%253D");
    plan(t, 1, "error 404 DBInstanceNotFound");
    assert_err(aws_query(t->client, "X", "2014-10-31", NULL, &t->answer, err), ERR_NOT_FOUND, err);
    plan(t, 1, "error 400 InvalidDBInstanceState");
    assert_err(aws_query(t->client, "X", "2014-10-31", NULL, &t->answer, err), ERR_AWS, err);
    assert_non_null(strstr(err->text, "X: POST http://127.0.0.1:"));
    assert_string_equal(t->answer.code, "InvalidDBInstanceState");
    plan(t, 1, "error 403 AccessDenied");
    assert_err(aws_query(t->client, "X", "2014-10-31", NULL, &t->answer, err), ERR_AWS, err);
    plan(t, 1, "error 400 Throttling");
    plan(t, 1, "garbage");
    assert_ok(aws_query(t->client, "X", "2014-10-31", NULL, &t->answer, err), err);
    assert_int_equal(t->answer.tries, 3);
    http_pairs_clear(&params);
}

static void unsigned_sessions(void **state)
{
    struct world *t = *state;
    struct aws_session *plain = aws_session_over(aws_session_config(t->session), NULL);
    struct aws_client *client;
    stub_say(&t->w->stub, "forget");
    assert_ok(aws_client_new(plain, "s3", NULL, &client, &t->w->err), &t->w->err);
    assert_ok(aws_client_send(client, &t->call, &t->answer, &t->w->err), &t->w->err);
    assert_string_equal(stub_say(&t->w->stub, "header Authorization"), "-");
    aws_client_free(client);
    aws_session_free(plain);
}

static void a_wrong_configuration_is_told_at_once(void **state)
{
    struct world *t = *state;
    struct aws_client *client;
    struct aws_session *session;
    world_set(t->w, "AWS_ENDPOINT_URL_STS=sts.example.com");
    assert_err(aws_client_new(t->session, "sts", NULL, &client, &t->w->err), ERR_CONFIG, &t->w->err);
    assert_non_null(strstr(t->w->err.text, "AWS_ENDPOINT_URL_STS: 'sts.example.com' is no endpoint"));
    world_set(t->w, "AWS_PROFILE=missing");
    assert_err(aws_session_open(&t->w->settings, &session, &t->w->err), ERR_CONFIG, &t->w->err);
}

/* ---- threads ---- */

static enum err_code send_often(void *arg, struct err *err)
{
    struct world *t = arg;
    struct aws_client *client;
    struct aws_answer answer;
    enum err_code rc = aws_client_new(t->session, "s3", NULL, &client, err);
    if (rc != ERR_OK)
        return rc;
    aws_answer_init(&answer, 100000);
    for (int i = 0; i < 30 && rc == ERR_OK; i++)
        rc = aws_client_send(client, &t->call, &answer, err);
    aws_answer_free(&answer);
    aws_client_free(client);
    return rc;
}

static enum err_code no_wait(void *arg, int64_t ms, struct cancel *cancel, struct err *err)
{
    (void)arg;
    (void)ms;
    return cancel_check(cancel, err);
}

static void threads_share_a_session(void **state)
{
    struct world *t = *state;
    struct cancel *cancel = cancel_new();
    struct group *g = group_new(cancel);
    t->w->settings.retry.wait = no_wait;
    stub_say(&t->w->stub, "clock 3600");
    stub_say(&t->w->stub, "region eu-west-1");
    plan(t, 3, "ok");
    plan(t, 3, "close");
    plan(t, 3, "error 503 SlowDown");
    for (int i = 0; i < 6; i++)
        assert_ok(group_spawn(g, "send", send_often, t, &t->w->err), &t->w->err);
    assert_ok(group_join(g, &t->w->err), &t->w->err);
    group_free(g);
    cancel_free(cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(signatures_are_accepted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(session_tokens_are_signed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_keys_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_fault_once_is_survived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tries_are_limited_and_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waits_are_jittered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(retry_after_is_honoured, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_final_is_not_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_clock_is_corrected, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_region_is_corrected, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hosts_are_patterns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_region_may_come_from_the_metadata_service, set_up, tear_down),
        cmocka_unit_test_setup_teardown(expired_keys_are_renewed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(corrections_and_faults_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hooks_stand_for_lost_connections, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_request_is_no_wrong_clock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_of_gateways_are_ambiguous, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelling_ends_the_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(queries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unsigned_sessions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_configuration_is_told_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_share_a_session, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
