#include "support/fake_snapshots.h"
#include "support/store_sample.h"
#include "support/test.h"

#include "recovery/point_expiry.h"
#include "recovery/rollback_journal.h"

#define NOW INT64_C(1800000000000)

static int64_t fake_now(void *self)
{
    (void)self;
    return NOW;
}

static const struct clock clock_of_tests = {.wall_ms = fake_now, .monotonic_ms = fake_now};

static void put(struct store *store, const char *name, int64_t age_days, enum point_state state,
                const char *snapshot)
{
    struct err err;
    struct point *p = point_new(name);
    p->state = state;
    p->created_ms = p->completed_ms = NOW - age_days * DAY_MS;
    p->expires_ms = p->created_ms + 7 * DAY_MS;
    p->archive = (struct point_archive){
        .name = arena_printf(p->arena, "%s.tar", name), .done = true, .run_id = "r", .manifest_sha256 = "m"};
    p->snapshot.id = snapshot;
    if (snapshot) /* "prod-1" is of "prod" */
        p->snapshot.instance = arena_printf(p->arena, "%.*s", (int)strcspn(snapshot, "-"), snapshot);
    assert_ok(point_put(store, p, true, &err), &err);
    point_free(p);
}

static void expect(struct store *store, struct recovery_snapshots *snapshots, const char *expired,
                   const char *pinned)
{
    struct err err;
    const struct run run = {.clock = &clock_of_tests};
    struct point_expiry e;
    struct buf got;
    buf_init(&got, 10000);
    assert_ok(point_expiry_plan(&run, store, snapshots, &e, &err), &err);
    for (size_t i = 0; i < e.expired_count; i++)
        buf_putf(&got, "%s ", e.expired[i]->name);
    assert_string_equal(buf_cstr(&got), expired);
    buf_clear(&got);
    for (size_t i = 0; i < e.pinned_count; i++)
        buf_putf(&got, "%s ", e.pinned[i]);
    assert_string_equal(buf_cstr(&got), pinned);
    buf_free(&got);
    point_expiry_free(&e);
}

static void expired_and_pinned(void **state)
{
    (void)state;
    struct store *store;
    struct fake_snapshots snapshots;
    char *dir = tmpdir_make();
    fake_snapshots_init(&snapshots);
    assert_int_equal(store_folder_open(dir, false, &store, NULL), ERR_OK);
    expect(NULL, NULL, "", "");
    expect(store, NULL, "", "");
    put(store, "old", 8, POINT_COMPLETE, NULL);
    expect(store, NULL, "", "old.tar "); /* the newest there is */
    put(store, "young", 6, POINT_COMPLETE, NULL);
    put(store, "snap", 9, POINT_COMPLETE, "snap-1");
    put(store, "making", 10, POINT_CREATING, NULL);
    expect(store, NULL, "old ", "making.tar snap.tar young.tar ");
    expect(store, &snapshots.base, "old ",
           "making.tar snap.tar young.tar "); /* the only one of its instance */
    put(store, "other", 8, POINT_COMPLETE, "other-1");
    expect(store, &snapshots.base, "old ", "making.tar snap.tar other.tar young.tar ");
    put(store, "younger", 7, POINT_COMPLETE, "snap-2");
    expect(store, &snapshots.base, "snap old ", "making.tar other.tar younger.tar young.tar ");
    snapshots.last = true; /* of those that RDS has, whatever the records say */
    expect(store, &snapshots.base, "old ", "making.tar snap.tar other.tar younger.tar young.tar ");
    snapshots.last = false;
    /* What a dead run was deleting goes, too. */
    put(store, "going", 1, POINT_DELETING, NULL);
    put(store, "goingsnap", 11, POINT_DELETING, "snap-3");
    expect(store, NULL, "old going ", "goingsnap.tar making.tar snap.tar other.tar younger.tar young.tar ");
    expect(store, &snapshots.base, "goingsnap snap old going ",
           "making.tar other.tar younger.tar young.tar ");
    /* A rollback that is not finished keeps its point, and nothing else. */
    struct err err;
    struct rollback_journal j = {.snapshot = "s", .name = "n", .resource = "r", .to = "t"};
    assert_ok(rollback_journal_put(store, "old", &j, &err), &err);
    assert_ok(rollback_journal_put(store, "going", &j, &err), &err);
    expect(store, &snapshots.base, "goingsnap snap going ",
           "making.tar old.tar other.tar younger.tar young.tar ");
    put_bytes(dir, "old~instance.json", "{");
    expect(store, &snapshots.base, "goingsnap snap going ",
           "making.tar old.tar other.tar younger.tar young.tar ");
    j.finished = true;
    assert_ok(rollback_journal_put(store, "old", &j, &err), &err);
    expect(store, &snapshots.base, "goingsnap snap old going ",
           "making.tar other.tar younger.tar young.tar ");
    buf_free(&snapshots.log);
    store_free(store);
    tmpdir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(expired_and_pinned)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
