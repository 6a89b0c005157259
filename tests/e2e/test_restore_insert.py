"""Servers without LOAD DATA LOCAL: rows come back by INSERT, exactly as well, or the restore says why not before anything live changes."""

from lib import TestCase, compare_schemas, float_rows, table_digests


class ByInsert(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)

    def setUp(self):
        self.server.sql("SET GLOBAL local_infile=0")
        self.addCleanup(self.server.sql, "SET GLOBAL local_infile=1")

    def restore(self, archive, *args, **options):
        return self.server.dbsafe("restore", archive, *args, **options)

    def test_every_type(self):
        s = self.server
        s.load("types.sql")
        path = s.folder / "types.tar"
        s.dbsafe("dump", "types", "-o", path)
        before, floats = table_digests(s, "types"), float_rows(s, "types")
        s.sql("DROP DATABASE types")
        loads = s.sql("SHOW GLOBAL STATUS LIKE 'Com_load'")
        self.assertTrue(self.restore(path, "--json").json["verified"])
        self.assertEqual(s.sql("SHOW GLOBAL STATUS LIKE 'Com_load'"), loads)
        after = table_digests(s, "types")
        self.assertEqual(after.keys(), before.keys())
        for table in before:
            with self.subTest(table):
                self.assertEqual(after[table], before[table])
        self.assertEqual(float_rows(s, "types"), floats)

    def test_swap_over_live_tables(self):
        s = self.server
        s.load_chatbot(messages=6000)
        before = table_digests(s, "glpi_select")
        dump = s.dbsafe("dump", "glpi_select", "--json").json
        s.sql("DELETE FROM glpi_select.chatbot_config")
        changed = table_digests(s, "glpi_select")
        self.restore(dump["archive"])
        self.assertEqual(table_digests(s, "glpi_select"), before)
        s.dbsafe("undo", "--yes")
        self.assertEqual(table_digests(s, "glpi_select"), changed)

    def test_without_transactions(self):
        s = self.server
        s.load("types_nontransactional.sql")
        path = s.folder / "old.tar"
        s.dbsafe("dump", "types_nontransactional", "-o", path)
        self.restore(path, "--into", "old_copy")
        self.assertEqual(compare_schemas(s, "types_nontransactional", "old_copy"), [])

    def test_through_a_pipe(self):
        s = self.server
        s.sql("CREATE OR REPLACE DATABASE piped")
        s.sql("CREATE TABLE piped.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200), e ENUM('a','b')) "
              "SELECT seq id, CONCAT('it''s \\\\ ', REPEAT(seq, 9)) v, 1 + seq % 2 e FROM seq_1_to_9000", schema="mysql")
        path = s.folder / "pipe.tar"
        s.dbsafe("dump", "piped", "-o", path, "--chunk-size", "64K")
        with open(path, "rb") as file:
            self.restore("-", "--into", "piped_copy", stdin=file)
        self.assertEqual(compare_schemas(s, "piped", "piped_copy"), [])


class SmallPackets(TestCase):
    """LOAD DATA LOCAL has no limit by max_allowed_packet; a statement has."""

    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server()
        s.sql("CREATE DATABASE big")
        s.sql("CREATE TABLE big.t (id INT PRIMARY KEY, v LONGTEXT)")
        s.sql("INSERT INTO big.t VALUES (1, 'small'), (2, REPEAT('x', 20 * 1024 * 1024)), (3, REPEAT('''', 600 * 1024))")
        cls.path = s.folder / "big.tar"
        s.dbsafe("dump", "big", "-o", cls.path)
        cls.before = table_digests(s, "big")
        s.sql("SET GLOBAL max_allowed_packet=1024*1024")

    def setUp(self):
        self.addCleanup(self.server.sql, "SET GLOBAL local_infile=1")
        self.addCleanup(self.server.sql, "SET GLOBAL max_allowed_packet=1024*1024")

    def digests(self, schema):
        """The server computes them from values longer than a packet."""
        before = self.server.value("SELECT @@global.max_allowed_packet")
        self.server.sql("SET GLOBAL max_allowed_packet=1024*1024*1024")
        try:
            return table_digests(self.server, schema)
        finally:
            self.server.sql(f"SET GLOBAL max_allowed_packet={before}")

    def test_load_data(self):
        self.server.dbsafe("restore", self.path, "--into", "big_copy")
        self.assertEqual(self.digests("big_copy"), self.before)
        self.server.sql("DROP DATABASE big_copy")

    def test_insert_is_refused_with_the_reason(self):
        s = self.server
        s.sql("SET GLOBAL local_infile=0")
        result = s.dbsafe("restore", self.path, check=10)
        self.assertIn("max_allowed_packet", result.err)
        self.assertIn("local_infile", result.err)
        self.assertEqual(self.digests("big"), self.before)
        self.assertEqual(s.sql("SHOW DATABASES LIKE 'dbsafe%'"), [])

    def test_rows_that_share_a_member(self):
        """How long they are at least follows from their number."""
        s = self.server
        s.sql("SET GLOBAL max_allowed_packet=64*1024*1024")
        s.load("CREATE DATABASE pairs;\nCREATE TABLE pairs.t (id INT PRIMARY KEY, v LONGTEXT);\n"
               "INSERT INTO pairs.t VALUES (1, REPEAT('x', 2 * 1024 * 1024)), (2, REPEAT('y', 2 * 1024 * 1024));\n")
        path = s.folder / "pairs.tar"
        s.dbsafe("dump", "pairs", "-o", path)
        s.sql("SET GLOBAL local_infile=0")
        s.sql("SET GLOBAL max_allowed_packet=1024*1024")
        for command in ("doctor", "restore"):
            result = s.dbsafe(command, path, check=10)
            self.assertRegex(result.out + result.err, r"a row of pairs\.t has 209\d+ bytes or more")
        s.sql("SET GLOBAL max_allowed_packet=3*1024*1024")
        result = s.dbsafe("doctor", path)
        self.assertRegex(result.out, r"WARNING +loading .*pairs\.t")
        s.dbsafe("restore", path, "--into", "pairs_copy")

    def test_insert_with_room(self):
        s = self.server
        s.sql("SET GLOBAL local_infile=0")
        s.sql("SET GLOBAL max_allowed_packet=64*1024*1024")
        s.dbsafe("restore", self.path, "--into", "big_copy")
        self.assertEqual(self.digests("big_copy"), self.before)
        s.sql("DROP DATABASE big_copy")
