"""restore.sh of every archive: a restore without dbsafe, by tar, zstd, sh and the mariadb client alone."""

import os
import shutil
import subprocess
from pathlib import Path

from lib import TestCase, compare_schemas, table_digests
from lib.process import client_env, run

# Nothing else is on the PATH.
TOOLS = ("sh", "sed", "cat", "sha256sum", "zstd", "mariadb")
WEIRD = "it's a `schema`, 100% \"odd\"/ção\\."


class EscapeHatch(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server()
        s.load_chatbot(1500)
        cls.new = table_digests(s, "glpi_select")
        cls.archive = s.folder / "chatbot.tar"
        s.dbsafe("dump", "glpi_select", "--chunk-size", "64K", "-o", cls.archive)
        cls.tools = s.folder / "bin"
        cls.tools.mkdir()
        for tool in TOOLS:
            (cls.tools / tool).symlink_to(shutil.which(tool))

    def tearDown(self):
        for schema in ("copy", "copy 2"):
            self.server.sql(f"DROP DATABASE IF EXISTS `{schema}`")

    def extract(self, archive=None):
        folder = Path(self.enterContext(self.folder()))
        subprocess.run(["tar", "-xf", str(archive or self.archive), "-C", str(folder)], check=True)
        return folder

    def folder(self):
        import tempfile
        return tempfile.TemporaryDirectory(dir=self.server.folder)

    def enterContext(self, context):  # unittest has it from Python 3.11 on
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def script(self, folder, *args, server=None, check=0):
        server = server or self.server
        env = client_env(server.home, {"PATH": str(self.tools), "LC_ALL": "pt_BR.UTF-8"})
        (server.home / ".my.cnf").write_text(server.defaults_file.read_text())
        (server.home / ".my.cnf").chmod(0o600)
        self.addCleanup((server.home / ".my.cnf").unlink, missing_ok=True)
        result = run([str(self.tools / "sh"), "restore.sh", *args], env=env, cwd=folder)
        if check is not None:
            self.assertEqual(result.rc != 0, bool(check), result)
        return result

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
