#include "support/test.h"

#include "archive/select.h"

#include <string.h>

static void globs(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool match;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*", "", true},
        {"**", "abc", true},
        {"a*", "abc", true},
        {"*c", "abc", true},
        {"*b*", "abc", true},
        {"a*c", "abc", true},
        {"a*d", "abc", false},
        {"?", "", false},
        {"?", "a", true},
        {"??", "a", false},
        {"a?c", "abc", true},
        {"*?", "a", true},
        {"*?", "", false},
        {"*ab", "aab", true},
        {"*aab*ab", "aaabab", true},
        {"ABC", "abc", false},
        {"a.c", "abc", false},
        {"[a]", "a", false},
        {"[a]", "[a]", true},
        {"a\\*", "a\\b", true},
        {"x?y", "x\xC3\xA9y", true},
        {"x??y", "x\xC3\xA9y", false},
        {"?", "\xF0\x9F\x98\x80", true},
        {"*\xA9", "\xC3\xA9", true},
        {"order*_20??", "orders_x_2024", true},
        {"order*_20??", "orders_x_202", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (name_matches(cases[i].pattern, cases[i].name) != cases[i].match)
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].name);
}

/* Exponential for a matcher that tries every star again. */
static void many_stars_take_no_time(void **state)
{
    (void)state;
    char name[5001], pattern[201];
    for (size_t i = 0; i < sizeof name - 1; i++)
        name[i] = 'a';
    for (size_t i = 0; i < sizeof pattern - 1; i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    name[sizeof name - 1] = pattern[sizeof pattern - 1] = '\0';
    assert_true(name_matches(pattern, name));
    pattern[sizeof pattern - 2] = 'b';
    assert_false(name_matches(pattern, name));
}

static struct manifest_table tables[] = {
    {.number = 1, .schema = "shop", .name = "orders"},
    {.number = 2, .schema = "shop", .name = "order.lines"},
    {.number = 3, .schema = "s.hop", .name = "orders"},
    {.number = 4, .schema = "other", .name = "users"},
};

/* The chosen tables as digits, "" for an error that is ERR_NOT_FOUND. */
static const char *chosen(const char *a, const char *b, struct err *err)
{
    static char text[5];
    const char *patterns[2] = {a, b};
    struct manifest m = {.table_count = 4, .tables = tables};
    bool *c;
    size_t n = 0;
    enum err_code rc = archive_select(&m, patterns, a == NULL ? 0 : b == NULL ? 1 : 2, &c, err);
    if (rc != ERR_OK) {
        assert_int_equal(rc, ERR_NOT_FOUND);
        assert_null(c);
        return "";
    }
    for (int i = 0; i < 4; i++)
        if (c[i])
            text[n++] = (char)('1' + i);
    text[n] = '\0';
    free(c);
    return text;
}

static void tables_are_chosen(void **state)
{
    (void)state;
    struct err err;
    assert_string_equal(chosen(NULL, NULL, &err), "1234");
    assert_string_equal(chosen("orders", NULL, &err), "13");
    assert_string_equal(chosen("shop.orders", NULL, &err), "1");
    assert_string_equal(chosen("shop.*", NULL, &err), "12");
    assert_string_equal(chosen("s*.orders", NULL, &err), "13");
    assert_string_equal(chosen("s.hop.orders", NULL, &err), "3");
    assert_string_equal(chosen("shop.order.lines", NULL, &err), "2");
    assert_string_equal(chosen("s*", "users", &err), ""); /* no table starts with s, though schemas do */
    assert_string_equal(chosen("*", NULL, &err), "1234");
    assert_string_equal(chosen("users", "shop.o*s", &err), "124");
}

static void a_pattern_without_a_table_is_named(void **state)
{
    (void)state;
    struct err err;
    assert_string_equal(chosen("users", "shop.nothing", &err), "");
    assert_non_null(strstr(err.text, "'shop.nothing'"));
    assert_string_equal(chosen("", NULL, &err), "");
    assert_string_equal(chosen(".", NULL, &err), "");
}

static void an_archive_without_tables(void **state)
{
    (void)state;
    struct err err;
    struct manifest m = {.table_count = 0};
    const char *all[] = {"*"};
    bool *c;
    assert_ok(archive_select(&m, NULL, 0, &c, &err), &err);
    free(c);
    assert_err(archive_select(&m, all, 1, &c, &err), ERR_NOT_FOUND, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs),
        cmocka_unit_test(many_stars_take_no_time),
        cmocka_unit_test(tables_are_chosen),
        cmocka_unit_test(a_pattern_without_a_table_is_named),
        cmocka_unit_test(an_archive_without_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
