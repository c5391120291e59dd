"""A sorted set of keys that never changes: adding to it makes another that shares almost all of it.

It is a tuple of sorted tuples, none of them longer than LONGEST, so that an addition copies about as many places as
there are parts and as one part has: some microseconds at a million keys. Persistent maps have no order of their own
that is the same in another process; a world needs one.

Always holds: the keys come out ascending and once, whatever the order in which they went in; no part is empty.

Knows strings.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain

Keys = tuple[tuple[str, ...], ...]
LONGEST = 512
NONE: Keys = ()


def of(keys: Iterable[str]) -> Keys:
    ordered = sorted(set(keys))
    half = LONGEST // 2  # room to grow
    return tuple(tuple(ordered[at : at + half]) for at in range(0, len(ordered), half))


def each(keys: Keys) -> Iterator[str]:
    return chain.from_iterable(keys)


def added(keys: Keys, key: str) -> Keys:
    if not keys:
        return ((key,),)
    at = max(bisect_right(keys, key, key=_first) - 1, 0)
    part = keys[at]
    place = bisect_left(part, key)
    if place < len(part) and part[place] == key:
        return keys
    part = (*part[:place], key, *part[place:])
    if len(part) <= LONGEST:
        return (*keys[:at], part, *keys[at + 1 :])
    half = len(part) // 2
    return (*keys[:at], part[:half], part[half:], *keys[at + 1 :])


def removed(keys: Keys, key: str) -> Keys:
    at = bisect_right(keys, key, key=_first) - 1
    if at < 0:
        return keys
    part = keys[at]
    place = bisect_left(part, key)
    if place == len(part) or part[place] != key:
        return keys
    part = (*part[:place], *part[place + 1 :])
    return (*keys[:at], part, *keys[at + 1 :]) if part else (*keys[:at], *keys[at + 1 :])


def _first(part: tuple[str, ...]) -> str:
    return part[0]
