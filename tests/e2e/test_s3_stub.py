"""The fake S3 server against botocore, so that what the tests of dbsafe rely on is what AWS's own client takes for S3."""

import hashlib
import socket
import string
import threading
import time

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import botocore.parsers

from lib import FULL, TestCase, rng
from lib.s3_faults import FAULTS
from lib.s3_signature import canonical_path, canonical_query, signature
from lib.s3_stub import S3Stub

MIB = 1 << 20
REQUESTS = 5000 if FULL else 1000


def code_of(error):
    return error.exception.response["Error"]["Code"]


class Signature(TestCase):
    def test_published_examples(self):
        """From "Signature Calculations for the Authorization Header" in the S3 API reference."""
        empty = hashlib.sha256(b"").hexdigest()
        base = [("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z")]
        put = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()
        for method, path, query, headers, payload, want in (
                ("GET", "/test.txt", "", [("Range", "bytes=0-9")], empty, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
                ("PUT", "/test$file.text", "", [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
                 put, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
                ("GET", "/", "lifecycle", [], empty, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
                ("GET", "/", "max-keys=2&prefix=J", [], empty, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")):
            all_headers = [*base, *headers, ("x-amz-content-sha256", payload)]
            signed = [n.lower() for n, _ in all_headers]
            self.assertEqual(signature("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", method, path, query, all_headers, signed, payload,
                                       "20130524T000000Z", "us-east-1", "s3"), want, path + query)

    def test_as_botocore_signs(self):
        r = rng("signature")
        alphabet = string.ascii_letters + string.digits + " !\"#$%&'()*+,-./:;<=>?@[]^_`{|}~äß€漢😀"
        keys = botocore.credentials.Credentials("AKIDEXAMPLE", "example/secret+key")

        def text(most):
            return "".join(r.choice(alphabet) for _ in range(r.randrange(most)))
        for _ in range(REQUESTS):
            path = "/" + canonical_path(text(30))
            query = canonical_query("&".join(f"{canonical_path('k' + text(5)).replace('/', '%2F')}={canonical_path(text(8))}"
                                             for _ in range(r.randrange(4))))
            headers = {f"x-amz-meta-{i}": text(12).encode("ascii", "ignore").decode() + "x" for i in range(r.randrange(4))}
            body = text(50).encode()
            request = botocore.awsrequest.AWSRequest("PUT", f"http://localhost:1{path}{'?' + query if query else ''}", headers, body)
            signer = botocore.auth.S3SigV4Auth(keys, "s3", "eu-west-1")
            request.context["payload_signing_enabled"] = True
            signer.add_auth(request)
            claimed = dict(part.split("=", 1) for part in request.headers["Authorization"].split(" ", 1)[1].split(", "))
            sent = [("Host", "localhost:1"), *request.headers.items()]
            self.assertEqual(
                signature("example/secret+key", "PUT", path, query, sent, claimed["SignedHeaders"].split(";"),
                          request.headers["X-Amz-Content-SHA256"], request.headers["X-Amz-Date"], "eu-west-1", "s3"),
                claimed["Signature"], f"{path}?{query} {sent}")


class Operations(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stub = S3Stub()
        cls.addClassCleanup(cls.stub.close)
        cls.s3 = cls.stub.client()

    def setUp(self):
        self.stub.reset()
        self.bucket = self.stub.bucket()

    def fails(self, code, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as error:
            call(Bucket=self.bucket, **arguments)
        self.assertEqual(code_of(error), code)
        return error.exception.response

    def test_objects(self):
        for key in ("a", "a b/+%41 ü漢😀?&=#.txt", "//x//", "."):
            body = key.encode() * 10
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, Metadata={"x": "y"}, StorageClass="STANDARD_IA")
            got = self.s3.get_object(Bucket=self.bucket, Key=key)
            self.assertEqual(got["Body"].read(), body)
            self.assertEqual((got["Metadata"], got["StorageClass"], got["ETag"]), ({"x": "y"}, "STANDARD_IA", f'"{hashlib.md5(body).hexdigest()}"'))
            self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key=key)["ContentLength"], len(body))
            for text, want in (("bytes=2-4", body[2:5]), ("bytes=2-", body[2:]), ("bytes=-3", body[-3:]), ("bytes=0-99999", body)):
                part = self.s3.get_object(Bucket=self.bucket, Key=key, Range=text, IfMatch=got["ETag"])
                self.assertEqual((part["Body"].read(), part["ResponseMetadata"]["HTTPStatusCode"]), (want, 206))
            self.fails("InvalidRange", self.s3.get_object, Key=key, Range="bytes=1000000-")
            self.fails("PreconditionFailed", self.s3.get_object, Key=key, IfMatch='"other"')
            self.s3.delete_object(Bucket=self.bucket, Key=key)
            self.fails("NoSuchKey", self.s3.get_object, Key=key)
        self.bucket = "nowhere"
        self.fails("NoSuchBucket", self.s3.get_object, Key="a")
        self.assertEqual(self.stub.complaints(), [c for c in self.stub.complaints() if "expect" in c])  # botocore does send that

    def test_lists_page(self):
        keys = sorted(f"p/{i}{e}" for i in range(7) for e in ("", "/x", "/y"))
        for key in ["other", *keys]:
            self.stub.put(self.bucket, key, b"1")
        self.stub.page_size = 4
        self.addCleanup(setattr, self.stub, "page_size", 1000)
        pages = list(self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix="p/"))
        self.assertEqual([o["Key"] for p in pages for o in p.get("Contents", [])], keys)
        self.assertEqual(len(pages), 6)
        pages = list(self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix="p/", Delimiter="/"))
        self.assertEqual([o["Key"] for p in pages for o in p.get("Contents", [])], [f"p/{i}" for i in range(7)])
        self.assertEqual([o["Prefix"] for p in pages for o in p.get("CommonPrefixes", [])], [f"p/{i}/" for i in range(7)])
        ids = {(k, self.s3.create_multipart_upload(Bucket=self.bucket, Key=k)["UploadId"]) for k in ("p/a", "p/a", "p/b", "q", "p/c", "p/ü")}
        pages = list(self.s3.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix="p/"))
        self.assertEqual({(u["Key"], u["UploadId"]) for p in pages for u in p.get("Uploads", [])}, {i for i in ids if i[0] != "q"})

    def test_multipart(self):
        key, bodies = "a/ü", [b"1" * 5 * MIB, b"2" * 6 * MIB, b"3"]
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key=key, Metadata={"m": "1"})["UploadId"]
        made = {}
        for number, body in enumerate(bodies, 1):
            etag = self.s3.upload_part(Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)["ETag"]
            made[number] = {"PartNumber": number, "ETag": etag}
        self.assertEqual([p["Size"] for p in self.s3.list_parts(Bucket=self.bucket, Key=key, UploadId=upload)["Parts"]], [5 * MIB, 6 * MIB, 1])

        def complete(*numbers, **arguments):
            return self.s3.complete_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={
                "Parts": [made[n] for n in numbers]}, **arguments)
        for code, numbers in (("InvalidPartOrder", (2, 1)), ("EntityTooSmall", (1, 3, 4)), ("InvalidPart", (1, 5))):
            made.setdefault(4, made[1])
            made.setdefault(5, {"PartNumber": 5, "ETag": "x"})
            if code == "EntityTooSmall":
                made[4] = {"PartNumber": 4, "ETag": self.s3.upload_part(Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=4, Body=b"4")["ETag"]}
            with self.assertRaises(botocore.exceptions.ClientError) as error:
                complete(*numbers)
            self.assertEqual(code_of(error), code)
        self.fails("NoSuchKey", self.s3.get_object, Key=key)
        self.stub.uniform_parts = True
        self.addCleanup(setattr, self.stub, "uniform_parts", False)
        self.assertRaises(botocore.exceptions.ClientError, complete, 1, 2, 3)
        self.stub.uniform_parts = False
        self.assertRegex(complete(1, 2, 3)["ETag"], "-3\"$")
        self.assertEqual(self.stub.get(self.bucket, key), b"".join(bodies))
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key=key)["Metadata"], {"m": "1"})
        self.fails("NoSuchUpload", self.s3.list_parts, Key=key, UploadId=upload)
        other = self.s3.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"]
        self.s3.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=other)
        self.fails("NoSuchUpload", self.s3.abort_multipart_upload, Key=key, UploadId=other)
        self.assertEqual(self.stub.uploads(self.bucket), [])

    def test_checksums(self):
        import base64
        digest = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
        put = dict(Key="k", Body=b"x")
        bare = self.stub.client(max_pool_connections=1)  # else it adds Content-MD5
        bare.meta.events.register("before-sign.s3.PutObject", lambda request, **_: request.headers.__delitem__("Content-MD5"))
        for mode, with_sha256, with_md5, plain in (("known", None, None, None), ("required", None, None, "InvalidRequest"),
                                                   ("ignored", None, None, None), ("refused", "NotImplemented", None, None)):
            self.stub.checksums = mode
            self.addCleanup(setattr, self.stub, "checksums", "known")
            for code, arguments in ((with_sha256, {"ChecksumSHA256": digest}), (with_md5, {"ContentMD5": base64.b64encode(
                    hashlib.md5(b"x").digest()).decode()}), (plain, {})):
                if code:
                    self.fails(code, (self.s3 if arguments else bare).put_object, **put, **arguments)
                else:
                    self.s3.put_object(Bucket=self.bucket, **put, **arguments)
        self.stub.checksums = "known"
        self.fails("BadDigest", self.s3.put_object, Key="k", Body=b"y", ChecksumSHA256=digest)
        self.fails("BadDigest", self.s3.put_object, Key="k", Body=b"y", ContentMD5=base64.b64encode(hashlib.md5(b"x").digest()).decode())
        self.fails("InvalidRequest", self.s3.put_object, Key="k", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=2e9)

    def test_rights_regions_and_time(self):
        self.stub.put(self.bucket, "k", b"1")
        get = dict(Bucket=self.bucket, Key="k")

        def code(client, **more):
            try:
                client.get_object(**get, **more)
            except botocore.exceptions.ClientError as e:
                return e.response["Error"]["Code"]
        self.assertEqual(code(self.stub.client(self.stub.other)), "AccessDenied")
        self.assertEqual(code(self.s3, ExpectedBucketOwner="999999999999"), "AccessDenied")
        self.assertIsNone(code(self.s3, ExpectedBucketOwner="123456789012"))
        from lib.s3 import Account
        self.assertEqual(code(self.stub.client(Account(self.stub.account.access_key, "wrong-secret-of-a-test"))), "SignatureDoesNotMatch")
        self.assertEqual(code(self.stub.client(Account("AKIAUNKNOWN", "wrong-secret-of-a-test"))), "InvalidAccessKeyId")
        self.stub.clock_offset = 3600
        answer = self.fails("RequestTimeTooSkewed", self.s3.get_object, Key="k")
        self.assertIn("ServerTime", answer["Error"])

    def test_other_regions(self):
        """botocore follows to the region that the answer names."""
        self.addCleanup(setattr, self.stub, "wrong_region", "400")
        for self.stub.wrong_region, told in (("400", "AuthorizationHeaderMalformed"), ("301", "PermanentRedirect")):
            self.bucket = self.stub.bucket(region="eu-south-1")
            self.stub.reset()
            self.fails("NoSuchKey", self.s3.get_object, Key="k")
            self.assertEqual([r.error for r in self.stub.log("GetObject")], [told, "NoSuchKey"])

    def test_temporary_keys(self):
        import botocore.session
        temporary = self.stub.add_temporary()
        session = botocore.session.Session()
        client = session.create_client("s3", region_name="us-east-1", endpoint_url=self.stub.endpoint,
                                       aws_access_key_id=temporary.account.access_key, aws_secret_access_key=temporary.account.secret_key,
                                       aws_session_token=temporary.token)
        client.put_object(Bucket=self.bucket, Key="k", Body=b"1")
        temporary.expired = True
        self.fails("ExpiredToken", client.get_object, Key="k")
        wrong = session.create_client("s3", region_name="us-east-1", endpoint_url=self.stub.endpoint,
                                      aws_access_key_id=temporary.account.access_key, aws_secret_access_key=temporary.account.secret_key)
        self.fails("InvalidToken", wrong.get_object, Key="k")


class Faults(TestCase):
    """Each fault is what it says, seen from a plain connection."""

    def setUp(self):
        self.stub = S3Stub(min_part_bytes=1)
        self.addCleanup(self.stub.close)
        self.bucket = self.stub.bucket()

    def send(self, op, client):
        """Carries out one request of that kind, the others before it without a fault."""
        if op == "PutObject":
            return client.put_object(Bucket=self.bucket, Key="k", Body=b"x" * 100000)
        if op == "GetObject":
            self.stub.put(self.bucket, "k", b"0123456789" * 1000)
            got = client.get_object(Bucket=self.bucket, Key="k", Range="bytes=100-199")
            return got, got["Body"].read()
        if op == "HeadObject":
            self.stub.put(self.bucket, "k", b"0123456789")
            return client.head_object(Bucket=self.bucket, Key="k")
        upload = client.create_multipart_upload(Bucket=self.bucket, Key="k")["UploadId"]
        etag = client.upload_part(Bucket=self.bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x" * 100000)["ETag"]
        return client.complete_multipart_upload(Bucket=self.bucket, Key="k", UploadId=upload,
                                                MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})

    def test_each(self):
        """What botocore makes of it; it does not retry here."""
        client = self._impatient()
        for fault in FAULTS.values():
            op = fault.only[0] if fault.only else "CompleteMultipartUpload" if fault.place == "answer" else "PutObject"
            with self.subTest(fault.name):
                self.stub.reset()
                self.stub.empty(self.bucket)
                planned = self.stub.plan.inject(fault, op=op)
                try:
                    got, problem = self.send(op, client), None
                except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, botocore.parsers.ResponseParserError, KeyError) as e:
                    got, problem = None, e
                self.assertEqual(planned.hit, 1)
                hit = [r for r in self.stub.log() if r.fault]
                self.assertEqual([r.fault for r in hit], [fault.name])
                done = {"PutObject": "k" in self.stub.objects(self.bucket), "CompleteMultipartUpload": "k" in self.stub.objects(self.bucket)}
                if op in done:
                    self.assertEqual(done[op], fault.carried_out, str(problem))
                if fault.effect[0] in ("reset", "close", "stall"):
                    self.assertIsInstance(problem, botocore.exceptions.HTTPClientError)
                elif fault.effect[0] == "error":
                    self.assertEqual(problem.response["ResponseMetadata"]["HTTPStatusCode"], fault.effect[1])
                elif fault.name == "clock skewed":
                    self.assertEqual(problem.response["Error"]["Code"], "RequestTimeTooSkewed")
                elif fault.name == "flipped bits":
                    self.assertNotEqual(got[1], b"0123456789" * 10)
                    self.assertEqual(len(got[1]), 100)
                elif fault.name == "no Content-Length":
                    self.assertNotIn("content-length", got["ResponseMetadata"]["HTTPHeaders"])

    def _impatient(self):
        import botocore.config
        import botocore.session
        return botocore.session.Session().create_client(
            "s3", region_name="us-east-1", endpoint_url=self.stub.endpoint, aws_access_key_id=self.stub.account.access_key,
            aws_secret_access_key=self.stub.account.secret_key,
            config=botocore.config.Config(read_timeout=0.5, retries={"max_attempts": 0}))

    def test_a_reset_is_one(self):
        self.stub.plan.inject("reset in the body", op="PutObject")
        with socket.create_connection(("127.0.0.1", self.stub.port)) as raw:
            raw.sendall(f"PUT /{self.bucket}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode() + b"x" * 500)
            self.assertRaises(ConnectionResetError, raw.recv, 1)

    def test_nth_and_times(self):
        planned = self.stub.plan.inject("500", op="PutObject", nth=2, times=2)
        client, codes = self._impatient(), []
        for _ in range(5):
            try:
                client.put_object(Bucket=self.bucket, Key="k", Body=b"")
                codes.append(200)
            except botocore.exceptions.ClientError as e:
                codes.append(e.response["ResponseMetadata"]["HTTPStatusCode"])
        self.assertEqual(codes, [200, 500, 500, 200, 200])
        self.assertEqual(planned.hit, 2)

    def test_held_requests(self):
        for after in (False, True):
            self.stub.empty(self.bucket)
            hold, client = self.stub.plan.hold("PutObject", after=after), self.stub.client(max_pool_connections=2)
            thread = threading.Thread(target=client.put_object, kwargs=dict(Bucket=self.bucket, Key="k", Body=b"1"))
            thread.start()
            while not hold.arrived():
                time.sleep(0.001)
            self.assertEqual("k" in self.stub.objects(self.bucket), after)
            hold.release()
            thread.join()
            self.assertIn("k", self.stub.objects(self.bucket))
