"""Which conversation a request belongs to, told from the conversation itself.

A client sends the whole conversation each time. Its messages are hashed one after the other, each hash over the one
before it, so that a hash stands for a beginning. An answer's hash includes the reply: a later request that begins with
the same messages and that reply goes on from there. Where a client goes on from an earlier place, or asks the same
again, the conversation branches and stays one session.

Always holds: equal conversations have equal hashes, whatever the order of their fields and whether what is absent is
left out or null; conversations that differ in what was said, called or answered do not; tenants share no hash.

Knows messages in OpenAI's format; nothing of stores or HTTP.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from journeyman.capture.depth import too_deep

_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_quoted = json.encoder.encode_basestring_ascii
_PLAIN = {"role", "content"}
_SAID = ("role", "content", "name", "tool_call_id", "refusal")


def chain(messages: Sequence[Any], tenant: str = "", user: str = "") -> list[str]:
    """One hash for each message: that of the conversation up to it."""
    state = hashlib.sha256(json.dumps([tenant, user]).encode()).hexdigest()[:32]
    hashes: list[str] = []
    for message in messages:
        state = extended(state, message)
        hashes.append(state)
    return hashes


def alone(message: Any) -> str:
    """The hash of one message, wherever it stands."""
    return extended("", message)


def extended(state: str, message: Any) -> str:
    """The hash of the conversation that `state` stands for with one more message."""
    return hashlib.sha256(f"{state}:{_written(message)}".encode()).hexdigest()[:32]


def _written(message: Any) -> str:
    if type(message) is dict and message.keys() == _PLAIN:  # most are: the same text, sooner
        role, content = message["role"], message["content"]
        if type(role) is str and type(content) is str and (content := content.strip()):
            return f'{{"content":{_quoted(content)},"role":{_quoted(role)}}}'
    return _encoded(_essence(message))


def _essence(message: Any) -> Any:
    """What a message says, without what clients add, leave out or write in another way when they send it back."""
    if not isinstance(message, dict):
        return message
    kept = {name: message[name] for name in _SAID if message.get(name) is not None}
    if "content" in kept:
        kept["content"] = _text(kept["content"])
        if kept["content"] == "":  # a caller of tools has said nothing: null, absent or empty
            del kept["content"]
    calls = message.get("tool_calls")
    if calls and isinstance(calls, list):
        kept["tool_calls"] = [_call(call) for call in calls]
    return kept


def _text(content: Any) -> Any:
    """Text that is given in parts is the same text; parts that are no text stay as they are."""
    if isinstance(content, str):
        return content.strip()
    if isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str) for part in content
    ):
        return "".join(part["text"] for part in content).strip()
    return content


def _call(call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return call
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        with suppress(ValueError, RecursionError):  # a client may write the same arguments in its own way
            read = json.loads(arguments)
            arguments = arguments if too_deep(arguments, read) else read
    return [call.get("id"), function.get("name"), arguments]
