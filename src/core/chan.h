/*
 * A bounded first-in first-out channel of pointers between threads, with any number of senders
 * and receivers.  Sending gives the pointer's object away; receiving takes it.
 *
 * Whoever knows that no more will come closes it (chan_close); a sender that failed never does: it
 * returns its error, and the group cancels.  Blocked calls end when the token fires.
 */
#ifndef DBSAFE_CORE_CHAN_H
#define DBSAFE_CORE_CHAN_H

#include "core/cancel.h"
#include "core/err.h"

#include <stddef.h>

struct chan;

/* capacity: items, at least 1.  drop releases items that nobody received when the channel is
 * freed (may be NULL).  cancel may be NULL and must outlive the channel. */
struct chan *chan_new(size_t capacity, struct cancel *cancel, void (*drop)(void *item));
void chan_free(struct chan *ch);

/* Waits for room.  On failure (cancelled, closed) the item stays the caller's. */
enum err_code chan_send(struct chan *ch, void *item, struct err *err);
/* Waits for an item.  *item is NULL when the channel is closed and empty. */
enum err_code chan_recv(struct chan *ch, void **item, struct err *err);
/* No more sends; receivers drain what is there.  Idempotent. */
void chan_close(struct chan *ch);

#endif
