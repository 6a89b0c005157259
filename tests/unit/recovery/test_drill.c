/* Attestations; the drill itself is tested with real servers in tests/e2e/test_drill.py. */
#include "support/memory.h"
#include "support/store_sample.h"
#include "support/test.h"

#include "archive/name.h"
#include "archive/reader.h"
#include "recovery/drill.h"

#include <jansson.h>
#include <string.h>

struct fixture {
    char *dir;
    struct store *store;
    struct source *source;
    struct manifest *manifest;
    struct progress progress;
    struct run run;
    struct drill_result result;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = tmpdir_make();
    put_sample(f->dir, "a.dbsafe.tar");
    f->run = (struct run){.clock = clock_system(), .progress = &f->progress};
    if (store_folder_open(f->dir, false, &f->store, NULL) != ERR_OK ||
        store_open(f->store, "a.dbsafe.tar", &f->source, NULL) != ERR_OK ||
        archive_read_manifest(f->source, &f->manifest, NULL) != ERR_OK)
        return -1;
    f->result = (struct drill_result){.begun = true, .server_version = "10.11.99-MariaDB"};
    steps_begin(&f->result.steps, &f->run);
    steps_next(&f->result.steps, "restoring");
    steps_end(&f->result.steps);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    drill_result_free(&f->result);
    manifest_free(f->manifest);
    source_free(f->source);
    store_free(f->store);
    tmpdir_remove(f->dir);
    free(f);
    return 0;
}

static json_t *attest(struct fixture *f, const struct err *why)
{
    struct err err;
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_ok(drill_attest(&f->run, f->store, "a.dbsafe.tar", f->source, f->manifest, &f->result, why, &err),
              &err);
    assert_ok(store_get_small(f->store, "a.dbsafe.tar" DRILL_SUFFIX, &text, &err), &err);
    json_t *root = json_loadb(text.data, text.len, 0, NULL);
    assert_non_null(root);
    buf_free(&text);
    return root;
}

static void what_passed_is_attested(void **state)
{
    struct fixture *f = *state;
    f->result.passed = true;
    f->result.rows = f->manifest->rows;
    json_t *root = attest(f, NULL);
    assert_true(json_is_true(json_object_get(root, "passed")));
    assert_true(json_is_null(json_object_get(root, "error")));
    assert_string_equal(json_string_value(json_object_get(root, "run_id")), "0123456789ab");
    assert_string_equal(json_string_value(json_object_get(root, "server_version")), "10.11.99-MariaDB");
    json_t *tables = json_object_get(root, "tables");
    assert_int_equal(json_array_size(tables), f->manifest->table_count);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(tables, 0), "rows")), 6);
    json_decref(root);
}

static void a_failure_is_attested_over_it(void **state)
{
    struct fixture *f = *state;
    struct err why;
    json_decref(attest(f, NULL));
    err_set(&why, ERR_DIFFERS, "one table differs");
    verify_add_problem(&f->result.compared, "shop.orders", "5 rows now");
    json_t *root = attest(f, &why);
    assert_true(json_is_false(json_object_get(root, "passed")));
    assert_string_equal(json_string_value(json_object_get(root, "error")), "one table differs");
    json_t *problem = json_array_get(json_object_get(root, "problems"), 0);
    assert_string_equal(json_string_value(json_object_get(problem, "where")), "shop.orders");
    json_decref(root);
}

static void only_some_errors_are_about_the_archive(void **state)
{
    (void)state;
    assert_true(drill_is_verdict(ERR_OK));
    assert_true(drill_is_verdict(ERR_DIFFERS));
    assert_true(drill_is_verdict(ERR_DAMAGED));
    assert_false(drill_is_verdict(ERR_DB));
    assert_false(drill_is_verdict(ERR_SIGINT));
    assert_false(drill_is_verdict(ERR_REFUSED));
}

static void an_archive_of_mysql_is_refused_before_anything_starts(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct drill_result result;
    const struct drill_options options = {.threads = 1}; /* no keeper: it must not come so far */
    f->manifest->server.flavour = "MySQL";
    f->manifest->server.version = "8.0.36";
    assert_err(drill_run(&f->run, f->source, f->manifest, &options, &result, &err), ERR_REFUSED, &err);
    assert_non_null(strstr(err.text, "MySQL 8.0.36"));
    assert_false(result.begun);
    drill_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_passed_is_attested, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_is_attested_over_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_some_errors_are_about_the_archive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_archive_of_mysql_is_refused_before_anything_starts, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
