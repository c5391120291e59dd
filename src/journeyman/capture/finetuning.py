"""Conversations as examples for fine-tuning elsewhere, in OpenAI's formats.

    supervised   {"messages": [...], "tools": [...]}: an answer that is not to be learnt has "weight": 0, and the
                 example ends with the last one that is
    preferences  {"input": {"messages", "tools"}, "preferred_output": [...], "non_preferred_output": [...]}

Always holds: an answer that was cut, that reached a limit or whose last rating is below 0.5 is not learnt; a better one
takes the place of the answer that was given; a tool's result follows the call that it answers, else there is no
example.

Shapes: FineTuneChatRequestInput and FineTunePreferenceRequestInput in
https://github.com/openai/openai-openapi, and https://platform.openai.com/docs/guides/supervised-fine-tuning. Knows
conversations; not where the examples go.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from journeyman.capture import responses
from journeyman.capture.conversations import Conversation
from journeyman.capture.messages import STOPPED, call_in, message
from journeyman.records import Exchange, Session, content_hash

GOOD = 0.5  # a rating from here on


def example(conversation: Conversation) -> dict[str, Any] | None:
    """The supervised example; None if there is no answer to learn from, or a tool's result that answers no call."""
    session, answers = conversation.session, conversation.answers
    messages: list[dict[str, Any]] = []
    length = 0  # of what ends with an answer that is to be learnt
    for place, turn in enumerate(session.turns):
        said: dict[str, Any] = _spoken(session, place)
        better = _better(session, place) if turn.role == "assistant" else ""
        if turn.role == "assistant":
            if better:
                said = _answer(better)
            if better or _is_good(session, place, answers.get(place)):
                length = place + 1
            else:
                said["weight"] = 0
        messages.append(said)
        if better and (turn.tool_calls or "tool_calls" in said):  # what follows is not what came of this
            break
    messages = messages[:length]
    return _with_tools({"messages": messages}, conversation) if length and _is_sound(messages) else None


def preferences(conversation: Conversation) -> Iterator[dict[str, Any]]:
    """A pair for each whole answer that somebody has given a better one for."""
    session = conversation.session
    for place, turn in enumerate(session.turns):
        before = [_spoken(session, earlier) for earlier in range(place)]
        better = _better(session, place) if turn.role == "assistant" else ""
        if better and turn.content and not turn.tool_calls and _is_sound(before):
            yield {
                "input": _with_tools({"messages": before}, conversation),
                "preferred_output": [_answer(better)],
                "non_preferred_output": [{"role": "assistant", "content": turn.content}],
            }


def _spoken(session: Session, place: int) -> dict[str, Any]:
    said = message(session.turns[place])
    if said.get("tool_calls") and not said["content"]:
        del said["content"]
    return said


def _better(session: Session, place: int) -> str:
    return next((each.better for each in reversed(session.remarks) if each.turn == place and each.better), "")


def _answer(better: str) -> dict[str, Any]:
    """The better answer as a message: a call where it is one."""
    if found := call_in(better):
        name, arguments = found
        function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
        call = {"id": f"call_{content_hash(function)}", "type": "function", "function": function}
        return {"role": "assistant", "tool_calls": [call]}
    return {"role": "assistant", "content": better}


def _is_good(session: Session, place: int, answer: Exchange | None) -> bool:
    turn = session.turns[place]
    ratings = [each.rating for each in session.remarks if each.turn == place and each.rating is not None]
    whole = answer is None or (answer.ending == "complete" and answer.details.get("finish_reason") not in STOPPED)
    whole = whole and place not in session.cut
    return whole and bool(turn.content or turn.tool_calls) and (not ratings or ratings[-1] >= GOOD)


def _is_sound(messages: list[dict[str, Any]]) -> bool:
    """Whether there is somebody to answer, and each call has its name and its result, each result its call."""
    waiting: set[str] = set()
    for said in messages:
        if said["role"] == "tool":
            if said.get("tool_call_id") not in waiting:
                return False
            waiting.remove(said["tool_call_id"])
        elif waiting:
            return False
        waiting |= {call["id"] for call in said.get("tool_calls", ())}
    return "" not in waiting and any(said["role"] == "user" for said in messages)


def _with_tools(found: dict[str, Any], conversation: Conversation) -> dict[str, Any]:
    """With the functions that the last request offered, where a request is known."""
    for _, exchange in sorted(conversation.answers.items(), reverse=True):
        request = json.loads(exchange.request)
        tools = responses.tools(request) if "input" in request else request.get("tools")
        if isinstance(tools, list) and (known := [each for each in tools if _is_function(each)]):
            return {**found, "tools": known}
    return found


def _is_function(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "function" and isinstance(tool.get("function"), dict)
