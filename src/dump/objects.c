#include "dump/objects.h"

#include "archive/digest.h"
#include "archive/text.h"
#include "core/fault.h"
#include "core/mem.h"
#include "core/text.h"
#include "db/view_uses.h"

#include <stdlib.h>
#include <string.h>

/* From this many tables of a database on, its triggers are read in one query. */
#define MANY_TABLES 16

void objects_init(struct objects *o, struct arena *arena)
{
    *o = (struct objects){.arena = arena};
}

void objects_free(struct objects *o)
{
    free(o->items);
}

void objects_add(struct objects *o, const struct catalog_object *object)
{
    for (unsigned i = 0; i < o->count; i++)
        if (o->items[i].kind == object->kind && strcmp(o->items[i].name, object->name) == 0 &&
            strcmp(o->items[i].schema, object->schema) == 0)
            return;
    if (o->count == o->cap) {
        o->cap = o->cap ? 2 * o->cap : 64;
        o->items = xreallocarray(o->items, o->cap, sizeof *o->items);
    }
    o->items[o->count++] = *object;
}

static enum object_kind kind_of(enum catalog_kind kind)
{
    static const enum object_kind kinds[] = {
        [CATALOG_VIEW] = OBJECT_VIEW,         [CATALOG_SEQUENCE] = OBJECT_SEQUENCE,
        [CATALOG_PACKAGE] = OBJECT_PACKAGE,   [CATALOG_PACKAGE_BODY] = OBJECT_PACKAGE_BODY,
        [CATALOG_FUNCTION] = OBJECT_FUNCTION, [CATALOG_PROCEDURE] = OBJECT_PROCEDURE,
        [CATALOG_TRIGGER] = OBJECT_TRIGGER,   [CATALOG_EVENT] = OBJECT_EVENT};
    return kinds[kind];
}

static const char *object_name(struct arena *arena, const struct catalog_object *o)
{
    return arena_printf(arena, "%s.%s", o->schema, o->name);
}

static void warn(struct manifest *m, const struct catalog_object *o, const char *text)
{
    manifest_add_warning(m, object_name(m->arena, o), text);
}

/* ---- triggers ---- */

struct trigger_list {
    struct db_conn *c;
    struct arena *arena;
    const struct manifest *m;
    struct catalog_object *items; /* owned until handed out */
    unsigned count, cap;
};

/* Keeps those of the list that belong to tables of the manifest. */
static void take_triggers(struct trigger_list *l, const struct catalog_object *found, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (!manifest_find_table(l->m, found[i].schema, found[i].table))
            continue;
        if (l->count == l->cap) {
            l->cap = l->cap ? 2 * l->cap : 64;
            l->items = xreallocarray(l->items, l->cap, sizeof *l->items);
        }
        l->items[l->count++] = found[i];
    }
}

static unsigned tables_in(const struct manifest *m, const char *schema)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->table_count; i++)
        n += strcmp(m->tables[i].schema, schema) == 0;
    return n;
}

static enum err_code find_in_schema(struct trigger_list *l, const char *schema, struct err *err)
{
    struct catalog_object *found;
    unsigned n, tables = tables_in(l->m, schema);
    enum err_code code = ERR_OK;
    if (tables >= MANY_TABLES) {
        code = catalog_table_triggers(l->c, l->arena, schema, NULL, &found, &n, err);
        if (code == ERR_OK)
            take_triggers(l, found, n);
        return code;
    }
    for (unsigned i = 0; code == ERR_OK && tables > 0 && i < l->m->table_count; i++) {
        if (strcmp(l->m->tables[i].schema, schema) != 0)
            continue;
        code = catalog_table_triggers(l->c, l->arena, schema, l->m->tables[i].name, &found, &n, err);
        if (code == ERR_OK)
            take_triggers(l, found, n);
    }
    return code;
}

static enum err_code find_triggers(struct db_conn *c, struct arena *arena, const struct manifest *m,
                                   struct catalog_object **out, unsigned *count, struct err *err)
{
    struct trigger_list l = {.c = c, .arena = arena, .m = m};
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < m->schema_count; i++)
        code = find_in_schema(&l, m->schemas[i].name, err);
    *count = l.count;
    *out = arena_calloc(arena, l.count + 1, sizeof **out);
    for (unsigned i = 0; i < l.count; i++)
        (*out)[i] = l.items[i];
    free(l.items);
    return code;
}

enum err_code objects_find_triggers(struct objects *o, struct db_conn *c, const struct manifest *m,
                                    struct err *err)
{
    struct catalog_object *found;
    enum err_code code = find_triggers(c, o->arena, m, &found, &o->trigger_count, err);
    o->triggers = found;
    return code;
}

/* ---- order ---- */

struct ranked {
    struct catalog_object object;
    unsigned place; /* among all, as they were collected */
};

static int by_kind(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    enum object_kind kind = kind_of(x->object.kind), other = kind_of(y->object.kind);
    if (kind != other)
        return kind < other ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void sort_by_kind(struct objects *o)
{
    struct ranked *all = xcalloc(o->count + 1, sizeof *all);
    for (unsigned i = 0; i < o->count; i++)
        all[i] = (struct ranked){o->items[i], i};
    qsort(all, o->count, sizeof *all, by_kind);
    for (unsigned i = 0; i < o->count; i++)
        o->items[i] = all[i].object;
    free(all);
}

/* Views behind those that they use: a walk in depth over their numbers, of which those that were not reached
 * yet, are being walked through, and are placed already differ. */
enum mark { NEW, OPEN, PLACED };

struct walk {
    struct objects *o;
    unsigned first, behind; /* the views among o->items */
    struct view_use **uses; /* from first on */
    unsigned *use_counts;
    enum mark *marks;
    unsigned *order; /* numbers, in the order found */
    unsigned placed;
};

static unsigned find_view(const struct walk *w, const struct view_use *use)
{
    for (unsigned i = w->first; i < w->behind; i++)
        if (strcmp(w->o->items[i].name, use->name) == 0 && strcmp(w->o->items[i].schema, use->schema) == 0)
            return i;
    return w->behind;
}

/* Recursive: a chain of views is as long as people make it, and the server itself recurses over it. */
static void place(struct walk *w, unsigned i)
{
    unsigned at = i - w->first;
    if (w->marks[at] != NEW)
        return; /* placed, or a circle: there is no right order */
    w->marks[at] = OPEN;
    for (unsigned k = 0; k < w->use_counts[at]; k++) {
        unsigned other = find_view(w, &w->uses[at][k]);
        if (other < w->behind)
            place(w, other);
    }
    w->marks[at] = PLACED;
    w->order[w->placed++] = i;
}

static bool is_schema(const struct catalog_schema *schemas, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(schemas[i].name, name) == 0)
            return true;
    return false;
}

/* What each view uses; `alias`.`column` looks the same as `database`.`table` but for the first part. */
static enum err_code read_uses(struct walk *w, struct db_conn *c, struct err *err)
{
    struct catalog_schema *schemas;
    unsigned schema_count;
    enum err_code code = catalog_schemas(c, w->o->arena, &schemas, &schema_count, err);
    for (unsigned i = w->first; code == ERR_OK && i < w->behind; i++) {
        unsigned n, kept = 0;
        struct view_use *uses = view_uses(w->o->items[i].query, w->o->arena, &n);
        for (unsigned k = 0; k < n; k++)
            if (is_schema(schemas, schema_count, uses[k].schema))
                uses[kept++] = uses[k];
        w->uses[i - w->first] = uses;
        w->use_counts[i - w->first] = kept;
    }
    return code;
}

/* Definer and query of the views that are wanted. */
static enum err_code complete_views(struct walk *w, struct db_conn *c, struct err *err)
{
    const char *schema = NULL;
    struct catalog_object *found = NULL;
    unsigned n = 0;
    enum err_code code = ERR_OK;
    for (unsigned i = w->first; code == ERR_OK && i < w->behind; i++) {
        struct catalog_object *view = &w->o->items[i];
        if (!schema || strcmp(schema, view->schema) != 0)
            code = catalog_views(c, w->o->arena, schema = view->schema, &found, &n, err);
        for (unsigned k = 0; code == ERR_OK && k < n; k++)
            if (strcmp(found[k].name, view->name) == 0) {
                view->definer = found[k].definer;
                view->query = found[k].query;
            }
        if (!view->query)
            view->definer = view->query = "";
    }
    return code;
}

static void apply_order(struct walk *w, struct manifest *m)
{
    unsigned n = w->behind - w->first;
    struct catalog_object *sorted = xcalloc(n + 1, sizeof *sorted);
    for (unsigned i = w->first; i < w->behind; i++)
        place(w, i);
    for (unsigned i = 0; i < n; i++) {
        unsigned from = w->order[i] - w->first;
        struct manifest_object *out = &m->objects[w->first + i];
        struct manifest_name *uses = arena_calloc(m->arena, w->use_counts[from] + 1, sizeof *uses);
        sorted[i] = w->o->items[w->order[i]];
        for (unsigned k = 0; k < w->use_counts[from]; k++)
            uses[k] = (struct manifest_name){w->uses[from][k].schema, w->uses[from][k].name};
        out->uses = uses;
        out->use_count = w->use_counts[from];
    }
    for (unsigned i = 0; i < n; i++)
        w->o->items[w->first + i] = sorted[i];
    free(sorted);
}

static enum err_code order_views(struct objects *o, struct db_conn *c, struct manifest *m, struct err *err)
{
    struct walk w = {.o = o};
    while (w.first < o->count && kind_of(o->items[w.first].kind) < OBJECT_VIEW)
        w.first++;
    w.behind = w.first;
    while (w.behind < o->count && o->items[w.behind].kind == CATALOG_VIEW)
        w.behind++;
    unsigned n = w.behind - w.first;
    w.uses = xcalloc(n + 1, sizeof *w.uses);
    w.use_counts = xcalloc(n + 1, sizeof *w.use_counts);
    w.marks = xcalloc(n + 1, sizeof *w.marks);
    w.order = xcalloc(n + 1, sizeof *w.order);
    enum err_code code = n ? complete_views(&w, c, err) : ERR_OK;
    if (code == ERR_OK && n)
        code = read_uses(&w, c, err);
    if (code == ERR_OK)
        apply_order(&w, m);
    free(w.order);
    free(w.marks);
    free(w.use_counts);
    free(w.uses);
    return code;
}

/* ---- the manifest ---- */

static enum event_state state_of(const char *status)
{
    if (strcmp(status, "ENABLED") == 0)
        return EVENT_ENABLED;
    return strcmp(status, "DISABLED") == 0 ? EVENT_DISABLED : EVENT_REPLICA_DISABLED;
}

static enum err_code vanished(const struct catalog_object *o, const char *when, struct err *err)
{
    return err_set(err, ERR_SNAPSHOT,
                   "dump %s %s.%s: it was dropped or renamed while the dump %s (DDL): run it again",
                   object_kind_name(kind_of(o->kind)), o->schema, o->name, when);
}

static const char *digest(struct arena *arena, const struct catalog_definition *d)
{
    char hex[SHA256_HEX_BYTES];
    digest_of(d->text, d->bytes, hex);
    return arena_strdup(arena, hex);
}

static void fill(struct manifest_object *out, const struct catalog_object *o,
                 const struct catalog_definition *d, struct arena *arena, unsigned number)
{
    out->number = number;
    out->kind = kind_of(o->kind);
    out->schema = o->schema;
    out->name = o->name;
    out->dir = archive_slug(arena, number, o->name);
    out->ddl_sha256 = digest(arena, d);
    out->definer = o->definer;
    out->sql_mode = d->sql_mode;
    out->charset = d->charset;
    out->collation = d->collation;
    out->db_collation = d->db_collation;
    out->time_zone = d->time_zone;
    out->table = o->table;
    out->timing = o->timing;
    out->action = o->action;
    out->order = o->order;
    out->state = o->status ? state_of(o->status) : EVENT_ENABLED;
    out->broken = o->broken != NULL;
}

static enum err_code define(struct objects *o, unsigned i, struct db_conn *c, struct manifest *m,
                            struct err *err)
{
    const struct catalog_object *object = &o->items[i];
    struct catalog_definition *d = &o->definitions[i];
    enum err_code code = fault_point("plan_define", ERR_DB, err);
    if (code == ERR_OK)
        code = catalog_define(c, o->arena, object, d, err);
    if (code == ERR_NOT_FOUND)
        return vanished(object, "was planned", err);
    if (code == ERR_DB || code == ERR_DB_DENIED)
        err_hint(err, "; --exclude leaves it out");
    if (code != ERR_OK)
        return err_wrap(err, "dump %s.%s", object->schema, object->name);
    fill(&m->objects[i], object, d, m->arena, i + 1);
    if (object->broken)
        warn(m, object, arena_printf(m->arena, "a broken view, kept as it is: %s", object->broken));
    if (d->warning)
        warn(m, object, d->warning);
    return ERR_OK;
}

/* The names of the triggers that are in the archive. */
static void name_triggers(const struct objects *o, struct manifest *m)
{
    for (unsigned i = 0; i < o->count; i++) {
        if (o->items[i].kind != CATALOG_TRIGGER)
            continue;
        struct manifest_table *t = manifest_find_table(m, o->items[i].schema, o->items[i].table);
        if (!t->triggers)
            t->triggers = arena_calloc(m->arena, o->count, sizeof *t->triggers);
        ((const char **)t->triggers)[t->trigger_count++] = o->items[i].name;
    }
}

enum err_code objects_define(struct objects *o, struct db_conn *c, struct manifest *m, struct err *err)
{
    sort_by_kind(o);
    m->objects = arena_calloc(m->arena, o->count + 1, sizeof *m->objects);
    m->object_count = o->count;
    o->definitions = arena_calloc(o->arena, o->count + 1, sizeof *o->definitions);
    struct err unseen = {.code = ERR_OK}, one = {.code = ERR_OK};
    enum err_code code = order_views(o, c, m, err);
    for (unsigned i = 0; code == ERR_OK && i < o->count; i++) {
        code = define(o, i, c, m, &one);
        if (code == ERR_DB_DENIED) {
            if (unseen.code == ERR_OK)
                unseen = one;
            code = ERR_OK;
        } else if (code != ERR_OK) {
            err_copy(err, &one);
        }
    }
    if (code == ERR_OK && unseen.code != ERR_OK)
        return err_copy(err, &unseen);
    if (code == ERR_OK)
        name_triggers(o, m);
    return code == ERR_OK ? objects_read_sequences(o, c, m, err) : code;
}

enum err_code objects_read_sequences(const struct objects *o, struct db_conn *c, struct manifest *m,
                                     struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < o->count && o->items[i].kind == CATALOG_SEQUENCE; i++) {
        struct catalog_sequence s;
        code = catalog_sequence(c, m->arena, o->items[i].schema, o->items[i].name, &s, err);
        if (code == ERR_OK)
            m->objects[i].sequence =
                (struct manifest_sequence){s.next,      s.minimum, s.maximum,         s.start,
                                           s.increment, s.cache,   s.cycle[0] == '1', s.cycle_count};
    }
    return code;
}

/* ---- at the end ---- */

static enum err_code check_one(const struct objects *o, unsigned i, struct db_conn *c, struct arena *arena,
                               struct err *err)
{
    const struct catalog_object *object = &o->items[i];
    const struct catalog_definition *was = &o->definitions[i];
    struct catalog_definition is;
    enum err_code code = catalog_define(c, arena, object, &is, err);
    if (code == ERR_NOT_FOUND)
        return vanished(object, "ran", err);
    if (code != ERR_OK)
        return err_wrap(err, "look again at %s.%s", object->schema, object->name);
    bool same = was->bytes == is.bytes && memcmp(was->text, is.text, is.bytes) == 0 &&
                text_equal(was->sql_mode, is.sql_mode) && text_equal(was->charset, is.charset) &&
                text_equal(was->collation, is.collation) && text_equal(was->db_collation, is.db_collation) &&
                text_equal(was->time_zone, is.time_zone);
    if (same)
        return ERR_OK;
    return err_set(err, ERR_SNAPSHOT,
                   "dump %s %s.%s: its definition was changed while the dump ran (DDL): run it again",
                   object_kind_name(kind_of(object->kind)), object->schema, object->name);
}

static bool same_trigger(const struct catalog_object *a, const struct catalog_object *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->table, b->table) == 0 &&
           strcmp(a->schema, b->schema) == 0 && strcmp(a->timing, b->timing) == 0 &&
           strcmp(a->action, b->action) == 0 && a->order == b->order;
}

/* Which triggers a table has, and in which order they fire, shows in none of their definitions. */
static enum err_code check_triggers(const struct objects *o, struct db_conn *c, const struct manifest *m,
                                    struct arena *arena, struct err *err)
{
    struct catalog_object *now;
    unsigned count, i = 0;
    enum err_code code = find_triggers(c, arena, m, &now, &count, err);
    if (code != ERR_OK)
        return err_wrap(err, "look again at the triggers");
    while (i < count && i < o->trigger_count && same_trigger(&o->triggers[i], &now[i]))
        i++;
    if (i == count && i == o->trigger_count)
        return ERR_OK;
    const struct catalog_object *other = i < count ? &now[i] : &o->triggers[i];
    return err_set(err, ERR_SNAPSHOT,
                   "dump %s.%s: its triggers were changed while the dump ran (DDL, trigger %s): run it again",
                   other->schema, other->table, other->name);
}

enum err_code objects_check(const struct objects *o, struct db_conn *c, const struct manifest *m,
                            struct err *err)
{
    struct arena *arena = arena_new();
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < o->count; i++)
        code = check_one(o, i, c, arena, err);
    if (code == ERR_OK)
        code = check_triggers(o, c, m, arena, err);
    arena_free(arena);
    return code;
}
