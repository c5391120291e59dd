"""States: the prefixes of a session that an assistant's turn followed, as the student and as its teacher see them.

Every assistant turn of a session is something to learn from, in the middle of a conversation and after a tool's answer
too. The student sees what the assistant saw then; the teacher sees the lesson first, then the same.

Always holds: both are rendered with the model's own template, whole: the lesson stands in front, so that all states of
a session share its encoding, and nothing is cut off the end.

Knows sessions and one template; not what is done with a state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from journeyman.capture import messages
from journeyman.errors import ModelError
from journeyman.model import Message
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.records import Session, Turn


@dataclass(frozen=True)
class State:
    """The messages before an assistant's turn, and that turn, in OpenAI's format."""

    before: tuple[Message, ...]
    reply: Message


def states(session: Session) -> list[State]:
    """One for every assistant turn that something preceded."""
    said = [message(turn) for turn in session.turns]
    return [
        State(tuple(said[:place]), said[place])
        for place, turn in enumerate(session.turns)
        if turn.role == "assistant" and place
    ]


def message(turn: Turn) -> dict[str, Any]:
    """A turn in OpenAI's format, a call's arguments as templates want them: parsed, where they are JSON."""
    result = messages.message(turn)
    for call in result.get("tool_calls", ()):
        call["function"]["arguments"] = _parsed(call["function"]["arguments"])
    return result


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def prompts(
    engine: TransformersEngine,
    before: Sequence[Message],
    lesson: str,
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
) -> tuple[list[int], list[int]]:
    """The student's prompt and the teacher's, who has the lesson first: in front of what the system's turn says or,
    without one, of what the user says first. (A system's turn of its own would take the place of the one that some
    templates write by themselves, which the student goes on seeing.)"""
    for place, said in enumerate(before):
        if said["role"] in ("system", "user") and isinstance(said.get("content"), str):
            shown = [*before[:place], {**said, "content": f"{lesson}\n\n{said['content']}"}, *before[place + 1 :]]
            return engine.chat(before, tools=tools), engine.chat(shown, tools=tools)
    raise ModelError(
        "this state has no turn of the system or of the user to put a lesson in front of",
        "take a state that a user's turn, as plain text, has preceded",
    )


def response(
    engine: TransformersEngine, state: State, *, tools: Sequence[Mapping[str, Any]] | None = None
) -> list[int]:
    """The ids of the reply that was really given, calls of tools included, up to the token that ends it."""
    prompt = engine.chat(state.before, tools=tools)
    whole = engine.chat([*state.before, state.reply], tools=tools, begins=False)
    said = whole[len(prompt) :]
    ends = [place for place, token in enumerate(said) if token in engine.end_ids]
    if whole[: len(prompt)] != prompt or not ends:
        raise ModelError(
            f"the chat template of {engine.name} writes a reply in another way than it asks for one",
            "use a model whose template gives the same text before a reply, whether the reply is there or not",
        )
    return said[: ends[0] + 1]
