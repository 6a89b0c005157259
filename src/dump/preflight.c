#include "dump/preflight.h"

#include "db/flavour.h"
#include "db/grants.h"
#include "db/snapshot.h"
#include "dump/plan.h"

#include <inttypes.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)
/* Of the engine's data, by two readers beside their server. */
#define DUMP_RATE ((uint64_t)90 * MIB)

struct looking {
    struct db_conn *conn;
    const struct dump_options *options;
    struct manifest *manifest;
    struct plan plan;
    struct grants *grants;
    struct findings *out;
    bool method_found; /* the first method that can be used was told */
};

static void tell_server(struct looking *l)
{
    const struct manifest_server *s = &l->manifest->server;
    findings_add(l->out, FINDING_OK, "server", NULL, "%s %s", s->flavour, s->version);
}

static struct flavour flavour_here(const struct looking *l)
{
    return flavour_of(db_version(l->conn));
}

static const char *grant_of(struct looking *l, const char *privileges, const char *schema)
{
    struct buf sql;
    buf_init(&sql, 4096);
    grants_put_statement(l->grants, privileges, schema, NULL, &sql);
    const char *text = arena_strdup(l->manifest->arena, buf_cstr(&sql));
    buf_free(&sql);
    return text;
}

static const char *grant_text(struct looking *l, enum privilege p, const char *schema)
{
    return grant_of(l, privilege_name(p, flavour_here(l).mariadb), schema);
}

static const char *grant_to_see(struct looking *l, const struct catalog_object *o)
{
    struct buf sql;
    switch (o->kind) {
    case CATALOG_VIEW:
        return grant_of(l, "SELECT, SHOW VIEW", o->schema);
    case CATALOG_TRIGGER:
        return grant_text(l, PRIV_TRIGGER, o->schema);
    case CATALOG_EVENT:
        return grant_text(l, PRIV_EVENT, o->schema);
    case CATALOG_SEQUENCE:
        return grant_text(l, PRIV_SELECT, o->schema);
    default:
        break;
    }
    buf_init(&sql, 4096);
    buf_put(&sql, "GRANT ");
    grants_put_show_routine(flavour_here(l), o->schema, &sql);
    buf_putf(&sql, " TO %s", grants_account(l->grants));
    const char *text = arena_strdup(l->manifest->arena, buf_cstr(&sql));
    buf_free(&sql);
    return text;
}

/* Objects whose definition this account may not see: each kind of each database once. */
static void check_objects(struct looking *l)
{
    static const char *const kinds[] = {[CATALOG_VIEW] = "views",        [CATALOG_SEQUENCE] = "sequences",
                                        [CATALOG_TRIGGER] = "triggers",  [CATALOG_EVENT] = "events",
                                        [CATALOG_PACKAGE] = "routines",  [CATALOG_PACKAGE_BODY] = "routines",
                                        [CATALOG_FUNCTION] = "routines", [CATALOG_PROCEDURE] = "routines"};
    const struct objects *all = &l->plan.objects;
    for (unsigned i = 0; i < all->count; i++)
        if (!all->definitions[i].text)
            findings_add(l->out, FINDING_REFUSAL, "privileges", grant_to_see(l, &all->items[i]),
                         "there are %s in %s that this account may not see", kinds[all->items[i].kind],
                         all->items[i].schema);
}

/* Tables that cannot be read, or not held still. */
static void check_tables(struct looking *l)
{
    unsigned before = findings_count(l->out, FINDING_REFUSAL);
    for (unsigned i = 0; i < l->manifest->table_count; i++) {
        const struct manifest_table *t = &l->manifest->tables[i];
        if (!grants_have(l->grants, PRIV_SELECT, t->schema, t->name))
            findings_add(l->out, FINDING_REFUSAL, "privileges", grant_text(l, PRIV_SELECT, t->schema),
                         "the rows of %s.%s cannot be read", t->schema, t->name);
        if (t->transactional || grants_have(l->grants, PRIV_LOCK_TABLES, t->schema, NULL))
            continue;
        findings_add(l->out, l->options->allow_inconsistent ? FINDING_WARNING : FINDING_REFUSAL,
                     "consistency", grant_text(l, PRIV_LOCK_TABLES, t->schema),
                     "engine %s of %s.%s has no transactions: it must be locked while it is read, or "
                     "--allow-inconsistent"
                     " given",
                     t->engine, t->schema, t->name);
    }
    if (findings_count(l->out, FINDING_REFUSAL) == before)
        findings_add(l->out, FINDING_OK, "privileges", NULL, "all tables can be read");
}

/* What the archive itself would say. */
static void tell_warnings(struct looking *l)
{
    for (unsigned i = 0; i < l->manifest->warning_count; i++)
        findings_add(l->out, FINDING_WARNING, "fidelity", NULL, "%s: %s", l->manifest->warnings[i].object,
                     l->manifest->warnings[i].text);
}

static void tell_method(void *arg, const char *method, const char *obstacle)
{
    struct looking *l = arg;
    if (obstacle) {
        findings_add(l->out, FINDING_NOTE, "consistency", NULL, "%s: not here: %s", method, obstacle);
        return;
    }
    if (!l->method_found)
        findings_add(l->out, FINDING_OK, "consistency", NULL, "%s is what would be tried first", method);
    l->method_found = true;
}

static enum err_code check_consistency(struct looking *l, struct err *err)
{
    const struct snapshot_options options = {.threads = l->options->threads,
                                             .consistency = l->options->consistency,
                                             .tables = l->plan.snapshot_tables,
                                             .table_count = l->manifest->table_count};
    enum err_code code = snapshot_explain(l->conn, &options, tell_method, l, err);
    if (code == ERR_OK && !l->method_found)
        findings_add(l->out, FINDING_REFUSAL, "consistency", "--consistency auto",
                     "--consistency %s cannot be used by this account on this server",
                     l->options->consistency);
    return code;
}

static void estimate_all(struct looking *l, struct dump_estimate *e)
{
    *e = (struct dump_estimate){.tables = l->manifest->table_count, .objects = l->manifest->object_count};
    for (unsigned i = 0; i < l->manifest->table_count; i++) {
        e->rows += l->plan.tables[i].rows_estimate;
        e->data_bytes += l->plan.tables[i].bytes_estimate;
    }
    findings_add(l->out, FINDING_OK, "time", NULL,
                 "about %" PRIu64 " s for %" PRIu64 " MiB in %u tables (about %" PRIu64
                 " rows), by what two cores did beside their server",
                 e->data_bytes / DUMP_RATE + 1, (e->data_bytes + MIB - 1) / MIB, e->tables, e->rows);
}

static enum err_code look(struct looking *l, struct dump_estimate *estimate, struct err *err)
{
    tell_server(l);
    enum err_code code = grants_read(l->conn, &l->grants, err);
    if (code != ERR_OK)
        return code;
    check_tables(l);
    check_objects(l);
    code = check_consistency(l, err);
    tell_warnings(l);
    estimate_all(l, estimate);
    return code;
}

/* No table could be described: what the grants say of the databases is all that can be told. */
static enum err_code look_at_grants(struct looking *l, struct err *err)
{
    static const enum privilege wanted[] = {PRIV_SHOW_VIEW, PRIV_TRIGGER, PRIV_EVENT, PRIV_LOCK_TABLES};
    enum err_code code = grants_read(l->conn, &l->grants, err);
    for (unsigned i = 0; code == ERR_OK && i < l->manifest->schema_count; i++) {
        const char *schema = l->manifest->schemas[i].name;
        if (!grants_have(l->grants, PRIV_SELECT, schema, NULL))
            findings_add(l->out, FINDING_REFUSAL, "privileges", grant_text(l, PRIV_SELECT, schema),
                         "not all rows of %s can be read", schema);
        for (size_t k = 0; k < sizeof wanted / sizeof wanted[0]; k++)
            if (!grants_have(l->grants, wanted[k], schema, NULL))
                findings_add(l->out, FINDING_NOTE, "privileges", grant_text(l, wanted[k], schema),
                             "on %s the account lacks %s", schema,
                             privilege_name(wanted[k], flavour_here(l).mariadb));
    }
    return code;
}

enum err_code dump_preflight(const struct run *run, const struct db_params *db,
                             const struct dump_options *options, struct findings *out,
                             struct dump_estimate *estimate, struct err *err)
{
    struct looking l = {.options = options, .manifest = manifest_new(), .out = out};
    *estimate = (struct dump_estimate){0};
    enum err_code code = db_connect(db, run->cancel, &l.conn, err);
    if (code == ERR_OK)
        code = plan_make(run, l.conn, options, l.manifest, &l.plan, err);
    if (code == ERR_REFUSED || (code == ERR_DB && l.conn)) { /* one of the findings */
        bool refused = code == ERR_REFUSED;
        findings_add(out, FINDING_REFUSAL, refused ? "fidelity" : "privileges", NULL, "%s", err->text);
        code = refused ? ERR_OK : look_at_grants(&l, err);
    } else if (code == ERR_OK || code == ERR_DB_DENIED) {
        code = look(&l, estimate, err);
    }
    grants_free(l.grants);
    plan_free(&l.plan);
    manifest_free(l.manifest);
    db_close(l.conn);
    return code;
}
