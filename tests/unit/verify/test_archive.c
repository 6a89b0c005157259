#include "support/test.h"

#include "archive/index.h"
#include "archive/tar.h"
#include "support/memory.h"
#include "support/sample.h"
#include "verify/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define FIXTURE "tests/fixtures/archive/v1.dbsafe.tar"

/* What one verify_archive gave; ends with outcome_free. */
struct outcome {
    enum err_code code;
    struct err err;
    struct verify_result result;
    struct manifest *manifest;
    uint64_t progress_rows;
};

static void outcome_free(struct outcome *o)
{
    verify_result_free(&o->result);
    manifest_free(o->manifest);
}

static struct outcome verify_source(struct source *src, const char *const *tables, unsigned table_count,
                                    unsigned threads, struct cancel *cancel)
{
    struct outcome o = {.code = ERR_OK};
    struct progress progress = {0};
    struct cancel *own = cancel_new();
    struct run run = {.cancel = cancel != NULL ? cancel : own,
                      .clock = clock_system(),
                      .progress = &progress,
                      .run_id = "test"};
    struct verify_options options = {.threads = threads, .tables = tables, .table_count = table_count};
    o.code = verify_archive(&run, src, &options, &o.result, &o.manifest, &o.err);
    o.progress_rows = progress.rows;
    cancel_free(own);
    return o;
}

static struct outcome verify_bytes(const void *data, size_t bytes, bool seekable)
{
    struct memory_source src;
    memory_source_init(&src, data, bytes, seekable);
    return verify_source(&src.base, NULL, 0, 1, NULL);
}

/* The archive must be found damaged, with a problem that says where, read in both ways. */
static void expect_damage(const void *data, size_t bytes, const char *how, size_t place)
{
    for (int seekable = 0; seekable < 2; seekable++) {
        struct outcome o = verify_bytes(data, bytes, seekable);
        if (o.code != ERR_DAMAGED)
            fail_msg("%s at %zu, %s: %s", how, place, seekable ? "by position" : "as a stream",
                     o.code == ERR_OK ? "not found" : o.err.text);
        assert_true(o.result.problem_count > 0);
        assert_true(o.result.problems[0].where[0] != '\0' && o.result.problems[0].what[0] != '\0');
        outcome_free(&o);
    }
}

static char *copy_of(const struct buf *b)
{
    char *copy = malloc(b->len);
    memcpy(copy, b->data, b->len);
    return copy;
}

static void read_fixture(struct buf *out)
{
    FILE *f = fopen(FIXTURE, "rbe");
    struct err err;
    if (f == NULL)
        fail_msg("cannot open %s: %s (tests run in the project's root)", FIXTURE, strerror(errno));
    buf_init(out, 1000000);
    assert_ok(buf_reserve(out, 1000000, &err), &err);
    out->len = fread(out->data, 1, 1000000, f);
    fclose(f);
}

static int make_sample(void **state)
{
    struct memory_sink *sink = malloc(sizeof *sink);
    memory_sink_init(sink);
    manifest_free(sample_write(&sink->base));
    *state = sink;
    return 0;
}

static int free_sample(void **state)
{
    sink_free(*state);
    free(*state);
    return 0;
}

static const struct buf *sample_of(void **state)
{
    return &((struct memory_sink *)*state)->data;
}

static void expect_sound(const struct buf *archive, bool seekable, unsigned threads)
{
    struct memory_source src;
    memory_source_init(&src, archive->data, archive->len, seekable);
    struct outcome o = verify_source(&src.base, NULL, 0, threads, NULL);
    assert_ok(o.code, &o.err);
    assert_non_null(o.manifest);
    assert_int_equal(o.result.problem_count, 0);
    assert_int_equal(o.result.members, 4 + 2 * SAMPLE_TABLES + 5);
    assert_int_equal(o.result.tables, SAMPLE_TABLES);
    assert_int_equal(o.result.rows, 9);
    assert_int_equal(o.progress_rows, 9);
    assert_int_equal(o.result.bytes, archive->len);
    assert_string_equal(o.manifest->tables[1].name, SAMPLE_WEIRD_TABLE);
    outcome_free(&o);
}

static void a_sound_archive(void **state)
{
    for (int seekable = 0; seekable < 2; seekable++)
        for (unsigned threads = 0; threads < 9; threads += 4)
            expect_sound(sample_of(state), seekable, threads);
}

/* The archive that the first version wrote. */
static void the_golden_fixture_of_format_1(void **state)
{
    (void)state;
    struct buf archive;
    read_fixture(&archive);
    expect_sound(&archive, true, 2);
    expect_sound(&archive, false, 2);
    buf_free(&archive);
}

static void every_changed_byte(void **state)
{
    const struct buf *archive = sample_of(state);
    bool full = getenv("DBSAFE_FULL") != NULL;
    const char *seed = getenv("DBSAFE_SEED");
    uint32_t x = seed != NULL ? (uint32_t)strtoul(seed, NULL, 10) : 1;
    char *copy = copy_of(archive);
    for (size_t i = 0; i < archive->len; i++) {
        x = x * 1664525 + 1013904223;
        if (!full && (x >> 16) % 16 != 0)
            continue;
        char change = (char)(1 << (x >> 8) % 8);
        copy[i] ^= change;
        expect_damage(copy, archive->len, "a changed bit", i);
        copy[i] ^= change;
    }
    free(copy);
}

static void every_cut(void **state)
{
    const struct buf *archive = sample_of(state);
    bool full = getenv("DBSAFE_FULL") != NULL;
    size_t step = full ? 1 : 61;
    for (size_t n = 0; n < archive->len; n += step) {
        char *cut = malloc(n + 1); /* of its own size, so that a sanitizer sees reads behind it */
        memcpy(cut, archive->data, n);
        expect_damage(cut, n, "a cut", n);
        free(cut);
    }
    for (size_t n = 512; n < archive->len; n += 512)
        expect_damage(archive->data, n, "a cut", n);
    expect_damage(archive->data, archive->len - 1, "a cut", archive->len - 1);
}

static void bytes_behind_the_end(void **state)
{
    static const size_t more[] = {1, 511, 512, 1024, 8192};
    const struct buf *archive = sample_of(state);
    char *longer = calloc(1, archive->len + 8192); /* NULs, which other readers of tar ignore */
    memcpy(longer, archive->data, archive->len);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        expect_damage(longer, archive->len + more[i], "NULs appended", more[i]);
    memcpy(longer + archive->len, archive->data, 8192);
    expect_damage(longer, archive->len + 8192, "garbage appended", 8192);
    free(longer);
}

/* Header and content of two members change places. */
static void exchanged_members(void **state)
{
    const struct buf *archive = sample_of(state);
    struct outcome o = verify_bytes(archive->data, archive->len, true);
    const struct manifest *m = o.manifest;
    char *copy = malloc(archive->len);
    for (size_t i = 0; i + 1 < m->member_count; i++) {
        const struct manifest_member *a = &m->members[i], *b = &m->members[i + 1];
        size_t start = (size_t)a->offset - TAR_BLOCK, middle = (size_t)b->offset - TAR_BLOCK;
        size_t end = (size_t)(b->offset + tar_padded(b->length));
        memcpy(copy, archive->data, archive->len);
        memcpy(copy + start, archive->data + middle, end - middle);
        memcpy(copy + start + (end - middle), archive->data + start, middle - start);
        expect_damage(copy, archive->len, "exchanged members", i);
    }
    free(copy);
    outcome_free(&o);
}

static void a_member_left_out_or_twice(void **state)
{
    const struct buf *archive = sample_of(state);
    struct outcome o = verify_bytes(archive->data, archive->len, true);
    const struct manifest_member *last = &o.manifest->members[o.manifest->member_count - 1];
    size_t start = (size_t)last->offset - TAR_BLOCK, end = (size_t)(last->offset + tar_padded(last->length));
    char *copy = malloc(2 * archive->len);
    memcpy(copy, archive->data, start);
    memcpy(copy + start, archive->data + end, archive->len - end);
    expect_damage(copy, archive->len - (end - start), "a member left out", start);
    memcpy(copy, archive->data, end);
    memcpy(copy + end, archive->data + start, archive->len - start);
    expect_damage(copy, archive->len + (end - start), "a member twice", start);
    free(copy);
    outcome_free(&o);
}

static void what_is_no_archive(void **state)
{
    (void)state;
    char zeros[10240] = "", text[5000];
    memset(text, 'x', sizeof text);
    expect_damage(zeros, 0, "nothing", 0);
    expect_damage(zeros, sizeof zeros, "an empty tar", 0);
    expect_damage(text, sizeof text, "text", 0);
    expect_damage(text, 2048, "text", 0);
}

static const struct manifest_member *find_member(const struct manifest *m, const char *path)
{
    for (size_t i = 0; i < m->member_count; i++)
        if (strcmp(m->members[i].path, path) == 0)
            return &m->members[i];
    fail_msg("there is no member %s", path);
    return NULL;
}

static void all_problems_are_collected(void **state)
{
    static const char *const paths[] = {"README.txt", "data/0001-orders/000001.tsv.zst",
                                        "data/0004-history/000001.tsv.zst"};
    const struct buf *archive = sample_of(state);
    char *copy = copy_of(archive);
    struct outcome sound = verify_bytes(archive->data, archive->len, true);
    for (size_t i = 0; i < 3; i++)
        copy[find_member(sound.manifest, paths[i])->offset + 12] ^= 1;
    copy[archive->len - 1] ^= 1;
    struct outcome o = verify_bytes(copy, archive->len, true);
    assert_int_equal(o.code, ERR_DAMAGED);
    assert_non_null(o.manifest);
    assert_int_equal(o.result.problem_count, 4);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(o.result.problems[i].where, paths[i]);
    assert_string_equal(o.result.problems[3].where, "trailer");
    assert_null(strstr(o.result.problems[0].what, "README.txt"));
    assert_non_null(strstr(o.err.text, "4 places"));
    assert_non_null(strstr(o.err.text, "README.txt"));
    outcome_free(&o);
    outcome_free(&sound);
    free(copy);
}

static void an_unreadable_manifest(void **state)
{
    const struct buf *archive = sample_of(state);
    char *copy = copy_of(archive);
    copy[archive->len - INDEX_TAIL_BYTES - 600] ^= 1;
    for (int seekable = 0; seekable < 2; seekable++) {
        struct outcome o = verify_bytes(copy, archive->len, seekable);
        assert_int_equal(o.code, ERR_DAMAGED);
        assert_null(o.manifest);
        assert_int_equal(o.result.problem_count, 1);
        outcome_free(&o);
    }
    free(copy);
}

static void only_the_chosen_tables_are_read(void **state)
{
    const struct buf *archive = sample_of(state);
    const char *history[] = {"history"}, *orders[] = {"shop.orders", "empty"}, *nothing[] = {"nothing"};
    char *copy = copy_of(archive);
    struct outcome sound = verify_bytes(archive->data, archive->len, true);
    copy[find_member(sound.manifest, "data/0001-orders/000002.tsv.zst")->offset + 5] ^= 1;
    outcome_free(&sound);
    struct memory_source src;
    memory_source_init(&src, copy, archive->len, true);
    struct outcome o = verify_source(&src.base, history, 1, 2, NULL);
    assert_ok(o.code, &o.err);
    assert_int_equal(o.result.tables, 1);
    assert_int_equal(o.result.rows, 2);
    assert_int_equal(o.result.members, 4 + 2 + 1);
    outcome_free(&o);
    o = verify_source(&src.base, orders, 2, 2, NULL);
    assert_int_equal(o.code, ERR_DAMAGED);
    assert_int_equal(o.result.tables, 2);
    outcome_free(&o);
    free(copy);
    for (int seekable = 0; seekable < 2; seekable++) {
        memory_source_init(&src, archive->data, archive->len, seekable);
        o = verify_source(&src.base, nothing, 1, 2, NULL);
        assert_int_equal(o.code, ERR_NOT_FOUND);
        outcome_free(&o);
    }
}

/* An archive whose digests all fit, but whose last data member was changed by edit, together with its table.
 */
static void expect_lie_found(void (*edit)(struct manifest *, struct manifest_member *), const char *says)
{
    struct err err;
    struct memory_sink sink;
    struct archive_writer *w;
    struct manifest *m = manifest_new();
    memory_sink_init(&sink);
    sample_describe(m);
    assert_ok(archive_writer_new(&sink.base, m, m->started_ms / 1000, &w, &err), &err);
    sample_write_head(w, m);
    sample_add_data(w, m, 1, 1, sample_tables[0].texts[0], 1);
    edit(m, &m->members[m->member_count - 1]);
    assert_ok(archive_writer_finish(w, &err), &err);
    for (int seekable = 0; seekable < 2; seekable++) {
        struct outcome o = verify_bytes(sink.data.data, sink.data.len, seekable);
        assert_int_equal(o.code, ERR_DAMAGED);
        assert_int_equal(o.result.problem_count, 1);
        assert_string_equal(o.result.problems[0].where, "data/0001-orders/000001.tsv.zst");
        assert_non_null(strstr(o.result.problems[0].what, says));
        outcome_free(&o);
    }
    archive_writer_free(w);
    manifest_free(m);
    sink_free(&sink.base);
}

static void other_checksum(struct manifest *m, struct manifest_member *member)
{
    member->checksum.low++;
    rowsum_add(&m->tables[0].checksum, (struct rowsum){.low = 1});
}

static void more_rows(struct manifest *m, struct manifest_member *member)
{
    member->rows++;
    m->tables[0].rows++;
    m->rows++;
}

static void more_bytes(struct manifest *m, struct manifest_member *member)
{
    member->plain_length++;
    m->tables[0].plain_bytes++;
    m->plain_bytes++;
}

static void figures_that_do_not_fit_the_rows(void **state)
{
    (void)state;
    expect_lie_found(other_checksum, "content checksum");
    expect_lie_found(more_rows, "rows");
    expect_lie_found(more_bytes, "bytes of text");
}

/* A data member of content as it is, with figures that no row of it proves. */
static void expect_content_refused(const void *content, size_t bytes, uint64_t plain, const char *says)
{
    struct err err;
    struct memory_sink sink;
    struct archive_writer *w;
    struct manifest *m = manifest_new();
    struct manifest_member member = {.path = "data/0001-orders/000001.tsv.zst",
                                     .kind = MEMBER_DATA,
                                     .table = 1,
                                     .plain_length = plain,
                                     .rows = 1};
    memory_sink_init(&sink);
    sample_describe(m);
    assert_ok(archive_writer_new(&sink.base, m, m->started_ms / 1000, &w, &err), &err);
    sample_write_head(w, m);
    assert_ok(archive_writer_add(w, &member, content, bytes, &err), &err);
    m->rows = m->tables[0].rows = 1;
    m->plain_bytes = m->tables[0].plain_bytes = plain;
    m->tables[0].stored_bytes = bytes;
    assert_ok(archive_writer_finish(w, &err), &err);
    for (int seekable = 0; seekable < 2; seekable++) {
        struct outcome o = verify_bytes(sink.data.data, sink.data.len, seekable);
        assert_int_equal(o.code, ERR_DAMAGED);
        assert_non_null(strstr(o.result.problems[0].what, says));
        outcome_free(&o);
    }
    archive_writer_free(w);
    manifest_free(m);
    sink_free(&sink.base);
}

static void data_members_without_whole_rows(void **state)
{
    (void)state;
    struct err err;
    struct buf stored;
    struct packer *p = packer_new(1);
    buf_init(&stored, 10000);
    expect_content_refused("1\n", 2, 2, "zstd");
    assert_ok(packer_pack(p, "1\n2", 3, &stored, &err), &err);
    expect_content_refused(stored.data, stored.len, 3, "whole row");
    packer_free(p);
    buf_free(&stored);
}

static void a_newer_format_is_refused(void **state)
{
    (void)state;
    struct err err;
    struct memory_sink sink;
    struct archive_writer *w;
    struct manifest *m = manifest_new();
    memory_sink_init(&sink);
    sample_describe(m);
    m->format = MANIFEST_FORMAT + 1;
    assert_ok(archive_writer_new(&sink.base, m, m->started_ms / 1000, &w, &err), &err);
    sample_write_head(w, m);
    assert_ok(archive_writer_finish(w, &err), &err);
    for (int seekable = 0; seekable < 2; seekable++) {
        struct outcome o = verify_bytes(sink.data.data, sink.data.len, seekable);
        assert_int_equal(o.code, ERR_REFUSED);
        assert_null(o.manifest);
        outcome_free(&o);
    }
    archive_writer_free(w);
    manifest_free(m);
    sink_free(&sink.base);
}

/* A source that fails is no damage: the archive may be sound. */
static void a_failing_source_is_no_damage(void **state)
{
    const struct buf *archive = sample_of(state);
    for (int seekable = 0; seekable < 2; seekable++)
        for (uint64_t from = 0; from < archive->len; from += 3000) {
            struct memory_source src;
            memory_source_init(&src, archive->data, archive->len, seekable);
            src.fails_from = from;
            struct outcome o = verify_source(&src.base, NULL, 0, 3, NULL);
            assert_int_equal(o.code, ERR_STORAGE);
            outcome_free(&o);
        }
}

static void a_cancelled_run_ends(void **state)
{
    const struct buf *archive = sample_of(state);
    for (int seekable = 0; seekable < 2; seekable++) {
        struct memory_source src;
        struct cancel *cancel = cancel_new();
        struct err why;
        err_set(&why, ERR_SIGINT, "interrupted");
        cancel_fire(cancel, &why);
        memory_source_init(&src, archive->data, archive->len, seekable);
        struct outcome o = verify_source(&src.base, NULL, 0, 3, cancel);
        assert_int_equal(o.code, ERR_SIGINT);
        outcome_free(&o);
        cancel_free(cancel);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_archive),
        cmocka_unit_test(the_golden_fixture_of_format_1),
        cmocka_unit_test(every_changed_byte),
        cmocka_unit_test(every_cut),
        cmocka_unit_test(bytes_behind_the_end),
        cmocka_unit_test(exchanged_members),
        cmocka_unit_test(a_member_left_out_or_twice),
        cmocka_unit_test(what_is_no_archive),
        cmocka_unit_test(all_problems_are_collected),
        cmocka_unit_test(an_unreadable_manifest),
        cmocka_unit_test(only_the_chosen_tables_are_read),
        cmocka_unit_test(figures_that_do_not_fit_the_rows),
        cmocka_unit_test(data_members_without_whole_rows),
        cmocka_unit_test(a_newer_format_is_refused),
        cmocka_unit_test(a_failing_source_is_no_damage),
        cmocka_unit_test(a_cancelled_run_ends),
    };
    return cmocka_run_group_tests(tests, make_sample, free_sample);
}
