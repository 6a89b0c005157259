/* Reports of results made here; those of real rollbacks are looked at in tests/e2e/test_rollback.py. */
#include "support/test.h"

#include "core/mem.h"
#include "recovery/report.h"

#include <string.h>

#define NOW INT64_C(1700000000000)

static struct rollback_result result(void)
{
    static const struct clock unused = {NULL, NULL, NULL};
    static struct progress progress;
    static const struct run run = {.clock = &unused, .progress = &progress};
    struct rollback_result r = {
        .needed = true, .done = true, .rto_ms = 60000, .target = xstrdup("root@<db>")};
    r.point = point_new("p1");
    r.point->created_ms = NOW;
    r.point->archive =
        (struct point_archive){.name = "a.tar", .tables = 2, .rows = 9, .at = {.at_ms = NOW, .file = ""}};
    r.restore = (struct restore_result){
        .tables = 2, .rows = 9, .verified = true, .swapped = true, .restore_id = "id1"};
    r.steps = (struct steps){.run = &run,
                             .started_ms = NOW + 42,
                             .count = 3,
                             .items = {{"first", 0, 0, 10000},
                                       {"waiting for confirmation", 0, 10000, 30000},
                                       {"last", 0, 30000, 40000}}};
    r.waited_ms = 20000;
    verify_add_problem(&r.changes, "s.<t>", "%s", "5 rows now");
    r.tables_changed = 1;
    return r;
}

static void expect_page(struct rollback_result *r, const char *part, bool there)
{
    struct err err;
    struct buf out;
    buf_init(&out, REPORT_MAX_BYTES);
    assert_ok(report_html(r, &out, &err), &err);
    if ((strstr(buf_cstr(&out), part) != NULL) != there)
        fail_msg("%s is %sin the page", part, there ? "not " : "");
    buf_free(&out);
}

static void what_was_done(void **state)
{
    (void)state;
    struct rollback_result r = result();
    assert_string_equal(report_verdict(&r), "done");
    assert_int_equal(rollback_counted_ms(&r), 20000);
    expect_page(&r, "s.&lt;t&gt;", true);
    expect_page(&r, "root@&lt;db&gt;", true);
    expect_page(&r, "<t>", false);
    expect_page(&r, "20.0 seconds of the 1 minutes", true);
    expect_page(&r, "Another 20.0 seconds", true);
    expect_page(&r, "left:25.00%;width:50.00%", true);
    expect_page(&r, "What was undone", true);
    expect_page(&r, "dbsafe undo id1", true);
    expect_page(&r, "rto over", false);
    r.rto_ms = 19000;
    expect_page(&r, "rto over", true);
    expect_page(&r, "over it", true);
    rollback_result_free(&r);
}

static void what_was_not(void **state)
{
    (void)state;
    struct rollback_result r = result();
    r.done = false;
    r.restore.swapped = false;
    err_set(&r.failed, ERR_TIMEOUT, "locks & <keys>");
    assert_string_equal(report_verdict(&r), "failed");
    expect_page(&r, "The rollback failed. The live tables are as they were", true);
    expect_page(&r, "locks &amp; &lt;keys&gt;", true);
    expect_page(&r, "dbsafe undo", false);
    r.restore.unknown = true;
    assert_string_equal(report_verdict(&r), "unknown");
    expect_page(&r, "whether they are is not known", true);
    expect_page(&r, "as they were before", false);
    r.restore.unknown = false;
    r.restore.swapped = true;
    assert_string_equal(report_verdict(&r), "unfinished");
    expect_page(&r, "The tables were exchanged, but not all", true);
    expect_page(&r, "as they were before", false);
    expect_page(&r, "dbsafe undo id1", true);
    r.done = true;
    assert_string_equal(report_verdict(&r), "done, with an error after it");
    r.failed.code = ERR_OK;
    r.dry_run = true;
    assert_string_equal(report_verdict(&r), "dry run");
    expect_page(&r, "nothing was changed", true);
    r.needed = false;
    assert_string_equal(report_verdict(&r), "nothing to do");
    rollback_result_free(&r);
}

static void by_way_of_an_instance(void **state)
{
    (void)state;
    struct rollback_result r = result();
    struct rollback_instance *i = &r.instance;
    r.via = ROLLBACK_INSTANCE;
    i->journal = (struct rollback_journal){
        .name = "prod", .to = "prod-p1", .snapshot = "s1", .old_name = "prod-old-1"};
    expect_page(&r, "The live one was not touched", true);
    expect_page(&r, "dbsafe undo", false);
    i->then = ROLLBACK_RENAME;
    i->cut_over = true;
    expect_page(&r, "The live name belongs to the new instance", true);
    expect_page(&r, "prod-old-1; it stays", true);
    expect_page(&r, "--cutover back", true);
    i->then = ROLLBACK_COPY;
    i->cut_over = false;
    i->copied = (struct restore_result){.restore_id = "id2"};
    expect_page(&r, "dbsafe undo id2", true);
    err_set(&r.failed, ERR_AWS, "no");
    r.done = false;
    expect_page(&r, "The same command goes on", true);
    expect_page(&r, "The live tables are as they were before it", false);
    rollback_result_free(&r);
}

static void kept_beside_the_point(void **state)
{
    (void)state;
    struct err err;
    struct store *store;
    struct buf text;
    char *dir = tmpdir_make(), *html, *json;
    struct rollback_result r = result();
    buf_init(&text, REPORT_MAX_BYTES);
    assert_int_equal(store_folder_open(dir, false, &store, NULL), ERR_OK);
    assert_ok(report_store(&r, store, &html, &json, &err), &err);
    assert_non_null(strstr(html, "/p1~rollback-20231114T221320.042Z.html"));
    assert_non_null(strstr(json, "/p1~rollback-20231114T221320.042Z.json"));
    assert_ok(store_get_small(store, "p1~rollback-20231114T221320.042Z.json", &text, &err), &err);
    assert_non_null(strstr(buf_cstr(&text), "\"verdict\": \"done\""));
    assert_non_null(strstr(buf_cstr(&text), "\"seconds\": 20.000"));
    buf_free(&text);
    store_free(store);
    tmpdir_remove(dir);
    free(html);
    free(json);
    rollback_result_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_done),
        cmocka_unit_test(what_was_not),
        cmocka_unit_test(by_way_of_an_instance),
        cmocka_unit_test(kept_beside_the_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
