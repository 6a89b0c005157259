/*
 * Whose a recovery point's name is: a new one, an unfinished point of a dead run, or one that is there (used
 * by point_create.c only).
 */
#ifndef DBSAFE_RECOVERY_POINT_CLAIM_H
#define DBSAFE_RECOVERY_POINT_CLAIM_H

#include "recovery/point_create.h"
#include "recovery/server.h"

/* Whether a request may have a point that is there: of the same request and the same server, and complete and
 * not expired, or unfinished and of a run that is dead.  ERR_REFUSED, ERR_LOCKED. */
enum err_code point_claim_check(const struct run *run, const struct point *p,
                                const struct point_request *request, const struct server_mark *here,
                                struct err *err);
/* Takes the name for this run and records that, unless the point is complete already (*existed).  *resumed: a
 * dead run had begun it.  *out is the caller's, NULL on failure. */
enum err_code point_claim(const struct run *run, const struct point_stores *stores,
                          const struct point_request *request, const struct server_mark *here,
                          struct point **out, bool *existed, bool *resumed, struct err *err);

#endif
