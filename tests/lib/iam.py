"""
Logging in by IAM, as far as it can be real here: a MariaDB with TLS whose accounts ask for a token in clear text (tests/support/iam_plugin.c,
a stand-in for AWS's plugin, which cannot be had), and a verifier that checks each token as AWS does, by botocore's signer.
"""

import datetime
import hmac
import os
import socketserver
import subprocess
import threading
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from . import process
from .paths import ROOT
from .server import Server

VALID_SECONDS = 900


def certificate(folder):
    """A self-signed one for 127.0.0.1; the paths of certificate and key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2",
                    "-addext", "subjectAltName=IP:127.0.0.1,DNS:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


class Verifier(socketserver.ThreadingUnixStreamServer):
    """Knows keys, says yes or no; .tokens: (user, token, None or what is wrong) of all that asked."""

    daemon_threads = True

    def __init__(self, path, endpoint, region, keys):
        self.endpoint, self.region, self.keys, self.tokens = endpoint, region, keys, []
        super().__init__(str(path), VerifierHandler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def judge(self, user, token, now):
        """None, or why AWS would refuse it."""
        host, _, query = token.partition("/?")
        fields = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        claimed = fields.pop("X-Amz-Signature", "")
        key = self.keys.get(fields.get("X-Amz-Credential", "").split("/")[0])
        if host != self.endpoint or fields.get("Action") != "connect" or fields.get("DBUser") != user:
            return f"it is for {fields.get('DBUser')} at {host}"
        if key is None or fields.get("X-Amz-Security-Token") != key.token:
            return "the key is unknown"
        then = datetime.datetime.strptime(fields["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        if fields["X-Amz-Expires"] != str(VALID_SECONDS) or not -300 < (now - then).total_seconds() < VALID_SECONDS:
            return f"it was made at {then}, now it is {now}"
        signer = botocore.auth.SigV4QueryAuth(botocore.credentials.Credentials(key.access_key, key.secret_key, key.token), "rds-db", self.region)
        request = botocore.awsrequest.AWSRequest("GET", f"https://{host}/?{urllib.parse.urlencode(fields, quote_via=urllib.parse.quote)}",
                                                 {"host": host})
        request.context["timestamp"] = fields["X-Amz-Date"]
        signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        return None if hmac.compare_digest(signature, claimed) else "the signature is wrong"

    def close(self):
        self.shutdown()
        self.server_close()


class VerifierHandler(socketserver.StreamRequestHandler):
    def handle(self):
        user, _, token = self.rfile.read().decode().partition("\n")
        process.SECRETS.add(token)  # it opens the database for 15 minutes
        wrong = self.server.judge(user, token, datetime.datetime.now(datetime.timezone.utc))
        self.server.tokens.append((user, token, wrong))
        self.wfile.write(b"n" if wrong else b"y")


class IamServer(Server):
    """A Server on 127.0.0.1 with TLS; add_account makes an account that logs in by token, .verifier judges."""

    def __init__(self, keys, region, **options):
        super().__init__(tcp=True, **options)
        self.plugins = self.folder / "plugins"
        self.plugins.mkdir()
        subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o",
                        self.plugins / "iam_stand_in.so", ROOT / "tests/support/iam_plugin.c"], check=True)
        self.ca, key = certificate(self.folder)
        self._extra += [f"--plugin-dir={self.plugins}", "--plugin-load-add=iam_stand_in", f"--ssl-cert={self.ca}", f"--ssl-key={key}"]
        self._keys, self._region = keys, region
        self.verifier = None

    def start(self, extra=()):
        super().start(extra)
        self.verifier = self.verifier or Verifier(self.folder / "iam", f"127.0.0.1:{self.port}", self._region, self._keys)
        return self

    def add_account(self, name, *grants):
        self.sql(f"CREATE USER `{name}`@'%%' IDENTIFIED VIA iam_stand_in USING %s REQUIRE SSL", (str(self.folder / "iam"),))
        for grant in grants:
            self.sql(f"GRANT {grant} TO `{name}`@'%%'".replace("%%", "%"))

    def close(self):
        if self.verifier:
            self.verifier.close()
            self.verifier = None
        super().close()
        if os.path.exists(self.folder / "iam"):
            os.unlink(self.folder / "iam")
