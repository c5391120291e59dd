"""Records replay bit for bit: here, in other processes, under other hash seeds, time zones and locales."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import lending
import pytest

from journeyman.errors import WorldError
from journeyman.world import Call, Env, load, record, replay
from journeyman.world.mutants import at_random, play

SUITE = lending.suite()
OTHERS = """
import json, sys
from journeyman.world import load, replay
for line in sys.stdin:
    found = json.loads(line)
    difference = replay(found, load(found["world"]))
    if difference:
        sys.exit(f"{found['task']}: {difference}")
"""


def episode() -> dict[str, Any]:
    env = Env(SUITE)
    env.reset("lend", 4)
    for action in (Call("raffle", {}), '{"name": "x"}', Call("lend", {"book": "B1", "reader": "U1"}), "Done."):
        env.step(action)
    return json.loads(json.dumps(record(env)))


def test_a_replay_is_what_was_recorded() -> None:
    assert replay(episode(), SUITE) is None


@pytest.mark.parametrize(
    ("change", "step", "what"),
    [
        (lambda found: found["steps"][0].update(observation='"U9"'), 1, "observation"),
        (lambda found: found["steps"][2].update(digest="0"), 3, "digest"),
        (lambda found: found.update(start="0"), 0, "start"),
        (lambda found: found.update(score=0.0), 4, "score"),
        (lambda found: found["steps"][2].update(action='{"name": "raffle", "arguments": {}}'), 3, "observation"),
    ],
)
def test_the_first_difference_is_named(change: Any, step: int, what: str) -> None:
    found = episode()
    change(found)
    difference = replay(found, SUITE)
    assert difference is not None
    assert (difference.step, difference.what) == (step, what)


def test_a_record_of_other_rules_is_refused() -> None:
    with pytest.raises(WorldError, match="other rules"):
        replay({**episode(), "rules": "x"}, SUITE)
    with pytest.raises(WorldError, match="format 0"):
        replay({**episode(), "format": 0}, SUITE)


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Episodes of both worlds, one a line."""
    lines: list[str] = []
    for world in ("office", "shop"):
        suite = load(world)
        for task in list(suite.tasks.values())[::9]:
            lines += [
                json.dumps(record(played.env))
                for played in (play(suite, task, task.oracle, 3), at_random(suite, task, 5))
            ]
    assert len(lines) > 50
    return lines


@pytest.mark.parametrize(("hash_seed", "zone"), [("0", "UTC"), ("1", "Asia/Tokyo"), ("271828", "America/Lima")])
def test_other_processes_give_the_same_bits(lines: list[str], hash_seed: str, zone: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone, "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-c", OTHERS],
        input="\n".join(lines),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
