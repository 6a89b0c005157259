"""
A private OpenStack Swift that speaks S3 (s3api), the second real server, for `--full`. It is stricter where Ceph is lax: region, order
of parts, `If-None-Match` on CompleteMultipartUpload, unknown uploads. It has no object lock, no encryption, no tags (501), and answers
501 to `If-None-Match` on PUT. Its file system must have user xattrs (ext4, xfs, tmpfs since Linux 6.6).
"""

import atexit
import os
import pwd
import subprocess
import urllib.request

from . import process
from .daemon import Daemon, PrivateFolder, answers, free_ports
from .s3 import Account, S3Service

HASH = """
[swift-hash]
swift_hash_path_suffix = harness
swift_hash_path_prefix = harness
[storage-policy:0]
name = Policy-0
default = yes
"""

BACKEND = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
swift_dir = {folder}/etc
devices = {folder}/srv
mount_check = false
workers = 0
log_level = WARNING
log_statsd_host =
fallocate_reserve = 0
disable_fallocate = true
[pipeline:main]
pipeline = healthcheck {kind}-server
[filter:healthcheck]
use = egg:swift#healthcheck
[app:{kind}-server]
use = egg:swift#{kind}
"""

FILTERS = "catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink".split()
PROXY = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
swift_dir = {folder}/etc
workers = 0
log_level = WARNING
client_timeout = 60
[pipeline:main]
pipeline = {pipeline} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
"""
SETTINGS = {
    "cache": "memcache_servers = 127.0.0.1:{memcached}",
    "s3api": "location = {region}\ns3_acl = false\nstorage_domain = localhost\nmax_upload_part_num = 10000\n"
             "min_segment_size = 5242880\nallow_multipart_uploads = true\ncheck_bucket_owner = false",
    "tempauth": "user_harness_harness = {secret} .admin .reseller_admin\nuser_other_other = {other_secret} .admin",
    "slo": "max_manifest_segments = 10000",
    "versioned_writes": "allow_versioned_writes = true\nallow_object_versioning = true",
}
EGGS = {"cache": "memcache"}

RINGS = """
import os, sys
from swift.common.ring import RingBuilder
for argument in sys.argv[2:]:
    kind, port = argument.split("=")
    builder = RingBuilder(4, 1, 1)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "replication_ip": "127.0.0.1",
                     "replication_port": int(port), "device": "d1", "weight": 1.0, "meta": ""})
    builder.rebalance()
    builder.get_ring().save(os.path.join(sys.argv[1], kind + ".ring.gz"))
"""


class Swift(S3Service):
    """Used like RadosGateway. The access keys have a colon; that is how tempauth wants them."""

    def __init__(self):
        self._private = PrivateFolder()
        self.folder = self._private.path
        self.account = Account("harness:harness", "harness-swift-secret-Zt5n")
        self.other = Account("other:other", "harness-swift-secret-Qw7b")
        self._daemons = []
        self._env = process.client_env(self.folder)
        atexit.register(self.close)

    def start(self):
        etc = self.folder / "etc"
        for name in ("etc", "log", "srv/d1", "cache"):
            (self.folder / name).mkdir(parents=True)
        user = pwd.getpwuid(os.getuid()).pw_name
        self.port, memcached, *backends = free_ports(5)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        ports = dict(zip(("account", "container", "object"), backends))
        (etc / "swift.conf").write_text(HASH)
        for kind, port in ports.items():
            (etc / f"{kind}.conf").write_text(BACKEND.format(kind=kind, port=port, user=user, folder=self.folder))
        values = {"region": self.region, "memcached": memcached, "secret": self.account.secret_key,
                  "other_secret": self.other.secret_key}
        text = PROXY.format(port=self.port, user=user, folder=self.folder, pipeline=" ".join(FILTERS))
        for name in FILTERS:
            text += f"[filter:{name}]\nuse = egg:swift#{EGGS.get(name, name)}\n{SETTINGS.get(name, '').format(**values)}\n"
        (etc / "proxy.conf").write_text(text)
        subprocess.run(["/usr/bin/python3", "-c", RINGS, etc, *(f"{k}={p}" for k, p in ports.items())], env=self._env, check=True,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self._start("memcached", ["/usr/bin/memcached", "-l", "127.0.0.1", "-p", memcached, "-U", "0", "-m", "64", "-u", user])
        for kind in (*ports, "proxy"):
            self._start(kind, ["/usr/bin/python3", f"/usr/bin/swift-{kind}-server", etc / f"{kind}.conf", "-v"])
        for daemon, port in zip(self._daemons, (memcached, *backends, self.port)):
            daemon.wait_until(lambda p=port: answers(p) if p == memcached else self._healthy(p))
        return self

    def _start(self, name, argv):
        self._daemons.append(Daemon(f"swift {name}", argv, self.folder / "log" / name, self._env))

    @staticmethod
    def _healthy(port):
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"http://127.0.0.1:{port}/healthcheck", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def close(self):
        for daemon in reversed(self._daemons):
            daemon.kill()
        self._daemons = []
        atexit.unregister(self.close)
        self._private.close()

    def __enter__(self):
        return self if self._daemons else self.start()

    def __exit__(self, *_):
        self.close()
