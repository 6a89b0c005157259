"""What the tests of dbsafe with S3 have in common: an archive of several parts, running dbsafe on a server, what must hold afterwards."""

import os

from . import process
from .case import TestCase

MIB = 1 << 20
PART = 5 * MIB  # the smallest that S3 allows
# Names as a store gives them: then a copy keeps them.
PARTS = "20260101T000000Z-bulk-0123456789ab.dbsafe.tar"
SMALL = "20260102T000000Z-small-ba9876543210.dbsafe.tar"


class S3Case(TestCase):
    """cls.server: a MariaDB; self.s3: the S3 server in use, with a new bucket in self.bucket; self.store its URL."""

    s3 = bucket = prefix = None

    @classmethod
    def make_archive(cls, server, mib=11, name=PARTS):
        """Database `bulk` of incompressible rows, and its archive in a file: two full parts and a rest."""
        server.sql("CREATE DATABASE IF NOT EXISTS bulk")
        server.sql(f"CREATE OR REPLACE TABLE bulk.noise (id INT PRIMARY KEY, v LONGBLOB) "
                   f"SELECT seq id, RANDOM_BYTES(1024) v FROM seq_1_to_{mib * 1024 - 512}", schema="mysql")
        server.sql("CREATE OR REPLACE TABLE bulk.small (id INT PRIMARY KEY, v TEXT) SELECT seq id, MD5(seq) v FROM seq_1_to_100",
                   schema="mysql")
        path = server.folder / name
        server.dbsafe("dump", "bulk", "-o", path)
        return path

    @classmethod
    def make_small_archive(cls, server):
        """One table of make_archive()'s: it fits into a single PUT."""
        path = server.folder / SMALL
        if not path.exists():
            server.dbsafe("dump", "bulk.small", "-o", path)
        return path

    def use(self, s3, prefix="backups/db", **options):
        """From here on dbsafe() works on a new bucket of this server."""
        self.s3, self.prefix = s3, prefix
        self.bucket = s3.bucket(**options)
        self.store = f"s3://{self.bucket}" + (f"/{prefix}" if prefix else "")
        return self.bucket

    def env(self, env=None, store=None):
        return {**self.s3.env(), "DBSAFE_STORE": store or self.store, **(env or {})}

    def dbsafe(self, *args, env=None, store=None, server=None, **options):
        return (server or self.server).dbsafe(*args, env=self.env(env, store), **options)

    def start(self, *args, env=None, store=None, server=None, **options):
        found = (server or self.server).dbsafe_start(*args, env=self.env(env, store), **options)
        self.addCleanup(lambda: found.running() and found.kill())
        return found

    def key(self, name):
        return f"{self.prefix}/{name}" if self.prefix else name

    def visible(self):
        """Names of everything in the bucket; proofs of archives are left out."""
        return {k for k in self.s3.objects(self.bucket) if not k.endswith(".proof.json")}

    def listed(self, **options):
        return [a["name"] for a in self.dbsafe("list", "--json", **options).json["archives"]]

    def assert_nothing(self, detail=""):
        self.assertEqual((self.visible(), self.s3.uploads(self.bucket)), (set(), []), detail)

    def assert_is(self, path, detail="", name=None):
        """The bucket holds just this archive, byte for byte, and no unfinished upload."""
        want = self.key(name or os.path.basename(path))
        self.assertEqual(self.visible(), {want}, detail)
        self.assertEqual(self.s3.uploads(self.bucket), [], detail)
        with open(path, "rb") as file:
            # no assertEqual: nobody wants to see the difference of these
            self.assertTrue(self.s3.get(self.bucket, want) == file.read(), f"the bytes differ\n{detail}")

    def write_aws_config(self, text, name="aws-config"):
        """A file for AWS_CONFIG_FILE in the server's folder."""
        path = self.server.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def check_run(self, running, timeout=120):
        """finish() with what inspect() demands of every run."""
        result = running.finish(timeout)
        return process.inspect(result, result.argv[1:])
