/*
 * Instances, clusters and snapshots as RDS describes them: the parts that decisions are made from. Plain
 * structs without pointers, copied freely. Read from the elements DBInstance, DBCluster, DBSnapshot,
 * DBClusterSnapshot of an answer; what is longer than its field is cut, which nothing that RDS sends is. Any
 * thread.
 */
#ifndef DBSAFE_RDS_THING_H
#define DBSAFE_RDS_THING_H

#include "aws/xml.h"
#include "rds/ident.h"
#include "rds/state.h"

#define RDS_ARN_BYTES     512
#define RDS_WORD_BYTES    128
#define RDS_TAG_BYTES     257
#define RDS_MEMBERS_MAX   16 /* Aurora: a writer and 15 readers */
#define RDS_ADDRESS_BYTES 256

/* Tags that dbsafe puts on what it makes. */
#define RDS_TAG_CREATED  "dbsafe:created"  /* ISO time */
#define RDS_TAG_POINT    "dbsafe:point"    /* name of the recovery point */
#define RDS_TAG_SNAPSHOT "dbsafe:snapshot" /* what an instance or cluster was restored from */
#define RDS_TAG_COPY_OF  "dbsafe:copy-of"  /* the snapshot that a copy is of, and its moment: ARN@time */
#define RDS_TAG_KMS_KEY  "dbsafe:kms-key"  /* that a copy was to be encrypted with, as it was given */

struct rds_tags {
    char created[RDS_TAG_BYTES], point[RDS_TAG_BYTES], snapshot[RDS_TAG_BYTES], copy_of[RDS_TAG_BYTES],
        kms_key[RDS_TAG_BYTES]; /* "": not there */
};

struct rds_member {
    char id[RDS_ID_BYTES];
    bool writer;
};

/* An instance that stands alone, a member of a cluster, or a cluster. */
struct rds_database {
    enum rds_kind kind;               /* RDS_INSTANCE or RDS_CLUSTER */
    char id[RDS_ID_BYTES];            /* changes when it is renamed */
    char resource_id[RDS_WORD_BYTES]; /* never changes */
    char arn[RDS_ARN_BYTES];
    char status[RDS_WORD_BYTES];
    char engine[RDS_WORD_BYTES], engine_version[RDS_WORD_BYTES];
    char cluster_id[RDS_ID_BYTES];          /* of a member; "" */
    char new_id[RDS_ID_BYTES];              /* that a rename under way gives it; "" */
    bool changing;                          /* modifications are pending */
    char address[RDS_ADDRESS_BYTES];        /* "" while it has none */
    char reader_address[RDS_ADDRESS_BYTES]; /* of a cluster */
    unsigned port;
    bool deletion_protection;
    unsigned retention_days;
    struct rds_member members[RDS_MEMBERS_MAX]; /* of a cluster */
    unsigned member_count;
    struct rds_tags tags;
};
void rds_database_read(const struct xml_node *node, enum rds_kind kind, struct rds_database *out);

struct rds_snapshot {
    enum rds_kind kind; /* RDS_SNAPSHOT or RDS_CLUSTER_SNAPSHOT */
    char id[RDS_ID_BYTES];
    char arn[RDS_ARN_BYTES];
    char source[RDS_ID_BYTES]; /* the instance or cluster it was taken of, as it was called then */
    char source_resource_id[RDS_WORD_BYTES]; /* "": of clusters older RDS versions do not say */
    char status[RDS_WORD_BYTES];
    char type[RDS_WORD_BYTES]; /* "manual", "automated", "awsbackup", ... */
    char engine[RDS_WORD_BYTES], engine_version[RDS_WORD_BYTES];
    char master[RDS_WORD_BYTES];
    unsigned percent;
    int64_t created_ms; /* wall clock; 0 while RDS does not say */
    uint64_t allocated_gib;
    bool encrypted;
    char kms_key[RDS_ARN_BYTES];
    struct rds_tags tags;
};
void rds_snapshot_read(const struct xml_node *node, enum rds_kind kind, struct rds_snapshot *out);

#endif
