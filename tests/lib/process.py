"""Running programs: output caught, memory measured, deadline kept, secrets and sanitizer reports looked for."""

import atexit
import json
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from .paths import BUILD, ROOT

MODE = os.environ.get("DBSAFE_MODE", "test")
VALGRIND = os.environ.get("DBSAFE_VALGRIND") == "1"
# Times are for a build without instrumentation; the others get more.
SLOWER = 20 if VALGRIND else {"tsan": 8, "asan": 4, "cov": 3}.get(MODE, 1)

# Passwords of all servers and accounts of this process: none may appear in anything dbsafe prints.
SECRETS = set()

REPORTS = re.compile(
    r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer): |"
    r"runtime error: |^==\d+== .*(ERROR SUMMARY: [1-9]|definitely lost: [1-9]|Invalid (read|write))",
    re.M)


def dbsafe_path():
    return BUILD / MODE / "dbsafe"


def client_env(home, extra=None):
    """A clean environment: nothing of the caller's settings reaches the program, no home folder but a private one."""
    env = {k: v for k, v in os.environ.items()
           if k in ("PATH", "TMPDIR", "LANG", "TERM", "GCOV_PREFIX", "GCOV_PREFIX_STRIP")}
    env["PATH"] = env.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"
    env["HOME"] = str(home)
    env["XDG_DATA_HOME"] = f"{home}/.local/share"
    env["XDG_CONFIG_HOME"] = f"{home}/.config"
    env["LC_ALL"] = "C.UTF-8"
    env["ASAN_OPTIONS"] = "exitcode=99:detect_leaks=1:abort_on_error=0"
    env["UBSAN_OPTIONS"] = "print_stacktrace=1"
    env["TSAN_OPTIONS"] = "exitcode=98:halt_on_error=0"
    suppressions = ROOT / "tests" / "tsan.supp"  # what third-party libraries are known for; see the file
    if suppressions.exists():
        env["TSAN_OPTIONS"] += f":print_suppressions=0:suppressions={suppressions}"
    env.update({k: str(v) for k, v in (extra or {}).items() if v is not None})
    for k, v in (extra or {}).items():
        if v is None:
            env.pop(k, None)
    return env


class Result:
    """rc (negative: ended by that signal), out and err (str, or bytes for out with binary=True), seconds, maxrss_bytes, cpu_seconds."""

    def __init__(self, argv, rc, out, err, seconds, maxrss_bytes, cpu_seconds):
        self.argv, self.rc, self.out, self.err = argv, rc, out, err
        self.seconds, self.maxrss_bytes, self.cpu_seconds = seconds, maxrss_bytes, cpu_seconds

    @property
    def json(self):
        """Standard output as exactly one JSON object."""
        value = json.loads(self.out)
        if not isinstance(value, dict):
            raise AssertionError(f"not one JSON object: {self.out!r}")
        return value

    def __str__(self):
        def tail(data):
            text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
            return text if len(text) < 6000 else text[:2000] + "\n[...]\n" + text[-4000:]
        return (f"$ {shlex.join(map(str, self.argv))}\n-> {self.rc} after {self.seconds:.2f} s\n"
                f"--- standard output\n{tail(self.out)}\n--- standard error\n{tail(self.err)}\n---")


UNFINISHED = set()


@atexit.register
def end_unfinished():
    """What a failed test left running, stopped ones too."""
    for running in list(UNFINISHED):
        running.kill()


class Running:
    """A started program. finish() waits and gives its Result; kill(), terminate(), interrupt() send signals to it alone."""

    def __init__(self, argv, env=None, input=None, stdin=None, stdout=None, cwd=None, binary=False, new_group=True):
        self.argv = [str(a) for a in argv]
        self.binary = binary
        self._out = stdout or tempfile.TemporaryFile()
        self._own_out = stdout is None
        self._err = tempfile.TemporaryFile()
        if input is not None:
            stdin = tempfile.TemporaryFile()
            stdin.write(input if isinstance(input, bytes) else input.encode())
            stdin.seek(0)
        self._begin = time.monotonic()
        # A process group of its own: a Ctrl-C for the test run does not reach it twice.
        self.process = subprocess.Popen(self.argv, env=env, cwd=cwd, stdin=stdin or subprocess.DEVNULL,
                                        stdout=self._out, stderr=self._err, start_new_session=new_group)
        self.pid = self.process.pid
        UNFINISHED.add(self)
        if input is not None:
            stdin.close()
        self.result = None

    def signal(self, number):
        if self.result is None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass  # reaped by a finish() that another thread is in

    def kill(self):
        self.signal(signal.SIGKILL)

    def terminate(self):
        self.signal(signal.SIGTERM)

    def interrupt(self):
        self.signal(signal.SIGINT)

    def running(self):
        """Whether it is still there (also when stopped); does not reap."""
        if self.result is not None:
            return False
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def stopped(self):
        """Whether SIGSTOP (a fault point with `stop`) holds it."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except FileNotFoundError:
            return False
        return stat.rsplit(")", 1)[1].split()[0] == "T"

    def error_text(self):
        """What it wrote to standard error so far."""
        end = os.fstat(self._err.fileno()).st_size
        return os.pread(self._err.fileno(), end, 0).decode("utf-8", "replace")

    def _watch(self):
        """
        Until it has ended; its peak of resident memory so far, in bytes. Not ru_maxrss: the kernel counts in that what this process
        had at the time of the fork, and that may hold whole archives.
        """
        peak, ended = 0, os.pidfd_open(self.pid)
        try:
            while True:
                try:
                    status = Path(f"/proc/{self.pid}/status").read_text()
                except OSError:
                    return peak
                found = re.search(r"(?m)^VmHWM:\s+(\d+) kB", status)
                if found:
                    peak = max(peak, int(found[1]) * 1024)
                if select.select([ended], [], [], 0.03)[0]:
                    return peak
        except OSError:
            return peak
        finally:
            os.close(ended)

    def finish(self, timeout=300):
        if self.result is not None:
            return self.result
        late = threading.Event()

        def give_up():
            late.set()
            try:
                os.kill(self.pid, signal.SIGABRT if MODE != "tsan" else signal.SIGKILL)
            except ProcessLookupError:
                pass
        timer = threading.Timer(timeout * SLOWER, give_up)
        timer.start()
        try:
            maxrss = self._watch()
            _, status, usage = os.wait4(self.pid, 0)
        finally:
            timer.cancel()
        seconds = time.monotonic() - self._begin
        rc = os.waitstatus_to_exitcode(status)
        self.process.returncode = rc
        UNFINISHED.discard(self)
        out = b""
        if self._own_out:
            self._out.seek(0)
            out = self._out.read()
            self._out.close()
        self._err.seek(0)
        err = self._err.read().decode("utf-8", "replace")
        self._err.close()
        if not self.binary:
            out = out.decode("utf-8", "replace")
        self.result = Result(self.argv, rc, out, err, seconds, maxrss or usage.ru_maxrss * 1024,
                             usage.ru_utime + usage.ru_stime)
        if late.is_set():
            raise AssertionError(f"not finished after {timeout * SLOWER} s\n{self.result}")
        return self.result


def start(argv, **options):
    return Running(argv, **options)


def run(argv, timeout=300, **options):
    return Running(argv, **options).finish(timeout)


def expect(result, rc):
    """Raises unless the exit status is rc (a number, a collection of numbers, or None for any)."""
    if rc is not None and result.rc not in ((rc,) if isinstance(rc, int) else tuple(rc)):
        raise AssertionError(f"expected exit status {rc}\n{result}")
    return result


def inspect(result, argv):
    """What holds for every run of dbsafe, whatever it was asked."""
    out = result.out.decode("utf-8", "replace") if isinstance(result.out, bytes) else result.out
    for secret in SECRETS:
        if secret in out or secret in result.err or any(secret in str(a) for a in argv):
            raise AssertionError(f"the secret {secret!r} was shown\n{result}")
    if REPORTS.search(result.err) or REPORTS.search(out):
        raise AssertionError(f"a checker complained\n{result}")
    return result


def dbsafe_argv(args):
    prefix = []
    if VALGRIND:
        prefix = ["valgrind", "-q", "--error-exitcode=97", "--leak-check=full", "--errors-for-leak-kinds=definite",
                  "--child-silent-after-fork=yes"]
        suppressions = ROOT / "tests" / "valgrind.supp"
        if suppressions.exists():
            prefix.append(f"--suppressions={suppressions}")
    return prefix + [str(dbsafe_path())] + [str(a) for a in args]


def dbsafe(*args, check=0, env=None, home=None, timeout=300, **options):
    """Runs dbsafe of the chosen build without any server or store set up; see Server.dbsafe for one that has both."""
    own = None
    if home is None:
        own = home = tempfile.mkdtemp(prefix="dbsafe-home-")
    try:
        argv = dbsafe_argv(args)
        result = run(argv, env=client_env(home, env), timeout=timeout, **options)
        return expect(inspect(result, argv[1:]), check)
    finally:
        if own:
            shutil.rmtree(own, ignore_errors=True)


