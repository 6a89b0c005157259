#include "support/test.h"

#include "core/process.h"
#include "recovery/point_claim.h"

#include <string.h>

struct fixture {
    char *dir;
    struct point_stores stores;
    struct run run;
};

static const char *const names[] = {"shop", "crm.people"};

static enum err_code open_points(void *arg, struct store **out, struct err *err)
{
    return store_folder_open(arg, true, out, err);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = tmpdir_make();
    f->run = (struct run){.cancel = NULL, .clock = clock_system()};
    f->stores = (struct point_stores){.open_points = open_points, .arg = f->dir};
    *state = f;
    return store_folder_open(f->dir, false, &f->stores.points, NULL) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_free(f->stores.points);
    tmpdir_remove(f->dir);
    free(f);
    return 0;
}

static struct point_request request(void)
{
    return (struct point_request){
        .name = "p", .dump = {.names = names, .name_count = 2}, .person = "ana@example"};
}

static const struct server_mark here = {"db1:3306 /data uid1", "ana@db1:3306"};

static void expect_on(struct fixture *f, const struct server_mark *server, const struct point_request *r,
                      enum err_code want, bool existed, bool resumed);

static void expect(struct fixture *f, const struct point_request *r, enum err_code want, bool existed,
                   bool resumed)
{
    expect_on(f, &here, r, want, existed, resumed);
}

static void expect_on(struct fixture *f, const struct server_mark *server, const struct point_request *r,
                      enum err_code want, bool existed, bool resumed)
{
    struct err err = {.code = ERR_OK};
    struct point *p;
    bool was_there, went_on;
    enum err_code code = point_claim(&f->run, &f->stores, r, server, &p, &was_there, &went_on, &err);
    assert_string_equal(err_name(code), err_name(want));
    assert_int_equal(p != NULL, want == ERR_OK);
    if (want == ERR_OK) {
        assert_int_equal(was_there, existed);
        assert_int_equal(went_on, resumed);
    }
    point_free(p);
}

/* Changes the record as if others had. */
static void set(struct fixture *f, enum point_state s, const char *owner)
{
    struct err err;
    struct point *p;
    assert_ok(point_get(f->stores.points, "p", &p, &err), &err);
    p->state = s;
    p->owner = owner;
    p->completed_ms = p->created_ms;
    p->archive = (struct point_archive){.name = "a", .done = true, .run_id = "r", .manifest_sha256 = "m"};
    assert_ok(point_put(f->stores.points, p, false, &err), &err);
    point_free(p);
}

static void a_name_is_taken_once(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct point *p;
    struct point_request r = request();
    expect(f, &r, ERR_OK, false, false);
    assert_ok(point_get(f->stores.points, "p", &p, &err), &err);
    assert_int_equal(process_life_of(p->owner), PROCESS_ALIVE);
    assert_string_equal(p->person, "ana@example");
    assert_string_equal(p->names[1], "crm.people");
    point_free(p);
    expect(f, &r, ERR_LOCKED, false, false); /* this process lives */
    set(f, POINT_CREATING, NULL);
    expect(f, &r, ERR_OK, false, true);
    set(f, POINT_CREATING, "otherhost 11111111-2222-3333-4444-555555555555 1 1");
    expect(f, &r, ERR_LOCKED, false, false);
    r.take_over = true;
    expect(f, &r, ERR_OK, false, true);
    set(f, POINT_COMPLETE, NULL);
    expect(f, &r, ERR_OK, true, false);
    set(f, POINT_DELETING, NULL);
    expect(f, &r, ERR_REFUSED, false, false);
}

static void another_request_may_not_have_it(void **state)
{
    struct fixture *f = *state;
    struct point_request r = request();
    expect(f, &r, ERR_OK, false, false);
    for (int i = 0; i < 2; i++) {
        set(f, i ? POINT_COMPLETE : POINT_CREATING, NULL);
        r = request();
        r.dump.name_count = 1;
        expect(f, &r, ERR_REFUSED, false, false);
        r = request();
        r.dump.excludes = names;
        r.dump.exclude_count = 1;
        expect(f, &r, ERR_REFUSED, false, false);
        r = request();
        r.instance = "db1";
        expect(f, &r, ERR_REFUSED, false, false);
    }
}

static void another_server_may_not_have_it(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct point *p;
    const struct server_mark other = {"db2:3306 /data uid2", "ana@db2:3306"},
                             unknown = {NULL, "ana@db1:3306"};
    struct point_request r = request();
    expect(f, &r, ERR_OK, false, false);
    for (int i = 0; i < 2; i++) {
        set(f, i ? POINT_COMPLETE : POINT_CREATING, NULL);
        expect_on(f, &other, &r, ERR_REFUSED, false, false);
        expect_on(f, &unknown, &r, ERR_OK, i, !i);
        set(f, i ? POINT_COMPLETE : POINT_CREATING, NULL);
        expect(f, &r, ERR_OK, i, !i);
    }
    assert_ok(point_get(f->stores.points, "p", &p, &err), &err);
    assert_string_equal(p->server_identity, here.identity);
    point_free(p);
}

static void an_expired_one_is_none(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct point *p;
    struct point_request r = request();
    expect(f, &r, ERR_OK, false, false);
    set(f, POINT_COMPLETE, NULL);
    assert_ok(point_get(f->stores.points, "p", &p, &err), &err);
    p->created_ms = INT64_C(1600000000000);
    p->expires_ms = p->created_ms + 7 * DAY_MS;
    assert_ok(point_put(f->stores.points, p, false, &err), &err);
    point_free(p);
    expect(f, &r, ERR_REFUSED, false, false);
    r.keep = true;
    expect(f, &r, ERR_OK, true, false);
}

static void nothing_is_recorded_without_what_was_asked_for(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct point *p;
    struct point_request r = request();
    r.git_folder = "/no/such/folder";
    expect(f, &r, ERR_NOT_FOUND, false, false);
    assert_err(point_get(f->stores.points, "p", &p, &err), ERR_NOT_FOUND, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_name_is_taken_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_request_may_not_have_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_server_may_not_have_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_expired_one_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_recorded_without_what_was_asked_for, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
