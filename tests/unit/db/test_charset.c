/* charset_convert needs a server: tests/e2e/test_objects.py. */
#include "support/test.h"

#include "db/charset.h"

#include <string.h>

static size_t step(const char *charset, const char *text)
{
    return charset_step(charset, text, text + strlen(text));
}

static void characters_whose_bytes_look_like_ascii_are_taken_whole(void **state)
{
    (void)state;
    assert_int_equal(step("gbk", "a"), 1);
    assert_int_equal(step("gbk", "\x81`"), 2);
    assert_int_equal(step("GBK", "\xFE\\"), 2);
    assert_int_equal(step("gbk", "\x80`"), 1);
    assert_int_equal(step("gbk", "\x81"), 1); /* cut off */
    assert_int_equal(step("big5", "\xA4\\"), 2);
    assert_int_equal(step("big5", "\xA0\\"), 1);
    assert_int_equal(step("sjis", "\x83\\"), 2);
    assert_int_equal(step("cp932", "\xFC`"), 2);
    assert_int_equal(step("sjis", "\xB1`"), 1); /* half-width kana */
    assert_int_equal(step("gb18030", "\x81\x30\x81\x30"), 4);
    assert_int_equal(step("gb18030", "\x81`ab"), 2);
    /* elsewhere no later byte does */
    assert_int_equal(step("utf8mb4", "\xC3\xA9"), 1);
    assert_int_equal(step("latin1", "\x81`"), 1);
}

static void utf8_goes_by_three_names(void **state)
{
    (void)state;
    assert_true(charset_is_utf8("utf8mb4") && charset_is_utf8("utf8mb3") && charset_is_utf8("UTF8"));
    assert_false(charset_is_utf8("utf16") || charset_is_utf8("latin1") || charset_is_utf8("binary"));
    assert_true(charset_is_ascii("", 0) && charset_is_ascii("a\0~", 3));
    assert_false(charset_is_ascii("\x80", 1));
}

static void ascii_and_utf8_need_no_server(void **state)
{
    (void)state;
    struct err err;
    struct buf out;
    buf_init(&out, 100);
    assert_ok(charset_convert(NULL, "plain", 5, "gbk", &out, &err), &err);
    assert_ok(charset_convert(NULL, "\xC3\xA9", 2, "utf8mb3", &out, &err), &err);
    assert_string_equal(buf_cstr(&out), "plain\xC3\xA9");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_whose_bytes_look_like_ascii_are_taken_whole),
        cmocka_unit_test(utf8_goes_by_three_names),
        cmocka_unit_test(ascii_and_utf8_need_no_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
