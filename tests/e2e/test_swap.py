"""Restore and undo of everything a database holds: objects with the tables, over what is there, and back again."""

import re
import threading

import pymysql

from lib import FULL, TestCase, differences, everything_in, rng, sample, wait_until, zoo
from lib.world import WorldCase, everything, ours, schemas

# What a bad migration does to the zoo: something to every kind of object.
CHANGES = """
USE zoo;
SET sql_mode='STRICT_TRANS_TABLES';
ALTER DATABASE zoo CHARACTER SET latin1 COLLATE latin1_bin COMMENT 'changed';
DO NEXTVAL(s_middle), NEXTVAL(s_plain), SETVAL(s_large, 9223372036854775500);
ALTER SEQUENCE s_down MINVALUE -500;
DROP SEQUENCE s_round;
CREATE SEQUENCE s_new;
ALTER TABLE animal DROP FOREIGN KEY animal_species, ADD COLUMN extra INT DEFAULT 5;
UPDATE animal SET name = CONCAT('lost ', id) WHERE id % 3 = 0;
DELETE FROM zoo_annex.feeding WHERE id % 5 = 0;
DROP TRIGGER a_first;
DROP TRIGGER after_update;
CREATE TRIGGER new_one AFTER UPDATE ON watched FOR EACH ROW INSERT INTO log (what) VALUES ('new');
CREATE TRIGGER on_log BEFORE INSERT ON log FOR EACH ROW SET NEW.what = UPPER(NEW.what);
DROP TRIGGER on_aria;
CREATE TABLE brand_new (id INT PRIMARY KEY);
CREATE TRIGGER on_new BEFORE INSERT ON brand_new FOR EACH ROW SET @x = 1;
DROP TABLE part_key;
CREATE OR REPLACE VIEW v_b AS SELECT 1 AS id, 'x' AS name;
DROP VIEW v_recursive;
CREATE VIEW v_new AS SELECT * FROM cage;
CREATE OR REPLACE FUNCTION label (n INT, what VARCHAR(20)) RETURNS VARCHAR(60) DETERMINISTIC RETURN 'changed';
DROP FUNCTION next_ticket;
DROP PROCEDURE missing;
CREATE PROCEDURE fresh() SELECT 1;
SET sql_mode=ORACLE;
DROP PACKAGE keeper;
CREATE OR REPLACE PACKAGE bare AS
  FUNCTION two RETURN INT;
END;
SET sql_mode='';
ALTER EVENT e_once DISABLE;
DROP EVENT e_past;
CREATE EVENT e_new ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:00' DO SET @y=1;
"""
# What the changes added and the archive does not have: it stays.
NEW = {("table", "brand_new"), ("view", "v_new"), ("rows of view", "v_new"), ("sequence", "s_new"), ("procedure", "fresh"), ("event", "e_new"),
       ("trigger", "on_new")}
QUOTED = ("zoo", "zoo_annex", "`" + zoo.ODD.replace("`", "``") + "`")


def changes():
    """The stock client ends statements at semicolons: packages hold some."""
    return CHANGES.replace("CREATE OR REPLACE PACKAGE bare", "DELIMITER //\nCREATE OR REPLACE PACKAGE bare").replace("END;\nSET", "END//\nDELIMITER ;\nSET")


class ZooCase(WorldCase):
    """cls.dumped and cls.old are pictures of the zoo: as dumped, and after CHANGES."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)
        cls.server.load("zoo.sql")
        cls.archive = cls.server.folder / "zoo.tar"
        cls.server.dbsafe("dump", *QUOTED, "-o", cls.archive)
        cls.dumped = everything_in(cls.server, *zoo.SCHEMAS)

    def change(self):
        self.drop_ours()
        self.server.load("zoo.sql")
        self.server.load(changes())
        self.old = everything_in(self.server, *zoo.SCHEMAS)

    def restore(self, *args, check=0, **options):
        return self.server.dbsafe("restore", self.archive, *args, check=check, **options)

    def undo(self, *args, check=0, **options):
        return self.server.dbsafe("undo", *args, check=check, **options)

    def now(self, but_new=False):
        found = everything_in(self.server, *zoo.SCHEMAS)
        if not but_new:
            return found
        found = {k: v for k, v in found.items() if (k[0], k[2]) not in NEW}
        names = {n for _, n in NEW}
        return {k: [row for row in v if not any(f"_NAME={n}" in str(row) or f"TABLE={n}" in str(row) for n in names)] if k[0] == "catalogue" else v
                for k, v in found.items()}

    def without_broken(self, picture):
        """No statement makes a view of what is not there."""
        found = {k: v for k, v in picture.items() if k[2] not in zoo.BROKEN_VIEWS}
        return {k: [row for row in v if not any(f"TABLE_NAME={n}'" in str(row) for n in zoo.BROKEN_VIEWS)] if k[0] == "catalogue" else v
                for k, v in found.items()}


class Zoo(ZooCase):
    def test_with_the_original_dropped_first(self):
        s = self.server
        for source in ("file", "pipe"):
            with self.subTest(source):
                self.drop_ours()
                zoo.drop(s)
                if source == "file":
                    result = self.restore("--json")
                else:
                    with open(self.archive, "rb") as file:
                        result = s.dbsafe("restore", "-", "--json", stdin=file)
                self.assertEqual((result.json["tables"], result.json["objects"], result.json["verified"]), (30, 72, True))
                self.assertEqual(differences(self.without_broken(self.dumped), self.now()), [])
                self.assertEqual([p for p in zoo.Behaviour(s).problems if "broken" not in p], [])
                for name in zoo.BROKEN_VIEWS:
                    self.assertIn(f"view zoo.{name} is left out", result.err)
        # nothing of it was there before: undo takes all of it away, databases too
        used = self.now()
        self.undo()
        self.assertEqual(self.now(), {})
        self.assertEqual([n for n, in s.sql("SHOW DATABASES LIKE 'zoo%'")], [])
        self.undo()
        self.assertEqual(differences(used, self.now()), [])

    def test_over_a_changed_original_and_back(self):
        s = self.server
        self.change()
        before, names = everything(s), schemas(s)
        dry = self.restore("--dry-run")
        for words in ("exchange 30 tables and 10 sequences", "step 1 of", "replace view zoo.v_b", "create view zoo.v_recursive, which is not there now",
                      "replace event zoo.e_once", "database zoo: character set utf8mb4", "replace function zoo.label", "create package zoo.keeper",
                      "give the triggers of zoo.watched their names, under a lock", "drop the triggers of the replaced zoo.log", "read back"):
            self.assertIn(words, dry.err)
        self.assertEqual(((everything(s), schemas(s)), differences(self.old, self.now())), ((before, names), []))

        result = self.restore("--json")
        self.assertTrue(result.json["verified"] and result.json["swapped"])
        for name in ("brand_new", "s_new", "v_new", "fresh", "e_new"):
            self.assertRegex(result.err, f"stays as it is: .*{name}")
        self.assertEqual(differences(self.dumped, self.now(but_new=True)), [])
        restored = self.now()

        listed = self.undo("--list", "--json").json["restores"][0]
        self.assertEqual((listed["tables"], listed["objects"], listed["unfinished"]), (30, 72, False))
        for words in ("sequence zoo.s_plain", "view zoo.v_b", "trigger zoo.a_first", "package body zoo.keeper"):
            self.assertIn(words, listed["object_names"])
        dry = self.undo("--dry-run")
        for words in ("drop view zoo.v_recursive", "replace view zoo.v_b", "drop package zoo.keeper"):
            self.assertIn(words, dry.err)
        self.assertEqual(differences(restored, self.now()), [])

        self.undo()
        self.assertEqual(differences(self.old, self.now()), [])
        self.undo()
        self.assertEqual(differences(restored, self.now()), [])
        s.load("DROP TABLE zoo.brand_new;\nDROP SEQUENCE zoo.s_new;\nDROP VIEW zoo.v_new;\nDROP PROCEDURE zoo.fresh;\nDROP EVENT zoo.e_new;\n")
        self.assertEqual(zoo.Behaviour(s).problems, [])

    def test_over_a_database_whose_sequences_are_gone(self):
        """Tables whose defaults name a sequence that is not there cannot even be opened."""
        self.change()
        s = self.server
        s.load("DROP SEQUENCE zoo.s_middle;\nDROP SEQUENCE zoo_annex.s_ticket;\n")
        self.restore()
        self.assertEqual(differences(self.dumped, self.now(but_new=True)), [])
        self.undo()
        self.assertIsNone(s.value("SELECT 1 FROM information_schema.tables WHERE table_name = 's_ticket' AND table_schema = 'zoo_annex'"))
        self.undo()
        self.assertEqual(differences(self.dumped, self.now(but_new=True)), [])

    def test_a_failed_swap_leaves_everything_as_it_was(self):
        self.change()
        s = self.server
        s.sql("DROP SEQUENCE zoo_annex.s_ticket")
        old = self.now()
        names = schemas(s)
        steps = int(self.restore("--dry-run").err.split("step 1 of ")[1].split(":")[0])
        swap = 1 + [line.split(": ", 2)[2] for line in self.restore("--dry-run").err.splitlines() if "step " in line].index(
            next(line.split(": ", 2)[2] for line in self.restore("--dry-run").err.splitlines() if "exchange 30 tables" in line))
        self.assertLess(swap, steps)
        for n in sample(range(1, swap + 1), 5, "failed swap"):
            with self.subTest(step=n):
                result = self.restore(check=4, env={"DBSAFE_FAULT": f"fail:step:{n}"})
                self.assertNotIn("could not be", result.err)
                self.assert_nothing_of_ours()
                self.assertEqual(differences(old, self.now()), [])
                self.assertEqual(schemas(s), names)

    def test_only_some_tables_bring_their_triggers_and_sequences(self):
        self.change()
        s = self.server
        result = self.restore("--tables", "zoo.watched,zoo.log,zoo.aria_safe", "--json")
        self.assertEqual((result.json["tables"], result.json["objects"]), (3, 9))
        now = self.now()
        for kind, name in (("trigger", "a_first"), ("trigger", "on_aria"), ("table", "watched"), ("trigger", "tr `odd\" é;")):
            self.assertEqual(now[kind, "zoo", name], self.dumped[kind, "zoo", name])
        for kind, name in (("view", "v_b"), ("function", "label"), ("sequence", "s_plain"), ("event", "e_once")):
            self.assertEqual(now[kind, "zoo", name], self.old[kind, "zoo", name])
        self.undo()
        self.assertEqual(differences(self.old, self.now()), [])
        # a missing sequence of a default comes too, one that is there goes on
        s.sql("DROP SEQUENCE zoo.s_middle")
        result = self.restore("--tables", "zoo.animal,zoo.cage,circle_*,zoo_annex.feeding,zoo_annex.species,t?1", "--json")
        self.assertEqual(self.now()["sequence", "zoo", "s_middle"], self.dumped["sequence", "zoo", "s_middle"])

    def test_into_other_databases(self):
        s = self.server
        self.drop_ours()
        s.load("zoo.sql")
        rename = {"zoo": "copy", "zoo_annex": "copy annex", zoo.ODD: "copy odd"}
        self.addCleanup(zoo.drop, s, *rename.values())
        # definers of the original have no rights on the copies
        result = self.restore("--into", "zoo=copy,zoo_annex=copy annex," + zoo.ODD + "=copy odd", "--definer", "current")
        self.assertEqual(self.now(), self.dumped)
        # what stands inside of objects is not changed: each that names an old database is told of
        for name in ("view copy.v_far", "trigger copy annex.fed", "function copy.next_ticket", "view copy annex.v_across", "event copy.e_enabled"):
            self.assertRegex(result.err, f"warning: {name} names the database zoo(_annex)?, ")
        for name in ("trigger copy.after_insert names", "view copy.v_b names", "event copy.e_once names"):
            self.assertNotIn(name, result.err)
        self.assertRegex(result.err, "event copy.e_enabled names .* it is made disabled")
        self.assertEqual(s.value("SELECT status FROM information_schema.events WHERE event_schema='copy' AND event_name='e_enabled'"), "DISABLED")
        copied = everything_in(s, *rename.values())
        expected = everything_in(s, *zoo.SCHEMAS, rename=rename)
        for kind, schema, name in expected:
            if kind in ("table", "sequence"):
                self.assertEqual(copied[kind, schema, name], expected[kind, schema, name])
        # defaults take from the copies of the sequences, keys lead to copies of the parents
        s.sql("INSERT INTO copy.animal (name) VALUES ('born in the copy')")
        self.assertEqual(self.now(), self.dumped)
        self.assertEqual({p.split("/")[0] for c, p in s.sql("SELECT for_name, ref_name FROM information_schema.innodb_sys_foreign") if c.startswith("copy")},
                         {"copy", "copy@0020annex"})


class Objects(WorldCase):
    """Views, programs and events of a small database."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server()

    def setUp(self):
        self.drop_ours()
        self.server.load("""
SET foreign_key_checks=0;
DROP DATABASE IF EXISTS app;
CREATE DATABASE app;
USE app;
CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VARCHAR(20) NULL) ENGINE=InnoDB;
INSERT INTO t VALUES (1, 'one'), (2, 'two');
CREATE VIEW v AS SELECT id FROM t;
CREATE VIEW w AS SELECT id FROM v;
CREATE FUNCTION f () RETURNS INT DETERMINISTIC RETURN 1;
CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:00' DO SET @x = 1;
CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.v = f();
""")
        self.archive = self.dump("app.tar")

    def dump(self, name):
        path = self.server.folder / name
        path.unlink(missing_ok=True)
        self.server.dbsafe("dump", "app", "-o", path)
        return path

    def restore(self, *args, check=0, **options):
        return self.server.dbsafe("restore", self.archive, *args, check=check, **options)

    def definers(self):
        return {d for d, in self.server.sql("SELECT definer FROM information_schema.views WHERE table_schema='app' UNION "
                                            "SELECT definer FROM information_schema.routines WHERE routine_schema='app' UNION "
                                            "SELECT definer FROM information_schema.triggers WHERE trigger_schema='app' UNION "
                                            "SELECT definer FROM information_schema.events WHERE event_schema='app'")}

    def test_what_is_equal_is_left_alone(self):
        s = self.server
        made = s.sql("SELECT created FROM information_schema.routines WHERE routine_schema='app' UNION ALL SELECT created FROM information_schema.events WHERE event_schema='app'")
        result = self.restore("--dry-run")
        for words in ("view app", "function app", "event app"):
            self.assertNotIn(words, result.err)
        self.restore()
        self.assertEqual(s.sql("SELECT created FROM information_schema.routines WHERE routine_schema='app' UNION ALL SELECT created FROM information_schema.events WHERE event_schema='app'"), made)

    def test_a_view_that_was_left_broken_is_the_one_thing_that_undo_cannot_make(self):
        """That is told before it is replaced, and where its definition is; all else comes back."""
        s = self.server
        s.load("USE app;\nALTER TABLE t ADD COLUMN c INT;\nALTER VIEW v AS SELECT id, c FROM t;\nALTER TABLE t DROP COLUMN c;\n"
               "UPDATE t SET v = 'lost';\n")
        old = everything_in(s, "app")
        told = "warning: view app.v refers to what is not there.*: undo cannot make it again"
        for command in ("doctor", "restore"):
            args = ("--dry-run",) if command == "restore" else ()
            self.assertRegex(s.dbsafe(command, self.archive, *args).err, told)
        self.assertEqual(len(re.findall(told, self.restore().err)), 1)
        self.assertEqual(s.value("SELECT COUNT(*) FROM app.v"), 2)
        undone = s.dbsafe("undo", "--yes", "--json")
        self.assertRegex(undone.err, "view app.v is left out, it refers to what is not there: .*; its definition is in ")
        place = re.search(r"its definition is in (`dbsafe_\w+`\.object)", undone.err)[1]
        kept = s.value(f"SELECT definition FROM {place} WHERE side = 'made' AND target_name = 'v'")
        self.assertIn(b"`c`", kept)
        wrong = differences(old, everything_in(s, "app"))
        self.assertTrue(wrong)
        self.assertEqual([w for w in wrong if "app v:" not in w and "app w:" not in w and not re.search("TABLE_NAME=[vw]'", w)], [])
        # with what it refers to back in place, by that definition
        s.load("USE app;\nALTER TABLE t ADD COLUMN c INT;\n")
        s.sql(kept.decode().replace("CREATE ", "CREATE OR REPLACE ", 1), schema="app")
        s.load("USE app;\nALTER TABLE t DROP COLUMN c;\n")
        self.assertEqual(differences(old, everything_in(s, "app")), [])

    def test_undo_makes_views_behind_those_that_they_are_made_of(self):
        """Whether a view can be written through is settled when it is made; names and archives tell another order."""
        s = self.server
        s.load("USE app;\nDROP VIEW w;\nDROP VIEW v;\nCREATE VIEW z AS SELECT DISTINCT id FROM t;\nCREATE VIEW a AS SELECT id AS n FROM t;\n")
        archive = self.dump("views.tar")
        s.load("USE app;\nCREATE VIEW m AS SELECT id FROM t;\nALTER VIEW z AS SELECT id FROM m;\nALTER VIEW a AS SELECT id FROM z;\nUPDATE t SET v = 'new';\n")
        old = everything_in(s, "app")
        s.sql("UPDATE app.a SET id = id")
        s.dbsafe("restore", archive)
        s.dbsafe("undo", "--yes")
        s.sql("UPDATE app.a SET id = id")
        self.assertEqual(differences(old, everything_in(s, "app")), [])

    def test_grants_on_programs_stay(self):
        s = self.server
        s.sql("CREATE OR REPLACE USER caller@localhost")
        s.sql("GRANT EXECUTE ON FUNCTION app.f TO caller@localhost")
        s.sql("CREATE OR REPLACE FUNCTION app.f () RETURNS INT DETERMINISTIC RETURN 2")
        self.restore()
        self.assertEqual(s.value("SELECT app.f()"), 1)
        s.dbsafe("undo")
        self.assertEqual(s.value("SELECT app.f()"), 2)
        self.assertIn("`app`.`f`", str(s.sql("SHOW GRANTS FOR caller@localhost")))

    def test_definers(self):
        s = self.server
        everyone = ("CREATE, ALTER, DROP, INSERT, SELECT, UPDATE, DELETE, REFERENCES, INDEX, LOCK TABLES, TRIGGER, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, "
                    "ALTER ROUTINE, EXECUTE, EVENT ON app.*")
        account = s.account(everyone, "ALL ON `dbsafe\\_%`.*", "PROCESS ON *.*", "SELECT ON mysql.proc")
        user = f"{account.stem}@localhost"
        s.load("USE app;\nDROP VIEW v;\nDROP VIEW w;\nDROP FUNCTION f;\nDROP EVENT e;\n")
        before = everything_in(s, "app")
        refused = self.restore(check=10, defaults_file=account)
        self.assertRegex(refused.err, rf"GRANT SET USER ON \*\.\* TO `{account.stem}`@`localhost`")
        self.assertIn("--definer current", refused.err)
        self.assertEqual(differences(before, everything_in(s, "app")), [])
        self.assert_nothing_of_ours()
        self.restore("--definer", "current", defaults_file=account)
        self.assertEqual(self.definers(), {user})
        s.sql("INSERT INTO app.t (id) VALUES (5)")
        self.assertEqual(s.value("SELECT v FROM app.t WHERE id=5"), "1")
        s.dbsafe("undo")
        self.drop_ours()
        s.sql("CREATE OR REPLACE USER app_owner@'%'")
        s.sql("GRANT ALL ON app.* TO app_owner@'%'")
        result = self.restore("--definer", "'app_owner'@'%'")
        self.assertEqual(self.definers(), {"app_owner@%"})
        s.dbsafe("undo")
        self.drop_ours()
        # an account that is not there: told; a view over such a one cannot even be made
        result = self.restore("--tables", "t", "--definer", "nobody@nowhere")
        self.assertEqual(s.value("SELECT definer FROM information_schema.triggers WHERE trigger_schema='app'"), "nobody@nowhere")
        self.assertRegex(result.err, "definer nobody@nowhere .*does not exist")
        for wrong in ("nobody", "@", "a@", ""):
            self.restore("--definer", wrong, check=2)
        s.sql(f"GRANT SET USER ON *.* TO {user}")
        s.dbsafe("undo", defaults_file=account)
        s.dbsafe("undo", defaults_file=account)
        self.assertEqual(s.value("SELECT definer FROM information_schema.triggers WHERE trigger_schema='app'"), "nobody@nowhere")

    def test_missing_privileges_are_named(self):
        s = self.server
        account = s.account("CREATE, ALTER, DROP, INSERT, SELECT, TRIGGER, SHOW VIEW, EVENT ON app.*", "ALL ON `dbsafe\\_%`.*", "PROCESS, SET USER ON *.*", "SELECT ON mysql.proc")
        s.load("USE app;\nDROP VIEW v;\nDROP VIEW w;\nDROP FUNCTION f;\n")
        before = everything(s), schemas(s)
        result = self.restore(check=10, defaults_file=account)
        for privilege in ("CREATE VIEW", "CREATE ROUTINE", "LOCK TABLES"):
            self.assertRegex(result.err, rf"GRANT {privilege} ON `app`\.\* TO `{account.stem}`@`localhost`")
        self.assertEqual((everything(s), schemas(s)), before)

    def test_what_stands_in_the_way(self):
        s = self.server
        before = None
        for statements, words in (
                ("DROP VIEW w;\nDROP VIEW v;\nCREATE TABLE v (id INT);\n", ("view app.v", "a table of that name")),
                ("DROP TABLE t;\nCREATE VIEW t AS SELECT 1 AS id, 'x' AS v;\n", ("app.t is a view", "not a table")),
                ("DROP TRIGGER tr;\nCREATE TABLE u (id INT);\nCREATE TRIGGER tr BEFORE INSERT ON u FOR EACH ROW SET @x = 1;\n", ("trigger app.tr", "u has one of that name"))):
            with self.subTest(words):
                self.setUp()
                s.load("USE app;\n" + statements)
                before = everything(s), schemas(s)
                result = self.restore(check=10)
                for word in words:
                    self.assertIn(word, result.err)
                self.assertEqual((everything(s), schemas(s)), before)

    def test_a_program_that_cannot_be_made_is_told_and_tried_again(self):
        """Behind the swap a failure does not keep the rest from being done, and --resume goes on there."""
        s = self.server
        s.load("USE app;\nDROP VIEW v;\nDROP VIEW w;\nDROP EVENT e;\n")
        before = everything_in(s, "app")
        result = self.restore(check=4, env={"DBSAFE_FAULT": "fail:step_replace_object:1,fail:step_replace_object:4"})
        self.assertIn("is swapped, but not all", result.err)
        self.assertIn("--resume", result.err)
        self.assertEqual(s.value("SELECT COUNT(*) FROM information_schema.events WHERE event_schema='app'"), 1)  # behind the failed one
        listed = s.dbsafe("undo", "--list", "--json").json["restores"][0]
        self.assertIs(listed["unfinished"], True)
        self.restore("--resume")
        self.assertEqual(s.value("SELECT COUNT(*) FROM app.w"), 2)
        self.assertIs(s.dbsafe("undo", "--list", "--json").json["restores"][0]["unfinished"], False)
        s.dbsafe("undo")
        self.assertEqual(differences(before, everything_in(s, "app")), [])
        # or undo right away
        self.drop_ours()
        self.restore(check=4, env={"DBSAFE_FAULT": "fail:step_name_triggers:1,fail:step_name_triggers:2"})
        s.dbsafe("undo")
        self.assertEqual(differences(before, everything_in(s, "app")), [])

    def test_triggers_whose_names_differ_in_case(self):
        s = self.server
        s.load("USE app;\nCREATE TABLE a_table (id INT);\nCREATE TRIGGER TR BEFORE INSERT ON a_table FOR EACH ROW SET @x = 1;\nDROP TRIGGER tr;\n")
        self.restore("--tables", "t")
        self.assertEqual(sorted(t for t, in s.sql("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema='app'")), ["TR", "tr"])
        s.dbsafe("undo")
        self.assertEqual([t for t, in s.sql("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema='app'")], ["TR"])

    def test_routines_and_events_whose_names_differ_in_case(self):
        """They are the same to the server: OR REPLACE takes one for the other, and undo brings back what was there."""
        s = self.server
        s.load("USE app;\nDROP FUNCTION f;\nDROP EVENT e;\nCREATE FUNCTION F () RETURNS INT DETERMINISTIC RETURN 7;\n"
               "CREATE EVENT É ON SCHEDULE EVERY 2 DAY STARTS '2035-01-01 00:00:00' DO SET @x = 7;\nUPDATE t SET v = 'lost';\n")
        old = everything_in(s, "app")
        result = self.restore("--dry-run")
        for words in ("replace function app.f", "replace event app.e"):
            self.assertIn(words, result.err)
        self.assertNotRegex(result.err, "stays as it is: .*function F")
        self.restore()
        self.assertEqual(s.value("SELECT app.f()"), 1)
        self.assertEqual(s.sql("SELECT event_name, interval_value FROM information_schema.events WHERE event_schema='app'"), [("e", "1")])
        s.dbsafe("undo")
        self.assertEqual(differences(old, everything_in(s, "app")), [])

    def test_functions_that_a_binary_log_does_not_trust(self):
        """Not even root can make them: refused before anything is loaded; nothing is said while they stay as they are."""
        s = self.own_server(binlog=True)
        s.sql("SET GLOBAL log_bin_trust_function_creators=1")
        s.load("CREATE DATABASE app;\nUSE app;\nCREATE TABLE t (id INT PRIMARY KEY);\nCREATE FUNCTION g () RETURNS INT COMMENT 'not DETERMINISTIC' RETURN RAND();\n")
        archive = s.folder / "functions.tar"
        s.dbsafe("dump", "app", "-o", archive)
        s.sql("SET GLOBAL log_bin_trust_function_creators=0")
        s.dbsafe("restore", archive)
        s.sql("DROP FUNCTION app.g")
        refused = s.dbsafe("restore", archive, check=10)
        self.assertIn("function app.g", refused.err)
        s.sql("SET GLOBAL log_bin_trust_function_creators=1")
        s.dbsafe("restore", archive)
        self.assertIsNotNone(s.value("SELECT app.g()"))

    def test_triggers_of_several_collations_keep_their_order(self):
        """And names as long as the server takes, so many that not all of them fit into the text of a step."""
        s = self.server
        table, key = "t" + "é" * 56, "k" + "é" * 63  # _ibfk_1 still fits behind the table's
        statements = ["USE app", "CREATE TABLE log (n INT NOT NULL AUTO_INCREMENT PRIMARY KEY, what INT NOT NULL)",
                      f"CREATE TABLE `{table}` (id INT NOT NULL PRIMARY KEY, p INT NULL, q INT NULL, CONSTRAINT `{key}` FOREIGN KEY (p) REFERENCES t (id),"
                      " FOREIGN KEY (q) REFERENCES t (id))"]
        for n in range(40):
            if n % 3 == 0:
                statements.append(f"ALTER DATABASE app COLLATE {('utf8mb4_bin', 'utf8mb4_unicode_ci')[n % 2]}")
            statements.append(f"CREATE TRIGGER `{n:02}{'éa'[n % 2]}{'é' * 61}` BEFORE INSERT ON `{table}` FOR EACH ROW INSERT INTO log (what) VALUES ({n})")
        s.load(";\n".join(statements) + ";\n")
        archive, dumped = self.dump("names.tar"), everything_in(s, "app")
        s.load(f"USE app;\nUPDATE t SET v = 'lost';\nDROP TRIGGER `20é{'é' * 61}`;\nALTER DATABASE app COLLATE utf8mb4_general_ci;\n")
        old = everything_in(s, "app")
        s.dbsafe("restore", archive)
        self.assertEqual(differences(dumped, everything_in(s, "app")), [])
        s.sql(f"INSERT INTO app.`{table}` (id) VALUES (1)")
        self.assertEqual([what for what, in s.sql("SELECT what FROM app.log ORDER BY n")], list(range(40)))
        s.dbsafe("undo")
        self.assertEqual(differences(old, everything_in(s, "app")), [])

    def test_a_collation_that_was_lent_when_it_was_killed(self):
        """Objects keep the collation that their database had: it has that one for a moment, and then its own again."""
        s = self.server
        s.load("ALTER DATABASE app CHARACTER SET latin1 COLLATE latin1_bin;\nDROP VIEW app.w;\n")
        self.archive = self.dump("lent.tar")
        dumped = everything_in(s, "app")
        s.sql("CREATE OR REPLACE FUNCTION app.f () RETURNS INT DETERMINISTIC RETURN 2")  # it has another collation now
        s.sql("UPDATE app.t SET v = 'lost'")
        old = everything_in(s, "app")
        for then in ("resume", "undo"):
            # 1: the trigger, before the swap; 2: the function, behind it
            for n in (1, 2):
                with self.subTest(then=then, n=n):
                    self.restore(check=-9, env={"DBSAFE_FAULT": f"kill:collation_lent:{n}"})
                    self.assertNotEqual(s.value("SELECT default_collation_name FROM information_schema.schemata WHERE schema_name='app'"), "latin1_bin")
                    if then == "resume":
                        self.restore("--resume")
                        self.assertEqual(differences(dumped, everything_in(s, "app")), [])
                        s.dbsafe("undo")
                    else:
                        s.dbsafe("undo", re.findall(r"dbsafe_(\d\S*)", " ".join(ours(s)))[0])
                    self.assertEqual(differences(old, everything_in(s, "app")), [])
                    self.drop_ours()

    def test_events_rest_until_all_is_in_place(self):
        """With the scheduler on: neither in staging nor in the live database is there one that could run before the swap is done."""
        s = self.server = self.own_server(extra=["--event-scheduler=ON"])
        s.load("CREATE DATABASE app;\nUSE app;\nCREATE TABLE hits (n INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT);\n"
               "CREATE EVENT tick ON SCHEDULE EVERY 1 SECOND DO INSERT INTO app.hits (v) VALUES (1);\n")
        self.archive = self.dump("tick.tar")
        s.load("USE app;\nDROP EVENT tick;\nINSERT INTO hits (v) VALUES (7), (7), (7), (7), (7);\n")
        rows = s.value("SELECT COUNT(*) FROM app.hits")
        run = s.dbsafe_start("restore", self.archive, env={"DBSAFE_FAULT": "stop:restore_verified,stop:step_replace_object:1"})
        self.addCleanup(lambda: run.running() and run.kill())
        for swapped in (False, True):
            wait_until(lambda: run.stopped() and (s.value("SELECT COUNT(*) FROM app.hits WHERE v = 7") == 0) == swapped, what="the stop")
            self.assertEqual(s.sql("SELECT event_schema, event_name FROM information_schema.events"), [])
            self.assertEqual(s.value("SELECT COUNT(*) FROM app.hits") == rows, not swapped)
            run.signal(18)
        self.assertEqual(run.finish().rc, 0, run.result)
        self.assertEqual(s.sql("SELECT event_schema, event_name, status FROM information_schema.events"), [("app", "tick", "ENABLED")])
        rows = s.value("SELECT COUNT(*) FROM app.hits")
        wait_until(lambda: s.value("SELECT COUNT(*) FROM app.hits") > rows, what="the event")

    def test_an_event_whose_time_is_over(self):
        s = self.server
        s.sql("CREATE EVENT app.once ON SCHEDULE AT NOW() + INTERVAL 2 SECOND DO SET @x = 1")
        self.archive = self.dump("once.tar")
        wait_until(lambda: s.value("SELECT execute_at < NOW() FROM information_schema.events WHERE event_name='once'"), what="the time of the event")
        s.sql("DROP EVENT app.once")
        result = self.restore()
        self.assertIn("once", result.err)
        self.assertEqual(s.value("SELECT COUNT(*) FROM information_schema.events WHERE event_name='once'"), 0)

    def test_comparison_after_it(self):
        """Each object is read back: what somebody changes at that moment is told (exit 7)."""
        s = self.server
        run = s.dbsafe_start("restore", self.archive, env={"DBSAFE_FAULT": "stop:step_check"})
        self.addCleanup(lambda: run.running() and run.kill())
        wait_until(run.stopped, what="step_check")
        s.sql("CREATE OR REPLACE FUNCTION app.f () RETURNS INT DETERMINISTIC RETURN 3")
        s.sql("DROP VIEW app.w")
        run.signal(18)
        result = run.finish()
        self.assertEqual(result.rc, 7, result)
        self.assertIn("function app.f came back differently", result.err)
        self.assertIn("view app.w is missing", result.err)
        s.dbsafe("undo")


class Triggers(TestCase):
    """Every row that a writer inserts, changes or deletes fires each trigger once, whatever is exchanged meanwhile."""

    WRITERS = 4
    SETUP = """
DROP DATABASE IF EXISTS busy;
DROP DATABASE IF EXISTS audit;
CREATE DATABASE audit;
CREATE TABLE audit.fired (n BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, what CHAR(1) NOT NULL, id BIGINT NOT NULL, KEY id (id)) ENGINE=InnoDB;
CREATE DATABASE busy;
USE busy;
CREATE TABLE parent (id INT NOT NULL PRIMARY KEY) ENGINE=InnoDB;
INSERT INTO parent VALUES (1);
CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, v BIGINT NOT NULL, p INT NOT NULL DEFAULT 1, CONSTRAINT to_parent FOREIGN KEY (p) REFERENCES parent (id)) ENGINE=InnoDB;
CREATE TABLE plain (id BIGINT NOT NULL PRIMARY KEY) ENGINE=InnoDB;
INSERT INTO t (id, v) SELECT -seq, 0 FROM seq_1_to_300;
CREATE TRIGGER t_insert AFTER INSERT ON t FOR EACH ROW INSERT INTO audit.fired (what, id) VALUES ('i', NEW.id);
CREATE TRIGGER t_update AFTER UPDATE ON t FOR EACH ROW INSERT INTO audit.fired (what, id) VALUES ('u', NEW.v);
CREATE TRIGGER t_delete BEFORE DELETE ON t FOR EACH ROW INSERT INTO audit.fired (what, id) VALUES ('d', OLD.v);
"""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(buffer_pool="128M")

    def write(self, number, end, done, problems):
        """Numbers that were acknowledged go to done; each of them must have fired once."""
        connection = self.server.connect()
        n = number * 10 ** 9
        with connection.cursor() as cursor:
            cursor.execute("SET lock_wait_timeout=30")
            while not end.is_set():
                n += 1
                try:
                    cursor.execute(f"INSERT INTO busy.t (id, v) VALUES ({n}, 0)")
                    done.append(("i", n))
                    if cursor.execute(f"UPDATE busy.t SET v = {n} WHERE id = {n}"):  # not if its table was exchanged in between
                        done.append(("u", n))
                    if cursor.execute(f"DELETE FROM busy.t WHERE id = {n} AND v = {n}"):
                        done.append(("d", n))
                except pymysql.err.MySQLError as e:
                    if e.args[0] not in (1205, 1213, 1412):  # not done: not counted
                        problems.append(e.args)
                        break
        connection.close()

    def test_no_firing_is_lost_or_doubled(self):
        s = self.server
        s.load(self.SETUP)
        archive = s.dbsafe("dump", "busy", "-o", s.folder / "busy.tar", "--json").json["archive"]
        random = rng("triggers")
        end, problems, done = threading.Event(), [], [[] for _ in range(self.WRITERS)]
        threads = [threading.Thread(target=self.write, args=(i + 1, end, done[i], problems)) for i in range(self.WRITERS)]
        for t in threads:
            t.start()
        try:
            for _ in range(30 if FULL else 6):
                before = [len(d) for d in done]
                wait_until(lambda: all(len(d) > b + 20 for d, b in zip(done, before)), what="writers")
                if random.random() < 0.5 and ours(s):
                    s.dbsafe("undo")
                else:
                    s.dbsafe("restore", archive)
            before = [len(d) for d in done]
            wait_until(lambda: all(len(d) > b + 20 for d, b in zip(done, before)), what="writers")
        finally:
            end.set()
            for t in threads:
                t.join()
            self.assertEqual(problems, [])
        expected = sorted(x for d in done for x in d)
        self.assertGreater(len(expected), 200)
        # what was not acknowledged was rolled back, with what it fired
        self.assertEqual(sorted((w, i) for w, i in s.sql("SELECT what, id FROM audit.fired")), expected)
        self.assertEqual([t for t, in s.sql("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema='busy' ORDER BY 1")],
                         ["t_delete", "t_insert", "t_update"])
        self.assertEqual([t for t, in s.sql("SHOW TABLES FROM busy")], ["parent", "plain", "t"])
