#include "support/fake_snapshots.h"
#include "support/test.h"

static const struct run run = {.cancel = NULL};

static void expect(const char *states, enum err_code want, const char *looks)
{
    struct err err = {.code = ERR_OK};
    struct fake_snapshots f;
    struct snapshot_state state;
    fake_snapshots_init(&f, states);
    enum err_code code = snapshots_wait(&run, &f.base, "x", false, &state, &err);
    assert_string_equal(err_name(code), err_name(want));
    assert_string_equal(buf_cstr(&f.log), looks);
    buf_free(&f.log);
}

static void available_twice_in_a_row(void **state)
{
    (void)state;
    expect("aa", ERR_OK, "aa");
    expect("ppaa", ERR_OK, "ppaa");
    expect("apaoaa", ERR_OK, "apaoaa"); /* states flap */
    expect("ppf", ERR_AWS, "ppf");
    expect("af", ERR_AWS, "af");
}

static void errors_and_cancellation(void **state)
{
    (void)state;
    struct err err, why;
    struct fake_snapshots f;
    struct snapshot_state s;
    fake_snapshots_init(&f, "p");
    f.fails = ERR_NOT_FOUND;
    assert_err(snapshots_wait(&run, &f.base, "x", false, &s, &err), ERR_NOT_FOUND, &err);
    f.fails = ERR_OK;
    struct run own = {.cancel = cancel_new()};
    err_set(&why, ERR_SIGINT, "enough");
    cancel_fire(own.cancel, &why);
    assert_err(snapshots_wait(&own, &f.base, "x", false, &s, &err), ERR_SIGINT, &err);
    cancel_free(own.cancel);
    buf_free(&f.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(available_twice_in_a_row),
        cmocka_unit_test(errors_and_cancellation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
