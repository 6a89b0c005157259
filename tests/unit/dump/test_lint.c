/* Whether definers exist needs a server: tests/e2e/test_objects.py. */
#include "support/test.h"

#include "dump/lint.h"

#include <string.h>

static struct manifest *m;

/* The warnings as "object: text" lines. */
static const char *warnings(void)
{
    const char *all = "";
    for (unsigned i = 0; i < m->warning_count; i++)
        all = arena_printf(m->arena, "%s%s: %s\n", all, m->warnings[i].object, m->warnings[i].text);
    return all;
}

static int begin(void **state)
{
    (void)state;
    m = manifest_new();
    m->started_ms = INT64_C(1700000000000); /* 2023-11-14 */
    m->server.sql_mode = "STRICT_TRANS_TABLES,NO_AUTO_CREATE_USER";
    return 0;
}

static int end(void **state)
{
    (void)state;
    manifest_free(m);
    return 0;
}

static void lint_table(struct manifest_table *t, const char *ddl)
{
    t->schema = "s";
    t->name = "t";
    t->engine = t->engine ? t->engine : "InnoDB";
    m->tables = t;
    m->table_count = 1;
    m->warning_count = 0;
    lint_catalogue(&(struct lint_input){.manifest = m, .ddl = &ddl});
}

static void lint_object(struct manifest_object *o, const char *definition)
{
    o->schema = "s";
    o->name = "o";
    m->objects = o;
    m->object_count = 1;
    m->warning_count = 0;
    lint_catalogue(&(struct lint_input){.manifest = m, .definitions = &definition});
}

#define KEY "  PRIMARY KEY (`id`)\n"

static void an_ordinary_table_is_not_warned_of(void **state)
{
    (void)state;
    static const struct manifest_column columns[] = {{.name = "id", .type = "int(11)"},
                                                     {.name = "f", .type = "float"}};
    struct manifest_table t = {.columns = columns, .column_count = 2, .auto_increment = 1900000000};
    lint_table(&t, "CREATE TABLE `t` (\n"
                   "  `id` int(11) NOT NULL AUTO_INCREMENT COMMENT 'now() rand()',\n"
                   "  `f` float DEFAULT NULL,\n"
                   "  `g` int(11) GENERATED ALWAYS AS (`id` + `f`) STORED,\n"
                   "  `d` date DEFAULT '2000-00-00' COLLATE utf8mb4_general_ci,\n" KEY
                   ") ENGINE=InnoDB COLLATE=utf8mb4_unicode_ci");
    assert_string_equal(warnings(), "");
}

static void engines_that_keep_no_rows_are_told(void **state)
{
    (void)state;
    struct manifest_table t = {.engine = "MEMORY"};
    lint_table(&t, "CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n" KEY ") ENGINE=MEMORY");
    assert_string_equal(
        warnings(), "s.t: engine MEMORY: its rows are gone whenever the server stops, and with them what a "
                    "restore brought\n");
    t.engine = "FEDERATED";
    lint_table(&t, "CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n" KEY ") ENGINE=FEDERATED");
    assert_string_equal(
        warnings(),
        "s.t: engine FEDERATED: its rows are kept by another table or server: a restore refuses it, and "
        "restore.sh writes into that one\n");
    t.engine = "InnoDB";
    lint_table(&t,
               "CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n" KEY ") ENGINE=InnoDB DATA DIRECTORY='/x'");
    assert_string_equal(
        warnings(),
        "s.t: kept in a DATA DIRECTORY or INDEX DIRECTORY, which moving a table between databases "
        "loses: a restore refuses it\n");
}

static void keys_are_looked_at(void **state)
{
    (void)state;
    static const struct manifest_column columns[] = {{.name = "f`x", .type = "float"},
                                                     {.name = "d", .type = "double unsigned"}};
    struct manifest_table t = {.columns = columns, .column_count = 2};
    lint_table(
        &t,
        "CREATE TABLE `t` (\n  `f``x` float NOT NULL,\n  `d` double unsigned NOT NULL,\n  KEY `d` (`d`)\n)");
    assert_string_equal(
        warnings(), "s.t: has no unique key: one connection reads it, and rows that are equal cannot be told "
                    "apart\n");
    lint_table(&t, "CREATE TABLE `t` (\n  `f``x` float NOT NULL,\n  `d` double unsigned NOT NULL,\n  PRIMARY "
                   "KEY (`f``x`),\n"
                   "  UNIQUE KEY `f` (`d`)\n)");
    assert_string_equal(
        warnings(),
        "s.t.f`x: FLOAT in a unique key: no decimal literal finds a value again that is none in binary\n"
        "s.t.d: DOUBLE in a unique key: no decimal literal finds a value again that is none in binary\n");
}

static void counters_near_their_end_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        uint64_t next;
        const char *most; /* NULL: not near */
    } cases[] = {{"tinyint(4)", 114, NULL},
                 {"tinyint(4)", 116, "127"},
                 {"tinyint(3) unsigned", 200, NULL},
                 {"smallint(6)", 32767, "32767"},
                 {"mediumint(8) unsigned", 16000000, "16777215"},
                 {"int(11)", 2000000000, "2147483647"},
                 {"int(10) unsigned", 2000000000, NULL},
                 {"bigint(20)", 9000000000000000000u, "9223372036854775807"},
                 {"bigint(20) unsigned", 9000000000000000000u, NULL},
                 {"bigint(20) unsigned", UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct manifest_column column = {.name = "id", .type = cases[i].type};
        struct manifest_table t = {.columns = &column, .column_count = 1, .auto_increment = cases[i].next};
        lint_table(&t, "CREATE TABLE `t` (\n  `id` x NOT NULL AUTO_INCREMENT,\n" KEY ")");
        const char *want = cases[i].most
                               ? arena_printf(m->arena,
                                              "s.t.id: AUTO_INCREMENT is at %llu of at most %s: soon no row "
                                              "can be added\n",
                                              (unsigned long long)cases[i].next, cases[i].most)
                               : "";
        assert_string_equal(warnings(), want);
    }
}

static void columns_are_looked_at(void **state)
{
    (void)state;
    struct manifest_table t = {0};
    m->server.sql_mode = "STRICT_TRANS_TABLES,NO_ZERO_DATE";
    lint_table(&t, "CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n"
                   "  `a` varchar(20) GENERATED ALWAYS AS (date_format(`d`,'%M')) STORED,\n"
                   "  `b` varchar(20) GENERATED ALWAYS AS (concat(user(),`my_now(`)) VIRTUAL,\n"
                   "  `c` int(11) GENERATED ALWAYS AS (my_rand(1)) VIRTUAL,\n"
                   "  `d` date NOT NULL DEFAULT '0000-00-00',\n"
                   "  `e` varchar(20) COLLATE utf8mb4_uca1400_ai_ci DEFAULT NULL,\n" KEY ") ENGINE=InnoDB");
    assert_string_equal(
        warnings(),
        "s.t.a: generated by date_format(): what it comes to depends on when and by whom it is read or "
        "restored\n"
        "s.t.b: generated by user(): what it comes to depends on when and by whom it is read or restored\n"
        "s.t.d: its default is a date that this server refuses by now (NO_ZERO_DATE): it comes back, but the "
        "table cannot be altered\n"
        "s.t.e: collation utf8mb4_uca1400_ai_ci exists on MariaDB 10.10 and later only\n");
    lint_table(&t,
               "CREATE TABLE `t` (\n  `id` int NOT NULL,\n" KEY ") ENGINE=InnoDB COLLATE=utf8mb4_0900_ai_ci");
    assert_string_equal(warnings(), "s.t: collation utf8mb4_0900_ai_ci exists on MySQL 8 and later only\n");
}

static void servers_that_take_any_day_are_told(void **state)
{
    (void)state;
    static const struct manifest_column columns[] = {{.name = "d", .type = "date"},
                                                     {.name = "t", .type = "time"}};
    struct manifest_table t = {.columns = columns, .column_count = 2};
    m->server.sql_mode = "ALLOW_INVALID_DATES";
    lint_table(&t, "CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n" KEY ")");
    assert_string_equal(
        warnings(),
        "s.t.d: dates: this server takes days that are none (ALLOW_INVALID_DATES); such rows come "
        "back as they are, and other servers may refuse to alter the table\n");
}

static void relations_that_leave_the_archive_are_told(void **state)
{
    (void)state;
    static const struct manifest_foreign_key keys[] = {{"own", "s", "t"}, {"far", "other", "p"}};
    static const struct manifest_name uses[] = {{"s", "t"}, {"s", "gone"}};
    struct manifest_table t = {.foreign_keys = keys, .foreign_key_count = 2};
    struct manifest_object view = {.kind = OBJECT_VIEW, .uses = uses, .use_count = 2};
    lint_table(&t, "CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n" KEY ")");
    assert_string_equal(warnings(), "s.t: foreign key far refers to other.p, which is not in this archive\n");
    t.foreign_key_count = 0;
    static const char *const ddl[] = {"CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n" KEY ")"},
                             *const definitions[] = {""};
    view.schema = "s";
    view.name = "v";
    m->objects = &view;
    m->object_count = 1;
    m->warning_count = 0;
    lint_catalogue(&(struct lint_input){.manifest = m, .ddl = ddl, .definitions = definitions});
    assert_string_equal(warnings(), "s.v: uses s.gone, which is not in this archive\n");
    view.broken = true; /* that is told already */
    m->warning_count = 0;
    lint_catalogue(&(struct lint_input){.manifest = m, .ddl = ddl, .definitions = definitions});
    assert_string_equal(warnings(), "");
}

static void sequences_near_their_end_are_told(void **state)
{
    (void)state;
    static const struct {
        struct manifest_sequence s;
        const char *want;
    } cases[] = {
        {{"1", "1", "9223372036854775806", "1", "1", "1000", false, "0"}, ""},
        {{"4", "1", "3", "1", "1", "0", false, "0"},
         "s.o: it stands at 4 of at most 3: soon it gives no number\n"},
        {{"4", "1", "3", "1", "1", "0", true, "0"}, ""},
        {{"-95", "-100", "50", "50", "-3", "0", false, "0"},
         "s.o: it stands at -95 of at most -100: soon it gives no number\n"},
        {{"40", "-100", "50", "50", "-3", "0", false, "0"}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct manifest_object o = {.kind = OBJECT_SEQUENCE, .sequence = cases[i].s};
        lint_object(&o, "CREATE SEQUENCE `o`");
        assert_string_equal(warnings(), cases[i].want);
    }
}

static void programs_are_looked_at(void **state)
{
    (void)state;
    struct manifest_object o = {.kind = OBJECT_TRIGGER, .sql_mode = "STRICT_TRANS_TABLES"};
    lint_object(&o, "");
    assert_string_equal(warnings(), "");
    o.sql_mode = "PIPES_AS_CONCAT,ANSI_QUOTES";
    lint_object(&o, "");
    assert_string_equal(
        warnings(), "s.o: was made with another sql_mode than the server's (+PIPES_AS_CONCAT +ANSI_QUOTES "
                    "-STRICT_TRANS_TABLES): that is kept, and whoever makes it anew by hand gets another "
                    "trigger\n");
    o.kind = OBJECT_FUNCTION;
    lint_object(&o, "CREATE FUNCTION `o`() RETURNS int(11)\n    DETERMINISTIC\nRETURN 1");
    assert_string_equal(warnings(), "");
    lint_object(&o, "CREATE FUNCTION `o`() RETURNS int(11)\n    READS SQL DATA\nRETURN 1");
    assert_string_equal(warnings(), "");
    lint_object(&o, "CREATE FUNCTION `o`() RETURNS int(11)\nRETURN ' DETERMINISTIC '");
    assert_string_equal(
        warnings(),
        "s.o: neither DETERMINISTIC nor NO SQL nor READS SQL DATA: a server with a binlog takes it "
        "only with log_bin_trust_function_creators=1\n");
    o.kind = OBJECT_EVENT;
    lint_object(
        &o,
        "CREATE EVENT `o` ON SCHEDULE AT '2023-11-12 00:00:00' ON COMPLETION NOT PRESERVE ENABLE DO DO 1");
    assert_string_equal(
        warnings(), "s.o: a single time that is over, ON COMPLETION NOT PRESERVE: no server makes such an "
                    "event\n");
    lint_object(
        &o,
        "CREATE EVENT `o` ON SCHEDULE AT '2023-11-15 00:00:00' ON COMPLETION NOT PRESERVE ENABLE DO DO 1");
    assert_string_equal(warnings(), "");
    lint_object(
        &o, "CREATE EVENT `o` ON SCHEDULE AT '2001-11-12 00:00:00' ON COMPLETION PRESERVE DISABLE DO DO 1");
    assert_string_equal(warnings(), "");
    lint_object(&o, "CREATE EVENT `o` ON SCHEDULE EVERY 1 DAY STARTS '2001-11-12 00:00:00' ON COMPLETION NOT "
                    "PRESERVE ENABLE DO 1");
    assert_string_equal(warnings(), "");
}

static void what_the_account_cannot_see_is_told(void **state)
{
    (void)state;
    static const char *const whole[] = {"a`b"};
    const struct lint_input in = {.manifest = m, .whole = whole, .whole_count = 1};
    struct grants *g = grants_new();
    grants_add(g, "GRANT SELECT, TRIGGER ON `a``b`.* TO `x`@`y`");
    lint_unseen(&in, g, flavour_of("10.11.6-MariaDB"));
    assert_string_equal(
        warnings(), "a`b: this account may not see events: if there are any, they are not in this archive "
                    "(GRANT EVENT ON `a``b`.* shows them)\n"
                    "a`b: this account may not see all routines: if there are any, they are not in this "
                    "archive (GRANT SELECT ON mysql.proc shows them)\n");
    m->warning_count = 0;
    grants_add(g, "GRANT EVENT, EXECUTE ON `a``b`.* TO `x`@`y`");
    lint_unseen(&in, g, flavour_of("10.11.6-MariaDB"));
    assert_string_equal(warnings(), "");
    grants_free(g);
    g = grants_new();
    grants_add(g, "GRANT ALL PRIVILEGES ON *.* TO `x`@`y`");
    lint_unseen(&in, g, flavour_of("10.11.6-MariaDB"));
    assert_string_equal(warnings(), "");
    grants_free(g);
}

static void many_of_a_kind_are_counted(void **state)
{
    (void)state;
    enum { TABLES = 40 };
    static struct manifest_table tables[TABLES];
    static const char *ddl[TABLES];
    for (unsigned i = 0; i < TABLES; i++) {
        tables[i] = (struct manifest_table){.schema = "s", .name = "t", .engine = "InnoDB"};
        ddl[i] = "CREATE TABLE `t` (\n  `a` int(11) DEFAULT NULL\n)";
    }
    m->tables = tables;
    m->table_count = TABLES;
    lint_catalogue(&(struct lint_input){.manifest = m, .ddl = ddl});
    assert_int_equal(m->warning_count, 26);
    assert_string_equal(m->warnings[25].object, "and others");
    assert_memory_equal(m->warnings[25].text, "15 more warnings like: has no unique key", 40);
}

/* Runs in the folder that holds docs/. */
static void each_is_explained(void **state)
{
    (void)state;
    static const char *const told[] = {
        "engine MEMORY",
        "its rows are kept by another table or server",
        "has no transactions",
        "kept in a DATA DIRECTORY or INDEX DIRECTORY",
        "has no unique key",
        "in a unique key",
        "its default is a date that this server refuses by now",
        "generated by ",
        "dates: this server takes days that are none",
        "collation ... exists on ... only",
        "AUTO_INCREMENT is at ",
        "it stands at ",
        "which is not in this archive",
        "was made with another sql_mode than the server's",
        "neither DETERMINISTIC nor NO SQL nor READS SQL DATA",
        "a single time that is over",
        "its definer ... does not exist",
        "a broken view, kept as it is",
        "refers to itself through other views",
        "cannot be written in its character set",
        "this account may not see ",
        "holds nothing that this account can see",
        "--exclude leaves out all that it holds",
    };
    char *page = calloc(1, 100000);
    FILE *f = fopen("docs/warnings.md", "re");
    assert_non_null(f);
    assert_true(fread(page, 1, 99999, f) > 1000);
    fclose(f);
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        if (!strstr(page, told[i]))
            fail_msg("docs/warnings.md does not have '%s'", told[i]);
    free(page);
}

#define LINT(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINT(an_ordinary_table_is_not_warned_of),
        LINT(engines_that_keep_no_rows_are_told),
        LINT(keys_are_looked_at),
        LINT(counters_near_their_end_are_told),
        LINT(columns_are_looked_at),
        LINT(servers_that_take_any_day_are_told),
        LINT(relations_that_leave_the_archive_are_told),
        LINT(sequences_near_their_end_are_told),
        LINT(programs_are_looked_at),
        LINT(what_the_account_cannot_see_is_told),
        LINT(many_of_a_kind_are_counted),
        cmocka_unit_test(each_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
