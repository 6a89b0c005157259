"""The double of RDS against AWS's own clients (Debian's botocore and aws), and what it says against the real servers behind it."""

import datetime
import threading

import botocore.exceptions
import pymysql

from lib import TestCase, wait_until
from lib.rds_double import RdsDouble
from lib.rds_things import CLUSTER_FORGOTTEN, FORGOTTEN

PASSWORD = "harness-rds-master-pw-7Hq"


def code_of(context):
    return context.exception.response["Error"]["Code"]


class DoubleCase(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rds = RdsDouble()
        cls.addClassCleanup(cls.rds.close)
        cls.api = cls.rds.client()

    def setUp(self):
        self.rds.reset()

    def tearDown(self):
        self.assertEqual(self.rds.all_problems(), [], self.rds.trace())

    def refused(self):
        return self.assertRaises(botocore.exceptions.ClientError)

    def instance(self, name):
        return self.api.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]

    def snapshot(self, name):
        return self.api.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]

    def available(self, name):
        wait_until(lambda: self.instance(name)["DBInstanceStatus"] == "available", 60, f"{name} available")
        self.rds.wait_idle()
        return self.instance(name)

    def taken(self, instance, name, **options):
        self.api.create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier=name, **options)
        wait_until(lambda: self.snapshot(name)["Status"] == "available", 60, f"{name} available")
        return self.snapshot(name)

    def connect(self, endpoint, user="admin", password=PASSWORD):
        return pymysql.connect(host=endpoint["Address"], port=endpoint["Port"], user=user, password=password, autocommit=True)

    def query(self, endpoint, statement, **login):
        connection = self.connect(endpoint, **login)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()


class Requests(DoubleCase):
    """Who may ask, and in which form."""

    def test_signatures(self):
        self.assertEqual(self.api.describe_db_instances()["DBInstances"], [])
        wrong = self.rds.client(type(self.rds.key)(self.rds.key.access_key, "not the secret"))
        with self.refused() as e:
            wrong.describe_db_instances()
        self.assertEqual(code_of(e), "SignatureDoesNotMatch")
        with self.refused() as e:
            self.rds.client(type(self.rds.key)("AKIAUNKNOWN", "x")).describe_db_instances()
        self.assertEqual(code_of(e), "InvalidClientTokenId")

    def test_temporary_keys_expire(self):
        key = self.rds.issue_key(temporary=True, expires=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1))
        client = self.rds.client(key)
        client.describe_db_instances()
        key.expires -= datetime.timedelta(hours=2)
        with self.refused() as e:
            client.describe_db_instances()
        self.assertEqual(code_of(e), "ExpiredToken")

    def test_clock(self):
        self.rds.clock_offset = datetime.timedelta(hours=1)
        with self.refused() as e:
            self.api.describe_db_instances()
        self.assertEqual(code_of(e), "SignatureDoesNotMatch")
        self.assertIn("Signature expired", str(e.exception))

    def test_only_what_the_model_knows(self):
        read = self.rds.model.request
        self.assertEqual(
            read(b"Action=CreateDBSnapshot&Version=2014-10-31&DBInstanceIdentifier=a&DBSnapshotIdentifier=b&Tags.Tag.1.Key=k&Tags.Tag.1.Value=v"),
            ("CreateDBSnapshot", {"DBInstanceIdentifier": "a", "DBSnapshotIdentifier": "b", "Tags": [{"Key": "k", "Value": "v"}]}))
        for body in (b"Action=CreateDBSnapshot&Version=2014-10-31&DBInstanceIdentifier=a",
                     b"Action=DescribeDBInstances&Version=2014-10-31&Instance=a",
                     b"Action=DescribeDBInstances&Version=2012-01-01",
                     b"Action=DescribeDBInstances&Version=2014-10-31&MaxRecords=many",
                     b"Action=CreateDBSnapshot&Version=2014-10-31&DBInstanceIdentifier=a&DBSnapshotIdentifier=b&Tags.member.1.Key=k",
                     b"Action=CreateDBSnapshot&Version=2014-10-31&DBInstanceIdentifier=a&DBSnapshotIdentifier=b&Tags.Tag.2.Key=k"):
            with self.subTest(body), self.assertRaises(Exception) as e:
                read(body)
            self.assertEqual(type(e.exception).__name__, "RdsError")

    def test_errors_are_those_of_the_model(self):
        for call, options, code, status in (
                ("describe_db_instances", {"DBInstanceIdentifier": "none"}, "DBInstanceNotFound", 404),
                ("describe_db_snapshots", {"DBSnapshotIdentifier": "none"}, "DBSnapshotNotFound", 404),
                ("describe_db_clusters", {"DBClusterIdentifier": "none"}, "DBClusterNotFoundFault", 404),
                ("describe_db_cluster_snapshots", {"DBClusterSnapshotIdentifier": "none"}, "DBClusterSnapshotNotFoundFault", 404),
                ("create_db_snapshot", {"DBInstanceIdentifier": "none", "DBSnapshotIdentifier": "x"}, "DBInstanceNotFound", 404)):
            with self.subTest(call), self.refused() as e:
                getattr(self.api, call)(**options)
            self.assertEqual((code_of(e), e.exception.response["ResponseMetadata"]["HTTPStatusCode"]), (code, status))
            self.assertIsInstance(e.exception, getattr(self.api.exceptions, type(e.exception).__name__))


class Instances(DoubleCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rds.parameter_groups["tuned"] = "mariadb10.11"
        cls.rds.create_instance("prod", PASSWORD, "shop", VpcSecurityGroupIds=["sg-1", "sg-2"], DBParameterGroupName="tuned",
                                MultiAZ=True, Tags=[{"Key": "team", "Value": "data"}])
        cls.prod = cls.rds.instances["prod"]

    def test_life(self):
        self.rds.states.hold("creating")
        made = self.api.create_db_instance(DBInstanceIdentifier="Young", Engine="mariadb", DBInstanceClass="db.t3.micro", AllocatedStorage=5,
                                           MasterUsername="boss", MasterUserPassword=PASSWORD, BackupRetentionPeriod=0)["DBInstance"]
        self.assertEqual((made["DBInstanceIdentifier"], made["DBInstanceStatus"]), ("young", "creating"))
        self.assertNotIn("Endpoint", made)
        with self.refused() as e:
            self.api.create_db_snapshot(DBInstanceIdentifier="young", DBSnapshotIdentifier="early")
        self.assertEqual(code_of(e), "InvalidDBInstanceState")
        self.rds.states.release("creating")
        made = self.available("young")
        self.assertEqual(self.query(made["Endpoint"], "SELECT CURRENT_USER()", user="boss"), (("boss@%",),))
        with self.assertRaises(pymysql.err.OperationalError) as e:
            self.query(made["Endpoint"], "SET GLOBAL read_only=1", user="boss")
        self.assertEqual(e.exception.args[0], 1227)
        with self.refused() as e:
            self.api.delete_db_instance(DBInstanceIdentifier="young")
        self.assertEqual(code_of(e), "InvalidParameterCombination")
        self.api.delete_db_instance(DBInstanceIdentifier="young", FinalDBSnapshotIdentifier="young-final")
        wait_until(lambda: "young" not in self.rds.instances, 60, "young gone")
        self.assertEqual(self.snapshot("young-final")["Status"], "available")
        with self.assertRaises(pymysql.err.OperationalError):
            self.connect(made["Endpoint"], user="boss")

    def test_a_snapshot_is_of_one_moment(self):
        """Two connections take turns; what the copy holds must be a prefix of what was committed, and all that was before it."""
        self.prod.server.sql("CREATE TABLE shop.steps (n INT PRIMARY KEY, filler TEXT) ENGINE=InnoDB")
        written, go = [], threading.Event()

        def write():
            connection = self.prod.server.connect(database="shop")
            with connection, connection.cursor() as cursor:
                while not go.is_set():
                    cursor.execute("INSERT INTO steps VALUES (%s, REPEAT('x', 3000))", (len(written),))
                    written.append(1)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            wait_until(lambda: len(written) > 50, 30, "some rows")
            before = len(written)
            self.taken("prod", "moment")
            after = len(written)
            wait_until(lambda: len(written) > after + 20, 30, "writing goes on")
        finally:
            go.set()
            writer.join()
        self.api.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="back", DBSnapshotIdentifier="moment")
        endpoint = self.available("back")["Endpoint"]
        (rows, top), = self.query(endpoint, "SELECT COUNT(*), MAX(n) FROM shop.steps")
        self.assertEqual(rows, top + 1, "a hole")
        self.assertTrue(before <= rows <= after + 1, (before, rows, after))

    def test_progress(self):
        self.rds.states.delays["creating"] = 1.0
        self.api.create_db_snapshot(DBInstanceIdentifier="prod", DBSnapshotIdentifier="slow")
        seen = []

        def look():
            s = self.snapshot("slow")
            seen.append((s["Status"], s["PercentProgress"]))
            return s["Status"] == "available"
        wait_until(look, 60, "slow available")
        self.assertEqual(seen, sorted(seen, key=lambda x: x[1]))
        self.assertGreater(len({p for _, p in seen}), 3)
        self.assertEqual(seen[-1], ("available", 100))
        with self.refused() as e:
            self.api.create_db_snapshot(DBInstanceIdentifier="prod", DBSnapshotIdentifier="slow")
        self.assertIn(code_of(e), ("DBSnapshotAlreadyExists", "InvalidDBInstanceState"))

    def test_restoring_forgets(self):
        self.taken("prod", "kept", Tags=[{"Key": "a", "Value": "b"}])
        self.assertEqual(self.snapshot("kept")["TagList"], [{"Key": "a", "Value": "b"}])
        self.api.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="forgetful", DBSnapshotIdentifier="kept")
        made = self.available("forgetful")
        for name in ("DBInstanceClass", "MultiAZ", "PubliclyAccessible"):
            self.assertEqual(made[name], FORGOTTEN[name])
        self.assertEqual([g["VpcSecurityGroupId"] for g in made["VpcSecurityGroups"]], ["sg-default"])
        self.assertEqual(made["DBParameterGroups"][0]["DBParameterGroupName"], "default.mariadb10.11")
        self.assertEqual(made["TagList"], [])
        self.assertNotEqual(made["DbiResourceId"], self.prod.resource)
        self.api.restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier="told", DBSnapshotIdentifier="kept", DBParameterGroupName="tuned", VpcSecurityGroupIds=["sg-1"], MultiAZ=True,
            Tags=[{"Key": "k", "Value": "v"}])
        made = self.available("told")
        self.assertEqual((made["MultiAZ"], made["DBParameterGroups"][0], made["TagList"]),
                         (True, {"DBParameterGroupName": "tuned", "ParameterApplyStatus": "in-sync"}, [{"Key": "k", "Value": "v"}]))
        with self.refused() as e:
            self.api.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="x", DBSnapshotIdentifier="kept", DBParameterGroupName="nobody")
        self.assertEqual(code_of(e), "DBParameterGroupNotFound")

    def test_point_in_time(self):
        self.rds.create_instance("clocked", PASSWORD, "shop")
        source = self.rds.instances["clocked"]
        source.server.sql("CREATE TABLE shop.log (n INT PRIMARY KEY) ENGINE=InnoDB")
        source.server.sql("INSERT INTO shop.log VALUES (1), (2)")
        # The binlog counts whole seconds: the moment must lie between two of them.
        then = source.server.value("SELECT UTC_TIMESTAMP() + INTERVAL 1 SECOND")
        wait_until(lambda: source.server.value("SELECT UTC_TIMESTAMP()") > then, 10, "the next second")
        source.server.sql("DELETE FROM shop.log")
        self.api.restore_db_instance_to_point_in_time(SourceDBInstanceIdentifier="clocked", TargetDBInstanceIdentifier="earlier",
                                                      RestoreTime=then.replace(tzinfo=datetime.timezone.utc))
        self.api.restore_db_instance_to_point_in_time(SourceDBInstanceIdentifier="clocked", TargetDBInstanceIdentifier="latest",
                                                      UseLatestRestorableTime=True)
        self.assertEqual(self.query(self.available("earlier")["Endpoint"], "SELECT n FROM shop.log"), ((1,), (2,)))
        self.assertEqual(self.query(self.available("latest")["Endpoint"], "SELECT n FROM shop.log"), ())
        with self.refused() as e:
            self.api.restore_db_instance_to_point_in_time(SourceDBInstanceIdentifier="clocked", TargetDBInstanceIdentifier="future",
                                                          RestoreTime=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1))
        self.assertEqual(code_of(e), "InvalidRestoreFault")

    def test_renaming_moves_the_address(self):
        for name in ("one", "two"):
            self.rds.create_instance(name, PASSWORD)
            self.rds.instances[name].server.sql(f"CREATE DATABASE {name}")
        at_one, at_two = self.instance("one")["Endpoint"], self.instance("two")["Endpoint"]
        resource = self.instance("one")["DbiResourceId"]
        self.rds.states.hold("renaming")
        self.api.modify_db_instance(DBInstanceIdentifier="one", NewDBInstanceIdentifier="one-old", ApplyImmediately=True)
        self.assertEqual(self.instance("one")["PendingModifiedValues"], {"DBInstanceIdentifier": "one-old"})
        with self.refused() as e:
            self.api.modify_db_instance(DBInstanceIdentifier="two", NewDBInstanceIdentifier="one-old", ApplyImmediately=True)
        self.assertEqual(code_of(e), "DBInstanceAlreadyExists")
        self.rds.states.release("renaming")
        self.assertEqual(self.available_later("one-old")["DbiResourceId"], resource)
        with self.refused() as e:
            self.instance("one")
        self.assertEqual(code_of(e), "DBInstanceNotFound")
        self.api.modify_db_instance(DBInstanceIdentifier="two", NewDBInstanceIdentifier="one", ApplyImmediately=True)
        self.assertEqual(self.available_later("one")["Endpoint"], at_one)
        self.assertEqual(self.query(at_one, "SHOW DATABASES LIKE 'two'"), (("two",),))
        with self.assertRaises(pymysql.err.OperationalError):
            self.connect(at_two)
        self.assertEqual(self.query(self.instance("one-old")["Endpoint"], "SHOW DATABASES LIKE 'one'"), (("one",),))
        found = self.api.describe_db_instances(Filters=[{"Name": "dbi-resource-id", "Values": [resource]}])["DBInstances"]
        self.assertEqual([i["DBInstanceIdentifier"] for i in found], ["one-old"])

    def available_later(self, name):
        wait_until(lambda: name in self.rds.instances, 60, f"{name} exists")
        return self.available(name)

    def test_modify(self):
        self.rds.create_instance("plain", PASSWORD)
        self.rds.states.hold("pending")
        answer = self.api.modify_db_instance(DBInstanceIdentifier="plain", DBInstanceClass="db.r6g.large", MasterUserPassword="harness-rds-new-pw-2Kx",
                                             PreferredMaintenanceWindow="mon:01:00-mon:01:30", ApplyImmediately=True)["DBInstance"]
        self.assertEqual(answer["PendingModifiedValues"], {"DBInstanceClass": "db.r6g.large", "MasterUserPassword": "****"})
        self.assertEqual(self.instance("plain")["DBInstanceStatus"], "available", "as on AWS, it takes a while before anything is to be seen")
        self.rds.states.release("pending")
        made = self.available("plain")
        self.assertEqual((made["DBInstanceClass"], made["PreferredMaintenanceWindow"], made["PendingModifiedValues"]),
                         ("db.r6g.large", "mon:01:00-mon:01:30", {}))
        self.query(made["Endpoint"], "SELECT 1", password="harness-rds-new-pw-2Kx")
        self.api.modify_db_instance(DBInstanceIdentifier="plain", DBInstanceClass="db.r6g.xlarge")
        self.assertEqual(self.instance("plain")["PendingModifiedValues"], {"DBInstanceClass": "db.r6g.xlarge"}, "it waits for the window")
        self.assertEqual(self.instance("plain")["DBInstanceClass"], "db.r6g.large")

    def test_protection_and_quota(self):
        self.rds.create_instance("safe", PASSWORD, DeletionProtection=True)
        with self.refused() as e:
            self.api.delete_db_instance(DBInstanceIdentifier="safe", SkipFinalSnapshot=True)
        self.assertEqual(code_of(e), "InvalidParameterCombination")
        self.rds.quota = {"instances": len(self.rds.instances), "snapshots": 0}
        self.addCleanup(setattr, self.rds, "quota", {"instances": 40, "snapshots": 100})
        with self.refused() as e:
            self.api.create_db_snapshot(DBInstanceIdentifier="safe", DBSnapshotIdentifier="toomany")
        self.assertEqual(code_of(e), "SnapshotQuotaExceeded")
        with self.refused() as e:
            self.api.restore_db_instance_to_point_in_time(SourceDBInstanceIdentifier="safe", TargetDBInstanceIdentifier="toomany",
                                                          UseLatestRestorableTime=True)
        self.assertEqual(code_of(e), "InstanceQuotaExceeded")

    def test_snapshots_are_copied_and_deleted(self):
        self.taken("prod", "first", Tags=[{"Key": "a", "Value": "b"}])
        self.api.copy_db_snapshot(SourceDBSnapshotIdentifier="first", TargetDBSnapshotIdentifier="second", CopyTags=True)
        wait_until(lambda: self.snapshot("second")["Status"] == "available", 60, "the copy")
        self.api.delete_db_snapshot(DBSnapshotIdentifier="first")
        wait_until(lambda: "first" not in self.rds.snapshots, 60, "first gone")
        copy = self.snapshot("second")
        self.assertEqual(copy["TagList"], [{"Key": "a", "Value": "b"}])
        self.assertNotIn("SourceDBSnapshotIdentifier", copy, "only copies from other regions and accounts say it")
        automated = self.api.describe_db_snapshots(SnapshotType="automated", DBInstanceIdentifier="prod")["DBSnapshots"]
        self.assertEqual(len(automated), 1)
        with self.refused() as e:
            self.api.delete_db_snapshot(DBSnapshotIdentifier=automated[0]["DBSnapshotIdentifier"])
        self.assertEqual(code_of(e), "InvalidDBSnapshotState")

    def test_groups_are_for_a_version(self):
        with self.refused() as e:
            self.api.create_db_instance(DBInstanceIdentifier="old", Engine="mariadb", EngineVersion="10.6.14", DBInstanceClass="db.t3.micro",
                                        AllocatedStorage=20, MasterUsername="admin", MasterUserPassword=PASSWORD, DBParameterGroupName="tuned")
        self.assertEqual(code_of(e), "InvalidParameterCombination")
        self.rds.create_instance("old", PASSWORD, EngineVersion="10.6.14")
        self.assertEqual(self.instance("old")["DBParameterGroups"][0]["DBParameterGroupName"], "default.mariadb10.6")
        self.taken("old", "of-old")
        for group in ({"DBParameterGroupName": "tuned"}, {"OptionGroupName": "default:mariadb-10-11"}):
            with self.refused() as e:
                self.api.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="x", DBSnapshotIdentifier="of-old", **group)
            self.assertEqual(code_of(e), "InvalidParameterCombination")
        with self.refused() as e:
            self.api.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="x", DBSnapshotIdentifier="of-old", DBParameterGroupName="none")
        self.assertEqual(code_of(e), "DBParameterGroupNotFound")

    def test_performance_is_for_a_size(self):
        self.rds.create_instance("small", PASSWORD, StorageType="gp3", AllocatedStorage=100)
        self.taken("small", "of-small")
        for wrong in ({"StorageType": "gp3", "Iops": 12000}, {"StorageType": "io1", "Iops": 6000}, {"StorageType": "gp2", "Iops": 3000}):
            with self.refused() as e:
                self.api.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="x", DBSnapshotIdentifier="of-small", **wrong)
            self.assertEqual(code_of(e), "InvalidParameterCombination")
        for wrong in ({"AllocatedStorage": 50}, {"AllocatedStorage": 500}):  # smaller; without IOPS
            with self.refused() as e:
                self.api.modify_db_instance(DBInstanceIdentifier="small", ApplyImmediately=True, **wrong)
            self.assertEqual(code_of(e), "InvalidParameterCombination")
        self.api.modify_db_instance(DBInstanceIdentifier="small", ApplyImmediately=True, AllocatedStorage=105)
        self.assertEqual(self.available("small")["AllocatedStorage"], 110, "by ten percent at least")

    def test_what_is_begun_is_not_seen_at_once(self):
        self.rds.unseen_looks = 2
        self.rds.states.hold("creating")
        self.api.create_db_snapshot(DBInstanceIdentifier="prod", DBSnapshotIdentifier="shy")
        for _ in range(2):
            with self.refused() as e:
                self.snapshot("shy")
            self.assertEqual(code_of(e), "DBSnapshotNotFound")
        with self.refused() as e:
            self.api.create_db_snapshot(DBInstanceIdentifier="prod", DBSnapshotIdentifier="shy")
        self.assertIn(code_of(e), ("DBSnapshotAlreadyExists", "InvalidDBInstanceState"))
        self.assertEqual(self.snapshot("shy")["Status"], "creating")
        self.rds.states.release("creating")
        self.rds.wait_idle()

    def test_pages(self):
        for i in range(4):
            self.taken("prod", f"page-{i}")
        self.rds.page_size = 2
        names = [s["DBSnapshotIdentifier"] for page in self.api.get_paginator("describe_db_snapshots").paginate(
            DBInstanceIdentifier="prod", SnapshotType="manual") for s in page["DBSnapshots"]]
        self.assertEqual([n for n in names if n.startswith("page-")], [f"page-{i}" for i in range(4)])
        self.assertGreater(len(self.rds.log("DescribeDBSnapshots")), 2)

    def test_tags(self):
        arn = self.instance("prod")["DBInstanceArn"]
        self.api.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "x", "Value": "y"}])
        self.assertIn({"Key": "x", "Value": "y"}, self.api.list_tags_for_resource(ResourceName=arn)["TagList"])
        self.api.remove_tags_from_resource(ResourceName=arn, TagKeys=["x"])
        self.assertEqual(self.api.list_tags_for_resource(ResourceName=arn)["TagList"], [{"Key": "team", "Value": "data"}])


class Faults(DoubleCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rds.create_instance("prod", PASSWORD)

    def test_by_request(self):
        self.rds.plan.inject("throttled", op="DescribeDBInstances", times=2)
        for _ in range(2):
            with self.refused() as e:
                self.instance("prod")
            self.assertEqual(code_of(e), "Throttling")
        self.instance("prod")

    def test_lost_answer(self):
        lost = self.rds.plan.inject("answer lost", op="CreateDBSnapshot")
        with self.assertRaises(botocore.exceptions.ConnectionClosedError):
            self.api.create_db_snapshot(DBInstanceIdentifier="prod", DBSnapshotIdentifier="unheard")
        self.assertEqual(lost.hit, 1)
        wait_until(lambda: self.snapshot("unheard")["Status"] == "available", 60, "it was carried out")
        self.rds.plan.inject("request lost", op="CreateDBSnapshot")
        with self.assertRaises(botocore.exceptions.ConnectionClosedError):
            self.api.create_db_snapshot(DBInstanceIdentifier="prod", DBSnapshotIdentifier="never")
        with self.refused() as e:
            self.snapshot("never")
        self.assertEqual(code_of(e), "DBSnapshotNotFound")

    def test_flapping(self):
        self.rds.instances["prod"].shown = ["backing-up", "available", "modifying"]
        self.assertEqual([self.instance("prod")["DBInstanceStatus"] for _ in range(4)], ["backing-up", "available", "modifying", "available"])

    def test_failures(self):
        self.rds.fail_next("snapshot", "failed")
        self.api.create_db_snapshot(DBInstanceIdentifier="prod", DBSnapshotIdentifier="bad")
        wait_until(lambda: self.snapshot("bad")["Status"] == "failed", 60, "failure")
        with self.refused() as e:
            self.api.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="x", DBSnapshotIdentifier="bad")
        self.assertEqual(code_of(e), "InvalidDBSnapshotState")
        self.rds.wait_idle()
        self.taken("prod", "good")
        self.rds.fail_next("restore", "incompatible-restore")
        self.api.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="x", DBSnapshotIdentifier="good")
        wait_until(lambda: self.instance("x")["DBInstanceStatus"] == "incompatible-restore", 60, "failure")
        self.api.delete_db_instance(DBInstanceIdentifier="x", SkipFinalSnapshot=True)
        wait_until(lambda: "x" not in self.rds.instances, 60, "x gone")


class Clusters(DoubleCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rds.cluster_parameter_groups["tuned"] = "aurora-mysql8.0"
        cls.rds.create_cluster("blue", 2, PASSWORD, DatabaseName="shop", EngineVersion="8.0.mysql_aurora.3.04.0", DBClusterParameterGroupName="tuned", VpcSecurityGroupIds=["sg-7"])

    def cluster(self, name):
        return self.api.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]

    def cluster_available(self, name):
        wait_until(lambda: name in self.rds.clusters and self.cluster(name)["Status"] == "available", 60, f"{name} available")
        self.rds.wait_idle()
        return self.cluster(name)

    def endpoint(self, about):
        return {"Address": about["Endpoint"], "Port": about["Port"]}

    def test_members(self):
        blue = self.cluster("blue")
        self.assertEqual([(m["DBInstanceIdentifier"], m["IsClusterWriter"]) for m in blue["DBClusterMembers"]],
                         [("blue-instance-1", True), ("blue-instance-2", False)])
        member = self.instance("blue-instance-2")
        self.assertEqual(member["DBClusterIdentifier"], "blue")
        self.query(self.endpoint(blue), "CREATE TABLE shop.t (n INT) ENGINE=InnoDB")
        self.assertEqual(self.query(member["Endpoint"], "SHOW TABLES FROM shop"), (("t",),))
        with self.refused() as e:
            self.api.create_db_snapshot(DBInstanceIdentifier="blue-instance-1", DBSnapshotIdentifier="x")
        self.assertEqual(code_of(e), "InvalidParameterValue")

    def test_snapshot_restore_rename_delete(self):
        self.rds.clusters["blue"].server.sql("CREATE OR REPLACE TABLE shop.kept (n INT) ENGINE=InnoDB")
        self.api.create_db_cluster_snapshot(DBClusterIdentifier="blue", DBClusterSnapshotIdentifier="blue-1", Tags=[{"Key": "a", "Value": "b"}])
        wait_until(lambda: self.api.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="blue-1")["DBClusterSnapshots"][0]["Status"] == "available",
                   60, "the snapshot")
        self.api.restore_db_cluster_from_snapshot(DBClusterIdentifier="green", SnapshotIdentifier="blue-1", Engine="aurora-mysql")
        green, blue = self.cluster_available("green"), self.cluster("blue")
        self.assertNotEqual(green["EngineVersion"], blue["EngineVersion"], "it is the region's default unless it is said")
        self.assertEqual((green["DBClusterParameterGroup"], green["DBClusterMembers"]), (CLUSTER_FORGOTTEN["DBClusterParameterGroupName"], []))
        with self.assertRaises(pymysql.err.OperationalError):
            self.connect(self.endpoint(green))
        self.api.create_db_instance(DBInstanceIdentifier="green-1", DBClusterIdentifier="green", Engine="aurora-mysql", DBInstanceClass="db.r6g.large")
        self.available("green-1")
        self.assertEqual(self.query(self.endpoint(green), "SHOW TABLES FROM shop LIKE 'kept'"), (("kept",),))
        self.api.modify_db_cluster(DBClusterIdentifier="green", NewDBClusterIdentifier="green2", ApplyImmediately=True)
        moved = self.cluster_available("green2")
        self.assertNotEqual(moved["Endpoint"], green["Endpoint"])
        self.query(self.endpoint(moved), "SELECT 1")
        with self.refused() as e:
            self.api.delete_db_cluster(DBClusterIdentifier="green2", SkipFinalSnapshot=True)
        self.assertEqual(code_of(e), "InvalidDBClusterStateFault")
        self.api.delete_db_instance(DBInstanceIdentifier="green-1")
        self.api.delete_db_cluster(DBClusterIdentifier="green2", FinalDBSnapshotIdentifier="green-final")
        wait_until(lambda: "green2" not in self.rds.clusters, 60, "green2 gone")
        final = self.api.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="green-final")["DBClusterSnapshots"][0]
        self.assertEqual((final["Status"], final["DBClusterIdentifier"]), ("available", "green2"))
        self.api.copy_db_cluster_snapshot(SourceDBClusterSnapshotIdentifier="green-final", TargetDBClusterSnapshotIdentifier="green-copy")
        self.api.restore_db_cluster_to_point_in_time(DBClusterIdentifier="blue-now", SourceDBClusterIdentifier="blue", UseLatestRestorableTime=True)
        self.cluster_available("blue-now")
        self.api.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="blue-1")
        wait_until(lambda: "blue-1" not in self.rds.cluster_snapshots, 60, "blue-1 gone")


class StockClient(DoubleCase):
    """Debian's aws does to the double what people do to RDS with it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rds.create_instance("prod", PASSWORD, "shop")
        cls.rds.instances["prod"].server.sql("CREATE TABLE shop.t (n INT PRIMARY KEY) ENGINE=InnoDB AS SELECT seq n FROM seq_1_to_100", schema="shop")

    def aws(self, *args):
        result = self.rds.aws(*args)
        return result.json if result.out.strip() else None

    def test_instance(self):
        made = self.aws("create-db-snapshot", "--db-instance-identifier", "prod", "--db-snapshot-identifier", "cli", "--tags", "Key=why,Value=test")
        self.assertEqual(made["DBSnapshot"]["DBInstanceIdentifier"], "prod")
        self.aws("wait", "db-snapshot-available", "--db-snapshot-identifier", "cli")
        shown, = self.aws("describe-db-snapshots", "--db-snapshot-identifier", "cli")["DBSnapshots"]
        self.assertEqual((shown["Status"], shown["PercentProgress"], shown["TagList"]), ("available", 100, [{"Key": "why", "Value": "test"}]))
        self.rds.instances["prod"].server.sql("DELETE FROM shop.t")
        self.aws("restore-db-instance-from-db-snapshot", "--db-instance-identifier", "cli-back", "--db-snapshot-identifier", "cli",
                 "--no-publicly-accessible", "--vpc-security-group-ids", "sg-1", "sg-2")
        self.available("cli-back")
        self.aws("wait", "db-instance-available", "--db-instance-identifier", "cli-back")
        self.assertEqual(self.rds.instances["cli-back"].settings["VpcSecurityGroupIds"], ["sg-1", "sg-2"])
        for old, new in (("prod", "prod-old"), ("cli-back", "prod")):
            self.aws("modify-db-instance", "--db-instance-identifier", old, "--new-db-instance-identifier", new, "--apply-immediately")
            wait_until(lambda n=new: n in self.rds.instances, 60, f"{new} there")
            self.rds.wait_idle()
        shown, = self.aws("describe-db-instances", "--db-instance-identifier", "prod")["DBInstances"]
        self.assertEqual(self.query(shown["Endpoint"], "SELECT COUNT(*) FROM shop.t"), ((100,),))
        self.aws("delete-db-instance", "--db-instance-identifier", "prod-old", "--final-db-snapshot-identifier", "prod-old-final")
        wait_until(lambda: "prod-old" not in self.rds.instances, 60, "prod-old gone")
        self.aws("delete-db-snapshot", "--db-snapshot-identifier", "cli")
        wait_until(lambda: "cli" not in self.rds.snapshots, 60, "cli gone")
        gone = self.rds.aws("describe-db-snapshots", "--db-snapshot-identifier", "cli", check=254)
        self.assertIn("DBSnapshotNotFound", gone.err)

    def test_cluster(self):
        self.aws("create-db-cluster", "--db-cluster-identifier", "aur", "--engine", "aurora-mysql", "--master-username", "admin",
                 "--master-user-password", PASSWORD, "--database-name", "shop")
        self.rds.wait_idle()
        self.aws("create-db-instance", "--db-instance-identifier", "aur-1", "--db-cluster-identifier", "aur", "--engine", "aurora-mysql",
                 "--db-instance-class", "db.r6g.large")
        self.available("aur-1")
        self.aws("create-db-cluster-snapshot", "--db-cluster-identifier", "aur", "--db-cluster-snapshot-identifier", "aur-s")
        self.rds.wait_idle()
        shown, = self.aws("describe-db-cluster-snapshots", "--db-cluster-snapshot-identifier", "aur-s")["DBClusterSnapshots"]
        self.assertEqual(shown["Status"], "available")
        self.aws("restore-db-cluster-from-snapshot", "--db-cluster-identifier", "aur2", "--snapshot-identifier", "aur-s", "--engine", "aurora-mysql")
        self.rds.wait_idle()
        self.aws("create-db-instance", "--db-instance-identifier", "aur2-1", "--db-cluster-identifier", "aur2", "--engine", "aurora-mysql",
                 "--db-instance-class", "db.r6g.large")
        self.available("aur2-1")
        self.aws("modify-db-cluster", "--db-cluster-identifier", "aur2", "--new-db-cluster-identifier", "aur3", "--apply-immediately")
        wait_until(lambda: "aur3" in self.rds.clusters, 60, "aur3 there")
        self.rds.wait_idle()
        shown, = self.aws("describe-db-clusters", "--db-cluster-identifier", "aur3")["DBClusters"]
        self.assertEqual(self.query({"Address": shown["Endpoint"], "Port": shown["Port"]}, "SHOW DATABASES LIKE 'shop'"), (("shop",),))
        self.aws("delete-db-instance", "--db-instance-identifier", "aur2-1")
        self.aws("delete-db-cluster", "--db-cluster-identifier", "aur3", "--skip-final-snapshot")
        wait_until(lambda: "aur3" not in self.rds.clusters, 60, "aur3 gone")
        self.aws("delete-db-cluster-snapshot", "--db-cluster-snapshot-identifier", "aur-s")
