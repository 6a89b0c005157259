"""A dump that does not finish leaves nothing visible and says why; whatever it was that ended it."""

import os
import signal
import subprocess
import time

import pymysql

from lib import FULL, SANITIZED, TestCase, rng, sample, wait_until
from lib.archive import Archive

KILLS = 50 if FULL else 8
SIGNALS = 30 if FULL else 5
ROWS = 20000  # a table; three of them


class Dumps(TestCase):
    """Three tables of about 5 MB; the store of each test starts empty."""

    @classmethod
    def setUpClass(cls):
        if cls is Dumps:
            return
        cls.server = cls.use_server(binlog=True)
        cls.fill(cls.server)

    @staticmethod
    def fill(server):
        server.sql("CREATE DATABASE shop")
        for name in "abc":
            server.sql(f"CREATE TABLE shop.{name} (id INT PRIMARY KEY, v VARCHAR(400)) "
                       f"SELECT seq id, CONCAT(MD5(seq), MD5(seq*7), SHA2(seq, 512)) v FROM seq_1_to_{ROWS}", schema="mysql")
            server.sql(f"ANALYZE TABLE shop.{name}")

    def setUp(self):
        self.server.store.mkdir(mode=0o700, exist_ok=True)
        for file in self.server.store.iterdir():
            file.unlink()

    def start(self, *args, fault=None, server=None, **options):
        """A dump of the store with small members."""
        server = server or self.server
        if not any(str(a) in ("-o", "--output") for a in args):
            args += ("--label", "shop")
        found = server.dbsafe_start("dump", "shop", "--threads", "3", "--chunk-size", "128K", *args,
                                    env={"DBSAFE_FAULT": fault} if fault else None, **options)
        self.addCleanup(lambda: found.running() and found.kill())
        return found

    def start_stopped(self, point, *args, **options):
        found = self.start(*args, fault=f"stop:{point}", **options)
        wait_until(lambda: found.stopped() or not found.running(), what=f"stop at {point}")
        self.assertTrue(found.stopped(), found.error_text())
        return found

    def dump(self, *args, **options):
        return self.start(*args, **options).finish(60)

    def temporary(self, server=None):
        return sorted(f.name for f in (server or self.server).store.iterdir() if f.name.startswith("."))

    def check_nothing(self, result, code, words=(), server=None):
        server = server or self.server
        self.assertEqual(result.rc, code, str(result))
        self.assertEqual([f.name for f in server.store.iterdir()], [], str(result))
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, result.err)
        if code != 1:
            self.assertNotIn("internal error", result.err)

    def connections(self, server=None):
        """Connections of dbsafe, in the order in which they came: control first, then the readers."""
        return [i for i, in (server or self.server).sql(
            "SELECT id FROM information_schema.processlist WHERE id<>CONNECTION_ID() AND user='root' ORDER BY id")]


class Killed(Dumps):
    def check_store(self):
        """Whatever is visible is whole; the next run cleans and succeeds."""
        listed = [a["name"] for a in self.server.dbsafe("list", "--json").json["archives"]]
        self.assertEqual(listed, self.server.archives())
        for name in listed:
            self.server.dbsafe("verify", self.server.store / name)
        latest = self.server.dbsafe("verify", "latest", check=0 if listed else 11)
        self.assertEqual(latest.rc == 0, bool(listed))
        return len(listed)

    def check_next_run_cleans(self):
        before = self.server.archives()
        self.assertEqual(self.dump().rc, 0)
        self.assertEqual(self.temporary(), [])
        self.assertEqual(len(self.server.archives()), len(before) + 1)

    def test_at_random_moments(self):
        seconds = min(self.dump().seconds for _ in range(3))
        r, left, whole = rng("kill"), 0, 0
        for i in range(KILLS):
            self.setUp()
            found = self.start()
            deadline = time.monotonic() + r.random() * seconds * 1.05
            while time.monotonic() < deadline:  # nothing is waited for: the moment itself is the point
                pass
            found.kill()
            result = found.finish(30)
            left += bool(self.temporary())
            whole += self.check_store()
            if result.rc == -signal.SIGKILL and not self.server.archives():
                self.assertEqual(result.out, "")
            self.check_next_run_cleans()
        print(f"{self.id()}: {KILLS} kills in {seconds:.2f} s, {left} left a temporary file, {whole} came too late")

    def test_at_each_point(self):
        points = [f"sink_write:{n}" for n in (1, 2, 3, 10, 40, 150)] + \
            ["dump_snapshot_taken", "scan_query:1", "scan_query:3", "dump_pack:1", "dump_pack:20", "sink_fsync", "sink_commit",
             "sink_rename", "sink_folder_fsync", "db_query:1", "db_query:15", "db_query:40"]
        visible = set()
        for point in sample(points, 12, "points"):
            with self.subTest(point):
                self.setUp()
                result = self.dump(fault=f"kill:{point}")
                self.assertEqual(result.rc, -signal.SIGKILL, str(result))
                if self.check_store():
                    visible.add(point)
                self.check_next_run_cleans()
        self.assertLessEqual(visible, {"sink_folder_fsync"})  # behind the rename it is there, whole

    def test_a_neighbour_is_left_alone(self):
        neighbour = self.start_stopped("dump_pack:10")
        theirs = self.temporary()
        self.assertEqual(len(theirs), 1)
        dead = self.dump(fault="kill:dump_pack:10")
        self.assertEqual(dead.rc, -signal.SIGKILL)
        self.assertEqual(len(self.temporary()), 2)
        result = self.dump()
        self.assertEqual(result.rc, 0, str(result))
        self.assertIn("leftover", result.err)
        self.assertEqual(self.temporary(), theirs)
        neighbour.signal(signal.SIGCONT)
        self.assertEqual(neighbour.finish(60).rc, 0)
        self.assertEqual(len(self.server.archives()), 2)
        for name in self.server.archives():
            self.server.dbsafe("verify", self.server.store / name)

    def test_into_a_file(self):
        """The folder of -o FILE is not a store: only what runs for this very file left is removed."""
        folder = self.server.folder / "files"
        folder.mkdir(exist_ok=True)
        path, other = folder / "one.tar", folder / ".other.tar.0123456789abcdef.tmp"
        other.write_text("not ours")
        dead = self.dump("-o", path, fault="kill:sink_write:20")
        self.assertEqual(dead.rc, -signal.SIGKILL)
        self.assertFalse(path.exists())
        self.assertEqual(len(list(folder.iterdir())), 2)
        self.assertEqual(self.dump("-o", path).rc, 0)
        self.assertEqual({f.name for f in folder.iterdir()}, {path.name, other.name})
        before = path.read_bytes()
        again = self.dump("-o", path)
        self.assertEqual(again.rc, 10, str(again))
        self.assertIn("one.tar", again.err)
        self.assertEqual(path.read_bytes(), before)
        self.assertEqual({f.name for f in folder.iterdir()}, {path.name, other.name})
        path.unlink()
        path.symlink_to("nowhere")
        self.assertEqual(self.dump("-o", path).rc, 10)
        self.assertTrue(path.is_symlink())

    def test_a_file_that_appears_meanwhile_is_not_overwritten(self):
        path = self.server.folder / "late.tar"
        found = self.start_stopped("sink_commit", "-o", path)
        path.write_text("mine")
        found.signal(signal.SIGCONT)
        self.assertEqual(found.finish(60).rc, 10)
        self.assertEqual(path.read_text(), "mine")


class Cancelled(Dumps):
    NAMES = {signal.SIGINT: (130, "SIGINT"), signal.SIGTERM: (143, "SIGTERM")}

    def check_cancelled(self, found, number):
        begin = time.monotonic()
        found.signal(number)
        if found.stopped():
            found.signal(signal.SIGCONT)
        result = found.finish(15)
        code, name = self.NAMES[number]
        self.check_nothing(result, code, name)
        self.assertLess(time.monotonic() - begin, 10 * (4 if SANITIZED else 1))
        return result

    def test_at_each_point(self):
        points = ["dump_snapshot_taken", "scan_query:1", "scan_query:3", "dump_pack:1", "dump_pack:30", "sink_write:1",
                  "sink_write:50", "db_query:1", "db_query:12", "db_query:30"]
        for number in self.NAMES:
            for point in sample(points, 7, f"signal {number}"):
                with self.subTest(f"{number} {point}"):
                    self.check_cancelled(self.start_stopped(point), number)

    def test_at_random_moments(self):
        seconds, r = self.dump().seconds, rng("signals")
        for i in range(SIGNALS):
            self.setUp()
            found = self.start("--max-rate", "4M")  # so that the end is far away
            wait_until(lambda: self.temporary(), what="the temporary file")
            deadline = time.monotonic() + r.random() * seconds
            while time.monotonic() < deadline:
                pass
            self.check_cancelled(found, r.choice(list(self.NAMES)))

    def test_behind_the_commit_it_is_too_late(self):
        for number, (code, _) in self.NAMES.items():
            found = self.start_stopped("sink_folder_fsync")
            found.signal(number)
            found.signal(signal.SIGCONT)
            result = found.finish(15)
            self.assertIn(result.rc, (0, code), str(result))
            for name in self.server.archives():
                self.server.dbsafe("verify", self.server.store / name)
            if result.rc == 0:
                self.assertTrue(self.server.archives())
            self.setUp()

    def test_standard_output_that_nobody_reads(self):
        for number, (code, _) in self.NAMES.items():
            reader, writer = os.pipe()
            with open(reader, "rb"), open(writer, "wb") as out:
                found = self.start("-o", "-", stdout=out)
                out.close()
                wait_until(lambda: Pipe.held(reader) >= 60000, what="a full pipe")
                found.signal(number)
                self.assertEqual(found.finish(10).rc, code)


class Pipe:
    @staticmethod
    def held(fd):
        import array
        import fcntl
        import termios
        held = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, held)
        return held[0]


class StandardOutput(Dumps):
    def test_to_verify_and_tar(self):
        found = subprocess.run(
            ["bash", "-c", 'set -o pipefail; "$@" | tee >(tar t > "$NAMES") | "$DBSAFE" verify --json -; echo "${PIPESTATUS[@]}" >&2',
             "bash", *self.server.dbsafe_argv(["dump", "shop", "-o", "-"])],
            env={**self.server.dbsafe_env(), "NAMES": str(self.server.folder / "names"),
                 "DBSAFE": self.server.dbsafe_argv(["dump"])[0]}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=200)
        self.assertEqual(found.returncode, 0, found.stderr.decode())
        self.assertEqual(found.stderr.decode().split("\n")[-2], "0 0 0", found.stderr.decode())
        self.assertIn(b'"ok":true', found.stdout.replace(b" ", b""))
        wait_until(lambda: "index.dbsafe" in (self.server.folder / "names").read_text(), what="tar's list")
        self.assertEqual([f.name for f in self.server.store.iterdir()], [])

    def test_closed_early(self):
        for size in (0, 100, 100000, 1000000):
            with self.subTest(size):
                reader, writer = os.pipe()
                with open(reader, "rb") as pipe, open(writer, "wb") as out:
                    found = self.start("-o", "-", stdout=out)
                    out.close()
                    self.assertEqual(len(pipe.read(size)), size)
                    pipe.close()
                    result = found.finish(30)
                self.assertEqual(result.rc, 5, str(result))
                self.assertIn("standard output", result.err)

    def test_closed_from_the_start(self):
        found = subprocess.run(["bash", "-c", '"$@" >&-', "bash", *self.server.dbsafe_argv(["dump", "shop", "-o", "-"])],
                               env=self.server.dbsafe_env(), stderr=subprocess.PIPE, timeout=100)
        self.assertEqual(found.returncode, 5, found.stderr)
        self.assertIn(b"standard output", found.stderr)

    def test_full_device(self):
        with open("/dev/full", "wb") as out:
            result = self.start("-o", "-", stdout=out).finish(30)
        self.assertEqual(result.rc, 5, str(result))
        self.assertIn("No space left", result.err)


class Storage(Dumps):
    def test_a_full_disk(self):
        if os.getuid() != 0:
            self.skipTest("mounting takes root")
        folder = self.server.folder / "small"
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("no right to mount")
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=True)
        for args in (("--store", folder), ("-o", folder / "one.tar")):
            with self.subTest(args[0]):
                result = self.dump(*args)
                self.assertEqual(result.rc, 5, str(result))
                self.assertIn("No space left on device", result.err)
                self.assertIn(str(folder), result.err)
                self.assertLess(result.seconds, 30)
                self.assertEqual([f.name for f in folder.iterdir()], [])
        self.server.sql("CREATE DATABASE hollow")
        self.assertEqual(self.server.dbsafe("dump", "hollow", "--store", folder, "--json").json["tables"], 0)

    def test_each_call_that_fails(self):
        faults = [f"sink_write:{n}:ENOSPC" for n in (1, 2, 17, 60, 150)] + \
            ["sink_write:30:EIO", "sink_fsync:1:EIO", "sink_fsync:1:EDQUOT", "sink_commit:1:EIO", "sink_rename:1:EIO",
             "sink_folder_fsync:1:EIO"]
        for fault in faults:
            with self.subTest(fault):
                result = self.dump(fault=f"fail:{fault}")
                self.check_nothing(result, 5, str(self.server.store))

    def test_a_file_system_without_rename_noreplace(self):
        for fault in ("fail:sink_rename:1:EINVAL", "fail:sink_rename:1:EINVAL,fail:sink_link:1:EPERM"):
            with self.subTest(fault):
                self.setUp()
                self.assertEqual(self.dump(fault=fault).rc, 0)
                self.assertEqual(self.temporary(), [])
                self.server.dbsafe("verify", self.server.store / self.server.archives()[0])

    def test_a_folder_that_cannot_be_used(self):
        file = self.server.folder / "a file"
        file.write_text("x")
        for args in (("--store", file), ("--store", file / "below"), ("-o", "/proc/one.tar"), ("-o", self.server.folder / "nowhere" / "one.tar")):
            with self.subTest(args):
                result = self.dump(*args)
                self.assertEqual(result.rc, 5, str(result))


class Workers(Dumps):
    def test_one_fails(self):
        for n in (1, 2, 17, 60):
            with self.subTest(n):
                self.check_nothing(self.dump(fault=f"fail:dump_pack:{n}"), 1, "dump_pack")
        for n in (1, 2, 3):
            with self.subTest(n):
                self.check_nothing(self.dump(fault=f"fail:scan_query:{n}"), 4, "scan_query")
        self.check_nothing(self.dump(fault="fail:dump_snapshot_taken"), 4)

    def test_a_thread_cannot_start(self):
        """The signal thread, the tar writer, the readers; only the one that shows the progress can be missed."""
        missed = 0
        for n in range(1, 7):
            with self.subTest(n):
                self.setUp()
                result = self.dump(fault=f"fail:group_spawn:{n}:EAGAIN")
                if result.rc == 0:
                    missed += 1
                    self.server.dbsafe("verify", "latest")
                else:
                    self.check_nothing(result, 1, "thread")
        self.assertLessEqual(missed, 1)

    def test_each_statement_that_fails(self):
        """The n-th statement of the plan, of the snapshot, of the end: exit 4, or a success that needed it not."""
        failed, last = 0, 400
        numbers = range(1, last) if FULL else [*range(1, 12), *range(12, 90, 4)]
        for n in numbers:
            self.setUp()
            result = self.dump(fault=f"fail:db_query:{n}")
            if result.rc == 0:
                archive = self.server.store / self.server.archives()[0]
                self.server.dbsafe("verify", archive)
                self.server.dbsafe("verify", archive, "--live")
                if Archive(archive).consistency["method"] == "binlog-position" and n > 60:
                    break  # beyond the last statement
            else:
                self.check_nothing(result, 4, "db_query")
                failed += 1
        print(f"{self.id()}: {failed} statements failed")
        self.assertGreater(failed, 15)

    def test_a_killed_connection(self):
        """KILL of each reader in turn, and of the one that asks the questions."""
        for which in range(4):
            with self.subTest(which):
                found = self.start_stopped("dump_pack:8")
                ids = self.connections()
                self.assertEqual(len(ids), 4)
                self.server.sql(f"KILL {ids[which]}")
                wait_until(lambda: len(self.connections()) == 3, what="the end of the connection")
                found.signal(signal.SIGCONT)
                result = found.finish(30)
                if result.rc == 0 and which > 0:  # that reader had read all it had to
                    name, = self.server.archives()
                    self.server.dbsafe("verify", self.server.store / name, "--live")
                    self.setUp()
                else:
                    self.check_nothing(result, 4)

    def test_a_killed_query(self):
        found = self.start("--max-rate", "256K")

        def kill_one():
            query = self.server.value("SELECT id FROM information_schema.processlist WHERE id<>CONNECTION_ID() AND "
                                      "info LIKE 'SELECT%FROM `shop`%LIMIT%'")
            try:
                return query and self.server.sql(f"KILL {query}") == []
            except pymysql.err.OperationalError as e:
                self.assertEqual(e.args[0], 1094)  # ended before
        wait_until(kill_one, what="a reading query")
        self.check_nothing(found.finish(30), 4)

    def test_all_connections_at_once(self):
        found = self.start("--max-rate", "2M")
        wait_until(lambda: self.temporary(), what="the temporary file")
        for i in self.connections():
            try:
                self.server.sql(f"KILL {i}")
            except pymysql.err.OperationalError as e:
                self.assertEqual(e.args[0], 1094)
        self.check_nothing(found.finish(30), 4)

    def test_no_process_and_no_connection_stays(self):
        wait_until(lambda: not self.connections(), what="the end of all connections")
        mine = subprocess.run(["ps", "-eo", "pid,stat,args"], stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual([line for line in mine.splitlines() if str(self.server.folder) in line and "dbsafe dump" in line], [])


class ServerKilled(Dumps):
    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.server = self.own_server(binlog=True)
        self.fill(self.server)
        super().setUp()

    def test_in_mid_dump(self):
        points = ["dump_snapshot_taken", "scan_query:1", "scan_query:3", "dump_pack:1", "dump_pack:30", "sink_write:50", "db_query:20"]
        for point in points:
            with self.subTest(point):
                found = self.start_stopped(point)
                self.server.kill()
                found.signal(signal.SIGCONT)
                self.check_nothing(found.finish(30), 4)
                self.server.start()
        result = self.dump()
        self.assertEqual(result.rc, 0, str(result))

    def test_not_there(self):
        self.server.kill()
        self.check_nothing(self.dump(), 4, "connect")

    def test_shut_down_in_mid_dump(self):
        found = self.start("--max-rate", "2M")
        wait_until(lambda: self.temporary(), what="the temporary file")
        self.server.stop()
        self.check_nothing(found.finish(30), 4)
