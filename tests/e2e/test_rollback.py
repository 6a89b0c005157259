"""Rollback level 3 by way of the tables: what is lost is shown, all comes back verified, any interruption can be gone on from."""

import html.parser
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib import TestCase, process, sample, wait_until
from lib.archive import Archive
from lib.compare import table_digests

KEYS = {"verdict", "point", "via", "target", "other_server", "archive", "started", "finished", "tables_changed", "changes", "made_since", "export", "instance",
        "restore_id", "tables", "rows", "verified", "swapped", "seconds", "waited", "rto", "within_rto", "dry_run", "steps", "failure",
        "report"}
MIGRATION = """
USE glpi_select;
UPDATE chatbot_users SET name = CONCAT(name, ' (v12)'), balance = balance + 1 WHERE id % 3 = 0;
DELETE FROM chatbot_messages WHERE id % 10 = 0;
ALTER TABLE chatbot_config ADD COLUMN v12 INT NOT NULL DEFAULT 12;
DROP TABLE chatbot_visual_config;
CREATE TABLE v12_new (id INT PRIMARY KEY);
INSERT INTO v12_new VALUES (1), (2);
"""
# Every step of a rollback, in its order.
POINTS = ["rollback_opened", "rollback_compared", "rollback_confirmed", "rollback_exported", "restore_journalled", "restore_loaded",
          "restore_verified", "swap_begin", "swap_finish", "rollback_restored", "rollback_reported"]


class Page(html.parser.HTMLParser):
    """What a page refers to, its text, and whether its elements are closed."""

    VOID = {"meta", "br", "img", "link", "input", "hr"}

    def __init__(self, text):
        super().__init__()
        self.open, self.references, self.text, self.tags = [], [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [v for k, v in attrs if k in ("src", "href", "data", "action", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes another element")

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text += data


class RollbackCase(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server(binlog=True)
        s.load_chatbot(messages=2000)
        s.dbsafe("point", "create", "p1", "glpi_select", "--no-drill")
        cls.before = table_digests(s, "glpi_select")
        cls.points = s.store / "points"
        cls.archive = json.loads((cls.points / "p1.json").read_text())["archive"]["name"]

    def setUp(self):
        self.clean()
        self.server.load(MIGRATION)
        self.migrated = table_digests(self.server, "glpi_select")
        for report in self.points.glob("p1~*"):
            report.unlink()
        for file in self.server.folder.glob("changes*"):
            file.unlink()

    def clean(self):
        """As at the point, with nothing of dbsafe on the server."""
        s = self.server
        for name, in s.sql("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'dbsafe\\\\_%'"):
            s.sql(f"DROP DATABASE `{name}`")
        s.sql("DROP TABLE IF EXISTS glpi_select.v12_new")
        if table_digests(s, "glpi_select") != self.before:
            s.dbsafe("restore", self.archive)
            for name, in s.sql("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'dbsafe\\\\_%'"):
                s.sql(f"DROP DATABASE `{name}`")

    def rollback(self, *args, check=0, fault=None, **options):
        return self.server.dbsafe("rollback", "--point", "p1", *args, check=check, env={"DBSAFE_FAULT": fault} if fault else None,
                                  **options)

    def live(self):
        """"point", "migrated", or what differs from both; the table that the migration made is its own."""
        now = table_digests(self.server, "glpi_select")
        mine = {t: d for t, d in now.items() if t != "v12_new"}
        if mine == self.before:
            return "point"
        return "migrated" if now == self.migrated else now

    def reports(self):
        return sorted(p.name for p in self.points.glob("p1~*"))


class Rollback(RollbackCase):
    def test_everything_comes_back(self):
        s = self.server
        result = self.rollback("--yes", "--json").json
        self.assertEqual(result.keys(), KEYS)
        self.assertEqual(self.live(), "point")
        self.assertEqual((result["verdict"], result["tables"], result["verified"], result["swapped"], result["within_rto"]),
                         ("done", 4, True, True, True))
        self.assertEqual(result["tables_changed"], 4)
        changes = {}
        for change in result["changes"]:
            changes.setdefault(change["where"], []).append(change["what"])
        self.assertEqual(set(changes), {f"glpi_select.chatbot_{t}" for t in ("users", "messages", "config", "visual_config")})
        self.assertIn("content checksum differs", changes["glpi_select.chatbot_users"][0])
        self.assertRegex(changes["glpi_select.chatbot_messages"][0], "1800 rows now, 2000 were dumped")
        self.assertIn("definition", changes["glpi_select.chatbot_config"][0])
        self.assertIn("missing", changes["glpi_select.chatbot_visual_config"][0])
        self.assertEqual(result["made_since"], ["glpi_select.v12_new"])
        self.assertEqual(s.value("SELECT COUNT(*) FROM glpi_select.v12_new"), 2)
        self.assertEqual(result["rto"], 1800)
        self.assertLess(result["seconds"], 10 * process.SLOWER)
        names = [x["name"] for x in result["steps"] if x["level"] == 0]
        self.assertEqual(names, ["opening the point", "comparing with the point", "waiting for confirmation", "restoring"])
        self.assertLessEqual({"loading", "verifying", "swapping"}, {x["name"] for x in result["steps"] if x["level"] == 1})
        self.assertAlmostEqual(sum(x["seconds"] for x in result["steps"] if x["level"] == 0), result["seconds"] + result["waited"],
                               delta=0.1)
        self.assertRegex(s.dbsafe("list", "--json").json["archives"][0]["proof"], "^restored")

        # and back again
        s.dbsafe("undo", result["restore_id"])
        self.assertEqual(self.live(), "migrated")

    def test_its_text(self):
        result = self.rollback("--yes")
        self.assertIn("4 tables changed since 20", result.err)
        self.assertIn("glpi_select.v12_new was made since, and stays", result.err)
        self.assertIn("every content checksum compared", result.err)
        self.assertRegex(result.err, r"to undo this: dbsafe undo \w+")
        self.assertRegex(result.out, r"(?m)^restoring +\d+\.\d s$")
        self.assertRegex(result.out, r"(?m)^  swapping +\d+\.\d s$")

    def test_nothing_to_do(self):
        self.rollback("--yes")
        reports = self.reports()
        result = self.rollback("--json")  # no question, so no --yes
        self.assertEqual((result.json["verdict"], result.json["changes"], result.json["restore_id"]), ("nothing to do", [], None))
        self.assertIn("nothing to do", result.err)
        self.assertEqual(self.reports(), reports)

    def test_unconfirmed_nothing_happens(self):
        result = self.rollback(check=10)
        self.assertIn("not confirmed", result.err)
        self.assertIn("glpi_select.chatbot_visual_config", result.err)
        self.assertEqual(self.live(), "migrated")

    def test_dry_run(self):
        result = self.rollback("--dry-run", "--json").json
        self.assertEqual((result["verdict"], result["tables_changed"], result["swapped"]), ("dry run", 4, False))
        self.assertEqual(self.live(), "migrated")
        self.assertEqual(self.reports(), [])

    def test_usage(self):
        s = self.server
        s.dbsafe("rollback", check=2)
        for args in (("--to", "x"), ("--cutover", "rename"), ("--copy-tables", "a.b")):
            self.assertIn("go with --via instance", self.rollback(*args, check=2).err)
        self.rollback("x", check=2)
        s.dbsafe("rollback", "--point", "nothing", "--yes", check=11)
        s.dbsafe("rollback", "--point", "../p1", "--yes", check=2)
        existing = s.folder / "changes-report.html"
        existing.write_text("")
        self.rollback("--yes", "--report", existing, check=10)
        self.assertEqual(self.live(), "migrated")

    def test_points_that_are_none(self):
        s = self.server
        s.dbsafe("point", "create", "p9", "glpi_select", "--no-drill", check=-9, env={"DBSAFE_FAULT": "kill:point_archived"})
        self.assertIn("not complete", s.dbsafe("rollback", "--point", "p9", "--yes", check=10).err)
        s.dbsafe("point", "delete", "p9", "--yes")
        archive = s.store / self.archive
        data = archive.read_bytes()
        try:
            archive.unlink()
            self.assertIn("archive of the point", self.rollback("--yes", check=11).err)
            s.dbsafe("dump", "glpi_select.chatbot_users", "-o", archive)
            self.assertIn("not the archive that it was made with", self.rollback("--yes", check=8).err)
            archive.write_bytes(data[:len(data) // 2] + b"\x55\xaa" + data[len(data) // 2 + 2:])
            self.rollback("--yes", check=8)
            self.assertEqual(self.live(), "migrated")
        finally:
            archive.write_bytes(data)

    @unittest.skipUnless(shutil.which("chromium"), "needs chromium")
    def test_its_page_in_a_browser(self):
        """It is drawn whole, and its own policy keeps nothing of it away."""
        page, picture = self.server.folder / "changes.html", self.server.folder / "changes.png"
        self.rollback("--yes", "--report", page)
        with tempfile.TemporaryDirectory() as home:
            drawn = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr",
                                    f"--user-data-dir={home}", "--window-size=1000,1400", f"--screenshot={picture}", page.as_uri()],
                                   stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, timeout=120, check=True,
                                   env={"PATH": os.environ["PATH"], "HOME": home})
        self.assertEqual([line for line in drawn.stderr.splitlines() if "CONSOLE" in line or "Refused" in line], [])
        self.assertGreater(picture.stat().st_size, 30000)

    def test_over_the_rto_is_told(self):
        """An hour too long; the tables are back all the same."""
        result = self.rollback("--yes", "--json", "--rto", "59", fault="fail:rollback_slow")
        self.assertEqual((result.json["rto"], result.json["within_rto"], result.json["verdict"]), (59 * 60, False, "done"))
        self.assertIn("longer than the RTO of 59 minutes", result.err)
        self.server.sql("DELETE FROM glpi_select.chatbot_messages LIMIT 5")
        result = self.rollback("--yes", "--json", "--rto", "1")
        self.assertEqual((result.json["rto"], result.json["within_rto"]), (60, True))
        self.assertNotIn("longer than the RTO", result.err)

    def test_a_table_in_use_keeps_all_as_it_was(self):
        blocker = self.server.connect(autocommit=False)
        with blocker.cursor() as cursor:
            cursor.execute("SELECT * FROM glpi_select.chatbot_users LIMIT 1")
            result = self.rollback("--yes", "--lock-timeout", "1", "--json", check=13)
            self.assertEqual(self.live(), "migrated")
        blocker.close()
        self.assertEqual(result.json["verdict"], "failed")
        self.assertEqual(result.json["error"]["exit"], 13)
        self.assertIn("locks", result.json["failure"])
        self.assertEqual(len(self.reports()), 2)
        page = (self.points / self.reports()[0]).read_text()
        self.assertIn("The rollback failed", page)
        # The verified staging was kept: only the swap is left.
        result = self.rollback("--yes", "--json").json
        self.assertEqual(self.live(), "point")
        self.assertNotIn("loading", [x["name"] for x in result["steps"]])


class OtherServer(RollbackCase):
    def test_a_server_that_the_point_is_not_of(self):
        s = self.own_server()
        s.load_chatbot(messages=10)
        before = table_digests(s, "glpi_select")
        self.assertIs(self.rollback("--dry-run", "--json").json["other_server"], False)

        def rollback(*args, check=0):
            return s.dbsafe("rollback", "--point", "p1", "--store", self.server.store, "--json", *args, check=check)
        self.assertIs(rollback("--dry-run").json["other_server"], True)
        result = rollback("--yes", check=10)
        self.assertIn("--other-server", result.err)
        self.assertEqual(table_digests(s, "glpi_select"), before)
        self.assertIn("THE POINT IS OF ANOTHER SERVER", rollback(check=10).err)
        # It may have taken the other one's place.
        result = rollback("--yes", "--other-server").json
        self.assertEqual((result["verdict"], result["other_server"]), ("done", True))
        self.assertEqual(table_digests(s, "glpi_select"), self.before)


class Export(RollbackCase):
    def test_what_will_be_lost_is_an_archive(self):
        s = self.server
        file = s.folder / "changes.tar"
        result = self.rollback("--yes", "--json", "--export-changes", file).json
        self.assertEqual((result["export"]["file"], result["export"]["tables"], result["export"]["existed"]), (str(file), 3, False))
        self.assertEqual(self.live(), "point")
        s.dbsafe("verify", file)
        self.assertEqual(sorted(t["name"] for t in Archive(file).manifest["tables"]),
                         ["chatbot_config", "chatbot_messages", "chatbot_users"])
        s.dbsafe("restore", file, "--into", "lost")
        try:
            lost = table_digests(s, "lost")
            self.assertEqual(lost, {t: d for t, d in self.migrated.items() if t in lost})
        finally:
            s.sql("DROP DATABASE lost")

    def test_an_existing_file(self):
        file = self.server.folder / "changes.tar"
        file.write_text("something of mine")
        self.assertIn("name another", self.rollback("--yes", "--export-changes", file, check=10).err)
        self.assertEqual(file.read_text(), "something of mine")
        self.assertEqual(self.live(), "migrated")
        # The export of an earlier run of this rollback is used, as long as the tables are as it says.
        file.unlink()
        self.rollback("--yes", "--export-changes", file, check=-9, fault="kill:rollback_exported")
        self.assertIs(self.rollback("--yes", "--export-changes", file, "--json").json["export"]["existed"], True)
        self.assertEqual(self.live(), "point")
        self.clean()
        self.server.load(MIGRATION)
        self.server.sql("DELETE FROM glpi_select.chatbot_messages LIMIT 1")
        self.rollback("--yes", "--export-changes", file, check=10)

    def test_an_existing_file_of_as_many_other_tables(self):
        s = self.server
        file = s.folder / "changes.tar"
        s.dbsafe("dump", "glpi_select.chatbot_users", "glpi_select.chatbot_messages", "glpi_select.v12_new", "-o", file)
        result = self.rollback("--yes", "--export-changes", file, check=10)
        self.assertIn("it does not hold glpi_select.chatbot_config", result.err)
        self.assertEqual(self.live(), "migrated")

    def test_nothing_left_to_export(self):
        s = self.server
        s.load("SET foreign_key_checks=0;\nDROP TABLE glpi_select.chatbot_messages, glpi_select.chatbot_users, glpi_select.chatbot_config;\n")
        file = s.folder / "changes.tar"
        result = self.rollback("--yes", "--json", "--export-changes", file)
        self.assertIsNone(result.json["export"])
        self.assertIn("nothing to export", result.err)
        self.assertFalse(file.exists())
        self.assertEqual(self.live(), "point")

    def test_an_export_that_fails_stops_the_rollback(self):
        file = self.server.folder / "no" / "changes.tar"
        self.rollback("--yes", "--export-changes", file, check=(5, 11))
        self.assertEqual(self.live(), "migrated")


class Interrupted(RollbackCase):
    def ours(self):
        return [n for n, in self.server.sql("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'dbsafe\\\\_%'")]

    def rerun(self, at):
        self.assertIn(self.live(), ("migrated", "point"))
        again = self.rollback("--yes", "--json", "--export-changes", self.server.folder / "changes.tar").json
        self.assertEqual(self.live(), "point", at)
        self.assertIn(again["verdict"], ("done", "nothing to do"))
        self.assertEqual([n for n in self.ours() if n.startswith("dbsafe_stage")], [])
        self.assertEqual(self.rollback("--json").json["verdict"], "nothing to do")
        return again

    def test_kill_and_the_same_command_again(self):
        for at in sample(POINTS, 4, "rollback kills"):
            with self.subTest(at=at):
                self.setUp()
                self.rollback("--yes", "--export-changes", self.server.folder / "changes.tar", check=-9, fault=f"kill:{at}")
                self.rerun(at)
                undo = self.server.dbsafe("undo", "--list", "--json").json["restores"]
                self.assertEqual([u["state"] for u in undo if u["kind"] == "restore"], ["swapped"])

    def test_failures(self):
        for at in sample(POINTS[:-2], 2, "rollback failures"):
            with self.subTest(at=at):
                self.setUp()
                result = self.rollback("--yes", "--json", "--export-changes", self.server.folder / "changes.tar",
                                       check=(0, 4, 5), fault=f"fail:{at}")
                self.assertIn("fault injected", result.err)
                if result.rc != 0:
                    self.assertEqual(self.live(), "migrated")
                    self.assertEqual(result.json["verdict"], "failed")
                self.rerun(at)

    def test_a_report_that_cannot_be_kept_is_told(self):
        result = self.rollback("--yes", "--json", "--report", "/proc/none/x.html", fault="fail:rollback_reported:1:ENOSPC")
        self.assertIn("report is not kept", result.err)
        self.assertIn("report is not written", result.err)
        self.assertEqual(self.live(), "point")

    def test_signals(self):
        for at in sample(["rollback_compared", "restore_loaded", "restore_verified"], 2, "rollback signals"):
            with self.subTest(at=at):
                self.setUp()
                running = self.server.dbsafe_start("rollback", "--point", "p1", "--yes", env={"DBSAFE_FAULT": f"stop:{at}"})
                wait_until(running.stopped, what="the stop")
                running.terminate()
                running.signal(signal.SIGCONT)
                process.expect(running.finish(timeout=60), 143)
                self.assertEqual(self.live(), "migrated")
                self.assertEqual([n for n in self.ours() if n.startswith("dbsafe_stage")], [])
                self.rerun(at)

    def test_two_at_once(self):
        running = self.server.dbsafe_start("rollback", "--point", "p1", "--yes", env={"DBSAFE_FAULT": "stop:restore_loaded"})
        wait_until(running.stopped, what="the stop")
        self.rollback("--yes", check=12)
        running.signal(signal.SIGCONT)
        process.expect(running.finish(), 0)
        self.assertEqual(self.live(), "point")


SHOP = """
CREATE DATABASE crm;
USE crm;
CREATE TABLE people (id INT PRIMARY KEY);
INSERT INTO people SELECT seq FROM seq_1_to_50;
CREATE DATABASE shop;
USE shop;
CREATE TABLE orders (id INT PRIMARY KEY, person INT NOT NULL, state VARCHAR(20) NOT NULL, CONSTRAINT buyer FOREIGN KEY (person) REFERENCES crm.people (id));
CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20));
INSERT INTO orders SELECT seq, 1 + seq % 50, 'new' FROM seq_1_to_500;
CREATE TRIGGER orders_log AFTER UPDATE ON orders FOR EACH ROW INSERT INTO shop.log (what) VALUES (NEW.state);
"""


class BehindTheSwap(TestCase):
    """Tables with all that a swap leaves to be done behind it: triggers, and a foreign key to a table that is not exchanged."""

    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server(binlog=True)
        s.load(SHOP)
        s.dbsafe("point", "create", "p1", "shop", "--no-drill")

    def setUp(self):
        for name, in self.server.sql("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'dbsafe\\\\_%'"):
            self.server.sql(f"DROP DATABASE `{name}`")
        self.server.load("DROP DATABASE shop;\nDROP DATABASE crm;\n" + SHOP)
        self.migrate()

    def migrate(self):
        self.server.sql("DELETE FROM shop.orders WHERE id % 10 = 0")

    def rollback(self, *args, check=0, fault=None):
        return self.server.dbsafe("rollback", "--point", "p1", "--yes", "--json", *args, check=check,
                                  env={"DBSAFE_FAULT": fault} if fault else None)

    def remains(self):
        """What a restore leaves in the live database, or to be removed."""
        s = self.server
        return [t for t, in s.sql("SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables"
                                  " WHERE (table_schema IN ('shop', 'stage') AND table_name LIKE 'dbsafe%%')"
                                  " OR table_schema LIKE 'dbsafe\\_stage%%'")]

    def assert_back(self):
        s = self.server
        self.assertEqual(s.value("SELECT COUNT(*) FROM shop.orders"), 500)
        self.assertEqual(self.remains(), [])
        self.assertEqual([u["unfinished"] for u in s.dbsafe("undo", "--list", "--json").json["restores"] if u["kind"] == "restore"
                          and u["state"] not in ("swapped", "undone")], [])
        self.assertIn("buyer", s.sql("SHOW CREATE TABLE shop.orders")[0][1])
        point = json.loads((s.store / "points" / "p1.json").read_text())
        s.dbsafe("verify", point["archive"]["name"], "--live")
        again = self.rollback()
        self.assertEqual(again.json["verdict"], "nothing to do")
        self.assertNotIn("never finished", again.err)
        self.assertNotIn("is swapped, but", again.err)

    def test_what_was_written_between_a_kill_and_the_same_command(self):
        """A swap that was done is cleared up; tables that were changed since then are put back once more."""
        for at in sample(["swap_renamed", "step_move_out", "swap_finish", "rollback_restored"], 2, "written between"):
            with self.subTest(at=at):
                self.setUp()
                self.rollback(check=-9, fault=f"kill:{at}")
                self.assertEqual(self.server.value("SELECT COUNT(*) FROM shop.orders"), 500)
                self.migrate()
                again = self.rollback().json
                self.assertEqual((again["verdict"], again["verified"], again["swapped"], again["rows"]), ("done", True, True, 500))
                self.assert_back()
                # and back to what was written
                self.server.dbsafe("undo", again["restore_id"])
                self.assertEqual(self.server.value("SELECT COUNT(*) FROM shop.orders"), 450)

    def test_nothing_was_written_between(self):
        """Then nothing is loaded again."""
        for at in ("swap_renamed", "swap_finish"):
            with self.subTest(at=at):
                self.setUp()
                self.rollback(check=-9, fault=f"kill:{at}")
                again = self.rollback().json
                self.assertEqual(again["verdict"], "done")
                self.assertNotIn("loading", [x["name"] for x in again["steps"]])
                self.assert_back()

    def test_with_a_schema_of_ones_own(self):
        """The journal tells that a restore was not finished, not the names of schemas."""
        s = self.server
        s.sql("CREATE DATABASE IF NOT EXISTS stage")
        for at in sample(["swap_renamed", "step_move_out", "swap_finish"], 2, "own schema"):
            with self.subTest(at=at):
                self.setUp()
                self.rollback("--staging-schema", "stage", check=-9, fault=f"kill:{at}")
                again = self.rollback("--staging-schema", "stage").json
                self.assertEqual(again["verdict"], "done")
                self.assert_back()

    def test_a_verified_staging_is_not_exchanged_without_a_word(self):
        """Although the tables are as they were at the point by now."""
        s = self.server
        self.rollback(check=-9, fault="kill:restore_verified")
        s.load("USE shop;\nINSERT INTO orders SELECT seq, 1 + seq % 50, 'new' FROM seq_1_to_500 WHERE seq % 10 = 0;\n")
        self.assertIn("not confirmed", s.dbsafe("rollback", "--point", "p1", check=10).err)
        self.assertEqual(self.rollback().json["verdict"], "done")
        self.assert_back()

    def test_failures_behind_the_swap(self):
        """The tables are exchanged, and that is what is said."""
        for at in sample(["step_name_triggers", "step_move_out", "step_join_parents"], 2, "failures behind"):
            with self.subTest(at=at):
                self.setUp()
                result = self.rollback(check=4, fault=f"fail:{at}:1,fail:{at}:2,fail:{at}:3")
                self.assertEqual(self.server.value("SELECT COUNT(*) FROM shop.orders"), 500)
                self.assertEqual((result.json["verdict"], result.json["swapped"]), ("unfinished", True))
                self.assertIsNotNone(result.json["restore_id"])
                self.assertIn("the same rollback again", result.json["failure"])
                self.assertNotIn("--resume", result.json["failure"])
                page = Page(Path(result.json["report"]["html"]).read_text()).text
                self.assertNotIn("as they were before", page)
                self.assertIn("The tables were exchanged", page)
                self.assertIn(f"dbsafe undo {result.json['restore_id']}", page)
                self.assertEqual(self.rollback().json["verdict"], "done")
                self.assert_back()

    def test_a_server_that_is_lost_in_mid_swap(self):
        s = self.own_server(binlog=True, durable=True)
        s.load(SHOP)
        s.dbsafe("point", "create", "p1", "shop", "--no-drill")
        s.sql("DELETE FROM shop.orders WHERE id % 10 = 0")
        running = s.dbsafe_start("rollback", "--point", "p1", "--yes", "--json", env={"DBSAFE_FAULT": "stop:swap_rename"})
        wait_until(running.stopped, what="the stop")
        s.kill()
        running.signal(signal.SIGCONT)
        running.terminate()
        result = process.inspect(running.finish(timeout=120), [])
        self.assertEqual(result.json["verdict"], "unknown", result.err)
        self.assertIn("the same rollback again", result.json["failure"])
        self.assertNotIn("--resume", result.json["failure"])
        page = Page(Path(result.json["report"]["html"]).read_text()).text
        self.assertIn("not known", page)
        self.assertNotIn("as they were before", page)
        s.start()
        self.assertEqual(s.dbsafe("rollback", "--point", "p1", "--yes", "--json").json["verdict"], "done")
        self.assertEqual(s.value("SELECT COUNT(*) FROM shop.orders"), 500)


class Report(RollbackCase):
    def test_json_and_page(self):
        s = self.server
        own = s.folder / "changes-page.html"
        result = self.rollback("--yes", "--json", "--report", own).json
        kept = self.reports()
        self.assertEqual([Path(result["report"]["html"]).name, Path(result["report"]["json"]).name], kept)
        self.assertRegex(kept[0], r"^p1~rollback-\d{8}T\d{6}\.\d{3}Z\.html$")
        text = (self.points / kept[0]).read_text()
        self.assertEqual(own.read_text(), text)
        stored = json.loads((self.points / kept[1]).read_text())
        self.assertEqual({k: v for k, v in result.items() if k != "report"}, stored)

        page = Page(text)
        self.assertEqual(page.open, [])
        self.assertEqual(page.references, [])
        self.assertNotIn("script", page.tags)
        self.assertNotRegex(text, r"https?://|url\(|@import")
        self.assertIn("default-src 'none'", text)
        for part in ("p1", "The tables are as they were at the point.", "glpi_select.chatbot_messages", "1800 rows now",
                     "swapping", "glpi_select.v12_new", f"dbsafe undo {result['restore_id']}", "30 minutes", self.archive):
            self.assertIn(part, page.text)
        # The bars of the steps tile the timeline.
        bars = [(float(a), float(b)) for a, b in re.findall(r"left:([\d.]+)%;width:([\d.]+)%", text)]
        self.assertEqual(len(bars), len(result["steps"]))
        steps = [b for b, x in zip(bars, result["steps"]) if x["level"] == 0]
        self.assertAlmostEqual(sum(w for _, w in steps), 100, delta=1)
        self.assertTrue(all(0 <= left <= 100 and left + width <= 100.02 for left, width in bars))

    def test_names_that_would_be_markup(self):
        s = self.server
        evil = "<script>alert(1)</script>&\"'"
        s.sql(f"CREATE DATABASE IF NOT EXISTS evil")
        s.sql(f"CREATE TABLE evil.`{evil}` (id INT PRIMARY KEY)")
        try:
            s.dbsafe("point", "create", "evil", "evil", "--no-drill")
            s.sql(f"INSERT INTO evil.`{evil}` VALUES (1)")
            s.sql("CREATE TABLE evil.`<b>new</b>` (id INT)")
            result = s.dbsafe("rollback", "--point", "evil", "--yes", "--json").json
            text = Path(result["report"]["html"]).read_text()
            page = Page(text)
            self.assertNotIn("script", page.tags)
            self.assertNotIn("b", [t for t in page.tags if t == "b"][1:])
            self.assertIn(f"evil.{evil}", page.text)
            self.assertIn("evil.<b>new</b>", page.text)
        finally:
            s.sql("DROP DATABASE evil")
            s.dbsafe("point", "delete", "evil", "--yes", "--force")

    def test_reports_are_no_points(self):
        self.rollback("--yes")
        listed = self.server.dbsafe("point", "list", "--json").json
        self.assertEqual(([p["name"] for p in listed["points"]], listed["unreadable"]), (["p1"], 0))


class Confirmed(RollbackCase):
    def test_on_a_terminal(self):
        import pty
        for typed, rc, live in ((b"n\n", 10, "migrated"), (b"y\n", 0, "point")):
            pid, terminal = pty.fork()
            if pid == 0:
                os.execve(process.dbsafe_path(), ["dbsafe", "rollback", f"--defaults-file={self.server.defaults_file}", "--point", "p1"],
                          self.server.dbsafe_env())
            text = b""
            while b"[y/N] " not in text:
                text += os.read(terminal, 1000)
            self.assertIn(b"back to 20", text)
            os.write(terminal, typed)
            try:
                while os.read(terminal, 1000):
                    pass
            except OSError:
                pass  # its end
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), rc)
            os.close(terminal)
            self.assertEqual(self.live(), live)


del RollbackCase
