"""
A fake S3 server, for what real servers do not do on demand: lost answers, resets in mid-body, SlowDown, skewed clocks, buckets in
another region, errors inside a 200, expired keys. What a real server can show is tested on one (radosgw.py, swift.py); this one is as
strict as AWS where AWS is stricter than those (signatures, part order and sizes, checksums with object lock), and its own tests hold
it against botocore. Objects live in memory.
"""

import datetime
import email.utils
import http.server
import itertools
import re
import secrets
import socket
import ssl
import struct
import threading
import time

from . import process
from .s3 import S3Service, random_account
from .s3_faults import Plan
from .s3_memory import Answer, Bucket, Credential, Object, Operations, Request, element, etag_of
from .s3_policy import ACTIONS, allows
from .s3_signature import Claim, S3Error


class Gone(Exception):
    """The connection ends here."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    timeout = 300

    def setup(self):
        self.stub = self.server.stub
        self.number = next(self.stub.connection_numbers)
        if self.stub.tls_context is not None:
            self.request = self.stub.tls_context.wrap_socket(self.request, server_side=True)
        self.stub.open_sockets.add(self.request)
        super().setup()

    def finish(self):
        self.stub.open_sockets.discard(self.request)
        try:
            super().finish()
        except OSError:
            pass
        self.request.close()

    def handle(self):
        try:
            super().handle()
        except (Gone, OSError, ValueError):  # ValueError: closed in close()
            self.close_connection = True

    def log_message(self, *_):
        pass

    def handle_expect_100(self):
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def do_any(self):
        # self.path has lost slashes at its front
        request = Request(next(self.stub.request_numbers), self.number, self.command, self.requestline.split(" ")[1], self.headers.items())
        with self.stub.lock:
            self.stub.requests.append(request)
        try:
            self._serve(request)
        except OSError:
            raise Gone from None
        finally:
            request.end = time.monotonic()
            request.status = request.status or "gone"  # the client went away

    def _serve(self, request):
        fault, (hold, after) = self.stub.plan.take(request)
        request.fault = fault.name if fault else None
        self._fail_at("headers", fault, request)
        half = request.length // 2 if fault and fault.place == "body" else 0
        if half:
            request.body = self._read(half)
            self._fail_at("body", fault, request)
        request.body = self._read(request.length)
        self._fail_at("request", fault, request)
        if self.stub.latency:
            time.sleep(self.stub.latency)
        if hold and not after:
            hold.arrive()
        answer = self._answer(request, fault)
        if hold and after:
            hold.arrive()
        self._fail_at("done", fault, request)
        if fault and fault.place == "done" and fault.effect[0] == "error":
            answer = self._injected(request, fault)
        self._send(request, answer, fault)

    def _read(self, size):
        data = self.rfile.read(size)
        if len(data) < size:
            raise Gone
        return data

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_any

    def _fail_at(self, place, fault, request):
        if fault is None or fault.place != place:
            return
        kind = fault.effect[0]
        if kind == "reset":
            request.status = "reset"
            self._end_with_reset()
        if kind == "close":
            request.status = "closed"
            raise Gone
        if kind == "stall":
            request.status = "stalled"
            self._wait_for_client()
        if kind == "skew":
            self.stub.clock_offset = self.stub.skew_by

    def _end_with_reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone

    def _wait_for_client(self):
        """Says nothing until the client gives up or the stub ends."""
        self.connection.settimeout(None)
        try:
            while self.connection.recv(1 << 16):
                pass
        except OSError:
            pass
        raise Gone

    def _answer(self, request, fault):
        if fault and fault.place == "request":
            if fault.effect[0] == "error":
                return self._injected(request, fault)
            return None  # the effect is an answer that needs no work done
        try:
            with self.stub.lock:
                self.stub.authorize(request, self.stub.tls_context is not None)
                return self.stub.operations.run(request)
        except S3Error as e:
            return self._error(request, e)

    def _injected(self, request, fault):
        _, status, code, headers = fault.effect
        return self._error(request, S3Error(status, code, f"injected: {fault.name}", headers=headers))

    def _error(self, request, e):
        request.error = e.code
        headers = {**e.headers, "x-amz-request-id": f"{request.number:016X}"}
        if e.code is None:
            return Answer(e.status, b"", headers)
        if e.code == "<html>":
            return Answer(e.status, b"<html><body>Service Unavailable</body></html>", {**headers, "Content-Type": "text/html"})
        extra = "".join(element(n, v) for n, v in e.extra.items())
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{element("Code", e.code)}{element("Message", e.message)}{extra}'
                f'{element("RequestId", headers["x-amz-request-id"])}<HostId>stub</HostId></Error>').encode()
        return Answer(e.status, body, {**headers, "Content-Type": "application/xml"})

    def _send(self, request, answer, fault):
        how = fault.effect[1] if fault and fault.effect[0] == "answer" else None
        if how == "garbage":
            request.status = "garbage"
            self.wfile.write(b"\x16\x03\x01 what is this\r\n\r\n")
            self.wfile.flush()
            raise Gone
        if how in ("error in 200", "late error in 200", "empty 200"):
            answer = self._error(request, S3Error(200, "InternalError", "We encountered an internal error. Please try again."))
            if how == "empty 200":
                answer.body = b""
        if how == "late error in 200":
            answer.body = b" \n" * 200 + answer.body.partition(b"\n")[2]
        if how == "slow 200":
            answer.body = b" \n" * 2000 + answer.body.partition(b"\n")[2]
        if how == "empty etag":
            answer.body = re.sub(b"<ETag>.*</ETag>", b"<ETag></ETag>", answer.body)
        if how == "wrong etag":
            answer.headers["ETag"] = f'"{secrets.token_hex(16)}"'
        if how == "no etag":
            answer.headers.pop("ETag", None)
        if how == "flipped":  # in many places: not every byte of a block that is read is used
            body = bytearray(answer.body)
            body[::256] = bytes(b ^ 16 for b in body[::256])
            answer.body = bytes(body)
        if how in ("whole", "other range"):
            self._other_range(request, answer, how)
        request.status = answer.status
        body = b"" if request.method == "HEAD" else answer.body
        headers = {"Server": "stub", "Date": email.utils.format_datetime(self.stub.now(), usegmt=True),
                   "Content-Length": len(answer.body), **answer.headers}
        if how == "no length":
            del headers["Content-Length"]
        lines = [f"HTTP/1.1 {answer.status} {http.server.BaseHTTPRequestHandler.responses.get(answer.status, ('?',))[0]}"]
        lines += [f"{n}: {v}" for n, v in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
        if how in ("truncate", "reset", "stall"):
            self._cut(request, head, body, how)
        self.wfile.write(head + body)
        self.wfile.flush()
        request.sent = len(body)

    def _other_range(self, request, answer, how):
        found = self.stub.buckets[request.bucket].objects[request.key]
        if answer.status != 206:
            return
        if how == "whole":
            answer.status, answer.body = 200, found.body
            del answer.headers["Content-Range"]
        else:
            size = len(answer.body)
            answer.body, answer.headers["Content-Range"] = found.body[:size], f"bytes 0-{size - 1}/{len(found.body)}"

    def _cut(self, request, head, body, how):
        """Ends in the middle of the body, or of the head if there is none."""
        self.wfile.write(head + body[:len(body) // 2] if body else head[:len(head) // 2])
        self.wfile.flush()
        request.sent = len(body) // 2
        if how == "stall":
            self._wait_for_client()
        if how == "reset":
            self._end_with_reset()
        raise Gone


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass  # a client that went away, or did not like the certificate

    def shutdown_request(self, request):
        self.close_request(request)  # no shutdown() first: an RST shall stay one


class S3Stub(S3Service):
    """
    with S3Stub() as s3:
        s3.plan.inject("503 SlowDown", op="UploadPart", nth=2)

    certificate           (certificate, key, authority) of radosgw.make_certificate: https instead of http
    page_size             entries a list gives at most
    min_part_bytes        smallest part but the last
    uniform_parts         True: all parts but the last must have one size
    checksums             "known" (as AWS), "required", "ignored", "refused": x-amz-checksum-*
    conditional_put, conditional_complete   "known", "ignored", "unknown" (501): If-None-Match
    latency               seconds each answer takes longer
    clock_offset          seconds its clock is ahead; the fault "clock skewed" sets it to skew_by
    """

    def __init__(self, certificate=None, page_size=1000, min_part_bytes=5 << 20, uniform_parts=False, checksums="known",
                 conditional_put="known", conditional_complete="known", skew_by=3600):
        self.page_size, self.min_part_bytes, self.uniform_parts, self.checksums = page_size, min_part_bytes, uniform_parts, checksums
        self.conditional_put, self.conditional_complete = conditional_put, conditional_complete
        self.clock_offset, self.skew_by, self.latency = 0, skew_by, 0
        self.lock = threading.RLock()
        self.buckets, self.requests = {}, []
        self.plan, self.operations = Plan(), Operations(self)
        self.account, self.other = random_account("STUB"), random_account("OTHR")
        self.credentials = {a.access_key: Credential(a) for a in (self.account, self.other)}
        self.connection_numbers, self.request_numbers = itertools.count(1), itertools.count(1)
        self.open_sockets = set()
        self.tls_context = None
        if certificate:
            self.tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls_context.load_cert_chain(*certificate[:2])
            self.ca_file = certificate[2]
        self._listener = Listener(("127.0.0.1", 0), Handler)
        self._listener.stub = self
        self.port = self._listener.server_address[1]
        self.endpoint = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()

    def now(self):
        return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.clock_offset)).replace(microsecond=0)

    def add_temporary(self, prefix="TEMP"):
        """Further keys of the first account, with a session token; their .expired can be set."""
        account = random_account(prefix)
        token = f"harness-token-{secrets.token_hex(20)}"
        process.SECRETS.add(token)
        made = self.credentials[account.access_key] = Credential(account, token)
        return made

    def authorize(self, request, secure):
        claim = Claim(request.headers, self.now())
        known = self.credentials.get(claim.access_key)
        if known is None:
            raise S3Error(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.",
                          {"AWSAccessKeyId": claim.access_key})
        claim.check(known.account.secret_key, request.method, request.target, request.headers)
        if known.token != request.header("x-amz-security-token"):
            raise S3Error(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
        if known.expired:
            raise S3Error(400, "ExpiredToken", "The provided token has expired.")
        claim.check_payload(request.body, secure)
        request.access_key = self.account.access_key if known.token else claim.access_key
        bucket = self.buckets.get(request.bucket)
        region = bucket.region if bucket else self.region
        if claim.region != region:
            self._wrong_region(claim, bucket, region)
        if bucket and (bucket.access_key != request.access_key or not self.may(request)):
            raise S3Error(403, "AccessDenied", "Access Denied")
        if bucket and request.header("x-amz-expected-bucket-owner") not in (None, bucket.owner):
            raise S3Error(403, "AccessDenied", "Access Denied")

    def may(self, request):
        return request.op not in self.denied and (self.policy is None or allows(
            self.policy, ACTIONS[request.op], request.bucket, request.key, None if request.key else request.query.get("prefix", "")))

    def may_know(self, bucket):
        """Whether it is told that an object is missing: only to who may list the whole bucket. (A condition on s3:prefix is not met here.)"""
        return "ListObjectsV2" not in self.denied and (self.policy is None or allows(self.policy, "s3:ListBucket", bucket, ""))

    denied = frozenset()  # operations that these keys have no right to
    policy = None         # a dict: only what it allows is allowed
    wrong_region = "400"  # how it tells: "400" AuthorizationHeaderMalformed, "301" PermanentRedirect, "307" TemporaryRedirect

    def _wrong_region(self, claim, bucket, region):
        headers = {"x-amz-bucket-region": region}
        if bucket and self.wrong_region == "301":
            raise S3Error(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified "
                          "endpoint.", {"Endpoint": f"{bucket.name}.s3.{region}.amazonaws.com", "Bucket": bucket.name}, headers)
        if bucket and self.wrong_region == "307":
            raise S3Error(307, "TemporaryRedirect", "Please re-send this request to the specified temporary endpoint.", {},
                          {**headers, "Location": f"http://{bucket.name}.s3.{region}.amazonaws.com/"})
        raise S3Error(400, "AuthorizationHeaderMalformed", f"The authorization header is malformed; the region '{claim.region}' is "
                      f"wrong; expecting '{region}'", {"Region": region}, headers)

    # ---- for tests

    def bucket(self, region=None, object_lock=False, **_):
        """Made directly, so that it is no request."""
        name = f"test-{secrets.token_hex(6)}"
        self.buckets[name] = Bucket(name, region or self.region, self.account.access_key, object_lock)
        return name

    def objects(self, bucket, prefix=""):
        with self.lock:
            return {k: len(o.body) for k, o in self.buckets[bucket].objects.items() if k.startswith(prefix)}

    def uploads(self, bucket):
        with self.lock:
            return sorted((u.key, u.id) for u in self.buckets[bucket].uploads.values())

    def get(self, bucket, key):
        with self.lock:
            return self.buckets[bucket].objects[key].body

    def put(self, bucket, key, body=b"", headers=None):
        with self.lock:
            self.buckets[bucket].objects[key] = Object(key, body, etag_of(body), headers or {}, self.now())

    def empty(self, bucket):
        with self.lock:
            self.buckets[bucket].objects.clear()
            self.buckets[bucket].uploads.clear()

    def age_uploads(self, bucket, hours):
        with self.lock:
            for upload in self.buckets[bucket].uploads.values():
                upload.initiated -= datetime.timedelta(hours=hours)
                for number in upload.times:
                    upload.times[number] -= datetime.timedelta(hours=hours)

    def reset(self):
        """No faults, no memory of requests, the right time."""
        self.plan.clear()
        self.clock_offset, self.denied, self.policy = 0, frozenset(), None
        with self.lock:
            self.requests = []

    def log(self, *ops):
        """The requests so far, all or those of the operations."""
        with self.lock:
            return [r for r in self.requests if not ops or r.op in ops]

    def trace(self):
        return "\n".join(map(str, self.log()))

    def most_at_once(self, op):
        """How many of these requests the server had in hand at the same time, at most."""
        times = [(t, step) for r in self.log(op) for t, step in ((r.time, 1), (r.end or r.time, -1))]
        now = most = 0
        for _, step in sorted(times):
            now += step
            most = max(most, now)
        return most

    def complaints(self):
        """What no client of ours may send, whatever the server makes of it."""
        wrong = []
        for r in self.log():
            names = {n.lower() for n, _ in r.headers}
            wrong += [f"{r}: {n}" for n in names & {"expect", "transfer-encoding", "x-amz-sdk-checksum-algorithm", "x-amz-trailer"}]
            if r.header("content-encoding", "").startswith("aws-chunked") or not r.header("user-agent"):
                wrong.append(f"{r}: aws-chunked, or no user agent")
        return wrong

    def close(self):
        self.plan.clear()
        self._listener.shutdown()
        self._listener.server_close()
        for opened in list(self.open_sockets):
            try:
                opened.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
