#include "dump/relations.h"

#include "db/ddl.h"

#include <stddef.h>

static void read_foreign_keys(const struct ddl *d, struct arena *arena, struct manifest_table *t)
{
    struct manifest_foreign_key *keys = arena_calloc(arena, d->item_count, sizeof *keys);
    unsigned n = 0;
    for (unsigned i = 0; i < d->item_count; i++) {
        const struct ddl_item *item = &d->items[i];
        if (item->kind == DDL_FOREIGN)
            keys[n++] = (struct manifest_foreign_key){
                .name = arena_strdup(arena, item->name ? item->name : ""),
                .parent_schema = item->parent_schema ? arena_strdup(arena, item->parent_schema) : t->schema,
                .parent_table = arena_strdup(arena, item->parent_table)};
    }
    t->foreign_keys = keys;
    t->foreign_key_count = n;
}

static void read_sequences(const struct ddl *d, struct arena *arena, struct manifest_table *t)
{
    const struct ddl_sequence *found = ddl_sequences(d, arena, &t->sequence_count);
    struct manifest_name *sequences = arena_calloc(arena, t->sequence_count + 1, sizeof *sequences);
    for (unsigned i = 0; i < t->sequence_count; i++)
        sequences[i] = (struct manifest_name){found[i].schema, found[i].name};
    t->sequences = sequences;
}

enum err_code relations_read(const char *ddl, struct arena *arena, struct manifest_table *t, struct err *err)
{
    struct arena *own = arena_new(); /* the parts of the definition are many */
    struct ddl d;
    enum err_code code = ddl_parse(ddl, own, &d, err);
    if (code == ERR_OK) {
        read_foreign_keys(&d, arena, t);
        read_sequences(&d, arena, t);
    }
    arena_free(own);
    return code;
}
