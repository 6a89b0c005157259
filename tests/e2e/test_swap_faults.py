"""A swap with everything, when the process, the server or a call dies at any of its steps: all old or all new, and a way on from there."""

import re
import signal

from lib import differences, everything_in, sample, wait_until
from lib.world import WorldCase, ours

SETUP = """
SET foreign_key_checks=0;
DROP DATABASE IF EXISTS crm;
DROP DATABASE IF EXISTS shop;
DROP DATABASE IF EXISTS other;
SET foreign_key_checks=1;
CREATE DATABASE crm;
CREATE DATABASE other;
CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE shop;
CREATE TABLE crm.people (id INT NOT NULL PRIMARY KEY) ENGINE=InnoDB;
INSERT INTO crm.people SELECT seq FROM seq_1_to_50;
CREATE SEQUENCE numbers START WITH 700 CACHE 10;
CREATE SEQUENCE gone START WITH 30;
CREATE TABLE product (id INT NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL, maker INT NULL, other BIGINT NULL DEFAULT NEXTVAL(gone),
  CONSTRAINT made_by FOREIGN KEY (maker) REFERENCES crm.people (id) ON DELETE SET NULL) ENGINE=InnoDB;
CREATE TABLE orders (id BIGINT NOT NULL DEFAULT NEXTVAL(numbers) PRIMARY KEY, product INT NOT NULL, who INT NULL, v VARCHAR(20) NULL,
  CONSTRAINT ordered FOREIGN KEY (product) REFERENCES product (id), CONSTRAINT bought_by FOREIGN KEY (who) REFERENCES crm.people (id) ON DELETE CASCADE) ENGINE=InnoDB;
CREATE TABLE log (n INT NOT NULL AUTO_INCREMENT PRIMARY KEY, what VARCHAR(60) NOT NULL) ENGINE=InnoDB;
INSERT INTO product (id, name, maker, other) SELECT seq, CONCAT('x', seq), seq, seq FROM seq_1_to_20;
INSERT INTO orders (id, product, who, v) SELECT seq, 1 + seq % 20, 1 + seq % 50, 'new' FROM seq_1_to_60;
CREATE FUNCTION label (n INT) RETURNS VARCHAR(20) DETERMINISTIC RETURN CONCAT('label ', n);
CREATE FUNCTION helper () RETURNS INT DETERMINISTIC RETURN 1;
CREATE TRIGGER orders_a BEFORE INSERT ON orders FOR EACH ROW SET NEW.v = label(NEW.product);
CREATE TRIGGER orders_b AFTER INSERT ON orders FOR EACH ROW INSERT INTO log (what) VALUES (CONCAT('order ', NEW.id));
CREATE TRIGGER log_a BEFORE INSERT ON log FOR EACH ROW SET NEW.what = CONCAT(NEW.what, '!');
CREATE VIEW of_people AS SELECT o.id, p.name FROM orders o JOIN product p ON p.id = o.product;
CREATE VIEW names AS SELECT name FROM of_people;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:00' DO INSERT INTO log (what) VALUES ('night');
CREATE TABLE other.line (id INT NOT NULL PRIMARY KEY, product INT NULL,
  CONSTRAINT of_product FOREIGN KEY (product) REFERENCES shop.product (id) ON DELETE CASCADE) ENGINE=InnoDB;
INSERT INTO other.line SELECT seq, 1 + seq % 10 FROM seq_1_to_20;
"""

CHANGES = """
USE shop;
ALTER DATABASE shop COLLATE utf8mb4_bin;
UPDATE product SET name = 'lost';
ALTER TABLE orders ADD COLUMN more INT NULL;
DELETE FROM orders WHERE id % 5 = 0;
INSERT INTO log (what) VALUES ('old');
DO NEXTVAL(numbers), SETVAL(numbers, 5000);
DROP TRIGGER orders_a;
DROP TRIGGER orders_b;
CREATE TRIGGER orders_c BEFORE UPDATE ON orders FOR EACH ROW SET NEW.v = 'changed';
CREATE OR REPLACE FUNCTION label (n INT) RETURNS VARCHAR(20) DETERMINISTIC RETURN 'old';
DROP FUNCTION helper;
DROP VIEW names;
CREATE OR REPLACE VIEW of_people AS SELECT id, 'old' AS name FROM orders;
DROP EVENT nightly;
DROP SEQUENCE gone;
"""


def fault(action, point):
    return {"DBSAFE_FAULT": f"{action}:{point}"}


class Case(WorldCase):
    durable = False

    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server(durable=cls.durable)
        s.load(SETUP)
        cls.archive = s.folder / "shop.tar"
        s.dbsafe("dump", "shop", "-o", cls.archive)
        cls.new = cls.picture()
        cls.new_rows = cls.rows()
        s.load(CHANGES)
        cls.old = cls.picture()
        cls.old_rows = cls.rows()
        steps = [line.split(": ", 2) for line in s.dbsafe("restore", cls.archive, "--include-referencing", "--dry-run").err.splitlines()
                 if re.match(r"dbsafe: step \d+ of", line)]
        cls.steps = len(steps)
        cls.swap = next(i + 1 for i, (_, _, what) in enumerate(steps) if what.startswith("exchange"))

    @classmethod
    def picture(cls):
        return everything_in(cls.server, "shop", "other")

    @classmethod
    def rows(cls):
        """The rows alone: keys and triggers get their names behind the swap."""
        return {k[2]: cls.server.sql(f"CHECKSUM TABLE shop.`{k[2]}`")[0][1] for k in everything_in(cls.server, "shop") if k[0] == "table"}

    def change(self):
        self.drop_ours()
        self.server.load(SETUP)
        self.server.load(CHANGES)

    def live(self):
        now = {t: self.server.sql(f"CHECKSUM TABLE shop.`{t}`")[0][1] for t in self.new_rows}
        return "old" if now == self.old_rows else "new" if now == self.new_rows else now

    def assert_old(self):
        self.assertEqual(differences(self.old, self.picture()), [])

    def assert_new(self):
        self.assertEqual(differences(self.new, self.picture()), [])

    def restore(self, *args, check=0, **options):
        return self.server.dbsafe("restore", self.archive, "--include-referencing", *args, check=check, **options)

    def undo(self, *args, check=0, **options):
        return self.server.dbsafe("undo", *args, check=check, **options)

    def started(self, *args, **options):
        run = self.server.dbsafe_start(*args, **options)
        self.addCleanup(lambda: run.result is None and (run.kill(), run.finish()))
        return run

    def only_id(self):
        listed = self.undo("--list", "--json").json["restores"]
        self.assertEqual(len(listed), 1, listed)
        return listed[0]["restore_id"]

    def assert_nothing_in_shop(self):
        self.assertEqual([t for t, in self.server.sql("SHOW TABLES FROM shop LIKE 'dbsafe%'")], [])
        self.assertEqual([t for t, in self.server.sql("SELECT trigger_name FROM information_schema.triggers WHERE trigger_name LIKE 'dbsafe%'")], [])


class Killed(Case):
    """kill -9 of dbsafe before each step in turn."""

    def kill_at(self, n):
        self.change()
        self.restore(check=-9, env=fault("kill", f"step:{n}"))
        self.assertEqual(self.live(), "new" if n > self.swap else "old", n)

    def test_the_plan_has_every_kind_of_step(self):
        self.change()
        told = self.restore("--dry-run").err
        for words in ("create function shop.helper", "temporary names, which the table there has now: ordered", "move the new shop.orders into", "triggers, under temporary names: log_a",
                      "exchange 3 tables and 2 sequences", "drop the foreign keys of the replaced shop.orders", "add the foreign keys of shop.product",
                      "make foreign key of_product of other.line refer to the new shop.product", "drop the triggers of the replaced shop.orders",
                      "give the triggers of shop.orders their names", "move the replaced shop.orders to", "give the foreign keys of shop.orders their names",
                      "replace view shop.of_people", "create event shop.nightly", "database shop: character set utf8mb4", "read back"):
            self.assertIn(words, told)
        self.assertGreater(self.steps, 20)

    def test_then_resume(self):
        for n in sample(range(1, self.steps + 1), 12, "kill then resume"):
            with self.subTest(step=n, of=self.steps):
                self.kill_at(n)
                result = self.restore("--resume", "--json").json
                self.assertEqual((result["verified"], result["swapped"]), (True, True))
                self.assert_new()
                self.assert_only_undo_of(result["restore_id"])
                self.undo()
                self.assert_old()

    def test_then_undo(self):
        for n in sample(range(1, self.steps + 1), 12, "kill then undo"):
            with self.subTest(step=n, of=self.steps):
                self.kill_at(n)
                result = self.undo(self.only_id(), "--json").json
                self.assertEqual(result["swapped"], n > self.swap)
                self.assert_old()
                if n <= self.swap:
                    self.assert_nothing_of_ours()
                else:
                    self.assert_only_undo_of(result["restore_id"])
                    self.undo("--include-referencing")  # to where the restore had come
                    self.assertEqual(self.live(), "new")

    def test_inside_of_steps(self):
        for point in ("swap_planned", "swap_rename", "swap_renamed", "trigger_locked", "swap_finish"):
            with self.subTest(point=point):
                self.change()
                self.restore(check=-9, env=fault("kill", point))
                self.assertEqual(self.live(), "old" if point in ("swap_planned", "swap_rename") else "new")
                self.restore("--resume")
                self.assert_new()
                self.undo()
                self.assert_old()

    def test_at_any_statement(self):
        """Between any two statements that it sends."""
        for n in sample(range(60, 420), 10, "kill at any statement"):
            with self.subTest(n=n):
                self.change()
                result = self.restore(check=(0, -9), env=fault("kill", f"db_query:{n}"))
                self.assertIn(self.live(), ("old", "new"))
                if result.rc:
                    self.restore("--resume")
                self.assert_new()
                self.assert_nothing_in_shop()
                self.undo()
                self.assert_old()

    def test_undo(self):
        for n in sample(range(1, self.steps + 1), 8, "kill undo"):
            with self.subTest(step=n):
                self.change()
                self.restore()
                result = self.undo(check=(0, -9), env=fault("kill", f"step:{n}"))
                if result.rc == 0:  # the undo has fewer steps
                    self.assertGreater(n, 10)
                else:
                    self.assertIn(self.live(), ("old", "new"))
                    self.undo()
                self.assert_old()
                self.assertEqual(len(ours(self.server)), 2, ours(self.server))
                self.undo()
                self.assert_new()


class Failed(Case):
    def test_at_each_step(self):
        """One call fails: before the swap all is taken back, behind it the step is tried again."""
        for n in sample(range(1, self.steps + 1), 8, "fail"):
            with self.subTest(step=n):
                self.change()
                result = self.restore(check=(0, 4), env=fault("fail", f"step:{n}"))
                self.assertNotIn("could not be", result.err)
                if n <= self.swap:
                    self.assertEqual(result.rc, 4)
                    self.assert_nothing_of_ours()
                    self.assert_old()
                else:
                    self.assertEqual(result.rc, 0)
                    self.assert_new()

    def test_at_any_statement(self):
        for n in sample(range(60, 420), 12, "fail at any statement"):
            with self.subTest(n=n):
                self.change()
                result = self.restore(check=(0, 4, 10), env=fault("fail", f"db_query:{n}"))
                if result.rc == 0:
                    self.assert_new()
                    continue
                if result.rc == 10:  # the server would not take a key that was tried on a table without rows
                    self.assertRegex(result.err, "foreign key .* cannot be added: fault injected")
                self.assertEqual(self.live(), "new" if "is swapped" in result.err else "old")
                if "is swapped" in result.err:
                    self.restore("--resume")
                    self.assert_new()
                else:
                    self.assertNotIn("could not be", result.err)
                    self.assert_nothing_of_ours()
                    self.assert_old()


class Interrupted(Case):
    def test_at_steps(self):
        for i, n in enumerate(sample(range(1, self.steps + 1), 6, "interrupt")):
            number = (signal.SIGINT, signal.SIGTERM)[i % 2]
            with self.subTest(step=n, number=number):
                self.change()
                run = self.started("restore", self.archive, "--include-referencing", env=fault("stop", f"step:{n}"))
                wait_until(run.stopped, what=f"step {n}")
                run.signal(number)
                run.signal(signal.SIGCONT)
                result = run.finish()
                if n <= self.swap:
                    self.assertIn(result.rc, (128 + number, 0), result)  # 0: it came too late
                else:
                    self.assertEqual(result.rc, 0, result)
                if result.rc:
                    self.assert_old()
                    self.assert_nothing_of_ours()
                else:
                    self.assert_new()

    def test_what_fails_behind_the_exchange_is_told(self):
        """That a signal came, too, must not hide that the tables are exchanged."""
        self.change()
        fails = ",".join(f"fail:step_check:{n}" for n in range(1, 5))
        run = self.started("restore", self.archive, "--include-referencing", env={"DBSAFE_FAULT": f"stop:step_name_triggers,{fails}"})
        wait_until(run.stopped, what="step_name_triggers")
        run.signal(signal.SIGINT)
        run.signal(signal.SIGCONT)
        result = run.finish()
        self.assertEqual(result.rc, 130, result)
        self.assertIn("is swapped, but not all that is behind the swap is done", result.err)
        self.restore("--resume")
        self.assert_new()

    def test_locks_that_others_hold(self):
        """Before the swap: everything is taken back, and the verified tables are kept.  Behind it: the rest waits for --resume."""
        s = self.server
        self.change()
        blocker = s.connect(autocommit=False)
        self.addCleanup(blocker.close)
        with blocker.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM shop.orders")
        result = self.restore("--lock-timeout", 2, check=13)
        self.assertIn(f"connection {blocker.thread_id()} ", result.err)
        self.assertIn("nothing was exchanged", result.err)
        self.assertEqual([t for t, in s.sql("SHOW TABLES FROM shop LIKE 'dbsafe_new%'")], [])
        blocker.rollback()
        run = self.started("restore", self.archive, "--include-referencing", "--resume", "--lock-timeout", 3, env=fault("stop", "step_name_triggers"))
        wait_until(run.stopped, what="step_name_triggers")
        with blocker.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM shop.log")
        run.signal(signal.SIGCONT)
        result = run.finish()
        self.assertEqual(result.rc, 13, result)
        self.assertIn("is swapped", result.err)
        self.assertEqual(self.live(), "new")
        s.sql("INSERT INTO shop.orders (product) VALUES (3)")  # fires, under whatever name
        self.assertEqual(s.value("SELECT COUNT(*) FROM shop.log WHERE what LIKE 'order %!'"), 1)
        blocker.rollback()
        s.sql("DELETE FROM shop.orders WHERE v LIKE 'label%' OR v = 'old'")
        s.sql("DELETE FROM shop.log")
        self.restore("--resume")
        self.assert_nothing_in_shop()
        self.assertEqual([t for t, in s.sql("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema='shop' ORDER BY 1")],
                         ["log_a", "orders_a", "orders_b"])
        self.undo()
        self.assert_old()


class ServerKilled(Case):
    """kill -9 of mariadbd, with durable settings, before each step in turn."""

    durable = True

    def crash_at(self, n):
        s = self.server
        self.change()
        run = self.started("restore", self.archive, "--include-referencing", env=fault("stop", f"step:{n}"))
        wait_until(run.stopped, what=f"step {n}")
        s.kill()
        s.start()
        run.signal(signal.SIGCONT)
        result = run.finish()
        self.assertEqual(self.live(), "new" if n > self.swap else "old")
        return result

    def test_then_resume(self):
        for n in sample(range(1, self.steps + 1), 7, "crash then resume"):
            with self.subTest(step=n, of=self.steps):
                result = self.crash_at(n)
                if result.rc:
                    self.assertEqual(result.rc, 4, result)
                    self.restore("--resume")
                self.assert_new()
                self.assert_nothing_in_shop()
                self.undo()
                self.assert_old()

    def test_then_undo(self):
        for n in sample(range(1, self.steps + 1), 5, "crash then undo"):
            with self.subTest(step=n, of=self.steps):
                self.crash_at(n)
                self.undo(self.only_id())
                self.assert_old()
                self.assert_nothing_in_shop()
