#include "recovery/point_claim.h"

#include "core/process.h"
#include "core/text.h"
#include "recovery/git.h"

#include <string.h>

static bool same_list(const char *const *a, unsigned count, const char *const *b, unsigned other_count)
{
    bool same = count == other_count;
    for (unsigned i = 0; same && i < count; i++)
        same = strcmp(a[i], b[i]) == 0;
    return same;
}

/* The same tables, and the same instance. */
static bool same_request(const struct point *p, const struct point_request *r)
{
    const struct dump_options *d = &r->dump;
    return text_equal(p->snapshot.instance, r->instance) &&
           same_list(p->names, p->name_count, d->names, d->name_count) &&
           same_list(p->excludes, p->exclude_count, d->excludes, d->exclude_count);
}

/* What is there must still be a point by tomorrow; --keep makes it one again. */
static enum err_code check_expired(const struct run *run, const struct point *p,
                                   const struct point_request *r, struct err *err)
{
    char expired[CLOCK_ISO_BYTES];
    clock_format_iso(p->expires_ms, expired);
    if (!point_is_expired(p, clock_wall_ms(run->clock)) || r->keep)
        return ERR_OK;
    return err_set(
        err, ERR_REFUSED,
        "the point '%s' has expired (%s), the next prune removes it: take another name, delete it with"
        " 'point delete %s', or keep it with --keep",
        p->name, expired, p->name);
}

enum err_code point_claim_check(const struct run *run, const struct point *p, const struct point_request *r,
                                const struct server_mark *here, struct err *err)
{
    const struct server_mark there = {p->server_identity, p->target};
    char created[CLOCK_ISO_BYTES];
    clock_format_iso(p->created_ms, created);
    if (p->state == POINT_DELETING)
        return err_set(err, ERR_REFUSED,
                       "the point '%s' is being deleted: finish that with 'point delete %s'", p->name,
                       p->name);
    if (!same_request(p, r))
        return err_set(
            err, ERR_REFUSED,
            "there is a point '%s' of other tables or another instance, %s, %s: take another name, or delete"
            " it with 'point delete %s'",
            p->name, point_state_text(p->state), created, p->name);
    if (server_differs(&there, here))
        return err_set(
            err, ERR_REFUSED,
            "there is a point '%s' of another server, %s (%s; this one is %s), %s, %s: take another"
            " name, or delete it with 'point delete %s'",
            p->name, p->target ? p->target : "", p->server_identity, here->identity,
            point_state_text(p->state), created, p->name);
    if (p->state == POINT_COMPLETE)
        return check_expired(run, p, r, err);
    return process_check_over(p->owner, r->take_over, "making the point", p->name,
                              "--resume goes on with what it did", err);
}

static const char *const *copy_list(struct arena *arena, const char *const *items, unsigned count)
{
    const char **copy = arena_calloc(arena, count + 1, sizeof *copy);
    for (unsigned i = 0; i < count; i++)
        copy[i] = arena_strdup(arena, items[i]);
    return copy;
}

static struct point *begin_record(const struct run *run, const struct point_request *r)
{
    struct point *p = point_new(r->name);
    p->created_ms = clock_wall_ms(run->clock) / 1000 * 1000; /* the record has whole seconds */
    p->name_count = r->dump.name_count;
    p->names = copy_list(p->arena, r->dump.names, r->dump.name_count);
    p->exclude_count = r->dump.exclude_count;
    p->excludes = copy_list(p->arena, r->dump.excludes, r->dump.exclude_count);
    p->snapshot.instance = r->instance ? arena_strdup(p->arena, r->instance) : NULL;
    return p;
}

/* What this run says anew of a point, whoever began it. */
static enum err_code describe(struct point *p, const struct point_request *r, const struct server_mark *here,
                              struct err *err)
{
    char owner[PROCESS_TEXT_BYTES];
    process_put_self(owner);
    p->owner = arena_strdup(p->arena, owner);
    p->target = here->target ? arena_strdup(p->arena, here->target) : p->target;
    p->server_identity = here->identity ? arena_strdup(p->arena, here->identity) : p->server_identity;
    p->person = r->person ? arena_strdup(p->arena, r->person) : NULL;
    p->keep = r->keep;
    return r->git_folder ? git_read(r->git_folder, p->arena, &p->git, err) : ERR_OK;
}

/* Under the lock. */
static enum err_code take(const struct run *run, struct store *points, const struct point_request *r,
                          const struct server_mark *here, struct point **out, bool *existed, bool *resumed,
                          struct err *err)
{
    enum err_code code = point_get(points, r->name, out, err);
    bool fresh = code == ERR_NOT_FOUND;
    if (fresh) {
        *out = begin_record(run, r);
        code = ERR_OK;
    } else if (code == ERR_OK) {
        code = point_claim_check(run, *out, r, here, err);
        *existed = code == ERR_OK && (*out)->state == POINT_COMPLETE;
        *resumed = code == ERR_OK && !*existed;
    }
    if (code != ERR_OK || *existed)
        return code;
    code = describe(*out, r, here, err);
    return code == ERR_OK ? point_put(points, *out, fresh, err) : code;
}

enum err_code point_claim(const struct run *run, const struct point_stores *stores,
                          const struct point_request *request, const struct server_mark *here,
                          struct point **out, bool *existed, bool *resumed, struct err *err)
{
    struct store *locked;
    *out = NULL;
    *existed = *resumed = false;
    enum err_code code = point_lock(run, stores, &locked, err);
    if (code != ERR_OK)
        return code;
    code = take(run, stores->points, request, here, out, existed, resumed, err);
    store_free(locked);
    if (code != ERR_OK) { /* nothing of it is ours */
        point_free(*out);
        *out = NULL;
    }
    return code;
}
