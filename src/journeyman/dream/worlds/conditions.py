"""All that can be asked about a moment: is there such a document, is its status this, are there as many here as there.

Always holds: a condition is true, false or unknown at each moment, as two sets of bits; its text says the same in
Python; conditions come out in the same order for the same scope.

Knows scopes; nothing of errors.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from journeyman.dream.worlds.scope import UNKNOWN, Name, Scope
from journeyman.dream.worlds.values import fields_of, is_number, is_plain, is_text, quoted
from journeyman.world.documents import UNSAID

_CONSTANTS = 12  # more different values than this are no words of a vocabulary
_MOST = 6000


class Condition(NamedTuple):
    """`yes` and `no`: bits, one a moment. `who`: an expression for what is at fault, as the condition is true."""

    text: str
    yes: int
    no: int
    cost: float
    who: str = ""
    odd: bool = False  # something is missing, or not as many as there should be: where it was never seen, nobody knows

    @property
    def opposite(self) -> Condition:
        return Condition(negated(self.text), self.no, self.yes, self.cost + 0.2)


class Scalar(NamedTuple):
    """A plain value at each moment. `cost`: how far away it is."""

    text: str
    values: tuple[Any, ...]
    cost: float
    optional: str = ""  # what has to hold for it to be there


def scalars(scope: Scope) -> list[Scalar]:
    """Arguments, fields of what can be reached, lengths."""
    found: list[Scalar] = []
    for name in scope.names.values():
        if name.shape in ("text", "value"):
            found.append(Scalar(name.name, name.values, 0.0))
        elif name.shape in ("doc", "part"):
            found += _fields(scope, name)
        if name.shape == "texts":
            found.append(Scalar(f"len({name.name})", scope.values(f"len({name.name})"), 0.5))
    return found


def _fields(scope: Scope, name: Name) -> Iterator[Scalar]:
    there = [v for v in name.values if isinstance(v, dict)]
    counts = Counter(field for value in there for field in value if field != UNSAID)
    for field in sorted(counts, key=lambda field: (-counts[field], field)):
        if len(field) > 40 or counts[field] < 0.02 * len(there):
            continue
        text = f"{name.name}[{quoted(field)}]"
        optional = f"{quoted(field)} in {name.name}" if counts[field] < len(there) else ""
        held = [v[field] for v in there if field in v]
        plain = sum(is_plain(value) for value in held)
        if plain >= 0.5 * len(held) and any(value is not None for value in held):
            values = tuple(v if is_plain(v) else UNKNOWN for v in scope.values(text))
            yield Scalar(text, values, name.depth + 0.2, optional)
        elif all(isinstance(value, list) for value in held):
            yield Scalar(f"len({text})", scope.values(f"len({text})"), name.depth + 0.7, optional)
        elif all(isinstance(v, dict) for v in held) and len({frozenset(v) for v in held}) == 1 and len(held[0]) <= 12:
            for inner in sorted(held[0]):
                deep = f"{text}[{quoted(inner)}]"
                values = tuple(v if is_plain(v) else UNKNOWN for v in scope.values(deep))
                if any(v is not UNKNOWN for v in values):
                    yield Scalar(deep, values, name.depth + 0.6, optional)


def sums(scope: Scope) -> Iterator[Scalar]:
    """Sums along lists: of a field, and of the differences between two lists' fields."""
    rows = [name for name in scope.names.values() if name.shape == "row"]
    numeric = {row.name: fields_of(row.elements, is_number) for row in rows}
    for row in rows:
        for field in numeric[row.name]:
            text = f"sum(x[{quoted(field)}] for x in {row.name})"
            yield Scalar(text, scope.values(text), row.depth + 0.8)
    for a in rows:
        for b in rows:
            if a.name != b.name and a.along == b.along and a.depth + b.depth <= 4:
                for f in numeric[a.name]:
                    for g in numeric[b.name]:
                        text = f"sum(y[{quoted(g)}] - x[{quoted(f)}] for x, y in zip({a.name}, {b.name}))"
                        yield Scalar(text, scope.values(text), max(a.depth, b.depth) + 1.0)


def conditions(scope: Scope, found: Sequence[Scalar], extra: Sequence[Scalar] = ()) -> list[Condition]:
    made = _Conditions(scope)
    made.absences()
    made.lists()
    for each in found:
        made.constants(each)
        made.presence(each)
    made.orders([*found, *extra])
    made.equalities(found)
    made.memberships(found)
    return made.all


class _Conditions:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.all: list[Condition] = []

    def add(
        self, text: str, values: Sequence[Any], cost: float, who: str = "", both: bool = True, odd: bool = False
    ) -> None:
        if len(self.all) > _MOST:
            return
        condition = Condition(text, *bits(values), cost, who, odd)
        if condition.yes or odd:
            self.all.append(condition)
        if condition.no and both:
            self.all.append(condition.opposite)

    def absences(self) -> None:
        for name in self.scope.names.values():
            if name.name in self.scope.arguments and None in name.values:
                self.add(f"{name.name} is None", _each(name.values, lambda v: v is None), 0.1)
            if name.shape in ("doc", "part"):
                asked = any(f", {argument})" in name.text for argument in self.scope.arguments)
                self.add(f"{name.name} is None", _each(name.values, lambda v: v is None), name.depth, odd=asked)

    def presence(self, each: Scalar) -> None:
        if each.optional:
            self.add(each.optional, self.scope.values(each.optional), each.cost + 0.3)

    def constants(self, each: Scalar) -> None:
        there = [v for v in each.values if v is not UNKNOWN and v is not None]
        if None in each.values and each.text not in self.scope.arguments:
            self._optional(each, f"{each.text} is None", _each(each.values, lambda v: v is None), 0.3)
        kinds = Counter(map(type, there))
        if set(kinds) == {bool}:
            self._optional(each, f"{each.text} is True", _each(each.values, lambda v: v is True), 0.2)
        elif set(kinds) == {str}:
            counts = Counter(there)
            where: dict[str, set[int]] = defaultdict(set)
            for moment, value in zip(self.scope.moments, each.values, strict=True):
                if isinstance(value, str):
                    where[value].add(moment.session)
            words = [word for word in counts if len(where[word]) > 1 and word not in self.scope.keys]
            if len(counts) <= _CONSTANTS or each.text in self.scope.arguments:
                for word in sorted(words)[:_CONSTANTS]:
                    self._optional(each, f"{each.text} == {quoted(word)}", _each(each.values, word.__eq__), 0.3)
            if len(counts) <= _CONSTANTS:
                for word in sorted(words):
                    if len(word) > 2 and any(word in other and word != other for other in counts):
                        inside = _each(each.values, lambda v, word=word: isinstance(v, str) and word in v)
                        self._optional(each, f"{quoted(word)} in {each.text}", inside, 0.4)
            good = Counter(
                v for m, v in zip(self.scope.moments, each.values, strict=True) if m.call.ok and isinstance(v, str)
            )
            if (
                1 < len(good) <= 8
                and not good.keys() & self.scope.keys
                and sum(good.values()) >= 2 * len(good)
                and len(good) < len(counts)
            ):
                chosen = tuple(sorted(good))
                self._optional(each, f"{each.text} in {chosen!r}", _each(each.values, chosen.__contains__), 0.5)
        elif kinds and set(kinds) <= {int} and len(set(there)) <= 8:
            for number in (0, 1, 2):
                odd = 1.0 if number > 1 else 0.0
                self._optional(each, f"{each.text} == {number}", _each(each.values, number.__eq__), 0.5 + odd)
                self._optional(each, f"{each.text} > {number}", _each(each.values, number.__lt__), 0.5 + odd)

    def orders(self, found: Sequence[Scalar]) -> None:
        amounts = [each for each in found if _numeric(each.values) and not each.text.startswith("len(")]
        numbers = sorted(amounts, key=lambda each: each.cost)[:60]
        for a in numbers:
            for b in numbers:
                if a.text != b.text and a.cost + b.cost <= 5.2:
                    values = [
                        UNKNOWN if not (is_number(x) and is_number(y)) else x < y
                        for x, y in zip(a.values, b.values, strict=True)
                    ]
                    self._compared(a, b, "<", values, 0.5)
            values = [UNKNOWN if not is_number(x) else x > 0 for x in a.values]
            self._optional(a, f"{a.text} > 0", values, 0.5)

    def equalities(self, found: Sequence[Scalar]) -> None:
        texts = [each for each in found if len({v for v in each.values if isinstance(v, str)}) > 1][:90]
        for at, a in enumerate(texts):
            for b in texts[at + 1 :]:
                if a.cost + b.cost > 4:
                    continue
                values = [
                    UNKNOWN if x is UNKNOWN or y is UNKNOWN else x == y for x, y in zip(a.values, b.values, strict=True)
                ]
                if self._two_of_a_kind(a, b) and True not in values:  # what comes of one thing twice, nobody saw
                    self.add(f"{a.text} == {b.text}", values, a.cost + b.cost + 0.4, both=False, odd=True)
                if True in values and False in values:
                    self._compared(a, b, "==", values, 0.4)

    def _two_of_a_kind(self, a: Scalar, b: Scalar) -> bool:
        """Whether two arguments name documents of the same kind."""
        if not {a.text, b.text} <= set(self.scope.arguments):
            return False
        named: list[set[str]] = [set(), set()]
        for at, moment in enumerate(self.scope.moments):
            for kind, key in moment.docs:
                for each, kinds in zip((a, b), named, strict=True):
                    if each.values[at] == key:
                        kinds.add(kind)
        return bool(named[0] & named[1])

    def memberships(self, found: Sequence[Scalar]) -> None:
        for name in self.scope.names.values():
            if name.shape not in ("doc", "part"):
                continue
            lists = fields_of(name.values, lambda held: held and isinstance(held, list) and all(map(is_text, held)))
            for field in lists:
                place = f"{name.name}[{quoted(field)}]"
                for each in found if field != UNSAID else ():
                    if each.text in self.scope.arguments and any(map(is_text, each.values)):
                        text = f"{each.text} in {place}"
                        self.add(text, self.scope.values(text), name.depth + 0.5)

    def lists(self) -> None:
        names = self.scope.names.values()
        lists = [name for name in names if name.shape == "texts"]
        for at, a in enumerate(lists):
            for b in lists[at + 1 :]:
                text = f"len({a.name}) != len({b.name})"
                self.add(text, self.scope.values(text), 0.5, odd=True)
                self._culprit(a.name, f"x == y for x, y in zip({a.name}, {b.name})", 0.6)
                self._culprit(b.name, f"x == y for x, y in zip({a.name}, {b.name})", 0.6)
        for row in [name for name in names if name.shape == "row" and name.name not in self.scope.arguments]:
            along = row.along if row.along in self.scope.arguments else ""
            for who in [name.name for name in lists] if along else []:
                chained = " zip(" in row.text or row.depth < 1.5
                self._culprit(who, f"x is None for x in {row.name}", row.depth, odd=chained)
                for field, kind in _row_fields(row):
                    if kind is bool:
                        self._culprit(who, f'x and not x["{field}"] for x in {row.name}', row.depth + 0.3, chained)
                        self._culprit(who, f'x and x["{field}"] for x in {row.name}', row.depth + 0.3)
            if not along or row.depth == 1:
                for field, kind in _row_fields(row):
                    if kind is str:
                        for each in lists:
                            who = f'beyond({each.name}, [x["{field}"] for x in {row.name}])'
                            own = row.name.startswith("all_")
                            text = f"{who} is not None"
                            self.add(text, self.scope.values(text), 1.2, who, False, own and row.depth < 1.5)

    def _culprit(self, along: str, guilty: str, cost: float, odd: bool = False) -> None:
        who = f"culprit({along}, [{guilty}])"
        self.add(f"{who} is not None", self.scope.values(f"{who} is not None"), cost + 0.5, who, odd=odd)

    def _compared(self, a: Scalar, b: Scalar, sign: str, values: Sequence[Any], cost: float) -> None:
        optional = " and ".join(o for o in dict.fromkeys((a.optional, b.optional)) if o)
        both = Scalar(f"{a.text} {sign} {b.text}", (), a.cost + b.cost, optional)
        self._optional(both, both.text, values, cost)

    def _optional(self, each: Scalar, text: str, values: Sequence[Any], cost: float) -> None:
        """Where the field may be absent, the condition says so: it is false there."""
        if not each.optional:
            self.add(text, values, each.cost + cost)
            return
        whole = f"{each.optional} and {text}"
        self.add(whole, self.scope.values(whole), each.cost + cost + 0.3)
        self.add(text, values, each.cost + cost)


def bits(values: Iterable[Any]) -> tuple[int, int]:
    """Where this is so, and where it is not."""
    yes = no = 0
    for at, value in enumerate(values):
        if value is not UNKNOWN:
            yes |= bool(value) << at
            no |= (not value) << at
    return yes, no


def negated(text: str) -> str:
    if found := re.fullmatch(r"(\S+|[^ ]+\[[^ ]+\]) is None", text):
        return f"{found[1]} is not None"
    if " and " not in text and text.count(" == ") == 1 and "culprit" not in text:
        return text.replace(" == ", " != ")
    if text.startswith("len(") and text.count(" != ") == 1:
        return text.replace(" != ", " == ")
    if text.endswith(" is not None") and " and " not in text:
        return text.removesuffix(" is not None") + " is None"
    return f"not ({text})"


def _each(values: Sequence[Any], judged: Any) -> list[Any]:
    return [UNKNOWN if value is UNKNOWN else judged(value) is True for value in values]


def _row_fields(row: Name) -> list[tuple[str, type]]:
    found: dict[str, type] = {}
    for each in row.elements:
        for field, held in each.items() if isinstance(each, dict) else ():
            if isinstance(held, str | bool) and '"' not in field:
                found.setdefault(field, type(held))
    return list(found.items())


def _numeric(values: Sequence[Any]) -> bool:
    there = [value for value in values if value is not UNKNOWN and value is not None]
    return bool(there) and all(map(is_number, there))
