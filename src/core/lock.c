#include "core/lock.h"

#include "core/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct lock {
    pthread_mutex_t mutex;
    pthread_cond_t woken; /* on CLOCK_MONOTONIC */
};

static void must(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "dbsafe: internal error: %s: %s\n", what, strerror(rc));
    abort();
}

struct lock *lock_new(void)
{
    struct lock *l = xcalloc(1, sizeof *l);
    pthread_condattr_t attr;
    must(pthread_mutex_init(&l->mutex, NULL), "pthread_mutex_init");
    must(pthread_condattr_init(&attr), "pthread_condattr_init");
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), "pthread_condattr_setclock");
    must(pthread_cond_init(&l->woken, &attr), "pthread_cond_init");
    must(pthread_condattr_destroy(&attr), "pthread_condattr_destroy");
    return l;
}

void lock_free(struct lock *l)
{
    if (l == NULL)
        return;
    must(pthread_cond_destroy(&l->woken), "pthread_cond_destroy");
    must(pthread_mutex_destroy(&l->mutex), "pthread_mutex_destroy");
    free(l);
}

void lock_take(struct lock *l)
{
    must(pthread_mutex_lock(&l->mutex), "pthread_mutex_lock");
}

void lock_drop(struct lock *l)
{
    must(pthread_mutex_unlock(&l->mutex), "pthread_mutex_unlock");
}

void lock_wait(struct lock *l, int64_t timeout_ms)
{
    if (timeout_ms <= 0) {
        must(pthread_cond_wait(&l->woken, &l->mutex), "pthread_cond_wait");
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + timeout_ms % 1000 * 1000000;
    until.tv_sec += timeout_ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    int rc = pthread_cond_timedwait(&l->woken, &l->mutex, &until);
    must(rc == ETIMEDOUT ? 0 : rc, "pthread_cond_timedwait");
}

void lock_wake_all(struct lock *l)
{
    must(pthread_cond_broadcast(&l->woken), "pthread_cond_broadcast");
}
