#include "support/memory.h"
#include "support/sample.h"
#include "support/test.h"

#include "archive/reader.h"
#include "verify/verify.h"

#include <zstd.h>

#define FIXTURE        "tests/fixtures/archive/v1.dbsafe.tar"
#define SECOND_FIXTURE "tests/fixtures/archive/v2.dbsafe.tar"

struct outcome {
    enum err_code code;
    struct err err;
    struct verify_result result;
};

static void outcome_free(struct outcome *o)
{
    verify_result_free(&o->result);
}

static struct outcome verify_with(struct source *src, const struct verify_options *options,
                                  struct cancel *cancel)
{
    struct outcome o = {0};
    struct manifest *m = NULL;
    static struct progress progress;
    const struct run run = {
        .cancel = cancel, .clock = clock_system(), .progress = &progress, .run_id = "0123456789ab"};
    o.code = verify_archive(&run, src, options, &o.result, &m, &o.err);
    if (o.code == ERR_OK) {
        assert_non_null(m);
        assert_int_equal(o.result.problem_count, 0);
    } else {
        assert_int_equal(o.err.code, o.code);
    }
    manifest_free(m);
    return o;
}

static struct outcome verify_tables(const void *data, size_t bytes, bool seekable, unsigned threads,
                                    const char *pattern)
{
    struct memory_source src;
    struct cancel *cancel = cancel_new();
    const struct verify_options options = {
        .threads = threads, .tables = pattern != NULL ? &pattern : NULL, .table_count = pattern != NULL};
    memory_source_init(&src, data, bytes, seekable);
    struct outcome o = verify_with(&src.base, &options, cancel);
    cancel_free(cancel);
    return o;
}

static struct outcome verify(const void *data, size_t bytes, bool seekable)
{
    return verify_tables(data, bytes, seekable, 1, NULL);
}

/* Damaged both for a reader that can seek and for one that cannot. */
static void expect_damage(const void *data, size_t bytes, const char *what, size_t where)
{
    for (int seekable = 0; seekable < 2; seekable++) {
        struct outcome o = verify(data, bytes, seekable);
        if (o.code != ERR_DAMAGED || o.result.problem_count == 0)
            fail_msg("%s at %zu, %s: %s", what, where, seekable ? "by position" : "as a stream",
                     err_name(o.code));
        outcome_free(&o);
    }
}

/* ---- a small archive, which may lie ---- */

/* What is wrong with the last data member. */
struct lie {
    const char *name, *message;
    uint64_t rows, plain_bytes, checksum; /* more than there are */
    bool no_newline, two_frames, no_frame, no_checksum, no_size;
};

static void pack_as(const struct lie *lie, const char *text, struct buf *out)
{
    struct err err;
    size_t bytes = strlen(text) - lie->no_newline;
    buf_clear(out);
    if (lie->no_frame) {
        buf_putn(out, text, bytes);
        return;
    }
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, !lie->no_checksum);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, !lie->no_size);
    assert_ok(buf_reserve(out, 1000, &err), &err);
    out->len = ZSTD_compress2(ctx, out->data, 1000, text, bytes);
    assert_false(ZSTD_isError(out->len));
    ZSTD_freeCCtx(ctx);
    if (lie->two_frames)
        buf_putn(out, out->data, out->len);
}

static void add_data(struct archive_writer *w, struct manifest *m, unsigned n, const char *text,
                     const struct lie *lie)
{
    struct err err;
    struct buf path, stored;
    struct rowtext *rows = rowtext_new();
    struct manifest_member member = {.kind = MEMBER_DATA, .table = 1};
    buf_init(&path, 100);
    buf_init(&stored, 10000);
    archive_data_path(&m->tables[0], n, &path);
    member.path = buf_cstr(&path);
    rowtext_add(rows, text, strlen(text));
    assert_true(rowtext_end(rows, &member.rows, &member.checksum));
    pack_as(lie, text, &stored);
    member.rows += lie->rows;
    member.plain_length = strlen(text) - lie->no_newline + lie->plain_bytes;
    member.checksum.low += lie->checksum;
    assert_ok(archive_writer_add(w, &member, stored.data, stored.len, &err), &err);
    m->tables[0].rows += member.rows;
    m->tables[0].plain_bytes += member.plain_length;
    m->tables[0].stored_bytes += member.length;
    rowsum_add(&m->tables[0].checksum, member.checksum);
    m->rows += member.rows;
    m->plain_bytes += member.plain_length;
    rowtext_free(rows);
    buf_free(&path);
    buf_free(&stored);
}

static void write_small(struct memory_sink *sink, unsigned format, const struct lie *lie)
{
    static const struct lie honest = {0};
    static struct manifest_schema schema = {"s", "utf8mb4", "utf8mb4_bin", ""};
    static const struct {
        const char *path;
        enum member_kind kind;
        unsigned table;
    } heads[] = {{"README.txt", MEMBER_README, 0},
                 {"restore.sh", MEMBER_SCRIPT, 0},
                 {"schema/database-0001-s.sql", MEMBER_SCHEMA, 0},
                 {"schema/0001-t.sql", MEMBER_TABLE_DDL, 1},
                 {"schema/0001-t.load.sql", MEMBER_LOAD, 1}};
    struct err err;
    struct archive_writer *w;
    struct manifest *m = manifest_new();
    struct manifest_table table = {.number = 1,
                                   .schema = "s",
                                   .name = "t",
                                   .dir = "0001-t",
                                   .ddl_sha256 = "0123456789abcdef0123456789abcdef"
                                                 "0123456789abcdef0123456789abcdef",
                                   .column_count = 1,
                                   .columns = sample_id_column};
    memory_sink_init(sink);
    m->format = format;
    m->started_ms = SAMPLE_STARTED_MS;
    m->schema_count = m->table_count = 1;
    m->schemas = &schema;
    m->tables = &table;
    assert_ok(archive_writer_new(&sink->base, m, m->started_ms / 1000, &w, &err), &err);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct manifest_member member = {
            .path = heads[i].path, .kind = heads[i].kind, .table = heads[i].table};
        assert_ok(archive_writer_add(w, &member, "text", 4, &err), &err);
    }
    add_data(w, m, 1, "1\n2\n", &honest);
    add_data(w, m, 2, "3\n44\n", lie != NULL ? lie : &honest);
    assert_ok(archive_writer_finish(w, &err), &err);
    archive_writer_free(w);
    manifest_free(m);
}

static int make_small(void **state)
{
    struct memory_sink *sink = malloc(sizeof *sink);
    write_small(sink, MANIFEST_FORMAT, NULL);
    *state = sink;
    return 0;
}

static int make_sample(void **state)
{
    struct memory_sink *sink = malloc(sizeof *sink);
    memory_sink_init(sink);
    manifest_free(sample_write(&sink->base));
    *state = sink;
    return 0;
}

static int unmake(void **state)
{
    struct memory_sink *sink = *state;
    sink_free(&sink->base);
    free(sink);
    return 0;
}

/* ---- sound ones ---- */

static void sound_archives_are_sound(void **state)
{
    struct memory_sink *sink = *state;
    for (int i = 0; i < 10; i++) {
        struct outcome o = verify_tables(sink->data.data, sink->data.len, i % 2 == 0, (unsigned)i / 2, NULL);
        assert_ok(o.code, &o.err);
        assert_int_equal(o.result.members, 26);
        assert_int_equal(o.result.tables, 4);
        assert_int_equal(o.result.rows, 9);
        if (i % 2 == 0)
            assert_int_equal(o.result.bytes, sink->data.len);
        outcome_free(&o);
    }
}

/* Whatever later versions do, they read what the first one wrote, and see the same in it. */
static void the_first_format_is_read_forever(void **state)
{
    (void)state;
    struct source *src;
    struct err err;
    struct manifest *m;
    const struct verify_options options = {.threads = 2};
    struct cancel *cancel = cancel_new();
    char sum[ROWSUM_HEX_BYTES];
    struct buf ddl;
    assert_ok(source_file_open(FIXTURE, &src, &err), &err);
    assert_int_equal(src->size, 38912);
    struct outcome o = verify_with(src, &options, cancel);
    assert_ok(o.code, &o.err);
    assert_int_equal(o.result.members, 17);
    assert_int_equal(o.result.bytes, 38912);
    assert_int_equal(o.result.tables, 4);
    assert_int_equal(o.result.rows, 9);
    outcome_free(&o);

    assert_ok(archive_read_manifest(src, &m, &err), &err);
    assert_int_equal(m->format, 1);
    assert_string_equal(m->label, "sample");
    assert_int_equal(m->started_ms, SAMPLE_STARTED_MS);
    assert_int_equal(m->rows, 9);
    assert_int_equal(m->plain_bytes, 257);
    assert_string_equal(m->consistency.method, "binlog-position");
    assert_int_equal(m->consistency.workers[1].binlog_position, 4711);
    assert_string_equal(m->schemas[1].name, SAMPLE_WEIRD_SCHEMA);
    assert_string_equal(m->tables[1].name, SAMPLE_WEIRD_TABLE);
    assert_string_equal(m->tables[1].columns[1].load_expr, "CONVERT(@v USING ascii)");
    assert_int_equal(m->tables[0].auto_increment, 8);
    assert_int_equal(m->tables[0].rows, 6);
    assert_int_equal(m->tables[0].stored_bytes, 106);
    assert_int_equal(m->tables[2].rows, 0);
    assert_null(m->tables[2].key.name);
    assert_true(m->tables[3].system_versioned);
    assert_int_equal(m->tables[3].key.columns[1], 2);
    rowsum_format(m->tables[0].checksum, sum);
    assert_string_equal(sum, "0c6ebd6f08320126333586043a2377f5");
    rowsum_format(m->tables[2].checksum, sum);
    assert_string_equal(sum, "00000000000000000000000000000000");
    assert_int_equal(m->members[12].load_warnings, 1);
    buf_init(&ddl, 10000);
    assert_ok(archive_read_member(src, m, &m->members[4], &ddl, &err), &err);
    buf_cstr(&ddl);
    ddl.data[strlen(sample_tables[0].ddl)] = '\0';
    assert_string_equal(ddl.data, sample_tables[0].ddl);
    buf_free(&ddl);
    manifest_free(m);
    source_free(src);
    cancel_free(cancel);
}

/* The definition of objects[i] of an archive, in the sample's words. */
static void check_definition(struct source *src, const struct manifest *m, unsigned i)
{
    struct err err;
    struct buf text;
    struct manifest_object o;
    const char *definition;
    size_t bytes;
    buf_init(&text, 100000);
    assert_ok(archive_read_member(src, m, &m->members[12 + i], &text, &err), &err);
    assert_ok(archive_object_sql_parse(text.data, text.len, m->arena, &o, &definition, &bytes, &err), &err);
    assert_int_equal(o.number, i + 1);
    assert_string_equal(o.name, m->objects[i].name);
    assert_int_equal(bytes, strlen(sample_objects[i].definition));
    assert_memory_equal(definition, sample_objects[i].definition, bytes);
    buf_free(&text);
}

static void the_second_format_is_read_forever(void **state)
{
    (void)state;
    struct source *src;
    struct err err;
    struct manifest *m;
    const struct verify_options options = {.threads = 2};
    struct cancel *cancel = cancel_new();
    assert_ok(source_file_open(SECOND_FIXTURE, &src, &err), &err);
    assert_int_equal(src->size, 64512);
    struct outcome o = verify_with(src, &options, cancel);
    assert_ok(o.code, &o.err);
    assert_int_equal(o.result.members, 26);
    assert_int_equal(o.result.rows, 9);
    outcome_free(&o);
    assert_ok(archive_read_manifest(src, &m, &err), &err);
    assert_int_equal(m->format, 2);
    assert_string_equal(m->schemas[0].comment, "it's \\ a\nshop");
    assert_int_equal(m->tables[0].trigger_count, 1);
    assert_string_equal(m->tables[2].foreign_keys[0].parent_table, "orders");
    assert_string_equal(m->tables[2].sequences[0].name, "numbers");
    assert_int_equal(m->object_count, 9);
    assert_string_equal(m->objects[0].sequence.next, "9223372036854775000");
    assert_string_equal(m->objects[3].charset, "latin1");
    assert_string_equal(m->objects[3].definer, "a`b@%");
    assert_string_equal(m->objects[5].uses[0].name, "orders");
    assert_true(m->objects[6].broken);
    assert_string_equal(m->objects[7].table, "orders");
    assert_int_equal(m->objects[8].state, EVENT_REPLICA_DISABLED);
    for (unsigned i = 0; i < m->object_count; i++)
        check_definition(src, m, i);
    manifest_free(m);
    source_free(src);
    cancel_free(cancel);
}

static void thousands_of_members_by_many_threads(void **state)
{
    (void)state;
    struct err err;
    struct memory_sink sink;
    struct archive_writer *w;
    struct manifest *m = manifest_new();
    char text[100];
    memory_sink_init(&sink);
    sample_describe(m);
    assert_ok(archive_writer_new(&sink.base, m, m->started_ms / 1000, &w, &err), &err);
    sample_write_head(w, m);
    for (unsigned n = 0; n < 3000; n++) {
        snprintf(text, sizeof text, "%u\tx\n%u\ty\n", n, n + 1);
        sample_add_data(w, m, n % 4 + 1, n / 4 + 1, text, 0);
    }
    assert_ok(archive_writer_finish(w, &err), &err);
    archive_writer_free(w);
    manifest_free(m);
    for (int seekable = 0; seekable < 2; seekable++) {
        struct outcome o = verify_tables(sink.data.data, sink.data.len, seekable, 4, NULL);
        assert_ok(o.code, &o.err);
        assert_int_equal(o.result.rows, 6000);
        assert_int_equal(o.result.members, 3021);
        outcome_free(&o);
    }
    sink_free(&sink.base);
}

/* ---- damaged ones ---- */

static void every_changed_byte_is_found(void **state)
{
    struct memory_sink *sink = *state;
    for (size_t i = 0; i < sink->data.len; i++) {
        char mask = (char)(1 << (i % 8));
        sink->data.data[i] ^= mask;
        expect_damage(sink->data.data, sink->data.len, "changed", i);
        sink->data.data[i] ^= mask;
    }
}

static void every_cut_is_found(void **state)
{
    struct memory_sink *sink = *state;
    for (size_t n = 0; n < sink->data.len; n++)
        expect_damage(sink->data.data, n, "cut", n);
}

static void every_missing_block_is_found(void **state)
{
    struct memory_sink *sink = *state;
    struct buf other;
    buf_init(&other, sink->data.len);
    for (size_t at = 0; at < sink->data.len; at += 512) {
        buf_clear(&other);
        buf_putn(&other, sink->data.data, at);
        buf_putn(&other, sink->data.data + at + 512, sink->data.len - at - 512);
        expect_damage(other.data, other.len, "a block is missing", at);
    }
    buf_free(&other);
}

static void anything_appended_is_found(void **state)
{
    struct memory_sink *sink = *state;
    static const size_t sizes[] = {1, 511, 512, 1024, 10240};
    size_t whole = sink->data.len;
    char more[10240];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int fill = 0; fill < 2; fill++) {
            memset(more, fill ? 'x' : 0, sizeof more);
            buf_putn(&sink->data, more, sizes[i]);
            expect_damage(sink->data.data, sink->data.len, "appended", sizes[i]);
            sink->data.len = whole;
        }
    char *twice = malloc(2 * whole);
    memcpy(twice, sink->data.data, whole);
    memcpy(twice + whole, sink->data.data, whole);
    expect_damage(twice, 2 * whole, "appended to itself", whole);
    free(twice);
}

/* Every member of the small archive takes two blocks, but for the manifest and the index. */
static void any_two_exchanged_members_are_found(void **state)
{
    struct memory_sink *sink = *state;
    char entry[1024];
    for (size_t a = 0; a < 7; a++)
        for (size_t b = a + 1; b < 7; b++)
            for (size_t skip = 0; skip <= 512; skip += 512) { /* with their headers, and contents alone */
                char *x = sink->data.data + 1024 * a + skip, *y = sink->data.data + 1024 * b + skip;
                size_t n = sizeof entry - skip;
                if (memcmp(x, y, n) == 0)
                    continue;
                for (int back = 0; back < 2; back++) {
                    memcpy(entry, x, n);
                    memcpy(x, y, n);
                    memcpy(y, entry, n);
                    if (!back)
                        expect_damage(sink->data.data, sink->data.len, "exchanged", 10 * a + b);
                }
            }
}

static void damage_in_many_places_is_told_by_place(void **state)
{
    struct memory_sink *sink = *state;
    sink->data.data[512] ^= 1;            /* the content of README.txt */
    sink->data.data[512 + 1024 + 4] ^= 1; /* the padding of restore.sh */
    sink->data.data[2 * 1024 + 110] ^= 1; /* the header of the third */
    sink->data.data[6 * 1024 + 520] ^= 1; /* the last data member */
    struct outcome o = verify(sink->data.data, sink->data.len, true);
    assert_int_equal(o.code, ERR_DAMAGED);
    static const struct {
        const char *where, *what;
    } want[] = {{"README.txt", "its SHA-256 is not the one in the manifest"},
                {"restore.sh", "the padding behind it was changed"},
                {"schema/database-0001-s.sql", "its tar header was changed"},
                {"data/0001-t/000002.tsv.zst", "its SHA-256 is not the one in the manifest"}};
    assert_int_equal(o.result.problem_count, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_string_equal(o.result.problems[i].where, want[i].where);
        assert_string_equal(o.result.problems[i].what, want[i].what);
    }
    assert_string_equal(o.err.text,
                        "the archive is damaged in 4 places; the first: README.txt: its SHA-256 is not the "
                        "one in the manifest");
    outcome_free(&o);
    /* a stream ends at the first header that is not right */
    o = verify(sink->data.data, sink->data.len, false);
    assert_int_equal(o.code, ERR_DAMAGED);
    assert_int_equal(o.result.problem_count, 1);
    outcome_free(&o);
    verify_result_free(NULL);
}

static void a_manifest_that_lies_about_data_is_found(void **state)
{
    (void)state;
    static const struct lie lies[] = {
        {.name = "rows", .rows = 1, .message = "it holds 2 rows; the manifest says 3"},
        {.name = "bytes", .plain_bytes = 1, .message = "it holds 5 bytes of text; the manifest says 6"},
        {.name = "checksum", .checksum = 1, .message = "the content checksum of its rows"},
        {.name = "no newline", .no_newline = true, .message = "does not end with a whole row"},
        {.name = "two frames", .two_frames = true, .message = "not exactly one zstd frame"},
        {.name = "no frame", .no_frame = true, .message = "not a zstd frame"},
        {.name = "no checksum", .no_checksum = true, .message = "the zstd frame has no checksum"},
        {.name = "no size", .no_size = true, .message = "not a zstd frame that states the size"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct memory_sink sink;
        write_small(&sink, MANIFEST_FORMAT, &lies[i]);
        for (int seekable = 0; seekable < 2; seekable++) {
            struct outcome o = verify(sink.data.data, sink.data.len, seekable);
            if (o.code != ERR_DAMAGED || o.result.problem_count != 1)
                fail_msg("%s: %s", lies[i].name, err_name(o.code));
            assert_string_equal(o.result.problems[0].where, "data/0001-t/000002.tsv.zst");
            if (strstr(o.result.problems[0].what, lies[i].message) == NULL)
                fail_msg("%s: %s", lies[i].name, o.result.problems[0].what);
            outcome_free(&o);
        }
        sink_free(&sink.base);
    }
}

static void a_newer_format_is_refused_not_damaged(void **state)
{
    (void)state;
    struct memory_sink sink;
    write_small(&sink, MANIFEST_FORMAT + 1, NULL);
    for (int seekable = 0; seekable < 2; seekable++) {
        struct outcome o = verify(sink.data.data, sink.data.len, seekable);
        assert_int_equal(o.code, ERR_REFUSED);
        assert_non_null(strstr(o.err.text, "use a newer dbsafe"));
        outcome_free(&o);
    }
    sink_free(&sink.base);
}

/* ---- some tables, and errors of other kinds ---- */

static void only_chosen_tables_are_read(void **state)
{
    struct memory_sink *sink = *state;
    struct outcome o = verify_tables(sink->data.data, sink->data.len, true, 2, "shop.orders");
    assert_ok(o.code, &o.err);
    assert_int_equal(o.result.tables, 1);
    assert_int_equal(o.result.rows, 6);
    assert_int_equal(o.result.members, 18); /* 13 of no table, 2 and 3 of this one */
    outcome_free(&o);
    for (int seekable = 0; seekable < 2; seekable++) {
        o = verify_tables(sink->data.data, sink->data.len, seekable, 2, "shop.ordres");
        assert_int_equal(o.code, ERR_NOT_FOUND);
        outcome_free(&o);
    }
    /* damage in another table does not matter, unless all must pass by anyway */
    char *other = memmem(sink->data.data, sink->data.len, "data/0004-history", 17);
    other[512] ^= 1;
    o = verify_tables(sink->data.data, sink->data.len, true, 2, "shop.orders");
    assert_ok(o.code, &o.err);
    outcome_free(&o);
    o = verify_tables(sink->data.data, sink->data.len, true, 2, "history");
    assert_int_equal(o.code, ERR_DAMAGED);
    outcome_free(&o);
    o = verify_tables(sink->data.data, sink->data.len, false, 2, "shop.orders");
    assert_int_equal(o.code, ERR_DAMAGED);
    outcome_free(&o);
}

/* Wherever the source fails, it is the source that failed, not the archive. */
static void errors_of_the_source_are_not_damage(void **state)
{
    struct memory_sink *sink = *state;
    const struct verify_options options = {.threads = 2};
    for (size_t from = 0; from <= sink->data.len; from += 256)
        for (int seekable = 0; seekable < 2; seekable++) {
            struct memory_source src;
            struct cancel *cancel = cancel_new();
            memory_source_init(&src, sink->data.data, sink->data.len, seekable);
            src.fails_from = from;
            struct outcome o = verify_with(&src.base, &options, cancel);
            if (from == sink->data.len && seekable)
                assert_int_equal(o.code, ERR_OK);
            else
                assert_int_equal(o.code, ERR_STORAGE);
            outcome_free(&o);
            cancel_free(cancel);
        }
}

static void a_cancelled_run_ends_with_its_reason(void **state)
{
    struct memory_sink *sink = *state;
    const struct verify_options options = {.threads = 2};
    for (int seekable = 0; seekable < 2; seekable++) {
        struct memory_source src;
        struct err why;
        struct cancel *cancel = cancel_new();
        err_set(&why, ERR_SIGINT, "interrupted");
        cancel_fire(cancel, &why);
        memory_source_init(&src, sink->data.data, sink->data.len, seekable);
        struct outcome o = verify_with(&src.base, &options, cancel);
        assert_int_equal(o.code, ERR_SIGINT);
        outcome_free(&o);
        cancel_free(cancel);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sound_archives_are_sound, make_sample, unmake),
        cmocka_unit_test(the_first_format_is_read_forever),
        cmocka_unit_test(the_second_format_is_read_forever),
        cmocka_unit_test(thousands_of_members_by_many_threads),
        cmocka_unit_test_setup_teardown(every_changed_byte_is_found, make_small, unmake),
        cmocka_unit_test_setup_teardown(every_cut_is_found, make_small, unmake),
        cmocka_unit_test_setup_teardown(every_missing_block_is_found, make_small, unmake),
        cmocka_unit_test_setup_teardown(anything_appended_is_found, make_small, unmake),
        cmocka_unit_test_setup_teardown(any_two_exchanged_members_are_found, make_small, unmake),
        cmocka_unit_test_setup_teardown(damage_in_many_places_is_told_by_place, make_small, unmake),
        cmocka_unit_test(a_manifest_that_lies_about_data_is_found),
        cmocka_unit_test(a_newer_format_is_refused_not_damaged),
        cmocka_unit_test_setup_teardown(only_chosen_tables_are_read, make_sample, unmake),
        cmocka_unit_test_setup_teardown(errors_of_the_source_are_not_damage, make_sample, unmake),
        cmocka_unit_test_setup_teardown(a_cancelled_run_ends_with_its_reason, make_small, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
