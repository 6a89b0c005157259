#include "rds/state.h"

#include <stddef.h>
#include <string.h>

#define READY_TIMES 2

static const char *const ready_instance[] = {
    "available",
    "storage-optimization", /* in use; it may last for hours */
    NULL,
};
static const char *const ready_other[] = {"available", NULL};

static const char *const failed_instance[] = {
    "failed",
    "deleting",
    "deleted",
    "incompatible-create",
    "incompatible-credentials",
    "incompatible-network",
    "incompatible-option-group",
    "incompatible-parameters",
    "incompatible-restore",
    "inaccessible-encryption-credentials",
    "inaccessible-encryption-credentials-recoverable",
    "insufficient-capacity",
    "restore-error",
    "stopped",
    "stopping",
    "storage-full",
    NULL,
};
static const char *const failed_cluster[] = {
    "failed",
    "deleting",
    "deleted",
    "cloning-failed",
    "migration-failed",
    "inaccessible-encryption-credentials",
    "inaccessible-encryption-credentials-recoverable",
    "stopped",
    "stopping",
    NULL,
};
static const char *const failed_snapshot[] = {"failed", "deleting", "deleted", "incompatible-restore", NULL};

static const struct {
    const char *name;
    const char *const *ready, *const *failed;
    unsigned ready_times;
} kinds[] = {
    [RDS_INSTANCE] = {"instance", ready_instance, failed_instance, READY_TIMES},
    [RDS_CLUSTER] = {"cluster", ready_other, failed_cluster, READY_TIMES},
    [RDS_SNAPSHOT] = {"snapshot", ready_other, failed_snapshot, 1},
    [RDS_CLUSTER_SNAPSHOT] = {"cluster snapshot", ready_other, failed_snapshot, 1},
};

const char *rds_kind_name(enum rds_kind kind)
{
    return kinds[kind].name;
}

static bool is_one_of(const char *status, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(*list, status) == 0)
            return true;
    return false;
}

enum rds_phase rds_phase_of(enum rds_kind kind, const char *status)
{
    if (is_one_of(status, kinds[kind].ready))
        return RDS_READY;
    return is_one_of(status, kinds[kind].failed) ? RDS_FAILED : RDS_PENDING;
}

enum rds_phase rds_settle_feed(struct rds_settle *s, const char *status)
{
    enum rds_phase phase = rds_phase_of(s->kind, status);
    s->ready_seen = phase == RDS_READY ? s->ready_seen + 1 : 0;
    if (phase == RDS_READY && s->ready_seen < kinds[s->kind].ready_times)
        return RDS_PENDING;
    return phase;
}

int64_t rds_remaining_ms(unsigned percent, int64_t elapsed_ms)
{
    if (percent == 0 || percent > 100 || elapsed_ms < 0)
        return -1;
    return elapsed_ms / percent * (100 - percent) + elapsed_ms % percent * (100 - percent) / percent;
}
