"""
A private Ceph RADOS gateway: a real S3 server, strict about signatures, digests and rights. One monitor, one OSD and one gateway
on 127.0.0.1, all below one folder; no manager, no cephx; root or an ordinary user. It is there after about two seconds.

What it does not do: it ignores x-amz-checksum-*, the region, If-None-Match on CompleteMultipartUpload, lock headers and tags on
CreateMultipartUpload, and its errors have no message.
"""

import atexit
import json
import os
import subprocess
import uuid

from . import process
from .daemon import Daemon, PrivateFolder, answers, free_ports
from .s3 import S3Service, random_account

# Without `crc` the gateway waits for ever; the short proposal interval is what makes the start short.
CONFIG = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind port min = {osd_port}
ms bind port max = {osd_port_last}
ms bind msgr1 = false
ms mon client mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
auth cluster required = none
auth service required = none
auth client required = none
keyring = {folder}/keyring
run dir = {folder}/run
crash dir = {folder}/run
admin socket =
pid file =
log file = {folder}/log/$name.log
log to stderr = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0

[mon]
mon data = {folder}/mon
mon allow pool size one = true
mon max pg per osd = 10000
mon cluster log file = /dev/null
mon data avail crit = 1
mon data avail warn = 1
mon tick interval = 1
paxos propose interval = 0.05
paxos min wait = 0.01

[osd]
osd data = {folder}/osd
osd objectstore = {objectstore}
memstore device bytes = {bytes}
bluestore block size = {bytes}
osd memory target = 939524096
osd memory base = 268435456
osd memory cache min = 134217728
osd class load list = *
osd class default list = *

[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}{tls}
rgw thread pool size = 64
rgw dns name = localhost
rgw enable usage log = false
rgw gc obj min wait = 5
rgw gc processor period = 5
rgw gc processor max time = 5
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = test-key=YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=
{extra}
"""


class RadosGateway(S3Service):
    """
    with RadosGateway() as s3:
        bucket = s3.bucket()

    tls        also https, on .tls_endpoint, with a certificate of its own authority in .tls_ca
    bluestore  keep objects in a file instead of in memory (for many GB; six seconds to start)
    gateway    further lines for the gateway's section of the configuration, such as
               "rgw scheduler type = throttler\\nrgw max concurrent requests = 4"
    Only the main thread may start it, because it dies with the thread that did.
    """

    def __init__(self, tls=False, bluestore=False, gateway="", bytes=16 << 30):
        self._private = PrivateFolder()
        self.folder = self._private.path
        self._tls, self._bluestore, self._extra, self._bytes = tls, bluestore, gateway, bytes
        self.account, self.other = random_account("RGW"), random_account("OTH")
        self.tls_ca = self.tls_endpoint = None
        self._daemons = []
        self._env = process.client_env(self.folder)
        atexit.register(self.close)

    def start(self):
        self._configure()
        mon_env = self._env
        # memstore: what is deleted goes back to the system
        osd_env = {**self._env, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072"}
        self._run("monmaptool", "--create", "--clobber", "--fsid", self._fsid, "--addv", "a",
                  f"[v2:127.0.0.1:{self._mon_port}/0]", self.folder / "monmap")
        self._run("ceph-mon", "-c", self._conf, "-i", "a", "--mkfs", "--monmap", self.folder / "monmap")
        self._start("ceph-mon", ["-i", "a"], mon_env)
        if self._run("ceph", "-c", self._conf, "--connect-timeout", "30", "osd", "new", self._fsid).strip() != "0":
            raise RuntimeError("ceph osd new: the first OSD is not number 0")
        self._run("ceph-osd", "-c", self._conf, "-i", "0", "--mkfs", "--osd-uuid", self._fsid)
        osd = self._start("ceph-osd", ["-i", "0"], osd_env)
        log = self.folder / "log" / "osd.0.log"
        osd.wait_until(lambda: log.exists() and "state: booting -> active" in log.read_text(errors="replace"))
        for name, account in (("harness", self.account), ("other", self.other)):
            self.admin("user", "create", "--uid", name, "--display-name", name,
                        "--access-key", account.access_key, "--secret", account.secret_key)
        self._storage_classes()
        gateway = self._start("radosgw", ["-n", "client.rgw"], self._env)
        gateway.wait_until(lambda: answers(self.port))
        return self

    def _configure(self):
        self.port, tls_port, self._mon_port = free_ports(3)
        osd_port = free_ports(1)[0]
        tls = ""
        if self._tls:
            certificate, key = make_certificate(self.folder)
            tls = f" ssl_endpoint=127.0.0.1:{tls_port} ssl_certificate={certificate} ssl_private_key={key}"
            self.tls_ca, self.tls_endpoint = self.folder / "ca.pem", f"https://127.0.0.1:{tls_port}"
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._fsid = str(uuid.uuid4())
        self._conf = self.folder / "ceph.conf"
        for name in ("mon", "osd", "run", "log"):
            (self.folder / name).mkdir()
        (self.folder / "keyring").touch()
        self._conf.write_text(CONFIG.format(
            fsid=self._fsid, folder=self.folder, mon_port=self._mon_port, osd_port=osd_port, osd_port_last=osd_port + 200,
            objectstore="bluestore" if self._bluestore else "memstore", bytes=self._bytes, port=self.port, tls=tls,
            extra=self._extra))

    def _storage_classes(self):
        """STANDARD_IA and the region's name, which a fresh zone does not know."""
        group = json.loads(self.admin("zonegroup", "get"))
        group["api_name"] = self.region
        for target in group["placement_targets"]:
            target["storage_classes"] = ["STANDARD", "STANDARD_IA"]
        zone = json.loads(self.admin("zone", "get"))
        for pool in zone["placement_pools"]:
            classes = pool["val"]["storage_classes"]
            classes["STANDARD_IA"] = {"data_pool": classes["STANDARD"]["data_pool"]}
        self.admin("zonegroup", "set", "--rgw-zonegroup=default", input=json.dumps(group))
        self.admin("zone", "set", "--rgw-zone=default", input=json.dumps(zone))

    def _run(self, *argv, input=None):
        done = subprocess.run([str(a) for a in argv], env=self._env, cwd="/", input=input, stdin=None if input else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120 * process.SLOWER)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, argv[:6]))}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def admin(self, *args, input=None):
        return self._run("radosgw-admin", "-c", self._conf, *args, input=input)

    def _start(self, program, args, env):
        daemon = Daemon(program, [program, "-f", "-c", self._conf, *args], self.folder / "log" / f"{program}.out", env)
        self._daemons.append(daemon)
        return daemon

    def signal_gateway(self, number):
        """SIGSTOP makes it a server that accepts and says nothing."""
        self._daemons[-1].signal(number)

    def quota(self, size_bytes):
        """The first account may store so many bytes; then 403 QuotaExceeded."""
        self.admin("quota", "set", "--quota-scope=user", "--uid=harness", f"--max-size={size_bytes}")
        self.admin("quota", "enable" if size_bytes >= 0 else "disable", "--quota-scope=user", "--uid=harness")

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


def make_certificate(folder, names="DNS:localhost,DNS:*.localhost,IP:127.0.0.1"):
    """An authority (ca.pem) of our own and a certificate by it for these names: the paths of certificate and key."""
    def openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder)
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-days", "3650", "-subj", "/CN=dbsafe test authority", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *curve, "-subj", "/CN=dbsafe test server", "-keyout", "tls.key", "-out", "tls.csr")
    (folder / "tls.ext").write_text(f"subjectAltName={names}\n")
    openssl("x509", "-req", "-in", "tls.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650",
            "-extfile", "tls.ext", "-out", "tls.crt")
    os.chmod(folder / "tls.key", 0o600)
    return folder / "tls.crt", folder / "tls.key"
