#include "support/test.h"

#include "archive/name.h"

#include <string.h>

static void formats_and_parses_back(void **state)
{
    (void)state;
    char name[ARCHIVE_NAME_BYTES];
    struct archive_name parsed;
    archive_name_format(INT64_C(1700000000123), "my-shop_1", "0123456789ab", name);
    assert_string_equal(name, "20231114T221320Z-my-shop_1-0123456789ab.dbsafe.tar");
    assert_true(archive_name_parse(name, &parsed));
    assert_string_equal(parsed.label, "my-shop_1");
    assert_true(parsed.created_ms == INT64_C(1700000000000));
    char label[LABEL_BYTES];
    memset(label, 'x', LABEL_BYTES - 1);
    label[LABEL_BYTES - 1] = '\0';
    archive_name_format(0, label, "0123456789ab", name);
    assert_true(archive_name_parse(name, &parsed));
    assert_string_equal(parsed.label, label);
}

static void does_not_parse_other_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        ".dbsafe.tar",
        "x.dbsafe.tar",
        "20231114T221320Z-shop-0123456789ab.tar",
        "20231114T221320Z-shop-0123456789ab.dbsafe.tar.proof.json",
        "20231114T221320Z--0123456789ab.dbsafe.tar",
        "20231114T221320Z-0123456789ab.dbsafe.tar",
        "20231114T221320Z-shop-0123456789aB.dbsafe.tar",
        "20231114T221320Z-shop-0123456789.dbsafe.tar",
        "20231114T221320Z-sh op-0123456789ab.dbsafe.tar",
        "20231114T221320Z-latest-0123456789ab.dbsafe.tar",
        "20231314T221320Z-shop-0123456789ab.dbsafe.tar",
        "2023-11-14T22:13:20Z-shop-0123456789ab.dbsafe.tar",
        "20231114 221320Z-shop-0123456789ab.dbsafe.tar",
        "20231114T221320Zxshop-0123456789ab.dbsafe.tar",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct archive_name parsed;
        if (archive_name_parse(names[i], &parsed))
            fail_msg("%s was parsed", names[i]);
    }
}

static void companions(void **state)
{
    (void)state;
    static const char archive[] = "20231114T221320Z-shop-0123456789ab.dbsafe.tar";
    static const struct {
        const char *name;
        bool is;
    } cases[] = {
        {"20231114T221320Z-shop-0123456789ab.dbsafe.tar.proof.json", true},
        {"20231114T221320Z-shop-0123456789ab.dbsafe.tar.drill.json", true},
        {"20231114T221320Z-shop-0123456789ab.dbsafe.tar", false},
        {"20231114T221320Z-shop-0123456789ab.dbsafe.tar.gpg", false},
        {"20231114T221320Z-shop-0123456789ab.dbsafe.tar.proof.json.bak", false},
        {"20231114T221320Z-shop-0123456789ab.dbsafe.tar.x.proof.json", false},
        {"20231114T221320Z-shop-0123456789abproof.json", false},
        {"mine.dbsafe.tar.proof.json", false},
        {".proof.json", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (archive_name_of_companion(cases[i].name) != (cases[i].is ? strlen(archive) : 0))
            fail_msg("%s", cases[i].name);
}

static void labels(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        bool valid;
    } cases[] = {
        {"shop", true},
        {"S-1_x", true},
        {"1", true},
        {"", false},
        {"-x", false},
        {"a.b", false},
        {"a b", false},
        {"a/b", false},
        {"latest", false},
        {"caf\xC3\xA9", false},
        {"1234567890123456789012345678901234567890", true},
        {"12345678901234567890123456789012345678901", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (label_is_valid(cases[i].label) != cases[i].valid)
            fail_msg("label '%s'", cases[i].label);
}

static void labels_from_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *label;
    } cases[] = {
        {"glpi_select", "glpi_select"},
        {"shop.orders", "shop"},
        {"shop*", "shop"},
        {"shop?.a*", "shop"},
        {"*", "all"},
        {"*.orders", "all"},
        {"", "all"},
        {"my shop", "my_shop"},
        {"caf\xC3\xA9", "caf_"},
        {"\xE6\x97\xA5\xE6\x9C\xAC", "all"},
        {"-x", "_x"},
        {"latest", "latest_"},
        {"1234567890123456789012345678901234567890123", "1234567890123456789012345678901234567890"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char label[LABEL_BYTES];
        label_from_name(cases[i].name, label);
        assert_string_equal(label, cases[i].label);
        assert_true(label_is_valid(label));
    }
}

static void are_in_order_of_time(void **state)
{
    (void)state;
    const char *a = "20231114T221320Z-b-0123456789ab.dbsafe.tar",
               *b = "20231114T221321Z-a-0123456789ab.dbsafe.tar",
               *c = "20231114T221320Z-a-0123456789ab.dbsafe.tar";
    assert_true(archive_name_compare(a, 9, b, 1) < 0);
    assert_true(archive_name_compare(b, 1, a, 9) > 0);
    assert_true(archive_name_compare(a, 1, c, 2) < 0); /* the same second: finished first */
    assert_true(archive_name_compare(a, 1, c, 1) > 0);
    assert_int_equal(archive_name_compare(a, 1, a, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_and_parses_back),
        cmocka_unit_test(does_not_parse_other_names),
        cmocka_unit_test(are_in_order_of_time),
        cmocka_unit_test(companions),
        cmocka_unit_test(labels),
        cmocka_unit_test(labels_from_names),
    };
    return cmocka_run_group_tests_name("cli/archive_name", tests, NULL, NULL);
}
