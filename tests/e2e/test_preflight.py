"""A restore into a server that cannot take it: refused in plain words before anything changes, or done in the way that works."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from lib import TestCase, differences, everything_in, table_digests
from lib.archive import with_other_manifest

CHARSETS = Path("/usr/share/mysql/charsets")


def databases(server):
    return server.sql("SHOW DATABASES")


class MissingCollation(TestCase):
    """A collation that the administrator of one server added to it, and of the other did not."""

    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server()
        folder = s.folder / "charsets"
        shutil.copytree(CHARSETS, folder)
        index = folder / "Index.xml"
        own = ('<charset name="utf8mb4"><collation name="utf8mb4_made_up_ci" id="1234"><rules><reset>a</reset><p>b</p></rules>'
               '</collation></charset>\n</charsets>')
        index.write_text(index.read_text().replace("</charsets>", own))
        cls.path = s.folder / "shop.tar"
        cls.rich = r = cls.use_server(extra=[f"--character-sets-dir={folder}"])
        r.sql("CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_made_up_ci")
        r.sql("CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(50), w VARCHAR(50) COLLATE utf8mb4_bin, "
              "c VARCHAR(50) COMMENT 'COLLATE utf8mb4_made_up_ci', KEY (v)) COLLATE utf8mb4_made_up_ci")
        r.sql("INSERT INTO shop.t SELECT seq, CONCAT('a', seq), 'x', 'y' FROM seq_1_to_100", schema="mysql")
        r.dbsafe("dump", "shop", "-o", cls.path)

    def test_refused(self):
        before = databases(self.server)
        result = self.server.dbsafe("restore", self.path, check=10)
        self.assertIn("collation utf8mb4_made_up_ci (of shop.t) does not exist", result.err)
        self.assertIn("--map-collation utf8mb4_made_up_ci=", result.err)
        self.assertEqual(databases(self.server), before)
        self.assertIn("utf8mb4_made_up_ci", self.server.dbsafe("doctor", self.path, check=10).out)

    def test_mapped(self):
        s = self.server
        for wrong, status in (("utf8mb4_made_up_ci", 2), ("utf8mb4_made_up_ci=latin1_bin", 2), ("utf8mb4_made_up_ci=utf8mb4_no_ci", 10)):
            with self.subTest(wrong):
                s.dbsafe("restore", self.path, "--map-collation", wrong, check=status)
        s.dbsafe("doctor", self.path, "--map-collation", "utf8mb4_made_up_ci=utf8mb4_unicode_ci")
        restored = s.dbsafe("restore", self.path, "--map-collation", "utf8mb4_made_up_ci=utf8mb4_unicode_ci", "--json").json
        self.assertTrue(restored["verified"])
        create = s.sql("SHOW CREATE TABLE shop.t")[0][1]
        self.assertIn("COLLATE=utf8mb4_unicode_ci", create)
        self.assertIn("COMMENT 'COLLATE utf8mb4_made_up_ci'", create)
        self.assertEqual(s.value("SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='shop'"),
                         "utf8mb4_unicode_ci")
        self.assertEqual(s.sql("SELECT * FROM shop.t ORDER BY id"), self.rich.sql("SELECT * FROM shop.t ORDER BY id"))
        s.sql("DROP DATABASE shop")


class OtherServers(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server()
        s.sql("CREATE DATABASE shop")
        s.sql("CREATE TABLE shop.Orders (id INT PRIMARY KEY, v INT) SELECT seq id, seq v FROM seq_1_to_1000", schema="mysql")
        s.sql("CREATE TABLE shop.old (id INT PRIMARY KEY) ENGINE=MEMORY")
        cls.path = s.folder / "shop.tar"
        s.dbsafe("dump", "shop", "-o", cls.path)

    def refused(self, server, *reasons, args=()):
        before = databases(server)
        result = server.dbsafe("restore", self.path, *args, check=10)
        for reason in reasons:
            self.assertIn(reason, result.err)
        self.assertEqual(databases(server), before)
        return result

    def test_names_in_lower_case(self):
        self.refused(self.own_server(extra=["--lower-case-table-names=1"]), "shop.Orders has upper-case letters", "lower_case_table_names=1")

    def test_names_of_views_and_sequences_in_lower_case(self):
        s, server = self.server, self.own_server(extra=["--lower-case-table-names=1"])
        for statement in ("CREATE VIEW names.Up AS SELECT 1 id", "CREATE SEQUENCE names.Up"):
            with self.subTest(statement):
                s.load(f"CREATE OR REPLACE DATABASE names;\n{statement};\nCREATE TABLE names.t (id INT);\n")
                path = s.folder / "names.tar"
                path.unlink(missing_ok=True)
                s.dbsafe("dump", "names", "-o", path)
                for command in ("doctor", "restore"):
                    result = server.dbsafe(command, path, check=10)
                    self.assertIn("names.Up has upper-case letters", result.out + result.err)
                self.assertEqual(server.sql("SHOW DATABASES LIKE 'names'"), [])
                server.dbsafe("restore", path, "--tables", "t")
                server.sql("DROP DATABASE names")

    def test_all_reasons_at_once(self):
        server = self.own_server(extra=["--lower-case-table-names=1"])
        server.sql("CREATE DATABASE shop")
        server.sql("CREATE VIEW shop.old AS SELECT 1 id")
        account = server.account("SELECT ON shop.*", "SHOW VIEW ON shop.*")
        result = server.dbsafe("restore", self.path, defaults_file=account, check=10)
        for reason in ("shop.Orders has upper-case letters", "shop.old is a view", "GRANT ALL ON `dbsafe", "the account lacks"):
            self.assertIn(reason, result.err)

    def test_a_database_that_cannot_be_made(self):
        s = self.server
        account = s.account("SELECT, INSERT, CREATE, ALTER, DROP, TRIGGER ON shop.*", "ALL ON `dbsafe\\_%`.*", "PROCESS ON *.*")
        before = databases(s)
        result = s.dbsafe("restore", self.path, "--into", "elsewhere", defaults_file=account, check=10)
        self.assertIn("database elsewhere does not exist", result.err)
        grant = re.search(r"GRANT .* ON `elsewhere`\.\* TO \S+", result.err)[0]
        self.assertEqual(databases(s), before)
        s.sql(grant)
        s.dbsafe("restore", self.path, "--into", "elsewhere", defaults_file=account)
        self.assertEqual(table_digests(s, "elsewhere"), table_digests(s, "shop"))

    def test_a_name_too_long(self):
        self.server.dbsafe("restore", self.path, "--into", "ü" * 65, check=2)
        self.server.dbsafe("restore", self.path, "--into", "ü" * 64)
        self.server.sql(f"DROP DATABASE `{'ü' * 64}`")


class OtherFamily(TestCase):
    """A fake, since no MySQL is here: an archive of this server that says it were one of MySQL 8.0."""

    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server()
        s.load("CREATE DATABASE shop;\nUSE shop;\nCREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50), f FLOAT, ts TIMESTAMP NULL) COLLATE utf8mb4_unicode_ci;\n"
               "INSERT INTO t SELECT seq, CONCAT('é', seq), seq / 7, '2024-03-31 01:30:00' FROM seq_1_to_100;\n"
               "CREATE TABLE j (id INT PRIMARY KEY, d JSON);\nINSERT INTO j VALUES (1, '{}');\nCREATE VIEW w AS SELECT id FROM t;\n"
               "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 'x';\n")
        s.dbsafe("dump", "shop", "-o", s.folder / "mariadb.tar")
        cls.path = s.folder / "mysql.tar"
        with_other_manifest(s.folder / "mariadb.tar", cls.path, cls.made_mysql)
        cls.dumped = table_digests(s, "shop")

    @staticmethod
    def made_mysql(manifest):
        manifest["server"].update(flavour="MySQL", version="8.0.36")
        next(c for t in manifest["tables"] for c in t["columns"] if c["name"] == "d")["type"] = "json"

    def test_refused_with_the_reasons(self):
        s = self.server
        before = everything_in(s, "shop")
        found = s.dbsafe("doctor", self.path, "--json", check=10).json["checks"]
        result = s.dbsafe("restore", self.path, check=10)
        for reason in ("shop.j.d uses a type JSON of its own, which MariaDB does not have",
                       "view shop.w was written for MySQL and is not translated: restore the tables alone with --tables",
                       "trigger shop.tr was written for MySQL and is not translated"):
            self.assertIn(reason, result.err)
            self.assertIn(("refusal", reason), [(c["level"], c["text"][:len(reason)]) for c in found])
        self.assertEqual(differences(before, everything_in(s, "shop")), [])
        self.assertEqual(s.sql("SHOW DATABASES LIKE 'dbsafe%'"), [])

    def test_the_tables_alone(self):
        """What both families understand is restored, and its rows compared."""
        s = self.server
        s.sql("DROP TRIGGER shop.tr")
        path = s.folder / "plain.tar"
        s.dbsafe("dump", "shop.t", "-o", s.folder / "one.tar")
        with_other_manifest(s.folder / "one.tar", path, lambda m: m["server"].update(flavour="MySQL", version="8.0.36"))
        s.sql("UPDATE shop.t SET f = 0")
        restored = s.dbsafe("restore", path, "--tables", "t", "--json").json
        self.assertTrue(restored["verified"])
        self.assertEqual(table_digests(s, "shop", ["t"])["t"], self.dumped["t"])
        s.sql("CREATE TRIGGER shop.tr BEFORE INSERT ON shop.t FOR EACH ROW SET NEW.v = 'x'")


def can_mount(folder):
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["umount", folder], check=True)
        return True
    except (OSError, subprocess.CalledProcessError):
        return False


class FullDisk(TestCase):
    """The server's data on a small file system of its own."""

    def setUp(self):
        self.source = self.own_server()
        self.source.sql("CREATE DATABASE shop")
        self.source.sql("CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(1000)) SELECT seq id, REPEAT(MD5(seq), 30) v FROM seq_1_to_40000",
                        schema="mysql")
        self.path = self.source.folder / "shop.tar"
        self.source.dbsafe("dump", "shop", "-o", self.path)
        if os.getuid() != 0 or not can_mount(self.source.home):
            self.skipTest("only root can mount a small file system")
        from lib.server import Server
        self.server = Server(log_file_size="4M")
        self.addCleanup(self.server.close)
        self.server.data.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=320m", "tmpfs", self.server.data], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.server.data])
        self.addCleanup(self.server.kill)
        from lib.server import template
        shutil.copytree(template(), self.server.data, dirs_exist_ok=True)
        self.server.start()
        self.server.sql("CREATE DATABASE shop")
        self.server.sql("CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(1000)) SELECT 1 id, 'live' v")
        self.before = table_digests(self.server, "shop")

    def fill(self, leave):
        """Takes all space but so many bytes."""
        free = os.statvfs(self.server.data)
        size = free.f_bavail * free.f_frsize - leave
        with open(self.server.data / "filler", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)

    def test_it_is_seen_beforehand(self):
        self.fill(12 << 20)
        result = self.server.dbsafe("restore", self.path, check=10)
        self.assertRegex(result.err, r"take about \d+ to \d+ MiB beside the live ones; \d+ MiB are free")
        self.assertEqual(table_digests(self.server, "shop"), self.before)
        self.assertEqual(self.server.sql("SHOW DATABASES LIKE 'dbsafe%'"), [])

    def test_it_shows_while_loading(self):
        self.fill(30 << 20)
        result = self.server.dbsafe("restore", self.path, check=(4, 13), timeout=200)
        self.assertIn("shop.t", result.err)
        os.unlink(self.server.data / "filler")
        self.assertEqual(table_digests(self.server, "shop"), self.before)
        self.assertEqual(self.server.sql("SHOW DATABASES LIKE 'dbsafe%'"), [])
        self.server.dbsafe("restore", self.path)
        self.assertEqual(table_digests(self.server, "shop"), table_digests(self.source, "shop"))
