#include "support/rds_script.h"

#include "rds/snapshot.h"

#define DESCRIBE "DescribeDBSnapshots"

static void a_snapshot_is_waited_for_with_progress(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshot found;
    script_snapshot(s, DESCRIBE, "pending", 0, "");
    script_snapshot(s, DESCRIBE, "creating", 25, "");
    script_snapshot(s, DESCRIBE, "creating", 50, "");
    script_snapshot(s, DESCRIBE, "available", 100, "");
    assert_ok(rds_wait_snapshot(s->rds, RDS_SNAPSHOT, "snap", false, &found, &s->err), &s->err);
    assert_string_equal(found.status, "available");
    assert_int_equal(s->waits, 3);
    assert_int_equal(s->waited_ms, 45000);
    assert_string_equal(s->news, "*pending 0 -1;*creating 25 45000;creating 50 30000;*available 100 0;");
    script_close(s);
}

static void an_instance_that_flaps_is_not_available(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_database found;
    const char *statuses[] = {"creating",  "available", "backing-up", "available",
                              "modifying", "available", "available"};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        script_instance(s, "new", "db-1", statuses[i], "");
    assert_ok(rds_wait_database(s->rds, RDS_INSTANCE, "new", false, &found, &s->err), &s->err);
    assert_int_equal(s->waited_ms, 6 * 30000);
    script_close(s);
}

static void what_is_new_may_be_unknown_for_a_while(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_database found;
    script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound");
    script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound");
    script_instance(s, "new", "db-1", "available", "");
    script_instance(s, "new", "db-1", "available", "");
    assert_ok(rds_wait_database(s->rds, RDS_INSTANCE, "new", true, &found, &s->err), &s->err);
    for (int i = 0; i < 5; i++) /* two minutes of 30 s */
        script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound");
    assert_err(rds_wait_database(s->rds, RDS_INSTANCE, "new", true, &found, &s->err), ERR_NOT_FOUND, &s->err);
    script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound");
    assert_err(rds_wait_database(s->rds, RDS_INSTANCE, "new", false, &found, &s->err), ERR_NOT_FOUND,
               &s->err);
    script_instance(s, "new", "db-1", "creating", "");
    script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound"); /* someone deleted it */
    assert_err(rds_wait_database(s->rds, RDS_INSTANCE, "new", true, &found, &s->err), ERR_NOT_FOUND, &s->err);
    script_close(s);
}

static void failures_end_the_wait(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_database found;
    struct rds_snapshot snapshot;
    script_instance(s, "new", "db-1", "creating", "");
    script_instance(s, "new", "db-1", "incompatible-restore", "");
    assert_err(rds_wait_database(s->rds, RDS_INSTANCE, "new", true, &found, &s->err), ERR_AWS, &s->err);
    assert_non_null(strstr(s->err.text, "incompatible-restore"));
    script_snapshot(s, DESCRIBE, "failed", 30, "");
    assert_err(rds_wait_snapshot(s->rds, RDS_SNAPSHOT, "snap", true, &snapshot, &s->err), ERR_AWS, &s->err);
    script_close(s);
}

static void looks_that_fail_are_repeated_when_that_may_help(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshot found;
    script_fail(s, DESCRIBE, 0, "");
    script_fail(s, DESCRIBE, 503, "ServiceUnavailable");
    script_fail(s, DESCRIBE, 400, "Throttling");
    script_snapshot(s, DESCRIBE, "available", 100, "");
    assert_ok(rds_wait_snapshot(s->rds, RDS_SNAPSHOT, "snap", false, &found, &s->err), &s->err);
    for (int i = 0; i < 6; i++)
        script_fail(s, DESCRIBE, 500, "InternalFailure");
    assert_err(rds_wait_snapshot(s->rds, RDS_SNAPSHOT, "snap", false, &found, &s->err), ERR_AWS, &s->err);
    script_fail(s, DESCRIBE, 403, "AccessDenied");
    assert_err(rds_wait_snapshot(s->rds, RDS_SNAPSHOT, "snap", false, &found, &s->err), ERR_AWS, &s->err);
    script_close(s);
}

static void waits_end_at_their_limit_and_at_signals(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshot found;
    s->options.limit_ms = 30000;
    for (int i = 0; i < 3; i++)
        script_snapshot(s, DESCRIBE, "creating", 10, "");
    assert_err(rds_wait_snapshot(s->rds, RDS_SNAPSHOT, "snap", false, &found, &s->err), ERR_TIMEOUT, &s->err);
    assert_non_null(strstr(s->err.text, "creating"));
    script_snapshot(s, DESCRIBE, "creating", 10, "");
    s->fire_at = s->waits + 1;
    assert_err(rds_wait_snapshot(s->rds, RDS_SNAPSHOT, "snap", false, &found, &s->err), ERR_SIGINT, &s->err);
    script_close(s);
}

static void pending_modifications_are_waited_for_but_not_for_ever(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_database found;
    const char *pending = "<PendingModifiedValues><MultiAZ>true</MultiAZ></PendingModifiedValues>";
    script_instance(s, "new", "db-1", "available", pending);
    script_instance(s, "new", "db-1", "available", pending);
    script_instance(s, "new", "db-1", "modifying", pending);
    script_instance(s, "new", "db-1", "available", "<PendingModifiedValues/>");
    script_instance(s, "new", "db-1", "available", "");
    assert_ok(rds_wait_database(s->rds, RDS_INSTANCE, "new", false, &found, &s->err), &s->err);
    assert_int_equal(s->next, s->count);
    script_forget(s);
    for (int i = 0; i < 22; i++) /* those of a maintenance window */
        script_instance(s, "new", "db-1", "available", pending);
    assert_ok(rds_wait_database(s->rds, RDS_INSTANCE, "new", false, &found, &s->err), &s->err);
    script_close(s);
}

static void a_rename_is_followed_by_the_resource_id(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_database found;
    script_instance(
        s, "old", "db-1", "available",
        "<PendingModifiedValues><DBInstanceIdentifier>new</DBInstanceIdentifier></PendingModifiedValues>");
    script_instance(s, "old", "db-1", "renaming", "");
    script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound"); /* between both names */
    script_instance(s, "new", "db-1", "rebooting", "");
    /* a change that waits for its window does not count here */
    script_instance(s, "new", "db-1", "available",
                    "<PendingModifiedValues><MultiAZ>true</MultiAZ></PendingModifiedValues>");
    script_instance(s, "new", "db-1", "available", "");
    assert_ok(rds_wait_renamed(s->rds, RDS_INSTANCE, "db-1", "new", &found, &s->err), &s->err);
    assert_string_equal(s->last_params,
                        "Filters.Filter.1.Name=dbi-resource-id&Filters.Filter.1.Values.Value.1=db-1");
    assert_string_equal(found.id, "new");
    script_close(s);
}

static void a_name_is_free_however_its_bearer_fares(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_database found;
    script_instance(
        s, "old", "db-1", "available",
        "<PendingModifiedValues><DBInstanceIdentifier>x</DBInstanceIdentifier></PendingModifiedValues>");
    script_fail(s, "DescribeDBInstances", 0, "");
    script_instance(s, "old", "db-1", "renaming", "");
    script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound");
    assert_ok(rds_wait_left(s->rds, RDS_INSTANCE, "old", "db-1", &s->err), &s->err);
    script_instance(s, "old", "db-2", "storage-full", ""); /* another has it */
    assert_ok(rds_wait_left(s->rds, RDS_INSTANCE, "old", "db-1", &s->err), &s->err);
    script_instance(s, "old", "db-1", "renaming", "");
    script_instance(s, "x", "db-1", "storage-full", "");
    assert_ok(rds_wait_named(s->rds, RDS_INSTANCE, "db-1", "x", &found, &s->err), &s->err);
    assert_string_equal(found.status, "storage-full");
    script_close(s);
}

static void a_rename_that_does_not_come_is_not_waited_for_for_ever(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    for (int i = 0; i < 21; i++)
        script_instance(s, "old", "db-1", "storage-full", "");
    assert_err(rds_wait_left(s->rds, RDS_INSTANCE, "old", "db-1", &s->err), ERR_AWS, &s->err);
    assert_non_null(strstr(s->err.text, "does not give up its name: it is 'storage-full'"));
    script_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_is_waited_for_with_progress),
        cmocka_unit_test(an_instance_that_flaps_is_not_available),
        cmocka_unit_test(what_is_new_may_be_unknown_for_a_while),
        cmocka_unit_test(failures_end_the_wait),
        cmocka_unit_test(looks_that_fail_are_repeated_when_that_may_help),
        cmocka_unit_test(waits_end_at_their_limit_and_at_signals),
        cmocka_unit_test(pending_modifications_are_waited_for_but_not_for_ever),
        cmocka_unit_test(a_rename_is_followed_by_the_resource_id),
        cmocka_unit_test(a_name_is_free_however_its_bearer_fares),
        cmocka_unit_test(a_rename_that_does_not_come_is_not_waited_for_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
