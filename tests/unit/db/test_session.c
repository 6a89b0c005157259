#include "support/test.h"

#include "db/session.h"

/* p: PROCESS, r: RELOAD. */
static void assert_gives(const char *line, const char *want)
{
    struct session_grants g = {false, false};
    char got[3] = "", *w = got;
    session_grants_add(&g, line);
    if (g.process)
        *w++ = 'p';
    if (g.reload)
        *w++ = 'r';
    *w = '\0';
    assert_string_equal(got, want);
}

static void global_privileges_count(void **state)
{
    (void)state;
    assert_gives(
        "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` IDENTIFIED BY PASSWORD '*0' WITH GRANT OPTION",
        "pr");
    assert_gives("GRANT PROCESS ON *.* TO `b`@`%`", "p");
    assert_gives("GRANT RELOAD ON *.* TO `b`@`%`", "r");
    assert_gives("GRANT SELECT, RELOAD, PROCESS, LOCK TABLES ON *.* TO `b`@`%`", "pr");
    assert_gives("GRANT SELECT, INSERT, RELOAD, SHOW DATABASES, BINLOG MONITOR ON *.* TO `b`@`%`", "r");
    assert_gives("GRANT USAGE ON *.* TO `b`@`%`", "");
    assert_gives("GRANT SELECT, process ON *.* TO 'b'@'%'", "p");
}

static void whole_words_only(void **state)
{
    (void)state;
    assert_gives("GRANT XPROCESS, PROCESSX, RELOAD ADMIN ON *.* TO `b`@`%`", "");
    assert_gives("GRANT BINLOG_ADMIN,FLUSH_TABLES,RELOAD_X ON *.* TO `b`@`%`", "");
    assert_gives("GRANT BINLOG_ADMIN,PROCESS ON *.* TO `b`@`%`", "p");
}

static void other_lines_give_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "GRANT",
        "GRANT PROCESS ON *.*",
        "GRANT ALL PRIVILEGES ON `shop`.* TO `b`@`%`",
        "GRANT SELECT, RELOAD ON `shop`.`t` TO `b`@`%`",
        "GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION",
        "GRANT `role` TO `b`@`%`",
        "GRANT `PROCESS` TO `b`@`%`",
        "SET DEFAULT ROLE `PROCESS, RELOAD ON *.* TO x` FOR `b`@`%`",
        "REVOKE PROCESS ON *.* FROM `b`@`%`",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_gives(lines[i], "");
}

/* Anybody who may create a database chooses such a name. */
static void names_cannot_pass_for_privileges(void **state)
{
    (void)state;
    assert_gives("GRANT SELECT ON `x, PROCESS, RELOAD ON *.* TO y`.* TO `b`@`%`", "");
    assert_gives("GRANT SELECT ON \"x, PROCESS, RELOAD ON *.* TO y\".* TO \"b\"@\"%\"", "");
    assert_gives("GRANT SELECT (`a`, RELOAD), PROCESS ON *.* TO `b`@`%`", "");
    assert_gives("GRANT PROCESS ON *.* TO `b, RELOAD ON *.* TO `@`%`", "p");
}

static void lines_add_up(void **state)
{
    (void)state;
    struct session_grants g = {false, false};
    session_grants_add(&g, "GRANT RELOAD ON *.* TO `b`@`%`");
    session_grants_add(&g, "GRANT SELECT ON `d`.* TO `b`@`%`");
    assert_true(g.reload);
    assert_false(g.process);
    session_grants_add(&g, "GRANT PROCESS ON *.* TO `role`");
    assert_true(g.reload && g.process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(global_privileges_count),
        cmocka_unit_test(whole_words_only),
        cmocka_unit_test(other_lines_give_nothing),
        cmocka_unit_test(names_cannot_pass_for_privileges),
        cmocka_unit_test(lines_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
