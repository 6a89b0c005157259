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

/* Replaces a piece of a definition wherever it stands outside of texts. */
static const char *replace(struct arena *arena, const char *text, const char *from, const char *to)
{
    struct buf out;
    size_t n = strlen(from);
    bool quoted = false;
    buf_init(&out, TEXT_MAX_BYTES);
    for (const char *p = text; *p;) {
        if (!quoted && strncmp(p, from, n) == 0) {
            buf_put(&out, to);
            p += n;
            continue;
        }
        if (*p == '\\' && quoted && p[1]) /* inside of a text the next byte means nothing */
            buf_putn(&out, p++, 1);
        else if (*p == '\'')
            quoted = !quoted; /* '' ends it and begins it again */
        buf_putn(&out, p++, 1);
    }
    const char *copy = arena_strdup(arena, buf_cstr(&out));
    buf_free(&out);
    return copy;
}

/* "`shop`.`numbers`" */
/* The server stores the sequence of a default with its schema. */
static void adapt_defaults(struct targets *t, struct target *target, struct ddl_item *d)
{
    for (unsigned i = 0; i < target->table->sequence_count; i++) {
        const struct manifest_name *s = &target->table->sequences[i];
        const char *mapped = targets_map(t, s->schema);
        if (mapped && strcmp(mapped, s->schema) != 0)
            d->text = replace(t->arena, d->text, db_quoted_pair(t->arena, s->schema, s->name),
                              db_quoted_pair(t->arena, mapped, s->name));
    }
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

static void check_target(const struct target *target, const struct manifest *m, struct refusals *r)
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
                                struct refusals *refusals, struct err *err)
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
                adapt_defaults(t, target, &target->ddl.items[k]);
        target->staged_sha256 = t->mapped.count || is_changed(target, before) ? digest_staged(t, target)
                                                                              : target->table->ddl_sha256;
        free(before);
    }
    return code;
}
