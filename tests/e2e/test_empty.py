"""A database without tables comes back by a restore, with its character set; undo takes it away again."""

from lib import TestCase


class EmptyDatabase(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server()

    def test_comes_back(self):
        s = self.server
        s.sql("CREATE DATABASE leer CHARACTER SET latin1 COLLATE latin1_german1_ci")
        archive = s.dbsafe("dump", "leer", "--json").json["archive"]
        s.sql("DROP DATABASE leer")
        self.assertEqual(s.dbsafe("restore", archive, "--json").json["tables"], 0)
        self.assertIn("latin1_german1_ci", s.sql("SHOW CREATE DATABASE leer")[0][1])
        s.dbsafe("undo")
        self.assertEqual(s.sql("SHOW DATABASES LIKE 'leer'"), [])
        s.dbsafe("undo")
        self.assertIn("latin1_german1_ci", s.sql("SHOW CREATE DATABASE leer")[0][1])
        # where nothing was changed there is nothing to undo
        kept = s.sql("SHOW DATABASES LIKE 'dbsafe%'")
        same = s.dbsafe("restore", archive, "--json")
        self.assertEqual((same.json["restore_id"], same.json["swapped"]), (None, False))
        self.assertNotIn("to undo this", same.err)
        self.assertEqual(s.sql("SHOW DATABASES LIKE 'dbsafe%'"), kept)

    def test_comes_back_through_a_pipe(self):
        """A pipe tells of databases without tables only in the manifest at its end."""
        s = self.server
        s.load("CREATE DATABASE vazio CHARACTER SET latin1 COLLATE latin1_german1_ci;\nCREATE DATABASE cheio;\n"
               "CREATE TABLE cheio.t (id INT PRIMARY KEY);\n")
        archive = s.dbsafe("dump", "vazio", "cheio", "--json").json["archive"]
        s.load("DROP DATABASE vazio;\nDROP DATABASE cheio;\n")
        with open(archive, "rb") as pipe:
            self.assertEqual(s.dbsafe("restore", "-", "--json", stdin=pipe).json["tables"], 1)
        self.assertIn("latin1_german1_ci", s.sql("SHOW CREATE DATABASE vazio")[0][1])

    def test_is_told(self):
        s = self.server
        s.sql("CREATE DATABASE hollow")
        found = s.dbsafe("dump", "hollow", "--json").json
        self.assertEqual(found["warnings"], [{"object": "hollow", "text": "holds nothing that this account can see"}])
        s.sql("CREATE TABLE hollow.t (id INT PRIMARY KEY)")
        self.assertEqual(s.dbsafe("dump", "hollow", "--json").json["warnings"], [])

    def test_an_account_that_sees_nothing(self):
        """An archive without anything would be listed, proved and kept as the newest backup."""
        s = self.server
        s.sql("CREATE DATABASE unseen")
        s.sql("CREATE TABLE unseen.t (id INT PRIMARY KEY)")
        for account, what in ((s.account(), "--all-databases"), (s.account("SHOW DATABASES ON *.*"), "--all-databases"),
                              (s.account("SHOW DATABASES ON *.*"), "unseen")):
            with self.subTest(what):
                before = s.archives()
                refused = s.dbsafe("dump", what, check=10, defaults_file=account)
                self.assertIn("there is nothing on", refused.err)
                self.assertIn("SELECT", refused.err)
                self.assertEqual(s.archives(), before)
                checks = s.dbsafe("doctor", what, "--json", check=10, defaults_file=account).json["checks"]
                self.assertTrue([c for c in checks if c["level"] == "refusal" and "there is nothing on" in c["text"]])

    def test_the_servers_own(self):
        for name in ("mysql", "sys.*", "dbsafe_stage_1"):
            self.assertIn("server's own", self.server.dbsafe("dump", name, check=11).err)
