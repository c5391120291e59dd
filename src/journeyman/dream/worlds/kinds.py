"""Which kinds of thing a log speaks of, and under which key each is known: orders by order_id, users by user_id.

Always holds: what a call answers is a document of at most one kind; kinds come out in the same order for the same log.

Knows calls; nothing of how things change.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from journeyman.dream.worlds.calls import Call, Recording

_FIELDS = 3  # a document has at least so many
_ALIKE = 0.5  # of the fields of two documents of one kind, so many are the same
_SURE = 0.9


class Kind(NamedTuple):
    """`field` is where a document says its own key ("": nowhere); `part`: documents are parts of answers."""

    name: str
    field: str
    fields: frozenset[str]
    part: bool = False


class Seen(NamedTuple):
    """How a tool shows documents: `argument` is where the call says the key, if it does."""

    kind: Kind
    argument: str


class Kinds:
    def __init__(self, sessions: Sequence[Recording]) -> None:
        by_tool: dict[str, list[Call]] = defaultdict(list)
        for session in sessions:
            for call in session.calls:
                if call.ok and isinstance(call.value, dict):
                    by_tool[call.tool].append(call)
        self.whole: dict[str, Seen] = {}
        self._found: list[Kind] = []
        few_first = sorted(by_tool, key=lambda tool: (len(_arguments(by_tool[tool])), tool))
        for tool in few_first:
            if seen := self._judged(by_tool[tool]):
                self.whole[tool] = seen
        self._parts = _parts(sessions, set(self.whole), {kind.field for kind in self._found})
        self.all = {kind.name: kind for kind in (*self._found, *self._parts)}

    def _judged(self, calls: list[Call]) -> Seen | None:
        calls = calls[:400]
        fields = frozenset(
            field for field, n in Counter(f for call in calls for f in call.value).items() if n > len(calls) / 4
        )
        if len(fields) < _FIELDS:
            return None
        names = _arguments(calls)
        for kind in self._found:
            alike = len(fields & kind.fields) / len(fields | kind.fields)
            if alike >= _ALIKE and (kind.field in fields or not kind.field):
                argument = next((n for n in names if _says(calls, n, kind.field)), "")
                if kind.field or (argument := kind.name if kind.name in names else ""):
                    return Seen(kind, argument)
        own = [(n, f) for n in names for f in sorted(fields) if _says(calls, n, f)]
        own.sort(key=lambda pair: (pair[0] != pair[1], names.index(pair[0])))
        if own and (own[0][0] == own[0][1] or len(names) == 1):
            kind = Kind(_stem(own[0][1]), own[0][1], fields)
        elif len(names) == 1:
            kind = Kind(_stem(names[0]), "", fields)
        else:
            return None
        if any(kind.name == other.name for other in self._found):
            return None
        self._found.append(kind)
        return Seen(kind, names[0] if not own else own[0][0])

    def shown(self, call: Call) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The documents that an answer shows: kind, key, document."""
        if not call.ok:
            return
        if seen := self.whole.get(call.tool):
            if isinstance(call.value, dict):
                key = call.value.get(seen.kind.field) if seen.kind.field else call.arguments.get(seen.argument)
                if isinstance(key, str):
                    yield seen.kind.name, key, call.value
        elif isinstance(call.value, dict | list):
            for part in _objects(call.value):
                for kind in self._parts:
                    if isinstance(key := part.get(kind.field), str):
                        yield kind.name, key, part


def _parts(sessions: Sequence[Recording], whole: set[str], taken: set[str]) -> list[Kind]:
    """Kinds of which answers show lists, and whose keys are arguments elsewhere: what a menu lists."""
    asked = {name for session in sessions for call in session.calls for name in _leaf_names(call.arguments)} - taken
    fields: dict[str, Counter[str]] = defaultdict(Counter)
    clashes: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for session in sessions:
        held: dict[tuple[str, str], Any] = {}
        for call in session.calls:
            if not call.ok or call.tool in whole or not isinstance(call.value, dict | list):
                continue
            for part in _objects(call.value):
                for name in asked & set(part):
                    if isinstance(key := part[name], str) and len(part) > 1:
                        fields[name].update(list(part))
                        seen[name] += 1
                        old = held.setdefault((name, key), part)
                        clashes[name] += any(part.get(f, old[f]) != old[f] for f in old)
    return [
        Kind(_stem(name), name, frozenset(fields[name]), True)
        for name in sorted(fields)
        if clashes[name] <= 0.05 * seen[name] and name.endswith("id")
    ]


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """The objects that stand in lists, at any depth."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _objects(each)
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, dict):
                yield each
            yield from _objects(each)


def _leaf_names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            if isinstance(each, str):
                yield name
            yield from _leaf_names(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaf_names(each)


def _arguments(calls: Iterable[Call]) -> list[str]:
    """Names of arguments that are strings."""
    return list(dict.fromkeys(n for call in calls for n, value in call.arguments.items() if isinstance(value, str)))


def _says(calls: Sequence[Call], argument: str, field: str) -> bool:
    equal = sum(argument in c.arguments and c.value.get(field) == c.arguments[argument] for c in calls)
    return equal >= _SURE * len(calls)


def _stem(name: str) -> str:
    stem = "".join(c if c.isalnum() else "_" for c in name).strip("_").lower()
    return stem.removesuffix("_id") or "thing"
