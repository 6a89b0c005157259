#include "support/test.h"

#include "s3/answers.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct xml *xml;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->arena = arena_new();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    xml_free(f->xml);
    arena_free(f->arena);
    free(f);
    return 0;
}

static const struct xml *parse(struct fixture *f, const char *text)
{
    struct err err;
    xml_free(f->xml);
    f->xml = NULL;
    assert_ok(xml_parse(text, strlen(text), &f->xml, &err), &err);
    return f->xml;
}

static void objects(void **state)
{
    struct fixture *f = *state;
    struct s3_object_page page;
    struct err err;
    const struct xml *x = parse(
        f,
        "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Name>b</Name><KeyCount>2</KeyCount><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>"
        "<Contents><Key>a%20b%2Bc%C3%A9+d</Key><LastModified>2026-11-23T19:04:05.123Z</LastModified>"
        "<ETag>&quot;x&quot;</ETag><Size>4711</Size><StorageClass>STANDARD</StorageClass></Contents>"
        "<Contents><Key>z</Key><Size>0</Size><LastModified>1970-01-01T00:00:01Z</LastModified></Contents>"
        "<CommonPrefixes><Prefix>dir/</Prefix></CommonPrefixes></ListBucketResult>");
    assert_ok(s3_read_objects(x, f->arena, &page, &err), &err);
    assert_int_equal(page.count, 2);
    assert_string_equal(page.items[0].key, "a b+c\xC3\xA9 d");
    assert_int_equal(page.items[0].bytes, 4711);
    assert_true(page.items[0].modified_ms == INT64_C(1795460645123));
    assert_string_equal(page.items[1].key, "z");
    assert_int_equal(page.items[1].bytes, 0);
    assert_true(page.items[1].modified_ms == 1000);
    assert_null(page.next);
}

static void a_page_of_objects_goes_on(void **state)
{
    struct fixture *f = *state;
    struct s3_object_page page;
    struct err err;
    /* without an encoding the keys are as they are, a + too */
    assert_ok(
        s3_read_objects(
            parse(f, "<R><IsTruncated>true</IsTruncated><NextContinuationToken>1/x+=</NextContinuationToken>"
                     "<Contents><Key>a+%20</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z"
                     "</LastModified></Contents></R>"),
            f->arena, &page, &err),
        &err);
    assert_string_equal(page.next, "1/x+=");
    assert_string_equal(page.items[0].key, "a+%20");
    assert_ok(s3_read_objects(parse(f, "<R/>"), f->arena, &page, &err), &err);
    assert_int_equal(page.count, 0);
    assert_null(page.next);
}

static void bad_lists_are_errors(void **state)
{
    struct fixture *f = *state;
    static const char *const objects_texts[] = {
        "<R><Contents><Key>a</Key><LastModified>2026-01-01T00:00:00Z</LastModified></Contents></R>",
        "<R><Contents><Key>a</Key><Size>x</Size><LastModified>2026-01-01T00:00:00Z</LastModified></"
        "Contents></R>",
        "<R><Contents><Key>a</Key><Size>1</Size><LastModified>yesterday</LastModified></Contents></R>",
        "<R><Contents><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents></R>",
        "<R><IsTruncated>true</IsTruncated></R>",
    };
    static const char *const uploads_texts[] = {
        "<R><Upload><Key>a</Key><Initiated>2026-01-01T00:00:00Z</Initiated></Upload></R>",
        "<R><Upload><UploadId>a</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated></Upload></R>",
        "<R><Upload><Key>a</Key><UploadId>i</UploadId></Upload></R>",
        "<R><IsTruncated>true</IsTruncated></R>",
    };
    static const char *const parts_texts[] = {
        "<R><Part><PartNumber>1</PartNumber></Part></R>",
        "<R><IsTruncated>true</IsTruncated></R>",
    };
    struct s3_object_page objects_page;
    struct s3_upload_page uploads_page;
    struct s3_part_page parts_page;
    struct err err;
    for (size_t i = 0; i < sizeof objects_texts / sizeof objects_texts[0]; i++)
        assert_err(s3_read_objects(parse(f, objects_texts[i]), f->arena, &objects_page, &err), ERR_STORAGE,
                   &err);
    for (size_t i = 0; i < sizeof uploads_texts / sizeof uploads_texts[0]; i++)
        assert_err(s3_read_uploads(parse(f, uploads_texts[i]), f->arena, &uploads_page, &err), ERR_STORAGE,
                   &err);
    for (size_t i = 0; i < sizeof parts_texts / sizeof parts_texts[0]; i++)
        assert_err(s3_read_parts(parse(f, parts_texts[i]), f->arena, &parts_page, &err), ERR_STORAGE, &err);
}

static void uploads(void **state)
{
    struct fixture *f = *state;
    struct s3_upload_page page;
    struct err err;
    assert_ok(s3_read_uploads(
                  parse(f, "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>"
                           "<NextKeyMarker>k2</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>"
                           "<Upload><Key>k1</Key><UploadId>u1</UploadId><Initiator><ID>x</ID></Initiator>"
                           "<Initiated>2026-01-01T00:00:00.5Z</Initiated></Upload>"
                           "<Upload><Key>k2</Key><UploadId>u2</UploadId>"
                           "<Initiated>2026-01-01T00:00:01.000Z</Initiated></Upload>"
                           "</ListMultipartUploadsResult>"),
                  f->arena, &page, &err),
              &err);
    assert_int_equal(page.count, 2);
    assert_string_equal(page.items[0].key, "k1");
    assert_string_equal(page.items[0].id, "u1");
    assert_true(page.items[1].begun_ms - page.items[0].begun_ms == 500);
    assert_string_equal(page.next_key, "k2");
    assert_string_equal(page.next_id, "u2");
    assert_ok(s3_read_uploads(parse(f, "<R/>"), f->arena, &page, &err), &err);
    assert_int_equal(page.count, 0);
    assert_null(page.next_key);
}

static void parts(void **state)
{
    struct fixture *f = *state;
    struct s3_part_page page;
    struct err err;
    assert_ok(
        s3_read_parts(
            parse(f,
                  "<R><IsTruncated>true</IsTruncated><NextPartNumberMarker>1000</NextPartNumberMarker>"
                  "<Part><PartNumber>1</PartNumber><LastModified>2026-01-01T00:00:02Z</LastModified></Part>"
                  "<Part><PartNumber>2</PartNumber><LastModified>2026-01-01T00:00:01Z</LastModified></Part>"
                  "</R>"),
            f->arena, &page, &err),
        &err);
    assert_int_equal(page.count, 2);
    assert_true(page.newest_ms == INT64_C(1767225602000));
    assert_string_equal(page.next, "1000");
    assert_ok(s3_read_parts(parse(f, "<R/>"), f->arena, &page, &err), &err);
    assert_int_equal(page.count, 0);
    assert_true(page.newest_ms == INT64_MIN);
}

static void times(void **state)
{
    (void)state;
    int64_t ms;
    assert_true(s3_read_time("2026-11-23T19:04:05.000Z", &ms));
    assert_true(ms == INT64_C(1795460645000));
    assert_true(s3_read_time("2026-11-23T19:04:05Z", &ms));
    assert_true(s3_read_time("2026-11-23T19:04:05.123456789Z", &ms));
    assert_true(ms == INT64_C(1795460645123));
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-11-23T19:04:05",
                                      "2026-11-23T19:04:05.000",
                                      "2026-11-23T19:04:05+01:00",
                                      "2026-13-23T19:04:05Z",
                                      "2026-11-23 19:04:05Z"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(s3_read_time(bad[i], &ms));
}

static void content_ranges(void **state)
{
    (void)state;
    uint64_t first, last, size;
    assert_true(s3_read_content_range("bytes 0-9/4711", &first, &last, &size));
    assert_true(first == 0 && last == 9 && size == 4711);
    assert_true(s3_read_content_range("bytes 17179869184-17179869185/17179869186", &first, &last, &size));
    assert_true(first == UINT64_C(17179869184));
    static const char *const bad[] = {
        "",       "bytes */4711",  "bytes 0-9",   "bytes 0-9/*", "bytes 9-0/10", "bytes 0-10/10",
        "0-9/10", "bytes 0-9/10x", "bytes -9/10", "bytes 0-/10"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(s3_read_content_range(bad[i], &first, &last, &size));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(objects),
        TEST(a_page_of_objects_goes_on),
        TEST(bad_lists_are_errors),
        TEST(uploads),
        TEST(parts),
        TEST(times),
        TEST(content_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
