/*
 * How long a restore of an archive will take: a sample of its members is loaded into the very server that it
 * would be restored to, with the loader that restores, into a schema of ours (`dbsafe_estimate_<run id>`)
 * that is removed afterwards; keys are added, rows are read back and compared, each is timed, and the times
 * are scaled.
 *
 * One thread, the one that runs the command.  It needs the grant ALL ON `dbsafe\_%`.*, as a restore does.
 */
#ifndef DBSAFE_RECOVERY_ESTIMATE_H
#define DBSAFE_RECOVERY_ESTIMATE_H

#include "archive/manifest.h"
#include "core/run.h"
#include "core/source.h"
#include "db/conn.h"

#define ESTIMATE_SCHEMA "dbsafe_estimate_"
/* The sample: so much text, of so many tables, at most. */
#define ESTIMATE_TEXT_BYTES ((uint64_t)64 << 20)
#define ESTIMATE_TABLES     32

struct estimate_options {
    unsigned threads;
    uint64_t text_bytes; /* of the sample; 0: ESTIMATE_TEXT_BYTES */
};

struct estimate {
    bool known;
    char why[512];              /* not known: what the server refused */
    int64_t likely_ms, most_ms; /* of the whole archive */
    unsigned sample_tables;
    uint64_t sample_bytes; /* text */
    int64_t sample_ms;
};

/* ERR_OK with known false where the server does not let us: a privilege, a table that it cannot create.
 * ERR_DIFFERS: the sample came back differently.  Nothing stays, but for a run that is killed: what such a
 * run left is removed by the next. */
enum err_code estimate_run(const struct run *run, const struct db_params *db, struct source *src,
                           const struct manifest *m, const struct estimate_options *options,
                           struct estimate *out, struct err *err);

/* What was measured, for the whole archive (estimate_run's arithmetic). */
struct estimate_sample {
    unsigned tables;                     /* of the sample */
    uint64_t bytes;                      /* its text */
    int64_t create_ms;                   /* all its tables */
    int64_t load_ms, keys_ms, verify_ms; /* its rows */
};
void estimate_scale(const struct estimate_sample *sample, const struct manifest *m, struct estimate *out);

/* Whether the restore takes no longer than that for all that is known: judged by its upper end. */
bool estimate_fits(const struct estimate *e, int64_t rto_ms);
/* ERR_OK, with a warning when the restore may take longer than rto_ms, or ERR_REFUSED then, and when it is
 * not known, if required. */
enum err_code estimate_judge(const struct run *run, const struct estimate *e, int64_t rto_ms, bool required,
                             struct err *err);

#endif
