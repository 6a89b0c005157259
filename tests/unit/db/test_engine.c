#include "support/test.h"

#include "db/engine.h"

static void engines_without_rows_of_their_own(void **state)
{
    (void)state;
    assert_true(engine_writes_elsewhere("MRG_MyISAM"));
    assert_true(engine_writes_elsewhere("federated"));
    assert_false(engine_writes_elsewhere("InnoDB"));
    assert_false(engine_writes_elsewhere("MyISAM"));
    assert_false(engine_writes_elsewhere(""));
    assert_false(engine_writes_elsewhere(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(engines_without_rows_of_their_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
