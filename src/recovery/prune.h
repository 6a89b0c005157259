/*
 * Retention: which archives of a store are no longer wanted, and their removal with all that belongs to them.
 *
 * Archives are grouped by the label in their name.  Of each label the newest keep_last that can be read stay,
 * and so do unreadable ones among them: a damaged archive never counts as one of those that are kept, nor
 * does one that holds neither a table nor another object while others of the label do, and the newest
 * readable one of a label is never removed.  Archives that go with their recovery points do not count either,
 * and the last readable one of a label stays when its point goes.  What a recovery point goes back to stays
 * too.  All objects are left alone whose name is neither an archive's nor a companion's, to the last letter.
 *
 * The caller holds the store's lock and uses all this from one thread.
 */
#ifndef DBSAFE_RECOVERY_PRUNE_H
#define DBSAFE_RECOVERY_PRUNE_H

#include "archive/name.h"
#include "core/run.h"
#include "core/store.h"

struct prune_options {
    unsigned keep_last;        /* 0: no archive is removed */
    const char *label;         /* archives of this label only; NULL: all */
    const char *const *pinned; /* names of archives that stay whatever their age */
    size_t pinned_count;
    const char *const *expiring; /* names of archives that go with their recovery points */
    size_t expiring_count;
};

enum prune_fate {
    PRUNE_KEEP, /* one of the newest of its label, or not asked for */
    PRUNE_UNREADABLE /* kept, and not counted as one of the newest */,
    PRUNE_EMPTY,   /* the same: it holds nothing, and another of its label does */
    PRUNE_PINNED,  /* kept, though it is older than the newest */
    PRUNE_EXPIRES, /* goes with its recovery point, and is not counted as one of the newest */
    PRUNE_SPARED,  /* its point goes, but no other of its label can be read */
    PRUNE_REMOVE
};

struct prune_archive {
    char *name;
    char label[LABEL_BYTES];
    int64_t created_ms, modified_ms;
    uint64_t bytes;
    enum prune_fate fate;
};

struct prune_plan {
    struct prune_archive *archives; /* those that were asked for, and spared ones; the oldest first */
    size_t count;
    char **companions; /* of an archive that goes, or that is gone: then an hour old */
    size_t companion_count;
    unsigned removals; /* archives that go, not counting those that go with their points */
    uint64_t bytes;    /* of these */
    unsigned kept;     /* archives that stay */
};

/* Reads the store; changes nothing.  Release with prune_plan_free, on failure too. */
enum err_code prune_plan_make(const struct run *run, struct store *store, const struct prune_options *options,
                              struct prune_plan *out, struct err *err);
void prune_plan_free(struct prune_plan *p);
/* Whether this archive stays though its point goes. */
bool prune_plan_spares(const struct prune_plan *p, const char *name);

/* Removes what the plan says, the oldest first, an archive before its companions; what is gone already is no
 * error. */
enum err_code prune_plan_apply(const struct run *run, struct store *store, const struct prune_plan *plan,
                               struct err *err);

#endif
