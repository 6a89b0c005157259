#include "support/test.h"

#include "db/quote.h"

#include <string.h>

static struct buf out;

static int begin(void **state)
{
    (void)state;
    buf_init(&out, 1000000);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

static const char *name_of(const char *name)
{
    buf_clear(&out);
    db_quote_name(&out, name);
    return buf_cstr(&out);
}

static const char *text_of(const char *text)
{
    buf_clear(&out);
    db_quote_text(&out, text);
    return buf_cstr(&out);
}

static void names_get_their_backticks_doubled(void **state)
{
    (void)state;
    assert_string_equal(name_of("t"), "`t`");
    assert_string_equal(name_of(""), "``");
    assert_string_equal(name_of("`"), "````");
    assert_string_equal(name_of("a`b``c"), "`a``b````c`");
    assert_string_equal(name_of("x'y\"z\\ \n; -- /*"), "`x'y\"z\\ \n; -- /*`");
    assert_string_equal(name_of("\xC3\xA9\xF0\x9F\x98\x80%s%n"), "`\xC3\xA9\xF0\x9F\x98\x80%s%n`");
}

static void pairs_are_quoted_one_by_one(void **state)
{
    (void)state;
    buf_clear(&out);
    db_quote_pair(&out, "a.b", "c`.`d");
    assert_string_equal(buf_cstr(&out), "`a.b`.`c``.``d`");
}

static void texts_get_quote_and_backslash_escaped(void **state)
{
    (void)state;
    assert_string_equal(text_of(""), "''");
    assert_string_equal(text_of("it's"), "'it\\'s'");
    assert_string_equal(text_of("\\"), "'\\\\'");
    assert_string_equal(text_of("\\' OR 1=1 -- "), "'\\\\\\' OR 1=1 -- '");
    assert_string_equal(text_of("\"`%s\n\xC3\xA9"), "'\"`%s\n\xC3\xA9'");
}

/* Reads what was quoted as the server would; NULL unless it ends exactly at the closing quote. */
static char *unquoted(const char *quoted, char quote)
{
    char *text = calloc(1, strlen(quoted) + 1), *w = text;
    const char *p = quoted;
    bool closed = false;
    for (p += *p == quote; *p && !closed; p++) {
        if (quote == '\'' && *p == '\\')
            *w++ = *++p;
        else if (*p != quote)
            *w++ = *p;
        else if (p[1] == quote)
            *w++ = *++p;
        else
            closed = true;
    }
    if (closed && !*p)
        return text;
    free(text);
    return NULL;
}

static void random_bytes_come_back(void **state)
{
    (void)state;
    static const char bytes[] = "`'\"\\ab.\n%\xC3\xA9;-";
    unsigned seed = 4711;
    for (int round = 0; round < 20000; round++) {
        char raw[24];
        size_t n = (size_t)rand_r(&seed) % (sizeof raw - 1);
        for (size_t i = 0; i < n; i++)
            raw[i] = bytes[(size_t)rand_r(&seed) % (sizeof bytes - 1)];
        raw[n] = '\0';
        char *name = unquoted(name_of(raw), '`');
        assert_non_null(name);
        assert_string_equal(name, raw);
        free(name);
        char *text = unquoted(text_of(raw), '\'');
        assert_non_null(text);
        assert_string_equal(text, raw);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_get_their_backticks_doubled),
        cmocka_unit_test(pairs_are_quoted_one_by_one),
        cmocka_unit_test(texts_get_quote_and_backslash_escaped),
        cmocka_unit_test(random_bytes_come_back),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
