#include "recovery/prune.h"

#include "archive/reader.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

/* A companion without its archive may belong to one that was finished while the store was listed. */
#define ORPHAN_AGE_MS ((int64_t)3600 * 1000)

/* Every object of the store, in byte order of its name. */
struct object {
    char *name;
    uint64_t bytes;
    int64_t modified_ms;
    bool goes;
};

struct objects {
    struct object *items;
    size_t count, cap;
};

static enum err_code add_object(void *arg, const struct store_entry *entry, struct err *err)
{
    struct objects *o = arg;
    (void)err;
    if (o->count == o->cap) {
        o->cap = o->cap ? 2 * o->cap : 64;
        o->items = xreallocarray(o->items, o->cap, sizeof *o->items);
    }
    o->items[o->count++] = (struct object){
        .name = xstrdup(entry->name), .bytes = entry->bytes, .modified_ms = entry->modified_ms};
    return ERR_OK;
}

static void objects_free(struct objects *o)
{
    for (size_t i = 0; i < o->count; i++)
        free(o->items[i].name);
    free(o->items);
}

static int compare_archives(const void *a, const void *b)
{
    const struct prune_archive *x = a, *y = b;
    return archive_name_compare(x->name, x->modified_ms, y->name, y->modified_ms);
}

static void take_archives(const struct objects *objects, struct prune_plan *p)
{
    p->archives = xcalloc(objects->count + 1, sizeof *p->archives);
    for (size_t i = 0; i < objects->count; i++) {
        const struct object *o = &objects->items[i];
        struct archive_name parsed;
        if (!archive_name_parse(o->name, &parsed))
            continue;
        struct prune_archive *a = &p->archives[p->count++];
        *a = (struct prune_archive){.name = xstrdup(o->name),
                                    .created_ms = parsed.created_ms,
                                    .modified_ms = o->modified_ms,
                                    .bytes = o->bytes};
        memcpy(a->label, parsed.label, sizeof a->label);
    }
    qsort(p->archives, p->count, sizeof *p->archives, compare_archives);
}

/* *fate: PRUNE_KEEP; PRUNE_EMPTY without a table or object; PRUNE_UNREADABLE for an archive that is damaged
 * or of a newer format; an error when that could not be found out. */
static enum err_code look_at(struct store *store, const char *name, enum prune_fate *fate, struct err *err)
{
    struct source *source = NULL;
    struct manifest *m = NULL;
    enum err_code code = store_open(store, name, &source, err);
    if (code == ERR_OK)
        code = archive_read_manifest(source, &m, err);
    bool empty = m && m->table_count == 0 && m->object_count == 0;
    *fate = code != ERR_OK ? PRUNE_UNREADABLE : empty ? PRUNE_EMPTY : PRUNE_KEEP;
    manifest_free(m);
    source_free(source);
    return code == ERR_DAMAGED || code == ERR_REFUSED ? ERR_OK : code;
}

static bool is_among(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool is_asked_for(const struct prune_options *o, const char *label)
{
    return !o->label || strcmp(o->label, label) == 0;
}

/* The newest that can be read of those of a label that would go with their points stays. */
static enum err_code spare_one(struct store *store, const char *label, struct prune_plan *p, bool *spared,
                               struct err *err)
{
    enum prune_fate fate;
    *spared = false;
    for (size_t i = p->count; i-- > 0 && !*spared;) {
        struct prune_archive *a = &p->archives[i];
        if (strcmp(a->label, label) != 0 || a->fate != PRUNE_EXPIRES)
            continue;
        if (look_at(store, a->name, &fate, err) != ERR_OK)
            return err_wrap(err, "look at %s", a->name);
        *spared = fate == PRUNE_KEEP;
        if (*spared)
            a->fate = PRUNE_SPARED;
    }
    return ERR_OK;
}

/* What becomes of one that is older than those that are kept. */
static enum prune_fate fate_of_older(const struct prune_options *options, const char *label, const char *name)
{
    if (options->keep_last == 0 || !is_asked_for(options, label))
        return PRUNE_KEEP;
    return is_among(options->pinned, options->pinned_count, name) ? PRUNE_PINNED : PRUNE_REMOVE;
}

/* No archive of the label holds anything: then empty ones count as others do. */
static void judge_empty(const char *label, const struct prune_options *options, unsigned wanted,
                        struct prune_plan *p)
{
    unsigned kept = 0;
    for (size_t i = p->count; i-- > 0;) {
        struct prune_archive *a = &p->archives[i];
        if (strcmp(a->label, label) == 0 && a->fate == PRUNE_EMPTY)
            a->fate = kept++ < wanted ? PRUNE_KEEP : fate_of_older(options, label, a->name);
    }
}

/* From the newest to the oldest of one label: finds keep_last readable ones that hold something (one when no
 * archive is to be removed), and removes what is older. */
static enum err_code judge_label(const struct run *run, struct store *store, const char *label,
                                 const struct prune_options *options, struct prune_plan *p, struct err *err)
{
    bool removes = options->keep_last > 0 && is_asked_for(options, label);
    bool spared;
    unsigned kept = 0, wanted = removes ? options->keep_last : 1;
    for (size_t i = p->count; i-- > 0;) {
        struct prune_archive *a = &p->archives[i];
        if (strcmp(a->label, label) != 0)
            continue;
        if (is_among(options->expiring, options->expiring_count, a->name)) {
            a->fate = PRUNE_EXPIRES;
            continue;
        }
        if (kept == wanted) {
            a->fate = fate_of_older(options, label, a->name);
            continue;
        }
        enum err_code code = cancel_check(run->cancel, err);
        if (code == ERR_OK)
            code = look_at(store, a->name, &a->fate, err);
        if (code != ERR_OK)
            return err_wrap(err, "look at %s", a->name);
        kept += a->fate == PRUNE_KEEP;
    }
    if (kept)
        return ERR_OK;
    enum err_code code = spare_one(store, label, p, &spared, err);
    if (code == ERR_OK && !spared)
        judge_empty(label, options, wanted, p);
    return code;
}

static bool has_expiring(const struct prune_options *o, const struct prune_plan *p, const char *label)
{
    for (size_t i = 0; o->expiring_count && i < p->count; i++)
        if (strcmp(p->archives[i].label, label) == 0 &&
            is_among(o->expiring, o->expiring_count, p->archives[i].name))
            return true;
    return false;
}

static bool is_first_of_label(const struct prune_plan *p, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(p->archives[i].label, p->archives[index].label) == 0)
            return false;
    return true;
}

static enum err_code judge(const struct run *run, struct store *store, const struct prune_options *options,
                           struct prune_plan *p, struct err *err)
{
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < p->count; i++) {
        const char *label = p->archives[i].label;
        bool looked_at =
            (options->keep_last > 0 && is_asked_for(options, label)) || has_expiring(options, p, label);
        if (looked_at && is_first_of_label(p, i))
            code = judge_label(run, store, label, options, p, err);
    }
    return code;
}

/* Drops what was only looked at because of points that expire, and counts. */
static void finish(const struct prune_options *options, struct prune_plan *p)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        struct prune_archive *a = &p->archives[i];
        if (!is_asked_for(options, a->label) && a->fate != PRUNE_SPARED) {
            free(a->name);
            continue;
        }
        if (a->fate == PRUNE_REMOVE) {
            p->removals++;
            p->bytes += a->bytes;
        } else if (a->fate != PRUNE_EXPIRES) {
            p->kept++;
        }
        p->archives[count++] = *a;
    }
    p->count = count;
}

static int compare_names(const void *key, const void *object)
{
    return strcmp(key, ((const struct object *)object)->name);
}

static struct object *find_object(const struct objects *o, const char *name)
{
    return o->count ? bsearch(name, o->items, o->count, sizeof *o->items, compare_names) : NULL;
}

static void take_companions(const struct run *run, const struct objects *objects,
                            const struct prune_options *options, struct prune_plan *p)
{
    int64_t orphan_before_ms = clock_wall_ms(run->clock) - ORPHAN_AGE_MS;
    for (size_t i = 0; i < p->count; i++)
        if (p->archives[i].fate == PRUNE_REMOVE)
            find_object(objects, p->archives[i].name)->goes = true;
    p->companions = xcalloc(objects->count + 1, sizeof *p->companions);
    for (size_t i = 0; i < objects->count; i++) {
        const struct object *o = &objects->items[i];
        size_t length = archive_name_of_companion(o->name);
        char *name = xstrndup(o->name, length);
        const struct object *archive = length ? find_object(objects, name) : NULL;
        bool orphan = length && !archive && !options->label && o->modified_ms < orphan_before_ms;
        if (orphan || (archive && archive->goes))
            p->companions[p->companion_count++] = xstrdup(o->name);
        free(name);
    }
}

enum err_code prune_plan_make(const struct run *run, struct store *store, const struct prune_options *options,
                              struct prune_plan *out, struct err *err)
{
    struct objects objects = {0};
    *out = (struct prune_plan){0};
    enum err_code code = store_list(store, add_object, &objects, err);
    if (code == ERR_OK) {
        take_archives(&objects, out);
        code = judge(run, store, options, out, err);
    }
    if (code == ERR_OK) {
        finish(options, out);
        take_companions(run, &objects, options, out);
    }
    objects_free(&objects);
    return code;
}

bool prune_plan_spares(const struct prune_plan *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->archives[i].fate == PRUNE_SPARED && strcmp(p->archives[i].name, name) == 0)
            return true;
    return false;
}

void prune_plan_free(struct prune_plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->archives[i].name);
    for (size_t i = 0; i < p->companion_count; i++)
        free(p->companions[i]);
    free(p->archives);
    free(p->companions);
}

static enum err_code remove_object(const struct run *run, struct store *store, const char *name,
                                   struct err *err)
{
    enum err_code code = cancel_check(run->cancel, err);
    if (code == ERR_OK)
        code = store_remove(store, name, err);
    if (code == ERR_OK)
        log_debug(run->log, "removed %s", name);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

enum err_code prune_plan_apply(const struct run *run, struct store *store, const struct prune_plan *plan,
                               struct err *err)
{
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < plan->count; i++)
        if (plan->archives[i].fate == PRUNE_REMOVE)
            code = remove_object(run, store, plan->archives[i].name, err);
    for (size_t i = 0; code == ERR_OK && i < plan->companion_count; i++)
        code = remove_object(run, store, plan->companions[i], err);
    return code;
}
