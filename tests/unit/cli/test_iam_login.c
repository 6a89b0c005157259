/* The region in a host name; logins are in tests/e2e/test_iam_auth.py. */
#include "support/test.h"

#include "cli/iam_login.h"

static void finds_the_region_in_a_host_name(void **state)
{
    (void)state;
    static const struct {
        const char *host, *region; /* NULL: none */
    } cases[] = {
        {"prod.c1example.eu-west-1.rds.amazonaws.com", "eu-west-1"},
        {"prod.cluster-c1example.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"},
        {"PROD.c1example.Eu-West-1.RDS.AmazonAWS.com", "Eu-West-1"},
        {"prod.c1example.cn-north-1.rds.amazonaws.com.cn", "cn-north-1"},
        {"rds.amazonaws.com", NULL},
        {"eu-west-1.rds.amazonaws.com", NULL}, /* the API, no instance */
        {".rds.amazonaws.com", NULL},
        {"x..rds.amazonaws.com", NULL},
        {"db.example.com", NULL},
        {"prod.eu-west-1.rds.amazonaws.com.example.com", NULL},
        {"127.0.0.1", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char region[64] = "";
        bool found = iam_region_of(cases[i].host, region, sizeof region);
        assert_int_equal(found, cases[i].region != NULL);
        if (found)
            assert_string_equal(region, cases[i].region);
    }
    char small[8];
    assert_false(iam_region_of("prod.c1example.eu-west-1.rds.amazonaws.com", small, sizeof small));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_the_region_in_a_host_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
