#include "support/fake_db.h"

#include "db/blockers.h"

static const struct blocker_table tables[] = {{"shop", "orders"}, {"shop", "it's"}};

static const char *describe(struct buf *out)
{
    struct arena *arena = arena_new();
    struct blockers found;
    struct db_conn *c;
    assert_int_equal(db_connect(NULL, NULL, &c, NULL), ERR_OK);
    blockers_find(c, tables, 2, true, arena, &found);
    buf_clear(out);
    blockers_describe(&found, out);
    db_close(c);
    arena_free(arena);
    return buf_cstr(out);
}

static void by_what_the_server_tells(void **state)
{
    (void)state;
    static const struct {
        const char *version, *plugin, *performance, *transactions, *want;
    } cases[] = {
        {"10.11.6-MariaDB", "7\tapp\tlocalhost\t3\n", "!1 not asked", "!1 not asked",
         "connection 7 (app@localhost, 3 s)"},
        {"10.11.6-MariaDB", "!1109 Unknown table 'METADATA_LOCK_INFO' in information_schema", "",
         "9\tapp\t10.0.0.1\t\\N\n8\tjob\t10.0.0.2\t1\n",
         "one of the open transactions: connection 9 (app@10.0.0.1, ? s), connection 8 (job@10.0.0.2, 1 s)"},
        {"8.0.36", "!1 not asked", "7\tapp\tlocalhost\t3\n", "!1 not asked",
         "connection 7 (app@localhost, 3 s)"},
        {"8.0.36", "!1 not asked", "!1142 SELECT command denied", "!1227 Access denied",
         "not visible to this account: PROCESS would show them"},
        {"10.11.6-MariaDB", "!1109 Unknown table", "", "!1227 Access denied",
         "not visible to this account: PROCESS would show them"},
        {"8.0.36", "!1 not asked", "", "", "nobody visible now"},
        {"8.0.36", "!1 not asked",
         "1\ta\th\t9\n2\ta\th\t8\n3\ta\th\t7\n4\ta\th\t6\n5\ta\th\t5\n6\ta\th\t4\n7\ta\th\t3\n", "",
         "connection 1 (a@h, 9 s), connection 2 (a@h, 8 s), connection 3 (a@h, 7 s), connection 4 (a@h, 6 "
         "s), connection 5 (a@h,"
         " 5 s) and 2 more"},
    };
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_db_begin(cases[i].version);
        fake_db_answer("...INNODB_TRX t JOIN...", cases[i].transactions);
        fake_db_answer("...METADATA_LOCK_INFO...", cases[i].plugin);
        fake_db_answer("...performance_schema...", cases[i].performance);
        assert_string_equal(describe(&out), cases[i].want);
        assert_true(fake_db_sent((const char *const[]){"time_zone='SYSTEM'", "time_zone='+00:00'", NULL}));
        fake_db_end();
    }
    buf_free(&out);
}

static void names_are_quoted(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    fake_db_begin("8.0.36");
    fake_db_answer("...performance_schema...", "7\tapp\tlocalhost\t3\n");
    describe(&out);
    assert_true(fake_db_sent((const char *const[]){"OBJECT_SCHEMA='shop' AND m.OBJECT_NAME='orders'",
                                                   "OBJECT_NAME='it\\'s'", NULL}));
    fake_db_end();
    buf_free(&out);
}

/* What a lock on the whole server waits for is asked for by its kind, in each source's words. */
static void without_tables_the_server_is_meant(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct blockers found;
    struct db_conn *c;
    fake_db_begin("10.11.6-MariaDB");
    fake_db_answer("...INNODB_TRX t JOIN...", "");
    fake_db_answer("...METADATA_LOCK_INFO...", "");
    fake_db_answer("...performance_schema...", "7\tapp\tlocalhost\t3\n");
    assert_int_equal(db_connect(NULL, NULL, &c, NULL), ERR_OK);
    blockers_find(c, NULL, 0, true, arena, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.items[0].id, 7);
    assert_true(found.exact);
    assert_true(fake_db_sent((const char *const[]){"m.LOCK_TYPE IN ('Backup lock', 'Global read lock')",
                                                   "m.OBJECT_TYPE IN ('BACKUP', 'GLOBAL', 'COMMIT')", NULL}));
    assert_null(strstr(buf_cstr(&fake_db.log), "MDL_SHARED")); /* any holder is in the way */
    db_close(c);
    fake_db_end();
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_what_the_server_tells),
        cmocka_unit_test(names_are_quoted),
        cmocka_unit_test(without_tables_the_server_is_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
