"""All that a world knows at one moment, as one value that never changes.

Rows lie in persistent maps, so that a changed state shares all that did not change with the one before it: keeping a
state, going back to it and going on from it twice cost nothing.

The digest is that of a multiset: each row (with its table's name) is hashed to a number of 2048 bits (SHAKE-128), the
numbers are added modulo 2**2048, and the sum is hashed with clock, seed, draws and counters. A changed row
costs two hashes, in any order, at any size of state. Sums and not XOR: two states with equal XOR are found by linear
algebra among some hundred rows, while for sums the best known way is Wagner's generalised birthday, about
2**(2 * sqrt(bits)) = 2**90 steps here (for 256 bits it would be 2**32). (Bellare and Micciancio 1997; Wagner 2002.)

Always holds: two states with the same tables have equal digests if and only if they hold equal rows, counters, clock,
seed and draws (up to a collision), however they came about; `changes` are those since `as_start`.

Knows tables; nothing of tools.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256, shake_128
from operator import index
from typing import Any, NamedTuple, Self

from rpds import HashTrieMap

from journeyman.errors import WorldError
from journeyman.world import keys as ordered_keys
from journeyman.world.keys import NONE, Keys
from journeyman.world.outcome import Conflict
from journeyman.world.tables import Change, Row, Table, ordered, spelled

_BYTES = 256
_MODULUS = (1 << 8 * _BYTES) - 1  # as a mask
_LONGEST = 64  # changes in a log before it is folded away
# One write, and the writes before it: (before, table, old row, new row, how many).
Log = tuple["Log | None", Table[Any], Row | None, Row | None, int]
Sum = tuple[int, "Log | None"]  # of all rows, up to this write


class Contents(NamedTuple):
    """What one table holds: rows by key, the keys in order, and for each indexed column keys by value."""

    rows: HashTrieMap[str, Row]
    keys: Keys
    indexes: tuple[HashTrieMap[Any, Keys], ...]

    def replaced(self, table: Table[Any], key: str, old: Row | None, new: Row | None) -> Contents:
        if new is None:
            rows, keys = self.rows.remove(key), ordered_keys.removed(self.keys, key)
        else:
            rows = self.rows.insert(key, new)
            keys = self.keys if old is not None else ordered_keys.added(self.keys, key)
        indexes = self.indexes
        for at, place in enumerate(table.places):
            before, after = old and old[place], new and new[place]
            if old is None or new is None or before != after:
                index = indexes[at]
                if old is not None:
                    left = ordered_keys.removed(index[before], key)
                    index = index.insert(before, left) if left else index.remove(before)
                if new is not None:
                    index = index.insert(after, ordered_keys.added(index.get(after, NONE), key))
                indexes = (*indexes[:at], index, *indexes[at + 1 :])
        return Contents(rows, keys, indexes)


class State:
    """Make the first by `State.build`; the others come of calls. Its mappings belong to it: nobody changes them."""

    __slots__ = ("_digest", "clock", "contents", "counters", "draws", "log", "seed", "summed", "tables", "touched")

    def __init__(
        self,
        tables: Mapping[str, Table[Any]],
        contents: dict[str, Contents],
        clock: int,
        seed: int,
        draws: int,
        counters: dict[str, int],
        touched: dict[tuple[str, str], Row | None],
        log: Log | None,
        summed: Sum,
    ) -> None:
        self.tables = tables
        self.contents = contents
        self.clock = clock  # seconds; what they count from is the world's business
        self.seed = seed
        self.draws = draws  # how many random numbers were drawn
        self.counters = counters  # the last number given, for each kind of id
        # What was written since the start: first (table, key) -> the row at the start, then a log.
        if log is not None and log[4] >= _LONGEST:
            touched, summed, log = {**_firsts(log), **touched}, (_folded(summed, log), None), None
        self.touched = touched
        self.log = log
        self._digest: str | None = None
        self.summed = summed  # one attribute: threads that fold at once do not add twice

    @classmethod
    def build(
        cls,
        tables: Iterable[Table[Any]],
        rows: Mapping[str, Iterable[Row]],
        *,
        clock: int = 0,
        seed: int = 0,
        draws: int = 0,
        counters: Mapping[str, int] | None = None,
    ) -> Self:
        """A state with these rows. WorldError where one is not admitted, is there twice, or refers to none."""
        known = {table.name: table for table in tables}
        if strange := set(rows) - set(known):
            raise WorldError(f"there are rows of {sorted(strange)}, but no such tables", f"the tables: {sorted(known)}")
        contents: dict[str, Contents] = {}
        total = 0
        for name, table in known.items():
            found: dict[str, Row] = {}
            for row in rows.get(name, ()):
                try:
                    table.admit(row)
                except Conflict as error:
                    raise WorldError(str(error), "a row has to have the columns and types of its table") from error
                if row[0] in found:
                    raise WorldError(f"{name} has two rows {row[0]!r}", "give each row a key of its own")
                found[row[0]] = row
                total += _number(table.text(row))
            contents[name] = Contents(HashTrieMap(found), ordered_keys.of(found), _indexes(table, found))
        for name, table in known.items():
            for row in contents[name].rows.values():
                if missing := missing_references(table, row, contents):
                    raise WorldError(f"{name} {row[0]!r} refers to {missing[0]}, which is not there", "add it")
        return cls(known, contents, clock, seed, draws, dict(counters or {}), {}, None, (total & _MODULUS, None))

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, State) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        held = ", ".join(f"{len(contents.rows)} {name}" for name, contents in self.contents.items())
        return f"<State {self.digest[:12]}: {held}>"

    @property
    def digest(self) -> str:
        """64 hexadecimal digits. Costs two hashes for each row that has changed since it was last asked for."""
        if self._digest is None:
            if self.summed[1] is not self.log:
                self.summed = (_folded(self.summed, self.log), self.log)
            rest = spelled([self.clock, self.seed, self.draws, sorted(self.counters.items())]).encode()
            self._digest = sha256(self.summed[0].to_bytes(_BYTES, "big") + rest).hexdigest()
        return self._digest

    def changes(self) -> list[Change]:
        """What is not as it was at the start, by table and key. Costs as much as was touched."""
        found: dict[tuple[str, str], tuple[Row | None, Row | None]] = {}
        for (name, key), before in {**_firsts(self.log), **self.touched}.items():
            after = self.contents[name].rows.get(key)
            if before != after:
                found[name, key] = (before, after)
        return ordered(found)

    def as_start(self, seed: int | None = None) -> State:
        """The same state, from which changes are counted; with another seed, if one is given."""
        seed, draws = (self.seed, self.draws) if seed is None else (_whole(seed), 0)
        summed = (_folded(self.summed, self.log), None)
        return State(self.tables, self.contents, self.clock, seed, draws, self.counters, {}, None, summed)

    def row(self, table: str, key: str) -> Row | None:
        return self.contents[table].rows.get(key)

    def keys(self, table: str) -> list[str]:
        """In their order."""
        return list(ordered_keys.each(self.contents[table].keys))

    def rows(self, table: str) -> Iterator[Row]:
        """In the order of their keys."""
        contents = self.contents[table]
        return map(contents.rows.__getitem__, ordered_keys.each(contents.keys))


def missing_references(
    table: Table[Any], row: Row, contents: Mapping[str, Contents], old: Row | None = None
) -> Sequence[str]:
    """What `row` refers to and is not there, in words; not what `old` refers to as well."""
    missing: list[str] = []
    for place, target in table.targets:
        value = row[place]
        if old is not None and value is old[place]:
            continue
        for key in value if type(value) is tuple else (value,):
            if key is not None and key not in contents[target].rows:
                missing.append(f"{target} {key!r}")
    return missing


def _indexes(table: Table[Any], rows: Mapping[str, Row]) -> tuple[HashTrieMap[Any, Keys], ...]:
    indexes: list[HashTrieMap[Any, Keys]] = []
    for place in table.places:
        found: dict[Any, list[str]] = {}
        for key, row in rows.items():
            found.setdefault(row[place], []).append(key)
        indexes.append(HashTrieMap({value: ordered_keys.of(among) for value, among in found.items()}))
    return tuple(indexes)


def _whole(seed: Any) -> int:
    """A seed as the one int that it is: numpy's 1, true and 1 are the same seed, and draw the same."""
    try:
        return int(index(seed))
    except TypeError:
        raise WorldError(f"{seed!r} is no seed", "give a whole number") from None


def _number(text: str) -> int:
    return int.from_bytes(shake_128(text.encode()).digest(_BYTES), "big")


def _folded(summed: Sum, log: Log | None) -> int:
    """The sum of all rows at the end of the log."""
    total, until = summed
    while log is not None and log is not until:
        log, table, old, new, _ = log
        if old is not None:
            total -= _number(table.text(old))
        if new is not None:
            total += _number(table.text(new))
    return total & _MODULUS


def _firsts(log: Log | None) -> dict[tuple[str, str], Row | None]:
    """For each row in a log, what it was before the first of its changes."""
    found: dict[tuple[str, str], Row | None] = {}
    while log is not None:
        log, table, old, new, _ = log
        found[table.name, (old or new or ("",))[0]] = old
    return found


def header(state: State) -> dict[str, Any]:
    """All of a state that is not rows, as JSON."""
    counters = dict(sorted(state.counters.items()))
    return {"clock": state.clock, "seed": state.seed, "draws": state.draws, "counters": counters}
