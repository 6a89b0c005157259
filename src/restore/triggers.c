#include "restore/triggers.h"

#include "core/fault.h"
#include "core/text.h"
#include "db/catalog.h"
#include "db/flavour.h"
#include "db/quote.h"
#include "restore/definition.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX_BYTES ((size_t)64 << 20)
/* From this version on a trigger can be made by EXECUTE IMMEDIATE. */
#define EXECUTES_TRIGGERS 100600

static bool listed(const char *const *names, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static enum err_code list_triggers(struct db_conn *c, struct arena *arena, const char *schema,
                                   const char *table, const char ***names, unsigned *count, struct err *err)
{
    enum err_code code = definition_plain(c, err);
    return code == ERR_OK ? catalog_triggers(c, arena, schema, table, names, count, err) : code;
}

/* ---- under temporary names ---- */

/* Both names are of our own, in ASCII, and in the current database: good in every character set. */
static enum err_code write_temporary(const struct definition *d, const char *name, const char *table,
                                     struct buf *out, struct err *err)
{
    struct create_head head;
    enum err_code code = definition_head(d, &head, err);
    const struct create_change changes[] = {{head.name, name, strlen(name)},
                                            {head.table, table, strlen(table)}};
    return code == ERR_OK ? create_rewrite(d->text, d->bytes, changes, 2, out, err) : code;
}

static enum err_code make_temporary(struct db_conn *maker, const struct definition *d, const char *name,
                                    const char *table, struct err *err)
{
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES);
    enum err_code code = write_temporary(d, name, table, &text, err);
    if (code == ERR_OK)
        code = definition_create(maker, d, &text, NULL, err);
    buf_free(&text);
    return code;
}

enum err_code triggers_make(struct db_conn *maker, const struct operation *op, unsigned exchange,
                            struct err *err)
{
    const struct exchange *x = &op->exchanges[exchange];
    struct arena *arena = arena_new();
    char table[OWN_NAME_BYTES], name[OWN_NAME_BYTES];
    const char **there;
    unsigned count;
    operation_own_name(op, "new", exchange, table);
    enum err_code code = list_triggers(maker, arena, x->schema, table, &there, &count, err);
    for (unsigned i = 0; code == ERR_OK && i < op->made_count; i++) {
        operation_own_name(op, "trigger", i, name);
        if (definition_is_of(&op->made[i], x) && !listed(there, count, name))
            code = make_temporary(maker, &op->made[i], name, table, err);
    }
    arena_free(arena);
    return code;
}

enum err_code triggers_drop(struct db_conn *maker, const struct operation *op, unsigned exchange,
                            bool incoming, struct err *err)
{
    const struct exchange *x = &op->exchanges[exchange];
    struct arena *arena = arena_new();
    char table[OWN_NAME_BYTES];
    const char **names;
    unsigned count;
    operation_own_name(op, incoming ? "new" : "old", exchange, table);
    enum err_code code = list_triggers(maker, arena, x->schema, table, &names, &count, err);
    for (unsigned i = 0; code == ERR_OK && i < count; i++) {
        const struct definition d = {
            .object = {.kind = OBJECT_TRIGGER, .schema = x->schema, .name = names[i]}};
        code = definition_drop(maker, &d, err);
    }
    arena_free(arena);
    return code;
}

/* ---- real names ---- */

/* Makes the real one and drops the temporary one in one statement, which the server finishes whatever becomes
 * of this process: both together would fire twice.  The text goes as hex digits: the statement itself is
 * ASCII, whatever the character set of the trigger. */
static enum err_code exchange_in_one(struct db_conn *maker, const struct definition *d, const char *temporary,
                                     struct err *err)
{
    struct buf sql;
    buf_init(&sql, 3 * TEXT_MAX_BYTES);
    buf_put(&sql, "BEGIN NOT ATOMIC EXECUTE IMMEDIATE X'");
    for (size_t i = 0; i < d->bytes; i++)
        buf_putf(&sql, "%02x", (unsigned char)d->text[i]);
    buf_putf(&sql, "'; DROP TRIGGER IF EXISTS `%s`; END", temporary);
    enum err_code code = db_exec(maker, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}

static enum err_code exchange_trigger(struct db_conn *maker, const struct definition *d,
                                      const char *temporary, bool real_is_there, struct err *err)
{
    struct flavour f = flavour_of(db_version(maker));
    if (!real_is_there && f.mariadb && f.version >= EXECUTES_TRIGGERS)
        return exchange_in_one(maker, d, temporary, err);
    enum err_code code = real_is_there ? ERR_OK : db_exec(maker, d->text, err);
    return code == ERR_OK ? db_execf(maker, err, "DROP TRIGGER IF EXISTS `%s`", temporary) : code;
}

static enum err_code lock_for_writing(struct db_conn *maker, const struct exchange *x, struct err *err)
{
    struct buf sql;
    buf_init(&sql, 1024);
    buf_put(&sql, "LOCK TABLES ");
    db_quote_pair(&sql, x->schema, x->name);
    buf_put(&sql, " WRITE");
    enum err_code code = db_exec(maker, buf_cstr(&sql), err);
    buf_free(&sql);
    return code;
}

/* What there is to do for one table. */
struct naming {
    const struct operation *op;
    const struct exchange *exchange;
    const char **there; /* triggers that the live table has */
    unsigned count;
};

static enum err_code name_locked(struct db_conn *maker, const struct naming *n, unsigned first,
                                 struct err *err)
{
    char temporary[OWN_NAME_BYTES];
    const char *collation = n->op->made[first].object.db_collation;
    enum err_code code = fault_point("trigger_locked", ERR_DB, err);
    for (unsigned i = first; code == ERR_OK && i < n->op->made_count; i++) {
        const struct definition *d = &n->op->made[i];
        if (!definition_is_of(d, n->exchange))
            continue;
        if (!text_equal(d->object.db_collation, collation))
            break;
        operation_own_name(n->op, "trigger", i, temporary);
        bool real = listed(n->there, n->count, d->object.name);
        if (real && !listed(n->there, n->count, temporary))
            continue;
        code = definition_session(maker, d, err);
        if (code == ERR_OK)
            code = exchange_trigger(maker, d, temporary, real, err);
        if (code != ERR_OK)
            err_wrap(err, "name the trigger %s.%s", d->object.schema, d->object.name);
    }
    return code;
}

/* The triggers of one collation that stand together, under one lock: one after the other they would fire in
 * another order. */
static enum err_code name_group(struct db_conn *maker, const struct naming *n, unsigned first,
                                struct err *err)
{
    char before[65];
    struct err late;
    enum err_code code = definition_use(maker, n->exchange->schema, err);
    if (code == ERR_OK)
        code = definition_lend_collation(maker, &n->op->made[first], before, err);
    if (code != ERR_OK)
        return code;
    code = lock_for_writing(maker, n->exchange, err);
    if (code == ERR_OK) {
        code = name_locked(maker, n, first, err);
        enum err_code unlocked = db_exec(maker, "UNLOCK TABLES", &late);
        if (code == ERR_OK && unlocked != ERR_OK)
            code = err_copy(err, &late);
    }
    enum err_code returned = definition_return_collation(maker, n->exchange->schema, before, &late);
    return code == ERR_OK && returned != ERR_OK ? err_copy(err, &late) : code;
}

/* Whether the trigger of its table before this one has another collation.  A group is made of neighbours:
 * each new trigger comes behind all that are there, so only in their own order they keep it. */
static bool is_first_of_group(const struct naming *n, unsigned made)
{
    for (unsigned i = made; i-- > 0;)
        if (definition_is_of(&n->op->made[i], n->exchange))
            return !text_equal(n->op->made[i].object.db_collation, n->op->made[made].object.db_collation);
    return true;
}

enum err_code triggers_name(struct db_conn *maker, const struct operation *op, unsigned exchange,
                            struct err *err)
{
    struct arena *arena = arena_new();
    struct naming n = {.op = op, .exchange = &op->exchanges[exchange]};
    enum err_code code =
        list_triggers(maker, arena, n.exchange->schema, n.exchange->name, &n.there, &n.count, err);
    for (unsigned i = 0; code == ERR_OK && i < op->made_count; i++)
        if (definition_is_of(&op->made[i], n.exchange) && is_first_of_group(&n, i))
            code = name_group(maker, &n, i, err);
    arena_free(arena);
    return code;
}
