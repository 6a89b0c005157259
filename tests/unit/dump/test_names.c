#include "support/test.h"

#include "dump/names.h"

#include <string.h>

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct name parsed(const char *given)
{
    struct name n;
    struct err err;
    assert_ok(name_parse(given, arena, &n, &err), &err);
    assert_ptr_equal(n.given, given);
    return n;
}

static void assert_part(const struct name_part *got, const char *text, bool quoted)
{
    if (!text) {
        assert_null(got->text);
        return;
    }
    assert_string_equal(got->text, text);
    assert_int_equal(got->quoted, quoted);
}

static void names_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *given, *schema, *table;
        bool schema_quoted, table_quoted;
    } known[] = {
        {"shop", "shop", NULL, false, false},
        {"shop.orders", "shop", "orders", false, false},
        {"shop.orders.old", "shop", "orders.old", false, false},
        {"shop.or`ders", "shop", "or`ders", false, false},
        {"sh`op.t", "sh`op", "t", false, false},
        {"*.log_?", "*", "log_?", false, false},
        {"`shop`", "shop", NULL, true, false},
        {"`my.shop`.orders", "my.shop", "orders", true, false},
        {"`my.shop`.`or.ders`", "my.shop", "or.ders", true, true},
        {"shop.`a``b`", "shop", "a`b", false, true},
        {"````", "`", NULL, true, false},
        {"```a```.```b```", "`a`", "`b`", true, true},
        {"`a``b`.c", "a`b", "c", true, false},
        {"d\xC3\xA9j\xC3\xA0 vu.t t", "d\xC3\xA9j\xC3\xA0 vu", "t t", false, false},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct name n = parsed(known[i].given);
        assert_part(&n.schema, known[i].schema, known[i].schema_quoted);
        assert_part(&n.table, known[i].table, known[i].table_quoted);
    }
}

static void what_is_no_name_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",          ".",     "shop.",   ".orders", "`",    "``",     "`shop", "`shop``", "```",    "``.t",
        "`shop`x.t", "`a``b", "shop.`t", "s.`t`.x", "s.``", "s.`t`x", "`a`b",  "`a`.",    "`a`.`b", "`s` .t"};
    struct name n;
    struct err err;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_err(name_parse(texts[i], arena, &n, &err), ERR_USAGE, &err);
        assert_non_null(strstr(err.text, "is not a name"));
    }
}

static void only_plain_text_is_a_pattern(void **state)
{
    (void)state;
    struct name plain = parsed("a*.t?"), quoted = parsed("`a*`.`t?`");
    assert_true(name_part_is_pattern(&plain.schema));
    assert_true(name_part_is_pattern(&plain.table));
    assert_false(name_part_is_pattern(&quoted.schema));
    assert_false(name_part_is_pattern(&quoted.table));
    assert_true(name_part_matches(&plain.schema, "abc"));
    assert_true(name_part_matches(&plain.table, "t1"));
    assert_false(name_part_matches(&quoted.schema, "abc"));
    assert_false(name_part_matches(&quoted.table, "t1"));
    assert_true(name_part_matches(&quoted.schema, "a*"));
    assert_true(name_part_matches(&quoted.table, "t?"));
}

static void names_are_told_apart_by_case(void **state)
{
    (void)state;
    struct name n = parsed("Shop.`T`");
    assert_true(name_part_matches(&n.schema, "Shop"));
    assert_false(name_part_matches(&n.schema, "shop"));
    assert_false(name_part_matches(&n.table, "t"));
}

static void exclusions(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *schema, *table;
        bool want;
    } known[] = {
        {"shop", "shop", NULL, true},
        {"shop", "shop", "orders", true},
        {"shop", "other", "orders", false},
        {"shop", "other", "shop", true},
        {"shop", "other", NULL, false},
        {"tmp_*", "shop", "tmp_1", true},
        {"tmp_*", "tmp_db", NULL, true},
        {"shop.orders", "shop", NULL, false},
        {"shop.orders", "shop", "orders", true},
        {"shop.orders", "other", "orders", false},
        {"*.orders", "other", "orders", true},
        {"shop.*", "shop", "x", true},
        {"shop.*", "shop", NULL, false},
        {"`tmp_*`", "shop", "tmp_1", false},
        {"`tmp_*`", "shop", "tmp_*", true},
        {"shop.a.b", "shop", "a.b", true},
        {"shop.a.b", "shop", "a", false},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct name n = parsed(known[i].pattern);
        assert_int_equal(name_excludes(&n, known[i].schema, known[i].table), known[i].want);
    }
}

/* Any name, quoted, comes back as it is. */
static void random_names_come_back(void **state)
{
    (void)state;
    static const char bytes[] = "`.*?a b'\\";
    unsigned seed = 12;
    for (int round = 0; round < 5000; round++) {
        char raw[2][10], quoted[50], *w = quoted;
        for (int part = 0; part < 2; part++) {
            size_t n = 1 + (size_t)rand_r(&seed) % 8;
            *w++ = '`';
            for (size_t i = 0; i < n; i++) {
                char c = raw[part][i] = bytes[(size_t)rand_r(&seed) % (sizeof bytes - 1)];
                *w++ = c;
                if (c == '`')
                    *w++ = c;
            }
            raw[part][n] = '\0';
            *w++ = '`';
            *w++ = part == 0 ? '.' : '\0';
        }
        struct name n = parsed(quoted);
        assert_part(&n.schema, raw[0], true);
        assert_part(&n.table, raw[1], true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_taken_apart),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(only_plain_text_is_a_pattern),
        cmocka_unit_test(names_are_told_apart_by_case),
        cmocka_unit_test(exclusions),
        cmocka_unit_test(random_names_come_back),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
