/* The stub is a fake web server because it must fail on demand; see tests/lib/aws_stub.py.  So must the
 * lookup of names: getaddrinfo below stands in front of the system's for libcurl. */
#include "support/aws_stub.h"
#include "support/certificate.h"

#include "aws/http.h"
#include "aws/sigv4.h"
#include "core/clock.h"
#include "core/group.h"

#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

/* ---- names under example.com: what becomes of their lookup; all others are the system's ---- */

#define SILENT_MS 5000

static atomic_int lookups, failures_left;
static atomic_bool silent, ended;

/* libcurl resolves in a thread of its own. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    size_t n = strlen(name);
    if (n < 11 || strcmp(name + n - 11, "example.com") != 0)
        return real(name, service, hints, out);
    atomic_fetch_add(&lookups, 1);
    for (int ms = 0; ms < SILENT_MS && atomic_load(&silent); ms++)
        poll(NULL, 0, 1);
    atomic_store(&ended, true);
    if (atomic_fetch_sub(&failures_left, 1) > 0)
        return EAI_AGAIN;
    return real("127.0.0.1", service, hints, out);
}

struct world {
    struct stub stub;
    struct http_options options;
    struct http *http;
    struct http_request request;
    struct http_response response;
    struct err err;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    stub_start(&w->stub);
    assert_ok(http_new(&w->options, NULL, &w->http, &w->err), &w->err);
    http_request_init(&w->request, "GET");
    w->request.plain = true;
    w->request.host = "127.0.0.1";
    w->request.port = w->stub.port;
    w->request.path = "/bytes/1000";
    http_response_init(&w->response, 100000);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    http_request_end(&w->request);
    http_response_free(&w->response);
    http_free(w->http);
    stub_stop(&w->stub);
    free(w);
    return 0;
}

static enum err_code send_request(struct world *w)
{
    return http_send(w->http, &w->request, &w->response, &w->err);
}

static void sends_what_it_is_told_and_no_more(void **state)
{
    struct world *w = *state;
    char body[] = "some bytes \0 and more";
    w->request.method = "PUT";
    w->request.path = "/bucket//a b/../\xC3\xA4+";
    w->request.body = body;
    w->request.body_bytes = sizeof body;
    http_pairs_add(&w->request.query, "uploads", NULL);
    http_pairs_add(&w->request.query, "k&y", "v=1/2 ");
    http_pairs_add(&w->request.headers, "X-One", "1");
    http_pairs_addf(&w->request.headers, "X-Two", "%d and %d", 2, 3);
    http_pairs_add(&w->request.headers, "X-Empty", "");
    assert_ok(send_request(w), &w->err);
    assert_int_equal(w->response.status, 200);
    assert_string_equal(stub_say(&w->stub, "target"),
                        "/bucket//a%20b/../%C3%A4%2B?uploads=&k%26y=v%3D1%2F2%20");
    assert_string_equal(stub_say(&w->stub, "body"), "some%20bytes%20%00%20and%20more%00");
    assert_string_equal(stub_say(&w->stub, "header X-One"), "1");
    assert_string_equal(stub_say(&w->stub, "header X-Two"), "2 and 3");
    assert_string_equal(stub_say(&w->stub, "header Content-Length"), "22");
    static const char *const absent[] = {"Expect", "Accept", "Content-Type", "Accept-Encoding",
                                         "Transfer-Encoding"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        assert_string_equal(stub_say(&w->stub, "header %s", absent[i]), "-");
    char host[64];
    snprintf(host, sizeof host, "127.0.0.1:%u", w->stub.port);
    assert_string_equal(stub_say(&w->stub, "header Host"), host);
    assert_non_null(http_pairs_get(&w->response.headers, "x-body-SHA256"));
    assert_null(http_pairs_get(&w->response.headers, "x-body"));
}

static void every_method_works(void **state)
{
    struct world *w = *state;
    static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "DELETE"};
    for (size_t i = 0; i < 5; i++) {
        char what[64];
        w->request.method = methods[i];
        assert_ok(send_request(w), &w->err);
        assert_int_equal(w->response.status, 200);
        assert_int_equal(w->response.body.len, i == 1 ? 0 : 1000);
        snprintf(what, sizeof what, "%s /bytes", methods[i]);
        assert_int_equal(stub_count(&w->stub, what), 1);
    }
    assert_string_equal(stub_say(&w->stub, "connections"), "1");
}

static void a_large_body_arrives_whole(void **state)
{
    struct world *w = *state;
    size_t bytes = 20 * 1024 * 1024;
    char *body = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        body[i] = (char)(i * 7 % 251);
    w->request.method = "PUT";
    w->request.path = "/x";
    w->request.body = body;
    w->request.body_bytes = bytes;
    assert_ok(send_request(w), &w->err);
    char sha[SIGV4_HEX_BYTES];
    assert_ok(sigv4_sha256_hex(body, bytes, sha, &w->err), &w->err);
    assert_string_equal(http_pairs_get(&w->response.headers, "X-Body-Sha256"), sha);
    /* The same bytes the other way round. */
    w->request.method = "GET";
    w->request.path = "/bytes/20971520";
    w->request.body = NULL;
    w->request.body_bytes = 0;
    char *got = malloc(bytes);
    w->request.into = got;
    w->request.into_bytes = bytes;
    assert_ok(send_request(w), &w->err);
    assert_int_equal(w->response.into_got, bytes);
    assert_memory_equal(got, body, bytes);
    free(got);
    free(body);
}

static void a_range_goes_into_the_callers_memory(void **state)
{
    struct world *w = *state;
    unsigned char got[10];
    http_pairs_add(&w->request.headers, "Range", "bytes=100-109");
    w->request.into = got;
    w->request.into_bytes = sizeof got;
    assert_ok(send_request(w), &w->err);
    assert_int_equal(w->response.status, 206);
    assert_int_equal(w->response.into_got, 10);
    assert_int_equal(w->response.body.len, 0);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(got[i], (100 + i) * 7 % 251);
}

static void an_errors_words_do_not_go_there(void **state)
{
    struct world *w = *state;
    char got[4] = "abc";
    w->request.into = got;
    w->request.into_bytes = sizeof got;
    stub_say(&w->stub, "plan error 404 NoSuchKey");
    assert_ok(send_request(w), &w->err);
    assert_int_equal(w->response.status, 404);
    assert_int_equal(w->response.into_got, 0);
    assert_string_equal(got, "abc");
    assert_non_null(strstr(buf_cstr(&w->response.body), "<Code>NoSuchKey</Code>"));
}

static void an_answer_that_is_too_long_is_final(void **state)
{
    struct world *w = *state;
    char got[10];
    w->request.into = got;
    w->request.into_bytes = sizeof got;
    assert_err(send_request(w), ERR_AWS, &w->err);
    assert_false(w->response.lost);
    assert_non_null(strstr(w->err.text, "longer than expected"));
    w->request.into = NULL;
    w->request.path = "/bytes/100001";
    assert_err(send_request(w), ERR_AWS, &w->err);
    assert_false(w->response.lost);
    stub_say(&w->stub, "plan headers 300");
    w->request.path = "/bytes/1";
    assert_err(send_request(w), ERR_AWS, &w->err);
    assert_false(w->response.lost);
    assert_non_null(strstr(w->err.text, "too many headers"));
    /* The handle is as good as before. */
    assert_ok(send_request(w), &w->err);
}

static void broken_connections_are_lost(void **state)
{
    struct world *w = *state;
    static const char *const faults[] = {"reset-before", "reset-in",  "reset-after", "close",
                                         "reset-answer", "truncated", "garbage-http"};
    char *body = calloc(1, 300000);
    w->request.method = "PUT";
    w->request.body = body;
    w->request.body_bytes = 300000;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        stub_say(&w->stub, "forget");
        stub_say(&w->stub, "plan %s", faults[i]);
        enum err_code rc = send_request(w);
        if (rc != ERR_AWS || !w->response.lost || w->response.status != 0)
            fail_msg("%s: %s, lost %d, status %d", faults[i], err_name(rc), w->response.lost,
                     w->response.status);
        assert_non_null(strstr(w->err.text, "PUT http://127.0.0.1:"));
        /* Though the connection was kept from the request before: libcurl did not repeat it. */
        assert_int_equal(stub_count(&w->stub, ""), 1);
        stub_say(&w->stub, "forget");
        assert_ok(send_request(w), &w->err);
    }
    free(body);
}

static void nobody_there_is_lost(void **state)
{
    struct world *w = *state;
    w->request.port = 1;
    assert_err(send_request(w), ERR_AWS, &w->err);
    assert_true(w->response.lost);
}

/* The name server fails once: the second try asks it again, and the handle is as good as before. */
static void a_name_that_was_not_found_is_asked_for_again(void **state)
{
    struct world *w = *state;
    w->request.host = "later.example.com";
    atomic_store(&lookups, 0);
    atomic_store(&failures_left, 1);
    assert_err(send_request(w), ERR_AWS, &w->err);
    assert_true(w->response.lost);
    assert_non_null(strstr(w->err.text, "later.example.com"));
    assert_ok(send_request(w), &w->err);
    assert_int_equal(atomic_load(&lookups), 2);
    assert_int_equal(w->response.status, 200);
    /* So with the name of a proxy. */
    w->options.http_proxy = "http://proxy.example.com:1";
    w->request.host = "elsewhere.example.com";
    atomic_store(&failures_left, 1);
    assert_err(send_request(w), ERR_AWS, &w->err);
    assert_true(w->response.lost);
    w->options.http_proxy = NULL;
    assert_ok(send_request(w), &w->err);
}

/* Its answer is not waited for when the time to connect is over (before a cancelled run may end). */
static void a_silent_name_server_holds_nobody_up(void **state)
{
    struct world *w = *state;
    w->request.host = "silent.example.com";
    w->options.connect_timeout_ms = 50;
    atomic_store(&silent, true);
    atomic_store(&ended, false);
    atomic_store(&failures_left, 0);
    enum err_code rc = send_request(w);
    bool waited = atomic_load(&ended);
    atomic_store(&silent, false);
    assert_err(rc, ERR_AWS, &w->err);
    assert_true(w->response.lost);
    assert_false(waited);
    while (!atomic_load(&ended))
        sched_yield();
    assert_ok(send_request(w), &w->err);
}

static void a_stalled_server_is_lost(void **state)
{
    struct world *w = *state;
    static const char *const faults[] = {"stall", "stall-answer"};
    w->options.stall_timeout_ms = 1000;
    for (size_t i = 0; i < 2; i++) {
        stub_say(&w->stub, "plan %s", faults[i]);
        assert_err(send_request(w), ERR_AWS, &w->err);
        assert_true(w->response.lost);
    }
    w->options.stall_timeout_ms = 0;
    w->request.timeout_ms = 50;
    stub_say(&w->stub, "plan stall");
    assert_err(send_request(w), ERR_AWS, &w->err);
    assert_true(w->response.lost);
}

struct firing {
    struct stub *stub;
    struct cancel *cancel;
};

/* Fires once the stub has the request. */
static enum err_code fire(void *arg, struct err *err)
{
    struct firing *f = arg;
    struct err why;
    (void)err;
    while (stub_count(f->stub, "") == 0)
        sched_yield();
    err_set(&why, ERR_SIGINT, "cancelled by the test");
    cancel_fire(f->cancel, &why);
    return ERR_OK;
}

static void cancelling_ends_a_blocked_transfer(void **state)
{
    struct world *w = *state;
    struct cancel *cancel = cancel_new();
    struct cancel *other = cancel_new();
    struct firing firing = {&w->stub, cancel};
    struct group *g = group_new(other);
    http_free(w->http);
    assert_ok(http_new(&w->options, cancel, &w->http, &w->err), &w->err);
    stub_say(&w->stub, "plan stall");
    int64_t begin = clock_monotonic_ms(clock_system());
    assert_ok(group_spawn(g, "fire", fire, &firing, &w->err), &w->err);
    assert_err(send_request(w), ERR_SIGINT, &w->err);
    assert_true(clock_monotonic_ms(clock_system()) - begin < 20000); /* the stall timeout is 30 s */
    assert_false(w->response.lost);
    assert_ok(group_join(g, &w->err), &w->err);
    /* Nothing more is sent. */
    assert_err(send_request(w), ERR_SIGINT, &w->err);
    assert_int_equal(stub_count(&w->stub, ""), 1);
    group_free(g);
    http_free(w->http);
    w->http = NULL;
    cancel_free(other);
    cancel_free(cancel);
}

static void connections_are_kept(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 20; i++)
        assert_ok(send_request(w), &w->err);
    assert_string_equal(stub_say(&w->stub, "connections"), "1");
    assert_int_equal(stub_count(&w->stub, ""), 20);
}

static void redirects_are_not_followed(void **state)
{
    struct world *w = *state;
    stub_say(&w->stub, "plan status 307 Location=%s/other", w->stub.url);
    assert_ok(send_request(w), &w->err);
    assert_int_equal(w->response.status, 307);
    assert_int_equal(stub_count(&w->stub, ""), 1);
}

static void proxies_come_from_the_options_alone(void **state)
{
    struct world *w = *state;
    struct http_options *o = &w->options;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    assert_ok(send_request(w), &w->err);
    unsetenv("http_proxy");
    o->http_proxy = w->stub.url;
    w->request.host = "elsewhere.example";
    w->request.port = 0;
    assert_ok(send_request(w), &w->err);
    assert_string_equal(stub_say(&w->stub, "target"), "http://elsewhere.example/bytes/1000");
    /* Not for metadata, nor for hosts that are exempt: these would go to the real host. */
    o->http_proxy = "http://127.0.0.1:1";
    w->request.host = "127.0.0.1";
    w->request.port = w->stub.port;
    assert_err(send_request(w), ERR_AWS, &w->err);
    w->request.direct = true;
    assert_ok(send_request(w), &w->err);
    w->request.direct = false;
    o->no_proxy = "example.org,127.0.0.1";
    assert_ok(send_request(w), &w->err);
    o->no_proxy = NULL;
    o->http_proxy = NULL;
}

static void line_breaks_in_headers_are_refused(void **state)
{
    struct world *w = *state;
    http_pairs_add(&w->request.headers, "X-Tag", "a\r\nX-Evil: 1");
    assert_err(send_request(w), ERR_CONFIG, &w->err);
    assert_int_equal(stub_count(&w->stub, ""), 0);
}

static void tls_with(struct world *w, const char *address, const char *bundle, enum err_code want)
{
    char *folder = tmpdir_make();
    char certificate[512], key[512];
    struct stub stub;
    snprintf(certificate, sizeof certificate, "%s/certificate.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    certificate_write(folder, address);
    stub_start_tls(&stub, certificate, key);
    w->options.ca_bundle = bundle == NULL ? certificate : *bundle != '\0' ? bundle : NULL;
    w->request.plain = false;
    w->request.port = stub.port;
    if (want == ERR_OK) {
        assert_ok(send_request(w), &w->err);
        assert_int_equal(w->response.status, 200);
    } else {
        assert_err(send_request(w), want, &w->err);
        assert_false(w->response.lost);
        assert_int_equal(stub_count(&stub, ""), 0);
    }
    stub_stop(&stub);
    tmpdir_remove(folder);
    w->options.ca_bundle = NULL;
}

static void tls_is_verified(void **state)
{
    tls_with(*state, "127.0.0.1", NULL, ERR_OK);
    tls_with(*state, "127.0.0.1", "", ERR_CONFIG); /* the system's bundle does not know it */
    tls_with(*state, "127.0.0.2", NULL, ERR_CONFIG);
    tls_with(*state, "127.0.0.1", "/nonexistent/bundle.pem", ERR_CONFIG);
}

static void urls_and_hosts(void **state)
{
    (void)state;
    struct http_request r;
    struct buf out;
    buf_init(&out, 4096);
    http_request_init(&r, "GET");
    r.host = "fd00::1";
    r.path = "/a b";
    http_pairs_add(&r.query, "secret", "x");
    http_request_url(&r, &out);
    assert_string_equal(buf_cstr(&out), "https://[fd00::1]/a%20b?secret=x");
    buf_clear(&out);
    r.port = 80;
    http_request_describe(&r, &out);
    assert_string_equal(buf_cstr(&out), "GET https://[fd00::1]:80/a%20b");
    buf_clear(&out);
    r.plain = true;
    http_request_host(&r, &out);
    assert_string_equal(buf_cstr(&out), "[fd00::1]");
    buf_free(&out);
    http_request_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sends_what_it_is_told_and_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_method_works, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_body_arrives_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_range_goes_into_the_callers_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_errors_words_do_not_go_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_that_is_too_long_is_final, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_connections_are_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_there_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_was_not_found_is_asked_for_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_silent_name_server_holds_nobody_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stalled_server_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelling_ends_a_blocked_transfer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connections_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(redirects_are_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(proxies_come_from_the_options_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(line_breaks_in_headers_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tls_is_verified, set_up, tear_down),
        cmocka_unit_test(urls_and_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
