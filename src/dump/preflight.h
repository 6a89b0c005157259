/*
 * What a dump would meet, found out without reading rows or locking anything: for `doctor`.
 */
#ifndef DBSAFE_DUMP_PREFLIGHT_H
#define DBSAFE_DUMP_PREFLIGHT_H

#include "core/findings.h"
#include "dump/dump.h"

/* How much there is to dump, as the server estimates it. */
struct dump_estimate {
    unsigned tables, objects;
    uint64_t rows, data_bytes;
};

/* Adds to out.  An error is one of asking, or of names that mean nothing (ERR_NOT_FOUND). */
enum err_code dump_preflight(const struct run *run, const struct db_params *db,
                             const struct dump_options *options, struct findings *out,
                             struct dump_estimate *estimate, struct err *err);

#endif
