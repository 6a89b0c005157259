"""
Tables with ENCRYPTED=YES come back encrypted, with their key; a server without keys is told beforehand.

MariaDB's plugin that reads keys from a file is not in mariadb-server-core: without it, see DBSAFE_PLUGIN_DIR, they are
skipped.
"""

import tempfile
import unittest
from pathlib import Path

from lib import PLUGINS, TestCase, table_digests

ENCRYPTED = "SELECT name, encryption_scheme, current_key_id FROM information_schema.innodb_tablespaces_encryption" \
            " WHERE name LIKE 'vault/%' AND encryption_scheme = 1 ORDER BY name"


@unittest.skipUnless((PLUGINS / "file_key_management.so").exists(), "no file_key_management plugin on this machine")
class Encrypted(TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        keys = Path(folder.name) / "keys"
        keys.write_text("1;" + "ab" * 32 + "\n7;" + "cd" * 32 + "\n")
        cls.server = cls.use_server(extra=["--plugin-load-add=file_key_management", f"--file-key-management-filename={keys}"])
        cls.server.load("CREATE DATABASE vault;\nUSE vault;\n"
                        "CREATE TABLE one (id INT PRIMARY KEY, t TEXT) ENGINE=InnoDB ENCRYPTED=YES;\n"
                        "CREATE TABLE seven (id INT PRIMARY KEY, t TEXT, KEY t (t(20))) ENGINE=InnoDB `encrypted`='yes' `ENCRYPTION_KEY_ID`=7;\n"
                        "CREATE TABLE clear (id INT PRIMARY KEY) ENGINE=InnoDB ENCRYPTED=NO;\n"
                        "INSERT INTO one SELECT seq, REPEAT(MD5(seq), 20) FROM seq_1_to_500;\n"
                        "INSERT INTO seven SELECT seq, MD5(seq) FROM seq_1_to_500;\nINSERT INTO clear VALUES (1);\n")

    def test_come_back_encrypted(self):
        s = self.server
        archive = s.dbsafe("dump", "vault", "--json").json["archive"]
        rows, encrypted = table_digests(s, "vault"), s.sql(ENCRYPTED)
        self.assertEqual(encrypted, [("vault/one", 1, 1), ("vault/seven", 1, 7)])
        s.load("USE vault;\nDROP TABLE one;\nUPDATE seven SET t = 'lost';\n")
        changed = table_digests(s, "vault")
        s.dbsafe("restore", archive)
        self.assertEqual((table_digests(s, "vault"), s.sql(ENCRYPTED)), (rows, encrypted))
        s.dbsafe("undo", "--yes")
        self.assertEqual((table_digests(s, "vault"), s.sql(ENCRYPTED)), (changed, encrypted[1:]))
        s.dbsafe("undo", "--yes")
        self.assertEqual((table_digests(s, "vault"), s.sql(ENCRYPTED)), (rows, encrypted))

    def test_a_server_without_keys(self):
        archive = self.server.dbsafe("dump", "vault", "--json").json["archive"]
        other = self.own_server()
        refused = other.dbsafe("restore", archive, check=10).err
        for table in ("one", "seven"):
            self.assertIn(f"vault.{table} is encrypted (ENCRYPTED=YES)", refused)
        self.assertNotIn("vault.clear is encrypted", refused)
        self.assertEqual(other.sql("SHOW DATABASES LIKE 'vault'"), [])
