"""Restore and undo when the process, the server or a call dies: live tables are all old or all new, and there is a way on."""

import re
import signal
import threading
import time

import pymysql

from lib import SANITIZED, TestCase, expect, rng, sample, table_digests, wait_until
from lib.process import SLOWER
from lib.world import WorldCase, ours

# Every fault point on the way of a restore, in its order; those from the first in AFTER on stand behind the exchange.
POINTS = ["restore_journalled", "load_read:1", "load_read:4", "restore_loaded", "stage_alter", "stage_alter:3", "stage_verify",
          "restore_verified", "swap_begin", "swap_rename", "swap_renamed", "swap_finish"]
AFTER = ("swap_renamed", "swap_finish")
UNDO_POINTS = ["undo_begin", "swap_rename", "swap_renamed", "undo_swapped"]


def fault(action, point):
    return {"DBSAFE_FAULT": f"{action}:{point}"}


class FaultCase(WorldCase):
    large_rows = 6000

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server()
        cls.make_world()

    def restore(self, *args, check=0, **options):
        return self.server.dbsafe("restore", self.archive, *args, check=check, **options)

    def started(self, *args, **options):
        run = self.server.dbsafe_start(*args, **options)
        self.addCleanup(lambda: run.result is None and (run.kill(), run.finish()))
        return run

    def listed(self):
        return self.server.dbsafe("undo", "--list", "--json").json["restores"]

    def only_id(self):
        listed = self.listed()
        self.assertEqual(len(listed), 1, listed)
        return listed[0]["restore_id"]


class Killed(FaultCase):
    """kill -9 of dbsafe."""

    def kill_restore_at(self, point, *args):
        self.back_to_old()
        self.restore(*args, check=-9, env=fault("kill", point))
        self.assertEqual(self.live(), "new" if point in AFTER else "old", point)

    def test_then_resume(self):
        for point in POINTS:
            for threads in (1, 4) if point.startswith("load_read") else (2,):
                with self.subTest(point=point, threads=threads):
                    self.kill_restore_at(point, "--threads", threads)
                    result = self.restore("--resume", "--json").json
                    self.assertEqual(self.live(), "new")
                    self.assert_only_undo_of(result["restore_id"])
                    self.assertEqual((result["tables"], result["verified"], result["swapped"]), (6, True, True))
                    self.assertEqual(result["rows"], sum(rows for _, rows, _ in self.new.values()))
                    self.assertEqual(table_digests(self.server, "dbsafe_undo_" + result["restore_id"]), self.old)
                    self.server.dbsafe("verify", self.archive, "--live")

    def test_then_undo(self):
        for point in POINTS:
            with self.subTest(point=point):
                self.kill_restore_at(point)
                identity = self.only_id()
                result = self.server.dbsafe("undo", identity, "--json").json
                self.assertEqual(self.live(), "old")
                self.assertEqual(result["swapped"], point in AFTER)
                if point in AFTER:
                    self.assert_only_undo_of(result["restore_id"])
                    self.assertEqual(table_digests(self.server, "dbsafe_undo_" + result["restore_id"]), self.new)
                else:
                    self.assert_nothing_of_ours()

    def test_then_another_restore(self):
        """Without --resume the dead run is told of, and does not disturb."""
        for point in ("restore_loaded", "restore_verified", "swap_renamed"):
            with self.subTest(point=point):
                self.kill_restore_at(point)
                identity = self.only_id()
                result = self.restore("--json")
                self.assertIn(identity, result.err)
                self.assertEqual(self.live(), "new")
                self.server.dbsafe("undo", identity)

    def test_with_drop(self):
        for point in sample(["restore_loaded", "restore_verified", "swap_rename"], 2, "drop") + list(AFTER):
            with self.subTest(point=point):
                self.kill_restore_at(point, "--if-exists", "drop", "--yes")
                self.restore("--resume", "--if-exists", "drop", "--yes")
                self.assertEqual(self.live(), "new")
                self.assert_nothing_of_ours()

    def test_from_a_pipe(self):
        for point in sample(["load_read:4", "restore_loaded", "restore_verified", "swap_renamed"], 2, "pipe"):
            with self.subTest(point=point), open(self.archive, "rb") as one, open(self.archive, "rb") as two:
                self.back_to_old()
                self.server.dbsafe("restore", "-", check=-9, stdin=one, env=fault("kill", point))
                self.server.dbsafe("restore", "-", "--resume", stdin=two)
                self.assertEqual(self.live(), "new")
                self.assert_only_undo_of(self.only_id())

    def test_resume_of_something_else_is_refused(self):
        self.kill_restore_at("restore_verified")
        s = self.server
        other = s.folder / "other.tar"
        s.dbsafe("dump", "world.tree", "-o", other)
        result = s.dbsafe("restore", other, "--resume", check=10)
        self.assertIn(self.only_id(), result.err)
        self.restore("--resume")
        self.assertEqual(self.live(), "new")

    def test_resume_with_other_options_is_refused(self):
        s = self.server
        s.dbsafe("restore", self.archive, "--tables", "tree", check=-9, env=fault("kill", "restore_verified"))
        for other in ([], ["--tables", "large"], ["--tables", "tree", "--into", "elsewhere"],
                      ["--tables", "tree", "--if-exists", "drop", "--yes"], ["--tables", "tree", "--no-verify"]):
            with self.subTest(other):
                self.assertIn("begun with --tables tree --if-exists swap", self.restore("--resume", *other, check=10).err)
        self.restore("--resume", "--tables", "tree", "--threads", 1)
        self.assertEqual(table_digests(s, "world")["tree"], self.new["tree"])

    def test_resume_checks_foreign_keys_again(self):
        s = self.server
        self.kill_restore_at("restore_verified")
        s.sql("CREATE DATABASE late")
        self.addCleanup(s.sql, "DROP DATABASE late")
        s.sql("CREATE TABLE late.c (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES world.tree (id))")
        self.assertIn("late.c", self.restore("--resume", check=10).err)
        self.assertEqual(self.live(), "old")
        s.sql("DROP TABLE late.c")
        self.restore("--resume", env=fault("fail", "load_read"))  # nothing is loaded again
        self.assertEqual(self.live(), "new")

    def test_at_any_statement(self):
        """Between any two statements that it sends."""
        dead = 0
        for n in sample(range(1, 140), 10, "kill_query"):
            with self.subTest(n=n):
                self.back_to_old()
                result = self.restore(check=(0, -9), env=fault("kill", f"db_query:{n}"))
                dead += result.rc != 0
                self.assertIn(self.live(), ("old", "new"))
                if result.rc == 0:
                    self.assertEqual(self.live(), "new")
                    continue
                result = self.restore("--resume", "--json").json
                self.assertEqual(self.live(), "new")
                self.assert_only_undo_of(result["restore_id"])
        self.assertGreater(dead, 4)

    def test_undo(self):
        for point in UNDO_POINTS:
            for by_id in (False, True):
                with self.subTest(point=point, by_id=by_id):
                    self.back_to_old()
                    identity = self.restore("--json").json["restore_id"]
                    self.server.dbsafe("undo", check=-9, env=fault("kill", point))
                    self.assertEqual(self.live(), "old" if point in ("swap_renamed", "undo_swapped") else "new")
                    result = self.server.dbsafe("undo", *([identity] if by_id else []), "--json").json
                    self.assertEqual(self.live(), "old")
                    self.assertIs(result["swapped"], True)
                    self.assert_only_undo_of(result["restore_id"])
                    self.server.dbsafe("undo")
                    self.assertEqual(self.live(), "new")

    def test_undo_that_died_is_cleared_by_its_id(self):
        self.back_to_old()
        self.restore()
        self.server.dbsafe("undo", check=-9, env=fault("kill", "undo_begin"))
        dead = [e["restore_id"] for e in self.listed() if e["kind"] == "undo"]
        self.assertEqual(len(dead), 1)
        self.server.dbsafe("undo", dead[0])
        self.assertEqual(self.live(), "new")
        self.assertEqual([e["kind"] for e in self.listed()], ["restore"])


class Failed(FaultCase):
    """Every call that can fail, once."""

    def assert_told(self, result):
        """A failure is one, a success is one, and nothing else is left behind."""
        s = self.server
        if result.rc == 0:
            self.assertEqual(self.live(), "new")
        else:
            self.assertEqual(self.live(), "old")
            self.assertNotIn("could not be removed", result.err)
            self.assert_nothing_of_ours()
        if "could not be removed" not in result.err:
            self.assertEqual([n for n in ours(s) if "stage" in n], [])

    def test_at_each_point(self):
        for point in POINTS:
            with self.subTest(point=point):
                self.back_to_old()
                result = self.restore(check=None, env=fault("fail", point))
                if point not in AFTER:
                    self.assertIn(result.rc, (4, 7, 8), result)
                self.assert_told(result)
                if point in AFTER:
                    self.assertEqual(result.rc, 0, result)
                    self.assertIn("could not be removed" if point == "swap_finish" else "to undo this", result.err)
                    self.restore("--resume")
                    self.assertEqual([n for n in ours(self.server) if "stage" in n], [])

    def test_at_any_statement(self):
        failed = 0
        for n in sample(range(1, 140), 14, "fail_query"):
            with self.subTest(n=n):
                self.back_to_old()
                result = self.restore(check=(0, 4), env=fault("fail", f"db_query:{n}"))
                failed += result.rc != 0
                self.assert_told(result)
        self.assertGreater(failed, 5)

    def test_two_statements(self):
        """The second one may hit the cleaning up: then it says so, and undo clears."""
        for n in sample(range(20, 110), 4, "fail_two"):
            with self.subTest(n=n):
                self.back_to_old()
                result = self.restore(check=(0, 4), env={"DBSAFE_FAULT": f"fail:db_query:{n},fail:db_query:{n + 3}"})
                self.assertEqual(self.live(), "new" if result.rc == 0 else "old")
                if result.rc and ours(self.server):
                    self.assertIn("could not be removed", result.err)
                    for entry in self.listed():
                        self.server.dbsafe("undo", entry["restore_id"])
                    self.assertEqual(self.live(), "old")

    def test_threads_that_cannot_start(self):
        for n in (1, 2, 3, 5, 7):
            with self.subTest(n=n):
                self.back_to_old()
                result = self.restore("--threads", 4, check=None, env=fault("fail", f"group_spawn:{n}"))
                self.assert_told(result)

    def test_undo_at_any_statement(self):
        for n in sample(range(1, 60), 6, "fail_undo"):
            with self.subTest(n=n):
                self.back_to_old()
                identity = self.restore("--json").json["restore_id"]
                result = self.server.dbsafe("undo", check=(0, 4), env=fault("fail", f"db_query:{n}"))
                self.assertEqual(self.live(), "old" if result.rc == 0 else "new")
                if result.rc:
                    self.assert_only_undo_of(identity)


class Interrupted(FaultCase):
    """SIGINT and SIGTERM."""

    def interrupt(self, run, number, point):
        wait_until(run.stopped, what=point)
        run.signal(number)
        run.signal(signal.SIGCONT)
        result = run.finish()
        live = self.live()
        if result.rc == 0:
            self.assertEqual(live, "new")
            return result
        self.assertEqual(result.rc, 128 + number, result)
        self.assertEqual(live, "old")
        self.assert_nothing_of_ours()
        return result

    def test_at_each_point(self):
        for i, point in enumerate(POINTS):
            number = (signal.SIGINT, signal.SIGTERM)[i % 2]
            with self.subTest(point=point, number=number):
                self.back_to_old()
                run = self.started("restore", self.archive, env=fault("stop", point))
                result = self.interrupt(run, number, point)
                if point in AFTER:
                    self.assertEqual(result.rc, 0, result)
                    self.assertEqual([n for n in ours(self.server) if "stage" in n], [])
                elif point in ("restore_journalled", "load_read:1"):
                    self.assertNotEqual(result.rc, 0, result)

    def test_behind_the_exchange_where_nothing_is_kept(self):
        """The journal is gone then: that is the end, not a reason to look for it."""
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number=number):
                self.back_to_old()
                run = self.started("restore", self.archive, "--if-exists", "drop", "--yes", env=fault("stop", "swap_finish"))
                self.assertEqual(self.interrupt(run, number, "swap_finish").rc, 0)
                self.assert_nothing_of_ours()

    def test_at_any_moment(self):
        random = rng("signals")
        for _ in range(6):
            with self.subTest():
                self.back_to_old()
                run = self.started("restore", self.archive)
                time.sleep(random.uniform(0, 0.25) * SLOWER)  # not waiting for anything: any moment will do
                run.signal(random.choice((signal.SIGINT, signal.SIGTERM)))
                result = run.finish()
                self.assertIn(result.rc, (0, 130, 143, -2, -15), result)
                self.assertEqual(self.live(), "new" if result.rc == 0 else "old")
                if result.rc:
                    self.assert_nothing_of_ours()

    def test_while_it_waits_for_a_lock(self):
        self.back_to_old()
        blocker = self.server.connect(autocommit=False)
        self.addCleanup(blocker.close)
        with blocker.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM world.tree")
        for number in (signal.SIGINT, signal.SIGTERM):
            run = self.started("restore", self.archive)
            wait_until(lambda: "waits for a lock" in run.error_text(), what="the first try of the swap")
            run.signal(number)
            result = run.finish()
            self.assertEqual(result.rc, 128 + number, result)
            self.assertLess(result.seconds, 30 * SLOWER)
            self.assert_nothing_of_ours()
        blocker.rollback()
        self.assertEqual(self.live(), "old")

    def test_undo(self):
        for point in UNDO_POINTS:
            with self.subTest(point=point):
                self.back_to_old()
                identity = self.restore("--json").json["restore_id"]
                run = self.started("undo", env=fault("stop", point))
                wait_until(run.stopped, what=point)
                run.terminate()
                run.signal(signal.SIGCONT)
                result = run.finish()
                self.assertIn(result.rc, (0, 143), result)
                self.assertEqual(self.live(), "old" if result.rc == 0 else "new")
                if result.rc:
                    self.assert_only_undo_of(identity)
                else:
                    self.assertEqual(len(ours(self.server)), 2, ours(self.server))


class Blocked(FaultCase):
    """A transaction that someone left open on a live table."""

    def setUp(self):
        self.back_to_old()
        self.blocker = self.hold("SELECT COUNT(*) FROM world.large")

    def hold(self, statement, **options):
        connection = self.server.connect(autocommit=False, **options)
        self.addCleanup(self.release, connection)
        with connection.cursor() as cursor:
            cursor.execute(statement)
        return connection

    def release(self, connection):
        try:
            connection.rollback()
            connection.close()
        except pymysql.err.Error:
            pass

    def assert_names(self, connection, text):
        self.assertRegex(text, rf"connection {connection.thread_id()} \(root@localhost, open for \d+ s\)")

    def test_timeout_names_the_blocker_and_keeps_the_staging(self):
        s = self.server
        stalls, end = [], threading.Event()

        def read():
            reader = s.connect()
            with reader.cursor() as cursor:
                while not end.is_set():
                    begin = time.monotonic()
                    cursor.execute("SELECT COUNT(*) FROM world.large WHERE id < 10")
                    stalls.append(time.monotonic() - begin)
            reader.close()
        thread = threading.Thread(target=read)
        thread.start()
        try:
            begin = time.monotonic()
            result = self.restore("--lock-timeout", 5, check=13)
            seconds = time.monotonic() - begin
        finally:
            end.set()
            thread.join()
        self.assert_names(self.blocker, result.err.splitlines()[-1])
        self.assertIn("--resume", result.err)
        self.assertGreater(seconds, 3)
        self.assertLess(seconds, 5 + 6 * SLOWER)
        self.assertGreater(max(stalls), 0.5, "the test did not see the swap wait")
        self.assertLess(max(stalls), 2.0 * (SLOWER if SANITIZED else 1))
        self.assertEqual(self.live(), "old")
        staging = [n for n in ours(s) if n.startswith("dbsafe_stage_")]
        self.assertEqual(table_digests(s, staging[0]), self.new)
        self.assertEqual(self.listed()[0]["state"], "verified")
        # the blocker is still there: the same again
        self.restore("--resume", "--lock-timeout", 1, check=13)
        self.release(self.blocker)
        resumed = self.restore("--resume", "--json", env=fault("fail", "load_read")).json
        self.assertEqual((resumed["verified"], resumed["swapped"], resumed["tables"]), (True, True, 6))
        self.assertEqual(self.live(), "new")
        self.assert_only_undo_of(resumed["restore_id"])

    def test_undo_clears_what_was_kept(self):
        result = self.restore("--lock-timeout", 1, check=13)
        identity = re.search(r"dbsafe undo (\S+?)`", result.err)[1]
        self.server.dbsafe("undo", identity)  # the blocker does not matter to that
        self.assert_nothing_of_ours()
        self.release(self.blocker)
        self.assertEqual(self.live(), "old")

    def test_kill_blockers(self):
        innocent = self.hold("SELECT * FROM world.tree LIMIT 0")
        self.release(innocent)
        innocent = self.hold("SELECT COUNT(*) FROM mysql.global_priv")  # a younger one, elsewhere
        result = self.restore("--kill-blockers")
        self.assertIn(f"ended connection {self.blocker.thread_id()} ", result.err)
        self.assertEqual(self.live(), "new")
        with self.assertRaises(pymysql.err.Error), self.blocker.cursor() as cursor:
            cursor.execute("SELECT 1")
        with innocent.cursor() as cursor:
            cursor.execute("SELECT 1")

    def test_kill_blockers_knows_them_with_the_plugin(self):
        s = self.server
        try:
            s.sql("INSTALL SONAME 'metadata_lock_info'")
        except pymysql.err.Error as e:
            self.skipTest(f"no metadata_lock_info plugin: {e}")
        self.addCleanup(s.sql, "UNINSTALL SONAME 'metadata_lock_info'")
        self.release(self.blocker)
        innocent = self.hold("SELECT COUNT(*) FROM mysql.innodb_table_stats")
        self.blocker = self.hold("SELECT COUNT(*) FROM world.tree")
        second = self.hold("SELECT COUNT(*) FROM world.child")
        result = self.restore("--lock-timeout", 1, check=13)
        self.assert_names(self.blocker, result.err)
        self.assert_names(second, result.err)
        self.assertNotIn(f"connection {innocent.thread_id()} ", result.err)
        self.restore("--resume", "--kill-blockers")
        with innocent.cursor() as cursor:
            cursor.execute("SELECT 1")
        self.assertEqual(self.live(), "new")

    def test_lock_tables_blocks_too(self):
        self.release(self.blocker)
        locker = self.server.connect()
        self.addCleanup(locker.close)
        with locker.cursor() as cursor:
            cursor.execute("LOCK TABLES world.tree READ")
            self.restore("--lock-timeout", 2, check=13)
            cursor.execute("UNLOCK TABLES")
        self.restore("--resume")
        self.assertEqual(self.live(), "new")

    def test_without_process(self):
        account = self.server.account("ALL ON world.*", "ALL ON `dbsafe\\_%`.*")
        result = self.restore("--lock-timeout", 1, "--assume-no-outside-fks", check=13, defaults_file=account)
        self.assertIn("PROCESS", result.err)

    def test_undo(self):
        self.release(self.blocker)
        identity = self.restore("--json").json["restore_id"]
        blocker = self.hold("SELECT COUNT(*) FROM world.parent")
        result = self.server.dbsafe("undo", "--lock-timeout", 2, check=13)
        self.assert_names(blocker, result.err)
        self.assert_only_undo_of(identity)
        self.server.dbsafe("undo", "--kill-blockers")
        self.assertEqual(self.live(), "old")


class ServerKilled(FaultCase):
    """kill -9 of mariadbd, with durable settings."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(durable=True)
        cls.make_world()

    def test_at_a_point(self):
        for point in sample(["restore_journalled", "load_read:2", "load_read:4", "restore_loaded", "stage_alter", "restore_verified"], 3, "crash"):
            with self.subTest(point=point):
                self.crash_at(point)
        for point in ("swap_rename", "swap_renamed"):
            with self.subTest(point=point):
                self.crash_at(point)

    def crash_at(self, point):
        s = self.server
        self.back_to_old()
        run = self.started("restore", self.archive, env=fault("stop", point))
        wait_until(run.stopped, what=point)
        s.kill()
        s.start()
        run.signal(signal.SIGCONT)
        result = run.finish()
        self.assertEqual(self.live(), "new" if point in AFTER else "old")
        if result.rc != 0:
            self.assertEqual(result.rc, 4, result)
            self.assertNotIn(point, AFTER)
            # what could not be reached then, --resume finds
            self.restore("--resume")
        self.assertEqual(self.live(), "new")
        self.assertEqual([n for n in ours(s) if "stage" in n], [])
        self.assertEqual(len(self.listed()), 1)

    def test_while_loading_at_any_moment(self):
        random = rng("crash while loading")
        s = self.server
        for _ in range(len(sample(range(20), 3, "x"))):
            with self.subTest():
                self.back_to_old()
                run = self.started("restore", self.archive)
                time.sleep(random.uniform(0.01, 0.3))  # any moment
                s.kill()
                wait_until(lambda: not run.running() or "swap" in run.error_text(), what="the end of the restore")
                s.start()
                result = run.finish()
                live = self.live()
                self.assertIn(live, ("old", "new"))
                if result.rc != 0:
                    expect(result, 4)
                    self.restore("--resume")
                self.assertEqual(self.live(), "new")
                self.assertEqual([n for n in ours(s) if "stage" in n], [])


class ServerKilledInRename(TestCase):
    """kill -9 of mariadbd while it renames many tables in one statement."""

    TABLES = 120

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(durable=True)
        s = cls.server
        create = "".join(f"CREATE TABLE t{i} (id INT NOT NULL PRIMARY KEY, v INT, p INT"
                         f"{f', FOREIGN KEY (p) REFERENCES t{i - 1} (id)' if i % 3 else ''});\nINSERT INTO t{i} VALUES (1, 1, NULL), (2, {i}, 1);\n"
                         for i in range(cls.TABLES))
        s.load(f"CREATE DATABASE many;\nUSE many;\n{create}")
        cls.archive = s.dbsafe("dump", "many", "-o", s.folder / "many.tar", "--json").json["archive"]

    def versions(self):
        """How many tables have how many rows: dumped 2, changed 3."""
        found = {}
        for i in range(self.TABLES):
            rows = self.server.value(f"SELECT COUNT(*) FROM many.t{i}")
            found[rows] = found.get(rows, 0) + 1
        return found

    def test_all_old_or_all_new(self):
        s = self.server
        random = rng("rename")
        span = None
        for round_ in range(len(sample(range(40), 4, "rename"))):
            with self.subTest(round=round_):
                s.load("USE many;\n" + "".join(f"REPLACE INTO t{i} VALUES (3, 3, NULL);\n" for i in range(self.TABLES)))
                self.assertEqual(self.versions(), {3: self.TABLES})
                run = s.dbsafe_start("restore", self.archive, env=fault("stop", "swap_rename"))
                self.addCleanup(lambda r=run: r.result is None and (r.kill(), r.finish()))
                wait_until(run.stopped, what="swap_rename")
                begin = time.monotonic()
                run.signal(signal.SIGCONT)
                if span is None:  # the first one is measured
                    self.assertEqual(run.finish().rc, 0)
                    span = time.monotonic() - begin
                    self.assertEqual(self.versions(), {2: self.TABLES})
                else:
                    time.sleep(random.uniform(0, span * 0.7))  # any moment of it
                    kill_client = random.random() < 0.5
                    if kill_client:
                        run.kill()
                    s.kill()
                    s.start()
                    result = run.finish()
                    # 0: it was done before either was killed
                    self.assertIn(result.rc, (-9, 0) if kill_client else (0, 4), result)
                    versions = self.versions()
                    self.assertIn(versions, ({3: self.TABLES}, {2: self.TABLES}))
                    if result.rc:
                        s.dbsafe("restore", self.archive, "--resume")
                    self.assertEqual(self.versions(), {2: self.TABLES})
                    self.assertEqual([n for n in ours(s) if "stage" in n], [])
                s.load("SET foreign_key_checks=0;\n" + "".join(f"DROP DATABASE `{n}`;\n" for n in ours(s)))
