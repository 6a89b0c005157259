"""What the end-to-end tests stand on: private servers, running dbsafe, comparing schemas.  See docs/testing.md."""

from .case import FULL, MODE, SANITIZED, TestCase, rng, sample, wait_until
from .compare import compare_schemas, dump_text, float_rows, table_digests
from .everything import differences, everything_in
from .process import Result, Running, client_env, dbsafe, dbsafe_path, expect, run, start
from .server import LOCKS_SHOWN, PLUGINS, Server

__all__ = [
    "FULL", "MODE", "SANITIZED", "TestCase", "rng", "sample", "wait_until",
    "LOCKS_SHOWN", "PLUGINS", "compare_schemas", "dump_text", "float_rows", "table_digests", "differences", "everything_in",
    "Result", "Running", "client_env", "dbsafe", "dbsafe_path", "expect", "run", "start",
    "Server",
]
