"""Recovery points: what they bind, that they can be made again after any interruption, and what is refused."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lib import TestCase, process, sample, wait_until
from lib.archive import Archive

KEYS = {"dbsafe_point", "name", "state", "created", "completed", "protected_until", "expires", "keep", "operator", "owner",
        "tool_version", "target", "server_version", "server_identity", "names", "excludes", "before", "after", "archive", "drill", "snapshot", "git",
        "estimate", "obstacles"}
# Every step of a creation, in its order.  The first three commits are of the record, the fourth is the archive's.
POINTS = ["point_claimed", "point_before", "point_archive_named", "dump_snapshot_taken", "sink_commit:4", "point_dumped", "point_archived",
          "point_verified", "drill_started", "drill_compared", "point_drilled", "estimate_created", "estimate_loaded", "point_estimated",
          "point_completed"]


def seconds_of(text):
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone


class PointCase(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server(binlog=True)
        s.load_chatbot(messages=2000)

    def setUp(self):
        self.points = self.server.store / "points"
        shutil.rmtree(self.server.store, ignore_errors=True)
        self.drills = self.server.folder / "d"
        self.drills.mkdir(exist_ok=True)

    def point(self, *args, check=0, **options):
        return self.server.dbsafe("point", *args, check=check, **options)

    def create(self, name="p1", *args, what=("glpi_select",), check=0, fault=None, **options):
        return self.point("create", name, *what, "--drill-dir", self.drills, *args, check=check,
                          env={"DBSAFE_FAULT": fault} if fault else None, **options)

    def record(self, name="p1"):
        return json.loads((self.points / f"{name}.json").read_text())

    def change(self, name="p1", **values):
        """Time passed, or something else that a test cannot wait for: the record is written anew."""
        path = self.points / f"{name}.json"
        record = json.loads(path.read_text())
        record.update(values)
        path.write_text(json.dumps(record))

    def ours(self):
        return [n for n, in self.server.sql("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'dbsafe\\\\_%'")]

    def assert_nothing_else(self):
        """No sample on the server, no drill on the machine, no temporary file in the stores."""
        self.assertEqual(self.ours(), [])
        wait_until(lambda: not list(self.drills.iterdir()), what="the drill's end")
        for folder in (self.server.store, self.points):
            self.assertEqual([p.name for p in folder.glob(".*.tmp")] if folder.exists() else [], [])


class Create(PointCase):
    def test_what_a_point_binds(self):
        s = self.server
        answer = self.create("before-v12.3", "--json").json
        point = answer["point"]
        self.assertEqual(point.keys(), KEYS)
        self.assertEqual((answer["existed"], answer["resumed"], answer["dry_run"]), (False, False, False))
        self.assertEqual(point["state"], "complete")
        self.assertEqual(point["names"], ["glpi_select"])
        self.assertIsNone(point["snapshot"])
        self.assertIsNone(point["owner"])
        self.assertIn("@", point["operator"])
        self.assertEqual(json.loads((self.points / "before-v12.3.json").read_text()), point)
        self.assertEqual((self.points / "before-v12.3.json").stat().st_mode & 0o777, 0o600)

        archive = Path(answer["archive"])
        manifest = Archive(archive).manifest
        kept = point["archive"]
        self.assertEqual(archive.name, kept["name"])
        self.assertEqual((kept["tables"], kept["rows"], kept["bytes"], kept["run_id"]),
                         (4, manifest["rows"], archive.stat().st_size, manifest["run_id"]))
        self.assertIsNotNone(kept["verified"])
        attested = json.loads(Path(f"{archive}.drill.json").read_text())
        self.assertEqual(kept["manifest_sha256"], attested["manifest_sha256"])
        self.assertIs(attested["passed"], True)
        self.assertIsNotNone(point["drill"]["passed"])
        self.assertIsNone(point["drill"]["skipped"])
        listed = s.dbsafe("list", "--json").json["archives"]
        self.assertEqual([a["name"] for a in listed], [archive.name])
        self.assertRegex(listed[0]["proof"], "^restored 20")
        self.assertEqual(listed[0]["label"], "before-v12")

        # before <= archive <= after, in time and in the binlog
        positions = [point["before"], kept["coordinates"], point["after"]]
        self.assertEqual(sorted(p["at"] for p in positions), [p["at"] for p in positions])
        self.assertEqual(sorted((p["binlog_file"], p["binlog_position"]) for p in positions),
                         [(p["binlog_file"], p["binlog_position"]) for p in positions])
        self.assertRegex(point["before"]["gtid"], r"^0-1-\d+$")

        self.assertAlmostEqual(seconds_of(point["protected_until"]) - seconds_of(point["created"]), 48 * 3600, delta=2)
        self.assertAlmostEqual(seconds_of(point["expires"]) - seconds_of(point["completed"]), 7 * 86400, delta=2)
        self.assertGreater(point["estimate"]["seconds"], 0)
        self.assertGreater(point["estimate"]["at_most"], point["estimate"]["seconds"])
        self.assertEqual(point["estimate"]["rto"], 1800)
        names = [x["name"] for x in answer["steps"] if x["level"] == 0]
        self.assertEqual(names, ["preparing", "archiving the tables", "verifying every byte", "restore drill", "looking at the way back",
                                 "timing a restore"])
        self.assertEqual(point["obstacles"], [])
        self.assert_nothing_else()

    def test_its_text(self):
        result = self.create()
        self.assertIn("OK: the point 'p1' is complete", result.err)
        self.assertIn("archive alone", result.err)
        self.assertRegex(result.out, "drill +passed 20")
        self.assertEqual(self.point("show", "p1").out, result.out)

    def test_the_same_again_is_fine_and_another_is_not(self):
        first = self.create("p1", "--no-drill", "--json").json
        files = self.server.archives()
        again = self.create("p1", "--no-drill", "--json").json
        self.assertIs(again["existed"], True)
        self.assertEqual(again["point"], first["point"])
        self.assertEqual(self.server.archives(), files)
        for what, more in ((("glpi_select.chatbot_users",), ()), (("glpi_select",), ("--exclude", "chatbot_users")),
                           (("glpi_select", "mysql.x"), ())):
            self.create("p1", "--no-drill", *more, what=what, check=(10, 11))
        self.assertEqual(self.record(), first["point"])
        # It is only as good as its archive.
        Path(first["archive"]).unlink()
        self.assertIn("its archive", self.create("p1", "--no-drill", check=11).err)

    def test_keep_now_or_later(self):
        self.create("p1", "--no-drill", "--keep")
        self.assertEqual((self.record()["keep"], self.record()["expires"]), (True, None))
        self.create("p2", "--no-drill", "--expires", "30")
        record = self.record("p2")
        self.assertAlmostEqual(seconds_of(record["expires"]) - seconds_of(record["completed"]), 30 * 86400, delta=2)
        self.create("p2", "--no-drill", "--keep")
        self.assertEqual((self.record("p2")["keep"], self.record("p2")["expires"]), (True, None))
        self.create("p2", "--no-drill")
        self.assertIs(self.record("p2")["keep"], True)

    def test_dry_run_changes_nothing(self):
        result = self.create("p1", "--dry-run")
        self.assertEqual(len(result.out.splitlines()), 4)
        self.assertIn("of the archive alone", result.err)
        self.assertFalse(self.server.store.exists())
        self.assertIs(self.create("p1", "--dry-run", "--json").json["dry_run"], True)
        self.create("p1", "--no-drill")
        self.create("p1", "--dry-run", what=("glpi_select.chatbot_users",), check=10)

    def test_usage(self):
        for name in ("", ".x", "-x", "a/b", "ä", "x" * 81, "a b"):
            self.create(name, check=2)
        self.point("create", "p1", check=2)
        self.point("nonsense", check=2)
        self.point(check=2)
        self.point("show", check=2)
        self.point("list", "p1", check=2)
        self.point("show", "nothing", check=11)
        self.point("delete", "nothing", "--yes", check=11)
        self.create("p1", what=("nosuchdb",), check=11)
        self.create("p1", "--label", "latest", check=2)
        self.create("p1", "--instance", "db1", "--region", "eu-west-1", check=3)  # without keys; with: test_point_rds.py
        self.assertIn("/nowhere", self.create("p1", "--mariadbd", "/nowhere", check=11).err)
        self.assertIn("working tree", self.create("p1", "--no-drill", "--git", "/", check=11).err)
        self.assertEqual(list(self.points.glob("*.json")), [])
        self.assertEqual([a for a in self.server.archives() if a != "points"], [])

    def test_git(self):
        tree = self.server.folder / "tree"
        git = ["git", "-C", str(tree), "-c", "user.name=t", "-c", "user.email=t@example.com"]
        tree.mkdir()
        for args in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "x"], ["tag", "v1"]):
            subprocess.run(git + args, check=True)
        commit = subprocess.run(git + ["rev-parse", "HEAD"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        point = self.create("p1", "--no-drill", "--git", tree, "--json").json["point"]
        self.assertEqual(point["git"], {"commit": commit, "branch": "main", "tags": ["v1"]})

    def test_without_the_grant_for_a_sample_there_is_no_estimate(self):
        s = self.server
        account = s.account("SELECT, SHOW VIEW, TRIGGER, LOCK TABLES ON glpi_select.*")
        result = self.create("p1", "--no-drill", "--json", defaults_file=account)
        estimate = result.json["point"]["estimate"]
        self.assertIsNone(estimate["seconds"])
        self.assertIn("denied", estimate["unknown"])
        self.assertIn("could not be estimated", result.err)
        obstacles = result.json["point"]["obstacles"]
        self.assertTrue(any("dbsafe" in o and "GRANT" in o for o in obstacles), obstacles)
        self.assertIn("a rollback by this account would be refused now", result.err)
        self.assertEqual(result.json["point"]["state"], "complete")
        result = self.create("p2", "--no-drill", "--require-rto", defaults_file=account, check=10)
        self.assertEqual(self.record("p2")["state"], "creating")
        self.assertIn("point delete p2", result.err)

    def test_over_the_rto(self):
        """A restore that would take an hour longer than the sample says; an estimate holds for its archive."""
        self.assertNotIn("longer than the RTO", self.create("p0", "--no-drill", "--require-rto", "--rto", "1").err)
        result = self.create("p1", "--no-drill", "--require-rto", fault="fail:estimate_slow", check=10)
        self.assertIn("longer than the RTO of 30 minutes", result.err)
        self.assertNotIn("OK:", result.err)
        self.assertEqual(self.record()["state"], "creating")
        self.assertIn("the RTO of 59 minutes", self.create("p1", "--no-drill", "--require-rto", "--rto", "59", check=10).err)
        result = self.create("p1", "--no-drill")
        self.assertIn("longer than the RTO", result.err)
        self.assertEqual(self.record()["state"], "complete")
        self.assertGreater(self.record()["estimate"]["at_most"], 3600)

    def test_a_drill_that_cannot_be_made_fails_the_point(self):
        result = self.create("p1", check=10, fault="fail:drill_space")
        self.assertIn("--no-drill", result.err)
        self.assertEqual(self.record()["state"], "creating")
        self.assertIs(self.create("p1", "--no-drill", "--json").json["resumed"], True)
        self.assertIn("declined", self.record()["drill"]["skipped"])

    def test_an_archive_that_is_damaged_meanwhile(self):
        """Before its bytes are verified, and between that and the drill."""
        for name, at, args in (("p1", "point_archived", ("--no-drill",)), ("p2", "point_verified", ())):
            with self.subTest(at=at):
                running = self.server.dbsafe_start("point", "create", name, "glpi_select", "--drill-dir", self.drills, *args,
                                                   env={"DBSAFE_FAULT": f"stop:{at}"})
                wait_until(running.stopped, what="the stop")
                archive = self.server.store / self.record(name)["archive"]["name"]
                data = bytearray(archive.read_bytes())
                data[len(data) // 2] ^= 1
                archive.write_bytes(data)
                running.signal(signal.SIGCONT)
                result = process.expect(running.finish(), 8)
                self.assertNotIn("OK:", result.err)
                self.assertEqual(self.record(name)["state"], "creating")
                proofs = {a["name"]: a["proof"] for a in self.server.dbsafe("list", "--json").json["archives"]}
                self.assertEqual(proofs[archive.name], "none")
                self.assertIn("not complete", self.server.dbsafe("rollback", "--point", name, "--yes", check=10).err)

    def test_without_a_server_program_here(self):
        """There is no drill, unless one was asked for."""
        self.assertIn("mariadbd", self.create("p1", "--drill", fault="fail:drill_no_server", check=11).err)
        self.assertFalse((self.points / "p1.json").exists())
        result = self.create("p1", "--json", fault="fail:drill_no_server")
        self.assertEqual(result.json["point"]["drill"]["skipped"], "there is no mariadbd on this machine")
        self.assertEqual(result.json["point"]["state"], "complete")
        self.assertIn("the archive was not restored in a drill: there is no mariadbd on this machine", result.err)

    def test_writers_meanwhile(self):
        """The point is of one moment, whatever comes in between."""
        s = self.server
        s.sql("CREATE TABLE IF NOT EXISTS glpi_select.ticks (id INT AUTO_INCREMENT PRIMARY KEY, t DATETIME(6) DEFAULT NOW(6))")
        try:
            running = s.dbsafe_start("point", "create", "p1", "glpi_select", "--no-drill", env={"DBSAFE_FAULT": "stop:point_dumped"})
            wait_until(running.stopped, what="the stop")
            s.sql("INSERT INTO glpi_select.ticks () VALUES (),(),()")
            running.signal(signal.SIGCONT)
            process.expect(running.finish(), 0)
            s.dbsafe("verify", "p1", "--live", check=7)
        finally:
            s.sql("DROP TABLE glpi_select.ticks")


class Interrupted(PointCase):
    def rerun(self, reached):
        """The same command again completes the point; what the first one had finished is used."""
        before = self.record() if (self.points / "p1.json").exists() else None
        result = self.create("p1", "--json").json
        self.assertEqual(result["point"]["state"], "complete")
        self.assertIsNotNone(result["point"]["drill"]["passed"])
        self.assertIs(result["existed"], reached == "point_completed")
        if before and before["archive"] and before["archive"]["done"]:
            self.assertEqual(result["point"]["archive"]["name"], before["archive"]["name"])
            self.assertEqual(result["point"]["created"], before["created"])
        self.server.dbsafe("verify", result["archive"])
        archives = [a for a in self.server.archives() if a.endswith(".tar")]
        self.assertEqual(archives, [result["point"]["archive"]["name"]])
        self.assert_nothing_else()

    def test_kill(self):
        for at in sample(POINTS, 3, "point kills"):
            with self.subTest(at=at):
                self.setUp()
                self.create("p1", check=-9, fault=f"kill:{at}")
                wait_until(lambda: not list(self.drills.iterdir()), what="the drill's end")
                self.assertTrue((self.points / "p1.json").exists())
                self.rerun(at)

    def test_kill_before_the_record_leaves_nothing(self):
        self.create("p1", check=-9, fault="kill:point_put:1")
        self.assertFalse((self.points / "p1.json").exists())
        self.rerun("")

    def test_failures(self):
        for at in sample(POINTS, 2, "point failures"):
            with self.subTest(at=at):
                self.setUp()
                result = self.create("p1", check=(4, 5), fault=f"fail:{at}")
                self.assertRegex(result.err, "fault injected|Input/output error")
                archives = [a for a in self.server.archives() if a.endswith(".tar")]
                # A record stays exactly where there is something to go on with.
                self.assertEqual((self.points / "p1.json").exists(), bool(archives))
                self.assertEqual("the same command goes on" in result.err, bool(archives))
                self.rerun(at)

    def test_records_that_cannot_be_written(self):
        for n in sample(range(1, 9), 2, "records"):
            with self.subTest(n=n):
                self.setUp()
                self.create("p1", check=5, fault=f"fail:point_put:{n}:ENOSPC")
                self.rerun("point_completed" if n == 9 else "")

    def test_signals(self):
        for at in sample(POINTS[:-1], 2, "point signals"):
            with self.subTest(at=at):
                self.setUp()
                running = self.server.dbsafe_start("point", "create", "p1", "glpi_select", "--drill-dir", self.drills,
                                                   env={"DBSAFE_FAULT": f"stop:{at}"})
                wait_until(running.stopped, what="the stop")
                running.interrupt()
                running.signal(signal.SIGCONT)
                process.expect(process.inspect(running.finish(timeout=60), []), 130)
                self.assert_nothing_else()
                self.rerun(at)

    def test_a_living_run_is_not_disturbed(self):
        running = self.server.dbsafe_start("point", "create", "p1", "glpi_select", "--no-drill",
                                           env={"DBSAFE_FAULT": "stop:point_archived"})
        wait_until(running.stopped, what="the stop")
        self.create("p1", "--no-drill", check=12)
        self.point("delete", "p1", "--yes", check=12)
        self.create("p2", "--no-drill")
        running.signal(signal.SIGCONT)
        process.expect(running.finish(), 0)
        self.assertEqual(self.record()["state"], "complete")

    def test_an_archive_of_long_ago_is_no_point_before_what_comes_now(self):
        self.create("p1", "--no-drill", check=-9, fault="kill:point_verified")
        old = self.record()["archive"]["name"]
        self.assertEqual(self.create("p1", "--no-drill", "--json", fault="fail:point_stale").json["point"]["state"], "complete")
        self.assertNotEqual(self.record()["archive"]["name"], old)
        self.assertIn(old, self.server.archives())  # an archive like others: nothing that was good is removed

    def flip(self, archive):
        """A byte in the middle of the data."""
        path = self.server.store / archive
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    def proof(self, archive):
        return next(a["proof"] for a in self.server.dbsafe("list", "--json").json["archives"] if a["name"] == archive)

    def test_an_archive_that_was_found_damaged_is_not_used_again(self):
        for at, words in (("point_verified", "drill"), ("point_archived", "verify")):
            with self.subTest(found_by=words):
                self.setUp()
                self.create("p1", "--no-drill", check=-9, fault=f"kill:{at}")
                first = self.record()["archive"]["name"]
                self.flip(first)
                self.assertIn("takes another archive", self.create("p1", check=8).err)
                kept = self.record()["archive"]
                self.assertEqual((kept["name"], kept["unusable"], kept["verified"]), (first, True, None))
                again = self.create("p1", "--no-drill", "--json")
                self.assertIn("another is taken", again.err)
                kept = again.json["point"]["archive"]
                self.assertNotEqual(kept["name"], first)
                self.assertIs(kept["unusable"], False)
                self.server.dbsafe("verify", kept["name"])
                self.assertEqual(self.proof(first), "none")

    def test_a_proof_that_was_taken_back_is_not_given_again(self):
        self.create("p1", "--no-drill")
        archive = self.record()["archive"]["name"]
        self.assertRegex(self.proof(archive), "^bytes")
        self.flip(archive)
        self.server.dbsafe("verify", archive, check=8)
        self.assertEqual(self.proof(archive), "none")
        self.create("p1", "--no-drill")
        self.assertEqual(self.proof(archive), "none")

    def test_a_run_on_another_host(self):
        self.create("p1", "--no-drill", check=-9, fault="kill:point_archived")
        self.change(owner="elsewhere 11111111-2222-3333-4444-555555555555 4711 99")
        self.assertIn("--resume", self.create("p1", "--no-drill", check=12).err)
        self.assertIn("--force", self.point("delete", "p1", "--yes", check=12).err)
        self.assertIs(self.create("p1", "--no-drill", "--resume", "--json").json["resumed"], True)

    def test_an_unfinished_point_of_other_tables(self):
        self.create("p1", "--no-drill", check=-9, fault="kill:point_archived")
        self.assertIn("point delete", self.create("p1", "--no-drill", what=("glpi_select.chatbot_users",), check=10).err)
        self.point("delete", "p1", "--yes")
        self.create("p1", "--no-drill", what=("glpi_select.chatbot_users",))


class OtherServer(PointCase):
    """A store that several servers share: the points of one are none of another."""

    def setUp(self):
        super().setUp()
        self.other = self.own_server()
        self.other.load_chatbot(messages=10)

    def elsewhere(self, *args, check=0):
        return self.other.dbsafe("point", "create", "p1", "glpi_select", "--no-drill", "--store", self.server.store, *args, check=check)

    def test_an_unfinished_point(self):
        self.create("p1", "--no-drill", check=-9, fault="kill:point_archived")
        before = self.record()
        for more in ((), ("--dry-run",)):
            self.assertIn("of another server", self.elsewhere(*more, check=10).err)
        self.assertEqual(self.record(), before)
        self.assertIs(self.create("p1", "--no-drill", "--json").json["resumed"], True)

    def test_a_complete_point(self):
        self.create("p1", "--no-drill")
        before = self.record()
        self.assertIn("of another server", self.elsewhere(check=10).err)
        self.assertEqual(self.record(), before)
        # The server after a restart is the same one; a record of an older dbsafe does not say.
        self.server.restart()
        self.assertIs(self.create("p1", "--no-drill", "--json").json["existed"], True)
        self.change("p1", server_identity=None)
        self.assertIn("is there already", self.elsewhere().err)

    def test_an_expired_point(self):
        self.create("p1", "--no-drill")
        self.change("p1", created="2020-01-01T00:00:00Z", expires="2020-01-08T00:00:00Z")
        for more in ((), ("--dry-run",)):
            self.assertIn("has expired", self.create("p1", "--no-drill", *more, check=10).err)
        self.create("p1", "--no-drill", "--keep")
        self.assertIs(self.record("p1")["keep"], True)


class Estimate(PointCase):
    def test_a_part_is_loaded_and_scaled(self):
        s = self.server
        result = self.create("p1", "--no-drill", "--json", "--chunk-size", "16K", fault="fail:estimate_small")
        part = result.json["point"]["estimate"]
        self.assertAlmostEqual(part["at_most"], 2 * part["seconds"], delta=0.01)
        whole = self.create("p2", "--no-drill", "--json").json["point"]["estimate"]
        self.assertAlmostEqual(whole["at_most"], 1.5 * whole["seconds"], delta=0.01)
        # It may be wrong, but not by an order of magnitude.
        self.assertLess(part["seconds"], 10 * whole["seconds"])
        self.assertLess(whole["seconds"], 10 * part["seconds"])
        self.assert_nothing_else()

    def test_every_type_key_and_name(self):
        s = self.own_server()
        s.load("types.sql")
        s.load("CREATE DATABASE fk;\nUSE fk;\nCREATE TABLE a (id INT PRIMARY KEY, t TEXT, FULLTEXT KEY t (t), FULLTEXT KEY tt (t));\n"
               "CREATE TABLE b (id INT AUTO_INCREMENT, a INT, KEY (id), FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE);\n"
               "CREATE TABLE c (u INT NOT NULL, UNIQUE KEY u (u)) PARTITION BY HASH (u) PARTITIONS 3;\n"
               "INSERT INTO a SELECT seq, MD5(seq) FROM seq_1_to_500;\nINSERT INTO b (a) SELECT seq FROM seq_1_to_500;\n"
               "INSERT INTO c SELECT seq FROM seq_1_to_500;\n")
        names = [n for n, in s.sql("SHOW DATABASES") if n not in ("mysql", "sys", "information_schema", "performance_schema")]
        result = s.dbsafe("point", "create", "p1", "--no-drill", "--json", *names).json["point"]
        self.assertIsNone(result["estimate"]["unknown"])
        self.assertGreater(result["estimate"]["seconds"], 0)
        self.assertEqual([n for n, in s.sql("SHOW DATABASES LIKE 'dbsafe%%'")], [])

    def test_tables_that_write_elsewhere(self):
        """A copy of a MERGE table writes into the tables below it, as the table itself: it is neither sampled nor restored."""
        s = self.own_server()
        s.load("CREATE DATABASE other;\nCREATE DATABASE shop;\nUSE other;\nCREATE TABLE t1 (id INT NOT NULL, v INT, KEY (id)) ENGINE=MyISAM;\n"
               "INSERT INTO t1 VALUES (1, 1), (2, 2);\nUSE shop;\nCREATE TABLE a (id INT PRIMARY KEY);\nINSERT INTO a SELECT seq FROM seq_1_to_100;\n"
               "CREATE TABLE m (id INT NOT NULL, v INT, KEY (id)) ENGINE=MERGE UNION=(other.t1) INSERT_METHOD=LAST;\n")
        rows = s.sql("SELECT * FROM other.t1")
        result = s.dbsafe("point", "create", "p1", "shop", "--no-drill", "--json")
        self.assertEqual(s.sql("SELECT * FROM other.t1"), rows)
        self.assertIsNone(result.json["point"]["estimate"]["unknown"])
        self.assertIn("shop.m", " ".join(result.json["point"]["obstacles"]))
        archive = result.json["archive"]
        s.dbsafe("doctor", archive, "--estimate", check=(0, 10))
        self.assertEqual(s.sql("SELECT * FROM other.t1"), rows)
        for more in ((), ("--into", "else"), ("--tables", "shop.m"), ("--dry-run",)):
            refused = s.dbsafe("restore", archive, *more, check=10).err
            self.assertIn("shop.m is of the engine MRG_MyISAM", refused)
            self.assertIn("--tables", refused)
        self.assertEqual(s.sql("SELECT * FROM other.t1"), rows)
        s.dbsafe("restore", archive, "--tables", "shop.a")
        s.dbsafe("point", "create", "p2", "shop", "--exclude", "m", "--no-drill")
        self.assertEqual(json.loads((s.store / "points" / "p2.json").read_text())["obstacles"], [])

    def test_what_killed_runs_left_is_removed_but_not_a_living_one_s(self):
        s = self.server
        self.create("p1", "--no-drill", check=-9, fault="kill:estimate_loaded")
        left, = self.ours()
        self.assertRegex(left, "^dbsafe_estimate_[0-9a-f]{12}$")
        running = s.dbsafe_start("point", "create", "p2", "glpi_select", "--no-drill", env={"DBSAFE_FAULT": "stop:estimate_loaded"})
        wait_until(running.stopped, what="the stop")
        living = set(self.ours())
        self.assertEqual(len(living), 1)
        self.assertNotIn(left, living)
        self.create("p3", "--no-drill")
        self.assertEqual(set(self.ours()), living)
        running.signal(signal.SIGCONT)
        process.expect(running.finish(), 0)
        self.assertEqual(self.ours(), [])

    def test_a_sample_that_comes_back_differently_fails_the_point(self):
        s = self.server
        running = s.dbsafe_start("point", "create", "p1", "glpi_select", "--no-drill", env={"DBSAFE_FAULT": "stop:estimate_loaded"})
        wait_until(running.stopped, what="the stop")
        schema, = self.ours()
        table = s.value("SELECT table_name FROM information_schema.tables WHERE table_schema=%s ORDER BY data_length DESC LIMIT 1", (schema,))
        s.sql(f"DELETE FROM {schema}.{table} LIMIT 1")
        running.signal(signal.SIGCONT)
        result = process.expect(running.finish(), 7)
        self.assertIn("came back differently", result.err)
        self.assertEqual(self.ours(), [])
        self.assertEqual(self.record()["state"], "creating")


class ListAndDelete(PointCase):
    def test_list(self):
        self.assertEqual(self.point("list", check=11).out, "")  # the store was named and is not there
        self.create("p2", "--no-drill")
        self.create("p1", "--no-drill", "--keep")
        (self.points / "broken.json").write_text("{")
        (self.points / "p1~rollback-20260101T000000Z.json").write_text("{}")
        result = self.point("list", "--json")
        self.assertEqual(sorted(p["name"] for p in result.json["points"]), ["p1", "p2"])
        self.assertEqual(result.json["unreadable"], 1)
        self.assertTrue(all(p["protected"] and not p["expired"] for p in result.json["points"]))
        lines = self.point("list").out.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertEqual([line.split()[-1] == "never" for line in sorted(lines, key=lambda x: x.split()[1])], [False, True, False])
        self.assertEqual(len(self.server.dbsafe("list", "--json").json["archives"]), 2)
        self.point("show", "broken", check=8)

    def test_an_empty_store(self):
        self.server.store.mkdir()
        self.assertEqual(self.point("list", "--json").json["points"], [])
        self.assertIn("no recovery point", self.point("list").err)
        self.point("show", "p1", check=11)

    def test_what_is_refused(self):
        self.create("p1", "--no-drill")
        self.create("p2", "--no-drill")
        self.assertIn("protected until", self.point("delete", "p1", "--yes", check=10).err)
        self.change("p1", created="2020-01-01T00:00:00Z")
        self.assertIn("not confirmed", self.point("delete", "p1", check=10).err)
        self.assertEqual(self.point("delete", "p1", "--dry-run", "--json").json["dry_run"], True)
        self.assertEqual(self.record("p1")["state"], "complete")
        archive = self.record("p1")["archive"]["name"]
        result = self.point("delete", "p1", "--yes", "--json").json
        self.assertEqual((result["deleted"], result["archive"]), ("p1", archive))
        self.assertFalse(any(a.startswith(archive) for a in self.server.archives()))
        self.assertFalse((self.points / "p1.json").exists())
        self.change("p2", created="2020-01-01T00:00:00Z")
        self.assertIn("only complete recovery point", self.point("delete", "p2", "--yes", check=10).err)
        self.create("p3", "--no-drill")
        self.change("p2", keep=True)
        self.assertIn("--keep", self.point("delete", "p2", "--yes", check=10).err)
        self.point("delete", "p2", "--yes", "--force")
        self.point("delete", "p3", "--yes", "--force")
        self.assertEqual(self.point("list", "--json").json["points"], [])

    def test_kill_at_every_step_of_a_deletion(self):
        for at in ("point_deleting", "point_archive_removed", "point_companions_removed"):
            with self.subTest(at=at):
                self.setUp()
                self.create("p1", "--no-drill")
                self.point("delete", "p1", "--yes", "--force", check=-9, env={"DBSAFE_FAULT": f"kill:{at}"})
                self.assertEqual(self.record()["state"], "deleting")
                self.assertIn("being deleted", self.create("p1", "--no-drill", check=10).err)
                self.point("delete", "p1", "--yes")
                self.assertEqual(self.server.archives(), ["points"])
                self.assertEqual([p.name for p in self.points.iterdir() if not p.name.startswith(".")], [])

    def test_the_name_is_typed(self):
        import pty
        self.create("p1", "--no-drill")
        self.create("p2", "--no-drill")
        self.change("p1", created="2020-01-01T00:00:00Z")
        for typed, rc in ((b"y\n", 10), (b"p2\n", 10), (b"p1\n", 0)):
            pid, terminal = pty.fork()
            if pid == 0:
                os.execve(process.dbsafe_path(), ["dbsafe", "point", "delete", "p1"], self.server.dbsafe_env())
            text = b""
            while b"go on: " not in text:
                text += os.read(terminal, 1000)
            os.write(terminal, typed)
            status = os.waitpid(pid, 0)[1]
            os.close(terminal)
            self.assertEqual(os.waitstatus_to_exitcode(status), rc, typed)
            self.assertEqual((self.points / "p1.json").exists(), rc != 0)


class Prune(PointCase):
    def test_retention(self):
        """What a point goes back to stays, expired points go with their archives, and the newest complete point never does."""
        s = self.server
        for name in ("p1", "p2", "p3"):
            self.create(name, "--no-drill", "--label", "series", what=("glpi_select.chatbot_config",))
        s.dbsafe("dump", "glpi_select.chatbot_config", "--label", "series")
        archive = {name: self.record(name)["archive"]["name"] for name in ("p1", "p2", "p3")}
        result = s.dbsafe("prune", "--keep-last", "1", "--yes", "--json").json
        self.assertEqual((result["removed"], result["points"], result["kept"]), ([], [], 4))
        self.assertLessEqual(set(archive.values()), set(s.archives()))

        for name in ("p1", "p2"):
            self.change(name, created="2020-01-01T00:00:00Z", expires="2020-01-08T00:00:00Z")
        self.assertEqual([p["expired"] for p in self.point("list", "--json").json["points"]], [True, True, False])
        result = s.dbsafe("prune", "--dry-run", "--json").json
        self.assertEqual(sorted(result["points"]), ["p1", "p2"])
        self.assertTrue((self.points / "p1.json").exists())
        self.assertIn("2 points that have expired", s.dbsafe("prune", check=10).err)
        result = s.dbsafe("prune", "--yes", "--json").json
        self.assertEqual(sorted(result["points"]), ["p1", "p2"])
        self.assertEqual([p.name for p in self.points.glob("*.json")], ["p3.json"])
        for name in ("p1", "p2"):
            self.assertFalse(any(a.startswith(archive[name]) for a in s.archives()), name)

        self.change("p3", created="2020-01-01T00:00:00Z", expires="2020-01-08T00:00:00Z")
        self.assertEqual(s.dbsafe("prune", "--yes", "--json").json["points"], [])
        self.assertIn(archive["p3"], s.archives())
        (self.points / "p3.json").write_text("{")
        s.dbsafe("prune", "--keep-last", "1", "--yes", check=8)  # nobody knows what it goes back to
        self.assertIn(archive["p3"], s.archives())

    def test_no_label_loses_its_last_archive(self):
        """The archive of a point that expires does not count as one of those that are kept, and stays if it is the last."""
        s = self.server
        s.dbsafe("dump", "glpi_select.chatbot_config", "--label", "both")
        dumped = max(a for a in s.archives() if "-both-" in a)
        for name, label in (("p1", "both"), ("p2", "alone"), ("p3", "both"), ("p4", "last")):
            self.create(name, "--no-drill", "--label", label, what=("glpi_select.chatbot_config",))
        archive = {name: self.record(name)["archive"]["name"] for name in ("p1", "p2", "p3", "p4")}
        for name in ("p1", "p2", "p3"):
            self.change(name, created="2020-01-01T00:00:00Z", expires="2020-01-08T00:00:00Z")
        dry = s.dbsafe("prune", "--keep-last", "1", "--dry-run")
        self.assertIn(f"{archive['p2']} stays when its point goes", dry.err)
        self.assertEqual(dry.out, "")
        result = s.dbsafe("prune", "--keep-last", "1", "--yes", "--json").json
        self.assertEqual((result["removed"], sorted(result["points"])), ([], ["p1", "p2", "p3"]))
        kept = [a for a in s.archives() if a.endswith(".dbsafe.tar")]
        self.assertEqual(sorted(kept), sorted([dumped, archive["p2"], archive["p4"]]))
        self.assertEqual(result["kept"], 3)

    def test_a_deletion_that_was_killed(self):
        s = self.server
        for name in ("p1", "p2"):
            self.create(name, "--no-drill", "--label", "series", what=("glpi_select.chatbot_config",))
        archive = self.record("p1")["archive"]["name"]
        self.change("p1", created="2020-01-01T00:00:00Z", expires="2020-01-08T00:00:00Z")
        s.dbsafe("prune", "--yes", check=-9, env={"DBSAFE_FAULT": "kill:point_deleting"})
        self.assertEqual(self.record("p1")["state"], "deleting")
        self.assertIn("1 point", s.dbsafe("prune", check=10).err)
        self.assertEqual(s.dbsafe("prune", "--yes", "--json").json["points"], ["p1"])
        self.assertFalse((self.points / "p1.json").exists())
        self.assertFalse(any(a.startswith(archive) for a in s.archives()))

    def test_a_rollback_that_is_not_finished_keeps_its_point_and_no_other(self):
        s = self.server
        for name in ("p1", "p2", "p3"):
            self.create(name, "--no-drill", what=("glpi_select.chatbot_config",))
        for name in ("p1", "p2"):
            self.change(name, created="2020-01-01T00:00:00Z", expires="2020-01-08T00:00:00Z")
        (self.points / "p1~instance.json").write_text("{")  # by a dbsafe that is not this one, or half of it lost
        for _ in range(2):
            s.dbsafe("dump", "glpi_select.chatbot_config", "--label", "series")
        for args, points in ((("--dry-run",), ["p2"]), (("--yes",), ["p2"]), (("--yes",), [])):
            result = s.dbsafe("prune", "--keep-last", "1", "--json", *args)
            self.assertEqual(result.json["points"], points)
            self.assertIn("'p1' has expired, but a rollback", result.err)
        self.assertIn(self.record("p1")["archive"]["name"], s.archives())
        self.assertEqual(len([a for a in s.archives() if "-series-" in a and a.endswith(".tar")]), 1)

    def test_what_dead_runs_left_among_the_points(self):
        s = self.server
        self.create("p1", "--no-drill", check=-9, fault="kill:sink_write:1")
        left = [p for p in self.points.iterdir() if p.name.endswith(".tmp")]
        self.assertEqual(len(left), 1)
        self.assertEqual(s.dbsafe("prune", "--dry-run", "--json").json["leftovers"], 1)
        self.assertEqual(s.dbsafe("prune", "--yes", "--json").json["leftovers"], 1)
        self.assertFalse(left[0].exists())
        # Copies of a rollback by way of an instance go with their point, whether noted anywhere or not.
        self.create("p1", "--no-drill")
        for name in ("p1~copy-20260101T000000Z-x.dbsafe.tar", "p1~rollback-20260101T000000Z.json", "p11~copy-20260101T000000Z-x.dbsafe.tar"):
            (self.points / name).write_text("")
        self.point("delete", "p1", "--yes", "--force")
        self.assertEqual({p.name for p in self.points.iterdir() if not p.name.startswith(".")},
                         {"p1~rollback-20260101T000000Z.json", "p11~copy-20260101T000000Z-x.dbsafe.tar"})

    def test_an_unfinished_point_of_long_ago_is_told(self):
        self.create("p1", "--no-drill", check=-9, fault="kill:point_archived")
        self.assertNotIn("never finished", self.server.dbsafe("prune", "--yes").err)
        self.change("p1", created="2020-01-01T00:00:00Z")
        self.assertIn("the point 'p1' of 2020-01-01T00:00:00Z was never finished", self.server.dbsafe("prune", "--yes").err)

    def test_a_kept_point_and_one_that_is_being_made(self):
        s = self.server
        self.create("p1", "--no-drill", "--keep", "--label", "series")
        self.change("p1", created="2020-01-01T00:00:00Z")
        self.create("p2", "--no-drill", "--label", "series", check=-9, fault="kill:point_archived")
        self.create("p3", "--no-drill", "--label", "series")
        s.dbsafe("dump", "glpi_select", "--label", "series")
        self.assertEqual(s.dbsafe("prune", "--keep-last", "1", "--yes", "--json").json["removed"], [])
        self.assertIs(self.create("p2", "--no-drill", "--label", "series", "--json").json["resumed"], True)


del PointCase
