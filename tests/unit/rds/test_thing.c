#include "support/test.h"

#include "rds/thing.h"

#include <string.h>

static struct xml *parsed(const char *text)
{
    struct xml *x = NULL;
    struct err err;
    assert_ok(xml_parse(text, strlen(text), &x, &err), &err);
    return x;
}

/* From the examples of the RDS API reference, shortened. */
static void reads_an_instance(void **state)
{
    (void)state;
    struct rds_database d;
    struct xml *x = parsed(
        "<DBInstance><DBInstanceIdentifier>prod</DBInstanceIdentifier><DBInstanceStatus>renaming</"
        "DBInstanceStatus>"
        "<DbiResourceId>db-ABC</DbiResourceId><DBInstanceArn>arn:aws:rds:eu-west-1:123456789012:db:prod</"
        "DBInstanceArn>"
        "<Engine>mariadb</Engine><EngineVersion>10.11.6</EngineVersion><BackupRetentionPeriod>7</"
        "BackupRetentionPeriod>"
        "<Endpoint><Address>prod.example.com</Address><Port>3307</Port></Endpoint><DeletionProtection>true</"
        "DeletionProtection>"
        "<PendingModifiedValues><DBInstanceIdentifier>prod-2</DBInstanceIdentifier></PendingModifiedValues>"
        "<TagList><Tag><Key>team</Key><Value>x</Value></Tag><Tag><Key>dbsafe:created</"
        "Key><Value>2026-11-24T06:00:00Z</Value>"
        "</Tag><Tag><Key>dbsafe:snapshot</Key><Value>s-1</Value></Tag></TagList></DBInstance>");
    rds_database_read(xml_root(x), RDS_INSTANCE, &d);
    assert_string_equal(d.id, "prod");
    assert_string_equal(d.status, "renaming");
    assert_string_equal(d.resource_id, "db-ABC");
    assert_string_equal(d.arn, "arn:aws:rds:eu-west-1:123456789012:db:prod");
    assert_string_equal(d.new_id, "prod-2");
    assert_string_equal(d.address, "prod.example.com");
    assert_string_equal(d.engine_version, "10.11.6");
    assert_int_equal(d.port, 3307);
    assert_int_equal(d.retention_days, 7);
    assert_true(d.changing && d.deletion_protection);
    assert_string_equal(d.tags.created, "2026-11-24T06:00:00Z");
    assert_string_equal(d.tags.snapshot, "s-1");
    assert_string_equal(d.tags.point, "");
    assert_string_equal(d.cluster_id, "");
    xml_free(x);
}

static void reads_what_is_hardly_there(void **state)
{
    (void)state;
    struct rds_database d;
    struct rds_snapshot s;
    struct xml *x = parsed(
        "<DBInstance><PendingModifiedValues/><DBInstanceIdentifier>new</DBInstanceIdentifier></DBInstance>");
    rds_database_read(xml_root(x), RDS_INSTANCE, &d);
    assert_string_equal(d.id, "new");
    assert_false(d.changing);
    assert_string_equal(d.address, "");
    xml_free(x);
    x = parsed(
        "<DBSnapshot><DBSnapshotIdentifier>s</DBSnapshotIdentifier><Status>creating</Status></DBSnapshot>");
    rds_snapshot_read(xml_root(x), RDS_SNAPSHOT, &s);
    assert_int_equal(s.created_ms, 0);
    assert_int_equal(s.percent, 0);
    xml_free(x);
}

static void reads_a_cluster(void **state)
{
    (void)state;
    struct rds_database d;
    struct xml *x = parsed("<DBCluster><DBClusterIdentifier>blue</"
                           "DBClusterIdentifier><DbClusterResourceId>cluster-X</DbClusterResourceId>"
                           "<Status>available</Status><Endpoint>blue.cluster.example.com</"
                           "Endpoint><Port>3306</Port><DBClusterMembers>"
                           "<DBClusterMember><DBInstanceIdentifier>r</"
                           "DBInstanceIdentifier><IsClusterWriter>false</IsClusterWriter></DBClusterMember>"
                           "<DBClusterMember><DBInstanceIdentifier>w</"
                           "DBInstanceIdentifier><IsClusterWriter>true</IsClusterWriter></DBClusterMember>"
                           "</DBClusterMembers></DBCluster>");
    rds_database_read(xml_root(x), RDS_CLUSTER, &d);
    assert_string_equal(d.id, "blue");
    assert_string_equal(d.resource_id, "cluster-X");
    assert_string_equal(d.address, "blue.cluster.example.com");
    assert_int_equal(d.port, 3306);
    assert_int_equal(d.member_count, 2);
    assert_string_equal(d.members[1].id, "w");
    assert_true(d.members[1].writer && !d.members[0].writer);
    xml_free(x);
}

static void more_members_than_there_can_be_are_left_out(void **state)
{
    (void)state;
    struct rds_database d;
    char text[4096] = "<DBCluster><DBClusterMembers>";
    for (int i = 0; i < 20; i++)
        strcat(text, "<DBClusterMember><DBInstanceIdentifier>m</DBInstanceIdentifier></DBClusterMember>");
    strcat(text, "</DBClusterMembers></DBCluster>");
    struct xml *x = parsed(text);
    rds_database_read(xml_root(x), RDS_CLUSTER, &d);
    assert_int_equal(d.member_count, RDS_MEMBERS_MAX);
    xml_free(x);
}

static void reads_snapshots(void **state)
{
    (void)state;
    struct rds_snapshot s;
    struct xml *x =
        parsed("<DBSnapshot><DBSnapshotIdentifier>s-1</DBSnapshotIdentifier><DBInstanceIdentifier>prod</"
               "DBInstanceIdentifier>"
               "<DbiResourceId>db-ABC</DbiResourceId><SnapshotCreateTime>2026-11-24T06:00:00.512Z</"
               "SnapshotCreateTime>"
               "<Status>available</Status><PercentProgress>100</PercentProgress><AllocatedStorage>400</"
               "AllocatedStorage>"
               "<SnapshotType>manual</SnapshotType><Encrypted>true</Encrypted><KmsKeyId>arn:key</"
               "KmsKeyId><Engine>mariadb</Engine>"
               "<TagList><Tag><Key>dbsafe:point</Key><Value>release-7</Value></Tag></TagList></DBSnapshot>");
    rds_snapshot_read(xml_root(x), RDS_SNAPSHOT, &s);
    assert_string_equal(s.id, "s-1");
    assert_string_equal(s.source, "prod");
    assert_string_equal(s.source_resource_id, "db-ABC");
    assert_int_equal(s.created_ms, 1795500000000); /* a fraction is let go */
    assert_int_equal(s.percent, 100);
    assert_int_equal(s.allocated_gib, 400);
    assert_true(s.encrypted);
    assert_string_equal(s.kms_key, "arn:key");
    assert_string_equal(s.tags.point, "release-7");
    xml_free(x);
    x = parsed("<DBClusterSnapshot><DBClusterSnapshotIdentifier>c-1</DBClusterSnapshotIdentifier>"
               "<DBClusterIdentifier>blue</DBClusterIdentifier><StorageEncrypted>true</StorageEncrypted>"
               "<DBClusterSnapshotArn>arn:c-1</DBClusterSnapshotArn></DBClusterSnapshot>");
    rds_snapshot_read(xml_root(x), RDS_CLUSTER_SNAPSHOT, &s);
    assert_string_equal(s.id, "c-1");
    assert_string_equal(s.source, "blue");
    assert_string_equal(s.arn, "arn:c-1");
    assert_true(s.encrypted);
    xml_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_an_instance), cmocka_unit_test(reads_what_is_hardly_there),
        cmocka_unit_test(reads_a_cluster),   cmocka_unit_test(more_members_than_there_can_be_are_left_out),
        cmocka_unit_test(reads_snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
