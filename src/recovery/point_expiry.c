#include "recovery/point_expiry.h"

#include "core/mem.h"
#include "core/process.h"
#include "recovery/point_delete.h"
#include "recovery/rollback_journal.h"

#include <stdlib.h>
#include <string.h>

/* An unfinished point is told once it is so old. */
#define UNFINISHED_MS DAY_MS

/* Index of the newest complete point, or count. */
static size_t newest_complete(const struct point_list *all)
{
    size_t newest = all->count;
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i]->state == POINT_COMPLETE)
            newest = i;
    return newest;
}

/* Whether a later complete point has a snapshot of the same instance. */
static bool has_successor(const struct point_list *all, size_t i)
{
    for (size_t k = i + 1; k < all->count; k++)
        if (all->items[k]->state == POINT_COMPLETE && all->items[k]->snapshot.id &&
            strcmp(all->items[k]->snapshot.instance, all->items[i]->snapshot.instance) == 0)
            return true;
    return false;
}

static void tell_unfinished(const struct run *run, const struct point *p)
{
    char created[CLOCK_ISO_BYTES];
    clock_format_iso(p->created_ms, created);
    if (process_life_of(p->owner) != PROCESS_ALIVE &&
        clock_wall_ms(run->clock) - p->created_ms >= UNFINISHED_MS)
        log_warn(run->log,
                 "the point '%s' of %s was never finished, and keeps what it has: the same 'point create'"
                 " goes on, 'point delete %s' removes it",
                 p->name, created, p->name);
}

/* Which instance has which name stands in the journal of such a rollback: it is not removed without a word,
 * and no reason to leave all else undone.  One that cannot be read counts as not finished. */
static enum err_code has_rollback(const struct run *run, struct store *points, const struct point *p,
                                  bool *unfinished, struct err *err)
{
    struct rollback_journal j;
    enum err_code code = rollback_journal_get(points, p->name, &j, err);
    *unfinished = code == ERR_DAMAGED || code == ERR_REFUSED || (code == ERR_OK && !j.finished);
    if (*unfinished)
        log_warn(run->log,
                 "the point '%s' has expired, but a rollback to it by way of an instance is not finished: it"
                 " is kept; the same rollback again finishes it, 'point delete %s --force' removes it",
                 p->name, p->name);
    return *unfinished || code == ERR_NOT_FOUND ? ERR_OK : code;
}

/* A snapshot goes with its point only where deleting it alone would not be refused. */
static enum err_code snapshot_goes(const struct run *run, const struct point *p, struct recovery_snapshots *s,
                                   bool *goes, struct err *err)
{
    struct err why;
    if (!s)
        err_set(&why, ERR_REFUSED, "this version cannot delete its RDS snapshot %s", p->snapshot.id);
    enum err_code code = s ? s->ops->check_remove(s, p->snapshot.id, p->snapshot.cluster, &why) : ERR_REFUSED;
    *goes = code == ERR_OK;
    if (code != ERR_OK && code != ERR_REFUSED)
        return err_copy(err, &why);
    if (!*goes)
        log_warn(run->log, "the point '%s' has expired, but is kept: %s", p->name, why.text);
    return ERR_OK;
}

/* A removal that was begun is finished; whoever began it was asked. */
static bool deletion_goes(const struct run *run, const struct point *p, const struct recovery_snapshots *s)
{
    if (!p->snapshot.id || s)
        return true;
    log_warn(run->log, "the point '%s' is being deleted, but this version cannot delete its RDS snapshot %s",
             p->name, p->snapshot.id);
    return false;
}

/* Whether it is to be removed: it has expired, or its removal was begun. */
static enum err_code goes(const struct run *run, struct store *points, const struct point_list *all, size_t i,
                          struct recovery_snapshots *snapshots, bool *goes, struct err *err)
{
    const struct point *p = all->items[i];
    bool unfinished = false;
    if (p->state == POINT_CREATING)
        tell_unfinished(run, p);
    *goes = point_is_expired(p, clock_wall_ms(run->clock)) && (!p->snapshot.id || has_successor(all, i));
    if (p->state == POINT_DELETING)
        *goes = deletion_goes(run, p, snapshots);
    if (!*goes || p->state == POINT_DELETING)
        return ERR_OK;
    enum err_code code = has_rollback(run, points, p, &unfinished, err);
    *goes = code == ERR_OK && !unfinished;
    return *goes && p->snapshot.id ? snapshot_goes(run, p, snapshots, goes, err) : code;
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
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        struct point *p = out->all.items[i];
        bool expired = false;
        if (i != newest)
            code = goes(run, points, &out->all, i, snapshots, &expired, err);
        if (expired)
            out->expired[out->expired_count++] = p;
        if (p->archive.name && expired)
            out->archives[out->archive_count++] = p->archive.name;
        else if (p->archive.name)
            out->pinned[out->pinned_count++] = p->archive.name;
    }
    return code;
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
