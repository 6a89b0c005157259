#include "support/test.h"

#include "core/chan.h"
#include "core/group.h"

#include <stdatomic.h>

#define SENDERS    4
#define ITEMS      5000 /* of each sender */
#define ITEM(s, n) ((void *)(uintptr_t)((size_t)(s)*ITEMS + (size_t)(n) + 1))
#define ITEM_NO(p) ((size_t)(uintptr_t)(p)-1)

struct sender {
    struct chan *ch;
    int number;
    atomic_int *left; /* the last one closes */
};

static enum err_code send_items(void *arg, struct err *err)
{
    struct sender *s = arg;
    for (int i = 0; i < ITEMS; i++) {
        enum err_code rc = chan_send(s->ch, ITEM(s->number, i), err);
        if (rc != ERR_OK)
            return rc;
    }
    if (atomic_fetch_sub(s->left, 1) == 1)
        chan_close(s->ch);
    return ERR_OK;
}

static void spawn_senders(struct group *g, struct chan *ch, struct sender senders[SENDERS], atomic_int *left)
{
    struct err err;
    atomic_store(left, SENDERS);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ch, i, left};
        assert_ok(group_spawn(g, "send", send_items, &senders[i], &err), &err);
    }
}

static void one_receiver_sees_each_senders_order(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    struct chan *ch = chan_new(3, c, NULL);
    struct group *g = group_new(c);
    struct sender senders[SENDERS];
    atomic_int left;
    struct err err;
    size_t next[SENDERS] = {0}, total = 0;
    spawn_senders(g, ch, senders, &left);
    for (;;) {
        void *item;
        assert_ok(chan_recv(ch, &item, &err), &err);
        if (item == NULL)
            break;
        assert_int_equal(ITEM_NO(item) % ITEMS, next[ITEM_NO(item) / ITEMS]++);
        total++;
    }
    assert_int_equal(total, SENDERS * ITEMS);
    assert_ok(group_join(g, &err), &err);
    group_free(g);
    chan_free(ch);
    cancel_free(c);
}

struct receiver {
    struct chan *ch;
    atomic_uchar *seen;
};

static enum err_code receive_items(void *arg, struct err *err)
{
    struct receiver *r = arg;
    for (;;) {
        void *item;
        enum err_code rc = chan_recv(r->ch, &item, err);
        if (rc != ERR_OK || item == NULL)
            return rc;
        atomic_fetch_add(&r->seen[ITEM_NO(item)], 1);
    }
}

static void many_receivers_get_each_item_once(void **state)
{
    (void)state;
    static atomic_uchar seen[SENDERS * ITEMS];
    struct cancel *c = cancel_new();
    struct chan *ch = chan_new(2, c, NULL);
    struct group *g = group_new(c);
    struct sender senders[SENDERS];
    struct receiver r = {ch, seen};
    atomic_int left;
    struct err err;
    for (int i = 0; i < 3; i++)
        assert_ok(group_spawn(g, "recv", receive_items, &r, &err), &err);
    spawn_senders(g, ch, senders, &left);
    assert_ok(group_join(g, &err), &err);
    for (size_t i = 0; i < SENDERS * ITEMS; i++)
        assert_int_equal(seen[i], 1);
    group_free(g);
    chan_free(ch);
    cancel_free(c);
}

/* A thread that blocks in one call, and says what the call returned. */
struct blocked {
    struct chan *ch;
    atomic_int tid;
    atomic_int sent;
    enum err_code rc;
    void *item;
    struct err err;
};

static enum err_code send_forever(void *arg, struct err *err)
{
    struct blocked *b = arg;
    (void)err;
    atomic_store(&b->tid, thread_id());
    while ((b->rc = chan_send(b->ch, ITEM(0, 0), &b->err)) == ERR_OK)
        atomic_fetch_add(&b->sent, 1);
    return ERR_OK;
}

static enum err_code receive_once(void *arg, struct err *err)
{
    struct blocked *b = arg;
    (void)err;
    atomic_store(&b->tid, thread_id());
    b->rc = chan_recv(b->ch, &b->item, &b->err);
    return ERR_OK;
}

static void wait_blocked(struct blocked *b)
{
    while (atomic_load(&b->tid) == 0)
        sched_yield();
    thread_wait_blocked(atomic_load(&b->tid));
}

static void cancel_wakes(group_fn *fn, enum err_code want, bool close_instead)
{
    struct cancel *own = cancel_new(), *c = cancel_new();
    struct group *g = group_new(own);
    struct blocked b = {.ch = chan_new(2, c, NULL), .item = &b};
    struct err err;
    assert_ok(group_spawn(g, "blocked", fn, &b, &err), &err);
    wait_blocked(&b);
    if (close_instead) {
        chan_close(b.ch);
    } else {
        err_set(&err, ERR_SIGTERM, "stop");
        cancel_fire(c, &err);
    }
    assert_ok(group_join(g, &err), &err);
    assert_int_equal(b.rc, want);
    assert_null(fn == receive_once ? b.item : NULL);
    group_free(g);
    chan_free(b.ch);
    cancel_free(c);
    cancel_free(own);
}

static void blocked_calls_end_when_the_token_fires(void **state)
{
    (void)state;
    cancel_wakes(send_forever, ERR_SIGTERM, false);
    cancel_wakes(receive_once, ERR_SIGTERM, false);
}

static void blocked_calls_end_when_the_channel_closes(void **state)
{
    (void)state;
    cancel_wakes(send_forever, ERR_INTERNAL, true);
    cancel_wakes(receive_once, ERR_OK, true);
}

static void a_full_channel_takes_no_more(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    struct blocked b = {.ch = chan_new(2, NULL, NULL)};
    struct err err;
    void *item;
    assert_ok(group_spawn(g, "blocked", send_forever, &b, &err), &err);
    while (atomic_load(&b.sent) < 2)
        sched_yield();
    wait_blocked(&b);
    assert_int_equal(atomic_load(&b.sent), 2);
    assert_ok(chan_recv(b.ch, &item, &err), &err);
    while (atomic_load(&b.sent) < 3)
        sched_yield();
    wait_blocked(&b);
    assert_int_equal(atomic_load(&b.sent), 3);
    chan_close(b.ch);
    assert_ok(group_join(g, &err), &err);
    group_free(g);
    chan_free(b.ch);
    cancel_free(c);
}

static int dropped;

static void drop_item(void *item)
{
    dropped += (int)ITEM_NO(item);
}

static void what_nobody_received_is_dropped(void **state)
{
    (void)state;
    struct chan *ch = chan_new(4, NULL, drop_item);
    struct err err;
    void *item;
    dropped = 0;
    for (int i = 1; i <= 4; i++)
        assert_ok(chan_send(ch, ITEM(0, i), &err), &err);
    assert_ok(chan_recv(ch, &item, &err), &err);
    assert_int_equal(ITEM_NO(item), 1);
    chan_free(ch);
    assert_int_equal(dropped, 2 + 3 + 4);
    chan_free(NULL);
}

static void a_closed_channel_drains_and_a_cancelled_one_does_not(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    struct chan *ch = chan_new(4, c, NULL);
    struct err err;
    void *item;
    assert_ok(chan_send(ch, ITEM(0, 1), &err), &err);
    assert_ok(chan_send(ch, ITEM(0, 2), &err), &err);
    assert_err(chan_send(ch, NULL, &err), ERR_INTERNAL, &err);
    chan_close(ch);
    chan_close(ch);
    assert_err(chan_send(ch, ITEM(0, 3), &err), ERR_INTERNAL, &err);
    assert_ok(chan_recv(ch, &item, &err), &err);
    assert_int_equal(ITEM_NO(item), 1);
    err_set(&err, ERR_DB, "gone");
    cancel_fire(c, &err);
    assert_err(chan_recv(ch, &item, &err), ERR_DB, &err);
    assert_null(item);
    chan_free(ch);
    cancel_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_receiver_sees_each_senders_order),
        cmocka_unit_test(many_receivers_get_each_item_once),
        cmocka_unit_test(blocked_calls_end_when_the_token_fires),
        cmocka_unit_test(blocked_calls_end_when_the_channel_closes),
        cmocka_unit_test(a_full_channel_takes_no_more),
        cmocka_unit_test(what_nobody_received_is_dropped),
        cmocka_unit_test(a_closed_channel_drains_and_a_cancelled_one_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
