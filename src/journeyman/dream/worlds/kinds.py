"""Which kinds of thing a log speaks of, and under which key each is known: orders by order_id, users by user_id.

Always holds: what a call answers is a document of at most one kind, or shows parts that may be of several; kinds come
out in the same order for the same log.

Knows calls; nothing of how things change.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from journeyman.dream.worlds.calls import Call, Recording
from journeyman.world.documents import UNSAID

_FIELDS = 3  # a document has at least so many, or one less if one of them is the only thing that was asked with
_ALIKE = 0.5  # of the fields of two documents of one kind, so many are the same
_SURE = 0.9
_MET = 0.5  # of the keys in a tool's answers, so many are those of documents that others have shown
_ANY = frozenset("id key uid uuid guid number no code ref slug thing".split())  # no names for anything
_SHOWS = frozenset("get read find show look lookup fetch view load retrieve".split())
_LOOKS = _SHOWS.union("search list check query describe".split())
_NO_KIND = _SHOWS.union("open details detail info by id".split())  # the rest of a tool's name says what it shows
_SAMPLE = 400  # calls of a tool that are looked at
_PART = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")


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
    """`whole`: tools that answer with a document; `partial`: of those the ones that leave fields of it out, and which;
    `told`: the fields that these do show."""

    def __init__(self, sessions: Sequence[Recording]) -> None:
        by_tool: dict[str, list[Call]] = defaultdict(list)
        for session in sessions:
            for call in session.calls:
                if call.ok and isinstance(call.value, dict):
                    by_tool[call.tool].append(call)
        self.whole: dict[str, Seen] = {}
        self.partial: dict[str, frozenset[str]] = {}
        self.told: dict[str, frozenset[str]] = {}
        self._found: list[Kind] = []
        self._keys: dict[str, set[str]] = defaultdict(set)
        samples = {tool: calls[:_SAMPLE] for tool, calls in by_tool.items()}
        width = {tool: len({field for call in calls for field in call.value}) for tool, calls in samples.items()}
        most = {tool: max(len(call.arguments) for call in calls) for tool, calls in by_tool.items()}
        # Who asks for least and shows most first: of what it shows, others show a part.
        for tool in sorted(by_tool, key=lambda tool: (most[tool], -width[tool], tool)):
            if seen := self._judged(tool, samples[tool]):
                self.whole[tool] = seen
                told = frozenset(field for call in by_tool[tool] for field in call.value)
                if missing := seen.kind.fields - told:
                    self.partial[tool], self.told[tool] = missing, told
                self._keys[seen.kind.name] |= {key for _, key, _ in map(self._whole, by_tool[tool]) if key}
        self._parts = _parts(sessions, set(self.whole), {kind.field for kind in self._found})
        self.all = {kind.name: kind for kind in (*self._found, *self._parts)}

    def _judged(self, tool: str, calls: list[Call]) -> Seen | None:
        fields = frozenset(
            field for field, n in Counter(f for call in calls for f in call.value).items() if n > len(calls) / 4
        )
        names = _arguments(calls)
        if (known := self._known(calls, fields, names)) is not None:
            return known
        echoed = len(names) == 1 and names[0] in fields and _says(calls, names[0], names[0])
        if len(fields) < _FIELDS - echoed:
            return None
        own = [(n, f) for n in names for f in sorted(fields) if _says(calls, n, f)]
        own.sort(key=lambda pair: (pair[0] != pair[1], names.index(pair[0])))
        if own and (own[0][0] == own[0][1] or len(names) == 1):
            kind = Kind(_called(own[0][1], own[0][0], tool), own[0][1], fields)
        elif len(names) == 1:
            kind = Kind(_stem(names[0]), "", fields)
        else:
            return None
        if any(kind.name == other.name for other in self._found):
            return None
        self._found.append(kind)
        return Seen(kind, names[0] if not own else own[0][0])

    def _known(self, calls: list[Call], fields: frozenset[str], names: list[str]) -> Seen | None:
        """A kind that was found before, of which this tool shows documents: of several the one with these keys."""
        found: list[tuple[float, float, str, Seen]] = []
        for kind in self._found:
            if kind.field and kind.field not in fields:
                continue
            argument = next((n for n in names if _says(calls, n, kind.field)), "")
            if not kind.field and not (argument := kind.name if kind.name in names else ""):
                continue
            keys = [call.value.get(kind.field) if kind.field else call.arguments.get(argument) for call in calls]
            met = sum(key in self._keys[kind.name] for key in keys if isinstance(key, str)) / len(calls)
            alike = len(fields & kind.fields) / len(fields | kind.fields)
            # A part of a document is one if it says which, and what else it says is said of such documents, too.
            part = argument and met >= _MET and len(fields) > 1 and fields <= kind.fields
            if (alike >= _ALIKE and len(fields) >= _FIELDS) or part:
                found.append((-met, -alike, kind.name, Seen(kind, argument)))
        return min(found)[3] if found else None

    def shown(self, call: Call) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The documents that an answer shows: kind, key, document. Of a tool in `partial`, only some fields of it."""
        if not call.ok:
            return
        if call.tool in self.whole:
            if isinstance(call.value, dict):
                kind, key, document = self._whole(call)
                if key:
                    yield kind, key, document
        elif isinstance(call.value, dict | list):
            for part in _objects(call.value):
                for kind in self._parts:
                    if isinstance(key := part.get(kind.field), str):
                        yield kind.name, key, part

    def _whole(self, call: Call) -> tuple[str, str, dict[str, Any]]:
        seen = self.whole[call.tool]
        key = call.value.get(seen.kind.field) if seen.kind.field else call.arguments.get(seen.argument)
        return seen.kind.name, key if isinstance(key, str) else "", call.value

    def after(self, tool: str, kind: str, old: dict[str, Any] | None, document: dict[str, Any]) -> dict[str, Any]:
        """What is known of a document after the tool has shown this of it."""
        missing = self.partial.get(tool, frozenset())
        if self.all[kind].part:
            return {**old, **document} if old is not None else document
        if not missing:
            return document
        unsaid = ({*old.get(UNSAID, ())} if old is not None else missing) - document.keys()
        known = {**(old or {}), **document}
        known.pop(UNSAID, None)
        return {**known, UNSAID: sorted(unsaid)} if unsaid else known


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
                        clashes[name] += at_odds(old, part)
    return [
        Kind(_stem(name), name, frozenset(fields[name]), True)
        for name in sorted(fields)
        if clashes[name] <= 0.05 * seen[name] and name.endswith("id")
    ]


def at_odds(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether they say different things in a field that both have."""
    return any(field in one and one[field] != value for field, value in other.items())


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


def _called(field: str, argument: str, tool: str) -> str:
    """What such documents are called: after their key, or if all keys have the same name, after who asks for it."""
    named = [_stem(field), _stem(argument)]
    named.append("_".join(word for word in _words(tool) if word not in _NO_KIND))
    return next((name for name in named if name and name not in _ANY), named[0])


def looks(tool: str) -> bool:
    """Whether its name says that it only looks something up."""
    return next(iter(_words(tool)), "") in _LOOKS


def _words(tool: str) -> list[str]:
    return [word.lower() for word in _PART.findall(tool)]


def _stem(name: str) -> str:
    stem = "".join(c if c.isalnum() else "_" for c in name).strip("_").lower()
    return stem.removesuffix("_id") or "thing"
