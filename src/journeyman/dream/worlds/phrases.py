"""Texts that are put together: "R-7 is cancelled", "Fwd: " before a subject, a line after those that were there; and
what texts speak of.

    phrase(scalars, {0: "R-7 is lost", 1: "R-9 is lost"})  # Phrase("{} is lost", ("order",))

Always holds: the phrase gives every text that was seen, letter by letter; what is the same in all of them is said as
it is.

Knows values and texts; nothing of what says them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from journeyman.dream.worlds.conditions import Scalar
from journeyman.dream.worlds.values import is_number, quoted

HOLES = 4
NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"[a-z]+")
_EMPTY = frozenset("the not and can cannot should could must with for none has len zip".split())


class Phrase(NamedTuple):
    """`text`: with "{}" for each of the expressions in `holes`, in their order."""

    text: str
    holes: tuple[str, ...]

    def python(self) -> str:
        """An expression for it."""
        return filled(self.text, ", ".join(self.holes)) if self.holes else quoted(self.text)


def filled(text: str, holes: str) -> str:
    """An expression for a text with these in its holes; with one for several, it stands in each."""
    parts = [part.replace("{", "{{").replace("}", "}}") for part in text.split("{}")]
    return f"{quoted(('{}' if ',' in holes or len(parts) <= 2 else '{0}').join(parts))}.format({holes})"


def phrase(scalars: Sequence[Scalar], wanted: Mapping[int, str]) -> Phrase | None:
    """What these texts are put together from; None if nothing that is known gives them."""
    texts: dict[int, list[str]] = {at: [text] for at, text in wanted.items()}
    holes: list[Scalar] = []
    places: list[int] = []  # of each hole, after which piece of text it stands
    while not _same(texts):
        if len(holes) == HOLES:
            return None
        found = min(_fitting(scalars, texts), key=lambda each: each[:3], default=None)
        if found is None:
            return None
        _, _, place, scalar = found
        for at, pieces in texts.items():
            before, _, after = _split(pieces[place], _said(scalar.values[at]))
            pieces[place : place + 1] = [before, after]
        places = [each + 1 if each >= place else each for each in places]
        holes.append(scalar)
        places.append(place)
    if not holes:
        return None
    order = sorted(range(len(holes)), key=places.__getitem__)
    pieces = next(iter(texts.values()))
    if any("{}" in piece for piece in pieces):
        return None
    return Phrase("{}".join(pieces), tuple(holes[each].text for each in order))


def words(text: str) -> frozenset[str]:
    """What it speaks of: its words in the singular, without those that say nothing."""
    found = _WORD.findall(text.lower())
    return frozenset(word.removesuffix("s") for word in found if word not in _EMPTY and len(word) > 2)


def _fitting(scalars: Sequence[Scalar], texts: Mapping[int, list[str]]) -> Iterator[tuple[float, str, int, Scalar]]:
    """Values that stand in every text, in the same piece of it: those that say most first, then the nearest."""
    pieces = len(next(iter(texts.values())))
    for each in scalars:
        said = {at: _said(each.values[at]) for at in texts}
        if not all(said.values()) or len(set(said.values())) < 2:
            continue
        for place in range(pieces):
            if len({text[place] for text in texts.values()}) > 1 and all(
                _split(text[place], said[at])[1] for at, text in texts.items()
            ):
                yield each.cost - 0.5 * min(map(len, said.values())), each.text, place, each
                break


def _said(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if is_number(value) else ""


def _split(text: str, value: str) -> tuple[str, str, str]:
    """Before it, itself and after it, where it stands by itself; itself is empty where it does not."""
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        left = at == 0 or not (text[at - 1].isalnum() and value[0].isalnum())
        right = end == len(text) or not (text[end].isalnum() and value[-1].isalnum())
        if left and right:
            return text[:at], value, text[end:]
        at = text.find(value, at + 1)
    return text, "", ""


def _same(texts: Mapping[int, list[str]]) -> bool:
    first = next(iter(texts.values()))
    return all(pieces == first for pieces in texts.values())
