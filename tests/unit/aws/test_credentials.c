/*
 * Keeping and renewing keys, by one thread and by many.  The container endpoint that gives them is a fake
 * (tests/lib/aws_stub.py), as no real one runs outside of ECS.
 */
#include "support/aws_world.h"

#include "aws/credentials.h"
#include "core/group.h"

#define MINUTE 60000

struct world {
    struct aws_world *w;
    struct aws_config *config;
    struct aws_credentials_chain *chain;
};

static int set_up(void **state)
{
    struct world *t = calloc(1, sizeof *t);
    t->w = world_open();
    world_set(t->w, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/container/x");
    assert_ok(aws_config_load(&t->w->settings, &t->config, &t->w->err), &t->w->err);
    t->chain = aws_credentials_chain_new(t->config);
    stub_say(&t->w->stub, "issue FIRST issued-secret issued-token 3600");
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct world *t = *state;
    aws_credentials_chain_free(t->chain);
    aws_config_free(t->config);
    world_close(t->w);
    free(t);
    return 0;
}

static void gives(struct world *t, const char *access, unsigned requests)
{
    struct aws_credentials c;
    assert_ok(aws_credentials_get(t->chain, NULL, &c, &t->w->err), &t->w->err);
    assert_string_equal(c.access_key, access);
    aws_credentials_clear(&c);
    assert_int_equal(stub_count(&t->w->stub, ""), requests);
}

static void fails(struct world *t, const char *words)
{
    struct aws_credentials c;
    assert_err(aws_credentials_get(t->chain, NULL, &c, &t->w->err), ERR_AWS, &t->w->err);
    assert_non_null(strstr(t->w->err.text, words));
    assert_null(c.access_key);
}

static void fail_next(struct world *t)
{
    for (int i = 0; i < 3; i++)
        stub_say(&t->w->stub, "plan status 500");
}

static void renewed_ten_minutes_before_the_end(void **state)
{
    struct world *t = *state;
    gives(t, "FIRST", 1);
    gives(t, "FIRST", 1);
    stub_say(&t->w->stub, "issue SECOND issued-secret issued-token 7200");
    t->w->ahead_ms += 49 * MINUTE;
    gives(t, "FIRST", 1);
    t->w->ahead_ms += 2 * MINUTE;
    gives(t, "SECOND", 2);
    gives(t, "SECOND", 2);
}

static void a_failed_renewal_keeps_what_is_valid(void **state)
{
    struct world *t = *state;
    gives(t, "FIRST", 1);
    t->w->ahead_ms += 51 * MINUTE;
    fail_next(t);
    gives(t, "FIRST", 4);
    assert_non_null(
        strstr(world_log(t->w), "could not be renewed, the old ones are still valid: the container's"));
    /* Not again at once, but a minute later. */
    gives(t, "FIRST", 4);
    t->w->ahead_ms += MINUTE;
    fail_next(t);
    gives(t, "FIRST", 7);
    /* Past the end nothing is valid any more. */
    t->w->ahead_ms += 10 * MINUTE;
    fail_next(t);
    fails(t, "status 500");
    stub_say(&t->w->stub, "issue SECOND issued-secret issued-token 7200");
    t->w->ahead_ms += MINUTE;
    gives(t, "SECOND", 11);
}

static void short_lived_keys_are_not_asked_for_all_the_time(void **state)
{
    struct world *t = *state;
    stub_say(&t->w->stub, "issue SHORT issued-secret issued-token 300");
    gives(t, "SHORT", 1);
    gives(t, "SHORT", 1);
    t->w->ahead_ms += MINUTE;
    gives(t, "SHORT", 2);
}

/* Our clock is an hour ahead, or the service hands out old keys: the server that is asked with them decides.
 */
static void keys_that_come_expired_are_tried(void **state)
{
    struct world *t = *state;
    t->w->ahead_ms += 120 * MINUTE;
    gives(t, "FIRST", 1);
    gives(t, "FIRST", 1);
}

static void invalidated_keys_are_fetched_anew(void **state)
{
    struct world *t = *state;
    struct aws_credentials used, later;
    assert_ok(aws_credentials_get(t->chain, NULL, &used, &t->w->err), &t->w->err);
    stub_say(&t->w->stub, "issue SECOND issued-secret issued-token 3600");
    aws_credentials_invalidate(t->chain, &used);
    gives(t, "SECOND", 2);
    /* Another thread comes late with the old ones. */
    aws_credentials_invalidate(t->chain, &used);
    gives(t, "SECOND", 2);
    /* What a server called expired is not used again, although it looks valid. */
    assert_ok(aws_credentials_get(t->chain, NULL, &later, &t->w->err), &t->w->err);
    aws_credentials_invalidate(t->chain, &later);
    fail_next(t);
    fails(t, "status 500");
    aws_credentials_clear(&used);
    aws_credentials_clear(&later);
}

static void keys_without_end_stay(void **state)
{
    struct world *t = *state;
    stub_say(&t->w->stub, "issue FOREVER issued-secret issued-token 0");
    gives(t, "FOREVER", 1);
    t->w->ahead_ms += INT64_C(1000000) * MINUTE;
    gives(t, "FOREVER", 1);
}

static void given_keys_are_given(void **state)
{
    struct world *t = *state;
    struct aws_credentials c;
    struct aws_credentials_chain *chain = aws_credentials_chain_static(t->config, "A", "file-secret", NULL);
    for (int i = 0; i < 2; i++) {
        assert_ok(aws_credentials_get(chain, NULL, &c, &t->w->err), &t->w->err);
        assert_string_equal(c.secret_key, "file-secret");
        assert_null(c.session_token);
        aws_credentials_invalidate(chain, &c);
        aws_credentials_clear(&c);
    }
    aws_credentials_chain_free(chain);
    assert_int_equal(stub_count(&t->w->stub, ""), 0);
}

/* ---- threads ---- */

static enum err_code get_often(void *arg, struct err *err)
{
    struct world *t = arg;
    enum err_code rc = ERR_OK;
    for (int i = 0; i < 200 && rc == ERR_OK; i++) {
        struct aws_credentials c;
        rc = aws_credentials_get(t->chain, NULL, &c, err);
        if (rc == ERR_OK && i == 100)
            aws_credentials_invalidate(t->chain, &c);
        aws_credentials_clear(&c);
    }
    return rc;
}

static void many_threads_share_one_fetch(void **state)
{
    struct world *t = *state;
    struct cancel *cancel = cancel_new();
    struct group *g = group_new(cancel);
    for (int i = 0; i < 8; i++)
        assert_ok(group_spawn(g, "get", get_often, t, &t->w->err), &t->w->err);
    assert_ok(group_join(g, &t->w->err), &t->w->err);
    /* The first time all wait for one; an invalidation counts for keys that are still in use. */
    unsigned fetched = stub_count(&t->w->stub, "");
    assert_true(fetched >= 2 && fetched <= 9);
    group_free(g);
    cancel_free(cancel);
}

struct waiter {
    struct world *t;
    struct cancel *cancel;
    int tid;
};

static enum err_code get_once(void *arg, struct err *err)
{
    struct waiter *x = arg;
    struct aws_credentials c;
    __atomic_store_n(&x->tid, thread_id(), __ATOMIC_RELEASE);
    enum err_code rc = aws_credentials_get(x->t->chain, x->cancel, &c, err);
    aws_credentials_clear(&c);
    return rc;
}

/* The one that fetches stands in a stalled request, the other one waits for it: both end with the token. */
static void cancelling_ends_who_fetches_and_who_waits(void **state)
{
    struct world *t = *state;
    struct cancel *cancel = cancel_new();
    struct waiter first = {.t = t, .cancel = cancel}, second = first;
    struct group *g = group_new(cancel);
    struct err why;
    stub_say(&t->w->stub, "plan stall");
    assert_ok(group_spawn(g, "fetch", get_once, &first, &t->w->err), &t->w->err);
    while (stub_count(&t->w->stub, "") == 0)
        sched_yield();
    assert_ok(group_spawn(g, "wait", get_once, &second, &t->w->err), &t->w->err);
    while (__atomic_load_n(&second.tid, __ATOMIC_ACQUIRE) == 0)
        sched_yield();
    thread_wait_blocked(second.tid);
    err_set(&why, ERR_SIGINT, "cancelled by the test");
    cancel_fire(cancel, &why);
    assert_err(group_join(g, &t->w->err), ERR_SIGINT, &t->w->err);
    group_free(g);
    cancel_free(cancel);
    assert_int_equal(stub_count(&t->w->stub, ""), 1);
    /* The chain is none the worse. */
    gives(t, "FIRST", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(renewed_ten_minutes_before_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_renewal_keeps_what_is_valid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(short_lived_keys_are_not_asked_for_all_the_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_that_come_expired_are_tried, set_up, tear_down),
        cmocka_unit_test_setup_teardown(invalidated_keys_are_fetched_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_without_end_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(given_keys_are_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_threads_share_one_fetch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelling_ends_who_fetches_and_who_waits, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
