#include "support/test.h"

#include "restore/foreign_keys.h"

#include <string.h>

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

/* The item of a table `t` of schema s. */
static bool parse(const char *item, struct foreign_key *out)
{
    struct buf text;
    struct ddl ddl;
    struct err err;
    buf_init(&text, 4096);
    buf_putf(&text, "CREATE TABLE `t` (\n  `a` int(11),\n  %s\n) ENGINE=InnoDB", item);
    assert_ok(ddl_parse(buf_cstr(&text), arena, &ddl, &err), &err);
    buf_free(&text);
    assert_int_equal(ddl.item_count, 2);
    return key_parse(&ddl.items[1], "s", arena, out);
}

static void assert_written(const struct foreign_key *k, const char *want)
{
    struct buf text;
    buf_init(&text, 4096);
    key_write(k, &text);
    assert_string_equal(buf_cstr(&text), want);
    buf_free(&text);
}

static void a_key_is_taken_apart_and_put_together(void **state)
{
    (void)state;
    struct foreign_key k;
    assert_true(parse("CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`id`)", &k));
    assert_string_equal(k.constraint, "f");
    assert_string_equal(k.parent_schema, "s");
    assert_string_equal(k.parent_name, "p");
    assert_string_equal(k.columns, "`a`");
    assert_string_equal(k.parent_columns, "`id`");
    assert_string_equal(k.actions, "");
    assert_written(&k, "FOREIGN KEY (`a`) REFERENCES `s`.`p` (`id`)");
}

static void actions_and_other_schemas_are_kept(void **state)
{
    (void)state;
    struct foreign_key k;
    assert_true(parse("CONSTRAINT `f` FOREIGN KEY (`a`,`b`) REFERENCES `crm`.`p` (`x`,`y`)"
                      " ON DELETE CASCADE ON UPDATE SET NULL",
                      &k));
    assert_string_equal(k.parent_schema, "crm");
    assert_string_equal(k.columns, "`a`,`b`");
    assert_string_equal(k.actions, "ON DELETE CASCADE ON UPDATE SET NULL");
    assert_written(&k, "FOREIGN KEY (`a`,`b`) REFERENCES `crm`.`p` (`x`,`y`)"
                       " ON DELETE CASCADE ON UPDATE SET NULL");
}

static void difficult_names_are_followed(void **state)
{
    (void)state;
    struct foreign_key k;
    assert_true(parse("CONSTRAINT `FOREIGN KEY (``x``)` FOREIGN KEY (`a)``(`)"
                      " REFERENCES `d``b`.`p )(` (`i,``d`) ON DELETE CASCADE",
                      &k));
    assert_string_equal(k.constraint, "FOREIGN KEY (`x`)");
    assert_string_equal(k.columns, "`a)``(`");
    assert_string_equal(k.parent_schema, "d`b");
    assert_string_equal(k.parent_name, "p )(");
    assert_string_equal(k.parent_columns, "`i,``d`");
    assert_written(&k, "FOREIGN KEY (`a)``(`) REFERENCES `d``b`.`p )(` (`i,``d`) ON DELETE CASCADE");
}

static void other_items_are_no_keys(void **state)
{
    (void)state;
    struct foreign_key k;
    assert_false(parse("KEY `FOREIGN KEY` (`a`)", &k));
    assert_false(parse("CONSTRAINT `c` CHECK (`a` <> 'FOREIGN KEY (`a`) REFERENCES `p` (`id`)')", &k));
}

static void many_keys_fit(void **state)
{
    (void)state;
    struct operation op = {.key_count = 0};
    for (unsigned i = 0; i < 100; i++) {
        const struct foreign_key k = {.role = KEY_LEAVE, .exchange = i};
        assert_int_equal(keys_add(&op, arena, &k)->exchange, i);
    }
    assert_int_equal(op.key_count, 100);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(op.keys[i].exchange, i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_taken_apart_and_put_together),
        cmocka_unit_test(actions_and_other_schemas_are_kept),
        cmocka_unit_test(difficult_names_are_followed),
        cmocka_unit_test(other_items_are_no_keys),
        cmocka_unit_test(many_keys_fit),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
