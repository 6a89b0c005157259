#include "recovery/point_expiry.h"

#include "core/mem.h"
#include "recovery/point_delete.h"

#include <stdlib.h>

/* Index of the newest complete point, or count. */
static size_t newest_complete(const struct point_list *all)
{
    size_t newest = all->count;
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i]->state == POINT_COMPLETE)
            newest = i;
    return newest;
}

static bool goes(const struct run *run, const struct point *p, const struct recovery_snapshots *snapshots)
{
    if (!point_is_expired(p, clock_wall_ms(run->clock)))
        return false;
    if (!p->snapshot.id || snapshots)
        return true;
    log_warn(run->log,
             "the point '%s' has expired, but this version cannot delete its RDS snapshot %s: it is kept",
             p->name, p->snapshot.id);
    return false;
}

enum err_code point_expiry_plan(const struct run *run, struct store *points,
                                struct recovery_snapshots *snapshots, struct point_expiry *out,
                                struct err *err)
{
    *out = (struct point_expiry){.expired_count = 0};
    enum err_code code = points ? point_list(points, &out->all, NULL, err) : ERR_OK;
    if (code != ERR_OK)
        return code;
    size_t count = out->all.count, newest = newest_complete(&out->all);
    out->expired = xcalloc(count + 1, sizeof *out->expired);
    out->archives = xcalloc(count + 1, sizeof *out->archives);
    out->pinned = xcalloc(count + 1, sizeof *out->pinned);
    for (size_t i = 0; i < count; i++) {
        struct point *p = out->all.items[i];
        bool expired = i != newest && goes(run, p, snapshots);
        if (expired)
            out->expired[out->expired_count++] = p;
        if (p->archive.name && expired)
            out->archives[out->archive_count++] = p->archive.name;
        else if (p->archive.name)
            out->pinned[out->pinned_count++] = p->archive.name;
    }
    return ERR_OK;
}

enum err_code point_expiry_apply(const struct run *run, const struct point_stores *stores,
                                 struct recovery_snapshots *snapshots, const struct point_expiry *plan,
                                 const struct prune_plan *archives, struct err *err)
{
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < plan->expired_count; i++) {
        struct point *p = plan->expired[i];
        const struct point_delete_options options = {
            .snapshots = snapshots,
            .keep_archive = p->archive.name && prune_plan_spares(archives, p->archive.name)};
        code = point_delete(run, stores, p->name, &options, &p, err);
        code = code == ERR_NOT_FOUND ? ERR_OK : code;
        point_free(p);
    }
    return code;
}

void point_expiry_free(struct point_expiry *e)
{
    point_list_free(&e->all);
    free(e->expired);
    free(e->archives);
    free(e->pinned);
}
