"""Tables that together always hold the same sum, writers that move amounts between them, and dumps under these writers."""

import threading
import time

import pymysql

from .archive import Archive
from .case import FULL, TestCase, rng, wait_until

DUMPS = 100 if FULL else 6
LADDER_DUMPS = 200 if FULL else 6
TABLES = 8
ROWS = 1500
EACH = 1000
TOTAL = TABLES * ROWS * EACH
BASIC = "SELECT, SHOW VIEW, LOCK TABLES, TRIGGER ON bank.*"


def make_bank(server):
    """Tables that together always hold TOTAL."""
    server.sql("CREATE DATABASE bank")
    for i in range(TABLES):
        server.sql(f"CREATE TABLE bank.t{i} (id INT PRIMARY KEY, v BIGINT NOT NULL) SELECT seq id, {EACH} v FROM seq_1_to_{ROWS}",
                   schema="mysql")


class Writers:
    """Threads that move amounts from one table to another, in transactions, until the end of the with block."""

    def __init__(self, server, threads=3, unlogged=0, pause=0.0, ordered=False):
        """ordered: they change their two tables in one order, so that they never deadlock among themselves."""
        self.server, self.pause, self.ordered = server, pause, ordered
        self.kinds = ["logged"] * threads + ["unlogged"] * unlogged
        self.stop = threading.Event()
        self.commits = [0] * len(self.kinds)
        self.deadlocks = 0
        self.longest = 0.0  # seconds of one transaction, pauses aside
        self.problems = []

    def work(self, number):
        try:
            r = rng(f"writer {number}")
            connection = self.server.connect(autocommit=False)
            with connection.cursor() as cursor:
                if self.kinds[number] == "unlogged":
                    cursor.execute("SET SESSION sql_log_bin=0")
                while not self.stop.is_set():
                    giver, taker = r.sample(range(TABLES), 2)
                    amount, row = r.randrange(1, 50), r.randrange(1, ROWS + 1)
                    if self.ordered and giver > taker:
                        giver, taker, amount = taker, giver, -amount
                    begin = time.monotonic()
                    try:
                        cursor.execute(f"UPDATE bank.t{giver} SET v=v-{amount} WHERE id={row}")
                        cursor.execute(f"UPDATE bank.t{taker} SET v=v+{amount} WHERE id={r.randrange(1, ROWS + 1)}")
                        connection.commit()
                        self.commits[number] += 1
                    except pymysql.err.OperationalError as e:
                        if e.args[0] != 1213:
                            raise
                        self.deadlocks += 1
                        connection.rollback()
                    self.longest = max(self.longest, time.monotonic() - begin)
                    if self.pause:
                        self.stop.wait(self.pause * (0.5 + r.random()))
            connection.close()
        except Exception as e:  # reported by the test's own thread
            self.problems.append(e)

    def __enter__(self):
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(len(self.kinds))]
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.problems or all(self.commits), what="the writers' first commits")
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        if self.problems:
            raise self.problems[0]


class Bank(TestCase):
    server_options = {}

    @classmethod
    def setUpClass(cls):
        if cls is Bank:
            return
        cls.server = cls.use_server(**cls.server_options)
        make_bank(cls.server)

    def tearDown(self):
        if self.server:
            self.server.sql("FLUSH TABLES")  # nothing may be left locked

    def total(self, archive):
        return sum(int(row[1]) for i in range(TABLES) for row in archive.rows(f"bank.t{i}"))

    def dump(self, *args, account=None, check=0, path=None):
        path = path or self.server.folder / "one.tar"
        path.unlink(missing_ok=True)
        result = self.server.dbsafe("dump", "bank", "--threads", "4", "--count-check", "always", "-o", path, *args, check=check,
                                    defaults_file=account, timeout=60)
        return result, Archive(path) if path.exists() else None

    def dumps(self, *args, account=None, methods, at_least=0.95, share=0, count=DUMPS, victims=True, **writers):
        """
        count dumps under writers: those that succeed are consistent and say how; the others exit 9 and leave nothing.
        share: of all, at least so many by the first of the methods, which the others are there to stand in for.
        """
        good, seen = 0, []
        with Writers(self.server, **writers) as w:
            for _ in range(count):
                result, archive = self.dump(*args, account=account, check=(0, 9))
                if result.rc == 9:
                    self.assertIsNone(archive)
                    continue
                good += 1
                self.assertEqual(self.total(archive), TOTAL, f"{archive.consistency}\n{result}")
                self.assertIn(archive.consistency["method"], methods, str(result))
                self.assertTrue(archive.consistency["proof"])
                self.assertGreaterEqual(archive.consistency["tries"], 1)
                self.assertTrue(all(t["counted"] for t in archive.manifest["tables"]))
                seen.append(archive.consistency)
        self.assertGreaterEqual(good, at_least * count)
        counts = {m: sum(c["method"] == m for c in seen) for m in methods}
        print(f"{self.id()}: {good} of {count} succeeded, methods {counts}, "
              f"at most {max([c['tries'] for c in seen], default=0)} tries, {sum(w.commits)} commits, {w.deadlocks} deadlocks, longest transaction {w.longest:.3f} s")
        self.assertGreaterEqual(counts.get(next(iter(methods)), 0), share * count, counts)
        if not victims:
            self.assertEqual(w.deadlocks, 0)
        return seen
