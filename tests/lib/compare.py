"""Whether two schemas hold the same, found without dbsafe: by the stock mariadb-dump, and by checksums the server computes."""

import difflib
import re


def _q(name):
    return "`" + name.replace("`", "``") + "`"


def _tables(server, schema):
    """[(name, type)] of the base tables, sequences included, views left out."""
    return [(n, t) for n, t in server.sql(
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema=%s AND table_type<>'VIEW' "
        "ORDER BY CAST(table_name AS BINARY)", (schema,))]


def dump_text(server, schema, tables=(), history=True):
    """
    What mariadb-dump prints, made comparable: rows of a table sorted, the schema's own name replaced.  FLOAT columns are
    printed inexactly by mariadb-dump: compare float_rows too.
    """
    args = ["--skip-dump-date", "--skip-comments", "--order-by-primary", "--hex-blob", "--skip-extended-insert",
            "--single-transaction", "--default-character-set=utf8mb4", "--complete-insert",
            "--max-allowed-packet=1G"]
    if history:
        args.append("--dump-history")
    text = server.client(*args, "--", schema, *tables, program="mariadb-dump", timeout=1200,
                         binary=True).out.decode("utf-8", "surrogateescape")
    text = text.replace(_q(schema) + ".", "`SCHEMA`.")
    lines, rows = [], []
    for line in text.split("\n"):
        if line.startswith("INSERT INTO "):
            rows.append(line)
            continue
        lines += sorted(rows)
        rows = []
        lines.append(line)
    return "\n".join(lines + sorted(rows))


def float_rows(server, schema, tables=()):
    """{(table, column): sorted values as doubles} of the FLOAT columns."""
    found = {}
    for table, column, history in server.sql(
            "SELECT c.table_name, c.column_name, t.table_type FROM information_schema.columns c "
            "JOIN information_schema.tables t USING (table_schema, table_name) "
            "WHERE c.table_schema=%s AND c.data_type='float' AND t.table_type<>'VIEW'", (schema,)):
        if tables and table not in tables:
            continue
        suffix = " FOR SYSTEM_TIME ALL" if history == "SYSTEM VERSIONED" else ""
        found[table, column] = [v for v, in server.sql(
            f"SELECT CAST({_q(column)} AS DOUBLE) v FROM {_q(schema)}.{_q(table)}{suffix} ORDER BY v")]
    return found


def _exact(column, data_type):
    """An SQL expression: the column's whole value as text."""
    c = _q(column)
    if data_type == "float":
        return f"CAST(CAST({c} AS DOUBLE) AS CHAR)"
    if data_type in ("enum", "bit"):
        return f"{c}+0"
    if data_type == "set":
        return f"CAST({c} AS UNSIGNED)"
    if data_type in ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "binary", "varbinary", "tinyblob", "blob",
                     "mediumblob", "longblob", "point", "linestring", "polygon", "multipoint", "multilinestring",
                     "multipolygon", "geometrycollection", "geometry"):
        return f"HEX({c})"
    return f"CAST({c} AS CHAR)"


def table_digests(server, schema, tables=()):
    """
    {table: (CREATE TABLE, rows, checksum)}; the checksum is independent of the rows' order and computed by the server from every
    column's exact value, generated and invisible ones and history rows included.
    """
    def text(value):  # SHOW CREATE TABLE prints a binary default as raw bytes
        return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value

    found = {}
    connection = server.connect(use_unicode=False)
    with connection.cursor() as cursor:
        cursor.execute("SET time_zone='+00:00', sql_mode=''")
        for table, kind in _tables(server, schema):
            if tables and table not in tables:
                continue
            name = f"{_q(schema)}.{_q(table)}"
            cursor.execute("SELECT column_name, data_type FROM information_schema.columns "
                           "WHERE table_schema=%s AND table_name=%s ORDER BY ordinal_position", (schema, table))
            columns = [(text(c), text(t)) for c, t in cursor.fetchall()]
            cursor.execute(f"SHOW CREATE TABLE {name}")
            create = text(cursor.fetchone()[1]).replace(_q(schema) + ".", "`SCHEMA`.")
            suffix = ""
            if kind == "SYSTEM VERSIONED":
                suffix = " FOR SYSTEM_TIME ALL"
                if " PERIOD FOR SYSTEM_TIME " not in create:  # implicit period columns are listed nowhere
                    columns += [("row_start", "timestamp"), ("row_end", "timestamp")]
            values = ",".join(f"IFNULL(CONCAT('=',{_exact(c, t)}),'N')" for c, t in columns)
            half = "CAST(CONV(SUBSTR(h,{},16),16,10) AS DECIMAL(20,0))"
            cursor.execute(f"SELECT COUNT(*), COUNT(h), CAST(SUM({half.format(1)}) AS CHAR), CAST(SUM({half.format(17)}) AS CHAR) "
                           f"FROM (SELECT MD5(CONCAT_WS('/',{values})) h FROM {name}{suffix}) x")
            rows, hashed, low, high = cursor.fetchone()
            if rows != hashed:
                raise AssertionError(f"{name}: {rows - hashed} rows were too long for the server to hash")
            found[table] = (create, rows, f"{text(low)}/{text(high)}")
    connection.close()
    return found


def compare_schemas(server, schema, other_schema, other=None, tables=(), by_dump=True):
    """
    Every difference, as a list of sentences; empty means equal.  other: the second schema's Server, if not the same.
    """
    other = other or server
    left, right = table_digests(server, schema, tables), table_digests(other, other_schema, tables)
    problems = [f"{t}: missing in {other_schema}" for t in left if t not in right]
    problems += [f"{t}: only in {other_schema}" for t in right if t not in left]
    for table in left:
        if table not in right:
            continue
        (create, rows, checksum), (create2, rows2, checksum2) = left[table], right[table]
        if create != create2:
            diff = "\n".join(difflib.unified_diff(create.splitlines(), create2.splitlines(), schema, other_schema, lineterm=""))
            problems.append(f"{table}: definitions differ\n{diff}")
        if rows != rows2:
            problems.append(f"{table}: {rows} rows against {rows2}")
        elif checksum != checksum2:
            problems.append(f"{table}: {rows} rows each, contents differ")
    if by_dump and not problems:
        if dump_text(server, schema, tables) != dump_text(other, other_schema, tables):
            problems.append("mariadb-dump prints different texts")
        if float_rows(server, schema, tables) != float_rows(other, other_schema, tables):
            problems.append("FLOAT values differ")
    return problems


def without_auto_increment(create):
    return re.sub(r" AUTO_INCREMENT=\d+", "", create)
