"""
As much of AWS's policy language as the policies of docs/s3.md need: Allow, Action, Resource, StringLike on s3:prefix. With a policy the
stub allows only what it says, so that those policies are tried as they stand there.
"""

import fnmatch
import json
import re

from .paths import ROOT

ACTIONS = {
    "PutObject": "s3:PutObject", "CreateMultipartUpload": "s3:PutObject", "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject", "AbortMultipartUpload": "s3:AbortMultipartUpload", "ListParts": "s3:ListMultipartUploadParts",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads", "ListObjectsV2": "s3:ListBucket", "HeadBucket": "s3:ListBucket",
    "GetObject": "s3:GetObject", "HeadObject": "s3:GetObject", "DeleteObject": "s3:DeleteObject", "GetBucketLocation": "s3:GetBucketLocation",
}


def _list(value):
    return value if isinstance(value, list) else [value]


def allows(policy, action, bucket, key, prefix=None):
    """prefix: what a list is asked for; None when the request is none."""
    resource = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
    for statement in policy["Statement"]:
        wanted = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
        if (action in _list(statement["Action"]) and any(fnmatch.fnmatchcase(resource, r) for r in _list(statement["Resource"])) and
                (wanted is None or (prefix is not None and any(fnmatch.fnmatchcase(prefix, w) for w in _list(wanted))))):
            return True
    return False


EXAMPLE = "arn:aws:s3:::backups.example.com"


def policies():
    """{"dump": policy, ...}: the JSON behind each paragraph of docs/s3.md that begins with bold names of commands."""
    text = (ROOT / "docs" / "s3.md").read_text()
    found = re.findall(r"(?ms)^\*\*(\w+)\*\*.*?^```json\n(.*?)^```", text)
    return {name: json.loads(block) for name, block in found if "Statement" in json.loads(block)}


def documented(command, bucket, prefix):
    """The policy for a command, for this bucket and prefix."""
    return json.loads(json.dumps(policies()[command]).replace("backups.example.com", bucket).replace("db/", f"{prefix}/"))
