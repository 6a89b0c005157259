#include "support/random.h"
#include "support/test.h"

#include "archive/rowtext.h"

#include <string.h>
#include <xxhash.h>

#define TEXT_BYTES 20000

/* Rows of random lengths, some empty and some long, with a newline at the end. */
static void make_text(struct random *r, char *text)
{
    for (size_t i = 0; i < TEXT_BYTES; i++)
        text[i] = random_below(r, i < TEXT_BYTES / 2 ? 6 : 700) == 0 ? '\n' : (char)random_below(r, 256);
    text[TEXT_BYTES - 1] = '\n';
}

/* The same by the definition: line by line, added with a carry. */
static void reference(const char *text, uint64_t *rows, unsigned __int128 *sum)
{
    *rows = 0;
    *sum = 0;
    for (const char *at = text, *end = text + TEXT_BYTES; at < end; (*rows)++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        XXH128_hash_t h = XXH3_128bits(at, (size_t)(newline - at));
        *sum += (unsigned __int128)h.high64 << 64 | h.low64;
        at = newline + 1;
    }
}

static void any_split_gives_the_figures_of_the_whole(void **state)
{
    (void)state;
    struct random random = {1};
    struct rowtext *r = rowtext_new();
    char *text = malloc(TEXT_BYTES);
    for (int round = 0; round < 200; round++) {
        uint64_t want_rows, rows;
        unsigned __int128 want;
        struct rowsum sum;
        make_text(&random, text);
        reference(text, &want_rows, &want);
        size_t most = round == 0 ? TEXT_BYTES : round == 1 ? 1 : 1 + random_below(&random, 2000);
        for (size_t at = 0; at < TEXT_BYTES;) {
            size_t n = round < 2 ? most : random_below(&random, (unsigned)most + 1);
            n = n < TEXT_BYTES - at ? n : TEXT_BYTES - at;
            rowtext_add(r, text + at, n);
            at += n;
        }
        assert_true(rowtext_end(r, &rows, &sum));
        assert_int_equal(rows, want_rows);
        assert_true(sum.high == (uint64_t)(want >> 64) && sum.low == (uint64_t)want);
    }
    free(text);
    rowtext_free(r);
}

static void no_text_and_a_row_without_its_end(void **state)
{
    (void)state;
    struct rowtext *r = rowtext_new();
    uint64_t rows;
    struct rowsum sum, first;
    assert_true(rowtext_end(r, &rows, &sum));
    assert_int_equal(rows, 0);
    assert_true(rowsum_equal(sum, (struct rowsum){0}));
    rowtext_add(r, "a\nb", 3);
    assert_false(rowtext_end(r, &rows, &sum));
    assert_int_equal(rows, 1);
    rowtext_add(r, "a\n", 2); /* nothing of the b is left */
    assert_true(rowtext_end(r, &rows, &first));
    assert_int_equal(rows, 1);
    assert_true(rowsum_equal(sum, first));
    rowtext_add(r, "unfinished", 10);
    rowtext_free(r);
    rowtext_free(NULL);
}

static void an_empty_line_is_a_row(void **state)
{
    (void)state;
    struct rowtext *r = rowtext_new();
    uint64_t rows;
    struct rowsum sum;
    char hex[ROWSUM_HEX_BYTES];
    rowtext_add(r, "\n", 1);
    assert_true(rowtext_end(r, &rows, &sum));
    assert_int_equal(rows, 1);
    rowsum_format(sum, hex);
    assert_string_equal(hex, "99aa06d3014798d86001c324468d497f"); /* XXH3-128 of nothing */
    rowtext_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_split_gives_the_figures_of_the_whole),
        cmocka_unit_test(no_text_and_a_row_without_its_end),
        cmocka_unit_test(an_empty_line_is_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
