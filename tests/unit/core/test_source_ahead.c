#include "support/memory.h"
#include "support/test.h"

#include "core/source_ahead.h"

#define BYTES 100003
#define PIECE 4096

static char *make_data(void)
{
    char *data = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (char)(i * 31 % 251);
    return data;
}

static void bytes_come_in_order_whatever_the_lanes(void **state)
{
    (void)state;
    char *data = make_data(), *got = malloc(BYTES);
    static const unsigned lanes[] = {0, 1, 2, 7};
    for (size_t i = 0; i < sizeof lanes / sizeof lanes[0]; i++) {
        struct memory_source inner;
        struct err err;
        size_t at = 0;
        memory_source_init(&inner, data, BYTES, true);
        inner.base.lanes = lanes[i];
        struct source *s = source_ahead_new(&inner.base, PIECE, NULL);
        assert_int_equal(s->size, BYTES);
        for (size_t step = 1; at < BYTES; step = step * 5 % 9973) {
            size_t want = step < BYTES - at ? step : BYTES - at;
            assert_ok(source_read_full(s, at, got + at, want, &err), &err);
            at += want;
        }
        assert_memory_equal(got, data, BYTES);
        assert_ok(source_read(s, at, got, 10, &at, &err), &err);
        assert_int_equal(at, 0);
        assert_err(source_read(s, 5, got, 10, &at, &err), ERR_INTERNAL, &err);
        source_free(s);
    }
    free(got);
    free(data);
}

static void an_error_of_the_source_comes_out(void **state)
{
    (void)state;
    char *data = make_data(), *got = malloc(BYTES);
    struct memory_source inner;
    struct err err;
    memory_source_init(&inner, data, BYTES, true);
    inner.base.lanes = 3;
    inner.fails_from = 50000;
    struct cancel *command = cancel_new();
    struct source *s = source_ahead_new(&inner.base, PIECE, command);
    assert_err(source_read_full(s, 0, got, BYTES, &err), ERR_STORAGE, &err);
    source_free(s);
    assert_false(cancel_fired(command)); /* it is for the reader to end the command */
    cancel_free(command);
    free(got);
    free(data);
}

static void it_ends_unread_and_when_the_command_is_cancelled(void **state)
{
    (void)state;
    char *data = make_data(), got[100];
    struct memory_source inner;
    struct err err;
    memory_source_init(&inner, data, BYTES, true);
    inner.base.lanes = 4;
    source_free(source_ahead_new(&inner.base, PIECE, NULL)); /* never read */
    struct cancel *command = cancel_new();
    struct source *s = source_ahead_new(&inner.base, PIECE, command);
    assert_ok(source_read_full(s, 0, got, sizeof got, &err), &err); /* and never again */
    err_set(&err, ERR_SIGINT, "cancelled");
    cancel_fire(command, &err);
    size_t at = sizeof got;
    enum err_code rc = ERR_OK;
    while (rc == ERR_OK && at < BYTES) { /* what was read ahead may still come */
        rc = source_read_full(s, at, got, sizeof got < BYTES - at ? sizeof got : BYTES - at, &err);
        at += sizeof got;
    }
    assert_int_equal(rc, ERR_SIGINT);
    source_free(s);
    cancel_free(command);
    free(data);
}

static void an_empty_source_has_an_end(void **state)
{
    (void)state;
    struct memory_source inner;
    struct err err;
    char byte;
    size_t got = 9;
    memory_source_init(&inner, "", 0, true);
    struct source *s = source_ahead_new(&inner.base, PIECE, NULL);
    assert_ok(source_read(s, 0, &byte, 1, &got, &err), &err);
    assert_int_equal(got, 0);
    source_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_in_order_whatever_the_lanes),
        cmocka_unit_test(an_error_of_the_source_comes_out),
        cmocka_unit_test(it_ends_unread_and_when_the_command_is_cancelled),
        cmocka_unit_test(an_empty_source_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
