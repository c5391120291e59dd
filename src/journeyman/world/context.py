"""What a tool sees of its world: rows to read and write, the clock, new ids, chance.

    def cancel(here: Context, order: OrderId) -> dict[str, str]:
        row = here.get(ORDERS, order)
        here.put(ORDERS, row._replace(status="cancelled"))

Always holds: nothing a tool does reaches the state before it has returned; rows keep their tables' types, checks and
references at every write; a read writes nothing, draws nothing, and moves no clock; a row that a call writes carries
the weakest tier that the call has read.

Knows state; nothing of how tools are called.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from journeyman.errors import WorldError
from journeyman.world import chance
from journeyman.world.outcome import Conflict, NotFound, Tier
from journeyman.world.state import Contents, State, missing_references
from journeyman.world.tables import Row, Table

R = TypeVar("R", bound=tuple[Any, ...])
T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1)


class Context:
    """One for each call."""

    __slots__ = (
        "_clock",
        "_contents",
        "_counters",
        "_draws",
        "_log",
        "_state",
        "_writes",
        "tier",
    )

    def __init__(self, state: State, writes: bool, tier: Tier) -> None:
        self._state = state
        self._contents = state.contents
        self._writes = writes
        self._clock = state.clock
        self.tier = tier  # the weakest that went into the answer
        if writes:
            self._draws = state.draws
            self._counters = state.counters
            self._log = state.log

    # -- reading

    def get(self, table: Table[R], key: str) -> R:
        """The row of that key. NotFound if there is none."""
        row = self._contents[table.name].rows.get(key)
        if row is None:
            raise NotFound(f"there is no {key!r} in {table.name}")
        if table.tier is not None:
            self._weaken(row[table.tier])
        return row  # pyright: ignore[reportReturnType]  # a table holds rows of its own kind

    def has(self, table: Table[Any], key: str) -> bool:
        row = self._contents[table.name].rows.get(key)
        if row is not None and table.tier is not None:
            self._weaken(row[table.tier])
        return row is not None

    def find(self, table: Table[R], **columns: Any) -> list[R]:
        """The rows with these values in these columns, in the order of their keys. Indexed columns cost what they
        give; others, as much as the table."""
        contents = self._contents[table.name]
        rows: Any = contents.rows
        within, rest = contents.keys, []
        for column, value in columns.items():
            at = table.indexed.get(column)
            if at is None or within is not contents.keys:
                rest.append((table.columns.index(column), value))
                continue
            within = contents.indexes[at].get(value)
            if within is None:
                return []
        found = [rows[key] for part in within for key in part]
        for place, value in rest:
            found = [row for row in found if row[place] == value]
        if table.tier is not None:
            for row in found:
                self._weaken(row[table.tier])
        return found

    def each(self, table: Table[R]) -> Iterator[R]:
        """All rows, in the order of their keys."""
        return iter(self.find(table))

    def count(self, table: Table[Any]) -> int:
        """How many rows there are. Where rows have tiers, it costs as much as the table."""
        rows = self._contents[table.name].rows
        if table.tier is not None:
            for row in rows.values():
                self._weaken(row[table.tier])
        return len(rows)

    @property
    def clock(self) -> int:
        """Seconds."""
        return self._clock

    @property
    def now(self) -> datetime:
        """The clock as seconds since 1970, in UTC and without a zone."""
        return _EPOCH + timedelta(seconds=self._clock)

    # -- writing

    def put(self, table: Table[R], row: R) -> R:
        """Add this row, or put it in the place of the one with its key. Conflict if the table does not admit it."""
        return self._put(table, row, self._contents[table.name].rows.get(row[0]))

    def add(self, table: Table[R], row: R) -> R:
        """Add this row. Conflict if its key is used."""
        if row[0] in self._contents[table.name].rows:
            raise Conflict(f"{table.name} has {row[0]!r} already")
        return self._put(table, row, None)

    def _put(self, table: Table[R], row: R, old: Row | None) -> R:
        if table.tier is not None:
            place = table.tier
            row = table.changed(row, place, max(row[place], int(self.tier)))
        table.admit(row, old)
        if table.targets and (missing := missing_references(table, row, self._contents, old)):
            raise Conflict(f"{table.name} {row[0]!r} refers to {missing[0]}, which is not there")
        self._write(table, row[0], old, row)
        return row

    def remove(self, table: Table[Any], key: str) -> None:
        """NotFound if it is not there; Conflict if another row refers to it."""
        old = self._contents[table.name].rows.get(key)
        if old is None:
            raise NotFound(f"there is no {key!r} in {table.name}")
        for other in self._state.tables.values():
            for column, target in other.references.items():
                if target == table.name and self._refers(other, column, key):
                    raise Conflict(f"{table.name} {key!r} is still referred to by {other.name}")
        self._write(table, key, old, None)

    def new_id(self, kind: str) -> str:
        """The next number of its kind: `new_id("R")` gives R-1, R-2 and so on."""
        self._mark_written()
        if self._counters is self._state.counters:
            self._counters = dict(self._counters)
        number = self._counters.get(kind, 0) + 1
        self._counters[kind] = number
        return f"{kind}-{number}"

    def below(self, bound: int) -> int:
        """A random number from 0 to `bound` - 1."""
        self._mark_written()
        self._draws += 1
        return chance.draw(self._state.seed, self._draws, bound)

    def choice(self, items: Sequence[T]) -> T:
        """One of them at random."""
        return items[self.below(len(items))]

    def wait(self, seconds: int) -> None:
        """Move the clock on."""
        self._mark_written()
        if seconds < 0:
            raise Conflict("time does not go back")
        self._clock += seconds

    # -- for the world

    def result(self) -> State:
        """The state after the call."""
        if not self._writes:
            return self._state
        state = self._state
        return State(
            state.tables,
            self._contents,
            self._clock,
            state.seed,
            self._draws,
            self._counters,
            state.touched,
            self._log,
            state.summed,
        )

    def _write(self, table: Table[Any], key: str, old: Row | None, new: Row | None) -> None:
        self._mark_written()
        if old == new:
            return
        if self._contents is self._state.contents:
            self._contents = self._contents.copy()
        name = table.name
        contents: Contents = self._contents[name]
        self._contents[name] = contents.replaced(table, key, old, new)
        self._log = (self._log, table, old, new, 1 if self._log is None else self._log[4] + 1)

    def _mark_written(self) -> None:
        if not self._writes:
            raise WorldError("a tool that is declared as a read tries to write", "declare it with @write")

    def _refers(self, other: Table[Any], column: str, key: str) -> bool:
        contents = self._contents[other.name]
        index = contents.indexes[other.indexed[column]]
        if key in index:
            return True
        return any(type(value) is tuple and key in value for value in index)

    def _weaken(self, tier: int) -> None:
        if tier > self.tier:
            self.tier = Tier(tier)


def instant(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """A clock's value: seconds since 1970, in UTC."""
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp())
