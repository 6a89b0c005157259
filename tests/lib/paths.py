"""Where things are; nothing else."""

import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
BUILD = ROOT / "build"
# Short, because a socket path has at most 107 bytes.
TMP = Path(os.environ.get("DBSAFE_TEST_TMP") or tempfile.gettempdir())
