"""Spoilt solutions are spoilt, and nothing is made up where a plan cannot be made."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from journeyman.grind import plans
from journeyman.grind.trace import text

ORACLE: list[Any] = [
    {"tool": "find", "args": {"user": "u1"}},
    {"tool": "refund", "args": {"user": "u1", "order": "o7", "lines": [{"sku": "s1", "count": 2}]}},
    {"tool": "note", "args": {"user": "u1", "text": "done"}},
    {"say": "Refunded 12 euros."},
]
OTHER: list[Any] = [{"tool": "cancel", "args": {"user": "u2", "order": "o9"}}, {"say": "Cancelled."}]
READS = {"find"}


@given(st.integers())
def test_every_mutant_differs_from_the_solution(seed: int) -> None:
    found = dict(plans.mutants("calls", ORACLE, [OTHER], READS, random.Random(seed)))
    assert all(text(actions) != text(ORACLE) for actions in found.values())
    assert {"without refund", "refund twice", "refund with another count", "refund after note"} <= set(found)
    assert "without find" not in found  # who looks less has solved it all the same
    assert found["cancel besides"][-1] == OTHER[0]
    assert text(ORACLE) == text(ORACLE.copy())


@given(st.text(min_size=1, max_size=12), st.integers())
def test_a_spoilt_text_is_another_text(answer: str, seed: int) -> None:
    for _, actions in plans.mutants("text", [answer], [["other"]], set(), random.Random(seed)):
        assert actions != [answer]


@given(st.integers(min_value=0, max_value=10**6), st.integers())
def test_a_spoilt_number_is_another_number(number: int, seed: int) -> None:
    found = dict(plans.mutants("text", [str(number)], [], set(), random.Random(seed)))
    assert int(found["one character changed"][0]) != number


def test_the_wrong_entity_is_what_other_tasks_name() -> None:
    found = plans.wrong_entity("calls", ORACLE, [OTHER], random.Random(0))
    assert found is not None
    assert [action["args"]["user"] for action in found[:3]] == ["u2"] * 3
    assert plans.wrong_entity("calls", ORACLE, [], random.Random(0)) is None
    assert plans.wrong_entity("calls", [{"tool": "close", "args": {}}], [OTHER], random.Random(0)) is None


def test_idleness() -> None:
    assert plans.no_op("text", False, []) == [""]
    assert plans.no_op("calls", False, ORACLE) == []
    assert plans.no_op("calls", True, ORACLE) == [{"say": ""}]
    assert plans.no_op("other", False, [1, 2]) is None
    assert plans.read_only(ORACLE, READS, True) == [ORACLE[0], {"say": ""}]
    assert plans.read_only(ORACLE, set(), True) is None
    assert plans.read_only([ORACLE[0]], READS, True) is None  # it changes nothing: this is the solution
    assert plans.echo("other", False, "start") is None
    assert plans.at_random("other", "start", [], 3, random.Random(0)) is None
    assert plans.at_random("other", "start", [1, 2], 3, random.Random(0)) == random.Random(0).choices([1, 2], k=3)
