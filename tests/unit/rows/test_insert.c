#include "support/test.h"

#include "support/random.h"

#include "core/buf.h"
#include "rows/insert.h"

#include <string.h>

static const struct manifest_column columns[] = {
    {.name = "id", .load_expr = "@v"},
    {.name = "na`me"},
    {.name = "e", .load_expr = "CAST(@v AS UNSIGNED)"},
};
static const struct manifest_table table = {
    .schema = "s", .name = "t", .column_count = 3, .columns = columns};
#define HEAD "INSERT INTO `s`.`t` (`id`, `na``me`, `e`) VALUES "

struct got {
    struct buf text; /* statements, each ended by a line feed */
    uint64_t rows, statements;
    size_t longest;
};

static enum err_code take(void *arg, const char *sql, size_t bytes, uint64_t rows, struct err *err)
{
    struct got *g = arg;
    g->rows += rows;
    g->statements++;
    if (bytes > g->longest)
        g->longest = bytes;
    if (buf_add(&g->text, sql, bytes, err) != ERR_OK)
        return err->code;
    return buf_addc(&g->text, '\n', err);
}

/* Writes text in pieces of so many bytes. */
static enum err_code write_text(const struct manifest_table *t, const char *text, size_t bytes, size_t piece,
                                size_t packet, struct got *g, struct err *err)
{
    *g = (struct got){.rows = 0};
    buf_init(&g->text, (size_t)1 << 26);
    struct insert_writer *w = insert_writer_new(t, "`s`.`t`", packet, take, g);
    enum err_code code = ERR_OK;
    for (size_t at = 0; code == ERR_OK && at < bytes; at += piece)
        code = insert_writer_add(w, text + at, bytes - at < piece ? bytes - at : piece, err);
    if (code == ERR_OK)
        code = insert_writer_end(w, err);
    insert_writer_free(w);
    return code;
}

static void assert_statements(const char *text, const char *want)
{
    struct err err;
    for (size_t piece = 1; piece < 9; piece++) {
        struct got g;
        assert_ok(write_text(&table, text, strlen(text), piece, 1 << 20, &g, &err), &err);
        assert_string_equal(buf_cstr(&g.text), want);
        buf_free(&g.text);
    }
}

static void fields_become_literals(void **state)
{
    (void)state;
    assert_statements("", "");
    assert_statements("0\tplain\t1\n", HEAD "('0', 'plain', CAST('1' AS UNSIGNED))\n");
    assert_statements("1\t\\N\t\\N\n2\t\t2\n",
                      HEAD "('1', NULL, CAST(NULL AS UNSIGNED)), ('2', '', CAST('2' AS UNSIGNED))\n");
    assert_statements("1\tit's\t0\n", HEAD "('1', 'it\\'s', CAST('0' AS UNSIGNED))\n");
    assert_statements("1\t''\t0\n", HEAD "('1', '\\'\\'', CAST('0' AS UNSIGNED))\n");
    assert_statements("1\ta\\tb\\nc\\0d\\\\e\t0\n",
                      HEAD "('1', 'a\\tb\\nc\\0d\\\\e', CAST('0' AS UNSIGNED))\n");
    assert_statements("1\t\\\\N\t0\n", HEAD "('1', '\\\\N', CAST('0' AS UNSIGNED))\n");
    assert_statements("1\t\\\\'\t0\n", HEAD "('1', '\\\\\\'', CAST('0' AS UNSIGNED))\n");
    assert_statements("1\t\\N0\t0\n", HEAD "('1', '\\N0', CAST('0' AS UNSIGNED))\n");
    assert_statements("1\t'); DROP TABLE x; --\t0\n",
                      HEAD "('1', '\\'); DROP TABLE x; --', CAST('0' AS UNSIGNED))\n");
}

/* A text that is not what an encoder wrote must not get out of its literal. */
static void damaged_text(void **state)
{
    (void)state;
    static const char *const texts[] = {"1\ta\n",      "1\ta\t2\t3\n", "\n", "1\ta\\\t2\n",
                                        "1\ta\t2\\\n", "1\ta\t2",      "1"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct got g;
        struct err err;
        assert_err(write_text(&table, texts[i], strlen(texts[i]), 3, 1 << 20, &g, &err), ERR_DAMAGED, &err);
        assert_int_equal(g.statements, 0);
        buf_free(&g.text);
    }
}

static void statements_fit_the_packet(void **state)
{
    (void)state;
    static const size_t packets[] = {400, 1000, 4096, 65536};
    struct buf text;
    struct err err;
    buf_init(&text, 1 << 22);
    struct random random = {1};
    uint64_t rows = 3000;
    for (uint64_t i = 0; i < rows; i++) {
        buf_putf(&text, "%llu\t", (unsigned long long)i);
        for (unsigned n = random_below(&random, 250); n > 0; n--)
            buf_put(&text, "'");
        buf_put(&text, "\t1\n");
    }
    for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        struct got g;
        if (packets[i] < 1000) {
            assert_err(write_text(&table, text.data, text.len, 777, packets[i], &g, &err), ERR_REFUSED, &err);
            assert_non_null(strstr(err.text, "max_allowed_packet"));
        } else {
            assert_ok(write_text(&table, text.data, text.len, 777, packets[i], &g, &err), &err);
            assert_int_equal(g.rows, rows);
        }
        assert_true(g.longest <= packets[i]);
        buf_free(&g.text);
    }
    buf_free(&text);
}

static void a_row_that_just_fits(void **state)
{
    (void)state;
    char text[600];
    struct got g;
    struct err err;
    memset(text, 'x', sizeof text);
    memcpy(text, "1\ta\t1\n2\t", 8);
    memcpy(text + sizeof text - 3, "\t1\n", 3);
    size_t row = strlen(HEAD) + strlen("('2', '', CAST('1' AS UNSIGNED))") + sizeof text - 11;
    assert_ok(write_text(&table, text, sizeof text, 100, row, &g, &err), &err);
    assert_int_equal(g.rows, 2);
    assert_int_equal(g.statements, 2);
    assert_int_equal(g.longest, row);
    buf_free(&g.text);
    assert_err(write_text(&table, text, sizeof text, 100, row - 1, &g, &err), ERR_REFUSED, &err);
    buf_free(&g.text);
}

static void expressions_that_only_load_data_has(void **state)
{
    (void)state;
    static const struct manifest_column odd[] = {{.name = "a", .load_expr = "IF(@v='x', NULL, @v)"}};
    static const struct manifest_table strange = {
        .schema = "s", .name = "t", .column_count = 1, .columns = odd};
    struct got g;
    struct err err;
    assert_err(write_text(&strange, "x\n", 2, 2, 1000, &g, &err), ERR_REFUSED, &err);
    buf_free(&g.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_become_literals),
        cmocka_unit_test(damaged_text),
        cmocka_unit_test(statements_fit_the_packet),
        cmocka_unit_test(a_row_that_just_fits),
        cmocka_unit_test(expressions_that_only_load_data_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
