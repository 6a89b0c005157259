"""
S3's operations on objects in memory: the part of the stub (s3_stub.py) that knows what S3 does, without connections or faults.
"""

import base64
import email.utils
import hashlib
import re
import secrets
import time
import urllib.parse
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

from .s3_signature import S3Error

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
OWNER = "123456789012"
TIME = "%Y-%m-%dT%H:%M:%S.000Z"
STORED = re.compile("x-amz-(meta-.*|storage-class|server-side-encryption.*|object-lock-.*|tagging|checksum-algorithm)|content-type")


def xml(root, *parts):
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">{"".join(parts)}</{root}>'.encode()


def element(name, value):
    return f"<{name}>{escape(str(value))}</{name}>"


def etag_of(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Object:
    def __init__(self, key, body, etag, headers, modified):
        self.key, self.body, self.etag, self.headers, self.modified = key, body, etag, headers, modified


class Upload:
    def __init__(self, key, headers, initiated):
        self.id = secrets.token_urlsafe(24)
        self.key, self.headers, self.initiated = key, headers, initiated
        self.parts = {}  # number: (etag, body, sha256 in base64 or None)
        self.times = {}  # number: when it came


class Bucket:
    def __init__(self, name, region, access_key, object_lock=False):
        self.name, self.region, self.access_key, self.object_lock = name, region, access_key, object_lock
        self.owner = OWNER
        self.objects, self.uploads = {}, {}


class Request:
    """One request as the stub saw it; status and fault are filled in as it goes on."""

    proxied = False

    def __init__(self, number, connection, method, target, headers):
        self.number, self.connection, self.method, self.target = number, connection, method, target
        self.headers = [(n, v) for n, v in headers]
        if target.startswith("http://"):  # to a proxy
            target = self.target = "/" + target.split("/", 3)[3]
            self.proxied = True
        path, _, query = target.partition("?")
        self.query = {urllib.parse.unquote_plus(k): urllib.parse.unquote_plus(v)
                      for k, _, v in (item.partition("=") for item in filter(None, query.split("&")))}
        self.bucket, _, self.key = urllib.parse.unquote(path, errors="surrogateescape").lstrip("/").partition("/")
        host = self.header("host", "").rsplit(":", 1)[0]
        if host.endswith(".localhost"):  # host style
            self.bucket, self.key = host[:-len(".localhost")], urllib.parse.unquote(path[1:], errors="surrogateescape")
        self.op = self._operation()
        self.length = int(self.header("content-length", "0"))
        self.body = b""
        self.status = self.fault = self.error = None
        self.sent = 0  # bytes of the answer's body
        self.time, self.end = time.monotonic(), None

    def header(self, name, default=None):
        return next((v for n, v in self.headers if n.lower() == name), default)

    def _operation(self):
        query, method = set(self.query), self.method
        if not self.bucket:
            return "ListBuckets"
        if not self.key:
            if "uploads" in query:
                return "ListMultipartUploads"
            if query & {"location", "versioning", "object-lock", "lifecycle"}:
                return "GetBucket" + (query & {"location", "versioning", "object-lock", "lifecycle"}).pop().title().replace("-", "")
            if method == "POST" and "delete" in query:
                return "DeleteObjects"
            return {"GET": "ListObjectsV2", "PUT": "CreateBucket", "HEAD": "HeadBucket", "DELETE": "DeleteBucket"}.get(method, method)
        if "uploads" in query and method == "POST":
            return "CreateMultipartUpload"
        if "uploadId" in query:
            return {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload",
                    "GET": "ListParts"}.get(method, method)
        return {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}.get(method, method)

    def __str__(self):
        notes = "".join(f" {n}" for n in (self.header("range"), self.query.get("partNumber"), self.fault, self.error) if n)
        return f"{self.number:4d} c{self.connection} {self.op} {self.key}{notes} -> {self.status}"


class Answer:
    def __init__(self, status=200, body=b"", headers=None):
        self.status, self.body, self.headers = status, body, dict(headers or {})


class Credential:
    """Keys the stub knows; with a token they are temporary. expired may be set at any time."""

    def __init__(self, account, token=None):
        self.account, self.token, self.expired = account, token, False


class Operations:
    """S3 itself, in memory. Called under the stub's lock."""

    def __init__(self, stub):
        self.stub = stub

    def run(self, request):
        return getattr(self, request.op, self._unknown)(request)

    def _unknown(self, request):
        raise S3Error(501, "NotImplemented", f"{request.method} {request.target}")

    def _bucket(self, request):
        bucket = self.stub.buckets.get(request.bucket)
        if bucket is None:
            raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist", {"BucketName": request.bucket})
        return bucket

    def _object(self, request):
        found = self._bucket(request).objects.get(request.key)
        if found is None and not self.stub.may_know(request.bucket):
            raise S3Error(403, "AccessDenied", "Access Denied")
        if found is None:
            raise S3Error(404, "NoSuchKey", "The specified key does not exist.", {"Key": request.key})
        return found

    def _upload(self, request):
        found = self._bucket(request).uploads.get(request.query["uploadId"])
        if found is None or found.key != request.key:
            raise S3Error(404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may "
                          "have been aborted or completed.")
        return found

    # ---- writing

    def CreateBucket(self, request):
        if request.bucket in self.stub.buckets:
            raise S3Error(409, "BucketAlreadyOwnedByYou", "it exists")
        region = re.search(b"<LocationConstraint>([^<]+)<", request.body)
        self.stub.buckets[request.bucket] = Bucket(request.bucket, region[1].decode() if region else self.stub.region,
                                                   request.access_key, request.header("x-amz-bucket-object-lock-enabled") == "true")
        return Answer()

    def _stored_headers(self, request, bucket):
        stored = {n.lower(): v for n, v in request.headers if STORED.fullmatch(n.lower())}
        if any(n.startswith("x-amz-object-lock") for n in stored) and not bucket.object_lock:
            raise S3Error(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
        return stored

    def _condition(self, request, bucket, support):
        if request.header("if-none-match") is None or support == "ignored":
            return
        if support == "unknown":
            raise S3Error(501, "NotImplemented", "A header you provided implies functionality that is not implemented.",
                          {"Header": "If-None-Match"})
        if request.key in bucket.objects:
            raise S3Error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
                          {"Condition": "If-None-Match"})

    def _check_digests(self, request, locked):
        """Content-MD5 and x-amz-checksum-sha256, as far as this stub's mode knows them."""
        md5, sha256 = request.header("content-md5"), request.header("x-amz-checksum-sha256")
        mode = self.stub.checksums
        if md5 is not None and base64.b64encode(hashlib.md5(request.body, usedforsecurity=False).digest()).decode() != md5:
            raise S3Error(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
        if mode == "refused" and any(n.lower().startswith("x-amz-checksum") for n, _ in request.headers):
            raise S3Error(501, "NotImplemented", "Header 'x-amz-checksum-sha256' with value not implemented")
        if sha256 is not None and mode != "ignored" and base64.b64encode(hashlib.sha256(request.body).digest()).decode() != sha256:
            raise S3Error(400, "BadDigest", "The sha256 you specified did not match the calculated checksum.")
        if (locked or mode == "required") and md5 is None and (sha256 is None or mode in ("ignored", "refused")):
            raise S3Error(400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Part requests with "
                          "Object Lock parameters")
        return sha256 if mode in ("known", "required") else None

    def PutObject(self, request):
        bucket = self._bucket(request)
        self._condition(request, bucket, self.stub.conditional_put)
        headers = self._stored_headers(request, bucket)
        self._check_digests(request, bucket.object_lock)
        bucket.objects[request.key] = Object(request.key, request.body, etag_of(request.body), headers, self.stub.now())
        return Answer(headers={"ETag": f'"{etag_of(request.body)}"'})

    def CreateMultipartUpload(self, request):
        bucket = self._bucket(request)
        if self.stub.checksums == "refused" and request.header("x-amz-checksum-algorithm"):
            raise S3Error(501, "NotImplemented", "x-amz-checksum-algorithm")
        upload = Upload(request.key, self._stored_headers(request, bucket), self.stub.now())
        bucket.uploads[upload.id] = upload
        return Answer(body=xml("InitiateMultipartUploadResult", element("Bucket", bucket.name), element("Key", request.key),
                               element("UploadId", upload.id)))

    def UploadPart(self, request):
        upload, number = self._upload(request), int(request.query["partNumber"])
        if not 1 <= number <= 10000:
            raise S3Error(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
        sha256 = self._check_digests(request, self._bucket(request).object_lock)
        etag = etag_of(request.body)
        upload.parts[number], upload.times[number] = (etag, request.body, sha256), self.stub.now()
        return Answer(headers={"ETag": f'"{etag}"', **({"x-amz-checksum-sha256": sha256} if sha256 else {})})

    def CompleteMultipartUpload(self, request):
        bucket, upload = self._bucket(request), self._upload(request)
        self._condition(request, bucket, self.stub.conditional_complete)
        named = self._named_parts(request)
        numbers = [number for number, _, _ in named]
        if numbers != sorted(set(numbers)):
            raise S3Error(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
        parts = [self._check_part(upload, number, etag, sha256) for number, etag, sha256 in named]
        sizes = [len(body) for _, body, _ in parts]
        if any(size < self.stub.min_part_bytes for size in sizes[:-1]):
            raise S3Error(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
        if self.stub.uniform_parts and (len(set(sizes[:-1])) > 1 or sizes[-1] > sizes[0]):
            raise S3Error(400, "InvalidPart", "All non-trailing parts must have the same length.")
        body = b"".join(body for _, body, _ in parts)
        etag = etag_of(b"".join(bytes.fromhex(etag) for etag, _, _ in parts)) + f"-{len(parts)}"
        bucket.objects[request.key] = Object(request.key, body, etag, upload.headers, self.stub.now())
        del bucket.uploads[upload.id]
        return Answer(body=xml("CompleteMultipartUploadResult", element("Location", f"http://localhost/{bucket.name}/{request.key}"),
                               element("Bucket", bucket.name), element("Key", request.key), element("ETag", f'"{etag}"')))

    @staticmethod
    def _named_parts(request):
        try:
            root = ET.fromstring(request.body)
        except ET.ParseError:
            root = []
        named = []
        for part in root:
            values = {child.tag.rpartition("}")[2]: child.text for child in part}
            named.append((int(values["PartNumber"]), (values.get("ETag") or "").strip('"'), values.get("ChecksumSHA256")))
        if not named:
            raise S3Error(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
        return named

    def _check_part(self, upload, number, etag, sha256):
        part = upload.parts.get(number)
        if part is None or part[0] != etag or (sha256 is not None and sha256 != part[2]):
            raise S3Error(400, "InvalidPart", "One or more of the specified parts could not be found.", {"PartNumber": number})
        if upload.headers.get("x-amz-checksum-algorithm") == "SHA256" and self.stub.checksums in ("known", "required") and sha256 is None:
            raise S3Error(400, "InvalidRequest", "The upload was created using a sha256 checksum. The complete request must include the "
                          f"checksum for each part. It was missing for part {number} in the request.")
        return part

    def AbortMultipartUpload(self, request):
        upload = self._upload(request)
        del self._bucket(request).uploads[upload.id]
        return Answer(204)

    def DeleteObject(self, request):
        self._bucket(request).objects.pop(request.key, None)
        return Answer(204)

    # ---- reading

    def HeadBucket(self, request):
        return Answer(headers={"x-amz-bucket-region": self._bucket(request).region})

    def GetBucketLocation(self, request):
        return Answer(body=xml("LocationConstraint", escape(self._bucket(request).region)))

    def _object_headers(self, found):
        headers = {n: v for n, v in found.headers.items() if n not in ("x-amz-tagging", "x-amz-checksum-algorithm")}
        return {"ETag": f'"{found.etag}"', "Last-Modified": email.utils.format_datetime(found.modified, usegmt=True),
                "Accept-Ranges": "bytes", **headers}

    def HeadObject(self, request):
        found = self._object(request)
        answer = Answer(headers=self._object_headers(found))
        answer.headers["Content-Length"] = len(found.body)
        return answer

    def GetObject(self, request):
        found = self._object(request)
        if request.header("if-match") not in (None, "*", f'"{found.etag}"', found.etag):
            raise S3Error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
                          {"Condition": "If-Match"})
        headers, text = self._object_headers(found), request.header("range")
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", text or "")
        if text is None or not match or match.groups() == ("", ""):
            return Answer(200, found.body, headers)
        size = len(found.body)
        if match[1] == "":
            first, last = max(0, size - int(match[2])), size - 1
        else:
            first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
        if first > last or first >= size:
            raise S3Error(416, "InvalidRange", "The requested range is not satisfiable", {"ActualObjectSize": size})
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        return Answer(206, found.body[first:last + 1], headers)

    # ---- lists

    def _page(self, request, names, marker, limit):
        """The names behind the marker, at most a page of them, and whether more follow."""
        rest = [n for n in sorted(names, key=lambda n: n.encode("utf-8", "surrogateescape") if isinstance(n, str) else
                                  (n[0].encode("utf-8", "surrogateescape"), n[1])) if marker is None or n > marker]
        limit = min(limit, self.stub.page_size)
        return rest[:limit], len(rest) > limit

    @staticmethod
    def _name(request, text):
        return urllib.parse.quote(text, safe="/-_.~*") if request.query.get("encoding-type") == "url" else text

    @staticmethod
    def _encoding(request):
        return [element("EncodingType", "url")] if request.query.get("encoding-type") == "url" else []

    def ListObjectsV2(self, request):
        bucket, prefix = self._bucket(request), request.query.get("prefix", "")
        if request.query.get("list-type") != "2":
            raise S3Error(501, "NotImplemented", "ListObjects, the old list")
        token = request.query.get("continuation-token")
        marker = base64.urlsafe_b64decode(token).decode() if token else request.query.get("start-after")
        keys, groups, delimiter = [], [], request.query.get("delimiter")
        for key in bucket.objects:
            if key.startswith(prefix):
                at = key.find(delimiter, len(prefix)) if delimiter else -1
                if at < 0:
                    keys.append(key)
                elif key[:at + len(delimiter)] not in groups:
                    groups.append(key[:at + len(delimiter)])
        page, more = self._page(request, keys + groups, marker, int(request.query.get("max-keys", 1000)))
        parts = [element("Name", bucket.name), element("Prefix", self._name(request, prefix)), element("KeyCount", len(page)),
                 element("MaxKeys", self.stub.page_size), element("IsTruncated", "true" if more else "false"), *self._encoding(request)]
        if more:
            parts.append(element("NextContinuationToken", base64.urlsafe_b64encode(page[-1].encode()).decode()))
        for key in page:
            if key in groups:
                parts.append(f"<CommonPrefixes>{element('Prefix', self._name(request, key))}</CommonPrefixes>")
                continue
            found = bucket.objects[key]
            parts.append("<Contents>" + element("Key", self._name(request, key)) +
                         element("LastModified", found.modified.strftime(TIME)) +
                         element("ETag", f'"{found.etag}"') + element("Size", len(found.body)) +
                         element("StorageClass", found.headers.get("x-amz-storage-class", "STANDARD")) + "</Contents>")
        return Answer(body=xml("ListBucketResult", *parts))

    def ListMultipartUploads(self, request):
        bucket, prefix = self._bucket(request), request.query.get("prefix", "")
        names = [(u.key, u.id) for u in bucket.uploads.values() if u.key.startswith(prefix)]
        marker = request.query.get("key-marker")
        if marker is not None:
            marker = (marker, request.query.get("upload-id-marker", "\x7f"))
        page, more = self._page(request, names, marker, int(request.query.get("max-uploads", 1000)))
        parts = [element("Bucket", bucket.name), element("IsTruncated", "true" if more else "false"), *self._encoding(request)]
        if more:
            parts += [element("NextKeyMarker", self._name(request, page[-1][0])), element("NextUploadIdMarker", page[-1][1])]
        for key, upload_id in page:
            upload = bucket.uploads[upload_id]
            parts.append("<Upload>" + element("Key", self._name(request, key)) + element("UploadId", upload_id) +
                         element("Initiated", upload.initiated.strftime(TIME)) + "</Upload>")
        return Answer(body=xml("ListMultipartUploadsResult", *parts))

    def ListParts(self, request):
        upload = self._upload(request)
        marker = int(request.query.get("part-number-marker", 0))
        numbers = sorted(n for n in upload.parts if n > marker)
        limit = min(int(request.query.get("max-parts", 1000)), self.stub.page_size)
        parts = [element("Bucket", request.bucket), element("Key", request.key), element("UploadId", upload.id),
                 element("IsTruncated", "true" if len(numbers) > limit else "false")]
        if len(numbers) > limit:
            parts.append(element("NextPartNumberMarker", numbers[limit - 1]))
        for number in numbers[:limit]:
            etag, body, _ = upload.parts[number]
            parts.append("<Part>" + element("PartNumber", number) + element("LastModified", upload.times[number].strftime(TIME)) +
                         element("ETag", f'"{etag}"') + element("Size", len(body)) + "</Part>")
        return Answer(body=xml("ListPartsResult", *parts))
