#include "support/test.h"

#include "restore/definition.h"

#include <string.h>

static struct definition trigger(const char *text)
{
    return (struct definition){.object = {.kind = OBJECT_TRIGGER,
                                          .schema = "s",
                                          .name = "a",
                                          .table = "t",
                                          .sql_mode = "",
                                          .charset = "utf8mb4",
                                          .collation = "utf8mb4_general_ci",
                                          .db_collation = "utf8mb4_bin"},
                               .text = text,
                               .bytes = text ? strlen(text) : 0};
}

#define BODY " TRIGGER a BEFORE INSERT ON t FOR EACH ROW SET @x = 1"

static void the_same_is_equal(void **state)
{
    (void)state;
    struct definition a = trigger("CREATE DEFINER=`u`@`h`" BODY), b = a, none = trigger(NULL);
    assert_true(definition_equal(&a, &b));
    assert_true(definition_equal(&none, &none));
    assert_false(definition_equal(&a, &none));
    assert_false(definition_equal(&none, &a));
}

static void text_and_session_count(void **state)
{
    (void)state;
    const struct definition a = trigger("CREATE DEFINER=`u`@`h`" BODY);
    struct definition b = trigger("CREATE DEFINER=`u`@`h`" BODY " ");
    assert_false(definition_equal(&a, &b));
    b = a;
    b.object.sql_mode = "ANSI_QUOTES";
    assert_false(definition_equal(&a, &b));
    b = a;
    b.object.charset = "latin1";
    assert_false(definition_equal(&a, &b));
    b = a;
    b.object.collation = "utf8mb4_bin";
    assert_false(definition_equal(&a, &b));
    b = a;
    b.object.db_collation = NULL;
    assert_false(definition_equal(&a, &b));
    b = a;
    b.object.time_zone = "+00:00";
    assert_false(definition_equal(&a, &b));
}

/* A definer that was written anew stands in other quotes than the server prints. */
static void quotes_of_the_definer_do_not_count(void **state)
{
    (void)state;
    struct definition a = trigger("CREATE DEFINER=`u``x`@`h`" BODY),
                      b = trigger("CREATE DEFINER=\"u`x\"@\"h\"" BODY),
                      c = trigger("CREATE DEFINER=`u`@`h`" BODY);
    a.object.sql_mode = b.object.sql_mode = c.object.sql_mode = "ANSI_QUOTES";
    assert_true(definition_equal(&a, &b));
    assert_false(definition_equal(&a, &c));
}

static void all_bytes_count(void **state)
{
    (void)state;
    static const char one[] = "CREATE DEFINER=`u`@`h`" BODY ", @y = '\0a'",
                      two[] = "CREATE DEFINER=`u`@`h`" BODY ", @y = '\0b'";
    struct definition a = trigger(one), b = trigger(two);
    a.bytes = b.bytes = sizeof one - 1;
    assert_false(definition_equal(&a, &b));
    a.text = two;
    assert_true(definition_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_is_equal),
        cmocka_unit_test(text_and_session_count),
        cmocka_unit_test(quotes_of_the_definer_do_not_count),
        cmocka_unit_test(all_bytes_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
