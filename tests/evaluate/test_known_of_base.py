"""What the base answered is asked again where too much is known to keep it, and judged the same."""

from __future__ import annotations

from typing import Any

import pytest

from journeyman.evaluate import deciding, general
from journeyman.evaluate.evidence import of_base
from journeyman.learn.acting import Talk
from journeyman.model.known import Known
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.world.actions import Call

LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def test_many_nights_of_other_questions_leave_no_more_than_that_and_the_same_answers(
    tiny_engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes = general.unknown_probes()[:2]
    asked: list[int] = []

    def found(number: int) -> Any:
        def find() -> general.ProbeResult:
            asked.append(number)
            return general.run_probes(tiny_engine, None, [f"{each} ({number})" for each in probes])

        return of_base(tiny_engine, ("probes", number), find)

    monkeypatch.setattr(tiny_engine, "known", Known(3))
    first = [found(number) for number in range(6)]
    assert (len(tiny_engine.known), asked) == (3, list(range(6)))
    assert [found(number) for number in range(6)] == first, "found out again"
    assert len(tiny_engine.known) == 3
    again = len(asked)
    assert found(5) == first[5]
    assert len(asked) == again, "what is known is not asked again"


def test_decisions_beyond_the_bound_are_judged_the_same(
    tiny_engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [Talk([{"role": "user", "content": f"Look at {number}."}], (LOOK,)) for number in range(4)]
    cases = [deciding.Case(each, Call("look", {}), False) for each in asked]
    results: list[Any] = []
    for most in (1000, 1000, 1, 1, 0):
        if len(results) != 1:  # the second asks nothing of the base
            monkeypatch.setattr(tiny_engine, "known", Known(most))
        found = deciding.measured(tiny_engine, cases, None, None)
        results.append({name: value for name, value in found.items() if name != "tokens"})
        assert len(tiny_engine.known) <= most
    assert all(each == results[0] for each in results)
