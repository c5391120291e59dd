"""The veteran's lift is a difference of log-probabilities, and decides where a situation goes."""

from __future__ import annotations

import math

import pytest
import torch
from random_cases import start

from journeyman.learn import lift
from journeyman.learn.exposures import LIVE, SURE
from journeyman.learn.lift import answer, measure, veteran_prompt
from journeyman.model.transformers_engine import TransformersEngine

CASES = [
    ("I paid $85 for the tap.", "What did the tap cost?", "$85"),
    ("I paid $85 for the tap.", "How much was the tap?", "$85"),
    ("Ann plays the cello.", "Who plays the cello?", "Ann"),
]


def test_lift_is_what_the_lesson_adds_to_the_evidence(tiny_engine: TransformersEngine) -> None:
    state = start(tiny_engine, trained=True)
    tiny_engine.put_adapter("veteran", state.clone())
    lifts, exposures = measure(tiny_engine, "veteran", CASES)
    for found, exposure, (lesson, question, evidence) in zip(lifts, exposures, CASES, strict=True):
        response, lead = answer(tiny_engine, evidence)
        shown = veteran_prompt(tiny_engine, lesson, evidence, question)
        with tiny_engine.using("veteran"):
            [with_lesson] = tiny_engine.score([(shown, response)])
            [alone] = tiny_engine.score([(tiny_engine.user(question), response)])
            [states] = tiny_engine.states([(shown, response)])
        wanted = slice(lead, -1)  # the evidence, without the lead-in and the end
        assert found.veteran == pytest.approx(sum(with_lesson[wanted]) / len(with_lesson[wanted]), abs=1e-4)
        assert found.student == pytest.approx(sum(alone[wanted]) / len(alone[wanted]), abs=1e-4)
        assert (list(exposure.prompt), list(exposure.response)) == (tiny_engine.user(question), response)
        assert exposure.veteran_RH is not None
        torch.testing.assert_close(exposure.veteran_RH, states, atol=1e-4, rtol=0)
        assert exposure.hard_R.tolist() == [math.exp(value) < SURE for value in with_lesson]


def test_what_is_measured_does_not_depend_on_what_is_in_force(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine, trained=True)
    outside, _ = measure(tiny_engine, None, CASES)
    with tiny_engine.using(LIVE):
        inside, _ = measure(tiny_engine, None, CASES)
    assert inside == outside


def test_the_veterans_prompt_is_whole_and_begins_with_the_lesson(tiny_engine: TransformersEngine) -> None:
    lesson, question, evidence = CASES[0]
    shown = tiny_engine.decode(veteran_prompt(tiny_engine, lesson, evidence, question))
    assert shown.index(lesson) < shown.index(f"You said: {evidence}") < shown.index(question)
    first, second = (tiny_engine.decode(veteran_prompt(tiny_engine, *(c[0], c[2], c[1]))) for c in CASES[:2])
    assert first[: first.index("What did")] == second[: second.index("How much")]  # wordings share their encoding


@pytest.mark.parametrize(
    ("veteran", "student", "falters", "route"),
    [
        (-0.1, -3.0, False, "opsd"),
        (-0.1, -3.0, True, "replay"),
        (-0.1, lift.KNOWN + 0.01, False, "already known"),
        (-3.0, -3.0 - lift.MIN_LIFT + 0.01, False, "lesson does not help"),
        (-5.0, -3.0, True, "lesson does not help"),
    ],
)
def test_routes(veteran: float, student: float, falters: bool, route: str) -> None:
    assert lift._route(veteran, student, falters=falters) == route


def test_nothing_to_measure(tiny_engine: TransformersEngine) -> None:
    assert measure(tiny_engine, None, []) == ([], [])
