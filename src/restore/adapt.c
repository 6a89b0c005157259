#include "restore/adapt.h"

#include "archive/digest.h"
#include "core/mem.h"
#include "db/engine.h"
#include "db/quote.h"
#include "restore/foreign_keys.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX_BYTES ((size_t)64 << 20)

/* ---- foreign keys ---- */

/* The text of a key whose parent stands in another schema. */
static const char *rewrite_key(struct arena *arena, const struct foreign_key *k)
{
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES);
    buf_put(&text, "CONSTRAINT ");
    db_quote_name(&text, k->constraint);
    buf_put(&text, " ");
    key_write(k, &text);
    const char *copy = arena_strdup(arena, buf_cstr(&text));
    buf_free(&text);
    return copy;
}

static enum err_code adapt_key(struct targets *t, unsigned i, unsigned item, struct operation *op,
                               struct err *err)
{
    struct target *target = &t->items[i];
    struct ddl_item *d = &target->ddl.items[item];
    struct foreign_key k;
    if (!key_parse(d, target->table->schema, t->arena, &k))
        return err_set(err, ERR_DAMAGED, "read the archive: a foreign key of %s.%s is not understood: %.200s",
                       target->table->schema, target->name, d->text);
    const struct target *parent = targets_find(t, k.parent_schema, k.parent_name);
    if (!parent) {
        const char *mapped = targets_map(t, k.parent_schema);
        k.parent_schema = mapped ? mapped : k.parent_schema;
        k.role = KEY_JOIN;
        k.exchange = i;
        keys_add(op, t->arena, &k);
        target->joins[item] = true;
        return ERR_OK;
    }
    if (strcmp(parent->staging_schema, target->staging_schema) != 0) {
        k.parent_schema = parent->staging_schema;
        d->text = rewrite_key(t->arena, &k);
    }
    return ERR_OK;
}

/* ---- sequences ---- */

/* Behind what is quoted at p. */
static const char *skip_quoted(const char *p)
{
    char quote = *p++;
    for (; *p && (*p != quote || p[1] == quote); p++)
        if (*p == quote || (*p == '\\' && quote == '\'' && p[1]))
            p++;
    return *p ? p + 1 : p;
}

/* Whether `a`.`b` stands at p, whole: "`a`.`b``c`" begins in the same way. */
static bool is_pair(const char *p, const char *pair)
{
    size_t n = strlen(pair);
    return strncmp(p, pair, n) == 0 && p[n] != '`';
}

/* A sequence of the table whose name stands at p, and comes back in another database; -1. */
static int moved_sequence(const struct targets *t, const struct manifest_table *table, const char *p)
{
    for (unsigned i = 0; i < table->sequence_count; i++) {
        const struct manifest_name *s = &table->sequences[i];
        const char *mapped = targets_map(t, s->schema);
        if (mapped && strcmp(mapped, s->schema) != 0 &&
            is_pair(p, db_quoted_pair(t->arena, s->schema, s->name)))
            return (int)i;
    }
    return -1;
}

/* The server stores the sequence of a default with its schema. */
static void adapt_defaults(struct targets *t, const struct manifest_table *table, struct ddl_item *d)
{
    struct buf out;
    bool changed = false;
    if (table->sequence_count == 0)
        return;
    buf_init(&out, TEXT_MAX_BYTES);
    for (const char *p = d->text; *p;) {
        const char *next = *p == '`' || *p == '\'' ? skip_quoted(p) : p + 1;
        int found = *p == '`' ? moved_sequence(t, table, p) : -1;
        if (found >= 0) {
            const struct manifest_name *s = &table->sequences[found];
            db_quote_pair(&out, targets_map(t, s->schema), s->name);
            next = p + strlen(db_quoted_pair(t->arena, s->schema, s->name));
            changed = true;
        } else {
            buf_putn(&out, p, (size_t)(next - p));
        }
        p = next;
    }
    if (changed)
        d->text = arena_strdup(t->arena, buf_cstr(&out));
    buf_free(&out);
}

/* ---- the whole ---- */

/* What SHOW CREATE TABLE shall give in staging. */
static const char *digest_staged(struct targets *t, const struct target *target)
{
    struct buf text, name, plain;
    char hex[SHA256_HEX_BYTES];
    buf_init(&text, TEXT_MAX_BYTES);
    buf_init(&plain, TEXT_MAX_BYTES);
    buf_init(&name, 1024);
    db_quote_name(&name, target->name);
    ddl_create(&target->ddl, buf_cstr(&name), target->joins, &text);
    ddl_without_auto_increment(buf_cstr(&text), &plain);
    digest_of(plain.data, plain.len, hex);
    buf_free(&text);
    buf_free(&plain);
    buf_free(&name);
    return arena_strdup(t->arena, hex);
}

/* The items' texts before they are changed. */
static const char **texts_of(const struct ddl *ddl)
{
    const char **texts = xcalloc(ddl->item_count + 1, sizeof *texts);
    for (unsigned i = 0; i < ddl->item_count; i++)
        texts[i] = ddl->items[i].text;
    return texts;
}

static bool is_changed(const struct target *target, const char *const *before)
{
    for (unsigned i = 0; i < target->ddl.item_count; i++)
        if (target->joins[i] || target->ddl.items[i].text != before[i])
            return true;
    return false;
}

static void check_target(const struct target *target, const struct manifest *m, struct findings *r)
{
    const struct manifest_table *t = target->table;
    unsigned lost = 0;
    for (unsigned i = 0; i < t->trigger_count; i++)
        lost += manifest_find_object(m, OBJECT_TRIGGER, t->schema, t->triggers[i]) == NULL;
    if (lost)
        refuse(r, "%s.%s had triggers (%s%s) that the archive does not hold", t->schema, t->name,
               t->triggers[0], t->trigger_count > 1 ? ", ..." : "");
    if (engine_writes_elsewhere(t->engine)) /* its copy in staging would, too */
        refuse(r,
               "%s.%s is of the engine %s: its rows are kept by another table or server, and loading them"
               " changes that one; restore the others with `dbsafe restore --tables`, dump without it"
               " (--exclude), or load it with the archive's restore.sh",
               t->schema, t->name, t->engine);
    if (ddl_tail_has(target->ddl.tail, "DATA DIRECTORY") || ddl_tail_has(target->ddl.tail, "INDEX DIRECTORY"))
        refuse(r, "%s.%s has a DATA DIRECTORY, which moving a table between databases loses", t->schema,
               t->name);
    for (unsigned i = 0; m->format < 2 && i < target->ddl.item_count; i++)
        if (target->ddl.items[i].kind == DDL_COLUMN && ddl_tail_has(target->ddl.items[i].text, "nextval("))
            refuse(r,
                   "%s.%s: column %s takes its default from a sequence, and an archive of format 1 does not"
                   " hold it",
                   t->schema, t->name, target->ddl.items[i].name);
}

enum err_code adapt_definitions(struct targets *t, struct operation *op, const struct manifest *m,
                                struct findings *refusals, struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < t->count; i++) {
        struct target *target = &t->items[i];
        target->joins = arena_calloc(t->arena, target->ddl.item_count + 1, sizeof *target->joins);
        check_target(target, m, refusals);
        const char **before = texts_of(&target->ddl);
        for (unsigned k = 0; code == ERR_OK && k < target->ddl.item_count; k++)
            if (target->ddl.items[k].kind == DDL_FOREIGN)
                code = adapt_key(t, i, k, op, err);
            else if (target->ddl.items[k].kind == DDL_COLUMN)
                adapt_defaults(t, target->table, &target->ddl.items[k]);
        target->staged_sha256 = t->mapped.count || is_changed(target, before) ? digest_staged(t, target)
                                                                              : target->table->ddl_sha256;
        free(before);
    }
    return code;
}
