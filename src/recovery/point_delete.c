#include "recovery/point_delete.h"

#include "archive/name.h"
#include "core/fault.h"
#include "core/mem.h"
#include "core/process.h"
#include "recovery/rollback_journal.h"

#include <stdlib.h>
#include <string.h>

static enum err_code check_last(const struct point_stores *stores, const struct point *p, struct err *err)
{
    struct point_list all;
    unsigned unreadable, complete = 0;
    enum err_code code = point_list(stores->points, &all, &unreadable, err);
    for (size_t i = 0; i < all.count; i++)
        complete += all.items[i]->state == POINT_COMPLETE;
    point_list_free(&all);
    if (code == ERR_OK && complete < 2)
        code = err_set(err, ERR_REFUSED,
                       "'%s' is the only complete recovery point there is; --force deletes it", p->name);
    return code;
}

/* The journal of a rollback that a dead run left says which instance has which name. */
static enum err_code check_rollback(const struct point_stores *stores, const struct point *p, struct err *err)
{
    struct rollback_journal j;
    enum err_code code = rollback_journal_get(stores->points, p->name, &j, err);
    if (code == ERR_OK && !j.finished)
        return err_set(
            err, ERR_REFUSED,
            "a rollback to '%s' by way of the %s %s is not finished: the same rollback again finishes"
            " it, --force deletes the point and what is known of it",
            p->name, j.cluster ? "cluster" : "instance", j.to);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static enum err_code check_complete(const struct run *run, const struct point_stores *stores,
                                    const struct point *p, struct err *err)
{
    if (point_is_protected(p, clock_wall_ms(run->clock))) {
        char until[CLOCK_ISO_BYTES];
        clock_format_iso(p->created_ms + POINT_PROTECTED_MS, until);
        return err_set(err, ERR_REFUSED, "the point '%s' is protected until %s; --force deletes it", p->name,
                       until);
    }
    if (p->keep)
        return err_set(err, ERR_REFUSED, "the point '%s' was made with --keep; --force deletes it", p->name);
    enum err_code code = check_rollback(stores, p, err);
    return code == ERR_OK ? check_last(stores, p, err) : code;
}

/* An archive can be taken again, what else the snapshot holds cannot: it is protected as every snapshot is,
 * whatever state the point is in. */
static enum err_code check_snapshot(const struct point *p, struct recovery_snapshots *s, struct err *err)
{
    enum err_code code =
        p->snapshot.id ? s->ops->check_remove(s, p->snapshot.id, p->snapshot.cluster, err) : ERR_OK;
    return code == ERR_REFUSED
               ? err_hint(err, "; --force deletes the point '%s' with it all the same", p->name)
               : code;
}

static enum err_code check(const struct run *run, const struct point_stores *stores, const struct point *p,
                           const struct point_delete_options *options, struct err *err)
{
    if (p->snapshot.id && !options->snapshots)
        return err_set(err, ERR_REFUSED,
                       "the point '%s' has the RDS snapshot %s, which this version cannot delete", p->name,
                       p->snapshot.id);
    enum err_code code = ERR_OK;
    if (p->state == POINT_CREATING)
        code = process_check_over(p->owner, options->force, "making the point", p->name, "--force deletes it",
                                  err);
    if (options->force || p->state == POINT_DELETING) /* that was decided already */
        return code;
    if (p->state == POINT_COMPLETE)
        code = check_complete(run, stores, p, err);
    return code == ERR_OK ? check_snapshot(p, options->snapshots, err) : code;
}

/* Under the lock: what was checked is what is marked. */
static enum err_code mark(const struct run *run, const struct point_stores *stores, const char *name,
                          const struct point_delete_options *options, struct point **out, struct err *err)
{
    struct store *locked;
    enum err_code code = point_lock(run, stores, &locked, err);
    if (code != ERR_OK)
        return code;
    point_free(*out);
    code = point_get(stores->points, name, out, err);
    if (code == ERR_OK)
        code = check(run, stores, *out, options, err);
    if (code == ERR_OK) {
        (*out)->state = POINT_DELETING;
        code = point_put(stores->points, *out, false, err);
    }
    store_free(locked);
    return code;
}

static enum err_code remove_snapshot(const struct point *p, struct recovery_snapshots *s, struct err *err)
{
    if (!p->snapshot.id)
        return ERR_OK;
    enum err_code code = s->ops->remove(s, p->snapshot.id, p->snapshot.cluster, err);
    if (code == ERR_NOT_FOUND)
        code = ERR_OK;
    return code == ERR_OK ? fault_point("point_snapshot_removed", ERR_AWS, err) : code;
}

static enum err_code remove_object(struct store *store, const char *name, struct err *err)
{
    enum err_code code = store_remove(store, name, err);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static enum err_code remove_archive(const struct point *p, struct store *archives, struct err *err)
{
    static const char *const companions[] = {PROOF_SUFFIX, DRILL_SUFFIX};
    if (!p->archive.name)
        return ERR_OK;
    enum err_code code = remove_object(archives, p->archive.name, err);
    if (code == ERR_OK)
        code = fault_point("point_archive_removed", ERR_STORAGE, err);
    for (size_t i = 0; code == ERR_OK && i < sizeof companions / sizeof companions[0]; i++) {
        char *name = xasprintf("%s%s", p->archive.name, companions[i]);
        code = remove_object(archives, name, err);
        free(name);
    }
    return code == ERR_OK ? fault_point("point_companions_removed", ERR_STORAGE, err) : code;
}

/* Copies of its rollbacks by way of an instance. */
struct copies {
    char *prefix;
    char **names;
    size_t count;
};

static enum err_code add_copy(void *arg, const struct store_entry *entry, struct err *err)
{
    struct copies *c = arg;
    (void)err;
    if (strncmp(entry->name, c->prefix, strlen(c->prefix)) == 0 && archive_name_has_suffix(entry->name)) {
        c->names = xreallocarray(c->names, c->count + 1, sizeof *c->names);
        c->names[c->count++] = xstrdup(entry->name);
    }
    return ERR_OK;
}

/* Those that the journal names and those that a killed run never noted; no point's name has a '~'. */
static enum err_code remove_copies(const struct point *p, struct store *points, struct err *err)
{
    struct copies c = {.prefix = xasprintf("%s~copy-", p->name)};
    enum err_code code = store_list(points, add_copy, &c, err);
    for (size_t i = 0; code == ERR_OK && i < c.count; i++)
        code = remove_object(points, c.names[i], err);
    for (size_t i = 0; i < c.count; i++)
        free(c.names[i]);
    free(c.names);
    free(c.prefix);
    return code;
}

static enum err_code remove_journal(const struct point *p, struct store *points, struct err *err)
{
    enum err_code code = remove_copies(p, points, err);
    return code == ERR_OK ? rollback_journal_forget(points, p->name, err) : code;
}

enum err_code point_delete(const struct run *run, const struct point_stores *stores, const char *name,
                           const struct point_delete_options *options, struct point **out, struct err *err)
{
    *out = NULL;
    enum err_code code = point_check_name(name, err);
    if (code == ERR_OK)
        code = point_get(stores->points, name, out, err);
    if (code == ERR_OK)
        code = check(run, stores, *out, options, err);
    if (code != ERR_OK || options->dry_run)
        return code;
    if (options->confirm)
        code = options->confirm(options->arg, *out, err);
    if (code == ERR_OK)
        code = mark(run, stores, name, options, out, err);
    if (code != ERR_OK)
        return code;
    code = fault_point("point_deleting", ERR_STORAGE, err);
    if (code == ERR_OK)
        code = remove_snapshot(*out, options->snapshots, err);
    if (code == ERR_OK && !options->keep_archive)
        code = remove_archive(*out, stores->archives, err);
    if (code == ERR_OK)
        code = remove_journal(*out, stores->points, err);
    if (code == ERR_OK)
        code = point_forget(stores->points, name, err);
    return code == ERR_OK ? ERR_OK : err_hint(err, "; 'point delete %s' again goes on", name);
}
