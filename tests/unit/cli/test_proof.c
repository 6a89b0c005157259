#include "support/test.h"

#include "cli/proof.h"

#include <string.h>

#define NAME   "20231114T221320Z-shop-0123456789ab.dbsafe.tar"
#define RUN_ID "0123456789ab"
#define SIZE   4711

struct fixture {
    char *dir;
    struct store *store;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct err err;
    f->dir = tmpdir_make();
    if (store_folder_open(f->dir, false, &f->store, &err) != ERR_OK)
        return -1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_free(f->store);
    tmpdir_remove(f->dir);
    free(f);
    return 0;
}

static void write_proof(struct fixture *f, enum proof_kind kind, int64_t when_ms)
{
    struct err err;
    assert_ok(proof_write(f->store, NAME, RUN_ID, SIZE, kind, when_ms, &err), &err);
}

static void assert_proof(struct fixture *f, const char *expected)
{
    char text[PROOF_TEXT_BYTES];
    struct proof p = proof_read(f->store, NAME, RUN_ID, SIZE);
    assert_string_equal(proof_text(&p, text), expected);
}

static void the_stronger_one_stays(void **state)
{
    struct fixture *f = *state;
    assert_proof(f, "none");
    write_proof(f, PROOF_BYTES, 1000);
    assert_proof(f, "bytes 1970-01-01T00:00:01Z");
    write_proof(f, PROOF_BYTES, 2000);
    assert_proof(f, "bytes 1970-01-01T00:00:02Z");
    write_proof(f, PROOF_RESTORED, 3000);
    assert_proof(f, "restored 1970-01-01T00:00:03Z");
    write_proof(f, PROOF_BYTES, 4000);
    assert_proof(f, "restored 1970-01-01T00:00:03Z");
    write_proof(f, PROOF_RESTORED, 5000);
    assert_proof(f, "restored 1970-01-01T00:00:05Z");
}

static void counts_for_its_archive_only(void **state)
{
    struct fixture *f = *state;
    write_proof(f, PROOF_RESTORED, 1000);
    assert_int_equal(proof_read(f->store, NAME, "ffffffffffff", SIZE).kind, PROOF_NONE);
    assert_int_equal(proof_read(f->store, NAME, RUN_ID, SIZE + 1).kind, PROOF_NONE);
    assert_int_equal(proof_read(f->store, "other.dbsafe.tar", RUN_ID, SIZE).kind, PROOF_NONE);
}

static void can_be_taken_back(void **state)
{
    struct fixture *f = *state;
    struct err err;
    write_proof(f, PROOF_RESTORED, 1000);
    assert_ok(proof_remove(f->store, NAME, &err), &err);
    assert_proof(f, "none");
    assert_ok(proof_remove(f->store, NAME, &err), &err);
}

static void goes_along_with_a_copy(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_ok(proof_copy(f->store, NAME, f->store, "copy.dbsafe.tar", RUN_ID, SIZE, &err), &err);
    assert_int_equal(proof_read(f->store, "copy.dbsafe.tar", RUN_ID, SIZE).kind, PROOF_NONE);
    write_proof(f, PROOF_RESTORED, 1000);
    assert_ok(proof_copy(f->store, NAME, f->store, "copy.dbsafe.tar", RUN_ID, SIZE, &err), &err);
    struct proof p = proof_read(f->store, "copy.dbsafe.tar", RUN_ID, SIZE);
    assert_int_equal(p.kind, PROOF_RESTORED);
    assert_string_equal(p.date, "1970-01-01T00:00:01Z");
}

static void what_is_no_proof_proves_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"run_id\":\"0123456789ab\",\"bytes\":4711,\"kind\":\"restored\"}",
        "{\"run_id\":\"0123456789ab\",\"bytes\":4711,\"kind\":\"restored\",\"date\":\"today\"}",
        "{\"run_id\":\"0123456789ab\",\"bytes\":4711,\"kind\":\"blessed\",\"date\":\"2026-01-01T00:00:00Z\"}",
        "{\"run_id\":\"0123456789ab\",\"bytes\":4711,\"kind\":7,\"date\":\"2026-01-01T00:00:00Z\"}",
        "{\"run_id\":\"0123456789ab\",\"bytes\":\"4711\",\"kind\":\"bytes\",\"date\":\"2026-01-01T00:00:"
        "00Z\"}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct err err;
        assert_ok(store_put_small(f->store, NAME ".proof.json", texts[i], strlen(texts[i]), &err), &err);
        assert_proof(f, "none");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_stronger_one_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_for_its_archive_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(goes_along_with_a_copy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(can_be_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_proof_proves_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("cli/proof", tests, NULL, NULL);
}
