#include "support/memory.h"
#include "support/sample.h"
#include "support/test.h"

#include "archive/copy.h"

struct fixture {
    struct memory_sink archive;
    struct progress progress;
    struct run run;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    memory_sink_init(&f->archive);
    manifest_free(sample_write(&f->archive.base));
    f->run = (struct run){.cancel = cancel_new(), .clock = clock_system(), .progress = &f->progress};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    cancel_free(f->run.cancel);
    sink_free(&f->archive.base);
    free(f);
    return 0;
}

static void every_byte_arrives(void **state)
{
    struct fixture *f = *state;
    for (unsigned lanes = 0; lanes <= 3; lanes++) {
        struct memory_source source;
        struct memory_sink sink;
        struct archive_copied copied;
        struct err err;
        memory_source_init(&source, f->archive.data.data, f->archive.data.len, true);
        memory_sink_init(&sink);
        source.base.lanes = lanes;
        atomic_store(&f->progress.plain_bytes, 0);
        assert_ok(archive_copy(&f->run, &source.base, &sink.base, &copied, &err), &err);
        assert_int_equal(sink.data.len, f->archive.data.len);
        assert_memory_equal(sink.data.data, f->archive.data.data, f->archive.data.len);
        assert_int_equal(copied.bytes, f->archive.data.len);
        assert_true(copied.members > 5);
        assert_int_equal(atomic_load(&f->progress.plain_bytes), f->archive.data.len);
        assert_false(sink.committed); /* that is the caller's to do */
        sink_free(&sink.base);
    }
}

static void any_flipped_byte_is_found(void **state)
{
    struct fixture *f = *state;
    for (size_t at = 0; at < f->archive.data.len; at += 37) {
        struct memory_source source;
        struct archive_copied copied;
        struct err err;
        f->archive.data.data[at] ^= 0x20;
        memory_source_init(&source, f->archive.data.data, f->archive.data.len, true);
        if (archive_copy(&f->run, &source.base, NULL, &copied, &err) == ERR_OK)
            fail_msg("byte %zu", at);
        f->archive.data.data[at] ^= 0x20;
    }
}

static void a_cut_archive_is_damaged(void **state)
{
    struct fixture *f = *state;
    for (size_t bytes = 0; bytes < f->archive.data.len; bytes += 997) {
        struct memory_source source;
        struct archive_copied copied;
        struct err err;
        memory_source_init(&source, f->archive.data.data, bytes, true);
        assert_err(archive_copy(&f->run, &source.base, NULL, &copied, &err), ERR_DAMAGED, &err);
    }
}

static void a_full_sink_and_a_signal_end_it(void **state)
{
    struct fixture *f = *state;
    struct memory_source source;
    struct memory_sink sink;
    struct archive_copied copied;
    struct err err;
    memory_source_init(&source, f->archive.data.data, f->archive.data.len, true);
    memory_sink_init(&sink);
    sink.writes_left = 3;
    assert_err(archive_copy(&f->run, &source.base, &sink.base, &copied, &err), ERR_NOSPACE, &err);
    sink_free(&sink.base);
    err_set(&err, ERR_SIGTERM, "cancelled");
    cancel_fire(f->run.cancel, &err);
    assert_err(archive_copy(&f->run, &source.base, NULL, &copied, &err), ERR_SIGTERM, &err);
}

static void the_same_archive_is_known_by_its_index(void **state)
{
    struct fixture *f = *state;
    struct memory_source source, other;
    struct err err;
    bool same;
    char *copy = malloc(f->archive.data.len);
    memcpy(copy, f->archive.data.data, f->archive.data.len);
    memory_source_init(&source, f->archive.data.data, f->archive.data.len, true);
    memory_source_init(&other, copy, f->archive.data.len, true);
    assert_ok(archive_is_same(&source.base, &other.base, &same, &err), &err);
    assert_true(same);
    copy[f->archive.data.len - 1500] ^= 1;
    assert_ok(archive_is_same(&source.base, &other.base, &same, &err), &err);
    assert_false(same);
    memory_source_init(&other, f->archive.data.data, f->archive.data.len - 1, true);
    assert_ok(archive_is_same(&source.base, &other.base, &same, &err), &err);
    assert_false(same);
    memory_source_init(&source, "", 0, true);
    memory_source_init(&other, "", 0, true);
    assert_ok(archive_is_same(&source.base, &other.base, &same, &err), &err);
    assert_false(same);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_byte_arrives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_flipped_byte_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_archive_is_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_sink_and_a_signal_end_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_archive_is_known_by_its_index, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
