"""Sizes and shapes: thousands of tables, difficult names, every kind of key read in parallel, memory, grants."""

import re
import signal
import sys

from lib import FULL, MODE, SANITIZED, TestCase, compare_schemas, expect, rng, run, sample, wait_until
from lib.archive import Archive
from lib.process import SLOWER

MIB = 1 << 20


# The peak of a child is never below that of the process that forked it: a small one in between.
MEASURE = """
import resource, subprocess, sys
rc = subprocess.call(sys.argv[2:])
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(rc)
"""


def peak_bytes(server, *args, timeout=1200):
    """Runs dbsafe with four threads, successfully; its largest resident size."""
    found = server.folder / "peak"
    expect(run([sys.executable, "-c", MEASURE, found, *server.dbsafe_argv([*args, "--threads", "4"])], env=server.dbsafe_env(),
               timeout=timeout), 0)
    return int(found.read_text()) * 1024


def quote(name):
    return "`" + name.replace("`", "``") + "`"


class ManyTables(TestCase):
    COUNT = 5000 if FULL else 500

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)
        statements = ["CREATE DATABASE many;", "USE many;"]
        for i in range(cls.COUNT):
            statements.append(f"CREATE TABLE t{i} (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(50), n INT, UNIQUE KEY (v), KEY (n));")
            statements.append(f"INSERT INTO t{i} (v, n) VALUES ('a', {i}), ('b', NULL);")
        cls.server.load("\n".join(statements) + "\n")

    def test_in_one_archive(self):
        s = self.server
        path = s.folder / "many.tar"
        for _ in range(3):  # the clock also counts what else this machine does
            path.unlink(missing_ok=True)
            result = s.dbsafe("dump", "many", "--threads", "4", "-o", path, "--json")
            if result.seconds < 60 * SLOWER:
                break
        print(f"{self.id()}: {self.COUNT} tables in {result.seconds:.1f} s")
        self.assertEqual(result.json["tables"], self.COUNT)
        self.assertEqual(result.json["rows"], 2 * self.COUNT)
        self.assertLess(result.seconds, 60 * SLOWER)
        verified = s.dbsafe("verify", path, "--json")
        self.assertLess(verified.seconds, 60 * SLOWER)
        s.dbsafe("verify", path, "--live")
        path.unlink()


class Shapes(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)

    def tearDown(self):
        for schema, in self.server.sql("SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN "
                                       "('information_schema', 'performance_schema', 'mysql', 'sys')"):
            self.server.sql(f"DROP DATABASE {quote(schema)}")

    def dump(self, *args, **options):
        path = self.server.folder / "one.tar"
        path.unlink(missing_ok=True)
        result = self.server.dbsafe("dump", *args, "--count-check", "always", "-o", path, **options)
        return Archive(path) if result.rc == 0 else result

    def dumped(self, *args):
        return {f"{t['schema']}.{t['name']}" for t in self.dump(*args).manifest["tables"]}

    def test_an_empty_database(self):
        s = self.server
        s.sql("CREATE DATABASE nothing CHARACTER SET latin1 COLLATE latin1_german2_ci")
        archive = self.dump("nothing")
        self.assertEqual(archive.manifest["tables"], [])
        self.assertEqual([(x["name"], x["collation"]) for x in archive.manifest["schemas"]], [("nothing", "latin1_german2_ci")])
        s.dbsafe("verify", archive.path)
        s.dbsafe("verify", archive.path, "--live")

    def test_tables_without_rows_or_keys(self):
        s = self.server
        s.sql("CREATE DATABASE d")
        s.sql("CREATE TABLE d.empty_keyed (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT=77")
        s.sql("CREATE TABLE d.empty_bare (v TEXT)")
        s.sql("CREATE TABLE d.bare (v INT, w VARCHAR(10))")
        s.sql("INSERT INTO d.bare SELECT seq % 7, IF(seq % 3, 'x', NULL) FROM seq_1_to_5000", schema="mysql")
        s.sql("CREATE TABLE d.one_column (v VARCHAR(3))")
        s.sql("INSERT INTO d.one_column VALUES (''), (NULL), ('a'), ('\\\\N'), ('\\n')")
        s.sql("CREATE TABLE d.only_nulls (v INT NULL UNIQUE)")
        s.sql("INSERT INTO d.only_nulls SELECT NULL FROM seq_1_to_3000", schema="mysql")
        s.sql("CREATE TABLE d.prefix_key (v VARCHAR(100), UNIQUE KEY (v(5)))")
        s.sql("INSERT INTO d.prefix_key VALUES ('aaaaa1'), ('bbbbb2'), (NULL)")
        s.sql("CREATE TABLE d.down_key (a INT NOT NULL, b INT NOT NULL, UNIQUE KEY (a, b DESC))")
        s.sql("INSERT INTO d.down_key SELECT seq, -seq FROM seq_1_to_3000", schema="mysql")
        for threads in (1, 4):
            archive = self.dump("d", "--threads", threads)
            self.assertEqual({t["name"]: t["rows"] for t in archive.manifest["tables"]},
                             {"empty_keyed": 0, "empty_bare": 0, "bare": 5000, "one_column": 5, "only_nulls": 3000, "prefix_key": 3,
                              "down_key": 3000})
            self.assertTrue(all(m["rows"] > 0 for t in archive.manifest["tables"] for m in archive.members(f"d.{t['name']}")))
        s.dbsafe("verify", archive.path)
        s.dbsafe("restore", archive.path, "--into", "e")
        self.assertEqual(compare_schemas(s, "d", "e"), [])

    NAMES = ["it's", 'a "b"', "with space", " leading", "dot.ted", "sl/ash", "back\\slash", "per%cent", "under_score", "ção ÀÉ",
             "日本語", "2024", "1e5", "0x41", "select", "table", "NULL", "tick`tick", "semi;colon", "-- dash", "#hash", "a,b", "(p)", "*",
             "?", "[x]", "$v", "@at", "Case", "case", "é", "e", "tab\there", "new\nline", "x" * 64, "ã" * 64, "..", "~", "&amp;", "<t>",
             ":", "%s%n"]

    def test_difficult_names(self):
        s = self.server
        schema = "it's a `d.b`/100% \\ção\""
        s.sql("CREATE DATABASE " + quote(schema).replace("%", "%%"), ())
        connection = s.connect(database=schema)
        with connection.cursor() as cursor:
            for i, name in enumerate(self.NAMES):
                cursor.execute(f"CREATE TABLE {quote(name)} ({quote(name)} INT PRIMARY KEY, v VARCHAR(64), UNIQUE KEY {quote(name)} (v))"
                               f" COMMENT={connection.escape(name)}")
                cursor.execute(f"INSERT INTO {quote(name)} VALUES ({i}, {connection.escape(name)})")
        connection.close()
        archive = self.dump(quote(schema))
        self.assertEqual(sorted(t["name"] for t in archive.manifest["tables"]), sorted(self.NAMES))
        self.assertTrue(all(re.fullmatch(r"[A-Za-z0-9_./-]+", n) and ".." not in n for n in archive.names), archive.names)
        s.dbsafe("verify", archive.path)
        s.dbsafe("verify", archive.path, "--live")
        s.dbsafe("restore", archive.path, "--into", "copy")
        self.assertEqual(compare_schemas(s, schema, "copy", by_dump=False), [])
        for i, name in enumerate(sample(self.NAMES, 12, "names")):
            with self.subTest(name):
                one = self.dump(f"{quote(schema)}.{quote(name)}")
                self.assertIn(name, [t["name"] for t in one.manifest["tables"]])
                if "*" not in name and "?" not in name:
                    self.assertEqual(len(one.manifest["tables"]), 1)

    def test_databases_with_difficult_names(self):
        s = self.server
        for name in self.NAMES:
            if name.strip() != name or name in ("..",):
                continue
            s.sql(f"CREATE DATABASE {quote(name)}")
            s.sql(f"CREATE TABLE {quote(name)}.t (id INT PRIMARY KEY)")
            s.sql(f"INSERT INTO {quote(name)}.t VALUES (1)")
        count = s.value("SELECT COUNT(*) FROM information_schema.tables WHERE table_name='t'")
        archive = self.dump("--all-databases")
        self.assertEqual(len(archive.manifest["tables"]), count)
        s.dbsafe("verify", archive.path)
        s.dbsafe("verify", archive.path, "--live")
        for name in sample(self.NAMES, 10, "databases"):
            if name in ("*", "?", "..", " leading"):
                continue
            self.assertEqual(self.dumped(quote(name)), {f"{name}.t"})

    def test_patterns(self):
        s = self.server
        for schema, tables in (("app", ["users", "user_log", "config", "log_2023", "log_2024", "x.y", "x"]),
                               ("app2", ["users", "other"]), ("a.b", ["t"]), ("a", ["b", "c"]), ("dbsafe_stage_1", ["t"])):
            s.sql(f"CREATE DATABASE {quote(schema)}")
            for table in tables:
                s.sql(f"CREATE TABLE {quote(schema)}.{quote(table)} (id INT PRIMARY KEY)")
        app = {f"app.{t}" for t in ("users", "user_log", "config", "log_2023", "log_2024", "x.y", "x")}
        everything = app | {"app2.users", "app2.other", "a.b.t", "a.b", "a.c"}
        for args, expected in [
                (["app"], app),
                (["app", "app.users", "app.*"], app),
                (["app.users"], {"app.users"}),
                (["app.user*"], {"app.users", "app.user_log"}),
                (["app.log_????"], {"app.log_2023", "app.log_2024"}),
                (["app.log_?"], None),
                (["app*.users"], {"app.users", "app2.users"}),
                (["app?"], {"app2.users", "app2.other"}),
                (["*.users", "a.c"], {"app.users", "app2.users", "a.c"}),
                (["app.*", "--exclude", "app.log_*"], app - {"app.log_2023", "app.log_2024"}),
                (["app*", "--exclude", "users"], app - {"app.users"} | {"app2.other"}),
                (["app*", "--exclude", "app2"], app),
                (["app", "--exclude", "app.log_*", "--exclude", "config"], app - {"app.log_2023", "app.log_2024", "app.config"}),
                (["app.`x.y`"], {"app.x.y"}),
                (["`app`.`users`"], {"app.users"}),
                (["app.x.y"], {"app.x.y"}),
                (["app.x"], {"app.x"}),
                (["a.b"], {"a.b.t"}),
                (["`a.b`.t"], {"a.b.t"}),
                (["`a`.b"], {"a.b"}),
                (["`a`.`b`"], {"a.b"}),
                (["app.nothing"], None), (["nothing"], None), (["nothing.users"], None), (["app", "app.nothing"], None),
                (["app.Users"], None), (["dbsafe_stage_1"], None), (["mysql"], None), (["app.users`"], None), (["`app"], None),
                (["`app`users"], None), (["`app`.`users`.more"], None), (["app."], None), ([".users"], None),
                (["--all-databases"], everything),
                (["--all-databases", "--exclude", "a*"], None), (["app", "a", "--exclude", "a"], None),
                (["app.users", "--exclude", "users"], None), (["app", "--exclude", "*"], None), (["app.log_*", "--exclude", "app.log*"], None),
                (["--all-databases", "--exclude", "a", "--exclude", "`a.b`", "--exclude", "app2.*"], app)]:
            with self.subTest(args):
                if expected is None:
                    result = self.dump(*args, check=10 if "--exclude" in args else (2, 11))
                    self.assertNotIsInstance(result, Archive)
                    self.assertRegex(result.err, "--exclude leaves out all" if "--exclude" in args else re.escape(args[-1]))
                else:
                    self.assertEqual(self.dumped(*args), expected)
        for args in ([], ["app", "--all-databases"]):
            self.dump(*args, check=2)

    def test_nothing_matches_the_exact_case_only(self):
        """Names that the catalogue's own collation holds for equal are different tables."""
        s = self.server
        s.sql("CREATE DATABASE d")
        for i, name in enumerate(("t", "T", "é", "e", "E", "ss", "ß")):
            s.sql(f"CREATE TABLE d.{quote(name)} (id{i} INT PRIMARY KEY, c{i} VARCHAR(5) UNIQUE)")
            s.sql(f"INSERT INTO d.{quote(name)} VALUES ({i}, {i})")
        archive = self.dump("d")
        for i, name in enumerate(("t", "T", "é", "e", "E", "ss", "ß")):
            table = archive.table(f"d.{name}")
            self.assertEqual([c["name"] for c in table["columns"]], [f"id{i}", f"c{i}"], name)
            self.assertEqual(archive.rows(f"d.{name}"), [[str(i).encode(), str(i).encode()]])
        self.assertEqual(self.dumped("d.e"), {"d.e"})
        self.assertEqual(self.dumped("d.T"), {"d.T"})


class Keys(TestCase):
    """Tables large enough to be split while they are read: ranges tile whatever the key is."""

    ROWS = 400000 if FULL else 60000
    PAD = 420
    # name: key columns, key, the values of row n
    TABLES = {
        "ints": ("id INT", "PRIMARY KEY (id)", "n"),
        "negative_and_sparse": ("id BIGINT", "PRIMARY KEY (id)",
                                "CASE WHEN n <= 10 THEN -9223372036854775809 + n WHEN n % 2 THEN n * 3 - 100000 "
                                "ELSE 4000000000 + n * 1000000007 END"),
        "huge_gap": ("id BIGINT", "PRIMARY KEY (id)", "IF(n = 1, -9223372036854775808, IF(n = 2, 9223372036854775807, n + 123456789012))"),
        "bigint_unsigned": ("id BIGINT UNSIGNED", "PRIMARY KEY (id)", "IF(n < 100, n - 1, 18446744073709551615 - (n - 100) * 3)"),
        "tinyint_first": ("a TINYINT, b INT UNSIGNED", "PRIMARY KEY (a, b)", "n % 5 - 2, n"),
        "skewed_tenants": ("tenant SMALLINT, id BIGINT", "PRIMARY KEY (tenant, id)", "IF(n % 10, 1, n % 7 + 2), n"),
        "int_and_text": ("a INT, b VARCHAR(30) COLLATE utf8mb4_unicode_ci", "PRIMARY KEY (a, b)",
                         "n DIV 5000, CONCAT(IF(n % 2, 'Ä', 'k'), n * 7 % 1000003)"),
        "three_columns": ("d DATE, a VARCHAR(10) CHARACTER SET latin1, b DECIMAL(8,2)", "PRIMARY KEY (d, a, b)",
                          "'2000-01-01' + INTERVAL n % 13 DAY, ELT(n % 3 + 1, '', 'é', 'Z'), n / 100"),
        "text_ci": ("k VARCHAR(60) COLLATE utf8mb4_unicode_ci", "PRIMARY KEY (k)",
                    "CONCAT(ELT(n % 4 + 1, 'é', 'E', 'z', '\\\\'), IF(n % 3, MD5(n), UPPER(MD5(n))))"),
        "text_bin_latin1": ("k CHAR(40) CHARACTER SET latin1 COLLATE latin1_bin", "PRIMARY KEY (k)", "CONCAT(MD5(n), 'ã')"),
        "text_utf16": ("k VARCHAR(40) CHARACTER SET utf16", "PRIMARY KEY (k)", "CONCAT('ж', n, \"'\")"),
        "uuids": ("k UUID", "PRIMARY KEY (k)",
                  "CONCAT(LEFT(MD5(n), 8), '-', MID(MD5(n), 9, 4), '-4', MID(MD5(n), 14, 3), '-8', MID(MD5(n), 18, 3), '-', RIGHT(MD5(n), 12))"),
        "inet6s": ("k INET6", "PRIMARY KEY (k)", "CONCAT('2001:db8:', HEX(n % 3), '::', HEX(n DIV 65536), ':', HEX(n % 65536))"),
        "floats": ("k FLOAT", "PRIMARY KEY (k)", "(n - 20000) * 1.1"),
        "doubles": ("k DOUBLE", "PRIMARY KEY (k)", "IF(n % 2, 1, -1) * EXP(n / 1000) / 7"),
        "decimals": ("k DECIMAL(40,10)", "PRIMARY KEY (k)", "(n - 20000) * 1234567890123456.0000000001"),
        "dates": ("k DATE", "PRIMARY KEY (k)", "IF(n = 1, '0000-00-00', '1000-01-01' + INTERVAL n DAY)"),
        "datetimes": ("k DATETIME(6)", "PRIMARY KEY (k)", "'1990-03-04 05:06:07' + INTERVAL n * 1234567 MICROSECOND"),
        "timestamps": ("k TIMESTAMP(3) NOT NULL", "PRIMARY KEY (k)", "FROM_UNIXTIME(1000000000 + n * 1000.001)"),
        "times": ("k TIME(6)", "PRIMARY KEY (k)", "SEC_TO_TIME((n - 30000) * 7.123456)"),
        "varbinaries": ("k VARBINARY(20)", "PRIMARY KEY (k)", "IF(n = 1, '', UNHEX(CONCAT(MD5(n), IF(n % 2, '00', ''))))"),
        "binaries": ("k BINARY(16)", "PRIMARY KEY (k)", "UNHEX(CONCAT(LEFT(MD5(n), 28), '0000'))"),
        "nullable_int": ("k INT NULL", "UNIQUE KEY (k)", "IF(n % 5, n, NULL)"),
        "nullable_text": ("k VARCHAR(40) NULL", "UNIQUE KEY (k)", "IF(n % 3, MD5(n), NULL)"),
        "second_key": ("z INT NULL, k INT NOT NULL", "UNIQUE KEY a (z), UNIQUE KEY b (k)", "IF(n % 2, n, NULL), -n"),
        "enum_key": ("e ENUM('a', 'b'), k INT NOT NULL", "PRIMARY KEY (e, k)", "1 + n % 2, n"),
        "no_key": ("k INT", "KEY (k)", "n % 1000"),
    }
    ONE_READER = {"enum_key", "no_key"}
    CHOSEN = sample(TABLES, 9, "keys")

    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True, buffer_pool="256M", log_file_size="512M")
        s = cls.server
        s.sql("CREATE DATABASE tiles")
        s.sql("SET GLOBAL sql_mode='NO_ENGINE_SUBSTITUTION', GLOBAL time_zone='+00:00'")
        rows = {"dates": min(cls.ROWS, 3000000)}
        for name in cls.CHOSEN:
            columns, key, values = cls.TABLES[name]
            s.sql(f"CREATE TABLE tiles.{name} ({columns}, pad VARCHAR(500) CHARACTER SET latin1, {key})")
            s.sql(f"INSERT INTO tiles.{name} SELECT {values}, REPEAT(CHAR(97 + n % 26), {cls.PAD}) FROM "
                  f"(SELECT CAST(seq AS SIGNED) n FROM seq_1_to_{rows.get(name, cls.ROWS)}) x", schema="mysql")
        for name in cls.CHOSEN:
            s.sql(f"ANALYZE TABLE tiles.{name}")
        s.sql("SET GLOBAL log_output='TABLE'")

    def dump(self, *args):
        path = self.server.folder / "tiles.tar"
        path.unlink(missing_ok=True)
        self.server.dbsafe("dump", *args, "--count-check", "always", "-o", path)
        return Archive(path)

    @staticmethod
    def figures(archive):
        return {t["name"]: (t["rows"], t["checksum"], t["plain_bytes"]) for t in archive.manifest["tables"]}

    def test_all_at_once(self):
        """Four readers in many members give what one reader gives, and what the server counts."""
        many = self.dump("tiles", "--threads", "4", "--chunk-size", "256K")
        one = self.dump("tiles", "--threads", "1", "--chunk-size", "4M")
        self.assertEqual(self.figures(many), self.figures(one))
        for name in self.CHOSEN:
            self.assertEqual(self.figures(one)[name][0], self.server.value(f"SELECT COUNT(*) FROM tiles.{name}"), name)
            self.assertTrue(many.table(f"tiles.{name}")["counted"])
        self.server.dbsafe("verify", one.path, "--live", "--threads", "4")

    def readers(self, name):
        """How many connections read rows of the table, as the server saw it; and the number of queries."""
        found = self.server.sql("SELECT thread_id, CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE command_type='Query' AND "
                                f"argument LIKE 'SELECT%FROM `tiles`.`{name}`%'")
        found = [(i, q) for i, q in found if " OFFSET " not in q and "COUNT(*)" not in q and "MIN(" not in q]
        return len({i for i, _ in found}), len(found)

    def test_each_is_read_by_several(self):
        r, seen = rng("members"), {}
        for name in self.CHOSEN:
            with self.subTest(name):
                self.server.sql("SET GLOBAL general_log=0")
                self.server.sql("TRUNCATE mysql.general_log")
                self.server.sql("SET GLOBAL general_log=1")
                archive = self.dump(f"tiles.{name}", "--threads", "4", "--chunk-size", "256K")
                self.server.sql("SET GLOBAL general_log=0")
                readers, queries = self.readers(name)
                seen[name] = f"{readers}/{queries}"
                members = archive.members(f"tiles.{name}")
                self.assertGreater(len(members), 50)
                key = archive.table(f"tiles.{name}")["key"]
                if name in self.ONE_READER:
                    self.assertEqual((readers, queries), (1, 1))
                    self.assertIsNone(key)
                    continue
                self.assertGreaterEqual(readers, 2, f"{queries} queries")
                self.check_members(name, [m for m in members if m["key_first"]], r)
        print(f"{self.id()}: readers/queries {seen}")

    def test_few_wide_rows_are_shared_too(self):
        s = self.server
        s.sql("CREATE TABLE tiles.wide (id INT PRIMARY KEY, b LONGBLOB)")
        self.addCleanup(s.sql, "DROP TABLE tiles.wide")
        s.sql("INSERT INTO tiles.wide SELECT seq, REPEAT(CHAR(97 + seq % 26), 600000) FROM seq_1_to_150", schema="mysql")
        s.sql("ANALYZE TABLE tiles.wide")
        s.load("SET GLOBAL general_log=0;\nTRUNCATE mysql.general_log;\nSET GLOBAL general_log=1;\n")
        archive = self.dump("tiles.wide", "--threads", "4")
        s.sql("SET GLOBAL general_log=0")
        readers, queries = self.readers("wide")
        self.assertGreaterEqual(readers, 2, f"{queries} queries")
        self.assertEqual(archive.table("tiles.wide")["rows"], 150)
        s.dbsafe("verify", archive.path, "--live")

    def check_members(self, name, members, r):
        """The server finds in a member's printed key range exactly the member's rows, and no two ranges share a bound."""
        columns = self.TABLES[name][0].split(",") if name != "second_key" else ["k INT"]
        key = ", ".join(c.split()[0] for c in columns if "(" not in c.split()[0] and not c[0].isdigit())
        bounds = [m["key_first"] for m in members] + [m["key_last"] for m in members if m["rows"] > 1]
        self.assertEqual(len(bounds), len(set(bounds)))
        for m in r.sample(members, 3):
            first, last = m["key_first"], m["key_last"]
            if name in ("floats", "doubles"):  # bounds of one column: parentheses alone
                first, last = first.strip("()"), last.strip("()")
            count = self.server.value(f"SELECT COUNT(*) FROM tiles.{name} WHERE ({key}) >= {first} AND ({key}) <= {last}", schema="tiles")
            self.assertEqual(count, m["rows"], f"{name}: {first} to {last}")


class Memory(TestCase):
    LIMIT = 256 * MIB
    SIZE = 2048 * MIB if FULL else 256 * MIB

    @classmethod
    def setUpClass(cls):
        if SANITIZED or MODE == "cov":
            raise cls.skipTest(cls, "memory of an instrumented build says nothing")
        cls.server = cls.use_server(binlog=False, buffer_pool="256M", log_file_size="512M")
        cls.server.sql("CREATE DATABASE big")

    def table(self, name, value, row_bytes, size):
        s = self.server
        rows = size // row_bytes
        s.sql(f"CREATE TABLE big.{name} (id INT PRIMARY KEY, v MEDIUMBLOB)")
        self.addCleanup(s.sql, f"DROP TABLE IF EXISTS big.{name}")
        for start in range(1, rows + 1, 64 * MIB // row_bytes):  # of a size the undo log likes
            end = min(rows, start + 64 * MIB // row_bytes - 1)
            s.sql(f"INSERT INTO big.{name} SELECT seq, {value} FROM seq_{start}_to_{end}", schema="mysql")
        s.sql(f"ANALYZE TABLE big.{name}")

    def check(self, name, into, limit=None, **env):
        s = self.server
        limit = limit or self.LIMIT
        archive = s.folder / "big.tar"
        archive.unlink(missing_ok=True)
        peaks = {}
        for what, args in (("dump", ["dump", f"big.{name}", "-o", archive]), ("verify", ["verify", archive]),
                           ("restore", ["restore", archive, "--into", into])):
            peaks[what] = peak_bytes(s, *args)
        print(f"{self.id()}: peak " + ", ".join(f"{k} {v / MIB:.0f} MiB" for k, v in peaks.items()))
        self.addCleanup(s.sql, f"DROP DATABASE IF EXISTS {into}")
        for what, peak in peaks.items():
            self.assertLessEqual(peak, limit, f"{what}: {peak / MIB:.0f} MiB")
        self.assertEqual(s.sql(f"SELECT COUNT(*), SUM(CRC32(v)) FROM big.{name}"), s.sql(f"SELECT COUNT(*), SUM(CRC32(v)) FROM {into}.{name}"))
        archive.unlink()

    def test_text(self):
        self.table("texts", "REPEAT(MD5(seq), 16)", 512, self.SIZE if FULL else self.SIZE // 2)
        self.check("texts", "texts_copy")

    def test_what_cannot_be_compressed(self):
        """The stored members are as large as the text, and every byte may be escaped."""
        self.table("noise", "RANDOM_BYTES(1024)" if self.has_random_bytes() else
                   "UNHEX(CONCAT(" + ",".join(f"SHA2(CONCAT(seq, '/{i}'), 512)" for i in range(16)) + "))", 1024, self.SIZE)
        self.check("noise", "noise_copy")

    def has_random_bytes(self):
        try:
            self.server.sql("SELECT RANDOM_BYTES(1)")
            return True
        except Exception:
            return False

    def test_rows_of_a_few_megabytes(self):
        """Below the size from which a row goes in pieces."""
        self.table("wide", "REPEAT(SHA2(seq, 512), 65536)", 8 * MIB, self.SIZE)
        self.check("wide", "wide_copy", limit=512 * MIB)


class LargeRow(TestCase):
    def test_64_mebibytes(self):
        s = self.own_server(buffer_pool="256M", log_file_size="512M", extra=["--max-allowed-packet=1G"])
        s.sql("CREATE DATABASE large")
        s.sql("CREATE TABLE large.b (id INT PRIMARY KEY, v LONGBLOB, t LONGTEXT)")
        s.sql("INSERT INTO large.b SELECT 1, REPEAT(UNHEX('00095C0A27FF41'), 9586980), 'small'")  # most bytes are escaped
        s.sql("INSERT INTO large.b VALUES (2, '', REPEAT('ção\\\\', 3000000)), (3, NULL, NULL)")
        s.sql("INSERT INTO large.b SELECT seq, REPEAT(MD5(seq), 600000), 'x' FROM seq_4_to_7", schema="mysql")
        self.assertGreaterEqual(s.value("SELECT LENGTH(v) FROM large.b WHERE id=1"), 64 * MIB - 7)
        path = s.folder / "large.tar"
        peaks = {}
        for what, args in (("dump", ["dump", "large", "-o", path]), ("verify", ["verify", path]), ("live", ["verify", path, "--live"]),
                           ("restore", ["restore", path, "--into", "copy"])):
            peaks[what] = peak_bytes(s, *args)
        print(f"{self.id()}: peak " + ", ".join(f"{k} {v / MIB:.0f} MiB" for k, v in peaks.items()))
        if not SANITIZED and MODE != "cov":
            for what, peak in peaks.items():
                self.assertLessEqual(peak, 512 * MIB, f"{what}: {peak / MIB:.0f} MiB")
        self.assertEqual(s.sql("SELECT id, SHA2(v, 256), SHA2(t, 256), LENGTH(v) FROM large.b"),
                         s.sql("SELECT id, SHA2(v, 256), SHA2(t, 256), LENGTH(v) FROM copy.b"))

    def test_larger_than_the_server_sends(self):
        """max_allowed_packet of the server cuts a row off: an error, never a NULL."""
        s = self.own_server(extra=["--max-allowed-packet=64M"])
        s.sql("CREATE DATABASE large")
        s.sql("CREATE TABLE large.b (id INT PRIMARY KEY, v LONGBLOB, w LONGBLOB)")
        s.sql("INSERT INTO large.b VALUES (1, REPEAT('a', 40000000), NULL), (2, 'x', 'y')")
        s.sql("UPDATE large.b SET w=REPEAT('b', 40000000) WHERE id=1")
        path = s.folder / "large.tar"
        result = s.dbsafe("dump", "large", "-o", path, check=(0, 4))
        if result.rc == 4:
            self.assertIn("large.b", result.err)
            self.assertFalse(path.exists())
        else:
            s.dbsafe("verify", path, "--live")
            self.assertEqual(len(Archive(path).text("large.b")), 80000000 + len("1\t\t\n2\tx\ty\n"))


class Grants(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.use_server(binlog=True)
        cls.server.load_chatbot(2000)
        cls.server.sql("CREATE DATABASE other")
        cls.server.sql("CREATE TABLE other.secret (id INT PRIMARY KEY)")

    def test_select_is_enough(self):
        s = self.server
        for grants in (["SELECT, SHOW VIEW, LOCK TABLES, TRIGGER ON glpi_select.*"], ["SELECT, SHOW VIEW ON glpi_select.*"],
                       ["SELECT ON glpi_select.*"], ["SELECT ON glpi_select.chatbot_users", "SELECT ON glpi_select.chatbot_config"]):
            with self.subTest(grants):
                account = s.account(*grants)
                result = s.dbsafe("dump", "glpi_select", "--json", defaults_file=account).json
                self.assertEqual(result["tables"], len(grants) if len(grants) > 1 else 4)
                s.dbsafe("verify", result["archive"])
                s.dbsafe("verify", result["archive"], "--live", defaults_file=account)
                s.dbsafe("verify", result["archive"], "--live")

    def test_others_are_not_seen(self):
        s = self.server
        account = s.account("SELECT ON glpi_select.*")
        s.dbsafe("dump", "other", check=11, defaults_file=account)
        s.dbsafe("dump", "glpi_select", "other", check=11, defaults_file=account)
        self.assertEqual(s.dbsafe("dump", "--all-databases", "--json", defaults_file=account).json["tables"], 4)

    def test_a_table_that_may_not_be_read(self):
        """Visible, but without SELECT: named, not left out in silence."""
        s = self.server
        account = s.account("INSERT ON glpi_select.chatbot_messages", "SELECT ON glpi_select.chatbot_users")
        result = s.dbsafe("dump", "glpi_select", check=4, defaults_file=account)
        self.assertIn("chatbot_messages", result.err)
        account = s.account("SELECT (id, name) ON glpi_select.chatbot_users")
        result = s.dbsafe("dump", "glpi_select", check=4, defaults_file=account)
        self.assertIn("chatbot_users", result.err)

    def test_a_grant_that_ends_in_mid_dump(self):
        s = self.server
        account = s.account("SELECT ON glpi_select.*")
        user = account.stem
        path = s.folder / "cut.tar"
        found = s.dbsafe_start("dump", "glpi_select", "-o", path, "--threads", "1", defaults_file=account,
                               env={"DBSAFE_FAULT": "stop:scan_query:2"})
        self.addCleanup(lambda: found.running() and found.kill())
        wait_until(lambda: found.stopped() or not found.running(), what="the stop")
        s.sql(f"REVOKE SELECT ON glpi_select.* FROM {user}@localhost")
        found.signal(signal.SIGCONT)
        result = found.finish(30)
        self.assertEqual(result.rc, 4, str(result))
        self.assertIn("chatbot_", result.err)
        self.assertFalse(path.exists())
