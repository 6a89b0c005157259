"""Roles of a real STS: that of Ceph's gateway, which checks who may assume them and what they may do."""

import json

from lib.s3_case import PARTS, S3Case

ROLE = "arn:aws:iam:::role/backup"
# Any text of 16 bytes: the gateway encrypts session tokens with it.
STS = "rgw s3 auth use sts = true\nrgw sts key = 0123456789abcdef\n"


class Roles(S3Case):
    """The second account has no right on the bucket, but may assume a role that has."""

    @classmethod
    def setUpClass(cls):
        cls.gateway = cls.use_radosgw(gateway=STS)
        cls.server = cls.use_server()
        cls.archive = cls.make_archive(cls.server)
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/other"]},
                                                         "Action": ["sts:AssumeRole"]}]}
        rights = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": "arn:aws:s3:::*"}]}
        cls.gateway.admin("role", "create", "--role-name=backup", f"--assume-role-policy-doc={json.dumps(trust)}")
        cls.gateway.admin("role-policy", "put", "--role-name=backup", "--policy-name=all", f"--policy-doc={json.dumps(rights)}")
        cls.gateway.admin("role", "create", "--role-name=closed", "--assume-role-policy-doc=" + json.dumps(
            {**trust, "Statement": [{**trust["Statement"][0], "Principal": {"AWS": ["arn:aws:iam:::user/nobody"]}}]}))

    def setUp(self):
        self.use(self.gateway)
        # The bucket belongs to the first account, which lets the role in.
        self.gateway.client().put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": [ROLE]}, "Action": ["s3:*"],
                                                     "Resource": [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"]}]}))
        other = self.gateway.other
        self.config = self.write_aws_config(
            f"[profile other]\naws_access_key_id = {other.access_key}\naws_secret_access_key = {other.secret_key}\n"
            f"[profile role]\nrole_arn = {ROLE}\nsource_profile = other\nrole_session_name = nightly\nduration_seconds = 900\n"
            f"[profile closed]\nrole_arn = arn:aws:iam:::role/closed\nsource_profile = other\n"
            f"[profile wrong]\nrole_arn = {ROLE}\nsource_profile = wrong\naws_access_key_id = {other.access_key}\n"
            "aws_secret_access_key = harness-not-the-secret-Lp4d\n", "sts.config")

    def profile(self, name):
        return {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_CONFIG_FILE": self.config, "AWS_PROFILE": name,
                "AWS_ENDPOINT_URL_STS": self.gateway.endpoint}

    def test_an_assumed_role_may(self):
        self.dbsafe("list", env=self.profile("other"), check=5)
        self.dbsafe("copy", self.archive, "--to", self.store, env=self.profile("role"))
        # The object belongs to the role, not to the bucket's owner: it is read back by the role.
        self.assertEqual(self.visible(), {self.key(PARTS)})
        self.dbsafe("verify", "latest", env=self.profile("role"))
        back = self.server.folder / "back"
        self.dbsafe("copy", "latest", "--to", f"file://{back}", env=self.profile("role"))
        self.assertTrue((back / PARTS).read_bytes() == self.archive.read_bytes())

    def test_a_role_for_others_is_refused(self):
        result = self.dbsafe("list", env=self.profile("closed"), check=6)
        self.assertIn("assume the role arn:aws:iam:::role/closed", result.err)
        self.assertIn("AccessDenied", result.err)

    def test_a_wrong_secret_is_told(self):
        # AWS says SignatureDoesNotMatch (exit 3); this STS has one word for everything.
        result = self.dbsafe("list", env=self.profile("wrong"), check=6)
        self.assertIn("AccessDenied", result.err)
