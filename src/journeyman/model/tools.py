"""Tools in text, for models whose chat template knows none: how they are shown, called, and read back.

The form is the one that Hermes and Qwen models were trained on: a call is a JSON object between <tool_call> tags, what
it gave stands between <tool_response> tags. So a reply of theirs is read by the same rules.

Always holds: `calls_in` loses nothing: what is no whole call stays text; a conversation without tools is not changed.

Knows messages in OpenAI's format; no tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

OPENS = "<tool_call>"
_CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>\s*", re.DOTALL)
_SHOWN = """You may call these tools, one JSON schema a line:
{tools}
To call one, say, and nothing after it:
<tool_call>
{{"name": "its name", "arguments": {{...}}}}
</tool_call>"""

Message = Mapping[str, Any]


def known_to(template: str | None) -> bool:
    """Whether a chat template shows tools and what the assistant called by itself."""
    return bool(template) and "tools" in str(template) and "tool_calls" in str(template)


def fitted(
    template: str | None, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
) -> tuple[list[dict[str, Any]], list[Mapping[str, Any]] | None]:
    """A conversation and the tools of it, as this chat template takes both: one without tools is not changed."""
    if known_to(template):
        return with_objects(messages), list(tools) or None
    return as_text(messages, tools), None


def as_text(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """The same conversation in the roles system, user and assistant alone."""
    result: list[dict[str, Any]] = []
    for message in messages:
        if message.get("tool_calls"):
            said = [message.get("content") or "", *map(_call, message["tool_calls"])]
            result.append({"role": "assistant", "content": "\n".join(filter(None, said))})
        elif message.get("role") == "tool":
            answer = f"<tool_response>\n{_plain(message.get('content'))}\n</tool_response>"
            if result and result[-1].get("answers"):  # those that follow each other are one turn
                result[-1]["content"] += f"\n{answer}"
            else:
                result.append({"role": "user", "content": answer, "answers": True})
        else:
            result.append(dict(message))
    if tools:
        shown = _SHOWN.format(tools="\n".join(json.dumps(each.get("function", each)) for each in tools))
        if result and result[0].get("role") == "system":
            result[0]["content"] = f"{_plain(result[0].get('content'))}\n\n{shown}"
        else:
            result.insert(0, {"role": "system", "content": shown})
    return [{name: each for name, each in message.items() if name != "answers"} for message in result]


def with_objects(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The same conversation with the calls' arguments as objects, which is how templates that know tools write them."""
    result: list[dict[str, Any]] = []
    for message in messages:
        calls = [{**call, "function": _parsed(call["function"])} for call in message.get("tool_calls") or ()]
        result.append({**message, **({"tool_calls": calls} if calls else {})})
    return result


def calls_in(text: str) -> tuple[str, list[dict[str, str]]]:
    """What a reply says besides its calls, and the calls: name, and arguments as JSON text."""
    calls: list[dict[str, str]] = []

    def read(found: re.Match[str]) -> str:
        try:
            value = json.loads(found[1])
            name, arguments = value["name"], value.get("arguments", {})
        except (ValueError, KeyError, TypeError, RecursionError):
            return found[0]
        if not isinstance(name, str) or not isinstance(arguments, dict):
            return found[0]
        calls.append({"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)})
        return ""

    rest = _CALL.sub(read, text)
    return (rest.strip() if calls else text), calls


def _call(call: Mapping[str, Any]) -> str:
    function = _parsed(call["function"])
    said = {"name": function["name"], "arguments": function["arguments"]}
    return f"<tool_call>\n{json.dumps(said)}\n</tool_call>"


def _parsed(function: Mapping[str, Any]) -> dict[str, Any]:
    try:
        arguments = json.loads(function.get("arguments") or "{}")
    except (ValueError, RecursionError):  # as some engine said it
        arguments = function["arguments"]
    return {**function, "arguments": arguments}


def _plain(content: Any) -> str:
    """The text of a message, also where it is given in parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, Mapping))
    return content or ""
