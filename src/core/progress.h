/*
 * Counters that workers add to and src/cli draws.  Plain atomics, owned by cli.  Phases are started by the
 * thread that runs the command.
 */
#ifndef DBSAFE_CORE_PROGRESS_H
#define DBSAFE_CORE_PROGRESS_H

#include <stdatomic.h>
#include <stdint.h>

struct progress {
    _Atomic(const char *) phase;                    /* static string: "dumping", "loading", "verifying" */
    _Atomic uint64_t rows;                          /* done in this phase */
    _Atomic uint64_t rows_total;                    /* estimate or exact; 0 = unknown */
    _Atomic uint64_t plain_bytes;                   /* text bytes done in this phase */
    _Atomic uint64_t out_bytes;                     /* compressed bytes written */
    void (*on_phase)(void *arg, const char *phase); /* NULL: nobody wants to know; called by who starts it */
    void *on_phase_arg;
};

/* Starts a phase: counters back to 0. */
static inline void progress_phase(struct progress *p, const char *phase, uint64_t rows_total)
{
    atomic_store(&p->rows, 0);
    atomic_store(&p->plain_bytes, 0);
    atomic_store(&p->out_bytes, 0);
    atomic_store(&p->rows_total, rows_total);
    atomic_store(&p->phase, phase);
    if (p->on_phase)
        p->on_phase(p->on_phase_arg, phase);
}

#endif
