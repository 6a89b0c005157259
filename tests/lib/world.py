"""A small database with every relation a restore must keep, changes to it, and what must hold around a restore."""

import re

from .case import TestCase
from .compare import table_digests

SETUP = """
DROP DATABASE IF EXISTS world;
CREATE DATABASE world CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE world;
CREATE TABLE parent (
  id INT NOT NULL AUTO_INCREMENT, code VARCHAR(20) NOT NULL, note TEXT NULL, score FLOAT NULL,
  upper_code VARCHAR(20) GENERATED ALWAYS AS (UPPER(code)) STORED, CONSTRAINT positive CHECK (code <> ''),
  PRIMARY KEY (id), UNIQUE KEY code (code), KEY upper_code (upper_code), FULLTEXT KEY note (note)
) ENGINE=InnoDB;
CREATE TABLE child (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, parent INT NULL, code VARCHAR(20) NULL,
  CONSTRAINT child_parent FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE,
  CONSTRAINT child_code FOREIGN KEY (code) REFERENCES parent (code) ON UPDATE CASCADE
) ENGINE=InnoDB;
CREATE TABLE tree (
  id INT NOT NULL PRIMARY KEY, up INT NULL, CONSTRAINT tree_up FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE
) ENGINE=InnoDB;
CREATE TABLE circle_a (id INT NOT NULL PRIMARY KEY, b INT NULL) ENGINE=InnoDB;
CREATE TABLE circle_b (
  id INT NOT NULL PRIMARY KEY, a INT NULL, CONSTRAINT b_to_a FOREIGN KEY (a) REFERENCES circle_a (id)
) ENGINE=InnoDB;
ALTER TABLE circle_a ADD CONSTRAINT a_to_b FOREIGN KEY (b) REFERENCES circle_b (id) ON DELETE SET NULL;
CREATE TABLE large (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT NOT NULL, b VARCHAR(60) NOT NULL, t TEXT NOT NULL,
  c INT GENERATED ALWAYS AS (a * 2) VIRTUAL, KEY a (a), UNIQUE KEY b (b), KEY ab (a, b), KEY c (c),
  FULLTEXT KEY t (t), FULLTEXT KEY bt (b, t), CONSTRAINT a_range CHECK (a >= 0)
) ENGINE=InnoDB;
INSERT INTO parent (id, code, note, score) SELECT seq, CONCAT('c', seq), CONCAT('anotação número ', seq), seq / 3 FROM seq_1_to_60;
INSERT INTO child (id, parent, code) SELECT seq, 1 + seq % 60, CONCAT('c', 1 + seq % 60) FROM seq_1_to_200;
INSERT INTO tree SELECT seq, NULLIF(seq DIV 2, 0) FROM seq_1_to_63;
SET foreign_key_checks = 0;
INSERT INTO circle_a SELECT seq, 21 - seq FROM seq_1_to_20;
INSERT INTO circle_b SELECT seq, 21 - seq FROM seq_1_to_20;
SET foreign_key_checks = 1;
INSERT INTO large (id, a, b, t) SELECT seq, seq % 100, CONCAT('b', seq), CONCAT('palavra ', MD5(seq), ' fim') FROM seq_1_to_@LARGE@;
ALTER TABLE large AUTO_INCREMENT = 1000000;
"""

# What a bad migration does; the same every time it is applied to what SETUP makes.
CHANGES = """
USE world;
UPDATE parent SET note = CONCAT('perdido ', id), score = score + 1 WHERE id % 3 = 0;
DELETE FROM parent WHERE id = 7;
ALTER TABLE child ADD COLUMN extra INT NOT NULL DEFAULT 5, DROP KEY child_parent, ADD KEY child_parent (parent, extra);
UPDATE tree SET up = NULL WHERE id > 40;
DELETE FROM circle_b WHERE id = 3;
UPDATE large SET a = a + 1 WHERE id % 7 = 0;
DELETE FROM large WHERE id > 100 AND id % 11 = 0;
"""

TABLES = ["child", "circle_a", "circle_b", "large", "parent", "tree"]


def ours(server):
    """The schemas that dbsafe keeps on the server."""
    return [n for n, in server.sql("SELECT schema_name FROM information_schema.schemata "
                                   "WHERE schema_name LIKE 'dbsafe\\\\_%' ORDER BY 1")]


def everything(server, but=()):
    """Each table of the server outside its own schemas, with what tells whether it was touched."""
    skipped = ("mysql", "information_schema", "performance_schema", "sys", *but)
    tables = server.sql("SELECT table_schema, table_name, table_type, engine, auto_increment, table_comment "
                        "FROM information_schema.tables WHERE table_schema NOT IN %s ORDER BY 1, 2", (skipped,))
    # InnoDB gives a table that is made anew another number.
    return tables, server.sql("SELECT name, table_id FROM information_schema.innodb_sys_tables "
                              "WHERE SUBSTRING_INDEX(name, '/', 1) NOT IN %s AND name LIKE '%%/%%' AND name NOT LIKE '%%/FTS%%' "
                              "ORDER BY 1", (skipped,))


def schemas(server):
    return server.sql("SELECT * FROM information_schema.schemata ORDER BY schema_name")


class WorldCase(TestCase):
    """The server holds `world`; cls.old (changed) and cls.new (as dumped) are its digests, cls.archive its dump."""

    large_rows = 6000

    @classmethod
    def make_world(cls):
        s = cls.server
        s.load(SETUP.replace("@LARGE@", str(cls.large_rows)))
        cls.new = table_digests(s, "world")
        cls.archive = s.dbsafe("dump", "world", "-o", s.folder / "world.tar", "--json").json["archive"]
        s.load(CHANGES)
        cls.old = table_digests(s, "world")

    def live(self):
        """"old", "new", or what is different from both."""
        now = table_digests(self.server, "world")
        if now == self.old:
            return "old"
        if now == self.new:
            return "new"
        return {t: (now.get(t), self.old.get(t), self.new.get(t)) for t in self.old.keys() | now.keys()
                if now.get(t) not in (self.old.get(t), self.new.get(t))} or "old and new tables mixed"

    def back_to_old(self):
        """Live tables changed again, nothing of dbsafe on the server."""
        self.drop_ours()
        if self.live() == "old":
            return
        if self.live() == "new":
            self.server.load(CHANGES)
        if self.live() != "old":
            self.server.load(SETUP.replace("@LARGE@", str(self.large_rows)))
            self.server.load(CHANGES)
        self.assertEqual(self.live(), "old")

    def drop_ours(self):
        connection = self.server.connect()
        with connection.cursor() as cursor:
            cursor.execute("SET foreign_key_checks=0")
            for schema in ours(self.server):
                cursor.execute(f"DROP DATABASE `{schema}`")
        connection.close()

    def assert_nothing_of_ours(self):
        self.assertEqual(ours(self.server), [])

    def assert_only_undo_of(self, *ids):
        """Nothing but journals and undo data of these operations, and no staging."""
        wrong = [n for n in ours(self.server) if not any(re.fullmatch(f"dbsafe_(undo_)?{i}(_\\d+)?", n) for i in ids)]
        self.assertEqual(wrong, [])
