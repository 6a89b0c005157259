"""
moto's server, a fake of AWS by other people, where it is installed (it is in no Debian package). It checks no signatures, but knows
checksums and conditional completes as AWS has them.
"""

import atexit
import shutil

from . import process
from .daemon import Daemon, PrivateFolder, answers, free_ports
from .s3 import Account, S3Service


def available():
    return shutil.which("moto_server") is not None


class Moto(S3Service):
    """Used like RadosGateway; anyone may do anything."""

    def __init__(self):
        self._private = PrivateFolder()
        self.account = self.other = Account("MOTOACCESS", "harness-moto-secret-Pd6r")
        self._daemon = None
        atexit.register(self.close)

    def start(self):
        port, = free_ports(1)
        self.endpoint = f"http://127.0.0.1:{port}"
        folder = self._private.path
        self._daemon = Daemon("moto_server", [shutil.which("moto_server"), "-H", "127.0.0.1", "-p", port], folder / "log",
                              process.client_env(folder))
        self._daemon.wait_until(lambda: answers(port))
        return self

    def close(self):
        if self._daemon:
            self._daemon.kill()
            self._daemon = None
        atexit.unregister(self.close)
        self._private.close()
