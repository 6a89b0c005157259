"""
--iam-auth: a real MariaDB over TLS, an account that wants its token in clear text, and tokens judged by botocore. Not real are AWS's own
plugin and its look into IAM's policies: a stand-in has their place (tests/support/iam_plugin.c).
"""

import datetime

import botocore.config
import botocore.session

from lib import TestCase, process
from lib.iam import IamServer
from lib.rds_signature import Key

REGION = "eu-west-1"


class IamAuth(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.key = Key("AKIAIAMEXAMPLE", "harness/iam+secret=9Tz4")
        cls.temporary = Key("ASIAIAMEXAMPLE", "harness/iam+secret=7Kq2", "harness//token+with/everything==")
        process.SECRETS.update({cls.key.secret_key, cls.temporary.secret_key, cls.temporary.token})
        cls.server = IamServer({k.access_key: k for k in (cls.key, cls.temporary)}, REGION, binlog=True)
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.server.add_account("by iam", "ALL ON *.*")
        cls.server.load_chatbot(messages=500)

    def setUp(self):
        self.server.verifier.tokens.clear()

    def run_dbsafe(self, *args, key=None, check=0, env=None, **options):
        key = key or self.key
        login = ["--iam-auth", "-h", "127.0.0.1", "-P", str(self.server.port), "-u", "by iam", "--ssl-ca", self.server.ca]
        found = {"DBSAFE_STORE": f"file://{self.server.store}", "AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": key.secret_key,
                 "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", **({"AWS_SESSION_TOKEN": key.token} if key.token else {}), **(env or {})}
        return process.dbsafe(args[0], *login, *args[1:], check=check, env=found, **options)

    def refusals(self):
        return [wrong for _, _, wrong in self.server.verifier.tokens if wrong]

    def test_dump_verify_restore(self):
        before = int(self.server.sql("SHOW GLOBAL STATUS LIKE 'Connections'")[0][1])
        archive = self.run_dbsafe("dump", "glpi_select", "--threads", "3", "--json").json["archive"]
        connections = int(self.server.sql("SHOW GLOBAL STATUS LIKE 'Connections'")[0][1]) - before - 1
        tokens = self.server.verifier.tokens
        self.assertEqual(self.refusals(), [])
        self.assertGreaterEqual(len(tokens), 3)
        self.assertEqual(len(tokens), connections, "each connection has a token made for it")
        self.assertTrue(all(t.startswith(f"127.0.0.1:{self.server.port}/?Action=connect&DBUser=by%20iam&") for _, t, _ in tokens), tokens[0])
        self.server.sql("DELETE FROM glpi_select.chatbot_messages")
        self.run_dbsafe("verify", archive, "--live", check=7)
        self.run_dbsafe("restore", archive)
        self.run_dbsafe("verify", archive, "--live")
        self.run_dbsafe("undo")
        self.assertEqual(self.refusals(), [])

    def test_point_and_rollback(self):
        made = self.run_dbsafe("point", "create", "by-iam", "glpi_select", "--no-drill", "--json").json
        self.server.sql("UPDATE glpi_select.chatbot_users SET balance = balance + 1")
        done = self.run_dbsafe("rollback", "--point", "by-iam", "--yes", "--json").json
        self.assertEqual((done["verdict"], done["verified"]), ("done", True))
        self.run_dbsafe("verify", made["archive"], "--live")
        self.assertEqual(self.refusals(), [])

    def test_temporary_keys(self):
        self.run_dbsafe("undo", "--list", key=self.temporary)
        self.assertEqual([(u, w) for u, _, w in self.server.verifier.tokens], [("by iam", None)])

    def test_the_token_is_botocores(self):
        self.run_dbsafe("undo", "--list")
        (_, token, _), = self.server.verifier.tokens
        session = botocore.session.Session(profile=None)
        session.set_credentials(self.key.access_key, self.key.secret_key)
        client = session.create_client("rds", region_name=REGION, config=botocore.config.Config(proxies={}))
        theirs = client.generate_db_auth_token("127.0.0.1", self.server.port, "by iam")

        def names(t):
            return [p.split("=")[0] for p in t.split("?")[1].split("&")]
        self.assertEqual(sorted(names(token)), sorted(names(theirs)))

    def test_what_aws_would_refuse(self):
        wrong = Key("AKIAUNKNOWN", "harness/iam+secret=none")
        refused = self.run_dbsafe("undo", "--list", key=wrong, check=3)
        self.assertIn("rds-db:connect", refused.err)
        self.run_dbsafe("undo", "--list", env={"AWS_REGION": "us-east-1"}, check=3)
        self.run_dbsafe("undo", "--list", "-u", "root", check=3)
        self.assertEqual(self.refusals(), ["the key is unknown", "the signature is wrong"])
        nowhere = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
        self.assertIn("AWS_ACCESS_KEY_ID", self.run_dbsafe("undo", "--list", env=nowhere, check=3).err)

    def test_the_verifier_is_strict(self):
        self.run_dbsafe("undo", "--list")
        (user, token, _), = self.server.verifier.tokens
        judge, now = self.server.verifier.judge, datetime.datetime.now(datetime.timezone.utc)
        self.assertIsNone(judge(user, token, now))
        self.assertIn("it was made at", judge(user, token, now + datetime.timedelta(minutes=15, seconds=1)))
        self.assertIn("it is for", judge("someone", token, now))
        last = "0" if token[-1] != "0" else "1"
        self.assertEqual(judge(user, token[:-1] + last, now), "the signature is wrong")
        self.assertIn("it is for", judge(user, token.replace("127.0.0.1", "127.0.0.2"), now))

    def test_only_over_tls_to_the_right_server(self):
        for args, status, says in ((("--skip-ssl",), 2, "TLS only"), (("--password-file", "/dev/null"), 2, "makes the password itself"),
                                   (("-h", "localhost", "-S", self.server.socket), 3, "host name of the RDS endpoint")):
            with self.subTest(args):
                self.assertIn(says, self.run_dbsafe("undo", "--list", *args, check=status).err)
        other = self.own_server(tcp=True)
        self.assertIn("TLS", self.run_dbsafe("undo", "--list", "-P", str(other.port), check=4).err)
        self.run_dbsafe("undo", "--list", "--ssl-ca", "/etc/ssl/certs/ca-certificates.crt", check=4)
        self.assertEqual(self.server.verifier.tokens, [], "none went out")
        unverified = self.run_dbsafe("undo", "--list", "--skip-ssl-verify-server-cert")
        self.assertIn("to whoever answers", unverified.err)

    def test_no_user(self):
        env = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "harness-b", "AWS_REGION": REGION}
        self.assertIn("account (-u)", process.dbsafe("undo", "--list", "--iam-auth", "-h", "127.0.0.1", check=3, env=env).err)

    def test_no_region(self):
        nowhere = self.run_dbsafe("undo", "--list", env={"AWS_REGION": None}, check=3)
        self.assertIn("--region", nowhere.err)
