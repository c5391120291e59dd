"""What is said of an answer later, as it comes in: feedback and outcomes.

Always holds: what cannot be understood is refused with what to send instead; a remark that says what the newest one
says already is kept once; what is said in words is kept redacted.

Knows JSON and the store; nothing of HTTP.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from journeyman.capture import names
from journeyman.errors import UsageError
from journeyman.records import Feedback, Outcome
from journeyman.store import Store

if TYPE_CHECKING:
    from journeyman.capture.redaction import Redaction  # whose asyncio no other command has to load

_LARGEST = 1e9
Work = Callable[[Store], dict[str, Any]]
_TEXT = {"type": ["string", "null"]}
_SAID = {"type": "string", "minLength": 1}
_TIME = {
    "description": "ISO 8601; without a zone it is UTC.",
    "anyOf": [{"type": "string", "format": "date-time"}, {"enum": [None, ""]}],
}
# What is taken, as JSON Schema; the fields are those of Feedback and of Outcome.
FEEDBACK_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["receipt"],
    "properties": {
        "receipt": {**names.SCHEMA, "type": "string", "minLength": 1},
        "rating": {"type": ["number", "boolean", "null"], "minimum": -_LARGEST, "maximum": _LARGEST},
        "correction": {**_TEXT, "description": "What was wrong, in words: a lesson."},
        "better": {**_TEXT, "description": "What should have been answered: a lesson."},
        "tags": {"type": ["array", "null"], "items": {"type": "string"}},
        "at": _TIME,
    },
    "additionalProperties": False,
    "anyOf": [
        {"required": ["rating"], "properties": {"rating": {"type": ["number", "boolean"]}}},
        {"required": ["correction"], "properties": {"correction": _SAID}},
        {"required": ["better"], "properties": {"better": _SAID}},
        {"required": ["tags"], "properties": {"tags": {"type": "array", "minItems": 1}}},
    ],
}
OUTCOME_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["value"],
    "properties": {
        "value": {"description": "Any JSON."},
        "receipt": names.SCHEMA,
        "key": {**names.SCHEMA, "description": "The caller's own key, as requests carry it."},
        "happened_at": _TIME,
    },
    "additionalProperties": False,
    "oneOf": [
        {"required": [one], "properties": {one: _SAID, other: {"enum": [None, ""]}}}
        for one, other in (("receipt", "key"), ("key", "receipt"))
    ],
}
_FEEDBACK = '{"receipt": "r_...", "rating": 1, "correction": "...", "better": "...", "tags": ["..."]}'
_OUTCOME = '{"receipt": "r_..." or "key": "...", "value": ..., "happened_at": "2026-03-16T09:30:00+00:00"}'


def feedback(value: Mapping[str, Any], tenant: str = "", redaction: Redaction | None = None) -> Work:
    """What keeps this feedback in a store."""
    _only(value, FEEDBACK_SCHEMA, _FEEDBACK)
    given, rating = value.get("tags"), value.get("rating")
    tags = [] if given is None else given
    if not isinstance(tags, list | tuple) or not all(names.is_text(tag) for tag in tags):
        raise _wrong("tags must be a list of texts", _FEEDBACK)
    if isinstance(rating, bool):
        rating = float(rating)
    if rating is not None and (not isinstance(rating, int | float) or not abs(rating) <= _LARGEST):
        raise _wrong("rating must be a number", _FEEDBACK)
    found = Feedback(
        receipt=names.name("receipt", value.get("receipt")),
        rating=None if rating is None else float(rating),
        correction=_text(value, "correction", _FEEDBACK),
        better=_text(value, "better", _FEEDBACK),
        tags=tuple(tags),
        at=_time(value, "at", _FEEDBACK),
    )
    if not found.receipt:
        raise _wrong("there is no receipt", _FEEDBACK)
    if found.rating is None and not (found.correction or found.better or found.tags):
        raise _wrong("there is neither a rating nor a word", _FEEDBACK)
    if redaction is not None:
        words = redaction.value([found.correction, found.better, *found.tags], Counter())
        found = replace(found, correction=words[0], better=words[1], tags=tuple(words[2:]))
    return lambda store: {"id": found.id, "new": store.add_feedback(found, tenant)}


def outcome(value: Mapping[str, Any], tenant: str = "", redaction: Redaction | None = None) -> Work:
    """What keeps this outcome in a store."""
    _only(value, OUTCOME_SCHEMA, _OUTCOME)
    if "value" not in value:
        raise _wrong("there is no value", _OUTCOME)
    found = Outcome(
        value=_json(value["value"]),
        receipt=names.name("receipt", value.get("receipt")),
        key=names.name("key", value.get("key")),
        happened_at=_time(value, "happened_at", _OUTCOME),
    )
    if bool(found.receipt) == bool(found.key):
        raise _wrong("give a receipt or a key, and not both", _OUTCOME)
    if redaction is not None:
        if found.key and redaction.edits(found.key, Counter()):
            raise UsageError(
                "the key holds what is not kept, so that no request is known by it",
                "give the receipt, or requests a key without secrets, card numbers and e-mail addresses",
            )
        found = replace(found, value=_json(redaction.value(json.loads(found.value), Counter())))
    return lambda store: {"id": found.id, "new": store.add_outcome(found, tenant)}


def _only(value: Mapping[str, Any], schema: Mapping[str, Any], example: str) -> None:
    if unknown := sorted(set(value) - set(schema["properties"])):
        raise _wrong(f"there is no field {unknown[0]!r}", example)


def _text(value: Mapping[str, Any], name: str, example: str) -> str:
    found = value.get(name)
    if found is None:
        return ""
    if not names.is_text(found):
        raise _wrong(f"{name} must be text", example)
    return found


def _json(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _wrong(f"the value is not JSON ({error})", _OUTCOME) from error


def _time(value: Mapping[str, Any], name: str, example: str) -> str:
    """ISO 8601 in UTC; without a zone it is UTC."""
    text = _text(value, name, example)
    if not text:
        return ""
    try:
        return names.moment(text).isoformat(timespec="milliseconds")
    except ValueError as error:
        raise _wrong(f"{name} is no time: {text!r}", example) from error


def _wrong(what: str, example: str) -> UsageError:
    return UsageError(what, f"send {example}")
