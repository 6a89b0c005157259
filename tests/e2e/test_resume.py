"""Going on where a restore or an undo was left: who may, from which archive, and with what proof."""

import os
import re
import shutil
import signal
import subprocess
import unittest

from lib import TestCase, wait_until
from lib.world import ours

SETUP = """
DROP DATABASE IF EXISTS w;
CREATE DATABASE w;
CREATE TABLE w.t (a INT NOT NULL PRIMARY KEY, b VARCHAR(20) NOT NULL);
INSERT INTO w.t VALUES (1, 'archive');
CREATE TRIGGER w.tr BEFORE INSERT ON w.t FOR EACH ROW SET NEW.b = 'from trigger';
CREATE VIEW w.v AS SELECT 'archive' AS x;
CREATE FUNCTION w.f () RETURNS INT DETERMINISTIC RETURN 1;
"""
CHANGES = """
DROP TRIGGER w.tr;
UPDATE w.t SET b = 'live';
CREATE OR REPLACE VIEW w.v AS SELECT 'live' AS x;
DROP FUNCTION w.f;
"""


def fault(action, point):
    return {"DBSAFE_FAULT": f"{action}:{point}"}


class Case(TestCase):
    durable = False

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(durable=cls.durable)

    def setUp(self):
        s = self.server
        for schema in ours(s):
            s.sql(f"DROP DATABASE `{schema}`")
        s.load(SETUP)
        self.archive = s.folder / "w.dbsafe.tar"
        self.archive.unlink(missing_ok=True)
        s.dbsafe("dump", "w", "-o", self.archive)
        s.load(CHANGES)
        self.old = self.live()

    def live(self):
        """Rows, view, triggers, functions, and tables that do not belong there."""
        return [self.server.sql(q) for q in (
            "SELECT b FROM w.t ORDER BY a", "SELECT x FROM w.v", "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = 'w'",
            "SELECT routine_name FROM information_schema.routines WHERE routine_schema = 'w'",
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'w' AND table_name NOT IN ('t', 'v')")]

    NEW = [[("archive",)], [("archive",)], [("tr",)], [("f",)], []]

    def assert_new(self):
        self.assertEqual(self.live(), self.NEW)

    def assert_old(self):
        self.assertEqual(self.live(), self.old)

    def restore(self, *args, check=0, **options):
        return self.server.dbsafe("restore", self.archive, *args, check=check, **options)

    def undo(self, *args, check=0, **options):
        return self.server.dbsafe("undo", *args, check=check, **options)

    def stopped_at(self, point, *args):
        run = self.server.dbsafe_start(*args, env=fault("stop", point))
        self.addCleanup(lambda: run.result is None and (run.kill(), run.finish()))
        wait_until(run.stopped, what=point)
        return run

    def only_id(self):
        listed = self.undo("--list", "--json").json["restores"]
        self.assertEqual(len(listed), 1, listed)
        return listed[0]["restore_id"]


class DryRun(Case):
    def test_it_changes_nothing(self):
        for point, told in (("restore_loaded", "clear away"), ("swap_begin", "compare the staged rows"), ("swap_renamed", "behind the swap")):
            with self.subTest(point=point):
                self.setUp()
                self.restore(check=-9, env=fault("kill", point))
                before = self.live(), ours(self.server), self.undo("--list", "--json").json
                result = self.restore("--resume", "--dry-run", "--json")
                self.assertIn(told, result.err)
                self.assertEqual((result.json["dry_run"], result.json["swapped"], result.json["tables"]), (True, False, 1))
                self.assertEqual((self.live(), ours(self.server), self.undo("--list", "--json").json), before)
                self.restore("--resume")
                self.assert_new()

    def test_of_an_undo_of_what_was_not_finished(self):
        self.restore(check=-9, env=fault("kill", "swap_renamed"))
        journal = f"dbsafe_{self.only_id()}"

        def state():
            return self.live(), self.server.sql(f"SELECT k, v FROM `{journal}`.meta"), self.server.sql(f"SELECT id FROM `{journal}`.connection")

        before = state()
        self.undo("--dry-run")
        self.assertEqual(state(), before)


class TakenOver(Case):
    """Whoever goes on where another died works under the same protection."""

    def test_a_resumed_restore_is_not_undone_while_it_runs(self):
        self.restore(check=-9, env=fault("kill", "swap_renamed"))
        second = self.stopped_at("step_name_triggers", "restore", self.archive, "--resume")
        result = self.undo(check=12)
        self.assertIn("still running", result.err)
        second.signal(signal.SIGCONT)
        self.assertEqual(second.finish().rc, 0)
        self.assert_new()
        self.undo()
        self.assert_old()

    def test_nor_is_it_resumed_by_another(self):
        self.restore(check=-9, env=fault("kill", "swap_begin"))
        second = self.stopped_at("step_park", "restore", self.archive, "--resume")
        self.restore("--resume", check=12)
        second.signal(signal.SIGCONT)
        self.assertEqual(second.finish().rc, 0)
        self.assert_new()

    @unittest.skipIf(os.geteuid() != 0 or not shutil.which("unshare"), "needs root and unshare")
    def test_from_where_the_process_cannot_be_seen(self):
        """As from another container on this host: the lock tells that somebody works."""
        s = self.server
        first = self.stopped_at("step_name_triggers", "restore", self.archive)
        before = self.live()
        for command in (["undo"], ["restore", self.archive, "--resume"]):
            argv = ["unshare", "--pid", "--fork", "--mount-proc", *(str(x) for x in s.dbsafe_argv(command))]
            result = subprocess.run(argv, env=s.dbsafe_env(), capture_output=True, text=True, timeout=120)
            self.assertEqual(result.returncode, 12, result)
            self.assertIn("another dbsafe holds it", result.stderr)
        self.assertEqual(self.live(), before)
        first.signal(signal.SIGCONT)
        self.assertEqual(first.finish().rc, 0)
        self.assert_new()

    def test_who_lost_the_connection_and_the_lock_stops(self):
        """Behind the swap: another has the database by then."""
        for what in ("restore", "undo"):
            with self.subTest(what=what):
                self.setUp()
                if what == "undo":
                    self.restore()
                run = self.stopped_at("step_name_triggers" if what == "restore" else "step_drop_triggers", what,
                                      *([self.archive] if what == "restore" else []))
                s = self.server
                lock = "CONCAT('dbsafe:', MD5('w'))"
                holder = s.value(f"SELECT IS_USED_LOCK({lock})")
                s.sql(f"KILL {holder}")
                other = s.connect()
                self.addCleanup(other.close)
                with other.cursor() as cursor:
                    cursor.execute(f"SELECT GET_LOCK({lock}, 20)")
                    self.assertEqual(cursor.fetchone(), (1,))
                before = self.live()
                run.signal(signal.SIGCONT)
                result = run.finish()
                self.assertEqual(result.rc, 12, result)
                self.assertIn("is swapped, but not all", result.err)
                self.assertEqual(self.live()[2], before[2])
                with other.cursor() as cursor:
                    cursor.execute(f"DO RELEASE_LOCK({lock})")
                if what == "restore":
                    self.restore("--resume")
                    self.assert_new()
                else:
                    self.undo()
                    self.assert_old()

    def test_who_was_replaced_stops(self):
        """Its connection is gone, the lock is free again, and the journal names another."""
        run = self.stopped_at("step_name_triggers", "restore", self.archive)
        s, identity = self.server, self.only_id()
        s.sql(f"UPDATE `dbsafe_{identity}`.meta SET v = CONCAT(v, '0') WHERE k = 'owner'")
        s.sql(f"KILL {s.value('SELECT IS_USED_LOCK(%s)', ('dbsafe:' + s.value('SELECT MD5(%s)', ('w',)),))}")
        run.signal(signal.SIGCONT)
        result = run.finish()
        self.assertEqual(result.rc, 12, result)
        self.assertIn("another dbsafe has taken it over", result.err)

    def test_an_undo_that_was_replaced_clears_nothing(self):
        """Before its swap, or in it: what it had prepared is another's by then."""
        for point, rc in (("undo_begin", 4), ("swap_rename", 12)):
            with self.subTest(point=point):
                self.setUp()
                self.restore()
                s, known = self.server, ours(self.server)
                run = self.stopped_at(point, "undo")
                (journal,) = (n for n in ours(s) if n not in known and re.match(r"dbsafe_\d", n))
                s.sql(f"UPDATE `{journal}`.meta SET v = CONCAT(v, '0') WHERE k = 'owner'")
                s.sql(f"KILL {s.value('SELECT IS_USED_LOCK(%s)', ('dbsafe:' + s.value('SELECT MD5(%s)', ('w',)),))}")
                kept = ours(s)
                run.signal(signal.SIGCONT)
                result = run.finish()
                self.assertEqual(result.rc, rc, result)
                self.assertIn("another dbsafe has taken it over", result.err)
                self.assertEqual(ours(s), kept)
                s.sql(f"UPDATE `{journal}`.meta SET v = LEFT(v, CHAR_LENGTH(v) - 1) WHERE k = 'owner'")
                self.undo()
                self.assert_old()


class SameArchive(Case):
    """What is staged is of one archive, whatever has its name by now."""

    def dump_again(self):
        """Another archive in the place of the first; gives what it holds."""
        s = self.server
        s.sql("UPDATE w.t SET b = 'second'")
        self.archive.unlink()
        s.dbsafe("dump", "w", "-o", self.archive)
        s.sql("UPDATE w.t SET b = 'broken'")
        self.old = self.live()

    def test_another_one_of_that_name_is_refused(self):
        self.restore(check=-9, env=fault("kill", "swap_begin"))
        self.dump_again()
        kept = ours(self.server)
        for more in ([], ["--dry-run"]):
            result = self.restore("--resume", *more, check=10)
            self.assertIn("not the archive that it was begun from", result.err)
            self.assert_old()
            self.assertEqual(ours(self.server), kept)
        self.undo(self.only_id())
        self.restore()
        self.server.dbsafe("verify", self.archive, "--live")

    def test_another_pipe_is_refused(self):
        s = self.server
        with open(self.archive, "rb") as first:
            s.dbsafe("restore", "-", stdin=first, check=-9, env=fault("kill", "swap_begin"))
            first.seek(0)
            keep = first.read()
        self.dump_again()
        with open(self.archive, "rb") as second:
            self.assertIn("not the archive that it was begun from", s.dbsafe("restore", "-", "--resume", stdin=second, check=10).err)
        self.assert_old()
        self.archive.write_bytes(keep)
        with open(self.archive, "rb") as first:
            self.assertTrue(s.dbsafe("restore", "-", "--resume", "--json", stdin=first).json["verified"])
        s.dbsafe("verify", self.archive, "--live")

    def test_no_proof_for_another_one(self):
        """Behind the swap the rest is finished in any case."""
        def proof():
            return re.search(r"^proof +(.*)$", self.server.dbsafe("show", self.archive).out, re.M).group(1)

        self.restore(check=-9, env=fault("kill", "swap_renamed"))
        self.dump_again()
        self.restore("--resume")
        self.assertEqual(proof(), "none")
        self.undo()
        self.restore(check=-9, env=fault("kill", "swap_renamed"))
        self.restore("--resume")
        self.assertRegex(proof(), "^restored 20")


class Staged(Case):
    durable = True

    def test_rows_that_a_dead_server_lost_are_noticed(self):
        s = self.server
        s.load("""
            DROP DATABASE w;
            CREATE DATABASE w;
            CREATE TABLE w.t (a INT PRIMARY KEY, b VARCHAR(20)) ENGINE=MEMORY;
            INSERT INTO w.t VALUES (1, 'x'), (2, 'y');
            CREATE TABLE w.i (a INT PRIMARY KEY);
            """)
        self.archive.unlink()
        s.dbsafe("dump", "w", "-o", self.archive, "--allow-inconsistent")
        s.sql("DROP TABLE w.t")
        self.restore(check=-9, env=fault("kill", "swap_begin"))
        s.kill()
        s.start()
        result = self.restore("--resume", check=7)
        self.assertIn("w.t (0 rows restored, 2 dumped)", result.err)
        self.assertEqual((s.sql("SHOW TABLES FROM w"), ours(s)), ([("i",)], []))
        self.restore()
        self.assertEqual(s.value("SELECT COUNT(*) FROM w.t"), 2)

    def test_and_so_are_rows_that_somebody_changed(self):
        s = self.server
        self.restore(check=-9, env=fault("kill", "swap_begin"))
        stage = next(n for n in ours(s) if "stage" in n)
        s.sql(f"UPDATE `{stage}`.t SET b = 'other'")
        self.assertIn("changed since they were verified", self.restore("--resume", check=7).err)
        self.assert_old()
        self.assertEqual(ours(s), [])


class Interrupted(Case):
    def blocked(self, *args):
        s = self.server
        blocker = s.connect(autocommit=False)
        self.addCleanup(blocker.close)
        with blocker.cursor() as cursor:
            cursor.execute("SELECT * FROM w.t")
        run = s.dbsafe_start("restore", self.archive, *args)
        self.addCleanup(lambda: run.result is None and (run.kill(), run.finish()))
        wait_until(lambda: "waits for a lock" in run.error_text(), what="the lock")
        return run, blocker

    def test_a_resumed_restore_leaves_nothing_in_live_databases(self):
        self.restore(check=-9, env=fault("kill", "swap_begin"))
        run, blocker = self.blocked("--resume")
        run.interrupt()
        result = run.finish()
        self.assertEqual(result.rc, 130, result)
        self.assertIn("--resume tries only the swap again", result.err)
        self.assert_old()
        blocker.rollback()
        self.restore("--resume")
        self.assert_new()

    def test_nor_does_one_whose_connection_was_lost(self):
        """The first run as well as the resumed one: the server is there, and the staging is kept."""
        for more in ([], ["--resume"]):
            with self.subTest(more=more):
                run, blocker = self.blocked(*more)
                self.server.sql(f"KILL {self.server.value('SELECT IS_USED_LOCK(%s)', ('dbsafe:' + self.server.value('SELECT MD5(%s)', ('w',)),))}")
                result = run.finish()
                self.assertEqual(result.rc, 4, result)
                self.assertIn("--resume tries only the swap again", result.err)
                self.assert_old()
                blocker.rollback()
        self.restore("--resume")
        self.assert_new()


class Failed(Case):
    """What could not be done behind the swap is told in the exit code, or in the answer where nobody misses it."""

    def test_tables_that_were_to_be_dropped(self):
        drop = ("--if-exists", "drop", "--yes")
        result = self.restore(*drop, check=4, env=fault("fail", "swap_finish"))
        self.assertIn("is swapped, but not all", result.err)
        self.assertNotIn("puts everything back", result.err)
        self.assertTrue(any("undo" in n for n in ours(self.server)))
        self.restore(*drop, "--resume")
        self.assert_new()
        self.assertEqual(ours(self.server), [])

    def test_remains_of_our_own(self):
        answer = self.restore("--json", env=fault("fail", "swap_finish")).json
        self.assertEqual((answer["swapped"], answer["unfinished"]), (True, True))
        answer = self.restore("--resume", "--json").json
        self.assertEqual((answer["swapped"], answer["unfinished"]), (True, False))
        answer = self.undo("--json", env=fault("fail", "undo_swapped")).json
        self.assertEqual((answer["swapped"], answer["unfinished"]), (True, True))
        answer = self.undo("--json").json
        self.assertEqual((answer["swapped"], answer["unfinished"]), (True, False))
        self.assert_old()

    def test_a_journal_that_cannot_be_written(self):
        for what, point, go_on in (("restore", "swap_finish", "--resume goes on there"), ("undo", "undo_swapped", "undo` again goes on there")):
            with self.subTest(what=what):
                s = self.server
                known = ours(s)
                run = self.stopped_at(point, what, *([self.archive] if what == "restore" else []))
                journal = max(n for n in ours(s) if n not in known and re.match(r"dbsafe_\d", n))
                s.sql(f"RENAME TABLE `{journal}`.meta TO `{journal}`.away")
                run.signal(signal.SIGCONT)
                result = run.finish()
                self.assertEqual(result.rc, 4, result)
                self.assertIn(go_on, result.err)
                s.sql(f"RENAME TABLE `{journal}`.away TO `{journal}`.meta")
                if what == "restore":
                    self.restore("--resume")
                    self.assert_new()
                else:
                    self.undo()
                    self.assert_old()
