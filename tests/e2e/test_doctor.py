"""doctor says beforehand, and all at once, what dump and restore would meet; it changes nothing, and what it calls fine works."""

import json

from lib import TestCase, table_digests


def snapshot(server):
    """All that a changed server would show."""
    return (server.sql("SELECT table_schema, table_name, create_time, update_time FROM information_schema.tables "
                       "WHERE table_schema NOT IN ('information_schema', 'performance_schema', 'sys') ORDER BY 1, 2"),
            server.sql("SHOW DATABASES"), server.sql("SELECT @@gtid_binlog_pos"))


class Doctor(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server(binlog=True)
        s.load_chatbot(messages=500)
        s.sql("CREATE DATABASE bank")
        s.sql("CREATE TABLE bank.old (id INT PRIMARY KEY) ENGINE=MyISAM")
        cls.path = s.folder / "glpi.tar"
        s.dbsafe("dump", "glpi_select", "-o", cls.path)

    def doctor(self, *args, check=0, account=None, **options):
        before = snapshot(self.server)
        result = self.server.dbsafe("doctor", *args, "--json", check=check, defaults_file=account, **options)
        self.assertEqual(snapshot(self.server), before, "doctor changes nothing")
        found = result.json
        self.assertEqual(found["ok"], check == 0)
        self.assertEqual(found["ok"], all(c["level"] != "refusal" for c in found["checks"]))
        return found["checks"]

    def find(self, checks, level, text):
        matching = [c for c in checks if text in c["text"] or text in (c["remedy"] or "")]
        self.assertTrue(matching, f"{text!r} is not in {json.dumps(checks, indent=1)}")
        self.assertIn(level, [c["level"] for c in matching])
        return matching[0]

    def test_for_people(self):
        result = self.server.dbsafe("doctor", "glpi_select")
        self.assertRegex(result.out, r"(?m)^ok +server +MariaDB 10\.")
        self.assertIn("nothing stands in the way", result.err)

    def test_without_operands(self):
        checks = self.doctor()
        self.find(checks, "ok", "MariaDB 10.")
        self.find(checks, "ok", "can be written")

    def test_how_long_a_restore_takes(self):
        """The sample's database is gone afterwards; only the binlog has grown."""
        s = self.server
        databases = s.sql("SHOW DATABASES")
        found = s.dbsafe("doctor", self.path, "--estimate", "--json").json
        self.assertRegex(self.find(found["checks"], "ok", "a restore takes")["text"], r"about .+, at most .+; the RTO is 30")
        self.assertEqual(s.sql("SHOW DATABASES"), databases)
        slow = {"DBSAFE_FAULT": "fail:estimate_slow"}
        warned = s.dbsafe("doctor", self.path, "--estimate", "--json", env=slow)
        self.find(warned.json["checks"], "warning", "a restore takes")
        self.assertIn("a sample was loaded and removed again", warned.err)
        late = s.dbsafe("doctor", self.path, "--estimate", "--require-rto", "--json", env=slow, check=10).json
        self.find(late["checks"], "refusal", "a restore takes")
        self.assertIs(late["ok"], False)
        weak = s.account("ALL ON glpi_select.*")
        refused = s.dbsafe("doctor", self.path, "--estimate", "--json", check=10, defaults_file=weak).json
        self.find(refused["checks"], "note", "is not timed")
        s.dbsafe("doctor", "glpi_select", "--estimate", check=2)
        s.dbsafe("doctor", "--estimate", check=2)

    def test_of_a_dump(self):
        checks = self.doctor("glpi_select")
        self.find(checks, "ok", "all tables can be read")
        self.find(checks, "ok", "binlog-position is what would be tried first")
        self.find(checks, "ok", "MiB in 4 tables")

    def test_of_a_dump_by_a_weak_account(self):
        account = self.server.account("SELECT ON glpi_select.*")
        checks = self.doctor("glpi_select", account=account)
        self.find(checks, "note", "RELOAD missing")
        self.find(checks, "note", "LOCK TABLES missing")
        self.find(checks, "ok", "single-reader")
        self.find(checks, "warning", "GRANT TRIGGER")

    def test_of_a_dump_by_an_account_that_may_not_see_all(self):
        """What cannot be read hides nothing else that is missing; with each GRANT that it names it works."""
        s = self.server
        s.load("CREATE DATABASE parts_1;\nUSE parts_1;\nCREATE TABLE t (id INT PRIMARY KEY);\nCREATE TABLE old (id INT) ENGINE=MyISAM;\n"
               "CREATE VIEW v AS SELECT id FROM t;\nCREATE VIEW w AS SELECT id FROM t;\nCREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1;\n")
        account = s.account("SELECT, EXECUTE ON parts_1.*")
        checks = self.doctor("parts_1", account=account, check=10)
        self.find(checks, "refusal", "engine MyISAM of parts_1.old")
        self.find(checks, "warning", "GRANT TRIGGER ON `parts\\_1`.*")
        self.find(checks, "warning", "GRANT EVENT ON `parts\\_1`.*")
        self.find(checks, "note", "LOCK TABLES missing")
        self.find(checks, "ok", "single-reader")
        to = f" TO `{account.stem}`@`localhost`"
        remedies = [c["remedy"] for c in checks if c["level"] == "refusal"]
        self.assertEqual(sorted(remedies), [f"GRANT LOCK TABLES ON `parts\\_1`.*{to}", f"GRANT SELECT ON mysql.proc{to}",
                                            f"GRANT SELECT, SHOW VIEW ON `parts\\_1`.*{to}"])
        for remedy in remedies:
            s.sql(remedy)
        self.doctor("parts_1", account=account)
        s.dbsafe("dump", "parts_1", "-o", s.folder / "parts.tar", defaults_file=account)

    def test_of_a_dump_by_an_account_that_may_not_select(self):
        account = self.server.account("TRIGGER ON glpi_select.*")
        checks = self.doctor("glpi_select", account=account, check=10)
        remedies = [c["remedy"] for c in checks if c["level"] == "refusal"]
        self.assertIn(f"GRANT SELECT ON `glpi\\_select`.* TO `{account.stem}`@`localhost`", remedies)
        self.find(checks, "note", "GRANT LOCK TABLES")

    def test_of_tables_without_transactions(self):
        account = self.server.account("SELECT ON bank.*")
        checks = self.doctor("bank", account=account, check=10)
        found = self.find(checks, "refusal", "engine MyISAM of bank.old")
        self.assertRegex(found["remedy"], r"^GRANT LOCK TABLES ON `bank`\.\* TO `limited\d+`@`localhost`$")
        self.server.sql(found["remedy"])
        self.find(self.doctor("bank", account=account), "ok", "all tables can be read")

    def test_of_a_method_that_cannot_be(self):
        self.find(self.doctor("glpi_select", "--consistency", "trx-counter", account=self.server.account("SELECT ON glpi_select.*"),
                              check=10), "refusal", "--consistency trx-counter cannot be used")

    def test_of_names_that_mean_nothing(self):
        self.server.dbsafe("doctor", "nowhere", check=11)
        self.server.dbsafe("doctor", "glpi_select", str(self.path), check=2)

    def test_of_a_restore(self):
        checks = self.doctor(self.path)
        self.find(checks, "ok", "the account may do all that is needed in glpi_select")
        self.find(checks, "ok", "rows are loaded by LOAD DATA LOCAL")
        self.find(checks, "ok", "are free in")
        self.find(checks, "ok", "in 4 tables, by what two cores did")
        self.find(checks, "ok", "one rename, for about 16 ms of which others wait")

    def test_of_a_restore_by_a_weak_account(self):
        """Each GRANT that it names is one that exists, and with all of them the restore works."""
        account = self.server.account("SELECT ON glpi_select.*")
        for _ in range(5):
            result = self.server.dbsafe("doctor", self.path, "--json", "--assume-no-outside-fks", check=(0, 10), defaults_file=account)
            grants = [c["remedy"] for c in result.json["checks"] if c["level"] == "refusal"]
            if not grants:
                break
            self.server.dbsafe("restore", self.path, "--assume-no-outside-fks", defaults_file=account, check=10)
            for grant in grants:
                self.assertRegex(grant, r"^GRANT [A-Z, ]+ ON `[\w\\%]+`\.\* TO `limited\d+`@`localhost`$")
                self.server.sql(grant)
        self.assertEqual(grants, [])
        before = table_digests(self.server, "glpi_select")
        self.server.dbsafe("restore", self.path, "--assume-no-outside-fks", defaults_file=account)
        self.assertEqual(table_digests(self.server, "glpi_select"), before)
        self.server.dbsafe("undo", "--yes", "--assume-no-outside-fks", defaults_file=account)

    def test_of_a_damaged_archive(self):
        broken = self.server.folder / "broken.tar"
        data = bytearray(self.path.read_bytes())
        data[600] ^= 1
        broken.write_bytes(data)
        self.server.dbsafe("doctor", broken, check=8)

    def test_of_a_store_that_cannot_be_written(self):
        for store, reason in ((self.path / "nowhere", "cannot be written"), ("/proc/nowhere", "")):
            result = self.server.dbsafe("doctor", "--store", store, "--json", check=10)
            self.find(result.json["checks"], "refusal", reason)

    def test_of_a_wrong_password(self):
        wrong = self.server.folder / "wrong.cnf"
        wrong.write_text(f"[client]\nuser=root\npassword=no\nsocket={self.server.socket}\n")
        self.server.dbsafe("doctor", check=3, defaults_file=wrong)
