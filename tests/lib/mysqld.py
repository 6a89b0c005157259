"""A private server of the program that DBSAFE_MYSQLD names: MySQL, or MariaDB to try the tests themselves."""

import os
import re
import shutil
import socket
import subprocess
import threading

import pymysql

from . import process
from .server import ROOT_PASSWORD, Server

PROGRAM = os.environ.get("DBSAFE_MYSQLD")


def version():
    """(text, is it MariaDB, (major, minor, patch))"""
    text = subprocess.run([PROGRAM, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    number = re.search(r"Ver (\d+)\.(\d+)\.(\d+)", text)
    return text.strip(), "MariaDB" in text, tuple(map(int, number.groups()))


class Mysqld(Server):
    """As Server, but for the options that only MariaDB has. root logs in by the server's own default plugin."""

    def __init__(self, extra=(), **options):
        super().__init__(extra=extra, **options)
        self.text, self.mariadb, self.version = version()

    def start(self, extra=()):
        if self.mariadb:
            return super().start(extra)
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("Mysqld.start: only from the main thread")
        argv = ["setpriv", "--pdeathsig", "KILL", PROGRAM, "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}",
                f"--pid-file={self.folder}/pid", f"--tmpdir={self.folder}", "--skip-name-resolve", "--local-infile=1",
                "--max-allowed-packet=256M", f"--innodb-buffer-pool-size={self._buffer_pool}",
                "--innodb-flush-log-at-trx-commit=0", "--character-set-server=utf8mb4", "--server-id=1",
                f"--log-bin={self.folder}/binlog"]
        if self.version >= (8, 0, 0):
            argv.append("--mysqlx=OFF")
        if os.getuid() == 0:
            argv.append("--user=root")
        if self._tcp:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            argv += ["--bind-address=127.0.0.1", f"--port={self.port}"]
        else:
            argv.append("--skip-networking")
        argv += self._extra + list(extra)
        new = not self.data.exists()
        if new:
            self._initialize()
        self.defaults_file = self._option_file("client.cnf", "root", self.password)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                            env=process.client_env(self.home), start_new_session=True)
        if new:
            self.password = ""
            self._wait_ready()
            self.sql(f"ALTER USER root@localhost IDENTIFIED BY '{ROOT_PASSWORD}'")
            self.password = ROOT_PASSWORD
        self._wait_ready()
        return self

    def _initialize(self):
        argv = [PROGRAM, "--no-defaults", "--initialize-insecure", f"--datadir={self.data}", f"--tmpdir={self.folder}"]
        if os.getuid() == 0:
            argv.append("--user=root")
        with open(self.log, "ab") as log:
            result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=process.client_env(self.home))
        if result.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise RuntimeError(f"{PROGRAM} --initialize-insecure ended with {result.returncode}:\n{self.log_tail()}")


def rows_in_hex(server, schema):
    """{table: (CREATE TABLE, every row with every value in hex, in order)}, as the server itself prints them."""
    found = {}
    connection = server.connect(use_unicode=False)
    with connection.cursor() as cursor:
        cursor.execute("SET time_zone='+00:00', sql_mode=''")
        cursor.execute("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA=%s AND TABLE_TYPE<>'VIEW'", (schema,))
        for name, in cursor.fetchall():
            name = name.decode()
            cursor.execute("SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS "
                           "WHERE TABLE_SCHEMA=%s AND TABLE_NAME=%s ORDER BY ORDINAL_POSITION", (schema, name))
            values = []
            for column, kind in ((c.decode(), k.decode()) for c, k in cursor.fetchall()):
                # FLOAT as text loses digits: the double that it is does not
                values.append(f"HEX(CAST(`{column}`*1e0 AS CHAR))" if kind in ("float", "double") else f"HEX(`{column}`)")
            cursor.execute(f"SHOW CREATE TABLE `{schema}`.`{name}`")
            create = re.sub(rb" AUTO_INCREMENT=\d+", b"", cursor.fetchone()[1])
            cursor.execute(f"SELECT {', '.join(values)} FROM `{schema}`.`{name}`")
            found[name] = (create.decode("utf-8", "surrogateescape"), sorted(cursor.fetchall(), key=repr))
    connection.close()
    return found


__all__ = ["PROGRAM", "Mysqld", "rows_in_hex", "version", "pymysql"]
