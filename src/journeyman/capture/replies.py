"""An assistant's message, put together from what went over the wire: one JSON object, or server-sent events.

Always holds: nothing is made up: a stream that was cut gives what had arrived, and text that is no JSON gives nothing;
pieces of tool calls join by their index.

Knows OpenAI's chat completions, streamed or not, and by `responses` what goes over /v1/responses; choices beyond the
first are left in the verbatim response.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from journeyman.capture import responses
from journeyman.capture.depth import too_deep

Message = dict[str, Any]


@dataclass
class Reply:
    """message: None where there is none; whole: it came to its end; details: model, usage, finish reason, and token ids
    and log-probabilities where the engine gives them."""

    message: Message | None = None
    whole: bool = False
    details: dict[str, Any] = field(default_factory=dict)


def of(body: bytes) -> Reply:
    """The reply in a response, told by how it begins: some engines name another content type than they send."""
    return of_object(body) if body[:100].lstrip().startswith(b"{") else of_stream(body)


def of_object(body: bytes) -> Reply:
    """The reply in a response that is one JSON object."""
    value = _parsed(body)
    if not isinstance(value, dict):
        return Reply()
    if value.get("object") == "response":
        whole = responses.is_whole(value)
        return Reply(responses.reply(value) if whole else None, whole, responses.details(value))
    details = _details(value)
    choice = _first(value)
    if choice is None or not isinstance(choice.get("message"), dict):
        return Reply(None, False, details)
    _more_details(choice, details)
    return Reply(choice["message"], True, details)


def of_stream(body: bytes) -> Reply:
    """The reply in a response of server-sent events, as far as they came."""
    reply = Reply()
    message: Message = {"role": "assistant", "content": None}
    pieces: defaultdict[str, list[Any]] = defaultdict(list)  # of the message, by its fields
    calls: dict[int, dict[str, Any]] = {}
    said = False
    response: responses.Stream | None = None
    for data in events(body):
        if data == b"[DONE]":
            reply.whole = said
            continue
        value = _parsed(data)
        if not isinstance(value, dict):
            continue
        if str(value.get("type")).startswith("response."):
            if response is None:
                response = responses.Stream()
            response.add(value)
            continue
        reply.details.update(_details(value))
        choice = _first(value)
        if choice is None:
            continue
        _more_details(choice, reply.details)
        if choice.get("finish_reason"):
            reply.whole = True
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            continue
        said = True
        for name, piece in delta.items():
            if name == "tool_calls":
                _join_calls(calls, piece)
            elif piece is not None:
                pieces[name].append(piece)
    if response is not None:
        return Reply(response.reply(), response.whole, response.known)
    message |= {name: each[-1] if name == "role" else _whole(each) for name, each in pieces.items()}
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    if said:
        reply.message = message
    return reply


def events(body: bytes) -> Iterator[bytes]:
    """The data of every event that has come to its end."""
    text = body.replace(b"\r\n", b"\n")
    blocks = text.split(b"\n\n")
    for block in blocks if text.endswith(b"\n\n") else blocks[:-1]:
        data = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
        if data:
            yield b"\n".join(data)


def _whole(pieces: Sequence[Any]) -> Any:
    """What the pieces of a field make up; words are put together at once, since there may be very many."""
    found: Any = None
    for are_words, run in groupby(pieces, lambda piece: isinstance(piece, str)):
        for piece in ["".join(run)] if are_words and not isinstance(found, list) else run:
            found = _joined(found, piece)
    return found


def _joined(so_far: Any, piece: Any) -> Any:
    """Text goes on from text, and parts from parts; anything else takes the place of what was there."""
    if isinstance(so_far, str) and isinstance(piece, str):
        return so_far + piece
    if isinstance(so_far, list) and isinstance(piece, list):
        return so_far + piece
    if isinstance(so_far, list) and isinstance(piece, str):  # parts first, then plain text
        return [*so_far, {"type": "text", "text": piece}] if piece else so_far
    return piece


def _join_calls(calls: dict[int, dict[str, Any]], pieces: Any) -> None:
    for piece in pieces if isinstance(pieces, list) else ():
        if not isinstance(piece, dict):
            continue
        index = piece.get("index")
        if not isinstance(index, int):  # some engines leave it out: a call with an id is a new one
            index = len(calls) if piece.get("id") or not calls else next(reversed(calls))
        call = calls.setdefault(index, {"id": None, "type": "function", "function": {}})
        call["id"] = call["id"] or piece.get("id")
        function = piece.get("function")
        for name, part in function.items() if isinstance(function, dict) else ():
            if isinstance(part, str):
                call["function"][name] = call["function"].get(name, "") + part


def _details(value: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value[name] for name in ("id", "model", "usage") if value.get(name)}
    if _are_ids(value.get("prompt_token_ids")):
        kept["prompt_ids"] = value["prompt_token_ids"]
    return kept


def _more_details(choice: Mapping[str, Any], details: dict[str, Any]) -> None:
    """What a choice, or one piece of it, says beyond its message; pieces add up."""
    if choice.get("finish_reason"):
        details["finish_reason"] = choice["finish_reason"]
    if _are_ids(choice.get("token_ids")):
        details.setdefault("response_ids", []).extend(choice["token_ids"])
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if isinstance(content, list) and all(isinstance(each, dict) and "logprob" in each for each in content):
        details.setdefault("logprobs", []).extend(each["logprob"] for each in content)


def _are_ids(value: Any) -> bool:
    return isinstance(value, list) and all(type(each) is int for each in value)


def _first(value: Mapping[str, Any]) -> dict[str, Any] | None:
    choices = value.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index") in (None, 0):
            return choice
    return None


def _finite(text: str) -> float | None:
    """A number that is too large for one is not known."""
    value = float(text)
    return value if math.isfinite(value) else None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def _parsed(data: bytes) -> Any:
    try:
        value = _DECODER.decode(data.decode(errors="surrogatepass"))
    except (ValueError, RecursionError):
        return None
    return None if too_deep(data, value) else value
