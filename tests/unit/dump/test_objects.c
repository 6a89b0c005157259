/* Order and the comparison at the end, against a fake that plays answers; tests/e2e/test_objects.py has a
 * real server. */
#include "support/fake_db.h"

#include "dump/objects.h"

static struct {
    struct manifest *m;
    struct objects o;
    struct db_conn *c;
    struct err err;
} t;

static int begin(void **state)
{
    (void)state;
    fake_db_begin("10.11.6-MariaDB");
    t.m = manifest_new();
    objects_init(&t.o, t.m->arena);
    assert_int_equal(db_connect(NULL, NULL, &t.c, &t.err), ERR_OK);
    fake_db_answer("USE ...", "");
    fake_db_answer("SELECT SCHEMA_NAME...", "s\tutf8mb4\tutf8mb4_bin\t\n");
    fake_db_answer("SELECT TRIGGER_NAME...", "");
    fake_db_answer("SHOW CREATE VIEW ...", "v\tCREATE VIEW\tutf8mb4\tutf8mb4_bin\n");
    fake_db_answer("SHOW CREATE PROCEDURE ...", "p\t\tCREATE PROCEDURE\tutf8mb4\tutf8mb4_bin\tutf8mb4_bin\n");
    fake_db_answer("SHOW CREATE TRIGGER ...", "r\t\tCREATE TRIGGER\tutf8mb4\tutf8mb4_bin\tutf8mb4_bin\n");
    fake_db_answer("SHOW CREATE SEQUENCE ...", "q\tCREATE SEQUENCE\n");
    fake_db_answer("SELECT next_not_cached_value...", "1\t1\t9\t1\t1\t0\t0\t0\n");
    return 0;
}

static int end(void **state)
{
    (void)state;
    db_close(t.c);
    objects_free(&t.o);
    manifest_free(t.m);
    fake_db_end();
    return 0;
}

static void add(enum catalog_kind kind, const char *name)
{
    objects_add(&t.o, &(struct catalog_object){.schema = "s", .name = name, .kind = kind, .definer = "a@b"});
}

/* "kind name|kind name" */
static const char *order(void)
{
    const char *all = "";
    for (unsigned i = 0; i < t.m->object_count; i++)
        all = arena_printf(t.m->arena, "%s%s%s %s", all, i ? "|" : "", object_kind_name(t.m->objects[i].kind),
                           t.m->objects[i].name);
    return all;
}

static void kinds_come_in_the_order_of_their_creation(void **state)
{
    (void)state;
    add(CATALOG_PROCEDURE, "z");
    add(CATALOG_PROCEDURE, "a");
    add(CATALOG_SEQUENCE, "q");
    add(CATALOG_PROCEDURE, "z"); /* already there */
    assert_ok(objects_define(&t.o, t.c, t.m, &t.err), &t.err);
    assert_string_equal(order(), "sequence q|procedure z|procedure a");
    assert_int_equal(t.m->objects[2].number, 3);
    assert_string_equal(t.m->objects[2].dir, "0003-a");
    assert_string_equal(t.m->objects[0].sequence.maximum, "9");
    assert_false(t.m->objects[0].sequence.cycle);
}

static void views_stand_behind_what_they_use(void **state)
{
    (void)state;
    fake_db_answer("SELECT TABLE_NAME, DEFINER...", "a\tx@y\tselect 1 from `s`.`b`\n"
                                                    "b\tx@y\tselect `other`.`c` from `s`.`c` `other`\n"
                                                    "c\tx@y\tselect 1 from `s`.`t`\n"
                                                    "unasked\tx@y\tselect 1\n");
    add(CATALOG_VIEW, "a");
    add(CATALOG_VIEW, "b");
    add(CATALOG_VIEW, "c");
    assert_ok(objects_define(&t.o, t.c, t.m, &t.err), &t.err);
    assert_string_equal(order(), "view c|view b|view a");
    assert_string_equal(t.m->objects[0].definer, "x@y");
    assert_int_equal(t.m->objects[1].use_count, 1); /* an alias is no database */
    assert_string_equal(t.m->objects[1].uses[0].name, "c");
    assert_string_equal(t.m->objects[0].uses[0].name, "t");
}

static void a_circle_ends(void **state)
{
    (void)state;
    fake_db_answer("SELECT TABLE_NAME, DEFINER...",
                   "a\tx@y\tselect 1 from `s`.`b`\nb\tx@y\tselect 1 from `s`.`a`\n"
                   "c\tx@y\tselect 1 from `s`.`c`\n");
    add(CATALOG_VIEW, "a");
    add(CATALOG_VIEW, "b");
    add(CATALOG_VIEW, "c");
    assert_ok(objects_define(&t.o, t.c, t.m, &t.err), &t.err);
    assert_string_equal(order(), "view b|view a|view c");
}

static void what_vanishes_while_it_is_planned_ends_the_dump(void **state)
{
    (void)state;
    add(CATALOG_PROCEDURE, "p");
    fake_db_answer("SHOW CREATE PROCEDURE ...", "!1305 PROCEDURE p does not exist");
    assert_err(objects_define(&t.o, t.c, t.m, &t.err), ERR_SNAPSHOT, &t.err);
    assert_non_null(strstr(t.err.text, "procedure s.p"));
}

static void hidden_ones_can_be_left_out(void **state)
{
    (void)state;
    add(CATALOG_PROCEDURE, "p");
    fake_db_answer("SHOW CREATE PROCEDURE ...", "p\t\t\\N\tutf8mb4\tutf8mb4_bin\tutf8mb4_bin\n");
    assert_err(objects_define(&t.o, t.c, t.m, &t.err), ERR_DB_DENIED, &t.err);
    assert_non_null(strstr(t.err.text, "--exclude"));
}

/* Planned as begin() says; then the answer changes. */
static void check_changed(const char *statement, const char *rows, const char *words)
{
    add(CATALOG_PROCEDURE, "p");
    assert_ok(objects_define(&t.o, t.c, t.m, &t.err), &t.err);
    assert_ok(objects_check(&t.o, t.c, t.m, &t.err), &t.err);
    fake_db_answer(statement, rows);
    assert_err(objects_check(&t.o, t.c, t.m, &t.err), ERR_SNAPSHOT, &t.err);
    if (!strstr(t.err.text, words))
        fail_msg("'%s' is not in: %s", words, t.err.text);
}

static void another_text_is_found(void **state)
{
    (void)state;
    check_changed("SHOW CREATE PROCEDURE ...", "p\t\tCREATE PROCEDURE x\tutf8mb4\tutf8mb4_bin\tutf8mb4_bin\n",
                  "procedure s.p: its definition was changed");
}

static void another_setting_is_found(void **state)
{
    (void)state;
    check_changed("SHOW CREATE PROCEDURE ...",
                  "p\tANSI_QUOTES\tCREATE PROCEDURE\tutf8mb4\tutf8mb4_bin\tutf8mb4_bin\n",
                  "its definition was changed");
}

static void a_dropped_one_is_found(void **state)
{
    (void)state;
    check_changed("SHOW CREATE PROCEDURE ...", "!1305 PROCEDURE p does not exist",
                  "dropped or renamed while the dump ran");
}

static void a_new_trigger_is_found(void **state)
{
    (void)state;
    static struct manifest_schema schema = {"s", "utf8mb4", "utf8mb4_bin", ""};
    static struct manifest_table table = {.number = 1, .schema = "s", .name = "t"};
    t.m->schemas = &schema;
    t.m->tables = &table;
    t.m->schema_count = t.m->table_count = 1;
    check_changed("SELECT TRIGGER_NAME...", "r\ta@b\tBEFORE\tINSERT\t1\tt\n",
                  "dump s.t: its triggers were changed");
}

static void triggers_name_themselves_at_their_table(void **state)
{
    (void)state;
    static struct manifest_schema schema = {"s", "utf8mb4", "utf8mb4_bin", ""};
    static struct manifest_table table = {.number = 1, .schema = "s", .name = "t"};
    t.m->schemas = &schema;
    t.m->tables = &table;
    t.m->schema_count = t.m->table_count = 1;
    fake_db_answer("SELECT TRIGGER_NAME...", "z\ta@b\tBEFORE\tINSERT\t1\tt\na\ta@b\tBEFORE\tINSERT\t2\tt\n"
                                             "x\ta@b\tBEFORE\tINSERT\t1\tother\n");
    assert_ok(objects_find_triggers(&t.o, t.c, t.m, &t.err), &t.err);
    assert_int_equal(t.o.trigger_count, 2);
    for (unsigned i = 0; i < 2; i++)
        objects_add(&t.o, &t.o.triggers[i]);
    assert_ok(objects_define(&t.o, t.c, t.m, &t.err), &t.err);
    assert_string_equal(order(), "trigger z|trigger a");
    assert_int_equal(table.trigger_count, 2);
    assert_string_equal(table.triggers[0], "z");
    assert_ok(objects_check(&t.o, t.c, t.m, &t.err), &t.err);
    fake_db_answer("SELECT TRIGGER_NAME...", "a\ta@b\tBEFORE\tINSERT\t1\tt\nz\ta@b\tBEFORE\tINSERT\t2\tt\n");
    assert_err(objects_check(&t.o, t.c, t.m, &t.err), ERR_SNAPSHOT, &t.err);
}

#define FAKE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE(kinds_come_in_the_order_of_their_creation),
        FAKE(views_stand_behind_what_they_use),
        FAKE(a_circle_ends),
        FAKE(what_vanishes_while_it_is_planned_ends_the_dump),
        FAKE(hidden_ones_can_be_left_out),
        FAKE(another_text_is_found),
        FAKE(another_setting_is_found),
        FAKE(a_dropped_one_is_found),
        FAKE(a_new_trigger_is_found),
        FAKE(triggers_name_themselves_at_their_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
