"""Collapse is seen, and what only looks like it is let be."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from random_cases import cases, start

from journeyman.errors import TrainingError
from journeyman.learn.exposures import Exposure, verbatim
from journeyman.learn.health import FEW, ROUNDS, Watch, loops, rollouts
from journeyman.learn.trainer import Schedule, Trainer, train
from journeyman.model.transformers_engine import TransformersEngine

SOUND = [[5, n, 7] for n in range(FEW)]
BAD = {"empty": [[]] * FEW, "without end": [[n, *[3, 4] * 6] for n in range(FEW)]}


@pytest.mark.parametrize("complaint", BAD)
def test_a_collapse_stops_the_run_and_one_odd_round_does_not(complaint: str) -> None:
    watch = Watch()
    for replies in (BAD[complaint], SOUND, *[BAD[complaint]] * (ROUNDS - 1)):
        watch.see(1, replies)
    with pytest.raises(TrainingError, match=complaint) as stop:
        watch.see(9, BAD[complaint])
    assert "step 9" in str(stop.value)
    assert stop.value.remedy


@pytest.mark.parametrize("complaint", BAD)
def test_small_rounds_are_judged_together(complaint: str) -> None:
    """A library's user may well have four prompts."""
    watch = Watch()
    for step in range(1, 2 * ROUNDS):
        assert watch.see(step, BAD[complaint][:4]).length == len(BAD[complaint][0])
    with pytest.raises(TrainingError, match=complaint):
        watch.see(9, BAD[complaint][:4])


def test_what_only_looks_like_collapse() -> None:
    watch = Watch()
    for _ in range(2 * ROUNDS):
        watch.see(1, [])
        watch.see(1, BAD["empty"][: FEW - 1])  # too few to judge by themselves, and not most of all
        watch.see(1, [[2, 3]] * 20)  # one answer may be right for all
        watch.see(1, [[n] for n in range(FEW)])  # short
    assert watch.bad == 0


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ([1] * 12, True),
        ([1] * 11, False),  # a number may well have many zeros
        ([9, *[1, 2] * 6], True),
        ([*[1, 2] * 6, 3], False),
        ([1, 2, 3, 4, 5] * 4, True),
        ([1, 2, 3, 4, 5] * 3, False),
        (list(range(8)) * 4, True),
        ([], False),
    ],
)
def test_loops(reply: list[int], found: bool) -> None:
    assert loops(reply) is found


def test_a_rounds_figures() -> None:
    found = rollouts([[5, 6], [5, 6], [], [5] * 12])
    assert (found.length, found.empty, found.looping) == (4.0, 0.25, 0.25)


def silent(engine: TransformersEngine, sampled: bool, count: int = FEW) -> list[Exposure]:
    rows = [verbatim(engine, prompt, [engine.end_id]) for prompt, _, _ in cases(count=count)]
    return [replace(row, sampled=sampled, weight_R=torch.zeros(1)) for row in rows]


def test_a_run_whose_rollouts_have_collapsed_stops(tiny_engine: TransformersEngine) -> None:
    """Also where nothing is left to learn from them, as where all groups of GRPO have earned the same."""
    state = start(tiny_engine)
    steps = train(tiny_engine, [], [], Schedule(steps=20, rows=0), lambda _: silent(tiny_engine, True))
    with pytest.raises(TrainingError, match=f"step {ROUNDS}: 100% of the student's replies are empty"):
        list(steps)
    assert not any(parameter.requires_grad for parameter in state.parameters())
    others = list(train(tiny_engine, [], [], Schedule(steps=5, rows=0), lambda _: silent(tiny_engine, False)))
    assert [step.length for step in others] == [None] * 5  # what the student did not say is not its collapse


def test_a_run_that_goes_on_remembers_what_it_has_seen(tiny_engine: TransformersEngine) -> None:
    """Two steps of five replies are one round that is judged."""
    start(tiny_engine)

    def run() -> Trainer:
        return Trainer(tiny_engine, [], [], Schedule(steps=20, rows=0), lambda _: silent(tiny_engine, True, 5))

    stopped = run()
    steps = iter(stopped)
    for _ in range(2 * ROUNDS - 1):
        next(steps)
    again = run()
    again.load_state_dict(stopped.state_dict())
    for each in (again, stopped):
        with pytest.raises(TrainingError, match=f"step {2 * ROUNDS}:"):
            list(each)
