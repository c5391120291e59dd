"""What an agent does: it calls a tool, or it says something. One way to write each down.

A call is written as a JSON object with a name and arguments, as MCP and OpenAI's function objects have them:
`{"name": "get_order", "arguments": {"order": "R-7"}}`. All other text is said.

Always holds: what is written and read again is the same action; text that sets out to be a call and is none is
Broken, and never taken for something said.

Knows JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
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


def parsed(text: str) -> Action:
    """The action that is written here."""
    if _CALL.match(text) is None:
        return Say(text)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return Broken(text, "this call is no valid JSON")
    if set(found) != {"name", "arguments"}:
        return Broken(text, "a call has a name and arguments, and nothing else")
    arguments = found["arguments"]
    if isinstance(arguments, str):  # OpenAI's API has them as JSON within JSON
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            return Broken(text, "the arguments of this call are no valid JSON")
    if not isinstance(found["name"], str) or not isinstance(arguments, dict):
        return Broken(text, "a call's name is a string, and its arguments are an object")
    return Call(found["name"], arguments)
