#include "support/memory.h"
#include "support/sample.h"
#include "support/test.h"

#include "archive/index.h"
#include "archive/reader.h"

#include <sys/stat.h>

static void what_was_added_is_recorded_and_there(void **state)
{
    (void)state;
    struct memory_sink sink;
    memory_sink_init(&sink);
    struct manifest *m = sample_write(&sink.base);
    uint64_t end = 0;
    assert_false(sink.committed);
    for (size_t i = 0; i < m->member_count; i++) {
        const struct manifest_member *member = &m->members[i];
        char sha256[SHA256_HEX_BYTES];
        assert_int_equal(member->offset, end + 512);
        digest_of(sink.data.data + member->offset, member->length, sha256);
        assert_string_equal(member->sha256, sha256);
        end = member->offset + (member->length + 511) / 512 * 512;
    }
    assert_int_equal(manifest_members_end(m), end);
    manifest_free(m);
    sink_free(&sink.base);
}

static void the_same_twice_is_the_same_bytes(void **state)
{
    (void)state;
    struct memory_sink a, b;
    memory_sink_init(&a);
    memory_sink_init(&b);
    manifest_free(sample_write(&a.base));
    manifest_free(sample_write(&b.base));
    assert_int_equal(a.data.len, b.data.len);
    assert_memory_equal(a.data.data, b.data.data, a.data.len);
    sink_free(&a.base);
    sink_free(&b.base);
}

/* Starts an archive of the sample's figures. */
static struct archive_writer *begin(struct memory_sink *sink, struct manifest *m)
{
    struct err err;
    struct archive_writer *w;
    memory_sink_init(sink);
    sample_describe(m);
    assert_ok(archive_writer_new(&sink->base, m, m->started_ms / 1000, &w, &err), &err);
    return w;
}

static void a_manifest_that_no_reader_takes_is_not_finished(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct err err;
        struct memory_sink sink;
        struct manifest *m = manifest_new();
        struct archive_writer *w = begin(&sink, m);
        if (i > 0)
            sample_write_head(w, m);
        if (i == 1)
            m->started_ms += 1000;
        if (i == 2)
            m->tables[0].rows = 1;
        size_t written = sink.data.len;
        assert_int_equal(archive_writer_bytes(w), written);
        assert_err(archive_writer_finish(w, &err), ERR_INTERNAL, &err);
        archive_writer_free(w);
        assert_int_equal(sink.data.len, written);
        manifest_free(m);
        sink_free(&sink.base);
    }
    archive_writer_free(NULL);
}

static void members_that_no_reader_takes_are_refused(void **state)
{
    (void)state;
    struct err err;
    struct memory_sink sink;
    struct manifest *m = manifest_new();
    struct archive_writer *w = begin(&sink, m);
    struct manifest_member member = {.path = "README.txt"};
    assert_err(archive_writer_add(w, &member, "", MEMBER_MAX_BYTES + 1, &err), ERR_INTERNAL, &err);
    member.path = "READ ME";
    assert_err(archive_writer_add(w, &member, "", 0, &err), ERR_INTERNAL, &err);
    assert_int_equal(m->member_count, 0);
    assert_int_equal(sink.data.len, 0);
    archive_writer_free(w);
    manifest_free(m);
    sink_free(&sink.base);
}

static void a_time_that_tar_cannot_hold_is_refused(void **state)
{
    (void)state;
    struct err err;
    struct memory_sink sink;
    struct manifest *m = manifest_new();
    struct archive_writer *w;
    struct manifest_member member = {.path = "README.txt"};
    memory_sink_init(&sink);
    assert_ok(archive_writer_new(&sink.base, m, -1, &w, &err), &err);
    assert_err(archive_writer_add(w, &member, "x", 1, &err), ERR_INTERNAL, &err);
    archive_writer_free(w);
    manifest_free(m);
    sink_free(&sink.base);
}

/* One table without rows: small enough to fail at each of its writes. */
static enum err_code write_small(struct memory_sink *sink)
{
    struct err err = {0};
    struct archive_writer *w;
    struct manifest *m = manifest_new();
    static const struct {
        const char *path;
        enum member_kind kind;
    } members[] = {{"README.txt", MEMBER_README}, {"restore.sh", MEMBER_SCRIPT}};
    assert_ok(archive_writer_new(&sink->base, m, 0, &w, &err), &err);
    enum err_code rc = ERR_OK;
    for (size_t i = 0; rc == ERR_OK && i < 2; i++) {
        struct manifest_member member = {.path = members[i].path, .kind = members[i].kind};
        rc = archive_writer_add(w, &member, "text", 4, &err);
        assert_int_equal(m->member_count, i + (rc == ERR_OK));
    }
    if (rc == ERR_OK)
        rc = archive_writer_finish(w, &err);
    assert_int_equal(rc, err.code);
    sink->writes_left = -1;
    archive_writer_free(w);
    manifest_free(m);
    return rc;
}

static void a_failing_sink_is_reported_at_every_write(void **state)
{
    (void)state;
    enum err_code rc = ERR_NOSPACE;
    size_t last = 0;
    for (int n = 0; rc != ERR_OK; n++) {
        struct memory_sink sink;
        memory_sink_init(&sink);
        sink.writes_left = n;
        rc = write_small(&sink);
        assert_true(rc == ERR_OK || rc == ERR_NOSPACE);
        assert_true(n == 0 ? sink.data.len == 0 : sink.data.len > last);
        last = sink.data.len;
        sink_free(&sink.base);
    }
}

/* ---- reading by position ---- */

struct archive_bytes {
    struct memory_sink sink;
    struct manifest *manifest;
    struct memory_source source;
};

static int make(void **state)
{
    struct archive_bytes *a = calloc(1, sizeof *a);
    memory_sink_init(&a->sink);
    a->manifest = sample_write(&a->sink.base);
    memory_source_init(&a->source, a->sink.data.data, a->sink.data.len, true);
    *state = a;
    return 0;
}

static int unmake(void **state)
{
    struct archive_bytes *a = *state;
    manifest_free(a->manifest);
    sink_free(&a->sink.base);
    free(a);
    return 0;
}

static void manifest_and_members_come_back(void **state)
{
    struct archive_bytes *a = *state;
    struct err err;
    struct manifest *m;
    struct buf content;
    buf_init(&content, 100000);
    assert_ok(archive_read_manifest(&a->source.base, &m, &err), &err);
    assert_int_equal(m->member_count, a->manifest->member_count);
    for (size_t i = 0; i < m->member_count; i++) {
        const struct manifest_member *member = &m->members[i];
        assert_string_equal(member->path, a->manifest->members[i].path);
        assert_ok(archive_read_member(&a->source.base, m, member, &content, &err), &err);
        assert_int_equal(content.len, member->length);
        assert_memory_equal(content.data, a->sink.data.data + member->offset, content.len);
    }
    assert_ok(archive_check_tail(&a->source.base, m, &err), &err);
    buf_free(&content);
    manifest_free(m);
}

static void a_member_elsewhere_or_too_large_is_an_error(void **state)
{
    struct archive_bytes *a = *state;
    struct err err;
    struct buf content;
    struct manifest_member member = a->manifest->members[0];
    buf_init(&content, 100000);
    member.path = "readme.txt";
    assert_err(archive_read_member(&a->source.base, a->manifest, &member, &content, &err), ERR_DAMAGED, &err);
    assert_string_equal(err.text, "readme.txt: its tar header was changed");
    member = a->manifest->members[0];
    member.sha256[0] ^= 1;
    assert_err(archive_read_member(&a->source.base, a->manifest, &member, &content, &err), ERR_DAMAGED, &err);
    assert_non_null(strstr(err.text, "SHA-256"));
    member = a->manifest->members[0];
    member.offset = a->sink.data.len;
    assert_err(archive_read_member(&a->source.base, a->manifest, &member, &content, &err), ERR_DAMAGED, &err);
    assert_non_null(strstr(err.text, "ends too early"));
    buf_free(&content);
    buf_init(&content, 600);
    assert_err(archive_read_member(&a->source.base, a->manifest, &a->manifest->members[0], &content, &err),
               ERR_NOMEM, &err);
    buf_free(&content);
}

static void an_index_that_points_to_a_wrong_place_is_rejected(void **state)
{
    struct archive_bytes *a = *state;
    char *text = a->sink.data.data + a->sink.data.len - 1024 - INDEX_BYTES;
    struct archive_index right;
    assert_true(index_parse(text, &right));
    const struct {
        uint64_t offset, length;
    } cases[] = {
        {right.offset, 0},
        {right.offset, right.length + 512},
        {right.offset + 512, right.length},
        {right.offset - 512, right.length},
        {right.offset - 512, right.length + 512},
        {right.offset + 1, right.length},
        {0, a->sink.data.len - 2048},
        {511, a->sink.data.len - 2048 - 511},
        {UINT64_MAX, right.length},
        {right.offset, UINT64_MAX},
        {UINT64_MAX - 511, 1024},
        {a->sink.data.len, UINT64_MAX - 511},
        {right.offset, MANIFEST_MAX_BYTES + 1},
        {right.offset, right.length - 1}, /* the right place, but another SHA-256 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err;
        struct manifest *m;
        struct archive_index wrong = right;
        wrong.offset = cases[i].offset;
        wrong.length = cases[i].length;
        index_format(&wrong, text);
        assert_err(archive_read_manifest(&a->source.base, &m, &err), ERR_DAMAGED, &err);
        assert_null(m);
    }
}

static void errors_of_the_source_come_through(void **state)
{
    struct archive_bytes *a = *state;
    struct err err;
    struct manifest *m;
    struct buf content;
    buf_init(&content, 100000);
    a->source.fails_from = a->sink.data.len - 1;
    assert_err(archive_read_manifest(&a->source.base, &m, &err), ERR_STORAGE, &err);
    assert_err(archive_check_tail(&a->source.base, a->manifest, &err), ERR_STORAGE, &err);
    a->source.fails_from = 0;
    assert_err(archive_read_member(&a->source.base, a->manifest, &a->manifest->members[0], &content, &err),
               ERR_STORAGE, &err);
    buf_free(&content);
}

static void a_tail_of_another_manifest_is_rejected(void **state)
{
    struct archive_bytes *a = *state;
    struct err err;
    a->manifest->member_count--;
    assert_err(archive_check_tail(&a->source.base, a->manifest, &err), ERR_DAMAGED, &err);
    a->manifest->member_count++;
    a->manifest->started_ms += 1000;
    assert_err(archive_check_tail(&a->source.base, a->manifest, &err), ERR_DAMAGED, &err);
}

/* ---- the stock tool ---- */

/* The output of a shell command in a folder; it must succeed.  The caller frees it. */
static char *shell(const char *folder, const char *what)
{
    char command[1000], piece[1000];
    struct buf out;
    size_t n;
    snprintf(command, sizeof command, "cd '%s' && %s 2>&1", folder, what);
    FILE *p = popen(command, "re");
    assert_non_null(p);
    buf_init(&out, 1000000);
    while ((n = fread(piece, 1, sizeof piece, p)) > 0)
        buf_putn(&out, piece, n);
    assert_int_equal(pclose(p), 0);
    buf_cstr(&out);
    return out.data;
}

static void write_file(const char *folder, const char *name, const struct buf *b)
{
    char path[1000];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
    assert_int_equal(fclose(f), 0);
}

static void check_file(const char *folder, const char *name, const char *content, size_t bytes)
{
    char path[1000], *got = malloc(bytes + 1);
    snprintf(path, sizeof path, "%s/x/%s", folder, name);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_int_equal(fread(got, 1, bytes + 1, f), bytes);
    assert_memory_equal(got, content, bytes);
    fclose(f);
    free(got);
}

static void gnu_tar_lists_and_extracts_it(void **state)
{
    struct archive_bytes *a = *state;
    char *folder = tmpdir_make();
    struct buf want;
    struct stat st;
    char script[1000];
    write_file(folder, "a.tar", &a->sink.data);
    char *listed = shell(folder, "tar -tf a.tar");
    buf_init(&want, 100000);
    for (size_t i = 0; i < a->manifest->member_count; i++)
        buf_putf(&want, "%s\n", a->manifest->members[i].path);
    buf_put(&want, "manifest.json\nindex.dbsafe\n");
    assert_string_equal(listed, buf_cstr(&want));
    free(listed);
    free(shell(folder, "mkdir x && tar -xf a.tar -C x --no-same-owner"));
    for (size_t i = 0; i < a->manifest->member_count; i++)
        check_file(folder, a->manifest->members[i].path, a->sink.data.data + a->manifest->members[i].offset,
                   a->manifest->members[i].length);
    buf_clear(&want);
    struct err err;
    assert_ok(manifest_write(a->manifest, &want, &err), &err);
    check_file(folder, MANIFEST_PATH, want.data, want.len);
    snprintf(script, sizeof script, "%s/x/restore.sh", folder);
    assert_int_equal(stat(script, &st), 0);
    assert_true((st.st_mode & 0100) != 0);
    assert_int_equal(st.st_mtime, a->manifest->started_ms / 1000);
    char *text = shell(folder, "zstd -dcq x/data/0001-orders/000002.tsv.zst");
    assert_string_equal(text, sample_tables[0].texts[1]);
    free(text);
    buf_free(&want);
    tmpdir_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_recorded_and_there),
        cmocka_unit_test(the_same_twice_is_the_same_bytes),
        cmocka_unit_test(a_manifest_that_no_reader_takes_is_not_finished),
        cmocka_unit_test(members_that_no_reader_takes_are_refused),
        cmocka_unit_test(a_time_that_tar_cannot_hold_is_refused),
        cmocka_unit_test(a_failing_sink_is_reported_at_every_write),
        cmocka_unit_test_setup_teardown(manifest_and_members_come_back, make, unmake),
        cmocka_unit_test_setup_teardown(a_member_elsewhere_or_too_large_is_an_error, make, unmake),
        cmocka_unit_test_setup_teardown(an_index_that_points_to_a_wrong_place_is_rejected, make, unmake),
        cmocka_unit_test_setup_teardown(errors_of_the_source_come_through, make, unmake),
        cmocka_unit_test_setup_teardown(a_tail_of_another_manifest_is_rejected, make, unmake),
        cmocka_unit_test_setup_teardown(gnu_tar_lists_and_extracts_it, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
