/* Which foreign keys need steps. */
#include "restore/swap_plan_parts.h"

#include "db/catalog.h"
#include "db/flavour.h"
#include "db/quote.h"
#include "restore/foreign_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SQL_MAX_BYTES ((size_t)1 << 20)

/* ---- parents outside ---- */

/* A parent moves out together with its child only if it stands there now. */
static bool leaves_together(const struct operation *op, const char *schema, const char *name)
{
    int found = operation_find(op, schema, name);
    return found >= 0 && op->exchanges[found].outgoing_schema;
}

static enum err_code find_leaving(struct planner *p, unsigned i, struct err *err)
{
    const struct exchange *x = &p->op->exchanges[i];
    for (unsigned k = 0; k < p->outgoing[i].item_count; k++) {
        const struct ddl_item *item = &p->outgoing[i].items[k];
        struct foreign_key key;
        if (item->kind != DDL_FOREIGN)
            continue;
        if (!key_parse(item, x->schema, p->arena, &key))
            return err_set(err, ERR_DB, "read the foreign keys of %s.%s: %.200s is not understood", x->schema,
                           x->name, item->text);
        if (leaves_together(p->op, key.parent_schema, key.parent_name))
            continue;
        key.role = KEY_LEAVE;
        key.exchange = i;
        keys_add(p->op, p->arena, &key);
    }
    return ERR_OK;
}

static enum err_code table_exists(struct planner *p, const char *schema, const char *name, bool *found,
                                  struct err *err)
{
    struct catalog_table *tables;
    unsigned count = 0;
    enum err_code code = catalog_tables(p->control, p->arena, schema, name, &tables, &count, err);
    *found = count > 0 && tables[0].kind == CATALOG_TABLE;
    return code;
}

/* A key to nothing refuses every row: what comes from an archive does not come in with one, and what an undo
 * puts back does without it. */
static enum err_code look_for_parents(struct planner *p, struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < p->op->key_count; i++) {
        struct foreign_key *k = &p->op->keys[i];
        const struct exchange *x = &p->op->exchanges[k->exchange];
        bool found = true;
        if (k->role != KEY_JOIN && k->role != KEY_LEAVE)
            continue;
        code = table_exists(p, k->parent_schema, k->parent_name, &found, err);
        k->parent_missing = !found;
        if (found || k->role == KEY_LEAVE || code != ERR_OK)
            continue;
        if (p->op->is_undo)
            log_warn(p->run->log, "%s.%s comes back without its foreign key %s: there is no table %s.%s",
                     x->schema, x->name, k->constraint, k->parent_schema, k->parent_name);
        else
            refuse(p->refusals,
                   "%s.%s: foreign key %s refers to %s.%s, which is not restored and is not there: restore it"
                   " too",
                   x->schema, x->name, k->constraint, k->parent_schema, k->parent_name);
    }
    return code;
}

/* ---- children outside ---- */

/* InnoDB keeps names as it names files ("db/t@0020x"); the server converts them, as binary strings so that
 * nothing is converted twice. */
static enum err_code children_of(struct db_conn *c, const struct exchange *x, struct db_rows **rows,
                                 struct err *err)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_putf(
        &sql,
        "SELECT DISTINCT FOR_NAME FROM information_schema.%s WHERE BINARY REF_NAME = CONCAT(BINARY CONVERT(",
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

static bool was_moved_before(const struct operation *undone, const char *schema, const char *name,
                             const char *constraint)
{
    for (unsigned i = 0; undone && i < undone->key_count; i++) {
        const struct foreign_key *k = &undone->keys[i];
        if (k->role == KEY_CHILD && strcmp(k->schema, schema) == 0 && strcmp(k->name, name) == 0 &&
            strcmp(k->constraint, constraint) == 0)
            return true;
    }
    return false;
}

/* A key of an outside table to exchange i: it will be moved, or it is a reason to refuse. */
static void take_child(struct planner *p, unsigned i, const char *schema, const char *name,
                       struct foreign_key *key)
{
    const struct exchange *x = &p->op->exchanges[i];
    if (!p->options->include_referencing &&
        !was_moved_before(p->options->undone, schema, name, key->constraint)) {
        refuse(p->refusals,
               "%s.%s references %s.%s by a foreign key (%s), and is not exchanged with it:"
               " --include-referencing makes the key refer to the new table",
               schema, name, x->schema, x->name, key->constraint);
        return;
    }
    if (!x->incoming_schema) {
        refuse(p->refusals, "%s.%s references %s.%s by a foreign key (%s), and that table is to go", schema,
               name, x->schema, x->name, key->constraint);
        return;
    }
    key->role = KEY_CHILD;
    key->exchange = i;
    key->schema = schema;
    key->name = name;
    key->temporary = swap_plan_temporary_name(p, p->op->key_count);
    keys_add(p->op, p->arena, key);
}

static enum err_code look_at_child(struct planner *p, unsigned i, const char *schema, const char *name,
                                   struct err *err)
{
    const struct exchange *x = &p->op->exchanges[i];
    struct ddl ddl;
    enum err_code code = keys_read_ddl(p->control, p->arena, schema, name, &ddl, err);
    if (code == ERR_NOT_FOUND)
        return ERR_OK; /* dropped at this moment */
    for (unsigned k = 0; code == ERR_OK && k < ddl.item_count; k++) {
        struct foreign_key key;
        if (ddl.items[k].kind == DDL_FOREIGN && key_parse(&ddl.items[k], schema, p->arena, &key) &&
            strcmp(key.parent_schema, x->schema) == 0 && strcmp(key.parent_name, x->name) == 0)
            take_child(p, i, schema, name, &key);
    }
    if (code == ERR_DB) /* the account may not look into the table */
        refuse(p->refusals, "%s.%s references %s.%s by a foreign key that this account cannot read: %s",
               schema, name, x->schema, x->name, err->text);
    return code == ERR_DB ? ERR_OK : code;
}

static enum err_code find_children(struct planner *p, unsigned i, struct err *err)
{
    struct db_rows *rows;
    struct buf schema, name;
    enum err_code code = children_of(p->control, &p->op->exchanges[i], &rows, err);
    if (code != ERR_OK)
        return code;
    buf_init(&schema, 1024);
    buf_init(&name, 1024);
    const char *const *row;
    while (code == ERR_OK && (row = db_row(rows))) {
        size_t half = strcspn(row[0], "/");
        code = decode_name(p->control, row[0], half, &schema, err);
        if (code == ERR_OK)
            code = decode_name(p->control, row[0] + half + (row[0][half] == '/'), 512, &name, err);
        if (code == ERR_OK && !leaves_together(p->op, buf_cstr(&schema), buf_cstr(&name)))
            code = look_at_child(p, i, arena_strdup(p->arena, buf_cstr(&schema)),
                                 arena_strdup(p->arena, buf_cstr(&name)), err);
    }
    buf_free(&schema);
    buf_free(&name);
    db_rows_free(rows);
    return code;
}

enum err_code swap_plan_keys(struct planner *p, struct err *err)
{
    bool process = grants_have(p->grants, PRIV_PROCESS, NULL, NULL), any = false;
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < p->op->exchange_count; i++) {
        if (!p->op->exchanges[i].outgoing_schema || p->op->exchanges[i].kind != EXCHANGE_TABLE)
            continue;
        any = true;
        code = find_leaving(p, i, err);
        if (code == ERR_OK && process)
            code = find_children(p, i, err);
    }
    if (code == ERR_OK && any && !process && !p->options->assume_no_outside_fks)
        refuse(p->refusals,
               "this account cannot see whether other tables reference these by foreign keys (it lacks "
               "PROCESS): grant it, or say"
               " --assume-no-outside-fks");
    if (code == ERR_OK)
        code = look_for_parents(p, err);
    return code == ERR_OK ? swap_plan_key_names(p, err) : code;
}

/* ---- rows ---- */

/* The incoming side of a key's exchange, at rest. */
static void put_at_rest(const struct planner *p, unsigned exchange, struct buf *out)
{
    db_quote_pair(out, p->op->exchanges[exchange].incoming_schema, p->op->exchanges[exchange].name);
}

static enum err_code check_rows(struct planner *p, const struct foreign_key *k, struct err *err)
{
    const struct exchange *x = &p->op->exchanges[k->exchange];
    struct buf child, parent, examples;
    uint64_t orphans = 0;
    buf_init(&child, 1024);
    buf_init(&parent, 1024);
    buf_init(&examples, 1 << 16);
    if (k->role == KEY_CHILD) {
        db_quote_pair(&child, k->schema, k->name);
        put_at_rest(p, k->exchange, &parent);
    } else {
        put_at_rest(p, k->exchange, &child);
        db_quote_pair(&parent, k->parent_schema, k->parent_name);
    }
    enum err_code code =
        keys_count_orphans(p->control, k, buf_cstr(&child), buf_cstr(&parent), &orphans, &examples, err);
    if (code == ERR_OK && orphans)
        refuse(p->refusals, "foreign key %s: %" PRIu64 "%s rows of %s.%s refer to rows that %s.%s %s: %s",
               k->constraint, orphans, orphans >= 1000 ? " or more" : "",
               k->role == KEY_CHILD ? k->schema : x->schema, k->role == KEY_CHILD ? k->name : x->name,
               k->parent_schema, k->parent_name,
               k->role == KEY_CHILD ? "would not have any more" : "does not have now", buf_cstr(&examples));
    buf_free(&child);
    buf_free(&parent);
    buf_free(&examples);
    return code;
}

/* The parent may have lost the index that the key needs, or its columns' types. */
static enum err_code check_fit(struct planner *p, const struct foreign_key *k, struct err *err)
{
    bool fits;
    enum err_code code = keys_try(p->maker, p->op, k, &fits, err);
    if (code == ERR_OK && !fits)
        refuse(p->refusals, "foreign key %s of %s.%s cannot be added: %s", k->constraint,
               p->op->exchanges[k->exchange].schema, p->op->exchanges[k->exchange].name, err->text);
    return code;
}

enum err_code swap_plan_check_rows(struct planner *p, struct err *err)
{
    enum err_code code = definition_plain(p->maker, err);
    for (unsigned i = 0; code == ERR_OK && i < p->op->key_count; i++) {
        const struct foreign_key *k = &p->op->keys[i];
        if ((k->role != KEY_JOIN && k->role != KEY_CHILD) || k->parent_missing)
            continue;
        if (k->role == KEY_JOIN && !p->options->changes_nothing)
            code = check_fit(p, k, err);
        if (code == ERR_OK && findings_count(p->refusals, FINDING_REFUSAL) == 0)
            code = check_rows(p, k, err);
    }
    return code;
}
