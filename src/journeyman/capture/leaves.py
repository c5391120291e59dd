"""JSON as texts to be judged: what there is to read in a value, and the value with some of that changed.

A tool call's arguments are JSON within a text of JSON: they are read, and written again, as what they are.

Always holds: whatever a reader of the JSON could read is among the leaves, also what a field holds that is given twice.

Knows JSON; nothing of what is looked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# What says of tokens what the text says in words, in bodies and in an exchange's details.
TOKEN_DETAILS = frozenset(
    "logprobs prompt_logprobs token_ids prompt_token_ids output_token_ids prompt_ids response_ids more_choices".split()
)
_DIGITS = 10**11  # a number from here on is read as text is: it may be a card's
_PLAIN_KEY = 20  # characters
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)


def loaded(text: str | bytes, lost: list[Any], **options: Any) -> Any:
    """The JSON value in a text; what a field holds that is given twice, and is not in the value, goes to `lost`;
    options: of `json.loads`."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(found)
        if len(value) != len(found):
            lost.extend(each for name, each in found if each is not value[name])
        return value

    return json.loads(text, object_pairs_hook=pairs, **options)


def without_token_details(value: Any) -> list[str]:
    """Take out of a response what is said of its tokens; which fields that were."""
    found: list[str] = []
    if isinstance(value, dict):
        found = [name for name in value if name in TOKEN_DETAILS and isinstance(value[name], dict | list)]
        for name in found:
            value[name] = None
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        found += without_token_details(each)
    return sorted(set(found))


def dumped(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def looks_like_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def json_in(text: str) -> Any:
    """The object or the list that a text is; None if it is none, or holds what its value would not."""
    if not looks_like_json(text):
        return None
    lost: list[Any] = []
    try:
        value = loaded(text, lost)
    except (ValueError, RecursionError):
        return None
    return None if lost else value


def unescaped(text: str) -> str:
    def said(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        return {"n": "\n", "r": "\r", "t": "\t"}.get(found[2], found[2])

    return _ESCAPE.sub(said, text)


def is_telling(key: str) -> bool:
    """Whether a field's name may hold something: it is long, or no plain word."""
    return len(key) >= _PLAIN_KEY or not key.isidentifier()


def leaves(value: Any, name: str, skip: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    """What there is to read in a JSON value, each with the name of its field: texts, those in texts that are JSON
    themselves, numbers that are long, and names that are no plain words; not what is in the fields of `skip`."""
    found: list[tuple[str, str]] = []
    _gather(value, name, skip, found)
    return found


def _gather(value: Any, name: str, skip: frozenset[str], found: list[tuple[str, str]]) -> None:
    if isinstance(value, str):
        inner = json_in(value)
        if inner is None:
            found.append((name, value))
        else:
            _gather(inner, name, frozenset(), found)
    elif isinstance(value, dict):
        for key, each in value.items():
            if is_telling(key):
                found.append(("", key))
            if key not in skip:
                _gather(each, key, skip, found)
    elif isinstance(value, list):
        for each in value:
            _gather(each, name, skip, found)
    elif type(value) is int and abs(value) >= _DIGITS:
        found.append((name, str(value)))


def rebuilt(value: Any, changed: Mapping[str, str]) -> Any:
    """The value with each text that was found to hold something in its new form, wherever it stands."""
    if isinstance(value, str):
        if value in changed:
            return changed[value]
        inner = json_in(value)
        if inner is None:
            return value
        redacted = rebuilt(inner, changed)
        return value if redacted == inner else dumped(redacted)
    if isinstance(value, dict):
        return {changed.get(key, key): rebuilt(each, changed) for key, each in value.items()}
    if isinstance(value, list):
        return [rebuilt(each, changed) for each in value]
    return changed.get(str(value), value) if type(value) is int else value
