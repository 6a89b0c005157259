#include "support/test.h"

#include "core/clock.h"
#include "core/group.h"
#include "core/lock.h"

struct shared {
    struct lock *lock;
    struct {
        int turn; /* 0 and 1 alternate */
        int count;
    } locked;
};

struct player {
    struct shared *shared;
    int number;
};

static enum err_code play(void *arg, struct err *err)
{
    struct player *p = arg;
    struct shared *s = p->shared;
    (void)err;
    lock_take(s->lock);
    for (int i = 0; i < 1000; i++) {
        while (s->locked.turn != p->number)
            lock_wait(s->lock, 0);
        s->locked.turn = 1 - p->number;
        s->locked.count++;
        lock_wake_all(s->lock);
    }
    lock_drop(s->lock);
    return ERR_OK;
}

static void two_threads_take_turns(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    struct group *g = group_new(c);
    struct shared s = {.lock = lock_new()};
    struct player players[2] = {{&s, 0}, {&s, 1}};
    struct err err;
    assert_ok(group_spawn(g, "one", play, &players[0], &err), &err);
    assert_ok(group_spawn(g, "two", play, &players[1], &err), &err);
    assert_ok(group_join(g, &err), &err);
    assert_int_equal(s.locked.count, 2000);
    lock_free(s.lock);
    lock_free(NULL);
    group_free(g);
    cancel_free(c);
}

static void a_wait_ends_at_its_timeout(void **state)
{
    (void)state;
    struct lock *l = lock_new();
    int64_t start = clock_monotonic_ms(clock_system());
    lock_take(l);
    while (clock_monotonic_ms(clock_system()) - start < 5) /* a wait may end early */
        lock_wait(l, 5);
    lock_drop(l);
    lock_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_threads_take_turns),
        cmocka_unit_test(a_wait_ends_at_its_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
