"""An assistant's message, put together from what went over the wire: one JSON object, or server-sent events.

Always holds: nothing is made up: a stream that was cut gives what had arrived, and text that is no JSON gives nothing;
pieces of tool calls join by their index.

Knows OpenAI's chat completions, streamed or not, and by `responses` what goes over /v1/responses; choices beyond the
first are left in the verbatim response, where `others` finds them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Any

from journeyman.capture import responses
from journeyman.capture.depth import too_deep

Message = dict[str, Any]


@dataclass
class Reply:
    """message: None where there is none; whole: it came to its end, and so did all others of the same answer; details:
    model, usage, finish reason, and token ids and log-probabilities where the engine gives them; failed: there is an
    error instead, which some engines answer with status 200."""

    message: Message | None = None
    whole: bool = False
    details: dict[str, Any] = field(default_factory=dict)
    failed: bool = False


def of(body: bytes) -> Reply:
    """The reply in a response, told by how it begins: some engines name another content type than they send."""
    return of_object(body) if body[:100].lstrip().startswith(b"{") else of_stream(body)


def others(body: bytes) -> list[Message]:
    """The messages of the choices beyond the first, in a response that came to its end."""
    if body[:100].lstrip().startswith(b"{"):
        value = _parsed(body)
        further = [each.get("message") for each in _choices(value) if each is not _first(value)]
        return [each for each in further if isinstance(each, dict)]
    given = list(_values(body))
    indices = (each.get("index") for value in given for each in _choices(value))
    found = [_streamed(given, index).message for index in sorted({each for each in indices if type(each) is int} - {0})]
    return [each for each in found if each is not None]


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
        return Reply(None, False, details, bool(value.get("error")) or value.get("object") == "error")
    _more_details(choice, details)
    return Reply(choice["message"], True, details)


def of_stream(body: bytes) -> Reply:
    """The reply in a response of server-sent events, as far as they came."""
    return _streamed(_values(body))


def _values(body: bytes) -> Iterator[Any]:
    """What each event says: JSON, or that it is the last."""
    return (data if data == b"[DONE]" else _parsed(data) for data in events(body))


def _streamed(values: Iterable[Any], index: int = 0) -> Reply:
    """The reply, as the choice of this index."""
    reply = Reply()
    role, said, failed = "assistant", False, False
    begun, ended = set[str](), set[str]()  # choices, the first among them
    pieces: dict[str, list[Any]] = {"content": []}
    calls: dict[int, dict[str, Any]] = {}
    response: responses.Stream | None = None
    for value in values:
        if value == b"[DONE]":
            reply.whole = said and not failed
            continue
        if not isinstance(value, dict):
            continue
        if value.get("error") or value.get("object") == "error":  # and some engines say [DONE] after it
            failed = True
            continue
        if str(value.get("type")).startswith("response."):
            if response is None:
                response = responses.Stream()
            response.add(value)
            continue
        reply.details.update(_details(value))
        for each in _choices(value):
            (ended if each.get("finish_reason") else begun).add(str(each.get("index") or 0))
        choice = _first(value, index)
        if choice is None:
            continue
        _more_details(choice, reply.details)
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            continue
        said = True
        for name, piece in delta.items():
            if name == "tool_calls":
                _take_calls(calls, piece)
            elif name == "role":
                role = piece or role
            elif piece is not None:
                pieces.setdefault(name, []).append(piece)
    if response is not None:
        return Reply(response.reply(), response.whole, response.known)
    reply.whole = reply.whole or ("0" in ended and begun <= ended)
    if said:
        called = {"tool_calls": [_call(calls[index]) for index in sorted(calls)]} if calls else {}
        reply.message = {"role": role, **{name: _joined(given) for name, given in pieces.items()}, **called}
    return reply


def events(body: bytes) -> Iterator[bytes]:
    """The data of every event that has come to its end."""
    text = body.replace(b"\r\n", b"\n")
    blocks = text.split(b"\n\n")
    for block in blocks if text.endswith(b"\n\n") else blocks[:-1]:
        data = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
        if data:
            yield b"\n".join(data)


def _joined(pieces: Sequence[Any]) -> Any:
    """Text goes on from text, and parts from parts; anything else takes the place of what was there."""
    result: Any = None
    for kind, run in groupby(pieces, type):
        given: list[Any] = list(run)
        if kind is list:
            result = [*(result if isinstance(result, list) else ()), *chain.from_iterable(given)]
        elif kind is not str:
            result = given[-1]
        elif isinstance(result, list):  # parts first, then plain text
            result += [{"type": "text", "text": text}] if (text := "".join(given)) else []
        else:
            result = "".join(given)
    return result


def _take_calls(calls: dict[int, dict[str, Any]], pieces: Any) -> None:
    """What a delta says of calls: id, and the pieces of each field of the function."""
    for piece in pieces if isinstance(pieces, list) else ():
        if not isinstance(piece, dict):
            continue
        index = piece.get("index")
        if not isinstance(index, int):  # some engines leave it out: a call with an id is a new one
            index = len(calls) if piece.get("id") or not calls else next(reversed(calls))
        call = calls.setdefault(index, {"id": None, "function": {}})
        call["id"] = call["id"] or piece.get("id")
        function = piece.get("function")
        for name, part in function.items() if isinstance(function, dict) else ():
            if isinstance(part, str):
                call["function"].setdefault(name, []).append(part)


def _call(taken: Mapping[str, Any]) -> dict[str, Any]:
    function = {name: "".join(parts) for name, parts in taken["function"].items()}
    return {"id": taken["id"], "type": "function", "function": function}


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


def _choices(value: Any) -> list[dict[str, Any]]:
    choices = value.get("choices") if isinstance(value, dict) else None
    return [each for each in choices if isinstance(each, dict)] if isinstance(choices, list) else []


def _first(value: Any, index: int = 0) -> dict[str, Any] | None:
    """The first choice, which need not say that it is, or the one of this index."""
    return next((each for each in _choices(value) if each.get("index") in ((None, 0) if not index else (index,))), None)


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
