#include "support/fake_db.h"

#include "db/flavour.h"

static void versions_of_all_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool mariadb;
        unsigned version;
    } known[] = {
        {"10.11.6-MariaDB-0+deb12u1", true, 101106},
        {"10.11.6-MariaDB-log", true, 101106},
        {"5.5.5-10.6.12-MariaDB", true, 100612},
        {"5.5.5-10.4.34-MariaDB-1:10.4.34+maria~ubu2004-log", true, 100434},
        {"5.5.68-MariaDB", true, 50568},
        {"11.4.2-MariaDB", true, 110402},
        {"12.0.1-MariaDB-ubu2404", true, 120001},
        {"8.0.36", false, 80036},
        {"8.0.mysql_aurora.3.05.2", false, 80000},
        {"5.7.44-log", false, 50744},
        {"5.7.12", false, 50712},
        {"8.4.0-rds.20240501", false, 80400},
        {"9.1", false, 90100},
        {"", false, 0},
        {"unknown", false, 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct flavour f = flavour_of(known[i].text);
        assert_int_equal(f.mariadb, known[i].mariadb);
        assert_int_equal(f.version, known[i].version);
        assert_string_equal(flavour_name(f), known[i].mariadb ? "MariaDB" : "MySQL");
    }
}

static void what_they_can(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool history, rename;
    } known[] = {
        {"10.5.23-MariaDB", false, false}, {"10.6.0-MariaDB", false, false}, {"10.6.1-MariaDB", false, true},
        {"10.10.2-MariaDB", false, true},  {"10.11.0-MariaDB", true, true},  {"11.4.2-MariaDB", true, true},
        {"5.7.44", false, false},          {"8.0.11", false, true},          {"9.1.0", false, true},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct flavour f = flavour_of(known[i].text);
        assert_int_equal(flavour_loads_history(f), known[i].history);
        assert_int_equal(flavour_has_atomic_rename(f), known[i].rename);
    }
}

static void how_they_say_it(void **state)
{
    (void)state;
    struct flavour mariadb = flavour_of("11.4.2-MariaDB"), mysql = flavour_of("8.0.36"),
                   old = flavour_of("5.7.44-log");
    assert_string_equal(flavour_isolation_variable(mariadb), "tx_isolation");
    assert_string_equal(flavour_isolation_variable(mysql), "transaction_isolation");
    assert_string_equal(flavour_isolation_variable(old), "transaction_isolation");
    assert_string_equal(flavour_isolation_variable(flavour_of("5.7.19")), "tx_isolation");
    assert_string_equal(flavour_float_format(mariadb), "CAST(%s AS DOUBLE)");
    assert_string_equal(flavour_float_format(mysql), "%s*1e0");
    assert_string_equal(flavour_definer_privilege(mariadb), "SET USER");
    assert_string_equal(flavour_definer_privilege(mysql), "SET_USER_ID");
    assert_string_equal(flavour_definer_privilege(flavour_of("8.2.0")), "SET_ANY_DEFINER");
    assert_string_equal(flavour_definer_privilege(old), "SUPER");
    assert_string_equal(flavour_position_statement(mariadb), "SHOW MASTER STATUS");
    assert_string_equal(flavour_position_statement(old), "SHOW MASTER STATUS");
    assert_string_equal(flavour_position_statement(mysql), "SHOW MASTER STATUS");
    assert_string_equal(flavour_position_statement(flavour_of("8.2.0")), "SHOW BINARY LOG STATUS");
    assert_string_equal(flavour_position_statement(flavour_of("8.4.3")), "SHOW BINARY LOG STATUS");
    assert_string_equal(flavour_foreign_keys_table(mariadb), "INNODB_SYS_FOREIGN");
    assert_string_equal(flavour_foreign_keys_table(old), "INNODB_SYS_FOREIGN");
    assert_string_equal(flavour_foreign_keys_table(mysql), "INNODB_FOREIGN");
    assert_string_equal(flavour_ignored_key_expression(flavour_of("10.5.23-MariaDB")), "'NO'");
    assert_string_equal(flavour_ignored_key_expression(mariadb), "IGNORED");
    assert_string_equal(flavour_ignored_key_expression(old), "'NO'");
    assert_non_null(strstr(flavour_ignored_key_expression(mysql), "IS_VISIBLE"));
    assert_non_null(strstr(flavour_collations_statement(mariadb), "FULL_COLLATION_NAME"));
    assert_null(strstr(flavour_collations_statement(flavour_of("10.6.18-MariaDB")), "FULL_"));
    assert_null(strstr(flavour_collations_statement(mysql), "FULL_"));
    assert_string_equal(flavour_period_expression(mysql), "0");
    assert_non_null(strstr(flavour_generated_expression(mariadb), "IS_GENERATED"));
    assert_non_null(strstr(flavour_generated_expression(mysql), "GENERATION_EXPRESSION"));
}

static void what_proves_a_moment(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool positions, counter, stage, instance, at_once;
    } known[] = {
        {"10.11.6-MariaDB", true, true, true, false, true},
        {"10.5.1-MariaDB", true, true, true, false, true},
        {"10.2.44-MariaDB", true, false, false, false, false},
        {"5.7.44-log", false, false, false, false, false},
        {"8.0.11", false, false, false, true, false},
        {"9.1.0", false, false, false, true, false},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct flavour f = flavour_of(known[i].text);
        assert_int_equal(flavour_has_snapshot_positions(f), known[i].positions);
        assert_int_equal(flavour_counts_commits(f), known[i].counter);
        assert_int_equal(flavour_has_backup_stage(f), known[i].stage);
        assert_int_equal(flavour_has_instance_lock(f), known[i].instance);
        assert_int_equal(flavour_locks_without_waiting(f), known[i].at_once);
    }
}

static void assert_description(const char *recording, const char *want)
{
    struct db_conn *c;
    bool mariadb;
    fake_db_play(recording);
    assert_ok(db_connect(NULL, NULL, &c, NULL), (&(struct err){0}));
    struct flavour f = flavour_read(c);
    assert_string_equal(flavour_description(f), want);
    assert_true(flavour_parse(want, &mariadb));
    assert_int_equal(mariadb, f.mariadb);
    db_close(c);
    fake_db_end();
}

static void managed_servers_are_known(void **state)
{
    (void)state;
    assert_description("mysql-5.7", "MySQL");
    assert_description("mysql-8.0", "MySQL");
    assert_description("mysql-8.4", "MySQL");
    assert_description("mariadb-10.11", "MariaDB");
    assert_description("rds-mysql-8.0", "MySQL on RDS");
    assert_description("rds-mariadb-10.11", "MariaDB on RDS");
    assert_description("aurora-mysql-3", "MySQL on Aurora");
}

/* Where the folders tell nothing, the service's administrator or its procedures do; and nothing told is no
 * service. */
static void traces_of_the_service(void **state)
{
    (void)state;
    struct db_conn *c;
    fake_db_begin("10.6.14-MariaDB-log");
    fake_db_answer("SHOW GLOBAL VARIABLES...", "basedir\t/usr\n");
    fake_db_answer("SELECT EXISTS...", "1\n");
    assert_int_equal(db_connect(NULL, NULL, &c, NULL), ERR_OK);
    assert_string_equal(flavour_description(flavour_read(c)), "MariaDB on RDS");
    fake_db_answer("SELECT EXISTS...", "!1142 SELECT command denied");
    assert_string_equal(flavour_description(flavour_read(c)), "MariaDB");
    fake_db_answer("SHOW GLOBAL VARIABLES...", "!1227 denied");
    assert_string_equal(flavour_description(flavour_read(c)), "MariaDB");
    db_close(c);
    fake_db_end();
}

static void families_in_words(void **state)
{
    (void)state;
    bool mariadb;
    assert_true(flavour_parse("MariaDB", &mariadb) && mariadb);
    assert_true(flavour_parse("MariaDB on RDS", &mariadb) && mariadb);
    assert_true(flavour_parse("MySQL on Aurora", &mariadb) && !mariadb);
    assert_false(flavour_parse("MySQLish", &mariadb));
    assert_false(flavour_parse("", &mariadb));
    assert_false(flavour_parse("Percona", &mariadb));
    assert_string_equal(flavour_description(flavour_of("8.0.mysql_aurora.3.05.2")), "MySQL on Aurora");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_of_all_kinds),     cmocka_unit_test(what_they_can),
        cmocka_unit_test(how_they_say_it),           cmocka_unit_test(what_proves_a_moment),
        cmocka_unit_test(managed_servers_are_known), cmocka_unit_test(traces_of_the_service),
        cmocka_unit_test(families_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
