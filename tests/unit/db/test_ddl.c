#include "support/test.h"

#include "db/ddl.h"

#include <string.h>

/* As MariaDB 10.11 prints it. */
static const char HOSTILE[] =
    "CREATE TABLE `t``(,'\"` (\n"
    "  `id` int(11) NOT NULL AUTO_INCREMENT COMMENT 'AUTO_INCREMENT=7, (not ) `x` \"y\" it''s \\\\ \\n',\n"
    "  `a,(b` varchar(40) NOT NULL DEFAULT 'x, ) '' \" ` \\\\' COMMENT ')) ENGINE=MyISAM, KEY `k` (`a`)',\n"
    "  `e` enum('a,b','c)','it''s','\"','`','back\\\\slash','(') DEFAULT 'c)',\n"
    "  `g` int(11) GENERATED ALWAYS AS (octet_length(concat('),(',`a,(b`,'\"\\'`\\\\'))) VIRTUAL,\n"
    "  `n` int(11) DEFAULT (1 + 2 * 3) COMMENT 'AUTO_INCREMENT',\n"
    "  `pt` point NOT NULL,\n"
    "  `tx` text DEFAULT NULL COMMENT 'DATA DIRECTORY=''/x'' CONSTRAINT FOREIGN KEY REFERENCES `z` (`q`)',\n"
    "  PRIMARY KEY (`id`),\n"
    "  UNIQUE KEY `u``,(` (`a,(b`(10),`e`) COMMENT 'KEY `x` (`y`), )',\n"
    "  KEY `desc` (`n` DESC) USING BTREE,\n"
    "  SPATIAL KEY `sp` (`pt`),\n"
    "  KEY `k2` (`e`) IGNORED,\n"
    "  FULLTEXT KEY `f` (`tx`),\n"
    "  CONSTRAINT `f``k` FOREIGN KEY (`n`) REFERENCES `p``(,` (`id`) ON DELETE SET NULL ON UPDATE CASCADE,\n"
    "  CONSTRAINT `c``h` CHECK (`e` <> 5 and `a,(b` not in ('),(','b\\'`\"'))\n"
    ") ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4 COMMENT='AUTO_INCREMENT=9 ) (  "
    "AUTO_INCREMENT=1 "
    "DATA DIRECTORY=''/d'' \"'";

struct want {
    enum ddl_kind kind;
    const char *name, *first_column;
    bool auto_increment;
};

static const struct want HOSTILE_ITEMS[] = {
    {DDL_COLUMN, "id", NULL, true},   {DDL_COLUMN, "a,(b", NULL, false}, {DDL_COLUMN, "e", NULL, false},
    {DDL_COLUMN, "g", NULL, false},   {DDL_COLUMN, "n", NULL, false},    {DDL_COLUMN, "pt", NULL, false},
    {DDL_COLUMN, "tx", NULL, false},  {DDL_PRIMARY, NULL, "id", false},  {DDL_UNIQUE, "u`,(", "a,(b", false},
    {DDL_KEY, "desc", "n", false},    {DDL_SPATIAL, "sp", "pt", false},  {DDL_KEY, "k2", "e", false},
    {DDL_FULLTEXT, "f", "tx", false}, {DDL_FOREIGN, "f`k", "n", false},  {DDL_OTHER, "c`h", NULL, false},
};
#define HOSTILE_COUNT (sizeof HOSTILE_ITEMS / sizeof HOSTILE_ITEMS[0])

static void assert_text(const char *got, const char *want)
{
    if (!want)
        assert_null(got);
    else if (!got)
        fail_msg("nothing where '%s' was expected", want);
    else
        assert_string_equal(got, want);
}

static struct arena *arena;

static int make_arena(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int free_arena(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct ddl parsed(const char *text)
{
    struct ddl d;
    struct err err;
    assert_ok(ddl_parse(text, arena, &d, &err), &err);
    return d;
}

static void hostile_text_is_taken_apart_at_the_right_places(void **state)
{
    (void)state;
    struct ddl d = parsed(HOSTILE);
    assert_int_equal(d.item_count, HOSTILE_COUNT);
    for (size_t i = 0; i < HOSTILE_COUNT; i++) {
        const struct want *w = &HOSTILE_ITEMS[i];
        assert_int_equal(d.items[i].kind, w->kind);
        assert_text(d.items[i].name, w->name);
        assert_text(d.items[i].first_column, w->first_column);
        assert_int_equal(d.items[i].auto_increment, w->auto_increment);
    }
    assert_string_equal(d.head, "CREATE TABLE `t``(,'\"` (");
    assert_string_equal(d.items[9].text, "KEY `desc` (`n` DESC) USING BTREE");
    assert_true(strncmp(d.tail, ") ENGINE=InnoDB AUTO_INCREMENT=42", 33) == 0);
    assert_text(d.items[13].parent_table, "p`(,");
    assert_null(d.items[13].parent_schema);
}

static void all_items_together_make_the_same_table(void **state)
{
    (void)state;
    struct ddl d = parsed(HOSTILE);
    struct buf out;
    buf_init(&out, 100000);
    ddl_create(&d, "`t``(,'\"`", NULL, &out);
    assert_string_equal(buf_cstr(&out), HOSTILE);
    buf_free(&out);
}

static void items_can_be_left_out(void **state)
{
    (void)state;
    struct ddl d =
        parsed("CREATE TABLE `t` (\n  `a` int(11),\n  KEY `k` (`a`),\n  `b` int(11)\n) ENGINE=InnoDB");
    struct buf out;
    const bool middle[] = {false, true, false}, ends[] = {true, false, true};
    buf_init(&out, 1000);
    ddl_create(&d, "`s`.`t`", middle, &out);
    assert_string_equal(buf_cstr(&out),
                        "CREATE TABLE `s`.`t` (\n  `a` int(11),\n  `b` int(11)\n) ENGINE=InnoDB");
    buf_clear(&out);
    ddl_create(&d, "`s`.`t`", ends, &out);
    assert_string_equal(buf_cstr(&out), "CREATE TABLE `s`.`t` (\n  KEY `k` (`a`)\n) ENGINE=InnoDB");
    buf_free(&out);
}

static void foreign_keys_in_all_their_forms(void **state)
{
    (void)state;
    static const struct {
        const char *item, *name, *column, *schema, *table;
    } forms[] = {
        {"CONSTRAINT `c` FOREIGN KEY (`a`) REFERENCES `p` (`id`)", "c", "a", NULL, "p"},
        {"CONSTRAINT `c` FOREIGN KEY (`a`,`b`) REFERENCES `q`.`p` (`x`,`y`) ON DELETE CASCADE", "c", "a", "q",
         "p"},
        {"FOREIGN KEY (`a`) REFERENCES `p` (`id`)", NULL, "a", NULL, "p"},
        {"FOREIGN KEY `ix` (`a`) REFERENCES `p` (`id`)", NULL, "a", NULL, "p"},
        {"CONSTRAINT `FOREIGN KEY` FOREIGN KEY (`REFERENCES `) REFERENCES `q.``r`.`s``.t` (`id`)",
         "FOREIGN KEY", "REFERENCES ", "q.`r", "s`.t"},
        {"CONSTRAINT `t_ibfk_1` FOREIGN KEY (`a`) REFERENCES `t` (`id`)", "t_ibfk_1", "a", NULL, "t"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char *text =
            arena_printf(arena, "CREATE TABLE `t` (\n  `a` int,\n  %s\n) ENGINE=InnoDB", forms[i].item);
        struct ddl d = parsed(text);
        assert_int_equal(d.item_count, 2);
        const struct ddl_item *item = &d.items[1];
        assert_int_equal(item->kind, DDL_FOREIGN);
        assert_text(item->name, forms[i].name);
        assert_text(item->first_column, forms[i].column);
        assert_text(item->parent_schema, forms[i].schema);
        assert_text(item->parent_table, forms[i].table);
    }
}

static void what_is_no_key_is_left_alone(void **state)
{
    (void)state;
    struct ddl d = parsed("CREATE TABLE `per` (\n"
                          "  `v1` timestamp(6) GENERATED ALWAYS AS ROW START,\n"
                          "  `v2` timestamp(6) GENERATED ALWAYS AS ROW END,\n"
                          "  `j` longtext DEFAULT NULL CHECK (json_valid(`j`)),\n"
                          "  KEY ((lower(`j`))),\n"
                          "  UNIQUE KEY `fx` ((`a` + 1)),\n"
                          "  PERIOD FOR SYSTEM_TIME (`v1`, `v2`),\n"
                          "  CONSTRAINT `FOREIGN KEY` CHECK (`j` <> 'FOREIGN KEY (`a`) REFERENCES `b`')\n"
                          ") ENGINE=InnoDB WITH SYSTEM VERSIONING");
    assert_int_equal(d.item_count, 7);
    assert_int_equal(d.items[3].kind, DDL_KEY);
    assert_null(d.items[3].name);
    assert_null(d.items[3].first_column);
    assert_int_equal(d.items[4].kind, DDL_UNIQUE);
    assert_string_equal(d.items[4].name, "fx");
    assert_null(d.items[4].first_column);
    assert_int_equal(d.items[5].kind, DDL_OTHER);
    assert_int_equal(d.items[6].kind, DDL_OTHER);
    assert_string_equal(d.items[6].name, "FOREIGN KEY");
}

static const char PARTITIONED[] =
    "CREATE TABLE `part` (\n"
    "  `id` int(11) NOT NULL AUTO_INCREMENT,\n"
    "  PRIMARY KEY (`id`)\n"
    ") ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COMMENT='x'\n"
    " PARTITION BY RANGE (`id`)\n"
    "(PARTITION `p0` VALUES LESS THAN (2000) COMMENT = 'a, ( AUTO_INCREMENT=6' ENGINE = InnoDB,\n"
    " PARTITION `p1` VALUES LESS THAN MAXVALUE DATA DIRECTORY = '/d' ENGINE = InnoDB)";

static void partitions_belong_to_the_tail(void **state)
{
    (void)state;
    struct ddl d = parsed(PARTITIONED);
    assert_int_equal(d.item_count, 2);
    assert_non_null(strstr(d.tail, "PARTITION `p1`"));
    assert_true(ddl_tail_has(d.tail, "DATA DIRECTORY"));
}

static void only_the_option_auto_increment_goes(void **state)
{
    (void)state;
    static const char *const texts[] = {HOSTILE, PARTITIONED};
    static const char *const options[] = {" AUTO_INCREMENT=42", " AUTO_INCREMENT=5"};
    for (size_t i = 0; i < 2; i++) {
        struct buf out, want;
        buf_init(&out, 100000);
        buf_init(&want, 100000);
        const char *at = strstr(texts[i], options[i]);
        buf_putn(&want, texts[i], (size_t)(at - texts[i]));
        buf_put(&want, at + strlen(options[i]));
        ddl_without_auto_increment(texts[i], &out);
        assert_string_equal(buf_cstr(&out), buf_cstr(&want));
        struct buf again;
        buf_init(&again, 100000);
        ddl_without_auto_increment(buf_cstr(&out), &again);
        assert_string_equal(buf_cstr(&again), buf_cstr(&want));
        buf_free(&again);
        buf_free(&out);
        buf_free(&want);
    }
}

static void the_largest_auto_increment_goes_whole(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1000);
    ddl_without_auto_increment("CREATE TABLE `t` (\n  `a` int\n) AUTO_INCREMENT=18446744073709551615", &out);
    assert_string_equal(buf_cstr(&out), "CREATE TABLE `t` (\n  `a` int\n)");
    buf_free(&out);
}

static void words_are_not_found_in_quotes(void **state)
{
    (void)state;
    struct ddl d = parsed(HOSTILE);
    assert_false(ddl_tail_has(d.tail, "DATA DIRECTORY"));
    assert_false(ddl_tail_has(d.items[6].text, "DATA DIRECTORY"));
    assert_true(ddl_tail_has(") ENGINE=InnoDB DATA DIRECTORY='/tmp/'", "DATA DIRECTORY"));
    assert_true(ddl_tail_has(") ENGINE=MyISAM index directory='/tmp/'", "INDEX DIRECTORY"));
    assert_true(ddl_tail_has("`id` int(11) DEFAULT nextval(`h`.`sq`)", "nextval("));
    assert_false(ddl_tail_has("`c` varchar(50) DEFAULT 'nextval(x)'", "nextval("));
    assert_false(ddl_tail_has("`nextval(` int(11)", "nextval("));
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "CREATE",
        "CREATE TABLE `t`",
        "CREATE TABLE `t` (",
        "CREATE TABLE `t` (`a` int",
        "CREATE TABLE `t` (`a` int DEFAULT ')'",
        "CREATE TABLE `t (`a` int)",
        "CREATE DATABASE `d`",
        "DROP TABLE `t` (`a`)",
        "CREATE TABLE `t` (`a` int COMMENT 'open)",
        "CREATE TABLE `t` (`a` int, FOREIGN KEY (`a`))",
        "CREATE TABLE `t` (`a` int, FOREIGN KEY (`a`) REFERENCES p (`id`))",
        "CREATE TABLE `t` (`a` int, FOREIGN KEY (`a`) REFERENCES `q`.p (`id`))",
    };
    struct ddl d;
    struct err err;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_err(ddl_parse(texts[i], arena, &d, &err), ERR_DB, &err);
}

/* Whatever is cut off, nothing is read behind the end: the sanitizers watch. */
static void every_prefix_is_survived(void **state)
{
    (void)state;
    size_t bytes = strlen(HOSTILE);
    struct err err;
    for (size_t n = 0; n < bytes; n++) {
        char *text = malloc(n + 1); /* a block of its own */
        memcpy(text, HOSTILE, n);
        text[n] = '\0';
        struct arena *own = arena_new();
        struct ddl d;
        struct buf out;
        buf_init(&out, 100000);
        if (ddl_parse(text, own, &d, &err) == ERR_OK)
            assert_int_equal(d.item_count, HOSTILE_COUNT);
        ddl_without_auto_increment(text, &out);
        assert_true(out.len <= n);
        buf_free(&out);
        arena_free(own);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_text_is_taken_apart_at_the_right_places),
        cmocka_unit_test(all_items_together_make_the_same_table),
        cmocka_unit_test(items_can_be_left_out),
        cmocka_unit_test(foreign_keys_in_all_their_forms),
        cmocka_unit_test(what_is_no_key_is_left_alone),
        cmocka_unit_test(partitions_belong_to_the_tail),
        cmocka_unit_test(only_the_option_auto_increment_goes),
        cmocka_unit_test(the_largest_auto_increment_goes_whole),
        cmocka_unit_test(words_are_not_found_in_quotes),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(every_prefix_is_survived),
    };
    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
