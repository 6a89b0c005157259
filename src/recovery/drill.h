/*
 * The restore drill: an archive is restored whole into a throw-away server of its own, every row is compared
 * with what was dumped, twice (in staging before the swap, and in place after it), and what came of it is
 * written beside the archive, dated.
 *
 * What a drill proves: from these bytes, with a server of that version, all rows come back, and each table's
 * definition.  What it does not prove: that the server they are meant for has the room, the rights and the
 * time.
 *
 * One thread, the one that runs the command.  It needs a keeper that was started before any thread existed.
 */
#ifndef DBSAFE_RECOVERY_DRILL_H
#define DBSAFE_RECOVERY_DRILL_H

#include "archive/manifest.h"
#include "core/run.h"
#include "core/source.h"
#include "core/store.h"
#include "recovery/steps.h"
#include "recovery/throwaway.h"
#include "verify/verify.h"

struct drill_options {
    struct throwaway_options server; /* plain_bytes is filled in */
    unsigned threads;
    const char *archive_name;
};

struct drill_result {
    struct steps steps;
    struct verify_result compared; /* of the comparison in place; problems say what differs */
    char server_version[128];
    bool begun;  /* the server ran: what was found out is about the archive */
    bool passed; /* every table was compared and equal */
    uint64_t tables, rows;
};

/* src is seekable and m its manifest.  ERR_OK: passed.  ERR_DIFFERS, ERR_DAMAGED: the archive does not come
 * back as it was dumped.  ERR_REFUSED: it is of another kind of server, or there is not enough room. Anything
 * else is about the machine.  Release the result with drill_result_free, on failure too. */
enum err_code drill_run(const struct run *run, struct source *src, const struct manifest *m,
                        const struct drill_options *options, struct drill_result *result, struct err *err);
void drill_result_free(struct drill_result *r);

/* Whether an error of a drill that had begun says something about the archive, which is then attested too. */
bool drill_is_verdict(enum err_code code);
/* Writes <name>.drill.json: what was restored where, when, how long it took, and every table's rows and
 * content checksum; with why (NULL: it passed) also what went wrong. */
enum err_code drill_attest(const struct run *run, struct store *store, const char *name, struct source *src,
                           const struct manifest *m, const struct drill_result *r, const struct err *why,
                           struct err *err);

#endif
