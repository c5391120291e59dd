"""Experiments, next to an environment: each item is of the script that it was asked for."""

from __future__ import annotations

from typing import Any

import environments as small
import pytest

from journeyman.grind.experiments import Workbench
from journeyman.grind.target import adapted

SCRIPTS = [{"task": f"reach {goal}", "seed": 1, "actions": []} for goal in (40, 41, 42)]


class Picky(small.Clean):
    def verdict(self) -> float:
        if self.goal % 2:
            raise ValueError("it is odd")
        return super().verdict()


@pytest.fixture
def bench() -> Workbench:
    return Workbench(adapted("picky", Picky))


def test_a_verdict_that_is_raised_stands_in_its_place(bench: Workbench) -> None:
    found = [item["verdicts"] for item in bench.judge(SCRIPTS, times=2, seconds=5)]
    assert found == [[0.0, 0.0], [{"raised": "ValueError: it is odd"}] * 2, [0.0, 0.0]]


ACTIONS = small.Clean().oracle("reach 40", 1)
SCRIPT = {"task": "reach 40", "seed": 1, "actions": ACTIONS}


@pytest.mark.parametrize("way", ["fork", "restore", "copy", "replay"])
def test_each_way_branches_off_at_every_step(bench: Workbench, way: str) -> None:
    found = list(bench.branch(SCRIPT, way, seconds=5))
    assert [(item["step"], item["ok"]) for item in found] == [(step, True) for step in range(len(ACTIONS))]


class Remembers(small.Clean):
    """An instance that is begun while others live sees how many began before it."""

    begun = 0

    def reset(self, seed: int, task: str) -> dict[str, object]:
        type(self).begun += 1
        return {**super().reset(seed, task), "begun": self.begun}


def test_a_replay_that_reaches_another_moment_is_found() -> None:
    [item] = Workbench(adapted("remembers", Remembers)).branch(SCRIPT, "replay", seconds=5)
    assert (item["ok"], item["who"]) == (False, "branch")
    assert item["difference"]["path"] == "[0].begun"


def test_speed_is_of_so_many_episodes(bench: Workbench) -> None:
    assert len(list(bench.speed(SCRIPTS, times=5, seconds=60))) == 5


class Yields(small.Clean):
    """Its solution is a generator, which can be gone through once."""

    def oracle(self, task: str, seed: int) -> Any:
        yield from super().oracle(task, seed)


class Follows(small.Clean):
    """Its solution is a policy that knows how far it has come."""

    def oracle(self, task: str, seed: int) -> Any:
        steps = iter(super().oracle(task, seed))
        return lambda _seen: next(steps)


@pytest.mark.parametrize("kind", [small.Clean, Yields, Follows])
def test_a_solution_solves_again(kind: type[small.Clean]) -> None:
    bench = Workbench(adapted("again", kind))
    script = {"task": "reach 40", "seed": 1, "policy": "oracle", "steps": 10}
    found = list(bench.play([script] * 3, seconds=5))
    assert [trace["verdict"] for trace in found] == [1.0] * 3
    items = [("reach 40", 1)] * 2
    one, other = bench.oracle_of(items)
    assert one == other
    assert one["actions"] == (None if kind is Follows else ACTIONS)


def test_an_oracle_that_raises_is_the_same_again() -> None:
    one, other = Workbench(adapted("left", small.NoOracleLeft)).oracle_of([("reach 40", 1), ("reach 40", 1)])
    assert one == other
    assert "solutions.json" in str(one["actions"])


class TakesApart(small.Clean):
    """Uses up the action that it is given."""

    def step(self, action: dict[str, Any]) -> Any:
        return super().step({name: action.pop(name) for name in list(action)})


def test_an_action_stays_whole_whatever_is_done_to_it() -> None:
    bench = Workbench(adapted("apart", TakesApart))
    one, other = bench.play([SCRIPT, SCRIPT], seconds=5)
    assert one == other
    assert [step["action"] for step in one["steps"]] == small.Clean().oracle("reach 40", 1)
    assert all(item["ok"] for item in bench.branch(SCRIPT, "replay", seconds=5))


class ClosesBadly(small.Clean):
    def close(self) -> None:
        raise RuntimeError("it was never begun")


def test_what_closing_raises_is_no_part_of_an_episode() -> None:
    bench = Workbench(adapted("closes", ClosesBadly))
    [said] = bench.describe()
    assert said["style"] == "calls"
    assert [item["verdicts"] for item in bench.judge([SCRIPT], times=1, seconds=5)] == [[1.0]]
    assert list(bench.restart(SCRIPT, times=1, seconds=5))


def test_a_task_may_be_named_by_any_text() -> None:
    class Named(small.Clean):
        def reset(self, seed: int, task: str) -> dict[str, Any]:
            return super().reset(seed, "reach 40")

        def sample(self, chance: Any) -> Any:
            return {"tool": "add", "args": {"amount": chance.randrange(100)}}

    script = {"task": "half a pair: \ud800", "seed": 1, "policy": "random", "steps": 3}
    bench = Workbench(adapted("named", Named))
    one, other = bench.play([script, script], seconds=5)
    assert one == other
    assert (len(one["steps"]), one["error"]) == (3, None)
