"""`reasoning-gym:NAME`: a generator of questions, and the scorer of its answers.

Always holds: a task is a place in the data set, and an episode makes the data set anew from its seed, so that what is
measured is the generator; the oracle is the answer that it publishes with the question; an action is a reply.
"""

from __future__ import annotations

from typing import Any

import reasoning_gym  # pyright: ignore[reportMissingImports]
from reasoning_gym.factory import DATASETS  # pyright: ignore[reportMissingImports]

from journeyman.errors import InputError
from journeyman.grind.target import Step, Target

SIZE = 50


class Question:
    def __init__(self, name: str) -> None:
        self.name = name

    def reset(self, seed: int, task: str) -> str:
        self.data = reasoning_gym.create_dataset(self.name, seed=seed, size=SIZE)
        self.entry: Any = self.data[int(task)]
        self.score = 0.0
        return self.entry["question"]

    def step(self, action: Any) -> Step:
        self.reply = action
        self.score = self.data.score_answer(action, self.entry)
        return Step("", float(self.score), True)

    def verdict(self) -> float:
        """Scored anew at each call."""
        return float(self.data.score_answer(self.reply, self.entry)) if hasattr(self, "reply") else 0.0


def target(name: str, generator: str) -> Target:
    if generator not in DATASETS:
        raise InputError(f"reasoning_gym has no generator {generator!r}", "see reasoning_gym.factory.DATASETS")

    def oracle(task: str, seed: int) -> list[Any]:
        return [reasoning_gym.create_dataset(generator, seed=seed, size=SIZE)[int(task)]["answer"]]

    return Target(
        name=name,
        make=lambda: Question(generator),
        tasks=[str(number) for number in range(SIZE)],
        oracle=oracle,
        style="text",
    )
