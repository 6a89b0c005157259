#include "support/test.h"

#include "rds/ident.h"

#include <string.h>

#define NOON 1795521600000 /* 2026-11-24T12:00:00Z */

static void knows_what_is_legal(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        bool legal;
    } cases[] = {
        {"a", true},    {"prod-1", true},      {"A9-b", true},  {"", false},      {"1a", false},
        {"a-", false},  {"a--b", false},       {"-a", false},   {"a_b", false},   {"a b", false},
        {"a.b", false}, {"pr\xC3\xB6", false}, {"a-b-c", true}, {"rds:a", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (rds_ident_is_legal(cases[i].id, 63) != cases[i].legal)
            fail_msg("'%s'", cases[i].id);
    char longest[65];
    memset(longest, 'a', sizeof longest);
    longest[63] = '\0';
    assert_true(rds_ident_is_legal(longest, 63));
    longest[63] = 'a';
    longest[64] = '\0';
    assert_false(rds_ident_is_legal(longest, 63));
}

static void makes_one_of_any_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *id;
    } cases[] = {
        {"prod", "prod"},
        {"Before Release 7.2", "before-release-7-2"},
        {"--x--", "x"},
        {"2026", "db-2026"},
        {"dbsafe-%Y%m%d-%H%M%S", "dbsafe-20261124-120000"},
        {"100%%", "db-100"},
        {"a__b..c", "a-b-c"},
        {"v\xC3\xB6r", "v-r"},
        {"x%j", "x328"},
    };
    char out[RDS_ID_BYTES];
    struct err err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(rds_ident_make(cases[i].name, 63, NOON, out, &err), &err);
        assert_string_equal(out, cases[i].id);
    }
}

static void what_is_long_or_has_nothing_ends_in_a_digest(void **state)
{
    (void)state;
    char name[300], one[RDS_ID_BYTES], other[RDS_ID_BYTES];
    struct err err;
    memset(name, 'n', sizeof name);
    name[299] = '\0';
    assert_ok(rds_ident_make(name, 63, NOON, one, &err), &err);
    name[298] = 'm';
    assert_ok(rds_ident_make(name, 63, NOON, other, &err), &err);
    assert_true(strlen(one) <= 63 && rds_ident_is_legal(one, 63));
    assert_string_not_equal(one, other);
    assert_ok(rds_ident_make(name, RDS_SNAPSHOT_ID_MAX, NOON, one, &err), &err);
    assert_true(strlen(one) == RDS_SNAPSHOT_ID_MAX && rds_ident_is_legal(one, RDS_SNAPSHOT_ID_MAX));
    assert_ok(rds_ident_make("\xE6\xBC\xA2", 63, NOON, one, &err), &err);
    assert_ok(rds_ident_make("\xE5\xAD\x97", 63, NOON, other, &err), &err);
    assert_true(rds_ident_is_legal(one, 63) && strncmp(one, "db-", 3) == 0);
    assert_string_not_equal(one, other);
    /* a cut that would leave a hyphen at the place where the digest is joined */
    memset(name, 'n', sizeof name);
    memset(name + 50, '-', 10);
    name[100] = '\0';
    assert_ok(rds_ident_make(name, 63, NOON, one, &err), &err);
    assert_true(rds_ident_is_legal(one, 63));
}

static void refuses_what_it_cannot_make(void **state)
{
    (void)state;
    char name[2000], out[RDS_ID_BYTES];
    struct err err;
    assert_err(rds_ident_make("", 63, NOON, out, &err), ERR_USAGE, &err);
    memset(name, 'a', sizeof name);
    name[1999] = '\0';
    assert_err(rds_ident_make(name, 63, NOON, out, &err), ERR_USAGE, &err);
    for (size_t i = 0; i + 2 < 900; i += 2)
        memcpy(name + i, "%c", 3);
    assert_err(rds_ident_make(name, 63, NOON, out, &err), ERR_USAGE, &err);
}

static void reads_references(void **state)
{
    (void)state;
    static const struct {
        const char *text, *id, *type;
    } cases[] = {
        {"Prod", "prod", NULL},
        {"rds:prod-2026-11-24-04-05", "rds:prod-2026-11-24-04-05", NULL},
        {"arn:aws:rds:eu-west-1:123456789012:db:Prod", "prod", "db"},
        {"arn:aws:rds:eu-west-1:123456789012:cluster:c", "c", "cluster"},
        {"arn:aws-cn:rds:cn-north-1:123456789012:snapshot:rds:prod-1", "rds:prod-1", "snapshot"},
        {"arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:s", "s", "cluster-snapshot"},
    };
    static const char *const wrong[] = {
        "", "a b", "a/b", "arn:aws:rds", "arn:aws:rds:eu:1:pg:x", "arn:aws:rds:eu-west-1:123456789012:db:"};
    char out[RDS_ID_BYTES], longest[400];
    const char *type;
    struct err err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(rds_ident_refer(cases[i].text, out, &type, &err), &err);
        assert_string_equal(out, cases[i].id);
        assert_string_equal(type ? type : "none", cases[i].type ? cases[i].type : "none");
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_err(rds_ident_refer(wrong[i], out, &type, &err), ERR_USAGE, &err);
    memset(longest, 'a', sizeof longest);
    longest[256] = '\0';
    assert_err(rds_ident_refer(longest, out, &type, &err), ERR_USAGE, &err);
}

static void tells_what_an_arn_means(void **state)
{
    (void)state;
    const char *found = "arn:aws:rds:eu-west-1:123456789012:db:prod";
    assert_true(rds_ident_is_meant("prod", found));
    assert_true(rds_ident_is_meant("arn:aws:rds:eu-west-1:123456789012:db:PROD", found));
    assert_false(rds_ident_is_meant("arn:aws:rds:eu-west-1:123456789013:db:prod", found));
    assert_true(rds_ident_is_here("prod", found));
    assert_true(rds_ident_is_here("arn:aws:rds:eu-west-1:123456789012:db:other", found));
    assert_false(rds_ident_is_here("arn:aws:rds:eu-west-2:123456789012:db:prod", found));
    assert_false(rds_ident_is_here("arn:aws:rds:eu-west-1:123456789013:db:prod", found));
    assert_false(rds_ident_is_here("arn:aws", found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_is_legal),
        cmocka_unit_test(makes_one_of_any_name),
        cmocka_unit_test(what_is_long_or_has_nothing_ends_in_a_digest),
        cmocka_unit_test(refuses_what_it_cannot_make),
        cmocka_unit_test(reads_references),
        cmocka_unit_test(tells_what_an_arn_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
