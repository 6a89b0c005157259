#include "cli/point_snapshots.h"

#include "cli/rds_settings.h"
#include "core/mem.h"
#include "rds/snapshot.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

struct point_snapshots {
    struct recovery_snapshots base;
    const struct cli *cli;
    bool opened;
    struct rds_cli rds;
};

static enum err_code open_rds(struct recovery_snapshots *s, struct rds **out, struct err *err)
{
    struct point_snapshots *p = (struct point_snapshots *)s;
    enum err_code code = ERR_OK;
    if (!p->opened)
        code = rds_settings_open(p->cli, &p->rds, err);
    p->opened |= code == ERR_OK;
    *out = p->rds.rds;
    return code;
}

static enum rds_kind kind_of(bool cluster)
{
    return cluster ? RDS_CLUSTER_SNAPSHOT : RDS_SNAPSHOT;
}

/* ---- is it the server that is archived? ---- */

/* The host of "user@host:port"; false for a socket. */
static bool host_of(const char *target, char *host, size_t bytes)
{
    const char *at = strrchr(target, '@'), *colon = strrchr(target, ':');
    if (at == NULL || colon == NULL || colon < at || at[1] == '/')
        return false;
    return (size_t)snprintf(host, bytes, "%.*s", (int)(colon - at - 1), at + 1) < bytes;
}

static bool same_address(const struct addrinfo *a, const struct addrinfo *b)
{
    for (; a != NULL; a = a->ai_next)
        for (const struct addrinfo *x = b; x != NULL; x = x->ai_next)
            if (a->ai_addrlen == x->ai_addrlen && memcmp(a->ai_addr, x->ai_addr, a->ai_addrlen) == 0)
                return true;
    return false;
}

/* By name, or by what the names resolve to: a name of one's own may stand for the endpoint. */
static bool leads_to(const char *host, const char *endpoint)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *a = NULL, *b = NULL;
    if (strcasecmp(host, endpoint) == 0)
        return true;
    bool same = getaddrinfo(host, NULL, &hints, &a) == 0 && getaddrinfo(endpoint, NULL, &hints, &b) == 0 &&
                same_address(a, b);
    if (a != NULL)
        freeaddrinfo(a);
    if (b != NULL)
        freeaddrinfo(b);
    return same;
}

static bool leads_to_one_of(struct rds *rds, const char *host, const struct rds_database *d)
{
    struct rds_database member;
    if (leads_to(host, d->address) || (*d->reader_address && leads_to(host, d->reader_address)))
        return true;
    for (unsigned i = 0; i < d->member_count; i++)
        if (rds_describe(rds, RDS_INSTANCE, d->members[i].id, &member, NULL) == ERR_OK &&
            leads_to(host, member.address))
            return true;
    return false;
}

/* An archive and a snapshot of two servers make no point.  A tunnel or a proxy looks like that, too. */
static void compare_hosts(const struct point_snapshots *p, const struct rds_database *d, const char *target)
{
    char host[RDS_ADDRESS_BYTES];
    if (target != NULL && host_of(target, host, sizeof host) && !leads_to_one_of(p->rds.rds, host, d))
        log_warn(p->cli->run->log,
                 "the tables are archived from %s, and the snapshot is of the %s %s at %s: is that one"
                 " server?",
                 host, rds_kind_name(d->kind), d->id, d->address);
}

static enum err_code check(struct recovery_snapshots *s, const char *instance, const char *target,
                           bool *cluster, struct err *err)
{
    struct rds *rds;
    struct rds_database found;
    enum err_code code = open_rds(s, &rds, err);
    if (code == ERR_OK)
        code = rds_find(rds, instance, &found, err);
    if (code != ERR_OK)
        return code;
    *cluster = found.kind == RDS_CLUSTER;
    if (rds_phase_of(found.kind, found.status) == RDS_FAILED)
        return err_set(err, ERR_AWS, "the %s %s cannot be snapshotted: it is '%s'", rds_kind_name(found.kind),
                       found.id, found.status);
    compare_hosts((struct point_snapshots *)s, &found, target);
    return ERR_OK;
}

/* ---- the rest of it ---- */

static enum err_code make_id(struct recovery_snapshots *s, const char *point, int64_t wall_ms,
                             char out[SNAPSHOT_ID_BYTES], struct err *err)
{
    (void)s;
    char *name =
        xasprintf("dbsafe-%s-%%Y%%m%%d-%%H%%M%%S", point); /* names of points have no percent signs */
    enum err_code code = rds_ident_make(name, RDS_SNAPSHOT_ID_MAX, wall_ms, out, err);
    free(name);
    return code;
}

static enum err_code create(struct recovery_snapshots *s, const char *instance, bool cluster, const char *id,
                            const char *point, struct err *err)
{
    struct rds *rds;
    struct rds_database source;
    struct rds_snapshot made;
    enum err_code code = open_rds(s, &rds, err);
    if (code == ERR_OK)
        code = rds_find(rds, instance, &source, err);
    if (code == ERR_OK && cluster != (source.kind == RDS_CLUSTER))
        code = err_set(err, ERR_AWS, "%s is %s now, which it was not when the point was begun", instance,
                       cluster ? "an instance" : "a cluster or a member of one");
    return code == ERR_OK ? rds_snapshot_create(rds, &source, id, point, &made, NULL, err) : code;
}

static void read_state(const struct rds_snapshot *found, struct snapshot_state *out)
{
    enum rds_phase phase = rds_phase_of(found->kind, found->status);
    *out = (struct snapshot_state){
        .percent = found->percent, .created_ms = found->created_ms, .gib = found->allocated_gib};
    out->status = phase == RDS_READY    ? SNAPSHOT_AVAILABLE
                  : phase == RDS_FAILED ? SNAPSHOT_FAILED
                                        : SNAPSHOT_PENDING;
    snprintf(out->word, sizeof out->word, "%.*s", (int)sizeof out->word - 1, found->status);
    snprintf(out->arn, sizeof out->arn, "%s", found->arn);
}

static enum err_code describe(struct recovery_snapshots *s, const char *id, bool cluster,
                              struct snapshot_state *out, struct err *err)
{
    struct rds *rds;
    struct rds_snapshot found;
    enum err_code code = open_rds(s, &rds, err);
    if (code == ERR_OK)
        code = rds_snapshot_describe(rds, kind_of(cluster), id, &found, err);
    if (code != ERR_OK)
        return code;
    read_state(&found, out);
    return ERR_OK;
}

/* It was just begun, perhaps: AWS may not find it yet. */
static enum err_code wait_for(struct recovery_snapshots *s, const char *id, bool cluster,
                              struct snapshot_state *out, struct err *err)
{
    struct rds *rds;
    struct rds_snapshot found;
    enum err_code code = open_rds(s, &rds, err);
    if (code == ERR_OK)
        code = rds_wait_snapshot(rds, kind_of(cluster), id, true, &found, err);
    if (code == ERR_SIGINT || code == ERR_SIGTERM || code == ERR_TIMEOUT)
        err_hint(err, "; AWS goes on with the snapshot %s", id);
    if (code == ERR_OK)
        read_state(&found, out);
    return code;
}

static enum err_code check_remove(struct recovery_snapshots *s, const char *id, bool cluster, struct err *err)
{
    struct rds *rds;
    struct rds_snapshot found;
    enum err_code code = open_rds(s, &rds, err);
    if (code == ERR_OK)
        code = rds_snapshot_describe(rds, kind_of(cluster), id, &found, err);
    if (code == ERR_NOT_FOUND)
        return ERR_OK;
    return code == ERR_OK ? rds_snapshot_check_delete(rds, &found, err) : code;
}

static enum err_code remove_one(struct recovery_snapshots *s, const char *id, bool cluster, struct err *err)
{
    struct rds *rds;
    struct rds_snapshot found;
    enum err_code code = open_rds(s, &rds, err);
    if (code == ERR_OK)
        code = rds_snapshot_describe(rds, kind_of(cluster), id, &found, err);
    return code == ERR_OK ? rds_snapshot_delete(rds, &found, id, err) : code;
}

static const struct recovery_snapshots_ops ops = {.check = check,
                                                  .make_id = make_id,
                                                  .create = create,
                                                  .describe = describe,
                                                  .wait = wait_for,
                                                  .check_remove = check_remove,
                                                  .remove = remove_one};

struct recovery_snapshots *point_snapshots_new(const struct cli *cli)
{
    struct point_snapshots *p = xcalloc(1, sizeof *p);
    p->base.ops = &ops;
    p->cli = cli;
    return &p->base;
}

void point_snapshots_free(struct recovery_snapshots *s)
{
    struct point_snapshots *p = (struct point_snapshots *)s;
    if (p != NULL && p->opened)
        rds_settings_close(&p->rds);
    free(p);
}
