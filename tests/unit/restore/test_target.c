#include "support/test.h"

#include "restore/target.h"

#include <string.h>

#define TABLES_MAX 4

/* ---- an archive in memory ---- */

struct archive {
    struct manifest manifest;
    struct manifest_table tables[TABLES_MAX];
    const char *ddl[TABLES_MAX];
    bool chosen[TABLES_MAX];
};

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct manifest_table *add_table(struct archive *a, const char *schema, const char *name,
                                        uint64_t rows, const char *ddl)
{
    unsigned i = a->manifest.table_count++;
    a->manifest.tables = a->tables;
    a->tables[i] = (struct manifest_table){.number = i + 1, .schema = schema, .name = name, .rows = rows};
    a->ddl[i] = ddl;
    a->chosen[i] = true;
    return &a->tables[i];
}

static enum err_code make(struct archive *a, const struct restore_options *options, struct targets *t,
                          struct err *err)
{
    return targets_make(&a->manifest, a->chosen, a->ddl, options, arena, t, err);
}

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

/* ---- refusals ---- */

static void assert_refusals(struct archive *a, const char *want)
{
    struct restore_options o = {0};
    struct targets t;
    struct err err = {.code = ERR_OK, .text = ""};
    struct refusals r;
    assert_ok(make(a, &o, &t, &err), &err);
    refusals_begin(&r);
    targets_check_definitions(&t, &r);
    if (!want) {
        assert_ok(refusals_end(&r, "restore", &err), &err);
        return;
    }
    assert_err(refusals_end(&r, "restore", &err), ERR_REFUSED, &err);
    assert_string_equal(err.text, want);
}

static void all_reasons_come_at_once(void **state)
{
    (void)state;
    static const char *const triggers[] = {"audit", "more"};
    struct archive a = {.ddl = {NULL}};
    struct manifest_table *t = add_table(&a, "s", "child", 1, CHILD);
    t->triggers = triggers;
    t->trigger_count = 2;
    add_table(&a, "s", "d", 1, "CREATE TABLE `d` (\n  `id` int(11)\n) ENGINE=InnoDB DATA DIRECTORY='/x/'");
    add_table(&a, "s", "q", 1,
              "CREATE TABLE `q` (\n  `id` int(11) DEFAULT nextval(`s`.`sq`),\n"
              "  CONSTRAINT `f2` FOREIGN KEY (`id`) REFERENCES `o`.`p` (`id`)\n) ENGINE=InnoDB");
    assert_refusals(
        &a, "restore: refused, nothing was changed:"
            "\n  s.child had triggers (audit, ...), which this version does not restore"
            "\n  s.child: foreign key f leaves the restored tables (to t)"
            "\n  s.d has a DATA DIRECTORY, which moving a table between databases loses"
            "\n  s.q: column id takes its default from a sequence, which this version does not restore"
            "\n  s.q: foreign key f2 leaves its database (to o.p)");
}

static void words_in_quotes_refuse_nothing(void **state)
{
    (void)state;
    struct archive a = {.ddl = {NULL}};
    add_table(&a, "s", "t", 1,
              "CREATE TABLE `t` (\n  `n` varchar(40) DEFAULT 'nextval(x)' COMMENT 'FOREIGN KEY (`a`)'\n"
              ") ENGINE=InnoDB COMMENT='DATA DIRECTORY=''/x'''");
    add_table(&a, "s", "child", 1, CHILD);
    assert_refusals(&a, NULL);
}

static void long_reasons_do_not_burst(void **state)
{
    (void)state;
    struct refusals r;
    struct err err;
    char name[3000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    refusals_begin(&r);
    for (int i = 0; i < 2000; i++)
        refuse(&r, "%s is in the way", name);
    assert_int_equal(r.count, 2000);
    assert_err(refusals_end(&r, "undo", &err), ERR_REFUSED, &err);
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
        cmocka_unit_test(all_reasons_come_at_once),
        cmocka_unit_test(words_in_quotes_refuse_nothing),
        cmocka_unit_test(long_reasons_do_not_burst),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
