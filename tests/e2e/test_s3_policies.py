"""
The least-privilege policies of docs/s3.md, as they stand there: each is enough for its commands, and not for what it should not allow. On
a real server, where each becomes a bucket policy for a second account, and on the stub, which tells who may not list as little as AWS does.
"""

import json

from lib.s3_case import PARTS, SMALL, S3Case
from lib.s3_policy import EXAMPLE, documented, policies
from lib.s3_stub import S3Stub


class OnRadosgw(S3Case):
    @classmethod
    def setUpClass(cls):
        cls.gateway = cls.use_radosgw()
        cls.server = cls.use_server(binlog=True)
        cls.archive = cls.make_archive(cls.server)
        cls.small = cls.make_small_archive(cls.server)

    def setUp(self):
        self.use(self.gateway, prefix="db")

    def grant(self, name):
        """The second account may do on this bucket what the policy of that name says; gives its environment."""
        policy = policies()[name]
        for statement in policy["Statement"]:
            statement["Principal"] = {"AWS": ["arn:aws:iam:::user/other"]}
            resource = statement["Resource"]
            self.assertTrue(resource == EXAMPLE or resource.startswith(EXAMPLE + "/db/"), resource)
            # this gateway matches a * up to the first dot behind it
            statement["Resource"] = resource.replace(EXAMPLE, f"arn:aws:s3:::{self.bucket}").replace("/*.proof.json", "/*")
        self.s3.client().put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(policy))
        return self.gateway.env(self.gateway.other)

    def test_all_are_found(self):
        self.assertEqual(set(policies()), {"dump", "restore", "prune"})

    def test_dump(self):
        env = self.grant("dump")
        for path in (self.small, self.archive):  # one PUT, and parts
            self.dbsafe("dump", "bulk.small" if path is self.small else "bulk", "--part-size", "5M", env=env)
        self.assertEqual(len(self.visible()), 2)
        self.assertEqual(self.s3.uploads(self.bucket), [])
        # this gateway lets an account read what it wrote itself, so that is tried with an archive of the bucket's owner
        self.s3.empty(self.bucket)
        self.s3.put(self.bucket, self.key(PARTS), self.archive.read_bytes())
        self.s3.put(self.bucket, self.key(PARTS.replace("20260101", "20260103")), self.archive.read_bytes())
        for command in (("verify", "latest"), ("restore", "latest", "--into", "no"), ("prune", "--keep-last", "1", "--yes")):
            with self.subTest(command):
                self.assertIn("AccessDenied", self.dbsafe(*command, env=env, check=5).err)
        self.assertEqual(len(self.visible()), 2)

    def test_a_dead_run_is_cleaned_by_the_next_dump(self):
        env = self.grant("dump")
        found = self.start("dump", "bulk", "--part-size", "5M", env={**env, "DBSAFE_FAULT": "kill:s3_part_done"})
        self.assertEqual(found.finish().rc, -9)
        self.assertEqual(len(self.s3.uploads(self.bucket)), 2)
        self.dbsafe("dump", "bulk.small", env=env)
        self.assertEqual(self.s3.uploads(self.bucket), [])

    def test_restore(self):
        self.s3.put(self.bucket, self.key(PARTS), self.archive.read_bytes())
        env = self.grant("restore")
        self.dbsafe("verify", "latest", env=env)
        self.dbsafe("restore", "latest", "--into", "back", env=env)
        self.assertRegex(self.dbsafe("list", "--json", env=env).json["archives"][0]["proof"], "^restored")
        self.dbsafe("show", "latest", env=env)
        self.dbsafe("prune", "--keep-last", "1", "--yes", env=env, check=5)
        self.assertEqual(self.visible(), {self.key(PARTS)})

    def test_prune(self):
        self.s3.put(self.bucket, self.key(SMALL.replace("20260102", "20260101").replace("bulk", "small")), self.small.read_bytes())
        self.s3.put(self.bucket, self.key(SMALL), self.small.read_bytes())
        env = self.grant("prune")
        self.dbsafe("prune", "--keep-last", "1", "--yes", env=env)
        self.assertEqual(self.visible(), {self.key(SMALL)})
        self.assertEqual(self.s3.uploads(self.bucket), [])
        self.dbsafe("dump", "bulk.small", env=env, check=5)
        self.assertEqual(self.visible(), {self.key(SMALL)})


class OnStub(S3Case):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)
        cls.archive = cls.make_archive(cls.server)
        cls.small = cls.make_small_archive(cls.server)

    def setUp(self):
        self.stub = S3Stub()
        self.addCleanup(self.stub.close)
        self.use(self.stub)

    def grant(self, name):
        self.stub.policy = documented(name, self.bucket, self.prefix)

    def test_dump(self):
        self.grant("dump")
        large = self.dbsafe("dump", "bulk", "--part-size", "5M", "--json").json["archive"]
        self.dbsafe("dump", "bulk.small")
        for command in (("verify",), ("restore", "--into", "no")):
            self.assertIn("AccessDenied", self.dbsafe(command[0], large, *command[1:], check=5).err)
        self.dbsafe("prune", "--keep-last", "1", "--yes", check=5)
        self.assertEqual((len(self.visible()), self.stub.uploads(self.bucket)), (2, []))

    def test_a_dead_run_is_cleaned_by_the_next_dump(self):
        self.grant("dump")
        self.dbsafe("dump", "bulk", "--part-size", "5M", env={"DBSAFE_FAULT": "kill:s3_part_done"}, check=-9)
        self.assertEqual(len(self.stub.uploads(self.bucket)), 2)
        self.dbsafe("dump", "bulk.small")
        self.assertEqual(self.stub.uploads(self.bucket), [])

    def test_restore(self):
        for path in (self.archive, self.small):
            self.stub.put(self.bucket, self.key(path.name), path.read_bytes())
        self.grant("restore")
        self.assertEqual(set(self.listed()), {PARTS, SMALL})
        for archive in (f"{self.store}/{PARTS}", f"{self.store}/{SMALL}", "latest"):
            self.dbsafe("show", archive)
            self.assertNotIn("warning", self.dbsafe("verify", archive).err)
        self.assertNotIn("warning", self.dbsafe("restore", f"{self.store}/{PARTS}", "--into", "back").err)
        proofs = {a["name"]: a["proof"] for a in self.dbsafe("list", "--json").json["archives"]}
        self.assertRegex(proofs[PARTS], "^restored")
        self.assertRegex(proofs[SMALL], "^bytes")
        self.dbsafe("dump", "bulk.small", check=5)
        self.dbsafe("prune", "--keep-last", "1", "--yes", check=5)
        self.assertEqual(self.visible(), {self.key(PARTS), self.key(SMALL)})

    def test_prune(self):
        old = SMALL.replace("20260102", "20260101")
        for name in (old, SMALL):
            self.stub.put(self.bucket, self.key(name), self.small.read_bytes())
        self.grant("dump")
        self.dbsafe("dump", "bulk", "--part-size", "5M", env={"DBSAFE_FAULT": "kill:s3_part_done"}, check=-9)
        self.assertEqual(len(self.stub.uploads(self.bucket)), 2)
        self.grant("prune")
        self.dbsafe("prune", "--keep-last", "1", "--yes")
        self.assertEqual((self.visible(), self.stub.uploads(self.bucket)), ({self.key(SMALL)}, []))
        self.dbsafe("dump", "bulk.small", check=5)
        self.assertEqual(self.visible(), {self.key(SMALL)})
