#include "support/store_sample.h"
#include "support/test.h"

#include "recovery/prune.h"

#include <string.h>
#include <utime.h>

/* A folder store with sample archives; their names say when they were taken. */
struct fixture {
    char *dir;
    struct store *store;
    struct progress progress;
    struct run run;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = tmpdir_make();
    if (store_folder_open(f->dir, false, &f->store, NULL) != ERR_OK)
        return -1;
    f->run = (struct run){.cancel = cancel_new(), .clock = clock_system(), .progress = &f->progress};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    cancel_free(f->run.cancel);
    store_free(f->store);
    tmpdir_remove(f->dir);
    free(f);
    return 0;
}

static void make_old(struct fixture *f, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    assert_int_equal(utime(path, &(struct utimbuf){.actime = 1000, .modtime = 1000}), 0);
}

static const char *name_of(unsigned day, const char *label, char out[ARCHIVE_NAME_BYTES])
{
    archive_name_format(INT64_C(1700000000000) + day * INT64_C(86400000), label, "0123456789ab", out);
    return out;
}

static void put_archive(struct fixture *f, unsigned day, const char *label)
{
    char name[ARCHIVE_NAME_BYTES];
    put_sample(f->dir, name_of(day, label, name));
}

static void put_damaged(struct fixture *f, unsigned day, const char *label)
{
    char name[ARCHIVE_NAME_BYTES];
    put_bytes(f->dir, name_of(day, label, name), "no archive");
}

/* "3 night, 5 night" of all archives with that fate. */
static void expect_fate(const struct prune_plan *p, enum prune_fate fate, const char *want)
{
    struct buf got;
    buf_init(&got, 10000);
    for (size_t i = 0; i < p->count; i++)
        if (p->archives[i].fate == fate)
            buf_putf(&got, "%s%d %s", got.len ? ", " : "",
                     (int)((p->archives[i].created_ms - INT64_C(1700000000000)) / 86400000),
                     p->archives[i].label);
    assert_string_equal(buf_cstr(&got), want);
    buf_free(&got);
}

static void plan(struct fixture *f, unsigned keep_last, const char *label, struct prune_plan *p)
{
    struct err err;
    struct prune_options options = {.keep_last = keep_last, .label = label};
    assert_ok(prune_plan_make(&f->run, f->store, &options, p, &err), &err);
}

static void the_newest_of_each_label_stay(void **state)
{
    struct fixture *f = *state;
    struct prune_plan p;
    for (unsigned day = 1; day <= 4; day++)
        put_archive(f, day, "night");
    put_archive(f, 2, "day");
    put_archive(f, 9, "day");
    plan(f, 2, NULL, &p);
    expect_fate(&p, PRUNE_REMOVE, "1 night, 2 night");
    expect_fate(&p, PRUNE_KEEP, "2 day, 3 night, 4 night, 9 day");
    assert_int_equal(p.removals, 2);
    assert_true(p.bytes > 1000);
    prune_plan_free(&p);
    plan(f, 1, "day", &p);
    expect_fate(&p, PRUNE_REMOVE, "2 day");
    assert_int_equal(p.count, 2);
    prune_plan_free(&p);
    plan(f, 0, NULL, &p); /* nothing was asked for */
    expect_fate(&p, PRUNE_REMOVE, "");
    prune_plan_free(&p);
    plan(f, 99, NULL, &p);
    expect_fate(&p, PRUNE_REMOVE, "");
    prune_plan_free(&p);
}

/* The archive of a point that expires is no way back any more when the older ones are removed. */
static void archives_that_go_with_their_points_do_not_count(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct prune_plan p;
    char names[3][ARCHIVE_NAME_BYTES];
    put_archive(f, 1, "night");
    put_archive(f, 2, "night");
    put_archive(f, 3, "night");
    put_archive(f, 4, "day");
    put_damaged(f, 5, "day");
    put_archive(f, 6, "day");
    put_archive(f, 7, "other");
    const char *expiring[] = {name_of(3, "night", names[0]), name_of(4, "day", names[1]),
                              name_of(6, "day", names[2])};
    struct prune_options options = {.keep_last = 1, .expiring = expiring, .expiring_count = 3};
    assert_ok(prune_plan_make(&f->run, f->store, &options, &p, &err), &err);
    expect_fate(&p, PRUNE_EXPIRES, "3 night, 4 day");
    expect_fate(&p, PRUNE_KEEP, "2 night, 7 other");
    expect_fate(&p, PRUNE_REMOVE, "1 night");
    expect_fate(&p, PRUNE_UNREADABLE, "5 day");
    expect_fate(&p, PRUNE_SPARED, "6 day");
    assert_int_equal(p.kept, 4);
    assert_true(prune_plan_spares(&p, names[2]));
    assert_false(prune_plan_spares(&p, names[1]));
    prune_plan_free(&p);
    /* The last one of its label is spared too when no archives, or those of another label, are to go. */
    options.keep_last = 0;
    assert_ok(prune_plan_make(&f->run, f->store, &options, &p, &err), &err);
    expect_fate(&p, PRUNE_REMOVE, "");
    expect_fate(&p, PRUNE_EXPIRES, "3 night, 4 day");
    expect_fate(&p, PRUNE_SPARED, "6 day");
    prune_plan_free(&p);
    options.keep_last = 1;
    options.label = "night";
    assert_ok(prune_plan_make(&f->run, f->store, &options, &p, &err), &err);
    expect_fate(&p, PRUNE_REMOVE, "1 night");
    expect_fate(&p, PRUNE_SPARED, "6 day");
    assert_int_equal(p.count, 4);
    assert_int_equal(p.kept, 2);
    prune_plan_free(&p);
}

static void a_damaged_archive_does_not_count(void **state)
{
    struct fixture *f = *state;
    struct prune_plan p;
    put_archive(f, 1, "night");
    put_archive(f, 2, "night");
    put_damaged(f, 3, "night");
    put_damaged(f, 4, "night");
    put_damaged(f, 1, "lost");
    put_damaged(f, 2, "lost");
    plan(f, 1, NULL, &p);
    expect_fate(&p, PRUNE_REMOVE, "1 night");
    expect_fate(&p, PRUNE_KEEP, "2 night");
    expect_fate(&p, PRUNE_UNREADABLE, "1 lost, 2 lost, 3 night, 4 night");
    prune_plan_free(&p);
}

static void other_objects_are_left_alone(void **state)
{
    struct fixture *f = *state;
    struct prune_plan p;
    struct err err;
    char name[ARCHIVE_NAME_BYTES], companion[200], path[200];
    put_archive(f, 1, "night");
    put_archive(f, 2, "night");
    put_sample(f->dir, "mine.dbsafe.tar");
    put_bytes(f->dir, "mine.dbsafe.tar.proof.json", "{}");
    put_bytes(f->dir, "notes.txt", "x");
    put_bytes(f->dir, "dbsafe.tar", "x");
    /* What other tools put beside an archive that goes, and what looks like a companion of none. */
    snprintf(path, sizeof path, "%s.gpg", name_of(1, "night", name));
    put_bytes(f->dir, path, "x");
    static const char *const others[] = {"20200101T000000Z-x-0123456789ab.dbsafe.tar.gpg",
                                         "gold.dbsafe.tar.proof.json",
                                         "20200101T000000Z-x-0123456789ab.dbsafe.tar.proof.json.bak"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        put_bytes(f->dir, others[i], "x");
        make_old(f, others[i]);
    }
    for (unsigned day = 1; day <= 2; day++) {
        snprintf(companion, sizeof companion, "%s.proof.json", name_of(day, "night", name));
        put_bytes(f->dir, companion, "{}");
        snprintf(companion, sizeof companion, "%s.drill.json", name);
        put_bytes(f->dir, companion, "{}");
    }
    plan(f, 1, NULL, &p);
    assert_int_equal(p.companion_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_non_null(strstr(p.companions[i], name_of(1, "night", name)));
    assert_ok(prune_plan_apply(&f->run, f->store, &p, &err), &err);
    prune_plan_free(&p);
    plan(f, 1, NULL, &p);
    expect_fate(&p, PRUNE_REMOVE, "");
    expect_fate(&p, PRUNE_KEEP, "2 night");
    assert_int_equal(p.companion_count, 0);
    prune_plan_free(&p);
    struct source *source;
    const char *const kept[] = {"mine.dbsafe.tar",
                                "mine.dbsafe.tar.proof.json",
                                "notes.txt",
                                "dbsafe.tar",
                                path,
                                others[0],
                                others[1],
                                others[2]};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        assert_ok(store_open(f->store, kept[i], &source, &err), &err);
        source_free(source);
    }
}

/* A prune that was killed between an archive and its proof. */
static void companions_without_an_archive_go_when_they_are_old(void **state)
{
    struct fixture *f = *state;
    struct prune_plan p;
    char name[ARCHIVE_NAME_BYTES], path[600];
    put_archive(f, 2, "night");
    snprintf(path, sizeof path, "%s.proof.json", name_of(1, "night", name));
    put_bytes(f->dir, path, "{}");
    plan(f, 1, NULL, &p);
    assert_int_equal(p.companion_count, 0); /* its archive may just have come */
    prune_plan_free(&p);
    make_old(f, path);
    plan(f, 1, NULL, &p);
    assert_int_equal(p.companion_count, 1);
    prune_plan_free(&p);
    plan(f, 1, "night", &p); /* whose it was is not known any more */
    assert_int_equal(p.companion_count, 0);
    prune_plan_free(&p);
}

static void what_is_gone_already_is_no_error(void **state)
{
    struct fixture *f = *state;
    struct prune_plan p;
    struct err err;
    char name[ARCHIVE_NAME_BYTES];
    put_archive(f, 1, "night");
    put_archive(f, 2, "night");
    put_archive(f, 3, "night");
    plan(f, 1, NULL, &p);
    assert_ok(store_remove(f->store, name_of(1, "night", name), &err), &err);
    assert_ok(prune_plan_apply(&f->run, f->store, &p, &err), &err);
    prune_plan_free(&p);
    plan(f, 1, NULL, &p);
    expect_fate(&p, PRUNE_KEEP, "3 night");
    assert_int_equal(p.count, 1);
    prune_plan_free(&p);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_of_each_label_stay),
        TEST(a_damaged_archive_does_not_count),
        TEST(other_objects_are_left_alone),
        TEST(companions_without_an_archive_go_when_they_are_old),
        TEST(archives_that_go_with_their_points_do_not_count),
        TEST(what_is_gone_already_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
