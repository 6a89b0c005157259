#include "rds/thing.h"

#include "aws/aws_time.h"

#include <stdio.h>
#include <string.h>

#define COPY(field, node, name) snprintf((field), sizeof(field), "%s", xml_text((node), (name), NULL))

static bool is_true(const struct xml_node *node, const char *name)
{
    return strcmp(xml_text(node, name, NULL), "true") == 0;
}

static uint64_t number(const struct xml_node *node, const char *name)
{
    uint64_t n;
    return xml_number(node, name, &n) ? n : 0;
}

static void read_tags(const struct xml_node *node, struct rds_tags *out)
{
    const struct xml_node *list = xml_child(node, "TagList");
    for (const struct xml_node *tag = xml_child(list, "Tag"); tag != NULL; tag = xml_again(tag)) {
        const char *key = xml_text(tag, "Key", NULL);
        if (strcmp(key, RDS_TAG_CREATED) == 0)
            COPY(out->created, tag, "Value");
        else if (strcmp(key, RDS_TAG_POINT) == 0)
            COPY(out->point, tag, "Value");
        else if (strcmp(key, RDS_TAG_SNAPSHOT) == 0)
            COPY(out->snapshot, tag, "Value");
        else if (strcmp(key, RDS_TAG_COPY_OF) == 0)
            COPY(out->copy_of, tag, "Value");
        else if (strcmp(key, RDS_TAG_KMS_KEY) == 0)
            COPY(out->kms_key, tag, "Value");
    }
}

static void read_instance(const struct xml_node *node, struct rds_database *out)
{
    const struct xml_node *pending = xml_child(node, "PendingModifiedValues");
    const struct xml_node *endpoint = xml_child(node, "Endpoint");
    COPY(out->id, node, "DBInstanceIdentifier");
    COPY(out->resource_id, node, "DbiResourceId");
    COPY(out->arn, node, "DBInstanceArn");
    COPY(out->status, node, "DBInstanceStatus");
    COPY(out->cluster_id, node, "DBClusterIdentifier");
    COPY(out->new_id, pending, "DBInstanceIdentifier");
    COPY(out->address, endpoint, "Address");
    out->port = (unsigned)number(endpoint, "Port");
    out->changing = pending != NULL && pending->child != NULL;
}

static void read_members(const struct xml_node *node, struct rds_database *out)
{
    const struct xml_node *list = xml_child(node, "DBClusterMembers");
    for (const struct xml_node *m = xml_child(list, "DBClusterMember"); m != NULL; m = xml_again(m)) {
        if (out->member_count == RDS_MEMBERS_MAX)
            return;
        struct rds_member *to = &out->members[out->member_count++];
        COPY(to->id, m, "DBInstanceIdentifier");
        to->writer = is_true(m, "IsClusterWriter");
    }
}

static void read_cluster(const struct xml_node *node, struct rds_database *out)
{
    const struct xml_node *pending = xml_child(node, "PendingModifiedValues");
    COPY(out->id, node, "DBClusterIdentifier");
    COPY(out->resource_id, node, "DbClusterResourceId");
    COPY(out->arn, node, "DBClusterArn");
    COPY(out->status, node, "Status");
    COPY(out->new_id, pending, "DBClusterIdentifier");
    COPY(out->address, node, "Endpoint");
    COPY(out->reader_address, node, "ReaderEndpoint");
    out->port = (unsigned)number(node, "Port");
    out->changing = pending != NULL && pending->child != NULL;
    read_members(node, out);
}

void rds_database_read(const struct xml_node *node, enum rds_kind kind, struct rds_database *out)
{
    *out = (struct rds_database){.kind = kind};
    if (kind == RDS_CLUSTER)
        read_cluster(node, out);
    else
        read_instance(node, out);
    COPY(out->engine, node, "Engine");
    COPY(out->engine_version, node, "EngineVersion");
    out->deletion_protection = is_true(node, "DeletionProtection");
    out->retention_days = (unsigned)number(node, "BackupRetentionPeriod");
    read_tags(node, &out->tags);
}

void rds_snapshot_read(const struct xml_node *node, enum rds_kind kind, struct rds_snapshot *out)
{
    bool cluster = kind == RDS_CLUSTER_SNAPSHOT;
    int64_t created_ms;
    *out = (struct rds_snapshot){.kind = kind};
    COPY(out->id, node, cluster ? "DBClusterSnapshotIdentifier" : "DBSnapshotIdentifier");
    COPY(out->arn, node, cluster ? "DBClusterSnapshotArn" : "DBSnapshotArn");
    COPY(out->source, node, cluster ? "DBClusterIdentifier" : "DBInstanceIdentifier");
    COPY(out->source_resource_id, node, cluster ? "DbClusterResourceId" : "DbiResourceId");
    COPY(out->status, node, "Status");
    COPY(out->type, node, "SnapshotType");
    COPY(out->engine, node, "Engine");
    COPY(out->engine_version, node, "EngineVersion");
    COPY(out->master, node, "MasterUsername");
    COPY(out->kms_key, node, "KmsKeyId");
    out->percent = (unsigned)number(node, "PercentProgress");
    out->allocated_gib = number(node, "AllocatedStorage");
    out->encrypted = is_true(node, cluster ? "StorageEncrypted" : "Encrypted");
    if (aws_time_parse(xml_text(node, "SnapshotCreateTime", NULL), &created_ms))
        out->created_ms = created_ms;
    read_tags(node, &out->tags);
}
