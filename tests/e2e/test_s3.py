"""S3 as the store, on a real server (Ceph's gateway), judged by botocore and the stock aws client."""

import concurrent.futures
import hashlib
import json
import re
import time

from lib import SANITIZED, sample, table_digests, wait_until
from lib.archive import Archive
from lib.radosgw import make_certificate
from lib.s3 import Account
from lib.s3_case import PARTS, S3Case
from lib.s3_stub import S3Stub

MIB = 1 << 20


class OnRadosgw(S3Case):
    @classmethod
    def setUpClass(cls):
        if cls is OnRadosgw:
            return
        cls.gateway = cls.use_radosgw(tls=True)
        cls.server = cls.use_server(binlog=True, extra=["--userstat=1", "--general-log=1", "--general-log-file=general.log"])
        cls.archive = cls.make_archive(cls.server)
        cls.server.load_chatbot(2000)

    def setUp(self):
        self.use(self.gateway)


class Story(OnRadosgw):
    def test_dump_verify_restore(self):
        s = self.server
        dump = self.dbsafe("dump", "glpi_select", "--json").json
        self.assertRegex(dump["archive"], rf"^{re.escape(self.store)}/\d{{8}}T\d{{6}}Z-glpi_select-[0-9a-f]{{12}}\.dbsafe\.tar$")
        name = dump["archive"].rsplit("/", 1)[1]
        self.assertEqual(self.visible(), {self.key(name)})
        self.assertEqual(self.s3.head(self.bucket, self.key(name))["ContentLength"], dump["archive_bytes"])
        self.assertEqual(self.s3.uploads(self.bucket), [])
        for archive in (dump["archive"], "latest", "glpi_select", name):
            with self.subTest(archive):
                verified = self.dbsafe("verify", archive, "--json").json
                self.assertTrue(verified["ok"])
                self.assertEqual(verified["bytes"], dump["archive_bytes"])
        listed = self.dbsafe("list", "--json").json["archives"]
        self.assertEqual([(a["name"], a["bytes"], a["label"]) for a in listed], [(name, dump["archive_bytes"], "glpi_select")])
        self.assertRegex(listed[0]["proof"], "^bytes 20")
        self.assertIn("chatbot_messages", self.dbsafe("show", "latest").out)
        self.assertEqual(self.dbsafe("show", dump["archive"], "--json").json["rows"], dump["rows"])
        before = table_digests(s, "glpi_select")
        s.sql("DELETE FROM glpi_select.chatbot_messages")
        self.dbsafe("verify", "latest", "--live", check=7)
        restored = self.dbsafe("restore", "latest", "--json").json
        self.assertEqual((restored["rows"], restored["verified"]), (dump["rows"], True))
        self.assertEqual(table_digests(s, "glpi_select"), before)
        self.assertRegex(self.dbsafe("list", "--json").json["archives"][0]["proof"], "^restored 20")
        # the stock client reads the very archive, and stock tar reads that
        path = s.folder / "by-aws.tar"
        self.s3.aws("s3", "cp", dump["archive"], path, home=s.home)
        s.dbsafe("verify", path)
        self.assertEqual(Archive(path).manifest["rows"], dump["rows"])

    def test_copies_there_and_back(self):
        digest = hashlib.sha256(self.archive.read_bytes()).hexdigest()
        copied = self.dbsafe("copy", self.archive, "--to", self.store, "--json").json
        self.assertEqual(copied["archive"], f"{self.store}/{PARTS}")
        self.assert_is(self.archive)
        by_aws = self.server.folder / "copied.tar"
        self.s3.aws("s3", "cp", copied["archive"], by_aws, home=self.server.home)
        self.assertEqual(hashlib.sha256(by_aws.read_bytes()).hexdigest(), digest)
        # another bucket, another prefix, back to a folder
        other = f"s3://{self.s3.bucket()}/x"
        self.dbsafe("copy", copied["archive"], "--to", other)
        self.dbsafe("copy", copied["archive"], "--to", f"{self.store}/deeper")
        back = self.server.folder / "back"
        self.dbsafe("copy", f"{other}/{PARTS}", "--to", f"file://{back}")
        self.assertEqual(hashlib.sha256((back / PARTS).read_bytes()).hexdigest(), digest)
        self.assertEqual(self.listed(), [PARTS])  # not what is deeper
        self.assertEqual(self.listed(store=f"{self.store}/deeper"), [PARTS])
        self.dbsafe("copy", copied["archive"], "--to", self.store)  # it is there, whole
        self.assertEqual(self.visible(), {self.key(PARTS), self.key(f"deeper/{PARTS}")})

    def test_another_archive_of_that_name_is_not_overwritten(self):
        self.s3.put(self.bucket, self.key(PARTS), b"not an archive")
        result = self.dbsafe("copy", self.archive, "--to", self.store, check=10)
        self.assertIn(PARTS, result.err)
        self.assertEqual(self.s3.get(self.bucket, self.key(PARTS)), b"not an archive")
        self.assertEqual(self.s3.uploads(self.bucket), [])

    def test_prune(self):
        names = []
        for label in ("a", "b", "a", "a"):
            names.append(self.dbsafe("dump", "bulk.small", "--label", label, "--json").json["archive"].rsplit("/", 1)[1])
            now = int(time.time())  # names order by whole seconds
            wait_until(lambda: int(time.time()) > now, what="the next second")
        self.dbsafe("verify", names[0])
        self.s3.put(self.bucket, self.key("something else"), b"1")
        self.s3.put(self.bucket, self.key(f"deeper/{names[0]}"), b"1")
        upload = self.s3.start_upload(self.bucket, self.key("something else"), [b"1"])
        self.dbsafe("prune", "--keep-last", "1", "--dry-run")
        self.assertEqual(sorted(self.listed()), sorted(names))
        self.dbsafe("prune", "--keep-last", "1", check=10)  # nobody there to say yes
        self.dbsafe("prune", "--keep-last", "1", "--yes")
        self.assertEqual(sorted(self.listed()), sorted([names[1], names[3]]))
        self.assertEqual(set(self.s3.objects(self.bucket)),
                         {self.key(n) for n in (names[1], names[3], "something else", f"deeper/{names[0]}")})
        self.assertEqual([i for _, i in self.s3.uploads(self.bucket)], [upload])

    def test_many_archives_are_found(self):
        """More than a page of the list, and objects that are no archives among them."""
        data = self.make_small_archive(self.server).read_bytes()
        names = [f"2026010{1 + i % 9}T{i:06d}Z-many-{i:012x}.dbsafe.tar" for i in range(12)]
        for name in names:
            self.s3.put(self.bucket, self.key(name), data)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: self.s3.put(self.bucket, self.key(f"20260105-{i:05d}.txt")), range(1010)))
        self.s3.put(self.bucket, self.prefix + "/", b"")  # as consoles make folders
        self.s3.put(self.bucket, self.prefix + ".dbsafe.tar", b"")
        self.assertEqual(sorted(self.listed()), sorted(names))
        self.assertIn(max(names), self.dbsafe("verify", "latest").err)

    def test_unusual_prefixes(self):
        for prefix in sample(("", "a/b/c", "with space", "plus+and&more=?", "50%41percent", "ünïcödé/漢字", "..", "a/./b/../c", "dot.", "~tilde!*'()",
                       "a//b", "quote\"<>|", "-dash", "x" * 450), 7, "prefixes"):
            with self.subTest(prefix):
                self.use(self.gateway, prefix=prefix)
                # a neighbour that only starts the same
                self.s3.put(self.bucket, f"{prefix}x/{PARTS}" if prefix else "z/" + PARTS, b"1")
                neighbours = self.visible()
                archive = self.dbsafe("dump", "bulk.small", "--json").json["archive"]
                self.assertTrue(archive.startswith(self.store + "/"), archive)
                name = archive.rsplit("/", 1)[1]
                self.assertEqual(self.visible() - neighbours, {self.key(name)})
                self.dbsafe("verify", archive)
                self.dbsafe("verify", "latest")
                self.assertEqual(self.listed(), [name])
                self.dbsafe("dump", "bulk.small")
                self.dbsafe("prune", "--keep-last", "1", "--yes")
                self.assertEqual(len(self.listed()), 1)
                self.assertLessEqual(neighbours, self.visible())

    def test_a_slash_at_the_end_means_nothing(self):
        self.dbsafe("dump", "bulk.small", store=self.store + "/")
        self.assertEqual(len(self.listed()), 1)
        self.assertEqual(len(self.listed(store=self.store + "/")), 1)

    def test_versioned_and_locked_buckets(self):
        for options in ({"versioning": True}, {"object_lock": True}):
            with self.subTest(options):
                self.use(self.gateway, **options)
                archive = self.dbsafe("dump", "bulk", "--json").json["archive"]
                self.dbsafe("verify", archive)
                self.dbsafe("verify", archive)  # writes the proof again
                self.assertRegex(self.dbsafe("list", "--json").json["archives"][0]["proof"], "^bytes 20")
                versions = self.s3.client().list_object_versions(Bucket=self.bucket)["Versions"]
                self.assertEqual(len([v for v in versions if v["Key"].endswith(".dbsafe.tar")]), 1)
                now = int(time.time())
                wait_until(lambda: int(time.time()) > now, what="the next second")
                self.dbsafe("dump", "bulk")
                self.dbsafe("prune", "--keep-last", "1", "--yes")
                self.assertEqual(len(self.listed()), 1)

    def test_secrets_are_nowhere(self):
        """Every run is searched for them (lib/process.py); here what is kept, too, and what -v says."""
        archive = self.dbsafe("dump", "glpi_select", "-v", "--json").json["archive"]
        self.dbsafe("verify", archive, "-v")
        key = archive.split("/", 3)[3]
        data = self.s3.get(self.bucket, key)
        head = self.s3.head(self.bucket, key)
        for secret in (self.s3.account.secret_key, self.server.password):
            self.assertNotIn(secret.encode(), data)
            self.assertNotIn(secret, json.dumps(head, default=str))
        found = self.start("dump", "bulk", "--max-rate", "2M", "--part-size", "5M")
        wait_until(lambda: self.s3.uploads(self.bucket) or not found.running(), what="the upload")
        with open(f"/proc/{found.pid}/cmdline", "rb") as file:
            self.assertNotIn(self.s3.account.secret_key.encode(), file.read())
        found.terminate()
        self.assertEqual(self.check_run(found).rc, 143)
        self.assertEqual(self.s3.uploads(self.bucket), [])


class Refused(OnRadosgw):
    """What cannot work is told before any table is locked or read."""

    def check_untouched(self, log_from):
        read = self.server.sql("SELECT table_name, rows_read FROM information_schema.table_statistics "
                               "WHERE table_schema IN ('bulk', 'glpi_select')")
        self.assertEqual(read, [])
        log = (self.server.data / "general.log").read_text(errors="replace")[log_from:]
        self.assertNotRegex(log, r"(?i)LOCK TABLES|BACKUP STAGE|CONSISTENT SNAPSHOT|FLUSH TABLES|FROM `?bulk`?\.`?(noise|small)")

    def refused(self, rc, words, *args, command="dump", **options):
        self.server.sql("FLUSH TABLE_STATISTICS")
        at = len((self.server.data / "general.log").read_text(errors="replace"))
        args = args or {"dump": ("bulk",), "copy": (self.archive, "--to", options.get("store") or self.store)}.get(command, ("latest",))
        if command == "list" and args == ("latest",):
            args = ()
        result = self.dbsafe(command, *args, check=rc, **options)
        for word in words:
            self.assertIn(word, result.err)
        if command == "dump":
            self.check_untouched(at)
        return result

    COMMANDS = ("dump", "verify", "restore", "list", "show", "copy", "prune")

    def commands(self):
        for command in self.COMMANDS:
            with self.subTest(command):
                yield command, (("--yes",) if command == "prune" else ())

    def test_wrong_secret(self):
        wrong = Account(self.gateway.account.access_key, "wrong-harness-secret-Fk8w")
        for command, args in self.commands():
            self.refused(3, ["SignatureDoesNotMatch"], *args, command=command, env=self.gateway.env(wrong))

    def test_unknown_key(self):
        unknown = Account("AKIANOTTHERE", "wrong-harness-secret-Fk8w")
        for command, args in self.commands():
            self.refused(3, ["InvalidAccessKeyId"], *args, command=command, env=self.gateway.env(unknown))

    def test_no_such_bucket(self):
        for command, args in self.commands():
            self.refused(5, ["NoSuchBucket", "no-such-bucket"], *args, command=command, store="s3://no-such-bucket/x")

    def test_someone_elses_bucket(self):
        for command, args in self.commands():
            self.refused((3, 5), ["AccessDenied", self.bucket], *args, command=command, env=self.gateway.env(self.gateway.other))

    def test_no_keys(self):
        bare = {k: None for k in self.gateway.env() if k.startswith("AWS_A") or k.startswith("AWS_S")}
        result = self.refused(3, [], env=bare)
        self.assertRegex(result.err, "(?i)credential")
        self.assertIn("AWS_ACCESS_KEY_ID", result.err)

    def test_keys_half_given(self):
        self.refused(3, ["AWS_SECRET_ACCESS_KEY"], env={"AWS_SECRET_ACCESS_KEY": None})

    def test_wrong_urls(self):
        for url in ("s3://", "s3:///x", "s3:bucket", "s3://buc ket/x", "s3://bucket?x=1/y", "http://bucket/x",
                    "s3://-case/x", "s3://a/x", f"s3://{self.bucket}/" + "x" * 1000):
            with self.subTest(url):
                self.dbsafe("dump", "bulk", store=url, check=2)
        for endpoint in ("ftp://127.0.0.1/", "not a url", "http://"):
            with self.subTest(endpoint):
                self.dbsafe("dump", "bulk", env={"AWS_ENDPOINT_URL_S3": endpoint}, check=(2, 3))
                self.dbsafe("dump", "bulk", "--endpoint-url", endpoint, check=(2, 3))

    def test_no_such_archive(self):
        name = "20200101T000000Z-x-0123456789ab.dbsafe.tar"
        for command in ("verify", "show", "restore"):
            for archive in (f"{self.store}/{name}", name, "latest", "nolabel"):
                with self.subTest(f"{command} {archive}"):
                    self.dbsafe(command, archive, check=11)

    def test_not_an_archive(self):
        for size in (0, 1, 4096, 100000):
            self.s3.put(self.bucket, self.key(PARTS), b"x" * size)
            for command in ("verify", "show", "restore"):
                with self.subTest(f"{command} {size}"):
                    self.dbsafe(command, f"{self.store}/{PARTS}", check=8)
        data = self.archive.read_bytes()
        for damaged in (data[:-1], data[:len(data) // 2], data[:-4096] + b"\0" * 4096, data + b"x"):
            self.s3.put(self.bucket, self.key(PARTS), damaged)
            self.dbsafe("verify", f"{self.store}/{PARTS}", check=8)

    def test_a_quota(self):
        """What the server refuses in the middle ends with 5 and nothing left."""
        self.gateway.quota(1)
        try:
            result = self.dbsafe("dump", "bulk", "--part-size", "5M", check=5)
        finally:
            self.gateway.quota(-1)
        self.assertIn("QuotaExceeded", result.err)
        self.assert_nothing(str(result))


class Connections(OnRadosgw):
    def test_tls(self):
        """Our own authority is accepted where it is named, and refused where it is not."""
        https = {"AWS_ENDPOINT_URL_S3": self.gateway.tls_endpoint}
        archive = self.dbsafe("dump", "bulk.small", "--json", env={**https, "AWS_CA_BUNDLE": self.gateway.tls_ca}).json["archive"]
        self.dbsafe("verify", archive, env={**https, "AWS_CA_BUNDLE": self.gateway.tls_ca})
        before = self.visible()
        result = self.dbsafe("dump", "bulk.small", env=https, check=(3, 5))
        self.assertRegex(result.err, "(?i)certificate")
        missing = self.dbsafe("dump", "bulk.small", env={**https, "AWS_CA_BUNDLE": "/nonexistent/ca.pem"}, check=(3, 5))
        self.assertIn("/nonexistent/ca.pem", missing.err)
        self.assertEqual(self.visible(), before)

    def test_a_certificate_for_another_host(self):
        folder = self.server.folder / "elsewhere"
        folder.mkdir()
        certificate, key = make_certificate(folder, "DNS:s3.example.com")
        stub = S3Stub(certificate=(certificate, key, folder / "ca.pem"))
        self.addCleanup(stub.close)
        self.use(stub)
        result = self.dbsafe("list", check=(3, 5))
        self.assertRegex(result.err, "(?i)certificate|127.0.0.1")
        self.assertEqual(stub.log(), [])

    def test_nobody_there(self):
        """The wrong protocol, and nobody at all: told in bounded time, after a few tries. All at once."""
        http, https, ca = self.gateway.endpoint, self.gateway.tls_endpoint, self.gateway.tls_ca
        running = [self.start("list", env={"AWS_ENDPOINT_URL_S3": endpoint, "AWS_CA_BUNDLE": ca}) for endpoint in (
            http.replace("http:", "https:"), https.replace("https:", "http:"), "http://127.0.0.1:1", "http://nowhere.invalid")]
        for found in running:
            result = self.check_run(found, 150)
            self.assertIn(result.rc, (3, 5), result)
            self.assertRegex(result.err, "127.0.0.1|nowhere.invalid")
            self.assertLess(result.seconds, 120)

    def test_options_name_the_server(self):
        env = {"AWS_ENDPOINT_URL_S3": None, "AWS_REGION": None}
        self.dbsafe("dump", "bulk.small", "--endpoint-url", self.gateway.endpoint, "--region", "us-east-1", env=env)
        self.assertEqual(len(self.listed()), 1)
        config = self.server.folder / "s3.conf"
        config.write_text(f"store = {self.store}\nendpoint-url = {self.gateway.endpoint}\nregion = us-east-1\n")
        self.assertEqual(len(self.dbsafe("list", "--config", config, "--json", env={**env, "DBSAFE_STORE": None}).json["archives"]), 1)
        self.assertEqual(len(self.dbsafe("list", "--json", env={**env, "DBSAFE_ENDPOINT_URL": self.gateway.endpoint}).json["archives"]), 1)

    def test_a_profile(self):
        account = self.gateway.account
        keys = self.write_aws_config(f"[backup]\naws_access_key_id = {account.access_key}\naws_secret_access_key = {account.secret_key}\n", "keys")
        config = self.write_aws_config(f"[profile backup]\nregion = us-east-1\nendpoint_url = {self.gateway.endpoint}\n")
        bare = {k: None for k in self.gateway.env() if k != "AWS_EC2_METADATA_DISABLED"}
        env = {**bare, "AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": keys}
        self.dbsafe("dump", "bulk.small", env={**env, "AWS_PROFILE": "backup"})
        self.dbsafe("list", env=env, check=3)
        self.assertIn("nobody", self.dbsafe("list", env={**env, "AWS_PROFILE": "nobody"}, check=3).err)
        # where keys are found in HOME
        aws = self.server.home / ".aws"
        aws.mkdir(exist_ok=True)
        (aws / "credentials").write_text(keys.read_text().replace("[backup]", "[default]"))
        (aws / "config").write_text(config.read_text().replace("[profile backup]", "[default]"))
        self.addCleanup(lambda: [p.unlink() for p in aws.iterdir()])
        self.assertEqual(len(self.dbsafe("list", "--json", env=bare).json["archives"]), 1)

    def test_a_busy_server(self):
        """It serves one request at a time and answers 503 SlowDown to the others."""
        busy = self.use_radosgw(gateway="rgw scheduler type = throttler\nrgw max concurrent requests = 1")
        self.use(busy)
        self.dbsafe("copy", self.archive, "--to", self.store, "--part-size", "5M")
        self.assert_is(self.archive)
        self.dbsafe("verify", f"{self.store}/{PARTS}")


class Economy(S3Case):
    """What is sent and read, counted by the stub."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)
        cls.archive = cls.make_archive(cls.server, mib=24)

    def setUp(self):
        self.stub = S3Stub()
        self.addCleanup(self.stub.close)
        self.use(self.stub)

    def put_archive(self):
        self.stub.put(self.bucket, self.key(PARTS), self.archive.read_bytes())
        return f"{self.store}/{PARTS}"

    def received(self):
        return sum(r.sent for r in self.stub.log("GetObject"))

    def test_only_the_chosen_tables_are_read(self):
        url, chosen = self.put_archive(), Archive(self.archive)
        need = sum(m["length"] for m in chosen.members("bulk.small"))
        for command, args in (("restore", ("--into", "chosen")), ("verify", ())):
            with self.subTest(command):
                self.stub.reset()
                self.dbsafe(command, url, "--tables", "small", *args)
                self.assertLess(self.received(), need + 400000, self.stub.trace())  # and the end with the index, and a block
        self.assertEqual([n for n, in self.server.sql("SHOW TABLES FROM chosen")], ["small"])
        self.stub.reset()
        self.dbsafe("verify", url)
        size = self.archive.stat().st_size
        self.assertTrue(size <= self.received() <= size * 1.05 + 100000, f"{self.received()} of {size}")

    def test_show_takes_two_small_reads(self):
        url = self.put_archive()
        self.dbsafe("show", url)
        reads = [r for r in self.stub.log("GetObject") if r.key.endswith(".tar")]
        self.assertLessEqual(len(reads), 2, self.stub.trace())
        self.assertTrue(all(r.status == 206 for r in reads), self.stub.trace())
        self.assertLess(self.received(), 100000)
        self.assertLessEqual(len(self.stub.log()), 3, self.stub.trace())

    def test_parts_go_up_and_ranges_come_back_at_the_same_time(self):
        self.stub.latency = 0.2
        self.dbsafe("copy", self.archive, "--to", self.store, "--part-size", "5M")
        self.assert_is(self.archive)
        self.assertGreaterEqual(self.stub.most_at_once("UploadPart"), 3, self.stub.trace())
        for command, args in (("restore", ("--into", "parallel")), ("verify", ())):
            with self.subTest(command):
                self.stub.reset()
                self.dbsafe(command, f"{self.store}/{PARTS}", *args)
                self.assertGreaterEqual(self.stub.most_at_once("GetObject"), 2, self.stub.trace())

    def test_connections_are_used_again(self):
        self.dbsafe("copy", self.archive, "--to", self.store, "--part-size", "5M")
        self.dbsafe("verify", f"{self.store}/{PARTS}")
        for requests in (self.stub.log("UploadPart"), self.stub.log("GetObject")):
            self.assertLessEqual(len({r.connection for r in requests}), 6, self.stub.trace())
        self.assertEqual(self.stub.complaints(), [])

    def test_part_sizes(self):
        self.dbsafe("dump", "bulk", "--part-size", "6M")
        sizes = sorted((r.length for r in self.stub.log("UploadPart")), reverse=True)
        self.assertEqual(set(sizes[:-1]), {6 * MIB}, sizes)
        for wrong in ("1M", "6G", "0", "x"):
            self.dbsafe("dump", "bulk", "--part-size", wrong, check=2)

    def test_every_part_is_checked_by_the_server(self):
        self.dbsafe("copy", self.archive, "--to", self.store)
        for r in self.stub.log("UploadPart", "PutObject"):
            self.assertRegex(r.header("x-amz-content-sha256"), "^[0-9a-f]{64}$")
            self.assertTrue(r.header("content-md5") or r.header("x-amz-checksum-sha256"), str(r))

    def test_a_bucket_that_demands_digests(self):
        self.stub.checksums = "required"
        self.bucket = self.stub.bucket(object_lock=True)
        self.store = f"s3://{self.bucket}/backups/db"
        self.dbsafe("copy", self.archive, "--to", self.store, "--part-size", "5M")
        self.assert_is(self.archive)

    def test_memory(self):
        result = self.dbsafe("copy", self.archive, "--to", self.store)
        self.assertLess(result.maxrss_bytes, 256 * MIB * (4 if SANITIZED else 1))

    def test_memory_is_told(self):
        """(uploaders + 1) x part, but no more than the archive: the answer to `--part-size 1G` for a small one is not 5 GiB."""
        archive_mib = self.archive.stat().st_size // MIB + 1
        for options, at_most in (((), archive_mib), (("--part-size", "1G"), archive_mib), (("--part-size", "5M", "--uploaders", "1"), 11)):
            with self.subTest(options):
                self.stub.empty(self.bucket)
                said = self.dbsafe("copy", self.archive, "--to", self.store, "-v", *options).err
                told = [int(m) for m in re.findall(r"up to (\d+) MiB of memory", said)]
                self.assertTrue(told, said)
                self.assertTrue(all(1 <= m <= at_most for m in told), said)

    def test_what_a_huge_archive_needs_is_told_before_it_is_begun(self):
        """The server's statistics make a small table one of a terabyte."""
        self.server.sql("CREATE TABLE bulk.large (id INT PRIMARY KEY) ENGINE=InnoDB STATS_PERSISTENT=1 STATS_AUTO_RECALC=0")
        self.addCleanup(self.server.sql, "DROP TABLE IF EXISTS bulk.large, bulk.huge")
        self.server.sql("ANALYZE TABLE bulk.large")
        self.server.sql(f"UPDATE mysql.innodb_table_stats SET clustered_index_size={(1 << 40) // 16384} "
                        "WHERE database_name='bulk' AND table_name='large'")
        self.server.sql("RENAME TABLE bulk.large TO bulk.huge")  # then they are read
        said = self.dbsafe("dump", "bulk.huge").err
        told = re.search(r"may become (\d+) GiB large; its upload then needs up to (\d+) MiB", said)
        self.assertTrue(told, said)
        self.assertGreaterEqual(int(told[1]), 4096)
        self.assertGreater(int(told[2]), 192)
        self.stub.reset()
        refused = self.dbsafe("dump", "bulk.huge", "--part-size", "5M", check=10).err
        self.assertIn("more than 10000 parts", refused)
        self.assertEqual(self.stub.log("CreateMultipartUpload", "PutObject"), [], self.stub.trace())
        # one that cannot need so much is told nothing
        self.assertNotIn("MiB of memory", self.dbsafe("dump", "bulk.small").err)
