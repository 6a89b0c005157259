/*
 * Archives of MySQL for MariaDB, and the other way round: what the other family would refuse, or worse, would
 * take and make something else of.  Rows travel as text that both read alike, and are compared after the load
 * in any case; definitions are the servers' own words.
 */
#include "restore/preflight.h"

#include <string.h>
#include <strings.h>

static const char TOPIC[] = "server";

bool preflight_same_family(const struct preflight *p)
{
    bool mariadb;
    const char *flavour = p->manifest->server.flavour;
    return !flavour || !flavour_parse(flavour, &mariadb) || mariadb == p->facts.flavour.mariadb;
}

/* Words of a definition (outside of quotes) that only the one family has. */
static const struct {
    bool mariadb; /* who has them */
    const char *words, *meaning;
} WORDS[] = {
    {true, "SYSTEM VERSIONING", "system versioning"},
    {true, "PERIOD FOR", "application-time periods"},
    {true, "WITHOUT OVERLAPS", "keys without overlaps"},
    {true, "NEXTVAL", "defaults from sequences"},
    {true, "IGNORED", "ignored indexes"},
    {true, "TRANSACTIONAL", "options of the Aria engine"},
    {false, "ENGINE_ATTRIBUTE", "engine attributes"},
    {false, "SECONDARY_ENGINE", "secondary engines"},
};

/* Options of MariaDB's engines, which it prints in backticks behind the columns. */
static const struct {
    const char *option, *meaning;
} OPTIONS[] = {
    {"`page_compressed`=", "page compression by MariaDB's option"},
    {"`encrypted`=", "encryption by MariaDB's option"},
};

/* Types of the manifest's columns, by what stands before the first parenthesis or blank. */
static const struct {
    bool mariadb;
    const char *type, *meaning;
} TYPES[] = {
    {true, "uuid", "the type UUID"},
    {true, "inet4", "the type INET4"},
    {true, "inet6", "the type INET6"},
    {false, "json", "a type JSON of its own"},
};

/* column: NULL if it is none's. */
static void refuse_table(struct preflight *p, const struct target *t, const char *what, const char *column)
{
    findings_add(p->out, FINDING_REFUSAL, TOPIC, NULL, "%s.%s%s%s uses %s, which %s does not have",
                 t->table->schema, t->table->name, column ? "." : "", column ? column : "", what,
                 flavour_name(p->facts.flavour));
}

static bool is_type(const char *column_type, const char *type)
{
    size_t n = strcspn(column_type, "( ");
    return n == strlen(type) && strncasecmp(column_type, type, n) == 0;
}

/* MySQL: an index over expressions has a second parenthesis. */
static bool has_functional_key(const struct ddl *d)
{
    for (unsigned i = 0; i < d->item_count; i++)
        if (d->items[i].kind != DDL_COLUMN && d->items[i].kind != DDL_OTHER && strstr(d->items[i].text, "(("))
            return true;
    return false;
}

/* MariaDB prints a function as a default without the parentheses that MySQL demands. */
static bool has_bare_default(const char *text)
{
    struct ddl_word w, function;
    for (const char *p = text; ddl_next_word(&p, &w);) {
        const char *q = p;
        if (!ddl_word_is(&w, "DEFAULT") || *q != ' ' || q[1] == '(' || !ddl_next_word(&q, &function) ||
            *q != '(')
            continue;
        if (!ddl_word_is(&function, "current_timestamp"))
            return true;
    }
    return false;
}

static void check_table(struct preflight *p, const struct target *t)
{
    bool to_mariadb = p->facts.flavour.mariadb;
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (WORDS[i].mariadb != to_mariadb && ddl_has_words(t->ddl_text, WORDS[i].words))
            refuse_table(p, t, WORDS[i].meaning, NULL);
    for (unsigned c = 0; c < t->table->column_count; c++)
        for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
            if (TYPES[i].mariadb != to_mariadb && is_type(t->table->columns[c].type, TYPES[i].type))
                refuse_table(p, t, TYPES[i].meaning, t->table->columns[c].name);
    for (size_t i = 0; !to_mariadb && i < sizeof OPTIONS / sizeof OPTIONS[0]; i++)
        if (strcasestr(t->ddl.tail, OPTIONS[i].option))
            refuse_table(p, t, OPTIONS[i].meaning, NULL);
    const char *skipped = ddl_skipped_by(to_mariadb, t->ddl_text, p->arena);
    if (skipped)
        findings_add(p->out, FINDING_REFUSAL, TOPIC, NULL,
                     "%s.%s would lose \"%s\" without a word: %s skips that comment", t->table->schema,
                     t->table->name, skipped, flavour_name(p->facts.flavour));
    if (to_mariadb && has_functional_key(&t->ddl))
        refuse_table(p, t, "an index over an expression", NULL);
    if (!to_mariadb && has_bare_default(t->ddl_text))
        refuse_table(p, t, "a function as default in a form", NULL);
}

/* Bodies are programs in the other family's dialect. */
static void check_objects(struct preflight *p)
{
    for (unsigned i = 0; i < p->manifest->object_count; i++) {
        const struct manifest_object *o = &p->manifest->objects[i];
        if (targets_bring(p->targets, p->options, o))
            findings_add(
                p->out, FINDING_REFUSAL, TOPIC, NULL,
                "%s %s.%s was written for %s and is not translated: restore the tables alone with --tables",
                object_kind_name(o->kind), o->schema, o->name, p->manifest->server.flavour);
    }
}

/* Major and minor version. */
static unsigned release_of(struct flavour f)
{
    return f.version / 100;
}

static void check_version(struct preflight *p)
{
    struct flavour archive = flavour_of(p->manifest->server.version);
    if (release_of(archive) > release_of(p->facts.flavour))
        findings_add(p->out, FINDING_WARNING, TOPIC, NULL,
                     "the archive is of %s %s, this server is the older %s: it refuses what it does not "
                     "know, before anything changes",
                     flavour_name(archive), p->manifest->server.version, p->facts.version);
    else
        findings_add(p->out, FINDING_OK, TOPIC, NULL, "the archive is of %s %s, this server is %s %s",
                     flavour_name(archive), p->manifest->server.version,
                     flavour_description(p->facts.flavour), p->facts.version);
}

void preflight_family(struct preflight *p)
{
    if (!p->manifest->server.version)
        return; /* a pipe tells at its end */
    if (preflight_same_family(p)) {
        check_version(p);
        return;
    }
    unsigned before = findings_count(p->out, FINDING_REFUSAL);
    for (unsigned i = 0; i < p->targets->count; i++)
        check_table(p, &p->targets->items[i]);
    check_objects(p);
    findings_add(
        p->out, FINDING_WARNING, TOPIC, NULL,
        "the archive is of %s %s, this server is %s %s: definitions are taken in its words%s",
        p->manifest->server.flavour, p->manifest->server.version, flavour_description(p->facts.flavour),
        p->facts.version,
        findings_count(p->out, FINDING_REFUSAL) > before ? "" : ", and every row is compared after the load");
}
