#!/usr/bin/python3
"""
A FAKE of the parts of AWS that no real server here can play: EC2's and the containers' metadata services, STS, and HTTP
answers that go wrong on demand.  Signatures are checked by an implementation of its own.  Unit tests start it as a child
(tests/support/aws_stub.h); end-to-end tests may import Stub.

It listens on 127.0.0.1, prints its port, and takes commands on standard input, one a line; each is answered by a line.
It ends with its standard input.

    plan FAULT [ARGUMENTS]   the next request that has none yet meets this fault; see FAULTS below
    keys ACCESS SECRET [TOKEN]   keys that signatures are accepted of (further ones are added); without any nothing is checked
    expire TOKEN             requests with this session token are answered with ExpiredToken
    clock SECONDS            the server's clock is ahead of the real one by so much; a signature may differ by 900 s
    region NAME [STATUS]     signatures must be for this region, else AuthorizationHeaderMalformed (400) or a redirect (301)
    role NAME|-              of the EC2 instance;  -: none
    issue ACCESS SECRET TOKEN SECONDS   what metadata services and STS give next, and how long it is valid (0: for ever)
    imds on|off|v1           off: 404 for everything; v1: it knows no tokens
    container TOKEN          the Authorization header that the container endpoint demands
    identity TOKEN           the web identity token that STS accepts
    count [TEXT]             how many requests there were (whose "METHOD target" has TEXT)
    header NAME              that header of the last request, or "-"
    target                   the last request's target
    body                     the last request's body, percent-encoded
    connections              how many connections were accepted
    forget                   counts, plans, keys, clock, region and expired tokens as at the start
"""

import argparse
import datetime
import hashlib
import hmac
import http.server
import json
import socket
import ssl
import struct
import sys
import threading
import urllib.parse
from email.utils import formatdate

ISO = "%Y-%m-%dT%H:%M:%SZ"


def error_xml(code, message="", more=""):
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{more}'
            "<RequestId>REQ1</RequestId></Error>").encode()


def query_error_xml(code, message=""):
    return (f'<ErrorResponse xmlns="https://example.com/doc/"><Error><Type>Sender</Type><Code>{code}</Code>'
            f"<Message>{message}</Message></Error><RequestId>REQ2</RequestId></ErrorResponse>").encode()


class State:
    """What the commands set and the requests leave; under one lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.forget()
        self.role, self.imds, self.container, self.identity = "the-role", "on", None, None
        self.issued = ("ASIAISSUED", "issued-secret", "issued-token", 3600)
        self.connections = 0

    def forget(self):
        self.plans, self.requests, self.keys, self.expired = [], [], {}, set()
        self.clock, self.region, self.region_status = 0, None, 400

    def now(self):
        return datetime.datetime.utcnow() + datetime.timedelta(seconds=self.clock)


class Drop(Exception):
    """The connection ends here; reset: with a RST."""

    def __init__(self, reset=True):
        super().__init__()
        self.reset = reset


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def log_message(self, *args):
        pass

    def setup(self):
        super().setup()
        with self.state.lock:
            self.state.connections += 1

    @property
    def state(self):
        return self.server.state

    # ---- sending ----

    def reply(self, status, body=b"", headers=(), length=None, cut=None):
        self.send_response_only(status)
        self.send_header("Date", formatdate(self.state.now().replace(tzinfo=datetime.timezone.utc).timestamp(), usegmt=True))
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if cut is None else body[:cut])
        self.wfile.flush()

    def refuse(self, status, code, message="", more="", headers=()):
        if self.service == "sts":
            self.reply(status, query_error_xml(code, message), headers)
        else:
            self.reply(status, error_xml(code, message, more), headers)

    # ---- faults ----

    def fault_reset_before(self):
        raise Drop()

    def fault_reset_in(self):
        self.rfile.read(self.content_length // 2)
        raise Drop()

    def fault_reset_after(self):
        self.read_body()
        raise Drop()

    def fault_close(self):
        self.read_body()
        raise Drop(reset=False)

    def fault_reset_answer(self):
        """In the middle of the answer's body."""
        self.read_body()
        self.reply(200, b"x" * 1000, length=2000)
        raise Drop()

    def fault_truncated(self):
        self.read_body()
        body = self.answer_bytes()
        self.reply(200, body, cut=len(body) // 2)
        raise Drop(reset=False)

    def fault_short(self):
        """A whole answer, but of fewer bytes than were asked for."""
        self.read_body()
        self.reply(206, self.answer_bytes()[:-1])

    def fault_long(self):
        self.read_body()
        self.reply(200, self.answer_bytes() + b"more")

    def fault_stall(self):
        """Takes everything and says nothing, until the client goes."""
        self.read_body()
        self.connection.recv(1)
        raise Drop(reset=False)

    def fault_stall_answer(self):
        self.read_body()
        self.reply(200, b"x" * 1000, length=2000)
        self.connection.recv(1)
        raise Drop(reset=False)

    def fault_garbage(self):
        self.read_body()
        self.reply(200, b"<not <xml")

    def fault_garbage_http(self):
        self.read_body()
        self.wfile.write(b"SSH-2.0-not a web server\r\n\r\n")
        self.wfile.flush()
        raise Drop(reset=False)

    def fault_error(self, status, code, *headers):
        """An error document; further words are NAME=VALUE headers."""
        self.read_body()
        self.refuse(int(status), code, f"the words for {code}", headers=[h.split("=", 1) for h in headers])

    def fault_status(self, status, *headers):
        """Without a body."""
        self.read_body()
        self.reply(int(status), b"", [h.split("=", 1) for h in headers])

    def fault_html(self, status):
        self.read_body()
        self.reply(int(status), b"<html><body><p>Bad gateway<br></body></html>", [("Content-Type", "text/html")])

    def fault_headers(self, count):
        self.read_body()
        self.reply(200, b"", [(f"X-Header-{i}", "x") for i in range(int(count))])

    def fault_error200(self, code):
        """White space that kept the connection open, then an error after all."""
        self.read_body()
        self.reply(200, b"\n  \n" + error_xml(code, "the words"))

    FAULTS = {name[len("fault_"):].replace("_", "-"): name for name in dir() if name.startswith("fault_")}

    # ---- requests ----

    def read_body(self):
        if self.request_body is None:
            self.request_body = self.rfile.read(self.content_length)
            with self.state.lock:
                self.note["body"] = self.request_body
        return self.request_body

    def answer_bytes(self):
        """The body of an ordinary answer: of /bytes/N so many, reproducible; a range of them when asked."""
        if not self.path.startswith("/bytes/"):
            return b"<Answer><Hello>world</Hello></Answer>"
        count = int(self.path.split("?")[0].rsplit("/", 1)[1])
        data = bytes(i * 7 % 251 for i in range(min(count, 251))) * (count // 251 + 1)
        asked = self.headers.get("Range")
        if asked:
            first, last = asked.split("=")[1].split("-")
            return data[:count][int(first):int(last) + 1]
        return data[:count]

    def handle_any(self):
        self.request_body = None
        self.content_length = int(self.headers.get("Content-Length") or 0)
        self.note = {"what": f"{self.command} {self.path}", "target": self.path, "headers": self.headers, "body": b""}
        scope = (self.headers.get("Authorization") or "").partition("Credential=")[2].split(",")[0].split("/")
        self.service = scope[3] if len(scope) == 5 else "sts" if self.command == "POST" and self.path == "/" else "s3"
        with self.state.lock:
            self.state.requests.append(self.note)
            plan = self.state.plans.pop(0) if self.state.plans else None
        try:
            if plan and plan[0] != "ok":
                getattr(self, self.FAULTS[plan[0]])(*plan[1:])
            else:
                self.read_body()
                self.ordinary()
        except Drop as drop:
            self.close_connection = True
            if drop.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

    def ordinary(self):
        if self.path.startswith("/latest/"):
            self.ec2()
        elif self.path.startswith("/container/"):
            self.container_endpoint()
        elif self.check_signature():
            if self.service == "sts":
                self.sts()
            else:
                self.reply(206 if self.headers.get("Range") else 200, self.answer_bytes(),
                           [("ETag", f'"{hashlib.md5(self.request_body).hexdigest()}"'),
                            ("X-Body-Sha256", hashlib.sha256(self.request_body).hexdigest())])

    # ---- signatures ----

    def canonical(self, signed):
        def encode(text, safe):
            return urllib.parse.quote(urllib.parse.unquote_to_bytes(text), safe=safe)
        path, _, query = self.path.partition("?")
        pairs = sorted((encode(k, "-._~"), encode(v, "-._~")) for k, _, v in
                       (pair.partition("=") for pair in query.split("&") if pair))
        canonical_path = path if self.service == "s3" else urllib.parse.quote(path, safe="/-._~")
        lines = [self.command, canonical_path, "&".join(f"{k}={v}" for k, v in pairs)]
        lines += [f"{name}:{' '.join((self.headers.get(name) or '').split())}" for name in signed] + ["", ";".join(signed)]
        payload = self.headers.get("x-amz-content-sha256") or hashlib.sha256(self.request_body).hexdigest()
        return "\n".join(lines + [payload]).encode("utf-8", "surrogateescape")

    def check_signature(self):
        """True, or an answer that says why not."""
        state, authorization = self.state, self.headers.get("Authorization")
        payload = self.headers.get("x-amz-content-sha256")
        if authorization is None:
            return True if not state.keys or "AssumeRoleWithWebIdentity" in self.request_body.decode("latin-1") else \
                self.refuse(403, "AccessDenied", "not signed")
        if payload and payload != "UNSIGNED-PAYLOAD" and payload != hashlib.sha256(self.request_body).hexdigest():
            return self.refuse(400, "XAmzContentSHA256Mismatch")
        fields = dict(part.strip().split("=", 1) for part in authorization[len("AWS4-HMAC-SHA256"):].split(","))
        access, date, region, service, _ = fields["Credential"].split("/")
        token = self.headers.get("x-amz-security-token")
        if token in state.expired:
            return self.refuse(400, "ExpiredToken", "The provided token has expired.")
        when = datetime.datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        if abs((when - state.now()).total_seconds()) > 900:
            if service != "s3":
                return self.refuse(403, "SignatureDoesNotMatch", "Signature expired")
            return self.refuse(403, "RequestTimeTooSkewed", "too far", f"<ServerTime>{state.now().strftime(ISO)}</ServerTime>")
        if state.region and region != state.region:
            if state.region_status == 301:
                return self.refuse(301, "PermanentRedirect", "elsewhere", headers=[("x-amz-bucket-region", state.region)])
            return self.refuse(400, "AuthorizationHeaderMalformed", "wrong region", f"<Region>{state.region}</Region>")
        if not state.keys:
            return True
        if access not in state.keys:
            return self.refuse(403, "InvalidClientTokenId" if service == "sts" else "InvalidAccessKeyId", "no such key")
        secret, wanted_token = state.keys[access]
        if wanted_token != token:
            return self.refuse(403, "InvalidToken", "another token")
        key = ("AWS4" + secret).encode()
        for step in (date, region, service, "aws4_request"):
            key = hmac.new(key, step.encode(), hashlib.sha256).digest()
        digest = hashlib.sha256(self.canonical(fields["SignedHeaders"].split(";"))).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self.headers['x-amz-date']}\n{date}/{region}/{service}/aws4_request\n{digest}"
        if hmac.new(key, text.encode(), hashlib.sha256).hexdigest() != fields["Signature"]:
            return self.refuse(403, "SignatureDoesNotMatch", "The request signature we calculated does not match")
        return True

    # ---- services that give keys ----

    def issue(self):
        access, secret, token, seconds = self.state.issued
        expires = (self.state.now() + datetime.timedelta(seconds=seconds)).strftime(ISO) if seconds else None
        return access, secret, token, expires

    def json_keys(self):
        access, secret, token, expires = self.issue()
        keys = {"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": access, "SecretAccessKey": secret, "Token": token}
        if expires:
            keys["Expiration"] = expires
        self.reply(200, json.dumps(keys).encode(), [("Content-Type", "application/json")])

    def ec2(self):
        state, base = self.state, "/latest/meta-data/"
        if state.imds == "off" or (state.imds == "v1" and self.path == "/latest/api/token"):
            return self.reply(404)
        if self.path == "/latest/api/token":
            if self.command != "PUT" or self.headers.get("x-aws-ec2-metadata-token-ttl-seconds") != "21600":
                return self.reply(400)
            return self.reply(200, b"imds-session-token")
        if state.imds == "on" and self.headers.get("x-aws-ec2-metadata-token") != "imds-session-token":
            return self.reply(401)
        if self.path == base + "placement/region":
            return self.reply(200, b"eu-north-1")
        if state.role and self.path == base + "iam/security-credentials/":
            return self.reply(200, state.role.encode())
        if state.role and self.path == base + f"iam/security-credentials/{state.role}":
            return self.json_keys()
        return self.reply(404, b"<html>not found</html>")

    def container_endpoint(self):
        if self.state.container is not None and self.headers.get("Authorization") != self.state.container:
            return self.reply(401, b'{"message": "not you"}')
        return self.json_keys()

    def sts(self):
        form = dict(urllib.parse.parse_qsl(self.request_body.decode(), keep_blank_values=True))
        action = form.get("Action")
        if form.get("Version") != "2011-06-15" or action not in ("AssumeRole", "AssumeRoleWithWebIdentity"):
            return self.refuse(400, "InvalidAction", "unknown")
        if "denied" in form["RoleArn"]:
            return self.refuse(403, "AccessDenied", f"not authorized to assume {form['RoleArn']}")
        if action == "AssumeRoleWithWebIdentity" and form.get("WebIdentityToken") != self.state.identity:
            return self.refuse(400, "InvalidIdentityToken", "not a token of ours")
        access, secret, token, expires = self.issue()
        self.reply(200, f"""<{action}Response xmlns="https://sts.example.com/doc/2011-06-15/"><{action}Result>
<AssumedRoleUser><Arn>{form['RoleArn']}/{form['RoleSessionName']}</Arn></AssumedRoleUser><Credentials>
<AccessKeyId>{access}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>
<Expiration>{expires}</Expiration></Credentials></{action}Result></{action}Response>""".encode())


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    tls = None

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            super().handle_error(request, client_address)

    def finish_request(self, request, client_address):
        # In the connection's own thread: a client that breaks off the handshake stops nobody.
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)


class Stub:
    """The server in threads of this process; with tls=(certificate, key) files over TLS."""

    def __init__(self, tls=None):
        self.state = State()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.state = self.state
        if tls:
            self.server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.server.tls.load_cert_chain(*tls)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def command(self, line):
        """Does what a line says; gives the answer."""
        verb, *words = line.split(" ")
        s = self.state
        with s.lock:
            last = s.requests[-1] if s.requests else {"headers": {}, "target": "-", "body": b""}
            if verb == "plan" and words[0] in (*Handler.FAULTS, "ok"):
                s.plans.append(words)
            elif verb == "keys":
                s.keys[words[0]] = (words[1], words[2] if len(words) > 2 else None)
            elif verb == "expire":
                s.expired.add(words[0])
            elif verb == "clock":
                s.clock = int(words[0])
            elif verb == "region":
                s.region, s.region_status = words[0], int(words[1]) if len(words) > 1 else 400
            elif verb == "role":
                s.role = None if words[0] == "-" else words[0]
            elif verb == "issue":
                s.issued = (*words[:3], int(words[3]))
            elif verb in ("imds", "container", "identity"):
                setattr(s, verb, words[0])
            elif verb == "count":
                return str(sum(1 for r in s.requests if " ".join(words) in r["what"]))
            elif verb == "header":
                return last["headers"].get(words[0]) or "-"
            elif verb == "target":
                return last["target"]
            elif verb == "body":
                return urllib.parse.quote(last["body"], safe="")
            elif verb == "connections":
                return str(s.connections)
            elif verb == "forget":
                s.forget()
            else:
                return f"unknown: {line}"
        return "ok"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    stub = Stub(parser.parse_args().tls)
    print(stub.port, flush=True)
    for line in sys.stdin:
        print(stub.command(line.rstrip("\n")), flush=True)


if __name__ == "__main__":
    main()
