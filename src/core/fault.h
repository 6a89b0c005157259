/*
 * Fault points for the crash and error tests.  Compiled in only with -DDBSAFE_FAULTS (every build
 * mode but release); in a release build they cost nothing and the variable is not read.
 *
 * DBSAFE_FAULT is a comma-separated list of ACTION:POINT[:N[:ERRNO]]: at the N-th pass (default 1)
 * of POINT,   fail  makes the call fail (with that errno name where it matters: ENOSPC, EIO),
 *             kill  ends the process with SIGKILL,
 *             stop  stops it with SIGSTOP until someone sends SIGCONT.
 */
#ifndef DBSAFE_CORE_FAULT_H
#define DBSAFE_CORE_FAULT_H

#include "core/err.h"

#ifdef DBSAFE_FAULTS
/* ERR_OK, or the injected failure with the given code. */
enum err_code fault_point(const char *point, enum err_code code, struct err *err);
/* 0, or the errno to fail with: for calls that report by errno. */
int fault_errno(const char *point);
#else
#define fault_point(point, code, err) ((void)(err), ERR_OK)
#define fault_errno(point)            0
#endif

#endif
