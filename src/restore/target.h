/*
 * What a restore will do to which live table: the chosen tables of an archive, their names on the target
 * server, their definitions taken apart, and the checks that must pass before anything is changed.
 */
#ifndef DBSAFE_RESTORE_TARGET_H
#define DBSAFE_RESTORE_TARGET_H

#include "archive/manifest.h"
#include "db/ddl.h"
#include "db/ddl_text.h"
#include "restore/journal.h"
#include "restore/restore.h"

struct target {
    const struct manifest_table *table; /* from the archive */
    const char *schema, *name;          /* the live table */
    const char *staging;                /* quoted "`schema`.`name`" */
    const char *ddl_text;               /* with collations mapped */
    struct ddl ddl;
    bool *deferred; /* per item of ddl: added after the data */
    unsigned deferred_count;
    bool exists;             /* a live table of that name is there */
    uint64_t rows, warnings; /* loaded; guarded by the loading stage */
};

struct targets {
    struct arena *arena; /* borrowed */
    unsigned count;
    struct target *items;
    unsigned schema_count;
    const char **schemas;   /* distinct target schemas */
    const char **originals; /* the archive's name of each */
    bool *schema_exists;
    struct collation_map mapped; /* --map-collation */
};

/* Applies options->tables and options->into.  ddl_texts: per table number - 1 of m, NULL where not chosen. */
enum err_code targets_make(const struct manifest *m, const bool *chosen, const char *const *ddl_texts,
                           const struct restore_options *options, struct arena *arena, struct targets *out,
                           struct err *err);
/* Databases without tables come back too, unless only some tables are wanted.  A pipe tells of them at its
 * end: then again, with the manifest that stands there. */
enum err_code targets_add_schemas(struct targets *t, const struct manifest *m,
                                  const struct restore_options *options, struct err *err);
/* Looks at the live side and refuses (ERR_REFUSED, all reasons at once) what this version cannot do safely:
 * triggers, foreign keys that leave the set, views in the way, tables kept in a DATA DIRECTORY, sequences. */
enum err_code targets_check(struct db_conn *c, struct targets *t, const struct restore_options *options,
                            struct err *err);

/* Reasons to refuse, collected so that all are told at once. */
struct refusals {
    struct buf text; /* "\n  reason" each */
    unsigned count;
};
void refusals_begin(struct refusals *r);
void refuse(struct refusals *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* ERR_REFUSED with all reasons, or ERR_OK when there are none; releases r. */
enum err_code refusals_end(struct refusals *r, const char *what, struct err *err);

/* What the archive's own definitions rule out. */
void targets_check_definitions(const struct targets *t, struct refusals *r);
/* What the foreign keys and triggers of live tables that are about to be exchanged rule out. */
enum err_code check_live_tables(struct db_conn *c, const struct exchange *tables, unsigned count,
                                bool assume_no_outside_fks, struct refusals *r, struct err *err);

#endif
