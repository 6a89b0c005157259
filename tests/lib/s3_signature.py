"""
The server's side of AWS signature version 4, written from the published description, so that the stub refuses what AWS would refuse.
It shares nothing with dbsafe; tests/e2e/test_s3_stub.py holds it against botocore's signer.
"""

import datetime
import hashlib
import hmac
import re
import urllib.parse

ALGORITHM = "AWS4-HMAC-SHA256"
AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=([^/]+)/(\d{{8}})/([a-z0-9-]*)/([a-z0-9-]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})")
UNSIGNED = "UNSIGNED-PAYLOAD"
MAX_SKEW = 15 * 60


class S3Error(Exception):
    """What the server answers instead; extra are further elements of the error's XML, headers those of the answer."""

    def __init__(self, status, code, message="", extra=None, headers=None):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message
        self.extra, self.headers = extra or {}, headers or {}


def encode(text, safe=""):
    return urllib.parse.quote(text, safe=safe + "-_.~", encoding="utf-8", errors="surrogateescape")


def canonical_path(raw):
    """S3: decoded once, encoded once, never normalised."""
    return encode(urllib.parse.unquote(raw, errors="surrogateescape"), "/") or "/"


def canonical_query(raw):
    pairs = []
    for item in filter(None, raw.split("&")):
        name, _, value = item.partition("=")
        pairs.append(tuple(encode(urllib.parse.unquote_plus(part, errors="surrogateescape")) for part in (name, value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def signature(secret, method, path, query, headers, signed, payload, stamp, region, service):
    """headers: (name, value) pairs as they came; signed: names in lower case; stamp: x-amz-date."""
    lines = []
    for name in sorted(signed):
        values = [" ".join(v.split()) for n, v in headers if n.lower() == name]
        lines.append(f"{name}:{','.join(values)}\n")
    request = "\n".join([method, canonical_path(path), canonical_query(query), "".join(lines), ";".join(sorted(signed)), payload])
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(request.encode("utf-8", "surrogateescape")).hexdigest()])
    key = b"AWS4" + secret.encode()
    for part in (stamp[:8], region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def when(stamp):
    try:
        return datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        raise S3Error(403, "AccessDenied", f"x-amz-date {stamp!r} is no date") from None


class Claim:
    """What the Authorization header says, before anything of it is believed."""

    def __init__(self, headers, now):
        values = {n.lower(): v for n, v in headers}
        if "authorization" not in values:
            raise S3Error(403, "AccessDenied", "Anonymous access is forbidden")
        match = AUTHORIZATION.fullmatch(values["authorization"])
        if not match:
            raise S3Error(400, "AuthorizationHeaderMalformed", "The authorization header is malformed")
        self.access_key, self.date, self.region, self.service, signed, self.signature = match.groups()
        self.signed = signed.split(";")
        self.stamp = values.get("x-amz-date", "")
        self.payload = values.get("x-amz-content-sha256", "")
        if not self.payload:
            raise S3Error(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        if self.signed != sorted(self.signed):
            raise S3Error(403, "SignatureDoesNotMatch", "SignedHeaders is not sorted")
        missing = [n for n in values if (n == "host" or n.startswith("x-amz-")) and n not in self.signed]
        if missing:
            raise S3Error(403, "AccessDenied", f"There were headers present in the request which were not signed: {missing}")
        if abs((when(self.stamp) - now).total_seconds()) > MAX_SKEW:
            raise S3Error(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.",
                          {"RequestTime": self.stamp, "ServerTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                           "MaxAllowedSkewMilliseconds": MAX_SKEW * 1000})
        if self.date != self.stamp[:8] or self.service != "s3":
            raise S3Error(400, "AuthorizationHeaderMalformed", "The credential scope is wrong")

    def check(self, secret, method, target, headers):
        path, _, query = target.partition("?")
        want = signature(secret, method, path, query, headers, self.signed, self.payload, self.stamp, self.region, self.service)
        if not hmac.compare_digest(want, self.signature):
            raise S3Error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you "
                          "provided. Check your key and signing method.")

    def check_payload(self, body, secure):
        if self.payload == UNSIGNED:
            if not secure:
                raise S3Error(400, "InvalidRequest", "an unsigned payload without TLS")
        elif not re.fullmatch("[0-9a-f]{64}", self.payload):
            raise S3Error(501, "NotImplemented", f"x-amz-content-sha256: {self.payload}")
        elif hashlib.sha256(body).hexdigest() != self.payload:
            raise S3Error(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
