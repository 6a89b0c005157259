#include "support/store_sample.h"
#include "support/test.h"

#include "recovery/point.h"

#include <string.h>

#define NOW INT64_C(1700000000000)

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

/* Everything set. */
static struct point *full(const char *name)
{
    static const char *const names[] = {"shop", "`we\"ird\n`.*"}, *const excludes[] = {"logs"},
                             *const tags[] = {"v1", "v2"};
    struct point *p = point_new(name);
    p->state = POINT_COMPLETE;
    p->created_ms = NOW;
    p->completed_ms = NOW + 60000;
    p->expires_ms = NOW + 7 * DAY_MS;
    p->person = "ana@example";
    p->owner = "host boot 1 2";
    p->target = "root@db.example.com:3306";
    p->server_version = "10.11.6-MariaDB";
    p->server_identity = "db1:3306 /data/ uid";
    p->names = names;
    p->name_count = 2;
    p->excludes = excludes;
    p->exclude_count = 1;
    p->before = (struct coordinates){NOW, "bin.000001", 4711, "0-1-2"};
    p->after = (struct coordinates){NOW + 5000, "", 0, NULL};
    p->archive = (struct point_archive){.name = "a.dbsafe.tar",
                                        .done = true,
                                        .run_id = "0123456789ab",
                                        .manifest_sha256 = "00ff",
                                        .method = "binlog-position",
                                        .bytes = UINT64_C(5000000000),
                                        .plain_bytes = UINT64_C(20000000000),
                                        .tables = 3,
                                        .rows = 17,
                                        .at = {NOW + 1000, "bin.000001", 4800, NULL},
                                        .verified_ms = NOW + 2000,
                                        .unusable = true};
    p->drill = (struct point_drill){.passed_ms = NOW + 3000, .took_ms = 12345, .server_version = "11.4"};
    p->snapshot = (struct point_snapshot){.instance = "db1",
                                          .id = "before-v12",
                                          .arn = "arn:aws:rds:eu-west-1:123456789012:snapshot:before-v12",
                                          .cluster = true,
                                          .requested_ms = NOW,
                                          .created_ms = NOW + 1000,
                                          .available_ms = NOW + 4000,
                                          .gib = 100};
    p->git = (struct point_git){"0123456789012345678901234567890123456789", "main", tags, 2};
    p->estimate =
        (struct point_estimate){.known = true, .likely_ms = 60001, .most_ms = 90002, .rto_ms = 1800000};
    p->obstacle_count = 1;
    p->obstacles = excludes;
    return p;
}

static void json_of(const struct point *p, struct buf *out)
{
    struct err err;
    struct json_out j;
    json_out_begin(&j, out, 0);
    json_out_object_open(&j, NULL);
    point_put_json(p, &j);
    json_out_object_close(&j);
    assert_ok(json_out_end(&j, &err), &err);
}

/* Written, read, and written again it is the same text. */
static void expect_round_trip(struct point *p)
{
    struct err err;
    struct buf first, second;
    struct point *read;
    buf_init(&first, 100000);
    buf_init(&second, 100000);
    json_of(p, &first);
    assert_ok(point_read_json(first.data, first.len, &read, &err), &err);
    json_of(read, &second);
    assert_string_equal(buf_cstr(&first), buf_cstr(&second));
    point_free(read);
    buf_free(&first);
    buf_free(&second);
}

static void a_record_comes_back(void **state)
{
    (void)state;
    struct point *p = full("a.b-c_9");
    expect_round_trip(p);
    p->state = POINT_DELETING;
    p->keep = true;
    p->expires_ms = 0;
    expect_round_trip(p);
    point_free(p);
    p = point_new("empty");
    p->created_ms = NOW;
    expect_round_trip(p);
    p->estimate.unknown_why = "denied";
    p->archive.name = "x";
    expect_round_trip(p);
    point_free(p);
}

static void damaged_records_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err_code code;
        const char *part;
    } cases[] = {
        {"", ERR_DAMAGED, "JSON"},
        {"[]", ERR_DAMAGED, "JSON"},
        {"{}", ERR_DAMAGED, "no record"},
        {"{\"dbsafe_point\":2,\"name\":\"x\"}", ERR_REFUSED, "newer"},
        {"{\"dbsafe_point\":1,\"name\":\"../x\"}", ERR_DAMAGED, "no record"},
        {"{\"dbsafe_point\":1,\"name\":\"x\",\"state\":\"odd\",\"created\":\"2026-01-01T00:00:00Z\"}",
         ERR_DAMAGED, "state"},
        {"{\"dbsafe_point\":1,\"name\":\"x\",\"state\":\"creating\"}", ERR_DAMAGED, "created"},
        {"{\"dbsafe_point\":1,\"name\":\"x\",\"state\":\"creating\",\"created\":\"yesterday\"}", ERR_DAMAGED,
         "created"},
        {"{\"dbsafe_point\":1,\"name\":\"x\",\"state\":\"complete\",\"created\":\"2026-01-01T00:00:00Z\"}",
         ERR_DAMAGED, "state"},
        {"{\"dbsafe_point\":1,\"name\":\"x\",\"state\":\"creating\",\"created\":\"2026-01-01T00:00:00Z\","
         "\"names\":[1]}",
         ERR_DAMAGED, "names"},
        {"{\"dbsafe_point\":1,\"name\":\"x\",\"state\":\"creating\",\"created\":\"2026-01-01T00:00:00Z\","
         "\"archive\":{\"name\":\"a\",\"done\":true}}",
         ERR_DAMAGED, "archive"},
        {"{\"dbsafe_point\":1,\"name\":\"x\",\"state\":\"creating\",\"created\":\"2026-01-01T00:00:00Z\","
         "\"archive\":{\"name\":\"a\",\"bytes\":-1}}",
         ERR_DAMAGED, "bytes"},
        {"{\"dbsafe_point\":1,\"name\":\"x\",\"state\":\"creating\",\"created\":\"2026-01-01T00:00:00Z\","
         "\"before\":{\"at\":\"2026-01-01T00:00:00Z\"}}",
         ERR_DAMAGED, "binlog_file"},
        {"{\"dbsafe_point\":1,\"name\":\"x\",\"state\":\"creating\",\"created\":\"2026-01-01T00:00:00Z\","
         "\"estimate\":{\"seconds\":-3}}",
         ERR_DAMAGED, "seconds"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err;
        struct point *p;
        assert_err(point_read_json(cases[i].text, strlen(cases[i].text), &p, &err), cases[i].code, &err);
        assert_null(p);
        if (!strstr(err.text, cases[i].part))
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

static void names(void **state)
{
    (void)state;
    struct err err;
    char name[POINT_NAME_MAX + 2];
    static const char *const bad[] = {"", ".a", "-a", "a/b", "a b", "a~b", "\xC3\xA4", "a\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_err(point_check_name(bad[i], &err), ERR_USAGE, &err);
    memset(name, 'x', sizeof name);
    name[POINT_NAME_MAX + 1] = '\0';
    assert_err(point_check_name(name, &err), ERR_USAGE, &err);
    name[POINT_NAME_MAX] = '\0';
    assert_ok(point_check_name(name, &err), &err);
    assert_ok(point_check_name("_v12.3-b", &err), &err);
}

static void protection_and_expiry(void **state)
{
    (void)state;
    struct point *p = full("x");
    assert_true(point_is_protected(p, NOW + POINT_PROTECTED_MS - 1));
    assert_false(point_is_protected(p, NOW + POINT_PROTECTED_MS));
    assert_false(point_is_expired(p, NOW + 7 * DAY_MS - 1));
    assert_true(point_is_expired(p, NOW + 7 * DAY_MS));
    p->keep = true;
    assert_false(point_is_expired(p, NOW + 70 * DAY_MS));
    p->keep = false;
    p->expires_ms = NOW + 1; /* not while it is protected */
    assert_false(point_is_expired(p, NOW + 2));
    p->state = POINT_CREATING;
    assert_false(point_is_protected(p, NOW));
    assert_false(point_is_expired(p, NOW + 70 * DAY_MS));
    assert_string_equal(point_kind_text(p), "archive and snapshot");
    p->snapshot.instance = NULL;
    assert_string_equal(point_kind_text(p), "archive");
    point_free(p);
}

static void the_store(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct point *a = full("a"), *b = full("b"), *read;
    struct point_list list;
    unsigned unreadable;
    a->created_ms = NOW + 5000;
    assert_err(point_get(f->store, "a", &read, &err), ERR_NOT_FOUND, &err);
    assert_ok(point_put(f->store, a, true, &err), &err);
    assert_err(point_put(f->store, a, true, &err), ERR_REFUSED, &err);
    a->person = "other";
    assert_ok(point_put(f->store, a, false, &err), &err);
    assert_ok(point_get(f->store, "a", &read, &err), &err);
    assert_string_equal(read->person, "other");
    point_free(read);
    assert_ok(point_put(f->store, b, true, &err), &err);
    put_bytes(f->dir, "a~rollback-20260101T000000Z.json", "{}");
    put_bytes(f->dir, "other.txt", "");
    assert_ok(point_list(f->store, &list, NULL, &err), &err);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0]->name, "b"); /* the older one */
    point_list_free(&list);
    put_bytes(f->dir, "c.json", "{");
    assert_err(point_list(f->store, &list, NULL, &err), ERR_DAMAGED, &err);
    point_list_free(&list);
    assert_ok(point_list(f->store, &list, &unreadable, &err), &err);
    assert_int_equal(list.count, 2);
    assert_int_equal(unreadable, 1);
    point_list_free(&list);
    struct buf text;
    buf_init(&text, 100000);
    json_of(a, &text);
    put_bytes(f->dir, "renamed.json", buf_cstr(&text));
    assert_err(point_get(f->store, "renamed", &read, &err), ERR_DAMAGED, &err);
    assert_null(read);
    assert_ok(point_forget(f->store, "a", &err), &err);
    assert_ok(point_forget(f->store, "a", &err), &err);
    assert_err(point_get(f->store, "a", &read, &err), ERR_NOT_FOUND, &err);
    buf_free(&text);
    point_free(a);
    point_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back),
        cmocka_unit_test(damaged_records_are_told),
        cmocka_unit_test(names),
        cmocka_unit_test(protection_and_expiry),
        cmocka_unit_test_setup_teardown(the_store, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
