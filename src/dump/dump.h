/*
 * Takes one consistent archive: catalogue, plan, snapshot, workers, tar writer, manifest, commit.
 */
#ifndef DBSAFE_DUMP_DUMP_H
#define DBSAFE_DUMP_DUMP_H

#include "archive/manifest.h"
#include "core/run.h"
#include "core/sink.h"
#include "db/conn.h"

enum dump_count_check { COUNT_AUTO, COUNT_ALWAYS, COUNT_NEVER };

struct dump_options {
    const char *const *names; /* "DB" or "DB.TABLE" patterns (* and ?) */
    unsigned name_count;
    bool all_databases;
    const char *const *excludes; /* patterns "DB", "DB.TABLE" or "TABLE" */
    unsigned exclude_count;
    const char *label;
    unsigned threads;
    int compress_level;
    size_t chunk_bytes;      /* text bytes of one member */
    const char *consistency; /* "auto" or a method name of the manifest */
    bool allow_inconsistent;
    enum dump_count_check count_check;
    bool dry_run;      /* stop after the plan: manifest has tables but no rows */
    uint64_t max_rate; /* bytes a second into the sink; 0: no limit */
};

struct dump_result {
    struct manifest *manifest; /* owned by the caller, manifest_free */
    uint64_t archive_bytes;
};

/* Creates the sink with the archive's final name once plan and privileges are known, before any table is
 * locked or read.  most_bytes: an upper bound of the archive's size, as far as the catalogue tells. */
typedef enum err_code dump_open_sink_fn(void *arg, uint64_t most_bytes, struct sink **out, struct err *err);

/* On ERR_OK the archive was committed.  On any error nothing of it is visible. */
enum err_code dump_run(const struct run *run, const struct db_params *db, const struct dump_options *options,
                       dump_open_sink_fn *open_sink, void *arg, struct dump_result *result, struct err *err);

#endif
