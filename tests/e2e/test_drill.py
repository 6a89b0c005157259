"""verify --drill: a real throw-away server, what is attested, and that nothing of it stays, however it ends."""

import json
import os
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

import pymysql

from lib import TestCase, process, sample, wait_until

KEYS = {"passed", "server_version", "tables", "rows", "seconds", "attestation", "problems", "steps"}
ATTESTED = {"dbsafe_drill", "passed", "archive", "run_id", "bytes", "manifest_sha256", "started", "finished", "host", "tool_version",
            "server_version", "archive_server_version", "error", "problems", "rows", "tables", "steps"}
# Where a drill can be stopped, in this order.
POINTS = ["drill_folder", "drill_initialised", "drill_started", "restore_journalled", "restore_loaded", "restore_verified",
          "drill_restored", "drill_compared"]


def processes_in(folder):
    """Pids of the processes whose arguments name this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"{folder}/dbsafe-drill-".encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


class DrillCase(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server()
        s.load_chatbot(messages=3000)
        cls.archive = Path(s.dbsafe("dump", "glpi_select", "--json").json["archive"])
        cls.tables, cls.rows = 4, s.dbsafe("show", cls.archive, "--json").json["rows"]

    def setUp(self):
        self.folder = self.server.folder / "d"  # short: a socket lies in it
        self.folder.mkdir()
        self.attestation = Path(f"{self.archive}.drill.json")
        self.attestation.unlink(missing_ok=True)
        Path(f"{self.archive}.proof.json").unlink(missing_ok=True)

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def drill(self, *args, check=0, archive=None, **options):
        return self.server.dbsafe("verify", archive or self.archive, "--drill", "--drill-dir", self.folder, *args, check=check,
                                  **options)

    def start(self, *args, fault=None):
        return self.server.dbsafe_start("verify", self.archive, "--drill", "--drill-dir", self.folder, *args,
                                        env={"DBSAFE_FAULT": fault})

    def proof(self):
        return next(a["proof"] for a in self.server.dbsafe("list", "--json").json["archives"] if a["name"] == self.archive.name)

    def is_clean(self):
        return not list(self.folder.iterdir()) and not processes_in(self.folder)

    def assert_clean(self):
        self.assertEqual(list(self.folder.iterdir()), [])
        self.assertEqual(processes_in(self.folder), [])

    def server_pid(self):
        """The throw-away server, once it runs."""
        return wait_until(lambda: [p for f in self.folder.glob("dbsafe-drill-*/run/pid") for p in processes_in(self.folder)
                                   if f.read_text().strip() == str(p)], what="the drill's server")[0]


class Drill(DrillCase):
    def test_it_passes_and_is_attested(self):
        before = time.time()
        result = self.drill("--json").json
        self.assertIs(result["ok"], True)
        drill = result["drill"]
        self.assertLessEqual(KEYS, drill.keys())
        self.assertIs(drill["passed"], True)
        self.assertEqual((drill["tables"], drill["rows"], drill["problems"]), (self.tables, self.rows, []))
        self.assertEqual(drill["attestation"], str(self.attestation))
        self.assertEqual([s["name"] for s in drill["steps"] if s["level"] == 0],
                         ["starting a server", "restoring", "comparing", "removing the server"])
        self.assertLessEqual({"loading", "adding keys", "verifying", "swapping"}, {s["name"] for s in drill["steps"]})
        self.assertAlmostEqual(sum(s["seconds"] for s in drill["steps"] if s["level"] == 0), drill["seconds"], delta=0.1)
        self.assertRegex(self.proof(), "^restored 20")
        self.assert_clean()

        attested = json.loads(self.attestation.read_text())
        self.assertEqual(attested.keys(), ATTESTED)
        self.assertIs(attested["passed"], True)
        self.assertIsNone(attested["error"])
        self.assertEqual(attested["archive"], self.archive.name)
        self.assertEqual(attested["bytes"], self.archive.stat().st_size)
        self.assertIn("MariaDB", attested["server_version"])
        self.assertRegex(attested["manifest_sha256"], "^[0-9a-f]{64}$")
        started = time.mktime(time.strptime(attested["started"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        self.assertLess(abs(started - before), 60)
        manifest = self.server.dbsafe("show", self.archive, "--json").json
        self.assertEqual([(t["schema"], t["name"], t["rows"], t["checksum"]) for t in attested["tables"]],
                         [(t["schema"], t["name"], t["rows"], t["checksum"]) for t in manifest["tables"]])
        self.assertEqual(self.attestation.stat().st_mode & 0o777, 0o600)

    def test_without_a_drill_there_is_none(self):
        result = self.server.dbsafe("verify", self.archive, "--json").json
        self.assertIsNone(result["drill"])
        self.assertFalse(self.attestation.exists())
        self.assertRegex(self.proof(), "^bytes 20")

    def test_text_result(self):
        result = self.drill()
        self.assertIn("restored in a drill with", result.err)
        self.assertIn(str(self.attestation), result.err)
        self.assertEqual(result.out, "")

    def test_every_type_and_a_strange_server(self):
        """What was dumped under other settings comes back: the drill's server takes them over."""
        s = self.own_server(extra=["--character-set-server=latin1", "--collation-server=latin1_general_cs",
                                   "--sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES", "--innodb-strict-mode=0"])
        s.load("types.sql")
        archive = s.dbsafe("dump", "--all-databases", "--json").json
        result = self.drill("--json", archive=archive["archive"]).json["drill"]
        self.assertEqual((result["tables"], result["rows"], result["passed"]), (archive["tables"], archive["rows"], True))
        self.assert_clean()

    def test_an_empty_archive(self):
        s = self.server
        s.sql("CREATE DATABASE IF NOT EXISTS nothing_here")
        archive = s.dbsafe("dump", "nothing_here", "-o", s.folder / "empty.dbsafe.tar", "--json").json["archive"]
        self.assertEqual(self.drill("--json", archive=archive).json["drill"]["rows"], 0)

    def test_a_file_with_another_name_has_no_attestation(self):
        copy = self.server.folder / "copy.tar"
        shutil.copy(self.archive, copy)
        result = self.drill("--json", archive=copy)
        self.assertIsNone(result.json["drill"]["attestation"])
        self.assertIn("no attestation is kept", result.err)
        self.assertEqual(list(copy.parent.glob("copy.tar.*")), [])

    def test_several_at_once(self):
        running = [self.start("--json") for _ in range(3)]
        for r in running:
            self.assertIs(process.expect(process.inspect(r.finish(), []), 0).json["drill"]["passed"], True)
        self.assert_clean()

    def test_the_folder_is_private_and_holds_no_password(self):
        running = self.start(fault="stop:drill_started")
        wait_until(running.stopped, what="the stop")
        place, = self.folder.glob("dbsafe-drill-*")
        self.assertEqual(place.stat().st_mode & 0o077, 0)
        self.assertEqual({p.name: p.stat().st_mode & 0o777 for p in place.iterdir() if p.is_dir()},
                         {"data": 0o700, "tmp": 0o700, "run": 0o700})
        self.assertFalse((place / "init.sql").exists())
        self.assertEqual((place / "client.cnf").read_bytes(), b"")
        arguments = Path(f"/proc/{self.server_pid()}/cmdline").read_bytes().decode().split("\0")
        self.assertIn("--skip-networking", arguments)
        self.assertNotIn("password", " ".join(arguments).lower())
        with self.assertRaises(pymysql.err.OperationalError):
            pymysql.connect(unix_socket=str(place / "run/s"), user="root", password="")
        environment = Path(f"/proc/{self.server_pid()}/environ").read_bytes()
        self.assertNotIn(b"DBSAFE", environment)
        running.signal(signal.SIGCONT)
        self.assertEqual(running.finish().rc, 0)
        self.assert_clean()

    def test_usage(self):
        s = self.server
        self.assertIn("--live", self.drill("--live", check=2).err)
        self.assertIn("--tables", self.drill("--tables", "chatbot_users", check=2).err)
        self.assertIn("standard input", s.dbsafe("verify", "-", "--drill", stdin=open(self.archive, "rb"), check=2).err)
        self.assertIn("/nowhere", self.drill("--mariadbd", "/nowhere", check=11).err)
        self.assertIn("/proc/1/nothing", s.dbsafe("verify", self.archive, "--drill", "--drill-dir", "/proc/1/nothing", check=5).err)
        deep = self.folder / ("x" * 90)
        deep.mkdir()
        self.assertIn("--drill-dir", s.dbsafe("verify", self.archive, "--drill", "--drill-dir", deep, check=2).err)
        self.assertEqual(list(deep.iterdir()), [])

    def test_a_setting_is_for_whole_archives(self):
        """What the configuration asks for contradicts nothing that is asked for here."""
        s = self.server
        wish = {"DBSAFE_DRILL": "yes"}
        s.dbsafe("verify", self.archive, "--live", env=wish)
        for result in (s.dbsafe("verify", self.archive, "--tables", "chatbot_users", "--json", env=wish),
                       s.dbsafe("verify", "-", "--json", stdin=open(self.archive, "rb"), env=wish)):
            self.assertIsNone(result.json["drill"])
        result = s.dbsafe("verify", self.archive, "--drill-dir", self.folder, "--json", env=wish)
        self.assertIs(result.json["drill"]["passed"], True)

    def test_no_server_program(self):
        """Found in PATH or the usual folders; a program that is none is told."""
        script = self.folder / "mariadbd"
        script.write_text("#!/bin/sh\necho 'ERROR: this is no server' >&2\nexit 7\n")
        script.chmod(0o755)
        result = self.drill("--mariadbd", script, check=11)
        self.assertIn("system_tables.sql", result.err)
        shutil.rmtree(self.folder / "share", ignore_errors=True)
        # The same with the SQL files where a relocated server has them.
        (self.folder / "bin").mkdir()
        script = script.rename(self.folder / "bin/mariadbd")
        (self.folder / "share").symlink_to("/usr/share")
        result = self.drill("--mariadbd", script, check=4)
        self.assertIn("ended with status 7", result.err)
        self.assertIn("this is no server", result.err)
        self.assertFalse(self.attestation.exists())

    def test_options_of_the_server(self):
        result = self.drill("--drill-option", "no-such-option=1", check=4)
        self.assertIn("no-such-option", result.err)
        self.assert_clean()
        self.drill("--drill-option", "innodb-page-size=32k", "--drill-option", "port=3306,skip-networking=0", "--drill-memory", "96M")

    def test_not_enough_room(self):
        result = self.drill(check=10, env={"DBSAFE_FAULT": "fail:drill_space"})
        self.assertIn("MiB are free", result.err)
        self.assert_clean()


class Verdicts(DrillCase):
    def test_damage_is_found_before_a_server_is_started(self):
        self.drill()
        data = self.archive.read_bytes()
        try:
            self.archive.write_bytes(data[:len(data) // 2] + b"\x00\x01" + data[len(data) // 2 + 2:])
            result = self.drill("--json", check=8)
            self.assertIs(result.json["ok"], False)
            self.assertIsNone(result.json["drill"])
            self.assertEqual(self.proof(), "none")
        finally:
            self.archive.write_bytes(data)

    def drill_meddled_with(self, statement, *args):
        """Someone changes something in the throw-away server before the last comparison."""
        sql = self.server.folder / "account.sql"
        sql.write_text("CREATE USER tester@localhost IDENTIFIED BY 'drill-tester-pw';\nGRANT ALL ON *.* TO tester@localhost;\n")
        running = self.start("--json", "--drill-option", f"init-file={sql}", *args, fault="stop:drill_restored")
        wait_until(running.stopped, what="the stop")
        socket, = self.folder.glob("dbsafe-drill-*/run/s")
        connection = pymysql.connect(unix_socket=str(socket), user="tester", password="drill-tester-pw", autocommit=True)
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()
        running.signal(signal.SIGCONT)
        return running.finish()

    def test_a_definition_in_other_words(self):
        """That is a failure, unless the drill's server is of another series than the archive's."""
        change = "ALTER TABLE glpi_select.chatbot_users COMMENT='other words'"
        result = process.expect(self.drill_meddled_with(change), 7)
        self.assertEqual([p["where"] for p in result.json["drill"]["problems"]], ["glpi_select.chatbot_users"])
        older = ("--drill-option", "version=10.6.18-MariaDB")
        result = process.expect(self.drill_meddled_with(change, *older), 0)
        self.assertIs(result.json["drill"]["passed"], True)
        self.assertEqual(result.json["drill"]["server_version"], "10.6.18-MariaDB")
        self.assertIn("is older (10.6)", result.err)
        self.assertIn("other words", result.err)
        self.assertEqual([p["where"] for p in json.loads(self.attestation.read_text())["problems"]], ["glpi_select.chatbot_users"])
        # Rows are another matter.
        process.expect(self.drill_meddled_with("DELETE FROM glpi_select.chatbot_messages LIMIT 1", *older), 7)

    def test_rows_that_are_not_the_dumped_ones(self):
        self.drill()
        result = process.expect(
            self.drill_meddled_with("UPDATE glpi_select.chatbot_users SET login=CONCAT(login,'x') ORDER BY id LIMIT 1"), 7)
        self.assertIs(result.json["drill"]["passed"], False)
        self.assertEqual([p["where"] for p in result.json["drill"]["problems"]], ["glpi_select.chatbot_users"])
        attested = json.loads(self.attestation.read_text())
        self.assertIs(attested["passed"], False)
        self.assertIn("restore drill", attested["error"])
        self.assertEqual([p["where"] for p in attested["problems"]], ["glpi_select.chatbot_users"])
        self.assertEqual(self.proof(), "none")
        self.assert_clean()
        self.drill()
        self.assertIs(json.loads(self.attestation.read_text())["passed"], True)
        self.assertRegex(self.proof(), "^restored 20")


class Ends(DrillCase):
    def test_signals_leave_nothing(self):
        cases = [(s, point) for s in ((signal.SIGINT, 130), (signal.SIGTERM, 143)) for point in POINTS]
        for (number, rc), point in sample(cases, 3, "drill signals"):
            with self.subTest(signal=number, point=point):
                running = self.start(fault=f"stop:{point}")
                wait_until(running.stopped, what="the stop")
                running.signal(number)
                running.signal(signal.SIGCONT)
                # At the last point there is nothing left to cancel: it may end either way.
                last = point == POINTS[-1]
                result = process.expect(process.inspect(running.finish(timeout=30), []), (rc, 0) if last else rc)
                self.assertNotIn("--resume", result.err)
                self.assert_clean()
                self.assertEqual(self.attestation.exists(), result.rc == 0)
                self.attestation.unlink(missing_ok=True)

    def test_a_terminal_interrupts_the_whole_group(self):
        running = self.start()
        self.server_pid()
        os.killpg(running.pid, signal.SIGINT)
        process.expect(running.finish(timeout=30), 130)
        self.assert_clean()

    def test_kill_leaves_nothing(self):
        for point in sample(POINTS, 2, "drill kills"):
            with self.subTest(point=point):
                process.expect(self.start(fault=f"kill:{point}").finish(), -9)
                wait_until(self.is_clean, what="the keeper's cleaning up")
                self.assertFalse(self.attestation.exists())
        self.drill()

    def test_failures_leave_nothing(self):
        for point in sample(POINTS, 2, "drill failures"):
            with self.subTest(point=point):
                result = self.drill(check=(4, 5), env={"DBSAFE_FAULT": f"fail:{point}"})
                self.assertIn("fault injected", result.err)
                self.assert_clean()
                self.assertFalse(self.attestation.exists())

    def test_an_attestation_that_cannot_be_written_is_told(self):
        result = self.drill("--json", env={"DBSAFE_FAULT": "fail:drill_attest:1:ENOSPC"})
        self.assertIn("not recorded", result.err)
        self.assertIsNone(result.json["drill"]["attestation"])

    def test_the_server_dies(self):
        for point in sample(("drill_started", "restore_journalled", "restore_loaded", "drill_restored"), 2, "dying servers"):
            with self.subTest(point=point):
                running = self.start(fault=f"stop:{point}")
                wait_until(running.stopped, what="the stop")
                os.kill(self.server_pid(), signal.SIGKILL)
                running.signal(signal.SIGCONT)
                result = process.expect(process.inspect(running.finish(), []), 4)
                self.assertIn("the drill's server was ended by signal 9", result.err)
                self.assertFalse(self.attestation.exists())
                self.assert_clean()

    def test_the_keeper_dies(self):
        """Its server goes with it, dbsafe fails, and the next drill removes the folder."""
        running = self.start(fault="stop:drill_restored")
        wait_until(running.stopped, what="the stop")
        pid = self.server_pid()
        keeper = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        self.assertEqual(Path(f"/proc/{keeper}/comm").read_text(), "dbsafe-keeper\n")
        os.kill(keeper, signal.SIGKILL)
        wait_until(lambda: not processes_in(self.folder), what="the server's end")
        running.signal(signal.SIGCONT)
        result = running.finish()
        self.assertIn(result.rc, (1, 4))
        self.assertIn("remove it", result.err)
        self.assertEqual(len(list(self.folder.iterdir())), 1)
        self.drill()
        self.assert_clean()

    def test_a_server_that_never_answers_can_be_interrupted(self):
        (self.folder / "bin").mkdir()
        (self.folder / "share").symlink_to("/usr/share")
        script = self.folder / "bin/mariadbd"
        script.write_text("#!/bin/sh\nexec sleep 1000\n")
        script.chmod(0o755)
        running = self.start("--mariadbd", script)
        wait_until(lambda: list(self.folder.glob("dbsafe-drill-*/init.log")), what="the program's start")
        running.interrupt()
        process.expect(running.finish(timeout=30), 130)
        self.assertEqual(list(self.folder.glob("dbsafe-drill-*")), [])


@unittest.skipUnless(os.getuid() == 0, "only root can become another user")
class OtherUsers(DrillCase):
    def test_without_any_right(self):
        """A user without a home, who owns nothing but a copy of the archive."""
        import tempfile
        with tempfile.TemporaryDirectory(prefix="dbsafe-nobody-", dir="/tmp") as folder:
            os.chmod(folder, 0o755)
            place = Path(folder) / "own"
            place.mkdir()
            binary = Path(folder) / "dbsafe"
            shutil.copy(process.dbsafe_path(), binary)
            binary.chmod(0o755)
            copy = place / self.archive.name
            shutil.copy(self.archive, copy)
            for p in (place, copy):
                os.chown(p, 65534, 65534)
            argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary, "verify", copy, "--drill",
                    "--drill-dir", place, "--json"]
            env = process.client_env("/nonexistent")
            result = process.expect(process.inspect(process.run(argv, env=env), []), 0)
            self.assertIs(result.json["drill"]["passed"], True)
            self.assertEqual(sorted(p.name for p in place.iterdir()),
                             [copy.name, f"{copy.name}.drill.json", f"{copy.name}.proof.json"])


del DrillCase
