"""Values as JSON has them: when two are the same, what is in them, how they are written.

Always holds: true is not 1; what is written is read again as the same value.

Knows values; sums and rows know names in a scope as well.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from journeyman.dream.worlds.conditions import Scalar, quoted
from journeyman.dream.worlds.scope import UNKNOWN, Name, Scope

_POSITIVE = 4  # numbers of which none is below zero, for that to say something
_PAIRS = 2  # elements of a list, for what is made of each to be told


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


def is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def written(value: Any) -> str:
    return repr(json.loads(json.dumps(value)))


def fields_of(things: Any) -> list[str]:
    return list(dict.fromkeys(field for thing in things if isinstance(thing, dict) for field in thing))


def big_fields(name: Name) -> list[str]:
    found: dict[str, None] = {}
    for value in name.values:
        if isinstance(value, dict):
            for field, held in value.items():
                if isinstance(held, dict | list):
                    found[field] = None
    return list(found)


def number_fields(row: Name) -> list[str]:
    found: dict[str, None] = {}
    for value in row.values:
        for each in value if isinstance(value, list) else ():
            if isinstance(each, dict):
                for field, held in each.items():
                    if is_number(held):
                        found[field] = None
    return list(found)


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


def sums(scope: Scope) -> Iterator[Scalar]:
    """Sums along lists: of a field, and of the differences and products of two lists' fields."""
    rows = [name for name in scope.names.values() if name.shape == "row"]
    numeric = {row.name: number_fields(row) for row in rows}
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


def along(row: Name, wanted: dict[int, list[Any]]) -> str:
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
