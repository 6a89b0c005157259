#include "core/chan.h"

#include "core/mem.h"

#include <pthread.h>
#include <stdlib.h>

struct chan {
    size_t capacity;
    struct cancel *cancel; /* borrowed; may be NULL */
    struct cancel_hook hook;
    void (*drop)(void *item);
    pthread_mutex_t mutex;
    pthread_cond_t not_empty;
    pthread_cond_t not_full;
    struct {
        size_t first; /* index of the oldest item */
        size_t count;
        bool closed;
        void **items; /* a ring of capacity items */
    } locked;
};

/* These calls fail only on misuse. */
static void must(int rc)
{
    if (rc != 0)
        abort();
}

/* Under the mutex, or a thread between its check and its wait would miss the wake-up. */
static void wake_all(void *arg)
{
    struct chan *ch = arg;
    must(pthread_mutex_lock(&ch->mutex));
    must(pthread_cond_broadcast(&ch->not_empty));
    must(pthread_cond_broadcast(&ch->not_full));
    must(pthread_mutex_unlock(&ch->mutex));
}

struct chan *chan_new(size_t capacity, struct cancel *cancel, void (*drop)(void *item))
{
    struct chan *ch = xcalloc(1, sizeof *ch);
    ch->capacity = capacity == 0 ? 1 : capacity;
    ch->cancel = cancel;
    ch->drop = drop;
    ch->locked.items = xcalloc(ch->capacity, sizeof *ch->locked.items);
    must(pthread_mutex_init(&ch->mutex, NULL));
    must(pthread_cond_init(&ch->not_empty, NULL));
    must(pthread_cond_init(&ch->not_full, NULL));
    ch->hook = (struct cancel_hook){.wake = wake_all, .arg = ch};
    cancel_add_hook(cancel, &ch->hook);
    return ch;
}

/* Takes the oldest item; there is one. */
static void *take(struct chan *ch)
{
    void *item = ch->locked.items[ch->locked.first];
    ch->locked.first = (ch->locked.first + 1) % ch->capacity;
    ch->locked.count--;
    return item;
}

void chan_free(struct chan *ch)
{
    if (ch == NULL)
        return;
    cancel_remove_hook(ch->cancel, &ch->hook);
    while (ch->locked.count > 0) {
        void *item = take(ch);
        if (ch->drop != NULL)
            ch->drop(item);
    }
    must(pthread_cond_destroy(&ch->not_full));
    must(pthread_cond_destroy(&ch->not_empty));
    must(pthread_mutex_destroy(&ch->mutex));
    free(ch->locked.items);
    free(ch);
}

enum err_code chan_send(struct chan *ch, void *item, struct err *err)
{
    if (item == NULL)
        return err_set(err, ERR_INTERNAL, "NULL was sent through a channel");
    must(pthread_mutex_lock(&ch->mutex));
    while (ch->locked.count == ch->capacity && !ch->locked.closed && !cancel_fired(ch->cancel))
        must(pthread_cond_wait(&ch->not_full, &ch->mutex));
    enum err_code rc = cancel_check(ch->cancel, err);
    if (rc == ERR_OK && ch->locked.closed)
        rc = err_set(err, ERR_INTERNAL, "an item was sent through a closed channel");
    if (rc == ERR_OK) {
        ch->locked.items[(ch->locked.first + ch->locked.count) % ch->capacity] = item;
        ch->locked.count++;
        must(pthread_cond_signal(&ch->not_empty));
    }
    must(pthread_mutex_unlock(&ch->mutex));
    return rc;
}

enum err_code chan_recv(struct chan *ch, void **item, struct err *err)
{
    *item = NULL;
    must(pthread_mutex_lock(&ch->mutex));
    while (ch->locked.count == 0 && !ch->locked.closed && !cancel_fired(ch->cancel))
        must(pthread_cond_wait(&ch->not_empty, &ch->mutex));
    enum err_code rc = cancel_check(ch->cancel, err);
    if (rc == ERR_OK && ch->locked.count > 0) {
        *item = take(ch);
        must(pthread_cond_signal(&ch->not_full));
    }
    must(pthread_mutex_unlock(&ch->mutex));
    return rc;
}

void chan_close(struct chan *ch)
{
    must(pthread_mutex_lock(&ch->mutex));
    ch->locked.closed = true;
    must(pthread_cond_broadcast(&ch->not_empty));
    must(pthread_cond_broadcast(&ch->not_full));
    must(pthread_mutex_unlock(&ch->mutex));
}
