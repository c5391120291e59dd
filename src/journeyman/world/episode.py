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
from journeyman.world.actions import Action, Say, parsed
from journeyman.world.env import Env
from journeyman.world.state import State
from journeyman.world.suite import Suite

FORMAT = 1
_FIELDS = {"world": str, "rules": str, "task": str, "seed": int, "start": str, "steps": list, "reasons": list}
_STEP = {"action": (str, dict), "observation": str, "error": str, "trust": (int, float), "digest": str}


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
                "action": _written(turn.action),
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


def replay(
    found: Mapping[str, Any], suite: Suite, env: Env | None = None, *, start: State | None = None
) -> Difference | None:
    """Act as recorded. None if all is as it was; else the first difference. WorldError if it is no record, or one of
    other rules or of another format. The episode is left in `env`, if one is given. `start`: the state that it began
    from, if that was not its task's own; a record has only the digest."""
    if not isinstance(found, Mapping) or "format" not in found:
        raise _no_record("it has no format")
    if found.get("format") != FORMAT:
        raise WorldError(f"an episode of format {found.get('format')!r}", f"this version reads format {FORMAT}")
    _checked(found)
    if found["world"] != suite.name:
        raise WorldError(
            f"the episode is of the world {found['world']}, and this is {suite.name}",
            "name the world it was recorded in",
        )
    if found["rules"] != suite.fingerprint:
        raise WorldError(
            f"the episode was recorded under other rules of {found['world']}",
            "replay it with the version of the world it was recorded in",
        )
    env = Env(suite) if env is None else env
    env.reset(found["task"], found["seed"], start)
    if found["start"] != env.snapshot().start.digest:
        return Difference(0, "start", found["start"], env.snapshot().start.digest)
    for number, step in enumerate(found["steps"], 1):
        if over := env.info["over"]:
            return Difference(number, "over", "", over)
        action = step["action"]
        env.step(parsed(action) if type(action) is str else Say(action["say"]))
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


def _written(action: Action) -> str | dict[str, str]:
    """An action as text; something said that would be read as a call, as {"say": text}."""
    if type(action) is Say and type(parsed(action.said)) is not Say:
        return {"say": action.said}
    return action.text


def _checked(found: Mapping[str, Any]) -> None:
    """WorldError where a record has not the form that `record` gives it."""
    wrong = [name for name, kind in _FIELDS.items() if not isinstance(found.get(name), kind)]
    wrong += sorted({"over", "score", "digest"} - set(found))
    if wrong:
        raise _no_record(f"its {wrong[0]} is missing or of another type")
    for number, step in enumerate(found["steps"], 1):
        if not isinstance(step, dict) or not all(isinstance(step.get(name), kind) for name, kind in _STEP.items()):
            raise _no_record(f"its step {number} is none")
        action = step["action"]
        if not isinstance(action["say"] if isinstance(action, dict) and "say" in action else action, str):
            raise _no_record(f"its step {number} does nothing that can be done")


def _no_record(why: str) -> WorldError:
    return WorldError(f"this is no recorded episode: {why}", "give what record() or world serve --record wrote")
