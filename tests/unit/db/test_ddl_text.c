#include "support/test.h"

#include "db/ddl_text.h"

#include <string.h>

/* As MySQL 8.0 prints a table with most of what MariaDB does not know. */
static const char MYSQL[] =
    "CREATE TABLE `t COLLATE latin1_bin` (\n"
    "  `id` int NOT NULL,\n"
    "  `a` varchar(10) CHARACTER SET latin1 COLLATE latin1_german1_ci DEFAULT 'COLLATE x CHARSET y',\n"
    "  `b` varchar(10) COLLATE utf8mb4_0900_as_cs DEFAULT NULL COMMENT 'it''s /*!80000 not */ COLLATE "
    "latin2_bin',\n"
    "  `c` int DEFAULT NULL /*!80023 INVISIBLE */,\n"
    "  PRIMARY KEY (`id`),\n"
    "  KEY `f` ((lower(`a`)))\n"
    ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci\n"
    "/*!50100 PARTITION BY HASH (`id`)\nPARTITIONS 4 */";

static const char MARIADB[] =
    "CREATE TABLE `t` (\n"
    "  `a` text COLLATE utf8mb3_bin DEFAULT NULL,\n"
    "  `b` blob /*M!100301 COMPRESSED*/ DEFAULT NULL\n"
    ") ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci WITH SYSTEM VERSIONING";

static void assert_names(const char **names, unsigned count, const char *want)
{
    char got[512] = "";
    for (unsigned i = 0; i < count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i ? " " : "", names[i]);
    assert_string_equal(got, want);
}

static void names_in_definitions(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    unsigned n;
    const char **names = ddl_collations(MYSQL, arena, &n);
    assert_names(names, n, "latin1_german1_ci utf8mb4_0900_as_cs utf8mb4_0900_ai_ci");
    names = ddl_charsets(MYSQL, arena, &n);
    assert_names(names, n, "latin1 utf8mb4");
    names = ddl_collations(MARIADB, arena, &n);
    assert_names(names, n, "utf8mb3_bin latin1_swedish_ci");
    names = ddl_collations("COLLATE", arena, &n);
    assert_names(names, n, "");
    names = ddl_collations("a COLLATE `quoted` b collate = X, COLLATED y, NO_COLLATE z", arena, &n);
    assert_names(names, n, "X");
    arena_free(arena);
}

static void words(void **state)
{
    (void)state;
    assert_true(ddl_has_words(MARIADB, "SYSTEM VERSIONING"));
    assert_true(ddl_has_words(MARIADB, "with system versioning"));
    assert_false(ddl_has_words(MYSQL, "SYSTEM VERSIONING"));
    assert_false(
        ddl_has_words("`SYSTEM VERSIONING` 'SYSTEM VERSIONING' SYSTEM X VERSIONING", "SYSTEM VERSIONING"));
    assert_false(ddl_has_words("ECOSYSTEM VERSIONING, SYSTEM VERSIONINGS", "SYSTEM VERSIONING"));
    assert_false(ddl_has_words("", "A"));
}

static void comments_of_one_family(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    assert_string_equal(ddl_skipped_by(true, MYSQL, arena), "INVISIBLE");
    assert_null(ddl_skipped_by(false, MYSQL, arena));
    assert_string_equal(ddl_skipped_by(false, MARIADB, arena), "COMPRESSED");
    assert_null(ddl_skipped_by(true, MARIADB, arena));
    assert_string_equal(ddl_skipped_by(false, "a /*!100301 b */", arena), "b");
    assert_string_equal(ddl_skipped_by(true, "a /*!50700 never ends", arena), "never ends");
    assert_null(ddl_skipped_by(true, "/* 80000 */ /*!50606 x */ /*! y */", arena));
    assert_null(ddl_skipped_by(false, "/*! x */ /*", arena));
    arena_free(arena);
}

static enum err_code parse(struct arena *arena, const char *one, const char *two, struct collation_map *map,
                           struct err *err)
{
    const char *const items[] = {one, two};
    return collation_map_parse(items, two ? 2 : 1, arena, map, err);
}

static void collations_become_others(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct collation_map map;
    struct buf out;
    struct err err;
    buf_init(&out, 10000);
    assert_ok(
        parse(arena, "utf8mb4_0900_ai_ci=utf8mb4_unicode_ci", "utf8mb4_0900_as_cs=utf8mb4_bin", &map, &err),
        &err);
    collation_map_apply(&map, MYSQL, &out);
    const char *text = buf_cstr(&out);
    assert_null(strstr(text, "0900"));
    assert_non_null(strstr(text, "`b` varchar(10) COLLATE utf8mb4_bin DEFAULT NULL COMMENT 'it''s /*!80000 "
                                 "not */ COLLATE latin2_bin'"));
    assert_non_null(strstr(text, "DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci\n/*!50100"));
    assert_non_null(strstr(text, "CREATE TABLE `t COLLATE latin1_bin` ("));
    assert_non_null(strstr(text, "COLLATE latin1_german1_ci DEFAULT 'COLLATE x CHARSET y'"));
    assert_string_equal(collation_map_find(&map, "UTF8MB4_0900_AI_CI"), "utf8mb4_unicode_ci");
    assert_string_equal(collation_map_find(&map, "latin1_bin"), "latin1_bin");
    assert_string_equal(collation_map_find(NULL, "latin1_bin"), "latin1_bin");
    buf_clear(&out);
    collation_map_apply(NULL, MYSQL, &out);
    assert_string_equal(buf_cstr(&out), MYSQL);
    buf_clear(&out);
    collation_map_apply(&map, "COLLATE utf8mb4_0900_ai_ci COLLATE utf8mb4_0900_ai_ci_x COLLATE", &out);
    assert_string_equal(buf_cstr(&out), "COLLATE utf8mb4_unicode_ci COLLATE utf8mb4_0900_ai_ci_x COLLATE");
    buf_free(&out);
    arena_free(arena);
}

static void says_what_no_collation_is(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct collation_map map;
    struct err err;
    assert_err(parse(arena, "foo=bar", NULL, &map, &err), ERR_USAGE, &err);
    assert_non_null(strstr(err.text, "foo is no collation"));
    assert_err(parse(arena, "utf8mb4_bin=bar", NULL, &map, &err), ERR_USAGE, &err);
    assert_non_null(strstr(err.text, "bar is no collation"));
    arena_free(arena);
}

static void mappings_that_are_none(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"utf8mb4_0900_ai_ci", NULL},
        {"=utf8mb4_bin", NULL},
        {"utf8mb4_bin=", NULL},
        {"utf8mb4_bin=utf8mb4 bin", NULL},
        {"utf8mb4_bin=utf8mb4_unicode_ci; DROP", NULL},
        {"utf8mb4_bin=latin1_bin", NULL},
        {"utf8_bin=utf8mb4_bin", NULL},
        {"binary=utf8mb4_bin", NULL},
        {"utf8mb4_bin=utf8mb4_unicode_ci", "UTF8MB4_BIN=utf8mb4_general_ci"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct collation_map map;
        struct err err;
        assert_err(parse(arena, wrong[i][0], wrong[i][1], &map, &err), ERR_USAGE, &err);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_definitions),      cmocka_unit_test(words),
        cmocka_unit_test(comments_of_one_family),    cmocka_unit_test(collations_become_others),
        cmocka_unit_test(says_what_no_collation_is), cmocka_unit_test(mappings_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
