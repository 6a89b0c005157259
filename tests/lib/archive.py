"""What is in an archive, read without dbsafe: the tar by Python, the frames by the stock zstd."""

import json
import subprocess
import tarfile


class Archive:
    """An archive file: .manifest (a dict), tables by "schema.name", their members and decoded rows."""

    def __init__(self, path):
        self.path = str(path).removeprefix("file://")
        with tarfile.open(self.path) as tar:
            self.names = tar.getnames()
            self.manifest = json.load(tar.extractfile("manifest.json"))

    @property
    def consistency(self):
        return self.manifest["consistency"]

    def table(self, name):
        return next(t for t in self.manifest["tables"] if f"{t['schema']}.{t['name']}" == name)

    def members(self, name):
        """The data members of one table in the order in which they were written."""
        number = self.table(name)["number"] if "number" in self.table(name) else self.manifest["tables"].index(self.table(name)) + 1
        return [m for m in self.manifest["members"] if m["table"] == number and "rows" in m]

    def text(self, name):
        """The decompressed text of all members of a table."""
        frames = b""
        with open(self.path, "rb") as file:
            for member in self.members(name):
                file.seek(member["offset"])
                frames += file.read(member["length"])
        if not frames:
            return b""
        return subprocess.run(["zstd", "-dc"], input=frames, stdout=subprocess.PIPE, check=True).stdout

    def rows(self, name):
        """Lists of fields, escapes left as they are."""
        return [line.split(b"\t") for line in self.text(name).split(b"\n")[:-1]]
