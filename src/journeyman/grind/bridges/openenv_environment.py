"""`openenv:MODULE:CLASS`, an Environment of OpenEnv in this process; `openenv:http://HOST:PORT`, a server that runs.

Always holds: actions are drawn from the schema that the environment publishes; reward and done are those of its
observations; of a running server, nothing that surrounds its process is claimed, and no solution is known.

Knows OpenEnv 0.10's Environment, and its server's /schema and /ws (state, reset, step, close). Needs openenv, or for a
server websockets alone.
"""

from __future__ import annotations

import importlib
import itertools
import json
import random
import time
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


class FullError(Exception):
    """The server has as many sessions as it takes."""


class Remote:
    """A session of its own. FullError where the server gives none, also not to who waits for a closed one's place."""

    def __init__(self, url: str, schema: dict[str, Any], patience: float = 5.0) -> None:
        self.address = url.rstrip("/").replace("http", "ws", 1) + "/ws"
        self.schema = schema
        ends = time.monotonic() + patience
        while True:
            self.socket = self._connected()
            try:
                self._asked("state", None)
            except FullError:
                self.socket.close()
                if time.monotonic() > ends:
                    raise
                time.sleep(0.05)
            else:
                return

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

    def _connected(self) -> Any:
        from websockets.sync.client import connect  # pyright: ignore[reportMissingImports]

        return connect(self.address, max_size=2**26, open_timeout=20, proxy=None)

    def _asked(self, kind: str, data: Any) -> dict[str, Any]:
        with suppress(Exception):  # a server that refuses has said why, and closed
            self.socket.send(json.dumps({"type": kind} if data is None else {"type": kind, "data": data}))
        answer = json.loads(self.socket.recv())
        if answer["type"] == "error":
            data = answer["data"]
            if data.get("code") == "CAPACITY_REACHED":
                raise FullError(f"the server takes {data.get('max_sessions')} session(s) at once")
            raise RuntimeError(data.get("message", "an error without a message"))
        return answer["data"]


def target(name: str, place: str) -> Target:
    if place.startswith(("http://", "https://")):
        return _server(name, place)
    module, _, path = place.rpartition(":")
    if not module:
        raise InputError(f"{place!r} names no class", "name it as openenv:MODULE:CLASS, or openenv:http://HOST:PORT")
    kind = within(importlib.import_module(module), module, path)
    return Target(name=name, make=lambda: Local(kind), **_solved(kind), style="other")


def _solved(kind: type) -> dict[str, Any]:
    """OpenEnv has no word for solutions: where the class has `oracle`, that, with `top` and `floor`, as target.py
    says; else nobody knows from which score on a task is solved."""
    if not callable(getattr(kind, "oracle", None)):
        return {"top": None}
    oracle = kind().oracle  # pyright: ignore[reportAttributeAccessIssue]
    floor = getattr(kind, "floor", 0.0)
    return {
        "oracle": lambda task, seed: oracle(**accepted(oracle, {"task": task, "seed": seed})),
        "top": float(getattr(kind, "top", 1.0)),
        "floor": None if floor is None else float(floor),
    }


def _server(name: str, url: str) -> Target:
    try:
        with urllib.request.urlopen(url.rstrip("/") + "/schema", timeout=20) as answer:
            schema = json.load(answer).get("action", {})
    except (urllib.error.URLError, ValueError, OSError) as error:
        raise InputError(
            f"{url} does not answer as an OpenEnv server: {error}", "start it, and check the address"
        ) from error
    first = Remote(url, schema)
    try:
        Remote(url, schema, patience=1.0).close()
    except FullError as error:
        raise InputError(
            f"{url} cannot be measured: {error}, and episodes are to be played side by side",
            "start it with more max_concurrent_envs, 64 or above",
        ) from error
    finally:
        first.close()
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
