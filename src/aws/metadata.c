#include "aws/metadata.h"

#include "aws/secret_file.h"
#include "core/mem.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define IMDS_URL             "http://169.254.169.254"
#define IMDS_URL_IPV6        "http://[fd00:ec2::254]"
#define IMDS_TIMEOUT_MS      1000
#define IMDS_TOKEN_TTL       "21600" /* seconds */
#define IMDS_ROLE_PATH       "/latest/meta-data/iam/security-credentials/"
#define IMDS_REGION_PATH     "/latest/meta-data/placement/region"
#define CONTAINER_URL        "http://169.254.170.2"
#define CONTAINER_TIMEOUT_MS 2000
#define TRIES                3
#define RETRY_MS             100
#define DOCUMENT_BYTES       (64 * 1024)
#define TOKEN_BYTES          (16 * 1024)

/* One conversation: an endpoint and a handle. */
struct metadata {
    const struct aws_config *config;
    struct cancel *cancel;
    struct aws_endpoint endpoint;
    struct http *http;
    int64_t timeout_ms;
    bool give_up_on_time; /* the service may well not be there: no more tries once timeout_ms has passed */
};

static void metadata_close(struct metadata *m)
{
    http_free(m->http);
    aws_endpoint_clear(&m->endpoint);
}

static enum err_code metadata_open(struct metadata *m, const char *url, const char *what, struct err *err)
{
    const struct aws_settings *s = aws_config_settings(m->config);
    if (s->metadata_timeout_ms > 0)
        m->timeout_ms = s->metadata_timeout_ms;
    enum err_code rc = aws_endpoint_parse(url, what, &m->endpoint, err);
    return rc == ERR_OK ? http_new(aws_config_http(m->config), m->cancel, &m->http, err) : rc;
}

static enum err_code pause_before_retry(struct metadata *m, unsigned try, struct err *err)
{
    const struct aws_retry *r = &aws_config_settings(m->config)->retry;
    int64_t ms = (int64_t)RETRY_MS << try;
    return r->wait != NULL ? r->wait(r->wait_arg, ms, m->cancel, err) : clock_backoff(ms, m->cancel, err);
}

/* Sends until an answer comes that a repetition would not change. */
static enum err_code metadata_send(struct metadata *m, struct http_request *request,
                                   struct http_response *response, struct err *err)
{
    const struct clock *clock = aws_config_settings(m->config)->clock;
    int64_t begin = clock_monotonic_ms(clock);
    request->plain = m->endpoint.plain;
    request->host = m->endpoint.host;
    request->port = m->endpoint.port;
    request->direct = true;
    request->timeout_ms = m->timeout_ms;
    for (unsigned try = 0;; try++) {
        enum err_code rc = http_send(m->http, request, response, err);
        bool again = rc == ERR_OK ? response->status >= 500 || response->status == 429 : response->lost;
        bool late = m->give_up_on_time && clock_monotonic_ms(clock) - begin >= m->timeout_ms;
        if (!again || late || try + 1 == TRIES)
            return rc;
        rc = pause_before_retry(m, try, err);
        if (rc != ERR_OK)
            return rc;
    }
}

/* ---- EC2 ---- */

static bool imds_disabled(const struct aws_config *c)
{
    const char *value = aws_config_env(c, "AWS_EC2_METADATA_DISABLED");
    return value != NULL && strcasecmp(value, "true") == 0;
}

static const char *imds_url(const struct aws_config *c)
{
    const struct aws_settings *s = aws_config_settings(c);
    const char *url =
        s->imds_url != NULL ? s->imds_url : aws_config_env(c, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = aws_config_env(c, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (url != NULL)
        return url;
    return mode != NULL && strcasecmp(mode, "ipv6") == 0 ? IMDS_URL_IPV6 : IMDS_URL;
}

/* The session token that every other request needs. */
static enum err_code imds_token(struct metadata *m, struct buf *token, struct err *err)
{
    struct http_request request;
    struct http_response response;
    http_request_init(&request, "PUT");
    request.path = "/latest/api/token";
    http_pairs_add(&request.headers, "x-aws-ec2-metadata-token-ttl-seconds", IMDS_TOKEN_TTL);
    http_response_init(&response, TOKEN_BYTES);
    response.body.secret = true;
    enum err_code rc = metadata_send(m, &request, &response, err);
    if (rc == ERR_OK && response.status == 200)
        rc = buf_add(token, response.body.data, response.body.len, err);
    else if (rc == ERR_OK)
        rc = err_set(err, ERR_AWS, "the EC2 metadata service gives no token (status %d)", response.status);
    else if (response.lost)
        err_hint(err, "inside a container EC2's metadata needs a hop limit of 2");
    http_response_free(&response);
    http_request_end(&request);
    return rc;
}

static enum err_code imds_get(struct metadata *m, struct buf *token, const char *path, struct buf *out,
                              struct err *err)
{
    struct http_request request;
    struct http_response response;
    http_request_init(&request, "GET");
    request.path = path;
    http_pairs_add(&request.headers, "x-aws-ec2-metadata-token", buf_cstr(token));
    http_response_init(&response, DOCUMENT_BYTES);
    response.body.secret = true;
    enum err_code rc = metadata_send(m, &request, &response, err);
    if (rc == ERR_OK && response.status == 200)
        rc = buf_add(out, response.body.data, response.body.len, err);
    else if (rc == ERR_OK)
        rc = err_set(err, response.status == 404 ? ERR_NOT_FOUND : ERR_AWS,
                     "the EC2 metadata service answers %s with status %d", path, response.status);
    http_response_free(&response);
    http_request_end(&request);
    return rc;
}

/* Opens, takes a token, and reads a path; the conversation stays open for another read. */
static enum err_code imds_begin(struct metadata *m, struct buf *token, struct err *err)
{
    m->timeout_ms = IMDS_TIMEOUT_MS;
    m->give_up_on_time = true;
    if (imds_disabled(m->config))
        return err_set(err, ERR_CONFIG, "the EC2 metadata service is disabled by AWS_EC2_METADATA_DISABLED");
    enum err_code rc = metadata_open(m, imds_url(m->config), "AWS_EC2_METADATA_SERVICE_ENDPOINT", err);
    return rc == ERR_OK ? imds_token(m, token, err) : rc;
}

enum err_code imds_region(const struct aws_config *c, struct cancel *cancel, struct buf *out, struct err *err)
{
    struct metadata m = {.config = c, .cancel = cancel};
    struct buf token;
    buf_init(&token, TOKEN_BYTES);
    token.secret = true;
    enum err_code rc = imds_begin(&m, &token, err);
    if (rc == ERR_OK)
        rc = imds_get(&m, &token, IMDS_REGION_PATH, out, err);
    buf_free(&token);
    metadata_close(&m);
    return rc;
}

/* The list of roles has one line. */
static enum err_code role_path(struct metadata *m, struct buf *token, struct buf *path, struct err *err)
{
    struct buf list;
    buf_init(&list, DOCUMENT_BYTES);
    enum err_code rc = imds_get(m, token, IMDS_ROLE_PATH, &list, err);
    if (rc == ERR_OK) {
        const char *text = buf_cstr(&list);
        size_t n = strcspn(text, "\r\n");
        if (n > 0)
            buf_putf(path, "%s%.*s", IMDS_ROLE_PATH, (int)n, text);
        else
            rc = err_set(err, ERR_NOT_FOUND, "the EC2 instance has no role");
    }
    buf_free(&list);
    return rc;
}

enum err_code imds_credentials(const struct aws_config *c, struct cancel *cancel, struct buf *out,
                               struct err *err)
{
    struct metadata m = {.config = c, .cancel = cancel};
    struct buf token, path;
    buf_init(&token, TOKEN_BYTES);
    token.secret = true;
    buf_init(&path, 2 * DOCUMENT_BYTES);
    enum err_code rc = imds_begin(&m, &token, err);
    if (rc == ERR_OK)
        rc = role_path(&m, &token, &path, err);
    if (rc == ERR_OK)
        rc = imds_get(&m, &token, buf_cstr(&path), out, err);
    buf_free(&path);
    buf_free(&token);
    metadata_close(&m);
    return rc;
}

/* ---- containers ---- */

#define RELATIVE_URI "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL_URI     "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define TOKEN_FILE   "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
#define TOKEN        "AWS_CONTAINER_AUTHORIZATION_TOKEN"

bool container_configured(const struct aws_config *c)
{
    return aws_config_env(c, RELATIVE_URI) != NULL || aws_config_env(c, FULL_URI) != NULL;
}

/* Keys in plain HTTP go to this machine or to the addresses of ECS and EKS only. */
static bool plain_is_allowed(const char *host)
{
    static const char *const known[] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "::1"};
    struct in_addr v4;
    struct in6_addr address, allowed;
    if (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127)
        return true;
    if (strcmp(host, "localhost") == 0)
        return true;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(host, known[i]) == 0)
            return true;
        if (inet_pton(AF_INET6, host, &address) == 1 && inet_pton(AF_INET6, known[i], &allowed) == 1 &&
            memcmp(&address, &allowed, sizeof address) == 0)
            return true;
    }
    return false;
}

/* The Authorization header: re-read each time, as EKS exchanges the file. */
static enum err_code add_authorization(const struct aws_config *c, struct http_pairs *headers,
                                       struct err *err)
{
    const char *file = aws_config_env(c, TOKEN_FILE);
    const char *value = aws_config_env(c, TOKEN);
    struct buf token;
    buf_init(&token, TOKEN_BYTES);
    token.secret = true;
    enum err_code rc = ERR_OK;
    if (file != NULL)
        rc = secret_file_read(file, TOKEN_FILE, &token, err);
    else if (value != NULL)
        rc = buf_add(&token, value, strlen(value), err);
    if (rc == ERR_OK && strpbrk(buf_cstr(&token), "\r\n") != NULL)
        rc = err_set(err, ERR_CONFIG, "the container's authorization token has more than one line");
    if (rc == ERR_OK && token.len > 0)
        http_pairs_add(headers, "Authorization", buf_cstr(&token));
    buf_free(&token);
    return rc;
}

/* Endpoint and the rest of the URL. */
static enum err_code container_open(struct metadata *m, const char **target, struct err *err)
{
    const struct aws_settings *s = aws_config_settings(m->config);
    const char *relative = aws_config_env(m->config, RELATIVE_URI);
    const char *full = aws_config_env(m->config, FULL_URI);
    m->timeout_ms = CONTAINER_TIMEOUT_MS;
    if (strchr(relative != NULL ? relative : full, '?') != NULL)
        return err_set(err, ERR_CONFIG, "the URI of the container's credentials has a query");
    if (relative != NULL) {
        *target = relative;
        if (*relative != '/')
            return err_set(err, ERR_CONFIG, RELATIVE_URI " does not begin with '/'");
        return metadata_open(m, s->ecs_url != NULL ? s->ecs_url : CONTAINER_URL, RELATIVE_URI, err);
    }
    const char *authority = strstr(full, "://");
    *target = authority != NULL ? authority + 3 + strcspn(authority + 3, "/") : "";
    char *base = xstrndup(full, authority != NULL ? (size_t)(*target - full) : strlen(full));
    enum err_code rc = metadata_open(m, base, FULL_URI, err);
    free(base);
    if (rc == ERR_OK && m->endpoint.plain && !plain_is_allowed(m->endpoint.host))
        rc = err_set(err, ERR_CONFIG,
                     FULL_URI " names the host %s, to which keys may only be asked for over https",
                     m->endpoint.host);
    return rc;
}

enum err_code container_credentials(const struct aws_config *c, struct cancel *cancel, struct buf *out,
                                    struct err *err)
{
    struct metadata m = {.config = c, .cancel = cancel};
    struct http_request request;
    struct http_response response;
    const char *target = NULL;
    http_request_init(&request, "GET");
    http_response_init(&response, DOCUMENT_BYTES);
    response.body.secret = true;
    enum err_code rc = container_open(&m, &target, err);
    if (rc == ERR_OK)
        rc = add_authorization(c, &request.headers, err);
    if (rc == ERR_OK) {
        request.path = target;
        rc = metadata_send(&m, &request, &response, err);
    }
    if (rc == ERR_OK && response.status != 200)
        rc = err_set(err, ERR_AWS, "the container's credentials endpoint answers with status %d",
                     response.status);
    if (rc == ERR_OK)
        rc = buf_add(out, response.body.data, response.body.len, err);
    http_response_free(&response);
    http_request_end(&request);
    metadata_close(&m);
    return rc;
}
