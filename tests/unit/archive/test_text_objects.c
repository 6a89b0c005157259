#include "support/sample.h"
#include "support/test.h"

static void sql_of(unsigned i, const struct manifest *m, const char *collation, struct buf *out)
{
    struct err err;
    const char *definition = sample_objects[i].definition;
    buf_clear(out);
    assert_ok(archive_object_sql(&m->objects[i], collation, definition, strlen(definition), out, &err), &err);
}

static struct manifest *described(void)
{
    struct manifest *m = manifest_new();
    sample_describe(m);
    return m;
}

/* The file of an object behind its first line. */
static void check_sql(unsigned i, const char *collation, const char *want)
{
    struct buf b;
    struct manifest *m = described();
    buf_init(&b, 100000);
    sql_of(i, m, collation, &b);
    const char *text = buf_cstr(&b);
    assert_memory_equal(text, "-- dbsafe-object {\"number\":", 26);
    assert_string_equal(strchr(text, '\n') + 1, want);
    buf_free(&b);
    manifest_free(m);
}

static void files_are_exact(void **state)
{
    (void)state;
    check_sql(
        0, "utf8mb4_general_ci",
        "-- database: shop\n"
        "-- charset: utf8mb4\n"
        "SET NAMES utf8mb4, SESSION sql_mode='';\n"
        "DELIMITER ;;\n"
        "CREATE SEQUENCE `numbers` start with 1 minvalue -5 maxvalue 9223372036854775806 increment by -3 "
        "nocache "
        "cycle ENGINE=InnoDB\n"
        ";;\n"
        "DELIMITER ;\n"
        "INSERT INTO `numbers` VALUES (9223372036854775000, -5, 9223372036854775806, 1, -3, 0, 1, 2);\n");
    /* a delimiter that the definition does not hold; the database's collation of that time around it */
    check_sql(3, "latin1_swedish_ci",
              "-- database: "
              "d\\0303\\0251\\0040\\0140b\\0140\\0040\\0047x\\0047\\0073\\0040\\0042y\\0042\\0057\\0045\n"
              "-- charset: latin1\n"
              "SET NAMES latin1, SESSION collation_connection=latin1_german1_ci, SESSION sql_mode='';\n"
              "ALTER DATABASE COLLATE latin1_german2_ci;\n"
              "DELIMITER ;2;\n"
              "CREATE DEFINER=`a``b`@`%` FUNCTION `f\xE9 ;;`() RETURNS varchar(9) CHARSET latin1 COLLATE "
              "latin1_swedish_ci\n"
              "    DETERMINISTIC\nRETURN '\xE9;1;\n;;\n'\n"
              ";2;\n"
              "DELIMITER ;\n"
              "ALTER DATABASE COLLATE latin1_swedish_ci;\n");
    check_sql(
        8, "utf8mb4_general_ci",
        "-- database: shop\n"
        "-- charset: utf8mb4\n"
        "SET NAMES utf8mb4, SESSION collation_connection=utf8mb4_general_ci, SESSION sql_mode='', SESSION "
        "time_zone='+05:30';\n"
        "DELIMITER ;;\n"
        "CREATE DEFINER=`root`@`localhost` EVENT `nightly` ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 "
        "00:00:00' ON "
        "COMPLETION NOT PRESERVE DISABLE ON SLAVE DO DO 1\n"
        ";;\n"
        "DELIMITER ;\n");
}

static void definitions_come_back_byte_for_byte(void **state)
{
    (void)state;
    struct buf b;
    struct manifest *m = described();
    buf_init(&b, 100000);
    for (unsigned i = 0; i < SAMPLE_OBJECTS; i++) {
        struct err err;
        struct manifest_object back;
        const char *definition;
        size_t bytes;
        sql_of(i, m, "other_collation", &b);
        assert_ok(archive_object_sql_parse(b.data, b.len, m->arena, &back, &definition, &bytes, &err), &err);
        assert_int_equal(back.number, i + 1);
        assert_int_equal(bytes, strlen(sample_objects[i].definition));
        assert_memory_equal(definition, sample_objects[i].definition, bytes);
    }
    buf_free(&b);
    manifest_free(m);
}

/* A changed byte in the definition, or a cut before its end, is found without the manifest. */
static void damage_of_a_definition_is_found(void **state)
{
    (void)state;
    struct buf b;
    struct err err;
    struct manifest *m = described();
    struct manifest_object back;
    const char *definition;
    size_t bytes;
    buf_init(&b, 100000);
    sql_of(3, m, "other_collation", &b);
    assert_ok(archive_object_sql_parse(b.data, b.len, m->arena, &back, &definition, &bytes, &err), &err);
    size_t start = (size_t)(definition - b.data), end = start + bytes + sizeof "\n;2;\nDELIMITER ;\n" - 1;
    for (size_t n = 0; n < end; n++)
        assert_err(archive_object_sql_parse(b.data, n, m->arena, &back, &definition, &bytes, &err),
                   ERR_DAMAGED, &err);
    for (size_t i = start; i < start + strlen(sample_objects[3].definition); i++) {
        b.data[i] ^= 1;
        assert_err(archive_object_sql_parse(b.data, b.len, m->arena, &back, &definition, &bytes, &err),
                   ERR_DAMAGED, &err);
        b.data[i] ^= 1;
    }
    buf_free(&b);
    manifest_free(m);
}

static void a_database_tells_the_format(void **state)
{
    (void)state;
    struct buf b;
    struct err err;
    struct arena *arena = arena_new();
    struct manifest_schema back;
    const struct manifest_schema shop = {"it's", "latin1", "latin1_bin", "line\nbreak"};
    unsigned format;
    buf_init(&b, 10000);
    assert_ok(archive_schema_sql(&shop, &b, &err), &err);
    assert_ok(archive_schema_sql_parse(b.data, b.len, arena, &back, &format, &err), &err);
    assert_int_equal(format, MANIFEST_FORMAT);
    assert_string_equal(back.name, "it's");
    assert_string_equal(back.comment, "line\nbreak");
    static const char first[] = "-- CHARACTER SET utf8mb4 COLLATE utf8mb4_bin\nCREATE DATABASE";
    assert_ok(archive_schema_sql_parse(first, sizeof first - 1, arena, &back, &format, &err), &err);
    assert_int_equal(format, 1);
    assert_null(back.name);
    static const char newer[] = "-- dbsafe-database {\"format\":3}\n", wrong[] = "CREATE DATABASE `x`;\n";
    assert_err(archive_schema_sql_parse(newer, sizeof newer - 1, arena, &back, &format, &err), ERR_REFUSED,
               &err);
    assert_err(archive_schema_sql_parse(wrong, sizeof wrong - 1, arena, &back, &format, &err), ERR_DAMAGED,
               &err);
    buf_free(&b);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_exact),
        cmocka_unit_test(definitions_come_back_byte_for_byte),
        cmocka_unit_test(damage_of_a_definition_is_found),
        cmocka_unit_test(a_database_tells_the_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
