"""Dumping what is no table: which objects come along, in which order, with which settings; DDL on them; who may not see them."""

import json
import os
import signal

from lib import TestCase, sample, wait_until, zoo
from lib.archive import Archive

FLAGS = ("--allow-inconsistent",)


def named(archive, *kinds):
    return [f"{o['kind']} {o['schema']}.{o['name']}" for o in archive.manifest["objects"] if not kinds or o["kind"] in kinds]


class Whole(TestCase):
    """Everything in the zoo, dumped once."""

    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server(binlog=True)
        s.load("zoo.sql")
        cls.path = s.folder / "zoo.tar"
        result = s.dbsafe("dump", *zoo.SCHEMAS[:2], "zoo ?*", "-o", cls.path, "--json")
        cls.dumped, cls.log = result.json, result.err
        cls.archive = Archive(cls.path)

    def object(self, kind, name, schema="zoo"):
        return next(o for o in self.archive.manifest["objects"] if (o["kind"], o["schema"], o["name"]) == (kind, schema, name))

    def definition(self, o):
        member = next(m for m in self.archive.manifest["members"] if m.get("object") == o["number"])
        with open(self.path, "rb") as file:
            file.seek(member["offset"])
            text = file.read(member["length"])
        head, _, rest = text.partition(b"\nDELIMITER ")
        delimiter, _, rest = rest.partition(b"\n")
        self.assertTrue(head.startswith(b"-- dbsafe-object {"))
        return rest[:rest.index(b"\n" + delimiter + b"\nDELIMITER ;\n")]

    def test_every_object_is_there_once(self):
        s = self.server
        expected = set()
        for query in (
                "SELECT LOWER(table_type), table_schema, table_name FROM information_schema.tables WHERE table_type IN ('VIEW','SEQUENCE')",
                "SELECT REPLACE(LOWER(routine_type), ' ', '_'), routine_schema, routine_name FROM information_schema.routines",
                "SELECT 'trigger', trigger_schema, trigger_name FROM information_schema.triggers",
                "SELECT 'event', event_schema, event_name FROM information_schema.events"):
            expected |= {f"{k} {d}.{n}" for k, d, n in s.sql(query) if d in zoo.SCHEMAS}
        found = named(self.archive)
        self.assertEqual(set(found), expected)
        self.assertEqual(len(found), len(expected))
        self.assertEqual(self.dumped["objects"], len(expected))
        s.dbsafe("verify", self.path)
        shown = s.dbsafe("show", self.path).out
        self.assertIn(f"{len(expected)} other objects,", shown)
        for name in ("zoo.a_first on watched", "package_body", "zoo_keeper@localhost"):
            self.assertIn(name, shown)

    def test_order(self):
        kinds = ["sequence", "package", "package_body", "function", "procedure", "view", "trigger", "event"]
        found = [o["kind"] for o in self.archive.manifest["objects"]]
        self.assertEqual(found, sorted(found, key=kinds.index))
        views = [o["name"] for o in self.archive.manifest["objects"] if o["kind"] == "view"]
        for later, earlier in (("v_a_top", "v_b"), ("v_a_top", "v_c"), ("v_b", "v_c"), ("v_c", "v_z_base"), ("v_cascaded", "v_checked"),
                               ("v é", "v_temp"), ("v_broken_view", "v_broken_table"), ("v`1", "v_checked")):
            self.assertLess(views.index(earlier), views.index(later), (later, earlier))
        triggers = [(o["name"], o["timing"], o["action"], o["order"]) for o in self.archive.manifest["objects"] if o["table"] == "watched"]
        self.assertEqual([t for t in triggers if t[1:3] == ("BEFORE", "INSERT")],
                         [("a_first", "BEFORE", "INSERT", 1), ("z_second", "BEFORE", "INSERT", 2), ("t_third", "BEFORE", "INSERT", 3)])
        self.assertEqual(self.archive.table("zoo.watched")["triggers"], [t[0] for t in triggers])

    def test_settings(self):
        latin = self.object("function", "latim é")
        self.assertEqual((latin["charset"], latin["collation"]), ("latin1", "latin1_german1_ci"))
        self.assertIn("COMMENT 'ação'".encode("latin1"), self.definition(latin))
        self.assertIn("FUNCTION `latim é`()".encode("latin1"), self.definition(latin))
        self.assertIn(b"_utf8mb4'\xc3\xa9'", self.definition(latin))
        self.assertIn(b"SELECT '\xaf\\' AS `\xe5\\`", self.definition(self.object("procedure", "中")))
        event = self.object("event", "e é")
        self.assertIn("EVENT `e é` ON SCHEDULE".encode("latin1"), self.definition(event))
        self.assertIn("COMMENT 'é'".encode("latin1"), self.definition(event))
        self.assertIn("DEFINER=`zoo``k\"é`@`%`".encode("latin1"), self.definition(self.object("trigger", "é")))
        ansi = self.object("procedure", 'p "ansi" é')
        self.assertEqual((ansi["sql_mode"], ansi["definer"]), ("PIPES_AS_CONCAT,ANSI_QUOTES,NO_BACKSLASH_ESCAPES", 'zoo`k"é@%'))
        self.assertIn(b"COMMENT 'C:\\new'", self.definition(ansi))
        self.assertEqual(self.object("function", "same_word", "zoo_annex")["db_collation"], "latin1_german2_ci")
        states = {o["name"]: (o["state"], o["time_zone"]) for o in self.archive.manifest["objects"] if o["kind"] == "event"}
        self.assertEqual(states["e_enabled"], ("enabled", "+05:30"))
        self.assertEqual(states["e_replica"], ("replica_disabled", "+05:30"))
        self.assertEqual(states["e_past"], ("disabled", "+05:30"))

    def test_sequences(self):
        states = {o["name"]: o["sequence"] for o in self.archive.manifest["objects"] if o["kind"] == "sequence"}
        self.assertEqual(states["s_round"], {"next": "3", "minimum": "1", "maximum": "4", "start": "2", "increment": "1", "cache": "2",
                                             "cycle": True, "cycle_count": "1"})
        self.assertEqual(states["s_over"]["next"], "4")
        self.assertEqual(states["s_large"]["next"], "9223372036854775001")
        self.assertEqual((states["s_down"]["next"], states["s_down"]["increment"]), ("35", "-3"))

    def test_relations(self):
        animal = self.archive.table("zoo.animal")
        self.assertEqual([(k["name"], k["parent_schema"], k["parent_table"]) for k in animal["foreign_keys"]],
                         [("animal's `cage`", "zoo", "cage"), ("animal_mother", "zoo", "animal"), ("animal_species", "zoo_annex", "species")])
        self.assertEqual([(q["schema"], q["name"]) for q in animal["sequences"]], [("zoo", "s_middle"), ("zoo_annex", "s_ticket")])
        self.assertEqual({(u["schema"], u["name"]) for u in self.object("view", "v_far")["uses"]}, {("zoo_annex", "species"), ("zoo", "animal")})
        self.assertEqual({u["name"] for u in self.object("view", "v_functions")["uses"]}, {"s_plain", "cage"})
        schemas = {s["name"]: s["comment"] for s in self.archive.manifest["schemas"]}
        self.assertEqual(schemas, {"zoo": "It's the \"zoo\": \\ back, \n new line, ação", "zoo_annex": "", zoo.ODD: "x"})

    def test_warnings(self):
        warnings = {(w["object"], w["text"].split(":")[0]) for w in self.dumped["warnings"]}
        self.assertEqual(warnings, {(w["object"], w["text"].split(":")[0]) for w in self.archive.manifest["warnings"]})
        for w in self.dumped["warnings"]:
            self.assertIn(f"warning: {w['object']}: {w['text'].splitlines()[0]}", self.log)
        for name in zoo.BROKEN_VIEWS:
            self.assertIn(("zoo." + name, "a broken view, kept as it is"), warnings)
            self.assertTrue(self.object("view", name)["broken"])
        self.assertFalse(self.object("view", "v_no_definer")["broken"])
        self.assertIn(("zoo.v_no_definer", "its definer nobody_there@localhost does not exist"), warnings)
        self.assertIn(("zoo.no_rows.id", "AUTO_INCREMENT is at 18446744073709551000 of at most 18446744073709551615"), warnings)
        self.assertFalse([w for w in warnings if "zoo_keeper" in w[1] or "zoo_role" in w[1]])  # they do exist


class Chosen(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)
        cls.server.load("zoo.sql")

    def dump(self, *args, **options):
        self.number = getattr(self, "number", 0) + 1
        path = self.server.folder / f"{self._testMethodName}{self.number}.tar"
        self.server.dbsafe("dump", *args, "-o", path, *FLAGS, **options)
        return Archive(path)

    def test_a_table_brings_what_belongs_to_it(self):
        archive = self.dump("zoo.animal", "zoo.watched")
        self.assertEqual(named(archive, "sequence"), ["sequence zoo.s_middle", "sequence zoo_annex.s_ticket"])
        self.assertEqual(len(named(archive, "trigger")), 8)
        self.assertEqual(len(named(archive)), 10)
        self.assertEqual([s["name"] for s in archive.manifest["schemas"]], ["zoo", "zoo_annex"])
        texts = [w["text"] for w in archive.manifest["warnings"]]
        self.assertTrue([t for t in texts if "refers to zoo.cage, which is not in this archive" in t], texts)

    def test_a_view_or_a_sequence_by_name(self):
        archive = self.dump("zoo.v_b", "zoo.s_down", "zoo.checked")
        self.assertEqual(named(archive), ["sequence zoo.s_down", "view zoo.v_b"])
        self.assertEqual([t["name"] for t in archive.manifest["tables"]], ["checked"])
        self.assertIn({"object": "zoo.v_b", "text": "uses zoo.v_c, which is not in this archive"}, archive.manifest["warnings"])

    def test_patterns(self):
        archive = self.dump("zoo.v_broken*")
        self.assertEqual(len(named(archive, "view")), 4)
        self.assertEqual(archive.manifest["tables"], [])

    def test_exclude(self):
        archive = self.dump("zoo", "--exclude", "zoo.v_*", "--exclude", "label", "--exclude", "zoo.z_second", "--exclude", "zoo.watched",
                            "--exclude", "e_*", "--exclude", "s_middle")
        names = named(archive)
        self.assertNotIn("function zoo.label", names)
        self.assertEqual([n for n in names if n.startswith("trigger") and archive.manifest and "watched" in n], [])
        self.assertFalse([o for o in archive.manifest["objects"] if o["table"] == "watched"])
        self.assertEqual({n for n in names if n.startswith("event")}, {"event zoo.e é", 'event zoo.e "odd" `é;'})
        self.assertEqual({n for n in names if n.startswith("view")}, {"view zoo.v é", 'view zoo.v `odd" é;'})
        self.assertNotIn("sequence zoo.s_middle", names)
        self.assertIn("sequence zoo_annex.s_ticket", names)  # the annex itself is not dumped, but a default needs it
        self.assertIn({"object": "zoo.animal", "text": "takes a default from the sequence zoo.s_middle, which is not in this archive"},
                      archive.manifest["warnings"])

    def test_one_trigger_left_out(self):
        archive = self.dump("zoo.watched", "--exclude", "zoo.z_second")
        self.assertEqual(len(named(archive)), 7)
        self.assertNotIn("z_second", archive.table("zoo.watched")["triggers"])

    def test_dry_run_lists_them(self):
        shown = self.server.dbsafe("dump", "zoo", "--dry-run", *FLAGS).out.splitlines()
        for line in ("zoo.animal", "view zoo.v_a_top", "package_body zoo.keeper", "event zoo.e_once", "sequence zoo.s_plain"):
            self.assertIn(line, shown)

    def test_views_in_a_circle(self):
        s = self.server
        s.load("CREATE DATABASE circle;\nUSE circle;\nCREATE TABLE c1 (a INT);\nCREATE DEFINER = zoo_role SQL SECURITY INVOKER VIEW c2 AS SELECT a FROM c1;\n"
               "CREATE VIEW c3 AS SELECT a FROM c2 WHERE a > 1 WITH LOCAL CHECK OPTION;\nDROP TABLE c1;\nRENAME TABLE c3 TO c1;\n")
        self.addCleanup(zoo.drop, s, "circle")
        archive = self.dump("circle")
        self.assertEqual(sorted(named(archive)), ["view circle.c1", "view circle.c2"])
        texts = [w["text"] for w in archive.manifest["warnings"]]
        self.assertEqual(len([t for t in texts if t.startswith("refers to itself through other views")]), 2, texts)
        self.assertTrue(all(o["broken"] for o in archive.manifest["objects"]))

    def test_what_was_changed_later_in_another_character_set(self):
        """The server writes UTF-8 into a statement of latin1; what latin1 has not is told."""
        s = self.server
        s.load("CREATE DATABASE later;\nUSE later;\nCREATE TABLE t (id INT PRIMARY KEY);\nCREATE TABLE u (id INT PRIMARY KEY);\n"
               "SET NAMES latin1;\nCREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET @x = X'E9';\n"
               "CREATE TRIGGER ur BEFORE INSERT ON u FOR EACH ROW SET @x = 1;\nCREATE PROCEDURE p () SELECT 1;\nCREATE PROCEDURE q () SELECT 1;\n"
               "SET NAMES utf8mb4;\nRENAME TABLE t TO `tàb`, u TO `漢`;\nALTER PROCEDURE p COMMENT 'é';\nALTER PROCEDURE q COMMENT '漢';\n")
        self.addCleanup(zoo.drop, s, "later")
        archive = self.dump("later")
        with open(archive.path, "rb") as file:
            content = file.read()
        self.assertIn(" ON `tàb` FOR EACH ROW".encode("latin1"), content)
        self.assertIn("    COMMENT 'é'\n".encode("latin1"), content)
        warnings = {w["object"]: w["text"] for w in archive.manifest["warnings"]}
        self.assertEqual(warnings.get("later.q"), "its comment cannot be written in its character set, latin1")
        self.assertEqual(warnings.get("later.ur"), "its table cannot be written in its character set, latin1")
        self.assertNotIn("later.tr", warnings)
        self.assertNotIn("later.p", warnings)

    def test_a_long_chain_of_views(self):
        s = self.server
        s.load("CREATE DATABASE chain;\nUSE chain;\nCREATE TABLE t (a INT PRIMARY KEY);\n"
               + "".join(f"CREATE VIEW v{100 - i:03} AS SELECT a FROM {'t' if i == 0 else f'v{101 - i:03}'};\n" for i in range(60)))
        self.addCleanup(zoo.drop, s, "chain")
        self.assertEqual(named(self.dump("chain")), [f"view chain.v{100 - i:03}" for i in range(60)])


class Live(TestCase):
    """verify --live sees every change of an object."""

    CHANGES = (
        ("DROP VIEW v_nobody", "zoo.v_nobody", "the view is missing"),
        ("ALTER VIEW v_nobody AS SELECT 2 AS one", "zoo.v_nobody", "its definition is not the one that was dumped"),
        ("CREATE OR REPLACE DEFINER = zoo_role VIEW v_nobody AS SELECT 1 AS one", "zoo.v_nobody", "its definer is zoo_role@, and was root@localhost"),
        ("SET sql_mode = ''; CREATE OR REPLACE PROCEDURE missing () SELECT * FROM no_such_table", "zoo.missing", "its sql_mode is ''"),
        ("SET NAMES latin1; CREATE OR REPLACE VIEW v_nobody AS SELECT 1 AS one", "zoo.v_nobody", "its character set is 'latin1'"),
        ("DROP TRIGGER t_third", "zoo.t_third", "the trigger is missing"),
        ("CREATE TRIGGER t_new AFTER UPDATE ON watched FOR EACH ROW SET @x = 1", "zoo.t_new", "the trigger of watched is not in the archive"),
        ("SET sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'; DROP TRIGGER a_first; "
         "CREATE TRIGGER a_first BEFORE INSERT ON watched FOR EACH ROW INSERT INTO log (what) VALUES (CONCAT('first ', NEW.id))",
         "zoo.a_first", "in another order"),
        ("ALTER EVENT e_once DISABLE", "zoo.e_once", "its definition is not"),
        ("ALTER SEQUENCE s_down MAXVALUE 70", "zoo.s_down", "its definition is not"),
        ("DROP SEQUENCE s_plain", "zoo.s_plain", "the sequence is missing"),
        ("SET sql_mode = 'ORACLE'; DROP PACKAGE keeper", "zoo.keeper", "the package_body is missing"),
    )

    def test_each_change_is_seen(self):
        self.server = s = self.own_server(binlog=True)
        s.load("zoo.sql")
        path = s.folder / "zoo.tar"
        s.dbsafe("dump", *zoo.SCHEMAS[:2], "zoo ?*", "-o", path)
        s.dbsafe("verify", path, "--live")
        s.sql("DO NEXTVAL(zoo.s_plain)")  # it goes on: that is no difference
        s.dbsafe("verify", path, "--live")
        for statement, where, what in sample(self.CHANGES, 5, "live changes of objects"):
            with self.subTest(statement):
                s.load(f"USE zoo;\n{statement.replace('; ', ';' + chr(10))};\n")
                found = s.dbsafe("verify", path, "--live", "--json", check=7).json["problems"]
                self.assertTrue([p for p in found if p["where"] == where and what in p["what"]], found)
                s.load("zoo.sql")
        s.load("USE zoo;\nDROP VIEW v_nobody;\n")
        s.dbsafe("verify", path, "--live", "--tables", "watched")  # its triggers only
        s.load("USE zoo;\nCREATE TRIGGER t_new AFTER UPDATE ON watched FOR EACH ROW SET @x = 1;\n")
        found = s.dbsafe("verify", path, "--live", "--tables", "watched", "--json", check=7).json["problems"]
        self.assertEqual([(p["where"], p["what"]) for p in found], [("zoo.t_new", "the trigger of watched is not in the archive: it was made since, or left out")])
        s.load("USE zoo;\nDROP TRIGGER t_new;\nDROP TRIGGER t_third;\n")
        s.dbsafe("verify", path, "--live", "--tables", "cage")
        s.dbsafe("verify", path, "--live", "--tables", "watched", check=7)


class WhileItRuns(TestCase):
    """A dump is stopped behind its snapshot; something happens to an object; it goes on."""

    CHANGES = {
        "ALTER VIEW v_b AS SELECT id, name FROM v_c WHERE id > 3": "zoo.v_b",
        "DROP VIEW v_far": "zoo.v_far",
        "ALTER PROCEDURE count_to COMMENT 'x'": "zoo.count_to",
        "CREATE OR REPLACE FUNCTION label (n INT) RETURNS INT DETERMINISTIC RETURN 1": "zoo.label",
        "SET sql_mode='ANSI_QUOTES'; CREATE OR REPLACE PROCEDURE missing () SELECT * FROM no_such_table": "zoo.missing",
        "DROP TRIGGER before_delete": "zoo.before_delete",
        "CREATE TRIGGER more AFTER DELETE ON checked FOR EACH ROW SET @x = 1": "zoo.checked",
        "SET sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'; DROP TRIGGER a_first; CREATE TRIGGER a_first BEFORE INSERT ON watched FOR EACH ROW INSERT INTO log (what) "
        "VALUES (CONCAT('first ', NEW.id))": "zoo.watched",
        "ALTER EVENT e_once DISABLE": "zoo.e_once",
        "DROP EVENT e_past": "zoo.e_past",
        "ALTER SEQUENCE s_down MAXVALUE 70": "zoo.s_down",
        "SET sql_mode='ORACLE'; DROP PACKAGE BODY keeper": "zoo.keeper",
    }

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)

    def dump_during(self, statement):
        s = self.server
        running = s.dbsafe_start("dump", "zoo", "-o", s.folder / "x.tar", *FLAGS, env={"DBSAFE_FAULT": "stop:dump_snapshot_taken"})
        wait_until(running.stopped, what="the fault point")
        # not through tables that are locked for the dump
        s.load(f"SET lock_wait_timeout=20;\nUSE zoo;\n{statement.replace('; ', ';' + chr(10))};\n")
        running.signal(signal.SIGCONT)
        return running.finish()

    def test_a_change_of_any_object_is_found(self):
        for statement, name in sample(self.CHANGES.items(), 6, "changes of objects"):
            with self.subTest(statement):
                self.server.load("zoo.sql")
                result = self.dump_during(statement)
                self.assertEqual(result.rc, 9, result)
                self.assertIn(name, result.err)
                self.assertIn("(DDL", result.err)
                self.assertFalse(os.path.exists(self.server.folder / "x.tar"))

    def test_what_is_no_definition_may_change(self):
        self.server.load("zoo.sql")
        path = self.server.folder / "x.tar"
        self.addCleanup(path.unlink, missing_ok=True)
        result = self.dump_during("DO NEXTVAL(s_plain); INSERT INTO cage (place, size) VALUES ('x', 1)")
        self.assertEqual(result.rc, 0, result)
        # the sequence was read behind the snapshot, and here before the number was given
        plain = next(o for o in Archive(path).manifest["objects"] if o["name"] == "s_plain")
        self.assertIn(plain["sequence"]["next"], ("1", "1001"))

    def test_no_number_of_a_row_is_given_again(self):
        """A row that the snapshot shows holds a number that was given before; the sequence is read later, so it is ahead."""
        s = self.server
        s.load("DROP DATABASE IF EXISTS q;\nCREATE DATABASE q;\nUSE q;\nCREATE SEQUENCE s NOCACHE;\n"
               "CREATE TABLE t (id BIGINT NOT NULL DEFAULT NEXTVAL(s) PRIMARY KEY, v INT);\nINSERT INTO t (v) VALUES (1);\n")
        self.addCleanup(zoo.drop, s, "q")
        running = s.dbsafe_start("dump", "q", "-o", s.folder / "q.tar", env={"DBSAFE_FAULT": "stop:plan_define"})
        wait_until(running.stopped, what="the fault point")
        s.sql("INSERT INTO q.t (v) VALUES (2), (3), (4)")
        running.signal(signal.SIGCONT)
        self.assertEqual(running.finish().rc, 0)
        archive = Archive(s.folder / "q.tar")
        self.assertEqual(max(int(row[0]) for row in archive.rows("q.t")), 4)
        self.assertEqual(archive.manifest["objects"][0]["sequence"]["next"], "5")


class Limited(TestCase):
    """Accounts that may not see everything."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)
        cls.server.load("zoo.sql")

    def dump(self, account, *args, **options):
        return self.server.dbsafe("dump", "zoo", "--dry-run", "--json", *FLAGS, *args, defaults_file=account, **options)

    def test_an_account_as_managed_servers_give_it(self):
        account = self.server.account("SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES ON *.*")
        everything = json.loads(self.dump(None).out)
        limited = json.loads(self.dump(account).out)
        self.assertEqual(limited["objects"], everything["objects"])
        self.assertFalse([w for w in limited["warnings"] if "may not see" in w["text"]])

    def test_what_cannot_even_be_listed_is_told(self):
        account = self.server.account("SELECT, SHOW VIEW, LOCK TABLES ON zoo.*")
        limited = json.loads(self.dump(account).out)
        texts = [w["text"] for w in limited["warnings"] if w["object"] == "zoo"]
        self.assertEqual(len(texts), 3, texts)
        for text, grant in zip(texts, ("GRANT TRIGGER ON `zoo`.*", "GRANT EVENT ON `zoo`.*", "GRANT SELECT ON mysql.proc")):
            self.assertIn(grant, text)

    def test_views_without_show_view(self):
        account = self.server.account("SELECT, TRIGGER, EVENT, LOCK TABLES ON zoo.*", "SELECT ON mysql.proc")
        refused = self.dump(account, check=4)
        self.assertIn("GRANT SELECT, SHOW VIEW ON `zoo`.*", refused.err)
        self.assertIn("--exclude", refused.err)
        self.assertIn("view zoo.", refused.err)
        self.dump(account, "--exclude", "zoo.v*")

    def test_routines_whose_text_is_hidden(self):
        account = self.server.account("SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE, LOCK TABLES ON zoo.*")
        refused = self.dump(account, check=4)
        self.assertIn("GRANT SELECT ON mysql.proc", refused.err)
        self.assertRegex(refused.err, r"(package|function|procedure) zoo\.")

    def test_sequences_need_select(self):
        account = self.server.account("SHOW VIEW, TRIGGER, EVENT ON zoo.*", "SELECT ON zoo.cage", "SELECT ON mysql.proc")
        result = self.server.dbsafe("dump", "zoo.cage", "--dry-run", "--json", defaults_file=account)
        self.assertEqual(json.loads(result.out)["objects"], 2)
