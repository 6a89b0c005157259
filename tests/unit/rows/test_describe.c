/* How tables of MySQL are described; of MariaDB it is tried with real values by tests/e2e. */
#include "support/fake_db.h"

#include "rows/describe.h"

static struct {
    struct arena *arena;
    struct db_conn *c;
    struct manifest_table out;
    struct err err;
} t;

static enum err_code describe(const char *recording, const char *name)
{
    const struct catalog_table table = {.schema = "shop", .name = name, .engine = "InnoDB"};
    fake_db_play(recording);
    t.arena = arena_new();
    memset(&t.out, 0, sizeof t.out);
    assert_int_equal(db_connect(NULL, NULL, &t.c, &t.err), ERR_OK);
    return rows_describe(t.c, t.arena, &table, &t.out, &t.err);
}

static void end(void)
{
    db_close(t.c);
    arena_free(t.arena);
    fake_db_end();
}

static const struct manifest_column *column(const char *name)
{
    for (unsigned i = 0; i < t.out.column_count; i++)
        if (strcmp(t.out.columns[i].name, name) == 0)
            return &t.out.columns[i];
    return NULL;
}

static void assert_travels(const char *name, const char *select, const char *load)
{
    const struct manifest_column *c = column(name);
    assert_non_null(c);
    assert_string_equal(c->select_expr, select);
    if (load)
        assert_string_equal(c->load_expr, load);
    else
        assert_null(c->load_expr);
}

static void types_of_mysql(void **state)
{
    (void)state;
    assert_ok(describe("mysql-8.0-tables", "everything"), &t.err);
    assert_null(column("name_low")); /* generated */
    assert_travels("my_row_id", "`my_row_id`",
                   "@v"); /* AUTO_INCREMENT beside others that are set: a zero stays */
    assert_travels("f", "`f`*1e0", NULL);
    assert_travels("fu", "`fu`*1e0", NULL);
    assert_travels("d", "`d`*1e0", NULL);
    assert_travels("j", "`j`", "CONVERT(@v USING utf8mb4)");
    assert_travels("b", "`b`+0", "CAST(@v AS UNSIGNED)");
    assert_travels("e", "`e`+0", "CAST(@v AS UNSIGNED)");
    assert_travels("s", "CAST(`s` AS UNSIGNED)", "CAST(@v AS UNSIGNED)");
    assert_travels("hidden", "`hidden`", NULL);
    assert_travels("g", "`g`", NULL);
    assert_string_equal(t.out.key.name, "PRIMARY");
    assert_int_equal(t.out.key.column_count, 1);
    end();
}

/* Neither JSON nor an expression can be compared with a literal that finds the same row again. */
static void keys_that_are_no_range_keys(void **state)
{
    (void)state;
    assert_ok(describe("mysql-8.0-tables", "everything"), &t.err);
    db_close(t.c);
    fake_db_answer("SELECT INDEX_NAME...",
                   "by_json\tj\t\\N\tA\tBTREE\tYES\tNO\nfunctional\t\\N\t\\N\tA\tBTREE\tYES\tNO\n"
                   "invisible\tname\t\\N\tA\tBTREE\t\tYES\n");
    const struct catalog_table table = {.schema = "shop", .name = "everything", .engine = "InnoDB"};
    assert_int_equal(db_connect(NULL, NULL, &t.c, &t.err), ERR_OK);
    memset(&t.out, 0, sizeof t.out);
    assert_ok(rows_describe(t.c, t.arena, &table, &t.out, &t.err), &t.err);
    assert_null(t.out.key.name);
    end();
}

static void mysql_5_7(void **state)
{
    (void)state;
    assert_ok(describe("mysql-5.7-tables", "plain"), &t.err);
    assert_travels("id", "`id`", NULL); /* AUTO_INCREMENT, but nothing else is set */
    assert_travels("f", "`f`*1e0", NULL);
    assert_string_equal(t.out.key.name, "PRIMARY");
    end();
}

static void a_table_that_is_gone(void **state)
{
    (void)state;
    fake_db_begin("8.0.36");
    fake_db_answer("...FROM information_schema...", "");
    t.arena = arena_new();
    memset(&t.out, 0, sizeof t.out);
    const struct catalog_table table = {.schema = "shop", .name = "gone", .engine = "InnoDB"};
    assert_int_equal(db_connect(NULL, NULL, &t.c, &t.err), ERR_OK);
    assert_err(rows_describe(t.c, t.arena, &table, &t.out, &t.err), ERR_NOT_FOUND, &t.err);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_of_mysql),
        cmocka_unit_test(keys_that_are_no_range_keys),
        cmocka_unit_test(mysql_5_7),
        cmocka_unit_test(a_table_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
