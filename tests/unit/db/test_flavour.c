#include "support/test.h"

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
    struct flavour mariadb = flavour_of("11.4.2-MariaDB"), mysql = flavour_of("8.0.36");
    assert_string_equal(flavour_isolation_variable(mariadb), "tx_isolation");
    assert_string_equal(flavour_isolation_variable(mysql), "transaction_isolation");
    assert_string_equal(flavour_float_format(mariadb), "CAST(%s AS DOUBLE)");
    assert_string_equal(flavour_float_format(mysql), "%s*1e0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_of_all_kinds),
        cmocka_unit_test(what_they_can),
        cmocka_unit_test(how_they_say_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
