"""Chat completions as OpenAI's clients send and expect them: what is asked, and what is answered, whole or in pieces.

Always holds: what the embedded engine cannot do is refused with what to leave out, never ignored; the pieces of a
stream, put together, are what the whole answer says.

Knows the API's JSON; nothing of models.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from journeyman.capture.wire import HTTPError
from journeyman.model import grammar
from journeyman.model.continuous import Token
from journeyman.model.tools import calls_in

REPLY_TOKENS = 1024  # where a request does not say
MOST_CHOICES, MOST_STOPS, MOST_LIKELIEST = 32, 16, 20
# What could not be honoured, and the values that ask for nothing.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "functions": ([],),
    "function_call": ("auto", "none"),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "min_p": (0,),
    "repetition_penalty": (1,),
    "min_tokens": (0,),
    "ignore_eos": (False,),
    "parallel_tool_calls": (True,),
    "web_search_options": (),
    "guided_json": (),
    "guided_regex": (),
    "guided_choice": (),
    "guided_grammar": (),
}
# What a client may tell a chat template; anything else is the template's program, and not a client's to choose.
_TEMPLATE = ("enable_thinking", "thinking", "thinking_budget", "reasoning_effort")


@dataclass(frozen=True)
class Asked:
    """One request. temperature None: the model's own; seed None: any."""

    messages: list[dict[str, Any]]
    tools: tuple[dict[str, Any], ...] = ()
    rules: str = ""  # the grammar that the reply must follow
    n: int = 1
    stop: tuple[str, ...] = ()
    max_tokens: int = REPLY_TOKENS
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    likeliest: int | None = None  # how many with each token; None: no log-probabilities are wanted
    token_ids: bool = False
    stream: bool = False
    usage: bool = True
    template: dict[str, Any] = field(default_factory=dict)


def parse(value: Mapping[str, Any]) -> Asked:
    """HTTPError 400 where it asks for what cannot be done."""
    for name, neutral in _NEUTRAL.items():
        if value.get(name) is not None and value[name] not in neutral:
            raise _refused(f"the embedded engine does not know {name} {json.dumps(value[name])[:80]}", "leave it out")
    stop = value.get("stop")
    stops = [stop] if isinstance(stop, str) else (stop or [])
    if not isinstance(stops, list) or len(stops) > MOST_STOPS or not all(isinstance(each, str) for each in stops):
        raise _refused("stop must be a text, or a few", 'send "stop": ["\\n"]')
    tools = value.get("tools") or []
    if not isinstance(tools, list) or not all(_is_tool(each) for each in tools):
        raise _refused("tools must be a list of functions", 'send [{"type": "function", "function": {"name": ...}}]')
    tools, must_call = _chosen(tools, value.get("tool_choice") or "auto")
    schema = _schema(value.get("response_format") or {"type": "text"})
    rules = grammar.of_schema(schema) if schema is not None and not tools else ""
    if tools and (must_call or schema is not None):
        rules = grammar.of_call([each["function"] for each in tools], None if must_call else schema)
    bounded = "max_completion_tokens" if value.get("max_completion_tokens") is not None else "max_tokens"
    stream = value.get("stream_options")
    likeliest = int(_number(value, "top_logprobs", 0, MOST_LIKELIEST, 0, whole=True))
    template = value.get("chat_template_kwargs") or {}
    if not isinstance(template, dict) or not all(
        name in _TEMPLATE and isinstance(each, bool | int | str) for name, each in template.items()
    ):
        raise _refused("the template takes no such arguments", f"it knows {', '.join(_TEMPLATE)}")
    messages = [_message(each) for each in value["messages"]]
    try:
        json.dumps([messages, tools], ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _refused("the text holds half of a surrogate pair", "send whole characters") from error
    return Asked(
        messages=messages,
        tools=tuple(tools),
        rules=rules,
        n=int(_number(value, "n", 1, MOST_CHOICES, 1, whole=True)),
        stop=tuple(stops),
        max_tokens=int(_number(value, bounded, 1, 1 << 20, REPLY_TOKENS, whole=True)),
        temperature=_number(value, "temperature", 0.0, 2.0, None),
        top_p=_number(value, "top_p", 1e-9, 1.0, None),
        top_k=_number(value, "top_k", -1, 1 << 20, None, whole=True),
        seed=_number(value, "seed", -(1 << 63), (1 << 63) - 1, None, whole=True),
        likeliest=likeliest if value.get("logprobs") is True else None,
        token_ids=value.get("return_token_ids") is True,
        stream=value.get("stream") is True,
        usage=isinstance(stream, Mapping) and stream.get("include_usage") is True,
        template=dict(template),
    )


def _chosen(tools: list[dict[str, Any]], choice: Any) -> tuple[list[dict[str, Any]], bool]:
    """The tools that may be called, and whether one must be."""
    if choice in ("auto", "none"):
        return (tools if choice == "auto" else []), False
    if choice != "required":
        name = choice["function"]["name"] if _is_tool(choice) else None
        tools = [each for each in tools if each["function"]["name"] == name]
    if not tools:
        raise _refused("tool_choice names no tool of the request", 'send "auto", "none", "required", or one of them')
    return tools, True


def _schema(given: Any) -> dict[str, Any] | None:
    """The JSON Schema that a reply must follow; None: any text."""
    kind = given.get("type") if isinstance(given, dict) else None
    if kind == "text":
        return None
    held = given.get("json_schema") if kind == "json_schema" else {"schema": {"type": "object"}}
    schema = held.get("schema") if isinstance(held, dict) else None
    if kind not in ("json_object", "json_schema") or not isinstance(schema, dict):
        remedy = 'send {"type": "json_schema", "json_schema": {"name": "...", "schema": {...}}}, or "json_object"'
        raise _refused("response_format is none that is known", remedy)
    return schema


def _message(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("role"), str):
        raise _refused("a message is no object with a role", 'send {"role": "user", "content": "..."}')
    content = value.get("content")
    if isinstance(content, list):
        if not all(isinstance(each, dict) and each.get("type") == "text" for each in content):
            raise _refused("this model reads text alone", "leave out images, audio and files")
        content = "".join(str(each.get("text", "")) for each in content)
    if content is not None and not isinstance(content, str):
        raise _refused("a message's content must be text", 'send {"role": "user", "content": "..."}')
    calls = value.get("tool_calls") or []
    if not isinstance(calls, list) or not all(_is_tool(each) for each in calls):
        raise _refused("tool_calls must be a list of calls", "send them back as they were received")
    role = "system" if value["role"] == "developer" else value["role"]
    kept = {name: value[name] for name in ("name", "tool_call_id") if isinstance(value.get(name), str)}
    return {"role": role, "content": content or "", **kept, **({"tool_calls": calls} if calls else {})}


def _is_tool(value: Any) -> bool:
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return False
    return isinstance(function.get("arguments", ""), str)


def _number(
    value: Mapping[str, Any], name: str, least: float, most: float, default: Any, *, whole: bool = False
) -> Any:
    found = value.get(name)
    if found is None:
        return default
    kinds = int if whole else (int, float)
    if isinstance(found, bool) or not isinstance(found, kinds) or not least <= found <= most:
        what = "a whole number" if whole else "a number"
        raise _refused(f"{name} must be {what} from {least:g} to {most:g}", "correct it, or leave it out")
    return found


def _refused(what: str, remedy: str) -> HTTPError:
    return HTTPError(400, what, remedy)


@dataclass
class Choice:
    """One reply as it comes: what was sampled, all of it, and the text that can be told."""

    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    tokens: list[dict[str, Any]] = field(default_factory=list)  # for a client that wants log-probabilities
    text: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    finish: str = ""

    def end(self, held: str, why: str) -> str:
        """It has come to its end, with `held` at its end; returns the text that this adds."""
        rest, calls = calls_in(held)
        self.calls = [{"id": f"call_{secrets.token_hex(8)}", "type": "function", "function": each} for each in calls]
        self.text += rest
        self.finish = "tool_calls" if calls else why
        return rest

    def message(self) -> dict[str, Any]:
        content = (self.text or None) if self.calls else self.text
        called = {"tool_calls": self.calls} if self.calls else {}
        return {"role": "assistant", "content": content, "refusal": None, **called}


class Answers:
    """The JSON of one request's answer."""

    def __init__(self, asked: Asked, model: str, fingerprint: str) -> None:
        self.asked, self.model, self.fingerprint = asked, model, fingerprint
        self.id, self.created = f"chatcmpl-{secrets.token_hex(12)}", int(time.time())

    def whole(self, choices: Sequence[Choice], prompt: Sequence[int], known: int) -> bytes:
        found = [
            {
                "index": index,
                "message": choice.message(),
                "finish_reason": choice.finish,
                "logprobs": {"content": choice.tokens, "refusal": None} if self._wants_logprobs else None,
                **({"token_ids": choice.ids} if self.asked.token_ids else {}),
            }
            for index, choice in enumerate(choices)
        ]
        ids = {"prompt_token_ids": list(prompt)} if self.asked.token_ids else {}
        body = self._frame("chat.completion") | {"choices": found, "usage": usage(choices, len(prompt), known), **ids}
        return json.dumps(body).encode()

    def begin(self, index: int) -> bytes:
        return self._event(index, {"role": "assistant", "content": ""})

    def piece(self, index: int, text: str, tokens: Sequence[dict[str, Any]], ids: Sequence[int]) -> bytes:
        return self._event(index, {"content": text} if text else {}, tokens, ids)

    def end(self, index: int, choice: Choice, rest: str) -> bytes:
        pieces: list[bytes] = [self.piece(index, rest, (), ())] if rest else []
        if choice.calls:
            calls = [{"index": number, **call} for number, call in enumerate(choice.calls)]
            pieces.append(self._event(index, {"tool_calls": calls}))
        return b"".join([*pieces, self._event(index, {}, finish=choice.finish)])

    def done(self, choices: Sequence[Choice], prompt: int, known: int) -> bytes:
        last = b""
        if self.asked.usage:
            found = self._frame("chat.completion.chunk") | {"choices": [], "usage": usage(choices, prompt, known)}
            last = _sse(found)
        return last + b"data: [DONE]\n\n"

    @property
    def _wants_logprobs(self) -> bool:
        return self.asked.likeliest is not None

    def _frame(self, kind: str) -> dict[str, Any]:
        frame = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        return frame | {"system_fingerprint": self.fingerprint}

    def _event(
        self,
        index: int,
        delta: dict[str, Any],
        tokens: Sequence[dict[str, Any]] = (),
        ids: Sequence[int] = (),
        finish: str | None = None,
    ) -> bytes:
        logprobs = {"content": list(tokens), "refusal": None} if self._wants_logprobs and tokens else None
        choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
        if self.asked.token_ids and ids:
            choice["token_ids"] = list(ids)
        return _sse(self._frame("chat.completion.chunk") | {"choices": [choice]})


def usage(choices: Sequence[Choice], prompt: int, known: int) -> dict[str, Any]:
    made = sum(len(choice.ids) for choice in choices)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": made,
        "total_tokens": prompt + made,
        "prompt_tokens_details": {"cached_tokens": known},
    }


def logprob(token: Token, written: Mapping[int, str], wanted: int) -> dict[str, Any]:
    """A token and its log-probability as the API gives them; `written`: the text of every token in it."""

    def one(id: int, logp: float) -> dict[str, Any]:
        text = written[id]
        return {"token": text, "logprob": logp, "bytes": None if "\ufffd" in text else list(text.encode())}

    return one(token.id, token.logp) | {"top_logprobs": [one(*each) for each in token.likeliest[:wanted]]}


def _sse(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
