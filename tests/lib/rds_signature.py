"""
The server's side of signature version 4, by Debian's botocore: what a request claims is signed anew by AWS's own code and compared.
The Query services answer with other words than S3 does (s3_signature.py).
"""

import dataclasses
import datetime
import hmac
import re

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from .rds_model import RdsError

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([a-z0-9-]*)/([a-z0-9-]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})")
MAX_SKEW = datetime.timedelta(minutes=15)


@dataclasses.dataclass
class Key:
    """One that may sign; token and expires (datetime) for temporary ones."""

    access_key: str
    secret_key: str
    token: str = None
    expires: datetime.datetime = None


def check(method, url, headers, body, keys, region, service, now):
    """The Key that signed the request; headers: (name, value) pairs as they came. Raises RdsError."""
    values = {n.lower(): v for n, v in headers}
    if "authorization" not in values:
        raise RdsError(403, "MissingAuthenticationToken", "Missing Authentication Token")
    match = AUTHORIZATION.fullmatch(values["authorization"])
    if not match:
        raise RdsError(400, "IncompleteSignature", "The Authorization header is not one of signature version 4")
    access_key, date, claimed_region, claimed_service, signed, signature = match.groups()
    key = keys.get(access_key)
    if key is None or (key.token or "") != values.get("x-amz-security-token", ""):
        raise RdsError(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    if key.expires and key.expires <= now:
        raise RdsError(403, "ExpiredToken", "The security token included in the request is expired")
    missing = {n for n in values if n == "host" or n.startswith("x-amz-")} - set(signed.split(";"))
    if missing or (claimed_region, claimed_service) != (region, service):
        raise RdsError(403, "SignatureDoesNotMatch", f"Credential should be scoped to {region}/{service}; unsigned headers: {sorted(missing)}")
    stamp = values.get("x-amz-date", "")
    _check_time(stamp, date, now)
    if not hmac.compare_digest(_sign(method, url, values, signed.split(";"), body, key, region, service, stamp), signature):
        raise RdsError(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
    return key


def _check_time(stamp, date, now):
    try:
        then = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        raise RdsError(400, "IncompleteSignature", f"Date must be in ISO-8601 'basic format'. Got '{stamp}'.") from None
    if stamp[:8] != date:
        raise RdsError(403, "SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date")
    server, form = now.strftime("%Y%m%dT%H%M%SZ"), "%Y%m%dT%H%M%SZ"
    if then < now - MAX_SKEW:
        raise RdsError(403, "SignatureDoesNotMatch", f"Signature expired: {stamp} is now earlier than "
                       f"{(now - MAX_SKEW).strftime(form)} ({server} - 15 min.)")
    if then > now + MAX_SKEW:
        raise RdsError(403, "SignatureDoesNotMatch", f"Signature not yet current: {stamp} is still later than "
                       f"{(now + MAX_SKEW).strftime(form)} ({server} + 15 min.)")


def _sign(method, url, values, signed, body, key, region, service, stamp):
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(key.access_key, key.secret_key, key.token), service, region)
    request = botocore.awsrequest.AWSRequest(method, url, {n: values.get(n, "") for n in signed}, body)
    request.context["timestamp"] = stamp
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
