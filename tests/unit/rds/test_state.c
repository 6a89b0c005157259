#include "support/test.h"

#include "rds/state.h"

static void statuses_mean_what_aws_says(void **state)
{
    (void)state;
    static const struct {
        enum rds_kind kind;
        const char *status;
        enum rds_phase phase;
    } cases[] = {
        {RDS_INSTANCE, "available", RDS_READY},
        {RDS_INSTANCE, "storage-optimization", RDS_READY},
        {RDS_INSTANCE, "creating", RDS_PENDING},
        {RDS_INSTANCE, "backing-up", RDS_PENDING},
        {RDS_INSTANCE, "configuring-iam-database-auth", RDS_PENDING},
        {RDS_INSTANCE, "a status of next year", RDS_PENDING},
        {RDS_INSTANCE, "", RDS_PENDING},
        {RDS_INSTANCE, "incompatible-restore", RDS_FAILED},
        {RDS_INSTANCE, "incompatible-parameters", RDS_FAILED},
        {RDS_INSTANCE, "failed", RDS_FAILED},
        {RDS_INSTANCE, "deleting", RDS_FAILED},
        {RDS_CLUSTER, "available", RDS_READY},
        {RDS_CLUSTER, "renaming", RDS_PENDING},
        {RDS_CLUSTER, "cloning-failed", RDS_FAILED},
        {RDS_SNAPSHOT, "available", RDS_READY},
        {RDS_SNAPSHOT, "creating", RDS_PENDING},
        {RDS_SNAPSHOT, "failed", RDS_FAILED},
        {RDS_CLUSTER_SNAPSHOT, "copying", RDS_PENDING},
        {RDS_CLUSTER_SNAPSHOT, "deleted", RDS_FAILED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (rds_phase_of(cases[i].kind, cases[i].status) != cases[i].phase)
            fail_msg("%s '%s'", rds_kind_name(cases[i].kind), cases[i].status);
}

static void instances_settle_when_seen_twice(void **state)
{
    (void)state;
    struct rds_settle s = {.kind = RDS_INSTANCE};
    assert_int_equal(rds_settle_feed(&s, "creating"), RDS_PENDING);
    assert_int_equal(rds_settle_feed(&s, "available"), RDS_PENDING);
    assert_int_equal(rds_settle_feed(&s, "backing-up"), RDS_PENDING);
    assert_int_equal(rds_settle_feed(&s, "available"), RDS_PENDING);
    assert_int_equal(rds_settle_feed(&s, "storage-optimization"), RDS_READY);
    s = (struct rds_settle){.kind = RDS_CLUSTER};
    assert_int_equal(rds_settle_feed(&s, "available"), RDS_PENDING);
    assert_int_equal(rds_settle_feed(&s, "incompatible-restore"), RDS_PENDING);
    assert_int_equal(rds_settle_feed(&s, "failed"), RDS_FAILED);
    s = (struct rds_settle){.kind = RDS_SNAPSHOT};
    assert_int_equal(rds_settle_feed(&s, "available"), RDS_READY);
}

static void estimates_what_remains(void **state)
{
    (void)state;
    assert_int_equal(rds_remaining_ms(0, 60000), -1);
    assert_int_equal(rds_remaining_ms(101, 60000), -1);
    assert_int_equal(rds_remaining_ms(50, -1), -1);
    assert_int_equal(rds_remaining_ms(25, 60000), 180000);
    assert_int_equal(rds_remaining_ms(100, 60000), 0);
    assert_int_equal(rds_remaining_ms(1, INT64_MAX / 100), INT64_MAX / 100 * 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_mean_what_aws_says),
        cmocka_unit_test(instances_settle_when_seen_twice),
        cmocka_unit_test(estimates_what_remains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
