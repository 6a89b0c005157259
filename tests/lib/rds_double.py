"""
A fake RDS, because AWS's control plane cannot run here. What it controls is real: an instance is a mariadbd process, a snapshot a copy of
its data, a restored instance a server on that copy with an endpoint to connect to (rds_data.py). It speaks the Query protocol by botocore's
data model (rds_model.py), has botocore check the signatures (rds_signature.py), and walks through the states that AWS documents, only
faster. tests/e2e/test_rds_double.py drives it with Debian's own aws.

Every identifier has an address in 127.0.0.0/8 that stays with the name, as a DNS name would: after a rename, whoever connects to the old
name's address finds the instance that bears the name now.
"""

import datetime
import email.utils
import http.server
import itertools
import secrets
import socket
import struct
import threading
import traceback

from . import process
from .daemon import PrivateFolder, free_ports
from .rds_clusters import ClusterActions
from .rds_engine import Engine, States
from .rds_faults import RdsPlan
from .rds_instances import InstanceActions
from .rds_model import Model, RdsError
from .rds_signature import Key, check
from .rds_snapshots import SnapshotActions
from .rds_things import REGION, default_groups, family, now
from .s3 import clear_environment

clear_environment()
SERVICE = "rds"


class Gone(Exception):
    """The connection ends here."""


class Request:
    """One that came: op (the action), parameters, error (the code that was answered, or None)."""

    def __init__(self, body, headers):
        self.body, self.headers, self.op, self.parameters, self.error, self.fault = body, headers, None, {}, None, None

    def __str__(self):
        return f"{self.op} {self.parameters} -> {self.error or 'done'}{' (' + self.fault.name + ')' if self.fault else ''}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    timeout = 300

    def setup(self):
        self.double = self.server.double
        self.double.open_sockets.add(self.request)
        super().setup()

    def finish(self):
        self.double.open_sockets.discard(self.request)
        try:
            super().finish()
        except OSError:
            pass

    def handle(self):
        try:
            super().handle()
        except (Gone, OSError, ValueError):  # ValueError: closed in close()
            self.close_connection = True

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.format_datetime(now() + self.double.clock_offset, usegmt=True)

    def do_POST(self):
        request = Request(self.rfile.read(int(self.headers.get("Content-Length", 0))), self.headers.items())
        self.double.note(request)
        fault, (hold, after) = self.double.plan.take(request)
        request.fault = fault
        if fault and fault.place == "headers":
            self._reset()
        if hold and not after:
            hold.arrive()
        status, body = self._answer(request, fault)
        if hold and after:
            hold.arrive()
        if fault and fault.place == "done":
            self._reset()
        self._send(status, body, fault)

    def _reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone

    def _answer(self, request, fault):
        request_id = secrets.token_hex(16)
        try:
            if fault and fault.place == "request":
                raise RdsError(*fault.effect[1:])
            url = f"http://{self.headers['Host']}{self.path}"
            return 200, self.double.run(request, self.command, url, request_id)
        except RdsError as e:
            request.error = e.code
            return e.status, self.double.model.error(e, request_id)
        except Exception:
            request.error = "InternalFailure"
            self.double.problems.append(traceback.format_exc())
            return 501, self.double.model.error(RdsError(501, "DoubleIsBroken", traceback.format_exc()), request_id)

    def _send(self, status, body, fault):
        effect = fault.effect[0] if fault else None
        if effect == "text":
            body = b"this is no XML"
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if effect == "cut":
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
            self._reset()
        self.wfile.write(body)
        self.wfile.flush()


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass  # a client that went away

    def shutdown_request(self, request):
        self.close_request(request)  # no shutdown() first: an RST shall stay one


class RdsDouble(InstanceActions, SnapshotActions, ClusterActions):
    """
    with RdsDouble() as rds:
        prod = rds.create_instance("prod")            # or by any client, with rds.env()
        prod.server.sql("...")                        # the real server behind it
        rds.plan.inject("throttled", op="DescribeDBInstances", times=3)
        rds.states.hold("creating")                   # nothing gets out of this state until rds.states.release("creating")
        rds.fail_next("restore", "incompatible-restore")
        rds.instances["prod"].shown = ["modifying", "available"]   # statuses of the next answers while it is available

    settings of the instances: rds.instances[name].settings; what restores asked for: rds.restores; requests: rds.log().
    """

    def __init__(self):
        self.model, self.plan, self.states, self.engine = Model(), RdsPlan(), States(), Engine()
        self.lock = threading.RLock()
        self.region, self.clock_offset, self.page_size = REGION, datetime.timedelta(), None
        self.began = now()
        self.problems, self.requests, self.restores, self._failures = [], [], [], {}
        self.instances, self.snapshots, self.clusters, self.cluster_snapshots = {}, {}, {}, {}
        self.unseen_looks = 0  # that do not find what a request has just begun
        self.comes_up = {}  # resource -> the status it ends in after a rename, instead of "available"
        self.quota = {"instances": 40, "snapshots": 100}
        # name -> the family of an engine's major version that it is for; there is a default one of each
        self.parameter_groups, self.cluster_parameter_groups, self.option_groups = {}, {}, {}
        self.subnet_groups = {"default"}
        self._private = PrivateFolder()
        self._folders = itertools.count()
        self.addresses, self._address_numbers = {}, itertools.count(1)
        self._network = f"127.{64 + secrets.randbelow(128)}.{secrets.randbelow(256)}"
        self.default_port, = free_ports(1)
        self.keys = {}
        self.key = self.issue_key()
        self.open_sockets = set()
        self._listener = Listener(("127.0.0.1", 0), Handler)
        self._listener.double = self
        self.endpoint = f"http://127.0.0.1:{self._listener.server_address[1]}"
        self.engine.start()
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()

    # ---- requests

    def note(self, request):
        try:
            request.op, request.parameters = self.model.request(request.body)
        except (RdsError, ValueError):
            pass  # it is told when it is run
        with self.lock:
            self.requests.append(request)

    def run(self, request, method, url, request_id):
        with self.lock:
            check(method, url, request.headers, request.body, self.keys, self.region, SERVICE, now() + self.clock_offset)
            action, parameters = self.model.request(request.body)
            do = getattr(self, f"do_{action}", None)
            if do is None:
                raise RdsError(400, "InvalidAction", f"the double does not have {action}")
            return self.model.answer(action, do(parameters), request_id)

    def filtered(self, found, p, filters):
        """The things whose values have one that each Filter names."""
        for f in p.get("Filters", []):
            if f["Name"] not in filters:
                raise RdsError(400, "InvalidParameterValue", f"Unrecognized filter name: {f['Name']}")
            found = [x for x in found if set(filters[f["Name"]](x)) & set(f["Values"])]
        return found

    def page(self, name, found, p):
        size = p.get("MaxRecords", 100)
        if not 20 <= size <= 100:
            raise RdsError(400, "InvalidParameterValue", f"Invalid value {size} for MaxRecords. Must be between 20 and 100")
        start, size = int(p.get("Marker", 0)), self.page_size or size
        answer = {name: [x.describe() for x in found[start:start + size]]}
        if start + size < len(found):
            answer["Marker"] = str(start + size)
        return answer

    def begun(self, where, made):
        """Adds what a request begins."""
        made.unseen = self.unseen_looks
        where[made.id] = made
        return made

    def check_group(self, p, parameter, known, fault, engine, version):
        """A group that is named must be there, and for this major version of the engine."""
        name, needed = p.get(parameter), family(engine, version)
        if name is None:
            return
        default = {default_groups(engine, version).get(parameter), f"default.{needed}"}
        found = known.get(name, needed if name in default else None)
        if found is None and not name.startswith("default"):
            raise self.model.fault(fault, f"{parameter} {name} not found.")
        if found != needed:
            raise RdsError(400, "InvalidParameterCombination", f"The group {name} ({parameter}) is for the family {found or name}: it can't be used "
                           f"for this instance, which needs one of {needed}")

    # ---- addresses, folders, failures

    def new_address(self):
        return f"{self._network}.{next(self._address_numbers)}"

    def address_of(self, kind, name):
        """Where the instance ("db") or cluster of that name answers, now or in the future."""
        with self.lock:
            if (kind, name) not in self.addresses:
                self.addresses[kind, name] = self.new_address()
            return self.addresses[kind, name]

    def new_folder(self):
        return self._private.path / f"volume-{next(self._folders)}"

    def fail_next(self, what, status):
        """The next "snapshot" or "restore" ends in that status."""
        self._failures[what] = status

    def next_failure(self, what):
        return self._failures.pop(what, None)

    # ---- for tests

    def issue_key(self, temporary=False, expires=None):
        """A new key that may sign."""
        key = Key(("ASIA" if temporary else "AKIA") + secrets.token_hex(8).upper(), f"harness/rds+secret={secrets.token_hex(12)}",
                  secrets.token_hex(40) if temporary else None, expires)
        process.SECRETS.update({key.secret_key, *([key.token] if key.token else [])})
        self.keys[key.access_key] = key
        return key

    def env(self, key=None):
        """The environment in which dbsafe and aws find the double; nothing else of AWS."""
        key = key or self.key
        return {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": key.secret_key, "AWS_REGION": self.region,
                "AWS_DEFAULT_REGION": self.region, "AWS_ENDPOINT_URL_RDS": self.endpoint, "AWS_EC2_METADATA_DISABLED": "true",
                **({"AWS_SESSION_TOKEN": key.token} if key.token else {})}

    def client(self, key=None):
        """botocore's client; it never retries."""
        import botocore.config
        import botocore.session
        key = key or self.key
        session = botocore.session.Session(profile=None)
        session.set_config_variable("config_file", "/dev/null")
        session.set_config_variable("credentials_file", "/dev/null")
        return session.create_client("rds", region_name=self.region, endpoint_url=self.endpoint, aws_access_key_id=key.access_key,
                                     aws_secret_access_key=key.secret_key, aws_session_token=key.token,
                                     config=botocore.config.Config(retries={"max_attempts": 0}, proxies={}))

    def aws(self, *args, check=0, **options):
        """Debian's aws (/usr/bin/aws): aws("describe-db-instances")."""
        argv = ["/usr/bin/aws", "--endpoint-url", self.endpoint, "--output", "json", "rds", *args]
        return process.expect(process.run(argv, env=process.client_env("/nonexistent", self.env()), **options), check)

    def log(self, *ops):
        with self.lock:
            return [r for r in self.requests if not ops or r.op in ops]

    def trace(self):
        return "\n".join(map(str, self.log()))

    def create_instance(self, name, password="harness-rds-master-pw-7Hq", database=None, **settings):
        """An instance made without a request, once it is available."""
        return self._wait(self._directly("CreateDBInstance", {
            "DBInstanceIdentifier": name, "Engine": "mariadb", "DBInstanceClass": "db.t3.medium", "AllocatedStorage": 20,
            "MasterUsername": "admin", "MasterUserPassword": password, **({"DBName": database} if database else {}), **settings}, self.instances))

    def create_cluster(self, name, members=1, password="harness-rds-master-pw-7Hq", **settings):
        """A cluster with members name-instance-1 and so on."""
        cluster = self._wait(self._directly("CreateDBCluster", {
            "DBClusterIdentifier": name, "Engine": "aurora-mysql", "MasterUsername": "admin", "MasterUserPassword": password, **settings}, self.clusters))
        for i in range(members):
            self._wait(self._directly("CreateDBInstance", {
                "DBInstanceIdentifier": f"{name}-instance-{i + 1}", "DBClusterIdentifier": name, "Engine": "aurora-mysql",
                "DBInstanceClass": "db.r6g.large"}, self.instances))
        return cluster

    def _directly(self, action, p, where):
        with self.lock:
            before = set(where)
            getattr(self, f"do_{action}")(p)
            name, = set(where) - before
            self.restores.clear()
            where[name].unseen = 0
            return where[name]

    def _wait(self, thing):
        from .case import wait_until
        wait_until(lambda: thing.status == "available" or self.all_problems(), 60, f"{thing.id}: available")
        if self.all_problems():
            raise AssertionError("\n".join(self.all_problems()))
        return thing

    def wait_idle(self):
        """Until nothing changes by itself any more."""
        from .case import wait_until
        wait_until(self.engine.idle, 60, "nothing going on")

    def all_problems(self):
        """What went wrong inside the double: must stay empty."""
        return self.problems + self.engine.problems

    def reset(self):
        """No faults, no holds, no memory of requests; what there is stays."""
        self.plan.clear()
        self.states.release_all()
        self.states.pace, self.states.delays = 0.03, {}
        self.page_size, self.clock_offset, self.unseen_looks = None, datetime.timedelta(), 0
        with self.lock:
            self.requests, self.restores, self._failures, self.comes_up = [], [], {}, {}

    def close(self):
        self.plan.clear()
        self.states.release_all()
        self.engine.end()
        self._listener.shutdown()
        self._listener.server_close()
        for opened in list(self.open_sockets):
            try:
                opened.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for host in {t.host for t in (*self.instances.values(), *self.clusters.values()) if t.host}:
            host.close()
        self._private.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
