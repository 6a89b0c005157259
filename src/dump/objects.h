/*
 * The objects of a dump that are no tables: collected by src/dump/plan.c, described for the manifest, and
 * compared again at the end.  One thread.
 */
#ifndef DBSAFE_DUMP_OBJECTS_H
#define DBSAFE_DUMP_OBJECTS_H

#include "archive/manifest.h"
#include "db/catalog_objects.h"

struct objects {
    struct arena *arena;                    /* the manifest's */
    struct catalog_object *items;           /* owned; from objects_define on in the manifest's order */
    struct catalog_definition *definitions; /* one each; in the arena */
    unsigned count, cap;
    const struct catalog_object
        *triggers; /* all of the dump's tables, those left out too: compared at the end */
    unsigned trigger_count;
};

void objects_init(struct objects *o, struct arena *arena);
void objects_free(struct objects *o);
/* Adds one that is not there yet. */
void objects_add(struct objects *o, const struct catalog_object *object);
/* Reads which triggers the tables of the manifest have into o->triggers; adds none. */
enum err_code objects_find_triggers(struct objects *o, struct db_conn *c, const struct manifest *m,
                                    struct err *err);

/*
 * Reads every definition, puts the objects in order (by kind, views behind what they use) and fills
 * m->objects, the tables' triggers, and m->warnings.  ERR_SNAPSHOT for one that vanished meanwhile.
 * ERR_DB_DENIED for the first that this account may not see; then those that it may are described, and the
 * others have definitions without a text.
 */
enum err_code objects_define(struct objects *o, struct db_conn *c, struct manifest *m, struct err *err);
/* Where each sequence stands.  They belong to no snapshot: read behind it, no row that it shows holds a value
 * that would be given away once more. */
enum err_code objects_read_sequences(const struct objects *o, struct db_conn *c, struct manifest *m,
                                     struct err *err);
/* ERR_SNAPSHOT naming the first object, or table whose triggers, changed since. */
enum err_code objects_check(const struct objects *o, struct db_conn *c, const struct manifest *m,
                            struct err *err);

#endif
