"""`openenv:MODULE:CLASS`, an Environment of OpenEnv in this process; `openenv:http://HOST:PORT`, a server that runs.

Always holds: actions are drawn from the schema that the environment publishes; reward and done are those of its
observations; of a running server, nothing that surrounds its process is claimed.

Knows OpenEnv 0.10's Environment, and its server's /schema and /ws (reset, step, close). Needs openenv, or for a server
websockets alone.
"""

from __future__ import annotations

import importlib
import itertools
import json
import random
import typing
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any

from journeyman.errors import InputError
from journeyman.grind.names import within
from journeyman.grind.schemas import drawn
from journeyman.grind.target import Step, Target, accepted

_EPISODES = itertools.count()
RUNS = "it is a server that runs already, whose {} cannot be changed from here"


class Local:
    def __init__(self, kind: type) -> None:
        self.environment = kind()
        hints = typing.get_type_hints(kind.step)
        self.action: Any = hints.get("action")
        self.schema = self.action.model_json_schema() if hasattr(self.action, "model_json_schema") else {}

    def reset(self, seed: int) -> Any:
        # An episode's id is a label that each episode must have of its own, and no input: it is not compared.
        given = accepted(self.environment.reset, {"seed": seed, "episode_id": "grind"})
        return _seen(self.environment.reset(**given))

    def step(self, action: Any) -> Step:
        made = self.action(**action) if self.schema and isinstance(action, dict) else action
        found = self.environment.step(made)
        return Step(_seen(found), float(found.reward or 0.0), bool(found.done))

    def sample(self, chance: random.Random) -> Any:
        return _action(self.schema, chance)

    def close(self) -> None:
        with suppress(AttributeError):
            self.environment.close()


class Remote:
    def __init__(self, url: str, schema: dict[str, Any]) -> None:
        from websockets.sync.client import connect  # pyright: ignore[reportMissingImports]

        address = url.rstrip("/").replace("http", "ws", 1) + "/ws"
        self.socket = connect(address, max_size=2**26, open_timeout=20, proxy=None)
        self.schema = schema

    def reset(self, seed: int) -> Any:
        return self._asked("reset", {"seed": seed, "episode_id": f"grind-{next(_EPISODES)}"})["observation"]

    def step(self, action: Any) -> Step:
        found = self._asked("step", action)
        return Step(found["observation"], float(found.get("reward") or 0.0), bool(found.get("done")))

    def sample(self, chance: random.Random) -> Any:
        return _action(self.schema, chance)

    def close(self) -> None:
        with suppress(Exception):
            self.socket.send(json.dumps({"type": "close"}))
            self.socket.close()

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("a connection cannot be copied")

    def _asked(self, kind: str, data: Any) -> dict[str, Any]:
        self.socket.send(json.dumps({"type": kind, "data": data}))
        answer = json.loads(self.socket.recv())
        if answer["type"] == "error":
            raise RuntimeError(answer["data"].get("message", "an error without a message"))
        return answer["data"]


def target(name: str, place: str) -> Target:
    if place.startswith(("http://", "https://")):
        return _server(name, place)
    module, _, path = place.rpartition(":")
    if not module:
        raise InputError(f"{place!r} names no class", "name it as openenv:MODULE:CLASS, or openenv:http://HOST:PORT")
    kind = within(importlib.import_module(module), module, path)
    return Target(name=name, make=lambda: Local(kind), top=None, style="other")


def _server(name: str, url: str) -> Target:
    try:
        with urllib.request.urlopen(url.rstrip("/") + "/schema", timeout=20) as answer:
            schema = json.load(answer).get("action", {})
    except (urllib.error.URLError, ValueError, OSError) as error:
        raise InputError(
            f"{url} does not answer as an OpenEnv server: {error}", "start it, and check the address"
        ) from error
    outside = {what: RUNS.format(word) for what, word in _AROUND.items()}
    return Target(name=name, make=lambda: Remote(url, schema), top=None, style="other", outside=outside)


_AROUND = {
    "process": "process",
    "hash_seed": "hash seed",
    "clock": "clock",
    "time_zone": "time zone",
    "locale": "locale",
}


def _seen(observation: Any) -> dict[str, Any]:
    """An observation without what it is paid."""
    said = observation.model_dump() if hasattr(observation, "model_dump") else dict(vars(observation))
    return {key: each for key, each in said.items() if key not in ("reward", "done", "metadata")}


def _action(schema: dict[str, Any], chance: random.Random) -> Any:
    if not schema:
        return None
    found = drawn(schema, chance)
    return {key: each for key, each in found.items() if key != "metadata"} if isinstance(found, dict) else found
