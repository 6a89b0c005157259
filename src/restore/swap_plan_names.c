/* Names of foreign keys: each is there once in a schema, and the new table comes while the old one is there.
 */
#include "restore/swap_plan_parts.h"

#include "core/mem.h"
#include "db/quote.h"
#include "restore/foreign_keys.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SQL_MAX_BYTES ((size_t)1 << 20)

/* The keys of the tables of one side, by schema and name. */
struct named_key {
    const char *schema, *constraint;
    unsigned exchange;
};
struct named_keys {
    unsigned count;
    struct named_key *list;
};

static int compare_names(const void *a, const void *b)
{
    const struct named_key *x = a, *y = b;
    int schema = strcmp(x->schema, y->schema);
    return schema ? schema : strcasecmp(x->constraint, y->constraint);
}

static struct named_keys collect_names(const struct planner *p, const struct ddl *side)
{
    struct named_keys keys = {0, NULL};
    unsigned cap = 0;
    for (unsigned i = 0; i < p->op->exchange_count; i++)
        for (unsigned k = 0; k < side[i].item_count; k++) {
            const struct ddl_item *item = &side[i].items[k];
            if (item->kind != DDL_FOREIGN || !item->name)
                continue;
            if (keys.count == cap) {
                cap = cap ? 2 * cap : 64;
                keys.list = xreallocarray(keys.list, cap, sizeof *keys.list);
            }
            keys.list[keys.count++] = (struct named_key){
                .schema = p->op->exchanges[i].schema, .constraint = item->name, .exchange = i};
        }
    if (keys.count)
        qsort(keys.list, keys.count, sizeof *keys.list, compare_names);
    return keys;
}

/* The exchange whose table on that side holds a key of this name in this schema, or -1. */
static int holder_of(const struct named_keys *keys, const char *schema, const char *constraint)
{
    struct named_key wanted = {.schema = schema, .constraint = constraint};
    const struct named_key *found =
        keys->count ? bsearch(&wanted, keys->list, keys->count, sizeof *keys->list, compare_names) : NULL;
    return found ? (int)found->exchange : -1;
}

/* The server gives such a key the name of its table again whenever the table is renamed. */
static bool follows_its_table(const struct exchange *x, const char *constraint)
{
    size_t n = strlen(x->name);
    return strncmp(constraint, x->name, n) == 0 && strncmp(constraint + n, "_ibfk_", 6) == 0;
}

const char *swap_plan_temporary_name(struct planner *p, unsigned number)
{
    char name[OWN_NAME_BYTES];
    operation_own_name(p->op, "key", number, name);
    return arena_strdup(p->arena, name);
}

/* The name is taken when the holder is still in the schema at the time the key comes in. */
static void look_at_name(struct planner *p, const struct named_keys *outgoing, unsigned i,
                         const char *constraint)
{
    const struct exchange *x = &p->op->exchanges[i];
    int holder = holder_of(outgoing, x->schema, constraint);
    if (holder < 0 || (holder == (int)i && follows_its_table(x, constraint)))
        return;
    if (!x->parks_in && !p->op->exchanges[holder].parks_out)
        return;
    struct foreign_key key = {.role = KEY_INSIDE,
                              .exchange = i,
                              .constraint = constraint,
                              .temporary = swap_plan_temporary_name(p, p->op->key_count)};
    keys_add(p->op, p->arena, &key);
}

static bool joins(const struct operation *op, unsigned exchange, const char *constraint)
{
    for (unsigned i = 0; i < op->key_count; i++)
        if (op->keys[i].role == KEY_JOIN && op->keys[i].exchange == exchange &&
            strcmp(op->keys[i].constraint, constraint) == 0)
            return true;
    return false;
}

static void find_taken_names(struct planner *p, const struct named_keys *outgoing)
{
    for (unsigned i = 0; i < p->op->exchange_count; i++)
        for (unsigned k = 0; k < p->incoming[i].item_count; k++) {
            const struct ddl_item *item = &p->incoming[i].items[k];
            if (item->kind == DDL_FOREIGN && item->name && !joins(p->op, i, item->name))
                look_at_name(p, outgoing, i, item->name);
        }
    /* A key that is added behind the swap finds its name taken by a table that has not moved out yet. */
    for (unsigned i = 0; i < p->op->key_count; i++) {
        struct foreign_key *key = &p->op->keys[i];
        if (key->role != KEY_JOIN)
            continue;
        int holder = holder_of(outgoing, p->op->exchanges[key->exchange].schema, key->constraint);
        if (holder >= 0 && p->op->exchanges[holder].parks_out)
            key->temporary = swap_plan_temporary_name(p, i);
    }
}

/* ---- tables that stay ---- */

/* Such a table may hold the name of a key that comes. */
static enum err_code look_for_strangers(struct planner *p, const struct named_keys *incoming,
                                        const char *schema, struct err *err)
{
    struct buf sql;
    struct db_rows *rows;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_put(&sql, "SELECT TABLE_NAME, CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS"
                  " WHERE CONSTRAINT_TYPE='FOREIGN KEY' AND CONSTRAINT_SCHEMA=");
    db_quote_text(&sql, schema);
    enum err_code code = db_query(p->control, buf_cstr(&sql), &rows, err);
    buf_free(&sql);
    if (code != ERR_OK)
        return code;
    const char *const *row;
    while ((row = db_row(rows))) {
        int taker = holder_of(incoming, schema, row[1]);
        if (taker >= 0 && operation_find(p->op, schema, row[0]) < 0)
            refuse(p->refusals, "%s.%s: its foreign key %s cannot come in, %s.%s has one of that name",
                   schema, p->op->exchanges[taker].name, row[1], schema, row[0]);
    }
    db_rows_free(rows);
    return ERR_OK;
}

enum err_code swap_plan_key_names(struct planner *p, struct err *err)
{
    struct named_keys incoming = collect_names(p, p->incoming), outgoing = collect_names(p, p->outgoing);
    enum err_code code = ERR_OK;
    find_taken_names(p, &outgoing);
    for (unsigned i = 0; code == ERR_OK && i < incoming.count; i++)
        if (i == 0 || strcmp(incoming.list[i].schema, incoming.list[i - 1].schema) != 0)
            code = look_for_strangers(p, &incoming, incoming.list[i].schema, err);
    free(incoming.list);
    free(outgoing.list);
    return code;
}
