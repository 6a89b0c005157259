#include "support/test.h"

#include "dump/relations.h"

#include <string.h>

static void foreign_keys_and_sequences_are_qualified(void **state)
{
    (void)state;
    struct err err;
    struct arena *arena = arena_new();
    struct manifest_table t = {.schema = "zoo"};
    assert_ok(relations_read("CREATE TABLE `t` (\n"
                             "  `id` bigint(20) NOT NULL DEFAULT nextval(`zoo`.`s``1`),\n"
                             "  `n` bigint(20) DEFAULT (nextval(`zoo`.`s``1`) + nextval(`annex`.`q`)) "
                             "COMMENT 'nextval(`x`.`y`)',\n"
                             "  `m` int(11) DEFAULT NULL,\n"
                             "  CONSTRAINT `to ``b`` (\"x\")` FOREIGN KEY (`m`) REFERENCES `a``nnex`.`p` "
                             "(`id`) ON DELETE CASCADE,\n"
                             "  CONSTRAINT `own` FOREIGN KEY (`n`) REFERENCES `t` (`id`)\n"
                             ") ENGINE=InnoDB COMMENT='nextval(`u`.`v`)'",
                             arena, &t, &err),
              &err);
    assert_int_equal(t.foreign_key_count, 2);
    assert_string_equal(t.foreign_keys[0].name, "to `b` (\"x\")");
    assert_string_equal(t.foreign_keys[0].parent_schema, "a`nnex");
    assert_string_equal(t.foreign_keys[0].parent_table, "p");
    assert_string_equal(t.foreign_keys[1].parent_schema, "zoo");
    assert_string_equal(t.foreign_keys[1].parent_table, "t");
    assert_int_equal(t.sequence_count, 2);
    assert_string_equal(t.sequences[0].schema, "zoo");
    assert_string_equal(t.sequences[0].name, "s`1");
    assert_string_equal(t.sequences[1].schema, "annex");
    assert_string_equal(t.sequences[1].name, "q");
    arena_free(arena);
}

static void what_is_no_definition_is_refused(void **state)
{
    (void)state;
    struct err err;
    struct arena *arena = arena_new();
    struct manifest_table t = {.schema = "zoo"};
    assert_err(relations_read("CREATE VIEW v AS select 1", arena, &t, &err), ERR_DB, &err);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_keys_and_sequences_are_qualified),
        cmocka_unit_test(what_is_no_definition_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
