"""What all S3 servers of the tests have in common, seen through Debian's botocore and awscli, which share nothing with dbsafe."""

import os
import secrets

from . import process

REGION = "us-east-1"


class Account:
    """Keys of one user; the secret is one of those that no output may show."""

    def __init__(self, access_key, secret_key):
        self.access_key, self.secret_key = access_key, secret_key
        process.SECRETS.add(secret_key)


def random_account(prefix):
    return Account(f"{prefix}{secrets.token_hex(6).upper()}", f"harness/s3+secret={secrets.token_hex(12)}")


class S3Service:
    """
    A server has .endpoint, .region, .ca_file (or None), .account and .other, a user without rights on the first one's buckets.
    One bucket name is as good as any other: bucket() makes new ones.
    """

    region = REGION
    ca_file = None
    _client = None

    def client(self, account=None, **config):
        """A botocore client for S3; it never retries, so that what it says is what happened."""
        import botocore.config
        import botocore.session
        if account is None and not config and self._client is not None:
            return self._client
        session = botocore.session.Session(profile=None)
        session.set_config_variable("config_file", "/dev/null")
        session.set_config_variable("credentials_file", "/dev/null")
        use = account or self.account
        made = session.create_client(
            "s3", region_name=self.region, endpoint_url=self.endpoint, verify=str(self.ca_file) if self.ca_file else None,
            aws_access_key_id=use.access_key, aws_secret_access_key=use.secret_key,
            config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, proxies={},
                                          connect_timeout=10, read_timeout=60, **config))
        if account is None and not config:
            self._client = made
        return made

    def env(self, account=None):
        """The environment in which dbsafe and aws find the server and the keys; nothing else of AWS."""
        use = account or self.account
        return {"AWS_ACCESS_KEY_ID": use.access_key, "AWS_SECRET_ACCESS_KEY": use.secret_key, "AWS_REGION": self.region,
                "AWS_ENDPOINT_URL_S3": self.endpoint, "AWS_EC2_METADATA_DISABLED": "true",
                **({"AWS_CA_BUNDLE": self.ca_file} if self.ca_file else {})}

    def aws(self, *args, check=0, account=None, home="/nonexistent", **options):
        """Debian's aws (/usr/bin/aws), such as aws("s3", "cp", ...)."""
        argv = ["/usr/bin/aws", "--endpoint-url", self.endpoint, *args]
        env = process.client_env(home, {**self.env(account), "AWS_DEFAULT_REGION": self.region})
        return process.expect(process.run(argv, env=env, **options), check)

    # ---- what is there

    def bucket(self, versioning=False, object_lock=False):
        """Makes a new bucket and gives its name."""
        name = f"test-{secrets.token_hex(6)}"
        self.client().create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if object_lock else {}))
        if versioning:
            self.client().put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def objects(self, bucket, prefix=""):
        """{key: bytes} of everything visible."""
        found, token = {}, {}
        while True:
            page = self.client().list_objects_v2(Bucket=bucket, Prefix=prefix, **token)
            found.update({o["Key"]: o["Size"] for o in page.get("Contents", [])})
            if not page["IsTruncated"]:
                return found
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def uploads(self, bucket):
        """[(key, upload id)] of every multipart upload that is not finished."""
        return sorted((u["Key"], u["UploadId"]) for u in self.client().list_multipart_uploads(Bucket=bucket).get("Uploads", []))

    def get(self, bucket, key):
        return self.client().get_object(Bucket=bucket, Key=key)["Body"].read()

    def head(self, bucket, key):
        return self.client().head_object(Bucket=bucket, Key=key)

    def put(self, bucket, key, body=b""):
        self.client().put_object(Bucket=bucket, Key=key, Body=body)

    def remove(self, bucket, key):
        self.client().delete_object(Bucket=bucket, Key=key)

    def start_upload(self, bucket, key, parts=(), **options):
        """A multipart upload of someone else, left unfinished; its id."""
        upload = self.client().create_multipart_upload(Bucket=bucket, Key=key, **options)["UploadId"]
        for number, body in enumerate(parts, 1):
            self.client().upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)
        return upload

    def empty(self, bucket):
        """Removes every object and every unfinished upload."""
        for key in self.objects(bucket):
            self.remove(bucket, key)
        for key, upload in self.uploads(bucket):
            self.client().abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)


def clear_environment():
    """botocore in this process must not find the caller's settings."""
    for name in [n for n in os.environ if n.startswith("AWS_") or n.lower() in ("http_proxy", "https_proxy", "all_proxy")]:
        del os.environ[name]


clear_environment()
