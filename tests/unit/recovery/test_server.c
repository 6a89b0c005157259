/* What marks of servers mean; reading them is tried in tests/e2e/test_point.py. */
#include "support/test.h"

#include "recovery/server.h"

#define ENDPOINT "prod.abc123.eu-west-1.rds.amazonaws.com:3306"

static void expect(struct server_mark a, struct server_mark b, bool differ)
{
    assert_int_equal(server_differs(&a, &b), differ);
    assert_int_equal(server_differs(&b, &a), differ);
}

static void which_server_it_is(void **state)
{
    (void)state;
    expect((struct server_mark){"a", "x@h:1"}, (struct server_mark){"a", "y@other:2"}, false);
    expect((struct server_mark){"a", "x@h:1"}, (struct server_mark){"b", "x@h:1"}, true);
    expect((struct server_mark){NULL, "x@h:1"}, (struct server_mark){"b", "x@k:1"}, false);
    expect((struct server_mark){"a", NULL}, (struct server_mark){"b", "x@k:1"}, true);
}

static void an_endpoint_of_rds_is_one_server(void **state)
{
    (void)state;
    expect((struct server_mark){"ip-10-0-0-1", "x@" ENDPOINT},
           (struct server_mark){"ip-10-0-0-2", "y@" ENDPOINT}, false);
    expect((struct server_mark){"ip-10-0-0-1", "x@" ENDPOINT},
           (struct server_mark){"ip-10-0-0-2", "x@stage." ENDPOINT}, true);
    expect((struct server_mark){"a", "x@/tmp/.rds.amazonaws.com"},
           (struct server_mark){"b", "x@/tmp/.rds.amazonaws.com"}, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_server_it_is),
        cmocka_unit_test(an_endpoint_of_rds_is_one_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
