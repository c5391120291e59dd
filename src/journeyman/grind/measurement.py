"""One measurement under way: the time that is left, the labs, the recorded episodes, the checks so far.

Always holds: what is compared is what was recorded first, in the reference surroundings; a lab that fails costs the
check that needed it; time that one phase leaves over goes to those after it.

Knows how to ask and to compare; which checks that makes is in the other files of this room.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from journeyman.grind.lab import Here, Lab, LabError
from journeyman.grind.report import Check, untested
from journeyman.grind.surroundings import Surroundings
from journeyman.grind.trace import Trace, difference, paid, same, shown

# Shares of the time, in the order in which they are used.
PHASES = {
    "record": 10,
    "repeat": 10,
    "starts": 4,
    "processes": 20,
    "isolation": 8,
    "concurrency": 8,
    "replay": 8,
    "verdicts": 24,
    "parallel": 12,
    "diagnosis": 20,  # only if there is something to explain
}


T = TypeVar("T")


class Budget:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.began = time.monotonic()
        self.explains = False  # whether the last phase is needed

    @property
    def used(self) -> float:
        return time.monotonic() - self.began

    @property
    def over(self) -> bool:
        """Whether even what may be added to name a cause, a half, has passed."""
        return self.used > 1.5 * self.seconds

    def part(self, phase: str) -> float:
        """Seconds for a phase that begins now: its share of what is left for it and those after it."""
        names = list(PHASES) if self.explains else list(PHASES)[:-1]
        rest = sum(PHASES[name] for name in names[names.index(phase) :])
        return max(0.0, self.seconds - self.used) * PHASES[phase] / rest


class Labs:
    """The labs of one Python: made when needed, kept for the next target, closed together."""

    def __init__(self, python: str | os.PathLike[str] | None = None, preload: Sequence[str] = ()) -> None:
        self.python = python
        self.preload = preload
        self._labs: dict[tuple[Surroundings, int], Lab] = {}

    def lab(self, surroundings: Surroundings, number: int = 0) -> Lab:
        """A lab with these surroundings; another number is another process."""
        key = (surroundings, number)
        if key not in self._labs:
            self._labs[key] = Lab(surroundings, self.python, self.preload)
        return self._labs[key]

    def close(self) -> None:
        for lab in self._labs.values():
            lab.close()

    def __enter__(self) -> Labs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class Measurement:
    target: str
    lab: Lab | Here
    labs: Labs | None  # None: no other process can make this environment
    budget: Budget
    said: Mapping[str, Any] = field(default_factory=dict)  # what the target says of itself
    scripts: list[dict[str, Any]] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    recorded: float = 0.0  # when the last of them had ended, on the monotonic clock
    clock: str = ""  # how it bears another clock: "late", or why it does not
    pace: float = 0.0  # seconds of an episode
    stable: list[int] = field(default_factory=list)  # the scripts that showed the same again
    compared: set[int] = field(default_factory=set)  # those of them that were played with all surroundings changed
    asked: dict[int, list[bool]] = field(default_factory=dict)  # script -> whether it was paid the same again
    checks: dict[str, Check] = field(default_factory=dict)

    def add(self, check: Check) -> None:
        """Keep a check: the first that decides it, or else the first reason why it is not."""
        before = self.checks.get(check.id)
        if before is None or (before.passed is None and check.passed is not None):
            self.checks[check.id] = check

    @contextmanager
    def checking(self, *ids: str) -> Iterator[None]:
        """Where an experiment cannot be done, these checks are untested, and say why."""
        try:
            yield
        except LabError as error:
            for id_ in ids:
                self.add(untested(id_, str(error)))

    def ready(self) -> None:
        """The target is open in the reference lab; again, if an experiment has cost its process."""
        if self.lab.target is None:
            self.budget.began += self.lab.open(self.target, self.opening)

    @property
    def opening(self) -> float:
        """Seconds that opening a target may take: what there is, since without it there is nothing to measure."""
        return max(10.0, self.budget.seconds - self.budget.used)

    @property
    def patience(self) -> float:
        """Seconds beyond its time that an operation may take: an episode that is long for this environment."""
        return max(2.0, 4 * self.pace)

    @property
    def steady(self) -> list[int]:
        """The scripts that showed the same again and were paid the same."""
        return [number for number in self.stable if all(self.asked.get(number, ()))]

    @contextmanager
    def elsewhere(self, surroundings: Surroundings, number: int = 0) -> Iterator[Lab]:
        """The target opened in a process with other surroundings. LabError if that cannot be."""
        if self.labs is None:
            raise LabError("no other process can make it: name it as python:MODULE:FACTORY")
        if self.budget.over:
            raise LabError(f"the budget of {self.budget.seconds:g} s ended before")
        lab = self._opened(self.labs, surroundings, number)
        try:
            yield lab
        finally:
            lab.leave()

    def _opened(self, labs: Labs, surroundings: Surroundings, number: int) -> Lab:
        """Some libraries cannot be imported under another clock: it is shifted when they are there, or else not."""
        ways = [surroundings]
        if surroundings.shift:
            late = replace(surroundings, late=True)
            ways = [surroundings, late] if self.clock == "" else [late] if self.clock == "late" else []
            ways.append(replace(surroundings, shift=0.0))
        for way in ways:
            lab = labs.lab(way, number)
            try:
                self.budget.began += lab.open(self.target, self.opening)
            except LabError as error:
                if way is ways[-1] or error.kind == "Timeout":
                    raise
                self.clock = "late" if not way.late else f"it cannot be opened under another clock: {error}"
            else:
                return lab
        raise LabError("it cannot be opened elsewhere")

    def played(
        self, lab: Lab | Here, numbers: Sequence[int], seconds: float, operation: str = "play", **more: Any
    ) -> list[tuple[int, Trace]]:
        """The scripts of these numbers once more, as far as the time goes: (number, trace)."""
        scripts = [self.scripts[number] for number in numbers]
        return list(self.some(lab, operation, seconds, numbers, scripts=scripts, seconds=seconds, **more))

    def some(
        self, lab: Lab | Here, operation: str, limit: float, about: Sequence[T], **request: Any
    ) -> Iterator[tuple[T, Any]]:
        """Items of an operation, each with what it is about. Those that came before an end in time are kept."""
        try:
            for item, each in zip(lab.run(operation, limit + self.patience, **request), about, strict=False):
                yield each, item
        except LabError as error:
            if error.kind != "Timeout":
                raise

    def parted(self, found: Sequence[tuple[int, Trace]]) -> list[tuple[int, dict[str, Any]]]:
        """Those that showed something else than was recorded; and notes of the others whether they were paid the same.

        (number, {task, seed, step, part, path, one, other})
        """
        different = []
        for number, trace in found:
            recorded = self.traces[number]
            if not same(shown(recorded), shown(trace)):
                different.append((number, self.where(number, difference(unpaid(recorded), unpaid(trace)))))
            else:
                self.asked.setdefault(number, []).append(same(paid(recorded), paid(trace)))
        return different

    def where(self, number: int, parted: Mapping[str, Any] | None) -> dict[str, Any]:
        script = self.scripts[number]
        actions = script["actions"][: (parted or {}).get("step", 0)]
        return {"task": script["task"], "seed": script["seed"], "actions": actions[-5:], **(parted or {})}


def unpaid(trace: Trace) -> Trace:
    """A trace without what was paid in it."""
    steps = [{**step, "reward": None} for step in trace["steps"]]
    return {**trace, "steps": steps, "verdict": None}
