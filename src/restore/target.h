/*
 * What a restore will put where: the chosen tables and sequences of an archive, their names on the target
 * server, their definitions taken apart.
 */
#ifndef DBSAFE_RESTORE_TARGET_H
#define DBSAFE_RESTORE_TARGET_H

#include "archive/manifest.h"
#include "db/ddl.h"
#include "db/ddl_text.h"
#include "restore/input.h"
#include "restore/restore.h"

struct target {
    const struct manifest_table *table; /* from the archive */
    const char *schema, *name;          /* the live table */
    const char *staging_schema;
    const char *staging;  /* quoted "`schema`.`name`" */
    const char *ddl_text; /* with collations mapped */
    struct ddl ddl;       /* as it is made in staging (adapt.h) */
    bool *deferred;       /* per item of ddl: added after the data */
    unsigned deferred_count;
    bool *joins;               /* per item of ddl: a foreign key that is added behind the swap */
    const char *staged_sha256; /* digest of what SHOW CREATE TABLE must give in staging */
    bool exists;               /* a live table of that name is there */
    uint64_t rows;             /* loaded; guarded by the loading stage */
};

struct target_sequence {
    const struct manifest_object *object; /* from the archive */
    const char *text;                     /* its definition */
    const char
        *collation; /* its database's, which a sequence has too though nothing shows it; NULL: not known */
    const char *schema, *name;
    const char *staging_schema;
    bool exists;
    bool is_default; /* a chosen table takes a default from it: it must be there before the table is made */
};

struct targets {
    struct arena *arena; /* borrowed */
    unsigned count;
    struct target *items;
    unsigned sequence_count;
    struct target_sequence *sequences;
    unsigned schema_count;
    const char **schemas;   /* distinct target schemas */
    const char **originals; /* the archive's name of each */
    bool *schema_exists;
    struct collation_map mapped; /* --map-collation */
};

/* Applies options->tables and options->into to what was read of an archive. */
enum err_code targets_make(const struct input *in, const struct restore_options *options, struct arena *arena,
                           struct targets *out, struct err *err);
/* Databases without tables come back too, unless only some tables are wanted.  A pipe of format 1 tells of
 * them at its end: then again, with the manifest that stands there. */
enum err_code targets_add_schemas(struct targets *t, const struct manifest *m,
                                  const struct restore_options *options, struct err *err);
/* The live name of one of the archive's schemas; NULL when nothing of it is restored. */
const char *targets_map(const struct targets *t, const char *original);
/* The target of a table of the archive, or NULL. */
const struct target *targets_find(const struct targets *t, const char *original_schema, const char *name);
/* Whether an object of the archive comes back: a trigger with its table, a sequence as a target of its own,
 * all others unless only some tables were asked for. */
bool targets_bring(const struct targets *t, const struct restore_options *options,
                   const struct manifest_object *o);
/* The place of a target schema in t->schemas. */
unsigned targets_schema_index(const struct targets *t, const char *schema);

#endif
