"""Damaged and forged archives: verify says so, restore leaves every live table as it was and nothing of its own behind."""

import hashlib
import json
import re
import subprocess

from lib import FULL, TestCase, rng, sample, table_digests
from lib.world import ours

BLOCK = 512

SETUP = """
DROP DATABASE IF EXISTS d;
CREATE DATABASE d CHARACTER SET utf8mb4;
USE d;
CREATE TABLE a (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(40), f FLOAT, e ENUM('x','y'), KEY v (v)) AUTO_INCREMENT=500;
CREATE TABLE b (id INT NOT NULL PRIMARY KEY, a INT, x DOUBLE, t TEXT, CONSTRAINT b_a FOREIGN KEY (a) REFERENCES a (id));
CREATE TABLE empty (id INT NOT NULL PRIMARY KEY);
INSERT INTO a SELECT seq, CONCAT('linha ', seq), seq / 7, 1 + seq % 2 FROM seq_1_to_40;
INSERT INTO b SELECT seq, seq, seq / 7, REPEAT(MD5(seq), 2) FROM seq_1_to_40;
"""
CHANGES = """
USE d;
UPDATE a SET v = 'changed' WHERE id < 20;
DELETE FROM b WHERE id > 30;
INSERT INTO empty VALUES (1);
"""


class Parts:
    """The members of an archive, which can be changed and put together again; everything but the change stays canonical."""

    def __init__(self, data):
        self.members, at = [], 0  # [path, header, content]
        while data[at] != 0:
            header = data[at:at + BLOCK]
            path, size = header[:100].rstrip(b"\0").decode(), int(header[124:135], 8)
            self.members.append([path, header, data[at + BLOCK:at + BLOCK + size]])
            at += BLOCK + (size + BLOCK - 1) // BLOCK * BLOCK
        self.trailer = data[at:]
        self.manifest = json.loads(self.content("manifest.json"))

    def content(self, path):
        return next(m[2] for m in self.members if m[0] == path)

    def set_content(self, path, content):
        next(m for m in self.members if m[0] == path)[2] = content

    @staticmethod
    def header(old, size):
        new = old[:124] + b"%011o" % size + old[135:148] + b" " * 8 + old[156:]
        return new[:148] + b"%06o\0 " % sum(new) + new[156:]

    def build(self, manifest=True):
        """The archive; with manifest its offsets, lengths and digests are made right, and index.dbsafe's."""
        out, by_path = b"", {m["path"]: m for m in self.manifest["members"]}
        for path, header, content in self.members:
            if path == "manifest.json" and manifest:
                content = json.dumps(self.manifest, indent=1, ensure_ascii=False).encode() + b"\n"
                offset, length, digest = len(out) + BLOCK, len(content), hashlib.sha256(content).hexdigest()
            elif path in by_path and manifest:
                by_path[path].update(offset=len(out) + BLOCK, length=len(content), sha256=hashlib.sha256(content).hexdigest())
            elif path == "index.dbsafe" and manifest:
                content = re.sub(rb"offset \d{20}", b"offset %020d" % offset, content)
                content = re.sub(rb"length \d{20}", b"length %020d" % length, content)
                content = re.sub(rb"sha256 \w{64}", b"sha256 " + digest.encode(), content)
            out += self.header(header, len(content)) + content + b"\0" * (-len(content) % BLOCK)
        return out + self.trailer


class Damaged(TestCase):
    EVERY = 40 if FULL else 1
    unseen = []  # restores since the server was looked at

    @classmethod
    def setUpClass(cls):
        cls.server = s = cls.use_server()
        s.load(SETUP)
        cls.path = s.folder / "good.tar"
        s.dbsafe("dump", "d", "-o", cls.path)
        cls.good = cls.path.read_bytes()
        cls.new = table_digests(s, "d")
        s.load(CHANGES)
        cls.old = table_digests(s, "d")
        cls.bad = s.folder / "bad.tar"

    def setUp(self):
        self.addCleanup(self.look_at_server)
        if table_digests(self.server, "d") != self.old:
            self.server.load("SET foreign_key_checks=0;\n" + "".join(f"DROP DATABASE `{n}`;\n" for n in ours(self.server)))
            self.server.load(SETUP + CHANGES)
        self.assertEqual(table_digests(self.server, "d"), self.old)

    # ---- places

    def places(self, step, name):
        """Bytes to change: every step-th, more of headers, of the index and the trailer; all in a full run."""
        if FULL:
            return list(range(len(self.good)))
        chosen = set(range(rng(name).randrange(step), len(self.good), step))
        special, at = [], 0
        for path, _, content in Parts(self.good).members:
            special += range(at, at + BLOCK)
            if path == "index.dbsafe":
                special += range(at + BLOCK, len(self.good))
            at += BLOCK + (len(content) + BLOCK - 1) // BLOCK * BLOCK
        random = rng(name + " special")
        chosen.update(random.sample(special, len(special) // step))
        return sorted(chosen)

    @staticmethod
    def some(places, name):
        """A restore from a pipe loads all there is before it finds the damage: in a full run every fourth place, from one that the seed says."""
        return places[rng(name).randrange(4)::4] if FULL else places

    def flipped(self, at, random):
        return self.good[:at] + bytes([self.good[at] ^ (1 << random.randrange(8))]) + self.good[at + 1:]

    # ---- what must hold

    def verify(self, data, what, check=8):
        self.bad.write_bytes(data)
        result = self.server.dbsafe("verify", self.bad, check=None)
        self.assertEqual(result.rc, check, f"{what}\n{result}")
        return result

    def assert_untouched(self, result, what, allowed):
        """The exit status each time; the server in a full run every EVERY times, and after each test: what a restore
        leaves behind, or changed, would still be so."""
        self.assertIn(result.rc, allowed, f"{what}\n{result}")
        Damaged.unseen.append(what)
        if len(Damaged.unseen) >= self.EVERY:
            self.look_at_server()

    def look_at_server(self):
        since, Damaged.unseen = Damaged.unseen, []
        if since:
            what = since[0] if len(since) == 1 else f"one of: {since[0]} to {since[-1]}"
            self.assertEqual(ours(self.server), [], what)
            self.assertEqual(table_digests(self.server, "d"), self.old, what)

    def restore(self, data, what, allowed=(8,), *args):
        self.bad.write_bytes(data)
        result = self.server.dbsafe("restore", self.bad, *args, check=None)
        self.assert_untouched(result, what, allowed)
        return result

    def pipe(self, data, what, allowed=(8,)):
        result = self.server.dbsafe("restore", "-", input=data, check=None)
        self.assert_untouched(result, what, allowed)
        return result

    # ---- tests

    def test_the_good_one(self):
        self.assertEqual(Parts(self.good).build(manifest=False), self.good)
        self.verify(self.good, "good", 0)
        rebuilt = Parts(self.good).build()
        self.verify(rebuilt, "rebuilt", 0)
        self.bad.write_bytes(rebuilt)
        self.server.dbsafe("restore", self.bad)
        self.assertEqual(table_digests(self.server, "d"), self.new)
        self.server.dbsafe("undo")

    def test_flipped_bytes_verify(self):
        random = rng("bits")
        for at in self.places(37, "verify"):
            self.verify(self.flipped(at, random), f"byte {at}")

    def test_flipped_bytes_verify_from_a_pipe(self):
        random = rng("bits of a pipe")
        for at in self.places(370, "verify pipe"):
            result = self.server.dbsafe("verify", "-", input=self.flipped(at, random), check=None)
            self.assertEqual(result.rc, 8, f"byte {at}\n{result}")

    def test_flipped_bytes_restore(self):
        random = rng("bits restored")
        for at in self.places(300, "restore"):
            self.restore(self.flipped(at, random), f"byte {at}")

    def test_flipped_bytes_restore_from_a_pipe(self):
        random = rng("bits piped")
        for at in self.some(self.places(500, "pipe"), "pipe"):
            self.pipe(self.flipped(at, random), f"byte {at}")

    def test_every_byte_of_the_definitions_from_a_pipe(self):
        """A pipe brings them before anything can be compared with the manifest."""
        random = rng("definitions")
        at, places = 0, []
        for path, _, content in Parts(self.good).members:
            if path.startswith("schema/"):
                places += range(at + BLOCK, at + BLOCK + len(content))
            at += BLOCK + (len(content) + BLOCK - 1) // BLOCK * BLOCK
        for place in sample(places, 40, "definitions"):
            self.pipe(self.flipped(place, random), f"byte {place}")

    def test_a_database_that_changed_from_a_pipe(self):
        """Table a seems to be of another database, so that what refers to it leaves the set; but the archive is damaged."""
        at = self.good.index(b'"schema":"d","name":"a"') + len('"schema":"')
        self.pipe(self.good[:at] + b"e" + self.good[at + 1:], f"byte {at}")

    def test_an_engine_that_changed_from_a_pipe(self):
        """Of an engine that no server has, so that preflight refuses it; but the archive is damaged."""
        at = self.good.index(b'"engine":"InnoDB"') + len('"engine":"')
        self.pipe(self.good[:at] + b"A" + self.good[at + 1:], f"byte {at}")

    def test_cut_at_every_length(self):
        for length in sample(range(len(self.good)), 100, "cuts"):
            self.verify(self.good[:length], f"cut at {length}")
        for length in sample(range(len(self.good)), 25, "cuts restored"):
            self.restore(self.good[:length], f"cut at {length}")
        for length in self.some(sample(range(len(self.good)), 25, "cuts piped"), "cuts piped"):
            self.pipe(self.good[:length], f"cut at {length}")

    def test_appended(self):
        random = rng("garbage")
        for extra in (b"\0", b"x", b"\0" * 512, b"\0" * 10240, random.randbytes(512), random.randbytes(10000), self.good, self.good[-4096:]):
            what = f"{len(extra)} bytes appended"
            self.verify(self.good + extra, what)
            self.restore(self.good + extra, what)
            self.pipe(self.good + extra, what)
            self.verify(extra[:512] + self.good, "in front")
            self.restore(extra[:512] + self.good, "in front")

    def test_members_exchanged(self):
        count = len(Parts(self.good).members)
        pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
        for i, j in sample(pairs, 15, "pairs"):
            for whole in (True, False):  # with their headers, or their contents alone
                parts = Parts(self.good)
                m, n = parts.members[i], parts.members[j]
                if whole:
                    parts.members[i], parts.members[j] = n, m
                else:
                    m[2], n[2] = n[2], m[2]
                data, what = parts.build(manifest=False), f"{m[0]} and {n[0]} exchanged, headers {whole}"
                if data == self.good:
                    continue
                self.verify(data, what)
                self.restore(data, what)
                # What came in the wrong place may be refused for its own sake before the manifest of a pipe shows why:
                # fewer tables than there are, or rows of another table under headers that fit.
                self.pipe(data, what, (8, 10) if whole else (4, 7, 8))

    def test_members_removed_and_doubled(self):
        for i in range(len(Parts(self.good).members)):
            for copies in (0, 2):
                parts = Parts(self.good)
                parts.members[i:i + 1] = [parts.members[i]] * copies
                data, what = parts.build(manifest=False), f"{Parts(self.good).members[i][0]} {copies} times"
                self.verify(data, what)
                self.restore(data, what)
                self.pipe(data, what)

    def test_nothing_like_an_archive(self):
        for data in (b"", b"\0" * 20000, b"-- MySQL dump\n" * 1000, rng("noise").randbytes(30000), b"\0" * 1024):
            self.verify(data, repr(data[:20]))
            self.restore(data, repr(data[:20]))
            self.pipe(data, repr(data[:20]))

    # ---- forgeries: all digests fit

    def forged(self, edit):
        parts = Parts(self.good)
        edit(parts)
        return parts.build()

    def assert_forgery_found(self, edit, what, verify=8, allowed=(7, 8)):
        data = self.forged(edit)
        self.verify(data, what, verify)
        self.restore(data, what, allowed)
        self.pipe(data, what, allowed)

    @staticmethod
    def table(parts, name):
        return next(t for t in parts.manifest["tables"] if t["name"] == name)

    @staticmethod
    def data_of(parts, name):
        number = Damaged.table(parts, name)["number"]
        return next(m for m in parts.manifest["members"] if m["table"] == number and m["path"].startswith("data/"))

    def test_other_checksums(self):
        def other(entry):
            entry["checksum"] = ("1" if entry["checksum"][0] == "0" else "0") + entry["checksum"][1:]

        def of_table(parts):
            other(self.table(parts, "a"))

        def of_member(parts):
            other(self.data_of(parts, "a"))

        def of_both(parts):
            of_table(parts)
            of_member(parts)
        for edit in (of_table, of_member, of_both):
            self.assert_forgery_found(edit, edit.__name__)

    def test_other_row_counts(self):
        def fewer(parts):
            for entry in (self.table(parts, "a"), self.data_of(parts, "a"), parts.manifest):
                entry["rows"] -= 1

        def table_alone(parts):
            self.table(parts, "a")["rows"] += 1

        def of_the_empty_one(parts):
            self.table(parts, "empty")["rows"] = 1
            parts.manifest["rows"] += 1
        for edit in (fewer, table_alone, of_the_empty_one):
            self.assert_forgery_found(edit, edit.__name__)

    def test_rows_of_another_dump(self):
        """Members and definitions fit each other, the table's checksum does not."""
        def changed(parts):
            path = self.data_of(parts, "b")["path"]
            text = subprocess.run(["zstd", "-dcq"], input=parts.content(path), stdout=subprocess.PIPE, check=True).stdout
            content = subprocess.run(["zstd", "-cq", f"--stream-size={len(text)}"], input=text.replace(b"\t1\t", b"\t2\t", 1),
                                     stdout=subprocess.PIPE, check=True).stdout
            parts.set_content(path, content)
        self.assert_forgery_found(changed, "rows changed")

    def test_definition_that_loses_digits(self):
        """The text is right, but the table made of the forged definition cannot hold it: found by reading the rows again."""
        def lossy(parts):
            table = self.table(parts, "b")
            old = parts.content(f"schema/{table['dir']}.sql")
            new = old.replace(b"`x` double", b"`x` float")
            self.assertNotEqual(old, new)
            parts.set_content(f"schema/{table['dir']}.sql", new)
            digest = hashlib.sha256(new.rstrip(b"\n").rstrip(b";")).hexdigest()
            load = parts.content(f"schema/{table['dir']}.load.sql")
            parts.set_content(f"schema/{table['dir']}.load.sql", load.replace(table["ddl_sha256"].encode(), digest.encode()))
            table["ddl_sha256"] = digest
        data = self.forged(lossy)
        self.verify(data, "consistent", 0)  # nothing in the archive contradicts it
        result = self.restore(data, "lossy", (7,))
        self.assertIn("d.b (40 rows restored, 40 dumped)", result.err)
        self.pipe(data, "lossy", (7,))

    def test_newer_format(self):
        def newer(parts):
            parts.manifest["format"] += 1
        self.assert_forgery_found(newer, "newer", 10, (10,))

    def test_only_the_bytes_that_are_needed(self):
        """--tables reads only its tables: damage elsewhere does not matter, damage there does."""
        parts = Parts(self.good)
        self.assertTrue(self.data_of(parts, "a"))
        damaged = bytearray(self.good)
        damaged[self.data_of(parts, "a")["offset"] + 20] ^= 4
        self.bad.write_bytes(damaged)
        self.server.dbsafe("verify", self.bad, "--tables", "empty")
        self.server.dbsafe("verify", self.bad, "--tables", "a", check=8)
        self.server.dbsafe("restore", self.bad, "--tables", "empty", "--into", "e")
        self.server.sql("DROP DATABASE e")
        self.server.load("SET foreign_key_checks=0;\n" + "".join(f"DROP DATABASE `{n}`;\n" for n in ours(self.server)))
        self.restore(bytes(damaged), "table a", (8,), "--into", "d")
