"""What an engine really returns: asked once, when the gateway starts, so that nobody finds out weeks later.

Two short questions, the same plain and streamed, with everything asked for that is worth keeping. What comes is read
by the same code that reads clients' answers.

Always holds: what was not given is said to be absent, and what could not be asked is said to be unknown; numbers that
contradict each other (as many token ids as the usage counts, a log-probability for each token) count as not given.

Knows an engine behind `upstream`; nothing of sessions or stores.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any

from journeyman.capture import replies
from journeyman.capture.upstream import Backend, CutShort
from journeyman.capture.wire import HTTPError, Request

_QUESTION = "Count from one to five."
_TOKENS = 16
# Asked for together; what an engine refuses is left out, what is missed least first.
_WISHES: tuple[dict[str, Any], ...] = ({"seed": 0}, {"return_token_ids": True}, {"logprobs": True})


@dataclass(frozen=True)
class Fidelity:
    """Each True, False, or None where it could not be found out; `why` says what stood in the way."""

    usage: bool | None = None
    logprobs: bool | None = None
    token_ids: bool | None = None
    prompt_ids: bool | None = None
    streamed_logprobs: bool | None = None
    streamed_token_ids: bool | None = None
    repeatable: bool | None = None  # at temperature 0 the stream says what the whole answer says
    why: str = ""

    def __str__(self) -> str:
        if self.why:
            return f"what the engine returns is not known: {self.why}"
        known = {each.name.replace("_", " "): getattr(self, each.name) for each in fields(self) if each.name != "why"}
        given = [name for name, value in known.items() if value]
        absent = [name for name, value in known.items() if not value]
        return f"the engine gives {', '.join(given) or 'text alone'}" + (
            f", and not {', '.join(absent)}" if absent else ""
        )

    def metrics(self) -> dict[str, float]:
        found = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "why"}
        return {f"upstream_{name}": float(value) for name, value in found.items() if value is not None}


async def probe(backend: Backend, model: str = "") -> Fidelity:
    """Ask; an engine that cannot be asked is not an error."""
    try:
        asking = _Asking(backend, model or await _first_model(backend))
        plain = await asking.ask(stream=False)
        streamed = await asking.ask(stream=True)
    except (HTTPError, CutShort) as error:
        return Fidelity(why=str(error))
    usage = plain.details.get("usage")
    made = usage.get("completion_tokens") if isinstance(usage, dict) else None
    text, other = ((each.message or {}).get("content") for each in (plain, streamed))
    return Fidelity(
        usage=isinstance(made, int),
        logprobs=_as_many(plain, "logprobs", made),
        token_ids=_as_many(plain, "response_ids", made),
        prompt_ids="prompt_ids" in plain.details,
        streamed_logprobs=_as_many(streamed, "logprobs", made if text == other else None),
        streamed_token_ids=_as_many(streamed, "response_ids", made if text == other else None),
        repeatable=text is not None and text == other,
    )


def _as_many(reply: replies.Reply, name: str, tokens: Any) -> bool:
    """Whether these are there, one for each token; the token that ended the answer is counted by some engines alone."""
    found = reply.details.get(name) or []
    return bool(found) and (not isinstance(tokens, int) or abs(len(found) - tokens) <= 1)


@dataclass
class _Asking:
    """`wishes`: what the engine has not refused yet."""

    backend: Backend
    model: str
    wishes: list[dict[str, Any]] = field(default_factory=lambda: list(_WISHES))

    async def ask(self, *, stream: bool) -> replies.Reply:
        while True:
            value: dict[str, Any] = {
                "model": self.model,
                "messages": [{"role": "user", "content": _QUESTION}],
                "max_tokens": _TOKENS,
                "temperature": 0,
                "stream": stream,
            }
            for wish in self.wishes:
                value |= wish
            status, body = await _sent(self.backend, "POST", "/v1/chat/completions", value)
            if status == 200:
                return (replies.of_stream if stream else replies.of_object)(body)
            if status not in (400, 422) or not self.wishes:
                raise HTTPError(status, f"it answers a short question with status {status}", "look at its log")
            del self.wishes[0]


async def _first_model(backend: Backend) -> str:
    status, body = await _sent(backend, "GET", "/v1/models")
    try:
        return str(json.loads(body)["data"][0]["id"])
    except (ValueError, LookupError, TypeError) as error:
        wanted = "it wants a key, and JOURNEYMAN_UPSTREAM_KEY is not set" if status == 401 else "it names no model"
        raise HTTPError(status, wanted, "clients may still ask") from error


async def _sent(backend: Backend, method: str, path: str, value: Any = None) -> tuple[int, bytes]:
    headers = {"content-type": "application/json"}
    request = Request(method, path, b"", headers, json.dumps(value).encode() if value else b"")
    async with backend.ask(request, "") as answer:
        return answer.status, b"".join([piece async for piece in answer.pieces])
