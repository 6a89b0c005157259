#include "verify/live_objects.h"

#include "archive/digest.h"
#include "core/mem.h"
#include "core/text.h"
#include "db/catalog_objects.h"

#include <stdlib.h>
#include <string.h>

/* ---- what was dumped ---- */

struct looking {
    struct db_conn *c;
    const struct manifest *m;
    struct verify_result *result;
    struct arena *arena;
    /* what the database of the object before has, by kind */
    const char *schema;
    enum object_kind kind;
    struct catalog_object *found;
    unsigned count;
};

static const enum catalog_kind KINDS[OBJECT_KINDS] = {
    [OBJECT_SEQUENCE] = CATALOG_SEQUENCE,         [OBJECT_PACKAGE] = CATALOG_PACKAGE,
    [OBJECT_PACKAGE_BODY] = CATALOG_PACKAGE_BODY, [OBJECT_FUNCTION] = CATALOG_FUNCTION,
    [OBJECT_PROCEDURE] = CATALOG_PROCEDURE,       [OBJECT_VIEW] = CATALOG_VIEW,
    [OBJECT_TRIGGER] = CATALOG_TRIGGER,           [OBJECT_EVENT] = CATALOG_EVENT};

static void add_problem(struct looking *l, const struct manifest_object *o, const char *what)
{
    char *where = xasprintf("%s.%s", o->schema, o->name);
    verify_add_problem(l->result, where, "%s", what);
    free(where);
}

/* Sequences are listed with the tables, and have neither definer nor comment. */
static enum err_code list_sequences(struct looking *l, const char *schema, struct err *err)
{
    struct catalog_table *tables;
    unsigned count;
    enum err_code code = catalog_tables(l->c, l->arena, schema, NULL, &tables, &count, err);
    l->found = arena_calloc(l->arena, count + 1, sizeof *l->found);
    l->count = 0;
    for (unsigned i = 0; code == ERR_OK && i < count; i++)
        if (tables[i].kind == CATALOG_SEQUENCE)
            l->found[l->count++] =
                (struct catalog_object){.schema = schema, .name = tables[i].name, .kind = CATALOG_SEQUENCE};
    return code;
}

static enum err_code list(struct looking *l, const struct manifest_object *o, struct err *err)
{
    if (l->schema && strcmp(l->schema, o->schema) == 0 && l->kind == o->kind)
        return ERR_OK;
    l->schema = o->schema;
    l->kind = o->kind;
    switch (o->kind) {
    case OBJECT_SEQUENCE:
        return list_sequences(l, o->schema, err);
    case OBJECT_VIEW:
        return catalog_views(l->c, l->arena, o->schema, &l->found, &l->count, err);
    case OBJECT_TRIGGER:
        return catalog_table_triggers(l->c, l->arena, o->schema, NULL, &l->found, &l->count, err);
    case OBJECT_EVENT:
        return catalog_events(l->c, l->arena, o->schema, &l->found, &l->count, err);
    default:
        return catalog_routines(l->c, l->arena, o->schema, &l->found, &l->count, err);
    }
}

static void compare(struct looking *l, const struct manifest_object *o, const struct catalog_object *is,
                    const struct catalog_definition *d)
{
    char hex[SHA256_HEX_BYTES];
    digest_of(d->text, d->bytes, hex);
    if (strcmp(hex, o->ddl_sha256) != 0 && !text_equal(is->definer, o->definer))
        add_problem(
            l, o,
            arena_printf(l->arena,
                         "its definition is not the one that was dumped (its definer is %s, and was %s)",
                         is->definer, o->definer));
    else if (strcmp(hex, o->ddl_sha256) != 0)
        add_problem(l, o, "its definition is not the one that was dumped");
    if (o->kind == OBJECT_TRIGGER &&
        (strcmp(is->table, o->table) != 0 || strcmp(is->timing, o->timing) != 0 ||
         strcmp(is->action, o->action) != 0 || is->order != o->order))
        add_problem(l, o,
                    "it fires for another table or action, or in another order, than when it was dumped");
    const struct {
        const char *what, *is, *was;
    } settings[] = {{"sql_mode", d->sql_mode, o->sql_mode},
                    {"character set", d->charset, o->charset},
                    {"collation", d->collation, o->collation},
                    {"database's collation", d->db_collation, o->db_collation},
                    {"time zone", d->time_zone, o->time_zone}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (!text_equal(settings[i].is, settings[i].was))
            add_problem(l, o,
                        arena_printf(l->arena, "its %s is '%s', and was '%s'", settings[i].what,
                                     settings[i].is ? settings[i].is : "",
                                     settings[i].was ? settings[i].was : ""));
}

static enum err_code look_at(struct looking *l, const struct manifest_object *o, struct err *err)
{
    const struct catalog_object *is = NULL;
    struct catalog_definition d;
    enum err_code code = list(l, o, err);
    for (unsigned i = 0; code == ERR_OK && !is && i < l->count; i++)
        if (l->found[i].kind == KINDS[o->kind] && strcmp(l->found[i].name, o->name) == 0)
            is = &l->found[i];
    if (code == ERR_OK && is)
        code = catalog_define(l->c, l->arena, is, &d, err);
    if (code == ERR_NOT_FOUND || (code == ERR_OK && !is)) {
        if (!o->broken) /* which nobody could use; and no statement makes it again */
            add_problem(l, o, arena_printf(l->arena, "the %s is missing", object_kind_name(o->kind)));
        return ERR_OK;
    }
    if (code == ERR_OK)
        compare(l, o, is, &d);
    return code;
}

static bool is_chosen(const struct looking *l, const struct manifest_object *o, const bool *chosen)
{
    if (!chosen)
        return true;
    const struct manifest_table *t = o->table ? manifest_find_table(l->m, o->schema, o->table) : NULL;
    return t && chosen[t->number - 1];
}

/* ---- what came ---- */

static bool was_dumped(const struct manifest *m, const struct manifest_table *t, const char *trigger)
{
    for (unsigned i = 0; i < m->object_count; i++) {
        const struct manifest_object *o = &m->objects[i];
        if (o->kind == OBJECT_TRIGGER && strcmp(o->name, trigger) == 0 && strcmp(o->schema, t->schema) == 0 &&
            text_equal(o->table, t->name))
            return true;
    }
    return false;
}

/* A trigger that came changes what a table does as much as one that went; other new objects do not. */
static enum err_code look_for_new_triggers(struct looking *l, const struct manifest_table *t, struct err *err)
{
    const struct manifest_object any = {.kind = OBJECT_TRIGGER, .schema = t->schema};
    enum err_code code = list(l, &any, err);
    for (unsigned i = 0; code == ERR_OK && i < l->count; i++) {
        const struct catalog_object *is = &l->found[i];
        const struct manifest_object o = {.schema = is->schema, .name = is->name};
        if (text_equal(is->table, t->name) && !was_dumped(l->m, t, is->name))
            add_problem(
                l, &o,
                arena_printf(l->arena,
                             "the trigger of %s is not in the archive: it was made since, or left out",
                             t->name));
    }
    return code;
}

enum err_code verify_live_objects(struct db_conn *c, const struct manifest *m, const bool *chosen,
                                  struct verify_result *result, struct err *err)
{
    struct looking l = {.c = c, .m = m, .result = result, .arena = arena_new()};
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < m->object_count; i++)
        if (is_chosen(&l, &m->objects[i], chosen))
            code = look_at(&l, &m->objects[i], err);
    for (unsigned i = 0; code == ERR_OK && m->format >= 2 && i < m->table_count; i++)
        if (!chosen || chosen[m->tables[i].number - 1])
            code = look_for_new_triggers(&l, &m->tables[i], err);
    arena_free(l.arena);
    return code;
}
