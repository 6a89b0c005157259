#include "support/rds_script.h"

#include "rds/snapshot.h"

#define DESCRIBE "DescribeDBSnapshots"
#define CLUSTERS "DescribeDBClusterSnapshots"
/* The tag that a call at the script's time puts on. */
#define OURS "<TagList><Tag><Key>dbsafe:created</Key><Value>2026-11-24T06:00:00Z</Value></Tag></TagList>"
/* One of an earlier call. */
#define OLDER "<TagList><Tag><Key>dbsafe:created</Key><Value>2026-11-23T06:00:00Z</Value></Tag></TagList>"

static const struct rds_database prod = {
    .kind = RDS_INSTANCE, .id = "prod", .resource_id = "db-1", .status = "available"};

static void begins_with_tags(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshot made;
    bool resumed = true;
    script_snapshot(s, "CreateDBSnapshot", "creating", 0, "");
    assert_ok(rds_snapshot_create(s->rds, &prod, "snap", "release-7", &made, &resumed, &s->err), &s->err);
    assert_string_equal(made.status, "creating");
    assert_false(resumed);
    assert_string_equal(s->last_params,
                        "DBInstanceIdentifier=prod&DBSnapshotIdentifier=snap&Tags.Tag.1.Key=dbsafe:created"
                        "&Tags.Tag.1.Value=2026-11-24T06:00:00Z&Tags.Tag.2.Key=dbsafe:point"
                        "&Tags.Tag.2.Value=release-7");
    script_close(s);
}

static void a_cluster_has_calls_of_its_own(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshot made;
    const struct rds_database blue = {.kind = RDS_CLUSTER, .id = "blue", .resource_id = "cluster-1"};
    script_answer(s, "CreateDBClusterSnapshot",
                  "<DBClusterSnapshot><DBClusterSnapshotIdentifier>c</DBClusterSnapshotIdentifier></"
                  "DBClusterSnapshot>");
    assert_ok(rds_snapshot_create(s->rds, &blue, "c", NULL, &made, NULL, &s->err), &s->err);
    assert_int_equal(made.kind, RDS_CLUSTER_SNAPSHOT);
    assert_non_null(strstr(s->last_params, "DBClusterIdentifier=blue&DBClusterSnapshotIdentifier=c&"));
    assert_null(strstr(s->last_params, "dbsafe:point"));
    script_close(s);
}

static void one_that_is_being_made_is_gone_on_with(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshot made;
    bool resumed = false;
    script_fail(s, "CreateDBSnapshot", 400, "DBSnapshotAlreadyExists");
    script_snapshot(
        s, DESCRIBE, "creating", 40,
        "<TagList><Tag><Key>dbsafe:created</Key><Value>2026-11-24T05:59:00Z</Value></Tag></TagList>");
    assert_ok(rds_snapshot_create(s->rds, &prod, "snap", NULL, &made, &resumed, &s->err), &s->err);
    assert_true(resumed);
    assert_int_equal(made.percent, 40);
    script_close(s);
}

static void an_answer_that_was_lost_is_found_out(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshot made;
    bool resumed = false;
    script_fail(s, "CreateDBSnapshot", 400, "DBSnapshotAlreadyExists");
    script_snapshot(s, DESCRIBE, "available", 100, OURS); /* so fast that it is ready already */
    assert_ok(rds_snapshot_create(s->rds, &prod, "snap", NULL, &made, &resumed, &s->err), &s->err);
    assert_true(resumed);
    resumed = false;
    script_fail(s, "CreateDBSnapshot", 400, "InvalidDBInstanceState"); /* because it is being made */
    script_snapshot(s, DESCRIBE, "creating", 0, OURS);
    assert_ok(rds_snapshot_create(s->rds, &prod, "snap", NULL, &made, &resumed, &s->err), &s->err);
    assert_true(resumed);
    script_close(s);
}

static void another_one_of_that_name_is_not_taken_for_ours(void **state)
{
    (void)state;
    static const struct {
        const char *status, *more;
    } cases[] = {
        {"creating", ""}, /* by someone else */
        {"available", OLDER},
        {"failed", OLDER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rds_script *s = script_open();
        struct rds_snapshot made;
        script_fail(s, "CreateDBSnapshot", 400, "DBSnapshotAlreadyExists");
        script_snapshot(s, DESCRIBE, cases[i].status, 0, cases[i].more);
        assert_err(rds_snapshot_create(s->rds, &prod, "snap", NULL, &made, NULL, &s->err), ERR_AWS, &s->err);
        assert_non_null(strstr(s->err.text, "DBSnapshotAlreadyExists"));
        script_close(s);
    }
    /* of another instance */
    struct rds_script *s = script_open();
    struct rds_snapshot made;
    const struct rds_database other = {.kind = RDS_INSTANCE, .id = "test", .resource_id = "db-2"};
    script_fail(s, "CreateDBSnapshot", 400, "DBSnapshotAlreadyExists");
    script_snapshot(s, DESCRIBE, "creating", 0, OURS);
    assert_err(rds_snapshot_create(s->rds, &other, "snap", NULL, &made, NULL, &s->err), ERR_AWS, &s->err);
    script_close(s);
}

static void a_busy_instance_is_waited_for(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshot made;
    script_fail(s, "CreateDBSnapshot", 400, "InvalidDBInstanceState");
    script_fail(s, DESCRIBE, 404, "DBSnapshotNotFound");
    script_instance(s, "prod", "db-1", "backing-up", "");
    script_instance(s, "prod", "db-1", "available", "");
    script_instance(s, "prod", "db-1", "available", "");
    script_snapshot(s, "CreateDBSnapshot", "creating", 0, "");
    assert_ok(rds_snapshot_create(s->rds, &prod, "snap", NULL, &made, NULL, &s->err), &s->err);
    script_fail(s, "CreateDBSnapshot", 400, "InvalidDBInstanceState");
    script_fail(s, DESCRIBE, 404, "DBSnapshotNotFound");
    script_instance(s, "prod", "db-1", "stopped", "");
    assert_err(rds_snapshot_create(s->rds, &prod, "snap", NULL, &made, NULL, &s->err), ERR_AWS, &s->err);
    assert_non_null(strstr(s->err.text, "stopped"));
    script_fail(s, "CreateDBSnapshot", 400, "SnapshotQuotaExceeded");
    assert_err(rds_snapshot_create(s->rds, &prod, "snap", NULL, &made, NULL, &s->err), ERR_AWS, &s->err);
    script_close(s);
}

static void lists_all_pages_of_both_kinds_by_age(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshots list;
    script_answer(
        s, DESCRIBE,
        "<Marker>next</Marker><DBSnapshots><DBSnapshot><DBSnapshotIdentifier>b</DBSnapshotIdentifier>"
        "<DBSnapshotArn>b</DBSnapshotArn><SnapshotCreateTime>2026-11-24T05:00:00Z</SnapshotCreateTime>"
        "</DBSnapshot></DBSnapshots>");
    script_answer(s, DESCRIBE,
                  "<DBSnapshots><DBSnapshot><DBSnapshotIdentifier>young</"
                  "DBSnapshotIdentifier><DBSnapshotArn>y</DBSnapshotArn>"
                  "</DBSnapshot></DBSnapshots>");
    script_answer(
        s, CLUSTERS,
        "<DBClusterSnapshots><DBClusterSnapshot><DBClusterSnapshotIdentifier>a</DBClusterSnapshotIdentifier>"
        "<DBClusterSnapshotArn>a</DBClusterSnapshotArn><SnapshotCreateTime>2026-11-24T04:00:00Z</"
        "SnapshotCreateTime>"
        "</DBClusterSnapshot></DBClusterSnapshots>");
    assert_ok(rds_snapshot_list(s->rds, &list, &s->err), &s->err);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].id, "a");
    assert_string_equal(list.items[1].id, "b");
    assert_string_equal(list.items[2].id, "young");
    assert_non_null(strstr(s->all_params, "DescribeDBSnapshots: Marker=next\n"));
    rds_snapshots_free(&list);
    script_close(s);
}

static void those_of_a_renamed_instance_are_listed_once(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshots list;
    script_snapshot(s, DESCRIBE, "available", 100, "");
    script_snapshot(s, DESCRIBE, "available", 100, "");
    assert_ok(rds_snapshot_list_of(s->rds, RDS_INSTANCE, "prod", "db-1", &list, &s->err), &s->err);
    assert_int_equal(list.count, 1);
    assert_string_equal(s->last_params, "DbiResourceId=db-1");
    rds_snapshots_free(&list);
    script_answer(s, CLUSTERS, "<DBClusterSnapshots/>");
    assert_ok(rds_snapshot_list_of(s->rds, RDS_CLUSTER, "blue", "cluster-1", &list, &s->err), &s->err);
    assert_int_equal(list.count, 0);
    rds_snapshots_free(&list);
    script_fail(s, DESCRIBE, 403, "AccessDenied");
    assert_err(rds_snapshot_list(s->rds, &list, &s->err), ERR_AWS, &s->err);
    rds_snapshots_free(&list);
    script_close(s);
}

static void finds_by_name_in_both_kinds(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshot found;
    const char *cluster = "<DBClusterSnapshots><DBClusterSnapshot><DBClusterSnapshotIdentifier>snap</"
                          "DBClusterSnapshotIdentifier>"
                          "<DBClusterSnapshotArn>arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:snap</"
                          "DBClusterSnapshotArn></DBClusterSnapshot></DBClusterSnapshots>";
    script_snapshot(s, DESCRIBE, "available", 100, "");
    script_fail(s, CLUSTERS, 404, "DBClusterSnapshotNotFoundFault");
    assert_ok(rds_snapshot_find(s->rds, "SNAP", &found, &s->err), &s->err);
    assert_int_equal(found.kind, RDS_SNAPSHOT);
    script_fail(s, DESCRIBE, 404, "DBSnapshotNotFound");
    script_answer(s, CLUSTERS, "%s", cluster);
    assert_ok(rds_snapshot_find(s->rds, "snap", &found, &s->err), &s->err);
    assert_int_equal(found.kind, RDS_CLUSTER_SNAPSHOT);
    script_snapshot(s, DESCRIBE, "available", 100, "");
    script_answer(s, CLUSTERS, "%s", cluster);
    assert_err(rds_snapshot_find(s->rds, "snap", &found, &s->err), ERR_USAGE, &s->err);
    assert_non_null(
        strstr(s->err.text, "arn:snap or arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:snap"));
    script_answer(s, CLUSTERS, "%s", cluster);
    assert_ok(rds_snapshot_find(s->rds, "arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:snap", &found,
                                &s->err),
              &s->err);
    script_answer(s, CLUSTERS, "%s", cluster);
    assert_err(rds_snapshot_find(s->rds, "arn:aws:rds:eu-west-1:999999999999:cluster-snapshot:snap", &found,
                                 &s->err),
               ERR_NOT_FOUND, &s->err);
    script_fail(s, DESCRIBE, 404, "DBSnapshotNotFound");
    script_fail(s, CLUSTERS, 404, "DBClusterSnapshotNotFoundFault");
    assert_err(rds_snapshot_find(s->rds, "none", &found, &s->err), ERR_NOT_FOUND, &s->err);
    assert_err(rds_snapshot_find(s->rds, "arn:aws:rds:eu-west-1:123456789012:db:prod", &found, &s->err),
               ERR_USAGE, &s->err);
    script_fail(s, DESCRIBE, 404, "DBSnapshotNotFound");
    script_fail(s, CLUSTERS, 403, "AccessDenied");
    assert_err(rds_snapshot_find(s->rds, "snap", &found, &s->err), ERR_AWS, &s->err);
    script_close(s);
}

static void copies(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshot source = {.kind = RDS_SNAPSHOT,
                                  .id = "snap",
                                  .arn = "arn:snap",
                                  .source = "prod",
                                  .created_ms = s->now_ms - 3600000},
                        made;
    snprintf(source.tags.point, sizeof source.tags.point, "release-7");
    script_snapshot(s, "CopyDBSnapshot", "creating", 0, "");
    assert_ok(rds_snapshot_copy(s->rds, &source, "copy", "alias/k", &made, NULL, &s->err), &s->err);
    assert_non_null(
        strstr(s->last_params,
               "SourceDBSnapshotIdentifier=arn:snap&TargetDBSnapshotIdentifier=copy&KmsKeyId=alias/k&"));
    assert_non_null(strstr(s->last_params, "Value=release-7"));
    assert_non_null(strstr(s->last_params, "Tags.Tag.3.Key=dbsafe:copy-of&Tags.Tag.3.Value=arn:snap@"
                                           "2026-11-24T05:00:00Z&Tags.Tag.4.Key=dbsafe:kms-key"
                                           "&Tags.Tag.4.Value=alias/k"));
    script_close(s);
}

#define TAG(key, value) "<Tag><Key>dbsafe:" key "</Key><Value>" value "</Value></Tag>"

/* What has the copy's name is this copy only when it is of the same snapshot, with the same key. */
static void a_copy_of_something_else_is_no_copy_of_this(void **state)
{
    (void)state;
    const struct {
        const char *tags;
        bool same;
    } cases[] = {
        {TAG("created", "x") TAG("point", "release-7") TAG("copy-of", "arn:snap@2026-11-24T05:00:00Z")
             TAG("kms-key", "alias/k"),
         true},
        {TAG("created", "x") TAG("point", "release-7"), false}, /* a snapshot */
        {TAG("created", "x") TAG("point", "release-7") TAG("copy-of", "arn:old@2026-11-24T05:00:00Z")
             TAG("kms-key", "alias/k"),
         false},
        {TAG("created", "x") TAG("point", "release-7") TAG("copy-of", "arn:snap@2026-11-23T05:00:00Z")
             TAG("kms-key", "alias/k"),
         false}, /* an earlier one of that name */
        {TAG("created", "x") TAG("point", "release-7") TAG("copy-of", "arn:snap@2026-11-24T05:00:00Z"),
         false}, /* without the key */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rds_script *s = script_open();
        struct rds_snapshot source = {.kind = RDS_SNAPSHOT,
                                      .id = "snap",
                                      .arn = "arn:snap",
                                      .source = "prod",
                                      .created_ms = s->now_ms - 3600000},
                            made;
        bool resumed;
        char *tags = xasprintf("<TagList>%s</TagList>", cases[i].tags);
        snprintf(source.tags.point, sizeof source.tags.point, "release-7");
        script_fail(s, "CopyDBSnapshot", 400, "DBSnapshotAlreadyExists");
        script_snapshot(s, DESCRIBE, "available", 100, tags);
        enum err_code rc = rds_snapshot_copy(s->rds, &source, "copy", "alias/k", &made, &resumed, &s->err);
        assert_int_equal(rc, cases[i].same ? ERR_OK : ERR_AWS);
        assert_int_equal(resumed, cases[i].same);
        free(tags);
        script_close(s);
    }
}

/* Nor is a copy what a snapshot of the same point was to be. */
static void a_copy_is_no_snapshot_that_was_begun(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshot made;
    const char *tags = "<TagList>" TAG("created", "x") TAG("point", "p") TAG("copy-of", "y") "</TagList>";
    script_fail(s, "CreateDBSnapshot", 400, "DBSnapshotAlreadyExists");
    script_fail(s, DESCRIBE, 404, "DBSnapshotNotFound"); /* it is not seen yet */
    script_snapshot(s, DESCRIBE, "available", 100, tags);
    const struct rds_database source = {
        .kind = RDS_INSTANCE, .id = "prod", .resource_id = "db-1", .status = "available"};
    assert_err(rds_snapshot_create(s->rds, &source, "snap", "p", &made, NULL, &s->err), ERR_AWS, &s->err);
    script_close(s);
}

static struct rds_snapshot aged(const struct rds_script *s, int64_t hours)
{
    return (struct rds_snapshot){.kind = RDS_SNAPSHOT,
                                 .id = "snap",
                                 .arn = "arn:mine",
                                 .source = "prod",
                                 .source_resource_id = "db-1",
                                 .type = "manual",
                                 .status = "available",
                                 .created_ms = s->now_ms - hours * 3600000};
}

static void the_young_and_the_only_one_are_kept(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshot young = aged(s, 47), old = aged(s, 49), broken = aged(s, 1);
    assert_err(rds_snapshot_check_delete(s->rds, &young, &s->err), ERR_REFUSED, &s->err);
    young.created_ms = 0;
    assert_err(rds_snapshot_check_delete(s->rds, &young, &s->err), ERR_REFUSED, &s->err);
    for (int i = 0; i < 2; i++) /* only itself */
        script_answer(
            s, DESCRIBE,
            "<DBSnapshots><DBSnapshot><DBSnapshotArn>arn:mine</DBSnapshotArn><Status>available</Status>"
            "<SnapshotType>manual</SnapshotType></DBSnapshot></DBSnapshots>");
    assert_err(rds_snapshot_check_delete(s->rds, &old, &s->err), ERR_REFUSED, &s->err);
    assert_non_null(strstr(s->err.text, "only one"));
    for (int i = 0; i < 2; i++) /* others that do not count */
        script_answer(
            s, DESCRIBE,
            "<DBSnapshots><DBSnapshot><DBSnapshotArn>arn:auto</DBSnapshotArn><Status>available</Status>"
            "<SnapshotType>automated</SnapshotType></DBSnapshot><DBSnapshot><DBSnapshotArn>arn:bad"
            "</DBSnapshotArn><Status>failed</Status><SnapshotType>manual</SnapshotType></DBSnapshot></"
            "DBSnapshots>");
    assert_err(rds_snapshot_check_delete(s->rds, &old, &s->err), ERR_REFUSED, &s->err);
    script_snapshot(s, DESCRIBE, "available", 100, "");
    script_answer(s, DESCRIBE, "<DBSnapshots/>");
    assert_ok(rds_snapshot_check_delete(s->rds, &old, &s->err), &s->err);
    snprintf(broken.status, sizeof broken.status, "failed");
    assert_ok(rds_snapshot_check_delete(s->rds, &broken, &s->err), &s->err);
    script_fail(s, DESCRIBE, 403, "AccessDenied");
    assert_err(rds_snapshot_check_delete(s->rds, &old, &s->err), ERR_AWS, &s->err);
    script_close(s);
}

static void deleting_needs_the_exact_name(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_snapshot old = aged(s, 49);
    assert_err(rds_snapshot_delete(s->rds, &old, "SNAP", &s->err), ERR_REFUSED, &s->err);
    assert_err(rds_snapshot_delete(s->rds, &old, "", &s->err), ERR_REFUSED, &s->err);
    script_snapshot(s, "DeleteDBSnapshot", "deleted", 100, "");
    assert_ok(rds_snapshot_delete(s->rds, &old, "snap", &s->err), &s->err);
    assert_string_equal(s->last_params, "DBSnapshotIdentifier=snap");
    script_fail(s, "DeleteDBSnapshot", 404, "DBSnapshotNotFound"); /* gone already */
    assert_ok(rds_snapshot_delete(s->rds, &old, "arn:mine", &s->err), &s->err);
    script_fail(s, "DeleteDBSnapshot", 400, "InvalidDBSnapshotState");
    assert_err(rds_snapshot_delete(s->rds, &old, "snap", &s->err), ERR_AWS, &s->err);
    script_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_with_tags),
        cmocka_unit_test(a_cluster_has_calls_of_its_own),
        cmocka_unit_test(one_that_is_being_made_is_gone_on_with),
        cmocka_unit_test(an_answer_that_was_lost_is_found_out),
        cmocka_unit_test(another_one_of_that_name_is_not_taken_for_ours),
        cmocka_unit_test(a_busy_instance_is_waited_for),
        cmocka_unit_test(lists_all_pages_of_both_kinds_by_age),
        cmocka_unit_test(those_of_a_renamed_instance_are_listed_once),
        cmocka_unit_test(finds_by_name_in_both_kinds),
        cmocka_unit_test(copies),
        cmocka_unit_test(a_copy_of_something_else_is_no_copy_of_this),
        cmocka_unit_test(a_copy_is_no_snapshot_that_was_begun),
        cmocka_unit_test(the_young_and_the_only_one_are_kept),
        cmocka_unit_test(deleting_needs_the_exact_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
