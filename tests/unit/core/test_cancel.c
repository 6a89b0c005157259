#include "support/test.h"

#include "core/cancel.h"
#include "core/group.h"

static void count_wake(void *arg)
{
    ++*(int *)arg;
}

static void only_the_first_error_counts(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    struct err why, err;
    int woken = 0;
    struct cancel_hook hook = {.wake = count_wake, .arg = &woken};
    cancel_add_hook(c, &hook);
    assert_false(cancel_fired(c));
    assert_ok(cancel_check(c, &err), &err);
    err_set(&why, ERR_SIGINT, "first");
    cancel_fire(c, &why);
    err_set(&why, ERR_DB, "second");
    cancel_fire(c, &why);
    assert_true(cancel_fired(c));
    assert_err(cancel_check(c, &err), ERR_SIGINT, &err);
    assert_string_equal(err.text, "first");
    assert_int_equal(woken, 1);
    cancel_remove_hook(c, &hook);
    cancel_free(c);
}

static void removed_hooks_do_not_run_and_late_ones_do_at_once(void **state)
{
    (void)state;
    struct cancel *c = cancel_new();
    int woken[4] = {0};
    struct cancel_hook hooks[4];
    struct err why;
    for (int i = 0; i < 4; i++)
        hooks[i] = (struct cancel_hook){.wake = count_wake, .arg = &woken[i]};
    for (int i = 0; i < 3; i++)
        cancel_add_hook(c, &hooks[i]);
    cancel_remove_hook(c, &hooks[1]);
    err_set(&why, ERR_DB, "x");
    cancel_fire(c, &why);
    cancel_add_hook(c, &hooks[3]);
    assert_int_equal(woken[0], 1);
    assert_int_equal(woken[1], 0);
    assert_int_equal(woken[2], 1);
    assert_int_equal(woken[3], 1);
    cancel_remove_hook(c, &hooks[0]);
    cancel_remove_hook(c, &hooks[2]);
    cancel_remove_hook(c, &hooks[3]);
    cancel_free(c);
}

static void no_token_is_never_fired(void **state)
{
    (void)state;
    struct cancel_hook hook = {.wake = count_wake};
    struct err err;
    assert_false(cancel_fired(NULL));
    assert_ok(cancel_check(NULL, &err), &err);
    cancel_add_hook(NULL, &hook);
    cancel_remove_hook(NULL, &hook);
    cancel_free(NULL);
}

/* Plain memory: the thread sanitizer reports a hook that runs after its removal. */
struct victim {
    int alive;
    int late_wakes;
};

static void linger(void *arg)
{
    struct victim *v = arg;
    for (int i = 0; i < 20; i++)
        sched_yield();
    if (!v->alive)
        v->late_wakes++;
}

static enum err_code fire(void *arg, struct err *err)
{
    cancel_fire(arg, err_set(err, ERR_DB, "boom") == ERR_DB ? err : NULL);
    return ERR_OK;
}

static void a_removed_hook_is_not_running(void **state)
{
    (void)state;
    struct cancel *own = cancel_new();
    for (int round = 0; round < 200; round++) {
        struct cancel *c = cancel_new();
        struct group *g = group_new(own);
        struct victim v = {.alive = 1};
        struct cancel_hook hook = {.wake = linger, .arg = &v};
        struct err err;
        cancel_add_hook(c, &hook);
        assert_ok(group_spawn(g, "fire", fire, c, &err), &err);
        for (int i = 0; i < round % 40; i++)
            sched_yield();
        cancel_remove_hook(c, &hook);
        v.alive = 0;
        assert_ok(group_join(g, &err), &err);
        assert_int_equal(v.late_wakes, 0);
        group_free(g);
        cancel_free(c);
    }
    cancel_free(own);
}

static void a_token_under_another_follows_it(void **state)
{
    (void)state;
    struct cancel *parent = cancel_new(), *first = cancel_new_under(parent),
                  *second = cancel_new_under(parent);
    struct err why, err;
    int woken = 0;
    struct cancel_hook hook = {.wake = count_wake, .arg = &woken};
    cancel_add_hook(second, &hook);
    err_set(&why, ERR_STORAGE, "own");
    cancel_fire(first, &why);
    assert_err(cancel_check(first, &err), ERR_STORAGE, &err);
    assert_false(cancel_fired(parent));
    assert_false(cancel_fired(second));
    err_set(&why, ERR_SIGTERM, "the command's");
    cancel_fire(parent, &why);
    assert_err(cancel_check(second, &err), ERR_SIGTERM, &err);
    assert_err(cancel_check(first, &err), ERR_STORAGE, &err);
    assert_int_equal(woken, 1);
    cancel_remove_hook(second, &hook);
    cancel_free(second);
    cancel_free(first);
    struct cancel *late = cancel_new_under(parent);
    assert_true(cancel_fired(late));
    cancel_free(late);
    cancel_free(parent);
    cancel_free(cancel_new_under(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_first_error_counts),
        cmocka_unit_test(removed_hooks_do_not_run_and_late_ones_do_at_once),
        cmocka_unit_test(no_token_is_never_fired),
        cmocka_unit_test(a_token_under_another_follows_it),
        cmocka_unit_test(a_removed_hook_is_not_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
