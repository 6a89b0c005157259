"""The swap and foreign keys that cross the border of what is restored: parents outside, children outside, taken names."""

import signal
import threading

import pymysql

from lib import differences, everything_in, sample, wait_until
from lib.world import WorldCase, everything, ours, schemas

SETUP = """
SET foreign_key_checks=0;
DROP DATABASE IF EXISTS shop;
DROP DATABASE IF EXISTS crm;
DROP DATABASE IF EXISTS other;
SET foreign_key_checks=1;
CREATE DATABASE crm;
CREATE DATABASE other;
CREATE DATABASE shop;
CREATE TABLE crm.people (id INT NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL, UNIQUE KEY name (name)) ENGINE=InnoDB;
USE shop;
INSERT INTO crm.people SELECT seq, CONCAT('p', seq) FROM seq_1_to_200;
CREATE TABLE product (id INT NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL, maker INT NULL,
  CONSTRAINT made_by FOREIGN KEY (maker) REFERENCES crm.people (id) ON DELETE SET NULL) ENGINE=InnoDB;
CREATE TABLE orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, product INT NOT NULL, who INT NULL, name VARCHAR(20) NULL, n INT NOT NULL,
  KEY n (n), CONSTRAINT ordered FOREIGN KEY (product) REFERENCES product (id),
  CONSTRAINT bought_by FOREIGN KEY (who) REFERENCES crm.people (id) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT named FOREIGN KEY (name) REFERENCES crm.people (name) ON UPDATE CASCADE ON DELETE CASCADE) ENGINE=InnoDB;
CREATE TABLE log (n INT NOT NULL AUTO_INCREMENT PRIMARY KEY, what VARCHAR(60) NOT NULL) ENGINE=InnoDB;
INSERT INTO product SELECT seq, CONCAT('x', seq), NULLIF(seq % 20, 0) FROM seq_1_to_40;
INSERT INTO orders (id, product, who, name, n) SELECT seq, 1 + seq % 40, 1 + seq % 100, IF(seq % 3, CONCAT('p', 1 + seq % 50), NULL), seq FROM seq_1_to_400;
CREATE TRIGGER orders_log AFTER INSERT ON orders FOR EACH ROW INSERT INTO log (what) VALUES (CONCAT('order ', NEW.id));
"""

CHANGES = """
USE shop;
UPDATE product SET name = 'lost' WHERE id % 3 = 0;
ALTER TABLE product ADD COLUMN more INT NULL;
DELETE FROM orders WHERE id % 5 = 0;
DROP TRIGGER orders_log;
CREATE TRIGGER orders_other BEFORE INSERT ON orders FOR EACH ROW SET NEW.n = NEW.n + 1;
"""


class Keys(WorldCase):
    """`shop` is restored; `crm` and `other` are not."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server()

    def setUp(self):
        s = self.server
        self.drop_ours()
        s.load(SETUP)
        self.archive = s.folder / "shop.tar"
        self.archive.unlink(missing_ok=True)
        s.dbsafe("dump", "shop", "-o", self.archive)
        self.dumped = everything_in(s, "shop")
        s.load(CHANGES)
        self.old = everything_in(s, "shop")

    def restore(self, *args, check=0, **options):
        return self.server.dbsafe("restore", self.archive, *args, check=check, **options)

    def undo(self, *args, check=0, **options):
        return self.server.dbsafe("undo", *args, check=check, **options)

    def started(self, *args, **options):
        run = self.server.dbsafe_start(*args, **options)
        self.addCleanup(lambda: run.result is None and (run.kill(), run.finish()))
        return run

    def stopped_at(self, point, *args):
        run = self.started("restore", self.archive, *args, env={"DBSAFE_FAULT": f"stop:{point}"})
        wait_until(run.stopped, what=point)
        return run

    def go_on(self, run):
        run.signal(signal.SIGCONT)
        result = run.finish()
        self.assertEqual(result.rc, 0, result)

    def references(self):
        """child -> parent, of every foreign key on the server."""
        return set(self.server.sql("SELECT for_name, ref_name FROM information_schema.innodb_sys_foreign"))

    def assert_keys_stay_in_place(self):
        """Nothing of ours refers to a live table, and the other way round."""
        for child, parent in self.references():
            self.assertEqual("dbsafe_" in child, "dbsafe_" in parent, (child, parent))

    def kept(self, kind="undo"):
        return {n: everything_in(self.server, n) for n in ours(self.server) if n.startswith(f"dbsafe_{kind}_")}

    def old_orders(self):
        """The rows of the replaced shop.orders, which waits in its database for its triggers to be dropped."""
        (table,) = self.server.sql("SELECT table_name FROM information_schema.columns WHERE table_schema = 'shop' AND "
                                   "table_name LIKE 'dbsafe\\_%old%' AND column_name = 'who'")
        return self.server.sql(f"SELECT * FROM shop.`{table[0]}` ORDER BY id")

    def fails(self, statement, number, **options):
        with self.assertRaises(pymysql.err.MySQLError) as caught:
            self.server.sql(statement, **options)
        self.assertEqual(caught.exception.args[0], number, caught.exception)

    def done_at_once(self, statement):
        """False if it had to wait for a lock, and so did nothing."""
        with self.server.connect() as writer, writer.cursor() as cursor:
            cursor.execute("SET lock_wait_timeout=1, innodb_lock_wait_timeout=1")
            try:
                cursor.execute(statement)
                return True
            except pymysql.err.OperationalError as e:
                self.assertEqual(e.args[0], 1205)
                return False

    # ---- parents outside

    def test_parents_outside_come_back_with_the_table(self):
        s = self.server
        self.restore()
        self.assertEqual(differences(self.dumped, everything_in(s, "shop")), [])
        self.assert_keys_stay_in_place()
        self.fails("INSERT INTO shop.orders (product, who, n) VALUES (1, 999, 1)", 1452)
        s.sql("DELETE FROM crm.people WHERE id = 7")
        self.assertEqual(s.value("SELECT COUNT(*) FROM shop.orders WHERE who = 7"), 0)
        s.sql("UPDATE crm.people SET name = 'renamed' WHERE id = 8")
        self.assertGreater(s.value("SELECT COUNT(*) FROM shop.orders WHERE name = 'renamed'"), 0)

    def test_undo_brings_them_back_too(self):
        s = self.server
        self.restore()
        self.undo()
        self.assertEqual(differences(self.old, everything_in(s, "shop")), [])
        self.assert_keys_stay_in_place()
        self.undo()
        self.assertEqual(differences(self.dumped, everything_in(s, "shop")), [])
        self.assert_keys_stay_in_place()

    def test_live_writes_reach_neither_staging_nor_undo(self):
        """At each moment of a restore and of its undo, with writes to the parent that cascade."""
        s = self.server
        for i, point in enumerate(("restore_verified", "step_park", "step_swap", "step_drop_triggers", "step_move_out", "step_check", "swap_finish")):
            with self.subTest(point=point):
                run = self.stopped_at(point)
                before = self.kept("stage"), self.kept("undo")
                s.sql(f"DELETE FROM crm.people WHERE id = {101 + i}")  # nobody's
                s.sql(f"INSERT INTO crm.people VALUES ({301 + i}, 'new {i}')")
                if point == "restore_verified":  # later nothing must be missing that staging refers to
                    s.sql("UPDATE crm.people SET name = 'elsewhere' WHERE id = 60")
                self.assertEqual((self.kept("stage"), self.kept("undo")), before)
                self.assert_keys_stay_in_place()
                self.go_on(run)
                kept = self.kept()
                s.sql("DELETE FROM crm.people WHERE id = 33")
                s.sql("UPDATE crm.people SET name = 'p33 again', id = 1033 WHERE id = 34")
                self.assertEqual(self.kept(), kept)
                self.undo("--dry-run", check=10)  # 33 is missing for the kept rows
                s.sql("INSERT INTO crm.people VALUES (33, 'p33')")
                s.sql("UPDATE crm.people SET name = 'p34', id = 34 WHERE id = 1033")
                self.undo()
                self.drop_ours()
                self.assert_keys_stay_in_place()

    def test_live_writes_with_children_outside(self):
        """The same where a key of a table that stays leads to one that is exchanged, and cascades from it."""
        s = self.server
        for point in sample(("restore_verified", "step_park", "step_swap", "step_leave_parents", "step_move_child", "step_move_out", "step_check"), 2,
                            "children outside"):
            with self.subTest(point=point):
                self.setUp()
                self.child_outside(" ON UPDATE CASCADE")
                run = self.stopped_at(point, "--include-referencing")
                before = self.kept("stage"), self.kept("undo")
                if point in ("restore_verified", "step_park"):
                    s.sql("DELETE FROM shop.orders WHERE product = 9")
                    s.sql("DELETE FROM shop.product WHERE id = 9")
                    self.assertEqual(s.value("SELECT COUNT(*) FROM other.line WHERE product = 9"), 0)
                for statement in ("INSERT INTO other.line VALUES (900, 3, 0)", "UPDATE other.line SET product = 4 WHERE id = 900",
                                  "DELETE FROM other.line WHERE product = 5", "INSERT INTO crm.people VALUES (301, 'new')"):
                    if not self.done_at_once(statement):
                        self.assertIn(point, ("step_leave_parents", "step_move_child"))
                self.assertEqual((self.kept("stage"), self.kept("undo")), before)
                self.go_on(run)
                kept = self.kept()
                s.sql("DELETE FROM shop.orders WHERE product IN (10, 11)")
                s.sql("DELETE FROM shop.product WHERE id = 10")
                s.sql("UPDATE shop.product SET id = 1011 WHERE id = 11")
                self.assertEqual(s.value("SELECT COUNT(*) FROM other.line WHERE product = 10"), 0)
                self.assertEqual(s.value("SELECT COUNT(*) FROM other.line WHERE product = 1011"), 2)
                self.assertEqual(self.kept(), kept)
                self.assert_keys_stay_in_place()
                s.sql("UPDATE shop.product SET id = 11 WHERE id = 1011")
                self.undo()
                self.assert_keys_stay_in_place()

    def test_writers_of_the_parent_wait_while_keys_change_hands(self):
        s = self.server
        run = self.stopped_at("step_leave_parents")
        before = self.kept("undo")
        self.assertFalse(self.done_at_once("DELETE FROM crm.people WHERE id = 5"))
        self.assertTrue(self.done_at_once("SELECT COUNT(*) FROM crm.people"))  # readers do not wait
        self.assertEqual(self.kept("undo"), before)
        self.go_on(run)
        s.sql("DELETE FROM crm.people WHERE id = 5")
        self.assertEqual(self.kept("undo").keys(), before.keys())
        self.assert_keys_stay_in_place()

    def test_a_process_that_dies_right_behind_the_exchange_leaves_no_key_on_what_is_kept(self):
        """The server itself drops them in the statement that exchanges: no cascade reaches the kept rows before --resume or undo."""
        s = self.server
        for finish in ("resume", "undo"):
            with self.subTest(finish=finish):
                before = everything_in(s, "shop")
                self.restore(check=-9, env={"DBSAFE_FAULT": "kill:swap_renamed"})
                kept = self.old_orders()
                self.assertGreater(len(kept), 100)
                s.sql("DELETE FROM crm.people WHERE id = 5")
                s.sql("UPDATE crm.people SET name = 'elsewhere' WHERE id = 6")
                self.assertEqual(self.old_orders(), kept)
                s.sql("INSERT INTO crm.people VALUES (5, 'p5')")
                s.sql("UPDATE crm.people SET name = 'p6' WHERE id = 6")
                if finish == "resume":
                    self.restore("--resume")
                    self.assertEqual(differences(self.dumped, everything_in(s, "shop")), [])
                self.undo()
                self.assertEqual(differences(before, everything_in(s, "shop")), [])
                self.drop_ours()

    def test_nothing_waits_for_a_lock_in_that_statement(self):
        """The parents are locked meanwhile, and there may be many tables."""
        s = self.server
        s.load("SET GLOBAL log_output='TABLE';\nTRUNCATE mysql.general_log;\nSET GLOBAL general_log=1;\n")
        self.restore()
        s.sql("SET GLOBAL general_log=0")
        (text,), = s.sql("SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE argument LIKE 'BEGIN NOT ATOMIC RENAME%'")
        self.assertRegex(text, "(?s)RENAME TABLE .* HANDLER .*; SET SESSION lock_wait_timeout=0, SESSION innodb_lock_wait_timeout=0; ALTER .*DROP FOREIGN KEY.*; "
                         "SET SESSION lock_wait_timeout=1, SESSION innodb_lock_wait_timeout=1; END; END$")

    def test_an_error_behind_the_exchange_is_no_failed_swap(self):
        self.restore(env={"DBSAFE_FAULT": "fail:swap_answer"})
        self.assertEqual(differences(self.dumped, everything_in(self.server, "shop")), [])
        self.undo()
        self.assertEqual(differences(self.old, everything_in(self.server, "shop")), [])

    def test_under_writers(self):
        """Writers of parent and child all the time: what is kept does not change any more once the restore is done."""
        s = self.server
        end, problems, done = threading.Event(), [], [0]

        def write(number):
            connection = s.connect()
            with connection.cursor() as cursor:
                n = 0
                while not end.is_set():
                    n += 1
                    key = 10000 * (number + 1) + n
                    try:
                        cursor.execute(f"INSERT INTO crm.people VALUES ({key}, 'w{key}')")
                        cursor.execute(f"INSERT INTO shop.orders (product, who, name, n) VALUES (1, {key}, 'w{key}', 1)")
                        cursor.execute(f"UPDATE crm.people SET id = {key + 5000000}, name = 'u{key}' WHERE id = {key}")
                        cursor.execute(f"DELETE FROM crm.people WHERE id = {key + 5000000}")
                        done[0] += 1
                    except pymysql.err.MySQLError as e:
                        if e.args[0] not in (1213, 1205, 1451, 1452, 1412):  # deadlock; a key while it changes hands
                            problems.append(e.args)
            connection.close()
        threads = [threading.Thread(target=write, args=(i,)) for i in range(3)]
        for t in threads:
            t.start()
        try:
            for round_ in range(3):
                wait_until(lambda: done[0] > 50 * (round_ + 1), what="writes")
                result = self.restore(check=(0, 7))
                kept = self.kept()
                self.assert_keys_stay_in_place()
                before = done[0]
                wait_until(lambda: done[0] > before + 30, what="writes")
                self.assertEqual(self.kept(), kept)
                if result.rc == 7:
                    self.assertIn("came in during the swap", result.err)
                self.drop_ours()
        finally:
            end.set()
            for t in threads:
                t.join()
        self.assertEqual(problems, [])

    def test_rows_without_parent_refuse(self):
        s = self.server
        s.sql("DELETE FROM crm.people WHERE id = 20")
        before = everything(s), schemas(s)
        result = self.restore(check=10)
        self.assertIn("bought_by", result.err)
        self.assertIn("shop.orders", result.err)
        self.assertIn("(20)", result.err)
        self.assertEqual((everything(s), schemas(s)), before)

    def test_parent_that_is_gone_refuses(self):
        s = self.server
        s.load("SET foreign_key_checks=0;\nDROP TABLE crm.people;\n")
        for extra in ((), ("--dry-run",)):
            result = self.restore(*extra, check=10)
            self.assertIn("crm.people", result.err)
            self.assertIn("restore it too", result.err)
        self.assert_nothing_of_ours()

    def test_parent_that_does_not_fit_refuses(self):
        s = self.server
        s.load("SET foreign_key_checks=0;\nALTER TABLE crm.people DROP KEY name;\n")
        before = everything(s), schemas(s)
        self.assertIn("named", self.restore(check=10).err)
        self.assertEqual((everything(s), schemas(s)), before)

    def test_only_the_child_is_restored(self):
        """product stays: it is an outside parent of orders now."""
        s = self.server
        self.restore("--tables", "orders")
        self.assert_keys_stay_in_place()
        self.assertEqual(everything_in(s, "shop")["table", "shop", "orders"], self.dumped["table", "shop", "orders"])
        self.fails("INSERT INTO shop.orders (product, n) VALUES (999, 1)", 1452)
        self.undo()
        self.assertEqual(differences(self.old, everything_in(s, "shop")), [])

    def test_into_another_database(self):
        """A parent that is not restored is looked for where the child goes; one of a third database stays the same."""
        s = self.server
        self.addCleanup(s.load, "SET foreign_key_checks=0;\nDROP DATABASE IF EXISTS copy;\n")
        self.restore("--into", "copy")
        self.assertIn(("copy/orders", "crm/people"), self.references())
        self.assertIn(("copy/orders", "copy/product"), self.references())
        s.load("SET foreign_key_checks=0;\nDROP DATABASE copy;\nCREATE DATABASE copy;\n")
        self.drop_ours()
        self.assertIn("copy.product", self.restore("--into", "copy", "--tables", "orders", check=10).err)

    # ---- children outside

    def child_outside(self, more=""):
        self.server.load("USE other;\nCREATE TABLE other.line (id INT NOT NULL PRIMARY KEY, product INT NULL, v INT NULL, "
                         f"CONSTRAINT of_product FOREIGN KEY (product) REFERENCES shop.product (id) ON DELETE CASCADE{more}, KEY v (v)) ENGINE=InnoDB;\n"
                         "INSERT INTO other.line SELECT seq, 1 + seq % 30, seq FROM seq_1_to_60;\n")

    def test_children_outside_are_refused(self):
        self.child_outside()
        before = everything(self.server), schemas(self.server)
        for extra in ((), ("--dry-run",)):
            result = self.restore(*extra, check=10)
            for word in ("other.line", "of_product", "shop.product", "--include-referencing"):
                self.assertIn(word, result.err)
        self.assertEqual((everything(self.server), schemas(self.server)), before)

    def test_children_outside_are_made_to_refer_to_the_new_table(self):
        s = self.server
        self.child_outside()
        line = everything_in(s, "other")
        self.restore("--include-referencing")
        self.assertEqual(differences(line, everything_in(s, "other")), [])
        self.assertIn(("other/line", "shop/product"), self.references())
        self.assert_keys_stay_in_place()
        kept = self.kept()
        self.fails("INSERT INTO other.line VALUES (900, 999, 1)", 1452)
        s.sql("DELETE FROM shop.orders WHERE product = 9")
        s.sql("DELETE FROM shop.product WHERE id = 9")
        self.assertEqual(s.value("SELECT COUNT(*) FROM other.line WHERE product = 9"), 0)
        self.assertEqual(self.kept(), kept)
        # the way back needs no option for keys that this restore moved
        self.undo()
        self.assertEqual(differences(self.old, everything_in(s, "shop")), [])
        self.assertIn(("other/line", "shop/product"), self.references())
        self.assert_keys_stay_in_place()
        self.server.load("CREATE TABLE other.late (id INT PRIMARY KEY, p INT, CONSTRAINT late FOREIGN KEY (p) REFERENCES shop.product (id));\n")
        self.assertIn("other.late", self.undo(check=10).err)
        self.undo("--include-referencing")
        self.assertIn(("other/late", "shop/product"), self.references())

    def test_children_whose_parents_would_be_missing_are_refused(self):
        s = self.server
        self.child_outside()
        s.load("INSERT INTO shop.product (id, name) VALUES (77, 'after the dump');\nINSERT INTO other.line VALUES (800, 77, 1);\n")
        before = everything(s), schemas(s)
        result = self.restore("--include-referencing", check=10)
        self.assertIn("(77)", result.err)
        self.assertIn("other.line", result.err)
        self.assertEqual((everything(s), schemas(s)), before)

    # ---- names

    def test_names_that_are_taken_for_a_while(self):
        """Two tables with triggers stand in one schema for a while; a name of a key has moved between them."""
        s = self.server
        self.drop_ours()
        s.load("USE shop;\nCREATE TABLE a (id INT PRIMARY KEY, p INT, CONSTRAINT k1 FOREIGN KEY (p) REFERENCES product (id), FOREIGN KEY (id) REFERENCES product (id));\n"
               "CREATE TABLE b (id INT PRIMARY KEY, p INT, q INT, KEY q (q), CONSTRAINT k2 FOREIGN KEY (p) REFERENCES product (id));\n"
               "CREATE TRIGGER a_t BEFORE INSERT ON a FOR EACH ROW SET @a = 1;\nCREATE TRIGGER b_t BEFORE INSERT ON b FOR EACH ROW SET @b = 1;\n")
        self.archive.unlink()
        s.dbsafe("dump", "shop", "-o", self.archive)
        dumped = everything_in(s, "shop")
        s.load("USE shop;\nALTER TABLE a DROP FOREIGN KEY k1;\nALTER TABLE b DROP FOREIGN KEY k2;\n"
               "ALTER TABLE a ADD CONSTRAINT k2 FOREIGN KEY (p) REFERENCES product (id);\nALTER TABLE b ADD CONSTRAINT k1 FOREIGN KEY (p) REFERENCES product (id);\n")
        old = everything_in(s, "shop")
        self.restore()
        self.assertEqual(differences(dumped, everything_in(s, "shop")), [])
        self.undo()
        self.assertEqual(differences(old, everything_in(s, "shop")), [])
        self.undo()
        self.assertEqual(differences(dumped, everything_in(s, "shop")), [])

    def test_a_name_that_a_stranger_has(self):
        s = self.server
        s.load("USE shop;\nSET foreign_key_checks=0;\nDROP TABLE orders;\nCREATE TABLE mine (id INT PRIMARY KEY, CONSTRAINT ordered FOREIGN KEY (id) REFERENCES crm.people (id));\n")
        result = self.restore(check=10)
        self.assertIn("ordered", result.err)
        self.assertIn("shop.mine", result.err)
        self.assert_nothing_of_ours()

    def test_account_that_may_not_lock_the_parent(self):
        s = self.server
        account = s.account("ALL ON shop.*", "ALL ON `dbsafe\\_%`.*", "PROCESS ON *.*", "SET USER ON *.*", "SELECT ON crm.*")
        result = self.restore(check=10, defaults_file=account)
        self.assertRegex(result.err, r"GRANT LOCK TABLES ON `crm`\.\* TO")
        self.assertRegex(result.err, r"GRANT REFERENCES ON `crm`\.`people` TO")
        self.assert_nothing_of_ours()
        s.sql(f"GRANT LOCK TABLES, REFERENCES ON crm.* TO {account.stem}@localhost")
        self.restore(defaults_file=account)
        self.assertEqual(differences(self.dumped, everything_in(s, "shop")), [])
        self.undo(defaults_file=account)
        self.assertEqual(differences(self.old, everything_in(s, "shop")), [])
