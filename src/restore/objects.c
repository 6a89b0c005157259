#include "restore/objects.h"

#include "db/catalog_objects.h"
#include "db/charset.h"
#include "db/create.h"
#include "db/quote.h"
#include "restore/definition.h"

#include <string.h>
#include <strings.h>

#define TEXT_MAX_BYTES ((size_t)64 << 20)
#define OTHERS_NAMED   20

struct choosing {
    const struct run *run;
    struct db_conn *c;
    const struct targets *targets;
    struct operation *op;
    const struct definer_rule *definer;
    struct buf account;      /* "`app`@`%`": what becomes of definers; empty: they stay */
    const char *new_definer; /* "app@%"; NULL */
};

/* ---- one object ---- */

static bool is_qualified(const struct definition *d, struct create_piece piece)
{
    return create_is_qualified(d->text + piece.at, piece.bytes, d->object.charset, d->object.sql_mode);
}

/* A name in quotes, in the character set of the text. */
static enum err_code put_name(struct choosing *k, const struct definition *d, const char *name,
                              struct buf *out, struct err *err)
{
    struct buf quoted;
    buf_init(&quoted, 1024);
    db_quote_name(&quoted, name);
    enum err_code code = charset_convert(k->c, quoted.data, quoted.len, d->object.charset, out, err);
    buf_free(&quoted);
    return code;
}

/* Another database finds the object by its own name alone. */
static enum err_code rewrite(struct choosing *k, struct definition *d, bool moved, bool disable,
                             struct err *err)
{
    struct create_head head;
    struct create_change changes[4];
    unsigned n = 0;
    struct buf definer, name, table, text;
    enum err_code code = definition_head(d, &head, err);
    if (code != ERR_OK)
        return code;
    buf_init(&definer, 4096);
    buf_init(&name, 4096);
    buf_init(&table, 4096);
    buf_init(&text, TEXT_MAX_BYTES);
    if (head.definer.bytes && k->account.len) {
        code = charset_convert(k->c, k->account.data, k->account.len, d->object.charset, &definer, err);
        changes[n++] = (struct create_change){head.definer, definer.data, definer.len};
    }
    if (code == ERR_OK && moved && is_qualified(d, head.name)) {
        code = put_name(k, d, d->object.name, &name, err);
        changes[n++] = (struct create_change){head.name, name.data, name.len};
    }
    if (code == ERR_OK && moved && d->object.table && is_qualified(d, head.table)) {
        code = put_name(k, d, d->object.table, &table, err);
        changes[n++] = (struct create_change){head.table, table.data, table.len};
    }
    if (disable)
        changes[n++] = (struct create_change){head.state, "DISABLE", strlen("DISABLE")};
    if (code == ERR_OK && n)
        code = create_rewrite(d->text, d->bytes, changes, n, &text, err);
    if (code == ERR_OK && n) {
        d->text = arena_strndup(k->targets->arena, text.data, text.len);
        d->bytes = text.len;
    }
    buf_free(&definer);
    buf_free(&name);
    buf_free(&table);
    buf_free(&text);
    return code;
}

/* A database of the archive that comes back under another name, and that the object names; NULL. */
static const char *named_original(const struct choosing *k, const struct definition *d)
{
    const struct targets *t = k->targets;
    for (unsigned i = 0; i < t->schema_count; i++)
        if (strcmp(t->schemas[i], t->originals[i]) != 0 &&
            create_names_schema(d->text, d->bytes, d->object.charset, d->object.sql_mode, t->originals[i]))
            return t->originals[i];
    return NULL;
}

static void warn_of_old_name(struct choosing *k, const struct definition *d, const char *old, bool disable)
{
    struct buf name;
    buf_init(&name, 1024);
    definition_describe(d, &name);
    log_warn(k->run->log,
             "%s names the database %s, and what stands inside of objects is not changed: it works"
             " on %s%s",
             buf_cstr(&name), old, old, disable ? "; it is made disabled" : "");
    buf_free(&name);
}

/* What stands in a view without a database is found in its new one. */
static const struct manifest_name *moved_uses(struct choosing *k, const struct manifest_object *o,
                                              const char *schema)
{
    struct manifest_name *uses = arena_calloc(k->targets->arena, o->use_count + 1, sizeof *uses);
    for (unsigned i = 0; i < o->use_count; i++) {
        uses[i] = o->uses[i];
        if (strcmp(uses[i].schema, o->schema) == 0)
            uses[i].schema = schema;
    }
    return uses;
}

static enum err_code take_object(struct choosing *k, const struct manifest_object *o,
                                 const struct input_text *text, struct err *err)
{
    struct definition *d = &k->op->made[k->op->made_count++];
    const char *schema = targets_map(k->targets, o->schema);
    *d = (struct definition){.object = *o, .text = text->text, .bytes = text->bytes};
    d->object.schema = schema;
    if (o->collation)
        d->object.collation = collation_map_find(&k->targets->mapped, o->collation);
    if (o->db_collation)
        d->object.db_collation = collation_map_find(&k->targets->mapped, o->db_collation);
    bool moved = strcmp(schema, o->schema) != 0;
    if (moved)
        d->object.uses = moved_uses(k, o, schema);
    enum err_code code = rewrite(k, d, moved, false, err);
    const char *strange = code == ERR_OK ? named_original(k, d) : NULL;
    /* It would do its work twice, on the old database. */
    bool disable = strange && o->kind == OBJECT_EVENT && o->state == EVENT_ENABLED;
    if (strange)
        warn_of_old_name(k, d, strange, disable);
    if (disable)
        code = rewrite(k, d, moved, true, err);
    if (k->new_definer && o->definer)
        d->object.definer = k->new_definer;
    d->object.broken = o->broken || (strange && o->kind == OBJECT_VIEW);
    return code;
}

/* "current" is found out: what is made is compared with what was to be made. */
static enum err_code find_account(struct choosing *k, struct err *err)
{
    struct definer_rule rule = *k->definer;
    struct buf own;
    enum err_code code = ERR_OK;
    if (rule.choice == DEFINER_KEEP)
        return ERR_OK;
    buf_init(&own, 1024);
    if (rule.choice == DEFINER_CURRENT) {
        code = db_scalar(k->c, "SELECT CURRENT_USER()", &own, NULL, err);
        const char *at = strrchr(buf_cstr(&own), '@');
        size_t user = at ? (size_t)(at - own.data) : own.len;
        rule = (struct definer_rule){DEFINER_ACCOUNT, arena_strndup(k->targets->arena, own.data, user),
                                     arena_strdup(k->targets->arena, at ? at + 1 : "%")};
    }
    if (code == ERR_OK)
        definer_write(&rule, &k->account);
    k->new_definer = arena_printf(k->targets->arena, "%s@%s", rule.user, rule.host);
    buf_free(&own);
    return code;
}

enum err_code objects_choose(const struct run *run, struct db_conn *c, const struct input *in,
                             const struct targets *t, const struct restore_options *options,
                             struct operation *op, struct err *err)
{
    const struct manifest *m = in->manifest;
    struct choosing k = {.run = run, .c = c, .targets = t, .op = op, .definer = &options->definer};
    buf_init(&k.account, 4096);
    op->made = arena_calloc(t->arena, m->object_count + 1, sizeof *op->made);
    op->made_count = 0;
    op->server = m->server.version;
    enum err_code code = find_account(&k, err);
    for (unsigned i = 0; code == ERR_OK && i < m->object_count; i++)
        if (m->objects[i].kind != OBJECT_SEQUENCE && targets_bring(t, options, &m->objects[i]))
            code = take_object(&k, &m->objects[i], &in->objects[i], err);
    buf_free(&k.account);
    return code;
}

/* ---- schemas ---- */

static const struct manifest_schema *find_schema(const struct manifest *m, const char *name)
{
    for (unsigned i = 0; i < m->schema_count; i++)
        if (strcmp(m->schemas[i].name, name) == 0)
            return &m->schemas[i];
    return NULL;
}

void objects_choose_schemas(const struct manifest *m, const struct targets *t,
                            const struct restore_options *options, struct operation *op)
{
    op->schema_changes = arena_calloc(t->arena, t->schema_count + 1, sizeof *op->schema_changes);
    op->schema_change_count = 0;
    for (unsigned i = 0; i < t->schema_count; i++) {
        const struct manifest_schema *s = find_schema(m, t->originals[i]);
        struct schema_change *change = &op->schema_changes[op->schema_change_count++];
        bool moved = strcmp(t->schemas[i], t->originals[i]) != 0;
        change->schema = t->schemas[i];
        change->keeps = !s || (t->schema_exists[i] && (options->table_count || moved || m->format < 2));
        if (s)
            change->after = (struct schema_defaults){s->charset, collation_map_find(&t->mapped, s->collation),
                                                     s->comment ? s->comment : ""};
        if (t->schema_exists[i]) /* more than that it exists is read by the plan */
            change->before = (struct schema_defaults){"", "", ""};
    }
}

/* ---- what stays ---- */

/* Tables, views and sequences share their names. */
static bool has_table(const struct manifest *m, const char *original, const char *name)
{
    return manifest_find_table(m, original, name) || manifest_find_object(m, OBJECT_VIEW, original, name) ||
           manifest_find_object(m, OBJECT_SEQUENCE, original, name);
}

static bool has_program(const struct manifest *m, const char *original, const struct catalog_object *o)
{
    static const enum object_kind kinds[] = {[CATALOG_PACKAGE] = OBJECT_PACKAGE,
                                             [CATALOG_PACKAGE_BODY] = OBJECT_PACKAGE_BODY,
                                             [CATALOG_FUNCTION] = OBJECT_FUNCTION,
                                             [CATALOG_PROCEDURE] = OBJECT_PROCEDURE,
                                             [CATALOG_EVENT] = OBJECT_EVENT};
    for (unsigned i = 0; i < m->object_count; i++) /* the server tells them not apart by case */
        if (m->objects[i].kind == kinds[o->kind] && strcmp(m->objects[i].schema, original) == 0 &&
            strcasecmp(m->objects[i].name, o->name) == 0)
            return true;
    return false;
}

static void add_other(struct buf *names, unsigned *count, const char *kind, const char *name)
{
    if ((*count)++ < OTHERS_NAMED)
        buf_addf(names, NULL, "%s%s%s%s", names->len ? ", " : "", kind, kind[0] ? " " : "", name);
}

struct others {
    const struct manifest *m;
    const char *original; /* the archive's name of the database */
    struct buf names;
    unsigned count;
};

static void add_tables(struct others *o, const struct catalog_table *tables, unsigned count)
{
    static const char *const kinds[] = {
        [CATALOG_TABLE] = "table", [CATALOG_VIEW] = "view", [CATALOG_SEQUENCE] = "sequence"};
    for (unsigned i = 0; i < count; i++)
        if (!has_table(o->m, o->original, tables[i].name))
            add_other(&o->names, &o->count, kinds[tables[i].kind], tables[i].name);
}

static void add_programs(struct others *o, const struct catalog_object *programs, unsigned count)
{
    static const char *const kinds[] = {[CATALOG_PACKAGE] = "package",
                                        [CATALOG_PACKAGE_BODY] = "package body",
                                        [CATALOG_FUNCTION] = "function",
                                        [CATALOG_PROCEDURE] = "procedure",
                                        [CATALOG_EVENT] = "event"};
    for (unsigned i = 0; i < count; i++)
        if (!has_program(o->m, o->original, &programs[i]))
            add_other(&o->names, &o->count, kinds[programs[i].kind], programs[i].name);
}

static enum err_code tell_others_in(const struct run *run, struct db_conn *c, const struct manifest *m,
                                    const struct targets *t, unsigned schema, struct err *err)
{
    struct others o = {.m = m, .original = t->originals[schema]};
    struct catalog_table *tables;
    struct catalog_object *routines, *events;
    unsigned table_count = 0, routine_count = 0, event_count = 0;
    enum err_code code = catalog_tables(c, t->arena, t->schemas[schema], NULL, &tables, &table_count, err);
    if (code == ERR_OK)
        code = catalog_routines(c, t->arena, t->schemas[schema], &routines, &routine_count, err);
    if (code == ERR_OK)
        code = catalog_events(c, t->arena, t->schemas[schema], &events, &event_count, err);
    if (code != ERR_OK)
        return code;
    buf_init(&o.names, 1 << 16);
    add_tables(&o, tables, table_count);
    add_programs(&o, routines, routine_count);
    add_programs(&o, events, event_count);
    if (o.count)
        log_info(run->log, "in %s and not in the archive, stays as it is: %s%s", t->schemas[schema],
                 buf_cstr(&o.names), o.count > OTHERS_NAMED ? ", ..." : "");
    buf_free(&o.names);
    return ERR_OK;
}

enum err_code objects_tell_others(const struct run *run, struct db_conn *c, const struct manifest *m,
                                  const struct targets *t, struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && m->format >= 2 && i < t->schema_count; i++)
        if (t->schema_exists[i])
            code = tell_others_in(run, c, m, t, i, err);
    return code;
}
