#include "aws/sigv4.h"

#include "core/clock.h"
#include "core/mem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ALGORITHM   "AWS4-HMAC-SHA256"
#define TEXT_BYTES  (4 << 20) /* a canonical request is no longer */
#define EXPIRES_MAX 604800
#define RDS_EXPIRES 900
#define RDS_SERVICE "rds-db"
#define EMPTY_HASH  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define DATE_BYTES  8 /* of the compact time: yyyymmdd */

/* Headers that proxies and libcurl change on the way: never signed. */
static const char *const unsigned_headers[] = {"user-agent",      "connection",      "expect",
                                               "accept-encoding", "x-amzn-trace-id", "transfer-encoding"};

/* ---- hashes ---- */

static void to_hex(const unsigned char raw[SIGV4_HASH_BYTES], char out[SIGV4_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SIGV4_HASH_BYTES; i++) {
        out[2 * i] = digits[raw[i] >> 4];
        out[2 * i + 1] = digits[raw[i] & 15];
    }
    out[SIGV4_HEX_BYTES - 1] = '\0';
}

enum err_code sigv4_sha256(const void *data, size_t bytes, unsigned char out[SIGV4_HASH_BYTES],
                           struct err *err)
{
    if (EVP_Digest(bytes > 0 ? data : "", bytes, out, NULL, EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_INTERNAL, "OpenSSL cannot compute a SHA-256");
    return ERR_OK;
}

enum err_code sigv4_sha256_hex(const void *data, size_t bytes, char out[SIGV4_HEX_BYTES], struct err *err)
{
    unsigned char raw[SIGV4_HASH_BYTES];
    enum err_code rc = sigv4_sha256(data, bytes, raw, err);
    if (rc == ERR_OK)
        to_hex(raw, out);
    return rc;
}

/* key and out may be the same memory. */
static enum err_code hmac(const unsigned char *key, size_t key_bytes, const char *text, size_t bytes,
                          unsigned char out[SIGV4_HASH_BYTES], struct err *err)
{
    unsigned char made[EVP_MAX_MD_SIZE];
    if (HMAC(EVP_sha256(), key, (int)key_bytes, (const unsigned char *)text, bytes, made, NULL) == NULL)
        return err_set(err, ERR_INTERNAL, "OpenSSL cannot compute an HMAC");
    memcpy(out, made, SIGV4_HASH_BYTES);
    OPENSSL_cleanse(made, sizeof made);
    return ERR_OK;
}

/* The signing key of a date, region and service. */
static enum err_code derive_key(const struct sigv4 *s, const char *date, unsigned char key[SIGV4_HASH_BYTES],
                                struct err *err)
{
    const char *const steps[] = {s->region, s->service, "aws4_request"};
    char *secret = xasprintf("AWS4%s", s->secret_key);
    enum err_code rc = hmac((const unsigned char *)secret, strlen(secret), date, DATE_BYTES, key, err);
    for (size_t i = 0; rc == ERR_OK && i < sizeof steps / sizeof steps[0]; i++)
        rc = hmac(key, SIGV4_HASH_BYTES, steps[i], strlen(steps[i]), key, err);
    secret_free(secret);
    return rc;
}

/* ---- the canonical request ---- */

static bool is_s3(const struct sigv4 *s)
{
    return strcmp(s->service, "s3") == 0;
}

static int by_name_then_value(const void *a, const void *b)
{
    const struct http_pair *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : strcmp(x->value, y->value);
}

static void put_query(const struct http_request *request, const struct http_pairs *more, struct buf *out)
{
    const struct http_pairs *const lists[] = {&request->query, more};
    struct http_pairs encoded = {0};
    struct buf name, value;
    buf_init(&name, TEXT_BYTES);
    buf_init(&value, TEXT_BYTES);
    value.secret = true;
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; lists[l] != NULL && i < lists[l]->count; i++) {
            buf_clear(&name);
            buf_clear(&value);
            http_encode(&name, lists[l]->items[i].name, false);
            http_encode(&value, lists[l]->items[i].value, false);
            http_pairs_add(&encoded, buf_cstr(&name), buf_cstr(&value));
        }
    if (encoded.count > 0)
        qsort(encoded.items, encoded.count, sizeof *encoded.items, by_name_then_value);
    for (size_t i = 0; i < encoded.count; i++)
        buf_putf(out, "%s%s=%s", i > 0 ? "&" : "", encoded.items[i].name, encoded.items[i].value);
    http_pairs_clear(&encoded);
    buf_free(&name);
    buf_free(&value);
}

/* RFC 3986, 5.2.4, and empty segments removed: what the services but S3 sign.  As botocore does it, a slash
 * ends the result only where one ended the path. */
static void put_normalized(const char *path, struct buf *out)
{
    size_t floor = out->len;
    bool ends_in_slash = false;
    for (const char *s = path; *s != '\0';) {
        size_t n = strcspn(s, "/");
        if (n == 2 && strncmp(s, "..", 2) == 0) {
            while (out->len > floor && out->data[--out->len] != '/')
                ;
        } else if (n > 0 && !(n == 1 && *s == '.')) {
            buf_put(out, "/");
            buf_putn(out, s, n);
        }
        s += n;
        ends_in_slash = *s == '/';
        s += ends_in_slash ? 1 : 0;
    }
    if (ends_in_slash || out->len == floor)
        buf_put(out, "/");
}

static void put_path(const struct sigv4 *s, const struct http_request *request, struct buf *out)
{
    const char *path = request->path != NULL && *request->path != '\0' ? request->path : "/";
    if (is_s3(s)) {
        http_encode(out, path, true);
        return;
    }
    struct buf once, normal;
    buf_init(&once, TEXT_BYTES);
    buf_init(&normal, TEXT_BYTES);
    http_encode(&once, path, true);
    put_normalized(buf_cstr(&once), &normal);
    http_encode(out, buf_cstr(&normal), true);
    buf_free(&once);
    buf_free(&normal);
}

/* White space at the ends is cut, inside it is folded to one blank. */
static void put_folded(const char *value, struct buf *out)
{
    static const char blanks[] = " \t\r\n\v\f";
    const char *s = value + strspn(value, blanks);
    while (*s != '\0') {
        size_t n = strcspn(s, blanks);
        buf_putn(out, s, n);
        s += n;
        s += strspn(s, blanks);
        if (*s != '\0')
            buf_put(out, " ");
    }
}

static bool is_signed(const char *name)
{
    for (size_t i = 0; i < sizeof unsigned_headers / sizeof unsigned_headers[0]; i++)
        if (strcasecmp(name, unsigned_headers[i]) == 0)
            return false;
    return true;
}

static void lower(char *s)
{
    for (; *s != '\0'; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s - 'A' + 'a');
}

/* sorted has no other order than by name; equal names keep the order in which they are sent: insertion sort.
 */
static void insert_header(struct http_pairs *sorted, const char *name, const char *value)
{
    http_pairs_add(sorted, name, value);
    struct http_pair added = sorted->items[sorted->count - 1];
    lower(added.name);
    size_t i = sorted->count - 1;
    for (; i > 0 && strcmp(sorted->items[i - 1].name, added.name) > 0; i--)
        sorted->items[i] = sorted->items[i - 1];
    sorted->items[i] = added;
}

/* The headers that are signed: lower case, sorted, values as they are.  Caller clears. */
static struct http_pairs headers_to_sign(const struct http_request *request, const struct http_pairs *signing)
{
    struct http_pairs sorted = {0};
    struct buf host;
    buf_init(&host, TEXT_BYTES);
    http_request_host(request, &host);
    insert_header(&sorted, "host", buf_cstr(&host));
    buf_free(&host);
    const struct http_pairs *const lists[] = {&request->headers, signing};
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; lists[l] != NULL && i < lists[l]->count; i++)
            if (is_signed(lists[l]->items[i].name))
                insert_header(&sorted, lists[l]->items[i].name, lists[l]->items[i].value);
    return sorted;
}

/* Names repeat where a header is sent more than once: its values are joined by commas. */
static bool repeats(const struct http_pairs *sorted, size_t i)
{
    return i > 0 && strcmp(sorted->items[i - 1].name, sorted->items[i].name) == 0;
}

static void put_headers(const struct http_pairs *sorted, struct buf *out)
{
    for (size_t i = 0; i < sorted->count; i++) {
        if (repeats(sorted, i))
            buf_put(out, ",");
        else
            buf_putf(out, "%s%s:", i > 0 ? "\n" : "", sorted->items[i].name);
        put_folded(sorted->items[i].value, out);
    }
    buf_put(out, "\n");
}

static void put_signed_names(const struct http_pairs *sorted, struct buf *out)
{
    for (size_t i = 0; i < sorted->count; i++)
        if (!repeats(sorted, i))
            buf_putf(out, "%s%s", i > 0 ? ";" : "", sorted->items[i].name);
}

static void put_canonical(const struct sigv4 *s, const struct http_request *request,
                          const struct http_pairs *more_query, const struct http_pairs *sorted,
                          const char *payload_hash, struct buf *out)
{
    buf_putf(out, "%s\n", request->method);
    put_path(s, request, out);
    buf_put(out, "\n");
    put_query(request, more_query, out);
    buf_put(out, "\n");
    put_headers(sorted, out);
    buf_put(out, "\n");
    put_signed_names(sorted, out);
    buf_putf(out, "\n%s", payload_hash);
}

/* ---- the signature ---- */

struct moment {
    char time[CLOCK_COMPACT_BYTES]; /* its first 8 characters are the date */
};

static struct moment moment_of(const struct sigv4 *s)
{
    struct moment m;
    clock_format_compact(s->wall_ms + s->clock_offset_ms, m.time);
    return m;
}

static void put_scope(const struct sigv4 *s, const struct moment *m, struct buf *out)
{
    buf_putf(out, "%.*s/%s/%s/aws4_request", DATE_BYTES, m->time, s->region, s->service);
}

static enum err_code signature(const struct sigv4 *s, const struct moment *m, const struct buf *canonical,
                               char out[SIGV4_HEX_BYTES], struct err *err)
{
    unsigned char key[SIGV4_HASH_BYTES];
    struct buf text;
    buf_init(&text, TEXT_BYTES);
    enum err_code rc = sigv4_sha256_hex(canonical->data, canonical->len, out, err);
    if (rc == ERR_OK) {
        buf_putf(&text, ALGORITHM "\n%s\n", m->time);
        put_scope(s, m, &text);
        buf_putf(&text, "\n%s", out);
        rc = derive_key(s, m->time, key, err);
    }
    if (rc == ERR_OK)
        rc = hmac(key, sizeof key, text.data, text.len, key, err);
    if (rc == ERR_OK)
        to_hex(key, out);
    OPENSSL_cleanse(key, sizeof key);
    buf_free(&text);
    return rc;
}

static enum err_code payload_hash(const struct sigv4 *s, const struct http_request *request,
                                  char out[SIGV4_HEX_BYTES], struct err *err)
{
    if (s->payload_hash == NULL)
        return sigv4_sha256_hex(request->body, request->body_bytes, out, err);
    if (strlen(s->payload_hash) >= SIGV4_HEX_BYTES)
        return err_set(err, ERR_INTERNAL, "a payload hash has a wrong length");
    memcpy(out, s->payload_hash, strlen(s->payload_hash) + 1);
    return ERR_OK;
}

static bool has_token(const struct sigv4 *s)
{
    return s->session_token != NULL && *s->session_token != '\0';
}

enum err_code sigv4_canonical(const struct sigv4 *s, const struct http_request *request,
                              const struct http_pairs *signing, struct buf *out, struct err *err)
{
    char hash[SIGV4_HEX_BYTES];
    enum err_code rc = payload_hash(s, request, hash, err);
    if (rc != ERR_OK)
        return rc;
    struct http_pairs sorted = headers_to_sign(request, signing);
    put_canonical(s, request, NULL, &sorted, hash, out);
    http_pairs_clear(&sorted);
    return ERR_OK;
}

static void add_authorization(const struct sigv4 *s, const struct moment *m, const struct http_pairs *sorted,
                              const char *hex, struct http_pairs *out)
{
    struct buf value;
    buf_init(&value, TEXT_BYTES);
    buf_putf(&value, ALGORITHM " Credential=%s/", s->access_key);
    put_scope(s, m, &value);
    buf_put(&value, ", SignedHeaders=");
    put_signed_names(sorted, &value);
    buf_putf(&value, ", Signature=%s", hex);
    http_pairs_add(out, "Authorization", buf_cstr(&value));
    buf_free(&value);
}

enum err_code sigv4_sign(const struct sigv4 *s, const struct http_request *request, struct http_pairs *out,
                         struct err *err)
{
    struct moment m = moment_of(s);
    char hash[SIGV4_HEX_BYTES], hex[SIGV4_HEX_BYTES];
    enum err_code rc = payload_hash(s, request, hash, err);
    if (rc != ERR_OK)
        return rc;
    struct http_pairs added = {0};
    http_pairs_add(&added, "X-Amz-Date", m.time);
    if (is_s3(s))
        http_pairs_add(&added, "X-Amz-Content-Sha256", hash);
    if (has_token(s))
        http_pairs_add(&added, "X-Amz-Security-Token", s->session_token);
    struct http_pairs sorted = headers_to_sign(request, &added);
    struct buf canonical;
    buf_init(&canonical, TEXT_BYTES);
    canonical.secret = true;
    put_canonical(s, request, NULL, &sorted, hash, &canonical);
    rc = signature(s, &m, &canonical, hex, err);
    if (rc == ERR_OK) {
        for (size_t i = 0; i < added.count; i++)
            http_pairs_add(out, added.items[i].name, added.items[i].value);
        add_authorization(s, &m, &sorted, hex, out);
    }
    buf_free(&canonical);
    http_pairs_clear(&sorted);
    http_pairs_clear(&added);
    return rc;
}

/* The signer's part of the query, without the signature. */
static void add_presign_query(const struct sigv4 *s, const struct moment *m, const struct http_pairs *sorted,
                              unsigned expires_s, struct http_pairs *query)
{
    struct buf text;
    buf_init(&text, TEXT_BYTES);
    http_pairs_add(query, "X-Amz-Algorithm", ALGORITHM);
    buf_putf(&text, "%s/", s->access_key);
    put_scope(s, m, &text);
    http_pairs_add(query, "X-Amz-Credential", buf_cstr(&text));
    http_pairs_add(query, "X-Amz-Date", m->time);
    http_pairs_addf(query, "X-Amz-Expires", "%u", expires_s);
    if (has_token(s))
        http_pairs_add(query, "X-Amz-Security-Token", s->session_token);
    buf_clear(&text);
    put_signed_names(sorted, &text);
    http_pairs_add(query, "X-Amz-SignedHeaders", buf_cstr(&text));
    buf_free(&text);
}

static void put_presigned_url(const struct http_request *request, const struct http_pairs *query,
                              const char *hex, struct buf *url)
{
    http_request_url(request, url);
    for (size_t i = 0; i < query->count; i++) {
        buf_put(url, i == 0 && request->query.count == 0 ? "?" : "&");
        http_encode(url, query->items[i].name, false);
        buf_put(url, "=");
        http_encode(url, query->items[i].value, false);
    }
    buf_putf(url, "&X-Amz-Signature=%s", hex);
}

enum err_code sigv4_presign(const struct sigv4 *s, const struct http_request *request, unsigned expires_s,
                            struct buf *url, struct err *err)
{
    struct moment m = moment_of(s);
    char hash[SIGV4_HEX_BYTES] = SIGV4_UNSIGNED_PAYLOAD, hex[SIGV4_HEX_BYTES];
    if (expires_s < 1 || expires_s > EXPIRES_MAX)
        return err_set(err, ERR_USAGE, "a presigned URL can be valid for 1 to %d seconds, not %u",
                       EXPIRES_MAX, expires_s);
    enum err_code rc = ERR_OK;
    if (s->payload_hash != NULL || !is_s3(s))
        rc = payload_hash(s, request, hash, err);
    if (rc != ERR_OK)
        return rc;
    struct http_pairs query = {0};
    struct http_pairs sorted = headers_to_sign(request, NULL);
    struct buf canonical;
    buf_init(&canonical, TEXT_BYTES);
    canonical.secret = true;
    add_presign_query(s, &m, &sorted, expires_s, &query);
    put_canonical(s, request, &query, &sorted, hash, &canonical);
    rc = signature(s, &m, &canonical, hex, err);
    if (rc == ERR_OK)
        put_presigned_url(request, &query, hex, url);
    buf_free(&canonical);
    http_pairs_clear(&sorted);
    http_pairs_clear(&query);
    return rc;
}

enum err_code aws_rds_auth_token(const struct sigv4 *s, const char *host, unsigned port, const char *user,
                                 struct buf *out, struct err *err)
{
    static const char scheme[] = "https://";
    struct sigv4 login = *s;
    login.service = RDS_SERVICE;
    login.payload_hash = EMPTY_HASH;
    struct http_request request;
    http_request_init(&request, "GET");
    request.host = host;
    request.port = port;
    request.path = "/";
    http_pairs_add(&request.query, "Action", "connect");
    http_pairs_add(&request.query, "DBUser", user);
    struct buf url;
    buf_init(&url, TEXT_BYTES);
    url.secret = true;
    enum err_code rc = sigv4_presign(&login, &request, RDS_EXPIRES, &url, err);
    if (rc == ERR_OK)
        rc = buf_add(out, url.data + strlen(scheme), url.len - strlen(scheme), err);
    buf_free(&url);
    http_request_end(&request);
    return rc;
}
