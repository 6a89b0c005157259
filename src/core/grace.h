/*
 * A token for cleaning up: it lets work go on after the command's token fired, but not for longer than a
 * while.  A thread of its own watches the clock.
 */
#ifndef DBSAFE_CORE_GRACE_H
#define DBSAFE_CORE_GRACE_H

#include "core/cancel.h"

#include <stdint.h>

struct grace;

/* command (borrowed, may be NULL): ms milliseconds after it fired, however long before that was, the grace is
 * over. */
struct grace *grace_new(struct cancel *command, int64_t ms);
/* Fires (ERR_TIMEOUT) when the grace is over; where no thread could be started, at once when the command's
 * has. */
struct cancel *grace_cancel(struct grace *g);
/* After everything that uses the token. */
void grace_free(struct grace *g);

#endif
