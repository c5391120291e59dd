"""`verifiers:ID` or `verifiers:MODULE:CLASS`: a taskset of verifiers, answered in one reply and scored as it scores.

Always holds: a task is a place in the taskset, which each episode loads anew; the verdict is the weighted sum of the
task's own rewards, over a trace that holds its prompt and the reply; a solved task earns the sum of their weights, as
rewards go from 0 to 1 by verifiers' convention. It publishes no solutions, so there is no oracle.

Knows verifiers 0.4 (its v1). A taskset whose tasks need tools, a runtime or a judge is refused: a reply is not all of
what they score.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import random
from typing import Any

import verifiers.v1 as vf  # pyright: ignore[reportMissingImports]
from verifiers.v1.configs.taskset import TasksetConfig  # pyright: ignore[reportMissingImports]
from verifiers.v1.graph import MessageNode  # pyright: ignore[reportMissingImports]
from verifiers.v1.state import state_cls  # pyright: ignore[reportMissingImports]
from verifiers.v1.trace import AgentInfo, Trace, TraceTask  # pyright: ignore[reportMissingImports]
from verifiers.v1.types import (  # pyright: ignore[reportMissingImports]
    AssistantMessage,
    SystemMessage,
    UserMessage,
)
from verifiers.v1.utils.generic import concrete_type  # pyright: ignore[reportMissingImports]
from verifiers.v1.utils.loaders import taskset_class  # pyright: ignore[reportMissingImports]

from journeyman.errors import InputError
from journeyman.grind.target import Step, Target

MOST = 50  # tasks: some tasksets have no end
NAMED = "name it as verifiers:ID, as verifiers itself does, or as verifiers:MODULE:CLASS"


class Question:
    """One task at a time, of a taskset that is loaded anew for each."""

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def reset(self, task: str) -> Any:
        self.task = next(itertools.islice(iter(loaded(self.kind)), int(task), None))
        self.__dict__.pop("reply", None)
        data = self.task.data
        return [data.system_prompt or "", data.prompt_text]

    def step(self, action: Any) -> Step:
        self.reply = str(action)
        return Step("", self.verdict(), True)

    def verdict(self) -> float:
        """Scored anew at each call; nothing was said, nothing is earned."""
        if not hasattr(self, "reply"):
            return 0.0
        trace = _trace(self.task, self.reply)
        asyncio.run(self.task.score(trace))
        return float(trace.reward)

    def sample(self, chance: random.Random) -> str:
        """Something that might be an answer: a number, or words of the question."""
        words = self.task.data.prompt_text.split() or ["?"]
        return chance.choice([str(chance.randint(-9, 99)), " ".join(chance.choices(words, k=chance.randint(1, 5)))])


def target(name: str, place: str) -> Target:
    kind = _kind(place)
    tasks = list(itertools.islice(loaded(kind), MOST))
    if not tasks:
        raise InputError(f"the taskset {place} has no tasks", "check how it is configured")
    first = tasks[0]
    if needs := _needs(kind, first):
        raise InputError(
            f"the tasks of {place} need {needs}, and are not scored by a reply alone",
            "wrap what runs them in a factory of your own: python:MODULE:FACTORY",
        )
    top = sum(max(0.0, getattr(reward, "_vf_weight", 1.0)) for reward in first.hooks("reward"))
    return Target(
        name=name,
        make=lambda: Question(kind),
        tasks=[str(number) for number in range(len(tasks))],
        top=top or None,
        style="text",
    )


def loaded(kind: Any) -> Any:
    """The taskset, with its configuration's defaults."""
    return kind((concrete_type(kind, TasksetConfig) or TasksetConfig)())


def _kind(place: str) -> Any:
    module, _, name = place.rpartition(":")
    try:
        found = getattr(importlib.import_module(module), name, None) if module else taskset_class(place)
    except (ImportError, AttributeError, TypeError) as error:
        raise InputError(f"there is no taskset {place!r}: {error}", NAMED) from error
    if not (isinstance(found, type) and issubclass(found, vf.Taskset)):
        raise InputError(f"{place} is no taskset", NAMED)
    return found


def _needs(kind: Any, task: Any) -> str:
    """What a task has to have besides a reply."""
    own = type(task)
    if task.NEEDS_CONTAINER or task.data.image:
        return "a container"
    if kind.toolsets(loaded(kind).config) or own.toolsets(task.config):
        return "tools"
    if task.plugged_judges():
        return "a judge"
    for hook in ("setup", "finalize"):
        if getattr(own, hook) is not getattr(vf.Task, hook):
            return f"a runtime for their {hook}"
    return "a runtime for their rewards" if any("runtime" in _asks(each) for each in task.hooks("reward")) else ""


def _asks(function: Any) -> tuple[str, ...]:
    return function.__code__.co_varnames[: function.__code__.co_argcount]


def _trace(task: Any, reply: str) -> Any:
    """The trace of an episode in which the prompt was answered so."""
    said: list[Any] = []
    data = task.data
    if data.system_prompt:
        said.append(SystemMessage(content=data.system_prompt))
    said += [UserMessage(content=data.prompt)] if isinstance(data.prompt, str) else list(data.prompt or [])
    said.append(AssistantMessage(content=reply))
    nodes = [
        MessageNode(parent=at - 1 if at else None, message=message, sampled=at == len(said) - 1)
        for at, message in enumerate(said)
    ]
    return Trace(
        task=TraceTask(type=type(task).__name__, data=data, key=task.key, hash=task.hash),
        state=state_cls(type(task))(),
        agent=AgentInfo(config=vf.AgentConfig(), trainable=False),
        nodes=nodes,
        is_completed=True,
        ok=True,
        stop_condition="stop",
    )
