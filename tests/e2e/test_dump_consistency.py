"""Every archive shows one moment: under writers, by each method and privilege, or the dump says that it cannot."""

import signal
import subprocess
import threading
import time
import unittest

import pymysql

from lib import FULL, LOCKS_SHOWN, TestCase, differences, everything_in, sample, table_digests, wait_until
from lib.archive import Archive
from lib.bank import BASIC, Bank, Writers


class BinlogOn(Bank):
    server_options = {"binlog": True}

    def test_position_and_counter(self):
        account = self.server.account(BASIC, "PROCESS, BINLOG MONITOR ON *.*")
        for c in self.dumps(account=account, methods=["binlog-position", "table-locks", "single-reader"], share=0.5, pause=0.002):
            if c["method"] != "binlog-position":
                continue
            self.assertEqual(len(c["workers"]), 4)
            self.assertEqual(len({(w["binlog_file"], w["binlog_position"]) for w in c["workers"]}), 1)
            self.assertTrue(c["workers"][0]["binlog_file"])
            self.assertGreater(c["trx_before"], 0)
            self.assertEqual(c["trx_before"], c["trx_after"])
            self.assertRegex(c["gtid"], r"^0-1-\d+$")
            self.assertNotIn("only", c["proof"])

    def test_position_alone_says_what_it_covers(self):
        account = self.server.account(BASIC, "BINLOG MONITOR ON *.*")
        seen = self.dumps(account=account, methods=["binlog-position", "table-locks", "single-reader"], share=0.5, pause=0.002)
        proofs = {c["proof"] for c in seen if c["method"] == "binlog-position"}
        self.assertEqual(len(proofs), 1)
        self.assertIn("logged transactions only", proofs.pop())

    def test_what_is_recorded_is_where_to_go_on_from(self):
        """An archive and the binlog from its position on make what the server holds now; the GTID says the same place."""
        s, last = self.server, self.server.folder / "pitr.tar"
        other = self.own_server()
        ways = ((None, "binlog-position"), (s.account(BASIC), "table-locks"), (s.account(BASIC, "RELOAD ON *.*"), "backup-stage"))
        for account, method in sample(ways, 1, "ways to record a position"):
            with self.subTest(method), Writers(s, threads=2, pause=0.01, ordered=True) as writers:
                before = sum(writers.commits)
                result, archive = self.dump("--consistency", method, account=account, path=last)
                self.assertEqual(archive.consistency["method"], method)
                wait_until(lambda: sum(writers.commits) > before + 20, what="commits behind the snapshot")
                at = archive.consistency["workers"][0]
                gtid = s.value("SELECT BINLOG_GTID_POS(%s, %s)", (at["binlog_file"], at["binlog_position"]))
                self.assertRegex(gtid, r"^0-1-\d+$")
                self.assertEqual(archive.consistency["gtid"], gtid)
            other.dbsafe("restore", last, "--if-exists", "drop", "--yes")
            self.assertNotEqual(table_digests(other, "bank"), table_digests(s, "bank"))
            files = [name for name, *_ in s.sql("SHOW BINARY LOGS")]
            files = [s.folder / name for name in files[files.index(at["binlog_file"]):]]
            log = s.folder / "pitr.sql"
            with open(log, "wb") as out:
                subprocess.run(["mariadb-binlog", "--no-defaults", "--database=bank", f"--start-position={at['binlog_position']}", *files],
                               stdout=out, check=True, timeout=60)
            with open(log, "rb") as changes:
                other.client(stdin=changes)
            self.assertEqual(table_digests(other, "bank"), table_digests(s, "bank"))

    def test_flat_out(self):
        """Writers without a pause: a quiet moment is rare, and the dump falls back rather than fail or lie."""
        self.dumps(methods=["binlog-position", "backup-stage", "single-reader"], threads=4)

    def test_unlogged_writers_are_caught(self):
        account = self.server.account(BASIC, "PROCESS, BINLOG MONITOR ON *.*")
        self.dumps(account=account, methods=["binlog-position", "table-locks", "single-reader"], threads=0, unlogged=3, pause=0.002)
        self.dumps("--consistency", "binlog-position", account=account, methods=["binlog-position"], at_least=0, threads=1,
                   unlogged=3)

    def test_without_any_privilege(self):
        """Not even whether the binlog is filtered can be known, and nothing may be locked: one reader."""
        account = self.server.account("SELECT, SHOW VIEW, TRIGGER ON bank.*")
        seen = self.dumps(account=account, methods=["single-reader"])
        self.assertEqual({len(c["workers"]) for c in seen}, {1})
        result, _ = self.dump(account=account)
        self.assertIn("one reader", result.err)

    def test_backup_stage(self):
        account = self.server.account(BASIC, "RELOAD ON *.*")
        for c in self.dumps("--consistency", "backup-stage", account=account, methods=["backup-stage"]):
            self.assertEqual(len(c["workers"]), 4)
            self.assertIn("BLOCK_COMMIT", c["proof"])

    def test_backup_stage_holds_unlogged_writers_too(self):
        account = self.server.account(BASIC, "RELOAD ON *.*")
        self.dumps("--consistency", "backup-stage", account=account, methods=["backup-stage"], threads=1, unlogged=3)

    def test_single_reader(self):
        self.dumps("--consistency", "single-reader", methods=["single-reader"])

    def test_one_thread_needs_no_proof(self):
        result, archive = self.dump("--threads", "1")
        self.assertEqual(archive.consistency["method"], "single-reader")
        self.assertNotIn("warning", result.err)

    def test_what_cannot_be_done_is_said(self):
        account = self.server.account("SELECT, SHOW VIEW, TRIGGER ON bank.*")
        for method, missing in (("binlog-position", "BINLOG MONITOR"), ("trx-counter", "PROCESS missing"),
                                ("backup-stage", "RELOAD missing"), ("global-read-lock", "RELOAD missing"),
                                ("table-locks", "LOCK TABLES missing")):
            with self.subTest(method):
                result, archive = self.dump("--consistency", method, account=account, check=9)
                self.assertIsNone(archive)
                self.assertIn(method, result.err)
                self.assertIn(missing, result.err)
                self.assertIn("single-reader", result.err)


class BinlogOff(Bank):
    def test_trx_counter(self):
        account = self.server.account(BASIC, "PROCESS ON *.*")
        for c in self.dumps(account=account, methods=["trx-counter", "table-locks", "single-reader"], share=0.5, pause=0.002):
            if c["method"] == "trx-counter":
                self.assertGreater(c["trx_before"], 0)
                self.assertEqual(c["trx_before"], c["trx_after"])
                self.assertEqual({w["binlog_file"] for w in c["workers"]}, {""})

    def test_trx_counter_flat_out(self):
        account = self.server.account(BASIC, "PROCESS ON *.*")
        self.dumps("--consistency", "trx-counter", account=account, methods=["trx-counter"], at_least=0, threads=2)

    def test_backup_stage(self):
        account = self.server.account(BASIC, "RELOAD ON *.*")
        self.dumps(account=account, methods=["backup-stage"])

    def test_without_any_privilege(self):
        self.dumps(account=self.server.account("SELECT ON bank.*"), methods=["single-reader"])

    def test_binlog_position_is_refused(self):
        result, archive = self.dump("--consistency", "binlog-position", check=9)
        self.assertIsNone(archive)
        self.assertIn("the binlog is off", result.err)


class FilteredBinlog(Bank):
    """Commits outside of the filter do not move the position."""
    server_options = {"binlog": True, "extra": ["--binlog-do-db=elsewhere"]}

    def test_position_is_not_claimed(self):
        accounts = [(self.server.account(BASIC), "table-locks"),
                    (self.server.account("SELECT ON bank.*", "BINLOG MONITOR ON *.*"), "single-reader"),
                    (self.server.account(BASIC, "BINLOG MONITOR, PROCESS ON *.*"), "trx-counter")]
        for account, method in accounts:
            with self.subTest(method):
                self.dumps(account=account, methods={method, "table-locks", "single-reader"}, pause=0.002)
                _, archive = self.dump(account=account)
                self.assertEqual(archive.consistency["method"], method)
                result, archive = self.dump("--consistency", "binlog-position", account=account, check=9)
                self.assertIsNone(archive)
                self.assertIn("filtered", result.err)


class WithoutTransactions(TestCase):
    """MyISAM and Aria tables stand still under LOCK TABLES from before the snapshot to the end of reading."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True, extra=LOCKS_SHOWN)

    def setUp(self):
        s = self.server
        s.sql("CREATE OR REPLACE DATABASE old")
        for name, engine in (("m", "MyISAM"), ("a", "Aria"), ("i", "InnoDB")):
            s.sql(f"CREATE TABLE old.{name} (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200)) ENGINE={engine} "
                  f"SELECT seq id, REPEAT(MD5(seq), 3) v FROM seq_1_to_3000", schema="mysql")
        self.path = s.folder / "one.tar"
        self.path.unlink(missing_ok=True)

    def warnings(self, archive):
        return {w["object"]: w["text"] for w in archive.manifest["warnings"]}

    def blocked(self, statement):
        """Whether a statement has to wait."""
        connection = self.server.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION lock_wait_timeout=0")
                cursor.execute(statement)
            return False
        except pymysql.err.OperationalError as e:
            self.assertEqual(e.args[0], 1205)
            return True
        finally:
            connection.close()

    def start_stopped(self, point, *args, **options):
        run = self.server.dbsafe_start("dump", "old", "-o", self.path, "--threads", "3", *args,
                                       env={"DBSAFE_FAULT": f"stop:{point}"}, **options)
        self.addCleanup(lambda: run.running() and run.kill())
        wait_until(lambda: run.stopped() or not run.running(), what=f"stop at {point}")
        self.assertTrue(run.stopped(), run.error_text())
        return run

    def test_they_are_locked_until_all_is_read(self):
        for point in ("dump_snapshot_taken", "scan_query:2", "dump_pack:3"):
            with self.subTest(point):
                self.path.unlink(missing_ok=True)
                run = self.start_stopped(point)
                for table in "ma":
                    self.assertTrue(self.blocked(f"INSERT INTO old.{table} (v) VALUES ('late')"), table)
                self.assertFalse(self.blocked("INSERT INTO old.i (v) VALUES ('not locked')"))
                run.signal(signal.SIGCONT)
                result = run.finish(60)
                self.assertEqual(result.rc, 0, str(result))
                archive = Archive(self.path)
                for table in "ma":
                    self.assertEqual(archive.table(f"old.{table}")["rows"], 3000)
                    self.assertFalse(self.blocked(f"INSERT INTO old.{table} (v) VALUES ('after')"))
                    self.server.sql(f"DELETE FROM old.{table} WHERE v='after'")
                    self.assertIn("under a lock", self.warnings(archive)[f"old.{table}"])
                self.server.sql("DELETE FROM old.i WHERE v='not locked'")

    def test_denied(self):
        account = self.server.account("SELECT ON old.*", "PROCESS, BINLOG MONITOR ON *.*")
        result = self.server.dbsafe("dump", "old", "-o", self.path, check=9, defaults_file=account)
        self.assertFalse(self.path.exists())
        for text in ("old", "LOCK TABLES", "--allow-inconsistent"):
            self.assertIn(text, result.err)
        result = self.server.dbsafe("dump", "old.i", "-o", self.path, defaults_file=account)
        self.path.unlink()
        result = self.server.dbsafe("dump", "old", "--allow-inconsistent", "-o", self.path, "--json", defaults_file=account)
        self.assertIn("inconsistent", result.err)
        for found in (self.warnings(Archive(self.path)), {w["object"]: w["text"] for w in result.json["warnings"]}):
            for table in "ma":
                self.assertIn("inconsistent", found[f"old.{table}"])
                self.assertNotIn("under a lock", found[f"old.{table}"])
        self.server.dbsafe("verify", self.path)
        # Nothing is said to be locked that was not.
        result = self.server.dbsafe("dump", "old.m", "old.a", "--allow-inconsistent", "--consistency", "table-locks", check=9, defaults_file=account)
        self.assertIn("nothing holds the tables", result.err)

    def test_allowed_to_be_inconsistent_under_a_writer(self):
        """Rows that come between reading and counting are no reason to fail then."""
        account = self.server.account("SELECT ON old.*")
        self.server.sql("DROP TABLE old.a, old.i")
        self.server.sql("DELETE FROM old.m WHERE id>300")
        self.server.sql("OPTIMIZE TABLE old.m")
        run = self.start_stopped("dump_pack:1", "--allow-inconsistent", defaults_file=account)
        self.server.sql("INSERT INTO old.m (v) SELECT 'meanwhile' FROM seq_1_to_10", schema="mysql")
        run.signal(signal.SIGCONT)
        result = run.finish(60)
        self.assertEqual(result.rc, 0, str(result))
        self.assertEqual(Archive(self.path).table("old.m")["rows"], 300)
        self.assertIs(Archive(self.path).table("old.m")["counted"], False)

    def test_someone_holds_them(self):
        holder = self.server.connect()
        self.addCleanup(holder.close)
        with holder.cursor() as cursor:
            cursor.execute("LOCK TABLES old.m WRITE")
        begin = time.monotonic()
        result = self.server.dbsafe("dump", "old", "-o", self.path, check=13, timeout=60)
        self.assertLess(time.monotonic() - begin, 40)
        self.assertIn("`old`.`m`", result.err)
        self.assertIn(f"connection {holder.thread_id()} (root@localhost", result.err)
        self.assertFalse(self.path.exists())

    def test_cancelled_while_it_waits_for_the_lock(self):
        holder = self.server.connect()
        self.addCleanup(holder.close)
        with holder.cursor() as cursor:
            cursor.execute("LOCK TABLES old.m WRITE")
        run = self.server.dbsafe_start("dump", "old", "-o", self.path)
        wait_until(lambda: self.server.sql("SELECT 1 FROM information_schema.processlist WHERE info LIKE 'LOCK TABLES%'"),
                   what="LOCK TABLES")
        run.interrupt()
        result = run.finish(20)
        self.assertEqual(result.rc, 130, str(result))

    def test_the_lock_is_lost(self):
        """KILL of the connection that holds the lock: the rows may have changed, the dump must not claim otherwise."""
        run = self.start_stopped("scan_query:2", "--count-check", "never")
        control, holder, *_ = (i for i, in self.server.sql(
            "SELECT id FROM information_schema.processlist WHERE db IS NULL AND id<>CONNECTION_ID() AND command<>'Daemon' ORDER BY id"))
        self.server.sql(f"KILL {holder}")
        wait_until(lambda: not self.blocked("INSERT INTO old.m (v) VALUES ('torn')"), what="the end of the lock")
        run.signal(signal.SIGCONT)
        result = run.finish(60)
        self.assertEqual(result.rc, 4, str(result))
        self.assertIn("locked", result.err)
        self.assertFalse(self.path.exists())


DDL = {
    "add column at the end": "ALTER TABLE shop.b ADD COLUMN late INT DEFAULT 7, ALGORITHM=INSTANT",
    "add column in front": "ALTER TABLE shop.b ADD COLUMN late INT FIRST",
    "drop column": "ALTER TABLE shop.b DROP COLUMN w",
    "changed default": "ALTER TABLE shop.b ALTER COLUMN w SET DEFAULT 12",
    "comment": "ALTER TABLE shop.b COMMENT 'another'",
    "rebuilt": "ALTER TABLE shop.b FORCE, ALGORITHM=COPY",
    "index added": "ALTER TABLE shop.b ADD INDEX (w)",
    "key dropped": "ALTER TABLE shop.b DROP PRIMARY KEY, MODIFY id INT NOT NULL",
    "truncated": "TRUNCATE TABLE shop.b",
    "dropped": "DROP TABLE shop.b",
    "made anew": "CREATE OR REPLACE TABLE shop.b (id INT NOT NULL PRIMARY KEY, v VARCHAR(100), w INT DEFAULT 5)",
    "renamed": "RENAME TABLE shop.b TO shop.elsewhere",
    "exchanged": "RENAME TABLE shop.b TO shop.aside, shop.c TO shop.b, shop.aside TO shop.c",
    "schema dropped": "DROP DATABASE shop",
}


class DdlDuringDump(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)

    def setUp(self):
        s = self.server
        s.sql("CREATE OR REPLACE DATABASE shop")
        # Read in the order of their size: a, b, c.
        for name, rows in (("a", 6000), ("b", 3000), ("c", 1000)):
            s.sql(f"CREATE TABLE shop.{name} (id INT NOT NULL PRIMARY KEY, v VARCHAR(100), w INT DEFAULT 5) "
                  f"SELECT seq id, MD5(seq) v, seq w FROM seq_1_to_{rows}", schema="mysql")
            s.sql(f"ANALYZE TABLE shop.{name}")
        # dbsafe sees an exchange of tables by their times, in whole seconds
        wait_until(lambda: s.value("SELECT MAX(create_time) < NOW() FROM information_schema.tables WHERE table_schema='shop'"))
        for archive in s.archives():
            (s.store / archive).unlink()

    def start_stopped(self, point, *args):
        run = self.server.dbsafe_start("dump", "shop", *args, env={"DBSAFE_FAULT": f"stop:{point}"})
        self.addCleanup(lambda: run.running() and run.kill())
        wait_until(lambda: run.stopped() or not run.running(), what=f"stop at {point}")
        self.assertTrue(run.stopped(), run.error_text())
        return run

    def check_fails(self, point, name, *args):
        run = self.start_stopped(point, *args)
        self.server.sql(DDL[name])
        run.signal(signal.SIGCONT)
        result = run.finish(60)
        self.assertEqual(result.rc, 9, str(result))
        self.assertRegex(result.err, r"shop\.[bc]" if name == "exchanged" else r"shop\.[abc]" if "schema" in name else r"shop\.b")
        self.assertIn("DDL", result.err)
        self.assertEqual(self.server.archives(), [])
        self.assertEqual([f.name for f in self.server.store.iterdir()], [])

    def test_renamed_before_the_table_is_read(self):
        """A table that came into being by then: all is planned anew, with it."""
        run = self.start_stopped("dump_snapshot_taken", "--threads", "3")
        self.server.sql(DDL["renamed"])
        run.signal(signal.SIGCONT)
        result = run.finish(60)
        self.assertEqual(result.rc, 0, str(result))
        self.server.dbsafe("verify", "latest", "--live")
        self.assertEqual(sorted(t["name"] for t in self.server.dbsafe("show", "latest", "--json").json["tables"]), ["a", "c", "elsewhere"])

    def test_before_the_table_is_read(self):
        for name in sample([n for n in DDL if n != "renamed"], 7, "before"):
            with self.subTest(name):
                self.setUp()
                self.check_fails("dump_snapshot_taken", name, "--threads", "3")

    def test_while_another_table_is_read(self):
        names = [n for n in DDL if n != "schema dropped"]  # that waits for the table that is read
        for name in sample(names, 7, "while"):
            with self.subTest(name):
                self.setUp()
                self.check_fails("dump_pack:1", name, "--threads", "1")

    def test_a_changed_definition_between_plan_and_snapshot(self):
        """The plan is made from 12 statements or more; the snapshot comes after them."""
        self.server.sql("CREATE TABLE shop.last_one (id INT PRIMARY KEY)")
        run = self.start_stopped("sink_write:1")
        self.server.sql(DDL["add column at the end"])
        run.signal(signal.SIGCONT)
        result = run.finish(60)
        self.assertEqual(result.rc, 9, str(result))
        self.assertIn("shop.b", result.err)

    def test_dropped_while_the_plan_is_made(self):
        for statement in ("DROP TABLE shop.b", "RENAME TABLE shop.b TO shop.gone"):
            with self.subTest(statement):
                self.setUp()
                run = self.start_stopped("plan_describe:2")
                self.server.sql(statement)
                run.signal(signal.SIGCONT)
                result = run.finish(60)
                self.assertEqual(result.rc, 9, str(result))
                self.assertRegex(result.err, r"shop\.b.*DDL")

    def test_made_while_the_plan_is_made(self):
        """Rows that moved into it meanwhile are nowhere else: it is planned anew."""
        run = self.start_stopped("plan_describe:3")
        self.server.sql("CREATE TABLE shop.a_archive LIKE shop.a")
        self.server.sql("CREATE VIEW shop.few AS SELECT id FROM shop.b")
        with self.server.connect() as c, c.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO shop.a_archive SELECT * FROM shop.a WHERE id <= 1000")
            cursor.execute("DELETE FROM shop.a WHERE id <= 1000")
            c.commit()
        run.signal(signal.SIGCONT)
        result = run.finish(60)
        self.assertEqual(result.rc, 0, str(result))
        archive = Archive(self.server.store / self.server.archives()[0])
        self.assertEqual([archive.table(f"shop.{name}")["rows"] for name in ("a", "a_archive")], [5000, 1000])
        self.assertEqual([o["name"] for o in archive.manifest["objects"]], ["few"])

    def test_tables_that_come_without_end(self):
        end, problems = threading.Event(), []

        def make():
            n = 0
            try:
                while not end.is_set():
                    n += 1
                    self.server.sql(f"CREATE TABLE shop.work_{n} (id INT PRIMARY KEY)")
            except Exception as e:
                problems.append(e)
        thread = threading.Thread(target=make)
        thread.start()
        try:
            result = self.server.dbsafe("dump", "shop", check=(0, 9))
            if result.rc == 9:
                self.assertRegex(result.err, r"shop\.work_\d+.*--exclude")
            excluded = self.server.dbsafe("dump", "shop", "--exclude", "shop.work_*", "--json").json
        finally:
            end.set()
            thread.join()
        self.assertEqual(problems, [])
        self.assertEqual(excluded["tables"], 3)

    def test_auto_increment_may_move(self):
        self.server.sql("ALTER TABLE shop.b MODIFY id INT AUTO_INCREMENT")
        run = self.start_stopped("dump_snapshot_taken")
        self.server.sql("INSERT INTO shop.b (v) VALUES ('new')")
        run.signal(signal.SIGCONT)
        result = run.finish(60)
        self.assertEqual(result.rc, 0, str(result))
        self.assertEqual(Archive(self.server.store / self.server.archives()[0]).table("shop.b")["rows"], 3000)

    def wait_for_metadata_lock(self):
        wait_until(lambda: self.server.sql("SELECT 1 FROM information_schema.processlist WHERE state LIKE '%metadata lock%'"),
                   what="a statement that waits for a metadata lock")

    def alter_in_background(self, statement):
        problems = []

        def work():
            try:
                self.server.sql(statement)
            except Exception as e:
                problems.append(e)
        thread = threading.Thread(target=work)
        thread.start()
        self.addCleanup(thread.join)
        self.wait_for_metadata_lock()
        return thread, problems

    def test_of_a_table_being_read_waits(self):
        run = self.start_stopped("dump_pack:1", "--threads", "1")
        thread, problems = self.alter_in_background("ALTER TABLE shop.a ADD COLUMN late INT")
        run.signal(signal.SIGCONT)
        result = run.finish(60)
        self.assertEqual(result.rc, 0, str(result))
        thread.join()
        self.assertEqual(problems, [])
        self.assertEqual(Archive(self.server.store / self.server.archives()[0]).table("shop.a")["rows"], 6000)

    def test_that_waits_between_two_readers_of_one_table(self):
        """A reader has the table open, DDL waits for it, and a second reader would wait for the DDL: nobody may wait for long."""
        self.server.sql("CREATE OR REPLACE TABLE shop.a (id INT NOT NULL PRIMARY KEY, v VARCHAR(900)) "
                        "SELECT seq id, REPEAT(MD5(seq), 24) v FROM seq_1_to_100000", schema="mysql")
        self.server.sql("ANALYZE TABLE shop.a")
        run = self.server.dbsafe_start("dump", "shop.a", "--threads", "4", "--chunk-size", "64K",
                                       env={"DBSAFE_FAULT": "stop:dump_pack:20"})
        self.addCleanup(lambda: run.running() and run.kill())
        wait_until(lambda: run.stopped() or not run.running(), what="the stop")
        thread, problems = self.alter_in_background("ALTER TABLE shop.a ADD COLUMN late INT")
        run.signal(signal.SIGCONT)
        begin = time.monotonic()
        result = run.finish(60)
        print(f"{self.id()}: exit {result.rc} after {time.monotonic() - begin:.1f} s")
        self.assertIn(result.rc, (0, 9), str(result))
        if result.rc == 9:
            self.assertIn("shop.a", result.err)
            self.assertIn("DDL", result.err)
            self.assertEqual(self.server.archives(), [])
        thread.join()
        self.assertEqual(problems, [])


class QuietDdl(TestCase):
    """DDL that changes neither a definition nor its time, and of which the server itself tells an old snapshot nothing, or not for long."""

    def stopped(self, s, account, *args):
        run = s.dbsafe_start("dump", "shop", *args, defaults_file=account, env={"DBSAFE_FAULT": "stop:dump_snapshot_taken"})
        self.addCleanup(lambda: run.running() and run.kill())
        wait_until(lambda: run.stopped() or not run.running(), what="the stop")
        self.assertTrue(run.stopped(), run.error_text())
        return run

    def finished(self, run):
        run.signal(signal.SIGCONT)
        return run.finish(60)

    def exchange_tables(self, s):
        s.load("CREATE OR REPLACE DATABASE shop;\nUSE shop;\n"
               "CREATE TABLE p (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN (200));\n"
               "CREATE TABLE x (id INT PRIMARY KEY, v INT);\n"
               "INSERT INTO p VALUES (1, 1), (2, 1), (150, 1);\nINSERT INTO x VALUES (1, 2), (5, 2), (6, 2);\n")

    def test_partitions_that_are_exchanged(self):
        s = self.own_server(binlog=True)
        self.exchange_tables(s)
        run = self.stopped(s, None)
        s.sql("ALTER TABLE shop.p EXCHANGE PARTITION p0 WITH TABLE shop.x")
        result = self.finished(run)
        self.assertEqual(result.rc, 9, str(result))
        self.assertRegex(result.err, r"shop\.[px].*DDL")
        self.assertEqual(s.archives(), [])

    def test_partitions_that_are_exchanged_where_the_server_does_not_tell(self):
        """Without PROCESS the exchange waits until all is read, or fails the dump."""
        s = self.own_server(binlog=True)
        self.exchange_tables(s)
        run = self.stopped(s, s.account("SELECT, LOCK TABLES, SHOW VIEW, TRIGGER, EVENT ON shop.*"))
        thread = threading.Thread(target=s.sql, args=("ALTER TABLE shop.p EXCHANGE PARTITION p0 WITH TABLE shop.x",))
        thread.start()
        self.addCleanup(thread.join)
        wait_until(lambda: s.sql("SELECT 1 FROM information_schema.processlist WHERE state LIKE '%metadata lock%'"), what="the exchange waits")
        result = self.finished(run)
        self.assertIn(result.rc, (0, 9), str(result))
        if result.rc == 0:
            archive = Archive(s.store / s.archives()[0])
            self.assertEqual(sorted(archive.rows("shop.p")), [[b"1", b"1"], [b"150", b"1"], [b"2", b"1"]])
            self.assertEqual(len(archive.rows("shop.x")), 3)

    @unittest.skipUnless(FULL, "takes minutes: --full")
    def test_a_table_that_was_emptied_and_forgotten(self):
        """InnoDB knows that an old snapshot may not read a table that was truncated, until it puts the table out of its cache: then it has no rows."""
        s = self.own_server(binlog=True, extra=["--table-definition-cache=400", "--table-open-cache=100"])
        s.sql("CREATE DATABASE others")
        for i in range(700):
            s.sql(f"CREATE TABLE others.t{i} (id INT)")
        s.sql("CREATE DATABASE shop")
        s.sql("CREATE TABLE shop.t (id INT PRIMARY KEY) SELECT seq id FROM seq_1_to_1000", schema="mysql")
        s.sql("CREATE TABLE shop.u (id INT PRIMARY KEY) SELECT seq id FROM seq_1_to_10", schema="mysql")
        runs = [self.stopped(s, account, "--count-check", "always")
                for account in (None, s.account("SELECT, LOCK TABLES, SHOW VIEW, TRIGGER, EVENT ON shop.*"))]
        with s.connect() as old, old.cursor() as cursor:
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            s.sql("TRUNCATE shop.t")

            def forgotten():
                end = time.monotonic() + 55
                while time.monotonic() < end:
                    for i in range(700):
                        s.sql(f"SELECT COUNT(*) FROM others.t{i}")
                try:
                    cursor.execute("SELECT COUNT(*) FROM shop.t")
                    return cursor.fetchone()[0] == 0
                except pymysql.err.OperationalError as e:
                    self.assertEqual(e.args[0], 1412)
                    return False
            wait_until(forgotten, 400, "the server forgets")
        for run in runs:
            result = self.finished(run)
            self.assertEqual(result.rc, 9, str(result))
            self.assertRegex(result.err, r"shop\.t.*emptied.*DDL")
        self.assertEqual(s.archives(), [])


class NamesThatDifferInCase(TestCase):
    def test_each_database_has_its_own(self):
        s = self.own_server()
        for schema, value in (("loja", 1), ("LOJA", 2), ("lója", 3)):
            s.load(f"CREATE DATABASE `{schema}`;\nUSE `{schema}`;\nCREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES ({value});\n"
                   f"CREATE VIEW v AS SELECT id + {value} x FROM t;\n")
        s.load("CREATE PROCEDURE LOJA.p() SELECT 2;\nCREATE EVENT LOJA.e ON SCHEDULE EVERY 1 YEAR DO SET @x = 2;\n"
               "CREATE FUNCTION `lója`.p() RETURNS INT RETURN 3;\n")
        before = {name: everything_in(s, name) for name in ("loja", "LOJA", "lója")}
        archive = s.folder / "all.tar"
        s.dbsafe("dump", "loja", "-o", archive)
        self.assertEqual([o["name"] for o in Archive(archive).manifest["objects"]], ["v"])
        archive.unlink()
        s.dbsafe("dump", "--all-databases", "-o", archive)
        for name in before:
            s.sql(f"DROP DATABASE `{name}`")
        s.dbsafe("restore", archive)
        for name in before:
            self.assertEqual(differences(before[name], everything_in(s, name)), [], name)
