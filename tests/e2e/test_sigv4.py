"""Our signatures against those of an independent signer, botocore: random requests, in headers and presigned, and RDS logins."""

import datetime
import json
import string
import urllib.parse
from types import SimpleNamespace
from unittest import mock

import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lib import MODE, TestCase, expect, rng, run
from lib.paths import BUILD
from lib.process import client_env, inspect

COUNT = 1000
UNSIGNED = "UNSIGNED-PAYLOAD"
# Everything that encoders like to get wrong.
ODD = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\t" + "äß€漢字🙂\u0301\u00ad" + string.digits + string.ascii_letters


class Fixed(datetime.datetime):
    """A clock that stands still, for botocore."""
    moment = datetime.datetime(2026, 1, 1)

    @classmethod
    def utcnow(cls):
        return cls.moment


class Requests:
    def __init__(self, random):
        self.random = random

    def word(self, low, high, letters=ODD):
        return "".join(self.random.choice(letters) for _ in range(self.random.randint(low, high)))

    def path(self):
        parts = [self.random.choice(["", ".", "..", "a", "%2F", self.word(1, 20)]) for _ in range(self.random.randint(0, 6))]
        return "/" + "/".join(parts)

    def header_value(self):
        words = [self.word(1, 12, ODD.replace(" ", "").replace("\t", "")) for _ in range(self.random.randint(0, 4))]
        return self.random.choice(["", " ", "  "]) + self.random.choice([" ", "  ", "\t"]).join(words) + \
            self.random.choice(["", " "])

    def make(self, unique):
        r = self.random
        names = [self.word(1, 10) for _ in range(r.randint(0, 5))] + r.sample(["uploads", "uploadId", "partNumber", "prefix"], 2)
        query = [[name, r.choice(["", self.word(0, 20)])] for name in names[:r.randint(0, len(names))]]
        if unique:
            query = [[k, v] for k, v in dict(query).items()]
        elif query and r.random() < 0.2:
            query.append([query[0][0], self.word(0, 5)])
        headers = [[self.word(1, 3, string.ascii_letters) + r.choice(["", "-"]) + self.word(1, 8, string.ascii_letters), self.header_value()]
                   for _ in range(r.randint(0, 5))]
        headers += [["x-amz-meta-" + self.word(1, 9, string.ascii_letters + "-"), self.header_value()] for _ in range(r.randint(0, 3))]
        if headers and not unique and r.random() < 0.2:
            headers.append([headers[0][0].upper(), self.header_value()])
        plain = r.random() < 0.3
        service = r.choice(["s3", "s3", "rds", "sts"])
        return {
            "method": r.choice(["GET", "PUT", "POST", "HEAD", "DELETE"]),
            "plain": plain,
            "host": r.choice(["bucket.s3.eu-west-1.amazonaws.com", "127.0.0.1", "s3.example.com"]),
            "port": r.choice([0, 80, 443, 8000, 9000]),
            "path": self.path(),
            "query": query,
            "headers": headers,
            "body": self.word(0, 60) if r.random() < 0.5 and not unique else "",
            "access": "AKIA" + self.word(16, 16, string.ascii_uppercase + string.digits),
            "secret": self.word(40, 40, string.ascii_letters + string.digits + "+/"),
            "token": r.choice([None, self.word(20, 400, string.ascii_letters + string.digits + "+/=")]),
            "region": r.choice(["us-east-1", "eu-central-1", "ap-southeast-2"]),
            "service": service,
            "time_ms": r.randrange(1_400_000_000, 2_000_000_000) * 1000,
            "payload_hash": UNSIGNED if service == "s3" and not plain and not unique and r.random() < 0.2 else None,
        }


def botocore_request(r):
    """What botocore's callers hand to its signers: the path encoded, here by Python's own encoder."""
    usual = 80 if r["plain"] else 443
    port = f":{r['port']}" if r["port"] not in (0, usual) else ""
    url = f"http{'' if r['plain'] else 's'}://{r['host']}{port}{urllib.parse.quote(r['path'], safe='/-._~')}"
    request = AWSRequest(method=r["method"], url=url, data=r["body"].encode(), params=[tuple(pair) for pair in r["query"]])
    for name, value in r["headers"]:
        request.headers.add_header(name, value)
    request.context["client_config"] = SimpleNamespace(s3={"payload_signing_enabled": r["payload_hash"] != UNSIGNED})
    return request


def moment(r):
    return datetime.datetime.utcfromtimestamp(r["time_ms"] / 1000)


def botocore_header(r):
    request = botocore_request(r)
    signer = botocore.auth.S3SigV4Auth if r["service"] == "s3" else botocore.auth.SigV4Auth
    signer(Credentials(r["access"], r["secret"], r["token"]), r["service"], r["region"]).add_auth(request)
    return request.headers["Authorization"]


def botocore_presigned(r):
    request = botocore_request(r)
    request.params = dict(r["query"])
    signer = botocore.auth.S3SigV4QueryAuth if r["service"] == "s3" else botocore.auth.SigV4QueryAuth
    signer(Credentials(r["access"], r["secret"], r["token"]), r["service"], r["region"], expires=r["expires"]).add_auth(request)
    return request.url


def query_of(url):
    return sorted(urllib.parse.parse_qsl(url.split("?", 1)[1], keep_blank_values=True))


class Signatures(TestCase):
    def ours(self, requests):
        program = BUILD / MODE / "tests" / "tools" / "sign_requests"
        result = run([program], env=client_env("/nonexistent"), input="".join(json.dumps(r) + "\n" for r in requests))
        lines = expect(inspect(result, []), 0).out.splitlines()
        self.assertEqual(len(lines), len(requests))
        return lines

    def theirs(self, sign, r):
        Fixed.moment = moment(r)
        with mock.patch("botocore.auth.datetime.datetime", Fixed):
            return sign(r)

    def test_in_headers(self):
        make = Requests(rng("sigv4-headers"))
        requests = [{"kind": "header", **make.make(unique=False)} for _ in range(COUNT)]
        for r, ours in zip(requests, self.ours(requests)):
            self.assertEqual(ours, self.theirs(botocore_header, r), json.dumps(r, indent=1))

    def test_presigned(self):
        make = Requests(rng("sigv4-presigned"))
        requests = [{"kind": "presign", "expires": make.random.randint(1, 604800), **make.make(unique=True)} for _ in range(COUNT)]
        for r, ours in zip(requests, self.ours(requests)):
            theirs = self.theirs(botocore_presigned, r)
            self.assertEqual(ours.split("?")[0], theirs.split("?")[0])
            self.assertEqual(query_of(ours), query_of(theirs), json.dumps(r, indent=1))

    def test_rds_logins(self):
        make = Requests(rng("sigv4-rds"))
        requests = []
        for _ in range(50):
            r = {"kind": "rds", **make.make(unique=True), "user": make.word(1, 20), "host": "db.example.com", "port": 3306}
            requests.append(r)
        for r, ours in zip(requests, self.ours(requests)):
            session = botocore.session.Session()
            session.set_credentials(r["access"], r["secret"], r["token"])
            client = session.create_client("rds", region_name=r["region"])
            theirs = self.theirs(lambda r, client=client: client.generate_db_auth_token(r["host"], r["port"], r["user"]), r)
            self.assertEqual(ours.split("?")[0], theirs.split("?")[0])
            self.assertEqual(query_of(ours), query_of(theirs))
