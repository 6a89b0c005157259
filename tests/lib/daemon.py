"""What private servers are made of: a folder of their own, processes that die with the test, free ports."""

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from . import process
from .paths import TMP

PREFIX = "dbsafe-test-"


class PrivateFolder:
    """A new folder in TMP, locked as long as this lives; close() removes it (kept with DBSAFE_KEEP=1)."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=TMP))
        self._lock = open(self.path / "lock", "w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self):
        if self._lock.closed:
            return
        self._lock.close()
        if os.environ.get("DBSAFE_KEEP") != "1":
            shutil.rmtree(self.path, ignore_errors=True)


def sweep():
    """Removes folders of test runs that were killed. Those in use are locked; very young ones may be about to be."""
    for folder in TMP.glob(PREFIX + "*"):
        try:
            if time.time() - folder.stat().st_mtime < 3600 or folder.stat().st_uid != os.getuid():
                continue
            with open(folder / "lock", "a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue


class Daemon:
    """A process in the foreground of nobody: its output goes to a log, and it is killed when the test ends, however that ends."""

    def __init__(self, name, argv, log, env=None, cwd="/"):
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(f"{name}: only the main thread may start it, because it dies with the thread that did")
        self.name, self.log = name, Path(log)
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, argv)], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, cwd=cwd, env=env, start_new_session=True)
        self.pid = self.process.pid

    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.running():
            self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def log_tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_until(self, condition, timeout=60, what="its start"):
        """Polls condition while the process lives; raises with its log when it ended or the time is over."""
        end = time.monotonic() + timeout * process.SLOWER
        while not condition():
            if not self.running():
                raise RuntimeError(f"{self.name} ended with {self.process.returncode} before {what}:\n{self.log_tail()}")
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name}: {what} not within {timeout} s:\n{self.log_tail()}")
            time.sleep(0.01)


def free_ports(count):
    """Ports on 127.0.0.1 below those that the kernel gives to outgoing connections, free when this looked."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found, choose = [], random.SystemRandom()
    while len(found) < count:
        port = choose.randrange(min(15000, first - 2000), first)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def answers(port):
    """Whether something listens on that port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
