"""Undo: what a restore replaced comes back, can be listed, undone again, and is dropped only when it is old."""

import re
import time

from lib import table_digests
from lib.world import TABLES, WorldCase, everything, ours, schemas

HOUR_MS = 3600 * 1000


class Undo(WorldCase):
    large_rows = 500

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server()
        cls.make_world()

    def setUp(self):
        self.back_to_old()

    def restore(self, *args, **options):
        return self.server.dbsafe("restore", self.archive, *args, "--json", **options).json["restore_id"]

    def undo(self, *args, check=0):
        return self.server.dbsafe("undo", *args, check=check)

    def undo_json(self, *args):
        return self.undo(*args, "--json").json

    def listed(self):
        return self.undo("--list", "--json").json["restores"]

    def test_the_newest_and_back_again(self):
        restored = self.restore()
        result = self.undo_json()
        self.assertLessEqual({"restore_id", "tables", "seconds", "swapped"}, result.keys())
        self.assertEqual((result["tables"], result["swapped"]), (6, True))
        self.assertEqual(self.live(), "old")
        # the undo took over: nothing of the restore is left
        self.assertNotEqual(result["restore_id"], restored)
        self.assert_only_undo_of(result["restore_id"])
        self.assertEqual(table_digests(self.server, "dbsafe_undo_" + result["restore_id"]), self.new)
        second = self.undo_json()
        self.assertEqual(self.live(), "new")
        self.assert_only_undo_of(second["restore_id"])
        self.undo()
        self.assertEqual(self.live(), "old")

    def test_by_id_and_twice(self):
        first = self.restore("--tables", "tree,parent,child")
        second = self.restore("--tables", "large")
        self.assertEqual([e["restore_id"] for e in self.listed()], [second, first])
        self.undo(first)
        now = table_digests(self.server, "world")
        self.assertEqual(now["large"], self.new["large"])
        for table in ("tree", "parent", "child"):
            self.assertEqual(now[table], self.old[table])
        again = self.undo(first, check=(10, 11))
        self.assertIn(first, again.err)
        self.undo(second)
        self.assertEqual(self.live(), "old")
        self.assertEqual(self.undo("20200101t000000000_abcd", check=11).rc, 11)
        self.assertIn("--list", self.undo("no such id", check=11).err)

    def test_two_restores_of_the_same_tables(self):
        first = self.restore()
        self.server.sql("UPDATE world.tree SET up = 5 WHERE id = 60")
        between = table_digests(self.server, "world")
        second = self.restore()
        self.undo(second)
        self.assertEqual(table_digests(self.server, "world"), between)
        self.undo(first)
        self.assertEqual(self.live(), "old")

    def test_nothing_to_undo(self):
        self.assertIn("nothing", self.undo(check=11).err)
        self.assertEqual(self.listed(), [])

    def test_list(self):
        s = self.server
        restored = self.restore()
        undone = self.undo_json()["restore_id"]
        restored = self.restore("--tables", "tree")
        entries = self.listed()
        self.assertEqual([e["restore_id"] for e in entries], [restored, undone])
        self.assertEqual([e["kind"] for e in entries], ["restore", "undo"])
        self.assertEqual([e["state"] for e in entries], ["swapped", "swapped"])
        self.assertEqual([e["tables"] for e in entries], [1, 6])
        self.assertEqual([e["purgeable"] for e in entries], [False, False])
        self.assertEqual(entries[0]["table_names"], ["world.tree"])
        self.assertEqual(set(entries[1]["table_names"]), {f"world.{t}" for t in TABLES})
        for entry in entries:
            self.assertRegex(entry["swapped_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            self.assertGreater(entry["undo_bytes"], 0)
            self.assertIn("world.tar", entry["archive"])
        text = self.undo("--list").out
        self.assertEqual(len(text.splitlines()), 3)
        for word in (restored, undone, "world.tree", "RESTORE-ID", " and 3 more"):
            self.assertIn(word, text)
        self.assertLess(max(len(line) for line in text.splitlines()), 300)
        self.undo("--list", "--purge", check=2)
        self.undo("--list", restored, check=2)
        self.assertEqual([n for n in ours(s) if "stage" in n], [])

    def test_dry_run(self):
        s = self.server
        s.sql("DROP TABLE world.tree")
        self.restore()
        before, names = everything(s), schemas(s)
        result = self.undo("--dry-run", "--json")
        self.assertEqual((result.json["swapped"], result.json["dry_run"]), (False, True))
        self.assertRegex(result.err, r"would put back world\.large")
        self.assertRegex(result.err, r"would remove world\.tree")
        self.assertEqual((everything(s), schemas(s)), (before, names))

    def test_tables_that_were_dropped_since(self):
        self.restore()
        self.server.load("SET foreign_key_checks=0;\nDROP TABLE world.tree, world.child;\n")
        self.undo()
        self.assertEqual(self.live(), "old")
        # the undo has nothing of these two to keep; undone, they are away again
        self.undo()
        self.assertEqual(sorted(table_digests(self.server, "world")), ["circle_a", "circle_b", "large", "parent"])

    def test_dropped_database(self):
        self.restore()
        self.server.load("SET foreign_key_checks=0;\nDROP DATABASE world;\nCREATE DATABASE world CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;\n")
        self.undo()
        self.assertEqual(self.live(), "old")

    def test_tables_that_the_restore_created(self):
        s = self.server
        s.load("SET foreign_key_checks=0;\nDROP TABLE world.tree, world.child;\n")
        before = table_digests(s, "world")
        self.restore()
        result = self.undo_json()
        self.assertEqual(table_digests(s, "world"), before)
        kept = table_digests(s, "dbsafe_undo_" + result["restore_id"])
        self.assertEqual(kept, self.new)
        self.undo()
        self.assertEqual(self.live(), "new")

    def test_a_database_in_which_others_may_have_something_stays(self):
        """Routines and events that the account cannot see."""
        s = self.server
        few = ("SELECT, INSERT, CREATE, ALTER, DROP, TRIGGER, REFERENCES ON `w2`.*", "ALL ON `dbsafe\\_%`.*", "PROCESS ON *.*")
        for more, goes in (((), False), (("EVENT ON `w2`.*",), False), (("CREATE ROUTINE, EVENT ON `w2`.*",), True), (("EXECUTE, EVENT ON *.*",), True)):
            for holds in (True, False):
                with self.subTest(more=more, holds=holds):
                    account = s.account(*few, *more)
                    s.dbsafe("restore", self.archive, "--tables", "world.tree", "--into", "w2", defaults_file=account)
                    if holds:
                        s.sql("CREATE PROCEDURE w2.precious () SELECT 1")
                        s.sql("CREATE EVENT w2.e ON SCHEDULE EVERY 1 DAY DISABLE DO DO 1")
                    result = s.dbsafe("undo", defaults_file=account)
                    stays = holds or not goes
                    self.assertEqual(bool(s.sql("SHOW DATABASES LIKE 'w2'")), stays)
                    self.assertEqual("database w2, which dbsafe made, stays" in result.err, not goes and not (holds and more))
                    self.assertEqual(len(s.sql("SELECT 1 FROM information_schema.routines WHERE routine_schema = 'w2'")), holds)
                    s.sql("DROP DATABASE IF EXISTS w2")

    def test_foreign_keys_after_it(self):
        s = self.server
        self.restore()
        self.undo()
        keys = s.sql("SELECT for_name, ref_name FROM information_schema.innodb_sys_foreign")
        self.assertEqual(len(keys), 10)
        for child, parent in keys:
            self.assertEqual(child.split("/")[0], parent.split("/")[0])
        s.sql("DELETE FROM world.tree WHERE id = 1")
        self.assertLess(s.value("SELECT COUNT(*) FROM world.tree"), 63)
        undo = [n for n in ours(s) if "undo" in n][0]
        self.assertEqual(table_digests(s, undo), self.new)

    def test_refuses_what_restore_refuses(self):
        s = self.server
        self.restore()
        s.sql("CREATE DATABASE outside")
        self.addCleanup(s.sql, "DROP DATABASE outside")
        s.sql("CREATE TABLE outside.c (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES world.tree (id))")
        before = ours(s)
        self.assertIn("outside.c", self.undo(check=10).err)
        s.sql("DROP TABLE outside.c")
        self.assertEqual((self.live(), ours(s)), ("new", before))
        # a trigger that came since goes with its table
        s.sql("CREATE TRIGGER world.watch BEFORE INSERT ON world.tree FOR EACH ROW SET @x = 1")
        self.undo()
        self.assertIsNone(s.value("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema='world'"))
        self.assertEqual(self.live(), "old")

    def test_undo_data_that_someone_removed(self):
        s = self.server
        identity = self.restore()
        s.sql(f"DROP TABLE dbsafe_undo_{identity}.tree")
        result = self.undo(check=10)
        self.assertIn(f"dbsafe_undo_{identity}.tree", result.err)
        self.assertEqual(self.live(), "new")

    # ---- purge

    def age(self, identity, hours):
        then = int(time.time() * 1000) - int(hours * HOUR_MS)
        self.server.sql(f"REPLACE INTO dbsafe_{identity}.meta VALUES ('swapped_ms', '{then}')")

    def test_purge(self):
        s = self.server
        identity = self.restore()
        refused = self.undo("--purge", identity, "--yes", check=10)
        self.assertIn("48 hours", refused.err)
        self.age(identity, 47.9)
        self.undo("--purge", identity, "--yes", check=10)
        self.assertEqual(self.undo_json("--purge", "--yes")["purged"], 0)
        self.assert_only_undo_of(identity)
        self.assertEqual(len(ours(s)), 2)
        self.age(identity, 48.1)
        self.assertIs(self.listed()[0]["purgeable"], True)
        before = ours(s)
        # nobody to ask: not confirmed
        self.undo("--purge", identity, check=10)
        self.undo("--purge", check=10)
        self.assertEqual(self.undo_json("--purge", "--dry-run")["purged"], 1)
        self.assertEqual(ours(s), before)
        self.assertEqual(self.undo_json("--purge", identity, "--yes")["purged"], 1)
        self.assert_nothing_of_ours()
        self.assertEqual(self.live(), "new")
        self.undo(check=11)
        self.undo("--purge", identity, "--yes", check=11)

    def test_purge_takes_only_the_old_ones(self):
        old = self.restore("--tables", "large")
        young = self.restore("--tables", "tree")
        self.age(old, 200)
        self.assertEqual(self.undo_json("--purge", "--yes")["purged"], 1)
        self.assertEqual([e["restore_id"] for e in self.listed()], [young])
        self.undo(young)
        self.assertEqual(table_digests(self.server, "world")["tree"], self.old["tree"])

    def test_purge_goes_on_where_one_is_refused(self):
        s = self.server
        s.sql("CREATE DATABASE elsewhere")
        self.addCleanup(s.load, "SET foreign_key_checks=0;\nDROP DATABASE elsewhere;\n")
        refused = self.restore("--tables", "large", "--undo-schema", "elsewhere")
        old = self.restore("--tables", "tree")
        self.age(refused, 100)
        self.age(old, 100)
        self.undo("--purge", "--yes", check=10)
        self.assertEqual([e["restore_id"] for e in self.listed()], [refused])
        self.undo(refused)

    def test_purge_does_not_wait_for_ever(self):
        """The server's lock_wait_timeout is a day."""
        s = self.server
        identity = self.restore("--tables", "tree")
        self.age(identity, 100)
        holder = s.connect()
        self.addCleanup(holder.close)
        with holder.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(f"SELECT COUNT(*) FROM dbsafe_undo_{identity}.tree")
            result = self.undo("--purge", identity, "--yes", check=13)
            self.assertLess(result.seconds, 60)
            self.assertIn("another session", result.err)
            cursor.execute("ROLLBACK")
        self.assertEqual(self.undo_json("--purge", identity, "--yes")["purged"], 1)
        self.assert_nothing_of_ours()

    def test_purge_of_what_was_never_swapped(self):
        self.server.dbsafe("restore", self.archive, check=-9, env={"DBSAFE_FAULT": "kill:restore_loaded"})
        identity = self.listed()[0]["restore_id"]
        self.assertEqual(self.listed()[0]["state"], "loading")
        self.assertRegex(self.undo("--purge", identity, "--yes", check=10).err, "never swapped")
        self.undo(identity)
        self.assert_nothing_of_ours()
        self.assertEqual(self.live(), "old")

    def test_purge_keeps_the_schema_of_the_user(self):
        s = self.server
        s.sql("CREATE DATABASE kept_here")
        self.addCleanup(s.load, "SET foreign_key_checks=0;\nDROP DATABASE kept_here;\n")
        s.sql("CREATE TABLE kept_here.mine (id INT)")
        identity = self.restore("--undo-schema", "kept_here")
        self.assertEqual(sorted(table_digests(s, "kept_here")), sorted([*TABLES, "mine"]))
        self.age(identity, 100)
        # whoever can write a journal does not choose what is dropped outside dbsafe's own databases
        self.assertIn("--undo-schema kept_here", self.undo("--purge", "--yes", check=10).err)
        self.undo("--purge", "--yes", "--undo-schema", "world", check=10)
        self.assertEqual(sorted(table_digests(s, "kept_here")), sorted([*TABLES, "mine"]))
        self.undo("--purge", "--yes", "--undo-schema", "kept_here")
        self.assertEqual(list(table_digests(s, "kept_here")), ["mine"])
        self.assert_nothing_of_ours()

    def test_stand_ins_of_sequences_do_not_stay_in_the_schema_of_the_user(self):
        s = self.server
        s.load("CREATE DATABASE q;\nCREATE SEQUENCE q.s START WITH 7;\nCREATE TABLE q.t (a INT PRIMARY KEY DEFAULT NEXTVAL(q.s));\nCREATE DATABASE my_stage;\n")
        self.addCleanup(s.sql, "DROP DATABASE my_stage")
        self.addCleanup(s.sql, "DROP DATABASE q")
        archive = s.folder / "q.tar"
        s.dbsafe("dump", "q", "-o", archive)
        s.sql("DROP TABLE q.t")
        s.sql("DROP SEQUENCE q.s")
        for point in (None, "kill:swap_renamed"):
            with self.subTest(point=point):
                rc = -9 if point else 0
                s.dbsafe("restore", archive, "--staging-schema", "my_stage", check=rc, env={"DBSAFE_FAULT": point})
                if point:
                    self.assertEqual(len(s.sql("SHOW TABLES FROM my_stage")), 1)
                else:
                    self.assertEqual(s.sql("SHOW TABLES FROM my_stage"), [])
                self.assertEqual(s.value("SELECT NEXTVAL(q.s)"), 7)
                self.undo("--include-referencing")
                self.assertEqual(s.sql("SHOW TABLES FROM my_stage"), [])
                self.assertEqual(s.sql("SHOW TABLES FROM q"), [])

    def test_remains_of_a_journal_that_was_never_written(self):
        """A schema of our form without a marker holds nothing; one that merely looks like it is left alone."""
        s = self.server
        s.sql("CREATE DATABASE dbsafe_20200101t000000000_abcd")
        s.sql("CREATE TABLE dbsafe_20200101t000000000_abcd.meta (k INT)")
        s.sql("CREATE DATABASE dbsafe_mine")
        self.addCleanup(s.sql, "DROP DATABASE dbsafe_mine")
        self.assertEqual(self.listed(), [])
        identity = self.restore()
        self.assertEqual(sorted(ours(s)), sorted([f"dbsafe_{identity}", "dbsafe_mine", f"dbsafe_undo_{identity}"]))
        self.assertTrue(re.fullmatch(r"\d{8}t\d{9}_[0-9a-f]{4}", identity))

    def test_weird_names(self):
        s = self.server
        schema, table = "it's `odd`, é", "a \"b\" `c` d'e\\."
        q = "`" + schema.replace("`", "``") + "`.`" + table.replace("`", "``") + "`"
        s.sql("CREATE DATABASE `it's ``odd``, é`")
        self.addCleanup(s.sql, "DROP DATABASE `it's ``odd``, é`")
        s.sql(f"CREATE TABLE {q} (id INT NOT NULL PRIMARY KEY)")
        s.sql(f"INSERT INTO {q} VALUES (1)")
        archive = s.folder / "weird.tar"
        s.dbsafe("dump", schema, "-o", archive)
        s.sql(f"INSERT INTO {q} VALUES (2)")
        s.dbsafe("restore", archive)
        self.assertEqual(s.value(f"SELECT COUNT(*) FROM {q}"), 1)
        self.assertEqual(self.listed()[0]["table_names"], [f"{schema}.{table}"])
        self.undo()
        self.assertEqual(s.value(f"SELECT COUNT(*) FROM {q}"), 2)
        self.undo()
        self.assertEqual(s.value(f"SELECT COUNT(*) FROM {q}"), 1)
        archive.unlink()
