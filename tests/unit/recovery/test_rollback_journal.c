/* The journal of a rollback by way of an instance, in a store in a folder. */
#include "support/test.h"

#include "recovery/rollback_journal.h"

#include <string.h>

struct fixture {
    char *dir;
    struct store *store;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = tmpdir_make();
    *state = f;
    return store_folder_open(f->dir, false, &f->store, NULL) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_free(f->store);
    tmpdir_remove(f->dir);
    free(f);
    return 0;
}

static struct rollback_journal sample(void)
{
    return (struct rollback_journal){.owner = "h b 1 2",
                                     .snapshot = "dbsafe-p1-1",
                                     .cluster = true,
                                     .name = "prod",
                                     .resource = "cluster-1",
                                     .to = "prod-p1",
                                     .to_resource = "cluster-2",
                                     .old_name = "prod-old-1",
                                     .served = "cluster-2 cluster-3",
                                     .copy = "p1~copy-1.dbsafe.tar",
                                     .copy_tables = "shop.orders,shop.o*",
                                     .loaded = true};
}

static void comes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct rollback_journal j = sample(), got;
    assert_err(rollback_journal_get(f->store, "p1", &got, &err), ERR_NOT_FOUND, &err);
    assert_ok(rollback_journal_put(f->store, "p1", &j, &err), &err);
    assert_ok(rollback_journal_get(f->store, "p1", &got, &err), &err);
    assert_memory_equal(&got, &j, sizeof j);
    j = (struct rollback_journal){.snapshot = "s", .name = "n", .resource = "r", .to = "t", .finished = true};
    assert_ok(rollback_journal_put(f->store, "p1", &j, &err), &err);
    assert_ok(rollback_journal_get(f->store, "p1", &got, &err), &err);
    assert_memory_equal(&got, &j, sizeof j);
    assert_err(rollback_journal_get(f->store, "p2", &got, &err), ERR_NOT_FOUND, &err);
    assert_ok(rollback_journal_forget(f->store, "p1", &err), &err);
    assert_ok(rollback_journal_forget(f->store, "p1", &err), &err);
    assert_err(rollback_journal_get(f->store, "p1", &got, &err), ERR_NOT_FOUND, &err);
}

static void what_is_none(void **state)
{
    struct fixture *f = *state;
    char long_name[400];
    snprintf(long_name, sizeof long_name,
             "{\"dbsafe_rollback\":1,\"snapshot\":\"s\",\"resource\":\"r\",\"to\":\"t\",\"name\":\"%0300d\"}",
             0);
    const struct {
        const char *text;
        enum err_code code;
    } cases[] = {
        {"{", ERR_DAMAGED},
        {"[]", ERR_DAMAGED},
        {"{}", ERR_DAMAGED},
        {"{\"dbsafe_rollback\":1}", ERR_DAMAGED},
        {"{\"dbsafe_rollback\":2}", ERR_REFUSED},
        {"{\"dbsafe_rollback\":1,\"name\":\"n\",\"snapshot\":\"s\",\"to\":\"t\"}", ERR_DAMAGED},
        {long_name, ERR_DAMAGED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err;
        struct rollback_journal got;
        assert_ok(store_put_small(f->store, "p1~instance.json", cases[i].text, strlen(cases[i].text), &err),
                  &err);
        assert_err(rollback_journal_get(f->store, "p1", &got, &err), cases[i].code, &err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_none, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
