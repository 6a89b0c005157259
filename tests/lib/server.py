"""A private MariaDB server in a folder of its own, on a Unix socket (and 127.0.0.1 if asked for)."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pymysql

from . import process
from .daemon import PrivateFolder, free_ports
from .paths import BUILD, FIXTURES, ROOT, TMP

ROOT_PASSWORD = "harness-root-pw-Zq8x"  # must not appear in any output: see process.inspect
# Options with which the server tells who holds a metadata lock.
# Where the server's plugins are; DBSAFE_PLUGIN_DIR names another folder, with more of them.
PLUGINS = Path(os.environ.get("DBSAFE_PLUGIN_DIR") or "/usr/lib/mysql/plugin")
LOCKS_SHOWN = ["--performance-schema=1", "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON"]
# Commands that open no connection and so take no option file.
OFFLINE = {"list", "show", "help", "version", "prune", "copy", "keygen", "status", "report", "schedule"}


def template():
    """A freshly initialised data folder, made once and copied for each server."""
    place = BUILD if os.access(BUILD if BUILD.exists() else ROOT, os.W_OK) else TMP
    version = subprocess.run(["mariadbd", "--version"], env=process.client_env("/"), stdout=subprocess.PIPE, text=True,
                             check=True).stdout.split()[2]
    folder = place / f"mariadb-template-{version}-{os.getuid()}"
    if not folder.exists():
        place.mkdir(exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="mariadb-template-", dir=place))
        try:
            subprocess.run([ROOT / "scripts/mariadb-init", work / "data", ROOT_PASSWORD], check=True)
            (work / "data").rename(folder)
        except OSError:
            if not folder.exists():  # else another test was faster
                raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return folder


class Server:
    """
    with Server(binlog=True) as server:
        server.load("chatbot.sql")
        server.dbsafe("dump", "glpi_select")

    binlog   True: log_bin with server_id 1, row format
    tcp      True: also listens on 127.0.0.1, port in .port
    durable  True: every commit is flushed (for tests that kill the server)
    extra    further mariadbd options
    env      further variables of its environment (TZ: what it takes for the system's time zone)
    keeper   the thread that starts it and outlives it, since the server dies with it; the main thread if not given
    """

    def __init__(self, binlog=False, tcp=False, durable=False, log_file_size="48M", buffer_pool="64M", extra=(), env=None,
                 keeper=None):
        self._keeper = keeper or threading.main_thread()
        self._private = PrivateFolder()
        self.folder = self._private.path
        self.data = self.folder / "data"
        self.socket = self.folder / "s"
        self.log = self.folder / "server.log"
        self.store = self.folder / "store"
        self.home = self.folder / "home"
        self.home.mkdir(mode=0o700)
        self.port = None
        self._tcp, self._durable, self._extra, self._env = tcp, durable, list(extra), env
        self._log_file_size, self._buffer_pool, self._binlog = log_file_size, buffer_pool, binlog
        self.process = None
        self.password = ROOT_PASSWORD
        process.SECRETS.add(ROOT_PASSWORD)
        self.defaults_file = self.folder / "client.cnf"
        self._accounts = 0
        atexit.register(self.close)
        if len(str(self.socket)) > 100:
            raise RuntimeError(f"the socket path {self.socket} is too long; set DBSAFE_TEST_TMP to a shorter folder")

    # ---- life

    def start(self, extra=()):
        """extra: more options for this start only."""
        if threading.current_thread() is not self._keeper:
            raise RuntimeError("Server.start: only from the main thread, or the one that was named")
        if not self.data.exists():
            shutil.copytree(template(), self.data)
        argv = ["setpriv", "--pdeathsig", "KILL", "mariadbd", "--no-defaults", f"--datadir={self.data}",
                f"--socket={self.socket}", f"--pid-file={self.folder}/pid", f"--tmpdir={self.folder}",
                "--skip-name-resolve", "--local-infile=1", "--max-allowed-packet=256M", "--performance-schema=0",
                f"--innodb-buffer-pool-size={self._buffer_pool}", f"--innodb-log-file-size={self._log_file_size}",
                f"--innodb-flush-log-at-trx-commit={1 if self._durable else 0}",
                f"--innodb-doublewrite={1 if self._durable else 0}", "--innodb-buffer-pool-dump-at-shutdown=0",
                "--innodb-buffer-pool-load-at-startup=0", "--aria-pagecache-buffer-size=8M", "--key-buffer-size=8M",
                "--character-set-server=utf8mb4", "--collation-server=utf8mb4_unicode_ci", "--secure-file-priv="]
        if "DBSAFE_PLUGIN_DIR" in os.environ:
            argv.append(f"--plugin-dir={PLUGINS}")
        if os.getuid() == 0:
            argv.append("--user=root")
        if self._binlog:
            argv += [f"--log-bin={self.folder}/binlog", "--server-id=1", "--binlog-format=ROW"]
        if self._tcp:
            if self.port is None:
                self.port, = free_ports(1)
            argv += ["--bind-address=127.0.0.1", f"--port={self.port}"]
        else:
            argv.append("--skip-networking")
        argv += self._extra + list(extra)
        self.defaults_file = self._option_file("client.cnf", "root", self.password)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                            env=process.client_env(self.home, self._env), start_new_session=True)
        self._wait_ready()
        return self

    def _wait_ready(self, timeout=60):
        end = time.monotonic() + timeout
        while True:
            try:
                self.connect().close()
                return
            except pymysql.err.OperationalError as e:
                problem = e
            try:
                self.process.wait(0.02)
                raise RuntimeError(f"mariadbd ended with {self.process.returncode}:\n{self.log_tail()}")
            except subprocess.TimeoutExpired:
                pass
            if time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"mariadbd not ready after {timeout} s ({problem}):\n{self.log_tail()}")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=120):
        """The orderly way (SIGTERM)."""
        if not self.running():
            return self
        self.process.send_signal(signal.SIGTERM)
        try:
            rc = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"mariadbd did not stop within {timeout} s:\n{self.log_tail()}") from None
        if rc != 0:
            raise RuntimeError(f"mariadbd ended with {rc}:\n{self.log_tail()}")
        return self

    def kill(self):
        """A crash (SIGKILL)."""
        if self.running():
            self.process.kill()
            self.process.wait()
        return self

    def restart(self, extra=()):
        """Starts again on the same data, after stop() or kill() or from running."""
        self.stop()
        return self.start(extra)

    def close(self):
        """Ends the server and removes its folder (kept with DBSAFE_KEEP=1)."""
        self.kill()
        atexit.unregister(self.close)
        self._private.close()

    def __enter__(self):
        return self if self.running() else self.start()

    def __exit__(self, *_):
        self.close()

    def log_tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    # ---- SQL

    def connect(self, user="root", password=None, **options):
        """A pymysql connection with autocommit; rows come as tuples."""
        options = {"charset": "utf8mb4", "autocommit": True, "local_infile": True,
                   "max_allowed_packet": 1 << 30, **options}
        return pymysql.connect(unix_socket=str(self.socket), user=user,
                               password=self.password if password is None else password, **options)

    def sql(self, statement, args=None, schema=None):
        """Runs one statement on a connection of its own; the rows as a list of tuples."""
        connection = self.connect(database=schema)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, args)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def value(self, statement, args=None, schema=None):
        """The first column of the first row, or None."""
        rows = self.sql(statement, args, schema)
        return rows[0][0] if rows else None

    def client(self, *args, check=0, timeout=600, program="mariadb", **options):
        """Runs a stock client program with this server's option file."""
        argv = [program, f"--defaults-file={self.defaults_file}", *args]
        return process.expect(process.run(argv, env=process.client_env(self.home), timeout=timeout, **options), check)

    def load(self, source, schema=None, check=0):
        """Feeds SQL to the stock client: a file of tests/fixtures (name or path) or, if it has a line end, the text itself."""
        args = ["--default-character-set=utf8mb4", "--comments"] + ([schema] if schema else [])
        if isinstance(source, str) and "\n" in source:
            return self.client(*args, input=source, check=check)
        with open(FIXTURES / source, "rb") as file:
            return self.client(*args, stdin=file, check=check)

    def load_chatbot(self, messages=2000):
        """Database glpi_select with its four tables; the size of chatbot_messages as asked for."""
        self.load("chatbot.sql")
        rows = (FIXTURES / "chatbot_messages.sql").read_text()
        self.load(f"SET @last := {messages};\n{rows}")
        return "glpi_select"

    def account(self, *grants, host="localhost"):
        """Creates an account with grants such as "SELECT ON db.*" and gives the path of its option file."""
        self._accounts += 1
        user, password = f"limited{self._accounts}", f"harness-user-pw-{self._accounts}-Kw3v"
        process.SECRETS.add(password)
        self.sql(f"CREATE USER {user}@{host} IDENTIFIED BY '{password}'")
        for grant in grants:
            self.sql(f"GRANT {grant} TO {user}@{host}")
        return self._option_file(f"{user}.cnf", user, password)

    def _option_file(self, name, user, password):
        path = self.folder / name
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(f"[client]\nuser={user}\npassword={password}\nsocket={self.socket}\n")
        return path

    # ---- dbsafe

    def dbsafe_argv(self, args, defaults_file=None):
        """dbsafe COMMAND --defaults-file=... ARGS"""
        if not args or args[0] in OFFLINE or str(args[0]).startswith("-"):
            return process.dbsafe_argv(args)
        return process.dbsafe_argv([args[0], f"--defaults-file={defaults_file or self.defaults_file}", *args[1:]])

    def dbsafe_env(self, env=None):
        return process.client_env(self.home, {"DBSAFE_STORE": f"file://{self.store}", **(env or {})})

    def dbsafe(self, *args, check=0, env=None, timeout=300, defaults_file=None, **options):
        """Runs dbsafe against this server and a private store; check: expected exit status (None: any). See process.Result."""
        argv = self.dbsafe_argv(args, defaults_file)
        result = process.run(argv, env=self.dbsafe_env(env), timeout=timeout, **options)
        return process.expect(process.inspect(result, argv[1:]), check)

    def dbsafe_start(self, *args, env=None, defaults_file=None, **options):
        """The same, not waited for: a process.Running."""
        return process.start(self.dbsafe_argv(args, defaults_file), env=self.dbsafe_env(env), **options)

    def archives(self):
        """Everything visible in the private store, names in order; temporary files are hidden files."""
        return sorted(p.name for p in self.store.iterdir() if not p.name.startswith(".")) if self.store.exists() else []
