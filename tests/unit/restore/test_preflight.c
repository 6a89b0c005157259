/* What a restore finds out before it begins, on servers that are not here; tests/e2e/test_preflight.py tries
 * it for real. */
#include "support/fake_db.h"

#include "restore/preflight.h"

#define TABLES_MAX 4

static struct {
    struct arena *arena;
    struct manifest manifest;
    struct manifest_table tables[TABLES_MAX];
    struct manifest_schema schemas[2];
    struct manifest_object objects[2];
    struct manifest_member members[2];
    struct target items[TABLES_MAX];
    const char *names[2], *originals[2];
    bool exists[2];
    struct targets targets;
    struct restore_options options;
    struct collation_map map;
    struct findings found;
} t;

static void begin(const char *recording, const char *flavour, const char *version)
{
    memset(&t, 0, sizeof t);
    fake_db_play(recording);
    t.arena = arena_new();
    t.manifest = (struct manifest){
        .tables = t.tables, .schemas = t.schemas, .objects = t.objects, .members = t.members};
    t.manifest.server =
        (struct manifest_server){.version = version, .flavour = flavour, .sql_mode = "STRICT_TRANS_TABLES"};
    t.schemas[0] = (struct manifest_schema){"shop", "utf8mb4", "utf8mb4_unicode_ci", ""};
    t.manifest.schema_count = 1;
    t.names[0] = t.originals[0] = "shop";
    t.exists[0] = true;
    t.targets = (struct targets){.arena = t.arena,
                                 .items = t.items,
                                 .schema_count = 1,
                                 .schemas = t.names,
                                 .originals = t.originals,
                                 .schema_exists = t.exists};
    t.options.verify = true;
}

static void end(void)
{
    findings_free(&t.found);
    arena_free(t.arena);
    fake_db_end();
}

static struct manifest_table *add_table(const char *name, const char *engine, const char *ddl)
{
    unsigned i = t.manifest.table_count++;
    struct err err;
    t.tables[i] = (struct manifest_table){.number = i + 1,
                                          .schema = "shop",
                                          .name = name,
                                          .engine = engine,
                                          .transactional = strcmp(engine, "InnoDB") == 0,
                                          .rows = 1000,
                                          .plain_bytes = 50000000};
    struct target *item = &t.items[t.targets.count++];
    *item = (struct target){.table = &t.tables[i], .schema = t.names[0], .name = name, .ddl_text = ddl};
    assert_ok(ddl_parse(ddl, t.arena, &item->ddl, &err), &err);
    return &t.tables[i];
}

static const char PLAIN[] = "CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n  PRIMARY KEY (`id`)\n) "
                            "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
                            " COLLATE=utf8mb4_unicode_ci";

static void look(void)
{
    struct err err;
    struct db_conn *c;
    findings_free(&t.found);
    assert_int_equal(db_connect(NULL, NULL, &c, &err), ERR_OK);
    struct preflight p = {.conn = c,
                          .arena = t.arena,
                          .options = &t.options,
                          .manifest = &t.manifest,
                          .targets = &t.targets,
                          .mapped = &t.map,
                          .out = &t.found};
    assert_ok(preflight_restore(&p, &err), &err);
    db_close(c);
}

/* How it was found, or "" for what was not. */
static const char *level_of(const char *text)
{
    for (unsigned i = 0; i < t.found.count; i++)
        if (strstr(t.found.items[i].text, text) ||
            (t.found.items[i].remedy && strstr(t.found.items[i].remedy, text)))
            return finding_level_name(t.found.items[i].level);
    return "";
}

static void assert_found(const char *level, const char *text)
{
    if (strcmp(level_of(text), level) == 0)
        return;
    for (unsigned i = 0; i < t.found.count; i++)
        print_message("%s: %s\n", finding_level_name(t.found.items[i].level), t.found.items[i].text);
    fail_msg("'%s' is not found as %s", text, level);
}

static void assert_fine(void)
{
    struct err err;
    assert_ok(findings_check(&t.found, "restore", &err), &err);
}

static void nothing_in_the_way(void **state)
{
    (void)state;
    begin("mariadb-10.11-facts", "MariaDB", "10.11.6-MariaDB-log");
    add_table("t", "InnoDB", PLAIN)->name = "t";
    t.items[0].exists = true;
    look();
    assert_fine();
    assert_int_equal(findings_count(&t.found, FINDING_WARNING), 0);
    assert_found("ok", "collations, character sets, engines and plugins");
    assert_found("ok", "LOAD DATA LOCAL");
    assert_found("ok", "the account may do all that is needed in shop");
    assert_found("note", "is not visible from here");
    assert_found("ok", "MiB of rows in 1 tables");
    end();
}

static void what_the_server_lacks(void **state)
{
    (void)state;
    begin("mariadb-10.11-facts", "MariaDB", "11.4.2-MariaDB");
    add_table(
        "t", "InnoDB",
        "CREATE TABLE `t` (\n  `a` varchar(9) COLLATE utf8mb4_klingon_ci,\n  `b` text CHARACTER SET cp37,\n"
        "  FULLTEXT KEY `f` (`b`) WITH PARSER `ngram`\n) ENGINE=InnoDB COLLATE=utf8mb4_uca1400_ai_ci");
    add_table("c", "ColumnStore", "CREATE TABLE `c` (\n  `a` int\n) ENGINE=ColumnStore");
    t.schemas[0].collation = "utf8mb4_elvish_ci";
    t.exists[0] = false;
    static const struct manifest_column columns[] = {{.name = "v", .type = "uuid"},
                                                     {.name = "w", .type = "inet6"}};
    t.tables[0].columns = columns;
    t.tables[0].column_count = 2;
    fake_db_answer("SELECT PLUGIN_NAME...", "inet6\n");
    look();
    assert_found("refusal", "collation utf8mb4_klingon_ci (of shop.t) does not exist");
    assert_found("refusal", "--map-collation utf8mb4_klingon_ci=NEW");
    assert_found("refusal", "character set cp37 (of shop.t)");
    assert_found("refusal", "parser ngram");
    assert_found("refusal", "engine ColumnStore (of shop.c)");
    assert_found("refusal", "collation utf8mb4_elvish_ci (of shop)");
    assert_found("refusal", "type uuid (of shop.t.v)");
    assert_found("", "inet6");
    assert_found("", "uca1400");
    assert_found("warning", "this server is the older");
    end();
}

static void keys_of_encrypted_tables(void **state)
{
    (void)state;
    static const struct {
        const char *tail;
        bool encrypted;
    } known[] = {{"ENGINE=InnoDB `ENCRYPTED`=YES", true},
                 {"ENGINE=InnoDB `encrypted`='yes'", true},
                 {"ENGINE=InnoDB `ENCRYPTED`=NO", false},
                 {"ENGINE=InnoDB COMMENT='encrypted=yes'", false}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        begin("mariadb-10.11-facts", "MariaDB", "10.11.6-MariaDB");
        add_table("t", "InnoDB", PLAIN);
        t.items[0].ddl.tail = known[i].tail;
        look();
        assert_found(known[i].encrypted ? "refusal" : "", "shop.t is encrypted");
        findings_free(&t.found);
        fake_db_answer("SELECT DISTINCT PLUGIN_TYPE...", "ENCRYPTION\n");
        look();
        assert_found("", "shop.t is encrypted");
        end();
    }
}

/* With --tables a trigger of one of them comes along. */
static void collations_of_objects(void **state)
{
    (void)state;
    begin("mariadb-10.11-facts", "MariaDB", "10.11.6-MariaDB");
    add_table("t", "InnoDB", PLAIN);
    t.objects[0] = (struct manifest_object){.kind = OBJECT_TRIGGER,
                                            .schema = "shop",
                                            .name = "tr",
                                            .table = "t",
                                            .collation = "utf8mb4_klingon_ci"};
    t.objects[1] = (struct manifest_object){
        .kind = OBJECT_VIEW, .schema = "shop", .name = "v", .collation = "utf8mb4_elvish_ci"};
    t.manifest.object_count = 2;
    look();
    assert_found("refusal", "collation utf8mb4_klingon_ci (of trigger shop.tr)");
    assert_found("refusal", "collation utf8mb4_elvish_ci (of view shop.v)");
    t.options.table_count = 1;
    look();
    assert_found("refusal", "collation utf8mb4_klingon_ci (of trigger shop.tr)");
    assert_found("", "elvish");
    t.objects[0].table = "other";
    look();
    assert_fine();
    end();
}

static void collations_can_be_mapped(void **state)
{
    (void)state;
    const char *const items[] = {"utf8mb4_0900_ai_ci=utf8mb4_unicode_ci"};
    struct err err;
    begin("mariadb-10.11-facts", "MySQL", "8.0.36");
    t.schemas[0].collation = "utf8mb4_0900_ai_ci";
    t.exists[0] = false;
    add_table("t", "InnoDB",
              "CREATE TABLE `t` (\n  `a` varchar(9)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 "
              "COLLATE=utf8mb4_0900_ai_ci");
    look();
    assert_found("refusal", "utf8mb4_0900_ai_ci");
    assert_ok(collation_map_parse(items, 1, t.arena, &t.map, &err), &err);
    fake_db_answer("SHOW GRANTS", "GRANT ALL PRIVILEGES ON *.* TO `r`@`%`\n");
    look();
    assert_fine();
    assert_found("warning", "definitions are taken in its words, and every row is compared");
    end();
}

static void mysql_into_mariadb(void **state)
{
    (void)state;
    static const struct manifest_column columns[] = {{.name = "j", .type = "json"}};
    begin("mariadb-10.11-facts", "MySQL on RDS", "8.0.36");
    add_table("docs", "InnoDB", "CREATE TABLE `docs` (\n  `j` json\n) ENGINE=InnoDB")->columns = columns;
    t.tables[0].column_count = 1;
    add_table("func", "InnoDB",
              "CREATE TABLE `func` (\n  `a` varchar(9),\n  KEY `k` ((lower(`a`)))\n) ENGINE=InnoDB");
    add_table("hid", "InnoDB", "CREATE TABLE `hid` (\n  `a` int /*!80023 INVISIBLE */\n) ENGINE=InnoDB");
    add_table("part", "InnoDB",
              "CREATE TABLE `part` (\n  `a` int\n) ENGINE=InnoDB\n/*!50100 PARTITION BY HASH (`a`) */");
    t.objects[0] =
        (struct manifest_object){.number = 1, .kind = OBJECT_PROCEDURE, .schema = "shop", .name = "p"};
    t.manifest.object_count = 1;
    look();
    assert_found("refusal", "shop.docs.j uses a type JSON of its own");
    assert_found("refusal", "shop.func uses an index over an expression");
    assert_found("refusal", "shop.hid would lose \"INVISIBLE\"");
    assert_found("refusal", "procedure shop.p was written for MySQL");
    assert_found("", "shop.part");
    end();
}

static void mariadb_into_mysql(void **state)
{
    (void)state;
    static const struct manifest_column columns[] = {{.name = "u", .type = "uuid"}};
    begin("mysql-8.0-facts", "MariaDB", "10.11.6-MariaDB");
    add_table("v", "InnoDB", "CREATE TABLE `v` (\n  `a` int\n) ENGINE=InnoDB WITH SYSTEM VERSIONING");
    add_table("d", "InnoDB",
              "CREATE TABLE `d` (\n  `u` char(36) DEFAULT uuid(),\n  `c` timestamp DEFAULT "
              "current_timestamp()\n) ENGINE=InnoDB");
    add_table("ok", "InnoDB",
              "CREATE TABLE `ok` (\n  `a` int DEFAULT (1 + 2),\n  `c` timestamp NOT NULL DEFAULT "
              "current_timestamp()\n) ENGINE=InnoDB");
    add_table("z", "Aria",
              "CREATE TABLE `z` (\n  `b` blob /*M!100301 COMPRESSED*/\n) ENGINE=Aria PAGE_CHECKSUM=1")
        ->columns = columns;
    t.tables[3].column_count = 1;
    t.items[0].ddl.tail = ") ENGINE=InnoDB `ENCRYPTED`=YES";
    look();
    assert_found("refusal", "shop.v uses encryption by MariaDB's option");
    assert_found("refusal", "shop.v uses system versioning");
    assert_found("refusal", "shop.d uses a function as default");
    assert_found("refusal", "shop.z would lose \"COMPRESSED\"");
    assert_found("refusal", "shop.z.u uses the type UUID");
    assert_found("refusal", "engine Aria (of shop.z)");
    assert_found("", "shop.ok");
    assert_found("note", "local_infile is OFF");
    end();
}

static void older_servers(void **state)
{
    (void)state;
    begin("mariadb-10.11-facts", "MariaDB", "10.11.6-MariaDB-log");
    add_table("v", "InnoDB", "CREATE TABLE `v` (\n  `a` int\n) ENGINE=InnoDB WITH SYSTEM VERSIONING")
        ->system_versioned = true;
    add_table("t", "InnoDB", PLAIN);
    look();
    assert_found("", "shop.v is system-versioned");
    assert_found("", "crashes while the tables are exchanged");
    fake_db.version = "10.5.23-MariaDB";
    fake_db_answer("SELECT COLLATION_NAME...", "utf8mb4_unicode_ci\n");
    look();
    assert_found("refusal", "shop.v is system-versioned: its history can be loaded since MariaDB 10.11, and "
                            "this server is 10.5.23-MariaDB");
    assert_found("", "shop.t is system-versioned");
    assert_found("warning", "if this server (10.5.23-MariaDB) crashes while the tables are exchanged");
    end();
}

static void rights_and_their_grants(void **state)
{
    (void)state;
    begin("mariadb-10.11-facts", "MariaDB", "10.11.6-MariaDB-log");
    add_table("t", "InnoDB", PLAIN);
    t.items[0].exists = true;
    fake_db_answer("SHOW GRANTS", "GRANT SELECT, INSERT ON `shop`.* TO `r`@`10.%`\n");
    t.options.kill_blockers = true;
    t.options.staging_schema = "my_staging";
    look();
    assert_found("refusal", "GRANT ALL ON `dbsafe\\_%`.* TO `r`@`10.%`");
    assert_found("refusal", "GRANT CREATE, DROP, ALTER, TRIGGER ON `shop`.* TO `r`@`10.%`");
    assert_found(
        "refusal",
        "GRANT SELECT, INSERT, CREATE, DROP, ALTER, INDEX, REFERENCES ON `my\\_staging`.* TO `r`@`10.%`");
    assert_found("note", "GRANT PROCESS ON *.* TO `r`@`10.%`");
    assert_found("warning", "--kill-blockers");
    assert_found("", "SET DEFAULT ROLE");
    fake_db_answer("SHOW GRANTS", "GRANT `restorer` TO `r`@`%`\nGRANT USAGE ON *.* TO `r`@`%`\n");
    look();
    assert_found("note", "SET DEFAULT ROLE");
    end();
}

/* Today's failure after hours of loading: the database cannot be made. */
static void a_database_that_cannot_be_made(void **state)
{
    (void)state;
    begin("mariadb-10.11-facts", "MariaDB", "10.11.6-MariaDB-log");
    add_table("t", "InnoDB", PLAIN);
    t.names[0] = "shop_2";
    t.items[0].schema = "shop_2";
    t.exists[0] = false;
    look();
    assert_found("refusal", "database shop_2 does not exist, and the account lacks INSERT, CREATE");
    assert_found("refusal", "GRANT INSERT, CREATE ON `shop\\_2`.* TO `r`@`%`");
    end();
}

/* Sequences move as tables do; what else is created is a matter of the swap's plan. */
static void sequences_need_rights_too(void **state)
{
    (void)state;
    struct target_sequence sequence = {.schema = "other", .name = "s"};
    begin("mariadb-10.11-facts", "MariaDB", "10.11.6-MariaDB-log");
    t.names[1] = t.originals[1] = "other";
    t.exists[1] = true;
    t.targets.schema_count = 2;
    t.targets.sequences = &sequence;
    t.targets.sequence_count = 1;
    look();
    assert_found("refusal", "GRANT INSERT, CREATE ON `other`.* TO `r`@`%`");
    sequence.exists = true;
    look();
    assert_found("refusal", "GRANT SELECT, INSERT, CREATE, DROP, ALTER ON `other`.* TO `r`@`%`");
    end();
}

static void rows_and_packets(void **state)
{
    (void)state;
    begin("mysql-8.0-facts", "MySQL", "8.0.36");
    add_table("t", "InnoDB", PLAIN);
    t.members[0] =
        (struct manifest_member){.kind = MEMBER_DATA, .table = 1, .rows = 1, .plain_length = 70000000};
    t.members[1] =
        (struct manifest_member){.kind = MEMBER_DATA, .table = 1, .rows = 1000, .plain_length = 90000000};
    t.manifest.member_count = 2;
    look();
    assert_found("refusal", "a row of shop.t has 70000000 bytes or more");
    t.members[0].rows = 4; /* 17500000 each, on average */
    look();
    assert_fine();
    assert_found("warning", "rows of up to 90000000 bytes may be in shop.t");
    t.members[1].rows = 1;
    look();
    assert_found("refusal", "a row of shop.t has 90000000 bytes or more");
    t.members[0].plain_length = t.members[1].plain_length = 60000000;
    look();
    assert_fine();
    assert_found("note", "rows are loaded by INSERT");
    fake_db_answer("SELECT @@global.sql_mode...", "STRICT_TRANS_TABLES\t/x/\telsewhere\t1\t0\t1048576\t0\n");
    look();
    assert_fine();
    assert_found("ok", "LOAD DATA LOCAL");
    end();
}

static void names(void **state)
{
    (void)state;
    begin("mariadb-10.11-facts", "MariaDB", "10.11.6-MariaDB-log");
    add_table("Orders", "InnoDB", PLAIN);
    look();
    assert_found("", "upper-case");
    fake_db_answer("SELECT @@global.sql_mode...", "ANSI\t/x/\telsewhere\t1\t1\t1048576\t1\n");
    look();
    assert_found("refusal", "shop.Orders has upper-case letters");
    assert_found("warning", "read-only");
    assert_found("note", "sql_mode was 'STRICT_TRANS_TABLES'");
    fake_db_answer("SELECT @@global.sql_mode...", "ANSI\t/x/\telsewhere\t1\t0\t1048576\t2\n");
    look();
    assert_found("warning", "shop.Orders has upper-case letters");
    end();
}

static void room(void **state)
{
    (void)state;
    char host[256], answer[512];
    begin("mariadb-10.11-facts", "MariaDB", "10.11.6-MariaDB-log");
    add_table("t", "InnoDB", PLAIN);
    assert_int_equal(gethostname(host, sizeof host), 0);
    snprintf(answer, sizeof answer, "STRICT_TRANS_TABLES\t/\t%s\t1\t0\t1048576\t0\n", host);
    fake_db_answer("SELECT @@global.sql_mode...", answer);
    look();
    assert_found("ok", "are free in /");
    t.tables[0].rows = 1000000;
    look();
    assert_found("ok", "take about 24 to 106 MiB beside the live ones");
    t.tables[0].plain_bytes = UINT64_C(1) << 60;
    look();
    assert_found("refusal", "are free in /");
    fake_db_answer("SHOW GLOBAL VARIABLES...", "basedir\t/rdsdbbin/mariadb-10.11.6.R1/\n");
    look();
    assert_found("note", "FreeStorageSpace");
    assert_fine();
    end();
}

/* Secondary keys take room as the rows do, and each table a moment of the rename. */
static void keys_and_tables_count(void **state)
{
    (void)state;
    begin("mariadb-10.11-facts", "MariaDB", "10.11.6-MariaDB-log");
    add_table("t", "InnoDB",
              "CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n  `a` varchar(20),\n  PRIMARY KEY (`id`),\n"
              "  KEY `a` (`a`),\n  UNIQUE KEY `b` (`id`,`a`),\n  FULLTEXT KEY `f` (`a`)\n) ENGINE=InnoDB");
    t.tables[0].rows = 1000000;
    look();
    assert_found("note", "take about 24 to 220 MiB beside the live ones");
    assert_found("ok", "one rename, for about 4 ms of which others wait");
    add_table("u", "InnoDB", PLAIN);
    add_table("v", "InnoDB", PLAIN);
    look();
    assert_found("ok", "one rename, for about 12 ms of which others wait");
    end();
}

/* Its tables are known from the beginning, its server, databases and sizes come at the end. */
static void a_pipe(void **state)
{
    (void)state;
    begin("mariadb-10.11-facts", NULL, NULL);
    t.manifest.server = (struct manifest_server){0};
    t.manifest.schema_count = 0;
    add_table("t", "InnoDB", PLAIN);
    look();
    assert_fine();
    assert_found("note", "before the end of the pipe");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_in_the_way),
        cmocka_unit_test(what_the_server_lacks),
        cmocka_unit_test(keys_of_encrypted_tables),
        cmocka_unit_test(collations_of_objects),
        cmocka_unit_test(collations_can_be_mapped),
        cmocka_unit_test(mysql_into_mariadb),
        cmocka_unit_test(mariadb_into_mysql),
        cmocka_unit_test(older_servers),
        cmocka_unit_test(rights_and_their_grants),
        cmocka_unit_test(a_database_that_cannot_be_made),
        cmocka_unit_test(sequences_need_rights_too),
        cmocka_unit_test(rows_and_packets),
        cmocka_unit_test(names),
        cmocka_unit_test(room),
        cmocka_unit_test(keys_and_tables_count),
        cmocka_unit_test(a_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
