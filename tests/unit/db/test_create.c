#include "support/test.h"

#include "db/create.h"

#include <string.h>

static const char *text_of(const char *text, struct create_piece p, char *out)
{
    memcpy(out, text + p.at, p.bytes);
    out[p.bytes] = '\0';
    return out;
}

struct example {
    const char *kind, *charset, *sql_mode, *text;
    const char *definer, *if_exists, *name, *table, *completion, *state; /* "" or NULL: not there */
};

static void check(const struct example *e)
{
    struct err err;
    struct create_head h;
    char got[300];
    if (create_find(e->kind, e->text, strlen(e->text), e->charset, e->sql_mode, &h, &err) != ERR_OK)
        fail_msg("%s: %s", e->text, err.text);
    const struct {
        struct create_piece piece;
        const char *want;
    } pieces[] = {{h.definer, e->definer}, {h.if_exists, e->if_exists},   {h.name, e->name},
                  {h.table, e->table},     {h.completion, e->completion}, {h.state, e->state}};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        assert_string_equal(text_of(e->text, pieces[i].piece, got), pieces[i].want ? pieces[i].want : "");
}

static void heads_are_read_in_every_form_that_servers_print(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {.kind = "view",
         .text = "CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `v``x` AS "
                 "select 1",
         .definer = "`root`@`localhost`",
         .name = "`v``x`"},
        {.kind = "view",
         .text = "CREATE ALGORITHM=MERGE DEFINER=`role` SQL SECURITY INVOKER VIEW `s`.`v` AS select 1",
         .definer = "`role`",
         .name = "`s`.`v`"},
        {.kind = "procedure",
         .text = "CREATE DEFINER=`a``@``b`@`%` PROCEDURE `p`(x int)\nBEGIN END",
         .definer = "`a``@``b`@`%`",
         .name = "`p`"},
        {.kind = "function",
         .sql_mode = "PIPES_AS_CONCAT,ANSI_QUOTES",
         .text =
             "CREATE DEFINER=\"r\"\"t\"@\"h\" AGGREGATE FUNCTION \"f\"\"n\"(x int) RETURNS int(11)\nreturn 1",
         .definer = "\"r\"\"t\"@\"h\"",
         .name = "\"f\"\"n\""},
        {.kind = "package",
         .sql_mode = "ANSI_QUOTES,ORACLE",
         .text = "CREATE DEFINER=\"r\"@\"h\" PACKAGE \"pk\"    COMMENT 'x'\n as procedure p; end",
         .definer = "\"r\"@\"h\"",
         .name = "\"pk\""},
        {.kind = "package_body",
         .sql_mode = "ORACLE,ANSI_QUOTES",
         .text = "CREATE DEFINER=\"r\"@\"h\" PACKAGE BODY \"pk\" as begin end",
         .definer = "\"r\"@\"h\"",
         .name = "\"pk\""},
        {.kind = "trigger",
         .text = "CREATE DEFINER=`r`@`h` TRIGGER IF NOT EXISTS a1 . t2 -- ON z\n BEFORE /* ON y */ INSERT ON "
                 "`t t`FOR EACH"
                 " ROW SET @b=2",
         .definer = "`r`@`h`",
         .if_exists = "IF NOT EXISTS ",
         .name = "a1 . t2",
         .table = "`t t`"},
        {.kind = "trigger",
         .text = "CREATE DEFINER=`r`@`h` trigger t # ON no\nafter update on s.`t` for each row begin end",
         .definer = "`r`@`h`",
         .name = "t",
         .table = "s.`t`"},
        {.kind = "trigger",
         .text = "create or replace trigger t before delete on t for each row set @x = 1",
         .if_exists = "or replace ",
         .name = "t",
         .table = "t"},
        {.kind = "event",
         .text = "CREATE DEFINER=`r`@`h` EVENT `on completion` ON SCHEDULE EVERY '1:30' HOUR_MINUTE STARTS "
                 "'2030-01-01 "
                 "00:00:00' ON COMPLETION NOT PRESERVE ENABLE COMMENT 'DISABLE' DO begin end",
         .definer = "`r`@`h`",
         .name = "`on completion`",
         .completion = "NOT PRESERVE",
         .state = "ENABLE"},
        {.kind = "event",
         .text = "CREATE DEFINER=`r`@`h` EVENT `e` ON SCHEDULE AT '2001-01-01' ON COMPLETION PRESERVE "
                 "DISABLE ON SLAVE DO x",
         .definer = "`r`@`h`",
         .name = "`e`",
         .completion = "PRESERVE",
         .state = "DISABLE ON SLAVE"},
        {.kind = "event",
         .text = "CREATE DEFINER=CURRENT_USER() EVENT e ON SCHEDULE AT '2001-01-01' ON COMPLETION PRESERVE "
                 "DISABLE DO x",
         .definer = "CURRENT_USER()",
         .name = "e",
         .completion = "PRESERVE",
         .state = "DISABLE"},
        /* the second byte of a character may be a backtick, a quote's backslash or a letter */
        {.kind = "procedure",
         .charset = "gbk",
         .text = "CREATE DEFINER=`\x81`\x82\\`@`h` PROCEDURE `\xAF\\\x81`p`()\nselect 1",
         .definer = "`\x81`\x82\\`@`h`",
         .name = "`\xAF\\\x81`p`"},
        {.kind = "procedure",
         .charset = "sjis",
         .text = "CREATE DEFINER=`\x95`\xB1`@`h` PROCEDURE `\x83`p`()\nselect 1",
         .definer = "`\x95`\xB1`@`h`",
         .name = "`\x83`p`"},
        {.kind = "procedure",
         .charset = "latin1",
         .text = "CREATE DEFINER=`\x81`@`h` PROCEDURE `\xE9`()\nselect 1",
         .definer = "`\x81`@`h`",
         .name = "`\xE9`"},
        /* without ANSI_QUOTES " quotes texts, in which a backslash escapes */
        {.kind = "trigger",
         .text = "CREATE DEFINER=\"a\\\"\"@'h' TRIGGER t BEFORE INSERT ON t FOR EACH ROW SET @x=1",
         .definer = "\"a\\\"\"@'h'",
         .name = "t",
         .table = "t"},
        {.kind = "trigger",
         .sql_mode = "NO_BACKSLASH_ESCAPES",
         .text = "CREATE DEFINER='a\\'@'h' TRIGGER t BEFORE INSERT ON t FOR EACH ROW SET @x=1",
         .definer = "'a\\'@'h'",
         .name = "t",
         .table = "t"},
    };
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        struct example e = examples[i];
        e.charset = e.charset ? e.charset : "utf8mb4";
        check(&e);
    }
}

static void what_is_no_such_statement_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"view", ""},
        {"view", "CREATE"},
        {"view", "CREATE DEFINER=`r`@`h` PROCEDURE `p`() select 1"},
        {"view", "CREATE DEFINER= VIEW"},
        {"view", "CREATE DEFINER=`r`@ VIEW `v` AS select 1"},
        {"view", "CREATE DEFINER=`r`@`h` VIEW `s`."},
        {"package_body", "CREATE DEFINER=`r`@`h` PACKAGE `p` AS END"},
        {"trigger", "CREATE TRIGGER t BEFORE INSERT"},
        {"trigger", "CREATE TRIGGER t BEFORE INSERT /* ON t"},
        {"trigger", "CREATE TRIGGER IF EXISTS t BEFORE INSERT ON t FOR EACH ROW SET @a=1"},
        {"event", "CREATE EVENT e ON SCHEDULE AT '2001-01-01' DO x"},
        {"event", "CREATE EVENT e ON SCHEDULE AT '2001-01-01' ON COMPLETION PRESERVE DO x"},
        {"event", "CREATE EVENT `e"},
    };
    struct err err;
    struct create_head h;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (create_find(wrong[i][0], wrong[i][1], strlen(wrong[i][1]), "utf8mb4", NULL, &h, &err) != ERR_DB)
            fail_msg("taken: %s", wrong[i][1]);
}

/* Whatever bytes follow: nothing behind the end is read (the sanitizers watch). */
static void every_prefix_ends(void **state)
{
    (void)state;
    static const char text[] =
        "CREATE DEFINER=`a``b`@'h\\'x' TRIGGER IF NOT EXISTS /* c */ `s`.\"t\" # d\nBEFORE INSERT "
        "-- e\nON `s` . `t` FOR EACH ROW SET @x=1";
    static const char *const charsets[] = {"utf8mb4", "gbk", "sjis", "gb18030", "big5"};
    struct err err;
    struct create_head h;
    for (size_t c = 0; c < 5; c++)
        for (size_t n = 0; n < sizeof text; n++) {
            char *copy = malloc(n ? n : 1);
            memcpy(copy, text, n);
            if (n)
                copy[n - 1] = (char)(n % 2 ? 0x81 : copy[n - 1]);
            create_find("trigger", copy, n, charsets[c], NULL, &h, &err);
            free(copy);
        }
}

static void pieces_are_written_anew_in_any_order(void **state)
{
    (void)state;
    static const char text[] = "CREATE DEFINER=`r`@`h` TRIGGER a.t BEFORE INSERT ON t FOR EACH ROW SET @b=2";
    struct err err;
    struct create_head h;
    struct buf out;
    buf_init(&out, 1000);
    assert_ok(create_find("trigger", text, sizeof text - 1, "utf8mb4", "", &h, &err), &err);
    const struct create_change changes[] = {
        {h.table, "`x`.`y`", 7}, {h.name, "`n`", 3}, {h.definer, "CURRENT_USER", 12}};
    assert_ok(create_rewrite(text, sizeof text - 1, changes, 3, &out, &err), &err);
    assert_string_equal(
        buf_cstr(&out),
        "CREATE DEFINER=CURRENT_USER TRIGGER `n` BEFORE INSERT ON `x`.`y` FOR EACH ROW SET @b=2");
    buf_clear(&out);
    assert_ok(create_rewrite(text, sizeof text - 1, NULL, 0, &out, &err), &err);
    assert_string_equal(buf_cstr(&out), text);
    const struct create_change overlap[] = {{{0, 10}, "", 0}, {{5, 2}, "", 0}};
    assert_err(create_rewrite(text, sizeof text - 1, overlap, 2, &out, &err), ERR_INTERNAL, &err);
    const struct create_change beyond[] = {{{70, 10}, "", 0}};
    assert_err(create_rewrite(text, sizeof text - 1, beyond, 1, &out, &err), ERR_INTERNAL, &err);
    buf_free(&out);
}

static void check_rule(const char *given, enum definer_choice choice, const char *want)
{
    char text[100];
    struct err err;
    struct definer_rule rule;
    struct buf out;
    buf_init(&out, 1000);
    snprintf(text, sizeof text, "%s", given);
    assert_ok(definer_parse(text, &rule, &err), &err);
    assert_int_equal(rule.choice, choice);
    assert_int_equal(definer_write(&rule, &out), choice != DEFINER_KEEP);
    assert_string_equal(buf_cstr(&out), want);
    buf_free(&out);
}

static void definers_are_kept_or_given(void **state)
{
    (void)state;
    check_rule("keep", DEFINER_KEEP, "");
    check_rule("current", DEFINER_CURRENT, "CURRENT_USER");
    check_rule("app@%", DEFINER_ACCOUNT, "`app`@`%`");
    check_rule("app@corp@10.0.0.1", DEFINER_ACCOUNT, "`app@corp`@`10.0.0.1`");
    check_rule("'app'@'localhost'", DEFINER_ACCOUNT, "`app`@`localhost`");
    check_rule("`app`@localhost", DEFINER_ACCOUNT, "`app`@`localhost`");
    static const char *const wrong[] = {"",       "app",   "@",       "app@", "@h",
                                        "'app@h", "a'p@h", "'a'p'@h", "''@h", "keep "};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[100];
        struct err err;
        struct definer_rule rule;
        snprintf(text, sizeof text, "%s", wrong[i]);
        assert_err(definer_parse(text, &rule, &err), ERR_USAGE, &err);
    }
}

static bool promises(const char *text)
{
    return create_function_promises(text, strlen(text));
}

static bool names_shop(const char *text, const char *sql_mode)
{
    return create_names_schema(text, strlen(text), "utf8mb4", sql_mode, "shop");
}

static void databases_are_found_where_they_are_named(void **state)
{
    (void)state;
    assert_true(names_shop("CREATE EVENT e DO DELETE FROM shop.x", ""));
    assert_true(names_shop("CREATE EVENT e DO DELETE FROM `Shop` . `x`", ""));
    assert_true(names_shop("BEGIN\n-- don't\n# it's\n/* it's */ DELETE FROM shop.x; END", ""));
    assert_true(names_shop("SELECT 'a\\', shop.x", "NO_BACKSLASH_ESCAPES"));
    assert_true(names_shop("SELECT \"shop\".x", "ANSI_QUOTES"));
    assert_false(names_shop("SELECT \"shop\".x", ""));
    assert_false(names_shop("SELECT 'shop.x', `shop.x`, shops.x, shop, x.shop -- shop.x\n/* shop.x */", ""));
    assert_false(names_shop("SELECT 'a\\', shop.x'", ""));
    assert_true(create_is_qualified("`a`.`b`", 7, "utf8mb4", ""));
    assert_false(create_is_qualified("`a.b`", 5, "utf8mb4", ""));
}

static void only_a_characteristic_is_a_promise(void **state)
{
    (void)state;
    assert_true(promises("CREATE FUNCTION `f`() RETURNS int(11)\n    DETERMINISTIC\nRETURN 1"));
    assert_true(promises("CREATE FUNCTION `f`() RETURNS int(11)\n    NO SQL\n    COMMENT 'x'\nRETURN 1"));
    assert_true(promises(
        "CREATE FUNCTION `f`() RETURNS int(11)\n    READS SQL DATA\n    SQL SECURITY INVOKER\nRETURN 1"));
    assert_false(promises("CREATE FUNCTION `f`() RETURNS int(11)\n    MODIFIES SQL DATA\nRETURN 1"));
    assert_false(
        promises("CREATE FUNCTION `f`() RETURNS text\nRETURN 'NOT DETERMINISTIC, NO SQL, READS SQL DATA'"));
    assert_false(
        promises("CREATE FUNCTION `f`() RETURNS text\n    COMMENT 'is DETERMINISTIC'\nRETURN uuid()"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_read_in_every_form_that_servers_print),
        cmocka_unit_test(what_is_no_such_statement_is_refused),
        cmocka_unit_test(every_prefix_ends),
        cmocka_unit_test(pieces_are_written_anew_in_any_order),
        cmocka_unit_test(definers_are_kept_or_given),
        cmocka_unit_test(databases_are_found_where_they_are_named),
        cmocka_unit_test(only_a_characteristic_is_a_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
