#include "support/test.h"

#include "cli/output.h"

#include <fcntl.h>
#include <string.h>

static void figures(void **state)
{
    (void)state;
    char out[FIGURE_BYTES];
    assert_string_equal(figure_count(0, out), "0");
    assert_string_equal(figure_count(999, out), "999");
    assert_string_equal(figure_count(1000, out), "1,000");
    assert_string_equal(figure_count(1234567, out), "1,234,567");
    assert_string_equal(figure_count(UINT64_MAX, out), "18,446,744,073,709,551,615");
    assert_string_equal(figure_of(1, "row", out), "1 row");
    assert_string_equal(figure_of(0, "row", out), "0 rows");
    assert_string_equal(figure_of(1234, "table", out), "1,234 tables");
    assert_string_equal(figure_bytes(1, out), "1 byte");
    assert_string_equal(figure_bytes(1023, out), "1,023 bytes");
    assert_string_equal(figure_bytes(1024, out), "1.0 KiB");
    assert_string_equal(figure_bytes(1536, out), "1.5 KiB");
    assert_string_equal(figure_bytes(((uint64_t)1 << 20) - 1, out), "1023.9 KiB");
    assert_string_equal(figure_bytes((uint64_t)5 << 29, out), "2.5 GiB");
    assert_string_equal(figure_bytes((uint64_t)3 << 40, out), "3.0 TiB");
    assert_string_equal(figure_bytes(UINT64_MAX, out), "16777215.9 TiB");
    assert_string_equal(figure_duration(5, out), "0:05");
    assert_string_equal(figure_duration(3599, out), "59:59");
    assert_string_equal(figure_duration(3723, out), "1:02:03");
    assert_string_equal(figure_seconds(12345, out), "12.3 s");
    assert_string_equal(figure_seconds(40, out), "0.0 s");
}

static void columns_line_up(void **state)
{
    (void)state;
    static const char *const cells[] = {"NAME", "ROWS", "WHERE", "caf\xC3\xA9", "1,234", "a\nb\x1b[31m",
                                        "x",    "5",    ""};
    struct buf b;
    buf_init(&b, 1000);
    output_columns(&b, cells, 3, 3, 1u << 1);
    assert_string_equal(buf_cstr(&b), "NAME   ROWS  WHERE\n"
                                      "caf\xC3\xA9  1,234  a?b?[31m\n"
                                      "x         5  \n");
    buf_free(&b);
}

static void lines_stay_one_line(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    output_line(&b, "%s: %s", "a\nb", "\x7f\t\x1b");
    assert_string_equal(buf_cstr(&b), "a?b: ???\n");
    buf_free(&b);
}

static void a_result_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    struct buf b;
    struct err err;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        skip();
    buf_init(&b, 1000);
    buf_put(&b, "x");
    assert_err(output_write(fd, &b, &err), ERR_NOSPACE, &err);
    assert_int_equal(err_exit_status(err.code), 5);
    close(fd);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures),
        cmocka_unit_test(columns_line_up),
        cmocka_unit_test(lines_stay_one_line),
        cmocka_unit_test(a_result_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests_name("cli/output", tests, NULL, NULL);
}
