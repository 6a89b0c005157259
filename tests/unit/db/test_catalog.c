/* The catalogue of servers that are not here; MariaDB's is read for real by tests/e2e. */
#include "support/fake_db.h"

#include "db/catalog.h"

static struct {
    struct arena *arena;
    struct db_conn *c;
    struct err err;
} t;

static void begin(const char *recording)
{
    fake_db_play(recording);
    t.arena = arena_new();
    assert_int_equal(db_connect(NULL, NULL, &t.c, &t.err), ERR_OK);
}

static void end(void)
{
    db_close(t.c);
    arena_free(t.arena);
    fake_db_end();
}

static void tables_of_mysql(void **state)
{
    (void)state;
    struct catalog_table *tables;
    unsigned n;
    begin("mysql-8.0-tables");
    assert_ok(catalog_tables(t.c, t.arena, "shop", NULL, &tables, &n, &t.err), &t.err);
    assert_int_equal(n, 3);
    assert_string_equal(tables[0].name, "everything");
    assert_int_equal(tables[0].kind, CATALOG_TABLE);
    assert_true(tables[0].auto_increment == UINT64_MAX);
    assert_false(tables[0].system_versioned);
    assert_int_equal(tables[1].auto_increment, 0);
    assert_int_equal(tables[2].kind, CATALOG_VIEW);
    assert_null(tables[2].broken);
    end();
    begin("mysql-5.7-tables");
    assert_ok(catalog_tables(t.c, t.arena, "shop", NULL, &tables, &n, &t.err), &t.err);
    assert_true(catalog_engine_is_transactional(tables[0].engine));
    assert_false(catalog_engine_is_transactional(tables[1].engine));
    end();
}

/* A column that only its expression fills is not dumped; one that is hidden is. */
static void columns_of_mysql(void **state)
{
    (void)state;
    struct catalog_column *columns;
    unsigned n;
    begin("mysql-8.0-tables");
    assert_ok(catalog_columns(t.c, t.arena, "shop", "everything", &columns, &n, &t.err), &t.err);
    assert_int_equal(n, 13);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(columns[i].generated, strcmp(columns[i].name, "name_low") == 0);
        assert_false(columns[i].period);
    }
    assert_string_equal(columns[4].data_type, "json");
    assert_null(columns[4].charset);
    end();
}

/* Read in the order of a key only if the server uses it, and its parts are whole columns in ascending order.
 */
static void keys_of_mysql(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool ordered;
    } want[] = {{"PRIMARY", true},     {"by_json", true}, {"functional", false}, {"invisible", false},
                {"descending", false}, {"mixed", false},  {"prefix", false}};
    struct catalog_key *keys;
    unsigned n;
    begin("mysql-8.0-tables");
    assert_ok(catalog_unique_keys(t.c, t.arena, "shop", "everything", &keys, &n, &t.err), &t.err);
    assert_int_equal(n, sizeof want / sizeof want[0]);
    for (unsigned i = 0; i < n; i++) {
        assert_string_equal(keys[i].name, want[i].name);
        assert_int_equal(keys[i].ordered, want[i].ordered);
    }
    end();
    begin("mysql-5.7-tables");
    assert_ok(catalog_unique_keys(t.c, t.arena, "shop", "plain", &keys, &n, &t.err), &t.err);
    assert_int_equal(n, 1);
    assert_true(keys[0].ordered && !keys[0].nullable);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_of_mysql),
        cmocka_unit_test(columns_of_mysql),
        cmocka_unit_test(keys_of_mysql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
