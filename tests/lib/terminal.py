"""A program on a terminal of its own: what it asks is read, and answered by keys."""

import os
import pty
import select
import signal
import time

from .process import SLOWER


class Terminal:
    """with Terminal(argv, env) as t: t.read_until("[y/N]"); t.type("y\\n"); t.end() gives the exit status.  shown: all that was written."""

    def __init__(self, argv, env):
        self.shown = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execve(str(argv[0]), [str(a) for a in argv], env)
            finally:
                os._exit(127)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def _read(self, until):
        """False at the end of the program's output."""
        if not select.select([self.fd], [], [], max(0, until - time.monotonic()))[0]:
            raise AssertionError(f"nothing more came on the terminal:\n{self.shown}")
        try:
            data = os.read(self.fd, 4096)
        except OSError:  # Linux: nobody has the other end open any more
            return False
        self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)

    def read_until(self, text, timeout=60):
        until = time.monotonic() + timeout * SLOWER
        while text not in self.shown:
            if not self._read(until):
                raise AssertionError(f"{text!r} never came on the terminal:\n{self.shown}")

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def end(self, timeout=60):
        until = time.monotonic() + timeout * SLOWER
        while self._read(until):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)
