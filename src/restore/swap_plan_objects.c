/* Programs, views and events against what is there; schemas; what the account may do. */
#include "restore/swap_plan_parts.h"

#include "db/catalog.h"
#include "db/charset.h"
#include "db/create.h"
#include "db/quote.h"
#include "db/view_uses.h"
#include "restore/definition.h"
#include "restore/schemas.h"

#include <string.h>
#include <strings.h>

#define SQL_MAX_BYTES ((size_t)1 << 20)

/* ---- triggers ---- */

/* A trigger's name is the schema's: one of a table that stays may hold it. */
static enum err_code look_at_trigger_name(struct planner *p, const struct definition *d, struct err *err)
{
    struct buf sql, table;
    bool found;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_init(&table, 1024);
    buf_put(&sql, "SELECT EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA=");
    db_quote_text(&sql, d->object.schema);
    buf_put(&sql, " AND TRIGGER_NAME=");
    db_quote_text(&sql, d->object.name);
    /* Names of triggers are names of files. */
    buf_put(&sql, " AND (@@lower_case_table_names <> 0 OR CAST(TRIGGER_NAME AS BINARY)=");
    db_quote_text(&sql, d->object.name);
    buf_put(&sql, ")");
    enum err_code code = db_scalar(p->control, buf_cstr(&sql), &table, &found, err);
    if (code == ERR_OK && found && operation_find(p->op, d->object.schema, buf_cstr(&table)) < 0)
        refuse(p->refusals,
               "trigger %s.%s cannot come back: %s has one of that name now, and is not exchanged",
               d->object.schema, d->object.name, buf_cstr(&table));
    buf_free(&sql);
    buf_free(&table);
    return code;
}

/* ---- programs, views, events ---- */

/* *broken: why the one that is there cannot be selected from, so that no statement makes it again; or NULL.
 */
static enum err_code look_at_view_name(struct planner *p, const struct definition *d, const char **broken,
                                       struct err *err)
{
    struct catalog_table *tables;
    unsigned count = 0;
    enum err_code code =
        catalog_tables(p->control, p->arena, d->object.schema, d->object.name, &tables, &count, err);
    if (code == ERR_OK && d->text && count && tables[0].kind != CATALOG_VIEW)
        refuse(p->refusals, "view %s.%s cannot come back: a %s of that name is there now", d->object.schema,
               d->object.name, tables[0].kind == CATALOG_TABLE ? "table" : "sequence");
    *broken = code == ERR_OK && count ? tables[0].broken : NULL;
    return code;
}

/* A restore is planned twice, and tells it the first time. */
static void warn_of_broken(const struct planner *p, const struct definition *now, const char *broken)
{
    if (broken && now->text && (p->options->incoming || p->options->undone))
        log_warn(
            p->run->log,
            "view %s.%s refers to what is not there (%s), and is replaced: undo cannot make it again; its"
            " definition stays in the journal",
            now->object.schema, now->object.name, broken);
}

/* To replace a package drops its body. */
static bool body_goes(const struct planner *p, unsigned made)
{
    const struct definition *d = &p->op->made[made];
    for (unsigned i = 0; i < p->op->made_count && d->object.kind == OBJECT_PACKAGE_BODY; i++) {
        const struct definition *package = &p->op->made[i];
        if (package->object.kind == OBJECT_PACKAGE && p->replaces[i] &&
            strcmp(package->object.name, d->object.name) == 0 &&
            strcmp(package->object.schema, d->object.schema) == 0)
            return true;
    }
    return false;
}

static enum err_code compare_object(struct planner *p, unsigned i, struct err *err)
{
    const struct definition *d = &p->op->made[i];
    struct definition now;
    const char *broken = NULL;
    enum err_code code = ERR_OK;
    if (d->object.kind == OBJECT_VIEW)
        code = look_at_view_name(p, d, &broken, err);
    if (code == ERR_OK)
        code = definitions_read(p->now, d->object.kind, d->object.schema, d->object.name, &now, err);
    if (code == ERR_DB_DENIED) { /* what it is like or not: to know takes what to replace it takes */
        p->replaces[i] = d->text != NULL;
        p->drops[i] = !d->text;
        return swap_plan_unseen(p, err);
    }
    if (code != ERR_OK)
        return code;
    now.object.broken = broken != NULL;
    if (now.text && d->text && definition_equal(&now, d) && !body_goes(p, i))
        return ERR_OK; /* it binds by name: it stays as it is */
    if (!now.text && !d->text)
        return ERR_OK;
    warn_of_broken(p, &now, broken);
    swap_plan_keep(p, &now);
    p->makes[i] = !now.text;
    p->drops[i] = !d->text;
    p->replaces[i] = now.text && d->text;
    return ERR_OK;
}

/* A package that is replaced and has no body in the archive loses the one that it has. */
static enum err_code keep_lost_body(struct planner *p, unsigned i, struct err *err)
{
    const struct definition *d = &p->op->made[i];
    struct definition body;
    for (unsigned k = 0; k < p->op->made_count; k++)
        if (p->op->made[k].object.kind == OBJECT_PACKAGE_BODY &&
            strcmp(p->op->made[k].object.name, d->object.name) == 0 &&
            strcmp(p->op->made[k].object.schema, d->object.schema) == 0)
            return ERR_OK;
    enum err_code code =
        definitions_read(p->now, OBJECT_PACKAGE_BODY, d->object.schema, d->object.name, &body, err);
    if (code == ERR_DB_DENIED)
        return swap_plan_unseen(p, err);
    if (code == ERR_OK && body.text)
        swap_plan_keep(p, &body);
    return code;
}

enum err_code swap_plan_objects(struct planner *p, struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < p->op->made_count; i++) {
        const struct definition *d = &p->op->made[i];
        if (d->object.kind == OBJECT_TRIGGER) {
            code = look_at_trigger_name(p, d, err);
            continue;
        }
        code = compare_object(p, i, err);
        if (code == ERR_OK && d->object.kind == OBJECT_PACKAGE && (p->replaces[i] || p->drops[i]))
            code = keep_lost_body(p, i, err);
    }
    return code;
}

/* ---- schemas ---- */

/* Whether an object has to be made under another collation than its schema has. */
static bool lends(const struct operation *op, const struct schema_change *s)
{
    for (unsigned i = 0; i < op->made_count; i++)
        if (op->made[i].text && op->made[i].object.db_collation &&
            strcmp(op->made[i].object.schema, s->schema) == 0 &&
            (!s->before.collation || strcmp(op->made[i].object.db_collation, s->before.collation) != 0))
            return true;
    return false;
}

/* What was not there when this operation began was made by it. */
enum err_code swap_plan_schemas(struct planner *p, struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < p->op->schema_change_count; i++) {
        struct schema_change *s = &p->op->schema_changes[i];
        if (s->before.charset)
            code = schemas_read(p->control, p->arena, s->schema, &s->before, err);
        if (s->keeps)
            s->after = s->before;
    }
    return code;
}

/* ---- privileges ---- */

struct need {
    enum privilege privilege;
    const char *why;
};

static bool is_own(const struct definition *d, const char *own)
{
    return d->object.definer && strcmp(d->object.definer, own) == 0;
}

static struct flavour flavour_here(const struct planner *p)
{
    return flavour_of(db_version(p->control));
}

static void demand(struct planner *p, const struct need *n, const char *schema, const char *table)
{
    struct buf grant;
    if (grants_have(p->grants, n->privilege, schema, table))
        return;
    buf_init(&grant, 4096);
    grants_put_statement(p->grants, privilege_name(n->privilege, flavour_here(p).mariadb), schema, table,
                         &grant);
    refuse(p->refusals, "this account may not %s: %s", n->why, buf_cstr(&grant));
    buf_free(&grant);
}

/* What is made is read back, and compared; routines of the account itself are shown to it anyway. */
static void demand_to_see_routines(struct planner *p, const struct definition *d, const char *own)
{
    struct buf grant;
    if (is_own(d, own) || grants_show_routines(p->grants, flavour_here(p), d->object.schema))
        return;
    buf_init(&grant, 4096);
    grants_put_show_routine(flavour_here(p), d->object.schema, &grant);
    refuse(p->refusals, "this account may not read routines of other definers back: GRANT %s TO %s",
           buf_cstr(&grant), grants_account(p->grants));
    buf_free(&grant);
}

static int find_function(const struct planner *p, const char *schema, const char *name)
{
    for (unsigned i = 0; i < p->op->made_count; i++) {
        const struct manifest_object *o = &p->op->made[i].object;
        if (o->kind == OBJECT_FUNCTION && strcmp(o->schema, schema) == 0 && strcasecmp(o->name, name) == 0)
            return (int)i;
    }
    return -1;
}

/* No view is made of a function that the account may not call; one that it makes, it may. */
static void demand_for_calls(struct planner *p, const struct definition *d)
{
    static const struct need call = {PRIV_EXECUTE, "call the functions of views"};
    unsigned count;
    if (!charset_is_utf8(d->object.charset) && strcmp(d->object.charset, "latin1") != 0)
        return;
    const struct view_use *calls =
        view_functions(arena_strndup(p->arena, d->text, d->bytes), p->arena, &count);
    for (unsigned i = 0; i < count; i++) {
        const char *schema = calls[i].schema[0] ? calls[i].schema : d->object.schema;
        int made = find_function(p, schema, calls[i].name);
        if (made >= 0 ? !p->makes[made] && !p->replaces[made] : calls[i].schema[0] != '\0')
            demand(p, &call, schema, NULL);
    }
}

/* No view is made by an account that may not read what it selects from. */
static void demand_for_view(struct planner *p, const struct definition *d)
{
    static const struct need see = {PRIV_SHOW_VIEW, "read views back"},
                             look = {PRIV_SELECT, "select what views select"};
    demand(p, &see, d->object.schema, NULL);
    demand(p, &look, d->object.schema, NULL);
    for (unsigned i = 0; i < d->object.use_count; i++)
        if (strcmp(d->object.uses[i].schema, d->object.schema) != 0)
            demand(p, &look, d->object.uses[i].schema, d->object.uses[i].name);
    demand_for_calls(p, d);
}

static void demand_for_object(struct planner *p, unsigned i, const char *own)
{
    static const struct need needs[OBJECT_KINDS][2] = {
        [OBJECT_PACKAGE] = {{PRIV_CREATE_ROUTINE, "create packages"},
                            {PRIV_ALTER_ROUTINE, "replace packages"}},
        [OBJECT_PACKAGE_BODY] = {{PRIV_CREATE_ROUTINE, "create packages"},
                                 {PRIV_ALTER_ROUTINE, "replace packages"}},
        [OBJECT_FUNCTION] = {{PRIV_CREATE_ROUTINE, "create functions"},
                             {PRIV_ALTER_ROUTINE, "replace functions"}},
        [OBJECT_PROCEDURE] = {{PRIV_CREATE_ROUTINE, "create procedures"},
                              {PRIV_ALTER_ROUTINE, "replace procedures"}},
        [OBJECT_VIEW] = {{PRIV_CREATE_VIEW, "create views"}, {PRIV_DROP, "replace views"}},
        [OBJECT_TRIGGER] = {{PRIV_TRIGGER, "create triggers"},
                            {PRIV_LOCK_TABLES, "lock tables with triggers"}},
        [OBJECT_EVENT] = {{PRIV_EVENT, "create events"}, {PRIV_EVENT, "create events"}},
    };
    const struct definition *d = &p->op->made[i];
    if (d->object.kind != OBJECT_TRIGGER && !p->makes[i] && !p->replaces[i] && !p->drops[i])
        return;
    /* What is new too is made by CREATE OR REPLACE, which takes both. */
    for (unsigned k = 0; k < 2; k++)
        demand(p, &needs[d->object.kind][k], d->object.schema, NULL);
    if (d->object.kind == OBJECT_VIEW && d->text)
        demand_for_view(p, d);
    else if (d->object.kind <= OBJECT_PROCEDURE && d->text)
        demand_to_see_routines(p, d, own);
}

/* "`app`@`%`" of SHOW GRANTS as an object's definer has it. */
static const char *own_account(struct planner *p, struct err *err, enum err_code *code)
{
    struct buf account;
    buf_init(&account, 1024);
    *code = db_scalar(p->control, "SELECT CURRENT_USER()", &account, NULL, err);
    const char *own = arena_strdup(p->arena, buf_cstr(&account));
    buf_free(&account);
    return own;
}

static bool is_of_another(const struct definition *d, const char *own)
{
    return d->text && !is_own(d, own);
}

static void refuse_definers(struct planner *p, const char *own)
{
    unsigned others = 0;
    const struct definition *first = NULL;
    for (unsigned i = 0; i < p->op->made_count; i++) {
        const struct definition *d = &p->op->made[i];
        if ((d->object.kind == OBJECT_TRIGGER || p->makes[i] || p->replaces[i]) && is_of_another(d, own))
            first = others++ ? first : d;
    }
    if (others == 0)
        return;
    struct buf name;
    buf_init(&name, 1024);
    definition_describe(first, &name);
    refuse(p->refusals,
           "%u objects have another definer than this account (%s: %s), and it may not make any for others:"
           " GRANT %s ON *.* TO %s, or say --definer current to make them its own",
           others, buf_cstr(&name), first->object.definer ? first->object.definer : "?",
           flavour_definer_privilege(flavour_here(p)), grants_account(p->grants));
    buf_free(&name);
}

static void warn_of_kept_definers(const struct planner *p, const char *own)
{
    unsigned others = 0;
    for (unsigned i = 0; i < p->op->kept_count; i++)
        others += is_of_another(&p->op->kept[i], own);
    if (others)
        log_warn(p->run->log,
                 "%u of the objects that are replaced have another definer than this account, which may not"
                 " make any for others: an undo needs another account, or GRANT %s ON *.* TO %s",
                 others, flavour_definer_privilege(flavour_here(p)), grants_account(p->grants));
}

static void check_definers(struct planner *p, const char *own)
{
    if (grants_have(p->grants, PRIV_SUPER, NULL, NULL) || grants_have(p->grants, PRIV_SET_USER, NULL, NULL))
        return;
    refuse_definers(p, own);
    /* Told once: by the first of two plans. */
    if (p->options->incoming)
        warn_of_kept_definers(p, own);
}

/* As far as this account may look: an object whose definer is not there fails when it is used. */
static enum err_code definer_exists(struct planner *p, const char *definer, bool *exists, bool *known,
                                    struct err *err)
{
    const char *at = strrchr(definer, '@');
    struct buf sql, found;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_init(&found, 64);
    buf_put(&sql, "SELECT COUNT(*) FROM mysql.user WHERE CAST(User AS BINARY)=");
    db_quote_text(&sql, arena_strndup(p->arena, definer, at ? (size_t)(at - definer) : strlen(definer)));
    buf_put(&sql, " AND Host=");
    db_quote_text(&sql, at ? at + 1 : "");
    enum err_code code = db_scalar(p->control, buf_cstr(&sql), &found, NULL, err);
    *known = code == ERR_OK;
    *exists = code == ERR_OK && strcmp(buf_cstr(&found), "0") != 0;
    buf_free(&sql);
    buf_free(&found);
    return code == ERR_DB ? ERR_OK : code;
}

static bool named_before(const struct planner *p, unsigned made)
{
    for (unsigned i = 0; i < made; i++)
        if (p->op->made[i].text && p->op->made[i].object.definer &&
            strcmp(p->op->made[i].object.definer, p->op->made[made].object.definer) == 0)
            return true;
    return false;
}

static enum err_code warn_of_definers(struct planner *p, struct err *err)
{
    enum err_code code = ERR_OK;
    bool exists, known = true;
    for (unsigned i = 0; code == ERR_OK && known && i < p->op->made_count; i++) {
        const char *definer = p->op->made[i].object.definer;
        if (!p->op->made[i].text || !definer || !definer[0] || named_before(p, i))
            continue;
        code = definer_exists(p, definer, &exists, &known, err);
        if (code == ERR_OK && known && !exists)
            log_warn(
                p->run->log,
                "the definer %s of restored objects does not exist on this server: they fail when they are"
                " used; CREATE USER, or --definer",
                definer);
    }
    return code;
}

/* With a binary log that trusts nobody, functions and triggers take SUPER, and functions that promise nothing
 * are made for no one. */
static enum err_code log_distrusts(struct planner *p, bool *distrusts, struct err *err)
{
    struct buf answer;
    buf_init(&answer, 64);
    enum err_code code =
        db_scalar(p->control, "SELECT @@GLOBAL.log_bin AND NOT @@GLOBAL.log_bin_trust_function_creators",
                  &answer, NULL, err);
    *distrusts = code == ERR_OK && strcmp(buf_cstr(&answer), "1") == 0;
    buf_free(&answer);
    return code;
}

static enum err_code check_binary_log(struct planner *p, struct err *err)
{
    bool super = grants_have(p->grants, PRIV_SUPER, NULL, NULL), distrusts;
    unsigned refused = 0;
    const struct definition *first = NULL;
    enum err_code code = log_distrusts(p, &distrusts, err);
    for (unsigned i = 0; code == ERR_OK && distrusts && i < p->op->made_count; i++) {
        const struct definition *d = &p->op->made[i];
        bool trigger = d->object.kind == OBJECT_TRIGGER,
             function = d->object.kind == OBJECT_FUNCTION && (p->makes[i] || p->replaces[i]);
        if (d->text &&
            (((trigger || function) && !super) || (function && !create_function_promises(d->text, d->bytes))))
            first = refused++ ? first : d;
    }
    if (!refused)
        return code;
    struct buf name;
    buf_init(&name, 1024);
    definition_describe(first, &name);
    refuse(p->refusals,
           "the server's binary log lets this account not make %u of the triggers and functions (%s):"
           " SET GLOBAL log_bin_trust_function_creators=1 (RDS: in the parameter group), or GRANT SUPER ON"
           " *.* TO %s; functions that are neither DETERMINISTIC, NO SQL nor READS SQL DATA take the first",
           refused, buf_cstr(&name), grants_account(p->grants));
    buf_free(&name);
    return code;
}

static void demand_for_key(struct planner *p, const struct foreign_key *k)
{
    static const struct need references = {PRIV_REFERENCES, "add foreign keys to a table"},
                             alter = {PRIV_ALTER, "change the foreign keys of a table"},
                             lock = {PRIV_LOCK_TABLES, "lock a table while foreign keys to it change hands"},
                             look = {PRIV_SELECT, "look for rows that a foreign key refers to"};
    if (k->parent_missing)
        return;
    if (k->role == KEY_INSIDE) {
        const struct exchange *x = &p->op->exchanges[k->exchange];
        demand(p, &alter, x->schema, x->name);
        demand(p, &references, x->schema, NULL);
        return;
    }
    if (k->role == KEY_CHILD) {
        demand(p, &alter, k->schema, k->name);
        demand(p, &look, k->schema, k->name);
    } else {
        demand(p, &lock, k->parent_schema, NULL);
        demand(p, &look, k->parent_schema, k->parent_name);
    }
    if (k->role != KEY_LEAVE)
        demand(p, &references, k->parent_schema, k->parent_name);
}

/* RENAME takes CREATE and INSERT where a table comes to, ALTER and DROP where one leaves.  A table with
 * triggers passes through its database under names of our own. */
static void demand_for_exchange(struct planner *p, const struct exchange *x)
{
    static const struct need comes[] = {{PRIV_CREATE, "bring tables back"},
                                        {PRIV_INSERT, "bring tables back"}},
                             goes[] = {{PRIV_ALTER, "take tables away"}, {PRIV_DROP, "take tables away"}},
                             unseen = {PRIV_TRIGGER, "see the triggers of a table that is taken away"};
    const char *table = x->parks_in || x->parks_out ? NULL : x->name;
    bool in = x->incoming_schema || !table, out = x->outgoing_schema || !table;
    for (unsigned i = 0; i < 2; i++) {
        if (in)
            demand(p, &comes[i], x->schema, table);
        if (out)
            demand(p, &goes[i], x->schema, table);
    }
    if (x->outgoing_schema && x->kind == EXCHANGE_TABLE)
        demand(p, &unseen, x->schema, table);
}

enum err_code swap_plan_privileges(struct planner *p, struct err *err)
{
    unsigned before = findings_count(p->refusals, FINDING_REFUSAL);
    enum err_code code;
    const char *own = own_account(p, err, &code);
    if (code != ERR_OK)
        return code;
    for (unsigned i = 0; p->op->is_undo && i < p->op->exchange_count; i++) /* of a restore: preflight.h */
        demand_for_exchange(p, &p->op->exchanges[i]);
    for (unsigned i = 0; i < p->op->made_count; i++)
        demand_for_object(p, i, own);
    for (unsigned i = 0; i < p->op->key_count; i++)
        demand_for_key(p, &p->op->keys[i]);
    if (p->unseen &&
        findings_count(p->refusals, FINDING_REFUSAL) == before) /* else its grant is among them */
        refuse(p->refusals, "%s", p->unseen);
    check_definers(p, own);
    code = check_binary_log(p, err);
    return code == ERR_OK && (p->options->incoming || p->op->is_undo) ? warn_of_definers(p, err) : code;
}

bool swap_plan_lends_collation(const struct planner *p, unsigned schema_change)
{
    return lends(p->op, &p->op->schema_changes[schema_change]);
}
