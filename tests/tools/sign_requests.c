/*
 * Signs what tests/e2e/test_sigv4.py asks for: a JSON object a line on standard input, a line of output each:
 * the Authorization header, the presigned URL, or the RDS token.
 */
#include "aws/sigv4.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static void take_pairs(const json_t *list, struct http_pairs *out)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);
        http_pairs_add(out, json_string_value(json_array_get(pair, 0)),
                       json_string_value(json_array_get(pair, 1)));
    }
}

static enum err_code answer(const char *kind, const struct sigv4 *s, const struct http_request *r,
                            const json_t *o, struct buf *out, struct err *err)
{
    if (strcmp(kind, "presign") == 0)
        return sigv4_presign(s, r, (unsigned)json_integer_value(json_object_get(o, "expires")), out, err);
    if (strcmp(kind, "rds") == 0)
        return aws_rds_auth_token(s, r->host, r->port, text(o, "user"), out, err);
    struct http_pairs headers = {0};
    enum err_code rc = sigv4_sign(s, r, &headers, err);
    if (rc == ERR_OK)
        buf_put(out, http_pairs_get(&headers, "Authorization"));
    http_pairs_clear(&headers);
    return rc;
}

static void serve(const json_t *o)
{
    struct sigv4 s = {
        .access_key = text(o, "access"),
        .secret_key = text(o, "secret"),
        .session_token = text(o, "token"),
        .region = text(o, "region"),
        .service = text(o, "service"),
        .wall_ms = json_integer_value(json_object_get(o, "time_ms")),
        .payload_hash = text(o, "payload_hash"),
    };
    struct http_request r;
    struct buf out;
    struct err err;
    buf_init(&out, 1 << 20);
    http_request_init(&r, text(o, "method"));
    r.plain = json_is_true(json_object_get(o, "plain"));
    r.host = text(o, "host");
    r.port = (unsigned)json_integer_value(json_object_get(o, "port"));
    r.path = text(o, "path");
    r.body = text(o, "body");
    r.body_bytes = json_string_length(json_object_get(o, "body"));
    take_pairs(json_object_get(o, "query"), &r.query);
    take_pairs(json_object_get(o, "headers"), &r.headers);
    if (answer(text(o, "kind"), &s, &r, o, &out, &err) == ERR_OK)
        puts(buf_cstr(&out));
    else
        printf("error: %s\n", err.text);
    http_request_end(&r);
    buf_free(&out);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        json_error_t where;
        json_t *o = json_loads(line, 0, &where);
        if (o == NULL) {
            fprintf(stderr, "not JSON: %s\n", where.text);
            return 2;
        }
        serve(o);
        json_decref(o);
    }
    free(line);
    return 0;
}
