"""
Uploads and reads through faults, on the stub: each fault of lib/s3_faults.py at each request of an upload of three parts. Whatever
happens, the archive is there byte for byte and nothing else is, or dbsafe says why not and leaves nothing at all.
"""

import collections
import os
import time

from lib import FULL, SANITIZED, compare_schemas, sample, table_digests, wait_until
from lib.process import SLOWER
from lib.s3_case import PART, S3Case
from lib.s3_faults import FAULTS, READS
from lib.s3_stub import S3Stub

SAMPLE = 25 if SANITIZED else 45


def is_slow(fault):
    """Whether it takes thirty seconds until a client gives up waiting."""
    return "stall" in fault.effect


class Faults(S3Case):
    @classmethod
    def setUpClass(cls):
        if cls is Faults:
            return
        cls.server = cls.use_server(binlog=True)
        cls.archive = cls.make_archive(cls.server)

    def stub(self, **options):
        stub = S3Stub(**options)
        self.addCleanup(stub.close)
        self.use(stub)
        return stub

    def upload(self, check=0, **options):
        return self.dbsafe("copy", self.archive, "--to", self.store, "--part-size", "5M", check=check, **options)

    def positions(self, *ops):
        """[(operation, n)] of a run of upload() without faults; only these operations if given."""
        self.stub()
        self.upload()
        self.assert_is(self.archive)
        counts = collections.Counter(r.op for r in self.s3.log())
        return [(op, n + 1) for op, count in counts.items() if not ops or op in ops for n in range(count)]

    def check_outcome(self, fault, op, planned, result):
        detail = f"{result}\n{self.s3.trace()}"
        self.assertEqual(planned.hit, 1, f"the fault was not met\n{detail}")
        if op == "AbortMultipartUpload" and not fault.passes:
            self.dbsafe("prune", "--yes")  # what may not be aborted cannot be; the next run can
        if result.rc == 0:
            self.assert_is(self.archive, detail)
        else:
            self.assertIn(result.rc, fault.exits, detail)
            self.assertFalse(fault.passes, f"the fault should have been overcome\n{detail}")
            self.assertNotIn("internal error", result.err)
            self.assert_nothing(detail)
        self.assertEqual(self.s3.complaints(), [])
        return result.rc


class Uploads(Faults):
    def test_each_fault_at_each_request(self):
        cases = [(fault, op, n) for op, n in self.positions() for fault in FAULTS.values()
                 if not is_slow(fault) and fault.applies(op)]
        outcomes = collections.Counter()
        for fault, op, n in sample(cases, SAMPLE, "upload faults"):
            with self.subTest(f"{fault.name} at {op} {n}"):
                stub = self.stub()
                planned = stub.plan.inject(fault, op=op, nth=n)
                outcomes[self.check_outcome(fault, op, planned, self.upload(check=None))] += 1
                stub.close()
        print(f"{self.id()}: {len(cases)} possible, exit statuses {dict(outcomes)}")
        self.assertGreater(outcomes[0], outcomes[5])

    def test_what_takes_its_time(self):
        """Stalls, and requests that always fail: all at once, each with a server of its own, because each takes half a minute."""
        stalls = [(fault, op, n) for op, n in self.positions() for fault in FAULTS.values() if is_slow(fault) and fault.applies(op)]
        stalled = [self.begin(fault, op, n) for fault, op, n in sample(stalls, 6, "stalls")]
        failing = [(self.begin(FAULTS[name], op, 1, times=float("inf")), words) for name, op, words in (
            ("500", "UploadPart", "InternalError"), ("503 SlowDown", "UploadPart", "SlowDown"), ("reset in the body", "UploadPart", "reset"),
            ("reset after the body", "CompleteMultipartUpload", ""), ("200 with an error", "CompleteMultipartUpload", "InternalError"),
            ("400 RequestTimeout", "UploadPart", "RequestTimeout"), ("502 without a body", "CreateMultipartUpload", "502"),
            ("409 ConditionalRequestConflict", "CompleteMultipartUpload", ""), ("wrong ETag", "UploadPart", ""),
            ("403 AccessDenied", "CompleteMultipartUpload", "AccessDenied"), ("403 AccessDenied", "CreateMultipartUpload", "AccessDenied"))]
        for fault, op, n, planned, self.s3, self.bucket, self.store, found in stalled:
            with self.subTest(f"{fault.name} at {op} {n}"):
                self.check_outcome(fault, op, planned, self.check_run(found, 180))
        for (fault, op, _, planned, self.s3, self.bucket, self.store, found), words in failing:
            with self.subTest(f"{fault.name} at each {op}"):
                self.check_given_up(fault, planned, words, self.check_run(found, 300))

    def begin(self, fault, op, n, times=1):
        stub = self.stub()
        planned = stub.plan.inject(fault, op=op, nth=n, times=times)
        found = self.start("copy", self.archive, "--to", self.store, "--part-size", "5M")
        return fault, op, n, planned, stub, self.bucket, self.store, found

    def check_given_up(self, fault, planned, words, result):
        """Tried again for a while, unless that was hopeless; given up with the server's words; nothing stays."""
        detail = f"{result}\n{self.s3.trace()}"
        self.assertIn(result.rc, fault.exits, detail)
        self.assertIn(words, result.err, detail)
        self.assertGreater(planned.hit, 0)
        if fault.name == "403 AccessDenied":
            self.assertEqual(planned.hit, 1, f"what is not allowed is not tried again\n{detail}")
        self.assert_nothing(detail)

    def test_two_faults_in_a_row(self):
        """The way out of a fault meets another one: cleaning up must be as stubborn as the upload."""
        for first, op, second, then in (
                ("403 AccessDenied", "UploadPart", "503 SlowDown", "AbortMultipartUpload"),
                ("403 AccessDenied", "UploadPart", "answer lost", "AbortMultipartUpload"),
                ("403 AccessDenied", "CompleteMultipartUpload", "reset before the body", "AbortMultipartUpload"),
                ("answer lost", "CompleteMultipartUpload", "503 SlowDown", "HeadObject"),
                ("answer lost", "CompleteMultipartUpload", "answer lost", "HeadObject"),
                ("200 with an error, but done", "CompleteMultipartUpload", "500", "CompleteMultipartUpload"),
                ("answer lost", "CreateMultipartUpload", "answer lost", "CreateMultipartUpload"),
                ("answer lost", "UploadPart", "answer lost", "UploadPart")):
            with self.subTest(f"{first} at {op}, {second} at {then}"):
                stub = self.stub()
                stub.plan.inject(first, op=op)
                # only requests behind the first fault count
                stub.plan.inject(second, op=then, where=lambda _, s=stub: any(r.fault for r in s.log()))
                result = self.upload(check=None)
                detail = f"{result}\n{stub.trace()}"
                if FAULTS[first].passes:
                    self.assertEqual(result.rc, 0, detail)
                    self.assert_is(self.archive, detail)
                else:
                    self.assertIn(result.rc, (3, 5), detail)
                    self.assert_nothing(detail)

    def test_an_upload_that_was_begun_behind_an_error(self):
        """The server begins it, a gateway answers with an error, or the answer is damaged: the first one must not stay."""
        for fault in ("502, but done", "500, but done", "200 without a body"):
            for n in (1, 2):  # the mark's, the upload's
                with self.subTest(f"{fault} at {n}"):
                    stub = self.stub()
                    planned = stub.plan.inject(fault, op="CreateMultipartUpload", nth=n)
                    self.upload()
                    self.assertEqual(planned.hit, 1)
                    self.assertEqual(stub.uploads(self.bucket), [], stub.trace())
                    stub.close()

    def test_an_object_whose_length_is_not_told_stays(self):
        """What is shorter than it was written is removed; that needs to be known, not guessed."""
        for path, op, fault in ((self.archive, "CompleteMultipartUpload", "empty ETag"), (self.archive, "CompleteMultipartUpload", "answer lost"),
                                (self.make_small_archive(self.server), "PutObject", "answer lost")):
            with self.subTest(f"{fault} at {op}"):
                stub = self.stub()
                stub.plan.inject(fault, op=op)
                stub.plan.inject("no Content-Length", op="HeadObject", times=float("inf"))
                result = self.dbsafe("copy", path, "--to", self.store, "--part-size", "5M", check=(5, 10))
                detail = f"{result}\n{stub.trace()}"
                self.assertEqual(stub.log("DeleteObject"), [], detail)
                self.assertEqual(self.visible(), {self.key(path.name)}, detail)
                if op == "CompleteMultipartUpload":
                    self.assertIn("does not say how long the object is", result.err, detail)

    def test_many_faults_at_random(self):
        """One request in five goes wrong in a way that passes."""
        from lib import rng
        for i in range(20 if FULL else 3):
            r = rng(f"storm {i}")
            stub = self.stub()
            for name in r.sample([n for n, f in FAULTS.items() if f.passes and f.name != "clock skewed" and not f.only and
                                  not is_slow(f)], 8):
                stub.plan.inject(name, nth=r.randrange(1, 25))
            result = self.upload()
            self.assert_is(self.archive, f"{result}\n{stub.trace()}")

    def test_small_archives_in_one_put(self):
        small = self.make_small_archive(self.server)
        for fault in FAULTS.values():
            if is_slow(fault) or not fault.applies("PutObject"):
                continue
            with self.subTest(fault.name):
                stub = self.stub()
                planned = stub.plan.inject(fault, op="PutObject")
                result = self.dbsafe("copy", small, "--to", self.store, check=None)
                detail = f"{result}\n{stub.trace()}"
                self.assertEqual(planned.hit, 1, detail)
                self.assertEqual(stub.log("CreateMultipartUpload"), [], detail)
                if fault.passes:
                    self.assertEqual(result.rc, 0, detail)
                if result.rc == 0:
                    self.assert_is(small, detail)
                else:
                    self.assertIn(result.rc, fault.exits, detail)
                    self.assert_nothing(detail)
                stub.close()

    def test_an_object_that_appears_meanwhile_is_not_overwritten(self):
        """The other one's bytes stay, and nothing of ours does. Where the server ignores conditions there is a moment left."""
        small = self.make_small_archive(self.server)
        for support, path, op in (("known", self.archive, "CompleteMultipartUpload"), ("unknown", self.archive, "CompleteMultipartUpload"),
                                  ("ignored", self.archive, "UploadPart"), ("known", small, "PutObject"), ("unknown", small, "PutObject")):
            with self.subTest(f"{support} {path.name}"):
                stub = self.stub(conditional_put=support, conditional_complete=support)
                hold = stub.plan.hold(op)
                found = self.start("copy", path, "--to", self.store, "--part-size", "5M")
                wait_until(lambda: hold.arrived() or not found.running(), what=f"the {op}")
                stub.put(self.bucket, self.key(path.name), b"another's")
                hold.release()
                result = self.check_run(found)
                detail = f"{result}\n{stub.trace()}"
                self.assertEqual(result.rc, 10, detail)
                self.assertEqual(stub.get(self.bucket, self.key(path.name)), b"another's", detail)
                self.assertEqual(stub.uploads(self.bucket), [], detail)


class Dumps(Faults):
    """The same with rows on their way: a fault must neither lose one nor show half of them."""

    def test_faults_at_dumps(self):
        cases = [(fault, op, n) for op, n in self.positions("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
                 for fault in FAULTS.values()
                 if not is_slow(fault) and fault.applies(op)]
        for fault, op, n in sample(cases, 12, "dump faults"):
            with self.subTest(f"{fault.name} at {op} {n}"):
                stub = self.stub()
                planned = stub.plan.inject(fault, op=op, nth=n)
                result = self.dbsafe("dump", "bulk", "--part-size", "5M", "--json", check=None)
                detail = f"{result}\n{stub.trace()}"
                self.assertEqual(planned.hit, 1, detail)
                self.assertTrue(result.rc == 0 or not fault.passes, detail)
                if result.rc == 0:
                    self.assertEqual(len(self.visible()), 1, detail)
                    self.assertEqual(stub.uploads(self.bucket), [], detail)
                    self.dbsafe("verify", result.json["archive"])
                    self.dbsafe("verify", result.json["archive"], "--live")
                else:
                    self.assertIn(result.rc, fault.exits, detail)
                    self.assert_nothing(detail)
                stub.close()


class Reads(Faults):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)
        cls.archive = cls.make_archive(cls.server, mib=3)

    def put_archive(self, **options):
        stub = self.stub(**options)
        stub.put(self.bucket, self.key(self.archive.name), self.archive.read_bytes())
        return stub, f"{self.store}/{self.archive.name}"

    def cases(self, count, name, *args):
        """[(fault, operation, n)] for what such a run reads."""
        stub, url = self.put_archive()
        self.dbsafe(*[url if a == "ARCHIVE" else a for a in args])
        counts = collections.Counter(r.op for r in stub.log())
        found = [(fault, op, n + 1) for op, total in counts.items() for n in range(total) for fault in FAULTS.values()
                 if op in ("GetObject", "HeadObject", "ListObjectsV2") and not is_slow(fault) and fault.applies(op)]
        self.assertIn("GetObject", counts)
        return sample(found, count, name)

    def check_read(self, fault, planned, result, stub):
        detail = f"{result}\n{stub.trace()}"
        self.assertEqual(planned.hit, 1, detail)
        if result.rc != 0:
            self.assertFalse(fault.passes, f"the fault should have been overcome\n{detail}")
            self.assertIn(result.rc, (*fault.exits, 11) if "AccessDenied" in fault.name else fault.exits, detail)
        elif fault.name == "flipped bits" and next(r.status for r in stub.log() if r.fault) == 206:
            self.fail(f"the damage was not noticed\n{detail}")
        self.assertEqual(stub.uploads(self.bucket), [])

    def test_verify(self):
        for fault, op, n in self.cases(30, "verify faults", "verify", "ARCHIVE"):
            with self.subTest(f"{fault.name} at {op} {n}"):
                stub, url = self.put_archive()
                planned = stub.plan.inject(fault, op=op, nth=n)
                self.check_read(fault, planned, self.dbsafe("verify", url, check=None), stub)
                stub.close()

    def test_restore(self):
        before = table_digests(self.server, "bulk")
        for fault, op, n in self.cases(10, "restore faults", "restore", "ARCHIVE", "--into", "back"):
            with self.subTest(f"{fault.name} at {op} {n}"):
                self.server.sql("DROP DATABASE IF EXISTS back")
                stub, url = self.put_archive()
                planned = stub.plan.inject(fault, op=op, nth=n)
                result = self.dbsafe("restore", url, "--into", "back", check=None)
                self.check_read(fault, planned, result, stub)
                if result.rc == 0:
                    self.assertEqual(compare_schemas(self.server, "bulk", "back"), [])
                else:
                    self.assertEqual(self.server.sql("SHOW TABLES FROM information_schema LIKE 'x'"), [])
                    self.assertNotIn(("back",), self.server.sql("SHOW DATABASES"), str(result))
                stub.close()
        self.assertEqual(table_digests(self.server, "bulk"), before)

    def test_stalled_reads(self):
        running = []
        for command, n in (("verify", 1), ("verify", 3), ("restore", 2)):
            stub, url = self.put_archive()
            planned = stub.plan.inject("stalled in the answer", op="GetObject", nth=n)
            found = self.start(command, url, *(("--into", "stalled") if command == "restore" else ()))
            running.append((planned, stub, self.bucket, found))
        for planned, stub, self.bucket, found in running:
            result = self.check_run(found, 120)
            self.check_read(FAULTS["stalled in the answer"], planned, result, stub)
            self.assertLess(result.seconds, 90 * SLOWER)

    def test_the_object_is_replaced_while_it_is_read(self):
        """The ETag pins it: no mixture of two archives is ever taken for one."""
        stub, url = self.put_archive()
        hold = stub.plan.hold("GetObject", nth=3)
        found = self.start("verify", url)
        wait_until(lambda: hold.arrived() or not found.running(), what="the third read")
        other = bytearray(self.archive.read_bytes())
        other[len(other) // 2] ^= 1
        stub.put(self.bucket, self.key(self.archive.name), bytes(other))
        hold.release()
        result = self.check_run(found)
        self.assertIn(result.rc, (5, 8), f"{result}\n{stub.trace()}")
        reads = stub.log(*READS)
        self.assertTrue(all(r.header("if-match") for r in reads if r.header("range") and r is not reads[0]), stub.trace())

    def test_the_object_is_removed_while_it_is_read(self):
        stub, url = self.put_archive()
        hold = stub.plan.hold("GetObject", nth=3)
        found = self.start("restore", url, "--into", "gone")
        wait_until(lambda: hold.arrived() or not found.running(), what="the third read")
        stub.empty(self.bucket)
        hold.release()
        result = self.check_run(found)
        self.assertIn(result.rc, (5, 8, 11), f"{result}\n{stub.trace()}")
        self.assertNotIn(("gone",), self.server.sql("SHOW DATABASES"))


class Keys(Faults):
    """Credentials that end, and clocks that differ, while an archive is on its way."""

    PROCESS = """
import json, os, sys, time
with open({state!r}) as file:
    keys = json.load(file)
with open({state!r} + ".calls", "a") as file:
    file.write(keys["AccessKeyId"] + "\\n")
json.dump(keys, sys.stdout)
"""

    def keys_file(self, name):
        """A credential_process that gives what is in a file: the file's path, and the environment that leads to it."""
        state = str(self.server.folder / f"{name}.keys.json")
        script = self.server.folder / f"{name}.py"
        script.write_text(self.PROCESS.format(state=state))
        config = self.write_aws_config(f"[default]\nregion = us-east-1\ncredential_process = /usr/bin/python3 {script}\n", f"{name}.config")
        if os.path.exists(state + ".calls"):
            os.unlink(state + ".calls")
        return state, {"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_ACCESS_KEY_ID": None,
                       "AWS_SECRET_ACCESS_KEY": None}

    def give(self, state, credential, seconds=3600):
        import json
        expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        with open(state + ".new", "w") as file:
            json.dump({"Version": 1, "AccessKeyId": credential.account.access_key, "SecretAccessKey": credential.account.secret_key,
                       "SessionToken": credential.token, "Expiration": expiry}, file)
        os.rename(state + ".new", state)

    def test_keys_that_end_in_mid_upload(self):
        """The server says so at each request in turn; new keys are fetched and the upload goes on."""
        places = self.positions("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
        for op, n in sample(places, 4, "expiry"):
            with self.subTest(f"{op} {n}"):
                stub = self.stub()
                state, env = self.keys_file("expiring")
                first, second = stub.add_temporary(), stub.add_temporary()
                self.give(state, first)
                hold = stub.plan.hold(op, nth=n)
                found = self.start("copy", self.archive, "--to", self.store, "--part-size", "5M", env=env)
                wait_until(lambda: hold.arrived() or not found.running(), what=f"{op} {n}")
                first.expired = True
                self.give(state, second)
                hold.release()
                result = self.check_run(found)
                detail = f"{result}\n{stub.trace()}"
                self.assertEqual(result.rc, 0, detail)
                self.assert_is(self.archive, detail)
                self.assertTrue(any(r.error == "ExpiredToken" for r in stub.log()), detail)
                with open(state + ".calls") as file:
                    self.assertEqual(set(file.read().split()), {first.account.access_key, second.account.access_key})

    def test_no_new_keys_are_to_be_had(self):
        stub = self.stub()
        state, env = self.keys_file("ended")
        only = stub.add_temporary()
        self.give(state, only)
        hold = stub.plan.hold("UploadPart", nth=2)
        found = self.start("copy", self.archive, "--to", self.store, "--part-size", "5M", env=env)
        wait_until(lambda: hold.arrived() or not found.running(), what="the second part")
        only.expired = True
        hold.release()
        result = self.check_run(found)
        self.assertIn(result.rc, (3, 5), f"{result}\n{stub.trace()}")
        self.assertIn("ExpiredToken", result.err)
        self.assertEqual(self.visible(), set())
        # Nobody can abort it without keys; with new ones the next run does.
        only.expired = False
        if stub.uploads(self.bucket):
            self.dbsafe("copy", self.archive, "--to", self.store, env=env)
            self.assert_is(self.archive)

    def test_keys_that_are_about_to_end_make_no_flood(self):
        """Each request finds that they should be replaced; whoever gives them is not asked each time."""
        stub = self.stub()
        state, env = self.keys_file("soon")
        self.give(state, stub.add_temporary(), seconds=300)
        self.dbsafe("copy", self.archive, "--to", self.store, "--part-size", "5M", env=env)
        self.assert_is(self.archive, stub.trace())
        with open(state + ".calls") as file:
            self.assertLessEqual(len(file.read().split()), 2)

    def test_clocks(self):
        """Ahead or behind, from the start or from some moment on: the server's time counts."""
        for offset in (3600, -3600, 86400 * 40, -86400 * 40):
            with self.subTest(offset):
                stub = self.stub()
                stub.clock_offset = offset
                self.upload()
                self.assert_is(self.archive, stub.trace())
                skewed = [r for r in stub.log() if r.error == "RequestTimeTooSkewed"]
                # each connection may learn it for itself, but not each request
                self.assertTrue(1 <= len(skewed) <= 6, stub.trace())
                self.dbsafe("verify", f"{self.store}/{self.archive.name}")

    def test_regions(self):
        for told in ("400", "301", "307"):
            for command in ("copy", "verify", "list"):
                with self.subTest(f"{told} {command}"):
                    stub = S3Stub()
                    self.addCleanup(stub.close)
                    stub.wrong_region = told
                    self.use(stub, region="eu-south-1")
                    stub.put(self.bucket, self.key("there.dbsafe.tar"), self.archive.read_bytes())
                    if command == "copy":
                        self.upload()
                        self.s3.remove = lambda b, k: stub.buckets[b].objects.pop(k)
                        self.s3.remove(self.bucket, self.key("there.dbsafe.tar"))
                        self.assert_is(self.archive, stub.trace())
                    elif command == "verify":
                        self.dbsafe("verify", f"{self.store}/there.dbsafe.tar")
                    else:
                        self.dbsafe("list")
                    wrong = [r for r in stub.log() if r.status in (301, 307, 400)]
                    self.assertTrue(1 <= len(wrong) <= 6, stub.trace())

    def test_only_its_own_kind_of_part_sizes(self):
        """A server that wants all parts but the last of one size, and knows no checksums, gets what it wants."""
        stub = self.stub(uniform_parts=True, checksums="refused", conditional_put="unknown", conditional_complete="unknown")
        self.upload()
        self.assert_is(self.archive, stub.trace())
        sizes = [r.length for r in stub.log("UploadPart")]
        self.assertEqual(sorted(sizes)[1:], [PART, PART], sizes)
