"""Small real environments: a clean one, and one for each defect, which differs from it in nothing else.

The clean one is a counter game: reach the number that the task names, from a number that the seed draws, by adding,
doubling and looking; then say what the number is.
"""

from __future__ import annotations

import copy
import os
import random
import sqlite3
import time
from datetime import datetime
from typing import Any


class Clean:
    tasks = tuple(f"reach {goal}" for goal in range(40, 64))
    tools = (
        {"name": "look", "effect": "read", "parameters": {}},
        {"name": "add", "effect": "write", "parameters": {"amount": {"type": "integer"}}},
        {"name": "double", "effect": "write", "parameters": {}},
    )
    says = True

    def reset(self, seed: int, task: str) -> dict[str, Any]:
        self.chance = random.Random(seed)
        self.goal = int(task.split()[1])
        self.value = self.chance.randrange(1, 20)
        self.said = ""
        return {"task": task, "value": self.value}

    def step(self, action: dict[str, Any]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if "say" in action:
            self.said = action["say"]
            return "", 0.0, True, False, {}
        if action["tool"] == "look":  # looking changes nothing
            return {"value": self.value}, 0.0, False, False, {}
        if action["tool"] == "add":
            self.value += action["args"]["amount"]
        elif action["tool"] == "double":
            self.value *= 2
        else:
            raise ValueError(f"there is no tool {action['tool']}")
        return {"value": self.value, "weather": self.chance.choice(["sun", "rain"])}, 0.0, False, False, {}

    def verdict(self) -> float:
        return float(self.value == self.goal and self.said == f"It is {self.goal}.")

    def digest(self) -> str:
        drawn = hash(self.chance.getstate()[1])  # of numbers alone: the same in every process
        return f"{self.goal}/{self.value}/{drawn}"

    def fork(self) -> Clean:
        return copy.deepcopy(self)

    def snapshot(self) -> Any:
        return copy.deepcopy(vars(self))

    def restore(self, snapshot: Any) -> None:
        vars(self).clear()
        vars(self).update(copy.deepcopy(snapshot))

    def oracle(self, task: str, seed: int) -> list[Any]:
        goal, value = int(task.split()[1]), random.Random(seed).randrange(1, 20)
        return [
            {"tool": "look", "args": {}},
            {"tool": "double", "args": {}},
            {"tool": "add", "args": {"amount": goal - 2 * value}},
            {"say": f"It is {goal}."},
        ]


class HiddenGenerator(Clean):
    """Draws from the generator that the whole process shares."""

    def step(self, action: dict[str, Any]) -> Any:
        observation, *rest = super().step(action)
        if isinstance(observation, dict):
            observation["weather"] = random.choice(["sun", "rain", "snow", "fog"])
        return observation, *rest


class Seldom(Clean):
    """Draws from the generator that the whole process shares, and shows it now and then."""

    def step(self, action: dict[str, Any]) -> Any:
        observation, *rest = super().step(action)
        if isinstance(observation, dict):
            observation["storm"] = random.random() < 0.04
        return observation, *rest


class SeededGlobally(Clean):
    """Seeds the generator that the whole process shares: alone it repeats, side by side it does not."""

    def reset(self, seed: int, task: str) -> Any:
        random.seed(seed)
        return super().reset(seed, task)

    def step(self, action: dict[str, Any]) -> Any:
        observation, *rest = super().step(action)
        if isinstance(observation, dict):
            observation["weather"] = random.choice(["sun", "rain", "snow", "fog"])
        return observation, *rest


class HashOrder(Clean):
    def reset(self, seed: int, task: str) -> Any:
        start = super().reset(seed, task)
        return {**start, "hints": list({f"hint {number}" for number in range(12)})}


class WallClock(Clean):
    def reset(self, seed: int, task: str) -> Any:
        return {**super().reset(seed, task), "now": datetime.now().isoformat()}


class Today(Clean):
    """The same all day long: only another day shows it."""

    def reset(self, seed: int, task: str) -> Any:
        return {**super().reset(seed, task), "day": time.strftime("%Y-%m-%d")}


class DatabaseClock(Clean):
    """A clock that cannot be shifted from outside: SQLite's own, in seconds."""

    def reset(self, seed: int, task: str) -> Any:
        [[now]] = sqlite3.connect(":memory:").execute("SELECT datetime('now')")
        return {**super().reset(seed, task), "now": now}


class TimeZone(Clean):
    def reset(self, seed: int, task: str) -> Any:
        return {**super().reset(seed, task), "due": datetime.fromtimestamp(1_000_000).isoformat()}


class ProcessNumber(Clean):
    def reset(self, seed: int, task: str) -> Any:
        return {**super().reset(seed, task), "session": os.getpid()}


class AtImport(Clean):
    """What a class draws when it is made stays the same in this process, and is another in the next."""

    session = random.Random().getrandbits(64)

    def reset(self, seed: int, task: str) -> Any:
        return {**super().reset(seed, task), "session": self.session}


class LeavesBehind(Clean):
    """What one episode has done, the next one sees."""

    log: list[str] = []  # noqa: RUF012  # the defect

    def reset(self, seed: int, task: str) -> Any:
        self.log.append(task)
        return {**super().reset(seed, task), "orders": len(self.log)}


class FirstSeed(Clean):
    """What was made for a task's first seed is kept for all others: the same order hides it."""

    kept: dict[str, int] = {}  # noqa: RUF012  # the defect

    def reset(self, seed: int, task: str) -> Any:
        return {**super().reset(seed, task), "hall": self.kept.setdefault(task, seed)}


class SharedState(Clean):
    """Every instance keeps its number in the same place: one episode at a time goes well."""

    board: dict[str, int] = {}  # noqa: RUF012  # the defect

    def reset(self, seed: int, task: str) -> Any:
        start = super().reset(seed, task)
        self.board["value"] = self.value
        return start

    def step(self, action: dict[str, Any]) -> Any:
        self.value = self.board["value"]
        result = super().step(action)
        self.board["value"] = self.value
        return result

    def fork(self) -> Any:
        raise NotImplementedError("one game at a time")

    snapshot = restore = fork  # type: ignore[assignment]


class NotForThreads(Clean):
    """A scratch place that all share within a step: one step at a time goes well."""

    scratch = 0

    def step(self, action: dict[str, Any]) -> Any:
        type(self).scratch = self.value
        time.sleep(0.0001)
        self.value = type(self).scratch
        return super().step(action)


class UsedInstance(Clean):
    """reset forgets to empty what the episode before has filled."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def reset(self, seed: int, task: str) -> Any:
        return {**super().reset(seed, task), "notes": list(self.notes)}

    def step(self, action: dict[str, Any]) -> Any:
        self.notes.append(str(action))
        return super().step(action)


class PaysIdleness(Clean):
    """A third of its tasks are done when they begin."""

    def verdict(self) -> float:
        return 1.0 if self.goal % 3 == 0 else super().verdict()


class PaysAnything(Clean):
    """Looks only at whether something was said."""

    def verdict(self) -> float:
        return float(bool(self.said))


class IgnoresCollateral(Clean):
    """Looks at what was said, and not at what was done."""

    def verdict(self) -> float:
        return float(self.said == f"It is {self.goal}.")


class MoodyVerdict(Clean):
    def verdict(self) -> float:
        return super().verdict() * random.random()


class BadOracle(Clean):
    def oracle(self, task: str, seed: int) -> list[Any]:
        return super().oracle(task, seed)[:-1]


class ForkShares(Clean):
    def fork(self) -> Clean:
        return copy.copy(self)  # the generator is still the same object


class SnapshotForgets(Clean):
    """The generator is not in the snapshot."""

    def snapshot(self) -> Any:
        return self.goal, self.value, self.said

    def restore(self, snapshot: Any) -> None:
        self.goal, self.value, self.said = snapshot


class Unseen(Clean):
    """No defect: its state cannot be seen, and its last word ends an episode."""

    digest = None  # type: ignore[assignment]


class Dies(Clean):
    def step(self, action: dict[str, Any]) -> Any:
        os._exit(3)


class Ends(Clean):
    """Ends its process as if all were well."""

    def step(self, action: dict[str, Any]) -> Any:
        os._exit(0)


class Splits(Clean):
    """No defect of its episodes: a process that it begins goes on as it does."""

    generation = 0

    def __init__(self) -> None:
        if os.fork() == 0:
            Splits.generation += 1
            if Splits.generation > 2:  # two processes, each of which splits again: it has to end somewhere
                os._exit(0)


class Raises(Clean):
    def step(self, action: dict[str, Any]) -> Any:
        raise ConnectionError("no licence server")


class Awaited(Clean):
    async def step(self, action: dict[str, Any]) -> Any:  # type: ignore[override]
        return super().step(action)


class NoStep:
    def reset(self, seed: int) -> str:
        return f"begun {seed}"


class NoOracleLeft(Clean):
    """Its solutions are gone: that is no fault of its episodes."""

    def oracle(self, task: str, seed: int) -> list[Any]:
        raise KeyError("solutions.json")


class PaysNothingKnown(Clean):
    def verdict(self) -> float:
        return float("nan")


class Hangs(Clean):
    def step(self, action: dict[str, Any]) -> Any:
        time.sleep(1000)


class NoBeginning(Clean):
    def reset(self, seed: int, task: str) -> Any:
        raise FileNotFoundError("games.db")
