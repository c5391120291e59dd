"""Numbers past which a tool refuses: more than five fines, fewer than two days.

A limit lies somewhere between what was fine and what was refused. Where no whole number lies between them it is known;
where the words of the refusal name a number there, the limit is that one; in between all else abstains (`past`).

Always holds: at every call a limit speaks as it was seen; one that chance could have drawn is not believed unless the
refusal's own words speak of the same thing.

Knows numbers and words; nothing of other conditions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb
from typing import Any

from journeyman.dream.worlds.conditions import Condition, Scalar
from journeyman.dream.worlds.phrases import NUMBER, words
from journeyman.dream.worlds.values import is_number

_CHANCE = 5000  # so many orders of what was seen, for this one to say something
_COST = 0.8
_NAMED = 0.5  # less, where the words name the number


def limits(numbers: Sequence[Scalar], says: str, wanted: int, rest: int) -> Iterator[Condition]:
    """Conditions that hold at all of `wanted` and at none of `rest` (bits). `says`: the refusal."""
    named = [float(each) if "." in each else int(each) for each in NUMBER.findall(says)]
    for each in numbers:
        refused = {at: value for at, value in enumerate(each.values) if wanted >> at & 1 and is_number(value)}
        fine = {at: value for at, value in enumerate(each.values) if rest >> at & 1 and is_number(value)}
        if len(refused) < wanted.bit_count() or len(refused) < 2 or len(fine) < rest.bit_count() or not fine:
            continue
        over = min(refused.values()) > max(fine.values())
        if not over and max(refused.values()) >= min(fine.values()):
            continue
        inner = max(fine.values()) if over else min(fine.values())
        outer = min(refused.values()) if over else max(refused.values())
        between = [number for number in named if min(inner, outer) <= number <= max(inner, outer)]
        sure = comb(len(set(refused.values())) + len(set(fine.values())), len(set(refused.values()))) >= _CHANCE
        if not sure and not between and not words(says) & words(each.text):
            continue
        yield _told(each, inner, outer, between, over)


def _told(each: Scalar, inner: Any, outer: Any, between: Sequence[Any], over: bool) -> Condition:
    sign = ">" if over else "<"
    whole = all(isinstance(value, int) for value in each.values if is_number(value))
    cost = each.cost + _COST - (_NAMED if between else 0.0)
    if whole and abs(outer - inner) == 1:
        text = f"{each.text} {sign} {inner}"
    elif inner in between or outer in between:
        text = f"{each.text} {sign} {inner}" if inner in between else f"{each.text} {sign}= {outer}"
    elif between and whole:  # past it, or from it on?
        number = int(between[0])
        text = f"past({each.text}, {number - 1 if over else number + 1}, {number + 1 if over else number - 1})"
    elif between:
        text = f"{each.text} {sign} {between[0]}"
    else:
        text = f"past({each.text}, {inner}, {outer})"
    yes = no = 0
    for at, value in enumerate(each.values):
        if is_number(value):
            if value >= outer if over else value <= outer:
                yes |= 1 << at
            elif value <= inner if over else value >= inner:
                no |= 1 << at
    return Condition(text if not each.optional else f"{each.optional} and {text}", yes, no, cost)
