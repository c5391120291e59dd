"""An environment as the instrument sees it: something that starts episodes, and what it offers beyond that.

An environment is any object with `reset(seed, task)`, either of which may be absent, and `step(action)` (Gymnasium's
shapes, or an object with `observation`, `reward` and `done`). All else is optional, is used where it is there, and is
looked for by name:

    tasks        its task ids (a sequence, or a method that gives one)
    oracle       (task, seed) -> the actions that solve it, or a policy: observation -> action
    verdict      () -> the score of the episode as it stands; else the sum of the rewards
    top, floor   what a solved task scores at least, and what idleness may score at most (1 and 0); a top of None
                 says that nobody knows, a floor of None that anything below the top may be idleness
    tools        [{name, effect: "read" | "write", parameters: JSON schema}], if actions are {"tool", "args"}
    sample       (random.Random) -> some action
    says         whether {"say": text} is an action
    fork         () -> another environment in the same state
    snapshot, restore
    digest       () -> the hash of its state
    close

Always holds: an Episode is one instance of the environment and shares nothing with another through us; what is
returned to it as an action is what was recorded.

Runs within the environment's own interpreter, and needs nothing but Python (3.10 or newer).
"""

from __future__ import annotations

import copy
import inspect
import os
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from journeyman.errors import InputError
from journeyman.grind.trace import canonical


@dataclass(frozen=True)
class Step:
    observation: Any
    reward: float
    done: bool


@dataclass
class Target:
    """One environment to be measured. `make` gives a new instance; `style` says what actions are: "text" (a reply),
    "calls" (of tools) or "other". `outside` names what cannot be changed around it from here: see surroundings.py."""

    name: str
    make: Callable[[], Any]
    tasks: Sequence[str] = ("",)
    oracle: Callable[[str, int], Any] | None = None
    top: float | None = 1.0
    floor: float | None = 0.0
    style: str = "other"
    tools: Sequence[Mapping[str, Any]] = ()
    says: bool = False
    outside: Mapping[str, str] = field(default_factory=dict)
    encode: Callable[[Any], Any] = canonical
    decode: Callable[[Any], Any] = lambda action: action

    def open(self) -> Episode:
        process = os.getpid()
        environment = self.make()
        _only_in(process)
        return Episode(self, environment)


class Episode:
    """One instance, and the rewards of the episode it is in."""

    def __init__(self, target: Target, environment: Any, rewards: Sequence[float] = ()) -> None:
        self.target = target
        self.environment = environment
        self.rewards = list(rewards)

    def reset(self, seed: int, task: str) -> Any:
        """The first observation."""
        self.rewards = []
        offered = {"seed": seed, "task": task}
        given = accepted(self.environment.reset, offered)
        process = os.getpid()
        found = self.environment.reset(**given)
        _only_in(process)
        # Gymnasium gives (observation, info). Its info is for whoever watches, not for the agent, and may hold timings.
        if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping):
            return found[0]
        return getattr(found, "observation", found)

    def step(self, action: Any) -> Step:
        own = copy.deepcopy(action)  # it may take its action apart: what was recorded stays whole
        process = os.getpid()
        step = as_step(self.environment.step(self.target.decode(own)))
        _only_in(process)
        self.rewards.append(step.reward)
        return step

    def verdict(self) -> float:
        """What the episode has scored so far."""
        if self.offers("verdict"):
            return float(self.environment.verdict())
        return float(sum(self.rewards))

    def offers(self, name: str) -> bool:
        return callable(getattr(self.environment, name, None))

    def fork(self) -> Episode:
        return Episode(self.target, self.environment.fork(), self.rewards)

    def copy(self) -> Episode:
        """What stands in for a fork where the environment has none."""
        return Episode(self.target, copy.deepcopy(self.environment), self.rewards)

    def snapshot(self) -> Any:
        return self.environment.snapshot(), tuple(self.rewards)

    def restore(self, snapshot: Any) -> None:
        state, rewards = snapshot
        self.environment.restore(state)
        self.rewards = list(rewards)

    def digest(self) -> Any:
        """The hash of the state, or None if the environment has none."""
        return canonical(_given(self.environment, "digest", None))

    def sample(self, chance: random.Random) -> Any:
        """Some action, in the form that goes into a trace; None if the environment has no such thing."""
        if not self.offers("sample"):
            return None
        return self.target.encode(self.environment.sample(chance))

    def close(self) -> None:
        """What it raises then is no part of any episode."""
        if self.offers("close"):
            with suppress(Exception):
                self.environment.close()


def _only_in(process: int) -> None:
    """Where the environment has split this process, the other one ends before it splits again."""
    if os.getpid() != process:
        os._exit(0)


def adapted(name: str, factory: Callable[[], Any]) -> Target:
    """The target behind a factory of environments, with what they say of themselves. InputError if it makes none."""
    first = factory()
    if isinstance(first, Target):
        return first
    for method in ("reset", "step"):
        if not callable(getattr(first, method, None)):
            raise InputError(
                f"{name} makes a {type(first).__name__}, which has no {method}()",
                "let it make an environment: reset(seed, task) and step(action)",
            )
        if inspect.iscoroutinefunction(getattr(first, method)):
            raise InputError(
                f"{name} makes a {type(first).__name__}, whose {method}() has to be awaited",
                f"give it a {method}() that does so: asyncio.run, or a loop that the instance keeps",
            )
    tasks = [str(task) for task in _given(first, "tasks", None) or [""]]
    tools = [dict(tool) for tool in _given(first, "tools", None) or () if isinstance(tool, Mapping)]
    oracle = getattr(first, "oracle", None)
    top, floor = getattr(first, "top", 1.0), getattr(first, "floor", 0.0)
    return Target(
        name=name,
        make=factory,
        tasks=tasks,
        oracle=(lambda task, seed: oracle(**accepted(oracle, {"task": task, "seed": seed}))) if oracle else None,
        top=None if top is None else float(top),
        floor=None if floor is None else float(floor),
        style=getattr(first, "style", "calls" if tools else "other"),
        tools=tools,
        says=bool(getattr(first, "says", False)),
        outside=dict(getattr(first, "outside", {})),
    )


def _given(environment: Any, name: str, otherwise: Any) -> Any:
    """An attribute, or what a method of that name returns."""
    found: Any = getattr(environment, name, otherwise)
    return found() if callable(found) else found


def as_step(found: Any) -> Step:
    """What `step` returned: Gymnasium's five, the older four, or an object with observation, reward and done."""
    if isinstance(found, tuple) and len(found) == 5:
        observation, reward, terminated, truncated, _ = found
        return Step(observation, float(reward), bool(terminated) or bool(truncated))
    if isinstance(found, tuple) and len(found) == 4:
        observation, reward, done, _ = found
        return Step(observation, float(reward), bool(done))
    reward = getattr(found, "reward", None)
    done = getattr(found, "done", None)
    if done is None:
        done = getattr(found, "terminated", False) or getattr(found, "truncated", False)
    return Step(getattr(found, "observation", found), float(reward or 0.0), bool(done))


def accepted(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `offered` that the function takes by name."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return dict(offered)
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        unnamed = {name for name in offered if name not in parameters}
        # **kwargs may mean anything: what has a name is given, and the seed, which every interface calls so.
        return {name: value for name, value in offered.items() if name not in unnamed or name == "seed"}
    return {name: value for name, value in offered.items() if name in parameters}
