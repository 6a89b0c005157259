"""A large archive up to a real server and back, byte for byte as the stock client reads it, within the promised memory."""

import hashlib
import os

from lib import FULL, SANITIZED
from lib.s3_case import MIB, PARTS, S3Case

SIZE = 1024 * MIB if FULL else 48 * MIB
MEMORY = 256 * MIB


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Large(S3Case):
    @classmethod
    def setUpClass(cls):
        # in a file: a real server keeps it there, and memory is for others
        cls.gateway = cls.use_radosgw(bluestore=FULL, bytes=20 << 30)
        cls.server = cls.use_server(binlog=False, buffer_pool="256M", log_file_size="256M")
        cls.server.sql("CREATE DATABASE bulk")
        cls.server.sql("CREATE TABLE bulk.noise (id INT PRIMARY KEY, v VARBINARY(4096)) "
                       f"SELECT seq id, CONCAT(RANDOM_BYTES(1024), RANDOM_BYTES(1024), RANDOM_BYTES(1024), RANDOM_BYTES(1000)) v "
                       f"FROM seq_1_to_{SIZE // 4072}", schema="mysql")

    def setUp(self):
        self.use(self.gateway)

    def check_memory(self, result):
        if not SANITIZED:
            self.assertLess(result.maxrss_bytes, MEMORY, result)
        print(f"{self.id()}: {result.argv[1]} took {result.seconds:.1f} s and {result.maxrss_bytes // MIB} MiB")

    def test_up_and_back(self):
        path = self.server.folder / PARTS
        self.server.dbsafe("dump", "bulk", "-o", path)
        size, want = os.stat(path).st_size, digest(path)
        self.assertGreater(size, SIZE)
        self.check_memory(self.dbsafe("copy", path, "--to", self.store, timeout=900))
        self.assertEqual(self.s3.objects(self.bucket), {self.key(PARTS): size})
        by_aws = self.server.folder / "by-aws"
        self.s3.aws("s3", "cp", f"{self.store}/{PARTS}", by_aws, home=self.server.home, timeout=900)
        self.assertEqual(digest(by_aws), want)
        by_aws.unlink()
        self.check_memory(self.dbsafe("verify", f"{self.store}/{PARTS}", timeout=900))
        back = self.server.folder / "back"
        self.check_memory(self.dbsafe("copy", f"{self.store}/{PARTS}", "--to", back, timeout=900))
        self.assertEqual(digest(back / PARTS), want)
        # what the stock client put there is as good
        self.s3.aws("s3", "cp", path, f"s3://{self.bucket}/theirs/{PARTS}", home=self.server.home, timeout=900)
        self.dbsafe("verify", f"s3://{self.bucket}/theirs/{PARTS}", timeout=900)
        self.assertEqual(self.s3.uploads(self.bucket), [])

    def test_four_readers_and_the_parts_of_256_gib(self):
        """What the defaults come to on a large machine, where so large an archive is to be expected."""
        result = self.dbsafe("dump", "bulk", "--threads", "4", "--part-size", "32M", "--uploaders", "2", timeout=900)
        self.check_memory(result)

    def test_dump_and_restore(self):
        result = self.dbsafe("dump", "bulk", "--json", timeout=900)
        self.check_memory(result)
        self.assertGreater(result.json["archive_bytes"], SIZE)
        self.check_memory(self.dbsafe("restore", result.json["archive"], "--into", "back", timeout=900))
        # the server's own checksum: comparing the text of so much takes longer than all the rest
        sums = {c for _, c in self.server.sql("CHECKSUM TABLE bulk.noise, back.noise EXTENDED")}
        self.assertEqual(len(sums), 1)
        self.assertNotIn(None, sums)
        self.assertEqual(self.s3.uploads(self.bucket), [])
