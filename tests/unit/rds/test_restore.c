#include "support/rds_script.h"

#include "rds/restore.h"

static const struct rds_database prod = {
    .kind = RDS_INSTANCE, .id = "prod", .resource_id = "db-1", .status = "available"};
static const struct rds_snapshot snap = {
    .kind = RDS_SNAPSHOT, .id = "snap", .source = "prod", .engine = "mariadb"};

#define OURS(of) "<TagList><Tag><Key>dbsafe:snapshot</Key><Value>" of "</Value></Tag></TagList>"
#define SETTINGS(class, retention)                                                                           \
    "<DBInstanceClass>" class "</DBInstanceClass><BackupRetentionPeriod>" retention "</"                     \
                              "BackupRetentionPeriod>"

static void members_keep_their_part_of_the_name(void **state)
{
    (void)state;
    char out[RDS_ID_BYTES];
    rds_member_id("blue", "blue-instance-1", "green", 1, out);
    assert_string_equal(out, "green-instance-1");
    rds_member_id("blue", "blue-reader", "green", 2, out);
    assert_string_equal(out, "green-reader");
    rds_member_id("blue", "writer", "green", 1, out);
    assert_string_equal(out, "green-instance-1");
    rds_member_id("blue", "bluebird", "green", 3, out);
    assert_string_equal(out, "green-instance-3");
    rds_member_id("b", "b-a-name-of-a-member-that-has-hardly-any-room-left",
                  "a-cluster-with-a-long-name-of-forty-chars", 1, out);
    assert_string_equal(out, "a-cluster-with-a-long-name-of-forty-chars-instance-1");
    assert_true(rds_ident_is_legal(out, RDS_INSTANCE_ID_MAX));
}

static void passes_modifies_and_compares(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_restored made;
    const struct rds_restore q = {.snapshot = &snap, .to = "new", .like = &prod, .point = "release-7"};
    script_instance(s, "prod", "db-1", "available",
                    SETTINGS("db.m6g.large", "7") "<LicenseModel>x</LicenseModel>");
    script_answer(s, "RestoreDBInstanceFromDBSnapshot", "<DBInstance/>");
    script_instance(s, "new", "db-2", "available", "");
    script_instance(s, "new", "db-2", "available", "");
    script_instance(s, "new", "db-2", "available", SETTINGS("db.m6g.large", "1"));
    script_answer(s, "ModifyDBInstance", "<DBInstance/>");
    script_instance(s, "new", "db-2", "available", "");
    script_instance(s, "new", "db-2", "available", "");
    script_instance(s, "new", "db-2", "available", SETTINGS("db.m6g.large", "7"));
    script_instance(s, "new", "db-2", "available",
                    "<Endpoint><Address>new.example.com</Address><Port>3306</Port></Endpoint>");
    assert_ok(rds_restore_run(s->rds, &q, &made, &s->err), &s->err);
    assert_non_null(strstr(
        s->all_params,
        "RestoreDBInstanceFromDBSnapshot: DBSnapshotIdentifier=snap&DBInstanceIdentifier=new"
        "&Tags.Tag.1.Key=dbsafe:created&Tags.Tag.1.Value=2026-11-24T06:00:00Z&Tags.Tag.2.Key=dbsafe:snapshot"
        "&Tags.Tag.2.Value=snap&Tags.Tag.3.Key=dbsafe:point&Tags.Tag.3.Value=release-7"
        "&DBInstanceClass=db.m6g.large&LicenseModel=x\n"));
    assert_non_null(
        strstr(s->all_params,
               "ModifyDBInstance: DBInstanceIdentifier=new&ApplyImmediately=true&BackupRetentionPeriod=7\n"));
    assert_false(made.resumed);
    assert_string_equal(made.database.address, "new.example.com");
    assert_int_equal(made.difference_count, 1);
    assert_string_equal(made.differences[0].name, "licence model");
    rds_restored_free(&made);
    script_close(s);
}

static void a_modification_that_is_refused_leaves_a_difference(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_restored made;
    const struct rds_restore q = {.snapshot = &snap, .to = "new", .like = &prod};
    script_instance(s, "prod", "db-1", "available", SETTINGS("a", "7"));
    script_answer(s, "RestoreDBInstanceFromDBSnapshot", "<DBInstance/>");
    script_instance(s, "new", "db-2", "available", "");
    script_instance(s, "new", "db-2", "available", "");
    script_instance(s, "new", "db-2", "available", SETTINGS("a", "1"));
    script_fail(s, "ModifyDBInstance", 403, "AccessDenied");
    script_instance(s, "new", "db-2", "available", "");
    script_instance(s, "new", "db-2", "available", "");
    script_instance(s, "new", "db-2", "available", SETTINGS("a", "1"));
    script_instance(s, "new", "db-2", "available", "");
    assert_ok(rds_restore_run(s->rds, &q, &made, &s->err), &s->err);
    assert_int_equal(made.difference_count, 1);
    assert_string_equal(made.differences[0].source, "7");
    assert_string_equal(made.differences[0].restored, "1");
    assert_string_equal(made.differences[0].where, "new");
    rds_restored_free(&made);
    script_close(s);
}

/* Right after a restore an instance is often busy with its first backup; and an answer may be lost. */
static void a_modification_is_asked_for_until_it_can_be(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_restored made;
    const struct rds_restore q = {.snapshot = &snap, .to = "new", .like = &prod};
    script_instance(s, "prod", "db-1", "available", SETTINGS("a", "7"));
    script_answer(s, "RestoreDBInstanceFromDBSnapshot", "<DBInstance/>");
    script_instance(s, "new", "db-2", "available", "");
    script_instance(s, "new", "db-2", "available", "");
    script_instance(s, "new", "db-2", "backing-up", SETTINGS("a", "1"));
    script_fail(s, "ModifyDBInstance", 400, "InvalidDBInstanceState");
    for (int i = 0; i < 3; i++)
        script_instance(s, "new", "db-2", i == 0 ? "backing-up" : "available", "");
    script_instance(s, "new", "db-2", "available", SETTINGS("a", "1"));
    script_fail(s, "ModifyDBInstance", 0, ""); /* it worked all the same */
    for (int i = 0; i < 3; i++)
        script_instance(s, "new", "db-2", i == 0 ? "modifying" : "available", "");
    script_instance(s, "new", "db-2", "available", SETTINGS("a", "7")); /* nothing is left */
    script_instance(s, "new", "db-2", "available", SETTINGS("a", "7"));
    script_instance(s, "new", "db-2", "available", "");
    assert_ok(rds_restore_run(s->rds, &q, &made, &s->err), &s->err);
    assert_int_equal(made.difference_count, 0);
    rds_restored_free(&made);
    script_close(s);
}

static void one_refused_setting_does_not_keep_the_others(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_restored made;
    const struct rds_restore q = {.snapshot = &snap, .to = "new", .like = &prod};
    const char *want = SETTINGS("a", "7") "<MaxAllocatedStorage>9</MaxAllocatedStorage>",
               *have = SETTINGS("a", "1"), *better = SETTINGS("a", "7");
    script_instance(s, "prod", "db-1", "available", want);
    script_answer(s, "RestoreDBInstanceFromDBSnapshot", "<DBInstance/>");
    for (int i = 0; i < 2; i++)
        script_instance(s, "new", "db-2", "available", "");
    script_instance(s, "new", "db-2", "available", have);
    script_fail(s, "ModifyDBInstance", 400, "InvalidParameterCombination");
    for (int i = 0; i < 2; i++)
        script_instance(s, "new", "db-2", "available", "");
    unsigned groups = rds_settings_groups(RDS_ROLE_INSTANCE);
    bool largest = false, retention = false;
    for (unsigned g = 1; g <= groups; g++) {
        struct http_pairs params = {0};
        struct xml *source, *restored;
        char *text[2] = {xasprintf("<D>%s</D>", want), xasprintf("<D>%s</D>", have)};
        assert_ok(xml_parse(text[0], strlen(text[0]), &source, &s->err), &s->err);
        assert_ok(xml_parse(text[1], strlen(text[1]), &restored, &s->err), &s->err);
        bool differs =
            rds_settings_mend(RDS_ROLE_INSTANCE, xml_root(source), xml_root(restored), g, &params) > 0;
        script_instance(s, "new", "db-2", "available", retention ? better : have);
        if (differs && !largest) {
            largest = true;
            script_fail(s, "ModifyDBInstance", 400, "InvalidParameterCombination");
        } else if (differs) {
            retention = true;
            script_answer(s, "ModifyDBInstance", "<DBInstance/>");
        }
        for (int i = 0; differs && i < 2; i++)
            script_instance(s, "new", "db-2", "available", "");
        http_pairs_clear(&params);
        xml_free(source);
        xml_free(restored);
        free(text[0]);
        free(text[1]);
    }
    assert_true(largest && retention);
    script_instance(s, "new", "db-2", "available", better);
    script_instance(s, "new", "db-2", "available", "");
    assert_ok(rds_restore_run(s->rds, &q, &made, &s->err), &s->err);
    assert_int_equal(made.difference_count, 1);
    assert_string_equal(made.differences[0].name, "largest storage");
    rds_restored_free(&made);
    script_close(s);
}

/* "The latest moment" of an earlier call is not that of this one. */
static void the_latest_moment_is_not_that_of_yesterday(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_restored made;
    const struct rds_restore q = {.source = &prod, .to = "new"};
    const char *old = "<TagList><Tag><Key>dbsafe:snapshot</Key><Value>prod@latest</Value></Tag>"
                      "<Tag><Key>dbsafe:created</Key><Value>2026-11-23T06:00:00Z</Value></Tag></TagList>";
    script_fail(s, "RestoreDBInstanceToPointInTime", 400, "DBInstanceAlreadyExists");
    script_instance(s, "new", "db-2", "available", old);
    assert_err(rds_restore_run(s->rds, &q, &made, &s->err), ERR_REFUSED, &s->err);
    assert_non_null(strstr(s->err.text, "restored 2026-11-23T06:00:00Z"));
    rds_restored_free(&made);
    script_fail(s, "RestoreDBInstanceToPointInTime", 400, "DBInstanceAlreadyExists");
    script_instance(s, "new", "db-2", "creating", old); /* still under way: it is that call that goes on */
    for (int i = 0; i < 3; i++)
        script_instance(s, "new", "db-2", "available", old);
    assert_ok(rds_restore_run(s->rds, &q, &made, &s->err), &s->err);
    assert_true(made.resumed);
    rds_restored_free(&made);
    script_close(s);
}

static void the_version_is_the_snapshots(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_restored made;
    struct rds_snapshot of = snap;
    const struct rds_restore q = {.snapshot = &of, .to = "new"};
    snprintf(of.engine_version, sizeof of.engine_version, "10.6.14");
    script_answer(s, "RestoreDBInstanceFromDBSnapshot", "<DBInstance/>");
    for (int i = 0; i < 3; i++)
        script_instance(s, "new", "db-2", "available", "<EngineVersion>10.11.6</EngineVersion>");
    assert_ok(rds_restore_run(s->rds, &q, &made, &s->err), &s->err);
    assert_int_equal(made.difference_count, 1);
    assert_string_equal(made.differences[0].name, "engine version");
    assert_string_equal(made.differences[0].source, "10.6.14");
    rds_restored_free(&made);
    script_close(s);
}

static void one_that_was_begun_is_gone_on_with(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_restored made;
    const struct rds_restore q = {.snapshot = &snap, .to = "new"};
    script_fail(s, "RestoreDBInstanceFromDBSnapshot", 400, "DBInstanceAlreadyExists");
    script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound"); /* it is not seen yet */
    script_instance(s, "new", "db-2", "creating", OURS("snap"));
    script_instance(s, "new", "db-2", "available", OURS("snap"));
    script_instance(s, "new", "db-2", "available", OURS("snap"));
    script_instance(s, "new", "db-2", "available", OURS("snap"));
    assert_ok(rds_restore_run(s->rds, &q, &made, &s->err), &s->err);
    assert_true(made.resumed);
    rds_restored_free(&made);
    script_close(s);
}

static void another_instance_of_that_name_is_left_alone(void **state)
{
    (void)state;
    const char *tags[] = {"", OURS("other")};
    for (size_t i = 0; i < 2; i++) {
        struct rds_script *s = script_open();
        struct rds_restored made;
        const struct rds_restore q = {.snapshot = &snap, .to = "new"};
        script_fail(s, "RestoreDBInstanceFromDBSnapshot", 400, "DBInstanceAlreadyExists");
        script_instance(s, "new", "db-2", "available", tags[i]);
        assert_err(rds_restore_run(s->rds, &q, &made, &s->err), ERR_AWS, &s->err);
        assert_non_null(strstr(s->err.text, "DBInstanceAlreadyExists"));
        rds_restored_free(&made);
        script_close(s);
    }
}

static void to_a_point_in_time(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_restored made;
    struct rds_restore q = {.source = &prod, .to = "new", .time = "2026-11-24T05:00:00Z"};
    for (int i = 0; i < 2; i++) {
        script_answer(s, "RestoreDBInstanceToPointInTime", "<DBInstance/>");
        for (int k = 0; k < 3; k++)
            script_instance(s, "new", "db-2", "available", "");
        assert_ok(rds_restore_run(s->rds, &q, &made, &s->err), &s->err);
        rds_restored_free(&made);
        q.time = NULL;
    }
    assert_non_null(strstr(
        s->all_params,
        "SourceDBInstanceIdentifier=prod&TargetDBInstanceIdentifier=new&RestoreTime=2026-11-24T05:00:00Z&"));
    assert_non_null(strstr(s->all_params, "TargetDBInstanceIdentifier=new&UseLatestRestorableTime=true&"));
    assert_non_null(strstr(s->all_params, "Tags.Tag.2.Value=prod@2026-11-24T05:00:00Z"));
    script_close(s);
}

static void signals_say_how_to_go_on(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_restored made;
    const struct rds_restore q = {.snapshot = &snap, .to = "new"};
    script_answer(s, "RestoreDBInstanceFromDBSnapshot", "<DBInstance/>");
    script_instance(s, "new", "db-2", "creating", "");
    s->fire_at = 1;
    assert_err(rds_restore_run(s->rds, &q, &made, &s->err), ERR_SIGINT, &s->err);
    assert_non_null(strstr(s->err.text, "AWS goes on with restoring new: the same command again goes on"));
    rds_restored_free(&made);
    script_close(s);
}

static void refuses_what_it_cannot_do(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_restored made;
    const struct rds_database cluster = {.kind = RDS_CLUSTER, .id = "blue", .member_count = 1};
    const struct rds_snapshot aurora = {.kind = RDS_CLUSTER_SNAPSHOT, .id = "c", .engine = "aurora-mysql"};
    const struct rds_snapshot multi_az = {.kind = RDS_CLUSTER_SNAPSHOT, .id = "c", .engine = "mysql"};
    const struct {
        struct rds_restore q;
        enum err_code code;
    } cases[] = {
        {{.snapshot = &snap, .to = "no good"}, ERR_USAGE},
        {{.snapshot = &snap, .to = "new", .like = &cluster}, ERR_USAGE},
        {{.snapshot = &aurora, .to = "new", .like = &prod}, ERR_USAGE},
        {{.snapshot = &aurora, .to = "new"}, ERR_REFUSED},
        {{.snapshot = &multi_az, .to = "new", .like = &cluster}, ERR_REFUSED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_err(rds_restore_run(s->rds, &cases[i].q, &made, &s->err), cases[i].code, &s->err);
        rds_restored_free(&made);
    }
    script_close(s);
}

static void errors_of_aws_are_passed_on(void **state)
{
    (void)state;
    struct rds_script *s = script_open();
    struct rds_restored made;
    const struct rds_restore q = {.snapshot = &snap, .to = "new", .like = &prod};
    script_fail(s, "DescribeDBInstances", 404, "DBInstanceNotFound");
    assert_err(rds_restore_run(s->rds, &q, &made, &s->err), ERR_NOT_FOUND, &s->err);
    rds_restored_free(&made);
    script_instance(s, "prod", "db-1", "available", "");
    script_fail(s, "RestoreDBInstanceFromDBSnapshot", 400, "InstanceQuotaExceeded");
    assert_err(rds_restore_run(s->rds, &q, &made, &s->err), ERR_AWS, &s->err);
    assert_non_null(strstr(s->err.text, "InstanceQuotaExceeded"));
    rds_restored_free(&made);
    script_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_keep_their_part_of_the_name),
        cmocka_unit_test(passes_modifies_and_compares),
        cmocka_unit_test(a_modification_that_is_refused_leaves_a_difference),
        cmocka_unit_test(a_modification_is_asked_for_until_it_can_be),
        cmocka_unit_test(one_refused_setting_does_not_keep_the_others),
        cmocka_unit_test(the_latest_moment_is_not_that_of_yesterday),
        cmocka_unit_test(the_version_is_the_snapshots),
        cmocka_unit_test(one_that_was_begun_is_gone_on_with),
        cmocka_unit_test(another_instance_of_that_name_is_left_alone),
        cmocka_unit_test(to_a_point_in_time),
        cmocka_unit_test(signals_say_how_to_go_on),
        cmocka_unit_test(refuses_what_it_cannot_do),
        cmocka_unit_test(errors_of_aws_are_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
