"""Values as JSON has them: when two are the same, what is in them, how they are written.

Always holds: true is not 1; what is written is read again as the same value.

Knows values; nothing of what they are values of.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

_POSITIVE = 4  # numbers of which none is below zero, for that to say something


def same(a: Any, b: Any) -> bool:
    """Equal as JSON: true is not 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[field], b[field]) for field in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def is_number(value: Any) -> bool:
    return type(value) in (int, float)


def any_number(values: Sequence[Any]) -> bool:
    return any(map(is_number, values))


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def written(value: Any) -> str:
    return repr(json.loads(json.dumps(value)))


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def fields_of(things: Iterable[Any], fit: Callable[[Any], Any] = lambda _: True) -> list[str]:
    """The fields of those that are objects in which something fit stands, in the order in which they are seen."""
    objects = (thing for thing in things if isinstance(thing, dict))
    return list(dict.fromkeys(field for each in objects for field, held in each.items() if fit(held)))


def loose_places(values: list[Any]) -> set[tuple[Any, ...]]:
    """Places in these values where almost every value has another string."""
    seen: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for value in values:
        for path, leaf in _paths(value, ()):
            seen[path][leaf] += 1
    return {path for path, counts in seen.items() if len(counts) >= 8 and max(counts.values()) <= 0.2 * len(values)}


def _paths(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _paths(each, (*path, name))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _paths(each, (*path, at))
    elif isinstance(value, str):
        yield path, value


def held(value: Any, loose: set[tuple[Any, ...]], path: tuple[Any, ...]) -> Any:
    if isinstance(value, dict):
        return {name: held(each, loose, (*path, name)) for name, each in value.items()}
    if isinstance(value, list):
        return [held(each, loose, (*path, at)) for at, each in enumerate(value)]
    return "*" if path in loose else value


def positive(values: Sequence[Any]) -> bool:
    """Whether these are numbers of which none is below zero, and not too few."""
    numbers = [value for value in values if is_number(value)]
    return len(numbers) == len(values) >= _POSITIVE and min(numbers) >= 0
