"""Recovery points, drills and rollbacks with archives and records in S3, on a real server (Ceph's gateway)."""

import json
import shutil

from lib import table_digests, wait_until
from lib.s3_case import S3Case


class OnS3(S3Case):
    @classmethod
    def setUpClass(cls):
        cls.gateway = cls.use_radosgw()
        cls.server = s = cls.use_server(binlog=True)
        s.load_chatbot(2000)

    def setUp(self):
        self.use(self.gateway)
        self.drills = self.server.folder / "d"
        shutil.rmtree(self.drills, ignore_errors=True)
        self.drills.mkdir()

    def record(self, name="p1"):
        return json.loads(self.s3.get(self.bucket, self.key(f"points/{name}.json")))

    def create(self, *args, fault=None, check=0):
        return self.dbsafe("point", "create", "p1", "glpi_select", "--drill-dir", self.drills, *args, check=check,
                           env={"DBSAFE_FAULT": fault} if fault else None)

    def test_the_whole_story(self):
        s = self.server
        before = table_digests(s, "glpi_select")
        point = self.create("--json").json
        archive = point["point"]["archive"]["name"]
        self.assertEqual(point["archive"], f"{self.store}/{archive}")
        self.assertEqual(self.visible(), {self.key(archive), self.key(f"{archive}.drill.json"), self.key("points/p1.json")})
        self.assertEqual(self.record(), point["point"])
        self.assertEqual(self.listed(), [archive])  # points are in no listing of archives
        self.assertRegex(self.dbsafe("list", "--json").json["archives"][0]["proof"], "^restored")
        self.assertIs(self.create("--json").json["existed"], True)
        self.assertEqual([p["name"] for p in self.dbsafe("point", "list", "--json").json["points"]], ["p1"])

        s.sql("DELETE FROM glpi_select.chatbot_messages WHERE id % 2 = 0")
        result = self.dbsafe("rollback", "--point", "p1", "--yes", "--json").json
        self.assertEqual((result["verdict"], result["verified"]), ("done", True))
        self.assertEqual(table_digests(s, "glpi_select"), before)
        self.assertRegex(result["report"]["html"], rf"^{self.store}/points/p1~rollback-\d{{8}}T\d{{6}}\.\d{{3}}Z\.html$")
        self.assertIn(b"The tables are as they were", self.s3.get(self.bucket, result["report"]["html"].split(f"{self.bucket}/")[1]))

        self.dbsafe("point", "delete", "p1", "--yes", check=10)
        self.dbsafe("point", "delete", "p1", "--yes", "--force")
        self.assertEqual({k for k in self.visible() if "~rollback" not in k}, set())
        self.assertEqual(self.s3.uploads(self.bucket), [])

    def test_kill_and_the_same_command_again(self):
        for at in ("point_archive_named", "point_dumped", "point_verified", "point_estimated"):
            with self.subTest(at=at):
                self.setUp()
                self.create("--no-drill", check=-9, fault=f"kill:{at}")
                again = self.create("--no-drill", "--json").json
                self.assertEqual((again["point"]["state"], again["resumed"]), ("complete", True))
                self.assertEqual(self.listed(), [again["point"]["archive"]["name"]])
                self.assertEqual(self.s3.uploads(self.bucket), [])

    def test_two_runs_and_the_lock(self):
        running = self.start("point", "create", "p1", "glpi_select", "--no-drill", env={"DBSAFE_FAULT": "stop:point_archived"})
        wait_until(running.stopped, what="the stop")
        self.create("--no-drill", check=12)
        running.signal(18)  # SIGCONT
        self.assertEqual(self.check_run(running).rc, 0)

    def test_a_point_in_a_bucket_that_is_not_there(self):
        self.dbsafe("point", "create", "p1", "glpi_select", "--no-drill", store="s3://no-such-bucket-here/x", check=5)
        self.assertEqual(self.server.sql("SHOW DATABASES LIKE 'dbsafe%%'"), [])

    def test_a_drill_of_an_archive_in_s3(self):
        self.dbsafe("dump", "glpi_select")
        result = self.dbsafe("verify", "latest", "--drill", "--drill-dir", self.drills, "--json").json
        self.assertIs(result["drill"]["passed"], True)
        self.assertTrue(result["drill"]["attestation"].startswith(self.store))
        self.assertEqual(list(self.drills.iterdir()), [])
