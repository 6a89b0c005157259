"""What is asked before something is replaced or dropped says what that is, and whoever does not agree changes nothing."""

import time

from lib.terminal import Terminal
from lib.world import WorldCase


class Questions(WorldCase):
    large_rows = 500

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server()
        cls.make_world()

    def setUp(self):
        self.back_to_old()

    def restore(self, *args):
        return self.server.dbsafe("restore", self.archive, *args, "--json").json["restore_id"]

    def terminal(self, *args):
        return Terminal(self.server.dbsafe_argv(args), self.server.dbsafe_env())

    def test_undo_names_what_it_takes(self):
        restored = self.restore()
        for answer, status in (("n\n", 10), ("\x03", 130), ("y\n", 0)):
            with self.subTest(answer), self.terminal("undo") as t:
                t.read_until("Go on? [y/N] ")
                for word in (restored, "world.tar", ", swapped 2", "world.child", "world.tree"):
                    self.assertIn(word, t.shown)
                self.assertEqual(self.live(), "new")
                t.type(answer)
                self.assertEqual(t.end(), status, t.shown)
                self.assertEqual(self.live(), "old" if status == 0 else "new")
                # what is said next does not stand behind the question
                self.assertRegex(t.shown, r"\[y/N\] .*\n")
        self.assert_only_undo_of(self.server.dbsafe("undo", "--list", "--json").json["restores"][0]["restore_id"])

    def test_undo_is_not_asked(self):
        """By id there is no doubt, and a script has nobody to ask; both are told."""
        restored = self.restore()
        with self.terminal("undo", restored) as t:
            self.assertEqual(t.end(), 0, t.shown)
            self.assertIn(f"undoing restore {restored}", t.shown)
        self.assertEqual(self.live(), "old")
        undone = self.server.dbsafe("undo", "--list", "--json").json["restores"][0]["restore_id"]
        self.assertIn(f"undoing undo {undone}", self.server.dbsafe("undo").err)
        with self.terminal("undo", "--yes") as t:
            self.assertEqual(t.end(), 0, t.shown)
        self.assertEqual(self.live(), "old")

    def test_undo_tells_of_a_newer_one_that_was_never_swapped(self):
        first = self.restore()
        self.server.dbsafe("restore", self.archive, check=-9, env={"DBSAFE_FAULT": "kill:restore_verified"})
        newer = self.server.dbsafe("undo", "--list", "--json").json["restores"][0]["restore_id"]
        told = self.server.dbsafe("undo").err
        self.assertIn(f"undoing restore {first}", told)
        self.assertIn(f"the newer restore {newer} was never swapped", told)
        result = self.server.dbsafe("undo", newer)
        self.assertNotIn("to undo this", result.err)
        self.assertIn("never swapped", result.err)

    def test_drop_names_the_tables(self):
        with self.terminal("restore", self.archive, "--tables", "tree,parent,child", "--if-exists", "drop") as t:
            t.read_until("Go on? [y/N] ")
            self.assertIn("3 tables that are on ", t.shown)
            for table in ("child", "parent", "tree"):
                self.assertIn(f"world.{table}", t.shown)
            t.type("n\n")
            self.assertEqual(t.end(), 10)
        self.assertEqual(self.live(), "old")
        self.assert_nothing_of_ours()
        refused = self.server.dbsafe("restore", self.archive, "--if-exists", "drop", check=10)
        self.assertRegex(refused.err, r"6 tables that are on .*world\.large")
        # nothing is there: nothing to ask
        self.server.sql("CREATE DATABASE elsewhere")
        self.addCleanup(self.server.sql, "DROP DATABASE elsewhere")
        result = self.server.dbsafe("restore", self.archive, "--if-exists", "drop", "--into", "elsewhere")
        self.assertNotIn("to undo this", result.err)
        self.assertIn("cannot be undone", result.err)

    def test_purge_asks_only_for_what_there_is(self):
        s = self.server
        self.assertIn("0 restores", s.dbsafe("undo", "--purge").err)
        restored = self.restore()
        self.assertIn("0 restores", s.dbsafe("undo", "--purge").err)
        self.assertIn("48 hours", s.dbsafe("undo", "--purge", restored, check=10).err)
        then = int(time.time() * 1000) - 49 * 3600 * 1000
        s.sql(f"REPLACE INTO dbsafe_{restored}.meta VALUES ('swapped_ms', '{then}')")
        self.assertIn("give --yes", s.dbsafe("undo", "--purge", check=10).err)
        with self.terminal("undo", "--purge") as t:
            t.read_until("Go on? [y/N] ")
            self.assertIn(restored, t.shown)
            self.assertIn("undo data of 1 restore", t.shown)
            t.type("y\n")
            self.assertEqual(t.end(), 0, t.shown)
        self.assert_nothing_of_ours()


class Sight(WorldCase):
    """An account that may not see undo data is not told that there is none."""

    large_rows = 50

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server()
        cls.make_world()

    def test_undo(self):
        s = self.server
        self.back_to_old()
        restored = s.dbsafe("restore", self.archive, "--json").json["restore_id"]
        weak = s.account("SELECT ON world.*")
        for args in (("undo", "--list"), ("undo",), ("undo", restored), ("undo", "--list", "--json")):
            with self.subTest(args):
                refused = s.dbsafe(*args, defaults_file=weak, check=4)
                self.assertIn("GRANT ALL ON `dbsafe\\_%`.* TO ", refused.err + refused.out.replace("\\\\", "\\"))
        self.assertIn(restored, s.dbsafe("undo", "--list").out)
        s.dbsafe("undo", restored)
        s.dbsafe("undo", "nonesuch", check=11)

    def test_a_dry_run_has_no_id(self):
        s = self.server
        self.back_to_old()
        s.dbsafe("restore", self.archive)
        self.assertIsNone(s.dbsafe("undo", "--dry-run", "--json").json["restore_id"])
