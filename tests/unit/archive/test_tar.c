#include "support/memory.h"
#include "support/test.h"

#include "archive/index.h"
#include "archive/tar.h"

#include <string.h>

#define MTIME INT64_C(1700000000)

/* A header made by hand from the manual page. */
static void expected_header(const char *path, const char *mode, const char *size, char out[TAR_BLOCK])
{
    unsigned sum = 0;
    memset(out, 0, TAR_BLOCK);
    memcpy(out, path, strlen(path));
    memcpy(out + 100, mode, 7);
    memcpy(out + 108, "000000 ", 7);
    memcpy(out + 116, "000000 ", 7);
    memcpy(out + 124, size, 12);
    memcpy(out + 136, "14524770400 ", 12);
    memcpy(out + 148, "        ", 8);
    out[156] = '0';
    memcpy(out + 257, "ustar\00000", 8);
    memcpy(out + 265, "root", 4);
    memcpy(out + 297, "root", 4);
    memcpy(out + 329, "000000 ", 7);
    memcpy(out + 337, "000000 ", 7);
    for (int i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)out[i];
    snprintf(out + 148, 8, "%06o", sum);
    out[155] = ' ';
}

static void headers_are_as_documented(void **state)
{
    (void)state;
    static const char longest[] =
        "data/0123456789-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN/0123456789012345678901"
        "234567890123.tsv.zst";
    static const struct {
        const char *path, *mode, *octal;
        uint64_t size;
    } cases[] = {
        {"README.txt", "000644 ", "00000000000 ", 0},
        {"restore.sh", "000755 ", "00000000123 ", 83},
        {"data/0001-t/000001.tsv.zst", "000644 ", "00100000000 ", 1 << 24},
        {longest, "000644 ", "30000000000 ", (uint64_t)3 << 30},
        {"x", "000644 ", "77777777777 ", TAR_SIZE_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char want[TAR_BLOCK], got[TAR_BLOCK], path[TAR_PATH_MAX + 1];
        uint64_t size;
        int64_t mtime;
        struct err err;
        expected_header(cases[i].path, cases[i].mode, cases[i].octal, want);
        assert_ok(tar_header(cases[i].path, cases[i].size, MTIME, got, &err), &err);
        assert_memory_equal(got, want, TAR_BLOCK);
        assert_true(tar_parse(got, path, &size, &mtime));
        assert_string_equal(path, cases[i].path);
        assert_int_equal(size, cases[i].size);
        assert_int_equal(mtime, MTIME);
        assert_ok(tar_check(got, path, size, mtime, &err), &err);
    }
    assert_int_equal(strlen(longest), TAR_PATH_MAX);
}

static void what_ustar_cannot_hold_is_refused(void **state)
{
    (void)state;
    char out[TAR_BLOCK], path[TAR_PATH_MAX + 2];
    struct err err;
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_err(tar_header(path, 1, MTIME, out, &err), ERR_INTERNAL, &err);
    assert_err(tar_header("", 1, MTIME, out, &err), ERR_INTERNAL, &err);
    assert_err(tar_header("a b", 1, MTIME, out, &err), ERR_INTERNAL, &err);
    assert_err(tar_header("\xC3\xA9", 1, MTIME, out, &err), ERR_INTERNAL, &err);
    assert_err(tar_header("a\n", 1, MTIME, out, &err), ERR_INTERNAL, &err);
    assert_err(tar_header("a", TAR_SIZE_MAX + 1, MTIME, out, &err), ERR_INTERNAL, &err);
    assert_err(tar_header("a", 1, -1, out, &err), ERR_INTERNAL, &err);
    assert_err(tar_header("a", 1, (int64_t)TAR_SIZE_MAX + 1, out, &err), ERR_INTERNAL, &err);
}

/* libarchive's pax writer would put an extended header in front from 2038 on. */
static void times_beyond_31_bits_need_no_other_header(void **state)
{
    (void)state;
    static const int64_t times[] = {0, INT32_MAX, (int64_t)INT32_MAX + 1, (int64_t)TAR_SIZE_MAX};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char header[TAR_BLOCK], path[TAR_PATH_MAX + 1];
        uint64_t size;
        int64_t mtime;
        struct err err;
        assert_ok(tar_header("a", 1, times[i], header, &err), &err);
        assert_true(tar_parse(header, path, &size, &mtime));
        assert_int_equal(mtime, times[i]);
    }
}

static void every_bit_of_a_header_counts(void **state)
{
    (void)state;
    char header[TAR_BLOCK];
    struct err err;
    assert_ok(tar_header("data/0001-t/000001.tsv.zst", 1234, MTIME, header, &err), &err);
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        header[i] ^= (char)(1 << (i % 8));
        assert_err(tar_check(header, "data/0001-t/000001.tsv.zst", 1234, MTIME, &err), ERR_DAMAGED, &err);
        header[i] ^= (char)(1 << (i % 8));
    }
    assert_err(tar_check(header, "data/0001-t/000002.tsv.zst", 1234, MTIME, &err), ERR_DAMAGED, &err);
    assert_err(tar_check(header, "data/0001-t/000001.tsv.zst", 1235, MTIME, &err), ERR_DAMAGED, &err);
    assert_err(tar_check(header, "data/0001-t/000001.tsv.zst", 1234, MTIME + 1, &err), ERR_DAMAGED, &err);
}

static void what_is_no_header_is_not_parsed(void **state)
{
    (void)state;
    char header[TAR_BLOCK], path[TAR_PATH_MAX + 1];
    uint64_t size;
    int64_t mtime;
    struct err err;
    memset(header, 0, sizeof header);
    assert_false(tar_parse(header, path, &size, &mtime));
    memset(header, 'x', sizeof header);
    assert_false(tar_parse(header, path, &size, &mtime));
    assert_ok(tar_header("a", 8, MTIME, header, &err), &err);
    header[134] = '8'; /* no octal digit */
    assert_false(tar_parse(header, path, &size, &mtime));
    header[134] = '\x80';
    assert_false(tar_parse(header, path, &size, &mtime));
    header[134] = '1';
    header[136] = '-';
    assert_false(tar_parse(header, path, &size, &mtime));
}

static void entries_are_padded_and_a_trailer_ends_them(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 511, 512, 513, 100000};
    static char content[100000];
    struct err err;
    struct memory_sink sink;
    struct tar_out *t;
    uint64_t at = 0;
    memset(content, 'c', sizeof content);
    memory_sink_init(&sink);
    assert_ok(tar_out_new(&sink.base, MTIME, &t, &err), &err);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_ok(tar_out_add(t, "a", content, sizes[i], &err), &err);
        const char *entry = sink.data.data + at;
        assert_ok(tar_check(entry, "a", sizes[i], MTIME, &err), &err);
        assert_memory_equal(entry + TAR_BLOCK, content, sizes[i]);
        assert_true(tar_is_zero(entry + TAR_BLOCK + sizes[i], tar_padded(sizes[i]) - sizes[i]));
        at += TAR_BLOCK + tar_padded(sizes[i]);
        assert_int_equal(tar_out_bytes(t), at);
        assert_int_equal(sink.data.len, at);
    }
    assert_ok(tar_out_end(t, &err), &err);
    assert_int_equal(sink.data.len, at + TAR_TRAILER_BYTES);
    assert_true(tar_is_zero(sink.data.data + at, TAR_TRAILER_BYTES));
    tar_out_free(t);
    assert_int_equal(sink.data.len, at + TAR_TRAILER_BYTES);
    sink_free(&sink.base);
}

static void without_an_end_there_is_no_trailer(void **state)
{
    (void)state;
    struct err err;
    struct memory_sink sink;
    struct tar_out *t;
    memory_sink_init(&sink);
    assert_ok(tar_out_new(&sink.base, MTIME, &t, &err), &err);
    tar_out_free(t);
    assert_int_equal(sink.data.len, 0);
    assert_ok(tar_out_new(&sink.base, MTIME, &t, &err), &err);
    assert_ok(tar_out_add(t, "a", "abc", 3, &err), &err);
    tar_out_free(t);
    assert_int_equal(sink.data.len, 2 * TAR_BLOCK);
    tar_out_free(NULL);
    sink_free(&sink.base);
}

/* The sink fails at its first write, at its second and so on: its error comes back, and nothing is written
 * afterwards. */
static void a_failing_sink_is_reported_at_every_write(void **state)
{
    (void)state;
    bool done = false;
    for (int n = 0; !done; n++) {
        struct err err;
        struct memory_sink sink;
        struct tar_out *t;
        memory_sink_init(&sink);
        sink.writes_left = n;
        assert_ok(tar_out_new(&sink.base, MTIME, &t, &err), &err);
        enum err_code rc = tar_out_add(t, "a", "abc", 3, &err);
        if (rc == ERR_OK)
            rc = tar_out_end(t, &err);
        size_t written = sink.data.len;
        sink.writes_left = -1;
        tar_out_free(t);
        assert_int_equal(sink.data.len, written);
        done = rc == ERR_OK;
        if (!done) {
            assert_int_equal(rc, ERR_NOSPACE);
            assert_non_null(strstr(err.text, "of the archive: the memory sink is full"));
            assert_true(written < 2 * TAR_BLOCK + TAR_TRAILER_BYTES);
        }
        sink_free(&sink.base);
    }
}

static void the_index_is_exact(void **state)
{
    (void)state;
    char text[INDEX_BYTES];
    struct archive_index index = {.offset = 27648, .length = UINT64_MAX}, back;
    memset(index.sha256, 'a', SHA256_HEX_BYTES - 1);
    index_format(&index, text);
    static const char want[] =
        "dbsafe-index 1\n"
        "manifest-offset 00000000000000027648\n"
        "manifest-length 18446744073709551615\n"
        "manifest-sha256 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n ";
    assert_memory_equal(text, want, sizeof want - 1);
    for (size_t i = sizeof want - 1; i < INDEX_BYTES - 1; i++)
        assert_int_equal(text[i], ' ');
    assert_int_equal(text[INDEX_BYTES - 1], '\n');
    assert_true(index_parse(text, &back));
    assert_int_equal(back.offset, index.offset);
    assert_true(back.length == UINT64_MAX);
    assert_string_equal(back.sha256, index.sha256);
    /* Any other text is refused, or it is the exact text of other values. */
    for (size_t i = 0; i < 8 * INDEX_BYTES; i++) {
        char again[INDEX_BYTES];
        text[i / 8] ^= (char)(1 << (i % 8));
        if (index_parse(text, &back)) {
            index_format(&back, again);
            assert_memory_equal(again, text, INDEX_BYTES);
        }
        text[i / 8] ^= (char)(1 << (i % 8));
    }
    memset(text, 0, sizeof text);
    assert_false(index_parse(text, &back));
    index_format(&index, text);
    memcpy(text + 15 + 16, "99999999999999999999", 20); /* more than 64 bits */
    assert_false(index_parse(text, &back));
    index_format(&index, text);
    memcpy(text + 15 + 16, "                   1", 20);
    assert_false(index_parse(text, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_as_documented),
        cmocka_unit_test(what_ustar_cannot_hold_is_refused),
        cmocka_unit_test(times_beyond_31_bits_need_no_other_header),
        cmocka_unit_test(every_bit_of_a_header_counts),
        cmocka_unit_test(what_is_no_header_is_not_parsed),
        cmocka_unit_test(entries_are_padded_and_a_trailer_ends_them),
        cmocka_unit_test(without_an_end_there_is_no_trailer),
        cmocka_unit_test(a_failing_sink_is_reported_at_every_write),
        cmocka_unit_test(the_index_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
