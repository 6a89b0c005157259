"""restore.sh of every archive: a restore without dbsafe, by tar, zstd, sh and the mariadb client alone."""

import os
import subprocess

from lib import compare_schemas, differences, everything_in, table_digests, zoo
from lib.archive import Archive
from lib.escape import EscapeCase
from lib.paths import FIXTURES
from lib.process import client_env, run

WEIRD = "it's a `schema`, 100% \"odd\"/ção\\."


class EscapeHatch(EscapeCase):
    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server()
        s.load_chatbot(1500)
        cls.new = table_digests(s, "glpi_select")
        cls.archive = s.folder / "chatbot.tar"
        s.dbsafe("dump", "glpi_select", "--chunk-size", "64K", "-o", cls.archive)
        cls.make_tools(s)

    def tearDown(self):
        for schema in ("copy", "copy 2"):
            self.server.sql(f"DROP DATABASE IF EXISTS `{schema}`")

    def test_members(self):
        names = subprocess.run(["tar", "-tf", str(self.archive)], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        self.assertEqual(names[:2], ["README.txt", "restore.sh"])
        folder = self.extract()
        self.assertTrue(os.access(folder / "restore.sh", os.X_OK))
        readme = (folder / "README.txt").read_text()
        for word in ("restore.sh", "dbsafe restore", "zstd", "--into"):
            self.assertIn(word, readme)

    def test_into_an_empty_server(self):
        other = self.own_server()
        result = self.script(self.extract(), server=other)
        self.assertIn("restored 4 tables", result.out)
        self.assertIn("1500 rows", result.out)
        self.assertEqual(compare_schemas(self.server, "glpi_select", "glpi_select", other=other), [])
        other.dbsafe("verify", self.archive, "--live")
        # everything is there now: nothing is overwritten
        before = table_digests(other, "glpi_select")
        again = self.script(self.extract(), server=other, check=1)
        self.assertIn("was not created", again.err)
        self.assertEqual(table_digests(other, "glpi_select"), before)

    def test_into_another_database(self):
        self.script(self.extract(), "--into", "copy")
        self.assertEqual(compare_schemas(self.server, "glpi_select", "copy"), [])
        self.script(self.extract(), "--into=copy 2")
        self.assertEqual(compare_schemas(self.server, "copy", "copy 2"), [])
        self.assertEqual(table_digests(self.server, "glpi_select"), self.new)
        self.script(self.extract(), "--into", check=1)

    def test_options_of_the_client(self):
        folder = self.extract()
        env = client_env(self.server.folder / "nowhere", {"PATH": str(self.tools)})
        result = run([str(self.tools / "sh"), "restore.sh", "--into", "copy", "--socket", str(self.server.socket), "-uroot",
                      "-p" + self.server.password], env=env, cwd=folder)
        self.assertEqual(result.rc, 0, result)
        self.assertEqual(table_digests(self.server, "copy"), self.new)

    def test_damaged_files(self):
        def cut(folder):
            path = sorted(folder.glob("data/*/*.zst"))[-1]
            path.write_bytes(path.read_bytes()[:-20])

        def flip(folder):
            path = sorted(folder.glob("data/*/*.zst"))[0]
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)

        def missing(folder):
            sorted(folder.glob("data/*/*.zst"))[-1].unlink()

        def definition(folder):
            path = sorted(folder.glob("schema/0*.sql"))[0]
            path.write_text(path.read_text() + " ")
        for damage in (cut, flip, missing, definition):
            with self.subTest(damage=damage.__name__):
                folder = self.extract()
                damage(folder)
                result = self.script(folder, "--into", "copy", check=1)
                self.assertIn("nothing was restored", result.err)
                self.assertEqual(self.server.sql("SHOW DATABASES LIKE 'copy'"), [])

    def test_damage_that_the_digests_do_not_show(self):
        """Rows are counted even where someone made the digests fit."""
        import hashlib
        folder = self.extract()
        path = max(folder.glob("data/*/*.zst"), key=lambda p: p.stat().st_size)
        text = subprocess.run(["zstd", "-dcq", str(path)], stdout=subprocess.PIPE, check=True).stdout
        fewer = subprocess.run(["zstd", "-cq"], input=text.split(b"\n", 1)[1], stdout=subprocess.PIPE, check=True).stdout
        for content in (fewer, path.read_bytes()[:-30]):
            with self.subTest(bytes=len(content)):
                manifest = (folder / "manifest.json").read_text()
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                self.assertEqual(manifest.count(digest), 1)
                (folder / "manifest.json").write_text(manifest.replace(digest, hashlib.sha256(content).hexdigest()))
                path.write_bytes(content)
                result = self.script(folder, "--into", "copy", check=1)
                self.assertNotIn("restored 4 tables", result.out)
                self.server.sql("DROP DATABASE IF EXISTS copy")

    def test_a_table_that_exists(self):
        self.server.sql("CREATE DATABASE copy")
        self.server.sql("CREATE TABLE copy.chatbot_users (mine INT)")
        self.server.sql("INSERT INTO copy.chatbot_users VALUES (42)")
        self.script(self.extract(), "--into", "copy", check=1)
        self.assertEqual(self.server.value("SELECT mine FROM copy.chatbot_users"), 42)

    def test_server_that_refuses(self):
        result = self.script(self.extract(), "--into", "copy", "--user=nobody_there", check=1)
        self.assertNotIn("restored", result.out)
        self.server.sql("SET GLOBAL local_infile=0")
        try:
            result = self.script(self.extract(), "--into", "copy", check=1)
            self.assertNotIn("restored", result.out)
        finally:
            self.server.sql("SET GLOBAL local_infile=1")

    def test_every_type_and_difficult_names(self):
        s = self.server
        s.load("types.sql")
        archive = s.folder / "types.tar"
        dumped = s.dbsafe("dump", "types", WEIRD, "-o", archive, "--json").json
        other = self.own_server()
        result = self.script(self.extract(archive), server=other)
        self.assertIn(f"restored {dumped['tables']} tables", result.out)
        other.dbsafe("verify", archive, "--live")
        for schema in ("types", WEIRD):
            self.assertEqual(compare_schemas(s, schema, schema, other=other), [])
        self.script(self.extract(archive), "--into", "copy", check=1)  # two databases do not fit into one


class Objects(EscapeCase):
    """Everything that a database holds, by stock tools."""

    ACCOUNTS = """
        CREATE USER IF NOT EXISTS zoo_keeper@localhost, 'zoo`k"é'@'%';
        CREATE ROLE IF NOT EXISTS zoo_role;
        GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE, TRIGGER ON zoo.* TO zoo_keeper@localhost, 'zoo`k"é'@'%', zoo_role;
        GRANT SELECT, INSERT, EXECUTE, TRIGGER ON zoo_annex.* TO zoo_keeper@localhost;
    """

    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server(binlog=True)
        s.load("zoo.sql")
        cls.archive = s.folder / "zoo.tar"
        s.dbsafe("dump", *zoo.SCHEMAS[:2], "zoo ?*", "-o", cls.archive)
        cls.wanted = cls.picture(s)
        cls.make_tools(s)

    @staticmethod
    def picture(server):
        """All but the broken views, which no statement makes again."""
        found = everything_in(server, *zoo.SCHEMAS)
        found = {k: v for k, v in found.items() if k[-1] not in zoo.BROKEN_VIEWS}
        for key in ("TABLES", "VIEWS"):
            rows = found["catalogue", key, zoo.MAIN]
            found["catalogue", key, zoo.MAIN] = [r for r in rows if not any(f"TABLE_NAME={n}" in r for n in zoo.BROKEN_VIEWS)]
        return found

    def test_into_an_empty_server(self):
        other = self.own_server(extra=["--default-time-zone=+09:00", "--sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES"])
        other.load(self.ACCOUNTS)
        result = self.script(self.extract(), server=other)
        count = len(Archive(self.archive).manifest["objects"]) - len(zoo.BROKEN_VIEWS)
        self.assertIn(f"restored 30 tables, every row counted, and {count} other objects", result.out)
        for name in zoo.BROKEN_VIEWS:
            self.assertIn(f"{name}.view.sql: not created, it was broken already", result.err)
        self.assertEqual(differences(self.wanted, self.picture(other)), [])
        problems = [p for p in zoo.Behaviour(other).problems if not p.startswith("SELECT * FROM v_broken_")]
        self.assertEqual(problems, [])

    def test_servers_that_cannot_prepare_routines(self):
        """There the client reads the files: it does not know every text, but these."""
        s = self.server
        s.load("CREATE DATABASE plain;\nUSE plain;\nCREATE TABLE t (id INT PRIMARY KEY);\n"
               "DELIMITER //\nCREATE PROCEDURE p () BEGIN SELECT ';'; -- it's\n /* ; */ SELECT \";;\"; END//\n"
               "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW BEGIN SET @x = 'é;'; END//\n"
               "SET NAMES latin1//\nCREATE FUNCTION f () RETURNS INT DETERMINISTIC RETURN 1//\n")
        self.addCleanup(zoo.drop, s, "plain")
        archive = s.folder / "plain.tar"
        s.dbsafe("dump", "plain", "-o", archive)
        folder = self.extract(archive)
        text = (folder / "restore.sh").read_text()
        self.assertIn("prepares=$(", text)
        (folder / "older.sh").write_text(text.replace("tables=0 made=0", "prepares=0 tables=0 made=0"))
        other = self.own_server()
        self.script(folder, server=other, name="older.sh")
        self.assertEqual(differences(everything_in(s, "plain"), everything_in(other, "plain")), [])

    SMALL = """
        CREATE DATABASE small CHARACTER SET latin1 COLLATE latin1_bin COMMENT 'it''s small';
        USE small;
        CREATE SEQUENCE numbers START WITH 7;
        CREATE TABLE t (id INT NOT NULL DEFAULT NEXTVAL(numbers) PRIMARY KEY, v VARCHAR(20), parent INT, FOREIGN KEY (parent) REFERENCES t (id));
        INSERT INTO t (v) VALUES ('a'), ('b');
        CREATE VIEW w AS SELECT x.id, NEXTVAL(numbers) n FROM t x;
        CREATE VIEW v AS SELECT w.*, 'small' s FROM w JOIN t ON t.id = w.id;
        CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.v = UPPER(NEW.v);
        CREATE PROCEDURE p () SELECT COUNT(*) FROM t;
        CREATE FUNCTION f (a VARCHAR(9), b VARCHAR(9)) RETURNS INT DETERMINISTIC RETURN a = b;
        CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:00' DISABLE DO DELETE FROM t;
    """

    def test_into_another_database(self):
        s = self.server
        s.load(self.SMALL)
        self.addCleanup(zoo.drop, s, "small", "other `db`")
        archive = s.folder / "small.tar"
        s.dbsafe("dump", "small", "-o", archive)
        result = self.script(self.extract(archive), "--into", "other `db`")
        self.assertIn("restored 1 tables, every row counted, and 7 other objects", result.out)
        rename = {"small": "other `db`"}
        self.assertEqual(differences(everything_in(s, "small", rename=rename, but=("rows of view",)),
                                     everything_in(s, "other `db`", but=("rows of view",))), [])
        s.sql("INSERT INTO t (v) VALUES ('c')", schema="other `db`")
        self.assertEqual(s.sql("SELECT id > 1000, v FROM t WHERE v = 'C'", schema="other `db`"), [(1, "C")])
        self.assertEqual(s.sql("SELECT COUNT(*) FROM v", schema="other `db`"), [(3,)])
        # a trigger that names its database would be made in that one
        s.sql("CREATE TRIGGER small.far AFTER INSERT ON small.t FOR EACH ROW SET @x = 1")
        archive.unlink()
        s.dbsafe("dump", "small", "-o", archive)
        zoo.drop(s, "other `db`")
        result = self.script(self.extract(archive), "--into", "other `db`", check=1)
        self.assertIn("names its database", result.err)

    def test_the_archive_of_format_2(self):
        """Made once: its own restore.sh, of that time, still restores it, and this dbsafe finds it to be the same."""
        other = self.own_server()
        archive = other.folder / "v2.dbsafe.tar"
        archive.write_bytes((FIXTURES / "archive" / "v2.dbsafe.tar").read_bytes())
        result = self.script(self.extract(archive), server=other)
        self.assertIn("restored 4 tables, every row counted, and 8 other objects", result.out)
        other.dbsafe("verify", archive, "--live")

    def test_nothing_that_exists_is_overwritten(self):
        s = self.server
        s.load("CREATE DATABASE twice;\nUSE twice;\nCREATE PROCEDURE p () SELECT 1;\n")
        self.addCleanup(zoo.drop, s, "twice")
        archive = s.folder / "twice.tar"
        s.dbsafe("dump", "twice", "-o", archive)
        s.load("USE twice;\nCREATE OR REPLACE PROCEDURE p () SELECT 2;\n")
        result = self.script(self.extract(archive), check=1)
        self.assertIn("0001-p.procedure.sql was not created", result.err)
        self.assertIn("SELECT 2", s.sql("SHOW CREATE PROCEDURE twice.p")[0][2])
