"""
The round trip on the server program that DBSAFE_MYSQLD names (make check-mysql MYSQLD=PATH).

Not run on MySQL so far: none was available. It was tried with MariaDB 10.11's own program, which leaves out mysql.sql.
"""

import unittest
from pathlib import Path

from lib import TestCase
from lib.archive import Archive
from lib.bank import TOTAL, Writers, make_bank
from lib.mysqld import PROGRAM, Mysqld, rows_in_hex

HERE = Path(__file__).resolve().parent


@unittest.skipUnless(PROGRAM, "DBSAFE_MYSQLD names no server program")
class Mysql(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = s = Mysqld(binlog=True)
        cls.addClassCleanup(s.close)
        s.start()
        print(f"server: {s.text}")
        s.client("--default-character-set=utf8mb4", stdin=open(HERE / "types.sql", "rb"))
        if not s.mariadb:
            s.client("--default-character-set=utf8mb4", stdin=open(HERE / "mysql.sql", "rb"))
        cls.before = rows_in_hex(s, "shop")
        cls.path = s.folder / "shop.tar"
        s.dbsafe("dump", "shop", "-o", cls.path, "--threads", "3", "--count-check", "always")

    def test_what_is_recorded_of_the_server(self):
        server = Archive(self.path).manifest["server"]
        self.assertEqual(server["flavour"], "MariaDB" if self.server.mariadb else "MySQL")
        self.assertIn(".".join(map(str, self.server.version)), server["version"])

    def test_verify(self):
        self.server.dbsafe("verify", self.path)
        self.server.dbsafe("verify", self.path, "--live")

    def test_beside(self):
        self.server.dbsafe("restore", self.path, "--into", "copy")
        copy = rows_in_hex(self.server, "copy")
        self.assertEqual(copy.keys(), self.before.keys())
        for table in copy:
            with self.subTest(table):
                self.assertEqual(copy[table], self.before[table])
        self.server.sql("DROP DATABASE copy")

    def test_swap_and_undo(self):
        s = self.server
        s.sql("UPDATE shop.numbers SET t=1")
        s.sql("DELETE FROM shop.large WHERE id % 3 = 0")
        s.sql("DELETE FROM shop.parent WHERE id=1")
        changed = rows_in_hex(s, "shop")
        s.dbsafe("verify", self.path, "--live", check=7)
        s.dbsafe("restore", self.path)
        self.assertEqual(rows_in_hex(s, "shop"), self.before)
        s.dbsafe("undo", "--yes")
        self.assertEqual(rows_in_hex(s, "shop"), changed)
        s.dbsafe("undo", "--yes")
        self.assertEqual(rows_in_hex(s, "shop"), self.before)

    def test_the_original_was_dropped(self):
        self.server.sql("DROP DATABASE shop")
        self.server.dbsafe("restore", self.path)
        self.assertEqual(rows_in_hex(self.server, "shop"), self.before)

    def test_one_moment(self):
        s = self.server
        if s.mariadb:
            make_bank(s)
        else:
            self.make_bank()
        methods = ["auto", "table-locks", "global-read-lock", "single-reader"]
        path = s.folder / "bank.tar"
        with Writers(s, threads=4, pause=0.002, ordered=True) as writers:
            for method in methods * 3:
                with self.subTest(method):
                    path.unlink(missing_ok=True)
                    result = s.dbsafe("dump", "bank", "-o", path, "--threads", "4", "--consistency", method, check=(0, 9))
                    if result.rc == 0:
                        archive = Archive(path)
                        print(f"{method}: {archive.consistency['method']}: {archive.consistency['proof']}")
                        total = sum(int(row[1]) for i in range(8) for row in archive.rows(f"bank.t{i}"))
                        self.assertEqual(total, TOTAL)
        print(f"{sum(writers.commits)} commits, {writers.deadlocks} deadlocks, longest transaction {writers.longest:.3f} s")

    def make_bank(self):
        """The same without MariaDB's SEQUENCE engine."""
        s = self.server
        s.sql("CREATE DATABASE bank")
        for i in range(8):
            s.sql(f"CREATE TABLE bank.t{i} (id INT PRIMARY KEY, v BIGINT NOT NULL)")
            s.sql(f"INSERT INTO bank.t{i} VALUES " + ",".join(f"({n}, 1000)" for n in range(1, 1501)))

    def test_an_account_as_on_rds(self):
        account = self.server.account("SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES ON shop.*")
        path = self.server.folder / "rds.tar"
        self.server.dbsafe("dump", "shop", "-o", path, "--threads", "3", defaults_file=account)
        self.assertEqual(Archive(path).consistency["method"], "table-locks")
