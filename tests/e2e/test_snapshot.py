"""dbsafe snapshot against the RDS double, whose instances are real servers and whose snapshots are real copies of their data."""

import datetime
import json
import os
import pty
import stat

import pymysql

from lib import TestCase, process, wait_until
from lib.rds_double import RdsDouble
from lib.rds_faults import Fault
from lib.rds_things import CLUSTER_FORGOTTEN, FORGOTTEN

PASSWORD = "harness-rds-master-pw-7Hq"
KEYS = {"snapshot", "arn", "kind", "source", "type", "status", "percent", "created", "engine", "engine_version", "allocated_gib",
        "encrypted", "point", "by_dbsafe"}
# Of every setting something that is not what a restore leaves.
SETTINGS = {
    "DBInstanceClass": "db.m6g.large", "MultiAZ": True, "DBSubnetGroupName": "private", "VpcSecurityGroupIds": ["sg-1", "sg-2"],
    "DBParameterGroupName": "tuned", "OptionGroupName": "audit", "PubliclyAccessible": True, "AutoMinorVersionUpgrade": False,
    "StorageType": "gp3", "AllocatedStorage": 500, "Iops": 12000, "StorageThroughput": 500, "MaxAllocatedStorage": 1000,
    "CopyTagsToSnapshot": True, "EnableIAMDatabaseAuthentication": True, "EnableCloudwatchLogsExports": ["audit", "error"],
    "DeletionProtection": True, "BackupRetentionPeriod": 7, "PreferredBackupWindow": "01:00-01:30",
    "PreferredMaintenanceWindow": "mon:02:00-mon:02:30", "MonitoringInterval": 60,
    "MonitoringRoleArn": "arn:aws:iam::123456789012:role/monitoring", "EnablePerformanceInsights": True,
    "PerformanceInsightsKMSKeyId": "arn:aws:kms:key/2", "PerformanceInsightsRetentionPeriod": 31, "NetworkType": "DUAL",
    "ProcessorFeatures": [{"Name": "coreCount", "Value": "2"}],
    "Port": 23306, "CACertificateIdentifier": "rds-ca-rsa2048-g1", "Domain": "d-1234567890", "DomainIAMRoleName": "directory",
}
CLUSTER_SETTINGS = {
    "DBSubnetGroupName": "private", "VpcSecurityGroupIds": ["sg-7", "sg-8"], "DBClusterParameterGroupName": "tuned-cluster",
    "EnableIAMDatabaseAuthentication": True, "EnableCloudwatchLogsExports": ["audit"], "DeletionProtection": True, "CopyTagsToSnapshot": True,
    "BackupRetentionPeriod": 14, "PreferredBackupWindow": "01:00-01:30", "PreferredMaintenanceWindow": "mon:02:00-mon:02:30",
    "BacktrackWindow": 3600, "StorageType": "aurora-iopt1", "NetworkType": "DUAL",
    "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 8.0},
}
BUSY = Fault("busy", "request", ("error", 400, "InvalidDBInstanceState", "Database instance is not in available state."))
CHANGES = ("Create", "Restore", "Modify", "Delete", "Copy", "Reboot", "Add", "Remove")


class SnapshotCase(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rds = RdsDouble()
        cls.addClassCleanup(cls.rds.close)
        cls.rds.parameter_groups["tuned"] = "mariadb10.11"
        cls.rds.cluster_parameter_groups["tuned-cluster"] = "aurora-mysql8.0"
        cls.rds.subnet_groups.add("private")
        cls.rds.option_groups["audit"] = "mariadb10.11"

    def setUp(self):
        self.rds.reset()
        self.rds.wait_idle()
        self.rds.unseen_looks = 2

    def tearDown(self):
        self.assertEqual(self.rds.all_problems(), [], self.rds.trace())

    def env(self, key=None, **more):
        return {**self.rds.env(key), "DBSAFE_POLL_INTERVAL": "0", **more}

    def snapshot(self, *args, check=0, **options):
        env = {**self.env(), **options.pop("env", {})}
        return process.dbsafe("snapshot", *args, check=check, env=env, **options)

    def start(self, *args):
        argv = process.dbsafe_argv(["snapshot", *args])
        return process.start(argv, env=process.client_env(self.home(), self.env()))

    def home(self):
        return self.rds._private.path

    def took(self, name, source="prod"):
        """A snapshot made without dbsafe."""
        self.rds.client().create_db_snapshot(DBInstanceIdentifier=source, DBSnapshotIdentifier=name)
        self.rds.wait_idle()
        return self.rds.snapshots[name]

    def age(self, snapshot, hours):
        snapshot.created -= datetime.timedelta(hours=hours)

    def changes(self):
        return [r.op for r in self.rds.log() if r.op and r.op.startswith(CHANGES)]

    def query(self, answer, statement, user="admin"):
        connection = pymysql.connect(host=answer["address"], port=answer["port"], user=user, password=PASSWORD)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()


class Create(SnapshotCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rds.create_instance("prod", PASSWORD, "shop")

    def test_create(self):
        made = self.snapshot("create", "--instance", "PROD", "--id", "Before Release 7.2", "--json").json
        self.assertEqual(set(made), KEYS | {"resumed", "seconds", "dry_run"})
        self.assertEqual((made["snapshot"], made["kind"], made["source"], made["status"], made["percent"], made["resumed"], made["by_dbsafe"]),
                         ("before-release-7-2", "instance", "prod", "available", 100, False, True))
        tags = self.rds.snapshots["before-release-7-2"].tags
        self.assertEqual(set(tags), {"dbsafe:created"})
        datetime.datetime.strptime(tags["dbsafe:created"], "%Y-%m-%dT%H:%M:%SZ")
        self.assertEqual(self.rds.instances["prod"].status, "available")

    def test_names(self):
        day = datetime.datetime.now(datetime.timezone.utc)
        made = self.snapshot("create", "--instance", "prod").out.strip()
        self.assertRegex(made, rf"^dbsafe-prod-{day:%Y%m}\d\d-\d{{6}}$")
        made = self.snapshot("create", "--instance", "prod", "--id", "%Y vörher")
        self.assertEqual(made.out.strip(), f"db-{day:%Y}-v-rher")
        self.assertIn("becomes the identifier", made.err)
        longest = self.snapshot("create", "--instance", "prod", "--id", "x" * 300).out.strip()
        self.assertEqual(len(longest), 255)

    def test_who_is_not_there(self):
        for args, says in ((("create", "--instance", "nobody"), "no instance and no cluster is called nobody"),
                           (("list", "--instance", "nobody"), "nobody"), (("wait", "nothing"), "no snapshot is called nothing"),
                           (("delete", "nothing", "--yes"), "nothing"), (("copy", "nothing", "--id", "x"), "nothing"),
                           (("restore", "nothing", "--to", "x"), "nothing"), (("restore", "--instance", "nobody", "--at", "latest", "--to", "x"), "nobody")):
            with self.subTest(args):
                self.assertIn(says, self.snapshot(*args, check=11).err)
        self.assertEqual(self.changes(), [])
        self.assertEqual(self.snapshot("wait", "nothing", "--json", check=11).json["error"]["code"], "ERR_NOT_FOUND")

    def test_usage(self):
        for args, says in ((("create",), "needs --instance"), (("make",), "does not know 'make'"), ((), "needs create|list"),
                           (("wait",), "needs SNAPSHOT"), (("create", "x", "--instance", "prod"), "one argument too many"),
                           (("list", "--at", "latest"), "'--at' does not belong to 'snapshot list'"),
                           (("wait", "x", "--to", "y"), "'--to' does not belong to 'snapshot wait'"),
                           (("restore", "x"), "needs --to"), (("restore", "--to", "x"), "needs SNAPSHOT"), (("copy", "x"), "needs --id"),
                           (("restore", "--to", "x", "--at", "latest"), "--at needs --instance"),
                           (("restore", "--to", "x", "--at", "yesterday", "--instance", "prod"), "neither a time"),
                           (("create", "--instance", "not an id"), "no identifier of RDS")):
            with self.subTest(args):
                self.assertIn(says, self.snapshot(*args, check=2).err)
        self.assertEqual(self.changes(), [])

    def test_errors_of_the_api(self):
        self.rds.plan.inject("denied", op="CreateDBSnapshot")
        denied = self.snapshot("create", "--instance", "prod", "--id", "denied", check=6)
        self.assertIn("is not authorized to perform this action", denied.err)
        self.rds.quota["snapshots"] = 0
        self.addCleanup(self.rds.quota.update, snapshots=100)
        self.assertIn("SnapshotQuotaExceeded", self.snapshot("create", "--instance", "prod", check=6).err)
        self.rds.quota["snapshots"] = 100
        self.took("taken")
        taken = self.snapshot("create", "--instance", "prod", "--id", "taken", "--json", check=6)
        self.assertIn("DBSnapshotAlreadyExists", taken.json["error"]["message"])
        wrong = {"AWS_SECRET_ACCESS_KEY": "harness-not-the-secret"}
        self.assertIn("SignatureDoesNotMatch", self.snapshot("list", env=wrong, check=3).err)

    def test_what_passes_is_outlasted(self):
        self.rds.plan.inject("throttled", times=2)
        self.rds.plan.inject("500", op="DescribeDBSnapshots", times=2)
        self.rds.plan.inject("answer cut short", op="DescribeDBSnapshots", nth=4)
        self.rds.plan.inject("no XML", op="DescribeDBInstances")
        self.rds.snapshots.pop("hard", None)
        self.assertEqual(self.snapshot("create", "--instance", "prod", "--id", "hard").out.strip(), "hard")

    def test_a_lost_answer_makes_one_snapshot(self):
        for fault in ("answer lost", "request lost", "answer cut short"):
            with self.subTest(fault):
                self.rds.reset()
                name = fault.replace(" ", "-")
                lost = self.rds.plan.inject(fault, op="CreateDBSnapshot")
                made = self.snapshot("create", "--instance", "prod", "--id", name, "--json").json
                self.assertEqual((lost.hit, made["status"], made["resumed"]), (1, "available", fault != "request lost"))
                self.assertIn(name, self.rds.snapshots)

    def test_a_busy_instance_is_waited_for(self):
        self.rds.instances["prod"].status = "backing-up"
        running = self.start("create", "--instance", "prod", "--id", "patient")
        wait_until(lambda: "is busy" in running.error_text(), 30, "it notices")
        self.rds.instances["prod"].status = "available"
        process.expect(running.finish(60), 0)

    def test_a_failed_snapshot(self):
        self.rds.fail_next("snapshot", "failed")
        failed = self.snapshot("create", "--instance", "prod", "--id", "broken", check=6)
        self.assertIn("'failed'", failed.err)
        self.assertIn("'failed'", self.snapshot("wait", "broken", check=6).err)
        self.snapshot("delete", "broken", "--yes")  # nothing protects it
        wait_until(lambda: "broken" not in self.rds.snapshots, 30, "broken gone")

    def test_interrupted(self):
        """AWS goes on; the message says how to, and that is right."""
        for number, (send, status) in enumerate((("interrupt", 130), ("terminate", 143))):
            name = f"interrupted-{number}"
            self.rds.states.hold("creating")
            running = self.start("create", "--instance", "prod", "--id", name)
            wait_until(lambda: len(self.rds.log("DescribeDBSnapshots")) > 2, 30, "it waits")
            getattr(running, send)()
            ended = process.inspect(running.finish(60), [])
            self.assertEqual(ended.rc, status, ended)
            self.assertIn(f"'dbsafe snapshot wait {name}' waits for it again", ended.err)
            again = self.start("create", "--instance", "prod", "--id", name, "--json")
            wait_until(lambda: "was begun before" in again.error_text(), 30, "it goes on")
            self.rds.states.release("creating")
            self.assertEqual(process.expect(again.finish(60), 0).json["resumed"], True)
            self.assertEqual(self.snapshot("wait", name, "--json").json["status"], "available")
            self.rds.reset()

    def test_killed(self):
        self.rds.unseen_looks = 0  # "wait" is for what is there
        self.rds.states.hold("creating")
        running = self.start("create", "--instance", "prod", "--id", "killed")
        wait_until(lambda: self.rds.log("DescribeDBSnapshots"), 30, "it waits")
        running.kill()
        running.finish()
        self.rds.states.release("creating")
        self.assertEqual(self.snapshot("wait", "killed").out.strip(), "killed")

    def test_interrupted_while_asking(self):
        self.rds.unseen_looks = 0
        hold = self.rds.plan.hold(op="CreateDBSnapshot", after=True)
        running = self.start("create", "--instance", "prod", "--id", "asked")
        wait_until(hold.arrived, 30, "the request is there")
        running.interrupt()
        ended = running.finish(60)
        hold.release()
        self.assertEqual(ended.rc, 130, ended)
        self.assertIn("whether AWS began with it is not known: 'dbsafe snapshot wait asked' tells", ended.err)
        self.snapshot("wait", "asked")

    def test_no_wait(self):
        self.rds.unseen_looks = 0
        self.rds.states.hold("creating")
        at_once = self.snapshot("create", "--instance", "prod", "--id", "later", "--no-wait", "--json").json
        self.assertEqual(at_once["status"], "creating")
        running = self.start("wait", "later")
        wait_until(lambda: "creating" in running.error_text(), 30, "it waits")
        self.rds.states.release("creating")
        process.expect(running.finish(60), 0)

    def test_progress(self):
        self.rds.states.delays["creating"] = 2.0
        shown = self.snapshot("create", "--instance", "prod", "--id", "slow", "--progress", "always").err
        self.assertRegex(shown, r"snapshot slow: creating, (30|60) %, 0:0\d, about 0:0\d left")

    def test_dry_run(self):
        before = set(self.rds.snapshots)
        shown = self.snapshot("create", "--instance", "prod", "--id", "none", "--dry-run", "--json")
        self.assertEqual((shown.json["snapshot"], shown.json["dry_run"]), ("none", True))
        self.took("dry")
        self.rds.reset()
        self.snapshot("copy", "dry", "--id", "dry-copy", "--dry-run")
        self.snapshot("restore", "dry", "--to", "dry-instance", "--dry-run", "--json")
        self.age(self.rds.snapshots["dry"], 50)
        self.snapshot("delete", "dry", "--dry-run")
        self.assertEqual(self.changes(), [])
        self.assertEqual(set(self.rds.snapshots) - before, {"dry"})

    def test_list(self):
        self.took("listed")
        self.rds.page_size = 2
        found = {s["snapshot"]: s for s in self.snapshot("list", "--instance", "prod", "--json").json["snapshots"]}
        self.assertEqual(set(found["listed"]), KEYS)
        self.assertEqual(set(found), {s.id for s in self.rds.snapshots.values() if s.instance == "prod"})
        self.assertFalse(found["listed"]["by_dbsafe"])
        self.assertIn("automated", {s["type"] for s in found.values()})
        table = self.snapshot("list").out.splitlines()
        self.assertEqual(table[0].split(), ["SNAPSHOT", "OF", "KIND", "TYPE", "STATUS", "CREATED", "GIB", "POINT"])
        self.assertEqual(len(table) - 1, len(self.rds.snapshots) + len(self.rds.cluster_snapshots))

    def test_copy(self):
        self.took("original").tags["dbsafe:point"] = "release-7"
        made = self.snapshot("copy", "original", "--id", "Copy of original", "--kms-key-id", "alias/backup", "--json").json
        self.assertEqual((made["snapshot"], made["source"], made["status"], made["point"], made["encrypted"]),
                         ("copy-of-original", "prod", "available", "release-7", True))

    def test_a_copy_of_another_is_none(self):
        for name in ("first", "second"):
            self.took(name).tags["dbsafe:point"] = "monthly"
            self.rds.snapshots[name].tags["dbsafe:created"] = "2026-01-01T00:00:00Z"
        self.snapshot("copy", "first", "--id", "keep")
        self.assertTrue(self.snapshot("copy", "first", "--id", "keep", "--json").json["resumed"])
        for args in (("second", "--id", "keep"), ("second", "--id", "first"), ("first", "--id", "keep", "--kms-key-id", "alias/backup")):
            self.assertIn("DBSnapshotAlreadyExists", self.snapshot("copy", *args, check=6).err)

    def test_an_arn_names_account_and_region(self):
        self.took("local")
        right = "arn:aws:rds:eu-west-1:123456789012"
        self.snapshot("create", "--instance", f"{right}:db:prod", "--id", "by-arn")
        self.snapshot("wait", f"{right}:snapshot:local")
        for place in ("arn:aws:rds:us-east-1:123456789012", "arn:aws:rds:eu-west-1:999999999999"):
            for args in (("create", "--instance", f"{place}:db:prod", "--id", "wrong"), ("list", "--instance", f"{place}:db:prod"),
                         ("wait", f"{place}:snapshot:local"), ("restore", f"{place}:snapshot:local", "--to", "x", "--dry-run"),
                         ("copy", f"{place}:snapshot:local", "--id", "wrong"), ("delete", f"{place}:snapshot:local", "--yes", "--force"),
                         ("restore", "--instance", f"{place}:db:prod", "--at", "latest", "--to", "x")):
                with self.subTest(args):
                    self.assertIn(f"{right}:", self.snapshot(*args, check=11).err)
        self.assertNotIn("wrong", self.rds.snapshots)

    def test_temporary_keys(self):
        """Keys that expire while a wait goes on: those of a process are fetched anew, those of the environment are at their end."""
        def expiring():
            return self.rds.issue_key(temporary=True, expires=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1))
        key, fresh = expiring(), expiring()
        folder = self.home()
        handed = folder / "handed"
        for number, k in enumerate((key, fresh)):
            (folder / f"keys-{number}").write_text(json.dumps({"Version": 1, "AccessKeyId": k.access_key, "SecretAccessKey": k.secret_key,
                                                               "SessionToken": k.token, "Expiration": k.expires.strftime("%Y-%m-%dT%H:%M:%SZ")}))
        script = folder / "keys.sh"
        script.write_text(f"#!/bin/sh\nif [ -e {handed} ]; then cat {folder}/keys-1; else touch {handed}; cat {folder}/keys-0; fi\n")
        script.chmod(stat.S_IRWXU)
        config = folder / "aws-config"
        config.write_text(f"[default]\nregion = {self.rds.region}\ncredential_process = {script}\n")
        env = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_CONFIG_FILE": config, "DBSAFE_POLL_INTERVAL": "0"}
        self.rds.states.hold("creating")
        running = process.start(process.dbsafe_argv(["snapshot", "create", "--instance", "prod", "--id", "refreshed"]),
                                env=process.client_env(folder, {**self.env(), **env}))
        wait_until(lambda: self.rds.log("DescribeDBSnapshots"), 30, "it waits")
        key.expires -= datetime.timedelta(hours=2)
        wait_until(lambda: any(r.error == "ExpiredToken" for r in self.rds.log()), 30, "the keys are refused")
        self.rds.states.release("creating")
        process.expect(process.inspect(running.finish(60), []), 0)
        expired = self.snapshot("list", env=self.rds.env(key), check=3)
        self.assertIn("ExpiredToken", expired.err)

    def test_the_clock_may_be_wrong(self):
        self.rds.clock_offset = datetime.timedelta(hours=3)
        self.snapshot("list")


class Delete(SnapshotCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rds.create_instance("prod", PASSWORD, "shop")

    def setUp(self):
        super().setUp()
        for name in ("one", "two"):
            if name not in self.rds.snapshots:
                self.age(self.took(name), 50)

    def kept(self, *names):
        self.assertLessEqual(set(names), set(self.rds.snapshots))
        self.assertEqual(self.rds.log("DeleteDBSnapshot"), [])

    def test_needs_a_yes(self):
        refused = self.snapshot("delete", "one", check=10)
        self.assertIn("not confirmed", refused.err)
        self.kept("one", "two")

    def test_needs_the_exact_name(self):
        self.assertIn("exact name", self.snapshot("delete", "ONE", "--yes", check=10).err)
        self.kept("one", "two")

    def test_deletes(self):
        gone = self.snapshot("delete", "one", "--yes", "--json").json
        self.assertEqual((gone["snapshot"], gone["deleted"]), ("one", True))
        wait_until(lambda: "one" not in self.rds.snapshots, 30, "one gone")

    def test_a_lost_answer(self):
        self.rds.states.delays["deleting"] = 0
        self.rds.plan.inject("answer lost", op="DeleteDBSnapshot")
        self.snapshot("delete", "one", "--yes")
        wait_until(lambda: "one" not in self.rds.snapshots, 30, "one gone")

    def test_the_young_are_protected(self):
        young = self.took("young")
        self.age(young, 47)
        self.assertIn("younger than 48 hours", self.snapshot("delete", "young", "--yes", check=10).err)
        self.kept("young")
        self.snapshot("delete", "young", "--yes", "--force")
        wait_until(lambda: "young" not in self.rds.snapshots, 30, "young gone")

    def test_the_last_one_is_protected(self):
        for name in list(self.rds.snapshots):
            if name != "one" and self.rds.snapshots[name].kind == "manual":
                del self.rds.snapshots[name]
        refused = self.snapshot("delete", "one", "--yes", "--json", check=10)
        self.assertIn("the only one of prod", refused.json["error"]["message"])
        self.kept("one")
        self.snapshot("delete", "one", "--yes", "--force")
        wait_until(lambda: "one" not in self.rds.snapshots, 30, "one gone")

    def test_typed(self):
        for typed, status in (("two", 10), ("yes", 10), ("one", 0)):
            self.assertEqual(self.on_a_terminal(["delete", "one"], "Type one to go on", typed), status, typed)
        wait_until(lambda: "one" not in self.rds.snapshots, 30, "one gone")

    def on_a_terminal(self, args, question, typed):
        """Runs dbsafe with a terminal, answers one question; the exit status."""
        argv = process.dbsafe_argv(["snapshot", *args])
        env = process.client_env(self.home(), self.env())
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(argv[0], argv, env)
        shown = b""
        while question.encode() not in shown:
            shown += os.read(fd, 1000)
        os.write(fd, typed.encode() + b"\n")
        try:
            while os.read(fd, 1000):
                pass
        except OSError:
            pass  # its end
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Restore(SnapshotCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rds.create_instance("prod", PASSWORD, "shop", Tags=[{"Key": "team", "Value": "data"}, {"Key": "dbsafe:created", "Value": "x"}],
                                **SETTINGS)
        cls.prod = cls.rds.instances["prod"]
        cls.prod.server.sql("CREATE TABLE shop.t (n INT PRIMARY KEY) ENGINE=InnoDB AS SELECT seq n FROM seq_1_to_1000", schema="shop")
        cls.rds.client().create_db_snapshot(DBInstanceIdentifier="prod", DBSnapshotIdentifier="before")
        cls.rds.wait_idle()
        cls.prod.server.sql("DELETE FROM shop.t WHERE n > 10")

    def test_everything_that_is_forgotten_comes_back(self):
        made = self.snapshot("restore", "before", "--to", "Back", "--json").json
        self.assertEqual(set(made), {"from", "kind", "instance", "resource_id", "status", "address", "port", "members", "resumed", "differences",
                                     "notices", "seconds", "dry_run"})
        self.assertEqual((made["from"], made["kind"], made["instance"], made["status"], made["differences"]),
                         ("before", "instance", "back", "available", []))
        self.assertEqual(self.query(made, "SELECT COUNT(*) FROM shop.t"), ((1000,),))
        back = self.rds.instances["back"]
        unset = [name for name in FORGOTTEN if self.prod.settings[name] == FORGOTTEN[name]]
        self.assertLessEqual(set(unset), {"AvailabilityZone", "LicenseModel", "PromotionTier"}, "a setting that this test says nothing about")
        for name in FORGOTTEN:
            self.assertEqual(back.settings[name], self.prod.settings[name], name)
        self.assertEqual(back.endpoint[1], self.prod.endpoint[1])
        self.assertEqual({k: v for k, v in back.tags.items() if k != "dbsafe:created"}, {"team": "data", "dbsafe:snapshot": "before"})
        self.assertNotEqual(back.tags["dbsafe:created"], "x")
        self.assertEqual(self.prod.server.value("SELECT COUNT(*) FROM shop.t"), 10, "the source is as it was")

    def test_plain_answer(self):
        made = self.snapshot("restore", "before", "--to", "plain", "--verbose")
        address, port = self.rds.instances["plain"].endpoint
        self.assertEqual(made.out, f"{address}:{port}\n")
        self.assertIn("available", made.err)

    def test_lost_answers_throttling_flapping(self):
        self.rds.plan.inject("answer lost", op="RestoreDBInstanceFromDBSnapshot")
        self.rds.plan.inject("answer lost", op="ModifyDBInstance")
        self.rds.plan.inject("throttled", op="DescribeDBInstances", nth=4, times=3)
        running = self.start("restore", "before", "--to", "hard", "--json")
        wait_until(lambda: "hard" in self.rds.instances, 30, "the restore")
        self.rds.instances["hard"].shown = ["available", "backing-up", "available", "modifying"]
        made = process.expect(process.inspect(running.finish(120), []), 0).json
        self.assertEqual((made["differences"], made["status"], made["resumed"]), ([], "available", True))
        self.assertEqual(len(self.rds.restores), 1)

    def test_interrupted_and_killed(self):
        for number, how in enumerate(("interrupt", "kill")):
            name = f"stopped-{number}"
            self.rds.states.hold("creating")
            running = self.start("restore", "before", "--to", name)
            wait_until(lambda n=name: n in self.rds.instances and "creating" in running.error_text(), 30, "it waits")
            getattr(running, how)()
            ended = running.finish(60)
            if how == "interrupt":
                self.assertEqual(ended.rc, 130)
                self.assertIn(f"AWS goes on with restoring {name}: the same command again goes on from there", ended.err)
            self.rds.states.release("creating")
            made = self.snapshot("restore", "before", "--to", name, "--json").json
            self.assertEqual((made["resumed"], made["differences"]), (True, []))
            self.assertEqual(self.query(made, "SELECT COUNT(*) FROM shop.t"), ((1000,),))

    def test_a_restore_that_fails(self):
        self.rds.fail_next("restore", "incompatible-restore")
        failed = self.snapshot("restore", "before", "--to", "doomed", check=6)
        self.assertIn("'incompatible-restore'", failed.err)
        self.rds.quota["instances"] = len(self.rds.instances)
        self.addCleanup(self.rds.quota.update, instances=40)
        self.assertIn("InstanceQuotaExceeded", self.snapshot("restore", "before", "--to", "many", check=6).err)

    def test_a_name_in_use(self):
        self.assertIn("DBInstanceAlreadyExists", self.snapshot("restore", "before", "--to", "prod", check=6).err)
        self.assertEqual(self.changes(), ["RestoreDBInstanceFromDBSnapshot"])
        self.assertEqual(self.prod.server.value("SELECT COUNT(*) FROM shop.t"), 10)

    def test_what_cannot_be_set_is_told(self):
        self.rds.plan.inject("denied", op="ModifyDBInstance", times=50)
        made = self.snapshot("restore", "before", "--to", "partly", "--json")
        self.assertIn("is not authorized", made.err)
        settings = {d["setting"]: (d["where"], d["source"], d["restored"]) for d in made.json["differences"]}
        self.assertEqual(settings["backup retention"], ("partly", "7", "1"))
        self.assertIn("largest storage", settings)
        self.assertNotIn("class", settings, "that was passed with the restore")

    def test_one_refused_setting_does_not_keep_the_others(self):
        self.rds.plan.inject("denied", op="ModifyDBInstance", times=50, where=lambda r: "MonitoringRoleArn" in r.parameters)
        made = self.snapshot("restore", "before", "--to", "but-one", "--json")
        self.assertEqual({d["setting"] for d in made.json["differences"]}, {"monitoring interval", "monitoring role"})
        self.assertEqual(made.err.count("is not authorized"), 2, made.err)

    def test_busy_right_after_the_restore(self):
        """The first backup of a new instance often comes just when its settings are to be modified."""
        self.rds.plan.inject(BUSY, op="ModifyDBInstance", times=2)
        made = self.snapshot("restore", "before", "--to", "busy", "--json")
        self.assertEqual(made.json["differences"], [])
        self.assertIn("cannot be modified yet", made.err)
        self.rds.states.delays = {"modifying": 0.6}
        self.rds.plan.inject("answer lost", op="ModifyDBInstance")
        self.assertEqual(self.snapshot("restore", "before", "--to", "unheard", "--json").json["differences"], [])
        self.assertEqual(self.rds.instances["unheard"].status, "available")

    def test_the_source_was_upgraded_and_has_grown(self):
        self.rds.parameter_groups["tuned-106"] = "mariadb10.6"
        self.rds.create_instance("aging", PASSWORD, EngineVersion="10.6.14", DBParameterGroupName="tuned-106", StorageType="gp3", AllocatedStorage=100)
        self.took("young", "aging")
        self.rds.client().modify_db_instance(
            DBInstanceIdentifier="aging", EngineVersion="10.11.6", DBParameterGroupName="tuned", OptionGroupName="audit", AllocatedStorage=500,
            Iops=12000, StorageThroughput=500, AllowMajorVersionUpgrade=True, ApplyImmediately=True)
        self.rds.wait_idle()
        made = self.snapshot("restore", "young", "--to", "younger", "--json").json
        self.assertEqual({d["setting"]: (d["source"], d["restored"]) for d in made["differences"]},
                         {"parameter group": ("tuned", "default.mariadb10.6"), "option group": ("audit", "default:mariadb-10-6")})
        younger = self.rds.instances["younger"]
        self.assertEqual((younger.version, younger.storage, younger.settings["Iops"], younger.settings["StorageThroughput"]),
                         ("10.6.14", 500, 12000, 500))

    def test_what_is_there_already_is_told(self):
        def age(name):  # tags have whole seconds: in one of them it could be this very call's
            self.rds.instances[name].tags["dbsafe:created"] = "2026-01-01T00:00:00Z"
        self.snapshot("restore", "before", "--to", "there")
        age("there")
        self.assertIn("there exists already, restored of the same ", self.snapshot("restore", "before", "--to", "there").err)
        self.snapshot("restore", "--instance", "prod", "--at", "latest", "--to", "moment")
        age("moment")
        refused = self.snapshot("restore", "--instance", "prod", "--at", "latest", "--to", "moment", check=10)
        self.assertIn(f"moment exists already, restored {self.rds.instances['moment'].tags['dbsafe:created']}", refused.err)

    def test_notices(self):
        self.prod.roles.append({"RoleArn": "arn:aws:iam::123456789012:role/s3", "FeatureName": "s3Import", "Status": "ACTIVE"})
        self.addCleanup(self.prod.roles.clear)
        made = self.snapshot("restore", "before", "--to", "roles", "--json")
        self.assertEqual(len(made.json["notices"]), 1)
        self.assertIn("IAM roles are not carried over", made.err)

    def test_the_source_is_gone_or_has_another_name(self):
        self.rds.create_instance("short", PASSWORD, "shop", DBInstanceClass="db.m6g.large")
        self.took("of-short", "short")
        self.rds.client().modify_db_instance(DBInstanceIdentifier="short", NewDBInstanceIdentifier="renamed", ApplyImmediately=True)
        self.rds.wait_idle()
        self.snapshot("restore", "of-short", "--to", "by-resource")
        self.assertEqual(self.rds.instances["by-resource"].settings["DBInstanceClass"], "db.m6g.large")
        found = [s["snapshot"] for s in self.snapshot("list", "--instance", "renamed", "--json").json["snapshots"]]
        self.assertIn("of-short", found)
        self.rds.client().delete_db_instance(DBInstanceIdentifier="renamed", SkipFinalSnapshot=True)
        self.rds.wait_idle()
        gone = self.snapshot("restore", "of-short", "--to", "orphan", check=11)
        self.assertIn("--instance", gone.err)
        self.snapshot("list", "--instance", "short")
        self.snapshot("restore", "of-short", "--to", "like-prod", "--instance", "prod")
        self.assertEqual(self.rds.instances["like-prod"].settings["DBInstanceClass"], "db.m6g.large")
        self.assertEqual(self.rds.instances["like-prod"].settings["DBParameterGroupName"], "tuned")
        forced = self.snapshot("restore", "of-short", "--to", "orphan", "--force")
        self.assertIn("default settings", forced.err)
        self.assertEqual(self.rds.instances["orphan"].settings["DBInstanceClass"], FORGOTTEN["DBInstanceClass"])

    def test_point_in_time(self):
        self.rds.create_instance("clocked", PASSWORD, "shop", DBInstanceClass="db.m6g.large")
        server = self.rds.instances["clocked"].server
        server.sql("CREATE TABLE shop.log (n INT PRIMARY KEY) ENGINE=InnoDB")
        server.sql("INSERT INTO shop.log VALUES (1), (2)")
        then = server.value("SELECT UTC_TIMESTAMP() + INTERVAL 1 SECOND")
        wait_until(lambda: server.value("SELECT UTC_TIMESTAMP()") > then, 10, "the next second")
        server.sql("DELETE FROM shop.log")
        made = self.snapshot("restore", "--instance", "clocked", "--at", f"{then:%Y-%m-%dT%H:%M:%SZ}", "--to", "earlier", "--json").json
        self.assertEqual(self.query(made, "SELECT n FROM shop.log"), ((1,), (2,)))
        self.assertEqual((made["from"], made["differences"]), ("clocked", []))
        made = self.snapshot("restore", "--instance", "clocked", "--at", "latest", "--to", "latest", "--json").json
        self.assertEqual(self.query(made, "SELECT n FROM shop.log"), ())
        self.assertEqual(self.rds.instances["latest"].settings["DBInstanceClass"], "db.m6g.large")
        future = self.snapshot("restore", "--instance", "clocked", "--at", "2099-01-01T00:00:00Z", "--to", "future", check=6)
        self.assertIn("InvalidRestoreFault", future.err)


class Clusters(SnapshotCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rds.create_cluster("blue", 2, PASSWORD, DatabaseName="shop", EngineVersion="8.0.mysql_aurora.3.04.0", Tags=[{"Key": "team", "Value": "data"}], **CLUSTER_SETTINGS)
        cls.blue = cls.rds.clusters["blue"]
        cls.blue.members[1].settings.update(PromotionTier=7, DBInstanceClass="db.r6g.xlarge", MonitoringInterval=30,
                                            MonitoringRoleArn="arn:aws:iam::123456789012:role/monitoring")
        cls.blue.server.sql("CREATE TABLE shop.t (n INT PRIMARY KEY) ENGINE=InnoDB AS SELECT seq n FROM seq_1_to_1000", schema="shop")

    def test_a_member_stands_for_its_cluster(self):
        made = self.snapshot("create", "--instance", "blue-instance-2", "--id", "blue-1", "--json").json
        self.assertEqual((made["kind"], made["source"], made["status"]), ("cluster", "blue", "available"))
        self.assertEqual(set(self.rds.cluster_snapshots["blue-1"].tags), {"dbsafe:created"})
        self.blue.server.sql("DELETE FROM shop.t WHERE n > 10")
        back = self.snapshot("restore", "blue-1", "--to", "green", "--json").json
        self.assertEqual((back["kind"], back["instance"], back["members"], back["differences"]),
                         ("cluster", "green", ["green-instance-1", "green-instance-2"], []))
        self.assertEqual(self.query(back, "SELECT COUNT(*) FROM shop.t"), ((1000,),))
        green = self.rds.clusters["green"]
        for name in CLUSTER_FORGOTTEN:
            self.assertEqual(green.settings[name], self.blue.settings[name], name)
        for mine, theirs in zip(green.members, self.blue.members):
            for name in FORGOTTEN:
                self.assertEqual(mine.effective[name], theirs.effective[name], f"{mine.id} {name}")
        self.assertEqual(green.version, self.blue.version, "not the region's default")
        self.assertEqual(green.tags["team"], "data")
        self.assertEqual({m.tags["dbsafe:snapshot"] for m in green.members}, {"blue-1"})
        self.snapshot("list", "--instance", "blue-instance-1")
        self.assertEqual(self.blue.server.value("SELECT COUNT(*) FROM shop.t"), 10)

    def test_interrupted(self):
        self.snapshot("create", "--instance", "blue", "--id", "blue-2")
        for number in (1, 2):  # while the cluster, then while its members are being made
            self.rds.states.hold("creating")
            running = self.start("restore", "blue-2", "--to", "cut")
            if number == 2:
                wait_until(lambda: "cut" in self.rds.clusters, 30, "the cluster")
                self.rds.states.release("creating")
                wait_until(lambda: "cut-instance-2" in self.rds.instances, 30, "both members")
                self.rds.states.hold("creating")
            else:
                wait_until(lambda: "cluster cut: creating" in running.error_text(), 30, "it waits")
            running.kill()
            running.finish()
            self.rds.states.release("creating")
        made = self.snapshot("restore", "blue-2", "--to", "cut", "--json").json
        self.assertEqual((made["resumed"], made["members"], made["differences"]), (True, ["cut-instance-1", "cut-instance-2"], []))

    def test_names_of_both_kinds(self):
        self.rds.create_instance("single", PASSWORD)
        self.snapshot("create", "--instance", "blue", "--id", "same")
        self.took("same", "single")
        self.assertIn("two snapshots are called same", self.snapshot("wait", "same", check=2).err)
        arn = self.rds.cluster_snapshots["same"].arn
        self.assertEqual(self.snapshot("wait", arn, "--json").json["kind"], "cluster")
        self.snapshot("delete", arn, "--yes", "--force")
        wait_until(lambda: "same" not in self.rds.cluster_snapshots, 30, "it is gone")
        self.assertIn("same", self.rds.snapshots)

    def test_copy(self):
        self.snapshot("create", "--instance", "blue", "--id", "blue-3")
        self.assertEqual(self.snapshot("copy", "blue-3", "--id", "blue-4", "--json").json["kind"], "cluster")

    def test_latest(self):
        made = self.snapshot("restore", "--instance", "blue", "--at", "latest", "--to", "now", "--json").json
        self.assertEqual((made["kind"], made["differences"]), ("cluster", []))
        self.assertEqual(self.query(made, "SELECT COUNT(*) >= 10 FROM shop.t"), ((1,),))

    def test_what_does_not_fit(self):
        self.snapshot("create", "--instance", "blue", "--id", "blue-5")
        if "single" not in self.rds.instances:
            self.rds.create_instance("single", PASSWORD)
        self.assertIn("no cluster", self.snapshot("restore", "blue-5", "--to", "x", "--instance", "single", check=2).err)
