/*
 * What a database holds besides tables: views, sequences, routines, packages, triggers, events; and their
 * definitions, byte for byte.  Results live in the caller's arena; names are utf8mb4.
 */
#ifndef DBSAFE_DB_CATALOG_OBJECTS_H
#define DBSAFE_DB_CATALOG_OBJECTS_H

#include "db/catalog.h"

struct catalog_object {
    const char *schema, *name;
    enum catalog_kind kind;
    const char *definer;         /* "user@host"; NULL: sequences */
    const char *comment;         /* routines, packages and events; else NULL */
    const char *table;           /* triggers */
    const char *timing, *action; /* triggers: "BEFORE", "INSERT" */
    unsigned order;              /* triggers: among those of the same table, timing and action, from 1 */
    const char *status;          /* events: "ENABLED", "DISABLED", "SLAVESIDE_DISABLED" (or REPLICA...) */
    const char *query;           /* views: what it selects, every name with its database; "" unseen */
    const char *broken;          /* views: as in struct catalog_table */
};

/* Of a whole database, in order of name.  What the account may not see at all is not listed. */
enum err_code catalog_views(struct db_conn *c, struct arena *arena, const char *schema,
                            struct catalog_object **out, unsigned *count, struct err *err);
enum err_code catalog_routines(struct db_conn *c, struct arena *arena, const char *schema,
                               struct catalog_object **out, unsigned *count, struct err *err);
enum err_code catalog_events(struct db_conn *c, struct arena *arena, const char *schema,
                             struct catalog_object **out, unsigned *count, struct err *err);
/* Of one table, or of all of the database's with NULL: by table, action and timing, and in the order in which
 * they fire. */
enum err_code catalog_table_triggers(struct db_conn *c, struct arena *arena, const char *schema,
                                     const char *table, struct catalog_object **out, unsigned *count,
                                     struct err *err);

struct catalog_definition {
    const char *text; /* in charset; NUL-terminated, and may hold others */
    size_t bytes;
    /* of the session that made it; NULL where the kind has none */
    const char *sql_mode, *charset, *collation, *db_collation, *time_zone;
    const char *warning; /* what of it cannot be kept, or NULL */
};

/*
 * SHOW CREATE of one object, in a form that makes the same object again when a session with these settings
 * runs it.  What the server prints does not always: names, definers and comments that it mixes in, in another
 * character set or with escapes that the sql_mode does not read, are written anew.  Changes the session's
 * current database.
 * ERR_NOT_FOUND: it is gone.  ERR_DB_DENIED with the GRANT that is missing: the account may not see it.
 */
enum err_code catalog_define(struct db_conn *c, struct arena *arena, const struct catalog_object *o,
                             struct catalog_definition *out, struct err *err);

/* The row of a sequence, as decimal digits. */
struct catalog_sequence {
    const char *next, *minimum, *maximum, *start, *increment, *cache, *cycle, *cycle_count;
};
enum err_code catalog_sequence(struct db_conn *c, struct arena *arena, const char *schema, const char *name,
                               struct catalog_sequence *out, struct err *err);

#endif
