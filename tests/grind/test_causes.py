"""What is claimed of one change alone is claimed only as far as it was tried alone."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from journeyman.grind import causes
from journeyman.grind.lab import LabError
from journeyman.grind.measurement import Budget, Measurement
from journeyman.grind.surroundings import LATER, Surroundings

WHERE = {"task": "a", "seed": 1, "step": 0, "one": "x", "other": "y"}


def explained(monkeypatch: pytest.MonkeyPatch, apart: Any, outside: dict[str, str] | None = None) -> dict[str, Any]:
    """The checks, where ten episodes were played elsewhere and two of them differed; `apart` says what they do under
    one change."""
    m = Measurement("a", lab=None, labs=None, budget=Budget(60))  # pyright: ignore[reportArgumentType]
    m.said = {"outside": outside or {}}
    m.stable, m.compared = list(range(12)), set(range(10))
    monkeypatch.setattr(causes, "_apart", lambda _m, numbers, given, *_rest, **_more: apart(numbers, given))
    causes.why_elsewhere(m, [(3, WHERE), (5, WHERE)], 10.0)
    return {id_.removeprefix("deterministic."): check for id_, check in m.checks.items()}


def test_the_guilty_change_is_named_and_the_others_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    def apart(numbers: list[int], given: Surroundings) -> Any:
        return 2, [(number, WHERE) for number in numbers] if given.hash_seed else []

    checks = explained(monkeypatch, apart)
    assert (checks["hash_seed"].passed, checks["hash_seed"].value, checks["hash_seed"].n) == (False, 0.8, 10)
    assert (checks["clock"].passed, checks["clock"].n) == (True, 10)
    assert checks["process"].passed


def test_what_was_not_played_under_a_change_does_not_hold_under_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def apart(numbers: list[int], given: Surroundings) -> Any:
        if given.shift == LATER:
            raise LabError("the budget ended before")
        if given.zone != Surroundings().zone:
            return 0, []
        return (1, []) if not given.hash_seed else (2, [(number, WHERE) for number in numbers])

    checks = explained(monkeypatch, apart)
    assert checks["hash_seed"].passed is False
    assert checks["clock"].passed is checks["time_zone"].passed is None
    assert checks["process"].n == 9  # one of the two that differ was played


def test_what_cannot_be_changed_is_not_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    def apart(numbers: list[int], given: Surroundings) -> Any:
        return 2, [(number, WHERE) for number in numbers] if given.hash_seed else []

    assert explained(monkeypatch, apart, {"clock": "it is another program"})["clock"].passed is None


def test_where_nothing_was_tried_nothing_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = explained(monkeypatch, lambda _numbers, _given: (0, []))
    assert {check.passed for check in checks.values()} == {None}


@pytest.mark.parametrize(
    ("shown", "by_time"),
    [("aaaaaaaa", True), ("aaabbbbb", True), ("aaabaaaa", False), ("abcdefgh", False), ("abababab", False)],
)
def test_a_clock_that_counts_seconds_never_goes_back(shown: str, by_time: bool) -> None:
    def played(_lab: Any, numbers: list[int], _seconds: float) -> list[tuple[int, dict[str, Any]]]:
        return [
            (number, {"steps": [], "verdict": 0.0, "start": each}) for number, each in zip(numbers, shown, strict=True)
        ]

    m: Any = SimpleNamespace(elsewhere=lambda *_: nullcontext(), played=played)
    assert causes._moves_with_time(m, [5], 1.0) is by_time


def test_what_was_played_once_only_is_no_difference() -> None:
    """The second time, with all imported, an environment may come further before the time is over."""
    lots = iter([["a"], ["a", "b", "c"], ["a", "b"], ["a", "x", "c"], ["a"], []])

    def played(*_: Any) -> list[tuple[int, dict[str, Any]]]:
        return [(0, {"steps": [], "verdict": 0.0, "start": each}) for each in next(lots)]

    m: Any = SimpleNamespace(elsewhere=lambda *_: nullcontext(), played=played)
    assert causes._alike(m, [0] * 40, [Surroundings()], 1.0, pause=0.0) == [True]
    assert causes._alike(m, [0] * 40, [Surroundings()], 1.0, pause=0.0) == [False]
    assert causes._alike(m, [0] * 40, [Surroundings()], 1.0, pause=0.0) == [None]
