"""The harness and the fixtures themselves: what they promise, seen with the stock tools alone."""

import fcntl
import os
import shutil
import sys

from lib import FULL, Server, TestCase, compare_schemas, differences, everything_in, float_rows, rng, run, sample, zoo
from lib.paths import FIXTURES

sys.path.insert(0, str(FIXTURES))
import generate  # noqa: E402


class Fixtures(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server()
        cls.server.load("types.sql")
        cls.server.load("types_nontransactional.sql")
        cls.server.load_chatbot(1000)

    def types(self, statement):
        return self.server.sql(statement, schema="types")

    def test_extremes_are_stored_as_meant(self):
        self.assertEqual(self.types("SELECT CAST(f AS DOUBLE) FROM floats WHERE id IN (5, 8, 11, 13) ORDER BY id"),
                         [(16777216.0,), (3.4028234663852886e38,), (1.401298464324817e-45,), (1.1754942106924411e-38,)])
        self.assertEqual(self.types("SELECT e+0, with_empty+0, odd+0 FROM enums WHERE id=8"), [(0, 0, 0)])
        self.assertEqual(self.types("SELECT CAST(s64 AS UNSIGNED) FROM sets WHERE id IN (2, 5) ORDER BY id"),
                         [(18446744073709551615,), (9007199254740993,)])
        self.assertEqual(self.types("SELECT d, d6 FROM datetimes WHERE id=4"), [("2024-02-30 12:00:00", "2024-04-31 23:59:59.123456")])
        self.assertEqual(self.types("SELECT HEX(c) FROM text_sjis WHERE id=2"), [("835C945C",)])
        self.assertEqual(self.types("SELECT COUNT(*) FROM auto_zero WHERE id <= 0"), [(3,)])
        self.assertEqual(self.types("SELECT COUNT(*) FROM versioned FOR SYSTEM_TIME ALL WHERE row_end < NOW()"), [(3,)])
        self.assertEqual(self.types("SELECT COUNT(*) FROM checks WHERE age < 0 OR v='proibido'"), [(2,)])
        self.assertEqual(self.types("SELECT LENGTH(CAST(six AS CHAR)) FROM inets WHERE id=4"), [(16,)])
        self.assertEqual(self.types("SELECT COUNT(DISTINCT b) FROM byte_pairs"), [(256,)])

    def test_no_character_was_replaced(self):
        """A wrong byte sequence in the fixture would have become a question mark."""
        for (table,) in self.types("SHOW TABLES LIKE 'text\\_%'"):
            # 0x3F is a character of its own where every byte is stored in turn
            columns = [c for c, in self.types(f"SELECT column_name FROM information_schema.columns WHERE table_schema='types' "
                                              f"AND table_name='{table}' AND data_type LIKE '%text'")]
            for column in columns:
                self.assertEqual(self.types(f"SELECT COUNT(*) FROM {table} WHERE {column} LIKE '%?%' AND id<>63"), [(0,)], table)

    def test_chatbot_rows(self):
        count = {t: self.server.value(f"SELECT COUNT(*) FROM glpi_select.chatbot_{t}")
                 for t in ("users", "config", "visual_config", "messages")}
        self.assertEqual(count, {"users": 406, "config": 71, "visual_config": 5, "messages": 1000})
        self.assertEqual(self.server.value("SELECT body FROM glpi_select.chatbot_messages WHERE id=997")[:20],
                         "Linha 1\r\nLinha 2\tcom")
        self.assertEqual(self.server.value("SELECT HEX(MIN(avatar)) FROM glpi_select.chatbot_users WHERE LENGTH(avatar)=256"),
                         bytes(range(256)).hex().upper())

    def test_compare_schemas_sees_what_mariadb_dump_loses(self):
        """mariadb-dump is not exact; a comparison that cannot see that would prove nothing about dbsafe."""
        dump = self.server.client("--hex-blob", "--skip-add-locks", "--dump-history", "--single-transaction", "types",
                                  program="mariadb-dump", binary=True).out
        self.server.sql("CREATE DATABASE stock CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        self.server.client("--default-character-set=utf8mb4", "--init-command=SET check_constraint_checks=0", "--force", "stock",
                           input=dump, check=(0, 1))
        different = {p.split(":")[0] for p in compare_schemas(self.server, "types", "stock")}
        self.assertLessEqual({"floats", "pk_float", "enums", "dates", "datetimes"}, different)
        self.assertFalse({"integers", "decimals", "doubles", "bits", "binaries", "byte_pairs", "uuids", "pk_uuid", "it's"} & different)

    def test_compare_schemas_sees_each_kind_of_change(self):
        for statement, word in (
                ("UPDATE a SET f = f + 2 WHERE id=2", "contents differ"), ("DELETE FROM a WHERE id=1", "rows against"),
                ("ALTER TABLE a COMMENT 'x'", "definitions differ"), ("DROP TABLE a", "missing"),
                ("UPDATE a SET h=NULL WHERE id=1", "contents differ"), ("UPDATE IGNORE a SET e=0 WHERE id=1", "contents differ")):
            with self.subTest(statement):
                for schema in ("left_side", "right_side"):
                    self.server.load(f"""
                        DROP DATABASE IF EXISTS {schema};
                        CREATE DATABASE {schema};
                        SET sql_mode='';
                        CREATE TABLE {schema}.a (id INT PRIMARY KEY, f FLOAT, h VARCHAR(9) INVISIBLE, e ENUM('','x'));
                        INSERT INTO {schema}.a (id, f, h, e) VALUES (1, 16777216, '', ''), (2, 0.1, 'x', 'x');""")
                self.assertEqual(compare_schemas(self.server, "left_side", "right_side"), [])
                self.server.sql(statement, schema="right_side")
                problems = compare_schemas(self.server, "left_side", "right_side")
                self.assertEqual(len(problems), 1, problems)
                self.assertIn(word, problems[0])

    def test_float_rows(self):
        values = float_rows(self.server, "types", ["floats"])["floats", "f"]
        self.assertIn(16777216.0, values)
        self.assertIn(1.401298464324817e-45, values)

    def test_generator_is_deterministic_and_has_the_size_asked_for(self):
        for kind in sample(sorted(generate.KINDS), 2, "generate"):
            with self.subTest(kind):
                size = 8 << 20 if kind == "blobs" else 2 << 20
                rows = generate.generate(self.server.connect, "gen1", kind, total_bytes=size)
                self.assertEqual(generate.generate(self.server.connect, "gen2", kind, rows=rows, connections=1, batch=1 + rows // 3), rows)
                self.assertEqual(compare_schemas(self.server, "gen1", "gen2", tables=[kind]), [])
                path = f"{self.server.folder}/{kind}.tsv"
                self.server.sql(f"SELECT * INTO OUTFILE '{path}' FROM gen1.{kind}")
                self.assertLess(abs(os.stat(path).st_size / size - 1), 0.15)

    def test_many_tables(self):
        count = 500 if FULL else 20
        generate.many_tables(self.server.connect, "many", count)
        self.assertEqual(self.server.value("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='many'"), count)


class Zoo(TestCase):
    """Its objects do what zoo.py says, and no change of them is missed by the comparison."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)

    def setUp(self):
        self.server.load("zoo.sql")

    def test_it_behaves(self):
        before = everything_in(self.server, *zoo.SCHEMAS)
        self.assertEqual(differences(before, everything_in(self.server, *zoo.SCHEMAS)), [])
        self.assertEqual(zoo.Behaviour(self.server).problems, [])
        self.assertNotEqual(differences(before, everything_in(self.server, *zoo.SCHEMAS)), [])

    def test_each_change_is_seen(self):
        before = everything_in(self.server, *zoo.SCHEMAS)
        for statement, key in (
                ("ALTER DATABASE zoo COMMENT 'other'", "catalogue SCHEMATA zoo"),
                ("DO SETVAL(zoo.s_large, 9223372036854775100)", "sequence zoo s_large"),
                ("ALTER VIEW zoo.v_b AS SELECT id, name FROM v_c WHERE id > 3", "view zoo v_b"),
                ("ALTER PROCEDURE zoo.count_to COMMENT 'x'", "procedure zoo count_to"),
                ("SET sql_mode=ORACLE; DROP PACKAGE BODY keeper", "package body zoo keeper"),
                ("DROP TRIGGER zoo.z_second", "trigger zoo z_second"),
                ("ALTER EVENT zoo.e_once DISABLE", "event zoo e_once"),
                ("ALTER TABLE zoo.animal DROP FOREIGN KEY animal_species", "catalogue REFERENTIAL_CONSTRAINTS zoo"),
                ("UPDATE zoo.odd_rows SET f = 0 WHERE f > 0 AND f < 1e-40", "table zoo odd_rows"),
                ("CREATE OR REPLACE DEFINER = root@localhost VIEW zoo.v_no_definer AS SELECT id FROM zoo.cage", "view zoo v_no_definer")):
            with self.subTest(statement):
                self.server.load(f"USE zoo;\n{statement};\n")
                after = everything_in(self.server, *zoo.SCHEMAS)
                self.assertIn(key, " / ".join(differences(before, after)))
                before = after


class Life(TestCase):
    def test_a_crash_keeps_what_was_flushed(self):
        with Server(durable=True) as server:
            server.load("CREATE DATABASE d;\nCREATE TABLE d.t (id INT PRIMARY KEY);\nINSERT INTO d.t VALUES (1);\n")
            server.kill()
            self.assertFalse(server.running())
            server.restart()
            self.assertEqual(server.sql("SELECT * FROM d.t"), [(1,)])

    def test_nothing_stays(self):
        server = self.own_server(tcp=True, binlog=True)
        self.assertEqual(server.sql("SELECT @@port, @@log_bin, @@local_infile"), [(server.port, 1, 1)])
        folder, pid = server.folder, server.process.pid
        server.close()
        self.assertFalse(folder.exists())
        with self.assertRaises(ProcessLookupError):
            os.kill(pid, 0)

    def test_limited_accounts(self):
        server = self.own_server()
        server.sql("CREATE DATABASE d")
        option_file = server.account("SELECT ON d.*")
        self.assertEqual(os.stat(option_file).st_mode & 0o777, 0o600)
        result = run(["mariadb", f"--defaults-file={option_file}", "-e", "CREATE TABLE d.t (id INT)"])
        self.assertEqual(result.rc, 1)
        self.assertIn("denied", result.err)

    def test_folders_in_use_are_locked(self):
        server = self.own_server()
        with open(server.folder / "lock") as lock, self.assertRaises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_seeds(self):
        self.assertEqual(rng("x").random(), rng("x").random())
        self.assertNotEqual(rng("x").random(), rng("y").random())


class FirstFormat(TestCase):
    """The archive of format 1, made once: every later version restores it."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server()

    def test_restore(self):
        s = self.server
        archive = shutil.copy(FIXTURES / "archive" / "v1.dbsafe.tar", s.folder)  # a restore leaves its proof beside it
        for source in ("file", "pipe"):
            with self.subTest(source):
                if source == "file":
                    result = s.dbsafe("restore", archive, "--json").json
                else:
                    with open(archive, "rb") as pipe:
                        result = s.dbsafe("restore", "-", "--json", stdin=pipe).json
                self.assertEqual((result["tables"], result["rows"], result["verified"], result["swapped"]), (4, 9, True, True))
                self.assertEqual(s.value("SELECT COUNT(*) FROM shop.orders"), 6)
                self.assertEqual(s.value("SELECT COUNT(*) FROM shop.history FOR SYSTEM_TIME ALL"), 2)
                s.dbsafe("verify", archive, "--live")
