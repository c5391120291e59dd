"""`gymnasium:ID`: an environment that `gymnasium.make` knows.

Always holds: actions are drawn from the action space, by chance that is given; the top is the threshold at which the
environment's own registration calls it solved, and unknown where there is none.

Knows the spaces of Gymnasium 1.x. Gymnasium publishes no oracle: wrap the environment in one of your own to give it.
"""

from __future__ import annotations

import random
from typing import Any

import gymnasium  # pyright: ignore[reportMissingImports]
from gymnasium import spaces  # pyright: ignore[reportMissingImports]

from journeyman.errors import InputError
from journeyman.grind.target import Target


class Wrapped:
    """One environment; seeded chance chooses its random actions."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment

    def reset(self, seed: int) -> Any:
        return self.environment.reset(seed=seed)

    def step(self, action: Any) -> Any:
        return self.environment.step(action)

    def sample(self, chance: random.Random) -> Any:
        space = self.environment.action_space
        space.seed(chance.randrange(2**31))
        return space.to_jsonable([space.sample()])[0]

    def close(self) -> None:
        self.environment.close()


def target(name: str, identifier: str) -> Target:
    try:
        first = gymnasium.make(identifier)
    except gymnasium.error.Error as error:
        raise InputError(" ".join(str(error).split()), "check the id, and that its package is installed") from error
    space, threshold = first.action_space, getattr(first.spec, "reward_threshold", None)
    first.close()

    def decode(action: Any) -> Any:
        if isinstance(space, spaces.Discrete):
            return int(action)
        return space.from_jsonable([action])[0]

    return Target(
        name=name,
        make=lambda: Wrapped(gymnasium.make(identifier)),
        top=threshold,
        floor=None,  # a reward at each step is no sign of a solution
        style="other",
        decode=decode,
    )
