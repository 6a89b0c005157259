/* InnoDB's numbers of tables, played.  Real ones: tests/e2e/test_dump_consistency.py. */
#include "support/fake_db.h"

#include "db/innodb_tables.h"

static struct innodb_table tables[] = {
    {"shop", "orders", 9}, {"shop", "parted", 9}, {"crm", "orders", 9}, {"shop", "myisam", 9}};

static enum err_code identify(const char *answer, const char *version, struct err *err)
{
    struct db_conn *c;
    fake_db_begin(version);
    fake_db_answer("SELECT CONVERT(...", answer);
    assert_ok(db_connect(NULL, NULL, &c, err), err);
    enum err_code code = innodb_tables_identify(c, tables, 4, err);
    assert_true(fake_db_sent(
        (const char *const[]){version[0] == '8' ? ".INNODB_TABLES " : ".INNODB_SYS_TABLES ", NULL}));
    db_close(c);
    fake_db_end();
    return code;
}

#define ROWS(orders, p0, p1)                                                                                 \
    "crm\torders\t17\nother\tt\t18\nshop\torders\t" orders "\nshop\tparted\t" p0 "\nshop\tparted\t" p1       \
    "\n\\N\t\\N\t5\n"

static void each_table_and_each_partition_counts(void **state)
{
    (void)state;
    struct err err;
    assert_ok(identify(ROWS("20", "21", "22"), "10.11.6-MariaDB", &err), &err);
    const uint64_t orders = tables[0].identity, parted = tables[1].identity, other = tables[2].identity;
    assert_true(orders != 0 && parted != 0 && other != 0 && orders != other);
    assert_int_equal(tables[3].identity, 0);
    assert_ok(identify(ROWS("20", "21", "22"), "8.0.36", &err), &err);
    assert_true(tables[0].identity == orders && tables[1].identity == parted);
    assert_ok(identify(ROWS("23", "22", "21"), "10.11.6-MariaDB", &err), &err);
    assert_true(tables[0].identity != orders && tables[1].identity != parted && tables[2].identity == other);
}

static void without_the_privilege_nothing_is_known(void **state)
{
    (void)state;
    struct err err;
    assert_err(identify("!1227 Access denied; you need (at least one of) the PROCESS privilege(s)",
                        "10.11.6-MariaDB", &err),
               ERR_DB, &err);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(tables[i].identity, 0);
    assert_err(identify("!2013 Lost connection to server during query", "10.11.6-MariaDB", &err), ERR_DB_LOST,
               &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_table_and_each_partition_counts),
        cmocka_unit_test(without_the_privilege_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
