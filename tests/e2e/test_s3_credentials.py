"""
Keys from where they come in production: container and EC2 metadata, STS, web identity, a process. The services that give them are the
fake of lib/aws_stub.py; the S3 stub accepts the keys only with their session token, and stops doing so when they have ended.
"""

from lib import wait_until
from lib.aws_stub import Stub
from lib.s3 import Account
from lib.s3_case import S3Case
from lib.s3_stub import S3Stub

# What the test environment must not lend.
NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
           "AWS_CONFIG_FILE": "/dev/null"}
ROLE = "arn:aws:iam::123456789012:role/backup"


class FromServices(S3Case):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)
        cls.archive = cls.make_archive(cls.server)

    def setUp(self):
        self.stub, self.services = S3Stub(), Stub()
        self.addCleanup(self.stub.close)
        self.addCleanup(self.services.close)
        self.use(self.stub)
        self.url = f"http://127.0.0.1:{self.services.port}"

    def issue(self, seconds=3600):
        """What the services give from now on; the S3 stub's Credential."""
        temporary = self.stub.add_temporary()
        self.services.command(f"issue {temporary.account.access_key} {temporary.account.secret_key} {temporary.token} {seconds}")
        return temporary

    def asked(self, text=""):
        return int(self.services.command(f"count {text}"))

    def sources(self):
        """(name, environment) of each way to keys."""
        token_file = self.server.folder / "token"
        token_file.write_text("container-token-of-a-test\n")
        token_file.chmod(0o600)
        identity = self.server.folder / "identity"
        identity.write_text("identity-token-of-a-test")
        identity.chmod(0o600)
        long_lived = Account("AKIALONGLIVED", "harness-long-lived-secret-Rb3v")
        sts = {"AWS_ENDPOINT_URL_STS": self.url}
        assume = self.write_aws_config(
            f"[profile base]\naws_access_key_id = {long_lived.access_key}\naws_secret_access_key = {long_lived.secret_key}\n"
            f"[profile role]\nrole_arn = {ROLE}\nsource_profile = base\nregion = us-east-1\n"
            f"[profile from-env]\nrole_arn = {ROLE}\ncredential_source = Environment\n"
            f"[profile from-ecs]\nrole_arn = {ROLE}\ncredential_source = EcsContainer\n", "assume.config")
        container = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/container/keys",
                     "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file)}
        return [
            ("container", container),
            ("container, token in the environment", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/container/keys",
                                                     "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-token-of-a-test"}),
            ("EC2", {"AWS_EC2_METADATA_DISABLED": None, "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url}),
            ("web identity", {"AWS_WEB_IDENTITY_TOKEN_FILE": str(identity), "AWS_ROLE_ARN": ROLE, **sts}),
            ("assumed role", {"AWS_CONFIG_FILE": assume, "AWS_PROFILE": "role", **sts}),
            # AWS_PROFILE would not do: the environment's keys go before it, in every SDK
            ("assumed role, keys of the environment", {"AWS_CONFIG_FILE": assume, "DBSAFE_AWS_PROFILE": "from-env", **sts,
                                                       "AWS_ACCESS_KEY_ID": long_lived.access_key,
                                                       "AWS_SECRET_ACCESS_KEY": long_lived.secret_key}),
            ("assumed role, keys of the container", {"AWS_CONFIG_FILE": assume, "AWS_PROFILE": "from-ecs", **sts, **container}),
        ]

    def prepare(self):
        self.services.command("forget")
        self.services.command("container container-token-of-a-test")
        self.services.command("identity identity-token-of-a-test")
        self.services.command("role backup-role")
        self.services.command("imds on")
        self.stub.reset()
        self.stub.empty(self.bucket)

    def test_each_source(self):
        for name, env in self.sources():
            with self.subTest(name):
                self.prepare()
                given = self.issue()
                self.dbsafe("copy", self.archive, "--to", self.store, env={**NO_KEYS, **env})
                self.assert_is(self.archive, self.stub.trace())
                used = {r.header("authorization").split("Credential=")[1].split("/")[0] for r in self.stub.log()}
                self.assertEqual(used, {given.account.access_key})
                self.assertLessEqual(self.asked(), 6)  # once for all, not for each request or thread

    def test_keys_end_in_mid_upload(self):
        """Each source is asked again, and the upload goes on."""
        for name, env in self.sources():
            with self.subTest(name):
                self.prepare()
                first = self.issue()
                hold = self.stub.plan.hold("UploadPart", nth=2)
                found = self.start("copy", self.archive, "--to", self.store, "--part-size", "5M", env={**NO_KEYS, **env})
                wait_until(lambda: hold.arrived() or not found.running(), what="the second part")
                first.expired = True
                second = self.issue()
                hold.release()
                result = self.check_run(found)
                detail = f"{result}\n{self.stub.trace()}"
                self.assertEqual(result.rc, 0, detail)
                self.assert_is(self.archive, detail)
                self.assertIn(second.account.access_key, self.stub.log("CompleteMultipartUpload")[-1].header("authorization"), detail)

    def test_no_keys_from_there(self):
        for name, env in self.sources():
            with self.subTest(name):
                self.prepare()
                self.issue()
                self.services.command("container another-token")
                self.services.command("identity another-token")
                self.services.command("role -")
                env = {**NO_KEYS, **env}
                if "role" in name and "container" not in name:
                    config = self.server.folder / "denied.config"
                    config.write_text(open(env["AWS_CONFIG_FILE"]).read().replace("role/backup", "role/denied"))
                    env["AWS_CONFIG_FILE"] = config
                result = self.dbsafe("list", env=env, check=(3, 6), timeout=120)
                self.assertEqual(self.stub.log(), [], result)
                for secret in ("container-token-of-a-test", "identity-token-of-a-test"):
                    self.assertNotIn(secret, result.err)

    def test_a_metadata_service_that_is_not_there(self):
        """Nobody waits long for it on a machine that has none."""
        result = self.dbsafe("list", env={**NO_KEYS, "AWS_EC2_METADATA_DISABLED": None,
                                          "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"}, check=3)
        self.assertLess(result.seconds, 15)

    def test_the_relative_uri_of_a_task(self):
        """Without a right to an address outside there is nobody; it says so, and never through a proxy."""
        result = self.dbsafe("list", env={**NO_KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/keys"}, check=3)
        self.assertIn("example.com", result.err)

    def test_a_named_profile_goes_before_the_environment(self):
        self.prepare()
        account = self.stub.account
        keys = self.write_aws_config(f"[named]\naws_access_key_id = {account.access_key}\naws_secret_access_key = {account.secret_key}\n", "named")
        wrong = {"AWS_ACCESS_KEY_ID": "AKIAWRONG", "AWS_SECRET_ACCESS_KEY": "harness-wrong-secret-Yw2m",
                 "AWS_SHARED_CREDENTIALS_FILE": keys, "AWS_CONFIG_FILE": "/dev/null"}
        self.dbsafe("list", env=wrong, check=3)
        self.dbsafe("list", env={**wrong, "AWS_PROFILE": "named"}, check=3)  # as in every SDK
        self.dbsafe("list", "--aws-profile", "named", env=wrong)

    def test_a_process_gives_keys(self):
        self.prepare()
        account = self.stub.account
        script = self.server.folder / "give keys"
        script.write_text(f'#!/bin/sh\n[ "$1" = "a b" ] || exit 9\nprintf \'{{"Version":1,"AccessKeyId":"{account.access_key}",'
                          f'"SecretAccessKey":"{account.secret_key}"}}\'\n')
        script.chmod(0o700)
        config = self.write_aws_config(f'[default]\ncredential_process = "{script}" "a b"\n', "process.config")
        self.dbsafe("copy", self.archive, "--to", self.store, env={**NO_KEYS, "AWS_CONFIG_FILE": config})
        self.assert_is(self.archive)
        script.write_text("#!/bin/sh\necho 'no luck today' >&2\nexit 4\n")
        result = self.dbsafe("list", env={**NO_KEYS, "AWS_CONFIG_FILE": config}, check=3)
        self.assertIn("give keys", result.err)

    def test_no_core_file_is_written(self):
        """One would hold the keys."""
        self.prepare()
        hold = self.stub.plan.hold("UploadPart", nth=2)
        found = self.start("copy", self.archive, "--to", self.store, "--part-size", "5M")
        wait_until(lambda: hold.arrived() or not found.running(), what="the second part")
        with open(f"/proc/{found.pid}/limits") as file:
            self.assertEqual(next(line.split()[4] for line in file if line.startswith("Max core file size")), "0")
        hold.release()
        self.assertEqual(self.check_run(found).rc, 0)
        self.assert_is(self.archive)
