#include "restore/target.h"

#include <stdlib.h>
#include <string.h>

#define SQL_MAX_BYTES ((size_t)32 << 20)
/* Below this a table's keys are made with it: an ALTER would cost more than it saves. */
#define DEFER_MIN_ROWS 5000

/* ---- names ---- */

static enum err_code map_schema(const char *schema, const struct restore_options *o, const char **out,
                                struct err *err)
{
    *out = schema;
    for (unsigned i = 0; i < o->into_count; i++) {
        const char *from = o->into[2 * i], *to = o->into[2 * i + 1];
        if (!from || strcmp(from, schema) == 0) {
            *out = to;
            break;
        }
    }
    static const char *const system[] = {"mysql", "sys", "information_schema", "performance_schema"};
    for (size_t i = 0; i < sizeof system / sizeof system[0]; i++)
        if (strcmp(*out, system[i]) == 0)
            return err_set(err, ERR_USAGE, "restore into %s: that database is the server's own", *out);
    if (strncmp(*out, "dbsafe_", 7) == 0)
        return err_set(err, ERR_USAGE, "restore into %s: names that begin with dbsafe_ are dbsafe's own",
                       *out);
    return ERR_OK;
}

static enum err_code add_schema(struct targets *t, const char *schema, const char *original, struct err *err)
{
    for (unsigned i = 0; i < t->schema_count; i++) {
        if (strcmp(t->schemas[i], schema) != 0)
            continue;
        if (strcmp(t->originals[i], original) != 0)
            return err_set(
                err, ERR_USAGE,
                "restore %s and %s both into %s: give each its own database with --into OLD=NEW,...",
                t->originals[i], original, schema);
        return ERR_OK;
    }
    t->schemas[t->schema_count] = schema;
    t->originals[t->schema_count++] = original;
    return ERR_OK;
}

/* ---- keys that can wait ---- */

static bool can_wait(enum ddl_kind kind)
{
    return kind == DDL_UNIQUE || kind == DDL_KEY || kind == DDL_FULLTEXT || kind == DDL_SPATIAL;
}

/*
 * Secondary keys are added after the data, except where a key must be there from the start: for the
 * AUTO_INCREMENT column or a foreign key.  A table has all of them added or none, so that their order stays
 * as it was.  A versioned table refuses ALTER.
 */
static void choose_deferred(struct target *t, bool is_parent, struct arena *arena)
{
    const struct ddl *d = &t->ddl;
    t->deferred = arena_calloc(arena, d->item_count, sizeof *t->deferred);
    const char *counter = NULL, *primary = NULL;
    bool keep =
        is_parent || t->table->system_versioned || (t->table->rows && t->table->rows < DEFER_MIN_ROWS);
    for (unsigned i = 0; i < d->item_count; i++) {
        if (d->items[i].kind == DDL_COLUMN && d->items[i].auto_increment)
            counter = d->items[i].name;
        if (d->items[i].kind == DDL_PRIMARY)
            primary = d->items[i].first_column;
        keep |= d->items[i].kind == DDL_FOREIGN;
    }
    keep |= counter && (!primary || strcmp(primary, counter) != 0);
    for (unsigned i = 0; !keep && i < d->item_count; i++) {
        t->deferred[i] = can_wait(d->items[i].kind);
        t->deferred_count += t->deferred[i];
    }
}

/* The tables to which foreign keys of the set refer, sorted. */
struct parent {
    const char *schema, *name; /* the archive's */
};

static int compare_parents(const void *a, const void *b)
{
    const struct parent *x = a, *y = b;
    int order = strcmp(x->schema, y->schema);
    return order ? order : strcmp(x->name, y->name);
}

/* parents: room for all; NULL: only counts. */
static size_t list_parents(const struct targets *t, struct parent *parents)
{
    size_t n = 0;
    for (unsigned i = 0; i < t->count; i++)
        for (unsigned k = 0; k < t->items[i].ddl.item_count; k++) {
            const struct ddl_item *item = &t->items[i].ddl.items[k];
            if (item->kind != DDL_FOREIGN || !item->parent_table)
                continue;
            if (parents)
                parents[n] =
                    (struct parent){item->parent_schema ? item->parent_schema : t->items[i].table->schema,
                                    item->parent_table};
            n++;
        }
    return n;
}

static void choose_all_deferred(struct targets *t)
{
    size_t count = list_parents(t, NULL);
    struct parent *parents = arena_calloc(t->arena, count + 1, sizeof *parents);
    list_parents(t, parents);
    qsort(parents, count, sizeof *parents, compare_parents);
    for (unsigned i = 0; i < t->count; i++) {
        const struct parent self = {t->items[i].table->schema, t->items[i].table->name};
        bool is_parent = bsearch(&self, parents, count, sizeof *parents, compare_parents) != NULL;
        choose_deferred(&t->items[i], is_parent, t->arena);
    }
}

static const char *map_collations(const struct targets *t, const char *ddl_text)
{
    if (t->mapped.count == 0)
        return ddl_text;
    struct buf text;
    buf_init(&text, SQL_MAX_BYTES);
    collation_map_apply(&t->mapped, ddl_text, &text);
    const char *mapped = arena_strndup(t->arena, buf_cstr(&text), text.len);
    buf_free(&text);
    return mapped;
}

static enum err_code make_target(struct targets *t, const struct manifest_table *table, const char *ddl_text,
                                 const struct restore_options *options, struct err *err)
{
    struct target *item = &t->items[t->count++];
    item->table = table;
    item->name = table->name;
    item->ddl_text = map_collations(t, ddl_text);
    enum err_code code = map_schema(table->schema, options, &item->schema, err);
    if (code == ERR_OK)
        code = add_schema(t, item->schema, table->schema, err);
    if (code == ERR_OK && ddl_parse(item->ddl_text, t->arena, &item->ddl, err) != ERR_OK)
        code = err->code = ERR_DAMAGED;
    return code;
}

/* --into OLD=NEW with an OLD that is not there would be a typing error that restores over the original. */
static enum err_code check_into(const struct targets *t, const struct restore_options *o, struct err *err)
{
    for (unsigned i = 0; i < o->into_count; i++) {
        const char *old = o->into[2 * i];
        bool found = old == NULL;
        for (unsigned k = 0; !found && k < t->schema_count; k++)
            found = strcmp(t->originals[k], old) == 0;
        if (!found)
            return err_set(err, ERR_NOT_FOUND,
                           "restore --into %s=%s: no chosen table of the archive is in %s", old,
                           o->into[2 * i + 1], old);
    }
    return ERR_OK;
}

static void reserve_schemas(struct targets *t, unsigned more)
{
    size_t room = t->schema_count + more + 1;
    const char **schemas = arena_calloc(t->arena, room, sizeof *schemas);
    const char **originals = arena_calloc(t->arena, room, sizeof *originals);
    bool *exists = arena_calloc(t->arena, room, sizeof *exists);
    for (unsigned i = 0; i < t->schema_count; i++) {
        schemas[i] = t->schemas[i];
        originals[i] = t->originals[i];
        exists[i] = t->schema_exists[i];
    }
    t->schemas = schemas;
    t->originals = originals;
    t->schema_exists = exists;
}

enum err_code targets_add_schemas(struct targets *t, const struct manifest *m,
                                  const struct restore_options *options, struct err *err)
{
    enum err_code code = ERR_OK;
    reserve_schemas(t, m->schema_count);
    for (unsigned i = 0; code == ERR_OK && options->table_count == 0 && i < m->schema_count; i++) {
        const char *target;
        code = map_schema(m->schemas[i].name, options, &target, err);
        if (code == ERR_OK)
            code = add_schema(t, target, m->schemas[i].name, err);
    }
    return code;
}

/* ---- sequences ---- */

static bool is_used(const struct targets *t, const struct manifest_object *o)
{
    for (unsigned i = 0; i < t->count; i++)
        for (unsigned k = 0; k < t->items[i].table->sequence_count; k++) {
            const struct manifest_name *used = &t->items[i].table->sequences[k];
            if (strcmp(used->name, o->name) == 0 && strcmp(used->schema, o->schema) == 0)
                return true;
        }
    return false;
}

/* Sequences come back with the whole, or with a table that takes a default from them. */
static enum err_code make_sequences(struct targets *t, const struct input *in,
                                    const struct restore_options *options, struct err *err)
{
    const struct manifest *m = in->manifest;
    enum err_code code = ERR_OK;
    t->sequences = arena_calloc(t->arena, m->object_count + 1, sizeof *t->sequences);
    for (unsigned i = 0; code == ERR_OK && i < m->object_count; i++) {
        const struct manifest_object *o = &m->objects[i];
        if (o->kind != OBJECT_SEQUENCE)
            continue;
        bool used = is_used(t, o);
        if (!used && options->table_count)
            continue;
        struct target_sequence *s = &t->sequences[t->sequence_count++];
        *s = (struct target_sequence){
            .object = o, .text = in->objects[i].text, .name = o->name, .is_default = used};
        for (unsigned k = 0; k < m->schema_count; k++)
            if (strcmp(m->schemas[k].name, o->schema) == 0)
                s->collation = collation_map_find(&t->mapped, m->schemas[k].collation);
        code = map_schema(o->schema, options, &s->schema, err);
        if (code == ERR_OK)
            code = add_schema(t, s->schema, o->schema, err);
    }
    return code;
}

/* ---- the whole ---- */

enum err_code targets_make(const struct input *in, const struct restore_options *options, struct arena *arena,
                           struct targets *out, struct err *err)
{
    const struct manifest *m = in->manifest;
    *out = (struct targets){.arena = arena};
    out->items = arena_calloc(arena, m->table_count + 1, sizeof *out->items);
    reserve_schemas(out, m->table_count + m->object_count);
    enum err_code code =
        collation_map_parse(options->map_collations, options->map_collation_count, arena, &out->mapped, err);
    for (unsigned i = 0; code == ERR_OK && i < m->table_count; i++)
        if (in->chosen[i])
            code = make_target(out, &m->tables[i], in->ddl_texts[i], options, err);
    if (code == ERR_OK)
        code = make_sequences(out, in, options, err);
    if (code == ERR_OK)
        code = targets_add_schemas(out, m, options, err);
    if (code == ERR_OK)
        code = check_into(out, options, err);
    if (code == ERR_OK)
        choose_all_deferred(out);
    return code;
}

const char *targets_map(const struct targets *t, const char *original)
{
    for (unsigned i = 0; i < t->schema_count; i++)
        if (strcmp(t->originals[i], original) == 0)
            return t->schemas[i];
    return NULL;
}

const struct target *targets_find(const struct targets *t, const char *original_schema, const char *name)
{
    for (unsigned i = 0; i < t->count; i++)
        if (strcmp(t->items[i].table->name, name) == 0 &&
            strcmp(t->items[i].table->schema, original_schema) == 0)
            return &t->items[i];
    return NULL;
}

bool targets_bring(const struct targets *t, const struct restore_options *options,
                   const struct manifest_object *o)
{
    if (o->kind == OBJECT_TRIGGER)
        return targets_find(t, o->schema, o->table) != NULL;
    for (unsigned i = 0; o->kind == OBJECT_SEQUENCE && i < t->sequence_count; i++)
        if (t->sequences[i].object == o)
            return true;
    return o->kind != OBJECT_SEQUENCE && options->table_count == 0 && targets_map(t, o->schema);
}

unsigned targets_schema_index(const struct targets *t, const char *schema)
{
    unsigned i = 0;
    while (strcmp(t->schemas[i], schema) != 0)
        i++;
    return i;
}
