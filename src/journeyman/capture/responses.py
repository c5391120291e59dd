"""What goes over /v1/responses, in the words of chat completions: items become messages.

    instructions                      the system message
    message                           a message; consecutive items of the assistant are one, as in chat completions
    function_call, custom_tool_call,  a tool call, by its call_id
    any other client's *_call
    *_call_output                     the tool's message
    reasoning, and calls without a call_id (web search and what else the engine does itself): passed over

Always holds: what an engine answered has one reading, whether it comes as output, in a stream or as the input of a
later request; a conversation of which a part is only known to the engine (a reference, a compaction) is None, not a
part of itself; a stream that was cut gives what had arrived.

Shapes: https://platform.openai.com/docs/api-reference/responses (create, the object, streaming), as the `openai`
package's types have them. Knows nothing of sessions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

PATH = "/v1/responses"
Message = dict[str, Any]

_PASSED_OVER = ("reasoning", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "additional_tools")
_ARGUMENTS = ("arguments", "input", "action", "operation")
# Within an item, what a delta of this kind goes on with.
_GROWS = {
    "response.function_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
}
_ENDS = ("response.completed", "response.incomplete", "response.failed")
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}


def said(request: Mapping[str, Any]) -> list[Message] | None:
    """The messages that this request itself brings; what went before its `previous_response_id` is not among them. None
    if they cannot all be known."""
    given = request.get("input")
    if request.get("conversation") is not None:  # the engine has the rest of it
        return None
    if isinstance(given, str):
        found: list[Message] | None = [{"role": "user", "content": given}]
    else:
        found = _messages(given) if isinstance(given, list) else None
    if not found:
        return None
    return [*instructions(request), *found]


def instructions(request: Mapping[str, Any]) -> list[Message]:
    """The system message of this request, if it has one; it is not carried over to the next."""
    given = request.get("instructions")
    return [{"role": "system", "content": given}] if isinstance(given, str) and given else []


def follows(request: Mapping[str, Any]) -> str:
    """The response that this request goes on from, or ""."""
    given = request.get("previous_response_id")
    return given if isinstance(given, str) else ""


def elsewhere(request: Mapping[str, Any]) -> str:
    """What a request goes on from, beside a response, that the engine alone has; "" if there is nothing."""
    if request.get("conversation") is not None:
        return "a conversation"
    given = request.get("input")
    for item in given if isinstance(given, list) else ():
        # The type may be left out of a reference, and of a message, which has a role; null is as good as absent.
        if (
            isinstance(item, Mapping)
            and (item.get("type") or ("message" if isinstance(item.get("role"), str) else "item_reference"))
            == "item_reference"
        ):
            return "an item"
    return ""


def reply(response: Mapping[str, Any]) -> Message | None:
    """The assistant's message in a response; None where it holds none."""
    output = response.get("output")
    found = _messages(output) if isinstance(output, list) else None
    return found[0] if found and len(found) == 1 and found[0]["role"] == "assistant" else None


def is_whole(response: Mapping[str, Any]) -> bool:
    """Whether it came to its end: as the model ended it, or at a limit. Some engines leave the status out."""
    return response.get("status", "completed") in ("completed", "incomplete", None)


def details(response: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: response[name] for name in ("model", "usage") if response.get(name)}
    if isinstance(response.get("id"), str) and response["id"]:
        kept["response_id"] = response["id"]
    if response.get("status") in ("completed", "incomplete"):
        more = response.get("incomplete_details")
        reason = more.get("reason") if isinstance(more, Mapping) else None
        kept["finish_reason"] = _REASONS.get(str(reason), "stop" if response["status"] == "completed" else "length")
    return kept


def tools(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The functions that it offers, as chat completions spell them."""
    given = request.get("tools")
    return [
        {"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}
        for tool in (given if isinstance(given, list) else ())
        if isinstance(tool, Mapping) and tool.get("type") == "function" and "function" not in tool
    ]


class Stream:
    """A streamed response, event by event."""

    def __init__(self) -> None:
        self.ended: Mapping[str, Any] | None = None  # as the last event has it
        self.known: dict[str, Any] = {}
        self._items: dict[int, dict[str, Any]] = {}
        self._grown: dict[int, dict[tuple[str, int], list[str]]] = {}  # by place: what (kind, part) has grown by

    def add(self, event: Mapping[str, Any]) -> None:
        kind, response, place = event.get("type"), event.get("response"), event.get("output_index")
        if isinstance(response, Mapping):
            self.known.update(details(response))
            if kind in _ENDS:
                self.ended = response
        if not isinstance(place, int):
            return
        item = event.get("item")
        if kind in ("response.output_item.added", "response.output_item.done") and isinstance(item, Mapping):
            self._items[place] = dict(item)
            self._grown.pop(place, None)
        elif kind in _GROWS and isinstance(event.get("delta"), str):
            part = event.get("content_index")
            grown = self._grown.setdefault(place, {})
            grown.setdefault((str(kind), part if isinstance(part, int) else -1), []).append(event["delta"])

    def reply(self) -> Message | None:
        found = reply(self.ended) if self.ended is not None else None
        places = sorted({*self._items, *self._grown})
        return found or reply({"output": [self._item(place) for place in places]})

    @property
    def whole(self) -> bool:
        return self.ended is not None and is_whole(self.ended)

    def _item(self, place: int) -> dict[str, Any]:
        """What is known of it: as it was given, and what has been added since."""
        item = dict(self._items.get(place, {}))
        for (kind, number), deltas in self._grown.get(place, {}).items():
            field, text = _GROWS[kind], "".join(deltas)
            if field in ("arguments", "input"):
                item[field] = str(item.get(field) or "") + text
                continue
            item.setdefault("type", "message")
            item.setdefault("role", "assistant")
            parts = [part for part in item.get("content") or () if isinstance(part, dict)]
            number = number if 0 <= number <= len(parts) else max(len(parts) - 1, 0)
            if number == len(parts):
                parts.append({"type": "output_text" if field == "text" else "refusal", field: ""})
            parts[number] = {**parts[number], field: str(parts[number].get(field) or "") + text}
            item["content"] = parts
        return item


def _messages(items: Iterable[Any]) -> list[Message] | None:
    """None if one of the items is not what it says, or refers to what is not here."""
    result: list[Message] = []
    open_answer = False  # whether the assistant goes on with its last message
    for item in items:
        if not isinstance(item, Mapping):
            return None
        kind = item.get("type") or "message"
        if kind in _PASSED_OVER:
            continue
        if kind == "message":
            if not isinstance(item.get("role"), str):
                return None
            spoken = _message(item)
            if spoken["role"] == "assistant" and open_answer:
                _join(result[-1], spoken)
                continue
            result.append(spoken)
            open_answer = spoken["role"] == "assistant"
        elif isinstance(kind, str) and kind.endswith("_call"):
            if not isinstance(item.get("call_id"), str):  # the engine's own doing
                continue
            if not open_answer:
                result.append({"role": "assistant", "content": None})
                open_answer = True
            result[-1].setdefault("tool_calls", []).append(_call(kind, item))
        elif isinstance(kind, str) and kind.endswith("_call_output"):
            output = _output(item.get("output"))
            result.append({"role": "tool", "tool_call_id": item.get("call_id") or item.get("id"), "content": output})
            open_answer = False
        else:
            return None
    return result


def _message(item: Mapping[str, Any]) -> Message:
    content, refusal = item.get("content"), None
    if isinstance(content, list):
        parts = [_part(part) for part in content]
        refusals = [part["refusal"] for part in parts if isinstance(part, Mapping) and part.get("type") == "refusal"]
        refusal = "".join(map(str, refusals)) or None
        content = [part for part in parts if not isinstance(part, Mapping) or part.get("type") != "refusal"] or None
        if content and all(isinstance(part, Mapping) and part.get("type") == "text" for part in content):
            content = "".join(part["text"] for part in content)
    return {"role": item["role"], "content": content, **({"refusal": refusal} if refusal else {})}


def _part(part: Any) -> Any:
    if isinstance(part, Mapping) and part.get("type") in ("input_text", "output_text", "text"):
        return {"type": "text", "text": str(part.get("text") or "")}
    if isinstance(part, Mapping) and part.get("type") == "refusal":
        return {"type": "refusal", "refusal": part.get("refusal") or ""}
    return part


def _join(message: Message, more: Message) -> None:
    """The assistant said something more in the same answer."""
    for field in ("content", "refusal"):
        one, other = message.get(field), more.get(field)
        if isinstance(one, str) and isinstance(other, str):
            message[field] = f"{one}\n{other}"
        elif other is not None:
            message[field] = [*one, *other] if isinstance(one, list) and isinstance(other, list) else other


def _call(kind: str, item: Mapping[str, Any]) -> dict[str, Any]:
    given = next((item[name] for name in _ARGUMENTS if item.get(name) is not None), "")
    arguments = given if isinstance(given, str) else json.dumps(given)
    name = item.get("name") or kind.removesuffix("_call")
    return {"id": item["call_id"], "type": "function", "function": {"name": name, "arguments": arguments}}


def _output(given: Any) -> Any:
    if given is None or isinstance(given, str):
        return given or ""
    if isinstance(given, list) and all(isinstance(part, Mapping) and "type" in part for part in given):
        return _message({"role": "tool", "content": given})["content"] or ""
    return json.dumps(given)
