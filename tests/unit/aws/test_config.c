/* The metadata service is a fake (tests/lib/aws_stub.py), as no real one runs outside of EC2. */
#include "support/aws_world.h"

#include "aws/config.h"

static int set_up(void **state)
{
    *state = world_open();
    return 0;
}

static int tear_down(void **state)
{
    world_close(*state);
    return 0;
}

static struct aws_config *load(struct aws_world *w)
{
    struct aws_config *c;
    assert_ok(aws_config_load(&w->settings, &c, &w->err), &w->err);
    return c;
}

static void without_files_all_is_default(void **state)
{
    struct aws_world *w = *state;
    struct aws_config *c = load(w);
    bool named;
    assert_string_equal(aws_config_profile(c, &named), "default");
    assert_false(named);
    assert_false(aws_config_has_profile(c, "default"));
    assert_null(aws_config_region_known(c));
    assert_null(aws_config_http(c)->ca_bundle);
    assert_null(aws_config_http(c)->https_proxy);
    aws_config_free(c);
}

static void without_a_home_there_are_no_files(void **state)
{
    struct aws_world *w = *state;
    world_file(w, "config", "[default]\nregion=x\n");
    world_set(w, "HOME=");
    struct aws_config *c = load(w);
    assert_null(aws_config_region_known(c));
    aws_config_free(c);
}

static void credentials_win_over_configuration(void **state)
{
    struct aws_world *w = *state;
    world_file(w, "config",
               "[default]\nregion=from-config\naws_access_key_id=A\n[profile p]\nregion=p-config\n");
    world_file(w, "credentials", "[default]\naws_access_key_id=B\n");
    struct aws_config *c = load(w);
    assert_string_equal(aws_config_get(c, "default", "aws_access_key_id"), "B");
    assert_string_equal(aws_config_get(c, "default", "region"), "from-config");
    assert_null(aws_config_get(c, "p", "aws_access_key_id"));
    aws_config_free(c);
}

static void files_elsewhere(void **state)
{
    struct aws_world *w = *state;
    world_set(w, "AWS_CONFIG_FILE=%s",
              world_file(w, "other", "[default]\nregion=elsewhere\nca_bundle=~/ca.pem\n"));
    world_file(w, "third", "[default]\naws_access_key_id=C\n");
    world_set(w, "AWS_SHARED_CREDENTIALS_FILE=~/.aws/third");
    struct aws_config *c = load(w);
    char bundle[512];
    assert_string_equal(aws_config_region_known(c), "elsewhere");
    assert_string_equal(aws_config_get(c, "default", "aws_access_key_id"), "C");
    snprintf(bundle, sizeof bundle, "%s/ca.pem", w->home);
    assert_string_equal(aws_config_http(c)->ca_bundle, bundle);
    aws_config_free(c);
}

static void a_broken_file_is_an_error(void **state)
{
    struct aws_world *w = *state;
    struct aws_config *c;
    world_file(w, "config", "[default]\nregion\n");
    assert_err(aws_config_load(&w->settings, &c, &w->err), ERR_CONFIG, &w->err);
    assert_non_null(strstr(w->err.text, "/.aws/config:2:"));
}

static void the_profile_is_chosen(void **state)
{
    struct aws_world *w = *state;
    struct aws_config *c;
    bool named;
    world_file(w, "config", "[profile a]\nregion=ra\n[profile b]\nregion=rb\n[profile c]\nregion=rc\n");
    world_set(w, "AWS_DEFAULT_PROFILE=a");
    c = load(w);
    assert_string_equal(aws_config_region_known(c), "ra");
    aws_config_free(c);
    world_set(w, "AWS_PROFILE=b");
    c = load(w);
    assert_string_equal(aws_config_region_known(c), "rb");
    assert_string_equal(aws_config_profile(c, &named), "b");
    assert_false(named);
    aws_config_free(c);
    w->settings.profile = "c";
    c = load(w);
    assert_string_equal(aws_config_region_known(c), "rc");
    assert_string_equal(aws_config_profile(c, &named), "c");
    assert_true(named);
    aws_config_free(c);
    w->settings.profile = "missing";
    assert_err(aws_config_load(&w->settings, &c, &w->err), ERR_CONFIG, &w->err);
    assert_non_null(strstr(w->err.text, "'missing'"));
}

static void the_region_has_an_order(void **state)
{
    struct aws_world *w = *state;
    static const char *const steps[] = {"AWS_DEFAULT_REGION=r2", "AWS_REGION=r3"};
    const char *region;
    char want[3] = "r1";
    world_file(w, "config", "[default]\nregion=r1\n");
    for (int i = 0; i <= 3; i++, want[1]++) {
        if (i == 1 || i == 2)
            world_set(w, "%s", steps[i - 1]);
        if (i == 3)
            w->settings.region = "r4";
        struct aws_config *c = load(w);
        assert_ok(aws_config_region(c, NULL, &region, &w->err), &w->err);
        assert_string_equal(region, want);
        aws_config_free(c);
    }
    assert_int_equal(stub_count(&w->stub, ""), 0);
}

static void the_metadata_service_is_asked_last_and_once(void **state)
{
    struct aws_world *w = *state;
    const char *region;
    struct aws_config *c = load(w);
    for (int i = 0; i < 3; i++) {
        assert_ok(aws_config_region(c, NULL, &region, &w->err), &w->err);
        assert_string_equal(region, "eu-north-1");
    }
    assert_int_equal(stub_count(&w->stub, "placement/region"), 1);
    aws_config_free(c);
}

static void nobody_knows_the_region(void **state)
{
    struct aws_world *w = *state;
    const char *region = "x";
    stub_say(&w->stub, "imds off");
    struct aws_config *c = load(w);
    for (int i = 0; i < 2; i++)
        assert_ok(aws_config_region(c, NULL, &region, &w->err), &w->err);
    assert_null(region);
    assert_int_equal(stub_count(&w->stub, ""), 1);
    aws_config_free(c);
    stub_say(&w->stub, "imds on");
    world_set(w, "AWS_EC2_METADATA_DISABLED=true");
    c = load(w);
    assert_ok(aws_config_region(c, NULL, &region, &w->err), &w->err);
    assert_null(region);
    assert_int_equal(stub_count(&w->stub, ""), 1);
    aws_config_free(c);
}

static void proxies_and_bundle_of_the_environment(void **state)
{
    struct aws_world *w = *state;
    world_set(w, "HTTPS_PROXY=http://one:1");
    world_set(w, "all_proxy=http://two:2");
    world_set(w, "no_proxy=three");
    world_set(w, "AWS_CA_BUNDLE=/ca");
    w->settings.connect_timeout_ms = 5;
    struct aws_config *c = load(w);
    const struct http_options *o = aws_config_http(c);
    assert_string_equal(o->https_proxy, "http://one:1");
    assert_string_equal(o->http_proxy, "http://two:2");
    assert_string_equal(o->no_proxy, "three");
    assert_string_equal(o->ca_bundle, "/ca");
    assert_int_equal(o->connect_timeout_ms, 5);
    aws_config_free(c);
    w->settings.ca_bundle = "/option";
    c = load(w);
    assert_string_equal(aws_config_http(c)->ca_bundle, "/option");
    aws_config_free(c);
}

/* libcurl would print them whole, again and again. */
static void proxies_that_are_none_are_refused_without_their_password(void **state)
{
    struct aws_world *w = *state;
    static const char *const bad[] = {"ftp://user:p4ss@proxy.example.com:1", "http://user:p4ss@proxy:99999",
                                      "http://user:p4ss@[::1", "http://user:p4ss@pro xy", "http://"};
    static const char *const good[] = {"proxy",
                                       "proxy:3128",
                                       "http://user:p4ss@proxy:1",
                                       "https://proxy",
                                       "socks5h://u:p@[::1]:1080",
                                       "socks://proxy",
                                       "SOCKS4A://proxy"};
    struct aws_config *c;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        world_set(w, "HTTPS_PROXY=%s", bad[i]);
        if (aws_config_load(&w->settings, &c, &w->err) != ERR_CONFIG)
            fail_msg("'%s' was accepted", bad[i]);
        assert_non_null(strstr(w->err.text, "HTTPS_PROXY"));
        assert_null(strstr(w->err.text, "p4ss"));
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        world_set(w, "HTTPS_PROXY=%s", good[i]);
        aws_config_free(load(w));
    }
    world_set(w, "HTTPS_PROXY=");
    world_set(w, "all_proxy=gopher://x");
    assert_err(aws_config_load(&w->settings, &c, &w->err), ERR_CONFIG, &w->err);
    assert_non_null(strstr(w->err.text, "all_proxy"));
}

/* ---- endpoints ---- */

static void endpoint_is(struct aws_world *w, const char *service, const char *want)
{
    struct aws_endpoint e;
    char got[512];
    struct aws_config *c = load(w);
    assert_ok(aws_config_endpoint(c, service, &e, &w->err), &w->err);
    snprintf(got, sizeof got, "%s%s:%u%s%s", e.plain ? "http://" : "https://", e.host, e.port, e.path,
             e.custom ? "" : " aws");
    assert_string_equal(got, want);
    aws_endpoint_clear(&e);
    aws_config_free(c);
}

static void endpoints_have_an_order(void **state)
{
    struct aws_world *w = *state;
    world_set(w, "AWS_ENDPOINT_URL=");
    endpoint_is(w, "s3", "https://s3.{region}.{suffix}:0 aws");
    world_file(w, "config",
               "[default]\nendpoint_url=http://profile\nservices=mine\n"
               "[services mine]\nrds =\n  endpoint_url = http://rds-section\n");
    endpoint_is(w, "s3", "http://profile:0");
    endpoint_is(w, "rds", "http://rds-section:0");
    world_set(w, "AWS_ENDPOINT_URL=http://all");
    endpoint_is(w, "s3", "http://all:0");
    endpoint_is(w, "rds", "http://all:0");
    world_set(w, "AWS_ENDPOINT_URL_S3=https://just-s3:9000/");
    endpoint_is(w, "s3", "https://just-s3:9000");
    endpoint_is(w, "sts", "http://all:0");
    world_set(w, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true");
    endpoint_is(w, "s3", "https://s3.{region}.{suffix}:0 aws");
    w->settings.endpoint_url = "http://option:1/base/";
    endpoint_is(w, "s3", "http://option:1/base");
    endpoint_is(w, "sts", "https://sts.{region}.{suffix}:0 aws");
}

static void urls_of_endpoints(void **state)
{
    struct aws_world *w = *state;
    static const struct {
        const char *url, *host, *path;
        bool plain;
        unsigned port;
    } good[] = {
        {"https://S3.Example.com", "s3.example.com", "", false, 0},
        {"HTTP://127.0.0.1:9000/", "127.0.0.1", "", true, 9000},
        {"https://[fd00::1]:8443/a/b//", "fd00::1", "/a/b", false, 8443},
        {"http://[::1]", "::1", "", true, 0},
    };
    static const char *const bad[] = {
        "s3.example.com",   "ftp://x",         "https://",         "https://:80",
        "https://x:0",      "https://x:65536", "https://x:",       "https://x:8a",
        "https://u:p@host", "https://[::1",    "https://[::1]x:1", "https://x?y",
        "https://x/a%20b",  "https://x/#a",    "https://{region}", "https://a b"};
    struct aws_endpoint e;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_ok(aws_endpoint_parse(good[i].url, "test", &e, &w->err), &w->err);
        assert_string_equal(e.host, good[i].host);
        assert_string_equal(e.path, good[i].path);
        assert_int_equal(e.plain, good[i].plain);
        assert_int_equal(e.port, good[i].port);
        assert_true(e.custom);
        aws_endpoint_clear(&e);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (aws_endpoint_parse(bad[i], "the test", &e, &w->err) != ERR_CONFIG)
            fail_msg("'%s' was accepted", bad[i]);
        assert_non_null(strstr(w->err.text, "the test: "));
        assert_null(e.host);
    }
    static const char *const keys[] = {"https://user:p4ss@s3.example.com",
                                       "http://user:p4ss@127.0.0.1:9000/x",
                                       "https://p4ss@h",
                                       "http://a:p4ss@h:b",
                                       "ftp://user:p4ss@h",
                                       "user:p4ss@h"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_err(aws_endpoint_parse(keys[i], "the test", &e, &w->err), ERR_CONFIG, &w->err);
        assert_non_null(strstr(w->err.text, "keys do not belong"));
        assert_null(strstr(w->err.text, "p4ss"));
    }
}

static void host_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *region, *want;
    } cases[] = {
        {"eu-central-1", "b.s3.eu-central-1.amazonaws.com"},
        {"cn-north-1", "b.s3.cn-north-1.amazonaws.com.cn"},
        {"us-iso-east-1", "b.s3.us-iso-east-1.c2s.ic.gov"},
        {"us-isob-east-1", "b.s3.us-isob-east-1.sc2s.sgov.gov"},
        {"us-gov-west-1", "b.s3.us-gov-west-1.amazonaws.com"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf host;
        buf_init(&host, 256);
        aws_endpoint_host("b.s3.{region}.{suffix}", cases[i].region, &host);
        assert_string_equal(buf_cstr(&host), cases[i].want);
        buf_free(&host);
    }
    assert_true(aws_region_is_sane("eu-central-1"));
    assert_false(aws_region_is_sane(""));
    assert_false(aws_region_is_sane("evil.example.com/"));
    assert_false(aws_region_is_sane("EU"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_files_all_is_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_home_there_are_no_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(credentials_win_over_configuration, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_file_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_profile_is_chosen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_region_has_an_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_metadata_service_is_asked_last_and_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_knows_the_region, set_up, tear_down),
        cmocka_unit_test_setup_teardown(proxies_and_bundle_of_the_environment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(proxies_that_are_none_are_refused_without_their_password, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(endpoints_have_an_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(urls_of_endpoints, set_up, tear_down),
        cmocka_unit_test(host_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
