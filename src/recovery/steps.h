/*
 * The steps of a long command with their times, for its report.  Phases that the layers below start
 * (core/progress.h) become steps of level 1 within the step that runs.
 *
 * The caller owns the struct; it belongs to the thread that runs the command.
 */
#ifndef DBSAFE_RECOVERY_STEPS_H
#define DBSAFE_RECOVERY_STEPS_H

#include "core/json_out.h"
#include "core/run.h"

#include <stdint.h>

#define STEPS_MAX 64

struct timed_step {
    const char *name;         /* static */
    unsigned level;           /* 0: a step; 1: a phase of the one before */
    int64_t begin_ms, end_ms; /* since the first step began; end_ms < 0: it runs */
};

struct steps {
    const struct run *run; /* borrowed */
    int64_t origin_ms;     /* monotonic clock */
    int64_t started_ms;    /* wall clock */
    unsigned count;
    struct timed_step items[STEPS_MAX];
};

/* Takes run->progress's notices until steps_end. */
void steps_begin(struct steps *s, const struct run *run);
/* Ends the step that runs and starts the next, for the progress bar too; name is a static string.  More than
 * STEPS_MAX are left out. */
void steps_next(struct steps *s, const char *name);
/* Takes run->progress's notices again, behind a layer below that timed its own steps. */
void steps_resume(struct steps *s);
/* Ends the last step and takes no more notices. */
void steps_end(struct steps *s);
/* Milliseconds from the first step to the end of the last, or to now. */
int64_t steps_total_ms(const struct steps *s);

/* The array "steps": name, level, begin (seconds since the start), seconds. */
void steps_put_json(const struct steps *s, struct json_out *j);

#endif
