"""Recovery points with a snapshot, on the RDS double: the tables of an instance that is a real server, and a real copy of its data."""

import datetime
import json
import threading

import pymysql

from lib import TestCase, process, sample, wait_until
from lib.rds_double import RdsDouble

PASSWORD = "harness-rds-master-pw-7Hq"
FAULTS = ("point_claimed", "point_before", "point_snapshot_named", "point_snapshot_begun", "point_archive_named", "point_dumped",
          "point_archived", "point_verified", "point_snapshot_available", "point_completed")


class PointOnRds(TestCase):
    cluster = False

    @classmethod
    def setUpClass(cls):
        cls.rds = RdsDouble()
        cls.addClassCleanup(cls.rds.close)
        if cls.cluster:
            cls.rds.create_cluster("prod", 1, PASSWORD)
            cls.instance = "prod-instance-1"
            cls.server = cls.rds.clusters["prod"].server
        else:
            cls.rds.create_instance("prod", PASSWORD)
            cls.instance = "prod"
            cls.server = cls.rds.instances["prod"].server
        cls.server.load_chatbot(messages=500)

    def setUp(self):
        self.rds.reset()
        self.rds.wait_idle()
        self.rds.unseen_looks = 2

    def tearDown(self):
        self.assertEqual(self.rds.all_problems(), [], self.rds.trace())

    def env(self, fault=None):
        return {**self.rds.env(), "DBSAFE_POLL_INTERVAL": "0", "DBSAFE_FAULT": fault}

    def point(self, *args, fault=None, **options):
        return self.server.dbsafe("point", *args, env=self.env(fault), **options)

    def create(self, name, *args, **options):
        return self.point("create", name, "glpi_select", "--instance", self.instance, "--no-drill", *args, **options)

    def snapshots(self):
        return self.rds.cluster_snapshots if self.cluster else self.rds.snapshots

    def ours(self, point):
        return [s for s in self.snapshots().values() if s.tags.get("dbsafe:point") == point]


class Instance(PointOnRds):
    def test_both_of_one_name(self):
        made = self.create("release-7", "--json", "--wait-limit", "5").json["point"]
        snapshot, = self.ours("release-7")
        self.assertEqual((made["state"], made["snapshot"]["id"], made["snapshot"]["arn"], made["snapshot"]["cluster"]),
                         ("complete", snapshot.id, snapshot.arn, self.cluster))
        self.assertRegex(snapshot.id, r"^dbsafe-release-7-\d{8}-\d{6}$")
        self.assertEqual(snapshot.status, "available")
        taken = made["snapshot"]
        moments = [made["before"]["at"], taken["requested"], taken["created"], taken["available"], made["after"]["at"]]
        self.assertEqual(sorted(moments), moments)
        self.assertEqual(taken["created"], snapshot.created.strftime("%Y-%m-%dT%H:%M:%SZ"))
        shown = process.dbsafe("snapshot", "list", "--instance", self.instance, "--json", env=self.env()).json["snapshots"]
        self.assertEqual([s["point"] for s in shown if s["snapshot"] == snapshot.id], ["release-7"])
        text = self.point("show", "release-7").out
        self.assertIn(f"as of {taken['created']}, available {taken['available']}", text)
        self.assertRegex(text, r"by instance +AWS does not tell .*, which took at most 0:\d\d to make \(storage of \d+ GiB\); loading the")
        again = self.create("release-7", "--json").json
        self.assertTrue(again["existed"])
        self.assertEqual(len(self.ours("release-7")), 1)

    def test_under_writes(self):
        """The snapshot is a moment between the coordinates before and after, and holds all that was committed before."""
        self.server.sql("CREATE OR REPLACE TABLE glpi_select.steps (n INT PRIMARY KEY) ENGINE=InnoDB")
        written, stop = [], threading.Event()

        def write():
            connection = self.server.connect(database="glpi_select")
            with connection, connection.cursor() as cursor:
                while not stop.is_set():
                    cursor.execute("INSERT INTO steps VALUES (%s)", (len(written),))
                    written.append(1)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            wait_until(lambda: len(written) > 20, 30, "some rows")
            before = len(written)
            made = self.create("busy", "--json").json["point"]
            after = len(written)
        finally:
            stop.set()
            writer.join()
        self.assertLess(made["before"]["binlog_position"], made["after"]["binlog_position"])
        snapshot, = self.ours("busy")
        restored = process.dbsafe("snapshot", "restore", snapshot.id, "--to", "busy-back", "--json", env=self.env()).json
        connection = pymysql.connect(host=restored["address"], port=restored["port"], user="admin", password=PASSWORD)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*), MAX(n) FROM glpi_select.steps")
            rows, top = cursor.fetchone()
        self.assertEqual(rows, top + 1)
        self.assertTrue(before <= rows <= after + 1, (before, rows, after))

    def test_killed_at_every_step(self):
        for fault in sample(FAULTS, 3, f"kills of {type(self).__name__}"):
            with self.subTest(fault):
                name = fault.replace("_", "-")
                killed = self.create(name, fault=f"kill:{fault}", check=None)
                self.assertEqual(killed.rc, -9, killed)
                made = self.create(name, "--json").json
                self.assertEqual(made["point"]["state"], "complete")
                snapshot, = self.ours(name)
                self.assertEqual((snapshot.id, snapshot.status), (made["point"]["snapshot"]["id"], "available"))

    def test_lost_answers_and_failures(self):
        self.rds.plan.inject("answer lost", op="CreateDBClusterSnapshot" if self.cluster else "CreateDBSnapshot")
        self.rds.plan.inject("throttled", op="DescribeDBSnapshots", times=2)
        self.create("lost")
        self.assertEqual(len(self.ours("lost")), 1)
        self.rds.fail_next("snapshot", "failed")
        failed = self.create("broken", check=6)
        self.assertIn("'failed'", failed.err)
        self.assertEqual(json.loads((self.server.store / "points" / "broken.json").read_text())["state"], "creating")
        again = self.create("broken", "--json")
        self.assertIn("failed: another is made", again.err)
        self.assertEqual((again.json["point"]["state"], len(self.ours("broken"))), ("complete", 2))

    def test_a_snapshot_that_was_begun_long_ago(self):
        self.rds.unseen_looks = 0  # it has been there for an hour
        self.create("slow", fault="kill:point_snapshot_begun", check=-9)
        self.rds.wait_idle()
        old, = self.ours("slow")
        made = self.create("slow", "--json", fault="fail:point_stale")
        self.assertIn(f"{old.id}, which an earlier run began for this point, is too old", made.err)
        self.assertNotEqual(made.json["point"]["snapshot"]["id"], old.id)
        self.assertEqual(len(self.ours("slow")), 2)
        # One that is still being made takes long: another would, too.
        self.rds.states.hold("creating")
        self.create("slower", fault="kill:point_snapshot_begun", check=-9)
        running = self.server.dbsafe_start("point", "create", "slower", "glpi_select", "--instance", self.instance, "--no-drill",
                                           env=self.env("fail:point_stale"))
        wait_until(lambda: ": creating, " in running.error_text(), 60, "it waits")
        self.rds.states.release("creating")
        process.expect(running.finish(60), 0)
        self.assertEqual(len(self.ours("slower")), 1)

    def test_interrupted_while_waiting(self):
        self.rds.states.hold("creating")
        running = self.server.dbsafe_start("point", "create", "patience", "glpi_select", "--instance", self.instance, "--no-drill", env=self.env())
        wait_until(lambda: self.ours("patience") and len(self.rds.log("DescribeDBClusterSnapshots" if self.cluster else "DescribeDBSnapshots")) > 2,
                   60, "it waits")
        running.interrupt()
        ended = process.expect(running.finish(60), 130)
        self.assertRegex(ended.err, r"snapshot dbsafe-patience-\S+: creating, \d+ %, 0:\d\d")
        snapshot, = self.ours("patience")
        self.assertIn(f"AWS goes on with the snapshot {snapshot.id}; the same command goes on from here", ended.err)
        self.rds.states.release("creating")
        made = self.create("patience", "--json").json
        self.assertTrue(made["resumed"])
        self.assertEqual(len(self.ours("patience")), 1)

    def test_delete_and_prune(self):
        self.create("gone")
        self.create("stays")
        self.point("delete", "gone", "--yes", check=10)  # it is young
        self.assertEqual(len(self.ours("gone")), 1)
        self.point("delete", "gone", "--yes", "--force")
        wait_until(lambda: not self.ours("gone"), 30, "the snapshot is gone")
        self.assertEqual(len(self.ours("stays")), 1)
        self.age("stays")
        self.create("newest")
        self.prune("--yes")
        wait_until(lambda: not self.ours("stays"), 30, "the expired one's snapshot is gone")
        self.assertEqual(len(self.ours("newest")), 1)

    def test_a_deletion_is_finished(self):
        self.create("away")
        archive = json.loads((self.server.store / "points" / "away.json").read_text())["archive"]["name"]
        self.rds.states.hold("deleting")
        try:
            for fault in ("point_deleting", "point_snapshot_removed", "point_archive_removed", "point_companions_removed"):
                self.point("delete", "away", "--yes", "--force", fault=f"kill:{fault}", check=-9)
            self.point("delete", "away", "--yes")
        finally:
            self.rds.states.release("deleting")
        wait_until(lambda: not self.ours("away"), 30, "the snapshot is gone")
        self.point("show", "away", check=11)
        self.assertEqual(list(self.server.store.glob(f"{archive}*")), [])

    def prune(self, *args, **options):
        return process.dbsafe("prune", *args, env={**self.env(), "DBSAFE_STORE": f"file://{self.server.store}"}, **options)

    def age(self, point):
        """A month went by since it was made."""
        record = self.server.store / "points" / f"{point}.json"
        values = json.loads(record.read_text())
        month = datetime.timedelta(days=30)
        long_ago = (datetime.datetime.now(datetime.timezone.utc) - month).strftime("%Y-%m-%dT%H:%M:%SZ")
        values.update(created=long_ago, completed=long_ago, expires=long_ago)
        record.write_text(json.dumps(values))
        for snapshot in self.ours(point):
            snapshot.created -= month

    def test_a_snapshot_is_protected_whatever_its_point_is(self):
        self.snapshots().clear()
        self.create("half", fault="kill:point_verified", check=-9)
        self.rds.wait_idle()
        self.assertIn("younger than 48 hours", self.point("delete", "half", "--yes", check=10).err)
        self.assertEqual(len(self.ours("half")), 1)
        self.point("delete", "half", "--yes", "--force")
        wait_until(lambda: not self.ours("half"), 30, "the snapshot is gone")
        # The only snapshot, although another complete point is there.
        self.create("both")
        self.point("create", "alone", "glpi_select", "--no-drill")
        self.age("both")
        self.assertIn("the only one of prod", self.point("delete", "both", "--yes", check=10).err)
        self.assertEqual(self.prune("--dry-run", "--json").json["points"], [])
        # Of two that have expired the newer one stays, and what goes is named before.
        self.create("second")
        self.age("second")
        first, = self.ours("both")
        dry = self.prune("--dry-run", "--json")
        self.assertEqual((dry.json["points"], dry.json["snapshots"]), (["both"], [first.id]))
        for asked in (dry, self.prune(check=10)):
            self.assertIn(first.id, asked.err)
        self.assertEqual(len(self.ours("both")), 1)
        self.prune("--yes")
        wait_until(lambda: not self.ours("both"), 30, "the snapshot is gone")
        self.assertEqual(len(self.ours("second")), 1)

    def test_who_is_not_there(self):
        self.server.dbsafe("point", "create", "none", "glpi_select", "--instance", "nobody", "--no-drill", env=self.env(), check=11)
        dry = self.create("dry", "--dry-run")
        self.assertIn("and a snapshot", dry.err)
        self.assertEqual(self.ours("dry"), [])


class Cluster(Instance):
    cluster = True
