/*
 * Mutex and condition variable for the few modules outside core that share state between
 * threads without a channel.  Failures of the calls are bugs and end the process.
 */
#ifndef DBSAFE_CORE_LOCK_H
#define DBSAFE_CORE_LOCK_H

#include <stdint.h>

struct lock;
struct lock *lock_new(void);
void lock_free(struct lock *l);
void lock_take(struct lock *l);
void lock_drop(struct lock *l);
/* Waits for lock_wake_all; the lock is held before and after.  With timeout_ms 0 without limit. */
void lock_wait(struct lock *l, int64_t timeout_ms);
/* The caller holds the lock, or a waiter between its check and its wait would not notice. */
void lock_wake_all(struct lock *l);

#endif
