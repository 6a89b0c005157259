#include "support/rds_script.h"

#include "rds/instance.h"

#define PENDING(id)                                                                                          \
    "<PendingModifiedValues><DBInstanceIdentifier>" id "</DBInstanceIdentifier></PendingModifiedValues>"

static void renames(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    script_instance(s, "a", "db-1", "available", "");
    script_answer(s, "ModifyDBInstance", "<DBInstance/>");
    script_instance(s, "a", "db-1", "renaming", "");
    script_instance(s, "b", "db-1", "available", "");
    script_instance(s, "b", "db-1", "available", "");
    assert_ok(rds_rename(s->rds, RDS_INSTANCE, "db-1", "b", &s->err), &s->err);
    assert_non_null(
        strstr(s->all_params,
               "ModifyDBInstance: DBInstanceIdentifier=a&NewDBInstanceIdentifier=b&ApplyImmediately=true\n"));
    script_close(s);
}

static void a_rename_that_is_done_or_under_way_is_not_asked_for_again(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    for (int i = 0; i < 3; i++)
        script_instance(s, "b", "db-1", "available", "");
    assert_ok(rds_rename(s->rds, RDS_INSTANCE, "db-1", "b", &s->err), &s->err);
    script_instance(s, "a", "db-1", "available", PENDING("b"));
    script_instance(s, "b", "db-1", "available", "");
    script_instance(s, "b", "db-1", "available", "");
    assert_ok(rds_rename(s->rds, RDS_INSTANCE, "db-1", "b", &s->err), &s->err);
    script_close(s);
}

static void a_lost_answer_that_meant_yes_is_found_out(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    script_instance(s, "a", "db-1", "available", "");
    script_fail(s, "ModifyDBInstance", 404, "DBInstanceNotFound"); /* the second try: the old name is gone */
    script_instance(s, "b", "db-1", "available", "");              /* it worked */
    script_instance(s, "b", "db-1", "available", "");
    script_instance(s, "b", "db-1", "available", "");
    assert_ok(rds_rename(s->rds, RDS_INSTANCE, "db-1", "b", &s->err), &s->err);
    script_close(s);
}

static void refusals_that_pass_are_outlasted(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    script_instance(s, "a", "db-1", "backing-up", "");
    script_fail(s, "ModifyDBInstance", 400, "InvalidDBInstanceState");
    script_instance(s, "a", "db-1", "backing-up", ""); /* did it work? */
    script_instance(s, "a", "db-1", "available", "");
    script_fail(s, "ModifyDBInstance", 400, "DBInstanceAlreadyExists");
    script_fail(s, "DescribeDBInstances", 404,
                "DBInstanceNotFound"); /* by nobody: its name is not free yet */
    script_instance(s, "a", "db-1", "available", "");
    script_instance(s, "a", "db-1", "available", "");
    script_answer(s, "ModifyDBInstance", "<DBInstance/>");
    script_instance(s, "b", "db-1", "available", "");
    script_instance(s, "b", "db-1", "available", "");
    assert_ok(rds_rename(s->rds, RDS_INSTANCE, "db-1", "b", &s->err), &s->err);
    assert_int_equal(s->waited_ms, 3 * 30000);
    script_close(s);
}

static void one_that_is_being_renamed_to_something_else_is_waited_for(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    script_instance(s, "a", "db-1", "renaming", PENDING("c"));
    script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound"); /* between both names */
    script_instance(s, "c", "db-1", "available", "");
    script_answer(s, "ModifyDBInstance", "<DBInstance/>");
    script_instance(s, "a", "db-1", "available", "");
    script_instance(s, "a", "db-1", "available", "");
    assert_ok(rds_rename(s->rds, RDS_INSTANCE, "db-1", "a", &s->err), &s->err);
    assert_non_null(strstr(s->all_params, "DBInstanceIdentifier=c&NewDBInstanceIdentifier=a&"));
    script_close(s);
}

static void other_refusals_end_it(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    script_instance(s, "a", "db-1", "available", "");
    script_fail(s, "ModifyDBInstance", 400, "DBInstanceAlreadyExists");
    script_instance(s, "b", "db-9", "available", ""); /* it belongs to someone */
    script_instance(s, "a", "db-1", "available", "");
    assert_err(rds_rename(s->rds, RDS_INSTANCE, "db-1", "b", &s->err), ERR_AWS, &s->err);
    assert_non_null(strstr(s->err.text, "rename a to b"));
    for (int i = 0; i < 5; i++) /* for two minutes */
        script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound");
    assert_err(rds_rename(s->rds, RDS_INSTANCE, "db-7", "b", &s->err), ERR_NOT_FOUND, &s->err);
    for (int i = 0; i <= 40; i++) { /* for twenty minutes */
        script_instance(s, "a", "db-1", "modifying", "");
        script_fail(s, "ModifyDBInstance", 400, "InvalidDBInstanceState");
        script_instance(s, "a", "db-1", "modifying", "");
    }
    assert_err(rds_rename(s->rds, RDS_INSTANCE, "db-1", "b", &s->err), ERR_AWS, &s->err);
    script_close(s);
}

static const struct rds_database old = {.kind = RDS_INSTANCE, .id = "old", .resource_id = "db-1"};

static void deletes_only_with_a_final_snapshot_and_the_exact_name(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_database other = old;
    assert_err(rds_delete(s->rds, &old, "OLD", "final", &s->err), ERR_REFUSED, &s->err);
    assert_err(rds_delete(s->rds, &old, "old", "", &s->err), ERR_REFUSED, &s->err);
    assert_err(rds_delete(s->rds, &old, "old", "no good", &s->err), ERR_REFUSED, &s->err);
    other.deletion_protection = true;
    assert_err(rds_delete(s->rds, &other, "old", "final", &s->err), ERR_REFUSED, &s->err);
    other = old;
    snprintf(other.cluster_id, sizeof other.cluster_id, "blue");
    assert_err(rds_delete(s->rds, &other, "old", "final", &s->err), ERR_REFUSED, &s->err);
    script_answer(s, "DeleteDBInstance", "<DBInstance/>");
    assert_ok(rds_delete(s->rds, &old, "old", "final", &s->err), &s->err);
    assert_string_equal(s->last_params,
                        "DBInstanceIdentifier=old&SkipFinalSnapshot=false&FinalDBSnapshotIdentifier=final");
    script_close(s);
}

static void a_deletion_can_be_repeated(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    script_fail(s, "DeleteDBInstance", 400, "InvalidDBInstanceState");
    script_instance(s, "old", "db-1", "deleting", "");
    assert_ok(rds_delete(s->rds, &old, "old", "final", &s->err), &s->err);
    script_fail(s, "DeleteDBInstance", 404, "DBInstanceNotFound"); /* over already */
    assert_ok(rds_delete(s->rds, &old, "old", "final", &s->err), &s->err);
    script_fail(s, "DeleteDBInstance", 400, "InvalidDBInstanceState");
    script_instance(s, "old", "db-1", "modifying", "");
    assert_err(rds_delete(s->rds, &old, "old", "final", &s->err), ERR_AWS, &s->err);
    script_close(s);
}

static void a_cluster_goes_with_its_members(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    const struct rds_database blue = {.kind = RDS_CLUSTER,
                                      .id = "blue",
                                      .members = {{"blue-1", true}, {"blue-2", false}},
                                      .member_count = 2};
    script_answer(s, "DeleteDBInstance", "<DBInstance/>");
    script_answer(s, "DeleteDBInstance", "<DBInstance/>");
    script_answer(s, "DeleteDBCluster", "<DBCluster/>");
    assert_ok(rds_delete(s->rds, &blue, "blue", "final", &s->err), &s->err);
    assert_non_null(strstr(s->all_params, "DeleteDBInstance: DBInstanceIdentifier=blue-2\n"));
    assert_string_equal(s->last_params,
                        "DBClusterIdentifier=blue&SkipFinalSnapshot=false&FinalDBSnapshotIdentifier=final");
    script_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renames),
        cmocka_unit_test(a_rename_that_is_done_or_under_way_is_not_asked_for_again),
        cmocka_unit_test(a_lost_answer_that_meant_yes_is_found_out),
        cmocka_unit_test(refusals_that_pass_are_outlasted),
        cmocka_unit_test(one_that_is_being_renamed_to_something_else_is_waited_for),
        cmocka_unit_test(other_refusals_end_it),
        cmocka_unit_test(deletes_only_with_a_final_snapshot_and_the_exact_name),
        cmocka_unit_test(a_deletion_can_be_repeated),
        cmocka_unit_test(a_cluster_goes_with_its_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
