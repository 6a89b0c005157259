"""copy between folders and prune of a folder: what arrives, what is refused, what stays."""

import fcntl
import json
import os
import shutil
import time
from pathlib import Path

from lib import TestCase, wait_until

KEYS_COPY = {"archive", "from", "bytes", "members", "copied", "verified", "seconds"}
KEYS_PRUNE = {"store", "removed", "removed_bytes", "kept", "companions", "leftovers", "seconds", "dry_run"}


def names(folder):
    return sorted(p.name for p in Path(folder).iterdir() if not p.name.startswith("."))


class Copy(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server()
        s.load_chatbot(messages=3000)
        cls.archive = s.dbsafe("dump", "glpi_select", "--json").json["archive"]
        cls.bytes = Path(cls.archive).read_bytes()

    def setUp(self):
        self.to = self.server.folder / f"to-{self.id()}"

    def tearDown(self):
        shutil.rmtree(self.to, ignore_errors=True)

    def target(self):
        return self.to / os.path.basename(self.archive)

    def test_a_copy_is_equal_and_has_its_result(self):
        s = self.server
        result = s.dbsafe("copy", self.archive, "--to", f"file://{self.to}", "--json").json
        self.assertLessEqual(KEYS_COPY, result.keys())
        self.assertEqual(result["archive"], str(self.target()))
        self.assertEqual(result["from"], self.archive)
        self.assertEqual(result["bytes"], len(self.bytes))
        self.assertIs(result["copied"], True)
        self.assertIs(result["verified"], True)
        self.assertEqual(self.target().read_bytes(), self.bytes)
        self.assertEqual(self.target().stat().st_mode & 0o777, 0o600)
        s.dbsafe("verify", self.target())

    def test_archives_are_found_by_label_and_latest(self):
        for argument in ("latest", "glpi_select", os.path.basename(self.archive)):
            shutil.rmtree(self.to, ignore_errors=True)
            self.server.dbsafe("copy", argument, "--to", self.to)
            self.assertEqual(self.target().read_bytes(), self.bytes)

    def test_the_same_archive_again_is_fine_and_another_is_refused(self):
        s = self.server
        s.dbsafe("copy", self.archive, "--to", self.to)
        before = self.target().stat()
        again = s.dbsafe("copy", self.archive, "--to", self.to, "--json").json
        self.assertIs(again["copied"], False)
        self.assertIs(again["verified"], True)
        self.assertEqual(self.target().stat().st_ino, before.st_ino)
        for change in (self.bytes[:-512], self.bytes + b"\0", b"", self.bytes[:5000] + b"\x01" + self.bytes[5001:],
                       self.bytes[:-1] + b"\x01"):
            self.target().write_bytes(change)
            self.assertIn("never overwritten", s.dbsafe("copy", self.archive, "--to", self.to, check=10).err)
            self.assertEqual(self.target().read_bytes(), change)

    def test_into_its_own_store_it_is_there_already(self):
        result = self.server.dbsafe("copy", self.archive, "--to", self.server.store, "--json").json
        self.assertIs(result["copied"], False)
        self.assertEqual(Path(self.archive).read_bytes(), self.bytes)

    def test_damage_is_found_on_the_way_and_nothing_arrives(self):
        s = self.server
        damaged = s.folder / "damaged.dbsafe.tar"
        for at in (100, 700, len(self.bytes) // 2, len(self.bytes) - 3000, len(self.bytes) - 1):
            damaged.write_bytes(self.bytes[:at] + bytes([self.bytes[at] ^ 0x41]) + self.bytes[at + 1:])
            s.dbsafe("copy", damaged, "--to", self.to, check=8)
            self.assertEqual(list(self.to.iterdir()) if self.to.exists() else [], [], at)
        damaged.write_bytes(self.bytes[:len(self.bytes) // 2])
        s.dbsafe("copy", damaged, "--to", self.to, check=8)

    def test_an_archive_with_another_name_gets_the_one_it_was_taken_with(self):
        renamed = self.server.folder / "backup.tar"
        renamed.write_bytes(self.bytes)
        result = self.server.dbsafe("copy", renamed, "--to", self.to, "--json").json
        self.assertEqual(result["archive"], str(self.target()))

    def test_the_proof_goes_along(self):
        s = self.server
        s.dbsafe("verify", self.archive)
        s.dbsafe("copy", self.archive, "--to", self.to)
        listed = s.dbsafe("list", "--store", self.to, "--json").json["archives"]
        self.assertRegex(listed[0]["proof"], "^bytes 20")

    def test_usage(self):
        s = self.server
        self.assertIn("--to", s.dbsafe("copy", self.archive, check=2).err)
        self.assertIn("standard input", s.dbsafe("copy", "-", "--to", self.to, check=2).err)
        s.dbsafe("copy", s.folder / "nothing.dbsafe.tar", "--to", self.to, check=11)
        s.dbsafe("copy", "nolabel", "--to", self.to, check=11)
        s.dbsafe("copy", self.archive, "--to", "ftp://x/y", check=2)
        (s.folder / "file").write_text("")
        s.dbsafe("copy", self.archive, "--to", s.folder / "file", check=5)

    def test_a_full_disk_and_a_signal_leave_nothing(self):
        s = self.server
        for fault in ("fail:sink_write:2:ENOSPC", "fail:sink_fsync:1:EIO", "fail:sink_commit:1:EIO", "fail:source_read:3:EIO"):
            result = s.dbsafe("copy", self.archive, "--to", self.to, check=5, env={"DBSAFE_FAULT": fault})
            self.assertNotEqual(result.err, "")
            self.assertEqual(list(self.to.iterdir()), [], fault)
        # a small archive would be whole before the thread that waits for signals gets its turn
        s.load("CREATE DATABASE noise;\nCREATE TABLE noise.t (id INT PRIMARY KEY, v VARBINARY(1024));\n"
               "INSERT INTO noise.t SELECT seq, RANDOM_BYTES(1024) FROM mysql.seq_1_to_60000;\n")
        large = s.folder / "noise.dbsafe.tar"
        s.dbsafe("dump", "noise", "-o", large)
        running = s.dbsafe_start("copy", large, "--to", self.to, env={"DBSAFE_FAULT": "stop:sink_write:2"})
        wait_until(running.stopped, what="the stop")
        running.terminate()
        running.signal(18)  # SIGCONT
        self.assertEqual(running.finish().rc, 143)
        self.assertEqual(list(self.to.iterdir()), [])

    def test_what_a_killed_copy_left_goes_with_the_next(self):
        s = self.server
        running = s.dbsafe_start("copy", self.archive, "--to", self.to, env={"DBSAFE_FAULT": "kill:sink_write:2"})
        self.assertEqual(running.finish().rc, -9)
        self.assertEqual(names(self.to), [])
        self.assertEqual(len(list(self.to.iterdir())), 1)
        s.dbsafe("copy", self.archive, "--to", self.to)
        self.assertEqual([p.name for p in self.to.iterdir() if p.name.startswith(".")], [])
        self.assertEqual(self.target().read_bytes(), self.bytes)


class Prune(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server()
        s.load_chatbot(messages=200)
        cls.archive = Path(s.dbsafe("dump", "glpi_select", "--json").json["archive"])

    def setUp(self):
        self.store = self.server.folder / f"prune-{self.id()}"
        self.store.mkdir()

    def tearDown(self):
        shutil.rmtree(self.store, ignore_errors=True)

    def put(self, day, label, content=None):
        name = f"202601{day:02}T000000Z-{label}-0123456789ab.dbsafe.tar"
        (self.store / name).write_bytes(self.archive.read_bytes() if content is None else content)
        return name

    def prune(self, *args, **options):
        return self.server.dbsafe("prune", "--store", self.store, *args, **options)

    def test_keep_last_of_each_label(self):
        night = [self.put(day, "night") for day in (1, 2, 3, 4)]
        day = [self.put(9, "day")]
        (self.store / (night[0] + ".proof.json")).write_text("{}")
        (self.store / (night[3] + ".proof.json")).write_text("{}")
        mine = ["notes.txt", "mine.dbsafe.tar", "mine.dbsafe.tar.proof.json", night[0] + ".gpg", "gold.dbsafe.tar.bak"]
        for name in mine:
            (self.store / name).write_text("mine")
            os.utime(self.store / name, (time.time() - 7200,) * 2)
        everything = names(self.store)
        dry = self.prune("--keep-last", "2", "--dry-run", "--json").json
        self.assertLessEqual(KEYS_PRUNE, dry.keys())
        self.assertEqual([a["name"] for a in dry["removed"]], night[:2])
        self.assertIs(dry["dry_run"], True)
        self.assertEqual(names(self.store), everything)
        dry = self.prune("--keep-last", "2", "--dry-run")
        self.assertEqual(dry.out.split(), night[:2])
        self.assertIn(f"{night[0]}.proof.json would be removed", dry.err)
        done = self.prune("--keep-last", "2", "--yes", "--json").json
        self.assertEqual([(a["name"], a["label"], a["created"]) for a in done["removed"]],
                         [(night[0], "night", "2026-01-01T00:00:00Z"), (night[1], "night", "2026-01-02T00:00:00Z")])
        self.assertEqual(done["removed_bytes"], 2 * self.archive.stat().st_size)
        self.assertEqual((done["kept"], done["companions"], done["leftovers"]), (3, 1, 0))
        self.assertEqual(names(self.store), sorted(night[2:] + day + [night[3] + ".proof.json"] + mine))
        self.assertEqual(self.prune("--keep-last", "2", "--yes", "--json").json["removed"], [])

    def test_only_one_label(self):
        night = [self.put(day, "night") for day in (1, 2)]
        day = [self.put(day, "day") for day in (1, 2)]
        self.prune("--keep-last", "1", "--label", "day", "--yes")
        self.assertEqual(names(self.store), sorted(night + day[1:]))

    def test_it_asks_and_refuses_without_an_answer(self):
        kept = [self.put(day, "night") for day in (1, 2)]
        self.assertIn("--yes", self.prune("--keep-last", "1", check=10).err)
        self.assertEqual(names(self.store), kept)
        self.prune("--keep-last", "2")  # nothing to remove, nothing to ask

    def test_without_keep_last_no_archive_goes(self):
        kept = [self.put(day, "night") for day in (1, 2, 3)]
        self.assertEqual(self.prune("--yes", "--json").json["removed"], [])
        self.assertEqual(names(self.store), kept)

    def test_damaged_archives_do_not_count_and_stay(self):
        good = [self.put(1, "night"), self.put(2, "night")]
        bad = [self.put(3, "night", b"no archive"), self.put(4, "night", self.archive.read_bytes()[:-1024])]
        result = self.prune("--keep-last", "1", "--yes")
        self.assertIn(bad[0], result.err)
        self.assertEqual(names(self.store), good[1:] + bad)

    def test_empty_archives_do_not_count_beside_others(self):
        """They are no way back."""
        s = self.server
        if not hasattr(type(self), "hollow"):
            s.sql("CREATE DATABASE hollow")
            type(self).hollow = Path(s.dbsafe("dump", "hollow", "--json").json["archive"]).read_bytes()
        good = [self.put(day, "night") for day in (1, 2, 4)]
        bad = [self.put(day, "night", self.hollow) for day in (3, 5, 6)]
        result = self.prune("--keep-last", "1", "--yes")
        self.assertIn(f"{bad[1]} holds nothing", result.err)
        self.assertEqual(names(self.store), sorted(good[2:] + bad[1:]))
        self.assertEqual(self.prune("--keep-last", "1", "--yes", "--json").json["removed"], [])
        # where all of a label are empty they are what there is to keep
        alone = [self.put(day, "hollow", self.hollow) for day in (1, 2, 3)]
        self.prune("--keep-last", "2", "--label", "hollow", "--yes")
        self.assertEqual(names(self.store), sorted(good[2:] + bad[1:] + alone[1:]))

    def test_leftovers_of_dead_runs(self):
        s = self.server
        running = s.dbsafe_start("dump", "glpi_select", "--store", self.store, env={"DBSAFE_FAULT": "kill:sink_commit"})
        self.assertEqual(running.finish().rc, -9)
        self.assertEqual(len(list(self.store.iterdir())), 1)
        self.assertEqual(self.prune("--dry-run", "--json").json["leftovers"], 1)
        self.assertEqual(len(list(self.store.iterdir())), 1)
        self.assertEqual(self.prune("--json").json["leftovers"], 1)
        self.assertEqual(names(self.store), [])

    def test_a_live_dump_is_left_alone(self):
        s = self.server
        running = s.dbsafe_start("dump", "glpi_select", "--store", self.store, env={"DBSAFE_FAULT": "stop:sink_commit"})
        wait_until(running.stopped, what="the stop")
        self.assertEqual(self.prune("--keep-last", "1", "--yes", "--json").json["leftovers"], 0)
        running.signal(18)  # SIGCONT
        self.assertEqual(running.finish().rc, 0)
        self.assertEqual(len(names(self.store)), 1)

    def test_two_at_once(self):
        kept = [self.put(day, "night") for day in (1, 2)]
        with open(self.store / ".dbsafe.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            result = self.prune("--keep-last", "1", "--yes", "--json", check=12)
            self.assertEqual(result.json["error"]["exit"], 12)
            self.assertEqual(names(self.store), kept)
            self.prune("--keep-last", "1", "--dry-run")
        self.prune("--keep-last", "1", "--yes")
        self.assertEqual(names(self.store), kept[1:])

    def test_old_companions_without_an_archive(self):
        orphan = "20260101T000000Z-night-0123456789ab.dbsafe.tar.proof.json"
        (self.store / orphan).write_text("{}")
        self.assertEqual(self.prune("--json").json["companions"], 0)
        os.utime(self.store / orphan, (time.time() - 7200,) * 2)
        self.assertEqual(self.prune("--json").json["companions"], 1)
        self.assertEqual(names(self.store), [])

    def test_the_settings_file(self):
        kept = [self.put(day, "night") for day in (1, 2, 3)]
        config = self.server.folder / "prune.conf"
        config.write_text(f"store = {self.store}\nkeep-last = 2\n")
        result = self.server.dbsafe("prune", "--config", config, "--yes", "--json", env={"DBSAFE_STORE": ""})
        self.assertEqual([a["name"] for a in json.loads(result.out)["removed"]], kept[:1])

    def test_a_missing_store(self):
        self.server.dbsafe("prune", "--store", self.server.folder / "none", check=11)
