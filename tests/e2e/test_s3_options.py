"""What can be asked of S3: encryption, storage class, tags, object lock, owner, addressing, proxies; and with how few rights a run gets by."""

import datetime
import urllib.parse

from lib import wait_until
from lib.s3_case import PARTS, S3Case
from lib.s3_stub import S3Stub


class OnStub(S3Case):
    @classmethod
    def setUpClass(cls):
        if cls is OnStub:
            return
        cls.server = cls.use_server(binlog=True)
        cls.archive = cls.make_archive(cls.server)
        cls.small = cls.make_small_archive(cls.server)

    def setUp(self):
        self.stub = S3Stub()
        self.addCleanup(self.stub.close)
        self.use(self.stub)

    def copies(self):
        """Each way an archive gets there: one PUT, and parts."""
        for path in (self.small, self.archive):
            with self.subTest(path.name):
                self.stub.reset()
                self.stub.empty(self.bucket)
                yield path

    def stored(self, path):
        return self.stub.buckets[self.bucket].objects[self.key(path.name)].headers


class Options(OnStub):
    def test_headers_of_the_object(self):
        for args, want in (
                (("--storage-class", "STANDARD_IA"), {"x-amz-storage-class": "STANDARD_IA"}),
                (("--sse", "AES256"), {"x-amz-server-side-encryption": "AES256"}),
                (("--sse", "aws:kms", "--sse-kms-key-id", "alias/backup", "--bucket-key"),
                 {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "alias/backup",
                  "x-amz-server-side-encryption-bucket-key-enabled": "true"})):
            for path in self.copies():
                self.dbsafe("copy", path, "--to", self.store, "--part-size", "5M", *args)
                self.assert_is(path, self.stub.trace())
                got = self.stored(path)
                self.assertEqual({n: got.get(n) for n in want}, want)

    def test_marks_are_encrypted_too(self):
        """Buckets may refuse whatever is written without it, also an upload that never gets a part."""
        self.stub.put(self.bucket, self.key(PARTS), self.archive.read_bytes())
        for command in (("dump", "bulk", "--part-size", "5M"), ("prune", "--keep-last", "1", "--yes")):
            with self.subTest(command):
                self.stub.reset()
                self.dbsafe(*command, env={"DBSAFE_SSE": "aws:kms", "DBSAFE_SSE_KMS_KEY_ID": "alias/backup"})
                begun = self.stub.log("CreateMultipartUpload")
                self.assertTrue(any("/.dbsafe/" in r.key for r in begun), self.stub.trace())
                for r in begun:
                    self.assertEqual((r.header("x-amz-server-side-encryption"), r.header("x-amz-server-side-encryption-aws-kms-key-id")),
                                     ("aws:kms", "alias/backup"), str(r))

    def test_tags(self):
        for path in self.copies():
            self.dbsafe("copy", path, "--to", self.store, "--part-size", "5M", "--tags", "team=data & more,keep=1/2")
            got = urllib.parse.parse_qsl(self.stored(path)["x-amz-tagging"], strict_parsing=True)
            self.assertEqual(got, [("team", "data & more"), ("keep", "1/2")])
        for wrong in ("novalue", "=x", ",".join(f"k{i}=v" for i in range(11))):
            self.dbsafe("copy", self.small, "--to", self.store, "--tags", wrong, check=2)

    def test_object_lock(self):
        self.bucket = self.stub.bucket(object_lock=True)
        self.store = f"s3://{self.bucket}/{self.prefix}"
        for path in self.copies():
            self.dbsafe("copy", path, "--to", self.store, "--part-size", "5M", "--object-lock-mode", "GOVERNANCE", "--object-lock-days", "30")
            self.assert_is(path, self.stub.trace())
            got = self.stored(path)
            self.assertEqual(got["x-amz-object-lock-mode"], "GOVERNANCE")
            until = datetime.datetime.fromisoformat(got["x-amz-object-lock-retain-until-date"].replace("Z", "+00:00"))
            self.assertAlmostEqual((until - self.stub.now()).total_seconds(), 30 * 86400, delta=600)
        self.dbsafe("copy", self.small, "--to", f"s3://{self.stub.bucket()}/x", "--object-lock-mode", "GOVERNANCE", "--object-lock-days",
                    "30", check=5)  # that bucket knows no locks
        self.dbsafe("copy", self.small, "--to", self.store, "--object-lock-mode", "GOVERNANCE", check=2)

    def test_a_proof_is_not_locked(self):
        """It is written anew each time; only archives are kept from being removed."""
        self.bucket = self.stub.bucket(object_lock=True)
        self.store = f"s3://{self.bucket}/{self.prefix}"
        lock = ("--object-lock-mode", "COMPLIANCE", "--object-lock-days", "3")
        self.dbsafe("copy", self.small, "--to", self.store, *lock)
        for _ in range(2):
            self.dbsafe("verify", f"{self.store}/{self.small.name}")
        proof = self.stub.buckets[self.bucket].objects[self.key(self.small.name) + ".proof.json"].headers
        self.assertNotIn("x-amz-object-lock-mode", proof)

    def test_checksums(self):
        for path in self.copies():
            for choice, header in (("auto", "content-md5"), ("md5", "content-md5"), ("sha256", "x-amz-checksum-sha256"), ("none", None)):
                self.stub.reset()
                self.stub.empty(self.bucket)
                self.dbsafe("copy", path, "--to", self.store, "--part-size", "5M", "--checksum", choice)
                self.assert_is(path, self.stub.trace())
                for r in self.stub.log("UploadPart", "PutObject"):
                    for name in ("content-md5", "x-amz-checksum-sha256"):
                        self.assertEqual(r.header(name) is not None, name == header, f"{choice}: {r}")

    def test_expected_bucket_owner(self):
        for path in self.copies():
            self.dbsafe("copy", path, "--to", self.store, "--part-size", "5M", "--expected-bucket-owner", "123456789012")
            self.assert_is(path)
            self.assertTrue(all(r.header("x-amz-expected-bucket-owner") == "123456789012" for r in self.stub.log()), self.stub.trace())
            self.dbsafe("verify", f"{self.store}/{path.name}", "--expected-bucket-owner", "999999999999", check=(3, 5))

    def test_host_style(self):
        """The bucket in the host's name; *.localhost is this machine to libcurl."""
        for s3 in (self.stub, self.use_radosgw()):
            with self.subTest(type(s3).__name__):
                self.use(s3, prefix="host style/ü")
                env = {"AWS_ENDPOINT_URL_S3": s3.endpoint.replace("127.0.0.1", "localhost")}
                self.dbsafe("copy", self.archive, "--to", self.store, "--part-size", "5M", "--addressing", "virtual", env=env)
                self.assert_is(self.archive)
                self.dbsafe("verify", f"{self.store}/{PARTS}", "--addressing", "virtual", env=env)
                if s3 is self.stub:
                    hosts = {r.header("host").split(":")[0] for r in s3.log()}
                    self.assertEqual(hosts, {f"{self.bucket}.localhost"})

    def test_proxies(self):
        proxy = f"http://127.0.0.1:{self.stub.port}"
        far = {"AWS_ENDPOINT_URL_S3": "http://s3.example.com"}
        self.dbsafe("list", env={**far, "http_proxy": proxy})
        self.assertTrue(self.stub.log() and all(r.proxied for r in self.stub.log()), self.stub.trace())
        self.stub.reset()
        # another one would not be reached: 127.0.0.1:1 answers nobody
        self.dbsafe("list", env={"http_proxy": "http://127.0.0.1:1", "no_proxy": "example.com,127.0.0.1"})
        self.assertFalse(any(r.proxied for r in self.stub.log()))

    def test_config_and_environment(self):
        """Every setting can stand in the file or the environment, too."""
        config = self.server.folder / "options.conf"
        config.write_text("storage-class = STANDARD_IA\npart-size = 6M\ntags = a=b\n[profile night]\nstorage-class = GLACIER_IR\n")
        self.dbsafe("copy", self.archive, "--to", self.store, "--config", config)
        self.assertEqual(self.stored(self.archive)["x-amz-storage-class"], "STANDARD_IA")
        self.assertEqual(self.stored(self.archive)["x-amz-tagging"], "a=b")
        self.assertIn(6 << 20, {r.length for r in self.stub.log("UploadPart")})
        self.stub.empty(self.bucket)
        self.dbsafe("copy", self.archive, "--to", self.store, "--config", config, "--profile", "night", env={"DBSAFE_TAGS": "c=d"})
        self.assertEqual(self.stored(self.archive)["x-amz-storage-class"], "GLACIER_IR")
        self.assertEqual(self.stored(self.archive)["x-amz-tagging"], "c=d")

    def test_two_prunes_at_once(self):
        self.dbsafe("copy", self.small, "--to", self.store)
        self.dbsafe("copy", self.archive, "--to", self.store)
        # the first one is held in the middle of its work
        hold = self.stub.plan.hold("GetObject")
        found = self.start("prune", "--keep-last", "1", "--yes")
        wait_until(lambda: hold.arrived() or not found.running(), what="a read by prune")
        self.assertTrue(hold.arrived(), found.error_text())
        second = self.dbsafe("prune", "--keep-last", "1", "--yes", check=12)
        self.assertRegex(second.err, str(found.pid))
        hold.release()
        self.assertEqual(self.check_run(found).rc, 0)
        self.dbsafe("prune", "--keep-last", "1", "--yes")
        self.assertEqual(self.stub.uploads(self.bucket), [])


class Rights(OnStub):
    """Fewer rights than all: what is not needed is not asked for, or done without, and said."""

    WRITES = frozenset({"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload", "DeleteObject"})

    def test_dump(self):
        for denied in ({"GetObject", "HeadObject", "DeleteObject"}, {"ListMultipartUploads", "ListParts"}, {"ListObjectsV2"},
                       {"GetObject", "HeadObject", "DeleteObject", "ListObjectsV2", "ListMultipartUploads", "ListParts"}):
            for table in ("bulk", "bulk.small"):
                with self.subTest(f"{sorted(denied)} {table}"):
                    self.stub.reset()
                    self.stub.empty(self.bucket)
                    self.stub.denied = frozenset(denied)
                    archive = self.dbsafe("dump", table, "--part-size", "5M", "--json").json["archive"]
                    self.stub.denied = frozenset()
                    self.dbsafe("verify", archive)
                    self.assertEqual(self.stub.uploads(self.bucket), [], self.stub.trace())

    def test_reads(self):
        self.dbsafe("copy", self.archive, "--to", self.store)
        self.stub.denied = self.WRITES
        self.dbsafe("list")
        self.dbsafe("show", "latest")
        self.dbsafe("verify", "latest")
        self.dbsafe("restore", "latest", "--into", "back")
        self.stub.denied = self.WRITES | {"ListObjectsV2", "ListMultipartUploads", "ListParts"}
        url = f"{self.store}/{PARTS}"
        for command in ("show", "verify", "restore"):
            self.dbsafe(command, url, *(("--into", "back2") if command == "restore" else ()))
        self.dbsafe("list", check=(3, 5))

    def test_what_is_needed_is_told(self):
        for denied, op in (({"UploadPart"}, "bulk"), ({"CreateMultipartUpload"}, "bulk"), ({"CompleteMultipartUpload"}, "bulk"),
                           ({"PutObject"}, "bulk.small")):
            with self.subTest(denied):
                self.stub.reset()
                self.stub.empty(self.bucket)
                self.stub.denied = frozenset(denied)
                result = self.dbsafe("dump", op, "--part-size", "5M", check=(3, 5))
                self.assertIn("AccessDenied", result.err)
                self.assert_nothing(f"{result}\n{self.stub.trace()}")
