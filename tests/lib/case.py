"""The base class of the tests, seeds, sampling, waiting."""

import hashlib
import os
import random
import time
import unittest

from .process import MODE, SLOWER, VALGRIND

FULL = os.environ.get("DBSAFE_FULL") == "1"
SANITIZED = VALGRIND or MODE in ("asan", "tsan")
SEED = int(os.environ.get("DBSAFE_SEED") or "1")


def rng(name):
    """A random generator that depends only on DBSAFE_SEED and name."""
    return random.Random(hashlib.sha256(f"{SEED}/{name}".encode()).digest())


def sample(items, count, name):
    """All items with --full, else count of them, chosen by the seed; in their order."""
    items = list(items)
    if FULL or count >= len(items):
        return items
    return [items[i] for i in sorted(rng(name).sample(range(len(items)), count))]


def wait_until(condition, timeout=30, what="the condition"):
    """Polls until condition() is true and gives its value; for what offers nothing to wait on.  Raises after timeout seconds."""
    end = time.monotonic() + timeout * SLOWER
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout * SLOWER} s")
        time.sleep(0.005)


class TestCase(unittest.TestCase):
    """Failures show whole texts.  use_server() in setUpClass or setUp gives a Server that is stopped afterwards."""

    maxDiff = None
    server = None

    @classmethod
    def use_server(cls, **options):
        from .server import Server
        server = Server(**options)
        cls.addClassCleanup(server.close)
        server.start()
        return server

    def own_server(self, **options):
        from .server import Server
        server = Server(**options)
        self.addCleanup(server.close)
        return server.start()

    @classmethod
    def use_radosgw(cls, **options):
        """A private Ceph gateway that ends with the class; see lib/radosgw.py."""
        from .radosgw import RadosGateway
        gateway = RadosGateway(**options)
        cls.addClassCleanup(gateway.close)
        return gateway.start()
