"""Environments of Gymnasium with what they lack to be ground: an oracle, and a line above which they are solved.

    journeyman grind python:bench/grind_gymnasium.py:taxi --python PATH_OF_A_PYTHON_WITH_GYMNASIUM

Always holds: the environment is Gymnasium's own and is not changed. The toy texts publish their transitions, so that
value iteration (Bellman 1957) solves them; the oracle of the cart is a linear controller. The top of a task is what its
oracle's expected return allows: of the deterministic ones, the best return itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import gymnasium  # pyright: ignore[reportMissingImports]


class Solved:
    """An environment with a policy that solves it."""

    floor = None  # a reward at each step is no sign of a solution

    def __init__(self, make: Callable[[], Any], policy: Callable[[Any, Any], int], top: float) -> None:
        self.environment = make()
        self.top = top
        self._policy = policy

    def reset(self, seed: int) -> Any:
        return self.environment.reset(seed=seed)

    def step(self, action: int) -> Any:
        return self.environment.step(int(action))

    def sample(self, chance: random.Random) -> int:
        return chance.randrange(int(self.environment.action_space.n))

    def oracle(self) -> Callable[[Any], int]:
        return lambda observation: self._policy(self.environment, observation)


def best(environment: Any, observation: Any) -> int:
    """What value iteration over the published transitions would do."""
    return _best_actions(environment.spec.id, environment)[int(observation)]


_SOLVED: dict[str, dict[int, int]] = {}


def _best_actions(name: str, environment: Any) -> dict[int, int]:
    if name not in _SOLVED:
        transitions = environment.unwrapped.P
        values = dict.fromkeys(transitions, 0.0)
        worth: dict[int, dict[int, float]] = {}
        for _ in range(200):
            worth = {
                state: {
                    action: sum(p * (r + 0.99 * values[new] * (not done)) for p, new, r, done in outcomes)
                    for action, outcomes in actions.items()
                }
                for state, actions in transitions.items()
            }
            before, values = values, {state: max(each.values()) for state, each in worth.items()}
            if max(abs(values[state] - before[state]) for state in values) < 1e-9:
                break
        _SOLVED[name] = {state: max(each, key=each.__getitem__) for state, each in worth.items()}
    return _SOLVED[name]


def balance(_environment: Any, observation: Any) -> int:
    position, speed, angle, turning = (float(each) for each in observation)
    return int(0.1 * position + 0.4 * speed + 8 * angle + 1.5 * turning > 0)


def taxi() -> Solved:
    return Solved(lambda: gymnasium.make("Taxi-v4"), best, top=4.0)


def cliff() -> Solved:
    return Solved(lambda: gymnasium.make("CliffWalking-v1"), best, top=-13.0)


def lake() -> Solved:
    return Solved(lambda: gymnasium.make("FrozenLake-v1", is_slippery=False), best, top=1.0)


def cart() -> Solved:
    return Solved(lambda: gymnasium.make("CartPole-v1"), balance, top=475.0)


class _Gusty(gymnasium.Wrapper):
    """A wind that comes from the generator of the whole process, and not from the seed."""

    def step(self, action: Any) -> Any:
        observation, *rest = self.env.step(action)
        return observation + random.gauss(0, 0.01), *rest


def gusty_cart() -> Solved:
    return Solved(lambda: _Gusty(gymnasium.make("CartPole-v1")), balance, top=475.0)
