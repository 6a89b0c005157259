/*
 * A fake of recovery_snapshots, the seam behind which src/rds stands: one snapshot that is available.  What
 * happens is noted.
 */
#ifndef DBSAFE_TESTS_SUPPORT_FAKE_SNAPSHOTS_H
#define DBSAFE_TESTS_SUPPORT_FAKE_SNAPSHOTS_H

#include "core/buf.h"
#include "recovery/snapshots.h"

#include <stdio.h>
#include <string.h>

struct fake_snapshots {
    struct recovery_snapshots base;
    struct buf log;     /* "remove x; " */
    enum err_code fails; /* what remove and describe fail with; ERR_OK: they work */
    bool last;           /* removing it would be refused */
};

static inline enum err_code fake_check(struct recovery_snapshots *s, const char *instance, const char *target,
                                       bool *cluster, struct err *err)
{
    (void)s;
    (void)target;
    *cluster = strcmp(instance, "member") == 0;
    return strcmp(instance, "missing") == 0 ? err_set(err, ERR_NOT_FOUND, "no instance") : ERR_OK;
}

static inline enum err_code fake_make_id(struct recovery_snapshots *s, const char *point, int64_t wall_ms,
                                         char out[SNAPSHOT_ID_BYTES], struct err *err)
{
    (void)s;
    (void)err;
    snprintf(out, SNAPSHOT_ID_BYTES, "%.100s-%lld", point, (long long)wall_ms);
    return ERR_OK;
}

static inline enum err_code fake_create(struct recovery_snapshots *s, const char *instance, bool cluster, const char *id,
                                        const char *point, struct err *err)
{
    struct fake_snapshots *f = (struct fake_snapshots *)s;
    (void)err;
    buf_putf(&f->log, "create %s of %s%s for %s; ", id, instance, cluster ? " (cluster)" : "", point);
    return ERR_OK;
}

static inline enum err_code fake_describe(struct recovery_snapshots *s, const char *id, bool cluster,
                                          struct snapshot_state *out, struct err *err)
{
    struct fake_snapshots *f = (struct fake_snapshots *)s;
    (void)cluster;
    *out = (struct snapshot_state){.status = SNAPSHOT_AVAILABLE, .word = "available", .percent = 100};
    return f->fails ? err_set(err, f->fails, "no snapshot %s", id) : ERR_OK;
}

static inline enum err_code fake_check_remove(struct recovery_snapshots *s, const char *id, bool cluster, struct err *err)
{
    struct fake_snapshots *f = (struct fake_snapshots *)s;
    (void)cluster;
    return f->last ? err_set(err, ERR_REFUSED, "%s is the only one", id) : ERR_OK;
}

static inline enum err_code fake_remove(struct recovery_snapshots *s, const char *id, bool cluster, struct err *err)
{
    struct fake_snapshots *f = (struct fake_snapshots *)s;
    buf_putf(&f->log, "remove %s%s; ", id, cluster ? " (cluster)" : "");
    return f->fails ? err_set(err, f->fails, "no snapshot %s", id) : ERR_OK;
}

/* buf_free(&f->log) releases it. */
static inline void fake_snapshots_init(struct fake_snapshots *f)
{
    static const struct recovery_snapshots_ops ops = {fake_check, fake_make_id, fake_create, fake_describe,
                                                    fake_describe, fake_check_remove, fake_remove};
    *f = (struct fake_snapshots){.base = {.ops = &ops}};
    buf_init(&f->log, 10000);
}

#endif
