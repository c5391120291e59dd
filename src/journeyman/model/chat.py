"""Conversations as token ids, in the model's own chat template.

Always holds: nothing of a conversation is lost on the way: what the template cannot express, or leaves out in silence,
is an error, and so is a conversation that is too long; no token is cut off. What a message says stays text: a control
token's name within it does not become the control token.

Knows messages in OpenAI's format, no lessons and no sessions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from journeyman.errors import ModelError

_MARK = "q7Zx{}x7Zq"
_REMEDY = "use a chat model whose template takes system, user, assistant and, for agents, tool messages"


def render(
    tokenizer: Any,
    name: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
    begins: bool = True,
    options: Mapping[str, Any] | None = None,
) -> list[int]:
    """Token ids of `messages`; `begins`: up to where the assistant begins to speak, else up to the end of the last.

    tools: what the assistant may call, in OpenAI's format; options: what the template itself takes (`enable_thinking`).
    """
    if isinstance(messages, str):
        raise ValueError("this is text, not a list of messages: engine.user makes the prompt of a single one")
    failure: ModelError | None = None
    for spelling in _SPELLINGS:
        try:
            return _render(tokenizer, name, [spelling(message) for message in messages], tools, begins, options)
        except ModelError as error:
            failure = failure or error
    raise failure  # type: ignore[misc]  # of the conversation as it was given


def _render(
    tokenizer: Any,
    name: str,
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]] | None,
    begins: bool,
    options: Mapping[str, Any] | None,
) -> list[int]:
    def write(conversation: Sequence[Mapping[str, Any]], shown: Any = tools) -> str:
        try:
            return tokenizer.apply_chat_template(
                [dict(message) for message in conversation],
                tools=shown,
                tokenize=False,
                add_generation_prompt=begins,
                **(options or {}),
            )
        except Exception as error:  # a template is a program of the model's author: it may raise anything
            raise ModelError(
                f"the chat template of {name} cannot express this conversation ({error})", _REMEDY
            ) from error

    # With a mark in the place of every content and every call's name one sees what becomes of them, however a template
    # trims or quotes them.
    held: list[str] = []
    marked = write([_marked(message, held) for message in messages])
    place = 0
    for message in messages:
        before, place = place, place + _marks(message)
        if not all(_MARK.format(number) in marked for number in range(before, place)):
            raise ModelError(f"the chat template of {name} leaves out a message of role {message['role']}", _REMEDY)
    # A mark for every control token that is named, wherever that is (and for every mark): what is left of such tokens
    # are the template's own.
    control = sorted((token.content for token in tokenizer.added_tokens_decoder.values() if token.special), key=len)
    names = re.compile("|".join([_MARK.format(r"\d+"), *map(re.escape, reversed(control))]))
    held = []
    text = write([_without(message, names, held) for message in messages], _without(tools, names, held))
    ids: list[int] = []
    for number, part in enumerate(re.split(_MARK.format(r"(\d+)"), text)):
        said = held[int(part)] if number % 2 else part
        ids += tokenizer(said, add_special_tokens=False, split_special_tokens=bool(number % 2))["input_ids"]
    return ids


def _without(given: Any, names: re.Pattern[str], held: list[str]) -> Any:
    """The same with marks in the place of such names, which go into `held`."""
    if isinstance(given, Mapping):
        return {_without(key, names, held): _without(each, names, held) for key, each in given.items()}
    if isinstance(given, list | tuple):
        return [_without(each, names, held) for each in given]
    if not isinstance(given, str):
        return given

    def mark(found: re.Match[str]) -> str:
        held.append(found[0])
        return _MARK.format(len(held) - 1)

    return names.sub(mark, given)


def _arguments_as_text(message: Mapping[str, Any]) -> Mapping[str, Any]:
    if not message.get("tool_calls"):
        return message
    calls = []
    for call in message["tool_calls"]:
        given = call["function"].get("arguments", {})
        text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        calls.append({**call, "function": {**call["function"], "arguments": text}})
    return {**message, "tool_calls": calls}


def _content_in_parts(message: Mapping[str, Any]) -> Mapping[str, Any]:
    content = message.get("content")
    return {**message, "content": [{"type": "text", "text": content}]} if isinstance(content, str) else message


# Of one and the same message. Most templates want a call's arguments as an object, DeepSeek's as JSON text; those of
# models that see pictures take contents in parts only.
_SPELLINGS: tuple[Callable[[Mapping[str, Any]], Mapping[str, Any]], ...] = (
    lambda message: message,
    _arguments_as_text,
    _content_in_parts,
)


def _marked(message: Mapping[str, Any], held: list[str]) -> dict[str, Any]:
    """The message with marks in the place of what it says, which goes into `held`."""

    def mark(said: Any) -> Any:
        if not isinstance(said, str) or not said.strip():
            return said
        held.append(said)
        return _MARK.format(len(held) - 1)

    content = message.get("content")
    if isinstance(content, list):
        parts = [{**part, "text": mark(part["text"])} if "text" in part else part for part in content]
        result = {**message, "content": parts}
    else:
        result = {**message, "content": mark(content)}
    if message.get("tool_calls"):
        result["tool_calls"] = [
            {**call, "function": {**call["function"], "name": mark(call["function"]["name"])}}
            for call in message["tool_calls"]
        ]
    return result


def _marks(message: Mapping[str, Any]) -> int:
    """How many marks a message gets."""
    held: list[str] = []
    _marked(message, held)
    return len(held)
