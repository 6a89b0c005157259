#include "support/test.h"

#include "s3/url.h"

#include <string.h>

static void parses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bucket, *prefix;
    } cases[] = {
        {"s3://backups", "backups", ""},
        {"s3://backups/", "backups", ""},
        {"s3://backups/db", "backups", "db"},
        {"s3://backups/db/", "backups", "db"},
        {"s3://backups/a/b/c", "backups", "a/b/c"},
        {"s3://my.old-bucket/x", "my.old-bucket", "x"},
        {"s3://Legacy_Bucket/x", "Legacy_Bucket", "x"},
        {"s3://backups/a b/\xC3\xA9?#%41+&", "backups", "a b/\xC3\xA9?#%41+&"},
        {"s3://backups/a//b", "backups", "a//b"},
        {"s3://backups/a//", "backups", "a/"},
        {"s3://backups/../x", "backups", "../x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct s3_url u;
        struct err err;
        assert_ok(s3_url_parse(cases[i].text, &u, &err), &err);
        assert_string_equal(u.bucket, cases[i].bucket);
        assert_string_equal(u.prefix, cases[i].prefix);
        s3_url_clear(&u);
    }
}

static void refuses_what_is_none(void **state)
{
    (void)state;
    char *long_prefix = NULL;
    if (asprintf(&long_prefix, "s3://bucket/%0701d", 1) < 0)
        abort();
    const char *const texts[] = {
        "",           "s3:",        "s3:/b/x",           "s3:bucket/x",    "S3://bucket",      "file:///x",
        "s3://",      "s3:///x",    "s3://ab",           "s3://.ab",       "s3://-ab",         "s3://a..b",
        "s3://a b/x", "s3://a?x=1", "s3://b\xC3\xA9t/x", "s3://bucket//x", "s3://bucket/a\nb", long_prefix};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct s3_url u;
        struct err err;
        if (s3_url_parse(texts[i], &u, &err) != ERR_USAGE)
            fail_msg("%s", texts[i]);
        assert_null(u.bucket);
        assert_null(u.prefix);
    }
    free(long_prefix);
}

static void splits_a_store_and_a_name(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bucket, *prefix, *name;
    } cases[] = {
        {"s3://bucket/x.tar", "bucket", "", "x.tar"},
        {"s3://bucket/a/x.tar", "bucket", "a", "x.tar"},
        {"s3://bucket/a/b/x", "bucket", "a/b", "x"},
        {"s3://bucket/a//x", "bucket", "a/", "x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct s3_url u;
        struct err err;
        char *store, *name;
        assert_ok(s3_url_split(cases[i].text, &store, &name, &err), &err);
        assert_string_equal(name, cases[i].name);
        assert_ok(s3_url_parse(store, &u, &err), &err); /* what comes out is a store's URL */
        assert_string_equal(u.bucket, cases[i].bucket);
        assert_string_equal(u.prefix, cases[i].prefix);
        s3_url_clear(&u);
        free(store);
        free(name);
    }
    static const char *const none[] = {"s3://bucket", "s3://bucket/", "s3://bucket/a/", "bucket/x",
                                       "s3:///x"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        struct err err;
        char *store, *name;
        assert_err(s3_url_split(none[i], &store, &name, &err), ERR_USAGE, &err);
        assert_null(store);
        assert_null(name);
    }
}

/* An object's key may be longer than a store's prefix. */
static void splits_a_long_key(void **state)
{
    (void)state;
    struct err err;
    char *text = NULL, *store, *name;
    if (asprintf(&text, "s3://bucket/%0690d/%0150d", 1, 2) < 0)
        abort();
    assert_ok(s3_url_split(text, &store, &name, &err), &err);
    assert_int_equal(strlen(name), 150);
    free(store);
    free(name);
    free(text);
}

static void knows_the_scheme(void **state)
{
    (void)state;
    assert_true(s3_url_is("s3://"));
    assert_true(s3_url_is("s3://b/x"));
    assert_false(s3_url_is("s3:/b"));
    assert_false(s3_url_is("/s3://b"));
    assert_false(s3_url_is(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses),
        cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(splits_a_store_and_a_name),
        cmocka_unit_test(splits_a_long_key),
        cmocka_unit_test(knows_the_scheme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
