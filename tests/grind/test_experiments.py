"""Experiments, next to an environment: each item is of the script that it was asked for."""

from __future__ import annotations

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


def test_speed_is_of_so_many_episodes(bench: Workbench) -> None:
    assert len(list(bench.speed(SCRIPTS, times=5, seconds=60))) == 5
