"""Dump, verify, restore: the restored rows are those that were dumped, by dbsafe's own proof and by independent ones."""

import json
import os

from lib import TestCase, compare_schemas, float_rows, table_digests

WEIRD = "it's a `schema`, 100% \"odd\"/ção\\."


def quote(name):
    return "`" + name.replace("`", "``") + "`"


def schema_of(server, name):
    """Default character set and collation of a database."""
    return server.sql("SELECT default_character_set_name, default_collation_name FROM information_schema.schemata "
                      "WHERE schema_name=%s", (name,))


class Chatbot(TestCase):
    """The four tables of the chatbot, on a server with a binary log."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)

    def setUp(self):
        self.server.load_chatbot(3000)
        self.addCleanup(self.drop, "copy")

    def drop(self, *schemas):
        for schema in schemas:
            self.server.sql(f"DROP DATABASE IF EXISTS {quote(schema)}")

    def test_dump_verify_restore_beside(self):
        s = self.server
        dump = s.dbsafe("dump", "glpi_select", "--json").json
        self.assertEqual(dump["tables"], 4)
        self.assertEqual(dump["rows"], 3000 + 406 + 71 + 5)
        self.assertTrue(os.path.isabs(dump["archive"].removeprefix("file://")))
        self.assertEqual(os.stat(dump["archive"].removeprefix("file://")).st_size, dump["archive_bytes"])
        self.assertEqual(dump["consistency"]["method"], "binlog-position")
        verify = s.dbsafe("verify", dump["archive"], "--json").json
        self.assertTrue(verify["ok"])
        self.assertEqual(verify["problems"], [])
        self.assertEqual(verify["bytes"], dump["archive_bytes"])
        live = s.dbsafe("verify", dump["archive"], "--live", "--json").json
        self.assertTrue(live["ok"])
        restore = s.dbsafe("restore", dump["archive"], "--into", "copy", "--json").json
        self.assertEqual((restore["tables"], restore["rows"]), (dump["tables"], dump["rows"]))
        self.assertIs(restore["verified"], True)
        self.assertIs(restore["swapped"], True)
        self.assertEqual(compare_schemas(s, "glpi_select", "copy"), [])
        self.assertEqual(schema_of(s, "copy"), schema_of(s, "glpi_select"))

    def test_the_story_of_the_demo(self):
        s = self.server
        self.addCleanup(self.drop, "before_")
        archive = s.dbsafe("dump", "glpi_select", "--json").json["archive"]
        s.dbsafe("restore", archive, "--into", "before_")
        s.load("""
            USE glpi_select;
            UPDATE chatbot_messages SET body = CONVERT(CAST(body AS BINARY) USING latin1) WHERE id % 3 = 0;
            DELETE FROM chatbot_messages WHERE id % 1000 = 7;
            UPDATE chatbot_users SET balance = 0 WHERE id = 17;
            DROP TABLE chatbot_visual_config;""")
        bad = s.dbsafe("verify", archive, "--live", "--json", check=7).json
        self.assertFalse(bad["ok"])
        where = {p["where"] for p in bad["problems"]}
        self.assertEqual(where, {"glpi_select.chatbot_messages", "glpi_select.chatbot_users", "glpi_select.chatbot_visual_config"})
        damaged = table_digests(s, "glpi_select")
        restored = s.dbsafe("restore", archive, "--json").json
        self.assertTrue(restored["verified"])
        self.assertEqual(compare_schemas(s, "before_", "glpi_select"), [])
        s.dbsafe("verify", archive, "--live")
        # what the swap replaced comes back, and goes again
        s.dbsafe("undo", restored["restore_id"])
        self.assertEqual({p["where"] for p in s.dbsafe("verify", archive, "--live", "--json", check=7).json["problems"]}, where)
        self.assertEqual(table_digests(s, "glpi_select"), damaged)
        self.assertEqual(s.sql("SHOW TABLES FROM glpi_select LIKE 'chatbot_visual_config'"), [])
        s.dbsafe("undo")
        s.dbsafe("verify", archive, "--live")
        self.assertEqual(compare_schemas(s, "before_", "glpi_select"), [])

    def test_through_a_pipe(self):
        s = self.server
        data = s.dbsafe("dump", "glpi_select", "-o", "-", binary=True).out
        self.assertGreater(len(data), 100000)
        s.dbsafe("verify", "-", input=data)
        s.dbsafe("restore", "-", "--into", "copy", input=data)
        self.assertEqual(compare_schemas(s, "glpi_select", "copy"), [])

    def test_into_a_file(self):
        s = self.server
        path = s.folder / "one file.tar"
        s.dbsafe("dump", "glpi_select.chatbot_*config", "-o", path)
        shown = s.dbsafe("show", path).out
        self.assertIn("chatbot_visual_config", shown)
        self.assertNotIn("chatbot_messages", shown)

    def test_some_tables_only(self):
        s = self.server
        archive = s.dbsafe("dump", "glpi_select", "--json").json["archive"]
        s.sql("DELETE FROM glpi_select.chatbot_visual_config")
        s.sql("DELETE FROM glpi_select.chatbot_messages WHERE id=5")
        self.assertEqual(s.dbsafe("restore", archive, "--tables", "chatbot_visual_config", "--json").json["tables"], 1)
        self.assertEqual(s.value("SELECT COUNT(*) FROM glpi_select.chatbot_visual_config"), 5)
        self.assertEqual(s.value("SELECT COUNT(*) FROM glpi_select.chatbot_messages"), 2999)
        s.dbsafe("verify", archive, "--live", "--tables", "chatbot_visual_config")
        s.dbsafe("verify", archive, "--live", "--tables", "chatbot_messages", check=7)


class Types(TestCase):
    """One table per column type, key form and oddity; names that are hard to quote."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)
        cls.server.load("types.sql")

    def test_every_table(self):
        s = self.server
        dump = s.dbsafe("dump", "types", "--json").json
        tables = s.value("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='types'")
        self.assertEqual(dump["tables"], tables)
        s.dbsafe("verify", dump["archive"])
        s.dbsafe("verify", dump["archive"], "--live")
        restored = s.dbsafe("restore", dump["archive"], "--into", "types_copy", "--json").json
        self.assertTrue(restored["verified"])
        self.assertEqual(restored["rows"], dump["rows"])
        self.assertEqual(compare_schemas(s, "types", "types_copy"), [])
        self.assertEqual(float_rows(s, "types"), float_rows(s, "types_copy"))
        # a dump of the copy has the same content checksums: nothing depends on where the rows lay
        s.dbsafe("dump", "types_copy", "-o", s.folder / "second.tar")
        first, second = (json.loads(s.dbsafe("show", a, "--json").out) for a in (dump["archive"], s.folder / "second.tar"))
        sums = [{t["name"]: (t["rows"], t["checksum"]) for t in m["tables"]} for m in (first, second)]
        self.assertEqual(sums[0], sums[1])

    def test_over_a_changed_original_and_back(self):
        """Each type is swapped over a live table, and what it replaced comes back."""
        s = self.server
        archive = s.dbsafe("dump", "types", "--json").json["archive"]
        dumped, floats = table_digests(s, "types"), float_rows(s, "types")
        connection = s.connect(database="types")
        with connection.cursor() as cursor:
            cursor.execute("SET foreign_key_checks=0, check_constraint_checks=0, sql_mode='ALLOW_INVALID_DATES'")
            for i, table in enumerate(sorted(dumped)):
                cursor.execute(f"DELETE FROM {quote(table)} LIMIT 1")
                if i % 4 == 0:
                    cursor.execute("SET system_versioning_alter_history=KEEP")
                    cursor.execute(f"ALTER TABLE {quote(table)} COMMENT 'changed'")
        connection.close()
        old, old_floats = table_digests(s, "types"), float_rows(s, "types")
        self.assertGreater(len([t for t in dumped if old[t] != dumped[t]]), len(dumped) * 3 // 4)
        restored = s.dbsafe("restore", archive, "--json").json
        self.assertTrue(restored["verified"] and restored["swapped"])
        self.assertEqual((table_digests(s, "types"), float_rows(s, "types")), (dumped, floats))
        s.dbsafe("undo", "--yes")
        self.assertEqual((table_digests(s, "types"), float_rows(s, "types")), (old, old_floats))

    def test_one_reader_and_small_chunks_give_the_same(self):
        s = self.server
        paths = [s.folder / "few.tar", s.folder / "many.tar"]
        s.dbsafe("dump", "types", "-o", paths[0], "--threads", "1")
        s.dbsafe("dump", "types", "-o", paths[1], "--threads", "4", "--chunk-size", "4K")
        sums = [{t["name"]: (t["rows"], t["checksum"]) for t in json.loads(s.dbsafe("show", p, "--json").out)["tables"]} for p in paths]
        self.assertEqual(sums[0], sums[1])
        s.dbsafe("restore", paths[1], "--into", "types_small", "--threads", "3")
        self.assertEqual(compare_schemas(s, "types", "types_small"), [])

    def test_database_with_a_difficult_name(self):
        s = self.server
        archive = s.dbsafe("dump", "it's*", "--json").json
        self.assertEqual(archive["tables"], 2)
        s.dbsafe("restore", archive["archive"], "--into", "plain")
        self.assertEqual(compare_schemas(s, WEIRD, "plain"), [])
        s.sql(f"DROP DATABASE {quote(WEIRD)}")
        s.dbsafe("restore", archive["archive"])
        self.assertEqual(compare_schemas(s, WEIRD, "plain"), [])


class OddDefaults(TestCase):
    """A server whose defaults for sessions would quietly change what statements do."""

    DEFAULTS = {"sql_select_limit": 3, "autocommit": 0, "completion_type": 2, "sql_auto_is_null": 1, "sql_safe_updates": 1, "sql_big_selects": 0,
                "max_join_size": 5, "max_error_count": 0, "unique_checks": 0, "explicit_defaults_for_timestamp": 0,
                "sql_mode": "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'", "time_zone": "'+05:45'", "sql_if_exists": 1, "group_concat_max_len": 4}

    def test_they_do_not_matter(self):
        s = self.own_server()
        s.load_chatbot(2000)
        s.sql("CREATE DATABASE odd")
        for i in range(9):  # more than sql_select_limit, with and without a key
            s.sql(f"CREATE TABLE odd.t{i} (id INT {'PRIMARY KEY' if i % 2 else ''}, at TIMESTAMP NOT NULL) SELECT seq id, NOW() at FROM seq_1_to_20", schema="mysql")
        before = {name: table_digests(s, name) for name in ("glpi_select", "odd")}
        kept = {name: s.value(f"SELECT @@GLOBAL.{name}") for name in self.DEFAULTS}
        for name, value in self.DEFAULTS.items():
            s.sql(f"SET GLOBAL {name}={value}")
        dump = s.dbsafe("dump", "glpi_select", "odd", "--json", "--count-check", "never").json
        self.assertEqual(dump["tables"], 4 + 9)
        s.dbsafe("verify", dump["archive"], "--live")
        s.dbsafe("restore", dump["archive"])
        self.assertNotIn("warning", s.dbsafe("restore", dump["archive"]).err)
        s.dbsafe("undo", "--yes")
        self.assertNotIn("warning", s.dbsafe("restore", dump["archive"], "--into", "copy", "--tables", "odd.*").err)
        for name, value in kept.items():
            s.sql(f"SET GLOBAL {name}=%s", (value,))
        self.assertEqual({name: table_digests(s, name) for name in before}, before)
        self.assertEqual(compare_schemas(s, "odd", "copy"), [])


class NonTransactional(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)
        cls.server.load("types_nontransactional.sql")

    def test_round_trip(self):
        s = self.server
        archive = s.dbsafe("dump", "types_nontransactional", "--allow-inconsistent", "--json").json["archive"]
        s.dbsafe("restore", archive, "--into", "copy")
        self.assertEqual(compare_schemas(s, "types_nontransactional", "copy"), [])


class HistoryByTransaction(TestCase):
    """System versioning by transaction numbers cannot be loaded: the dump says so instead of losing it."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server()

    def test_refused_by_name(self):
        s = self.server
        s.load("CREATE DATABASE h;\nUSE h;\nCREATE TABLE ok (id INT PRIMARY KEY) WITH SYSTEM VERSIONING;\n"
               "CREATE TABLE by_trx (id INT PRIMARY KEY, a BIGINT UNSIGNED GENERATED ALWAYS AS ROW START,"
               " b BIGINT UNSIGNED GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (a, b)) WITH SYSTEM VERSIONING;\n")
        refused = s.dbsafe("dump", "h", check=10)
        self.assertIn("h.by_trx", refused.err)
        self.assertIn("--exclude", refused.err)
        self.assertEqual(s.archives(), [])
        s.dbsafe("dump", "h", "--exclude", "h.by_trx")
