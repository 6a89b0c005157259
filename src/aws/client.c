#include "aws/client.h"

#include "aws/answer.h"
#include "aws/session.h"
#include "core/fault.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TRIES        10
#define BASE_MS          50
#define THROTTLE_BASE_MS 500
#define CAP_MS           20000
#define TEXT_BYTES       (1 << 20)

struct aws_client {
    struct aws_session *session; /* borrowed */
    const char *service;
    struct cancel *cancel;
    struct http *http;
    struct aws_endpoint endpoint;
};

enum err_code aws_client_new(struct aws_session *session, const char *service, struct cancel *cancel,
                             struct aws_client **out, struct err *err)
{
    struct aws_client *c = xcalloc(1, sizeof *c);
    struct aws_config *config = aws_session_config(session);
    c->session = session;
    c->service = service;
    c->cancel = cancel;
    enum err_code rc = aws_config_endpoint(config, service, &c->endpoint, err);
    if (rc == ERR_OK)
        rc = http_new(aws_config_http(config), cancel, &c->http, err);
    if (rc != ERR_OK) {
        aws_client_free(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

void aws_client_free(struct aws_client *c)
{
    if (c == NULL)
        return;
    http_free(c->http);
    aws_endpoint_clear(&c->endpoint);
    free(c);
}

struct aws_session *aws_client_session(struct aws_client *c)
{
    return c->session;
}

void aws_call_init(struct aws_call *c, const char *method)
{
    *c = (struct aws_call){0};
    http_request_init(&c->request, method);
}

void aws_call_end(struct aws_call *c)
{
    http_request_end(&c->request);
}

/* A call on its way through its tries. */
struct sending {
    struct aws_client *client;
    const struct aws_call *call;
    struct aws_answer *answer;
    const struct aws_settings *settings;
    char payload_hash[SIGV4_HEX_BYTES];
    /* Of the last try. */
    struct aws_credentials keys;
    struct buf region, host;
    int64_t offset_ms;
    int64_t signed_ms;   /* the server's clock as we thought */
    int64_t answered_ms; /* the same when the answer had come */
    enum aws_verdict verdict;
    struct aws_hints hints;
    enum err_code lost_code; /* with its error text: no answer came */
    struct err lost;
    /* Corrections are made once. */
    bool fixed_clock, fixed_region, fixed_keys;
    unsigned waits;
};

static enum err_code prepare_payload(struct sending *s, struct err *err)
{
    const struct aws_call *call = s->call;
    if (call->payload_hash == NULL)
        return sigv4_sha256_hex(call->request.body, call->request.body_bytes, s->payload_hash, err);
    if (strlen(call->payload_hash) >= sizeof s->payload_hash)
        return err_set(err, ERR_INTERNAL, "a payload hash has a wrong length");
    memcpy(s->payload_hash, call->payload_hash, strlen(call->payload_hash) + 1);
    if (call->request.plain && strcmp(s->payload_hash, SIGV4_UNSIGNED_PAYLOAD) == 0)
        return err_set(err, ERR_INTERNAL, "an unsigned payload is to be sent without TLS");
    return ERR_OK;
}

/* Keys, region, host and time of this try. */
static enum err_code prepare_try(struct sending *s, struct err *err)
{
    struct aws_client *c = s->client;
    struct aws_credentials_chain *chain = aws_session_credentials(c->session);
    enum err_code rc = cancel_check(c->cancel, err);
    aws_credentials_clear(&s->keys);
    if (rc == ERR_OK && chain != NULL)
        rc = aws_credentials_get(chain, c->cancel, &s->keys, err);
    buf_clear(&s->region);
    if (rc == ERR_OK)
        rc = session_region(c->session, s->call->region_key, !c->endpoint.custom, c->cancel, &s->region, err);
    if (rc != ERR_OK)
        return rc;
    buf_clear(&s->host);
    aws_endpoint_host(s->call->request.host, buf_cstr(&s->region), &s->host);
    s->offset_ms = aws_session_clock_offset_ms(c->session);
    s->signed_ms = clock_wall_ms(s->settings->clock) + s->offset_ms;
    return ERR_OK;
}

static enum err_code sign(struct sending *s, const struct http_request *request, struct http_pairs *headers,
                          struct err *err)
{
    if (s->keys.access_key == NULL)
        return ERR_OK;
    struct sigv4 params = {
        .access_key = s->keys.access_key,
        .secret_key = s->keys.secret_key,
        .session_token = s->keys.session_token,
        .region = buf_cstr(&s->region),
        .service = s->client->service,
        .wall_ms = s->signed_ms,
        .payload_hash = s->payload_hash,
    };
    return sigv4_sign(&params, request, headers, err);
}

/* Hooks and fault points that stand for a connection that was lost. */
static enum err_code pass_hooks(struct sending *s, const struct http_request *request, struct err *err)
{
    enum err_code rc = fault_point("aws_try", ERR_AWS, err);
    if (rc == ERR_OK && s->settings->on_try != NULL)
        rc = s->settings->on_try(s->settings->on_try_arg, request, s->answer->tries, err);
    return rc;
}

/* One request and its answer; a lost one is noted in s->lost and is no error here. */
static enum err_code exchange(struct sending *s, struct http_request *request, struct err *err)
{
    struct http_response *response = &s->answer->http;
    response->status = 0;
    enum err_code rc = pass_hooks(s, request, &s->lost);
    bool hooked = rc != ERR_OK;
    if (!hooked)
        rc = http_send(s->client->http, request, response, &s->lost);
    if (rc == ERR_OK || hooked || response->lost) {
        s->lost_code = rc;
        return ERR_OK;
    }
    return err_copy(err, &s->lost);
}

static void forget_answer(struct aws_answer *a)
{
    xml_free(a->xml);
    a->xml = NULL;
    a->code[0] = a->message[0] = a->request_id[0] = '\0';
}

static enum err_code try_once(struct sending *s, struct err *err)
{
    struct aws_answer *a = s->answer;
    forget_answer(a);
    enum err_code rc = prepare_try(s, err);
    if (rc != ERR_OK)
        return rc;
    struct http_request request = s->call->request; /* its query is only read */
    request.host = buf_cstr(&s->host);
    request.headers = (struct http_pairs){0};
    for (size_t i = 0; i < s->call->request.headers.count; i++)
        http_pairs_add(&request.headers, s->call->request.headers.items[i].name,
                       s->call->request.headers.items[i].value);
    struct http_pairs signature = {0};
    rc = sign(s, &request, &signature, err);
    for (size_t i = 0; i < signature.count; i++)
        http_pairs_add(&request.headers, signature.items[i].name, signature.items[i].value);
    http_pairs_clear(&signature);
    a->tries++;
    if (rc == ERR_OK)
        rc = exchange(s, &request, err);
    http_pairs_clear(&request.headers);
    if (rc != ERR_OK)
        return rc;
    if (s->lost_code != ERR_OK) {
        a->ambiguous = true;
        s->verdict = VERDICT_TRANSIENT;
        s->hints = (struct aws_hints){0};
    } else {
        s->answered_ms = clock_wall_ms(s->settings->clock) + s->offset_ms;
        s->verdict = answer_judge(s->call, a, s->answered_ms, buf_cstr(&s->region), &s->hints);
        /* A gateway may have given up on a server that went on, and a damaged answer says nothing. */
        int kind = a->http.status / 100;
        a->ambiguous |= s->verdict == VERDICT_TRANSIENT && (kind == 2 || kind == 5);
    }
    return ERR_OK;
}

/* Makes a correction that the server asked for, each kind once; false when there is none (left) to make. */
static bool correct(struct sending *s)
{
    struct aws_session *session = s->client->session;
    switch (s->verdict) {
    case VERDICT_CLOCK:
        if (s->fixed_clock)
            return false;
        session_set_clock_offset_ms(session, s->hints.server_ms - (s->answered_ms - s->offset_ms));
        s->fixed_clock = true;
        return true;
    case VERDICT_REGION:
        if (s->fixed_region)
            return false;
        session_set_region(session, s->call->region_key, s->hints.region);
        s->fixed_region = true;
        return true;
    case VERDICT_EXPIRED:
        if (s->fixed_keys || s->keys.access_key == NULL)
            return false;
        aws_credentials_invalidate(aws_session_credentials(session), &s->keys);
        s->fixed_keys = true;
        return true;
    default:
        return false;
    }
}

/* ---- waiting ---- */

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

/* Full jitter: anything from nothing to a limit that doubles each time ("Exponential Backoff And Jitter", AWS
 * Architecture Blog), but not before the server said. */
static int64_t wait_ms(struct sending *s)
{
    const struct aws_retry *r = &s->settings->retry;
    int64_t cap = or_default(r->cap_ms, CAP_MS);
    int64_t limit = s->verdict == VERDICT_THROTTLED ? or_default(r->throttle_base_ms, THROTTLE_BASE_MS)
                                                    : or_default(r->base_ms, BASE_MS);
    for (unsigned i = 0; i < s->waits && limit < cap; i++)
        limit *= 2;
    if (limit > cap)
        limit = cap;
    int64_t ms = (int64_t)(session_random(s->client->session) % ((uint64_t)limit + 1));
    return ms > s->hints.retry_after_ms ? ms : s->hints.retry_after_ms;
}

static void put_outcome(struct sending *s, struct buf *out)
{
    const struct aws_answer *a = s->answer;
    if (s->lost_code != ERR_OK) {
        buf_put(out, s->lost.text);
        return;
    }
    struct http_request shown = s->call->request;
    shown.host = buf_cstr(&s->host);
    http_request_describe(&shown, out);
    buf_putf(out, ": %d", a->http.status);
    if (a->code[0] != '\0')
        buf_putf(out, " %s", a->code);
    if (a->message[0] != '\0')
        buf_putf(out, ": %s", a->message);
    if (a->request_id[0] != '\0')
        buf_putf(out, " (request %s)", a->request_id);
}

static enum err_code wait_for_next(struct sending *s, struct err *err)
{
    const struct aws_retry *r = &s->settings->retry;
    int64_t ms = wait_ms(s);
    s->waits++;
    if (log_wants(s->settings->log, LOG_DEBUG)) {
        struct buf outcome;
        buf_init(&outcome, TEXT_BYTES);
        put_outcome(s, &outcome);
        log_debug(s->settings->log, "%s; again in %lld ms", buf_cstr(&outcome), (long long)ms);
        buf_free(&outcome);
    }
    return r->wait != NULL ? r->wait(r->wait_arg, ms, s->client->cancel, err)
                           : clock_backoff(ms, s->client->cancel, err);
}

/* ---- the end ---- */

static enum err_code final_code(const struct sending *s)
{
    bool s3 = strcmp(s->client->service, "s3") == 0;
    switch (s->verdict) {
    case VERDICT_KEYS:
    case VERDICT_EXPIRED:
    case VERDICT_CLOCK:
        return ERR_CONFIG;
    case VERDICT_MISSING:
        return ERR_NOT_FOUND;
    case VERDICT_FULL:
        return s3 ? ERR_NOSPACE : ERR_AWS;
    default:
        return s3 ? ERR_STORAGE : ERR_AWS;
    }
}

static enum err_code final_error(struct sending *s, struct err *err)
{
    struct buf outcome;
    buf_init(&outcome, TEXT_BYTES);
    put_outcome(s, &outcome);
    enum err_code rc = err_set(err, final_code(s), "%s", buf_cstr(&outcome));
    buf_free(&outcome);
    if (s->waits > 0)
        err_hint(err, "gave up after %u tries", s->answer->tries);
    if (s->verdict == VERDICT_REGION && s->hints.region[0] != '\0')
        err_hint(err, "it is in the region %s", s->hints.region);
    if ((s->verdict == VERDICT_KEYS || s->verdict == VERDICT_EXPIRED) && s->keys.source != NULL)
        err_hint(err, "the keys are those of: %s", s->keys.source);
    return rc;
}

/* An error that no answer caused: services other than S3 keep it, S3's failures are those of the storage. */
static enum err_code early_error(struct sending *s, enum err_code rc, bool from_transport, struct err *err)
{
    bool s3 = strcmp(s->client->service, "s3") == 0;
    return rc == ERR_AWS && from_transport && s3 ? err_recode(err, ERR_STORAGE) : rc;
}

static enum err_code send_all(struct sending *s, struct err *err)
{
    unsigned limit = s->call->max_tries;
    if (limit == 0)
        limit = s->settings->retry.max_tries > 0 ? s->settings->retry.max_tries : MAX_TRIES;
    for (;;) {
        unsigned before = s->answer->tries;
        enum err_code rc = try_once(s, err);
        if (rc != ERR_OK)
            return early_error(s, rc, s->answer->tries > before, err);
        if (s->verdict == VERDICT_DONE)
            return ERR_OK;
        if (correct(s))
            continue;
        bool again = s->verdict == VERDICT_TRANSIENT || s->verdict == VERDICT_THROTTLED;
        if (!again || s->waits + 1 >= limit)
            return final_error(s, err);
        rc = wait_for_next(s, err);
        if (rc != ERR_OK)
            return rc;
    }
}

enum err_code aws_client_send(struct aws_client *c, const struct aws_call *call, struct aws_answer *answer,
                              struct err *err)
{
    struct sending s = {.client = c, .call = call, .answer = answer};
    s.settings = aws_config_settings(aws_session_config(c->session));
    buf_init(&s.region, TEXT_BYTES);
    buf_init(&s.host, TEXT_BYTES);
    answer->tries = 0;
    answer->ambiguous = false;
    answer->http.status = 0;
    forget_answer(answer);
    enum err_code rc = prepare_payload(&s, err);
    if (rc == ERR_OK)
        rc = send_all(&s, err);
    aws_credentials_clear(&s.keys);
    buf_free(&s.region);
    buf_free(&s.host);
    return rc;
}

/* ---- Query protocol ---- */

static void put_pair(struct buf *body, const char *name, const char *value)
{
    if (body->len > 0)
        buf_put(body, "&");
    http_encode(body, name, false);
    buf_put(body, "=");
    http_encode(body, value, false);
}

enum err_code aws_query(struct aws_client *c, const char *action, const char *version,
                        const struct http_pairs *params, struct aws_answer *answer, struct err *err)
{
    struct aws_call call;
    struct buf body;
    buf_init(&body, TEXT_BYTES);
    body.secret = true; /* identity tokens */
    put_pair(&body, "Action", action);
    put_pair(&body, "Version", version);
    for (size_t i = 0; params != NULL && i < params->count; i++)
        put_pair(&body, params->items[i].name, params->items[i].value);
    aws_call_init(&call, "POST");
    call.request.plain = c->endpoint.plain;
    call.request.host = c->endpoint.host;
    call.request.port = c->endpoint.port;
    call.request.path = c->endpoint.path;
    call.request.body = body.data;
    call.request.body_bytes = body.len;
    call.wants_xml = true;
    http_pairs_add(&call.request.headers, "Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    enum err_code rc = aws_client_send(c, &call, answer, err);
    if (rc != ERR_OK)
        err_wrap(err, "%s", action);
    aws_call_end(&call);
    buf_free(&body);
    return rc;
}
