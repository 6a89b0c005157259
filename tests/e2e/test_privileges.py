"""docs/privileges.md is what it says: each command works with exactly these grants, and not without one of them."""

import re

from lib import TestCase, table_digests
from lib.archive import Archive
from lib.everything import differences, everything_in
from lib.paths import ROOT

TABLE = re.compile(r"^\| `(?P<command>[\w -]+?)`(?P<variant>[\w -]*) \| `{1,2}(?P<grant>.+?)`{1,2} \|", re.M)


def documented(command, variant=""):
    """The grants of a command, for database db."""
    text = (ROOT / "docs/privileges.md").read_text()
    found = [m["grant"] for m in TABLE.finditer(text) if m["command"] == command and m["variant"].strip() == variant]
    if not found:
        raise AssertionError(f"docs/privileges.md has no grants for {command} {variant}")
    return found


def without(grants):
    """Each way to leave one privilege out: (privilege, the other grants)."""
    for i, grant in enumerate(grants):
        privileges, on = grant.split(" ON ")
        each = privileges.split(", ")
        for p in each:
            rest = [q for q in each if q != p]
            yield p, grants[:i] + ([f"{', '.join(rest)} ON {on}"] if rest else []) + grants[i + 1:]


class Privileges(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server(binlog=True)
        s.sql("CREATE DATABASE db")
        s.sql("CREATE TABLE db.a (id INT PRIMARY KEY, v INT) SELECT seq id, seq v FROM seq_1_to_1000", schema="mysql")
        s.sql("CREATE TABLE db.b (id INT PRIMARY KEY, v INT) SELECT seq id, seq v FROM seq_1_to_1000", schema="mysql")
        s.sql("CREATE TABLE db.log (id INT AUTO_INCREMENT PRIMARY KEY, v INT)")
        s.sql("CREATE TRIGGER db.t AFTER INSERT ON db.a FOR EACH ROW INSERT INTO db.log (v) VALUES (NEW.v)")
        s.sql("CREATE VIEW db.v AS SELECT id FROM db.a")
        s.sql("CREATE EVENT db.e ON SCHEDULE EVERY 1 YEAR DO DELETE FROM db.log")
        cls.path = s.folder / "all.tar"
        s.dbsafe("dump", "db", "-o", cls.path)
        cls.tables = s.folder / "tables.tar"
        s.sql("CREATE DATABASE plain")
        for name in "ab":
            s.sql(f"CREATE TABLE plain.{name} SELECT * FROM db.{name}")
        s.dbsafe("dump", "plain", "-o", cls.tables)

    def dump(self, account, check=0):
        path = self.server.folder / "one.tar"
        path.unlink(missing_ok=True)
        result = self.server.dbsafe("dump", "db", "-o", path, "--threads", "3", "--json", defaults_file=account, check=check)
        return result, Archive(path) if path.exists() else None

    def test_dump(self):
        grants = documented("dump")
        whole = Archive(self.path).manifest
        result, archive = self.dump(self.server.account(*grants))
        self.assertEqual(archive.consistency["method"], "table-locks")
        names = {(o["kind"], o["name"]) for o in whole["objects"]}
        self.assertEqual({(o["kind"], o["name"]) for o in archive.manifest["objects"]}, names)
        self.assertEqual({k for k, _ in names}, {"trigger", "view", "event"})

    def test_dump_without_one(self):
        for privilege, rest in without(documented("dump")):
            with self.subTest(privilege):
                result, archive = self.dump(self.server.account(*rest), check=None)
                if archive is None:
                    self.assertEqual(result.rc, 4, str(result))
                    self.assertIn(privilege, result.err)
                    continue
                # it works as far as it goes, and says what is missing
                said = result.err + str(archive.manifest["warnings"])
                lost = {"TRIGGER": "TRIGGER", "EVENT": "EVENT", "LOCK TABLES": "LOCK TABLES"}
                self.assertIn(privilege, lost, str(result))
                self.assertIn(lost[privilege], said)

    def test_dump_lock_free(self):
        account = self.server.account(*documented("dump"), *documented("dump", "lock-free"))
        result, archive = self.dump(account)
        self.assertEqual(archive.consistency["method"], "binlog-position")
        self.assertNotIn("only", archive.consistency["proof"])

    def test_dump_lock_free_without_one(self):
        """The next method is taken, or less is proved, and said."""
        for privilege, rest in without(documented("dump", "lock-free")):
            with self.subTest(privilege):
                _, archive = self.dump(self.server.account(*documented("dump"), *rest))
                if privilege == "PROCESS":
                    self.assertIn("logged transactions only", archive.consistency["proof"])
                else:
                    self.assertNotEqual(archive.consistency["method"], "binlog-position")

    def test_by_a_role(self):
        """Privileges of a role count while it is active, for the ladder and for doctor."""
        s = self.server
        s.sql("CREATE ROLE backup")
        for grant in [*documented("dump"), "RELOAD ON *.*"]:
            s.sql(f"GRANT {grant} TO backup")
        account = s.account("backup", "SELECT, SHOW VIEW ON db.*")
        result = s.dbsafe("doctor", "db", defaults_file=account)
        self.assertIn("RELOAD missing", result.out)
        user = account.stem
        s.sql(f"SET DEFAULT ROLE backup FOR {user}@localhost")
        result, archive = self.dump(account)
        self.assertEqual(archive.consistency["method"], "backup-stage", str(result))
        result = s.dbsafe("restore", self.tables, defaults_file=account, check=10)
        self.assertIn("the account lacks", result.err)

    def test_verify_live(self):
        grants = [g.replace("db.", "plain.") for g in documented("verify --live")]
        self.server.dbsafe("verify", self.tables, "--live", defaults_file=self.server.account(*grants))
        for privilege, rest in without(grants):
            with self.subTest(privilege):
                self.server.dbsafe("verify", self.tables, "--live", check=(4, 7), defaults_file=self.server.account(*rest))

    def restore(self, account, check=0, *args):
        return self.server.dbsafe("restore", self.tables, *args, check=check, defaults_file=account)

    def test_restore_and_undo(self):
        s = self.server
        self.assertEqual(documented("restore"), documented("undo"))
        grants = [g.replace("db.*", "plain.*") for g in documented("restore")]
        before = table_digests(s, "plain")
        account = s.account(*grants)
        self.restore(account)
        self.assertEqual(table_digests(s, "plain"), before)
        s.dbsafe("undo", "--yes", defaults_file=account)
        self.assertEqual(table_digests(s, "plain"), before)

    def test_restore_of_objects(self):
        """Over the live database, to definers other than the account; and its undo."""
        s = self.server
        before = everything_in(s, "db")
        account = s.account(*documented("restore"), *documented("restore", "objects"))
        s.sql("ALTER VIEW db.v AS SELECT 1 id")
        s.sql("DROP EVENT db.e")
        changed = everything_in(s, "db")
        refused = s.dbsafe("restore", self.path, defaults_file=account, check=10)
        self.assertIn("trigger db.t", refused.err)
        self.assertIn("log_bin_trust_function_creators", refused.err)
        s.sql("SET GLOBAL log_bin_trust_function_creators=1")
        self.addCleanup(s.sql, "SET GLOBAL log_bin_trust_function_creators=0")
        s.dbsafe("restore", self.path, defaults_file=account)
        self.assertEqual(differences(before, everything_in(s, "db")), [])
        s.dbsafe("undo", "--yes", defaults_file=account)
        self.assertEqual(differences(changed, everything_in(s, "db")), [])
        s.dbsafe("restore", self.path)

    def test_restore_without_one(self):
        """Refused before anything is changed, with the GRANT that is missing."""
        s = self.server
        grants = [g.replace("db.*", "plain.*") for g in documented("restore")]
        before, schemas = table_digests(s, "plain"), s.sql("SHOW DATABASES")
        for privilege, rest in without(grants):
            with self.subTest(privilege):
                result = self.restore(s.account(*rest), check=10)
                self.assertIn(privilege if privilege != "ALL" else "GRANT ALL ON `dbsafe", result.err)
                self.assertEqual(table_digests(s, "plain"), before)
                self.assertEqual(s.sql("SHOW DATABASES"), schemas)
        self.restore(s.account(*[g for g in grants if "PROCESS" not in g]), 0, "--assume-no-outside-fks")


class Programs(TestCase):
    """Every kind of object, by an account that is nobody's definer, and by the same account with one privilege less."""

    UNCHANGED = "CREATE FUNCTION as_it_is() RETURNS INT DETERMINISTIC RETURN 1;\nCREATE VIEW as_it_is AS SELECT id FROM a;\n"

    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server(binlog=True)
        s.sql("SET GLOBAL log_bin_trust_function_creators=1")
        s.load("CREATE DATABASE db;\nUSE db;\n"
               "CREATE TABLE a (id INT PRIMARY KEY, v INT);\nINSERT INTO a VALUES (1, 1), (2, 2);\n" + cls.UNCHANGED +
                              "CREATE FUNCTION f(x INT) RETURNS INT DETERMINISTIC RETURN x + 1;\n"
               "CREATE PROCEDURE p() SELECT 1;\n"
               "CREATE VIEW v AS SELECT id FROM a;\n"
               "CREATE TRIGGER tr BEFORE INSERT ON a FOR EACH ROW SET NEW.v = NEW.v + 1;\n"
               "CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO DELETE FROM a;\n")
        cls.path = s.folder / "programs.tar"
        s.dbsafe("dump", "db", "-o", cls.path)
        cls.grants = documented("restore") + documented("restore", "objects")

    def set_out(self, over):
        s = self.server
        for (name,) in s.sql("SHOW DATABASES LIKE 'dbsafe%'"):
            s.sql(f"DROP DATABASE `{name}`")
        s.sql("DROP DATABASE IF EXISTS db")
        if over:
            s.load("CREATE DATABASE db;\nUSE db;\n"
                   "CREATE TABLE a (id INT PRIMARY KEY, v INT, w INT);\nINSERT INTO a VALUES (1, 1, 1);\n" + self.UNCHANGED +
                                      "CREATE FUNCTION f(x INT) RETURNS INT DETERMINISTIC RETURN x + 2;\n"
                   "CREATE PROCEDURE p() SELECT 2;\n"
                   "CREATE VIEW v AS SELECT id, v FROM a;\n"
                   "CREATE TRIGGER tr BEFORE INSERT ON a FOR EACH ROW SET NEW.v = NEW.v + 2;\n"
                   "CREATE EVENT e ON SCHEDULE EVERY 2 YEAR DO DELETE FROM a;\n")

    def state(self):
        s = self.server
        databases = s.sql("SHOW DATABASES")
        return databases, everything_in(s, "db") if ("db",) in databases else None

    def try_without_one(self, over, needless):
        s = self.server
        for privilege, rest in without(self.grants):
            with self.subTest(privilege, over=over):
                self.set_out(over)
                account, before = s.account(*rest), self.state()
                doctor = s.dbsafe("doctor", self.path, defaults_file=account, check=None)
                self.assertEqual(self.state(), before)
                restore = s.dbsafe("restore", self.path, defaults_file=account, check=None)
                self.assertEqual((doctor.rc, restore.rc), (0, 0) if privilege in needless else (10, 10), f"{doctor}\n{restore}")
                if restore.rc == 10:
                    self.assertEqual(self.state(), before)
                    said = "ALL ON `dbsafe" if privilege == "ALL" else privilege
                    self.assertIn(said, restore.err)
                    self.assertIn(said, doctor.out)
                else:
                    s.dbsafe("undo", "--yes", *(["--assume-no-outside-fks"] if privilege == "PROCESS" else []), defaults_file=account)

    def test_what_is_gone(self):
        self.set_out(False)
        account = self.server.account(*self.grants)
        self.server.dbsafe("restore", self.path, defaults_file=account)
        self.server.dbsafe("undo", "--yes", defaults_file=account)
        self.try_without_one(False, {"PROCESS"})

    def test_what_is_there(self):
        self.set_out(True)
        account, (_, before) = self.server.account(*self.grants), self.state()
        self.server.dbsafe("restore", self.path, defaults_file=account)
        self.server.dbsafe("undo", "--yes", defaults_file=account)
        self.assertEqual(differences(before, everything_in(self.server, "db")), [])
        self.try_without_one(True, set())

    def test_undo(self):
        """Also refused as a whole, before anything is put back."""
        s = self.server
        grants = documented("undo") + documented("undo", "objects")
        self.set_out(True)
        s.dbsafe("restore", self.path)
        before = self.state()
        for privilege, rest in without(grants):
            with self.subTest(privilege):
                undo = s.dbsafe("undo", "--yes", defaults_file=s.account(*rest), check=4 if privilege == "ALL" else 10)
                self.assertEqual(self.state(), before)
                self.assertIn(privilege, undo.err)
        s.dbsafe("undo", "--yes", defaults_file=s.account(*grants))

    def test_undo_of_what_was_not_there(self):
        """What undo takes away needs no more than that."""
        s = self.server
        self.set_out(False)
        s.dbsafe("restore", self.path)
        s.dbsafe("undo", "--yes", defaults_file=s.account(*documented("undo"), *documented("undo", "objects")))
        self.assertNotIn(("db",), s.sql("SHOW DATABASES"))

    def test_verify_live(self):
        self.set_out(False)
        self.server.dbsafe("restore", self.path)
        grants = documented("verify --live") + documented("verify --live", "objects")
        self.server.dbsafe("verify", self.path, "--live", defaults_file=self.server.account(*grants))
        for privilege, rest in without(grants):
            with self.subTest(privilege):
                verify = self.server.dbsafe("verify", self.path, "--live", check=(4, 7), defaults_file=self.server.account(*rest))

    def test_views_of_other_databases(self):
        """Nobody makes a view of what he may not select from."""
        s = self.server
        s.load("CREATE DATABASE other_one;\nCREATE TABLE other_one.x (id INT);\nCREATE DATABASE looks;\n"
               "CREATE TABLE looks.t (id INT);\nCREATE VIEW looks.v AS SELECT o.id FROM other_one.x o JOIN looks.t ON t.id = o.id;\n")
        path = s.folder / "looks.tar"
        s.dbsafe("dump", "looks", "-o", path)
        s.sql("ALTER VIEW looks.v AS SELECT 1 id")
        before = everything_in(s, "looks")
        account = s.account(*[g.replace("db.*", "looks.*") for g in self.grants])
        for command in ("doctor", "restore"):
            result = s.dbsafe(command, path, defaults_file=account, check=10)
            self.assertIn("GRANT SELECT ON `other_one`.`x` TO", result.out + result.err)
        self.assertEqual(differences(before, everything_in(s, "looks")), [])
        s.sql(f"GRANT SELECT ON other_one.x TO {account.stem}@localhost")
        s.dbsafe("restore", path, defaults_file=account)
        s.dbsafe("undo", "--yes", defaults_file=account)
        self.assertEqual(differences(before, everything_in(s, "looks")), [])

    def test_views_that_call_functions(self):
        """Nobody makes a view of a function that he may not call."""
        s = self.server
        s.load("CREATE DATABASE calls;\nUSE calls;\nCREATE FUNCTION one() RETURNS INT DETERMINISTIC RETURN 1;\nCREATE VIEW v AS SELECT one() id;\n")
        path = s.folder / "calls.tar"
        s.dbsafe("dump", "calls", "-o", path)
        s.sql("ALTER VIEW calls.v AS SELECT 1 id")
        before = everything_in(s, "calls")
        account = s.account(*[g.replace("db.*", "calls.*") for g in self.grants])
        for command in ("doctor", "restore"):
            result = s.dbsafe(command, path, defaults_file=account, check=10)
            self.assertIn("GRANT EXECUTE ON `calls`.* TO", result.out + result.err)
        self.assertEqual(differences(before, everything_in(s, "calls")), [])
        s.sql(f"GRANT EXECUTE ON calls.* TO {account.stem}@localhost")
        s.dbsafe("restore", path, defaults_file=account)
        s.dbsafe("undo", "--yes", defaults_file=account)
        self.assertEqual(differences(before, everything_in(s, "calls")), [])
        # of a function that it makes it needs no more
        account = s.account(*[g.replace("db.*", "calls.*") for g in self.grants])
        s.sql("CREATE OR REPLACE FUNCTION calls.one() RETURNS INT DETERMINISTIC RETURN 2")
        s.dbsafe("restore", path, defaults_file=account)
        s.sql("DROP DATABASE calls")
        s.dbsafe("restore", path, defaults_file=s.account(*[g.replace("db.*", "calls.*") for g in self.grants]))

    def test_the_grant_opens_no_other_database(self):
        """An underscore in its name would stand for any letter."""
        s = self.server
        s.sql("CREATE DATABASE app_x")
        account = s.account("ALL ON `dbsafe\\_%`.*", "PROCESS ON *.*", "SELECT ON app_x.*")
        for command in ("doctor", "restore"):
            result = s.dbsafe(command, self.path, "--into", "app_x", defaults_file=account, check=10)
            said = result.out + result.err
            for privilege in ("CREATE VIEW", "CREATE ROUTINE", "EVENT", "LOCK TABLES"):
                self.assertRegex(said, rf"GRANT {privilege} ON `app\\_x`\.\* TO")
            self.assertNotIn("`app_x`", said)

    def test_all_that_is_missing_at_once(self):
        """What cannot be seen is told beside what else is missing."""
        self.set_out(True)
        account = self.server.account("INSERT, CREATE, ALTER, DROP ON db.*", "PROCESS ON *.*", "EXECUTE, CREATE ROUTINE ON db.*")
        doctor = self.server.dbsafe("doctor", self.path, defaults_file=account, check=10)
        restore = self.server.dbsafe("restore", self.path, defaults_file=account, check=10)
        for said in (doctor.out, restore.err):
            for privilege in ("ALL ON `dbsafe", "SELECT", "TRIGGER", "SHOW VIEW", "CREATE VIEW", "EVENT", "ALTER ROUTINE", "mysql.proc", "SET USER"):
                self.assertIn(privilege, said)
