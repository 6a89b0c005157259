#include "support/test.h"

#include "aws/xml.h"
#include "core/buf.h"

#include <string.h>

static struct xml *parsed(const char *text)
{
    struct xml *x;
    struct err err;
    assert_ok(xml_parse(text, strlen(text), &x, &err), &err);
    return x;
}

static void elements_are_found_by_local_name(void **state)
{
    (void)state;
    struct xml *x =
        parsed("\n \t\n<?xml version=\"1.0\"?>\n<s3:List xmlns:s3='http://example.com/'><s3:Name "
               "a='1'>b&amp;&lt;&#228;"
               "</s3:Name><Key>1</Key><Other><Key>x</Key></Other><Key>2</Key><!-- no --><Empty/></s3:List>");
    const struct xml_node *root = xml_root(x);
    assert_string_equal(root->name, "List");
    bool found;
    assert_string_equal(xml_text(root, "Name", &found), "b&<\xC3\xA4");
    assert_true(found);
    assert_string_equal(xml_text(root, "Empty", &found), "");
    assert_true(found);
    assert_string_equal(xml_text(root, "Missing", &found), "");
    assert_false(found);
    const struct xml_node *key = xml_child(root, "Key");
    assert_string_equal(key->text, "1");
    key = xml_again(key);
    assert_string_equal(key->text, "2");
    assert_null(xml_again(key));
    assert_string_equal(xml_find(root, "Other")->child->text, "x");
    assert_null(xml_find(root, "List"));
    assert_null(xml_child(NULL, "Key"));
    assert_string_equal(xml_text(NULL, "Key", NULL), "");
    xml_free(x);
}

static void text_around_children_is_one_piece(void **state)
{
    (void)state;
    struct xml *x = parsed("<a>one<b>two</b>three<![CDATA[<four>]]></a>");
    assert_string_equal(xml_root(x)->text, "onethree<four>");
    assert_string_equal(xml_text(xml_root(x), "b", NULL), "two");
    xml_free(x);
}

static void numbers(void **state)
{
    (void)state;
    struct xml *x = parsed("<a><n>18446744073709551615</n><big>18446744073709551616</big><minus>-1</"
                           "minus><none/><text>1x</text></a>");
    uint64_t n = 7;
    assert_true(xml_number(xml_root(x), "n", &n));
    assert_true(n == UINT64_MAX);
    static const char *const bad[] = {"big", "minus", "none", "text", "missing"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(xml_number(xml_root(x), bad[i], &n));
    xml_free(x);
}

static void refused(const char *text, const char *why)
{
    struct xml *x = (struct xml *)1;
    struct err err;
    assert_err(xml_parse(text, strlen(text), &x, &err), ERR_AWS, &err);
    assert_null(x);
    if (strstr(err.text, why) == NULL)
        fail_msg("'%s' has no '%s'", err.text, why);
}

static void what_is_no_xml_is_refused(void **state)
{
    (void)state;
    refused("", "empty");
    refused(" \n ", "empty");
    refused("plain text", "not well-formed");
    refused("<a><b></a>", "line 1");
    refused("<a>", "not well-formed");
    refused("<a/><b/>", "not well-formed");
    refused("<a>\xFF</a>", "not well-formed");
    refused("<a>&nosuch;</a>", "not well-formed");
}

static void entities_of_its_own_are_refused(void **state)
{
    (void)state;
    refused("<!DOCTYPE a><a/>", "document type");
    refused("<!DOCTYPE a [<!ENTITY b 'bbbbbbbbbb'><!ENTITY c '&b;&b;&b;'>]><a>&c;</a>", "document type");
    refused("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "document type");
}

static void size_and_depth_are_limited(void **state)
{
    (void)state;
    struct buf text;
    struct xml *x;
    struct err err;
    buf_init(&text, 1 << 22);
    for (int i = 0; i < 64; i++)
        buf_put(&text, "<a>");
    for (int i = 0; i < 64; i++)
        buf_put(&text, "</a>");
    xml_free(parsed(buf_cstr(&text)));
    buf_clear(&text);
    for (int i = 0; i < 65; i++)
        buf_put(&text, "<a>");
    refused(buf_cstr(&text), "too deep");
    buf_clear(&text);
    buf_put(&text, "<a>");
    for (int i = 0; i < 200000; i++)
        buf_put(&text, "<b/>");
    buf_put(&text, "</a>");
    assert_err(xml_parse(text.data, text.len, &x, &err), ERR_AWS, &err);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_found_by_local_name),
        cmocka_unit_test(text_around_children_is_one_piece),
        cmocka_unit_test(numbers),
        cmocka_unit_test(what_is_no_xml_is_refused),
        cmocka_unit_test(entities_of_its_own_are_refused),
        cmocka_unit_test(size_and_depth_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
