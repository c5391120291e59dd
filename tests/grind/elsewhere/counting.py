"""Environments of OpenEnv: a counter that is as it should be, and one whose start hangs on chance; and its server."""

from __future__ import annotations

import random
import sys
from typing import Any

from openenv.core.env_server.http_server import create_app  # pyright: ignore[reportMissingImports]
from openenv.core.env_server.interfaces import Environment  # pyright: ignore[reportMissingImports]
from openenv.core.env_server.types import Action, Observation, State  # pyright: ignore[reportMissingImports]


class Add(Action):
    amount: int = 1


class Seen(Observation):
    total: int = 0


class Counter(Environment):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def reset(self, seed: int | None = None, episode_id: str | None = None, **_: Any) -> Seen:
        self.total = (seed or 0) % 7
        return Seen(total=self.total, done=False, reward=0.0)

    def step(self, action: Add) -> Seen:  # type: ignore[override]
        self.total += action.amount
        return Seen(total=self.total, done=self.total > 5, reward=float(self.total == 5))

    @property
    def state(self) -> State:
        return State(episode_id="", step_count=0)


class Solved(Counter):
    """It publishes how a total of 5 is reached, which is what it pays for."""

    def oracle(self, seed: int) -> list[dict[str, int]]:
        return [{"amount": 5 - seed % 7}]


class Drawn(Counter):
    def reset(self, seed: int | None = None, episode_id: str | None = None, **_: Any) -> Seen:
        self.total = random.randint(0, 1000)
        return Seen(total=self.total, done=False, reward=0.0)


if __name__ == "__main__":
    import uvicorn

    port, sessions = int(sys.argv[1]), int(sys.argv[2])
    app = create_app(Counter, Add, Seen, env_name="counter", max_concurrent_envs=sessions)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")
