/*
 * Signatures against published ones: the examples of the S3 API reference ("Signature Calculations",
 * "Presigned URL"), and one RDS token that botocore's generate_db_auth_token makes.  Agreement on random
 * requests: tests/e2e/test_sigv4.py.
 */
#include "support/test.h"

#include "aws/sigv4.h"

#include <string.h>

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* 20130524T000000Z */
#define EXAMPLE_MS INT64_C(1369353600000)

static const struct sigv4 example = {
    .access_key = "AKIAIOSFODNN7EXAMPLE",
    .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    .region = "us-east-1",
    .service = "s3",
    .wall_ms = EXAMPLE_MS,
};

static void example_request(struct http_request *r, const char *method, const char *path)
{
    http_request_init(r, method);
    r->host = "examplebucket.s3.amazonaws.com";
    r->path = path;
}

static void check_signature(struct http_request *r, const char *signed_headers, const char *want)
{
    struct http_pairs out = {0};
    struct err err;
    char text[1024];
    assert_ok(sigv4_sign(&example, r, &out, &err), &err);
    snprintf(text, sizeof text,
             "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
             "SignedHeaders=%s, Signature=%s",
             signed_headers, want);
    assert_string_equal(http_pairs_get(&out, "authorization"), text);
    assert_string_equal(http_pairs_get(&out, "x-amz-date"), "20130524T000000Z");
    http_pairs_clear(&out);
    http_request_end(r);
}

static void get_with_range(void **state)
{
    (void)state;
    struct http_request r;
    example_request(&r, "GET", "/test.txt");
    http_pairs_add(&r.headers, "Range", "bytes=0-9");
    check_signature(&r, "host;range;x-amz-content-sha256;x-amz-date",
                    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void put_with_body_and_headers(void **state)
{
    (void)state;
    struct http_request r;
    example_request(&r, "PUT", "/test$file.text");
    http_pairs_add(&r.headers, "Date", "Fri, 24 May 2013 00:00:00 GMT");
    http_pairs_add(&r.headers, "x-amz-storage-class", "REDUCED_REDUNDANCY");
    r.body = "Welcome to Amazon S3.";
    r.body_bytes = strlen(r.body);
    check_signature(&r, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void query_without_value(void **state)
{
    (void)state;
    struct http_request r;
    example_request(&r, "GET", "/");
    http_pairs_add(&r.query, "lifecycle", NULL);
    check_signature(&r, "host;x-amz-content-sha256;x-amz-date",
                    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

static void query_is_sorted(void **state)
{
    (void)state;
    struct http_request r;
    example_request(&r, "GET", NULL);
    http_pairs_add(&r.query, "prefix", "J");
    http_pairs_add(&r.query, "max-keys", "2");
    check_signature(&r, "host;x-amz-content-sha256;x-amz-date",
                    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void presigned(void **state)
{
    (void)state;
    struct http_request r;
    struct buf url;
    struct err err;
    buf_init(&url, 4096);
    example_request(&r, "GET", "/test.txt");
    assert_ok(sigv4_presign(&example, &r, 86400, &url, &err), &err);
    assert_string_equal(buf_cstr(&url),
                        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&"
                        "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&"
                        "X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&"
                        "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    buf_free(&url);
    http_request_end(&r);
}

static void presigned_for_too_long_is_refused(void **state)
{
    (void)state;
    struct http_request r;
    struct buf url;
    struct err err;
    buf_init(&url, 4096);
    example_request(&r, "GET", "/test.txt");
    assert_err(sigv4_presign(&example, &r, 0, &url, &err), ERR_USAGE, &err);
    assert_err(sigv4_presign(&example, &r, 604801, &url, &err), ERR_USAGE, &err);
    assert_int_equal(url.len, 0);
    buf_free(&url);
    http_request_end(&r);
}

static void the_clock_offset_moves_the_date(void **state)
{
    (void)state;
    struct http_request r;
    struct sigv4 late = example;
    struct http_pairs out = {0};
    struct err err;
    late.wall_ms -= 7200000;
    late.clock_offset_ms = 7200000;
    example_request(&r, "GET", NULL);
    http_pairs_add(&r.query, "lifecycle", NULL);
    assert_ok(sigv4_sign(&late, &r, &out, &err), &err);
    assert_non_null(strstr(http_pairs_get(&out, "Authorization"),
                           "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
    http_pairs_clear(&out);
    http_request_end(&r);
}

/* The canonical request as the documentation prints it, for what the examples do not have: repeated and
 * folded headers, encoded names, a port, headers that are not signed. */
static void canonical_request_of_s3(void **state)
{
    (void)state;
    struct http_request r;
    struct buf out;
    struct err err;
    buf_init(&out, 4096);
    http_request_init(&r, "PUT");
    r.host = "127.0.0.1";
    r.plain = true;
    r.port = 8000;
    r.path = "/b/a//../x y+=(\xC3\xA4)~%";
    http_pairs_add(&r.query, "b", "2");
    http_pairs_add(&r.query, "a b", "/+=");
    http_pairs_add(&r.query, "b", "1");
    http_pairs_add(&r.headers, "X-Amz-Meta-B", "  two   words\t here  ");
    http_pairs_add(&r.headers, "x-amz-meta-a", "first");
    http_pairs_add(&r.headers, "X-AMZ-META-A", "second");
    http_pairs_add(&r.headers, "User-Agent", "someone");
    http_pairs_add(&r.headers, "Expect", "100-continue");
    assert_ok(sigv4_canonical(&example, &r, NULL, &out, &err), &err);
    assert_string_equal(buf_cstr(&out),
                        "PUT\n/b/a//../x%20y%2B%3D%28%C3%A4%29~%25\na%20b=%2F%2B%3D&b=1&b=2\n"
                        "host:127.0.0.1:8000\nx-amz-meta-a:first,second\nx-amz-meta-b:two words here\n\n"
                        "host;x-amz-meta-a;x-amz-meta-b\n" EMPTY_SHA256);
    buf_free(&out);
    http_request_end(&r);
}

static void other_services_normalize_and_encode_twice(void **state)
{
    (void)state;
    static const char *const paths[][2] = {
        {"/", "/"},         {"", "/"},
        {"//", "/"},        {"/./", "/"},
        {"/a/../", "/"},    {"/a/..", "/"},
        {"/../../x", "/x"}, {"/a/./b//c/../d", "/a/b/d"},
        {"/a/b/", "/a/b/"}, {"/a b", "/a%2520b"},
        {"/...", "/..."},
    };
    struct sigv4 rds = example;
    rds.service = "rds";
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct http_request r;
        struct buf out;
        struct err err;
        char want[256];
        buf_init(&out, 4096);
        http_request_init(&r, "GET");
        r.host = "example.com";
        r.path = paths[i][0];
        assert_ok(sigv4_canonical(&rds, &r, NULL, &out, &err), &err);
        snprintf(want, sizeof want, "GET\n%s\n\nhost:example.com\n\nhost\n" EMPTY_SHA256, paths[i][1]);
        assert_string_equal(buf_cstr(&out), want);
        buf_free(&out);
    }
}

static void the_session_token_is_signed(void **state)
{
    (void)state;
    struct http_request r;
    struct sigv4 with = example;
    struct http_pairs out = {0};
    struct err err;
    with.session_token = "the token";
    with.payload_hash = SIGV4_UNSIGNED_PAYLOAD;
    example_request(&r, "GET", "/");
    assert_ok(sigv4_sign(&with, &r, &out, &err), &err);
    assert_string_equal(http_pairs_get(&out, "x-amz-security-token"), "the token");
    assert_string_equal(http_pairs_get(&out, "x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
    assert_non_null(strstr(http_pairs_get(&out, "authorization"),
                           "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"));
    http_pairs_clear(&out);
    http_request_end(&r);
}

static void rds_login(void **state)
{
    (void)state;
    struct buf token;
    struct err err;
    struct sigv4 s = example;
    s.service = "ignored";
    buf_init(&token, 4096);
    assert_ok(aws_rds_auth_token(&s, "db.abc.eu-west-1.rds.example.com", 3306, "back up+", &token, &err),
              &err);
    assert_string_equal(
        buf_cstr(&token),
        "db.abc.eu-west-1.rds.example.com:3306/"
        "?Action=connect&DBUser=back%20up%2B&X-Amz-Algorithm=AWS4-HMAC-SHA256&"
        "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Frds-db%2Faws4_request&"
        "X-Amz-Date=20130524T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&"
        "X-Amz-Signature=fd270e3a5336ea480c94bd0ac8b7baf0652e35e669f0ff90fba9341ac7d2ca4e");
    buf_free(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_with_range),
        cmocka_unit_test(put_with_body_and_headers),
        cmocka_unit_test(query_without_value),
        cmocka_unit_test(query_is_sorted),
        cmocka_unit_test(presigned),
        cmocka_unit_test(presigned_for_too_long_is_refused),
        cmocka_unit_test(the_clock_offset_moves_the_date),
        cmocka_unit_test(canonical_request_of_s3),
        cmocka_unit_test(other_services_normalize_and_encode_twice),
        cmocka_unit_test(the_session_token_is_signed),
        cmocka_unit_test(rds_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
