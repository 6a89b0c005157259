#include "support/memory.h"
#include "support/sample.h"
#include "support/test.h"

#include "archive/text.h"

static void slugs_are_short_and_safe(void **state)
{
    (void)state;
    static const struct {
        unsigned number;
        const char *name, *want;
    } cases[] = {
        {1, "orders", "0001-orders"},
        {42, "Order_Items-2", "0042-Order_Items-2"},
        {10000, "t", "10000-t"},
        {1, "", "0001-"},
        {1, "../../etc/passwd", "0001-______etc_passwd"},
        {1, "a b;c$(d)`e`'\"\n", "0001-a_b_c__d__e____"},
        {1, "\xC3\xA9t\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x92\xBE", "0001-_t_____"},
        {1, "1234567890123456789012345678901234567890", "0001-1234567890123456789012345678901234567890"},
        {1, "1234567890123456789012345678901234567890x", "0001-1234567890123456789012345678901234567890"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        assert_string_equal(archive_slug(arena, cases[i].number, cases[i].name), cases[i].want);
        arena_free(arena);
    }
}

static void assert_text(struct buf *b, const char *want)
{
    assert_string_equal(buf_cstr(b), want);
    buf_clear(b);
}

static void paths_are_as_documented(void **state)
{
    (void)state;
    struct buf b;
    const struct manifest_table t = {.dir = "0001-orders"};
    const struct manifest_schema schema = {.name = "caf\xC3\xA9 bar"};
    buf_init(&b, 1000);
    archive_data_path(&t, 1, &b);
    assert_text(&b, "data/0001-orders/000001.tsv.zst");
    archive_data_path(&t, 12345678, &b);
    assert_text(&b, "data/0001-orders/12345678.tsv.zst");
    archive_ddl_path(&t, &b);
    assert_text(&b, "schema/0001-orders.sql");
    archive_load_path(&t, &b);
    assert_text(&b, "schema/0001-orders.load.sql");
    archive_schema_path(3, &schema, &b);
    assert_text(&b, "schema/database-0003-caf__bar.sql");
    buf_free(&b);
}

static void the_longest_path_fits_a_header(void **state)
{
    (void)state;
    struct buf b;
    struct arena *arena = arena_new();
    struct manifest_table t = {
        .dir = archive_slug(arena, 10000000, "1234567890123456789012345678901234567890123")};
    buf_init(&b, 1000);
    archive_data_path(&t, UINT64_MAX, &b);
    assert_true(b.len <= 99);
    buf_free(&b);
    arena_free(arena);
}

static void a_database_is_created_as_it_was(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    struct err err;
    static const struct manifest_schema shop = {"shop", "utf8mb4", "utf8mb4_general_ci", ""};
    static const struct manifest_schema odd = {"a``b\n--", "latin1", "latin1_bin", "it's\n\\ \"odd\""};
    assert_ok(archive_schema_sql(&shop, &b, &err), &err);
    assert_text(&b, "-- dbsafe-database {\"format\":2,\"name\":\"shop\",\"charset\":\"utf8mb4\","
                    "\"collation\":\"utf8mb4_general_ci\",\"comment\":\"\"}\n"
                    "-- CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci\n"
                    "SET SESSION sql_mode='';\n"
                    "CREATE DATABASE IF NOT EXISTS `shop` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;\n"
                    "USE `shop`;\n");
    assert_ok(archive_schema_sql(&odd, &b, &err), &err);
    assert_text(&b, "-- dbsafe-database {\"format\":2,\"name\":\"a``b\\n--\",\"charset\":\"latin1\","
                    "\"collation\":\"latin1_bin\",\"comment\":\"it's\\n\\\\ \\\"odd\\\"\"}\n"
                    "-- CHARACTER SET latin1 COLLATE latin1_bin COMMENT 'it''s\\n\\\\ \"odd\"'\n"
                    "SET SESSION sql_mode='';\n"
                    "CREATE DATABASE IF NOT EXISTS `a````b\n--` CHARACTER SET latin1 COLLATE latin1_bin"
                    " COMMENT 'it''s\\n\\\\ \"odd\"';\n"
                    "USE `a````b\n--`;\n");
    buf_free(&b);
}

/* A table of columns with these names and LOAD expressions. */
static void check_load(const struct manifest_column *columns, unsigned count, const char *want)
{
    struct buf b;
    const struct manifest_table t = {.columns = columns, .column_count = count};
    buf_init(&b, 10000);
    archive_load_statement(&t, "f", "`s`.`t`", &b);
    static const char head[] = "LOAD DATA LOCAL INFILE 'f' INTO TABLE `s`.`t` CHARACTER SET binary"
                               " FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' ";
    assert_memory_equal(buf_cstr(&b), head, sizeof head - 1);
    assert_string_equal(buf_cstr(&b) + sizeof head - 1, want);
    buf_free(&b);
}

static void load_statements_name_every_column(void **state)
{
    (void)state;
    const struct manifest_column plain[] = {{.name = "id"}, {.name = "a`b"}, {.name = "@v"}};
    check_load(plain, 3, "(`id`, `a``b`, `@v`)");
    check_load(plain, 1, "(`id`)");
    const struct manifest_column mixed[] = {
        {.name = "id"},
        {.name = "e`", .load_expr = "CAST(@v AS UNSIGNED)"},
        {.name = "note"},
        {.name = "u", .load_expr = "CONVERT(@v USING ascii)"},
    };
    check_load(mixed, 4,
               "(`id`, @v2, `note`, @v4) SET `e``` = CAST(@v2 AS UNSIGNED), `u` = CONVERT(@v4 USING ascii)");
    const struct manifest_column all[] = {{.name = "x", .load_expr = "@v"},
                                          {.name = "y", .load_expr = "IF(@v='',NULL,@v)"},
                                          {.name = "z", .load_expr = "1"}};
    check_load(all, 3, "(@v1, @v2, @v3) SET `x` = @v1, `y` = IF(@v2='',NULL,@v2), `z` = 1");
}

static void variables_are_numbered_beyond_nine(void **state)
{
    (void)state;
    struct manifest_column columns[11];
    for (unsigned i = 0; i < 11; i++)
        columns[i] = (struct manifest_column){.name = "c", .load_expr = i == 10 ? "f(@v)" : NULL};
    check_load(columns, 11, "(`c`, `c`, `c`, `c`, `c`, `c`, `c`, `c`, `c`, `c`, @v11) SET `c` = f(@v11)");
}

static const char session[] =
    "SET NAMES binary;\n"
    "SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', /*M! check_constraint_checks=0, */ "
    "foreign_key_checks=0, unique_checks=1, time_zone='+00:00'";

static void the_session_depends_on_history_alone(void **state)
{
    (void)state;
    char want[1000];
    snprintf(want, sizeof want, "%s;\n", session);
    assert_string_equal(archive_load_session(&(struct manifest_table){.system_versioned = false}), want);
    snprintf(want, sizeof want, "%s /*M!101100 , system_versioning_insert_history=1 */;\n", session);
    assert_string_equal(archive_load_session(&(struct manifest_table){.system_versioned = true}), want);
}

static struct manifest *described(void)
{
    struct manifest *m = manifest_new();
    sample_describe(m);
    return m;
}

static void load_sql_is_exact_and_its_first_line_reads_back(void **state)
{
    (void)state;
    struct err err;
    struct buf b;
    struct manifest *m = described();
    struct manifest_table back;
    char want[5000];
    struct arena *arena = arena_new();
    buf_init(&b, 10000);
    assert_ok(archive_load_sql(&m->tables[3], m->format, &b, &err), &err);
    snprintf(
        want, sizeof want,
        "-- dbsafe-table {\"number\":4,\"schema\":\"shop\",\"name\":\"history\",\"dir\":\"0004-history\","
        "\"engine\":\"InnoDB\",\"transactional\":true,\"system_versioned\":true,\"ddl_sha256\":\"%s\","
        "\"auto_increment\":\"0\",\"columns\":["
        "{\"name\":\"id\",\"type\":\"int(11)\",\"charset\":null,\"select\":\"`id`\",\"load\":null,"
        "\"plain\":true,\"nullable\":false},"
        "{\"name\":\"a\",\"type\":\"timestamp(6)\",\"charset\":null,\"select\":\"`a`\",\"load\":null,"
        "\"plain\":true,\"nullable\":false},"
        "{\"name\":\"b\",\"type\":\"timestamp(6)\",\"charset\":null,\"select\":\"`b`\",\"load\":null,"
        "\"plain\":true,\"nullable\":false}],"
        "\"key\":{\"name\":\"PRIMARY\",\"columns\":[0,2],\"nullable\":false},\"triggers\":[],"
        "\"foreign_keys\":[],\"sequences\":[]}\n"
        "-- database: shop\n"
        "-- table: history\n"
        "-- rows: FOR SYSTEM_TIME ALL\n"
        "%s /*M!101100 , system_versioning_insert_history=1 */;\n"
        "LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE `history` CHARACTER SET binary FIELDS TERMINATED BY "
        "'\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (`id`, `a`, `b`);\n",
        m->tables[3].ddl_sha256, session);
    assert_string_equal(buf_cstr(&b), want);
    assert_ok(archive_load_sql_parse(b.data, b.len, 2, arena, &back, &err), &err);
    assert_string_equal(back.name, "history");
    assert_int_equal(back.column_count, 3);
    buf_free(&b);
    arena_free(arena);
    manifest_free(m);
}

/* Whatever a name holds, it neither ends a comment nor is read as an option of printf. */
static void hostile_names_stay_within_their_comment(void **state)
{
    (void)state;
    struct err err;
    struct buf b;
    struct manifest *m = described();
    struct manifest_table back;
    struct arena *arena = arena_new();
    buf_init(&b, 10000);
    assert_ok(archive_load_sql(&m->tables[1], m->format, &b, &err), &err);
    const char *at = buf_cstr(&b);
    assert_memory_equal(at, "-- dbsafe-table {", 17);
    at = strchr(at, '\n') + 1;
    static const char database[] =
        "-- database: d\\0303\\0251\\0040\\0140b\\0140\\0040\\0047x\\0047\\0073\\0040"
        "\\0042y\\0042\\0057\\0045\n-- table: a\\0140b\\0042c\\0047d\\0134e\\0073f\\0012--";
    assert_memory_equal(at, database, sizeof database - 1);
    at = strchr(strchr(at, '\n') + 1, '\n') + 1;
    assert_memory_equal(at, "-- rows: \nSET NAMES binary;\n", 28);
    assert_ok(archive_load_sql_parse(b.data, b.len, 2, arena, &back, &err), &err);
    assert_string_equal(back.name, SAMPLE_WEIRD_TABLE);
    assert_string_equal(back.schema, SAMPLE_WEIRD_SCHEMA);
    buf_free(&b);
    arena_free(arena);
    manifest_free(m);
}

static void other_first_lines_are_damage(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "-- dbsafe-table ",
                                        "-- dbsafe-table {}",
                                        "-- dbsafe-table {}\n",
                                        "-- dbsafe-table \n",
                                        "-- dbsafe-table [1]\n",
                                        "-- dbsafe-table {\"number\": 1}\n",
                                        "-- dbsafe-tabel {}\n",
                                        "SET NAMES binary;\n",
                                        "\n-- dbsafe-table {}\n"};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err err;
        struct manifest_table t;
        assert_err(archive_load_sql_parse(wrong[i], strlen(wrong[i]), 2, arena, &t, &err), ERR_DAMAGED, &err);
    }
    arena_free(arena);
}

static void the_readme_says_what_and_when(void **state)
{
    (void)state;
    struct buf b;
    struct manifest *m = described(), *empty = manifest_new();
    buf_init(&b, 10000);
    archive_readme(m, &b);
    static const char *const parts[] = {"taken at 2023-11-14T22:13:20Z.\n",
                                        "what 2 database(s) hold",
                                        "dbsafe 0.1.0\n",
                                        "MariaDB server, version 10.11.6-MariaDB",
                                        "Label: sample\n",
                                        "sh restore.sh",
                                        "dbsafe-archive(5)"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        assert_non_null(strstr(buf_cstr(&b), parts[i]));
    buf_clear(&b);
    archive_readme(empty, &b);
    assert_non_null(strstr(buf_cstr(&b), "Label: (none)\n"));
    buf_free(&b);
    manifest_free(m);
    manifest_free(empty);
}

static void restore_sh_is_a_shell_script(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100000);
    archive_restore_script(&b);
    assert_memory_equal(b.data, "#!/bin/sh\n", 10);
    FILE *sh = popen("sh -n", "we");
    assert_non_null(sh);
    assert_int_equal(fwrite(b.data, 1, b.len, sh), b.len);
    assert_int_equal(pclose(sh), 0);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slugs_are_short_and_safe),
        cmocka_unit_test(paths_are_as_documented),
        cmocka_unit_test(the_longest_path_fits_a_header),
        cmocka_unit_test(a_database_is_created_as_it_was),
        cmocka_unit_test(load_statements_name_every_column),
        cmocka_unit_test(variables_are_numbered_beyond_nine),
        cmocka_unit_test(the_session_depends_on_history_alone),
        cmocka_unit_test(load_sql_is_exact_and_its_first_line_reads_back),
        cmocka_unit_test(hostile_names_stay_within_their_comment),
        cmocka_unit_test(other_first_lines_are_damage),
        cmocka_unit_test(the_readme_says_what_and_when),
        cmocka_unit_test(restore_sh_is_a_shell_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
