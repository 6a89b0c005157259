#include "support/test.h"

#include "recovery/html.h"

#include <string.h>

static void expect(const char *text, const char *want)
{
    struct buf out;
    buf_init(&out, 10000);
    html_text(&out, text);
    assert_string_equal(buf_cstr(&out), want);
    buf_free(&out);
}

#define BAD "\xEF\xBF\xBD"

static void text_is_escaped(void **state)
{
    (void)state;
    expect("", "");
    expect("<a href=\"x\" id='y'>&amp;", "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;");
    expect("a\nb\tc", "a b c");
    expect("\x01\x7F\r", BAD BAD BAD);
    expect("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
}

static void what_is_not_utf8_is_replaced(void **state)
{
    (void)state;
    expect("\xC3", BAD);                         /* cut */
    expect("\xC3<", BAD "&lt;");                 /* what follows is not swallowed */
    expect("\xC0\xBC", BAD BAD);                 /* "<" in too many bytes */
    expect("\xE0\x80\xBC", BAD BAD BAD);         /* the same in three */
    expect("\xED\xA0\x80", BAD BAD BAD);         /* a surrogate */
    expect("\xF4\x90\x80\x80", BAD BAD BAD BAD); /* behind the last character */
    expect("\xF0\x9F\x98<", BAD BAD BAD "&lt;");
    expect("\xFF\xFE", BAD BAD);
}

static void a_page_too_long_is_told(void **state)
{
    (void)state;
    struct err err;
    struct buf out;
    buf_init(&out, 10000);
    html_begin(&out, "a & b", "p{}");
    assert_ok(html_end(&out, &err), &err);
    assert_non_null(strstr(buf_cstr(&out), "<title>a &amp; b</title>"));
    assert_non_null(strstr(buf_cstr(&out), "default-src 'none'"));
    size_t whole = out.len;
    buf_free(&out);
    for (size_t max = 0; max < whole; max += 7) {
        buf_init(&out, max);
        html_begin(&out, "a & b", "p{}");
        assert_err(html_end(&out, &err), ERR_NOMEM, &err);
        assert_true(out.len <= max);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(what_is_not_utf8_is_replaced),
        cmocka_unit_test(a_page_too_long_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
