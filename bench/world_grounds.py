"""Other grounds for the shop's tools, for bench/world_sides.py: rows in dicts, and rows in SQLite.

Always holds: a ground gives tools all that they need of a context, and keeps no digest.

Knows tables and states; nothing of episodes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import apsw
import orjson

from journeyman.world import Call, Conflict, NotFound, State
from journeyman.world.tables import Table


class Ground(ABC):
    """What tools need of a context, over rows that lie elsewhere."""

    def __init__(self, clock: int, counters: dict[str, int]) -> None:
        self.clock, self.counters = clock, dict(counters)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock, UTC).replace(tzinfo=None)

    def new_id(self, kind: str) -> str:
        self.counters[kind] = self.counters.get(kind, 0) + 1
        return f"{kind}-{self.counters[kind]}"

    @abstractmethod
    def row(self, table: Table[Any], key: str) -> Any:
        """The row of that key, or None."""

    @abstractmethod
    def find(self, table: Table[Any], **columns: Any) -> list[Any]:
        """The rows with these values in these columns, in the order of their keys."""

    @abstractmethod
    def write(self, table: Table[Any], row: Any) -> None:
        """Add the row, or put it in the place of the one with its key."""

    def get(self, table: Table[Any], key: str) -> Any:
        row = self.row(table, key)
        if row is None:
            raise NotFound(f"there is no {key!r} in {table.name}")
        return row

    def each(self, table: Table[Any]) -> Iterator[Any]:
        return iter(self.find(table))

    def put(self, table: Table[Any], row: Any) -> Any:
        table.admit(row, self.row(table, row[0]))
        self.write(table, row)
        return row

    def add(self, table: Table[Any], row: Any) -> Any:
        if self.row(table, row[0]) is not None:
            raise Conflict(f"{table.name} has {row[0]!r} already")
        return self.put(table, row)


class Dicts(Ground):
    def __init__(self, state: State) -> None:
        super().__init__(state.clock, state.counters)
        self.tables = {name: {row[0]: row for row in state.rows(name)} for name in state.tables}

    def row(self, table: Table[Any], key: str) -> Any:
        return self.tables[table.name].get(key)

    def find(self, table: Table[Any], **columns: Any) -> list[Any]:
        wanted = [(table.columns.index(column), value) for column, value in columns.items()]
        rows = self.tables[table.name].values()
        return sorted(row for row in rows if all(row[place] == value for place, value in wanted))

    def write(self, table: Table[Any], row: Any) -> None:
        self.tables[table.name][row[0]] = row


class Sqlite(Ground):
    def __init__(self, state: State) -> None:
        super().__init__(state.clock, state.counters)
        self.connection = apsw.Connection(":memory:", statementcachesize=200)
        for name, table in state.tables.items():
            columns = ", ".join(f'"{column}"' for column in table.columns)
            self.connection.execute(
                f'CREATE TABLE "{name}" ({columns}, PRIMARY KEY ("{table.columns[0]}")) WITHOUT ROWID'
            )
            for column in table.indexes:
                self.connection.execute(f'CREATE INDEX "{name}_{column}" ON "{name}" ("{column}")')
            marks = ", ".join("?" * len(table.columns))
            self.connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', list(state.rows(name)))

    def row(self, table: Table[Any], key: str) -> Any:
        query = f'SELECT * FROM "{table.name}" WHERE "{table.columns[0]}" = ?'
        for found in self.connection.execute(query, (key,)):
            return table.row(*found)
        return None

    def find(self, table: Table[Any], **columns: Any) -> list[Any]:
        where = " AND ".join(f'"{column}" = ?' for column in columns)
        query = f'SELECT * FROM "{table.name}" {"WHERE " + where if where else ""} ORDER BY "{table.columns[0]}"'
        return [table.row(*found) for found in self.connection.execute(query, tuple(columns.values()))]

    def write(self, table: Table[Any], row: Any) -> None:
        marks = ", ".join("?" * len(row))
        self.connection.execute(f'INSERT OR REPLACE INTO "{table.name}" VALUES ({marks})', row)


def called(ground: Ground, tools: dict[str, Any], action: Call) -> str:
    tool = tools[action.tool]
    try:
        return orjson.dumps(tool.function(ground, **tool.bound(action.args))).decode()
    except NotFound as failure:
        return orjson.dumps({"error": failure.kind, "message": str(failure)}).decode()
