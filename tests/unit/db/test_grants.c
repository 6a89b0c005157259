#include "support/test.h"

#include "db/grants.h"

#include <string.h>

static struct grants *grants_of(const char *const *lines)
{
    struct grants *g = grants_new();
    for (; *lines; lines++)
        grants_add(g, *lines);
    return g;
}

/* The global privileges of one line as "process reload", in the order of the enumeration. */
static void assert_global(const char *line, const char *want)
{
    char got[512] = "";
    struct grants *g = grants_of((const char *const[]){line, NULL});
    for (enum privilege p = PRIV_PROCESS; p < PRIV_COUNT; p++)
        if (grants_have(g, p, NULL, NULL))
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", got[0] ? ", " : "",
                     privilege_name(p, false));
    grants_free(g);
    assert_string_equal(got, want);
}

static void global_privileges(void **state)
{
    (void)state;
    assert_global("GRANT PROCESS ON *.* TO `b`@`%`", "PROCESS");
    assert_global("GRANT SELECT, RELOAD, PROCESS, LOCK TABLES ON *.* TO `b`@`%`", "PROCESS, RELOAD");
    assert_global("GRANT SELECT, INSERT, RELOAD, SHOW DATABASES, BINLOG MONITOR ON *.* TO `b`@`%`",
                  "RELOAD, REPLICATION CLIENT");
    assert_global("GRANT REPLICATION CLIENT ON *.* TO `b`@`%`", "REPLICATION CLIENT");
    assert_global("GRANT BACKUP_ADMIN,FLUSH_TABLES ON *.* TO `b`@`%`", "FLUSH_TABLES, BACKUP_ADMIN");
    assert_global("GRANT SET USER, CONNECTION ADMIN ON *.* TO `b`@`%`", "CONNECTION_ADMIN, SET_USER_ID");
    assert_global("GRANT SET_ANY_DEFINER,CONNECTION_ADMIN ON *.* TO `b`@`%`",
                  "CONNECTION_ADMIN, SET_USER_ID");
    assert_global("GRANT USAGE ON *.* TO `b`@`%`", "");
    assert_global("GRANT SELECT, process ON *.* TO 'b'@'%' IDENTIFIED BY PASSWORD "
                  "'*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29'",
                  "PROCESS");
    assert_global(
        "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` IDENTIFIED BY PASSWORD '*0' WITH GRANT OPTION",
        "PROCESS, RELOAD, FLUSH_TABLES, REPLICATION CLIENT, BACKUP_ADMIN, SUPER, CONNECTION_ADMIN, "
        "SET_USER_ID");
}

static void whole_words_only(void **state)
{
    (void)state;
    assert_global("GRANT XPROCESS, PROCESSX, RELOAD ADMIN ON *.* TO `b`@`%`", "");
    assert_global("GRANT BINLOG_ADMIN,FLUSH_STATUS,RELOAD_X ON *.* TO `b`@`%`", "");
    assert_global("GRANT BINLOG_ADMIN,PROCESS ON *.* TO `b`@`%`", "PROCESS");
}

static void other_lines_give_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "GRANT",
        "GRANT ",
        "GRANT PROCESS ON *.*",
        "GRANT ALL PRIVILEGES ON `shop`.* TO `b`@`%`",
        "GRANT SELECT, RELOAD ON `shop`.`t` TO `b`@`%`",
        "GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION",
        "GRANT `role` TO `b`@`%`",
        "GRANT `PROCESS` TO `b`@`%`",
        "GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `b`@`%`",
        "SET DEFAULT ROLE `PROCESS, RELOAD ON *.* TO x` FOR `b`@`%`",
        "REVOKE PROCESS ON *.* FROM `b`@`%`",
    };
    for (size_t i = 0; i + 1 < sizeof lines / sizeof lines[0]; i++)
        assert_global(lines[i], "");
}

/* Anybody who may create a database chooses such a name. */
static void names_cannot_pass_for_privileges(void **state)
{
    (void)state;
    assert_global("GRANT SELECT ON `x, PROCESS, RELOAD ON *.* TO y`.* TO `b`@`%`", "");
    assert_global("GRANT SELECT ON \"x, PROCESS, RELOAD ON *.* TO y\".* TO \"b\"@\"%\"", "");
    assert_global("GRANT SELECT ON `x``, PROCESS ON *.* TO `.* TO `b`@`%`", "");
    assert_global("GRANT SELECT ON `never ends, PROCESS ON *.* TO b", "");
    assert_global("GRANT SELECT (`a`, RELOAD), PROCESS ON *.* TO `b`@`%`", "PROCESS");
    assert_global("GRANT PROCESS ON *.* TO `b, RELOAD ON *.* TO `@`%`", "PROCESS");
    assert_global("GRANT `a, PROCESS ON *.* TO ` TO `b`@`%`", "");
}

static void databases_and_tables(void **state)
{
    (void)state;
    struct grants *g = grants_of((const char *const[]){
        "GRANT USAGE ON *.* TO `b`@`10.0.%`", "GRANT SELECT, LOCK TABLES ON `shop`.* TO `b`@`10.0.%`",
        "GRANT SELECT, TRIGGER ON `other`.`t` TO `b`@`10.0.%`",
        "GRANT SELECT (`a`), SHOW VIEW ON `other`.`u` TO `b`@`10.0.%`",
        "GRANT ALL PRIVILEGES ON `dbsafe\\_%`.* TO `b`@`10.0.%`", "GRANT EVENT ON `a_c`.* TO `b`@`10.0.%`",
        NULL});
    static const struct {
        enum privilege p;
        const char *schema, *table;
        bool want;
    } cases[] = {
        {PRIV_SELECT, "shop", NULL, true},
        {PRIV_SELECT, "shop", "any", true},
        {PRIV_LOCK_TABLES, "shop", NULL, true},
        {PRIV_TRIGGER, "shop", "any", false},
        {PRIV_SELECT, "Shop", NULL, false},
        {PRIV_SELECT, "shops", NULL, false},
        {PRIV_SELECT, NULL, NULL, false},
        {PRIV_SELECT, "other", "t", true},
        {PRIV_SELECT, "other", NULL, false},
        {PRIV_LOCK_TABLES, "other", "t", false},
        {PRIV_SELECT, "other", "u", false},
        {PRIV_SHOW_VIEW, "other", "u", true},
        {PRIV_CREATE, "dbsafe_stage_1", NULL, true},
        {PRIV_DROP, "dbsafe_", NULL, true},
        {PRIV_DROP, "dbsafeX1", NULL, false},
        {PRIV_DROP, "dbsafe", NULL, false},
        {PRIV_PROCESS, "dbsafe_1", NULL, false},
        {PRIV_EVENT, "abc", NULL, true},
        {PRIV_EVENT, "ac", NULL, false},
        {PRIV_EVENT, "abbc", NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (grants_have(g, cases[i].p, cases[i].schema, cases[i].table) != cases[i].want)
            fail_msg("%s on %s.%s", privilege_name(cases[i].p, true), cases[i].schema, cases[i].table);
    assert_string_equal(grants_account(g), "`b`@`10.0.%`");
    assert_false(grants_name_roles(g));
    grants_free(g);
}

static void quoted_quotes_in_names(void **state)
{
    (void)state;
    struct grants *g = grants_of((const char *const[]){"GRANT SELECT ON `a``b`.`c``` TO `it's`@`%`",
                                                       "GRANT SELECT ON `%`.* TO `it's`@`%`", NULL});
    assert_true(grants_have(g, PRIV_SELECT, "a`b", "c`"));
    assert_true(grants_have(g, PRIV_SELECT, "anything", NULL));
    assert_string_equal(grants_account(g), "`it's`@`%`");
    grants_free(g);
}

/* MySQL 8 with partial_revokes. */
static void revoked_again(void **state)
{
    (void)state;
    struct grants *g = grants_of((const char *const[]){
        "GRANT SELECT, INSERT, LOCK TABLES ON *.* TO `b`@`%`", "REVOKE INSERT ON `shop`.* FROM `b`@`%`",
        "REVOKE SELECT, INSERT ON `mysql`.* FROM `b`@`%`", NULL});
    assert_true(grants_have(g, PRIV_SELECT, "shop", NULL));
    assert_false(grants_have(g, PRIV_INSERT, "shop", "t"));
    assert_true(grants_have(g, PRIV_INSERT, "other", NULL));
    assert_false(grants_have(g, PRIV_SELECT, "mysql", "user"));
    assert_true(grants_have(g, PRIV_LOCK_TABLES, "mysql", NULL));
    grants_free(g);
}

/* As MariaDB 10.11 prints an account with an active role: the role's lines follow the account's. */
static void roles_of_mariadb(void **state)
{
    (void)state;
    struct grants *g = grants_of((const char *const[]){
        "GRANT `backup` TO `b`@`localhost`",
        "GRANT USAGE ON *.* TO `b`@`localhost` IDENTIFIED BY PASSWORD '*0'",
        "GRANT RELOAD, PROCESS ON *.* TO `backup`", "GRANT SELECT, LOCK TABLES ON `shop`.* TO `backup`",
        "GRANT EVENT ON `shop`.* TO PUBLIC", "SET DEFAULT ROLE `backup` FOR `b`@`localhost`", NULL});
    assert_true(grants_have(g, PRIV_EVENT, "shop", NULL));
    assert_true(grants_name_roles(g));
    assert_true(grants_have(g, PRIV_RELOAD, NULL, NULL));
    assert_true(grants_have(g, PRIV_LOCK_TABLES, "shop", NULL));
    assert_string_equal(grants_account(g), "`b`@`localhost`");
    grants_free(g);
}

/* As the documentation of RDS for MySQL 8.0.36 lists the rights of its master user, in the form of SHOW
 * GRANTS. */
static void master_user_of_rds(void **state)
{
    (void)state;
    struct grants *g = grants_of(
        (const char *const[]){"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, "
                              "REFERENCES, INDEX, ALTER, SHOW DATABASES, CREATE"
                              " TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION "
                              "CLIENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE,"
                              " ALTER ROUTINE, CREATE USER, EVENT, TRIGGER, CREATE ROLE, DROP ROLE ON *.* TO "
                              "`admin`@`%` WITH GRANT OPTION",
                              "GRANT APPLICATION_PASSWORD_ADMIN,ROLE_ADMIN,SET_USER_ID,XA_RECOVER_ADMIN ON "
                              "*.* TO `admin`@`%` WITH GRANT OPTION",
                              "GRANT `rds_superuser_role`@`%` TO `admin`@`%`", NULL});
    for (enum privilege p = 0; p < PRIV_COUNT; p++) {
        bool want = p != PRIV_SUPER && p != PRIV_BACKUP_ADMIN && p != PRIV_FLUSH_TABLES &&
                    p != PRIV_CONNECTION_ADMIN && p != PRIV_SHOW_ROUTINE;
        if (grants_have(g, p, p < PRIV_PROCESS ? "shop" : NULL, NULL) != want)
            fail_msg("%s", privilege_name(p, false));
    }
    assert_true(grants_name_roles(g));
    assert_string_equal(grants_account(g), "`admin`@`%`");
    grants_free(g);
}

static void statements_to_run(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1000);
    struct grants *g = grants_of((const char *const[]){"GRANT USAGE ON *.* TO `b`@`%`", NULL});
    grants_put_statement(g, "SELECT, EVENT", "my_d`b%\\", NULL, &out);
    assert_string_equal(buf_cstr(&out), "GRANT SELECT, EVENT ON `my\\_d``b\\%\\\\`.* TO `b`@`%`");
    buf_clear(&out);
    grants_put_statement(g, "PROCESS", NULL, NULL, &out);
    assert_string_equal(buf_cstr(&out), "GRANT PROCESS ON *.* TO `b`@`%`");
    buf_clear(&out);
    grants_put_statement(g, "SELECT", "my_db", "a_t", &out); /* no pattern, no escapes */
    assert_string_equal(buf_cstr(&out), "GRANT SELECT ON `my_db`.`a_t` TO `b`@`%`");
    grants_free(g);
    buf_free(&out);
}

static void texts_of_routines(void **state)
{
    (void)state;
    static const struct {
        const char *version, *line;
        bool shown;
        const char *grant;
    } known[] = {
        {"10.11.6-MariaDB", "GRANT ALL PRIVILEGES ON `a_b`.* TO `u`@`%`", false, "SELECT ON mysql.proc"},
        {"10.11.6-MariaDB", "GRANT SELECT ON `mysql`.`proc` TO `u`@`%`", true, "SELECT ON mysql.proc"},
        {"10.11.6-MariaDB", "GRANT SELECT ON *.* TO `u`@`%`", true, "SELECT ON mysql.proc"},
        {"11.4.2-MariaDB", "GRANT SHOW CREATE ROUTINE ON `a_b`.* TO `u`@`%`", true,
         "SHOW CREATE ROUTINE ON `a\\_b`.*"},
        {"11.4.2-MariaDB", "GRANT SELECT ON `mysql`.`proc` TO `u`@`%`", true,
         "SHOW CREATE ROUTINE ON `a\\_b`.*"},
        {"11.4.2-MariaDB", "GRANT SHOW CREATE ROUTINE ON `other`.* TO `u`@`%`", false,
         "SHOW CREATE ROUTINE ON `a\\_b`.*"},
        {"8.0.36", "GRANT SHOW_ROUTINE ON *.* TO `u`@`%`", true, "SHOW_ROUTINE ON *.*"},
        {"8.0.36", "GRANT ALL PRIVILEGES ON `a_b`.* TO `u`@`%`", false, "SHOW_ROUTINE ON *.*"},
        {"8.0.19", "GRANT SELECT ON *.* TO `u`@`%`", true, "SELECT ON *.*"},
        {"5.7.44", "GRANT SELECT ON `mysql`.`proc` TO `u`@`%`", true, "SELECT ON mysql.proc"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct flavour f = flavour_of(known[i].version);
        struct grants *g = grants_of((const char *const[]){known[i].line, NULL});
        struct buf out;
        buf_init(&out, 1000);
        grants_put_show_routine(f, "a_b", &out);
        if (grants_show_routines(g, f, "a_b") != known[i].shown)
            fail_msg("%s: %s", known[i].version, known[i].line);
        assert_string_equal(buf_cstr(&out), known[i].grant);
        buf_free(&out);
        grants_free(g);
    }
}

static void words_of_both_families(void **state)
{
    (void)state;
    assert_string_equal(privilege_name(PRIV_REPLICATION_CLIENT, true), "BINLOG MONITOR");
    assert_string_equal(privilege_name(PRIV_REPLICATION_CLIENT, false), "REPLICATION CLIENT");
    for (enum privilege p = 0; p < PRIV_COUNT; p++)
        assert_true(privilege_name(p, true)[0] && privilege_name(p, false)[0]);
    grants_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(global_privileges),
        cmocka_unit_test(whole_words_only),
        cmocka_unit_test(other_lines_give_nothing),
        cmocka_unit_test(names_cannot_pass_for_privileges),
        cmocka_unit_test(databases_and_tables),
        cmocka_unit_test(quoted_quotes_in_names),
        cmocka_unit_test(revoked_again),
        cmocka_unit_test(roles_of_mariadb),
        cmocka_unit_test(master_user_of_rds),
        cmocka_unit_test(statements_to_run),
        cmocka_unit_test(texts_of_routines),
        cmocka_unit_test(words_of_both_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
