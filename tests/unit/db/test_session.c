#include "support/fake_db.h"

#include "db/session.h"

#define READ_BACK                                                                                            \
    "SELECT @@session.time_zone, @@session.sql_mode, @@session.transaction_isolation,"                       \
    " IFNULL(@@session.character_set_results, 'binary'), @@session.character_set_client,"                    \
    " @@session.sql_select_limit"
#define UNLIMITED "\t18446744073709551615\n"

static enum err_code set_up(const char *read_back, struct err *err)
{
    struct db_conn *c;
    fake_db_begin("8.0.36");
    fake_db_answer(READ_BACK, read_back);
    assert_ok(db_connect(NULL, NULL, &c, err), err);
    enum err_code code = session_for_reading(c, err);
    db_close(c);
    return code;
}

static void settings_that_took(void **state)
{
    (void)state;
    struct err err;
    assert_ok(set_up("+00:00\t\tREPEATABLE-READ\tbinary\tbinary" UNLIMITED, &err), &err);
    assert_true(fake_db_sent((const char *const[]){
        "1: SET NAMES binary", "time_zone='+00:00'", "sql_mode=''",
        "1: SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "1: SELECT", NULL}));
    fake_db_end();
}

/* In READ COMMITTED a consistent snapshot is none, silently. */
static void settings_that_did_not(void **state)
{
    (void)state;
    static const struct {
        const char *read_back, *named;
    } cases[] = {
        {"SYSTEM\t\tREPEATABLE-READ\tbinary\tbinary" UNLIMITED, "time_zone"},
        {"+00:00\tANSI\tREPEATABLE-READ\tbinary\tbinary" UNLIMITED, "sql_mode"},
        {"+00:00\t\tREAD-COMMITTED\tbinary\tbinary" UNLIMITED, "isolation level is 'READ-COMMITTED'"},
        {"+00:00\t\tREPEATABLE-READ\tutf8mb4\tbinary" UNLIMITED, "character_set_results"},
        {"+00:00\t\tREPEATABLE-READ\tbinary\t\\N" UNLIMITED, "character_set_client is 'NULL'"},
        {"+00:00\t\tREPEATABLE-READ\tbinary\tbinary\t1000\n", "sql_select_limit is '1000'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err;
        assert_err(set_up(cases[i].read_back, &err), ERR_DB, &err);
        if (!strstr(err.text, cases[i].named))
            fail_msg("'%s' is not in '%s'", cases[i].named, err.text);
        fake_db_end();
    }
}

static void tables_as_they_were(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum err_code code;
    } cases[] = {
        {"", ERR_OK},
        {"!1227 Access denied; you need (at least one of) the SYSTEM_VARIABLES_ADMIN or "
         "SESSION_VARIABLES_ADMIN privilege(s)",
         ERR_OK},
        {"!2013 Lost connection", ERR_DB_LOST},
        {"!1193 Unknown system variable 'innodb_strict_mode'", ERR_DB},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {0};
        struct db_conn *c;
        fake_db_begin("8.0.36");
        fake_db_answer("SET SESSION innodb_strict_mode=0", cases[i].answer);
        assert_ok(db_connect(NULL, NULL, &c, &err), &err);
        assert_string_equal(err_name(session_for_creating(c, &err)), err_name(cases[i].code));
        assert_true(
            fake_db_sent((const char *const[]){"foreign_key_checks=0", "NO_ENGINE_SUBSTITUTION", NULL}));
        db_close(c);
        fake_db_end();
    }
}

static void lock_wait(void **state)
{
    (void)state;
    struct err err;
    struct db_conn *c;
    fake_db_begin("8.0.36");
    assert_ok(db_connect(NULL, NULL, &c, &err), &err);
    assert_ok(session_lock_wait(c, 7, &err), &err);
    assert_true(fake_db_sent((const char *const[]){"SET SESSION lock_wait_timeout=7", NULL}));
    db_close(c);
    fake_db_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_took),
        cmocka_unit_test(settings_that_did_not),
        cmocka_unit_test(tables_as_they_were),
        cmocka_unit_test(lock_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
