#include "support/memory.h"
#include "support/sample.h"
#include "support/test.h"

#include "archive/index.h"
#include "archive/reader.h"
#include "archive/tar.h"

struct fixture {
    struct memory_sink sink;
    struct manifest *manifest;
    struct memory_source source;
    struct archive_stream *stream;
    struct buf content;
};

static int make(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    memory_sink_init(&f->sink);
    f->manifest = sample_write(&f->sink.base);
    memory_source_init(&f->source, f->sink.data.data, f->sink.data.len, false);
    f->stream = archive_stream_new(&f->source.base);
    buf_init(&f->content, 1000000);
    *state = f;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *f = *state;
    archive_stream_free(f->stream);
    archive_stream_free(NULL);
    manifest_free(f->manifest);
    buf_free(&f->content);
    sink_free(&f->sink.base);
    free(f);
    return 0;
}

/* Reads on to the end or the first error. */
static enum err_code read_all(struct fixture *f, struct err *err)
{
    for (;;) {
        const char *path;
        char sha256[SHA256_HEX_BYTES];
        enum err_code rc = archive_stream_next(f->stream, &path, &f->content, sha256, err);
        if (rc != ERR_OK) {
            assert_null(path);
            assert_null(archive_stream_manifest(f->stream));
        }
        if (rc != ERR_OK || path == NULL)
            return rc;
    }
}

static void expect_damage(struct fixture *f, const char *message)
{
    struct err err;
    assert_err(read_all(f, &err), ERR_DAMAGED, &err);
    if (strstr(err.text, message) == NULL)
        fail_msg("'%s' instead of '%s'", err.text, message);
}

static void members_come_in_order_and_the_manifest_last(void **state)
{
    struct fixture *f = *state;
    struct err err;
    const char *path;
    char sha256[SHA256_HEX_BYTES];
    for (size_t i = 0; i < f->manifest->member_count; i++) {
        const struct manifest_member *member = &f->manifest->members[i];
        assert_ok(archive_stream_next(f->stream, &path, &f->content, sha256, &err), &err);
        assert_string_equal(path, member->path);
        assert_string_equal(sha256, member->sha256);
        assert_int_equal(f->content.len, member->length);
        assert_memory_equal(f->content.data, f->sink.data.data + member->offset, member->length);
        assert_null(archive_stream_manifest(f->stream));
        assert_err(archive_stream_matches(f->stream, &err), ERR_INTERNAL, &err);
    }
    assert_ok(archive_stream_next(f->stream, &path, &f->content, sha256, &err), &err);
    assert_null(path);
    assert_ok(archive_stream_matches(f->stream, &err), &err);
    struct manifest *m = archive_stream_take_manifest(f->stream);
    assert_int_equal(m->member_count, f->manifest->member_count);
    assert_null(archive_stream_manifest(f->stream));
    assert_null(archive_stream_take_manifest(f->stream));
    manifest_free(m);
}

static void pieces_of_one_byte_are_enough(void **state)
{
    struct fixture *f = *state;
    struct err err;
    f->source.piece = 1;
    assert_ok(read_all(f, &err), &err);
    assert_ok(archive_stream_matches(f->stream, &err), &err);
}

static void errors_of_the_source_come_through(void **state)
{
    struct fixture *f = *state;
    struct err err;
    f->source.fails_from = f->sink.data.len; /* only the look behind the end fails */
    assert_err(read_all(f, &err), ERR_STORAGE, &err);
    assert_non_null(strstr(err.text, "the memory source failed"));
}

static void other_things_than_archives_are_told_apart(void **state)
{
    struct fixture *f = *state;
    f->source.bytes = 0;
    expect_damage(f, "memory ends too early");
}

static void text_is_no_archive(void **state)
{
    struct fixture *f = *state;
    memset(f->sink.data.data, 'x', 512);
    expect_damage(f, "not a dbsafe archive: there is no member at 0");
}

static void another_tar_is_no_archive(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_ok(tar_header("other.txt", 1, 1700000000, f->sink.data.data, &err), &err);
    expect_damage(f, "memory is not a dbsafe archive: it starts with other.txt");
}

static void all_members_have_one_time(void **state)
{
    struct fixture *f = *state;
    struct err err;
    const struct manifest_member *second = &f->manifest->members[1];
    assert_ok(
        tar_header(second->path, second->length, 1700000001, f->sink.data.data + second->offset - 512, &err),
        &err);
    expect_damage(f, "restore.sh: its tar header was changed");
}

static void a_member_longer_than_any_is_not_read(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_ok(tar_header("README.txt", MEMBER_MAX_BYTES + 1, 1700000000, f->sink.data.data, &err), &err);
    expect_damage(f, "README.txt: it is too long");
}

static void padding_counts(void **state)
{
    struct fixture *f = *state;
    const struct manifest_member *first = &f->manifest->members[0];
    f->sink.data.data[first->offset + first->length] = 1;
    expect_damage(f, "README.txt: the padding behind it was changed");
}

static void the_trailer_counts(void **state)
{
    struct fixture *f = *state;
    f->sink.data.data[f->sink.data.len - 1] = 1;
    expect_damage(f, "the trailer of memory was changed");
}

static void nothing_follows_the_trailer(void **state)
{
    struct fixture *f = *state;
    buf_putn(&f->sink.data, "", 1);
    memory_source_init(&f->source, f->sink.data.data, f->sink.data.len, false);
    expect_damage(f, "memory goes on behind its end");
}

static void the_index_must_fit_the_manifest(void **state)
{
    struct fixture *f = *state;
    char *digit = f->sink.data.data + f->sink.data.len - 1024 - 512 + 15 + 16 + 19;
    *digit ^= 1;
    expect_damage(f, "index.dbsafe: it does not fit the manifest");
}

/* What passes as a tar, but is not what the manifest says, shows at the end. */
static void expect_mismatch(struct fixture *f, const char *message)
{
    struct err err;
    assert_ok(read_all(f, &err), &err);
    assert_err(archive_stream_matches(f->stream, &err), ERR_DAMAGED, &err);
    if (strstr(err.text, message) == NULL)
        fail_msg("'%s' instead of '%s'", err.text, message);
}

static void changed_content_shows_at_the_end(void **state)
{
    struct fixture *f = *state;
    f->sink.data.data[f->manifest->members[1].offset] ^= 1;
    expect_mismatch(f, "restore.sh: path, place, length or SHA-256");
}

static void exchanged_members_show_at_the_end(void **state)
{
    struct fixture *f = *state;
    size_t n = f->manifest->member_count;
    char entry[1024];
    char *a = f->sink.data.data + f->manifest->members[n - 2].offset - 512;
    char *b = f->sink.data.data + f->manifest->members[n - 1].offset - 512;
    assert_int_equal(b - a, sizeof entry);
    memcpy(entry, a, sizeof entry);
    memcpy(a, b, sizeof entry);
    memcpy(b, entry, sizeof entry);
    expect_mismatch(f, "path, place, length or SHA-256");
}

/* The sample with its last data member left out or doubled, and with an index that fits the manifest's new
 * place. */
static void with_other_members(struct fixture *f, bool doubled)
{
    struct err err;
    struct memory_sink out;
    struct tar_out *t;
    char index[512];
    const char *json = f->sink.data.data + manifest_members_end(f->manifest) + 512;
    memory_sink_init(&out);
    assert_ok(tar_out_new(&out.base, 1700000000, &t, &err), &err);
    for (size_t i = 0; i < f->manifest->member_count; i++) {
        const struct manifest_member *member = &f->manifest->members[i];
        for (int n = i + 1 < f->manifest->member_count ? 1 : doubled ? 2 : 0; n > 0; n--)
            assert_ok(tar_out_add(t, member->path, f->sink.data.data + member->offset, member->length, &err),
                      &err);
    }
    struct archive_index at;
    assert_true(index_parse(f->sink.data.data + f->sink.data.len - TAR_TRAILER_BYTES - INDEX_BYTES, &at));
    at.offset = tar_out_bytes(t) + 512;
    index_format(&at, index);
    assert_ok(tar_out_add(t, MANIFEST_PATH, json, at.length, &err), &err);
    assert_ok(tar_out_add(t, INDEX_PATH, index, sizeof index, &err), &err);
    assert_ok(tar_out_end(t, &err), &err);
    tar_out_free(t);
    sink_free(&f->sink.base);
    f->sink = out;
    memory_source_init(&f->source, f->sink.data.data, f->sink.data.len, false);
}

static void a_missing_member_shows_at_the_end(void **state)
{
    struct fixture *f = *state;
    with_other_members(f, false);
    expect_mismatch(f, "25 members came, and the manifest lists 26");
}

static void an_additional_member_shows_at_the_end(void **state)
{
    struct fixture *f = *state;
    with_other_members(f, true);
    expect_mismatch(f, "27 members came, and the manifest lists 26");
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(members_come_in_order_and_the_manifest_last),
        WITH_FIXTURE(pieces_of_one_byte_are_enough),
        WITH_FIXTURE(errors_of_the_source_come_through),
        WITH_FIXTURE(other_things_than_archives_are_told_apart),
        WITH_FIXTURE(text_is_no_archive),
        WITH_FIXTURE(another_tar_is_no_archive),
        WITH_FIXTURE(all_members_have_one_time),
        WITH_FIXTURE(a_member_longer_than_any_is_not_read),
        WITH_FIXTURE(padding_counts),
        WITH_FIXTURE(the_trailer_counts),
        WITH_FIXTURE(nothing_follows_the_trailer),
        WITH_FIXTURE(the_index_must_fit_the_manifest),
        WITH_FIXTURE(changed_content_shows_at_the_end),
        WITH_FIXTURE(exchanged_members_show_at_the_end),
        WITH_FIXTURE(a_missing_member_shows_at_the_end),
        WITH_FIXTURE(an_additional_member_shows_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
