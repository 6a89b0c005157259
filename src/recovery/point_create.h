/*
 * Makes a recovery point: the RDS snapshot is begun, the tables are archived meanwhile, the archive is
 * verified and drilled, a restore is timed, and all is bound in one record, which says complete only when all
 * of it is.
 *
 * The same call again goes on where a dead run stopped, as long as what that run took is not older than
 * POINT_FRESH_MS; a complete point of the same request is left as it is.  One thread, the one that runs the
 * command.
 */
#ifndef DBSAFE_RECOVERY_POINT_CREATE_H
#define DBSAFE_RECOVERY_POINT_CREATE_H

#include "dump/dump.h"
#include "recovery/drill.h"
#include "recovery/estimate.h"
#include "recovery/point.h"
#include "recovery/snapshots.h"
#include "recovery/steps.h"

/* An archive or snapshot that a dead run took longer ago is no point before what comes now: it is taken anew.
 */
#define POINT_FRESH_MS ((int64_t)3600 * 1000)

struct point_request {
    const char *name;
    struct dump_options dump;             /* names, label, and how */
    const struct drill_options *drill;    /* NULL: none */
    const char *drill_skipped;            /* then why */
    struct recovery_snapshots *snapshots; /* with instance */
    const char *instance;                 /* NULL: the archive alone */
    const char *git_folder;               /* NULL: not asked for */
    const char *person;                   /* "user@host" */
    bool keep;
    int64_t expires_after_ms;
    int64_t rto_ms; /* how long a restore may take */
    bool rto_required;
    bool take_over; /* an unfinished point of a run on another host */
};

struct point_created {
    struct point *point;       /* as recorded; NULL when nothing is */
    bool existed;              /* it was complete before */
    bool resumed;              /* a dead run's work was gone on with */
    struct manifest *manifest; /* of the archive, once there is one */
    struct drill_result drill; /* of this run's drill */
    struct estimate estimate;
    struct steps steps;
};

/* ERR_REFUSED: the name is taken by another request, or the RTO is not met and was demanded.  ERR_LOCKED: a
 * run works on it.  After other errors what was reached stays recorded, for the same call to go on, unless
 * there was nothing yet.  Release with point_created_free, on failure too. */
enum err_code point_create(const struct run *run, const struct db_params *db,
                           const struct point_stores *stores, const struct point_request *request,
                           struct point_created *out, struct err *err);
void point_created_free(struct point_created *c);

/* What a creation would archive, and whether the name and the instance are right for it; changes nothing.
 * Release *out with manifest_free. */
enum err_code point_plan(const struct run *run, const struct db_params *db, const struct point_stores *stores,
                         const struct point_request *request, struct manifest **out, struct err *err);

#endif
