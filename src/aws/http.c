#include "aws/http.h"

#include "core/mem.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define URL_BYTES          (1 << 20)
#define CONNECT_TIMEOUT_MS 10000
#define STALL_TIMEOUT_MS   30000
/* A connection that was idle for longer is not used again: S3 closes its side after about that time. */
#define IDLE_SECONDS     4L
#define TRANSFER_BYTES   (256 * 1024L) /* handed from and to the socket at once */
#define RESPONSE_HEADERS 200
#define POLL_MS          1000

struct http {
    const struct http_options *options; /* borrowed */
    struct cancel *cancel;              /* borrowed, or NULL */
    struct cancel_hook hook;
    CURLM *multi; /* has the connections and what was resolved */
    CURL *easy;   /* NULL after a transfer that failed */
    char reason[CURL_ERROR_SIZE];
    /* The transfer under way. */
    const struct http_request *request;
    struct http_response *response;
    enum { NOT_REFUSED, BODY_TOO_LONG, HEADERS_TOO_MANY, SENT_TWICE } refused;
    bool sent;
};

void http_response_init(struct http_response *r, size_t max_body)
{
    *r = (struct http_response){0};
    buf_init(&r->body, max_body);
}

void http_response_free(struct http_response *r)
{
    http_pairs_clear(&r->headers);
    buf_free(&r->body);
}

/* Takes one header line without its end. */
static void take_header(struct http_response *response, const char *line, size_t bytes)
{
    const char *colon = memchr(line, ':', bytes);
    if (colon == NULL)
        return;
    const char *value = colon + 1;
    const char *end = line + bytes;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && strchr(" \t\r\n", end[-1]) != NULL)
        end--;
    char *name = xstrndup(line, (size_t)(colon - line));
    char *text = xstrndup(value, (size_t)(end - value));
    http_pairs_add(&response->headers, name, text);
    free(name);
    secret_free(text);
}

/* libcurl's callback: every line, of interim answers (100) too; a status line starts anew. */
static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct http *h = arg;
    if (count >= 5 && strncmp(line, "HTTP/", 5) == 0)
        http_pairs_clear(&h->response->headers);
    else
        take_header(h->response, line, count);
    if (h->response->headers.count > RESPONSE_HEADERS) {
        h->refused = HEADERS_TOO_MANY;
        return 0;
    }
    return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct http *h = arg;
    struct http_response *response = h->response;
    size_t bytes = size * count;
    long status = 0;
    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    bool fits;
    if (h->request->into != NULL && status / 100 == 2) {
        fits = bytes <= h->request->into_bytes - response->into_got;
        if (fits) {
            memcpy((char *)h->request->into + response->into_got, data, bytes);
            response->into_got += bytes;
        }
    } else {
        fits = buf_add(&response->body, data, bytes, NULL) == ERR_OK;
    }
    if (!fits)
        h->refused = BODY_TOO_LONG;
    return fits ? bytes : 0;
}

/* libcurl itself repeats a request when a connection that was kept breaks before an answer.  The first one
 * may have taken effect all the same: whoever sent it must know. */
static int on_sending(void *arg, char *remote, char *local, int remote_port, int local_port)
{
    struct http *h = arg;
    (void)remote;
    (void)local;
    (void)remote_port;
    (void)local_port;
    if (h->sent)
        h->refused = SENT_TWICE;
    h->sent = true;
    return h->refused == SENT_TWICE ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static void wake(void *arg)
{
    struct http *h = arg;
    curl_multi_wakeup(h->multi);
}

enum err_code http_new(const struct http_options *options, struct cancel *cancel, struct http **out,
                       struct err *err)
{
    struct http *h = xcalloc(1, sizeof *h);
    h->options = options;
    h->cancel = cancel;
    h->hook = (struct cancel_hook){.wake = wake, .arg = h};
    /* Counted, and safe in threads since libcurl 7.84. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(h);
        return err_set(err, ERR_INTERNAL, "libcurl cannot be set up");
    }
    h->multi = curl_multi_init();
    if (h->multi == NULL) {
        http_free(h);
        return err_set(err, ERR_INTERNAL, "libcurl cannot be set up");
    }
    *out = h;
    return ERR_OK;
}

void http_free(struct http *h)
{
    if (h == NULL)
        return;
    curl_easy_cleanup(h->easy);
    if (h->multi != NULL)
        curl_multi_cleanup(h->multi);
    curl_global_cleanup();
    free(h);
}

/* As libcurl itself reads it (CURLOPT_PROXY). */
enum err_code http_check_proxy(const char *proxy, const char *what, struct err *err)
{
    static const char *const schemes[] = {"http", "https", "socks", "socks4", "socks4a", "socks5", "socks5h"};
    char *scheme = NULL;
    bool known = false;
    CURLU *url = curl_url();
    if (url == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a URL");
    CURLUcode code = curl_url_set(url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME);
    if (code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
    for (size_t i = 0; code == CURLUE_OK && i < sizeof schemes / sizeof schemes[0]; i++)
        known |= strcasecmp(scheme, schemes[i]) == 0;
    curl_free(scheme);
    curl_url_cleanup(url);
    if (code != CURLUE_OK)
        return err_set(err, ERR_CONFIG, "%s names no proxy: %s", what, curl_url_strerror(code));
    return known ? ERR_OK
                 : err_set(err, ERR_CONFIG,
                           "%s names a proxy of an unknown kind: http, https, socks4, socks4a, socks5 and "
                           "socks5h are known",
                           what);
}

static long milliseconds(int64_t wanted, long otherwise)
{
    return wanted > 0 && wanted < 86400000 ? (long)wanted : otherwise;
}

/* What is the same for all requests: transport, security, timeouts. */
static CURLcode set_transport(struct http *h)
{
    const struct http_options *o = h->options;
    const struct http_request *r = h->request;
    const char *proxy = r->direct ? NULL : r->plain ? o->http_proxy : o->https_proxy;
    long stall = (milliseconds(o->stall_timeout_ms, STALL_TIMEOUT_MS) + 999) / 1000;
    CURLcode e[] = {
        curl_easy_setopt(h->easy, CURLOPT_PROTOCOLS_STR, r->plain ? "http" : "https"),
        curl_easy_setopt(h->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1),
        curl_easy_setopt(h->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2),
        curl_easy_setopt(h->easy, CURLOPT_FOLLOWLOCATION, 0L),
        curl_easy_setopt(h->easy, CURLOPT_PATH_AS_IS, 1L),
        curl_easy_setopt(h->easy, CURLOPT_NOSIGNAL, 1L),
        /* Nobody waits for a name server that does not answer, however the transfer ended. */
        curl_easy_setopt(h->easy, CURLOPT_QUICK_EXIT, 1L),
        curl_easy_setopt(h->easy, CURLOPT_TCP_KEEPALIVE, 1L),
        curl_easy_setopt(h->easy, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L),
        curl_easy_setopt(h->easy, CURLOPT_MAXAGE_CONN, IDLE_SECONDS),
        curl_easy_setopt(h->easy, CURLOPT_BUFFERSIZE, TRANSFER_BYTES),
        curl_easy_setopt(h->easy, CURLOPT_UPLOAD_BUFFERSIZE, TRANSFER_BYTES),
        curl_easy_setopt(h->easy, CURLOPT_CONNECTTIMEOUT_MS,
                         milliseconds(o->connect_timeout_ms, CONNECT_TIMEOUT_MS)),
        curl_easy_setopt(h->easy, CURLOPT_LOW_SPEED_LIMIT, 1L),
        curl_easy_setopt(h->easy, CURLOPT_LOW_SPEED_TIME, stall),
        curl_easy_setopt(h->easy, CURLOPT_TIMEOUT_MS, milliseconds(r->timeout_ms, 0)),
        /* "" also keeps libcurl from looking into the process's environment. */
        curl_easy_setopt(h->easy, CURLOPT_PROXY, proxy != NULL ? proxy : ""),
        curl_easy_setopt(h->easy, CURLOPT_NOPROXY, o->no_proxy != NULL ? o->no_proxy : ""),
        curl_easy_setopt(h->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L),
        curl_easy_setopt(h->easy, CURLOPT_USERAGENT, "dbsafe/" DBSAFE_VERSION),
    };
    for (size_t i = 0; i < sizeof e / sizeof e[0]; i++)
        if (e[i] != CURLE_OK)
            return e[i];
    if (o->ca_bundle == NULL)
        return CURLE_OK;
    CURLcode rc = curl_easy_setopt(h->easy, CURLOPT_CAINFO, o->ca_bundle);
    /* The system's folder of certificates would be trusted besides. */
    return rc != CURLE_OK ? rc : curl_easy_setopt(h->easy, CURLOPT_CAPATH, NULL);
}

static CURLcode set_request(struct http *h, const char *url, struct curl_slist *headers)
{
    const struct http_request *r = h->request;
    bool has_body = r->body_bytes > 0 || strcmp(r->method, "PUT") == 0 || strcmp(r->method, "POST") == 0;
    CURLcode e[] = {
        curl_easy_setopt(h->easy, CURLOPT_URL, url),
        curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, headers),
        curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, h->reason),
        curl_easy_setopt(h->easy, CURLOPT_HEADERFUNCTION, on_header),
        curl_easy_setopt(h->easy, CURLOPT_HEADERDATA, h),
        curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, on_body),
        curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, h),
        curl_easy_setopt(h->easy, CURLOPT_PREREQFUNCTION, on_sending),
        curl_easy_setopt(h->easy, CURLOPT_PREREQDATA, h),
        strcmp(r->method, "HEAD") == 0 ? curl_easy_setopt(h->easy, CURLOPT_NOBODY, 1L)
        : has_body                     ? curl_easy_setopt(h->easy, CURLOPT_POST, 1L)
                                       : curl_easy_setopt(h->easy, CURLOPT_HTTPGET, 1L),
        curl_easy_setopt(h->easy, CURLOPT_CUSTOMREQUEST, r->method),
        has_body ? curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_bytes)
                 : CURLE_OK,
        has_body ? curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, r->body != NULL ? r->body : "") : CURLE_OK,
    };
    for (size_t i = 0; i < sizeof e / sizeof e[0]; i++)
        if (e[i] != CURLE_OK)
            return e[i];
    return CURLE_OK;
}

static enum err_code add_header(struct curl_slist **list, const char *name, const char *value,
                                struct err *err)
{
    if (strpbrk(name, "\r\n:") != NULL || strpbrk(value, "\r\n") != NULL)
        return err_set(err, ERR_CONFIG, "the value for the header '%.64s' holds a line break", name);
    /* libcurl's way to say that a header is there and empty is a semicolon. */
    char *line = *value != '\0' ? xasprintf("%s: %s", name, value) : xasprintf("%s;", name);
    struct curl_slist *longer = curl_slist_append(*list, line);
    secret_free(line);
    if (longer == NULL)
        return err_set(err, ERR_NOMEM, "no memory for the headers of a request");
    *list = longer;
    return ERR_OK;
}

/* Headers hold signatures and tokens. */
static void free_headers(struct curl_slist *list)
{
    for (struct curl_slist *l = list; l != NULL; l = l->next)
        explicit_bzero(l->data, strlen(l->data));
    curl_slist_free_all(list);
}

static enum err_code make_headers(const struct http_request *r, struct curl_slist **list, struct err *err)
{
    /* "Name:" keeps libcurl from adding a header of its own. */
    static const char *const unwanted[] = {"Expect:", "Accept:", "Content-Type:"};
    for (size_t i = 0; i < sizeof unwanted / sizeof unwanted[0]; i++) {
        struct curl_slist *longer = curl_slist_append(*list, unwanted[i]);
        if (longer == NULL)
            return err_set(err, ERR_NOMEM, "no memory for the headers of a request");
        *list = longer;
    }
    for (size_t i = 0; i < r->headers.count; i++) {
        enum err_code rc = add_header(list, r->headers.items[i].name, r->headers.items[i].value, err);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

/* Runs the prepared transfer to its end or until the token fires. */
static CURLcode transfer(struct http *h)
{
    int running = 1;
    CURLMcode mc = curl_multi_add_handle(h->multi, h->easy);
    while (mc == CURLM_OK && running > 0 && !cancel_fired(h->cancel)) {
        mc = curl_multi_perform(h->multi, &running);
        if (mc == CURLM_OK && running > 0)
            mc = curl_multi_poll(h->multi, NULL, 0, POLL_MS, NULL);
    }
    CURLcode result = mc == CURLM_OK ? CURLE_ABORTED_BY_CALLBACK : CURLE_FAILED_INIT;
    int left;
    for (CURLMsg *m = curl_multi_info_read(h->multi, &left); m != NULL;
         m = curl_multi_info_read(h->multi, &left))
        if (m->msg == CURLMSG_DONE)
            result = m->data.result;
    curl_multi_remove_handle(h->multi, h->easy);
    return result;
}

/* The error code for what libcurl says, and whether the request may be sent again. */
static enum err_code classify(CURLcode code, bool *lost)
{
    *lost = false;
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return ERR_NOMEM;
    case CURLE_FAILED_INIT:
        return ERR_INTERNAL;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_URL_MALFORMAT:
        return ERR_CONFIG;
    case CURLE_WRITE_ERROR: /* refused by us */
        return ERR_AWS;
    default:
        *lost = true;
        return ERR_AWS;
    }
}

static enum err_code transfer_error(struct http *h, CURLcode code, struct err *err)
{
    struct buf what;
    buf_init(&what, URL_BYTES);
    http_request_describe(h->request, &what);
    enum err_code as = classify(code, &h->response->lost);
    const char *reason = h->refused == BODY_TOO_LONG      ? "the answer is longer than expected"
                         : h->refused == HEADERS_TOO_MANY ? "the answer has too many headers"
                         : h->refused == SENT_TWICE       ? "the connection broke before an answer came"
                         : h->reason[0] != '\0'           ? h->reason
                                                          : curl_easy_strerror(code);
    err_set(err, as, "%s: %s", buf_cstr(&what), reason);
    buf_free(&what);
    return as;
}

/* A whole answer counts even when the token fired meanwhile: it tells what happened. */
static enum err_code send_prepared(struct http *h, struct err *err)
{
    cancel_add_hook(h->cancel, &h->hook);
    CURLcode code = transfer(h);
    cancel_remove_hook(h->cancel, &h->hook);
    if (code == CURLE_OK)
        return ERR_OK;
    enum err_code rc = cancel_check(h->cancel, err);
    return rc != ERR_OK ? rc : transfer_error(h, code, err);
}

static void begin(struct http *h, const struct http_request *request, struct http_response *response)
{
    h->request = request;
    h->response = response;
    h->refused = NOT_REFUSED;
    h->sent = false;
    h->reason[0] = '\0';
    http_pairs_clear(&response->headers);
    buf_clear(&response->body);
    response->status = 0;
    response->lost = false;
    response->into_got = 0;
}

/* libcurl 7.88 keeps the buffers of a transfer that failed before it was connected, and then refuses every
 * request of their size: a handle that failed is not used again. */
static enum err_code take_handle(struct http *h, struct err *err)
{
    if (h->easy == NULL)
        h->easy = curl_easy_init();
    return h->easy != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for a request");
}

static void drop_handle(struct http *h, bool good)
{
    if (good) {
        curl_easy_reset(h->easy); /* it points into what is released now */
    } else {
        curl_easy_cleanup(h->easy);
        h->easy = NULL;
    }
}

enum err_code http_send(struct http *h, const struct http_request *request, struct http_response *response,
                        struct err *err)
{
    struct curl_slist *headers = NULL;
    struct buf url;
    buf_init(&url, URL_BYTES);
    url.secret = true;
    begin(h, request, response);
    enum err_code rc = cancel_check(h->cancel, err);
    if (rc == ERR_OK)
        rc = make_headers(request, &headers, err);
    if (rc == ERR_OK)
        rc = take_handle(h, err);
    if (rc == ERR_OK) {
        http_request_url(request, &url);
        CURLcode code = set_transport(h);
        if (code == CURLE_OK)
            code = set_request(h, buf_cstr(&url), headers);
        rc = code == CURLE_OK ? send_prepared(h, err) : transfer_error(h, code, err);
    }
    long status = 0;
    if (rc == ERR_OK)
        curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    response->status = (int)status;
    drop_handle(h, rc == ERR_OK);
    free_headers(headers);
    buf_free(&url);
    return rc;
}
