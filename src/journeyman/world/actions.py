"""What an agent does: it calls a tool, or it says something. One way to write each down.

A call is written as a JSON object with a name and arguments, as MCP and OpenAI's function objects have them:
`{"name": "get_order", "arguments": {"order": "R-7"}}`. All other text is said.

Always holds: a call that is written and read again is the same call; text that sets out to be a call and is none is
Broken, and never taken for something said. (What is said may itself look like a call: then its text is not enough to
tell, and `episode.py` writes down that it was said.)

Knows JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
_DEEPEST = 100  # the same everywhere, while what Python itself can bear depends on who calls
_WIDEST = 14_000  # bits of a whole number: Python neither writes nor reads many more digits
_SCALARS = frozenset((str, float, bool, type(None)))
_NO_VALUE = "JSON has no such value"
_NO_JSON = "this call is no valid JSON"
_CALL = re.compile(r'\s*\{\s*"(name|arguments)"\s*:')


class Call(NamedTuple):
    tool: str
    args: Mapping[str, Any]

    @property
    def text(self) -> str:
        return _encode({"name": self.tool, "arguments": self.args})


class Say(NamedTuple):
    """To the user; where nobody answers, it is the last word of the episode."""

    said: str

    @property
    def text(self) -> str:
        return self.said


class Broken(NamedTuple):
    """It looks like a call, and cannot be read."""

    written: str
    why: str

    @property
    def text(self) -> str:
        return self.written


Action = Call | Say | Broken


def owned(call: Call) -> Call | Broken:
    """This call with arguments of its own, which whoever made it cannot change any more; as it will be read again:
    Broken where they are nested too deeply. ValueError if JSON does not give them back as they are."""
    if type(call.args) is not dict and not isinstance(call.args, Mapping):
        raise ValueError(_NO_VALUE)
    args: dict[str, Any] = {}
    try:
        for name, value in call.args.items():
            args[name] = value if type(value) in _SCALARS else _own(value, _DEEPEST - 2)
            if type(name) is not str:
                raise ValueError(_NO_VALUE)
    except RecursionError:
        try:
            return Broken(Call(call.tool, dict(call.args)).text, _NO_JSON)
        except (TypeError, RecursionError):
            raise ValueError(_NO_VALUE) from None
    return Call(call.tool, args)


def _own(value: Any, depth: int) -> Any:
    """ValueError where it is no JSON: no tuples, no bytes, no keys but strings. RecursionError below that depth."""
    kind = type(value)
    if kind in _SCALARS or (kind is int and value.bit_length() <= _WIDEST):
        return value
    if kind is not dict and kind is not list:
        raise ValueError(_NO_VALUE)
    if not depth:
        raise RecursionError
    if kind is list:
        return [_own(each, depth - 1) for each in value]
    if not all(type(name) is str for name in value):
        raise ValueError(_NO_VALUE)
    return {name: _own(each, depth - 1) for name, each in value.items()}


def parsed(text: str) -> Action:
    """The action that is written here."""
    if _CALL.match(text) is None:
        return Say(text)
    try:
        found = _loaded(text)
    except ValueError:
        return Broken(text, _NO_JSON)
    if set(found) != {"name", "arguments"}:
        return Broken(text, "a call has a name and arguments, and nothing else")
    arguments = found["arguments"]
    if isinstance(arguments, str):  # OpenAI's API has them as JSON within JSON
        try:
            arguments = _loaded(arguments or "{}", _DEEPEST - 1)  # so deep they are within the call, as it is written
        except ValueError:
            return Broken(text, "the arguments of this call are no valid JSON")
    if not isinstance(found["name"], str) or not isinstance(arguments, dict):
        return Broken(text, "a call's name is a string, and its arguments are an object")
    return Call(found["name"], arguments)


def _loaded(text: str, deepest: int = _DEEPEST) -> Any:
    """ValueError where it is no JSON, or nested beyond reason."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if text.count("[") + text.count("{") > deepest and _deeper(found, deepest):
        raise ValueError("nested too deeply")
    return found


def _deeper(value: Any, depth: int) -> bool:
    if not isinstance(value, list | dict):
        return False
    return not depth or any(_deeper(each, depth - 1) for each in (value.values() if type(value) is dict else value))
