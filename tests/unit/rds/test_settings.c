#include "support/test.h"

#include "core/mem.h"
#include "rds/settings.h"

#include <string.h>

static struct xml *parsed(const char *inside)
{
    struct xml *x = NULL;
    struct err err;
    char *text = xasprintf("<D>%s</D>", inside);
    assert_ok(xml_parse(text, strlen(text), &x, &err), &err);
    free(text);
    return x;
}

/* "A=b&C=d" of what is passed for a source with these elements. */
static char *passed_for(enum rds_role role, const char *inside, const struct rds_made *made)
{
    struct xml *x = parsed(inside);
    struct http_pairs params = {0};
    unsigned tags = 1;
    struct buf b;
    buf_init(&b, 1 << 20);
    rds_settings_pass(role, xml_root(x), made, &params, &tags);
    for (size_t i = 0; i < params.count; i++)
        buf_putf(&b, "%s%s=%s", i ? "&" : "", params.items[i].name, params.items[i].value);
    char *out = xstrdup(buf_cstr(&b));
    buf_free(&b);
    http_pairs_clear(&params);
    xml_free(x);
    return out;
}

static void passes_for(enum rds_role role, const char *inside, struct rds_made made, const char *want)
{
    char *got = passed_for(role, inside, &made);
    assert_string_equal(got, want);
    free(got);
}

static void passes(enum rds_role role, const char *inside, const char *want)
{
    passes_for(role, inside, (struct rds_made){.engine = "", .engine_version = ""}, want);
}

static void what_rds_forgets_is_passed(void **state)
{
    (void)state;
    passes(RDS_ROLE_INSTANCE,
           "<DBInstanceClass>db.m6g.large</DBInstanceClass><Endpoint><Address>a</Address><Port>3307</Port></"
           "Endpoint>"
           "<MultiAZ>true</MultiAZ><AvailabilityZone>eu-west-1a</AvailabilityZone>"
           "<DBSubnetGroup><DBSubnetGroupName>private</DBSubnetGroupName><VpcId>vpc-1</VpcId></DBSubnetGroup>"
           "<VpcSecurityGroups><VpcSecurityGroupMembership><VpcSecurityGroupId>sg-2</VpcSecurityGroupId></"
           "VpcSecurityGroupMembership>"
           "<VpcSecurityGroupMembership><VpcSecurityGroupId>sg-1</VpcSecurityGroupId></"
           "VpcSecurityGroupMembership></VpcSecurityGroups>"
           "<DBParameterGroups><DBParameterGroup><DBParameterGroupName>tuned</DBParameterGroupName></"
           "DBParameterGroup></DBParameterGroups>"
           "<OptionGroupMemberships><OptionGroupMembership><OptionGroupName>audit</OptionGroupName></"
           "OptionGroupMembership>"
           "</OptionGroupMemberships><EnabledCloudwatchLogsExports><member>error</member><member>audit</"
           "member></EnabledCloudwatchLogsExports>"
           "<IAMDatabaseAuthenticationEnabled>true</"
           "IAMDatabaseAuthenticationEnabled><DeletionProtection>false</DeletionProtection>"
           "<BackupRetentionPeriod>7</BackupRetentionPeriod><MasterUsername>admin</MasterUsername>",
           "DBInstanceClass=db.m6g.large&Port=3307&MultiAZ=true&DBSubnetGroupName=private"
           "&VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-1&VpcSecurityGroupIds.VpcSecurityGroupId.2=sg-2"
           "&DBParameterGroupName=tuned&OptionGroupName=audit&EnableIAMDatabaseAuthentication=true&"
           "DeletionProtection=false"
           "&EnableCloudwatchLogsExports.member.1=audit&EnableCloudwatchLogsExports.member.2=error");
    passes(RDS_ROLE_INSTANCE,
           "<ProcessorFeatures><ProcessorFeature><Name>coreCount</Name><Value>2</Value></ProcessorFeature></"
           "ProcessorFeatures>"
           "<BackupTarget>outposts</BackupTarget><CustomerOwnedIpEnabled>true</CustomerOwnedIpEnabled>",
           "ProcessorFeatures.ProcessorFeature.1.Name=coreCount&ProcessorFeatures.ProcessorFeature.1.Value=2"
           "&EnableCustomerOwnedIp=true&BackupTarget=outposts");
    passes(RDS_ROLE_INSTANCE,
           "<BackupTarget>region</BackupTarget><CustomerOwnedIpEnabled>false</CustomerOwnedIpEnabled>", "");
    passes(RDS_ROLE_INSTANCE, "", "");
}

static void storage_performance_is_passed_only_where_it_is_taken(void **state)
{
    (void)state;
#define STORAGE(type, gib, iops, throughput)                                                                 \
    "<StorageType>" type "</StorageType><AllocatedStorage>" gib "</AllocatedStorage><Iops>" iops             \
    "</Iops><StorageThroughput>" throughput "</StorageThroughput>"
    passes(RDS_ROLE_INSTANCE, STORAGE("gp3", "399", "3000", "125"), "StorageType=gp3");
    passes(RDS_ROLE_INSTANCE, STORAGE("gp3", "400", "12000", "500"),
           "StorageType=gp3&Iops=12000&StorageThroughput=500");
    passes(RDS_ROLE_INSTANCE, STORAGE("io1", "100", "1000", "0"), "StorageType=io1&Iops=1000");
    passes(RDS_ROLE_INSTANCE, STORAGE("io2", "100", "1000", "0"), "StorageType=io2&Iops=1000");
    passes(RDS_ROLE_INSTANCE, STORAGE("gp2", "100", "300", "0"), "StorageType=gp2");
}

/* The source grew since the snapshot: what its size allows the snapshot's may not. */
static void performance_is_that_of_the_size_that_is_made(void **state)
{
    (void)state;
#define MADE(size) ((struct rds_made){.engine = "", .engine_version = "", .gib = size})
    passes_for(RDS_ROLE_INSTANCE, STORAGE("gp3", "500", "12000", "500"), MADE(100), "StorageType=gp3");
    passes_for(RDS_ROLE_INSTANCE, STORAGE("gp3", "500", "12000", "500"), MADE(400),
               "StorageType=gp3&Iops=12000&StorageThroughput=500");
    passes_for(RDS_ROLE_INSTANCE, STORAGE("gp3", "100", "3000", "125"), MADE(500), "StorageType=gp3");
    passes_for(RDS_ROLE_INSTANCE, STORAGE("io1", "500", "20000", "0"), MADE(100), "StorageType=io1");
    passes_for(RDS_ROLE_INSTANCE, STORAGE("io1", "500", "20000", "0"), MADE(500),
               "StorageType=io1&Iops=20000");
}

#define GROUPS(version)                                                                                      \
    "<Engine>mariadb</Engine><EngineVersion>" version                                                        \
    "</EngineVersion><DBParameterGroups><DBParameterGroup>"                                                  \
    "<DBParameterGroupName>tuned</DBParameterGroupName></DBParameterGroup></DBParameterGroups>"              \
    "<OptionGroupMemberships><OptionGroupMembership><OptionGroupName>audit</OptionGroupName>"                \
    "</OptionGroupMembership></OptionGroupMemberships><MultiAZ>true</MultiAZ>"

/* The source had a major upgrade since: its groups are not for the snapshot's version. */
static void groups_of_another_major_version_are_not_passed(void **state)
{
    (void)state;
    const char *all = "MultiAZ=true&DBParameterGroupName=tuned&OptionGroupName=audit";
    const struct {
        const char *engine, *version;
        bool fits;
    } cases[] = {{"mariadb", "10.11.8", true}, {"mariadb", "10.11", true},   {"mariadb", "10.6.14", false},
                 {"mariadb", "10.1.1", false}, {"mariadb", "11.4.2", false}, {"mysql", "10.11.8", false},
                 {"mariadb", "", true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        passes_for(RDS_ROLE_INSTANCE, GROUPS("10.11.6"),
                   (struct rds_made){.engine = cases[i].engine, .engine_version = cases[i].version},
                   cases[i].fits ? all : "MultiAZ=true");
    passes_for(RDS_ROLE_CLUSTER,
               "<EngineVersion>8.0.mysql_aurora.3.04.0</EngineVersion>"
               "<DBClusterParameterGroup>tuned</DBClusterParameterGroup>",
               (struct rds_made){.engine = "", .engine_version = "5.7.mysql_aurora.2.11.1"}, "");
}

static void tags_of_others_are_passed(void **state)
{
    (void)state;
#define TAG(key, value) "<Tag><Key>" key "</Key><Value>" value "</Value></Tag>"
    passes(RDS_ROLE_INSTANCE,
           "<TagList>" TAG("team", "data") TAG("aws:cloudformation:stack-name", "x")
               TAG("dbsafe:created", "y") TAG("empty", "") "</TagList>",
           "Tags.Tag.2.Key=team&Tags.Tag.2.Value=data&Tags.Tag.3.Key=empty&Tags.Tag.3.Value=");
}

static void clusters_and_members_have_settings_of_their_own(void **state)
{
    (void)state;
    passes(
        RDS_ROLE_CLUSTER,
        "<Port>3306</Port><DBSubnetGroup>private</DBSubnetGroup><DBClusterParameterGroup>tuned</"
        "DBClusterParameterGroup>"
        "<EngineMode>provisioned</EngineMode><BacktrackWindow>0</BacktrackWindow><StorageType>aurora-iopt1</"
        "StorageType>"
        "<ServerlessV2ScalingConfiguration><MinCapacity>0.5</MinCapacity><MaxCapacity>8.0</MaxCapacity></"
        "ServerlessV2ScalingConfiguration>",
        "Port=3306&DBSubnetGroupName=private&DBClusterParameterGroupName=tuned&StorageType=aurora-iopt1"
        "&ServerlessV2ScalingConfiguration.MinCapacity=0.5&ServerlessV2ScalingConfiguration.MaxCapacity=8.0");
    passes(RDS_ROLE_CLUSTER, "<BacktrackWindow>3600</BacktrackWindow><StorageType>aurora</StorageType>",
           "BacktrackWindow=3600");
    passes(RDS_ROLE_CLUSTER,
           "<EngineMode>serverless</EngineMode><ScalingConfigurationInfo><MinCapacity>1</"
           "MinCapacity><MaxCapacity>4</MaxCapacity>"
           "</ScalingConfigurationInfo>",
           "EngineMode=serverless&ScalingConfiguration.MinCapacity=1&ScalingConfiguration.MaxCapacity=4");
    passes(RDS_ROLE_MEMBER,
           "<DBInstanceClass>db.r6g.large</DBInstanceClass><StorageType>aurora</"
           "StorageType><PromotionTier>3</PromotionTier>"
           "<MonitoringInterval>60</MonitoringInterval><MonitoringRoleArn>arn:role</MonitoringRoleArn>"
           "<PerformanceInsightsEnabled>false</PerformanceInsightsEnabled><PerformanceInsightsKMSKeyId>k</"
           "PerformanceInsightsKMSKeyId>",
           "DBInstanceClass=db.r6g.large&PromotionTier=3&MonitoringInterval=60&MonitoringRoleArn=arn:role");
}

static char *mended_of(enum rds_role role, const char *source, const char *restored, unsigned group,
                       unsigned *count)
{
    struct xml *a = parsed(source), *b = parsed(restored);
    struct http_pairs params = {0};
    struct buf out;
    buf_init(&out, 1 << 20);
    *count = rds_settings_mend(role, xml_root(a), xml_root(b), group, &params);
    for (size_t i = 0; i < params.count; i++)
        buf_putf(&out, "%s%s=%s", i ? "&" : "", params.items[i].name, params.items[i].value);
    char *text = xstrdup(buf_cstr(&out));
    buf_free(&out);
    http_pairs_clear(&params);
    xml_free(a);
    xml_free(b);
    return text;
}

static char *mended(enum rds_role role, const char *source, const char *restored, unsigned *count)
{
    return mended_of(role, source, restored, 0, count);
}

/* What RDS wants together goes together; each setting is in one group. */
static void groups_are_modified_by_themselves(void **state)
{
    (void)state;
    unsigned count, total = 0;
    const char *source = STORAGE("gp3", "500", "12000", "500") "<BackupRetentionPeriod>7</"
                                                               "BackupRetentionPeriod><MultiAZ>true</"
                                                               "MultiAZ>",
               *restored = STORAGE("gp3", "100", "3000", "125") "<BackupRetentionPeriod>1</"
                                                                "BackupRetentionPeriod><MultiAZ>false</"
                                                                "MultiAZ>";
    const char *want[] = {"MultiAZ=true",
                          "AllocatedStorage=500&StorageType=gp3&Iops=12000&StorageThroughput=500",
                          "BackupRetentionPeriod=7"};
    unsigned seen = 0;
    for (unsigned g = 1; g <= rds_settings_groups(RDS_ROLE_INSTANCE); g++) {
        char *got = mended_of(RDS_ROLE_INSTANCE, source, restored, g, &count);
        total += count;
        if (count > 0) {
            assert_true(seen < 3);
            assert_string_equal(got, want[seen++]);
        }
        free(got);
    }
    assert_int_equal(seen, 3);
    free(mended(RDS_ROLE_INSTANCE, source, restored, &count));
    assert_int_equal(count, total);
    /* more storage than the source's is no difference, and cannot be taken back */
    char *got = mended(RDS_ROLE_INSTANCE, STORAGE("gp2", "100", "300", "0"),
                       STORAGE("gp2", "200", "600", "0"), &count);
    assert_string_equal(got, "");
    free(got);
    got = mended(RDS_ROLE_INSTANCE, GROUPS("10.11.6"),
                 "<Engine>mariadb</Engine><EngineVersion>10.6.14</EngineVersion><MultiAZ>true</MultiAZ>",
                 &count);
    assert_string_equal(got, "");
    free(got);
}

static void what_differs_is_modified(void **state)
{
    (void)state;
    unsigned count;
    char *got = mended(
        RDS_ROLE_INSTANCE,
        "<MaxAllocatedStorage>200</MaxAllocatedStorage><BackupRetentionPeriod>7</BackupRetentionPeriod>"
        "<MonitoringInterval>60</MonitoringInterval><MonitoringRoleArn>arn:role</MonitoringRoleArn>"
        "<PerformanceInsightsEnabled>true</PerformanceInsightsEnabled><MultiAZ>true</MultiAZ>"
        "<PreferredBackupWindow>01:00-01:30</PreferredBackupWindow><LicenseModel>x</LicenseModel>"
        "<EnabledCloudwatchLogsExports><member>slowquery</member></EnabledCloudwatchLogsExports>",
        "<BackupRetentionPeriod>1</BackupRetentionPeriod><MonitoringInterval>0</MonitoringInterval>"
        "<MultiAZ>true</MultiAZ><PreferredBackupWindow>01:00-01:30</PreferredBackupWindow><LicenseModel>y</"
        "LicenseModel>",
        &count);
    assert_string_equal(
        got, "CloudwatchLogsExportConfiguration.EnableLogTypes.member.1=slowquery&MaxAllocatedStorage=200"
             "&BackupRetentionPeriod=7&MonitoringInterval=60&MonitoringRoleArn=arn:role&"
             "EnablePerformanceInsights=true");
    assert_int_equal(count, 6);
    free(got);
    got = mended(RDS_ROLE_INSTANCE,
                 "<MonitoringInterval>0</MonitoringInterval><DedicatedLogVolume>false</DedicatedLogVolume>"
                 "<DatabaseInsightsMode>standard</DatabaseInsightsMode>",
                 "", &count);
    assert_string_equal(got, "");
    assert_int_equal(count, 0);
    free(got);
}

static void put_difference(void *arg, const char *name, const char *source, const char *restored)
{
    buf_putf(arg, "%s: %s -> %s; ", name, source, restored);
}

static void what_stays_different_is_told(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 20);
    struct xml *a = parsed(
        "<VpcSecurityGroups><VpcSecurityGroupMembership><VpcSecurityGroupId>b</VpcSecurityGroupId></"
        "VpcSecurityGroupMembership>"
        "<VpcSecurityGroupMembership><VpcSecurityGroupId>a</VpcSecurityGroupId></VpcSecurityGroupMembership>"
        "</VpcSecurityGroups><LicenseModel>x</LicenseModel><MultiAZ>true</MultiAZ><Iops>3000</Iops>");
    struct xml *b = parsed(
        "<VpcSecurityGroups><VpcSecurityGroupMembership><VpcSecurityGroupId>a</VpcSecurityGroupId></"
        "VpcSecurityGroupMembership>"
        "<VpcSecurityGroupMembership><VpcSecurityGroupId>b</VpcSecurityGroupId></VpcSecurityGroupMembership>"
        "</VpcSecurityGroups><LicenseModel>y</LicenseModel>");
    assert_int_equal(rds_settings_compare(RDS_ROLE_INSTANCE, xml_root(a), xml_root(b), put_difference, &out),
                     2);
    assert_string_equal(buf_cstr(&out), "Multi-AZ: true -> ; licence model: x -> y; ");
    assert_int_equal(rds_settings_compare(RDS_ROLE_INSTANCE, xml_root(a), xml_root(a), put_difference, &out),
                     0);
    buf_clear(&out);
    xml_free(a);
    xml_free(b);
    a = parsed(GROUPS("10.11.6") STORAGE("gp2", "100", "", ""));
    b = parsed(
        "<Engine>mariadb</Engine><EngineVersion>10.6.14</EngineVersion><MultiAZ>true</MultiAZ>" STORAGE(
            "gp2", "50", "", ""));
    rds_settings_compare(RDS_ROLE_INSTANCE, xml_root(a), xml_root(b), put_difference, &out);
    assert_string_equal(
        buf_cstr(&out),
        "parameter group: tuned -> ; option group: audit -> ; allocated storage: 100 -> 50; ");
    buf_free(&out);
    xml_free(a);
    xml_free(b);
}

static void put_notice(void *arg, const char *text)
{
    buf_putf(arg, "%.20s; ", text);
}

static void what_cannot_be_carried_over_is_told(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 20);
    struct xml *x = parsed("<AssociatedRoles/><ReadReplicaIdentifiers/><GlobalClusterIdentifier/"
                           "><HttpEndpointEnabled>false</HttpEndpointEnabled>");
    rds_settings_notices(xml_root(x), put_notice, &out);
    assert_string_equal(buf_cstr(&out), "");
    xml_free(x);
    x = parsed("<AssociatedRoles><DBInstanceRole><RoleArn>r</RoleArn></DBInstanceRole></AssociatedRoles>"
               "<MasterUserSecret><SecretArn>s</SecretArn></MasterUserSecret><GlobalClusterIdentifier>g</"
               "GlobalClusterIdentifier>"
               "<HttpEndpointEnabled>true</HttpEndpointEnabled>");
    rds_settings_notices(xml_root(x), put_notice, &out);
    assert_string_equal(
        buf_cstr(&out),
        "its IAM roles are no; its master password ; it is part of a glob; the Data API (HTTP e; ");
    xml_free(x);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_rds_forgets_is_passed),
        cmocka_unit_test(storage_performance_is_passed_only_where_it_is_taken),
        cmocka_unit_test(performance_is_that_of_the_size_that_is_made),
        cmocka_unit_test(groups_of_another_major_version_are_not_passed),
        cmocka_unit_test(groups_are_modified_by_themselves),
        cmocka_unit_test(tags_of_others_are_passed),
        cmocka_unit_test(clusters_and_members_have_settings_of_their_own),
        cmocka_unit_test(what_differs_is_modified),
        cmocka_unit_test(what_stays_different_is_told),
        cmocka_unit_test(what_cannot_be_carried_over_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
