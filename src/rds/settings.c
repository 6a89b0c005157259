#include "rds/settings.h"

#include "core/mem.h"
#include "rds/rds.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES 65536
#define ITEMS_MAX   256
/* Below this size gp3 has a fixed performance, and refuses to be told one. */
#define GP3_FREE_GIB 400
/* Tags of others that are carried over: RDS takes 50. */
#define TAGS_MAX 50

enum shape {
    SHAPE_TEXT,
    SHAPE_LIST,     /* a list of texts, its order does not matter */
    SHAPE_FEATURES, /* ProcessorFeatures: Name and Value */
    SHAPE_RANGE,    /* MinCapacity and MaxCapacity */
    SHAPE_SIZE      /* a number; more is as good */
};

struct setting {
    const char *name; /* for people */
    const char *path; /* names of nested elements, parted by '/'; of a list, that of its items is the last */
    enum shape shape;
    const char *item;    /* of a list: what the parameter calls its items */
    const char *restore; /* parameters; NULL: it takes none */
    const char *modify;
    bool joined;    /* is modified together with the one before it */
    bool of_family; /* belongs to a major version of an engine */
    /* NULL: whenever the source has a value. */
    bool (*applies)(const struct xml_node *source, const struct rds_made *made);
};

/* ---- when a setting counts ---- */

static const char *text_at(const struct xml_node *node, const char *path);

static bool is(const struct xml_node *source, const char *path, const char *value)
{
    return strcmp(text_at(source, path), value) == 0;
}

/* What is given must fit the size of what is made: of gp3 there is a least size, of the others so many
 * operations a GiB. */
static bool performance_is_given(const struct xml_node *source, const struct rds_made *made)
{
    uint64_t gib = 0;
    xml_number(source, "AllocatedStorage", &gib);
    uint64_t there = made->gib > 0 ? made->gib : gib;
    const char *type = text_at(source, "StorageType");
    if (strcmp(type, "gp3") == 0)
        return gib >= GP3_FREE_GIB && there >= GP3_FREE_GIB;
    return strncmp(type, "io", 2) == 0 && there >= gib;
}

static bool throughput_is_given(const struct xml_node *source, const struct rds_made *made)
{
    return performance_is_given(source, made) && is(source, "StorageType", "gp3");
}

static bool is_monitored(const struct xml_node *source, const struct rds_made *made)
{
    (void)made;
    return *text_at(source, "MonitoringInterval") != '\0' && !is(source, "MonitoringInterval", "0");
}

static bool has_insights(const struct xml_node *source, const struct rds_made *made)
{
    (void)made;
    return is(source, "PerformanceInsightsEnabled", "true");
}

static bool has_advanced_insights(const struct xml_node *source, const struct rds_made *made)
{
    (void)made;
    return *text_at(source, "DatabaseInsightsMode") != '\0' &&
           !is(source, "DatabaseInsightsMode", "standard");
}

static bool has_log_volume(const struct xml_node *source, const struct rds_made *made)
{
    (void)made;
    return is(source, "DedicatedLogVolume", "true");
}

static bool has_customer_ip(const struct xml_node *source, const struct rds_made *made)
{
    (void)made;
    return is(source, "CustomerOwnedIpEnabled", "true");
}

static bool is_elsewhere(const struct xml_node *source, const struct rds_made *made)
{
    (void)made;
    return *text_at(source, "BackupTarget") != '\0' && !is(source, "BackupTarget", "region");
}

static bool can_backtrack(const struct xml_node *source, const struct rds_made *made)
{
    (void)made;
    return *text_at(source, "BacktrackWindow") != '\0' && !is(source, "BacktrackWindow", "0");
}

static bool is_serverless_v1(const struct xml_node *source, const struct rds_made *made)
{
    (void)made;
    return is(source, "EngineMode", "serverless");
}

static bool has_own_storage_type(const struct xml_node *source, const struct rds_made *made)
{
    (void)made;
    return *text_at(source, "StorageType") != '\0' && !is(source, "StorageType", "aurora");
}

/* ---- the tables ---- */

/* clang-format off */
static const struct setting instance_settings[] = {
    {.name = "class", .path = "DBInstanceClass", .restore = "DBInstanceClass", .modify = "DBInstanceClass"},
    {.name = "port", .path = "Endpoint/Port", .restore = "Port", .modify = "DBPortNumber"},
    {.name = "Multi-AZ", .path = "MultiAZ", .restore = "MultiAZ", .modify = "MultiAZ"},
    {.name = "subnet group", .path = "DBSubnetGroup/DBSubnetGroupName", .restore = "DBSubnetGroupName"},
    {.name = "security groups", .path = "VpcSecurityGroups/VpcSecurityGroupMembership/VpcSecurityGroupId",
     .shape = SHAPE_LIST, .item = "VpcSecurityGroupId", .restore = "VpcSecurityGroupIds",
     .modify = "VpcSecurityGroupIds"},
    {.name = "parameter group", .path = "DBParameterGroups/DBParameterGroup/DBParameterGroupName",
     .restore = "DBParameterGroupName", .modify = "DBParameterGroupName", .of_family = true},
    {.name = "option group", .path = "OptionGroupMemberships/OptionGroupMembership/OptionGroupName",
     .restore = "OptionGroupName", .modify = "OptionGroupName", .of_family = true},
    {.name = "public access", .path = "PubliclyAccessible", .restore = "PubliclyAccessible",
     .modify = "PubliclyAccessible"},
    {.name = "automatic minor upgrades", .path = "AutoMinorVersionUpgrade",
     .restore = "AutoMinorVersionUpgrade", .modify = "AutoMinorVersionUpgrade"},
    {.name = "licence model", .path = "LicenseModel", .restore = "LicenseModel"},
    /* Not all versions of the API let a restore take a size. */
    {.name = "allocated storage", .path = "AllocatedStorage", .shape = SHAPE_SIZE, .modify = "AllocatedStorage"},
    {.name = "storage type", .path = "StorageType", .restore = "StorageType", .modify = "StorageType",
     .joined = true},
    {.name = "IOPS", .path = "Iops", .restore = "Iops", .modify = "Iops", .joined = true,
     .applies = performance_is_given},
    {.name = "storage throughput", .path = "StorageThroughput", .restore = "StorageThroughput",
     .modify = "StorageThroughput", .joined = true, .applies = throughput_is_given},
    {.name = "tags copied to snapshots", .path = "CopyTagsToSnapshot", .restore = "CopyTagsToSnapshot",
     .modify = "CopyTagsToSnapshot"},
    {.name = "IAM authentication", .path = "IAMDatabaseAuthenticationEnabled",
     .restore = "EnableIAMDatabaseAuthentication", .modify = "EnableIAMDatabaseAuthentication"},
    {.name = "deletion protection", .path = "DeletionProtection", .restore = "DeletionProtection",
     .modify = "DeletionProtection"},
    {.name = "log exports", .path = "EnabledCloudwatchLogsExports/member", .shape = SHAPE_LIST, .item = "member",
     .restore = "EnableCloudwatchLogsExports", .modify = "CloudwatchLogsExportConfiguration.EnableLogTypes"},
    {.name = "network type", .path = "NetworkType", .restore = "NetworkType", .modify = "NetworkType"},
    {.name = "processor features", .path = "ProcessorFeatures", .shape = SHAPE_FEATURES,
     .restore = "ProcessorFeatures", .modify = "ProcessorFeatures"},
    {.name = "customer-owned addresses", .path = "CustomerOwnedIpEnabled", .restore = "EnableCustomerOwnedIp",
     .applies = has_customer_ip},
    {.name = "backup target", .path = "BackupTarget", .restore = "BackupTarget", .applies = is_elsewhere},
    {.name = "domain", .path = "DomainMemberships/DomainMembership/Domain", .restore = "Domain"},
    {.name = "domain's role", .path = "DomainMemberships/DomainMembership/IAMRoleName",
     .restore = "DomainIAMRoleName"},
    /* Not taken by a restore (by none that all versions of the API know). */
    {.name = "largest storage", .path = "MaxAllocatedStorage", .modify = "MaxAllocatedStorage"},
    {.name = "backup retention", .path = "BackupRetentionPeriod", .modify = "BackupRetentionPeriod"},
    {.name = "backup window", .path = "PreferredBackupWindow", .modify = "PreferredBackupWindow"},
    {.name = "maintenance window", .path = "PreferredMaintenanceWindow", .modify = "PreferredMaintenanceWindow"},
    {.name = "monitoring interval", .path = "MonitoringInterval", .modify = "MonitoringInterval",
     .applies = is_monitored},
    {.name = "monitoring role", .joined = true, .path = "MonitoringRoleArn", .modify = "MonitoringRoleArn",
     .applies = is_monitored},
    {.name = "Performance Insights", .path = "PerformanceInsightsEnabled", .modify = "EnablePerformanceInsights",
     .applies = has_insights},
    {.name = "Performance Insights key", .joined = true, .path = "PerformanceInsightsKMSKeyId",
     .modify = "PerformanceInsightsKMSKeyId", .applies = has_insights},
    {.name = "Performance Insights retention", .joined = true, .path = "PerformanceInsightsRetentionPeriod",
     .modify = "PerformanceInsightsRetentionPeriod", .applies = has_insights},
    {.name = "Database Insights", .joined = true, .path = "DatabaseInsightsMode", .modify = "DatabaseInsightsMode",
     .applies = has_advanced_insights},
    {.name = "dedicated log volume", .path = "DedicatedLogVolume", .modify = "DedicatedLogVolume",
     .applies = has_log_volume},
    {.name = "certificate authority", .path = "CACertificateIdentifier", .modify = "CACertificateIdentifier"},
    {.name = NULL},
};

static const struct setting cluster_settings[] = {
    {.name = "port", .path = "Port", .restore = "Port", .modify = "Port"},
    {.name = "subnet group", .path = "DBSubnetGroup", .restore = "DBSubnetGroupName"},
    {.name = "security groups", .path = "VpcSecurityGroups/VpcSecurityGroupMembership/VpcSecurityGroupId",
     .shape = SHAPE_LIST, .item = "VpcSecurityGroupId", .restore = "VpcSecurityGroupIds",
     .modify = "VpcSecurityGroupIds"},
    {.name = "cluster parameter group", .path = "DBClusterParameterGroup",
     .restore = "DBClusterParameterGroupName", .modify = "DBClusterParameterGroupName", .of_family = true},
    {.name = "IAM authentication", .path = "IAMDatabaseAuthenticationEnabled",
     .restore = "EnableIAMDatabaseAuthentication", .modify = "EnableIAMDatabaseAuthentication"},
    {.name = "log exports", .path = "EnabledCloudwatchLogsExports/member", .shape = SHAPE_LIST, .item = "member",
     .restore = "EnableCloudwatchLogsExports", .modify = "CloudwatchLogsExportConfiguration.EnableLogTypes"},
    {.name = "deletion protection", .path = "DeletionProtection", .restore = "DeletionProtection",
     .modify = "DeletionProtection"},
    {.name = "tags copied to snapshots", .path = "CopyTagsToSnapshot", .restore = "CopyTagsToSnapshot",
     .modify = "CopyTagsToSnapshot"},
    {.name = "backtrack window", .path = "BacktrackWindow", .restore = "BacktrackWindow",
     .modify = "BacktrackWindow", .applies = can_backtrack},
    {.name = "engine mode", .path = "EngineMode", .restore = "EngineMode", .applies = is_serverless_v1},
    {.name = "storage type", .path = "StorageType", .restore = "StorageType", .modify = "StorageType",
     .applies = has_own_storage_type},
    {.name = "network type", .path = "NetworkType", .restore = "NetworkType", .modify = "NetworkType"},
    {.name = "serverless capacity", .path = "ServerlessV2ScalingConfiguration", .shape = SHAPE_RANGE,
     .restore = "ServerlessV2ScalingConfiguration", .modify = "ServerlessV2ScalingConfiguration"},
    {.name = "serverless v1 capacity", .path = "ScalingConfigurationInfo", .shape = SHAPE_RANGE,
     .restore = "ScalingConfiguration", .modify = "ScalingConfiguration", .applies = is_serverless_v1},
    {.name = "domain", .path = "DomainMemberships/DomainMembership/Domain", .restore = "Domain"},
    {.name = "domain's role", .path = "DomainMemberships/DomainMembership/IAMRoleName",
     .restore = "DomainIAMRoleName"},
    {.name = "backup retention", .path = "BackupRetentionPeriod", .modify = "BackupRetentionPeriod"},
    {.name = "backup window", .path = "PreferredBackupWindow", .modify = "PreferredBackupWindow"},
    {.name = "maintenance window", .path = "PreferredMaintenanceWindow", .modify = "PreferredMaintenanceWindow"},
    {.name = NULL},
};

static const struct setting member_settings[] = {
    {.name = "class", .path = "DBInstanceClass", .restore = "DBInstanceClass", .modify = "DBInstanceClass"},
    {.name = "parameter group", .path = "DBParameterGroups/DBParameterGroup/DBParameterGroupName",
     .restore = "DBParameterGroupName", .modify = "DBParameterGroupName", .of_family = true},
    {.name = "public access", .path = "PubliclyAccessible", .restore = "PubliclyAccessible",
     .modify = "PubliclyAccessible"},
    {.name = "automatic minor upgrades", .path = "AutoMinorVersionUpgrade",
     .restore = "AutoMinorVersionUpgrade", .modify = "AutoMinorVersionUpgrade"},
    {.name = "promotion tier", .path = "PromotionTier", .restore = "PromotionTier", .modify = "PromotionTier"},
    {.name = "maintenance window", .path = "PreferredMaintenanceWindow", .restore = "PreferredMaintenanceWindow",
     .modify = "PreferredMaintenanceWindow"},
    {.name = "monitoring interval", .path = "MonitoringInterval", .restore = "MonitoringInterval",
     .modify = "MonitoringInterval", .applies = is_monitored},
    {.name = "monitoring role", .joined = true, .path = "MonitoringRoleArn", .restore = "MonitoringRoleArn",
     .modify = "MonitoringRoleArn", .applies = is_monitored},
    {.name = "Performance Insights", .path = "PerformanceInsightsEnabled", .restore = "EnablePerformanceInsights",
     .modify = "EnablePerformanceInsights", .applies = has_insights},
    {.name = "Performance Insights key", .joined = true, .path = "PerformanceInsightsKMSKeyId",
     .restore = "PerformanceInsightsKMSKeyId", .modify = "PerformanceInsightsKMSKeyId", .applies = has_insights},
    {.name = "Performance Insights retention", .joined = true, .path = "PerformanceInsightsRetentionPeriod",
     .restore = "PerformanceInsightsRetentionPeriod", .modify = "PerformanceInsightsRetentionPeriod",
     .applies = has_insights},
    {.name = "certificate authority", .path = "CACertificateIdentifier", .modify = "CACertificateIdentifier"},
    {.name = NULL},
};
/* clang-format on */

static const struct setting *settings_of(enum rds_role role)
{
    return role == RDS_ROLE_CLUSTER  ? cluster_settings
           : role == RDS_ROLE_MEMBER ? member_settings
                                     : instance_settings;
}

/* ---- reading a description ---- */

/* The first element at the path, or NULL. */
static const struct xml_node *node_at(const struct xml_node *node, const char *path)
{
    char name[128];
    for (;;) {
        size_t n = strcspn(path, "/");
        if (n >= sizeof name)
            return NULL;
        memcpy(name, path, n);
        name[n] = '\0';
        node = xml_child(node, name);
        if (path[n] == '\0' || node == NULL)
            return node;
        path += n + 1;
    }
}

static const char *text_at(const struct xml_node *node, const char *path)
{
    const struct xml_node *found = node_at(node, path);
    return found != NULL ? found->text : "";
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The items of a list at the path ("List/Item" or "List/Item/Field"), sorted; their number. */
static unsigned list_at(const struct xml_node *node, const char *path, const char *items[ITEMS_MAX])
{
    unsigned count = 0;
    char list[128];
    const char *slash = strchr(path, '/');
    size_t n = (size_t)(slash - path);
    memcpy(list, path, n);
    list[n] = '\0';
    const char *item = slash + 1, *field = strchr(item, '/');
    char name[128];
    n = field != NULL ? (size_t)(field - item) : strlen(item);
    memcpy(name, item, n);
    name[n] = '\0';
    for (const struct xml_node *i = xml_child(xml_child(node, list), name); i != NULL && count < ITEMS_MAX;
         i = xml_again(i))
        items[count++] = field != NULL ? xml_text(i, field + 1, NULL) : i->text;
    qsort(items, count, sizeof *items, by_text);
    return count;
}

static void put_features(const struct xml_node *list, struct buf *out)
{
    for (const struct xml_node *f = xml_child(list, "ProcessorFeature"); f != NULL; f = xml_again(f))
        buf_putf(out, "%s%s=%s", out->len ? ", " : "", xml_text(f, "Name", NULL), xml_text(f, "Value", NULL));
}

/* A value as text, to be compared and shown; "" when there is none. */
static void put_value(const struct setting *s, const struct xml_node *node, struct buf *out)
{
    const char *items[ITEMS_MAX];
    const struct xml_node *at;
    unsigned count;
    buf_clear(out);
    switch (s->shape) {
    case SHAPE_TEXT:
    case SHAPE_SIZE:
        buf_put(out, text_at(node, s->path));
        return;
    case SHAPE_LIST:
        count = list_at(node, s->path, items);
        for (unsigned i = 0; i < count; i++)
            buf_putf(out, "%s%s", i ? ", " : "", items[i]);
        return;
    case SHAPE_FEATURES:
        put_features(node_at(node, s->path), out);
        return;
    case SHAPE_RANGE:
        at = node_at(node, s->path);
        if (at != NULL)
            buf_putf(out, "%s to %s", xml_text(at, "MinCapacity", NULL), xml_text(at, "MaxCapacity", NULL));
        return;
    }
}

/* ---- writing parameters ---- */

static void add_range(const char *name, const struct xml_node *at, struct http_pairs *params)
{
    static const char *const fields[] = {"MinCapacity", "MaxCapacity"};
    for (unsigned i = 0; i < 2; i++) {
        char *key = xasprintf("%s.%s", name, fields[i]);
        http_pairs_add(params, key, xml_text(at, fields[i], NULL));
        free(key);
    }
}

static void add_features(const char *name, const struct xml_node *list, struct http_pairs *params)
{
    unsigned number = 0;
    for (const struct xml_node *f = xml_child(list, "ProcessorFeature"); f != NULL; f = xml_again(f)) {
        number++;
        char *key = xasprintf("%s.ProcessorFeature.%u.Name", name, number);
        http_pairs_add(params, key, xml_text(f, "Name", NULL));
        free(key);
        key = xasprintf("%s.ProcessorFeature.%u.Value", name, number);
        http_pairs_add(params, key, xml_text(f, "Value", NULL));
        free(key);
    }
}

static void add_parameter(const struct setting *s, const char *name, const struct xml_node *source,
                          struct http_pairs *params)
{
    const char *items[ITEMS_MAX];
    unsigned count;
    switch (s->shape) {
    case SHAPE_TEXT:
    case SHAPE_SIZE:
        http_pairs_add(params, name, text_at(source, s->path));
        return;
    case SHAPE_LIST:
        count = list_at(source, s->path, items);
        for (unsigned i = 0; i < count; i++) {
            char *key = xasprintf("%s.%s.%u", name, s->item, i + 1);
            http_pairs_add(params, key, items[i]);
            free(key);
        }
        return;
    case SHAPE_FEATURES:
        add_features(name, node_at(source, s->path), params);
        return;
    case SHAPE_RANGE:
        add_range(name, node_at(source, s->path), params);
        return;
    }
}

/* "10.11" of "10.11.6", "8.0" of "8.0.mysql_aurora.3.04.0": what groups of parameters and options are for. */
static size_t family_length(const char *version)
{
    size_t n = strcspn(version, ".");
    return version[n] == '\0' ? n : n + 1 + strcspn(version + n + 1, ".");
}

static bool is_of_family(const struct xml_node *source, const struct rds_made *made)
{
    const char *version = text_at(source, "EngineVersion");
    size_t n = family_length(version);
    if (*made->engine != '\0' && !is(source, "Engine", made->engine))
        return false;
    return *made->engine_version == '\0' || *version == '\0' ||
           (family_length(made->engine_version) == n && memcmp(version, made->engine_version, n) == 0);
}

static bool counts(const struct setting *s, const struct xml_node *source, const struct rds_made *made,
                   struct buf *value)
{
    put_value(s, source, value);
    return value->len > 0 && (s->applies == NULL || s->applies(source, made));
}

static void pass_tags(const struct xml_node *source, struct http_pairs *params, unsigned *tags)
{
    const struct xml_node *list = xml_child(source, "TagList");
    for (const struct xml_node *tag = xml_child(list, "Tag"); tag != NULL && *tags < TAGS_MAX;
         tag = xml_again(tag)) {
        const char *key = xml_text(tag, "Key", NULL), *value = xml_text(tag, "Value", NULL);
        if (strncmp(key, "aws:", 4) == 0 || strncmp(key, "dbsafe:", 7) == 0)
            continue;
        rds_add_tag(params, ++*tags, key, value);
    }
}

void rds_settings_pass(enum rds_role role, const struct xml_node *source, const struct rds_made *made,
                       struct http_pairs *params, unsigned *tags)
{
    struct buf value;
    buf_init(&value, VALUE_BYTES);
    for (const struct setting *s = settings_of(role); s->name != NULL; s++)
        if (s->restore != NULL && counts(s, source, made, &value) &&
            (!s->of_family || is_of_family(source, made)))
            add_parameter(s, s->restore, source, params);
    buf_free(&value);
    pass_tags(source, params, tags);
}

/* ---- comparing ---- */

/* What a restored one is of its own.  A size that is too small can be made the source's. */
static struct rds_made made_of(const struct xml_node *source, const struct xml_node *restored)
{
    struct rds_made made = {.engine = text_at(restored, "Engine"),
                            .engine_version = text_at(restored, "EngineVersion")};
    uint64_t gib = 0, there = 0;
    xml_number(source, "AllocatedStorage", &gib);
    xml_number(restored, "AllocatedStorage", &there);
    made.gib = there > gib ? there : gib;
    return made;
}

static bool is_as(const struct setting *s, const struct xml_node *source, const struct xml_node *restored,
                  struct buf *want, struct buf *have)
{
    uint64_t wanted, there;
    put_value(s, source, want);
    put_value(s, restored, have);
    if (s->shape == SHAPE_SIZE && xml_number(source, s->path, &wanted) &&
        xml_number(restored, s->path, &there))
        return there >= wanted;
    return strcmp(buf_cstr(want), buf_cstr(have)) == 0;
}

/* The settings that are modified together, from s to the one before the next. */
static const struct setting *end_of_group(const struct setting *s)
{
    do
        s++;
    while (s->joined);
    return s;
}

static unsigned mend_group(const struct setting *s, const struct xml_node *source,
                           const struct xml_node *restored, struct http_pairs *params)
{
    const struct rds_made made = made_of(source, restored);
    const struct setting *end = end_of_group(s);
    struct buf want, have;
    unsigned mended = 0;
    bool differs = false;
    buf_init(&want, VALUE_BYTES);
    buf_init(&have, VALUE_BYTES);
    for (int pass = 0; pass < 2; pass++) /* are there any?  Then all of them: RDS wants them together */
        for (const struct setting *i = s; i < end && (pass == 0 || differs); i++) {
            if (i->modify == NULL || !counts(i, source, &made, &want) ||
                (i->of_family && !is_of_family(source, &made)))
                continue;
            differs |= !is_as(i, source, restored, &want, &have);
            if (pass == 0 || (i->shape == SHAPE_SIZE && is_as(i, source, restored, &want, &have)))
                continue;
            add_parameter(i, i->modify, source, params);
            mended++;
        }
    buf_free(&have);
    buf_free(&want);
    return mended;
}

unsigned rds_settings_mend(enum rds_role role, const struct xml_node *source, const struct xml_node *restored,
                           unsigned group, struct http_pairs *params)
{
    unsigned mended = 0, number = 0;
    for (const struct setting *s = settings_of(role); s->name != NULL; s = end_of_group(s))
        if (++number == group || group == 0)
            mended += mend_group(s, source, restored, params);
    return mended;
}

unsigned rds_settings_groups(enum rds_role role)
{
    unsigned groups = 0;
    for (const struct setting *s = settings_of(role); s->name != NULL; s = end_of_group(s))
        groups++;
    return groups;
}

unsigned rds_settings_compare(enum rds_role role, const struct xml_node *source,
                              const struct xml_node *restored, rds_difference_fn *each, void *arg)
{
    const struct rds_made made = made_of(source, restored);
    struct buf want, have;
    unsigned differences = 0;
    buf_init(&want, VALUE_BYTES);
    buf_init(&have, VALUE_BYTES);
    for (const struct setting *s = settings_of(role); s->name != NULL; s++) {
        if (!counts(s, source, &made, &want) || is_as(s, source, restored, &want, &have))
            continue;
        each(arg, s->name, buf_cstr(&want), buf_cstr(&have));
        differences++;
    }
    buf_free(&have);
    buf_free(&want);
    return differences;
}

static bool says_something(const struct xml_node *node)
{
    return node != NULL && (node->child != NULL || *node->text != '\0');
}

void rds_settings_notices(const struct xml_node *source, rds_notice_fn *each, void *arg)
{
    static const struct {
        const char *path, *text;
    } notices[] = {
        {"AssociatedRoles/DBInstanceRole",
         "its IAM roles are not carried over: add them to what was restored"},
        {"AssociatedRoles/DBClusterRole",
         "its IAM roles are not carried over: add them to what was restored"},
        {"MasterUserSecret/SecretArn", "its master password is kept by Secrets Manager: what was restored "
                                       "has the password of the snapshot's time,"
                                       " and no secret"},
        {"ReadReplicaDBInstanceIdentifiers/ReadReplicaDBInstanceIdentifier",
         "its read replicas stay those of the source"},
        {"ReadReplicaIdentifiers/ReadReplicaIdentifier", "its read replicas stay those of the source"},
        {"GlobalClusterIdentifier", "it is part of a global cluster; what was restored is not"},
    };
    for (size_t i = 0; i < sizeof notices / sizeof notices[0]; i++)
        if (says_something(node_at(source, notices[i].path)))
            each(arg, notices[i].text);
    if (strcmp(text_at(source, "HttpEndpointEnabled"), "true") == 0)
        each(arg, "the Data API (HTTP endpoint) is on at the source: enable it on what was restored");
}
