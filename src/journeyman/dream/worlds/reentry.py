"""The same work for something else: calls and words, with the names of one thing exchanged for those of another.

What belongs to a document is exchanged for what stands in the same place of the other one: the items of an order, and
the user's card, for they belong to whom the order refers to.

Always holds: words keep what two documents share; where they say something of the one that is not so of the other, and
is no name of it, they do not fit, and that is said.

Knows documents as JSON; whether the work can be done for the other is for the world to say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from journeyman.dream.worlds.calls import leaves
from journeyman.dream.worlds.history import named
from journeyman.world.saying import holds, normal

_REACH = 12  # pairs of documents that refer to each other
Find = Callable[[str, str], Any]


class Exchange(NamedTuple):
    """`names`: each string of the one with what stands for it in the other; `differing`: numbers that are not alike."""

    names: dict[str, str]
    differing: frozenset[str]


def exchange(kind: str, old: str, new: str, find: Find, other: Find, refers: Mapping[str, str]) -> Exchange:
    """`find`, `other`: (kind, key) -> the document, or None, where the work was done and where it is to be done;
    `refers`: which fields hold keys of which kind."""
    names, differing = {old: new}, set[str]()
    waiting, met = [(kind, old, new)], {(kind, old)}
    for each, one, two in waiting:
        mine, yours = find(each, one), other(each, two)
        if mine is None or yours is None:
            continue
        for a, b in _paired(mine, yours):
            if isinstance(a, str) and isinstance(b, str):
                names.setdefault(a, b)
            elif a != b:
                differing.add(str(a))
        for field, key in named(mine):
            target = refers.get(field)
            if target and key in names and (target, key) not in met and len(waiting) < _REACH:
                met.add((target, key))
                waiting.append((target, key, names[key]))
    return Exchange(names, frozenset(differing))


def reworded(words: str, found: Exchange, used: Sequence[str], unique: Callable[[str], bool]) -> str | None:
    """The words for the other; None if they do not fit it. `used`: what the calls say, which is exchanged there too;
    `unique`: whether a string is in one document alone."""
    plain = normal(words)
    swapped: dict[str, str] = {}
    for one, other in found.names.items():
        if one == other or not one.strip() or not holds(plain, one):
            continue
        if one not in used and not unique(one):
            return None
        swapped[one.casefold()] = other
    if any(holds(plain, number) for number in found.differing):
        return None
    if not swapped:
        return words
    longest = sorted(swapped, key=len, reverse=True)
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest)) + r")(?!\w)", re.IGNORECASE)
    return pattern.sub(lambda match: swapped[match.group().casefold()], words)


def counted(documents: Iterator[Any]) -> Counter[str]:
    """In how many documents each string is."""
    return Counter(text for document in documents for text in set(leaves(document)))


def _paired(one: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """What stands in the same place of two values; objects whose fields have other names are gone through in order."""
    if isinstance(one, dict) and isinstance(other, dict):
        if shared := [name for name in one if name in other]:
            for name in shared:
                yield from _paired(one[name], other[name])
        else:
            for (name, a), (label, b) in zip(one.items(), other.items(), strict=False):
                yield name, label
                yield from _paired(a, b)
    elif isinstance(one, list) and isinstance(other, list):
        for a, b in zip(one, other, strict=False):
            yield from _paired(a, b)
    elif not isinstance(one, bool) and isinstance(one, str | int | float):
        yield one, other
