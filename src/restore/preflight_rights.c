/* Whether the account may do what a restore does to tables, and the GRANT that is missing. */
#include "restore/preflight.h"

#include <string.h>

static const char TOPIC[] = "privileges";

/* Privileges on one database, as bits 1 << enum privilege. */
struct need {
    uint64_t all;   /* on the whole database */
    uint64_t table; /* on each existing table that is replaced */
};

static uint64_t bit(enum privilege p)
{
    return (uint64_t)1 << p;
}

static const char *account_of(const struct preflight *p)
{
    return *grants_account(p->grants) ? grants_account(p->grants) : "...";
}

/* "SELECT, INSERT" of those bits that are missing; NULL: none. */
static const char *missing(const struct preflight *p, uint64_t wanted, const char *schema, const char *table)
{
    struct buf list;
    buf_init(&list, 1024);
    for (enum privilege i = 0; i < PRIV_COUNT; i++)
        if ((wanted & bit(i)) && !grants_have(p->grants, i, schema, table))
            buf_putf(&list, "%s%s", list.len ? ", " : "", privilege_name(i, p->facts.flavour.mariadb));
    const char *text = list.len ? arena_strdup(p->arena, buf_cstr(&list)) : NULL;
    buf_free(&list);
    return text;
}

static const char *grant_on(const struct preflight *p, const char *privileges, const char *schema)
{
    struct buf sql;
    buf_init(&sql, 4096);
    grants_put_statement(p->grants, privileges, schema, NULL, &sql);
    const char *text = arena_strdup(p->arena, buf_cstr(&sql));
    buf_free(&sql);
    return text;
}

/* Schemas of our own: staging, undo data, the journal. */
static void check_own(struct preflight *p)
{
    static const enum privilege wanted[] = {PRIV_CREATE, PRIV_DROP,   PRIV_ALTER, PRIV_SELECT,    PRIV_INSERT,
                                            PRIV_UPDATE, PRIV_DELETE, PRIV_INDEX, PRIV_REFERENCES};
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        bits |= bit(wanted[i]);
    const char *lacks = missing(p, bits, "dbsafe_stage_1", NULL);
    if (lacks)
        findings_add(
            p->out, FINDING_REFUSAL, TOPIC,
            arena_printf(p->arena, "GRANT ALL ON `dbsafe\\_%%`.* TO %s", account_of(p)),
            "staging, undo data and journal stand in databases named dbsafe_..., where the account lacks %s",
            lacks);
    else
        findings_add(p->out, FINDING_OK, TOPIC, NULL, "the account may make databases named dbsafe_...");
}

static void check_given(struct preflight *p, const char *schema, const char *option)
{
    const char *lacks = schema
                            ? missing(p,
                                      bit(PRIV_CREATE) | bit(PRIV_DROP) | bit(PRIV_ALTER) | bit(PRIV_SELECT) |
                                          bit(PRIV_INSERT) | bit(PRIV_INDEX) | bit(PRIV_REFERENCES),
                                      schema, NULL)
                            : NULL;
    if (lacks)
        findings_add(p->out, FINDING_REFUSAL, TOPIC, grant_on(p, lacks, schema),
                     "on %s (%s) the account lacks %s", schema, option, lacks);
}

/* What the tables and sequences that go into one target database take.  Of other objects the plan of the swap
 * knows which of them change, and demands what that takes (swap_plan_objects.c). */
static struct need needs_of(const struct preflight *p, unsigned schema)
{
    const struct targets *t = p->targets;
    /* RENAME takes CREATE and INSERT where a table comes to, ALTER and DROP where one leaves. */
    struct need need = {.all = t->schema_exists[schema] ? 0 : bit(PRIV_CREATE)};
    for (unsigned i = 0; i < t->count; i++) {
        const struct target *item = &t->items[i];
        if (strcmp(item->schema, t->schemas[schema]) != 0)
            continue;
        need.all |= bit(PRIV_CREATE) | bit(PRIV_INSERT);
        if (item->exists)
            need.table |= bit(PRIV_ALTER) | bit(PRIV_DROP) | bit(PRIV_SELECT) |
                          bit(PRIV_TRIGGER); /* else triggers stay unseen */
        if (item->table->trigger_count)
            need.all |= bit(PRIV_TRIGGER) | bit(PRIV_DROP) | bit(PRIV_ALTER) | bit(PRIV_SELECT);
        for (unsigned k = 0; k < item->ddl.item_count; k++)
            if (item->ddl.items[k].kind == DDL_FOREIGN)
                need.all |= bit(PRIV_ALTER) | bit(PRIV_REFERENCES);
    }
    for (unsigned i = 0; i < t->sequence_count; i++) {
        if (strcmp(t->sequences[i].schema, t->schemas[schema]) != 0)
            continue;
        need.all |= bit(PRIV_CREATE) | bit(PRIV_INSERT);
        if (t->sequences[i].exists)
            need.all |= bit(PRIV_ALTER) | bit(PRIV_DROP) | bit(PRIV_SELECT);
    }
    return need;
}

static void check_target(struct preflight *p, unsigned schema)
{
    const struct targets *t = p->targets;
    const char *name = t->schemas[schema];
    struct need need = needs_of(p, schema);
    const char *lacks = missing(p, need.all, name, NULL);
    for (unsigned i = 0; i < t->count && need.table; i++)
        if (t->items[i].exists && strcmp(t->items[i].schema, name) == 0 &&
            missing(p, need.table, name, t->items[i].name)) {
            lacks = missing(p, need.all | need.table, name, NULL);
            break;
        }
    if (!lacks)
        findings_add(p->out, FINDING_OK, TOPIC, NULL, "the account may do all that is needed in %s", name);
    else if (!t->schema_exists[schema])
        findings_add(p->out, FINDING_REFUSAL, TOPIC, grant_on(p, lacks, name),
                     "database %s does not exist, and the account lacks %s to make it and its tables", name,
                     lacks);
    else
        findings_add(p->out, FINDING_REFUSAL, TOPIC, grant_on(p, lacks, name), "on %s the account lacks %s",
                     name, lacks);
}

static void check_global(struct preflight *p)
{
    if (!grants_have(p->grants, PRIV_PROCESS, NULL, NULL))
        findings_add(p->out, FINDING_NOTE, TOPIC, grant_on(p, "PROCESS", NULL),
                     "without PROCESS neither foreign keys of other tables nor the sessions that block a "
                     "swap can be seen");
    if (p->options->kill_blockers && !grants_have(p->grants, PRIV_CONNECTION_ADMIN, NULL, NULL) &&
        !grants_have(p->grants, PRIV_SUPER, NULL, NULL))
        findings_add(p->out, FINDING_WARNING, TOPIC,
                     grant_on(p, privilege_name(PRIV_CONNECTION_ADMIN, p->facts.flavour.mariadb), NULL),
                     "--kill-blockers can end only this account's own sessions");
}

void preflight_rights(struct preflight *p)
{
    unsigned before = findings_count(p->out, FINDING_REFUSAL);
    check_own(p);
    check_given(p, p->options->staging_schema, "--staging-schema");
    check_given(p, p->options->undo_schema, "--undo-schema");
    for (unsigned i = 0; i < p->targets->schema_count; i++)
        check_target(p, i);
    check_global(p);
    if (findings_count(p->out, FINDING_REFUSAL) > before && grants_name_roles(p->grants))
        findings_add(p->out, FINDING_NOTE, TOPIC, NULL,
                     "the account was given roles, whose privileges count only while a role is active: SET "
                     "DEFAULT ROLE makes it so"
                     " at each login");
}
