#include "support/test.h"

#include "archive_sample.h"

static const char PLAIN[] = "CREATE TABLE `t` (\n  `id` int(11) NOT NULL\n) ENGINE=InnoDB";

static void add_plain(struct archive *a, const char *schema, const char *name)
{
    add_table(a, schema, name, 1, PLAIN);
}

/* ---- names ---- */

static void without_into_names_stay(void **state)
{
    (void)state;
    struct archive a = {.ddl = {NULL}};
    struct restore_options o = {0};
    struct targets t;
    struct err err;
    add_plain(&a, "shop", "orders");
    add_plain(&a, "crm", "people");
    add_plain(&a, "shop", "lines");
    a.chosen[1] = false;
    assert_ok(make(&a, &o, &t, &err), &err);
    assert_int_equal(t.count, 2);
    assert_int_equal(t.schema_count, 1);
    assert_string_equal(t.items[1].schema, "shop");
    assert_string_equal(t.items[1].name, "lines");
    assert_ptr_equal(t.items[1].table, &a.tables[2]);
}

static void into_maps_databases(void **state)
{
    (void)state;
    struct archive a = {.ddl = {NULL}};
    const char *const pairs[] = {"crm", "crm2", "shop", "crm"};
    struct restore_options o = {.into = pairs, .into_count = 2};
    struct targets t;
    struct err err;
    add_plain(&a, "shop", "orders");
    add_plain(&a, "crm", "people");
    add_plain(&a, "other", "x");
    assert_ok(make(&a, &o, &t, &err), &err);
    assert_string_equal(t.items[0].schema, "crm");
    assert_string_equal(t.items[1].schema, "crm2");
    assert_string_equal(t.items[2].schema, "other");
    assert_int_equal(t.schema_count, 3);
    assert_string_equal(t.schemas[0], "crm");
    assert_string_equal(t.originals[0], "shop");
}

static void one_name_takes_one_database(void **state)
{
    (void)state;
    struct archive a = {.ddl = {NULL}};
    const char *const pair[] = {NULL, "new"};
    struct restore_options o = {.into = pair, .into_count = 1};
    struct targets t;
    struct err err;
    add_plain(&a, "shop", "orders");
    add_plain(&a, "shop", "lines");
    assert_ok(make(&a, &o, &t, &err), &err);
    assert_string_equal(t.items[0].schema, "new");
    assert_string_equal(t.items[1].schema, "new");
    add_plain(&a, "crm", "people");
    assert_err(make(&a, &o, &t, &err), ERR_USAGE, &err);
    assert_non_null(strstr(err.text, "shop and crm both into new"));
}

static void assert_into_refused(const char *old, const char *new, enum err_code code)
{
    struct archive a = {.ddl = {NULL}};
    const char *const pair[] = {old, new};
    struct restore_options o = {.into = pair, .into_count = 1};
    struct targets t;
    struct err err;
    add_plain(&a, "shop", "orders");
    assert_err(make(&a, &o, &t, &err), code, &err);
    assert_non_null(strstr(err.text, new));
}

static void some_names_are_refused(void **state)
{
    (void)state;
    assert_into_refused(NULL, "dbsafe_", ERR_USAGE);
    assert_into_refused("shop", "dbsafe_stage_x", ERR_USAGE);
    assert_into_refused(NULL, "mysql", ERR_USAGE);
    assert_into_refused(NULL, "sys", ERR_USAGE);
    assert_into_refused("shop", "information_schema", ERR_USAGE);
    assert_into_refused("shop", "performance_schema", ERR_USAGE);
    assert_into_refused("shpo", "new", ERR_NOT_FOUND);
}

/* ---- keys that wait ---- */

static const char KEYS[] = "CREATE TABLE `t` (\n"
                           "  `id` int(11) NOT NULL AUTO_INCREMENT COMMENT 'x',\n"
                           "  `n` int(11) DEFAULT NULL COMMENT 'AUTO_INCREMENT',\n"
                           "  `g` point NOT NULL,\n"
                           "  `x` text DEFAULT NULL,\n"
                           "  PRIMARY KEY (`id`),\n"
                           "  UNIQUE KEY `u` (`n`),\n"
                           "  KEY `k` (`n`,`id`),\n"
                           "  SPATIAL KEY `s` (`g`),\n"
                           "  KEY `k2` (`id`),\n"
                           "  FULLTEXT KEY `f` (`x`),\n"
                           "  CONSTRAINT `c` CHECK (`n` > 0)\n"
                           ") ENGINE=InnoDB";
#define KEYS_WAITING 5

/* How many keys of the table alone in its archive wait. */
static unsigned waiting(const char *ddl, uint64_t rows, bool versioned)
{
    struct archive a = {.ddl = {NULL}};
    struct restore_options o = {0};
    struct targets t;
    struct err err;
    add_table(&a, "s", "t", rows, ddl)->system_versioned = versioned;
    assert_ok(make(&a, &o, &t, &err), &err);
    unsigned count = 0;
    for (unsigned i = 0; i < t.items[0].ddl.item_count; i++)
        count += t.items[0].deferred[i];
    assert_int_equal(count, t.items[0].deferred_count);
    return count;
}

/* All of them or none, SPATIAL too: otherwise they would come back in another order. */
static void all_secondary_keys_of_a_large_table_wait(void **state)
{
    (void)state;
    struct archive a = {.ddl = {NULL}};
    struct restore_options o = {0};
    struct targets t;
    struct err err;
    add_table(&a, "s", "t", 1000000, KEYS);
    assert_ok(make(&a, &o, &t, &err), &err);
    static const bool want[] = {false, false, false, false, false, true, true, true, true, true, false};
    assert_int_equal(t.items[0].ddl.item_count, sizeof want / sizeof want[0]);
    assert_memory_equal(t.items[0].deferred, want, sizeof want);
    assert_int_equal(t.items[0].deferred_count, KEYS_WAITING);
}

static void the_number_of_rows_decides(void **state)
{
    (void)state;
    assert_int_equal(waiting(KEYS, 1, false), 0);
    assert_int_equal(waiting(KEYS, 4999, false), 0);
    assert_int_equal(waiting(KEYS, 5000, false), KEYS_WAITING);
    assert_int_equal(waiting(KEYS, 0, false), KEYS_WAITING); /* none, or not known yet */
}

static void some_tables_keep_all_their_keys(void **state)
{
    (void)state;
    assert_int_equal(waiting(KEYS, 1000000, true), 0);
    assert_int_equal(waiting("CREATE TABLE `t` (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n  `n` int(11),\n"
                             "  PRIMARY KEY (`n`),\n  KEY `a` (`id`),\n  KEY `b` (`n`)\n) ENGINE=InnoDB",
                             1000000, false),
                     0);
    assert_int_equal(
        waiting("CREATE TABLE `t` (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n  KEY `a` (`id`),\n"
                "  KEY `b` (`id`)\n) ENGINE=InnoDB",
                1000000, false),
        0);
    assert_int_equal(
        waiting("CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n  `p` int(11),\n  PRIMARY KEY (`id`),\n"
                "  KEY `p` (`p`),\n  CONSTRAINT `f` FOREIGN KEY (`p`) REFERENCES `t` (`id`)\n"
                ") ENGINE=InnoDB",
                1000000, false),
        0);
    assert_int_equal(
        waiting("CREATE TABLE `t` (\n  `n` int(11),\n  `AUTO_INCREMENT` int(11),\n  KEY `b` (`n`)\n"
                ") ENGINE=InnoDB",
                1000000, false),
        1);
}

static const char CHILD[] = "CREATE TABLE `child` (\n  `p` int(11),\n  KEY `p` (`p`),\n"
                            "  CONSTRAINT `f` FOREIGN KEY (`p`) REFERENCES `t` (`n`)\n) ENGINE=InnoDB";

/* A child's foreign key needs its parent's key at once. */
static void parents_in_the_set_keep_their_keys(void **state)
{
    (void)state;
    struct archive a = {.ddl = {NULL}};
    struct restore_options o = {0};
    struct targets t;
    struct err err;
    add_table(&a, "s", "t", 1000000, KEYS);
    add_table(&a, "other", "t", 1000000, KEYS);
    add_table(&a, "s", "child", 1000000, CHILD);
    assert_ok(make(&a, &o, &t, &err), &err);
    assert_int_equal(t.items[0].deferred_count, 0);
    assert_int_equal(t.items[1].deferred_count, KEYS_WAITING);
    assert_int_equal(t.items[2].deferred_count, 0);
}

static void a_definition_that_cannot_be_read_is_damage(void **state)
{
    (void)state;
    struct archive a = {.ddl = {NULL}};
    struct restore_options o = {0};
    struct targets t;
    struct err err;
    add_table(&a, "s", "t", 1, "CREATE TABLE `t` (`id` int");
    assert_err(make(&a, &o, &t, &err), ERR_DAMAGED, &err);
}

/* ---- sequences ---- */

static struct manifest_object *add_sequence(struct archive *a, const char *schema, const char *name)
{
    unsigned i = a->manifest.object_count++;
    a->manifest.objects = a->objects;
    a->objects[i] =
        (struct manifest_object){.number = i + 1, .kind = OBJECT_SEQUENCE, .schema = schema, .name = name};
    a->texts[i] = (struct input_text){"CREATE SEQUENCE `x` start with 1", 32};
    return &a->objects[i];
}

static void sequences_come_with_the_whole_or_with_a_default(void **state)
{
    (void)state;
    struct archive a = {.ddl = {NULL}};
    static const struct manifest_name used = {"s", "counted"};
    const char *const tables[] = {"t"};
    struct restore_options all = {0}, one = {.tables = tables, .table_count = 1};
    struct targets t;
    struct err err;
    struct manifest_table *table = add_table(&a, "s", "t", 1, PLAIN);
    table->sequences = &used;
    table->sequence_count = 1;
    add_sequence(&a, "s", "other");
    add_sequence(&a, "s", "counted");
    add_sequence(&a, "far", "counted");
    assert_ok(make(&a, &all, &t, &err), &err);
    assert_int_equal(t.sequence_count, 3);
    assert_false(t.sequences[0].is_default);
    assert_true(t.sequences[1].is_default);
    assert_false(t.sequences[2].is_default);
    assert_int_equal(t.schema_count, 2);
    assert_ok(make(&a, &one, &t, &err), &err);
    assert_int_equal(t.sequence_count, 1);
    assert_ptr_equal(t.sequences[0].object, &a.objects[1]);
}

/* ---- finding ---- */

static void tables_are_found_by_the_names_of_the_archive(void **state)
{
    (void)state;
    struct archive a = {.ddl = {NULL}};
    const char *const pair[] = {"shop", "new"};
    struct restore_options o = {.into = pair, .into_count = 1};
    struct targets t;
    struct err err;
    add_plain(&a, "shop", "orders");
    add_plain(&a, "crm", "people");
    assert_ok(make(&a, &o, &t, &err), &err);
    assert_ptr_equal(targets_find(&t, "shop", "orders"), &t.items[0]);
    assert_null(targets_find(&t, "new", "orders"));
    assert_null(targets_find(&t, "shop", "people"));
    assert_string_equal(targets_map(&t, "shop"), "new");
    assert_string_equal(targets_map(&t, "crm"), "crm");
    assert_null(targets_map(&t, "new"));
    assert_int_equal(targets_schema_index(&t, "crm"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_into_names_stay),
        cmocka_unit_test(into_maps_databases),
        cmocka_unit_test(one_name_takes_one_database),
        cmocka_unit_test(some_names_are_refused),
        cmocka_unit_test(all_secondary_keys_of_a_large_table_wait),
        cmocka_unit_test(the_number_of_rows_decides),
        cmocka_unit_test(some_tables_keep_all_their_keys),
        cmocka_unit_test(parents_in_the_set_keep_their_keys),
        cmocka_unit_test(a_definition_that_cannot_be_read_is_damage),
        cmocka_unit_test(sequences_come_with_the_whole_or_with_a_default),
        cmocka_unit_test(tables_are_found_by_the_names_of_the_archive),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
