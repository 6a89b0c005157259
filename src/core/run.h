/*
 * What every command hands down: log, cancellation, clock, progress and the id of this run.
 * All borrowed from src/cli; none is NULL.
 */
#ifndef DBSAFE_CORE_RUN_H
#define DBSAFE_CORE_RUN_H

#include "core/cancel.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/progress.h"

struct run {
    struct log *log;
    struct cancel *cancel;
    const struct clock *clock;
    struct progress *progress;
    const char *run_id; /* 12 lower-case hex digits, random */
};

#endif
