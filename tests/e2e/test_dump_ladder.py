"""The rungs of the ladder that lock: what they hold back and for how long, and which rung is taken where one is denied."""

import signal
import threading

import pymysql

from lib import LOCKS_SHOWN, SANITIZED, TestCase, wait_until
from lib.archive import Archive
from lib.bank import BASIC, LADDER_DUMPS, TABLES, TOTAL, Bank, Writers

MONITOR = "PROCESS, BINLOG MONITOR ON *.*"


def blocked(server, statement):
    """Whether a statement has to wait."""
    connection = server.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION lock_wait_timeout=0, innodb_lock_wait_timeout=0")
            cursor.execute(statement)
        return False
    except pymysql.err.OperationalError as e:
        if e.args[0] != 1205:
            raise
        return True
    finally:
        connection.close()


class Denied(Bank):
    """Under four writers, one thing denied in turn: where a rung applies nearly all dumps succeed, and every one shows one moment."""
    server_options = {"binlog": True}

    def ladder(self, account, methods, **options):
        return self.dumps(account=account, methods=methods, count=LADDER_DUMPS, threads=4, pause=0.002, ordered=True,
                          victims=False, **options)

    def test_reload(self):
        self.ladder(self.server.account(BASIC, MONITOR), ["binlog-position", "table-locks", "single-reader"], share=0.5)

    def test_process(self):
        self.ladder(self.server.account(BASIC, "RELOAD, BINLOG MONITOR ON *.*"), ["binlog-position", "backup-stage"], share=0.5)

    def test_everything_but_lock_tables(self):
        """The least account of a managed server."""
        self.ladder(self.server.account(BASIC), ["table-locks", "single-reader"], share=0.9)

    def test_everything(self):
        self.ladder(self.server.account("SELECT ON bank.*"), ["single-reader"])


class DeniedBinlogOff(Denied):
    server_options = {"binlog": False}

    def test_reload(self):
        self.ladder(self.server.account(BASIC, "PROCESS ON *.*"), ["trx-counter", "table-locks", "single-reader"], share=0.5)

    def test_process(self):
        self.ladder(self.server.account(BASIC, "RELOAD ON *.*"), ["backup-stage"])


class DeniedBinlogFiltered(Denied):
    server_options = {"binlog": True, "extra": ["--binlog-do-db=elsewhere"]}

    def test_reload(self):
        self.ladder(self.server.account(BASIC, MONITOR), ["trx-counter", "table-locks", "single-reader"], share=0.5)

    def test_process(self):
        self.ladder(self.server.account(BASIC, "RELOAD, BINLOG MONITOR ON *.*"), ["backup-stage"])


class GlobalLocksFail(Bank):
    """As on managed servers: RELOAD is there, and the statement fails. Another session's backup has that effect."""
    server_options = {"binlog": True, "extra": LOCKS_SHOWN}

    def setUp(self):
        other = self.server.connect()
        self.addCleanup(other.close)
        with other.cursor() as cursor:
            cursor.execute("BACKUP STAGE START")
        self.holder = other.thread_id()

    def test_the_next_rung_holds(self):
        """Each dump waits ten seconds for the stage, so these are few."""
        self.dumps(account=self.server.account(BASIC, "RELOAD ON *.*"), methods=["table-locks"], count=max(2, LADDER_DUMPS // 4), threads=4, pause=0.002,
                   ordered=True, victims=False)

    def test_the_other_backup_is_named(self):
        account = self.server.account(BASIC, "RELOAD, PROCESS ON *.*", "SELECT ON performance_schema.*")
        result, archive = self.dump("--consistency", "backup-stage", account=account, check=9)
        self.assertIsNone(archive)
        self.assertIn("BACKUP STAGE", result.err)
        self.assertIn(f"in the way: connection {self.holder} (root@localhost", result.err)


class TableLocks(Bank):
    server_options = {"binlog": True}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.account = cls.server.account(BASIC)
        cls.watcher = cls.server.account(BASIC, "PROCESS ON *.*")

    def locked(self, *args, **options):
        return self.dump("--consistency", "table-locks", *args, **{"account": self.account, **options})

    def stopped_under_lock(self, method="table-locks", account=None):
        path = self.server.folder / "one.tar"
        path.unlink(missing_ok=True)
        run = self.server.dbsafe_start("dump", "bank", "--threads", "4", "-o", path, "--consistency", method,
                                       defaults_file=account or self.account, env={"DBSAFE_FAULT": "stop:snapshot_locked"})
        self.addCleanup(lambda: run.running() and run.kill())
        wait_until(lambda: run.stopped() or not run.running(), what="the stop")
        self.assertTrue(run.stopped(), run.error_text())
        return run, path

    def test_flat_out(self):
        """Writers without a pause: the lock is never waited for, so none of them becomes the victim of a deadlock with it."""
        self.dumps(account=self.account, methods=["table-locks", "single-reader"], threads=4, ordered=True, victims=False)

    def test_asked_for(self):
        """Then it is also waited for."""
        self.dumps("--consistency", "table-locks", account=self.account, methods=["table-locks"], threads=4, ordered=True,
                   at_least=0.5)

    def test_what_is_said(self):
        result, archive = self.locked("-v")
        consistency = archive.consistency
        self.assertRegex(consistency["proof"], r"^4 snapshots started while LOCK TABLES held back every write to the 8 tables, "
                                               r"for at most \d+ ms, and no transaction was open that had changed them")
        self.assertIn("nothing else was logged", consistency["proof"])
        self.assertEqual(len({(w["binlog_file"], w["binlog_position"]) for w in consistency["workers"]}), 1)
        self.assertRegex(result.err, r"others waited for at most \d+ ms")

    def test_what_it_holds(self):
        """Writes to the dumped tables, and only while the snapshots start; readers and other tables never."""
        self.server.sql("CREATE OR REPLACE TABLE mysql.outside (id INT PRIMARY KEY)")
        run, path = self.stopped_under_lock()
        for i in range(TABLES):
            self.assertTrue(blocked(self.server, f"UPDATE bank.t{i} SET v=v+1 WHERE id=1"))
            self.assertFalse(blocked(self.server, f"SELECT COUNT(*) FROM bank.t{i}"))
        self.assertFalse(blocked(self.server, "INSERT INTO mysql.outside VALUES (1)"))
        run.signal(signal.SIGCONT)
        self.assertEqual(run.finish(60).rc, 0, str(run.result))
        self.assertEqual(self.total(Archive(path)), TOTAL)

    def test_a_waiting_ddl_does_not_come_between(self):
        """DDL that waits for the lock must not keep the snapshots from starting, nor wait longer than the lock is held."""
        run, path = self.stopped_under_lock()
        problems = []

        def alter():
            try:
                self.server.sql("ALTER TABLE bank.t7 COMMENT 'changed'")
            except Exception as e:
                problems.append(e)
        thread = threading.Thread(target=alter)
        thread.start()
        wait_until(lambda: self.server.sql("SELECT 1 FROM information_schema.processlist WHERE state LIKE '%metadata lock%'"),
                   what="the ALTER that waits")
        run.signal(signal.SIGCONT)
        result = run.finish(60)
        thread.join(60)
        self.assertEqual(problems, [])
        self.assertIn(result.rc, (0, 9), str(result))
        if result.rc == 9:
            self.assertIn("bank.t7", result.err)
        self.server.sql("ALTER TABLE bank.t7 COMMENT ''")

    def lost_lock(self, method, account=None):
        """The lock's session is ended while the snapshots start: what they show is not proved, and not claimed."""
        run, path = self.stopped_under_lock(method, account)
        holder = self.server.value("SELECT MAX(id) FROM information_schema.processlist WHERE user LIKE 'limited%'")
        self.server.sql(f"KILL {holder}")
        wait_until(lambda: not blocked(self.server, "UPDATE bank.t1 SET v=v WHERE id=1"), what="the end of the lock")
        run.signal(signal.SIGCONT)
        result = run.finish(60)
        self.assertEqual(result.rc, 9, str(result))
        self.assertFalse(path.exists())

    def test_the_lock_is_lost(self):
        self.lost_lock("table-locks")

    def test_the_stage_is_lost(self):
        self.lost_lock("backup-stage", self.server.account(BASIC, "RELOAD ON *.*"))

    def test_the_global_lock_is_lost(self):
        self.lost_lock("global-read-lock", self.server.account(BASIC, "RELOAD ON *.*"))

    def test_a_stopped_dump_does_not_stall_the_server(self):
        """The server itself ends the lock of a process that does not answer any more."""
        run, path = self.stopped_under_lock()
        self.assertTrue(blocked(self.server, "UPDATE bank.t1 SET v=v WHERE id=1"))
        wait_until(lambda: not blocked(self.server, "UPDATE bank.t1 SET v=v WHERE id=1"), timeout=30, what="the end of the lock")
        run.signal(signal.SIGCONT)
        self.assertEqual(run.finish(60).rc, 9, str(run.result))

    def test_blockers_are_named(self):
        holder = self.server.connect(autocommit=False)
        self.addCleanup(holder.close)
        with holder.cursor() as cursor:
            cursor.execute("UPDATE bank.t3 SET v=v WHERE id=1")
            cursor.execute("SELECT CONNECTION_ID()")
            number = cursor.fetchone()[0]
        result, archive = self.locked(account=self.watcher, check=9)
        self.assertIsNone(archive)
        self.assertIn(f"connection {number} (root@localhost", result.err)
        result, archive = self.locked(check=9)
        self.assertIn("PROCESS would show them", result.err)
        result, archive = self.dump(account=self.account)
        self.assertEqual(archive.consistency["method"], "single-reader")
        self.assertIn("in the way", result.err)

    def test_a_prepared_transaction_without_a_session(self):
        """It holds no metadata lock any more, only InnoDB's; its commit comes whenever it likes."""
        connection = self.server.connect()
        with connection.cursor() as cursor:
            cursor.execute("XA START 'left'")
            cursor.execute("UPDATE bank.t2 SET v=v+1 WHERE id=1")
            cursor.execute("XA END 'left'")
            cursor.execute("XA PREPARE 'left'")
        connection.close()
        try:
            result, archive = self.locked(check=9)
            self.assertIsNone(archive)
            result, archive = self.dump(account=self.account)
            self.assertEqual(archive.consistency["method"], "single-reader")
        finally:
            wait_until(lambda: self.finish_xa(), what="the detached transaction")
        self.locked()

    def finish_xa(self):
        try:
            self.server.sql("XA ROLLBACK 'left'")
            return True
        except pymysql.err.OperationalError:
            return False

    def test_beside_tables_without_transactions(self):
        self.server.sql("CREATE TABLE bank.old (id INT PRIMARY KEY) ENGINE=MyISAM SELECT seq id FROM seq_1_to_100", schema="mysql")
        try:
            with Writers(self.server, threads=2, pause=0.002, ordered=True):
                result, archive = self.locked()
            self.assertEqual(archive.table("bank.old")["rows"], 100)
            self.assertEqual(self.total(archive), TOTAL)
            result = self.server.dbsafe("dump", "bank.old", "-o", self.server.folder / "old.tar", "--threads", "2",
                                        "--consistency", "table-locks", defaults_file=self.account)
        finally:
            self.server.sql("DROP TABLE bank.old")

    def test_lock_tables_on_part_of_it(self):
        self.server.sql("CREATE OR REPLACE DATABASE beside")
        self.server.sql("CREATE TABLE beside.t (id INT PRIMARY KEY)")
        account = self.server.account(BASIC, "SELECT ON beside.*")
        path = self.server.folder / "two.tar"
        self.addCleanup(lambda: path.unlink(missing_ok=True))
        result = self.server.dbsafe("dump", "bank", "beside", "-o", path, "--threads", "2", defaults_file=account)
        self.assertEqual(Archive(path).consistency["method"], "single-reader")
        self.assertIn("LOCK TABLES would help", result.err)
        path.unlink()
        result = self.server.dbsafe("dump", "bank", "beside", "-o", path, "--threads", "2", "--consistency", "table-locks", check=9,
                                    defaults_file=account)
        self.assertIn("LOCK TABLES missing", result.err)

    def test_cancelled_while_it_looks_for_a_moment(self):
        holder = self.server.connect(autocommit=False)
        self.addCleanup(holder.close)
        with holder.cursor() as cursor:
            cursor.execute("UPDATE bank.t3 SET v=v WHERE id=1")
        path = self.server.folder / "cancelled.tar"
        run = self.server.dbsafe_start("dump", "bank", "--threads", "2", "-v", "-o", path, defaults_file=self.account)
        wait_until(lambda: self.server.value("SELECT COUNT(*) FROM information_schema.processlist WHERE user LIKE 'limited%'") >= 4,
                   what="the guard")
        run.interrupt()
        self.assertEqual(run.finish(20).rc, 130, str(run.result))


class GlobalReadLock(Bank):
    """MySQL's rung; without LOCK INSTANCE FOR BACKUP it works on MariaDB as well, when asked for."""
    server_options = {"binlog": True, "extra": LOCKS_SHOWN}

    def test_under_writers(self):
        account = self.server.account(BASIC, "RELOAD ON *.*")
        for c in self.dumps("--consistency", "global-read-lock", account=account, methods=["global-read-lock"], threads=4,
                            pause=0.002, ordered=True, victims=False):
            self.assertEqual(len(c["workers"]), 4)
            self.assertEqual(len({(w["binlog_file"], w["binlog_position"]) for w in c["workers"]}), 1)
            self.assertIn("FLUSH TABLES WITH READ LOCK", c["proof"])
            self.assertNotIn("INSTANCE", c["proof"])

    def test_blocked(self):
        holder = self.server.connect()
        self.addCleanup(holder.close)
        with holder.cursor() as cursor:
            cursor.execute("LOCK TABLES bank.t0 WRITE")
        account = self.server.account(BASIC, "RELOAD, PROCESS ON *.*", "SELECT ON performance_schema.*")
        result, archive = self.dump("--consistency", "global-read-lock", account=account, check=9)
        self.assertIsNone(archive)
        self.assertIn("FLUSH TABLES", result.err)
        self.assertIn(f"in the way: connection {holder.thread_id()} (root@localhost", result.err)
