"""A model acts in a world: what it is shown, and how what it writes becomes an action.

An episode is a conversation: the instruction, then in turn what the model writes and what the world answers. A reply is
read as a call between tags (`model.tools`), as a bare JSON call (`world.actions`), or else as something said. Small
models copy what they have seen, so a conversation may begin with examples: tasks that are solved before its eyes.

Always holds: each turn keeps the very token ids that the model was asked with and answered, so that what is trained on
is what was sampled; episodes step together, and what they share of a prompt is encoded once.

Knows worlds and token ids; nothing of rewards' use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from journeyman.errors import ModelError
from journeyman.model import Ids, Message
from journeyman.model.tools import calls_in, fitted
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.world.actions import Action, Call, parsed
from journeyman.world.env import Env
from journeyman.world.suite import Suite
from journeyman.world.task import Task
from journeyman.world.verifier import Verdict

ASKED = "Answer with one call, as JSON."


@dataclass
class Talk:
    """A conversation under way, in OpenAI's format, and the tools that it shows (none: they are in its words)."""

    messages: list[Message]
    tools: Sequence[Mapping[str, Any]] = ()

    def prompt(self, engine: TransformersEngine) -> list[int]:
        """What the model goes on from, in its own template. ModelError if it is longer than the model can read."""
        messages, tools = fitted(engine.tokenizer.chat_template, self.messages, self.tools)
        return engine.chat(messages, tools=tools)


@dataclass(frozen=True)
class Manner:
    """How a model is asked to act: the messages that every conversation begins with, how many turns it has at most
    (then it takes its leave), and how long a reply may be, in tokens."""

    before: tuple[Message, ...] = ({"role": "system", "content": ASKED},)
    turns: int = 8
    max_new_tokens: int = 48

    @classmethod
    def showing(cls, suite: Suite, examples: Sequence[Task], *, tools: bool = False, **rest: int) -> Manner:
        """With the examples solved by their oracles, and with the tools' signatures if `tools`."""
        system = ASKED
        if tools:
            signatures = (
                f"{tool.name}({', '.join(each.name if each.required else f'{each.name}?' for each in tool.parameters)})"
                for tool in suite.rules.tools.values()
            )
            system = "\n".join([ASKED, "The tools:", *signatures])
        before: list[Message] = [{"role": "system", "content": system}]
        for task in examples:
            env = Env(suite)
            env.reset(task)
            for action in task.oracle:
                before += [_asks(env.observation), {"role": "assistant", "content": written(action)}]
                env.step(action)
        return cls(tuple(before), **rest)

    def begin(self, env: Env) -> Talk:
        """The conversation as an episode begins."""
        return Talk([*self.before, _asks(env.observation)])

    def go_on(self, talk: Talk, text: str, action: Action, observation: str) -> None:  # noqa: ARG002
        """What the model wrote, which was understood as `action`, and what the world answered."""
        talk.messages += [{"role": "assistant", "content": text}, _asks(observation)]


@dataclass
class Episode:
    """One that was played to its end: its turns (prompt, reply with the token that ended it), in token ids."""

    task: Task
    turns: list[tuple[Ids, Ids]] = field(default_factory=list)
    verdict: Verdict | None = None

    @property
    def score(self) -> float:
        return self.verdict.score if self.verdict is not None else 0.0


def written(action: Action) -> str:
    """An action as a model is to write it: the tool's name before its arguments."""
    if isinstance(action, Call):
        return json.dumps({"name": action.tool, "arguments": dict(action.args)}, ensure_ascii=False)
    return action.text


def understood(text: str) -> Action:
    """The action that a model has written."""
    _, calls = calls_in(text)
    if calls:
        return Call(calls[0]["name"], json.loads(calls[0]["arguments"]))
    return parsed(text.strip())


def spoken(engine: TransformersEngine, reply: Ids) -> str:
    """The text of a reply, without the token that ends it."""
    return engine.decode([token for token in reply if token not in engine.end_ids])


def play(
    engine: TransformersEngine,
    envs: Sequence[Env],
    manner: Manner,
    *,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[Episode]:
    """Act in all of these episodes, which have begun, until each is over, under the adapter that is active."""
    episodes = [Episode(env.task) for env in envs]
    talks = [manner.begin(env) for env in envs]
    for turn in range(manner.turns):
        going: list[int] = []
        prompts: list[list[int]] = []
        for at, env in enumerate(envs):
            if env.info["over"]:
                continue
            try:
                prompts.append(talks[at].prompt(engine))
            except ModelError:
                if not turn:  # what cannot even begin is a mistake of who asked
                    raise
                env.leave()  # it has grown beyond what the model can read
                continue
            going.append(at)
        if not going:
            break
        replies = engine.generate(
            prompts,
            max_new_tokens=manner.max_new_tokens,
            temperature=temperature,
            seed=seed * manner.turns + turn,
            keep_end=True,
        )
        for at, prompt, reply in zip(going, prompts, replies, strict=True):
            if reply:
                episodes[at].turns.append((prompt, reply))
            text = spoken(engine, reply)
            action = understood(text)
            envs[at].step(action)
            manner.go_on(talks[at], text, action, envs[at].observation)
    for episode, env in zip(episodes, envs, strict=True):
        episode.verdict = env.leave()
    return episodes


def _asks(text: str) -> Message:
    return {"role": "user", "content": text}
