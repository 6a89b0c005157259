"""Values at the edge of their types, by the million where types.sql has some: what comes back is what was stored, to the last bit."""

import math
import struct

from lib import FULL, TestCase, compare_schemas, differences, everything_in, rng, sample

CHARSETS = ("utf8mb3", "utf8mb4", "latin1", "latin2", "sjis", "gbk", "ucs2", "utf16", "utf32", "binary")


def there_and_back(test, schema, copy, *args):
    s = test.server
    path = s.folder / f"{schema}.tar"
    s.dbsafe("dump", schema, "-o", path, *args)
    s.dbsafe("restore", path, "--into", copy)
    s.dbsafe("verify", path, "--live")
    test.assertEqual(compare_schemas(s, schema, copy, by_dump=False), [])


class Floats(TestCase):
    """Random bit patterns, subnormals and extremes among them, compared in the files in which the server keeps them."""

    PATTERNS = 1000000 if FULL else 30000

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(buffer_pool="256M", log_file_size="256M")

    def patterns(self):
        random = rng("bit patterns")
        edges = [(0x00000001, 1), (0x807FFFFF, 0x800FFFFFFFFFFFFF), (0x00800000, 0x0010000000000000), (0x7F7FFFFF, 0x7FEFFFFFFFFFFFFF),
                 (0xFF7FFFFF, 0xFFEFFFFFFFFFFFFF), (0x3F800001, 0x3FF0000000000001), (0x4B800000, 0x4340000000000000), (0, 0)]
        for i in range(self.PATTERNS):
            if i < len(edges):
                f, d = edges[i]
            else:
                f, d = random.getrandbits(32), random.getrandbits(64)
                if i % 5 == 0:  # subnormals, which chance alone hardly gives
                    f, d = f & 0x807FFFFF, d & 0x800FFFFFFFFFFFFF
            values = struct.unpack("<f", struct.pack("<I", f))[0], struct.unpack("<d", struct.pack("<Q", d))[0]
            # no column keeps infinities, and the sign of a zero is not printed
            yield tuple(v if math.isfinite(v) and v != 0 else 1.5 for v in values)

    def stored(self, schema):
        """The bytes of the rows in a file of fixed rows, in order of id."""
        s = self.server
        s.sql(f"CREATE TABLE {schema}.fixed ENGINE=MyISAM ROW_FORMAT=FIXED AS SELECT * FROM {schema}.floats ORDER BY id")
        s.sql(f"FLUSH TABLES {schema}.fixed")
        data = (s.data / schema / "fixed.MYD").read_bytes()
        s.sql(f"DROP TABLE {schema}.fixed")
        return data

    def test_bits(self):
        s = self.server
        path = s.folder / "floats.tsv"
        wanted = b""
        with open(path, "w") as file:
            for i, (f, d) in enumerate(self.patterns()):
                file.write(f"{i}\t{f!r}\t{d!r}\n")
                wanted += struct.pack("<fd", f, d) if i % 1000 == 0 else b""
        s.sql("CREATE DATABASE floats")
        s.sql("CREATE TABLE floats.floats (id INT NOT NULL PRIMARY KEY, f FLOAT NOT NULL, d DOUBLE NOT NULL)")
        s.sql(f"LOAD DATA INFILE '{path}' INTO TABLE floats.floats")
        before = self.stored("floats")
        row = len(before) // self.PATTERNS
        self.assertEqual(row * self.PATTERNS, len(before))
        # they are the patterns that were meant
        self.assertEqual(b"".join(before[i * row + row - 12:(i + 1) * row] for i in range(0, self.PATTERNS, 1000)), wanted)
        there_and_back(self, "floats", "floats_copy")
        after = self.stored("floats_copy")
        self.assertEqual(len(after), len(before))
        self.assertTrue(after == before, "bits differ")


class Bytes(TestCase):
    """Every byte, and every pair of bytes that the character set takes, in every string type."""

    TYPES = ("CHAR(4)", "VARCHAR(10)", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT")
    BINARY_TYPES = ("BINARY(4)", "VARBINARY(10)", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB")

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(buffer_pool="256M", log_file_size="256M")

    def fill(self, charset):
        s = self.server
        binary = charset == "binary"
        types = self.BINARY_TYPES if binary else self.TYPES
        columns = ", ".join(f"c{i} {t} {'' if binary else 'CHARACTER SET ' + charset} NULL" for i, t in enumerate(types))
        s.sql(f"CREATE TABLE bytes.`{charset}` (id INT NOT NULL PRIMARY KEY, {columns}) ROW_FORMAT=DYNAMIC")
        # one byte, two bytes, and characters of any length; what the character set has not is dropped again
        width = {"ucs2": 2, "utf16": 2, "utf32": 4}.get(charset, 1)
        raw = f"UNHEX(LPAD(HEX(seq), {2 * width}, '0'))"
        pair = "UNHEX(LPAD(HEX(seq), 4, '0'))"
        character = "CONVERT(CHAR(seq USING utf32) USING utf8mb4)" if binary else f"CONVERT(CHAR(seq USING utf32) USING {charset})"
        step = 1 if FULL else 17
        sources = [f"SELECT seq, {raw} v FROM seq_0_to_255"]
        if width < 4:
            sources.append(f"SELECT 1000 + seq, {pair} FROM seq_0_to_65535 WHERE seq % {step} = 0 OR seq % 256 IN (9, 10, 13, 34, 39, 92, 96) "
                           "OR seq DIV 256 IN (9, 10, 92, 129, 130, 229)")
        sources.append(f"SELECT 100000 + seq, CAST({character} AS BINARY) FROM seq_0_to_1114111 WHERE seq % {step * 29} = 0 OR seq < 3000 "
                       f"OR (seq < 65536 AND seq % {step} = 0)")
        connection = s.connect(database="bytes")
        with connection.cursor() as cursor:
            cursor.execute("SET sql_mode=''")
            for source in sources:
                values = ", ".join(["v"] * len(types))
                source = self.named(source)
                cursor.execute(f"INSERT IGNORE INTO `{charset}` SELECT seq, {values} FROM ({source}) x")
                # text that was cut or got a question mark is not what was meant
                cursor.execute(f"DELETE b FROM `{charset}` b JOIN ({source}) x ON x.seq = b.id WHERE b.c1 IS NULL OR CAST(b.c1 AS BINARY) <> x.v")
        connection.close()

    @staticmethod
    def named(source):
        head, _, rest = source.partition(" FROM ")
        first, _, value = head.removeprefix("SELECT ").partition(", ")
        return f"SELECT {first} seq, {value.removesuffix(' v')} v FROM {rest}"

    def bytes_in(self, charset):
        found = set()
        for value, in self.server.sql(f"SELECT CAST(c1 AS BINARY) FROM bytes.`{charset}`"):
            found |= set(value)
        return found

    def test_every_byte(self):
        s = self.server
        s.sql("CREATE DATABASE bytes")
        chosen = sample(CHARSETS, 4, "character sets")
        for charset in chosen:
            self.fill(charset)
            # UTF-8 has no C0, C1 and above F4 (in three bytes: above EF), the Asian ones have gaps of their own
            impossible = {"utf8mb4": {0xC0, 0xC1, *range(0xF5, 256)}, "utf8mb3": {0xC0, 0xC1, *range(0xF0, 256)},
                          "gbk": {0x80, 0xFF}, "sjis": {0x80, 0xA0, 0xFD, 0xFE, 0xFF}}.get(charset, set())
            missing = set(range(256)) - self.bytes_in(charset) - impossible
            self.assertEqual(missing, set(), charset)
        there_and_back(self, "bytes", "bytes_copy", "--chunk-size", "64K")


class Large(TestCase):
    def test_long_texts(self):
        self.server = s = self.own_server(buffer_pool="256M", log_file_size="256M", extra=["--max-allowed-packet=256M"])
        s.sql("CREATE DATABASE large CHARACTER SET utf8mb4")
        s.sql("CREATE TABLE large.t (id INT PRIMARY KEY, t LONGTEXT, l LONGTEXT CHARACTER SET latin1)")
        s.sql("INSERT INTO large.t VALUES (1, REPEAT('ção \\\\ 😀\\n\\t', 4700000), NULL), (2, NULL, REPEAT('\\\\\\n', 31457280))")
        self.assertGreaterEqual(s.value("SELECT MIN(GREATEST(IFNULL(LENGTH(t), 0), IFNULL(LENGTH(l), 0))) FROM large.t"), 60 << 20)
        path = s.folder / "large.tar"
        s.dbsafe("dump", "large", "-o", path)
        s.dbsafe("restore", path, "--into", "copy")
        query = "SELECT id, SHA2(t, 256), LENGTH(t), SHA2(l, 256), LENGTH(l) FROM {}.t"
        self.assertEqual(s.sql(query.format("large")), s.sql(query.format("copy")))


class TimeZones(TestCase):
    """The server's zone, the session's and the system's are different ones where it is dumped and where it is restored."""

    SETUP = """
        SET time_zone='+00:00';
        CREATE DATABASE zones;
        USE zones;
        CREATE TABLE t (id INT PRIMARY KEY, t TIMESTAMP NULL, t6 TIMESTAMP(6) NULL, made TIMESTAMP NOT NULL DEFAULT '2001-09-09 01:46:40',
                        d DATETIME NOT NULL DEFAULT '2024-03-31 02:30:00', i INT NOT NULL);
        INSERT INTO t (id, t, t6, i) SELECT seq, FROM_UNIXTIME(1711843200 + seq * 600), FROM_UNIXTIME(1729990800.25 + seq * 600), seq FROM seq_1_to_60;
        INSERT INTO t (id, t, t6, i) VALUES (100, '1970-01-01 00:00:01', '2038-01-19 03:14:07.999999', 0), (101, '0000-00-00', NULL, 0);
        CREATE TABLE parts (id INT NOT NULL, t TIMESTAMP NOT NULL, PRIMARY KEY (id, t)) PARTITION BY RANGE (UNIX_TIMESTAMP(t))
          (PARTITION a VALUES LESS THAN (UNIX_TIMESTAMP('2024-03-31 01:00:00')), PARTITION b VALUES LESS THAN MAXVALUE);
        INSERT INTO parts SELECT id, t FROM t WHERE t > '1971-01-01';
        CREATE TABLE history (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING
          PARTITION BY SYSTEM_TIME INTERVAL 1 MONTH STARTS TIMESTAMP'2024-01-01 00:00:00' PARTITIONS 3;
        SET timestamp = 1711846800.123456;
        INSERT INTO history SELECT seq, seq FROM seq_1_to_10;
        SET timestamp = 1711850400;
        UPDATE history SET v = v + 1;
    """

    def test_moved_around_the_world(self):
        first = self.own_server(extra=["--default-time-zone=+09:00"], env={"TZ": "America/New_York"})
        first.sql("SET GLOBAL sql_mode='NO_ENGINE_SUBSTITUTION'")
        first.load(self.SETUP)
        wanted = everything_in(first, "zones")
        path = first.folder / "zones.tar"
        first.dbsafe("dump", "zones", "-o", path, env={"TZ": "Pacific/Chatham"})
        for zone, system in (("SYSTEM", "Europe/Berlin"), ("-11:30", "Asia/Kathmandu")):
            with self.subTest(zone):
                other = self.own_server(extra=[f"--default-time-zone={zone}"], env={"TZ": system})
                other.dbsafe("restore", path, env={"TZ": "America/Sao_Paulo"})
                self.assertEqual(differences(wanted, everything_in(other, "zones")), [])
                other.dbsafe("verify", path, "--live", env={"TZ": "Australia/Lord_Howe"})
                # and what the server computes from them
                query = "SELECT SUM(UNIX_TIMESTAMP(t)), SUM(UNIX_TIMESTAMP(t6)), SUM(UNIX_TIMESTAMP(made)) FROM zones.t"
                self.assertEqual(first.sql(query), other.sql(query))
