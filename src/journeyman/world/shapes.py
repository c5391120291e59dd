"""Type hints as checks at run time and as JSON schema: one reading of them for columns and for arguments.

Always holds: what a shape admits has one spelling (no true that is also 1, no 1 that is also 1.0, no -0.0, no NaN, no
half of a surrogate pair, no integer beyond 64 bits), so that equal values have equal bytes here, in JSON, in SQLite.

Knows str, int, float, bool, None, Literal, unions, lists and tuples of one kind, and Any for JSON of whatever form; a
mark in Annotated says more.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from math import copysign, isfinite
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from journeyman.errors import WorldError


class Words:
    """The mark of text in free words: `body: Annotated[str, WORDS]`."""


WORDS = Words()


class Shape(NamedTuple):
    admits: Callable[[Any], bool]
    schema: dict[str, Any]  # JSON schema
    marks: tuple[Any, ...] = ()
    numbers: frozenset[type] = frozenset()  # kinds of number it admits; bool is one, for Python takes it as one


def shape(hint: Any) -> Shape:
    """The shape of a type hint. WorldError for one that has none."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return shape(inner[0])._replace(marks=inner[1:])
    if hint in _PLAIN:
        return _PLAIN[hint]
    if hint is Any:
        return Shape(_is_json, {})
    if origin is Literal and all(type(each) in (str, int) for each in inner):
        known = frozenset((type(each), each) for each in inner)
        kinds = {type(each) for each in inner}
        return Shape(
            lambda value: type(value) in kinds and (type(value), value) in known,
            {"enum": list(inner)},
            numbers=frozenset(kinds & {int}),
        )
    if origin in (Union, types.UnionType):
        return _union([shape(each) for each in inner])
    if origin is list or (origin is tuple and inner[1:] == (...,)):
        item = shape(inner[0]).admits
        schema = {"type": "array", "items": shape(inner[0]).schema}
        return Shape(lambda value: type(value) is origin and all(map(item, value)), schema, shape(inner[0]).marks)
    raise WorldError(
        f"{hint!r} is no type that a column or an argument can have",
        "use str, int, float, bool, None, Literal, unions of them, list[X] (arguments) or tuple[X, ...] (columns)",
    )


def _is_json(value: Any) -> bool:
    """Any JSON value, its parts of the plain shapes; for arguments, not for columns: 1 and 1.0 are both in it."""
    if isinstance(value, dict):
        return all(_is_text(name) and _is_json(each) for name, each in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return any(plain.admits(value) for plain in _PLAIN.values())


def _union(parts: list[Shape]) -> Shape:
    numbers = frozenset(kind for part in parts for kind in part.numbers)
    if len(numbers) > 1:
        raise WorldError(
            "a column or an argument cannot hold two kinds of number: 1, 1.0 and true are equal in Python",
            "use one of int, float and bool",
        )
    checks = [part.admits for part in parts]
    marks = tuple(mark for part in parts for mark in part.marks)
    return Shape(
        lambda value: any(check(value) for check in checks),
        {"anyOf": [part.schema for part in parts]},
        marks,
        numbers,
    )


def _is_text(value: Any) -> bool:
    if type(value) is not str:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_whole(value: Any) -> bool:
    return type(value) is int and -(1 << 63) <= value < 1 << 63


def _is_number(value: Any) -> bool:
    return type(value) is float and isfinite(value) and (value != 0 or copysign(1, value) > 0)


_PLAIN: dict[Any, Shape] = {
    str: Shape(_is_text, {"type": "string"}),
    int: Shape(_is_whole, {"type": "integer"}, numbers=frozenset({int})),
    float: Shape(_is_number, {"type": "number"}, numbers=frozenset({float})),
    bool: Shape(lambda value: value is True or value is False, {"type": "boolean"}, numbers=frozenset({bool})),
    None: Shape(lambda value: value is None, {"type": "null"}),
    type(None): Shape(lambda value: value is None, {"type": "null"}),
}
