#include "support/test.h"

#include "archive_sample.h"
#include "restore/adapt.h"

/* Adapts an archive whose targets stage in "stage <schema>". */
static struct findings adapt(struct archive *a, const struct restore_options *options, struct targets *t,
                             struct operation *op)
{
    struct findings r = {0};
    struct err err;
    assert_ok(make(a, options, t, &err), &err);
    for (unsigned i = 0; i < t->count; i++)
        t->items[i].staging_schema = arena_printf(arena, "stage %s", t->items[i].schema);
    *op = (struct operation){.key_count = 0};
    assert_ok(adapt_definitions(t, op, &a->manifest, &r, &err), &err);
    return r;
}

static void assert_no_reason(struct findings *r)
{
    struct err err = {.code = ERR_OK, .text = ""};
    assert_ok(findings_check(r, "restore", &err), &err);
    findings_free(r);
}

#define KEY_TO(parent) "CONSTRAINT `f` FOREIGN KEY (`p`) REFERENCES " parent " (`id`) ON DELETE CASCADE"
#define CHILD(parent)                                                                                        \
    "CREATE TABLE `c` (\n  `p` int(11),\n  KEY `p` (`p`),\n  " KEY_TO(parent) "\n) ENGINE=InnoDB"
static const char PARENT[] =
    "CREATE TABLE `p` (\n  `id` int(11) NOT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB";

static void keys_within_a_schema_stay(void **state)
{
    (void)state;
    struct archive a = {.manifest = {.format = 2}};
    struct restore_options o = {0};
    struct targets t;
    struct operation op;
    add_table(&a, "s", "p", 1, PARENT);
    add_table(&a, "s", "c", 1, CHILD("`p`"));
    struct findings r = adapt(&a, &o, &t, &op);
    assert_no_reason(&r);
    assert_int_equal(op.key_count, 0);
    assert_string_equal(t.items[1].ddl.items[2].text, KEY_TO("`p`"));
    assert_false(t.items[1].joins[2]);
    assert_string_equal(t.items[1].staged_sha256, "as dumped");
}

static void keys_between_schemas_lead_from_staging_to_staging(void **state)
{
    (void)state;
    struct archive a = {.manifest = {.format = 2}};
    struct restore_options o = {0};
    struct targets t;
    struct operation op;
    add_table(&a, "far", "p", 1, PARENT);
    add_table(&a, "s", "c", 1, CHILD("`far`.`p`"));
    struct findings r = adapt(&a, &o, &t, &op);
    assert_no_reason(&r);
    assert_int_equal(op.key_count, 0);
    assert_string_equal(t.items[1].ddl.items[2].text, KEY_TO("`stage far`.`p`"));
    assert_string_not_equal(t.items[1].staged_sha256, "as dumped");
}

static void assert_joins(struct archive *a, const struct restore_options *o, const char *schema)
{
    struct targets t;
    struct operation op;
    struct findings r = adapt(a, o, &t, &op);
    assert_no_reason(&r);
    assert_true(t.items[0].joins[2]);
    assert_string_not_equal(t.items[0].staged_sha256, "as dumped");
    assert_int_equal(op.key_count, 1);
    assert_int_equal(op.keys[0].role, KEY_JOIN);
    assert_int_equal(op.keys[0].exchange, 0);
    assert_string_equal(op.keys[0].constraint, "f");
    assert_string_equal(op.keys[0].parent_schema, schema);
    assert_string_equal(op.keys[0].parent_name, "p");
    assert_string_equal(op.keys[0].actions, "ON DELETE CASCADE");
}

static void keys_to_other_tables_are_added_later(void **state)
{
    (void)state;
    struct archive near = {.manifest = {.format = 2}}, far = near;
    const char *const pair[] = {"s", "copy"};
    struct restore_options plain = {0}, into = {.into = pair, .into_count = 1};
    add_table(&near, "s", "c", 1, CHILD("`p`"));
    assert_joins(&near, &plain, "s");
    assert_joins(&near, &into, "copy"); /* where the child goes */
    add_table(&far, "s", "c", 1, CHILD("`far`.`p`"));
    assert_joins(&far, &into, "far");
}

static void defaults_name_the_live_sequence(void **state)
{
    (void)state;
    static const struct manifest_name used[] = {{"s", "n"}, {"far", "n"}};
    struct archive a = {.manifest = {.format = 2}};
    const char *const pair[] = {"s", "copy"};
    struct restore_options o = {.into = pair, .into_count = 1};
    struct targets t;
    struct operation op;
#define COMMENT " COMMENT 'nextval(`s`.`n`) it''s \\' `s`.`n`'"
    struct manifest_table *table =
        add_table(&a, "s", "t", 1,
                  "CREATE TABLE `t` (\n  `a` bigint(20) DEFAULT nextval(`s`.`n`)" COMMENT ",\n"
                  "  `b` bigint(20) DEFAULT nextval(`far`.`n`)\n) ENGINE=InnoDB");
    table->sequences = used;
    table->sequence_count = 2;
    struct findings r = adapt(&a, &o, &t, &op);
    assert_no_reason(&r);
    assert_string_equal(t.items[0].ddl.items[0].text, "`a` bigint(20) DEFAULT nextval(`copy`.`n`)" COMMENT);
    assert_string_equal(t.items[0].ddl.items[1].text, "`b` bigint(20) DEFAULT nextval(`far`.`n`)");
}

/* Quotes within names, databases that change places, and a name that begins like another. */
static void each_sequence_moves_once(void **state)
{
    (void)state;
    static const struct manifest_name used[] = {{"a", "s"}, {"b", "s"}};
    struct archive a = {.manifest = {.format = 2}};
    const char *const pairs[] = {"a", "b", "b", "a"};
    struct restore_options o = {.into = pairs, .into_count = 2};
    struct targets t;
    struct operation op;
    struct manifest_table *table =
        add_table(&a, "a", "t", 1,
                  "CREATE TABLE `t` (\n  `it's` int(11) DEFAULT nextval(`a`.`s`),\n"
                  "  `x` int(11) DEFAULT (nextval(`b`.`s`) + nextval(`a`.`s`) + nextval(`a`.`s``x`))\n"
                  ") ENGINE=InnoDB");
    table->sequences = used;
    table->sequence_count = 2;
    add_table(&a, "b", "other", 1, PARENT);
    struct findings r = adapt(&a, &o, &t, &op);
    assert_no_reason(&r);
    assert_string_equal(t.items[0].ddl.items[0].text, "`it's` int(11) DEFAULT nextval(`b`.`s`)");
    assert_string_equal(t.items[0].ddl.items[1].text,
                        "`x` int(11) DEFAULT (nextval(`a`.`s`) + nextval(`b`.`s`) + nextval(`a`.`s``x`))");
}

static void what_an_archive_cannot_give_back_is_refused(void **state)
{
    (void)state;
    static const char *const triggers[] = {"audit", "more"};
    struct archive a = {.manifest = {.format = 1}};
    struct restore_options o = {0};
    struct targets t;
    struct operation op;
    struct err err;
    struct manifest_table *table = add_table(&a, "s", "t", 1, PARENT);
    table->triggers = triggers;
    table->trigger_count = 2;
    add_table(&a, "s", "d", 1, "CREATE TABLE `d` (\n  `id` int(11)\n) ENGINE=InnoDB DATA DIRECTORY='/x/'");
    add_table(&a, "s", "p", 1,
              "CREATE TABLE `p` (\n  `id` int(11)\n) ENGINE=InnoDB\n PARTITION BY HASH (`id`)\n"
              "(PARTITION `p0` ENGINE = InnoDB,\n PARTITION `p1` DATA DIRECTORY = '/x' ENGINE = InnoDB)");
    add_table(&a, "s", "i", 1, "CREATE TABLE `i` (\n  `id` int(11)\n) ENGINE=MyISAM INDEX DIRECTORY='/x/'");
    add_table(&a, "s", "q", 1,
              "CREATE TABLE `q` (\n  `id` int(11) DEFAULT nextval(`s`.`sq`)\n) ENGINE=InnoDB");
    struct findings r = adapt(&a, &o, &t, &op);
    assert_err(findings_check(&r, "restore", &err), ERR_REFUSED, &err);
    assert_string_equal(err.text,
                        "restore: refused, nothing was changed:"
                        "\n  s.t had triggers (audit, ...) that the archive does not hold"
                        "\n  s.d has a DATA DIRECTORY, which moving a table between databases loses"
                        "\n  s.p has a DATA DIRECTORY, which moving a table between databases loses"
                        "\n  s.i has a DATA DIRECTORY, which moving a table between databases loses"
                        "\n  s.q: column id takes its default from a sequence, and an archive of format 1"
                        " does not hold it");
    findings_free(&r);
}

static void words_in_quotes_refuse_nothing(void **state)
{
    (void)state;
    struct archive a = {.manifest = {.format = 1}};
    struct restore_options o = {0};
    struct targets t;
    struct operation op;
    add_table(&a, "s", "t", 1,
              "CREATE TABLE `t` (\n  `n` varchar(40) DEFAULT 'nextval(x)' COMMENT 'FOREIGN KEY (`a`)'\n"
              ") ENGINE=InnoDB COMMENT='DATA DIRECTORY=''/x'''");
    struct findings r = adapt(&a, &o, &t, &op);
    assert_no_reason(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_within_a_schema_stay),
        cmocka_unit_test(keys_between_schemas_lead_from_staging_to_staging),
        cmocka_unit_test(keys_to_other_tables_are_added_later),
        cmocka_unit_test(defaults_name_the_live_sequence),
        cmocka_unit_test(each_sequence_moves_once),
        cmocka_unit_test(what_an_archive_cannot_give_back_is_refused),
        cmocka_unit_test(words_in_quotes_refuse_nothing),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
