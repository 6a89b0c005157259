#include "dump/plan.h"

#include "archive/digest.h"
#include "archive/text.h"
#include "core/fault.h"
#include "core/mem.h"
#include "db/catalog.h"
#include "db/ddl.h"
#include "db/flavour.h"
#include "db/grants.h"
#include "dump/lint.h"
#include "dump/names.h"
#include "dump/relations.h"
#include "rows/describe.h"

#include <stdlib.h>
#include <string.h>

#define DDL_MAX_BYTES ((size_t)16 << 20)

struct planner {
    const struct run *run;
    struct db_conn *conn;
    const struct dump_options *options;
    struct manifest *manifest;
    struct arena *arena;
    struct name *excludes; /* one for each of the options' */
    struct catalog_schema *schemas;
    unsigned schema_count;
    struct catalog_table *found; /* tables to dump, in order */
    unsigned found_count, found_cap;
    unsigned kept, left_out; /* by --exclude, of what the names mean; a database counts as one */
    struct objects *objects; /* the plan's */
    const char **whole;      /* databases of which everything is dumped */
    unsigned whole_count;
    bool only_names; /* whether tables can be opened does not matter */
};

static bool is_schema(const struct planner *p, const char *name)
{
    for (unsigned i = 0; i < p->schema_count; i++)
        if (strcmp(p->schemas[i].name, name) == 0)
            return true;
    return false;
}

/* A database whose name holds a dot, a star or a backtick is found by its whole name first. */
static enum err_code parse_name(struct planner *p, const char *given, struct name *out, struct err *err)
{
    if (!is_schema(p, given))
        return name_parse(given, p->arena, out, err);
    *out = (struct name){.given = given, .schema = {given, true}};
    return ERR_OK;
}

static enum err_code parse_excludes(struct planner *p, struct err *err)
{
    const struct dump_options *o = p->options;
    enum err_code code = ERR_OK;
    p->excludes = arena_calloc(p->arena, o->exclude_count + 1, sizeof *p->excludes);
    for (unsigned i = 0; code == ERR_OK && i < o->exclude_count; i++)
        code = parse_name(p, o->excludes[i], &p->excludes[i], err);
    return code;
}

static bool is_excluded(const struct planner *p, const char *schema, const char *table)
{
    for (unsigned i = 0; i < p->options->exclude_count; i++)
        if (name_excludes(&p->excludes[i], schema, table))
            return true;
    return false;
}

/* The same, and counts. */
static bool leaves_out(struct planner *p, const char *schema, const char *table)
{
    bool out = is_excluded(p, schema, table);
    p->left_out += out;
    p->kept += !out && table;
    return out;
}

static void add_warning(struct planner *p, const char *schema, const char *name, const char *text)
{
    const char *object = name ? arena_printf(p->arena, "%s.%s", schema, name) : schema;
    manifest_add_warning(p->manifest, object, text);
}

static void take_other(struct planner *p, const struct catalog_table *t)
{
    const struct catalog_object o = {
        .schema = t->schema, .name = t->name, .kind = t->kind, .broken = t->broken};
    objects_add(p->objects, &o);
}

static enum err_code take_table(struct planner *p, const struct catalog_table *t, struct err *err)
{
    /* The catalogue's row of such a table is a guess: it would even hide that rows are versioned. */
    if (!t->engine[0] && !p->only_names)
        return err_set(
            err, ERR_DB,
            "dump %s.%s: the server could not open it: another session has it locked, or it is damaged"
            " (SHOW CREATE TABLE and CHECK TABLE tell); run it again, or leave it out with --exclude",
            t->schema, t->name);
    /* Only several names can name a table twice. */
    for (unsigned i = 0; p->options->name_count > 1 && i < p->found_count; i++)
        if (p->found[i].schema == t->schema && strcmp(p->found[i].name, t->name) == 0)
            return ERR_OK;
    if (p->found_count == p->found_cap) {
        p->found_cap = p->found_cap ? 2 * p->found_cap : 64;
        p->found = xreallocarray(p->found, p->found_cap, sizeof *p->found);
    }
    p->found[p->found_count++] = *t;
    return ERR_OK;
}

/* Takes what one name means in one schema. *matched tells whether it named anything. */
static enum err_code take_from_schema(struct planner *p, const struct name *n, const char *schema,
                                      bool *matched, struct err *err)
{
    struct catalog_table *tables;
    unsigned count;
    bool all = !n->table.text, one = !all && !name_part_is_pattern(&n->table);
    enum err_code code =
        catalog_tables(p->conn, p->arena, schema, one ? n->table.text : NULL, &tables, &count, err);
    *matched |= all;
    for (unsigned i = 0; code == ERR_OK && i < count; i++) {
        if (!all && !name_part_matches(&n->table, tables[i].name))
            continue;
        tables[i].schema = schema; /* one pointer a schema: compared as such */
        *matched = true;
        if (leaves_out(p, schema, tables[i].name))
            continue;
        if (tables[i].kind == CATALOG_TABLE)
            code = take_table(p, &tables[i], err);
        else
            take_other(p, &tables[i]);
    }
    return code;
}

static void add_schema(struct planner *p, const struct catalog_schema *s)
{
    struct manifest *m = p->manifest;
    for (unsigned i = 0; i < m->schema_count; i++)
        if (strcmp(m->schemas[i].name, s->name) == 0)
            return;
    m->schemas[m->schema_count++] = (struct manifest_schema){s->name, s->charset, s->collation, s->comment};
}

/* Those of a list that are not left out. */
static void take_all(struct planner *p, const struct catalog_object *found, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!leaves_out(p, found[i].schema, found[i].name))
            objects_add(p->objects, &found[i]);
}

static enum err_code take_programs(struct planner *p, const char *schema, struct err *err)
{
    struct catalog_object *found;
    unsigned count;
    enum err_code code = catalog_routines(p->conn, p->arena, schema, &found, &count, err);
    if (code == ERR_OK)
        take_all(p, found, count);
    if (code == ERR_OK)
        code = catalog_events(p->conn, p->arena, schema, &found, &count, err);
    if (code == ERR_OK)
        take_all(p, found, count);
    return code;
}

static void warn_if_empty(struct planner *p, const char *schema, unsigned kept, unsigned left_out)
{
    if (p->kept == kept)
        add_warning(p, schema, NULL,
                    p->left_out > left_out ? "--exclude leaves out all that it holds"
                                           : "holds nothing that this account can see");
}

/* A whole database, or what a name means in it. */
static enum err_code resolve_in_schema(struct planner *p, const struct name *n,
                                       const struct catalog_schema *s, bool *matched, struct err *err)
{
    bool whole = !n->table.text;
    unsigned before = p->found_count + p->objects->count, kept = p->kept, left_out = p->left_out;
    enum err_code code = take_from_schema(p, n, s->name, matched, err);
    if (whole || p->found_count + p->objects->count > before)
        add_schema(p, s);
    if (code == ERR_OK && whole)
        code = take_programs(p, s->name, err);
    if (code != ERR_OK || !whole)
        return code;
    warn_if_empty(p, s->name, kept, left_out);
    if (p->whole_count < p->schema_count)
        p->whole[p->whole_count++] = s->name;
    return ERR_OK;
}

/* A name that means nothing, or nothing that is left. */
static enum err_code explain_unmatched(struct planner *p, const struct name *n, bool left_out,
                                       struct err *err)
{
    if (left_out)
        return err_set(err, ERR_REFUSED, "dump %s: --exclude leaves out all that it names", n->given);
    if (n->schema.text && catalog_hides_schema(n->schema.text))
        return err_set(err, ERR_NOT_FOUND,
                       "dump %s: the server's own databases and those of dbsafe are not dumped", n->given);
    return err_set(err, ERR_NOT_FOUND, "dump %s: %s has no such %s that this account can see", n->given,
                   db_target(p->conn), n->table.text ? "table, view or sequence" : "database");
}

static enum err_code resolve_name(struct planner *p, const struct name *n, struct err *err)
{
    bool matched = false;
    unsigned kept = p->kept, left_out = p->left_out;
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < p->schema_count; i++)
        if (name_part_matches(&n->schema, p->schemas[i].name) && !leaves_out(p, p->schemas[i].name, NULL))
            code = resolve_in_schema(p, n, &p->schemas[i], &matched, err);
    bool all_left_out = p->left_out > left_out && p->kept == kept;
    if (code == ERR_OK && !p->options->all_databases && (!matched || all_left_out))
        code = explain_unmatched(p, n, all_left_out, err);
    return code;
}

static enum err_code resolve(struct planner *p, struct err *err)
{
    enum err_code code = catalog_schemas(p->conn, p->arena, &p->schemas, &p->schema_count, err);
    if (code != ERR_OK)
        return code;
    code = parse_excludes(p, err);
    bool everything = p->options->all_databases;
    unsigned count = everything ? 1 : p->options->name_count;
    p->whole = arena_calloc(p->arena, p->schema_count + 1, sizeof *p->whole);
    p->manifest->schemas = arena_calloc(p->arena, p->schema_count + 1, sizeof *p->manifest->schemas);
    for (unsigned i = 0; code == ERR_OK && i < count; i++) {
        struct name n = {.given = "*", .schema = {"*", false}};
        if (!everything)
            code = parse_name(p, p->options->names[i], &n, err);
        if (code == ERR_OK)
            code = resolve_name(p, &n, err);
    }
    return code;
}

/* Whether the databases are empty indeed, as far as the account's privileges tell. */
static enum err_code sees_all(const struct planner *p, bool *sees, struct err *err)
{
    struct grants *grants = NULL;
    enum err_code code = grants_read(p->conn, &grants, err);
    *sees = code == ERR_OK;
    for (unsigned i = 0; *sees && i < p->whole_count; i++)
        *sees = grants_have(grants, PRIV_SELECT, p->whole[i], NULL);
    grants_free(grants);
    return code;
}

/* An archive without anything would pass for a backup, and be proved as one. */
static enum err_code check_not_empty(const struct planner *p, struct err *err)
{
    bool everything = p->options->all_databases, sees = false;
    if (p->kept > 0)
        return ERR_OK;
    if (p->left_out > 0)
        return err_set(err, ERR_REFUSED, "dump --all-databases: --exclude leaves out all that there is");
    enum err_code code = everything ? ERR_OK : sees_all(p, &sees, err);
    if (code != ERR_OK || sees)
        return code;
    return err_set(err, ERR_REFUSED,
                   "dump %s: there is nothing on %s that this account can see; it takes SELECT on what is to "
                   "be dumped (SHOW GRANTS tells what it has)",
                   everything ? "--all-databases" : p->options->names[0], db_target(p->conn));
}

static enum err_code read_server(struct planner *p, struct err *err)
{
    struct manifest_server *s = &p->manifest->server;
    struct db_rows *rows;
    enum err_code code = db_query(
        p->conn,
        "SELECT @@version, @@global.sql_mode, @@global.time_zone, @@character_set_server, @@collation_server",
        &rows, err);
    if (code != ERR_OK)
        return code;
    const char *const *row = db_row(rows);
    s->version = arena_strdup(p->arena, row[0]);
    s->sql_mode = arena_strdup(p->arena, row[1]);
    s->time_zone = arena_strdup(p->arena, row[2]);
    s->charset = arena_strdup(p->arena, row[3]);
    s->collation = arena_strdup(p->arena, row[4]);
    s->flavour = flavour_description(flavour_read(p->conn));
    db_rows_free(rows);
    return ERR_OK;
}

/* Digest of a definition without its AUTO_INCREMENT value, which moves with every insert. */
static void ddl_digest(const char *text, char out[SHA256_HEX_BYTES])
{
    struct buf plain;
    buf_init(&plain, DDL_MAX_BYTES);
    ddl_without_auto_increment(text, &plain);
    digest_of(plain.data, plain.len, out);
    buf_free(&plain);
}

/* It may come and go several times while it is looked at. */
#define MISSING_LOOKS 8

/* A table of which no columns are listed: is it gone (for a moment), or hidden from an account that may not
 * read it? */
static enum err_code explain_missing(struct planner *p, const struct catalog_table *t, struct buf *text,
                                     struct err *err)
{
    struct catalog_column *columns;
    unsigned count = 0;
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && count == 0 && i < MISSING_LOOKS; i++) {
        buf_clear(text);
        code = catalog_ddl(p->conn, t->schema, t->name, text, err);
        if (code == ERR_OK)
            code = catalog_columns(p->conn, p->arena, t->schema, t->name, &columns, &count, err);
    }
    if (code == ERR_NOT_FOUND || (code == ERR_OK && count > 0))
        return err_set(err, ERR_SNAPSHOT,
                       "dump %s.%s: it was dropped or renamed while the dump was planned (DDL): run it again",
                       t->schema, t->name);
    if (code == ERR_OK)
        code = err_set(err, ERR_DB, "dump %s.%s: the account cannot see its columns", t->schema, t->name);
    if (code == ERR_DB)
        err_hint(err, "; it takes SELECT on the table");
    return code;
}

static enum err_code describe_table(struct planner *p, unsigned i, struct plan *out, struct buf *text,
                                    struct err *err)
{
    const struct catalog_table *found = &p->found[i];
    struct manifest_table *t = &p->manifest->tables[i];
    t->number = i + 1;
    enum err_code code = fault_point("plan_describe", ERR_DB, err);
    if (code == ERR_OK)
        code = rows_describe(p->conn, p->arena, found, t, err);
    if (code == ERR_OK)
        code = catalog_ddl(p->conn, found->schema, found->name, text, err);
    if (code == ERR_NOT_FOUND)
        return explain_missing(p, found, text, err);
    if (code != ERR_OK)
        return code;
    t->dir = archive_slug(p->arena, t->number, t->name);
    out->ddl[i] = arena_strndup(p->arena, text->data, text->len);
    out->created[i] = found->created;
    code = relations_read(out->ddl[i], p->arena, t, err);
    if (code != ERR_OK)
        return err_wrap(err, "dump %s.%s", t->schema, t->name);
    char hex[SHA256_HEX_BYTES];
    ddl_digest(out->ddl[i], hex);
    t->ddl_sha256 = arena_strdup(p->arena, hex);
    buf_clear(text);
    db_quote_pair(text, t->schema, t->name);
    out->tables[i] = (struct scan_table){.table = t,
                                         .from = arena_strdup(p->arena, buf_cstr(text)),
                                         .rows_estimate = found->rows_estimate,
                                         .bytes_estimate = found->data_bytes};
    return ERR_OK;
}

static void list_snapshot_tables(struct planner *p, struct plan *out)
{
    const struct manifest *m = p->manifest;
    out->snapshot_tables = arena_calloc(p->arena, m->table_count + 1, sizeof *out->snapshot_tables);
    for (unsigned i = 0; i < m->table_count; i++)
        out->snapshot_tables[i] =
            (struct snapshot_table){m->tables[i].schema, m->tables[i].name, m->tables[i].transactional};
}

static enum err_code describe_all(struct planner *p, struct plan *out, struct err *err)
{
    unsigned count = p->found_count;
    p->manifest->table_count = count;
    p->manifest->tables = arena_calloc(p->arena, count + 1, sizeof *p->manifest->tables);
    out->tables = arena_calloc(p->arena, count + 1, sizeof *out->tables);
    out->ddl = arena_calloc(p->arena, count + 1, sizeof *out->ddl);
    out->created = arena_calloc(p->arena, count + 1, sizeof *out->created);
    struct buf text;
    buf_init(&text, DDL_MAX_BYTES);
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < count; i++)
        code = describe_table(p, i, out, &text, err);
    buf_free(&text);
    if (code == ERR_OK)
        list_snapshot_tables(p, out);
    return code;
}

/* ---- what belongs to tables ---- */

static enum err_code take_sequence(struct planner *p, const struct manifest_table *t,
                                   const struct manifest_name *name, struct err *err)
{
    struct catalog_table *found;
    unsigned count = 0;
    enum err_code code = ERR_OK;
    bool excluded = is_excluded(p, name->schema, NULL) || is_excluded(p, name->schema, name->name);
    for (unsigned i = 0; !excluded && i < p->schema_count; i++) {
        if (strcmp(p->schemas[i].name, name->schema) != 0)
            continue;
        code = catalog_tables(p->conn, p->arena, p->schemas[i].name, name->name, &found, &count, err);
        if (code == ERR_OK && count && found->kind == CATALOG_SEQUENCE) {
            add_schema(p, &p->schemas[i]);
            take_other(p, found);
        }
        break;
    }
    if (code == ERR_OK && (!count || found->kind != CATALOG_SEQUENCE))
        add_warning(p, t->schema, t->name,
                    arena_printf(p->arena,
                                 "takes a default from the sequence %s.%s, which is not in this archive",
                                 name->schema, name->name));
    return code;
}

static enum err_code take_belongings(struct planner *p, struct err *err)
{
    const struct manifest *m = p->manifest;
    enum err_code code = objects_find_triggers(p->objects, p->conn, m, err);
    if (code == ERR_OK)
        take_all(p, p->objects->triggers, p->objects->trigger_count);
    for (unsigned i = 0; code == ERR_OK && i < m->table_count; i++)
        for (unsigned k = 0; code == ERR_OK && k < m->tables[i].sequence_count; k++)
            code = take_sequence(p, &m->tables[i], &m->tables[i].sequences[k], err);
    return code;
}

/* What should be known of all this. */
static enum err_code warn_of_surprises(struct planner *p, const struct plan *plan, bool unseen,
                                       struct err *err)
{
    const char **definitions = arena_calloc(p->arena, p->objects->count + 1, sizeof *definitions);
    for (unsigned i = 0; i < p->objects->count; i++)
        definitions[i] = p->objects->definitions[i].text;
    const struct lint_input in = {.manifest = p->manifest,
                                  .ddl = plan->ddl,
                                  .definitions = definitions,
                                  .whole = p->whole,
                                  .whole_count = p->whole_count};
    if (!unseen)
        lint_catalogue(&in);
    return lint_accounts(&in, p->conn, err);
}

enum err_code plan_make(const struct run *run, struct db_conn *c, const struct dump_options *options,
                        struct manifest *manifest, struct plan *out, struct err *err)
{
    struct planner p = {
        .run = run, .conn = c, .options = options, .manifest = manifest, .arena = manifest->arena};
    *out = (struct plan){.arena = manifest->arena};
    objects_init(&out->objects, manifest->arena);
    p.objects = &out->objects;
    enum err_code code = read_server(&p, err);
    if (code == ERR_OK)
        code = resolve(&p, err);
    if (code == ERR_OK)
        code = check_not_empty(&p, err);
    if (code == ERR_OK)
        code = describe_all(&p, out, err);
    if (code == ERR_OK)
        code = take_belongings(&p, err);
    if (code == ERR_OK)
        code = objects_define(&out->objects, c, manifest, err);
    if (code == ERR_OK)
        code = warn_of_surprises(&p, out, false, err);
    struct err other;
    if (code == ERR_DB_DENIED) /* for who looks whether a dump would work */
        warn_of_surprises(&p, out, true, &other);
    free(p.found);
    return code;
}

static bool is_table(const struct manifest_table *t, const struct catalog_table *found)
{
    return strcmp(t->name, found->name) == 0 && strcmp(t->schema, found->schema) == 0;
}

/* Tables are found in the same order each time, almost: the one behind the last is looked at first. */
static const struct catalog_table *new_table(const struct planner *now, const struct manifest *m)
{
    unsigned next = 0;
    for (unsigned i = 0; i < now->found_count; i++) {
        unsigned tried = 0;
        while (tried < m->table_count &&
               !is_table(&m->tables[(next + tried) % m->table_count], &now->found[i]))
            tried++;
        if (tried == m->table_count)
            return &now->found[i];
        next = (next + tried + 1) % m->table_count;
    }
    return NULL;
}

static const struct catalog_object *new_object(const struct planner *now, const struct objects *then)
{
    for (unsigned i = 0; i < now->objects->count; i++) {
        const struct catalog_object *o = &now->objects->items[i];
        unsigned k = 0;
        while (k < then->count &&
               (then->items[k].kind != o->kind || strcmp(then->items[k].name, o->name) != 0 ||
                strcmp(then->items[k].schema, o->schema) != 0))
            k++;
        if (k == then->count)
            return o;
    }
    return NULL;
}

enum err_code plan_look_again(const struct plan *p, const struct run *run, struct db_conn *c,
                              const struct dump_options *options, struct manifest *m, const char **name,
                              struct err *err)
{
    struct manifest *scratch = manifest_new();
    struct objects objects;
    struct planner now = {.run = run,
                          .conn = c,
                          .options = options,
                          .manifest = scratch,
                          .arena = scratch->arena,
                          .only_names = true};
    objects_init(&objects, scratch->arena);
    now.objects = &objects;
    *name = NULL;
    enum err_code code = resolve(&now, err);
    if (code == ERR_NOT_FOUND) /* dropped meanwhile: what is planned is looked at behind the reading */
        code = ERR_OK;
    const struct catalog_table *table = code == ERR_OK ? new_table(&now, m) : NULL;
    const struct catalog_object *object = code == ERR_OK && !table ? new_object(&now, &p->objects) : NULL;
    if (table)
        *name = arena_printf(m->arena, "%s.%s", table->schema, table->name);
    else if (object)
        *name = arena_printf(m->arena, "%s.%s", object->schema, object->name);
    free(now.found);
    objects_free(&objects);
    manifest_free(scratch);
    return code;
}

void plan_free(struct plan *p)
{
    objects_free(&p->objects);
}

/* RENAME leaves definitions alone, but the rows of a table that came to the name later are another table's.
 * The time is in whole seconds: one that was made, planned and replaced within the same second is not seen;
 * and after an ALTER in place MariaDB knows no time until it opens the table anew: then nothing is compared.
 */
static enum err_code check_created(struct db_conn *c, const struct manifest_table *t, const char *created,
                                   struct err *err)
{
    struct buf now;
    buf_init(&now, 256);
    enum err_code code = catalog_created(c, t->schema, t->name, &now, err);
    if (code == ERR_OK && created[0] && now.len && strcmp(buf_cstr(&now), created) != 0)
        code = err_set(err, ERR_SNAPSHOT,
                       "dump %s.%s: it was renamed or made anew while the dump ran (DDL): run it again",
                       t->schema, t->name);
    buf_free(&now);
    return code;
}

static enum err_code check_definition(struct db_conn *c, const struct manifest_table *t, const char *created,
                                      struct buf *text, struct err *err)
{
    char hex[SHA256_HEX_BYTES];
    enum err_code code = catalog_ddl(c, t->schema, t->name, text, err);
    if (code == ERR_NOT_FOUND)
        return err_set(err, ERR_SNAPSHOT,
                       "dump %s.%s: it was dropped or renamed while the dump ran (DDL): %s", t->schema,
                       t->name, err->text);
    if (code != ERR_OK)
        return err_wrap(err, "look again at %s.%s", t->schema, t->name);
    ddl_digest(buf_cstr(text), hex);
    if (strcmp(hex, t->ddl_sha256) != 0)
        return err_set(err, ERR_SNAPSHOT,
                       "dump %s.%s: its definition was changed while the dump ran (DDL): run it again",
                       t->schema, t->name);
    return check_created(c, t, created, err);
}

enum err_code plan_check_ddl(const struct plan *p, struct db_conn *c, const struct manifest *m,
                             struct err *err)
{
    struct buf text;
    buf_init(&text, DDL_MAX_BYTES);
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < m->table_count; i++)
        code = check_definition(c, &m->tables[i], p->created[i], &text, err);
    buf_free(&text);
    return code == ERR_OK ? objects_check(&p->objects, c, m, err) : code;
}
