"""Episodes as records, which replay bit for bit wherever the same world is.

    record(env)                      # a JSON object: what was done, what came of it, and the digests
    replay(found, suite)             # what differs, if anything does

Always holds: a record says under which rules it was made; a replay acts in the world again and compares every
observation, error and digest.

Knows envs; nothing of stores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from journeyman.errors import WorldError
from journeyman.world.actions import parsed
from journeyman.world.env import Env
from journeyman.world.suite import Suite

FORMAT = 1


class Difference(NamedTuple):
    """Where a replay is not what was recorded. Step 0 is the start."""

    step: int
    what: str
    recorded: Any
    replayed: Any


def record(env: Env) -> dict[str, Any]:
    """The episode so far, as JSON. Asking for a digest at each step costs two hashes for each changed row."""
    snapshot = env.snapshot()
    verdict = snapshot.verdict
    return {
        "format": FORMAT,
        "world": env.suite.name,
        "rules": env.suite.fingerprint,
        "task": snapshot.task.id,
        "seed": snapshot.start.seed,
        "start": snapshot.start.digest,
        "steps": [
            {
                "action": turn.action.text,
                "observation": turn.observation,
                "error": turn.error,
                "trust": turn.trust,
                "digest": turn.state.digest,
            }
            for turn in snapshot.turns
        ],
        "over": snapshot.over,
        "score": None if verdict is None else verdict.score,
        "reasons": [] if verdict is None else verdict.reasons,
        "digest": snapshot.digest,
    }


def replay(found: Mapping[str, Any], suite: Suite, env: Env | None = None) -> Difference | None:
    """Act as recorded. None if all is as it was; else the first difference. WorldError if the record is of other
    rules or of another format. The episode is left in `env`, if one is given."""
    if found.get("format") != FORMAT:
        raise WorldError(f"an episode of format {found.get('format')!r}", f"this version reads format {FORMAT}")
    if found["rules"] != suite.fingerprint:
        raise WorldError(
            f"the episode was recorded under other rules of {found['world']}",
            "replay it with the version of the world it was recorded in",
        )
    env = Env(suite) if env is None else env
    env.reset(found["task"], found["seed"])
    if found["start"] != env.snapshot().start.digest:
        return Difference(0, "start", found["start"], env.snapshot().start.digest)
    for number, step in enumerate(found["steps"], 1):
        env.step(parsed(step["action"]))
        turn = env.snapshot().last
        assert turn is not None
        now = {"observation": turn.observation, "error": turn.error, "trust": turn.trust, "digest": turn.state.digest}
        for what, value in now.items():
            if step[what] != value:
                return Difference(number, what, step[what], value)
    again = record(env)
    for what in ("over", "score", "reasons", "digest"):
        if found[what] != again[what]:
            return Difference(len(found["steps"]), what, found[what], again[what])
    return None
