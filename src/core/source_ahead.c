#include "core/source_ahead.h"

#include "core/group.h"
#include "core/lock.h"
#include "core/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Pieces lie in a ring of slots: piece n in slot n % slot_count. */
struct slot {
    char *data; /* owned; written by one lane until ready, then read by the reader */
    bool ready;
};

struct ahead {
    struct source base;
    struct source *src; /* borrowed */
    size_t piece_bytes;
    uint64_t pieces;
    unsigned lanes, slot_count;
    struct slot *slots;    /* owned; .ready is under the lock */
    struct cancel *cancel; /* owned */
    struct cancel_hook hook;
    struct group *group; /* NULL until the first read */
    uint64_t at;         /* the reader's */
    struct lock *lock;
    struct {
        uint64_t next;  /* piece that the next free lane takes */
        uint64_t first; /* the oldest piece that was not read to its end */
        bool stop;
    } locked;
};

static void wake(void *arg)
{
    struct ahead *a = arg;
    lock_take(a->lock);
    lock_wake_all(a->lock);
    lock_drop(a->lock);
}

static size_t bytes_of(const struct ahead *a, uint64_t piece)
{
    uint64_t left = a->base.size - piece * a->piece_bytes;
    return left < a->piece_bytes ? (size_t)left : a->piece_bytes;
}

/* The piece to read next; false at the end. */
static bool take_piece(struct ahead *a, uint64_t *piece)
{
    lock_take(a->lock);
    while (a->locked.next < a->pieces && a->locked.next >= a->locked.first + a->slot_count &&
           !a->locked.stop && !cancel_fired(a->cancel))
        lock_wait(a->lock, 0);
    bool more = a->locked.next < a->pieces && !a->locked.stop && !cancel_fired(a->cancel);
    if (more)
        *piece = a->locked.next++;
    lock_drop(a->lock);
    return more;
}

static enum err_code read_lane(void *arg, struct err *err)
{
    struct ahead *a = arg;
    uint64_t piece;
    while (take_piece(a, &piece)) {
        struct slot *slot = &a->slots[piece % a->slot_count];
        if (slot->data == NULL)
            slot->data = xmalloc(a->piece_bytes);
        enum err_code rc =
            source_read_full(a->src, piece * a->piece_bytes, slot->data, bytes_of(a, piece), err);
        if (rc != ERR_OK)
            return rc;
        lock_take(a->lock);
        slot->ready = true;
        lock_wake_all(a->lock);
        lock_drop(a->lock);
    }
    return ERR_OK;
}

static enum err_code start_lanes(struct ahead *a, struct err *err)
{
    enum err_code rc = ERR_OK;
    a->group = group_new(a->cancel);
    for (unsigned i = 0; rc == ERR_OK && i < a->lanes && i < a->pieces; i++)
        rc = group_spawn(a->group, "read-ahead", read_lane, a, err);
    return rc;
}

static enum err_code wait_ready(struct ahead *a, const struct slot *slot, struct err *err)
{
    lock_take(a->lock);
    while (!slot->ready && !cancel_fired(a->cancel))
        lock_wait(a->lock, 0);
    bool ready = slot->ready;
    lock_drop(a->lock);
    return ready ? ERR_OK : cancel_check(a->cancel, err);
}

static void piece_done(struct ahead *a, struct slot *slot)
{
    lock_take(a->lock);
    slot->ready = false;
    a->locked.first++;
    lock_wake_all(a->lock);
    lock_drop(a->lock);
}

static enum err_code ahead_read_at(struct source *base, uint64_t offset, void *data, size_t bytes,
                                   size_t *got, struct err *err)
{
    struct ahead *a = (struct ahead *)base;
    *got = 0;
    if (offset != a->at)
        return err_set(err, ERR_INTERNAL, "the stream %s is at offset %" PRIu64 ", not at %" PRIu64,
                       base->name, a->at, offset);
    if (offset >= base->size || bytes == 0)
        return ERR_OK;
    uint64_t piece = offset / a->piece_bytes;
    size_t from = (size_t)(offset % a->piece_bytes), whole = bytes_of(a, piece);
    struct slot *slot = &a->slots[piece % a->slot_count];
    enum err_code rc = a->group == NULL ? start_lanes(a, err) : ERR_OK;
    if (rc == ERR_OK)
        rc = wait_ready(a, slot, err);
    if (rc != ERR_OK)
        return rc;
    *got = bytes < whole - from ? bytes : whole - from;
    memcpy(data, slot->data + from, *got);
    a->at += *got;
    if (from + *got == whole)
        piece_done(a, slot);
    return ERR_OK;
}

static void ahead_free(struct source *base)
{
    struct ahead *a = (struct ahead *)base;
    lock_take(a->lock);
    a->locked.stop = true;
    lock_wake_all(a->lock);
    lock_drop(a->lock);
    group_free(a->group);
    cancel_remove_hook(a->cancel, &a->hook);
    cancel_free(a->cancel);
    lock_free(a->lock);
    for (unsigned i = 0; i < a->slot_count; i++)
        free(a->slots[i].data);
    free(a->slots);
    free(base->name);
    free(a);
}

struct source *source_ahead_new(struct source *src, size_t piece_bytes, struct cancel *cancel)
{
    static const struct source_ops ops = {ahead_read_at, ahead_free};
    struct ahead *a = xcalloc(1, sizeof *a);
    a->base = (struct source){.ops = &ops, .size = src->size, .name = xstrdup(src->name)};
    a->src = src;
    a->piece_bytes = piece_bytes;
    a->pieces = (src->size + piece_bytes - 1) / piece_bytes;
    a->lanes = src->lanes > 0 ? src->lanes : 1;
    a->slot_count = a->lanes + 1;
    a->slots = xcalloc(a->slot_count, sizeof *a->slots);
    a->lock = lock_new();
    a->cancel = cancel_new_under(cancel);
    a->hook = (struct cancel_hook){.wake = wake, .arg = a};
    cancel_add_hook(a->cancel, &a->hook);
    return &a->base;
}
