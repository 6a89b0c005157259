"""Restores archives without dbsafe: with stock tools alone on the PATH."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from .case import TestCase
from .process import client_env, run

# Nothing else is on the PATH.
TOOLS = ("sh", "sed", "cat", "sha256sum", "zstd", "mariadb")


class EscapeCase(TestCase):
    """make_tools(server) in setUpClass; then script(extract(archive)) runs restore.sh."""

    archive = tools = None

    @classmethod
    def make_tools(cls, server):
        cls.tools = server.folder / "bin"
        cls.tools.mkdir()
        for tool in TOOLS:
            (cls.tools / tool).symlink_to(shutil.which(tool))

    def extract(self, archive=None):
        folder = Path(self.enterContext(self.folder()))
        subprocess.run(["tar", "-xf", str(archive or self.archive), "-C", str(folder)], check=True)
        return folder

    def folder(self):
        return tempfile.TemporaryDirectory(dir=self.server.folder)

    def enterContext(self, context):  # unittest has it from Python 3.11 on
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def script(self, folder, *args, server=None, check=0, name="restore.sh"):
        server = server or self.server
        env = client_env(server.home, {"PATH": str(self.tools), "LC_ALL": "pt_BR.UTF-8"})
        (server.home / ".my.cnf").write_text(server.defaults_file.read_text())
        (server.home / ".my.cnf").chmod(0o600)
        self.addCleanup((server.home / ".my.cnf").unlink, missing_ok=True)
        result = run([str(self.tools / "sh"), name, *args], env=env, cwd=folder)
        if check is not None:
            self.assertEqual(result.rc != 0, bool(check), result)
        return result
