"""`world:NAME`: a suite of Journeyman's own worlds, as `journeyman.world.load` knows it.

Always holds: an action is {"tool", "args"} or {"say"}; the digest is that of the world's state, without what was said
and tried on the way; where the world did not know what a call does, and the episode was cut, the state is none that
another episode comes to; the oracle is the task's own.

Knows the public names of `world/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from journeyman.grind.target import Target

_CUTS = ("abstain", "fault")  # after one of these an episode proves nothing


class Room:
    """One Env of a suite."""

    def __init__(self, world: Any, env: Any) -> None:
        self.world, self.env = world, env

    def reset(self, seed: int, task: str) -> Any:
        return self.env.reset(task, seed=seed)

    def step(self, action: Mapping[str, Any]) -> Any:
        if "say" in action:
            return self.env.step(self.world.Say(action["say"]))
        return self.env.step(self.world.Call(action["tool"], action["args"]))

    def verdict(self) -> float:
        """As it would be judged if the agent stopped here: one that stops takes its leave, which ends an episode."""
        [env] = self.env.fork(1)
        return float(env.leave().score)

    def digest(self) -> str:
        seen = self.env.snapshot()
        cut = seen.last is not None and seen.last.error in _CUTS
        return f"{seen.state.digest}, cut" if cut else seen.state.digest

    def fork(self) -> Room:
        [env] = self.env.fork(1)
        return Room(self.world, env)

    def snapshot(self) -> Any:
        return self.env.snapshot()

    def restore(self, snapshot: Any) -> None:
        self.env.restore(snapshot)


def target(name: str, suite: str) -> Target:
    world = import_module("journeyman.world")
    found = world.load(suite)

    def written(action: Any) -> dict[str, Any]:
        if isinstance(action, Mapping):
            return dict(action)
        return (
            {"say": action.said} if isinstance(action, world.Say) else {"tool": action.tool, "args": dict(action.args)}
        )

    return Target(
        name=name,
        make=lambda: Room(world, world.Env(found)),
        tasks=list(found.tasks),
        oracle=lambda task, seed: list(found.task(task).oracle),  # noqa: ARG005  # the same whatever the seed
        style="calls",
        tools=[{"name": tool.name, "effect": tool.effect} for tool in found.rules.tools.values()],
        says=True,
        encode=written,
    )
