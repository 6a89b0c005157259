#include "support/test.h"

#include "core/buf.h"

#include <signal.h>
#include <string.h>

static void grows_and_keeps_content(void **state)
{
    (void)state;
    struct buf b;
    struct err err;
    buf_init(&b, 100000);
    for (int i = 0; i < 10000; i++)
        assert_ok(buf_addc(&b, (char)i, &err), &err);
    assert_int_equal(b.len, 10000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(b.data[i], (char)i);
    size_t cap = b.cap;
    buf_clear(&b);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.cap, cap);
    buf_free(&b);
    assert_null(b.data);
}

static void the_maximum_can_be_reached_but_not_passed(void **state)
{
    (void)state;
    struct buf b;
    struct err err;
    buf_init(&b, 10);
    assert_ok(buf_add(&b, "0123456789", 10, &err), &err);
    assert_err(buf_addc(&b, 'x', &err), ERR_NOMEM, &err);
    assert_err(buf_reserve(&b, SIZE_MAX, &err), ERR_NOMEM, &err);
    assert_err(buf_addf(&b, &err, "%d", 1), ERR_NOMEM, &err);
    assert_int_equal(b.len, 10);
    assert_string_equal(buf_cstr(&b), "0123456789");
    buf_free(&b);
}

static void reserve_gives_room_behind_len(void **state)
{
    (void)state;
    struct buf b;
    struct err err;
    buf_init(&b, 5000);
    buf_put(&b, "ab");
    assert_ok(buf_reserve(&b, 4998, &err), &err);
    memset(b.data + b.len, 'z', 4998); /* the sanitizer watches */
    b.len += 4998;
    assert_int_equal(strlen(buf_cstr(&b)), 5000);
    buf_free(&b);
}

static void formats_and_ends_strings(void **state)
{
    (void)state;
    struct buf b;
    struct err err;
    buf_init(&b, 1000);
    assert_string_equal(buf_cstr(&b), "");
    buf_put(&b, "a");
    buf_putn(&b, "\0b", 2);
    buf_putf(&b, "%03d", 7);
    assert_ok(buf_addf(&b, &err, "%s", "end"), &err);
    assert_int_equal(b.len, 9);
    assert_memory_equal(buf_cstr(&b), "a\0b007end", 10);
    buf_free(&b);

    buf_init(&b, 0);
    assert_string_equal(buf_cstr(&b), "");
    assert_ok(buf_add(&b, NULL, 0, &err), &err);
    buf_free(&b);
}

static int put_too_much(void *arg)
{
    struct buf b;
    (void)arg;
    close(STDERR_FILENO);
    buf_init(&b, 3);
    buf_put(&b, "four");
    return 0;
}

static void put_past_the_maximum_is_a_bug(void **state)
{
    (void)state;
    int status = child_run(put_too_much, NULL);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void a_secret_buffer_keeps_its_content_while_it_grows(void **state)
{
    (void)state;
    struct buf b;
    struct err err;
    buf_init(&b, 10000);
    b.secret = true;
    for (int i = 0; i < 1000; i++)
        assert_ok(buf_addf(&b, &err, "%03d", i), &err);
    assert_int_equal(b.len, 3000);
    for (int i = 0; i < 1000; i++) {
        char want[16];
        snprintf(want, sizeof want, "%03d", i);
        assert_memory_equal(b.data + i * 3, want, 3);
    }
    buf_free(&b);
    assert_null(b.data);
    assert_true(b.secret);
    assert_int_equal(b.max, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_keeps_content),
        cmocka_unit_test(the_maximum_can_be_reached_but_not_passed),
        cmocka_unit_test(reserve_gives_room_behind_len),
        cmocka_unit_test(formats_and_ends_strings),
        cmocka_unit_test(a_secret_buffer_keeps_its_content_while_it_grows),
        cmocka_unit_test(put_past_the_maximum_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
