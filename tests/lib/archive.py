"""What is in an archive, read without dbsafe: the tar by Python, the frames by the stock zstd."""

import hashlib
import json
import subprocess
import tarfile


def _header(old, size):
    """The header of a member, as it is for another size."""
    field = lambda number, digits: b"%0*o" % (digits, number)
    new = old[:124] + field(size, len(old[124:136].rstrip(b" \0"))) + old[124:136][len(old[124:136].rstrip(b" \0")):] + old[136:]
    total = sum(new[:148]) + 8 * ord(" ") + sum(new[156:])
    return new[:148] + field(total, 6) + old[154:156] + new[156:]


def with_other_manifest(source, target, change):
    """Writes the archive source again, with what change(manifest) makes of its manifest; index and headers follow."""
    with open(source, "rb") as file:
        data = file.read()
    index = data[-1024 - 512:-1024]
    values = dict(line.split() for line in index.split(b"\n")[:-1] if line.strip())
    begin, length = int(values[b"manifest-offset"]), int(values[b"manifest-length"])
    manifest = json.loads(data[begin:begin + length])
    change(manifest)
    text = json.dumps(manifest, ensure_ascii=False, separators=(",", ":")).encode()
    lines = [b"dbsafe-index 1", b"manifest-offset %020d" % begin, b"manifest-length %020d" % len(text),
             b"manifest-sha256 " + hashlib.sha256(text).hexdigest().encode()]
    new_index = b"".join(line + b"\n" for line in lines)
    padded = (length + 511) // 512 * 512
    index_header = data[begin + padded:begin + padded + 512]
    with open(target, "wb") as file:
        file.write(data[:begin - 512] + _header(data[begin - 512:begin], len(text)))
        file.write(text + bytes(-len(text) % 512) + index_header)
        file.write(new_index + b" " * (511 - len(new_index)) + b"\n" + bytes(1024))


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
