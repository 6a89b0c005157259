#include "restore/live.h"

#include "db/catalog.h"

#include <string.h>

static const char *const KINDS[] = {
    [CATALOG_TABLE] = "table", [CATALOG_VIEW] = "view", [CATALOG_SEQUENCE] = "sequence"};

static enum err_code look_at_schemas(struct db_conn *c, struct targets *t, struct err *err)
{
    struct catalog_schema *schemas;
    unsigned count;
    enum err_code code = catalog_schemas(c, t->arena, &schemas, &count, err);
    for (unsigned i = 0; code == ERR_OK && i < t->schema_count; i++)
        for (unsigned k = 0; k < count; k++)
            t->schema_exists[i] |= strcmp(schemas[k].name, t->schemas[i]) == 0;
    return code;
}

/* What stands under a name where a table or sequence is to come. */
static enum err_code look_at(struct db_conn *c, struct targets *t, const char *schema, const char *name,
                             enum catalog_kind wanted, const struct restore_options *options,
                             struct findings *r, bool *exists, struct err *err)
{
    struct catalog_table *found;
    unsigned count = 0;
    enum err_code code = catalog_tables(c, t->arena, schema, name, &found, &count, err);
    *exists = count > 0 && found[0].kind == wanted; /* what is of another kind is not looked into */
    if (count && found[0].kind != wanted)
        refuse(r, "%s.%s is a %s on the server, not a %s", schema, name, KINDS[found[0].kind], KINDS[wanted]);
    else if (count && options->if_exists == IF_EXISTS_FAIL)
        refuse(r, "%s.%s exists already (--if-exists fail)", schema, name);
    return code;
}

static bool is_restored(const struct targets *t, const struct manifest_name *sequence)
{
    for (unsigned i = 0; i < t->sequence_count; i++)
        if (strcmp(t->sequences[i].object->name, sequence->name) == 0 &&
            strcmp(t->sequences[i].object->schema, sequence->schema) == 0)
            return true;
    return false;
}

/* A default can only name a sequence that comes too or is there. */
static enum err_code look_for_defaults(struct db_conn *c, struct targets *t, const struct target *item,
                                       struct findings *r, struct err *err)
{
    enum err_code code = ERR_OK;
    for (unsigned i = 0; code == ERR_OK && i < item->table->sequence_count; i++) {
        const struct manifest_name *s = &item->table->sequences[i];
        const char *mapped = targets_map(t, s->schema), *schema = mapped ? mapped : s->schema;
        struct catalog_table *found;
        unsigned count = 0;
        if (is_restored(t, s))
            continue;
        code = catalog_tables(c, t->arena, schema, s->name, &found, &count, err);
        if (code == ERR_OK && (count == 0 || found[0].kind != CATALOG_SEQUENCE))
            refuse(r,
                   "%s.%s takes a default from the sequence %s.%s, which is neither in the archive nor there",
                   item->schema, item->name, schema, s->name);
    }
    return code;
}

/* With only some tables, a sequence that is there goes on: it serves others too. */
static void leave_sequences(struct targets *t, const struct restore_options *options)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < t->sequence_count; i++)
        if (options->table_count == 0 || !t->sequences[i].exists)
            t->sequences[kept++] = t->sequences[i];
    t->sequence_count = kept;
}

enum err_code live_look(struct db_conn *c, struct targets *t, const struct restore_options *options,
                        struct findings *refusals, struct err *err)
{
    struct restore_options others = *options;
    if (options->table_count) /* a sequence that is there is left alone */
        others.if_exists = IF_EXISTS_SWAP;
    enum err_code code = look_at_schemas(c, t, err);
    for (unsigned i = 0; code == ERR_OK && i < t->count; i++)
        code = look_for_defaults(c, t, &t->items[i], refusals, err);
    for (unsigned i = 0; code == ERR_OK && i < t->count; i++)
        code = look_at(c, t, t->items[i].schema, t->items[i].name, CATALOG_TABLE, options, refusals,
                       &t->items[i].exists, err);
    for (unsigned i = 0; code == ERR_OK && i < t->sequence_count; i++)
        code = look_at(c, t, t->sequences[i].schema, t->sequences[i].name, CATALOG_SEQUENCE, &others,
                       refusals, &t->sequences[i].exists, err);
    if (code == ERR_OK)
        leave_sequences(t, options);
    return code;
}
