"""A check does not apply only where nothing could be made for it; lack of time or of an oracle is something else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from journeyman.grind import capacity
from journeyman.grind.report import Check, applies
from journeyman.grind.verdicts import BATCH, IDLE, _Judge, _understood

SAID = {"oracle": True, "tools": [], "style": "text", "says": False, "top": 1.0, "floor": 0.0, "samples": False}


def judge(tasks: int = BATCH, planned: tuple[str, ...] = (), **said: Any) -> _Judge:
    made = _Judge(SimpleNamespace(said=SAID | said), 1.0, 0.0)  # pyright: ignore[reportArgumentType]
    made.tasks, made.planned = tasks, set(planned)
    return made


@pytest.mark.parametrize("name", IDLE)
def test_what_no_task_gives_occasion_for_does_not_apply(name: str) -> None:
    assert not applies(judge()._not_asked(name))
    few = judge(tasks=BATCH - 1)._not_asked(name)
    assert applies(few)
    assert f"only {BATCH - 1} tasks" in few.evidence["reason"]
    late = judge(planned=(name,))._not_asked(name)
    assert applies(late)
    assert "time" in late.evidence["reason"]


def test_mutants_do_not_apply_to_actions_that_cannot_be_spoilt_and_to_no_others() -> None:
    assert not applies(judge(style="other")._not_asked("mutants"))
    assert applies(judge(style="text")._not_asked("mutants"))
    assert applies(judge(style="calls")._not_asked("mutants"))


@pytest.mark.parametrize("name", ["mutants", "wrong_entity", "read_only"])
def test_without_an_oracle_what_is_made_from_one_is_missing(name: str) -> None:
    found = judge(style="other", oracle=False)._not_asked(name)
    assert applies(found)
    assert "no oracle" in found.evidence["reason"]


def test_tools_whose_effect_is_not_told_leave_reading_untested() -> None:
    assert applies(judge(style="calls", tools=[{"name": "look"}])._not_asked("read_only"))
    assert not applies(judge(style="calls", tools=[{"name": "put", "effect": "write"}])._not_asked("read_only"))


@pytest.mark.parametrize(
    ("seconds", "passed"), [([0.01] * 9, True), ([4.0] * 9, False), ([3.0, 5.0], None), ([0.01], None)]
)
def test_a_cost_is_told_only_where_its_interval_tells_it(seconds: list[float], passed: bool | None) -> None:
    found: list[Check] = []
    items = [(number, {"seconds": each, "cpu": each, "steps": 3}) for number, each in enumerate(seconds)]
    m: Any = SimpleNamespace(scripts=[], lab=None, some=lambda *_, **__: items, add=found.append)
    capacity.speed(m, 1.0)
    [check] = found
    assert (check.id, check.passed, check.n) == ("parallel.speed", passed, len(seconds))
    assert (check.passed is None) == ("reason" in check.evidence)


def talk(asked: str, done: str = "Booked.", heard: str = "At ten.") -> dict[str, Any]:
    steps = [
        {"action": {"say": asked}, "observation": heard, "state": "empty"},
        {"action": {"tool": "book", "args": {}}, "observation": "ok", "state": "booked"},
        {"action": {"say": done}, "observation": "", "state": "booked"},
    ]
    return {"steps": steps}


def test_a_question_put_otherwise_and_answered_alike_is_no_fault() -> None:
    solved: Any = talk("When shall it be?")
    assert _understood(talk("When shull it be?"), solved)  # pyright: ignore[reportArgumentType]
    others = [
        talk("Whex shall it be?", heard="I don't know that."),
        talk("When shall it be?", done="Booled."),
        {"steps": solved["steps"][1:]},
    ]
    assert not any(map(_understood, others, [solved] * len(others)))
    told: Any = talk("It costs 40.")
    assert not _understood(talk("It costs 50."), told)  # pyright: ignore[reportArgumentType]
