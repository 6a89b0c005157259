/*
 * SIGINT and SIGTERM (and SIGHUP, as SIGTERM) fire the cancellation token, so that the command cleans up and
 * ends; Ctrl-\ still ends the process at once.  A signal that was ignored when the process started stays
 * ignored (nohup, background jobs of a shell).
 *
 * signals_block is called by main before any thread exists; one thread then waits for the signals.
 */
#ifndef DBSAFE_CLI_SIGNALS_H
#define DBSAFE_CLI_SIGNALS_H

#include "core/run.h"

void signals_block(void);

struct signals;

/* run is borrowed and must outlive the thread. */
enum err_code signals_start(const struct run *run, struct signals **out, struct err *err);
/* Ends the thread and releases; NULL is accepted. */
void signals_stop(struct signals *s);

#endif
