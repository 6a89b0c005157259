/*
 * What a rollback did: as JSON, and as one HTML page that needs nothing else (no scripts, fonts or images
 * from anywhere).  Texts come from databases and may hold anything: all are escaped.  No state.
 */
#ifndef DBSAFE_RECOVERY_REPORT_H
#define DBSAFE_RECOVERY_REPORT_H

#include "core/buf.h"
#include "core/json_out.h"
#include "core/store.h"
#include "recovery/rollback.h"

#define REPORT_MAX_BYTES ((size_t)64 << 20)

/* "done", "nothing to do", "dry run", "failed", "unfinished", "unknown", "done, with an error after it". */
const char *report_verdict(const struct rollback_result *r);

/* The keys into an object that is open. */
void report_put_json(const struct rollback_result *r, struct json_out *j);
enum err_code report_html(const struct rollback_result *r, struct buf *out, struct err *err);

/* Writes both beside the point's record, as <name>~rollback-<time>.html and .json; *html and *json are where,
 * for the caller to free; NULL: not written. */
enum err_code report_store(const struct rollback_result *r, struct store *points, char **html, char **json,
                           struct err *err);

#endif
