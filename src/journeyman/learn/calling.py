"""Calls as they are made by day: the tools shown by the model's own template, under the system's turn of a session.

What a night trains on and what it measures are rendered by the rule by which the gateway's model is asked, so that what
is learnt in a dream is there when the same client comes again.

    manner = ByDay.of(engine, shown, works)           # to be played with: acting.play(engine, envs, manner)
    decisions(engine, shown["t1"], work)              # (prompt, reply) of each call, in token ids

Always holds: the prompt of a decision is that which `ByDay` would ask the model with at that moment of the episode; its
reply is the call, up to the token that ends it.

Knows tasks, templates and token ids; nothing of where a task comes from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from journeyman.errors import ModelError
from journeyman.learn.acting import Manner, Talk, spoken, understood
from journeyman.learn.states import State, response
from journeyman.model import Ids, Message
from journeyman.model.tools import fitted
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.world.actions import Action, Call, Say
from journeyman.world.env import Env

DONE = "Done."  # where the model would not stop by itself
ENDING_TOKENS = 24
ROOM = 8  # tokens by which a call may be longer than the longest of an oracle


class Shown(NamedTuple):
    """What a client shows besides what the user says: the system's turn ("": none), and tools as OpenAI's API has
    them."""

    system: str
    tools: tuple[Mapping[str, Any], ...]


class Work(NamedTuple):
    """A task as a conversation: what is asked for, and the calls that do it, each with its answer."""

    instruction: str
    steps: tuple[tuple[Call, str], ...]


@dataclass(frozen=True)
class ByDay(Manner):
    """`shown`: by the task's id."""

    shown: Mapping[str, Shown] = field(default_factory=dict)

    @classmethod
    def of(cls, engine: TransformersEngine, shown: Mapping[str, Shown], works: Mapping[str, Work]) -> ByDay:
        """With turns and room for what the longest of these works needs, and a look more."""
        replies = [reply for task, work in works.items() for _, reply in decisions(engine, shown[task], work)]
        turns = max((len(work.steps) for work in works.values()), default=0) + 2
        return cls((), turns, max(map(len, replies), default=ENDING_TOKENS) + ROOM, shown)

    def begin(self, env: Env) -> Talk:
        return begun(self.shown[env.task.id], env.task.instruction)

    def go_on(self, talk: Talk, text: str, action: Action, observation: str) -> None:
        if isinstance(action, Call):
            called(talk, action, observation)
        else:
            super().go_on(talk, text, action, observation)


def begun(shown: Shown, instruction: str) -> Talk:
    before: list[Message] = [{"role": "system", "content": shown.system}] if shown.system else []
    return Talk([*before, {"role": "user", "content": instruction}], shown.tools)


def called(talk: Talk, call: Call, answer: str) -> None:
    """The call was made, and answered so."""
    said = _calling(talk, call)
    talk.messages += [said, {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": answer}]


def decisions(engine: TransformersEngine, shown: Shown, work: Work) -> list[tuple[list[int], list[int]]]:
    """For each call of a work what the model is asked with, and how it makes that call.

    ModelError if the conversation is longer than the model can read, or if its template cannot express it.
    """
    talk, found = begun(shown, work.instruction), list[tuple[list[int], list[int]]]()
    for call, answer in work.steps:
        found.append(made(engine, talk, call))
        called(talk, call, answer)
    return found


def made(engine: TransformersEngine, talk: Talk, call: Call) -> tuple[list[int], list[int]]:
    """What the model is asked with at this moment of a conversation, and how it makes the call. ModelError as above."""
    whole, tools = fitted(engine.tokenizer.chat_template, [*talk.messages, _calling(talk, call)], talk.tools)
    reply = response(engine, State(tuple(whole[:-1]), whole[-1]), tools=tools)
    return talk.prompt(engine), reply


def endings(
    engine: TransformersEngine, adapter: str | None, cases: Sequence[tuple[Shown, Work]]
) -> list[tuple[Ids, Ids]]:
    """(prompt, reply) of the moment when all is done. The reply is what the model says by itself under `adapter`, so
    that no manner is taught; where it would call on, or say nothing, `DONE`.

    ModelError as in `decisions`.
    """
    prompts: list[list[int]] = []
    for shown, work in cases:
        talk = begun(shown, work.instruction)
        for call, answer in work.steps:
            called(talk, call, answer)
        prompts.append(talk.prompt(engine))
    with engine.using(adapter):
        replies = engine.generate(prompts, max_new_tokens=ENDING_TOKENS, keep_end=True)
    done = [*engine.encode(DONE), engine.end_id]
    return [
        (prompt, reply if _stops(spoken(engine, reply)) else done)
        for prompt, reply in zip(prompts, replies, strict=True)
    ]


def reach(engine: TransformersEngine, shown: Shown, work: Work) -> str:
    """Why the model cannot be taught this work; "" if it can."""
    try:
        talk = begun(shown, work.instruction)
        for call, answer in work.steps:
            called(talk, call, answer)
        decisions(engine, shown, work)
        talk.prompt(engine)
    except ModelError as error:
        return error.message
    return ""


def _calling(talk: Talk, call: Call) -> dict[str, Any]:
    name = f"call{len(talk.messages):05}"  # nine characters, as some templates want it
    function = {"name": call.tool, "arguments": json.dumps(dict(call.args), ensure_ascii=False)}
    return {"role": "assistant", "content": "", "tool_calls": [{"id": name, "type": "function", "function": function}]}


def _stops(text: str) -> bool:
    action = understood(text)
    return isinstance(action, Say) and bool(action.said.strip()) and "<tool_call>" not in text
