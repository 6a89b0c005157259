#include "db/innodb_status.h"

#include "support/test.h"

#define BEFORE                                                                                               \
    "=====\nTRANSACTIONS\n------------\nTrx id counter 4711\nPurge done for trx's n:o < 4710 undo n:o < 0\n"

static bool settled(const char *text)
{
    struct innodb_status s;
    assert_true(innodb_status_parse(text, &s));
    return s.settled;
}

static void test_counter(void **state)
{
    (void)state;
    struct innodb_status s;
    assert_true(innodb_status_parse(BEFORE "LIST OF TRANSACTIONS FOR EACH SESSION:\n", &s));
    assert_int_equal(s.trx_counter, 4711);
    assert_true(s.settled);
    assert_true(innodb_status_parse("Trx id counter 18446744073709551615\n", &s));
    assert_true(s.trx_counter == UINT64_MAX);
    assert_false(innodb_status_parse("", &s));
    assert_false(innodb_status_parse("Trx id counter none", &s));
}

static void test_active_transactions_are_no_commit(void **state)
{
    (void)state;
    assert_true(settled(BEFORE "LIST OF TRANSACTIONS FOR EACH SESSION:\n"
                               "---TRANSACTION 421, not started\n0 lock struct(s)\n"
                               "---TRANSACTION 4709, ACTIVE 2 sec inserting\n"
                               "---TRANSACTION 4708, ACTIVE (PREPARED) 9 sec\n"));
}

static void test_commit_under_way(void **state)
{
    (void)state;
    assert_false(settled(BEFORE "LIST OF TRANSACTIONS FOR EACH SESSION:\n"
                                "---TRANSACTION 421, not started\n"
                                "---TRANSACTION 4709, ACTIVE 0 sec committing\n"));
    assert_false(settled(BEFORE "LIST OF TRANSACTIONS FOR EACH SESSION:\n"
                                "---TRANSACTION 4709, COMMITTED IN MEMORY flushing log\n"
                                "---TRANSACTION 421, not started\n"));
}

/* Statements are printed too, on lines of their own. */
static void test_words_of_a_statement(void **state)
{
    (void)state;
    assert_true(settled(BEFORE "LIST OF TRANSACTIONS FOR EACH SESSION:\n"
                               "---TRANSACTION 4709, ACTIVE 2 sec\n"
                               "SELECT 'committing', 'COMMITTED IN MEMORY'\n"));
}

/* Nothing is known of transactions that are not shown. */
static void test_incomplete_list(void **state)
{
    (void)state;
    assert_false(settled(BEFORE));
    assert_false(settled(BEFORE "LIST OF TRANSACTIONS FOR EACH SESSION:\n---TRANSACTION 421, not started\n"
                                "... truncated...\nEND OF INNODB MONITOR OUTPUT\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter),          cmocka_unit_test(test_active_transactions_are_no_commit),
        cmocka_unit_test(test_commit_under_way), cmocka_unit_test(test_words_of_a_statement),
        cmocka_unit_test(test_incomplete_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
