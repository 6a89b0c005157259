/*
 * Shows how far a command is: a bar at the bottom of a terminal, or a log line a minute.  One thread looks at
 * the counters of core/progress.h; it starts and ends with the long part of the command.
 */
#ifndef DBSAFE_CLI_PROGRESS_H
#define DBSAFE_CLI_PROGRESS_H

#include "core/run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum progress_mode { PROGRESS_NONE, PROGRESS_LINES, PROGRESS_BAR };

/* What --progress (auto, always, never) means on this standard error; a JSON log never has a bar. */
enum progress_mode progress_mode_of(const char *setting, bool terminal, bool json_log);

struct ticker;

/* run is borrowed until ticker_stop.  Progress is not worth failing for: NULL (which ticker_stop takes) when
 * no thread could be started. */
struct ticker *ticker_start(const struct run *run, enum progress_mode mode);
/* Ends at once, removes the bar and releases. */
void ticker_stop(struct ticker *t);

/* The counters at one moment. */
struct progress_sample {
    int64_t at_ms; /* monotonic */
    const char *phase;
    uint64_t rows, rows_total, plain_bytes;
};

#define PROGRESS_LINE_BYTES 512
/* The line for now, with speeds taken from the older sample of the same phase; at most columns characters (0:
 * no limit), the bar left out when it does not fit or bar is false. */
void progress_line(const struct progress_sample *now, const struct progress_sample *older, bool bar,
                   unsigned columns, char out[PROGRESS_LINE_BYTES]);

#endif
