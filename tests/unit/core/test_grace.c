#include "support/test.h"

#include "core/clock.h"
#include "core/grace.h"

static void fire(struct cancel *c)
{
    struct err why;
    err_set(&why, ERR_SIGTERM, "cancelled");
    cancel_fire(c, &why);
}

static void it_lasts_while_the_command_runs(void **state)
{
    (void)state;
    struct cancel *command = cancel_new();
    struct grace *g = grace_new(command, 1);
    assert_false(cancel_fired(grace_cancel(g)));
    grace_free(g);
    g = grace_new(NULL, 1);
    assert_false(cancel_fired(grace_cancel(g)));
    grace_free(g);
    cancel_free(command);
    grace_free(NULL);
}

/* Whichever comes first, the grace or the end of the command. */
static void it_ends_a_while_after_the_command(void **state)
{
    (void)state;
    for (int before = 0; before < 2; before++) {
        struct cancel *command = cancel_new();
        struct err err;
        if (before)
            fire(command);
        struct grace *g = grace_new(command, 50);
        int64_t begin = clock_monotonic_ms(clock_system());
        if (!before)
            fire(command);
        assert_err(clock_backoff(60000, grace_cancel(g), &err), ERR_TIMEOUT, &err);
        assert_true(clock_monotonic_ms(clock_system()) - begin >= 50);
        grace_free(g);
        cancel_free(command);
    }
}

static void it_is_over_at_once_when_it_is_not_needed(void **state)
{
    (void)state;
    struct cancel *command = cancel_new();
    fire(command);
    int64_t begin = clock_monotonic_ms(clock_system());
    grace_free(grace_new(command, 3600000));
    assert_true(clock_monotonic_ms(clock_system()) - begin < 60000);
    cancel_free(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_lasts_while_the_command_runs),
        cmocka_unit_test(it_ends_a_while_after_the_command),
        cmocka_unit_test(it_is_over_at_once_when_it_is_not_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
