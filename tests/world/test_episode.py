"""Records replay bit for bit: here, in other processes, under other hash seeds, time zones and locales."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import MappingProxyType
from typing import Any

import lending
import pytest

from journeyman.errors import WorldError
from journeyman.world import Call, Context, Env, Rules, Say, Suite, Task, load, read, record, replay, write
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


@pytest.mark.parametrize(
    "action",
    [
        Say('{"name": "lend", "arguments": {"book": "B1", "reader": "U1"}}'),  # it was said, and never done
        "half of a pair: \ud800",
        '{"name": "look", "arguments": {"book": "\\ud800"}}',
        '{"name": "\\ud800", "arguments": {}}',
        '{"name": "look", "arguments": {"book": "B1", "\\ud800": 1}}',
        '{"name": "look", "arguments": {"book": NaN}}',
        f'{{"name": "look", "arguments": {{"book": {10**400}}}}}',
    ],
)
def test_whatever_an_agent_writes_replays(action: Any) -> None:
    env = Env(SUITE)
    env.reset("lend", 4)
    env.step(action)
    env.leave()
    assert replay(json.loads(json.dumps(record(env))), SUITE) is None


def test_what_a_tool_does_to_its_arguments_is_done_to_nothing_else() -> None:
    @write
    def tidy(here: Context, names: list[str]) -> list[str]:
        """Sort names, in place."""
        names.sort()
        return names

    call = Call("tidy", {"names": ["b", "a"]})
    text = call.text
    rules = Rules("tidy", lending.TABLES, [*lending.TOOLS, tidy])
    lend = Call("lend", {"book": "B1", "reader": "U1"})
    suite = Suite(rules, [Task.derive(rules, "tidy", "Tidy, then lend.", lending.start(), [call, lend])])
    env = Env(suite)
    env.reset("tidy")
    assert env.step(call).observation == '["a","b"]'
    env.step(text)
    assert [step["action"] for step in record(env)["steps"]] == [call.text, call.text] == [text, text]
    assert replay(record(env), suite) is None


def test_what_a_caller_does_to_its_arguments_changes_no_history() -> None:
    args: dict[str, Any] = {"book": "B1", "reader": "U1"}
    env = Env(SUITE)
    env.reset("lend", 4)
    env.step(Call("lend", args))
    before = json.dumps(record(env))
    args["book"] = "B2"
    assert json.dumps(record(env)) == before
    assert replay(json.loads(before), SUITE) is None


@pytest.mark.parametrize("depth", [90, 99, 100, 300])
def test_a_call_replays_however_deep_it_is(depth: int) -> None:
    @read
    def weigh(here: Context, what: Any) -> int:
        """Weigh anything."""
        return len(str(what))

    lend = Call("lend", {"book": "B1", "reader": "U1"})
    rules = Rules("weigh", lending.TABLES, [*lending.TOOLS, weigh])
    suite = Suite(rules, [Task.derive(rules, "lend", "Lend.", lending.start(), [lend])])
    env = Env(suite)
    env.reset("lend", 4)
    step = env.step(Call("weigh", MappingProxyType({"what": json.loads("[" * depth + "]" * depth)})))
    assert step.info["error"] == ("" if depth < 99 else "invalid")
    env.step(Call("look", MappingProxyType({"book": "B1"})))
    env.leave()
    assert replay(json.loads(json.dumps(record(env))), suite) is None


def test_an_episode_from_a_given_start_replays_from_it() -> None:
    env = Env(SUITE)
    env.reset("lend", 1)
    env.step(Call("lend", {"book": "B2", "reader": "U3"}))
    start = env.world.state
    env.reset("lend", 4, start)
    env.step(Call("lend", {"book": "B1", "reader": "U1"}))
    env.leave()
    difference = replay(record(env), SUITE)
    assert difference is not None
    assert difference.what == "start"
    assert replay(record(env), SUITE, start=start) is None


def test_an_action_after_the_end_is_a_difference() -> None:
    found = episode()
    found["steps"].append(dict(found["steps"][0]))
    difference = replay(found, SUITE)
    assert difference is not None
    assert (difference.step, difference.what, difference.replayed) == (5, "over", "terminated")


@pytest.mark.parametrize(
    "change",
    [
        lambda found: [found],
        lambda found: None,
        lambda found: {},
        lambda found: {name: each for name, each in found.items() if name != "seed"},
        lambda found: found | {"steps": {}},
        lambda found: found | {"steps": [1]},
        lambda found: found | {"steps": [{**found["steps"][0], "action": 1}]},
        lambda found: found | {"steps": [{**found["steps"][0], "action": {"say": 1}}]},
    ],
)
def test_what_is_no_record_is_refused(change: Any) -> None:
    with pytest.raises(WorldError, match="no recorded episode"):
        replay(change(episode()), SUITE)


def test_a_record_of_another_world_says_which() -> None:
    with pytest.raises(WorldError, match="of the world office, and this is lending"):
        replay({**episode(), "world": "office"}, SUITE)


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
