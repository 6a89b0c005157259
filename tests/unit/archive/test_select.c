#include "support/test.h"

#include "archive/select.h"

#include <string.h>

static void patterns_match_whole_names(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool match;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"a", "a", true},
        {"a", "A", false},
        {"a", "ab", false},
        {"ab", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"**", "", true},
        {"?", "", false},
        {"?", "a", true},
        {"?", "ab", false},
        {"?", "\xC3\xA9", true}, /* a character, not a byte */
        {"??", "\xC3\xA9", false},
        {"?", "\xF0\x9F\x92\xBE", true},
        {"a*", "a", true},
        {"a*", "abc", true},
        {"*c", "abc", true},
        {"*b", "abc", false},
        {"a*c", "abcbc", true},
        {"a*b*c", "a__b__c", true},
        {"a*b*c", "a__c__b", false},
        {"*?*", "", false},
        {"*?*", "x", true},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"*.*", "a.b", true},
        {"[a]", "a", false}, /* nothing else is special */
        {"[a]", "[a]", true},
        {"\\*", "*", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (name_matches(cases[i].pattern, cases[i].name) != cases[i].match)
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].name);
}

/* Going back over all stars would take longer than the age of the universe. */
static void no_pattern_takes_long(void **state)
{
    (void)state;
    char name[3001], pattern[2001];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (size_t i = 0; i < sizeof pattern - 3; i += 2)
        memcpy(pattern + i, "*a", 2);
    memcpy(pattern + sizeof pattern - 3, "*b", 3);
    assert_false(name_matches(pattern, name));
    memcpy(pattern + sizeof pattern - 3, "*a", 3);
    assert_true(name_matches(pattern, name));
}

static struct manifest_table tables[] = {
    {.schema = "shop", .name = "orders"},  {.schema = "shop", .name = "items"},
    {.schema = "old", .name = "orders"},   {.schema = "a.b", .name = "c.d"},
    {.schema = "shop", .name = "a*b.tmp"},
};
#define TABLES (sizeof tables / sizeof tables[0])

/* want: a letter for each chosen table, "x", and "." for the others. */
static void check(const char *const *patterns, unsigned count, const char *want)
{
    struct err err;
    bool *chosen;
    const struct manifest m = {.table_count = TABLES, .tables = tables};
    assert_ok(archive_select(&m, patterns, count, &chosen, &err), &err);
    for (size_t i = 0; i < TABLES; i++)
        if (chosen[i] != (want[i] == 'x'))
            fail_msg("%s: table %zu", count > 0 ? patterns[0] : "", i);
    free(chosen);
}

static void tables_are_chosen_by_one_name_or_both(void **state)
{
    (void)state;
    check(NULL, 0, "xxxxx");
    check((const char *[]){"orders"}, 1, "x.x..");
    check((const char *[]){"shop.orders"}, 1, "x....");
    check((const char *[]){"shop.*"}, 1, "xx..x");
    check((const char *[]){"*"}, 1, "xxxxx");
    check((const char *[]){"*.*"}, 1, "xxxxx");
    check((const char *[]){"o*"}, 1, "x.x..");
    check((const char *[]){"o*.o*"}, 1, "..x..");
    check((const char *[]){"?ld.orders", "items"}, 2, ".xx..");
    check((const char *[]){"orders", "shop.orders"}, 2, "x.x..");
    /* dots within names: any of them may be the one between */
    check((const char *[]){"a.b.c.d"}, 1, "...x.");
    check((const char *[]){"*.c.d"}, 1, "...x.");
    check((const char *[]){"*.*.tmp"}, 1, "....x");
    check((const char *[]){"shop.a*b.tmp"}, 1, "....x");
}

static void a_pattern_without_a_table_is_named(void **state)
{
    (void)state;
    static const char *const missing[] = {"Orders", "shop", "shop.", ".orders", "shop.orders.x", "", "c.d"};
    const struct manifest m = {.table_count = TABLES, .tables = tables}, empty = {0};
    struct err err;
    bool *chosen;
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        const char *patterns[] = {"orders", missing[i]};
        assert_err(archive_select(&m, patterns, 2, &chosen, &err), ERR_NOT_FOUND, &err);
        assert_null(chosen);
    }
    assert_string_equal(err.text, "the archive has no table 'c.d'");
    assert_ok(archive_select(&empty, NULL, 0, &chosen, &err), &err);
    free(chosen);
    assert_err(archive_select(&empty, (const char *[]){"*"}, 1, &chosen, &err), ERR_NOT_FOUND, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_whole_names),
        cmocka_unit_test(no_pattern_takes_long),
        cmocka_unit_test(tables_are_chosen_by_one_name_or_both),
        cmocka_unit_test(a_pattern_without_a_table_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
