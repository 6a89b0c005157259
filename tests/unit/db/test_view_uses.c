#include "support/test.h"

#include "db/view_uses.h"

#include <string.h>

/* "schema.name|schema.name" of what is found. */
static void check(const char *query, const char *want)
{
    struct arena *arena = arena_new();
    char got[500] = "";
    unsigned count;
    const struct view_use *uses = view_uses(query, arena, &count);
    for (unsigned i = 0; i < count; i++) {
        strcat(got, i > 0 ? "|" : "");
        strcat(got, uses[i].schema);
        strcat(got, ".");
        strcat(got, uses[i].name);
    }
    assert_string_equal(got, want);
    arena_free(arena);
}

static void tables_are_found_once_each(void **state)
{
    (void)state;
    check("select 1 AS `one`", "");
    check("", "");
    check("select `s`.`t`.`a` AS `a` from `s`.`t`", "s.t");
    check("select `b`.`id` AS `id` from (`s`.`t` `b` join `r`.`u` on(`b`.`id` = `r`.`u`.`id`))",
          "b.id|s.t|r.u");
    check("select nextval(`s`.`q`) AS `n`", "s.q");
}

static void functions_texts_and_odd_names_do_not_confuse(void **state)
{
    (void)state;
    check("select `s`.`f`(`s`.`t`.`a`) AS `x` from `s`.`t`", "s.t");
    check("select '`a`.`b`' AS `x`,'it\\'s `c`.`d`','it''s `e`.`f`' from `s`.`t`", "s.t");
    check("select 1 from `a``b`.`c.``d`", "a`b.c.`d");
    check("select 1 from `a`.`b", "a.b"); /* not closed */
    check("`", "");
    check("`a`.", "");
    check("`a``.`b`", "");
}

static void functions_that_are_called(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    unsigned count;
    struct view_use *calls = view_functions(
        "select `s`.`f`(`t`.`a`),coalesce(`g`(1),'`h`(2)',`g`(3)) from `s`.`t`", arena, &count);
    assert_int_equal(count, 2);
    assert_string_equal(calls[0].schema, "s");
    assert_string_equal(calls[0].name, "f");
    assert_string_equal(calls[1].schema, "");
    assert_string_equal(calls[1].name, "g");
    view_functions("`", arena, &count);
    assert_int_equal(count, 0);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_found_once_each),
        cmocka_unit_test(functions_texts_and_odd_names_do_not_confuse),
        cmocka_unit_test(functions_that_are_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
