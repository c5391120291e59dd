"""Sessions as calls: what was asked of which tool, and what it answered, whoever wrote the session down.

Three ways of writing are read: OpenAI's messages (a Session, or a mapping with `messages` or tau's `traj`), and
Taskmaster's annotations (a mapping with `utterances`).

Always holds: a call without an answer, or with arguments that are no JSON object, is left out; the order is that of the
session; a result that is a JSON object or list that a world can hold is taken as such, all other text as text. A
session with a call that world.py cannot be written for is left out as a whole: else others are blamed for its changes.

Knows how sessions are written; nothing of tools.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from journeyman.errors import InputError
from journeyman.records import Session
from journeyman.world import documents

_ERROR = re.compile(r"\s*error\b[:\s-]*", re.IGNORECASE)
_ABSENT = object()
_MARKS = ".,;:!?()[]'\"`"
_DEEP = 40  # objects and lists in each other: Python cannot write as terms, or compare, what is much deeper
_WIDE = 1e300  # a number that is further from zero cannot be reckoned with
TAKEN = frozenset((*vars(documents), "read", "write", "here", "desk"))  # names that world.py has for something else


class Call(NamedTuple):
    """`value` is the answer; for a call that failed, the words of the error."""

    tool: str
    arguments: dict[str, Any]
    ok: bool
    value: Any


class Recording(NamedTuple):
    """One session's calls. `said` is what people and model said, with how many calls came before; `asked` is what of it
    the user said; `score`: its known outcome, success if above 0; `task`: what names the same request of several."""

    id: str
    calls: tuple[Call, ...]
    said: tuple[tuple[int, str], ...] = ()
    score: float | None = None
    asked: tuple[tuple[int, str], ...] = ()
    user: str = ""
    task: str = ""


def recordings(sessions: Iterable[Session | Mapping[str, Any]]) -> list[Recording]:
    """Those sessions that have calls, all of which world.py can be written for. InputError for what is no session."""
    return [each for each in called(sessions) if not unwritable(each)]


def unwritable(recording: Recording) -> list[str]:
    """The tools it calls in a way that no function in Python could have been called."""
    return list(dict.fromkeys(str(call.tool) for call in recording.calls if not _writable(call)))


def called(sessions: Iterable[Session | Mapping[str, Any]]) -> list[Recording]:
    """Those sessions that have calls, whatever they are. InputError for what is no session."""
    found: list[Recording] = []
    for place, session in enumerate(sessions):
        try:
            found.append(recording(session, str(place)))
        except (AttributeError, KeyError, TypeError) as error:
            remedy = "give OpenAI's messages, tau's trajectories or Taskmaster's dialogues"
            raise InputError(f"session {place} is not written in a way that is known", remedy) from error
    return [each for each in found if each.calls]


def _writable(call: Call) -> bool:
    """Whether world.py can have a function for it: its name and its arguments' are names in Python."""
    named = all(isinstance(each, str) and each.isidentifier() for each in (call.tool, *call.arguments))
    if not named or call.tool in TAKEN or any(map(keyword.iskeyword, (call.tool, *call.arguments))):
        return False
    try:
        return not {"here", "desk", "answered"} & call.arguments.keys() and not _lone(call)
    except RecursionError:
        return False


def _lone(call: Call) -> bool:
    """Whether it holds half a character, which no file can."""
    return any("\ud800" <= letter <= "\udfff" for text in leaves([call.arguments, call.value]) for letter in text)


def recording(session: Session | Mapping[str, Any], name: str = "") -> Recording:
    if isinstance(session, Session):
        wrong = any(each.better or each.correction for each in session.remarks)
        made = _messages(session.id, [turn.to_json() for turn in session.turns], 0.0 if wrong else None)
        return made._replace(user=session.user)
    if "utterances" in session:
        return _annotated(session, name)
    messages = session.get("messages", session.get("traj", ()))
    score = session.get("reward")
    made = _messages(str(session.get("id", name)), messages, score if isinstance(score, int | float) else None)
    return made._replace(user=str(session.get("user") or ""), task=str(session.get("task_id", "")))


def answer(text: Any) -> tuple[bool, Any]:
    """Whether this is an answer, and what it says; an error gives its words."""
    if isinstance(text, str):
        if found := _ERROR.match(text):
            return False, text[found.end() :]
        text = parsed(text)
    if isinstance(text, Mapping) and "error" in text and text["error"] and len(text) <= 3:
        error = text.get("message", text["error"])
        return False, error if isinstance(error, str) else json.dumps(error, sort_keys=True)
    return True, text


def parsed(text: str) -> Any:
    """A JSON object or list, or the text itself."""
    if text[:1] in "{[" or text[:1].isspace():
        try:
            value = _read(text)
        except (ValueError, RecursionError):
            return text
        if isinstance(value, dict | list):
            return value
    return text


def _read(text: str) -> Any:
    """JSON. ValueError for what is none, and for what no world could hold: NaN, numbers beyond all bounds, what is too
    deep, and names of fields that no line of Python can quote."""
    value = json.loads(text)
    level = [value]
    for _ in range(_DEEP):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                if any(not name.isprintable() or '"' in name or "\\" in name for name in each):
                    raise ValueError("a field has a name that cannot be quoted")
                inner += each.values()
            elif isinstance(each, list):
                inner += each
            elif isinstance(each, int | float) and not -_WIDE < each < _WIDE:
                raise ValueError("a number is beyond all bounds")
        level = inner
    if level:
        raise ValueError("it is too deep")
    return value


def _messages(name: str, messages: Iterable[Mapping[str, Any]], score: float | None = None) -> Recording:
    calls: list[Call] = []
    said: list[tuple[int, str]] = []
    user: list[tuple[int, str]] = []
    asked: dict[str, tuple[str, Any]] = {}
    for message in messages:
        if message.get("role") == "tool":
            tool, arguments = asked.pop(str(message.get("tool_call_id")), ("", None))
            if isinstance(arguments, dict):
                calls.append(Call(tool, arguments, *answer(message.get("content") or "")))
            continue
        if isinstance(content := message.get("content"), str) and content:
            said.append((len(calls), content))
            if message.get("role") == "user":
                user.append((len(calls), content))
        for call in message.get("tool_calls") or ():
            function = call.get("function", call)
            asked[str(call.get("id"))] = (function["name"], _arguments(function.get("arguments")))
    return Recording(name, tuple(calls), tuple(said), score, tuple(user))


def _annotated(dialogue: Mapping[str, Any], name: str) -> Recording:
    calls: list[Call] = []
    said: list[tuple[int, str]] = []
    user: list[tuple[int, str]] = []
    for utterance in dialogue["utterances"]:
        said.append((len(calls), str(utterance.get("text", ""))))
        if str(utterance.get("speaker", "")).casefold() == "user":
            user.append(said[-1])
        parts: dict[str, dict[str, Any]] = {}
        for note in utterance.get("annotations") or ():
            parts.setdefault(str(note.get("context", "")).rpartition("_")[2], {})[note["name"]] = note.get("value")
        for part in parts.values():
            arguments = _arguments(part.get("request"))
            if "api_call" in part and "response" in part and isinstance(arguments, dict):
                calls.append(Call(part["api_call"], arguments, *answer(part["response"])))
    return Recording(str(dialogue.get("conversation_id", name)), tuple(calls), tuple(said), None, tuple(user))


def _arguments(value: Any) -> Any:
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        try:
            return _read(value)
        except (ValueError, RecursionError):
            return _ABSENT
    return dict(value) if isinstance(value, Mapping) else value


def spoken(text: str) -> set[str]:
    """The words of what somebody said, as names that they may be."""
    return {word.strip(_MARKS) for word in text.split()}


def leaves(value: Any) -> Iterator[str]:
    """Every string in a JSON value, keys of objects included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
