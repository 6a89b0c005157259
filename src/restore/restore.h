/*
 * The way back: stage, load, verify, swap; undo; the list of what can be undone.
 */
#ifndef DBSAFE_RESTORE_RESTORE_H
#define DBSAFE_RESTORE_RESTORE_H

#include "archive/manifest.h"
#include "core/findings.h"
#include "core/run.h"
#include "core/source.h"
#include "db/conn.h"
#include "db/create.h"

/* Asks whoever decides: what is about to be done, as a sentence without its end.  ERR_REFUSED: it is not. */
typedef enum err_code restore_confirm_fn(void *arg, const char *what, struct err *err);

enum if_exists { IF_EXISTS_SWAP, IF_EXISTS_FAIL, IF_EXISTS_DROP };

struct restore_options {
    const char *const *tables; /* patterns; count 0: all */
    unsigned table_count;
    const char *const *into; /* pairs OLD, NEW; or one pair with OLD NULL: every schema to NEW */
    unsigned into_count;     /* pairs */
    enum if_exists if_exists;
    bool verify; /* re-read and compare before the swap */
    unsigned threads;
    unsigned lock_timeout_s; /* how long the swap is tried */
    bool kill_blockers;
    bool assume_no_outside_fks;
    bool
        include_referencing; /* foreign keys of tables that are not exchanged come to refer to the new ones */
    struct definer_rule definer;
    bool resume;
    bool dry_run;
    const char *staging_schema, *undo_schema; /* existing schemas to use; NULL: own ones */
    const char *const *map_collations;        /* "OLD=NEW" */
    unsigned map_collation_count;
    const char *archive_name; /* for the journal */
    /* Asked before IF_EXISTS_DROP begins to work where a table is there; NULL: not asked. */
    restore_confirm_fn *confirm;
    void *confirm_arg;
    const char *go_on; /* what the user shall give to go on; NULL: "the same command with --resume" */
};

struct restore_result {
    char restore_id[40]; /* "": there is none, for nothing was changed */
    unsigned tables;
    unsigned objects; /* sequences, triggers, views, programs and events that are as the archive says */
    uint64_t rows;
    bool verified; /* every restored table's content checksum was compared */
    bool swapped;
    bool was_swapped; /* by an earlier run: only what is behind the swap was done now */
    bool unknown;     /* the server was lost in mid-swap: swapped or not, nobody knows */
    bool unfinished;  /* swapped, but remains of dbsafe's own could not be removed: the next run does it */
    bool proves;      /* they were compared with this archive, and not with one that had its name before */
};

/* ERR_DAMAGED, ERR_DIFFERS, ERR_REFUSED, ...: live tables are unchanged, staging was removed; after
 * ERR_TIMEOUT and ERR_DB_LOST one that was verified is kept, and the message says how to go on.  With
 * result->swapped only what is behind the swap failed; with result->unknown nobody knows whether it came so
 * far. Both are filled in then. */
enum err_code restore_run(const struct run *run, const struct db_params *db, struct source *src,
                          const struct restore_options *options, struct restore_result *result,
                          struct err *err);

/* What the restore would find in its way, without changing anything: damage of what stands before the data,
 * this server, the account, what is live.  An error is one that keeps it from looking. */
enum err_code restore_preflight(const struct run *run, const struct db_params *db, struct source *src,
                                const struct restore_options *options, struct findings *out, struct err *err);

struct undo_options {
    const char *restore_id; /* NULL: the newest that was swapped and not undone */
    /* Schemas of the user's own that the restore was told to use: only there are tables dropped outside of
     * dbsafe's. */
    const char *staging_schema, *undo_schema;
    unsigned lock_timeout_s;
    bool kill_blockers;
    bool assume_no_outside_fks;
    bool include_referencing;
    bool dry_run;
    restore_confirm_fn *confirm; /* asked when restore_id is NULL, before anything changes; NULL: not asked */
    void *confirm_arg;
};

/* One rename back; itself undoable under result->restore_id. */
enum err_code undo_run(const struct run *run, const struct db_params *db, const struct undo_options *options,
                       struct restore_result *result, struct err *err);

struct undo_entry {
    char restore_id[40];
    char kind[8];        /* "restore" or "undo" */
    char state[16];      /* "loading", "verified", "swapped", "undone" */
    char swapped_at[32]; /* ISO time or "" */
    char *archive;       /* name or id that was undone */
    char **tables;       /* "a.b" */
    unsigned table_count;
    char **objects; /* "sequence a.s", "trigger a.b": what else the operation put in place or removed */
    unsigned object_count;
    bool unfinished; /* swapped, but not all that is behind the swap is done */
    bool pending;    /* a restore that --resume takes up: unfinished, not swapped, or only not cleared up */
    uint64_t undo_bytes; /* data that purge would free */
    bool purgeable;      /* older than the protected time */
};

/* ERR_DB_DENIED, with the GRANT that is missing, for an account that cannot see what undo works on. */
enum err_code undo_check_sight(const struct run *run, const struct db_params *db, struct err *err);

/* Caller frees with undo_list_free. Newest first. */
enum err_code undo_list(const struct run *run, const struct db_params *db, struct undo_entry **entries,
                        unsigned *count, struct err *err);
void undo_list_free(struct undo_entry *entries, unsigned count);

/* Drops the undo data of options->restore_id (or, with NULL, of all) older than 48 hours; ERR_REFUSED for a
 * younger id.  *purged: how many.  Of all, the others are dropped also when one is refused. */
enum err_code undo_purge(const struct run *run, const struct db_params *db,
                         const struct undo_options *options, unsigned *purged, struct err *err);

#endif
