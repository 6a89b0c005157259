/* Points with snapshots, by a fake of src/rds; those without are deleted in tests/e2e/test_point.py. */
#include "support/fake_snapshots.h"
#include "support/store_sample.h"
#include "support/test.h"

#include "recovery/point_delete.h"

struct fixture {
    char *dir, *points_dir;
    struct point_stores stores;
    struct run run;
    struct fake_snapshots snapshots;
};

static enum err_code open_points(void *arg, struct store **out, struct err *err)
{
    return store_folder_open(arg, true, out, err);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = tmpdir_make();
    if (asprintf(&f->points_dir, "%s/points", f->dir) < 0)
        return -1;
    f->run = (struct run){.cancel = NULL, .clock = clock_system()};
    f->stores = (struct point_stores){.open_points = open_points, .arg = f->points_dir};
    fake_snapshots_init(&f->snapshots);
    *state = f;
    return store_folder_open(f->dir, false, &f->stores.archives, NULL) == ERR_OK &&
                   store_folder_open(f->points_dir, true, &f->stores.points, NULL) == ERR_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    buf_free(&f->snapshots.log);
    store_free(f->stores.points);
    store_free(f->stores.archives);
    free(f->points_dir);
    tmpdir_remove(f->dir);
    free(f);
    return 0;
}

/* A point of long ago with a snapshot. */
static void put_point(struct fixture *f, const char *name, enum point_state s)
{
    struct err err;
    struct point *p = point_new(name);
    p->state = s;
    p->created_ms = p->completed_ms = INT64_C(1600000000000);
    p->archive =
        (struct point_archive){.name = "a.dbsafe.tar", .done = true, .run_id = "r", .manifest_sha256 = "m"};
    p->snapshot = (struct point_snapshot){.instance = "db1", .id = "snap", .cluster = true};
    assert_ok(point_put(f->stores.points, p, true, &err), &err);
    put_bytes(f->dir, "a.dbsafe.tar", "x");
    put_bytes(f->dir, "a.dbsafe.tar.proof.json", "x");
    put_bytes(f->dir, "a.dbsafe.tar.drill.json", "x");
    put_bytes(f->dir, "a.dbsafe.tar.gpg", "x");
    put_bytes(f->dir, "b.dbsafe.tar", "x");
    point_free(p);
}

static bool has(struct fixture *f, const char *name)
{
    struct source *src = NULL;
    bool found = store_open(f->stores.archives, name, &src, NULL) == ERR_OK;
    source_free(src);
    return found;
}

static enum err_code try_delete(struct fixture *f, bool force, bool with_rds, struct err *err)
{
    struct point *p;
    const struct point_delete_options options = {.force = force,
                                                 .snapshots = with_rds ? &f->snapshots.base : NULL};
    enum err_code code = point_delete(&f->run, &f->stores, "p", &options, &p, err);
    point_free(p);
    return code;
}

static enum err_code delete (struct fixture *f, bool with_rds, struct err *err) {
    return try_delete(f, true, with_rds, err);
}

/* An unfinished point is not protected; the snapshot is. */
static void a_protected_snapshot_protects_its_point(void **state)
{
    struct fixture *f = *state;
    struct err err;
    put_point(f, "p", POINT_CREATING);
    f->snapshots.last = true;
    assert_err(try_delete(f, false, true, &err), ERR_REFUSED, &err);
    assert_non_null(strstr(err.text, "--force"));
    assert_string_equal(buf_cstr(&f->snapshots.log), "");
    assert_true(has(f, "a.dbsafe.tar"));
    f->snapshots.last = false;
    assert_ok(try_delete(f, false, true, &err), &err);
    put_point(f, "p", POINT_DELETING); /* it was decided before the run died */
    f->snapshots.last = true;
    assert_ok(try_delete(f, false, true, &err), &err);
}

static void snapshot_archive_and_record_go(void **state)
{
    struct fixture *f = *state;
    struct err err;
    put_point(f, "p", POINT_COMPLETE);
    assert_err(delete (f, false, &err), ERR_REFUSED, &err); /* this program has no RDS */
    assert_true(has(f, "a.dbsafe.tar"));
    assert_ok(delete (f, true, &err), &err);
    assert_string_equal(buf_cstr(&f->snapshots.log), "remove snap (cluster); ");
    assert_false(has(f, "a.dbsafe.tar"));
    assert_false(has(f, "a.dbsafe.tar.proof.json"));
    assert_false(has(f, "a.dbsafe.tar.drill.json"));
    assert_true(has(f, "a.dbsafe.tar.gpg")); /* not ours */
    assert_true(has(f, "b.dbsafe.tar"));
    assert_err(delete (f, true, &err), ERR_NOT_FOUND, &err);
}

static void what_is_gone_already_is_fine_and_what_fails_is_gone_on_with(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct point *p;
    put_point(f, "p", POINT_COMPLETE);
    f->snapshots.fails = ERR_AWS;
    assert_err(delete (f, true, &err), ERR_AWS, &err);
    assert_true(has(f, "a.dbsafe.tar")); /* in this order: what costs money is never forgotten */
    assert_ok(point_get(f->stores.points, "p", &p, &err), &err);
    assert_int_equal(p->state, POINT_DELETING);
    point_free(p);
    f->snapshots.fails = ERR_NOT_FOUND;
    assert_ok(delete (f, true, &err), &err);
    assert_false(has(f, "a.dbsafe.tar"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_protected_snapshot_protects_its_point, set_up, tear_down),
        cmocka_unit_test_setup_teardown(snapshot_archive_and_record_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_gone_already_is_fine_and_what_fails_is_gone_on_with, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
