"""Typed tables: which rows a state may hold.

    class Order(NamedTuple):
        id: str
        customer: str
        status: Literal["open", "sent"]

    ORDERS = Table("orders", Order, references={"customer": "customers"})

Always holds: the first column is the key, a string; a row that is admitted has the types of its columns, keeps the
table's checks, and has one spelling as text, which no other row of any table has.

Knows rows; nothing of states.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from journeyman.errors import WorldError
from journeyman.world.outcome import Conflict
from journeyman.world.shapes import Words, shape

Row = tuple[Any, ...]
R = TypeVar("R", bound=tuple[Any, ...])
# What a row has to be: a function of the row, and what is wrong where it says no.
Check = tuple[str, Callable[[Any], bool]]

spelled = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode


class Table(Generic[R]):
    """Rows of one kind.

    row: a NamedTuple class; its hints are the columns' types, its first column (str) is the key.
    references: column -> table whose key it holds (or None, or a tuple of keys); such columns are indexed.
    indexes: more columns that are asked for often.
    checks: what else has to hold of each row.
    given: columns, besides the key, that the world fills in and no agent can choose (a number, a time stamp).
    tier: an int column that holds the `Tier` a row came from; the world keeps it, so it is given as well.
    """

    def __init__(
        self,
        name: str,
        row: type[R],
        *,
        references: Mapping[str, str] | None = None,
        indexes: Sequence[str] = (),
        checks: Sequence[Check] = (),
        given: Sequence[str] = (),
        tier: str | None = None,
    ) -> None:
        hints = get_type_hints(row, include_extras=True)
        self.name = name
        self.row = row
        self.columns: tuple[str, ...] = getattr(row, "_fields", ())
        self.references = dict(references or {})
        self.indexes = tuple(dict.fromkeys((*self.references, *indexes)))
        self.checks = tuple(checks)
        self.given = frozenset((*given, tier) if tier else given)
        strange = {*self.indexes, *self.given} - set(self.columns)
        if not self.columns or hints[self.columns[0]] is not str or strange:
            raise WorldError(
                f"table {name!r}: rows are NamedTuples whose first column is a string, and {sorted(strange)} are no "
                "columns",
                "make the key the first column, and spell the columns as the row does",
            )
        if any(map(_is_loose, hints.values())):
            raise WorldError(
                f"table {name!r} has a column of Any or of lists",
                "give each column one type, and tuple[X, ...] to one that holds several values",
            )
        shapes = {column: shape(hints[column]) for column in self.columns}
        self.schema = {column: each.schema for column, each in shapes.items()}
        self.worded = frozenset(
            column for column, each in shapes.items() if any(isinstance(mark, Words) for mark in each.marks)
        )
        self._admits = tuple(each.admits for each in shapes.values())
        self.indexed = {column: at for at, column in enumerate(self.indexes)}
        # Of the indexed columns, where in the row they are; of those that hold other tables' keys, which table as well.
        self.places = tuple(self.columns.index(column) for column in self.indexes)
        self.targets = tuple((self.columns.index(c), target) for c, target in self.references.items())
        self.tier = None if tier is None else self.columns.index(tier)

    def __repr__(self) -> str:
        return f"Table({self.name!r})"

    def admit(self, row: Row, old: Row | None = None) -> None:
        """Conflict where `row` is none of this table's. `old` was admitted before: what they share is not looked at."""
        if type(row) is not self.row:
            raise Conflict(f"{self.name}: a {self.row.__name__} is wanted, not {type(row).__name__}")
        for at, admits in enumerate(self._admits):
            if (old is None or row[at] is not old[at]) and not admits(row[at]):
                raise Conflict(f"{self.name} {row[0]!r}: that is no {self.columns[at]}")
        for says, check in self.checks:
            if not check(row):
                raise Conflict(f"{self.name} {row[0]!r}: {says}")

    def changed(self, row: R, place: int, value: Any) -> R:
        """The row with another value in one place."""
        made: Any = self.row
        return made(*row[:place], value, *row[place + 1 :])

    def text(self, row: Row) -> str:
        """The row's one spelling, the table's name within it."""
        return spelled([self.name, *row])

    def parsed(self, values: Sequence[Any]) -> Row:
        """A row from JSON: its lists become tuples again. It is not admitted yet."""
        return self.row(*map(frozen, values))

    def spec(self) -> dict[str, Any]:
        """What makes this table the table it is, as JSON."""
        checks = [says for says, _ in self.checks]
        return {
            "name": self.name,
            "columns": self.schema,
            "references": self.references,
            "indexes": list(self.indexes),
            "checks": checks,
            "given": sorted(self.given),
            "tier": self.tier,
        }


class Change(NamedTuple):
    """One row that is not what it was: made (`before` is None), changed, or gone (`after` is None)."""

    table: str
    key: str
    before: Row | None
    after: Row | None


def ordered(changes: Mapping[tuple[str, str], tuple[Row | None, Row | None]]) -> list[Change]:
    """By table and key."""
    return [Change(table, key, *changes[table, key]) for table, key in sorted(changes)]


def _is_loose(hint: Any) -> bool:
    """Whether a hint admits what is for arguments alone: lists, which all forks of a state would share and could
    change, and Any, which has 1 and 1.0 in it."""
    return hint is Any or get_origin(hint) is list or any(map(_is_loose, get_args(hint)))


def frozen(value: Any) -> Any:
    """JSON's lists as tuples."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value
