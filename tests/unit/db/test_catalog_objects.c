/* Definitions as servers print them, MySQL's among them; MariaDB's are read for real by
 * tests/e2e/test_objects.py. */
#include "support/fake_db.h"

#include "db/catalog_objects.h"

static struct {
    struct arena *arena;
    struct db_conn *c;
    struct err err;
} t;

static void begin(const char *version)
{
    fake_db_begin(version);
    fake_db_answer("USE ...", "");
    t.arena = arena_new();
    assert_int_equal(db_connect(NULL, NULL, &t.c, &t.err), ERR_OK);
}

static void end(void)
{
    db_close(t.c);
    arena_free(t.arena);
    fake_db_end();
}

static void lists_of_mysql(void **state)
{
    (void)state;
    struct catalog_object *found;
    unsigned n;
    begin("8.0.36");
    fake_db_answer("SELECT ROUTINE_NAME...", "f\tFUNCTION\ta@b\t\nf\tPROCEDURE\ta@b\tit's\n");
    fake_db_answer("SELECT EVENT_NAME...", "e\ta@b\t\tREPLICA_SIDE_DISABLED\n");
    fake_db_answer("SELECT TABLE_NAME, DEFINER...", "v\ta@b\tselect 1\nw\ta@b\t\\N\n");
    fake_db_answer("SELECT TRIGGER_NAME...",
                   "one\ta@b\tBEFORE\tINSERT\t1\tt\ntwo\ta@b\tBEFORE\tINSERT\t2\tt\n");
    assert_ok(catalog_routines(t.c, t.arena, "s", &found, &n, &t.err), &t.err);
    assert_int_equal(n, 2);
    assert_int_equal(found[0].kind, CATALOG_FUNCTION);
    assert_int_equal(found[1].kind, CATALOG_PROCEDURE);
    assert_string_equal(found[1].comment, "it's");
    assert_ok(catalog_events(t.c, t.arena, "s", &found, &n, &t.err), &t.err);
    assert_string_equal(found[0].status, "REPLICA_SIDE_DISABLED");
    assert_ok(catalog_views(t.c, t.arena, "s", &found, &n, &t.err), &t.err);
    assert_string_equal(found[0].query, "select 1");
    assert_string_equal(found[1].query, "");
    assert_ok(catalog_table_triggers(t.c, t.arena, "s", "t", &found, &n, &t.err), &t.err);
    assert_int_equal(found[1].order, 2);
    assert_string_equal(found[1].table, "t");
    static const char *const sent[] = {"ROUTINE_SCHEMA='s' AND CAST(ROUTINE_SCHEMA AS BINARY)='s'",
                                       "EVENT_SCHEMA='s'",
                                       "TABLE_SCHEMA='s'",
                                       "EVENT_OBJECT_SCHEMA='s'",
                                       " AND EVENT_OBJECT_TABLE='t'",
                                       NULL};
    assert_true(fake_db_sent(sent));
    end();
}

static void a_definition_comes_with_its_settings(void **state)
{
    (void)state;
    struct catalog_definition d;
    const struct catalog_object event = {.schema = "s",
                                         .name = "e`x",
                                         .kind = CATALOG_EVENT,
                                         .definer = "a@b",
                                         .comment = "",
                                         .status = "ENABLED"};
    begin("8.0.36");
    fake_db_answer("SHOW CREATE EVENT `s`.`e``x`",
                   "e`x\tANSI_QUOTES\t+05:30\tCREATE EVENT ...\tutf8mb4\tutf8mb4_0900_ai_ci\tutf8mb4_bin\n");
    assert_ok(catalog_define(t.c, t.arena, &event, &d, &t.err), &t.err);
    assert_string_equal(d.text, "CREATE EVENT ...");
    assert_int_equal(d.bytes, 16);
    assert_string_equal(d.sql_mode, "ANSI_QUOTES");
    assert_string_equal(d.time_zone, "+05:30");
    assert_string_equal(d.charset, "utf8mb4");
    assert_string_equal(d.collation, "utf8mb4_0900_ai_ci");
    assert_string_equal(d.db_collation, "utf8mb4_bin");
    assert_null(d.warning);
    /* raw bytes, in the object's database, and back */
    static const char *const sent[] = {"USE `s`", "SET SESSION character_set_results=NULL",
                                       "SHOW CREATE EVENT", "SET SESSION character_set_results=utf8mb4",
                                       NULL};
    assert_true(fake_db_sent(sent));
    end();
}

static void sequences_and_views_have_fewer_settings(void **state)
{
    (void)state;
    struct catalog_definition d;
    struct catalog_sequence s;
    const struct catalog_object sequence = {.schema = "s", .name = "q", .kind = CATALOG_SEQUENCE};
    const struct catalog_object view = {.schema = "s", .name = "v", .kind = CATALOG_VIEW, .definer = "a@b"};
    begin("10.11.6-MariaDB");
    fake_db_answer("SHOW CREATE SEQUENCE `s`.`q`", "q\tCREATE SEQUENCE `q`\n");
    fake_db_answer("SHOW CREATE VIEW `s`.`v`", "v\tCREATE VIEW `v`\tlatin1\tlatin1_bin\n");
    fake_db_answer("SELECT next_not_cached_value...", "4\t1\t18446744073709551615\t1\t1\t0\t1\t7\n");
    assert_ok(catalog_define(t.c, t.arena, &sequence, &d, &t.err), &t.err);
    assert_null(d.sql_mode);
    assert_null(d.charset);
    assert_ok(catalog_define(t.c, t.arena, &view, &d, &t.err), &t.err);
    assert_string_equal(d.collation, "latin1_bin");
    assert_null(d.db_collation);
    assert_ok(catalog_sequence(t.c, t.arena, "s", "q", &s, &t.err), &t.err);
    assert_string_equal(s.maximum, "18446744073709551615");
    assert_string_equal(s.cycle, "1");
    assert_string_equal(s.cycle_count, "7");
    fake_db_answer("SELECT next_not_cached_value...", "");
    assert_err(catalog_sequence(t.c, t.arena, "s", "q", &s, &t.err), ERR_DB, &t.err);
    end();
}

/* What SHOW CREATE answers, and what is made of it. */
static void check_failure(const char *version, enum catalog_kind kind, const char *answer, enum err_code want,
                          const char *words)
{
    struct catalog_definition d;
    const struct catalog_object o = {
        .schema = "s", .name = "o", .kind = kind, .definer = "a@b", .table = "t"};
    begin(version);
    fake_db_answer("SHOW CREATE ...", answer);
    assert_err(catalog_define(t.c, t.arena, &o, &d, &t.err), want, &t.err);
    if (!strstr(t.err.text, words))
        fail_msg("'%s' is not in: %s", words, t.err.text);
    end();
}

static void what_is_gone_or_hidden_is_told_apart(void **state)
{
    (void)state;
    static const char hidden[] = "o\t\t\\N\tutf8mb4\tutf8mb4_bin\tutf8mb4_bin\n";
    check_failure("10.11.6-MariaDB", CATALOG_VIEW, "!1146 no such table", ERR_NOT_FOUND, "1146");
    check_failure("10.11.6-MariaDB", CATALOG_PROCEDURE, "!1305 no such procedure", ERR_NOT_FOUND, "1305");
    check_failure("10.11.6-MariaDB", CATALOG_TRIGGER, "!1360 no such trigger", ERR_NOT_FOUND, "1360");
    check_failure("10.11.6-MariaDB", CATALOG_EVENT, "!1539 no such event", ERR_NOT_FOUND, "1539");
    check_failure("10.11.6-MariaDB", CATALOG_SEQUENCE, "!4091 no such sequence", ERR_NOT_FOUND, "4091");
    check_failure("10.11.6-MariaDB", CATALOG_VIEW, "!1142 denied", ERR_DB_DENIED,
                  "GRANT SELECT, SHOW VIEW ON `s`.*");
    check_failure("10.11.6-MariaDB", CATALOG_EVENT, "!1044 denied", ERR_DB_DENIED, "GRANT EVENT ON `s`.*");
    check_failure("10.11.6-MariaDB", CATALOG_TRIGGER, "!1142 denied", ERR_DB_DENIED,
                  "GRANT TRIGGER ON `s`.*");
    check_failure("10.11.6-MariaDB", CATALOG_SEQUENCE, "!1142 denied", ERR_DB_DENIED,
                  "GRANT SELECT ON `s`.*");
    check_failure("10.11.6-MariaDB", CATALOG_PROCEDURE, hidden, ERR_DB_DENIED, "GRANT SELECT ON mysql.proc");
    check_failure("11.4.2-MariaDB", CATALOG_PACKAGE_BODY, hidden, ERR_DB_DENIED,
                  "GRANT SHOW CREATE ROUTINE ON `s`.*");
    check_failure("8.0.36", CATALOG_FUNCTION, hidden, ERR_DB_DENIED, "GRANT SHOW_ROUTINE ON *.*");
    check_failure("5.7.44", CATALOG_FUNCTION, hidden, ERR_DB_DENIED, "GRANT SELECT ON mysql.proc");
    check_failure("8.0.36", CATALOG_FUNCTION, "!1064 syntax", ERR_DB, "1064");
    check_failure("8.0.36", CATALOG_FUNCTION, "", ERR_DB_DENIED, "may not see it");
}

/* Each server's bytes, and those that make the same object again. */
static void check_repair(const struct catalog_object *o, const char *answer, const char *want,
                         const char *warning)
{
    struct catalog_definition d;
    begin("10.11.6-MariaDB");
    fake_db_answer("SHOW CREATE ...", answer);
    /* \xC3\xA9, alone and in what is asked for; the server's own conversion is seen in tests/e2e */
    fake_db_answer("SELECT CAST(x AS BINARY)...", "\xE9\t1\n");
    fake_db_answer("...60c3a960...", "`\xE9`\t1\n");
    fake_db_answer("...27c3a927...", "'\xE9'\t1\n");
    fake_db_answer("...60c3a96040602560...", "`\xE9`@`%`\t1\n");
    fake_db_answer("...4f4e2060c3a960...", "ON `\xE9`\t1\n");
    fake_db_answer("...27e6bca227...", "'?'\t0\n");
    assert_ok(catalog_define(t.c, t.arena, o, &d, &t.err), &t.err);
    assert_string_equal(d.text, want);
    assert_int_equal(d.bytes, strlen(want));
    if (warning)
        assert_string_equal(d.warning, warning);
    else
        assert_null(d.warning);
    end();
}

static void what_stands_in_utf8_among_other_bytes_is_converted(void **state)
{
    (void)state;
    struct catalog_object o = {
        .schema = "s", .name = "\xC3\xA9", .definer = "\xC3\xA9@%", .comment = "\xC3\xA9"};
#define LATIN "\tlatin1\tlatin1_bin\tlatin1_bin"
    o.kind = CATALOG_EVENT;
    check_repair(&o,
                 "x\t\tSYSTEM\tCREATE DEFINER=`\xC3\xA9`@`%` EVENT `\xC3\xA9` ON SCHEDULE AT 'x' ON "
                 "COMPLETION NOT PRESERVE ENABLE "
                 "COMMENT '\xC3\xA9' DO set @x='\xC3\xA9'" LATIN "\n",
                 "CREATE DEFINER=`\xE9`@`%` EVENT `\xE9` ON SCHEDULE AT 'x' ON COMPLETION NOT PRESERVE "
                 "ENABLE COMMENT '\xE9' DO set "
                 "@x='\xC3\xA9'",
                 NULL);
    o.kind = CATALOG_TRIGGER;
    o.table = "\xC3\xA9";
    o.comment = NULL;
    check_repair(&o,
                 "x\t\tCREATE DEFINER=`\xC3\xA9`@`%` TRIGGER `\xE9` BEFORE INSERT ON `\xC3\xA9` FOR EACH ROW "
                 "SET @x=1" LATIN "\n",
                 "CREATE DEFINER=`\xE9`@`%` TRIGGER `\xE9` BEFORE INSERT ON `\xE9` FOR EACH ROW SET @x=1",
                 NULL);
    o.kind = CATALOG_PROCEDURE;
    o.comment = "\xC3\xA9";
    check_repair(&o,
                 "x\t\tCREATE DEFINER=`\xE9`@`%` PROCEDURE `\xE9`()\\n    COMMENT '\xC3\xA9'\\nselect 1" LATIN
                 "\n",
                 "CREATE DEFINER=`\xE9`@`%` PROCEDURE `\xE9`()\n    COMMENT '\xE9'\nselect 1", NULL);
    o.comment = "\xE6\xBC\xA2";
    check_repair(&o, "x\t\tCREATE PROCEDURE `\xE9`()\\n    COMMENT '\xE6\xBC\xA2'\\nselect 1" LATIN "\n",
                 "CREATE PROCEDURE `\xE9`()\n    COMMENT ''\nselect 1",
                 "its comment cannot be written in its character set, latin1");
}

static void what_needs_no_repair_is_left_alone(void **state)
{
    (void)state;
    struct catalog_object o = {.schema = "s",
                               .name = "p",
                               .kind = CATALOG_PROCEDURE,
                               .definer = "\xC3\xA9@%",
                               .comment = "a\\b'\xC3\xA9\n"};
    check_repair(&o,
                 "x\t\tCREATE PROCEDURE `p`()\\n    COMMENT 'a\\\\\\\\b''\xC3\xA9\\\\n'\\nselect "
                 "1\tutf8mb4\tutf8mb4_bin\tutf8mb4_bin\n",
                 "CREATE PROCEDURE `p`()\n    COMMENT 'a\\\\b''\xC3\xA9\\n'\nselect 1", NULL);
}

static void comments_are_written_as_the_sql_mode_reads_them(void **state)
{
    (void)state;
    struct catalog_object o = {
        .schema = "s", .name = "p", .kind = CATALOG_PROCEDURE, .definer = "a@b", .comment = "C:\\new 'x'\n"};
    check_repair(
        &o,
        "x\tNO_BACKSLASH_ESCAPES\tCREATE PROCEDURE `p`()\\n    COMMENT 'C:\\\\\\\\new ''x''\\\\n'\\nselect 1"
        "\tutf8mb4\tutf8mb4_bin\tutf8mb4_bin\n",
        "CREATE PROCEDURE `p`()\n    COMMENT 'C:\\new ''x''\n'\nselect 1", NULL);
}

static void a_circle_of_views_is_put_together(void **state)
{
    (void)state;
    struct catalog_definition d;
    const struct catalog_object o = {.schema = "s", .name = "v", .kind = CATALOG_VIEW, .definer = "a`@b@%"};
    begin("10.11.6-MariaDB");
    fake_db_answer("SHOW CREATE ...", "!1462 `s`.`v` contains view recursion");
    fake_db_answer("SELECT VIEW_DEFINITION...",
                   "select `w`.`a` AS `a` from `s`.`w`\tCASCADED\tINVOKER\tutf8mb4_bin\tMERGE\n");
    assert_ok(catalog_define(t.c, t.arena, &o, &d, &t.err), &t.err);
    assert_string_equal(
        d.text,
        "CREATE ALGORITHM=MERGE DEFINER=`a``@b`@`%` SQL SECURITY INVOKER VIEW `v` AS select `w`.`a` AS "
        "`a` from `s`.`w` WITH CASCADED CHECK OPTION");
    assert_non_null(d.warning);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_mysql),
        cmocka_unit_test(a_definition_comes_with_its_settings),
        cmocka_unit_test(sequences_and_views_have_fewer_settings),
        cmocka_unit_test(what_is_gone_or_hidden_is_told_apart),
        cmocka_unit_test(what_stands_in_utf8_among_other_bytes_is_converted),
        cmocka_unit_test(what_needs_no_repair_is_left_alone),
        cmocka_unit_test(comments_are_written_as_the_sql_mode_reads_them),
        cmocka_unit_test(a_circle_of_views_is_put_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
