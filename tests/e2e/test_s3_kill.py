"""
Runs that end in mid-upload: kill -9, SIGTERM, a lost server. What is visible is whole; what is left is ours to clean, by the next run or
by prune, and nobody else's uploads are touched, nor those of a run that lives.
"""

import signal
import subprocess
import time

from lib import FULL, SANITIZED, rng, sample, wait_until
from lib.process import SLOWER
from lib.s3_case import PARTS, S3Case
from lib.s3_stub import S3Stub

SECONDS = 10 * (4 if SANITIZED else 1)  # what a signal may take


class MidUpload(S3Case):
    @classmethod
    def setUpClass(cls):
        if cls is MidUpload:
            return
        cls.server = cls.use_server(binlog=True)
        cls.archive = cls.make_archive(cls.server)
        cls.make_small_archive(cls.server)

    def stub(self, **options):
        stub = S3Stub(**options)
        self.addCleanup(stub.close)
        self.use(stub)
        return stub

    def start_held(self, op, n=1, after=False, command="copy", **options):
        """An upload that waits for the server's answer at the nth such request."""
        hold = self.s3.plan.hold(op, nth=n, after=after)
        args = ("copy", self.archive, "--to", self.store) if command == "copy" else ("dump", "bulk")
        found = self.start(*args, "--part-size", "5M", **options)
        wait_until(lambda: hold.arrived() or not found.running(), what=f"{op} {n}")
        self.assertTrue(hold.arrived(), found.error_text())
        return found, hold

    def uploading(self):
        """Whether an upload of an archive of ours is on its way."""
        return any(k.endswith(".dbsafe.tar") for k, _ in self.s3.uploads(self.bucket))

    def start_killed(self, op, n=1, **options):
        found, hold = self.start_held(op, n, **options)
        found.kill()
        self.assertEqual(found.finish(30).rc, -signal.SIGKILL)
        hold.release()
        wait_until(lambda: all(r.status for r in self.s3.log()), what="the end of what was on its way")

    def next_run(self, command="dump"):
        """A run that uploads something small, or prune."""
        if command == "dump":
            return self.dbsafe("dump", "bulk.small")
        if command == "copy":
            return self.dbsafe("copy", self.make_small_archive(self.server), "--to", self.store)
        return self.dbsafe("prune", "--yes")


PLACES = [("CreateMultipartUpload", 1, False), ("CreateMultipartUpload", 1, True), ("CreateMultipartUpload", 2, True), ("UploadPart", 1, False), ("UploadPart", 2, True),
          ("UploadPart", 3, True), ("CompleteMultipartUpload", 1, False)]


class Killed(MidUpload):
    def test_at_each_place(self):
        """Nothing is listed, and the next run of whatever kind removes what is left."""
        for (op, n, after), command in sample([(p, c) for p in PLACES for c in ("dump", "copy", "prune")], 9, "kills"):
            with self.subTest(f"{op} {n} {'done' if after else 'not done'}, then {command}"):
                stub = self.stub()
                self.start_killed(op, n, after=after)
                whole = 0
                if op == "CompleteMultipartUpload":  # the server had it in hand and went on
                    self.dbsafe("verify", f"{self.store}/{PARTS}")
                    whole = 1
                elif op == "UploadPart":
                    self.assertIn(self.key(PARTS), [k for k, _ in stub.uploads(self.bucket)])
                self.assertEqual((len(self.listed()), len(self.visible())), (whole, whole))
                result = self.next_run(command)
                detail = f"{result}\n{stub.trace()}"
                self.assertEqual(stub.uploads(self.bucket), [], detail)
                self.assertEqual(len(self.visible()), whole + (command != "prune"), detail)
                stub.close()

    def test_after_the_commit_it_is_whole(self):
        stub = self.stub()
        self.start_killed("CompleteMultipartUpload", after=True)
        self.assertEqual(self.visible(), {self.key(PARTS)})
        self.dbsafe("verify", f"{self.store}/{PARTS}")
        self.next_run()
        self.assertEqual(stub.uploads(self.bucket), [])

    def test_dumps_at_random_moments(self):
        stub = self.stub()
        seconds = min(self.dbsafe("dump", "bulk", "--part-size", "5M").seconds for _ in range(2))
        r, left = rng("s3 kills"), 0
        for _ in range(50 if FULL else 6):
            stub.empty(self.bucket)
            found = self.start("dump", "bulk", "--part-size", "5M")
            end = time.monotonic() + r.random() * seconds * 1.05
            while time.monotonic() < end:  # nothing is waited for: the moment itself is the point
                pass
            found.kill()
            found.finish(30)
            listed = self.listed()
            self.assertEqual({self.key(name) for name in listed}, self.visible())
            for name in listed:
                self.dbsafe("verify", f"{self.store}/{name}")
            left += len(stub.uploads(self.bucket))
            self.next_run("prune")
            self.assertEqual(stub.uploads(self.bucket), [])
        print(f"{self.id()}: {left} uploads were left")

    def test_uploads_of_others_are_left_alone(self):
        """Other programs', other names', other prefixes'; and of our own kind those whose origin nobody can tell."""
        stub = self.stub()
        other_prefix = stub.start_upload(self.bucket, "elsewhere/" + PARTS, [b"x"])
        theirs = {stub.start_upload(self.bucket, key, [b"1" * 100]) for key in (
            self.key("something else.bin"), self.key("sub/" + PARTS), self.prefix + "x/" + PARTS, PARTS, self.key("backup.tar"),
            self.key("20250101T000000Z-bulk-0123456789ab.dbsafe.tar"))}
        self.start_killed("UploadPart", 2)
        self.assertGreater(len(stub.uploads(self.bucket)), len(theirs) + 1)
        for command in ("dump", "prune", "copy"):
            self.next_run(command)
            self.assertEqual({i for _, i in stub.uploads(self.bucket)}, theirs | {other_prefix}, command)
        stub.age_uploads(self.bucket, 24 * 365)
        self.next_run("prune")
        self.assertEqual({i for _, i in stub.uploads(self.bucket)}, theirs | {other_prefix})

    def test_an_upload_of_a_run_that_lives_is_left_alone(self):
        stub = self.stub()
        found, hold = self.start_held("UploadPart", 2)
        mine = stub.uploads(self.bucket)
        self.assertIn(self.key(PARTS), [k for k, _ in mine])
        stub.age_uploads(self.bucket, 48)
        for command in ("dump", "prune", "copy"):
            self.next_run(command)
            self.assertEqual(stub.uploads(self.bucket), mine, command)
        hold.release()
        self.assertEqual(self.check_run(found).rc, 0)
        self.assertEqual(stub.uploads(self.bucket), [])
        self.assertIn(self.key(PARTS), self.visible())

    def test_an_upload_of_another_host(self):
        """Nobody can know whether it lives: it is left alone until nothing was added to it for long enough."""
        stub = self.stub()
        if subprocess.run(["unshare", "--uts", "--pid", "--fork", "true"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("no right to be another host")
        hold = stub.plan.hold("UploadPart", nth=2)
        argv = self.server.dbsafe_argv(["copy", self.archive, "--to", self.store, "--part-size", "5M"])
        found = subprocess.Popen(["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c",
                                  'hostname other.example.com && exec "$@"', "-", *argv],
                                 env=self.server.dbsafe_env(self.env()), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: found.poll() is None and (found.kill(), found.wait()))
        wait_until(lambda: hold.arrived() or found.poll() is not None, what="the second part")
        found.kill()
        found.wait()
        hold.release()
        left = stub.uploads(self.bucket)
        self.assertIn(self.key(PARTS), [k for k, _ in left])
        for command in ("dump", "prune"):
            self.next_run(command)
            self.assertEqual(stub.uploads(self.bucket), left, command)
        stub.age_uploads(self.bucket, 23)
        self.next_run("prune")
        self.assertEqual(stub.uploads(self.bucket), left)
        self.dbsafe("prune", "--yes", "--dry-run", "--stale-after", "22")
        self.assertEqual(stub.uploads(self.bucket), left)
        stub.age_uploads(self.bucket, 2)
        self.next_run("prune")
        self.assertEqual(stub.uploads(self.bucket), [])

    def test_on_a_real_server(self):
        s3 = self.use_radosgw()
        self.use(s3)
        other = s3.start_upload(self.bucket, self.key("another's.bin"), [b"x" * 6000000])
        found = self.start("dump", "bulk", "--part-size", "5M", "--max-rate", "4M")
        wait_until(lambda: self.uploading() or not found.running(), what="the upload")
        found.kill()
        self.assertEqual(found.finish(30).rc, -signal.SIGKILL)
        left = s3.uploads(self.bucket)
        self.assertEqual((self.listed(), self.visible()), ([], set()))
        dry = self.dbsafe("prune", "--dry-run")
        self.assertEqual(s3.uploads(self.bucket), left, dry)
        self.next_run("dump")
        self.assertEqual([i for _, i in s3.uploads(self.bucket)], [other])
        self.assertEqual(len(self.listed()), 1)


class Cancelled(MidUpload):
    NAMES = {signal.SIGINT: 130, signal.SIGTERM: 143}

    def check_cancelled(self, found, number, hold=None):
        """It ends in time although the server says nothing, and takes its upload with it."""
        begin = time.monotonic()
        found.signal(number)
        result = self.check_run(found, 60)
        detail = f"{result}\n{self.s3.trace() if isinstance(self.s3, S3Stub) else ''}"
        self.assertEqual(result.rc, self.NAMES[number], detail)
        self.assertLess(time.monotonic() - begin, SECONDS, detail)
        if hold:
            hold.release()
        return detail

    def test_at_each_place(self):
        places = [p for p in PLACES if p[0] != "CreateMultipartUpload"]
        for (op, n, after), number, command in sample([(p, s, c) for p in places for s in self.NAMES for c in ("copy", "dump")], 6, "signals"):
            with self.subTest(f"{number} at {op} {n} {'done' if after else 'not done'}, {command}"):
                stub = self.stub()
                found, hold = self.start_held(op, n, after, command)
                detail = self.check_cancelled(found, number, hold)
                # a part that was on its way may arrive behind the abort; nothing may come of it
                wait_until(lambda: all(r.status for r in stub.log()), what="the last answer")
                self.assert_nothing(detail)
                stub.close()

    def test_while_the_upload_begins(self):
        """The answer with the upload's id never comes; then it cannot be aborted by it, but it can be found."""
        for n, after in ((1, False), (1, True), (2, False), (2, True)):
            with self.subTest(n=n, after=after):
                stub = self.stub()
                found, hold = self.start_held("CreateMultipartUpload", n, after)
                detail = self.check_cancelled(found, signal.SIGTERM, hold)
                wait_until(lambda: all(r.status for r in stub.log()), what="the last answer")
                self.assertEqual(self.visible(), set(), detail)
                if stub.uploads(self.bucket):
                    self.next_run("prune")
                self.assertEqual(stub.uploads(self.bucket), [], detail)

    def test_before_the_upload_begins(self):
        """Nothing was sent, so nothing can have been begun: the mark goes, too. (Where the signal comes while the request is under way it
        stays, because nobody knows what became of that, and the next run removes it.)"""
        clean = 0
        for i in range(20 if FULL else 6):
            with self.subTest(i):
                stub = self.stub()
                found = self.start("copy", self.archive, "--to", self.store, "--part-size", "5M", env={"DBSAFE_FAULT": "stop:s3_create"})
                wait_until(lambda: found.stopped() or not found.running(), what="the beginning of the upload")
                found.signal(signal.SIGTERM)
                found.signal(signal.SIGCONT)
                result = self.check_run(found, 60)
                self.assertEqual(result.rc, 143, result)
                self.assertEqual(self.visible(), set(), result)
                clean += not self.s3.uploads(self.bucket)
                self.dbsafe("prune")
                self.assert_nothing(f"{result}\n{stub.trace()}")
                stub.close()
        self.assertGreater(clean, 0)

    def test_behind_the_commit_it_is_too_late(self):
        stub = self.stub()
        found, hold = self.start_held("CompleteMultipartUpload", after=True)
        found.signal(signal.SIGTERM)
        hold.release()
        result = self.check_run(found)
        self.assertIn(result.rc, (0, 143), result)
        if self.visible():
            self.assert_is(self.archive, f"{result}\n{stub.trace()}")
        else:
            self.assert_nothing()

    def test_while_waiting_to_try_again(self):
        for op in ("UploadPart", "ListObjectsV2", "HeadObject", "CompleteMultipartUpload"):
            with self.subTest(op):
                stub = self.stub()
                planned = stub.plan.inject("503 SlowDown", op=op, times=float("inf"))
                found = self.start("copy", self.archive, "--to", self.store, "--part-size", "5M")
                wait_until(lambda: planned.hit > 3 or not found.running(), what="the third try", timeout=60)
                if not planned.hit:
                    continue  # it does not need that request
                self.check_cancelled(found, signal.SIGTERM)
                self.assert_nothing(stub.trace())

    def test_a_silent_server(self):
        """The gateway is stopped: nothing can be cleaned now, but it ends in time; the next run cleans."""
        s3 = self.use_radosgw()
        self.use(s3)
        found = self.start("dump", "bulk", "--part-size", "5M", "--max-rate", "4M")
        wait_until(lambda: self.uploading() or not found.running(), what="the upload")
        s3.signal_gateway(signal.SIGSTOP)
        try:
            self.check_cancelled(found, signal.SIGTERM)
        finally:
            s3.signal_gateway(signal.SIGCONT)
        self.assertEqual(self.visible(), set())
        self.next_run("dump")
        self.assertEqual(s3.uploads(self.bucket), [])
        self.assertEqual(len(self.listed()), 1)

    def test_reads(self):
        for command in ("verify", "restore"):
            with self.subTest(command):
                stub = self.stub()
                stub.put(self.bucket, self.key(PARTS), self.archive.read_bytes())
                hold = stub.plan.hold("GetObject", nth=3)
                args = ("--into", "cancelled") if command == "restore" else ()
                found = self.start(command, f"{self.store}/{PARTS}", *args)
                wait_until(lambda: hold.arrived() or not found.running(), what="the third read")
                self.check_cancelled(found, signal.SIGTERM, hold)
                self.assertNotIn(("cancelled",), self.server.sql("SHOW DATABASES"))

    def test_a_server_that_dies(self):
        """In mid-upload the gateway is killed: exit 5, in bounded time."""
        if not FULL:
            self.skipTest("only with --full: it takes as long as the tries do")
        s3 = self.use_radosgw()
        self.use(s3)
        found = self.start("dump", "bulk", "--part-size", "5M", "--max-rate", "4M")
        wait_until(lambda: self.uploading() or not found.running(), what="the upload")
        s3.signal_gateway(signal.SIGKILL)
        result = self.check_run(found, 300)
        self.assertEqual(result.rc, 5, result)
        self.assertIn("127.0.0.1", result.err)
        self.assertLess(result.seconds, 240 * SLOWER)
