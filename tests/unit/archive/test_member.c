#include "support/random.h"
#include "support/test.h"

#include "archive/member.h"

#include <string.h>
#include <zstd.h>

#define TEXT_BYTES ((size_t)1 << 20)

static char *make_text(size_t bytes)
{
    struct random r = {bytes};
    char *text = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)('a' + random_below(&r, 5));
    return text;
}

/* What the frame holds, read in pieces of at most max, or NULL with the error. */
static char *unpack(struct unpacker *u, const void *frame, size_t frame_bytes, uint64_t bytes, size_t max,
                    size_t *out_bytes, struct err *err)
{
    char *text = malloc(TEXT_BYTES + max);
    size_t got = 1;
    *out_bytes = 0;
    enum err_code rc = unpacker_begin(u, frame, frame_bytes, bytes, err);
    while (rc == ERR_OK && got > 0) {
        rc = unpacker_read(u, text + *out_bytes, max, &got, err);
        *out_bytes += rc == ERR_OK ? got : 0;
        if (*out_bytes > TEXT_BYTES)
            abort();
    }
    if (rc == ERR_OK)
        return text;
    assert_int_equal(rc, ERR_DAMAGED);
    assert_int_equal(err->code, ERR_DAMAGED);
    free(text);
    return NULL;
}

static void check_same(const struct buf *frame, const char *text, size_t bytes, size_t max)
{
    struct err err;
    size_t got;
    struct unpacker *u = unpacker_new();
    char *again = unpack(u, frame->data, frame->len, bytes, max, &got, &err);
    assert_non_null(again);
    assert_int_equal(got, bytes);
    assert_memory_equal(again, text, bytes);
    free(again);
    unpacker_free(u);
}

static void check_rejected(const void *frame, size_t bytes, const char *why)
{
    struct err err;
    size_t got;
    struct unpacker *u = unpacker_new();
    assert_null(unpack(u, frame, bytes, UINT64_MAX, 1000, &got, &err));
    if (strstr(err.text, why) == NULL)
        fail_msg("'%s' instead of '%s'", err.text, why);
    unpacker_free(u);
}

static void what_was_packed_comes_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 1000, 131072, TEXT_BYTES};
    static const int levels[] = {1, 3, 19};
    struct err err;
    struct buf frame;
    buf_init(&frame, 4 * TEXT_BYTES);
    for (size_t l = 0; l < 3; l++) {
        struct packer *p = packer_new(levels[l]);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            char *text = make_text(sizes[i]);
            assert_ok(packer_pack(p, text, sizes[i], &frame, &err), &err);
            check_same(&frame, text, sizes[i], sizes[i] < 2000 ? 1 : 65536);
            free(text);
        }
        packer_free(p);
    }
    packer_free(NULL);
    unpacker_free(NULL);
    buf_free(&frame);
}

static void pieces_hold_the_same_as_one_go(void **state)
{
    (void)state;
    struct random r = {7};
    struct err err;
    struct buf frame;
    struct packer *p = packer_new(1);
    char *text = make_text(TEXT_BYTES);
    buf_init(&frame, 4 * TEXT_BYTES);
    for (int round = 0; round < 10; round++) {
        unsigned most = 1u << (2 * (unsigned)round + 2);
        size_t bytes = round == 0 ? 5000 : TEXT_BYTES;
        assert_ok(packer_begin(p, bytes, &frame, &err), &err);
        for (size_t at = 0; at < bytes;) {
            size_t n = random_below(&r, most + 1);
            n = n < bytes - at ? n : bytes - at;
            assert_ok(packer_add(p, text + at, n, &err), &err);
            at += n;
        }
        assert_ok(packer_end(p, &err), &err);
        assert_int_equal(ZSTD_getFrameContentSize(frame.data, frame.len), bytes);
        check_same(&frame, text, bytes, 10000);
    }
    free(text);
    buf_free(&frame);
    packer_free(p);
}

static void pieces_must_sum_up_to_what_was_announced(void **state)
{
    (void)state;
    struct err err;
    struct buf frame;
    struct packer *p = packer_new(1);
    buf_init(&frame, TEXT_BYTES);
    assert_ok(packer_begin(p, 10, &frame, &err), &err);
    assert_ok(packer_add(p, "123456", 6, &err), &err);
    assert_err(packer_add(p, "78901", 5, &err), ERR_INTERNAL, &err);
    assert_ok(packer_begin(p, 10, &frame, &err), &err);
    assert_ok(packer_add(p, "123456789", 9, &err), &err);
    assert_err(packer_end(p, &err), ERR_INTERNAL, &err);
    /* what was left undone does not show in the next one */
    assert_ok(packer_pack(p, "next", 4, &frame, &err), &err);
    check_same(&frame, "next", 4, 100);
    assert_ok(packer_begin(p, 4, &frame, &err), &err);
    assert_ok(packer_add(p, "last", 4, &err), &err);
    assert_ok(packer_end(p, &err), &err);
    check_same(&frame, "last", 4, 100);
    buf_free(&frame);
    packer_free(p);
}

static void text_is_never_empty_and_frames_never_pass_the_maximum(void **state)
{
    (void)state;
    struct err err;
    struct buf frame;
    struct packer *p = packer_new(1);
    char *text = make_text(1000);
    buf_init(&frame, 100);
    assert_err(packer_pack(p, "", 0, &frame, &err), ERR_INTERNAL, &err);
    assert_err(packer_begin(p, 0, &frame, &err), ERR_INTERNAL, &err);
    assert_err(packer_pack(p, text, 1000, &frame, &err), ERR_NOMEM, &err);
    assert_ok(packer_begin(p, 1000, &frame, &err), &err);
    assert_err(packer_add(p, text, 1000, &err), ERR_NOMEM, &err);
    free(text);
    buf_free(&frame);
    packer_free(p);
}

/* The window descriptor of a frame header (RFC 8878, section 3.1.1.1.2). */
static void no_window_passes_8_mib(void **state)
{
    (void)state;
    struct err err;
    struct buf frame;
    struct packer *p = packer_new(19);
    char *text = make_text(300000);
    buf_init(&frame, 4 * TEXT_BYTES);
    assert_ok(packer_begin(p, (uint64_t)1 << 30, &frame, &err), &err);
    assert_ok(packer_add(p, text, 300000, &err), &err);
    assert_true(frame.len > 6);
    assert_int_equal(frame.data[4] & 0x20, 0); /* not a single segment: there is a window descriptor */
    assert_true(10 + ((unsigned char)frame.data[5] >> 3) <= 23);
    free(text);
    buf_free(&frame);
    packer_free(p);
}

static size_t compress(char *out, size_t room, bool size, bool checksum, const char *text, size_t bytes)
{
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, size);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, checksum);
    size_t n = ZSTD_compress2(ctx, out, room, text, bytes);
    ZSTD_freeCCtx(ctx);
    if (ZSTD_isError(n))
        abort();
    return n;
}

static void frames_of_another_form_are_rejected(void **state)
{
    (void)state;
    char frame[400];
    static const char skippable[12] = "\x50\x2A\x4D\x18\x04\0\0\0skip";
    size_t n = compress(frame, sizeof frame, true, true, "hello\n", 6);
    struct err err;
    size_t got;
    struct unpacker *u = unpacker_new();
    assert_null(unpack(u, frame, n, 7, 100, &got, &err));
    assert_non_null(strstr(err.text, "6 bytes of text instead of 7"));
    unpacker_free(u);
    memcpy(frame + n, frame, n);
    check_rejected(frame, 2 * n, "not exactly one zstd frame");
    memcpy(frame + n, skippable, sizeof skippable);
    check_rejected(frame, n + sizeof skippable, "not exactly one zstd frame");
    check_rejected(frame, n + 1, "not exactly one zstd frame");
    check_rejected(skippable, sizeof skippable, "not a zstd frame");
    check_rejected("", 0, "not a zstd frame");
    check_rejected("1\thello\n2\tworld\n", 16, "not a zstd frame");
    n = compress(frame, sizeof frame, true, false, "hello\n", 6);
    check_rejected(frame, n, "no checksum");
    n = compress(frame, sizeof frame, false, true, "hello\n", 6);
    check_rejected(frame, n, "not a zstd frame that states the size");
    n = compress(frame, sizeof frame, true, true, "", 0);
    check_rejected(frame, n, "not a zstd frame that states the size");
}

static void cut_frames_are_rejected_at_every_length(void **state)
{
    (void)state;
    struct err err;
    struct buf frame;
    struct packer *p = packer_new(3);
    char *text = make_text(3000);
    buf_init(&frame, TEXT_BYTES);
    assert_ok(packer_pack(p, text, 3000, &frame, &err), &err);
    for (size_t n = 0; n < frame.len; n++)
        check_rejected(frame.data, n, "");
    free(text);
    buf_free(&frame);
    packer_free(p);
}

/* Some bits of a frame header mean nothing to a decoder; the SHA-256 in the manifest guards these. */
static void a_changed_byte_never_gives_other_text(void **state)
{
    (void)state;
    struct err err;
    struct buf frame;
    struct packer *p = packer_new(3);
    struct unpacker *u = unpacker_new();
    char *text = make_text(3000);
    size_t unnoticed = 0;
    buf_init(&frame, TEXT_BYTES);
    assert_ok(packer_pack(p, text, 3000, &frame, &err), &err);
    for (size_t bit = 0; bit < 8 * frame.len; bit++) {
        size_t got;
        frame.data[bit / 8] ^= (char)(1 << (bit % 8));
        char *again = unpack(u, frame.data, frame.len, 3000, 700, &got, &err);
        if (again != NULL) {
            assert_int_equal(got, 3000);
            assert_memory_equal(again, text, 3000);
            unnoticed++;
        }
        free(again);
        frame.data[bit / 8] ^= (char)(1 << (bit % 8));
    }
    assert_true(unnoticed < 24);
    free(text);
    buf_free(&frame);
    packer_free(p);
    unpacker_free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_packed_comes_back),
        cmocka_unit_test(pieces_hold_the_same_as_one_go),
        cmocka_unit_test(pieces_must_sum_up_to_what_was_announced),
        cmocka_unit_test(text_is_never_empty_and_frames_never_pass_the_maximum),
        cmocka_unit_test(no_window_passes_8_mib),
        cmocka_unit_test(frames_of_another_form_are_rejected),
        cmocka_unit_test(cut_frames_are_rejected_at_every_length),
        cmocka_unit_test(a_changed_byte_never_gives_other_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
