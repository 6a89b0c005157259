"""The conformance suite of stores (tests/conform) on S3: on real servers, and on the stub as each kind of server it can play."""

import re
import subprocess

from lib import FULL, TestCase, client_env, sample
from lib.paths import BUILD, ROOT
from lib.process import MODE, run
from lib.s3_stub import S3Stub

PROGRAM = BUILD / MODE / "tests" / "conform" / "test_store"


class Conformance(TestCase):
    @classmethod
    def setUpClass(cls):
        # make unit builds it, too; without it this file could not be run by itself
        subprocess.run(["make", "-s", "-C", ROOT, f"MODE={MODE}", PROGRAM.relative_to(ROOT)], check=True, stdout=subprocess.DEVNULL)

    def check_store(self, s3, prefix="/suite", objects=None, part_bytes=None, **env):
        bucket = s3.bucket()
        result = run([PROGRAM], env=client_env("/nonexistent", {
            **s3.env(), "CMOCKA_MESSAGE_OUTPUT": "TAP", "DBSAFE_CONFORM_STORE": f"s3://{bucket}{prefix}",
            "DBSAFE_CONFORM_OBJECTS": objects, "DBSAFE_CONFORM_PART_BYTES": part_bytes, **env}), timeout=600)
        planned = re.search(r"(?m)^1\.\.(\d+)$", result.out)
        passed = len(re.findall(r"(?m)^ok \d+ ", result.out))
        self.assertEqual((result.rc, passed), (0, int(planned[1]) if planned else "no plan"), result)
        self.assertGreater(passed, 15)
        # Of what it began it left nothing unfinished, and it wrote nowhere else.
        self.assertEqual(s3.uploads(bucket), [])
        stray = [k for k in s3.objects(bucket) if not k.startswith(prefix.strip("/"))]
        self.assertEqual(stray, [])
        if isinstance(s3, S3Stub):
            self.assertEqual(s3.complaints(), [])

    def stub(self, **options):
        stub = S3Stub(**options)
        self.addCleanup(stub.close)
        return stub


class RealServers(Conformance):
    def test_radosgw(self):
        s3 = self.use_radosgw()
        for prefix in ("/sp ce+%41 ü&x=y/(...)", "/a/b", "")[:3 if FULL else 1]:
            with self.subTest(prefix):
                self.check_store(s3, prefix, objects=1005)

    def test_swift(self):
        if not FULL:
            self.skipTest("only with --full")
        from lib.swift import Swift
        s3 = Swift()
        self.addCleanup(s3.close)
        self.check_store(s3.start(), objects=1005)

    def test_moto(self):
        from lib import moto
        if not FULL or not moto.available():
            self.skipTest("only with --full, and where moto_server is installed")
        s3 = moto.Moto()
        self.addCleanup(s3.close)
        self.check_store(s3.start(), objects=1005)


class StubbedServers(Conformance):
    """What servers differ in. Not every one knows conditions; none may lose data for it."""

    def test_as_aws(self):
        self.check_store(self.stub(page_size=7))

    def test_growing_parts_are_refused(self):
        self.check_store(self.stub(uniform_parts=True, checksums="refused"))

    def test_small_parts(self):
        self.check_store(self.stub(uniform_parts=True), part_bytes=5 << 20)

    def test_no_conditions(self):
        kinds = [(put, complete, checksums) for put in ("known", "unknown", "ignored") for complete in ("known", "unknown", "ignored")
                 for checksums in ("ignored", "required") if (put, complete) != ("known", "known")]
        for put, complete, checksums in sample(kinds, 3, "conditions"):
            with self.subTest(f"with PUT {put}, with Complete {complete}, checksums {checksums}"):
                self.check_store(self.stub(conditional_put=put, conditional_complete=complete, checksums=checksums))

    def test_over_tls(self):
        from pathlib import Path
        import tempfile
        from lib.radosgw import make_certificate
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = make_certificate(Path(folder))
            self.check_store(self.stub(certificate=(certificate, key, Path(folder) / "ca.pem")))

    def test_a_bucket_in_another_region(self):
        for told in sample(("400", "301", "307"), 1, "region"):
            with self.subTest(told):
                s3 = self.stub()
                s3.wrong_region = told
                plain, s3.bucket = s3.bucket, lambda: plain(region="eu-south-1")
                self.check_store(s3)
