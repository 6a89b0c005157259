"""
All that some databases hold, found without dbsafe: definitions as the server prints them, byte for byte; what information_schema says;
rows.  Two pictures of it are compared key by key, so that one can be kept from before a database was dropped.
"""

import re

from .compare import _q, table_digests

# Columns that differ from one creation to the next, or are guesses of the engine.
VOLATILE = {
    "CREATE_TIME", "UPDATE_TIME", "CHECK_TIME", "CREATED", "LAST_ALTERED", "LAST_EXECUTED", "TABLE_ROWS", "AVG_ROW_LENGTH", "DATA_LENGTH",
    "MAX_DATA_LENGTH", "INDEX_LENGTH", "DATA_FREE", "MAX_INDEX_LENGTH", "CARDINALITY", "CHECKSUM", "ORIGINATOR", "TEMPORARY",
}
# information_schema table -> the column that names the database.
CATALOGUE = {
    "SCHEMATA": "SCHEMA_NAME", "TABLES": "TABLE_SCHEMA", "COLUMNS": "TABLE_SCHEMA", "STATISTICS": "TABLE_SCHEMA",
    "KEY_COLUMN_USAGE": "TABLE_SCHEMA", "TABLE_CONSTRAINTS": "CONSTRAINT_SCHEMA", "REFERENTIAL_CONSTRAINTS": "CONSTRAINT_SCHEMA",
    "CHECK_CONSTRAINTS": "CONSTRAINT_SCHEMA", "PARTITIONS": "TABLE_SCHEMA", "VIEWS": "TABLE_SCHEMA", "ROUTINES": "ROUTINE_SCHEMA",
    "PARAMETERS": "SPECIFIC_SCHEMA", "TRIGGERS": "TRIGGER_SCHEMA", "EVENTS": "EVENT_SCHEMA",
}


def _text(value):
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


class _Looker:
    """A connection that is given bytes as they are."""

    def __init__(self, server):
        self.connection = server.connect(use_unicode=False)
        self.cursor = self.connection.cursor()
        self.run("SET time_zone='+00:00', sql_mode=''")

    def run(self, statement, args=None):
        self.cursor.execute(statement, args)
        return self.cursor.fetchall()

    def raw(self, schema, statement):
        """What SHOW CREATE prints in its own character set, with that schema as the current one."""
        self.run(f"USE {_q(schema)}")
        self.run("SET character_set_results=NULL")
        try:
            return self.run(statement)[0]
        finally:
            self.run("SET character_set_results=utf8mb4")

    def names(self, column, table, schema_column, schema):
        return [_text(n) for n, in self.run(f"SELECT {column} FROM information_schema.{table} WHERE {schema_column}=%s "
                                           f"AND CAST({schema_column} AS BINARY)=%s", (schema, schema))]


def _as_text(column, value):
    value = _text(value)
    if column == "CREATE_OPTIONS" and value:  # Aria's default counts as given once SHOW CREATE TABLE has printed it
        value = value.replace("page_checksum=1", "").strip()
    return f"{column}={value}"


def _catalogue(look, schema, found):
    for table, schema_column in CATALOGUE.items():
        rows = look.run(f"SELECT * FROM information_schema.{table} WHERE {schema_column}=%s", (schema,))
        columns = [d[0].upper() for d in look.cursor.description]
        kept = [i for i, c in enumerate(columns) if c not in VOLATILE]
        found["catalogue", table, schema] = sorted(
            (tuple(_as_text(columns[i], row[i]) for i in kept) for row in rows), key=str)


def _definitions(look, schema, found):
    for kind, name in look.run("SELECT table_type, table_name FROM information_schema.tables WHERE table_schema=%s "
                               "AND table_type IN ('VIEW','SEQUENCE')", (schema,)):
        kind, name = _text(kind).lower(), _text(name)
        row = look.raw(schema, f"SHOW CREATE {kind} {_q(name)}")
        if kind == "sequence":
            row = (*row, *look.run(f"SELECT * FROM {_q(schema)}.{_q(name)}")[0])
        found[kind, schema, name] = row
    for kind, name in look.run("SELECT routine_type, routine_name FROM information_schema.routines WHERE CAST(routine_schema AS BINARY)=%s", (schema,)):
        found[_text(kind).lower(), schema, _text(name)] = look.raw(schema, f"SHOW CREATE {_text(kind)} {_q(_text(name))}")
    for name in look.names("trigger_name", "triggers", "trigger_schema", schema):
        found["trigger", schema, name] = look.raw(schema, f"SHOW CREATE TRIGGER {_q(name)}")[:6]  # without the time
    for name in look.names("event_name", "events", "event_schema", schema):
        found["event", schema, name] = look.raw(schema, f"SHOW CREATE EVENT {_q(name)}")


def _views(look, schema, found):
    """The rows of each view, or why there are none."""
    for name in look.names("table_name", "views", "table_schema", schema):
        try:
            rows = look.run(f"SELECT * FROM {_q(schema)}.{_q(name)}")
            found["rows of view", schema, name] = sorted(map(str, rows))
        except Exception as e:  # a broken one must be broken in the same way
            found["rows of view", schema, name] = e.args[0]


def everything_in(server, *schemas, rename=None, but=()):
    """
    {key: value} of all that these databases hold.  rename: {old: new} database names, to compare with another database;
    but: kinds that are left out ("event", "trigger", ...).
    """
    look = _Looker(server)
    found = {}
    for schema in schemas:
        if not look.run("SELECT 1 FROM information_schema.schemata WHERE schema_name=%s", (schema,)):
            continue
        _definitions(look, schema, found)
        _views(look, schema, found)
        _catalogue(look, schema, found)
        for table, (create, rows, checksum) in table_digests(server, schema).items():
            if ("sequence", schema, table) not in found:  # their rows are there already
                found["table", schema, table] = (create, rows, checksum)
    look.connection.close()
    found = {k: v for k, v in found.items() if k[0] not in but}
    return _renamed(found, rename) if rename else found


def _renamed(value, rename):
    if isinstance(value, dict):
        return {_renamed(k, rename): _renamed(v, rename) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        changed = [_renamed(v, rename) for v in value]
        return tuple(changed) if isinstance(value, tuple) else sorted(changed, key=str)
    for old, new in rename.items():
        if value == old:
            return new
        if isinstance(value, str):
            value = value.replace(_q(old) + ".", _q(new) + ".")
            value = re.sub(r"^([A-Z_]*SCHEMA[A-Z_]*)=" + re.escape(old) + "$", rf"\1={new}", value)
        elif isinstance(value, bytes):
            value = value.replace((_q(old) + ".").encode(), (_q(new) + ".").encode())
    return value


def _difference(key, left, right):
    if isinstance(left, list) and isinstance(right, list):
        gone, new = [x for x in left if x not in right], [x for x in right if x not in left]
        detail = "".join(f"\n  - {x}" for x in gone[:4]) + "".join(f"\n  + {x}" for x in new[:4])
    else:
        detail = f"\n  - {left}\n  + {right}"
    return " ".join(map(str, key)) + ": different" + detail


def differences(before, after):
    """Every difference between two pictures, as a list of sentences; empty means equal."""
    problems = [" ".join(map(str, k)) + ": missing" for k in before if k not in after]
    problems += [" ".join(map(str, k)) + ": was not there before" for k in after if k not in before]
    return problems + [_difference(k, before[k], after[k]) for k in before if k in after and before[k] != after[k]]
