"""Going on where a restore or an undo was left: who may, from which archive, and with what proof."""

import signal

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
        self.archive = s.folder / "w.tar"
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
