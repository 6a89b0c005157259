"""The fault points of src/s3: wherever an upload fails nothing is left; wherever it is killed the next run cleans up."""

from lib.s3_case import S3Case
from lib.s3_stub import S3Stub

# point: (which passes of it, whether the object is there behind it)
POINTS = {"s3_create": (1,), "s3_part": (1, 2, 3), "s3_part_done": (1, 2, 3), "s3_complete": (1,)}


class Points(S3Case):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)
        cls.archive = cls.make_archive(cls.server)
        cls.small = cls.make_small_archive(cls.server)

    def setUp(self):
        self.stub = S3Stub()
        self.addCleanup(self.stub.close)
        self.use(self.stub)

    def upload(self, path, fault, **options):
        return self.dbsafe("copy", path, "--to", self.store, "--part-size", "5M", env={"DBSAFE_FAULT": fault}, **options)

    def each(self, action):
        for point, passes in POINTS.items():
            for n in passes:
                with self.subTest(f"{action} {point} {n}"):
                    yield f"{action}:{point}:{n}"

    def test_a_failure_leaves_nothing(self):
        for fault in self.each("fail"):
            result = self.upload(self.archive, fault, check=5)
            self.assertIn("fault injected at s3_", result.err)
            self.assert_nothing(result)
        result = self.upload(self.small, "fail:s3_put", check=5)
        self.assert_nothing(result)

    def test_what_is_complete_counts(self):
        """An error behind the completion finds the object there, whole and its own."""
        self.upload(self.archive, "fail:s3_completed")
        self.assert_is(self.archive)

    def test_a_kill_is_cleaned_by_the_next_run(self):
        for fault in self.each("kill"):
            self.assertEqual(self.upload(self.archive, fault, check=None).rc, -9)
            self.assertEqual((self.visible(), self.listed()), (set(), []))
            self.assertGreaterEqual(len(self.stub.uploads(self.bucket)), 1)
            self.dbsafe("prune")
            self.assert_nothing()

    def test_killed_behind_the_completion_it_is_there(self):
        self.assertEqual(self.upload(self.archive, "kill:s3_completed", check=None).rc, -9)
        self.dbsafe("prune")
        self.assert_is(self.archive)
        again = self.dbsafe("copy", self.archive, "--to", self.store, "--json").json
        self.assertIs(again["copied"], False)

    def test_a_read_that_fails(self):
        self.stub.put(self.bucket, self.key(self.archive.name), self.archive.read_bytes())
        url = f"{self.store}/{self.archive.name}"
        self.assertIn("fault injected at s3_read", self.dbsafe("verify", url, check=5, env={"DBSAFE_FAULT": "fail:s3_read:2"}).err)
        to = self.server.folder / "to"
        self.dbsafe("copy", url, "--to", to, check=5, env={"DBSAFE_FAULT": "fail:s3_read:2"})
        self.assertEqual(list(to.iterdir()), [])
