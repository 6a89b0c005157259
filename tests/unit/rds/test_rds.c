/* Finding things by the names people use, and parameters of calls. */
#include "support/rds_script.h"

static void finds_an_instance(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_database d;
    script_instance(s, "prod", "db-1", "available", "");
    assert_ok(rds_find(s->rds, "Prod", &d, &s->err), &s->err);
    assert_string_equal(d.id, "prod");
    assert_int_equal(d.kind, RDS_INSTANCE);
    assert_string_equal(s->last_params, "DBInstanceIdentifier=prod");
    script_close(s);
}

static void a_member_stands_for_its_cluster(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_database d;
    script_instance(s, "blue-instance-1", "db-1", "available",
                    "<DBClusterIdentifier>blue</DBClusterIdentifier>");
    script_answer(
        s, "DescribeDBClusters",
        "<DBClusters><DBCluster><DBClusterIdentifier>blue</DBClusterIdentifier></DBCluster></DBClusters>");
    assert_ok(rds_find(s->rds, "blue-instance-1", &d, &s->err), &s->err);
    assert_string_equal(d.id, "blue");
    assert_int_equal(d.kind, RDS_CLUSTER);
    assert_string_equal(s->last_params, "DBClusterIdentifier=blue");
    script_close(s);
}

static void a_cluster_is_found_by_its_name_and_by_its_arn(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_database d;
    const char *found = "<DBClusters><DBCluster><DBClusterIdentifier>blue</DBClusterIdentifier>"
                        "<DBClusterArn>arn:aws:rds:eu-west-1:123456789012:cluster:blue</DBClusterArn>"
                        "</DBCluster></DBClusters>";
    script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound");
    script_answer(s, "DescribeDBClusters", "%s", found);
    assert_ok(rds_find(s->rds, "blue", &d, &s->err), &s->err);
    assert_int_equal(d.kind, RDS_CLUSTER);
    script_answer(s, "DescribeDBClusters", "%s", found);
    assert_ok(rds_find(s->rds, "arn:aws:rds:eu-west-1:123456789012:cluster:blue", &d, &s->err), &s->err);
    script_close(s);
}

/* The API is asked by name: what another account or region calls so is not what this one does. */
static void an_arn_is_of_one_account_and_region(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_database d;
    const char *arn = "<DBInstanceArn>arn:aws:rds:eu-west-1:123456789012:db:prod</DBInstanceArn>";
    script_instance(s, "prod", "db-1", "available", arn);
    assert_ok(rds_find(s->rds, "arn:aws:rds:eu-west-1:123456789012:db:Prod", &d, &s->err), &s->err);
    const char *others[] = {"arn:aws:rds:us-east-1:123456789012:db:prod",
                            "arn:aws:rds:eu-west-1:999999999999:db:prod"};
    for (int i = 0; i < 2; i++) {
        script_instance(s, "prod", "db-1", "available", arn);
        assert_err(rds_find(s->rds, others[i], &d, &s->err), ERR_NOT_FOUND, &s->err);
        assert_non_null(strstr(s->err.text, others[i]));
        assert_non_null(strstr(s->err.text, "eu-west-1:123456789012:db:prod"));
    }
    script_answer(s, "DescribeDBClusters",
                  "<DBClusters><DBCluster><DBClusterIdentifier>blue</DBClusterIdentifier>"
                  "<DBClusterArn>arn:aws:rds:eu-west-1:123456789012:cluster:blue</DBClusterArn>"
                  "</DBCluster></DBClusters>");
    assert_err(rds_find(s->rds, "arn:aws:rds:us-east-1:123456789012:cluster:blue", &d, &s->err),
               ERR_NOT_FOUND, &s->err);
    script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound"); /* no cluster is asked for */
    assert_err(rds_find(s->rds, "arn:aws:rds:eu-west-1:123456789012:db:blue", &d, &s->err), ERR_NOT_FOUND,
               &s->err);
    script_close(s);
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_database d;
    script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound");
    script_fail(s, "DescribeDBClusters", 404, "DBClusterNotFoundFault");
    assert_err(rds_find(s->rds, "nobody", &d, &s->err), ERR_NOT_FOUND, &s->err);
    assert_non_null(strstr(s->err.text, "nobody"));
    script_fail(s, "DescribeDBInstances", 403, "AccessDenied");
    assert_err(rds_find(s->rds, "prod", &d, &s->err), ERR_AWS, &s->err);
    assert_err(rds_find(s->rds, "no such name", &d, &s->err), ERR_USAGE, &s->err);
    assert_err(rds_find(s->rds, "arn:aws:rds:eu-west-1:123456789012:snapshot:s", &d, &s->err), ERR_USAGE,
               &s->err);
    script_answer(s, "DescribeDBInstances", "<DBInstances/>");
    assert_err(rds_describe_resource(s->rds, RDS_INSTANCE, "db-9", &d, &s->err), ERR_NOT_FOUND, &s->err);
    assert_string_equal(s->last_params,
                        "Filters.Filter.1.Name=dbi-resource-id&Filters.Filter.1.Values.Value.1=db-9");
    script_close(s);
}

static void a_cancelled_run_asks_nothing(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_database d;
    struct err why = {.code = ERR_SIGTERM, .text = "cancelled by SIGTERM"};
    cancel_fire(s->cancel, &why);
    assert_err(rds_find(s->rds, "prod", &d, &s->err), ERR_SIGTERM, &s->err);
    script_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_an_instance),
        cmocka_unit_test(a_member_stands_for_its_cluster),
        cmocka_unit_test(a_cluster_is_found_by_its_name_and_by_its_arn),
        cmocka_unit_test(an_arn_is_of_one_account_and_region),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(a_cancelled_run_asks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
