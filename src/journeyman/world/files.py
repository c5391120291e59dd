"""States on disk: as one text file, and as an SQLite database that other programs can read.

Always holds: what comes back has the digest that went out, or is refused; a file is whole or absent; the text file of
equal states is equal, byte for byte (a header, then a row a line, by table and key).

Knows states. A restored state counts changes from where it was saved.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import apsw

from journeyman.errors import WorldError
from journeyman.world.state import State, header
from journeyman.world.tables import Row, Table, frozen

_FORMAT = "journeyman-state-1"
# What reading comes to that is no state, or nested without end.
_NONE = (ValueError, AttributeError, LookupError, TypeError, RecursionError)
_TYPES = {"string": "TEXT", "integer": "INTEGER", "number": "REAL", "boolean": "INTEGER"}


def text(state: State) -> Iterator[str]:
    """The lines of the text file, without their ends."""
    yield json.dumps({"format": _FORMAT, **header(state), "digest": state.digest}, sort_keys=True)
    for name in sorted(state.tables):
        yield from map(state.tables[name].text, state.rows(name))


def parsed(lines: Iterable[str], tables: Iterable[Table[Any]]) -> State:
    """The state of a text file. WorldError if it is none, or not of these tables, or damaged."""
    known = {table.name: table for table in tables}
    reading = iter(lines)
    try:
        head = json.loads(next(reading, "{}"))
        if head.get("format") != _FORMAT:
            raise WorldError("this is no state of a world", "give a file that save_text has written")
        rows = (json.loads(line) for line in reading)
        among = groupby(rows, key=lambda row: row[0])
        found = {name: [_row(known, values) for values in each] for name, each in among}
    except _NONE as error:
        raise _damaged(f"{type(error).__name__}: {error}") from error
    return _checked(head, known, found)


def save_text(state: State, path: Path) -> None:
    with _whole(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in text(state))
        file.flush()
        os.fsync(file.fileno())


def load_text(path: Path, tables: Iterable[Table[Any]]) -> State:
    try:
        with path.open(encoding="utf-8") as file:
            return parsed((line.rstrip("\n") for line in file), tables)
    except (OSError, UnicodeDecodeError) as error:
        raise WorldError(f"{path} cannot be read: {error}", "give a file that save_text has written") from error


def save_sqlite(state: State, path: Path) -> None:
    """A table for each table, with its columns; lists are JSON; `_world` has the rest."""
    with _whole(path) as partial:
        connection = apsw.Connection(str(partial))
        try:
            connection.pragma("journal_mode", "off")
            with connection:
                connection.execute('CREATE TABLE "_world" (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT')
                meta = {"format": _FORMAT, "digest": state.digest, **header(state)}
                connection.executemany(
                    'INSERT INTO "_world" VALUES (?, ?)', [(name, json.dumps(value)) for name, value in meta.items()]
                )
                for name, table in state.tables.items():
                    connection.execute(_created(table))
                    schemas = table.schema.values()
                    marks = ", ".join("?" for _ in table.columns)
                    cells = (tuple(map(_to_cell, schemas, row)) for row in state.rows(name))
                    connection.executemany(f"INSERT INTO {_quoted(name)} VALUES ({marks})", cells)
        finally:
            connection.close()


def load_sqlite(path: Path, tables: Iterable[Table[Any]]) -> State:
    known = {table.name: table for table in tables}
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            head = {name: json.loads(value) for name, value in connection.execute('SELECT name, value FROM "_world"')}
            found = {
                name: [
                    table.row(*map(_from_cell, table.schema.values(), values))
                    for values in connection.execute(
                        f"SELECT {', '.join(map(_quoted, table.columns))} FROM {_quoted(name)} ORDER BY 1"
                    )
                ]
                for name, table in known.items()
            }
        finally:
            connection.close()
    except (apsw.Error, *_NONE) as error:
        raise _damaged(f"{path}: {error}") from error
    return _checked(head, known, found)


def _checked(head: dict[str, Any], known: dict[str, Table[Any]], rows: dict[str, list[Row]]) -> State:
    try:
        state = State.build(
            known.values(),
            rows,
            clock=head["clock"],
            seed=head["seed"],
            draws=head["draws"],
            counters=head["counters"],
        )
        digest = state.digest
    except KeyError as error:
        raise _damaged(f"it has no {error}") from error
    except (TypeError, ValueError) as error:
        raise _damaged(str(error)) from error
    if digest != head.get("digest"):
        raise _damaged("its digest is another")
    return state


def _damaged(why: str) -> WorldError:
    return WorldError(f"this state cannot be used: {why}", "take another copy of it, or the tables it was made with")


def _row(known: dict[str, Table[Any]], values: list[Any]) -> Row:
    if values[0] not in known:
        raise WorldError(f"there are rows of {values[0]!r}, but no such table", "give the tables it was made with")
    return known[values[0]].parsed(values[1:])


def _created(table: Table[Any]) -> str:
    columns = [f"{_quoted(column)} {_type(table.schema[column])}" for column in table.columns]
    columns[0] += " PRIMARY KEY"
    return f"CREATE TABLE {_quoted(table.name)} ({', '.join(columns)}) WITHOUT ROWID"


def _type(schema: dict[str, Any]) -> str:
    kinds = _kinds(schema) - {"null"}
    return _TYPES.get(kinds.pop(), "") if len(kinds) == 1 else ""


def _to_cell(schema: dict[str, Any], value: Any) -> Any:
    return json.dumps(value) if "array" in _kinds(schema) else value


def _from_cell(schema: dict[str, Any], value: Any) -> Any:
    """A column that may hold lists holds JSON; SQLite has no booleans but 0 and 1."""
    kinds = _kinds(schema)
    if "array" in kinds:
        return frozen(json.loads(value))
    return bool(value) if type(value) is int and "boolean" in kinds else value


def _kinds(schema: dict[str, Any]) -> set[str]:
    return {each.get("type", "") for each in schema.get("anyOf", [schema])}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file beside `path`, which takes its place if all went well."""
    partial = path.parent / f".{path.name}.{os.getpid()}"
    try:
        partial.unlink(missing_ok=True)
        yield partial
        partial.replace(path)
    except (OSError, apsw.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise WorldError(f"{path} cannot be written: {why}", "give another path") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
