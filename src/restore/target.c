#include "restore/target.h"

#include "archive/select.h"
#include "db/catalog.h"
#include "db/flavour.h"
#include "db/grants.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSALS_MAX_BYTES ((size_t)1 << 20)
#define SQL_MAX_BYTES      ((size_t)8 << 20)
/* Below this a table's keys are made with it: an ALTER would cost more than it saves. */
#define DEFER_MIN_ROWS 5000

/* ---- refusals ---- */

void refusals_begin(struct refusals *r)
{
    buf_init(&r->text, REFUSALS_MAX_BYTES);
    r->count = 0;
}

void refuse(struct refusals *r, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    r->count++;
    buf_addf(&r->text, NULL, "\n  %s", line);
}

enum err_code refusals_end(struct refusals *r, const char *what, struct err *err)
{
    enum err_code code = ERR_OK;
    if (r->count)
        code = err_set(err, ERR_REFUSED, "%s: refused, nothing was changed:%s", what, buf_cstr(&r->text));
    buf_free(&r->text);
    return code;
}

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
                parents[n] = (struct parent){t->items[i].table->schema, item->parent_table};
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

enum err_code targets_make(const struct manifest *m, const bool *chosen, const char *const *ddl_texts,
                           const struct restore_options *options, struct arena *arena, struct targets *out,
                           struct err *err)
{
    *out = (struct targets){.arena = arena};
    out->items = arena_calloc(arena, m->table_count + 1, sizeof *out->items);
    reserve_schemas(out, m->table_count);
    enum err_code code =
        collation_map_parse(options->map_collations, options->map_collation_count, arena, &out->mapped, err);
    for (unsigned i = 0; code == ERR_OK && i < m->table_count; i++)
        if (chosen[i])
            code = make_target(out, &m->tables[i], ddl_texts[i], options, err);
    if (code == ERR_OK)
        code = targets_add_schemas(out, m, options, err);
    if (code == ERR_OK)
        code = check_into(out, options, err);
    if (code == ERR_OK)
        choose_all_deferred(out);
    return code;
}

/* ---- what the archive's tables need ---- */

static const struct target *find_target(const struct targets *t, const char *original_schema,
                                        const char *name)
{
    for (unsigned i = 0; i < t->count; i++)
        if (strcmp(t->items[i].table->schema, original_schema) == 0 &&
            strcmp(t->items[i].table->name, name) == 0)
            return &t->items[i];
    return NULL;
}

static void check_definition(const struct targets *t, const struct target *item, struct refusals *r)
{
    const struct manifest_table *m = item->table;
    if (m->trigger_count)
        refuse(r, "%s.%s had triggers (%s%s), which this version does not restore", m->schema, m->name,
               m->triggers[0], m->trigger_count > 1 ? ", ..." : "");
    if (ddl_tail_has(item->ddl.tail, "DATA DIRECTORY") || ddl_tail_has(item->ddl.tail, "INDEX DIRECTORY"))
        refuse(r, "%s.%s has a DATA DIRECTORY, which moving a table between databases loses", m->schema,
               m->name);
    for (unsigned i = 0; i < item->ddl.item_count; i++) {
        const struct ddl_item *d = &item->ddl.items[i];
        if (d->kind == DDL_COLUMN && ddl_tail_has(d->text, "nextval("))
            refuse(r,
                   "%s.%s: column %s takes its default from a sequence, which this version does not restore",
                   m->schema, m->name, d->name);
        if (d->kind != DDL_FOREIGN)
            continue;
        if (d->parent_schema)
            refuse(r, "%s.%s: foreign key %s leaves its database (to %s.%s)", m->schema, m->name, d->name,
                   d->parent_schema, d->parent_table);
        else if (!find_target(t, m->schema, d->parent_table))
            refuse(r, "%s.%s: foreign key %s leaves the restored tables (to %s)", m->schema, m->name, d->name,
                   d->parent_table);
    }
}

void targets_check_definitions(const struct targets *t, struct refusals *r)
{
    for (unsigned i = 0; i < t->count; i++)
        check_definition(t, &t->items[i], r);
}

/* ---- what stands on the server ---- */

static bool in_set(const struct exchange *tables, unsigned count, const char *schema, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(tables[i].schema, schema) == 0 && strcmp(tables[i].name, name) == 0)
            return true;
    return false;
}

static enum err_code check_triggers(struct db_conn *c, const struct exchange *x, struct refusals *r,
                                    struct err *err)
{
    struct arena *arena = arena_new();
    const char **names;
    unsigned count;
    enum err_code code = catalog_triggers(c, arena, x->schema, x->name, &names, &count, err);
    if (code == ERR_OK && count)
        refuse(r, "%s.%s has triggers now (%s%s), which this version does not exchange", x->schema, x->name,
               names[0], count > 1 ? ", ..." : "");
    arena_free(arena);
    return code;
}

/* Foreign keys of the live table itself. */
static enum err_code check_parents(struct db_conn *c, const struct exchange *tables, unsigned count,
                                   const struct exchange *x, struct refusals *r, struct err *err)
{
    struct arena *arena = arena_new();
    struct buf text;
    struct ddl ddl;
    buf_init(&text, SQL_MAX_BYTES);
    enum err_code code = catalog_ddl(c, x->schema, x->name, &text, err);
    if (code == ERR_OK)
        code = ddl_parse(buf_cstr(&text), arena, &ddl, err);
    for (unsigned i = 0; code == ERR_OK && i < ddl.item_count; i++) {
        const struct ddl_item *d = &ddl.items[i];
        if (d->kind != DDL_FOREIGN || !d->parent_table)
            continue;
        const char *schema = d->parent_schema ? d->parent_schema : x->schema;
        if (!in_set(tables, count, schema, d->parent_table))
            refuse(r, "%s.%s has a foreign key now (%s) that leaves the exchanged tables (to %s.%s)",
                   x->schema, x->name, d->name, schema, d->parent_table);
    }
    if (code == ERR_OK &&
        (ddl_tail_has(ddl.tail, "DATA DIRECTORY") || ddl_tail_has(ddl.tail, "INDEX DIRECTORY")))
        refuse(r, "%s.%s has a DATA DIRECTORY now, which moving a table between databases loses", x->schema,
               x->name);
    buf_free(&text);
    arena_free(arena);
    return code;
}

/* InnoDB keeps names as it names files ("db/t@0020x"); the server converts them, as binary strings so that
 * nothing is converted twice. */
static enum err_code children_of(struct db_conn *c, const struct exchange *x, struct db_rows **rows,
                                 struct err *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_putf(&sql,
             "SELECT FOR_NAME FROM information_schema.%s WHERE BINARY REF_NAME = CONCAT(BINARY CONVERT(",
             flavour_foreign_keys_table(flavour_of(db_version(c))));
    db_quote_text(&sql, x->schema);
    buf_put(&sql, " USING filename), '/', BINARY CONVERT(");
    db_quote_text(&sql, x->name);
    buf_put(&sql, " USING filename))");
    enum err_code code = db_query(c, buf_cstr(&sql), rows, err);
    buf_free(&sql);
    return code;
}

/* One half of such a name, as people write it. */
static enum err_code decode_name(struct db_conn *c, const char *internal, size_t bytes, struct buf *out,
                                 struct err *err)
{
    char half[512];
    snprintf(half, sizeof half, "%.*s", (int)bytes, internal);
    struct buf sql;
    buf_init(&sql, 4096);
    buf_put(&sql, "SELECT CONVERT(_filename");
    db_quote_text(&sql, half);
    buf_put(&sql, " USING utf8mb4)");
    enum err_code code = db_scalar(c, buf_cstr(&sql), out, NULL, err);
    buf_free(&sql);
    return code;
}

static enum err_code check_children(struct db_conn *c, const struct exchange *tables, unsigned count,
                                    const struct exchange *x, struct refusals *r, struct err *err)
{
    struct db_rows *rows;
    struct buf schema, name;
    enum err_code code = children_of(c, x, &rows, err);
    if (code != ERR_OK)
        return code;
    buf_init(&schema, 1024);
    buf_init(&name, 1024);
    const char *const *row;
    while (code == ERR_OK && (row = db_row(rows))) {
        size_t half = strcspn(row[0], "/");
        code = decode_name(c, row[0], half, &schema, err);
        if (code == ERR_OK)
            code = decode_name(c, row[0] + half + (row[0][half] == '/'), 512, &name, err);
        if (code == ERR_OK && !in_set(tables, count, buf_cstr(&schema), buf_cstr(&name)))
            refuse(r, "%s.%s references %s.%s by a foreign key, and is not exchanged with it",
                   buf_cstr(&schema), buf_cstr(&name), x->schema, x->name);
    }
    buf_free(&schema);
    buf_free(&name);
    db_rows_free(rows);
    return code;
}

enum err_code check_live_tables(struct db_conn *c, const struct exchange *tables, unsigned count,
                                bool assume_no_outside_fks, struct refusals *r, struct err *err)
{
    struct grants *grants;
    enum err_code code = grants_read(c, &grants, err);
    bool any = false, process = code == ERR_OK && grants_have(grants, PRIV_PROCESS, NULL, NULL);
    grants_free(grants);
    for (unsigned i = 0; code == ERR_OK && i < count; i++) {
        const struct exchange *x = &tables[i];
        if (!x->outgoing_schema)
            continue;
        any = true;
        code = check_triggers(c, x, r, err);
        if (code == ERR_OK)
            code = check_parents(c, tables, count, x, r, err);
        if (code == ERR_OK && process)
            code = check_children(c, tables, count, x, r, err);
    }
    if (code == ERR_OK && any && !process && !assume_no_outside_fks)
        refuse(r, "this account cannot see whether other tables reference these by foreign keys (it lacks "
                  "PROCESS): grant it, or say"
                  " --assume-no-outside-fks");
    return code;
}

static enum err_code look_at_schemas(struct db_conn *c, struct targets *t, struct err *err)
{
    struct catalog_schema *schemas;
    unsigned count;
    enum err_code code = catalog_schemas(c, t->arena, &schemas, &count, err);
    for (unsigned i = 0; code == ERR_OK && i < t->schema_count; i++)
        for (unsigned k = 0; k < count; k++)
            t->schema_exists[i] |= strcmp(schemas[k].name, t->schemas[i]) == 0;
    return code;
}

static enum err_code look_at_tables(struct db_conn *c, struct targets *t,
                                    const struct restore_options *options, struct refusals *r,
                                    struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < t->count; i++) {
        struct target *item = &t->items[i];
        struct catalog_table *found;
        unsigned count;
        code = catalog_tables(c, t->arena, item->schema, item->name, &found, &count, err);
        if (code != ERR_OK || count == 0)
            continue;
        item->exists = true;
        if (found[0].kind != CATALOG_TABLE)
            refuse(r, "%s.%s is a %s on the server, not a table", item->schema, item->name,
                   found[0].kind == CATALOG_VIEW ? "view" : "sequence");
        else if (options->if_exists == IF_EXISTS_FAIL)
            refuse(r, "%s.%s exists already (--if-exists fail)", item->schema, item->name);
    }
    return code;
}

static enum err_code check_exchange(struct db_conn *c, struct targets *t,
                                    const struct restore_options *options, struct refusals *r,
                                    struct err *err)
{
    struct exchange *tables = arena_calloc(t->arena, t->count + 1, sizeof *tables);
    for (unsigned i = 0; i < t->count; i++)
        tables[i] =
            (struct exchange){t->items[i].schema, t->items[i].name, "", t->items[i].exists ? "" : NULL};
    return check_live_tables(c, tables, t->count, options->assume_no_outside_fks, r, err);
}

enum err_code targets_check(struct db_conn *c, struct targets *t, const struct restore_options *options,
                            struct err *err)
{
    struct refusals r;
    refusals_begin(&r);
    targets_check_definitions(t, &r);
    enum err_code code = look_at_schemas(c, t, err);
    if (code == ERR_OK)
        code = look_at_tables(c, t, options, &r, err);
    /* What stands in the way by its kind must not be looked into as a table. */
    if (code == ERR_OK && r.count == 0)
        code = check_exchange(c, t, options, &r, err);
    enum err_code refused = refusals_end(&r, "restore", code == ERR_OK ? err : NULL);
    return code != ERR_OK ? code : refused;
}
