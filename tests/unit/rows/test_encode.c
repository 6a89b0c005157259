#include "support/test.h"

#include "archive/rowtext.h"
#include "rows/encode.h"

#include <string.h>

#define COLUMNS_MAX 8

/* A row in memory blocks of its exact size, so that a byte read too many is noticed. */
struct values {
    unsigned count;
    char *values[COLUMNS_MAX];
    unsigned long lengths[COLUMNS_MAX];
};

static struct row row_of(const struct values *v)
{
    return (struct row){v->values, v->lengths};
}

static void add_value(struct values *v, const void *data, size_t bytes)
{
    v->values[v->count] = malloc(bytes ? bytes : 1);
    memcpy(v->values[v->count], data, bytes);
    v->lengths[v->count++] = bytes;
}

static void add_null(struct values *v)
{
    v->values[v->count] = NULL;
    v->lengths[v->count++] = 0;
}

static void values_free(struct values *v)
{
    for (unsigned i = 0; i < v->count; i++)
        free(v->values[i]);
    v->count = 0;
}

/* types: one letter a column: t text, p plain, e ENUM. */
static void make_encoder(struct encoder *e, const char *types)
{
    struct manifest_column columns[COLUMNS_MAX] = {{0}};
    struct manifest_table t = {.columns = columns, .column_count = (unsigned)strlen(types)};
    for (unsigned i = 0; i < t.column_count; i++) {
        columns[i].type = types[i] == 't' ? "varchar(40)" : types[i] == 'p' ? "int(11)" : "ENUM('a','b')";
        columns[i].plain = types[i] != 't';
    }
    encoder_init(e, &t);
}

/* ---- the same, as simply as possible ---- */

static size_t naive_encode(const struct values *v, char *out)
{
    char *w = out;
    for (unsigned i = 0; i < v->count; i++) {
        if (!v->values[i]) {
            *w++ = '\\';
            *w++ = 'N';
        }
        for (unsigned long k = 0; k < v->lengths[i]; k++) {
            char c = v->values[i][k];
            const char *escaped = c == '\0'   ? "\\0"
                                  : c == '\t' ? "\\t"
                                  : c == '\n' ? "\\n"
                                  : c == '\\' ? "\\\\"
                                              : NULL;
            if (escaped) {
                *w++ = escaped[0];
                *w++ = escaped[1];
            } else {
                *w++ = c;
            }
        }
        *w++ = i + 1 < v->count ? '\t' : '\n';
    }
    return (size_t)(w - out);
}

/* LOAD DATA FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n', as the server's manual says
 * it. */
static void decode(const char *text, size_t bytes, struct values *out)
{
    char *value = malloc(bytes);
    size_t n = 0;
    bool is_null = false;
    out->count = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\t' || text[i] == '\n') {
            if (is_null && n == 0)
                add_null(out);
            else
                add_value(out, value, n);
            n = 0;
            is_null = false;
            assert_true((text[i] == '\n') == (i + 1 == bytes));
        } else if (text[i] != '\\') {
            value[n++] = text[i];
        } else {
            char c = text[++i];
            is_null = c == 'N';
            if (!is_null)
                value[n++] = c == '0'   ? '\0'
                             : c == 't' ? '\t'
                             : c == 'n' ? '\n'
                             : c == 'Z' ? '\x1A'
                             : c == 'b' ? '\b'
                             : c == 'r' ? '\r'
                                        : c;
        }
    }
    free(value);
}

/* ---- what must hold for every row ---- */

struct pieces {
    struct buf text;
    size_t largest;
    unsigned calls, fail_at;
};

static enum err_code take_piece(void *arg, const char *text, size_t bytes, struct err *err)
{
    struct pieces *p = arg;
    if (++p->calls == p->fail_at)
        return err_set(err, ERR_NOSPACE, "full");
    p->largest = bytes > p->largest ? bytes : p->largest;
    return buf_add(&p->text, text, bytes, err);
}

static void check_decoded(const struct values *v, const char *text, size_t bytes)
{
    struct values back;
    decode(text, bytes, &back);
    assert_int_equal(back.count, v->count);
    for (unsigned i = 0; i < v->count; i++) {
        assert_int_equal(back.values[i] == NULL, v->values[i] == NULL);
        assert_int_equal(back.lengths[i], v->lengths[i]);
        if (v->values[i])
            assert_memory_equal(back.values[i], v->values[i], v->lengths[i]);
    }
    values_free(&back);
}

static void check_pieces(const struct encoder *e, const struct row *row, const char *text, size_t bytes,
                         struct rowsum sum)
{
    struct pieces p = {.largest = 0};
    struct err err;
    struct rowsum pieced;
    buf_init(&p.text, (size_t)1 << 30);
    assert_ok(row_encode_pieces(e, row, take_piece, &p, &pieced, &err), &err);
    assert_true(p.largest <= ROW_PIECE_BYTES);
    assert_int_equal(p.text.len, bytes);
    assert_memory_equal(p.text.data, text, bytes);
    assert_true(rowsum_equal(pieced, sum));
    buf_free(&p.text);
}

static void check_row(const struct encoder *e, const struct values *v)
{
    struct row row = row_of(v);
    struct rowsum sum, again;
    struct err err;
    struct buf out;
    uint64_t rows, raw = 0;
    for (unsigned i = 0; i < v->count; i++)
        raw += v->lengths[i];
    char *naive = malloc(2 * raw + 3 * COLUMNS_MAX);
    size_t bytes = naive_encode(v, naive);
    buf_init(&out, (size_t)1 << 30);
    assert_ok(row_encode(e, &row, &out, &sum, &err), &err);
    assert_int_equal(out.len, bytes);
    assert_memory_equal(out.data, naive, bytes);
    assert_int_equal(row_bytes(e, &row), raw);
    assert_int_equal(row_text_bytes(e, &row), bytes);
    check_pieces(e, &row, naive, bytes, sum);
    check_decoded(v, naive, bytes);
    struct rowtext *text = rowtext_new();
    rowtext_add(text, naive, bytes);
    assert_true(rowtext_end(text, &rows, &again));
    assert_int_equal(rows, 1);
    assert_true(rowsum_equal(sum, again));
    rowtext_free(text);
    buf_free(&out);
    free(naive);
}

/* ---- tests ---- */

static void known_rows_have_known_texts(void **state)
{
    (void)state;
    struct encoder e;
    struct values v = {0};
    struct rowsum sum;
    struct err err;
    struct buf out;
    make_encoder(&e, "tptt");
    add_value(&v, "a\tb\nc\\d\0e", 9);
    add_value(&v, "-12", 3);
    add_null(&v);
    add_value(&v, "", 0);
    struct row row = row_of(&v);
    buf_init(&out, 1000);
    assert_ok(row_encode(&e, &row, &out, &sum, &err), &err);
    assert_string_equal(buf_cstr(&out), "a\\tb\\nc\\\\d\\0e\t-12\t\\N\t\n");
    check_row(&e, &v);
    values_free(&v);
    buf_free(&out);
    encoder_free(&e);
}

static void the_checksum_is_the_documented_one(void **state)
{
    (void)state;
    struct encoder e;
    struct values v = {0};
    struct rowsum sum;
    struct err err;
    struct buf out;
    char hex[ROWSUM_HEX_BYTES];
    make_encoder(&e, "t");
    add_value(&v, "", 0);
    struct row row = row_of(&v);
    buf_init(&out, 1000);
    assert_ok(row_encode(&e, &row, &out, &sum, &err), &err);
    rowsum_format(sum, hex);
    assert_string_equal(hex,
                        "99aa06d3014798d86001c324468d497f"); /* XXH3-128 of nothing, from its specification */
    values_free(&v);
    buf_free(&out);
    encoder_free(&e);
}

static void every_byte_at_every_place_of_a_block(void **state)
{
    (void)state;
    struct encoder e;
    make_encoder(&e, "t");
    for (int byte = 0; byte < 256; byte++)
        for (size_t bytes = 1; bytes <= 49; bytes += byte % 3 + 1)
            for (size_t at = 0; at < bytes; at++) {
                char raw[64];
                struct values v = {0};
                memset(raw, 'x', sizeof raw);
                raw[at] = (char)byte;
                add_value(&v, raw, bytes);
                struct row row = row_of(&v);
                char naive[200];
                struct rowsum sum;
                struct err err;
                struct buf out;
                size_t want = naive_encode(&v, naive);
                buf_init(&out, 1000);
                assert_ok(row_encode(&e, &row, &out, &sum, &err), &err);
                assert_int_equal(out.len, want);
                assert_memory_equal(out.data, naive, want);
                buf_free(&out);
                values_free(&v);
            }
    encoder_free(&e);
}

static void runs_of_special_bytes_of_every_length(void **state)
{
    (void)state;
    struct encoder e;
    make_encoder(&e, "tt");
    for (size_t run = 0; run <= 70; run++)
        for (size_t before = 0; before <= 17; before++) {
            char raw[200];
            struct values v = {0};
            memset(raw, 'y', sizeof raw);
            memset(raw + before, "\0\t\n\\"[run % 4], run);
            add_value(&v, raw, before + run);
            add_value(&v, raw, before + run + 20);
            check_row(&e, &v);
            values_free(&v);
        }
    encoder_free(&e);
}

static void unaligned_values_are_read_right(void **state)
{
    (void)state;
    struct encoder e;
    char block[96], naive[400];
    make_encoder(&e, "t");
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = i % 23 == 7 ? '\\' : (char)(i + 30);
    for (size_t offset = 0; offset < 33; offset++)
        for (size_t bytes = 0; bytes < 60; bytes++) {
            struct values v = {.count = 1, .values = {block + offset}, .lengths = {bytes}};
            struct row row = row_of(&v);
            struct rowsum sum;
            struct err err;
            struct buf out;
            size_t want = naive_encode(&v, naive);
            buf_init(&out, 1000);
            assert_ok(row_encode(&e, &row, &out, &sum, &err), &err);
            assert_int_equal(out.len, want);
            assert_memory_equal(out.data, naive, want);
            buf_free(&out);
        }
    encoder_free(&e);
}

/* Values of 0 to 200 bytes, seldom and often with bytes to escape, NULLs among them. */
static void add_random(struct values *v, char type, unsigned *seed)
{
    char raw[200];
    size_t bytes = (size_t)rand_r(seed) % (rand_r(seed) % 4 ? 20 : sizeof raw);
    unsigned special = (unsigned)rand_r(seed) % 4;
    if (rand_r(seed) % 8 == 0) {
        add_null(v);
        return;
    }
    for (size_t i = 0; i < bytes; i++) {
        raw[i] = (char)rand_r(seed);
        if (type != 't')
            raw[i] = (char)('0' + (unsigned char)raw[i] % 10);
        else if (special && (unsigned)rand_r(seed) % (special * special * 4) == 0)
            raw[i] = "\0\t\n\\N"[rand_r(seed) % 5];
    }
    add_value(v, raw, bytes);
}

static void random_rows(void **state)
{
    (void)state;
    unsigned seed = 20201;
    for (int round = 0; round < 4000; round++) {
        struct encoder e;
        struct values v = {0};
        char types[COLUMNS_MAX + 1] = "";
        size_t columns = 1 + (size_t)rand_r(&seed) % COLUMNS_MAX;
        for (size_t i = 0; i < columns; i++)
            types[i] = "ttp"[rand_r(&seed) % 3];
        make_encoder(&e, types);
        for (size_t i = 0; i < columns; i++)
            add_random(&v, types[i], &seed);
        check_row(&e, &v);
        values_free(&v);
        encoder_free(&e);
    }
}

/* Around the places where a piece ends: half a piece is read at a time, as all of it may be escaped. */
static void large_values_in_pieces(void **state)
{
    (void)state;
    static const size_t around[] = {ROW_PIECE_BYTES / 2 - 2, ROW_PIECE_BYTES / 2 - 1,
                                    ROW_PIECE_BYTES / 2,     ROW_PIECE_BYTES - 2,
                                    ROW_PIECE_BYTES - 1,     2 * ROW_PIECE_BYTES + 3};
    struct encoder e;
    make_encoder(&e, "ttp");
    char *raw = malloc(3 * ROW_PIECE_BYTES);
    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++)
        for (int fill = 0; fill < 2; fill++) {
            struct values v = {0};
            memset(raw, fill ? '\\' : 'x', around[i]);
            add_value(&v, raw, around[i]);
            add_null(&v);
            add_value(&v, "17", 2);
            check_row(&e, &v);
            values_free(&v);
        }
    free(raw);
    encoder_free(&e);
}

static void a_piece_that_is_refused_ends_it(void **state)
{
    (void)state;
    struct encoder e;
    struct values v = {0};
    make_encoder(&e, "ttt");
    char *raw = calloc(1, ROW_PIECE_BYTES);
    add_value(&v, "a", 1);
    add_value(&v, raw, ROW_PIECE_BYTES);
    add_value(&v, "b", 1);
    struct row row = row_of(&v);
    for (unsigned at = 1; at <= 3; at++) {
        struct pieces p = {.fail_at = at};
        struct rowsum sum;
        struct err err;
        buf_init(&p.text, (size_t)1 << 30);
        assert_err(row_encode_pieces(&e, &row, take_piece, &p, &sum, &err), ERR_NOSPACE, &err);
        assert_int_equal(p.calls, at);
        buf_free(&p.text);
    }
    free(raw);
    values_free(&v);
    encoder_free(&e);
}

static void a_full_buffer_is_an_error_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct encoder e;
    struct values v = {0};
    struct rowsum sum;
    struct err err;
    struct buf out;
    make_encoder(&e, "t");
    add_value(&v, "0123456789", 10);
    struct row row = row_of(&v);
    buf_init(&out, 40);
    assert_ok(row_encode(&e, &row, &out, &sum, &err), &err);
    assert_ok(buf_add(&out, "more than is left", 17, &err), &err);
    assert_err(row_encode(&e, &row, &out, &sum, &err), ERR_NOMEM, &err);
    assert_int_equal(out.len, 28);
    assert_memory_equal(out.data, "0123456789\nmore", 15);
    buf_free(&out);
    values_free(&v);
    encoder_free(&e);
}

static void only_an_enum_of_0_warns(void **state)
{
    (void)state;
    struct encoder e;
    struct values v = {0};
    make_encoder(&e, "eeeept");
    add_value(&v, "0", 1);
    add_value(&v, "10", 2);
    add_null(&v);
    add_value(&v, "0", 1);
    add_value(&v, "0", 1);
    add_value(&v, "0", 1);
    struct row row = row_of(&v);
    assert_int_equal(row_load_warnings(&e, &row), 2);
    values_free(&v);
    encoder_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_rows_have_known_texts),
        cmocka_unit_test(the_checksum_is_the_documented_one),
        cmocka_unit_test(every_byte_at_every_place_of_a_block),
        cmocka_unit_test(runs_of_special_bytes_of_every_length),
        cmocka_unit_test(unaligned_values_are_read_right),
        cmocka_unit_test(random_rows),
        cmocka_unit_test(large_values_in_pieces),
        cmocka_unit_test(a_piece_that_is_refused_ends_it),
        cmocka_unit_test(a_full_buffer_is_an_error_and_keeps_what_it_has),
        cmocka_unit_test(only_an_enum_of_0_warns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
