"""One conversation in somebody else's JSON, as a Session.

Two shapes are known: OpenAI chat (`{"messages": [...]}`, or the bare list of messages; `journeyman sessions export`
writes the former) and BFCL memory (`{"question": [[...], ...]}`, one inner list for each turn of the user).

Always holds: what comes back has a user turn and only known roles; what cannot be read raises UnreadableError
with a reason for the person who wrote it. Fields that are not ours are passed over.

Knows nothing of files and lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from journeyman.records import PURPOSES, Purpose, Remark, Role, Session, ToolCall, Turn

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_LATEST = 1e11  # seconds since 1970, in the year 5138: what is later was counted in milliseconds
_TEXT_PARTS = ("text", "input_text", "output_text")
STOPPED = ("length", "content_filter")  # why an answer may have ended before its own end
# Who called a tool, or was cut off, has said nothing; a tool may return nothing.
_MAY_BE_SILENT: tuple[Role, ...] = ("assistant", "tool")


_TAGS = re.compile(r"^\s*<tool_call>\s*(.*?)\s*</tool_call>\s*$", re.DOTALL)


class UnreadableError(ValueError):
    """This value is not a conversation; the message says why."""


def session_from(value: object) -> Session:
    if isinstance(value, list):
        value = {"messages": value}
    if not isinstance(value, dict):
        raise UnreadableError(f"expected a conversation (a JSON object), found {_kind(value)}")
    if "messages" in value:
        messages = _list(value["messages"], "messages")
        user, topic = _name(value, "user"), _name(value, "topic", "title")
    elif "question" in value:
        groups = _list(value["question"], "question")
        messages = [each for n, group in enumerate(groups, 1) for each in _list(group, f"question {n}")]
        user, topic = _name(value, "scenario"), _name(value, "topic")
    elif "role" in value:
        raise UnreadableError("one message is not a conversation: put the list of them on one line")
    else:
        raise UnreadableError("no conversation: there is neither 'messages' nor 'question'")
    turns = tuple(_turn(message, n) for n, message in enumerate(messages, 1))
    if not turns:
        raise UnreadableError("the conversation is empty")
    if not any(turn.role == "user" for turn in turns):
        raise UnreadableError("no turn of a user")
    if (told := _told(value)) is not None:
        told = told[: len(turns)]
        key, said = _name(value, "name"), _remarks(told)
        return Session(turns, key, user, topic, _time(value), said, purposes=_purposes(told), cut=_cut(told))
    return Session(turns, _name(value, "id", "session_id"), user, topic, _time(value))


def receipts(value: object) -> tuple[str, ...]:
    """The answers of ours that a conversation names, if our own export has written it."""
    told = _told(value) if isinstance(value, dict) else None
    return tuple(each["receipt"] for each in told or () if isinstance(each.get("receipt"), str))


def _told(value: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """What our own export says of each turn; None if it has not written this."""
    turns = value.get("turns")
    if not isinstance(turns, list) or "name" not in value:
        return None
    return [each if isinstance(each, dict) else {} for each in turns]


def _purposes(told: list[dict[str, Any]]) -> tuple[Purpose, ...]:
    """What all answers in it may be used for."""
    said = [(n, each["purposes"]) for n, each in enumerate(told, 1) if "purposes" in each]
    given = [_list(purposes, f"purposes of message {n}") for n, purposes in said]
    return tuple(each for each in PURPOSES if all(each in allowed for allowed in given))


def _cut(told: list[dict[str, Any]]) -> tuple[int, ...]:
    """The places of answers that were cut, or ran into a limit."""
    ended = [(place, each.get("ending", "complete"), each.get("finish_reason")) for place, each in enumerate(told)]
    return tuple(place for place, ending, reason in ended if ending != "complete" or reason in STOPPED)


def _remarks(told: list[dict[str, Any]]) -> tuple[Remark, ...]:
    found: list[Remark] = []
    for place, turn in enumerate(told):
        for said in _list(turn.get("feedback") or [], "feedback"):
            known = said if isinstance(said, dict) else {"": said}
            numbers = [each for name, each in known.items() if name == "rating"]
            words = [each for name, each in known.items() if name in ("correction", "better", "outcome")]
            if (
                len(numbers) + len(words) < len(known)
                or not all(type(each) in (int, float) and abs(each) < _LATEST for each in numbers)
                or not all(isinstance(each, str) for each in words)
            ):
                raise UnreadableError(f"the feedback on message {place + 1} is none that was exported: {_short(said)}")
            found.append(Remark(place, **known))
    return tuple(found)


def message(turn: Turn) -> dict[str, Any]:
    """A turn in OpenAI's format: what `session_from` reads."""
    result: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if turn.tool_calls:
        result["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.tool_calls
        ]
    if turn.tool_call_id is not None:
        result["tool_call_id"] = turn.tool_call_id
    if turn.name is not None:
        result["name"] = turn.name
    return result


def _turn(message: object, number: int) -> Turn:
    where = f"message {number}"
    if not isinstance(message, dict):
        raise UnreadableError(f"{where} is {_kind(message)}, not an object")
    given = message.get("role")
    role = _ROLES.get(given) if isinstance(given, str) else None
    if role is None:
        raise UnreadableError(f"{where} has the unknown role {_short(given)} (known: {', '.join(_ROLES)})")
    calls = [_call(call, where) for call in _list(message.get("tool_calls") or [], f"tool_calls of {where}")]
    if message.get("function_call") is not None:
        calls.append(_call({"function": message["function_call"]}, where))
    content = message.get("content")
    if content is None:
        content = message.get("refusal")
    if content is None and role in _MAY_BE_SILENT:
        content = ""
    return Turn(
        role,
        _text(content, where),
        tuple(calls),
        _optional(message, "tool_call_id", where),
        _optional(message, "name", where),
    )


def _text(content: object, where: str) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_part(part, where) for part in content)
    raise UnreadableError(f"the content of {where} is {_kind(content)}, not text")


def _part(part: object, where: str) -> str:
    """The text of one part; what is no text is named by its type: "image_url" is "[image]"."""
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str):
        raise UnreadableError(f"the content of {where} has a part without a type")
    if kind == "refusal":
        return _text(part.get("refusal"), where)
    if kind in _TEXT_PARTS:
        return _text(part.get("text"), where)
    return f"[{kind.removeprefix('input_').removesuffix('_url')}]"


def _call(call: object, where: str) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        raise UnreadableError(f"a tool call of {where} has no function")
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not name:
        raise UnreadableError(f"a tool call of {where} has no function name")
    if arguments is None:
        arguments = ""
    elif not isinstance(arguments, str):
        try:
            arguments = json.dumps(arguments, ensure_ascii=False)
        except RecursionError as error:
            raise UnreadableError(f"the arguments of a tool call of {where} are nested too deeply") from error
    return ToolCall(_optional(call, "id", where) or "", name, arguments)


def _optional(message: Mapping[str, Any], field: str, where: str) -> str | None:
    value = message.get(field)
    if value is not None and not isinstance(value, str):
        raise UnreadableError(f"the {field} of {where} is {_kind(value)}, not text")
    return value


def _name(value: Mapping[str, Any], *fields: str) -> str:
    """The first of these fields that says something; numbers are names too."""
    for field in fields:
        name = value.get(field)
        if isinstance(name, int) and not isinstance(name, bool):
            return str(name)
        if name is not None and not isinstance(name, str):
            raise UnreadableError(f"the {field} is {_kind(name)}, not text")
        if name:
            return name
    return ""


def _time(value: Mapping[str, Any]) -> str:
    """When it began: text is kept as it is, seconds since 1970 become ISO 8601."""
    for field in ("started_at", "created_at", "created"):
        time = value.get(field)
        if isinstance(time, str) and time:
            return time
        if isinstance(time, int | float) and not isinstance(time, bool):
            if not 0 <= time < 1000 * _LATEST:
                raise UnreadableError(f"{field} is not a time in seconds since 1970: {_short(time)}")
            return datetime.fromtimestamp(time if time < _LATEST else time / 1000, UTC).isoformat()
        if time not in (None, ""):
            raise UnreadableError(f"{field} is {_kind(time)}, not a time")
    return ""


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise UnreadableError(f"{what} is {_kind(value)}, not a list")
    return value


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def call_in(text: str) -> tuple[str, dict[str, Any]] | None:
    """The name and the arguments of the call that a better answer is, bare or between the tags in which models write
    it; None: it is words."""
    found = _TAGS.match(text)
    try:
        value = json.loads(found[1] if found else text)
        if not isinstance(value, dict) or value.keys() != {"name", "arguments"}:
            return None
        given = value["arguments"]
        arguments = json.loads(given or "{}") if isinstance(given, str) else given
    except (ValueError, RecursionError):
        return None
    return (value["name"], arguments) if isinstance(value["name"], str) and isinstance(arguments, dict) else None
