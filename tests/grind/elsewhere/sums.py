"""Tasksets of verifiers: one that is as it should be, one that is paid for silence, one that is drawn by chance."""

from __future__ import annotations

import random
from collections.abc import Iterator

import verifiers.v1 as vf  # pyright: ignore[reportMissingImports]


class Data(vf.TaskData):
    answer: str


class Sum(vf.Task[Data]):
    @vf.reward(weight=1.0)
    async def right(self, trace: vf.Trace) -> float:
        return float(trace.last_reply == self.data.answer)


class Lax(vf.Task[Data]):
    @vf.reward(weight=1.0)
    async def right(self, trace: vf.Trace) -> float:
        return float(trace.last_reply in self.data.answer)  # and so is nothing at all


class Config(vf.TasksetConfig):
    count: int = 20


class Sums(vf.Taskset[Sum, Config]):
    def load(self) -> Iterator[Sum]:
        for n in range(self.config.count):
            yield Sum(Data(prompt=f"What is {n} plus {3 * n}?", answer=str(4 * n)), self.config.task)


class LaxSums(vf.Taskset[Lax, Config]):
    def load(self) -> Iterator[Lax]:
        for n in range(self.config.count):
            yield Lax(Data(prompt=f"What is {n} plus {3 * n}?", answer=str(4 * n)), self.config.task)


class DrawnSums(vf.Taskset[Sum, Config]):
    def load(self) -> Iterator[Sum]:
        for n in range(self.config.count):
            other = random.randint(1, 99)
            yield Sum(Data(prompt=f"What is {n} plus {other}?", answer=str(n + other)), self.config.task)


class Graded(vf.Task[Data]):
    @vf.reward(weight=1.0)
    async def right(self, trace: vf.Trace, runtime: vf.Runtime) -> float:
        return float((await runtime.run(["cat", trace.last_reply], {})).exit_code == 0)


class InARuntime(vf.Taskset[Graded, Config]):
    def load(self) -> Iterator[Graded]:
        yield Graded(Data(prompt="Write a file.", answer=""), self.config.task)
