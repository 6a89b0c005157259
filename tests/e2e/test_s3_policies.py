"""
The least-privilege policies of docs/s3.md, as they stand there, on a real server: turned into a bucket policy for a second account,
each is enough for its commands, and not for what it should not allow.
"""

import json
import re

from lib.paths import ROOT
from lib.s3_case import PARTS, SMALL, S3Case

EXAMPLE = "arn:aws:s3:::backups.example.com"


def policies():
    """{"dump": policy, ...}: the JSON behind each paragraph that begins with bold names of commands."""
    text = (ROOT / "docs/s3.md").read_text()
    found = re.findall(r"(?ms)^\*\*(\w+)\*\*.*?^```json\n(.*?)^```", text)
    return {name: json.loads(block) for name, block in found if "Statement" in json.loads(block)}


class Policies(S3Case):
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
