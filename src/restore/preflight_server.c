/* Whether this server has what the definitions name, and how its settings bear on the restore. */
#include "restore/preflight.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void missing_collation(struct preflight *p, const char *name, const char *user)
{
    char remedy[256];
    snprintf(remedy, sizeof remedy, "--map-collation %s=NEW", name);
    findings_add(p->out, FINDING_REFUSAL, "collations", remedy,
                 "collation %s (of %s) does not exist on this server", name, user);
}

static void check_collation(struct preflight *p, const char *name, const char *user)
{
    const char *mapped = collation_map_find(p->mapped, name);
    if (mapped && *mapped && !name_list_has(&p->facts.collations, mapped))
        missing_collation(p, mapped, user);
}

static void check_charset(struct preflight *p, const char *name, const char *user)
{
    /* utf8 is a name for one of the two in every server that does not list it. */
    if (name && *name && strcasecmp(name, "utf8") != 0 && !name_list_has(&p->facts.charsets, name))
        findings_add(p->out, FINDING_REFUSAL, "collations", NULL,
                     "character set %s (of %s) does not exist on this server", name, user);
}

static void check_texts(struct preflight *p, const struct target *t, const char *user)
{
    unsigned count;
    const char **names = ddl_collations(t->ddl_text, p->arena, &count);
    for (unsigned i = 0; i < count; i++)
        check_collation(p, names[i], user);
    names = ddl_charsets(t->ddl_text, p->arena, &count);
    for (unsigned i = 0; i < count; i++)
        check_charset(p, names[i], user);
}

static void check_engine(struct preflight *p, const struct target *t, const char *user)
{
    const char *engine = t->table->engine;
    if (engine && *engine && !name_list_has(&p->facts.engines, engine))
        findings_add(p->out, FINDING_REFUSAL, "engines", NULL,
                     "engine %s (of %s) is not available on this server", engine, user);
    else if (!t->table->transactional)
        findings_add(
            p->out, FINDING_NOTE, "engines", NULL,
            "%s has engine %s, which has no transactions: a load of it that fails cannot be tried again",
            user, engine);
}

/* Types that MariaDB keeps in plugins; parsers of FULLTEXT keys. */
static void check_plugins(struct preflight *p, const struct target *t, const char *user)
{
    static const char *const types[] = {"uuid", "inet4", "inet6"};
    for (unsigned c = 0; p->facts.flavour.mariadb && c < t->table->column_count; c++)
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
            if (strcasecmp(t->table->columns[c].type, types[i]) == 0 &&
                !name_list_has(&p->facts.plugins, types[i]))
                findings_add(p->out, FINDING_REFUSAL, "plugins", NULL,
                             "type %s (of %s.%s) does not exist on this server: it needs a newer version, or "
                             "its plugin",
                             types[i], user, t->table->columns[c].name);
    for (unsigned i = 0; i < t->ddl.item_count; i++) {
        const char *at =
            t->ddl.items[i].kind == DDL_FULLTEXT ? strstr(t->ddl.items[i].text, "WITH PARSER `") : NULL;
        if (!at)
            continue;
        at += strlen("WITH PARSER `");
        const char *parser = arena_strndup(p->arena, at, strcspn(at, "`"));
        if (!name_list_has(&p->facts.plugins, parser))
            findings_add(p->out, FINDING_REFUSAL, "plugins", NULL,
                         "FULLTEXT parser %s (of %s) is not installed on this server", parser, user);
    }
}

/* MariaDB prints the option as it was typed: `ENCRYPTED`=YES, `encrypted`='yes'. */
static bool is_encrypted(const struct ddl *d)
{
    static const char option[] = "`encrypted`=";
    const char *at = strcasestr(d->tail, option);
    if (!at)
        return false;
    at += sizeof option - 1;
    return strncasecmp(at + (*at == '\''), "yes", 3) == 0;
}

static void check_encryption(struct preflight *p, const struct target *t, const char *user)
{
    if (p->facts.flavour.mariadb && !p->facts.has_keys && is_encrypted(&t->ddl))
        findings_add(p->out, FINDING_REFUSAL, "plugins", NULL,
                     "%s is encrypted (ENCRYPTED=YES), and this server has no plugin with keys for it", user);
}

/* An older server would date the rows of the past anew. */
static void check_history(struct preflight *p, const struct target *t, const char *user)
{
    if (p->facts.flavour.mariadb && t->table->system_versioned && !flavour_loads_history(p->facts.flavour))
        findings_add(p->out, FINDING_REFUSAL, "server", NULL,
                     "%s is system-versioned: its history can be loaded since MariaDB 10.11, and this server "
                     "is %s",
                     user, p->facts.version);
}

static bool has_upper_case(const char *name)
{
    for (; *name; name++)
        if (isupper((unsigned char)*name))
            return true;
    return false;
}

/* A server that keeps names in lower case gives others back than it was given. */
static void check_name(struct preflight *p, const char *schema, const char *name)
{
    if (p->facts.lower_case_table_names != 0 && (has_upper_case(schema) || has_upper_case(name)))
        findings_add(p->out, p->facts.lower_case_table_names == 1 ? FINDING_REFUSAL : FINDING_WARNING,
                     "names", NULL,
                     "%s.%s has upper-case letters, and this server (lower_case_table_names=%u) %s", schema,
                     name, p->facts.lower_case_table_names,
                     p->facts.lower_case_table_names == 1 ? "would store another name"
                                                          : "does not tell them from lower case");
}

static void check_schemas(struct preflight *p)
{
    const struct targets *t = p->targets;
    const struct manifest *m = p->manifest;
    for (unsigned i = 0; i < t->schema_count; i++) {
        check_name(p, t->schemas[i], "");
        for (unsigned k = 0; k < m->schema_count; k++) {
            if (strcmp(m->schemas[k].name, t->originals[i]) != 0 || t->schema_exists[i])
                continue;
            check_collation(p, m->schemas[k].collation, t->schemas[i]);
            check_charset(p, m->schemas[k].charset, t->schemas[i]);
        }
    }
}

static void check_objects(struct preflight *p)
{
    for (unsigned i = 0; i < p->manifest->object_count; i++) {
        const struct manifest_object *o = &p->manifest->objects[i];
        if (!targets_bring(p->targets, p->options, o))
            continue;
        const char *user = arena_printf(p->arena, "%s %s.%s", object_kind_name(o->kind), o->schema, o->name);
        if (o->collation)
            check_collation(p, o->collation, user);
        if (o->db_collation)
            check_collation(p, o->db_collation, user);
        check_charset(p, o->charset, user);
        if (o->kind == OBJECT_VIEW)
            check_name(p, targets_map(p->targets, o->schema), o->name);
    }
    for (unsigned i = 0; i < p->targets->sequence_count; i++)
        check_name(p, p->targets->sequences[i].schema, p->targets->sequences[i].name);
}

/* ---- settings ---- */

/* Bytes of text.  A row is at least as long as the rows of its member are on average, and at most as its
 * member. */
struct longest {
    uint64_t least, most;
    const struct target *of_least, *of_most;
};

static void look_at_member(const struct target *t, const struct manifest_member *m, struct longest *l)
{
    uint64_t least = m->rows ? (m->plain_length - 1) / m->rows + 1 : 0;
    if (least > l->least)
        *l = (struct longest){least, l->most, t, l->of_most};
    if (m->rows && m->plain_length > l->most)
        *l = (struct longest){l->least, m->plain_length, l->of_least, t};
}

static struct longest longest_row(const struct preflight *p)
{
    const struct manifest *m = p->manifest;
    const struct target **by_number = arena_calloc(p->arena, m->table_count + 1, sizeof *by_number);
    struct longest l = {0};
    for (unsigned i = 0; i < p->targets->count; i++)
        by_number[p->targets->items[i].table->number] = &p->targets->items[i];
    for (size_t i = 0; i < m->member_count; i++)
        if (m->members[i].kind == MEMBER_DATA && by_number[m->members[i].table])
            look_at_member(by_number[m->members[i].table], &m->members[i], &l);
    return l;
}

static void check_loading(struct preflight *p)
{
    static const char raise[] =
        "SET GLOBAL local_infile=ON (on RDS in the parameter group), or raise max_allowed_packet";
    struct longest l = longest_row(p);
    if (p->facts.local_infile) {
        findings_add(p->out, FINDING_OK, "loading", NULL, "rows are loaded by LOAD DATA LOCAL");
        return;
    }
    if (l.least > p->facts.max_allowed_packet)
        findings_add(p->out, FINDING_REFUSAL, "loading", raise,
                     "a row of %s.%s has %" PRIu64
                     " bytes or more: with local_infile=OFF it must fit into a statement of "
                     "max_allowed_packet, %" PRIu64 " bytes",
                     l.of_least->table->schema, l.of_least->table->name, l.least,
                     p->facts.max_allowed_packet);
    else if (l.most > p->facts.max_allowed_packet)
        findings_add(p->out, FINDING_WARNING, "loading", raise,
                     "rows of up to %" PRIu64 " bytes may be in %s.%s: with local_infile=OFF one that is "
                     "longer than max_allowed_packet, %" PRIu64 " bytes, would be refused while it is loaded",
                     l.most, l.of_most->table->schema, l.of_most->table->name, p->facts.max_allowed_packet);
    else
        findings_add(
            p->out, FINDING_NOTE, "loading", "SET GLOBAL local_infile=ON (on RDS in the parameter group)",
            "local_infile is OFF: rows are loaded by INSERT, as exact, but slower; no row may be longer than"
            " max_allowed_packet, %" PRIu64 " bytes",
            p->facts.max_allowed_packet);
}

static void check_settings(struct preflight *p)
{
    const char *sql_mode = p->manifest->server.sql_mode;
    if (p->facts.read_only)
        findings_add(p->out, FINDING_WARNING, "server", NULL,
                     "the server is read-only: only accounts with a privilege for it may"
                     " write");
    if (!flavour_has_atomic_rename(p->facts.flavour))
        findings_add(p->out, FINDING_WARNING, "server", NULL,
                     "if this server (%s) crashes while the tables are exchanged, some may be exchanged and "
                     "others not: it is one step since MariaDB 10.6 and MySQL 8.0",
                     p->facts.version);
    if (sql_mode && strcmp(sql_mode, p->facts.sql_mode) != 0)
        findings_add(p->out, FINDING_NOTE, "server", NULL,
                     "sql_mode was '%s' where the archive was taken and is '%s' here: the restore does not "
                     "depend on it,"
                     " applications may",
                     sql_mode, p->facts.sql_mode);
}

void preflight_server(struct preflight *p)
{
    unsigned before = findings_count(p->out, FINDING_REFUSAL);
    for (unsigned i = 0; i < p->targets->count; i++) {
        const struct target *t = &p->targets->items[i];
        const char *user = arena_printf(p->arena, "%s.%s", t->table->schema, t->table->name);
        check_texts(p, t, user);
        check_engine(p, t, user);
        check_plugins(p, t, user);
        check_encryption(p, t, user);
        check_history(p, t, user);
        check_name(p, t->schema, t->name);
    }
    check_schemas(p);
    check_objects(p);
    if (findings_count(p->out, FINDING_REFUSAL) == before)
        findings_add(p->out, FINDING_OK, "server", NULL,
                     "collations, character sets, engines and plugins that are needed are there");
    check_loading(p);
    check_settings(p);
}
