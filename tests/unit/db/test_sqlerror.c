#include "support/test.h"

#include "db/sqlerror.h"

#include <errmsg.h>
#include <mysqld_error.h>

static void what_numbers_mean(void **state)
{
    (void)state;
    static const struct {
        unsigned number;
        enum err_code code;
        bool denied;
    } cases[] = {
        {CR_SERVER_GONE_ERROR, ERR_DB_LOST, false},
        {CR_SERVER_LOST, ERR_DB_LOST, false},
        {2055, ERR_DB_LOST, false},
        {ER_CONNECTION_KILLED, ERR_DB_LOST, false},
        {ER_SERVER_SHUTDOWN, ERR_DB_LOST, false},
        {ER_LOCK_WAIT_TIMEOUT, ERR_DB_RETRY, false},
        {ER_LOCK_DEADLOCK, ERR_DB_RETRY, false},
        {ER_ACCESS_DENIED_ERROR, ERR_CONFIG,
         true}, /* at the login; managed servers say it to statements too */
        {ER_ACCESS_DENIED_NO_PASSWORD_ERROR, ERR_CONFIG, true},
        {ER_SPECIFIC_ACCESS_DENIED_ERROR, ERR_DB, true},
        {ER_DBACCESS_DENIED_ERROR, ERR_DB, true},
        {ER_TABLEACCESS_DENIED_ERROR, ERR_DB, true},
        {ER_COLUMNACCESS_DENIED_ERROR, ERR_DB, true},
        {ER_PROCACCESS_DENIED_ERROR, ERR_DB, true},
        {ER_NO_SUCH_TABLE, ERR_DB, false},
        {ER_PARSE_ERROR, ERR_DB, false},
        {0, ERR_DB, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(err_name(sql_error_code(cases[i].number)), err_name(cases[i].code));
        assert_int_equal(sql_error_is_denied(cases[i].number), cases[i].denied);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_numbers_mean)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
