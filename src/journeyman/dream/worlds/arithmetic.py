"""What numbers come from: other numbers rounded, added, multiplied; a count that goes up by one, a tax, a discount.

Formulas are tried from the shortest on: one number; one with a constant that is the same at every call; two; three.

Always holds: a formula gives what was seen at every call, to the cent if it was rounded; one of many formulas is
believed only if what was seen leaves chance no room.

Knows terms and what they have to give; nothing of where either comes from.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, permutations
from math import log10
from typing import Any

from journeyman.dream.worlds.conditions import Scalar
from journeyman.dream.worlds.reading import Reading
from journeyman.dream.worlds.values import is_number, same

_ENOUGH = 2  # a number is seen so often
_NEAR = 80  # terms that are tried two at a time
_NEAREST = 16  # and three at a time
_DIGITS = 8.0  # that what was seen has to have in all, for one of ten thousands of formulas not to fit by chance
_PLACES = 4  # decimals of a factor
_CENT = 0.011  # what is further from what was seen than this is not near it, rounded or not

_ALONE: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("round({0}, 2)", lambda v: round(v, 2)),
    ("abs({0})", abs),
    ("-{0}", lambda v: -v),
    ("abs(round({0}, 2))", lambda v: abs(round(v, 2))),
    ("-round({0}, 2)", lambda v: -round(v, 2)),
    ("int({0})", int),
)
_PAIRED: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = (
    ("{0} + {1}", operator.add),
    ("{0} - {1}", operator.sub),
    ("{0} * {1}", operator.mul),
    ("{1} - {0}", lambda a, b: b - a),
)
_PERCENT: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = (
    ("{0} * {1} / 100", lambda a, b: a * b / 100),
    ("{0} * (1 - {1} / 100)", lambda a, b: a * (1 - b / 100)),
    ("{0} * (1 + {1} / 100)", lambda a, b: a * (1 + b / 100)),
    ("{0} * (1 - {1})", lambda a, b: a * (1 - b)),
    ("{0} * (1 + {1})", lambda a, b: a * (1 + b)),
)
# The last two terms of the first group may change places, and so may the first two of the second.
_THREE_LAST: tuple[tuple[str, Callable[[Any, Any, Any], Any]], ...] = (
    ("{0} + {1} * {2}", lambda a, b, c: a + b * c),
    ("{0} - {1} * {2}", lambda a, b, c: a - b * c),
    ("{1} * {2} - {0}", lambda a, b, c: b * c - a),
    ("{0} * ({1} + {2})", lambda a, b, c: a * (b + c)),
    ("{0} - {1} - {2}", lambda a, b, c: a - b - c),
)
_THREE_FIRST: tuple[tuple[str, Callable[[Any, Any, Any], Any]], ...] = (
    ("{0} + {1} - {2}", lambda a, b, c: a + b - c),
    ("{0} * {1} * (1 - {2} / 100)", lambda a, b, c: a * b * (1 - c / 100)),
)
_THREE_ALL: tuple[tuple[str, Callable[[Any, Any, Any], Any]], ...] = (
    ("{0} + {1} + {2}", lambda a, b, c: a + b + c),
    ("{0} * {1} * {2}", lambda a, b, c: a * b * c),
)
_THREE_EACH: tuple[tuple[str, Callable[[Any, Any, Any], Any]], ...] = (
    ("{0} * ({1} - {2})", lambda a, b, c: a * (b - c)),
)


def formulas(numbers: Sequence[Scalar], wanted: Mapping[int, Any], old: Scalar | None) -> Iterator[Reading]:
    """Of each length as many as fit; no longer ones where a shorter one does. `old`: what stood there before."""
    if not all(map(is_number, wanted.values())) or len(wanted) < _ENOUGH:
        return
    if len({round(value, 6) for value in wanted.values()}) < 2:
        return
    terms = [each for each in numbers if all(is_number(each.values[at]) for at in wanted)]
    before = old if old is not None and all(is_number(old.values[at]) for at in wanted) else None
    fit = _Fit(wanted)
    found = [*_short(fit, terms, before), *_shifted(fit, terms, before)]
    yield from found or [*_percent(fit, terms)] or [*_long(fit, terms, before)]


class _Fit:
    """Whether values are those that were seen: looked at closely only where the first few are near."""

    def __init__(self, wanted: Mapping[int, Any]) -> None:
        self.wanted = wanted
        self.whole = all(isinstance(value, int) for value in wanted.values())
        self._some = list(wanted)[:3]

    def near(self, made: Callable[..., Any], *terms: Scalar) -> bool:
        try:
            return all(abs(made(*(each.values[at] for each in terms)) - self.wanted[at]) < _CENT for at in self._some)
        except (ArithmeticError, ValueError):
            return False

    def exact(self, made: Callable[..., Any], *terms: Scalar) -> bool:
        """As it is."""
        return self._all(made, terms, lambda value: value)

    def cents(self, made: Callable[..., Any], *terms: Scalar) -> bool:
        """Rounded to two places."""
        return self._all(made, terms, lambda value: round(value, 2))

    def _all(self, made: Callable[..., Any], terms: Sequence[Scalar], kept: Callable[[Any], Any]) -> bool:
        try:
            return all(
                same(kept(made(*(each.values[at] for each in terms))), value) for at, value in self.wanted.items()
            )
        except (ArithmeticError, ValueError):
            return False

    def reading(self, form: str, made: Callable[..., Any], terms: Sequence[Scalar], cost: float) -> Iterator[Reading]:
        if self.near(made, *terms):
            text = form.format(*(each.text for each in terms))
            if self.whole and self.exact(made, *terms):
                yield Reading(text, cost)
            elif self.cents(made, *terms):
                yield Reading(f"round({text}, 2)", cost)
            elif self.exact(made, *terms):
                yield Reading(text, cost)

    @property
    def digits(self) -> float:
        """How many digits what was seen has in all: so many formulas would have to be tried for one to fit by
        chance."""
        values = {round(value, 6) for value in self.wanted.values()}
        smallest = 1 if all(float(value).is_integer() for value in values) else 0.01
        return (len(values) - 1) * log10(1 + (max(values) - min(values)) / smallest)


def _short(fit: _Fit, terms: Sequence[Scalar], before: Scalar | None) -> Iterator[Reading]:
    """One or two."""
    for each in terms:
        for form, made in _ALONE:
            if fit.near(made, each) and fit.exact(made, each):
                yield Reading(form.format(each.text), each.cost + (0.9 if form[0] == "-" else 0.6))
    pairs: Any = combinations(sorted(terms, key=lambda each: each.cost)[:_NEAR], 2)
    if before is not None:
        pairs = [(before, each) for each in terms if each.text != before.text]
    for a, b in pairs:
        for form, made in _PAIRED:
            yield from fit.reading(form, made, (a, b), a.cost + b.cost + 1.0)


def _shifted(fit: _Fit, terms: Sequence[Scalar], before: Scalar | None) -> Iterator[Reading]:
    """One, and a constant: the same step or the same factor at every call. Of what stood there before, two different
    ones are enough; of others three."""
    for each in [before, *(t for t in terms if before is None or t.text != before.text)]:
        if each is None:
            continue
        values = {round(each.values[at], 6) for at in fit.wanted}
        if len(values) < (_ENOUGH if each is before else _ENOUGH + 1):
            continue
        cost = (0.0 if each is before else each.cost) + 1.0
        at = max(fit.wanted, key=lambda at: abs(each.values[at]))
        step = round(fit.wanted[at] - each.values[at], 2)
        step = int(step) if step == int(step) else step
        form = f"{{0}} + {step}" if step > 0 else f"{{0}} - {-step}"
        stepped = [*fit.reading(form, lambda v, step=step: v + step, (each,), cost)] if step else []
        yield from stepped
        if stepped or not each.values[at] or not fit.wanted[at]:
            continue
        for places in range(_PLACES + 1):
            factor = round(fit.wanted[at] / each.values[at], places)
            if factor not in (0, 1, -1):
                form = f"{{0}} * {factor if places else int(factor)}"
                scaled = [*fit.reading(form, lambda v, factor=factor: v * factor, (each,), cost + 0.2)]
                yield from scaled
                if scaled:
                    break


def _percent(fit: _Fit, terms: Sequence[Scalar]) -> Iterator[Reading]:
    if fit.digits >= _DIGITS:
        for a, b in permutations(sorted(terms, key=lambda each: each.cost)[: 2 * _NEAREST], 2):
            for form, made in _PERCENT:
                yield from fit.reading(form, made, (a, b), a.cost + b.cost + 1.5)


def _long(fit: _Fit, terms: Sequence[Scalar], before: Scalar | None) -> Iterator[Reading]:
    """Three."""
    if fit.digits < _DIGITS:
        return
    near = sorted(terms, key=lambda each: each.cost)[:_NEAREST]
    if before is not None and all(each.text != before.text for each in near):
        near.append(before)
    for trio in combinations(near, 3):
        cost = sum(each.cost for each in trio) + 2.0
        for form, made in _THREE_ALL:
            yield from fit.reading(form, made, trio, cost)
        for place in range(3):
            one, rest = trio[place], [each for each in trio if each is not trio[place]]
            for form, made in _THREE_LAST:
                yield from fit.reading(form, made, (one, *rest), cost)
            for form, made in _THREE_FIRST:
                yield from fit.reading(form, made, (*rest, one), cost)
            for form, made in _THREE_EACH:
                yield from fit.reading(form, made, (one, *rest), cost)
                yield from fit.reading(form, made, (one, *reversed(rest)), cost)
