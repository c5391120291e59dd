"""What a tool changes, and what it answers: for each field an expression that gives what was seen at every call.

Expressions are tried from the plainest on: constants, arguments, copies of fields, sorted lists, objects made of these,
arithmetic (differences, sums and products over fields, along lists), one of two constants by a condition, lists with
something appended, merged by a key, and parts that are changed along a list.

Always holds: an expression that is kept gives, at every call that was seen, exactly what was seen there; a field that
no expression gives is said to be unexplained.

Knows scopes; nothing of refusals.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from journeyman.dream.worlds.arithmetic import formulas
from journeyman.dream.worlds.calls import leaves
from journeyman.dream.worlds.conditions import Condition, Scalar, sums
from journeyman.dream.worlds.phrases import phrase
from journeyman.dream.worlds.reading import Reading, said
from journeyman.dream.worlds.scope import UNKNOWN, Name, Scope
from journeyman.dream.worlds.values import (
    any_number,
    fields_of,
    held,
    is_number,
    is_plain,
    loose_places,
    quoted,
    same,
    written,
)

READINGS = 3
_MARGIN = 0.6
_MANY = 8
_ENOUGH = 2  # a constant is seen so often
_LABELS = 4  # and a label, another one each time, so often
_PAIRS = 2  # elements of a list, for what is made of each to be told


class Effect(NamedTuple):
    """`target["field"] = readings`; along a list, `target` is the list and each reading gives a list as long.

    `positive`: a number that was never seen below zero; `where`: only then.
    """

    target: str
    field: str
    readings: tuple[Reading, ...]
    along: bool = False
    positive: bool = False
    where: str = ""


Wanted = dict[int, Any]  # moment -> what it has to be


class Explainer:
    """Finds expressions. `plain` are the values at hand; `makes`: whether the tool may name what is new."""

    def __init__(self, scope: Scope, plain: Sequence[Scalar], found: Sequence[Condition], makes: bool = True) -> None:
        self.scope = scope
        self.plain = plain
        self.conditions = found
        self._makes = makes
        self.numbers = [each for each in (*plain, *sums(scope)) if any_number(each.values)]

    def readings(self, wanted: Wanted, old: str = "") -> list[Reading]:
        """The plainest expressions for these values. `old`: for what stood there before."""
        for stage in (
            self._direct,
            self._listed,
            self._made,
            self._arithmetic,
            self._joined,
            self._either,
            self._cases,
            self._new,
        ):
            if fit := sorted(set(stage(wanted, old)), key=lambda each: (each.cost, each.text)):
                return self.different(fit)
        return []

    def different(self, fit: list[Reading]) -> list[Reading]:
        """The nearest; of those that are the same at every moment, whatever came of it, one."""
        kept: dict[str, Reading] = {}
        for each in fit:
            if (
                each.cost <= fit[0].cost + _MARGIN
                and len(kept) < READINGS
                and not self._roundabout(each, kept.values())
            ):
                kept.setdefault(repr(self.scope.values(each.text)), each)
        return list(kept.values())

    def _roundabout(self, reading: Reading, kept: Iterable[Reading]) -> bool:
        """Whether it needs all that one of these needs, and more: what explains as much with less is believed."""
        needs = self.scope.reach(reading.text)
        return any(self.scope.reach(each.text) < needs for each in kept)

    # -- the plainest

    def _direct(self, wanted: Wanted, _: str) -> Iterator[Reading]:
        values = list(wanted.values())
        if self._constant(wanted):
            yield Reading(written(values[0]), 0.5)
        for name in self.scope.arguments:
            if _gives(self.scope.names[name].values, wanted):
                yield Reading(name, 0.0)
        for each in self.plain:
            if each.text not in self.scope.arguments and _gives(each.values, wanted):
                yield Reading(each.text, each.cost)
        if all(map(is_number, values)):
            for each in self.numbers:
                if _gives(each.values, wanted):
                    yield Reading(each.text, each.cost)
                    if any(is_number(value) and value < 0 for value in each.values):
                        yield Reading(f"abs({each.text})", each.cost + 0.05)
        for text, cost in self._wholes():
            if _gives(self.scope.values(text), wanted):
                yield Reading(text, cost)
        if any(isinstance(value, str) for value in values):
            for name in self.scope.names.values():
                if name.shape == "text" and _gives(
                    self.scope.values(f"str(round(calculated({name.name}), 2))"), wanted
                ):
                    yield Reading(f"str(round(calculated({name.name}), 2))", 1.0)

    def _constant(self, wanted: Wanted) -> bool:
        """The same in more than one session, and not just what was asked for: of a string that every call gave, or of
        an object with such strings in it, the arguments tell more."""
        values = list(wanted.values())
        if not all(same(value, values[0]) for value in values):
            return False
        if len({self.scope.moments[at].session for at in wanted}) < _ENOUGH:
            return False
        given = [set(leaves(list(self.scope.moments[at].call.arguments.values()))) for at in wanted]
        return not any(all(text in each for each in given) for text in _texts(values[0]))

    def _wholes(self) -> Iterator[tuple[str, float]]:
        for name in self.scope.names.values():
            if name.shape == "texts":
                yield f"sorted({name.name})", 0.3
            elif name.shape in ("doc", "part"):
                yield name.name, name.depth + 0.1
                for field in fields_of(name.values, lambda held: isinstance(held, dict | list)):
                    yield f"{name.name}[{quoted(field)}]", name.depth + 0.4
            elif name.shape == "row" and name.name not in self.scope.arguments:
                for field in fields_of(name.elements):
                    yield f"[x[{quoted(field)}] for x in {name.name}]", name.depth + 0.6

    def _made(self, wanted: Wanted, _: str) -> Iterator[Reading]:
        """An object, field by field, an argument that is left out leaving its field out; or a list of such."""
        values = list(wanted.values())
        if all(isinstance(value, list) for value in values):
            lengths = {len(value) for value in values}
            if len(lengths) == 1 and 0 < (n := lengths.pop()) <= 4:
                inner = [self.readings({at: value[place] for at, value in wanted.items()}) for place in range(n)]
                if all(inner):
                    text = ", ".join(said(each) for each in inner)
                    yield Reading(f"[{text}]", 1.0 + sum(each[0].cost for each in inner))
            return
        if not all(isinstance(value, dict) for value in values):
            return
        fields = fields_of(values)
        if len(values) < _ENOUGH and not all(same(values[0][f], self._given(f, wanted)) for f in fields):
            return  # once is enough only for what is made of the arguments of the same names
        if not fields or len(fields) > 25:
            return
        parts: list[str] = []
        optional = False
        for field in fields:
            there = {at: value[field] for at, value in wanted.items() if field in value}
            if len(there) < len(wanted):
                name = self._left_out(field, wanted)
                if name is None or not field.isidentifier():
                    return
                optional = True
                parts.append(f"{field}={name}")
                continue
            inner = self.readings(there)
            if not inner:
                return
            parts.append(f"{quoted(field)}: {said(inner)}")
        if not optional:
            yield Reading("{" + ", ".join(parts) + "}", 1.0)
        else:
            fixed = [part for part in parts if part.startswith('"')]
            loose = [part for part in parts if not part.startswith('"')]
            yield Reading("{" + ", ".join([*fixed, f"**present({', '.join(loose)})"]) + "}", 1.2)

    def _given(self, field: str, wanted: Wanted) -> Any:
        """What the only call gave as the argument of this name."""
        return next(self.scope.moments[at].call.arguments.get(field, UNKNOWN) for at in wanted)

    def _left_out(self, field: str, wanted: Wanted) -> str | None:
        """An argument that is there exactly where the field is."""
        for name in self.scope.arguments:
            values = self.scope.names[name].values
            if all(same(values[at], value.get(field)) for at, value in wanted.items()):
                return name
        return None

    def _arithmetic(self, wanted: Wanted, old: str) -> Iterator[Reading]:
        return formulas(self.numbers, wanted, Scalar(old, self.scope.values(old), 0.0) if old else None)

    # -- texts

    def _joined(self, wanted: Wanted, old: str) -> Iterator[Reading]:
        """A text put together from others."""
        if len(wanted) < _ENOUGH or not all(isinstance(value, str) for value in wanted.values()):
            return
        before = [Scalar(old, self.scope.values(old), 0.0)] if old else []
        if (found := phrase([*before, *self.plain], wanted)) is not None:
            yield Reading(found.python(), 1.0 + 0.3 * len(found.holes))

    # -- by a condition

    def _either(self, wanted: Wanted, _: str) -> Iterator[Reading]:
        distinct: list[Any] = []
        for value in wanted.values():
            if not any(same(value, other) for other in distinct):
                distinct.append(value)
        if len(distinct) != 2 or len(wanted) < 3 or not all(is_plain(value) for value in distinct):
            return
        one = sum(1 << at for at, value in wanted.items() if same(value, distinct[0]))
        other = sum(1 << at for at in wanted) & ~one
        if one.bit_count() < 2 and other.bit_count() < 2:
            return
        for each in self.conditions:
            if each.yes & one == one and each.no & other == other:
                yield Reading(f"({written(distinct[0])} if {each.text} else {written(distinct[1])})", each.cost + 1)

    def _cases(self, wanted: Wanted, _: str) -> Iterator[Reading]:
        """Several answers, each under a condition under which no other was seen; elsewhere, none."""
        if len(wanted) < _MANY or not all(isinstance(value, dict | list | str) for value in wanted.values()):
            return
        groups: dict[str, int] = {}
        loose = loose_places(list(wanted.values()))
        for at, value in wanted.items():
            shape = json.dumps(held(value, loose, ()), sort_keys=True)
            groups[shape] = groups.get(shape, 0) | 1 << at
        if not 1 < len(groups) <= 12:
            return
        left = everything = sum(groups.values())
        asked = [each for each in self.conditions if each.yes & everything and each.cost <= 0.8]
        asked = sorted(asked, key=lambda each: (each.cost, each.text))[:40]
        pairs = [
            Condition(f"{a.text} and {b.text}", a.yes & b.yes, a.no | b.no, a.cost + b.cost + 0.5)
            for a, b in combinations(asked, 2)
        ]
        cases: list[str] = []
        while left and len(cases) < 8:
            best: tuple[float, Condition, int] | None = None
            for each in (*asked, *pairs):
                there = each.yes & left
                owner = next((group for group in groups.values() if there and there & group == there), None)
                if owner is not None and there.bit_count() >= _MANY:
                    worth = there.bit_count() - 2 * each.cost
                    if best is None or worth > best[0]:
                        best = (worth, each, there)
            if best is None:
                break
            chosen, there = best[1], best[2]
            inner = self.readings({at: value for at, value in wanted.items() if there >> at & 1})
            left &= ~chosen.yes
            if inner:
                cases.append(f"({chosen.text}, lambda: {said(inner)})")
        if cases and (everything & ~left).bit_count() >= 0.4 * everything.bit_count():
            yield Reading(f"case({', '.join(cases)})", 3.0)

    def _new(self, wanted: Wanted, old: str) -> Iterator[Reading]:
        """A string that nothing had named before, another one each time: an id, or a label."""
        values = list(wanted.values())
        # What stood there before is followed by a name, not by a text that nobody could have foreseen.
        names = all(isinstance(value, str) and not (old and any(map(str.isspace, value))) for value in values)
        if not self._makes or len(values) < _LABELS or not names:
            return
        most = max(values.count(value) for value in set(values))
        if most > max(1, 0.2 * len(values)) or len(set(values)) < min(len(values), 8):
            return
        for at, value in wanted.items():
            moment = self.scope.moments[at]
            if value in moment.mentioned or value in leaves(moment.call.arguments):
                return
        yield Reading('desk.new("label")', 2.0)

    # -- lists

    def _listed(self, wanted: Wanted, old: str) -> Iterator[Reading]:
        if not old or not all(isinstance(value, list) for value in wanted.values()):
            return
        before = self.scope.values(old)
        if not all(isinstance(before[at], list) for at in wanted):
            return
        tails: dict[int, list[Any]] = {}
        for at, value in wanted.items():
            if not same(value[: len(before[at])], before[at]):
                tails = {}
                break
            tails[at] = value[len(before[at]) :]
        if tails:
            yield from self._appended(tails, old)
            return
        for name in self.scope.arguments:  # merged by a key
            values = self.scope.names[name].values
            if self.scope.names[name].shape == "row":
                for field in fields_of(e for at in wanted for e in values[at] or ()):
                    text = f"merged({old}, {name}, {quoted(field)})"
                    if _gives(self.scope.values(text), wanted):
                        yield Reading(text, 1.0)

    def _appended(self, tails: dict[int, list[Any]], old: str) -> Iterator[Reading]:
        lengths = {len(tail) for tail in tails.values()}
        if len(lengths) == 1 and 0 < (n := lengths.pop()) <= 3:
            parts: list[str] = []
            cost = 1.0
            for place in range(n):
                fit = self.readings({at: tail[place] for at, tail in tails.items()})
                if not fit:
                    break
                parts.append(said(fit))
                cost += fit[0].cost
            else:
                yield Reading(f"{old} + [{', '.join(parts)}]", cost)
        rows = [name for name in self.scope.names.values() if name.shape == "row"]
        for row in rows:
            if all(isinstance(row.values[at], list) and len(row.values[at]) == len(t) for at, t in tails.items()):
                made = _along(row, tails)
                if made:
                    yield Reading(f"{old} + {made}", row.depth + 0.9)


def _along(row: Name, wanted: dict[int, list[Any]]) -> str:
    """A list of objects made from a row's elements, each field a constant or a copy."""
    pairs = [(x, y) for at, tail in wanted.items() for x, y in zip(row.values[at], tail, strict=True)]
    if len(pairs) < _PAIRS or not all(isinstance(x, dict) and isinstance(y, dict) for x, y in pairs):
        return ""
    parts: list[str] = []
    for field in fields_of(y for _, y in pairs):
        values = [y.get(field, UNKNOWN) for _, y in pairs]
        copied = next((f for f in pairs[0][0] if all(f in x and same(x[f], y.get(field)) for x, y in pairs)), None)
        if all(same(value, values[0]) for value in values) and copied != field:
            parts.append(f"{quoted(field)}: {written(values[0])}")
        elif copied is not None:
            parts.append(f"{quoted(field)}: x[{quoted(copied)}]")
        else:
            return ""
    return "[{" + ", ".join(parts) + "} for x in " + row.name + "]"


def _texts(value: Any) -> Iterator[str]:
    """The strings in a value, without the names of fields."""
    if isinstance(value, str):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(each)


def _gives(values: Sequence[Any], wanted: Wanted) -> bool:
    return all(values[at] is not UNKNOWN and same(values[at], value) for at, value in wanted.items())
