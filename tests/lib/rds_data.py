"""
What is real in the RDS double: a host is a mariadbd process on an address of its own, a volume is a copy of its data folder.

A copy is taken as EBS takes a snapshot: of one moment, without asking the server. The process is stopped (SIGSTOP; it does its writes
itself, none is under way once all of its threads stand still), the files are copied, and it goes on. What starts on the copy recovers as
after a power cut: every transaction that was committed is there, the binlog included.
"""

import os
import shutil
import signal
import subprocess
import threading

from . import process
from .server import Server

OPTIONS = ["--innodb-use-native-aio=0", "--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=1", "--server-id=1",
           "--binlog-format=MIXED"]
# What RDS gives its master user: no SUPER, no FILE.
MASTER_GRANTS = ("SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, "
                 "CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, BINLOG MONITOR, CREATE VIEW, SHOW VIEW, "
                 "CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER, DELETE HISTORY")


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--archive", "--reflink=auto", source, target], check=True)


class Volume:
    """A data folder that nobody runs on; binlog_end: (file, size) of the last binlog in it, where replaying may go on."""

    def __init__(self, folder):
        self.folder = folder

    @property
    def binlog_end(self):
        last = max(self.folder.glob("binlog.0*"), default=None)
        return (last.name, last.stat().st_size) if last else None

    def copy_to(self, folder):
        copy(self.folder, folder)
        return Volume(folder)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Host:
    """
    A server for one instance, or for all members of a cluster. All methods but close belong to the thread that made it, which outlives it.
    """

    def __init__(self, volume=None, binlog=True):
        self.server = Server(tcp=True, keeper=threading.current_thread())
        if volume is not None:
            copy(volume.folder, self.server.data)
        self.binlog, self.addresses = binlog, ()

    def start(self, addresses, port):
        """addresses: of 127.0.0.0/8, all of which are this machine's own."""
        self.addresses, self.server.port = tuple(addresses), port
        options = [*OPTIONS, f"--bind-address={','.join(addresses)}"]
        if self.binlog:
            options.append("--log-bin=binlog")  # inside the data folder: a copy without it would lose what only the binlog knows
        self.server.start(extra=options)

    def move(self, addresses, port):
        """What a rename does: the same data answers elsewhere after a restart."""
        self.server.stop()
        self.start(addresses, port)

    def restart(self):
        self.move(self.addresses, self.server.port)

    def running(self):
        return self.server.running()

    def make_master(self, name, password, database=None):
        process.SECRETS.add(password)
        self.server.sql(f"CREATE USER `{name}`@'%%' IDENTIFIED BY %s", (password,))
        self.server.sql(f"GRANT {MASTER_GRANTS} ON *.* TO `{name}`@'%' WITH GRANT OPTION")
        if database:
            self.server.sql(f"CREATE DATABASE `{database}`")

    def set_password(self, name, password):
        process.SECRETS.add(password)
        self.server.sql(f"ALTER USER `{name}`@'%%' IDENTIFIED BY %s", (password,))

    def copy_to(self, folder):
        """A Volume with the data of this moment."""
        if not self.server.running():
            copy(self.server.data, folder)
            return Volume(folder)
        pid = self.server.process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            copy(self.server.data, folder)
        finally:
            os.kill(pid, signal.SIGCONT)
        return Volume(folder)

    def replay(self, source, start, until):
        """Runs what the binlogs of the volume source hold from start, (file, position), to until (datetime), on this server."""
        first, position = start
        files = sorted(f for f in source.folder.glob("binlog.0*") if f.name >= first)
        argv = ["mariadb-binlog", f"--start-position={position}", f"--stop-datetime={until:%Y-%m-%d %H:%M:%S}", *files]
        found = process.run(argv, env=process.client_env("/", {"TZ": "UTC"}), binary=True)
        process.expect(found, 0)
        self.server.client("--binary-mode", input=found.out)

    def close(self):
        self.server.close()
