/*
 * Reasons to refuse, collected so that all are told at once.
 */
#ifndef DBSAFE_RESTORE_REFUSALS_H
#define DBSAFE_RESTORE_REFUSALS_H

#include "core/buf.h"
#include "core/err.h"

struct refusals {
    struct buf text; /* "\n  reason" each */
    unsigned count;
};

void refusals_begin(struct refusals *r);
/* The same reason is kept once. */
void refuse(struct refusals *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* ERR_REFUSED with all reasons, or ERR_OK when there are none; releases r. */
enum err_code refusals_end(struct refusals *r, const char *what, struct err *err);

#endif
