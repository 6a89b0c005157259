#include "support/test.h"

#include <errno.h>
#include <string.h>

static void exit_statuses_are_the_documented_ones(void **state)
{
    (void)state;
    static const int want[ERR_COUNT] = {
        [ERR_OK] = 0,         [ERR_INTERNAL] = 1, [ERR_NOMEM] = 1,    [ERR_USAGE] = 2,
        [ERR_CONFIG] = 3,     [ERR_DB] = 4,       [ERR_DB_LOST] = 4,  [ERR_DB_DENIED] = 4,
        [ERR_DB_RETRY] = 4,   [ERR_STORAGE] = 5,  [ERR_NOSPACE] = 5,  [ERR_AWS] = 6,
        [ERR_DIFFERS] = 7,    [ERR_DAMAGED] = 8,  [ERR_SNAPSHOT] = 9, [ERR_REFUSED] = 10,
        [ERR_NOT_FOUND] = 11, [ERR_LOCKED] = 12,  [ERR_TIMEOUT] = 13, [ERR_SIGINT] = 130,
        [ERR_SIGTERM] = 143,
    };
    for (int code = 0; code < ERR_COUNT; code++) {
        assert_int_equal(err_exit_status((enum err_code)code), want[code]);
        assert_int_equal(strncmp(err_name((enum err_code)code), "ERR_", 4), 0);
        assert_true(strlen(err_summary((enum err_code)code)) > 0);
    }
    assert_string_equal(err_name(ERR_NOT_FOUND), "ERR_NOT_FOUND");
    assert_true(err_is_retryable(ERR_DB_RETRY));
    assert_false(err_is_retryable(ERR_DB));
    assert_int_equal(err_exit_status((enum err_code)99), 1);
}

static void errno_becomes_text_and_no_space_a_code(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(err_set_errno(&err, ERR_STORAGE, EACCES, "cannot open %s", "a"), ERR_STORAGE);
    assert_string_equal(err.text, "cannot open a: Permission denied");
    assert_int_equal(err_set_errno(&err, ERR_STORAGE, ENOSPC, "x"), ERR_NOSPACE);
    assert_int_equal(err.code, ERR_NOSPACE);
    assert_int_equal(err_set_errno(&err, ERR_STORAGE, EDQUOT, "x"), ERR_NOSPACE);
    assert_int_equal(err_set_errno(&err, ERR_CONFIG, ENOSPC, "x"), ERR_CONFIG);
    assert_int_equal(err_set_errno(NULL, ERR_STORAGE, ENOSPC, "x"), ERR_NOSPACE);
}

static void wrap_and_hint_keep_the_code(void **state)
{
    (void)state;
    struct err err;
    err_set(&err, ERR_DB, "no");
    assert_int_equal(err_wrap(&err, "table %s", "t"), ERR_DB);
    assert_string_equal(err.text, "table t: no");
    assert_int_equal(err_hint(&err, "try %d", 2), ERR_DB);
    assert_string_equal(err.text, "table t: no; try 2");
    err_hint(&err, " (again)");
    assert_string_equal(err.text, "table t: no; try 2 (again)");
}

static void the_text_may_be_among_its_own_arguments(void **state)
{
    (void)state;
    struct err err;
    err_set(&err, ERR_DB, "inner");
    err_wrap(&err, "<%s>", err.text);
    assert_string_equal(err.text, "<inner>: inner");
    err_set(&err, ERR_DB, "[%s]", err.text);
    assert_string_equal(err.text, "[<inner>: inner]");
    err_set_errno(&err, ERR_DB, EIO, "{%s}", err.text);
    assert_string_equal(err.text, "{[<inner>: inner]}: Input/output error");
}

/* With 0 to 3 letters in front, characters of 2, 3 and 4 bytes meet the end at every offset. */
static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    static const char *const characters[] = {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x90\x98"};
    struct err err;
    for (size_t c = 0; c < 3; c++) {
        size_t width = strlen(characters[c]);
        for (size_t lead = 0; lead < 4; lead++) {
            char text[ERR_TEXT_BYTES + 100];
            size_t len = lead;
            memset(text, 'x', lead);
            for (; len < ERR_TEXT_BYTES + 50; len += width)
                memcpy(text + len, characters[c], width);
            text[len] = '\0';
            size_t want = lead + (ERR_TEXT_BYTES - 1 - lead) / width * width;
            err_set(&err, ERR_DB, "%s", text);
            assert_int_equal(strlen(err.text), want);
            assert_memory_equal(err.text, text, want);
            err_wrap(&err, "y");
            assert_int_equal((strlen(err.text) - 3 - lead) % width, 0);
        }
    }
}

static void copies(void **state)
{
    (void)state;
    struct err a, b;
    err_set(&a, ERR_AWS, "denied");
    assert_int_equal(err_copy(&b, &a), ERR_AWS);
    assert_string_equal(b.text, "denied");
    assert_int_equal(err_copy(NULL, &a), ERR_AWS);
    assert_int_equal(err_copy(&b, NULL), ERR_INTERNAL);
    assert_int_equal(b.code, ERR_INTERNAL);
}

static void recoding_keeps_the_text(void **state)
{
    (void)state;
    struct err err;
    err_set(&err, ERR_AWS, "denied");
    assert_int_equal(err_recode(&err, ERR_CONFIG), ERR_CONFIG);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_string_equal(err.text, "denied");
    assert_int_equal(err_recode(NULL, ERR_CONFIG), ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_statuses_are_the_documented_ones),
        cmocka_unit_test(errno_becomes_text_and_no_space_a_code),
        cmocka_unit_test(wrap_and_hint_keep_the_code),
        cmocka_unit_test(the_text_may_be_among_its_own_arguments),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(copies),
        cmocka_unit_test(recoding_keeps_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
