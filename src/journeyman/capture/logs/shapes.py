"""Messages in the shapes that logs have them in, as messages of chat completions.

    OpenAI       {"role", "content", "tool_calls", "tool_call_id"}, and the items of /v1/responses
    OpenTelemetry {"role", "parts": [{"type": "text", "content"}, {"type": "tool_call", "id", "name", "arguments"},
                 {"type": "tool_call_response", "id", "response"}, ...]}
                 https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-input-messages.json
    Anthropic    content blocks "tool_use" and "tool_result"
                 https://docs.anthropic.com/en/api/messages
    LangChain    tool calls {"name", "args", "id"}
                 https://reference.langchain.com/python/langchain_core/messages/

Always holds: what a model thought is left out, in a question as in an answer, so that both stay equal; a result of a
tool is a message of its own; what is in none of these shapes raises UnreadableError.

Knows messages; not where they stand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from journeyman.capture import responses
from journeyman.capture.messages import UnreadableError

Message = dict[str, Any]

_ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "bot": "assistant"}
_THOUGHTS = ("reasoning", "thinking", "redacted_thinking", "server_tool_call", "server_tool_call_response")
_CALLS = ("tool_call", "tool_use")
_RESULTS = ("tool_call_response", "tool_result")


def conversation(value: Any) -> list[Message]:
    """What was sent to a model: a text, a message, a list of them, or a request that holds them."""
    if isinstance(value, str) and value:
        return [{"role": "user", "content": value}]
    if isinstance(value, list) and value:
        if any(isinstance(each, Mapping) and "role" not in each and "type" in each for each in value):
            return _items(value)
        return [message for each in value for message in messages(each)]
    if isinstance(value, Mapping):
        if "messages" in value:
            return conversation(value["messages"])
        if "role" in value:
            return messages(value)
        if "input" in value:
            return [*responses.instructions(value), *conversation(value["input"])]
    raise UnreadableError("what was asked is neither a text nor a list of messages")


def messages(value: Any) -> list[Message]:
    """The messages that one of a log is: one, or several results of tools."""
    if isinstance(value, Mapping) and isinstance(value.get("role"), str):
        role = value["role"].lower()
        role = _ROLES.get(role, role)
        parts = value.get("parts") if isinstance(value.get("parts"), list) else value.get("content")
        found: Message = {"role": role, "content": parts}
        for name in ("tool_call_id", "name", "refusal", "function_call"):
            if value.get(name) is not None:
                found[name] = value[name]
        calls = [_call(each) for each in value.get("tool_calls") or ()]
        if role == "tool" and isinstance(parts, Mapping) and "tool_call_id" not in value:
            return []  # what a tool can do, which some logs list among the messages
        results: list[Message] = []
        if isinstance(parts, list):
            results = [_result(part) for part in parts if _kind(part) in _RESULTS]
            calls = calls or [_call(part) for part in parts if _kind(part) in _CALLS]
            found["content"] = _content([part for part in parts if _kind(part) not in (*_RESULTS, *_CALLS)])
        elif parts is not None and not isinstance(parts, str):
            found["content"] = text(parts)
        if calls:
            found["tool_calls"] = calls
        return [*results, found] if found["content"] is not None or calls or not results else results
    raise UnreadableError("a message has no role")


def answer(value: Any) -> Message:
    """What a model answered: a text, a message, a list of choices, a completion or a response."""
    if isinstance(value, str):
        return {"role": "assistant", "content": value}
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        if "role" in value[0] and "type" not in value[0]:
            return answer(value[0])
        if (found := responses.reply({"output": value})) is not None:
            return found
    if isinstance(value, Mapping):
        choices = value.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(choice, Mapping) and isinstance(choice.get("message"), Mapping):
            return answer(choice["message"])
        if (found := responses.reply(value)) is not None:
            return found
        if "role" in value or "tool_calls" in value or set(value) == {"content"}:
            (found, *more) = messages({**value, "role": value.get("role") or "assistant"})
            if found["role"] != "assistant" or more:
                raise UnreadableError("the answer is not the assistant's")
            return found
    if value is None:
        raise UnreadableError("there is no answer")
    return {"role": "assistant", "content": text(value)}  # an answer in JSON, which the log has parsed


def parsed(value: Any) -> Any:
    """What a text stands for that is JSON; any other text is itself."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "[", '"'):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _items(items: list[Any]) -> list[Message]:
    found = responses.said({"input": items})
    if found is None:
        raise UnreadableError("its items refer to what only the engine knows, or are of no kind that is known here")
    return found


def _kind(part: Any) -> str:
    return str(part.get("type")) if isinstance(part, Mapping) else ""


def _content(parts: list[Any]) -> Any:
    """Text where all is text, else parts as chat completions have them; None where there are none."""
    kept: list[Any] = []
    for part in parts:
        kind = _kind(part)
        if kind in _THOUGHTS:
            continue
        if kind == "compaction":
            raise UnreadableError("the conversation was compacted: only the engine knows what went before")
        if isinstance(part, str):
            kept.append({"type": "text", "text": part})
        elif kind in ("blob", "uri", "file", "file_data"):
            kept.append({"type": str(part.get("modality") or "file")})
        elif kind and isinstance(part.get("content"), str):
            kept.append({"type": "text", "text": part["content"]})
        else:
            kept.append(part)
    texts = [part.get("text") for part in kept if _kind(part) in ("text", "input_text", "output_text")]
    if len(texts) == len(kept) and all(isinstance(each, str) for each in texts):
        return "\n".join(map(str, texts)) if kept else None
    return kept


def _call(call: Any) -> Message:
    if not isinstance(call, Mapping):
        raise UnreadableError("a tool call is no object")
    if isinstance(call.get("function"), Mapping):
        function = call["function"]
        name, arguments = function.get("name"), function.get("arguments")
    else:
        given = [call[field] for field in ("arguments", "args", "input") if call.get(field) is not None]
        name, arguments = call.get("name"), given[0] if given else None
    arguments = "" if arguments is None else text(arguments)
    return {"id": call.get("id"), "type": "function", "function": {"name": name, "arguments": arguments}}


def _result(part: Mapping[str, Any]) -> Message:
    given = next((part[name] for name in ("response", "result", "content") if part.get(name) is not None), "")
    content = _content(given) if isinstance(given, list) and all(_kind(each) for each in given) else text(given)
    return {"role": "tool", "tool_call_id": part.get("id") or part.get("tool_use_id"), "content": content}
