#include "support/test.h"

#include "core/json_out.h"

#include <string.h>

/* What json_out_stringn writes for a string, as an array of one. */
static void check_string(const char *value, size_t bytes, const char *want)
{
    struct buf b;
    struct json_out j;
    struct err err;
    buf_init(&b, 10000);
    json_out_begin(&j, &b, 0);
    json_out_stringn(&j, NULL, value, bytes);
    assert_ok(json_out_end(&j, &err), &err);
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void one_line(void **state)
{
    (void)state;
    struct buf b;
    struct json_out j;
    struct err err;
    buf_init(&b, 10000);
    json_out_begin(&j, &b, 0);
    json_out_object_open(&j, NULL);
    json_out_string(&j, "a\"b", "x");
    json_out_string(&j, "n", NULL);
    json_out_uint(&j, "u", UINT64_MAX);
    json_out_int(&j, "i", INT64_MIN);
    json_out_array_open(&j, "list");
    json_out_bool(&j, NULL, true);
    json_out_object_open(&j, NULL);
    json_out_object_close(&j);
    json_out_array_open(&j, NULL);
    json_out_array_close(&j);
    json_out_null(&j, NULL);
    json_out_array_close(&j);
    json_out_bool(&j, "last", false);
    json_out_object_close(&j);
    assert_ok(json_out_end(&j, &err), &err);
    assert_string_equal(buf_cstr(&b),
                        "{\"a\\\"b\":\"x\",\"n\":null,\"u\":18446744073709551615,"
                        "\"i\":-9223372036854775808,\"list\":[true,{},[],null],\"last\":false}");
    buf_free(&b);
}

static void indented(void **state)
{
    (void)state;
    struct buf b;
    struct json_out j;
    struct err err;
    buf_init(&b, 10000);
    json_out_begin(&j, &b, 2);
    json_out_object_open(&j, NULL);
    json_out_array_open(&j, "a");
    json_out_int(&j, NULL, 1);
    json_out_int(&j, NULL, 2);
    json_out_array_close(&j);
    json_out_object_open(&j, "o");
    json_out_object_close(&j);
    json_out_object_close(&j);
    assert_ok(json_out_end(&j, &err), &err);
    assert_string_equal(buf_cstr(&b), "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"o\": {}\n}");
    buf_free(&b);
}

static void thousandths(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *want;
    } cases[] = {{0, "0.000"},   {1234, "1.234"},   {5, "0.005"},
                 {-5, "-0.005"}, {-1234, "-1.234"}, {INT64_MIN, "-9223372036854775.808"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        struct json_out j;
        buf_init(&b, 100);
        json_out_begin(&j, &b, 0);
        json_out_fixed3(&j, NULL, cases[i].value);
        assert_string_equal(buf_cstr(&b), cases[i].want);
        buf_free(&b);
    }
}

static void escapes(void **state)
{
    (void)state;
    check_string("", 0, "\"\"");
    check_string(NULL, 0, "\"\"");
    check_string("a\"\\/\b\f\n\r\tz", 10, "\"a\\\"\\\\/\\b\\f\\n\\r\\tz\"");
    check_string("\x01\x1f\x7f", 3, "\"\\u0001\\u001f\x7f\"");
    check_string("a\0b", 3, "\"a\\u0000b\"");
}

#define BAD "\xEF\xBF\xBD"

static void valid_characters_stay_and_others_are_replaced(void **state)
{
    (void)state;
    static const char *const valid[] = {"\xC2\x80",         "\xDF\xBF",        "\xE0\xA0\x80",
                                        "\xED\x9F\xBF",     "\xEE\x80\x80",    "\xEF\xBF\xBF",
                                        "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"};
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        char want[32];
        snprintf(want, sizeof want, "\"%s\"", valid[i]);
        check_string(valid[i], strlen(valid[i]), want);
    }
    check_string("a\xFFz", 3, "\"a" BAD "z\"");
    check_string("\x80", 1, "\"" BAD "\"");
    check_string("\xC1\x81", 2, "\"" BAD BAD "\"");         /* overlong */
    check_string("\xE0\x9F\xBF", 3, "\"" BAD BAD BAD "\""); /* overlong */
    check_string("\xED\xA0\x80", 3, "\"" BAD BAD BAD "\""); /* surrogate */
    check_string("\xF0\x8F\xBF\xBF", 4, "\"" BAD BAD BAD BAD "\"");
    check_string("\xF4\x90\x80\x80", 4, "\"" BAD BAD BAD BAD "\"");
    check_string("\xE2\x82", 2, "\"" BAD BAD "\""); /* the end is missing */
    check_string("\xC3\xA4", 1, "\"" BAD "\"");     /* the length counts, not what follows */
    check_string("\xE2(\xA1", 3, "\"" BAD "(" BAD "\"");
}

static void a_full_buffer_is_remembered(void **state)
{
    (void)state;
    struct buf b;
    struct json_out j;
    struct err err;
    buf_init(&b, 8);
    json_out_begin(&j, &b, 0);
    json_out_array_open(&j, NULL);
    json_out_string(&j, NULL, "longer than eight");
    json_out_int(&j, NULL, 1);
    json_out_array_close(&j);
    assert_err(json_out_end(&j, &err), ERR_NOMEM, &err);
    assert_true(b.len <= 8);
    buf_free(&b);
}

static void wrong_nesting_is_an_error(void **state)
{
    (void)state;
    struct buf b;
    struct json_out j;
    struct err err;
    buf_init(&b, 1000);
    json_out_begin(&j, &b, 0);
    json_out_object_open(&j, NULL);
    assert_err(json_out_end(&j, &err), ERR_INTERNAL, &err);
    json_out_begin(&j, &b, 0);
    json_out_array_close(&j);
    assert_err(json_out_end(&j, &err), ERR_INTERNAL, &err);
    json_out_begin(&j, &b, 0);
    for (int i = 0; i < JSON_MAX_DEPTH + 3; i++)
        json_out_array_open(&j, NULL);
    assert_err(json_out_end(&j, &err), ERR_INTERNAL, &err);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line),
        cmocka_unit_test(indented),
        cmocka_unit_test(thousandths),
        cmocka_unit_test(escapes),
        cmocka_unit_test(valid_characters_stay_and_others_are_replaced),
        cmocka_unit_test(a_full_buffer_is_remembered),
        cmocka_unit_test(wrong_nesting_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
