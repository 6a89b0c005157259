"""Restore: what comes back, where to, what it keeps, and what it refuses before anything is changed."""

import subprocess

import pymysql

from lib import TestCase, compare_schemas, dump_text, table_digests, wait_until
from lib.world import TABLES, WorldCase, everything, ours, schemas

class Restored(WorldCase):
    """Restores of a whole small database over changed, dropped and missing tables."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server()
        cls.make_world()

    def setUp(self):
        self.back_to_old()
        self.addCleanup(self.drop_ours)

    def restore(self, *args, check=0, **options):
        return self.server.dbsafe("restore", self.archive, *args, check=check, **options)

    def restore_json(self, *args):
        return self.restore(*args, "--json").json

    def drop(self, *names):
        for name in names:
            self.server.sql(f"DROP DATABASE IF EXISTS `{name}`")

    # ---- what comes back

    def test_over_changed_tables(self):
        for threads in (1, 4):
            with self.subTest(threads=threads):
                self.back_to_old()
                result = self.restore_json("--threads", threads)
                self.assertEqual(self.live(), "new")
                self.assertLessEqual({"restore_id", "tables", "rows", "seconds", "verified", "swapped"}, result.keys())
                self.assertEqual((result["tables"], result["verified"], result["swapped"]), (6, True, True))
                self.assertEqual(result["rows"], sum(rows for _, rows, _ in self.new.values()))
                self.assert_only_undo_of(result["restore_id"])
                # the old tables are all in the undo schema, as they were
                kept = table_digests(self.server, f"dbsafe_undo_{result['restore_id']}")
                self.assertEqual(kept, self.old)

    def test_over_dropped_tables_and_database(self):
        s = self.server
        s.sql("SET foreign_key_checks=0; ", schema="world")
        s.load("SET foreign_key_checks=0;\nDROP TABLE world.parent, world.large, world.tree;\n")
        self.restore()
        self.assertEqual(self.live(), "new")
        self.drop_ours()
        s.sql("DROP DATABASE world")
        result = self.restore_json()
        self.assertEqual(self.live(), "new")
        self.assertEqual(s.sql("SELECT default_character_set_name, default_collation_name FROM information_schema.schemata "
                               "WHERE schema_name='world'"), [("utf8mb4", "utf8mb4_unicode_ci")])
        self.assert_only_undo_of(result["restore_id"])

    def test_from_standard_input(self):
        for threads in (1, 4):
            with self.subTest(threads=threads):
                self.back_to_old()
                # a real pipe, in pieces as the other end gives them
                cat = subprocess.Popen(["cat", self.archive], stdout=subprocess.PIPE)
                self.addCleanup(cat.stdout.close)
                result = self.server.dbsafe("restore", "-", "--threads", threads, "--json", stdin=cat.stdout)
                self.assertEqual(cat.wait(), 0)
                self.assertIs(result.json["verified"], True)
                self.assertEqual(self.live(), "new")
                with open(self.archive, "rb") as file:
                    result = self.server.dbsafe("restore", "-", "--into", "copy", "--tables", "tree,large", "--json", stdin=file)
                self.addCleanup(self.drop, "copy")
                self.assertEqual(result.json["tables"], 2)
                self.assertEqual(compare_schemas(self.server, "world", "copy", tables=("tree", "large")), [])

    def test_into_another_database(self):
        self.addCleanup(self.drop, "copy", "copy 2")
        before = everything(self.server)
        self.restore("--into", "copy")
        self.drop_ours()
        self.assertEqual(everything(self.server, ("copy",)), before)
        self.restore("--into", "world=copy 2", "--threads", 4)
        self.assertEqual(compare_schemas(self.server, "copy", "copy 2"), [])
        self.assertEqual(table_digests(self.server, "copy"), self.new)
        self.assertEqual(self.live(), "old")
        # over what is there: the live tables of the other database are the ones kept
        self.server.sql("UPDATE copy.tree SET up = 1 WHERE id = 40")
        result = self.restore_json("--into", "copy", "--tables", "tree")
        self.assertEqual(table_digests(self.server, "copy"), self.new)
        self.assertEqual(self.server.value(f"SELECT up FROM `dbsafe_undo_{result['restore_id']}`.tree WHERE id=40"), 1)

    def test_two_databases_into_two_others(self):
        s = self.server
        self.addCleanup(self.drop, "first", "second", "third", "fourth")
        for name in ("first", "second"):
            s.sql(f"CREATE DATABASE {name}")
            s.sql("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VARCHAR(20))", schema=name)
            s.sql("INSERT INTO t VALUES (1, %s)", (name,), schema=name)
        archive = s.dbsafe("dump", "first", "second", "-o", s.folder / "two.tar", "--json").json["archive"]
        refused = s.dbsafe("restore", archive, "--into", "third", check=2)
        self.assertIn("--into OLD=NEW", refused.err)
        result = s.dbsafe("restore", archive, "--into", "first=third,second=fourth", "--json").json
        self.assertEqual(result["tables"], 2)
        self.assertEqual((s.value("SELECT v FROM third.t"), s.value("SELECT v FROM fourth.t")), ("first", "second"))
        # names exchanged: each goes where it was told to
        result = s.dbsafe("restore", archive, "--into", "first=second,second=first", "--json").json
        self.assertEqual((s.value("SELECT v FROM first.t"), s.value("SELECT v FROM second.t")), ("second", "first"))
        s.dbsafe("undo")
        self.assertEqual((s.value("SELECT v FROM first.t"), s.value("SELECT v FROM second.t")), ("first", "second"))

    def test_only_some_tables(self):
        result = self.restore_json("--tables", "world.large,circle_?")
        self.assertEqual(result["tables"], 3)
        now = table_digests(self.server, "world")
        for table in TABLES:
            expected = self.new if table in ("large", "circle_a", "circle_b") else self.old
            self.assertEqual(now[table], expected[table], table)
        self.restore("--tables", "no_such_table", check=11)

    def test_without_verification(self):
        result = self.restore_json("--no-verify")
        self.assertIs(result["verified"], False)
        self.assertEqual(self.live(), "new")

    def test_if_exists_fail(self):
        before, names = everything(self.server), schemas(self.server)
        result = self.restore("--if-exists", "fail", check=10)
        for table in TABLES:
            self.assertIn(f"world.{table}", result.err)
        self.assertEqual((everything(self.server), schemas(self.server)), (before, names))
        self.addCleanup(self.drop, "copy")
        self.restore("--if-exists", "fail", "--into", "copy")
        self.assertEqual(table_digests(self.server, "copy"), self.new)

    def test_if_exists_drop(self):
        # nobody to ask: not confirmed
        self.restore("--if-exists", "drop", check=10)
        self.assertEqual(self.live(), "old")
        self.assert_nothing_of_ours()
        result = self.restore_json("--if-exists", "drop", "--yes")
        self.assertTrue(result["verified"] and result["swapped"])
        self.assertEqual(self.live(), "new")
        self.assert_nothing_of_ours()
        self.server.dbsafe("undo", check=11)

    def test_dry_run_changes_nothing(self):
        s = self.server
        s.sql("DROP TABLE world.tree")
        before, names = everything(s), schemas(s)
        result = self.restore("--dry-run", "--json")
        self.assertEqual((result.json["tables"], result.json["swapped"], result.json["dry_run"]), (6, False, True))
        self.assertRegex(result.err, "world.tree .*does not exist now")
        self.assertRegex(result.err, "world.large .*keeping the table that is there")
        with open(self.archive, "rb") as file:
            s.dbsafe("restore", "-", "--dry-run", stdin=file)
        s.dbsafe("restore", self.archive, "--dry-run", "--into", "nowhere")
        self.assertEqual((everything(s), schemas(s)), (before, names))

    def test_staging_and_undo_schemas_of_the_user(self):
        s = self.server
        s.sql("CREATE DATABASE my_stage")
        s.sql("CREATE DATABASE my_undo")
        self.addCleanup(self.drop, "my_stage", "my_undo")
        result = self.restore_json("--staging-schema", "my_stage", "--undo-schema", "my_undo")
        self.assertEqual(self.live(), "new")
        self.assertEqual(table_digests(s, "my_stage"), {})
        self.assertEqual(table_digests(s, "my_undo"), self.old)
        # they hold tables of these names now: they would be taken for ours
        self.restore("--undo-schema", "my_undo", check=10)
        s.dbsafe("undo", result["restore_id"])
        self.assertEqual(self.live(), "old")
        self.assertEqual(table_digests(s, "my_undo"), {})
        for option in ("--staging-schema", "--undo-schema"):
            for more in ((), ("--dry-run",)):
                self.assertIn(f"{option} names the database not_there", self.restore(option, "not_there", *more, check=11).err)
            s.dbsafe("doctor", self.archive, option, "not_there", check=11)
        self.assertEqual(self.live(), "old")
        # a failed restore leaves nothing of its own in them
        self.restore("--staging-schema", "my_stage", check=7, env={"DBSAFE_FAULT": "fail:stage_verify"})
        self.assertEqual(table_digests(s, "my_stage"), {})

    def test_counters_keys_and_constraints_work(self):
        s = self.server
        self.restore()
        connection = s.connect(database="world")
        self.addCleanup(connection.close)
        with connection.cursor() as c:
            c.execute("INSERT INTO large (a, b, t) VALUES (1, 'new', 'texto novo')")
            self.assertEqual(c.lastrowid, 1000000)
            c.execute("INSERT INTO parent (code) VALUES ('neu')")
            self.assertEqual(c.lastrowid, 61)
            c.execute("SELECT c FROM large WHERE b = 'new'")
            self.assertEqual(c.fetchone(), (2,))
            c.execute("SELECT upper_code FROM parent WHERE code = 'neu'")
            self.assertEqual(c.fetchone(), ("NEU",))
            c.execute("SELECT COUNT(*) FROM large WHERE MATCH (t) AGAINST ('palavra')")
            self.assertEqual(c.fetchone(), (self.large_rows,))
            for statement in ("INSERT INTO large (a, b, t) VALUES (-1, 'x', '')", "INSERT INTO parent (code) VALUES ('')",
                              "INSERT INTO large (a, b, t) VALUES (1, 'b1', '')", "INSERT INTO parent (code) VALUES ('c1')"):
                with self.assertRaises((pymysql.err.IntegrityError, pymysql.err.OperationalError), msg=statement):
                    c.execute(statement)
            c.execute("EXPLAIN SELECT id FROM large FORCE INDEX (ab) WHERE a = 5 AND b = 'b5'")
            self.assertEqual(c.fetchone()[5], "ab")
            c.execute("CHECK TABLE " + ",".join(TABLES) + " EXTENDED")
            self.assertEqual({r[3] for r in c.fetchall()}, {"OK"})

    def test_foreign_keys_stay_with_the_live_tables(self):
        s = self.server
        undo = "dbsafe_undo_" + self.restore_json()["restore_id"]
        keys = s.sql("SELECT for_name, ref_name FROM information_schema.innodb_sys_foreign")
        self.assertEqual(len(keys), 10)
        for child, parent in keys:
            self.assertEqual(child.split("/")[0], parent.split("/")[0])
            self.assertIn(child.split("/")[0], ("world", undo))
        kept = table_digests(s, undo)
        connection = s.connect(database="world")
        self.addCleanup(connection.close)
        with connection.cursor() as c:
            for statement in ("INSERT INTO child (parent) VALUES (9999)", "INSERT INTO tree VALUES (9999, 8888)",
                              "INSERT INTO circle_b VALUES (9999, 8888)", "INSERT INTO circle_a VALUES (9999, 8888)",
                              "UPDATE parent SET id = 1000 WHERE id = 7"):
                with self.assertRaises(pymysql.err.IntegrityError, msg=statement):
                    c.execute(statement)
            c.execute("SELECT COUNT(*) FROM child WHERE parent = 7")
            self.assertGreater(c.fetchone()[0], 0)
            c.execute("DELETE FROM parent WHERE id = 7")
            c.execute("SELECT COUNT(*) FROM child WHERE parent = 7")
            self.assertEqual(c.fetchone()[0], 0)
            c.execute("UPDATE parent SET code = 'renamed' WHERE id = 8")
            c.execute("SELECT COUNT(*) FROM child WHERE code = 'renamed'")
            self.assertGreater(c.fetchone()[0], 0)
            c.execute("DELETE FROM tree WHERE id = 1")
            c.execute("SELECT COUNT(*) FROM tree")
            self.assertEqual(c.fetchone()[0], 0)
            c.execute("SET foreign_key_checks=0")
            c.execute("DELETE FROM circle_a WHERE id = 1")
            c.execute("SET foreign_key_checks=1")
            c.execute("UPDATE circle_b SET a = NULL WHERE a = 5")
            c.execute("DELETE FROM circle_a WHERE id = 5")
        self.assertEqual(table_digests(s, undo), kept)

    def test_staging_is_untouched_by_live_writes(self):
        """Between loading and swap the staging tables stand alone: a live cascade does not reach them."""
        s = self.server
        run = s.dbsafe_start("restore", self.archive, env={"DBSAFE_FAULT": "stop:restore_verified"})
        self.addCleanup(lambda: run.running() and run.kill())
        wait_until(run.stopped, what="restore_verified")
        staging = [n for n in ours(s) if n.startswith("dbsafe_stage_")][0]
        before = table_digests(s, staging)
        s.sql("DELETE FROM world.tree WHERE id = 1")
        s.sql("UPDATE world.parent SET code = 'zz' WHERE id = 9")
        self.assertEqual(table_digests(s, staging), before)
        run.signal(18)
        self.assertEqual(run.finish().rc, 0)
        self.assertEqual(self.live(), "new")

    def test_the_same_by_mariadb_dump(self):
        self.addCleanup(self.drop, "copy")
        self.restore()
        self.restore("--into", "copy")
        self.assertEqual(dump_text(self.server, "world"), dump_text(self.server, "copy"))
        self.assertEqual(compare_schemas(self.server, "world", "copy"), [])

    def test_what_runs_at_the_same_time(self):
        s = self.server
        first = s.dbsafe_start("restore", self.archive, env={"DBSAFE_FAULT": "stop:restore_loaded"})
        self.addCleanup(lambda: first.running() and first.kill())
        wait_until(first.stopped, what="restore_loaded")
        before = ours(s)
        second = self.restore(check=12)
        self.assertIn("world", second.err)
        s.dbsafe("restore", self.archive, "--resume", check=12)
        self.assertEqual(ours(s), before)
        # another database, and a dump, do not mind
        self.addCleanup(self.drop, "copy")
        self.restore("--into", "copy")
        s.dbsafe("dump", "world", "-o", s.folder / "meanwhile.tar")
        s.dbsafe("verify", s.folder / "meanwhile.tar")
        s.dbsafe("verify", s.folder / "meanwhile.tar", "--live")
        first.signal(18)
        self.assertEqual(first.finish().rc, 0)
        self.assertEqual(self.live(), "new")

    def test_restore_while_a_dump_runs(self):
        s = self.server
        dump = s.dbsafe_start("dump", "world", "-o", s.folder / "held.tar", env={"DBSAFE_FAULT": "stop:dump_snapshot_taken"})
        self.addCleanup(lambda: dump.running() and dump.kill())
        wait_until(dump.stopped, what="dump_snapshot_taken")
        self.restore("--into", "copy")
        self.addCleanup(self.drop, "copy")
        dump.signal(18)
        self.assertEqual(dump.finish().rc, 0)
        self.assertEqual(table_digests(s, "copy"), self.new)

    # ---- verify --live

    def test_verify_live_names_each_difference(self):
        s = self.server
        self.restore()
        s.dbsafe("verify", self.archive, "--live")
        s.sql("UPDATE world.large SET t = 'x' WHERE id = 77")
        s.sql("DELETE FROM world.tree WHERE id = 63")
        s.sql("ALTER TABLE world.parent ADD COLUMN more INT NULL")
        s.sql("ALTER TABLE world.circle_b COMMENT 'changed'")
        s.sql("DROP TABLE world.child")
        result = s.dbsafe("verify", self.archive, "--live", "--json", check=7)
        found = {}
        for problem in result.json["problems"]:
            found.setdefault(problem["where"], []).append(problem["what"])
        self.assertIs(result.json["ok"], False)
        self.assertEqual(sorted(found), ["world.child", "world.circle_b", "world.large", "world.parent", "world.tree"])
        self.assertRegex(" ".join(found["world.large"]), f"^{self.large_rows} rows as dumped, but not the same")
        self.assertRegex(" ".join(found["world.tree"]), "^62 rows now, 63 were dumped")
        self.assertRegex(" ".join(found["world.child"]), "missing.*200 rows")
        self.assertEqual(len(found["world.parent"]), 1)
        self.assertIn("definition", found["world.parent"][0])
        self.assertIn("definition", found["world.circle_b"][0])
        self.assertEqual(len(found["world.circle_b"]), 1)
        text = s.dbsafe("verify", self.archive, "--live", check=7)
        for table in found:
            self.assertIn(table, text.out + text.err)
        s.dbsafe("verify", self.archive, "--live", "--tables", "circle_a")
        s.dbsafe("verify", self.archive, "--live", "--tables", "circle_a,tree", check=7)
        with open(self.archive, "rb") as file:
            s.dbsafe("verify", "-", "--live", check=7, stdin=file)
        s.sql("ALTER TABLE world.large DROP COLUMN a, DROP CONSTRAINT a_range, DROP KEY a, DROP KEY ab, DROP COLUMN c")
        result = s.dbsafe("verify", self.archive, "--live", "--tables", "large", "--json", check=7)
        self.assertIn("column a is missing", " ".join(p["what"] for p in result.json["problems"]))
        s.sql("DROP DATABASE world")
        result = s.dbsafe("verify", self.archive, "--live", "--json", check=7)
        self.assertEqual(len(result.json["problems"]), 6)

    def test_verify_live_reads_tables_whose_key_changed(self):
        """Rows are compared although the definition is another one."""
        s = self.server
        self.restore()
        s.sql("ALTER TABLE world.large MODIFY id BIGINT NOT NULL, DROP PRIMARY KEY")
        result = s.dbsafe("verify", self.archive, "--live", "--tables", "large", "--json", check=7)
        self.assertEqual(len(result.json["problems"]), 1)
        self.assertIn("definition", result.json["problems"][0]["what"])
        s.sql("UPDATE world.large SET a = a + 1 WHERE id = 5")
        result = s.dbsafe("verify", self.archive, "--live", "--tables", "large", "--json", check=7)
        self.assertEqual(len(result.json["problems"]), 2)


class Refused(TestCase):
    """Exit status 10 with the names, before anything is changed."""

    WEIRD = "it's \"odd\" `ção`"

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server()

    def setUp(self):
        fresh = "".join(f"DROP DATABASE IF EXISTS `{n}`;\nCREATE DATABASE `{n}`;\n" for n in ("r", "other", "o'ther é"))
        self.server.load(f"SET foreign_key_checks=0;\n{fresh}USE r;\nCREATE TABLE p (id INT NOT NULL PRIMARY KEY);\nCREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT);\n"
                         "INSERT INTO p VALUES (1), (2);\nINSERT INTO t VALUES (1, 1), (2, 2);\n")

    def dump(self, *what):
        path = self.server.folder / "refused.tar"
        path.unlink(missing_ok=True)
        self.server.dbsafe("dump", *(what or ("r",)), "-o", path)
        return path

    def assert_refused(self, archive, *names, args=(), **options):
        s = self.server
        before, found = everything(s), schemas(s)
        for extra in ((), ("--dry-run",)):
            result = s.dbsafe("restore", archive, *args, *extra, check=10, **options)
            for name in names:
                self.assertIn(name, result.err)
        self.assertEqual((everything(s), schemas(s)), (before, found))
        self.assertEqual(ours(s), [])
        return result

    def test_trigger_that_another_table_has(self):
        """Its name is the database's: it cannot come back beside it."""
        s = self.server
        s.sql("CREATE TRIGGER r.after_t AFTER INSERT ON r.t FOR EACH ROW SET @x = 1")
        archive = self.dump()
        s.load("USE r;\nDROP TRIGGER after_t;\nCREATE TABLE u (id INT);\nCREATE TRIGGER after_t AFTER INSERT ON u FOR EACH ROW SET @x = 2;\n")
        self.assert_refused(archive, "r.after_t", "u has one of that name")
        # a table beside it is not concerned
        s.dbsafe("restore", archive, "--tables", "p")
        s.dbsafe("undo")
        self.drop_ours()

    def drop_ours(self):
        self.server.load("SET foreign_key_checks=0;\n" + "".join(f"DROP DATABASE `{n}`;\n" for n in ours(self.server)))

    def test_child_outside(self):
        archive = self.dump()
        self.server.sql("CREATE TABLE other.c (id INT NOT NULL PRIMARY KEY, t INT, CONSTRAINT c_t FOREIGN KEY (t) REFERENCES r.t (id))")
        self.server.sql("CREATE TABLE r.kid (id INT NOT NULL PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id))")
        result = self.assert_refused(archive, "other.c", "r.t", "r.kid", "r.p")
        self.assertNotIn("error 1", result.err)

    def test_child_outside_by_weird_names(self):
        s = self.server
        q = "`" + self.WEIRD.replace("`", "``") + "`"
        s.sql(f"CREATE TABLE r.{q} (id INT NOT NULL PRIMARY KEY)")
        archive = self.dump()
        s.sql(f"CREATE TABLE `o'ther é`.{q} (id INT NOT NULL PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES r.{q} (id))")
        self.assert_refused(archive, f"o'ther é.{self.WEIRD}", f"r.{self.WEIRD}")
        s.sql(f"DROP TABLE `o'ther é`.{q}")
        # names that differ by case or accent alone are other tables
        s.sql("CREATE TABLE r.T (id INT NOT NULL PRIMARY KEY)")
        s.sql("CREATE TABLE other.`Té` (id INT NOT NULL PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES r.T (id))")
        s.dbsafe("restore", archive)
        self.assertEqual(s.value("SELECT COUNT(*) FROM information_schema.referential_constraints "
                                 "WHERE constraint_schema='other' AND unique_constraint_schema='r'"), 1)
        self.drop_ours()

    def test_parent_outside_that_is_not_there(self):
        s = self.server
        s.sql("CREATE TABLE other.p (id INT NOT NULL PRIMARY KEY)")
        s.sql("CREATE TABLE r.c (id INT NOT NULL PRIMARY KEY, p INT, q INT, CONSTRAINT to_other FOREIGN KEY (p) REFERENCES other.p (id),"
              " CONSTRAINT to_p FOREIGN KEY (q) REFERENCES r.p (id))")
        archive = self.dump()
        s.load("SET foreign_key_checks=0;\nDROP TABLE other.p;\n")
        self.assert_refused(archive, "r.c", "to_other", "other.p", "restore it too")
        self.assert_refused(archive, "to_other", args=("--into", "copy"))
        s.sql("CREATE TABLE other.p (id INT NOT NULL PRIMARY KEY)")
        self.assert_refused(archive, "to_p", "copy.p", args=("--tables", "c", "--into", "copy"))

    def test_view_in_the_way(self):
        archive = self.dump()
        self.server.sql("DROP TABLE r.t")
        self.server.sql("CREATE VIEW r.t AS SELECT 1 AS id, 2 AS v")
        self.assert_refused(archive, "r.t", "view")
        self.server.sql("DROP VIEW r.t")
        self.server.sql("CREATE SEQUENCE r.t")
        self.assert_refused(archive, "r.t", "sequence")

    def test_sequence_of_a_default_that_is_nowhere(self):
        s = self.server
        s.sql("CREATE SEQUENCE other.numbers")
        s.sql("CREATE TABLE r.s (id BIGINT NOT NULL DEFAULT NEXTVAL(other.numbers) PRIMARY KEY)")
        archive = self.dump("r", "--exclude", "other.numbers")  # else it comes with the table
        s.load("DROP TABLE r.s;\nDROP SEQUENCE other.numbers;\n")
        self.assert_refused(archive, "r.s", "other.numbers")

    def test_data_directory(self):
        s = self.server
        place = s.folder / "elsewhere"
        place.mkdir()
        place.chmod(0o777)
        try:
            s.sql(f"CREATE TABLE r.far (id INT NOT NULL PRIMARY KEY) DATA DIRECTORY='{place}'")
        except pymysql.err.Error as e:
            self.skipTest(f"the server does not take DATA DIRECTORY: {e}")
        if "DATA DIRECTORY" not in s.sql("SHOW CREATE TABLE r.far")[0][1]:
            self.skipTest("the server ignores DATA DIRECTORY")
        archive = self.dump()
        self.assert_refused(archive, "r.far", "DATA DIRECTORY")
        s.sql("DROP TABLE r.far")
        s.sql("CREATE TABLE r.far (id INT NOT NULL PRIMARY KEY)")
        archive = self.dump()
        s.sql("DROP TABLE r.far")
        s.sql(f"CREATE TABLE r.far (id INT NOT NULL PRIMARY KEY) DATA DIRECTORY='{place}'")
        self.assert_refused(archive, "r.far", "DATA DIRECTORY now")

    def test_account_without_process(self):
        s = self.server
        archive = self.dump()
        account = s.account("ALL ON r.*", "ALL ON `dbsafe\\_%`.*")
        self.assert_refused(archive, "PROCESS", "--assume-no-outside-fks", defaults_file=account)
        s.dbsafe("restore", archive, "--assume-no-outside-fks", defaults_file=account)
        undo = s.dbsafe("undo", check=10, defaults_file=account)
        self.assertIn("PROCESS", undo.err)
        s.dbsafe("undo", "--assume-no-outside-fks", defaults_file=account)
        self.drop_ours()
        # nothing live is replaced: no foreign key can point there
        s.sql("DROP TABLE r.p, r.t")
        s.dbsafe("restore", archive, defaults_file=account)
        self.drop_ours()

    def test_account_without_the_grant_for_our_schemas(self):
        archive = self.dump()
        account = self.server.account("ALL ON r.*", "PROCESS ON *.*")
        before = schemas(self.server)
        result = self.server.dbsafe("restore", archive, check=10, defaults_file=account)
        self.assertIn("dbsafe\\_%", result.err)
        self.assertEqual(schemas(self.server), before)

    def test_all_reasons_at_once(self):
        s = self.server
        s.sql("CREATE TRIGGER r.first_t AFTER INSERT ON r.t FOR EACH ROW SET @x = 1")
        archive = self.dump()
        s.load("USE r;\nDROP TRIGGER first_t;\nCREATE TABLE u (id INT);\nCREATE TRIGGER first_t AFTER INSERT ON u FOR EACH ROW SET @x = 2;\n"
               "CREATE TABLE other.c (id INT NOT NULL PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES r.p (id));\n"
               "CREATE TABLE other.d (id INT NOT NULL PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES r.t (id));\n")
        self.assert_refused(archive, "first_t", "other.c", "other.d")

    def test_reasons_of_every_kind_at_once(self):
        """What stands in a table's place hides no other reason."""
        s = self.server
        s.load("USE r;\nCREATE SEQUENCE other.numbers;\nCREATE TABLE s (id BIGINT NOT NULL DEFAULT NEXTVAL(other.numbers) PRIMARY KEY);\n"
               "CREATE VIEW v AS SELECT 1 id;\n")
        archive = self.dump("r", "--exclude", "other.numbers")
        s.load("USE r;\nDROP TABLE t, s;\nDROP SEQUENCE other.numbers;\nDROP VIEW v;\nCREATE TABLE v (id INT);\nCREATE VIEW t AS SELECT 1 AS id, 2 AS v;\n"
               "CREATE TABLE other.c (id INT NOT NULL PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES r.p (id));\n")
        reasons = ("r.t is a view", "sequence other.numbers", "view r.v cannot come back", "other.c")
        self.assert_refused(archive, *reasons)
        self.assert_refused(archive, *reasons, "r.p exists already", args=("--if-exists", "fail"))
        doctor = s.dbsafe("doctor", archive, check=10)
        for reason in reasons:
            self.assertIn(reason, doctor.out)

    def test_what_appeared_while_loading(self):
        """Checked again right before the swap: hours may have passed."""
        s = self.server
        archive = self.dump()
        run = s.dbsafe_start("restore", archive, env={"DBSAFE_FAULT": "stop:restore_verified"})
        self.addCleanup(lambda: run.running() and run.kill())
        wait_until(run.stopped, what="restore_verified")
        s.sql("CREATE TABLE other.late (id INT NOT NULL PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES r.p (id))")
        run.signal(18)
        result = run.finish()
        self.assertEqual(result.rc, 10, result)
        self.assertIn("other.late", result.err)
        self.assertEqual(ours(s), [])
        self.assertEqual(s.value("SELECT COUNT(*) FROM information_schema.innodb_sys_foreign WHERE ref_name='r/p'"), 1)

    def test_table_that_appeared_while_loading(self):
        s = self.server
        archive = self.dump()
        s.sql("DROP TABLE r.t")
        run = s.dbsafe_start("restore", archive, env={"DBSAFE_FAULT": "stop:restore_verified"})
        self.addCleanup(lambda: run.running() and run.kill())
        wait_until(run.stopped, what="restore_verified")
        s.sql("CREATE TABLE r.t (mine INT)")
        run.signal(18)
        result = run.finish()
        self.assertIn(result.rc, (4, 10), result)
        self.assertEqual(ours(s), [])
        self.assertEqual(s.value("SELECT COUNT(*) FROM information_schema.columns WHERE table_schema='r' AND column_name='mine'"), 1)
        self.assertEqual(s.value("SELECT COUNT(*) FROM r.p"), 2)
